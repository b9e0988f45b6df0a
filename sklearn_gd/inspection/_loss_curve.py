"""Plot the loss over the epochs of one fit, several fits, or cross-validation folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_gd._pieces import Array, ArrayLike
from sklearn_gd.inspection._axes import COLOURS, Style, new_axes, options
from sklearn_gd.inspection._recording import fitted_inside, has_log_loss, last_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that are visible on white, ordered so that consecutive ones differ clearly.
CYCLE = [
    COLOURS[name] for name in ("blue", "vermillion", "green", "orange", "purple", "sky", "black")
]


class LossCurveDisplay:
    """The training and validation loss over the epochs, with the epoch of the best weights.

    Create it with :meth:`from_estimator` or :meth:`from_cv_results`.

    Parameters
    ----------
    loss_curves : sequence of array-like of shape (n_epochs,)
        Training loss of each epoch, one array per fit.
    validation_loss_curves : sequence of array-like of shape (n_epochs,) or None, optional
        Validation loss after each epoch; None for a fit without a validation set.
    best_iters : sequence of int or None, optional
        Epoch of the smallest validation loss of each fit, counted from 0.
    names : sequence of str, optional
        Name of each fit in the legend.
    n_folds : int, optional
        Number of folds, including those whose fit failed, if the fits are those of a
        cross-validation. The mean over the folds is then drawn as well.
    loss_name : str, default="Loss"
        Label of the y axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Training loss of each fit.
    validation_lines_ : list of matplotlib Line2D or None
        Validation loss of each fit; None for a fit without a validation set.
    best_points_ : list of matplotlib Line2D or None
        Mark at the epoch whose weights the fit returned; None for a fit without a validation
        set, which returns its last weights.
    mean_line_, validation_mean_line_ : matplotlib Line2D or None
        Means over the folds; None if the fits are not those of a cross-validation.

    See Also
    --------
    LearningRateDisplay : Final loss against the learning rate.

    Notes
    -----
    The first epoch is drawn at 1. The training loss of an epoch is computed during the epoch: for
    :class:`~sklearn_gd.ThroughOriginRegressor` it is the loss before the step of the epoch, so
    the curve begins at the loss of W = 0; for the others it is the mean over the batches of the
    epoch, while the weights change. The validation loss is computed after the epoch, half an
    epoch later on average, so it may be below the training loss at first. With
    ``solver="lbfgs"``, both are computed after the iteration: the loss of the initial weights is
    not drawn, and without a validation set the training loss ends at ``loss_``.

    Folds may end at different epochs. Their mean is drawn over the epochs that all of them ran.

    Examples
    --------
    >>> from sklearn_gd import ThroughOriginRegressor
    >>> from sklearn_gd.inspection import LossCurveDisplay
    >>> X, y = [[1.0], [2.0], [3.0]], [2.1, 3.9, 6.0]
    >>> line = ThroughOriginRegressor(solver="gd", learning_rate=0.05).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(line, log_scale=True)
    >>> display.ax_.get_xlabel(), display.ax_.get_yscale()
    ('Epoch', 'log')
    >>> len(display.lines_[0].get_xdata()) == line.n_iter_
    True
    """

    def __init__(
        self,
        *,
        loss_curves: Sequence[ArrayLike],
        validation_loss_curves: Sequence[ArrayLike] | None = None,
        best_iters: Sequence[int | None] | None = None,
        names: Sequence[str] | None = None,
        n_folds: int | None = None,
        loss_name: str = "Loss",
    ) -> None:
        self.loss_curves = loss_curves
        none = [None] * len(loss_curves)
        self.validation_loss_curves = (
            none if validation_loss_curves is None else validation_loss_curves
        )
        self.best_iters = none if best_iters is None else best_iters
        self.names = names
        self.n_folds = n_folds
        self.loss_name = loss_name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        log_scale: bool = False,
        ax: Axes | None = None,
        name: str | Sequence[str] | None = None,
        train_kwargs: Style | None = None,
        validation_kwargs: Style | None = None,
        best_kwargs: Style | None = None,
    ) -> Self:
        """Draw the loss curves of a fitted estimator, or of several.

        Parameters
        ----------
        estimator : estimator of this package or Pipeline
            Fitted estimator, a Pipeline that ends with one, or a list of these.
        log_scale : bool, default=False
            Whether the loss is drawn on a logarithmic scale, which shows how fast it falls near
            the end. If a loss is not positive, the scale is linear below the smallest positive
            loss.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.
        name : str, or list of str for a list of estimators, optional
            Name of each estimator in the legend. By default, several estimators are named after
            their classes.
        train_kwargs, validation_kwargs, best_kwargs : dict, optional
            Keyword arguments for matplotlib's ``plot``.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        TypeError
            If an estimator is not one of this package, or `name` is neither a string nor a list
            of strings.
        ValueError
            If the list is empty, an estimator has run no epoch, or the number of names does not
            match.
        ImportError
            If matplotlib is not installed.
        """
        several = isinstance(estimator, (list, tuple))
        estimators = list(estimator) if several else [estimator]
        if not estimators:
            raise ValueError(
                "The 'estimator' parameter must be a fitted estimator or a list of them. Got an "
                "empty list."
            )
        names = _class_names(estimators) if len(estimators) > 1 else None
        return cls(**_curves_of(estimators), names=names).plot(
            ax,
            name=name,
            log_scale=log_scale,
            train_kwargs=train_kwargs,
            validation_kwargs=validation_kwargs,
            best_kwargs=best_kwargs,
        )

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, ArrayLike],
        *,
        log_scale: bool = False,
        ax: Axes | None = None,
        name: str | None = None,
        train_kwargs: Style | None = None,
        validation_kwargs: Style | None = None,
        best_kwargs: Style | None = None,
    ) -> Self:
        """Draw the fits of a cross-validation: one thin curve per fold, and their mean.

        Folds whose fit failed are left out.

        Parameters
        ----------
        cv_results : dict
            Result of :func:`sklearn.model_selection.cross_validate` with
            ``return_estimator=True``.
        log_scale : bool, default=False
            Whether the loss is drawn on a logarithmic scale.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.
        name : str, optional
            Name of the estimator in the legend.
        train_kwargs, validation_kwargs, best_kwargs : dict, optional
            Keyword arguments for matplotlib's ``plot``.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If `cv_results` holds no estimators, or the fits of all folds failed.
        TypeError
            If the estimators are not of this package.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.model_selection import cross_validate
        >>> from sklearn_gd import FeedForwardRegressor
        >>> from sklearn_gd.inspection import LossCurveDisplay
        >>> X, y = load_diabetes(return_X_y=True)
        >>> net = FeedForwardRegressor(max_iter=20, tol=None, random_state=0)
        >>> results = cross_validate(net, X, y, cv=3, return_estimator=True)
        >>> display = LossCurveDisplay.from_cv_results(results)
        >>> len(display.lines_), display.mean_line_.get_label()
        (3, 'training loss, mean of 3 folds')
        """
        if not isinstance(cv_results, Mapping) or "estimator" not in cv_results:
            got = sorted(cv_results) if isinstance(cv_results, Mapping) else cv_results
            raise ValueError(
                "The 'cv_results' parameter must be what cross_validate returns with "
                f"return_estimator=True: a dict that has 'estimator'. Got {got!r} instead."
            )
        fitted = [
            e
            for e in cv_results["estimator"]
            if hasattr(last_step(fitted_inside(e)), "loss_curve_")
        ]
        if not fitted:
            raise ValueError(
                "The 'cv_results' parameter must have one fold or more whose fit succeeded. Got "
                f"{len(cv_results['estimator'])} folds that failed."
            )
        return cls(**_curves_of(fitted), n_folds=len(cv_results["estimator"])).plot(
            ax,
            name=name,
            log_scale=log_scale,
            train_kwargs=train_kwargs,
            validation_kwargs=validation_kwargs,
            best_kwargs=best_kwargs,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | Sequence[str] | None = None,
        log_scale: bool = False,
        train_kwargs: Style | None = None,
        validation_kwargs: Style | None = None,
        best_kwargs: Style | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        name : str or list of str, optional
        log_scale : bool, default=False
        train_kwargs, validation_kwargs, best_kwargs : dict, optional

        Returns
        -------
        self : LossCurveDisplay
        """
        names = self._names(name)
        self.ax_ = ax = new_axes(type(self).__name__, ax)
        from matplotlib.ticker import MaxNLocator

        self.figure_ = ax.figure
        given = (train_kwargs, validation_kwargs, best_kwargs)
        fits = range(len(self.loss_curves))
        artists = [self._draw_fit(ax, i, names[0 if self.n_folds else i], *given) for i in fits]
        self.lines_, self.validation_lines_, self.best_points_ = map(
            list, zip(*artists, strict=True)
        )
        self.mean_line_ = self.validation_mean_line_ = None
        if self.n_folds:
            self._draw_means(ax, names[0], train_kwargs, validation_kwargs)
        if ax.get_xscale() == "linear":
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if log_scale:
            held_out = [curve for curve in self.validation_loss_curves if curve is not None]
            set_log_scale(ax, [*self.loss_curves, *held_out])
        ax.set(xlabel="Epoch", ylabel=self.loss_name)
        ax.legend()
        return self

    def _names(self, given: Any) -> list[str]:
        """Return one name per fit, or one for all folds; "" if no name is needed."""
        n = 1 if self.n_folds else len(self.loss_curves)
        if given is None:
            numbered = [f"fit {i + 1}" for i in range(n)] if n > 1 else [""]
            return list(self.names or numbered)
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, (list, tuple)) or not all(isinstance(s, str) for s in names):
            raise TypeError(
                "The 'name' parameter must be a string, or a list of strings, one per estimator. "
                f"Got {given!r} instead."
            )
        if len(names) != n:
            raise ValueError(
                f"The 'name' parameter must hold {n} names, one per estimator. Got {given!r} "
                "instead."
            )
        return list(names)

    def _draw_fit(
        self,
        ax: Axes,
        i: int,
        name: str,
        train: Style | None,
        validation: Style | None,
        best: Style | None,
    ) -> tuple[Any, Any, Any]:
        """Draw one fit; return its two lines and its best point, None for any that is absent."""
        several = len(self.loss_curves) > 1 and not self.n_folds
        colour = CYCLE[i % len(CYCLE)] if several else CYCLE[0]
        other = {"color": colour, "linestyle": "--"} if several else {"color": CYCLE[1]}
        size = {"linewidth": 0.8, "alpha": 0.5} if self.n_folds else {"linewidth": 2.0}
        curve, held_out = self.loss_curves[i], self.validation_loss_curves[i]
        at = self.best_iters[i]
        labels = self._labels(i, name)
        look = {"color": colour, **size, "label": labels[0]}
        line = _draw_curve(ax, curve, options(train, **look))
        if held_out is None:
            return line, None, None
        look = {**other, **size, "label": labels[1]}
        validation_line = _draw_curve(ax, held_out, options(validation, **look))
        if at is None:
            return line, validation_line, None
        look = {
            "color": other["color"],
            "marker": "o",
            "markerfacecolor": "white",
            "markersize": 4.0 if self.n_folds else 8.0,
            "markeredgewidth": 1.0 if self.n_folds else 2.0,
            "linestyle": "none",
            "zorder": 4,
            "label": labels[2],
        }
        return line, validation_line, ax.plot(at + 1, held_out[at], **options(best, **look))[0]

    def _labels(self, i: int, name: str) -> tuple[str, str, str]:
        """Return the labels of one fit; the legend omits those that begin with "_"."""
        if self.n_folds:
            hidden, each = "_" if i else "", f"{_before(name)}{{}}, each fold"
            return (
                hidden + each.format("training loss"),
                hidden + each.format("validation loss"),
                hidden + each.format("best epoch"),
            )
        at = self.best_iters[i]
        if len(self.loss_curves) == 1:
            number = "" if at is None else f": {at + 1}"
            before = _before(name)
            return f"{before}training loss", f"{before}validation loss", f"best epoch{number}"
        first = next((j for j, best in enumerate(self.best_iters) if best is not None), i)
        training = name if self.validation_loss_curves[i] is None else f"{name}, training"
        return training, f"{name}, validation", "best epoch" if i == first else "_best epoch"

    def _draw_means(
        self, ax: Axes, name: str, train: Style | None, validation: Style | None
    ) -> None:
        """Draw the mean over the folds, for the epochs that all of them ran."""
        n, n_folds = len(self.loss_curves), self.n_folds
        of = f"mean of {n} folds" if n == n_folds else f"mean of {n} of {n_folds} folds"
        look: Style = {"linewidth": 2.5, "zorder": 3}
        label = f"{_before(name)}training loss, {of}"
        mean_look = options(train, **look, color=CYCLE[0], label=label)
        self.mean_line_ = _draw_curve(ax, _mean(self.loss_curves), mean_look)
        if all(curve is not None for curve in self.validation_loss_curves):
            label = f"{_before(name)}validation loss, {of}"
            mean_look = options(validation, **look, color=CYCLE[1], label=label)
            mean = _mean(self.validation_loss_curves)
            self.validation_mean_line_ = _draw_curve(ax, mean, mean_look)


