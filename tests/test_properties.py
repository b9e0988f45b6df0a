"""Properties that hold for all data and parameters; hypothesis looks for the exception.

A quick search by default, a longer one by ``--hypothesis-profile=long``: see conftest.py.
"""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd._models.network import Network
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
]
LOSSES = ["squared_error", "absolute_error", "huber", "pinball", "log_cosh"]
SOLVERS = ["gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
SEEDS = st.integers(0, 2**31 - 1)


def well_posed(seed, n_outputs=None):
    """Return a regression with more rows than features, whose columns differ in scale."""
    rng = np.random.default_rng(seed)
    n_features = int(rng.integers(1, 7))
    n_samples = int(rng.integers(3 * n_features + 2, 60))
    X = rng.normal(size=(n_samples, n_features)) * 10.0 ** rng.uniform(-2, 2, n_features)
    shape = (n_samples,) if n_outputs is None else (n_samples, n_outputs)
    return (
        X,
        rng.normal(size=shape) + X.sum(axis=1).reshape(n_samples, *[1] * (len(shape) - 1)),
        rng,
    )


def line(**params):
    return ThroughOriginRegressor(tol=1e-11, **params)


def assert_close(actual, desired, like):
    """Compare predictions, relative to the spread of what they should be."""
    assert_allclose(actual, desired, atol=1e-6 * np.abs(like).max())


# --- equivariances of the network --------------------------------------------------------------


@st.composite
def standardised_networks(draw):
    return FeedForwardRegressor(
        standardize=draw(st.sampled_from(["robust", "standard"])),
        hidden_layer_sizes=draw(st.sampled_from([(), (5,), (8, 4)])),
        solver=draw(st.sampled_from(SOLVERS)),
        loss=draw(st.sampled_from(["squared_error", "absolute_error", "pinball"])),
        learning_rate=draw(st.sampled_from(["auto", 0.003])),
        early_stopping=draw(st.booleans()),
        alpha=draw(st.sampled_from([0.0, 0.1])),
        max_iter=6,
        random_state=0,
    )


@given(standardised_networks(), SEEDS, st.booleans(), st.booleans())
# The first gradient of the bias is rounding error, which Adagrad divides by itself and epsilon.
@example(
    FeedForwardRegressor(hidden_layer_sizes=(), max_iter=6, solver="adagrad"), 28, False, False
)
def test_units_do_not_matter_to_a_network(network, seed, sparse, weighted):
    # On centred columns, the bias of a line stays the mean of y: its gradient is rounding error
    # forever, and what divides gradients by their own size makes steps of it.
    centred = network.standardize == "standard" and network.hidden_layer_sizes == ()
    assume(not (centred and network.solver in ("adagrad", "rmsprop", "adam", "adamw")))
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(30, 80)), int(rng.integers(1, 5))
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < (0.5 if sparse else 1.0))
    # A sample without features is predicted by the bias, which begins at the median. If it is the
    # median, rounding decides the sign of its absolute error.
    X[~X.any(axis=1), 0] = 1.0
    y = X.sum(axis=1) + rng.normal(size=n)
    weights = rng.integers(1, 4, n) if weighted else None
    a, c, d = 10.0 ** rng.uniform(-6, 6, p), 10.0 ** rng.uniform(-6, 6), rng.normal() * 100
    b = 0.0 if sparse else a * rng.uniform(-1000, 1000, p)
    form = csr_array if sparse else np.asarray
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = clone(network).fit(form(X), y, weights)
        other = clone(network).fit(form(a * X + b), c * (y + d), weights)
    assert other.n_iter_ == plain.n_iter_
    found = other.predict(form(a * X + b)) / c - d
    assert_allclose(found, plain.predict(form(X)), rtol=1e-6, atol=1e-6)
    assert_allclose(other.loss_, plain.loss_ * c ** (2 if network.loss[0] == "s" else 1))


@given(SEEDS, st.sampled_from(["robust", "standard"]))
def test_units_do_not_matter_to_lbfgs(seed, kind):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3))
    y = np.sin(X).sum(axis=1) + 0.3 * rng.normal(size=60)
    a, c = 10.0 ** rng.uniform(-6, 6, 3), 10.0 ** rng.uniform(-6, 6)
    # The line search amplifies rounding errors, up to the choice of another local minimum.
    network = FeedForwardRegressor(
        standardize=kind,
        solver="lbfgs",
        activation="tanh",
        hidden_layer_sizes=(6,),
        alpha=0.01,
        max_iter=1000,
        random_state=0,
    )
    losses = [
        clone(network).fit(a * (X + b), c * (y + b)).loss_ / c**2
        for a, b, c in [(1.0, 0.0, 1.0), (a, 100.0, c)]
    ]
    assert_allclose(losses[1], losses[0], rtol=0.01)


# --- equivariances of the line ----------------------------------------------------------------


@given(SEEDS, st.floats(-6, 6), st.booleans())
def test_scaling_the_targets_scales_the_line(seed, power, negate):
    X, y, _ = well_posed(seed)
    c = 10.0**power * (-1 if negate else 1)
    plain, scaled = line().fit(X, y), line().fit(X, c * y)
    assert scaled.n_iter_ == plain.n_iter_
    assert_close(scaled.predict(X) / c, plain.predict(X), y)


