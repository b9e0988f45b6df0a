"""Style of the connections and texts of a drawn network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_gd._pieces import Array
from sklearn_gd.inspection._axes import COLOURS, Style, options

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT = 9.0  # points


def write_text(
    ax: Axes,
    given: Style | None,
    text: str,
    place: Any,
    offset: tuple[float, float] = (0, 0),
    horizontal: str = "center",
    vertical: str = "center",
    coordinates: Any = "data",
    *,
    boxed: bool = False,
    **defaults: object,
) -> Any:
    """Write a text `offset` points from a place, optionally on a white box."""
    from matplotlib.text import Text

    if boxed:
        defaults["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8}
    defaults = {"fontsize": FONT, "zorder": 4, **defaults}
    defaults |= {"horizontalalignment": horizontal, "verticalalignment": vertical}
    style = options(given, Text, **defaults)
    return ax.annotate(
        text, place, xytext=offset, xycoords=coordinates, textcoords="offset points", **style
    )


def strokes(weights: Array, most: float) -> Style:
    """Return the colour, line width and line style of each connection."""
    from matplotlib.colors import to_rgba

    flat = weights.ravel()
    size = np.abs(flat) / most if most > 0 else np.zeros(len(flat))
    hues = {1: COLOURS["blue"], -1: COLOURS["vermillion"], 0: COLOURS["grey"]}
    widths = 0.6 + 3.0 * size
    return {
        "color": [
            to_rgba(hues[int(sign)], 0.25 + 0.75 * share)
            for sign, share in zip(np.sign(flat), size, strict=True)
        ],
        "linewidth": widths,
        # Dash lengths are in units of the line width; these are 6 and 3 points at any width.
        "linestyle": [
            (0, (6 / width, 3 / width)) if weight < 0 else "solid"
            for weight, width in zip(flat, widths, strict=True)
        ],
    }


def largest(weights: Array) -> float:
    """Return the largest absolute value of the weights."""
    return float(np.abs(weights).max())
