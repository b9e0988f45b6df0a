"""The compiled loops in plain Python and NumPy: their reference, and their fallback.

In Rosenblatt's loop, a row is a mistake of neuron k unless y_k z_k > 0, with y_k = +1 for rows of
its class and -1 for all others; then its weights move by rate * weight * y_k * x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

Array = np.ndarray[Any, np.dtype[Any]]


# As in scikit-learn: the bias, which every sample updates, moves slower than the weights of
# features that few samples have.
SPARSE_INTERCEPT_RATE = 0.01


class Epoch(NamedTuple):
    """What an epoch of Rosenblatt's rule needs beside its rows, in the order of its arguments.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_samples,)
        Class of each row. Neuron k fires for class k, a single neuron for class 1.
    weights : ndarray of float64, shape (n_samples,) or (0,)
        Sample weights; empty for a weight of one each. Rows of weight zero are not visited.
    class_weight : ndarray of float64, shape (n_neurons,)
        Factor on the weight of a row for the neuron of the row's class.
    order : ndarray of intp
        Row numbers, in the order of the visits.
    coef : ndarray of shape (n_features, n_neurons)
        Weights, changed in place.
    intercept : ndarray of shape (n_neurons,)
        Biases, changed in place.
    rate : float
        Learning rate.
    decays : bool
        Whether there is a penalty, however small.
    decay : float
        Factor on `coef` at each row if there is one: 1 - rate * alpha.
    fit_intercept, average : bool
        As in the estimator.
    coef_sum, intercept_sum : ndarray of float64, shapes of `coef` and `intercept`
        Changed in place with `average`. Without decay: the sum of each update times the number of
        visits before it, so that the mean of the weights after every visit is
        coef - coef_sum / visits. With decay: the sum of the weights after every visit.
    visits : int
        Number of rows visited before this epoch.
    """

    codes: Array
    weights: Array
    class_weight: Array
    order: Array
    coef: Array
    intercept: Array
    rate: float
    decays: bool
    decay: float
    fit_intercept: bool
    average: bool
    coef_sum: Array
    intercept_sum: Array
    visits: int


def rosenblatt_dense(X: Array, *epoch: Any) -> tuple[int, float, float, int]:
    """Run one epoch of Rosenblatt's rule over the rows of a dense X.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    *epoch
        The fields of :class:`Epoch`.

    Returns
    -------
    updates : int
        Number of mistakes, summed over the neurons.
    missed, false_alarms : float
        Summed weights of the rows for which a neuron wrongly did not fire, or wrongly fired.
    visits : int
        Number of rows visited before the next epoch.
    """
    it = Epoch(*epoch)
    _require_shape("coef", it.coef, (X.shape[1], it.coef.shape[1]))

    def score(i: int) -> Array:
        return it.intercept + X[i] @ it.coef

    def add(i: int, step: Array, target: Array) -> None:
        target += np.multiply.outer(X[i], step)

    return _run(it, len(X), it.rate, score, add)


def rosenblatt_sparse(
    data: Array, indices: Array, indptr: Array, *epoch: Any
) -> tuple[int, float, float, int]:
    """Run one epoch over the rows of a CSR matrix, with a slower bias.

    Parameters and returns are those of :func:`rosenblatt_dense`.
    """
    it = Epoch(*epoch)
    _require_csr(data, indices, indptr)

    def score(i: int) -> Array:
        stored = slice(indptr[i], indptr[i + 1])
        return it.intercept + data[stored] @ it.coef[indices[stored]]

    def add(i: int, step: Array, target: Array) -> None:
        stored = slice(indptr[i], indptr[i + 1])
        np.add.at(target, indices[stored], np.multiply.outer(data[stored], step))

    return _run(it, len(indptr) - 1, SPARSE_INTERCEPT_RATE * it.rate, score, add)


def _run(
    epoch: Epoch,
    n_samples: int,
    intercept_rate: float,
    score: Callable[[int], Array],
    add: Callable[[int, Array, Array], None],
) -> tuple[int, float, float, int]:
    _require_consistent(epoch, n_samples)
    coef, intercept, visits = epoch.coef, epoch.intercept, epoch.visits
    fires_for = np.arange(len(intercept)) + (len(intercept) == 1)
    lazy = epoch.average and not epoch.decays
    updates, missed, false_alarms = 0, 0.0, 0.0
    for i in epoch.order:
        weight = float(epoch.weights[i]) if len(epoch.weights) else 1.0
        if weight == 0:
            continue
        z = score(i)
        fires = epoch.codes[i] == fires_for
        weight_k = np.where(fires, weight * epoch.class_weight, weight)
        mistaken = ~np.where(fires, z > 0, z < 0) & (weight_k != 0)
        if epoch.decays:
            coef *= epoch.decay
        if mistaken.any():
            change = np.where(mistaken, np.where(fires, weight_k, -weight_k), 0.0)
            step = (epoch.rate * change).astype(coef.dtype)
            bias_step = (intercept_rate * change).astype(coef.dtype)
            add(i, step, coef)
            if epoch.fit_intercept:
                intercept += bias_step
            if lazy:
                add(i, visits * step.astype(np.float64), epoch.coef_sum)
                if epoch.fit_intercept:
                    epoch.intercept_sum[:] += visits * bias_step.astype(np.float64)
            updates += int(mistaken.sum())
            missed += float(weight_k[mistaken & fires].sum())
            false_alarms += float(weight_k[mistaken & ~fires].sum())
        if epoch.average and not lazy:
            epoch.coef_sum[:] += coef
            epoch.intercept_sum[:] += intercept
        visits += 1
    return updates, missed, false_alarms, visits


def _require_consistent(epoch: Epoch, n_samples: int) -> None:
    """Raise a ValueError where the arrays of an epoch do not fit each other."""
    codes, weights, order = epoch.codes, epoch.weights, epoch.order
    n_neurons = epoch.coef.shape[1]
    top = max(2, n_neurons)
    _require_shape("intercept", epoch.intercept, (n_neurons,))
    _require_shape("class_weight", epoch.class_weight, (n_neurons,))
    _require_shape("codes", codes, (n_samples,))
    _require_shape("weights", weights, (n_samples if len(weights) else 0,))
    if epoch.average:
        _require_shape("coef_sum", epoch.coef_sum, epoch.coef.shape)
        _require_shape("intercept_sum", epoch.intercept_sum, (n_neurons,))
    if n_samples and not 0 <= codes.min() <= codes.max() < top:
        raise ValueError(f"codes must lie in 0 to {top - 1}, for {n_neurons} neurons.")
    if len(order) and not 0 <= order.min() <= order.max() < n_samples:
        raise ValueError(f"order must hold numbers of the {n_samples} rows.")


def _require_shape(name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Raise a ValueError where an array is not of the shape that the others ask for."""
    if array.shape != expected:
        raise ValueError(f"{name} must be of shape {expected}. Got shape {array.shape}.")


