"""Axes to draw on, and the options of artists."""

import subprocess
import sys

import pytest

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")

from sklearn_gd.inspection._axes import new_axes, options  # noqa: E402


def test_given_axes_are_drawn_on():
    _, ax = plt.subplots()
    assert new_axes("FitDisplay", ax) is ax
    new = new_axes("FitDisplay", figsize=(3, 2))
    assert new is not ax
    assert tuple(new.figure.get_size_inches()) == (3, 2)
    plt.close("all")


def test_several_axes_are_refused():
    _, axes = plt.subplots(1, 2)
    with pytest.raises(TypeError, match="'ax' parameter must be one matplotlib Axes"):
        new_axes("FitDisplay", axes)
    plt.close("all")


def test_options_of_the_user_come_before_the_defaults_by_any_alias():
    assert options({"lw": 3}, linewidth=1, color="red") == {"linewidth": 3, "color": "red"}
    assert options(None, linewidth=1) == {"linewidth": 1}


def test_without_matplotlib_the_error_says_what_to_install():
    code = """
import sys
sys.modules["matplotlib"] = None
from sklearn_gd.inspection._axes import pyplot
try:
    pyplot("FitDisplay")
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("FitDisplay draws with matplotlib, which is not installed.")
