"""A descent watched: a clone is fitted again, and its weights are kept at every iteration."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array

from sklearn_gd._feed_forward import FeedForwardRegressor
from sklearn_gd._learners import targets_of
from sklearn_gd._objectives import Network, outputs
from sklearn_gd._perceptron import PerceptronClassifier
from sklearn_gd._through_origin import ThroughOriginRegressor
from sklearn_gd._validation import check_weights
from sklearn_gd.activations import Activation, as_activation
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.losses import as_loss

Array = np.ndarray[Any, np.dtype[Any]]
KINDS = (ThroughOriginRegressor, PerceptronClassifier, FeedForwardRegressor)


def last_step(estimator: Any) -> Any:
    """Return the estimator of this package that `estimator` is, or ends with.

    Raises
    ------
    TypeError
        Where it is another one.
    """
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(last, KINDS):
        names = ", ".join(kind.__name__ for kind in KINDS)
        raise TypeError(
            f"The 'estimator' parameter must be one of {names}, or a Pipeline that ends with one. "
            f"Got {estimator!r} instead."
        )
    return last


def silent_clone(estimator: Any) -> Any:
    """Return a clone that calls none of the estimator's callbacks, which a clone shares."""
    model = clone(estimator)
    for step in (model, last_step(model)):
        if hasattr(step, "set_callbacks"):  # scikit-learn >= 1.9
            step.set_callbacks()
    return model


def fit_quietly(model: Any, X: Any, y: Any, sample_weight: Any) -> bool:
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
    X : ndarray or CSR of shape (n_rows, n_features)
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
    sample_weight : array-like of shape (n_rows,), optional
    before : transformer, optional
        What the rows go through first; X already has.
    diverged : bool, default=False
        Whether the descent ended by diverging.
    """

    def __init__(
        self,
        model: Any,
        steps: list[dict[str, Any]],
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        before: Any = None,
        diverged: bool = False,
    ) -> None:
        self.model, self.before, self.diverged = model, before, diverged
        self.X = check_array(X, accept_sparse="csr", dtype=np.float64)
        self.weights = check_weights(sample_weight, self.X)
        self.layers = [_layers(model, step) for step in steps]
        self.activations = _activations(model, steps[0])
        self.Y = self._targets(y)
        sizes = [self.X.shape[1], *(W.shape[1] for W in self.layers[0][0])]
        # A neuron without a bias keeps a zero in its place.
        self.has_biases = not isinstance(model, ThroughOriginRegressor) and bool(
            getattr(model, "fit_intercept", True)
        )
        self.network = Network(
            sizes, self.activations, as_loss(model.loss), 0.0, np.float64, biases=self.has_biases
        )

    @classmethod
    def of(cls, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> Recording:
        """Fit a clone of the estimator, and record its descent.

        A fit that diverges is recorded up to where it did.
        """
        last_step(estimator)
        model, before = silent_clone(estimator), None
        if isinstance(model, Pipeline):
            before, model = model[:-1], model.steps[-1][1]
            X = before.fit_transform(X, y)
        steps: list[dict[str, Any]] = []
        model._recorder = steps.append
        converged = fit_quietly(model, X, y, sample_weight)
        return cls(model, steps, X, y, sample_weight, before=before, diverged=not converged)

    @classmethod
    def of_fitted(cls, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> Recording:
        """Return the one iteration at which a fitted estimator ended."""
        model, before = last_step(estimator), None
        if isinstance(estimator, Pipeline):
            before = estimator[:-1]
            X = _through(before, X)
        return cls(model, [vars(model)], X, y, sample_weight, before=before)

    def path(self) -> Array:
        """Return all weights of each iteration, (n_iterations + 1, n_weights)."""
        return np.stack([self.network.flatten(*layers) for layers in self.layers])

    def loss(self, flat: Array) -> float:
        """Return the mean loss, without the penalty, of one vector of weights."""
        with np.errstate(all="ignore"):
            return self.network.mean_loss(flat, self.X, self.Y, self.weights)

    def predict(self, iteration: int, X: Array) -> Array:
        """Return the outputs at one iteration, (n_rows, n_outputs), for rows as given."""
        if self.before is not None:
            X = _through(self.before, X)
        return outputs(*self.layers[iteration], self.activations, X)

    def _targets(self, y: Any) -> Array:
        if not is_classifier(self.model):
            Y = np.asarray(y, dtype=np.float64)
            return Y.reshape(len(Y), -1)
        classes, codes = np.unique(np.asarray(y), return_inverse=True)
        low, high = targets_of(self.activations[0])
        fires_for = [1] if len(classes) == 2 else np.arange(len(classes))
        return np.where(codes[:, None] == fires_for, high, low)


def _through(before: Any, X: Any) -> Any:
    with warnings.catch_warnings():
        # Points of a grid come without the names that the data had.
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        return before.transform(X)


def _layers(model: Any, step: dict[str, Any]) -> tuple[list[Array], list[Array]]:
    """Return weights (fan_in, fan_out) and biases (fan_out,) of each layer, in double."""
    if isinstance(model, FeedForwardRegressor):
        coefs, intercepts = step["coefs_"], step["intercepts_"]
    else:
        coefs = [np.atleast_2d(step["coef_"]).T]
        intercepts = [np.atleast_1d(step["intercept_"])]
        if isinstance(model, ThroughOriginRegressor):
            intercepts = [np.zeros(0)]
    return [np.asarray(W, float) for W in coefs], [np.asarray(b, float) for b in intercepts]


def _activations(model: Any, step: dict[str, Any]) -> list[Activation]:
    if isinstance(model, FeedForwardRegressor):
        return list(step["_activations"])
    return [as_activation(model.activation)]


def rows_of_one_feature(owner: str, X: Any) -> Array:
    """Return X, of one feature, as numbers of shape (n_rows, 1).

    Raises
    ------
    ValueError
        Where it has more features.
    """
    if sparse.issparse(X):
        raise ValueError(f"{owner} needs X to be dense. Got a sparse matrix.")
    rows: Array = check_array(X, dtype=np.float64)
    if rows.shape[1] != 1:
        raise ValueError(
            f"{owner} draws y over one feature: X must have one column, such as X[:, [0]]. Got "
            f"{rows.shape[1]} columns."
        )
    return rows
