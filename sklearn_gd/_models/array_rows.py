"""Rows in arrays of another library, and a network's objective over them, on their device.

Backpropagation is written with the functions of the array API standard and without buffers. Row
numbers, initial weights and rates come from NumPy; nothing is read back from the device per batch,
and only the loss per epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from numbers import Real
from typing import TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, validate_data

from sklearn_gd._data.array_api import Space, on_host, space_of
from sklearn_gd._data.split import hold_out
from sklearn_gd._data.validation import check_weights, require_some_weight, sets_features
from sklearn_gd._models.class_rows import OneHot, classes_of_outputs, weights_with_classes
from sklearn_gd._models.curvature import Curvature, uses_moments
from sklearn_gd._models.interfaces import Descending
from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.network import Masks, Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.scaling import (
    Affine,
    ColumnMoments,
    ColumnScaling,
    checked_scale,
    column_scale,
    sampled,
)
from sklearn_gd._pieces import Array, ArrayLike, DeviceArray, Piece, copy_of
from sklearn_gd.activations import Activation, as_activation
from sklearn_gd.losses import Loss, as_loss
from sklearn_gd.solvers import Solver, as_solver

T = TypeVar("T")
Layers = list[tuple[DeviceArray, DeviceArray]]
Batch = tuple[slice | DeviceArray, float]  # row numbers, and their share of the weight
Samples = tuple[DeviceArray, DeviceArray, DeviceArray | None]  # X, y, weights

# Number of values per chunk of rows: enough to keep a GPU busy.
_CHUNK = 1 << 22


class ArrayRows:
    """Rows with targets, in arrays of another library on one device.

    Parameters
    ----------
    space : Space
        Library and device of X and y.
    X, y : object
        Of shapes (n_all, n_features) and (n_all, n_outputs), in one precision.
    weights : ndarray of shape (n_all,) or None
        Sample weights, a NumPy array.
    numbers : ndarray of intp, optional
        Row numbers, if not all rows are used.
    """

    def __init__(
        self,
        space: Space,
        X: DeviceArray,
        y: DeviceArray,
        weights: Array | None,
        numbers: Array | None = None,
    ) -> None:
        self.space, self.X, self.y = space, X, y
        self.numbers = np.arange(X.shape[0]) if numbers is None else numbers
        self.weights = weights if weights is None or numbers is None else weights[numbers]
        self._given_weights, self._all = weights, numbers is None
        self._device_weights = None if weights is None else space.to_device(weights)
        self.n_samples, self.n_features = len(self.numbers), int(X.shape[1])
        self.n_outputs = int(y.shape[1])
        self.dtype = space.numpy_dtype(X)
        self.total_weight = float(self.n_samples if self.weights is None else self.weights.sum())

    def targets(self) -> tuple[Array, Array | None]:
        """Return NumPy's targets and weights with the statistics of those of the rows."""
        return self.space.to_numpy(self.y)[self.numbers], self.weights

    def best_constant(self, loss: Loss) -> Array:
        return loss._best_constant(*self.targets())

    def baseline_loss(self, loss: Loss) -> float:
        return loss._baseline(*self.targets())

    def to_device(self, array: T) -> T:
        return self.space.to_device(array) if isinstance(array, np.ndarray) else array

    def memory_to_device(self, solver: Solver) -> None:
        for name, value in vars(solver).items():
            setattr(solver, name, self.to_device(value))

    def objective(self, network: Network) -> OnArrayRows:
        return OnArrayRows(network, self)

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[ArrayRows, ArrayRows, Array]:
        kept = self.numbers if self.weights is None else self.numbers[self.weights != 0]
        parts = hold_out(len(kept), fraction, generator, self._strata(kept))
        train, held_out = (kept[part] for part in parts)
        return self._part(train), self._part(held_out), train

    def _strata(self, numbers: Array) -> Array | None:
        """Return what each of some rows is stratified by in a hold-out; None for nothing."""
        return None

    def _part(self, numbers: Array) -> ArrayRows:
        return ArrayRows(self.space, self.X, self.y, self._given_weights, numbers)

    def batch(self, picked: slice | DeviceArray) -> Samples:
        """Return X, y and weights of rows, by a slice or an array of row numbers."""
        take, weights = self.space.take, self._device_weights
        return (
            take(self.X, picked),
            take(self.y, picked),
            None if weights is None else take(weights, picked),
        )

    def chunks(self, width: int) -> Iterator[Samples]:
        """Yield X, y and weights in chunks, so that layers of `width` need little memory."""
        for rows in _cut(self.n_samples, max(width, self.n_features)):
            yield self.batch(rows if self._all else self.space.to_device(self.numbers[rows]))

    def target_moments(self) -> tuple[Array, Array]:
        targets, weights = self.targets()
        return Rows(targets, targets, weights).target_moments()

    def column_scale(self, kind: str) -> tuple[Array, Array]:
        if kind == "robust":
            return column_scale(kind, *self._sample())
        moments = reduce(ColumnMoments.joined, self._column_moments())
        return checked_scale(moments.mean, moments.scale(), self.dtype)

    def _column_moments(self) -> Iterator[ColumnMoments]:
        """Yield the moments of chunks of rows of some weight."""
        for X, _, weights in self.chunks(1):
            each = None if weights is None else self.space.to_numpy(weights)
            if each is None or each.any():
                yield ColumnMoments.of(self.space.to_numpy(X), each)

    def _sample(self) -> tuple[Array, Array | None]:
        """Return X and weights of the rows that quantiles are found on, in NumPy."""
        rows, numbers, X, weights = sampled(self.n_samples), self.numbers, self.X, self.weights
        if rows is not None:
            numbers, weights = numbers[rows], None if weights is None else weights[rows]
        if rows is not None or not self._all:
            X = self.space.take(X, self.to_device(numbers))
        return self.space.to_numpy(X), weights

    def target_ends(self) -> tuple[float, float]:
        targets, _ = self.targets()
        return float(targets.min()), float(targets.max())

    def curvature(self, factor: float, alpha: float) -> Curvature:
        if self.uses_moments:
            return Curvature(self.moments(), None, factor, alpha)
        return Curvature(self.space.to_numpy(self.X), self.weights, factor, alpha)

    @property
    def uses_moments(self) -> bool:
        return uses_moments(self.X)

    def moments(self) -> Moments:
        """Return the moments of the rows in NumPy, from products in the widest floats."""
        space, total = self.space, Moments(self.n_features, self.n_outputs)
        total.weight = self.total_weight
        with np.errstate(over="ignore", invalid="ignore"):
            for X, y, weights in self.chunks(self.n_features):
                X, y = space.astype(X, space.widest), space.astype(y, space.widest)
                w: DeviceArray = 1.0 if weights is None else weights[:, None]
                total.xx += space.to_numpy(X.T @ (X * w))
                total.xy += space.to_numpy(X.T @ (y * w))
                total.yy += space.to_numpy(space.xp.sum(y * y * w, axis=0))
        total.xx = np.triu(total.xx) + np.triu(total.xx, 1).T
        if not (np.isfinite(total.xx.diagonal()).all() and np.isfinite(total.yy).all()):
            raise ValueError("X or y is too large: its squares overflow. Scale it.")
        return total

    def require_finite(self) -> None:
        pass  # checked already


