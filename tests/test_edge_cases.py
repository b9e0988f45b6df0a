"""Rare but legitimate input, over all estimators that it concerns."""

import pickle
import re
import tracemalloc
import warnings
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Perceptron
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.multiclass import OneVsOneClassifier
from sklearn.utils.multiclass import type_of_target

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd._data.split import hold_out
from sklearn_gd._models.class_rows import one_hot
from sklearn_gd._models.labelled_rows import LabelledRows, targets_of
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd.activations import Activation, Identity, as_activation
from sklearn_gd.callbacks import Checkpoint, resume
from sklearn_gd.losses import Loss, SquaredError, as_loss
from sklearn_gd.schedules import InverseScaling, Schedule, as_schedule

IRIS, SPECIES = load_iris(return_X_y=True)
CLASSIFIERS = [
    PerceptronClassifier(random_state=0),
    PerceptronClassifier(activation="sigmoid", random_state=0),
    FeedForwardClassifier(random_state=0),
]

each_classifier = pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)


# Weights of classes that a fold lacks.


@each_classifier
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_class_weight_with_a_class_that_a_fold_lacks(model):
    weighted = clone(model).set_params(class_weight={0: 1.0, 1: 2.0, 2: 3.0})
    order = np.r_[np.random.default_rng(0).permutation(100), np.arange(100, 150)]
    X, y = IRIS[order], SPECIES[order]
    scores = cross_val_score(weighted, X, y, cv=TimeSeriesSplit(3), error_score="raise")
    assert np.isfinite(scores).all()
    assert OneVsOneClassifier(weighted).fit(X, y).score(X, y) > 0.7
    two = clone(weighted).fit(X[:100], y[:100])
    same = clone(weighted).set_params(class_weight={0: 1.0, 1: 2.0}).fit(X[:100], y[:100])
    assert_array_equal(two.predict(X), same.predict(X))
    assert two.loss_ == same.loss_
    with pytest.raises(ValueError, match=r"labels \[2\] .* no weight for \[0\]"):
        clone(weighted).set_params(class_weight={1: 2.0, 2: 3.0}).fit(X[:100], y[:100])


# Weights that a user sets before ``partial_fit``.

NEURONS = {
    "step": {"shuffle": False},
    "averaged": {"average": True},
    "averaged, decaying": {"average": True, "alpha": 1e-3},
    "step by batches": {"batch_size": 10},
    "sigmoid": {"activation": "sigmoid"},
    "sigmoid, not scaled": {"activation": "sigmoid", "standardize": False},
    "averaged sigmoid": {"activation": "sigmoid", "average": True},
    "without intercept": {"fit_intercept": False},
}
each_storage = pytest.mark.parametrize("store", [np.asarray, sparse.csr_array])


@each_storage
@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("k", [2, 3])
def test_neurons_go_on_from_weights_set_by_hand(name, k, store):
    X, y = store(IRIS[: 50 * k]), SPECIES[: 50 * k]
    model = PerceptronClassifier(random_state=0, **NEURONS[name])
    model.partial_fit(X, y, classes=np.arange(k)).partial_fit(X, y)
    coef = np.random.default_rng(k).normal(size=model.coef_.shape)
    intercept = np.full_like(model.intercept_, 0.25 * model.fit_intercept)
    model.coef_[:], model.intercept_ = coef, intercept  # one in place, the other not
    model.set_params(learning_rate=1e-12).partial_fit(X, y)
    assert_allclose(model.coef_, coef, rtol=1e-6)
    assert_allclose(model.intercept_, intercept, rtol=1e-6)


@each_storage
def test_neurons_set_by_hand_learn_as_scikit_learns(store):
    X = store(IRIS)
    ours = PerceptronClassifier(shuffle=False).partial_fit(X, SPECIES, [0, 1, 2])
    theirs = Perceptron(shuffle=False).partial_fit(X, SPECIES, [0, 1, 2])
    for _ in range(3):
        mean = 0.5 * theirs.coef_.round(1)  # of some federation
        for model in (ours, theirs):
            model.coef_, model.intercept_ = mean.copy(), np.array([1.0, 0.0, -2.0])
            model.partial_fit(X, SPECIES).partial_fit(X, SPECIES)
        assert_allclose(ours.coef_, theirs.coef_)
        assert_allclose(ours.intercept_, theirs.intercept_)
    assert ours.t_ > 0
    assert ours.n_iter_ == 7


@pytest.mark.parametrize("name", NEURONS)
def test_neurons_set_without_a_fit(name):
    neuron = PerceptronClassifier(learning_rate=1e-12, random_state=0, **NEURONS[name])
    coef = np.arange(12.0).reshape(3, 4)
    for fit in (
        lambda m: m.partial_fit(IRIS, SPECIES, [0, 1, 2]),
        lambda m: m.partial_fit(IRIS, SPECIES, [0, 1, 2], 0 * SPECIES).partial_fit(IRIS, SPECIES),
        lambda m: m.set_params(warm_start=True, max_iter=1, tol=None).fit(IRIS, SPECIES),
    ):
        model = clone(neuron)
        model.coef_, model.intercept_ = coef.copy(), np.zeros(3)
        assert_allclose(fit(model).coef_, coef, atol=1e-9)
        assert model.n_iter_ == 1


