"""The compiled loops in plain Python and NumPy: what they say, and their stand-ins.

In Rosenblatt's loop, a row is a mistake of neuron k unless y_k z_k > 0, with y_k = +1 for rows of
its class and -1 for all others; then its weights move by rate * weight * y_k * x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

Array = np.ndarray[Any, np.dtype[Any]]


def rosenblatt_dense(
    X: Array,
    codes: Array,
    weights: Array,
    own: Array,
    order: Array,
    coef: Array,
    intercept: Array,
    rate: float,
    decays: bool,
    decay: float,
    fit_intercept: bool,
    average: bool,
    coef_sum: Array,
    intercept_sum: Array,
    visits: int,
) -> tuple[int, float, float, int]:
    """Run one epoch over the rows of a dense X; all arrays of weights are changed in place.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
    codes : ndarray of int32, shape (n,)
        The class of each row. Neuron k fires for class k, a lone neuron for class 1.
    weights : ndarray of float64, shape (n,) or (0,)
        Row weights; empty means one each. A row of weight zero is not visited.
    own : ndarray of float64, shape (n_neurons,)
        How many times as much a row weighs for the neuron of its own class.
    order : ndarray of intp
        The rows, in the order of their visits.
    coef : ndarray of shape (n_features, n_neurons)
    intercept : ndarray of shape (n_neurons,)
    rate : float
    decays : bool
        Whether there is a penalty, however small.
    decay : float
        What all of `coef` is multiplied with at each row then: 1 - rate * alpha.
    fit_intercept, average : bool
    coef_sum, intercept_sum : ndarray of float64, as `coef` and `intercept`
        Used with `average`. Without decay: the sum of each update times the visits before it, so
        that the mean of the weights after every visit is coef - coef_sum / visits. With decay:
        the plain sum of the weights after every visit.
    visits : int
        Rows visited before this epoch.

    Returns
    -------
    updates : int
        Mistakes, each neuron's counted.
    missed, false_alarms : float
        Sums of the weights of the rows where a neuron wrongly kept silent, or wrongly fired.
    visits : int
        Rows visited before the next epoch.
    """
    _require_shape("coef", coef, (X.shape[1], coef.shape[1]))

    def score(i: int) -> Array:
        return intercept + X[i] @ coef

    def add(i: int, step: Array, target: Array) -> None:
        target += np.multiply.outer(X[i], step)

    return _epoch(len(X), score, add, *_arguments(locals()))


def rosenblatt_sparse(
    data: Array,
    columns: Array,
    starts: Array,
    codes: Array,
    weights: Array,
    own: Array,
    order: Array,
    coef: Array,
    intercept: Array,
    rate: float,
    decays: bool,
    decay: float,
    fit_intercept: bool,
    average: bool,
    coef_sum: Array,
    intercept_sum: Array,
    visits: int,
) -> tuple[int, float, float, int]:
    """Run one epoch over the rows of a CSR matrix; the rest as :func:`rosenblatt_dense`."""
    _require_csr(data, columns, starts)

    def score(i: int) -> Array:
        stored = slice(starts[i], starts[i + 1])
        return intercept + data[stored] @ coef[columns[stored]]

    def add(i: int, step: Array, target: Array) -> None:
        stored = slice(starts[i], starts[i + 1])
        np.add.at(target, columns[stored], np.multiply.outer(data[stored], step))

    return _epoch(len(starts) - 1, score, add, *_arguments(locals()))


def _arguments(given: dict[str, Any]) -> tuple[Any, ...]:
    names = (
        "codes weights own order coef intercept rate decays decay fit_intercept average "
        "coef_sum intercept_sum visits"
    )
    return tuple(given[name] for name in names.split())


def _epoch(
    n_samples: int,
    score: Callable[[int], Array],
    add: Callable[[int, Array, Array], None],
    codes: Array,
    weights: Array,
    own: Array,
    order: Array,
    coef: Array,
    intercept: Array,
    rate: float,
    decays: bool,
    decay: float,
    fit_intercept: bool,
    average: bool,
    coef_sum: Array,
    intercept_sum: Array,
    visits: int,
) -> tuple[int, float, float, int]:
    _require_consistent(
        n_samples, codes, weights, own, order, coef, intercept, average, coef_sum, intercept_sum
    )
    n_neurons = coef.shape[1]
    fires_for = np.arange(n_neurons) + (n_neurons == 1)
    lazy = average and not decays
    updates, missed, false_alarms = 0, 0.0, 0.0
    for i in order:
        weight = float(weights[i]) if len(weights) else 1.0
        if weight == 0:
            continue
        z = score(i)
        fires = codes[i] == fires_for
        weight_k = np.where(fires, weight * own, weight)
        mistaken = ~np.where(fires, z > 0, z < 0) & (weight_k != 0)
        if decays:
            coef *= decay
        if mistaken.any():
            change = np.where(mistaken, np.where(fires, weight_k, -weight_k), 0.0)
            step = (rate * change).astype(coef.dtype)
            add(i, step, coef)
            if fit_intercept:
                intercept += step
            if lazy:
                add(i, visits * step.astype(np.float64), coef_sum)
                if fit_intercept:
                    intercept_sum += visits * step.astype(np.float64)
            updates += int(mistaken.sum())
            missed += float(weight_k[mistaken & fires].sum())
            false_alarms += float(weight_k[mistaken & ~fires].sum())
        if average and not lazy:
            coef_sum += coef
            intercept_sum += intercept
        visits += 1
    return updates, missed, false_alarms, visits


def _require_consistent(
    n_samples: int,
    codes: Array,
    weights: Array,
    own: Array,
    order: Array,
    coef: Array,
    intercept: Array,
    average: bool,
    coef_sum: Array,
    intercept_sum: Array,
) -> None:
    """Raise a ValueError where the arrays of an epoch do not fit each other."""
    n_neurons = coef.shape[1]
    top = max(2, n_neurons)
    _require_shape("intercept", intercept, (n_neurons,))
    _require_shape("own", own, (n_neurons,))
    _require_shape("codes", codes, (n_samples,))
    _require_shape("weights", weights, (n_samples if len(weights) else 0,))
    if average:
        _require_shape("coef_sum", coef_sum, coef.shape)
        _require_shape("intercept_sum", intercept_sum, (n_neurons,))
    if n_samples and not 0 <= codes.min() <= codes.max() < top:
        raise ValueError(f"codes must lie in 0 to {top - 1}, for {n_neurons} neurons.")
    if len(order) and not 0 <= order.min() <= order.max() < n_samples:
        raise ValueError(f"order must hold numbers of the {n_samples} rows.")


def _require_shape(name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Raise a ValueError where an array is not of the shape that the others ask for."""
    if array.shape != expected:
        raise ValueError(f"{name} must be of shape {expected}. Got shape {array.shape}.")


