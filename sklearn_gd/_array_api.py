"""Arrays of other libraries, such as torch tensors on a GPU, as scikit-learn's array API has them.

The pieces, the solvers and the loops of the estimators are written with NumPy's functions and
operators. A `PlacedArray` makes these work on another library's array, where it lies, so that one
and the same code trains there. Which library that is, a `Space` knows. This is the one place that
knows scikit-learn's private helpers; where they are missing, all arrays are NumPy's, as ever.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike
from scipy import special
from sklearn import config_context, get_config

try:
    from sklearn.utils._array_api import (
        _convert_to_numpy,
        _is_numpy_namespace,
        _max_precision_float_dtype,
        get_namespace_and_device,
    )
except ImportError:  # a scikit-learn that has them elsewhere
    get_namespace_and_device = None

__all__ = [
    "PlacedArray",
    "Space",
    "following_numpy",
    "on_host",
    "placed",
    "released",
    "require_same_space",
    "settled",
    "space_of",
]

Array = np.ndarray[Any, np.dtype[Any]]

_DTYPES = ("float64", "float32", "int64", "int32", "int16", "int8", "uint8", "bool")

# What NumPy calls otherwise than the array API standard does.
_NAMES = {
    "absolute": "abs",
    "fabs": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "amax": "max",
    "amin": "min",
    "fmax": "maximum",
    "fmin": "minimum",
}

# An operator takes a Python number beside an array as it is; a function of the standard may not.
_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "matmul": operator.matmul,
    "negative": operator.neg,
    "power": operator.pow,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}
_ARITHMETIC = ("add", "subtract", "multiply", "divide", "matmul", "power")


class Space:
    """A library of arrays, and the device of it where some arrays lie.

    Parameters
    ----------
    xp : module
        The library, with the names of the array API standard.
    device : object
        One of its devices.

    Attributes
    ----------
    widest : dtype
        NumPy's name of the most precise floats there: float32 on devices without float64.
    """

    def __init__(self, xp: Any, device: Any) -> None:
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
        """Return the library's own dtype for one of NumPy's, as wide as the device has it."""
        return self._dtypes[np.dtype(dtype)]

    def numpy_dtype(self, value: Any) -> np.dtype[Any]:
        """Return NumPy's dtype for that of an array that lies here."""
        if isinstance(value.dtype, np.dtype):  # CuPy and JAX have NumPy's own
            return value.dtype
        return self._numpy_dtypes[value.dtype]

    def put(self, value: Any) -> Any:
        """Return an array of NumPy's as one that lies here, which shares no memory with it."""
        value = np.array(value, order="C")
        return self.xp.asarray(value, dtype=self.dtype(value.dtype), device=self.device)

    def astype(self, value: Any, dtype: DTypeLike) -> Any:
        """Return an array that lies here in another precision; itself where it has that one."""
        wanted = self.dtype(dtype)
        if value.dtype == wanted:
            return value
        with np.errstate(over="ignore"):  # for libraries that are made of NumPy
            return self.xp.astype(value, wanted)

    def host(self, value: Any) -> Array:
        """Return an array that lies here as one of NumPy's."""
        if self.name == "array_api_strict":  # scikit-learn 1.6 knows but one of its devices
            value = self.xp.asarray(value, device=self.xp.Device("CPU_DEVICE"))
        array: Array = np.asarray(_convert_to_numpy(_detached(value), self.xp))
        return array

    def moved(self, value: Any) -> Any:
        """Return what anyone may have given, a list or an array of any library, lying here."""
        there = space_of(value)
        return _detached(value) if there == self else self.put(on_host(value))

    def take(self, value: Any, rows: Any) -> Any:
        """Return rows of an array, by a slice or by their numbers, an array that lies here."""
        if isinstance(rows, slice):
            return value[rows, ...]
        return self.xp.take(value, rows, axis=0)


