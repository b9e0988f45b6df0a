"""Plot the loss, or the score of a search, against the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from sklearn_gd._pieces import Array, ArrayLike
from sklearn_gd.inspection._axes import COLOURS, Style, new_axes, options
from sklearn_gd.inspection._loss_curve import CYCLE, set_log_scale
from sklearn_gd.inspection._recording import (
    TransformedTargets,
    fit_quietly,
    has_log_loss,
    is_step,
    silent_clone,
    split,
)
from sklearn_gd.inspection._search import candidates_of
from sklearn_gd.solvers import GradientDescent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A rate so small that an epoch does not change the weights.
_VANISHING = 1e-300

_GREY = COLOURS["grey"]


class LearningRateDisplay:
    """The loss or score of a model as a function of its learning rate.

    Create it with :meth:`from_estimator`, which draws the loss after a given number of epochs,
    or with :meth:`from_search`, which draws the scores of a search.

    Parameters
    ----------
    rates : array-like of shape (n_candidates,)
        Learning rate of each candidate. NaN for a candidate without a single numeric rate; it is
        drawn as a horizontal line.
    values : array-like of shape (n_candidates,)
        Loss or score of each candidate; NaN if the fit failed.
    value_name : str
        Label of the y axis.
    is_score : bool, default=False
        Whether the values are scores (larger is better) rather than losses.
    spread : array-like of shape (n_candidates,), optional
        Standard deviation of each value.
    combinations : sequence of str, optional
        Other parameters of each candidate, as text. Candidates with the same text share a line.
    dropped : array-like of bool of shape (n_candidates,), optional
        Whether a halving search eliminated the candidate before its last iteration.
    best : int, optional
        Index of the best candidate.
    start : float, optional
        Loss before training.
    max_learning_rate : float, optional
        Largest rate at which plain gradient descent is stable.
    is_plain : bool, default=True
        Whether the model was trained by plain gradient descent.
    name : str, optional
        Name of the model in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        One line per combination, in order of first appearance.
    bands_ : list of matplotlib FillBetweenPolyCollection
        Bands of one standard deviation on either side of each line.
    diverged_ : matplotlib Line2D or None
        Marks at the rates whose fits failed: at the top of the axes for losses, at the bottom
        for scores.
    best_point_ : matplotlib Line2D or None
        Mark at the best candidate.
    dropped_ : matplotlib Line2D or None
        Marks at the candidates that a halving search eliminated. Their scores were obtained with
        fewer samples, or less of another resource, than those of the others.
    start_line_ : matplotlib Line2D or None
        Horizontal line at the loss before training.
    max_rate_line_ : matplotlib Line2D or None
        Vertical line at the largest stable rate.

    See Also
    --------
    LossCurveDisplay : Loss over the epochs.

    Examples
    --------
    >>> from sklearn_gd import ThroughOriginRegressor
    >>> from sklearn_gd.inspection import LearningRateDisplay
    >>> X, y = [[1.0], [2.0], [3.0]], [2.1, 3.9, 6.0]
    >>> line = ThroughOriginRegressor(solver="gd")
    >>> display = LearningRateDisplay.from_estimator(line, X, y, rates=[0.01, 0.1, 1.0])
    >>> display.values.round(4)
    array([0.0075, 0.0064,    nan])
    >>> round(display.max_learning_rate, 4)
    0.2143
    """

    def __init__(
        self,
        *,
        rates: ArrayLike,
        values: ArrayLike,
        value_name: str,
        is_score: bool = False,
        spread: ArrayLike | None = None,
        combinations: Sequence[str] | None = None,
        dropped: Any = None,
        best: int | None = None,
        start: float | None = None,
        max_learning_rate: float | None = None,
        is_plain: bool = True,
        name: str | None = None,
    ) -> None:
        self.rates = rates
        self.values = values
        self.value_name = value_name
        self.is_score = is_score
        self.spread = spread
        self.combinations = combinations
        self.dropped = dropped
        self.best = best
        self.start = start
        self.max_learning_rate = max_learning_rate
        self.is_plain = is_plain
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        rates: ArrayLike | None = None,
        max_iter: int = 50,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
        name: str | None = None,
        line_kwargs: Style | None = None,
        diverged_kwargs: Style | None = None,
    ) -> Self:
        """Fit clones at several learning rates, and draw the final training loss of each.

        Rates at which the fit diverges are marked at the top. The estimator need not be fitted,
        and is not modified.

        Parameters
        ----------
        estimator : estimator of this package or Pipeline
            Estimator, or a Pipeline that ends with one. Its learning rate or schedule is
            replaced by each of `rates`, and its callbacks are not called. If its `random_state`
            is None, all clones share one random seed, so that they start from the same weights.
            Inside a TransformedTargetRegressor, it is fitted on transformed targets.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        rates : array-like of shape (n_rates,), optional
            Positive learning rates. By default, 25 rates around the largest stable rate if it is
            known; otherwise, 19 rates from 1e-5 to 10.
        max_iter : int, default=50
            Number of epochs of each fit; `tol` is ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Sample weights.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.
        name : str, optional
            Label of the curve in the legend; by default, the name of the class.
        line_kwargs, diverged_kwargs : dict, optional
            Keyword arguments for matplotlib's ``plot``.

        Returns
        -------
        display : LearningRateDisplay

        Raises
        ------
        TypeError
            If the estimator is not one of this package.
        ValueError
            If the data are invalid, a rate is not positive, or the solver has no learning rate.
        ImportError
            If matplotlib is not installed.
        """
        inside = TransformedTargets.of(estimator, y)
        y = inside.y
        before, model = split(silent_clone(inside.estimator))
        if before is not None:
            X = before.fit_transform(X, y)
        model = _prepared(model, max_iter)
        rates = None if rates is None else _check_rates(rates)
        untrained = _fitted(clone(model).set_params(max_iter=1), _VANISHING, X, y, sample_weight)
        largest = getattr(untrained, "max_learning_rate_", None)
        if rates is None:
            rates = _default_rates(largest)
        models = [_fitted(model, rate, X, y, sample_weight) for rate in rates]
        values = [np.nan if fitted is None else fitted.loss_ for fitted in models]
        # Rosenblatt's rule moves the decision boundary even at the smallest rate.
        has_start = untrained is not None and not is_step(model)
        loss = "Log loss" if has_log_loss(model) else "Loss"
        return cls(
            rates=rates,
            values=np.array(values),
            value_name=f"{loss} after {max_iter} epoch{'s' if max_iter > 1 else ''}",
            start=untrained.loss_ if has_start else None,
            max_learning_rate=largest,
            is_plain=model.solver == "gd" or type(model.solver) is GradientDescent,
            name=type(model).__name__,
        ).plot(ax, name=name, line_kwargs=line_kwargs, diverged_kwargs=diverged_kwargs)

    @classmethod
    def from_search(
        cls,
        search: BaseEstimator,
        *,
        param_name: str | None = None,
        ax: Axes | None = None,
        name: str | None = None,
        line_kwargs: Style | None = None,
        diverged_kwargs: Style | None = None,
    ) -> Self:
        """Draw the scores of a search over the learning rate.

        The band is one standard deviation over the folds. Rates whose fit failed in at least one
        fold, for example because it diverged, are marked at the bottom. If other parameters were
        searched as well, there is one line per combination of their values. For a halving
        search, the score of each rate is that of the last iteration that it reached.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV or HalvingRandomSearchCV
            Fitted search. With several metrics, the one named by its `refit` is drawn.
        param_name : str, optional
            Name of the parameter that is the learning rate, such as ``"model__learning_rate"``.
            By default, the parameter whose last part is ``initial_rate`` or begins with
            ``learning_rate``. A schedule is drawn at its first rate; a value that is not a
            number, such as ``"auto"``, as a horizontal line.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.
        name : str, optional
            Name of the estimator in the legend.
        line_kwargs, diverged_kwargs : dict, optional
            Keyword arguments for matplotlib's ``plot``.

        Returns
        -------
        display : LearningRateDisplay

        Raises
        ------
        TypeError
            If `search` is not a search.
        NotFittedError
            If `search` is not fitted.
        ValueError
            If none of the searched parameters is a learning rate, or several are.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.model_selection import GridSearchCV
        >>> from sklearn_gd import FeedForwardRegressor
        >>> from sklearn_gd.inspection import LearningRateDisplay
        >>> X, y = load_diabetes(return_X_y=True)
        >>> net = FeedForwardRegressor(max_iter=30, tol=None, random_state=0)
        >>> grid = {"learning_rate": [0.001, 0.01, 0.1], "activation": ["relu", "tanh"]}
        >>> display = LearningRateDisplay.from_search(GridSearchCV(net, grid, cv=3).fit(X, y))
        >>> [line.get_label() for line in display.lines_]
        ['activation=relu', 'activation=tanh']
        """
        display = cls(**candidates_of(search, param_name), is_score=True)
        return display.plot(
            ax, name=name, line_kwargs=line_kwargs, diverged_kwargs=diverged_kwargs
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        line_kwargs: Style | None = None,
        diverged_kwargs: Style | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        name : str, optional
        line_kwargs, diverged_kwargs : dict, optional

        Returns
        -------
        self : LearningRateDisplay
        """
        self.ax_ = ax = new_axes(type(self).__name__, ax)
        self.figure_ = ax.figure
        ax.set_xscale("log")
        ax.margins(y=0.1)  # room for the marks of failed fits
        rates, values = np.asarray(self.rates, float), np.asarray(self.values, float)
        self._draw_lines(ax, rates, values, name, line_kwargs)
        self._mark_candidates(ax, rates, values, diverged_kwargs)
        self._draw_references(ax)
        if self.is_score:
            none = np.zeros(len(values))
            _set_score_scale(ax, values, none if self.spread is None else self.spread)
        else:
            set_log_scale(ax, [values, [] if self.start is None else [self.start]])
        ax.set(xlabel="Learning rate", ylabel=self.value_name)
        if ax.get_legend_handles_labels()[0]:
            ax.legend()
        return self

    def _draw_lines(
        self, ax: Axes, rates: Array, values: Array, name: str | None, given: Any
    ) -> None:
        """Draw one line per combination, with the spread around it."""
        of = np.array([""] * len(rates) if self.combinations is None else self.combinations)
        groups = list(dict.fromkeys(of.tolist()))
        self.lines_, self.bands_ = [], []
        for k in range(len(groups)):
            members = np.flatnonzero(of == groups[k])
            members = members[np.argsort(rates[members], kind="stable")]
            look = options(given, **self._look(k, groups, name))
            x, y = rates[members], values[members]
            if np.isnan(x).all():
                self.lines_.append(ax.axhline(y[-1], **{**look, "marker": "", "linestyle": ":"}))
                continue
            (line,) = ax.plot(x, y, **look)
            self.lines_.append(line)
            if self.spread is not None:
                around = np.asarray(self.spread, float)[members]
                look = {"color": line.get_color(), "alpha": 0.15, "linewidth": 0}
                self.bands_.append(ax.fill_between(x, y - around, y + around, **look))

    def _look(self, k: int, groups: list[str], name: str | None) -> Style:
        """Return the style of a line: a distinct colour, or grey if there are too many lines."""
        label = ", ".join(filter(None, [name, groups[k]])) or self.name
        look = {"color": CYCLE[k % len(CYCLE)], "marker": "o", "markersize": 4.0, "zorder": 2.5}
        if len(groups) <= len(CYCLE):
            return {**look, "linewidth": 1.8, "label": label}
        best = -1
        if self.best is not None and self.combinations is not None:
            best = groups.index(self.combinations[self.best])
        if k == best:
            return {**look, "color": CYCLE[0], "linewidth": 1.8, "zorder": 3.0, "label": label}
        rest = f"{len(groups) - (best >= 0)} {'other ' if best >= 0 else ''}combinations"
        is_first = k == (best == 0)
        # The legend omits labels that begin with an underscore.
        label = ", ".join(filter(None, [name, rest])) if is_first else f"_{label}"
        return {**look, "color": _GREY, "markersize": 2.5, "linewidth": 0.8, "label": label}

    def _mark_candidates(self, ax: Axes, rates: Array, values: Array, given: Any) -> None:
        """Mark the failed and dropped candidates, and the best one."""
        self.diverged_ = self.dropped_ = self.best_point_ = None
        failed = np.unique(rates[np.isnan(values) & ~np.isnan(rates)])
        if failed.size:
            look: Style = {
                "color": COLOURS["vermillion"],
                "marker": "x",
                "linestyle": "none",
            }
            look |= {"markersize": 7.0, "markeredgewidth": 2.0, "zorder": 4}
            look |= {"label": "failed" if self.is_score else "diverged"}
            look |= {"transform": ax.get_xaxis_transform()}
            height = np.full(failed.shape, 0.04 if self.is_score else 0.96)
            (self.diverged_,) = ax.plot(failed, height, **options(given, **look))
        dropped = np.zeros(len(rates), bool) if self.dropped is None else np.array(self.dropped)
        dropped &= np.isfinite(values)
        if dropped.any():
            look = {"color": COLOURS["black"], "marker": "o", "linestyle": "none", "zorder": 3.5}
            look |= {"markersize": 7.0, "markerfacecolor": "none", "label": "dropped earlier"}
            (self.dropped_,) = ax.plot(rates[dropped], values[dropped], **look)
        if self.best is not None and np.isfinite(rates[self.best]):
            look = {"color": COLOURS["yellow"], "marker": "*", "linestyle": "none", "zorder": 4}
            look |= {"markersize": 15.0, "markeredgecolor": COLOURS["black"]}
            look |= {"label": f"best: {rates[self.best]:.3g}"}
            (self.best_point_,) = ax.plot(rates[self.best], values[self.best], **look)

    def _draw_references(self, ax: Axes) -> None:
        """Draw the loss before training and the largest stable rate, if they are known."""
        self.start_line_ = self.max_rate_line_ = None
        if self.start is not None:
            self.start_line_ = ax.axhline(
                self.start, color=_GREY, linestyle=":", linewidth=1.2, label="before training"
            )
        if self.max_learning_rate is not None and 0 < self.max_learning_rate < np.inf:
            of = "" if self.is_plain else " of plain descent"
            label = f"largest stable rate{of}: {self.max_learning_rate:.3g}"
            self.max_rate_line_ = ax.axvline(
                self.max_learning_rate,
                color=COLOURS["green"],
                linestyle="--",
                linewidth=1.5,
                label=label,
            )


