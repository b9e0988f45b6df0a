"""Epochs in compiled code: equal to those in NumPy for all pieces, and taken where they should."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import erf, expit

from sklearn_gd import FeedForwardClassifier, FeedForwardRegressor, PerceptronClassifier, _kernels
from sklearn_gd._models import compiled
from sklearn_gd._models.class_rows import ClassRows, OneHot
from sklearn_gd._models.dropout import Dropout
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.scaling import Affine, ColumnScaling
from sklearn_gd._training.learners import GradientLearner
from sklearn_gd.activations import ELU, Exp, Identity, LeakyReLU, Tanh, as_activation
from sklearn_gd.losses import BinaryLogLoss, Huber, Loss, Pinball, as_loss
from sklearn_gd.schedules import Constant
from sklearn_gd.solvers import Adam, Nesterov, Solver, as_solver

pytestmark = pytest.mark.skipif(not _kernels.NETWORK_LAYERS, reason="the loops are not compiled")

ACTIVATIONS = [
    "identity",
    "sigmoid",
    "tanh",
    "relu",
    LeakyReLU(0.2),
    ELU(0.7),
    "softplus",
    "silu",
    "gelu",
    Exp(),
]
LOSSES = [
    "squared_error",
    "absolute_error",
    Huber(0.3),
    Pinball(0.3),
    "log_cosh",
    "poisson",
    "log_loss",
    BinaryLogLoss(),
]
SOLVERS = ["gd", "momentum", "nesterov", Nesterov(0.5), "adagrad", "rmsprop", "adam", "adamw"]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)), RNG.uniform(size=(50, 3))
WEIGHTS = RNG.integers(0, 3, size=50) * 0.7


def learner_of(rows, network, solver, *, size=10, shuffle=True, fast=True):
    """Return a learner of a network, in compiled code or not."""
    at = np.random.default_rng(1).normal(scale=0.3, size=network.size).astype(network.dtype)
    solver, generator = as_solver(solver), np.random.default_rng(2)
    learner = GradientLearner(at, solver, Constant(0.01), generator, {}, network.dtype)
    learner.learn_from(rows.objective(network), None, size, shuffle=shuffle)
    assert learner._compiled is not None
    if not fast:
        learner._compiled = None
    return learner


def assert_equal_both_ways(rows, network, solver="adam", epochs=2, rtol=1e-10, **batches):
    fast, slow = (learner_of(rows, network, solver, fast=f, **batches) for f in (True, False))
    assert_equal_objectives(rows.objective(network), fast.parameters, rtol)
    for _ in range(epochs):
        assert_allclose(fast.run_epoch(0.01), slow.run_epoch(0.01), rtol=rtol)
    assert fast.updates == slow.updates > 0
    moved = np.abs(slow.parameters).max()
    assert_allclose(fast.parameters, slow.parameters, rtol=0, atol=rtol * moved)
    for name, state in vars(slow.solver).items():
        found = vars(fast.solver)[name]
        if name == "last_":  # of the other kind of momentum
            continue
        scale = np.abs(state).max() if isinstance(state, np.ndarray) else 0.0
        if name.endswith("_"):
            assert_allclose(found, state, rtol=0, atol=100 * rtol * scale)


def assert_equal_objectives(objective, parameters, rtol):
    """Check the loss of all rows, and its gradient, which are without dropout."""
    loss, gradient = objective(parameters)
    fast = compiled.compiled(objective)
    assert type(fast) is compiled.CompiledObjective
    assert_allclose(fast.mean_loss(parameters), loss, rtol=rtol)
    found = fast(parameters)
    assert_allclose(found[0], loss, rtol=rtol)
    assert_allclose(found[1], gradient, rtol=0, atol=rtol * np.abs(gradient).max())
    assert found[1].dtype == gradient.dtype


def network_of(hidden, activation, loss, output="identity", n_outputs=3, dtype=float, **more):
    activations = [as_activation(activation)] * len(hidden) + [as_activation(output)]
    loss = as_loss(loss, several_quantiles=True)
    return Network((4, *hidden, n_outputs), activations, loss, 0.01, dtype, **more)


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_all_pieces(loss, solver):
    for activation in ACTIVATIONS:
        network = network_of((5, 3), activation, loss)
        assert_equal_both_ways(Rows(X, Y, None), network, solver)


@pytest.mark.parametrize("output", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_output_activations(output, weights):
    network = network_of((5,), "tanh", "squared_error", output)
    assert_equal_both_ways(Rows(X, Y, weights), network)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("hidden", [(), (1,), (1, 1), (16,), (17, 1, 33), (8, 8, 8, 8)], ids=str)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_sizes(hidden, n_outputs, weights):
    rows = Rows(X, Y[:, :n_outputs], weights)
    network = network_of(hidden, "silu", "huber", n_outputs=n_outputs)
    for size in (1, 7, 50, 1_000):
        assert_equal_both_ways(rows, network, size=size)
    assert_equal_both_ways(rows, network, shuffle=False)


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_columns_and_targets_are_scaled(squash, at_once, monkeypatch):
    monkeypatch.setattr(compiled, "_SCALED_AT_ONCE", 1_000 if at_once else 0)
    network = network_of((5,), "tanh", "huber")
    scale = np.array([1e-3, 1.0, 5.0, 0.5])
    network.columns = ColumnScaling(np.array([0.5, 0.0, -3.0, 2.0]), scale, squash)
    network.activations[-1] = Affine(np.array([1.0, 2.0, 3.0]), np.array([0.1, 1.0, 10.0]))
    network.baseline_loss = 0.37
    rows = X.copy()
    rows[3, 0] = 1e12  # beyond where the squashing function is at its limit
    all_rows = Rows(rows if squash else X, Y, WEIGHTS)
    part, _, _ = all_rows.set_aside(0.3, np.random.default_rng(0))
    for each in (all_rows, part):
        assert_equal_both_ways(each, network)
        assert_equal_both_ways(each, network, shuffle=False)


@pytest.mark.parametrize("biases", [True, False])
def test_biases_and_dropout(biases):
    network = network_of((9, 5), "relu", "squared_error", biases=biases)
    network.dropout = Dropout([0.3, 0.0], key=2**63 - 5)
    assert_equal_both_ways(Rows(X, Y, None), network)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_classes(n_classes, loss):
    codes = RNG.integers(n_classes, size=50)
    n_outputs = 1 if n_classes == 2 else n_classes
    rows = ClassRows.of(X, codes, n_outputs, WEIGHTS)
    output = "identity" if loss == "log_loss" else "sigmoid"
    network = network_of((5,), "tanh", loss, output, n_outputs, class_targets=True)
    assert_equal_both_ways(rows, network)


def test_classes_with_other_targets():
    codes = RNG.integers(3, size=50)
    rows = Rows(X, OneHot(codes, 3, X.dtype, ends=(0.8, -0.8)), WEIGHTS)
    assert_equal_both_ways(rows, network_of((), "tanh", "squared_error", "tanh"))


def test_several_quantiles():
    rows = Rows(X, Y[:, :1], None)
    assert_equal_both_ways(rows, network_of((5,), "tanh", Pinball((0.1, 0.5, 0.9))))


@pytest.mark.parametrize(
    "rows",
    [np.asfortranarray(X), X[::-1], np.repeat(X, 2, axis=1)[:, ::2], X[:, ::-1]],
    ids=["by column", "backwards", "every other column", "columns backwards"],
)
def test_rows_of_all_strides(rows):
    assert_equal_both_ways(Rows(rows, Y, None), network_of((5,), "tanh", "huber"))


def test_held_out_rows_are_left_out():
    train, _, _ = Rows(X, Y, WEIGHTS).set_aside(0.3, np.random.default_rng(0))
    assert_equal_both_ways(train, network_of((5,), "tanh", "huber"))
    assert_equal_both_ways(train, network_of((5,), "tanh", "huber"), shuffle=False)


def test_single_precision():
    rows = Rows(X.astype(np.float32), Y.astype(np.float32), WEIGHTS)
    for activation in ACTIVATIONS:
        network = network_of((5, 3), activation, "log_cosh", dtype=np.float32)
        assert_equal_both_ways(rows, network, "gd", rtol=1e-5)


def test_objectives_of_more_rows_than_fit_together():
    rng = np.random.default_rng(0)
    X, y, weights = (
        rng.normal(size=(1_000, 4)),
        rng.normal(size=(1_000, 2)),
        rng.uniform(size=1_000),
    )
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 1e-5)):
        network = network_of((5,), "tanh", "huber", n_outputs=2, dtype=dtype)
        at = rng.normal(size=network.size).astype(dtype)
        for each in (weights, None):
            rows = Rows(X.astype(dtype), y.astype(dtype), each)
            assert_equal_objectives(rows.objective(network), at, rtol)
            part, _, _ = rows.set_aside(0.3, np.random.default_rng(0))
            assert_equal_objectives(part.objective(network), at, rtol)


def test_an_epoch_that_explodes_is_not_finite():
    rows, network = Rows(X, Y, None), network_of((5,), "identity", "squared_error")
    fast = learner_of(rows, network, "gd")
    for _ in range(50):
        loss = fast.run_epoch(1e6)
    assert not np.isfinite(loss)


# --- where they are taken ---------------------------------------------------------------------


class OwnTanh(Tanh):
    def __call__(self, z):
        return np.tanh(2 * z)

    def derivative(self, z, a):
        return 2 * (1 - a * a)


class OwnLoss(Loss):
    def value(self, y_true, y_pred):
        return (y_true - y_pred) ** 4

    def gradient(self, y_true, y_pred):
        return 4 * (y_pred - y_true) ** 3


class OwnSolver(Adam):
    def step(self, parameters, gradient, rate):
        parameters -= rate * gradient
        return parameters


@pytest.mark.parametrize(
    ("rows", "params", "solver", "taken"),
    [
        (X, {}, "adam", True),
        (X, {"activation": OwnTanh()}, "adam", False),
        (X, {"activation": (np.sin, np.cos)}, "adam", False),
        (X, {"loss": OwnLoss()}, "adam", False),
        (X, {}, OwnSolver(), False),
        (sparse.csr_array(X), {}, "adam", False),
        (X.astype(np.float32), {}, "adam", False),  # of another precision than the network
        (X, {"hidden": (300, 300)}, "adam", False),
        (X, {"hidden": (2,) * 40}, "adam", False),
    ],
)
def test_pieces_of_other_kinds_and_wide_layers_are_left_to_numpy(rows, params, solver, taken):
    given = {"hidden": (5,), "activation": "tanh", "loss": "huber"} | params
    network = network_of(given["hidden"], given["activation"], given["loss"])
    objective = Rows(rows, Y, None).objective(network)
    solver: Solver = as_solver(solver)
    batches = objective.batches(10, None)
    found = compiled.compiled_epochs(compiled.compiled(objective), batches, solver)
    assert (found is not None) == taken


@pytest.mark.parametrize(
    "model",
    [
        FeedForwardRegressor(hidden_layer_sizes=(9, 4), dropout=0.1),
        FeedForwardRegressor(early_stopping=True, hidden_layer_sizes=9, standardize="standard"),
        FeedForwardClassifier(hidden_layer_sizes=9),
        PerceptronClassifier(activation="sigmoid", loss="log_loss"),
    ],
)
def test_default_fits_run_compiled_and_equal_those_in_numpy(model, monkeypatch):
    model.set_params(max_iter=3, tol=None, random_state=0)
    y = Y[:, 0] if isinstance(model, FeedForwardRegressor) else Y[:, 0] > 0.5
    calls, run = [], compiled.CompiledEpochs.run
    monkeypatch.setattr(
        compiled.CompiledEpochs, "run", lambda *args: calls.append(1) or run(*args)
    )
    fast = model.fit(X, y).predict(X)
    assert len(calls) == 3
    monkeypatch.setattr("sklearn_gd._training.learners.compiled", lambda objective: objective)
    assert_allclose(model.fit(X, y).predict(X), fast, rtol=1e-9, atol=1e-9)


def test_threads_give_the_same_bits():
    rows, network = Rows(X, Y, WEIGHTS), network_of((9, 5), "gelu", "huber")

    def weights(_):
        learner = learner_of(rows, network, "adam")
        for _ in range(20):
            learner.run_epoch(0.01)
        return learner.parameters

    alone = weights(0)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(weights, range(16)):
            assert_array_equal(found, alone)


# --- elementary functions ---------------------------------------------------------------------


def ulps(found, exact, dtype):
    """Return the errors in units in the last place of the exact values, rounded to the type."""
    rounded = exact.astype(dtype)
    with np.errstate(invalid="ignore"):
        errors = np.abs(found.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded))
    return np.where(rounded == found, 0.0, errors)


def activated(name, z, parameter=0.0):
    z, slope = z.copy(), np.empty_like(z)
    kinds = [kind.__name__ for kind in compiled._ACTIVATIONS]
    _kernels.kernels.activate(kinds.index(name), parameter, z, slope)
    return z, slope


def some_floats(dtype):
    """Return numbers of all sizes, and many of the size that matters."""
    if dtype is np.float32:
        bits = np.arange(0, 2**32, 4_999, dtype=np.uint32)
        every = bits.view(np.float32)
        return every[np.isfinite(every)]
    spread = np.random.default_rng(0).normal(size=200_000)
    return np.concatenate([spread, 30 * spread, 300 * spread, spread * 1e-9, [0.0, -0.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_and_tanh_are_exact_to_two_units_in_the_last_place(dtype):
    z = some_floats(dtype)
    wide = z.astype(np.longdouble)
    with np.errstate(over="ignore", under="ignore"):
        exact = {"Exp": np.exp(wide), "Tanh": np.tanh(wide)}
    for name, values in exact.items():
        found, _ = activated(name, z)
        with np.errstate(over="ignore"):
            inside = np.isfinite(values.astype(dtype))
        assert ulps(found[inside], values[inside], dtype).max() <= 2
        assert np.isinf(found[~inside]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["Sigmoid", "SiLU", "Softplus", "GELU", "ELU"])
def test_the_other_activations_are_those_of_scipy(name, dtype):
    z = some_floats(dtype)
    z = z[np.abs(z) < 1e4]
    wide = z.astype(np.float64)
    with np.errstate(under="ignore"):
        exact = {
            "Sigmoid": expit(wide),
            "SiLU": wide * expit(wide),
            "Softplus": np.logaddexp(wide, 0),
            "GELU": wide * (0.5 * (1 + erf(wide / np.sqrt(2)))),
            "ELU": np.where(wide > 0, wide, 0.7 * np.expm1(np.minimum(wide, 0))),
        }[name]
    found, _ = activated(name, z, 0.7)
    eps = np.finfo(dtype).eps
    assert_allclose(found, exact, rtol=8 * eps, atol=8 * eps * (1 if name == "GELU" else 0.01))


@pytest.mark.parametrize("name", ["Identity", "Sigmoid", "Tanh", "ReLU", "SiLU", "Exp"])
def test_what_is_no_number_stays_none(name):
    found, _ = activated(name, np.array([np.nan, 1.0]))
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


def test_slopes_are_derivatives():
    z = np.linspace(-3, 3, 601)
    for activation in [as_activation(each) for each in ACTIVATIONS]:
        if type(activation) in (Identity,):
            continue
        parameter = float(compiled._parameters_of(activation)[0])
        _, slope = activated(type(activation).__name__, z, parameter)
        a = activation(z.copy())
        assert_allclose(slope, activation.derivative(z, a), rtol=1e-10, atol=1e-14)
