"""Proximal steps on an L1 penalty."""

from __future__ import annotations

from sklearn_gd._pieces import Array, namespace


def soft_threshold(parameters: Array, threshold: Array) -> Array:
    """Move parameters towards 0 by up to `threshold`, in place if they are a NumPy array.

    This is the proximal operator of an L1 penalty; parameters within the threshold become 0.
    """
    xp = namespace(parameters)
    parameters -= xp.minimum(xp.maximum(parameters, -threshold), threshold)
    return parameters


def gradient_mapping(parameters: Array, gradient: Array, rate: float | Array, l1: Array) -> Array:
    """Return the gradient mapping: the proximal step of plain descent, over minus the rate.

    It vanishes exactly at a minimum. For rates near 0 it is the subgradient of smallest norm.
    """
    xp = namespace(gradient)
    step = rate + float(xp.finfo(gradient.dtype).smallest_normal)  # not 0
    return gradient + xp.minimum(xp.maximum(parameters / step - gradient, -l1), l1)
