r"""Activation functions: the output of a neuron as a function of its weighted input.

An activation maps the pre-activation `z` to `a = f(z)`, elementwise, and computes its derivative.
Estimators take a name (``"tanh"``), an instance (``ELU(alpha=0.5)``) or a pair ``(f, df)`` of
callables.

A custom activation derives from :class:`Activation` and has two methods. The derivative gets both
`z` and `a = f(z)`, and can use either:

>>> import numpy as np
>>> from sklearn_gd import FeedForwardRegressor
>>> from sklearn_gd.activations import Activation
>>> class Snake(Activation):
...     def __init__(self, frequency=1.0):
...         self.frequency = frequency
...     def __call__(self, z):
...         return z + np.sin(self.frequency * z) ** 2 / self.frequency
...     def derivative(self, z, a):
...         return 1 + np.sin(2 * self.frequency * z)
>>> from sklearn_gd.testing import check_activation
>>> check_activation(Snake(frequency=2.0))
>>> X = np.linspace(-3, 3, 50)[:, None]
>>> net = FeedForwardRegressor(activation=Snake(), max_iter=5, tol=None, random_state=0)
>>> net.fit(X, np.sin(3 * X[:, 0])).n_iter_
5

The shortest form is a pair, here the sine and its derivative:

>>> net = FeedForwardRegressor(activation=(np.sin, np.cos), max_iter=5, tol=None)
>>> net.fit(X, X[:, 0]).predict(X).shape
(50,)

Custom activations that use NumPy functions are for NumPy arrays. Those that use functions of the
array API standard, and all built-in ones, support arrays of other libraries too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from functools import cached_property
from inspect import unwrap
from numbers import Real

import numpy as np
from scipy import special
from sklearn.utils._param_validation import Interval

from sklearn_gd import _kernels
from sklearn_gd._pieces import Array, Piece, namespace, resolve, scalar_like, storable, to_numpy

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "Exp",
    "FunctionPair",
    "Identity",
    "LeakyReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Step",
    "Tanh",
    "as_activation",
]


# With SCIPY_ARRAY_API=1, SciPy wraps these functions; only the ufuncs inside have `out`.
erf, expit = unwrap(special.erf), unwrap(special.expit)

_HOOKS = ("_apply", "_apply_to_sum", "_chain", "_chain_to_sum")
_BOUNDS = ("zero_at_origin", "range", "slope", "curvature", "product")


class Activation(Piece):
    r"""Base of all activations, which are elementwise.

    A custom activation defines ``__call__(z)`` and ``derivative(z, a)``. To support arrays of
    libraries other than NumPy, they use functions of the array API standard. Attributes that a
    class does not define are computed numerically, with NumPy.

    Attributes
    ----------
    zero_at_origin : bool
        Whether f(0) = 0, as a model through the origin requires.
    differentiable : bool
        Whether the derivative is usable for gradient descent (False for the step).
    range : tuple of two floats
        Infimum and supremum of f.
    slope : float
        Supremum of \|f'\|. Together with `curvature` and `product` it bounds the second
        derivative of loss(f(z)), from which the automatic learning rate is computed.
    curvature : float
        Supremum of \|f''\|, away from kinks.
    product : float
        Supremum of \|f f''\|, away from kinks.
    """

    _needed = {"__call__": "__call__(z)", "derivative": "derivative(z, a)"}
    differentiable = True
    # True if the derivative needs only `a`, so that `a` may overwrite `z`.
    _forgets_z = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__ != __name__ and cls.__dict__.keys() & {"__call__", "derivative"}:
            # Shortcuts and bounds of a built-in class do not hold for a changed function.
            for name in (*_BOUNDS, "_forgets_z", *_HOOKS):
                if name not in cls.__dict__:
                    setattr(cls, name, Activation.__dict__[name])

    def __call__(self, z: Array) -> Array:
        """Return f(z), with the shape and dtype of z."""
        raise NotImplementedError("an activation defines __call__(z)")

    def derivative(self, z: Array, a: Array) -> Array:
        """Return f'(z), given z and a = f(z), with the shape and dtype of z."""
        raise NotImplementedError("an activation defines derivative(z, a)")

    @cached_property
    def zero_at_origin(self) -> bool:
        return bool(self(np.zeros(1))[0] == 0)

    @cached_property
    def range(self) -> tuple[float, float]:
        with np.errstate(all="ignore"):
            a = self(np.concatenate([[-50.0, -25.0], _grid(), [25.0, 50.0]]))
        flat = 1e-6  # a function that changes less than this from 25 to 50 is taken as bounded
        return (
            float(a.min()) if abs(a[0] - a[1]) < flat else -np.inf,
            float(a.max()) if abs(a[-1] - a[-2]) < flat else np.inf,
        )

    @cached_property
    def slope(self) -> float:
        return self._extremes[0]

    @cached_property
    def curvature(self) -> float:
        return self._extremes[1]

    @cached_property
    def product(self) -> float:
        return self._extremes[2]

    @cached_property
    def _extremes(self) -> tuple[float, float, float]:
        return self._find_extremes()

    def _find_extremes(self) -> tuple[float, float, float]:
        """Return slope, curvature and product on the grid, ignoring the attributes."""
        z = _grid()
        with np.errstate(all="ignore"):
            a = self(z)
            slope = self.derivative(z, a)
            width = z[1] - z[0]
            fine = np.abs(np.diff(slope)) / width
            coarse = np.abs(slope[2:] - slope[:-2]) / (2 * width)
            # At a kink, the finer difference is twice the coarser; elsewhere they are equal.
            smooth = np.maximum(fine[1:], fine[:-1]) <= 1.5 * coarse
            bend = np.where(smooth & np.isfinite(coarse), coarse, 0.0)
            product = bend * np.abs(a[1:-1])
        top = np.abs(slope[np.isfinite(slope)])
        return (
            float(np.max(top, initial=0.0)),
            float(bend.max()),
            float(product[np.isfinite(product)].max()),
        )

    def __getstate__(self) -> dict[str, object]:
        state: dict[str, object] = super().__getstate__()
        for name in (*_BOUNDS, "_extremes"):  # cached values are not stored
            state.pop(name, None)
        return state

    def _apply(self, z: Array, out: Array) -> Array:
        """Write f(z) to `out`, which may be `z` itself if ``_forgets_z``."""
        out[...] = self(z)
        return out

    def _apply_to_sum(self, z: Array, b: Array, out: Array) -> Array:
        """Write f(z + b) to `out`, as in ``_apply``; may overwrite `z` with z + b."""
        if b.size:
            z += b
        return self._apply(z, out)

    def _chain(self, delta: Array, z: Array, a: Array) -> None:
        """Multiply `delta` by f'(z), in place: the chain rule for one layer."""
        delta *= self.derivative(z, a)

    def _chain_to_sum(self, delta: Array, z: Array, a: Array, sums: Array) -> None:
        """Multiply `delta` by f'(z), and write its column sums to `sums` unless that is empty."""
        self._chain(delta, z, a)
        if sums.size:
            np.sum(delta, axis=0, out=sums)

    def _probe(self) -> None:
        z = np.array([[-0.5, 0.0, 0.25], [0.5, 1.0, -1.0]])
        given = z.copy()
        with np.errstate(all="ignore"):
            a = self(given)
            together = np.array(a)
            slope = self.derivative(given, a)
        for method, result in (("__call__(z)", a), ("derivative(z, a)", slope)):
            if np.shape(result) != z.shape or not hasattr(result, "shape"):
                raise ValueError(
                    f"{method} must return an array of the shape of z; for {z.shape} it returned "
                    f"{result if not hasattr(result, 'shape') else np.shape(result)}."
                )
        if not (np.array_equal(given, z) and np.array_equal(together, a, equal_nan=True)):
            raise ValueError(
                "__call__(z) and derivative(z, a) must not write to z and a, which are used again."
            )
        with np.errstate(all="ignore"):
            alone = [float(self(each.copy())[0, 0]) for each in z.reshape(-1, 1, 1)]
        if not np.allclose(together.ravel(), alone, equal_nan=True):
            raise ValueError(
                "__call__(z) must act on each element by itself. In an array it returned "
                f"{together.ravel().tolist()}, and alone {alone}."
            )


