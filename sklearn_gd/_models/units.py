"""Whether a validation set is in the units of the training data."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse

from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.scaling import robust_scale
from sklearn_gd._pieces import Array, Matrix

# A column is far off where its median lies outside all training values, and this many
# interquartile ranges from their median. Where a fifth of the columns are, units differ: in the
# units of the data, some columns of a table always have small numbers, and are not far off.
_FAR, _SHARE = 10.0, 0.2
# With fewer rows, medians and ranges say little.
_FEWEST_TRAIN, _FEWEST_VALIDATION = 10, 5


def warn_of_other_units(train: object, held_out: object) -> None:
    """Warn where a validation set has other units than the training set; both NumPy rows."""
    if not isinstance(train, Rows | LabelledRows) or not isinstance(held_out, Rows | LabelledRows):
        return
    _warn_of_columns(
        "X",
        (train.X, train.weights),
        (held_out.X, held_out.weights),
        "A Pipeline transforms X_val only with transform_input=['X_val'] and metadata routing "
        "enabled; otherwise, transform X_val as X.",
    )
    if isinstance(train, Rows) and isinstance(train.y, np.ndarray):
        assert isinstance(held_out, Rows)
        _warn_of_columns(
            "y",
            (train.y, train.weights),
            (np.asarray(held_out.y), held_out.weights),
            "TransformedTargetRegressor does not transform y_val: transform it as y, or leave "
            "the scaling of targets to standardize.",
        )


def _warn_of_columns(
    name: str,
    train: tuple[Matrix, Array | None],
    held_out: tuple[Matrix, Array | None],
    advice: str,
) -> None:
    n_far, n_columns = _count_far(train, held_out)
    if n_columns and n_far >= _SHARE * n_columns:
        warnings.warn(
            f"{name}_val seems to be in other units than {name}: the medians of {n_far} of "
            f"{n_columns} columns lie outside the range of {name}, and more than {_FAR:g} "
            f"interquartile ranges from its medians. {advice}",
            UserWarning,
            stacklevel=7,
        )


def _count_far(
    train: tuple[Matrix, Array | None], held_out: tuple[Matrix, Array | None]
) -> tuple[int, int]:
    """Return the number of columns that are far off, and that of all that vary in training."""
    (X, weights), (X_val, weights_val) = train, held_out
    n_samples, n_validation = (
        each.shape[0] if w is None else np.count_nonzero(w)
        for each, w in ((X, weights), (X_val, weights_val))
    )
    if n_samples < _FEWEST_TRAIN or n_validation < _FEWEST_VALIDATION:
        return 0, 0
    low, high = (_dense(end) for end in (X.min(axis=0), X.max(axis=0)))
    varied = low < high
    with np.errstate(over="ignore", invalid="ignore"):
        middle = _middle(X_val, weights_val)[0]
        outside = np.flatnonzero(varied & ((middle < low) | (middle > high)))
        if len(outside) < max(1.0, _SHARE * np.count_nonzero(varied)):
            return 0, 0
        center, scale = _middle(X[:, outside], weights)
        far = np.abs(middle[outside] - center) > _FAR * scale
    return int(np.count_nonzero(far)), int(np.count_nonzero(varied))


def _middle(X: Matrix, weights: Array | None) -> tuple[Array, Array]:
    """Return the median and the interquartile range of each column.

    Both are the median size of the stored values for a sparse X.
    """
    center, scale = robust_scale(X, weights)
    return (scale if sparse.issparse(X) else center), scale


def _dense(row: Matrix) -> Array:
    return np.ravel(row.toarray() if sparse.issparse(row) else row)
