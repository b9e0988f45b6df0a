"""The multi-layer perceptron for classification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, cast

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from sklearn_gd._base import available_if
from sklearn_gd._data.array_api import all_as_numpy, on_host, space_of
from sklearn_gd._data.labels import (
    class_probabilities,
    class_weights,
    classes_of_first_call,
    encode,
    log_probabilities,
    log_sigmoid,
    n_outputs_for,
    predicted_labels,
    require_classes_of_last_fit,
    require_no_balance,
    require_same_classes,
    require_two,
    require_weight_left,
)
from sklearn_gd._data.validation import (
    all_or_nothing,
    as_of_now,
    by_rows,
    check_classification,
    check_validation_rows,
    check_weights,
    in_precision,
    require_some_weight,
)
from sklearn_gd._feed_forward import FeedForward, _makes_steps
from sklearn_gd._models.array_rows import (
    ArrayClassRows,
    ArrayRows,
    check_array_classification,
    check_held_out_array,
    try_pieces,
)
from sklearn_gd._models.class_rows import ClassRows
from sklearn_gd._models.interfaces import ClassDataset, Dataset
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._pieces import Array, ArrayLike, DeviceArray, Matrix, namespace, storable
from sklearn_gd._training.callback_tasks import with_callbacks
from sklearn_gd.activations import Activation, Identity, Sigmoid, Softmax, as_activation
from sklearn_gd.losses import Loss, as_loss
from sklearn_gd.schedules import Schedule
from sklearn_gd.solvers import Solver


def _gives_probabilities(self: FeedForwardClassifier) -> bool:
    linked = as_loss(self.loss).link is not None
    if not linked and type(as_activation(self.output_activation)) is not Sigmoid:
        raise AttributeError(
            "predict_proba needs loss='log_loss' or output_activation='sigmoid'. Got "
            f"{self.loss!r} and {self.output_activation!r}."
        )
    return True


@storable
class FeedForwardClassifier(FeedForward, ClassifierMixin, BaseEstimator):
    """A multi-layer perceptron for classification, trained by backpropagation.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 64)
        Number of neurons in each hidden layer; ``()`` is a linear model: with the log loss,
        logistic regression.
    activation : str, Activation, (f, df) or a list of these, default="silu"
        Activation of all hidden layers, or a list with one per hidden layer.
    output_activation : str, Activation or (f, df), default="sigmoid"
        Activation of the output layer, for losses without a link. The log loss takes no other than
        the default, and brings its link: the sigmoid for two classes and for label indicators, the
        softmax for more.
    loss : str or Loss, default="log_loss"
        Loss to minimise, averaged over samples. The log loss is summed over the classes, any other
        one is averaged over them; its targets are 1 for the class of a sample and 0 for others.
    standardize : {"robust", "standard"} or False, default="robust"
        Scale in which the network is trained. ``"robust"``: each column less its median, divided
        by its interquartile range, then squashed by z / sqrt(1 + (z / 3)²), so that outliers have
        a bounded effect; the scale is part of the model. ``"standard"``: columns of mean 0 and
        standard deviation 1; the weights are returned in the units of the data. With either, the
        objective is divided by the loss of the best constant prediction. False: columns as they
        are.
    solver : str or Solver, default="adam"
        Step rule; or ``"lbfgs"``, SciPy's L-BFGS-B on all samples at once.
    learning_rate : "auto", float or Schedule, default="auto"
        Learning rate, or a schedule of it; ignored by ``"lbfgs"``. ``"auto"``: a rate for
        standardised data, which depends on the solver (0.01 for ``"adam"``), with a linear warm-up
        over the first 5 % of `max_iter` and cosine annealing to zero at its end; in
        ``partial_fit``, a constant rate of 0.3 times that.
    alpha : float, default=1e-3
        Strength of the L2 penalty: 0.5 * alpha * ||weights||² is added to the mean loss. Biases
        are not penalised.
    dropout : float or list of float, default=0.0
        Share of the outputs of hidden layers that are set to 0 at random in each step of the
        training, as for :class:`FeedForwardRegressor`.
    batch_size : "auto", int or None, default="auto"
        Number of samples per step. ``"auto"`` is min(64, n_samples), None all samples.
    max_iter : int, default=20
        Maximum number of epochs.
    tol : float or None, default=1e-4
        Tolerance: an epoch improves if it lowers the best loss by more than `tol` times the loss
        of the best constant prediction. None: run all `max_iter` epochs.
    n_iter_no_change : int, default=10
        Number of consecutive epochs without improvement that ends the fit.
    shuffle : bool, default=True
        Whether to shuffle the samples in each epoch.
    early_stopping : bool, str or callable, default=False
        Whether to hold out a validation set, with the class shares of all samples, and monitor the
        loss on it; the weights of its best epoch are kept. `X_val` and `y_val` of ``fit`` do the
        same with a given set. A scorer, or its name for scikit-learn, such as ``"accuracy"``: the
        score on the validation set is monitored instead of the loss; `tol` is then a difference of
        scores. Samples weigh in the score as in the loss.
    validation_fraction : float, default=0.1
        Fraction of the samples that `early_stopping` holds out.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class, 1 for those not given, which multiplies the weights of its samples.
        Labels that y lacks are left out if all others have a weight. ``"balanced"``: inversely
        proportional to the total weight of the samples of the class. Not for label indicators.
    init : {"auto", "he", "glorot"}, default="auto"
        Initialisation of the weights, as for :class:`FeedForwardRegressor`.
    warm_start : bool, default=False
        Whether to start from the weights of the previous fit.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, the order of the samples, the held-out samples and `dropout`.
    verbose : bool or int, default=False
        Whether to print the loss of each epoch; of about a hundred if `max_iter` is above 1000.
        An int k > 1: of the first epoch, of every k-th one after it, and of the last.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, in sorted order; for label indicators, the numbers of the columns.
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (fan_out,)
        Biases of each layer.
    center_, scale_ : ndarray of shape (n_features,)
        Center and scale of the columns, as for :class:`FeedForwardRegressor`; only with
        ``standardize="robust"``.
    n_layers_ : int
        Number of layers, including inputs and outputs.
    n_outputs_ : int
        Number of outputs: 1 for two classes, else one per class.
    n_iter_ : int
        Number of epochs run.
    loss_ : float
        Mean training loss at the weights that are kept, without the penalty.
    best_loss_ : float
        Smallest loss of an epoch, the validation loss if there is one; or the loss of the epoch
        with the best score, if `early_stopping` is a scorer.
    best_iter_ : int
        Epoch of `best_loss_`, counted from 0.
    loss_curve_ : list of float
        Mean loss over the batches of each epoch, each before its step; ``partial_fit`` keeps the
        last thousand.
    validation_loss_curve_ : list of float
        Validation loss after each epoch; only with a validation set.
    validation_score_curve_ : list of float
        Score on the validation set after each epoch; only if `early_stopping` is a scorer.
    learning_rate_ : float
        Learning rate of the first epoch; 1.0 for ``"lbfgs"``, which has none.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had string names.

    See Also
    --------
    FeedForwardRegressor : The same network for numbers.
    PerceptronClassifier : One neuron per class.

    References
    ----------
    J. Bridle, "Probabilistic interpretation of feedforward classification network outputs",
    Neurocomputing, NATO ASI Series 68 (1990).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_gd import FeedForwardClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = FeedForwardClassifier(random_state=0).fit(X, y)
    >>> net.predict(X[:3])
    array([0, 0, 0])
    >>> bool(net.score(X, y) > 0.95)
    True
    """

    classes_: Array

    _class_targets = True
    _parameter_constraints = {
        **FeedForward._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        *,
        hidden_layer_sizes: int | Sequence[int] = (128, 64),
        activation: Any = "silu",
        output_activation: Any = "sigmoid",
        loss: str | Loss = "log_loss",
        standardize: str | bool = "robust",
        solver: str | Solver = "adam",
        learning_rate: float | str | Schedule = "auto",
        alpha: float = 1e-3,
        dropout: float | Sequence[float] = 0.0,
        batch_size: int | str | None = "auto",
        max_iter: int = 20,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        shuffle: bool = True,
        early_stopping: bool | str | Callable[..., float] = False,
        validation_fraction: float = 0.1,
        class_weight: Any = None,
        init: str = "auto",
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.output_activation = output_activation
        self.loss = loss
        self.standardize = standardize
        self.solver = solver
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.dropout = dropout
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.init = init
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @all_or_nothing
    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels of at least two classes, or indicators 0 and 1 of labels that do not exclude
            each other.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples: not negative, not all zero.
        X_val, y_val : array-like, optional
            Validation set, used instead of one that `early_stopping` holds out.
        sample_weight_val : array-like, optional
            Weights of the samples of the validation set.

        Returns
        -------
        self : FeedForwardClassifier

        Raises
        ------
        ValueError, TypeError
            For bad input, naming the parameter; the estimator stays as it was.
        DivergenceError
            If the loss grows without bound.
        """
        self._train(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

    @available_if(_makes_steps)
    @all_or_nothing
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch, starting from the current weights.

        The state of the solver, the random generator and the epoch of the schedule carry over from
        call to call; a changed learning rate takes effect. The scale of the columns, see
        `standardize`, is that of the samples of the first call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
        classes : array-like of shape (n_classes,), optional
            All labels that any call will have; required in the first call, but for indicators.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples: not negative. If all are zero, the call does nothing.

        Returns
        -------
        self : FeedForwardClassifier

        Raises
        ------
        ValueError, TypeError
            For bad input, a label that is not in `classes`, other features than before, or fewer
            than 10 samples with weight in the first call with `standardize`.
        """
        self._train_once(X, y, sample_weight, classes)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Return the predicted label of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Labels; or indicators, if ``fit`` had such. If X is of another array library than
            NumPy, they are of that library, on its device, except for labels that it does not
            have, such as strings: these are in a NumPy array.
        """
        self = as_of_now(self)
        check_is_fitted(self)
        scores = self._scores(X, "predict")
        if self._one_axis:
            return predicted_labels(scores, self.classes_)
        space, positive = space_of(scores), scores > 0
        return positive.astype(int) if space is None else space.astype(positive, int)

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the score of each class, the largest for the predicted one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of the first shape for two classes: positive for the second class. With the log loss or
            the sigmoid, logits; for other outputs, their distances from 0.5.
        """
        self = as_of_now(self)
        check_is_fitted(self)
        return self._scores(X, "decision_function")

    def _scores(self, X: ArrayLike, method: str) -> DeviceArray:
        hidden, output = self._activations[:-1], self._activations[-1]
        is_logit = isinstance(output, (Sigmoid, Softmax))
        activations = [*hidden, Identity()] if is_logit else self._activations
        scores = self._outputs(X, activations, method)
        scores = scores if is_logit else scores - 0.5
        return scores[:, 0] if scores.shape[1] == 1 and self._one_axis else scores

    @available_if(_gives_probabilities)
    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            They sum to one over the classes, but for label indicators. With a sigmoid per class
            and another loss than the log loss, they are its outputs, normalised.

        Raises
        ------
        AttributeError
            If neither the loss is the log loss nor the output activation the sigmoid.
        """
        self = as_of_now(self)
        check_is_fitted(self)
        p = self._outputs(X, self._activations, "predict_proba")
        return class_probabilities(p) if self._one_axis else p

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
        """
        self = as_of_now(self)
        check_is_fitted(self)
        hidden, output = self._activations[:-1], self._activations[-1]
        if not isinstance(output, (Sigmoid, Softmax)):
            p = self._outputs(X, self._activations, "predict_log_proba")
            p = class_probabilities(p) if self._one_axis else p
            with np.errstate(divide="ignore"):
                return namespace(p).log(p)
        z = self._outputs(X, [*hidden, Identity()], "predict_log_proba")
        if not self._one_axis:
            return log_sigmoid(z)
        return log_probabilities(z, exclusive=isinstance(output, Softmax))

    def _outputs(
        self, X: ArrayLike, activations: Sequence[Activation], method: str
    ) -> DeviceArray:
        y = super()._outputs(X, activations, method)
        expected = n_outputs_for(self.classes_) if self._one_axis else len(self.classes_)
        if y.shape[1] != expected:
            raise ValueError(
                f"coefs_ must have {expected} outputs for {len(self.classes_)} classes_. Got "
                f"{y.shape[1]}."
            )
        return y

    def _resolve_loss(self, output: Activation) -> tuple[Loss, Activation]:
        loss = as_loss(self.loss)
        if loss.link is None:
            return loss, output
        if loss.link.range != (0.0, 1.0):
            raise ValueError(
                f"loss={self.loss!r} is for numbers: its link, {loss.link!r}, gives no "
                "probabilities. Take FeedForwardRegressor, or another loss."
            )
        if type(output) not in (Sigmoid, Identity):
            raise ValueError(
                f"loss={self.loss!r} brings its link: output_activation must stay 'sigmoid'. Got "
                f"{self.output_activation!r}."
            )
        return loss, Identity()

    def _network(self, pieces: Any, rows: Dataset) -> Network:
        if not self._one_axis:
            pieces = pieces._replace(loss=pieces.loss._over_independent_outputs())
        return super()._network(pieces, rows)

    def _check_train(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Dataset, bool]:
        before = getattr(self, "classes_", None)
        X, y, weights = self._checked(X, y, sample_weight, reset=True)
        require_some_weight(weights)
        if self._one_axis:
            self.classes_ = np.unique(y)
            require_two(self.classes_, type(self).__name__)
        else:
            self.classes_ = np.arange(y.shape[1])
        if self.warm_start and before is not None:
            require_classes_of_last_fit(self.classes_, before)
        rows = self._rows(X, y, weights)
        self._require_weight_left(rows, "no row any weight", "fit")
        if isinstance(rows, ArrayRows):
            try_pieces(self, rows)
        return rows, self._one_axis

    def _check_held_out(
        self,
        X_val: ArrayLike,
        y_val: ArrayLike,
        weights_val: ArrayLike | None,
        train: Dataset,
        one_axis: bool,
    ) -> Dataset:
        if isinstance(train, ArrayRows):
            X_val, _, weights = check_held_out_array(self, X_val, y_val, weights_val, train)
            y_val = on_host(y_val)
        else:
            X_val, y_val, weights_val = all_as_numpy(X_val, y_val, weights_val)
            check = partial(self._labels, reset=False, known=True)
            X_val, y_val, weights = check_validation_rows(
                check, X_val, y_val, weights_val, train.dtype
            )
        if one_axis:
            codes = encode(y_val, self.classes_, "y_val")
            each = cast(ClassDataset, train).class_weights
            rows = _class_rows(X_val, codes, train.n_outputs, weights, each)
            self._require_weight_left(rows, "no row of X_val any weight", "validate on")
            return rows
        if y_val.ndim != 2 or y_val.shape[1] != train.n_outputs:
            raise ValueError(
                f"y_val must have the columns of y. Got shape {y_val.shape} for "
                f"{(train.n_samples, train.n_outputs)}."
            )
        return _indicator_rows(X_val, y_val, weights, "y_val")

    def _validation_data(self, held_out: Dataset) -> tuple[Matrix, Array, Array | None] | None:
        if isinstance(held_out, ClassRows):
            return held_out.X, self.classes_[held_out.y.codes], held_out.weights
        if not isinstance(held_out, Rows):
            return None
        return held_out.X, held_out.y.astype(int), held_out.weights

    def _check_once(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *classes: ArrayLike
    ) -> tuple[Rows, bool]:
        first = not hasattr(self, "coefs_")
        had_one_axis = None if first else self._one_axis
        require_no_balance(self.class_weight)
        X, y, weights = self._checked(X, y, sample_weight, reset=first, known=True)
        (given,) = classes
        if first and given is None and not self._one_axis:
            self.classes_ = np.arange(y.shape[1])
        elif first:
            self.classes_ = classes_of_first_call(given)
        require_same_classes(given, self.classes_)
        if not first:
            X = in_precision(X, self._precision())
            if self._one_axis != had_one_axis:
                raise ValueError(
                    "y must hold labels or indicators as in the calls before. Got shape "
                    f"{y.shape}."
                )
        if not self._one_axis and y.shape[1] != len(self.classes_):
            raise ValueError(
                f"y must have one column per class, {len(self.classes_)}. Got {y.shape[1]}."
            )
        rows = self._rows(X, y, weights)
        assert isinstance(rows, Rows)  # other libraries' arrays were refused
        return rows, self._one_axis

    def _checked(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        reset: bool,
        known: bool = False,
    ) -> tuple[Matrix, Array, Array | None]:
        """Return checked rows, labels (n_samples,) or indicators, and weights."""
        space = space_of(X)
        if space is None:
            y, sample_weight = all_as_numpy(y, sample_weight)
            X, y = self._labels(X, y, reset=reset, known=known)
            weights = check_weights(sample_weight, X)
        else:
            X, y, weights = check_array_classification(self, space, X, y, sample_weight)
            y = _one_column(y)
        self._one_axis = y.ndim == 1
        return X, y, weights

    def _labels(
        self, X: ArrayLike, y: ArrayLike, *, reset: bool, known: bool
    ) -> tuple[Matrix, Array]:
        """Return checked rows, and labels (n_samples,) or indicators."""
        if sparse.issparse(y):
            if y.shape[1] < 2:
                raise ValueError(
                    "Sparse targets must hold label indicators, of two columns or more. Got shape "
                    f"{y.shape}."
                )
            y = y.toarray()
        X, y = check_classification(self, X, y, reset=reset, known=known, multi_output=True)
        return X, _one_column(y)

    def _rows(self, X: Matrix, y: Array, weights: Array | None) -> Rows | ArrayRows:
        """Return rows with class codes, weighted by class, or with indicators."""
        if self._one_axis:
            codes = encode(y, self.classes_)
            totals = np.bincount(codes, weights, minlength=len(self.classes_))
            each = class_weights(self.class_weight, self.classes_, totals)
            return _class_rows(X, codes, n_outputs_for(self.classes_), weights, each)
        if self.class_weight is not None:
            raise ValueError(
                "The 'class_weight' parameter must be None for label indicators. Got "
                f"{self.class_weight!r}."
            )
        return _indicator_rows(X, y, weights, "y")

    def _targets(self, X: Matrix, y: Array, weights: Array | None) -> tuple[Array, Array | None]:
        """Return the targets (n_samples, n_outputs) of labels or indicators, and the weights."""
        if not self._one_axis and y.shape[1:] != (len(self.classes_),):
            raise ValueError(
                f"y must hold indicators of {len(self.classes_)} labels. Got shape {y.shape}."
            )
        rows = self._rows(X, y, weights)
        return rows.y[:], None if rows.weights is None else rows.weights[:, None]

    def _require_weight_left(self, rows: Rows | ArrayRows, what: str, to_do: str) -> None:
        total = float(rows.n_samples if rows.weights is None else rows.weights.sum())
        require_weight_left(total, self.class_weight, what, to_do)


def _class_rows(
    X: Matrix, codes: Array, n_outputs: int, weights: Array | None, class_weights: Array | None
) -> ClassRows | ArrayClassRows:
    """Return rows with class codes, in the library of X."""
    space, given = space_of(X), (X, codes, n_outputs, weights, class_weights)
    if space is not None:
        return ArrayClassRows.of(space, *given)
    return ClassRows.of(by_rows(X), *given[1:])


def _one_column(y: Array) -> Array:
    """Return labels (n_samples,), also of one column, or indicators."""
    if y.ndim == 2 and type_of_target(y) != "multilabel-indicator":
        if y.shape[1] > 1:
            raise ValueError(
                "y of two axes must hold indicators 0 and 1. Got "
                f"{type_of_target(y)} targets of shape {y.shape}."
            )
        y = column_or_1d(y, warn=True)
    return y


def _indicator_rows(X: Matrix, y: Array, weights: Array | None, name: str) -> Rows | ArrayRows:
    """Return rows with label indicators; a ValueError if they are not 0 and 1."""
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"{name} of two axes must hold indicators 0 and 1.")
    space = space_of(X)
    if space is None:
        return Rows(by_rows(X), y.astype(X.dtype, copy=False), weights)
    return ArrayRows(space, X, space.to_device(y.astype(space.numpy_dtype(X))), weights)