def test_a_changed_learning_rate_is_no_edit():
    one = PerceptronClassifier(learning_rate=0.1, average=True, random_state=0)
    one.partial_fit(IRIS, SPECIES, [0, 1, 2])
    other = pickle.loads(pickle.dumps(one))
    for model in (one, other):
        model.set_params(learning_rate=0.3)
    one.coef_ = one.coef_ * (1 + 1e-15)
    assert not np.array_equal(one.coef_, other.coef_)
    one.partial_fit(IRIS, SPECIES)
    other.partial_fit(IRIS, SPECIES)
    # An edited average is what the descent goes on from; else it is the mean of what has been.
    assert np.abs(one.coef_ - other.coef_).max() > 0.1


@pytest.mark.parametrize("params", [{}, {"loss": "absolute_error"}, {"activation": "leaky_relu"}])
def test_lines_go_on_from_weights_set_by_hand(params):
    X, y = IRIS[:3], SPECIES[:3] + 1.0  # fewer samples than features
    if params:
        params = {**params, "solver": "gd", "learning_rate": 1e-12}
    for first in ("fit", "partial_fit", None):
        line = ThroughOriginRegressor(max_iter=100_000, **params)
        if first == "fit" and params:
            line.set_params(max_iter=1, tol=None)
        if first:
            getattr(line, first)(X, y)
        edited = np.array([1.0, -2.0, 3.0, 4.0])
        line.coef_ = edited.copy()
        line.partial_fit(X, y)
        # Least squares leave what the rows do not determine as it is.
        near = ThroughOriginRegressor().fit(X, y, coef_init=edited).coef_
        assert_allclose(line.coef_, edited if params else near, rtol=1e-4)
        assert np.abs(near - ThroughOriginRegressor().fit(X, y).coef_).max() > 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda w: w.tolist(), lambda w: w[..., :-1], lambda w: w[None, None],
        lambda w: w.astype(object), lambda w: w.astype(str), lambda w: w * np.nan,
        lambda w: None, lambda w: 3.0,
    ],
)  # fmt: skip
@each_storage
@pytest.mark.parametrize("model", [*(NEURONS[n] for n in NEURONS), {"line": {}}], ids=str)
def test_weights_set_by_hand_that_do_not_fit(model, store, damage):
    if "line" in model:
        model = ThroughOriginRegressor().fit(store(IRIS), SPECIES)
        names = ["coef_"]
    else:
        model = PerceptronClassifier(random_state=0, **model)
        model.partial_fit(store(IRIS), SPECIES, classes=[0, 1, 2])
        names = ["coef_", "intercept_"]
    for name in names:
        edited = clone(model)
        vars(edited).update({k: v for k, v in vars(model).items() if k.endswith("_")})
        vars(edited).update({k: v for k, v in vars(model).items() if k == "_learner"})
        setattr(edited, name, damage(np.ones_like(getattr(model, name))))
        with pytest.raises(ValueError, match="coef_"):
            edited.partial_fit(store(IRIS), SPECIES)


@pytest.mark.parametrize("dtype", ["f2", "g", ">f8", "i8"])
@pytest.mark.parametrize("model", [*CLASSIFIERS, FeedForwardRegressor(random_state=0)], ids=repr)
def test_weights_set_by_hand_of_another_type(model, dtype):
    model = clone(model).fit(IRIS, SPECIES)
    model.partial_fit(IRIS, SPECIES)
    for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
        if hasattr(model, name):
            value = getattr(model, name)
            is_list = isinstance(value, list)
            as_type = [w.astype(dtype) for w in value] if is_list else value.astype(dtype)
            setattr(model, name, as_type)
    with pytest.raises(ValueError, match="float32 or float64"):
        model.partial_fit(IRIS, SPECIES)


@pytest.mark.parametrize("model", [*CLASSIFIERS, FeedForwardRegressor(random_state=0)], ids=repr)
def test_weights_set_by_hand_in_single_precision(model):
    # As they come from a federation; the precision stays that of the descent.
    model, same = clone(model), clone(model)
    for each in (model, same):
        each.partial_fit(IRIS, SPECIES, **({"classes": [0, 1, 2]} if is_classifier(each) else {}))
        for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
            if hasattr(each, name):
                value = getattr(each, name)
                dtypes = "f4", "f8" if each is same else "f4"
                rounded = [w.astype(dtypes[0]).astype(dtypes[1]) for w in value]
                setattr(each, name, rounded if isinstance(value, list) else np.array(rounded))
        each.partial_fit(IRIS, SPECIES)
    assert_array_equal(model.predict(IRIS), same.predict(IRIS))
    assert model.loss_ == same.loss_


def test_layers_set_without_a_fit_say_where_they_begin():
    net = FeedForwardRegressor(hidden_layer_sizes=())
    net.coefs_, net.intercepts_ = [np.ones((4, 1))], [np.zeros(1)]
    with pytest.raises(ValueError, match=r"were set without a fit\. fit with warm_start=True"):
        net.partial_fit(IRIS, SPECIES)


# Validation sets, checked as the training set.

