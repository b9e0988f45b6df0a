"""The epochs of a fit as tasks of scikit-learn's callbacks.

The one place that knows `sklearn.callback`, which came with scikit-learn 1.9 and may change; with
an older scikit-learn the estimators do without.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import BaseEstimator

from sklearn_gd._pieces import ArrayLike
from sklearn_gd._training.learner import Learner, State

F = TypeVar("F", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's, which is not there."""

    def _with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "FitTasks",
    "state_to_resume",
    "with_callbacks",
    "with_recorder",
]

# A progress bar sums over all tasks at the end of each, beside the fit and holding it up: longer
# fits than `_LONG` report groups of epochs, so many in all.
_LONG, _GROUPS = 1000, 400


def with_callbacks(method: F) -> F:
    """Return the fitting method as scikit-learn's decorator of the name makes it."""
    managed: F = _with_callbacks(method)
    return managed


class Recorder:
    """A callback that is called with the fitted attributes before the first epoch and after each.

    It works with every scikit-learn, whether it has callbacks or not.

    Parameters
    ----------
    record_attributes : callable
        Takes a dict of fitted attributes.
    """

    def __init__(self, record_attributes: Callable[[State], None]) -> None:
        self.record_attributes = record_attributes

    def setup(self, estimator: object, context: object) -> None:
        """Nothing to prepare."""

    def on_fit_task_begin(self, estimator: object, context: object) -> None:
        """Nothing: ``record_attributes`` is called by the fit itself."""

    def on_fit_task_end(self, estimator: object, context: object) -> None:
        """Nothing, too."""

    def teardown(self, estimator: object, context: object) -> None:
        """Nothing to clean up."""


def with_recorder(estimator: BaseEstimator, record_attributes: Callable[[State], None]) -> None:
    """Have the estimator's next fits call a function with the attributes of each epoch."""
    vars(estimator)["_skl_callbacks"] = [Recorder(record_attributes)]


def state_to_resume(estimator: BaseEstimator) -> State | None:
    """Return the state that a fit is to go on from, which a callback holds; None for a new fit."""
    states = [getattr(each, "state_to_resume", None) for each in _callbacks_of(estimator)]
    return next((state for state in states if state is not None), None)


def keeps_state(estimator: BaseEstimator) -> bool:
    """Return whether one of the estimator's callbacks keeps the state of the fit."""
    return any(hasattr(callback, "keep_state") for callback in _callbacks_of(estimator))


def _callbacks_of(estimator: BaseEstimator) -> list[Any]:
    return list(getattr(estimator, "_skl_callbacks", None) or ())


class FitTasks:
    """One fit and, below it, one task per epoch, or for each of so many epochs.

    Parameters
    ----------
    estimator : Estimator
        The one being fitted.
    learner : Learner
        What it trains.
    X, y, sample_weight : object or callable
        What the epochs train on, as it was given to ``fit``; a callable returns it when called.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        learner: Learner,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
    ) -> None:
        callbacks = _callbacks_of(estimator)
        self.active = bool(callbacks)
        if not callbacks:
            return
        self._estimator, self._learner = estimator, learner
        self._recorders = [c for c in callbacks if hasattr(c, "record_attributes")]
        self._keepers = [c for c in callbacks if hasattr(c, "keep_state")]
        self._record()
        max_iter = estimator.max_iter
        self._stride = 1 if max_iter <= _LONG else math.ceil(max_iter / _GROUPS)
        metadata: Any = None
        if callable(sample_weight):
            metadata = lambda: {"sample_weight": sample_weight()}  # noqa: E731
        elif sample_weight is not None:
            metadata = {"sample_weight": sample_weight}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._open: Any = None
        self._epochs = 0
        self._fit: Any = None
        if hasattr(estimator, "_init_callback_context"):  # scikit-learn >= 1.9
            n_tasks = math.ceil(max_iter / self._stride)
            self._fit = estimator._init_callback_context(max_subtasks=n_tasks)
            self._fit.call_on_fit_task_begin(**self._given)

    def begin(self) -> None:
        """Tell the callbacks that an epoch begins."""
        if self._fit is not None and self._open is None:
            self._open = self._fit.subcontext(task_name="epoch")
            self._open.call_on_fit_task_begin(**self._given)

    def end(self, state: Callable[[], State]) -> bool:
        """Tell the callbacks that an epoch ended; return whether one of them ends the fit.

        Parameters
        ----------
        state : callable
            Returns all that is needed to go on from here, in copies; for callbacks with a method
            ``keep_state(epochs, state)``, which is called after every epoch.
        """
        self._record()
        self._epochs += 1
        for keeper in self._keepers:
            keeper.keep_state(self._epochs, state)
        if self._fit is None or self._epochs % self._stride:
            return False
        self.begin()
        return self._end_task(self._attributes)

    def close(self) -> None:
        """Tell the callbacks that the fit is over: the estimator has its fitted attributes."""
        if self.active and self._fit is not None:
            if self._open is not None:
                self._end_task(dict)
            self._fit.call_on_fit_task_end(**self._given, reconstruction_attributes={})

    def _attributes(self) -> State:
        """Return the fitted attributes as of now, in copies."""
        attributes: State = self._estimator._attributes_of(self._learner.weights())
        return attributes

    def _record(self) -> None:
        for recorder in self._recorders:
            recorder.record_attributes(self._attributes())

    def _end_task(self, attributes: Callable[[], State]) -> bool:
        task, self._open = self._open, None
        return bool(task.call_on_fit_task_end(**self._given, reconstruction_attributes=attributes))
