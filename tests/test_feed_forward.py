"""The network, step for step against scikit-learn's and torch's, and on real data."""

import pickle
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_linnerud, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_poisson_deviance, mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardClassifier, FeedForwardRegressor
from sklearn_gd.activations import ELU, as_activation
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.schedules import Adaptive, Exponential
from sklearn_gd.solvers import Adam, Momentum, Nesterov


def waves(n_samples=120, n_outputs=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(n_samples, 3))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] / 2
    if n_outputs is None:
        return X, y
    return X, np.column_stack([y + k * X[:, 0] for k in range(n_outputs)])


def plain(**params):
    """Return a network with the defaults of scikit-learn's, on columns and targets as they are."""
    defaults = {
        "hidden_layer_sizes": (100,),
        "activation": "relu",
        "standardize": False,
        "learning_rate": 0.001,
        "batch_size": 200,
        "max_iter": 200,
    }
    return FeedForwardRegressor(**{**defaults, **params})


def same_start(theirs, **params):
    """Return our network with the first weights of a scikit-learn one, unfitted but for them."""
    ours = plain(hidden_layer_sizes=theirs.hidden_layer_sizes, warm_start=True, **params)
    ours.coefs_ = [W.copy() for W in theirs.coefs_]
    ours.intercepts_ = [b.copy() for b in theirs.intercepts_]
    return ours


def their_first_weights(X, y, **params):
    """Return an MLPRegressor with its first weights: after an epoch at a rate of nothing."""
    theirs = MLPRegressor(**params).set_params(learning_rate_init=1e-300, solver="sgd", max_iter=1)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, y)
    return theirs


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize(
    ("their_solver", "our_solver", "their_rate", "our_rate"),
    [
        # Its loss is half the squared error, so that equal steps take half its gradient's double.
        ({"solver": "sgd", "momentum": 0.0}, "gd", 0.02, 0.01),
        (
            {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
            Momentum(0.9),
            0.02,
            0.01,
        ),
        ({"solver": "sgd", "momentum": 0.8}, Nesterov(0.8), 0.02, 0.01),
        # Adam divides the factor out again, but for its epsilon, which is scaled alike.
        ({"solver": "adam", "epsilon": 1e-8}, Adam(epsilon=2e-8), 0.01, 0.01),
    ],
)
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.filterwarnings("ignore:FeedForwardRegressor learned nothing")  # momentum overshoots
def test_equals_scikit_learn_step_for_step(
    activation, their_solver, our_solver, their_rate, our_rate, alpha
):
    X, y = waves()
    n_epochs, batch = 7, 120
    params = {
        "hidden_layer_sizes": (8, 5),
        "activation": activation,
        "batch_size": batch,
        "shuffle": False,
        "random_state": 0,
        "tol": 0.0,
        "n_iter_no_change": 100,
        # Its penalty is 0.5 * alpha * ||W||² / n beside half the squared error.
        "alpha": alpha * len(y) / 2,
    }
    theirs = their_first_weights(X, y, **params)
    ours = same_start(
        theirs,
        activation={"logistic": "sigmoid"}.get(activation, activation),
        solver=our_solver,
        learning_rate=our_rate,
        batch_size=batch,
        shuffle=False,
        max_iter=n_epochs,
        tol=None,
        alpha=alpha,
    ).fit(X, y)
    theirs.set_params(
        **their_solver, learning_rate_init=their_rate, warm_start=True, max_iter=n_epochs
    )
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, y)
    mine, their = ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_
    for a, b in zip(mine, their, strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)


def test_equals_scikit_learn_in_mini_batches_of_equal_size():
    X, y = waves()
    params = {
        "hidden_layer_sizes": (8, 5),
        "batch_size": 30,
        "shuffle": False,
        "random_state": 0,
        "tol": 0.0,
        "alpha": 0.0,
    }
    theirs = their_first_weights(X, y, **params)
    ours = same_start(
        theirs, solver=Adam(epsilon=2e-8), batch_size=30, shuffle=False, max_iter=5, tol=None
    ).fit(X, y)
    theirs.set_params(solver="adam", learning_rate_init=0.001, warm_start=True, max_iter=5)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, y)
    for mine, their in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_allclose(mine, their, rtol=1e-9, atol=1e-12)
    # Theirs is half the mean squared error of each batch before its step; so is ours, whole.
    assert_allclose(ours.loss_curve_, 2 * np.array(theirs.loss_curve_[-5:]), rtol=1e-9)