def space_of(value: Any) -> Space | None:
    """Return where an array lies; None where NumPy's loops are for it, as for a list or frame.

    So they are for every array, whatever its library, unless scikit-learn's ``config_context``
    has array_api_dispatch=True.
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


def _has_double(xp: Any, device: Any) -> bool:
    """Return whether a device has float64; not every scikit-learn asks the library."""
    if _max_precision_float_dtype(xp, device) != xp.float64:
        return False
    if not hasattr(xp, "__array_namespace_info__"):
        return True
    known = xp.__array_namespace_info__().dtypes(kind="real floating", device=device)
    return "float64" in known


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array_namespace__") or hasattr(value, "__dlpack__")


def _detached(value: Any) -> Any:
    """Return a tensor without its history: no graph for automatic differentiation is made here."""
    return value.detach() if getattr(value, "requires_grad", False) else value


def on_host(value: Any) -> Any:
    """Return an array of any library as one of NumPy's; what is no array is left to NumPy."""
    if isinstance(value, (np.ndarray, np.generic)) or not _is_array(value):
        return np.asarray(value)
    if get_namespace_and_device is None:
        return np.asarray(value)
    try:
        with config_context(array_api_dispatch=True):
            there = space_of(value)
    except RuntimeError:  # a process that was not begun with SCIPY_ARRAY_API=1
        there = None
    return np.asarray(value) if there is None else there.host(value)


def following_numpy(*values: Any) -> list[Any]:
    """Return what goes with an X of NumPy's: arrays of other libraries as NumPy's, too."""
    return [value if space_of(value) is None else on_host(value) for value in values]


class PlacedArray(NDArrayOperatorsMixin):
    """An array of another library, which NumPy's functions and operators take.

    Values are never changed, since not every library can: what NumPy does in place gives this
    object another value. So two names of one object see the same change, and views do not.

    Parameters
    ----------
    value : object
        The library's array.
    space : Space
        Where it lies.
    """

    def __init__(self, value: Any, space: Space) -> None:
        self.value, self.space = value, space

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any
    ) -> Any:
        name = ufunc.__name__
        if method != "__call__" or kwargs:
            raise TypeError(self._no(f"numpy.{name} with {method!r} or {sorted(kwargs)}"))
        given = self._given(inputs, same_kind=name in _ARITHMETIC)
        if name in _OPERATORS:
            result = _OPERATORS[name](*given)
        else:
            result = self._function(name)(*self._with_arrays(given, inputs))
        if out is None:
            return PlacedArray(result, self.space)
        (target,) = out
        if not isinstance(target, PlacedArray):
            raise TypeError(self._no(f"numpy.{name} with out= an array of NumPy's"))
        target.value = self.space.astype(result, target.dtype)
        return target

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = func.__name__
        if name in ("shape", "ndim", "size"):
            return getattr(args[0], name)
        given = self._given(args)
        named = dict(zip(kwargs, self._given(kwargs.values()), strict=True))
        if name == "vdot":
            result = self.space.xp.sum(given[0] * given[1])
        else:
            if name == "where":
                given = [given[0], *self._with_arrays(given[1:], args[1:])]
            result = self._function(name)(*given, **named)
        return PlacedArray(result, self.space)

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise TypeError(self._no("a function that makes it an array of NumPy's"))

    def _no(self, what: str) -> str:
        return (
            f"An array of {self.space} cannot go into {what}. A piece of your own that trains "
            "there is made of operators and NumPy functions that the array API standard has too."
        )

    def _function(self, name: str) -> Callable[..., Any]:
        """Return the library's own function for NumPy's or SciPy's of that name."""
        xp = self.space.xp
        if name == "expit":
            return getattr(xp, "sigmoid", None) or self._logistic
        if name == "erf":
            return getattr(xp, "erf", None) or self._erf
        function = getattr(xp, _NAMES.get(name, name), None)
        if function is None:
            raise TypeError(self._no(f"numpy.{name}"))
        return function

    def _logistic(self, z: Any) -> Any:
        with np.errstate(over="ignore"):  # for libraries that are made of NumPy
            return 1 / (1 + self.space.xp.exp(-z))

    def _erf(self, z: Any) -> Any:
        # The standard has none. Not every library has one under this name: then SciPy's.
        return self.space.put(unwrap(special.erf)(self.space.host(z)))

    def _given(self, values: Any, same_kind: bool = False) -> list[Any]:
        """Return arguments as the library takes them."""
        space = self.space
        given = []
        for value in values:
            if isinstance(value, PlacedArray):
                value = value.value
                if same_kind and value.dtype == space.xp.bool:
                    value = space.astype(value, self._float())
            elif isinstance(value, np.generic) or (
                isinstance(value, np.ndarray) and value.ndim == 0
            ):
                value = value.item()
            elif isinstance(value, np.ndarray):
                value = space.put(value)
            elif isinstance(value, np.dtype) or (
                isinstance(value, type) and issubclass(value, np.generic)
            ):
                value = space.dtype(value)
            given.append(value)
        return given

    def _with_arrays(self, given: list[Any], before: Any) -> list[Any]:
        """Return arguments with numbers made arrays, of the others' type or what NumPy makes."""
        xp, device = self.space.xp, self.space.device
        arrays = [value for value in given if hasattr(value, "dtype")]
        if len(arrays) == len(given):
            return given
        dtype = arrays[0].dtype if arrays else self.space.dtype(np.result_type(*before))
        return [
            value if hasattr(value, "dtype") else xp.full((), value, dtype=dtype, device=device)
            for value in given
        ]

    def _float(self) -> np.dtype[Any]:
        return self.dtype if self.dtype.kind == "f" else self.space.widest

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.space.numpy_dtype(self.value)

    @property
    def T(self) -> PlacedArray:  # noqa: N802
        return self if self.ndim < 2 else PlacedArray(self.value.T, self.space)

    def __len__(self) -> int:
        return self.shape[0]

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __getitem__(self, key: Any) -> PlacedArray:
        keys = self._given(key if isinstance(key, tuple) else (key,))
        full = keys if Ellipsis in keys or len(keys) == self.ndim else [*keys, Ellipsis]
        return PlacedArray(self.value[tuple(full)], self.space)

    def __setitem__(self, key: Any, value: Any) -> None:
        everywhere = key is Ellipsis or (isinstance(key, slice) and key == slice(None))
        (given,) = self._given((value,))
        if everywhere and getattr(given, "shape", None) == self.value.shape:
            self.value = self.space.astype(given, self.dtype)
            return
        self.value = self.space.xp.asarray(self.value, copy=True)
        self.value[key] = given

    def copy(self) -> PlacedArray:
        return PlacedArray(self.value, self.space)

    def astype(self, dtype: DTypeLike, copy: bool = True) -> PlacedArray:
        return PlacedArray(self.space.astype(self.value, dtype), self.space)

    def reshape(self, *shape: Any) -> PlacedArray:
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return PlacedArray(self.space.xp.reshape(self.value, tuple(sizes)), self.space)

    def ravel(self) -> PlacedArray:
        return self.reshape(-1)

    def sum(self, axis: Any = None) -> PlacedArray:
        return np.sum(self, axis=axis)

    def mean(self, axis: Any = None) -> PlacedArray:
        return np.mean(self, axis=axis)

    def max(self, axis: Any = None) -> PlacedArray:
        return np.max(self, axis=axis)

    def min(self, axis: Any = None) -> PlacedArray:
        return np.min(self, axis=axis)

    def any(self) -> bool:
        return bool(self.space.xp.any(self.value != 0))


