"""A descent watched: a clone is fitted again, and its weights are kept at every iteration."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array, check_consistent_length

from sklearn_gd._base import Estimator, Layer
from sklearn_gd._data.array_api import on_host
from sklearn_gd._data.validation import check_weights, well_formed
from sklearn_gd._models.labelled_rows import LabelledRows, one_hot, targets_of
from sklearn_gd._models.network import Network, outputs
from sklearn_gd._pieces import Array, ArrayLike
from sklearn_gd._training.callback_tasks import with_recorder
from sklearn_gd.activations import Step, as_activation
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.inspection._axes import Style
from sklearn_gd.losses import as_loss


def split(estimator: BaseEstimator) -> tuple[BaseEstimator | None, BaseEstimator]:
    """Return what the rows go through first, or None, and the estimator of this package.

    Raises
    ------
    TypeError
        Where `estimator` is another one, and does not end with one.
    """
    before, last = None, estimator
    if isinstance(estimator, Pipeline):
        before = estimator[:-1] if len(estimator.steps) > 1 else None
        last = estimator.steps[-1][1]
    if not isinstance(last, Estimator):
        names = "ThroughOriginRegressor, PerceptronClassifier, FeedForwardRegressor"
        hint = "".join(
            f" Its {inside} may be one."
            for inside in ("best_estimator_", "regressor_")
            if hasattr(last, inside)
        )
        raise TypeError(
            f"The 'estimator' parameter must be one of {names}, or a Pipeline that ends with one. "
            f"Got {estimator!r} instead.{hint}"
        )
    return before, last


def last_step(estimator: BaseEstimator) -> BaseEstimator:
    """Return the estimator of this package that `estimator` is, or ends with; see `split`."""
    return split(estimator)[1]


def fitted_inside(estimator: BaseEstimator) -> BaseEstimator:
    """Return what was fitted inside a search, or a TransformedTargetRegressor; else itself."""
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            return fitted_inside(getattr(estimator, name))
    return estimator


def is_step(model: BaseEstimator) -> bool:
    """Return whether the model is made of neurons that do no more than fire or not."""
    return is_classifier(model) and isinstance(as_activation(model.activation), Step)


def silent_clone(estimator: BaseEstimator) -> BaseEstimator:
    """Return a clone that prints nothing, and calls none of the callbacks, which clones share."""
    model = clone(estimator)
    last_step(model).set_params(verbose=False)
    for step in (model, last_step(model)):
        if hasattr(step, "set_callbacks"):  # scikit-learn >= 1.9
            step.set_callbacks()
    return model


def fit_quietly(
    model: BaseEstimator, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> bool:
    """Fit a model that is looked at as it is, wherever it ends; say if it did not diverge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A fit that is interrupted warns, and keeps what it has; here the user wants an end.
        warnings.filterwarnings("error", ".*was interrupted", ConvergenceWarning)
        try:
            model.fit(X, y, sample_weight=sample_weight)
        except DivergenceError:
            return False
        except ConvergenceWarning as interrupt:
            raise KeyboardInterrupt from interrupt
    return True


