"""Rows on workers, and objectives and learners over them; see `_models/interfaces.py`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from copy import copy
from functools import partial, reduce
from typing import Any, Self

import cloudpickle
import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse

from sklearn_gd._data.labels import n_outputs_for
from sklearn_gd._models.class_rows import OneHot
from sklearn_gd._models.curvature import Curvature
from sklearn_gd._models.interfaces import Batch
from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import OnHost, Rows
from sklearn_gd._models.scaling import (
    SAMPLE,
    ColumnMoments,
    ColumnScaling,
    checked_scale,
    column_scale,
    sampled,
)
from sklearn_gd._pieces import Array
from sklearn_gd._training.learner import State
from sklearn_gd._training.learners import GradientLearner, Rosenblatt
from sklearn_gd.dask._partition import Ends, StridedBatch, Summary, TargetStatistics, strided
from sklearn_gd.dask._shard import Sums, pickled_network
from sklearn_gd.dask._workers import Workers
from sklearn_gd.losses import Poisson, SquaredError

# Number of values of a sample that come from the workers at once.
_BLOCK = 1 << 23


# Number of steps of an epoch that are worth a warning: rounds take a millisecond and more.
_MANY_STEPS = 5_000


class DistributedRows(OnHost):
    """A group of the rows that were loaded as `source`: the counterpart of `Rows` on workers."""

    target_values: Ends | None = None

    def __init__(self, workers: Workers, source: str, n_features: int, dtype: DTypeLike) -> None:
        self._workers, self._source = workers, source
        self.n_features, self.dtype = n_features, np.dtype(dtype)
        self._set_group("all")

    def _set_group(self, group: str) -> None:
        workers, source = self._workers, self._source
        self._group = group
        self._totals: dict[int, float] = {}
        self._summaries: dict[int, Summary] = workers.each(source, "summary", group)
        self.n_samples, self.total_weight = 0, 0.0
        starts = {}
        for number, summary in self._summaries.items():
            starts[number] = self.n_samples
            self.n_samples += summary.n_samples
            self.total_weight += summary.weight
        workers.run(source, "set_start", group, starts)

    def total_of(self, model: bytes | None, method: str, *arguments: object) -> Sums:
        """Return the sum of a method of `Partition` over this group's rows."""
        return self._workers.total(self._source, model, method, self._group, *arguments)

    def epoch(
        self,
        learner: GradientLearner,
        models: tuple[bytes, bytes],
        batches: tuple[int, int, float, int | None],
        rate: float,
    ) -> tuple[float, State] | None:
        """Return the summed loss and the learner's state after an epoch on the workers.

        None if these do not reach one another. See `Shard.epoch` for the arguments.
        """
        rows = self._group, self.target_values
        return self._workers.epoch(self._source, learner, models, rows, batches, rate)

    def objective(self, network: Network) -> DistributedObjective:
        return DistributedObjective(network, self)

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[Self, Self, None]:
        counts = [summary.counts for summary in self._summaries.values()]
        before, so_far = {}, np.zeros(max(map(len, counts)), int)
        for number, count in zip(self._summaries, counts, strict=True):
            before[number] = so_far.copy()
            so_far[: len(count)] += count
        held_out = np.ceil(fraction * so_far).astype(int)
        if (so_far[so_far > 0] < 2).any() or (held_out >= so_far)[so_far > 0].any():
            by_class = f", by class {so_far.tolist()}" if len(so_far) > 1 else ""
            raise ValueError(
                f"early_stopping=True cannot set aside validation_fraction={fraction} of "
                f"{self.n_samples} rows{by_class}. Give X_val and y_val, or more rows."
            )
        seed = int(generator.integers(2**63))
        self._workers.run(self._source, "set_aside", fraction, seed, before)
        return self._group_of("train"), self._group_of("held_out"), None

    def _group_of(self, group: str) -> Self:
        rows = copy(self)
        rows._set_group(group)
        return rows

    @property
    def n_outputs(self) -> int:
        return len(self._statistics()[0][1].mean)

    def target_ends(self) -> tuple[float, float]:
        statistics = [each for _, each in self._statistics()]
        return min(s.low.min() for s in statistics), max(s.high.max() for s in statistics)

    def target_moments(self) -> tuple[Array, Array]:
        statistics = self._statistics()
        mean = np.asarray(sum(w * s.mean for w, s in statistics) / self.total_weight)
        squares = np.asarray(sum(s.squares + w * (s.mean - mean) ** 2 for w, s in statistics))
        return mean, np.sqrt(squares / self.total_weight)

    def column_scale(self, kind: str, *, centred: bool = True) -> tuple[Array, Array]:
        if kind == "robust":
            blocks = [self._robust_scale(columns) for columns in self._column_blocks()]
            center, scale = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
            return center, scale
        found = [each for each in self._each("column_moments") if each is not None]
        moments = reduce(ColumnMoments.joined, (of_part for of_part, _ in found))
        centred = centred and not any(sparse_part for _, sparse_part in found)
        center = moments.mean if centred else np.zeros(self.n_features)
        return checked_scale(center, moments.scale(), self.dtype)

    def _column_blocks(self) -> Iterator[slice]:
        """Yield slices of columns, whose sample needs little memory."""
        width = max(1, _BLOCK // min(self.n_samples, SAMPLE))
        for start in range(0, self.n_features, width):
            yield slice(start, min(start + width, self.n_features))

    def _robust_scale(self, columns: slice) -> tuple[Array, Array]:
        """Return center and scale of some columns, from a sample of the rows, always the same."""
        parts, weights = self._sample("sample_of_columns", columns)
        if any(map(sparse.issparse, parts)):
            return column_scale("robust", sparse.vstack(parts, format="csr"), weights)
        return column_scale("robust", np.concatenate(parts), weights)

    def sample_of_targets(self) -> tuple[Array, Array | None]:
        """Return targets and weights of the rows that quantiles are found on."""
        parts, weights = self._sample("sample_of_targets")
        return np.concatenate(parts), weights

    def _sample(self, method: str, *arguments: object) -> tuple[list[Any], Array | None]:
        """Return what a method gives of each partition's rows of a sample, and their weights."""
        found = self._each(method, sampled(self.n_samples), *arguments)
        parts, weights = zip(*found, strict=True)
        return list(parts), None if weights[0] is None else np.concatenate(weights)

    def _each(self, method: str, *arguments: object) -> list[Any]:
        """Return the results of a method of each partition."""
        results = self._workers.each(self._source, method, self._group, *arguments)
        return list(results.values())

    def _statistics(self) -> list[tuple[float, TargetStatistics]]:
        """Return the weight and the statistics of the targets of each partition with rows."""
        summaries = self._summaries.values()
        return [(s.weight, s.targets) for s in summaries if s.targets is not None]

    def curvature(
        self,
        factor: float,
        alpha: float,
        *,
        intercept: bool = False,
        columns: ColumnScaling | None = None,
    ) -> Curvature:
        moments = Moments(self.n_features, 1)
        sums = self.total_of(None, "moments_with_ones", columns)
        moments.xx, moments.xy, moments.yy, moments.weight = sums
        return Curvature(moments, None, factor, alpha, intercept=intercept)

    def require_finite(self) -> None:
        """Do nothing: the workers have checked each chunk."""


class DistributedLabelledRows(DistributedRows):
    """The counterpart of `LabelledRows` and `ClassRows` on workers.

    The targets of a row are 1 for its class and 0 for others, unless an objective has other ones.
    """

    target_values: Ends = 0.0, 1.0
    class_weights: Array | None = None

    def __init__(
        self, workers: Workers, source: str, n_features: int, dtype: DTypeLike, classes: Array
    ) -> None:
        self.classes = classes
        super().__init__(workers, source, n_features, dtype)

    def objective(self, network: Network, *target_values: float) -> DistributedClassObjective:
        rows = copy(self)
        if target_values:
            low, high = target_values
            rows.target_values = low, high
        return DistributedClassObjective(network, rows)

    @property
    def n_outputs(self) -> int:
        return n_outputs_for(self.classes)

    def targets(self) -> tuple[Array, Array]:
        """Return the different targets, and the total weight of the rows that have each."""
        codes = np.arange(len(self.classes))
        each = OneHot(codes, self.n_outputs, self.dtype, ends=self.target_values)
        return each.different(self.class_totals())

    def target_ends(self) -> tuple[float, float]:
        return min(self.target_values), max(self.target_values)

    def target_moments(self) -> tuple[Array, Array]:
        targets, totals = self.targets()
        return Rows(targets, targets, totals).target_moments()

    def class_totals(self) -> Array:
        """Return the total weight of the rows of each class."""
        totals = np.zeros(len(self.classes))
        for summary in self._summaries.values():
            totals[: len(summary.class_totals)] += summary.class_totals
        return totals

    def counts(self, n_classes: int) -> Array:
        """Return the number of rows of each class."""
        counts = np.zeros(n_classes, int)
        for summary in self._summaries.values():
            counts[: len(summary.counts)] += summary.counts
        return counts

    def weighed(self, class_weights: Array | None, by_neuron: bool) -> Self:
        """Apply class weights: to the rows, or to the neuron of each row's class."""
        if class_weights is None:
            return self
        self._workers.run(self._source, "weigh", class_weights, by_neuron)
        rows = self._group_of(self._group)
        rows.class_weights = class_weights
        return rows

    def total(self, n_neurons: int) -> float:
        """Return the sum of all weights, over rows and neurons."""
        if n_neurons not in self._totals:
            self._totals[n_neurons] = self.total_of(None, "total", n_neurons)[0]
        return self._totals[n_neurons]


class DistributedObjective:
    """The loss of a network over rows on workers, and its gradient.

    Each worker receives the parameters, and returns the sum over its partitions.
    """

    def __init__(self, network: Network, rows: DistributedRows) -> None:
        self.network, self.rows = network, rows
        self._model = pickled_network(network)
        self._penalised = pickled_network(network, network.alpha)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        total_weight = self.rows.total_weight
        loss, gradient = self.on_batch(parameters, StridedBatch(total_weight), None)
        return loss / total_weight, gradient

    def on_batch(self, parameters: Array, batch: Batch, step: int | None) -> tuple[float, Array]:
        loss, gradient = self._total("gradient", parameters, batch, step)
        self.network.add_penalty(parameters, gradient)
        return loss, gradient

    def run_steps(self, learner: GradientLearner, batches: StridedBatches, rate: float) -> float:
        """Return the summed loss of the batches, after a step of the learner on each.

        The workers take the steps, if they can send their gradients to one another.
        """
        drawn = batches.drawn()
        found = self.rows.epoch(learner, (self._model, self._penalised), drawn, rate)
        if found is None:
            return learner.descend(self, strided(*drawn), rate)
        total, state = found
        learner.restore(state)
        return total

    def mean_loss(self, parameters: Array) -> float:
        (loss,) = self._total("loss", parameters)
        return float(loss / self.rows.total_weight)

    def best_constant(self) -> Array:
        loss, rows = self.network.loss, self.rows
        if type(loss) in (SquaredError, Poisson):  # it depends on the mean of the targets alone
            mean, _ = rows.target_moments()
            return loss._best_constant(mean[None], None)
        return loss._best_constant(*rows.sample_of_targets())

    def baseline_loss(self) -> float:
        n_outputs, dtype = self.network.n_outputs, self.network.dtype
        largest = np.abs(self.rows.target_ends()).max()
        with np.errstate(all="ignore"):
            constant = self._constant_losses(self.best_constant()).sum() / self.network.divisor
            zero = self._constant_losses(np.zeros(n_outputs)).sum() / self.network.divisor
            return self.network.loss._unless_rounding(
                float(constant), float(zero), np.full((1, 1), largest, dtype)
            )

    def batches(self, size: int, generator: np.random.Generator | None) -> StridedBatches:
        batches = StridedBatches(self.rows, size, generator)
        if batches.n_steps > _MANY_STEPS:
            warnings.warn(
                f"An epoch has {batches.n_steps:,} steps, of {size:,} samples each, and each step "
                "is a round of messages between the workers. Set batch_size, for example to "
                f"{-(-self.rows.n_samples // 100):,}.",
                UserWarning,
                stacklevel=2,
            )
        return batches

    def _total(self, method: str, *arguments: object) -> Sums:
        return self.rows.total_of(self._model, method, self.rows.target_values, *arguments)

    def _constant_losses(self, constants: Array) -> Array:
        """Return the mean loss (n_outputs,) of constant predictions."""
        (losses,) = self._total("constant_losses", constants)
        return np.asarray(losses) / self.rows.total_weight


class DistributedClassObjective(DistributedObjective):
    """The loss over rows with classes, whose targets are known from the weights of the classes."""

    rows: DistributedLabelledRows

    def best_constant(self) -> Array:
        return self.network.loss._best_constant(*self.rows.targets())

    def baseline_loss(self) -> float:
        return self.network.loss._baseline(*self.rows.targets())


class StridedBatches:
    """Batches with rows of every partition.

    The rows of all partitions, those of each shuffled, are distributed over the steps of an epoch
    in turn, so that the sizes of batches differ by one row at most. Without a generator, rows are
    not shuffled.
    """

    def __init__(
        self, rows: DistributedRows, size: int, generator: np.random.Generator | None
    ) -> None:
        self._n_samples, self._generator = rows.n_samples, generator
        self.n_steps = -(-rows.n_samples // size)
        self.total_weight = rows.total_weight

    def __iter__(self) -> Iterator[StridedBatch]:
        return strided(*self.drawn())

    def drawn(self) -> tuple[int, int, float, int | None]:
        """Draw the order of the rows in an epoch; return the arguments of `strided`."""
        seed = None
        if self._generator is not None and self.n_steps > 1:
            seed = int(self._generator.integers(2**63))
        return self._n_samples, self.n_steps, self.total_weight, seed


class MixedRosenblatt(Rosenblatt):
    """Rosenblatt's rule by iterative parameter mixing.

    Every partition runs an epoch from the same weights; the results are averaged, with the numbers
    of mistakes as weights. On separable rows it ends without a mistake.

    References
    ----------
    R. McDonald, K. Hall, G. Mann, "Distributed training strategies for the structured
    perceptron", NAACL 2010.
    """

    rows: Any

    def __init__(self, *memory: Any, **settings: Any) -> None:
        super().__init__(*memory, **settings)
        shape, dtype, _, schedule, _, fixed = memory
        # A worker sets the weights and the generator for each epoch.
        make = partial(Rosenblatt, shape, dtype, None, schedule, None, fixed, **settings)
        self._model: bytes = cloudpickle.dumps(make)

    def run_epoch(self, rate: float) -> float:
        seed = None
        if self.shuffle and self.generator is not None:
            seed = int(self.generator.integers(2**63))
        mistakes, parameters, loss, visits, total = self.rows.total_of(
            self._model, "rosenblatt", self.parameters, rate, seed
        )
        self.finished = not mistakes
        self.updates += mistakes
        if mistakes:
            self.parameters = (parameters / mistakes).astype(self.parameters.dtype)
        if self.average:
            self.sum = self.sum + total
            self.visits += visits
        return float(loss / self.rows.total(self.n_neurons))

    def averaged(self) -> Array:
        if not (self.average and self.visits):
            return self.parameters
        mean: Array = self.sum / self.visits
        return mean

    def mean_loss_over(self, rows: Any, weights: Array) -> float:
        (loss,) = rows.total_of(self._model, "rosenblatt_loss", weights)
        return float(loss / rows.total(self.n_neurons))

    def constant_losses(self, rows: Any) -> Array:
        (losses,) = rows.total_of(self._model, "rosenblatt_constant_losses")
        return np.asarray(losses)
