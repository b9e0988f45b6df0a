"""L1 penalties: proximal steps by their definition, and fits against scikit-learn and KKT."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_linnerud
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_gd import PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd._models import rows
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._proximal import gradient_mapping, soft_threshold
from sklearn_gd._training.learners import GradientLearner
from sklearn_gd.activations import Identity
from sklearn_gd.losses import SquaredError, as_loss
from sklearn_gd.schedules import Cosine, as_schedule
from sklearn_gd.solvers import Momentum, Nesterov, Solver, as_solver

PROXIMAL = ["gd", "momentum", "nesterov"]
SEEDS = st.integers(0, 2**32 - 1)


class Own(Solver):
    def step(self, parameters, gradient, rate):
        parameters -= rate * gradient
        return parameters


class Faster(Momentum):
    """A subclass of a solver with a proximal step, which its own step does not match."""

    def step(self, parameters, gradient, rate):
        return super().step(parameters, gradient, 2 * rate)


def threshold(u, t):
    """Return the textbook's soft-thresholding."""
    return np.sign(u) * np.maximum(np.abs(u) - t, 0)


def violation(gradient, W, l1):
    """Return by how much weights miss the conditions of a minimum, for the smooth gradient."""
    free = np.abs(gradient + l1 * np.sign(W))
    return np.max(np.where(W != 0, free, np.maximum(np.abs(gradient) - l1, 0)))


# --- the functions ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_thresholding_is_the_proximal_operator(dtype):
    rng = np.random.default_rng(0)
    u, t = rng.normal(size=50).astype(dtype), rng.uniform(0, 2, 50).astype(dtype)
    w = u.copy()
    assert soft_threshold(w, t) is w
    assert w.dtype == dtype
    assert_array_equal(w == 0, np.abs(u) <= t)
    assert not np.signbit(w[w == 0]).any()

    def objective(w):
        return 0.5 * (w - u) ** 2 + t * np.abs(w)

    for other in (*(w + d for d in rng.normal(size=(100, 50)) / 10), 0 * w, u):
        assert (objective(w) <= objective(other) + 1e-6).all()


def test_gradient_mapping_is_the_proximal_step_over_the_rate():
    rng = np.random.default_rng(0)
    w, g, l1, rate = rng.normal(size=(4, 30))
    w[:10], l1, rate = 0, np.abs(l1), np.abs(rate)
    step = threshold(w - rate * g, rate * l1) - w
    assert_allclose(gradient_mapping(w, g, rate, l1), -step / rate, rtol=1e-9, atol=1e-12)
    # As the rate goes to 0, it is the subgradient of smallest norm.
    smallest = np.where(w == 0, threshold(g, l1), g + l1 * np.sign(w))
    assert_allclose(gradient_mapping(w, g, 0.0, l1), smallest)
    assert_allclose(gradient_mapping(w, g, 1e-9, l1), smallest)


# --- the solvers ------------------------------------------------------------------------------

A = np.random.default_rng(1).normal(size=(8, 5)) * [1.0, 2.0, 0.5, 1.0, 3.0]
B = np.random.default_rng(2).normal(size=8)
L1 = np.array([0.3, 0.1, 2.0, 0.0, 0.5])
RATE = 0.9 / np.linalg.eigvalsh(A.T @ A)[-1]


def slope(w):
    return A.T @ (A @ w - B)


def by_formula(name, n_steps, l1=L1):
    """Return the path of the proximal form of a solver, from the literature's two-point forms."""
    last = now = np.full(5, 0.5)
    path, k = [], -1
    for _ in range(n_steps):
        if name == "gd":
            new = threshold(now - RATE * slope(now), RATE * l1)
        elif name == "momentum":  # the proximal heavy ball
            new = threshold(now + 0.9 * (now - last) - RATE * slope(now), RATE * l1)
        else:
            beta = 0.8 if name == "constant" else max(k, 0) / (max(k, 0) + 3)
            ahead = now + beta * (now - last)
            new = threshold(ahead - RATE * slope(ahead), RATE * l1)
            k = 0 if k >= 0 and (ahead - new) @ (new - now) > 0 else k + 1
        last, now = now, new
        path.append(now)
    return np.array(path)


