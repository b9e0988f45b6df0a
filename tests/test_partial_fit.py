"""Going on with ``partial_fit``: what may change from call to call, and what may not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.losses import Huber
from sklearn_gd.schedules import Adaptive
from sklearn_gd.solvers import Adam, Momentum

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X @ [1.0, 2.0, 3.0] + 0.1 * RNG.normal(size=60)
LABELS = (Y > 0).astype(int)
NO_WEIGHT = np.zeros(60)

MODELS = {
    "line": ThroughOriginRegressor(),
    "huber": ThroughOriginRegressor(loss=Huber(), solver="gd"),
    "line with zeros": ThroughOriginRegressor(alpha=4.0, l1_ratio=0.9),
    "huber with zeros": ThroughOriginRegressor(loss=Huber(), alpha=0.5, l1_ratio=1.0),
    "step": PerceptronClassifier(random_state=0),
    "average": PerceptronClassifier(average=True, random_state=0),
    "sigmoid": PerceptronClassifier(activation="sigmoid", random_state=0),
    "sigmoid with zeros": PerceptronClassifier(
        activation="sigmoid", solver="nesterov", alpha=0.1, l1_ratio=1.0, random_state=0
    ),
    "relu": PerceptronClassifier(activation="relu", random_state=0),
    "net": FeedForwardRegressor(hidden_layer_sizes=5, random_state=0),
}
NEURONS = ["step", "average", "sigmoid", "relu"]


def teach(model, weights=None, rows=slice(None)):
    weights = None if weights is None else weights[rows]
    if isinstance(model, PerceptronClassifier):
        return model.partial_fit(X[rows], LABELS[rows], classes=[0, 1], sample_weight=weights)
    return model.partial_fit(X[rows], Y[rows], sample_weight=weights)


def weights_of(model):
    return [*model.coefs_, *model.intercepts_] if hasattr(model, "coefs_") else [model.coef_]


def assert_equal_models(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        assert_array_equal(a, b)
    assert one.n_iter_ == other.n_iter_
    assert one.loss_curve_ == other.loss_curve_


@pytest.mark.parametrize("name", MODELS)
def test_rows_without_weight_teach_nothing_and_break_nothing(name):
    plain, other = clone(MODELS[name]), clone(MODELS[name])
    teach(other, NO_WEIGHT)
    assert other.predict(X).shape == (60,)
    assert other.n_iter_ == 0
    assert other.loss_curve_ == []
    for _ in range(3):
        teach(plain)
        teach(other)
        teach(other, NO_WEIGHT)
    assert_equal_models(plain, other)


def test_a_chunk_that_class_weights_leave_nothing_of():
    model = PerceptronClassifier(class_weight={0: 0.0, 1: 1.0})
    only_0 = LABELS == 0
    model.partial_fit(X[only_0], LABELS[only_0], classes=[0, 1])
    assert model.n_iter_ == 0
    assert model.partial_fit(X, LABELS).n_iter_ == 1


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("activation", "tanh"),
        ("loss", "huber"),
        ("solver", "adam"),
        ("fit_intercept", False),
        ("average", None),
    ],
)
def test_neurons_refuse_what_their_memory_does_not_fit(name, parameter, value):
    model = teach(clone(MODELS[name]))
    before = model.coef_.copy()
    if value is None:
        value = not model.average
    model.set_params(**{parameter: value})
    with pytest.raises(ValueError, match=f"'{parameter}' parameter must stay .* Got .* instead"):
        teach(model)
    assert_array_equal(model.coef_, before)
    teach(model.fit(X, LABELS))


def test_rosenblatts_rule_does_not_become_a_batch_rule_midway():
    model = teach(clone(MODELS["step"])).set_params(batch_size=10)
    with pytest.raises(ValueError, match="'batch_size' parameter must stay 1 "):
        teach(model)
    teach(teach(clone(MODELS["sigmoid"])).set_params(batch_size=10))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("activation", "tanh"), ("output_activation", "tanh"), ("solver", Adam(beta_1=0.5))],
)
def test_networks_refuse_another_function_or_solver(parameter, value):
    model = teach(clone(MODELS["net"])).set_params(**{parameter: value})
    with pytest.raises(ValueError, match=f"'{parameter}' parameter must stay "):
        teach(model)


def test_the_line_takes_no_other_solver_midway():
    model = teach(clone(MODELS["huber"])).set_params(solver=Momentum(0.5))
    teach(clone(model))
    with pytest.raises(ValueError, match="'solver' parameter must stay GradientDescent"):
        teach(model)


@pytest.mark.parametrize("activation", ["sigmoid", "identity"])
def test_a_rate_is_taken_up_as_it_is_given(activation):
    auto = PerceptronClassifier(activation=activation, batch_size=60)
    model = teach(clone(auto))
    resolved = model.learning_rate_
    before = model.coef_.copy()
    other = teach(clone(auto))
    teach(model)
    teach(other.set_params(learning_rate=resolved / 4))
    assert_allclose(other.coef_ - before, (model.coef_ - before) / 4)
    assert_allclose(other.learning_rate_, resolved / 4)
    assert_allclose(teach(other.set_params(learning_rate="auto")).learning_rate_, resolved)


def test_history_after_a_fit_with_a_validation_set_is_that_of_the_training_loss():
    model = FeedForwardRegressor(hidden_layer_sizes=5, max_iter=6, tol=None, random_state=0)
    model.fit(X[:50], Y[:50], X_val=X[50:], y_val=Y[50:])
    teach(model)
    assert not hasattr(model, "validation_loss_curve_")
    assert len(model.loss_curve_) == model.n_iter_ == 7
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.loss_curve_[model.best_iter_] == model.best_loss_


@pytest.mark.parametrize(
    "model",
    [
        ThroughOriginRegressor(activation="leaky_relu", solver="gd", learning_rate=10.0),
        ThroughOriginRegressor(activation="relu", solver="gd", learning_rate=1e6),
        PerceptronClassifier(activation="identity", learning_rate=1e3),
        FeedForwardRegressor(hidden_layer_sizes=(), solver="gd", learning_rate=1e3),
    ],
    ids=str,
)
def test_divergence_keeps_the_weights_of_the_call_before(model):
    model = clone(model).set_params(learning_rate=1e-3)
    teach(model)
    before = [w.copy() for w in weights_of(model)]
    model.set_params(learning_rate=1e6)
    said = ""
    for _ in range(50):
        before = [w.copy() for w in weights_of(model)]
        try:
            teach(model)
        except DivergenceError as error:
            said = str(error)
            break
    assert "learning rate is 1e+06" in said
    for w, b in zip(weights_of(model), before, strict=True):
        assert_array_equal(w, b)
    assert np.isfinite(model.predict(X)).all()


def test_schedules_hear_of_each_call():
    fixed = ThroughOriginRegressor(loss="absolute_error", solver="gd", learning_rate=1.0)
    heard = clone(fixed).set_params(learning_rate=Adaptive(1.0, patience=1))
    for _ in range(60):
        teach(fixed)
        teach(heard)
    assert heard.loss_ < 0.7 * fixed.loss_


def test_averages_of_many_neurons_stay_in_their_own_memory():
    wide = RNG.normal(size=(50, 300))
    labels = RNG.integers(0, 5, 50)
    model = PerceptronClassifier().partial_fit(wide, labels, classes=range(5))
    with pytest.raises(ValueError, match="'average' parameter must stay False"):
        model.set_params(average=True).partial_fit(wide, labels)
