"""Contenders that take turns: A B C A B C ..., so that a machine's moods meet them all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OURS = "sklearn_gd"


@dataclass
class Contender:
    """One way to do the work.

    Parameters
    ----------
    run : callable
        Does it, and returns what came out of it. Only this is timed.
    loss : callable, optional
        Returns the loss of what came out, to compare with the others'. Not timed.
    """

    run: Callable[[], Any]
    loss: Callable[[Any], float] | None = None


@dataclass
class Case:
    """One row of the table.

    Parameters
    ----------
    name : str
        What is done, and to how much data.
    enter : callable
        Makes the data, then returns the contenders by name, ours (`OURS`) among them.
    aims : dict of str to float, optional
        How many times our time a contender is meant to take, at least. A floor, which nobody can
        get below, has an aim below one.
    alike : float, optional
        How far the contenders' losses may lie apart, relative to ours; one that may end anywhere
        above ours stands in `worse`.
    worse : tuple of str, optional
    """

    name: str
    enter: Callable[[], dict[str, Contender]]
    aims: dict[str, float] = field(default_factory=dict)
    alike: float = 1e-6
    worse: tuple[str, ...] = ()


@dataclass
class Result:
    """The seconds of every round of a case, by contender."""

    case: Case
    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def ratio(self, name: str) -> float:
        """Return how many times our time a contender took: the median over the rounds."""
        return statistics.median(self._ratios(name))

    def spread(self, name: str) -> tuple[float, float]:
        """Return the smallest and the largest ratio of a round."""
        ratios = self._ratios(name)
        return min(ratios), max(ratios)

    def _ratios(self, name: str) -> list[float]:
        pairs = zip(self.seconds[name], self.seconds[OURS], strict=True)
        return [theirs / ours for theirs, ours in pairs]


def race(case: Case, rounds: int) -> Result:
    """Let the contenders of a case take turns; the first turn of each is not counted.

    Who begins a round changes from round to round, so that nobody always follows the same one.
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
    """Let each contender run once, and return the losses that they reach."""
    return {
        name: contender.loss(contender.run())
        for name, contender in case.enter().items()
        if contender.loss is not None
    }
