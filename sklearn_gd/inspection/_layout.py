"""Lay out a network: which neurons are drawn, and where."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import numpy as np

from sklearn_gd._pieces import Array


class Column(NamedTuple):
    """The layout of one layer, in units of the distance between neighbouring neurons.

    Attributes
    ----------
    n_neurons : int
        Number of neurons in the layer.
    shown : ndarray of shape (n_shown,)
        Indices of the neurons that are drawn, from the top.
    positions : ndarray of shape (n_shown, 2)
        Positions of the neurons that are drawn.
    gap : ndarray of shape (2,) or None
        Position that stands for the omitted neurons; None if all are drawn.
    """

    n_neurons: int
    shown: Array
    positions: Array
    gap: Array | None

    @property
    def n_slots(self) -> int:
        """Number of vertical positions that the column takes up."""
        return len(self.shown) + (self.gap is not None)


def check_max_neurons(value: object) -> int:
    """Return `max_neurons`; raise ValueError unless it is an integer of at least 2."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < 2:
        raise ValueError(
            f"The 'max_neurons' parameter must be an int of at least 2. Got {value!r} instead."
        )
    return int(value)


def arrange(sizes: Sequence[int], max_neurons: int) -> list[Column]:
    """Return one column per layer of a network with `sizes` neurons, each centred at height 0.

    Of a layer with more than `max_neurons` neurons, a quarter of that number is drawn at either
    end.
    """
    return [_column(x, n, max_neurons) for x, n in enumerate(sizes)]


def _column(x: int, n_neurons: int, max_neurons: int) -> Column:
    if n_neurons <= max_neurons:
        heights = (n_neurons - 1) / 2 - np.arange(n_neurons)
        return Column(n_neurons, np.arange(n_neurons), _at(x, heights), None)
    ends = max(1, max_neurons // 4)
    heights = ends - np.arange(2 * ends + 1.0)
    shown = np.concatenate([np.arange(ends), np.arange(n_neurons - ends, n_neurons)])
    places = _at(x, heights)
    return Column(n_neurons, shown, np.delete(places, ends, axis=0), places[ends])


def _at(x: float, heights: Array) -> Array:
    return np.column_stack([np.full(len(heights), float(x)), heights])


def segments(source: Column, target: Column) -> Array:
    """Return the lines from each neuron of a layer to each neuron of the next.

    Returns
    -------
    ends : ndarray of shape (n_source * n_target, 2, 2)
        End points of the lines, grouped by source.
    """
    n_source, n_target = len(source.shown), len(target.shown)
    starts = np.repeat(source.positions, n_target, axis=0)
    return np.stack([starts, np.tile(target.positions, (n_source, 1))], axis=1)


def number_places(ends: Array, n_target: int) -> Array:
    """Return the position of the number on each line, of shape (n_lines, 2).

    The distance along the line depends on the target, so that numbers do not overlap where
    lines cross.
    """
    share = np.linspace(0.22, 0.6, n_target) if n_target > 1 else np.array([0.4])
    share = np.tile(share, len(ends) // n_target)[:, None]
    return ends[:, 0] * (1 - share) + ends[:, 1] * share


def figure_size(columns: list[Column], names: list[str]) -> tuple[float, float]:
    """Return the width and height in inches of a figure with names on either side."""
    n_gaps = len(columns) - 1
    between = {1: 3.2, 2: 2.4}.get(n_gaps, 1.7)
    letters = 2 * max(map(len, names))
    most = max(column.n_slots for column in columns)
    slot = 0.7 if most <= 5 else 0.45
    width = n_gaps * between + 0.07 * letters + 1.0
    return min(max(width, 5.0), 16.0), max(slot * most, 1.6) + 1.9
