"""Time contenders in turns, A B C A B C ..., so that disturbances affect all of them equally."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OURS = "sklearn_gd"
# Parameters with which a FeedForwardRegressor does what an MLPRegressor does.
SAME = {"activation": "relu", "standardize": False, "learning_rate": 0.001, "tol": None}


@dataclass
class Contender:
    """One way to do the work.

    Parameters
    ----------
    run : callable
        Function that does the work and returns its result. Only this is timed.
    loss : callable, optional
        Function that returns the loss of a result, to compare it with the others. Not timed.
    """

    run: Callable[[], Any]
    loss: Callable[[Any], float] | None = None


@dataclass
class Case:
    """One case of a table.

    Parameters
    ----------
    name : str
        Description of the task and the size of the data.
    enter : callable
        Function that generates the data and returns the contenders by name, including `OURS`.
    aims : dict of str to float, optional
        Smallest acceptable ratio of a contender's time to ours. It is below one for a lower bound,
        such as the matrix products alone.
    alike : float, optional
        Largest difference of a contender's loss from ours, relative to ours.
    worse : tuple of str, optional
        Contenders whose loss may be larger than ours by any amount.
    """

    name: str
    enter: Callable[[], dict[str, Contender]]
    aims: dict[str, float] = field(default_factory=dict)
    alike: float = 1e-6
    worse: tuple[str, ...] = ()


@dataclass
class Result:
    """The times of a case in seconds: a list of all rounds for each contender."""

    case: Case
    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def ratio(self, name: str) -> float:
        """Return the median over the rounds of the ratio of a contender's time to ours."""
        return statistics.median(self._ratios(name))

    def spread(self, name: str) -> tuple[float, float]:
        """Return the smallest and largest ratio over the rounds."""
        ratios = self._ratios(name)
        return min(ratios), max(ratios)

    def _ratios(self, name: str) -> list[float]:
        pairs = zip(self.seconds[name], self.seconds[OURS], strict=True)
        return [theirs / ours for theirs, ours in pairs]


def race(case: Case, rounds: int) -> Result:
    """Run the contenders of a case in turns; the first run of each is not counted.

    Each round starts with another contender.
    """
    contenders = case.enter()
    for contender in contenders.values():
        contender.run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            gc.collect()
            begin = time.perf_counter()
            contenders[name].run()
            seconds[name].append(time.perf_counter() - begin)
    return Result(case, seconds)


def losses(case: Case) -> dict[str, float]:
    """Run each contender once, and return the loss of each result."""
    return {
        name: contender.loss(contender.run())
        for name, contender in case.enter().items()
        if contender.loss is not None
    }
