"""The line through the origin: y = X W."""

from __future__ import annotations

import math
import warnings
from binascii import crc32
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_gd._base import Estimator, Layer
from sklearn_gd._data.array_api import on_host, require_same_space, space_of
from sklearn_gd._data.split import for_callbacks
from sklearn_gd._data.validation import (
    all_or_nothing,
    as_of_now,
    check_rows,
    check_same_shape,
    described,
    require_some_weight,
)
from sklearn_gd._models.array_rows import check_array_rows, device_outputs, require_numpy
from sklearn_gd._models.curvature import Curvature, curvature_per_row
from sklearn_gd._models.interfaces import LineDataset
from sklearn_gd._models.least_squares import Moments, Quadratic, is_dependence
from sklearn_gd._models.network import Network, is_flat_at_zero
from sklearn_gd._models.rows import Rows
from sklearn_gd._pieces import Array, ArrayLike, namespace, same_settings, storable
from sklearn_gd._training.callback_tasks import FitTasks, state_to_resume, with_callbacks
from sklearn_gd._training.learner import Advice
from sklearn_gd._training.learners import FullBatchLearner
from sklearn_gd._training.stopping import Stopping
from sklearn_gd.activations import Activation, Identity, as_activation
from sklearn_gd.losses import Loss, SquaredError, as_loss
from sklearn_gd.schedules import Constant, Schedule, as_schedule
from sklearn_gd.solvers import Solver, as_solver

# Condition number of X'X, with columns of one norm, from which the weights may have few digits.
_ILL_CONDITIONED = 1e8


def _advice(estimator: ThroughOriginRegressor) -> Advice:
    """Return what to do, of what is not done already."""
    rate, solver = (
        [] if same_settings(getattr(estimator, name), best) else [f"{name}={best!r}"]
        for name, best in (("learning_rate", "auto"), ("solver", "nesterov"))
    )
    more = _or_take("Raise max_iter", rate + solver)
    return Advice(
        not_converged=f"{more} If columns are nearly linearly dependent, drop or combine some, or "
        "set alpha > 0 and l1_ratio < 1.",
        diverged=_or_take("Lower learning_rate", rate),
        learned_nothing=more,
    )


def _or_take(advice: str, settings: list[str]) -> str:
    return f"{advice}{', or take ' + ' and '.join(settings) if settings else ''}."


class _Pieces(NamedTuple):
    """The resolved parameters."""

    activation: Activation
    loss: Loss
    solver: Solver
    schedule: Schedule
    l1: float
    l2: float