DAYS = np.array("2020-01-01", "M8[D]") + np.arange(150)
WITH_VALIDATION = [
    clone(model).set_params(max_iter=2, tol=None)
    for model in [*CLASSIFIERS, FeedForwardRegressor(random_state=0)]
]
SPOILT = {
    "dates": DAYS,
    "durations": DAYS - DAYS[0],
    "days as objects": pd.Series(DAYS).astype(object),
    "strings of numbers": SPECIES.astype(str),
    "complex": SPECIES + 1j,
    "missing": np.where(SPECIES == 2, np.nan, SPECIES),
    "none": np.where(SPECIES == 2, None, SPECIES),
    "NA": pd.Series(SPECIES, dtype="Int64").where(lambda s: s < 2),
    "two columns": np.column_stack([SPECIES, SPECIES]),
    "three axes": SPECIES[:, None, None],
    "too few": SPECIES[:-1],
    "sparse": sparse.csr_array(SPECIES[:, None]),
    "none at all": [],
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("model", WITH_VALIDATION, ids=repr)
def test_y_val_is_refused_as_y_is(model, spoilt):
    wrong = SPOILT[spoilt]
    labels = ("dates", "durations", "strings of numbers")
    if spoilt not in (labels if is_classifier(model) else ("two columns",)):
        with pytest.raises((ValueError, TypeError)):
            clone(model).fit(IRIS, wrong)
    with pytest.raises((ValueError, TypeError), match="y_val"):
        clone(model).fit(IRIS, SPECIES, X_val=IRIS, y_val=wrong)


@pytest.mark.parametrize("dates", [DAYS.astype("M8[ns]"), DAYS - DAYS[0]])
def test_labels_that_are_dates_are_no_numbers(dates):
    labels = np.where(SPECIES > 0, dates[0], dates[-1])
    neuron = PerceptronClassifier(max_iter=5, tol=None, random_state=0)
    neuron.fit(IRIS, labels, X_val=IRIS, y_val=labels)
    assert set(neuron.predict(IRIS)) <= set(labels)
    for other in (labels.astype(np.int64), labels.astype(str)):
        with pytest.raises(ValueError, match=r"y_val has labels .* none of the classes"):
            neuron.fit(IRIS, labels, X_val=IRIS, y_val=other)


@pytest.mark.parametrize("model", WITH_VALIDATION, ids=repr)
@pytest.mark.parametrize(
    "same", [SPECIES.tolist(), SPECIES.astype(float), pd.Series(SPECIES, dtype="Int64"),
             SPECIES[:, None]],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:A column-vector y:sklearn.exceptions.DataConversionWarning")
def test_y_val_is_taken_as_y_is(model, same):
    expected = clone(model).fit(IRIS, SPECIES, X_val=IRIS[::2], y_val=SPECIES[::2])
    for y, y_val in ((same, SPECIES[::2]), (SPECIES, same[::2])):
        got = clone(model).fit(IRIS, y, X_val=IRIS[::2], y_val=y_val)
        assert_array_equal(np.ravel(got.predict(IRIS)), expected.predict(IRIS))
        assert got.validation_loss_curve_ == expected.validation_loss_curve_


@pytest.mark.parametrize("model", [ThroughOriginRegressor(), FeedForwardRegressor()], ids=repr)
def test_targets_of_a_regression_that_are_missing(model):
    for missing in ([None] * 150, [1.0] * 149 + [None], pd.Series([1.5, pd.NA] * 75)):
        with pytest.raises((ValueError, TypeError), match=r"y|NA"):
            model.fit(IRIS, missing)


@each_classifier
def test_few_samples_of_many_classes_are_no_regression(model):
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60)
    model = clone(model).partial_fit(X, y, classes=np.arange(60))
    model.partial_fit(X, y)
    model.set_params(max_iter=2, tol=None).fit(np.r_[X, X], np.r_[y, y], X_val=X, y_val=y)
    with warnings.catch_warnings(record=True) as of_scikit_learn:
        warnings.simplefilter("always")
        type_of_target(y)
    if of_scikit_learn:  # not in older releases
        with pytest.warns(UserWarning, match="could represent a regression"):
            model.fit(X, y)
    with pytest.raises(ValueError, match=r"y has labels \[.*\] and more that are none"):
        model.partial_fit(X, y + 100)


@pytest.mark.parametrize("model", [CLASSIFIERS[2], FeedForwardRegressor(random_state=0)], ids=repr)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_layers_set_by_hand_that_are_not_finite(model, bad):
    model = clone(model).set_params(warm_start=True, max_iter=2, tol=None).fit(IRIS, SPECIES)
    model.coefs_[0][0, 0] = bad
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=r"coefs_ .* must hold finite numbers"):
            method(IRIS, SPECIES)


def test_scorers_that_do_not_fit_are_named():
    for model, scorer in ((CLASSIFIERS[2], "f1"), (FeedForwardRegressor(), "accuracy")):
        wrong = clone(model).set_params(early_stopping=scorer)
        with pytest.raises(ValueError, match=f"'early_stopping'.*'{scorer}' raised"):
            wrong.fit(IRIS, SPECIES + (0.5 * IRIS[:, 0] if scorer == "accuracy" else 0))


@each_classifier
def test_missing_dates_are_no_class(model):
    days = np.where(SPECIES == 1, np.datetime64("NaT", "ns"), np.datetime64("2020-01-01", "ns"))
    with pytest.raises(ValueError, match="NaT"):
        clone(model).fit(IRIS, days)
    with pytest.raises(ValueError, match="NaT"):
        clone(model).partial_fit(IRIS, days, classes=np.unique(days))


@each_classifier
def test_large_integers_are_labels_to_the_last_digit(model):
    ids = SPECIES + 2**53
    model = clone(model).set_params(max_iter=3, tol=None)
    expected = clone(model).fit(IRIS, SPECIES, X_val=IRIS, y_val=SPECIES).predict(IRIS)
    for dtype in (np.int64, np.uint64):
        fitted = clone(model).fit(IRIS, ids, X_val=IRIS, y_val=ids.astype(dtype))
        assert_array_equal(fitted.predict(IRIS) - 2**53, expected)


