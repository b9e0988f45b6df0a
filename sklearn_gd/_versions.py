"""The version of this package, and how a stored model tells by which one it was stored."""

from __future__ import annotations

import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sklearn_gd.exceptions import ModelVersionWarning

__all__ = ["VersionNoted", "__version__"]

try:
    __version__ = version("sklearn-gd")
except PackageNotFoundError:  # imported from a checkout that was never installed
    __version__ = "0+unknown"

_NOTE = "_sklearn_gd_version"


class VersionNoted:
    """Gives a stored estimator a note of the version that stored it, and heeds it on loading.

    It stands left of ``BaseEstimator``, which does so for scikit-learn's own classes alone. The
    note is in the stored state only, never an attribute: copies, clones and prints know nothing
    of it. Whatever stores by ``__getstate__`` has it: pickle, joblib, cloudpickle and skops. A
    subclass with a state of its own calls ``super().__getstate__()``.
    """

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**(state or {}), _NOTE: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        attributes = dict(state)
        stored_by = attributes.pop(_NOTE, None)
        # A state without a note was never stored by a release: someone made it by hand.
        if stored_by not in (None, __version__):
            name = type(self).__name__
            warnings.warn(ModelVersionWarning(name, __version__, stored_by), stacklevel=2)
        super().__setstate__(attributes)  # type: ignore[misc]
