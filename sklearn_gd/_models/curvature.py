"""The curvature of a linear model's objective, which bounds the learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from sklearn_gd._data.batches import row_chunks, slice_rows
from sklearn_gd._data.split import PickedRows
from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.scaling import ColumnScaling
from sklearn_gd._pieces import Array, Matrix
from sklearn_gd.activations import Activation
from sklearn_gd.losses import Loss


def curvature_per_row(
    loss: Loss, activation: Activation, y: Array | tuple[float, float]
) -> float | None:
    """Bound the second derivative of loss(y, f(z)) with respect to z, for all targets y.

    It is l''(f) f'² + l'(f) f''. The second term is bounded by the range of f if that is finite,
    else by |l'(f)| <= |l'(0)| + l'' |f|. None if the curvature of the loss is unbounded.
    """
    if loss.curvature is None:
        return None
    first = loss.curvature * activation.slope**2
    if activation.curvature == 0:
        return first

    ends = np.array([np.min(y), np.max(y)])

    def steepest(a: float) -> float:
        slopes = loss.gradient(ends, np.array([a, a]))
        return float(np.abs(slopes).max())

    low, high = activation.range
    second = steepest(0.0) * activation.curvature + loss.curvature * activation.product
    if np.isfinite(low) and np.isfinite(high):
        second = min(second, max(steepest(low), steepest(high)) * activation.curvature)
    return first + second


def uses_moments(X: Matrix) -> bool:
    """Return whether iterations on X'X are cheaper than on X."""
    stored = X.nnz if sparse.issparse(X) else X.shape[0] * X.shape[1]
    return bool(X.shape[1] ** 2 <= max(4 * stored, 10_000))


def is_well_conditioned(moments: Moments) -> bool:
    """Return whether X'X, with its columns scaled to one norm, is accurate enough in float32.

    A relative error e in X'X changes the solution by up to e times the condition number, and the
    loss by the square of that. Squares that underflow in float32 are not accurate.
    """
    squares = moments.xx.diagonal()
    if (squares < 1e-30 * moments.weight).any():
        return False
    scale = 1 / np.sqrt(squares)
    eigenvalues = np.linalg.eigvalsh(moments.xx * scale * scale[:, None])
    return bool(eigenvalues[0] > 0.1 * eigenvalues[-1])


def moments_with_ones(X: Matrix, weights: Array | None, columns: ColumnScaling | None) -> Moments:
    """Return the moments of X, its columns scaled, with a column of ones in the place of y."""
    ones, moments = np.ones((X.shape[0], 1)), Moments(X.shape[1], 1)
    if columns is None:
        return moments.added(X, ones, weights)
    width = X.shape[1] if columns.center.any() else 1
    for part in row_chunks(X, width, size=max(1 << 18, X.shape[1] ** 2)):
        rows, each = columns(slice_rows(X, part)), None if weights is None else weights[part]
        moments = moments.added(rows, ones[part], each)
    return moments


# Up to this size, all eigenvalues are computed as fast as one.
_FEW = 200


