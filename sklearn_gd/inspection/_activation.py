"""Plot activations and their derivatives against the weighted input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_gd._pieces import Array, ArrayLike
from sklearn_gd.activations import Activation, as_activation
from sklearn_gd.inspection._axes import COLOURS, Style, new_axes, options
from sklearn_gd.inspection._layers import activation_name, check_names, has_threshold, number
from sklearn_gd.inspection._recording import last_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_HUES = ("blue", "vermillion", "green", "orange", "purple", "sky", "black", "grey")
_REACH = 6.0  # default distance from the threshold to either limit
_POINTS = 501
_MOST_INSIDE = 6  # with more curves, the legend stands beside the axes


class ActivationDisplay:
    """The output of a neuron against its weighted input, and the derivative of the output.

    Create it with :meth:`from_activations` or :meth:`from_estimator`. A neuron with a threshold
    outputs f(weighted input - threshold): its curve is that of f, shifted to the right by the
    threshold.

    Parameters
    ----------
    inputs : list of ndarray of shape (n_points,)
        Weighted inputs of each curve, in ascending order. The threshold is repeated, so that a
        jump there is drawn as a vertical line.
    outputs : list of ndarray of shape (n_points,)
        Outputs of each curve, f(inputs - threshold).
    derivatives : list of ndarray of shape (n_points,) or None
        Derivatives of each curve; None where no derivative is drawn.
    thresholds : list of float
        Threshold of each curve.
    names : list of str
        Name of each curve.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Lines of the activations.
    derivative_lines_ : list of matplotlib Line2D or None
        Lines of the derivatives, dashed and in the same colours as the activations.
    threshold_lines_ : list of matplotlib Line2D
        Vertical lines, one per distinct threshold.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_gd.inspection import ActivationDisplay
    >>> display = ActivationDisplay.from_activations(
    ...     ["step", "sigmoid"], threshold=8, limits=(0, 16)
    ... )
    >>> display.names
    ['step', 'sigmoid']
    >>> display.derivative_lines_[0] is None  # a step is not differentiable
    True
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        *,
        inputs: list[Array],
        outputs: list[Array],
        derivatives: list[Array | None],
        thresholds: list[float],
        names: list[str],
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.derivatives = derivatives
        self.thresholds = thresholds
        self.names = names

    @classmethod
    def from_activations(
        cls,
        activations: Any,
        *,
        threshold: float | Sequence[float] = 0.0,
        limits: tuple[float, float] | None = None,
        derivative: bool = True,
        ax: Axes | None = None,
        name: str | Sequence[str] | None = None,
        line_kwargs: Style | None = None,
        derivative_kwargs: Style | None = None,
    ) -> Self:
        """Draw activations.

        Parameters
        ----------
        activations : str, Activation, (f, df) or a list of these
            Activations to draw.
        threshold : float or sequence of float, default=0.0
            Threshold that the weighted input must exceed for the neuron to fire: one for all
            activations, or one per activation.
        limits : tuple of two floats, optional
            Smallest and largest weighted input; by default, 6 below the smallest threshold and 6
            above the largest.
        derivative : bool, default=True
            Whether to draw the derivatives of differentiable activations.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.
        name : str or list of str, optional
            Names for the legend, one per activation.
        line_kwargs : dict, optional
            Options for the activations' lines (:class:`matplotlib.lines.Line2D`).
        derivative_kwargs : dict, optional
            Options for the derivatives' lines.

        Returns
        -------
        display : ActivationDisplay

        Raises
        ------
        ValueError, TypeError
            If a parameter is invalid; the message names it.
        ImportError
            If matplotlib is not installed.
        """
        given = activations if isinstance(activations, list) else [activations]
        if not given:
            raise ValueError("The 'activations' parameter must hold one at least. Got [] instead.")
        pieces = [
            as_activation(each, parameter="activations", also=", or a list of these")
            for each in given
        ]
        thresholds = _check_thresholds(threshold, len(pieces))
        names = [activation_name(piece) for piece in pieces]
        display = cls._sampled(pieces, thresholds, names, limits, derivative)
        return display.plot(
            ax, name=name, line_kwargs=line_kwargs, derivative_kwargs=derivative_kwargs
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        limits: tuple[float, float] | None = None,
        derivative: bool = True,
        ax: Axes | None = None,
        name: str | Sequence[str] | None = None,
        line_kwargs: Style | None = None,
        derivative_kwargs: Style | None = None,
    ) -> Self:
        """Draw the activation of a fitted perceptron at its own threshold.

        Parameters
        ----------
        estimator : PerceptronClassifier or Pipeline
            Fitted perceptron, or a Pipeline that ends with one. With more than two classes, one
            curve is drawn per neuron.
        limits, derivative, ax, name, line_kwargs, derivative_kwargs
            As in :meth:`from_activations`; `name` holds one name per neuron.

        Returns
        -------
        display : ActivationDisplay

        Raises
        ------
        ValueError, TypeError
            If a parameter is invalid; the message names it.
        NotFittedError
            If the perceptron is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        neuron = last_step(estimator)
        if not has_threshold(neuron):
            raise TypeError(
                "The 'estimator' parameter must be a fitted PerceptronClassifier, or a Pipeline "
                f"that ends with one. Got {estimator!r} instead."
            )
        thresholds = [float(each) for each in neuron.threshold_]
        piece = as_activation(neuron.activation)
        names = [activation_name(piece)]
        if len(thresholds) > 1:
            pairs = zip(neuron.classes_, thresholds, strict=True)
            names = [f"{label}, above {number(threshold)}" for label, threshold in pairs]
        pieces = [piece] * len(thresholds)
        display = cls._sampled(pieces, thresholds, names, limits, derivative)
        return display.plot(
            ax, name=name, line_kwargs=line_kwargs, derivative_kwargs=derivative_kwargs
        )

    @classmethod
    def _sampled(
        cls,
        pieces: list[Activation],
        thresholds: list[float],
        names: list[str],
        limits: ArrayLike,
        derivative: bool,
    ) -> Self:
        low, high = _check_limits(limits, thresholds)
        curves = [
            _sample(piece, threshold, low, high)
            for piece, threshold in zip(pieces, thresholds, strict=True)
        ]
        return cls(
            inputs=[curve[0] for curve in curves],
            outputs=[curve[1] for curve in curves],
            derivatives=[curve[2] if derivative else None for curve in curves],
            thresholds=thresholds,
            names=names,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | Sequence[str] | None = None,
        line_kwargs: Style | None = None,
        derivative_kwargs: Style | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure.
        name : str or list of str, optional
            Names for the legend, in place of `names`.
        line_kwargs, derivative_kwargs : dict, optional
            Options for the lines, as in :meth:`from_activations`.

        Returns
        -------
        self : ActivationDisplay

        Raises
        ------
        ValueError, TypeError
            If a parameter is invalid; the message names it.
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.outputs)
        given = [name] if isinstance(name, str) else name
        names = self.names if given is None else check_names("name", given, n, "curve")
        # The wider figure has room for a legend beside the axes.
        ax = new_axes("ActivationDisplay", ax, figsize=(8.4 if n > _MOST_INSIDE else 6.4, 4.8))
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_: list[Line2D] = []
        self.derivative_lines_: list[Line2D | None] = []
        for i, (x, y, slope) in enumerate(
            zip(self.inputs, self.outputs, self.derivatives, strict=True)
        ):
            # From the ninth curve on, colours repeat with other line styles.
            solid, dashed = (("-", "--"), ("-.", ":"))[i // len(_HUES) % 2]
            style: Style = {"color": COLOURS[_HUES[i % len(_HUES)]], "linewidth": 2.0}
            style = options(line_kwargs, **style, linestyle=solid, label=names[i])
            self.lines_ += ax.plot(x, y, **style)
            line = None
            if slope is not None:
                label = "its derivative" if n == 1 else "_derivative"
                style = {"color": self.lines_[-1].get_color(), "linewidth": 1.5, "label": label}
                style = options(derivative_kwargs, **style, linestyle=dashed)
                (line,) = ax.plot(x, slope, **style)
            self.derivative_lines_.append(line)
        self._mark_thresholds()
        self._explain()
        return self

    def _mark_thresholds(self) -> None:
        """Draw each distinct threshold; if there are several, in the colours of their curves."""
        different = sorted(set(self.thresholds))
        self.threshold_lines_ = []
        for threshold in different:
            colour: Any = COLOURS["grey"]
            label = f"threshold {number(threshold)}"
            if len(different) > 1:
                line = self.lines_[self.thresholds.index(threshold)]
                colour, label = line.get_color(), "_threshold"
            self.threshold_lines_.append(
                self.ax_.axvline(
                    threshold, color=colour, linewidth=1.0, linestyle=":", zorder=0, label=label
                )
            )

    def _explain(self) -> None:
        """Label the axes and draw the legend."""
        ax = self.ax_
        ax.set(
            xlabel="weighted input",
            ylabel="output of the neuron",
            xlim=(min(x[0] for x in self.inputs), max(x[-1] for x in self.inputs)),
        )
        handles, _ = ax.get_legend_handles_labels()
        if len(self.lines_) > 1 and any(self.derivative_lines_):
            from matplotlib.lines import Line2D

            dashed: Style = {
                "color": COLOURS["black"],
                "linewidth": 1.5,
                "linestyle": "--",
            }
            handles.append(Line2D([], [], **dashed, label="derivative"))
        # A long legend would cover the curves.
        beside: Style = {
            "loc": "upper left",
            "bbox_to_anchor": (1.01, 1.0),
            "borderaxespad": 0.0,
        }
        ax.legend(handles=handles, **(beside if len(self.lines_) > _MOST_INSIDE else {}))


def _sample(
    activation: Activation, threshold: float, low: float, high: float
) -> tuple[Array, Array, Array | None]:
    """Return weighted inputs, with the output and the derivative at each."""
    inputs = np.linspace(low, high, _POINTS)
    z = inputs - threshold
    if low <= threshold <= high:
        # Points at the threshold and just beside it: a jump there is drawn as a vertical line.
        tiny = np.finfo(float).tiny
        inputs = np.concatenate([inputs, [threshold] * 3])
        z = np.concatenate([z, [-tiny, 0.0, tiny]])
        order = np.lexsort((z, inputs))
        inputs, z = inputs[order], z[order]
    with np.errstate(all="ignore"):
        a = activation(z.copy())
        slope = activation.derivative(z.copy(), a.copy()) if activation.differentiable else None
    return inputs, a, slope


def _check_thresholds(given: Any, n: int) -> list[float]:
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if not np.isfinite(values).all() or values.shape not in ((), (n,)):
        raise ValueError(
            "The 'threshold' parameter must be one finite number, or one for each of the "
            f"activations: {n}. Got {given!r} instead."
        )
    return [float(each) for each in np.broadcast_to(values, n)]


def _check_limits(given: Any, thresholds: list[float]) -> tuple[float, float]:
    if given is None:
        return min(thresholds) - _REACH, max(thresholds) + _REACH
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(
            "The 'limits' parameter must be two finite numbers, the smaller one first. "
            f"Got {given!r} instead."
        )
    return low, high