def _logistic(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)); the array API standard has no function for it."""
    xp = namespace(z)
    if xp is np:
        return expit(z)
    if hasattr(xp, "sigmoid"):
        return xp.sigmoid(z)
    with np.errstate(over="ignore"):  # for libraries that wrap NumPy
        return 1 / (1 + xp.exp(-z))


def _error_function(z: Array) -> Array:
    """Return erf(z); computed by SciPy, on the host, if the array library has no erf."""
    xp = namespace(z)
    if xp is np:
        return erf(z)
    return xp.erf(z) if hasattr(xp, "erf") else xp.asarray(erf(to_numpy(z, xp)), device=z.device)


def _grid() -> Array:
    """Return the points at which unknown bounds of an activation are computed."""
    return np.linspace(-8.0, 8.0, 8001)


class FunctionPair(Activation):
    """Activation made of two callables; a pair ``(f, df)`` is converted to it.

    Parameters
    ----------
    f : callable
        Function ``f(z)``.
    df : callable
        Derivative ``df(z)``, as a function of the pre-activation z.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gd.activations import FunctionPair
    >>> sine = FunctionPair(np.sin, np.cos)
    >>> float(sine(np.array([0.0]))[0]), sine.zero_at_origin
    (0.0, True)
    """

    def __init__(self, f: Callable[[Array], Array], df: Callable[[Array], Array]) -> None:
        self.f = f
        self.df = df

    def __call__(self, z: Array) -> Array:
        return self.f(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return self.df(z)


class Identity(Activation):
    """Identity f(z) = z, of a linear neuron."""

    zero_at_origin = True
    range = (-np.inf, np.inf)
    slope, curvature, product = 1.0, 0.0, 0.0
    _forgets_z = True

    def __call__(self, z: Array) -> Array:
        return +z

    def derivative(self, z: Array, a: Array) -> Array:
        return namespace(a).ones_like(a)

    def _apply(self, z: Array, out: Array) -> Array:
        return z if out is z else np.positive(z, out=out)

    def _chain(self, delta: Array, z: Array, a: Array) -> None:
        return


class Step(Activation):
    """Step function f(z) = 1 if z > 0, else 0 (McCulloch and Pitts 1943).

    Its derivative is zero wherever it exists, so gradient descent cannot train it; only
    :class:`~sklearn_gd.PerceptronClassifier` accepts it, with Rosenblatt's rule.
    """

    differentiable = False
    zero_at_origin = True
    range = (0.0, 1.0)
    slope, curvature, product = 0.0, 0.0, 0.0
    _forgets_z = True

    def __call__(self, z: Array) -> Array:
        xp = namespace(z)
        return xp.maximum(xp.sign(z), scalar_like(z, 0))

    def derivative(self, z: Array, a: Array) -> Array:
        return namespace(a).zeros_like(a)

    def _apply(self, z: Array, out: Array) -> Array:
        return np.heaviside(z, z.dtype.type(0), out=out)


class Sigmoid(Activation):
    """Logistic sigmoid f(z) = 1 / (1 + exp(-z)), between 0 and 1."""

    zero_at_origin = False
    range = (0.0, 1.0)
    slope, curvature, product = 0.25, 0.0962251, 0.0774607
    _forgets_z = True

    def __call__(self, z: Array) -> Array:
        return _logistic(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return a * (1 - a)

    def _apply(self, z: Array, out: Array) -> Array:
        return expit(z, out=out)


class Tanh(Activation):
    """Hyperbolic tangent f(z) = tanh(z), between -1 and 1."""

    zero_at_origin = True
    range = (-1.0, 1.0)
    slope, curvature, product = 1.0, 0.7698004, 0.5000001
    _forgets_z = True

    def __call__(self, z: Array) -> Array:
        return namespace(z).tanh(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return 1 - a * a

    def _apply(self, z: Array, out: Array) -> Array:
        return np.tanh(z, out=out)


class ReLU(Activation):
    """Rectified linear unit f(z) = max(z, 0) [1]_. Its derivative at 0 is taken as 0.

    References
    ----------
    .. [1] X. Glorot, A. Bordes, Y. Bengio, "Deep sparse rectifier neural networks",
       AISTATS 2011.
    """

    zero_at_origin = True
    range = (0.0, np.inf)
    slope, curvature, product = 1.0, 0.0, 0.0
    _forgets_z = True

    def __call__(self, z: Array) -> Array:
        return namespace(z).maximum(z, scalar_like(z, 0))

    def derivative(self, z: Array, a: Array) -> Array:
        return namespace(a).where(a > 0, scalar_like(a, 1), scalar_like(a, 0))

    def _apply(self, z: Array, out: Array) -> Array:
        return np.maximum(z, z.dtype.type(0), out=out)

    def _apply_to_sum(self, z: Array, b: Array, out: Array) -> Array:
        if not b.size:
            return self._apply(z, out)
        _kernels.bias_relu(z, b)
        return z

    def _chain(self, delta: Array, z: Array, a: Array) -> None:
        np.multiply(delta, a > 0, out=delta)

    def _chain_to_sum(self, delta: Array, z: Array, a: Array, sums: Array) -> None:
        if sums.size:
            _kernels.relu_backward(delta, a, sums)
        else:
            self._chain(delta, z, a)


class LeakyReLU(Activation):
    """Leaky ReLU f(z) = z for z > 0, else `negative_slope` * z.

    Parameters
    ----------
    negative_slope : float, default=0.01
        Slope for z < 0, in [0, 1].
    """

    _parameter_constraints = {"negative_slope": [Interval(Real, 0, 1, closed="both")]}
    zero_at_origin = True
    range = (-np.inf, np.inf)
    slope, curvature, product = 1.0, 0.0, 0.0
    _forgets_z = True

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def __call__(self, z: Array) -> Array:
        return namespace(z).maximum(z, float(self.negative_slope) * z)

    def derivative(self, z: Array, a: Array) -> Array:
        slope = scalar_like(a, self.negative_slope)
        return namespace(a).where(a > 0, scalar_like(a, 1), slope)

    def _apply(self, z: Array, out: Array) -> Array:
        return np.maximum(z, float(self.negative_slope) * z, out=out)


class ELU(Activation):
    """Exponential linear unit f(z) = z for z > 0, else `alpha` * (exp(z) - 1) [1]_.

    Parameters
    ----------
    alpha : float, default=1.0
        Scale for z < 0; f approaches -`alpha` as z goes to minus infinity. Positive.

    References
    ----------
    .. [1] D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning
       by exponential linear units (ELUs)", ICLR 2016.
    """

    _parameter_constraints = {"alpha": [Interval(Real, 0, None, closed="neither")]}
    zero_at_origin = True
    _forgets_z = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @property
    def range(self) -> tuple[float, float]:
        return (-self.alpha, np.inf)

    @property
    def slope(self) -> float:
        return max(1.0, self.alpha)

    @property
    def curvature(self) -> float:
        return self.alpha

    @property
    def product(self) -> float:
        return self.alpha**2 / 4

    def __call__(self, z: Array) -> Array:
        xp, zero = namespace(z), scalar_like(z, 0)
        return xp.maximum(z, zero) + float(self.alpha) * xp.expm1(xp.minimum(z, zero))

    def derivative(self, z: Array, a: Array) -> Array:
        return namespace(a).where(a > 0, scalar_like(a, 1), a + float(self.alpha))

    def _apply(self, z: Array, out: Array) -> Array:
        below = np.minimum(z, z.dtype.type(0))
        np.expm1(below, out=below)
        below *= float(self.alpha)
        return np.add(np.maximum(z, z.dtype.type(0)), below, out=out)


class Softplus(Activation):
    """Softplus f(z) = log(1 + exp(z)), a smooth ReLU whose derivative is the sigmoid."""

    zero_at_origin = False
    range = (0.0, np.inf)
    slope, curvature, product = 1.0, 0.25, 0.2603462

    def __call__(self, z: Array) -> Array:
        return namespace(z).logaddexp(z, scalar_like(z, 0))

    def derivative(self, z: Array, a: Array) -> Array:
        return _logistic(z)

    def _apply(self, z: Array, out: Array) -> Array:
        return np.logaddexp(z, z.dtype.type(0), out=out)


class SiLU(Activation):
    """Sigmoid linear unit f(z) = z * sigmoid(z), also called swish [1]_.

    References
    ----------
    .. [1] S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units for neural network
       function approximation in reinforcement learning", Neural Networks 107 (2018).
    """

    zero_at_origin = True
    range = (-0.2784646, np.inf)
    slope, curvature, product = 1.0998394, 0.5, 0.2241743

    def __call__(self, z: Array) -> Array:
        return z * _logistic(z)

    def derivative(self, z: Array, a: Array) -> Array:
        s = _logistic(z)
        return s * (1 + z * (1 - s))

    def _apply(self, z: Array, out: Array) -> Array:
        return np.multiply(z, expit(z), out=out)


class GELU(Activation):
    """Gaussian error linear unit f(z) = z * Phi(z), in the exact form [1]_.

    Phi is the cumulative distribution function of the standard normal distribution.

    References
    ----------
    .. [1] D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415.
    """

    zero_at_origin = True
    range = (-0.1699713, np.inf)
    slope, curvature, product = 1.1289042, 0.7978846, 0.2511987

    def __call__(self, z: Array) -> Array:
        return z * self._phi(z)

    def derivative(self, z: Array, a: Array) -> Array:
        density = namespace(z).exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
        return self._phi(z) + z * density

    def _phi(self, z: Array) -> Array:
        """Return Phi(z)."""
        return 0.5 * (1 + _error_function(z * math.sqrt(0.5)))

    def _apply(self, z: Array, out: Array) -> Array:
        return np.multiply(z, self._phi(z), out=out)


class Exp(Activation):
    """Exponential function f(z) = exp(z), positive: the link of the Poisson loss."""

    zero_at_origin = False
    range = (0.0, np.inf)
    _forgets_z = True

    def __call__(self, z: Array) -> Array:
        return namespace(z).exp(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return +a

    def _apply(self, z: Array, out: Array) -> Array:
        return np.exp(z, out=out)


class Softmax(Activation):
    """Softmax of each row, exp(z) over its sum; for a single column, the sigmoid.

    It is the link of the log loss. It is not elementwise, and therefore no activation of a layer.
    """

    differentiable = False
    zero_at_origin = False
    range = (0.0, 1.0)

    def __call__(self, z: Array) -> Array:
        if z.shape[1] == 1:
            return _logistic(z)
        xp = namespace(z)
        exps = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        return exps / xp.sum(exps, axis=1, keepdims=True)

    def derivative(self, z: Array, a: Array) -> Array:
        raise NotImplementedError("the softmax is not elementwise")


_BUILT_IN: dict[str, type[Activation]] = {
    "identity": Identity,
    "step": Step,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "softplus": Softplus,
    "silu": SiLU,
    "gelu": GELU,
}
for _kind in (*_BUILT_IN.values(), Exp, FunctionPair, Softmax):
    storable(_kind)


def as_activation(
    spec: object,
    *,
    parameter: str = "activation",
    also: str = "",
    refused: Collection[str] = (),
) -> Activation:
    """Return a new activation for a name, an instance or a pair of callables.

    Parameters
    ----------
    spec : str, Activation or tuple of two callables
        Name, instance, or pair (f, df) of a function and its derivative.
    parameter : str, default="activation"
        Name of the parameter, for error messages.
    also : str, default=""
        Further accepted values, for error messages.
    refused : collection of str, default=()
        Names that error messages do not offer.

    Returns
    -------
    activation : Activation
        New instance; a clone if `spec` is an instance.

    Raises
    ------
    ValueError, TypeError
        If `spec` is invalid; the message names `parameter` and the accepted values.

    Examples
    --------
    >>> from sklearn_gd.activations import as_activation
    >>> as_activation("leaky_relu")
    LeakyReLU()
    """
    is_pair = isinstance(spec, tuple) and len(spec) == 2 and all(map(callable, spec))
    if is_pair and not any(isinstance(f, Activation) for f in spec):  # type: ignore[attr-defined]
        spec = FunctionPair(*spec)  # type: ignore[misc]
    pair = ", or a pair (f, df) of callables, df(z) the derivative of f(z)"
    return resolve(spec, Activation, _BUILT_IN, parameter, pair + also, refused)
