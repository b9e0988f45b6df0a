"""Rows with classes: weights, targets, and the objective of their neurons."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_gd._models.class_rows import one_hot
from sklearn_gd._models.labelled_rows import LabelledRows, targets_of
from sklearn_gd.activations import as_activation

RNG = np.random.default_rng(0)
X, CODES, WEIGHTS = RNG.normal(size=(12, 3)), np.arange(12, dtype=np.int32) % 3, np.arange(12.0)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_class_weights_are_those_of_scikit_learn(weights):
    rows = LabelledRows(X, CODES, weights).weighed(np.array([1.0, 2.0, 0.5]), by_neuron=False)
    expected = compute_sample_weight({0: 1.0, 1: 2.0, 2: 0.5}, CODES)
    assert_allclose(rows.weights, expected if weights is None else expected * weights)
    assert_allclose(rows.total(3), 3 * rows.weights.sum())


def test_by_neuron_only_the_neuron_of_the_class_has_the_weight():
    rows = LabelledRows(X, CODES, WEIGHTS).weighed(np.array([1.0, 2.0, 0.5]), by_neuron=True)
    expected = np.ones((12, 3))
    expected[np.arange(12), CODES] = np.array([1.0, 2.0, 0.5])[CODES]
    expected *= WEIGHTS[:, None]
    assert_allclose(rows.weigh(slice(0, 12), 3), expected)
    assert_allclose(rows.total(3), expected.sum())


def test_counts_leave_out_weight_zero():
    assert_array_equal(LabelledRows(X, CODES, None).counts(3), [4, 4, 4])
    assert_array_equal(LabelledRows(X, CODES, WEIGHTS).counts(3), [3, 4, 4])


def test_one_hot_targets():
    assert_array_equal(one_hot(CODES[:3], 3, -1.0, 1.0), 2 * np.eye(3) - 1)
    assert_array_equal(one_hot(np.array([0, 1]), 1, 0.0, 1.0), [[0.0], [1.0]])


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("step", (0, 1)), ("sigmoid", (0, 1)), ("tanh", (-1, 1)), ("relu", (-1, 1)),
     ((lambda z: -z, lambda z: -np.ones_like(z)), (1, -1))],
)  # fmt: skip
def test_targets_lie_on_either_side_of_zero(activation, expected):
    assert targets_of(as_activation(activation)) == expected
