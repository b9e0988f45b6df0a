"""Rosenblatt's loop: compiled where the extension was built, else in plain Python.

Set the environment variable ``SKLEARN_GD_PURE_PYTHON=1`` before the import to have the latter.
"""

from __future__ import annotations

import os

from sklearn_gd import _kernels_reference

__all__ = ["COMPILED", "rosenblatt_dense", "rosenblatt_sparse"]

COMPILED = False
rosenblatt_dense = _kernels_reference.rosenblatt_dense
rosenblatt_sparse = _kernels_reference.rosenblatt_sparse

if os.environ.get("SKLEARN_GD_PURE_PYTHON", "0") in ("", "0"):
    try:
        from sklearn_gd._kernels import rosenblatt_dense, rosenblatt_sparse
    except ImportError:
        pass
    else:
        COMPILED = True
