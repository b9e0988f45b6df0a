"""Plot the path of a descent on its loss surface."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar

from sklearn_gd._pieces import Array, ArrayLike
from sklearn_gd.inspection._animation import animate
from sklearn_gd.inspection._axes import COLOURS, Style, new_axes, options
from sklearn_gd.inspection._layers import known_features
from sklearn_gd.inspection._recording import Recording, has_log_loss, is_step, spread_out
from sklearn_gd.losses import AbsoluteError, SquaredError, as_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_MOST = 1000  # points of a path: more are slow to draw and cannot be distinguished


class DescentDisplay:
    """The loss as a function of the weights, and the weights that a descent visited.

    With one weight, the loss is drawn as a curve; with two, as contours; with more, as contours
    over the two directions in which the path varies most. Create it with
    :meth:`from_estimator`.

    Parameters
    ----------
    path : ndarray of shape (n_points, n_weights)
        Weights before the first iteration and after each iteration. At most 1000 points are
        kept; they are densest at the beginning.
    losses : ndarray of shape (n_points,)
        Mean loss at each point, without the penalty.
    iterations : list of int
        Number of iterations before each point.
    origin : ndarray of shape (n_weights,)
        Centre of the plot: the last weights of the descent.
    directions : ndarray of shape (n_axes, n_weights)
        Unit vectors along the axes of the plot.
    grid : list of ndarray of shape (n_points,)
        Coordinates along each axis. With one or two weights, these are the values of the
        weights; with more, they are relative to `origin`.
    grid_losses : ndarray of shape (n_points,) or (n_points, n_points)
        Loss on the grid. With two axes, rows follow the second axis and columns the first.
    axis_names : list of str
        Name of each axis.
    loss_name : str
        Name of the loss.
    diverged : bool, default=False
        Whether the descent diverged.
    recording : Recording, optional
        The descent and its data, as recorded by :meth:`from_estimator`. :meth:`animate` needs it
        to draw the fit of one feature and one output.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        Loss curve of a model with one weight; None otherwise.
    contours_ : matplotlib QuadContourSet
        Loss contours of a model with two weights or more; None otherwise.
    path_ : matplotlib Line2D
        Weights that the descent visited.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, "Visualizing the loss landscape of neural
    nets", NeurIPS (2018): the path's principal directions.

    Examples
    --------
    >>> from sklearn_gd import ThroughOriginRegressor
    >>> from sklearn_gd.inspection import DescentDisplay
    >>> X, y = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]
    >>> line = ThroughOriginRegressor(solver="gd", learning_rate=0.05)
    >>> display = DescentDisplay.from_estimator(line, X, y)
    >>> display.path[:3].round(4)
    array([[0.    ],
           [0.9333],
           [1.4311]])
    """

    def __init__(
        self,
        *,
        path: Array,
        losses: Array,
        iterations: list[int],
        origin: Array,
        directions: Array,
        grid: list[Array],
        grid_losses: Array,
        axis_names: list[str],
        loss_name: str,
        diverged: bool = False,
        recording: Recording | None = None,
    ) -> None:
        self.path, self.losses, self.iterations = path, losses, iterations
        self.origin, self.directions = origin, directions
        self.grid, self.grid_losses = grid, grid_losses
        self.axis_names, self.loss_name = axis_names, loss_name
        self.diverged, self.recording = diverged, recording

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        grid_resolution: int = 101,
        ax: Axes | None = None,
        name: str | None = None,
        line_kwargs: Style | None = None,
        path_kwargs: Style | None = None,
        contour_kwargs: Style | None = None,
    ) -> Self:
        """Fit a clone of the estimator, record its descent, and draw it.

        Parameters
        ----------
        estimator : estimator of this package or Pipeline
            Estimator, or a Pipeline that ends with one. It need not be fitted, and is not
            modified. Of a TransformedTargetRegressor, the descent of the regressor inside is
            drawn, on transformed targets.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), optional
            Sample weights.
        grid_resolution : int, default=101
            Number of points along each axis at which the loss is computed.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.
        name : str, optional
            Label of the path in the legend.
        line_kwargs, path_kwargs, contour_kwargs : dict, optional
            Keyword arguments for matplotlib's ``plot``, ``plot`` and ``contour``.

        Returns
        -------
        display : DescentDisplay
            If the fit diverges, the descent is shown up to that point.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        check_scalar(grid_resolution, "grid_resolution", Integral, min_val=2)
        recording = Recording.of(estimator, X, y, sample_weight)
        iterations = spread_out(len(recording.layers), _MOST)
        path = recording.path(iterations)
        origin, directions, names = _axes_of(path, _weight_names(recording))
        coordinates = (path - origin) @ directions.T
        grid = [_span(along, grid_resolution) for along in coordinates.T]
        points = [origin + directions.T @ p for p in _mesh(grid)]
        shape = tuple(len(along) for along in reversed(grid))
        if path.shape[1] <= 2:  # the axes are the weights themselves
            grid = [along + start for along, start in zip(grid, origin, strict=True)]
        display = cls(
            path=path,
            losses=np.array([recording.loss(weights) for weights in path]),
            iterations=iterations,
            origin=origin,
            directions=directions,
            grid=grid,
            grid_losses=np.array([recording.loss(point) for point in points]).reshape(shape),
            axis_names=names,
            loss_name=_loss_name(recording.model),
            diverged=recording.diverged,
            recording=recording,
        )
        return display.plot(
            ax,
            name=name,
            line_kwargs=line_kwargs,
            path_kwargs=path_kwargs,
            contour_kwargs=contour_kwargs,
        )

    @property
    def coordinates(self) -> Array:
        """Coordinates of the drawn path, of shape (n_points, 2).

        With one weight, these are the weight and the loss; with more, the coordinates along the
        two axes.
        """
        if self.path.shape[1] == 1:
            return np.column_stack([self.path[:, 0], self.losses])
        along: Array = (self.path - self.origin) @ self.directions.T
        if self.path.shape[1] == 2:
            along = along + self.origin
        return along

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        line_kwargs: Style | None = None,
        path_kwargs: Style | None = None,
        contour_kwargs: Style | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        name : str, optional
        line_kwargs, path_kwargs, contour_kwargs : dict, optional

        Returns
        -------
        self : DescentDisplay
        """
        self.ax_ = ax = new_axes(type(self).__name__, ax)
        self.figure_ = ax.figure
        self.draw_loss(ax, line_kwargs, contour_kwargs)
        steps = self.iterations[-1]
        label = f"{steps} iteration{'s' * (steps != 1)}{', diverged' * self.diverged}"
        style: Style = {"color": COLOURS["vermillion"], "marker": "o", "markersize": 4.0}
        style |= {"linewidth": 1.2, "label": name or label, "zorder": 3}
        self.path_: Line2D = ax.plot(*self.coordinates.T, **options(path_kwargs, **style))[0]
        ends: Style = {"color": COLOURS["black"], "linestyle": "none", "zorder": 4}
        ax.plot(*self.coordinates[0], marker="s", label="first guess", **ends)
        ax.plot(*self.coordinates[-1], marker="*", markersize=11.0, label="last", **ends)
        ax.legend()
        return self

    def draw_loss(
        self,
        ax: Axes,
        line_kwargs: Style | None = None,
        contour_kwargs: Style | None = None,
    ) -> None:
        """Draw the loss over the weights, without the path.

        Parameters
        ----------
        ax : matplotlib Axes
        line_kwargs, contour_kwargs : dict, optional
        """
        self.line_ = self.contours_ = None
        if len(self.grid) == 1:
            look = {"color": COLOURS["blue"], "linewidth": 2.0, "zorder": 1}
            (self.line_,) = ax.plot(
                self.grid[0], self.grid_losses, **options(line_kwargs, label="loss", **look)
            )
            ax.set(xlabel=self.axis_names[0], ylabel=self.loss_name)
            return
        look = {"levels": _levels(self.grid_losses), "cmap": "cividis", "zorder": 1}
        if "colors" in (contour_kwargs or {}):
            del look["cmap"]
        self.contours_ = ax.contour(
            *self.grid, self.grid_losses, **{**look, **(contour_kwargs or {})}
        )
        ax.figure.colorbar(self.contours_, ax=ax, label=self.loss_name)
        ax.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])

    def animate(self, *, frames: int | Sequence[int] | None = None, interval: int = 200) -> Any:
        """Return the descent as an animation: the fit on the left, the loss on the right.

        With more than one feature or output, the left half shows the loss over the iterations
        instead.

        Parameters
        ----------
        frames : int or sequence of int, optional
            Iterations to show, or how many of them; by default at most 40, densest at the
            beginning.
        interval : int, default=200
            Milliseconds per frame.

        Returns
        -------
        animation : matplotlib FuncAnimation
            The animation; ``animation.save("descent.gif", writer="pillow")`` saves it.

        Raises
        ------
        ValueError
            If `frames` is invalid, or holds an iteration that the display does not have.
        ImportError
            If matplotlib is not installed.
        """
        return animate(self, frames, interval)


def _axes_of(path: Array, names: list[str]) -> tuple[Array, Array, list[str]]:
    """Return the origin of the plot, its axes as rows, and their names."""
    n_weights = path.shape[1]
    if n_weights == 1:
        return path[-1], np.ones((1, 1)), names
    if n_weights == 2:
        return path[-1], np.eye(2), names
    spread = path - path[-1]
    _, sizes, directions = np.linalg.svd(spread, full_matrices=False)
    shares = sizes**2 / max(float(np.sum(sizes**2)), np.finfo(float).tiny)
    labels = [
        f"{which} direction of the path, {share:.0%} of it"
        for which, share in zip(("first", "second"), shares[:2], strict=True)
    ]
    return path[-1], directions[:2], labels


def _span(along: Array, n: int) -> Array:
    """Return coordinates of one axis, symmetric around 0, that enclose the path."""
    reach = float(np.max(np.abs(along))) * 1.25 or 1.0
    return np.linspace(-reach, reach, n)


def _mesh(grid: list[Array]) -> Array:
    """Return all grid points, of shape (n_points, n_axes); the first axis varies fastest."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*grid)], axis=1)


