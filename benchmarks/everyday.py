"""Common tasks: prediction, and a grid search over learning rates."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from joblib import parallel_config
from sklearn.linear_model import LinearRegression, Perceptron, SGDRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor

from benchmarks.race import OURS, SAME, Case, Contender
from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor


def pairs(few: bool) -> list[tuple[Any, Any, str]]:
    """Return our estimators, each with scikit-learn's counterpart and its name for the rate.

    Numbers of epochs are equal, except for the line: a step on all rows is not comparable to an
    epoch of stochastic steps, so both sides stop by their own defaults.
    """
    epochs = {"max_iter": 2 if few else 20, "tol": None}
    theirs = {"max_iter": epochs["max_iter"], "tol": 0.0, "n_iter_no_change": 1_000}
    return [
        (
            ThroughOriginRegressor(),
            SGDRegressor(fit_intercept=False, learning_rate="constant"),
            "eta0",
        ),
        (PerceptronClassifier(**epochs), Perceptron(**epochs), "eta0"),
        (
            FeedForwardRegressor(
                **{**SAME, **epochs}, hidden_layer_sizes=(20,), batch_size=200, random_state=0
            ),
            MLPRegressor(hidden_layer_sizes=(20,), random_state=0, alpha=0.0, **theirs),
            "learning_rate_init",
        ),
    ]


def cases(quick: bool) -> Iterator[Case]:
    for n_samples in (1, 1_000) if quick else (1, 100_000):
        for ours, theirs, _ in pairs(few=True):
            if isinstance(theirs, SGDRegressor):
                theirs = LinearRegression(fit_intercept=False)
            name = type(theirs).__name__
            calls = 1 if quick or n_samples > 1 else 1_000
            yield Case(
                f"predict {n_samples:,} x 50, {type(ours).__name__}",
                partial(enter_predict, n_samples, ours, theirs, calls),
                {name: 1.0},
            )
    n, p, n_rates = (100, 4, 3) if quick else (2_000, 20, 20)
    for i, (ours, theirs, _) in enumerate(pairs(quick)):
        yield Case(
            f"grid of {n_rates} rates x 5 folds, {n:,} x {p}, {type(ours).__name__}",
            partial(enter_grid, n, p, n_rates, i, quick),
            {type(theirs).__name__: 2.0},
        )

    n, p, epochs = (100, 4, 2) if quick else (2_000, 20, 20)
    yield Case(
        f"grid of 12 rates x 4 folds, {n:,} x {p}, (20,), {epochs} epochs, in threads",
        partial(enter_threads, n, p, epochs),
        {"MLPRegressor": 8.0, "in one thread": 1.6},
    )


def enter_threads(n: int, p: int, epochs: int) -> dict[str, Contender]:
    """Return searches over rates in two threads, and in one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)
    both = {"hidden_layer_sizes": (20,), "batch_size": 32, "max_iter": epochs, "random_state": 0}
    ours = FeedForwardRegressor(**{**SAME, **both})
    theirs = MLPRegressor(alpha=0.0, tol=0.0, n_iter_no_change=1_000, **both)

    def contender(model: Any, parameter: str, threads: int) -> Contender:
        rates = np.geomspace(1e-4, 1e-2, 12).tolist()
        search = GridSearchCV(model, {parameter: rates}, cv=4, refit=False)

        def run() -> None:
            with parallel_config("threading", n_jobs=threads):
                search.fit(X, y)

        return Contender(run)

    return {
        OURS: contender(ours, "learning_rate", 2),
        "in one thread": contender(ours, "learning_rate", 1),
        "MLPRegressor": contender(theirs, "learning_rate_init", 1),
    }


def enter_predict(n_samples: int, ours: Any, theirs: Any, calls: int) -> dict[str, Contender]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1_000, 50))
    y = np.where(X[:, 0] > 0, 1.0, 0.0)
    rows = rng.standard_normal((n_samples, 50))

    def contender(model: Any) -> Contender:
        model.fit(X, y)

        def run() -> None:
            for _ in range(calls):
                model.predict(rows)

        return Contender(run)

    return {OURS: contender(ours), type(theirs).__name__: contender(theirs)}


def enter_grid(n: int, p: int, n_rates: int, which: int, few: bool) -> dict[str, Contender]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    y = np.where(X @ rng.standard_normal(p) + rng.standard_normal(n) > 0, 1.0, 0.0)
    ours, theirs, rate = pairs(few)[which]

    def contender(model: Any, parameter: str) -> Contender:
        # Useful rates differ: a step on all rows allows a larger rate than a step on one row.
        ends = (0.01, 0.2) if isinstance(model, ThroughOriginRegressor) else (1e-4, 1e-2)
        rates = np.geomspace(*ends, n_rates)
        search = GridSearchCV(model, {parameter: rates.tolist()}, cv=5, refit=False)
        return Contender(lambda: search.fit(X, y))

    return {
        OURS: contender(ours, "learning_rate"),
        type(theirs).__name__: contender(theirs, rate),
    }
