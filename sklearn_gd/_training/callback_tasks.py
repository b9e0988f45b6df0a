"""The epochs of a fit as tasks that scikit-learn's callbacks hear of.

The one place that knows `sklearn.callback`, which came with scikit-learn 1.9 and may change; with
an older scikit-learn the estimators do without.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

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


__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]

# A progress bar sums over all tasks at the end of each, beside the fit and holding it up: longer
# fits than `_LONG` report groups of epochs, so many in all.
_LONG, _GROUPS = 1000, 400


def with_callbacks(method: F) -> F:
    """Return the fitting method as scikit-learn's decorator of the name makes it."""
    managed: F = _with_callbacks(method)
    return managed


class FitTasks:
    """One fit and, below it, one task per epoch, or for each of so many epochs.

    Parameters
    ----------
    estimator : object
        The one being fitted.
    max_iter : int
        The largest number of epochs.
    X, y, sample_weight : object or callable
        What the epochs train on, as it was given to ``fit``; a callable returns it when asked for.

    Notes
    -----
    An estimator that is fitted to be drawn has a ``_recorder``, which is called with the fitted
    attributes before the first epoch and after each, with or without scikit-learn's callbacks.
    """

    def __init__(self, estimator: Any, max_iter: int, X: Any, y: Any, sample_weight: Any) -> None:
        self._recorder = getattr(estimator, "_recorder", None)
        self.active = bool(getattr(estimator, "_skl_callbacks", None))
        self.heard = self.active or self._recorder is not None
        if not self.active:
            return
        self._stride = 1 if max_iter <= _LONG else math.ceil(max_iter / _GROUPS)
        metadata: Any = None
        if callable(sample_weight):
            metadata = lambda: {"sample_weight": sample_weight()}  # noqa: E731
        elif sample_weight is not None:
            metadata = {"sample_weight": sample_weight}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._open: Any = None
        self._epochs = 0
        self._keepers = [c for c in estimator._skl_callbacks if hasattr(c, "keep_state")]
        n_tasks = math.ceil(max_iter / self._stride)
        self._fit = estimator._init_callback_context(max_subtasks=n_tasks)
        self._fit.call_on_fit_task_begin(**self._given)

    def begins_at(self, attributes: Callable[[], dict[str, Any]]) -> None:
        """Tell the recorder, if there is one, where the descent begins."""
        if self._recorder is not None:
            self._recorder(attributes())

    def begin(self) -> None:
        """Tell the callbacks that an epoch begins."""
        if self.active and self._open is None:
            self._open = self._fit.subcontext(task_name="epoch")
            self._open.call_on_fit_task_begin(**self._given)

    def end(
        self, attributes: Callable[[], dict[str, Any]], state: Callable[[], dict[str, Any]]
    ) -> bool:
        """Tell the callbacks that an epoch ended; return whether one of them ends the fit.

        Parameters
        ----------
        attributes : callable
            Returns the fitted attributes as of now, in copies; called if a callback wants them.
        state : callable
            Returns all that is needed to go on from here, in copies; for callbacks with a method
            ``keep_state(epochs, state)``, which hear of every epoch.
        """
        if self._recorder is not None:
            self._recorder(attributes())
        if not self.active:
            return False
        self.begin()
        self._epochs += 1
        for keeper in self._keepers:
            keeper.keep_state(self._epochs, state)
        if self._epochs % self._stride:
            return False
        return self._end_task(attributes)

    def close(self) -> None:
        """Tell the callbacks that the fit is over: the estimator has its fitted attributes."""
        if self.active:
            if self._open is not None:
                self._end_task(dict)
            self._fit.call_on_fit_task_end(**self._given, reconstruction_attributes={})

    def _end_task(self, attributes: Callable[[], dict[str, Any]]) -> bool:
        task, self._open = self._open, None
        return bool(task.call_on_fit_task_end(**self._given, reconstruction_attributes=attributes))
