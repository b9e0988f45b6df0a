"""Three ways to learn: batch by batch, from all rows at once, and by Rosenblatt's rule.

All of them are a `Learner`: ``run_epoch(rate)`` goes through the rows once and returns their mean
loss, ``weights()`` is what was learned, as one flat vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse

from sklearn_gd import _kernels
from sklearn_gd._data.array_api import on_host
from sklearn_gd._data.batches import row_chunks, slice_rows
from sklearn_gd._data.split import PickedRows
from sklearn_gd._models.interfaces import NetworkObjective, Objective
from sklearn_gd._models.labelled_rows import LabelledRows, one_hot
from sklearn_gd._models.network import Network, linear_step
from sklearn_gd._pieces import Array, DeviceArray, namespace, require_unchanged, same_settings
from sklearn_gd._training.learner import State
from sklearn_gd._training.state import copied, set_generator
from sklearn_gd._training.stopping import is_finite
from sklearn_gd.losses import Loss
from sklearn_gd.schedules import Constant, Schedule
from sklearn_gd.solvers import Rate, Solver


class _Memory:
    """What a learner carries from epoch to epoch, and from one ``partial_fit`` to the next.

    Parameters
    ----------
    schedule : Schedule
    generator : numpy.random.Generator or None
        Shuffles the rows; None where nothing is random.
    settings : mapping of str to object
        Parameters of the estimator that must stay from one ``partial_fit`` to the next.

    Attributes
    ----------
    at_start : dict or None
        The generator's state before a fit drew anything that it has to draw again if resumed.
    """

    base_rate = 1.0
    max_rate: float | None = None
    finished = False
    keeps_best = True
    _remembered: tuple[str, ...] = ()
    _of_the_rows: tuple[str, ...] = ()

    def __init__(
        self,
        schedule: Schedule,
        generator: np.random.Generator | None,
        settings: Mapping[str, object],
    ) -> None:
        self.schedule, self.generator, self.settings = schedule, generator, dict(settings)
        self.updates = 0
        self.at_start: Mapping[str, object] | None = None

    def state(self) -> State:
        state = copied({name: getattr(self, name) for name in self._remembered})
        if self.generator is not None:
            now = self.generator.bit_generator.state
            state.update(generator=now, at_start=self.at_start)
        return state

    def form(self) -> State:
        return self.state()

    def restore(self, state: State) -> None:
        vars(self).update(copied({name: state[name] for name in self._remembered}))
        if self.generator is not None:
            set_generator(self.generator, state["generator"])

    def carry_on(self, settings: Mapping[str, object], schedule: Schedule) -> None:
        """Take up a schedule that has changed since the last call.

        Raises
        ------
        ValueError
            Where another parameter has changed that what was learned does not fit.
        """
        for name, before in self.settings.items():
            require_unchanged(name, before, settings[name])
        if not same_settings(self.schedule, schedule):
            self.schedule = schedule

    def copy(self) -> Self:
        """Return a learner that goes on from here and leaves this one as it is."""
        twin = object.__new__(type(self))
        vars(twin).update(copied(self.__getstate__()))
        for name in ("generator", "schedule", "solver"):
            if hasattr(twin, name):
                setattr(twin, name, deepcopy(getattr(twin, name)))
        return twin

    def __getstate__(self) -> State:
        # Neither copies nor files hold the rows.
        return {k: v for k, v in vars(self).items() if k not in self._of_the_rows}


class _Stepper(_Memory):
    """Parameters that a solver moves.

    Parameters
    ----------
    parameters : ndarray of shape (size,)
        Where to start; moved in place.
    solver : Solver
        The step rule.
    schedule, generator, settings
        As for all learners.
    dtype : dtype
        NumPy's name of the precision of the parameters.
    """

    _remembered: tuple[str, ...] = ("parameters", "updates", "finished")

    def __init__(
        self,
        parameters: Array,
        solver: Solver,
        schedule: Schedule,
        generator: np.random.Generator | None,
        settings: Mapping[str, object],
        dtype: DTypeLike,
    ) -> None:
        super().__init__(schedule, generator, settings)
        self.parameters, self.solver = parameters, solver
        solver.start(parameters.shape[0], dtype)

    def _move(self, gradient: Array, rate: Rate) -> None:
        # NumPy's arrays are moved in place; those of other libraries may be others afterwards.
        moved = self.solver.step(self.parameters, gradient, rate)
        if moved is not None:
            self.parameters = moved

    def state(self) -> State:
        return {**super().state(), "solver": copied(vars(self.solver))}

    def form(self) -> State:
        return {**super().state(), "solver": self.solver}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.solver.__dict__.update(copied(state["solver"]))


class GradientLearner(_Stepper):
    """Steps down the gradient of an objective, one step per batch.

    Parameters
    ----------
    *memory
        As for `_Stepper`.
    average : bool, default=False
        Whether the weights are the mean of the parameters after each step.
    """

    _of_the_rows = ("objective", "validation", "_batches")

    def __init__(self, *memory: Any, average: bool = False) -> None:
        super().__init__(*memory)
        self.average = average
        if average:
            self.sum = np.zeros(self.parameters.shape[0])
            self._remembered = (*self._remembered, "sum")

    def learn_from(
        self,
        objective: NetworkObjective,
        validation: NetworkObjective | None = None,
        batch_size: int | None = None,
        *,
        shuffle: bool = False,
    ) -> Self:
        """Set what the next epochs learn from, and what they are validated on."""
        self.objective, self.validation = objective, validation
        if batch_size is not None:
            self._batches = objective.batches(batch_size, self.generator if shuffle else None)
        return self

    def run_epoch(self, rate: float) -> float:
        total, rate = 0.0, rate * self.base_rate
        for batch in self._batches:
            loss, gradient = self.objective.on_batch(self.parameters, batch)
            self._move(gradient, rate)
            total = total + loss
            self.updates += 1
            if self.average:
                self.sum += self.parameters
        return float(_nan_unless_finite(total, self.parameters)) / self._batches.total_weight

    def weights(self) -> Array:
        if self.average and self.updates:
            return (self.sum / self.updates).astype(self.parameters.dtype)
        return self.parameters

    def mean_loss(self, weights: Array) -> float:
        return self.objective.mean_loss(weights)

    def validation_loss(self) -> float | None:
        return None if self.validation is None else self.validation.mean_loss(self.weights())


def _nan_unless_finite(loss: DeviceArray, parameters: DeviceArray) -> DeviceArray:
    """Return the loss; NaN where it is finite and some of the parameters are not.

    The loss of such weights may be a number, since a comparison with NaN is false and not NaN.
    """
    if not isinstance(parameters, np.ndarray):
        # 0 * inf is NaN: nothing more than the loss is read back from a device.
        return loss + namespace(parameters).sum(parameters) * 0.0
    hidden = math.isfinite(loss) and not is_finite(parameters)
    return math.nan if hidden else loss


class FullBatchLearner(_Stepper):
    """One step per epoch, down the gradient over all rows, until the gradient vanishes.

    Parameters
    ----------
    *memory
        As for `_Stepper`.
    rates : float or ndarray of shape (size,)
        What the schedule's rate is multiplied by: one number, or one per parameter.
    flat_at_zero : bool
        Whether the gradient is 0 at weights of 0 though these are no minimum.
    max_rate : float or None
        The largest stable rate, where it is known.
    """

    keeps_best = False
    _remembered = (*_Stepper._remembered, "first")
    _of_the_rows = ("objective",)

    def __init__(
        self, *memory: Any, rates: float | Array, flat_at_zero: bool, max_rate: float | None
    ) -> None:
        super().__init__(*memory)
        self.rates, self.flat_at_zero, self.max_rate = rates, flat_at_zero, max_rate
        self.base_rate = float(np.max(on_host(rates)))
        self.tol: float | None = None
        self.first = math.inf

    def learn_from(self, objective: Objective) -> Self:
        """Set what the next epochs learn from."""
        self.objective = objective
        return self

    def end_below(self, tol: float | None, gradient: Array) -> None:
        """End where the gradient is `tol` times this one at weights of 0.

        Where weights of 0 are stationary, but no minimum, step away from them as a linear model
        would, and measure by the gradient there.
        """
        self.tol, self.first = tol, self._steepness(gradient)
        if self.flat_at_zero and not self._has_left_zero():
            self._leave_zero(float(self.schedule.rate(0)))
            self.first = self._steepness(self.objective(self.parameters)[1])

    def run_epoch(self, rate: float) -> float:
        loss, gradient = self.objective(self.parameters)
        steepness = self._steepness(gradient)
        self.finished = self.tol is not None and steepness <= self.tol * self.first < math.inf
        if not self.finished:
            if self.flat_at_zero and not self._has_left_zero():
                self._leave_zero(rate)
            self._move(gradient, self.rates * rate)
            self.updates += 1
        return loss

    def zeros(self) -> Array:
        """Return weights of 0, beside the parameters."""
        zeros: Array = namespace(self.parameters).zeros_like(self.parameters)
        return zeros

    def weights(self) -> Array:
        return self.parameters

    def mean_loss(self, weights: Array) -> float:
        return self.objective(weights)[0]

    def validation_loss(self) -> float | None:
        return None

    def _has_left_zero(self) -> bool:
        return bool(namespace(self.parameters).any(self.parameters != 0))

    def _leave_zero(self, rate: float) -> None:
        self.parameters -= self.rates * rate * linear_step(self.objective)

    def _steepness(self, gradient: Array) -> float:
        """Return the gradient's norm in the scale of the rates, where all weights are alike."""
        return math.sqrt(gradient @ (self.rates * gradient))


