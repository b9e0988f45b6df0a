"""The types of what scikit-learn gives the estimators; it states none itself.

Without these, ``fit``, ``predict_proba`` and ``set_params`` would return anything at all to a type
checker, which finds no mistake behind them then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from sklearn.utils.metaestimators import available_if as _available_if

__all__ = ["Typed", "available_if"]

Array = np.ndarray[Any, np.dtype[Any]]
F = TypeVar("F", bound=Callable[..., Any])


def available_if(check: Callable[[Any], bool]) -> Callable[[F], F]:
    """Return scikit-learn's decorator of the name, which keeps the method's type."""
    decorate: Callable[[F], F] = _available_if(check)
    return decorate


class Typed:
    """Stands left of scikit-learn's classes and says, to type checkers only, what they have."""

    n_features_in_: int
    feature_names_in_: Array

    if TYPE_CHECKING:

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def set_callbacks(self, *callbacks: Any) -> Self: ...
        def set_fit_request(self, **requests: bool | str | None) -> Self: ...
        def set_partial_fit_request(self, **requests: bool | str | None) -> Self: ...
        def set_score_request(self, **requests: bool | str | None) -> Self: ...
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float: ...
