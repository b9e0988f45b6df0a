"""Several quantiles in one fit: coverage, order, score, and wherever predictions go."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score
from sklearn.model_selection import cross_val_score

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.losses import Pinball
from sklearn_gd.testing import check_loss

LEVELS = (0.05, 0.5, 0.95)
SMALL = FeedForwardRegressor(
    hidden_layer_sizes=8, loss=Pinball(LEVELS), max_iter=10, tol=None, random_state=0
)


def noisy_waves(n_samples=5_000, seed=0):
    """Return rows whose noise depends on the first column."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-3, 3, size=(n_samples, 2))
    spread = 0.3 + 0.4 * np.abs(X[:, 0])
    return X, np.sin(2 * X[:, 0]) + X[:, 1] + spread * rng.standard_normal(n_samples)


def test_shares_of_new_rows_below_the_quantiles_are_their_levels():
    net = FeedForwardRegressor(loss=Pinball(LEVELS), random_state=0).fit(*noisy_waves())
    X, y = noisy_waves(20_000, seed=1)
    y_pred = net.predict(X)
    assert y_pred.shape == (20_000, 3)
    assert_allclose((y[:, None] <= y_pred).mean(axis=0), LEVELS, atol=0.03)
    # The intervals are as wide as the noise has it: by a factor of two, at 0.5 and at 2.5.
    widths = y_pred[:, 2] - y_pred[:, 0]
    near, far = (np.abs(np.abs(X[:, 0]) - at) < 0.1 for at in (0.5, 2.5))
    assert_allclose(widths[far].mean() / widths[near].mean(), 1.3 / 0.5, rtol=0.15)


def test_quantiles_never_cross():
    X, y = noisy_waves(60)
    net = clone(SMALL).set_params(loss=Pinball(np.linspace(0.05, 0.95, 19).tolist())).fit(X, y)
    far = np.random.default_rng(0).normal(scale=30, size=(500, 2))
    assert (np.diff(net.predict(far), axis=1) >= 0).all()


def test_one_in_a_list_is_that_quantile_alone():
    X, y = noisy_waves(300)
    alone, listed = (clone(SMALL).set_params(loss=Pinball(q)).fit(X, y) for q in (0.3, [0.3]))
    assert_array_equal(listed.predict(X), alone.predict(X)[:, None])
    assert listed.loss_ == alone.loss_


def test_score_is_the_mean_of_d2_over_the_quantiles():
    X, y = noisy_waves(500)
    weights = np.random.default_rng(0).uniform(size=500)
    net = clone(SMALL).fit(X, y)
    each = [
        d2_pinball_score(y, column, alpha=level, sample_weight=weights)
        for level, column in zip(LEVELS, net.predict(X).T, strict=True)
    ]
    assert_allclose(net.score(X, y, weights), np.mean(each))
    assert (cross_val_score(SMALL, X, y, cv=3) > 0).all()


def test_the_network_begins_at_the_quantiles_of_y():
    X, y = noisy_waves(1_000)
    weights = np.random.default_rng(0).integers(0, 3, size=1_000)
    net = clone(SMALL).set_params(learning_rate=1e-12, max_iter=1)
    net.fit(X, y, sample_weight=weights)
    repeated = np.sort(np.repeat(y, weights))
    expected = repeated[np.ceil(np.array(LEVELS) * len(repeated)).astype(int) - 1]
    assert_allclose(net.predict(X[:1])[0], expected, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("params", [{"early_stopping": True}, {"standardize": "standard"}, {}])
def test_rows_of_every_kind(kind, params):
    X, y = noisy_waves(300)
    net = clone(SMALL).set_params(**params).fit(kind(X), y, X_val=kind(X[:50]), y_val=y[:50])
    assert net.predict(kind(X)).shape == (300, 3)
    assert_allclose(net.validation_loss_curve_[net.best_iter_], net.best_loss_)


def test_partial_fit_warm_start_and_pickles():
    X, y = noisy_waves(300)
    net = clone(SMALL).set_params(shuffle=False, learning_rate=0.01)
    once = clone(net).partial_fit(X, y)
    again = pickle.loads(pickle.dumps(once)).partial_fit(X, y)
    assert_array_equal(again.predict(X), once.partial_fit(X, y).predict(X))
    net.set_params(warm_start=True).fit(X, y)
    before = net.loss_
    assert net.fit(X, y).loss_ < before
    with pytest.raises(ValueError, match="y has 2 columns"):
        once.partial_fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize(
    "quantile",
    [(0.5, 0.2), (0.2, 0.2), (0.0, 0.5), (0.5, 1.0), (), ("a",), (np.nan, 0.5), [[0.1, 0.2]]],
)
def test_bad_quantiles_are_refused(quantile):
    X, y = noisy_waves(50)
    with pytest.raises(ValueError, match=r"'quantile' parameter of Pinball"):
        clone(SMALL).set_params(loss=Pinball(quantile)).fit(X, y)


def test_several_targets_are_refused():
    X, y = noisy_waves(50)
    with pytest.raises(ValueError, match=r"takes one target. Got y of 2 columns"):
        clone(SMALL).fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize(
    "estimator",
    [
        ThroughOriginRegressor(),
        PerceptronClassifier(activation="sigmoid", learning_rate=0.1),
        FeedForwardClassifier(),
    ],
)
def test_others_refuse_several_quantiles(estimator):
    X, y = noisy_waves(50)
    estimator.set_params(loss=Pinball(LEVELS))
    with pytest.raises(ValueError, match="Several quantiles are for FeedForwardRegressor"):
        estimator.fit(X, y > 0 if hasattr(estimator, "class_weight") else y)


def test_the_loss_of_several_quantiles_passes_its_check():
    check_loss(Pinball(LEVELS))
    loss, rng = Pinball(LEVELS), np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(20, 1)), rng.normal(size=(20, 3))
    for j, level in enumerate(LEVELS):
        column = y_pred[:, j : j + 1]
        for method in ("value", "gradient"):
            found = getattr(loss, method)(y_true, y_pred)[:, j : j + 1]
            assert_array_equal(found, getattr(Pinball(level), method)(y_true, column))