class ArrayClassRows(ArrayRows):
    """Rows with class codes; their targets are made on the device, for the rows of a batch.

    Parameters
    ----------
    space, X, weights, numbers
        As for `ArrayRows`.
    one_hot : OneHot
        The targets of all rows.
    """

    def __init__(
        self,
        space: Space,
        X: DeviceArray,
        one_hot: OneHot,
        weights: Array | None,
        numbers: Array | None = None,
    ) -> None:
        super().__init__(space, X, space.to_device(one_hot.codes[:, None]), weights, numbers)
        self.n_outputs = one_hot.shape[1]
        self._one_hot = one_hot
        classes = classes_of_outputs(self.n_outputs)[None]
        self._classes = space.to_device(classes.astype(one_hot.codes.dtype))

    @classmethod
    def of(
        cls,
        space: Space,
        X: DeviceArray,
        codes: Array,
        n_outputs: int,
        weights: Array | None,
        class_weights: Array | None = None,
    ) -> ArrayClassRows:
        """Return rows with class codes, for a network of so many outputs."""
        weights = weights_with_classes(weights, codes, class_weights)
        one_hot = OneHot(codes, n_outputs, space.numpy_dtype(X), class_weights)
        return cls(space, X, one_hot, weights)

    @property
    def class_weights(self) -> Array | None:
        return self._one_hot.class_weights

    def batch(self, picked: slice | DeviceArray) -> Samples:
        X, codes, weights = super().batch(picked)
        return X, self.space.astype(codes == self._classes, self.dtype), weights

    def targets(self) -> tuple[Array, Array | None]:
        return self._one_hot.take(self.numbers).different(self.weights)

    def best_constant(self, loss: Loss) -> Array:
        return self._one_hot.take(self.numbers).best_constant(loss, self.weights)

    def baseline_loss(self, loss: Loss) -> float:
        return self._one_hot.take(self.numbers).baseline_loss(loss, self.weights)

    def target_ends(self) -> tuple[float, float]:
        return self._one_hot.ends

    def _strata(self, numbers: Array) -> Array | None:
        return self._one_hot.codes[numbers]

    def _part(self, numbers: Array) -> ArrayRows:
        return ArrayClassRows(self.space, self.X, self._one_hot, self._given_weights, numbers)


