"""The neuron, against scikit-learn's, by hand, and on every truth table that a line can draw."""

import pickle
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import linprog
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Perceptron
from sklearn.metrics import log_loss
from sklearn.preprocessing import scale

from sklearn_gd import PerceptronClassifier, _kernels
from sklearn_gd._kernels import reference
from sklearn_gd.activations import ReLU, as_activation
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.schedules import InverseScaling

REAL = {f.__name__: f for f in (load_iris, load_digits, load_wine, load_breast_cancer)}
CUBE = np.array(list(product([0.0, 1.0], repeat=3)))
# Rosenblatt's rule on rows that no line separates, for a few epochs.
NOTHING_LEARNED = pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
SMOOTH = ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "silu", "gelu"]


@pytest.fixture(params=["compiled", "plain"])
def kernels(request, monkeypatch):
    """Run a test on the compiled loop and on the one in plain Python."""
    if request.param == "plain":
        for name in ("rosenblatt_dense", "rosenblatt_sparse"):
            monkeypatch.setattr(_kernels, name, getattr(reference, name))
    return request.param


def blobs(n_samples=120, n_classes=2, gap=3.0, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(n_samples) % n_classes
    centres = gap * np.array([[0, 1.0], [1, -1], [-2, -1]])[:n_classes]
    return centres[codes] + rng.normal(size=(n_samples, 2)), codes


# --- worked scenarios -------------------------------------------------------------------------


def test_worked_scenarios_of_a_neuron_with_given_weights():
    # Weights 0.7, 0.4, 0.2 and threshold 0.8: 0.4 + 0.2 does not exceed it, 0.7 + 0.2 does.
    X, y = np.array([[0, 1, 1], [1, 0, 1]]), np.array([0, 1])
    neuron = PerceptronClassifier(max_iter=1).fit(
        X, y, coef_init=[0.7, 0.4, 0.2], intercept_init=[-0.8]
    )
    assert_array_equal(neuron.predict([[0, 1, 1]]), [0])
    assert_array_equal(neuron.predict([[1, 0, 1]]), [1])
    assert_array_equal(neuron.coef_, [[0.7, 0.4, 0.2]])
    assert_array_equal(neuron.threshold_, [0.8])
    assert neuron.t_ == 0
    assert neuron.n_iter_ == 1


def separable(targets):
    """Return whether a line separates the corners of the cube: a linear programme decides."""
    side = np.where(targets, 1.0, -1.0)
    rows = -side[:, None] * np.column_stack([CUBE, np.ones(8)])
    free = [(None, None)] * 4
    return linprog(np.zeros(4), A_ub=rows, b_ub=-np.ones(8), bounds=free).status == 0


TABLES = [np.array(table) for table in product([0, 1], repeat=8)]
SEPARABLE = [table for table in TABLES if 0 < table.sum() < 8 and separable(table)]


def test_number_of_threshold_functions_of_three_inputs():
    assert len(SEPARABLE) == 104 - 2  # less the two constants


@pytest.mark.parametrize("shuffle", [False, True])
def test_learns_every_separable_truth_table_of_three_inputs(shuffle):
    for table in SEPARABLE:
        neuron = PerceptronClassifier(shuffle=shuffle, random_state=0, n_iter_no_change=50)
        neuron.fit(CUBE, table)
        assert_array_equal(neuron.predict(CUBE), table)
        assert neuron.loss_ == 0


def test_rosenblatts_rule_by_hand():
    X = np.array([[2.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    y = ["no", "yes", "yes"]
    w, b, wrong = np.zeros(2), 0.0, 0
    for x, side in zip(X, [-1, 1, 1], strict=True):
        if side * (w @ x + b) <= 0:
            w, b, wrong = w + 0.5 * side * x, b + 0.5 * side, wrong + 1
    neuron = PerceptronClassifier(shuffle=False, learning_rate=0.5, max_iter=1, tol=None)
    neuron.fit(X, y)
    assert_array_equal(neuron.coef_, [w])
    assert_array_equal(neuron.intercept_, [b])
    assert neuron.t_ == wrong
    assert_allclose(neuron.loss_curve_, [wrong / 3])
    assert_array_equal(neuron.classes_, ["no", "yes"])


# --- equal to scikit-learn --------------------------------------------------------------------


def theirs(k, X, y, weights=None, **params):
    return Perceptron(shuffle=False, tol=None, max_iter=k, **params).fit(
        X, y, sample_weight=weights
    )


def assert_same_neurons(ours, reference):
    size = np.abs(reference.coef_).max()
    assert_allclose(ours.coef_, reference.coef_, rtol=1e-12, atol=1e-12 * size)
    assert_allclose(ours.intercept_, reference.intercept_, rtol=1e-12, atol=1e-12 * size)


@NOTHING_LEARNED
@pytest.mark.parametrize("k", [1, 2, 5, 20])
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("weighting", ["none", "rows", "classes", "both"])
def test_equals_scikit_learn_epoch_by_epoch(name, k, weighting):
    X, y = REAL[name](return_X_y=True)
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 4, len(y)) / 2 if weighting in ("rows", "both") else None
    by_class = {0: 2.0, 1: 0.5} if weighting in ("classes", "both") else None
    for make in (np.asarray, sparse.csr_array):
        reference = theirs(k, make(X), y, weights, class_weight=by_class)
        ours = PerceptronClassifier(shuffle=False, tol=None, max_iter=k, class_weight=by_class)
        assert_same_neurons(ours.fit(make(X), y, weights), reference)


@NOTHING_LEARNED
@pytest.mark.parametrize("k", [1, 2, 5, 20])
@pytest.mark.parametrize("name", REAL)
def test_equals_scikit_learns_sparse_run_without_intercept(name, k):
    X, y = REAL[name](return_X_y=True)
    X = sparse.csr_array(X)
    ours = PerceptronClassifier(shuffle=False, tol=None, max_iter=k, fit_intercept=False)
    assert_same_neurons(ours.fit(X, y), theirs(k, X, y, fit_intercept=False))


@NOTHING_LEARNED
def test_balanced_class_weights_are_scikit_learns():
    X, y = load_wine(return_X_y=True)
    ours = PerceptronClassifier(shuffle=False, tol=None, max_iter=5, class_weight="balanced")
    reference = theirs(5, X, y, class_weight="balanced")
    assert_allclose(ours.fit(X, y).coef_, reference.coef_, rtol=1e-9)


def test_compiled_and_plain_loops_are_the_same_estimator(kernels):
    X, y = blobs(n_classes=3, gap=1.0)
    # Without a bias, which is slower for CSR, both loops do the same.
    params = {"average": True, "alpha": 0.001, "max_iter": 5, "tol": None, "random_state": 0}
    neuron = PerceptronClassifier(fit_intercept=False, **params).fit(X, y)
    expected = {"n_iter": 5, "t": neuron.t_}
    again = PerceptronClassifier(fit_intercept=False, **params).fit(sparse.csr_array(X), y)
    assert_allclose(again.coef_, neuron.coef_, rtol=1e-12)
    assert {"n_iter": again.n_iter_, "t": again.t_} == expected


def test_text_is_classified_as_by_scikit_learn(kernels):
    documents = [
        " ".join(f"word{k * 7 + j * (1 + i % 3)}" for j in range(i % 5 + 3)) + " the a of" * 3
        for i, k in enumerate(np.arange(60) % 4)
    ]
    X, y = TfidfVectorizer().fit_transform(documents), np.arange(60) % 4
    ours = PerceptronClassifier(shuffle=False, tol=None, max_iter=10).fit(X, y)
    reference = theirs(10, X, y)
    assert_same_neurons(ours, reference)
    assert_array_equal(ours.predict(X), reference.predict(X))
    assert np.abs(ours.intercept_).max() < 0.1 < np.abs(ours.coef_).max()


# --- properties of the rule -------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1e-6, 0.1, 3.0, 1e6])
def test_the_rate_scales_the_weights_and_nothing_else(rate):
    X, y = load_digits(return_X_y=True)
    one = PerceptronClassifier(random_state=0).fit(X, y)
    other = PerceptronClassifier(random_state=0, learning_rate=rate).fit(X, y)
    assert other.n_iter_ == one.n_iter_
    assert other.loss_curve_ == one.loss_curve_
    assert_allclose(other.coef_, rate * one.coef_, rtol=1e-12)


def test_an_epoch_without_a_mistake_ends_the_descent_even_without_tol(kernels):
    X, y = blobs(gap=8.0)
    neuron = PerceptronClassifier(tol=None, random_state=0).fit(X, y)
    assert neuron.n_iter_ < 20
    assert neuron.loss_curve_[-1] == 0
    assert all(loss > 0 for loss in neuron.loss_curve_[:-1])


def test_margins_bound_the_mistakes():
    # Novikoff (1962): at most (R / margin)² mistakes, for any order of the rows.
    X, y = blobs(gap=4.0)
    X = np.column_stack([X, np.ones(len(X))])
    side = 2 * y - 1
    best = linprog(
        [0, 0, 0, -1],
        A_ub=np.column_stack([-side[:, None] * X, np.ones(len(X))]),
        b_ub=np.zeros(len(X)),
        bounds=[(-1, 1)] * 3 + [(0, None)],
    )
    w = best.x[:3]
    margin = (side * (X @ w)).min() / np.linalg.norm(w)
    assert margin > 0
    neuron = PerceptronClassifier(fit_intercept=False, tol=None, random_state=0).fit(X, y)
    assert 0 < neuron.t_ <= (np.linalg.norm(X, axis=1).max() / margin) ** 2


def test_averaging_is_the_mean_over_every_visit(kernels):
    X, y = blobs(gap=1.0)
    side, w, seen = 2 * y - 1, np.zeros(3), []
    rows = np.column_stack([X, np.ones(len(X))])
    for _ in range(3):
        for x, s in zip(rows, side, strict=True):
            if s * (w @ x) <= 0:
                w = w + s * x
            seen.append(w)
    neuron = PerceptronClassifier(average=True, shuffle=False, max_iter=3, tol=None).fit(X, y)
    mean = np.mean(seen, axis=0)
    assert_allclose(neuron.coef_, [mean[:2]], rtol=1e-10)
    assert_allclose(neuron.intercept_, [mean[2]], rtol=1e-10)


def test_averaging_steadies_the_weights_where_no_line_separates():
    X, y = load_digits(return_X_y=True)
    X, y = X[:, ::3], y % 2
    plain = PerceptronClassifier(random_state=0).fit(X[::2], y[::2])
    average = PerceptronClassifier(random_state=0, average=True).fit(X[::2], y[::2])
    assert average.score(X[1::2], y[1::2]) > plain.score(X[1::2], y[1::2])


def test_a_batch_of_rows_is_corrected_at_once():
    X, y = blobs(gap=1.0)
    side, w = 2 * y - 1, np.zeros(3)
    rows = np.column_stack([X, np.ones(len(X))])
    for start in range(0, 120, 30):
        part = slice(start, start + 30)
        wrong = side[part] * (rows[part] @ w) <= 0
        w = w + 0.5 * (wrong * side[part]) @ rows[part] / 30
    neuron = PerceptronClassifier(
        shuffle=False, batch_size=30, learning_rate=0.5, max_iter=1, tol=None
    ).fit(X, y)
    assert_allclose(neuron.coef_, [w[:2]], rtol=1e-10)
    assert_allclose(neuron.intercept_, [w[2]], rtol=1e-10)


def test_loss_is_the_share_of_mistakes():
    X, y = load_breast_cancer(return_X_y=True)
    neuron = PerceptronClassifier(random_state=0).fit(X, y)
    assert_allclose(neuron.loss_, 1 - neuron.score(X, y))


def test_loss_of_several_neurons_is_the_share_of_their_mistakes():
    X, y = load_iris(return_X_y=True)
    neuron = PerceptronClassifier(random_state=0).fit(X, y)
    fires = X @ neuron.coef_.T + neuron.intercept_ > 0
    assert_allclose(neuron.loss_, np.mean(fires != (y[:, None] == np.arange(3))))


# --- smooth neurons ---------------------------------------------------------------------------


def test_sigmoid_neuron_descends_on_its_squared_error_by_hand():
    X, y = blobs()
    w, b = np.zeros(2), 0.0
    for _ in range(4):
        a = expit(X @ w + b)
        slope = 2 * (a - y) * a * (1 - a) / len(y)
        w, b = w - 0.3 * slope @ X, b - 0.3 * slope.sum()
    neuron = PerceptronClassifier(
        activation="sigmoid",
        standardize=False,
        learning_rate=0.3,
        shuffle=False,
        max_iter=4,
        tol=None,
    ).fit(X, y)
    assert_allclose(neuron.coef_, [w], rtol=1e-12)
    assert_allclose(neuron.intercept_, [b], rtol=1e-12)
    assert_allclose(neuron.loss_, np.mean((expit(X @ w + b) - y) ** 2), rtol=1e-12)
    assert neuron.t_ == 4


@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_activation_tells_blobs_apart(activation, n_classes):
    X, y = blobs(n_samples=300, n_classes=n_classes, gap=4.0)
    neuron = PerceptronClassifier(activation=activation, random_state=0).fit(X, y)
    assert neuron.score(X, y) > 0.95
    assert neuron.loss_ < neuron.loss_curve_[0]


@pytest.mark.parametrize("activation", SMOOTH)
def test_auto_rate_never_raises_the_loss_of_full_batches(activation):
    X, y = load_breast_cancer(return_X_y=True)
    neuron = PerceptronClassifier(
        activation=activation, batch_size=569, max_iter=50, tol=None, alpha=0.01
    ).fit(scale(X), y)
    assert (np.diff(neuron.loss_curve_) <= 0).all()


def test_auto_rate_bounds_the_curvature_of_the_sigmoid():
    X, y = blobs()
    neuron = PerceptronClassifier(
        activation="sigmoid", standardize=False, max_iter=1, tol=None
    ).fit(X, y)
    rows = np.column_stack([X, np.ones(len(X))])
    worst = 0.0
    for w in np.random.default_rng(0).normal(size=(200, 3)):
        a = expit(rows @ w)
        d1, d2 = a * (1 - a), a * (1 - a) * (1 - 2 * a)
        second = 2 * d1**2 + 2 * (a - y) * d2
        worst = max(worst, np.linalg.eigvalsh((rows.T * second) @ rows / len(y))[-1])
    assert worst <= 1 / neuron.learning_rate_ < 4 * worst


def test_best_constant_output_is_one_that_the_neuron_has():
    # Of the targets -1 and 1, the ReLU can output the second alone.
    X, y = load_digits(return_X_y=True)
    neuron = PerceptronClassifier(activation="relu", random_state=0).fit(X, y)  # no warning
    assert neuron.loss_ < 1  # that of the output 0
    nothing = np.tile([0, 0, 0, 1], 10)
    with pytest.warns(ConvergenceWarning, match="best constant prediction, 1"):
        neuron.fit(np.zeros((40, 1)), nothing)


def test_probabilities_are_the_sigmoids_outputs():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    neuron = PerceptronClassifier(activation="sigmoid", random_state=0).fit(X, y)
    p = neuron.predict_proba(X)
    assert_allclose(p[:, 1], expit(neuron.decision_function(X)))
    assert_allclose(p.sum(axis=1), 1)
    assert log_loss(y, p) < 0.15
    for activation in ("step", "tanh", ReLU()):
        with pytest.raises(AttributeError, match="predict_proba"):
            PerceptronClassifier(activation=activation).fit(X, y).predict_proba(X)


def test_probabilities_of_several_classes_sum_to_one():
    X, y = blobs(n_classes=3)
    neuron = PerceptronClassifier(activation="sigmoid", random_state=0).fit(X, y)
    p = neuron.predict_proba(np.vstack([X, [[1e6, -1e6]], [[-1e6, 1e6]], [[0, 1e6]]]))
    assert_allclose(p.sum(axis=1), 1)
    assert (p >= 0).all()
    assert_array_equal(p[: len(X)].argmax(axis=1), neuron.predict(X))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", (np.sin, np.cos)])
def test_firing_is_being_above_the_middle_of_the_targets(activation):
    X, y = blobs(gap=4.0)
    neuron = PerceptronClassifier(activation=activation, random_state=0).fit(X, y)
    f = as_activation(activation)
    z = neuron.decision_function(X)
    assert_array_equal(neuron.predict(X), z > 0)
    assert_array_equal(X @ neuron.coef_[0] > neuron.threshold_[0], z > 0)
    middle = f(np.zeros(1))[0]
    assert np.mean((f(z) > middle) == y) > 0.97


@pytest.mark.parametrize("activation", ["step", "sigmoid"])
def test_sample_weights_scale_freely_and_zero_is_absence(activation):
    X, y = blobs(gap=1.0)
    weights = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    params = {"activation": activation, "shuffle": False}
    one = PerceptronClassifier(**params).fit(X, y, weights)
    some = weights > 0
    absent = PerceptronClassifier(**params).fit(X[some], y[some], weights[some])
    assert_allclose(absent.coef_, one.coef_, rtol=1e-9)
    ten = PerceptronClassifier(**params).fit(X, y, 10 * weights)
    assert_array_equal(ten.predict(X), one.predict(X))
    assert ten.n_iter_ == one.n_iter_


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_weights_of_a_smooth_neuron_are_row_weights(activation, n_classes):
    X, y = blobs(n_classes=n_classes, gap=1.0)
    weights, by_class = np.random.default_rng(0).uniform(0.5, 2, len(y)), {0: 2.0, 1: 0.25}
    params = {"activation": activation, "random_state": 0, "batch_size": 40, "max_iter": 3}
    params |= {"tol": None}
    by = PerceptronClassifier(class_weight=by_class, **params).fit(X, y, weights)
    each = weights * np.array([2.0, 0.25, 1.0])[y]
    assert_array_equal(PerceptronClassifier(**params).fit(X, y, each).coef_, by.coef_)


@NOTHING_LEARNED
@pytest.mark.parametrize("activation", ["step", "sigmoid", "relu"])
def test_csr_is_dense_and_float32_stays(activation):
    X, y = load_digits(return_X_y=True)
    params = {"activation": activation, "random_state": 0, "max_iter": 5, "tol": None}
    params["standardize"] = False  # columns of CSR are not centred
    params["fit_intercept"] = activation != "step"  # the bias of the step is slower for CSR
    dense = PerceptronClassifier(**params).fit(X, y)
    csr = PerceptronClassifier(**params).fit(sparse.csr_array(X), y)
    assert_allclose(csr.coef_, dense.coef_, rtol=1e-6, atol=1e-9)
    assert_array_equal(csr.predict(sparse.csr_matrix(X)), dense.predict(X))
    single = PerceptronClassifier(**params).fit(sparse.csr_array(X, dtype=np.float32), y)
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    assert single.decision_function(X.astype(np.float32)).dtype == np.float32


# --- the scale of smooth neurons --------------------------------------------------------------

NEURON = PerceptronClassifier(activation="sigmoid", random_state=0)
SHORT = clone(NEURON).set_params(max_iter=15, tol=None)
TINY = 1e-30  # a rate that changes no weight


def standardised(X, y, **params):
    """Return a neuron that was trained on columns standardised by scikit-learn, and them."""
    Z = scale(X, with_mean=params.get("fit_intercept", True))
    return clone(SHORT).set_params(standardize=False, **params).fit(Z, y), Z


def close_scores(one, X, other, Z, rtol=1e-9):
    assert_allclose(one.decision_function(X), other.decision_function(Z), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "identity"])
def test_unscaled_rows_are_learned_at_default_settings(activation):
    X, y = load_wine(return_X_y=True)
    neuron = clone(NEURON).set_params(activation=activation).fit(X, y)
    assert neuron.score(X, y) > 0.95
    assert neuron.n_iter_ < 200


@NOTHING_LEARNED
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("activation", ["sigmoid", "identity", "relu"])
@pytest.mark.parametrize("solver", ["gd", "adam"])
@pytest.mark.parametrize("average", [False, True])
def test_weights_are_those_for_standardised_columns_folded(
    fit_intercept, activation, solver, average
):
    X, y = load_wine(return_X_y=True)
    params = {"fit_intercept": fit_intercept, "activation": activation, "alpha": 0.01}
    params |= {"solver": solver, "average": average, "learning_rate": 0.003, "batch_size": 50}
    by_hand, Z = standardised(X, y, **params)
    neuron = clone(SHORT).set_params(**params).fit(X, y)
    close_scores(neuron, X, by_hand, Z)
    assert_allclose(neuron.coef_, by_hand.coef_ / X.std(axis=0))
    assert_allclose(neuron.loss_, by_hand.loss_)
    assert neuron.intercept_.any() == fit_intercept


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_auto_rate_is_that_of_standardised_columns(fit_intercept):
    X, y = load_wine(return_X_y=True)
    by_hand, Z = standardised(X, y, fit_intercept=fit_intercept)
    neuron = clone(SHORT).set_params(fit_intercept=fit_intercept).fit(X, y)
    assert_allclose(neuron.learning_rate_, by_hand.learning_rate_)
    close_scores(neuron, X, by_hand, Z)


def test_sparse_columns_are_divided_and_not_centred():
    X, y = load_digits(return_X_y=True)
    by_hand, Z = standardised(sparse.csr_array(X), y, fit_intercept=False)
    neuron = clone(SHORT).set_params(fit_intercept=False).fit(sparse.csr_array(X), y)
    close_scores(neuron, X, by_hand, Z)
    dense = clone(SHORT).set_params(fit_intercept=False).fit(X, y)
    close_scores(dense, X, neuron, X)
    assert_allclose(dense.learning_rate_, neuron.learning_rate_)


def test_weights_of_standardised_samples_are_repeats():
    X, y = load_wine(return_X_y=True)
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    params = {"batch_size": 10_000, "shuffle": False}
    weighted = clone(SHORT).set_params(**params).fit(X, y, counts)
    repeated = clone(SHORT).set_params(**params).fit(np.repeat(X, counts, 0), y.repeat(counts))
    close_scores(weighted, X, repeated, X)


def test_more_features_than_samples_are_standardised():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2000)) * 10.0 ** rng.uniform(-3, 3, 2000), np.arange(60) % 2
    X += 100 * X.std(axis=0)
    by_hand, Z = standardised(X, y)
    neuron = clone(SHORT).fit(X, y)
    assert_allclose(neuron.learning_rate_, by_hand.learning_rate_)
    close_scores(neuron, X, by_hand, Z, rtol=1e-7)
    held_out = clone(SHORT).set_params(early_stopping=True).fit(X, y)
    assert held_out.n_iter_ == 15


