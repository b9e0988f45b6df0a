"""Who calls a fit: a user, who is to keep what was learned, or a search, which is to end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

# Libraries, and parts of them, that fit an estimator several times.
_FIT_SEVERAL = ("joblib", "optuna", "sklearn", "sklearn_gd.inspection")
# Parts of scikit-learn through which a single fit passes.
_FIT_ONE = (
    "sklearn.base",
    "sklearn.callback",
    "sklearn.compose",
    "sklearn.pipeline",
    "sklearn.utils",
)


def is_one_of_several_fits() -> bool:
    """Return whether the current fit is one of several: of a search, an ensemble, a display.

    The functions that are being called tell it. A Pipeline and a TransformedTargetRegressor
    fit an estimator once.
    """
    return any(
        _is_in(module, _FIT_SEVERAL) and not _is_in(module, _FIT_ONE)
        for module in _modules_that_call()
    )


def _modules_that_call() -> Iterator[str]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame.f_globals.get("__name__", "")
        frame = frame.f_back


def _is_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)