@given(SEEDS)
def test_scaling_the_features_scales_the_weights_back(seed):
    X, y, rng = well_posed(seed)
    scales = 10.0 ** rng.uniform(-4, 4, X.shape[1]) * rng.choice([-1, 1], X.shape[1])
    plain, scaled = line().fit(X, y), line().fit(X * scales, y)
    assert_close((X * scales) @ scaled.coef_, X @ plain.coef_, y)


@given(SEEDS)
def test_order_of_rows_and_features_does_not_matter(seed):
    X, y, rng = well_posed(seed)
    rows, columns = rng.permutation(len(y)), rng.permutation(X.shape[1])
    plain, other = line().fit(X, y), line().fit(X[rows][:, columns], y[rows])
    assert_close(X[:, columns] @ other.coef_, X @ plain.coef_, y)


@given(SEEDS, st.sampled_from(["squared_error", "huber", "log_cosh"]))
def test_repeated_rows_are_weights(seed, loss):
    X, y, rng = well_posed(seed)
    X = X / np.abs(X).max(axis=0)
    counts = rng.integers(0, 4, len(y))
    assume(counts.any())
    params = {"loss": loss, "tol": 1e-9}
    weighted = ThroughOriginRegressor(**params).fit(X, y, counts)
    repeated = ThroughOriginRegressor(**params).fit(np.repeat(X, counts, axis=0), y.repeat(counts))
    assert_close(weighted.predict(X), repeated.predict(X), y)
    assert_allclose(weighted.loss_, repeated.loss_, rtol=1e-6, atol=1e-12)


@given(SEEDS, st.integers(1, 4))
def test_stacked_outputs_are_fits_of_their_own(seed, n_outputs):
    X, Y, _ = well_posed(seed, n_outputs)
    together = line().fit(X, Y)
    alone = np.column_stack([line().fit(X, y).predict(X) for y in Y.T])
    assert_close(together.predict(X), alone, Y)


@given(SEEDS, st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_any_chunking_is_one_fit(seed, sizes):
    X, y, _ = well_posed(seed)
    parts, start = line(), 0
    for size in [*sizes, len(y)]:
        if start < len(y):
            parts.partial_fit(X[start : start + size], y[start : start + size])
        start += size
    assert_close(parts.predict(X), line().fit(X, y).predict(X), y)


# --- equivariances of smooth neurons ----------------------------------------------------------


@st.composite
def smooth_neurons(draw):
    return PerceptronClassifier(
        activation=draw(st.sampled_from(["identity", "sigmoid", "tanh", "softplus"])),
        solver=draw(st.sampled_from(["gd", "momentum", "adam"])),
        learning_rate=draw(st.sampled_from(["auto", 0.003])),
        fit_intercept=draw(st.booleans()),
        average=draw(st.booleans()),
        early_stopping=draw(st.booleans()),
        alpha=draw(st.sampled_from([0.0, 0.1])),
        batch_size=draw(st.sampled_from(["auto", 16])),
        max_iter=12,
        random_state=0,
    )


@given(smooth_neurons(), SEEDS, st.booleans(), st.booleans(), st.integers(2, 3))
def test_units_do_not_matter_to_a_smooth_neuron(neuron, seed, sparse, weighted, n_classes):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(40, 80)), int(rng.integers(1, 5))
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < (0.5 if sparse else 1.0))
    y = np.arange(n) % n_classes
    X[:, 0] += y
    weights = rng.integers(1, 4, n) if weighted else None
    a = 10.0 ** rng.uniform(-6, 6, p)
    moves = neuron.fit_intercept and not sparse
    b = a * rng.uniform(-1000, 1000, p) if moves else 0.0
    form = csr_array if sparse else np.asarray
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = clone(neuron).fit(form(X), y, weights)
        other = clone(neuron).fit(form(a * X + b), y, weights)
    assert other.n_iter_ == plain.n_iter_
    found = other.decision_function(form(a * X + b))
    assert_allclose(found, plain.decision_function(form(X)), rtol=1e-6, atol=1e-6)
    assert_allclose(other.loss_, plain.loss_)


# --- the neuron -------------------------------------------------------------------------------


@given(SEEDS, st.floats(0.02, 1.0))
def test_mistakes_on_separable_data_are_bounded(seed, gap):
    # Novikoff (1962): no more than (R / margin)², where every row keeps that margin to a line.
    rng = np.random.default_rng(seed)
    w = rng.normal(size=3)
    w /= np.linalg.norm(w)
    X = rng.uniform(-1, 1, size=(80, 3))
    X = X[np.abs(X @ w) > gap / 2]
    y = X @ w > 0
    assume(0 < y.sum() < len(y))
    neuron = PerceptronClassifier(
        fit_intercept=False, tol=None, max_iter=100_000, random_state=seed
    ).fit(X, y)
    margin, radius = np.abs(X @ w).min(), np.linalg.norm(X, axis=1).max()
    assert neuron.t_ <= (radius / margin) ** 2
    assert neuron.score(X, y) == 1


