"""Activations in the operators of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx

from sklearn_gd.activations import (
    ELU,
    GELU,
    Activation,
    Exp,
    FunctionPair,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from sklearn_gd.onnx._graph import Graph

A = TypeVar("A", bound=Activation)


def register_activation(activation: type[A], convert: Callable[[A, str, Graph], str]) -> None:
    """Register the converter of a custom activation.

    Parameters
    ----------
    activation : type
        Class derived from :class:`~sklearn_gd.activations.Activation`. Its subclasses, which may
        compute something else, need converters of their own.
    convert : callable
        Function ``convert(activation, z, graph)`` of the instance, the name of its input of shape
        (n_samples, n_units), and the :class:`Graph`. It adds nodes with ``graph.node`` and returns
        the name of the last one, f(z).

    Raises
    ------
    TypeError
        If `activation` is not a class of activations, or `convert` is not callable.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gd.activations import Activation
    >>> from sklearn_gd.onnx import register_activation
    >>> class Cube(Activation):
    ...     def __call__(self, z):
    ...         return z**3
    ...     def derivative(self, z, a):
    ...         return 3 * z**2
    >>> register_activation(Cube, lambda cube, z, graph: graph.node("Pow", z, 3.0))
    """
    if not (isinstance(activation, type) and issubclass(activation, Activation)):
        raise TypeError(
            "activation must be a class derived from sklearn_gd.activations.Activation. "
            f"Got {activation!r} instead."
        )
    if not callable(convert):
        raise TypeError(
            "convert must be a function convert(activation, z, graph) that returns the name of "
            f"f(z). Got {convert!r} instead."
        )
    _CONVERTERS[activation] = convert


def activate(f: Activation, z: str, graph: Graph) -> str:
    """Add f(z) to the graph; return its name."""
    if type(f) in _CONVERTERS:
        name = _CONVERTERS[type(f)](f, z, graph)
        if not isinstance(name, str):
            raise TypeError(
                f"The converter of {f!r} must return the name of f(z), as graph.node does. "
                f"Got {name!r} instead."
            )
        return name
    if isinstance(f, FunctionPair):
        raise ValueError(
            f"{f!r} is Python code and has no converter to ONNX. Write a class derived from "
            "sklearn_gd.activations.Activation instead of the pair, and register its converter "
            "with sklearn_gd.onnx.register_activation."
        )
    raise ValueError(
        f"{f!r} has no converter to ONNX. Register one with sklearn_gd.onnx.register_activation("
        f"{type(f).__name__}, convert), where convert(activation, z, graph) returns the name of "
        "f(z)."
    )


# onnxruntime lacks Elu, Erf, LeakyRelu and Softplus for float64, and its float32 Sigmoid rounds
# small values to zero. They are built from operators that it has, at full precision, for both.


def _sigmoid(z: str, graph: Graph) -> str:
    return graph.node("Reciprocal", graph.node("Add", graph.node("Exp", graph.node("Neg", z)), 1))


def _leaky_relu(f: LeakyReLU, z: str, graph: Graph) -> str:
    return graph.node("Max", z, graph.node("Mul", z, f.negative_slope))


def _elu(f: ELU, z: str, graph: Graph) -> str:
    # exp(z) - 1 = tanh(z / 2) (exp(z) + 1), without cancellation for small z.
    negative = graph.node("Min", z, 0.0)
    tanh = graph.node("Tanh", graph.node("Mul", negative, 0.5))
    expm1 = graph.node("Mul", tanh, graph.node("Add", graph.node("Exp", negative), 1.0))
    return graph.node("Add", graph.node("Relu", z), graph.node("Mul", expm1, f.alpha))


def softplus(z: str, graph: Graph) -> str:
    """Add log(1 + exp(z)) to the graph."""
    # max(z, 0) + log(1 + e) with e = exp(-|z|), corrected for the rounding error of 1 + e.
    e = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    u = graph.node("Add", e, 1.0)
    rounding = graph.node("Sub", e, graph.node("Sub", u, 1.0))
    log1p = graph.node("Add", graph.node("Log", u), graph.node("Div", rounding, u))
    return graph.node("Add", graph.node("Relu", z), log1p)


def _gelu(f: GELU, z: str, graph: Graph) -> str:
    erf = _erf(graph.node("Mul", z, np.sqrt(0.5)), graph)
    return graph.node("Mul", z, graph.node("Mul", graph.node("Add", erf, 1.0), 0.5))


def _erf(x: str, graph: Graph) -> str:
    if graph.dtype == np.float32:
        return graph.node("Erf", x)
    # erf |x| = 1 - erfcx |x| exp(-x²), and erfcx is a polynomial in s = 6 / (3 + |x|) - 1.
    s = graph.node("Div", 6.0, graph.node("Add", graph.node("Abs", x), 3.0))
    s = graph.node("Sub", s, 1.0)
    value: str | float
    value, *coefficients = _erfcx_coefficients()
    for coefficient in coefficients:
        value = graph.node("Add", graph.node("Mul", value, s), coefficient)
    exp = graph.node("Exp", graph.node("Neg", graph.node("Mul", x, x)))
    erf = graph.node("Sub", 1.0, graph.node("Mul", value, exp))
    return graph.node("Mul", graph.node("Sign", x), erf)


@cache
def _erfcx_coefficients() -> list[float]:
    """Return the coefficients of erfcx(6 / (1 + s) - 3) for s in [-1, 1], highest degree first."""
    with np.errstate(all="ignore"):
        fitted = Chebyshev.interpolate(lambda s: erfcx(6 / (1 + s) - 3), 20)
    return [float(c) for c in fitted.convert(kind=Polynomial).coef[::-1]]


_CONVERTERS: dict[type[Activation], Callable[[Any, str, Graph], str]] = {
    Identity: lambda f, z, graph: z,
    Exp: lambda f, z, graph: graph.node("Exp", z),
    Sigmoid: lambda f, z, graph: _sigmoid(z, graph),
    Tanh: lambda f, z, graph: graph.node("Tanh", z),
    ReLU: lambda f, z, graph: graph.node("Relu", z),
    LeakyReLU: _leaky_relu,
    ELU: _elu,
    Softplus: lambda f, z, graph: softplus(z, graph),
    SiLU: lambda f, z, graph: graph.node("Mul", z, _sigmoid(z, graph)),
    GELU: _gelu,
}
