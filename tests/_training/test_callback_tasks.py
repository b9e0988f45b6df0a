"""The tasks of a fit, as a callback and as a recorder see them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_gd import FeedForwardRegressor
from sklearn_gd._training.callback_tasks import keeps_state, state_to_resume, with_recorder

X = np.random.default_rng(0).normal(size=(20, 2))


def net(max_iter=3):
    return FeedForwardRegressor(
        hidden_layer_sizes=(3,), max_iter=max_iter, tol=None, random_state=0
    )


def test_a_recorder_sees_the_start_and_every_epoch():
    seen, model = [], net()
    with_recorder(model, seen.append)
    model.fit(X, X[:, 0])
    assert len(seen) == 4
    assert_array_equal(seen[-1]["coefs_"][0], model.coefs_[0])
    assert_array_equal(seen[1]["coefs_"][0], net(1).fit(X, X[:, 0]).coefs_[0])
    assert not np.shares_memory(seen[-1]["coefs_"][0], model.coefs_[0])


class Keeper:
    """A callback that keeps states, and hands one back."""

    state_to_resume = None

    def __init__(self):
        self.states = []

    def setup(self, **_): ...
    def teardown(self, **_): ...
    def on_fit_task_begin(self, *_, **__): ...
    def on_fit_task_end(self, *_, **__): ...

    def keep_state(self, epochs, state):
        self.states.append((epochs, state()))


def test_a_callback_keeps_states_that_a_fit_resumes_from():
    pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
    keeper, model = Keeper(), net(6)
    assert not keeps_state(model)
    model.set_callbacks(keeper).fit(X, X[:, 0])
    assert keeps_state(model)
    assert state_to_resume(model, [[0.0]], [0], None) is None
    assert [epochs for epochs, _ in keeper.states] == [1, 2, 3, 4, 5, 6]

    again, resumed = Keeper(), net(6)
    again.state_to_resume = keeper.states[2][1]
    resumed.set_callbacks(again).fit(X, X[:, 0])
    assert_array_equal(resumed.coefs_[0], model.coefs_[0])
    assert resumed.loss_curve_ == model.loss_curve_
