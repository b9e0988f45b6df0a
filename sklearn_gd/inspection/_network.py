"""Plot a fitted network as neurons and the connections between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_gd._pieces import Array
from sklearn_gd.inspection._axes import COLOURS, Style, new_axes, options
from sklearn_gd.inspection._layers import number, read_layers, shortened
from sklearn_gd.inspection._layout import (
    Column,
    arrange,
    check_max_neurons,
    figure_size,
    number_places,
    segments,
)
from sklearn_gd.inspection._recording import fitted_inside, last_step
from sklearn_gd.inspection._style import FONT, largest, strokes, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Writer = Callable[..., Any]

_MOST_NUMBERS = 12  # up to this many connections, each is labelled with its weight


class NetworkDisplay:
    r"""Layers of neurons, and the weights between them.

    Create it with :meth:`from_estimator`. Each layer is a column; the inputs are on the left. A
    connection is blue and solid if its weight is positive, vermillion and dashed if it is
    negative. The larger the weight relative to the largest of its layer, the wider and darker
    the connection. If there are few connections, they are labelled with their weights. The
    number under a neuron is its bias; next to a neuron of a perceptron is the threshold above
    which it fires.

    Parameters
    ----------
    coefs : list of ndarray of shape (fan_in, fan_out)
        Weights of each layer.
    intercepts : list of ndarray of shape (fan_out,) or None
        Biases of each layer; None for a model without biases.
    activations : list of str
        Name of the activation of each layer.
    feature_names : list of str
        Name of each input.
    target_names : list of str
        Name of each output.
    fires : bool, default=False
        Whether the outputs are neurons that fire above a threshold, which is minus their bias.
    scaled : bool, default=False
        Whether the inputs are the features in a scale, as with ``standardize="robust"``.
    name : str, optional
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    shown_ : list of ndarray of shape (n_shown,)
        Indices of the drawn neurons of each layer, from the top; the inputs are the first layer.
    positions_ : list of ndarray of shape (n_shown, 2)
        Positions of the drawn neurons.
    weights_ : list of ndarray of shape (n_shown, n_shown of the next layer)
        Weights of the drawn connections.
    neurons_ : list of matplotlib Line2D
        Neurons of each layer, as markers.
    connections_ : list of matplotlib LineCollection
        Connections of each layer, in the order of ``weights_[k].ravel()``.
    feature_texts_, target_texts_, bias_texts_, weight_texts_, gap_texts_ : list of matplotlib Text
        Names of the inputs and outputs; biases; weights, if they are written; and numbers of
        omitted neurons.
    captions_ : list of matplotlib Text
        Caption of each layer.
    legend_ : matplotlib Legend
    note_ : matplotlib Text
        Explanation of the widths and numbers, and of what is omitted.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_gd import PerceptronClassifier
    >>> from sklearn_gd.inspection import NetworkDisplay
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    >>> neuron = PerceptronClassifier(shuffle=False).fit(X, y)
    >>> display = NetworkDisplay.from_estimator(neuron, target_names=["not both", "both"])
    >>> display.target_texts_[0].get_text()
    'both\nfires above 3'
    >>> [text.get_text() for text in display.weight_texts_]
    ['3', '2']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        *,
        coefs: list[Array],
        intercepts: list[Array] | None,
        activations: list[str],
        feature_names: list[str],
        target_names: list[str],
        fires: bool = False,
        scaled: bool = False,
        name: str | None = None,
    ) -> None:
        self.coefs = coefs
        self.intercepts = intercepts
        self.activations = activations
        self.feature_names = feature_names
        self.target_names = target_names
        self.fires = fires
        self.scaled = scaled
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        feature_names: Sequence[str] | None = None,
        target_names: Sequence[str] | None = None,
        max_neurons: int = 12,
        ax: Axes | None = None,
        name: str | None = None,
        neuron_kwargs: Style | None = None,
        connection_kwargs: Style | None = None,
        text_kwargs: Style | None = None,
    ) -> Self:
        """Draw a fitted estimator.

        Parameters
        ----------
        estimator : estimator of this package or Pipeline
            Fitted estimator, or a Pipeline that ends with one; its inputs are then the outputs
            of the preceding steps.
        feature_names : sequence of str, optional
            Name of each input; by default, the feature names seen in ``fit``, or x1, x2, ...
        target_names : sequence of str, optional
            Name of each output, by default y or y1, y2, ...; for a classifier, name of each
            class, by default the class labels, or the columns of y if it has label indicators.
            With two classes, the output is that of the second one.
        max_neurons : int, default=12
            Largest number of neurons at which a layer is drawn in full, at least 2. Of a larger
            layer, a quarter of this number is drawn at either end, with the number of omitted
            neurons between them.
        ax : matplotlib Axes, optional
            Axes to draw on; by default, those of a new figure that is large enough.
        name : str, optional
            Title of the plot; by default, the name of the estimator's class.
        neuron_kwargs : dict, optional
            Options for the neurons' markers (:class:`matplotlib.lines.Line2D`).
        connection_kwargs : dict, optional
            Options for the connections (:class:`matplotlib.collections.LineCollection`).
        text_kwargs : dict, optional
            Options for all texts (:class:`matplotlib.text.Text`).

        Returns
        -------
        display : NetworkDisplay

        Raises
        ------
        ValueError, TypeError
            If a parameter is invalid; the message names it.
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        layers = read_layers(estimator, feature_names, target_names)
        display = cls(**layers._asdict(), name=type(last_step(fitted_inside(estimator))).__name__)
        return display.plot(
            ax,
            max_neurons=max_neurons,
            name=name,
            neuron_kwargs=neuron_kwargs,
            connection_kwargs=connection_kwargs,
            text_kwargs=text_kwargs,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        max_neurons: int = 12,
        name: str | None = None,
        neuron_kwargs: Style | None = None,
        connection_kwargs: Style | None = None,
        text_kwargs: Style | None = None,
    ) -> Self:
        """Draw the network.

        Parameters
        ----------
        ax, max_neurons, name, neuron_kwargs, connection_kwargs, text_kwargs
            As in :meth:`from_estimator`; by default, the title is the `name` of the display.

        Returns
        -------
        self : NetworkDisplay

        Raises
        ------
        ValueError, TypeError
            If a parameter is invalid; the message names it.
        ImportError
            If matplotlib is not installed.
        """
        sizes = [len(self.coefs[0]), *(W.shape[1] for W in self.coefs)]
        columns = arrange(sizes, check_max_neurons(max_neurons))
        names = [shortened(each) for each in (*self.feature_names, *self.target_names)]
        ax = new_axes("NetworkDisplay", ax, figsize=figure_size(columns, names))
        self.ax_, self.figure_ = ax, ax.figure
        self.shown_ = [column.shown for column in columns]
        self.positions_ = [column.positions for column in columns]
        most = max(column.n_slots for column in columns)
        ax.set(xlim=(-0.2, len(columns) - 0.8), ylim=(-most / 2, most / 2))
        ax.set_axis_off()
        write = partial(write_text, ax, text_kwargs)
        self._draw_connections(columns, connection_kwargs, write)
        radius = self._draw_neurons(most, neuron_kwargs)
        self._write_names(radius, write)
        self._write_biases(radius, write)
        self._write_captions(columns, write)
        self._explain(columns, write)
        title = self.name if name is None else name
        if title:
            ax.set_title(title, pad=4 * 1.3 * FONT + 4)  # above captions of three lines
        return self

    def _draw_connections(self, columns: list[Column], given: Style | None, write: Writer) -> None:
        from matplotlib.collections import LineCollection

        self.weights_ = [
            W[np.ix_(source.shown, target.shown)]
            for W, source, target in zip(self.coefs, columns[:-1], columns[1:], strict=True)
        ]
        few = sum(W.size for W in self.weights_) <= _MOST_NUMBERS
        self.connections_, self.weight_texts_ = [], []
        for k, weights in enumerate(self.weights_):
            ends = segments(columns[k], columns[k + 1])
            lines = LineCollection(list(ends), zorder=1)
            lines.set(**options(given, lines, **strokes(weights, largest(self.coefs[k]))))
            self.connections_.append(self.ax_.add_collection(lines, autolim=False))
            if few:
                places = number_places(ends, weights.shape[1])
                for weight, place in zip(weights.ravel(), places, strict=True):
                    self.weight_texts_.append(write(number(weight), place, boxed=True))

    def _draw_neurons(self, most: int, given: Style | None) -> float:
        """Draw the neurons of columns of at most `most` places; return their radius, in points."""
        height = self.ax_.get_window_extent().height * 72 / self.figure_.dpi
        style = options(
            given,
            marker="o",
            linestyle="none",
            markersize=float(np.clip(0.45 * height / most, 4.0, 22.0)),
            markerfacecolor="white",
            markeredgecolor=COLOURS["black"],
            markeredgewidth=1.2,
            zorder=3,
        )
        self.neurons_ = [self.ax_.plot(*places.T, **style)[0] for places in self.positions_]
        return self.neurons_[0].get_markersize() / 2

    def _write_names(self, radius: float, write: Writer) -> None:
        targets = list(self.target_names)
        if self.fires:
            assert self.intercepts is not None
            limits = [number(-bias) for bias in self.intercepts[-1]]
            targets = [
                f"{shortened(name)}\nfires above {limit}"
                for name, limit in zip(targets, limits, strict=True)
            ]
        self.feature_texts_ = [
            write(shortened(self.feature_names[j]), place, (-radius - 4, 0), "right")
            for j, place in zip(self.shown_[0], self.positions_[0], strict=True)
        ]
        self.target_texts_ = [
            write(targets[k], place, (radius + 4, 0), "left")
            for k, place in zip(self.shown_[-1], self.positions_[-1], strict=True)
        ]

    def _write_biases(self, radius: float, write: Writer) -> None:
        """Write the bias under each neuron, unless thresholds are written instead."""
        self.bias_texts_: list[Any] = []
        if self.intercepts is None or self.fires:
            return
        for biases, shown, places in zip(
            self.intercepts, self.shown_[1:], self.positions_[1:], strict=True
        ):
            for bias, place in zip(biases[shown], places, strict=True):
                # Behind the neurons, so that a text box does not cover a neuron.
                small = {"boxed": True, "fontsize": FONT - 1.5, "zorder": 2}
                below = (0, -radius - 2)
                self.bias_texts_.append(
                    write(number(bias), place, below, "center", "top", **small)
                )

    def _write_captions(self, columns: list[Column], write: Writer) -> None:
        """Write a caption above each layer, and the number of its omitted neurons."""
        self.gap_texts_ = [
            write(f"… {column.n_neurons - len(column.shown)} more", column.gap, boxed=True)
            for column in columns
            if column.gap is not None
        ]
        n = [column.n_neurons for column in columns]
        heads = [_count(n[0], "scaled input" if self.scaled else "input")]
        for k, (size, activation) in enumerate(zip(n[1:], self.activations, strict=True), start=1):
            hidden = "hidden" if len(n) == 3 else f"hidden {k}"
            place = "output" if k == len(n) - 1 else hidden
            heads.append(f"{place}\n{_count(size, 'neuron')}\n{shortened(activation)}")
        where = ("data", "axes fraction")
        self.captions_ = [
            write(text, (x, 1.0), (0, 4), "center", "bottom", where)
            for x, text in enumerate(heads)
        ]

    def _explain(self, columns: list[Column], write: Writer) -> None:
        """Draw the legend and the explanatory note below the network."""
        from matplotlib.lines import Line2D

        looks: list[tuple[int, str, Any, str]] = [
            (1, "blue", "-", "positive weight"),
            (-1, "vermillion", (0, (3, 1.5)), "negative weight"),
            (0, "grey", "-", "weight of 0"),
        ]
        kinds = [
            Line2D([], [], color=COLOURS[colour], linewidth=2, linestyle=dash, label=label)
            for sign, colour, dash, label in looks
            if any((np.sign(W) == sign).any() for W in self.weights_)
        ]
        self.legend_ = self.ax_.legend(
            handles=kinds, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, frameon=False
        )
        sizes = ", ".join(number(largest(W)) for W in self.coefs)
        notes = [f"Width and darkness: size, compared with the\nlargest weight ({sizes})."]
        if len(self.coefs) > 1:
            notes = [
                f"Width and darkness: size, compared with the\nlargest of each layer ({sizes})."
            ]
        if self.intercepts is None:
            notes.append("There are no biases.")
        elif not self.fires:
            notes.append("The number under a neuron is its bias.")
        if any(column.gap is not None for column in columns):
            notes.append("Neurons left out are left out with their connections.")
        text, middle = "\n".join(notes), ("center", "top", "axes fraction")
        self.note_ = write(text, (0.5, 0.0), (0, -26), *middle, color="#444444")


def _count(n: int, unit: str) -> str:
    return f"{n} {unit}" if n == 1 else f"{n} {unit}s"