def placed(values: Any, rows: Any) -> Any:
    """Return an array of NumPy's where some rows lie; itself where these are NumPy's too."""
    space = getattr(rows, "space", None)
    if space is None or not isinstance(values, np.ndarray):
        return values
    return PlacedArray(space.put(values), space)


def settled(holder: Any, like: Any) -> Any:
    """Return `holder`, the arrays among its attributes moved to where an array like them lies."""
    if isinstance(like, PlacedArray):
        for name, value in vars(holder).items():
            if isinstance(value, np.ndarray):
                setattr(holder, name, placed(value, like))
    return holder


def released(array: Any, dtype: DTypeLike | None = None) -> Any:
    """Return a placed array as a new one of its own library; anything else as it is.

    With `dtype`, an array of NumPy's is copied, too.
    """
    if isinstance(array, PlacedArray):
        value = array.value if dtype is None else array.space.astype(array.value, dtype)
        return array.space.xp.asarray(value, copy=True)
    return array if dtype is None else np.array(array, dtype=dtype, order="C")


def require_same_space(estimator: Any, X: Any, fitted: Any, method: str = "predict") -> Any:
    """Return where X and the fitted weights lie: a `Space`, or None for NumPy.

    Raises
    ------
    ValueError
        Where they do not lie in the same place, as far as can be seen.
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
