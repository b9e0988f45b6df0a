"""When to stop: the history of a fit, its best weights, and its end."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NoReturn

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd._pieces import Array, DeviceArray, copy_of, namespace
from sklearn_gd._training.callback_tasks import FitTasks
from sklearn_gd._training.callers import is_one_of_several_fits
from sklearn_gd._training.learner import Learner, State
from sklearn_gd._training.state import StateError, copied, require_like
from sklearn_gd.exceptions import DivergenceError

# Divergence: a loss this many times above both its start and the baseline. Plain descent at 1.05
# times the largest stable rate gets there in under a hundred epochs; the fluctuations of stable
# mini-batch descents stay orders of magnitude below.
_FAR_ABOVE = 1e4

# A loss that is not below this share of the baseline is that of a fit that has learned nothing.
_HARDLY_BELOW = 1 - 1e-6

# Number of losses that a ``partial_fit`` keeps: each call copies them.
_KEPT = 1000

# Attributes that go into a checkpoint, in addition to the best weights.
_HISTORY = (
    "loss_curve",
    "validation_loss_curve",
    "validation_score_curve",
    "improved",
    "ended",
    "best_loss",
    "best_iter",
    "_best_monitored",
    "_waited",
)


class Stopping:
    """The epochs of one fit.

    An iterator that ends by the stopping rule::

        with stopping:
            for epoch in stopping:
                rate = stopping.rate(epoch)
                loss = learner.run_epoch(rate)
                stopping.record(loss, learner.validation_loss())

    Parameters
    ----------
    estimator : Estimator
        Its parameters `max_iter`, `tol` and `verbose`, and `n_iter_no_change` if it has one.
    learner : Learner
        The learner to train.
    baseline_loss : float
        Loss of the best constant prediction, which makes `tol` independent of units.
    tasks : FitTasks, optional
        Called after every epoch of a ``fit``, and may end it; None for a ``partial_fit``.
    score : callable, optional
        Returns the score of weights on the validation set, to be monitored instead of the loss:
        greater is better, and `tol` is a difference of scores.

    Attributes
    ----------
    loss_curve, validation_loss_curve, validation_score_curve : list of float
        Losses and scores of each epoch.
    improved : bool
        Whether the last epoch improved the monitored loss or score.
    ended : bool
        Whether the fit is over.
    exhausted : bool
        Whether it has reached `max_iter` instead; ``finish`` warns then.
    broken_off : str or None
        How it was ended otherwise, too early, and what to do; ``finish`` warns of that.
    best_loss, best_iter : float, int
        Smallest loss (the validation loss if there is one) and its epoch; with a score, the loss
        and the epoch of the best score.
    best_weights : ndarray or None
        Copy of the weights of that epoch.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        learner: Learner,
        baseline_loss: float,
        tasks: FitTasks | None = None,
        score: Callable[[Array], float] | None = None,
    ) -> None:
        self._score = score
        self.learner, self.baseline_loss = learner, baseline_loss
        self.owner = type(estimator).__name__
        self.max_iter, self.tol, self.verbose = (
            estimator.max_iter,
            estimator.tol,
            estimator.verbose,
        )
        patience = getattr(estimator, "n_iter_no_change", None)
        self.patience = math.inf if self.tol is None or patience is None else patience
        self.tasks = tasks if tasks is not None and tasks.active else None
        # Whoever calls ``partial_fit`` in a loop means to leave the loop by an interrupt.
        self._in_fit = tasks is not None
        self._keeps_best = self._in_fit and learner.keeps_best
        self.loss_curve: list[float] = []
        self.validation_loss_curve: list[float] = []
        self.validation_score_curve: list[float] = []
        self.improved, self.ended, self.interrupted = True, False, False
        self.exhausted = False
        self.broken_off: str | None = None
        self.best_loss, self.best_iter = math.inf, 0
        self._best_monitored = math.inf  # the best loss, or the best score times -1
        self.best_weights: Array | None = None
        self._n_dropped = 0  # number of earlier epochs, whose losses are not kept
        self._first_loss: float | None = None  # of those epochs
        self._n_whole = 0  # number of epochs recorded completely
        self._waited = 0  # number of epochs since the last improvement
        self._rate: float | None = None
        self._first_weights: Array | None = None

    @classmethod
    def after(cls, estimator: BaseEstimator, learner: Learner, baseline_loss: float) -> Stopping:
        """Return the single epoch of a ``partial_fit``, after those of the loss curve so far."""
        stopping = cls(estimator, learner, baseline_loss)
        before = vars(estimator)
        curve: list[float] = before.get("loss_curve_", [])
        if curve:
            kept = curve[1 - _KEPT :]
            stopping.loss_curve = kept
            stopping._n_dropped = max(before.get("n_iter_", 0) - len(kept), 0)
            stopping._first_loss = before.get("_first_loss", curve[0])
            if "best_loss_" in before and "validation_loss_curve_" not in before:
                best = before["best_loss_"], before["best_iter_"]
            else:  # that was another loss, or, of a line, none
                best = min(curve), curve.index(min(curve))
            stopping.best_loss, stopping.best_iter = best
            stopping._best_monitored = best[0]
        return stopping

    def attributes(self) -> dict[str, object]:
        """Return the fitted attributes that describe the epochs."""
        history = {
            "n_iter_": self.n_iter,
            "loss_curve_": self.loss_curve,
            "best_loss_": self.best_loss,
            "best_iter_": self.best_iter,
            "_first_loss": self.first_loss,
        }
        if self.validation_loss_curve:
            history["validation_loss_curve_"] = self.validation_loss_curve
        if self.validation_score_curve:
            history["validation_score_curve_"] = self.validation_score_curve
        return history

    def __enter__(self) -> Stopping:
        if self._in_fit and not self.loss_curve and not self.learner.bounded:
            self._first_weights = copy_of(self.learner.weights())
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
        if not (interrupted and self._in_fit) or is_one_of_several_fits():
            return False
        if self._forget_unfinished_epoch():
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
        """Delete records of an unfinished epoch; return whether a complete one is left."""
        for curve in (self.loss_curve, self.validation_loss_curve, self.validation_score_curve):
            del curve[self._n_whole :]
        return self._n_whole > 0

    def __iter__(self) -> Iterator[int]:
        for epoch in range(self.n_iter, self.max_iter):
            if self.ended:
                return
            if self.tasks is not None:
                self.tasks.begin()
            yield epoch
        self.exhausted = not self.ended

    @property
    def n_iter(self) -> int:
        return self._n_dropped + len(self.loss_curve)

    @property
    def first_loss(self) -> float:
        """Loss of the first epoch, of all calls; NaN before."""
        if self._first_loss is not None:
            return self._first_loss
        return self.loss_curve[0] if self.loss_curve else math.nan

    def end(self) -> None:
        """End the fit after the current epoch."""
        self.ended = True

    def rate(self, epoch: int) -> float:
        """Return the rate of the schedule; a ValueError if it is not a rate."""
        rate = self.learner.schedule.rate(epoch)
        try:
            if 0 <= rate < math.inf:
                self._rate = rate * self.learner.base_rate
                return float(rate)  # a plain float, which every array library accepts
        except TypeError:
            pass
        raise ValueError(
            f"The 'learning_rate' parameter, {self.learner.schedule!r}, must give finite "
            f"numbers >= 0. For epoch {epoch} it gave {rate!r}."
        )

    def finish(self) -> tuple[Array, float]:
        """Return the weights to keep, the last or the best ones, and their mean loss.

        With a validation set, the best ones are kept; after an interrupt, the better of both.
        Warns if the fit has learned nothing, or else if it has not converged.

        Raises
        ------
        DivergenceError
            If the last epoch has diverged.
        """
        learner, best = self.learner, self.best_weights
        with np.errstate(all="ignore"):
            weights = learner.weights()
            loss = learner.mean_loss(weights) if not self.validation_loss_curve else math.nan
            if best is not None and (self.validation_loss_curve or self.interrupted):
                of_best = learner.mean_loss(best)
                if not loss <= of_best:
                    weights, loss = best, of_best
        self.check_end(loss, weights)
        failure = self._failure(loss) if self._in_fit and not self.interrupted else None
        if failure is not None:
            warnings.warn(f"{self.owner} {failure}", ConvergenceWarning, stacklevel=3)
        return weights, loss

    def _failure(self, loss: float) -> str | None:
        """Return how a fit with this final loss has failed, and what to do; None if it has not.

        It has not if weights of zero are the solution, if it was still learning when it ended, or
        if it ended at `max_iter` because that was requested, by tol=None or by a schedule that
        ends there.
        """
        if self.broken_off is not None:
            return self.broken_off
        advice, curve = self.learner.advice, self.loss_curve
        if (
            self.exhausted
            and self._is_unstable()
            and curve[-1] > max(curve[0], self.baseline_loss)
        ):
            return (
                f"is diverging: in {self.n_iter} epochs its loss rose from {curve[0]:.6g} to "
                f"{curve[-1]:.6g}. The learning rate is {self._rate:.6g}; the largest stable one "
                f"is {self.learner.max_rate:.6g}. Lower learning_rate."
            )
        exempt = self.learner.finished or (self.exhausted and self.improved)
        if loss > _HARDLY_BELOW * self.baseline_loss > 0 and not exempt:
            return (
                f"learned nothing: its loss, {loss:.6g}, is not below that of the best constant "
                f"prediction, {self.baseline_loss:.6g}. {advice.learned_nothing}"
            )
        over = self.tol is None or self.learner.schedule._is_over(self.n_iter)
        if self.exhausted and not over:
            return (
                f"reached max_iter={self.max_iter} epochs before its loss stopped improving. "
                f"{advice.not_converged} A larger tol accepts an earlier end."
            )
        return None

    def run_once(self) -> tuple[Array, float]:
        """Run the single epoch of a ``partial_fit``; return the weights and their mean loss."""
        with self:
            rate = self.rate(self.n_iter)
            self.record(self.learner.run_epoch(rate))
        return self.finish()

    def _is_unstable(self) -> bool:
        return (
            self._rate is not None
            and self.learner.max_rate is not None
            and self._rate > self.learner.max_rate
        )

    def record(self, loss: float, validation_loss: float | None = None) -> None:
        """Record the losses of one epoch.

        Parameters
        ----------
        loss : float
            Running mean of the training loss over the epoch.
        validation_loss : float, optional
            Loss on the validation set after the epoch; monitored instead of `loss`.

        Raises
        ------
        DivergenceError
            If a loss is not finite, or far above its first value.
        """
        self.loss_curve.append(loss)
        self._check_divergence(loss, self.first_loss)
        if self._first_weights is not None:
            self._check_first_epoch(loss)
        monitored, tol = loss, (self.tol or 0.0) * self.baseline_loss
        if validation_loss is not None:
            monitored = validation_loss
            self.validation_loss_curve.append(validation_loss)
            self._check_divergence(validation_loss, self.validation_loss_curve[0])
        best_loss = monitored
        if self._score is not None:
            score = self._score(self.learner.weights())
            self.validation_score_curve.append(score)
            monitored, tol = -score, self.tol or 0.0
        self.improved = monitored < self._best_monitored - tol
        best: dict[str, object] = {}
        if monitored < self._best_monitored:
            best = {
                "_best_monitored": monitored,
                "best_loss": best_loss,
                "best_iter": self.n_iter - 1,
                "best_weights": copy_of(self.learner.weights()) if self._keeps_best else None,
            }
        # In one statement, so that an interrupt cannot separate them.
        vars(self).update(best, _n_whole=self.n_iter)
        self._waited = 0 if self.improved else self._waited + 1
        if self.learner.finished or self._waited >= self.patience:
            self.end()
        self.learner.schedule.observe(self.improved)
        self._print()
        if self.tasks is not None and self.tasks.end(self._state):
            self.end()

    def _state(self) -> State:
        """Return a copy of the state to resume from."""
        best = self.best_weights
        return {
            "learner": self.learner.state(),
            "best": None if best is None else copy_of(best),
            "schedule": copied(vars(self.learner.schedule)),
            "history": copied({name: getattr(self, name) for name in _HISTORY}),
        }

    def restore(self, state: State) -> None:
        """Set the state, including that of the learner, to one from a checkpoint.

        Parameters
        ----------
        state : dict
            Content of a checkpoint.

        Raises
        ------
        StateError
            If the state does not have the form of those of this fit; nothing has changed then.
        ValueError
            If the validation loss is not that of the resumed fit.
        """
        learner, schedule = self.learner, self.learner.schedule
        form = {
            "learner": learner.form(),
            "best": None if state.get("best") is None else learner.weights(),
            "schedule": schedule,
            "history": {name: getattr(self, name) for name in _HISTORY},
        }
        require_like(state, form, "state")
        self._require_consistent(**state["history"])
        vars(self).update(copied(state["history"]))
        self._n_whole = self.n_iter
        schedule.__dict__.update(copied(state["schedule"]))
        learner.restore(state["learner"])
        self.best_weights = state["best"]
        self._require_validation(learner.validation_loss())

    def _require_consistent(
        self,
        loss_curve: list[float],
        validation_loss_curve: list[float],
        validation_score_curve: list[float],
        best_iter: int,
        **_: object,
    ) -> None:
        epochs = len(loss_curve)
        if (
            not epochs
            or len(validation_loss_curve) not in (0, epochs)
            or len(validation_score_curve) != (epochs if self._score is not None else 0)
            or not 0 <= best_iter < epochs
        ):
            raise StateError(f"the history is not one of {epochs} epochs")

    def check_end(self, loss: float, *weights: Array) -> None:
        """Raise a DivergenceError if the last epoch has diverged.

        Parameters
        ----------
        loss : float
            Loss at the weights that are kept.
        *weights : ndarray
            These weights. A loss may be finite at weights of NaN, since comparisons are.
        """
        if self.loss_curve:
            self._check_divergence(loss, self.first_loss)
        if not all(map(is_finite, weights)):
            self._diverged("its weights are no longer finite")

    def _require_validation(self, loss: float | None) -> None:
        """Raise a ValueError if the validation set is not that of the resumed fit.

        Parameters
        ----------
        loss : float or None
            Loss of the restored parameters on the validation set; None without one.
        """
        before = self.validation_loss_curve[-1] if self.validation_loss_curve else None
        # Equal to the last bit on one machine; on a cluster the order of the sums varies.
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
        limit = _FAR_ABOVE * max(first, self.baseline_loss)
        before = f"from {first:.3g} in the first epoch"
        if not math.isfinite(loss):
            self._diverged(f"its loss is no longer finite, {before}")
        elif loss > limit > 0:
            self._diverged(f"its loss has grown to {loss:.3g}, {before}")

    def _check_first_epoch(self, loss: float) -> None:
        """Raise a DivergenceError if the loss has exploded within the first epoch."""
        weights, self._first_weights = self._first_weights, None
        limit = _FAR_ABOVE * self.baseline_loss
        if loss > limit > 0 and weights is not None:
            first = self.learner.mean_loss(weights)
            if loss > _FAR_ABOVE * first:
                self._diverged(f"its loss has grown to {loss:.3g}, from {first:.3g} at first")

    def _diverged(self, what: str) -> NoReturn:
        advice = self.learner.advice.diverged
        if self._rate is not None:
            max_rate = self.learner.max_rate
            known = f"; the largest stable one is {max_rate:.6g}" if max_rate else ""
            advice = f"The learning rate is {self._rate:.6g}{known}. {advice}"
        raise DivergenceError(
            f"{self.owner} diverged in epoch {self.n_iter}: {what}. {advice}", self.loss_curve
        )

    def _print(self) -> None:
        stride = max(1, self.max_iter // 100) if self.max_iter > 1000 else 1
        if self.verbose > 1:
            stride = int(self.verbose)
        last = self.ended or self.n_iter == self.max_iter
        if self.verbose and (last or (self.n_iter - 1) % stride == 0):
            curves = {
                "loss": self.loss_curve,
                "validation loss": self.validation_loss_curve,
                "validation score": self.validation_score_curve,
            }
            losses = [f"{name} = {curve[-1]:.8g}" for name, curve in curves.items() if curve]
            print(f"Epoch {self.n_iter}, {', '.join(losses)}")  # noqa: T201


def is_finite(array: DeviceArray) -> bool:
    """Return whether all elements of an array, of any library, are finite."""
    xp = namespace(array)
    return bool(xp.all(xp.isfinite(array)))
