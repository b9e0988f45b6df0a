"""The interfaces of datasets and of objectives over them.

Each has three implementations: NumPy rows (`rows.py`), arrays of other libraries
(`array_rows.py`), and rows on the workers of a Dask cluster (``sklearn_gd.dask``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np

from sklearn_gd._models.curvature import Curvature
from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.network import Network
from sklearn_gd._pieces import Array, DeviceArray, DType
from sklearn_gd.solvers import Solver

T = TypeVar("T")
Batch = tuple[Any, ...]  # the argument of ``on_batch`` of the same objective


class Batches(Protocol):
    """The batches of an epoch; iterate over it once per epoch.

    Attributes
    ----------
    total_weight : float
        Sum of the sample weights.
    """

    @property
    def total_weight(self) -> float: ...

    def __iter__(self) -> Iterator[Batch]: ...


class Objective(Protocol):
    """A mean loss over fixed rows, as a function of one flat parameter vector."""

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Return the mean loss, without the penalty, and the gradient, with it.

        The gradient may be divided by a constant, the loss is not.
        """


class Batchwise(Protocol):
    """A loss by batches."""

    def on_batch(self, parameters: Array, batch: Batch, step: int) -> tuple[float, Array]:
        """Return the summed loss of a batch, and its share of the gradient.

        Dropout depends on the number of the step.
        """


class Descending(Protocol):
    """A learner that takes a step on each batch."""

    def descend(self, objective: Batchwise, batches: Iterable[Batch], rate: float) -> DeviceArray:
        """Return the summed loss of the batches, after a step on each."""


class NetworkObjective(Objective, Batchwise, Protocol):
    """The loss of a network over fixed rows, over all of them or by batches."""

    @property
    def network(self) -> Network: ...

    @property
    def rows(self) -> Dataset: ...

    def run_steps(self, learner: Descending, batches: Any, rate: float) -> DeviceArray:
        """Have the learner descend on the batches, here or elsewhere; return their summed loss."""

    def mean_loss(self, parameters: Array) -> float:
        """Return the mean loss over rows and outputs, without the penalty."""

    def best_constant(self) -> Array:
        """Return the constant prediction (n_outputs,) with the smallest mean loss."""

    def baseline_loss(self) -> float:
        """Return the loss of the best constant prediction."""

    def batches(self, size: int, generator: np.random.Generator | None) -> Batches:
        """Return the batches for ``on_batch``."""


class Dataset(Protocol):
    """Rows with targets, for training or validation."""

    @property
    def n_samples(self) -> int: ...

    @property
    def n_features(self) -> int: ...

    @property
    def n_outputs(self) -> int: ...

    @property
    def dtype(self) -> DType: ...

    def objective(self, network: Network) -> NetworkObjective:
        """Return the objective of a network over these rows."""

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[Dataset, Dataset, Array | None]:
        """Return a training set, a validation set, and the row numbers of the former or None."""

    def target_ends(self) -> tuple[float, float]:
        """Return the smallest and the largest target."""

    def target_moments(self) -> tuple[Array, Array]:
        """Return the mean and the standard deviation of each output's targets."""

    def column_scale(self, kind: str) -> tuple[Array, Array]:
        """Return the center and the scale of each column, "robust" or "standard"."""

    def curvature(self, factor: float, alpha: float) -> Curvature:
        """Return the curvature of a linear model's objective over these rows."""

    def to_device(self, array: T) -> T:
        """Return a NumPy array as an array on the device of the rows; a number as it is."""

    def memory_to_device(self, solver: Solver) -> None:
        """Move the state of a solver to the device of the rows."""


class ClassDataset(Dataset, Protocol):
    """Rows whose targets are classes."""

    @property
    def class_weights(self) -> Array | None:
        """Weight of each class, which the weights of the rows have as a factor."""


class LineDataset(Dataset, Protocol):
    """Rows for a linear model, which may be fitted from their moments."""

    @property
    def uses_moments(self) -> bool:
        """Whether iterations on the moments are cheaper than on the rows."""

    def moments(self) -> Moments:
        """Return the moments, which the squared error is a function of."""

    def require_finite(self) -> None:
        """Raise a ValueError if X is not finite."""
