"""Where neurons and connections are drawn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_gd.inspection._layout import (
    arrange,
    check_max_neurons,
    figure_size,
    number_places,
    segments,
)


def test_layers_are_centred_columns():
    columns = arrange([3, 2, 1], max_neurons=10)
    for x, (n, column) in enumerate(zip([3, 2, 1], columns, strict=True)):
        assert_array_equal(column.positions[:, 0], x)
        assert_allclose(column.positions[:, 1].mean(), 0)
        assert_array_equal(column.shown, np.arange(n))


def test_long_layers_show_both_ends():
    (column,) = arrange([100], max_neurons=12)
    assert_array_equal(column.shown, [0, 1, 2, 97, 98, 99])
    assert_allclose(column.positions[:, 1].mean(), 0)


def test_segments_join_every_pair():
    source, target = arrange([3, 2], max_neurons=10)
    ends = segments(source, target)
    assert ends.shape == (6, 2, 2)
    pairs = {(tuple(a), tuple(b)) for a, b in ends}
    assert len(pairs) == 6
    assert_array_equal(ends[:2, 0], np.repeat(source.positions[:1], 2, axis=0))
    places = number_places(ends, 2)
    on_the_line = [
        (b - a)[0] * (p - a)[1] - (b - a)[1] * (p - a)[0]
        for (a, b), p in zip(ends, places, strict=True)
    ]
    assert_allclose(on_the_line, 0, atol=1e-12)
    assert len({tuple(place) for place in places.round(6)}) == 6


@pytest.mark.parametrize("value", [1, 2.5, "3", True, None])
def test_a_bad_number_of_neurons_is_named(value):
    with pytest.raises(ValueError, match="'max_neurons' parameter must be an int of at least 2"):
        check_max_neurons(value)


def test_larger_networks_have_larger_figures():
    small = figure_size(arrange([2, 1], 10), ["x", "y"])
    large = figure_size(arrange([9, 9, 9, 9], 10), ["a long name", "y"])
    assert all(a < b for a, b in zip(small, large, strict=True))
