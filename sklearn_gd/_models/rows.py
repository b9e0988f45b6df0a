"""The rows of a fit, and a network's objective over them.

All that a descent asks of its rows is asked here. Rows that lie elsewhere, on the workers of a
cluster, answer to the same calls, and the loops over them stay as they are.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from sklearn.utils.validation import assert_all_finite

from sklearn_gd._data.batches import Batch, Batches
from sklearn_gd._data.split import set_aside
from sklearn_gd._models.curvature import Curvature, is_well_conditioned, uses_moments
from sklearn_gd._models.least_squares import Moments, is_narrow
from sklearn_gd._models.network import Network
from sklearn_gd._pieces import Array, DType, Matrix
from sklearn_gd.solvers import Solver

T = TypeVar("T")


class OnHost:
    """Rows whose parameters and steps are NumPy's: nothing moves to a device."""

    __slots__ = ()

    def to_device(self, array: T) -> T:
        """Return an array of NumPy's as one that lies where these rows do: itself."""
        return array

    def memory_to_device(self, solver: Solver) -> None:
        """Move what a solver remembers to where these rows lie: it is there."""


class _XyWeights(NamedTuple):
    X: Matrix
    y: Array
    weights: Array | None


class Rows(OnHost, _XyWeights):
    """Rows with targets, to train or validate on.

    X (n_samples, n_features) is dense, CSR or some picked rows, y is (n_samples, n_outputs),
    weights are (n_samples,) or None.
    """

    __slots__ = ()

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    @property
    def n_outputs(self) -> int:
        return int(self.y.shape[1])

    @property
    def dtype(self) -> DType:
        dtype: DType = self.X.dtype
        return dtype

    def objective(self, network: Network) -> OnRows:
        """Return the objective of a network over these rows."""
        return OnRows(network, self)

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[Rows, Rows, Array]:
        """Return rows to train on, rows to validate on, and the numbers of the former."""
        return set_aside(self, fraction, generator)

    def target_ends(self) -> tuple[float, float]:
        """Return the smallest and the largest target."""
        return float(self.y.min()), float(self.y.max())

    def target_spread(self) -> Array:
        """Return the standard deviation of each output's targets."""
        mean = np.average(self.y, axis=0, weights=self.weights)
        variance = np.average((self.y - mean) ** 2, axis=0, weights=self.weights)
        spread: Array = np.sqrt(variance)
        return spread

    def curvature(self, factor: float, alpha: float) -> Curvature:
        """Return the curvature of a linear model's objective over these rows."""
        return Curvature(self.X, self.weights, factor, alpha)

    @property
    def uses_moments(self) -> bool:
        """Whether their moments are the cheaper thing to iterate on."""
        return uses_moments(self.X)

    def moments(self) -> Moments:
        """Return the moments of the rows, in X's precision where that is enough."""
        none = Moments(self.n_features, self.n_outputs)
        if self.dtype != np.float64 and not is_narrow(self.X, self.y):
            try:
                moments = none.added(*self, exact=False)
            except ValueError:  # squares that overflow, or no numbers: seen again below
                pass
            else:
                if is_well_conditioned(moments):
                    return moments
        return none.added(*self)

    def require_finite(self) -> None:
        """Raise a ValueError where X holds what is no finite number."""
        assert_all_finite(self.X, input_name="X")


class OnRows:
    """The loss of a network over fixed rows, and its gradient: over all of them, or by batches.

    Parameters
    ----------
    network : Network
    rows : Rows
    """

    def __init__(self, network: Network, rows: Rows) -> None:
        self.network, self.rows = network, rows
        self.size = network.size

    def on_batch(self, parameters: Array, batch: Batch) -> tuple[float, Array]:
        """Return the summed loss of a batch, and its share of the gradient."""
        return self.network(parameters, *batch)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Return the mean loss and the gradient over all rows."""
        return self.network.over_all_rows(parameters, *self.rows)

    def mean_loss(self, parameters: Array) -> float:
        """Return the mean loss over rows and outputs, without the penalty."""
        return self.network.mean_loss(parameters, *self.rows)

    def baseline_loss(self) -> float:
        """Return the loss of the best constant prediction, which tolerances are relative to."""
        return self.network.loss._baseline(self.rows.y, self.rows.weights)

    def batches(self, size: int, generator: np.random.Generator | None) -> Batches:
        """Return the batches of each epoch, whose items ``on_batch`` takes."""
        return Batches(*self.rows, size, generator)

    def of(self, network: Network) -> OnRows:
        """Return the objective of another network over the same rows."""
        return self.rows.objective(network)
