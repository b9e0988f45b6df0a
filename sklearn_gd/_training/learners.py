"""The learners: gradient descent by batches, full-batch descent, and Rosenblatt's rule.

All of them implement the `Learner` protocol.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse

from sklearn_gd import _kernels
from sklearn_gd._data.array_api import on_host
from sklearn_gd._data.batches import row_chunks, slice_rows
from sklearn_gd._data.split import PickedRows
from sklearn_gd._models.class_rows import one_hot
from sklearn_gd._models.compiled import CompiledEpochs, compiled, compiled_epochs
from sklearn_gd._models.interfaces import Batch, Batchwise, NetworkObjective, Objective
from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.least_squares import Quadratic
from sklearn_gd._models.network import Network, linear_step
from sklearn_gd._pieces import Array, DeviceArray, namespace, require_unchanged, same_settings
from sklearn_gd._proximal import gradient_mapping, soft_threshold
from sklearn_gd._training.learner import Advice, State
from sklearn_gd._training.state import copied, set_generator
from sklearn_gd._training.stopping import is_finite
from sklearn_gd.losses import Loss
from sklearn_gd.schedules import Constant, Schedule
from sklearn_gd.solvers import Rate, Solver

# Relative error of the weights at which least squares are solved, and the size of a gradient, next
# to the first one, that is rounding error.
_PRECISION, _ROUNDING = 1e-5, 1e-15
# Condition number up to which weights are that precise once the gradient is small.
_WELL_CONDITIONED = 1e3


class _Memory:
    """State that a learner keeps between epochs, and between calls of ``partial_fit``.

    Parameters
    ----------
    schedule : Schedule
    generator : numpy.random.Generator or None
        Shuffles the rows; None if nothing is random.
    settings : mapping of str to object
        Parameters of the estimator that must not change between calls of ``partial_fit``.

    Attributes
    ----------
    at_start : dict or None
        State of the generator before the draws that a resumed fit has to repeat.
    """

    base_rate = 1.0
    max_rate: float | None = None
    finished = False
    keeps_best = True
    bounded = False
    advice: Advice
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
        """Check the settings of the next ``partial_fit``, and take over a changed schedule.

        Raises
        ------
        ValueError
            If a parameter has changed that must not change.
        """
        for name, before in self.settings.items():
            require_unchanged(name, before, settings[name])
        if not same_settings(self.schedule, schedule):
            self.schedule = schedule

    def copy(self) -> Self:
        """Return an independent copy, without the rows."""
        twin = object.__new__(type(self))
        vars(twin).update(copied(self.__getstate__()))
        for name in ("generator", "schedule", "solver"):
            if hasattr(twin, name):
                setattr(twin, name, deepcopy(getattr(twin, name)))
        return twin

    def __getstate__(self) -> State:
        # Copies and files do not hold the rows.
        return {k: v for k, v in vars(self).items() if k not in self._of_the_rows}


class _Stepper(_Memory):
    """Learner whose parameters a solver updates.

    Parameters
    ----------
    parameters : ndarray of shape (size,)
        Initial parameters; updated in place.
    solver : Solver
        Step rule.
    schedule, generator, settings
        As for all learners.
    dtype : dtype
        NumPy dtype of the parameters.

    Attributes
    ----------
    l1 : array of shape (size,) or None
        Strength of the L1 penalty of each parameter; None without one.
    """

    l1: Array | None = None
    objective: Objective
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
        # NumPy arrays are updated in place; arrays of other libraries may be replaced.
        if self.l1 is None:
            moved = self.solver.step(self.parameters, gradient, rate)
        else:
            moved = self.solver._proximal_step(self.parameters, gradient, rate, self.l1)
        if moved is not None:
            self.parameters = moved

    def last_weights(self) -> Array:
        """Return the weights after the last step; with an L1 penalty the sparse ones."""
        return self.parameters if self.l1 is None else self.solver._result(self.parameters)

    def accept_zero(self) -> None:
        """Take the fit for finished if all weights with an L1 penalty are 0, and ought to be."""
        if self.l1 is None or self.finished:
            return
        weights, penalised = self.last_weights(), self.l1 > 0
        xp = namespace(weights)
        if xp.any(penalised & (weights != 0)):
            return
        gradient = self.objective(weights)[1]
        if not xp.any(penalised & (xp.abs(gradient) > self.l1)):
            self.finished, self.parameters = True, weights

    def state(self) -> State:
        return {**super().state(), "solver": copied(vars(self.solver))}

    def form(self) -> State:
        return {**super().state(), "solver": self.solver}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.solver.__dict__.update(copied(state["solver"]))


class GradientLearner(_Stepper):
    """Gradient descent on an objective, one step per batch.

    Parameters
    ----------
    *memory
        As for `_Stepper`.
    average : bool, default=False
        Whether ``weights`` returns the mean of the parameters after each step.

    Attributes
    ----------
    scale : ndarray
        Numbers of the scaling of columns and targets, if any, for checkpoints.
    dropout_key : int or None
        Key of the masks of dropout, once drawn.
    """

    objective: NetworkObjective
    _of_the_rows = ("objective", "validation", "_batches", "_compiled")

    def __init__(self, *memory: Any, average: bool = False) -> None:
        super().__init__(*memory)
        self._compiled: CompiledEpochs | None = None
        self.scale = np.zeros(0)
        self.dropout_key: int | None = None
        self._remembered = (*self._remembered, "scale")
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
        """Set the training set and the validation set of the next epochs."""
        self.objective = compiled(objective)
        self.validation = None if validation is None else compiled(validation)
        if batch_size is not None:
            self._batches = objective.batches(batch_size, self.generator if shuffle else None)
            self._compiled = compiled_epochs(self.objective, self._batches, self.solver)
        return self

    def take_up(self, parameters: Array) -> None:
        """Go on from other parameters, which the average is then, too."""
        ahead = None if self.l1 is None else self.parameters - self.last_weights()
        self.parameters[:] = parameters
        if ahead is not None:  # of the sparse weights, by the momentum
            self.parameters += ahead
        if self.average:
            self.sum[:] = self.updates * self.last_weights()

    def run_epoch(self, rate: float) -> float:
        rate *= self.base_rate
        if self._compiled is None or self.average or self.l1 is not None:
            total = self.objective.run_steps(self, self._batches, rate)
        else:
            total, self.updates = self._compiled.run(self.parameters, rate, self.updates)
        return float(_nan_unless_finite(total, self.parameters)) / self._batches.total_weight

    def descend(self, objective: Batchwise, batches: Iterable[Batch], rate: float) -> DeviceArray:
        """Return the summed loss of the batches, after a step on each."""
        total = 0.0
        for batch in batches:
            loss, gradient = objective.on_batch(self.parameters, batch, self.updates)
            self._move(gradient, rate)
            total = total + loss
            self.updates += 1
            if self.average:
                self.sum += self.last_weights()
        return total

    def weights(self) -> Array:
        if self.average and self.updates:
            return (self.sum / self.updates).astype(self.parameters.dtype)
        return self.last_weights()

    def mean_loss(self, weights: Array) -> float:
        return self.objective.mean_loss(weights)

    def validation_loss(self) -> float | None:
        return None if self.validation is None else self.validation.mean_loss(self.weights())


def _nan_unless_finite(loss: DeviceArray, parameters: DeviceArray) -> DeviceArray:
    """Return the loss, or NaN if some of the parameters are not finite.

    A loss may be finite at parameters of NaN, since comparisons with NaN are false.
    """
    if not isinstance(parameters, np.ndarray):
        # 0 * inf is NaN; the sum stays on the device, so that only the loss is read back.
        return loss + namespace(parameters).sum(parameters) * 0.0
    hidden = math.isfinite(loss) and not is_finite(parameters)
    return math.nan if hidden else loss


class FullBatchLearner(_Stepper):
    """Full-batch gradient descent, one step per epoch, until the gradient vanishes.

    With an L1 penalty, until the gradient mapping vanishes.

    Parameters
    ----------
    *memory
        As for `_Stepper`.
    rates : float or ndarray of shape (size,)
        Factor on the rate of the schedule: one number, or one per parameter.
    flat_at_zero : bool
        Whether the gradient is 0 at weights of 0 although they are not a minimum.
    max_rate : float or None
        Largest stable rate, if known.
    condition : float
        Condition number of the objective in the scale of the rates; infinite if unknown.
    """

    keeps_best = False
    _remembered = (*_Stepper._remembered, "first")
    _of_the_rows = ("objective",)

    def __init__(
        self,
        *memory: Any,
        rates: float | Array,
        flat_at_zero: bool,
        max_rate: float | None,
        condition: float,
    ) -> None:
        super().__init__(*memory)
        self.rates, self.flat_at_zero, self.max_rate = rates, flat_at_zero, max_rate
        self.condition = condition
        self.base_rate = float(np.max(on_host(rates)))
        self.tol: float | None = None
        self.first = math.inf

    def learn_from(self, objective: Objective) -> Self:
        """Set the objective of the next epochs."""
        self.objective = objective
        return self

    def end_below(self, tol: float | None, gradient: Array) -> None:
        """End the fit when the norm of the gradient is `tol` times that of the given one.

        The given gradient is that at weights of 0, without the L1 penalty. If they are stationary,
        but not a minimum, make the first step of a linear model, and take the gradient there
        instead.
        """
        self.tol, self.first = tol, self._steepness(gradient)
        self._limit = 0.0 if tol is None else tol
        if self.flat_at_zero and not self._has_left_zero():
            self._leave_zero(float(self.schedule.rate(0)))
            self.first = self._steepness(self.objective(self.parameters)[1])

    def run_epoch(self, rate: float) -> float:
        loss, gradient = self.objective(self.parameters)
        slope, end = self._slope_and_end(gradient, self.rates * rate)
        self.finished = self.tol is not None and self._is_at_the_end(slope, end)
        if self.finished:
            self.parameters = end
        else:
            if self.flat_at_zero and not self._has_left_zero():
                self._leave_zero(rate)
            self._move(gradient, self.rates * rate)
            self.updates += 1
        return loss

    def _slope_and_end(self, gradient: Array, rates: Rate) -> tuple[Array, Array]:
        """Return what has to vanish at the end, and the weights to end with if it does."""
        if self.l1 is None:
            return gradient, self.parameters
        slope = gradient_mapping(self.parameters, gradient, rates, self.l1)
        return slope, soft_threshold(self.parameters - rates * gradient, rates * self.l1)

    def _is_at_the_end(self, slope: Array, end: Array) -> bool:
        steepness = self._steepness(slope)
        if not steepness <= self._limit * self.first < math.inf:
            return False
        if not isinstance(self.objective, Quadratic) or steepness <= _ROUNDING * self.first:
            return True
        if self.condition <= _WELL_CONDITIONED:
            return True
        # Along some directions the gradient is small long before the weights are right.
        for part, free in self.free_parts(end):
            error = part.relative_error(end[free], slope[free])
            if error > _PRECISION and part.near_dependence is None:
                break
        else:
            return True
        self._limit *= 0.1
        return False

    def free_parts(self, weights: Array) -> list[tuple[Quadratic, Array]]:
        """Return the quadratic objective along free weights, and the numbers of these.

        All weights are free; with an L1 penalty those other than 0, for each output apart.
        """
        if not isinstance(self.objective, Quadratic):
            return []
        if self.l1 is None:
            return [(self.objective, np.arange(weights.size))]
        return self.objective.on_supports(weights)

    def zeros(self) -> Array:
        """Return weights of 0, in the library and on the device of the parameters."""
        zeros: Array = namespace(self.parameters).zeros_like(self.parameters)
        return zeros

    def weights(self) -> Array:
        return self.parameters if self.finished else self.last_weights()

    def mean_loss(self, weights: Array) -> float:
        return self.objective(weights)[0]

    def validation_loss(self) -> float | None:
        return None

    def _has_left_zero(self) -> bool:
        return bool(namespace(self.parameters).any(self.parameters != 0))

    def _leave_zero(self, rate: float) -> None:
        self.parameters -= self.rates * rate * linear_step(self.objective)

    def _steepness(self, gradient: Array) -> float:
        """Return the norm of the gradient in the scale of the rates."""
        return math.sqrt(gradient @ (self.rates * gradient))


class StepLearner(GradientLearner):
    """Step neurons, trained by batches on the perceptron criterion.

    The criterion is the sum of |z| over the misclassified rows, whose gradient is Rosenblatt's
    rule: the step itself has no gradient.
    """

    bounded = True

    def run_epoch(self, rate: float) -> float:
        loss = super().run_epoch(rate)
        self.finished = loss == 0 and not self._is_undecided()
        return loss

    def _is_undecided(self) -> bool:
        """Return whether a row lies exactly on the threshold, which counts as a mistake."""
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
    """Loss of step neurons, with Rosenblatt's rule as its gradient.

    Parameters
    ----------
    loss : Loss
        Loss of the outputs 0 or 1.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def value(self, y_true: Array, y_pred: Array) -> Array:
        values = self.loss.value(y_true, (y_pred > 0).astype(y_pred.dtype))
        return np.where(np.isfinite(y_pred), values, np.nan)  # NaN > 0 is False, not a mistake

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        side = 2 * y_true - 1
        mistaken = ~(side * y_pred > 0)
        # Times the number of neurons, since the network averages over them.
        return np.where(mistaken, -side, 0).astype(y_pred.dtype) * y_pred.shape[1]


