"""Losses: functions of targets and predictions.

A loss computes its value and its gradient with respect to the prediction; estimators average over
samples and outputs. Most are elementwise. Those with a link (``"log_loss"``, ``"poisson"``) are
functions of the raw outputs of a network, which the link turns into predictions. Estimators take a
name (``"huber"``) or an instance (``Huber(delta=2.0)``).

A custom loss derives from :class:`Loss` and has two methods:

>>> import numpy as np
>>> from sklearn_gd import ThroughOriginRegressor
>>> from sklearn_gd.losses import Loss
>>> class Cauchy(Loss):
...     curvature = 1.0
...     def value(self, y_true, y_pred):
...         return 0.5 * np.log1p((y_pred - y_true) ** 2)
...     def gradient(self, y_true, y_pred):
...         error = y_pred - y_true
...         return error / (1 + error**2)
>>> from sklearn_gd.testing import check_loss
>>> check_loss(Cauchy())
>>> X = np.array([[1.0], [2.0], [3.0], [4.0]])
>>> y = np.array([2.0, 4.0, 6.0, 80.0])
>>> ThroughOriginRegressor(loss=Cauchy()).fit(X, y).coef_.round(1)
array([2.])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from scipy.special import entr
from sklearn.utils._param_validation import Interval

from sklearn_gd._pieces import Array, Piece, namespace, resolve, scalar_like, storable
from sklearn_gd.activations import Activation, Exp, Sigmoid, Softmax, _logistic

__all__ = [
    "AbsoluteError",
    "BinaryLogLoss",
    "Huber",
    "LogCosh",
    "LogLoss",
    "Loss",
    "Pinball",
    "Poisson",
    "SquaredError",
    "as_loss",
]


class Loss(Piece):
    """Base of all losses.

    A custom loss defines ``value(y_true, y_pred)`` and ``gradient(y_true, y_pred)``. To support
    arrays of libraries other than NumPy, they use functions of the array API standard.

    Attributes
    ----------
    curvature : float or None
        Upper bound of the second derivative with respect to y_pred. None if there is no bound, or
        the loss has a kink; the automatic learning rate is then rejected.
    link : Activation or None
        Function from the raw outputs of a network to predictions, of a loss that is defined on raw
        outputs: these are what `value` and `gradient` get as y_pred. The output activation is then
        the identity. None: the loss is defined on predictions.
    sums_outputs : bool
        Whether the loss of a sample is the sum over its outputs, not the mean. The elements of
        `value` may then depend on all outputs of the sample, and those of `gradient` are the
        derivatives of their sum.
    lowest_target : float
        Smallest target that is accepted.
    """

    _needed = {"value": "value(y_true, y_pred)", "gradient": "gradient(y_true, y_pred)"}
    curvature: float | None = None
    link: Activation | None = None
    sums_outputs = False
    lowest_target = -math.inf
    # Quantiles of one target, each with an output; none: one output per target.
    _levels: tuple[float, ...] = ()

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__ != __name__ and cls.__dict__.keys() & {"value", "gradient"}:
            # Shortcuts and bounds of a built-in class do not hold for a changed function.
            for name in ("_value_and_gradient", "_best_constant", "_baseline", "curvature"):
                if name not in cls.__dict__:
                    setattr(cls, name, Loss.__dict__[name])

    def value(self, y_true: Array, y_pred: Array) -> Array:
        """Return the loss of each element, with the inputs' shape and dtype."""
        raise NotImplementedError("a loss defines value(y_true, y_pred)")

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        """Return the derivative of `value` with respect to y_pred, for each element."""
        raise NotImplementedError("a loss defines gradient(y_true, y_pred)")

    def _value_and_gradient(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return self.value(y_true, y_pred), self.gradient(y_true, y_pred)

    def _over_independent_outputs(self) -> Loss:
        """Return the loss for outputs that do not exclude each other."""
        return self

    def _divisor(self, n_outputs: int) -> int:
        """Return the number that the values of a sample, summed, are divided by."""
        return 1 if self.sums_outputs else n_outputs

    def _best_constant(self, y_true: Array, weights: Array | None) -> Array:
        """Return, for each column of `y_true`, the constant with the smallest mean loss."""
        from scipy.optimize import minimize_scalar

        low, high = y_true.min(axis=0), y_true.max(axis=0)
        best = low.astype(np.float64)
        for j in np.flatnonzero(high > low):
            start, width, column = float(low[j]), float(high[j]) - float(low[j]), y_true[:, j]

            # Searched on [0, 1], since the tolerance of the search is absolute.
            def mean_loss(t: float, start: float = start, width: float = width) -> float:
                constant = np.full_like(column, start + t * width)  # noqa: B023
                values = self.value(column, constant)  # noqa: B023
                return float(np.average(values.astype(np.float64), weights=weights))

            best[j] = start + width * minimize_scalar(mean_loss, bounds=(0, 1)).x
        return best

    def _baseline(self, y_true: Array, weights: Array | None) -> float:
        """Return the mean loss of the best constant prediction; `tol` is relative to it."""
        with np.errstate(all="ignore"):
            best_constant = self._best_constant(y_true, weights)
            constant = np.broadcast_to(best_constant, (len(y_true), len(best_constant)))
            best = self._mean(y_true, constant.astype(y_true.dtype), weights)
            zero = self._mean(y_true, np.zeros(constant.shape, y_true.dtype), weights)
            return self._unless_rounding(best, zero, np.abs(y_true).max(keepdims=True))

    def _unless_rounding(self, constant: float, zero: float, largest: Array) -> float:
        """Return the loss of the best constant, or of predicting 0 if that is rounding error.

        Parameters
        ----------
        constant, zero : float
            Mean losses of the best constant and of 0.
        largest : ndarray of shape (1, 1)
            Largest absolute value of the targets, in their precision.
        """
        error = largest * (1 + 8 * np.finfo(largest.dtype).eps)
        return constant if constant > float(self.value(largest, error).max()) else zero

    def _mean(self, y_true: Array, y_pred: Array, weights: Array | None) -> float:
        rows = self.value(y_true, y_pred).sum(axis=1, dtype=np.float64)
        rows /= self._divisor(y_pred.shape[1])
        return float(np.average(rows, weights=weights))

    def _probe(self) -> None:
        if self.curvature is not None and not 0 <= self.curvature < np.inf:
            raise ValueError(
                f"curvature must be None or a finite number >= 0. Got {self.curvature!r}."
            )
        y_true, y_pred = np.array([[0.2, 0.4], [0.6, 0.8]]), np.array([[0.3, 0.1], [0.6, 0.9]])
        given = y_true.copy(), y_pred.copy()
        with np.errstate(all="ignore"):
            results = {
                "value(y_true, y_pred)": self.value(*given),
                "gradient(y_true, y_pred)": self.gradient(*given),
            }
        if not np.array_equal(given, (y_true, y_pred)):
            raise ValueError(
                "value(y_true, y_pred) and gradient(y_true, y_pred) must not write to their "
                "arguments, which are used again."
            )
        for method, result in results.items():
            if not hasattr(result, "shape"):
                raise ValueError(
                    f"{method} must return an array, of one number per element. Got {result!r}."
                )
            if np.shape(result) != y_true.shape:
                raise ValueError(
                    f"{method} must return one number per element, not averaged; for shape "
                    f"{y_true.shape} it returned {np.shape(result)}."
                )


class SquaredError(Loss):
    """Squared error (y_pred - y_true)², without the factor 1/2: its mean is the MSE."""

    curvature = 2.0

    def value(self, y_true: Array, y_pred: Array) -> Array:
        return namespace(y_pred).square(y_pred - y_true)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return 2 * (y_pred - y_true)

    def _value_and_gradient(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        return error * error, error + error

    def _best_constant(self, y_true: Array, weights: Array | None) -> Array:
        mean = np.average(y_true.astype(np.float64), axis=0, weights=weights)
        # Of equal targets it is exactly that, which rounding would miss.
        return np.clip(mean, y_true.min(axis=0), y_true.max(axis=0))


class AbsoluteError(Loss):
    """Absolute error abs(y_pred - y_true), which fits the median. Its gradient at 0 is 0."""

    def value(self, y_true: Array, y_pred: Array) -> Array:
        return namespace(y_pred).abs(y_pred - y_true)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return namespace(y_pred).sign(y_pred - y_true)

    def _best_constant(self, y_true: Array, weights: Array | None) -> Array:
        return _quantiles(y_true, weights, (0.5,))[0]


class Huber(Loss):
    """Huber loss: half the squared error up to `delta`, and linear above (Huber 1964).

    Parameters
    ----------
    delta : float, default=1.0
        Size of error above which the loss is linear, in the units of y; positive.
    """

    _parameter_constraints = {"delta": [Interval(Real, 0, None, closed="neither")]}
    curvature = 1.0

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def value(self, y_true: Array, y_pred: Array) -> Array:
        xp = namespace(y_pred)
        error = xp.abs(y_pred - y_true)
        near = xp.minimum(error, scalar_like(error, self.delta))
        return near * (error - near / 2)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        delta = float(self.delta)
        return namespace(y_pred).clip(y_pred - y_true, -delta, delta)


class Pinball(Loss):
    """Pinball loss, which fits a quantile (Koenker & Bassett 1978).

    It is `quantile` times the error if the prediction is too low, and (1 - `quantile`) times the
    error if it is too high. Its mean is smallest at the quantile of y.

    With several quantiles, :class:`sklearn_gd.FeedForwardRegressor` predicts a column for each.

    Parameters
    ----------
    quantile : float or sequence of float, default=0.5
        Quantile to fit, in (0, 1); or several, in increasing order.
    """

    _parameter_constraints = {"quantile": ["array-like", Interval(Real, 0, 1, closed="neither")]}

    def __init__(self, quantile: float | Sequence[float] = 0.5) -> None:
        self.quantile = quantile

    @property
    def _levels(self) -> tuple[float, ...]:  # type: ignore[override]
        given: Any = self.quantile
        return () if isinstance(given, Real) else tuple(map(float, given))

    def _check_hyperparameters(self) -> None:
        super()._check_hyperparameters()
        if isinstance(self.quantile, Real):
            return
        try:
            ends = 0.0, *self._levels, 1.0
        except (TypeError, ValueError):
            ends = ()
        if len(ends) < 3 or not all(low < high for low, high in pairwise(ends)):
            raise ValueError(
                "The 'quantile' parameter of Pinball must be a number in (0, 1), or several in "
                f"increasing order. Got {self.quantile!r} instead."
            )

    def value(self, y_true: Array, y_pred: Array) -> Array:
        error = y_true - y_pred
        low, high = self._slopes(error)
        return namespace(error).maximum(-low * error, -high * error)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        error = y_true - y_pred
        low, high = self._slopes(error)
        where, zero = namespace(error).where, scalar_like(error, 0)
        return where(error > 0, low, where(error < 0, high, zero))

    def _slopes(self, error: Array) -> tuple[Array, Array]:
        """Return the slopes of too low and too high predictions, for each level, like errors."""
        given: Any = self.quantile
        if not self._levels:
            return scalar_like(error, -float(given)), scalar_like(error, 1 - float(given))
        low = [-level for level in self._levels]
        high = [1 - level for level in self._levels]
        if isinstance(error, np.ndarray):
            return np.asarray(low, error.dtype), np.asarray(high, error.dtype)
        xp, like = namespace(error), {"dtype": error.dtype, "device": error.device}
        return xp.asarray(low, **like), xp.asarray(high, **like)

    def _best_constant(self, y_true: Array, weights: Array | None) -> Array:
        if self._levels:
            return _quantiles(y_true, weights, self._levels)[:, 0]
        return _quantiles(y_true, weights, (float(self.quantile),))[0]  # type: ignore[arg-type]


class LogCosh(Loss):
    """Loss log(cosh(y_pred - y_true)): about quadratic for small errors, linear for large."""

    curvature = 1.0

    def value(self, y_true: Array, y_pred: Array) -> Array:
        # log(cosh(e)) = |e| + log(1 + exp(-2|e|)) - log 2, which cannot overflow. For small e
        # these terms cancel; there log(1 + 2 sinh(e/2)²), which is equal, is accurate.
        xp = namespace(y_pred)
        error = xp.abs(y_pred - y_true)
        small = xp.log1p(2 * xp.square(xp.sinh(xp.minimum(error, scalar_like(error, 1)) / 2)))
        large = error + xp.log1p(xp.exp(-2 * error)) - math.log(2)
        return xp.where(error < 1, small, large)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return namespace(y_pred).tanh(y_pred - y_true)


# Smallest share of a class in the best constant, whose logits are finite without samples, too. It
# depends neither on the scale of the weights nor on whether they stand for repeated samples.
_LEAST_SHARE = 1e-3


class LogLoss(Loss):
    """Log loss, or cross entropy, of classes: -log of the probability of a sample's class.

    It is defined on logits, of shape (n_samples, n_outputs). Its link is the sigmoid for a single
    output, the logit of the second of two classes, and the softmax for several, one per class.
    Targets are 0 and 1, or probabilities. The loss of a sample is the sum over its outputs, as in
    :func:`sklearn.metrics.log_loss`.
    """

    curvature = 0.5
    link = Softmax()
    sums_outputs = True
    lowest_target = 0.0

    def value(self, y_true: Array, y_pred: Array) -> Array:
        return self._of_logits(y_true, y_pred)[0]

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return self._of_logits(y_true, y_pred)[1]

    def _value_and_gradient(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return self._of_logits(y_true, y_pred)

    def _of_logits(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        if y_pred.ndim == 1 or y_pred.shape[1] == 1:
            return _binary_log_loss(y_true, y_pred)
        xp = namespace(y_pred)
        logits = y_pred - xp.max(y_pred, axis=1, keepdims=True)
        exps = xp.exp(logits)
        totals = xp.sum(exps, axis=1, keepdims=True)
        weights = xp.sum(y_true, axis=1, keepdims=True)
        return y_true * (xp.log(totals) - logits), exps * (weights / totals) - y_true

    def _over_independent_outputs(self) -> Loss:
        return BinaryLogLoss()

    def _best_constant(self, y_true: Array, weights: Array | None) -> Array:
        return self._constant_of(np.average(y_true.astype(np.float64), axis=0, weights=weights))

    def _constant_of(self, shares: Array) -> Array:
        """Return the best constant for given shares of the classes."""
        return self._logits(shares.clip(_LEAST_SHARE, 1 - _LEAST_SHARE))

    def _logits(self, shares: Array) -> Array:
        if len(shares) == 1:
            return np.log(shares) - np.log1p(-shares)
        logits = np.log(shares)
        return np.asarray(logits - logits.mean())

    def _baseline(self, y_true: Array, weights: Array | None) -> float:
        """Return the entropy of the class shares."""
        return self._baseline_of(np.average(y_true.astype(np.float64), axis=0, weights=weights))

    def _baseline_of(self, shares: Array) -> float:
        if len(shares) == 1:
            shares = np.append(shares, 1 - shares)
        return float(entr(shares).sum())


class BinaryLogLoss(LogLoss):
    """Log loss of outputs that do not exclude each other: one sigmoid each, summed.

    ``"log_loss"`` becomes this loss for label indicators and for one neuron per class. Given to a
    network for more than two classes, it trains each class against the rest.
    """

    curvature = 0.25
    link = Sigmoid()

    def _of_logits(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return _binary_log_loss(y_true, y_pred)

    def _logits(self, shares: Array) -> Array:
        return np.asarray(np.log(shares) - np.log1p(-shares))

    def _baseline(self, y_true: Array, weights: Array | None) -> float:
        shares = np.average(y_true.astype(np.float64), axis=0, weights=weights)
        return float((entr(shares) + entr(1 - shares)).sum())


def _binary_log_loss(y_true: Array, z: Array) -> tuple[Array, Array]:
    """Return log(1 + exp(z)) - y z, without overflow, and its derivative."""
    xp = namespace(z)
    value = xp.maximum(z, scalar_like(z, 0)) - z * y_true + xp.log1p(xp.exp(-xp.abs(z)))
    return value, _logistic(z) - y_true


class Poisson(Loss):
    """Half the Poisson deviance, y log(y / m) - y + m, of counts and rates y >= 0 with mean m.

    It is defined on the logarithm of m, which its link, the exponential function, turns into m.
    """

    link = Exp()
    lowest_target = 0.0

    def value(self, y_true: Array, y_pred: Array) -> Array:
        xp = namespace(y_pred)
        positive = xp.where(y_true > 0, y_true, scalar_like(y_true, 1))
        return xp.exp(y_pred) - y_true * y_pred + y_true * (xp.log(positive) - 1)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return namespace(y_pred).exp(y_pred) - y_true

    def _best_constant(self, y_true: Array, weights: Array | None) -> Array:
        mean = np.average(y_true.astype(np.float64), axis=0, weights=weights)
        # Without counts it would be log(0); its exponential is as good as 0.
        return np.log(np.where(mean > 0, mean, math.exp(-100.0)))

    def _unless_rounding(self, constant: float, zero: float, largest: Array) -> float:
        # The terms of the deviance, up to y log(y), cancel.
        size = float(largest[0, 0]) + 1.0
        rounding = 16 * float(np.finfo(largest.dtype).eps) * size * (1.0 + math.log(size))
        return constant if constant > rounding else zero


def _quantiles(values: Array, weights: Array | None, levels: tuple[float, ...]) -> Array:
    """Return quantiles of each column, by the inverse of the weighted distribution function.

    Each is the smallest value at which the share of the weight up to it reaches the level.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
    weights : ndarray of shape (n_samples,) or None
    levels : tuple of float

    Returns
    -------
    quantiles : ndarray of shape (n_levels, n_columns)
    """
    if weights is None:
        # NumPy's quantiles are rounded in some releases; these are values, to the last bit.
        n_samples = len(values)
        numbers = [max(math.ceil(level * (1 - 1e-12) * n_samples) - 1, 0) for level in levels]
        return np.asarray(np.partition(values, sorted(set(numbers)), axis=0)[numbers])
    order = np.argsort(values, axis=0)
    shares = np.cumsum(weights[order], axis=0)
    # Rounding errors of sums must not decide between a value and the next.
    below = [(shares < level * (1 - 1e-12) * shares[-1]).sum(axis=0) for level in levels]
    rows = np.take_along_axis(order, np.array(below), axis=0)
    return np.take_along_axis(values, rows, axis=0)


_BUILT_IN: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "pinball": Pinball,
    "log_cosh": LogCosh,
    "log_loss": LogLoss,
    "poisson": Poisson,
}
for _kind in (*_BUILT_IN.values(), BinaryLogLoss):
    storable(_kind)


def as_loss(spec: object, *, parameter: str = "loss", several_quantiles: bool = False) -> Loss:
    """Return a new loss for a name or an instance.

    Parameters
    ----------
    spec : str or Loss
        Name or instance.
    parameter : str, default="loss"
        Name of the parameter, for error messages.
    several_quantiles : bool, default=False
        Whether a loss of several quantiles is accepted.

    Returns
    -------
    loss : Loss
        New instance; a clone if `spec` is an instance.

    Raises
    ------
    ValueError, TypeError
        If `spec` is invalid; the message names `parameter` and the accepted values.

    Examples
    --------
    >>> from sklearn_gd.losses import as_loss
    >>> as_loss("pinball")
    Pinball()
    """
    loss = resolve(spec, Loss, _BUILT_IN, parameter)
    if loss._levels and not several_quantiles:
        raise ValueError(
            f"Several quantiles are for FeedForwardRegressor; give one. Got {parameter}={loss!r}."
        )
    return loss
