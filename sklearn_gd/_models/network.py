"""A feed-forward network: loss and gradient as functions of one flat parameter vector.

Without hidden layers it is a linear model. The loss excludes the penalty, the
gradient includes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse

from sklearn_gd._data.batches import row_chunks, slice_rows
from sklearn_gd._models.dropout import Dropout
from sklearn_gd._models.scaling import ColumnScaling, Scaling
from sklearn_gd._pieces import Array, Matrix, namespace
from sklearn_gd.activations import Activation, Identity, Sigmoid, Softmax
from sklearn_gd.losses import Loss

Masks = list[Array | None]  # factors of dropout, one array per layer


class Network:
    """The loss of a feed-forward network, and its gradient by backpropagation.

    The parameters of a layer are contiguous, weights (fan_in, fan_out) before biases (fan_out,).

    Parameters
    ----------
    sizes : sequence of int
        Number of neurons per layer, from inputs to outputs.
    activations : sequence of Activation
        One per layer, except the inputs.
    loss : Loss
    alpha : float
        Strength of the L2 penalty, 0.5 * alpha * ||weights||²; biases are not penalised.
    dtype : dtype
    biases : bool, default=True
    class_targets : bool, default=False
        Whether targets are classes, which have no units.

    Attributes
    ----------
    columns : ColumnScaling or None
        How the first layer gets the columns of X; None: as they are.
    baseline_loss : float
        Loss that the gradient is divided by.
    dropout : Dropout or None
        Masks for the outputs of hidden layers in gradient steps.
    divisor : int
        Number that the summed values of a row are divided by.

    References
    ----------
    D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating errors",
    Nature 323 (1986).
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[Activation],
        loss: Loss,
        alpha: float,
        dtype: DTypeLike,
        *,
        biases: bool = True,
        class_targets: bool = False,
    ) -> None:
        self.sizes = tuple(sizes)
        self.activations = list(activations)
        self.loss = loss
        self.alpha = alpha
        self.dtype = np.dtype(dtype)
        self.biases = biases
        self.class_targets = class_targets
        self.n_outputs = self.sizes[-1]
        self.divisor = loss._divisor(self.n_outputs)
        self.size = n_parameters(self.sizes, biases)
        self.columns: ColumnScaling | None = None
        self.baseline_loss = 1.0
        self.dropout: Dropout | None = None
        self._gradient = np.empty(self.size, self.dtype)
        self._gradient_layers = self.layers(self._gradient)
        self._capacity = 0
        self._x = np.empty((0, 0), self.dtype)
        self._z: list[Array] = []
        self._a: list[Array] = []
        self._no_masks: Masks = [None] * len(self.activations)

    @property
    def scales_targets(self) -> bool:
        """Whether targets are brought to mean 0 and standard deviation 1 in training."""
        free = isinstance(self.activations[-1], Identity) and self.loss.link is None
        return free and not self.class_targets

    def prediction_activations(self) -> list[Activation]:
        """Return the activations of a prediction: a link of the loss applied to the outputs."""
        link = self.loss.link
        if link is None:
            return self.activations
        if isinstance(link, Softmax) and self.n_outputs == 1:
            link = Sigmoid()
        return [*self.activations[:-1], link]

    def scaled(self, scaling: Scaling | None) -> Network:
        """Return the network that is trained in a scale; itself without one."""
        if scaling is None:
            return self
        twin = copy(self)
        twin.columns = scaling.columns(self.dtype)
        if self.scales_targets:
            twin.activations = [*self.activations[:-1], scaling.output(self.dtype)]
        twin.baseline_loss = scaling.baseline_loss
        return twin

    def layers(self, flat: Array) -> list[tuple[Array, Array]]:
        """Return the weights and biases of each layer as views of `flat`; biases may be empty."""
        return layers_of(flat, self.sizes, self.biases)

    def flatten(self, coefs: Sequence[Array], intercepts: Sequence[Array]) -> Array:
        """Return a new parameter vector with the given weights and biases."""
        flat = np.empty(self.size, self.dtype)
        for (W, b), coef, intercept in zip(self.layers(flat), coefs, intercepts, strict=True):
            W[:] = coef
            b[:] = intercept[: len(b)]
        return flat

    def on_weights(self, value: float) -> Array:
        """Return a parameter vector of one value for all weights, and 0 for all biases."""
        flat = np.zeros(self.size, self.dtype)
        for W, _ in self.layers(flat):
            W[:] = value
        return flat

    def mean_loss(self, parameters: Array, X: Matrix, y: Array, weights: Array | None) -> float:
        """Return the mean loss over rows and outputs, without the penalty."""
        layers, total = self.layers(parameters), 0.0
        for rows in row_chunks(X, _width(self.sizes, self.columns)):
            self._forward(layers, slice_rows(X, rows))
            values = self.loss.value(y[rows], self._outputs[-1])
            total += _weighted_sum(values, None if weights is None else weights[rows])
        return total / self.divisor / float(X.shape[0] if weights is None else weights.sum())

    def __call__(
        self,
        parameters: Array,
        X: Matrix,
        y: Array,
        weights: Array | None,
        share: float,
        step: int | None = None,
        first_row: int = 0,
    ) -> tuple[float, Array]:
        """Return the summed loss of a batch and its share of the gradient.

        The loss is in the units of the targets, the gradient is divided by ``baseline_loss``.

        Large batches are split into chunks, so that their layers need little memory.

        Parameters
        ----------
        parameters : ndarray of shape (size,)
        X : ndarray or CSR of shape (n_samples, n_features)
        y : ndarray of shape (n_samples, n_outputs)
        weights : ndarray of shape (n_samples,) or None
        share : float
            Total weight that the summed gradient is divided by.
        step : int, optional
            Number of the gradient step, which dropout depends on. None: no dropout.
        first_row : int, default=0
            Number of the first row in its batch, of which X may be a part.

        Returns
        -------
        loss : float
            Weighted sum over the rows, mean over the outputs; without the penalty.
        gradient : ndarray of shape (size,)
            Gradient of the mean loss over the baseline's, with the penalty. Valid until the next
            call.
        """
        layers = self.layers(parameters)
        first, *others = row_chunks(X, _width(self.sizes, self.columns))

        def part(rows: slice) -> float:
            in_batch = slice(first_row + rows.start, first_row + rows.stop)
            masks = self.masks(in_batch, step)
            return self._loss_and_gradient(layers, X, y, weights, share, rows, masks)

        loss = part(first)
        if others:
            total = self._gradient.copy()
            for rows in others:
                loss += part(rows)
                total += self._gradient
            self._gradient[:] = total
        self.add_penalty(parameters, self._gradient)
        return loss, self._gradient

    def _loss_and_gradient(
        self,
        layers: list[tuple[Array, Array]],
        X: Matrix,
        y: Array,
        weights: Array | None,
        share: float,
        rows: slice,
        masks: Masks,
    ) -> float:
        if not sparse.issparse(X) or rows.stop - rows.start < X.shape[0]:
            X = slice_rows(X, rows)
        y, weights = y[rows], None if weights is None else weights[rows]
        X = self._forward(layers, X, masks)
        values, slopes = self.loss._value_and_gradient(y, self._outputs[-1])
        factor = 1.0 / (share * self.divisor * self.baseline_loss)
        if weights is None:
            delta = np.multiply(slopes, factor, dtype=self.dtype)
        else:  # in float64, since weights may exceed the precision of the network
            delta = slopes * (factor * weights).astype(self.dtype)[:, None]
        self._backward(layers, X, delta, masks)
        return _weighted_sum(values, weights) / self.divisor

    def masks(self, rows: slice, step: int | None) -> Masks:
        """Return the masks of dropout of each layer, for rows of the batch of a step."""
        if self.dropout is None or step is None:
            return self._no_masks
        return [*self.dropout.masks(step, rows, self.sizes[1:-1], self.dtype), None]

    def _forward(
        self, layers: list[tuple[Array, Array]], X: Matrix, masks: Masks | None = None
    ) -> Matrix:
        """Compute the pre-activations and outputs of every layer, in buffers.

        Returns what the first layer got: X, or its columns scaled.
        """
        self._make_room(X.shape[0])
        self._inputs, self._outputs, self._passed_on = [], [], []
        X = self._scale_columns(X)
        a = X
        for (W, b), activation, z_all, a_all, mask in zip(
            layers, self.activations, self._z, self._a, masks or self._no_masks, strict=True
        ):
            z, out = z_all[: X.shape[0]], a_all[: X.shape[0]]
            if sparse.issparse(a):
                z[:] = a @ W
            else:
                np.matmul(a, W, out=z)
            a = activation._apply_to_sum(z, b, out)
            self._inputs.append(z)
            self._outputs.append(a)
            if mask is not None:
                a = np.multiply(a, mask)  # the derivative needs the outputs before
            self._passed_on.append(a)
        return X

    def _scale_columns(self, X: Matrix) -> Matrix:
        if self.columns is None:
            return X
        if sparse.issparse(X):
            return self.columns(X)
        if len(self._x) < self._capacity:
            self._x = np.empty((self._capacity, X.shape[1]), self.dtype)
        return self.columns(X, self._x[: X.shape[0]])

    def _backward(
        self, layers: list[tuple[Array, Array]], X: Matrix, delta: Array, masks: Masks
    ) -> None:
        """Compute the gradient of the mean loss, in its buffer, from outputs to inputs."""
        for i in reversed(range(len(layers))):
            W_gradient, b_gradient = self._gradient_layers[i]
            z, a, mask = self._inputs[i], self._outputs[i], masks[i]
            if mask is not None:
                delta *= mask
            self.activations[i]._chain_to_sum(delta, z, a, b_gradient)
            if i == 0 and sparse.issparse(X):
                W_gradient[:] = X.T @ delta
            else:
                np.matmul((self._passed_on[i - 1] if i else X).T, delta, out=W_gradient)
            if i:
                # For one output it is an outer product, for which `matmul` is half as fast.
                times = np.multiply if delta.shape[1] == 1 else np.matmul
                delta = times(delta, layers[i][0].T, out=self._deltas[i - 1][: len(delta)])

    def add_penalty(self, parameters: Array, gradient: Array) -> None:
        """Add the gradient of 0.5 * alpha * ||weights||² to `gradient`, in place."""
        if self.alpha:
            layers = zip(self.layers(parameters), self.layers(gradient), strict=True)
            for (W, _), (W_gradient, _) in layers:
                W_gradient += np.multiply(W, self.alpha, dtype=self.dtype)

    def _make_room(self, n_samples: int) -> None:
        if n_samples <= self._capacity:
            return
        self._capacity = n_samples
        self._x = np.empty((0, 0), self.dtype)
        widths = self.sizes[1:]
        self._z = [np.empty((n_samples, width), self.dtype) for width in widths]
        # An activation whose derivative needs only the output overwrites its input.
        self._a = [
            z if activation._forgets_z else np.empty_like(z)
            for z, activation in zip(self._z, self.activations, strict=True)
        ]
        self._deltas = [np.empty((n_samples, width), self.dtype) for width in widths[:-1]]


