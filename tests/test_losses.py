"""Losses, against their formulas, and the constants that they are best predicted by."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from scipy.special import expit, softmax
from sklearn.metrics import log_loss, mean_poisson_deviance

from sklearn_gd.activations import Exp, Sigmoid, Softmax, as_activation
from sklearn_gd.losses import (
    _BUILT_IN,
    BinaryLogLoss,
    Huber,
    LogCosh,
    LogLoss,
    Loss,
    Pinball,
    Poisson,
    as_loss,
)

ERROR = np.array([-3.0, -1.0, -0.4, 0.0, 0.4, 1.0, 3.0])  # y_pred - y_true
VALUES = {
    "squared_error": [9, 1, 0.16, 0, 0.16, 1, 9],
    "absolute_error": [3, 1, 0.4, 0, 0.4, 1, 3],
    "huber": [2.5, 0.5, 0.08, 0, 0.08, 0.5, 2.5],
    "pinball": [1.5, 0.5, 0.2, 0, 0.2, 0.5, 1.5],
    "log_cosh": np.log(np.cosh(ERROR)),
}
GRADIENTS = {
    "squared_error": 2 * ERROR,
    "absolute_error": np.sign(ERROR),
    "huber": [-1, -1, -0.4, 0, 0.4, 1, 1],
    "pinball": [-0.5, -0.5, -0.5, 0, 0.5, 0.5, 0.5],
    "log_cosh": np.tanh(ERROR),
}


def test_every_name_has_its_numbers_here():
    linked = {name for name, loss in _BUILT_IN.items() if loss.link is not None}
    assert VALUES.keys() == GRADIENTS.keys() == _BUILT_IN.keys() - linked
    assert linked == {"log_loss", "poisson"}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_by_hand(name, dtype):
    y_true = np.array(2.0, dtype) + np.zeros(7, dtype)
    y_pred = y_true + ERROR.astype(dtype)
    tolerance = {"rtol": 1e-5 if dtype == np.float32 else 1e-12, "atol": 1e-6}
    value, gradient = as_loss(name).value(y_true, y_pred), as_loss(name).gradient(y_true, y_pred)
    assert value.dtype == gradient.dtype == dtype
    assert_allclose(value, VALUES[name], **tolerance)
    assert_allclose(gradient, GRADIENTS[name], **tolerance)
    both = as_loss(name)._value_and_gradient(y_true, y_pred)
    assert_allclose(both[0], value)
    assert_allclose(both[1], gradient)


@pytest.mark.parametrize("delta", [0.1, 2.0])
def test_huber_with_another_delta(delta):
    piece, zero = Huber(delta), np.zeros(7)
    near = np.abs(ERROR) <= delta
    expected = np.where(near, ERROR**2 / 2, delta * (np.abs(ERROR) - delta / 2))
    assert_allclose(piece.value(zero, ERROR), expected)


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_pinball_costs_more_on_one_side(quantile):
    assert_allclose(
        Pinball(quantile).value(np.zeros(2), np.array([-1.0, 1.0])), [quantile, 1 - quantile]
    )


def test_log_cosh_is_exact_for_small_errors_and_finite_for_large_ones():
    errors = np.array([1e-9, 1e-4, 0.5, 1.0, 50.0, 1e300])
    with np.errstate(over="raise"):
        values = LogCosh().value(np.zeros(6), errors)
    assert_allclose(values[:2], errors[:2] ** 2 / 2, rtol=1e-8)
    assert_allclose(values[2:4], np.log(np.cosh(errors[2:4])), rtol=1e-12)
    assert_allclose(values[4:], errors[4:] - np.log(2))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [*VALUES, Pinball(0.8), Huber(0.3)], ids=str)
def test_best_constant(loss, weighted):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(31, 2)) * [1, 100] + [5, -1000]
    weights = rng.uniform(0.1, 2, 31) if weighted else None
    piece = as_loss(loss)
    best = piece._best_constant(y, weights)
    for j in range(2):
        grid = np.linspace(y[:, j].min(), y[:, j].max(), 4001)
        costs = [np.average(piece.value(y[:, j], np.full(31, c)), weights=weights) for c in grid]
        found = np.average(piece.value(y[:, j], np.full(31, best[j])), weights=weights)
        assert found <= min(costs) * (1 + 1e-3)
    constant = piece._baseline(y, weights)
    assert_allclose(constant, piece._mean(y, np.broadcast_to(best, y.shape), weights))


def test_baseline_is_the_best_constants_loss_or_that_of_predicting_zero():
    y = np.array([[1.0], [3.0]])
    assert as_loss("squared_error")._baseline(y, None) == 1.0
    assert as_loss("squared_error")._baseline(y, np.array([3.0, 1.0])) == 0.75
    assert as_loss("squared_error")._baseline(np.full((3, 1), 2.0), None) == 4.0
    assert as_loss("squared_error")._baseline(np.full((3, 1), 1 / 3), None) > 0.1
    assert as_loss("squared_error")._baseline(np.zeros((3, 1)), None) == 0.0


class Own(Loss):
    def value(self, y_true, y_pred):
        return (y_pred - y_true) ** 4

    def gradient(self, y_true, y_pred):
        return 4 * (y_pred - y_true) ** 3


def test_an_own_loss_needs_no_more_than_two_methods():
    y = np.array([[0.0], [0.0], [9.0]])
    assert Own().curvature is None
    assert_allclose(Own()._best_constant(y, None), 9 / (1 + 2 ** (1 / 3)), rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "name"), [(Huber(0), "delta"), (Huber("a"), "delta"), (Pinball(1.0), "quantile")]
)
def test_hyper_parameters_are_checked(loss, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of {type(loss).__name__}"):
        as_loss(loss)


# --- losses with a link -----------------------------------------------------------------------

LOGITS = np.random.default_rng(0).normal(size=(6, 3)) * 3
ONE_HOT = np.eye(3)[[0, 1, 2, 2, 1, 0]]
INDICATORS = np.array([[0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 0]], float)
COUNTS = np.array([[0.0], [1], [3], [0.5], [20], [2]])


@pytest.mark.parametrize(
    ("loss", "y", "z"),
    [
        (LogLoss(), ONE_HOT, LOGITS),
        (LogLoss(), ONE_HOT * 0.9 + 0.1 / 3, LOGITS),
        (LogLoss(), ONE_HOT[:, :1], LOGITS[:, :1]),
        (BinaryLogLoss(), INDICATORS, LOGITS),
        (Poisson(), COUNTS, LOGITS[:, :1]),
    ],
)
def test_gradients_are_differences(loss, y, z):
    for y_row, z_row in zip(y, z, strict=True):
        slopes = approx_fprime(z_row, lambda v, t=y_row: loss.value(t[None], v[None]).sum(), 1e-7)
        assert_allclose(loss.gradient(y_row[None], z_row[None])[0], slopes, atol=1e-5)
        for dtype in (np.float32, np.float64):
            parts = loss._value_and_gradient(y_row[None].astype(dtype), z_row[None].astype(dtype))
            assert [part.dtype for part in parts] == [dtype, dtype]


def test_log_loss_is_that_of_the_metrics():
    classes = ONE_HOT.argmax(axis=1)
    mean = LogLoss().value(ONE_HOT, LOGITS).sum(axis=1).mean()
    assert_allclose(mean, log_loss(classes, softmax(LOGITS, axis=1)))
    z = LOGITS[:, :1]
    assert_allclose(
        LogLoss().value(ONE_HOT[:, :1], z).mean(), log_loss(classes == 0, expit(z[:, 0]))
    )
    assert_allclose(Softmax()(LOGITS), softmax(LOGITS, axis=1))
    assert_allclose(Softmax()(z), Sigmoid()(z))


def test_poisson_is_half_the_deviance():
    z = LOGITS[:, :1]
    deviance = mean_poisson_deviance(COUNTS[:, 0], np.exp(z[:, 0]))
    assert_allclose(2 * Poisson().value(COUNTS, z).mean(), deviance)
    assert_allclose(Exp()(z), np.exp(z))


@pytest.mark.parametrize("loss", [LogLoss(), BinaryLogLoss()])
def test_large_logits_are_exact(loss):
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    y = np.array([[1.0, 0, 0], [1.0, 0, 0]])
    with np.errstate(all="raise", under="ignore"):
        values, slopes = loss._value_and_gradient(y, z)
    far = 2e4 + (0 if type(loss) is LogLoss else np.log(2))
    assert_allclose(values.sum(axis=1), [far - 2e4, far], atol=1e-12)
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize(
    ("loss", "y", "kind"),
    [
        (LogLoss(), ONE_HOT[:5], "softmax"),
        (LogLoss(), ONE_HOT[:5, :1], "sigmoid"),
        (BinaryLogLoss(), INDICATORS, "sigmoid"),
        (Poisson(), COUNTS, "exp"),
    ],
)
def test_the_best_constant_is_that_of_the_shares(loss, y, kind):
    weights = np.arange(1.0, len(y) + 1)
    best = loss._best_constant(y, weights)
    assert_allclose(loss.link(best[None])[0], np.average(y, axis=0, weights=weights))
    constant = np.broadcast_to(best, y.shape)
    assert_allclose(loss._baseline(y, weights), loss._mean(y, constant, weights))


def test_a_class_without_samples_has_a_finite_logit():
    y = np.eye(3)[[0, 1, 1]]
    assert np.isfinite(LogLoss()._best_constant(y, None)).all()
    assert_allclose(LogLoss()._baseline(y, None), -(np.log(1 / 3) + 2 * np.log(2 / 3)) / 3)
    assert LogLoss()._baseline(y[1:], None) == 0


def test_a_softmax_is_no_activation_of_a_layer():
    with pytest.raises(ValueError, match="elementwise"):
        as_activation(Softmax())
    with pytest.raises(ValueError, match="must act on each element by itself"):
        as_activation((lambda z: z / (1 + np.abs(z).sum()), np.ones_like))


def test_a_subclass_of_a_loss_with_shortcuts_may_call_it():
    class Softened(LogLoss):
        def value(self, y_true, y_pred):
            return super().value(y_true, 0.5 * y_pred)

        def gradient(self, y_true, y_pred):
            return 0.5 * super().gradient(y_true, 0.5 * y_pred)

    found = Softened()._value_and_gradient(ONE_HOT, LOGITS)
    expected = LogLoss()._value_and_gradient(ONE_HOT, 0.5 * LOGITS)
    assert_allclose(found[0], expected[0])
    assert_allclose(found[1], 0.5 * expected[1])
