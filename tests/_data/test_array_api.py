"""Arrays of other libraries: `array_api_checks.py`, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sklearn

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)

CHECKS = Path(__file__).with_name("array_api_checks.py")


@pytest.mark.slow
def test_fits_on_arrays_of_other_libraries_are_those_of_numpy():
    pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    if sklearn.__version__ < "1.7":
        pytest.importorskip("array_api_compat", reason="scikit-learn before 1.7 needs it")
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", CHECKS]
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    root = CHECKS.parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout


def test_the_tags_say_who_can():
    def supports(estimator):
        return estimator.__sklearn_tags__().array_api_support

    assert supports(ThroughOriginRegressor())
    assert supports(FeedForwardRegressor())
    assert supports(FeedForwardClassifier())
    assert not supports(FeedForwardClassifier(solver="lbfgs"))
    assert not supports(FeedForwardRegressor(solver="lbfgs"))
    assert not supports(PerceptronClassifier())