class StepLearner(GradientLearner):
    """Neurons that fire or not, trained by batches on the perceptron criterion.

    The criterion is the sum of |z| over mistaken rows, which is what Rosenblatt's rule descends
    on: the step itself has no gradient.
    """

    def run_epoch(self, rate: float) -> float:
        loss = super().run_epoch(rate)
        self.finished = loss == 0 and not self._is_undecided()
        return loss

    def _is_undecided(self) -> bool:
        """Return whether some row lies on the threshold itself, which counts as a mistake."""
        network = self.objective.network
        undecided = Network(
            network.sizes,
            network.activations,
            _Undecided(),
            0.0,
            network.dtype,
            biases=network.biases,
        )
        return self.objective.rows.objective(undecided).mean_loss(self.parameters) > 0


class PerceptronCriterion(Loss):
    """Counts, as `loss` does, the mistakes of step neurons; its gradient is Rosenblatt's rule.

    Parameters
    ----------
    loss : Loss
        The loss of the neurons' outputs, 0 or 1.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def value(self, y_true: Array, y_pred: Array) -> Array:
        values = self.loss.value(y_true, (y_pred > 0).astype(y_pred.dtype))
        return np.where(np.isfinite(y_pred), values, np.nan)  # no comparison passes it for right

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        side = 2 * y_true - 1
        mistaken = ~(side * y_pred > 0)
        # Times the number of neurons, over which the network takes the mean.
        return np.where(mistaken, -side, 0).astype(y_pred.dtype) * y_pred.shape[1]


class _Undecided(Loss):
    """1 for each weighted input of exactly 0, which is on neither side."""

    def value(self, y_true: Array, y_pred: Array) -> Array:
        return (y_pred == 0).astype(y_pred.dtype)


class Rosenblatt(_Memory):
    """w ← w + rate · weight · y · x at every row that a neuron gets wrong.

    Weights are kept in units of a constant rate: the rule is linear in it, so that decisions do
    not depend on the rate, down to the last bit, when it starts from zero.

    Parameters
    ----------
    shape : tuple of (n_features, n_neurons)
    dtype : dtype
    start : ndarray of shape (size,) or None
        Weights, then biases, where to start; None: at zero.
    schedule, generator, settings
        As for all learners.
    loss : Loss
        The loss of the outputs, 0 or 1.
    alpha : float
        Weights shrink by 1 - rate * alpha at every row.
    fit_intercept, average : bool
        As in the estimator.
    """

    _remembered: tuple[str, ...] = ("parameters", "visits", "updates", "finished")
    _of_the_rows = ("rows", "validation")

    def __init__(
        self,
        shape: tuple[int, int],
        dtype: DTypeLike,
        start: Array | None,
        schedule: Schedule,
        generator: np.random.Generator | None,
        settings: Mapping[str, object],
        *,
        loss: Loss,
        alpha: float,
        fit_intercept: bool,
        average: bool,
    ) -> None:
        super().__init__(schedule, generator, settings)
        self.shape, self.n_neurons = shape, shape[1]
        self.loss, self.alpha, self.average = loss, alpha, average
        self.fit_intercept = fit_intercept
        self.unit = self._unit()
        size = (shape[0] + 1) * shape[1]
        self.parameters = np.zeros(size, dtype)
        if start is not None:
            self.parameters[: start.size] += start / np.asarray(self.unit, dtype)
        if average:
            self.sum = np.zeros(size)
            self._remembered = (*self._remembered, "sum")
        self.visits = 0

    def learn_from(
        self, rows: LabelledRows, validation: LabelledRows | None = None, *, shuffle: bool = False
    ) -> Self:
        """Set what the next epochs learn from, and what they are validated on."""
        self.rows, self.validation, self.shuffle = rows, validation, shuffle
        return self

    def begin(self, parameters: Array) -> None:
        """Start over at weights and biases in units of the rate, and remember nothing else."""
        self.parameters[:] = parameters
        if self.average:
            self.sum[:] = 0
        self.updates = self.visits = 0

    def _unit(self) -> float:
        return self.schedule.rate(0) if isinstance(self.schedule, Constant) else 1.0

    def carry_on(self, settings: Mapping[str, object], schedule: Schedule) -> None:
        super().carry_on(settings, schedule)
        if self._unit() != self.unit:
            change = self.unit / self._unit()
            self.parameters *= change
            if self.average:
                self.sum *= change
            self.unit = self._unit()

    def layer(self, flat: Array) -> tuple[Array, Array]:
        """Return weights (n_features, n_neurons) and biases as views of a vector."""
        end = self.shape[0] * self.shape[1]
        return flat[:end].reshape(self.shape), flat[end:]

    def run_epoch(self, rate: float) -> float:
        X, codes, weights, class_weight = self.rows
        n_samples, shape = X.shape[0], (X.shape[1], self.n_neurons)
        # A stored learner may have been edited, and compiled loops follow its arrays unasked.
        size = ((shape[0] + 1) * shape[1],)
        for name in ("parameters", "sum") if self.average else ("parameters",):
            found = getattr(self, name).shape
            if self.shape != shape or found != size:
                raise ValueError(
                    f"{name} must be of shape {size}, for {shape} weights. Got {found}."
                )
        order = np.arange(n_samples)
        if self.shuffle and self.generator is not None:
            order = self.generator.permutation(n_samples)
        if isinstance(X, PickedRows):
            order, codes = X.rows[order], X.spread(codes)
            weights = None if weights is None else X.spread(weights)
            X = X.X
        coef, intercept = self.layer(self.parameters)
        coef_sum, intercept_sum = (
            self.layer(self.sum) if self.average else (np.zeros((1, 1)), np.zeros(1))
        )
        epoch = _kernels.Epoch(
            codes=codes,
            weights=np.empty(0) if weights is None else weights,
            class_weight=np.ones(self.n_neurons) if class_weight is None else class_weight,
            order=order.astype(np.intp, copy=False),
            coef=coef,
            intercept=intercept,
            rate=rate / self.unit,
            decays=self.alpha > 0,
            decay=max(0.0, 1.0 - rate * self.alpha),
            fit_intercept=self.fit_intercept,
            average=self.average,
            coef_sum=coef_sum,
            intercept_sum=intercept_sum,
            visits=self.visits,
        )
        if sparse.issparse(X):
            counts = _kernels.rosenblatt_sparse(X.data, X.indices, X.indptr, *epoch)
        else:
            counts = _kernels.rosenblatt_dense(X, *epoch)
        updates, missed, false_alarms, self.visits = counts
        self.updates += updates
        self.finished = updates == 0
        if not np.isfinite(np.abs(self.parameters).max() * self.parameters.dtype.type(self.unit)):
            return math.nan  # comparisons with NaN would pass for an epoch without mistakes
        loss = missed * self._cost(1, 0) + false_alarms * self._cost(0, 1)
        return float(loss / self.rows.total(self.n_neurons))

    def _cost(self, target: float, output: float) -> float:
        """Return the loss of one output; 1, 0: the neuron is silent where it should fire."""
        return float(self.loss.value(np.array([[target]]), np.array([[output]]))[0, 0])

    def weights(self) -> Array:
        dtype = self.parameters.dtype
        return self.averaged().astype(dtype) * dtype.type(self.unit)

    def averaged(self) -> Array:
        """Return weights and biases in units of the rate, averaged where asked for."""
        if not (self.average and self.visits):
            return self.parameters
        mean = self.sum / self.visits
        # Without decay the sum is of each update times the visits before it.
        return mean if self.alpha > 0 else self.parameters - mean

    def mean_loss(self, weights: Array) -> float:
        return self.mean_loss_over(self.rows, weights)

    def validation_loss(self) -> float | None:
        if self.validation is None:
            return None
        return self.mean_loss_over(self.validation, self.weights())

    def mean_loss_over(self, rows: LabelledRows, weights: Array) -> float:
        """Return the mean loss of some weights over some rows."""
        coef, intercept = self.layer(weights)
        total = 0.0
        for part in row_chunks(rows.X, self.n_neurons):
            z = np.asarray(slice_rows(rows.X, part) @ coef) + intercept
            if not np.isfinite(z).all():
                return math.nan  # no comparison may pass it for right
            fires = (z > 0).astype(np.float64)
            target = one_hot(rows.codes[part], self.n_neurons, 0.0, 1.0)
            values = self.loss.value(target, fires)
            total += float(np.vdot(values, rows.weigh(part, self.n_neurons)))
        return total / rows.total(self.n_neurons)

    def baseline_loss(self) -> float:
        """Return the loss of neurons that always, or never, fire: of each the better one."""
        losses = self.constant_losses(self.rows)
        return float(losses.min(axis=0).sum() / self.rows.total(self.n_neurons))

    def constant_losses(self, rows: LabelledRows) -> Array:
        """Return the summed losses (2, n_neurons) of neurons that never, or always, fire."""
        losses = np.zeros((2, self.n_neurons))
        for part in row_chunks(rows.X, self.n_neurons):
            target = one_hot(rows.codes[part], self.n_neurons, 0.0, 1.0)
            for output in (0, 1):
                values = self.loss.value(target, np.full_like(target, output))
                losses[output] += (values * rows.weigh(part, self.n_neurons)).sum(axis=0)
        return losses
