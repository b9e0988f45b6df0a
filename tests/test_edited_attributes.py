"""Attributes that a user edits so that they do not fit each other end in an error."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_gd import (
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)

ROWS = np.random.default_rng(0).normal(size=(30, 4))
LABELS = np.arange(30) % 3
NET = FeedForwardRegressor(hidden_layer_sizes=400, max_iter=2, tol=None, random_state=0)
NEURONS = PerceptronClassifier(average=True, max_iter=2, tol=None, random_state=0)


@pytest.mark.parametrize(
    ("attribute", "index", "value"),
    [
        ("coefs_", 0, np.zeros((4, 7))),
        ("coefs_", 0, np.zeros((9, 400))),
        ("coefs_", 1, np.zeros((4, 1))),
        ("coefs_", 1, np.zeros(400)),
        ("intercepts_", 0, np.zeros(4)),
        ("intercepts_", 0, np.zeros(1)),
        ("intercepts_", 1, np.zeros(2)),
        ("coefs_", 0, np.zeros((4, 400), np.float32)),
        ("coefs_", 0, [[0.0] * 400] * 4),
        ("coefs_", 0, np.zeros((4, 400), int)),
    ],
)
def test_layers_that_do_not_fit_each_other(attribute, index, value):
    net = clone(NET).fit(ROWS, LABELS)
    getattr(net, attribute)[index] = value
    wrong = r"coefs_\[[01]\] and intercepts_\[[01]\] must be arrays|The current weights"
    for call in (
        lambda: net.predict(ROWS),
        lambda: net.partial_fit(ROWS, LABELS),
        lambda: net.set_params(warm_start=True).fit(ROWS, LABELS),
    ):
        with pytest.raises(ValueError, match=wrong):
            call()


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("coef_", np.zeros((3, 9))),
        ("coef_", np.zeros((2, 4))),
        ("intercept_", np.zeros(1)),
        ("classes_", np.arange(5)),
        ("classes_", np.arange(2)),
        ("classes_", np.arange(1)),
        ("classes_", [0, 1, 2]),
        ("coef_", np.zeros((3, 4)).tolist()),
        ("coef_", np.zeros((3, 4), object)),
        ("n_features_in_", 3),
    ],
)
def test_neurons_that_do_not_fit_their_classes(attribute, value):
    model = clone(NEURONS).partial_fit(ROWS, LABELS, classes=[0, 1, 2])
    setattr(model, attribute, value)
    rows = ROWS[:, : model.n_features_in_]
    for call in (
        lambda: model.predict(rows),
        lambda: model.decision_function(rows),
        lambda: model.partial_fit(rows, LABELS),
    ):
        with pytest.raises(ValueError, match=r"coef_ and intercept_ must be arrays of shapes"):
            call()


def test_layers_without_their_biases():
    net = clone(NET).fit(ROWS, LABELS)
    net.intercepts_ = net.intercepts_[:1]
    with pytest.raises(ValueError, match=r"coefs_ and intercepts_ must hold one array per layer"):
        net.predict(ROWS)


@pytest.mark.parametrize("value", [np.zeros(3), np.zeros((2, 5)), [0.0] * 4])
def test_a_line_that_does_not_fit_its_features(value):
    line = ThroughOriginRegressor().fit(ROWS, LABELS)
    line.coef_ = value
    with pytest.raises(ValueError, match="coef_ must be an array with a weight for each"):
        line.predict(ROWS)


def test_whole_numbers_set_by_hand_predict_and_do_not_learn():
    neuron = PerceptronClassifier().fit([[0, 0], [1, 1]], [0, 1])
    neuron.coef_, neuron.intercept_ = np.array([[2, 2]]), np.array([-3])
    assert_array_equal(neuron.predict([[0, 1], [1, 1]]), [0, 1])
    with pytest.raises(ValueError, match="coef_ and intercept_ of one floating-point type"):
        neuron.partial_fit([[0.5, 0.5]], [1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("parameters", np.zeros(3)), ("parameters", np.zeros((2, 3))), ("sum", np.zeros(1))],
)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_what_an_averaged_neuron_remembers_and_does_not_fit(make, name, value):
    model = clone(NEURONS).partial_fit(make(ROWS), LABELS, classes=[0, 1, 2])
    setattr(model._learner, name, value)
    with pytest.raises(ValueError, match=rf"^{name} must be of shape"):
        model.partial_fit(make(ROWS), LABELS)