def set_log_scale(ax: Axes, values: ArrayLike) -> None:
    """Make the y axis logarithmic; linear near zero if some of `values` are not positive."""
    finite = np.concatenate([np.ravel(each) for each in values])
    finite = finite[np.isfinite(finite)]
    positive = finite[finite > 0]
    if not positive.size:
        return
    if positive.size == finite.size:
        ax.set_yscale("log")
        return
    smallest = positive.min()
    # The linear part is as high as one decade, or as a tenth of all decades if that is more.
    height = max(1.0, 0.1 * np.log10(positive.max() / smallest))
    ax.set_yscale("symlog", linthresh=smallest, linscale=height)
    if finite.min() == 0:
        ax.set_ylim(bottom=-0.5 * smallest, auto=None)


def _curves_of(estimators: list[BaseEstimator]) -> Style:
    """Return the loss curves of fitted estimators."""
    models = [_model_of(estimator) for estimator in estimators]
    for model in models:
        check_is_fitted(model, "loss_curve_")
        if not model.loss_curve_:
            raise ValueError(
                "The 'estimator' parameter must have met rows that have weight. Got "
                f"{model!r}, which has run no epoch."
            )
    held_out = [getattr(model, "validation_loss_curve_", None) for model in models]
    return {
        "loss_curves": [np.array(model.loss_curve_) for model in models],
        "validation_loss_curves": [None if c is None else np.array(c) for c in held_out],
        "best_iters": [
            None if curve is None else model.best_iter_
            for model, curve in zip(models, held_out, strict=True)
        ],
        "loss_name": "Log loss" if all(map(has_log_loss, models)) else "Loss",
    }


def _class_names(estimators: list[BaseEstimator]) -> list[str]:
    """Return the names of the classes, numbered if a class occurs more than once."""
    names = [type(_model_of(estimator)).__name__ for estimator in estimators]
    return [
        f"{name} {names[: i + 1].count(name)}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def _before(name: str) -> str:
    return f"{name}, " if name else ""


def _mean(curves: Sequence[ArrayLike]) -> Array:
    shortest = min(map(len, curves))
    mean: Array = np.mean([curve[:shortest] for curve in curves], axis=0)
    return mean


def _draw_curve(ax: Axes, curve: ArrayLike, look: Style) -> Any:
    # A single epoch is drawn as a marker, since a line of one point is invisible.
    marker = {"marker": "o"} if len(curve) == 1 else {}
    return ax.plot(np.arange(1, len(curve) + 1), curve, **{**marker, **look})[0]


def _model_of(estimator: BaseEstimator) -> BaseEstimator:
    return last_step(fitted_inside(estimator))
