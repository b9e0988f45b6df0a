"""States of a fit: what is like another, and what is not."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_gd._training.state import (
    StateError,
    begin_again,
    copied,
    require_like,
    require_size,
    set_generator,
)
from sklearn_gd.solvers import Adam

LIKE = {"weights": np.zeros(3), "count": 2, "rate": 0.5, "done": False, "curve": [1.0], "of": None}


def solver():
    adam = Adam()
    adam.start(3, np.float64)
    return adam


def test_copies_share_no_arrays():
    before = copied(LIKE)
    before["weights"] += 1
    before["curve"].append(2.0)
    assert_array_equal(LIKE["weights"], 0)
    assert LIKE["curve"] == [1.0]


def test_a_state_is_like_itself_and_like_a_later_one():
    require_like(copied(LIKE), LIKE, "state")
    later = {**LIKE, "weights": np.arange(3.0), "count": 9, "rate": np.inf, "curve": []}
    require_like(later, LIKE, "state")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("weights", np.zeros(4)),
        ("weights", np.zeros(3, np.float32)),
        ("weights", np.array([0.0, np.nan, 0.0])),
        ("weights", [0.0] * 3),
        ("count", -1),
        ("count", 2**63),
        ("count", True),
        ("count", 1.0),
        ("rate", np.nan),
        ("rate", "0.5"),
        ("done", 0),
        ("curve", [np.nan]),
        ("curve", (1.0,)),
        ("of", 1),
        ("more", 1),
    ],
)
def test_what_is_not_like_it_is_named(key, value):
    with pytest.raises(StateError, match=r"state"):
        require_like({**LIKE, key: value}, LIKE, "state")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"beta_1": 0.5}, r"\['beta_1'\] must be 0.9"),
        ({"means_": np.zeros(2)}, r"\['means_'\] must be of the form"),
        ({"step": 1.0}, r"\['step'\] is not an attribute of Adam"),
    ],
)
def test_the_memory_of_a_solver(change, words):
    require_like(vars(solver()), solver(), "solver")
    with pytest.raises(StateError, match=words):
        require_like({**vars(solver()), **change}, solver(), "solver")


def test_a_generator_goes_on_where_it_was():
    one, other = np.random.default_rng(1), np.random.default_rng(2)
    state = one.bit_generator.state
    set_generator(other, state)
    assert one.random() == other.random()
    begin_again(other, {"learner": {"at_start": state}})
    set_generator(one, state)
    assert one.random() == other.random()
    with pytest.raises(StateError, match="generator must be the state"):
        set_generator(other, {"bit_generator": "PCG64"})


def test_the_size_is_that_of_the_parameters():
    require_size({"learner": {"parameters": np.zeros(4)}}, 4)
    with pytest.raises(StateError, match=r"shape \(5,\)"):
        require_size({"learner": {"parameters": np.zeros(4)}}, 5)
    with pytest.raises(StateError, match="must be a dict"):
        require_size({"learner": 3}, 4)
