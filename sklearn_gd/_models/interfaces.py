"""What a fit asks of its rows, wherever they lie, and of a loss over them.

There are three implementations of each: NumPy's (`rows.py`), arrays of other libraries
(`array_rows.py`), and rows on the workers of a Dask cluster (``sklearn_gd.dask``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

import numpy as np

from sklearn_gd._models.curvature import Curvature
from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.network import Network
from sklearn_gd._pieces import Array, DType
from sklearn_gd.solvers import Solver

T = TypeVar("T")
Batch = tuple[Any, ...]  # what an objective's own ``on_batch`` takes


class Batches(Protocol):
    """The batches of each epoch; iterate over it once per epoch.

    Attributes
    ----------
    total_weight : float
        Sum of the weights of all rows.
    """

    @property
    def total_weight(self) -> float: ...

    def __iter__(self) -> Iterator[Batch]: ...


class Objective(Protocol):
    """A mean loss over fixed rows, as a function of one flat parameter vector."""

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Return the mean loss, without the penalty, and the gradient, with it."""


class NetworkObjective(Objective, Protocol):
    """The loss of a network over fixed rows, over all of them or by batches."""

    @property
    def network(self) -> Network: ...

    @property
    def rows(self) -> Dataset: ...

    def on_batch(self, parameters: Array, batch: Batch) -> tuple[float, Array]:
        """Return the summed loss of a batch, and its share of the gradient."""

    def mean_loss(self, parameters: Array) -> float:
        """Return the mean loss over rows and outputs, without the penalty."""

    def baseline_loss(self) -> float:
        """Return the loss of the best constant prediction, which tolerances are relative to."""

    def batches(self, size: int, generator: np.random.Generator | None) -> Batches:
        """Return the batches of each epoch, whose items ``on_batch`` takes."""


class Dataset(Protocol):
    """Rows with targets, to train or validate on."""

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
        """Return rows to train on, rows to validate on, and the numbers of the former if known."""

    def target_ends(self) -> tuple[float, float]:
        """Return the smallest and the largest target."""

    def target_spread(self) -> Array:
        """Return the standard deviation of each output's targets."""

    def curvature(self, factor: float, alpha: float) -> Curvature:
        """Return the curvature of a linear model's objective over these rows."""

    def to_device(self, array: T) -> T:
        """Return an array of NumPy's as one that lies where these rows do; a number as it is."""

    def memory_to_device(self, solver: Solver) -> None:
        """Move what a solver remembers to where these rows lie."""


class LineDataset(Dataset, Protocol):
    """Rows that a line can be fitted to by their moments."""

    @property
    def uses_moments(self) -> bool:
        """Whether their moments are the cheaper thing to iterate on."""

    def moments(self) -> Moments:
        """Return the sums of products over the rows that the squared error depends on."""

    def require_finite(self) -> None:
        """Raise a ValueError where X holds what is no finite number."""
