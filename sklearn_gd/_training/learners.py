"""Two ways in which neurons learn: by Rosenblatt's rule, and down the gradient of a loss.

Both answer to the same calls: ``epoch(rows, rate)`` meets all rows once and returns their mean
loss, ``weights()`` gives what was learned, ``mean_loss(...)`` judges it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gd import _kernels
from sklearn_gd._data.chunks import cut, row_chunks
from sklearn_gd._data.split import PickedRows, set_aside
from sklearn_gd._models.curvature import Curvature, curvature_per_row
from sklearn_gd._models.network import Network, is_flat_at_zero, linear_step
from sklearn_gd._models.rows import OnRows, Rows
from sklearn_gd._pieces import require_unchanged, same_settings
from sklearn_gd._training.epoch import run_epoch
from sklearn_gd._training.state import copied, set_generator
from sklearn_gd.activations import Activation, Identity, Step
from sklearn_gd.losses import Loss
from sklearn_gd.schedules import Constant, Schedule
from sklearn_gd.solvers import GradientDescent, Rate, Solver

Array = np.ndarray[Any, np.dtype[Any]]


class LabelledRows(NamedTuple):
    """LabelledRows to train or validate on, with the number of their class.

    `own`, for Rosenblatt's rule where more than two classes have weights, says how many times as
    much a row weighs for the neuron of its own class, which tells it from all others.
    """

    X: Any
    codes: Array
    weights: Array | None
    own: Array | None = None

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.X.dtype
        return dtype

    def objective(self, network: Network, low: float, high: float) -> OnRows:
        """Return the objective of neurons that are to put out `high` for rows of their class."""
        targets = one_hot(self.codes, network.n_outputs, low, high).astype(network.dtype)
        return Rows(self.X, targets, self.weights).objective(network)

    def curvature(self, factor: float, alpha: float, *, intercept: bool) -> Curvature:
        """Return the curvature of a linear model's objective over these rows."""
        return Curvature(self.X, self.weights, factor, alpha, intercept=intercept)

    def counts(self, n_classes: int) -> Array:
        """Return how many rows of each class have weight."""
        seen = self.codes if self.weights is None else self.codes[self.weights > 0]
        return np.bincount(seen, minlength=n_classes)

    def weighed(self, class_weights: Array | None, by_neuron: bool) -> LabelledRows:
        """Return the rows with the weights of their classes, for all neurons or their own."""
        if class_weights is None:
            return self
        if by_neuron and len(class_weights) > 2:
            return self._replace(own=class_weights)
        each = class_weights[self.codes]
        return self._replace(weights=each if self.weights is None else each * self.weights)

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[LabelledRows, LabelledRows, Array]:
        """Return rows to train on, rows to validate on, and the numbers of the former."""
        return set_aside(self, fraction, generator, stratify=self.codes)

    def weigh(self, part: slice, n_neurons: int) -> Array:
        """Return what the rows of `part` weigh for each neuron, (n_samples, n_neurons)."""
        codes = self.codes[part]
        weights = np.ones((len(codes), n_neurons))
        if self.own is not None:
            weights[np.arange(len(codes)), codes] = self.own[codes]
        if self.weights is not None:
            weights *= self.weights[part, None]
        return weights

    def total(self, n_neurons: int) -> float:
        """Return the sum of all weights, over rows and neurons."""
        if self.own is None:
            one = self.X.shape[0] if self.weights is None else self.weights.sum()
            return float(one) * n_neurons
        parts = row_chunks(self.X, n_neurons)
        return sum(float(self.weigh(part, n_neurons).sum()) for part in parts)


class Recipe(NamedTuple):
    """How neurons are to learn: the estimator's parameters, resolved."""

    activation: Activation
    loss: Loss
    solver: Solver
    schedule: Schedule
    auto_rate: bool
    alpha: float
    fit_intercept: bool
    average: bool
    batch_size: int

    @property
    def row_by_row(self) -> bool:
        """Whether this is Rosenblatt's rule, met one row at a time."""
        plain = type(self.solver) is GradientDescent and self.batch_size == 1
        return type(self.activation) is Step and plain


