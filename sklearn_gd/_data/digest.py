"""Digests of training data, by which a resumed fit recognises them."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import joblib
import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_gd._data.validation import canonical, float_dtypes, well_formed
from sklearn_gd._pieces import Array, ArrayLike, Matrix

_CHUNK = 1 << 22  # number of bytes that are copied at once


def digest_of(X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> str:
    """Return a digest of the numbers in valid training data, however they are stored.

    It has, for each of X, y and sample_weight, a description and a hash. Dask collections are
    hashed as the computations that they are.
    """
    parts = {"X": (X, _rows), "y": (y, _targets), "sample_weight": (sample_weight, _weights)}
    return json.dumps({name: _entry(given, read) for name, (given, read) in parts.items()})


def difference(expected: str, found: str) -> str:
    """Return what differs between two digests, as a clause for messages."""
    try:
        before, now = json.loads(expected), json.loads(found)
        clauses = []
        for name, (what, _) in now.items():
            was, _ = before[name]
            if was != what:
                clauses.append(f"{name} was {was} and is {what}")
            elif before[name] != now[name]:
                clauses.append(f"{name} has other values")
        return "; ".join(clauses)
    except (KeyError, TypeError, ValueError):
        return "X, y or sample_weight"


def _entry(given: ArrayLike, read: Any) -> tuple[str, str]:
    if given is None:
        return "None", ""
    if hasattr(given, "__dask_graph__"):
        return f"a {type(given).__name__}", str(joblib.hash(given))
    value = read(given)
    if not sparse.issparse(value):
        return f"an array of {value.dtype} and shape {value.shape}", _hash(value)
    arrays = value.data, value.indices.astype(np.int64), value.indptr.astype(np.int64)
    return f"sparse, of {value.dtype} and shape {value.shape}", "".join(map(_hash, arrays))


def _rows(X: ArrayLike) -> Matrix:
    X = check_array(well_formed(X), accept_sparse="csr", dtype=float_dtypes(X))
    X = canonical(X)
    if sparse.issparse(X) and not X.data.all():
        X = X.copy()
        X.eliminate_zeros()
    return X


def _targets(y: ArrayLike) -> Array:
    y = check_array(y, ensure_2d=False, dtype=None)
    # Beyond that, integers are not all numbers of float64.
    if y.dtype.kind in "fb" or (y.dtype.kind in "iu" and (not y.size or abs(y).max() < 2**53)):
        return y.astype(np.float64, copy=False)
    return np.asarray(y.tolist())  # labels, among objects too


def _weights(sample_weight: ArrayLike) -> Array:
    weights: Array = check_array(sample_weight, ensure_2d=False, dtype=np.float64)
    return weights


def _hash(array: Array) -> str:
    """Return a hash of the elements in C order, without a copy of all of them."""
    if array.dtype.kind == "O":
        return str(joblib.hash(array.tolist()))
    n_samples = max(1, _CHUNK // max(1, array[:1].nbytes))
    found = sha256()
    for start in range(0, len(array), n_samples):
        found.update(np.ascontiguousarray(array[start : start + n_samples]).tobytes())
    return found.hexdigest()
