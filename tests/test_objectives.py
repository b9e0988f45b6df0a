"""The objectives' gradients against finite differences, and each against the other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_gd._data.batches import row_chunks
from sklearn_gd._models.curvature import Curvature, curvature_per_row
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


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_backpropagation_is_the_finite_difference(activation, loss, n_outputs, weighted, alpha):
    X, y, weights, rng = problem(n_outputs)
    weights = weights if weighted else None
    # The activation in question first and last; tanh between, lest values explode.
    pieces = [as_activation(f) for f in (activation, "tanh", activation)]
    network = Network((4, 4, 3, n_outputs), pieces, as_loss(loss), alpha, np.float64)
    point = 0.6 * rng.normal(size=network.size)

    def objective(flat):
        penalty = sum(np.sum(W**2) for W, _ in network.layers(flat))
        return network.mean_loss(flat, X, y, weights) + 0.5 * alpha * penalty

    share = 12.0 if weights is None else weights.sum()
    total, gradient = network(point, X, y, weights, share)
    assert_allclose(total / share, network.mean_loss(point, X, y, weights), rtol=1e-12)

    # Fourth-order differences, along each parameter.
    h = 1e-4
    numeric = np.zeros_like(point)
    for i, e in enumerate(h * np.eye(len(point))):
        near = objective(point + e) - objective(point - e)
        far = objective(point + 2 * e) - objective(point - 2 * e)
        numeric[i] = (8 * near - far) / (12 * h)
    off = np.abs(gradient - numeric)
    limit = 1e-6 * np.maximum(np.abs(numeric), np.abs(numeric).max())
    assert (off <= limit).all(), (off / limit).max()


def test_mean_loss_is_over_rows_and_outputs():
    X, y, weights, rng = problem(3)
    network = Network((4, 3), [as_activation("identity")], as_loss("squared_error"), 0, float)
    flat = rng.normal(size=network.size)
    (W, b), *_ = network.layers(flat)
    error = (X @ W + b - y) ** 2
    assert_allclose(network.mean_loss(flat, X, y, None), error.mean())
    weighted = np.sum(weights[:, None] * error) / (weights.sum() * 3)
    assert_allclose(network.mean_loss(flat, X, y, weights), weighted)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_any_cut_into_batches_adds_up(make):
    X, y, weights, rng = problem(2)
    pieces = [as_activation("silu"), as_activation("identity")]
    network = Network((4, 3, 2), pieces, as_loss("huber"), 0.2, np.float64)
    flat = rng.normal(size=network.size)
    whole, gradient = Rows(make(X), y, weights).objective(network)(flat)
    total, summed = 0.0, np.zeros(network.size)
    for start in range(0, 12, 5):
        rows = slice(start, start + 5)
        loss, part = network(flat, make(X)[rows], y[rows], weights[rows], weights.sum())
        total, summed = total + loss, summed + part
    penalty = np.zeros(network.size)
    for (W, _), (P, _) in zip(network.layers(flat), network.layers(penalty), strict=True):
        P[:] = 0.2 * W
    assert_allclose(total / weights.sum(), whole)
    assert_allclose(summed - 2 * penalty, gradient)  # three batches, each with the whole penalty


def test_layers_are_views_of_the_flat_vector():
    network = Network(
        (2, 3, 1), [as_activation("tanh")] * 2, as_loss("huber"), 0, np.float32, biases=True
    )
    flat = np.arange(network.size, dtype=np.float32)
    assert network.size == 2 * 3 + 3 + 3 * 1 + 1
    layers = network.layers(flat)
    assert all(np.shares_memory(part, flat) for layer in layers for part in layer)
    again = network.flatten([W for W, _ in layers], [b for _, b in layers])
    assert_allclose(again, flat)
    assert not np.shares_memory(again, flat)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_quadratic_is_the_linear_network_told_from_moments(make, weighted):
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


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("on_rows", [False, True])
def test_curvature_is_the_second_derivative(intercept, make, on_rows, monkeypatch):
    monkeypatch.setattr("sklearn_gd._models.curvature.uses_moments", lambda X: not on_rows)
    X, _, weights, _ = problem(1)
    curvature = Curvature(make(X), weights, 2.0, 0.3, intercept=intercept)
    rows = np.column_stack([X, np.ones(12)]) if intercept else X
    penalty = 0.3 * np.r_[np.ones(4), np.zeros(int(intercept))]
    hessian = 2 * (rows.T * weights) @ rows / weights.sum() + np.diag(penalty)
    assert_allclose(curvature.diagonal(), hessian.diagonal())
    assert_allclose(curvature.largest(), np.linalg.eigvalsh(hessian)[-1])
    scale = 1 / np.sqrt(hessian.diagonal())
    scaled = hessian * np.outer(scale, scale)
    assert_allclose(curvature.largest(scale), np.linalg.eigvalsh(scaled)[-1])


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("loss", ["squared_error", "huber", "log_cosh"])
def test_curvature_of_a_row_is_bounded(activation, loss):
    f, piece = as_activation(activation), as_loss(loss)
    bound = curvature_per_row(piece, f, (-1.0, 2.0))
    z, h = np.linspace(-6, 6, 4001), 1e-4
    z = z[np.abs(z) > 3 * h]  # away from the kinks of the relu family
    for y in (-1.0, 0.5, 2.0):

        def at(z, y=y):
            return piece.value(np.full_like(z, y), f(z))

        second = (at(z + h) - 2 * at(z) + at(z - h)) / h**2
        assert second.max() <= bound * 1.001 + 1e-6


def test_losses_without_bounded_curvature_have_no_bound():
    assert curvature_per_row(as_loss("pinball"), as_activation("tanh"), (0, 1)) is None


@pytest.mark.parametrize(("n_samples", "width"), [(1, 1), (10, 1 << 18), (100_000, 7)])
def test_chunks_cover_all_rows_once(n_samples, width):
    rows = [
        i
        for part in row_chunks(np.empty((n_samples, 3)), width)
        for i in range(part.start, part.stop)
    ]
    assert rows == list(range(n_samples))
