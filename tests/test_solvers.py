"""Solvers, step for step against their formulas and against the solvers of others."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from sklearn_gd.solvers import (
    _BUILT_IN,
    Adagrad,
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    RMSprop,
    as_solver,
)

RNG = np.random.default_rng(0)
START = RNG.normal(size=6)
GRADIENTS = RNG.normal(size=(8, 6))


def walk(solver, rate=0.1, full_batch=False):
    solver, w = clone(solver), START.copy()
    solver.full_batch = full_batch
    solver.start(6, np.float64)
    path = []
    for g in GRADIENTS:
        solver.step(w, g.copy(), rate)
        path.append(w.copy())
    return np.array(path)


def by_formula(name, rate=0.1):
    """Return the path by the textbook's formula, one parameter at a time."""
    path = np.empty((8, 6))
    for j in range(6):
        w, v, m, s = START[j], 0.0, 0.0, 0.0
        for t, g in enumerate(GRADIENTS[:, j], start=1):
            if name == "gd":
                w -= rate * g
            elif name == "momentum":
                v = 0.9 * v - rate * g
                w += v
            elif name == "nesterov":
                v = 0.9 * v - rate * g
                w += 0.9 * v - rate * g
            elif name == "adagrad":
                s += g * g
                w -= rate * g / (s**0.5 + 1e-8)
            elif name == "rmsprop":
                s = 0.9 * s + 0.1 * g * g
                w -= rate * g / (s**0.5 + 1e-8)
            else:
                if name == "adamw":
                    w -= rate * 0.01 * w
                m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
                rate_t = rate * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
                w -= rate_t * m / (s**0.5 + 1e-8)
            path[t - 1, j] = w
    return path


@pytest.mark.parametrize("name", _BUILT_IN)
def test_steps_are_the_formulas(name):
    assert_allclose(walk(as_solver(name)), by_formula(name), rtol=1e-12)


@pytest.mark.parametrize("name", _BUILT_IN)
def test_a_rate_for_each_parameter(name):
    rates = np.array([0.1, 0.01, 0.2, 0.0, 0.05, 1.0])
    mixed = walk(as_solver(name), rates)
    for j, rate in enumerate(rates):
        assert_allclose(mixed[:, j], walk(as_solver(name), float(rate))[:, j], rtol=1e-12)


def test_adam_and_momentum_are_scikit_learns():
    for ours, theirs in [
        (Adam(0.8, 0.99, 1e-3), AdamOptimizer([START], 0.1, 0.8, 0.99, 1e-3)),
        (Momentum(0.7), SGDOptimizer([START], 0.1, "constant", 0.7, nesterov=False)),
        (Nesterov(0.7), SGDOptimizer([START], 0.1, "constant", 0.7, nesterov=True)),
    ]:
        w = [START.copy()]
        for g, expected in zip(GRADIENTS, walk(ours), strict=True):
            theirs.update_params(w, [g])
            assert_allclose(w[0], expected, rtol=1e-12)


def test_others_are_torchs():
    torch = pytest.importorskip("torch")
    optim = torch.optim
    for ours, theirs in [
        (GradientDescent(), lambda w: optim.SGD(w, lr=0.1)),
        (Momentum(0.7), lambda w: optim.SGD(w, lr=0.1, momentum=0.7)),
        (Nesterov(0.7), lambda w: optim.SGD(w, lr=0.1, momentum=0.7, nesterov=True)),
        (Adagrad(), lambda w: optim.Adagrad(w, lr=0.1, eps=1e-8)),
        (RMSprop(0.8), lambda w: optim.RMSprop(w, lr=0.1, alpha=0.8, eps=1e-8)),
        # torch adds its epsilon to the corrected root: negligible on both sides here.
        (Adam(epsilon=1e-14), lambda w: optim.Adam(w, lr=0.1, eps=1e-14)),
        (AdamW(epsilon=1e-14), lambda w: optim.AdamW(w, lr=0.1, eps=1e-14, weight_decay=0.01)),
    ]:
        w = torch.tensor(START, requires_grad=True)
        optimizer = theirs([w])
        for g, expected in zip(GRADIENTS, walk(ours), strict=True):
            w.grad = torch.tensor(g)
            optimizer.step()
            assert_allclose(w.detach().numpy(), expected, rtol=1e-9)


def test_automatic_momentum_is_that_of_mini_batches_or_grows():
    assert_allclose(walk(Nesterov()), walk(Nesterov(0.9)))
    # On an exact gradient: a plain step, then k / (k + 3) of the way between plain steps.
    H = np.diag([1.0, 0.1])
    solver, y = Nesterov(), np.array([1.0, 1.0])
    solver.full_batch = True
    solver.start(2, np.float64)
    ahead, plain, k = y.copy(), None, 0
    for _ in range(40):
        gradient = H @ ahead
        new = ahead - 0.9 * gradient
        if plain is None or gradient @ (new - plain) > 0:
            k, ahead = 0, new.copy()
        else:
            k += 1
            ahead = new + k / (k + 3) * (new - plain)
        plain = new
        solver.step(y, H @ y, 0.9)
        assert_allclose(y, ahead, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("solver", "name"),
    [
        (Momentum(1.0), "momentum"),
        (Nesterov("fast"), "momentum"),
        (RMSprop(decay=-0.1), "decay"),
        (Adagrad(epsilon=0), "epsilon"),
        (Adam(beta_2=1.0), "beta_2"),
        (AdamW(weight_decay=-1), "weight_decay"),
    ],
)
def test_hyper_parameters_are_checked(solver, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of {type(solver).__name__}"):
        as_solver(solver)
