"""Rosenblatt's rule, with equal numbers of epochs on the same rows in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import Perceptron, SGDClassifier

from benchmarks.race import OURS, Case, Contender
from sklearn_gd import PerceptronClassifier

EPOCHS = 20
# Rows, features, classes, stored values per row (0: dense), and the aim for the ratio of times.
SIZES = [
    (20_000, 20, 2, 0, 2.0),
    (20_000, 200, 2, 0, 2.0),
    (100_000, 50, 2, 0, 2.0),
    (5_000, 1_000, 2, 0, 2.0),
    (20_000, 50, 10, 0, 4.0),
    (20_000, 50_000, 2, 80, 1.5),
    (20_000, 50_000, 20, 80, 3.0),
]
QUICK_SIZES = [(200, 5, 2, 0, 2.0), (200, 5, 4, 0, 4.0), (200, 50, 2, 5, 1.5)]


def cases(quick: bool) -> Iterator[Case]:
    for n, p, classes, stored, aim in QUICK_SIZES if quick else SIZES:
        for dtype in ("float64", "float32") if not stored else ("float64",):
            kind = f", {stored} stored per row, CSR" if stored else f", {dtype}"
            yield Case(
                f"{n:,} x {p:,}, {classes} classes{kind}",
                partial(enter, n, p, classes, stored, dtype),
                {"Perceptron": aim, "SGDClassifier, hinge": aim},
                alike=0.0 if not stored and dtype == "float64" else 0.1,
            )


def enter(n: int, p: int, classes: int, stored: int, dtype: str) -> dict[str, Contender]:
    X, y = rows(n, p, classes, stored, dtype)
    once = {"max_iter": EPOCHS, "tol": None, "shuffle": False}

    def contender(model: Any) -> Contender:
        return Contender(lambda: model.fit(X, y), lambda fitted: 1.0 - fitted.score(X, y))

    hinge = SGDClassifier(loss="hinge", penalty=None, learning_rate="constant", eta0=1.0, **once)
    # On sparse rows, scikit-learn scales steps of the intercept by 0.01, so none is fitted.
    intercept = {"fit_intercept": not stored}
    return {
        OURS: contender(PerceptronClassifier(**once, **intercept)),
        "Perceptron": contender(Perceptron(**once, **intercept)),
        # The hinge loss has a margin: it makes more updates, and its result differs.
        "SGDClassifier, hinge": Contender(lambda: hinge.fit(X, y)),
    }


def rows(n: int, p: int, classes: int, stored: int, dtype: str) -> tuple[Any, np.ndarray]:
    """Return rows whose classes are not quite linearly separable, so that updates never stop."""
    rng = np.random.default_rng(0)
    if stored:
        X = sparse.csr_array(sparse.random(n, p, stored / p, "csr", None, rng))
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    else:
        X = rng.standard_normal((n, p))
    scores = X @ rng.standard_normal((p, classes))
    scores += 0.5 * scores.std() * rng.standard_normal(scores.shape)
    return X.astype(dtype), scores.argmax(axis=1)