def _set_score_scale(ax: Axes, scores: Array, spread: Array) -> None:
    """Compress the scale for very low scores, so that the others can be distinguished.

    A rate slightly above the largest stable one may score a million times worse without failing.
    """
    sizes = np.abs(scores[np.isfinite(scores)])
    if sizes.size and sizes.max() > 100 * np.median(sizes) > 0:
        middle = np.median(sizes)
        ax.set_yscale("symlog", linthresh=middle)
        # The bands of such scores can reach above any possible score.
        best = np.nanargmax(scores)
        ax.set_ylim(top=scores[best] + spread[best] + 0.2 * middle, auto=None)


def _check_rates(rates: ArrayLike) -> Array:
    try:
        checked = np.sort(np.asarray(rates, float))
    except (TypeError, ValueError):
        checked = np.empty(0)
    if checked.ndim != 1 or not checked.size or not ((checked > 0) & (checked < np.inf)).all():
        raise ValueError(
            "The 'rates' parameter must be an array of one positive number or more. Got "
            f"{rates!r} instead."
        )
    return checked


def _default_rates(largest: float | None) -> Array:
    """Return rates around the largest stable one if it is known, none of them equal to it."""
    if largest is None or not 0 < largest < np.inf:
        return np.logspace(-5, 1, 19)
    steps: Array = 2.0 ** np.arange(-9.75, 2.5, 0.5)
    return largest * steps


def _prepared(model: BaseEstimator, max_iter: int) -> BaseEstimator:
    """Return the model with the parameters that all clones share; only their rates differ."""
    if isinstance(model.solver, str) and model.solver == "lbfgs":
        raise ValueError(
            "The 'estimator' parameter must have a solver that takes a learning rate. Got "
            "solver='lbfgs', which does not."
        )
    model.set_params(max_iter=max_iter, tol=None)
    if "early_stopping" in model.get_params():  # the loss is that after the last epoch
        model.set_params(early_stopping=False)
    if "random_state" in model.get_params() and model.random_state is None:
        model.set_params(random_state=int(np.random.default_rng().integers(2**31)))
    return model


def _fitted(
    model: BaseEstimator, rate: float, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> Any:
    """Return a clone fitted at a rate, or None if it diverges."""
    model = clone(model).set_params(learning_rate=float(rate))
    return model if fit_quietly(model, X, y, sample_weight) else None
