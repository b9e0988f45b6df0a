"""The epochs of a fit as tasks of scikit-learn's callbacks.

Only this module uses `sklearn.callback`, which is new in scikit-learn 1.9 and may change; with an
older scikit-learn the estimators have no callbacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import BaseEstimator

from sklearn_gd._data.split import for_callbacks
from sklearn_gd._pieces import ArrayLike
from sklearn_gd._training.learner import Learner, State

F = TypeVar("F", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Placeholder for scikit-learn's mixin."""

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

# A progress bar sums over all tasks whenever one ends, which slows the fit: with more than `_LONG`
# epochs, at most `_GROUPS` groups of epochs are reported.
_LONG, _GROUPS = 1000, 400


def with_callbacks(method: F) -> F:
    """Return the fitting method as scikit-learn's decorator of the name makes it."""
    managed: F = _with_callbacks(method)
    return managed


class Recorder:
    """Callback that receives the fitted attributes before the first epoch and after each.

    It works with every version of scikit-learn, with callbacks or without.

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
        """Nothing: the fit calls ``record_attributes`` itself."""

    def on_fit_task_end(self, estimator: object, context: object) -> None:
        """Nothing: see ``on_fit_task_begin``."""

    def teardown(self, estimator: object, context: object) -> None:
        """Nothing to clean up."""


def with_recorder(estimator: BaseEstimator, record_attributes: Callable[[State], None]) -> None:
    """Make the next fits of an estimator call a function with the attributes of each epoch."""
    vars(estimator)["_skl_callbacks"] = [Recorder(record_attributes)]


def state_to_resume(
    estimator: BaseEstimator, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> State | None:
    """Return the state to resume from, which a callback holds; None for a new fit.

    Callbacks that keep the state get the data first, and refuse others than those of the state.
    """
    for callback in _callbacks_of(estimator):
        if hasattr(callback, "take_data"):
            callback.take_data(*for_callbacks(X, y, sample_weight))
    states = [getattr(each, "state_to_resume", None) for each in _callbacks_of(estimator)]
    return next((state for state in states if state is not None), None)


def keeps_state(estimator: BaseEstimator) -> bool:
    """Return whether one of the estimator's callbacks keeps the state of the fit."""
    return any(hasattr(callback, "keep_state") for callback in _callbacks_of(estimator))


def _callbacks_of(estimator: BaseEstimator) -> list[Any]:
    return list(getattr(estimator, "_skl_callbacks", None) or ())


class FitTasks:
    """The task of a fit, with one subtask per epoch or per group of epochs.

    Parameters
    ----------
    estimator : Estimator
        The one being fitted.
    learner : Learner
        The learner it trains.
    X, y, sample_weight : object or callable
        Training data, as given to ``fit``; or a callable that returns it.
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
        """Notify the callbacks of the start of an epoch."""
        if self._fit is not None and self._open is None:
            self._open = self._fit.subcontext(task_name="epoch")
            self._open.call_on_fit_task_begin(**self._given)

    def end(self, state: Callable[[], State]) -> bool:
        """Notify the callbacks of the end of an epoch; return whether one of them ends the fit.

        Parameters
        ----------
        state : callable
            Returns a copy of the state to resume from; for callbacks with a method
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
        """Notify the callbacks of the end of the fit, once the fitted attributes are set."""
        if self.active and self._fit is not None:
            if self._open is not None:
                self._end_task(dict)
            self._fit.call_on_fit_task_end(**self._given, reconstruction_attributes={})

    def _attributes(self) -> State:
        """Return copies of the current fitted attributes."""
        attributes: State = self._estimator._attributes_of(self._learner.weights())
        return attributes

    def _record(self) -> None:
        for recorder in self._recorders:
            recorder.record_attributes(self._attributes())

    def _end_task(self, attributes: Callable[[], State]) -> bool:
        task, self._open = self._open, None
        return bool(task.call_on_fit_task_end(**self._given, reconstruction_attributes=attributes))
