"""The checks pass on every built-in piece, and fail on one broken in each way that they name."""

import itertools
import math

import numpy as np
import pytest

from sklearn_gd import activations, losses, schedules, solvers
from sklearn_gd.testing import check_activation, check_loss, check_schedule, check_solver

PASS = [
    *((check_activation, name) for name in activations._BUILT_IN),
    *((check_loss, name) for name in losses._BUILT_IN),
    *((check_solver, name) for name in solvers._BUILT_IN),
    *((check_schedule, name) for name in schedules._BUILT_IN),
    (check_activation, (np.sin, np.cos)),
    (check_activation, activations.ELU(2.5)),
    (check_activation, activations.LeakyReLU(0.5)),
    (check_loss, losses.Huber(0.1)),
    (check_loss, losses.Pinball(0.95)),
    (check_loss, losses.BinaryLogLoss()),
    (check_solver, solvers.AdamW(0.5, 0.9, 1e-3, 0.1)),
    (check_schedule, schedules.Cosine(1.0, warm_up=7)),
    (check_schedule, 0.1),
]


def named(value):
    """Return a test's name for a value, the same in every run."""
    if isinstance(value, str):
        return value
    return getattr(value, "__name__", type(value).__name__)


@pytest.mark.parametrize(("check", "piece"), PASS, ids=named)
def test_good_pieces_pass(check, piece):
    assert check(piece) is None


class Fine(activations.Activation):
    def __call__(self, z):
        return np.tanh(z)

    def derivative(self, z, a):
        return 1 - a * a


class Mixing(Fine):
    def __call__(self, z):
        return np.tanh(z) + z.mean(dtype=z.dtype) * 0


class Softmaxed(Fine):
    def __call__(self, z):
        return (z / (1 + np.abs(z).sum())).astype(z.dtype)


class Double(Fine):
    def __call__(self, z):
        return np.tanh(z).astype(np.float64)


class Overwriting(Fine):
    def __call__(self, z):
        return np.tanh(z, out=z)


class WrongSlope(Fine):
    def derivative(self, z, a):
        return 1 - a


class SlightlyWrongSlope(Fine):
    def derivative(self, z, a):
        return (1 - a * a) * z.dtype.type(1.001)


class NotANumberFarOut(Fine):
    def __call__(self, z):
        return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


class WrongKink(Fine):
    def __call__(self, z):
        return np.abs(z)

    def derivative(self, z, a):
        return np.where(np.abs(z) < 0.05, 5, np.sign(z)).astype(z.dtype)


class WrongOrigin(Fine):
    zero_at_origin = False


class WrongRange(Fine):
    range = (-0.5, 1.0)


class WrongSlopeBound(Fine):
    slope = 0.5


class WrongCurvatureBound(Fine):
    curvature = 0.7


class WrongProductBound(Fine):
    product = 0.4


class Forgetful(Fine):
    def __init__(self, gain=1.0):
        self.gain = gain

    def __call__(self, z):
        return np.tanh(z * getattr(self, "hidden", z.dtype.type(self.gain)))

    def derivative(self, z, a):
        gain = getattr(self, "hidden", z.dtype.type(self.gain))
        return gain * (1 - a * a)

    def __getstate__(self):
        return {"gain": 2.0}


class Quartic(losses.Loss):
    def value(self, y_true, y_pred):
        return (y_pred - y_true) ** 4 / 1000

    def gradient(self, y_true, y_pred):
        return (y_pred - y_true) ** 3 / 250


class HalfGradient(Quartic):
    def gradient(self, y_true, y_pred):
        return (y_pred - y_true) ** 3 / 500


class Absent(Quartic):
    def value(self, y_true, y_pred):
        return np.exp(y_pred - y_true) - (y_pred - y_true) * y_pred.dtype.type(np.exp(-1))

    def gradient(self, y_true, y_pred):
        return np.exp(y_pred - y_true) - y_pred.dtype.type(np.exp(-1))


class OverConfident(Quartic):
    curvature = 0.01


class Rising(Quartic):
    def value(self, y_true, y_pred):
        return -((y_pred - y_true) ** 2)

    def gradient(self, y_true, y_pred):
        return -2 * (y_pred - y_true)


class DoubleLoss(Quartic):
    def value(self, y_true, y_pred):
        return super().value(y_true, y_pred).astype(np.float64)


class Uphill(solvers.Solver):
    def step(self, parameters, gradient, rate):
        parameters += rate * gradient


class RateBlind(solvers.Solver):
    def step(self, parameters, gradient, rate):
        parameters -= 0.01 * gradient


class NormBound(solvers.Solver):
    def step(self, parameters, gradient, rate):
        parameters -= np.mean(rate) ** 2 * np.size(rate) * gradient


class Shared(solvers.Solver):
    count = [0]

    def step(self, parameters, gradient, rate):
        self.count[0] += 1
        parameters -= rate * gradient / self.count[0]


class Exploding(solvers.Solver):
    def step(self, parameters, gradient, rate):
        parameters *= np.where(np.asarray(rate) > 0, np.inf, 1).astype(parameters.dtype)


