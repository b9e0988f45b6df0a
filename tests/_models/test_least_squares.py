"""The squared error from moments against the same from rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_gd._models.least_squares import Moments, Quadratic
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd.activations import as_activation
from sklearn_gd.losses import as_loss

ACTIVATIONS = [
    "identity",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "softplus",
    "silu",
    "gelu",
    (np.sin, np.cos),
]
LOSSES = ["squared_error", "absolute_error", "huber", "pinball", "log_cosh"]


def problem(n_outputs, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(12, 4)), 2 * rng.normal(size=(12, n_outputs))
    return X, y, rng.uniform(0, 2, 12), rng


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_quadratic_is_the_objective_of_a_linear_network(make, weighted):
    X, y, weights, rng = problem(3)
    weights = weights if weighted else None
    linear = Network(
        (4, 3), [as_activation("identity")], as_loss("squared_error"), 0.5, float, biases=False
    )
    moments = Moments(4, 3).added(make(X[:7]), y[:7], None if weights is None else weights[:7])
    moments = moments.added(make(X[7:]), y[7:], None if weights is None else weights[7:])
    flat = rng.normal(size=12)
    loss, gradient = Quadratic(moments, 0.5)(flat)
    expected_loss, expected = Rows(X, y, weights).objective(linear)(flat)
    assert_allclose(loss, expected_loss)
    assert_allclose(gradient, expected)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_features", [4, 40])
def test_moments_are_the_weighted_products(make, dtype, n_features):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(50, n_features)).astype(dtype), rng.normal(size=(50, 2)).astype(dtype)
    weights = rng.integers(0, 3, 50).astype(float)
    moments = Moments(n_features, 2).added(make(X), y, weights)
    wide, targets = X.astype(float), y.astype(float)
    assert_allclose(moments.xx, (wide.T * weights) @ wide, atol=1e-4 if dtype == np.float32 else 0)
    assert_allclose(moments.xy, (wide.T * weights) @ targets, rtol=1e-5, atol=1e-5)
    assert_allclose(moments.yy, weights @ targets**2, rtol=1e-5)
    assert moments.weight == weights.sum()


def test_moments_of_parts_join_to_those_of_the_whole():
    X, y, weights, _ = problem(2)
    whole = Moments(4, 2).added(X, y, weights)
    first, second = (Moments(4, 2).added(X[p], y[p], weights[p]) for p in (slice(5), slice(5, 12)))
    joined = first.joined(second)
    for name in ("xx", "xy", "yy", "weight"):
        assert_allclose(getattr(joined, name), getattr(whole, name))


def test_squares_that_overflow_are_an_error():
    with pytest.raises(ValueError, match="squares overflow"):
        Moments(1, 1).added(np.full((3, 1), 1e200), np.ones((3, 1)), None)
