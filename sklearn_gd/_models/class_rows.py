"""Rows whose targets are classes, for networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sklearn_gd._data.split import set_aside
from sklearn_gd._models.rows import Rows
from sklearn_gd._pieces import Array, Matrix
from sklearn_gd.losses import BinaryLogLoss, Loss


def classes_of_outputs(n_outputs: int) -> Array:
    """Return the code of each output's class; a single output is for the second of two."""
    return np.arange(n_outputs) + (n_outputs == 1)


def one_hot(codes: Array, n_neurons: int, low: float, high: float) -> Array:
    """Return the targets (n_samples, n_neurons): `high` for the neuron of a row's class."""
    return np.where(codes[:, None] == classes_of_outputs(n_neurons), high, low)


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
        Target of the outputs of other classes, and that of the output of the row's class.
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
        self.codes, self.dtype, self.class_weights = codes, dtype, class_weights
        self.ends = ends
        self.shape = len(codes), n_outputs

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, picked: slice | Array) -> Array:
        return one_hot(self.codes[picked], self.shape[1], *self.ends).astype(self.dtype)

    def take(self, part: Array) -> OneHot:
        """Return the targets of a part of the rows, not made yet."""
        codes, n_outputs = self.codes[part], self.shape[1]
        return OneHot(codes, n_outputs, self.dtype, self.class_weights, ends=self.ends)

    def totals(self, weights: Array | None) -> Array:
        """Return the total weight of each class."""
        return np.bincount(self.codes, weights, minlength=max(self.shape[1], 2))

    def different(self, weights: Array | None) -> tuple[Array, Array]:
        """Return the different targets, and the total weight of the rows that have each."""
        totals = self.totals(weights)
        present = np.flatnonzero(totals)
        return OneHot(present, self.shape[1], self.dtype, ends=self.ends)[:], totals[present]


class ClassRows(Rows):
    """Rows with targets of classes, `OneHot`."""

    __slots__ = ()

    @property
    def class_weights(self) -> Array | None:
        """Weight of each class, which the weights have as a factor."""
        weights: Array | None = self.y.class_weights
        return weights

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
        weights = weights_with_classes(weights, codes, class_weights)
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

    def targets(self) -> tuple[Array, Array | None]:
        """Return the different targets, and the total weight of the rows that have each."""
        different: tuple[Array, Array] = self.y.different(self.weights)
        return different


class OneVsRest(ClassRows):
    """Rows whose outputs each tell a class from the others."""

    __slots__ = ()

    def baseline_loss(self, loss: Loss) -> float:
        """Return the loss of the best constants, from the totals of the classes alone."""
        if loss.sums_outputs and not isinstance(loss, BinaryLogLoss):
            return super().baseline_loss(loss)  # it may tie the outputs of a row together
        totals, ends = self.y.totals(self.weights), np.array(self.y.ends, self.dtype)[:, None]
        others, losses = totals.sum() - totals, 0.0
        # A single output tells the second of two classes.
        pairs = np.column_stack([others, totals])[-self.n_outputs :]
        for pair, count in zip(*np.unique(pairs, axis=0, return_counts=True), strict=True):
            if pair.all():  # else the constant is right for all rows
                losses += count * loss._baseline(ends, pair)
        return float(losses) / loss._divisor(self.n_outputs)


def weights_with_classes(
    weights: Array | None, codes: Array, class_weights: Array | None
) -> Array | None:
    """Return the weights of rows, None for 1 each, times those of their classes."""
    if class_weights is None:
        return weights
    of_class: Array = class_weights[codes]
    return of_class if weights is None else weights * of_class
