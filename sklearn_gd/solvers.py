"""Solvers: update rules, which compute a step from a gradient.

A solver updates one flat parameter vector, in place if the array library can, and returns it. Its
state consists of velocities or moments alone: the learning rate, one number or one per parameter,
is an argument, and the training loop decides when to stop. Estimators take a name (``"adam"``) or
an instance (``Adam(beta_1=0.8)``).

A custom solver derives from :class:`Solver`. ``start`` initializes its state, ``step`` uses it:

>>> import numpy as np
>>> from sklearn_gd import FeedForwardRegressor
>>> from sklearn_gd.solvers import Solver
>>> class SignDescent(Solver):
...     def __init__(self, smoothing=0.9):
...         self.smoothing = smoothing
...     def start(self, size, dtype):
...         self.mean_ = np.zeros(size, dtype)
...     def step(self, parameters, gradient, rate):
...         self.mean_ *= self.smoothing
...         self.mean_ += (1 - self.smoothing) * gradient
...         parameters -= rate * np.sign(self.mean_)
...         return parameters
>>> from sklearn_gd.testing import check_solver
>>> check_solver(SignDescent())
>>> net = FeedForwardRegressor(solver=SignDescent(), max_iter=3, tol=None, random_state=0)
>>> net.fit([[0.0], [1.0]], [0.0, 1.0]).n_iter_
3
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_gd import _kernels
from sklearn_gd._pieces import Array, Piece, copy_of, namespace, resolve, storable
from sklearn_gd._proximal import gradient_mapping, soft_threshold

__all__ = [
    "Adagrad",
    "Adam",
    "AdamW",
    "GradientDescent",
    "Momentum",
    "Nesterov",
    "RMSprop",
    "Solver",
    "as_solver",
]

Rate = float | Array

_FRACTION = [Interval(Real, 0, 1, closed="left")]
_POSITIVE = [Interval(Real, 0, None, closed="neither")]


class Solver(Piece):
    """Base of all solvers.

    A custom solver defines ``step(parameters, gradient, rate)`` and, if it has a state,
    ``start(size, dtype)``. To support arrays of libraries other than NumPy, `step` uses functions
    of the array API standard.

    Attributes
    ----------
    full_batch : bool
        Whether every gradient is the exact gradient of the whole objective. Set by the training
        loop before ``start``.
    """

    _needed = {"step": "step(parameters, gradient, rate)"}
    full_batch = False

    def start(self, size: int, dtype: DTypeLike) -> None:
        """Initialize the state for `size` parameters of `dtype`; called once per fit.

        The state consists of attributes. Its arrays are NumPy arrays; for parameters of another
        library they are converted before the first step.
        """

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> Array | None:
        """Update `parameters`, in place if they are a NumPy array; may overwrite `gradient`.

        Parameters
        ----------
        parameters : array of shape (size,)
            Parameters to update.
        gradient : array of shape (size,)
            Gradient at `parameters`.
        rate : float or array of shape (size,)
            Learning rate: one for all parameters, or one per parameter.

        Returns
        -------
        parameters : array of shape (size,) or None
            Updated parameters. None means that the given array was updated in place, which not
            every library supports.
        """
        raise NotImplementedError("a solver defines step(parameters, gradient, rate)")

    def _proximal_step(self, parameters: Array, gradient: Array, rate: Rate, l1: Array) -> Array:
        """Update `parameters` as `step` does, then by the proximal operator of an L1 penalty.

        Parameters
        ----------
        parameters, gradient, rate
            As for `step`; the gradient is that of the objective without the L1 penalty.
        l1 : array of shape (size,)
            Strength of the L1 penalty of each parameter.
        """
        raise NotImplementedError(f"{type(self).__name__} has no proximal step")

    def _require_proximal_step(self, l1_ratio: float) -> None:
        """Raise a ValueError if the solver has no proximal step, which an L1 penalty needs."""
        if l1_ratio > 0 and type(self) not in (GradientDescent, Momentum, Nesterov):
            raise ValueError(
                "l1_ratio > 0 needs a solver with a proximal step: 'gd', 'momentum' or "
                f"'nesterov'. Got solver={self!r} with l1_ratio={l1_ratio!r}."
            )

    def _result(self, parameters: Array) -> Array:
        """Return the weights after proximal steps, of which `parameters` may be ahead."""
        return parameters

    def _typical_rate(self) -> float:
        """Return a rate for standardised columns and targets, found by experiment."""
        return 0.01

    def _has_proportional_steps(self) -> bool:
        """Return whether gradients twice as large make steps twice as large."""
        if type(self) in _BUILT_IN.values():
            return isinstance(self, GradientDescent | Momentum)
        ends = []
        for size in (1.0, 2.0):
            trial, parameters = clone(self), np.zeros(2)
            trial.start(2, np.float64)
            for gradient in ([0.5, -0.25], [0.25, -0.75]):
                moved = trial.step(parameters, size * np.array(gradient), 0.1)
                parameters = parameters if moved is None else moved
            ends.append(parameters)
        return bool(np.allclose(ends[1], 2 * ends[0], rtol=1e-6))

    def _probe(self) -> None:
        trial, parameters = clone(self), np.array([1.0, -1.0])
        trial.start(2, np.float64)
        moved = trial.step(parameters, np.array([0.5, -0.25]), 0.1)
        if np.array_equal(parameters, [1.0, -1.0]):
            raise ValueError("step(parameters, gradient, rate) must move `parameters` in place.")
        if moved is not None and not np.array_equal(moved, parameters):
            raise ValueError(
                "step(parameters, gradient, rate) must return the `parameters` it moved, or None. "
                f"It returned {moved!r}."
            )


class GradientDescent(Solver):
    """Plain gradient descent, w ← w - rate · g (Cauchy 1847)."""

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> Array:
        if _has_kernel(parameters, rate):
            _kernels.sgd_step(parameters, gradient, rate)
        else:
            gradient *= rate
            parameters -= gradient
        return parameters

    def _proximal_step(self, parameters: Array, gradient: Array, rate: Rate, l1: Array) -> Array:
        return soft_threshold(self.step(parameters, gradient, rate), rate * l1)

    def _typical_rate(self) -> float:
        return 0.1


class Momentum(Solver):
    """Gradient descent with momentum, v ← momentum · v - rate · g; w ← w + v (Polyak 1964).

    Parameters
    ----------
    momentum : float, default=0.9
        Fraction of the last step that is added to the next, in [0, 1).
    """

    _parameter_constraints = {"momentum": _FRACTION}

    def __init__(self, momentum: float = 0.9) -> None:
        self.momentum: Any = momentum

    def start(self, size: int, dtype: DTypeLike) -> None:
        self.velocity_ = np.zeros(size, dtype)

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> Array:
        gradient *= rate
        self.velocity_ *= self.momentum
        self.velocity_ -= gradient
        parameters += self.velocity_
        return parameters

    def _proximal_step(self, parameters: Array, gradient: Array, rate: Rate, l1: Array) -> Array:
        before = copy_of(parameters)
        parameters = soft_threshold(self.step(parameters, gradient, rate), rate * l1)
        self.velocity_ = parameters - before
        return parameters

    def _typical_rate(self) -> float:
        return float(0.2 * (1 - self.momentum))


class Nesterov(Momentum):
    """Nesterov's accelerated gradient [1]_.

    With a fixed momentum: v ← momentum · v - rate · g; w ← w + momentum · v - rate · g.

    Parameters
    ----------
    momentum : float or "auto", default="auto"
        Fraction of the last step that is added to the next, in [0, 1). ``"auto"`` is 0.9 for
        mini-batches; for :class:`~sklearn_gd.ThroughOriginRegressor`, whose gradient is exact, it
        is Nesterov's increasing sequence k / (k + 3), restarted whenever the momentum points
        uphill [2]_.

    References
    ----------
    .. [1] Y. Nesterov, "A method of solving a convex programming problem with convergence rate
       O(1/k²)", Soviet Mathematics Doklady 27 (1983).
    .. [2] B. O'Donoghue, E. Candès, "Adaptive restart for accelerated gradient schemes",
       Foundations of Computational Mathematics 15 (2015).
    """

    _parameter_constraints = {"momentum": [*_FRACTION, StrOptions({"auto"})]}

    def __init__(self, momentum: float | str = "auto") -> None:
        self.momentum = momentum

    def start(self, size: int, dtype: DTypeLike) -> None:
        super().start(size, dtype)
        self.last_ = np.zeros(size, dtype)
        self.steps_since_restart_ = -1

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> Array:
        if self.full_batch and self.momentum == "auto":
            return self._accelerate(parameters, gradient, rate)
        # Between steps, `velocity_` is momentum · v.
        gradient *= rate
        self.velocity_ -= gradient
        parameters -= gradient
        self.velocity_ *= self._constant_momentum()
        parameters += self.velocity_
        return parameters

    def _proximal_step(self, parameters: Array, gradient: Array, rate: Rate, l1: Array) -> Array:
        if self.full_batch and self.momentum == "auto":
            return self._accelerate(parameters, gradient, rate, l1)
        before = copy_of(parameters)
        parameters -= rate * gradient
        parameters = soft_threshold(parameters, rate * l1)
        self.velocity_ = (self.velocity_ + (parameters - before)) * self._constant_momentum()
        parameters += self.velocity_
        return parameters

    def _result(self, parameters: Array) -> Array:
        if not (self.full_batch and self.momentum == "auto"):
            return parameters - self.velocity_  # exact where it is 0
        return parameters if self.steps_since_restart_ < 0 else self.last_

    def _constant_momentum(self) -> float:
        return 0.9 if self.momentum == "auto" else float(self.momentum)

    def _typical_rate(self) -> float:
        return 0.02 if self.momentum == "auto" else super()._typical_rate()

    def _accelerate(
        self, parameters: Array, gradient: Array, rate: Rate, l1: Array | None = None
    ) -> Array:
        # `parameters` is the look-ahead point; `last_` is the last point without momentum.
        slope = gradient if l1 is None else gradient_mapping(parameters, gradient, rate, l1)
        parameters -= rate * gradient
        if l1 is not None:  # FISTA
            parameters = soft_threshold(parameters, rate * l1)
        if self.steps_since_restart_ >= 0:
            self.velocity_ = parameters - self.last_
            if slope @ self.velocity_ > 0:
                self.steps_since_restart_ = -1
        self.last_ = copy_of(parameters)
        self.steps_since_restart_ += 1
        k = self.steps_since_restart_
        if k:
            self.velocity_ *= k / (k + 3)
            parameters += self.velocity_
        return parameters


class Adagrad(Solver):
    """Adagrad: rates divided by the root of the sum of all squared gradients [1]_.

    Parameters
    ----------
    epsilon : float, default=1e-8
        Positive constant added to the root, to avoid division by zero.

    References
    ----------
    .. [1] J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and
       stochastic optimization", JMLR 12 (2011).
    """

    _parameter_constraints = {"epsilon": _POSITIVE}

    def __init__(self, epsilon: float = 1e-8) -> None:
        self.epsilon = epsilon

    def start(self, size: int, dtype: DTypeLike) -> None:
        self.squares_ = np.zeros(size, dtype)

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> Array:
        self.squares_ += gradient * gradient
        gradient /= _root(self.squares_, self.epsilon)
        gradient *= rate
        parameters -= gradient
        return parameters

    def _typical_rate(self) -> float:
        return 0.03


class RMSprop(Solver):
    """RMSprop: rates divided by the root of the moving average of squared gradients [1]_.

    Parameters
    ----------
    decay : float, default=0.9
        Decay rate of the moving average of squared gradients, in [0, 1).
    epsilon : float, default=1e-8
        Positive constant added to the root, to avoid division by zero.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton, "Lecture 6.5: rmsprop", Neural Networks for Machine Learning,
       2012.
    """

    _parameter_constraints = {"decay": _FRACTION, "epsilon": _POSITIVE}

    def __init__(self, decay: float = 0.9, epsilon: float = 1e-8) -> None:
        self.decay = decay
        self.epsilon = epsilon

    def start(self, size: int, dtype: DTypeLike) -> None:
        self.squares_ = np.zeros(size, dtype)

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> Array:
        self.squares_ *= self.decay
        self.squares_ += (1 - self.decay) * (gradient * gradient)
        gradient /= _root(self.squares_, self.epsilon)
        gradient *= rate
        parameters -= gradient
        return parameters

    def _typical_rate(self) -> float:
        return 0.003


class Adam(Solver):
    """Adam: bias-corrected moving averages of the gradient and of its square [1]_.

    As at the end of the paper's section 2, the bias correction is applied to the rate, so that
    `epsilon` is added to the uncorrected root (scikit-learn does the same; torch does not).

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay rate of the moving average of gradients, in [0, 1).
    beta_2 : float, default=0.999
        Decay rate of the moving average of squared gradients, in [0, 1).
    epsilon : float, default=1e-8
        Positive constant added to the root, to avoid division by zero.

    References
    ----------
    .. [1] D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    _parameter_constraints = {"beta_1": _FRACTION, "beta_2": _FRACTION, "epsilon": _POSITIVE}

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def start(self, size: int, dtype: DTypeLike) -> None:
        self.means_ = np.zeros(size, dtype)
        self.squares_ = np.zeros(size, dtype)
        self.steps_ = 0

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> Array:
        self.steps_ += 1
        t = self.steps_
        rate = rate * ((1 - self.beta_2**t) ** 0.5 / (1 - self.beta_1**t))
        if _has_kernel(parameters, rate):
            moments = self.means_, self.squares_
            constants = self.beta_1, self.beta_2, self.epsilon
            _kernels.adam(parameters, gradient, *moments, rate, *constants)
            return parameters
        self.means_ *= self.beta_1
        self.means_ += (1 - self.beta_1) * gradient
        self.squares_ *= self.beta_2
        self.squares_ += (1 - self.beta_2) * (gradient * gradient)
        step = self.means_ / _root(self.squares_, self.epsilon)
        step *= rate
        parameters -= step
        return parameters


