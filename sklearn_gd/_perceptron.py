"""The neuron: it fires when its weighted inputs exceed a threshold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_gd._base import Estimator, Layer, available_if
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
from sklearn_gd._data.split import for_callbacks
from sklearn_gd._data.validation import (
    all_or_nothing,
    as_of_now,
    by_rows,
    check_classification,
    check_rows,
    check_same_shape,
    check_validation_rows,
    check_validation_set,
    check_weights,
    described,
    in_precision,
    make_generator,
    require_some_weight,
)
from sklearn_gd._models.class_rows import one_hot
from sklearn_gd._models.curvature import curvature_per_row
from sklearn_gd._models.labelled_rows import LabelledRows, targets_of
from sklearn_gd._models.network import Network, is_flat_at_zero, linear_step
from sklearn_gd._models.scaling import Scaling, require_enough_rows
from sklearn_gd._models.units import warn_of_other_units
from sklearn_gd._pieces import Array, ArrayLike, DType, Matrix, require_unchanged, storable
from sklearn_gd._training.callback_tasks import FitTasks, state_to_resume, with_callbacks
from sklearn_gd._training.learner import Advice, State
from sklearn_gd._training.learners import (
    GradientLearner,
    PerceptronCriterion,
    Rosenblatt,
    StepLearner,
)
from sklearn_gd._training.state import begin_again, scale_of
from sklearn_gd._training.stopping import Stopping, is_finite
from sklearn_gd._training.validation_score import (
    require_no_early_stopping,
    require_scorer,
    validation_score,
)
from sklearn_gd.activations import Activation, Identity, Sigmoid, Step, as_activation
from sklearn_gd.losses import Loss, as_loss
from sklearn_gd.schedules import Schedule, as_schedule
from sklearn_gd.solvers import GradientDescent, Solver, as_solver

_OF_SOME_FITS = (
    "_learner",
    "_auto_rate",
    "validation_loss_curve_",
    "validation_score_curve_",
)


def _is_sigmoid(self: PerceptronClassifier) -> bool:
    if isinstance(as_activation(self.activation), Sigmoid):
        return True
    raise AttributeError(
        "predict_proba needs activation='sigmoid', whose outputs lie between 0 and 1 and are "
        f"fitted as such. Got activation={self.activation!r}."
    )


_ADVICE = Advice(
    not_converged="Raise max_iter, or try another learning_rate or solver.",
    diverged="Lower learning_rate.",
    learned_nothing="Take learning_rate='auto', raise max_iter, or try another activation.",
)
_ADVICE_IN_DATA_UNITS = Advice(
    not_converged="Set standardize='standard', raise max_iter, or try another learning_rate or "
    "solver.",
    diverged="Lower learning_rate, or set standardize='standard'.",
    learned_nothing="Set standardize='standard', take learning_rate='auto', raise max_iter, or "
    "try another activation.",
)
_ADVICE_FOR_THE_STEP = Advice(
    not_converged="Raise max_iter. If no line separates the classes, average=True is more stable.",
    diverged="Lower learning_rate, or scale the features (StandardScaler).",
    learned_nothing="If no line separates the classes, take average=True, or a smooth activation "
    "such as 'sigmoid'.",
)


class _Pieces(NamedTuple):
    """The resolved parameters."""

    activation: Activation
    loss: Loss
    solver: Solver
    schedule: Schedule
    auto_rate: bool
    l1: float
    l2: float

    @property
    def trained(self) -> Activation:
        """The activation in training: a loss with a link is defined on the weighted inputs."""
        return self.activation if self.loss.link is None else Identity()


@storable
class PerceptronClassifier(Estimator, ClassifierMixin, BaseEstimator):
    """One neuron per class, which fires where w · x exceeds its threshold.

    With ``activation="step"`` it learns by Rosenblatt's rule [1]_: it visits one sample at a time
    and moves the weights, by rate * x, only if the neuron is wrong. With a differentiable
    activation it learns by gradient descent on the loss of the neuron's output. With more than two
    classes, each neuron separates its class from the rest, and the largest weighted input wins.

    Parameters
    ----------
    activation : str, Activation or (f, df), default="step"
        Activation of the neurons.
    loss : str or Loss, default="squared_error"
        Loss of a neuron's output. For the step, whose targets and outputs are 0 and 1, the squared
        error is the share of mistakes. ``"log_loss"``, with ``activation="sigmoid"`` only, is
        logistic regression, of each class against the rest; coefficients are as precise as `tol`,
        which is coarse by default.
    standardize : {"standard"} or False, default="standard"
        Scale in which differentiable neurons are trained. ``"standard"``: columns of mean 0 and
        standard deviation 1, so that the result does not depend on their units; `coef_` and
        `intercept_` are returned in the units of the data. Sparse columns, and all columns with
        ``fit_intercept=False``, are divided by their standard deviation but not centred. False:
        columns as they are. The step always gets them as they are.
    solver : str or Solver, default="gd"
        Step rule.
    learning_rate : "auto", float or Schedule, default="auto"
        Learning rate, or a schedule of it. ``"auto"``: 1.0 for the step, else 1 / the largest
        curvature of the objective.
    alpha : float, default=0.0
        Strength of the penalty: alpha * (l1_ratio * ||w||_1 + 0.5 * (1 - l1_ratio) * ||w||²) is
        added to the mean loss, with w the weights for the columns of `standardize`. The bias is
        not penalised. Rosenblatt's rule shrinks the weights by 1 - rate * alpha at each sample.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, in [0, 1]. If positive, some weights may be exactly 0 (with
        `average`, those that were 0 after each step); the activation must be differentiable, and
        the solver "gd", "momentum" or "nesterov": each step is followed by the proximal operator
        of the L1 penalty.
    fit_intercept : bool, default=True
        Whether the neurons have a bias; without one the threshold is 0.
    average : bool, default=False
        Whether to return the mean of the weights after each sample, or each step: the averaged
        perceptron [2]_, which is more stable on data that no line separates.
    batch_size : "auto" or int, default="auto"
        Number of samples per step. ``"auto"``: 1 for the step, else min(200, n_samples).
    max_iter : int, default=1000
        Maximum number of epochs.
    tol : float or None, default=1e-3
        Tolerance: an epoch improves if it lowers the best loss by more than `tol` times the loss
        of the best constant output. None: run all `max_iter` epochs.
    n_iter_no_change : int, default=5
        Number of consecutive epochs without improvement that ends the fit. With the step, an
        epoch without a mistake ends it too.
    shuffle : bool, default=True
        Whether to shuffle the samples in each epoch.
    early_stopping : bool, str or callable, default=False
        Whether to hold out a validation set, stratified by class, and monitor the loss on it; the
        weights of its best epoch are kept. `X_val` and `y_val` of ``fit`` do the same with a given
        set. A scorer, or its name for scikit-learn, such as ``"accuracy"``: the score on the
        validation set is monitored instead of the loss; `tol` is then a difference of scores.
    validation_fraction : float, default=0.1
        Fraction of the samples that `early_stopping` holds out.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, 1 for those not given, multiplied with those of the samples.
        Labels that y lacks are left out if all others have a weight. Rosenblatt's rule with more
        than two classes applies that of class k to the samples of class k in the neuron of class
        k only, as :class:`sklearn.linear_model.Perceptron` does.
    warm_start : bool, default=False
        Whether to start from the weights of the previous fit.
    random_state : int, RandomState or None, default=None
        Seed of the order of the samples, and of the held-out samples.
    verbose : bool or int, default=False
        Whether to print the loss of each epoch; of about a hundred if `max_iter` is above 1000.
        An int k > 1: of the first epoch, of every k-th one after it, and of the last.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the neurons; with two classes, one neuron, which fires for the second.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Biases of the neurons.
    threshold_ : ndarray of shape (1,) or (n_classes,)
        Threshold that w · x has to exceed for the neuron to fire: -`intercept_`.
    n_iter_ : int
        Number of epochs run.
    loss_ : float
        Mean training loss at the weights that are kept.
    loss_curve_ : list of float
        Mean loss of each epoch, each sample's before its update; ``partial_fit`` keeps the last
        thousand.
    validation_loss_curve_ : list of float
        Validation loss after each epoch; only with a validation set.
    validation_score_curve_ : list of float
        Score on the validation set after each epoch; only if `early_stopping` is a scorer.
    best_loss_ : float
        Smallest loss of an epoch, the validation loss if there is one; or the loss of the epoch
        with the best score, if `early_stopping` is a scorer.
    best_iter_ : int
        Epoch of `best_loss_`, counted from 0.
    learning_rate_ : float
        Learning rate of the first epoch.
    t_ : int
        Number of updates: corrected mistakes, summed over the neurons, or gradient steps.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had string names.

    Notes
    -----
    The targets of a differentiable neuron lie on either side of f(0), so that it fires where
    w · x + b > 0: they are the ends of its range if that is bounded (0 and 1 for the sigmoid, -1
    and 1 for tanh), else f(0) - 1 and f(0) + 1.

    With ``shuffle=False``, the weights equal those of :class:`sklearn.linear_model.Perceptron`.
    As there, for sparse X the bias moves a hundred times slower, which is better for text; the
    same samples as dense X then give other weights.

    References
    ----------
    .. [1] F. Rosenblatt, "The perceptron: a probabilistic model for information storage and
       organization in the brain", Psychological Review 65 (1958).
    .. [2] Y. Freund, R. Schapire, "Large margin classification using the perceptron algorithm",
       Machine Learning 37 (1999).

    Examples
    --------
    A neuron learns the logical AND:

    >>> from sklearn_gd import PerceptronClassifier
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    >>> neuron = PerceptronClassifier(shuffle=False).fit(X, y)
    >>> neuron.predict(X)
    array([0, 0, 0, 1])
    >>> neuron.coef_, neuron.threshold_
    (array([[3., 2.]]), array([3.]))
    """

    classes_: Array
    coef_: Array
    intercept_: Array
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    learning_rate_: float
    t_: int

    _scaling: Scaling | None = None
    _parameter_constraints = {
        "standardize": [StrOptions({"standard"}), Options(bool, {False})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "average": ["boolean"],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "early_stopping": ["boolean", str, callable],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        activation: Any = "step",
        loss: str | Loss = "squared_error",
        standardize: str | bool = "standard",
        solver: str | Solver = "gd",
        learning_rate: str | float | Schedule = "auto",
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        average: bool = False,
        batch_size: int | str = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        n_iter_no_change: int = 5,
        shuffle: bool = True,
        early_stopping: bool | str | Callable[..., float] = False,
        validation_fraction: float = 0.1,
        class_weight: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.activation = activation
        self.loss = loss
        self.standardize = standardize
        self.solver = solver
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.average = average
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def threshold_(self) -> Array:
        check_is_fitted(self, "intercept_")
        return 0.0 - self.intercept_

    @all_or_nothing
    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the neurons.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels of at least two classes.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples: not negative, not all zero.
        coef_init, intercept_init : array-like of the shapes of `coef_` and `intercept_`, optional
            Initial weights and biases; zero by default.
        X_val, y_val : array-like, optional
            Validation set, used instead of one that `early_stopping` holds out.
        sample_weight_val : array-like, optional
            Weights of the samples of the validation set.

        Returns
        -------
        self : PerceptronClassifier

        Raises
        ------
        ValueError, TypeError
            For bad input, naming the parameter; the estimator stays as it was.
        DivergenceError
            If the loss grows without bound.
        """
        pieces = self._resolve()
        kept = None
        classes_before = getattr(self, "classes_", None)
        train = self._check_train(X, y, sample_weight)
        held_out = None
        if check_validation_set(X_val, y_val, sample_weight_val):
            held_out = self._check_held_out(X_val, y_val, sample_weight_val, train)
            warn_of_other_units(train, held_out)
        class_weights = self._class_weights(train)
        train = self._weigh(train, class_weights, "no row any weight", "fit")
        if held_out is not None:
            what = "no row of X_val any weight"
            held_out = self._weigh(held_out, class_weights, what, "validate on")
        resumed = state_to_resume(self, X, y, sample_weight)
        generator = make_generator(self.random_state)
        if resumed is not None:
            begin_again(generator, resumed)
        at_start = generator.bit_generator.state
        if self.early_stopping and held_out is None:
            train, held_out, kept = train.set_aside(self.validation_fraction, generator)
        warm = False
        if self.warm_start and hasattr(self, "coef_"):
            warm = True
            self._require_same_model(classes_before, train.n_features)
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        start = self._check_start(coef_init, intercept_init, train)
        self._scaling = self._scale_of_fit(pieces, train, resumed, warm=warm)
        self._forget()
        learner = self._make_learner(pieces, train, start, generator, held_out)
        learner.at_start = at_start
        tasks = FitTasks(self, learner, *for_callbacks(X, y, sample_weight, kept))
        baseline_loss = self._baseline_loss(pieces, learner, train)
        stopping = Stopping(self, learner, baseline_loss, tasks, validation_score(self, held_out))
        self.learning_rate_ = stopping.rate(0) * learner.base_rate
        if resumed is not None:
            stopping.restore(resumed)
        self._descend(stopping, learner)
        if isinstance(learner, GradientLearner):
            learner.accept_zero()
        self._keep(stopping, *stopping.finish())
        tasks.close()
        return self

    @all_or_nothing
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch, starting from the current weights.

        The scale of the columns, see `standardize`, is that of the samples of the first call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), optional
            All labels that any call will have; required in the first call.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples: not negative. If all are zero, the call does nothing.

        Returns
        -------
        self : PerceptronClassifier

        Raises
        ------
        ValueError, TypeError
            For bad input, `early_stopping`, a label that is not in `classes`, other features than
            before, or fewer than 10 samples with weight in the first call with `standardize`.
        """
        pieces = self._resolve()
        require_no_early_stopping(self)
        first = not hasattr(self, "coef_")
        # Weights may have been set without a call before.
        reset = not hasattr(self, "n_features_in_")
        X, y = check_classification(self, X, y, reset=reset, known=True)
        if not hasattr(self, "classes_"):
            self.classes_ = classes_of_first_call(classes)
        if not first:
            self._require_floats(*self._whole()[:2])
        require_same_classes(classes, self.classes_)
        codes = encode(y, self.classes_)
        weights = check_weights(sample_weight, X)
        require_no_balance(self.class_weight)
        if not first:
            X = in_precision(X, self._precision())
        train = LabelledRows(X, codes, weights)
        train = train.weighed(self._class_weights(train), self._is_row_by_row())
        if not train.total(self._n_neurons()) > 0:
            if first:
                self._set_zero_weights(pieces, X)
            return self
        learner = self._carry_on(pieces, train, first)
        stopping = Stopping.after(self, learner, 0.0)
        self.learning_rate_ = stopping.rate(stopping.n_iter) * learner.base_rate
        weights, loss = stopping.run_once()
        self._forget()
        self._keep(stopping, weights, loss)
        self._learner, self._auto_rate = learner, pieces.auto_rate
        return self

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the weighted inputs minus the threshold, w · x + b.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        z : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of the first shape for two classes: positive for the second class.
        """
        return self._weighted_inputs(X)[0]

    def predict(self, X: ArrayLike) -> Array:
        """Return the predicted label of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
        """
        z, classes = self._weighted_inputs(X)
        labels: Array = classes[predicted_codes(z)]
        return labels

    @available_if(_is_sigmoid)
    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the outputs of the sigmoid, normalised to sum to one over the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)

        Raises
        ------
        AttributeError
            If the activation is not the sigmoid.
        """
        z = self.decision_function(X)
        return class_probabilities(as_activation(self.activation)(z))

    @available_if(_is_sigmoid)
    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithms of ``predict_proba``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            Computed without underflow of the sigmoids.

        Raises
        ------
        AttributeError
            If the activation is not the sigmoid.
        """
        return log_probabilities(self.decision_function(X), exclusive=False)

    def _layers(self) -> list[Layer]:
        intercept = self.intercept_ if self.fit_intercept else None
        return [Layer(self.coef_.T, intercept, as_activation(self.activation))]

    def _weighted_inputs(self, X: ArrayLike) -> tuple[Array, Array]:
        """Return w · x + b and the labels, consistent even if another thread refits meanwhile."""
        self = as_of_now(self)
        check_is_fitted(self)
        coef, intercept, classes = self._whole()
        X = check_rows(self, X)
        z: Array = np.asarray(X @ coef.T) + intercept
        return z[:, 0] if z.shape[1] == 1 else z, classes

    def _whole(self) -> tuple[Array, Array, Array]:
        """Return weights, biases and labels; a ValueError if edited ones do not fit each other."""
        coef, classes = self.coef_, self.classes_
        intercept: Any = getattr(self, "intercept_", None)
        n_neurons = n_outputs_for(classes)
        shape = (n_neurons, self.n_features_in_)
        arrays = all(isinstance(each, np.ndarray) for each in (coef, intercept, classes))
        numbers = arrays and coef.dtype.kind in "fiub" and intercept.dtype.kind in "fiub"
        if not numbers or len(classes) < 2 or (coef.shape, intercept.shape) != (shape, shape[:1]):
            raise ValueError(
                f"coef_ and intercept_ must be arrays of shapes {shape} and ({n_neurons},), for "
                f"{len(classes)} classes_, an array of at least two, and n_features_in_="
                f"{shape[1]}. Got {described(coef)}, {described(intercept)} and "
                f"{described(classes)}."
            )
        return coef, intercept, classes

    def _require_floats(self, coef: Array, intercept: Array) -> None:
        """Raise a ValueError for weights, set by hand, that cannot be trained."""
        if coef.dtype != intercept.dtype or coef.dtype not in (np.float32, np.float64):
            raise ValueError(
                "partial_fit needs coef_ and intercept_ of one floating-point type, float32 or "
                f"float64. Got {coef.dtype} and {intercept.dtype}."
            )
        if not (is_finite(coef) and is_finite(intercept)):
            raise ValueError("partial_fit needs finite coef_ and intercept_. Got NaN or infinity.")

    def _precision(self) -> DType:
        """Return the type in which ``partial_fit`` goes on: that of the calls before."""
        learner = getattr(self, "_learner", None)
        dtype: DType = (self.coef_ if learner is None else learner.parameters).dtype
        return dtype

    def _resolve(self) -> _Pieces:
        """Check the parameters and resolve them."""
        self._validate_params()
        require_scorer(self.early_stopping, type(self).__name__)
        activation = as_activation(self.activation)
        is_step = type(activation) is Step
        if not activation.differentiable and not is_step:
            raise ValueError(
                "The 'activation' parameter must be 'step' or differentiable. "
                f"Got {self.activation!r} instead."
            )
        loss = as_loss(self.loss)._over_independent_outputs()
        if loss.link is not None and type(activation) is not type(loss.link):
            raise ValueError(
                f"loss={self.loss!r} needs its link as the activation, {loss.link!r}. Got "
                f"activation={self.activation!r}."
            )
        auto_rate = isinstance(self.learning_rate, str) and self.learning_rate == "auto"
        if auto_rate and not is_step and loss.curvature is None:
            raise ValueError(
                "learning_rate='auto' needs a loss of bounded curvature, and "
                f"loss={self.loss!r} has none. Give a float or a Schedule as learning_rate."
            )
        if is_step and self.l1_ratio > 0:
            raise ValueError(
                "l1_ratio > 0 needs a differentiable activation, such as 'sigmoid': the step is "
                "trained on mistakes, and not on a loss with a gradient. Got activation="
                f"{self.activation!r} with l1_ratio={self.l1_ratio!r}."
            )
        solver = as_solver(self.solver)
        solver._require_proximal_step(self.l1_ratio)
        schedule = as_schedule(1.0 if auto_rate else self.learning_rate, also=", or 'auto'")
        l1, l2 = self.alpha * self.l1_ratio, self.alpha * (1 - self.l1_ratio)
        return _Pieces(activation, loss, solver, schedule, auto_rate, l1, l2)

    def _batch_rows(self) -> int:
        if self.batch_size == "auto":
            return 1 if type(as_activation(self.activation)) is Step else 200
        return int(self.batch_size)

    def _is_row_by_row(self) -> bool:
        """Return whether this is Rosenblatt's rule, which visits one sample at a time."""
        is_step = type(as_activation(self.activation)) is Step
        plain = type(as_solver(self.solver)) is GradientDescent
        return is_step and plain and self._batch_rows() == 1

    def _check_train(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> LabelledRows:
        """Return the checked training set, and set `classes_`."""
        X, y = check_classification(self, X, y, reset=True)
        self.classes_, codes = np.unique(y, return_inverse=True)
        require_two(self.classes_, type(self).__name__)
        weights = check_weights(sample_weight, X)
        require_some_weight(weights)
        return LabelledRows(by_rows(X), codes.astype(np.int32), weights)

    def _validation_data(self, held_out: object) -> tuple[Matrix, Array, Array | None] | None:
        """Return X, y and weights of a validation set for a scorer; None if not NumPy's."""
        if not isinstance(held_out, LabelledRows):
            return None
        return held_out.X, self.classes_[held_out.codes], held_out.weights

    def _check_held_out(
        self,
        X_val: ArrayLike,
        y_val: ArrayLike,
        weights_val: ArrayLike | None,
        train: LabelledRows,
    ) -> LabelledRows:
        check = partial(check_classification, self, reset=False, known=True)
        X_val, y_val, weights = check_validation_rows(
            check, X_val, y_val, weights_val, train.dtype
        )
        return LabelledRows(X_val, encode(y_val, self.classes_, "y_val"), weights)

    def _weigh(
        self,
        rows: LabelledRows,
        class_weights: Array | None,
        what: str,
        to_do: str,
    ) -> LabelledRows:
        """Apply the class weights; a ValueError if no weight is left."""
        rows = rows.weighed(class_weights, self._is_row_by_row())
        require_weight_left(rows.total(self._n_neurons()), self.class_weight, what, to_do)
        return rows

    def _class_weights(self, train: LabelledRows) -> Array | None:
        """Return the weight of each class; None for 1 each."""
        counts = train.counts(len(self.classes_))  # samples of weight zero do not count
        return class_weights(self.class_weight, self.classes_, counts)

    def _targets(self, X: Matrix, y: Array, weights: Array | None) -> tuple[Array, Array | None]:
        """Return the targets of labels, and the weight of each, (n_samples, n_neurons)."""
        rows = LabelledRows(X, encode(y, self.classes_), weights)
        rows = rows.weighed(self._class_weights(rows), self._is_row_by_row())
        low, high = targets_of(as_activation(self.activation))
        n_neurons = self._n_neurons()
        return one_hot(rows.codes, n_neurons, low, high), rows.weigh(slice(None), n_neurons)

    def _n_neurons(self) -> int:
        return n_outputs_for(self.classes_)

    def _require_same_model(self, classes_before: Array | None, n_features: int) -> None:
        """Raise a ValueError if a warm start has other classes or features than before."""
        if classes_before is not None:
            require_classes_of_last_fit(self.classes_, classes_before)
        before = np.shape(self.coef_)[-1:]
        if before and before != (n_features,):
            raise ValueError(
                f"warm_start needs the {before[0]} features of the last fit. Got {n_features}."
            )
        self._whole()

    def _check_start(
        self, coef: ArrayLike | None, intercept: ArrayLike | None, train: LabelledRows
    ) -> Array | None:
        """Return initial weights and biases as one vector; None for zeros."""
        if coef is None and intercept is None:
            return None
        n_neurons = self._n_neurons()
        shape = (n_neurons, train.n_features)
        W = np.zeros(shape, train.dtype)
        b = np.zeros(n_neurons, train.dtype)
        if coef is not None:
            W = check_same_shape("coef_init", coef, shape, train.dtype)
        if intercept is not None:
            b = check_same_shape("intercept_init", intercept, (n_neurons,), train.dtype)
            if not self.fit_intercept and b.any():
                raise ValueError("intercept_init must be 0 where fit_intercept=False.")
        return self._flat(W, b)

    def _flat(self, coef: Array, intercept: Array) -> Array:
        """Return weights and biases, if there are any, as one vector."""
        if not self.fit_intercept and intercept.any():
            raise ValueError("intercept_ must be 0 where fit_intercept=False.")
        flat = np.ravel(np.asarray(coef).T)
        return np.concatenate([flat, intercept if self.fit_intercept else []]).astype(coef.dtype)

    def _make_learner(
        self,
        pieces: _Pieces,
        train: LabelledRows,
        start: Array | None,
        generator: np.random.Generator,
        held_out: LabelledRows | None = None,
    ) -> Rosenblatt | GradientLearner:
        learner: Rosenblatt | GradientLearner
        if self._is_row_by_row():
            learner = self._rosenblatt_over(train)(
                (train.n_features, self._n_neurons()),
                train.dtype,
                start,
                pieces.schedule,
                generator,
                self._fixed_settings(pieces),
                loss=pieces.loss,
                alpha=self.alpha,
                fit_intercept=self.fit_intercept,
                average=self.average,
            )
        else:
            network = self._network(pieces, train)
            differentiable = pieces.activation.differentiable
            by_gradient = GradientLearner if differentiable else StepLearner
            parameters = np.zeros(network.size, train.dtype)
            if start is not None:
                parameters = self._in_scale(network, start)
            learner = steps = by_gradient(
                parameters,
                pieces.solver,
                pieces.schedule,
                generator,
                self._fixed_settings(pieces),
                train.dtype,
                average=self.average,
            )
            if self._scaling is not None:
                steps.scale = self._scaling.packed()
            self._set_rate(steps, pieces, train)
            if start is None and differentiable and is_flat_at_zero(pieces.activation):
                self._leave_zero(steps, network, train, pieces)
        learner.advice = _ADVICE_FOR_THE_STEP
        if pieces.activation.differentiable:
            learner.advice = _ADVICE if self.standardize else _ADVICE_IN_DATA_UNITS
        self._learn_from(learner, pieces, train, held_out)
        return learner

    def _rosenblatt_over(self, train: LabelledRows) -> type[Rosenblatt]:
        """Return the class that learns by Rosenblatt's rule from these rows."""
        return Rosenblatt

    def _learn_from(
        self,
        learner: Rosenblatt | GradientLearner,
        pieces: _Pieces,
        train: LabelledRows,
        held_out: LabelledRows | None = None,
    ) -> None:
        if isinstance(learner, Rosenblatt):
            learner.alpha = self.alpha
            learner.learn_from(train, held_out, shuffle=self.shuffle)
            return
        ends = targets_of(pieces.activation)
        network = self._network(pieces, train)
        learner.l1 = network.on_weights(pieces.l1) if pieces.l1 > 0 else None
        objective = train.objective(network, *ends)
        validation = None
        if held_out is not None:
            validation = held_out.objective(self._network(pieces, train), *ends)
        learner.learn_from(objective, validation, self._batch_rows(), shuffle=self.shuffle)

    def _network(self, pieces: _Pieces, train: LabelledRows, loss: Loss | None = None) -> Network:
        of_step = not pieces.activation.differentiable
        if loss is None:
            loss = PerceptronCriterion(pieces.loss) if of_step else pieces.loss
        network = Network(
            (train.n_features, self._n_neurons()),
            [Identity() if of_step else pieces.trained],
            loss,
            pieces.l2,
            train.dtype,
            biases=self.fit_intercept,
            class_targets=True,
        )
        return network.scaled(self._scaling)

    def _scale_of_fit(
        self, pieces: _Pieces, train: LabelledRows, resumed: State | None, *, warm: bool
    ) -> Scaling | None:
        """Return the scale of the columns in a fit; None for columns as they are."""
        if resumed is not None and self._is_scaled(pieces):
            sizes = train.n_features, self._n_neurons()
            return Scaling.unpacked("standard", scale_of(resumed, *sizes), *sizes)
        if warm and "_scaling" in vars(self):  # else its weights were set without a fit
            return self._present_scaling(pieces)
        return self._find_scaling(train) if self._is_scaled(pieces) else None

    def _is_scaled(self, pieces: _Pieces) -> bool:
        return bool(self.standardize) and pieces.activation.differentiable

    def _find_scaling(self, train: LabelledRows) -> Scaling:
        return self._scaling_by(*train.column_scale("standard", centred=self.fit_intercept))

    def _scaling_by(self, center: Array, scale: Array) -> Scaling:
        k = self._n_neurons()
        return Scaling("standard", center, scale, np.zeros(k), np.ones(k), baseline_loss=1.0)

    def _present_scaling(self, pieces: _Pieces) -> Scaling | None:
        """Return the scale of the current weights; a ValueError if `standardize` has changed."""
        if not pieces.activation.differentiable:
            return None
        scaling = self._scaling
        before = scaling.kind if scaling else False
        if before != self.standardize:
            raise ValueError(
                "The 'standardize' parameter must stay what the current weights were trained "
                f"with, {before!r}. Got {self.standardize!r}. A fit with warm_start=False starts "
                "again."
            )
        if scaling is not None and not self.fit_intercept:
            # Without a bias, no column is centred.
            return self._scaling_by(np.zeros_like(scaling.center), scaling.scale)
        return scaling

    def _in_scale(self, network: Network, flat: Array) -> Array:
        """Return weights and biases, in the units of the data, for scaled columns."""
        if self._scaling is None:
            return flat
        layers = self._scaling.unfolded(network.layers(flat))
        return network.flatten(*zip(*layers, strict=True))

    def _set_rate(self, learner: GradientLearner, pieces: _Pieces, train: LabelledRows) -> None:
        """Set the largest stable rate, and half of it as the rate for 'auto'."""
        learner.base_rate = 1.0
        activation, ends = pieces.activation, targets_of(pieces.activation)
        per_row = None
        if activation.differentiable:
            per_row = curvature_per_row(pieces.loss, pieces.trained, ends)
        if per_row is None:
            return
        curvature = train.curvature(
            per_row / pieces.loss._divisor(self._n_neurons()),
            pieces.l2,
            intercept=self.fit_intercept,
            columns=None if self._scaling is None else self._scaling.columns(np.float64),
        )
        top = curvature.largest()
        learner.max_rate = 2.0 / top if top > 0 else np.inf
        if pieces.auto_rate:
            learner.base_rate = 1.0 / top if top > 0 else 1.0

    def _leave_zero(
        self, learner: GradientLearner, network: Network, train: LabelledRows, pieces: _Pieces
    ) -> None:
        # An activation that is flat at 0, as the ReLU, has no gradient at zero weights: begin with
        # a bias that fires for every sample; without a bias, with the step of a linear neuron.
        low, high = targets_of(pieces.activation)
        if self.fit_intercept:
            network.layers(learner.parameters)[0][1][:] = high
        else:
            gradient = linear_step(train.objective(network, low, high))
            learner.parameters -= learner.base_rate * learner.schedule.rate(0) * gradient

    def _baseline_loss(
        self, pieces: _Pieces, learner: Rosenblatt | GradientLearner, train: LabelledRows
    ) -> float:
        if isinstance(learner, Rosenblatt):
            return learner.baseline_loss()
        activation, ends = pieces.activation, targets_of(pieces.activation)
        network = self._network(pieces, train, pieces.loss)
        objective = train.objective(network, *ends)
        low, high = activation.range
        if not activation.differentiable or (low <= min(ends) and max(ends) <= high):
            return objective.baseline_loss()
        # The neuron cannot output each constant: the ReLU has targets -1 and 1.
        constant = objective.best_constant()
        line = Network(network.sizes, [Identity()], pieces.loss, 0.0, train.dtype)
        parameters = np.zeros(line.size, train.dtype)
        line.layers(parameters)[0][1][:] = np.clip(constant, low, high)
        return train.objective(line, *ends).mean_loss(parameters)

    def _fixed_settings(self, pieces: _Pieces) -> dict[str, object]:
        """Return the parameters that must not change between calls of ``partial_fit``."""
        settings = {
            "activation": pieces.activation,
            "loss": pieces.loss,
            "solver": pieces.solver,
            "fit_intercept": self.fit_intercept,
            "average": self.average,
        }
        # The sums of an average differ in kind if weights decay.
        return settings | ({"alpha": self.alpha} if self.average and self._is_row_by_row() else {})

    def _set_zero_weights(self, pieces: _Pieces, X: Matrix) -> None:
        """Set the attributes of neurons with zero weights, before any update."""
        n_neurons = self._n_neurons()
        self.coef_ = np.zeros((n_neurons, X.shape[1]), X.dtype)
        self.intercept_ = np.zeros(n_neurons, X.dtype)
        self.n_iter_, self.loss_curve_, self.best_loss_, self.best_iter_ = 0, [], np.inf, 0
        self.loss_, self.learning_rate_, self.t_ = np.nan, pieces.schedule.rate(0), 0

    def _carry_on(
        self, pieces: _Pieces, train: LabelledRows, first: bool
    ) -> Rosenblatt | GradientLearner:
        """Return a copy of the learner of the previous calls, or a new one."""
        if not hasattr(self, "_learner"):
            start = None
            if not first and (vars(self).get("n_iter_") or self.coef_.any()):
                start = self._flat(self.coef_, self.intercept_)
            self._scaling = (
                self._present_scaling(pieces)
                if "_scaling" in vars(self)
                else self._first_scaling(pieces, train)
            )
            generator = make_generator(self.random_state)
            return self._make_learner(pieces, train, start, generator)
        learner: Rosenblatt | GradientLearner = self._learner.copy()
        edited = self._is_edited(learner)  # of a learner with the rate of the last call
        learner.carry_on(self._fixed_settings(pieces), pieces.schedule)
        self._scaling = self._present_scaling(pieces)
        if isinstance(learner, Rosenblatt) != self._is_row_by_row():
            before = 1 if isinstance(learner, Rosenblatt) else "more than 1"
            require_unchanged("batch_size", before, self._batch_rows())
        if isinstance(learner, GradientLearner) and self._auto_rate != pieces.auto_rate:
            learner.schedule = pieces.schedule
            self._set_rate(learner, pieces, train)
        if edited:
            weights = self._flat(self.coef_, self.intercept_).astype(train.dtype, copy=False)
            learner.take_up(self._in_scale(self._network(pieces, train), weights))
        self._learn_from(learner, pieces, train)
        return learner

    def _first_scaling(self, pieces: _Pieces, train: LabelledRows) -> Scaling | None:
        """Return the scale of the columns in the first ``partial_fit``."""
        if not self._is_scaled(pieces):
            return None
        weights = train.weights
        with_weight = train.X.shape[0] if weights is None else np.count_nonzero(weights)
        require_enough_rows(int(with_weight))
        return self._find_scaling(train)

    def _is_edited(self, learner: Rosenblatt | GradientLearner) -> bool:
        """Return whether the current weights are others than those of a learner.

        Else its parameters are these, perhaps in another unit and not rounded.
        """
        known = self._attributes_of(learner.weights())
        same = (np.array_equal(known[n], getattr(self, n)) for n in ("coef_", "intercept_"))
        return not all(same)

    def _descend(self, stopping: Stopping, learner: Rosenblatt | GradientLearner) -> None:
        """Run the epochs."""
        with stopping:
            for epoch in stopping:
                rate = stopping.rate(epoch)
                loss = learner.run_epoch(rate)
                stopping.record(loss, learner.validation_loss())

    def _keep(self, stopping: Stopping, weights: Array, loss: float) -> None:
        """Set the fitted attributes: the history and the final weights."""
        self.loss_, self.t_ = loss, stopping.learner.updates
        self.__dict__.update(stopping.attributes())
        with np.errstate(all="ignore"):
            self.__dict__.update(self._attributes_of(weights))
        if self._scaling is not None:  # in the units of the data they may overflow
            stopping.check_end(loss, self.coef_, self.intercept_)

    def _attributes_of(self, weights: Array) -> dict[str, Any]:
        """Return the weights as fitted attributes, in copies."""
        p, k = self.n_features_in_, self._n_neurons()
        coef, intercept = weights[: p * k].reshape(p, k), weights[p * k :].copy()
        if self._scaling is not None:
            ((coef, intercept),) = self._scaling.folded([(coef, intercept)])
        if not intercept.size:
            intercept = np.zeros(k, weights.dtype)
        return {
            "coef_": np.array(coef.T, order="C"),
            "intercept_": intercept,
            "_scaling": self._scaling,
        }

    def _forget(self) -> None:
        for name in _OF_SOME_FITS:
            self.__dict__.pop(name, None)
