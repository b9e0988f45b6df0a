"""Masks of dropout: their shares, their independence of how a batch is divided, their gradient."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import check_grad

from sklearn_gd._models.dropout import Dropout
from sklearn_gd._models.network import Network
from sklearn_gd.activations import as_activation
from sklearn_gd.losses import SquaredError

WIDTHS = (7, 16)


def masks(rates=(0.3, 0.5), *, key=1, step=0, rows=slice(0, 2_000), widths=WIDTHS):
    return Dropout(rates, key).masks(step, rows, widths, np.float64)


def network_with_dropout(activations=("identity", "identity", "identity"), rates=(0.4, 0.2)):
    activations = [as_activation(name) for name in activations]
    network = Network((3, *WIDTHS, 2), activations, SquaredError(), 0.0, np.float64)
    network.dropout = Dropout(rates, key=5)
    return network


def rows_for(network, n_samples):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n_samples, 3)), rng.normal(size=(n_samples, 2))
    return X, y, rng.normal(size=network.size) / 2


def test_the_share_of_silenced_outputs_is_the_rate():
    for mask, rate, width in zip(masks(), (0.3, 0.5), WIDTHS, strict=True):
        assert mask.shape == (2_000, width)
        assert set(np.unique(mask)) == {0.0, mask.max()}
        # Ten standard deviations of a share of so many.
        assert abs((mask == 0).mean() - rate) < 10 * np.sqrt(rate * (1 - rate) / mask.size)
        assert_allclose(mask.max(), 1 / (1 - rate), rtol=1e-9)


def test_a_layer_without_dropout_has_no_mask():
    first, second = masks((0.0, 0.5))
    assert first is None
    assert second is not None


def test_masks_depend_on_key_step_layer_and_row():
    at = masks(widths=(8, 8), rates=(0.5, 0.5))
    others = [
        masks(key=2, widths=(8, 8), rates=(0.5, 0.5))[0],
        masks(step=1, widths=(8, 8), rates=(0.5, 0.5))[0],
        masks(rows=slice(1, 2_001), widths=(8, 8), rates=(0.5, 0.5))[0],
        at[1],
    ]
    for other in others:
        assert abs(np.corrcoef(at[0].ravel(), other.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 30), (1_999, 2_000), (5, 5)])
def test_parts_of_a_batch_have_its_masks(start, stop):
    for whole, part in zip(masks(), masks(rows=slice(start, stop)), strict=True):
        assert_array_equal(part, whole[start:stop])


def test_masks_are_philox_of_the_counter():
    # Philox4x64-10, whose first outputs for key 0 and counter 0 are those of Random123's tests.
    raw = np.random.Philox(key=0, counter=[2**64 - 1] * 4).random_raw(4)
    assert [f"{number:016x}" for number in raw] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]
    drawn = np.random.Philox(key=9, counter=[3, 0, 4, 0]).random_raw(4).view("<u4")
    (mask,) = Dropout([0.5], 9).masks(4, slice(3, 4), (8,), np.float64)
    assert_array_equal(mask[0] > 0, drawn >= 2**31)


def test_the_gradient_is_that_of_the_noisy_loss():
    network = network_with_dropout(("tanh", "relu", "identity"))
    X, y, at = rows_for(network, 20)

    def loss(parameters):
        return network(parameters, X, y, None, 20, step=3)[0] / 20

    def gradient(parameters):
        return network(parameters, X, y, None, 20, step=3)[1].copy()

    assert check_grad(loss, gradient, at) < 1e-5 * np.linalg.norm(gradient(at))
    assert loss(at) != network.mean_loss(at, X, y, None)


def test_the_mean_of_many_passes_of_a_linear_network_is_its_output():
    network = network_with_dropout()
    X, _y, at = rows_for(network, 4)
    layers, total, squares, n = network.layers(at), 0.0, 0.0, 4_000
    for step in range(n):
        network._forward(layers, X, network.masks(slice(0, 4), step))
        total = total + network._outputs[-1]
        squares = squares + network._outputs[-1] ** 2
    mean = total / n
    deviation = np.sqrt((squares / n - mean**2) / n)
    network._forward(layers, X)
    assert (deviation > 0).all()
    assert (np.abs(mean - network._outputs[-1]) < 5 * deviation).all()


def test_chunks_of_a_batch_have_the_masks_of_the_batch(monkeypatch):
    network = network_with_dropout(("tanh", "relu", "identity"))
    X, y, at = rows_for(network, 50)
    loss, gradient = network(at, X, y, None, 50, step=1)
    gradient = gradient.copy()
    monkeypatch.setattr("sklearn_gd._data.batches.row_chunks.__defaults__", (1, 100))
    in_chunks, its_gradient = network(at, X, y, None, 50, step=1)
    assert_allclose(in_chunks, loss, rtol=1e-13)
    assert_allclose(its_gradient, gradient, rtol=1e-10, atol=1e-14)
