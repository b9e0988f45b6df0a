"""The squared error of a linear model as a function of X'X, X'y and y'y."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from sklearn.utils.validation import assert_all_finite

from sklearn_gd import _kernels
from sklearn_gd._data.batches import row_chunks, slice_rows
from sklearn_gd._models.network import Network
from sklearn_gd._pieces import Array, Matrix
from sklearn_gd.activations import Identity
from sklearn_gd.losses import Loss

if TYPE_CHECKING:
    from sklearn_gd._models.interfaces import LineDataset

# Up to this number of columns of X and y, a compiled loop is faster than BLAS; it runs in double.
_NARROW = 12

# Relative error of a sum of products in float64; a curvature, relative to the largest, next to it;
# and the smallest positive number of full precision.
_ROUNDING, _NEARLY, _TINY = 1e-15, 1e-11, float(np.finfo(float).tiny)


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

    def relative_error(self, parameters: Array, gradient: Array) -> float:
        """Estimate the largest relative error of the weights, by Newton's step.

        Weights count in units in which their columns have one norm, and errors of small weights
        relative to a thousandth of the largest. Directions along which X'X vanishes, up to
        rounding, do not count.
        """
        scale = self._scale[:, None]
        W = np.abs(parameters.reshape(self.xy.shape)) * scale
        error = cho_solve(self._factor, gradient.reshape(self.xy.shape) / scale)
        return float(np.max(np.abs(error) / np.maximum(W, max(1e-3 * W.max(), _TINY))))

    def on_supports(self, parameters: Array) -> list[tuple[Quadratic, Array]]:
        """Return the objective along the weights of each output that are not 0.

        With it come the numbers of these weights. Outputs without any are left out.
        """
        n_outputs, parts = self.xy.shape[1], []
        for j, w in enumerate(parameters.reshape(self.xy.shape).T):
            support = np.flatnonzero(w)
            if support.size:
                part = object.__new__(Quadratic)
                part.xx, part.xy = self.xx[np.ix_(support, support)], self.xy[support, j : j + 1]
                part.yy, part.alpha, part.size = self.yy, self.alpha, support.size
                parts.append((part, support * n_outputs + j))
        return parts

    @cached_property
    def near_dependence(self) -> Array | None:
        """A combination v of the columns for which X v nearly vanishes; None without one.

        X'X does not tell whether X v vanishes up to rounding, and the columns are dependent.
        """
        v = np.random.default_rng(0).standard_normal(len(self.xx))
        for _ in range(2):  # inverse iteration
            v = cho_solve(self._factor, v)
            v /= np.linalg.norm(v)
        return v / self._scale if v @ self._scaled @ v < _NEARLY * len(v) else None

    @cached_property
    def _scale(self) -> Array:
        """The norms of the columns, up to a factor; 1 for empty ones."""
        diagonal = 2 * self.xx.diagonal() + self.alpha
        return np.sqrt(np.where(diagonal > 0, diagonal, 1.0))

    @cached_property
    def _scaled(self) -> Array:
        """The second derivative, with columns of one norm."""
        hessian = 2 * self.xx + self.alpha * np.eye(len(self.xx))
        scaled: Array = hessian / self._scale / self._scale[:, None]
        np.fill_diagonal(scaled, 1.0)
        return scaled

    @cached_property
    def _factor(self) -> tuple[Array, bool]:
        """Cholesky's factor of `_scaled`, of which rounding must not make an indefinite matrix."""
        n_features = len(self.xx)
        factor: tuple[Array, bool] = cho_factor(
            self._scaled + _ROUNDING * n_features * np.eye(n_features)
        )
        return factor


class _SquaredPrediction(Loss):
    """The square of the prediction, whatever the target."""

    def value(self, y_true: Array, y_pred: Array) -> Array:
        return y_pred * y_pred


def is_dependence(rows: LineDataset, v: Array) -> bool:
    """Return whether X v vanishes up to rounding."""
    sizes = (rows.n_features, rows.n_outputs)
    network = Network(sizes, [Identity()], _SquaredPrediction(), 0.0, np.float64, biases=False)
    moments = rows.moments()
    norms = np.sqrt(moments.xx.diagonal() / moments.weight)
    along = rows.objective(network).mean_loss(np.repeat(v, rows.n_outputs))
    return bool(np.sqrt(along) <= 64 * np.finfo(rows.dtype).eps * (norms @ np.abs(v)))


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
            below_diagonal = np.tri(len(total.xx), k=-1, dtype=bool)
            np.copyto(total.xx, total.xx.T, where=below_diagonal)
            total.xx += self.xx
            total.xy += self.xy
            total.yy += self.yy
        if not (np.isfinite(total.xx.diagonal()).all() and np.isfinite(total.yy).all()):
            assert_all_finite(X, input_name="X")
            raise ValueError("X or y is too large: its squares overflow. Scale it.")
        for squares, values in ((total.xx.diagonal(), X), (total.yy, y)):
            small = squares < total.weight * _TINY
            if small.any() and _has_values(values, small, weights):
                raise ValueError("X or y is too small: its squares underflow. Scale it.")
        return total

    def joined(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows."""
        total = Moments(*self.xy.shape)
        for name in ("xx", "xy", "yy", "weight"):
            setattr(total, name, getattr(self, name) + getattr(other, name))
        return total


def _has_values(X: Matrix, columns: Array, weights: Array | None) -> bool:
    """Return whether some of the columns have a value other than 0 in a row of some weight."""
    for rows in row_chunks(X):
        chunk = slice_rows(X, rows)[:, columns] != 0
        if (
            chunk.T @ np.ones(chunk.shape[0]) if weights is None else chunk.T @ weights[rows]
        ).any():
            return True
    return False


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
