"""The base of activations, losses, solvers and schedules, and what they share with estimators.

A piece is a small class whose hyper-parameters are its ``__init__`` arguments. Estimators have it
as a parameter, unchanged; :func:`resolve` turns a name or an instance into a new, checked piece
for one fit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import cache, partial
from inspect import signature
from types import FunctionType, MethodType
from typing import Any, TypeAlias, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, clone

DType: TypeAlias = np.dtype[Any]
Array: TypeAlias = np.ndarray[Any, DType]
# SciPy and the data frames have no types, other array libraries are not installed: to a type
# checker these are anything, and their names tell a reader what they are.
ArrayLike: TypeAlias = Any  # a list, an array of any library, a sparse matrix, a data frame
Matrix: TypeAlias = Any  # checked rows: an ndarray, a CSR matrix, or rows picked from an ndarray
Targets: TypeAlias = Any  # checked targets: an ndarray, or one-hot rows made on demand
DeviceArray: TypeAlias = Any  # an array of another library, on its device
Namespace: TypeAlias = Any  # the module of an array library, with the array API\'s names
P = TypeVar("P", bound="Piece")
K = TypeVar("K", bound=type)

# Key of the version of this package in the stored state of an estimator.
VERSION_NOTE = "_sklearn_gd_version"

_CLASSES: set[type] = set()

# Address of the published documentation, with a slash at the end. While there is none, estimators
# have no links.
SITE: str | None = None


def storable(kind: K) -> K:
    """Register a class of this package as one that files may contain; return it."""
    _CLASSES.add(kind)
    return kind


def storable_classes() -> dict[str, type]:
    """Return the registered classes, by their full names."""
    return {f"{kind.__module__}.{kind.__qualname__}": kind for kind in _CLASSES}


class DocumentedOnline:
    """Mixin that links the HTML diagram of an estimator or a piece to its API page.

    It goes left of ``BaseEstimator``, which reads the two attributes. Classes defined outside this
    package get no link.
    """

    @property
    def _doc_link_module(self) -> str:
        # scikit-learn adds a link for classes of this module; an empty name matches none.
        return "sklearn_gd" if SITE else ""

    @property
    def _doc_link_template(self) -> str:
        return f"{SITE}generated/{{estimator_module}}.{{estimator_name}}.html"


class NamesOnce:
    """Mixin that reads the names of a class's parameters from its signature once.

    It goes left of ``BaseEstimator``, which reads them again whenever parameters are cloned, set
    or checked: a tenth of the time of a search over small networks.
    """

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        names: list[str] = super()._get_param_names()  # type: ignore[misc]
        return names


def namespace(array: DeviceArray) -> Namespace:
    """Return the library of an array, with the functions of the array API standard."""
    if isinstance(array, (np.ndarray, np.generic)):
        return np
    # Imported here, since not every version of scikit-learn has it, and NumPy does not need it.
    from sklearn.utils._array_api import get_namespace

    return get_namespace(array)[0]


def scalar_like(array: DeviceArray, value: float) -> DeviceArray:
    """Return a number for use with `array` in functions of its library, of the same dtype."""
    if isinstance(array, (np.ndarray, np.generic)):
        return array.dtype.type(value)
    return namespace(array).full_like(array, value)


def to_numpy(array: DeviceArray, xp: Namespace) -> Array:
    """Return an array of the library `xp` as a NumPy array."""
    from sklearn.utils._array_api import _convert_to_numpy

    if xp.__name__ == "array_api_strict":  # scikit-learn 1.6 knows but one of its devices
        array = xp.asarray(array, device=xp.Device("CPU_DEVICE"))
    return np.asarray(_convert_to_numpy(array, xp))


def copy_of(value: DeviceArray) -> DeviceArray:
    """Return a copy of an array of any library, or of an object with a ``copy`` method."""
    if hasattr(value, "copy"):
        return value.copy()
    return namespace(value).asarray(value, copy=True)


class Piece(DocumentedOnline, NamesOnce, BaseEstimator):
    """Base of all pluggable pieces.

    ``_needed`` maps the methods that a custom piece must define to their signatures, for error
    messages. ``_parameter_constraints`` declares the hyper-parameters, as in scikit-learn.
    """

    _needed: Mapping[str, str] = {}
    _parameter_constraints: dict[str, list[Any]] = {}

    def _check_hyperparameters(self) -> None:
        if self._parameter_constraints:
            self._validate_params()

    def _probe(self) -> None:
        """Raise a ValueError if a call with a tiny input shows that the piece cannot work."""

    @classmethod
    def _missing(cls) -> list[str]:
        base = next(c for c in cls.__mro__ if c.__base__ is Piece)
        return [m for m in cls._needed if getattr(cls, m, None) is getattr(base, m, None)]


def require_unchanged(parameter: str, before: object, now: object) -> None:
    """Raise a ValueError if a parameter has changed between calls of ``partial_fit``."""
    if not same_settings(before, now):
        raise ValueError(
            f"The {parameter!r} parameter must stay {before!r} from one partial_fit to the next; "
            f"fit starts again. Got {now!r} instead."
        )


def same_settings(one: Any, other: Any) -> bool:
    """Return whether two pieces, lists of them, or parameters of theirs are equal.

    Copies are, too: of arrays, and of functions with arguments, methods and other objects that
    compare by identity.
    """
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_settings(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_settings, one, other))
    parts = _parts(one), _parts(other)
    if None in parts or type(one) is not type(other):
        return bool(one == other)
    return same_settings(*parts)


def _parts(value: Any) -> Any:
    """Return what makes a piece, or an object that compares by identity; None for others."""
    if isinstance(value, Piece):
        kind: type = type(value)
        return [getattr(value, name) for name in _parameter_names(kind)]
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    equals: Any = type(value).__eq__
    if equals is not object.__eq__ or isinstance(value, type | FunctionType):
        return None
    return getattr(value, "__dict__", None)


@cache
def _parameter_names(kind: type) -> tuple[str, ...]:
    # Reading a signature takes longer than a step of a small network.
    return tuple(signature(kind).parameters)


# Names that other libraries have for ours, by kind of piece.
_ELSEWHERE = {
    "Activation": {
        "logistic": "sigmoid", "expit": "sigmoid", "linear": "identity", "none": "identity",
        "lrelu": "leaky_relu", "leakyrelu": "leaky_relu", "swish": "silu", "heaviside": "step",
    },
    "Loss": {
        "mse": "squared_error", "mean_squared_error": "squared_error", "l2": "squared_error",
        "mae": "absolute_error", "mean_absolute_error": "absolute_error", "l1": "absolute_error",
        "cross_entropy": "log_loss", "crossentropy": "log_loss", "bce": "log_loss",
        "binary_crossentropy": "log_loss", "categorical_crossentropy": "log_loss",
        "logistic": "log_loss", "nll": "log_loss", "quantile": "pinball", "logcosh": "log_cosh",
        "smooth_l1": "huber",
    },
    "Solver": {
        "sgd": "gd", "gradient_descent": "gd", "nag": "nesterov", "rms_prop": "rmsprop",
        "l_bfgs": "lbfgs", "bfgs": "lbfgs",
    },
    "Schedule": {
        "invscaling": "inverse_scaling", "exp": "exponential", "step": "step_decay",
        "cosine_annealing": "cosine", "plateau": "adaptive", "reduce_on_plateau": "adaptive",
    },
}  # fmt: skip


def _suggestion(name: str, kind: str, accepted: str) -> str:
    """Return a question for messages, which of the accepted names was meant; or nothing."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    named = _ELSEWHERE.get(kind, {})
    ours = set(re.findall(r"'(\w+)'", accepted))
    close = [plain] if plain in ours else get_close_matches(plain, sorted({*named, *ours}), 1)
    meant = named.get(plain) or (named.get(close[0], close[0]) if close else None)
    return f" Did you mean {meant!r}?" if meant in ours else ""


