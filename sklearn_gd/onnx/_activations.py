"""Activations in the operators of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx

from sklearn_gd.activations import (
    ELU,
    GELU,
    Activation,
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

Converter = Callable[[Any, str, Graph], str]


def register_activation(activation: type[Activation], convert: Converter) -> None:
    """Say how an activation of your own is written in ONNX.

    Parameters
    ----------
    activation : type
        Your class, derived from :class:`~sklearn_gd.activations.Activation`. Classes derived from
        it, which may compute something else, need their own converters.
    convert : callable
        ``convert(activation, z, graph)``: gets the instance, the name of its input, of shape
        (n_samples, n_units), and the :class:`Graph`. It adds nodes with ``graph.node`` and returns
        the name of the last one, f(z).

    Raises
    ------
    TypeError
        Where `activation` is no class of activations, or `convert` cannot be called.

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
    convert = _CONVERTERS.get(type(f))
    if convert is not None:
        name: Any = convert(f, z, graph)
        if not isinstance(name, str):
            raise TypeError(
                f"The converter of {f!r} must return the name that graph.node gives to f(z). "
                f"Got {name!r} instead."
            )
        return name
    register = "sklearn_gd.onnx.register_activation"
    if isinstance(f, FunctionPair):
        raise ValueError(
            f"{f!r} is Python code, and has no converter to ONNX. In place of the pair, write a "
            f"class derived from sklearn_gd.activations.Activation, and register its converter "
            f"by {register}."
        )
    raise ValueError(
        f"{f!r} has no converter to ONNX. Register one by {register}({type(f).__name__}, convert)"
        ", where convert(activation, z, graph) returns the name of f(z)."
    )


# onnxruntime has no Elu, Erf, LeakyRelu or Softplus of doubles, and its Sigmoid of floats rounds
# small values to zero: these are made of operators that it has, and has exactly, for both.


def _sigmoid(z: str, graph: Graph) -> str:
    return graph.node("Reciprocal", graph.node("Add", graph.node("Exp", graph.node("Neg", z)), 1))


def _leaky_relu(f: LeakyReLU, z: str, graph: Graph) -> str:
    return graph.node("Max", z, graph.node("Mul", z, f.negative_slope))


def _elu(f: ELU, z: str, graph: Graph) -> str:
    # exp(z) - 1 = tanh(z / 2) (exp(z) + 1), which keeps the digits of a small z.
    below = graph.node("Min", z, 0.0)
    half_way = graph.node("Tanh", graph.node("Mul", below, 0.5))
    less_one = graph.node("Mul", half_way, graph.node("Add", graph.node("Exp", below), 1.0))
    return graph.node("Add", graph.node("Relu", z), graph.node("Mul", less_one, f.alpha))


def softplus(z: str, graph: Graph) -> str:
    """Add log(1 + exp(z)) to the graph."""
    # max(z, 0) + log(1 + e) with e = exp(-|z|); what 1 + e rounds off is added again.
    e = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    u = graph.node("Add", e, 1.0)
    lost = graph.node("Sub", e, graph.node("Sub", u, 1.0))
    log = graph.node("Add", graph.node("Log", u), graph.node("Div", lost, u))
    return graph.node("Add", graph.node("Relu", z), log)


def _silu(z: str, graph: Graph) -> str:
    return graph.node("Mul", z, _sigmoid(z, graph))


def _gelu(z: str, graph: Graph) -> str:
    erf = _erf(graph.node("Mul", z, np.sqrt(0.5)), graph)
    return graph.node("Mul", z, graph.node("Mul", graph.node("Add", erf, 1.0), 0.5))


def _erf(x: str, graph: Graph) -> str:
    if graph.dtype == np.float32:
        return graph.node("Erf", x)
    # erf |x| = 1 - erfcx |x| exp(-x²), and erfcx is a polynomial in s = 6 / (3 + |x|) - 1.
    size = graph.node("Abs", x)
    s = graph.node("Sub", graph.node("Div", 6.0, graph.node("Add", size, 3.0)), 1.0)
    erfcx_of_size: Any
    erfcx_of_size, *others = _erfcx_coefficients()
    for coefficient in others:
        erfcx_of_size = graph.node("Add", graph.node("Mul", erfcx_of_size, s), coefficient)
    density = graph.node("Exp", graph.node("Neg", graph.node("Mul", x, x)))
    rest = graph.node("Sub", 1.0, graph.node("Mul", erfcx_of_size, density))
    return graph.node("Mul", graph.node("Sign", x), rest)


@cache
def _erfcx_coefficients() -> list[float]:
    """Return the coefficients of erfcx(6 / (1 + s) - 3) for s in [-1, 1], the highest first."""
    with np.errstate(all="ignore"):
        fitted = Chebyshev.interpolate(lambda s: erfcx(6 / (1 + s) - 3), 20)
    return [float(c) for c in fitted.convert(kind=Polynomial).coef[::-1]]


_CONVERTERS: dict[type[Activation], Converter] = {
    Identity: lambda f, z, graph: z,
    Sigmoid: lambda f, z, graph: _sigmoid(z, graph),
    Tanh: lambda f, z, graph: graph.node("Tanh", z),
    ReLU: lambda f, z, graph: graph.node("Relu", z),
    LeakyReLU: _leaky_relu,
    ELU: _elu,
    Softplus: lambda f, z, graph: softplus(z, graph),
    SiLU: lambda f, z, graph: _silu(z, graph),
    GELU: lambda f, z, graph: _gelu(z, graph),
}