class AdamW(Adam):
    """Adam with decoupled weight decay [1]_: each step first subtracts rate · weight_decay · w.

    The decay applies to all parameters, including biases; the estimators' `alpha`, an L2 term in
    the objective, applies to weights only.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay rate of the moving average of gradients, in [0, 1).
    beta_2 : float, default=0.999
        Decay rate of the moving average of squared gradients, in [0, 1).
    epsilon : float, default=1e-8
        Positive constant added to the root, to avoid division by zero.
    weight_decay : float, default=0.01
        Coefficient of the weight decay; at least 0.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    _parameter_constraints = {
        **Adam._parameter_constraints,
        "weight_decay": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        self.weight_decay = weight_decay

    def step(self, parameters: Array, gradient: Array, rate: Rate) -> Array:
        parameters *= 1 - rate * self.weight_decay
        return super().step(parameters, gradient, rate)


def _has_kernel(parameters: Array, rate: Rate) -> bool:
    """Return whether a compiled loop applies: to NumPy arrays with one rate for all."""
    return isinstance(parameters, np.ndarray) and not isinstance(rate, np.ndarray)


def _root(squares: Array, epsilon: float) -> Array:
    """Return sqrt(squares) + epsilon, without a temporary array."""
    root = namespace(squares).sqrt(squares)
    root += epsilon
    return root


_BUILT_IN: dict[str, type[Solver]] = {
    "gd": GradientDescent,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}
for _kind in _BUILT_IN.values():
    storable(_kind)


def as_solver(spec: object, *, parameter: str = "solver", also: str = "") -> Solver:
    """Return a new solver for a name or an instance.

    Parameters
    ----------
    spec : str or Solver
        Name or instance.
    parameter : str, default="solver"
        Name of the parameter, for error messages.
    also : str, default=""
        Further accepted values, for error messages.

    Returns
    -------
    solver : Solver
        New instance; a clone if `spec` is an instance.

    Raises
    ------
    ValueError, TypeError
        If `spec` is invalid; the message names `parameter` and the accepted values.

    Examples
    --------
    >>> from sklearn_gd.solvers import as_solver
    >>> as_solver("adam")
    Adam()
    """
    return resolve(spec, Solver, _BUILT_IN, parameter, also)
