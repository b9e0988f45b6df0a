"""Arrays of other libraries, such as torch tensors on a GPU, by scikit-learn's array API support.

A `Space` is the library and the device of an array. It uses private helpers of scikit-learn; if
those are missing, all arrays are taken to be NumPy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator

from sklearn_gd._pieces import Array, ArrayLike, DeviceArray, DType, Namespace, to_numpy

try:
    from sklearn.utils._array_api import (
        _is_numpy_namespace,
        _max_precision_float_dtype,
        get_namespace_and_device,
    )
except ImportError:  # a scikit-learn that has them elsewhere
    get_namespace_and_device = None

__all__ = [
    "Space",
    "all_as_numpy",
    "on_host",
    "require_same_space",
    "space_of",
]


_DTYPES = ("float64", "float32", "int64", "int32", "int16", "int8", "uint8", "bool")


class Space:
    """An array library, and one of its devices.

    Parameters
    ----------
    xp : module
        The library, with the functions of the array API standard.
    device : object
        One of its devices.

    Attributes
    ----------
    widest : dtype
        NumPy dtype of the widest floats: float32 on devices without float64.
    """

    def __init__(self, xp: Namespace, device: object) -> None:
        self.xp, self.device = xp, device
        self.name: str = xp.__name__.rpartition("array_api_compat.")[2]
        self.widest = np.dtype("float64" if _has_double(xp, device) else "float32")
        known = [name for name in _DTYPES if hasattr(xp, name)]
        self._numpy_dtypes = {getattr(xp, name): np.dtype(name) for name in known}
        self._dtypes = {np.dtype(name): getattr(xp, name) for name in known}
        self._dtypes[np.dtype(np.float64)] = getattr(xp, self.widest.name)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Space) and self.xp is other.xp
        return same and bool(self.device == other.device)  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.name} on device {self.device}"

    def dtype(self, dtype: DTypeLike) -> Any:
        """Return the library's dtype for one of NumPy, at most as wide as the device has."""
        return self._dtypes[np.dtype(dtype)]

    def has(self, dtype: DTypeLike) -> bool:
        """Return whether the library has a dtype like this one of NumPy."""
        return np.dtype(dtype) in self._dtypes

    def numpy_dtype(self, value: DeviceArray) -> DType:
        """Return the NumPy dtype of an array of the library."""
        if isinstance(value.dtype, np.dtype):  # CuPy and JAX have NumPy's own
            return value.dtype
        return self._numpy_dtypes[value.dtype]

    def to_device(self, value: Array) -> DeviceArray:
        """Return a copy of a NumPy array on the device."""
        value = np.array(value, order="C")
        return self.xp.asarray(value, dtype=self.dtype(value.dtype), device=self.device)

    def astype(self, value: DeviceArray, dtype: DTypeLike) -> DeviceArray:
        """Return an array in another dtype; the array itself if it has that one."""
        wanted = self.dtype(dtype)
        if value.dtype == wanted:
            return value
        with np.errstate(over="ignore"):  # for libraries that are made of NumPy
            return self.xp.astype(value, wanted)

    def to_numpy(self, value: DeviceArray) -> Array:
        """Return an array of the device as a NumPy array."""
        return to_numpy(_detached(value), self.xp)

    def convert(self, value: ArrayLike, name: str = "X") -> DeviceArray:
        """Return a list or an array of any library as an array on the device.

        Raises
        ------
        ValueError
            If it is sparse, or not of real numbers.
        """
        if hasattr(value, "toarray") or "sparse" in str(getattr(value, "layout", "")):
            raise ValueError(f"{name} must be dense. Got {type(value).__name__}, which is sparse.")
        if space_of(value) == self:
            value = _detached(value)
            real = self.xp.isdtype(value.dtype, ("real floating", "integral", "bool"))
        else:
            value = on_host(value)
            value = value.astype(np.float64) if value.dtype.kind == "O" else value
            real = value.dtype.kind in "fiub"
        if not real:
            raise ValueError(f"{name} must be real numbers. Got dtype {value.dtype}.")
        return self.to_device(value) if isinstance(value, np.ndarray) else value

    def take(self, value: DeviceArray, rows: slice | DeviceArray) -> DeviceArray:
        """Return rows of an array, by a slice or an array of row numbers."""
        if isinstance(rows, slice):
            return value[rows, ...]
        return self.xp.take(value, rows, axis=0)


def space_of(value: ArrayLike) -> Space | None:
    """Return the space of an array; None for NumPy arrays, lists and data frames.

    None, too, for every array unless scikit-learn's configuration has array_api_dispatch=True.
    """
    if get_namespace_and_device is None or not get_config()["array_api_dispatch"]:
        return None
    if isinstance(value, np.ndarray) or not _is_array(value):
        return None
    try:
        xp, _, device = get_namespace_and_device(value)
    except TypeError:  # it is of no library that scikit-learn knows
        return None
    return None if _is_numpy_namespace(xp) else Space(xp, device)


def _has_double(xp: Namespace, device: object) -> bool:
    """Return whether a device has float64; not every version of scikit-learn checks it."""
    if _max_precision_float_dtype(xp, device) != xp.float64:
        return False
    if not hasattr(xp, "__array_namespace_info__"):
        return True
    known = xp.__array_namespace_info__().dtypes(kind="real floating", device=device)
    return "float64" in known


def _is_array(value: object) -> bool:
    return hasattr(value, "__array_namespace__") or hasattr(value, "__dlpack__")


def _detached(value: DeviceArray) -> DeviceArray:
    """Return a tensor detached from its graph of automatic differentiation."""
    return value.detach() if getattr(value, "requires_grad", False) else value


def on_host(value: ArrayLike) -> Array:
    """Return an array of any library, or a list, as a NumPy array."""
    if isinstance(value, (np.ndarray, np.generic)) or not _is_array(value):
        return np.asarray(value)
    if get_namespace_and_device is None:
        return np.asarray(value)
    try:
        with config_context(array_api_dispatch=True):
            there = space_of(value)
    except RuntimeError:  # a process that was not begun with SCIPY_ARRAY_API=1
        there = None
    return np.asarray(value) if there is None else there.to_numpy(value)


def all_as_numpy(*values: ArrayLike) -> list[ArrayLike]:
    """Return the values that come with a NumPy X, arrays of other libraries as NumPy arrays."""
    return [value if space_of(value) is None else on_host(value) for value in values]


def require_same_space(
    estimator: BaseEstimator, X: ArrayLike, fitted: DeviceArray, method: str = "predict"
) -> Space | None:
    """Return the space of X and of the fitted weights; None for NumPy.

    Raises
    ------
    ValueError
        If their spaces differ.
    """
    here = space_of(X)
    if isinstance(fitted, np.ndarray) and here is None:
        return None
    there = space_of(fitted)
    if here == there and here is not None:
        return here
    if isinstance(fitted, np.ndarray):
        where = "NumPy"
    elif there is not None:
        where = str(there)
    else:
        where = f"{type(fitted).__module__}, with array_api_dispatch=True, which is not set now"
    raise ValueError(
        f"Inputs passed to {type(estimator).__name__}.{method}() must use the same namespace and "
        f"the same device as those passed to fit(): {where}. "
        f"Got {'NumPy, or what becomes NumPy' if here is None else here}."
    )
