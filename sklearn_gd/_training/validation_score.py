"""The score on a validation set that early stopping may follow in place of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import validate_parameter_constraints

from sklearn_gd._data.split import PickedRows
from sklearn_gd._pieces import Array, ArrayLike


def require_scorer(early_stopping: object, owner: str) -> None:
    """Raise a ValueError if `early_stopping` is neither a bool nor a scorer."""
    if isinstance(early_stopping, str):
        from sklearn.metrics import get_scorer

        try:
            get_scorer(early_stopping)
        except ValueError as error:
            raise ValueError(
                f"The 'early_stopping' parameter of {owner} must be a bool, or a scorer or its "
                f"name. Got {early_stopping!r} instead. {error}"
            ) from error
        return
    validate_parameter_constraints(
        {"early_stopping": ["boolean", callable]}, {"early_stopping": early_stopping}, owner
    )


def require_no_early_stopping(estimator: BaseEstimator) -> None:
    """Raise a ValueError for early stopping in ``partial_fit``, whose calls are one epoch each."""
    if not isinstance(estimator.early_stopping, bool | np.bool_) or estimator.early_stopping:
        raise ValueError(
            f"{type(estimator).__name__}.partial_fit() runs one epoch, which cannot be stopped "
            "early: set early_stopping=False, and score a validation set between the calls. Got "
            f"early_stopping={estimator.early_stopping!r}."
        )


def validation_score(
    estimator: BaseEstimator, held_out: object
) -> Callable[[Array], float] | None:
    """Return a function of weights that scores the estimator with them on the validation set.

    Returns None if `early_stopping` is no scorer, or if there is no validation set.

    Raises
    ------
    ValueError
        If the rows are not NumPy's.
    """
    scoring = estimator.early_stopping
    if isinstance(scoring, bool | np.bool_) or held_out is None:
        return None
    data = estimator._validation_data(held_out)
    if data is None:
        raise ValueError(
            f"early_stopping={scoring!r} scores NumPy rows only. With those of other libraries or "
            "on a cluster, early_stopping=True follows the loss."
        )
    X, y, weights = data
    from sklearn.metrics import get_scorer

    X = X[:] if isinstance(X, PickedRows) else X
    scorer = get_scorer(scoring)
    given = {} if weights is None else {"sample_weight": weights}

    def score(at: Array) -> float:
        model = _with_weights(estimator, at)
        try:
            found = float(scorer(model, X, y, **given))
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                "The 'early_stopping' parameter must be a scorer for this estimator and these "
                f"targets. {scoring!r} raised a {type(error).__name__}: {error}"
            ) from error
        if not math.isfinite(found):
            raise ValueError(
                f"The 'early_stopping' parameter must be a scorer that returns finite numbers. "
                f"{scoring!r} returned {found} for a validation set of {X.shape[0]} samples; some "
                "scores need more: give X_val, a larger validation_fraction, or "
                "early_stopping=True, which follows the loss."
            )
        return found

    return score


def _with_weights(estimator: BaseEstimator, weights: ArrayLike) -> BaseEstimator:
    """Return the estimator as if fitted with these weights.

    The rows of the validation set are arrays, so that it has no names of columns to ask for.
    """
    model = object.__new__(type(estimator))
    vars(model).update(vars(estimator))
    vars(model).update(estimator._attributes_of(weights))
    vars(model).pop("feature_names_in_", None)
    return model
