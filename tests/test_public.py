"""What each public module offers is what its ``__all__`` says, and all of it is explained."""

import importlib
import inspect
from importlib.util import find_spec

import pytest

MODULES = [
    "sklearn_gd",
    "sklearn_gd.activations",
    "sklearn_gd.callbacks",
    *(["sklearn_gd.dask"] if find_spec("distributed") else []),
    "sklearn_gd.exceptions",
    "sklearn_gd.inspection",
    "sklearn_gd.losses",
    "sklearn_gd.onnx",
    "sklearn_gd.schedules",
    "sklearn_gd.solvers",
    "sklearn_gd.testing",
]


def offered(module):
    """Return the public classes and functions that a module defines, or hands on."""
    package = hasattr(module, "__path__")
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and (
            thing.__module__.startswith(f"{module.__name__}._")
            if package
            else thing.__module__ == module.__name__
        )
    }


@pytest.mark.parametrize("name", MODULES)
def test_all_is_what_the_module_offers(name):
    module = importlib.import_module(name)
    assert sorted(module.__all__) == sorted(offered(module))
    assert module.__doc__


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_is_explained(name):
    for thing in offered(importlib.import_module(name)).values():
        assert thing.__doc__, thing
        if inspect.isclass(thing) and issubclass(thing, Exception):
            continue
        taken = [p for p in inspect.signature(thing).parameters if p not in ("args", "kwargs")]
        assert not taken or "Parameters\n" in thing.__doc__, thing
        for parameter in taken:
            assert parameter in thing.__doc__, (thing, parameter)


@pytest.mark.parametrize(
    "kind", ["ThroughOriginRegressor", "PerceptronClassifier", "FeedForwardRegressor"]
)
def test_methods_are_explained_parameter_by_parameter(kind):
    estimator = getattr(importlib.import_module("sklearn_gd"), kind)
    for name, method in vars(estimator).items():
        if callable(method) and not name.startswith("_"):
            assert method.__doc__, name
            for parameter in inspect.signature(method).parameters:
                assert parameter == "self" or parameter in method.__doc__, (name, parameter)
