"""The rows of one chunk, checked, on the worker that has them, and sums over them.

Each sum is a function of its arguments alone, so that a partition lost with its worker can be
loaded again elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets

from sklearn_gd._data.split import PickedRows
from sklearn_gd._data.validation import (
    _X_CHECKS,
    canonical,
    check_regression,
    check_weights,
    in_precision,
    validated,
)
from sklearn_gd._models.class_rows import OneHot
from sklearn_gd._models.curvature import moments_with_ones
from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.scaling import ColumnMoments, ColumnScaling
from sklearn_gd._pieces import Array, ArrayLike, DType, Matrix
from sklearn_gd._training.learners import Rosenblatt
from sklearn_gd.dask._chunks import Data

R = TypeVar("R", Rows, LabelledRows)
T = TypeVar("T")
Ends = tuple[float, float]  # targets of the outputs of other classes, and of a row's class


class Checks(NamedTuple, Generic[T]):
    """The checks of each chunk: those of ``fit`` of a local estimator, by `check`."""

    check: Callable[[BaseEstimator, Data, DType], T]
    estimator: BaseEstimator
    n_features: int
    dtype: DType

    def __call__(self, number: int, data: Data) -> T:
        """Return the result of `check`; an error names the chunk."""
        try:
            width = data[0].shape[1]
            if width != self.n_features:
                raise ValueError(f"X has {width} columns here, and {self.n_features} as a whole.")
            return self.check(self.estimator, data, self.dtype)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"In chunk {number} of the rows: {error}") from error


def check_regression_chunk(
    estimator: BaseEstimator, data: Data, dtype: DTypeLike
) -> tuple[Rows, tuple[bool, int]]:
    """Return the checked rows of a chunk, and whether y has one axis and its number of columns."""
    X, y, one_axis = check_regression(estimator, *data[:2], reset=True)
    X, y, weights = _without_zero_weights(in_precision(X, dtype), y, data[2])
    return Rows(X, in_precision(y, dtype, "y"), weights), (one_axis, y.shape[1])


def check_labelled_chunk(
    estimator: BaseEstimator, data: Data, dtype: DTypeLike
) -> tuple[LabelledRows, Array]:
    """Return the checked rows of a chunk, labels in the place of codes, and the classes."""
    if np.ndim(data[1]) == 2 and np.shape(data[1])[1] > 1:
        raise ValueError(
            f"y must hold one label per row, no label indicators. Got shape {np.shape(data[1])}."
        )
    X, y = validated(estimator, *data[:2], reset=True, **_X_CHECKS)
    check_classification_targets(y)
    X, codes, weights = _without_zero_weights(in_precision(canonical(X), dtype), y, data[2])
    return LabelledRows(X, codes, weights), np.unique(y)


def _without_zero_weights(
    X: Matrix, y: Array, sample_weight: ArrayLike | None
) -> tuple[Matrix, Array, Array | None]:
    weights = check_weights(sample_weight, X)
    if weights is not None and not weights.all():
        kept = weights > 0
        X, y, weights = X[kept], y[kept], weights[kept]
    return X, y, weights


def one_axis_of(shapes: set[tuple[bool, int]]) -> bool:
    """Return whether y has one axis, given this and the number of columns of each chunk.

    Raises
    ------
    ValueError
        If the chunks differ.
    """
    if len(shapes) != 1:
        raise ValueError(f"The chunks of y must have the same columns. Got {sorted(shapes)}.")
    ((one_axis, _),) = shapes
    return one_axis


class TargetStatistics(NamedTuple):
    """Statistics of the targets, each of shape (n_outputs,).

    `squares` is the weighted sum of squared deviations from the mean.
    """

    low: Array
    high: Array
    mean: Array
    squares: Array


class Summary(NamedTuple):
    """A group of rows: their number and weight, both per class too, and targets in regression."""

    n_samples: int
    weight: float
    counts: Array
    class_totals: Array
    targets: TargetStatistics | None = None


class StridedBatch(NamedTuple):
    """A batch: every `n_steps`-th row from row `step` on, in shuffled order if there is a seed.

    `share` is the number of rows times the mean weight of all rows, as for all batches.
    """

    share: float
    step: int = 0
    n_steps: int = 1
    seed: int | None = None


def strided(
    n_samples: int, n_steps: int, total_weight: float, seed: int | None
) -> Iterator[StridedBatch]:
    """Yield the batches of an epoch, whose sizes differ by one row at most."""
    for step in range(n_steps):
        share = len(range(step, n_samples, n_steps)) * total_weight / n_samples
        yield StridedBatch(share, step, n_steps, seed)


class Partition(Generic[R]):
    """The rows of a chunk, by its number, in groups: "all", or "train" and "held_out"."""

    def __init__(self, number: int, rows: R) -> None:
        self.number = number
        self.groups: dict[str, R] = {"all": rows}
        self._starts: dict[str, int] = {}
        self._order: tuple[tuple[str, int], Array] | None = None

    def codes(self, group: str) -> Array:
        """Return the class of each row of a group; 0 in regression."""
        return np.zeros(self.groups[group].X.shape[0], int)

    def targets(self, network: Network, group: str, ends: Ends | None) -> Rows:
        """Return the rows of a group with numbers as targets."""
        raise NotImplementedError

    def set_aside(self, fraction: float, seed: int, before: Mapping[int, Array]) -> None:
        """Split the rows into a training and a validation set, stratified by class.

        `fraction` is that of the rows of all partitions to validate on, and `before` has, for each
        partition, the number of rows per class in the partitions before it.
        """
        codes, rows = self.codes("all"), self.groups.pop("all")
        order = np.random.default_rng([seed, self.number]).permutation(len(codes))
        first = before[self.number]
        held_out = np.zeros(len(order), bool)
        for k, count in enumerate(np.bincount(codes, minlength=len(first))):
            n_before = math.ceil(fraction * first[k])
            n_held_out = math.ceil(fraction * (first[k] + count)) - n_before
            held_out[order[np.flatnonzero(codes[order] == k)[:n_held_out]]] = True
        for name, kept in (("held_out", held_out), ("train", ~held_out)):
            numbers = np.flatnonzero(kept)
            self.groups[name] = _select(rows, numbers, _view(rows.X, numbers))

    def set_start(self, group: str, starts: Mapping[int, int]) -> None:
        """Set the number of rows of a group in the partitions before this one."""
        self._starts[group] = starts[self.number]

    def summary(self, _: None, group: str) -> Summary:
        """Return the summary of a group."""
        weights, codes = self.groups[group].weights, self.codes(group)
        weight = float(len(codes) if weights is None else weights.sum())
        counts, totals = np.bincount(codes), np.bincount(codes, weights)
        return Summary(len(codes), weight, counts, totals, self._statistics(group))

    def _statistics(self, group: str) -> TargetStatistics | None:
        return None

    def moments_with_ones(
        self, _: None, group: str, columns: ColumnScaling | None
    ) -> tuple[Array, Array, Array, float]:
        """Return the moments of X, its columns scaled, and a column of ones."""
        rows = self.groups[group]
        moments = moments_with_ones(rows.X, rows.weights, columns)
        return moments.xx, moments.xy, moments.yy, moments.weight

    def column_moments(self, _: None, group: str) -> tuple[ColumnMoments, bool] | None:
        """Return the moments of the columns, and whether X is sparse; None without rows."""
        rows = self.groups[group]
        if not rows.X.shape[0]:
            return None
        return ColumnMoments.of(rows.X, rows.weights), sparse.issparse(rows.X)

    def sample_of_columns(
        self, _: None, group: str, numbers: Array | None, columns: slice
    ) -> tuple[Matrix, Array | None]:
        """Return some columns and the weights of this partition's rows of a sample.

        The sample has the rows of the given numbers, which count the rows of the group in all
        partitions; None: all rows.
        """
        X, weights = self.groups[group].X, self.groups[group].weights
        picked = self._picked(group, numbers)
        if sparse.issparse(X):
            X = X[picked][:, columns]
        elif isinstance(X, PickedRows):
            X = X.X[X.rows[picked], columns]
        else:
            X = X[picked, columns]
        return X, None if weights is None else weights[picked]

    def _picked(self, group: str, numbers: Array | None) -> slice | Array:
        """Return the rows of this partition with the given numbers among those of all."""
        if numbers is None:
            return slice(None)
        numbers = numbers - self._starts[group]
        return numbers[(numbers >= 0) & (numbers < self.groups[group].X.shape[0])]

    def loss(
        self, network: Network, group: str, ends: Ends | None, parameters: Array
    ) -> tuple[float]:
        """Return the summed loss of a group."""
        rows = self.targets(network, group, ends)
        return (summed_loss(network, parameters, rows),)

    def gradient(
        self,
        network: Network,
        group: str,
        ends: Ends | None,
        parameters: Array,
        batch: StridedBatch,
        step: int | None,
    ) -> tuple[float, Array]:
        """Return the summed loss of this partition's rows of a batch, and their gradient."""
        rows, start = self.targets(network, group, ends), self._starts[group]
        first = (batch.step - start) % batch.n_steps
        if batch.n_steps > 1:
            picked: slice | Array = slice(first, None, batch.n_steps)
            if batch.seed is not None:
                picked = self._shuffled(group, rows.n_samples, batch.seed)[picked]
            rows = _select(rows, picked, rows.X[picked])
        if not rows.n_samples:
            return 0.0, np.zeros(network.size, network.dtype)
        first_in_batch = (start + first - batch.step) // batch.n_steps
        loss, gradient = network(parameters, *rows, batch.share, step, first_in_batch)
        return loss, gradient.copy()

    def _shuffled(self, group: str, n_samples: int, seed: int) -> Array:
        """Return the order of the rows in the epoch of a seed."""
        if self._order is None or self._order[0] != (group, seed):
            generator = np.random.default_rng([seed, self.number])
            self._order = (group, seed), generator.permutation(n_samples)
        return self._order[1]