def test_single_precision_columns_far_from_zero():
    X, y = load_wine(return_X_y=True)
    moved = (scale(X) + 100).astype(np.float32)
    neuron, double = clone(NEURON).fit(moved, y), clone(NEURON).fit(moved.astype(float), y)
    assert neuron.coef_.dtype == neuron.intercept_.dtype == np.float32
    assert_allclose(neuron.learning_rate_, double.learning_rate_, rtol=1e-5)
    assert_allclose(neuron.coef_, double.coef_, atol=1e-3)
    assert neuron.score(moved, y) > 0.95


@pytest.mark.filterwarnings("ignore:PerceptronClassifier")
@pytest.mark.parametrize("batch_size", [1, 50])
def test_the_step_gets_columns_as_they_are(batch_size):
    X, y = load_wine(return_X_y=True)
    neuron = PerceptronClassifier(batch_size=batch_size, max_iter=3, random_state=0).fit(X, y)
    as_they_are = clone(neuron).set_params(standardize=False).fit(X, y)
    assert_array_equal(neuron.coef_, as_they_are.coef_)
    neuron.partial_fit(X[:5], y[:5])


def test_first_weights_are_in_the_units_of_the_data():
    X, y = load_wine(return_X_y=True)
    first = clone(NEURON).fit(X, y)
    still = clone(SHORT).set_params(max_iter=1, learning_rate=TINY)
    still.fit(X, y, coef_init=first.coef_, intercept_init=first.intercept_)
    assert_allclose(still.coef_, first.coef_)
    assert_allclose(still.intercept_, first.intercept_)
    assert_allclose(still.loss_, first.loss_)


