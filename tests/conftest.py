"""Profiles of the search for counterexamples; ``--hypothesis-profile=long`` looks longer."""

from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

_COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
}
# The same cases every time, for a verdict that does not change by chance.
settings.register_profile("quick", max_examples=25, derandomize=True, **_COMMON)
settings.register_profile("long", max_examples=2000, **_COMMON)
settings.load_profile("quick")


def pytest_collection_modifyitems(items):
    """Keep the tests of a file on one worker, but for the thousand that share nothing.

    And skip the docstrings that show callbacks where scikit-learn has none yet.
    """
    for item in items:
        if item.path.name != "test_sklearn_checks.py":
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
    if find_spec("sklearn.callback") is None:
        for item in items:
            if item.name.endswith("sklearn_gd.callbacks.Checkpoint"):
                item.add_marker(pytest.mark.skip(reason="came with scikit-learn 1.9"))