@pytest.mark.parametrize(
    ("name", "solver"),
    [
        ("gd", as_solver("gd")),
        ("momentum", Momentum(0.9)),
        ("constant", Nesterov(0.8)),
        ("fista", Nesterov()),
    ],
)
def test_proximal_steps_are_those_of_the_literature(name, solver):
    solver.full_batch = True
    solver.start(5, np.float64)
    w, path = np.full(5, 0.5), []
    assert_array_equal(solver._result(w), w)
    for _ in range(60):
        w = solver._proximal_step(w, slope(w), RATE, L1)
        path.append(solver._result(w).copy())
    expected = by_formula(name, 60)
    assert_allclose(path, expected, rtol=1e-9, atol=1e-12)
    assert_array_equal(np.array(path) == 0, expected == 0)
    assert (expected[-1] == 0).any()
    assert (expected[-1] != 0).any()


@pytest.mark.parametrize("full_batch", [False, True])
@pytest.mark.parametrize("solver", [*PROXIMAL, Nesterov(0.5)], ids=str)
def test_without_a_penalty_they_are_the_steps(solver, full_batch):
    plain, proximal = as_solver(solver), as_solver(solver)
    for each in (plain, proximal):
        each.full_batch = full_batch
        each.start(5, np.float64)
    w, v = np.full(5, 0.5), np.full(5, 0.5)
    for _ in range(40):
        plain.step(w, slope(w), RATE)
        proximal._proximal_step(v, slope(v), RATE, np.zeros(5))
        assert_allclose(v, w, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "solver"),
    [("gd", "gd"), ("momentum", "momentum"), ("constant", Nesterov(0.8)), ("fista", "nesterov")],
)
def test_a_line_takes_these_steps_and_keeps_the_sparse_weights(name, solver):
    line = ThroughOriginRegressor(
        solver=solver, learning_rate=RATE, alpha=0.3, l1_ratio=1.0, tol=None
    )
    path = by_formula(name, 2000, 0.3)
    for k in (1, 2, 5, 20, 60):
        line.set_params(max_iter=k).fit(2 * A, 2 * B, coef_init=np.full(5, 0.5))
        assert_allclose(line.coef_, path[k - 1], rtol=1e-9, atol=1e-12)
        assert_array_equal(line.coef_ == 0, path[k - 1] == 0)
        assert line.loss_ == pytest.approx(0.5 * np.sum((A @ path[k - 1] - B) ** 2))
    if name != "momentum":  # it ends with a step of plain descent
        line.set_params(tol=0.03, max_iter=2000).fit(2 * A, 2 * B, coef_init=np.full(5, 0.5))
        assert 5 < line.n_iter_ < 2000
        assert_allclose(line.coef_, path[line.n_iter_ - 1], rtol=1e-9, atol=1e-12)


def gradient_learner(parameters, l1):
    network = Network((5, 1), [Identity()], SquaredError(), 0.0, float, biases=False)
    memory = parameters, as_solver("gd"), as_schedule(RATE), None, {}, float
    learner = GradientLearner(*memory).learn_from(
        Rows(2 * A, 2 * B[:, None], None).objective(network)
    )
    learner.l1 = l1
    return learner


def test_zero_is_accepted_where_it_is_the_minimum():
    largest = np.abs(slope(np.zeros(5))).max()
    for w, l1, solved in (
        (np.zeros(5), np.full(5, 1.01 * largest), True),
        (np.zeros(5), np.full(5, 0.99 * largest), False),
        (np.eye(5)[0], np.full(5, 1.01 * largest), False),
        (np.eye(5)[0], 1.01 * largest * (np.arange(5) > 0), False),  # of a gradient off zero
        (np.zeros(5), None, False),
    ):
        learner = gradient_learner(w, l1)
        learner.accept_zero()
        assert learner.finished == solved


