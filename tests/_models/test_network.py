"""The objectives' gradients against finite differences, and each against the other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.scaling import ColumnScaling
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


def test_sparse_rows_are_centred_as_the_same_dense_rows():
    columns = ColumnScaling(np.array([1.0, 0.0, -2.0]), np.array([2.0, 1.0, 3.0]), squash=True)
    network = Network((3, 2), [as_activation("tanh")], as_loss("squared_error"), 0.0, float)
    network.columns = columns
    generator = np.random.default_rng(0)
    rows = sparse.csr_array(generator.normal(size=(50, 3)) * (generator.random((50, 3)) < 0.3))
    y, at = generator.normal(size=(50, 2)), generator.normal(size=network.size)
    loss, gradient = network(at, rows, y, None, 50.0)
    gradient = gradient.copy()
    assert_allclose(network(at, rows.toarray(), y, None, 50.0)[0], loss)
    assert_allclose(network(at, rows.toarray(), y, None, 50.0)[1], gradient)
    assert sparse.issparse(ColumnScaling(np.zeros(3), columns.scale, squash=True)(rows))