@each_classifier
def test_large_integers_are_told_apart_by_resume(model, tmp_path):
    pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")
    ids = SPECIES + 2**53
    model = clone(model).set_params(max_iter=3, tol=None)
    path = tmp_path / "checkpoint"
    model.set_callbacks(Checkpoint(path, 1)).fit(IRIS, ids)
    with pytest.raises(ValueError, match="y has other values"):
        resume(path, IRIS, 2**54 + 2 - ids)


@each_classifier
def test_a_hold_out_has_a_sample_of_each_class(model):
    X, y, seen = IRIS[:60], np.repeat([0, 1, 2], [45, 12, 3]), []

    def count(_, X, y):
        seen.append(np.bincount(y, minlength=3))
        return 0.0

    for seed in range(5):
        held = clone(model).set_params(max_iter=1, tol=None, random_state=seed)
        if isinstance(model, FeedForwardClassifier):
            held.set_params(early_stopping=count).fit(X, y)
            assert seen[-1].all()
            held.set_params(early_stopping="neg_log_loss").fit(X, y)
        train, held_out = hold_out(60, 0.1, np.random.default_rng(seed), stratify=y)
        assert_array_equal(np.sort(np.r_[train, held_out]), np.arange(60))
        assert set(y[held_out]) == set(y[train]) == {0, 1, 2}


# Callbacks see the data, and change nothing.

FORMATS = ["csr", "coo", "bsr", "dia", "lil", "dok"]
EARLY = [
    PerceptronClassifier(early_stopping=True, max_iter=3, tol=None, random_state=0),
    FeedForwardClassifier(early_stopping=True, max_iter=3, tol=None, random_state=0),
    FeedForwardRegressor(early_stopping=True, max_iter=3, tol=None, random_state=0),
    ThroughOriginRegressor(max_iter=3, tol=None),
]


def weights_of(model):
    arrays = model.coefs_ if hasattr(model, "coefs_") else [model.coef_]
    return np.concatenate([np.ravel(array) for array in arrays])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("weight", [None, 2.0, np.int8(3), [1.0] * 150])
@pytest.mark.parametrize("store", [list, *FORMATS])
@pytest.mark.parametrize("model", EARLY, ids=repr)
def test_callbacks_change_nothing(model, store, weight, tmp_path):
    callback = pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")
    X = IRIS.tolist() if store is list else sparse.csr_array(IRIS).asformat(store)
    plain = clone(model).fit(X, SPECIES, weight)
    scores = callback.ScoringMonitor(scoring="neg_mean_squared_error")
    monitored = clone(model).set_callbacks(scores, Checkpoint(tmp_path / "kept", every=2))
    monitored.fit(X, SPECIES, weight)
    assert_array_equal(weights_of(monitored), weights_of(plain))
    assert monitored.n_iter_ == plain.n_iter_
    assert len(scores.get_logs().data) >= plain.n_iter_
    assert_array_equal(
        weights_of(resume(tmp_path / "kept", X, SPECIES, weight)), weights_of(plain)
    )


# ``resume`` knows its data by their numbers.


def framed(X, y, weights):
    frame = pd.DataFrame(X).astype({0: object}).astype({0: float})  # columns in two blocks
    frame.attrs = {"source": "a survey"}
    return frame, pd.Series(y, name="target"), pd.Series(weights, index=range(7, 157))