def test_warm_starts_keep_the_scale_of_the_first_fit():
    X, y = load_wine(return_X_y=True)
    neuron = clone(SHORT).set_params(warm_start=True).fit(X, y)
    before, scaling = neuron.coef_.copy(), neuron._scaling.packed()
    neuron.set_params(learning_rate=TINY, max_iter=1).fit(X[::2] + 5, y[::2])
    assert_allclose(neuron.coef_, before)
    assert_array_equal(neuron._scaling.packed(), scaling)
    neuron.set_params(learning_rate="auto", max_iter=15).fit(sparse.csr_array(X), y)
    assert_array_equal(neuron._scaling.packed(), scaling)
    assert neuron.score(X, y) > 0.95


@pytest.mark.parametrize("first", ["standard", False])
def test_a_changed_scale_is_refused_where_weights_are_kept(first):
    X, y = load_wine(return_X_y=True)
    neuron = clone(SHORT).set_params(standardize=first, warm_start=True, activation="tanh")
    neuron.fit(X, y)
    before, other = neuron.coef_.copy(), "standard" if first is False else False
    neuron.set_params(standardize=other)
    for learn in (neuron.fit, neuron.partial_fit):
        with pytest.raises(ValueError, match=f"'standardize' parameter must stay .* {first!r}"):
            learn(X, y)
        assert_array_equal(neuron.coef_, before)
    neuron.set_params(warm_start=False).fit(X, y).partial_fit(X, y)
    neuron.set_params(activation="step", max_iter=1, warm_start=True)
    with pytest.warns(ConvergenceWarning):
        neuron.set_params(tol=1.0).fit(X, y)