class Curvature:
    """The second derivative factor * X'DX / sum(weights) + alpha of a linear model's objective.

    Parameters
    ----------
    X : ndarray or CSR of shape (n_samples, n_features), or Moments
        With `intercept`, the moments must be those of X and a column of ones.
    weights : ndarray of shape (n_samples,) or None
    factor : float
        Curvature of the loss of one row.
    alpha : float
    intercept : bool, default=False
        Whether a column of ones, without a penalty, is added on the right.
    columns : ColumnScaling, optional
        Scaling of the columns of X, without squashing. Moments must be those of the result.
    """

    def __init__(
        self,
        X: Matrix | Moments,
        weights: Array | None,
        factor: float,
        alpha: float,
        intercept: bool = False,
        columns: ColumnScaling | None = None,
    ) -> None:
        self.intercept, self._columns = intercept, columns
        self.penalty = np.full(
            (X.xx.shape[1] if isinstance(X, Moments) else X.shape[1]) + intercept, float(alpha)
        )
        if intercept:
            self.penalty[-1] = 0.0
        if isinstance(X, Moments):
            self._matrix: Array | None = self._from_moments(X, factor)
        elif uses_moments(X):
            self._matrix = self._from_moments(moments_with_ones(X, weights, columns), factor)
        else:
            self._matrix = None
            # X is wide, so that it has few rows.
            self._X: Matrix = X[:] if isinstance(X, PickedRows) else X
            self._factor = factor
            self._weights = np.ones(X.shape[0]) if weights is None else weights
            self._factor /= self._weights.sum()

    def _from_moments(self, moments: Moments, factor: float) -> Array:
        matrix = moments.xx
        if self.intercept:
            matrix = np.block([[moments.xx, moments.xy], [moments.xy.T, moments.yy]])
        return matrix * (factor / max(moments.weight, np.finfo(float).tiny))

    def diagonal(self) -> Array:
        """Return the curvature along each parameter."""
        if self._matrix is not None:
            return self._matrix.diagonal() + self.penalty
        squares = np.zeros(self._X.shape[1])
        columns = self._columns
        width = len(squares) if columns is not None and columns.center.any() else 1
        for rows in row_chunks(self._X, width):
            chunk = slice_rows(self._X, rows).astype(np.float64, copy=False)
            chunk = chunk if columns is None else columns(chunk)
            squared = chunk.multiply(chunk).tocsr() if sparse.issparse(chunk) else chunk**2
            squares += squared.T @ self._weights[rows]
        if self.intercept:
            squares = np.append(squares, self._weights.sum())
        return squares * self._factor + self.penalty

    def largest(self, scale: Array | None = None) -> float:
        """Return the largest eigenvalue after scaling the parameters by `scale`."""
        return self.extremes(scale)[1]

    def extremes(self, scale: Array | None = None) -> tuple[float, float]:
        """Return the smallest, or 0 if that takes long, and the largest eigenvalue."""
        n = len(self.penalty)
        scale = np.ones(n) if scale is None else scale
        with np.errstate(over="ignore"):
            diagonal = self.diagonal()
        if not np.isfinite(diagonal).all():
            raise ValueError("X is too large: its squares overflow. Scale the features.")
        if not diagonal.any():
            return 0.0, 0.0
        if self._matrix is not None:
            scaled = self._matrix.copy()
            np.fill_diagonal(scaled, diagonal)
            # One factor at a time: the product of both may overflow.
            scaled *= scale
            scaled *= scale[:, None]
            if n > _FEW:
                return _ends(scaled)
            eigenvalues = np.linalg.eigvalsh(scaled)
            return float(eigenvalues[0]), float(eigenvalues[-1])
        from scipy.sparse.linalg import LinearOperator

        def times(v: Array) -> Array:
            v = v.ravel() * scale
            product = self._backward(self._weights * self._forward(v))
            result: Array = scale * (self._factor * product + self.penalty * v)
            return result

        return 0.0, _largest(LinearOperator((n, n), matvec=times, dtype=np.float64))

    def _forward(self, v: Array) -> Array:
        """Return the product of the scaled columns, and the ones, with a vector."""
        n_features = self._X.shape[1]
        slope, constant = v[:n_features], v[n_features] if self.intercept else 0.0
        if self._columns is not None:
            slope = slope / self._columns.scale
            constant = constant - self._columns.center @ slope
        score: Array = self._X @ slope
        return score + constant

    def _backward(self, per_row: Array) -> Array:
        """Return the product of the transposed matrix with a vector."""
        product, total = self._X.T @ per_row, per_row.sum()
        if self._columns is not None:
            product = (product - self._columns.center * total) / self._columns.scale
        return np.append(product, total) if self.intercept else product


def _largest(operator: Any) -> float:
    """Return the largest eigenvalue by Lanczos' iteration."""
    return float(_lanczos(operator, k=1, which="LA")[0])


def _ends(matrix: Array) -> tuple[float, float]:
    """Return the smallest, or 0 if that takes long, and the largest eigenvalue."""
    from scipy.sparse.linalg import ArpackNoConvergence

    try:
        smallest, largest = _lanczos(matrix, k=2, which="BE", maxiter=4)
    except ArpackNoConvergence:
        return 0.0, _largest(matrix)
    return float(smallest), float(largest)


def _lanczos(operator: Any, **which: Any) -> Array:
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).standard_normal(operator.shape[0])
    # The tolerance is for the eigenvector; the eigenvalue has twice as many digits.
    found: Array = eigsh(operator, v0=start, tol=1e-5, return_eigenvectors=False, **which)
    return found
