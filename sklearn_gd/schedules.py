"""Schedules: the learning rate as a function of the epoch.

A schedule maps the epoch, counted from 0, to the rate of all steps of that epoch. Estimators take
a float (the same as ``Constant(rate)``), a name (``"cosine"``) or an instance
(``Exponential(0.1, decay=0.95)``).

A custom schedule derives from :class:`Schedule` and has one method. It is a class, not a closure,
so that it can be pickled, cloned and tuned by a search (``learning_rate__decay``):

>>> from sklearn_gd import FeedForwardRegressor
>>> from sklearn_gd.schedules import Schedule
>>> class Triangle(Schedule):
...     def __init__(self, low=0.001, high=0.01, period=10):
...         self.low = low
...         self.high = high
...         self.period = period
...     def rate(self, epoch):
...         up = 1 - abs(2 * (epoch % self.period) / self.period - 1)
...         return self.low + (self.high - self.low) * up
>>> Triangle(high=0.5).rate(5)
0.5
>>> from sklearn_gd.testing import check_schedule
>>> check_schedule(Triangle())
>>> net = FeedForwardRegressor(learning_rate=Triangle(), max_iter=4, tol=None)
>>> net.fit([[0.0], [1.0]], [0.0, 1.0]).n_iter_
4
"""

from __future__ import annotations

import math
from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from sklearn_gd._pieces import Piece, resolve, storable

__all__ = [
    "Adaptive",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "Schedule",
    "StepDecay",
    "as_schedule",
]

_POSITIVE = [Interval(Real, 0, None, closed="neither")]
_NON_NEGATIVE = [Interval(Real, 0, None, closed="left")]
_FACTOR = [Interval(Real, 0, 1, closed="right")]
_COUNT = [Interval(Integral, 1, None, closed="left")]


class Schedule(Piece):
    """Base of all schedules. A custom schedule defines ``rate(epoch)``."""

    _needed = {"rate": "rate(epoch)"}

    def rate(self, epoch: int) -> float:
        """Return the learning rate of `epoch`, counted from 0."""
        raise NotImplementedError("a schedule defines rate(epoch)")

    def observe(self, improved: bool) -> None:
        """Update the schedule after each epoch, which improved the loss or not.

        By default, nothing is updated.
        """

    def _is_over(self, epoch: int) -> bool:
        """Return whether the rate is zero from `epoch` on, so that more epochs change nothing."""
        return False

    def _probe(self) -> None:
        rate = self.rate(0)
        if not (isinstance(rate, Real) and math.isfinite(rate) and rate >= 0):
            raise ValueError(f"rate(epoch) must return a finite number >= 0. Got {rate!r}.")


class Constant(Schedule):
    """Constant rate.

    Parameters
    ----------
    initial_rate : float, default=0.001
        Learning rate of every epoch; positive.
    """

    _parameter_constraints = {"initial_rate": _POSITIVE}

    def __init__(self, initial_rate: float = 0.001) -> None:
        self.initial_rate = initial_rate

    def rate(self, epoch: int) -> float:
        return self.initial_rate


class InverseScaling(Schedule):
    """Inverse scaling, initial_rate / (1 + epoch) ** power.

    Parameters
    ----------
    initial_rate : float, default=0.001
        Learning rate of the first epoch; positive.
    power : float, default=0.5
        Exponent of the decay; at least 0.
    """

    _parameter_constraints = {"initial_rate": _POSITIVE, "power": _NON_NEGATIVE}

    def __init__(self, initial_rate: float = 0.001, power: float = 0.5) -> None:
        self.initial_rate = initial_rate
        self.power = power

    def rate(self, epoch: int) -> float:
        return _divided(self.initial_rate, 1 + epoch, self.power)


class Exponential(Schedule):
    """Exponential decay, initial_rate * decay ** epoch.

    Parameters
    ----------
    initial_rate : float, default=0.001
        Learning rate of the first epoch; positive.
    decay : float, default=0.99
        Factor by which the rate is multiplied after each epoch, in (0, 1].
    """

    _parameter_constraints = {"initial_rate": _POSITIVE, "decay": _FACTOR}

    def __init__(self, initial_rate: float = 0.001, decay: float = 0.99) -> None:
        self.initial_rate = initial_rate
        self.decay = decay

    def rate(self, epoch: int) -> float:
        return self.initial_rate * self.decay**epoch


