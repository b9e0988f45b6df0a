"""Rows in batches, one per step, and in chunks, where all rows at once need too much memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from sklearn_gd._data.split import PickedRows
from sklearn_gd._pieces import Array, Matrix

# Number of values per chunk: two megabytes of float64.
_CHUNK = 1 << 18

Batch = tuple[Matrix, Array, Array | None, float]


class Batches:
    """Batches of `size` rows, gathered into one reused buffer.

    A batch is (X, y, weights, share), with `share` the number of its rows times the mean weight of
    all rows: a batch of rows with large weights makes a larger step.

    Parameters
    ----------
    X : ndarray or CSR of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, n_outputs)
    weights : ndarray of shape (n_samples,) or None
    size : int
        Number of rows per batch; the last batch may be smaller.
    generator : numpy.random.Generator or None
        Shuffles the rows in each epoch; None: no shuffling.
    """

    def __init__(
        self,
        X: Matrix,
        y: Array,
        weights: Array | None,
        size: int,
        generator: np.random.Generator | None,
    ) -> None:
        self.X, self.y, self.weights = X, y, weights
        self.n_samples = X.shape[0]
        self.size = min(size, self.n_samples)
        # A single batch needs no order.
        self.generator = generator if self.size < self.n_samples else None
        self.total_weight = float(self.n_samples if weights is None else weights.sum())
        gathers = self.generator is not None or isinstance(X, PickedRows)
        if gathers and self.size < self.n_samples and not sparse.issparse(X):
            self._buffer = np.empty((self.size, X.shape[1]), X.dtype)

    def order(self) -> Array | None:
        """Return the numbers of the rows in the order of the next epoch; None: as they come."""
        return None if self.generator is None else self.generator.permutation(self.n_samples)

    def __iter__(self) -> Iterator[Batch]:
        mean_weight, order = self.total_weight / self.n_samples, self.order()
        for start in range(0, self.n_samples, self.size):
            rows = slice(start, min(start + self.size, self.n_samples))
            n = rows.stop - rows.start
            picked = rows if order is None else order[rows]
            weights = None if self.weights is None else self.weights[picked]
            if weights is not None and not weights.any():
                continue
            yield self._gather(picked, n), self.y[picked], weights, n * mean_weight

    def _gather(self, picked: slice | Array, n: int) -> Matrix:
        X: Matrix = self.X
        if n == self.n_samples:
            return X
        if isinstance(X, PickedRows):
            X, picked = X.X, X.rows[picked]
        if isinstance(picked, slice) or sparse.issparse(X):
            return X[picked]
        return np.take(X, picked, axis=0, out=self._buffer[:n], mode="clip")


def row_chunks(X: Matrix, width: int = 1, size: int = _CHUNK) -> Iterator[slice]:
    """Yield slices of the rows of X that need little memory.

    Parameters
    ----------
    X : ndarray or CSR of shape (n_samples, n_features)
    width : int, default=1
        Number of values that a row needs in addition to its own.
    size : int
        Number of values per slice.
    """
    n_samples = X.shape[0]
    n_stored = X.nnz // max(1, n_samples) if sparse.issparse(X) else X.shape[1]
    step = max(1, size // max(n_stored, width, 1))
    for start in range(0, n_samples, step):
        yield slice(start, min(start + step, n_samples))


def slice_rows(X: Matrix, rows: slice) -> Matrix:
    """Return X[rows], for a CSR matrix without the copies that SciPy makes on indexing."""
    if not sparse.issparse(X):
        return X[rows]
    begin, end = X.indptr[rows.start], X.indptr[rows.stop]
    indptr = X.indptr[rows.start : rows.stop + 1] - begin
    part = (X.data[begin:end], X.indices[begin:end], indptr)
    return type(X)(part, shape=(len(indptr) - 1, X.shape[1]))