EQUAL = {
    "copies": lambda X, y, w: (X.copy(), y.copy(), w.copy()),
    "Fortran": lambda X, y, w: (np.asfortranarray(X), y, w),
    "strides": lambda X, y, w: (np.repeat(X, 2, axis=0)[::2], np.repeat(y, 3)[::3], w[::-1][::-1]),
    "lists": lambda X, y, w: (X.tolist(), y.tolist(), w.tolist()),
    "frames": framed,
    "polars": lambda X, y, w: (pl.DataFrame(X), pl.Series(y), pl.Series(w)),
}
OTHER = {
    "X has other values": lambda X, y, w: (X + 1e-9, y, w),
    "X was .*150, 4.* and is .*150, 3": lambda X, y, w: (X[:, :3], y, w),
    "X was .*float64 .* and is .*float32": lambda X, y, w: (X.astype("f4"), y, w),
    "X was an array .* and is sparse": lambda X, y, w: (sparse.coo_array(X), y, w),
    "y has other values": lambda X, y, w: (X, y[::-1], w),
    "sample_weight has other values": lambda X, y, w: (X, y, w * 2),
    "sample_weight was .* and is None": lambda X, y, w: (X, y, None),
    "y has other values; sample_weight has": lambda X, y, w: (X, y[::-1], w[::-1]),
}
KEPT = [
    clone(PerceptronClassifier(max_iter=4, tol=None, random_state=0)),
    clone(EARLY[1]).set_params(max_iter=4),
    clone(EARLY[2]).set_params(max_iter=4, early_stopping=False),
    ThroughOriginRegressor(max_iter=4, tol=None),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", KEPT, ids=repr)
def test_resume_takes_equal_data_and_names_other(model, tmp_path):
    pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")
    path, y = tmp_path / "kept", 1 * (SPECIES > 1)
    data = IRIS, y, np.random.default_rng(0).uniform(1, 2, 150)
    fitted = clone(model).set_callbacks(Checkpoint(path, every=3)).fit(*data)
    kept = path.read_bytes()
    for store in EQUAL.values():
        assert_array_equal(weights_of(resume(path, *store(*data))), weights_of(fitted))
        path.write_bytes(kept)
    for what, change in OTHER.items():
        with pytest.raises(ValueError, match=what):
            resume(path, *change(*data))
        assert path.read_bytes() == kept


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("stores", [("csr", "bsr"), ("dia", "coo"), ("lil", "csr")])
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_resume_takes_equal_sparse_rows(stores, tmp_path):
    pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")
    path, X = tmp_path / "kept", sparse.csr_array(np.round(IRIS % 2))
    one, other = map(X.asformat, stores)
    labels = np.array(["no", "yes"])[1 * (SPECIES > 1)]
    neuron = PerceptronClassifier(max_iter=4, tol=None, random_state=0)
    fitted = clone(neuron).set_callbacks(Checkpoint(path, every=3)).fit(one, labels, 2.0)
    again = resume(path, other, pd.Series(labels, dtype="category"), np.full(150, 2))
    assert_array_equal(again.coef_, fitted.coef_)
    with pytest.raises(ValueError, match=r"X was sparse.* and is an array"):
        resume(path, X.toarray(), labels, 2.0)
    with pytest.raises(ValueError, match=r"y was .*U3.* and is .*U4"):
        resume(path, X, ["many" if label == "no" else "few" for label in labels], 2.0)


# Weights whose mean is far from 1, on rows of single precision.

FOR_WEIGHTS = {
    "line": ThroughOriginRegressor(),
    "huber": ThroughOriginRegressor(loss="huber", solver="gd", max_iter=50, tol=None),
    "step by batches": PerceptronClassifier(batch_size=10, max_iter=5, tol=None, random_state=0),
    "sigmoid": PerceptronClassifier(activation="sigmoid", max_iter=5, tol=None, random_state=0),
    "classes": CLASSIFIERS[2],
    "numbers": FeedForwardRegressor(max_iter=3, tol=None, random_state=0),
    "lbfgs": FeedForwardRegressor(max_iter=3, tol=None, random_state=0, solver="lbfgs"),
}


@each_storage
@pytest.mark.parametrize("weight", [1e80, 1e-50])
@pytest.mark.parametrize("name", FOR_WEIGHTS)
def test_only_the_proportions_of_weights_count(name, weight, store):
    model, X = FOR_WEIGHTS[name], store(IRIS.astype(np.float32))
    weights = np.random.default_rng(0).uniform(0, 2, 150)
    expected = clone(model).fit(X, SPECIES, weights)
    fitted = clone(model).fit(X, SPECIES, weights * weight)
    assert weights_of(fitted).dtype == np.float32
    assert fitted.loss_ == pytest.approx(expected.loss_, rel=1e-3)
    if hasattr(model, "partial_fit"):
        classes = {"classes": [0, 1, 2]} if is_classifier(model) else {}
        taught = [
            clone(model).partial_fit(X, SPECIES, sample_weight=w, **classes)
            for w in (weights, weights * weight)
        ]
        assert taught[1].loss_ == pytest.approx(taught[0].loss_, rel=1e-3)


@each_storage
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("weight", [1e80, 1e-50])
def test_weights_that_rosenblatts_updates_have_no_room_for(weight, average, store):
    X, weights = store(IRIS.astype(np.float32)), np.full(150, weight)
    neuron = PerceptronClassifier(average=average)
    for fit in (neuron.fit, partial(neuron.partial_fit, classes=[0, 1, 2])):
        with pytest.raises(ValueError, match="sample_weight must lie between 1e-20 and 1e20"):
            fit(X, SPECIES, sample_weight=weights)
    PerceptronClassifier(average=average).fit(store(IRIS), SPECIES, weights)


@pytest.mark.parametrize("model", [*CLASSIFIERS, *FOR_WEIGHTS.values()], ids=repr)
@pytest.mark.parametrize("weight", [1e300, 1e-310])
def test_weights_out_of_any_range(model, weight):
    with pytest.raises(ValueError, match="sample_weight must lie between 1e-150 and 1e150"):
        model.fit(IRIS, SPECIES, np.full(150, weight))


# L-BFGS that SciPy ends too early.


class MisleadingError(SquaredError):
    """The squared error, with a gradient that points up where errors are below 0.3."""

    def gradient(self, y_true, y_pred):
        slope = super().gradient(y_true, y_pred)
        return np.where(np.abs(y_pred - y_true) < 0.3, -9 * slope, slope)


def test_an_abnormal_end_of_lbfgs_is_told():
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * np.random.default_rng(1).normal(size=200)
    net = FeedForwardRegressor(
        hidden_layer_sizes=5, loss=MisleadingError(), solver="lbfgs", max_iter=500, tol=None,
        random_state=0,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match=r"by SciPy's L-BFGS-B, after \d+ .*: ABNORMAL"):
        net.fit(X, y)
    smooth = clone(net).set_params(loss="squared_error", tol=1e-4)
    assert smooth.fit(X, y).score(X, y) > 0.99


@pytest.mark.parametrize("kind", [FeedForwardRegressor, FeedForwardClassifier])
@pytest.mark.parametrize("sizes", [(), (128, 64)])
def test_lbfgs_that_rounding_ends_is_told(kind, sizes):
    z = np.random.default_rng(0).normal(size=(200, 3))
    y = z @ [1.0, 2.0, 3.0] > 0
    net = kind(solver="lbfgs", hidden_layer_sizes=sizes, random_state=0, max_iter=1000)
    X = (1e9 + 1e3 * z).astype(np.float32)
    with pytest.warns(ConvergenceWarning, match=r"CONVERGENCE.*standardize='robust'.*float64"):
        clone(net).set_params(standardize=False).fit(X, 1.0 * y)
    clone(net).set_params(standardize=False).fit(z.astype(np.float32), 1.0 * y)
    assert clone(net).set_params(max_iter=5, tol=None).fit(X, 1.0 * y).score(X, y) > 0.5


# Names that other libraries have.


@pytest.mark.parametrize(
    ("model", "parameter", "names"),
    [
        (FeedForwardRegressor, "activation", {"logistic": "sigmoid", "lrelu": "leaky_relu",
         "swish": "silu", "linear": "identity", "ReLU": "relu", "leaky-relu": "leaky_relu",
         "sigmiod": "sigmoid", "heaviside": None, "none of these": None}),
        (FeedForwardRegressor, "output_activation", {"linear": "identity", "Tanh": "tanh"}),
        (FeedForwardRegressor, "loss", {"mse": "squared_error", "mae": "absolute_error",
         "quantile": "pinball", "MSE": "squared_error", "squared_eror": "squared_error"}),
        (FeedForwardClassifier, "loss", {"cross_entropy": "log_loss", "bce": "log_loss",
         "binary_crossentropy": "log_loss", "logloss": "log_loss"}),
        (FeedForwardRegressor, "solver", {"sgd": "gd", "L-BFGS": "lbfgs", "Adam": "adam"}),
        (PerceptronClassifier, "solver", {"sgd": "gd", "lbfgs": None, "l-bfgs": None}),
        (PerceptronClassifier, "activation", {"heaviside": "step", "logistic": "sigmoid"}),
        (ThroughOriginRegressor, "activation", {"linear": "identity", "logistic": None}),
        (FeedForwardRegressor, "learning_rate", {"invscaling": "inverse_scaling"}),
    ],
)  # fmt: skip
def test_errors_suggest_our_name(model, parameter, names):
    for given, ours in names.items():
        with pytest.raises(ValueError, match=f"'{parameter}' parameter must be one of") as caught:
            model(**{parameter: given}).fit(IRIS, SPECIES)
        meant = re.findall(r"Did you mean '(\w+)'\?", str(caught.value))
        assert meant == ([ours] if ours else []), (given, str(caught.value))


def test_names_offered_are_names_accepted():
    for model in (FeedForwardRegressor(max_iter=1), ThroughOriginRegressor(max_iter=1)):
        with pytest.raises(ValueError, match="must be one of") as caught:
            clone(model).set_params(activation="?").fit(IRIS, SPECIES)
        offered = re.findall(r"'(\w+)'", str(caught.value).split(", or an instance")[0])
        assert len(offered) > 5
        for name in offered[1:]:
            clone(model).set_params(activation=name, tol=None).fit(IRIS, SPECIES)


# Streams: the thousandth call costs what the first one did.

STREAMED = [
    PerceptronClassifier(random_state=0),
    PerceptronClassifier(activation="sigmoid", learning_rate=0.1, random_state=0),
    FeedForwardClassifier(hidden_layer_sizes=3, random_state=0),
    FeedForwardRegressor(hidden_layer_sizes=3, random_state=0),
    ThroughOriginRegressor(loss="huber", solver="gd", learning_rate=1e-3),
    ThroughOriginRegressor(max_iter=20, tol=None),
]


@pytest.mark.parametrize("model", STREAMED, ids=repr)
def test_a_long_stream_does_not_pile_up(model):
    model, losses, sizes = clone(model), [], []
    classes = {"classes": [0, 1, 2]} if is_classifier(model) else {}
    model.partial_fit(IRIS, SPECIES, **classes)
    losses += model.loss_curve_
    for i in range(1300):
        row = slice(i % 150, i % 150 + 1)
        model.partial_fit(IRIS[row], SPECIES[row])
        losses.append(model.loss_curve_[-1])
        if i in (1020, 1299):
            sizes.append(len(pickle.dumps(model)))
    if type(model) is ThroughOriginRegressor and model.loss == "squared_error":
        # Least squares over the samples of all calls, each with a history of its own.
        assert max(sizes) < 10_000
        assert model.n_iter_ == len(model.loss_curve_)
        return
    assert abs(sizes[1] - sizes[0]) < 200
    assert model.n_iter_ == 1301
    assert model.loss_curve_ == losses[-1000:]
    if hasattr(model, "best_loss_"):
        assert model.best_loss_ == min(losses)
        assert losses.index(model.best_loss_) == model.best_iter_


def test_a_stream_after_a_fit_goes_on_with_its_losses():
    net = FeedForwardRegressor(hidden_layer_sizes=3, max_iter=1100, tol=None, random_state=0)
    net.fit(IRIS, SPECIES, X_val=IRIS[:9], y_val=SPECIES[:9])
    losses = list(net.loss_curve_)
    assert len(losses) == 1100
    for _ in range(3):
        losses.append(net.partial_fit(IRIS[:1], SPECIES[:1]).loss_curve_[-1])
    assert net.n_iter_ == 1103
    assert net.loss_curve_ == losses[-1000:]
    assert net.best_loss_ == min(losses)
    assert net.best_iter_ == losses.index(min(losses))


def test_a_stream_that_went_well_may_have_a_bad_sample():
    net = FeedForwardRegressor(
        hidden_layer_sizes=(), standardize=False, solver="gd", learning_rate=1e-3, random_state=0
    )
    X = [[1.0, 0.0]]
    net.partial_fit([[1.0, 1.0]], [3.0])
    for _ in range(1005):
        net.partial_fit(X, net.predict(X) + 1e-6)
    assert max(net.loss_curve_) < 1e-4 * 2.0**2
    net.partial_fit(X, net.predict(X) + 2.0)
    assert net.loss_curve_[-1] == pytest.approx(4.0)


# Many classes: targets are made for a batch, not for all rows.


@pytest.mark.parametrize("loss", ["squared_error", "log_loss", "huber"])
@pytest.mark.parametrize("kind", [PerceptronClassifier, FeedForwardClassifier])
def test_memory_of_many_classes_is_that_of_a_batch(kind, loss):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20_000, 5)), np.arange(20_000) % 1_000
    neurons = kind(loss=loss, batch_size=100, max_iter=1, tol=None, random_state=0)
    if kind is PerceptronClassifier:
        neurons.set_params(activation="sigmoid")
    else:
        neurons.set_params(hidden_layer_sizes=(4,))
    tracemalloc.start()
    try:
        neurons.fit(X, y, X_val=X[::2], y_val=y[::2])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6
    for row in range(0, 100, 25):  # each with 25 of a thousand classes
        part = slice(row, row + 25)
        neurons.partial_fit(X[part], y[part], classes=np.arange(1_000))