@pytest.mark.parametrize("n_outputs", [None, 3])
def test_equals_torch_autograd_step_for_step(n_outputs):
    torch = pytest.importorskip("torch")
    X, y = waves(n_outputs=n_outputs)
    weights = np.random.default_rng(0).uniform(0.2, 2, len(y))
    ours = plain(
        hidden_layer_sizes=(7, 5, 4),
        activation=["gelu", "elu", "softplus"],
        output_activation="leaky_relu",
        loss="huber",
        solver="gd",
        learning_rate=0.05,
        alpha=0.1,
        batch_size=None,
        tol=None,
        max_iter=1,
        random_state=0,
    )
    first = clone(ours).set_params(learning_rate=1e-300).fit(X, y, weights)
    ours.set_params(max_iter=6, warm_start=True)
    ours.coefs_ = [W.copy() for W in first.coefs_]
    ours.intercepts_ = [b.copy() for b in first.intercepts_]
    ours.fit(X, y, weights)

    F, leaves = torch.nn.functional, []
    for part in [*first.coefs_, *first.intercepts_]:
        leaves.append(torch.tensor(part, requires_grad=True))
    Ws, bs = leaves[:4], leaves[4:]
    activations = [F.gelu, F.elu, F.softplus, F.leaky_relu]
    target = torch.tensor(y.reshape(len(y), -1))
    w = torch.tensor(weights)
    optimizer = torch.optim.SGD(leaves, lr=0.05)
    for _ in range(6):
        a = torch.tensor(X)
        for W, b, f in zip(Ws, bs, activations, strict=True):
            a = f(a @ W + b)
        rows = F.huber_loss(a, target, reduction="none").mean(dim=1)
        objective = (w * rows).sum() / w.sum() + 0.05 * sum((W**2).sum() for W in Ws)
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
    for mine, leaf in zip([*ours.coefs_, *ours.intercepts_], leaves, strict=True):
        assert_allclose(mine, leaf.detach().numpy(), rtol=1e-8, atol=1e-11)


def r2(model, X, y):
    scaled = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), model), transformer=StandardScaler()
    )
    folds = KFold(5, shuffle=True, random_state=0)
    return cross_val_score(scaled, X, y, cv=folds, scoring="r2").mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "settings"),
    [
        (load_diabetes(return_X_y=True), {"hidden_layer_sizes": (20,), "max_iter": 100}),
        (
            make_friedman1(n_samples=600, noise=0.5, random_state=0),
            {"hidden_layer_sizes": (30, 15), "max_iter": 200, "learning_rate_init": 0.005},
        ),
    ],
    ids=["diabetes", "friedman"],
)
@pytest.mark.filterwarnings("ignore:.*iter:sklearn.exceptions.ConvergenceWarning")
def test_cross_validated_r2_is_that_of_scikit_learns(data, settings):
    X, y = data
    rate = settings.pop("learning_rate_init", 0.001)
    seeds = range(3)
    ours = [r2(plain(**settings, learning_rate=rate, random_state=s), X, y) for s in seeds]
    theirs = [
        r2(MLPRegressor(**settings, learning_rate_init=rate, alpha=0, random_state=s), X, y)
        for s in seeds
    ]
    assert np.mean(ours) > np.mean(theirs) - 0.01


def test_no_hidden_layer_is_a_linear_model():
    X, y = load_diabetes(return_X_y=True)
    X, y = X * 20, (y - y.mean()) / y.std()
    net = plain(hidden_layer_sizes=(), solver="lbfgs", tol=1e-9, max_iter=1000)
    line = LinearRegression().fit(X, y)
    net.fit(X, y)
    assert_allclose(net.coefs_[0][:, 0], line.coef_, atol=1e-3)
    assert_allclose(net.loss_, mean_squared_error(y, line.predict(X)), rtol=1e-6)
    assert net.n_layers_ == 2


