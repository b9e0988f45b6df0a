"""The line through the origin, against least squares, by hand, and where it must refuse."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_linnerud,
    load_wine,
)
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd import ThroughOriginRegressor
from sklearn_gd._models import rows
from sklearn_gd._models.curvature import uses_moments
from sklearn_gd.activations import as_activation
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.losses import Huber, as_loss
from sklearn_gd.schedules import Cosine, Exponential, InverseScaling
from sklearn_gd.solvers import Solver

HUBBLE = Path(__file__).parents[1] / "examples" / "data" / "hubble_1929.csv"
RAW = [load_diabetes, load_wine, load_breast_cancer, load_linnerud, load_digits]


def random_problem(n_samples=60, n_features=5, n_outputs=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) + 0.5
    shape = (n_samples,) if n_outputs is None else (n_samples, n_outputs)
    W = rng.normal(size=(n_features, *shape[1:]))
    return X, X @ W + 0.3 * rng.normal(size=shape)


def squared_error(X, y, coef):
    return np.mean((X @ coef.T - y) ** 2)


def least_squares(X, y):
    return np.linalg.lstsq(X, y, rcond=None)[0].T


# --- what it converges to ---------------------------------------------------------------------


def test_hubble_constant_of_1929():
    distance, velocity = np.genfromtxt(HUBBLE, delimiter=",", skip_header=1, usecols=(1, 2)).T
    line = ThroughOriginRegressor().fit(distance[:, None], velocity)
    assert_allclose(line.coef_, [423.937], atol=5e-4)
    assert_allclose(line.coef_, distance @ velocity / (distance @ distance), rtol=1e-9)


@pytest.mark.parametrize(
    ("load", "on_rows"),
    # On the rows themselves, breast cancer's 16 000 iterations would take half a minute.
    [(load, False) for load in RAW] + [(load, True) for load in RAW if load != load_breast_cancer],
)
def test_default_reaches_least_squares_on_raw_data(load, on_rows, monkeypatch):
    X, y = load(return_X_y=True)
    y = y.astype(float)
    if on_rows:
        monkeypatch.setattr(rows, "uses_moments", lambda X: False)
    model = ThroughOriginRegressor().fit(X, y)
    assert model.n_iter_ < model.max_iter
    best = squared_error(X, y, least_squares(X, y))
    assert squared_error(X, y, model.coef_) <= best * (1 + 1e-6)
    assert_allclose(model.loss_, squared_error(X, y, model.coef_), rtol=1e-9)


def test_dependent_columns_of_one_scale_give_the_minimum_norm_solution():
    X, y = random_problem(n_features=4)
    X = np.hstack([X, X[:, :2], np.zeros((len(X), 1))])
    model = ThroughOriginRegressor(tol=1e-12).fit(X, y)
    X = X / np.linalg.norm(X, axis=0).clip(1e-9)
    model.fit(X, y)
    assert_allclose(model.coef_, least_squares(X, y), atol=1e-6)
    assert model.coef_[-1] == 0


@pytest.mark.parametrize("n_outputs", [None, 2])
def test_more_features_than_rows_give_the_minimum_norm_solution(n_outputs):
    X, y = random_problem(n_samples=15, n_features=40, n_outputs=n_outputs)
    X /= np.linalg.norm(X, axis=0)
    model = ThroughOriginRegressor(tol=1e-12).fit(X, y)
    assert_allclose(model.coef_, least_squares(X, y), atol=1e-7)
    assert model.loss_ < 1e-12


def test_wide_problems_do_not_form_the_gram_matrix():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 4000)), rng.normal(size=20)
    X /= np.linalg.norm(X, axis=0)
    assert not uses_moments(X)
    model = ThroughOriginRegressor(tol=1e-10).fit(X, y)
    assert_allclose(model.coef_, least_squares(X, y), atol=1e-7)


def test_weighted_is_least_squares_of_rows_times_root_weights():
    X, y = load_diabetes(return_X_y=True)
    weights = np.random.default_rng(0).uniform(0, 3, len(y))
    weights[:40] = 0
    root = np.sqrt(weights)
    model = ThroughOriginRegressor(tol=1e-12).fit(X, y, weights)
    assert_allclose(model.coef_, least_squares(X * root[:, None], y * root), rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_weight_two_is_a_row_twice(loss, make):
    X, y = random_problem()
    counts = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = ThroughOriginRegressor(loss=loss).fit(make(X), y, counts)
    repeated = ThroughOriginRegressor(loss=loss).fit(
        make(np.repeat(X, counts, axis=0)), np.repeat(y, counts)
    )
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)
    assert_allclose(weighted.loss_, repeated.loss_, rtol=1e-9)
    assert weighted.n_iter_ == repeated.n_iter_


@pytest.mark.parametrize("n_outputs", [None, 3])
@pytest.mark.parametrize("sizes", [[442], [1] * 50 + [392], [100, 42, 300], [10, 400, 32]])
def test_partial_fit_over_any_chunking_is_one_fit(sizes, n_outputs):
    X, y = load_diabetes(return_X_y=True)
    if n_outputs:
        y = np.column_stack([y, y**2 / 100, X[:, 3] * 50 + y])
    weights = np.random.default_rng(0).uniform(0, 2, len(y))
    whole = ThroughOriginRegressor().fit(X, y, weights)
    parts, start = ThroughOriginRegressor(), 0
    for size in sizes:
        rows = slice(start, start + size)
        parts.partial_fit(X[rows], y[rows], weights[rows])
        start += size
    assert_allclose(parts.coef_, whole.coef_, rtol=1e-9)


def test_fit_forgets_what_partial_fit_saw():
    X, y = random_problem()
    model = ThroughOriginRegressor().partial_fit(X[:30], y[:30]).fit(X[30:], y[30:])
    assert_array_equal(model.coef_, ThroughOriginRegressor().fit(X[30:], y[30:]).coef_)
    model.partial_fit(X, y)
    assert_allclose(model.coef_, ThroughOriginRegressor().fit(X, y).coef_, rtol=1e-9)


def test_l2_penalty_is_not_divided_by_the_rows():
    X, y = random_problem()
    model = ThroughOriginRegressor(alpha=0.7, tol=1e-12).fit(X, y)
    ridge = np.linalg.solve(X.T @ X + len(y) * 0.7 / 2 * np.eye(5), X.T @ y)
    assert_allclose(model.coef_, ridge, rtol=1e-8)
    assert_allclose(model.loss_, squared_error(X, y, model.coef_), rtol=1e-12)


@pytest.mark.parametrize("loss", ["huber", Huber(0.1), "log_cosh"])
@pytest.mark.parametrize("activation", ["identity", "tanh", "elu"])
def test_other_objectives_end_where_a_general_optimizer_does(loss, activation):
    X, y = random_problem()
    y = y / 3
    f, value = as_activation(activation), as_loss(loss).value
    model = ThroughOriginRegressor(loss=loss, activation=activation, tol=1e-8).fit(X, y)
    best = minimize(lambda w: value(y, f(X @ w)).mean(), model.coef_ + 0.01, tol=1e-12)
    assert model.loss_ <= best.fun * (1 + 1e-6)


def test_absolute_error_goes_to_the_weighted_median_of_slopes():
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 4.2, 5.7, 40.0])
    model = ThroughOriginRegressor(
        loss="absolute_error", solver="gd", learning_rate=InverseScaling(0.5, 0.9), tol=None
    )
    model.set_params(max_iter=20_000).fit(x[:, None], y)
    # Slopes 2, 2.1, 1.9, 10 of weights 1, 2, 3, 4: half the weight is passed at 2.1.
    assert_allclose(model.coef_, [2.1], atol=0.01)


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu", "gelu", "leaky_relu"])
def test_curved_activations_find_the_weights_that_made_the_data(activation):
    X, _ = random_problem(n_samples=200, n_features=3)
    w = np.array([0.5, -0.3, 0.8])
    y = as_activation(activation)(X @ w)
    model = ThroughOriginRegressor(activation=activation).fit(X, y)
    assert_allclose(model.coef_, w, atol=1e-4)
    assert_allclose(model.predict(X), y, atol=1e-4)
    assert_array_equal(model.predict(np.zeros((1, 3))), [0.0])


# --- the descent, step by step ----------------------------------------------------------------

WEIGHT = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
PRICE = np.array([2.0, 4.5, 5.5, 8.0, 11.0])


def test_textbook_descent_by_hand():
    rate, w, line, losses = 0.02, 0.5, [], []
    for _ in range(8):
        losses.append(sum((w * x - p) ** 2 for x, p in zip(WEIGHT[:, 0], PRICE, strict=True)) / 5)
        slope = sum(2 * (w * x - p) * x for x, p in zip(WEIGHT[:, 0], PRICE, strict=True)) / 5
        w = w - rate * slope
        line.append(w)
    for k in range(1, 9):
        model = ThroughOriginRegressor(solver="gd", learning_rate=rate, max_iter=k, tol=None)
        model.fit(WEIGHT, PRICE, coef_init=[0.5])
        assert_allclose(model.coef_, [line[k - 1]], rtol=1e-13)
        assert_allclose(model.loss_curve_, losses[:k], rtol=1e-13)
        assert model.learning_rate_ == rate
        assert model.n_iter_ == k
    # The first step, written out: dMSE/dW = 2 · (0.5·55 - 114.5) / 5 = -34.8.
    assert_allclose(line[0], 0.5 + 0.02 * 34.8)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
@pytest.mark.parametrize("n_outputs", [None, 3])
def test_one_plain_step_is_rate_times_the_finite_difference(activation, n_outputs):
    X, y = random_problem(n_outputs=n_outputs)
    f, start, alpha = as_activation(activation), np.full(5 * (n_outputs or 1), 0.1), 0.3

    def objective(w):
        W = w.reshape(5, -1)
        return np.mean((f(X @ W) - y.reshape(len(y), -1)) ** 2) + 0.5 * alpha * np.sum(w**2)

    slope = [
        (objective(start + d) - objective(start - d)) / 2e-5 for d in 1e-5 * np.eye(len(start))
    ]
    model = ThroughOriginRegressor(
        activation=activation, solver="gd", learning_rate=0.01, alpha=alpha, max_iter=1, tol=None
    )
    init = start.reshape(5, -1).T
    model.fit(X, y, coef_init=init[0] if n_outputs is None else init)
    moved = start.reshape(5, -1).T - 0.01 * np.reshape(slope, (5, -1)).T
    assert_allclose(model.coef_, moved[0] if n_outputs is None else moved, rtol=1e-8)


def test_a_schedule_gives_each_iteration_its_rate():
    schedule, w = Exponential(0.02, decay=0.5), 0.0
    for k in range(5):
        w -= schedule.rate(k) * 2 * np.mean((w * WEIGHT[:, 0] - PRICE) * WEIGHT[:, 0])
    model = ThroughOriginRegressor(solver="gd", learning_rate=schedule, max_iter=5, tol=None)
    assert_allclose(model.fit(WEIGHT, PRICE).coef_, [w], rtol=1e-13)


def test_auto_rate_is_that_of_the_scaled_coordinates():
    X, y = load_wine(return_X_y=True)
    model = ThroughOriginRegressor().fit(X, y.astype(float))
    G = 2 * X.T @ X / len(X)
    scaled = G / np.sqrt(np.outer(G.diagonal(), G.diagonal()))
    expected = 1 / (np.linalg.eigvalsh(scaled)[-1] * G.diagonal())
    assert_allclose(model.learning_rate_, expected, rtol=1e-9)
    assert_allclose(model.max_learning_rate_, 2 / np.linalg.eigvalsh(G)[-1], rtol=1e-9)


def test_plain_descent_is_stable_just_below_the_largest_rate_and_diverges_above():
    X, y = random_problem()
    largest = ThroughOriginRegressor().fit(X, y).max_learning_rate_
    below = ThroughOriginRegressor(solver="gd", learning_rate=0.99 * largest).fit(X, y)
    assert_allclose(below.coef_, least_squares(X, y), rtol=1e-5)
    for factor in (1.05, 2.0, 1e6, 1e150):
        above = ThroughOriginRegressor(solver="gd", learning_rate=factor * largest)
        with pytest.raises(DivergenceError, match="largest stable one is") as caught:
            above.fit(X, y)
        assert len(caught.value.loss_curve) < 300
        assert not hasattr(above, "coef_")


@pytest.mark.parametrize("solver", ["gd", "momentum", "nesterov"])
def test_column_scales_do_not_matter_to_the_auto_rate(solver):
    X, y = random_problem()
    scales = 10.0 ** np.arange(-6, 9, 3)
    plain = ThroughOriginRegressor(solver=solver).fit(X, y)
    scaled = ThroughOriginRegressor(solver=solver).fit(X * scales, y)
    assert scaled.n_iter_ == plain.n_iter_
    assert_allclose(scaled.coef_ * scales, plain.coef_, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_y_do_not_matter(scale):
    X, y = random_problem()
    plain, scaled = ThroughOriginRegressor().fit(X, y), ThroughOriginRegressor().fit(X, scale * y)
    assert scaled.n_iter_ == plain.n_iter_
    assert_allclose(scaled.coef_, scale * plain.coef_, rtol=1e-9)


def test_order_of_rows_does_not_matter():
    X, y = random_problem()
    order = np.random.default_rng(2).permutation(len(y))
    first, second = ThroughOriginRegressor().fit(X, y), ThroughOriginRegressor()
    assert_allclose(second.fit(X[order], y[order]).coef_, first.coef_, rtol=1e-10)


# --- forms of data ----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("on_rows", [False, True])
def test_csr_is_dense(loss, on_rows, monkeypatch):
    if on_rows:
        monkeypatch.setattr(rows, "uses_moments", lambda X: False)
    X, y = random_problem()
    X[X < 0.3] = 0
    dense = ThroughOriginRegressor(loss=loss).fit(X, y)
    csr = ThroughOriginRegressor(loss=loss).fit(sparse.csr_array(X), y)
    assert_allclose(csr.coef_, dense.coef_, rtol=1e-7)
    assert_allclose(csr.predict(sparse.csr_matrix(X)), dense.predict(X), rtol=1e-7)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_float32_stays_float32(make):
    X, y = random_problem()
    model = ThroughOriginRegressor().fit(make(X.astype(np.float32)), y.astype(np.float32))
    assert model.coef_.dtype == np.float32
    assert model.predict(make(X.astype(np.float32))).dtype == np.float32
    assert_allclose(model.coef_, least_squares(X, y), rtol=1e-4)


def test_shape_of_y_is_the_shape_of_predictions():
    X, y = random_problem()
    flat, column = ThroughOriginRegressor().fit(X, y), ThroughOriginRegressor()
    column.fit(X, y[:, None])
    assert flat.predict(X).shape == (60,)
    assert flat.coef_.shape == (5,)
    assert column.predict(X).shape == (60, 1)
    assert column.coef_.shape == (1, 5)
    assert_allclose(column.coef_[0], flat.coef_, rtol=1e-12)
    assert flat.intercept_ == 0.0


def test_outputs_are_fitted_as_if_alone():
    X, y = random_problem(n_outputs=3)
    together = ThroughOriginRegressor(tol=1e-12).fit(X, y)
    alone = [ThroughOriginRegressor(tol=1e-12).fit(X, column).coef_ for column in y.T]
    assert_allclose(together.coef_, alone, rtol=1e-8)


def test_memory_maps_are_read_and_left_alone(tmp_path):
    X, y = random_problem(n_samples=500)
    X.tofile(tmp_path / "X")
    mapped = np.memmap(tmp_path / "X", dtype=float, mode="r", shape=X.shape)
    assert_allclose(
        ThroughOriginRegressor().fit(mapped, y).coef_, ThroughOriginRegressor().fit(X, y).coef_
    )
    assert_array_equal(mapped, X)


@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(5, 3), (5, 200)])
def test_rows_of_nothing_but_zeros_give_weights_of_zero(shape, as_rows):
    line = ThroughOriginRegressor().fit(as_rows(np.zeros(shape)), np.ones(5))
    assert_array_equal(line.coef_, np.zeros(shape[1]))
    assert line.loss_ == 1


@pytest.mark.parametrize("shape", [(50, 3), (5, 200)])
def test_rows_whose_squares_overflow_are_told_apart(shape):
    X = np.random.default_rng(0).normal(size=shape) * 1e200
    with pytest.raises(ValueError, match="its squares overflow"):
        ThroughOriginRegressor().fit(X, np.ones(len(X)))


def test_targets_of_zero_are_fitted_by_zero():
    model = ThroughOriginRegressor().fit(WEIGHT, np.zeros(5))
    assert_allclose(model.coef_, 0, atol=1e-299)
    assert model.n_iter_ >= 1


# --- going on ---------------------------------------------------------------------------------


def test_warm_start_begins_at_the_last_weights():
    X, y = random_problem()
    model = ThroughOriginRegressor(warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_ == 1
    shifted = model.fit(X, y + 100 * X[:, 0])
    assert_allclose(shifted.coef_, least_squares(X, y + 100 * X[:, 0]), rtol=1e-6)


def test_partial_fit_of_other_losses_is_one_step():
    X, y = random_problem()
    model = ThroughOriginRegressor(loss="huber", solver="gd", learning_rate=0.01)
    w = np.zeros(5)
    for _ in range(3):
        model.partial_fit(X, y)
        w -= 0.01 * X.T @ np.clip(X @ w - y, -1, 1) / len(y)
    assert_allclose(model.coef_, w, rtol=1e-12)
    assert model.n_iter_ == 3


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_weightless_rows_teach_partial_fit_nothing(loss):
    X, y = random_problem()
    model = ThroughOriginRegressor(loss=loss).partial_fit(X, y)
    before = model.coef_.copy()
    assert_array_equal(model.partial_fit(X, -y, np.zeros(60)).coef_, before)


def test_partial_fit_takes_other_targets_only_in_the_same_shape():
    X, y = random_problem()
    model = ThroughOriginRegressor().partial_fit(X, y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match="axes"):
        model.partial_fit(X, y[:, None])
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :3], y)
    assert_array_equal(model.coef_, before)
    model = ThroughOriginRegressor().partial_fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="y has 3 columns, and 2"):
        model.partial_fit(X, np.column_stack([y, y, y]))


@pytest.mark.parametrize("scale", [1e-22, 1.0, 1e20])
@pytest.mark.parametrize("shift", [0.0, 3.0])
@pytest.mark.parametrize("n_features", [5, 13, 40])
def test_single_precision_is_enough_whatever_the_units(scale, shift, n_features):
    rng = np.random.default_rng(0)
    X = ((rng.standard_normal((2_000, n_features)) + shift) * scale).astype(np.float32)
    y = (X / scale).sum(axis=1) + rng.standard_normal(2_000).astype(np.float32)
    exact = np.linalg.lstsq(X.astype(np.float64), y.astype(np.float64), rcond=None)[0]
    model = ThroughOriginRegressor().fit(X, y.astype(np.float32))
    assert_allclose(model.coef_.astype(np.float64) * scale, exact * scale, rtol=1e-4, atol=1e-5)


def test_squares_that_nearly_underflow():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 3)) * 1e-150
    y = X.sum(axis=1) * 1e150
    assert_allclose(ThroughOriginRegressor().fit(X, y).coef_, 1e150, rtol=1e-6)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("of_X", "of_y"), [(1e-160, 1.0), (1.0, 1e-160), (1e-160, 1e-160)])
def test_squares_that_underflow_are_an_error(make, of_X, of_y):
    X = np.random.default_rng(0).standard_normal((50, 3))
    line = ThroughOriginRegressor()
    with pytest.raises(ValueError, match=r"^X or y is too small: its squares underflow"):
        line.fit(make(X * of_X), X[:, 0] * of_y)
    assert not hasattr(line, "coef_")
    # Rows of weight zero do not count, and empty columns are no small ones.
    X[1:, 2], weights = 0.0, np.r_[0.0, np.ones(49)]
    X[0, 2] = 1e-200
    assert line.fit(make(X), X[:, 0], weights).coef_[2] == 0


# --- weights that the data hardly determine ---------------------------------------------------

POWERS = np.vander(np.arange(21.0), 6, increasing=True)
NOISE = np.array([759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048] * 2)[:21]


@pytest.mark.parametrize("noise", [0, 1, 100, 10_000])
def test_wampler(noise):
    """NIST's Wampler1, and polynomials such as Wampler3 to 5, with ones as a column."""
    y = POWERS.sum(axis=1) + noise * NOISE
    line = ThroughOriginRegressor().fit(POWERS, y)
    assert_allclose(line.coef_, np.linalg.lstsq(POWERS, y, rcond=None)[0], rtol=1e-4)