def _require_csr(data: Array, columns: Array, starts: Array) -> None:
    """Raise a ValueError where the stored values are fewer than the starts of rows say."""
    n = len(data)
    if not len(starts) or starts[0] < 0 or starts[-1] > n or len(columns) != n:
        raise ValueError(
            "data and columns must be of one length, which starts do not exceed. "
            f"Got lengths {n} and {len(columns)}."
        )


def rectify(z: Array, b: Array) -> None:
    """Set z, (n_samples, width), to max(z + b, 0)."""
    _require_shape("b", b, z.shape[1:])
    z += b
    np.maximum(z, 0, out=z)


def silence(delta: Array, a: Array, sums: Array) -> None:
    """Set delta to 0 wherever a <= 0, and `sums` to what is left of each column."""
    _require_shape("a", a, delta.shape)
    _require_shape("sums", sums, delta.shape[1:])
    np.multiply(delta, a > 0, out=delta)
    np.sum(delta, axis=0, out=sums)


def descend(parameters: Array, gradient: Array, rate: float) -> None:
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


def gram(data: Array, columns: Array, starts: Array, total: Array) -> None:
    """Add X'X to the upper triangle of `total`, for the rows of a CSR matrix of sorted columns."""
    _require_csr(data, columns, starts)
    _require_shape("total", total, (len(total), len(total)))
    X = sparse.csr_array((data, columns, starts), shape=(len(starts) - 1, len(total)))
    X = X.astype(np.float64)
    total += np.triu((X.T @ X).toarray())


def moments(X: Array, y: Array, total: Array) -> None:
    """Add Z'Z, in double, to the upper triangle of `total`, for Z the columns of X and of y."""
    _require_shape("y", y, (len(X), y.shape[1]))
    _require_shape("total", total, (X.shape[1] + y.shape[1],) * 2)
    Z = np.hstack([X, y]).astype(np.float64)
    total += np.triu(Z.T @ Z)
