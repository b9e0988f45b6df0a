"""Bad input: an error that names the parameter, what is accepted and what came."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.activations import Activation, Tanh
from sklearn_gd.losses import Loss
from sklearn_gd.schedules import Constant, Schedule
from sklearn_gd.solvers import Adam, Solver

X = np.array([[1.0, 2.0], [2.0, -1.0], [0.5, 1.0], [-1.0, 3.0], [2.0, 2.0], [0.0, -1.0]])
Y = {"regression": X @ [1.0, -0.5], "classes": np.array([0, 1, 0, 0, 1, 1])}
KINDS = {
    ThroughOriginRegressor: "regression",
    PerceptronClassifier: "classes",
    FeedForwardRegressor: "regression",
}
EVERY = list(KINDS)


def targets(kind):
    return Y[KINDS[kind]]


def make(kind, **params):
    if kind is FeedForwardRegressor:
        params = {"tol": None, "max_iter": 2, "hidden_layer_sizes": 3, "random_state": 0} | params
    return kind(**params)


def state_of(estimator):
    return {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in vars(estimator).items()
    }


def assert_unchanged(estimator, before):
    after = vars(estimator)
    assert after.keys() == before.keys()
    for name, value in before.items():
        if isinstance(value, np.ndarray):
            assert_array_equal(after[name], value)
        elif isinstance(value, list) and value and isinstance(value[0], np.ndarray):
            assert all(np.array_equal(a, b) for a, b in zip(after[name], value, strict=True))
        else:
            assert after[name] is value


def assert_refused(estimator, call, *words):
    """Assert that `call(estimator)` raises an error with these words and leaves it as it was."""
    before = state_of(estimator)
    with pytest.raises((ValueError, TypeError)) as caught:
        call(estimator)
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert_unchanged(estimator, before)


class NoDerivative(Activation):
    def __call__(self, z):
        return z


class WrongShape(Activation):
    def __call__(self, z):
        return z.sum(axis=1)

    def derivative(self, z, a):
        return np.ones_like(z)


class NoGradient(Loss):
    def value(self, y_true, y_pred):
        return (y_true - y_pred) ** 2


class Averaged(NoGradient):
    curvature = 2.0

    def gradient(self, y_true, y_pred):
        return np.mean(y_pred - y_true)


class NoStep(Solver):
    pass


class Still(Solver):
    def step(self, parameters, gradient, rate):
        parameters = parameters - rate * gradient


class NoRate(Schedule):
    pass


class LaterNone(Schedule):
    def rate(self, epoch):
        return 0.1 if epoch < 1 else None


class LaterNegative(Schedule):
    def rate(self, epoch):
        return 0.1 - epoch


class WordRate(Schedule):
    def rate(self, epoch):
        return "fast"


ANYWHERE = [
    ("loss", "mse", ["'loss'", "'huber'", "gradient(y_true, y_pred)", "'mse'"]),
    ("loss", 3, ["'loss'", "'squared_error'", "3"]),
    ("loss", NoGradient(), ["'loss'", "NoGradient lacks gradient"]),
    ("loss", Averaged(), ["'loss'", "gradient", "(2, 2)", "()"]),
    ("activation", "tahn", ["'activation'", "'tanh'", "(f, df)", "'tahn'"]),
    ("activation", None, ["'activation'", "'tanh'", "None"]),
    ("activation", Tanh, ["'activation'", "class Tanh", "instance"]),
    ("activation", (np.sin,), ["'activation'", "(f, df)", "sin"]),
    ("activation", NoDerivative(), ["'activation'", "NoDerivative lacks derivative"]),
    ("activation", WrongShape(), ["'activation'", "__call__(z)", "(2, 3)", "(2,)"]),
    ("solver", "sgd", ["'solver'", "'gd'", "step(parameters, gradient, rate)", "'sgd'"]),
    ("solver", 0.1, ["'solver'", "'adam'", "0.1"]),
    ("solver", Adam(beta_1=1.0), ["'beta_1'", "1.0"]),
    ("solver", NoStep(), ["'solver'", "NoStep lacks step"]),
    ("solver", Still(), ["'solver'", "step", "in place"]),
    ("learning_rate", 0.0, ["'learning_rate'", "positive", "0.0"]),
    ("learning_rate", -1, ["'learning_rate'", "positive", "-1"]),
    ("learning_rate", float("nan"), ["'learning_rate'", "finite", "nan"]),
    ("learning_rate", "fast", ["'learning_rate'", "'cosine'", "'fast'"]),
    ("learning_rate", True, ["'learning_rate'", "True"]),
    ("learning_rate", Constant(-0.5), ["'initial_rate'", "-0.5"]),
    ("learning_rate", NoRate(), ["'learning_rate'", "NoRate lacks rate"]),
    ("learning_rate", WordRate(), ["'learning_rate'", "rate(epoch)", "'fast'"]),
    ("alpha", -1e-3, ["'alpha'", "[0.0, inf)", "-0.001"]),
    ("alpha", "1", ["'alpha'", "float", "'1'"]),
    ("max_iter", 0, ["'max_iter'", "[1, inf)", "0"]),
    ("max_iter", 1.5, ["'max_iter'", "int", "1.5"]),
    ("tol", -1.0, ["'tol'", "None", "-1.0"]),
    ("warm_start", "yes", ["'warm_start'", "bool", "'yes'"]),
    ("verbose", -1, ["'verbose'", "-1"]),
]
WITH_L1 = [
    ("l1_ratio", -0.1, ["'l1_ratio'", "[0.0, 1.0]", "-0.1"]),
    ("l1_ratio", 1.5, ["'l1_ratio'", "[0.0, 1.0]", "1.5"]),
    ("l1_ratio", None, ["'l1_ratio'", "None"]),
]
IN_EPOCHS = [
    ("batch_size", 0, ["'batch_size'", "'auto'", "0"]),
    ("batch_size", "all", ["'batch_size'", "'auto'", "'all'"]),
    ("n_iter_no_change", 0, ["'n_iter_no_change'", "0"]),
    ("shuffle", 2, ["'shuffle'", "bool", "2"]),
    ("early_stopping", None, ["'early_stopping'", "bool", "None"]),
    ("validation_fraction", 1.0, ["'validation_fraction'", "(0.0, 1.0)", "1.0"]),
    ("random_state", "seed", ["'random_state'", "'seed'"]),
]
BAD_PARAMETERS = [
    *((kind, *case) for kind in EVERY for case in ANYWHERE),
    *(
        (kind, *case)
        for kind in (ThroughOriginRegressor, PerceptronClassifier)
        for case in WITH_L1
    ),
    *(
        (kind, *case)
        for kind in (PerceptronClassifier, FeedForwardRegressor)
        for case in IN_EPOCHS
    ),
    (PerceptronClassifier, "fit_intercept", "no", ["'fit_intercept'", "bool", "'no'"]),
    (PerceptronClassifier, "average", 10, ["'average'", "bool", "10"]),
    (PerceptronClassifier, "class_weight", "even", ["'class_weight'", "'balanced'", "'even'"]),
    (PerceptronClassifier, "class_weight", {0: -1}, ["'class_weight'", "negative", "{0: -1}"]),
    (PerceptronClassifier, "class_weight", {0: "a"}, ["'class_weight'", "numbers", "'a'"]),
    (PerceptronClassifier, "class_weight", {5: 1.0}, ["'class_weight'", "[5]", "[0, 1]"]),
    (FeedForwardRegressor, "hidden_layer_sizes", 0, ["'hidden_layer_sizes'", "0"]),
    (FeedForwardRegressor, "hidden_layer_sizes", (3, -1), ["'hidden_layer_sizes'", "(3, -1)"]),
    (FeedForwardRegressor, "hidden_layer_sizes", [2.5], ["'hidden_layer_sizes'", "[2.5]"]),
    (FeedForwardRegressor, "hidden_layer_sizes", np.array(3), ["'hidden_layer_sizes'", "3"]),
    (FeedForwardRegressor, "hidden_layer_sizes", {3, 4}, ["'hidden_layer_sizes'", "{3, 4}"]),
    (FeedForwardRegressor, "activation", ("tanh", "relu"), ["'activation'", "list with one"]),
    (FeedForwardRegressor, "hidden_layer_sizes", "ten", ["'hidden_layer_sizes'", "'ten'"]),
    (FeedForwardRegressor, "activation", ["tanh", "relu"], ["'activation'", "1", "2"]),
    (FeedForwardRegressor, "activation", "step", ["'activation'", "differentiable", "Step"]),
    (FeedForwardRegressor, "output_activation", "step", ["'output_activation'", "Step"]),
    (FeedForwardRegressor, "output_activation", "line", ["'output_activation'", "'line'"]),
    (FeedForwardRegressor, "init", "zeros", ["'init'", "'glorot'", "'zeros'"]),
    (FeedForwardRegressor, "solver", "bfgs", ["'solver'", "'lbfgs'", "'bfgs'"]),
    (ThroughOriginRegressor, "activation", "sigmoid", ["'activation'", "origin", "'sigmoid'"]),
    (ThroughOriginRegressor, "activation", (np.cos, np.sin), ["'activation'", "f(0) = 0"]),
    (ThroughOriginRegressor, "activation", "step", ["'activation'", "differentiable"]),
    (ThroughOriginRegressor, "loss", "absolute_error", ["learning_rate='auto'", "curvature"]),
    (ThroughOriginRegressor, "loss", "pinball", ["learning_rate='auto'", "'pinball'"]),
]


@pytest.mark.parametrize(("kind", "name", "value", "words"), BAD_PARAMETERS, ids=str)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_bad_parameter_is_named_with_what_is_accepted(kind, name, value, words, method):
    y = targets(kind)
    extra = {"classes": [0, 1]} if (kind, method) == (PerceptronClassifier, "partial_fit") else {}
    for fitted in (False, True):
        estimator = make(kind)
        if fitted:
            estimator.fit(X, y)
        estimator.set_params(**{name: value})
        assert_refused(estimator, lambda e: getattr(e, method)(X, y, **extra), *words)


def test_class_weights_must_leave_something_to_learn():
    neuron = PerceptronClassifier(class_weight={0: 0, 1: 0})
    y = targets(PerceptronClassifier)
    assert_refused(neuron, lambda e: e.fit(X, y), "class_weight={0: 0, 1: 0}", "nothing to fit")


def test_auto_rate_of_a_smooth_neuron_needs_a_bounded_curvature():
    neuron = PerceptronClassifier(activation="tanh", loss="absolute_error")
    assert_refused(neuron, lambda e: e.fit(X, targets(PerceptronClassifier)), "'auto'", "float")


BAD_DATA = [
    (np.where(X == 2, np.nan, X), ["NaN"]),
    (np.where(X == 2, np.inf, X), ["infinity"]),
    (X + 1j, ["omplex"]),
    (np.array([["a", "b"]] * 6), ["could not convert string to float"]),
    (X[:, 0], ["2D array"]),
    (X[None], ["dim 3"]),
    (X[:5], ["inconsistent numbers of samples"]),
    (X[:0], ["0 sample"]),
    (X[:, :0], ["0 feature"]),
    (sparse.csr_array(np.where(X == 2, np.nan, X)), ["NaN"]),
]


@pytest.mark.parametrize(("data", "words"), BAD_DATA, ids=lambda v: str(v)[:20])
@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_rows_are_refused(kind, data, words, method):
    y = targets(kind)
    extra = {"classes": [0, 1]} if (kind, method) == (PerceptronClassifier, "partial_fit") else {}
    for fitted in (False, True):
        estimator = make(kind)
        if fitted:
            estimator.fit(X, y)
        assert_refused(estimator, lambda e: getattr(e, method)(data, y, **extra), *words)


@pytest.mark.parametrize("kind", [ThroughOriginRegressor, FeedForwardRegressor])
@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.full(6, np.nan), ["NaN"]),
        (np.full((6, 2), np.inf), ["infinity"]),
        (np.ones(6) + 1j, ["omplex"]),
        (["a"] * 6, ["targets y", "real numbers", "<U1"]),
        (np.ones((6, 2, 2)), ["dim 3"]),
        (np.ones(5), ["inconsistent numbers of samples"]),
        (None, ["requires y to be passed"]),
        (sparse.csr_array(np.ones((6, 1))), ["targets y", "dense"]),
    ],
    ids=lambda v: str(v)[:20],
)
def test_bad_targets_are_refused(kind, y, words):
    assert_refused(make(kind), lambda e: e.fit(X, y), *words)
    assert_refused(make(kind).fit(X, targets(kind)), lambda e: e.fit(X, y), *words)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0] * 5, ["sample_weight", "(6,)", "(5,)"]),
        ([[1.0]] * 6, ["sample_weight"]),
        ([1.0, 1, 1, 1, 1, -0.5], ["sample_weight", "negative", "-0.5"]),
        ([1.0, 1, 1, 1, 1, np.nan], ["sample_weight", "NaN"]),
        ([0.0] * 6, ["sample_weight", "zero"]),
        ("heavy", ["sample_weight", "numbers", "heavy"]),
        (["a"] * 6, ["sample_weight", "numbers"]),
    ],
)
def test_bad_weights_are_refused(kind, weights, words):
    y = targets(kind)
    assert_refused(make(kind), lambda e: e.fit(X, y, weights), *words)
    assert_refused(make(kind).fit(X, y), lambda e: e.fit(X, y, weights), *words)


@pytest.mark.parametrize("kind", EVERY)
def test_other_features_than_in_fit_are_refused(kind):
    estimator = make(kind).fit(X, targets(kind))
    for method in ("predict", "partial_fit"):
        extra = () if method == "predict" else (targets(kind),)
        call = lambda e, m=method, extra=extra: getattr(e, m)(X[:, :1], *extra)  # noqa: E731
        assert_refused(estimator, call, "1 features", "expecting 2 features")


def test_classes_of_the_perceptron():
    y = targets(PerceptronClassifier)
    neuron = PerceptronClassifier()
    assert_refused(neuron, lambda e: e.fit(X, np.ones(6)), "at least two classes", "1.0")
    assert_refused(neuron, lambda e: e.fit(X, X @ [0.3, 0.1]), "continuous")
    assert_refused(neuron, lambda e: e.partial_fit(X, y), "classes must be given")
    assert_refused(neuron, lambda e: e.partial_fit(X, y, classes=[0]), "two classes", "[0]")
    assert_refused(neuron, lambda e: e.partial_fit(X, y, classes=[0, 1, np.nan]), "NaN")
    assert_refused(neuron, lambda e: e.partial_fit(X, y, classes=[0, 2]), "[1]", "[0, 2]")
    neuron.partial_fit(X, y, classes=[0, 1])
    assert_refused(neuron, lambda e: e.partial_fit(X, y + 1), "[2]", "[0, 1]")
    assert_refused(neuron, lambda e: e.partial_fit(X, y, classes=[0, 1, 2]), "[0, 1, 2]")
    neuron.set_params(class_weight="balanced")
    assert_refused(neuron, lambda e: e.partial_fit(X, y), "class_weight='balanced'", "dict")


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ({"coef_init": np.ones(3)}, ["coef_init", "(1, 2)", "(3,)"]),
        ({"coef_init": [np.nan, 1]}, ["coef_init", "NaN"]),
        ({"coef_init": ["a", "b"]}, ["coef_init", "numbers"]),
    ],
)
@pytest.mark.parametrize("kind", [ThroughOriginRegressor, PerceptronClassifier])
def test_bad_first_weights_are_refused(kind, init, words):
    assert_refused(make(kind), lambda e: e.fit(X, targets(kind), **init), *words)


def test_bad_first_intercepts_are_refused():
    y = targets(PerceptronClassifier)
    call = lambda e: e.fit(X, y, intercept_init=[1.0, 2.0])  # noqa: E731
    assert_refused(PerceptronClassifier(), call, "intercept_init", "(1,)", "(2,)")
    call = lambda e: e.fit(X, y, intercept_init=[1.0])  # noqa: E731
    assert_refused(PerceptronClassifier(fit_intercept=False), call, "intercept_init must be 0")


@pytest.mark.parametrize("kind", [PerceptronClassifier, FeedForwardRegressor])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"X_val": X}, ["X_val and y_val", "together"]),
        ({"y_val": "y"}, ["X_val and y_val", "together"]),
        ({"sample_weight_val": [1.0] * 6}, ["sample_weight_val needs"]),
        ({"X_val": X[:, :1], "y_val": "y"}, ["X_val", "1 features"]),
        ({"X_val": X[:3], "y_val": "y"}, ["X_val", "inconsistent numbers"]),
        ({"X_val": np.full_like(X, np.nan), "y_val": "y"}, ["X_val", "NaN"]),
        ({"X_val": X, "y_val": [None] * 6}, ["y_val"]),
        (
            {"X_val": X, "y_val": "y", "sample_weight_val": [0.0] * 6},
            ["sample_weight_val", "zero"],
        ),
        (
            {"X_val": X, "y_val": "y", "sample_weight_val": [1.0] * 5},
            ["sample_weight_val", "(6,)"],
        ),
        ({"X_val": X, "y_val": np.full(6, np.nan)}, ["y_val"]),
        ({"X_val": X, "y_val": np.ones((6, 2))}, ["y_val"]),
        ({"X_val": X, "y_val": ["a"] * 6}, ["y_val"]),
    ],
    ids=str,
)
def test_bad_validation_sets_are_refused(kind, given, words):
    y = targets(kind)
    given = {k: y if isinstance(v, str) else v for k, v in given.items()}
    assert_refused(make(kind), lambda e: e.fit(X, y, **given), *words)
    assert_refused(make(kind).fit(X, y), lambda e: e.fit(X, y, **given), *words)


@pytest.mark.parametrize("kind", [PerceptronClassifier, FeedForwardRegressor])
def test_too_few_rows_to_set_some_aside_are_an_error_that_says_so(kind):
    estimator = make(kind, early_stopping=True)
    rows = slice(0, 2)
    call = lambda e: e.fit(X[rows], targets(kind)[rows])  # noqa: E731
    if kind is FeedForwardRegressor:
        call = lambda e: e.fit(X[:1], targets(kind)[:1])  # noqa: E731
    assert_refused(estimator, call, "early_stopping=True", "validation_fraction=0.1", "X_val")


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(("schedule", "came"), [(LaterNone(), "None"), (LaterNegative(), "-0.9")])
def test_schedules_that_fail_later_are_found_then(kind, schedule, came):
    estimator = make(kind, learning_rate=schedule, max_iter=5, tol=None)
    y = targets(kind) if kind is not PerceptronClassifier else np.array([0, 1, 1, 0, 0, 1])
    assert_refused(estimator, lambda e: e.fit(X, y), "'learning_rate'", "For epoch 1", came)


def test_class_weights_must_leave_something_to_validate_on():
    y = targets(PerceptronClassifier)
    neuron = PerceptronClassifier(class_weight={0: 0.0, 1: 1.0})
    call = lambda e: e.fit(X, y, X_val=X[y == 0], y_val=y[y == 0])  # noqa: E731
    assert_refused(neuron, call, "class_weight={0: 0.0, 1: 1.0}", "nothing to validate on")


@pytest.mark.parametrize("kind", EVERY)
def test_warm_starts_need_the_features_of_the_last_fit(kind):
    y, frame = targets(kind), pd.DataFrame(X, columns=["a", "b"])
    model = make(kind, warm_start=True).fit(frame, y)
    for other in (frame[["b", "a"]], frame.rename(columns={"b": "c"})):
        assert_refused(model, lambda e, other=other: e.fit(other, y), "feature names")
    assert_refused(model, lambda e: e.fit(frame[["a"]], y), "feature")
    model = make(kind, warm_start=True).fit(X, y)
    assert_refused(model, lambda e: e.fit(X[:, :1], y), "1 features", "expecting 2")


def test_the_solver_lbfgs_makes_no_steps():
    net = FeedForwardRegressor(solver="lbfgs")
    assert not hasattr(net, "partial_fit")


@pytest.mark.parametrize("kind", EVERY)
def test_parameters_are_keywords_and_stay_as_given(kind):
    with pytest.raises(TypeError):
        kind("tanh")
    rate = Constant(0.01)
    estimator = make(kind, learning_rate=rate).fit(X, targets(kind))
    assert estimator.learning_rate is rate
    assert estimator.get_params()["learning_rate__initial_rate"] == 0.01
