"""Rows with class codes, and the targets of neurons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_gd._data.batches import row_chunks
from sklearn_gd._data.split import set_aside
from sklearn_gd._models.class_rows import ClassRows, OneHot
from sklearn_gd._models.curvature import Curvature
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import OnRows
from sklearn_gd._models.scaling import ColumnScaling, column_scale
from sklearn_gd._pieces import Array, DType, Matrix
from sklearn_gd.activations import Activation, Step


class LabelledRows(NamedTuple):
    """Rows for training or validation, with the codes of their classes.

    `class_weight`, for Rosenblatt's rule with weights for more than two classes, is the factor on
    the weight of a row for the neuron of its class.
    """

    X: Matrix
    codes: Array
    weights: Array | None
    class_weight: Array | None = None

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    @property
    def dtype(self) -> DType:
        dtype: DType = self.X.dtype
        return dtype

    def objective(self, network: Network, low: float, high: float) -> OnRows:
        """Return the objective of neurons with target `high` for their class and `low` else."""
        targets = OneHot(self.codes, network.n_outputs, network.dtype, ends=(low, high))
        return ClassRows(self.X, targets, self.weights).objective(network)

    def column_scale(self, kind: str, *, centred: bool) -> tuple[Array, Array]:
        """Return the center, 0 unless `centred`, and the scale of each column."""
        return column_scale(kind, self.X, self.weights, centred=centred)

    def curvature(
        self, factor: float, alpha: float, *, intercept: bool, columns: ColumnScaling | None
    ) -> Curvature:
        """Return the curvature of a linear model's objective over these rows, scaled."""
        return Curvature(self.X, self.weights, factor, alpha, intercept, columns)

    def counts(self, n_classes: int) -> Array:
        """Return the number of rows of each class, without those of weight zero."""
        seen = self.codes if self.weights is None else self.codes[self.weights > 0]
        return np.bincount(seen, minlength=n_classes)

    def weighed(self, class_weights: Array | None, by_neuron: bool) -> LabelledRows:
        """Apply class weights: to the rows, or to the neuron of each row's class."""
        if class_weights is None:
            return self
        if by_neuron and len(class_weights) > 2:
            return self._replace(class_weight=class_weights)
        each = class_weights[self.codes]
        return self._replace(weights=each if self.weights is None else each * self.weights)

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[LabelledRows, LabelledRows, Array]:
        return set_aside(self, fraction, generator, stratify=self.codes)

    def weigh(self, part: slice, n_neurons: int) -> Array:
        """Return the weights (n_samples, n_neurons) of the rows of `part` for each neuron."""
        codes = self.codes[part]
        weights = np.ones((len(codes), n_neurons))
        if self.class_weight is not None:
            weights[np.arange(len(codes)), codes] = self.class_weight[codes]
        if self.weights is not None:
            weights *= self.weights[part, None]
        return weights

    def total(self, n_neurons: int) -> float:
        """Return the sum of all weights, over rows and neurons."""
        if self.class_weight is None:
            one = self.X.shape[0] if self.weights is None else self.weights.sum()
            return float(one) * n_neurons
        parts = row_chunks(self.X, n_neurons)
        return sum(float(self.weigh(part, n_neurons).sum()) for part in parts)


def targets_of(activation: Activation) -> tuple[float, float]:
    """Return the two targets, on either side of f(0)."""
    if isinstance(activation, Step):
        return 0.0, 1.0
    low, high = activation.range
    if not (np.isfinite(low) and np.isfinite(high)):
        middle = float(activation(np.zeros(1))[0])
        low, high = middle - 1.0, middle + 1.0
    below, above = activation(np.array([-1.0, 1.0]))
    # A neuron fires above the threshold, also with a decreasing f.
    return (float(low), float(high)) if above >= below else (float(high), float(low))
