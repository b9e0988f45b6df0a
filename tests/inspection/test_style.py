"""Colours, widths and dashes of the connections of a network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")

from sklearn_gd.inspection._style import largest, strokes, write_text  # noqa: E402


def test_signs_are_colours_and_dashes_and_sizes_are_widths():
    weights = np.array([[2.0, -1.0], [0.0, 0.5]])
    look = strokes(weights, largest(weights))
    assert look["linestyle"][0] == look["linestyle"][2] == look["linestyle"][3] == "solid"
    assert look["linestyle"][1] != "solid"
    assert_allclose(look["linewidth"], [3.6, 2.1, 0.6, 1.35])
    positive, negative, zero, other = look["color"]
    assert positive[:3] == other[:3] != negative[:3] != zero[:3]
    assert positive[3] > negative[3] > other[3] > zero[3]


def test_zeros_are_thin():
    assert_allclose(strokes(np.zeros((2, 1)), 0.0)["linewidth"], 0.6)


def test_options_of_the_user_come_first():
    _, ax = plt.subplots()
    text = write_text(ax, {"size": 20}, "a", (0, 0), boxed=True, color="red")
    assert (text.get_fontsize(), text.get_color()) == (20, "red")
    assert text.get_bbox_patch() is not None
    assert write_text(ax, None, "b", (0, 0)).get_bbox_patch() is None
    plt.close("all")
