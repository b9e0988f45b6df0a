"""Batches against slices of the rows, and chunks that cover all of them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_gd._data.batches import Batches, row_chunks, slice_rows
from sklearn_gd._data.split import PickedRows

X = np.arange(44.0).reshape(11, 4)
Y = X[:, :1] + 0.5
WEIGHTS = np.arange(11.0)


def dense(rows):
    return rows.toarray() if sparse.issparse(rows) else rows.copy()


@pytest.mark.parametrize(
    "make", [np.asarray, sparse.csr_array, lambda X: PickedRows(X, np.arange(11))]
)
@pytest.mark.parametrize("size", [1, 3, 11, 50])
@pytest.mark.parametrize("shuffled", [False, True])
def test_an_epoch_has_every_row_once(make, size, shuffled):
    generator = np.random.default_rng(0) if shuffled else None
    batches = Batches(make(X), Y, WEIGHTS, size, generator)
    drawn = [(dense(x[:]), y.copy(), w.copy()) for x, y, w, _ in batches]
    rows, targets, weights = (np.concatenate(part) for part in zip(*drawn, strict=True))
    order = (targets[:, 0] - 0.5).argsort()
    # The row of weight 0 is missing only where it is alone in its batch.
    kept = slice(1 if size == 1 else 0, None)
    assert_array_equal(rows[order], X[kept])
    assert_array_equal(weights[order], WEIGHTS[kept])
    assert np.array_equal(order, np.arange(len(order))) == (size >= 11 or not shuffled)


def test_shares_are_the_mean_weight_times_the_number_of_rows():
    batches = Batches(X, Y, WEIGHTS, 4, None)
    assert batches.total_weight == WEIGHTS.sum()
    assert [share for *_, share in batches] == [20.0, 20.0, 15.0]


@pytest.mark.parametrize(("n_samples", "width"), [(1, 1), (10, 1 << 18), (100_000, 7)])
def test_chunks_cover_all_rows_once(n_samples, width):
    rows = [
        i
        for part in row_chunks(np.empty((n_samples, 3)), width)
        for i in range(part.start, part.stop)
    ]
    assert rows == list(range(n_samples))


@pytest.mark.parametrize("rows", [slice(0, 11), slice(3, 7), slice(4, 4)])
def test_slices_of_csr_are_those_of_dense_rows(rows):
    part = slice_rows(sparse.csr_array(X), rows)
    assert part.has_canonical_format
    assert_array_equal(part.toarray(), slice_rows(X, rows))
