"""When to stop: the history of a descent, its best point, and the ways in which it ends."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd._pieces import copy_of, namespace
from sklearn_gd._training.callback_tasks import FitTasks
from sklearn_gd._training.state import StateError, copied, require_like
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.schedules import Schedule

Array = np.ndarray[Any, np.dtype[Any]]

# A loss this many times above both its start and the reference has left for good: plain descent
# at 1.05 times the largest stable rate gets there in under a hundred epochs, while the bumps of
# healthy mini-batch descents stay orders of magnitude below.
_FAR_ABOVE = 1e4


# What a descent remembers from epoch to epoch, but for the best point, which is the loop's.
_HISTORY = (
    "loss_curve",
    "validation_loss_curve",
    "improved",
    "ended",
    "best_loss",
    "best_iter",
    "_waited",
)


class Descent:
    """The epochs of one fit.

    Iterate over it for the epochs, and record each epoch's loss; it ends by itself::

        with descent:
            for epoch in descent:
                ...
                descent.record(loss, rate)

    Parameters
    ----------
    max_iter : int
        The largest number of epochs.
    tol : float or None
        An epoch improves when it lowers the best loss by more than `tol` * `reference`. None:
        run all of `max_iter`.
    patience : int or None
        The descent ends after so many epochs in a row without improvement; None: only ``end``
        and `max_iter` end it.
    reference : float
        The loss of the best constant prediction, which makes `tol` free of units.
    owner : str
        The estimator's name, for messages.
    max_rate : float or None
        The largest stable rate, for messages, where it is known.
    verbose : bool or int
        Whether to print the losses; on long runs only some of them.
    schedule : Schedule, optional
        Hears whether each epoch improved.
    tasks : FitTasks, optional
        Hears of every epoch, and may end the descent.

    Attributes
    ----------
    loss_curve, validation_loss_curve : list of float
        One loss per epoch.
    improved : bool
        Whether the last epoch improved.
    ended : bool
        Whether the last epoch recorded is the last one.
    best_loss, best_iter : float, int
        The smallest monitored loss (the validation loss where there is one) and its epoch.
    best_parameters : object
        A copy of the parameters there.
    """

    def __init__(
        self,
        *,
        max_iter: int,
        tol: float | None,
        patience: int | None,
        reference: float,
        owner: str,
        max_rate: float | None = None,
        verbose: bool | int = False,
        schedule: Schedule | None = None,
        tasks: FitTasks | None = None,
    ) -> None:
        self.max_iter = max_iter
        self.schedule = schedule if schedule is not None else Schedule()
        self.tasks = tasks if tasks is not None and tasks.heard else None
        self.tol = tol
        self.patience = patience
        self.reference = reference
        self.owner = owner
        self.max_rate = max_rate
        self.verbose = verbose
        self.loss_curve: list[float] = []
        self.validation_loss_curve: list[float] = []
        self.improved = True
        self.best_loss = math.inf
        self.best_iter = 0
        self.best_parameters: Any = None
        self.keeps_interrupted, self.interrupted = True, False
        self._n_whole = 0  # epochs recorded to the end
        self._waited = 0
        self._rate: float | None = None
        self.ended = False

    @classmethod
    def of(cls, estimator: Any, reference: float, schedule: Schedule, **known: Any) -> Descent:
        """Return a descent as the estimator's parameters ask for it."""
        return cls(
            max_iter=estimator.max_iter,
            tol=estimator.tol,
            patience=getattr(estimator, "n_iter_no_change", None),
            reference=reference,
            owner=type(estimator).__name__,
            verbose=estimator.verbose,
            schedule=schedule,
            **known,
        )

    @classmethod
    def after(cls, estimator: Any, reference: float, schedule: Schedule, **known: Any) -> Descent:
        """Return a descent that goes on where the estimator's training losses end.

        An interrupt is not kept from the caller: whoever calls ``partial_fit`` in a loop means to
        leave the loop.
        """
        descent = cls.of(estimator, reference, schedule, **known)
        descent.loss_curve = list(getattr(estimator, "loss_curve_", ()))
        descent.keeps_interrupted = False  # one epoch: there is nothing yet to keep
        if descent.loss_curve:
            descent.best_loss = min(descent.loss_curve)
            descent.best_iter = descent.loss_curve.index(descent.best_loss)
        return descent

    def attributes(self) -> dict[str, Any]:
        """Return what an estimator tells of its epochs."""
        told = {
            "n_iter_": self.n_iter,
            "loss_curve_": self.loss_curve,
            "best_loss_": self.best_loss,
            "best_iter_": self.best_iter,
        }
        if self.validation_loss_curve:
            told["validation_loss_curve_"] = self.validation_loss_curve
        return told

    def __enter__(self) -> Descent:
        # An overflow is found in the loss, and reported once.
        self._quiet = np.errstate(all="ignore")
        self._quiet.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._quiet.__exit__(kind, error, trace)
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if interrupted and self.keeps_interrupted and self._forget_unfinished_epoch():
            self.interrupted = True
            warnings.warn(
                f"{self.owner}: training was interrupted in epoch {self.n_iter}; the best weights "
                "so far are kept.",
                ConvergenceWarning,
                stacklevel=3,
            )
            return True
        return False

    def _forget_unfinished_epoch(self) -> bool:
        """Drop what was recorded of an unfinished epoch; return whether a whole one is left."""
        del self.loss_curve[self._n_whole :], self.validation_loss_curve[self._n_whole :]
        return self._n_whole > 0

    def __iter__(self) -> Iterator[int]:
        for epoch in range(self.n_iter, self.max_iter):
            if self.ended:
                return
            if self.tasks is not None:
                self.tasks.begin()
            yield epoch
        if not self.ended:
            self.warn_not_converged()

    @property
    def n_iter(self) -> int:
        return len(self.loss_curve)

    def end(self) -> None:
        """Make the current epoch the last one."""
        self.ended = True

    def rate(self, epoch: int) -> float:
        """Return the schedule's rate, or say that it is none."""
        rate = self.schedule.rate(epoch)
        try:
            if 0 <= rate < math.inf:
                return float(rate)  # what every library takes beside its arrays
        except TypeError:
            pass
        raise ValueError(
            f"The 'learning_rate' parameter, {self.schedule!r}, must give finite numbers >= 0. "
            f"For epoch {epoch} it gave {rate!r}."
        )

    def chosen(self, parameters: Any, loss_of: Callable[[Any], float]) -> Any:
        """Return the parameters to keep: the last, or the best on the validation set.

        An interrupt may come at any point, so that the better of the two is kept then.
        """
        best = self.best_parameters
        if self.validation_loss_curve:
            return best
        if self.interrupted and best is not None and not loss_of(parameters) <= loss_of(best):
            return best
        return parameters

    def warn_not_converged(self) -> None:
        """Say that `max_iter` ended the descent, and what to do.

        Where `tol` is None, this was asked for: nothing then, unless the descent was on its way
        up at a rate that is known to be too large.
        """
        if self.loss_curve[-1] > max(self.loss_curve[0], self.reference) and self._is_unstable():
            what = (
                f"is diverging: in {self.n_iter} epochs its loss rose from "
                f"{self.loss_curve[0]:.6g} to {self.loss_curve[-1]:.6g}. The learning rate is "
                f"{self._rate:.6g}; the largest stable one is {self.max_rate:.6g}. Lower "
                "learning_rate."
            )
        elif self.tol is not None:
            what = (
                f"reached max_iter={self.max_iter} epochs before its loss stopped improving. "
                "Raise max_iter, scale the features (StandardScaler), or try another "
                "learning_rate or solver; a larger tol accepts an earlier end."
            )
        else:
            return
        warnings.warn(f"{self.owner} {what}", ConvergenceWarning, stacklevel=3)

    def _is_unstable(self) -> bool:
        return self._rate is not None and self.max_rate is not None and self._rate > self.max_rate

    def record(
        self,
        loss: float,
        rate: float | None,
        *,
        validation_loss: float | None = None,
        parameters: Any = None,
        attributes: Callable[[], dict[str, Any]] = dict,
        state: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Take note of one epoch.

        Parameters
        ----------
        loss : float
            The running mean of the training loss over the epoch.
        rate : float or None
            The learning rate, for messages; None where there is none.
        validation_loss : float, optional
            The loss on the validation set after the epoch; monitored instead of `loss`.
        parameters : array, or object with a ``copy`` method, optional
            Needed with `validation_loss`: copied whenever the loss is the smallest so far.
        attributes : callable, optional
            Returns the estimator's fitted attributes as of now, for callbacks.
        state : callable, optional
            Returns, in copies, what the loop needs beside `state` of this to go on from here.

        Raises
        ------
        DivergenceError
            Where a loss is not finite, or far above where it started.
        """
        self.loss_curve.append(loss)
        self._rate = rate
        self._check_divergence(loss, self.loss_curve[0])
        monitored = loss
        if validation_loss is not None:
            monitored = validation_loss
            self.validation_loss_curve.append(validation_loss)
            self._check_divergence(validation_loss, self.validation_loss_curve[0])
        self.improved = monitored < self.best_loss - (self.tol or 0.0) * self.reference
        best = self.best_loss, self.best_iter, self.best_parameters
        if monitored < self.best_loss:
            best = monitored, self.n_iter - 1, None if parameters is None else copy_of(parameters)
        # In one statement, which no interrupt divides.
        (self.best_loss, self.best_iter, self.best_parameters), self._n_whole = best, self.n_iter
        self._waited = 0 if self.improved else self._waited + 1
        if self.tol is not None and self.patience is not None and self._waited >= self.patience:
            self.end()
        self.schedule.observe(self.improved)
        self._print(loss, validation_loss)
        if self.tasks is not None:
            whole = partial(self._whole_state, state)
            if self.tasks.end(attributes, whole):
                self.end()

    def _whole_state(self, of_loop: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return {
            **of_loop(),
            "schedule": copied(vars(self.schedule)),
            "descent": copied({name: getattr(self, name) for name in _HISTORY}),
        }

    def restore(self, state: dict[str, Any], like: dict[str, Any]) -> None:
        """Go back to where `record` handed out this state, short of what the loop restores.

        Parameters
        ----------
        state : dict
            What a file held. The part of the loop is checked, too.
        like : dict
            What the loop hands out itself, before its first epoch.

        Raises
        ------
        StateError
            Where the state is not of the form of one taken here; nothing has changed then.
        """
        history = {name: getattr(self, name) for name in _HISTORY}
        form = {**like, "schedule": self.schedule, "descent": history}
        require_like(state, form, "state")
        self._require_consistent(**state["descent"])
        vars(self).update(copied(state["descent"]))
        self._n_whole = self.n_iter
        self.schedule.__dict__.update(copied(state["schedule"]))

    def _require_consistent(
        self,
        loss_curve: list[float],
        validation_loss_curve: list[float],
        best_iter: int,
        **_: Any,
    ) -> None:
        epochs = len(loss_curve)
        if (
            not epochs
            or len(validation_loss_curve) not in (0, epochs)
            or not 0 <= best_iter < epochs
        ):
            raise StateError(f"the history is not one of {epochs} epochs")

    def check_end(self, loss: float, *weights: Array) -> None:
        """Raise a DivergenceError where the steps of the last epoch have gone too far.

        Parameters
        ----------
        loss : float
            The loss at the weights that are kept.
        *weights : ndarray
            These weights. A loss may be finite where they are not, since comparisons with NaN are.
        """
        if self.loss_curve:
            self._check_divergence(loss, self.loss_curve[0])
        if not all(map(is_finite, weights)):
            self._diverged("its weights are no longer finite")

    def require_validation(self, loss: float | None) -> None:
        """Raise a ValueError where a restored descent is not validated on the rows it began with.

        Parameters
        ----------
        loss : float or None
            The loss of the restored parameters on the validation set; None where there is none.
        """
        before = self.validation_loss_curve[-1] if self.validation_loss_curve else None
        # Equal to the last bit here; sums over a cluster are added up in another order each time.
        if before is None or loss is None:
            same = before is loss
        else:
            same = math.isclose(before, loss, rel_tol=1e-9)
        if not same:
            raise ValueError(
                "X_val, y_val and sample_weight_val must be those of the fit that is resumed. "
                f"There the last validation loss was {before}; here it is {loss}."
            )

    def _check_divergence(self, loss: float, first: float) -> None:
        limit = _FAR_ABOVE * max(first, self.reference)
        before = f"from {first:.3g} in the first epoch"
        if not math.isfinite(loss):
            self._diverged(f"its loss is no longer finite, {before}")
        elif loss > limit > 0:
            self._diverged(f"its loss has grown to {loss:.3g}, {before}")

    def _diverged(self, what: str) -> NoReturn:
        advice = "Scale the features and targets (StandardScaler)."
        if self._rate is not None:
            known = f"; the largest stable one is {self.max_rate:.6g}" if self.max_rate else ""
            advice = (
                f"The learning rate is {self._rate:.6g}{known}. Lower learning_rate, or "
                "scale the features and targets (StandardScaler)."
            )
        raise DivergenceError(
            f"{self.owner} diverged in epoch {self.n_iter}: {what}. {advice}", self.loss_curve
        )

    def _print(self, loss: float, validation_loss: float | None) -> None:
        stride = max(1, self.max_iter // 100) if self.max_iter > 1000 else 1
        if self.verbose and (self.ended or (self.n_iter - 1) % stride == 0):
            held_out = (
                "" if validation_loss is None else f", validation loss = {validation_loss:.8g}"
            )
            print(f"Epoch {self.n_iter}, loss = {loss:.8g}{held_out}")  # noqa: T201


def is_finite(array: Any) -> bool:
    """Return whether all numbers of an array are finite, wherever it lies."""
    xp = namespace(array)
    return bool(xp.all(xp.isfinite(array)))
