"""Rows whose targets are classes, for networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sklearn_gd._data.split import set_aside
from sklearn_gd._models.rows import Rows
from sklearn_gd._pieces import Array, Matrix
from sklearn_gd.losses import BinaryLogLoss, LogLoss, Loss


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

    def best_constant(self, loss: Loss, weights: Array | None) -> Array:
        """Return the best constant prediction, from the totals of the classes."""
        if type(loss) is LogLoss:
            return loss._constant_of(self._shares(weights))
        if loss.sums_outputs and not isinstance(loss, BinaryLogLoss):
            # It may tie the outputs of a row together.
            return loss._best_constant(*self.different(weights))
        ends, pairs, numbers = self._different_outputs(weights)
        return np.array([_constant(loss, ends, pair) for pair in pairs])[numbers]

    def baseline_loss(self, loss: Loss, weights: Array | None) -> float:
        """Return the loss of the best constant prediction, from the totals of the classes."""
        if type(loss) is LogLoss:
            return loss._baseline_of(self._shares(weights))
        if loss.sums_outputs and not isinstance(loss, BinaryLogLoss):
            return loss._baseline(*self.different(weights))
        ends, pairs, numbers = self._different_outputs(weights)
        # Where all targets are equal, the constant is right.
        losses = np.array([loss._baseline(ends, pair) if pair.all() else 0.0 for pair in pairs])
        return float(losses[numbers].sum()) / loss._divisor(self.shape[1])

    def _shares(self, weights: Array | None) -> Array:
        totals = self.totals(weights)
        shares: Array = (totals / totals.sum())[-self.shape[1] :]
        return shares

    def _different_outputs(self, weights: Array | None) -> tuple[Array, Array, Array]:
        """Return the two targets, the weights of both for each kind of output, and its number.

        Many classes have equal totals, and a matrix of classes and outputs would be large.
        """
        totals, ends = self.totals(weights), np.array(self.ends, self.dtype)[:, None]
        # A single output tells the second of two classes.
        different, numbers = np.unique(totals[-self.shape[1] :], return_inverse=True)
        return ends, np.column_stack([totals.sum() - different, different]), numbers


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

    def best_constant(self, loss: Loss) -> Array:
        constant: Array = self.y.best_constant(loss, self.weights)
        return constant

    def baseline_loss(self, loss: Loss) -> float:
        return float(self.y.baseline_loss(loss, self.weights))


def _constant(loss: Loss, ends: Array, pair: Array) -> float:
    if loss.link is None and not pair.all():
        return float(ends[int(pair[1] > 0), 0])
    return float(loss._best_constant(ends, pair)[0])


def weights_with_classes(
    weights: Array | None, codes: Array, class_weights: Array | None
) -> Array | None:
    """Return the weights of rows, None for 1 each, times those of their classes."""
    if class_weights is None:
        return weights
    of_class: Array = class_weights[codes]
    return of_class if weights is None else weights * of_class
