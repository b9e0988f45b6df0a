"""Animate a descent: the fit and its loss, side by side, iteration by iteration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_gd._pieces import Array
from sklearn_gd.inspection._axes import COLOURS, pyplot
from sklearn_gd.inspection._fit import grid_over, rows_of_one_feature
from sklearn_gd.inspection._recording import Recording, like, spread_out

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from sklearn_gd.inspection._descent import DescentDisplay

    Draw = Callable[[int], list[Artist]]

_MOST = 40


def animate(display: DescentDisplay, frames: int | Sequence[int] | None, interval: int) -> Any:
    """Return a matplotlib FuncAnimation of a DescentDisplay; see `DescentDisplay.animate`."""
    shown = _resolve(frames, display.iterations)
    position = {iteration: i for i, iteration in enumerate(display.iterations)}
    plt = pyplot(type(display).__name__)
    from matplotlib.animation import FuncAnimation

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 4.0), layout="constrained")
    recording = display.recording
    rows = _rows(recording)
    if recording is None or rows is None:
        draw_left = _loss_panel(left, display)
    else:
        draw_left = _fit_panel(left, recording, rows)
    display.draw_loss(right)
    look = {"color": COLOURS["vermillion"], "markersize": 4.0}
    (trail,) = right.plot([], [], marker="o", linewidth=1.2, **look)
    (ball,) = right.plot([], [], marker="o", markersize=10.0, color=COLOURS["black"])

    def draw(iteration: int) -> list[Artist]:
        i = position[iteration]
        trail.set_data(*display.coordinates[: i + 1].T)
        ball.set_data(*display.coordinates[[i]].T)
        loss = display.losses[i]
        right.set_title(f"iteration {iteration}: {display.loss_name} {loss:.4g}")
        return [trail, ball, *draw_left(iteration)]

    animation = FuncAnimation(figure, draw, frames=shown, interval=interval, blit=False)
    # matplotlib warns about an animation that is discarded before its first frame was drawn.
    figure.canvas.draw()
    return animation


def _rows(recording: Recording | None) -> Array | None:
    """Return the single feature before any preprocessing; None if the fit cannot be drawn."""
    if recording is None or recording.Y.shape[1] != 1:
        return None
    try:
        return rows_of_one_feature("The animation", recording.given)
    except (TypeError, ValueError):  # sparse, several columns, or not numeric
        return None


def _fit_panel(ax: Axes, recording: Recording, rows: Array) -> Draw:
    """Draw the data; return a function that draws the curve and residuals of an iteration."""
    from matplotlib.collections import LineCollection

    x, y = rows[:, 0], recording.in_units(recording.Y[:, 0])
    grid = grid_over(rows, recording, 100)
    inputs = like(recording.given, grid[:, None])
    ax.scatter(x, y, s=18, color=COLOURS["black"], zorder=3)
    segments = LineCollection([], colors=COLOURS["vermillion"], linewidths=1.0, zorder=1)
    ax.add_collection(segments)
    (curve,) = ax.plot(grid, np.zeros_like(grid), color=COLOURS["blue"], linewidth=2.0)
    # The limits follow the data, so that iterations with extreme predictions do not shrink it.
    low, high = min(y.min(), 0.0), max(y.max(), 0.0)
    margin = 0.15 * (high - low or 1.0)
    ax.set(xlabel=recording.feature_name or "x", ylabel=recording.target_name or "y")
    ax.set(ylim=(low - margin, high + margin), title="the fit")

    def draw(iteration: int) -> list[Artist]:
        curve.set_ydata(recording.in_units(recording.predict(iteration, inputs)[:, 0]))
        y_pred = recording.in_units(recording.predict(iteration, recording.given)[:, 0])
        ends = [np.column_stack([x, y]), np.column_stack([x, y_pred])]
        segments.set_segments(list(np.stack(ends, axis=1)))
        return [curve, segments]

    return draw


def _loss_panel(ax: Axes, display: DescentDisplay) -> Draw:
    """Draw the loss over the iterations; return a function that draws it up to an iteration."""
    steps = np.array(display.iterations)
    (curve,) = ax.plot(steps, display.losses, color=COLOURS["blue"], linewidth=2.0)
    ax.set(xlabel="iteration", ylabel=display.loss_name, title="the loss")

    def draw(iteration: int) -> list[Artist]:
        met = steps <= iteration
        curve.set_data(steps[met], display.losses[met])
        return [curve]

    return draw


def _resolve(frames: int | Sequence[int] | None, iterations: list[int]) -> list[int]:
    """Return the iterations to show; by default, they are densest at the beginning."""
    if frames is None or (isinstance(frames, Integral) and not isinstance(frames, bool)):
        many = _MOST if frames is None else int(frames)
        if many < 1:
            raise ValueError(f"The 'frames' parameter must be 1 or more. Got {frames!r}.")
        return [iterations[i] for i in spread_out(len(iterations), many)]
    if not isinstance(frames, Sequence | np.ndarray | range) or not len(frames):
        raise ValueError(
            "The 'frames' parameter must be a number, or a sequence of iterations. Got "
            f"{frames!r} instead."
        )
    for i in frames:
        if i not in iterations:
            raise ValueError(
                f"The 'frames' parameter must hold iterations from 0 to {iterations[-1]} that the "
                f"display has. Got {i!r}."
            )
    return [int(i) for i in frames]
