"""Early stopping on a scorer: what is scored, which epoch is kept, and what is refused."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, get_scorer, make_scorer, r2_score, roc_auc_score

from sklearn_gd import FeedForwardClassifier, FeedForwardRegressor, PerceptronClassifier
from sklearn_gd.losses import Pinball

X, Y = load_diabetes(return_X_y=True)
CANCER, LABELS = load_breast_cancer(return_X_y=True)
NET = FeedForwardRegressor(hidden_layer_sizes=8, max_iter=15, tol=None, random_state=0)
CLASSIFIER = FeedForwardClassifier(hidden_layer_sizes=8, max_iter=15, tol=None, random_state=0)
STEP = PerceptronClassifier(max_iter=15, tol=None, random_state=0)
CLASSIFIERS = [CLASSIFIER, STEP, clone(STEP).set_params(activation="sigmoid")]


def halves(X, y):
    return (X[::2], y[::2]), {"X_val": X[1::2], "y_val": y[1::2]}


def test_the_best_score_is_that_of_the_fitted_network():
    train, held_out = halves(X, Y)
    net = clone(NET).set_params(early_stopping="r2").fit(*train, **held_out)
    assert len(net.validation_score_curve_) == len(net.validation_loss_curve_) == 15
    assert net.best_iter_ == np.argmax(net.validation_score_curve_)
    assert net.best_loss_ == net.validation_loss_curve_[net.best_iter_]
    score = r2_score(held_out["y_val"], net.predict(held_out["X_val"]))
    assert_allclose(score, max(net.validation_score_curve_), rtol=1e-12)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=["network", "step", "sigmoid"])
def test_classifiers_may_follow_their_accuracy(model):
    labels = np.array(["benign", "malignant"])[LABELS]
    train, held_out = halves(CANCER, labels)
    fitted = clone(model).set_params(early_stopping="accuracy").fit(*train, **held_out)
    found = accuracy_score(held_out["y_val"], fitted.predict(held_out["X_val"]))
    assert found == max(fitted.validation_score_curve_)
    assert fitted.best_iter_ == np.argmax(fitted.validation_score_curve_)
    on_loss = clone(model).fit(*train, **held_out)
    assert not hasattr(on_loss, "validation_score_curve_")
    assert fitted.loss_curve_ == on_loss.loss_curve_


def test_probabilities_are_scored_by_a_callable():
    scorer = make_scorer(roc_auc_score, response_method="predict_proba")
    train, held_out = halves(CANCER, LABELS)
    weights = np.random.default_rng(0).uniform(size=len(held_out["y_val"]))
    net = clone(CLASSIFIER).set_params(early_stopping=scorer)
    net.fit(*train, **held_out, sample_weight_val=weights)
    proba = net.predict_proba(held_out["X_val"])[:, 1]
    found = roc_auc_score(held_out["y_val"], proba, sample_weight=weights)
    assert_allclose(found, max(net.validation_score_curve_), rtol=1e-12)


def test_a_scorer_that_is_the_loss_keeps_the_epoch_of_the_loss():
    by_loss = clone(NET).set_params(early_stopping=True).fit(X, Y)
    by_score = clone(NET).set_params(early_stopping="neg_mean_squared_error").fit(X, Y)
    assert by_score.best_iter_ == by_loss.best_iter_
    assert_allclose(by_score.validation_score_curve_, -np.array(by_loss.validation_loss_curve_))
    assert_array_equal(by_score.predict(X), by_loss.predict(X))


def test_the_fit_ends_when_the_score_does_not_improve_by_tol():
    net = clone(NET).set_params(early_stopping="r2", tol=10.0, n_iter_no_change=3).fit(X, Y)
    assert net.n_iter_ == 4  # the first epoch improves on none
    assert net.best_iter_ == np.argmax(net.validation_score_curve_)


@pytest.mark.parametrize("kind", [pd.DataFrame, sparse.csr_array])
def test_rows_of_every_kind(kind):
    rows = kind(X) if kind is sparse.csr_array else kind(X).add_prefix("x")
    net = clone(NET).set_params(early_stopping="r2").fit(rows, Y)
    assert len(net.validation_score_curve_) == net.n_iter_


def test_indicators_and_quantiles():
    rows, indicators = make_multilabel_classification(120, random_state=0)
    net = clone(CLASSIFIER).set_params(early_stopping="f1_macro").fit(rows, indicators)
    assert max(net.validation_score_curve_) > 0
    mean_d2 = make_scorer(lambda y, y_pred: -np.abs(y[:, None] - y_pred).mean())
    net = clone(NET).set_params(loss=Pinball((0.2, 0.8)), early_stopping=mean_d2).fit(X, Y)
    assert net.best_iter_ == np.argmax(net.validation_score_curve_)


def test_the_public_score_is_not_called():
    class Counting(FeedForwardRegressor):
        def score(self, *args):
            raise AssertionError("score was called")

    net = Counting(**NET.get_params()).set_params(early_stopping="r2").fit(X, Y)
    assert len(net.validation_score_curve_) == 15


def test_another_fit_forgets_the_scores_and_pickles_keep_them():
    net = clone(NET).set_params(early_stopping="r2").fit(X, Y)
    assert pickle.loads(pickle.dumps(net)).validation_score_curve_ == net.validation_score_curve_
    assert not hasattr(net.set_params(early_stopping=False).fit(X, Y), "validation_score_curve_")


def test_verbose_prints_the_score(capsys):
    net = clone(NET).set_params(early_stopping="r2", verbose=True, max_iter=2).fit(X, Y)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"validation score = {net.validation_score_curve_[-1]:.8g}")


@pytest.mark.parametrize("model", [NET, *CLASSIFIERS[:2]])
@pytest.mark.parametrize("early_stopping", ["auto", "mse", 1.5, None, 2])
def test_what_is_no_scorer_is_refused(model, early_stopping):
    with pytest.raises(ValueError, match="'early_stopping' parameter of"):
        clone(model).set_params(early_stopping=early_stopping).fit(CANCER, LABELS)


def test_a_score_that_is_no_number_is_refused():
    nothing = make_scorer(lambda y, y_pred: np.nan)
    with pytest.raises(ValueError, match="returns finite numbers"):
        clone(NET).set_params(early_stopping=nothing).fit(X, Y)


@pytest.mark.parametrize("model", [NET, *CLASSIFIERS])
@pytest.mark.parametrize("early_stopping", [True, "r2"])
def test_partial_fit_refuses_early_stopping(model, early_stopping):
    model = clone(model).set_params(early_stopping=early_stopping)
    given = (X, Y) if model.__class__ is FeedForwardRegressor else (CANCER, LABELS, [0, 1])
    with pytest.raises(ValueError, match=r"partial_fit\(\) runs one epoch"):
        model.partial_fit(*given)


def test_the_balance_of_classes_counts_in_the_score():
    weights = {0: 5.0, 1: 1.0}
    train, held_out = halves(CANCER, LABELS)
    net = clone(CLASSIFIER).set_params(early_stopping="accuracy", class_weight=weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(*train, **held_out)
    each = np.where(held_out["y_val"] == 0, 5.0, 1.0)
    scorer = get_scorer("accuracy")
    found = scorer(net, held_out["X_val"], held_out["y_val"], sample_weight=each)
    assert_allclose(found, max(net.validation_score_curve_), rtol=1e-12)