def test_no_intercept():
    """NIST's NoInt1 and NoInt2, whose slopes are certified."""
    one = ThroughOriginRegressor().fit(np.arange(60.0, 71)[:, None], np.arange(130.0, 141))
    assert_allclose(one.coef_, 2.07438016528926, rtol=1e-12)
    two = ThroughOriginRegressor().fit([[4.0], [5.0], [6.0]], [3.0, 4.0, 4.0])
    assert_allclose(two.coef_, 0.727272727272727, rtol=1e-12)


@pytest.mark.parametrize("degree", [7, 10])
def test_polynomials_of_high_degree_are_not_fitted_in_silence(degree):
    X = np.vander(np.linspace(-9, -3, 80), degree + 1)
    with pytest.warns(ConvergenceWarning):
        ThroughOriginRegressor(max_iter=2000).fit(X, np.sin(X[:, -2]))


@pytest.mark.parametrize("difference", [1e-7, 1e-10, 1e-13])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_columns_that_nearly_coincide_are_named(make, difference):
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    X = np.column_stack([x, x + difference * rng.normal(size=200)])
    with pytest.warns(ConvergenceWarning) as caught:
        ThroughOriginRegressor(max_iter=500).fit(make(X), x + rng.normal(size=200))
    assert any("columns of X are nearly linearly dependent" in str(w.message) for w in caught)
    penalised = ThroughOriginRegressor(alpha=0.1).fit(make(X), x)
    assert_allclose(penalised.coef_, penalised.coef_.mean(), rtol=1e-4)


