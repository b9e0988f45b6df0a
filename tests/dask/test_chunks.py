"""Collections in chunks of rows, without a cluster."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

da = pytest.importorskip("dask.array", reason="dask is not installed")
pytest.importorskip("distributed", reason="distributed is not installed")


from sklearn_gd import ThroughOriginRegressor  # noqa: E402
from sklearn_gd.dask._chunks import is_frame, is_lazy, lazy_chunks, with_whole_rows  # noqa: E402

X = np.arange(40.0).reshape(10, 4)


def computed(chunk):
    return chunk.then(lambda data: data).compute(scheduler="synchronous")


def test_the_chunks_are_those_of_the_features():
    lazy = da.from_array(X, chunks=(4, 2))  # in columns, too
    y = da.from_array(X[:, 0], chunks=3)
    model = ThroughOriginRegressor()
    chunks = lazy_chunks(model, lazy, y, X[:, 1])
    assert (chunks.n_features, chunks.dtype, model.n_features_in_) == (4, np.float64, 4)
    found = [computed(chunk) for chunk in chunks.chunks]
    assert [len(part) for part, *_ in found] == [4, 4, 2]
    for column, expected in enumerate((X, X[:, 0], X[:, 1])):
        assert_array_equal(np.concatenate([part[column] for part in found]), expected)


def test_what_is_lazy():
    lazy = da.from_array(X, chunks=4)
    assert is_lazy(None, X, lazy)
    assert not is_lazy(None, X, pd.DataFrame(X))
    assert not is_frame(lazy)
    assert with_whole_rows(da.from_array(X, chunks=(4, 2))).chunks == ((4, 4, 2), (4,))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "requires y"),
        (da.zeros(9, chunks=3), "9"),
        (da.zeros((10, 2, 2), chunks=5), "y"),
    ],
)
def test_targets_that_do_not_fit_are_named(y, words):
    with pytest.raises((TypeError, ValueError), match=words):
        lazy_chunks(ThroughOriginRegressor(), da.from_array(X, chunks=4), y, None)
