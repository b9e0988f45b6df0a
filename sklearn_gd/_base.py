"""The base class of all estimators: callbacks, stored version, documentation link, types."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from sklearn.utils.metaestimators import available_if as _available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_gd._models.scaling import ColumnScaling, Scaling
from sklearn_gd._pieces import (
    VERSION_NOTE,
    Array,
    ArrayLike,
    DeviceArray,
    DocumentedOnline,
    NamesOnce,
)
from sklearn_gd._training.callback_tasks import CallbackSupportMixin, keeps_state
from sklearn_gd.activations import Activation
from sklearn_gd.exceptions import ModelVersionWarning

__all__ = ["Estimator", "Layer", "__version__", "available_if"]

F = TypeVar("F", bound=Callable[..., Any])

try:
    __version__ = version("sklearn-gd")
except PackageNotFoundError:  # imported from a checkout that was never installed
    __version__ = "0+unknown"


def available_if(check: Callable[[Any], bool]) -> Callable[[F], F]:
    """Return scikit-learn's decorator of the name, which keeps the method's type."""
    decorate: Callable[[F], F] = _available_if(check)
    return decorate


class Layer(NamedTuple):
    """One layer of a fitted model: activation(X @ coef + intercept).

    Attributes
    ----------
    coef : array of shape (fan_in, fan_out)
        Weights, in the array library of the data.
    intercept : array of shape (fan_out,) or None
        Biases; None for a model without.
    activation : Activation
        Activation of the layer.
    """

    coef: DeviceArray
    intercept: DeviceArray
    activation: Activation


class Estimator(CallbackSupportMixin, DocumentedOnline, NamesOnce):
    """Base of all estimators, left of scikit-learn's classes.

    It adds scikit-learn's callbacks, a link to the documentation in notebooks, types for inherited
    methods, and the version of this package to the stored state (pickle, joblib, cloudpickle,
    skops), as scikit-learn does for its classes. The version is never an attribute of the
    estimator. A subclass that defines ``__getstate__`` calls ``super().__getstate__()``.
    """

    n_features_in_: int
    feature_names_in_: Array

    if TYPE_CHECKING:

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def set_callbacks(self, *callbacks: object) -> Self: ...
        def set_fit_request(self, **requests: bool | str | None) -> Self: ...
        def set_partial_fit_request(self, **requests: bool | str | None) -> Self: ...
        def set_score_request(self, **requests: bool | str | None) -> Self: ...
        def score(
            self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
        ) -> float: ...

    def layers(self) -> list[Layer]:
        """Return the layers of the fitted model, from inputs to outputs.

        Returns
        -------
        layers : list of Layer
            Named tuples `coef` (fan_in, fan_out), `intercept` (fan_out,) or None, `activation`.
            The first layer gets X; with ``standardize="robust"``, its columns scaled.

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> from sklearn_gd import FeedForwardRegressor
        >>> net = FeedForwardRegressor(hidden_layer_sizes=(3,), max_iter=1, tol=None)
        >>> for layer in net.fit([[0.0], [1.0]], [0.0, 1.0]).layers():
        ...     print(layer.coef.shape, layer.intercept.shape, layer.activation)
        (1, 3) (3,) SiLU()
        (3, 1) (1,) Identity()
        """
        check_is_fitted(self)
        return self._layers()

    def _layers(self) -> list[Layer]:
        raise NotImplementedError("an estimator defines _layers()")

    def _columns(self) -> ColumnScaling | None:
        """Return how the first layer gets the columns of X; None: as they are."""
        return None

    def _fitting(self, method: str, *data: object) -> AbstractContextManager[object]:
        """Return the context that a fitting method, with its arguments, runs in."""
        if method == "partial_fit" and keeps_state(self):
            raise ValueError(
                "Checkpoint keeps calls of fit, and partial_fit is a single epoch: remove it with "
                "set_callbacks(), and store the estimator itself between the calls."
            )
        return nullcontext()

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {**(super().__getstate__() or {}), VERSION_NOTE: __version__}
        if state.get("_scaling") is not None:  # files name no private class
            state["_scaling"] = dict(vars(state["_scaling"]))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        attributes = dict(state)
        stored_by = attributes.pop(VERSION_NOTE, None)
        # A state without a version was made by hand, not stored by a release.
        if stored_by not in (None, __version__):
            name = type(self).__name__
            warnings.warn(ModelVersionWarning(name, __version__, stored_by), stacklevel=2)
        if isinstance(attributes.get("_scaling"), dict):
            attributes["_scaling"] = Scaling(**attributes["_scaling"])
        super().__setstate__(attributes)
