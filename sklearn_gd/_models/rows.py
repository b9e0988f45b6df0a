"""NumPy rows, and a network's objective over them; see interfaces.py for the methods."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import assert_all_finite

from sklearn_gd._data.array_api import all_as_numpy
from sklearn_gd._data.batches import Batch, Batches
from sklearn_gd._data.split import set_aside
from sklearn_gd._data.validation import check_regression, check_weights
from sklearn_gd._models.curvature import Curvature, is_well_conditioned, uses_moments
from sklearn_gd._models.interfaces import Descending
from sklearn_gd._models.least_squares import Moments, is_narrow
from sklearn_gd._models.network import Network
from sklearn_gd._models.scaling import column_scale
from sklearn_gd._pieces import Array, ArrayLike, DeviceArray, DType, Matrix, Targets
from sklearn_gd.losses import Loss
from sklearn_gd.solvers import Solver

T = TypeVar("T")


class OnHost:
    """Mixin for rows whose parameters are NumPy arrays: nothing moves to a device."""

    __slots__ = ()

    def to_device(self, array: T) -> T:
        return array

    def memory_to_device(self, solver: Solver) -> None:
        pass


class _XyWeights(NamedTuple):
    X: Matrix
    y: Targets
    weights: Array | None


class Rows(OnHost, _XyWeights):
    """Rows with targets, to train or validate on.

    X (n_samples, n_features) is dense, CSR or some picked rows, y is (n_samples, n_outputs),
    weights are (n_samples,) or None.
    """

    __slots__ = ()

    @classmethod
    def checked(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        reset: bool = True,
        look_at_all: bool = True,
    ) -> tuple[Rows, bool]:
        """Return rows of a regression as they were given, and whether y has one axis."""
        y, sample_weight = all_as_numpy(y, sample_weight)
        X, y, one_axis = check_regression(estimator, X, y, reset=reset, look_at_all=look_at_all)
        return cls(X, y, check_weights(sample_weight, X)), one_axis

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

    @property
    def total_weight(self) -> float:
        return float(self.n_samples if self.weights is None else self.weights.sum())

    def objective(self, network: Network) -> OnRows:
        return OnRows(network, self)

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[Rows, Rows, Array]:
        return set_aside(self, fraction, generator)

    def targets(self) -> tuple[Array, Array | None]:
        """Return targets and weights with the statistics of those of the rows."""
        return self.y, self.weights

    def baseline_loss(self, loss: Loss) -> float:
        return loss._baseline(*self.targets())

    def best_constant(self, loss: Loss) -> Array:
        return loss._best_constant(*self.targets())

    def target_ends(self) -> tuple[float, float]:
        return float(self.y.min()), float(self.y.max())

    def target_moments(self) -> tuple[Array, Array]:
        y, weights = self.targets()
        y = y.astype(np.float64, copy=False)
        with np.errstate(over="ignore", under="ignore"):
            mean = np.average(y, axis=0, weights=weights)
            variance = np.average((y - mean) ** 2, axis=0, weights=weights)
        return mean, np.sqrt(variance)

    def column_scale(self, kind: str) -> tuple[Array, Array]:
        return column_scale(kind, self.X, self.weights)

    def curvature(self, factor: float, alpha: float) -> Curvature:
        return Curvature(self.X, self.weights, factor, alpha)

    @property
    def uses_moments(self) -> bool:
        return uses_moments(self.X)

    def moments(self) -> Moments:
        """Return the moments of the rows, in the precision of X if that is enough."""
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

    def on_batch(self, parameters: Array, batch: Batch, step: int) -> tuple[float, Array]:
        return self.network(parameters, *batch, step)

    def run_steps(self, learner: Descending, batches: Batches, rate: float) -> DeviceArray:
        return learner.descend(self, batches, rate)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        total_weight = self.rows.total_weight
        loss, gradient = self.network(parameters, *self.rows, total_weight)
        return loss / total_weight, gradient.copy()

    def mean_loss(self, parameters: Array) -> float:
        return self.network.mean_loss(parameters, *self.rows)

    def best_constant(self) -> Array:
        return self.rows.best_constant(self.network.loss)

    def baseline_loss(self) -> float:
        return self.rows.baseline_loss(self.network.loss)

    def batches(self, size: int, generator: np.random.Generator | None) -> Batches:
        return Batches(*self.rows, size, generator)
