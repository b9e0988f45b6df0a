"""Plot observations, the fitted curve, and the residuals."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_array, check_is_fitted

from sklearn_gd._pieces import Array, ArrayLike
from sklearn_gd.inspection._axes import COLOURS, Style, new_axes, options
from sklearn_gd.inspection._recording import Recording, last_step, like, regressor_inside

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class FitDisplay:
    """Observations, the fitted curve of a model of one feature, and its residuals.

    Create it with :meth:`from_estimator`.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        Values of the feature.
    y : ndarray of shape (n_samples,)
        Observed values.
    y_pred : ndarray of shape (n_samples,)
        Predictions of the model of the last curve.
    grid : ndarray of shape (n_points,)
        Values of the feature at which the curves are drawn.
    curves : ndarray of shape (n_curves, n_points)
        Predictions on the grid, one row per curve.
    iterations : sequence of int, optional
        Number of iterations after which each curve was the model; 0 is the initial model.
    feature_name, target_name : str, optional
        Labels of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    scatter_ : matplotlib PathCollection
        Observations.
    lines_ : list of matplotlib Line2D
        Curves.
    residuals_ : matplotlib LineCollection
        Residuals of the last curve: one segment per sample, from the observed value to the
        prediction.

    Examples
    --------
    >>> from sklearn_gd import ThroughOriginRegressor
    >>> from sklearn_gd.inspection import FitDisplay
    >>> X, y = [[1.0], [2.0], [3.0]], [2.1, 3.9, 6.0]
    >>> line = ThroughOriginRegressor(solver="gd", learning_rate=0.05).fit(X, y)
    >>> display = FitDisplay.from_estimator(line, X, y, iterations=[0, 1, -1])
    >>> [curve.get_label() for curve in display.lines_]
    ['first guess', 'iteration 1', 'iteration 31']
    """

    def __init__(
        self,
        *,
        x: Array,
        y: Array,
        y_pred: Array,
        grid: Array,
        curves: Array,
        iterations: Sequence[int] | None = None,
        feature_name: str | None = None,
        target_name: str | None = None,
    ) -> None:
        self.x, self.y, self.y_pred = x, y, y_pred
        self.grid, self.curves = grid, curves
        self.iterations = iterations
        self.feature_name, self.target_name = feature_name, target_name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        iterations: Sequence[int] | None = None,
        grid_resolution: int = 200,
        ax: Axes | None = None,
        name: str | None = None,
        scatter_kwargs: Style | None = None,
        line_kwargs: Style | None = None,
        residual_kwargs: Style | None = None,
    ) -> Self:
        """Draw a fitted model, or the model after chosen iterations of its fit.

        Parameters
        ----------
        estimator : estimator of this package or Pipeline
            Estimator, or a Pipeline that ends with one, which may be inside a
            TransformedTargetRegressor. It must be fitted unless `iterations` are given.
        X : array-like of shape (n_samples, 1)
            The feature.
        y : array-like of shape (n_samples,)
            Target values.
        sample_weight : array-like of shape (n_samples,), optional
            Sample weights for fitting the clone; used only if `iterations` are given.
        iterations : sequence of int, optional
            Iterations to draw: 0 is the initial model, -1 the model after the last iteration,
            whose weights early stopping may have discarded. A clone is fitted to record them; it
            starts from other random weights unless `random_state` is an integer. By default,
            the fitted estimator is drawn.
        grid_resolution : int, default=200
            Number of points per curve.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.
        name : str, optional
            Label of the curve in the legend; of the last one if there are several.
        scatter_kwargs, line_kwargs, residual_kwargs : dict, optional
            Keyword arguments for matplotlib's ``scatter``, ``plot`` and ``LineCollection``.

        Returns
        -------
        display : FitDisplay

        Raises
        ------
        ValueError
            If `X` has several columns, `y` has several outputs, or an iteration was not reached.
        NotFittedError
            If the estimator is not fitted and no `iterations` are given.
        ImportError
            If matplotlib is not installed.
        """
        last_step(regressor_inside(estimator)[0])  # of this package, or a TypeError
        check_scalar(grid_resolution, "grid_resolution", Integral, min_val=2)
        rows = rows_of_one_feature(cls.__name__, X)
        _check_one_output(cls.__name__, y)
        if iterations is None:
            check_is_fitted(estimator)
            recording, steps = Recording.of_fitted(estimator, X, y, sample_weight), [0]
        else:
            recording = Recording.of(estimator, X, y, sample_weight)
            steps = _resolve(iterations, len(recording.layers))
        n_outputs = recording.network.n_outputs  # several quantiles have one target
        if n_outputs != 1:
            raise ValueError(f"{cls.__name__} draws one output. Got {n_outputs} of them.")
        grid = grid_over(rows, recording, grid_resolution)
        inputs = like(X, grid[:, None])
        curves = np.stack(
            [recording.in_units(recording.predict(step, inputs)[:, 0]) for step in steps]
        )
        display = cls(
            x=rows[:, 0],
            y=recording.in_units(recording.Y[:, 0]),
            y_pred=recording.in_units(recording.predict(steps[-1], X)[:, 0]),
            grid=grid,
            curves=curves,
            iterations=None if iterations is None else steps,
            feature_name=recording.feature_name,
            target_name=recording.target_name,
        )
        return display.plot(
            ax,
            name=name,
            scatter_kwargs=scatter_kwargs,
            line_kwargs=line_kwargs,
            residual_kwargs=residual_kwargs,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        scatter_kwargs: Style | None = None,
        line_kwargs: Style | None = None,
        residual_kwargs: Style | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        name : str, optional
        scatter_kwargs, line_kwargs, residual_kwargs : dict, optional

        Returns
        -------
        self : FitDisplay
        """
        self.ax_ = ax = new_axes(type(self).__name__, ax)
        from matplotlib.collections import LineCollection

        self.figure_ = ax.figure
        ends = np.stack([np.column_stack([self.x, v]) for v in (self.y, self.y_pred)], axis=1)
        self.residuals_ = ax.add_collection(LineCollection(list(ends)))
        look = {
            "color": COLOURS["vermillion"],
            "linewidth": 1.0,
            "label": "residuals",
            "zorder": 1,
        }
        self.residuals_.set(**options(residual_kwargs, self.residuals_, **look))
        points = {"color": COLOURS["black"], "s": 22, "label": "observed", "zorder": 3}
        if "c" in (scatter_kwargs or {}):
            del points["color"]
        self.scatter_ = ax.scatter(self.x, self.y, **{**points, **(scatter_kwargs or {})})
        looks = zip(self.curves, self._labels(name), self._styles(), strict=True)
        self.lines_ = [
            ax.plot(self.grid, curve, **options(line_kwargs, label=label, **style))[0]
            for curve, label, style in looks
        ]
        ax.set(xlabel=self.feature_name or "x", ylabel=self.target_name or "y")
        ax.legend()
        return self

    def _labels(self, name: str | None) -> list[str]:
        if self.iterations is None:
            return [name or "estimated"]
        labels = [f"iteration {i}" if i else "first guess" for i in self.iterations]
        return [*labels[:-1], name or labels[-1]]

    def _styles(self) -> list[Style]:
        """Return the style of each curve: the first is dashed and faint, the last is opaque."""
        n = len(self.curves)
        styles = []
        for i in range(n):
            faint = {"alpha": 0.3 + 0.5 * i / n, "linestyle": "--" if i == 0 else "-"}
            look = {"alpha": 1.0, "linestyle": "-"} if i == n - 1 else faint
            styles.append({"color": COLOURS["blue"], "linewidth": 2.0, **look})
        return styles


