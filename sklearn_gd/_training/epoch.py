"""One epoch: each batch a step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sklearn_gd._pieces import namespace
from sklearn_gd._training.stopping import is_finite
from sklearn_gd.solvers import Rate, Solver

Array = np.ndarray[Any, np.dtype[Any]]


def run_epoch(
    objective: Any, solver: Solver, parameters: Array, batches: Any, rate: Rate
) -> tuple[float, int, Array]:
    """Make one step per batch; return the mean loss as it was met, and the number of steps.

    The parameters are returned, too: NumPy's are moved in place, and not every library can. The
    loss is NaN where the steps lead to weights that are not finite: the loss of such weights may
    be a number, since a comparison with NaN is false and not NaN.
    """
    total, steps = 0.0, 0
    for batch in batches:
        loss, gradient = objective(parameters, *batch)
        moved = solver.step(parameters, gradient, rate)
        parameters = parameters if moved is None else moved
        total += loss
        steps += 1
    loss = float(_nan_unless_finite(total, parameters)) / batches.total_weight
    return loss, steps, parameters


def _nan_unless_finite(loss: Any, parameters: Any) -> Any:
    """Return the loss; NaN where it is finite and some of the parameters are not."""
    if not isinstance(parameters, np.ndarray):
        # 0 * inf is NaN: nothing more than the loss is read back from a device.
        return loss + namespace(parameters).sum(parameters) * 0.0
    hidden = math.isfinite(loss) and not is_finite(parameters)
    return math.nan if hidden else loss