class RegressionPartition(Partition[Rows]):
    """A partition whose targets are numbers."""

    def targets(self, network: Network, group: str, ends: Ends | None) -> Rows:
        return self.groups[group]

    def sample_of_targets(
        self, _: None, group: str, numbers: Array | None
    ) -> tuple[Array, Array | None]:
        """Return the targets and the weights of this partition's rows of a sample."""
        _X, y, weights = self.groups[group]
        picked = self._picked(group, numbers)
        return y[picked], None if weights is None else weights[picked]

    def constant_losses(
        self, network: Network, group: str, _: Ends | None, constants: Array
    ) -> tuple[Array]:
        """Return the summed losses (n_outputs,) of constant predictions."""
        _X, y, weights = self.groups[group]
        y_pred = np.broadcast_to(constants, (len(y), len(constants))).astype(y.dtype)
        losses = network.loss.value(y, y_pred).astype(np.float64, copy=False)
        return (losses.sum(axis=0) if weights is None else weights @ losses,)

    def _statistics(self, group: str) -> TargetStatistics | None:
        _, y, weights = self.groups[group]
        if not len(y):
            return None
        y = y.astype(np.float64, copy=False)
        weights = np.ones(len(y)) if weights is None else weights
        mean = np.average(y, axis=0, weights=weights)
        return TargetStatistics(
            y.min(axis=0), y.max(axis=0), mean, squares=weights @ (y - mean) ** 2
        )