def test_deep_networks_learn_what_a_line_cannot():
    X, y = waves(400)
    net = plain(
        hidden_layer_sizes=(30, 20, 10),
        activation=["tanh", ELU(0.5), (np.arcsinh, lambda z: 1 / np.sqrt(1 + z * z))],
        learning_rate=0.01,
        batch_size=50,
        random_state=0,
    ).fit(X, y)
    assert LinearRegression().fit(X, y).score(X, y) < 0.3
    assert net.score(X, y) > 0.98
    assert [W.shape for W in net.coefs_] == [(3, 30), (30, 20), (20, 10), (10, 1)]
    assert [b.shape for b in net.intercepts_] == [(30,), (20,), (10,), (1,)]
    assert net.n_layers_ == 5


def test_exclusive_or():
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    net = plain(
        hidden_layer_sizes=4, activation="tanh", solver="lbfgs", random_state=0, tol=1e-9
    ).fit(X, y)
    assert_allclose(net.predict(X), y, atol=1e-2)


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "softplus", "relu"])
def test_output_activation_bounds_the_predictions(output):
    X, y = waves()
    y = (y - y.min()) / (y.max() - y.min()) * 0.9
    net = plain(output_activation=output, learning_rate=0.01, random_state=2)
    net.set_params(max_iter=1000, tol=None).fit(X, y)
    low, high = as_activation(output).range
    predictions = net.predict(10 * X)
    assert (predictions >= low).all()
    assert (predictions <= high).all()
    assert net.score(X, y) > 0.9


@pytest.mark.parametrize(("loss", "scorer"), [("absolute_error", np.median), ("huber", None)])
def test_robust_losses_do_not_chase_outliers(loss, scorer):
    X, y = waves(300)
    spoiled = y.copy()
    spoiled[::10] += 60
    params = {"learning_rate": 0.01, "random_state": 0, "hidden_layer_sizes": 30}
    params |= {"max_iter": 300, "tol": None}
    robust = plain(loss=loss, **params).fit(X, spoiled)
    squared = plain(**params).fit(X, spoiled)
    clean = np.arange(300) % 10 != 0
    error = [np.median(np.abs(m.predict(X) - y)[clean]) for m in (robust, squared)]
    assert error[0] < error[1] / 3


# --- losses, weights, curves ------------------------------------------------------------------


@pytest.mark.parametrize("n_outputs", [None, 1, 3])
@pytest.mark.parametrize("batch_size", ["auto", 7, None])
def test_loss_is_the_mean_squared_error_at_the_weights_returned(n_outputs, batch_size):
    X, y = waves(n_outputs=n_outputs)
    weights = np.random.default_rng(0).uniform(0, 2, len(y))
    net = plain(batch_size=batch_size, max_iter=3, tol=None, alpha=0.1, random_state=0).fit(
        X, y, weights
    )
    assert_allclose(net.loss_, mean_squared_error(y, net.predict(X), sample_weight=weights))
    assert net.predict(X).shape == y.shape
    assert len(net.loss_curve_) == net.n_iter_ == 3


def test_full_batch_loss_curve_is_the_loss_before_each_step():
    X, y = waves()
    params = {"batch_size": None, "tol": None, "random_state": 0}
    longer = plain(max_iter=4, **params).fit(X, y)
    for k in range(1, 4):
        assert_allclose(longer.loss_curve_[k], plain(max_iter=k, **params).fit(X, y).loss_)