def n_parameters(sizes: Sequence[int], biases: bool = True) -> int:
    """Return the number of weights and biases of layers of these sizes, inputs first."""
    return sum((fan_in + biases) * fan_out for fan_in, fan_out in pairwise(sizes))


def layers_of(flat: Array, sizes: Sequence[int], biases: bool = True) -> list[tuple[Array, Array]]:
    """Return the weights and biases of layers of these sizes as views of one vector."""
    views, start, xp = [], 0, namespace(flat)
    for fan_in, fan_out in pairwise(sizes):
        middle = start + fan_in * fan_out
        end = middle + fan_out * biases
        W = flat[start:middle]
        # The method takes half the time of the function, but not every library has it.
        W = W.reshape(fan_in, fan_out) if xp is np else xp.reshape(W, (fan_in, fan_out))
        views.append((W, flat[middle:end]))
        start = end
    return views


def outputs(
    coefs: Sequence[Array],
    intercepts: Sequence[Array],
    activations: Sequence[Activation],
    X: Matrix,
    columns: ColumnScaling | None = None,
) -> Array:
    """Return a network's outputs (n_samples, n_outputs), a chunk of rows at a time.

    Parameters
    ----------
    coefs, intercepts : sequences of ndarray of shapes (fan_in, fan_out) and (fan_out,)
    activations : sequence of Activation
    X : ndarray or CSR of shape (n_samples, n_features)
    columns : ColumnScaling, optional
        How the first layer gets the columns of X.
    """
    layers = list(zip(coefs, intercepts, activations, strict=True))
    sizes = len(coefs[0]), *(W.shape[1] for W in coefs)
    first, *others = row_chunks(X, _width(sizes, columns))
    if not others:
        return _propagate(layers, X if columns is None else columns(X))
    y_pred = np.empty((X.shape[0], coefs[-1].shape[1]), coefs[-1].dtype)
    for rows in (first, *others):
        part = slice_rows(X, rows)
        y_pred[rows] = _propagate(layers, part if columns is None else columns(part))
    return y_pred