def test_no_column_is_centred_once_there_is_no_bias():
    X, y = load_wine(return_X_y=True)
    neuron = clone(SHORT).set_params(warm_start=True).fit(X, y)
    neuron.set_params(fit_intercept=False, learning_rate=TINY, max_iter=1)
    before = neuron.coef_.copy()
    neuron.fit(X, y, intercept_init=np.zeros(3))
    assert_allclose(neuron.coef_, before)


def test_held_out_rows_do_not_set_the_scale():
    X, y = load_wine(return_X_y=True)
    with pytest.warns(UserWarning, match="X_val seems to be in other units than X"):
        neuron = clone(SHORT).fit(X[::2], y[::2], X_val=1e6 * X[1::2], y_val=y[1::2])
    assert_allclose(neuron._scaling.center, X[::2].mean(axis=0))
    own = clone(SHORT).set_params(early_stopping=True).fit(X, y)
    assert abs(own._scaling.center / X.mean(axis=0) - 1).max() > 1e-6


@pytest.mark.parametrize("average", [False, True])
def test_later_calls_of_partial_fit_keep_the_scale_and_every_bit(average):
    X, y = load_wine(return_X_y=True)
    params = {"average": average, "solver": "adam", "learning_rate": 0.01}
    whole = clone(SHORT).set_params(max_iter=5, **params).fit(X, y)
    parts = clone(SHORT).set_params(**params)
    for _ in range(5):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y, classes=[0, 1, 2])))
    assert_array_equal(parts.coef_, whole.coef_)
    assert_array_equal(parts.intercept_, whole.intercept_)
    scaling = parts._scaling.packed()
    parts.partial_fit(1e3 * X[:1], y[:1])
    assert_array_equal(parts._scaling.packed(), scaling)


