"""What comes in: rows, targets and weights, checked once at the door of every fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from sklearn_gd._array_api import space_of

Array = np.ndarray[Any, np.dtype[Any]]
F = TypeVar("F", bound=Callable[..., Any])

# Lists, arrays, sparse matrices and data frames of several libraries, none of which need be here.
ArrayLike = Any

_SMALL = 64_000_000  # bytes that a fit may take beside its data, whatever their number

_X_CHECKS: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}


def all_or_nothing(fit: F) -> F:
    """Make a fitting method leave the estimator as it was when it raises.

    The method must not change, in place, an array that the estimator already holds.
    """

    @wraps(fit)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = vars(self).copy()
        try:
            return fit(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return guarded  # type: ignore[return-value]


def check_rows(estimator: Any, X: Any) -> Any:
    """Check the rows to predict for: (n_rows, n_features) as seen in fit."""
    require_numpy_rows(estimator, X)
    return canonical(validate_data(estimator, X, reset=False, **_X_CHECKS))


def require_numpy_rows(estimator: Any, X: Any, name: str = "X") -> None:
    """Raise a ValueError where rows are another library's, and would stay so."""
    space = space_of(X)
    if space is not None:
        kind = type(estimator).__name__
        raise ValueError(f"{kind} takes NumPy arrays only. Got {name} of {space}.")


def check_regression(
    estimator: Any, X: Any, y: Any, *, reset: bool, look_at_all: bool = True
) -> tuple[Any, Array, bool]:
    """Return X, y as (n_rows, n_outputs) in X's precision, and whether y came with one axis.

    Without `look_at_all`, it is left to the caller to find numbers in X that are not finite.
    """
    if sparse.issparse(y):
        raise ValueError("The targets y must be dense. Got a sparse matrix.")
    checks = {**_X_CHECKS, "ensure_all_finite": look_at_all}
    X, y = validate_data(estimator, X, y, reset=reset, multi_output=True, y_numeric=True, **checks)
    if y.dtype.kind not in "fiub":
        raise ValueError(f"The targets y must be real numbers. Got dtype {y.dtype}.")
    one_axis = y.ndim == 1
    given = y.dtype
    with np.errstate(over="ignore"):
        y = np.asarray(y.reshape(len(y), -1), dtype=X.dtype)
    if y.dtype != given and not np.isfinite(y).all():
        raise ValueError(f"The targets y overflow {X.dtype}, the precision of X; scale them.")
    return canonical(X), y, one_axis


def canonical(X: Any) -> Any:
    """Return a CSR matrix without duplicate entries; dense rows as they are.

    Numbers that lie askew, as in a packed record, are copied: no compiled loop could step to them.
    """
    if sparse.issparse(X):
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        return X
    askew = not X.flags.aligned or any(stride % X.itemsize for stride in X.strides)
    return X.copy() if askew else X


def by_rows(X: Any) -> Any:
    """Return X with the numbers of a row together, unless this takes a large copy.

    Columns of a data frame lie together instead, and to meet a row costs a jump for each number.
    """
    if sparse.issparse(X) or X.flags.c_contiguous or X.strides[1] == X.itemsize:
        return X
    return X if X.nbytes > _SMALL else np.ascontiguousarray(X)


def check_weights(sample_weight: Any, X: Any, name: str = "sample_weight") -> Array | None:
    """Return the row weights in float64, or None for one each.

    Raises
    ------
    ValueError
        For a wrong shape, numbers that are not finite, or negative ones.
    """
    if sample_weight is None:
        return None
    n_rows = X.shape[0]
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, sample_weight, dtype=np.float64)
    weights = check_numbers(name, sample_weight, np.float64, copy=False)
    if weights.shape != (n_rows,):
        raise ValueError(
            f"{name} must be of shape ({n_rows},), one weight a row. Got shape {weights.shape}."
        )
    if (weights < 0).any():
        raise ValueError(f"{name} must not be negative. Got {weights.min()} as its smallest.")
    return weights


def check_numbers(name: str, value: Any, dtype: Any, *, copy: bool = True) -> Array:
    """Return `value` as an array of `dtype`; what is not finite numbers is a ValueError.

    Without `copy`, it may be the one that was given.
    """
    if sparse.issparse(value):
        raise ValueError(f"{name} must be dense. Got a sparse matrix.")
    try:
        array: Array = check_array(
            value,
            ensure_2d=False,
            allow_nd=True,
            dtype=dtype,
            input_name=name,
            ensure_min_samples=0,
            copy=copy,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold finite numbers: {error}") from error
    return array


def require_some_weight(
    weights: Array | None, name: str = "sample_weight", purpose: str = "fit"
) -> None:
    """Raise a ValueError where every row has weight zero."""
    if weights is not None and not weights.any():
        raise ValueError(f"{name} is zero for all rows: there is nothing to {purpose}.")


def check_same_shape(name: str, value: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return `value` as a finite array of `shape`, a copy; one row may come with one axis less."""
    array = check_numbers(name, np.atleast_1d(value), dtype)
    if array.shape != shape and (array.shape != shape[1:] or shape[0] != 1):
        raise ValueError(f"{name} must be of shape {shape}. Got shape {array.shape}.")
    return array.reshape(shape)


def check_validation_set(X_val: Any, y_val: Any, sample_weight_val: Any) -> bool:
    """Return whether a validation set was given; one half of it alone is a ValueError."""
    if (X_val is None) != (y_val is None):
        raise ValueError("X_val and y_val must be given together.")
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val needs X_val and y_val.")
    return X_val is not None


def check_validation_rows(
    estimator: Any, X_val: Any, y_val: Any, sample_weight_val: Any, dtype: Any
) -> tuple[Any, Any, Array | None]:
    """Check X_val against the features of X; y_val is left to the estimator."""
    require_numpy_rows(estimator, X_val, "X_val")
    checks = {**_X_CHECKS, "dtype": dtype}
    try:
        X_val = canonical(validate_data(estimator, X_val, reset=False, **checks))
        check_consistent_length(X_val, y_val)
    except ValueError as error:
        raise ValueError(f"X_val and y_val must be such as X and y: {error}") from error
    weights = check_weights(sample_weight_val, X_val, "sample_weight_val")
    require_some_weight(weights, "sample_weight_val", "validate on")
    return X_val, y_val, weights


def make_generator(random_state: Any) -> np.random.Generator:
    """Return a generator of its own for one fit; the global random state is never touched."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    return np.random.default_rng(random_state)
