"""Networks with equal layers, initial weights, batches and epochs; matrix products as a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.neural_network import MLPRegressor

from benchmarks.race import OURS, SAME, Case, Contender
from sklearn_gd import FeedForwardRegressor

Array = np.ndarray

# Rows, features, hidden layers, batch, epochs, activation, and the aims in float32 for two ratios:
# the times of MLPRegressor and of JAX, compiled before.
SIZES = [
    (900, 8, (12,), 32, 100, "relu", 25.0, 2.0),
    (900, 8, (12,), 32, 100, "tanh", 20.0, 1.5),
    (400, 5, (6, 6), 16, 100, "relu", 30.0, 2.0),
    (15_000, 10, (90,), 200, 10, "relu", 8.0, 1.1),
    (5_000, 20, (56, 56, 56), 64, 10, "relu", 6.0, 1.0),
    (8_000, 30, (64, 32), 128, 10, "tanh", 6.0, 1.0),
    (50_000, 100, (256, 256), 256, 5, "relu", 1.6, 0.7),
    (50_000, 200, (512, 512), 512, 3, "relu", 1.6, 0.7),
]
QUICK_SIZES = [
    (200, 4, (5,), 32, 5, "relu", 3.0, 1.0),
    (200, 4, (5, 5, 5), 32, 5, "tanh", 2.0, 1.0),
]
WIDE = 256
RATES = {"adam": 0.001, "gd": 0.01}


def cases(quick: bool) -> Iterator[Case]:
    for n, p, hidden, batch, epochs, activation, mlp, jax in QUICK_SIZES if quick else SIZES:
        for solver in RATES if quick else ("adam",):
            for dtype in ("float64", "float32"):
                share = 1.0 if dtype == "float32" else 2 / 3
                aims = {"MLPRegressor": share * mlp, "torch": 1.2, "JAX": share * jax}
                if min(hidden) >= WIDE:
                    aims["products alone"] = 1 / 1.5
                size = f"{n:,} x {p}, {hidden}, {activation}, batch {batch}, {epochs} epochs"
                yield Case(
                    f"{size}, {solver}, {dtype}",
                    partial(enter, n, p, hidden, batch, epochs, activation, solver, dtype),
                    aims,
                    alike=0.1,
                )
    size = (200, 20, 3, (5,), 32, 3) if quick else (20_000, 2_000, 20, (64,), 200, 3)
    yield Case(
        "{:,} x {:,}, {} stored per row, CSR, {}, batch {}, {} epochs, adam".format(*size),
        partial(enter_sparse, *size),
        {"MLPRegressor": 1.0},
        alike=0.1,
    )
    n, p, hidden, epochs = (200, 4, (5,), 20) if quick else (20_000, 20, (50, 50), 50)
    yield Case(
        f"{n:,} x {p}, {hidden}, L-BFGS, {epochs} iterations",
        partial(enter_lbfgs, n, p, hidden, epochs),
        {"MLPRegressor": 1.0},
        alike=0.3,
    )


class Problem:
    """Rows, targets and initial weights, the same for all contenders."""

    def __init__(
        self, n: int, p: int, hidden: tuple[int, ...], dtype: str, activation: str = "relu"
    ) -> None:
        self.activation = activation
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((n, p)).astype(dtype)
        hill = np.sin(self.X[:, 0]) + self.X[:, 1] * self.X[:, 2] + 0.5 * self.X[:, 3]
        self.y = (hill + 0.1 * rng.standard_normal(n)).astype(dtype)
        self.sizes = (p, *hidden, 1)
        self.coefs = [
            (rng.standard_normal(shape) * np.sqrt(2.0 / shape[0])).astype(dtype)
            for shape in zip(self.sizes[:-1], self.sizes[1:], strict=True)
        ]
        self.intercepts = [np.zeros(width, dtype) for width in self.sizes[1:]]

    def fresh(self) -> tuple[list[Array], list[Array]]:
        return [W.copy() for W in self.coefs], [b.copy() for b in self.intercepts]

    def loss(self, predict: Callable[[Array], Array]) -> float:
        return float(np.mean((predict(self.X).ravel() - self.y) ** 2))


def enter(
    n: int,
    p: int,
    hidden: tuple[int, ...],
    batch: int,
    epochs: int,
    activation: str,
    solver: str,
    dtype: str,
) -> dict[str, Contender]:
    problem = Problem(n, p, hidden, dtype, activation)
    common: dict[str, Any] = {
        "hidden_layer_sizes": hidden,
        "batch_size": batch,
        "max_iter": epochs,
        "activation": activation,
        "alpha": 0.0,
        "random_state": 0,
    }
    ours = FeedForwardRegressor(
        **{**SAME, "learning_rate": RATES[solver], **common}, solver=solver
    )
    # Its loss has a factor 1/2: plain gradient descent needs twice the rate for equal steps.
    theirs = MLPRegressor(
        solver="sgd" if solver == "gd" else solver,
        learning_rate_init=RATES[solver] * (2 if solver == "gd" else 1),
        momentum=0.0,
        tol=0.0,
        n_iter_no_change=10 * epochs,
        **common,
    )
    contenders = {
        OURS: from_first_weights(ours, problem),
        "MLPRegressor": from_first_weights(theirs, problem),
        "products alone": Contender(partial(products, problem, batch, epochs)),
    }
    if find_spec("torch"):
        from benchmarks import with_torch

        run = partial(with_torch.train, problem, batch, epochs, solver, RATES[solver])
        contenders["torch"] = Contender(run, problem.loss)
    if find_spec("jax"):
        from benchmarks import with_jax

        for name, again in (("JAX", False), ("JAX, compiling", True)):
            trainer = with_jax.Trainer(problem, batch, solver, RATES[solver])
            contenders[name] = Contender(partial(trainer.train, epochs, again), problem.loss)
    return contenders


def from_first_weights(model: Any, problem: Problem) -> Contender:
    """Return a contender whose fits all start from the initial weights of the problem."""
    epochs = model.max_iter
    model.set_params(max_iter=1, warm_start=True).fit(problem.X[:300], problem.y[:300])
    model.set_params(max_iter=epochs)

    def run() -> Any:
        model.coefs_, model.intercepts_ = problem.fresh()
        return model.fit(problem.X, problem.y)

    return Contender(run, lambda fitted: problem.loss(fitted.predict))


def products(problem: Problem, batch: int, epochs: int) -> None:
    """Compute only the matrix products of the training steps."""
    layers = problem.coefs
    a = [np.ones((batch, width), problem.X.dtype) for width in problem.sizes]
    gradients = [np.empty_like(W) for W in layers]
    for _ in range(epochs * -(-len(problem.X) // batch)):
        for W, before, after in zip(layers, a[:-1], a[1:], strict=True):
            np.matmul(before, W, out=after)
        for i in reversed(range(len(layers))):
            np.matmul(a[i].T, a[i + 1], out=gradients[i])
            if i:
                np.matmul(a[i + 1], layers[i].T, out=a[i])
        for after in a[1:]:
            after.fill(1.0)  # otherwise the products would overflow


def enter_sparse(
    n: int, p: int, stored: int, hidden: tuple[int, ...], batch: int, epochs: int
) -> dict[str, Contender]:
    problem = Problem(n, p, hidden, "float64")
    rng = np.random.default_rng(1)
    problem.X = sparse.csr_array(sparse.random(n, p, stored / p, "csr", None, rng))
    common: dict[str, Any] = {
        "hidden_layer_sizes": hidden,
        "batch_size": batch,
        "max_iter": epochs,
        "alpha": 0.0,
        "random_state": 0,
    }
    theirs = MLPRegressor(tol=0.0, n_iter_no_change=10 * epochs, **common)
    return {
        OURS: from_first_weights(FeedForwardRegressor(**SAME, **common), problem),
        "MLPRegressor": from_first_weights(theirs, problem),
    }


def enter_lbfgs(n: int, p: int, hidden: tuple[int, ...], epochs: int) -> dict[str, Contender]:
    problem = Problem(n, p, hidden, "float64")
    common: dict[str, Any] = {
        "hidden_layer_sizes": hidden,
        "solver": "lbfgs",
        "max_iter": epochs,
        "alpha": 0.0,
        "random_state": 0,
    }
    return {
        OURS: from_first_weights(FeedForwardRegressor(**SAME, **common), problem),
        "MLPRegressor": from_first_weights(MLPRegressor(tol=0.0, **common), problem),
    }