def test_a_first_partial_fit_on_few_rows_is_refused():
    X, y = load_wine(return_X_y=True)
    weights = np.r_[np.ones(9), np.zeros(len(y) - 9)]
    neuron = clone(NEURON)
    for data in ((X[:9], y[:9], [0, 1, 2]), (X, y, [0, 1, 2], weights)):
        with pytest.raises(ValueError, match=r"takes 10 rows with weight or more\. Got 9"):
            neuron.partial_fit(*data)
        assert not hasattr(neuron, "coef_")
    neuron.partial_fit(X, y, [0, 1, 2], 0 * weights)
    with pytest.raises(ValueError, match="Got 9"):
        neuron.partial_fit(X[:9], y[:9])
    neuron.partial_fit(X[:15], y[:15]).partial_fit(X[:1], y[:1])
    clone(NEURON).set_params(standardize=False).partial_fit(X[:2], y[:2], [0, 1, 2])


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("standardize", ["standard", False])
def test_edited_weights_are_those_that_learning_goes_on_from(standardize, average):
    X, y = load_wine(return_X_y=True)
    params = {"standardize": standardize, "average": average}
    neuron = clone(SHORT).set_params(**params).partial_fit(X, y, [0, 1, 2])
    neuron.coef_, neuron.intercept_ = 2 * neuron.coef_, neuron.intercept_ + 1
    coef, intercept = neuron.coef_.copy(), neuron.intercept_.copy()
    neuron.set_params(learning_rate=TINY).partial_fit(X, y)
    assert_allclose(neuron.coef_, coef)
    assert_allclose(neuron.intercept_, intercept)


