"""Profiles of the search for counterexamples; ``--hypothesis-profile=long`` looks longer."""

import os
from importlib.util import find_spec
from itertools import count

import numpy as np
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


def pytest_configure():
    """Leave the cores to the tests, of which one runs on each, in all processes from here on."""
    quiet = {
        "OMP_NUM_THREADS": "1",
        # Dask looks at each of its processes a hundred times a second.
        "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
        "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    }
    os.environ.update({name: os.environ.get(name, value) for name, value in quiet.items()})


@pytest.fixture(autouse=True)
def seeds_for_none(monkeypatch):
    """Give fits with ``random_state=None`` other numbers each, but the same ones in each run."""
    seeds, default_rng = count(), np.random.default_rng
    monkeypatch.setattr(
        np.random,
        "default_rng",
        lambda seed=None: default_rng(next(seeds) if seed is None else seed),
    )


def pytest_collection_modifyitems(items):
    """Skip the docstrings that show callbacks where scikit-learn has none yet."""
    if find_spec("sklearn.callback") is None:
        for item in items:
            if item.name.endswith("sklearn_gd.callbacks.Checkpoint"):
                item.add_marker(pytest.mark.skip(reason="came with scikit-learn 1.9"))