class OnArrayRows:
    """The loss of a network over fixed rows, and its gradient: over all of them, or by batches.

    Parameters
    ----------
    network : Network
    rows : ArrayRows
    """

    def __init__(self, network: Network, rows: ArrayRows) -> None:
        self.network, self.rows = network, rows
        self._columns, output = network.columns, network.activations[-1]
        if self._columns is not None:
            self._columns = self._columns.moved(rows.to_device)
        if isinstance(output, Affine):
            output = Affine(rows.to_device(output.mean), rows.to_device(output.spread))
        self._activations = [*network.activations[:-1], output]

    def __call__(self, parameters: DeviceArray) -> tuple[float, DeviceArray]:
        total_weight = self.rows.total_weight
        chunks = self.rows.chunks(max(self.network.sizes[1:]))
        loss, gradient = self._sums(self.rows.to_device(parameters), chunks, total_weight, None)
        return float(loss) / total_weight, gradient

    def on_batch(
        self, parameters: DeviceArray, batch: Batch, step: int
    ) -> tuple[DeviceArray, DeviceArray]:
        """Return the summed loss of a batch, on the device, and its share of the gradient."""
        picked, share = batch
        X, y, weights = self.rows.batch(picked)
        chunks = (
            (X[rows, ...], y[rows, ...], None if weights is None else weights[rows])
            for rows in _cut(X.shape[0], max(self.network.sizes))
        )
        return self._sums(parameters, chunks, share, step)

    def run_steps(self, learner: Descending, batches: ArrayBatches, rate: float) -> DeviceArray:
        return learner.descend(self, batches, rate)

    def mean_loss(self, parameters: DeviceArray) -> float:
        network, total = self.network, 0.0
        layers = network.layers(self.rows.to_device(parameters))
        for X, y, weights in self.rows.chunks(max(network.sizes[1:])):
            y_pred = forward(self.rows.space, layers, self._activations, self._scaled(X))[-1][1]
            total = total + self._weighted_sum(network.loss.value(y, y_pred), weights)
        return float(total) / self.rows.total_weight

    def _scaled(self, X: DeviceArray) -> DeviceArray:
        return X if self._columns is None else self._columns(X)

    def best_constant(self) -> Array:
        return self.rows.best_constant(self.network.loss)

    def baseline_loss(self) -> float:
        return self.rows.baseline_loss(self.network.loss)

    def batches(self, size: int, generator: np.random.Generator | None) -> ArrayBatches:
        return ArrayBatches(self.rows, size, generator)

    def _sums(
        self, parameters: DeviceArray, chunks: Iterable[Samples], share: float, step: int | None
    ) -> tuple[DeviceArray, DeviceArray]:
        """Return the summed loss of all chunks, and their gradient with the penalty."""
        layers, loss, gradient, first = self.network.layers(parameters), 0.0, None, 0
        for X, y, weights in chunks:
            masks = self._masks(step, slice(first, first + X.shape[0]))
            part, slope = self._loss_and_gradient(layers, X, y, weights, share, masks)
            loss, first = loss + part, first + X.shape[0]
            gradient = slope if gradient is None else gradient + slope
        if self.network.alpha:
            alpha, zeros_like = float(self.network.alpha), self.rows.space.xp.zeros_like
            gradient = gradient + self._flat([(W * alpha, zeros_like(b)) for W, b in layers])
        return loss, gradient

    def _loss_and_gradient(
        self,
        layers: Layers,
        X: DeviceArray,
        y: DeviceArray,
        weights: DeviceArray | None,
        share: float,
        masks: Masks,
    ) -> tuple[DeviceArray, DeviceArray]:
        """Return the summed loss of a chunk, and its flat gradient without the penalty."""
        space, network, dtype = self.rows.space, self.network, self.network.dtype
        X = self._scaled(X)
        passed = forward(space, layers, self._activations, X, masks)
        values, slopes = network.loss._value_and_gradient(y, passed[-1][1])
        factor = 1.0 / (share * network.divisor * network.baseline_loss)
        # The product is in float64, since weights may exceed the precision of the network.
        each = factor if weights is None else space.astype(weights * factor, dtype)[:, None]
        delta = space.astype(slopes * each, dtype)
        gradient = self._backward(layers, X, passed, delta, masks)
        return self._weighted_sum(values, weights), gradient

    def _masks(self, step: int | None, rows: slice) -> Masks:
        """Return the masks of dropout of each layer, on the device."""
        return [self.rows.to_device(mask) for mask in self.network.masks(rows, step)]

    def _backward(
        self, layers: Layers, X: DeviceArray, passed: Layers, delta: DeviceArray, masks: Masks
    ) -> DeviceArray:
        """Return the flat gradient, by the backward pass."""
        space, network, gradients = self.rows.space, self.network, []
        inputs = [space.astype(X, network.dtype)]
        inputs += [_masked(a, mask) for (_, a), mask in zip(passed, masks, strict=True)]
        for i in reversed(range(len(layers))):
            delta = _masked(delta, masks[i])
            slope = self._activations[i].derivative(*passed[i])
            delta = delta * space.astype(slope, network.dtype)
            gradients.append((inputs[i].T @ delta, space.xp.sum(delta, axis=0)))
            if i:
                delta = delta @ layers[i][0].T
        return self._flat(gradients[::-1])

    def _flat(self, layers: Layers) -> DeviceArray:
        """Return weights and biases of all layers, or their gradients, as one vector."""
        xp, parts = self.rows.space.xp, []
        for W, b in layers:
            parts += [xp.reshape(W, (-1,)), b] if self.network.biases else [xp.reshape(W, (-1,))]
        return xp.concat(parts)

    def _weighted_sum(self, values: DeviceArray, weights: DeviceArray | None) -> DeviceArray:
        """Return the weighted sum over rows of the loss, in the widest floats."""
        space = self.rows.space
        rows = space.xp.sum(space.astype(values, space.widest), axis=1)
        return space.xp.sum(rows if weights is None else rows * weights) / self.network.divisor


