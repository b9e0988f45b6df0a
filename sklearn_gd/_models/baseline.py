"""The loss of the best constant prediction, by which losses are measured."""

from __future__ import annotations

import numpy as np

from sklearn_gd._pieces import Array
from sklearn_gd.losses import Loss


def baseline_loss(loss: Loss, y: Array, weights: Array | None) -> float:
    """Return the loss that `tol` is relative to: that of the best constant prediction.

    For constant targets, which a constant predicts without loss, it is that of predicting zero.
    """
    with np.errstate(all="ignore"):
        constant: float = loss._constant_loss(y, weights)
        scale: float = loss._mean(y, np.zeros_like(y), weights)
    return measured_by(constant, scale)


def measured_by(constant: float, zero: float) -> float:
    """Return the loss to measure by: the best constant's, or where it is nothing, that of zero."""
    # What rounding leaves of a constant's loss is no scale to measure by.
    return constant if constant > 1e-12 * zero else zero
