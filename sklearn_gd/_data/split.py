"""Hold-out of a validation set."""

from __future__ import annotations

from functools import partial
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_gd._data.validation import well_formed
from sklearn_gd._pieces import Array, ArrayLike, Matrix

R = TypeVar("R", bound=tuple[Any, ...])


class PickedRows:
    """Rows of a dense X, by their numbers and without copying all of them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        May be a memory map larger than memory.
    rows : ndarray of intp
        Row numbers.
    """

    def __init__(self, X: Array, rows: Array) -> None:
        self.X, self.rows = X, rows
        self.shape = (len(rows), X.shape[1])
        self.dtype = X.dtype

    def __getitem__(self, picked: slice | Array) -> Array:
        return self.X[self.rows[picked]]

    def spread(self, values: Array) -> Array:
        """Return an array with one element per row of X: `values` for the picked rows, else 0."""
        every = np.zeros(len(self.X), values.dtype)
        every[self.rows] = values
        return every


def hold_out(
    n_samples: int, fraction: float, generator: np.random.Generator, stratify: Array | None = None
) -> tuple[Array, Array]:
    """Split row numbers into a training and a validation set.

    Raises
    ------
    ValueError
        If either part would be empty, or a class cannot be in both.
    """
    from sklearn.model_selection import train_test_split

    try:
        train, held_out = train_test_split(
            np.arange(n_samples),
            test_size=float(fraction),
            stratify=stratify,
            random_state=int(generator.integers(2**31)),
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True cannot set aside validation_fraction={fraction} of {n_samples} "
            f"rows: {error} Give X_val and y_val, or more rows."
        ) from error
    if stratify is not None:
        train, held_out = _with_all_classes(train, held_out, stratify, generator)
    return np.sort(train), np.sort(held_out)


def _with_all_classes(
    train: Array, held_out: Array, labels: Array, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Move one row of each class that only the first part has to the second."""
    rare = np.setdiff1d(labels[train], labels[held_out])
    moved = [generator.choice(train[labels[train] == label]) for label in rare]
    return np.setdiff1d(train, moved), np.append(held_out, moved).astype(held_out.dtype)


def set_aside(
    rows: R, fraction: float, generator: np.random.Generator, stratify: Array | None = None
) -> tuple[R, R, Array]:
    """Split rows, a named tuple (X, targets, weights, ...), for early stopping.

    Rows of weight zero are left out of both parts. Returns the training set, the validation set,
    and the row numbers of the former.
    """
    X, targets, weights, *_ = rows
    n_samples = X.shape[0]
    kept = np.arange(n_samples) if weights is None else np.flatnonzero(weights)
    classes = None if stratify is None else stratify[kept]
    train, held_out = hold_out(len(kept), fraction, generator, stratify=classes)

    def pick(part: Array, X_part: Matrix) -> R:
        weight = None if weights is None else weights[part]
        make: Any = type(rows)
        return make(X_part, targets[part], weight, *rows[3:])

    train, held_out = kept[train], kept[held_out]
    X_train = X[train] if sparse.issparse(X) else PickedRows(X, train)
    return pick(train, X_train), pick(held_out, X[held_out]), train


def for_callbacks(
    X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, rows: Array | None = None
) -> tuple[ArrayLike, ArrayLike, ArrayLike | None]:
    """Return X, y and the weights of a ``fit`` as callbacks get them, with a weight per sample.

    With row numbers, these are functions that select these rows.
    """
    if isinstance(sample_weight, Real):
        sample_weight = np.full(_num_samples(X), sample_weight, np.float64)
    if rows is None:
        return X, y, sample_weight
    weights = None if sample_weight is None else partial(_picked, sample_weight, rows)
    return partial(_picked, X, rows), partial(_picked, y, rows), weights


def _picked(given: ArrayLike, rows: Array) -> ArrayLike:
    return _safe_indexing(well_formed(given), rows)
