"""Activations, against their formulas and by their stated bounds."""

import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from sklearn_gd.activations import (
    _BUILT_IN,
    ELU,
    Activation,
    FunctionPair,
    LeakyReLU,
    as_activation,
)

Z = np.linspace(-6, 6, 481) + 0.003
FORMULAS = {
    "identity": lambda z: z,
    "step": lambda z: np.where(z > 0, 1.0, 0.0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": lambda z: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1),
    "relu": lambda z: (z + np.abs(z)) / 2,
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, special.expm1(z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "gelu": lambda z: z * stats.norm.cdf(z),
}


class Copy(Activation):
    """An own activation that states no bounds: they are found numerically."""

    def __init__(self, of="tanh"):
        self.of = of

    def __call__(self, z):
        return as_activation(self.of)(z)

    def derivative(self, z, a):
        return as_activation(self.of).derivative(z, a)


def test_every_name_has_a_formula_here():
    assert FORMULAS.keys() == _BUILT_IN.keys()


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_formula(name, dtype):
    piece, z = as_activation(name), Z.astype(dtype)
    a = piece(z)
    assert a.dtype == dtype
    assert piece.derivative(z, a).dtype == dtype
    assert_allclose(
        a, FORMULAS[name](z.astype(float)), rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-7
    )


@pytest.mark.parametrize("name", FORMULAS)
def test_writing_to_a_buffer_is_the_same(name):
    piece = as_activation(name)
    expected = piece(Z.copy())
    apart, over = np.empty_like(Z), Z.copy()
    assert_allclose(piece._apply(Z, apart), expected)
    if piece._forgets_z:
        piece._apply(over, over)
        assert_allclose(over, expected)
        derivative = piece.derivative(np.full_like(Z, np.nan), expected)
        assert_allclose(derivative, piece.derivative(Z, expected))
    delta = np.linspace(-1, 1, Z.size)
    chained = delta.copy()
    piece._chain(chained, Z, expected)
    assert_allclose(chained, delta * piece.derivative(Z, expected))


@pytest.mark.parametrize("name", sorted(set(FORMULAS) - {"step"}))
def test_stated_bounds_are_the_suprema(name):
    piece = as_activation(name)
    z = np.linspace(-10, 10, 400_001) + 1e-7
    a = piece(z)
    slope = piece.derivative(z, a)
    bend = np.abs(np.diff(slope)) / (z[1] - z[0])
    kinks = bend > 100
    for stated, found in (
        (piece.slope, np.abs(slope).max()),
        (piece.curvature, bend[~kinks].max()),
        (piece.product, (bend * np.abs(a[1:]))[~kinks].max()),
    ):
        assert found <= stated * 1.001 + 1e-9
        assert found >= stated * 0.999 - 1e-9
    low, high = piece.range
    assert low == -np.inf or abs(a.min() - low) < 1e-3
    assert high == np.inf or abs(a.max() - high) < 1e-3
    assert piece.zero_at_origin == (piece(np.zeros(1))[0] == 0)


@pytest.mark.parametrize("name", sorted(set(FORMULAS) - {"step"}))
def test_bounds_of_an_own_activation_are_found(name):
    stated, found = as_activation(name), Copy(name)
    assert found.zero_at_origin == stated.zero_at_origin
    assert_allclose(found.range, stated.range, atol=1e-3)
    for bound in ("slope", "curvature", "product"):
        assert_allclose(getattr(found, bound), getattr(stated, bound), rtol=0.02, atol=1e-6)
    assert vars(pickle.loads(pickle.dumps(found))) == {"of": name}


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.5])
def test_elu_with_another_alpha(alpha):
    piece = ELU(alpha)
    assert_allclose(piece(np.array([-2.0, 3.0])), [alpha * math.expm1(-2), 3.0])
    assert piece.range == (-alpha, np.inf)
    assert Copy(piece).slope == pytest.approx(piece.slope, rel=0.01)


def test_a_pair_is_its_two_functions():
    pair = as_activation((np.sin, np.cos))
    assert isinstance(pair, FunctionPair)
    assert_allclose(pair(Z), np.sin(Z))
    assert_allclose(pair.derivative(Z, None), np.cos(Z))
    assert pair.zero_at_origin
    assert not as_activation((np.cos, np.sin)).zero_at_origin
    assert pair.range == (-np.inf, np.inf)  # it does not level off


def test_extremes_neither_overflow_nor_warn():
    z = np.array([-1e300, -800.0, 800.0, 1e300])
    for name in FORMULAS:
        with np.errstate(over="raise", invalid="raise"):
            a = as_activation(name)(z)
        assert not np.isnan(a).any()
        assert np.isfinite(as_activation(name).derivative(z[1:3], a[1:3])).all()


@pytest.mark.parametrize("slope", [-0.1, 1.5, "a"])
def test_hyper_parameters_are_checked(slope):
    with pytest.raises(ValueError, match="'negative_slope' parameter of LeakyReLU"):
        as_activation(LeakyReLU(slope))
