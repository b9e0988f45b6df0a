"""ThroughOriginRegressor compared with solvers of the normal equations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor

from benchmarks.race import OURS, Case, Contender
from sklearn_gd import ThroughOriginRegressor

SIZES = [(1_000_000, 1), (1_000_000, 10), (200_000, 100), (50_000, 500)]
QUICK_SIZES = [(2_000, 1), (2_000, 10), (2_000, 20)]


def cases(quick: bool) -> Iterator[Case]:
    for n, p in QUICK_SIZES if quick else SIZES:
        for dtype in ("float64", "float32"):
            aims = {"LinearRegression": 4.0, "Ridge": 1.3}
            if p <= 100:
                aims["SGDRegressor, 5 epochs"] = 8.0
            if n >= 100 * p:
                aims["X'X alone"] = 1 / 1.4
            yield Case(
                f"{n:,} x {p}, {dtype}",
                partial(enter, n, p, dtype),
                aims,
                alike=1e-5 if dtype == "float32" else 1e-6,
                worse=("SGDRegressor, 5 epochs",),
            )
    n, p, stored = (1_000, 30, 5) if quick else (200_000, 1_000, 10)
    yield Case(
        f"{n:,} x {p:,}, {stored} stored per row, CSR",
        partial(enter_sparse, n, p, stored),
        {"LinearRegression": 4.0},
    )


def enter(n: int, p: int, dtype: str) -> dict[str, Contender]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p), dtype=np.float32).astype(dtype)
    y = (X @ rng.standard_normal(p) + rng.standard_normal(n)).astype(dtype)

    def loss(model: Any) -> float:
        residual = y.astype(np.float64) - X.astype(np.float64) @ model.coef_.astype(np.float64)
        return float(residual @ residual) / n

    def fit(model: Any) -> Contender:
        return Contender(lambda: model.fit(X, y), loss)

    contenders = {
        OURS: fit(ThroughOriginRegressor()),
        "LinearRegression": fit(LinearRegression(fit_intercept=False)),
        "Ridge": fit(Ridge(alpha=1e-12, fit_intercept=False, solver="cholesky")),
        "X'X alone": Contender(lambda: X.T @ X),
        "one read of X": Contender(partial(np.add.reduce, X, axis=None)),
    }
    if p <= 100:
        sgd = SGDRegressor(fit_intercept=False, max_iter=5, tol=None, random_state=0)
        contenders["SGDRegressor, 5 epochs"] = fit(sgd)
    return contenders


def enter_sparse(n: int, p: int, stored: int) -> dict[str, Contender]:
    rng = np.random.default_rng(0)
    X = sparse.csr_array(sparse.random(n, p, stored / p, "csr", None, rng))
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)

    def loss(model: Any) -> float:
        residual = y - X @ model.coef_
        return float(residual @ residual) / n

    linear = LinearRegression(fit_intercept=False)
    ridge = Ridge(alpha=1e-12, fit_intercept=False, solver="sparse_cg", tol=1e-6)
    return {
        OURS: Contender(lambda: ThroughOriginRegressor().fit(X, y), loss),
        "LinearRegression": Contender(lambda: linear.fit(X, y), loss),
        "Ridge, sparse_cg": Contender(lambda: ridge.fit(X, y), loss),
    }
