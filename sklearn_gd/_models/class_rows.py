"""Rows whose targets are classes, for networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sklearn_gd._data.split import set_aside
from sklearn_gd._models.rows import Rows
from sklearn_gd._pieces import Array, Matrix
from sklearn_gd.losses import BinaryLogLoss, Loss


def one_hot(codes: Array, n_neurons: int, low: float, high: float) -> Array:
    """Return the targets (n_samples, n_neurons): `high` for the neuron of a row's class."""
    # A single neuron fires for the second of two classes.
    return np.where(codes[:, None] == np.arange(n_neurons) + (n_neurons == 1), high, low)


class OneHot:
    """Targets of rows with class codes, made for the rows that are asked for.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Number of the class of each row.
    n_outputs : int
        Number of outputs: one per class, or one for the second of two classes.
    dtype : dtype
    class_weights : ndarray of shape (n_classes,) or None
        Weight of each class, which the weights of the rows have as a factor.
    ends : tuple of float, default=(0.0, 1.0)
        Target of other classes, and that of the class of a row.
    """

    def __init__(
        self,
        codes: Array,
        n_outputs: int,
        dtype: DTypeLike,
        class_weights: Array | None = None,
        *,
        ends: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.ends = ends
        self.codes, self.dtype, self.class_weights = codes, dtype, class_weights
        self.shape = len(codes), n_outputs

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, picked: slice | Array) -> Array:
        return one_hot(self.codes[picked], self.shape[1], *self.ends).astype(self.dtype)

    def take(self, part: Array) -> OneHot:
        """Return the targets of a part of the rows, not made yet."""
        n_outputs, weights = self.shape[1], self.class_weights
        return OneHot(self.codes[part], n_outputs, self.dtype, weights, ends=self.ends)


class ClassRows(Rows):
    """Rows with targets of classes, `OneHot`."""

    __slots__ = ()

    @classmethod
    def of(
        cls,
        X: Matrix,
        codes: Array,
        n_outputs: int,
        weights: Array | None,
        class_weights: Array | None = None,
    ) -> ClassRows:
        """Return rows with class codes, for a network of so many outputs."""
        if class_weights is not None:
            by_class = class_weights[codes]
            weights = by_class if weights is None else weights * by_class
        return cls(X, OneHot(codes, n_outputs, X.dtype, class_weights), weights)

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[ClassRows, ClassRows, Array]:
        """Split the rows so that both parts have the same shares of classes."""
        numbered = self._replace(y=np.arange(len(self.y)))
        train, held_out, kept = set_aside(numbered, fraction, generator, stratify=self.y.codes)
        train, held_out = (part._replace(y=self.y.take(part.y)) for part in (train, held_out))
        return train, held_out, kept

    def target_ends(self) -> tuple[float, float]:
        return min(self.y.ends), max(self.y.ends)

    def class_totals(self) -> Array:
        """Return the total weight of each class."""
        n_classes = max(self.n_outputs, 2)
        return np.bincount(self.y.codes, self.weights, minlength=n_classes)

    def targets(self) -> tuple[Array, Array | None]:
        """Return the different targets, and the total weight of the rows that have each."""
        totals = self.class_totals()
        present = np.flatnonzero(totals)
        return OneHot(present, self.n_outputs, self.dtype, ends=self.y.ends)[:], totals[present]


class OneVsRest(ClassRows):
    """Rows whose outputs each tell a class from the others."""

    __slots__ = ()

    def baseline_loss(self, loss: Loss) -> float:
        """Return the loss of the best constants, from the totals of the classes alone."""
        if loss.sums_outputs and not isinstance(loss, BinaryLogLoss):
            return super().baseline_loss(loss)  # it may tie the outputs of a row together
        totals, ends = self.class_totals(), np.array(self.y.ends, self.dtype)[:, None]
        others, losses = totals.sum() - totals, 0.0
        # A single output tells the second of two classes.
        pairs = np.column_stack([others, totals])[-self.n_outputs :]
        for pair, count in zip(*np.unique(pairs, axis=0, return_counts=True), strict=True):
            if pair.all():  # else the constant is right for all rows
                losses += count * loss._baseline(ends, pair)
        return float(losses) / loss._divisor(self.n_outputs)
