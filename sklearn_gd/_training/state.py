"""The state of a fit in a checkpoint: how it is copied, and checked when it is restored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_gd._data.validation import described
from sklearn_gd._pieces import storable_classes
from sklearn_gd._training.learner import State

__all__ = [
    "StateError",
    "begin_again",
    "copied",
    "require_like",
    "require_size",
    "scale_of",
    "set_generator",
]

_TRUTH = (bool, np.bool_)


class StateError(ValueError):
    """A stored state that does not have the form of the states of this fit."""


def copied(values: Mapping[str, object]) -> State:
    """Return a dict with copies of the arrays and lists."""
    return {
        name: value.copy() if isinstance(value, (np.ndarray, list)) else value
        for name, value in values.items()
    }


def require_like(stored: object, like: object, name: str) -> None:
    """Raise a StateError if `stored` does not have the form of `like`.

    Arrays must have its shape and dtype and be finite, numbers must not be NaN, counts must not be
    negative, dicts must have the same keys, and lists must hold losses. For a solver or schedule
    as `like`, `stored` must be its attributes; for the state of a generator, another such state.
    """
    if isinstance(like, BaseEstimator):
        _require_memory(stored, like, name)
    elif isinstance(like, dict) and "bit_generator" in like:
        set_generator(np.random.default_rng(0), stored)
    elif isinstance(like, dict):
        if type(stored) is not dict or stored.keys() != like.keys():
            raise StateError(f"{name} must have the keys {sorted(like)}. Got {_short(stored)}")
        for key, value in like.items():
            require_like(stored[key], value, f"{name}[{key!r}]")
    elif not _is_like(stored, like):
        raise StateError(f"{name} must be of the form of {_short(like)}. Got {_short(stored)}")


def _is_like(stored: Any, like: object) -> bool:
    if isinstance(like, np.ndarray):
        same = type(stored) is np.ndarray and (stored.shape, stored.dtype) == (
            like.shape,
            like.dtype,
        )
        return same and (stored.dtype.kind != "f" or bool(np.isfinite(stored).all()))
    if isinstance(like, list):
        return type(stored) is list and all(map(_is_finite_number, stored))
    if isinstance(like, _TRUTH):
        return isinstance(stored, _TRUTH)
    if isinstance(like, Integral):
        is_count = isinstance(stored, Integral) and not isinstance(stored, bool)
        return is_count and min(0, int(like)) <= stored < 2**63
    if isinstance(like, Real):
        return _is_number(stored)
    return type(stored) is type(like)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


def _is_finite_number(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _require_memory(stored: object, piece: BaseEstimator, name: str) -> None:
    """Raise a StateError if `stored` is not the attributes of a solver or schedule like `piece`.

    Hyper-parameters must equal those of `piece`. Pieces of users, whose classes had to be trusted
    by name, may have attributes of any kind.
    """
    fresh, kind = vars(piece), type(piece)
    if type(stored) is not dict or not stored.keys() >= fresh.keys():
        raise StateError(f"{name} must have the keys {sorted(fresh)}. Got {_short(stored)}")
    parameters = piece.get_params(deep=False)
    ours = kind in storable_classes().values()
    for key, value in stored.items():
        where = f"{name}[{key!r}]"
        if key not in fresh:
            if hasattr(kind, key) or (ours and not _is_finite_number(value)):
                raise StateError(f"{where} is not an attribute of {kind.__name__}")
        elif ours or isinstance(fresh[key], np.ndarray | Real | str):
            require_like(value, fresh[key], where)
            if key in parameters and not np.array_equal(value, fresh[key]):
                raise StateError(f"{where} must be {fresh[key]!r}. Got {_short(value)}")


def require_size(state: State, size: int) -> None:
    """Raise a StateError if the number of parameters is not that of the estimator.

    It is checked before memory is allocated, since the layer sizes may come from a file.
    """
    found = np.shape(_of_learner(state).get("parameters", ()))
    if found != (size,):
        raise StateError(f"parameters must be of shape ({size},). Got shape {found}")


def begin_again(generator: np.random.Generator, state: State) -> None:
    """Set a generator to where that of the resumed fit was before the hold-out."""
    set_generator(generator, _of_learner(state).get("at_start"))


def scale_of(state: State, n_features: int, n_outputs: int) -> Any:
    """Return the scale of columns and targets of a resumed fit, as one vector."""
    scale = _of_learner(state).get("scale")
    require_like(scale, np.zeros(2 * (n_features + n_outputs) + 1), "state['learner']['scale']")
    return scale


def _of_learner(state: State) -> State:
    learner = state.get("learner")
    if type(learner) is not dict:
        raise StateError(f"state['learner'] must be a dict. Got {_short(learner)}")
    return learner


def set_generator(generator: np.random.Generator, state: Any) -> None:
    """Set the state of a generator; a StateError if it is not one of its kind."""
    try:
        if _keys(state) != _keys(generator.bit_generator.state):
            raise ValueError(f"Got {_short(state)}")
        generator.bit_generator.state = state
    except (AttributeError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise StateError(f"generator must be the state of a random generator: {error}") from error


def _keys(value: object) -> object:
    """Return the nested keys of a dict."""
    return {k: _keys(v) for k, v in value.items()} if isinstance(value, dict) else None


def _short(value: object) -> str:
    if isinstance(value, dict):
        return f"the keys {sorted(map(str, value))}"
    plain = isinstance(value, Real | str | list | tuple) or value is None
    return repr(value)[:80] if plain else described(value)