@pytest.mark.parametrize(
    ("params", "advice"),
    [
        ({"max_iter": 2}, "reached max_iter=2 .* Raise max_iter, or try another learning_rate"),
        ({"max_iter": 2, "standardize": False}, "Set standardize='standard'"),
        ({"learning_rate": 1e-30}, "learned nothing: .* Take learning_rate='auto'"),
    ],
)
def test_advice_on_the_scale(params, advice):
    X, y = load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match=advice) as caught:
        clone(NEURON).set_params(**params).fit(X, y)
    assert "StandardScaler" not in str(caught[0].message)


# --- going on, and stopping -------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["step", "tanh"])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("solver", ["gd", "adam"])
@pytest.mark.parametrize("average", [False, True])
def test_partial_fits_are_the_epochs_of_one_fit(activation, shuffle, solver, average):
    X, y = blobs(gap=1.0, n_classes=3)
    params = {
        "activation": activation,
        "shuffle": shuffle,
        "solver": solver,
        "average": average,
        "batch_size": 1 if solver == "gd" else 50,
        "learning_rate": InverseScaling(0.1),
        "random_state": 3,
        "alpha": 0.001,
    }
    whole = PerceptronClassifier(max_iter=4, tol=None, **params).fit(X, y)
    parts = PerceptronClassifier(**params)
    for _ in range(4):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    assert_array_equal(parts.coef_, whole.coef_)
    assert_array_equal(parts.intercept_, whole.intercept_)
    assert parts.loss_curve_ == whole.loss_curve_
    assert (parts.n_iter_, parts.t_, parts.loss_) == (whole.n_iter_, whole.t_, whole.loss_)


