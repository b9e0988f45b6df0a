"""The multi-layer perceptron, trained by backpropagation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_gd._base import Estimator, Layer, available_if
from sklearn_gd._data.array_api import all_as_numpy, on_host, require_same_space, space_of
from sklearn_gd._data.split import for_callbacks
from sklearn_gd._data.validation import (
    all_or_nothing,
    as_of_now,
    by_rows,
    check_regression,
    check_rows,
    check_validation_rows,
    check_validation_set,
    described,
    in_precision,
    make_generator,
    require_some_weight,
)
from sklearn_gd._models.array_rows import (
    ArrayRows,
    check_array_rows,
    check_held_out_rows,
    checked_rows,
    device_outputs,
    forward,
    require_numpy,
)
from sklearn_gd._models.dropout import Dropout
from sklearn_gd._models.interfaces import Dataset
from sklearn_gd._models.network import Network, layers_of, n_parameters, outputs
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.scaling import (
    ColumnScaling,
    Scaling,
    require_enough_rows,
    scaling_of,
    start_of,
)
from sklearn_gd._models.units import warn_of_other_units
from sklearn_gd._pieces import (
    Array,
    ArrayLike,
    DeviceArray,
    DType,
    Matrix,
    copy_of,
    namespace,
    require_unchanged,
    same_settings,
    storable,
)
from sklearn_gd._training.callback_tasks import FitTasks, state_to_resume, with_callbacks
from sklearn_gd._training.learner import Advice, State
from sklearn_gd._training.learners import GradientLearner
from sklearn_gd._training.state import begin_again, require_size, scale_of
from sklearn_gd._training.stopping import Stopping
from sklearn_gd._training.validation_score import (
    require_no_early_stopping,
    require_scorer,
    validation_score,
)
from sklearn_gd.activations import Activation, Identity, as_activation
from sklearn_gd.losses import LogLoss, Loss, as_loss
from sklearn_gd.schedules import Constant, Cosine, Schedule, as_schedule
from sklearn_gd.solvers import GradientDescent, Solver, as_solver

_OF_SOME_FITS = (
    "_learner",
    "validation_loss_curve_",
    "validation_score_curve_",
    "center_",
    "scale_",
)


# How far above that of the best constant a loss may be if there is nothing to learn.
_NEARLY_NOTHING = 1e-12


def _by_lbfgs(solver: object) -> bool:
    return isinstance(solver, str) and solver == "lbfgs"


def _makes_steps(self: FeedForward) -> bool:
    if _by_lbfgs(self.solver):
        raise AttributeError("partial_fit needs a solver that makes steps. Got solver='lbfgs'.")
    return True


class _Pieces(NamedTuple):
    """The resolved parameters."""

    activations: list[Activation]
    loss: Loss
    solver: Solver | None  # None for L-BFGS
    schedule: Schedule
    dropout: list[float]  # rates of the hidden layers

    def n_outputs(self, rows: Dataset) -> int:
        """Return the number of outputs: one per target, or per quantile of the only one."""
        levels = self.loss._levels
        if levels and rows.n_outputs > 1:
            raise ValueError(f"{self.loss!r} takes one target. Got y of {rows.n_outputs} columns.")
        return len(levels) or rows.n_outputs

    def require_targets(self, rows: Dataset, name: str = "y") -> None:
        """Raise a ValueError for targets that the loss does not accept."""
        lowest = self.loss.lowest_target
        if lowest > -math.inf and (found := rows.target_ends()[0]) < lowest:
            raise ValueError(
                f"The loss {self.loss!r} needs targets {name} >= {lowest:g}. Got {found:g}."
            )


class FeedForward(Estimator):
    """Base of the networks: their descent, whatever the targets are.

    A subclass defines the parameters, ``_check_train``, ``_check_held_out``, ``_check_once`` and
    ``predict``.
    """

    coefs_: list[Array]
    intercepts_: list[Array]
    n_layers_: int
    n_outputs_: int
    n_iter_: int
    loss_: float
    best_loss_: float
    best_iter_: int
    loss_curve_: list[float]
    validation_loss_curve_: list[float]
    learning_rate_: float
    center_: DeviceArray
    scale_: DeviceArray

    hidden_layer_sizes: int | Sequence[int]
    activation: Any
    output_activation: Any
    loss: str | Loss
    standardize: str | bool
    solver: str | Solver
    learning_rate: float | str | Schedule
    alpha: float
    dropout: float | Sequence[float]
    batch_size: int | str | None
    max_iter: int
    shuffle: bool
    early_stopping: bool | str | Callable[..., float]
    validation_fraction: float
    init: str
    warm_start: bool
    random_state: int | np.random.RandomState | None

    _scaling: Scaling | None = None
    _levels: tuple[float, ...] = ()
    _class_targets = False
    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "standardize": [StrOptions({"robust", "standard"}), Options(bool, {False})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "dropout": ["array-like", Interval(Real, 0, 1, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "early_stopping": ["boolean", str, callable],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "init": [StrOptions({"auto", "he", "glorot"})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = not _by_lbfgs(self.solver)
        return tags

    def hidden_layer_outputs(self, X: ArrayLike) -> list[Array]:
        """Return the outputs of each hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        outputs : list of ndarray of shape (n_samples, n_neurons)
            One per hidden layer, from the inputs on.
        """
        self = as_of_now(self)
        check_is_fitted(self)
        coefs, intercepts, columns = self.coefs_, self.intercepts_, self._columns()
        _require_layers(coefs, intercepts, self.n_features_in_)
        space = require_same_space(self, X, coefs[0], "hidden_layer_outputs")
        if space is not None:
            X = space.astype(checked_rows(self, space, X), space.numpy_dtype(coefs[0]))
            layers = list(zip(coefs, intercepts, strict=True))
            X = X if columns is None else columns(X)
            return [a for _, a in forward(space, layers, self._activations, X)[:-1]]
        a, found = in_precision(check_rows(self, X), coefs[0].dtype), []
        for W, b, f in zip(coefs[:-1], intercepts[:-1], self._activations[:-1], strict=True):
            a, columns = outputs([W], [b], [f], a, columns), None
            found.append(a)
        return found

    def _train(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        X_val: ArrayLike | None,
        y_val: ArrayLike | None,
        sample_weight_val: ArrayLike | None,
    ) -> None:
        """Run a ``fit``."""
        pieces = self._resolve()
        kept = None
        train, one_axis = self._check_train(X, y, sample_weight)
        pieces.require_targets(train)
        held_out = None
        if check_validation_set(X_val, y_val, sample_weight_val):
            held_out = self._check_held_out(X_val, y_val, sample_weight_val, train, one_axis)
            pieces.require_targets(held_out, "y_val")
            warn_of_other_units(train, held_out)
        resumed = state_to_resume(self, X, y, sample_weight)
        if resumed is not None:
            sizes = (train.n_features, *self._hidden_sizes(), pieces.n_outputs(train))
            require_size(resumed, n_parameters(sizes))
        generator = make_generator(self.random_state)
        network = self._network(pieces, train)
        warm = self.warm_start and hasattr(self, "coefs_")
        parameters = None if warm else self._draw(network, generator)
        if resumed is not None:
            begin_again(generator, resumed)
        at_start = generator.bit_generator.state
        if self.early_stopping and held_out is None:
            train, held_out, kept = train.set_aside(self.validation_fraction, generator)
        self._scaling = self._scale_of_fit(train, network, resumed, warm=warm)
        if parameters is None:
            parameters = self._current(network)
        else:
            self._begin_at_constant(train, network, parameters)
        self._forget()
        self._set_model(network, one_axis)
        network = network.scaled(self._scaling)
        learner = self._make_learner(pieces, train, parameters, generator)
        if not warm and self._begins_at_the_end(train, network, parameters):
            learner.base_rate, learner.finished = 0.0, True
        learner.at_start = at_start
        network.dropout = self._draw_dropout(pieces, learner)
        learner.learn_from(
            train.objective(network),
            None if held_out is None else held_out.objective(network),
            None if pieces.solver is None else self._batch_rows(train.n_samples),
            shuffle=self.shuffle,
        )
        tasks = FitTasks(self, learner, *for_callbacks(X, y, sample_weight, kept))
        baseline_loss = learner.objective.baseline_loss()
        stopping = Stopping(self, learner, baseline_loss, tasks, validation_score(self, held_out))
        self.learning_rate_ = 1.0 if pieces.solver is None else stopping.rate(0)
        if resumed is not None:
            stopping.restore(resumed)
        loop = self._minimise if pieces.solver is None else self._descend
        loop(stopping, learner)
        self._keep(stopping, *stopping.finish())
        tasks.close()

    def _train_once(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *classes: ArrayLike
    ) -> None:
        """Run a ``partial_fit``."""
        pieces = self._resolve(one_epoch=True)
        require_no_early_stopping(self)
        first = not hasattr(self, "coefs_")
        if not first and not hasattr(self, "n_outputs_"):
            raise ValueError(
                "coefs_ and intercepts_ were set without a fit. fit with warm_start=True begins "
                "there; for partial_fit, set them after its first call."
            )
        if not first:
            _require_layers(self.coefs_, self.intercepts_, self.n_features_in_)
        require_numpy(self, X, None if first else self.coefs_[0])
        rows, one_axis = self._check_once(X, y, sample_weight, *classes)
        pieces.require_targets(rows)
        network = self._network(pieces, rows)
        # A first call of samples without weight has found no scale.
        if first or (self.standardize and not getattr(self, "n_iter_", 1)):
            learner = self._first_learner(network, pieces, rows)
        else:
            learner = self._carry_on(network, pieces, rows, self._current(network))
        self._set_model(network, one_axis)
        network = network.scaled(self._scaling)
        network.dropout = self._draw_dropout(pieces, learner)
        objective = rows.objective(network)
        learner.learn_from(objective, None, self._batch_rows(rows.n_samples), shuffle=self.shuffle)
        weightless = rows.weights is not None and not rows.weights.any()
        if weightless and not first:
            return
        stopping = Stopping.after(
            self, learner, math.nan if weightless else objective.baseline_loss()
        )
        self.learning_rate_ = stopping.rate(stopping.n_iter)
        present, loss = learner.parameters, math.nan
        if not weightless:
            present, loss = stopping.run_once()
        self._forget()
        self._learner = learner
        self._keep(stopping, present, loss)

    def _resolve_loss(self, output: Activation) -> tuple[Loss, Activation]:
        """Return the loss and, with a link in its place, the output activation in training."""
        raise NotImplementedError("a network defines _resolve_loss(output)")

    def _check_train(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Dataset, bool]:
        """Return the checked training set, and whether y has one axis."""
        raise NotImplementedError("a network defines _check_train(X, y, sample_weight)")

    def _check_held_out(
        self,
        X_val: ArrayLike,
        y_val: ArrayLike,
        weights_val: ArrayLike | None,
        train: Dataset,
        one_axis: bool,
    ) -> Dataset:
        """Return the checked validation set."""
        raise NotImplementedError("a network defines _check_held_out(...)")

    def _validation_data(self, held_out: Dataset) -> tuple[Matrix, Array, Array | None] | None:
        """Return X, y and weights of a validation set for a scorer; None if not NumPy's."""
        raise NotImplementedError("a network defines _validation_data(held_out)")

    def _check_once(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *classes: ArrayLike
    ) -> tuple[Rows, bool]:
        """Return the checked rows of a ``partial_fit``, and whether y has one axis."""
        raise NotImplementedError("a network defines _check_once(X, y, sample_weight, *classes)")

    def _columns(self) -> ColumnScaling | None:
        if not hasattr(self, "center_"):
            return None
        return ColumnScaling(self.center_, self.scale_, squash=True)

    def _outputs(
        self, X: ArrayLike, activations: Sequence[Activation], method: str
    ) -> DeviceArray:
        """Return the outputs (n_samples, n_outputs) of layers with the given activations."""
        coefs, intercepts = self.coefs_, self.intercepts_
        _require_layers(coefs, intercepts, self.n_features_in_)
        space = require_same_space(self, X, coefs[0], method)
        if space is not None:
            layers = list(zip(coefs, intercepts, strict=True))
            return device_outputs(self, space, layers, activations, X, self._columns())
        X = in_precision(check_rows(self, X), coefs[0].dtype)
        return outputs(coefs, intercepts, activations, X, self._columns())

    def _layers(self) -> list[Layer]:
        parts = zip(self.coefs_, self.intercepts_, self._activations, strict=True)
        return [Layer(*part) for part in parts]

    def _resolve(self, *, one_epoch: bool = False) -> _Pieces:
        self._validate_params()
        require_scorer(self.early_stopping, type(self).__name__)
        sizes = self._hidden_sizes()
        given = self.activation
        if isinstance(given, list):
            if len(given) != len(sizes):
                raise ValueError(
                    "The 'activation' parameter, a list, must have one activation per hidden "
                    f"layer: {len(sizes)}. Got {len(given)} instead."
                )
        else:
            given = [given] * len(sizes)
        one_each = ", or a list with one per hidden layer"
        hidden = [as_activation(f, also=one_each, refused=["step"]) for f in given]
        if not hidden:
            as_activation(self.activation if not isinstance(self.activation, list) else "relu")
        output = as_activation(
            self.output_activation, parameter="output_activation", refused=["step"]
        )
        for name, activation in [
            *(("activation", f) for f in hidden),
            ("output_activation", output),
        ]:
            if not activation.differentiable:
                raise ValueError(
                    f"The {name!r} parameter must be differentiable for backpropagation; "
                    f"{activation!r} is not."
                )
        lbfgs = _by_lbfgs(self.solver)
        solver = None if lbfgs else as_solver(self.solver, also=", or 'lbfgs'")
        schedule = self._schedule(solver, one_epoch=one_epoch)
        loss, output = self._resolve_loss(output)
        rates = self._dropout_rates(len(hidden))
        return _Pieces([*hidden, output], loss, solver, schedule, rates)

    def _schedule(self, solver: Solver | None, *, one_epoch: bool) -> Schedule:
        rate: object = self.learning_rate
        if not (isinstance(rate, str) and rate == "auto"):
            return as_schedule(rate, also=", or 'auto'")
        if solver is None:
            return Constant(1.0)
        top = solver._typical_rate()
        if one_epoch:
            return Constant(0.3 * top)
        return Cosine(top, epochs=self.max_iter, warm_up=self.max_iter // 20)

    def _dropout_rates(self, n_hidden: int) -> list[float]:
        given: Any = self.dropout
        rates = [given] * n_hidden if np.ndim(given) == 0 else list(given)
        if len(rates) != n_hidden or not all(
            isinstance(r, Real) and not isinstance(r, bool) and 0 <= float(r) < 1 for r in rates
        ):
            raise ValueError(
                "The 'dropout' parameter must be a number in [0, 1), or a list with one per "
                f"hidden layer: {n_hidden}. Got {given!r} instead."
            )
        if np.any(given) and (not rates or _by_lbfgs(self.solver)):
            needs = "a solver that makes steps" if rates else "hidden layers"
            raise ValueError(
                f"dropout needs {needs}. Got dropout={given!r} with solver={self.solver!r} and "
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}."
            )
        return [float(rate) for rate in rates]

    def _draw_dropout(self, pieces: _Pieces, learner: GradientLearner) -> Dropout | None:
        """Return the masks of dropout; a descent draws their key once."""
        if not any(pieces.dropout):
            return None
        if learner.dropout_key is None:
            generator: Any = learner.generator
            learner.dropout_key = int(generator.integers(2**63))
        return Dropout(pieces.dropout, learner.dropout_key)

    def _hidden_sizes(self) -> list[int]:
        given: Any = self.hidden_layer_sizes
        is_sequence = isinstance(given, Sequence) or (
            isinstance(given, np.ndarray) and given.ndim == 1
        )
        sizes = list(given) if is_sequence else [given]
        if not all(
            isinstance(s, Integral) and not isinstance(s, bool) and int(s) > 0 for s in sizes
        ):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter must be a positive int or a sequence of them. "
                f"Got {given!r} instead."
            )
        return [int(s) for s in sizes]

    def _network(self, pieces: _Pieces, rows: Dataset) -> Network:
        sizes = (rows.n_features, *self._hidden_sizes(), pieces.n_outputs(rows))
        try:
            return Network(
                sizes,
                pieces.activations,
                pieces.loss,
                self.alpha,
                rows.dtype,
                class_targets=self._class_targets,
            )
        except (MemoryError, OverflowError, ValueError) as error:
            kind = MemoryError if isinstance(error, MemoryError) else ValueError
            raise kind(
                "The 'hidden_layer_sizes' parameter must be of layers whose weights have room in "
                f"memory. Got {self.hidden_layer_sizes!r}: {error}"
            ) from error

    def _batch_rows(self, n_samples: int) -> int:
        if self.batch_size is None:
            return n_samples
        return min(64 if self.batch_size == "auto" else int(self.batch_size), n_samples)

    def _draw(self, network: Network, generator: np.random.Generator) -> Array:
        """Draw first weights."""
        parameters = np.zeros(network.size, network.dtype)
        layers = network.layers(parameters)
        if self.init == "auto" and not _barely_moves_at_zero(network.activations[-1]):
            layers.pop()
        for W, _ in layers:
            fan_in, fan_out = W.shape
            if self.init == "glorot":
                end = np.sqrt(6 / (fan_in + fan_out))
                W[:] = generator.uniform(-end, end, W.shape)
            else:
                variance = (2 if self.init == "he" else 1) / fan_in
                W[:] = generator.normal(0.0, np.sqrt(variance), W.shape)
        return parameters

    def _current(self, network: Network) -> Array:
        """Return the current weights as a new flat vector; a ValueError if they do not fit."""
        shapes = [np.shape(coef) for coef in self.coefs_]
        expected = list(zip(network.sizes[:-1], network.sizes[1:], strict=True))
        if shapes != expected:
            raise ValueError(
                "The current weights do not fit the requested layers: they have shapes "
                f"{shapes}, and hidden_layer_sizes={self.hidden_layer_sizes!r} with "
                f"{network.sizes[0]} features and {network.sizes[-1]} outputs needs {expected}."
            )
        _require_layers(self.coefs_, self.intercepts_, network.sizes[0])
        pairs = zip(self.coefs_, self.intercepts_, strict=True)
        dtype = np.result_type(on_host(self.coefs_[0]).dtype, network.dtype)
        layers = [(on_host(W).astype(dtype), on_host(b).astype(dtype)) for W, b in pairs]
        if not all(np.isfinite(array).all() for array in chain(*layers)):
            raise ValueError(
                "coefs_ and intercepts_, where this begins, must hold finite numbers. Got NaN or "
                "infinity among them."
            )
        scaling = self._scaling
        if (scaling.kind if scaling else False) != self.standardize:
            raise ValueError(
                "The 'standardize' parameter must stay what the current weights were trained "
                f"with, {scaling.kind if scaling else False!r}. Got {self.standardize!r}. A fit "
                "with warm_start=False starts again."
            )
        if scaling is None:
            return network.flatten(*zip(*layers, strict=True))
        learner: GradientLearner | None = getattr(self, "_learner", None)
        if learner is not None:
            # Unless they were edited, the weights are these, in another unit and rounded.
            known = scaling.folded(network.layers(learner.parameters))
            if all(map(np.array_equal, chain(*known), chain(*layers))):
                return learner.parameters.copy()
        return network.flatten(*zip(*scaling.unfolded(layers), strict=True))

    def _scale_of_fit(
        self, train: Dataset, network: Network, resumed: State | None, *, warm: bool
    ) -> Scaling | None:
        """Return the scale that a fit is to be trained in: that of the model in a warm start."""
        if resumed is not None and self.standardize:
            sizes = network.sizes[0], network.n_outputs
            numbers = scale_of(resumed, *sizes)
            return Scaling.unpacked(str(self.standardize), numbers, *sizes)
        if warm and "_scaling" in vars(self):  # else its weights were set without a fit
            before, now = self._activations[-1], network.prediction_activations()[-1]
            if self._scaling is not None and not same_settings(before, now):
                raise ValueError(
                    "warm_start with standardize needs the output activation, or the link of the "
                    f"loss, of the last fit, {before!r}. Got {now!r}. A fit with warm_start=False "
                    "starts again."
                )
            if self._scaling is None:
                return None
            # The loss may be another one, and the rows are.
            return self._scaling.for_loss(train.objective(network).baseline_loss())
        return self._find_scaling(train, network)

    def _find_scaling(self, train: Dataset, network: Network) -> Scaling | None:
        """Return the scale of the rows, if they are to be standardised."""
        if not self.standardize:
            return None
        return scaling_of(str(self.standardize), train, train.objective(network))

    def _begin_at_constant(self, train: Dataset, network: Network, parameters: Array) -> None:
        """Let a standardised network begin at the best constant prediction.

        With the identity, targets are centred at it, and biases of 0 predict it.
        """
        output = network.activations[-1]
        if self._scaling is not None and not network.scales_targets:
            constant = train.objective(network).best_constant()
            low, high = train.target_ends()
            start = start_of(output, constant, exhausted=low == high)
            network.layers(parameters)[-1][1][:] = start

    def _begins_at_the_end(self, train: Dataset, network: Network, parameters: Array) -> bool:
        """Return whether the targets are one number, which a network in a scale begins at.

        Its gradients are rounding errors, which Adam's kind would make steps of.
        """
        low, high = train.target_ends()
        if self._scaling is None or low != high:
            return False
        objective = train.objective(network)
        return network.scales_targets or bool(
            objective.mean_loss(parameters) <= objective.baseline_loss() + _NEARLY_NOTHING
        )

    def _make_learner(
        self, pieces: _Pieces, rows: Dataset, parameters: Array, generator: np.random.Generator
    ) -> GradientLearner:
        solver = GradientDescent() if pieces.solver is None else pieces.solver
        settings = {"solver": solver, "loss": pieces.loss}
        parameters = rows.to_device(parameters)
        learner = GradientLearner(
            parameters, solver, pieces.schedule, generator, settings, rows.dtype
        )
        rows.memory_to_device(solver)
        if self._scaling is not None:
            learner.scale = self._scaling.packed()
        learner.advice = self._advice(by_steps=pieces.solver is not None)
        return learner

    def _advice(self, *, by_steps: bool) -> Advice:
        lower = ["a lower learning_rate"] if by_steps else []
        rate = ["another learning_rate"] if by_steps else []
        units = [] if self.standardize else ["standardize='robust', which makes units irrelevant"]
        weaker = ["a smaller alpha"] if self.alpha else []
        weaker += ["less dropout"] if np.any(self.dropout) else []
        others = ["another learning_rate or solver"] if by_steps else []
        return Advice(
            not_converged=_either("a larger max_iter", *units, *others),
            diverged=_either(*lower, *units, *([] if lower or units else ["another loss"])),
            learned_nothing=_either(*units, *weaker, *rate, "another activation"),
        )

    def _descend(self, stopping: Stopping, learner: GradientLearner) -> None:
        """Run the epochs, one gradient step per batch."""
        with stopping:
            for epoch in stopping:
                rate = stopping.rate(epoch)
                loss = learner.run_epoch(rate)
                stopping.record(loss, learner.validation_loss())

    def _minimise(self, stopping: Stopping, learner: GradientLearner) -> None:
        """Run SciPy's L-BFGS-B; each of its iterations counts as an epoch."""
        from scipy.optimize import minimize

        objective = learner.objective
        network, baseline = objective.network, stopping.baseline_loss
        divisor = network.baseline_loss  # of the gradient already
        # SciPy's tolerance is absolute for losses below one.
        scale = divisor / baseline if baseline > 0 and np.isfinite(baseline) else 1.0
        unit = _units(network, objective.rows)
        latest = {"loss": math.nan}
        first_slope: list[float] = []

        def penalised(point: Array) -> tuple[float, Array]:
            point = (point * unit).astype(network.dtype)
            latest["loss"], gradient = objective(point)
            penalty = sum(float(np.vdot(W, W)) for W, _ in network.layers(point))
            loss = latest["loss"] / divisor + 0.5 * self.alpha * penalty
            gradient = gradient * unit * scale
            if not first_slope:
                first_slope.append(float(np.abs(gradient).max()))
            return loss * scale, gradient

        def after_iteration(intermediate_result: Any) -> None:
            learner.parameters[:] = intermediate_result.x * unit
            stopping.record(latest["loss"], learner.validation_loss())
            if stopping.ended:
                raise StopIteration

        with stopping:
            options = {
                "maxiter": self.max_iter,
                "maxfun": 20 * self.max_iter,
                "ftol": 0.0 if self.tol is None else 64 * np.finfo(network.dtype).eps,
                "gtol": 0.0,
            }
            result = minimize(
                penalised,
                learner.parameters / unit,
                jac=True,
                method="L-BFGS-B",
                callback=after_iteration,
                options=options,
            )
            if not stopping.loss_curve:  # it started at a minimum
                stopping.record(latest["loss"], learner.validation_loss())
            stopping.exhausted = stopping.n_iter >= self.max_iter and not stopping.ended
            above_rounding = latest["loss"] > np.finfo(network.dtype).eps * baseline
            if above_rounding and not (stopping.ended or stopping.exhausted):
                left = float(np.abs(result.jac).max()) / max(*first_slope, np.finfo(float).tiny)
                hardly_better = latest["loss"] > 0.5 * baseline
                stopping.broken_off = self._broken_off(result, left, hardly_better, network.dtype)

    def _broken_off(
        self, result: Any, slope_left: float, hardly_better: bool, dtype: DType
    ) -> str | None:
        """Return how SciPy has ended a descent too early, and what to do; None if it has not.

        Parameters
        ----------
        result : OptimizeResult
        slope_left : float
            Largest component of the gradient, over that at the beginning.
        hardly_better : bool
            Whether the loss is near that of the best constant prediction.
        dtype : dtype
        """
        if result.success:
            # It takes a loss that rounding keeps from falling for one that has converged.
            rounded = dtype == np.float32 and not self.standardize
            too_early = rounded and hardly_better and result.nit < 10
        else:
            too_early = slope_left > 100 * np.sqrt(np.finfo(dtype).eps)
        if not too_early:
            return None
        units = [] if self.standardize else ["standardize='robust', which makes units irrelevant"]
        precise = ["X in float64"] if dtype == np.float32 else []
        advice = _either(*units, *precise, "a smooth activation and loss, or solver='adam'")
        return (
            f"was ended early by SciPy's L-BFGS-B, after {result.nit} iterations: "
            f"{result.message.strip(': ')}. {advice}"
        )

    def _keep(self, stopping: Stopping, weights: Array, loss: float) -> None:
        """Set the fitted attributes: the history and the final weights."""
        self.loss_ = loss
        self.__dict__.update(stopping.attributes())
        with np.errstate(all="ignore"):
            self.__dict__.update(self._attributes_of(weights))
        if self._scaling is not None:  # in the units of the data they may overflow
            stopping.check_end(loss, *self.coefs_, *self.intercepts_)

    def _set_model(self, network: Network, one_axis: bool) -> None:
        self.n_outputs_, self._one_axis = network.n_outputs, one_axis
        self._activations = network.prediction_activations()
        self._levels = network.loss._levels

    def _attributes_of(self, weights: Array) -> dict[str, object]:
        """Return the weights as fitted attributes, in copies."""
        sizes = (self.n_features_in_, *self._hidden_sizes(), self.n_outputs_)
        layers, scale = layers_of(weights, sizes), {}
        if self._scaling is not None:
            layers = self._scaling.folded(layers)
            if self._scaling.kind == "robust":
                columns = self._scaling.columns_like(weights)
                scale = {"center_": columns.center, "scale_": columns.scale}
        return {
            "coefs_": [copy_of(W) for W, _ in layers],
            "intercepts_": [copy_of(b) for _, b in layers],
            **scale,
            "_scaling": self._scaling,
            "n_layers_": len(sizes),
            "n_outputs_": self.n_outputs_,
            "_one_axis": self._one_axis,
            "_activations": self._activations,
            "_levels": self._levels,
        }

    def _first_learner(self, network: Network, pieces: _Pieces, rows: Rows) -> GradientLearner:
        """Return the learner of the first ``partial_fit``, which finds the scale of the rows."""
        weights = rows.weights
        n_samples = rows.n_samples if weights is None else int(np.count_nonzero(weights))
        generator = make_generator(self.random_state)
        parameters = self._draw(network, generator)
        self._scaling = None
        if self.standardize and n_samples:
            require_enough_rows(n_samples)
            self._scaling = self._find_scaling(rows, network)
            self._begin_at_constant(rows, network, parameters)
        return self._make_learner(pieces, rows, parameters, generator)

    def _carry_on(
        self, network: Network, pieces: _Pieces, rows: Rows, present: Array
    ) -> GradientLearner:
        """Return a copy of the previous learner, so that a failed call changes nothing."""
        solver, schedule = pieces.solver, pieces.schedule
        assert solver is not None  # partial_fit is not available then
        if hasattr(self, "_activations"):
            *hidden, output = self._activations
            *hidden_now, output_now = network.prediction_activations()
            require_unchanged("activation", hidden, hidden_now)
            require_unchanged("output_activation", output, output_now)
        if hasattr(self, "_learner"):
            learner: GradientLearner = self._learner.copy()
            learner.carry_on({"solver": solver, "loss": pieces.loss}, schedule)
            learner.parameters[:] = present
            return learner
        generator = make_generator(self.random_state)
        return self._make_learner(pieces, rows, present, generator)

    def _precision(self) -> DType:
        """Return the type in which ``partial_fit`` goes on: that of the calls before."""
        learner = getattr(self, "_learner", None)
        dtype: DType = (self.coefs_[0] if learner is None else learner.parameters).dtype
        return dtype

    def _forget(self) -> None:
        """Delete what belongs to earlier fits."""
        for name in _OF_SOME_FITS:
            self.__dict__.pop(name, None)