class ArrayBatches:
    """Batches of row numbers, drawn as by `Batches`.

    A batch comes as (picked, share), for ``OnArrayRows.on_batch``.

    Parameters
    ----------
    rows : ArrayRows
    size : int
        Number of rows per batch; the last batch may be smaller.
    generator : numpy.random.Generator or None
        Shuffles the rows in each epoch; None: no shuffling.
    """

    def __init__(self, rows: ArrayRows, size: int, generator: np.random.Generator | None) -> None:
        self.rows, self.size = rows, min(size, rows.n_samples)
        self.generator = generator if self.size < rows.n_samples else None
        self.total_weight = rows.total_weight

    def __iter__(self) -> Iterator[Batch]:
        rows, n_samples = self.rows, self.rows.n_samples
        mean_weight = self.total_weight / n_samples
        order = slice(None) if self.generator is None else self.generator.permutation(n_samples)
        weights = None if rows.weights is None else rows.weights[order]
        in_order = rows._all and self.generator is None
        numbers = None if in_order else rows.space.to_device(rows.numbers[order])
        for start in range(0, n_samples, self.size):
            batch = slice(start, min(start + self.size, n_samples))
            if weights is None or weights[batch].any():
                share = (batch.stop - batch.start) * mean_weight
                yield batch if numbers is None else numbers[batch], share


