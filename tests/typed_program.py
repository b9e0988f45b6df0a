"""A user's program with types. tests/test_types.py has mypy check it, and then runs it."""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

import sklearn_gd
from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.activations import ELU, Activation, FunctionPair, as_activation
from sklearn_gd.exceptions import DivergenceError, ModelVersionWarning
from sklearn_gd.losses import Huber, Loss
from sklearn_gd.schedules import Exponential, Schedule
from sklearn_gd.solvers import Adam, Solver
from sklearn_gd.testing import check_activation, check_loss, check_schedule, check_solver

Array = np.ndarray[Any, np.dtype[Any]]


class Bump(Activation):
    """exp(-(z / width)²)."""

    def __init__(self, width: float = 1.0) -> None:
        self.width = width

    def __call__(self, z: Array) -> Array:
        return np.exp(-np.square(z / self.width))

    def derivative(self, z: Array, a: Array) -> Array:
        return -2 * z / self.width**2 * a


class Fair(Loss):
    """|error| - log(1 + |error|)."""

    curvature = 1.0

    def value(self, y_true: Array, y_pred: Array) -> Array:
        error: Array = np.abs(y_pred - y_true)
        loss: Array = error - np.log1p(error)
        return loss

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        error: Array = y_pred - y_true
        slope: Array = error / (1 + np.abs(error))
        return slope


class Halving(Schedule):
    """Half the rate every so many epochs."""

    def __init__(self, initial_rate: float = 0.1, every: int = 10) -> None:
        self.initial_rate = initial_rate
        self.every = every

    def rate(self, epoch: int) -> float:
        return self.initial_rate * 0.5 ** (epoch // self.every)


class Signs(Solver):
    """A step of the size of the rate, down the gradient's signs."""

    def step(self, parameters: Array, gradient: Array, rate: float | Array) -> None:
        parameters -= rate * np.sign(gradient)


class Losses:
    """A callback that listens to nothing but the end."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin."""

    def on_fit_task_begin(
        self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any
    ) -> None:
        """Hear that an epoch begins."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Hear that an epoch ended."""

    def teardown(self, estimator: FeedForwardRegressor, context: Any) -> None:
        """Keep the losses."""
        self.seen = list(estimator.loss_curve_)


def pieces() -> None:
    """Use activations, losses, schedules and solvers by themselves."""
    z = np.linspace(-1, 1, 5)
    assert_type(ELU(alpha=0.5)(z), Array)
    assert_type(ELU().range, tuple[float, float])
    assert_type(as_activation("tanh"), Activation)
    assert_type(FunctionPair(np.sin, np.cos).derivative(z, np.sin(z)), Array)
    assert_type(Bump().slope, float)
    assert_type(Bump().zero_at_origin, bool)
    assert_type(Huber(delta=2.0).value(z, z), Array)
    assert_type(Exponential(0.1, 0.9).rate(3), float)
    solver = Adam(beta_1=0.8)
    solver.start(5, np.float64)
    solver.step(z, z.copy(), 0.1)
    check_activation(Bump(2.0))
    check_loss(Fair())
    check_schedule(Halving())
    check_solver(Signs())


def line(X: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Fit a line through the origin; return its loss."""
    model = ThroughOriginRegressor(loss=Fair()).fit(X, y, sample_weight=np.ones(len(y)))
    assert_type(model, ThroughOriginRegressor)
    assert_type(model.coef_, Array)
    assert_type(model.learning_rate_, float | Array)
    assert_type(model.predict(X), Array)
    assert_type(model.n_features_in_, int)
    assert_type(model.set_params(alpha=0.1), ThroughOriginRegressor)
    return model.loss_


def neuron(X: NDArray[np.float64], y: NDArray[np.float64]) -> dict[Any, float]:
    """Fit a neuron; return each class with the mean of its probability."""
    model = PerceptronClassifier(activation="sigmoid", random_state=0)
    assert_type(model.fit(X, y > 0), PerceptronClassifier)
    assert_type(model.partial_fit(X, y > 0), PerceptronClassifier)
    assert_type(model.threshold_, Array)
    assert_type(model.decision_function(X), Array)
    assert_type(model.predict_proba(X), Array)
    assert_type(model.score(X, y > 0), float)
    assert_type(model.t_, int)
    return dict(zip(model.classes_, model.predict_proba(X).mean(axis=0), strict=True))


def network(X: NDArray[np.float64], y: NDArray[np.float64]) -> FeedForwardRegressor:
    """Fit a network of pieces of one's own."""
    model = FeedForwardRegressor(
        hidden_layer_sizes=(6, 4),
        activation=[Bump(2.0), (np.sin, np.cos)],
        loss=Fair(),
        solver=Signs(),
        learning_rate=Halving(0.03),
        max_iter=20,
        init="glorot",
        tol=None,
        random_state=0,
    )
    assert_type(model.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:]), FeedForwardRegressor)
    assert_type(model.coefs_, list[Array])
    assert_type(model.validation_loss_curve_, list[float])
    assert_type(model.best_iter_, int)
    assert_type(model.get_params(), dict[str, Any])
    assert_type(model.partial_fit(X, y), FeedForwardRegressor)
    return model


def watched(model: FeedForwardRegressor, X: Array, y: Array) -> list[float]:
    """Fit a copy with a callback (scikit-learn 1.9 and later); return what it heard."""
    losses = Losses()
    copy: FeedForwardRegressor = clone(model)
    assert_type(copy.set_callbacks(losses), FeedForwardRegressor)
    copy.fit(X, y)
    return losses.seen


def diverged(X: Array, y: Array) -> list[float]:
    """Return the losses of a fit with far too large a rate."""
    try:
        ThroughOriginRegressor(solver="gd", learning_rate=1e3).fit(X, y)
    except DivergenceError as error:
        assert_type(error.loss_curve, list[float])
        return error.loss_curve
    return []


def main() -> None:
    """Run all of it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.tanh(X[:, 0]) + 0.1 * X[:, 1]
    pieces()
    assert line(X, y) < 0.1
    assert abs(sum(neuron(X, y).values()) - 1) < 1e-9
    model = network(X, y)
    assert model.score(X, y) > 0
    if hasattr(model, "set_callbacks"):
        assert len(watched(model, X, y)) == 20
    assert len(diverged(X, y)) > 1
    warning = ModelVersionWarning("FeedForwardRegressor", sklearn_gd.__version__, "0.0.1")
    assert_type(warning.original_version, str)


if __name__ == "__main__":
    main()
