"""Labels and the weights of classes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_gd._data.labels import (
    class_weights,
    classes_of_first_call,
    encode,
    require_no_balance,
    require_same_classes,
    require_two,
)

CLASSES = np.array(["a", "b", "c"])


def test_codes_are_numbers_of_the_sorted_classes():
    assert_array_equal(encode(["c", "a", "b", "a"], CLASSES), [2, 0, 1, 0])
    with pytest.raises(ValueError, match=r"y_val has labels \['d'\] that are none of"):
        encode(["a", "d"], CLASSES, "y_val")
    with pytest.raises(ValueError, match="None among them"):
        encode(np.array(["a", None]), CLASSES)
    with pytest.raises(ValueError, match=r"one label per row. Got shape \(1, 2\)"):
        encode([["a", "b"]], CLASSES)


def test_weights_of_classes():
    counts = np.array([2, 6, 0])
    assert class_weights(None, CLASSES, counts) is None
    assert_allclose(class_weights("balanced", CLASSES, counts), [2, 2 / 3, 1])
    assert_allclose(class_weights({"b": 3}, CLASSES, counts), [1, 3, 1])
    with pytest.raises(ValueError, match=r"labels \['z'\]"):
        class_weights({"z": 1}, CLASSES, counts)
    with pytest.raises(ValueError, match="not negative"):
        class_weights({"a": -1}, CLASSES, counts)
    with pytest.raises(ValueError, match="all rows at once"):
        require_no_balance("balanced")
    require_no_balance({"a": 1})


def test_classes_of_partial_fit():
    assert_array_equal(classes_of_first_call([3, 1, 3]), [1, 3])
    for bad, message in ((None, "must be given"), ([1], "two"), ([1.0, np.nan], "NaN")):
        with pytest.raises(ValueError, match=message):
            classes_of_first_call(bad)
    require_same_classes(["c", "b", "a"], CLASSES)
    require_same_classes(None, CLASSES)
    with pytest.raises(ValueError, match="classes must stay"):
        require_same_classes(["a"], CLASSES)
    with pytest.raises(ValueError, match="Net needs rows of at least two classes"):
        require_two(CLASSES[:1], "Net")
