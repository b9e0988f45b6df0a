"""Checks of X, y and weights, once at the start of every fit."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from copy import copy as shallow_copy
from functools import wraps
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, validate_data

from sklearn_gd._data.array_api import all_as_numpy, space_of
from sklearn_gd._pieces import Array, ArrayLike, Matrix

E = TypeVar("E")
F = TypeVar("F", bound=Callable[..., Any])


_X_CHECKS: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}


def all_or_nothing(fit: F) -> F:
    """Make a fitting method work on a shallow copy of the estimator, whose state it takes over.

    The estimator stays unchanged if the method raises, and another thread that predicts meanwhile
    sees either the old or the new state. Callbacks receive the copy. The method must not modify in
    place an array that the estimator already has.
    """

    @wraps(fit)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        twin, before = object.__new__(type(self)), vars(self).copy()
        vars(twin).update(before)
        with twin._fitting(fit.__name__, *args, *kwargs.values()):
            fit(twin, *args, **kwargs)
        # What was set meanwhile, by a callback or in another thread, stays.
        after, missing = vars(twin), object()
        set_meanwhile = {
            name: value
            for name, value in vars(self).items()
            if before.get(name, missing) is not value
            and after.get(name, missing) is before.get(name, missing)
        }
        self.__dict__ = after | set_meanwhile
        return self

    return guarded  # type: ignore[return-value]


def as_of_now(estimator: E) -> E:
    """Return an estimator with the current attributes, which a concurrent fit may replace."""
    twin: E = object.__new__(type(estimator))
    twin.__dict__ = vars(estimator)
    return twin


def check_rows(estimator: BaseEstimator, X: ArrayLike) -> Matrix:
    """Check X for prediction, of shape (n_samples, n_features) as in ``fit``."""
    require_numpy_rows(estimator, X)
    return canonical(validated(estimator, X, reset=False, **_X_CHECKS))


def in_precision(X: Matrix, dtype: DTypeLike, name: str = "X") -> Matrix:
    """Return checked rows in the precision of a model; a ValueError if they overflow."""
    if np.can_cast(X.dtype, dtype):
        return X.astype(dtype, copy=False)
    with np.errstate(over="ignore"):
        X = X.astype(dtype)
    if not np.isfinite(X.data if sparse.issparse(X) else X).all():
        raise ValueError(f"{name} overflows {np.dtype(dtype)}, the model's precision; scale it.")
    return X


def described(value: object) -> str:
    """Return a description of any value, for messages."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array of shape {tuple(value.shape)} and type {value.dtype}"
    return f"a {type(value).__name__}"


