"""Digests of training data: equal for equal numbers, and precise about what differs."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_gd._data.digest import difference, digest_of

X = np.random.default_rng(0).normal(size=(20, 3))
Y = np.arange(20.0)


def test_equal_numbers_have_equal_digests():
    expected = digest_of(X, Y, None)
    for rows, y in ((X.tolist(), Y.astype(int)), (np.asfortranarray(X), pd.Series(Y, name="t"))):
        assert digest_of(rows, y, None) == expected
    words = digest_of(X, ["a", "b"] * 10, Y)
    assert digest_of(X, pd.Series(["a", "b"] * 10), Y.tolist()) == words
    rows = sparse.csr_array(X)
    rows.data[::2] = 0.0  # stored zeros
    stored = digest_of(rows.copy(), Y, None)
    rows.eliminate_zeros()
    assert digest_of(rows.tocoo(), Y, None) == stored


def test_large_arrays_are_read_in_parts(monkeypatch):
    expected = digest_of(X, Y, None)
    monkeypatch.setattr("sklearn_gd._data.digest._CHUNK", 50)
    assert digest_of(X, Y, None) == expected


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ((X + 1e-12, Y, None), "X has other values"),
        ((X[:10], Y, None), "X was an array of float64 and shape (20, 3) and is an array of "
         "float64 and shape (10, 3)"),
        ((X, Y[::-1], Y), "y has other values; sample_weight was None and is an array of "
         "float64 and shape (20,)"),
    ],
)  # fmt: skip
def test_differences_are_named(other, what):
    assert difference(digest_of(X, Y, None), digest_of(*other)) == what


@pytest.mark.parametrize("broken", ["", "no digest", "[]", "{}", json.dumps({"X": 3})])
def test_a_digest_that_is_none(broken):
    assert difference(broken, digest_of(X, Y, None)) == "X, y or sample_weight"