# --- the line ---------------------------------------------------------------------------------


def sparse_problem(n_samples=300, n_features=40, n_outputs=None):
    rng = np.random.default_rng(0)
    X = sparse.csr_array(sparse.random(n_samples, n_features, 0.2, "csr", None, rng))
    W = rng.normal(size=(n_features, n_outputs or 1)) * (rng.random((n_features, 1)) < 0.3)
    y = X @ W + 0.1 * rng.normal(size=(n_samples, n_outputs or 1))
    return X, y if n_outputs else y[:, 0]


def elastic_net(X, y, alpha, l1_ratio):
    """Return the weights of scikit-learn, for the alpha of this package."""
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    model = ElasticNet(
        alpha=alpha * n_outputs / 2,
        l1_ratio=l1_ratio,
        fit_intercept=False,
        tol=1e-14,
        max_iter=1_000_000,
    )
    return model.fit(X, y).coef_


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("alpha", [0.02, 0.2, 2.0])
@pytest.mark.parametrize("solver", [*PROXIMAL, Nesterov(0.9)], ids=str)
def test_line_is_the_lasso_and_the_elastic_net(solver, alpha, l1_ratio):
    X, y = load_diabetes(return_X_y=True)
    model = ThroughOriginRegressor(solver=solver, alpha=alpha, l1_ratio=l1_ratio).fit(X, y)
    expected = elastic_net(X, y, alpha, l1_ratio)
    assert_allclose(model.coef_, expected, atol=1e-5 * np.abs(expected).max())
    model.set_params(tol=1e-12).fit(X, y)
    assert_allclose(model.coef_, expected, atol=1e-7 * np.abs(expected).max())
    assert_array_equal(model.coef_ == 0, expected == 0)


@pytest.mark.parametrize("on_rows", [False, True])
@pytest.mark.parametrize("make", [sparse.csr_array, lambda X: X.toarray()])
@pytest.mark.parametrize("n_outputs", [None, 3])
def test_line_of_sparse_weights(n_outputs, make, on_rows, monkeypatch):
    if on_rows:
        monkeypatch.setattr(rows, "uses_moments", lambda X: False)
    X, y = sparse_problem(n_outputs=n_outputs)
    model = ThroughOriginRegressor(alpha=0.01 / (n_outputs or 1), l1_ratio=1.0, tol=1e-12)
    model.fit(make(X), y)
    columns = [y] if n_outputs is None else y.T
    expected = np.array([elastic_net(X.toarray(), column, 0.01, 1.0) for column in columns])
    assert 0 < np.count_nonzero(expected) < expected.size / 2
    found = np.atleast_2d(model.coef_)
    assert_allclose(found, expected, atol=1e-7)
    assert_array_equal(found == 0, expected == 0)


@pytest.mark.parametrize(("load", "strength"), [(load_breast_cancer, 1e-4), (load_linnerud, 1e-2)])
def test_weights_of_columns_as_they_are_have_four_digits(load, strength):
    X, y = load(return_X_y=True)
    y = y.astype(float)
    alpha = strength * np.abs(X.T @ y).max() / y.size
    model = ThroughOriginRegressor(alpha=alpha, l1_ratio=1.0).fit(X, y)
    outputs = [y] if y.ndim == 1 else y.T
    n_outputs = len(outputs)
    expected = np.array([elastic_net(X, each, alpha * n_outputs, 1.0) for each in outputs])
    assert (expected == 0).any()
    assert (expected != 0).any()
    scale = np.linalg.norm(X, axis=0)
    error = np.abs(np.atleast_2d(model.coef_) - expected) * scale
    assert error.max() <= 1e-4 * np.abs(expected * scale).max()
    assert_array_equal(np.atleast_2d(model.coef_) == 0, expected == 0)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_weights_of_nearly_dependent_columns_have_four_digits(n_outputs):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
    W = np.array([[5.0, 20.0], [3.0, 10.0], [-2.0, 0.0], [0.0, 0.0]])[:, :n_outputs]
    y = X @ W + 1e-4 * rng.normal(size=(200, n_outputs))
    alpha = 1e-4
    model = ThroughOriginRegressor(alpha=alpha, l1_ratio=1.0).fit(X, y)
    assert_array_equal(model.coef_.T == 0, W == 0)
    for j, w in enumerate(W.T):
        S = X[:, w != 0]
        # The condition of a minimum, of which the signs are known.
        right = 2 / n_outputs * S.T @ y[:, j] / len(y) - alpha * np.sign(w[w != 0])
        expected = np.linalg.solve(2 / n_outputs * S.T @ S / len(y), right)
        assert (np.sign(expected) == np.sign(w[w != 0])).all()
        assert_allclose(model.coef_[j, w != 0], expected, rtol=1e-4)