def resolve(
    spec: object,
    kind: type[P],
    built_in: Mapping[str, type[P]],
    parameter: str,
    also: str = "",
    refused: Collection[str] = (),
) -> P:
    """Return a new piece for `spec`, a name in `built_in` or an instance of `kind`.

    Parameters
    ----------
    spec : str or Piece
        Name or instance.
    kind : type
        Base class of instances.
    built_in : mapping of str to type
        Accepted names; a name selects the piece with its default hyper-parameters.
    parameter : str
        Name of the parameter, for messages.
    also : str, default=""
        Further accepted values, for messages.
    refused : collection of str, default=()
        Names that the caller refuses with a message of its own, and that messages do not offer.

    Raises
    ------
    ValueError
        For an unknown name, a hyper-parameter out of range, or results of a wrong shape.
    TypeError
        For anything that is neither a name nor an instance, or lacks a method.
    """
    name = kind.__name__
    methods = " and ".join(kind._needed.values())
    offered = ", ".join(repr(each) for each in sorted(built_in) if each not in refused)
    accepted = (
        f"The {parameter!r} parameter must be one of {offered}, or "
        f"an instance of {kind.__module__}.{name} (a custom one derives from it and has the "
        f"methods {methods}){also}."
    )
    if isinstance(spec, str):
        if spec not in built_in:
            meant = _suggestion(spec, name, f"{offered}{also}")
            raise ValueError(f"{accepted} Got {spec!r} instead.{meant}")
        return built_in[spec]()
    if isinstance(spec, type) and issubclass(spec, kind):
        raise TypeError(f"{accepted} Got the class {spec.__name__}: give an instance of it.")
    if not isinstance(spec, kind):
        raise TypeError(f"{accepted} Got {spec!r} instead.")
    missing = spec._missing()
    if missing:
        raise TypeError(f"{accepted} {type(spec).__name__} lacks {', '.join(missing)}.")
    piece: P = clone(spec)
    piece._check_hyperparameters()
    if type(spec) not in built_in.values():
        try:
            piece._probe()
        except Exception as error:
            message = f"The {parameter!r} parameter, {spec!r}, failed its first try: {error}"
            raise ValueError(message) from error
    return piece
