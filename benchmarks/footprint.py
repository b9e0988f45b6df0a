"""Memory use, scaling with rows and threads, and import time."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor


@dataclass
class Figure:
    """A measured number, and its upper limit."""

    name: str
    value: float
    limit: float
    unit: str


def figures(quick: bool) -> Iterator[Figure]:
    yield from memory(quick)
    yield from growth(quick)
    yield from threads(quick)
    for name, before in (
        ("import, beside scikit-learn's", ""),
        ("import, beside scikit-learn's and its callbacks", ", sklearn.callback"),
    ):
        seconds = [import_seconds(before) for _ in range(1 if quick else 9)]
        yield Figure(name, 1e3 * statistics.median(seconds), 50.0, "ms")


def memory(quick: bool) -> Iterator[Figure]:
    """Yield the peak of the memory that NumPy allocates during a fit."""
    n = 5_000 if quick else 1_000_000
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 10))
    y = X.sum(axis=1) + rng.standard_normal(n)
    line, limit = ThroughOriginRegressor(), 64.0
    yield Figure(f"line, {n:,} x 10, float64", megabytes(line, X, y), limit, "MB")
    X32, y32 = X.astype(np.float32), y.astype(np.float32)
    yield Figure(f"line, {n:,} x 10, float32", megabytes(line, X32, y32), limit, "MB")
    every_other = np.ascontiguousarray(np.repeat(X, 2, axis=1))[:, ::2]
    yield Figure(f"line, {n:,} x 10, not contiguous", megabytes(line, every_other, y), limit, "MB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        np.memmap(path, X.dtype, "w+", shape=X.shape)[:] = X
        mapped = np.memmap(path, X.dtype, "r", shape=X.shape)
        yield Figure(f"line, {n:,} x 10, memory-mapped", megabytes(line, mapped, y), limit, "MB")
        del mapped

    labels = (y > 0).astype(int)
    neuron = PerceptronClassifier(max_iter=2, tol=None, random_state=0)
    # For the order of the rows, their classes in two forms, and copies of a few chunks.
    yield Figure(
        f"neuron, {n:,} x 10, float64", megabytes(neuron, X, labels), 64.0 * n / 1e6 + 8, "MB"
    )
    rows, p, hidden = (500, 10, (16, 16)) if quick else (50_000, 100, (256, 256))
    X = rng.standard_normal((rows, p))
    net = FeedForwardRegressor(
        hidden_layer_sizes=hidden, batch_size=256, max_iter=1, tol=None, random_state=0
    )
    # For the parameters, the gradient, Adam's two moments and its buffer, and chunks of rows.
    n_parameters = (p + 1) * hidden[0] + (hidden[0] + 1) * hidden[1] + hidden[1] + 1
    allowed = (8 * 8 * n_parameters + 8 * 4 * rows) / 1e6 + 16
    yield Figure(f"network, {rows:,} x {p}, {hidden}", megabytes(net, X, X[:, 0]), allowed, "MB")


def megabytes(model: Any, X: Any, y: Any) -> float:
    model.fit(X[:100], y[:100])  # so that imports of the first fit are not counted
    tracemalloc.start()
    model.fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def growth(quick: bool) -> Iterator[Figure]:
    """Yield the slope of log time over log number of rows for each estimator."""
    rng = np.random.default_rng(0)
    scale = 200 if quick else 1
    net = FeedForwardRegressor(hidden_layer_sizes=(50,), max_iter=4, tol=None, random_state=0)
    neuron = PerceptronClassifier(max_iter=10, tol=None, random_state=0)
    for name, model, largest in (
        ("line", ThroughOriginRegressor(), 800_000),
        ("neuron", neuron, 160_000),
        ("network", net, 80_000),
    ):
        sizes = [largest // (scale * k) for k in (8, 4, 2, 1)]
        X = rng.standard_normal((sizes[-1], 20))
        y = X[:, 0] + rng.standard_normal(len(X))
        if name == "neuron":
            y = (y > 0).astype(int)
        seconds = [best_seconds(lambda n=n: model.fit(X[:n], y[:n])) for n in sizes]
        slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        yield Figure(f"{name}, power of the rows, {sizes[0]:,} to {sizes[-1]:,}", slope, 1.05, "")


def threads(quick: bool) -> Iterator[Figure]:
    """Yield the time of a wide network with two threads, relative to one thread."""
    rng = np.random.default_rng(0)
    for n, p, width in [(500, 10, 32)] if quick else [(20_000, 100, 256), (10_000, 200, 512)]:
        X = rng.standard_normal((n, p)).astype(np.float32)
        y = X[:, 0] * X[:, 1]
        net = FeedForwardRegressor(
            hidden_layer_sizes=(width, width),
            batch_size=256,
            max_iter=1,
            tol=None,
            random_state=0,
        )
        seconds = []
        for count in (1, 2):
            with threadpool_limits(count):
                seconds.append(best_seconds(lambda: net.fit(X, y)))
        share = seconds[1] / seconds[0]
        yield Figure(f"network, ({width}, {width}), time on two threads over one", share, 0.65, "")


def best_seconds(work: Callable[[], Any], rounds: int = 5) -> float:
    work()
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def import_seconds(before: str) -> float:
    """Return the seconds that importing sklearn_gd takes after scikit-learn, in a fresh process.

    Both are imported from compiled bytecode, as after an installation by pip.
    """
    code = (
        f"import sklearn.base, sklearn.utils.validation, time{before}\n"
        "begin = time.perf_counter()\n"
        "import sklearn_gd\n"
        "print(time.perf_counter() - begin)"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    for _ in range(2):  # the first run may compile bytecode
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            check=True,
            text=True,
        )
    return float(done.stdout)
