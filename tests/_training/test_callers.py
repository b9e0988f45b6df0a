"""An interrupt ends a search, and keeps what a single fit has learned."""

import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.schedules import Schedule

X, LABELS = load_iris(return_X_y=True)
EPOCHS = []


class Interrupting(Schedule):
    """A constant rate; the first fit that comes to a third epoch is interrupted there."""

    def rate(self, epoch):
        EPOCHS.append(epoch)
        if EPOCHS.count(2) == 1 and epoch == 2:
            raise KeyboardInterrupt
        return 0.01


SETTINGS = {"learning_rate": Interrupting(), "max_iter": 5, "tol": None}
MODELS = {
    "line": ThroughOriginRegressor(solver="momentum", **SETTINGS),
    "step": PerceptronClassifier(random_state=0, **SETTINGS),
    "smooth": PerceptronClassifier(activation="sigmoid", random_state=0, **SETTINGS),
    "net": FeedForwardRegressor(random_state=0, **SETTINGS),
    "classes": FeedForwardClassifier(random_state=0, **SETTINGS),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@pytest.fixture(autouse=True)
def _no_epochs():
    EPOCHS.clear()


def targets(model):
    return LABELS if is_classifier(model) else X[:, 0] + LABELS


def bagging(model):
    kind = BaggingClassifier if is_classifier(model) else BaggingRegressor
    return kind(model, n_estimators=4, random_state=0)


SEVERAL = {
    "search": lambda model: GridSearchCV(model, {"alpha": [0.0, 1e-3]}, cv=3).fit,
    "search over a pipeline": lambda model: (
        GridSearchCV(
            make_pipeline(MaxAbsScaler(), model), {"maxabsscaler": ["passthrough"]}, cv=3
        ).fit
    ),
    "cross-validation": lambda model: lambda X, y: cross_val_score(model, X, y, cv=3),
    "ensemble": lambda model: bagging(model).fit,
    "selection": lambda model: RFE(model, importance_getter=importances).fit,
}


def importances(model):
    return abs(model.coef_ if hasattr(model, "coef_") else model.coefs_[0].T)


@each_model
@pytest.mark.parametrize("several", SEVERAL.values(), ids=SEVERAL)
def test_an_interrupt_ends_all_fits_of_a_search(model, several):
    with pytest.raises(KeyboardInterrupt):
        several(clone(model))(X, targets(model))
    assert EPOCHS.count(2) == 1
    assert EPOCHS[-1] == 2


AROUND_ONE = [(around, model) for around in (clone, make_pipeline) for model in MODELS.values()]
AROUND_ONE += [(TransformedTargetRegressor, MODELS[name]) for name in ("line", "net")]


@pytest.mark.parametrize(("around", "model"), AROUND_ONE)
def test_an_interrupt_keeps_the_weights_of_a_single_fit(around, model):
    y = targets(model)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 2"):
        interrupted = around(model).fit(X, y)
    whole = clone(model).set_params(max_iter=2)
    assert_array_equal(interrupted.predict(X), around(whole).fit(X, y).predict(X))