class StepDecay(Schedule):
    """Step decay, initial_rate * factor ** (epoch // every).

    Parameters
    ----------
    initial_rate : float, default=0.001
        Learning rate of the first `every` epochs; positive.
    factor : float, default=0.5
        Factor by which the rate is multiplied after every `every` epochs, in (0, 1].
    every : int, default=50
        Number of epochs with the same rate.
    """

    _parameter_constraints = {"initial_rate": _POSITIVE, "factor": _FACTOR, "every": _COUNT}

    def __init__(self, initial_rate: float = 0.001, factor: float = 0.5, every: int = 50) -> None:
        self.initial_rate = initial_rate
        self.factor = factor
        self.every = every

    def rate(self, epoch: int) -> float:
        return self.initial_rate * self.factor ** (epoch // self.every)


class Cosine(Schedule):
    """Linear warm-up, then cosine annealing to `final_rate` [1]_.

    Parameters
    ----------
    initial_rate : float, default=0.001
        Learning rate after the warm-up, the highest; positive.
    epochs : int, default=200
        Number of epochs of warm-up and annealing; after them the rate stays `final_rate`.
    warm_up : int, default=0
        Number of epochs of the warm-up; epoch i has (i + 1) / (warm_up + 1) of the rate.
    final_rate : float, default=0.0
        Learning rate at the end of the annealing; at least 0.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
       ICLR 2017.
    """

    _parameter_constraints = {
        "initial_rate": _POSITIVE,
        "epochs": _COUNT,
        "warm_up": [Interval(Integral, 0, None, closed="left")],
        "final_rate": _NON_NEGATIVE,
    }

    def __init__(
        self,
        initial_rate: float = 0.001,
        epochs: int = 200,
        warm_up: int = 0,
        final_rate: float = 0.0,
    ) -> None:
        self.initial_rate = initial_rate
        self.epochs = epochs
        self.warm_up = warm_up
        self.final_rate = final_rate

    def rate(self, epoch: int) -> float:
        if epoch < self.warm_up:
            return self.initial_rate * (epoch + 1) / (self.warm_up + 1)
        progress = min(1.0, (epoch - self.warm_up) / max(1, self.epochs - self.warm_up))
        factor = (1 + math.cos(math.pi * progress)) / 2
        return self.final_rate + (self.initial_rate - self.final_rate) * factor

    def _is_over(self, epoch: int) -> bool:
        return self.final_rate == 0 and epoch >= self.epochs


class Adaptive(Schedule):
    """Adaptive rate, divided when the loss stops improving.

    `patience` should be less than the estimator's `n_iter_no_change`, after which the fit ends.

    Parameters
    ----------
    initial_rate : float, default=0.001
        Learning rate of the first epoch; positive.
    divisor : float, default=5.0
        Number by which the rate is divided; greater than 1.
    patience : int, default=3
        Number of consecutive epochs without improvement after which the rate is divided.
    min_rate : float, default=0.0
        Lower bound of the rate; at least 0.

    Examples
    --------
    >>> from sklearn_gd.schedules import Adaptive
    >>> schedule = Adaptive(0.1, patience=2)
    >>> schedule.observe(False), schedule.observe(False)
    (None, None)
    >>> schedule.rate(2)
    0.02
    """

    _parameter_constraints = {
        "initial_rate": _POSITIVE,
        "divisor": [Interval(Real, 1, None, closed="neither")],
        "patience": _COUNT,
        "min_rate": _NON_NEGATIVE,
    }

    def __init__(
        self,
        initial_rate: float = 0.001,
        divisor: float = 5.0,
        patience: int = 3,
        min_rate: float = 0.0,
    ) -> None:
        self.initial_rate = initial_rate
        self.divisor = divisor
        self.patience = patience
        self.min_rate = min_rate

    def rate(self, epoch: int) -> float:
        reduced = _divided(self.initial_rate, self.divisor, getattr(self, "reductions_", 0))
        return max(self.min_rate, reduced)

    def observe(self, improved: bool) -> None:
        self.waited_ = 0 if improved else getattr(self, "waited_", 0) + 1
        if self.waited_ == self.patience:
            self.reductions_ = getattr(self, "reductions_", 0) + 1
            self.waited_ = 0


def _divided(rate: float, divisor: float, power: float) -> float:
    """Return rate / divisor ** power; 0 where that underflows."""
    try:
        return rate / divisor**power
    except OverflowError:
        return 0.0


_BUILT_IN: dict[str, type[Schedule]] = {
    "constant": Constant,
    "inverse_scaling": InverseScaling,
    "exponential": Exponential,
    "step_decay": StepDecay,
    "cosine": Cosine,
    "adaptive": Adaptive,
}
for _kind in _BUILT_IN.values():
    storable(_kind)


def as_schedule(spec: object, *, parameter: str = "learning_rate", also: str = "") -> Schedule:
    """Return a new schedule for a positive float, a name or an instance.

    Parameters
    ----------
    spec : float, str or Schedule
        Rate, name or instance; a float is a constant rate.
    parameter : str, default="learning_rate"
        Name of the parameter, for error messages.
    also : str, default=""
        Further accepted values, for error messages.

    Returns
    -------
    schedule : Schedule
        New instance; a clone if `spec` is an instance.

    Raises
    ------
    ValueError, TypeError
        If `spec` is invalid; the message names `parameter` and the accepted values.

    Examples
    --------
    >>> from sklearn_gd.schedules import as_schedule
    >>> as_schedule(0.1)
    Constant(initial_rate=0.1)
    """
    if isinstance(spec, Real) and not isinstance(spec, bool):
        if not 0 < float(spec) < math.inf:
            raise ValueError(
                f"The {parameter!r} parameter must be a positive, finite number{also}. "
                f"Got {spec!r} instead."
            )
        return Constant(float(spec))
    return resolve(spec, Schedule, _BUILT_IN, parameter, f", or a positive float{also}")
