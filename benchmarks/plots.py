"""Plot the time of a fit against the problem size, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, Perceptron
from sklearn.neural_network import MLPRegressor

from benchmarks.footprint import best_seconds
from benchmarks.race import OURS, SAME
from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor

Fits = dict[str, Callable[[], Any]]


def line(n: int, p: int) -> Fits:
    X, y = rows(n, p)
    return {
        OURS: lambda: ThroughOriginRegressor().fit(X, y),
        "LinearRegression": lambda: LinearRegression(fit_intercept=False).fit(X, y),
    }


def neuron(classes: int) -> Fits:
    X, y = rows(10_000, 50)
    edges = np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1])
    labels = np.digitize(y, edges)
    once: dict[str, Any] = {"max_iter": 5, "tol": None, "random_state": 0}
    return {
        OURS: lambda: PerceptronClassifier(**once).fit(X, labels),
        "Perceptron": lambda: Perceptron(**once).fit(X, labels),
    }


def network(batch: int, width: int) -> Fits:
    X, y = rows(4_000, 20)
    common: dict[str, Any] = {
        "hidden_layer_sizes": (width,),
        "batch_size": batch,
        "max_iter": 2,
        "alpha": 0.0,
        "random_state": 0,
    }
    theirs = MLPRegressor(tol=0.0, n_iter_no_change=100, **common)
    return {
        OURS: lambda: FeedForwardRegressor(**SAME, **common).fit(X, y),
        "MLPRegressor": lambda: theirs.fit(X, y),
    }


def rows(n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, X.sum(axis=1) + rng.standard_normal(n)


PANELS: list[tuple[str, list[int], Callable[[int], Fits]]] = [
    ("rows (line, 10 features)", [1_000, 10_000, 100_000, 1_000_000], lambda n: line(n, 10)),
    ("features (line, 50,000 rows)", [1, 10, 100, 400], lambda p: line(50_000, p)),
    ("classes (neuron, 10,000 x 50)", [2, 4, 8, 16, 32], neuron),
    ("batch size (network, 100 neurons)", [8, 32, 128, 512, 2_048], lambda b: network(b, 100)),
    ("neurons (network, batches of 200)", [8, 32, 128, 512, 2_048], lambda w: network(200, w)),
]


def draw(path: Path) -> None:
    """Measure every panel and save the figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(11, 6.5), layout="constrained")
    for ax, (name, sizes, fits) in zip(axes.flat, PANELS, strict=False):
        seconds: dict[str, list[float]] = {}
        for size in sizes:
            for label, fit in fits(size).items():
                seconds.setdefault(label, []).append(best_seconds(fit, rounds=3))
        for (label, values), style in zip(seconds.items(), ("o-", "s--"), strict=True):
            ax.loglog(sizes, values, style, label=label)
        ax.set(xlabel=name, ylabel="seconds per fit")
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        ax.set_xticks([], minor=True)
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
    axes.flat[-1].set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
