"""Slices of the rows of X that need little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scipy import sparse

# Rows are worked on so many numbers at a time where they need not be worked on at once.
_CHUNK = 1 << 18


def row_chunks(X: Any, width: int = 1, size: int = _CHUNK) -> Iterator[slice]:
    """Cut the rows of X into slices for which two megabytes are enough, about.

    Parameters
    ----------
    X : ndarray or CSR of shape (n_samples, n_features)
    width : int
        How many numbers a row needs beside its own.
    size : int
        How many numbers a slice may need, where two megabytes are not what they should be.
    """
    n_samples = X.shape[0]
    own = X.nnz // max(1, n_samples) if sparse.issparse(X) else X.shape[1]
    step = max(1, size // max(own, width, 1))
    for start in range(0, n_samples, step):
        yield slice(start, min(start + step, n_samples))


def cut(X: Any, rows: slice) -> Any:
    """Return X[rows] without a copy of its numbers, which SciPy makes of rows of a CSR matrix."""
    if not sparse.issparse(X):
        return X[rows]
    begin, end = X.indptr[rows.start], X.indptr[rows.stop]
    starts = X.indptr[rows.start : rows.stop + 1] - begin
    part = (X.data[begin:end], X.indices[begin:end], starts)
    return type(X)(part, shape=(len(starts) - 1, X.shape[1]))
