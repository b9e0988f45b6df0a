"""Predictions and scores of Dask collections, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain

import dask.array as da
import numpy as np
from distributed import Client
from sklearn.base import BaseEstimator, is_classifier

from sklearn_gd._data.validation import (
    _X_CHECKS,
    check_regression,
    check_weights,
    validated,
)
from sklearn_gd._pieces import Array, ArrayLike, DType, Matrix
from sklearn_gd.dask._chunks import Data, is_frame, lazy_chunks, precision_of, with_whole_rows
from sklearn_gd.dask._partition import Checks
from sklearn_gd.dask._reduction import reduce_chunks
from sklearn_gd.dask._shard import aligned

Part = tuple[float | Array, ...]  # weight and sums of a chunk


def predict_chunks(estimator: BaseEstimator, method: str, X: ArrayLike) -> ArrayLike:
    """Return the lazy results of a prediction method of a local estimator, in the chunks of X.

    They are a Dask array; for a Dask data frame, a Dask series, or a data frame with a column per
    class, of its label, or per output.
    """
    # One row is predicted at once: for the shape of predictions, and for early errors.
    if is_frame(X) and X.ndim == 2:
        one_row = np.zeros((1, X.shape[1]), precision_of(X))
        empty = getattr(estimator, method)(_like_frame(one_row, X._meta))[:0]
        function = partial(_predict_frame, estimator, method, empty)
        return X.map_partitions(function, meta=function(X._meta))
    if not isinstance(X, da.Array) or X.ndim != 2:
        raise TypeError(
            f"{method} takes an array or a Dask array of shape (n_samples, n_features), or a data "
            f"frame. Got {type(X).__name__} of {getattr(X, 'ndim', 'no')} axes."
        )
    X = with_whole_rows(X)
    empty = getattr(estimator, method)(np.zeros((1, X.shape[1]), X.dtype))[:0]
    columns = [(size,) for size in empty.shape[1:]]
    return X.map_blocks(
        partial(_predict_array, estimator, method, empty),
        dtype=empty.dtype,
        meta=empty,
        chunks=(X.chunks[0], *columns),
        drop_axis=[] if columns else [1],
    )


def _like_frame(rows: Array, X: ArrayLike) -> ArrayLike:
    """Return rows with the column names of a data frame.

    Their numbers are plain: an example in the types of the frame can be text, or missing.
    """
    import pandas as pd

    return pd.DataFrame(rows, columns=X.columns)


def _predict_array(estimator: BaseEstimator, method: str, empty: Array, X: Matrix) -> Array:
    if not X.shape[0]:
        return empty
    y_pred: Array = getattr(estimator, method)(aligned(X))
    return y_pred.astype(empty.dtype, copy=False)


def _predict_frame(estimator: BaseEstimator, method: str, empty: Array, X: ArrayLike) -> ArrayLike:
    import pandas as pd

    y_pred = _predict_array(estimator, method, empty, X)
    if y_pred.ndim == 1:
        return pd.Series(y_pred, index=X.index)
    labels = None if method == "predict" else estimator.classes_
    return pd.DataFrame(y_pred, index=X.index, columns=labels)


def score_chunks(
    estimator: BaseEstimator,
    client: Client,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
) -> float:
    """Return the accuracy of a classifier, or R² of a regressor, the mean over outputs.

    The estimator is local, and loses its names of features.
    """
    chunks, n_features, dtype = lazy_chunks(estimator, X, y, sample_weight, reset=False)
    # The names of all chunks are checked here; chunks themselves are predicted as plain arrays.
    vars(estimator).pop("feature_names_in_", None)
    sums_of = _hits if is_classifier(estimator) else _squares
    of_chunk = partial(_parts_of, Checks(sums_of, estimator, n_features, dtype))
    parts = reduce_chunks(client, chunks, of_chunk, _concatenated)
    weight = sum(part[0] for part in parts)
    if not weight:
        raise ValueError("There is no row, with weight, to score.")
    if is_classifier(estimator):
        return float(sum(part[1] for part in parts) / weight)
    mean = sum(part[0] * part[1] for part in parts) / weight
    around_mean = sum(part[2] + part[0] * (part[1] - mean) ** 2 for part in parts)
    errors = np.asarray(sum(part[3] for part in parts))
    # As in scikit-learn: 1 for constant targets that are predicted exactly, 0 for others.
    ratio = np.divide(errors, around_mean, out=np.ones_like(errors), where=around_mean > 0)
    return float(np.mean(np.where((around_mean == 0) & (errors == 0), 1.0, 1.0 - ratio)))


def _parts_of(checks: Checks[Part], number: int, data: Data) -> list[Part]:
    """Return the sums of a chunk in a list; an empty list without rows of any weight."""
    X, *others = data
    if not X.shape[0]:
        return []
    part = checks(number, (aligned(X), *others))
    return [part] if part[0] else []


def _concatenated(parts: Iterable[list[Part]]) -> list[Part]:
    return list(chain.from_iterable(parts))


def _hits(estimator: BaseEstimator, data: Data, _: DType) -> Part:
    """Return the weight of all rows, and of those that are classified correctly."""
    from sklearn.metrics import accuracy_score

    X, y, sample_weight = data
    checked_X, y = validated(type(estimator)(), X, y, reset=True, **_X_CHECKS)
    weights = _weights(sample_weight, checked_X)
    if not weights.any():
        return (0.0,)
    predicted = estimator.predict(checked_X)
    share = accuracy_score(y, predicted, sample_weight=weights)  # refuses labels of other types
    return weights.sum(), weights.sum() * share


def _squares(estimator: BaseEstimator, data: Data, _: DType) -> Part:
    """Return the weight, the mean of y, the squares of y around it, and the squared errors."""
    X, y, sample_weight = data
    checked_X, y, _one_axis = check_regression(type(estimator)(), X, y, reset=True)
    weights = _weights(sample_weight, checked_X)
    if not weights.any():
        return (0.0,)
    y = y.astype(np.float64, copy=False)
    y_pred = estimator.predict(checked_X).reshape(len(y), -1)
    if y_pred.shape != y.shape:
        raise ValueError(f"y has {y.shape[1]} columns, and the model {y_pred.shape[1]} outputs.")
    mean = np.average(y, axis=0, weights=weights)
    return weights.sum(), mean, weights @ (y - mean) ** 2, weights @ (y - y_pred) ** 2


def _weights(sample_weight: ArrayLike | None, X: Matrix) -> Array:
    weights = check_weights(sample_weight, X)
    return np.ones(X.shape[0]) if weights is None else weights
