"""The inner loops: compiled where the extension was built, else in plain Python and NumPy.

Set the environment variable ``SKLEARN_GD_PURE_PYTHON=1`` before the import to have the latter.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from typing import Any

from sklearn_gd._kernels import reference
from sklearn_gd._kernels.reference import Epoch

__all__ = [
    "COMPILED",
    "NETWORK_LAYERS",
    "Epoch",
    "adam",
    "bias_relu",
    "gram",
    "moments",
    "network_epoch",
    "network_objective",
    "relu_backward",
    "rosenblatt_dense",
    "rosenblatt_sparse",
    "sgd_step",
]

kernels: Any = reference
if os.environ.get("SKLEARN_GD_PURE_PYTHON", "0") in ("", "0"):
    with suppress(ImportError):
        kernels = import_module("sklearn_gd._kernels.loops")

COMPILED = kernels is not reference
adam = kernels.adam
bias_relu = kernels.bias_relu
gram = kernels.gram
moments = kernels.moments
NETWORK_LAYERS: int = kernels.NETWORK_LAYERS  # the most that an epoch of a network takes
network_epoch: Any = kernels.network_epoch
network_objective: Any = kernels.network_objective
relu_backward = kernels.relu_backward
rosenblatt_dense = kernels.rosenblatt_dense
rosenblatt_sparse = kernels.rosenblatt_sparse
sgd_step = kernels.sgd_step
