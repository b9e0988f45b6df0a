"""NumPy's functions and operators on an array of another library, where it lies.

The pieces, the solvers and the loops of the estimators are written with them. A `PlacedArray`
makes them work there, so that one and the same code trains on every library.
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

from sklearn_gd._data.array_api import Space

__all__ = ["PlacedArray", "placed", "released", "settled"]

Array = np.ndarray[Any, np.dtype[Any]]

# Functions of the array API standard whose results are single arrays. What a library has beside
# them may be something else than NumPy's function of that name, as torch's median is.
_STANDARD = frozenset(
    """
    abs acos acosh all any argmax argmin argsort asin asinh atan atan2 atanh bitwise_and
    bitwise_invert bitwise_or bitwise_xor broadcast_to ceil clip concat copysign cos cosh
    count_nonzero cumulative_prod cumulative_sum diff empty_like exp expand_dims expm1 flip floor
    floor_divide full_like hypot isfinite isinf isnan log log10 log1p log2 logaddexp logical_and
    logical_not logical_or logical_xor matrix_transpose max maximum mean min minimum moveaxis
    nextafter ones_like permute_dims positive prod reciprocal remainder repeat reshape roll round
    searchsorted sign signbit sin sinh sort sqrt square squeeze stack std sum take take_along_axis
    tan tanh tensordot tile tril triu trunc var vecdot where zeros_like
    """.split()  # noqa: SIM905
)

# What NumPy calls otherwise.
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
    "concatenate": "concat",
    "invert": "bitwise_invert",
    "rint": "round",
    "transpose": "permute_dims",
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
        given = self._given(inputs)
        if name in _OPERATORS:
            given = self._as_floats(given) if name in _ARITHMETIC else given
            result = _OPERATORS[name](*given)
        else:
            result = self._call(f"numpy.{name}", name, *self._with_arrays(given, inputs))
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
            result = self._call(f"{func.__module__}.{name}", name, *given, **named)
        return PlacedArray(result, self.space)

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise TypeError(self._no("a function that makes it an array of NumPy's"))

    def _no(self, what: str) -> str:
        return (
            f"An array of {self.space} cannot go into {what}. A piece of your own that trains "
            "there is made of operators and NumPy functions that the array API standard has too."
        )

    def _call(self, full_name: str, name: str, *args: Any, **kwargs: Any) -> Any:
        function = self._function(name)
        if function is None:
            raise TypeError(self._no(full_name))
        try:
            return function(*args, **kwargs)
        except TypeError as error:  # arguments that the standard does not know
            raise TypeError(self._no(f"{full_name} like this ({error})")) from error

    def _function(self, name: str) -> Callable[..., Any] | None:
        """Return the library's own function for NumPy's or SciPy's of that name, if it has one."""
        xp = self.space.xp
        if name == "expit":
            return getattr(xp, "sigmoid", None) or self._logistic
        if name == "erf":
            return getattr(xp, "erf", None) or self._erf
        name = _NAMES.get(name, name)
        return getattr(xp, name, None) if name in _STANDARD else None

    def _logistic(self, z: Any) -> Any:
        with np.errstate(over="ignore"):  # for libraries that are made of NumPy
            return 1 / (1 + self.space.xp.exp(-z))

    def _erf(self, z: Any) -> Any:
        # The standard has none. Not every library has one under this name: then SciPy's.
        return self.space.put(unwrap(special.erf)(self.space.host(z)))

    def _given(self, values: Any) -> list[Any]:
        """Return arguments as the library takes them."""
        space = self.space
        given = []
        for value in values:
            if isinstance(value, PlacedArray):
                value = value.value
            elif isinstance(value, (list, tuple)):
                value = type(value)(self._given(value))
            elif isinstance(value, np.generic) or (
                isinstance(value, np.ndarray) and value.ndim == 0
            ):
                value = value.item()
            elif isinstance(value, np.ndarray):
                value = space.put(value)
            elif isinstance(value, np.dtype) or (
                isinstance(value, type) and issubclass(value, (np.generic, int, float))
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

    def _as_floats(self, given: list[Any]) -> list[Any]:
        """Return operands with truth values made floats, of another operand's precision."""
        space = self.space
        dtypes = [space.numpy_dtype(v) if hasattr(v, "dtype") else None for v in given]
        floats = [dtype for dtype in dtypes if dtype is not None and dtype.kind == "f"]
        wanted = floats[0] if floats else space.widest
        return [
            space.astype(value, wanted) if dtype == np.bool_ else value
            for value, dtype in zip(given, dtypes, strict=True)
        ]

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
        return PlacedArray(self.value[self._index(key)], self.space)

    def __setitem__(self, key: Any, value: Any) -> None:
        everywhere = key is Ellipsis or (isinstance(key, slice) and key == slice(None))
        (given,) = self._given((value,))
        if everywhere and getattr(given, "shape", None) == self.value.shape:
            self.value = self.space.astype(given, self.dtype)
            return
        self.value = self.space.xp.asarray(self.value, copy=True)
        self.value[self._index(key)] = given

    def _index(self, key: Any) -> Any:
        """Return a key that names every axis, as the standard asks; a mask stands alone."""
        keys = self._given(key if isinstance(key, tuple) else (key,))
        if len(keys) == 1 and getattr(keys[0], "dtype", None) == self.space.xp.bool:
            return keys[0]
        named = sum(each is not None for each in keys)
        if named < self.ndim and not any(each is Ellipsis for each in keys):
            keys.append(Ellipsis)
        return tuple(keys)

    def copy(self) -> PlacedArray:
        return PlacedArray(self.value, self.space)

    def astype(self, dtype: DTypeLike, copy: bool = True) -> PlacedArray:
        return PlacedArray(self.space.astype(self.value, dtype), self.space)

    def reshape(self, *shape: Any) -> PlacedArray:
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return PlacedArray(self.space.xp.reshape(self.value, tuple(sizes)), self.space)

    def ravel(self) -> PlacedArray:
        return self.reshape(-1)

    def clip(self, min: Any = None, max: Any = None) -> PlacedArray:
        clipped: Any = np.clip(self, min, max)
        return clipped

    def sum(self, axis: Any = None, keepdims: bool = False) -> PlacedArray:
        return np.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> PlacedArray:
        return np.mean(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> PlacedArray:
        return np.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> PlacedArray:
        return np.min(self, axis=axis, keepdims=keepdims)

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