class _Undecided(Loss):
    """1 for each weighted input of exactly 0."""

    def value(self, y_true: Array, y_pred: Array) -> Array:
        return (y_pred == 0).astype(y_pred.dtype)


class Rosenblatt(_Memory):
    """Rosenblatt's rule: w ← w + rate · weight · y · x at every misclassified row.

    Weights are stored in units of a constant rate. The rule is linear in the rate, so that
    decisions do not depend on it, to the last bit, when starting from zero.

    Parameters
    ----------
    shape : tuple of (n_features, n_neurons)
    dtype : dtype
    start : ndarray of shape (size,) or None
        Initial weights and biases, in this order; None for zeros.
    schedule, generator, settings
        As for all learners.
    loss : Loss
        Loss of the outputs 0 or 1.
    alpha : float
        Strength of the L2 penalty: weights shrink by 1 - rate * alpha at every row.
    fit_intercept, average : bool
        As in the estimator.
    """

    bounded = True
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
        # The losses of a missed sample, of target 1 and output 0, and of a false alarm.
        target = np.array([[1.0], [0.0]])
        self.costs = loss.value(target, 1 - target)[:, 0].tolist()
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
        """Set the training set and the validation set of the next epochs.

        Raises
        ------
        ValueError
            For weights, which an update is multiplied by, out of the range of the parameters.
        """
        self._require_in_range(rows)
        self.rows, self.validation, self.shuffle = rows, validation, shuffle
        return self

    def _require_in_range(self, rows: LabelledRows) -> None:
        weights = rows.weights if isinstance(rows, LabelledRows) else None
        if self.parameters.dtype == np.float64 or weights is None:
            return
        largest = float(weights.max())
        if not (largest == 0 or 1e-20 < largest < 1e20):
            raise ValueError(
                "sample_weight must lie between 1e-20 and 1e20 for Rosenblatt's rule in "
                f"{self.parameters.dtype}, the precision of X; divide all weights by one number, "
                f"or give X in float64. Got {largest:g} as its largest."
            )

    def begin(self, parameters: Array) -> None:
        """Start again from weights and biases in units of the rate."""
        self.parameters[:] = parameters
        if self.average:
            self.sum[:] = 0
        self.updates = self.visits = 0

    def take_up(self, weights: Array) -> None:
        """Go on from other weights and biases, if any, which the average is then, too."""
        self.parameters[: weights.size] = weights / self.unit
        if self.average:
            self.sum[:] = self.visits * self.parameters if self.alpha > 0 else 0

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
        self._require_sizes(shape)
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
            return math.nan  # NaN compares as if there were no mistakes
        cost_missed, cost_false_alarm = self.costs
        loss = missed * cost_missed + false_alarms * cost_false_alarm
        return float(loss / self.rows.total(self.n_neurons))

    def _require_sizes(self, shape: tuple[int, int]) -> None:
        """Raise a ValueError if a stored learner was edited: the loops do not check bounds."""
        size = ((shape[0] + 1) * shape[1],)
        for name in ("parameters", "sum") if self.average else ("parameters",):
            found = getattr(self, name).shape
            if self.shape != shape or found != size:
                raise ValueError(
                    f"{name} must be of shape {size}, for {shape} weights. Got {found}."
                )

    def weights(self) -> Array:
        self._require_sizes(self.shape)
        dtype = self.parameters.dtype
        return self.averaged().astype(dtype) * dtype.type(self.unit)

    def averaged(self) -> Array:
        """Return weights and biases in units of the rate, averaged with `average`."""
        if not (self.average and self.visits):
            return self.parameters
        mean = self.sum / self.visits
        # Without decay, the sum is that of each update times the visits before it.
        return mean if self.alpha > 0 else self.parameters - mean

    def mean_loss(self, weights: Array) -> float:
        return self.mean_loss_over(self.rows, weights)

    def validation_loss(self) -> float | None:
        if self.validation is None:
            return None
        return self.mean_loss_over(self.validation, self.weights())

    def mean_loss_over(self, rows: LabelledRows, weights: Array) -> float:
        """Return the mean loss of given weights over given rows."""
        coef, intercept = self.layer(weights)
        total = 0.0
        for part in row_chunks(rows.X, self.n_neurons):
            z = np.asarray(slice_rows(rows.X, part) @ coef) + intercept
            if not np.isfinite(z).all():
                return math.nan  # NaN compares as if it were right
            fires = (z > 0).astype(np.float64)
            target = one_hot(rows.codes[part], self.n_neurons, 0.0, 1.0)
            values = self.loss.value(target, fires)
            total += float(np.vdot(values, rows.weigh(part, self.n_neurons)))
        return total / rows.total(self.n_neurons)

    def baseline_loss(self) -> float:
        """Return the loss of neurons with a constant output, each the better of 0 and 1."""
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
