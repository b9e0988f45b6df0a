"""What all displays share: axes to draw on, and colours that everybody can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Options of an artist.
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
    """Return matplotlib's pyplot; where it is missing, an ImportError says who needs it."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{owner} draws with matplotlib, which is not installed. Install it by "
            "pip install matplotlib."
        ) from error
    return plt


def new_axes(owner: str, ax: Axes | None = None, **figure_options: Any) -> Any:
    """Return the Axes to draw on: those given, or those of a new figure.

    Parameters
    ----------
    owner : str
        The display that draws, for messages.
    ax : matplotlib Axes, optional
    figure_options : dict
        For a new figure.

    Raises
    ------
    ImportError
        Where matplotlib is missing.
    TypeError
        Where `ax` is not one Axes.
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
    """Return an artist's options: the user's before the defaults, whatever their aliases.

    Parameters
    ----------
    given : dict or None
        The user's.
    kind : Artist or type of it, optional
        Whose aliases count; by default those of a line.
    defaults : dict
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(given or {}, kind or Line2D)}
