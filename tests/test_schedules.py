"""Schedules, by hand."""

import pytest
from numpy.testing import assert_allclose

from sklearn_gd.schedules import (
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    StepDecay,
    as_schedule,
)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Constant(0.3), {0: 0.3, 100: 0.3}),
        (InverseScaling(0.8), {0: 0.8, 3: 0.4, 15: 0.2}),
        (InverseScaling(0.8, power=1), {0: 0.8, 3: 0.2}),
        (Exponential(1.0, decay=0.5), {0: 1.0, 1: 0.5, 4: 0.0625}),
        (StepDecay(1.0, factor=0.1, every=3), {0: 1, 2: 1, 3: 0.1, 5: 0.1, 6: 0.01}),
        (Cosine(1.0, epochs=10), {0: 1.0, 5: 0.5, 10: 0.0, 99: 0.0}),
        (Cosine(2.0, epochs=10, final_rate=1.0), {0: 2.0, 5: 1.5, 10: 1.0, 11: 1.0}),
        (Cosine(1.0, epochs=14, warm_up=4), {0: 0.2, 3: 0.8, 4: 1.0, 9: 0.5, 14: 0.0}),
        (Adaptive(0.5), {0: 0.5, 1000: 0.5}),
    ],
    ids=str,
)
def test_rates_by_hand(schedule, rates):
    for epoch, rate in rates.items():
        assert_allclose(schedule.rate(epoch), rate, atol=1e-15)


def test_adaptive_divides_when_nothing_improves():
    schedule, rates = Adaptive(1.0, divisor=2, patience=2, min_rate=0.2), []
    for epoch, improved in enumerate(
        [True, False, True, False, False, False, False, False, False]
    ):
        rates.append(schedule.rate(epoch))
        schedule.observe(improved)
    assert rates == [1, 1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    schedule.observe(False)
    schedule.observe(False)
    assert schedule.rate(11) == 0.2


def test_what_stands_for_a_schedule():
    assert as_schedule(1).rate(5) == 1.0
    assert as_schedule("cosine").get_params() == Cosine().get_params()
    given = Adaptive(0.1)
    given.observe(False)
    taken = as_schedule(given)
    assert taken is not given
    assert not hasattr(taken, "waited_")


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (Constant(0), "initial_rate"),
        (InverseScaling(power=-1), "power"),
        (Exponential(decay=0), "decay"),
        (Exponential(decay=1.1), "decay"),
        (StepDecay(every=0), "every"),
        (Cosine(epochs=1.5), "epochs"),
        (Cosine(warm_up=-1), "warm_up"),
        (Adaptive(divisor=1), "divisor"),
        (Adaptive(patience=0), "patience"),
    ],
)
def test_hyper_parameters_are_checked(schedule, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of {type(schedule).__name__}"):
        as_schedule(schedule)
