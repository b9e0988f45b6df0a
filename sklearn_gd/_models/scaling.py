"""How columns and targets are brought to one scale for training, and the weights back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse

from sklearn_gd._data.batches import row_chunks, slice_rows
from sklearn_gd._data.split import PickedRows
from sklearn_gd._pieces import Array, DeviceArray, Matrix, namespace
from sklearn_gd.activations import Activation, Identity
from sklearn_gd.losses import _quantiles

Layers = list[tuple[DeviceArray, DeviceArray]]  # weights and biases of each layer

# Number of rows that quantiles are found on: the rank of a median is then right to 0.2 %.
SAMPLE = 100_000
# The fewest rows of a first ``partial_fit`` to find a scale on, as in scikit-learn's checks.
FEWEST = 10
# |z| at which the squashing function has left the diagonal by 30 %, and its supremum.
KNEE = 3.0
# Beyond this |z|, the squashed value is its limit in double precision; squares do not overflow.
FAR = 1e9
# How near to a constant, next to it, an output is the constant.
_NEAR = 1e-8
# Number of values of X that are copied at once.
_BLOCK = 1 << 19


class ColumnScaling:
    """The function of X whose result the first layer gets: (x - center) / scale in each column.

    With `squash`, z = (x - center) / scale is mapped to z / sqrt(1 + (z / 3)²), which is bounded.
    Sparse rows stay sparse if no column has a center, as after a fit on sparse rows.

    Parameters
    ----------
    center, scale : arrays of shape (n_features,)
    squash : bool
    """

    def __init__(self, center: DeviceArray, scale: DeviceArray, squash: bool) -> None:
        self.center, self.scale, self.squash = center, scale, squash

    def __call__(self, X: Matrix, out: Array | None = None) -> Matrix:
        """Return the scaled rows, in `out` if it is given and X is a NumPy array."""
        if sparse.issparse(X) and self.center.any():
            X = X.toarray()
        if sparse.issparse(X):
            data = X.data / self.scale[X.indices]
            data = _squashed(data, data) if self.squash else data
            return type(X)((data, X.indices, X.indptr), shape=X.shape)
        if not isinstance(X, np.ndarray):
            z = (X - self.center) / self.scale
            return _squashed(z) if self.squash else z
        with np.errstate(over="ignore"):
            z = np.subtract(X, self.center, out=out)
            z /= self.scale
        return _squashed(z, z) if self.squash else z

    def moved(self, to_device: Callable[[Array], DeviceArray]) -> ColumnScaling:
        """Return the same function for arrays of another library."""
        return ColumnScaling(to_device(self.center), to_device(self.scale), self.squash)


def _squashed(z: DeviceArray, out: Array | None = None) -> DeviceArray:
    """Return z / sqrt(1 + (z / 3)²), computed in `out`, which may be z, for NumPy arrays."""
    if out is None:
        xp = namespace(z)
        z = xp.clip(z, -FAR, FAR)
        return z / xp.sqrt(xp.square(z / KNEE) + 1)
    np.clip(z, -FAR, FAR, out=out)
    root = np.square(out / KNEE)
    root += 1
    np.sqrt(root, out=root)
    out /= root
    return out


class Affine(Activation):
    """Output activation mean + spread * z, per output, for targets in their own units."""

    _forgets_z = True

    def __init__(self, mean: DeviceArray, spread: DeviceArray) -> None:
        self.mean, self.spread = mean, spread

    def __call__(self, z: DeviceArray) -> DeviceArray:
        return z * self.spread + self.mean

    def derivative(self, z: DeviceArray, a: DeviceArray) -> DeviceArray:
        return namespace(a).ones_like(a) * self.spread

    def _apply(self, z: Array, out: Array) -> Array:
        np.multiply(z, self.spread, out=out)
        out += self.mean
        return out

    def _chain(self, delta: Array, z: Array, a: Array) -> None:
        delta *= self.spread


class Scaling:
    """The scale that a model is trained in.

    Parameters
    ----------
    kind : {"robust", "standard"}
    center, scale : ndarrays of shape (n_features,)
        Of the columns of X.
    mean, spread : ndarrays of shape (n_outputs,)
        Best constant prediction and standard deviation of the targets; arrays of 0 and 1 if they
        are not mapped.
    baseline_loss : float
        Loss of the best constant prediction, which the objective is divided by.
    """

    def __init__(
        self,
        kind: str,
        center: Array,
        scale: Array,
        mean: Array,
        spread: Array,
        baseline_loss: float,
    ) -> None:
        self.kind, self.center, self.scale = kind, center, scale
        self.mean, self.spread, self.baseline_loss = mean, spread, baseline_loss

    def for_loss(self, baseline_loss: float) -> Scaling:
        """Return the same scale for an objective that is divided by another loss."""
        twin = copy(self)
        twin.baseline_loss = baseline_loss if 0 < baseline_loss < np.inf else 1.0
        return twin

    def packed(self) -> Array:
        """Return all numbers as one vector, for checkpoints."""
        parts = self.center, self.scale, self.mean, self.spread, [self.baseline_loss]
        return np.concatenate([np.asarray(part, np.float64) for part in parts])

    @classmethod
    def unpacked(cls, kind: str, numbers: Array, n_features: int, n_outputs: int) -> Self:
        """Return the scaling with the given numbers; a ValueError if they are not as many."""
        p, k = n_features, n_outputs
        center, scale, mean, spread, (baseline,) = np.split(numbers, np.cumsum([p, p, k, k]))
        return cls(kind, center, scale, mean, spread, float(baseline))

    def columns(self, dtype: DTypeLike) -> ColumnScaling:
        """Return the scaling of rows of a dtype."""
        center, scale = (array.astype(dtype) for array in (self.center, self.scale))
        return ColumnScaling(center, scale, squash=self.kind == "robust")

    def columns_like(self, weights: DeviceArray) -> ColumnScaling:
        """Return the scaling of rows in the library and dtype of some weights."""
        center, scale = (_as(weights, _like(weights, a)) for a in (self.center, self.scale))
        return ColumnScaling(center, scale, squash=self.kind == "robust")

    def output(self, dtype: DTypeLike) -> Activation:
        """Return the output activation of a network that is trained on scaled targets."""
        return Affine(self.mean.astype(dtype), self.spread.astype(dtype))

    def folded(self, layers: Layers) -> Layers:
        """Return layers for targets in their units and, if "standard", columns in theirs."""
        layers = list(layers)
        W, b = layers[-1]
        spread, mean = _like(W, self.spread), _like(W, self.mean)
        layers[-1] = _as(W, W * spread), _as(W, b * spread + mean) if b.shape[0] else b
        if self.kind == "standard":
            W, b = layers[0]
            slope = W / _like(W, self.scale)[:, None]
            layers[0] = (
                _as(W, slope),
                _as(W, b - _like(W, self.center) @ slope) if b.shape[0] else b,
            )
        return layers

    def unfolded(self, layers: Layers) -> Layers:
        """Return the layers that `folded` gives these for."""
        layers = list(layers)
        if self.kind == "standard":
            W, b = layers[0]
            slope = W * _like(W, self.scale)[:, None]
            layers[0] = _as(W, slope), _as(W, b + _like(W, self.center) @ W) if b.shape[0] else b
        W, b = layers[-1]
        spread, mean = _like(W, self.spread), _like(W, self.mean)
        layers[-1] = _as(W, W / spread), _as(W, (b - mean) / spread) if b.shape[0] else b
        return layers


def _like(W: DeviceArray, numbers: Array) -> DeviceArray:
    """Return numbers to compute with W: in float64, or in the library and dtype of W."""
    if isinstance(W, np.ndarray):
        return np.asarray(numbers, np.float64)
    numbers = np.array(numbers)  # a copy, since torch warns of an array that is read-only
    return namespace(W).asarray(numbers, dtype=W.dtype, device=W.device)


def _as(W: DeviceArray, result: DeviceArray) -> DeviceArray:
    """Return a result in the dtype of W."""
    return result.astype(W.dtype, copy=False) if isinstance(W, np.ndarray) else result


def start_of(activation: Activation, constant: Array, *, exhausted: bool = False) -> Array:
    """Return biases with f(b) = constant for each output; 0 where there are none.

    If the constants `exhausted` the targets, they may be approached: at the end of the range of f,
    where nothing more is to be learned.
    """
    from scipy.optimize import brentq

    if isinstance(activation, Identity):
        return constant
    found = np.zeros(len(constant))
    for i, value in enumerate(constant.tolist()):

        def gap(z: float, value: float = value) -> float:
            return float(activation(np.array([z]))[0]) - value

        for edge in (1.0, 10.0, 100.0, 1e4, 1e8):
            if gap(-edge) * gap(edge) < 0:
                found[i] = brentq(gap, -edge, edge)
                break
        else:
            ends = [z for edge in (1.0, 10.0, 100.0) for z in (-edge, edge)]
            if exhausted:
                near = [z for z in ends if abs(gap(z)) <= _NEAR * max(1.0, abs(value))]
                found[i] = near[0] if near else 0.0
    return found


def target_scale(mean: Array, spread: Array) -> Array:
    """Return the scale of targets: their spread, or 1 where that is rounding error."""
    rounding = 8 * np.finfo(np.float64).eps * np.abs(mean)
    return np.where((spread > rounding) & np.isfinite(spread), spread, 1.0)


def column_scale(
    kind: str, X: Matrix, weights: Array | None, *, centred: bool = True
) -> tuple[Array, Array]:
    """Return center and scale of the columns of X.

    Parameters
    ----------
    kind : {"robust", "standard"}
        ``"robust"``: median and interquartile range; if that is 0, the median of the distances
        from the median, of the values that differ from it. ``"standard"``: mean and standard
        deviation. The scale of a constant column is 1, and the center of a sparse one is 0.
    X : ndarray, CSR or picked rows of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples,) or None
    centred : bool, default=True
        Whether columns are centred; otherwise the center is 0.

    Raises
    ------
    ValueError
        If a scale overflows.
    """
    if kind == "robust":
        with np.errstate(over="ignore", invalid="ignore"):
            center, scale = robust_scale(X, weights)
    else:
        moments = ColumnMoments.of(X, weights)
        center, scale = moments.mean, moments.scale()
        centred = centred and not sparse.issparse(X)
    return checked_scale(center if centred else np.zeros_like(center), scale, X.dtype)


def checked_scale(center: Array, scale: Array, dtype: DTypeLike) -> tuple[Array, Array]:
    """Return a scale for rows of a dtype, 1 where it is 0; a ValueError if it overflows."""
    with np.errstate(over="ignore", under="ignore"):
        in_dtype = scale.astype(dtype)
    if not (np.isfinite(center).all() and np.isfinite(in_dtype).all()):
        raise ValueError("X is too large: differences of its values overflow. Scale it.")
    return center, np.where(in_dtype == 0, 1.0, scale)


class ColumnMoments(NamedTuple):
    """Number and weight of rows; mean and standard deviation (n_features,) of their columns."""

    n_samples: int
    weight: float
    mean: Array
    spread: Array

    @classmethod
    def of(cls, X: Matrix, weights: Array | None) -> Self:
        """Return the moments of the columns of rows, of which some have weight."""
        from sklearn.preprocessing import MaxAbsScaler, StandardScaler

        scaler, largest = StandardScaler(with_mean=not sparse.issparse(X)), MaxAbsScaler()
        for rows, _ in _weighed_chunks(X, weights):
            largest.partial_fit(rows)
        # In units of powers of two, squares do not overflow or vanish, and nothing is rounded.
        unit = np.ldexp(1.0, np.frexp(largest.max_abs_.astype(np.float64))[1] - 1)
        in_unit = ColumnScaling(np.zeros_like(unit), unit, squash=False)
        with np.errstate(invalid="ignore"):  # rounding makes some variances of 0 negative
            for rows, each in _weighed_chunks(X, weights):
                scaler.partial_fit(in_unit(rows), sample_weight=each)
        n_samples = X.shape[0] if weights is None else int(np.count_nonzero(weights))
        weight = float(n_samples if weights is None else weights.sum())
        spread = np.sqrt(np.maximum(scaler.var_, 0.0))
        return cls(n_samples, weight, scaler.mean_ * unit, spread * unit)

    def joined(self, other: ColumnMoments) -> ColumnMoments:
        """Return the moments of the rows of both."""
        weight = self.weight + other.weight
        share = other.weight / weight
        step = other.mean - self.mean
        within = np.hypot((1 - share) ** 0.5 * self.spread, share**0.5 * other.spread)
        spread = np.hypot(within, (share * (1 - share)) ** 0.5 * step)
        n_samples = self.n_samples + other.n_samples
        return ColumnMoments(n_samples, weight, self.mean + share * step, spread)

    def scale(self) -> Array:
        """Return the standard deviations, 1 where they are rounding error."""
        error = self.n_samples * np.finfo(np.float64).eps  # as in StandardScaler
        rounding = np.hypot(error**0.5 * self.spread, error * self.mean)
        return np.where(self.spread <= rounding, 1.0, self.spread)


def _weighed_chunks(X: Matrix, weights: Array | None) -> Iterator[tuple[Matrix, Array | None]]:
    """Yield the rows with weight, and their weights, in chunks."""
    for part in row_chunks(X):
        rows, each = slice_rows(X, part), None if weights is None else weights[part]
        if each is not None and not each.all():
            rows, each = rows[each > 0], each[each > 0]
        if rows.shape[0]:
            yield rows, each


def sampled(n_samples: int) -> Array | None:
    """Return the numbers of the rows that quantiles are found on; None for all."""
    if n_samples <= SAMPLE:
        return None
    return np.sort(np.random.default_rng(0).choice(n_samples, SAMPLE, replace=False))


def robust_scale(X: Matrix, weights: Array | None) -> tuple[Array, Array]:
    """Return the median and the interquartile range, or what takes its place, of each column.

    Of more than 100,000 rows, as many are drawn, always the same ones.
    """
    rows = sampled(X.shape[0])
    weights = weights if weights is None or rows is None else weights[rows]
    if sparse.issparse(X):
        X = X if rows is None else X[rows]
        return np.zeros(X.shape[1]), _medians_of_stored(X, weights)
    if isinstance(X, PickedRows):
        X, rows = X.X, X.rows if rows is None else X.rows[rows]
    center, scale = np.empty(X.shape[1]), np.empty(X.shape[1])
    width = max(1, _BLOCK // (X.shape[0] if rows is None else len(rows)))
    for start in range(0, X.shape[1], width):
        block = X[:, start : start + width] if rows is None else X[rows, start : start + width]
        low, middle, high = _quantiles(block, weights, (0.25, 0.5, 0.75))
        spread = high.astype(np.float64) - low
        for j in np.flatnonzero(spread == 0):
            spread[j] = _spread_off(middle[j], block[:, j], weights)
        center[start : start + width], scale[start : start + width] = middle, spread
    return center, scale


def _spread_off(middle: float, column: Array, weights: Array | None) -> float:
    """Return the median distance from `middle` of the values that differ from it; 0 for none."""
    off = column != middle if weights is None else (column != middle) & (weights > 0)
    if not off.any():
        return 0.0
    distances = np.abs(column[off].astype(np.float64) - middle)[:, None]
    return float(_quantiles(distances, None if weights is None else weights[off], (0.5,))[0, 0])


def _medians_of_stored(X: Matrix, weights: Array | None) -> Array:
    """Return the median absolute value of the non-zero values in each column of a CSR matrix."""
    each = np.ones(X.nnz) if weights is None else np.repeat(weights, np.diff(X.indptr))
    kept = (X.data != 0) & (each > 0)
    columns, values, each = X.indices[kept], np.abs(X.data[kept]), each[kept]
    order = np.lexsort((values, columns))
    columns, values = columns[order], values[order]
    shares = np.cumsum(each[order])
    present, first = np.unique(columns, return_index=True)
    before = np.concatenate([[0.0], shares])[first]
    total = np.concatenate([[0.0], shares])[np.append(first[1:], len(shares))] - before
    scale: Array = np.zeros(X.shape[1])
    scale[present] = values[np.searchsorted(shares, before + total / 2 * (1 - 1e-12))]
    return scale


def require_enough_rows(n_samples: int) -> None:
    """Raise a ValueError if a first ``partial_fit`` has too few rows to find their scale."""
    if n_samples < FEWEST:
        raise ValueError(
            f"The first call of partial_fit finds the scale of the columns, which takes {FEWEST} "
            f"rows with weight or more. Got {n_samples}. Give more rows, or set standardize=False "
            "and scale the columns."
        )


def scaling_of(kind: str, dataset: Any, objective: Any) -> Scaling:
    """Return the scaling of a dataset, for the network of an objective over it."""
    constant, (mean, spread) = objective.best_constant(), dataset.target_moments()
    spread = np.broadcast_to(target_scale(mean, spread), constant.shape)
    if not objective.network.scales_targets:
        constant, spread = np.zeros(len(constant)), np.ones(len(constant))
    center, scale = dataset.column_scale(kind)
    baseline = objective.baseline_loss()
    if objective.network.scales_targets:
        low, high = dataset.target_ends()
        vanishes = low < high and baseline == 0 and high - low < 1
        _require_in_range(
            baseline, 0.0 if vanishes else float(np.max(spread)), objective.network.dtype
        )
    scaling = Scaling(kind, center, scale, constant.astype(np.float64), spread, 1.0)
    return scaling.for_loss(baseline)


def _require_in_range(baseline: float, spread: float, dtype: DTypeLike) -> None:
    """Raise a ValueError if losses of targets of this spread are beyond a type of numbers."""
    limits = np.finfo(dtype)
    too_small = spread < 1 and baseline < 1e4 * float(limits.tiny)
    if too_small or not baseline < 1e-4 * float(limits.max):
        verb = "small: its losses underflow" if too_small else "large: its losses overflow"
        raise ValueError(
            f"y is too {verb} in {limits.dtype}, the precision of X. Scale y"
            f"{', or give X in float64' if limits.dtype == np.float32 else ''}."
        )
