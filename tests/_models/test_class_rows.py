"""One-hot targets that are made as they are asked for, and rows with them."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_gd._models.class_rows import ClassRows, OneHot
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd.activations import Identity
from sklearn_gd.losses import LogLoss, SquaredError

CODES = np.array([2, 0, 1, 1, 2, 2, 0, 1], np.int32)
X = np.random.default_rng(0).normal(size=(8, 2))


def test_targets_are_made_for_the_rows_that_are_asked_for():
    targets = OneHot(CODES, 3, np.float32)
    assert targets.shape == (8, 3)
    assert len(targets) == 8
    assert_array_equal(targets[2:5], np.eye(3)[CODES[2:5]])
    assert_array_equal(targets[np.array([7, 0])], np.eye(3)[[1, 2]])
    assert targets[:].dtype == np.float32
    assert_array_equal(targets.take(np.array([1, 6])).codes, [0, 0])
    assert_array_equal(OneHot(np.array([0, 1]), 1, float)[:], [[0.0], [1.0]])


def test_statistics_and_gradients_are_those_of_dense_targets():
    weights = np.array([1.0, 2, 0, 1, 1, 0.5, 3, 1])
    for each in (None, weights):
        rows = ClassRows.of(X, CODES, 3, each)
        dense = Rows(X, np.eye(3)[CODES], each)
        assert_allclose(rows.target_moments(), dense.target_moments())
        for loss in (LogLoss(), SquaredError()):
            network = Network((2, 3), [Identity()], loss, 0.1, np.float64, class_targets=True)
            parameters = np.linspace(-1, 1, network.size)
            one, other = rows.objective(network), dense.objective(network)
            assert_allclose(one.baseline_loss(), other.baseline_loss())
            assert_allclose(one.best_constant(), other.best_constant())
            assert_allclose(one.mean_loss(parameters), other.mean_loss(parameters))
            for a, b in zip(one(parameters), other(parameters), strict=True):
                assert_allclose(a, b)


def test_targets_of_neurons_have_their_ends():
    targets = OneHot(CODES, 3, float, ends=(-1.0, 2.0))
    assert_array_equal(targets[:], np.where(np.eye(3)[CODES] > 0, 2.0, -1.0))
    assert_array_equal(targets.take(np.array([1]))[:], [[2.0, -1.0, -1.0]])
    different, totals = targets.take(np.array([0, 1, 4])).different(np.array([1.0, 2.0, 0.5]))
    assert_array_equal(different, [[2.0, -1.0, -1.0], [-1.0, -1.0, 2.0]])
    assert_array_equal(totals, [2.0, 1.5])


def test_rows_set_aside_have_the_class_shares():
    codes = np.repeat([0, 1, 2], [40, 20, 20]).astype(np.int32)
    rows = ClassRows.of(np.arange(80.0)[:, None], codes, 3, np.ones(80))
    train, held_out, kept = rows.set_aside(0.25, np.random.default_rng(0))
    assert_array_equal(np.bincount(held_out.y.codes), [10, 5, 5])
    assert_array_equal(np.bincount(train.y.codes), [30, 15, 15])
    assert_array_equal(train.y.codes, codes[kept])
    assert_array_equal(held_out.y.codes, codes[held_out.X[:, 0].astype(int)])


def test_class_weights_are_factors_of_the_weights():
    of_class = np.array([1.0, 0.0, 2.5])
    for weights in (None, np.arange(8.0)):
        rows = ClassRows.of(X, CODES, 3, weights, of_class)
        assert_allclose(rows.weights, of_class[CODES] * (1 if weights is None else weights))
        assert rows.y.take(np.array([0])).class_weights is of_class