@given(
    seed=SEEDS,
    loss=st.sampled_from(["squared_error", "huber"]),
    solver=st.sampled_from(PROXIMAL),
    l1_ratio=st.sampled_from([0.2, 0.9, 1.0]),
    n_outputs=st.sampled_from([None, 2]),
    weighted=st.booleans(),
)
def test_conditions_of_a_minimum_hold(seed, loss, solver, l1_ratio, n_outputs, weighted):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 6)) * 10.0 ** rng.uniform(-2, 2, 6)
    y = rng.normal(size=(30, n_outputs or 1)) * 3
    weights = rng.uniform(0.1, 2, 30) if weighted else np.ones(30)
    alpha = 10.0 ** rng.uniform(-3, 0)
    model = ThroughOriginRegressor(
        loss=loss, solver=solver, alpha=alpha, l1_ratio=l1_ratio, tol=1e-10
    )
    model.fit(X, y if n_outputs else y[:, 0], weights if weighted else None)
    W = np.atleast_2d(model.coef_).T

    def gradient(W):
        slopes = as_loss(loss).gradient(y, X @ W) * weights[:, None]
        return X.T @ slopes / weights.sum() / y.shape[1] + alpha * (1 - l1_ratio) * W

    scale = np.linalg.norm(X, axis=0)[:, None]  # the tolerance is one in the scale of the rates
    missed = violation(gradient(W) / scale, W, alpha * l1_ratio / scale)
    assert missed <= 1e-7 * np.linalg.norm(gradient(0 * W) / scale)


def test_no_penalty_is_no_penalty_whatever_its_kind():
    X, y = load_diabetes(return_X_y=True)
    plain, other = ThroughOriginRegressor(), ThroughOriginRegressor(l1_ratio=1.0)
    assert_array_equal(plain.fit(X, y).coef_, other.fit(X, y).coef_)
    neuron = PerceptronClassifier(activation="sigmoid", max_iter=5, tol=None, random_state=0)
    coef = neuron.fit(X, y > 100).coef_
    assert_array_equal(neuron.set_params(l1_ratio=0.3).fit(X, y > 100).coef_, coef)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("start", [None, np.linspace(-9, 9, 10)])
@pytest.mark.parametrize("solver", PROXIMAL)
@pytest.mark.parametrize("tol", [None, 1e-8])
def test_weights_of_zero_may_be_the_solution(tol, solver, start, loss):
    X, y = load_diabetes(return_X_y=True)
    model = ThroughOriginRegressor(
        solver=solver, loss=loss, alpha=1e3, l1_ratio=0.5, tol=tol, max_iter=400
    )
    model.fit(X, y, coef_init=start)
    assert_array_equal(model.coef_, np.zeros(10))
    assert model.loss_ == pytest.approx(model.loss_curve_[-1])
    if tol is not None:
        assert model.n_iter_ == 1 if start is None else model.n_iter_ < 400