class LabelledPartition(Partition[LabelledRows]):
    """A partition whose targets are labels, once encoded the codes of their classes."""

    def encode(self, classes: Array) -> None:
        """Replace the labels by codes."""
        rows = self.groups["all"]
        codes = np.searchsorted(classes, rows.codes).astype(np.int32)
        self.groups["all"] = rows._replace(codes=codes)

    def weigh(self, class_weights: Array, by_neuron: bool) -> None:
        """Apply class weights."""
        rows = self.groups["all"].weighed(class_weights, by_neuron)
        if rows.weights is not None and not rows.weights.all():
            numbers = np.flatnonzero(rows.weights)
            rows = _select(rows, numbers, _view(rows.X, numbers))
        self.groups["all"] = rows

    def codes(self, group: str) -> Array:
        return self.groups[group].codes

    def targets(self, network: Network, group: str, ends: Ends | None) -> Rows:
        assert ends is not None
        X, codes, weights, _ = self.groups[group]
        return Rows(X, OneHot(codes, network.n_outputs, network.dtype, ends=ends), weights)

    def rosenblatt(
        self, learner: Rosenblatt, group: str, start: Array, rate: float, seed: int | None
    ) -> tuple[int, Array, float, int, Array]:
        """Run an epoch of Rosenblatt's rule over a group.

        Returns the number of mistakes, the parameters times this number, the summed loss, the
        number of visits, and the average parameters times this number.
        """
        rows = self.groups[group]
        learner.begin(start)
        if seed is not None:
            learner.generator = np.random.default_rng([seed, self.number])
        learner.learn_from(rows, shuffle=seed is not None)
        loss = 0.0
        if len(rows.codes):
            loss = learner.run_epoch(rate) * rows.total(learner.n_neurons)
        k, visits = learner.updates, learner.visits
        parameters = (learner.parameters if k else start).astype(np.float64)
        return k, k * parameters, loss, visits, np.float64(visits) * learner.averaged()

    def rosenblatt_loss(self, learner: Rosenblatt, group: str, weights: Array) -> tuple[float]:
        """Return the summed loss of step neurons."""
        rows = self.groups[group]
        if not len(rows.codes):
            return (0.0,)
        return (learner.mean_loss_over(rows, weights) * rows.total(learner.n_neurons),)

    def rosenblatt_constant_losses(self, learner: Rosenblatt, group: str) -> tuple[Array]:
        """Return the summed losses (2, n_neurons) of neurons that never, or always, fire."""
        return (learner.constant_losses(self.groups[group]),)

    def total(self, _: None, group: str, n_neurons: int) -> tuple[float]:
        """Return the sum of all weights, over rows and neurons."""
        return (self.groups[group].total(n_neurons),)


def summed_loss(network: Network, parameters: Array, rows: Rows) -> float:
    """Return the loss of a network summed over rows, of which there may be none."""
    if not rows.n_samples:
        return 0.0
    weight = rows.n_samples if rows.weights is None else rows.weights.sum()
    return network.mean_loss(parameters, *rows) * float(weight)


def _select(rows: R, picked: slice | Array, X: Matrix) -> R:
    """Return some of the rows, whose X is given."""
    make: Any = type(rows)
    weights = None if rows.weights is None else rows.weights[picked]
    return make(X, rows[1][picked], weights, *rows[3:])


def _view(X: Matrix, numbers: Array) -> Matrix:
    """Return rows of X, without a copy if it is dense: it may be in a file."""
    if sparse.issparse(X):
        return X[numbers]
    return (
        PickedRows(X.X, X.rows[numbers]) if isinstance(X, PickedRows) else PickedRows(X, numbers)
    )
