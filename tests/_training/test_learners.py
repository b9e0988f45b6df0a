"""Learners alone: their steps against formulas, their copies, and their states."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Perceptron

from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.least_squares import Moments, Quadratic
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._training.learners import FullBatchLearner, GradientLearner, Rosenblatt
from sklearn_gd.activations import as_activation
from sklearn_gd.losses import as_loss
from sklearn_gd.schedules import as_schedule
from sklearn_gd.solvers import as_solver

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 1))


def linear(alpha=0.0):
    return Network((3, 1), [as_activation("identity")], as_loss("squared_error"), alpha, float)


def by_gradient(solver="gd", **options):
    memory = np.zeros(4), as_solver(solver), as_schedule(0.1), np.random.default_rng(1), {}, float
    learner = GradientLearner(*memory, **options)
    return learner.learn_from(Rows(X, Y, None).objective(linear()), None, 5, shuffle=True)


def test_an_epoch_is_a_step_per_batch():
    learner = by_gradient()
    order, w = np.random.default_rng(1).permutation(20), np.zeros(4)
    losses = []
    for part in np.split(order, 4):
        rows = np.column_stack([X[part], np.ones(5)])
        errors = rows @ w - Y[part, 0]
        losses.append((errors**2).sum())
        w -= 0.1 * 2 * rows.T @ errors / 5
    assert_allclose(learner.run_epoch(0.1), sum(losses) / 20)
    assert_allclose(learner.weights(), w)
    assert learner.updates == 4


def test_averages_are_the_mean_of_the_steps():
    learner, steps = by_gradient(average=True), []
    move = learner._move

    def noted(gradient, rate):
        move(gradient, rate)
        steps.append(learner.parameters.copy())

    learner._move = noted
    learner.run_epoch(0.1)
    assert_allclose(learner.weights(), np.mean(steps, axis=0))


@pytest.mark.parametrize("solver", ["gd", "momentum", "adam"])
def test_copies_and_states_go_on_alike(solver):
    learner = by_gradient(solver)
    learner.run_epoch(0.1)
    state, twin = learner.state(), learner.copy()
    twin.learn_from(learner.objective, None, 5, shuffle=True)
    ended = [each.run_epoch(0.1) for each in (learner, twin)]
    assert ended[0] == ended[1]
    assert_array_equal(learner.parameters, twin.parameters)
    learner.restore(state)
    assert learner.run_epoch(0.1) == ended[0]
    assert_array_equal(learner.parameters, twin.parameters)


def test_full_batches_end_where_the_gradient_vanishes():
    quadratic = Quadratic(Moments(3, 1).added(X, Y, None), 0.0)
    learner = FullBatchLearner(
        np.zeros(3), as_solver("gd"), as_schedule(0.1), None, {}, float,
        rates=1.0, flat_at_zero=False, max_rate=None, condition=10.0,
    ).learn_from(quadratic)  # fmt: skip
    learner.end_below(1e-10, quadratic(learner.zeros())[1])
    for _ in range(2000):
        learner.run_epoch(0.1)
        if learner.finished:
            break
    assert learner.finished
    assert_allclose(learner.weights(), np.linalg.lstsq(X, Y[:, 0], rcond=None)[0], rtol=1e-8)


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_rosenblatts_rule_is_scikit_learns(rate):
    codes = (X[:, 0] + 0.5 * RNG.normal(size=20) > 0).astype(np.int32)
    learner = Rosenblatt(
        (3, 1), float, None, as_schedule(rate), None, {}, loss=as_loss("squared_error"),
        alpha=0.0, fit_intercept=True, average=False,
    ).learn_from(LabelledRows(X, codes, None))  # fmt: skip
    losses = [learner.run_epoch(rate) for _ in range(3)]
    theirs = Perceptron(shuffle=False, tol=None, max_iter=3, eta0=rate).fit(X, codes)
    assert_allclose(learner.weights(), np.r_[theirs.coef_[0], theirs.intercept_])
    assert_allclose(learner.mean_loss(learner.weights()), np.mean(theirs.predict(X) != codes))
    assert all(0 <= loss <= 1 for loss in losses)
