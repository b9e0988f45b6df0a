"""Epochs of small networks in one call of compiled code, where all pieces are built in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from sklearn_gd import _kernels
from sklearn_gd._data.batches import Batches
from sklearn_gd._data.split import PickedRows
from sklearn_gd._models.class_rows import OneHot
from sklearn_gd._models.interfaces import NetworkObjective
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import OnRows
from sklearn_gd._models.scaling import Affine, ColumnScaling
from sklearn_gd._pieces import Array, Targets
from sklearn_gd.activations import (
    ELU,
    GELU,
    Activation,
    Exp,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from sklearn_gd.losses import (
    AbsoluteError,
    BinaryLogLoss,
    Huber,
    LogCosh,
    LogLoss,
    Loss,
    Pinball,
    Poisson,
    SquaredError,
)
from sklearn_gd.solvers import (
    Adagrad,
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    RMSprop,
    Solver,
)

# In the order of the enumerations in _kernels/network_epoch.h.
_ACTIVATIONS: list[type[Activation]] = [
    Identity,
    Sigmoid,
    Tanh,
    ReLU,
    LeakyReLU,
    ELU,
    Softplus,
    SiLU,
    GELU,
    Exp,
    Affine,
]
_LOSSES: list[type[Loss]] = [
    SquaredError,
    AbsoluteError,
    Huber,
    Pinball,
    LogCosh,
    Poisson,
    BinaryLogLoss,
    LogLoss,
]


class _SolverCode(NamedTuple):
    number: int
    parameters: Callable[[Any], Sequence[float]]
    states: tuple[str, ...] = ()


_SOLVERS: Mapping[type[Solver], _SolverCode] = {
    GradientDescent: _SolverCode(0, lambda _: ()),
    Momentum: _SolverCode(1, lambda s: [s.momentum], ("velocity_",)),
    Nesterov: _SolverCode(2, lambda s: [s._constant_momentum()], ("velocity_",)),
    Adagrad: _SolverCode(3, lambda s: [s.epsilon], ("squares_",)),
    RMSprop: _SolverCode(4, lambda s: [s.decay, s.epsilon], ("squares_",)),
    Adam: _SolverCode(5, lambda s: [s.beta_1, s.beta_2, s.epsilon], ("means_", "squares_")),
    AdamW: _SolverCode(
        5, lambda s: [s.beta_1, s.beta_2, s.epsilon, s.weight_decay], ("means_", "squares_")
    ),
}

# The hyper-parameter of a piece that has one.
_PARAMETER = {LeakyReLU: "negative_slope", ELU: "alpha", Huber: "delta", Pinball: "quantile"}

# For batches of up to so many rows: the largest number of weights of a layer for which an epoch is
# faster than with BLAS, measured with layers of 64 to 256 neurons on a machine with two cores.
_MOST_WEIGHTS = {64: 40_000, 256: 12_000, 1024: 8_192}

# As many rows as compiled code finds losses of together.
_ROWS_TOGETHER = 128

# Up to so many numbers, 32 MB, X is scaled once; beyond, whenever a batch is gathered.
_SCALED_AT_ONCE = 1 << 22

_NO_NUMBERS, _NO_CODES = np.zeros(0, np.intp), np.zeros(0, np.int32)
_NO_WEIGHTS = _NO_GRADIENT = np.zeros(0)


class NetworkNumbers(NamedTuple):
    """What compiled code knows of a network; empty arrays stand for what it does not have."""

    sizes: Array
    activations: Array
    activation_parameters: Array
    biases: bool
    mean: Array
    spread: Array
    center: Array
    scale: Array
    squash: bool
    alpha: float
    loss: int
    loss_parameters: Array
    factor: float
    divisor: float
    thresholds: Array
    key: int

    @classmethod
    def of(cls, network: Network, columns: ColumnScaling | None) -> NetworkNumbers:
        """Return the numbers of a network whose rows are scaled while a batch is gathered."""
        dtype, output = network.dtype, network.activations[-1]
        mean = spread = center = scale = np.zeros(0, dtype)
        if isinstance(output, Affine):
            shape = (network.n_outputs,)
            mean, spread = (
                np.array(np.broadcast_to(each, shape)) for each in (output.mean, output.spread)
            )
        if columns is not None:
            center, scale = (np.ascontiguousarray(a) for a in (columns.center, columns.scale))
        dropout = network.dropout
        return cls(
            sizes=np.array(network.sizes, np.intp),
            activations=np.array(
                [_ACTIVATIONS.index(type(f)) for f in network.activations], np.int32
            ),
            activation_parameters=np.concatenate([_parameters_of(f) for f in network.activations]),
            biases=network.biases,
            mean=mean,
            spread=spread,
            center=center,
            scale=scale,
            squash=columns is not None and columns.squash,
            alpha=float(network.alpha),
            loss=_loss_number(network),
            loss_parameters=_parameters_of(network.loss),
            factor=1.0 / (network.divisor * network.baseline_loss),
            divisor=float(network.divisor),
            thresholds=np.array([] if dropout is None else dropout.thresholds, np.uint32),
            key=0 if dropout is None else dropout.key,
        )


class RowNumbers(NamedTuple):
    """What compiled code knows of rows: X, targets or codes of classes, and weights."""

    X: Array
    y: Array
    codes: Array
    low: float
    high: float
    weights: Array

    @classmethod
    def of(cls, X: Array, y: Targets, weights: Array | None) -> RowNumbers:
        dtype, codes, ends = X.dtype, _NO_CODES, (0.0, 1.0)
        if isinstance(y, OneHot):
            y, codes, ends = np.zeros((0, 1)), y.codes.astype(np.int32), y.ends
        weights = _NO_WEIGHTS if weights is None else np.ascontiguousarray(weights, np.float64)
        return cls(X, np.ascontiguousarray(y, dtype), codes, *ends, weights)


class SolverNumbers(NamedTuple):
    """What compiled code knows of a solver; its states are changed in place."""

    kind: int
    parameters: Array
    state_1: Array
    state_2: Array
    steps: int

    @classmethod
    def of(cls, solver: Solver, dtype: DTypeLike) -> SolverNumbers:
        code = _SOLVERS[type(solver)]
        parameters = np.zeros(4)
        parameters[: len(code.parameters(solver))] = code.parameters(solver)
        none = np.zeros(0, dtype)
        first, second, *_ = *(vars(solver)[name] for name in code.states), none, none
        return cls(code.number, parameters, first, second, getattr(solver, "steps_", 0))


class CompiledObjective(OnRows):
    """The loss of a network over fixed rows, and its gradient, in compiled code if that is faster.

    Parameters
    ----------
    objective : OnRows
        The same in NumPy.
    """

    def __init__(self, objective: OnRows) -> None:
        super().__init__(objective.network, objective.rows)
        # A pass of a single layer over all rows is two products and a few operations on vectors.
        has_hidden_layers = len(self.network.sizes) > 2
        self._is_faster = has_hidden_layers and is_small(self.network, _ROWS_TOGETHER)
        self._numbers: tuple[NetworkNumbers, RowNumbers, Array | None] | None = None

    def numbers(self) -> tuple[NetworkNumbers, RowNumbers, Array | None]:
        """Return network and rows, and the numbers of the rows if some are picked."""
        if self._numbers is None:
            self._numbers = self._find_numbers()
        return self._numbers

    def _find_numbers(self) -> tuple[NetworkNumbers, RowNumbers, Array | None]:
        (X, y, weights), columns = self.rows, self.network.columns
        if columns is not None and X.shape[0] * X.shape[1] <= _SCALED_AT_ONCE:
            X, columns = columns(X[:]), None
        X, picked = _stored(X)
        return NetworkNumbers.of(self.network, columns), RowNumbers.of(X, y, weights), picked

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        if not self._is_faster:
            return super().__call__(parameters)
        gradient = np.zeros(parameters.shape)
        loss = self._evaluated(parameters, gradient)
        return loss, gradient.astype(self.network.dtype, copy=False)

    def mean_loss(self, parameters: Array) -> float:
        if not self._is_faster:
            return super().mean_loss(parameters)
        return self._evaluated(parameters, _NO_GRADIENT)

    def _evaluated(self, parameters: Array, gradient: Array) -> float:
        network, rows, picked = self.numbers()
        loss: float = _kernels.network_objective(
            np.ascontiguousarray(parameters),
            network,
            rows,
            _as_order(picked),
            self.rows.total_weight,
            gradient,
        )
        return loss / self.rows.total_weight


class CompiledEpochs:
    """Epochs of gradient steps in compiled code.

    Parameters
    ----------
    objective : CompiledObjective
    batches : Batches
        Batches of the rows of the objective.
    solver : Solver
    """

    def __init__(self, objective: CompiledObjective, batches: Batches, solver: Solver) -> None:
        self._objective, self._batches, self._solver = objective, batches, solver

    def run(self, parameters: Array, rate: float, step: int) -> tuple[float, int]:
        """Run an epoch, which moves the parameters; return the summed loss and the next step."""
        batches, solver = self._batches, self._solver
        network, rows, x_order = self._objective.numbers()
        order = batches.order()
        if x_order is not None and order is not None:
            x_order = x_order[order]
        loss, step, n_steps = _kernels.network_epoch(
            parameters,
            network,
            rows,
            SolverNumbers.of(solver, parameters.dtype),
            _as_order(order),
            _as_order(x_order),
            batches.size,
            batches.total_weight / batches.n_samples,
            rate,
            step,
        )
        if hasattr(solver, "steps_"):
            solver.steps_ = n_steps
        return loss, step


def compiled(objective: NetworkObjective) -> NetworkObjective:
    """Return an objective in compiled code, or itself where that lacks a piece, or takes no X."""
    if type(objective) is not OnRows:
        return objective
    network, (X, _) = objective.network, _stored(objective.rows.X)
    kinds = [type(activation) for activation in network.activations]
    is_built_in = (
        len(kinds) <= _kernels.NETWORK_LAYERS
        and all(kind in _ACTIVATIONS for kind in kinds)
        and Affine not in kinds[:-1]
        and type(network.loss) in _LOSSES
        and network.dtype in (np.float32, np.float64)
    )
    takes_rows = isinstance(X, np.ndarray) and X.dtype == network.dtype and X.flags.aligned
    return CompiledObjective(objective) if is_built_in and takes_rows else objective


def compiled_epochs(
    objective: NetworkObjective, batches: object, solver: Solver
) -> CompiledEpochs | None:
    """Return the epochs in compiled code, or None where they run in NumPy.

    They do where a piece is not built in, or where BLAS is faster.
    """
    if not isinstance(objective, CompiledObjective) or type(batches) is not Batches:
        return None
    if type(solver) not in _SOLVERS or not is_small(objective.network, batches.size):
        return None
    return CompiledEpochs(objective, batches, solver)


def _stored(X: Array | PickedRows) -> tuple[Array, Array | None]:
    """Return the stored rows, and the numbers of the picked ones; None for all."""
    return (X.X, X.rows) if isinstance(X, PickedRows) else (X, None)


def is_small(network: Network, batch_size: int) -> bool:
    """Return whether epochs of such batches are faster than with BLAS."""
    largest = max(fan_in * fan_out for fan_in, fan_out in pairwise(network.sizes))
    limits = [most for rows, most in _MOST_WEIGHTS.items() if batch_size <= rows]
    return bool(limits) and largest <= limits[0]


def _loss_number(network: Network) -> int:
    kind: type[Loss] = type(network.loss)
    if kind is LogLoss and network.n_outputs == 1:
        kind = BinaryLogLoss
    return _LOSSES.index(kind)


def _parameters_of(piece: Activation | Loss) -> Array:
    name = _PARAMETER.get(type(piece))
    return np.atleast_1d(np.asarray(0.0 if name is None else getattr(piece, name), np.float64))


def _as_order(numbers: Array | None) -> Array:
    return _NO_NUMBERS if numbers is None else np.ascontiguousarray(numbers, np.intp)
