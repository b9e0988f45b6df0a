"""The examples run from anywhere, without a warning, and arrive at known numbers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))

# Patterns of lines that have to be in the output.
EXPECTED = {
    "quickstart.py": [
        r"ThroughOriginRegressor, rate 0\.05 +423\.937",
        r"ThroughOriginRegressor, defaults +423\.937",
        r"numpy\.linalg\.lstsq +423\.937",
        r"LinearRegression\(fit_intercept=False\) +423\.937",
        r"The largest stable rate is 0\.813",
        r"ThroughOriginRegressor diverged in epoch \d+",
        r"PerceptronClassifier, step +0\.9\d\d \+- 0\.0\d\d",
        r"PerceptronClassifier, sigmoid +0\.9\d\d \+- 0\.0\d\d",
        r"MLPRegressor +0\.4\d\d \+- 0\.\d\d\d",
        r"FeedForwardRegressor +0\.4\d\d \+- 0\.\d\d\d",
        r"pandas is (not )?installed",
        r"10 +nan +4",
        r"Chosen: 0\.\d+\. The rate that diverged",
    ],
}


def run(example, folder, **environment):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=folder,
        env=clean | {"PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_runs_without_a_warning(example, tmp_path):
    done = run(example, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    missing = [
        pattern
        for pattern in EXPECTED.get(example.name, [])
        if not re.search(rf"^ *\(?{pattern}", done.stdout, flags=re.MULTILINE)
    ]
    assert missing == [], done.stdout


def test_quickstart_runs_without_pandas(tmp_path):
    # A finder that knows no pandas stands for an environment that lacks it.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find_spec = importlib.util.find_spec\n"
        "importlib.util.find_spec = (\n"
        "    lambda name, package=None: None if name == 'pandas' else find_spec(name, package)\n"
        ")\n"
    )
    (quickstart,) = (path for path in EXAMPLES if path.name == "quickstart.py")
    done = run(quickstart, tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "pandas is not installed: X is an array" in done.stdout


def test_every_expectation_belongs_to_an_example():
    assert set(EXPECTED) <= {path.name for path in EXAMPLES}