def forward(
    space: Space,
    layers: Layers,
    activations: Sequence[Activation],
    X: DeviceArray,
    masks: Masks | None = None,
) -> Layers:
    """Return the pre-activations and outputs of every layer, the latter before dropout."""
    passed, a = [], space.astype(X, space.numpy_dtype(layers[0][0]))
    for i, ((W, b), activation) in enumerate(zip(layers, activations, strict=True)):
        a = a if masks is None or not i else _masked(a, masks[i - 1])
        z = a @ W if b is None or not b.shape[0] else a @ W + b
        a = space.astype(activation(z), space.numpy_dtype(z))
        passed.append((z, a))
    return passed


def _masked(array: DeviceArray, mask: DeviceArray | None) -> DeviceArray:
    return array if mask is None else array * mask


def device_outputs(
    estimator: BaseEstimator,
    space: Space,
    layers: Layers,
    activations: Sequence[Activation],
    X: ArrayLike,
    columns: ColumnScaling | None = None,
) -> DeviceArray:
    """Return the outputs (n_samples, n_outputs) of a network for the X of ``predict``."""
    X = checked_rows(estimator, space, X)
    width = max(W.shape[1] for W, _ in layers)
    parts = []
    for rows in _cut(X.shape[0], max(width, X.shape[1])):
        part = space.astype(X[rows, ...], space.numpy_dtype(layers[0][0]))
        part = part if columns is None else columns(part)
        parts.append(forward(space, layers, activations, part)[-1][1])
    return parts[0] if len(parts) == 1 else space.xp.concat(parts)


def checked_rows(estimator: BaseEstimator, space: Space, X: ArrayLike) -> DeviceArray:
    """Return the checked X of ``predict``, in `space`."""
    return validate_data(estimator, space.convert(X), reset=False, dtype=_floats(space))


def check_array_rows(
    estimator: BaseEstimator,
    space: Space,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
) -> tuple[ArrayRows, bool]:
    """Return the checked training set, for X in `space`, and whether y has one axis.

    Raises
    ------
    ValueError
        As for NumPy's arrays; and for what trains on those only.
    """
    X, y = _checked(estimator, space, X, _targets(space, y), y_numeric=True)
    one_axis, given = y.ndim == 1, y
    y = space.xp.reshape(space.astype(y, space.numpy_dtype(X)), (X.shape[0], -1))
    if y.dtype != given.dtype and not bool(space.xp.all(space.xp.isfinite(y))):
        raise ValueError(f"The targets y overflow {X.dtype}, the precision of X; scale them.")
    weights = check_weights(_numpy_weights(sample_weight), X)
    require_some_weight(weights)
    rows = ArrayRows(space, X, y, weights)
    try_pieces(estimator, rows)
    return rows, one_axis