@pytest.mark.parametrize("solver", ["gd", "adam", "lbfgs"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_weight_two_is_a_row_twice_in_full_batches(solver, make):
    X, y = waves()
    counts = np.random.default_rng(0).integers(0, 3, len(y))
    params = {"solver": solver, "batch_size": None, "random_state": 0, "alpha": 0.01}
    params |= {"max_iter": 5, "tol": None, "learning_rate": 0.01, "activation": "tanh"}
    weighted = plain(**params).fit(make(X), y, counts)
    repeated = plain(**params).fit(make(np.repeat(X, counts, axis=0)), np.repeat(y, counts))
    for a, b in zip(weighted.coefs_, repeated.coefs_, strict=True):
        assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_mini_batches_are_scaled_by_the_mean_weight_of_all_rows():
    X, y = waves(40)
    weights = np.r_[np.full(20, 3.0), np.full(20, 1.0)]
    params = {"solver": "gd", "learning_rate": 0.01, "batch_size": 20, "shuffle": False}
    params |= {"max_iter": 1, "tol": None, "hidden_layer_sizes": 4, "random_state": 0}
    net = plain(**params).fit(X, y, weights)
    # By hand: batch one steps at 3/2 of the rate, batch two at 1/2.
    halves = clone(net).set_params(learning_rate=0.015).partial_fit(X[:20], y[:20])
    halves.set_params(learning_rate=0.005).partial_fit(X[20:], y[20:])
    for a, b in zip(net.coefs_, halves.coefs_, strict=True):
        assert_allclose(a, b, rtol=1e-10)


def test_a_batch_of_weightless_rows_does_nothing():
    X, y = waves(40)
    weights = np.r_[np.zeros(20), np.ones(20)]
    params = {"batch_size": 20, "shuffle": False, "max_iter": 3, "tol": None, "random_state": 0}
    params |= {"solver": "momentum"}
    with_them = plain(learning_rate=0.01, **params).fit(X, y, weights)
    # The other batch's rows then weigh twice the mean.
    without = plain(learning_rate=0.02, **params).fit(X[20:], y[20:])
    for a, b in zip(with_them.coefs_, without.coefs_, strict=True):
        assert_allclose(a, b, rtol=1e-10)
    assert_allclose(with_them.loss_, without.loss_)


# --- forms of data ----------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_csr_is_dense(solver):
    X, y = waves()
    X[X < 0] = 0
    params = {"solver": solver, "max_iter": 10, "tol": None, "random_state": 0}
    dense = plain(**params).fit(X, y)
    csr = plain(**params).fit(sparse.csr_array(X), y)
    assert_allclose(csr.predict(sparse.csr_array(X)), dense.predict(X), rtol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "momentum", "lbfgs"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_float32_stays_float32(solver, make):
    X, y = waves()
    X = X.astype(np.float32)
    net = plain(solver=solver, max_iter=3, tol=None, random_state=0)
    net.fit(make(X), y)
    assert {W.dtype for W in net.coefs_ + net.intercepts_} == {np.dtype(np.float32)}
    assert net.predict(make(X)).dtype == np.float32
    double = clone(net).fit(make(X.astype(float)), y)
    assert_allclose(net.predict(make(X)), double.predict(make(X)), atol=1e-4)


def test_one_column_of_targets_is_not_broadcast():
    X, y = waves()
    params = {"max_iter": 3, "tol": None, "random_state": 0}
    flat = plain(**params).fit(X, y)
    column = plain(**params).fit(X, y[:, None])
    assert_array_equal(column.predict(X)[:, 0], flat.predict(X))


def test_multi_output_on_real_data():
    X, y = load_linnerud(return_X_y=True)
    net = plain(solver="lbfgs", random_state=0, max_iter=50, tol=None)
    scaled = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), net), transformer=StandardScaler()
    )
    assert scaled.fit(X, y).score(X, y) > 0.9


# --- reproducible, going on, stopping ---------------------------------------------------------


def test_a_seed_gives_the_same_network_bit_for_bit():
    X, y = waves()
    first, second = (plain(random_state=7, max_iter=5, tol=None) for _ in range(2))
    assert_array_equal(first.fit(X, y).predict(X), second.fit(X, y).predict(X))
    assert_array_equal(first.fit(X, y).predict(X), second.predict(X))
    other = plain(random_state=8, max_iter=5, tol=None).fit(X, y)
    assert not np.array_equal(other.predict(X), first.predict(X))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("solver", ["gd", "momentum", "nesterov", "adagrad", "rmsprop", "adamw"])
