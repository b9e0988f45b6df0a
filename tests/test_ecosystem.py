"""The estimators inside what scikit-learn's users put them in, on pandas and polars frames."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.activations import ELU
from sklearn_gd.schedules import Exponential

LINE = ThroughOriginRegressor()
NET = FeedForwardRegressor(
    hidden_layer_sizes=8, learning_rate=0.01, max_iter=30, tol=None, random_state=0
)
NEURON = PerceptronClassifier(random_state=0)
SMOOTH = PerceptronClassifier(activation="sigmoid", random_state=0)


def frame(load, library):
    data = load(as_frame=True)
    X, y = data.data.iloc[:200], data.target.iloc[:200]
    if load is load_diabetes:
        y = (y - y.mean()) / y.std()
    if library == "polars":
        return pl.from_pandas(X), pl.Series(y.name, y.to_numpy())
    if library == "pyarrow":
        return X.convert_dtypes(dtype_backend="pyarrow"), y
    return X, y


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def diabetes(request):
    return frame(load_diabetes, request.param)


@pytest.fixture(params=["pandas", "polars"])
def cancer(request):
    return frame(load_breast_cancer, request.param)


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def names(X):
    return list(X.columns)


@pytest.mark.parametrize("model", [LINE, NET], ids=str)
def test_feature_names_are_kept(model, diabetes):
    X, y = diabetes
    model = clone(model).fit(X, y)
    assert list(model.feature_names_in_) == names(X)
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), clone(model)).fit(X, y)
    assert list(pipe[-1].feature_names_in_) == names(X)
    assert pipe.predict(X).shape == (200,)
    swapped = X[names(X)[::-1]]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(swapped)


def test_early_stopping_does_not_lose_the_names(cancer):
    X, y = cancer
    for model in (clone(NEURON).set_params(early_stopping=True), clone(NET)):
        model.set_params(early_stopping=True).fit(X, y)
        assert list(model.feature_names_in_) == names(X)
        model.predict(X)


def test_column_transformer():
    X, y = frame(load_diabetes, "pandas")
    X = X.assign(sex=np.where(X["sex"] > 0, "f", "m"))
    columns = ColumnTransformer(
        [("number", StandardScaler(), ["age", "bmi", "bp"]), ("kind", OneHotEncoder(), ["sex"])]
    )
    pipe = make_pipeline(columns, clone(NET)).fit(X, y)
    assert pipe.score(X, y) > 0.3
    assert pipe[-1].n_features_in_ == 5


def test_grid_search_over_rates_and_pieces(diabetes):
    X, y = diabetes
    grid = GridSearchCV(
        scaled(clone(NET)),
        {
            "feedforwardregressor__learning_rate": [0.001, 0.01, Exponential(0.01, 0.9)],
            "feedforwardregressor__activation": ["tanh", ELU(0.5), (np.sin, np.cos)],
        },
        cv=3,
    ).fit(X, y)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert list(grid.feature_names_in_) == names(X)


def test_grid_search_into_a_piece():
    X, y = frame(load_diabetes, "pandas")
    model = clone(NET).set_params(learning_rate=Exponential(0.01))
    grid = GridSearchCV(model, {"learning_rate__decay": [0.5, 1.0]}, cv=3).fit(X, y)
    assert grid.best_params_ == {"learning_rate__decay": 1.0}


def test_diverging_candidates_score_nan_and_rank_last():
    X, y = frame(load_diabetes, "pandas")
    for model, bad in [(LINE, 1e4), (clone(NET).set_params(solver="gd"), 1e3)]:
        model = clone(model).set_params(solver="gd", tol=None, max_iter=50)
        grid = GridSearchCV(model, {"learning_rate": [0.01, bad]}, cv=3)
        with pytest.warns((FitFailedWarning, UserWarning)) as caught:
            grid.fit(X, y)
        failed = [w for w in caught if w.category is FitFailedWarning]
        assert len(failed) == 1
        assert "DivergenceError" in str(failed[0].message)
        assert grid.best_params_ == {"learning_rate": 0.01}
        assert np.isnan(grid.cv_results_["mean_test_score"][1])
        assert list(grid.cv_results_["rank_test_score"]) == [1, 2]


def test_halving_and_randomized_search(cancer):
    X, y = cancer
    rates = {"perceptronclassifier__learning_rate": [0.01, 0.1, 1.0, 2.0]}
    halving = HalvingGridSearchCV(
        scaled(clone(SMOOTH).set_params(tol=None, max_iter=1)),
        rates,
        resource="perceptronclassifier__max_iter",
        max_resources=40,
        cv=3,
        random_state=0,
    ).fit(X, y)
    assert halving.best_score_ > 0.9
    randomized = RandomizedSearchCV(scaled(clone(NEURON)), rates, n_iter=2, cv=3, random_state=0)
    assert randomized.fit(X, y).best_score_ > 0.9


def test_cross_validation(diabetes):
    X, y = diabetes
    scores = cross_validate(clone(LINE), X, y, cv=3, scoring=["r2", "neg_mean_absolute_error"])
    reference = cross_validate(LinearRegression(fit_intercept=False), X, y, cv=3, scoring="r2")
    assert_allclose(scores["test_r2"], reference["test_score"], rtol=1e-6)
    assert cross_val_predict(scaled(clone(NET)), X, y, cv=3).shape == (200,)


def test_transformed_target(diabetes):
    X, y = diabetes
    y = np.asarray(y) * 1e6
    model = TransformedTargetRegressor(scaled(clone(NET)), transformer=StandardScaler())
    assert model.fit(X, y).score(X, y) > 0.4


def test_regressors_in_ensembles(diabetes):
    X, y = diabetes
    members = [("line", scaled(clone(LINE))), ("net", scaled(clone(NET)))]
    for model in (
        BaggingRegressor(scaled(clone(NET)), n_estimators=3, max_features=0.7, random_state=0),
        StackingRegressor(members, cv=3),
        VotingRegressor(members),
    ):
        assert model.fit(X, y).score(X, y) > 0.3
    boosted = AdaBoostRegressor(scaled(clone(NET)), n_estimators=3, random_state=0)
    assert boosted.fit(np.asarray(X), np.asarray(y)).score(X.to_numpy(), y) > 0.3


def test_classifiers_in_ensembles(cancer):
    X, y = cancer
    members = [("step", scaled(clone(NEURON))), ("smooth", scaled(clone(SMOOTH)))]
    for model in (
        BaggingClassifier(scaled(clone(NEURON)), n_estimators=3, random_state=0),
        StackingClassifier(members, final_estimator=LogisticRegression(), cv=3),
        VotingClassifier(members),
        VotingClassifier(members[1:], voting="soft"),
        OneVsRestClassifier(scaled(clone(NEURON))),
    ):
        assert model.fit(X, y).score(X, y) > 0.9


def test_multi_output_wrapper_and_own_multi_output_agree():
    X, y = frame(load_diabetes, "pandas")
    Y = pd.DataFrame({"y": y, "twice": 2 * y + X["bmi"]})
    wrapped = MultiOutputRegressor(clone(LINE)).fit(X, Y)
    assert_allclose(clone(LINE).fit(X, Y).predict(X), wrapped.predict(X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("library", ["pandas", "polars"])
# scikit-learn's own function makes an array of a polars frame, and warns of it.
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_permutation_importance_finds_what_matters(library):
    X, y = frame(load_diabetes, library)
    model = scaled(clone(NET)).fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=3, random_state=0).importances_mean
    assert names(X)[int(np.argmax(found))] in ("bmi", "s5", "s1")


def test_learning_and_validation_curves(diabetes):
    X, y = diabetes
    sizes, train, test = learning_curve(
        scaled(clone(NET)), X, y, cv=3, train_sizes=[0.3, 1.0], exploit_incremental_learning=False
    )
    assert test.mean(axis=1)[1] > test.mean(axis=1)[0]
    assert len(sizes) == len(train) == 2
    _, test = validation_curve(clone(NET), X, y, param_name="alpha", param_range=[0, 1.0], cv=3)
    assert test.mean(axis=1)[0] > test.mean(axis=1)[1]


def test_incremental_learning_curve():
    X, y = frame(load_breast_cancer, "pandas")
    X = pd.DataFrame(StandardScaler().fit_transform(X), columns=X.columns)
    _, _, test = learning_curve(
        clone(NEURON), X, y, cv=3, train_sizes=[0.5, 1.0], exploit_incremental_learning=True
    )
    assert (test.mean(axis=1) > 0.85).all()


@pytest.mark.parametrize("model", [LINE, NET, NEURON, SMOOTH], ids=str)
def test_sample_weights_are_routed(model):
    load = load_breast_cancer if hasattr(model, "decision_function") else load_diabetes
    X, y = frame(load, "pandas")
    weights = pd.Series(np.random.default_rng(0).uniform(0.5, 2, len(y)), index=y.index)
    with config_context(enable_metadata_routing=True):
        routed = clone(model).set_fit_request(sample_weight=True)
        routed.set_score_request(sample_weight=True)
        grid = GridSearchCV(routed, {"alpha": [0.0]}, cv=2).fit(X, y, sample_weight=weights)
    direct = clone(model).fit(X, y, weights)
    assert_array_equal(grid.best_estimator_.predict(X), direct.predict(X))


@pytest.mark.parametrize("model", [LINE, NEURON, SMOOTH], ids=str)
def test_first_weights_are_routed(model):
    load = load_breast_cancer if hasattr(model, "decision_function") else load_diabetes
    X, y = frame(load, "pandas")
    first = np.random.default_rng(0).normal(size=X.shape[1])
    short = clone(model).set_params(max_iter=3, tol=None)
    with config_context(enable_metadata_routing=True):
        routed = clone(short).set_fit_request(coef_init=True)
        pipe = make_pipeline(MaxAbsScaler(), routed).fit(X, y, coef_init=first)
    direct = clone(short).fit(MaxAbsScaler().fit_transform(X), y, coef_init=first)
    assert_array_equal(pipe[-1].coef_, direct.coef_)
    assert (direct.coef_ != clone(short).fit(MaxAbsScaler().fit_transform(X), y).coef_).any()


@pytest.mark.parametrize("model", [NEURON, SMOOTH], ids=str)
def test_classes_are_routed(model):
    X, y = frame(load_breast_cancer, "pandas")
    with config_context(enable_metadata_routing=True):
        routed = clone(model).set_partial_fit_request(classes=True)
        chosen = SelectFromModel(routed).partial_fit(X, y, classes=[0, 1, 2])
    assert chosen.estimator_.classes_.tolist() == [0, 1, 2]
    assert chosen.estimator_.coef_.shape == (3, X.shape[1])


@pytest.mark.parametrize("model", [LINE, NET, NEURON, SMOOTH], ids=str)
@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_a_seed_means_the_same_in_every_worker(model, backend):
    load = load_breast_cancer if hasattr(model, "decision_function") else load_diabetes
    X, y = frame(load, "pandas")
    alone = cross_validate(clone(model), X, y, cv=3)["test_score"]
    with joblib.parallel_config(backend):
        shared = cross_validate(clone(model), X, y, cv=3, n_jobs=2)["test_score"]
    assert_array_equal(alone, shared)


@pytest.mark.parametrize("model", [LINE, NET, NEURON, SMOOTH], ids=str)
def test_pickles_and_predicts_the_same(model):
    load = load_breast_cancer if hasattr(model, "decision_function") else load_diabetes
    X, y = frame(load, "pandas")
    model = clone(model).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert again.get_params() == model.get_params()


def test_representations():
    model = FeedForwardRegressor(activation=["tanh", ELU(0.5)])
    assert repr(model) == "FeedForwardRegressor(activation=['tanh', ELU(alpha=0.5)])"
    assert "FeedForwardRegressor" in model._repr_html_()
