"""Partitions: what a worker computes for its rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd.activations import as_activation
from sklearn_gd.dask._partition import (
    LabelledPartition,
    RegressionPartition,
    StridedBatch,
    one_axis_of,
    summed_loss,
)
from sklearn_gd.losses import as_loss

RNG = np.random.default_rng(0)
X, Y, WEIGHTS = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2)), RNG.uniform(size=12)
NETWORK = Network((3, 2), [as_activation("tanh")], as_loss("squared_error"), 0.0, float)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_strided_batches_have_every_row_once(make):
    partition = RegressionPartition(0, Rows(make(X), Y, WEIGHTS))
    partition.set_start("all", {0: 5})
    at = RNG.normal(size=NETWORK.size)
    total, gradient = 0.0, np.zeros(NETWORK.size)
    for step in range(5):
        part = partition.gradient(
            NETWORK, "all", None, at, StridedBatch(1.0, step, 5, seed=3), None
        )
        total, gradient = total + part[0], gradient + part[1]
    expected = NETWORK(at, make(X), Y, WEIGHTS, 1.0)
    assert_allclose(total, expected[0])
    assert_allclose(gradient, expected[1])


def test_an_empty_batch_has_no_loss():
    partition = RegressionPartition(0, Rows(X[:2], Y[:2], None))
    partition.set_start("all", {0: 0})
    loss, gradient = partition.gradient(
        NETWORK, "all", None, np.ones(NETWORK.size), StridedBatch(1.0, 3, 4), None
    )
    assert loss == 0
    assert not gradient.any()
    assert summed_loss(NETWORK, np.ones(NETWORK.size), Rows(X[:0], Y[:0], None)) == 0


def test_a_summary_is_that_of_the_rows():
    summary = RegressionPartition(0, Rows(X, Y, WEIGHTS)).summary(None, "all")
    assert (summary.n_samples, summary.weight) == (12, WEIGHTS.sum())
    assert_allclose(summary.targets.mean, np.average(Y, axis=0, weights=WEIGHTS))
    assert_allclose(summary.targets.squares, WEIGHTS @ (Y - summary.targets.mean) ** 2)


def test_the_hold_out_is_stratified_over_partitions():
    codes = np.arange(12, dtype=np.int32) % 3
    partitions = [
        LabelledPartition(n, LabelledRows(X[p], codes[p], None))
        for n, p in enumerate((slice(0, 7), slice(7, 12)))
    ]
    before = {0: np.zeros(3, int), 1: np.bincount(codes[:7], minlength=3)}
    for partition in partitions:
        partition.encode(np.arange(3))
        partition.set_aside(0.5, 0, before)
    held_out = np.concatenate([p.codes("held_out") for p in partitions])
    assert_array_equal(np.bincount(held_out), [2, 2, 2])
    assert sum(p.groups["train"].X.shape[0] for p in partitions) == 6


def test_chunks_agree_on_the_columns_of_y():
    assert one_axis_of({(True, 1)})
    assert not one_axis_of({(False, 2)})
    with pytest.raises(ValueError, match="chunks of y must have the same columns"):
        one_axis_of({(True, 1), (False, 2)})
