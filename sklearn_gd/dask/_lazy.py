"""Answers about rows that are not worked out yet: predictions chunk by chunk, and scores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import is_dask_collection
from dask.delayed import delayed
from sklearn.base import is_classifier

from sklearn_gd._data.validation import (
    _X_CHECKS,
    check_regression,
    check_weights,
    validated,
)
from sklearn_gd._pieces import Array
from sklearn_gd.dask._blocks import is_frame, lazy_blocks, whole_rows
from sklearn_gd.dask._parts import Kind, aligned, checked
from sklearn_gd.dask._workers import result_of


def lazily(local: Any, method: str, X: Any) -> Any:
    """Return what a fitted local estimator's method answers; lazily where X is a Dask collection.

    Parameters
    ----------
    local : estimator
    method : str
        Its name, of one that answers with a number or a row of numbers for each row.
    X : array-like, or Dask array or data frame, of shape (n_samples, n_features)

    Returns
    -------
    answer : ndarray, Dask array, or, for a Dask data frame, a Dask series or data frame
        With the chunks of X.
    """
    if not is_dask_collection(X):
        return getattr(local, method)(X)
    if is_frame(X):
        # One row is answered at once: for the shape of answers, and for errors now, not later.
        like = _on_frame(local, method, X._meta_nonempty)
        return X.map_partitions(partial(_on_frame, local, method), meta=like.iloc[:0])
    if not isinstance(X, da.Array) or X.ndim != 2:
        raise TypeError(
            f"{method} takes an array or a Dask array of shape (n_samples, n_features), or a data "
            f"frame. Got {type(X).__name__} of {getattr(X, 'ndim', 'no')} axes."
        )
    X = whole_rows(X)
    # One row is answered at once, here too.
    like = getattr(local, method)(np.zeros((1, X.shape[1]), X.dtype))[:0]
    columns = [(size,) for size in like.shape[1:]]
    return X.map_blocks(
        partial(_on_array, local, method, like),
        dtype=like.dtype,
        meta=like,
        chunks=(X.chunks[0], *columns),
        drop_axis=[] if columns else [1],
    )


def _on_array(local: Any, method: str, like: Array, X: Any) -> Array:
    if not X.shape[0]:
        return like
    X = aligned(X)
    answer: Array = getattr(local, method)(X)
    return answer.astype(like.dtype, copy=False)


def _on_frame(local: Any, method: str, X: Any) -> Any:
    import pandas as pd

    if not len(X):
        return _on_frame(local, method, _one_row_like(X)).iloc[:0]
    answer = getattr(local, method)(X)
    if answer.ndim == 1:
        return pd.Series(answer, index=X.index)
    return pd.DataFrame(answer, index=X.index)


def _one_row_like(X: Any) -> Any:
    import pandas as pd

    return pd.DataFrame({name: np.zeros(1, X.dtypes[name]) for name in X.columns})


def score_of(local: Any, client: Any, X: Any, y: Any, sample_weight: Any) -> float:
    """Return R², the mean over outputs, or the accuracy, of which each chunk tells its part."""
    of_block = _hits if is_classifier(local) else _errors
    blocks, kind = lazy_blocks(local, X, y, sample_weight, reset=False)
    tasks = [
        delayed(partial(_told, of_block, local, kind, number), pure=False)(*block.ask())
        for number, block in enumerate(blocks)
    ]
    futures = client.compute(tasks)
    try:
        answers = [result_of(client, future) for future in futures]
    finally:
        for future in futures:  # whoever keeps the error keeps this frame, and them
            future.release()
    told = [part for part in answers if part is not None]
    weight = sum(part[0] for part in told)
    if not weight:
        raise ValueError("There is no row, with weight, to score.")
    if is_classifier(local):
        return float(sum(part[1] for part in told) / weight)
    mean = sum(part[0] * part[1] for part in told) / weight
    around_mean = sum(part[2] + part[0] * (part[1] - mean) ** 2 for part in told)
    errors = sum(part[3] for part in told)
    # As scikit-learn has it: 1 for constant targets that are met, 0 for those that are not.
    ratio = np.divide(errors, around_mean, out=np.ones_like(errors), where=around_mean > 0)
    return float(np.mean(np.where((around_mean == 0) & (errors == 0), 1.0, 1.0 - ratio)))


def _told(
    of_block: Callable[..., Any], local: Any, kind: Kind, number: int, *block: Any
) -> tuple[Any, ...] | None:
    """Return what a checked block tells; None where it has no row with weight."""
    if not block[0].shape[0]:
        return None
    X, *rest = block
    block = (aligned(X), *rest)
    told: tuple[Any, ...] | None = checked(of_block, local, block, kind, number)
    return told


def _hits(local: Any, block: tuple[Any, Any, Any], _: Any) -> tuple[float, float] | None:
    """Return the weight, and that of the rows whose labels are met."""
    X, y, weights = block
    checked_X, y = validated(type(local)(), X, y, reset=True, **_X_CHECKS)
    weights = _weights(weights, checked_X)
    if not weights.any():
        return None
    return weights.sum(), weights @ (local.predict(X) == y)


def _errors(local: Any, block: tuple[Any, Any, Any], _: Any) -> tuple[Any, ...] | None:
    """Return the weight, the mean of y, its squares around this, and the squared errors."""
    X, y, weights = block
    checked_X, y, _one_axis = check_regression(type(local)(), X, y, reset=True)
    weights = _weights(weights, checked_X)
    if not weights.any():
        return None
    y = y.astype(np.float64, copy=False)
    y_pred = local.predict(X).reshape(len(y), -1)
    if y_pred.shape != y.shape:
        raise ValueError(f"y has {y.shape[1]} columns, and the model {y_pred.shape[1]} outputs.")
    mean = np.average(y, axis=0, weights=weights)
    return weights.sum(), mean, weights @ (y - mean) ** 2, weights @ (y - y_pred) ** 2


def _weights(weights: Any, X: Any) -> Array:
    weights = check_weights(weights, X)
    return np.ones(X.shape[0]) if weights is None else weights
