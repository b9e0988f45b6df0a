"""Sums over chunks are those over all rows, in any grouping."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd._models.least_squares import Moments
from sklearn_gd.dask._reduction import LineSums, _combined

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 1))


def sums(part, one_axis=True):
    moments = Moments(3, 1).added(X[part], Y[part], None)
    return LineSums(moments, len(X[part]), Y[part].min(), Y[part].max(), one_axis)


def test_chunks_combine_to_the_whole():
    parts = [sums(slice(0, 7)), None, sums(slice(7, 9)), sums(slice(9, 20))]
    whole = sums(slice(None))
    for found in (_combined(parts), _combined([_combined(parts[:3]), parts[3]])):
        assert (found.n_samples, found.low, found.high) == whole[1:4]
        assert_allclose(found.moments.xx, whole.moments.xx)
        assert_allclose(found.moments.xy, whole.moments.xy)
    assert _combined([None, None]) is None


def test_chunks_with_other_columns_do_not_combine():
    with pytest.raises(ValueError, match="same columns"):
        _combined([sums(slice(0, 7)), sums(slice(7, 9), one_axis=False)])
