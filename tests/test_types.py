"""The hints, as a user's type checker sees them: a program that is right, and what is wrong."""

import os
import re
import runpy
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import sklearn_gd

pytest.importorskip("mypy", reason="needs mypy, the type checker")

PROGRAM = Path(__file__).with_name("typed_program.py")
# A user's settings: all that is strict, and scikit-learn, which has no hints, taken as it is.
USERS = [
    "--config-file=",
    "--strict",
    "--ignore-missing-imports",
    "--allow-subclassing-any",
    "--no-error-summary",
    "--hide-error-context",
]

WRONG = {
    "FeedForwardRegressor(8)": "call-arg|misc",  # by position
    "FeedForwardRegressor(hidden_layer_sizes='8')": "arg-type",
    "FeedForwardRegressor(sizes=8)": "call-arg",
    "FeedForwardRegressor().fit(X)": "call-arg",
    "FeedForwardRegressor().fit(X, y).coefs_ + 1": "operator",
    "ThroughOriginRegressor(alpha='small')": "arg-type",
    "ThroughOriginRegressor().fit(X, y, X_val=X)": "call-arg",
    "PerceptronClassifier(average='yes')": "arg-type",
    "PerceptronClassifier().fit(X, y).loss_curve_.shape": "attr-defined",
    "PerceptronClassifier().predict_proba()": "call-arg",
    "ELU('steep')": "arg-type",
    "Exponential(0.1).rate('first')": "arg-type",
    "Huber().value(X)": "call-arg",
    "LossCurveDisplay.from_estimator()": "call-arg",
}


def checked(file, cache):
    """Return what mypy says of a file, a line each."""
    command = [sys.executable, "-m", "mypy", *USERS, f"--cache-dir={cache}", str(file)]
    # From outside of the checkout, where the package is found as an installed one is. An editable
    # install maps it by an import hook, which no type checker follows: its folder is named.
    env = os.environ | {"PYTHONPATH": str(Path(sklearn_gd.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cache, env=env)
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("mypy")


def test_the_package_says_that_it_has_hints():
    assert files("sklearn_gd").joinpath("py.typed").is_file()


def test_a_typed_program_has_the_types_that_it_says(cache):
    assert checked(PROGRAM, cache) == []


def test_the_typed_program_runs():
    runpy.run_path(str(PROGRAM), run_name="__main__")


def test_mistakes_are_found(cache, tmp_path):
    head = """
from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.activations import ELU
from sklearn_gd.inspection import LossCurveDisplay
from sklearn_gd.losses import Huber
from sklearn_gd.schedules import Exponential
import numpy as np
X, y = np.zeros((3, 2)), np.zeros(3)
"""
    program = tmp_path / "mistaken.py"
    program.write_text(head + "\n".join(WRONG), encoding="utf-8")
    said = "\n".join(checked(program, cache))
    first = head.count("\n") + 1
    found = dict(re.findall(r"mistaken\.py:(\d+): error: .*\[([\w-]+)\]$", said, flags=re.M))
    for number, (line, codes) in enumerate(WRONG.items(), start=first):
        assert found.pop(str(number), "nothing") in codes.split("|"), (line, said)
    assert not found, said


@pytest.mark.parametrize("kind", ["ThroughOriginRegressor", "PerceptronClassifier"])
def test_nothing_that_a_user_calls_is_of_any_type(kind, cache, tmp_path):
    calls = ["fit(X, y)", "partial_fit(X, y)", "predict(X)", "score(X, y)", "coef_", "loss_"]
    calls += ["loss_curve_", "n_iter_", "n_features_in_", "feature_names_in_", "get_params()"]
    calls += ["set_params()", "set_callbacks()", "set_fit_request(sample_weight=True)"]
    lines = [f"reveal_type(model.{call})" for call in calls]
    head = f"from sklearn_gd import {kind}\nimport numpy as np\n"
    head += f"X, y = np.zeros((3, 2)), np.zeros(3)\nmodel = {kind}()\n"
    program = tmp_path / "revealed.py"
    program.write_text(head + "\n".join(lines), encoding="utf-8")
    said = [line for line in checked(program, cache) if "Revealed type" in line]
    assert len(said) == len(calls)
    assert [line for line in said if line.endswith('"Any"')] == []
