"""Tree reductions over chunks, by Dask tasks that leave nothing on the workers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import cloudpickle
from dask.delayed import delayed
from distributed import Client
from sklearn.base import BaseEstimator

from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import OnHost, Rows
from sklearn_gd._pieces import Array
from sklearn_gd.dask._chunks import Chunk, Chunks, Data
from sklearn_gd.dask._partition import (
    Checks,
    check_regression_chunk,
    one_axis_of,
    summed_loss,
)
from sklearn_gd.dask._shard import aligned, pickled_network
from sklearn_gd.dask._workers import ATTEMPTS, LostWorkerError, result_of

T = TypeVar("T")
RegressionChecks = Checks[tuple[Rows, tuple[bool, int]]]

_SPLIT_EVERY = 8  # number of results that one task combines


def reduce_chunks(
    client: Client,
    chunks: list[Chunk],
    of_chunk: Callable[..., T],
    combine: Callable[[list[T]], T],
) -> T:
    """Return a reduction over all chunks, always in the same order.

    `of_chunk` takes the number of a chunk and its data; `combine` takes a list of results.
    """
    for _ in range(ATTEMPTS):
        level = [chunk.then(partial(of_chunk, number)) for number, chunk in enumerate(chunks)]
        while len(level) > 1:
            level = [
                delayed(combine, pure=False)(level[start : start + _SPLIT_EVERY])
                for start in range(0, len(level), _SPLIT_EVERY)
            ]
        future = client.compute(level[0])
        try:
            result: T = result_of(client, future)
            return result
        except LostWorkerError:  # with data in memory that was sent to it: it is sent again
            continue
        finally:
            future.release()
            for chunk in chunks:
                chunk.free()
    raise RuntimeError(
        f"A sum over the rows was lost {ATTEMPTS} times in a row, with workers, or since it needs "
        "data that the cluster has lost, as persisted collections are when it is restarted: "
        "compute or persist them again."
    )


class LineSums(NamedTuple):
    """The sums that a line is fitted from, and the range and the shape of the targets."""

    moments: Moments
    n_samples: int
    low: float
    high: float
    one_axis: bool


class StreamedRows(OnHost):
    """A dataset for least squares: each pass reads the chunks once, and stores none of them.

    Chunks are checked as ``fit`` of `estimator` would; a ValueError if no row has weight.
    """

    uses_moments = True

    def __init__(self, client: Client, chunks: Chunks, estimator: BaseEstimator) -> None:
        self._client, self._chunks, self._estimator = client, chunks.chunks, estimator
        self.n_features, self.dtype = chunks.n_features, chunks.dtype
        self._checks = Checks(check_regression_chunk, estimator, self.n_features, self.dtype)
        sums = reduce_chunks(client, self._chunks, partial(_sums_of, self._checks), _combined)
        if sums is None:
            raise ValueError(
                f"{type(estimator).__name__} needs rows, with weight, to train. There are none."
            )
        self._sums = sums
        self.n_samples, self.one_axis = sums.n_samples, sums.one_axis
        self.n_outputs = sums.moments.xy.shape[1]

    def moments(self) -> Moments:
        return self._sums.moments

    def target_ends(self) -> tuple[float, float]:
        return self._sums.low, self._sums.high

    def objective(self, network: Network) -> StreamedObjective:
        return StreamedObjective(network, self)

    def mean_loss(self, network: Network, parameters: Array) -> float:
        """Return the mean loss of a network, in another pass over the chunks."""
        of_chunk = partial(_loss_of, self._checks, pickled_network(network), parameters)
        add: Callable[[list[float]], float] = sum
        total = reduce_chunks(self._client, self._chunks, of_chunk, add)
        return total / self._sums.moments.weight


class StreamedObjective(NamedTuple):
    """The loss of a network over streamed rows."""

    network: Network
    rows: StreamedRows

    def mean_loss(self, parameters: Array) -> float:
        return self.rows.mean_loss(self.network, parameters)


def _checked(checks: RegressionChecks, number: int, data: Data) -> tuple[Rows, bool] | None:
    """Return the rows of a chunk, and whether y has one axis; None without rows of any weight."""
    if not data[0].shape[0]:
        return None
    rows, (one_axis, _) = checks(number, data)
    return (rows._replace(X=aligned(rows.X)), one_axis) if rows.n_samples else None


def _sums_of(checks: RegressionChecks, number: int, data: Data) -> LineSums | None:
    checked = _checked(checks, number, data)
    if checked is None:
        return None
    rows, one_axis = checked
    moments = Moments(rows.n_features, rows.n_outputs).added(*rows)
    return LineSums(moments, rows.n_samples, *rows.target_ends(), one_axis)


def _combined(parts: list[LineSums | None]) -> LineSums | None:
    known = [each for each in parts if each is not None]
    if not known:
        return None
    total = known[0]
    for each in known[1:]:
        total = LineSums(
            total.moments.joined(each.moments),
            total.n_samples + each.n_samples,
            min(total.low, each.low),
            max(total.high, each.high),
            one_axis_of({(s.one_axis, s.moments.xy.shape[1]) for s in (total, each)}),
        )
    return total


def _loss_of(
    checks: RegressionChecks, network: bytes, parameters: Array, number: int, data: Data
) -> float:
    checked = _checked(checks, number, data)
    if checked is None:
        return 0.0
    return summed_loss(cloudpickle.loads(network)(), aligned(parameters), checked[0])
