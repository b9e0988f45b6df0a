"""One epoch: each batch a step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sklearn_gd._training.stopping import is_finite
from sklearn_gd.solvers import Rate, Solver

Array = np.ndarray[Any, np.dtype[Any]]


def run_epoch(
    objective: Any, solver: Solver, parameters: Array, batches: Any, rate: Rate
) -> tuple[float, int]:
    """Make one step a batch; return the mean loss as it was met, and the number of steps.

    The loss is NaN where the steps lead to weights that are not finite: the loss of such weights
    may be a number, since a comparison with NaN is false and not NaN.
    """
    total, steps = 0.0, 0
    for batch in batches:
        loss, gradient = objective(parameters, *batch)
        solver.step(parameters, gradient, rate)
        total += loss
        steps += 1
    return float(_nan_unless_finite(total, parameters)) / batches.total_weight, steps


def _nan_unless_finite(loss: Any, parameters: Any) -> Any:
    """Return the loss; NaN where it is finite and some of the parameters are not."""
    if not isinstance(parameters, np.ndarray):
        # 0 * inf is NaN: nothing more than the loss is read back from a device.
        return loss + (parameters.sum() * 0.0).value
    hidden = math.isfinite(loss) and not is_finite(parameters)
    return math.nan if hidden else loss
