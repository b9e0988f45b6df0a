"""Labels and the weights of classes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.class_weight import compute_class_weight

from sklearn_gd._data.labels import (
    class_probabilities,
    class_weights,
    classes_of_first_call,
    encode,
    log_probabilities,
    n_outputs_for,
    predicted_codes,
    require_classes_of_last_fit,
    require_no_balance,
    require_same_classes,
    require_two,
    require_weight_left,
)

CLASSES = np.array(["a", "b", "c"])


def test_codes_are_numbers_of_the_sorted_classes():
    assert_array_equal(encode(["c", "a", "b", "a"], CLASSES), [2, 0, 1, 0])
    with pytest.raises(ValueError, match=r"y_val has labels \['d'\] that are none of"):
        encode(["a", "d"], CLASSES, "y_val")
    with pytest.raises(ValueError, match="None"):
        encode(np.array(["a", None]), CLASSES)
    with pytest.raises(ValueError, match=r"one label per row. Got shape \(1, 2\)"):
        encode([["a", "b"]], CLASSES)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_codes_of_large_integers(dtype):
    classes = 2**53 + np.arange(3)
    assert_array_equal(encode(classes[::-1].astype(dtype), classes), [2, 1, 0])
    with pytest.raises(ValueError, match="none of"):
        encode(np.array([2**53 + 3], dtype), classes)
    with pytest.raises(ValueError, match="none of"):
        encode(np.array([-1.0]), np.array([255, 2**64 - 1], np.uint64))
    assert_array_equal(encode([1.0, 0.0], np.array([False, True])), [1, 0])


def test_codes_of_dates_in_any_unit():
    days = np.array(["2020-01-01", "2020-01-02"], "M8[D]")
    for unit in ("s", "ns"):
        assert_array_equal(encode(days[::-1].astype(f"M8[{unit}]"), days), [1, 0])
        assert_array_equal(encode(days[::-1], days.astype(f"M8[{unit}]")), [1, 0])
    for other in (days + np.timedelta64(1, "h"), days - days[0], days.astype(int)):
        with pytest.raises(ValueError, match="none of"):
            encode(other, days)


def test_weights_of_classes():
    counts = np.array([2, 6, 0])
    assert class_weights(None, CLASSES, counts) is None
    assert_allclose(class_weights("balanced", CLASSES, counts), [2, 2 / 3, 1])
    assert_allclose(class_weights({"b": 3}, CLASSES, counts), [1, 3, 1])
    for bad in ({"a": -1}, {"a": 1, "b": 2, "c": 3, "z": -1}, {"a": [1.0], "b": [2.0]}):
        with pytest.raises(ValueError, match="not negative"):
            class_weights(bad, CLASSES, counts)
    for far in (1e200, 1e-200):
        with pytest.raises(ValueError, match="between 1e-150 and 1e150"):
            class_weights({"a": far}, CLASSES, counts)
    with pytest.raises(ValueError, match="all rows at once"):
        require_no_balance("balanced")
    require_no_balance({"a": 1})


@pytest.mark.parametrize(
    "given",
    [{}, {"b": 3}, {"a": 2, "b": 3, "c": 4}, {"a": 2, "b": 3, "c": 4, "z": 5}, {"z": 1},
     {"a": 2, "b": 3, "z": 5}],
)  # fmt: skip
def test_weights_of_classes_are_those_of_scikit_learn(given):
    try:
        expected = compute_class_weight(given, classes=CLASSES, y=CLASSES)
    except ValueError:
        with pytest.raises(ValueError, match=r"labels \['z'\] .* no weight for \[.*'c'\]"):
            class_weights(given, CLASSES, np.ones(3))
    else:
        assert_array_equal(class_weights(given, CLASSES, np.ones(3)), expected)


def test_classes_of_partial_fit():
    assert_array_equal(classes_of_first_call([3, 1, 3]), [1, 3])
    for bad, message in (
        (None, "must be given"),
        ([1], "two"),
        ([1.0, np.nan], "NaN"),
        ([1.0, np.inf], "infinity"),
        ([None, 1], "one type"),
        (np.array([0, 1], object), "one type"),
    ):
        with pytest.raises(ValueError, match=message):
            classes_of_first_call(bad)
    require_same_classes(["c", "b", "a"], CLASSES)
    require_same_classes(None, CLASSES)
    with pytest.raises(ValueError, match="classes must stay"):
        require_same_classes(["a"], CLASSES)
    with pytest.raises(ValueError, match="Net needs rows of at least two classes"):
        require_two(CLASSES[:1], "Net")


def test_what_a_fit_needs_of_classes():
    require_weight_left(0.5, "balanced", "no row any weight", "fit")
    with pytest.raises(ValueError, match="leaves no row any weight: there is nothing to fit"):
        require_weight_left(0.0, {0: 0.0}, "no row any weight", "fit")
    require_classes_of_last_fit(CLASSES, CLASSES.copy())
    with pytest.raises(ValueError, match="warm_start needs the classes of the last fit"):
        require_classes_of_last_fit(CLASSES[:2], CLASSES)
    assert [n_outputs_for(CLASSES[:k]) for k in (2, 3)] == [1, 3]


def test_what_outputs_say_of_classes():
    logits = np.array([[1.0, -2.0, 0.5], [-800.0, -900.0, -850.0]])
    assert_array_equal(predicted_codes(logits), [0, 0])
    assert_array_equal(predicted_codes(np.array([-0.1, 0.0, 0.1])), [0, 0, 1])
    assert_allclose(class_probabilities(np.array([0.25, 1.0])), [[0.75, 0.25], [0.0, 1.0]])
    outputs = np.array([[0.2, 0.6], [0.0, 0.0]])
    assert_allclose(class_probabilities(outputs), [[0.25, 0.75], [0.5, 0.5]])
    two = np.array([3.0, -900.0])
    assert_allclose(log_probabilities(two, exclusive=True)[:, 1], [-np.log1p(np.exp(-3)), -900])
    softmax = np.exp(logits[0]) / np.exp(logits[0]).sum()
    assert_allclose(np.exp(log_probabilities(logits, exclusive=True)[0]), softmax)
    sigmoids = 1 / (1 + np.exp(-logits[:1]))
    log_p = log_probabilities(logits, exclusive=False)
    assert_allclose(np.exp(log_p[:1]), class_probabilities(sigmoids))
    assert_allclose(log_p[1], [0, -100, -50], atol=1e-9)