@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
@given(SEEDS, st.floats(1e-6, 1e6))
def test_the_rate_of_a_step_neuron_changes_no_decision(seed, rate):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    params = {"tol": None, "max_iter": 5, "random_state": 0}
    one = PerceptronClassifier(**params).fit(X, y)
    other = PerceptronClassifier(learning_rate=rate, **params).fit(X, y)
    assert_array_equal(one.predict(X), other.predict(X))
    assert one.t_ == other.t_


# --- the network ------------------------------------------------------------------------------


@given(
    SEEDS,
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from(ACTIVATIONS)), max_size=4),
    st.sampled_from(LOSSES),
    st.integers(1, 3),
    st.booleans(),
    st.floats(0, 1),
)
def test_gradients_of_random_architectures(seed, hidden, loss, n_outputs, weighted, alpha):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(7, 3)), 3 * rng.normal(size=(7, n_outputs))
    weights = rng.uniform(0.1, 2, 7) if weighted else None
    sizes = [3, *(n for n, _ in hidden), n_outputs]
    pieces = [as_activation(f) for f in [*(f for _, f in hidden), "identity"]]
    network = Network(sizes, pieces, as_loss(loss), alpha, np.float64)
    point, direction = rng.normal(size=(2, network.size))
    direction /= np.linalg.norm(direction)

    def objective(t):
        flat = point + t * direction
        penalty = sum(np.sum(W**2) for W, _ in network.layers(flat))
        return network.mean_loss(flat, X, y, weights) + 0.5 * alpha * penalty

    _, gradient = network(point, X, y, weights, 7.0 if weights is None else weights.sum())
    slope = float(gradient @ direction)
    numeric = [(objective(h) - objective(-h)) / (2 * h) for h in (1e-5, 1e-6)]
    # A kink within one of the two steps spoils that difference, hardly ever both.
    off = min(abs(n - slope) for n in numeric)
    assert off <= 1e-6 * max(1.0, abs(slope), abs(objective(0.0)))


# --- anything goes, or is refused -------------------------------------------------------------

ANY_RATE = st.one_of(
    st.floats(1e-4, 10), st.sampled_from(["auto", "cosine", "adaptive", 0, -1.0, None, "x"])
)
PARAMETERS = {
    "activation": st.sampled_from([*ACTIVATIONS, "step", "swish", None, (np.sin, np.cos)]),
    "loss": st.sampled_from([*LOSSES, "hinge"]),
    "solver": st.sampled_from([*SOLVERS, "lbfgs", "sgd"]),
    "standardize": st.sampled_from(["robust", "standard", False, True, "minmax"]),
    "learning_rate": ANY_RATE,
    "alpha": st.sampled_from([0, 0.1, 10.0, -1, "a"]),
    "l1_ratio": st.sampled_from([0, 0.5, 1, 2.0]),
    "max_iter": st.sampled_from([1, 3, 20, 0, 2.5]),
    "tol": st.sampled_from([None, 0.0, 1e-3, -1]),
    "warm_start": st.booleans(),
    "verbose": st.sampled_from([False, 0, "loud"]),
    "batch_size": st.sampled_from(["auto", None, 1, 7, 1000, 0]),
    "n_iter_no_change": st.sampled_from([1, 5, 0]),
    "shuffle": st.booleans(),
    "early_stopping": st.sampled_from([False, True, "r2", "accuracy", "mse", 3]),
    "dropout": st.sampled_from([0.0, 0.3, [0.1], [0.2, 0.0], 1.0, "a"]),
    "validation_fraction": st.sampled_from([0.1, 0.5, 0.99, 0.0]),
    "random_state": st.sampled_from([0, None, -1]),
    "fit_intercept": st.booleans(),
    "average": st.booleans(),
    "class_weight": st.sampled_from([None, "balanced", {0: 2}, {9: 1}]),
    "hidden_layer_sizes": st.sampled_from([(), 3, (4, 2), [5], 0, "many"]),
    "output_activation": st.sampled_from(["identity", "tanh", "relu", "step"]),
    "init": st.sampled_from(["auto", "he", "glorot", "none"]),
}


@pytest.mark.parametrize(
    "kind", [ThroughOriginRegressor, PerceptronClassifier, FeedForwardRegressor]
)
@given(data=st.data(), seed=SEEDS)
@settings(max_examples=8 * settings().max_examples)
def test_any_parameters_fit_or_are_refused(kind, data, seed):
    chosen = {"max_iter": 50}
    for name in kind().get_params():
        if data.draw(st.integers(0, 3)) == 0:  # a quarter of them, lest all are refused
            chosen[name] = data.draw(PARAMETERS[name])
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    if kind is PerceptronClassifier:
        y = rng.integers(0, 3, 20)
    model = kind(**chosen)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X, y)
        except (ValueError, TypeError) as error:
            assert str(error)  # noqa: PT017
            assert set(vars(model)) == set(model.get_params())
            return
        predictions = model.predict(X)
    assert predictions.shape == y.shape
    assert np.isfinite(model.loss_)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), predictions)
