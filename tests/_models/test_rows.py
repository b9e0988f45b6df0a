"""NumPy rows against the formulas of what they return."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.linear_model import LinearRegression

from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd.activations import as_activation
from sklearn_gd.losses import as_loss

RNG = np.random.default_rng(0)
X, Y, WEIGHTS = RNG.normal(size=(30, 4)), RNG.normal(size=(30, 2)), RNG.uniform(size=30)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_shapes_targets_and_spread(make):
    rows = Rows(make(X), Y, WEIGHTS)
    assert (rows.n_samples, rows.n_features, rows.n_outputs) == (30, 4, 2)
    assert rows.dtype == np.float64
    assert rows.target_ends() == (Y.min(), Y.max())
    variance = np.cov(Y.T, aweights=WEIGHTS, ddof=0).diagonal()
    assert_allclose(rows.target_moments()[1], np.sqrt(variance))
    assert rows.to_device(X) is X


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_objective_is_least_at_least_squares(weights):
    rows = Rows(X, Y, weights)
    network = Network((4, 2), [as_activation("identity")], as_loss("squared_error"), 0.0, float)
    best = LinearRegression().fit(X, Y, weights)
    at = network.flatten([best.coef_.T], [best.intercept_])
    loss, gradient = rows.objective(network)(at)
    residuals = (Y - best.predict(X)) ** 2
    assert_allclose(loss, np.average(residuals.mean(axis=1), weights=weights))
    assert_allclose(gradient, 0, atol=1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_the_baseline_is_the_loss_of_the_best_constant(loss):
    piece = as_loss(loss)
    network = Network((4, 2), [as_activation("identity")], piece, 0.0, float)
    grid = np.linspace(Y.min(), Y.max(), 4001)
    expected = [
        min(np.average(piece.value(Y[:, j], np.full(30, c)), weights=WEIGHTS) for c in grid)
        for j in (0, 1)
    ]
    found = Rows(X, Y, WEIGHTS).objective(network).baseline_loss()
    assert_allclose(found, np.mean(expected), rtol=1e-3)
