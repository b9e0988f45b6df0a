"""Record the weights of a clone at every iteration of its fit."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_array, check_consistent_length

from sklearn_gd._base import Estimator, Layer
from sklearn_gd._data.array_api import on_host
from sklearn_gd._data.validation import check_weights, well_formed
from sklearn_gd._models.network import Network, outputs
from sklearn_gd._pieces import Array, ArrayLike
from sklearn_gd._training.callback_tasks import with_recorder
from sklearn_gd.activations import Activation, Identity, Sigmoid, Step, as_activation
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.inspection._axes import Style
from sklearn_gd.losses import LogLoss, Loss, as_loss


class TransformedTargets(NamedTuple):
    """A regressor inside a TransformedTargetRegressor, with y as that transforms it.

    The transformer is fitted; None where there is no TransformedTargetRegressor.
    """

    estimator: BaseEstimator
    y: ArrayLike
    transformer: BaseEstimator | None = None

    @classmethod
    def of(
        cls, estimator: BaseEstimator, y: ArrayLike, *, fitted: bool = False
    ) -> TransformedTargets:
        """Return what is inside an estimator or a Pipeline: the fitted regressor or the given."""
        inside, around = regressor_inside(estimator, fitted=fitted)
        if around is None:
            return cls(inside, y)
        Y = np.asarray(y, np.float64)
        if not fitted:
            # Fits the transformer as the whole would be; the mean of y is ignored.
            constant = clone(around).set_params(regressor=DummyRegressor())
            around = constant.fit(np.zeros((len(Y), 1)), Y)
        transformed = around.transformer_.transform(Y.reshape(len(Y), -1))
        if transformed.ndim == 2 and transformed.shape[1] == 1:
            transformed = transformed[:, 0]
        return cls(inside, transformed, around.transformer_)


def regressor_inside(
    estimator: BaseEstimator, *, fitted: bool = False
) -> tuple[BaseEstimator, BaseEstimator | None]:
    """Return the regressor inside a TransformedTargetRegressor, after the steps before it.

    Also return the TransformedTargetRegressor; None where there is none.
    """
    before: list[BaseEstimator] = []
    last = estimator
    if isinstance(estimator, Pipeline):
        *before, last = (step for _, step in estimator.steps)
    # Imported here, since it brings much of scikit-learn along.
    from sklearn.compose import TransformedTargetRegressor

    if not isinstance(last, TransformedTargetRegressor):
        return estimator, None
    regressor = getattr(last, "regressor_", last.regressor) if fitted else last.regressor
    return make_pipeline(*before, regressor) if before else regressor, last


def split(estimator: BaseEstimator) -> tuple[BaseEstimator | None, BaseEstimator]:
    """Return the preceding steps of a Pipeline, or None, and the estimator of this package.

    Raises
    ------
    TypeError
        If `estimator` is neither one of this package nor a Pipeline that ends with one.
    """
    before, last = None, estimator
    while isinstance(last, Pipeline):
        steps = last.steps[:-1]
        if steps:
            before = Pipeline(steps if before is None else [("before", before), *steps])
        last = last.steps[-1][1]
    if not isinstance(last, Estimator):
        names = (
            "ThroughOriginRegressor, PerceptronClassifier, FeedForwardRegressor, "
            "FeedForwardClassifier"
        )
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
    """Return the estimator of this package: `estimator`, or the last step; see `split`."""
    return split(estimator)[1]


def fitted_inside(estimator: BaseEstimator) -> BaseEstimator:
    """Return the fitted estimator inside a search or TransformedTargetRegressor, else itself."""
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            return fitted_inside(getattr(estimator, name))
    return estimator


def is_step(model: BaseEstimator) -> bool:
    """Return whether the model is a classifier whose activation is the step function."""
    return is_classifier(model) and isinstance(as_activation(model.activation), Step)


def has_log_loss(model: BaseEstimator) -> bool:
    """Return whether the model minimises the log loss."""
    loss = model.loss
    return isinstance(loss, LogLoss) or (isinstance(loss, str) and loss == "log_loss")


def silent_clone(estimator: BaseEstimator) -> BaseEstimator:
    """Return a clone that prints nothing and has no callbacks; clones would share them."""
    model = clone(estimator)
    last_step(model).set_params(verbose=False)
    for step in (model, last_step(model)):
        if hasattr(step, "set_callbacks"):  # scikit-learn >= 1.9
            step.set_callbacks()
    return model


def fit_quietly(
    model: BaseEstimator, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> bool:
    """Fit a model without convergence warnings; return False if it diverged, else True."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X, y, sample_weight=sample_weight)
        except DivergenceError:
            return False
    return True


