"""Rare but legitimate input, over all estimators that it concerns."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.multiclass import OneVsOneClassifier

from sklearn_gd import FeedForwardClassifier, PerceptronClassifier

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
