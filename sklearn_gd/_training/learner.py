"""The interface of what the estimators train."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from sklearn_gd._pieces import Array
from sklearn_gd.schedules import Schedule

State = dict[str, Any]


class Advice(NamedTuple):
    """What to do, by how a fit has failed, as sentences for messages.

    Attributes
    ----------
    not_converged : str
        If it ended at `max_iter`.
    diverged : str
        If its loss has grown without bound.
    learned_nothing : str
        If its loss is not below that of the best constant prediction.
    """

    not_converged: str
    diverged: str
    learned_nothing: str


class Learner(Protocol):
    """What the loops over epochs of all estimators train.

    Attributes
    ----------
    schedule : Schedule
        Learning rate of each epoch, before multiplication with `base_rate`.
    base_rate : float
        Factor that adapts the rate to the data, or 1.0.
    max_rate : float or None
        Largest stable rate, if known.
    finished : bool
        Whether training is complete before `max_iter`.
    keeps_best : bool
        Whether to keep the weights of the best epoch in addition to the current ones.
    bounded : bool
        Whether the loss has an upper bound, as counted mistakes have.
    updates : int
        Number of updates of the parameters so far.
    advice : Advice
        What to do if the fit fails.
    """

    schedule: Schedule
    base_rate: float
    max_rate: float | None
    finished: bool
    keeps_best: bool
    bounded: bool
    updates: int
    advice: Advice

    def run_epoch(self, rate: float) -> float:
        """Run one epoch over the rows; return their mean loss, each row's before its update."""

    def weights(self) -> Array:
        """Return the weights for prediction, as one vector."""

    def mean_loss(self, weights: Array) -> float:
        """Return the mean loss of given weights over the training set."""

    def validation_loss(self) -> float | None:
        """Return the loss of the current weights on the validation set; None without one."""

    def state(self) -> State:
        """Return a copy of the state to resume from."""

    def form(self) -> State:
        """Return an example of the states that ``restore`` accepts; see `require_like`."""

    def restore(self, state: State) -> None:
        """Set the state to one returned by ``state``."""
