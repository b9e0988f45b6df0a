"""The curvature of linear models against their Hessian."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_gd._models.curvature import Curvature, curvature_per_row, uses_moments
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


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("on_rows", [False, True])
@pytest.mark.parametrize("centred", [False, True])
def test_curvature_of_scaled_columns(intercept, make, on_rows, centred, monkeypatch):
    monkeypatch.setattr("sklearn_gd._models.curvature.uses_moments", lambda X: not on_rows)
    monkeypatch.setattr("sklearn_gd._data.batches._CHUNK", 8)
    X, _, weights, rng = problem(1)
    columns = ColumnScaling(centred * rng.normal(size=4), rng.uniform(0.1, 3, 4), squash=False)
    found = Curvature(make(X), weights, 2.0, 0.3, intercept, columns)
    expected = Curvature(columns(X), weights, 2.0, 0.3, intercept)
    assert_allclose(found.diagonal(), expected.diagonal())
    assert_allclose(found.largest(), expected.largest())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_curvature_of_columns_far_from_zero(dtype):
    X, *_ = problem(1)
    moved = (X + 1e4).astype(dtype)
    columns = ColumnScaling(np.full(4, 1e4), np.ones(4), squash=False)
    near = Curvature((moved.astype(float) - 1e4), None, 2.0, 0.0, intercept=True)
    found = Curvature(moved, None, 2.0, 0.0, True, columns)
    assert_allclose(found.largest(), near.largest(), rtol=1e-12)


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


def test_wide_rows_are_not_multiplied_out():
    assert uses_moments(np.empty((1000, 100)))
    assert not uses_moments(np.empty((10, 1000)))
    assert not uses_moments(sparse.csr_array((1000, 5000)))