class Recording:
    """The weights of a model at one iteration or more, and the loss that they have on some rows.

    Parameters
    ----------
    model : ThroughOriginRegressor, PerceptronClassifier or FeedForwardRegressor
    steps : list of dict
        Fitted attributes, one dict an iteration.
    X : ndarray or CSR of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,), optional
    before : transformer, optional
        What the rows go through first; X already has.
    given : array-like, optional
        The rows before that.
    diverged : bool, default=False
        Whether the descent ended by diverging.
    """

    def __init__(
        self,
        model: BaseEstimator,
        steps: list[Style],
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        before: BaseEstimator | None = None,
        given: Any = None,
        diverged: bool = False,
    ) -> None:
        self.model, self.before, self.diverged = model, before, diverged
        self.given = X if given is None else given
        self.X = _checked(X)
        steps_in_layers = [_layers(model, step) for step in steps]
        self.layers: list[tuple[list[Array], list[Array]]] = [
            ([layer.coef for layer in layers], [layer.intercept for layer in layers])
            for layers in steps_in_layers
        ]
        self.activations = [layer.activation for layer in steps_in_layers[0]]
        sizes = [len(self.layers[0][0][0]), *(W.shape[1] for W in self.layers[0][0])]
        if self.X.shape[1] != sizes[0]:
            raise ValueError(
                f"X must have the {sizes[0]} features that the estimator was fitted on. Got "
                f"{self.X.shape[1]}."
            )
        biases = len(self.layers[0][1][0]) > 0
        self.network = Network(
            sizes, self.activations, as_loss(model.loss), 0.0, np.float64, biases=biases
        )
        self.Y, self.weights = self._targets(y, check_weights(sample_weight, self.X))

    @classmethod
    def of(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Recording:
        """Fit a clone of the estimator, and record its descent.

        A fit that diverges is recorded up to where it did.
        """
        before, model = split(silent_clone(estimator))
        given = X
        if before is not None:
            X = before.fit_transform(X, y)
        steps: list[Style] = []
        with_recorder(model, steps.append)
        converged = fit_quietly(model, X, y, sample_weight)
        around = {"before": before, "given": given, "diverged": not converged}
        return cls(model, steps, X, y, sample_weight, **around)

    @classmethod
    def of_fitted(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Recording:
        """Return the one iteration at which a fitted estimator ended."""
        before, model = split(estimator)
        given = X
        if before is not None:
            X = _through(before, X)
        return cls(model, [vars(model)], X, y, sample_weight, before=before, given=given)

    def path(self, iterations: list[int]) -> Array:
        """Return all weights at some iterations, (n_iterations, n_weights)."""
        return np.stack([self.network.flatten(*self.layers[i]) for i in iterations])

    def loss(self, flat: Array) -> float:
        """Return the mean loss, without the penalty, of one vector of weights."""
        coefs, intercepts = zip(*self.network.layers(flat), strict=True)
        with np.errstate(all="ignore"):
            y_pred = outputs(coefs, intercepts, self.activations, self.X)
            values = self.network.loss.value(self.Y, y_pred)
            if self.weights is None:
                return float(values.mean())
            return float(np.average(values, weights=np.broadcast_to(self.weights, values.shape)))

    def predict(self, iteration: int, X: Array) -> Array:
        """Return the outputs at one iteration, (n_samples, n_outputs), for rows as given."""
        if self.before is not None:
            X = _through(self.before, X)
        return outputs(*self.layers[iteration], self.activations, _checked(X))

    def _targets(self, y: ArrayLike, weights: Array | None) -> tuple[Array, Array | None]:
        """Return the targets (n_samples, n_outputs), and what each of them weighs; None: alike."""
        if y is None:
            raise ValueError("The 'y' parameter must hold the observed values. Got None.")
        check_consistent_length(self.X, y)
        if is_classifier(self.model):
            return self._targets_of_neurons(np.asarray(y), weights)
        Y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        Y = Y.reshape(len(Y), -1)
        if Y.shape[1] != self.network.n_outputs:
            raise ValueError(
                f"y must have the {self.network.n_outputs} outputs that the estimator was fitted "
                f"on. Got {Y.shape[1]}."
            )
        return Y, None if weights is None else weights[:, None]

    def _targets_of_neurons(self, y: Array, weights: Array | None) -> tuple[Array, Array]:
        if not hasattr(self.model, "classes_"):  # a clone whose fit diverged
            self.model.classes_ = np.unique(y)
        classes, n_neurons = self.model.classes_, self.network.n_outputs
        unknown = np.setdiff1d(y, classes)
        if len(unknown):
            raise ValueError(
                f"y must hold the classes {classes.tolist()} that the estimator was fitted on. "
                f"Got {unknown.tolist()} too."
            )
        codes = np.searchsorted(classes, y)
        low, high = targets_of(self.activations[0])
        rows = LabelledRows(self.X, codes, weights)
        by_neuron = self.model._is_row_by_row()
        rows = rows.weighed(self.model._class_weights(rows), by_neuron)
        Y = one_hot(codes, n_neurons, low, high)
        return Y, rows.weigh(slice(None), n_neurons)


def _checked(X: ArrayLike) -> Any:
    """Return rows in float64, dense or CSR."""
    return check_array(well_formed(X), accept_sparse="csr", dtype=np.float64)


def spread_out(n_steps: int, many: int) -> list[int]:
    """Return at most `many` of the first `n_steps` numbers, closest together at the beginning."""
    if many >= n_steps:
        return list(range(n_steps))
    alone = many // 2
    rest = np.geomspace(max(alone, 1), n_steps - 1, many - alone).round().astype(int)
    return sorted({*range(alone), *rest.tolist()})


def like(X: ArrayLike, values: Array) -> Any:
    """Return `values` as a data frame with the columns of X, where X is one of pandas."""
    return type(X)(values, columns=X.columns) if hasattr(X, "iloc") else values


def _through(before: BaseEstimator, X: ArrayLike) -> Any:
    with warnings.catch_warnings():
        # Points of a grid come without the names that the data had.
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        return before.transform(X)


def _layers(model: BaseEstimator, step: Style) -> list[Layer]:
    """Return the layers of a model as they were in one step of its descent, in double."""
    then = object.__new__(type(model))
    vars(then).update({**vars(model), **step})
    return [
        Layer(
            np.asarray(on_host(W), float),
            np.zeros(0) if b is None else np.asarray(on_host(b), float),
            activation,
        )
        for W, b, activation in then._layers()
    ]
