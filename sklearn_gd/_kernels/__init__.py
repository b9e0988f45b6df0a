"""The inner loops: compiled where the extension was built, else in plain Python and NumPy.

Set the environment variable ``SKLEARN_GD_PURE_PYTHON=1`` before the import to have the latter.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from typing import Any

from sklearn_gd._kernels import reference

__all__ = [
    "COMPILED",
    "adam",
    "descend",
    "gram",
    "moments",
    "rectify",
    "rosenblatt_dense",
    "rosenblatt_sparse",
    "silence",
]

kernels: Any = reference
if os.environ.get("SKLEARN_GD_PURE_PYTHON", "0") in ("", "0"):
    with suppress(ImportError):
        kernels = import_module("sklearn_gd._kernels.loops")

COMPILED = kernels is not reference
adam = kernels.adam
descend = kernels.descend
gram = kernels.gram
moments = kernels.moments
rectify = kernels.rectify
rosenblatt_dense = kernels.rosenblatt_dense
rosenblatt_sparse = kernels.rosenblatt_sparse
silence = kernels.silence