class LosesItsPlace(solvers.Momentum):
    def __getstate__(self):
        return {**super().__getstate__(), "velocity_": np.zeros(4)}


class Negative(schedules.Schedule):
    def rate(self, epoch):
        return 0.1 - 0.01 * epoch


class Wandering(schedules.Schedule):
    numbers = itertools.count(1)

    def rate(self, epoch):
        return 1.0 / next(self.numbers)


class NoNumberLater(schedules.Schedule):
    def rate(self, epoch):
        return 0.1 if epoch < 50 else math.nan


class NoneLater(schedules.Schedule):
    def rate(self, epoch):
        return 0.1 if epoch < 50 else None


class Remembering(schedules.Schedule):
    heard = []

    def rate(self, epoch):
        return 1.0 / (1 + len(self.heard))

    def observe(self, improved):
        self.heard.append(improved)


class ElementwiseSoftmax(losses.LogLoss):
    def _value_and_gradient(self, y_true, y_pred):
        value, gradient = super()._value_and_gradient(y_true, y_pred)
        return value, gradient * y_true  # without the effect on the other outputs

    def value(self, y_true, y_pred):
        return self._value_and_gradient(y_true, y_pred)[0]

    def gradient(self, y_true, y_pred):
        return self._value_and_gradient(y_true, y_pred)[1]


class ShiftedPoisson(losses.Poisson):
    def value(self, y_true, y_pred):
        return super().value(y_true, y_pred + 1)

    def gradient(self, y_true, y_pred):
        return super().gradient(y_true, y_pred + 1)


def test_a_function_that_writes_to_its_input_is_refused():
    with pytest.raises(ValueError, match="must not write to z"):
        check_activation(Overwriting())


FAIL = [
    (check_activation, Double(), r"__call__\(z\) turns float32 into float64"),
    (check_activation, WrongSlope(), r"derivative\(z, a\) is not the slope of f"),
    (check_activation, SlightlyWrongSlope(), r"derivative\(z, a\) is not the slope of f"),
    (check_activation, WrongKink(), r"not the slope"),
    (check_activation, NotANumberFarOut(), r"NaN at one of z"),
    (check_activation, WrongOrigin(), r"zero_at_origin is False, and f\(0\) = 0"),
    (check_activation, WrongRange(), r"range begins at -0\.5"),
    (check_activation, WrongSlopeBound(), r"slope is 0\.5, and it rises to 1"),
    (check_activation, WrongCurvatureBound(), r"curvature is 0\.7"),
    (check_activation, WrongProductBound(), r"product is 0\.4"),
    (check_activation, Forgetful(), r"copy by pickle gives other results"),
    (check_activation, (lambda z: z, lambda z: z**0), r"cannot be pickled .*top of a module"),
    (check_loss, HalfGradient(), r"gradient\(y_true, y_pred\) is not the slope of value"),
    (check_loss, Absent(), r"larger for the true prediction"),
    (check_loss, Rising(), r"larger for the true prediction"),
    (check_loss, OverConfident(), r"curvature is 0\.01"),
    (check_loss, ElementwiseSoftmax(), r"is not the slope of the sum of value over the outputs"),
    (check_loss, ShiftedPoisson(), r"larger for outputs whose link is y_true"),
    (check_loss, DoubleLoss(), r"value\(y_true, y_pred\) turns float32 into float64"),
    (check_solver, Uphill(), r"does not descend"),
    (check_solver, RateBlind(), r"rate of zero"),
    (check_solver, NormBound(), r"one rate per parameter"),
    (check_solver, Shared(), r"state of the first is left over"),
    (check_solver, Exploding(), r"parameters that are not finite"),
    (check_solver, LosesItsPlace(), r"does not continue as the original does"),
    (check_schedule, Negative(), r"negative"),
    (check_schedule, Wandering(), r"differs from call to call"),
    (check_schedule, NoNumberLater(), r"rate\(50\) is nan, not finite"),
    (check_schedule, NoneLater(), r"rate\(50\) is None, which is not a number"),
    (check_schedule, Remembering(), r"A clone keeps the effects of observe"),
]


@pytest.mark.parametrize(("check", "piece", "message"), FAIL, ids=named)
def test_broken_pieces_fail_and_are_told_why(check, piece, message):
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match=message):
        check(piece)


def test_pieces_of_a_function_are_checked_but_for_pickling():
    class Local(Fine):
        pass

    check_activation(Local())
    check_activation(Mixing())  # adds nothing but a zero


def test_an_activation_of_whole_arrays_is_refused_as_by_an_estimator():
    with pytest.raises(ValueError, match="must act on each element by itself"):
        check_activation(Softmaxed())


@pytest.mark.parametrize("check", [check_activation, check_loss, check_solver, check_schedule])
def test_what_is_no_piece_is_refused_as_by_an_estimator(check):
    with pytest.raises(ValueError, match="must be one of"):
        check("nonsense")
    with pytest.raises(TypeError, match="must be one of"):
        check(object())
