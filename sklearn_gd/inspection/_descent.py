"""The path of a descent over its loss: the ball, and the hill that it rolls down."""

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
from sklearn_gd.inspection._recording import Recording, is_step, spread_out
from sklearn_gd.losses import AbsoluteError, SquaredError, as_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_MOST = 1000  # points of a path: more take long, and cannot be told apart


class DescentDisplay:
    """The loss over the weights, and the weights that a descent visited.

    One weight is drawn as a curve, the loss over the slope; two as contours; more along the two
    directions in which the path spreads most. Make one by :meth:`from_estimator`.

    Parameters
    ----------
    path : ndarray of shape (n_points, n_weights)
        The weights: the first guess, then those after each iteration. Of more than 1000
        iterations, 1000 are chosen, closest together at the beginning.
    losses : ndarray of shape (n_points,)
        The mean loss there, without the penalty.
    iterations : list of int
        How many iterations each point comes after.
    origin : ndarray of shape (n_weights,)
        The middle of the picture: where the descent ended.
    directions : ndarray of shape (n_axes, n_weights)
        Unit vectors along the axes of the picture.
    grid : list of ndarray of shape (n_points,)
        Coordinates along each axis: of one or two weights their values, else from `origin`.
    grid_losses : ndarray of shape (n_points,) or (n_points, n_points)
        The loss over the grid; of two axes, the second comes first.
    axis_names : list of str
    loss_name : str
    diverged : bool, default=False
        Whether the descent ended by diverging.
    recording : Recording, optional
        The descent and its data, which :meth:`animate` draws where there are one feature and one
        output. Kept by :meth:`from_estimator`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The loss over one weight; None otherwise.
    contours_ : matplotlib QuadContourSet
        The loss over two axes; None otherwise.
    path_ : matplotlib Line2D
        The weights visited.

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
        estimator : ThroughOriginRegressor, PerceptronClassifier or FeedForwardRegressor
            Or a Pipeline that ends with one. It need not be fitted, and is not changed.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
        grid_resolution : int, default=101
            Points along an axis at which the loss is worked out.
        ax : matplotlib Axes, optional
            By default of a new figure.
        name : str, optional
            What the legend calls the path.
        line_kwargs, path_kwargs, contour_kwargs : dict, optional
            For matplotlib's plot, plot and contour.

        Returns
        -------
        display : DescentDisplay
            Of a fit that diverges, up to where it did.

        Raises
        ------
        ImportError
            Where matplotlib is missing.
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
        """The path as it is drawn, (n_iterations + 1, 2): weight and loss, or along the axes."""
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

        Where there are more features or outputs than one, the left half shows the loss over the
        iterations instead.

        Parameters
        ----------
        frames : int or sequence of int, optional
            The iterations to show, or how many of them; by default at most 40, the first ones
            closest together.
        interval : int, default=200
            Milliseconds a frame.

        Returns
        -------
        animation : matplotlib FuncAnimation
            ``animation.save("descent.gif", writer="pillow")`` keeps it.

        Raises
        ------
        ValueError
            For frames that are not iterations.
        ImportError
            Where matplotlib is missing.
        """
        return animate(self, frames, interval)


def _axes_of(path: Array, names: list[str]) -> tuple[Array, Array, list[str]]:
    """Return the picture's origin, its axes as rows, and what they are called."""
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
    """Return coordinates that hold the path, with its end in the middle of one weight's."""
    reach = float(np.max(np.abs(along))) * 1.25 or 1.0
    return np.linspace(-reach, reach, n)


def _mesh(grid: list[Array]) -> Array:
    """Return every point of the grid, (n_points, n_axes), the first axis moving fastest."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*grid)], axis=1)


def _levels(losses: Array) -> Array:
    """Return contours that lie closer together towards the smallest loss."""
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
    return weights + ["bias"] * (n_weights - n_features)


def _loss_name(model: BaseEstimator) -> str:
    if is_step(model):
        return "share of mistakes"
    loss = as_loss(model.loss)
    if type(loss) is SquaredError:
        return "mean squared error"
    if type(loss) is AbsoluteError:
        return "mean absolute error"
    return f"mean loss, {loss}"