def _require_csr(data: Array, indices: Array, indptr: Array) -> None:
    """Raise a ValueError where the stored values are fewer than the indptr of rows say."""
    n = len(data)
    if not len(indptr) or indptr[0] < 0 or indptr[-1] > n or len(indices) != n:
        raise ValueError(
            "data and indices must be of one length, which indptr do not exceed. "
            f"Got lengths {n} and {len(indices)}."
        )


# The reference of an epoch of a network is `Network`, in NumPy, whatever its number of layers.
NETWORK_LAYERS = 0


def network_epoch(*_: object) -> None:
    """Raise a NotImplementedError: there are no epochs in one call."""
    raise NotImplementedError("epochs of networks in one call are compiled only")


def network_objective(*_: object) -> None:
    """Raise a NotImplementedError: there is no objective in one call."""
    raise NotImplementedError("objectives of networks in one call are compiled only")


def bias_relu(z: Array, b: Array) -> None:
    """Set z, (n_samples, width), to max(z + b, 0)."""
    _require_shape("b", b, z.shape[1:])
    z += b
    np.maximum(z, 0, out=z)


def relu_backward(delta: Array, a: Array, sums: Array) -> None:
    """Set delta to 0 wherever a <= 0, and `sums` to what is left of each column."""
    _require_shape("a", a, delta.shape)
    _require_shape("sums", sums, delta.shape[1:])
    np.multiply(delta, a > 0, out=delta)
    np.sum(delta, axis=0, out=sums)


def sgd_step(parameters: Array, gradient: Array, rate: float) -> None:
    """Move the parameters by -rate * gradient."""
    _require_shape("gradient", gradient, parameters.shape)
    parameters -= (rate * gradient).astype(parameters.dtype, copy=False)


def adam(
    parameters: Array,
    gradient: Array,
    means: Array,
    squares: Array,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    """Make one step of Adam, in place, its correction in the rate.

    Parameters
    ----------
    parameters, gradient, means, squares : ndarray of shape (size,)
        All but the gradient are changed.
    rate : float
    beta_1, beta_2, epsilon : float
    """
    for name, array in (("gradient", gradient), ("means", means), ("squares", squares)):
        _require_shape(name, array, parameters.shape)
    means *= beta_1
    means += (1 - beta_1) * gradient
    squares *= beta_2
    squares += (1 - beta_2) * np.square(gradient)
    step = means / (np.sqrt(squares) + epsilon)
    step *= rate
    parameters -= step


def gram(data: Array, indices: Array, indptr: Array, total: Array) -> None:
    """Add X'X to the upper triangle of `total`, for the rows of a CSR matrix (sorted indices)."""
    _require_csr(data, indices, indptr)
    _require_shape("total", total, (len(total), len(total)))
    X = sparse.csr_array((data, indices, indptr), shape=(len(indptr) - 1, len(total)))
    X = X.astype(np.float64)
    total += np.triu((X.T @ X).toarray())


def moments(X: Array, y: Array, total: Array) -> None:
    """Add Z'Z, in double, to the upper triangle of `total`, for Z the columns of X and of y."""
    _require_shape("y", y, (len(X), y.shape[1]))
    _require_shape("total", total, (X.shape[1] + y.shape[1],) * 2)
    Z = np.hstack([X, y]).astype(np.float64)
    total += np.triu(Z.T @ Z)