def test_partial_fit_knows_classes_that_are_yet_to_come():
    X, y = blobs(n_classes=3, gap=6.0)
    neuron = PerceptronClassifier(shuffle=False)
    neuron.partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert neuron.coef_.shape == (3, 2)
    for _ in range(20):
        neuron.partial_fit(X, y)
    assert neuron.score(X, y) > 0.95


@NOTHING_LEARNED
def test_partial_fit_goes_on_from_fit():
    X, y = load_wine(return_X_y=True)
    neuron = PerceptronClassifier(max_iter=3, tol=None, shuffle=False).fit(X, y)
    neuron.partial_fit(X, y)
    longer = PerceptronClassifier(max_iter=4, tol=None, shuffle=False).fit(X, y)
    assert_allclose(neuron.coef_, longer.coef_, rtol=1e-12)
    assert neuron.n_iter_ == 4


def test_warm_start_begins_at_the_last_weights():
    X, y = blobs(gap=6.0)
    neuron = PerceptronClassifier(warm_start=True, random_state=0).fit(X, y)
    before = neuron.coef_.copy()
    neuron.fit(X, y)
    assert neuron.n_iter_ == 1
    assert_array_equal(neuron.coef_, before)
    with pytest.raises(ValueError, match="classes of the last fit"):
        neuron.fit(X, y + 5)
    assert_array_equal(neuron.classes_, [0, 1])


