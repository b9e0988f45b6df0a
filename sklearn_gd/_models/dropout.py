"""Dropout of the outputs of hidden layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from sklearn_gd._pieces import Array

_PER_BLOCK = 8  # numbers of 32 bits that Philox4x64-10 makes at once


class Dropout:
    """Random masks of inverted dropout for the hidden layers of a network.

    A mask is a function of the key, the layer, the step and the numbers of the rows in their
    batch, by a counter-based generator [1]_: parts of a batch, on other machines or in other
    loops, get the same masks as the whole batch does.

    Parameters
    ----------
    rates : sequence of float
        Share of the outputs of each hidden layer that are set to 0, in [0, 1).
    key : int
        Key of the generator, below 2**64.

    References
    ----------
    .. [1] J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
       SC 2011.
    """

    def __init__(self, rates: Sequence[float], key: int) -> None:
        self.key = key
        # 32-bit numbers below it silence an output; the other outputs keep the mean exactly.
        self.thresholds = [min(round(rate * 2**32), 2**32 - 1) for rate in rates]

    def masks(
        self, step: int, rows: slice, widths: Sequence[int], dtype: DTypeLike
    ) -> list[Array | None]:
        """Return factors 0 or 1 / (1 - rate) for the outputs of each hidden layer.

        Parameters
        ----------
        step : int
            Number of the gradient step, counted from the start of the descent.
        rows : slice
            Numbers of the rows in their batch.
        widths : sequence of int
            Number of neurons per hidden layer.
        dtype : dtype

        Returns
        -------
        masks : list of ndarray of shape (n_samples, width) or None
            None for a layer without dropout.
        """
        return [
            self._mask(layer, step, rows, width, dtype) if self.thresholds[layer] else None
            for layer, width in enumerate(widths)
        ]

    def _mask(self, layer: int, step: int, rows: slice, width: int, dtype: DTypeLike) -> Array:
        blocks = -(-width // _PER_BLOCK)  # per row, so that a row's numbers are its own
        generator = np.random.Philox(key=self.key, counter=[rows.start * blocks, layer, step, 0])
        n_samples, threshold = rows.stop - rows.start, self.thresholds[layer]
        raw = generator.random_raw(n_samples * blocks * _PER_BLOCK // 2).astype("<u8", copy=False)
        drawn = raw.view("<u4").reshape(n_samples, blocks * _PER_BLOCK)[:, :width]
        kept = (drawn >= np.uint32(threshold)).astype(dtype)
        return kept * kept.dtype.type(1 / (1 - threshold / 2**32))
