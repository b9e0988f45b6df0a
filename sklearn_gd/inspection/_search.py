"""Read the candidates and scores of a search over learning rates from its results."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from sklearn_gd.inspection._axes import Style
from sklearn_gd.schedules import Schedule

_SEARCHES = "a GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV or HalvingRandomSearchCV"


def candidates_of(search: BaseEstimator, param_name: str | None = None) -> Style:
    """Return the learning rates of a fitted search, and their scores.

    Parameters
    ----------
    search : object
        Fitted search of scikit-learn.
    param_name : str, optional
        Name of the parameter that is the learning rate; by default, it is inferred.

    Returns
    -------
    candidates : dict
        Parameters of :class:`LearningRateDisplay`: `rates` (n_candidates,), NaN for a value that
        is not a positive number, such as ``"auto"``; `values` and `spread` (n_candidates,), mean
        and standard deviation of the score over the folds, NaN if a fit failed; `combinations`,
        the other parameters of each candidate as text; `dropped` (n_candidates,), whether a
        halving search eliminated the candidate, or None; `best`, the index of the best
        candidate, or None; `value_name`, the label of the axis; and `name`, the class of the
        model. If a halving search scored a candidate repeatedly, the last iteration is used.
    """
    results = _results_of(search)
    # A halving search lists its resource among the searched parameters.
    resource = getattr(search, "resource", None)
    searched = {name for params in results["params"] for name in params} - {resource}
    rate_name = _rate_parameter(searched, param_name)
    metric = _metric_of(search)
    others = _short_names(searched - {rate_name})
    places = [_place(params, rate_name, others) for params in results["params"]]
    # Later iterations of a halving search come after earlier ones, and replace them.
    last = {place: i for i, place in enumerate(places)}
    if not any(isinstance(rate, float) for rate, _ in last):
        raise ValueError(
            f"The search must have tried positive numbers, or Schedules, for {rate_name!r}. Got "
            f"{[params.get(rate_name) for params in results['params']]!r}."
        )
    kept = list(last.values())
    scores = np.asarray(results[f"mean_test_{metric}"], float)[kept]
    best = getattr(search, "best_index_", None)
    position = None if best is None else list(last).index(places[best])
    is_scored = position is not None and np.isfinite(scores[position])
    iterations = np.asarray(results["iter"]) if "iter" in results else None
    return {
        "rates": np.array([math.nan if rate is None else rate for rate, _ in last]),
        "values": scores,
        "spread": np.asarray(results[f"std_test_{metric}"], float)[kept],
        "combinations": [combination for _, combination in last],
        "dropped": None if iterations is None else iterations[kept] < iterations.max(),
        "best": position if is_scored else None,
        "value_name": f"{_score_name(search, metric)}, mean over {search.n_splits_} folds",
        "name": type(_last_step(search.estimator)).__name__,
    }


def _results_of(search: BaseEstimator) -> Any:
    if not hasattr(search, "cv_results_"):
        if hasattr(search, "fit") and hasattr(search, "cv"):
            raise NotFittedError(
                f"The 'search' parameter must be fitted: call fit before. Got {search!r}."
            )
        raise TypeError(
            f"The 'search' parameter must be {_SEARCHES}, fitted. Got {search!r} instead."
        )
    return search.cv_results_


def _rate_parameter(searched: set[str], given: str | None) -> str:
    """Return the name of the parameter that is the learning rate."""
    names = ", ".join(map(repr, sorted(searched)))
    if given is not None:
        if given not in searched:
            raise ValueError(
                f"The 'param_name' parameter must be one that was searched: {names}. Got "
                f"{given!r} instead."
            )
        return given
    found = []
    for name in sorted(searched):
        last = name.rsplit("__", 1)[-1]
        if last == "initial_rate" or last.startswith("learning_rate"):
            found.append(name)
    if len(found) != 1:
        what = "several learning rates" if found else "no learning rate"
        raise ValueError(
            f"There is {what} among the parameters searched: {names}. Name the one to draw in "
            "param_name."
        )
    return found[0]


def _metric_of(search: BaseEstimator) -> str:
    if not getattr(search, "multimetric_", False):
        return "score"
    if not isinstance(search.refit, str):
        raise ValueError(
            "The 'search' parameter, with several metrics, must name the one to draw in its own "
            f"parameter 'refit'. Got refit={search.refit!r}."
        )
    return search.refit


def _score_name(search: BaseEstimator, metric: str) -> str:
    if metric != "score":
        return metric
    return search.scoring if isinstance(search.scoring, str) else "Score"


def _last_step(estimator: BaseEstimator) -> BaseEstimator:
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _short_names(names: set[str]) -> dict[str, str]:
    """Return the last part of each name, or the full name if that part is not unique."""
    lasts = [name.rsplit("__", 1)[-1] for name in names]
    return {
        name: last if lasts.count(last) == 1 else name
        for name, last in sorted(zip(names, lasts, strict=True))
    }


def _place(params: Style, rate_name: str, others: dict[str, str]) -> tuple[float | None, str]:
    """Return a candidate's rate, None if not a positive number, and the rest as text."""
    said = [
        f"{short}={_in_words(params[name])}" for name, short in others.items() if name in params
    ]
    short = rate_name.rsplit("__", 1)[-1]
    if rate_name not in params:
        return None, ", ".join([*said, f"{short} not searched"])
    value = params[rate_name]
    if isinstance(value, Schedule):
        # A schedule is drawn at its first rate; its other parameters become part of the text.
        rest = {k: v for k, v in value.get_params().items() if k != "initial_rate"}
        inside = ", ".join(f"{k}={_in_words(v)}" for k, v in rest.items())
        said.append(f"{type(value).__name__}({inside})")
        value = value.rate(0)
    if isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf:
        return float(value), ", ".join(said)
    said.append(f"{short}={_in_words(value)}")
    return None, ", ".join(said)


def _in_words(value: object) -> str:
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list)):
        inside = ", ".join(map(_in_words, value))
        return f"({inside})"
    if isinstance(value, str):
        return value
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else repr(value)