@pytest.mark.parametrize("rate", [0.01, Exponential(0.01, 0.8), Adaptive(0.01, patience=1)])
def test_partial_fits_are_the_epochs_of_one_fit(shuffle, solver, rate):
    X, y = waves()
    params = {"shuffle": shuffle, "solver": solver, "learning_rate": rate, "batch_size": 32}
    params |= {"random_state": 3, "hidden_layer_sizes": (6, 4)}
    whole = plain(max_iter=4, tol=None, **params).fit(X, y)
    parts = plain(tol=None, **params)
    for _ in range(4):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y)))
    for a, b in zip(parts.coefs_, whole.coefs_, strict=True):
        assert_array_equal(a, b)
    assert parts.loss_curve_ == whole.loss_curve_
    assert (parts.n_iter_, parts.loss_) == (whole.n_iter_, whole.loss_)


def test_partial_fit_takes_up_a_changed_rate_and_refuses_a_changed_shape():
    X, y = waves()
    net = plain(random_state=0, hidden_layer_sizes=(5, 4)).partial_fit(X, y)
    before = [W.copy() for W in net.coefs_]
    net.set_params(learning_rate=1e-300).partial_fit(X, y)
    for a, b in zip(net.coefs_, before, strict=True):
        assert_array_equal(a, b)
    for change, message in [
        ({"hidden_layer_sizes": (5, 6)}, "hidden_layer_sizes=\\(5, 6\\)"),
        ({"solver": "gd"}, "'solver' parameter must stay Adam\\(\\)"),
        ({"solver": Adam(beta_1=0.5)}, "'solver' parameter must stay Adam\\(\\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            clone(net).set_params(**net.get_params()).partial_fit(X, y).set_params(
                **change
            ).partial_fit(X, y)
    with pytest.raises(ValueError, match="y has 2 columns"):
        net.partial_fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="features"):
        net.partial_fit(X[:, :2], y)
    assert net.n_iter_ == 2


def test_warm_start_begins_at_the_last_weights_with_fresh_stopping():
    X, y = waves()
    net = plain(
        warm_start=True, learning_rate=0.01, random_state=0, max_iter=1000, batch_size=20
    ).fit(X, y)
    first, last = net.loss_curve_[0], net.loss_curve_[-1]
    assert abs(net.fit(X, y).loss_curve_[0] - last) < 0.2 * (first - last)
    shifted = net.fit(X, y + 5)
    assert shifted.score(X, y + 5) > 0.9


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_best_weights_on_the_validation_set_come_back(solver):
    X, y = waves(60)
    y = y + np.random.default_rng(0).normal(size=60)
    X_val, y_val = waves(40, seed=1)
    net = plain(solver=solver, learning_rate=0.02, random_state=0, max_iter=60, tol=None).fit(
        X, y, X_val=X_val, y_val=y_val
    )
    assert len(net.validation_loss_curve_) == net.n_iter_
    assert net.best_loss_ == min(net.validation_loss_curve_)
    assert net.best_iter_ == net.validation_loss_curve_.index(net.best_loss_)
    assert net.best_iter_ < net.n_iter_ - 1  # it did overfit
    assert_allclose(mean_squared_error(y_val, net.predict(X_val)), net.best_loss_)
    assert_allclose(mean_squared_error(y, net.predict(X)), net.loss_)


def test_early_stopping_sets_rows_aside_and_ends_on_time():
    X, y = waves(100)
    y = y + np.random.default_rng(0).normal(size=100)
    net = plain(
        early_stopping=True, learning_rate=0.02, random_state=0, max_iter=500, tol=0.0
    ).fit(X, y)
    assert net.n_iter_ == net.best_iter_ + 1 + net.n_iter_no_change
    forever = clone(net).set_params(tol=None, max_iter=30).fit(X, y)
    assert forever.n_iter_ == 30