def _levels(losses: Array) -> Array:
    """Return contour levels, densest near the smallest loss."""
    low, high = float(np.nanmin(losses)), float(np.nanmax(losses[np.isfinite(losses)]))
    if not high > low:
        return np.array([low, low + 1.0])
    levels: Array = low + (high - low) * np.linspace(0.05, 1.0, 14) ** 2
    return levels


def _weight_names(recording: Recording) -> list[str]:
    coefs, _ = recording.layers[0]
    n_features, n_weights = len(coefs[0]), recording.network.size
    if recording.network.sizes != (n_features, 1):  # layers, or several neurons
        return [f"weight {j + 1}" for j in range(n_weights)]
    names = known_features(recording.before, recording.model, n_features)
    if names is not None:
        weights = [f"weight of {name}" for name in names]
    else:
        weights = [f"weight {j + 1}" for j in range(n_features)] if n_features > 1 else ["slope"]
    if recording.columns is not None:
        weights = [f"{name}, scaled" for name in weights]
    return weights + ["bias"] * (n_weights - n_features)


def _loss_name(model: BaseEstimator) -> str:
    if is_step(model):
        return "share of mistakes"
    if has_log_loss(model):
        return "log loss"
    loss = as_loss(model.loss, several_quantiles=True)
    if type(loss) is SquaredError:
        return "mean squared error"
    if type(loss) is AbsoluteError:
        return "mean absolute error"
    return f"mean loss, {loss}"
