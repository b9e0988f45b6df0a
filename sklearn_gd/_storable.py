"""The classes of this package that files may hold: each is registered where it is defined."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["VERSION_NOTE", "storable", "storable_classes"]

K = TypeVar("K", bound=type)

# Where the state of a stored estimator has the version of this package that stored it.
VERSION_NOTE = "_sklearn_gd_version"

_CLASSES: set[type] = set()


def storable(kind: K) -> K:
    """Register a class of this package as one that files may hold; returns it."""
    _CLASSES.add(kind)
    return kind


def storable_classes() -> dict[str, type]:
    """Return the classes registered so far, by their full names."""
    return {f"{kind.__module__}.{kind.__qualname__}": kind for kind in _CLASSES}
