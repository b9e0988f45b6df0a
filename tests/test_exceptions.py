"""Errors and warnings that users catch: their base classes, and that they cross processes."""

import pickle

import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_gd import ThroughOriginRegressor
from sklearn_gd.exceptions import DivergenceError, ModelVersionWarning


def test_a_divergence_has_its_losses():
    error = pickle.loads(pickle.dumps(DivergenceError("diverged", [1.0, 9.0])))
    assert isinstance(error, ValueError)
    assert error.loss_curve == [1.0, 9.0]
    assert str(error) == "diverged"


@pytest.mark.filterwarnings("ignore:")
def test_a_search_passes_over_rates_that_diverge():
    X = [[1.0], [2.0], [3.0], [4.0]]
    search = GridSearchCV(
        ThroughOriginRegressor(solver="gd"), {"learning_rate": [0.01, 1e6]}, cv=2
    )
    assert search.fit(X, [2.0, 4.0, 6.0, 8.0]).best_params_ == {"learning_rate": 0.01}


def test_a_version_warning_names_both_versions():
    warning = pickle.loads(pickle.dumps(ModelVersionWarning("Net", "0.2", "0.1")))
    assert isinstance(warning, UserWarning)
    assert (warning.current_version, warning.original_version) == ("0.2", "0.1")
    assert "stored by sklearn_gd 0.1 was loaded by sklearn_gd 0.2" in str(warning)
