"""A validation set in other units than the training set gives a warning, ordinary ones none."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ShuffleSplit, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sklearn_gd import FeedForwardClassifier, FeedForwardRegressor, PerceptronClassifier
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.units import warn_of_other_units

MODELS = [
    FeedForwardRegressor(max_iter=2),
    FeedForwardClassifier(max_iter=2),
    PerceptronClassifier(max_iter=2),
    PerceptronClassifier(max_iter=2, activation="sigmoid"),
]
TABLES = {
    "breast cancer": load_breast_cancer(return_X_y=True),
    "diabetes": load_diabetes(return_X_y=True, scaled=False),
    "wine": load_wine(return_X_y=True),
}


def heard(fit, *args, **kwargs):
    """Return the messages of a call's warnings, without those of convergence."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(*args, **kwargs)
    return [str(w.message) for w in caught if not issubclass(w.category, ConvergenceWarning)]


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_rows_that_a_pipeline_did_not_transform_give_a_warning(model, table):
    X, y = table
    y = y > y.mean() if is_classifier(model) else X[:, 0]
    train, held_out = np.arange(len(y)) % 4 > 0, np.arange(len(y)) % 4 == 0
    step = type(model).__name__.lower()
    pipe = make_pipeline(StandardScaler(), model)
    given = {f"{step}__X_val": X[held_out], f"{step}__y_val": y[held_out]}
    (message,) = heard(pipe.fit, X[train], y[train], **given)
    assert message.startswith("X_val seems to be in other units than X")
    assert "transform_input=['X_val']" in message
    given[f"{step}__X_val"] = pipe[0].transform(X[held_out])
    assert heard(pipe.fit, X[train], y[train], **given) == []


def test_targets_that_were_not_transformed_give_a_warning():
    X, y = load_diabetes(return_X_y=True)
    net = FeedForwardRegressor(max_iter=2)
    whole = TransformedTargetRegressor(net, transformer=StandardScaler())
    (message,) = heard(whole.fit, X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert message.startswith("y_val seems to be in other units than y")
    assert "TransformedTargetRegressor does not transform y_val" in message
    y_val = whole.transformer_.transform(y[300:, None])[:, 0]
    assert heard(whole.fit, X[:300], y[:300], X_val=X[300:], y_val=y_val) == []


def test_sparse_rows_that_were_not_scaled_give_a_warning():
    X = sparse.random(100, 5, density=0.5, format="csr", random_state=0) * 1000
    y = np.asarray(X.sum(axis=1)).ravel()
    net, scaled = FeedForwardRegressor(max_iter=2), MaxAbsScaler().fit_transform(X)
    args = scaled[:80], y[:80]
    (message,) = heard(net.fit, *args, X_val=X[80:], y_val=y[80:])
    assert message.startswith("X_val seems to be in other units than X")
    assert heard(net.fit, *args, X_val=scaled[80:], y_val=y[80:]) == []


def rows_of(X, y):
    return Rows(X, np.asarray(y, float).reshape(len(y), -1), None)


@pytest.mark.parametrize("table", [*TABLES.values(), load_iris(return_X_y=True)])
@pytest.mark.parametrize("size", [1, 6, 0.2])
def test_ordinary_hold_outs_give_none(table, size):
    X, y = table
    for train, held_out in ShuffleSplit(100, test_size=size, random_state=0).split(X):
        warn_of_other_units(rows_of(X[train], y[train]), rows_of(X[held_out], y[held_out]))


def test_hold_outs_of_heavy_tails_trends_and_rare_values_give_none():
    rng = np.random.default_rng(0)
    time = np.arange(400.0)
    X = np.column_stack([rng.pareto(0.5, (400, 3)), time, rng.random((400, 2)) < 0.01, 0 * time])
    y = time + 1e3 * rng.pareto(0.5, 400)
    splits = TimeSeriesSplit(10), ShuffleSplit(100, test_size=10, random_state=0)
    for train, held_out in (pair for splitter in splits for pair in splitter.split(X)):
        warn_of_other_units(rows_of(X[train], y[train]), rows_of(X[held_out], y[held_out]))


def test_rows_without_weight_do_not_count():
    X = np.random.default_rng(0).normal(size=(40, 2))
    far = np.where(np.arange(40) < 25, 1e3, 0.0)[:, None]
    weights = np.where(np.arange(40) < 25, 0.0, 1.0)
    warn_of_other_units(rows_of(X, X[:, 0]), Rows(X + far, X[:, :1], weights))
    with pytest.warns(UserWarning, match="X_val seems to be in other units than X"):
        warn_of_other_units(rows_of(X, X[:, 0]), Rows(X + far, X[:, :1], None))