@pytest.mark.parametrize("loss", ["squared_error", "log_loss", "huber", "absolute_error"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("k", [2, 4])
def test_baselines_of_classes_are_those_of_their_targets(k, activation, loss):
    if (activation, loss) == ("tanh", "log_loss"):
        return
    rng = np.random.default_rng(k)
    codes, weights = rng.integers(0, k, 60).astype(np.int32), rng.integers(0, 3, 60) * 0.5
    weights[codes == k - 1] *= k == 2  # a class without weight
    rows = LabelledRows(rng.normal(size=(60, 2)), codes, weights)
    loss = as_loss(loss)._over_independent_outputs()
    ends = targets_of(as_activation(activation))
    network = Network((2, 1 if k == 2 else k), [Identity()], loss, 0.0, np.float64)
    targets = one_hot(codes, network.n_outputs, *ends)
    objective = rows.objective(network, *ends)
    assert_allclose(objective.baseline_loss(), loss._baseline(targets, weights), rtol=1e-6)
    dense = Rows(rows.X, targets, weights).objective(network)
    point = rng.normal(size=network.size)
    assert_allclose(objective.mean_loss(point), dense.mean_loss(point))
    for ours, theirs in zip(objective(point), dense(point), strict=True):
        assert_allclose(ours, theirs)


# What is there to learn, and what is not.


@pytest.mark.parametrize(
    ("net", "constant"),
    [
        (FeedForwardRegressor(output_activation="softplus"), 0.0),
        (FeedForwardRegressor(output_activation="sigmoid"), 1.0),
        (FeedForwardRegressor(output_activation="sigmoid"), 0.0),
        (FeedForwardRegressor(output_activation="tanh"), -1.0),
        (FeedForwardRegressor(output_activation="relu"), 0.0),
        (FeedForwardRegressor(loss="poisson"), 0.0),
        (FeedForwardRegressor(loss="poisson"), 3.0),
        (FeedForwardRegressor(max_iter=5), 1e6),
    ],
    ids=str,
)
def test_constant_targets_are_predicted_wherever_they_are(net, constant, tmp_path):
    y = np.full(150, constant)
    fitted = clone(net).fit(IRIS, y)
    assert_allclose(fitted.predict(IRIS), y, atol=1e-8)
    assert fitted.n_iter_ == 1
    if hasattr(net, "set_callbacks"):
        path = tmp_path / "checkpoint"
        clone(net).set_callbacks(Checkpoint(path, np.int64(1))).fit(IRIS, y)
        assert_allclose(resume(path, IRIS, y).predict(IRIS), y, atol=1e-8)


def test_constant_indicators_are_predicted():
    Y = np.ones((150, 2), int)
    net = FeedForwardClassifier(loss="squared_error", random_state=0).fit(IRIS, Y)
    assert net.score(IRIS, Y) == 1.0


@pytest.mark.parametrize("factor", [1e-160, 1e-165, 1e-200, 1e-300])
def test_targets_that_underflow_are_refused(factor):
    y = (SPECIES + IRIS[:, 0]) * factor
    for model in (FeedForwardRegressor(), ThroughOriginRegressor()):
        with pytest.raises(ValueError, match="y is too small"):
            model.fit(IRIS, y)


def test_targets_that_vanish_in_the_precision_of_the_rows_are_refused():
    for model in (FeedForwardRegressor(), ThroughOriginRegressor()):
        with pytest.raises(ValueError, match="targets y underflow float32"):
            model.fit(IRIS.astype(np.float32), (SPECIES + 1) * 1e-60)


# How arrays are stored.


@each_storage
@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
def test_weights_may_be_stored_in_any_way(model, store):
    X, weights = store(IRIS), np.random.default_rng(0).uniform(0.5, 2, 150)
    expected = weights_of(clone(model).fit(X, SPECIES, weights))
    columns = np.c_[IRIS, weights]
    for given in (columns[:, 4], weights[::-1].copy()[::-1], weights.tolist()):
        assert_array_equal(weights_of(clone(model).fit(X, SPECIES, given)), expected)
    clone(model).partial_fit(X, SPECIES, sample_weight=columns[:, 4], classes=[0, 1, 2])
    clone(model).fit(X, SPECIES, np.broadcast_to(1.0, 150))


@pytest.mark.parametrize("model", [FeedForwardRegressor(random_state=0), ThroughOriginRegressor()])
def test_targets_may_be_stored_in_any_way(model):
    Y = np.c_[SPECIES, 2.0 * SPECIES + IRIS[:, 0]]
    expected = weights_of(clone(model).fit(IRIS, Y))
    for given in (np.asfortranarray(Y), pd.DataFrame(Y), np.repeat(Y, 2, axis=1)[:, ::2]):
        assert_array_equal(weights_of(clone(model).fit(IRIS, given)), expected)


# Parameters of other types, and a second call with the same.


def test_parameters_may_be_numbers_of_numpy():
    net = FeedForwardRegressor(max_iter=2, tol=None, early_stopping=True, dropout=np.float32(0.2))
    net.set_params(validation_fraction=np.float32(0.2), n_iter_no_change=5).fit(IRIS, SPECIES)


def test_a_number_beyond_all_is_no_weight():
    with pytest.raises(ValueError, match="sample_weight must be finite"):
        ThroughOriginRegressor().fit(IRIS, SPECIES, 10**400)


@pytest.mark.parametrize("early_stopping", ["neg_log_loss", "roc_auc"])
def test_scorers_of_methods_that_are_not_there_are_named(early_stopping):
    for model in (PerceptronClassifier(), FeedForwardRegressor()):
        with pytest.raises(ValueError, match=f"'early_stopping'.*'{early_stopping}' raised"):
            clone(model).set_params(early_stopping=early_stopping).fit(IRIS, SPECIES)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rates_of_very_long_fits_vanish():
    adaptive = as_schedule("adaptive")
    for _ in range(5_000):
        adaptive.observe(improved=False)
    assert adaptive.rate(5_000) == 0.0
    adaptive.min_rate = 0.01
    assert adaptive.rate(5_000) == 0.01
    assert InverseScaling(power=1000.0).rate(10_000) == 0.0


class Spline(Activation):
    def __init__(self, knots):
        self.knots = knots

    def __call__(self, z):
        return np.interp(z, self.knots, np.abs(self.knots)) + z

    def derivative(self, z, a):
        return np.sign(z) * (np.abs(z) < 9) + 1.0


class Table(Schedule):
    def __init__(self, rates):
        self.rates = rates

    def rate(self, epoch):
        return float(self.rates[min(epoch, len(self.rates) - 1)])


class Clip:
    def __init__(self, end):
        self.end = end

    def __call__(self, z):
        return np.clip(z, -self.end, self.end)


@pytest.mark.parametrize(
    ("parameter", "value", "other"),
    [
        ("learning_rate", Table(np.array([0.01, 0.001])), None),
        ("activation", Spline(np.arange(-9.0, 10)), Spline(np.arange(-9.0, 11))),
        ("activation", (partial(np.clip, a_min=-1, a_max=1), np.cos), "tanh"),
        ("activation", (Clip(1.0), np.cos), (Clip(2.0), np.cos)),
    ],
)
def test_own_pieces_stay_the_same_from_call_to_call(parameter, value, other):
    net = FeedForwardRegressor(random_state=0).set_params(**{parameter: value})
    net.partial_fit(IRIS, SPECIES).partial_fit(IRIS, SPECIES)
    if other is not None:
        with pytest.raises(ValueError, match=f"'{parameter}' parameter must stay"):
            net.set_params(**{parameter: other}).partial_fit(IRIS, SPECIES)


def test_another_loss_is_another_objective():
    settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "standardize": "standard"}
    settings |= {"alpha": 0.1, "max_iter": 2000, "tol": None}
    y = 100 * SPECIES + IRIS[:, 0]
    expected = FeedForwardRegressor(**settings, loss="huber").fit(IRIS, y)
    warm = FeedForwardRegressor(**settings).fit(IRIS, y)
    warm.set_params(loss="huber", warm_start=True).fit(IRIS, y)
    assert warm.loss_ == pytest.approx(expected.loss_, rel=1e-3)
    net = FeedForwardRegressor().partial_fit(IRIS, SPECIES).set_params(loss="huber")
    with pytest.raises(ValueError, match="'loss' parameter must stay"):
        net.partial_fit(IRIS, SPECIES)


def test_pieces_that_write_to_their_input_are_refused():
    def tanh(z):
        return np.tanh(z, out=z)

    for model in (PerceptronClassifier(), FeedForwardRegressor(), ThroughOriginRegressor()):
        wrong = clone(model).set_params(activation=(tanh, lambda z: 1 - np.tanh(z) ** 2))
        with pytest.raises(ValueError, match="must not write to z"):
            wrong.fit(IRIS, SPECIES)

    class InPlace(Loss):
        def value(self, y_true, y_pred):
            y_pred -= y_true
            return y_pred**2

        def gradient(self, y_true, y_pred):
            return 2 * (y_pred - y_true)

    class Listed(InPlace):
        def value(self, y_true, y_pred):
            return ((y_pred - y_true) ** 2).tolist()

    for loss, message in ((InPlace(), "must not write"), (Listed(), "must return an array")):
        with pytest.raises(ValueError, match=message):
            FeedForwardRegressor(loss=loss).fit(IRIS, SPECIES)


def test_what_is_set_while_a_fit_runs_stays():
    net = FeedForwardRegressor(max_iter=2, tol=None, early_stopping=None, random_state=0)

    def scorer(model, X, y):
        net.history = [*getattr(net, "history", []), 1]
        net.alpha = 5.0
        return -np.mean((model.predict(X) - y) ** 2)

    net.set_params(early_stopping=scorer).fit(IRIS, SPECIES)
    assert net.history == [1, 1]
    assert net.alpha == 5.0
    assert hasattr(net, "coefs_")
