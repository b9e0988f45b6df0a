"""Labels of classes: their codes, weights for them, and what outputs say of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sklearn_gd._data.array_api import on_host, space_of
from sklearn_gd._data.validation import check_numbers
from sklearn_gd._pieces import Array, ArrayLike, DeviceArray, namespace, scalar_like


def encode(y: ArrayLike, classes: Array, name: str = "y") -> Array:
    """Return the number of each label among the sorted `classes`.

    Raises
    ------
    ValueError
        For labels that are none of the classes, or an array of another shape.
    """
    y = np.asarray(y)
    if y.dtype == object:
        other = [label for label in y.ravel() if not isinstance(label, str)]
        if other:
            raise ValueError(
                f"{name} must hold labels of one type, such as int or str. Got an array of "
                f"objects, with {other[0]!r} among them."
            )
    if y.ndim != 1:
        raise ValueError(f"{name} must hold one label per row. Got shape {y.shape}.")
    codes, are_known = np.zeros(len(y), np.intp), np.zeros(len(y), bool)
    if _are_comparable(y, classes):
        labels = _in_type_of(classes, y)
        codes = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
        are_known = np.asarray((classes[codes] == labels) & (labels == y), bool)
    if not are_known.all():
        unseen = np.unique(y[~are_known])
        shown = f"{unseen[:10].tolist()}{' and more' if len(unseen) > 10 else ''}"
        raise ValueError(
            f"{name} has labels {shown} that are none of the classes {classes.tolist()}."
        )
    return codes.astype(np.int32)


def _in_type_of(classes: Array, y: Array) -> Array:
    """Return labels in the type of the classes, so that they are compared without rounding."""
    if y.dtype.kind in "mM" or {y.dtype.kind, classes.dtype.kind} <= set("biuf"):
        with np.errstate(invalid="ignore", over="ignore"):
            return y.astype(classes.dtype)
    return y


def _are_comparable(labels: Array, others: Array) -> bool:
    """Return whether both are numbers, or strings, or dates, or durations.

    NumPy would compare numbers with strings of numbers, with dates and with durations.
    """
    kinds = {np.dtype(each.dtype).kind for each in (labels, others)}
    return kinds <= set("biuf") or kinds <= set("OUST") or kinds in ({"M"}, {"m"})


def require_two(classes: Array, owner: str) -> None:
    """Raise a ValueError if there are fewer than two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"{owner} needs rows of at least two classes. Got one class: {classes.tolist()[0]!r}."
        )


def classes_of_first_call(classes: ArrayLike | None) -> Array:
    """Return the sorted classes of a first ``partial_fit``.

    Raises
    ------
    ValueError
        If none are given, fewer than two, or NaN.
    """
    if classes is None:
        raise ValueError("classes must be given in the first call to partial_fit.")
    given = np.asarray(classes)
    if given.dtype == object and not all(isinstance(label, str) for label in given.ravel()):
        raise ValueError(
            "classes must be of one type, such as int or str. Got an array of objects: "
            f"{given.tolist()}."
        )
    found = np.unique(given)
    if found.dtype.kind in "fmM" and not np.isfinite(found).all():
        raise ValueError(f"classes must not hold NaN, NaT or infinity. Got {found.tolist()}.")
    if len(found) < 2:
        raise ValueError(f"classes must hold at least two classes. Got {found.tolist()}.")
    return found


def require_same_classes(classes: ArrayLike | None, before: Array) -> None:
    """Raise a ValueError if a later ``partial_fit`` has other classes than before."""
    if classes is None:
        return
    found = np.unique(np.asarray(classes))
    if not (_are_comparable(found, before) and np.array_equal(found, before)):
        raise ValueError(f"classes must stay {before.tolist()}. Got {found.tolist()}.")


def require_classes_of_last_fit(classes: Array, before: Array) -> None:
    """Raise a ValueError if a warm start has other classes than before."""
    if not (_are_comparable(classes, before) and np.array_equal(before, classes)):
        raise ValueError(f"warm_start needs the classes of the last fit, {before}. Got {classes}.")