def test_units_of_the_targets_do_not_matter():
    X, y = load_diabetes(return_X_y=True)
    plain = ThroughOriginRegressor(alpha=0.2, l1_ratio=1.0).fit(X, y)
    scaled = ThroughOriginRegressor(alpha=0.2 * 1e6, l1_ratio=1.0).fit(X, 1e6 * y)
    assert scaled.n_iter_ == plain.n_iter_
    assert_allclose(scaled.coef_, 1e6 * plain.coef_, rtol=1e-9)


@pytest.mark.parametrize("solver", PROXIMAL)
def test_a_fit_that_is_cut_short_ends_at_sparse_weights(solver):
    X, y = load_diabetes(return_X_y=True)
    settings = {"alpha": 2.0, "l1_ratio": 1.0, "tol": None, "solver": solver}
    for max_iter in range(1, 40):
        model = ThroughOriginRegressor(max_iter=max_iter, **settings).fit(X, y)
        assert 1 <= (model.coef_ == 0).sum() < 10, max_iter
        assert model.loss_ == pytest.approx(np.mean((X @ model.coef_ - y) ** 2), rel=1e-9)


def test_a_rate_that_anneals_to_zero():
    X, y = load_diabetes(return_X_y=True)
    largest = ThroughOriginRegressor().fit(X, y).max_learning_rate_
    schedule = Cosine(largest / 2, epochs=400)
    model = ThroughOriginRegressor(
        learning_rate=schedule, alpha=0.2, l1_ratio=1.0, solver="gd", max_iter=400
    ).fit(X, y)
    expected = elastic_net(X, y, 0.2, 1.0)
    assert_allclose(model.coef_, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("change", "l1_ratio", "says"),
    [
        ({2: 1e-8}, 1.0, True),  # a column that has a weight
        ({2: 1e-8}, 0.5, False),  # the L2 penalty determines the weights
        ({0: 1e-8}, 1.0, False),  # a column without
        ({2: 0.0}, 1.0, False),  # the same column twice
    ],
)
def test_nearly_dependent_columns_matter_if_they_have_weights(change, l1_ratio, says):
    X, y = load_diabetes(return_X_y=True)
    ((column, size),) = change.items()
    noise = np.random.default_rng(0).normal(size=len(X)) * X.std(axis=0)[column]
    X = np.column_stack([X, X[:, column] + size * noise])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = ThroughOriginRegressor(alpha=0.2, l1_ratio=l1_ratio).fit(X, y)
    assert (model.coef_[0] == 0) == (l1_ratio == 1.0)
    messages = [str(each.message) for each in caught]
    assert len(messages) == says
    assert all("not determined to four digits" in message for message in messages)


def test_chunks_of_a_line_are_one_fit():
    X, y = load_diabetes(return_X_y=True)
    whole = ThroughOriginRegressor(alpha=0.2, l1_ratio=0.9).fit(X, y)
    parts = clone(whole)
    for part in np.array_split(np.arange(len(y)), 4):
        parts.partial_fit(X[part], y[part])
    assert_allclose(parts.coef_, whole.coef_, rtol=1e-7)
    assert_array_equal(parts.coef_ == 0, whole.coef_ == 0)


@pytest.mark.parametrize("solver", PROXIMAL)
def test_steps_on_chunks_are_those_of_a_fit(solver):
    X, y = sparse_problem()
    settings = {"loss": "huber", "alpha": 0.01, "l1_ratio": 0.9, "solver": solver}
    if solver == "nesterov":
        settings["solver"] = Nesterov(0.9)
    model = ThroughOriginRegressor(**settings, max_iter=8, tol=None).fit(X, y)
    parts = ThroughOriginRegressor(**settings)
    for _ in range(8):
        parts.partial_fit(X, y)
    assert 0 < np.count_nonzero(model.coef_) < model.coef_.size
    assert_allclose(parts.coef_, model.coef_, rtol=1e-9)


