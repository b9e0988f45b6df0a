"""Weights that are not finite never come back as a success, whatever the loss says of them."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.losses import Loss
from sklearn_gd.solvers import _BUILT_IN as SOLVERS

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:150] / X.max(axis=0), Y[:150]
THREE = load_iris(return_X_y=True)


class HiddenNaN(Loss):
    """A squared error that shows no NaN, as many a loss of a user's own, by comparisons."""

    def value(self, y_true, y_pred):
        return np.where(np.abs(y_pred) > 1, 1.0, 0.5)

    def gradient(self, y_true, y_pred):
        return np.where(np.abs(y_pred) > 1, 1e300, -1e300)


def no_nan(z):
    return np.where(z > 0, z, 0.0)


def no_nan_slope(z):
    return np.where(z > 0, 1.0, 0.5)


def assert_weights_finite(model):
    for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
        value = getattr(model, name, 0.0)
        assert all(
            np.isfinite(each).all() for each in (value if isinstance(value, list) else [value])
        )


def fails_or_is_finite(model, call, *given):
    """Return whether a fitting method raised; else the weights have to be finite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that did not converge
        try:
            call(model, *given)
        except DivergenceError:
            return True
        finally:
            assert_weights_finite(model)
    return False


def fit(model, *given):
    return model.fit(*given)


def partial_fit(model, X, y):
    more = {"classes": np.unique(y)} if isinstance(model, PerceptronClassifier) else {}
    for _ in range(60):
        before = dict(vars(model))
        try:
            model.partial_fit(X, y, **more)
        except DivergenceError:
            assert vars(model) == before  # the very same objects
            raise
    return model


CALLS = pytest.mark.parametrize("call", [fit, partial_fit])


@pytest.mark.parametrize("fit_params", [{}, {"X_val": X, "y_val": Y}])
def test_a_penalty_that_explodes(fit_params):
    model = PerceptronClassifier(solver="momentum", alpha=10.0, random_state=0)
    with pytest.raises(DivergenceError, match=r"epoch \d+: its loss is no longer finite"):
        model.fit(X, Y, **fit_params)
    assert not hasattr(model, "coef_")


@CALLS
@pytest.mark.parametrize("data", [(X, Y), THREE], ids=["two classes", "three"])
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("activation", ["step", "sigmoid", "identity", "relu"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_neurons(solver, activation, average, data, call):
    model = PerceptronClassifier(
        solver=solver,
        activation=activation,
        average=average,
        learning_rate=1e10,
        alpha=1e3,
        batch_size=20,
        random_state=0,
        max_iter=60,
    )
    diverged = fails_or_is_finite(model, call, *data)
    # What divides by the size of the gradient goes far, but steadily.
    steady = solver in ("adagrad", "rmsprop", "adam") or activation == "sigmoid"
    assert diverged or steady


@CALLS
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 1e3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rosenblatts_rule(dtype, alpha, average, call):
    scale = np.array(1e30 if dtype == np.float32 else 1e200, dtype)
    model = PerceptronClassifier(average=average, alpha=alpha, random_state=0, max_iter=50)
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype(dtype) * scale
    labels = np.arange(60) % 2
    # Weights as large as the rows: w · x is infinite, or infinity less infinity. A penalty of this
    # size may leave weights of zero behind; whether it does depends on the order of the sums.
    assert fails_or_is_finite(model, call, rows, labels) or alpha > 0


@CALLS
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "kind",
    [
        FeedForwardRegressor(hidden_layer_sizes=4, random_state=0, learning_rate=1e3),
        PerceptronClassifier(activation="tanh", random_state=0, learning_rate=1e3),
        PerceptronClassifier(activation="identity", random_state=0, average=True),
        ThroughOriginRegressor(learning_rate=1e3, max_iter=300),
        ThroughOriginRegressor(learning_rate=1e3, activation="tanh", max_iter=300),
    ],
    ids=repr,
)
def test_single_precision_at_its_end(kind, solver, call):
    rows, y = (X * 1e30).astype(np.float32), Y
    fails_or_is_finite(clone(kind).set_params(solver=solver), call, rows, y)


@CALLS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["gd", "momentum", "nesterov"])
@pytest.mark.parametrize(
    "kind",
    [
        FeedForwardRegressor(
            hidden_layer_sizes=3,
            activation=(no_nan, no_nan_slope),
            loss=HiddenNaN(),
            random_state=0,
        ),
        PerceptronClassifier(activation=(no_nan, no_nan_slope), loss=HiddenNaN(), random_state=0),
        ThroughOriginRegressor(activation=(no_nan, no_nan_slope), loss=HiddenNaN(), max_iter=50),
    ],
    ids=lambda kind: type(kind).__name__,
)
def test_losses_that_hide_nan(kind, solver, dtype, call):
    model = clone(kind).set_params(solver=solver, learning_rate=1e300)
    assert fails_or_is_finite(model, call, X.astype(dtype), Y)


def test_weights_that_only_their_precision_overflows():
    rows = np.full((10, 1), 1e-30, np.float32)
    with pytest.raises(DivergenceError, match="weights are no longer finite"):
        ThroughOriginRegressor().fit(rows, np.full(10, 1e30, np.float32))


def test_lbfgs():
    model = FeedForwardRegressor(
        hidden_layer_sizes=3, loss=HiddenNaN(), solver="lbfgs", random_state=0, max_iter=20
    )
    fails_or_is_finite(model, fit, X, Y)


def test_w_x_that_is_no_number_is_a_mistake():
    # Infinity less infinity: no comparison may pass for right.
    rows = np.array([[1e200, -1e200], [1e200, 1e200], [-1e200, 1e200]])
    for average in (False, True):
        model = PerceptronClassifier(average=average, shuffle=False, max_iter=20)
        with pytest.raises(DivergenceError):
            model.fit(rows, [1, 0, 0])