def class_weights(
    class_weight: str | Mapping[object, float] | None, classes: Array, counts: Array
) -> Array | None:
    """Return the weight of each class; None for 1 each.

    Parameters
    ----------
    class_weight : "balanced", dict or None
        The parameter of an estimator.
    classes : ndarray of shape (n_classes,)
    counts : ndarray of shape (n_classes,)
        Number, or total weight, of the rows of each class, for "balanced".

    Raises
    ------
    ValueError
        If a class has no weight while a label is none of the classes, or for weights that are
        negative or not finite.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        present = counts > 0
        each = np.ones(len(counts))
        each[present] = counts.sum() / (present.sum() * counts[present])
        return each
    labels = classes.tolist()
    unweighted = [label for label in labels if label not in class_weight]
    unused = [label for label in class_weight if label not in labels]
    # A fold may lack a class; but one without a weight beside an unused key is a misspelt label.
    if unweighted and unused:
        raise ValueError(
            f"The 'class_weight' parameter has labels {unused} that are none of the classes "
            f"{labels}, and no weight for {unweighted}."
        )
    given = check_numbers(
        f"The 'class_weight' parameter, {class_weight!r},",
        list(class_weight.values()),
        np.float64,
    )
    if given.ndim != 1 or (given < 0).any():
        raise ValueError(
            "The 'class_weight' parameter must hold finite weights that are not negative. Got "
            f"{class_weight!r}."
        )
    if not ((given == 0) | ((given > 1e-150) & (given < 1e150))).all():
        raise ValueError(
            "The 'class_weight' parameter must hold weights between 1e-150 and 1e150, or 0, so "
            f"that their sums and squares are numbers. Got {class_weight!r}."
        )
    by_label = dict(zip(class_weight, given.tolist(), strict=True))
    return np.array([by_label.get(label, 1.0) for label in labels])


def require_weight_left(total: float, class_weight: object, what: str, to_do: str) -> None:
    """Raise a ValueError if class weights have left rows of no total weight."""
    if not total > 0:
        raise ValueError(
            f"class_weight={class_weight!r} leaves {what}: there is nothing to {to_do}."
        )


def require_no_balance(class_weight: object) -> None:
    """Raise a ValueError if a ``partial_fit`` would need the weights of all rows."""
    if isinstance(class_weight, str):
        raise ValueError(
            f"class_weight={class_weight!r} needs all rows at once, and partial_fit sees some. "
            "Give a dict of weights instead."
        )


def n_outputs_for(classes: Array) -> int:
    """Return the number of outputs: one for two classes, else one per class."""
    return 1 if len(classes) == 2 else len(classes)


def predicted_codes(scores: Array) -> Array:
    """Return the class codes of scores (n_samples,) of the second class, or one per class."""
    codes: Array = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
    return codes


def predicted_labels(scores: DeviceArray, classes: Array) -> DeviceArray:
    """Return the labels of scores as `predicted_codes` takes them, of any array library.

    They are in the library and on the device of the scores; strings, and other labels that the
    library does not have, in a NumPy array.
    """
    space = space_of(scores)
    if space is None or not space.has(classes.dtype):
        return classes[predicted_codes(on_host(scores))]
    labels = space.to_device(classes)
    if scores.ndim == 1:
        return space.xp.where(scores > 0, labels[1], labels[0])
    return space.take(labels, space.xp.argmax(scores, axis=1))


def class_probabilities(outputs: DeviceArray) -> DeviceArray:
    """Return outputs between 0 and 1, one per class or one for two, as probabilities."""
    xp = namespace(outputs)
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        p = xp.reshape(outputs, (-1,))
        return xp.stack([1 - p, p], axis=1)
    # If all outputs underflow to 0, the classes are equally likely.
    totals = xp.sum(outputs, axis=1, keepdims=True)
    p = outputs / xp.where(totals > 0, totals, scalar_like(totals, 1))
    return xp.where(totals > 0, p, scalar_like(p, 1 / p.shape[1]))


def log_probabilities(logits: DeviceArray, *, exclusive: bool) -> DeviceArray:
    """Return the logarithms of probabilities, also of those that underflow.

    Parameters
    ----------
    logits : array of shape (n_samples,), (n_samples, 1) or (n_samples, n_classes)
    exclusive : bool
        Whether several logits are those of a softmax; else of a sigmoid each, normalised.
    """
    xp = namespace(logits)
    if logits.ndim == 1 or logits.shape[1] == 1:
        z = xp.reshape(logits, (-1,))
        return xp.stack([log_sigmoid(-z), log_sigmoid(z)], axis=1)
    z = logits if exclusive else log_sigmoid(logits)
    z = z - xp.max(z, axis=1, keepdims=True)
    return z - xp.log(xp.sum(xp.exp(z), axis=1, keepdims=True))


def log_sigmoid(z: DeviceArray) -> DeviceArray:
    """Return the logarithm of the sigmoid, also where that underflows."""
    xp = namespace(z)
    return xp.minimum(z, scalar_like(z, 0)) - xp.log1p(xp.exp(-xp.abs(z)))
