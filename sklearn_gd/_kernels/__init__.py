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
# The reference of an epoch of a network is `Network`, in NumPy. The largest number of layers is 0
# where the epoch is not compiled.
NETWORK_LAYERS: int = getattr(kernels, "NETWORK_LAYERS", 0)
network_epoch: Any = getattr(kernels, "network_epoch", None)
relu_backward = kernels.relu_backward
rosenblatt_dense = kernels.rosenblatt_dense
rosenblatt_sparse = kernels.rosenblatt_sparse
sgd_step = kernels.sgd_step