def check_array_classification(
    estimator: BaseEstimator,
    space: Space,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
) -> tuple[DeviceArray, Array, Array | None]:
    """Return checked X in `space`, and class targets and weights as NumPy arrays."""
    X, y = _checked(estimator, space, X, None if y is None else on_host(y))
    check_classification_targets(y)
    return X, y, check_weights(_numpy_weights(sample_weight), X)


def _checked(
    estimator: BaseEstimator,
    space: Space,
    X: ArrayLike,
    y: DeviceArray,
    *,
    reset: bool = True,
    **checks: bool,
) -> tuple[DeviceArray, DeviceArray]:
    _require_support(estimator, X, space)
    X, y = validate_data(
        estimator,
        space.convert(X),
        y,
        reset=sets_features(estimator, reset=reset),
        multi_output=True,
        dtype=_floats(space),
        **checks,
    )
    return X, y


def check_held_out_rows(
    estimator: BaseEstimator,
    X_val: ArrayLike,
    y_val: ArrayLike,
    weights_val: ArrayLike | None,
    train: ArrayRows,
) -> ArrayRows:
    """Return the checked validation set, on the device of the training set."""
    space, checks = train.space, {"multi_output": True, "y_numeric": True}
    X_val, y_val, weights = check_held_out_array(
        estimator, X_val, y_val, weights_val, train, **checks
    )
    y = space.astype(y_val, train.dtype)
    if not bool(space.xp.all(space.xp.isfinite(y))):
        raise ValueError("y_val must hold finite numbers.")
    if (1 if y.ndim == 1 else y.shape[1]) != train.n_outputs:
        raise ValueError(
            f"y_val must have the columns of y. Got shape {tuple(y.shape)} for "
            f"{(train.n_samples, train.n_outputs)}."
        )
    return ArrayRows(space, X_val, space.xp.reshape(y, (X_val.shape[0], -1)), weights)


def check_held_out_array(
    estimator: BaseEstimator,
    X_val: ArrayLike,
    y_val: ArrayLike,
    weights_val: ArrayLike | None,
    train: ArrayRows,
    **checks: bool,
) -> tuple[DeviceArray, ArrayLike, Array | None]:
    """Return X_val on the device of the training set, y_val and the weights.

    With options of scikit-learn's checks, y_val is checked too and moved there.
    """
    space, dtype = train.space, train.space.dtype(train.dtype)
    try:
        X_val = space.convert(X_val, "X_val")
        if checks:
            given = X_val, _targets(space, y_val, "y_val")
            X_val, y_val = validate_data(estimator, *given, reset=False, dtype=dtype, **checks)
        else:
            X_val = validate_data(estimator, X_val, reset=False, dtype=dtype)
            check_consistent_length(X_val, y_val)
    except ValueError as error:
        raise ValueError(f"X_val and y_val must be such as X and y: {error}") from error
    weights = check_weights(_numpy_weights(weights_val), X_val, "sample_weight_val")
    require_some_weight(weights, "sample_weight_val", "validate on")
    return X_val, y_val, weights


def require_numpy(estimator: BaseEstimator, X: ArrayLike, fitted: DeviceArray = None) -> None:
    """Raise a ValueError if ``partial_fit`` would need arrays of another library."""
    space = space_of(X)
    if space is not None:
        what = f"Got X of {space}"
    elif fitted is None or isinstance(fitted, np.ndarray):
        return
    else:
        what = "The current weights, which it would continue from, are another library's"
    name = type(estimator).__name__
    raise ValueError(f"{name}.partial_fit() takes NumPy arrays only; fit() takes others. {what}.")


