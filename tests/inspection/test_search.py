"""The rates that a search has tried, and their scores."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import ThroughOriginRegressor
from sklearn_gd.inspection._search import candidates_of

X = np.random.default_rng(0).normal(size=(30, 2))
Y = X @ [1.0, 2.0]
LINE = ThroughOriginRegressor(solver="gd", max_iter=50, tol=None)


def test_candidates_are_those_of_the_results():
    search = GridSearchCV(LINE, {"learning_rate": [0.01, 0.1], "alpha": [0.0, 1.0]}, cv=2)
    found = candidates_of(search.fit(X, Y))
    results = search.cv_results_
    assert_allclose(found["rates"], results["param_learning_rate"].astype(float))
    assert_allclose(found["values"], results["mean_test_score"])
    assert_allclose(found["spread"], results["std_test_score"])
    assert found["best"] == search.best_index_
    assert set(found["combinations"]) == {"alpha=0", "alpha=1"}
    assert found["name"] == "ThroughOriginRegressor"


def test_the_rate_is_found_inside_a_pipeline():
    pipe = make_pipeline(StandardScaler(with_mean=False), LINE)
    grid = {"throughoriginregressor__learning_rate": [0.01, 0.1]}
    assert_allclose(candidates_of(GridSearchCV(pipe, grid, cv=2).fit(X, Y))["rates"], [0.01, 0.1])


@pytest.mark.parametrize("grid", [{"alpha": [0.0, 1.0]}, {"learning_rate": ["auto"]}])
def test_a_search_without_rates_is_refused(grid):
    search = GridSearchCV(ThroughOriginRegressor(), grid, cv=2).fit(X, Y)
    with pytest.raises(ValueError, match=r"rate|numbers"):
        candidates_of(search)


def test_a_search_has_to_be_fitted():
    with pytest.raises((NotFittedError, TypeError, ValueError)):
        candidates_of(GridSearchCV(LINE, {"learning_rate": [0.1]}))