class Learner:
    """What both ways share.

    Attributes
    ----------
    schedule : Schedule
        Gives the rate of each epoch, to be multiplied by `base`.
    max_rate : float or None
        The largest stable rate, where it is known.
    updates : int
        Updates made.
    faultless : bool
        Whether the last epoch met no mistake, so that nothing is left to learn.
    """

    base = 1.0
    max_rate: float | None = None
    _memory: tuple[str, ...] = ()

    def __init__(self, recipe: Recipe, n_neurons: int, generator: Any) -> None:
        self.recipe = recipe
        self.schedule = recipe.schedule
        self.n_neurons = n_neurons
        self.generator = generator
        self.updates = 0
        self.faultless = False

    def state(self) -> dict[str, Any]:
        """Return, in copies, what was learned and all that is needed to go on learning."""
        state = copied({name: getattr(self, name) for name in self._memory})
        if self.generator is not None:
            state["generator"] = self.generator.bit_generator.state
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where ``state`` was called."""
        vars(self).update(copied({name: state[name] for name in self._memory}))
        if self.generator is not None:
            set_generator(self.generator, state["generator"])

    def form(self) -> dict[str, Any]:
        """Return what a state has to be like to be restored here; see `require_like`."""
        return self.state()

    def adopt(self, recipe: Recipe, rows: LabelledRows) -> None:
        """Take up a schedule, a penalty or batches that changed since the last call.

        Raises a ValueError where something changed that the memory of that call does not fit.
        """
        for name in ("activation", "loss", "solver", "fit_intercept", "average"):
            require_unchanged(name, getattr(self.recipe, name), getattr(recipe, name))
        if self.recipe.row_by_row != recipe.row_by_row:
            require_unchanged("batch_size", self.recipe.batch_size, recipe.batch_size)
        if not same_settings(self.recipe.schedule, recipe.schedule):
            self.schedule = recipe.schedule
        self.recipe = recipe

    def one_hot(self, codes: Array, low: float, high: float, dtype: Any) -> Array:
        """Return the targets (n_samples, n_neurons); see :func:`one_hot`."""
        return one_hot(codes, self.n_neurons, low, high).astype(dtype)


class Rosenblatt(Learner):
    """w ← w + rate · weight · y · x at every row that a neuron gets wrong.

    Weights are kept in units of a constant rate: the rule is linear in it, so that decisions do
    not depend on the rate, down to the last bit, when it starts from zero.
    """

    _memory = (
        "coef",
        "intercept",
        "coef_sum",
        "intercept_sum",
        "visits",
        "updates",
        "faultless",
    )

    def __init__(
        self,
        recipe: Recipe,
        shape: tuple[int, int],
        dtype: Any,
        start: tuple[Array, Array] | None,
        generator: Any,
    ) -> None:
        super().__init__(recipe, shape[1], generator)
        self.unit = self._unit()
        self.coef = np.zeros(shape, dtype)
        self.intercept = np.zeros(shape[1], dtype)
        if start is not None:
            self.coef += start[0] / dtype.type(self.unit)
            self.intercept += start[1] / dtype.type(self.unit)
        self._cost_of_silence, self._cost_of_fire = self._cost(1, 0), self._cost(0, 1)
        summed = shape if recipe.average else (1, 1)
        self.coef_sum = np.zeros(summed)
        self.intercept_sum = np.zeros(summed[1])
        self.visits = 0

    def begin(self, start: tuple[Array, Array], generator: Any) -> None:
        """Start over at weights and biases in units of the rate, and remember nothing else."""
        self.coef[:], self.intercept[:] = start
        self.coef_sum[:] = self.intercept_sum[:] = 0
        self.updates = self.visits = 0
        self.generator = generator

    def _unit(self) -> float:
        return self.schedule.rate(0) if isinstance(self.schedule, Constant) else 1.0

    def adopt(self, recipe: Recipe, rows: LabelledRows) -> None:
        if recipe.average:  # the sums are of another kind where weights decay
            require_unchanged("alpha", self.recipe.alpha, recipe.alpha)
        super().adopt(recipe, rows)
        if self._unit() != self.unit:
            change = self.unit / self._unit()
            for array in (self.coef, self.intercept, self.coef_sum, self.intercept_sum):
                array *= change
            self.unit = self._unit()

    def epoch(self, rows: LabelledRows, rate: float) -> float:
        X, codes, weights, own = rows
        n_samples, shape = X.shape[0], (X.shape[1], self.n_neurons)
        if self.coef.shape != shape:  # the arrays of a CSR matrix do not tell the loop its width
            raise ValueError(f"coef must be of shape {shape}. Got shape {self.coef.shape}.")
        order = (
            np.arange(n_samples)
            if self.generator is None
            else self.generator.permutation(n_samples)
        )
        if isinstance(X, PickedRows):
            order, codes = X.rows[order], X.spread(codes)
            weights = None if weights is None else X.spread(weights)
            X = X.X
        decay = max(0.0, 1.0 - rate * self.recipe.alpha)
        common = (
            codes,
            np.empty(0) if weights is None else weights,
            np.ones(self.n_neurons) if own is None else own,
            order.astype(np.intp, copy=False),
            self.coef,
            self.intercept,
            rate / self.unit,
            self.recipe.alpha > 0,
            decay,
            self.recipe.fit_intercept,
            self.recipe.average,
            self.coef_sum,
            self.intercept_sum,
            self.visits,
        )
        if sparse.issparse(X):
            counts = _kernels.rosenblatt_sparse(X.data, X.indices, X.indptr, *common)
        else:
            counts = _kernels.rosenblatt_dense(X, *common)
        updates, missed, false_alarms, self.visits = counts
        self.updates += updates
        self.faultless = updates == 0
        largest = max(np.abs(self.coef).max(), np.abs(self.intercept).max())
        if not np.isfinite(largest * self.coef.dtype.type(self.unit)):
            return float("nan")  # comparisons with NaN would pass for an epoch without mistakes
        loss = missed * self._cost_of_silence + false_alarms * self._cost_of_fire
        return float(loss / rows.total(self.n_neurons))

    def _cost(self, target: float, output: float) -> float:
        return float(self.recipe.loss.value(np.array([[target]]), np.array([[output]]))[0, 0])

    def weights(self) -> tuple[Array, Array]:
        """Return (n_features, n_neurons) weights and biases, averaged where asked for."""
        dtype = self.coef.dtype
        unit = dtype.type(self.unit)
        coef, intercept = self.averaged()
        return coef.astype(dtype) * unit, intercept.astype(dtype) * unit

    def averaged(self) -> tuple[Array, Array]:
        """Return weights and biases in units of the rate, averaged where asked for."""
        if not (self.recipe.average and self.visits):
            return self.coef, self.intercept
        coef, intercept = self.coef_sum / self.visits, self.intercept_sum / self.visits
        if self.recipe.alpha > 0:
            return coef, intercept
        return self.coef - coef, self.intercept - intercept

    def mean_loss(self, coef: Array, intercept: Array, rows: LabelledRows) -> float:
        total = 0.0
        for part in row_chunks(rows.X, self.n_neurons):
            z = np.asarray(cut(rows.X, part) @ coef) + intercept
            if not np.isfinite(z).all():
                return math.nan  # no comparison may pass it for right
            fires = (z > 0).astype(np.float64)
            target = self.one_hot(rows.codes[part], 0.0, 1.0, np.float64)
            values = self.recipe.loss.value(target, fires)
            total += float(np.vdot(values, rows.weigh(part, self.n_neurons)))
        return total / rows.total(self.n_neurons)

    def reference(self, rows: LabelledRows) -> float:
        """Return the loss of neurons that always, or never, fire: of each the better one."""
        losses = self.constant_losses(rows)
        return float(losses.min(axis=0).sum() / rows.total(self.n_neurons))

    def constant_losses(self, rows: LabelledRows) -> Array:
        """Return the summed losses (2, n_neurons) of neurons that never, or always, fire."""
        losses = np.zeros((2, self.n_neurons))
        for part in row_chunks(rows.X, self.n_neurons):
            target = self.one_hot(rows.codes[part], 0.0, 1.0, np.float64)
            for output in (0, 1):
                values = self.recipe.loss.value(target, np.full_like(target, output))
                losses[output] += (values * rows.weigh(part, self.n_neurons)).sum(axis=0)
        return losses

    def copy(self) -> Rosenblatt:
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        for name in ("coef", "intercept", "coef_sum", "intercept_sum"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def release(self) -> None:
        """Nothing here outlives its use."""


class Gradient(Learner):
    """Steps down the gradient of the loss of the neurons' outputs, batch by batch.

    With the step as activation, whose derivative is zero, it follows the perceptron criterion
    instead: the sum of |z| over mistaken rows, which is what Rosenblatt's rule descends on.
    """

    _memory = ("flat", "sum", "updates", "faultless")

    def state(self) -> dict[str, Any]:
        return {**super().state(), "solver": copied(vars(self.solver))}

    def form(self) -> dict[str, Any]:
        return {**super().state(), "solver": self.solver}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.solver.__dict__.update(copied(state["solver"]))

    def __init__(
        self,
        recipe: Recipe,
        rows: LabelledRows,
        n_neurons: int,
        start: tuple[Array, Array] | None,
        generator: Any,
    ) -> None:
        super().__init__(recipe, n_neurons, generator)
        self.dtype = rows.dtype
        self.shape = (rows.n_features, n_neurons)
        self.low, self.high = targets_of(recipe.activation)
        self._set_rate(rows)
        network = self._network()
        self.flat = np.zeros(network.size, self.dtype)
        if start is not None:
            self.flat = network.flatten([start[0]], [start[1]])
        elif is_flat_at_zero(recipe.activation) and recipe.activation.differentiable:
            self._leave_zero(network, rows)
        self.solver = recipe.solver
        self.solver.start(network.size, self.dtype)
        self.sum = np.zeros(network.size if recipe.average else 0)

    def adopt(self, recipe: Recipe, rows: LabelledRows) -> None:
        changed = recipe.auto_rate != self.recipe.auto_rate
        super().adopt(recipe, rows)
        if changed:
            self.schedule = recipe.schedule
            self._set_rate(rows)

    def _set_rate(self, rows: LabelledRows) -> None:
        self.base = 1.0
        activation, loss = self.recipe.activation, self.recipe.loss
        if not activation.differentiable:
            return
        per_row = curvature_per_row(loss, activation, (self.low, self.high))
        if per_row is None:
            return
        curvature = rows.curvature(
            per_row / self.n_neurons, self.recipe.alpha, intercept=self.recipe.fit_intercept
        )
        top = curvature.largest()
        self.max_rate = 2.0 / top if top > 0 else np.inf
        if self.recipe.auto_rate:
            self.base = 1.0 / top if top > 0 else 1.0

    def _network(self) -> Network:
        recipe = self.recipe
        activation, loss = recipe.activation, recipe.loss
        if not activation.differentiable:
            activation, loss = Identity(), _Mistakes(loss)
        return Network(
            self.shape, [activation], loss, recipe.alpha, self.dtype, biases=recipe.fit_intercept
        )

    def _leave_zero(self, network: Network, rows: LabelledRows) -> None:
        # Where the activation is flat at 0, as the ReLU is, a neuron of zero weights never learns:
        # let it fire for every row at first; without a bias, step as a linear neuron would.
        if self.recipe.fit_intercept:
            network.layers(self.flat)[0][1][:] = self.high
        else:
            gradient = linear_step(self._objective_over(rows))
            self.flat -= self.base * self.schedule.rate(0) * gradient

    def _objective_over(self, rows: LabelledRows) -> OnRows:
        return rows.objective(self._network(), self.low, self.high)

    def epoch(self, rows: LabelledRows, rate: float) -> float:
        if getattr(self, "_bound_to", None) is not rows:
            self._bound_to, self._objective = rows, self._objective_over(rows)
            self._batches = self._objective.batches(self.recipe.batch_size, self.generator)
        solver = _Averaging(self.solver, self.sum) if self.recipe.average else self.solver
        loss, steps, self.flat = run_epoch(
            self._objective.on_batch, solver, self.flat, self._batches, rate * self.base
        )
        self.updates += steps
        mistakes = self._objective.network.loss
        if isinstance(mistakes, _Mistakes):
            self.faultless = not mistakes.found
            mistakes.found = False
        return loss

    def weights(self) -> tuple[Array, Array]:
        """Return (n_features, n_neurons) weights and biases, averaged where asked for."""
        flat = self.flat
        if self.recipe.average and self.updates:
            flat = (self.sum / self.updates).astype(self.dtype)
        coef, intercept = self._network().layers(flat)[0]
        return coef, intercept if self.recipe.fit_intercept else np.zeros(
            self.n_neurons, self.dtype
        )

    def mean_loss(self, coef: Array, intercept: Array, rows: LabelledRows) -> float:
        objective = self._objective_over(rows)
        return objective.mean_loss(objective.network.flatten([coef], [intercept]))

    def reference(self, rows: LabelledRows) -> float:
        """Return the loss of the best constant output."""
        network = self._network()
        network.loss = self.recipe.loss
        return rows.objective(network, self.low, self.high).reference()

    def copy(self) -> Gradient:
        twin = object.__new__(Gradient)
        vars(twin).update(vars(self))
        twin.flat, twin.sum = self.flat.copy(), self.sum.copy()
        return twin

    def release(self) -> None:
        """Drop the rows and buffers of the last epoch."""
        for name in ("_bound_to", "_objective", "_batches"):
            self.__dict__.pop(name, None)


class _Averaging(Solver):
    """A solver that also sums up the parameters after each of its steps."""

    def __init__(self, solver: Solver, total: Array) -> None:
        self.solver = solver
        self.total = total

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> None:
        self.solver.step(parameters, gradient, rate)
        self.total += parameters


class _Mistakes(Loss):
    """Counts, as `loss` does, the mistakes of step neurons; its gradient is Rosenblatt's rule."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.found = False

    def value(self, y_true: Array, y_pred: Array) -> Array:
        values = self.loss.value(y_true, (y_pred > 0).astype(y_pred.dtype))
        return np.where(np.isfinite(y_pred), values, np.nan)  # no comparison passes it for right

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        side = 2 * y_true - 1
        mistaken = ~(side * y_pred > 0)
        self.found = self.found or bool(mistaken.any())
        # Times the number of neurons, over which the network takes the mean.
        return np.where(mistaken, -side, 0).astype(y_pred.dtype) * y_pred.shape[1]


def one_hot(codes: Array, n_neurons: int, low: float, high: float) -> Array:
    """Return the targets (n_samples, n_neurons): `high` for the neuron of a row's class."""
    # A lone neuron fires for the second of two classes.
    return np.where(codes[:, None] == np.arange(n_neurons) + (n_neurons == 1), high, low)


def targets_of(activation: Activation) -> tuple[float, float]:
    """Return the outputs to train towards, on either side of f(0)."""
    if isinstance(activation, Step):
        return 0.0, 1.0
    low, high = activation.range
    if not (np.isfinite(low) and np.isfinite(high)):
        middle = float(activation(np.zeros(1))[0])
        low, high = middle - 1.0, middle + 1.0
    below, above = activation(np.array([-1.0, 1.0]))
    # To fire is to be above the threshold, also where f falls.
    return (float(low), float(high)) if above >= below else (float(high), float(low))