def _width(sizes: Sequence[int], columns: ColumnScaling | None) -> int:
    """Return the largest number of values per row in a pass forward."""
    makes_dense = columns is not None and columns.center.any()
    return max(sizes if makes_dense else sizes[1:])


def _propagate(layers: list[tuple[Array, Array, Activation]], a: Matrix) -> Array:
    for W, b, activation in layers:
        z = a @ W
        a = activation._apply_to_sum(z, b, z if activation._forgets_z else np.empty_like(z))
    output: Array = a
    return output


def _weighted_sum(values: Array, weights: Array | None) -> float:
    """Return the weighted sum over rows and outputs, in float64."""
    if weights is None:
        return float(values.sum(dtype=np.float64))
    return float(weights @ values.sum(axis=1, dtype=np.float64))


def is_flat_at_zero(activation: Activation) -> bool:
    """Return whether f'(0) = 0, as for the ReLU: weights of zero then have no gradient."""
    zero = np.zeros(1)
    return bool(activation.derivative(zero, activation(zero.copy()))[0] == 0)


def linear_step(objective: Any) -> Array:
    """Return the gradient at zero weights of a one-layer network, as if it were linear.

    Parameters
    ----------
    objective : NetworkObjective
        Objective of the network.
    """
    network = objective.network
    linear = copy(network)
    linear.activations, linear.alpha = [Identity()], 0.0
    gradient: Array
    _, gradient = objective.rows.objective(linear)(np.zeros(linear.size, network.dtype))
    return gradient
