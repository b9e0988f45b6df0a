"""The squared error of a linear model as a function of X'X, X'y and y'y."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.utils.validation import assert_all_finite

from sklearn_gd import _kernels
from sklearn_gd._data.batches import row_chunks, slice_rows
from sklearn_gd._pieces import Array, Matrix

# Up to this number of columns of X and y, a compiled loop is faster than BLAS; it runs in double.
_NARROW = 12


class Quadratic:
    """Mean squared error of X W, and its gradient, from the moments of the rows.

    Parameters
    ----------
    moments : Moments
        Moments, of positive total weight.
    alpha : float
    """

    def __init__(self, moments: Moments, alpha: float) -> None:
        n_outputs = moments.xy.shape[1]
        scale = 1.0 / (max(moments.weight, np.finfo(float).tiny) * n_outputs)
        self.xx = moments.xx * scale
        self.xy = moments.xy * scale
        self.yy = float(moments.yy.sum()) * scale
        self.alpha = alpha
        self.size = self.xy.size

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Return the loss without the penalty, and the gradient with it."""
        W = parameters.reshape(self.xy.shape)
        half = self.xx @ W
        half -= self.xy
        # With h = XX w - xy: w'XX w - 2 w'xy + yy = w'h - w'xy + yy.
        loss = self.yy + float(np.vdot(W, half)) - float(np.vdot(W, self.xy))
        gradient = (half + half).ravel()
        if self.alpha:
            gradient += self.alpha * parameters
        return max(loss, 0.0), gradient


class Moments:
    """Weighted sums of x x', x y' and y² over rows, which determine the squared error.

    Parameters
    ----------
    n_features, n_outputs : int
    """

    def __init__(self, n_features: int, n_outputs: int) -> None:
        self.xx = np.zeros((n_features, n_features))
        self.xy = np.zeros((n_features, n_outputs))
        self.yy = np.zeros(n_outputs)
        self.weight = 0.0

    def added(self, X: Matrix, y: Array, weights: Array | None, *, exact: bool = True) -> Moments:
        """Return the moments of these and of the given rows, in one pass over the latter.

        Parameters
        ----------
        X : ndarray or CSR of shape (n_samples, n_features)
        y : ndarray of shape (n_samples, n_outputs)
        weights : ndarray of shape (n_samples,) or None
        exact : bool, default=True
            Whether products are in float64, in addition to the sums over chunks of rows.

        Raises
        ------
        ValueError
            For values that are not finite, or whose squares overflow.
        """
        total = Moments(*self.xy.shape)
        total.weight = self.weight + float(X.shape[0] if weights is None else weights.sum())
        as_it_is = not exact or (weights is None and is_narrow(X, y))
        dtype = X.dtype if as_it_is else np.float64
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in row_chunks(X, size=max(1 << 20, X.shape[1] ** 2)):
                X_rows = slice_rows(X, rows).astype(dtype, copy=False)
                y_rows = y[rows].astype(dtype, copy=False)
                if weights is not None:
                    # With square roots of the weights, X'X stays a product of X with itself.
                    roots = np.sqrt(weights[rows]).astype(dtype)[:, None]
                    is_sparse = sparse.issparse(X)
                    X_rows = X_rows.multiply(roots).tocsr() if is_sparse else X_rows * roots
                    y_rows = y_rows * roots
                products = _sparse_products if sparse.issparse(X) else _dense_products
                xx, xy = products(X_rows, y_rows)
                total.xx += xx
                total.xy += xy
                total.yy += np.einsum("ij,ij->j", y_rows, y_rows, dtype=np.float64)
            total.xx = self.xx + np.triu(total.xx) + np.triu(total.xx, 1).T
            total.xy += self.xy
            total.yy += self.yy
        if not (np.isfinite(total.xx.diagonal()).all() and np.isfinite(total.yy).all()):
            assert_all_finite(X, input_name="X")
            raise ValueError("X or y is too large: its squares overflow. Scale it.")
        return total

    def joined(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows."""
        total = Moments(*self.xy.shape)
        for name in ("xx", "xy", "yy", "weight"):
            setattr(total, name, getattr(self, name) + getattr(other, name))
        return total


def is_narrow(X: Matrix, y: Array) -> bool:
    """Return whether the compiled loop, in double, computes the products."""
    return not sparse.issparse(X) and X.shape[1] + y.shape[1] <= _NARROW


def _dense_products(X: Array, y: Array) -> tuple[Array, Array]:
    """Return X'X, at least its upper triangle, and X'y."""
    n_features, width = X.shape[1], X.shape[1] + y.shape[1]
    if is_narrow(X, y):
        total = np.zeros((width, width))
        _kernels.moments(X, np.ascontiguousarray(y), total)
        return total[:n_features, :n_features], total[:n_features, n_features:]
    X = np.ascontiguousarray(X)
    return X.T @ X, X.T @ y


def _sparse_products(X: Matrix, y: Array) -> tuple[Array, Array]:
    xx = np.zeros((X.shape[1], X.shape[1]))
    _kernels.gram(X.data, X.indices, X.indptr, xx)
    return xx, X.T @ y