@storable
class FeedForwardRegressor(FeedForward, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """A multi-layer perceptron for regression, trained by backpropagation.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 64)
        Number of neurons in each hidden layer; ``()`` is a linear model.
    activation : str, Activation, (f, df) or a list of these, default="silu"
        Activation of all hidden layers, or a list with one per hidden layer.
    output_activation : str, Activation or (f, df), default="identity"
        Activation of the output layer.
    loss : str or Loss, default="squared_error"
        Loss to minimise, averaged over samples and outputs.
    standardize : {"robust", "standard"} or False, default="robust"
        Scale in which the network is trained. ``"robust"``: each column less its median, divided
        by its interquartile range, then squashed by z / sqrt(1 + (z / 3)²), so that outliers have
        a bounded effect; the scale is part of the model. ``"standard"``: columns of mean 0 and
        standard deviation 1; the weights are returned in the units of the data. With either,
        targets of an identity output have mean 0 and standard deviation 1 in training, and the
        objective is divided by the loss of the best constant prediction, so that `learning_rate`
        and `alpha` do not depend on units. False: columns and targets as they are.
    solver : str or Solver, default="adam"
        Step rule; or ``"lbfgs"``, SciPy's L-BFGS-B on all samples at once.
    learning_rate : "auto", float or Schedule, default="auto"
        Learning rate, or a schedule of it; ignored by ``"lbfgs"``. ``"auto"``: a rate for
        standardised data, which depends on the solver (0.01 for ``"adam"``), with a linear warm-up
        over the first 5 % of `max_iter` and cosine annealing to zero at its end; in
        ``partial_fit``, a constant rate of 0.3 times that.
    alpha : float, default=0.0
        Strength of the L2 penalty: 0.5 * alpha * ||weights||² is added to the mean loss. Biases
        are not penalised.
    dropout : float or list of float, default=0.0
        Share of the outputs of hidden layers that are set to 0 at random in each step of the
        training, in [0, 1); a list has one per hidden layer. The other outputs are divided by one
        minus that share, so that predictions, which have no dropout, need no correction [4]_.
    batch_size : "auto", int or None, default="auto"
        Number of samples per step. ``"auto"`` is min(64, n_samples), None all samples.
    max_iter : int, default=40
        Maximum number of epochs.
    tol : float or None, default=1e-4
        Tolerance: an epoch improves if it lowers the best loss by more than `tol` times the loss
        of the best constant prediction. None: run all `max_iter` epochs.
    n_iter_no_change : int, default=10
        Number of consecutive epochs without improvement that ends the fit.
    shuffle : bool, default=True
        Whether to shuffle the samples in each epoch.
    early_stopping : bool, str or callable, default=False
        Whether to hold out a validation set and monitor the loss on it; the weights of its best
        epoch are kept. `X_val` and `y_val` of ``fit`` do the same with a given set. A scorer, or
        its name for scikit-learn, such as ``"r2"``: the score on the validation set is monitored
        instead of the loss; `tol` is then a difference of scores.
    validation_fraction : float, default=0.1
        Fraction of the samples that `early_stopping` holds out.
    init : {"auto", "he", "glorot"}, default="auto"
        Initialisation of the weights. ``"he"``: normal, of variance 2 / fan_in [2]_;
        ``"glorot"``: uniform, of variance 2 / (fan_in + fan_out) [3]_. ``"auto"``: normal, of
        variance 1 / fan_in [5]_, and zeros for the output layer, so that the first prediction is
        a constant, unless the output activation is flat at 0. Biases start at 0.
    warm_start : bool, default=False
        Whether to start from the weights of the previous fit.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, the order of the samples, the held-out samples and `dropout`.
    verbose : bool or int, default=False
        Whether to print the loss of each epoch; of about a hundred if `max_iter` is above 1000.
        An int k > 1: of the first epoch, of every k-th one after it, and of the last.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (fan_out,)
        Biases of each layer.
    center_ : ndarray of shape (n_features,)
        Median of each column, 0 for sparse columns; only with ``standardize="robust"``.
    scale_ : ndarray of shape (n_features,)
        Interquartile range of each column; only with ``standardize="robust"``. If it is 0, the
        median distance of the other values from the median, or 1 for a constant column. For sparse
        columns, the median absolute value of the non-zero values. Of more than 100,000 samples, as
        many are drawn for both. The first layer gets ``z / sqrt(1 + (z / 3)**2)`` with
        ``z = (x - center_) / scale_``.
    n_layers_ : int
        Number of layers, including inputs and outputs.
    n_outputs_ : int
        Number of outputs: of columns of y, or of quantiles.
    n_iter_ : int
        Number of epochs run.
    loss_ : float
        Mean training loss at the weights that are kept, without the penalty.
    best_loss_ : float
        Smallest loss of an epoch, the validation loss if there is one; or the loss of the epoch
        with the best score, if `early_stopping` is a scorer.
    best_iter_ : int
        Epoch of `best_loss_`, counted from 0.
    loss_curve_ : list of float
        Mean loss over the batches of each epoch, each before its step; ``partial_fit`` keeps the
        last thousand.
    validation_loss_curve_ : list of float
        Validation loss after each epoch; only with a validation set.
    validation_score_curve_ : list of float
        Score on the validation set after each epoch; only if `early_stopping` is a scorer.
    learning_rate_ : float
        Learning rate of the first epoch; 1.0 for ``"lbfgs"``, which has none.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had string names.

    References
    ----------
    .. [1] D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating
       errors", Nature 323 (1986).
    .. [2] K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015.
    .. [3] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010.
    .. [4] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: a
       simple way to prevent neural networks from overfitting", JMLR 15 (2014).
    .. [5] Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient backprop", in "Neural networks:
       tricks of the trade", Springer (1998).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gd import FeedForwardRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> y = X[:, 0] ** 2
    >>> net = FeedForwardRegressor(
    ...     hidden_layer_sizes=(20, 20), activation=["tanh", "relu"], max_iter=200, random_state=0
    ... )
    >>> bool(net.fit(X, y).score(X, y) > 0.98)
    True
    """

    def __init__(
        self,
        *,
        hidden_layer_sizes: int | Sequence[int] = (128, 64),
        activation: Any = "silu",
        output_activation: Any = "identity",
        loss: str | Loss = "squared_error",
        standardize: str | bool = "robust",
        solver: str | Solver = "adam",
        learning_rate: float | str | Schedule = "auto",
        alpha: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        batch_size: int | str | None = "auto",
        max_iter: int = 40,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        shuffle: bool = True,
        early_stopping: bool | str | Callable[..., float] = False,
        validation_fraction: float = 0.1,
        init: str = "auto",
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.output_activation = output_activation
        self.loss = loss
        self.standardize = standardize
        self.solver = solver
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.dropout = dropout
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.init = init
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples: not negative, not all zero.
        X_val, y_val : array-like, optional
            Validation set, used instead of one that `early_stopping` holds out.
        sample_weight_val : array-like, optional
            Weights of the samples of the validation set.

        Returns
        -------
        self : FeedForwardRegressor

        Raises
        ------
        ValueError, TypeError
            For bad input, naming the parameter; the estimator stays as it was.
        DivergenceError
            If the loss grows without bound.
        """
        self._train(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

    @available_if(_makes_steps)
    @all_or_nothing
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch, starting from the current weights.

        The state of the solver, the random generator and the epoch of the schedule carry over from
        call to call; a changed learning rate takes effect.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples: not negative. If all are zero, the call does nothing.

        Returns
        -------
        self : FeedForwardRegressor

        Raises
        ------
        ValueError, TypeError
            For bad input or `early_stopping`, or if the features, the outputs or the layers have
            changed.
        DivergenceError
            If the loss is no longer finite.
        """
        self._train_once(X, y, sample_weight)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Return the network's outputs.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, with as many dimensions as y had in ``fit``. For a loss of several
            quantiles, a column for each, sorted in each row so that they never cross.
        """
        self = as_of_now(self)
        check_is_fitted(self)
        y_pred = self._outputs(X, self._activations, "predict")
        if self._levels:  # quantiles, which never cross
            return namespace(y_pred).sort(y_pred, axis=1)
        return y_pred[:, 0] if self._one_axis else y_pred

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination R².

        For a loss of several quantiles, it is the mean of their D², with the pinball loss in place
        of the squared error, as :func:`sklearn.metrics.d2_pinball_score`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        score : float
        """
        if not self._levels:
            return float(super().score(X, y, sample_weight))
        from sklearn.metrics import d2_pinball_score

        columns = zip(self._levels, np.asarray(on_host(self.predict(X))).T, strict=True)
        y, weights = on_host(y), {"sample_weight": sample_weight}
        scores = [d2_pinball_score(y, column, alpha=q, **weights) for q, column in columns]
        return float(np.mean(scores))

    def _resolve_loss(self, output: Activation) -> tuple[Loss, Activation]:
        loss = as_loss(self.loss, several_quantiles=True)
        if isinstance(loss, LogLoss):
            raise ValueError(
                f"loss={self.loss!r} is for classes: take FeedForwardClassifier, or another loss."
            )
        if loss.link is not None and not isinstance(output, Identity):
            raise ValueError(
                f"loss={self.loss!r} has a link, {loss.link!r}: output_activation must be "
                f"'identity'. Got {self.output_activation!r}."
            )
        return loss, output

    def _check_outputs(self, n_outputs: int, one_axis: bool) -> None:
        before = 1 if self._levels else self.n_outputs_
        if n_outputs != before or one_axis != self._one_axis:
            seen = "one axis" if self._one_axis else f"{before} columns"
            got = "one axis" if one_axis else f"{n_outputs} columns"
            raise ValueError(f"y has {got}; in the fit before it had {seen}.")

    def _check_train(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Dataset, bool]:
        space = space_of(X)
        if space is not None:
            return check_array_rows(self, space, X, y, sample_weight)
        rows, one_axis = Rows.checked(self, X, y, sample_weight)
        require_some_weight(rows.weights)
        return rows._replace(X=by_rows(rows.X)), one_axis

    def _check_held_out(
        self,
        X_val: ArrayLike,
        y_val: ArrayLike,
        weights_val: ArrayLike | None,
        train: Dataset,
        one_axis: bool,
    ) -> Dataset:
        if isinstance(train, ArrayRows):
            return check_held_out_rows(self, X_val, y_val, weights_val, train)
        X_val, y_val, weights_val = all_as_numpy(X_val, y_val, weights_val)
        X_val, y_val, weights = check_validation_rows(
            lambda X, y: check_regression(self, X, y, reset=False)[:2],
            X_val,
            y_val,
            weights_val,
            train.dtype,
        )
        if y_val.shape[1] != train.n_outputs:
            raise ValueError(
                f"y_val must have the columns of y. Got shape {y_val.shape} for "
                f"{(train.n_samples, train.n_outputs)}."
            )
        return Rows(X_val, in_precision(y_val, train.dtype, "y_val"), weights)

    def _validation_data(self, held_out: Dataset) -> tuple[Matrix, Array, Array | None] | None:
        if not isinstance(held_out, Rows):
            return None
        X, y, weights = held_out
        return X, y[:, 0] if self._one_axis else y, weights

    def _check_once(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *_: object
    ) -> tuple[Rows, bool]:
        first = not hasattr(self, "coefs_")
        rows, one_axis = Rows.checked(self, X, y, sample_weight, reset=first)
        if not first:
            self._check_outputs(rows.n_outputs, one_axis)
        dtype = rows.dtype if first else self._precision()
        X, y = in_precision(by_rows(rows.X), dtype), in_precision(rows.y, dtype, "y")
        return Rows(X, y, rows.weights), one_axis


def _require_layers(
    coefs: Sequence[DeviceArray], intercepts: Sequence[DeviceArray], n_features: int
) -> None:
    """Raise a ValueError if edited layers do not fit each other."""
    if len(coefs) != len(intercepts) or not coefs:
        raise ValueError(
            "coefs_ and intercepts_ must hold one array per layer each. Got "
            f"{len(coefs)} and {len(intercepts)}."
        )
    fan_in, dtype = n_features, getattr(coefs[0], "dtype", None)
    for i, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        right = all(getattr(each, "dtype", None) == dtype is not None for each in (W, b))
        if isinstance(W, np.ndarray):
            right = right and dtype in (np.float32, np.float64)
        if not right or np.ndim(W) != 2 or W.shape[0] != fan_in or b.shape != W.shape[1:]:
            raise ValueError(
                f"coefs_[{i}] and intercepts_[{i}] must be arrays of shapes ({fan_in}, k) and "
                "(k,), of one type, float32 or float64, that of coefs_[0]. Got "
                f"{described(W)} and {described(b)}."
            )
        fan_in = W.shape[1]


def _units(network: Network, train: Dataset) -> Array:
    """Return the unit of each parameter: that of y for a linear output layer, else 1."""
    unit = np.ones(network.size)  # with targets standardised already, too
    if network.scales_targets:
        _, spread = train.target_moments()
        for array in network.layers(unit)[-1]:
            array[:] = np.where(spread > 0, spread, 1.0)
    return unit


def _either(*remedies: str) -> str:
    """Return a sentence of advice."""
    return f"Try: {', or '.join(remedies)}."


def _barely_moves_at_zero(activation: Activation) -> bool:
    """Return whether f is nearly flat at 0 or just below, as the ReLU: no place to start."""
    z = np.array([0.0, -0.01])
    return bool(activation.derivative(z, activation(z.copy())).min() < 0.1)
