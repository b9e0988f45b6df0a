"""Sums over blocks of rows in one pass, by a tree of Dask's tasks; nothing stays behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import cloudpickle
from dask.delayed import delayed
from distributed import Client

from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import OnHost
from sklearn_gd._pieces import Array
from sklearn_gd.dask._blocks import Block, Blocks
from sklearn_gd.dask._parts import Kind, aligned, checked, one_shape, regression_rows
from sklearn_gd.dask._workers import ATTEMPTS, LostWorkerError, result_of

_BRANCHES = 8  # so many sums are added up by one task


class Sums(NamedTuple):
    """What a line is fitted from: the moments of some rows, and what their targets are like."""

    moments: Moments
    n_samples: int
    low: float
    high: float
    one_axis: bool


class RowsInTree(OnHost):
    """Rows of which only sums are wanted: as `Rows` are, for a line by least squares.

    Parameters
    ----------
    client : distributed.Client
    blocks : Blocks
    estimator : object
        The unfitted local estimator that checks as its own ``fit`` would.

    Raises
    ------
    ValueError
        Where there is no row with weight.
    """

    uses_moments = True

    def __init__(self, client: Client, blocks: Blocks, estimator: Any) -> None:
        self._client, self._blocks, self._estimator = client, blocks, estimator
        self.n_features, self.dtype = blocks.kind
        sums = self._summed(partial(_sums_of, estimator, blocks.kind), _joined)
        if sums is None:
            raise ValueError(
                f"{type(estimator).__name__} needs rows, with weight, to train. There are none."
            )
        self._sums: Sums = sums
        self.n_samples, self.one_axis = sums.n_samples, sums.one_axis
        self.n_outputs = sums.moments.xy.shape[1]

    def moments(self) -> Moments:
        """Return the moments of all rows."""
        return self._sums.moments

    def target_ends(self) -> tuple[float, float]:
        """Return the smallest and the largest target."""
        return self._sums.low, self._sums.high

    def objective(self, network: Network) -> LossInTree:
        """Return what tells the loss of a network over these rows."""
        return LossInTree(self, network)

    def mean_loss(self, network: Network, parameters: Array) -> float:
        """Return the mean loss, in one more pass over the rows."""
        made = cloudpickle.dumps(
            (network.sizes, network.activations, network.loss, network.biases)
        )
        of_block = partial(_loss_of, self._estimator, self._blocks.kind, made, parameters)
        return float(self._summed(of_block, _added) / self._sums.moments.weight)

    def _summed(self, of_block: Callable[..., Any], join: Callable[[list[Any]], Any]) -> Any:
        for _ in range(ATTEMPTS):
            future = self._client.compute(_tree(self._blocks.blocks, of_block, join))
            try:
                return result_of(self._client, future)
            except LostWorkerError:  # with rows that were sent to it: they are sent again
                continue
            finally:
                future.release()
                for block in self._blocks.blocks:
                    block.let_go()
        raise RuntimeError(f"Workers are lost faster than they sum up: {ATTEMPTS} times in a row.")


class LossInTree:
    """The loss of a network over rows that are gone through once for each question."""

    def __init__(self, rows: RowsInTree, network: Network) -> None:
        self.rows, self.network = rows, network

    def mean_loss(self, parameters: Array) -> float:
        """Return the mean loss over rows and outputs, without the penalty."""
        return self.rows.mean_loss(self.network, parameters)


def _tree(
    blocks: list[Block], of_block: Callable[..., Any], join: Callable[[list[Any]], Any]
) -> Any:
    """Return a task for the sum over blocks, which are always added up in the same order."""
    level = [
        delayed(partial(of_block, number), pure=False)(*block.ask())
        for number, block in enumerate(blocks)
    ]
    while len(level) > 1:
        level = [
            delayed(join, pure=False)(level[start : start + _BRANCHES])
            for start in range(0, len(level), _BRANCHES)
        ]
    return level[0]


def _rows_of(estimator: Any, kind: Kind, number: int, block: Any) -> tuple[Any, bool]:
    """Return the checked rows of a block, None where it has none, and whether y has one axis."""
    if not block[0].shape[0]:
        return None, False
    rows, told = checked(regression_rows, estimator, block, kind, number)
    X = aligned(rows.X)
    return (rows._replace(X=X) if rows.n_samples else None), told["one_axis"]


def _sums_of(estimator: Any, kind: Kind, number: int, *block: Any) -> Sums | None:
    rows, one_axis = _rows_of(estimator, kind, number, block)
    if rows is None:
        return None
    moments = Moments(rows.n_features, rows.n_outputs).added(*rows)
    low, high = rows.target_ends()
    return Sums(moments, rows.n_samples, low, high, one_axis)


def _joined(sums: list[Sums | None]) -> Sums | None:
    known = [each for each in sums if each is not None]
    if not known:
        return None
    total = known[0]
    for each in known[1:]:
        one_shape({(s.one_axis, s.moments.xy.shape[1]) for s in (total, each)})
        total = Sums(
            total.moments.joined(each.moments),
            total.n_samples + each.n_samples,
            min(total.low, each.low),
            max(total.high, each.high),
            total.one_axis,
        )
    return total


def _loss_of(
    estimator: Any, kind: Kind, made: bytes, parameters: Array, number: int, *block: Any
) -> float:
    rows, _ = _rows_of(estimator, kind, number, block)
    if rows is None:
        return 0.0
    sizes, activations, loss, biases = cloudpickle.loads(made)
    network = Network(sizes, activations, loss, 0.0, parameters.dtype, biases=biases)
    weight = rows.n_samples if rows.weights is None else rows.weights.sum()
    return rows.objective(network).mean_loss(aligned(parameters)) * float(weight)


def _added(losses: list[float]) -> float:
    return sum(losses)