def validated(
    estimator: BaseEstimator,
    X: ArrayLike,
    *y: ArrayLike,
    reset: bool,
    name: str = "X",
    **checks: Any,
) -> Any:
    """Return the result of scikit-learn's ``validate_data``, after checks that it does not make.

    A warm start has the features of the fit before.

    Raises
    ------
    ValueError
        For a malformed sparse X, and for dates and durations.
    """
    dtype = getattr(X, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        raise ValueError(f"{name} must hold numbers. Got dates or durations, dtype {dtype}.")
    if "dtype" in checks:
        checks["dtype"] = float_dtypes(X)
    reset = sets_features(estimator, reset=reset)
    return validate_data(estimator, well_formed(X, name), *y, reset=reset, **checks)


def sets_features(estimator: BaseEstimator, *, reset: bool) -> bool:
    """Return whether a fit sets the features, or has to have those of the fit before."""
    is_warm = getattr(estimator, "warm_start", False) and hasattr(estimator, "n_features_in_")
    return reset and not is_warm


def float_dtypes(X: ArrayLike) -> DTypeLike | list[DTypeLike]:
    """Return what X may be converted to; scikit-learn knows only the types of pandas' frames."""
    # Polars had the older of the two protocols first.
    is_frame = hasattr(X, "__arrow_c_stream__") or hasattr(X, "__dataframe__")
    is_other_frame = is_frame and not hasattr(X, "iloc")
    is_single = is_other_frame and np.asarray(X[:0]).dtype == np.float32
    return np.float32 if is_single else [np.float64, np.float32]


def well_formed(X: ArrayLike, name: str = "X") -> ArrayLike:
    """Return X, a sparse one as CSR; a ValueError if indices are out of bounds.

    Compiled loops, those of SciPy too, do not check bounds.
    """
    if not sparse.issparse(X):
        return X
    try:
        if X.format == "coo":
            _require_within(X.row, X.shape[0], "row indices")
            _require_within(X.col, X.shape[1], "column indices")
        elif X.format == "dok" and X.nnz:
            # Older releases of SciPy wrap indices that exceed 32 bits.
            rows, columns = np.array(list(X.keys())).T
            _require_within(rows, X.shape[0], "row indices")
            _require_within(columns, X.shape[1], "column indices")
        elif X.format == "dia":
            _require_diagonals(X)
        elif hasattr(X, "check_format") and X.format != "csr":
            # On a copy, since it may replace the arrays.
            shallow_copy(X).check_format(full_check=True)
        rows = X.tocsr()
        _require_csr(rows)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        shape = getattr(X, "shape", None)
        raise ValueError(
            f"{name} is a malformed {type(X).__name__} of shape {shape}: {error}"
        ) from error
    return rows


def _require_diagonals(X: Matrix) -> None:
    data, offsets = X.data, X.offsets
    if data.ndim != 2 or offsets.shape != data.shape[:1] or offsets.dtype.kind not in "iu":
        raise ValueError("data must have a row for each of offsets, which are integers.")
    if offsets.size and not -X.shape[0] < offsets.min() <= offsets.max() < X.shape[1]:
        raise ValueError(f"offsets must lie in {1 - X.shape[0]} to {X.shape[1] - 1}.")


def _require_csr(X: Matrix) -> None:
    """Check as SciPy's full ``check_format``, in half the time."""
    for which in ("data", "indices", "indptr"):
        array = getattr(X, which)
        if not isinstance(array, np.ndarray) or array.ndim != 1:
            raise ValueError(f"{which} must be an array of one axis.")
        if which != "data" and array.dtype.kind not in "iu":
            raise ValueError(f"{which} must hold integers. Got dtype {array.dtype}.")
    indptr, stored = X.indptr, min(len(X.data), len(X.indices))
    if len(indptr) != X.shape[0] + 1:
        raise ValueError(f"indptr must have {X.shape[0] + 1} numbers. Got {len(indptr)}.")
    if indptr[0] != 0 or indptr[-1] > stored or (indptr[1:] < indptr[:-1]).any():
        raise ValueError(
            f"indptr must rise from 0 to at most {stored}, the number of values with a column. "
            f"Got {indptr.min()} to {indptr.max()}, from {indptr[0]} to {indptr[-1]}."
        )
    _require_within(X.indices[: indptr[-1]], X.shape[1], "column indices")


def _require_within(indices: Array, end: int, what: str) -> None:
    # Negative numbers are the largest as unsigned ones, so that one pass finds both.
    unsigned = indices.dtype.str.replace("i", "u")
    if indices.size and indices.view(unsigned).max() >= end:
        raise ValueError(
            f"{what} must lie in 0 to {end - 1}. Got {indices.min()} to {indices.max()}."
        )


def require_numpy_rows(estimator: BaseEstimator, X: ArrayLike, name: str = "X") -> None:
    """Raise a ValueError for an array of another library under array API dispatch."""
    space = space_of(X)
    if space is not None:
        kind = type(estimator).__name__
        raise ValueError(f"{kind} takes NumPy arrays only. Got {name} of {space}.")


def check_regression(
    estimator: BaseEstimator, X: ArrayLike, y: ArrayLike, *, reset: bool, look_at_all: bool = True
) -> tuple[Matrix, Array, bool]:
    """Return X, y as (n_samples, n_outputs) in the precision of X, and whether y has one axis.

    Without `look_at_all`, the caller checks that X is finite.
    """
    if sparse.issparse(y):
        raise ValueError("The targets y must be dense. Got a sparse matrix.")
    checks = {**_X_CHECKS, "ensure_all_finite": look_at_all}
    X, y = validated(estimator, X, y, reset=reset, multi_output=True, y_numeric=True, **checks)
    if y.dtype.kind not in "fiub":
        raise ValueError(f"The targets y must be real numbers. Got dtype {y.dtype}.")
    if not np.isfinite(y).all():  # None among objects becomes NaN only here
        raise ValueError("The targets y must be finite numbers. Got missing values.")
    one_axis = y.ndim == 1
    given = y
    with np.errstate(over="ignore", under="ignore"):
        # By rows, since sums over columns depend on the order.
        y = np.ascontiguousarray(y.reshape(len(y), -1), dtype=X.dtype)
    if y.dtype != given.dtype:
        if not np.isfinite(y).all():
            raise ValueError(f"The targets y overflow {X.dtype}, the precision of X; scale them.")
        if given.any() and not y.any():
            raise ValueError(f"The targets y underflow {X.dtype}, the precision of X; scale them.")
    return canonical(X), y, one_axis


def check_classification(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    reset: bool,
    known: bool = False,
    **checks: Any,
) -> tuple[Matrix, Array]:
    """Return X, by rows, and class targets, both as NumPy arrays.

    Where the classes are `known`, the caller compares the labels with them: a few samples of many
    classes are not taken for a regression then.
    """
    require_numpy_rows(estimator, X)
    (y,) = all_as_numpy(y)
    X, y = validated(estimator, X, y, reset=reset, **_X_CHECKS, **checks)
    if not known:
        check_classification_targets(y)
    if y.dtype.kind in "mM" and np.isnat(y).any():
        raise ValueError("y must hold labels. Got NaT, a missing date or duration, among them.")
    return by_rows(canonical(X)), y


def canonical(X: Matrix) -> Matrix:
    """Return rows as compiled loops accept them: dense and aligned, or CSR without duplicates."""
    if sparse.issparse(X):
        X = _plain_csr(X)
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        return X
    askew = not X.flags.aligned or any(stride % X.itemsize for stride in X.strides)
    return X.copy() if askew else X


def _plain_csr(X: Matrix) -> Matrix:
    """Return a CSR matrix with indices of one dtype, int32 or int64, and without spare room."""
    end, index = X.indptr[-1], X.indices.dtype
    arrays = X.data, X.indices, X.indptr
    plain = index == X.indptr.dtype and index in (np.int32, np.int64) and index.isnative
    whole = len(X.data) == len(X.indices) == end
    if plain and whole and all(each.flags.c_contiguous for each in arrays):
        return X
    index = np.dtype(np.int64 if max(end, *X.shape) > np.iinfo(np.int32).max else np.int32)
    data, indices = (np.ascontiguousarray(each[:end]) for each in arrays[:2])
    return type(X)((data, indices.astype(index), X.indptr.astype(index)), shape=X.shape)


def by_rows(X: Matrix) -> Matrix:
    """Return X with contiguous rows, by a copy unless it is mapped from a file.

    Data frames have contiguous columns, which makes access by rows slow.
    """
    if sparse.issparse(X) or X.flags.c_contiguous or X.strides[1] == X.itemsize:
        return X
    return X if _is_mapped(X) else np.ascontiguousarray(X)


def _is_mapped(array: Array) -> bool:
    """Return whether an array lies in a memory map."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(getattr(base, "obj", base), mmap.mmap)


def check_weights(
    sample_weight: ArrayLike | None, X: Matrix, name: str = "sample_weight"
) -> Array | None:
    """Return the sample weights in float64; None for weights of one.

    Raises
    ------
    ValueError
        For a wrong shape, or weights that are not finite, negative, or all out of range.
    """
    if sample_weight is None:
        return None
    n_samples = X.shape[0]
    if isinstance(sample_weight, Real):
        try:
            sample_weight = np.full(n_samples, sample_weight, dtype=np.float64)
        except OverflowError as error:
            raise ValueError(f"{name} must be finite numbers: {error}.") from error
    # Compiled loops read it without gaps.
    weights = np.ascontiguousarray(check_numbers(name, sample_weight, np.float64, copy=False))
    if weights.shape != (n_samples,):
        raise ValueError(
            f"{name} must be of shape ({n_samples},), one weight per row. "
            f"Got shape {weights.shape}."
        )
    if (weights < 0).any():
        raise ValueError(f"{name} must not be negative. Got {weights.min()} as its smallest.")
    largest = weights.max()
    if not (largest == 0 or 1e-150 < largest < 1e150):
        raise ValueError(
            f"{name} must lie between 1e-150 and 1e150, so that its sums and squares are numbers; "
            f"divide all weights by one number. Got {largest} as its largest."
        )
    return weights


def check_numbers(name: str, value: ArrayLike, dtype: DTypeLike, *, copy: bool = True) -> Array:
    """Return `value` as an array of `dtype`; a ValueError if it is not of finite numbers.

    Without `copy`, it may be the given array.
    """
    if sparse.issparse(value):
        raise ValueError(f"{name} must be dense. Got a sparse matrix.")
    try:
        with np.errstate(over="ignore"):
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
    """Raise a ValueError if every sample has weight zero."""
    if weights is not None and not weights.any():
        raise ValueError(f"{name} is zero for all rows: there is nothing to {purpose}.")


def check_same_shape(
    name: str, value: ArrayLike, shape: tuple[int, ...], dtype: DTypeLike
) -> Array:
    """Return a copy of `value` as a finite array of `shape`; a single row may be 1-D."""
    array = check_numbers(name, np.atleast_1d(value), dtype)
    if array.shape != shape and (array.shape != shape[1:] or shape[0] != 1):
        raise ValueError(f"{name} must be of shape {shape}. Got shape {array.shape}.")
    return array.reshape(shape)


def check_validation_set(
    X_val: ArrayLike | None, y_val: ArrayLike | None, sample_weight_val: ArrayLike | None
) -> bool:
    """Return whether a validation set was given; a ValueError if it is incomplete."""
    if (X_val is None) != (y_val is None):
        raise ValueError("X_val and y_val must be given together.")
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val needs X_val and y_val.")
    return X_val is not None


def check_validation_rows(
    check: Callable[[ArrayLike, ArrayLike], tuple[Matrix, Array]],
    X_val: ArrayLike,
    y_val: ArrayLike,
    sample_weight_val: ArrayLike | None,
    dtype: DTypeLike,
) -> tuple[Matrix, Array, Array | None]:
    """Check a validation set, X_val and y_val by the `check` of X and y."""
    try:
        X_val, y_val = check(X_val, y_val)
        X_val = in_precision(X_val, dtype, "X_val")
    except (TypeError, ValueError) as error:
        raise ValueError(f"X_val and y_val must be such as X and y: {error}") from error
    weights = check_weights(sample_weight_val, X_val, "sample_weight_val")
    require_some_weight(weights, "sample_weight_val", "validate on")
    return X_val, y_val, weights


def make_generator(random_state: int | np.random.RandomState | None) -> np.random.Generator:
    """Return a new generator; the global random state is not used."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    return np.random.default_rng(random_state)