@pytest.mark.parametrize("activation", ["step", "sigmoid"])
@pytest.mark.parametrize("given", [False, True])
def test_best_weights_on_the_validation_set_come_back(activation, given):
    X, y = load_digits(return_X_y=True)
    params = {"activation": activation, "random_state": 0, "max_iter": 12, "tol": None}
    if given:
        X_val, y_val = X[1::2], y[1::2]
        neuron = PerceptronClassifier(**params)
        neuron.fit(X[::2], y[::2], X_val=X_val, y_val=y_val)
        best = PerceptronClassifier(**{**params, "max_iter": neuron.best_iter_ + 1})
        best.fit(X[::2], y[::2])
        assert_array_equal(neuron.coef_, best.coef_)
    else:
        neuron = PerceptronClassifier(early_stopping=True, **params).fit(X, y)
    assert len(neuron.validation_loss_curve_) == neuron.n_iter_
    assert neuron.best_loss_ == min(neuron.validation_loss_curve_)
    assert neuron.validation_loss_curve_.index(neuron.best_loss_) == neuron.best_iter_


@NOTHING_LEARNED
def test_patience_is_counted_exactly():
    X = np.array([[0.0], [0.0], [1.0], [1.0]])
    y = [0, 1, 0, 1]  # nothing to be learned
    for patience in (1, 3, 7):
        neuron = PerceptronClassifier(shuffle=False, n_iter_no_change=patience).fit(X, y)
        best = int(np.argmin(neuron.loss_curve_))
        assert neuron.n_iter_ == best + 1 + patience


def test_max_iter_ends_it_with_one_warning():
    X, y = load_digits(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="max_iter=2") as caught:
        PerceptronClassifier(max_iter=2, random_state=0).fit(X, y)
    assert len(caught) == 1


def test_divergence_leaves_the_neuron_as_it_was():
    X, y = blobs()
    neuron = PerceptronClassifier(activation="identity", random_state=0).fit(X, y)
    before = neuron.coef_.copy()
    neuron.set_params(learning_rate=1e3)
    with pytest.raises(DivergenceError, match="learning rate is 1000"):
        neuron.fit(X, y)
    assert_array_equal(neuron.coef_, before)


def test_rows_too_large_for_their_precision_are_a_divergence():
    X = np.array([[3e38, 3e38], [-3e38, 3e38]], dtype=np.float32)
    with pytest.raises(DivergenceError, match="no longer finite"):
        PerceptronClassifier(learning_rate=10.0).fit(X, [0, 1])


def test_falling_activations_fire_above_the_threshold_too():
    X, y = load_breast_cancer(return_X_y=True)
    falling = (lambda z: -np.tanh(z), lambda z: np.tanh(z) ** 2 - 1)
    neuron = PerceptronClassifier(activation=falling, random_state=0, max_iter=20, tol=None)
    assert neuron.fit(scale(X), y).score(scale(X), y) > 0.95


@pytest.mark.parametrize("alpha", [1e-12, 1e-18])
def test_averages_do_not_mind_a_penalty_too_small_to_see(alpha):
    X, y = load_iris(return_X_y=True)
    plain = PerceptronClassifier(average=True, shuffle=False, max_iter=20, tol=None).fit(X, y)
    penalised = clone(plain).set_params(alpha=alpha).fit(X, y)
    assert_allclose(penalised.coef_, plain.coef_, rtol=1e-8)


def test_global_random_state_is_neither_read_nor_written():
    X, y = blobs(gap=1.0)
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    PerceptronClassifier(early_stopping=True, max_iter=3, tol=None).fit(X, y)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_columns_that_lie_together_give_the_same_weights():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 7))
    y = (X[:, 0] > 0).astype(int)
    neuron = PerceptronClassifier(max_iter=5, tol=None, random_state=0)
    by_columns = clone(neuron).fit(np.asfortranarray(X), y)
    assert_array_equal(by_columns.coef_, neuron.fit(X, y).coef_)