def test_a_warm_start_begins_at_the_solution():
    X, y = load_diabetes(return_X_y=True)
    model = ThroughOriginRegressor(alpha=0.2, l1_ratio=1.0, warm_start=True).fit(X, y)
    before = model.coef_
    assert model.fit(X, y).n_iter_ <= 2
    assert_allclose(model.coef_, before, rtol=1e-6)


# --- the neurons ------------------------------------------------------------------------------


def logistic(X, y, alpha, l1_ratio=1.0):
    """Return the logistic regression of scikit-learn, for the alpha of this package."""
    model = LogisticRegression(
        penalty="elasticnet",
        l1_ratio=l1_ratio,
        solver="saga",
        C=1 / (alpha * len(y)),
        tol=1e-8,
        max_iter=100_000,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of `penalty`, in scikit-learn 1.8
        return model.fit(X, y)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
@pytest.mark.parametrize("solver", ["momentum", "nesterov"])
def test_neuron_is_the_logistic_regression(solver, l1_ratio):
    X, y = load_breast_cancer(return_X_y=True)
    theirs = logistic(StandardScaler().fit_transform(X), y, 0.05, l1_ratio)
    ours = PerceptronClassifier(
        activation="sigmoid",
        loss="log_loss",
        solver=solver,
        alpha=0.05,
        l1_ratio=l1_ratio,
        batch_size=len(y),
        max_iter=1500,
        tol=None,
    ).fit(X, y)
    expected = theirs.predict_proba(StandardScaler().fit_transform(X))
    assert_allclose(ours.predict_proba(X), expected, atol=1e-4)
    assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    assert 0 < np.count_nonzero(ours.coef_) < 20


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_neurons_of_three_classes_on_columns_as_they_are(make):
    X, y = load_iris(return_X_y=True)
    ours = PerceptronClassifier(
        activation="sigmoid",
        loss="log_loss",
        standardize=False,
        solver="nesterov",
        alpha=0.05,  # the log loss is a sum over the neurons
        l1_ratio=1.0,
        batch_size=len(y),
        max_iter=6000,
        tol=None,
    ).fit(make(X), y)
    for k in range(3):
        theirs = logistic(X, y == k, 0.05)
        z = ours.decision_function(X)[:, k]
        assert_allclose(1 / (1 + np.exp(-z)), theirs.predict_proba(X)[:, 1], atol=1e-3)
        assert_array_equal(ours.coef_[k] == 0, theirs.coef_[0] == 0)


@pytest.mark.parametrize("batch_size", [1, 64, 569])
@pytest.mark.parametrize("standardize", ["standard", False])
def test_strength_does_not_depend_on_the_batch_size(batch_size, standardize):
    X, y = load_breast_cancer(return_X_y=True)
    rate, n_steps = 1e-3, -(-569 // batch_size)
    model = PerceptronClassifier(
        activation="identity",
        standardize=standardize,
        learning_rate=rate,
        batch_size=batch_size,
        alpha=0.5,
        l1_ratio=0.4,
        max_iter=1,
        tol=None,
    )
    coef = np.linspace(-0.5, 0.5, 30)
    # In columns without values there is no gradient, but that of the penalty.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(0 * X, y, coef_init=[coef], intercept_init=[2.0])
    for _ in range(n_steps):
        coef = threshold(coef * (1 - rate * 0.3), rate * 0.2)
    assert_allclose(model.coef_[0], coef, rtol=1e-9)
    # The bias is not penalised: it moves as without a penalty.
    bias = model.intercept_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_params(alpha=0.0, random_state=0).fit(0 * X, y, intercept_init=[2.0])
    assert_allclose(bias, model.intercept_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", PROXIMAL)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_small_batches_leave_exact_zeros(solver, early_stopping, dtype):
    X, y = load_breast_cancer(return_X_y=True)
    model = PerceptronClassifier(
        activation="sigmoid",
        solver=solver,
        batch_size=32,
        alpha=0.05,
        l1_ratio=1.0,
        early_stopping=early_stopping,
        random_state=0,
    ).fit(X.astype(dtype), y)
    assert 0 < np.count_nonzero(model.coef_) < model.coef_.size
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "identity"])
def test_neurons_without_weights_have_not_failed(activation):
    X, y = load_breast_cancer(return_X_y=True)
    model = PerceptronClassifier(activation=activation, alpha=100.0, l1_ratio=0.5).fit(X, y)
    assert not model.coef_.any()
    assert (model.predict(X) == 1).all()  # the larger class, by the bias


def test_the_mean_of_one_step_is_the_step():
    X, y = load_breast_cancer(return_X_y=True)
    model = PerceptronClassifier(
        activation="sigmoid", solver="nesterov", alpha=0.1, l1_ratio=1.0, batch_size=569
    )
    model.partial_fit(X, y, classes=[0, 1])
    averaged = clone(model).set_params(average=True).partial_fit(X, y, classes=[0, 1])
    assert 0 < np.count_nonzero(model.coef_) < 30
    assert_array_equal(averaged.coef_, model.coef_)


def test_the_automatic_rate_depends_on_the_l2_penalty_alone():
    X, y = load_breast_cancer(return_X_y=True)
    model = PerceptronClassifier(activation="tanh", max_iter=1, tol=None)
    plain = model.fit(X, y).learning_rate_
    assert model.set_params(alpha=0.5, l1_ratio=1.0).fit(X, y).learning_rate_ == plain
    ridge = model.set_params(alpha=0.2, l1_ratio=0.0).fit(X, y).learning_rate_
    mixed = model.set_params(alpha=0.5, l1_ratio=0.6).fit(X, y).learning_rate_
    assert mixed == pytest.approx(ridge, rel=1e-12)
    assert ridge < plain


def test_weights_of_zero_that_a_small_rate_leaves_are_a_failure():
    X, y = load_breast_cancer(return_X_y=True)
    model = PerceptronClassifier(
        activation="tanh", learning_rate=1e-12, alpha=1e-6, l1_ratio=1.0, max_iter=20
    )
    with pytest.warns(ConvergenceWarning, match="learned nothing"):
        model.fit(X, y)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("solver", PROXIMAL)
def test_small_edits_between_calls_change_little(solver, average):
    X, y = load_breast_cancer(return_X_y=True)
    edited = PerceptronClassifier(
        activation="sigmoid", solver=solver, alpha=0.05, l1_ratio=1.0, average=average,
        learning_rate=1.0, random_state=0,
    )  # fmt: skip
    plain = clone(edited)
    for _ in range(3):
        for model in (edited, plain):
            model.partial_fit(X, y, classes=[0, 1])
        if not average:  # an edit is where the average begins
            edited.intercept_ = edited.intercept_ + 1e-9
    assert (plain.coef_ == 0).any()
    assert_allclose(edited.coef_, plain.coef_, rtol=1e-6, atol=1e-9)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adagrad", "rmsprop", "adam", "adamw", Own(), Faster()])
@pytest.mark.parametrize(
    "model",
    [ThroughOriginRegressor(learning_rate=0.1), PerceptronClassifier(activation="sigmoid")],
    ids=str,
)
def test_solvers_without_a_proximal_step_are_refused(model, solver):
    X, y = load_breast_cancer(return_X_y=True)
    model = clone(model).set_params(solver=solver, l1_ratio=0.5)
    with pytest.raises(ValueError, match=r"'gd', 'momentum' or 'nesterov'\. Got solver="):
        model.fit(X, y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("options", [{}, {"batch_size": 10}, {"solver": "momentum"}])
def test_the_step_has_no_l1_penalty(options):
    X, y = load_breast_cancer(return_X_y=True)
    model = PerceptronClassifier(alpha=0.1, l1_ratio=0.5, **options)
    with pytest.raises(ValueError, match="l1_ratio > 0 needs a differentiable activation"):
        model.fit(X, y)
    assert not hasattr(model, "coef_")
