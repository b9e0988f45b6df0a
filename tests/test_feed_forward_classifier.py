"""The network for classes, beside MLPClassifier and LogisticRegression, and by properties."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_multilabel_classification,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_gd import FeedForwardClassifier
from sklearn_gd.callbacks import Checkpoint, resume
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.losses import BinaryLogLoss
from sklearn_gd.solvers import Adam, Momentum

IRIS, SPECIES = load_iris(return_X_y=True)
CANCER, MALIGNANT = load_breast_cancer(return_X_y=True)
SMALL = FeedForwardClassifier(
    hidden_layer_sizes=(8,), alpha=0.0, max_iter=15, tol=None, random_state=0
)


def blurred_iris():
    """Return three classes that no plane separates, so that logits stay finite."""
    return IRIS + np.random.default_rng(0).normal(size=IRIS.shape), SPECIES


def plain(**params):
    return FeedForwardClassifier(
        **{"standardize": False, "tol": None, "shuffle": False, "alpha": 0.0, "random_state": 0}
        | params
    )


def assert_same_weights(one, other, **tolerance):
    for a, b in zip(
        [*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True
    ):
        assert_allclose(a, b, **tolerance)


# --- oracles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["two classes", "three classes", "indicators"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(
    ("their_solver", "solver"),
    [
        ({"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False}, Momentum(0.9)),
        ({"solver": "adam"}, Adam()),
    ],
)
@pytest.mark.filterwarnings("ignore:FeedForwardClassifier learned nothing")  # momentum overshoots
def test_equals_scikit_learn_step_for_step(kind, activation, their_solver, solver):
    X, y = blurred_iris()
    if kind == "two classes":
        X, y = X[y > 0], y[y > 0]
    if kind == "indicators":
        X, y = make_multilabel_classification(150, 4, n_classes=3, random_state=0)
        X = X / 10
    settings = {"hidden_layer_sizes": (6, 4), "activation": activation, "batch_size": 25}
    params = {**settings, "shuffle": False, "random_state": 0, "tol": 0.0, "alpha": 0.0}
    theirs = MLPClassifier(**params, solver="sgd", max_iter=1, learning_rate_init=1e-300)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, y)
    ours = plain(**settings, solver=solver, learning_rate=0.01, max_iter=5, warm_start=True)
    ours.set_params(max_iter=1, learning_rate=1e-300).fit(X, y)
    ours.coefs_ = [W.copy() for W in theirs.coefs_]
    ours.intercepts_ = [b.copy() for b in theirs.intercepts_]
    ours.set_params(max_iter=5, learning_rate=0.01).fit(X, y)
    theirs.set_params(**their_solver, warm_start=True, max_iter=5, learning_rate_init=0.01)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X, y)
    assert_same_weights(ours, theirs, rtol=1e-9, atol=1e-12)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_allclose(ours.loss_curve_, theirs.loss_curve_[1:], rtol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_without_hidden_layers_it_is_logistic_regression(n_classes, weighted):
    X, y = blurred_iris()
    X, y = X[y < n_classes] * [1, 100, 0.01, 1], y[y < n_classes]
    X += np.random.default_rng(1).normal(size=X.shape) * [1, 100, 0.01, 1]
    weights = np.random.default_rng(0).integers(0, 3, len(y)) if weighted else None
    net = FeedForwardClassifier(
        hidden_layer_sizes=(),
        solver="lbfgs",
        standardize="standard",
        alpha=0.0,
        max_iter=1000,
        tol=1e-12,
    ).fit(X, y, weights)
    scale = X.std(axis=0)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)
    theirs.fit(X / scale, y, weights)
    assert_allclose(net.predict_proba(X), theirs.predict_proba(X / scale), atol=1e-4)
    coef = net.coefs_[0] - net.coefs_[0].mean(axis=1, keepdims=True) * (n_classes > 2)
    assert_allclose(coef.T, theirs.coef_ / scale, rtol=2e-3, atol=1e-3 / scale.min() * 0.01)


def test_the_losses_are_those_of_the_metric():
    net = clone(SMALL).fit(IRIS, SPECIES)
    p = net.predict_proba(IRIS)
    assert_allclose(net.loss_, log_loss(SPECIES, p), rtol=1e-12)
    assert_allclose(p.sum(axis=1), 1)
    assert_allclose(np.exp(net.predict_log_proba(IRIS)), p)
    assert_array_equal(net.predict(IRIS), p.argmax(axis=1))
    two = clone(SMALL).fit(CANCER, MALIGNANT)
    p = two.predict_proba(CANCER)
    assert_allclose(two.loss_, log_loss(MALIGNANT, p), rtol=1e-12)
    assert_array_equal(two.decision_function(CANCER) > 0, p[:, 1] > 0.5)
    assert_allclose(np.exp(two.predict_log_proba(CANCER)), p)


@pytest.mark.parametrize("kind", ["one against the rest", "indicators", "squared error"])
def test_logarithms_of_sigmoids(kind):
    y = np.eye(3, dtype=int)[SPECIES] if kind == "indicators" else SPECIES
    loss = {"one against the rest": BinaryLogLoss(), "squared error": "squared_error"}
    net = clone(SMALL).set_params(loss=loss.get(kind, "log_loss"), max_iter=100).fit(IRIS, y)
    assert net.score(IRIS, y) > 0.8
    assert_allclose(np.exp(net.predict_log_proba(IRIS)), net.predict_proba(IRIS))


def test_logarithms_of_probabilities_do_not_underflow():
    net = clone(SMALL).fit(CANCER, MALIGNANT)
    net.intercepts_[-1] = np.array([5000.0])
    log_p = net.predict_log_proba(CANCER[:3])
    assert np.isfinite(log_p).all()
    assert (log_p[:, 0] < -4000).all()
    assert_array_equal(net.predict_proba(CANCER[:3])[:, 0], 0)


# --- properties -------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [["b", "a", "c"], [5, -1, 7], [3.0, 1.0, 2.0]])
def test_any_labels(labels):
    labels = np.asarray(labels)
    net, by_number = clone(SMALL), clone(SMALL)
    y = labels[SPECIES]
    net.fit(IRIS, y)
    by_number.fit(IRIS, np.unique(labels, return_inverse=True)[1][SPECIES])
    assert_array_equal(net.classes_, np.unique(labels))
    assert_array_equal(net.predict(IRIS), net.classes_[by_number.predict(IRIS)])
    assert_same_weights(net, by_number, rtol=0)


def test_units_do_not_matter():
    scale, shift = np.array([1e6, 1e-6, 3.0, 0.1]), np.array([1e7, -1e-5, 2.0, 50.0])
    net, other = clone(SMALL).fit(IRIS, SPECIES), clone(SMALL).fit(IRIS * scale + shift, SPECIES)
    assert_allclose(other.predict_proba(IRIS * scale + shift), net.predict_proba(IRIS), atol=1e-6)


@pytest.mark.parametrize("params", [{}, {"loss": "squared_error"}, {"class_weight": "balanced"}])
def test_weights_are_repeats(params):
    net = clone(SMALL).set_params(batch_size=None, **params)
    weights = np.random.default_rng(0).integers(0, 3, len(SPECIES))
    rows = np.repeat(np.arange(len(SPECIES)), weights)
    one = clone(net).fit(IRIS, SPECIES, weights)
    other = clone(net).fit(IRIS[rows], SPECIES[rows])
    assert_same_weights(one, other, rtol=1e-7, atol=1e-9)


def test_class_weights_are_sample_weights():
    of_class = {0: 1.0, 1: 0.0, 2: 2.5}
    by_class = clone(SMALL).set_params(class_weight=of_class).fit(IRIS, SPECIES)
    weights = np.array(list(of_class.values()))[SPECIES]
    assert_same_weights(by_class, clone(SMALL).fit(IRIS, SPECIES, weights), rtol=0)


def test_sparse_rows_are_those_of_dense_ones():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300], y[:300]
    net = clone(SMALL).fit(sparse.csr_array(X), y)
    assert net.score(sparse.csr_array(X), y) > 0.8
    assert_allclose(net.predict_proba(X), net.predict_proba(sparse.csr_array(X)), rtol=1e-10)


def test_single_precision_stays():
    X = IRIS.astype(np.float32)
    net = clone(SMALL).fit(X, SPECIES)
    assert {a.dtype for a in (*net.coefs_, *net.intercepts_)} == {np.dtype(np.float32)}
    assert net.predict_proba(X).dtype == np.float32
    assert_allclose(
        net.predict_proba(X), clone(SMALL).fit(IRIS, SPECIES).predict_proba(IRIS), atol=1e-3
    )


@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_label_indicators(loss):
    X, Y = make_multilabel_classification(300, random_state=0)
    net = FeedForwardClassifier(loss=loss, max_iter=20, random_state=0).fit(X, Y)
    p = net.predict_proba(X)
    assert p.shape == Y.shape
    assert_array_equal(net.predict(X), (p > 0.5).astype(int))
    assert net.score(X, Y) > 0.5
    assert_array_equal(net.classes_, np.arange(Y.shape[1]))
    if loss == "log_loss":
        of_each = [log_loss(y, q) for y, q in zip(Y.T, p.T, strict=True)]
        assert_allclose(net.loss_, sum(of_each), rtol=1e-10)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "log_cosh"])
def test_other_losses_have_targets_0_and_1(loss):
    net = FeedForwardClassifier(loss=loss, random_state=0).fit(IRIS, SPECIES)
    assert net.score(IRIS, SPECIES) > 0.95
    assert_allclose(net.predict_proba(IRIS).sum(axis=1), 1)
    assert net.loss_ < 0.05
    line = FeedForwardClassifier(
        loss=loss, output_activation="identity", random_state=0, max_iter=20
    ).fit(CANCER, MALIGNANT)
    assert line.score(CANCER, MALIGNANT) > 0.95
    assert not hasattr(line, "predict_proba")


# --- the life of a model ----------------------------------------------------------------------


def test_raw_columns_are_learned_by_default():
    for load in (load_wine, load_breast_cancer, load_digits):
        X, y = load(return_X_y=True)
        scores = cross_val_score(FeedForwardClassifier(random_state=0), X, y, cv=3)
        assert scores.mean() > 0.93, load.__name__


def test_the_hold_out_has_the_class_shares_and_is_watched():
    rare = np.r_[np.flatnonzero(SPECIES == 0)[:10], np.flatnonzero(SPECIES > 0)]
    net = clone(SMALL).set_params(early_stopping=True, validation_fraction=0.2)
    net.fit(IRIS[rare], SPECIES[rare])
    assert len(net.validation_loss_curve_) == net.n_iter_
    assert net.best_loss_ == min(net.validation_loss_curve_)
    with pytest.raises(ValueError, match="early_stopping=True cannot set aside"):
        net.fit(IRIS[49:], SPECIES[49:])  # one sample of class 0


def test_a_given_validation_set():
    X, y = IRIS[::2], SPECIES[::2]
    X_val, y_val = IRIS[1::2], SPECIES[1::2]
    net = clone(SMALL).fit(X, y, X_val=X_val, y_val=y_val)
    assert_allclose(net.best_loss_, log_loss(y_val, net.predict_proba(X_val)), rtol=1e-10)
    with pytest.raises(ValueError, match="y_val has labels"):
        net.fit(X, y, X_val=X_val, y_val=y_val + 1)
    with pytest.raises(ValueError, match="y_val must hold one label per row"):
        net.fit(X, y, X_val=X_val, y_val=np.eye(3, dtype=int)[y_val])


def test_partial_fit_continues_and_learns():
    net = FeedForwardClassifier(hidden_layer_sizes=20, random_state=0)
    for _ in range(100):
        net.partial_fit(IRIS, SPECIES, classes=[0, 1, 2])
    assert net.n_iter_ == 100
    assert net.score(IRIS, SPECIES) > 0.95
    again = pickle.loads(pickle.dumps(net)).partial_fit(IRIS, SPECIES)
    assert_same_weights(again, net.partial_fit(IRIS, SPECIES), rtol=0)


def test_a_class_may_come_later_in_partial_fit():
    net = FeedForwardClassifier(hidden_layer_sizes=20, random_state=0)
    net.partial_fit(IRIS[:100], SPECIES[:100], classes=[0, 1, 2])
    for _ in range(100):
        net.partial_fit(IRIS, SPECIES)
    assert net.score(IRIS, SPECIES) > 0.95
    alone = FeedForwardClassifier(hidden_layer_sizes=20, random_state=0)
    alone.partial_fit(IRIS[:50], SPECIES[:50], classes=[0, 1, 2])  # of a single class
    for _ in range(100):
        alone.partial_fit(IRIS, SPECIES)
    assert alone.score(IRIS, SPECIES) > 0.75  # the scale is that of the first class


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (SPECIES, None, "classes must be given in the first call"),
        (SPECIES, [0, 1], "none of the classes"),
        (SPECIES, [1], "at least two classes"),
        (np.eye(3)[SPECIES][:, :2] * 2, None, "indicators|Unknown label type"),
        (np.eye(3)[SPECIES], [0, 1], r"one column per class, 2\. Got 3"),
    ],
)
def test_bad_labels_of_partial_fit(y, classes, message):
    net = clone(SMALL)
    with pytest.raises(ValueError, match=message):
        net.partial_fit(IRIS, y, classes)
    assert not hasattr(net, "coefs_")


def test_sparse_label_indicators_are_dense_ones():
    X, Y = make_multilabel_classification(80, random_state=0)
    dense = clone(SMALL).fit(X, Y, X_val=X, y_val=Y)
    packed = clone(SMALL).fit(X, sparse.csr_array(Y), X_val=X, y_val=sparse.csr_matrix(Y))
    assert_array_equal(packed.predict_proba(X), dense.predict_proba(X))


def test_indicators_in_partial_fit():
    X, Y = make_multilabel_classification(100, n_classes=3, random_state=0)
    net = clone(SMALL).partial_fit(X, Y).partial_fit(X, Y)
    assert net.predict(X).shape == Y.shape
    with pytest.raises(ValueError, match="as in the calls before"):
        net.partial_fit(X, Y[:, 0])


def test_warm_starts_go_on_with_the_same_classes():
    net = clone(SMALL).set_params(warm_start=True).fit(IRIS, SPECIES)
    first = net.loss_
    assert net.fit(IRIS, SPECIES).loss_ < first
    with pytest.raises(ValueError, match="warm_start needs the classes"):
        net.fit(IRIS[:100], SPECIES[:100])


def test_a_checkpoint_is_resumed_to_the_last_bit(tmp_path):
    pytest.importorskip("skops")
    pytest.importorskip("sklearn.callback")
    whole = clone(SMALL).fit(IRIS, SPECIES)
    net = clone(SMALL).set_params(max_iter=15)
    net.set_callbacks(Checkpoint(tmp_path / "fit", every=4)).fit(IRIS, SPECIES)
    again = resume(tmp_path / "fit", IRIS, SPECIES)
    assert_same_weights(again, whole, rtol=0)
    assert again.loss_curve_ == whole.loss_curve_


def test_pandas_pipelines_and_searches():
    X = pd.DataFrame(IRIS, columns=list("abcd"))
    y = pd.Series(np.array(["setosa", "versicolor", "virginica"])[SPECIES])
    net = clone(SMALL).fit(X, y)
    assert list(net.feature_names_in_) == list("abcd")
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), clone(SMALL)),
        {"feedforwardclassifier__learning_rate": [1e-4, 0.01]},
        scoring="neg_log_loss",
        cv=3,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, y)
    assert search.best_params_ == {"feedforwardclassifier__learning_rate": 0.01}


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"output_activation": "tanh"}, "output_activation must stay 'sigmoid'"),
        ({"class_weight": {7: 1.0}}, r"labels \[7\] that are none of the classes"),
        ({"class_weight": {0: -1.0}}, "must hold finite weights"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, "leaves no row any weight"),
        ({"loss": "poisson", "output_activation": "identity"}, "is for numbers"),
    ],
)
def test_bad_parameters(params, message):
    net = clone(SMALL).set_params(**params)
    before = dict(vars(net))
    with pytest.raises(ValueError, match=message):
        net.fit(IRIS, SPECIES)
    assert vars(net) == before


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(150), "at least two classes"),
        (IRIS[:, 0] + 0.05, "Unknown label type"),
        (np.c_[SPECIES, SPECIES], "indicators|Unknown label type"),
        (SPECIES[:-1], "inconsistent numbers of samples"),
        (np.where(SPECIES, SPECIES, np.nan), "NaN"),
    ],
)
def test_bad_targets(y, message):
    net = clone(SMALL)
    with pytest.raises(ValueError, match=message):
        net.fit(IRIS, y)
    assert not hasattr(net, "classes_")


def test_class_weights_are_not_for_indicators():
    X, Y = make_multilabel_classification(50, random_state=0)
    with pytest.raises(ValueError, match="must be None for label indicators"):
        FeedForwardClassifier(class_weight="balanced").fit(X, Y)


def test_a_fit_that_learned_nothing_says_so():
    X = np.random.default_rng(0).normal(size=(100, 2))
    y = np.arange(100) % 2
    dead = FeedForwardClassifier(
        activation="relu", learning_rate=1e-12, random_state=0, n_iter_no_change=3
    )
    with pytest.warns(ConvergenceWarning, match="learned nothing: its loss, 0.69"):
        dead.fit(X, y)


def test_a_divergence_is_an_error():
    net = plain(learning_rate=1e6, solver="gd", max_iter=50, activation="relu")
    with pytest.raises(DivergenceError, match="FeedForwardClassifier diverged"):
        net.fit(CANCER, MALIGNANT)


def test_weights_edited_to_other_classes_are_refused():
    net = clone(SMALL).fit(IRIS, SPECIES)
    net.classes_ = np.array([0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"must have 4 outputs for 4 classes_\. Got 3"):
        net.predict(IRIS)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["several", "two", "indicators"])
def test_gradients_are_those_of_torchs_cross_entropy(kind, weighted):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X, codes = 3 * rng.normal(size=(40, 4)), rng.integers(3, size=40)
    y = {"several": codes, "two": codes > 0, "indicators": rng.integers(2, size=(40, 3))}[kind]
    w = rng.uniform(size=40) if weighted else None
    ours = plain(
        hidden_layer_sizes=(6,), activation="tanh", solver="gd", batch_size=None, max_iter=1
    )
    first = clone(ours).set_params(learning_rate=1e-300).fit(X, y, w)
    leaves = [torch.tensor(a, requires_grad=True) for a in [*first.coefs_, *first.intercepts_]]
    W1, W2, b1, b2 = leaves
    z = torch.tanh(torch.tensor(X) @ W1 + b1) @ W2 + b2
    F = torch.nn.functional
    if kind == "several":
        rows = F.cross_entropy(z, torch.tensor(codes), reduction="none")
    else:
        target = torch.tensor(y.reshape(40, -1).astype(float))
        rows = F.binary_cross_entropy_with_logits(z, target, reduction="none").sum(dim=1)
    each = torch.ones(40, dtype=torch.float64) if w is None else torch.tensor(w)
    loss = (each * rows).sum() / each.sum()
    loss.backward()
    ours.set_params(warm_start=True, learning_rate=1.0)
    ours.coefs_, ours.intercepts_ = first.coefs_, first.intercepts_
    ours.fit(X, y, w)
    assert_allclose(ours.loss_curve_[0], loss.item(), rtol=1e-12)
    steps = zip(leaves, [*ours.coefs_, *ours.intercepts_], strict=True)
    for before, after in steps:
        step = before.detach().numpy() - after
        assert_allclose(step, before.grad.numpy(), rtol=1e-7, atol=1e-12)