def test_units_of_y_do_not_decide_when_to_stop():
    X, y = waves()
    # Gradient descent is scale-free at a rate that the scale does not enter: with no hidden layer.
    params = {"hidden_layer_sizes": (), "solver": "gd", "learning_rate": 0.1, "random_state": 0}
    unfitted = plain(**params, warm_start=True)
    curves = []
    for c in (1e-6, 1.0, 1e6):
        net = clone(unfitted)
        net.coefs_, net.intercepts_ = [np.zeros((3, 1))], [np.zeros(1)]
        net.fit(X, c * y)
        curves.append((net.n_iter_, net.predict(X) / c))
    assert curves[0][0] == curves[1][0] == curves[2][0] < 200
    assert_allclose(curves[0][1], curves[1][1], rtol=1e-6)
    assert_allclose(curves[2][1], curves[1][1], rtol=1e-6)


def test_init_draws_what_it_says():
    X, y = np.zeros((1, 400)), np.zeros(1)
    for init, activation, variance in [
        ("auto", "relu", 1 / 400),
        ("auto", "tanh", 1 / 400),
        ("he", "tanh", 2 / 400),
        ("glorot", "relu", 2 / 900),
    ]:
        net = plain(hidden_layer_sizes=500, init=init, activation=activation, random_state=0)
        net.set_params(max_iter=1, tol=None, learning_rate=1e-300).fit(X, y)
        assert_allclose(net.coefs_[0].var(), variance, rtol=0.02)
        assert_allclose(net.intercepts_[0], 0, atol=1e-200)


def test_max_iter_ends_it_with_one_warning():
    X, y = waves()
    for solver in ("adam", "lbfgs"):
        with pytest.warns(ConvergenceWarning, match="max_iter=3") as caught:
            plain(max_iter=3, solver=solver, random_state=0).fit(X, y)
        assert len(caught) == 1


@pytest.mark.parametrize("rate", [10.0, 1e8, 1e200])
def test_divergence_is_an_error_at_once_and_keeps_the_last_good_weights(rate):
    X, y = waves()
    net = plain(solver="gd", learning_rate=0.01, random_state=0, tol=None).fit(X, y)
    before = net.predict(X)
    net.set_params(learning_rate=rate)
    with pytest.raises(DivergenceError, match="diverged in epoch") as caught:
        net.fit(X, y)
    assert len(caught.value.loss_curve) <= 10
    assert_array_equal(net.predict(X), before)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert_array_equal(again.loss_curve, caught.value.loss_curve)


# --- dropout ----------------------------------------------------------------------------------


def dropped_out(**params):
    params = {"hidden_layer_sizes": (16, 8), "dropout": 0.2, "max_iter": 5} | params
    return FeedForwardRegressor(random_state=0, **params)


@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning")
def test_dropout_changes_training_and_leaves_predictions_without_noise():
    X, y = load_diabetes(return_X_y=True)
    net = dropped_out().fit(X, y)
    assert_array_equal(net.predict(X), net.predict(X))
    assert_array_equal(net.predict(X), dropped_out().fit(X, y).predict(X))
    assert (net.predict(X) != dropped_out(dropout=0.0).fit(X, y).predict(X)).any()
    assert (net.predict(X) != dropped_out(dropout=[0.2, 0.0]).fit(X, y).predict(X)).any()
    assert_allclose(net.loss_, np.mean((net.predict(X) - y) ** 2))


@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning")
def test_dropout_of_zero_is_no_dropout():
    X, y = load_diabetes(return_X_y=True)
    for none in ([0.0, 0.0], np.zeros(2), 0):
        assert_array_equal(
            dropped_out(dropout=none).fit(X, y).predict(X),
            dropped_out(dropout=0.0).fit(X, y).predict(X),
        )


def test_dropout_in_partial_fit_continues_its_masks():
    X, y = load_diabetes(return_X_y=True)
    half, whole = dropped_out(shuffle=False, tol=None), dropped_out(shuffle=False, tol=None)
    whole.partial_fit(X, y).partial_fit(X, y)
    half = pickle.loads(pickle.dumps(half.partial_fit(X, y))).partial_fit(X, y)
    assert_array_equal(half.predict(X), whole.predict(X))
    half.set_params(dropout=0.0).partial_fit(X, y)
    assert (half.predict(X) != whole.partial_fit(X, y).predict(X)).any()


