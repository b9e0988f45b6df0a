"""A descent in motion: the fit and its loss, side by side, iteration by iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_gd.inspection._axes import COLOURS, pyplot

Array = np.ndarray[Any, np.dtype[Any]]
_MOST = 40


def animate(display: Any, frames: int | Sequence[int] | None, interval: int) -> Any:
    """Return a matplotlib FuncAnimation of a DescentDisplay; see its ``animate``."""
    shown = _resolve(frames, len(display.path))
    plt = pyplot(type(display).__name__)
    from matplotlib.animation import FuncAnimation

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 4.0), layout="constrained")
    draw_left = _fit_panel(left, display) if display.fits else _loss_panel(left, display)
    display.draw_loss(right)
    look = {"color": COLOURS["vermillion"], "markersize": 4.0}
    (trail,) = right.plot([], [], marker="o", linewidth=1.2, **look)
    (ball,) = right.plot([], [], marker="o", markersize=10.0, color=COLOURS["black"])

    def draw(iteration: int) -> list[Any]:
        trail.set_data(*display.coordinates[: iteration + 1].T)
        ball.set_data(*display.coordinates[[iteration]].T)
        loss = display.losses[iteration]
        right.set_title(f"iteration {iteration}: {display.loss_name} {loss:.4g}")
        return [trail, ball, *draw_left(iteration)]

    return FuncAnimation(figure, draw, frames=shown, interval=interval, blit=False)


def _fit_panel(ax: Any, display: Any) -> Any:
    """Draw the data, and return what draws the curve and residuals of one iteration."""
    from matplotlib.collections import LineCollection

    fits = display.fits
    ax.scatter(fits["x"], fits["y"], s=18, color=COLOURS["black"], zorder=3)
    segments = ax.add_collection(
        LineCollection([], colors=COLOURS["vermillion"], linewidths=1.0, zorder=1)
    )
    (curve,) = ax.plot(fits["grid"], fits["curves"][0], color=COLOURS["blue"], linewidth=2.0)
    # Wild iterations leave the picture, and not the data its middle.
    low, high = min(fits["y"].min(), 0.0), max(fits["y"].max(), 0.0)
    margin = 0.15 * (high - low or 1.0)
    ax.set(xlabel="x", ylabel="y", ylim=(low - margin, high + margin), title="the fit")

    def draw(iteration: int) -> list[Any]:
        curve.set_ydata(fits["curves"][iteration])
        ends = [np.column_stack([fits["x"], fits["y"]])]
        ends.append(np.column_stack([fits["x"], fits["y_pred"][iteration]]))
        segments.set_segments(list(np.stack(ends, axis=1)))
        return [curve, segments]

    return draw


def _loss_panel(ax: Any, display: Any) -> Any:
    """Draw the loss over the iterations, and return what draws it up to one of them."""
    steps = np.arange(len(display.losses))
    (curve,) = ax.plot(steps, display.losses, color=COLOURS["blue"], linewidth=2.0)
    ax.set(xlabel="iteration", ylabel=display.loss_name, title="the loss")

    def draw(iteration: int) -> list[Any]:
        curve.set_data(steps[: iteration + 1], display.losses[: iteration + 1])
        return [curve]

    return draw


def _resolve(frames: int | Sequence[int] | None, n_steps: int) -> list[int]:
    """Return the iterations to show, the first ones closest together."""
    if frames is None or isinstance(frames, int | np.integer):
        many = _MOST if frames is None else int(frames)
        if many < 1:
            raise ValueError(f"The 'frames' parameter must be 1 or more. Got {frames!r}.")
        if many >= n_steps:
            return list(range(n_steps))
        alone = many // 2
        rest = np.geomspace(max(alone, 1), n_steps - 1, many - alone).round().astype(int)
        return sorted({*range(alone), *rest.tolist()})
    for i in frames:
        if not isinstance(i, int | np.integer) or not 0 <= i < n_steps:
            raise ValueError(
                f"The 'frames' parameter must hold iterations from 0 to {n_steps - 1}. Got {i!r}."
            )
    return [int(i) for i in frames]
