"""Helpers shared by all displays: axes, artist options, and a colour-blind safe palette."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Keyword arguments of a matplotlib artist.
Style: TypeAlias = dict[str, Any]

# Okabe and Ito, "Color universal design" (2008): safe for colour-blind readers.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "grey": "#7F7F7F",
    "black": "#000000",
}


def pyplot(owner: str) -> Any:
    """Return matplotlib's pyplot; if it is not installed, raise an ImportError naming `owner`."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{owner} draws with matplotlib, which is not installed. Install it by "
            "pip install matplotlib."
        ) from error
    return plt


def new_axes(owner: str, ax: Axes | None = None, **figure_options: Any) -> Any:
    """Return the Axes to draw on: the given ones, or those of a new figure.

    Parameters
    ----------
    owner : str
        Name of the display, for error messages.
    ax : matplotlib Axes, optional
        Axes to draw on.
    figure_options : dict
        Keyword arguments for a new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `ax` is not a single Axes.
    """
    plt = pyplot(owner)
    if ax is None:
        return plt.subplots(**{"layout": "constrained", **figure_options})[1]
    if not isinstance(ax, plt.Axes):
        raise TypeError(
            f"The 'ax' parameter must be one matplotlib Axes, or None for new ones. Got {ax!r} "
            "instead."
        )
    return ax


def options(given: Style | None, kind: Any = None, **defaults: object) -> Style:
    """Return an artist's options: the defaults, overridden by those of the user.

    An alias, such as ``lw`` for ``linewidth``, overrides the default of the full name.

    Parameters
    ----------
    given : dict or None
        Options given by the user.
    kind : Artist or type of it, optional
        Artist whose aliases are resolved; by default, a line.
    defaults : dict
        Default options, by their full names.
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(given or {}, kind or Line2D)}