def test_threads_draw_the_same_masks():
    X, y = load_diabetes(return_X_y=True)
    search = GridSearchCV(dropped_out(max_iter=10), {"dropout": [0.0, 0.1, 0.3]}, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alone = search.fit(X, y).cv_results_["mean_test_score"]
        with parallel_config("threading", n_jobs=3):
            beside = search.fit(X, y).cv_results_["mean_test_score"]
    assert_array_equal(beside, alone)


def test_dropout_generalises_where_a_network_memorises():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_060, 20))
    y = X[:, 0] + 0.5 * X[:, 1] + rng.normal(size=len(X))
    scores = [
        FeedForwardRegressor(dropout=share, random_state=0).fit(X[:60], y[:60]).score(X, y)
        for share in (0.0, 0.4)
    ]
    assert scores[1] > scores[0] + 0.05


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"dropout": -0.1}, "'dropout' parameter"),
        ({"dropout": [0.1]}, r"one per hidden layer: 2\. Got \[0\.1\]"),
        ({"dropout": [0.1, 1.0]}, r"a number in \[0, 1\)"),
        ({"dropout": ["a", "b"]}, r"a number in \[0, 1\)"),
        ({"dropout": 0.1, "solver": "lbfgs"}, "dropout needs a solver that makes steps"),
        ({"dropout": 0.1, "hidden_layer_sizes": ()}, "dropout needs hidden layers"),
    ],
)
def test_bad_dropout_is_refused(params, message):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        dropped_out(**params).fit(X, y)


# --- outputs of hidden layers -----------------------------------------------------------------


@pytest.mark.parametrize("standardize", ["robust", "standard", False])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("which", [FeedForwardRegressor, FeedForwardClassifier])
def test_hidden_layer_outputs_are_what_the_next_layer_gets(standardize, kind, which):
    X, y = waves()
    net = which(
        hidden_layer_sizes=(5, 4),
        activation=["tanh", "softplus"],
        standardize=standardize,
        learning_rate=0.01,
        max_iter=3,
        tol=None,
        random_state=0,
    ).fit(kind(X), y if which is FeedForwardRegressor else y > 0)
    first, second = net.hidden_layer_outputs(kind(X))
    assert (first.shape, second.shape) == ((120, 5), (120, 4))
    z = (X - getattr(net, "center_", 0.0)) / getattr(net, "scale_", 1.0)
    inputs = z / np.sqrt(1 + (z / 3) ** 2) if standardize == "robust" else X
    assert_allclose(first, np.tanh(inputs @ net.coefs_[0] + net.intercepts_[0]), rtol=1e-9)
    assert_allclose(second, np.logaddexp(0, first @ net.coefs_[1] + net.intercepts_[1]), rtol=1e-9)
    last = second @ net.coefs_[2] + net.intercepts_[2]
    found = net.predict(X) if which is FeedForwardRegressor else net.decision_function(X)
    assert_allclose(last[:, 0], found, rtol=1e-9)


def test_without_hidden_layers_there_are_no_hidden_outputs():
    X, y = waves()
    net = FeedForwardRegressor(hidden_layer_sizes=(), max_iter=3, tol=None).fit(X, y)
    assert net.hidden_layer_outputs(X) == []


# --- counts -----------------------------------------------------------------------------------


def test_counts_are_predicted_as_well_as_by_gradient_boosting():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(6_000, 4))
    y = rng.poisson(np.exp(np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] - 0.3 * X[:, 2] ** 2))
    train, test = slice(3_000), slice(3_000, None)
    ours = FeedForwardRegressor(loss="poisson", random_state=0)
    theirs = HistGradientBoostingRegressor(loss="poisson", random_state=0)
    deviances = [
        mean_poisson_deviance(y[test], model.fit(X[train], y[train]).predict(X[test]))
        for model in (ours, theirs)
    ]
    assert deviances[0] < deviances[1]
