"""What stands for a piece, and what is refused."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from sklearn_gd import activations, losses, schedules, solvers
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd.activations import ELU, Activation, Identity, ReLU, Tanh, as_activation
from sklearn_gd.losses import Huber, SquaredError, as_loss
from sklearn_gd.schedules import Cosine, as_schedule
from sklearn_gd.solvers import Adam, as_solver

KINDS = [
    (activations, as_activation, ELU(0.5)),
    (losses, as_loss, Huber(0.5)),
    (solvers, as_solver, Adam(beta_1=0.5)),
    (schedules, as_schedule, Cosine(0.5)),
]


@pytest.mark.parametrize(("module", "take", "instance"), KINDS)
def test_a_name_is_the_default_piece_and_an_instance_is_cloned(module, take, instance):
    for name, kind in module._BUILT_IN.items():
        piece = take(name)
        assert type(piece) is kind
        assert piece.get_params() == kind().get_params()
        assert take(name) is not piece
    taken = take(instance)
    assert taken is not instance
    assert taken.get_params() == instance.get_params()
    assert repr(taken) == repr(instance)


@pytest.mark.parametrize(("module", "take", "instance"), KINDS)
def test_pieces_are_estimators_parameters(module, take, instance):
    name = next(name for name, value in instance.get_params().items() if value == 0.5)
    changed = clone(instance).set_params(**{name: 0.25})
    assert getattr(changed, name) == 0.25
    assert getattr(instance, name) == 0.5
    assert pickle.loads(pickle.dumps(instance)).get_params() == instance.get_params()


@pytest.mark.parametrize(("module", "take", "instance"), KINDS)
@pytest.mark.parametrize("wrong", ["nonsense", "", "Tanh"])
def test_unknown_names_are_listed(module, take, instance, wrong):
    with pytest.raises(ValueError, match="must be one of") as caught:
        take(wrong)
    for name in module._BUILT_IN:
        assert repr(name) in str(caught.value)
    assert f"Got {wrong!r} instead" in str(caught.value)


@pytest.mark.parametrize(("module", "take", "instance"), KINDS)
@pytest.mark.parametrize("wrong", [None, object, 1j, b"tanh", [], {}, (np.sin,), (1, 2), True])
def test_what_is_neither_name_nor_piece(module, take, instance, wrong):
    with pytest.raises(TypeError, match="a custom one derives from it and has the methods"):
        take(wrong)
    with pytest.raises(TypeError, match="give an instance"):
        take(type(instance))


def test_a_piece_of_another_kind():
    with pytest.raises(TypeError, match="Got Huber"):
        as_activation(Huber())
    with pytest.raises(TypeError, match="Got Tanh"):
        as_loss(Tanh())


def test_the_parameter_is_named():
    with pytest.raises(ValueError, match="The 'output_activation' parameter"):
        as_activation("nonsense", parameter="output_activation")


def test_inheritance_from_a_built_in_lacks_nothing():
    class Steeper(Tanh):
        def __call__(self, z):
            return super().__call__(2 * z)

        def derivative(self, z, a):
            return 2 * super().derivative(z, a)

    assert as_activation(Steeper())(np.ones(1)) == np.tanh(2)


def test_a_derived_piece_is_trained_by_what_it_says_and_not_by_what_its_parent_knows():
    class Mirrored(Tanh):
        def derivative(self, z, a):
            return 1 - np.tanh(z) ** 2  # needs z, which Tanh itself would overwrite

    class Doubled(ReLU):
        def __call__(self, z):  # takes no `out`
            return 2 * np.maximum(z, 0)

        def derivative(self, z, a):
            return 2.0 * (z > 0)

    class Tilted(SquaredError):  # noqa: N818
        def value(self, y_true, y_pred):
            error = y_pred - y_true
            return np.where(error < 0, 10, 1) * error**2

        def gradient(self, y_true, y_pred):
            error = y_pred - y_true
            return np.where(error < 0, 20, 2) * error

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    network = Network((3, 4, 5, 2), [Mirrored(), Doubled(), Identity()], Tilted(), 0.0, float)
    at = rng.normal(size=network.size)
    _, gradient = Rows(X, y, None).objective(network)(at)
    step = 1e-6
    for i in range(network.size):
        up, down = at.copy(), at.copy()
        up[i] += step
        down[i] -= step
        rise = network.mean_loss(up, X, y, None) - network.mean_loss(down, X, y, None)
        assert_allclose(gradient[i], rise / (2 * step), rtol=1e-5, atol=1e-7)
    assert Doubled().slope == 2
    assert Tilted().curvature is None


def test_a_negative_curvature_is_none():
    class Concave(SquaredError):  # noqa: N818
        curvature = -1.0

    with pytest.raises(ValueError, match=r"curvature must be None or a finite number >= 0"):
        as_loss(Concave())


def test_a_piece_that_fails_at_first_try_is_said_to():
    class Broken(Activation):
        def __call__(self, z):
            raise RuntimeError("no good")

        def derivative(self, z, a):
            return z

    with pytest.raises(ValueError, match=r"Broken\(\), failed its first try: no good"):
        as_activation(Broken())


@pytest.mark.parametrize("rate", [0, -0.1, np.nan, np.inf, -np.inf])
def test_rates_are_positive_and_finite(rate):
    with pytest.raises(ValueError, match="positive, finite number"):
        as_schedule(rate)
