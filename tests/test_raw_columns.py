"""Networks on columns as they come: real tables, outliers, odd columns, and how they fail."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.activations import Activation

KINDS = ["robust", "standard"]


def table(name, target):
    """Return a table of tests/data; few categories are one-hot."""
    pd = pytest.importorskip("pandas")
    frame = pd.read_csv(Path(__file__).parent / "data" / f"{name}.csv")
    y = frame.pop(target).to_numpy(float)
    return pd.get_dummies(frame, dtype=float), y


def wavy(n_samples=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 3)) * [1e-3, 1.0, 1e5] + [0.0, 50.0, 1e6]
    z = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, 1e4 * (np.sin(2 * z[:, 0]) + z[:, 1] + 0.1 * rng.normal(size=n_samples)) + 1e5


# --- real tables ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "target", "least"),
    [("diamonds", "price", 0.9), ("mpg", "hwy", 0.9), ("txhousing", "volume", 0.95)],
)
def test_default_networks_learn_raw_tables_without_a_warning(item, target, least):
    X, y = table(item, target)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = FeedForwardRegressor(random_state=0).fit(X_train, y_train)
    assert model.score(X_test, y_test) > least


def test_a_linear_network_is_linear_regression_on_raw_columns():
    X, y = table("mpg", "hwy")
    X = X[["displ", "year", "cyl", "cty"]]
    model = FeedForwardRegressor(
        standardize="standard", hidden_layer_sizes=(), solver="lbfgs", max_iter=500
    ).fit(X, y)
    line = LinearRegression().fit(X, y)
    assert_allclose(model.coefs_[0][:, 0], line.coef_, rtol=1e-5)
    assert_allclose(model.intercepts_[0], line.intercept_, rtol=1e-5)


def test_outliers_have_a_bounded_effect():
    X, y = wavy(600)
    spoiled = X.copy()
    rows = np.arange(0, 600, 300)
    spoiled[rows] *= 1e3
    model = FeedForwardRegressor(random_state=0).fit(spoiled, y)
    others = np.setdiff1d(np.arange(600), rows)
    assert model.score(X[others], y[others]) > 0.85
    far = np.abs(model.predict(X[:50] * 1e6) - y.mean())
    assert far.max() < 20 * np.ptp(y)


# --- odd columns and targets ------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_float32_columns_far_from_zero(kind):
    rng = np.random.default_rng(0)
    years, seconds = rng.integers(1950, 2025, 500), rng.integers(0, 10**8, 500) + 1.6e9
    y = (years - 1990.0) ** 2 / 100 + seconds / 1e8
    X = np.c_[years, seconds].astype(np.float32)
    model = FeedForwardRegressor(standardize=kind, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.predict(X).dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("level", "spread"), [(1e9, 1.0), (1.0, 1e-9), (0.0, 1e-150)])
def test_targets_of_a_tiny_spread_are_learned(kind, level, spread):
    X, y = wavy()
    y = (y - y.mean()) / y.std()
    model = FeedForwardRegressor(standardize=kind, random_state=0).fit(X, level + spread * y)
    assert r2_score(y, (model.predict(X) - level) / spread) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_constant_columns_and_targets(kind):
    X, y = wavy()
    X[:, 0] = 7.0
    model = FeedForwardRegressor(standardize=kind, random_state=0, max_iter=5, tol=None)
    model.fit(X, np.full(len(y), 3.0))
    assert_allclose(model.predict(X), 3.0, rtol=1e-6)
    if kind == "robust":
        assert (model.center_[0], model.scale_[0]) == (7.0, 1.0)


def test_rare_indicators_are_columns_like_others():
    rng = np.random.default_rng(0)
    X = np.c_[rng.random(1_000) < 0.01, rng.normal(size=1_000)].astype(float)
    y = 100 * X[:, 0] + X[:, 1]
    model = FeedForwardRegressor(random_state=0).fit(X, y)
    assert model.score(X, y) > 0.98


@pytest.mark.parametrize("output", ["sigmoid", "softplus", "relu"])
def test_other_outputs_begin_at_the_best_constant(output):
    X, y = wavy()
    y = 0.2 + 0.6 * (y - y.min()) / np.ptp(y)
    model = FeedForwardRegressor(output_activation=output, random_state=0)
    first = clone(model).set_params(max_iter=1, tol=None, learning_rate=1e-300).fit(X, y)
    if output != "relu":  # whose last layer begins at random
        assert_allclose(first.predict(X), y.mean())
    assert model.fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_rows_of_dense_models_and_back(kind):
    X, y = wavy()
    model = FeedForwardRegressor(standardize=kind, random_state=0, max_iter=10).fit(X, y)
    assert_allclose(model.predict(sparse.csr_array(X)), model.predict(X), rtol=1e-6)
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.3, X, 0.0)
    model.fit(sparse.csr_array(X), y)
    assert_allclose(model.predict(sparse.csr_array(X)), model.predict(X), rtol=1e-6)
    if kind == "robust":
        assert_array_equal(model.center_, 0)


# --- going on ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_outputs", [None, 2])
def test_partial_fits_are_the_epochs_of_one_fit_to_the_last_bit(kind, n_outputs):
    X, y = wavy()
    y = y if n_outputs is None else np.c_[y, -1e-3 * y]
    params = {"standardize": kind, "learning_rate": 0.01, "random_state": 0, "tol": None}
    whole = FeedForwardRegressor(max_iter=4, **params).fit(X, y)
    parts = FeedForwardRegressor(**params)
    for _ in range(4):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y)))
    for a, b in zip(
        parts.coefs_ + parts.intercepts_, whole.coefs_ + whole.intercepts_, strict=True
    ):
        assert_array_equal(a, b)
    assert parts.loss_ == whole.loss_


@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_keeps_the_scale_of_its_first_call(kind):
    X, y = wavy()
    model = FeedForwardRegressor(standardize=kind, random_state=0).partial_fit(X[:100], y[:100])
    before = model._scaling.packed()
    model.partial_fit(X[100:] * 1.1, y[100:])
    assert_array_equal(model._scaling.packed(), before)
    with pytest.raises(ValueError, match="'standardize' parameter must stay"):
        model.set_params(standardize=False).partial_fit(X, y)


def test_a_first_partial_fit_of_few_rows_is_refused():
    X, y = wavy()
    model = FeedForwardRegressor()
    with pytest.raises(ValueError, match=r"takes 10 rows .*standardize=False"):
        model.partial_fit(X[:9], y[:9])
    with pytest.raises(ValueError, match="takes 10 rows"):
        model.partial_fit(X[:30], y[:30], np.r_[np.ones(9), np.zeros(21)])
    assert not hasattr(model, "coefs_")
    model.set_params(standardize=False).partial_fit(X[:1], y[:1])
    FeedForwardRegressor().partial_fit(X[:10], y[:10]).partial_fit(X[:1], y[:1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:FeedForwardRegressor learned nothing")
def test_weights_that_are_set_are_those_that_training_goes_on_from(kind):
    X, y = wavy()
    model = FeedForwardRegressor(standardize=kind, random_state=0, max_iter=5, tol=None)
    model.fit(X, y)
    still = {"learning_rate": 1e-300}
    edited = clone(model).fit(X, y).set_params(**still)
    edited.intercepts_[-1] = edited.intercepts_[-1] + 1e4
    edited.partial_fit(X, y)
    assert_allclose(edited.predict(X), model.predict(X) + 1e4, rtol=1e-6)
    warm = clone(model).fit(X, y).set_params(warm_start=True, **still).fit(X[:50], 2 * y[:50])
    assert_allclose(warm.predict(X), model.predict(X), rtol=1e-6)
    # All but the loss that the objective is divided by, which is that of the rows.
    assert_array_equal(warm._scaling.packed()[:-1], model._scaling.packed()[:-1])
    # Weights without a fit are in the units of the data too.
    given = FeedForwardRegressor(
        standardize="standard",
        hidden_layer_sizes=(),
        warm_start=True,
        max_iter=1,
        tol=None,
        **still,
    )
    given.coefs_, given.intercepts_ = [np.array([[1e6], [2.0], [1e-5]])], [np.array([3.0])]
    assert_allclose(given.fit(X, y).predict(X), X @ [1e6, 2.0, 1e-5] + 3, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:X_val seems to be in other units:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_the_scale_is_that_of_the_rows_trained_on(kind):
    X, y = wavy()
    X_val, y_val = wavy(100, seed=1)
    params = {"standardize": kind, "random_state": 0, "max_iter": 3, "tol": None}
    plain = FeedForwardRegressor(**params).fit(X, y)
    watched = FeedForwardRegressor(**params).fit(X, y, X_val=100 * X_val, y_val=y_val)
    assert_array_equal(watched._scaling.packed(), plain._scaling.packed())
    held_out = FeedForwardRegressor(early_stopping=True, **params).fit(X, y)
    assert not np.array_equal(held_out._scaling.packed(), plain._scaling.packed())


@pytest.mark.parametrize("kind", KINDS)
def test_whole_weights_are_repeats(kind):
    X, y = wavy(120)
    counts = np.random.default_rng(0).integers(0, 3, len(y))
    params = {"standardize": kind, "batch_size": None, "random_state": 0, "alpha": 0.01}
    params |= {"max_iter": 10, "tol": None}
    weighted = FeedForwardRegressor(**params).fit(X, y, counts)
    repeated = FeedForwardRegressor(**params).fit(np.repeat(X, counts, axis=0), y.repeat(counts))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-9)
    assert_allclose(weighted.loss_, repeated.loss_, rtol=1e-9)


# --- a fit that learned nothing ---------------------------------------------------------------


class Dead(Activation):
    """An activation without a gradient."""

    def __call__(self, z):
        return np.zeros_like(z)

    def derivative(self, z, a):
        return np.zeros_like(z)


def test_targets_in_dollars_with_columns_as_they_are_say_so():
    """Its loss is finite and falls, and stays above that of a constant."""
    X, y = load_diabetes(return_X_y=True)
    model = FeedForwardRegressor(
        standardize=False, activation="relu", learning_rate=0.001, max_iter=30, random_state=0
    )
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, 1e5 + 100 * y)
    assert len(caught) == 1
    assert "standardize='robust'" in str(caught[0].message)


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        (FeedForwardRegressor(activation=Dead(), max_iter=20), "another activation"),
        (FeedForwardRegressor(alpha=1e6), "a smaller alpha"),
        (FeedForwardRegressor(learning_rate=1e-12), "learning_rate"),
        (
            PerceptronClassifier(activation="tanh", learning_rate=1e-12, max_iter=20),
            "learning_rate='auto'",
        ),
        (PerceptronClassifier(max_iter=50), "average=True"),
        (
            ThroughOriginRegressor(solver="adam", learning_rate=1e-12, max_iter=50),
            "learning_rate='auto' and solver='nesterov'",
        ),
    ],
    ids=str,
)
def test_a_fit_that_learned_nothing_says_so_once_with_the_cause(model, cause):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = rng.normal(size=200)
    if isinstance(model, PerceptronClassifier):
        y = rng.random(200) < 0.1  # what a line cannot tell
    with pytest.warns(ConvergenceWarning, match=cause) as caught:
        clone(model).fit(X, y)
    assert len(caught) == 1


def test_constant_targets_and_weights_of_zero_are_no_failure():
    X, _ = wavy()
    FeedForwardRegressor(random_state=0).fit(X, np.zeros(len(X)))
    FeedForwardRegressor(random_state=0).fit(X, np.full(len(X), 5.0))
    line = ThroughOriginRegressor().fit(np.array([[1.0], [1.0]]), np.array([1.0, -1.0]))
    assert_allclose(line.coef_, 0, atol=1e-12)


# --- targets at the limits --------------------------------------------------------------------


@pytest.mark.parametrize("constant", [0.1, 1e-8, 0.3, -3.3, 1e5])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "log_cosh"])
def test_a_constant_is_predicted_exactly(constant, loss):
    X = np.random.default_rng(0).normal(size=(20, 4))
    for y in (np.full(20, constant), np.full((20, 2), constant)):
        net = FeedForwardRegressor(loss=loss, random_state=0).fit(X, y)
        assert_array_equal(net.predict(100 * X), y)


@pytest.mark.parametrize("constant", [0.3, 7.0, 1234.0])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_constant_rate_is_predicted(constant, solver):
    X = np.random.default_rng(0).normal(size=(20, 4))
    net = FeedForwardRegressor(loss="poisson", solver=solver, random_state=0)
    assert_allclose(net.fit(X, np.full(20, constant)).predict(X), constant, rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "unit", "words"),
    [
        (np.float32, 1e-25, "y is too small: its losses underflow in float32.*float64"),
        (np.float32, 1e19, "y is too large: its losses overflow in float32.*float64"),
        (np.float64, 1e-155, "y is too small: its losses underflow in float64"),
        (np.float64, 1e153, "y is too large: its losses overflow in float64"),
    ],
)
def test_targets_whose_losses_are_beyond_the_precision_are_refused(dtype, unit, words):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4)).astype(dtype)
    y = X[:, 0] + rng.normal(size=200)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=words):
        FeedForwardRegressor(random_state=0).fit(X, unit * y)
    fine = FeedForwardRegressor(loss="absolute_error", random_state=0).fit(X, 1e-12 * y)
    assert fine.score(X, 1e-12 * y) > 0.3


@pytest.mark.parametrize("params", [{"output_activation": "softplus"}, {"loss": "poisson"}])
def test_a_warm_start_with_another_output_is_refused(params):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = np.abs(X[:, 0])
    net = FeedForwardRegressor(warm_start=True, random_state=0).fit(X, y)
    before = net.predict(X)
    with pytest.raises(ValueError, match="needs the output activation"):
        clone(net).fit(X, y).set_params(**params).fit(X, y)
    assert_array_equal(
        net.set_params(max_iter=1, tol=None, learning_rate=1e-300).fit(X, y).predict(X), before
    )
