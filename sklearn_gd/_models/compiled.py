"""Epochs of small networks in one call of compiled code, where all pieces are built in."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from sklearn_gd import _kernels
from sklearn_gd._data.batches import Batches
from sklearn_gd._data.split import PickedRows
from sklearn_gd._models.class_rows import OneHot
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import OnRows
from sklearn_gd._models.scaling import Affine
from sklearn_gd._pieces import Array
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
_SOLVERS: list[type[Solver]] = [GradientDescent, Momentum, Nesterov, Adagrad, RMSprop, Adam]

# The hyper-parameter of a piece that has one.
_PARAMETER = {LeakyReLU: "negative_slope", ELU: "alpha", Huber: "delta", Pinball: "quantile"}
_SOLVER_PARAMETERS: Mapping[type[Solver], tuple[str, ...]] = {
    Momentum: ("momentum",),
    Nesterov: ("momentum",),
    Adagrad: ("epsilon",),
    RMSprop: ("decay", "epsilon"),
    Adam: ("beta_1", "beta_2", "epsilon"),
    AdamW: ("beta_1", "beta_2", "epsilon", "weight_decay"),
}
_STATES: Mapping[type[Solver], tuple[str, ...]] = {
    Momentum: ("velocity_",),
    Nesterov: ("velocity_",),
    Adagrad: ("squares_",),
    RMSprop: ("squares_",),
    Adam: ("means_", "squares_"),
    AdamW: ("means_", "squares_"),
}

# For batches of up to so many rows: the largest number of weights of a layer for which an epoch is
# faster than with BLAS, measured with layers of 64 to 256 neurons on a machine with two cores.
_MOST_WEIGHTS = {64: 40_000, 256: 12_000, 1024: 8_192}

_NOTHING = np.zeros(0)


class CompiledEpochs:
    """Epochs of gradient steps in compiled code.

    Parameters
    ----------
    objective : OnRows
    batches : Batches
    solver : Solver
    """

    def __init__(self, objective: OnRows, batches: Batches, solver: Solver) -> None:
        self._network, self._batches, self._solver = objective.network, batches, solver
        X, y = batches.X, batches.y
        self._X: Array = X.X if isinstance(X, PickedRows) else X
        self._picked: Array | None = X.rows if isinstance(X, PickedRows) else None
        dtype, codes, ends = self._network.dtype, np.zeros(0, np.int32), (0.0, 1.0)
        if isinstance(y, OneHot):
            y, codes, ends = np.zeros((0, 1)), y.codes.astype(np.int32), y.ends
        self._targets = np.ascontiguousarray(y, dtype), codes, *ends
        weights = batches.weights
        self._weights = _NOTHING if weights is None else np.ascontiguousarray(weights, np.float64)
        self._fixed = _numbers_of(self._network)

    def run(self, parameters: Array, rate: float, step: int) -> tuple[float, int]:
        """Run an epoch, which moves the parameters; return the summed loss and the next step."""
        batches, solver, kind = self._batches, self._solver, type(self._solver)
        order = batches.order()
        x_order = self._picked
        if self._picked is not None and order is not None:
            x_order = self._picked[order]
        states = [vars(solver)[name] for name in _STATES.get(kind, ())]
        states += [np.zeros(0, parameters.dtype)] * (2 - len(states))
        loss, step, n_steps = _kernels.network_epoch(
            *self._fixed[0],
            parameters,
            *self._fixed[1],
            step,
            self._X,
            *self._targets,
            self._weights,
            batches.total_weight / batches.n_samples,
            _as_order(order),
            _as_order(x_order),
            batches.n_samples,
            batches.size,
            _solver_number(kind),
            _solver_numbers(solver),
            *states,
            getattr(solver, "steps_", 0),
            rate,
        )
        if hasattr(solver, "steps_"):
            solver.steps_ = n_steps
        return loss, step


def compiled_epochs(objective: object, batches: object, solver: Solver) -> CompiledEpochs | None:
    """Return the epochs in compiled code, or None where they run in NumPy.

    They do where a piece is not built in, or where BLAS is faster.
    """
    if not (type(objective) is OnRows and type(batches) is Batches):
        return None
    X, network = batches.X, objective.network
    X = X.X if isinstance(X, PickedRows) else X
    if not (isinstance(X, np.ndarray) and X.dtype == network.dtype and X.flags.aligned):
        return None
    if not (_is_built_in(network) and type(solver) in (*_SOLVERS, AdamW)):
        return None
    return CompiledEpochs(objective, batches, solver) if _is_small(network, batches) else None


def _is_built_in(network: Network) -> bool:
    kinds = [type(activation) for activation in network.activations]
    return (
        len(kinds) <= _kernels.NETWORK_LAYERS
        and all(kind in _ACTIVATIONS for kind in kinds)
        and Affine not in kinds[:-1]
        and type(network.loss) in _LOSSES
        and network.dtype in (np.float32, np.float64)
    )


def _is_small(network: Network, batches: Batches) -> bool:
    largest = max(fan_in * fan_out for fan_in, fan_out in pairwise(network.sizes))
    limits = [most for rows, most in _MOST_WEIGHTS.items() if batches.size <= rows]
    return bool(limits) and largest <= limits[0]


def _numbers_of(network: Network) -> tuple[list[Any], list[Any]]:
    """Return the arguments before and after the parameters, which describe a network."""
    dtype, columns, output = network.dtype, network.columns, network.activations[-1]
    nothing = np.zeros(0, dtype)
    affine, scale, squash = [nothing, nothing], [nothing, nothing], False
    if isinstance(output, Affine):
        shape = (network.n_outputs,)
        affine = [np.array(np.broadcast_to(a, shape)) for a in (output.mean, output.spread)]
    if columns is not None:
        scale = [np.ascontiguousarray(a) for a in (columns.center, columns.scale)]
        squash = columns.squash
    dropout = network.dropout
    masks: list[Any] = [np.zeros(0, np.uint32), 0]
    if dropout is not None:
        masks = [np.array(dropout.thresholds, np.uint32), dropout.key]
    before = [
        np.array(network.sizes, np.intp),
        np.array([_ACTIVATIONS.index(type(f)) for f in network.activations], np.int32),
        np.concatenate([_parameters_of(f) for f in network.activations]),
        network.biases,
    ]
    after = [
        *affine,
        *scale,
        squash,
        float(network.alpha),
        _loss_number(network),
        _parameters_of(network.loss),
        1.0 / (network.divisor * network.baseline_loss),
        float(network.divisor),
        *masks,
    ]
    return before, after


def _loss_number(network: Network) -> int:
    kind: type[Loss] = type(network.loss)
    if kind is LogLoss and network.n_outputs == 1:
        kind = BinaryLogLoss
    return _LOSSES.index(kind)


def _parameters_of(piece: Activation | Loss) -> Array:
    name = _PARAMETER.get(type(piece))
    return np.atleast_1d(np.asarray(0.0 if name is None else getattr(piece, name), np.float64))


def _solver_number(kind: type[Solver]) -> int:
    return _SOLVERS.index(Adam if kind is AdamW else kind)


def _solver_numbers(solver: Solver) -> Array:
    numbers = np.zeros(4)
    for i, name in enumerate(_SOLVER_PARAMETERS.get(type(solver), ())):
        value = getattr(solver, name)
        numbers[i] = 0.9 if value == "auto" else value
    return numbers


def _as_order(numbers: Array | None) -> Array:
    if numbers is None:
        return np.zeros(0, np.intp)
    return np.ascontiguousarray(numbers, np.intp)