class Recording:
    """The weights of a model at one or more iterations, with data to compute their loss.

    Parameters
    ----------
    model : estimator
        Model whose weights are recorded.
    steps : list of dict
        Fitted attributes, one dict per iteration.
    X : ndarray or CSR of shape (n_samples, n_features)
        Data, already transformed by `before`.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target values.
    sample_weight : array-like of shape (n_samples,), optional
        Sample weights.
    before : transformer, optional
        Preceding steps of the pipeline.
    given : array-like, optional
        Data before they are transformed.
    diverged : bool, default=False
        Whether the descent diverged.
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
        self.transformer: BaseEstimator | None = None  # of the targets
        self.given = X if given is None else given
        self.given_targets = y
        self.X = _checked(X)
        self.first = steps[0]
        # The scale of the columns is the same in all steps.
        self.columns = _at(model, steps[0])._columns()
        if self.columns is not None:
            self.columns = self.columns.moved(lambda array: np.asarray(on_host(array), float))
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
        self.X = self._scaled(self.X)
        biases = len(self.layers[0][1][0]) > 0
        loss, activations = self._loss_and_its_inputs()
        self.network = Network(sizes, activations, loss, 0.0, np.float64, biases=biases)
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

        A fit that diverges is recorded up to that point. Targets are those that the estimator
        gets inside a TransformedTargetRegressor.
        """
        inside = TransformedTargets.of(estimator, y)
        before, model = split(silent_clone(inside.estimator))
        given = X
        if before is not None:
            X = before.fit_transform(X, inside.y)
        steps: list[Style] = []
        with_recorder(model, steps.append)
        converged = fit_quietly(model, X, inside.y, sample_weight)
        around = {"before": before, "given": given, "diverged": not converged}
        recording = cls(model, steps, X, inside.y, sample_weight, **around)
        recording.transformer, recording.given_targets = inside.transformer, y
        return recording

    @classmethod
    def of_fitted(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Recording:
        """Return a recording of one iteration: the final weights of a fitted estimator."""
        inside = TransformedTargets.of(estimator, y, fitted=True)
        before, model = split(inside.estimator)
        given = X
        if before is not None:
            X = _through(before, X)
        recording = cls(
            model, [vars(model)], X, inside.y, sample_weight, before=before, given=given
        )
        recording.transformer, recording.given_targets = inside.transformer, y
        return recording

    @property
    def feature_name(self) -> str | None:
        """Name of the first column of the given data; None for an array."""
        return _column_of(self.given)

    @property
    def target_name(self) -> str | None:
        """Name of what a single output predicts; None without one."""
        if hasattr(self.model, "predict_proba"):
            return f"probability of {self.model.classes_[-1]}"
        name = getattr(self.given_targets, "name", None)
        return _column_of(self.given_targets) if name is None else str(name)

    def path(self, iterations: list[int]) -> Array:
        """Return all weights at the given iterations, of shape (n_iterations, n_weights)."""
        return np.stack([self.network.flatten(*self.layers[i]) for i in iterations])

    def loss(self, flat: Array) -> float:
        """Return the mean loss of one vector of weights, without the penalty."""
        coefs, intercepts = zip(*self.network.layers(flat), strict=True)
        with np.errstate(all="ignore"):
            y_pred = outputs(coefs, intercepts, self.network.activations, self.X)
            values = self.network.loss.value(self.Y, y_pred)
            weights = 1.0 if self.weights is None else self.weights
            mean = np.average(values, weights=np.broadcast_to(weights, values.shape))
            return float(mean) * (self.network.n_outputs / self.network.divisor)

    def predict(self, iteration: int, X: Array) -> Array:
        """Return the outputs at one iteration, (n_samples, n_outputs), for untransformed rows."""
        if self.before is not None:
            X = _through(self.before, X)
        return outputs(*self.layers[iteration], self.activations, self._scaled(_checked(X)))

    def in_units(self, values: Array) -> Array:
        """Return values of a single output in the units of y before it was transformed."""
        if self.transformer is None:
            return values
        found: Array = self.transformer.inverse_transform(values.reshape(-1, 1))
        return found.reshape(values.shape)

    def _loss_and_its_inputs(self) -> tuple[Loss, list[Activation]]:
        """Return the loss, and the activations up to what it is defined on."""
        loss = as_loss(self.model.loss, several_quantiles=True)
        activations = self.activations
        if loss.link is None:
            return loss, activations
        if isinstance(activations[-1], Sigmoid):
            loss = loss._over_independent_outputs()
        return loss, [*activations[:-1], Identity()]

    def _scaled(self, X: Array) -> Array:
        scaled: Array = X if self.columns is None else self.columns(X)
        return scaled

    def _targets(self, y: ArrayLike, weights: Array | None) -> tuple[Array, Array | None]:
        """Return the targets, (n_samples, n_outputs), and their weights; None if all are equal."""
        if y is None:
            raise ValueError("The 'y' parameter must hold the observed values. Got None.")
        check_consistent_length(self.X, y)
        if is_classifier(self.model):
            return self._targets_of_classes(np.asarray(y), weights)
        Y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        Y = Y.reshape(len(Y), -1)
        if len(getattr(self.model, "_levels", ())) > 1:
            raise ValueError("A network of several quantiles of y is not drawn over them.")
        if Y.shape[1] != self.network.n_outputs:
            raise ValueError(
                f"y must have the {self.network.n_outputs} outputs that the estimator was fitted "
                f"on. Got {Y.shape[1]}."
            )
        return Y, None if weights is None else weights[:, None]

    def _targets_of_classes(self, y: Array, weights: Array | None) -> tuple[Array, Array | None]:
        if y.shape[1:] == (1,):
            y = y[:, 0]
        if not hasattr(self.model, "classes_"):  # a clone whose fit diverged
            self.model.classes_ = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
        model = _at(self.model, self.first)
        targets: tuple[Array, Array | None] = model._targets(self.X, y, weights)
        return targets


def _column_of(frame: ArrayLike) -> str | None:
    """Return the name of the first column of a data frame; None for an array."""
    columns = getattr(frame, "columns", None)
    return None if columns is None or not len(columns) else str(columns[0])


def _checked(X: ArrayLike) -> Any:
    """Return X as a float64 array, dense or CSR."""
    return check_array(well_formed(X), accept_sparse="csr", dtype=np.float64)


def spread_out(n_steps: int, many: int) -> list[int]:
    """Return at most `many` of the numbers below `n_steps`, densest at the beginning."""
    if many >= n_steps:
        return list(range(n_steps))
    alone = many // 2
    rest = np.geomspace(max(alone, 1), n_steps - 1, many - alone).round().astype(int)
    return sorted({*range(alone), *rest.tolist()})


def like(X: ArrayLike, values: Array) -> Any:
    """Return `values`, as a data frame with the columns of X if X is a pandas data frame."""
    return type(X)(values, columns=X.columns) if hasattr(X, "iloc") else values


def _through(before: BaseEstimator, X: ArrayLike) -> Any:
    with warnings.catch_warnings():
        # The points of a grid have no feature names.
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        return before.transform(X)


def _layers(model: BaseEstimator, step: Style) -> list[Layer]:
    """Return the layers of a model at one iteration of its descent, in float64."""
    return [
        Layer(
            np.asarray(on_host(W), float),
            np.zeros(0) if b is None else np.asarray(on_host(b), float),
            activation,
        )
        for W, b, activation in _at(model, step)._layers()
    ]


def _at(model: BaseEstimator, step: Style) -> BaseEstimator:
    """Return a model as it was in one step of its descent."""
    then = object.__new__(type(model))
    vars(then).update({**vars(model), **step})
    return then
