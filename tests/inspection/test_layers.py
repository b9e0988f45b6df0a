"""What displays read of a fitted estimator, and the names that they write."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.activations import Exp, LeakyReLU, Softmax, as_activation
from sklearn_gd.inspection._layers import (
    activation_name,
    check_names,
    number,
    read_layers,
    shortened,
)

X = np.random.default_rng(0).normal(size=(20, 3))


def test_layers_are_those_of_the_model():
    net = FeedForwardRegressor(hidden_layer_sizes=(4,), max_iter=1, tol=None).fit(X, X[:, :2])
    layers = read_layers(net, None, ["a", "b"])
    for found, expected in zip(layers.coefs, net.coefs_, strict=True):
        assert_array_equal(found, expected)
    assert layers.target_names == ["a", "b"]
    assert not layers.fires


def test_a_model_without_biases_has_none():
    line = ThroughOriginRegressor().fit(X, X[:, 0])
    assert read_layers(line, None, None).intercepts is None


def test_a_neuron_has_the_name_of_its_class():
    neuron = PerceptronClassifier(random_state=0).fit(X, np.where(X[:, 0] > 0, "yes", "no"))
    layers = read_layers(neuron, None, None)
    assert layers.target_names == ["yes"]  # the second of two classes
    assert layers.fires


def test_only_fitted_estimators_are_read():
    with pytest.raises(NotFittedError):
        read_layers(ThroughOriginRegressor(), None, None)


@pytest.mark.parametrize(
    ("given", "error"), [("ab", TypeError), (["a"], ValueError), (3, TypeError)]
)
def test_names_that_do_not_fit_are_refused(given, error):
    with pytest.raises(error, match="'feature_names' parameter must hold 2 names, one per"):
        check_names("feature_names", given, 2, "feature")


def test_what_is_written():
    assert activation_name(as_activation("tanh")) == "tanh"
    assert activation_name(LeakyReLU(0.3)) != "leaky_relu"
    assert activation_name(as_activation((np.arctan, np.cos))) == "arctan"
    assert number(-0.12345) == "−0.123"
    assert number(-0.0) == "0"
    assert shortened("short") == "short"
    assert "…" in shortened("a name that is much longer than there is room for in a picture")


def test_links_of_losses_have_names():
    assert activation_name(Softmax()) == "softmax"
    assert activation_name(Exp()) == "exp"


def test_the_link_of_one_output_is_the_sigmoid():
    labels = np.where(X[:, 0] > 0, "yes", "no")
    net = FeedForwardClassifier(hidden_layer_sizes=(2,), max_iter=1, tol=None).fit(X, labels)
    layers = read_layers(net, None, None)
    assert layers.activations == ["silu", "sigmoid"]
    assert layers.target_names == ["yes"]
    assert not layers.fires
    assert_array_equal(layers.intercepts[-1], net.intercepts_[-1])
