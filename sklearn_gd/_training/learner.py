"""What the loops over epochs of all estimators ask of what they train."""

from __future__ import annotations

from typing import Any, Protocol

from sklearn_gd._pieces import Array
from sklearn_gd.schedules import Schedule

State = dict[str, Any]


class Learner(Protocol):
    """What is trained, as the loops over epochs of all estimators see it.

    Attributes
    ----------
    schedule : Schedule
        The rate of each epoch, which `base_rate` is multiplied by.
    base_rate : float
        1.0, or what makes the rate fit the data.
    max_rate : float or None
        The largest stable rate, where it is known.
    finished : bool
        Whether nothing is left to learn.
    keeps_best : bool
        Whether the weights of the best epoch are kept beside the last ones.
    updates : int
        Number of updates so far.
    """

    schedule: Schedule
    base_rate: float
    max_rate: float | None
    finished: bool
    keeps_best: bool
    updates: int

    def run_epoch(self, rate: float) -> float:
        """Go through the rows once; return their mean loss as it was met."""

    def weights(self) -> Array:
        """Return the weights to predict with, as one vector."""

    def mean_loss(self, weights: Array) -> float:
        """Return the mean loss of some weights over the rows to train on."""

    def validation_loss(self) -> float | None:
        """Return the loss of the present weights on the validation set; None without one."""

    def state(self) -> State:
        """Return, in copies, all that is needed to go on learning."""

    def form(self) -> State:
        """Return what a state has to be like to be restored here; see `require_like`."""

    def restore(self, state: State) -> None:
        """Go back to where ``state`` was called."""