def dependent(kind, rng):
    x = rng.normal(size=200)
    if kind == "copies":
        return np.column_stack([x, x])
    if kind == "sum":
        counts = rng.integers(0, 9, (200, 2))  # whose sums have no rounding in float32 either
        return np.column_stack([counts, counts.sum(axis=1)])
    if kind == "empty":
        return np.column_stack([x, np.zeros(200)])
    return np.hstack([np.eye(k)[rng.integers(0, k, 200)] for k in (3, 5)])


@pytest.mark.parametrize("kind", ["copies", "sum", "empty", "categories"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dependent_columns_get_the_least_weights_in_silence(kind, dtype):
    rng = np.random.default_rng(0)
    X, y = dependent(kind, rng).astype(dtype), rng.normal(size=200).astype(dtype)
    line = ThroughOriginRegressor().fit(X, y)
    best = np.linalg.lstsq(X.astype(float), y.astype(float), rcond=1e-6)[0]
    assert_allclose(line.predict(X), X @ best, atol=1e-4)


@pytest.mark.parametrize("solver", ["adam", "adamw", "rmsprop", "adagrad"])
def test_the_automatic_rate_is_for_steps_in_proportion_to_the_gradient(solver):
    with pytest.raises(
        ValueError, match=rf"'gd', 'momentum' or 'nesterov'. Got solver='{solver}'"
    ):
        ThroughOriginRegressor(solver=solver).fit(WEIGHT, WEIGHT[:, 0])
    given = ThroughOriginRegressor(solver=solver, learning_rate=Cosine(0.1, epochs=3000), tol=None)
    given.set_params(max_iter=3000).fit(WEIGHT, 2 * WEIGHT[:, 0])
    assert_allclose(given.coef_, 2, rtol=0.02)


class HeavyBall(Solver):
    """A custom solver, whose steps are proportional to the gradient."""

    def start(self, size, dtype):
        self.before_ = np.zeros(size, dtype)

    def step(self, parameters, gradient, rate):
        self.before_ = 0.5 * self.before_ - rate * gradient
        parameters += self.before_


@pytest.mark.parametrize("solver", ["gd", "momentum", "nesterov", HeavyBall()])
def test_the_automatic_rate_is_right(solver):
    X, y = random_problem()
    line = ThroughOriginRegressor(solver=solver).fit(X, 1000 * y)
    assert_allclose(line.coef_, 1000 * least_squares(X, y), rtol=1e-4)
