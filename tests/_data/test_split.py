"""Hold-outs against scikit-learn's train_test_split, and rows picked lazily."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_gd._data.split import PickedRows, for_callbacks, hold_out
from sklearn_gd._models.rows import Rows

X = np.arange(60.0).reshape(20, 3)


@pytest.mark.parametrize("stratify", [None, np.arange(20) % 4])
def test_parts_are_disjoint_and_sorted(stratify):
    train, held_out = hold_out(20, 0.2, np.random.default_rng(0), stratify)
    assert_array_equal(np.union1d(train, held_out), np.arange(20))
    assert len(held_out) == 4
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()
    if stratify is not None:
        assert_array_equal(np.sort(stratify[held_out]), np.arange(4))


def test_too_few_rows_are_named():
    with pytest.raises(ValueError, match=r"validation_fraction=0.1 of 1 rows.*Give X_val"):
        hold_out(1, 0.1, np.random.default_rng(0))


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_rows_of_weight_zero_are_in_neither_part(make):
    weights = np.arange(20) % 2.0
    rows = Rows(make(X), X[:, :1], weights)
    train, held_out, numbers = rows.set_aside(0.3, np.random.default_rng(0))
    assert (weights[numbers] == 1).all()
    assert train.n_samples + held_out.n_samples == 10
    assert_array_equal(train.y, X[numbers, :1])
    assert not set(train.y[:, 0]) & set(held_out.y[:, 0])


def test_picked_rows_are_those_of_the_array():
    rows = PickedRows(X, np.array([4, 9, 1]))
    assert rows.shape == (3, 3)
    assert_array_equal(rows[:], X[[4, 9, 1]])
    assert_array_equal(rows[1:], X[[9, 1]])
    assert_array_equal(rows.spread(np.array([1.0, 2.0, 3.0])).nonzero()[0], [1, 4, 9])


def test_arguments_of_fit_are_picked_when_called():
    frame = pd.DataFrame(X)
    assert for_callbacks(frame, X, None) == (frame, X, None)
    rows, y, weights = for_callbacks(frame, X, 2.0, np.array([2, 5]))
    assert_array_equal(rows(), X[[2, 5]])
    assert_array_equal(y(), X[[2, 5]])
    assert_array_equal(weights(), [2.0, 2.0])