@storable
class ThroughOriginRegressor(Estimator, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Regression through the origin, y = f(X W), by full-batch gradient descent.

    Starts at W = 0 and moves W against the gradient of the mean loss until the gradient is `tol`
    times that at W = 0. With the identity and the squared error it converges to ordinary least
    squares without an intercept; it then makes one pass over the samples, and the cost of an
    iteration, n_features², does not depend on their number.

    Parameters
    ----------
    activation : str, Activation or (f, df), default="identity"
        Activation f, with f(0) = 0, so that the model passes through the origin.
    loss : str or Loss, default="squared_error"
        Loss to minimise, averaged over samples and outputs.
    solver : str or Solver, default="nesterov"
        Step rule. ``"gd"`` with a float rate is textbook gradient descent.
    learning_rate : "auto", float or Schedule, default="auto"
        Learning rate, or a schedule of it, the same for all features. ``"auto"``: one rate per
        feature, from the curvature of the objective, so that the scales of the columns do not
        matter: 1 / (L C_jj), with C_jj the curvature along weight j and L the largest eigenvalue
        of the curvature after every C_jj is scaled to 1.
    alpha : float, default=0.0
        Strength of the penalty: alpha * (l1_ratio * ||W||_1 + 0.5 * (1 - l1_ratio) * ||W||²) is
        added to the mean loss.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, in [0, 1]: 0 is ridge regression, 1 the lasso, and between them is
        the elastic net. If positive, some weights may be exactly 0, and the solver must be "gd",
        "momentum" or "nesterov": each step is followed by the proximal operator of the L1 penalty,
        which with "nesterov" is FISTA [3]_.
    max_iter : int, default=100_000
        Maximum number of iterations.
    tol : float or None, default=1e-8
        Tolerance: the fit ends when the norm of the gradient, each component in the scale of its
        rate, is at most `tol` times that at W = 0. With an L1 penalty: the norm of the gradient
        mapping, of a proximal step, at most `tol` times that of the gradient without the L1
        penalty at W = 0. None: run all `max_iter` iterations.
    warm_start : bool, default=False
        Whether to start from the weights of the previous fit.
    verbose : bool or int, default=False
        Whether to print the loss of each epoch; of about a hundred if `max_iter` is above 1000.
        An int k > 1: of the first epoch, of every k-th one after it, and of the last.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_outputs, n_features)
        W; of the first shape if y has one axis.
    intercept_ : float
        0.0.
    n_iter_ : int
        Number of iterations run.
    loss_ : float
        Mean loss at `coef_`, without the penalty.
    loss_curve_ : list of float
        Mean loss before the step of each iteration; ``partial_fit`` keeps the last thousand.
    learning_rate_ : float or ndarray of shape (n_features,)
        Learning rate of the first iteration.
    max_learning_rate_ : float
        Largest rate, the same for all features, at which plain gradient descent is stable: 2 /
        the largest curvature. Missing if the curvature has no bound.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had string names.

    Raises
    ------
    DivergenceError
        In ``fit``, if the rate is too large.

    Notes
    -----
    Without a penalty, if the features are linearly dependent, many W fit equally well; descent
    from 0 converges to that of least ||C^(1/2) W||, the minimum-norm solution if the columns of X
    have equal scale.
    ``partial_fit`` with the identity and the squared error keeps X'X and X'y of all samples so
    far, so that any split into calls gives the result of one fit on all samples; with other
    losses it makes one step per call.

    References
    ----------
    .. [1] A. Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées",
       Comptes rendus 25 (1847).
    .. [2] J. G. Eisenhauer, "Regression through the origin", Teaching Statistics 25 (2003).
    .. [3] A. Beck, M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear
       inverse problems", SIAM Journal on Imaging Sciences 2 (2009).

    Examples
    --------
    >>> from sklearn_gd import ThroughOriginRegressor
    >>> X, y = [[1.0], [2.0], [3.0]], [2.1, 3.9, 6.0]
    >>> line = ThroughOriginRegressor().fit(X, y)
    >>> line.coef_.round(4)
    array([1.9929])
    >>> line.predict([[10.0]]).round(2)
    array([19.93])
    """

    coef_: Array
    intercept_: float
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    learning_rate_: float | Array
    max_learning_rate_: float
    _activation: Activation | None
    _learner: FullBatchLearner
    _moments: Moments

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        activation: Any = "identity",
        loss: str | Loss = "squared_error",
        solver: str | Solver = "nesterov",
        learning_rate: str | float | Schedule = "auto",
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        max_iter: int = 100_000,
        tol: float | None = 1e-8,
        warm_start: bool = False,
        verbose: bool | int = False,
    ) -> None:
        self.activation = activation
        self.loss = loss
        self.solver = solver
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags

    @all_or_nothing
    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        coef_init: ArrayLike | None = None,
    ) -> Self:
        """Minimise the mean loss by gradient descent.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples: a weight of 2 equals a repeated sample. Not negative, not all
            zero.
        coef_init : array-like of the shape of `coef_`, optional
            Initial weights; zero by default.

        Returns
        -------
        self : ThroughOriginRegressor

        Raises
        ------
        ValueError, TypeError
            For bad input, naming the parameter; the estimator stays as it was.
        DivergenceError
            If the rate is too large.
        """
        pieces = self._resolve()
        start = getattr(self, "coef_", None) if self.warm_start else None
        quadratic = _is_quadratic(pieces)
        rows, one_axis = self._check_train(X, y, sample_weight, look_at_all=not quadratic)
        name = "The last fit's coef_, where warm_start=True begins,"
        if coef_init is not None:
            name, start = "coef_init", coef_init
        parameters = self._start(start, rows.n_features, rows.n_outputs, name)
        self._forget()
        on_rows = rows.objective(self._network(pieces, rows))
        moments = rows.moments() if quadratic and rows.uses_moments else None
        if moments is None:
            rows.require_finite()
            parameters = rows.to_device(parameters)
        learner = self._make_learner(pieces, parameters, rows, moments)
        # The moments are NumPy's wherever the rows lie, and so is the descent on them.
        learner.learn_from(on_rows if moments is None else Quadratic(moments, pieces.l2))
        self.learning_rate_ = rows.to_device(self.learning_rate_)
        self._set_model(pieces, rows, one_axis)
        self._to_device = rows.to_device  # for callbacks that predict meanwhile
        tasks = FitTasks(self, learner, *for_callbacks(X, y, sample_weight))
        stopping = self._begin(learner, tasks)
        resumed = state_to_resume(self, X, y, sample_weight)
        if resumed is not None:
            stopping.restore(resumed)
        self._descend(stopping, learner)
        learner.accept_zero()
        self._keep(stopping, *stopping.finish())
        if isinstance(learner.objective, Quadratic) and learner.condition > _ILL_CONDITIONED:
            self._warn_if_undetermined(learner, rows)
        rounding = 1e-8 if rows.dtype == np.float64 else 1e-2
        if (
            isinstance(learner.objective, Quadratic)
            and self.loss_ < rounding * learner.objective.yy
        ):
            # The loss from the moments is mostly rounding error: compute it from the rows.
            self.loss_ = on_rows.mean_loss(learner.parameters)
        del self._to_device
        tasks.close()
        return self

    @all_or_nothing
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn from more samples.

        With the identity and the squared error: minimise the loss over the samples of all calls
        since the last ``fit``; a `coef_` that was set by hand is where that begins, and what
        remains where the samples do not determine the weights. Otherwise: make one gradient step
        on these samples, from `coef_`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples: not negative. If all are zero, the call does nothing.

        Returns
        -------
        self : ThroughOriginRegressor

        Raises
        ------
        ValueError, TypeError
            For bad input, or if the features or outputs have changed.
        """
        pieces = self._resolve()
        first = not hasattr(self, "coef_")
        if not first:
            self._require_weights()
        require_numpy(self, X, None if first else self.coef_)
        reset = not hasattr(self, "n_features_in_")
        rows, one_axis = Rows.checked(self, X, y, sample_weight, reset=reset)
        X, Y, weights = rows
        if not first and (self.coef_.ndim == 1) != one_axis:
            raise ValueError(
                f"y has {'one axis' if one_axis else 'two axes'}, unlike in the calls before."
            )
        if not first and self._n_outputs() != Y.shape[1]:
            raise ValueError(
                f"y has {Y.shape[1]} columns, and {self._n_outputs()} in the calls before."
            )
        parameters = self._start(None if first else self.coef_, X.shape[1], Y.shape[1], "coef_")
        self._set_model(pieces, rows, one_axis)
        if weights is not None and not weights.any():
            if first:
                self.n_iter_, self.loss_, self.loss_curve_ = 0, np.nan, []
                self.__dict__.update(self._attributes_of(parameters))
            return self
        if _is_quadratic(pieces):
            moments = getattr(self, "_moments", Moments(X.shape[1], Y.shape[1]))
            self._moments = moments = moments.added(X, Y, weights)
            if not first and self.__dict__.get("_kept") == _digest(self.coef_):
                parameters[:] = 0  # they were not edited: as one fit on the samples of all calls
            learner = self._make_learner(pieces, parameters, rows, moments)
            learner.learn_from(Quadratic(moments, pieces.l2))
            stopping = self._begin(learner)
            self._descend(stopping, learner)
            self._keep(stopping, *stopping.finish())
        else:
            pieces.solver.full_batch = False
            learner = self._make_learner(pieces, parameters, rows)
            if hasattr(self, "_learner"):
                before = self._learner.copy()  # a failed call changes nothing
                before.carry_on(learner.settings, pieces.schedule)
                if before.l1 is not None:  # its parameters are ahead of the weights
                    learner.parameters += before.parameters - before.weights()
                learner.solver, learner.schedule = before.solver, before.schedule
            learner.learn_from(rows.objective(self._network(pieces, rows)))
            baseline, _ = learner.objective(learner.zeros())
            stopping = Stopping.after(self, learner, baseline)
            self._keep(stopping, *stopping.run_once())
            self._learner = learner
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Return f(X W).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, with as many dimensions as y had in ``fit``.
        """
        self = as_of_now(self)
        check_is_fitted(self)
        self._require_weights()
        space = require_same_space(self, X, self.coef_)
        if space is not None:
            W = self.coef_.T if self.coef_.ndim == 2 else self.coef_[:, None]
            activation = self._activation or Identity()
            y_pred = device_outputs(self, space, [(W, None)], [activation], X)
            return y_pred[:, 0] if self.coef_.ndim == 1 else y_pred
        X = check_rows(self, X)
        z: Array = np.asarray(X @ self.coef_.T)
        return z if self._activation is None else self._activation(z)

    def _require_weights(self) -> None:
        """Raise a ValueError if edited weights do not fit the features."""
        shape: tuple[int, ...] = getattr(self.coef_, "shape", ())
        dtype = getattr(self.coef_, "dtype", None)
        # Without it, the weights were set without a fit.
        n_features = getattr(self, "n_features_in_", shape[-1] if shape else 0)
        numbers = getattr(dtype, "kind", "f") in "fiub"  # other libraries' types have none
        if len(shape) not in (1, 2) or shape[-1] != n_features or not numbers:
            raise ValueError(
                f"coef_ must be an array with a weight for each of n_features_in_={n_features} "
                f"features. Got {described(self.coef_)}."
            )

    def _layers(self) -> list[Layer]:
        W = self.coef_ if self.coef_.ndim == 2 else self.coef_[None, :]
        return [Layer(W.T, None, self._activation or Identity())]

    def _check_train(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, look_at_all: bool
    ) -> tuple[LineDataset, bool]:
        """Return the checked training set, and whether y has one axis."""
        space = space_of(X)
        if space is not None:
            return check_array_rows(self, space, X, y, sample_weight)
        rows, one_axis = Rows.checked(self, X, y, sample_weight, look_at_all=look_at_all)
        require_some_weight(rows.weights)
        return rows, one_axis

    def _n_outputs(self) -> int:
        return 1 if self.coef_.ndim == 1 else int(self.coef_.shape[0])

    def _resolve(self) -> _Pieces:
        self._validate_params()
        not_through_origin = ["sigmoid", "softplus", "step"]
        activation = as_activation(self.activation, refused=not_through_origin)
        loss = as_loss(self.loss)
        if not activation.differentiable:
            raise ValueError(
                "The 'activation' parameter must be differentiable for gradient descent. "
                f"Got {self.activation!r} instead."
            )
        if loss.link is not None:
            raise ValueError(
                "The 'loss' parameter must have no link, so that the model passes through the "
                f"origin. Got {self.loss!r}, whose link is {loss.link!r}."
            )
        if not activation.zero_at_origin:
            raise ValueError(
                "The 'activation' parameter must be 0 at 0, f(0) = 0, so that the model passes "
                f"through the origin. Got {self.activation!r} instead."
            )
        solver = as_solver(self.solver)
        solver.full_batch = True
        if isinstance(self.learning_rate, str) and self.learning_rate == "auto":
            schedule: Schedule = Constant(1.0)
            if loss.curvature is None:
                raise ValueError(
                    "learning_rate='auto' needs a loss of bounded curvature, and "
                    f"loss={self.loss!r} has none. Give a float or a Schedule as learning_rate."
                )
            if not solver._has_proportional_steps():
                raise ValueError(
                    "learning_rate='auto' needs a solver whose steps are proportional to the "
                    f"gradient: 'gd', 'momentum' or 'nesterov'. Got solver={self.solver!r}. Take "
                    "one of these, or give a Schedule that decreases to 0 as learning_rate, such "
                    "as Cosine, in units of the weights."
                )
        else:
            schedule = as_schedule(self.learning_rate, also=", or 'auto'")
        solver._require_proximal_step(self.l1_ratio)
        l1, l2 = self.alpha * self.l1_ratio, self.alpha * (1 - self.l1_ratio)
        return _Pieces(activation, loss, solver, schedule, l1, l2)

    def _start(self, start: ArrayLike | None, n_features: int, n_outputs: int, name: str) -> Array:
        """Return the parameters (n_features, n_outputs), flat, at `start` or at zero."""
        if start is None:
            return np.zeros(n_features * n_outputs)
        W = check_same_shape(name, on_host(start), (n_outputs, n_features), np.float64)
        return np.ascontiguousarray(W.T).ravel()

    def _network(self, pieces: _Pieces, rows: LineDataset) -> Network:
        sizes = (rows.n_features, rows.n_outputs)
        return Network(
            sizes, [pieces.activation], pieces.loss, pieces.l2, np.float64, biases=False
        )

    def _make_learner(
        self, pieces: _Pieces, parameters: Array, rows: LineDataset, moments: Moments | None = None
    ) -> FullBatchLearner:
        """Return the learner, and set the attributes of its rates."""
        rates, condition = self._rates(pieces, rows, moments)
        learner = FullBatchLearner(
            parameters,
            pieces.solver,
            pieces.schedule,
            None,
            {"solver": pieces.solver},
            np.float64,
            rates=rates if moments is not None else rows.to_device(rates),
            flat_at_zero=is_flat_at_zero(pieces.activation),
            max_rate=getattr(self, "max_learning_rate_", None),
            condition=condition,
        )
        learner.advice = _advice(self)
        if pieces.l1 > 0:
            l1 = np.full(parameters.shape, pieces.l1)
            learner.l1 = l1 if moments is not None else rows.to_device(l1)
        if moments is None:
            rows.memory_to_device(learner.solver)
        return learner

    def _rates(
        self, pieces: _Pieces, rows: LineDataset, moments: Moments | None
    ) -> tuple[float | Array, float]:
        """Set the attributes of the rates; return the factor on the rate of the schedule.

        And the condition number of the objective in their scale, infinite where it is not known.
        """
        self.__dict__.pop("max_learning_rate_", None)
        factor = curvature_per_row(pieces.loss, pieces.activation, rows.target_ends())
        if factor is not None:
            factor /= rows.n_outputs
            if moments is None:
                curvature = rows.curvature(factor, pieces.l2)
            else:
                curvature = Curvature(moments, None, factor, pieces.l2)
            top = curvature.largest()
            self.max_learning_rate_ = 2.0 / top if top > 0 else np.inf
        if self.learning_rate != "auto":
            self.learning_rate_ = pieces.schedule.rate(0)
            return 1.0, math.inf
        diagonal = curvature.diagonal()
        diagonal[diagonal == 0] = 1.0  # an empty column: its weight has no gradient to follow
        bottom, top = curvature.extremes(scale=1 / np.sqrt(diagonal))
        self.learning_rate_ = 1.0 / (max(top, np.finfo(float).tiny) * diagonal)
        condition = top / bottom if bottom > 0 else math.inf
        return np.repeat(self.learning_rate_, rows.n_outputs), condition

    def _begin(self, learner: FullBatchLearner, tasks: FitTasks | None = None) -> Stopping:
        """Return the epochs of a fit, and set the gradient norm that ends it."""
        with np.errstate(all="ignore"):
            at_zero, gradient = learner.objective(learner.zeros())
        learner.end_below(self.tol, gradient)
        return Stopping(self, learner, at_zero, tasks)

    def _descend(self, stopping: Stopping, learner: FullBatchLearner) -> None:
        """Run the iterations."""
        with stopping:
            for epoch in stopping:
                rate = stopping.rate(epoch)
                stopping.record(learner.run_epoch(rate))

    def _warn_if_undetermined(self, learner: FullBatchLearner, rows: LineDataset) -> None:
        """Warn if columns are so nearly dependent that the data do not determine the weights.

        With an L1 penalty, only the columns of weights other than 0 matter.
        """
        for part, free in learner.free_parts(learner.weights()):
            along = part.near_dependence
            if along is None:
                continue
            direction = np.zeros(rows.n_features)
            direction[np.unique(free // rows.n_outputs)] = along
            if not is_dependence(rows, direction):
                warnings.warn(
                    f"{type(self).__name__}: the columns of X are nearly linearly dependent, so "
                    "that the weights are not determined to four digits. Drop or combine columns, "
                    "or set alpha > 0 and l1_ratio < 1.",
                    ConvergenceWarning,
                    stacklevel=4,
                )
                return

    def _keep(self, stopping: Stopping, weights: Array, loss: float) -> None:
        """Set the fitted attributes: the history and the final weights."""
        self.n_iter_, self.loss_curve_, self.loss_ = stopping.n_iter, stopping.loss_curve, loss
        self._first_loss = stopping.first_loss
        with np.errstate(all="ignore"):
            self.__dict__.update(self._attributes_of(weights))
        if isinstance(self.coef_, np.ndarray):  # it may overflow the precision of X
            stopping.check_end(loss, self.coef_)
            self._kept = _digest(self.coef_)

    def _set_model(self, pieces: _Pieces, rows: LineDataset, one_axis: bool) -> None:
        linear = type(pieces.activation) is Identity
        self._activation = None if linear else pieces.activation
        self._one_axis, self._precision = one_axis, rows.dtype.name

    def _attributes_of(self, weights: Array) -> dict[str, object]:
        """Return the weights as fitted attributes, in copies."""
        xp = namespace(weights)
        W = xp.reshape(weights, (self.n_features_in_, -1)).T
        if isinstance(weights, np.ndarray):
            W = np.array(W, dtype=self._precision, order="C")
            W = self.__dict__.get("_to_device", np.asarray)(W)
        else:
            W = xp.asarray(xp.astype(W, getattr(xp, self._precision)), copy=True)
        return {
            "coef_": W[0, :] if self._one_axis else W,
            "intercept_": 0.0,
            "_activation": self._activation,
        }

    def _forget(self) -> None:
        """Delete the state of ``partial_fit``."""
        for name in ("_moments", "_learner"):
            self.__dict__.pop(name, None)


def _digest(coef: Array) -> int:
    """Return a number by which an edit of the weights is noticed."""
    return crc32(coef.tobytes())


def _is_quadratic(pieces: _Pieces) -> bool:
    return type(pieces.activation) is Identity and type(pieces.loss) is SquaredError
