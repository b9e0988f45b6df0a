"""Read a fitted estimator as layers: weights, biases, and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklearn_gd._base import Layer
from sklearn_gd._data.array_api import on_host
from sklearn_gd._pieces import Array
from sklearn_gd.activations import _BUILT_IN, Activation, Exp, FunctionPair, Softmax
from sklearn_gd.inspection._recording import fitted_inside, split

LONGEST_NAME = 32
_LINKS: dict[str, type[Activation]] = {"exp": Exp, "softmax": Softmax}


class Layers(NamedTuple):
    """Parameters of :class:`NetworkDisplay`, read from an estimator."""

    coefs: list[Array]  # (fan_in, fan_out) each
    intercepts: list[Array] | None  # (fan_out,) each; None for a model without biases
    activations: list[str]
    feature_names: list[str]
    target_names: list[str]
    fires: bool  # whether each output is a neuron that fires above a threshold
    scaled: bool  # whether the first layer gets the columns in a scale


def read_layers(
    estimator: BaseEstimator,
    feature_names: Sequence[str] | None,
    target_names: Sequence[str] | None,
) -> Layers:
    """Return the layers of a fitted estimator, or of the last step of a Pipeline.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError, TypeError
        If it is another kind of estimator, or the number of names does not match.
    """
    before, model = split(fitted_inside(estimator))
    check_is_fitted(model)
    layers = model.layers()
    coefs = [on_host(layer.coef) for layer in layers]
    biased = is_classifier(model) or layers[0].intercept is not None
    intercepts = [_biases(layer) for layer in layers] if biased else None
    activations = [activation_name(layer.activation) for layer in layers]
    n_features, n_outputs = coefs[0].shape[0], coefs[-1].shape[1]
    if feature_names is None:
        plain = [f"x{j + 1}" for j in range(n_features)]
        features = known_features(before, model, n_features) or plain
    else:
        features = check_names("feature_names", feature_names, n_features, "feature")
    targets = _targets_of(model, target_names, n_outputs)
    fires, scaled = has_threshold(model), model._columns() is not None
    return Layers(coefs, intercepts, activations, features, targets, fires, scaled)


def has_threshold(model: BaseEstimator) -> bool:
    """Return whether the outputs of a model are neurons that fire above a threshold."""
    return hasattr(type(model), "threshold_")


def _targets_of(model: BaseEstimator, given: Sequence[str] | None, n_outputs: int) -> list[str]:
    """Return the name of each output."""
    names = [f"y{k + 1}" for k in range(n_outputs)] if n_outputs > 1 else ["y"]
    unit = "output"
    if is_classifier(model):
        exclusive = getattr(model, "_one_axis", True)  # else the classes are columns of y
        names = [str(label) if exclusive else f"column {label}" for label in model.classes_]
        unit = "class"
    if given is not None:
        names = check_names("target_names", given, len(names), unit)
    # With two classes there is one output, that of the second class.
    return names[-n_outputs:]


def check_names(parameter: str, given: Any, n: int, unit: str) -> list[str]:
    """Return `given` as `n` strings, one per `unit`."""
    number_of = f"{n} name" if n == 1 else f"{n} names"
    accepted = f"The {parameter!r} parameter must hold {number_of}, one per {unit}."
    if isinstance(given, str) or not np.iterable(given):
        raise TypeError(f"{accepted} Got {given!r} instead.")
    names = [str(name) for name in given]
    if len(names) != n:
        raise ValueError(f"{accepted} Got {len(names)} instead.")
    return names


def activation_name(activation: Activation) -> str:
    """Return a short name of an activation: its own, that of its function, or its repr."""
    if isinstance(activation, FunctionPair):
        return str(getattr(activation.f, "__name__", repr(activation.f)))
    for name, kind in {**_BUILT_IN, **_LINKS}.items():
        if type(activation) is kind and activation.get_params() == kind().get_params():
            return name
    return " ".join(repr(activation).split())


def number(value: float) -> str:
    """Return a number as text with three significant digits and a true minus sign."""
    return f"{value + 0.0:.3g}".replace("-", "−")


def shortened(name: str) -> str:
    """Return a name, with its middle replaced by an ellipsis if it is too long."""
    if len(name) <= LONGEST_NAME:
        return name
    half = (LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _biases(layer: Layer) -> Array:
    """Return the biases of a layer; zeros for a layer without biases."""
    zeros = np.zeros(layer.coef.shape[1])
    return zeros if layer.intercept is None else np.asarray(on_host(layer.intercept))


def known_features(before: BaseEstimator, model: BaseEstimator, n: int) -> list[str] | None:
    """Return the feature names seen in ``fit``; None if there were none.

    Parameters
    ----------
    before : transformer or None
        Preceding steps of the pipeline.
    model : estimator
        Fitted estimator.
    n : int
        Number of features.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is None and before is not None:
        try:
            names = before.get_feature_names_out()
        except (AttributeError, ValueError, NotFittedError):  # a step that cannot tell
            return None
    # x0, x1, ... are the names that scikit-learn generates for an array without names.
    if names is None or len(names) != n or all(f"x{j}" == name for j, name in enumerate(names)):
        return None
    return [str(name) for name in names]