def grid_over(rows: Array, recording: Recording, n: int) -> Array:
    """Return `n` points over the range of the feature, including 0 for a model without biases."""
    low, high = rows.min(), rows.max()
    if not recording.network.biases:
        low, high = min(low, 0.0), max(high, 0.0)
    return np.linspace(low, high, n)


def _check_one_output(owner: str, y: ArrayLike) -> None:
    shape = np.shape(y)
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError(f"{owner} draws one output: y must have one column. Got {shape[1]}.")


def _resolve(iterations: Sequence[int], n_steps: int) -> list[int]:
    """Return the iterations as indices from 0; raise ValueError for one that was not reached."""
    if not isinstance(iterations, Sequence | np.ndarray) or not len(iterations):
        raise ValueError(
            "The 'iterations' parameter must be a sequence of integers, such as [0, 1, -1]. Got "
            f"{iterations!r} instead."
        )
    steps: list[int] = []
    for i in iterations:
        if not isinstance(i, int | np.integer) or not -n_steps <= i < n_steps:
            raise ValueError(
                f"The 'iterations' parameter must hold integers from {-n_steps} to "
                f"{n_steps - 1}, the iterations that there were. Got {i!r}."
            )
        steps.append(int(i) % n_steps)
    return steps


def rows_of_one_feature(owner: str, X: ArrayLike) -> Array:
    """Return X with one feature as a float64 array of shape (n_samples, 1).

    Raises
    ------
    ValueError
        If X is sparse or has more than one feature.
    """
    if sparse.issparse(X):
        raise ValueError(f"{owner} needs X to be dense. Got a sparse matrix.")
    rows: Array = check_array(X, dtype=np.float64)
    if rows.shape[1] != 1:
        raise ValueError(
            f"{owner} draws y over one feature: X must have one column, such as X[:, [0]]. Got "
            f"{rows.shape[1]} columns."
        )
    return rows