def _require_support(estimator: BaseEstimator, X: ArrayLike, space: Space) -> None:
    name = type(estimator).__name__
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise ValueError(
            f"{name}: solver='lbfgs' runs on NumPy arrays only, and X is of {space}. Choose "
            "another solver, or fit without array_api_dispatch."
        )
    callbacks = getattr(estimator, "_skl_callbacks", None) or ()
    if any(hasattr(callback, "keep_state") for callback in callbacks):
        raise ValueError(f"{name}: Checkpoint keeps fits on NumPy arrays only. X is of {space}.")


def try_pieces(estimator: BaseEstimator, rows: ArrayRows) -> None:
    """Call each piece once with a tiny array on the device of the rows.

    Raises
    ------
    ValueError
        If one fails, as pieces written in NumPy do; it names the parameter.
    """
    tiny = np.array([[-0.5, 0.25, 0.0], [0.5, 1.0, -1.0]], rows.dtype)
    z, other = rows.to_device(tiny), rows.to_device(tiny[::-1])
    for parameter in ("activation", "output_activation"):
        given = getattr(estimator, parameter, [])
        for f in map(as_activation, given if isinstance(given, list) else [given]):
            a = _tried(parameter, f, "__call__(z)", rows, z)
            _tried(parameter, f, "derivative(z, a)", rows, z, a)
    loss = as_loss(estimator.loss, several_quantiles=True)
    if loss._levels:
        other, z = z[:, :1], rows.to_device(np.repeat(tiny[:, :1], len(loss._levels), axis=1))
    for method in ("value(y_true, y_pred)", "gradient(y_true, y_pred)"):
        _tried("loss", loss, method, rows, other, z)
    solver = as_solver(estimator.solver)
    solver.start(tiny.size, rows.dtype)
    rows.memory_to_device(solver)
    start, gradient = rows.to_device(tiny.ravel()), rows.to_device(tiny[::-1].ravel())
    call = "step(parameters, gradient, rate)"
    moved = _tried("solver", solver, call, rows, copy_of(start), gradient, 0.1)
    if bool(rows.space.xp.all(moved == start)):
        raise ValueError(
            f"The 'solver' parameter, {solver!r}, must move `parameters` by {call}, and return "
            f"them where arrays of {rows.space} are not moved in place."
        )


def _tried(
    parameter: str, piece: Piece, call: str, rows: ArrayRows, *arguments: DeviceArray
) -> DeviceArray:
    """Return the result of a method, an array like the predictions or its first argument."""
    like, space = arguments[1 if parameter == "loss" else 0], rows.space
    wanted = (
        f"The {parameter!r} parameter, {piece!r}, must be written with functions of the array API "
        f"standard for arrays of {space}. {call}"
    )
    try:
        with np.errstate(all="ignore"):
            result = getattr(piece, call.partition("(")[0])(*arguments)
    except Exception as error:
        raise ValueError(f"{wanted} raised {type(error).__name__}: {error}") from error
    result = like if parameter == "solver" and result is None else result
    if space_of(result) != space or result.shape != like.shape:
        kind, shape = type(result), getattr(result, "shape", None)
        raise ValueError(
            f"{wanted} must return such an array, of shape {tuple(like.shape)}. It returned "
            f"{kind.__module__}.{kind.__name__}{'' if shape is None else f' of shape {shape}'}."
        )
    return result


def _floats(space: Space) -> list[object]:
    both = [space.xp.float64, space.xp.float32]
    return both if space.widest == np.float64 else both[1:]


def _targets(space: Space, y: ArrayLike, name: str = "y") -> DeviceArray:
    return None if y is None else space.convert(y, f"The targets {name}")


def _numpy_weights(sample_weight: ArrayLike | None) -> ArrayLike | None:
    plain = sample_weight is None or isinstance(sample_weight, Real)
    return sample_weight if plain else on_host(sample_weight)


def _cut(n_samples: int, width: int) -> Iterator[slice]:
    step = max(1, _CHUNK // max(width, 1))
    for start in range(0, n_samples, step):
        yield slice(start, min(start + step, n_samples))
