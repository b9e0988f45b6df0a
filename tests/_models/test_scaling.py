"""The scale of columns and targets: quantiles, outliers, sparse columns, folding."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from sklearn_gd._data.split import PickedRows
from sklearn_gd._models.scaling import (
    SAMPLE,
    Affine,
    ColumnScaling,
    Scaling,
    column_scale,
    require_enough_rows,
    start_of,
    target_scale,
)
from sklearn_gd.activations import ReLU, Sigmoid

RNG = np.random.default_rng(0)
X = RNG.normal(size=(301, 4)) * [1.0, 1e-6, 1e6, 3.0] + [0.0, 5.0, -1e9, 1e3]
KINDS = ["robust", "standard"]


def test_robust_scale_is_median_and_interquartile_range():
    center, scale = column_scale("robust", X, None)
    assert_array_equal(center, np.median(X, axis=0))
    low, high = np.sort(X, axis=0)[[75, 225]]  # the ranks of the quartiles of 301 values
    assert_array_equal(scale, high - low)


def test_standard_scale_is_that_of_standard_scaler():
    center, scale = column_scale("standard", X, None)
    expected = StandardScaler().fit(X)
    assert_allclose(center, expected.mean_, rtol=1e-14)
    assert_allclose(scale, expected.scale_, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_weights_count_as_repeats(kind, form):
    values = np.where(RNG.random(X.shape) < 0.6, np.round(X, 1), 0.0)
    weights = RNG.integers(0, 4, len(values))
    by_weight = column_scale(kind, form(values), weights.astype(float))
    by_repeat = column_scale(kind, form(np.repeat(values, weights, axis=0)), None)
    assert_allclose(by_weight, by_repeat, rtol=1e-12)
    # In any unit of the weights.
    assert_allclose(column_scale(kind, form(values), weights * 0.1), by_repeat, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_picked_rows_have_the_scale_of_their_copy(kind):
    rows = np.arange(3, 250, 2)
    picked = column_scale(kind, PickedRows(X, rows), None)
    assert_array_equal(picked, column_scale(kind, X[rows], None))


def test_columns_without_an_interquartile_range():
    n = 200
    rare = (np.arange(n) < 3).astype(float)
    inflated = np.r_[np.zeros(170), np.arange(1.0, 30.0), 1e9]
    center, scale = column_scale("robust", np.c_[rare, inflated, np.full(n, 7.0)], None)
    assert_array_equal(center, [0, 0, 7])
    # The median of the other values, not the outlier; a constant column has 1.
    assert_array_equal(scale, [1, 15, 1])
    center, scale = column_scale("standard", np.full((9, 2), [7.0, 0.0]), None)
    assert_array_equal((center, scale), [[7, 0], [1, 1]])


def test_sparse_columns_are_scaled_and_not_centred():
    values = np.where(RNG.random((50, 3)) < 0.2, RNG.normal(size=(50, 3)) * 5, 0.0)
    values[:, 2] = 0
    center, scale = column_scale("robust", sparse.csr_array(values), None)
    expected = [np.median(np.abs(column[column != 0])) for column in values[:, :2].T]
    assert_array_equal(center, 0)
    ranks = [np.sort(np.abs(c[c != 0])) for c in values[:, :2].T]
    assert_array_equal(scale[:2], [r[(len(r) + 1) // 2 - 1] for r in ranks])
    assert_allclose(scale[:2], expected, rtol=0.5)
    assert scale[2] == 1
    scaled = ColumnScaling(center, scale, squash=True)(sparse.csr_array(values))
    assert sparse.issparse(scaled)
    dense = ColumnScaling(center, scale, squash=True)(values)
    assert_allclose(scaled.toarray(), dense, rtol=1e-14)


def test_many_rows_are_sampled():
    tall = RNG.normal(size=(SAMPLE + 50_000, 1)) ** 3
    center, scale = column_scale("robust", tall, None)
    again = column_scale("robust", tall.copy(), None)
    assert_array_equal((center, scale), again)
    rank = (tall < center[0]).mean()
    assert abs(rank - 0.5) < 0.005
    assert_allclose(column_scale("robust", sparse.csr_array(tall), None)[0], 0)


def test_too_large_columns_are_refused():
    with pytest.raises(ValueError, match="X is too large"):
        column_scale("robust", np.array([[1.7e308], [-1.7e308]] * 2), None)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("kind", KINDS)
def test_squares_neither_overflow_nor_underflow(kind, unit):
    rows = np.array([[1.0], [2.0], [4.0], [9.0]])
    expected = column_scale(kind, rows, None)
    assert_allclose(column_scale(kind, unit * rows, None), unit * np.array(expected), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squashing_is_smooth_bounded_and_exact_far_off(dtype):
    columns = ColumnScaling(np.zeros(1, dtype), np.ones(1, dtype), squash=True)
    z = np.array([[-np.finfo(dtype).max], [-1e12], [-3], [0], [1e-3], [3], [1e30]], dtype)
    with np.errstate(over="raise"):
        found = columns(z)
    limit = 3 / np.sqrt(2)
    assert found.dtype == dtype
    assert_allclose(found[:, 0], [-3, -3, -limit, 0, 1e-3, limit, 3], rtol=1e-6)
    out = np.empty_like(z)
    assert columns(z, out) is out
    assert_array_equal(out, found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(4, 2), (4, 5, 2)])
def test_folded_layers_predict_in_the_units_of_the_data(kind, sizes):
    scaling = Scaling(kind, X.mean(axis=0), X.std(axis=0), np.r_[3.0, -1e3], np.r_[0.1, 1e4], 1.0)
    layers = [(RNG.normal(size=shape), RNG.normal(size=shape[1])) for shape in pairwise(sizes)]
    columns, output = scaling.columns(np.float64), scaling.output(np.float64)

    def predict(a, layers, last):
        for W, b in layers[:-1]:
            a = np.tanh(a @ W + b)
        return last(a @ layers[-1][0] + layers[-1][1])

    inside = predict(columns(X), layers, output)
    rows = columns(X) if kind == "robust" else X
    folded = scaling.folded(layers)
    assert_allclose(predict(rows, folded, lambda z: z), inside, rtol=1e-5)
    for (W, b), (W_again, b_again) in zip(layers, scaling.unfolded(folded), strict=True):
        assert_allclose(W_again, W, rtol=1e-9)
        assert_allclose(b_again, b, rtol=1e-5, atol=1e-5)


def test_numbers_of_a_scaling_survive_packing():
    scaling = Scaling("robust", X[0], np.abs(X[1]), np.r_[1.0, 2.0], np.r_[3.0, 4.0], 0.5)
    again = Scaling.unpacked("robust", scaling.packed(), 4, 2)
    assert_array_equal(again.packed(), scaling.packed())
    assert vars(again).keys() == vars(scaling).keys()


def test_affine_output_has_its_derivative():
    affine, z = Affine(np.r_[1.0, -2.0], np.r_[0.5, 4.0]), RNG.normal(size=(5, 2))
    step = 1e-6
    slopes = (affine(z + step) - affine(z - step)) / (2 * step)
    assert_allclose(affine.derivative(z, affine(z)), slopes, rtol=1e-8)
    delta = np.ones_like(z)
    affine._chain(delta, z, z)
    assert_allclose(delta, slopes, rtol=1e-8)
    assert_array_equal(affine._apply(z.copy(), np.empty_like(z)), affine(z))


def test_a_spread_of_rounding_errors_is_none():
    spread = target_scale(np.array([1e9, 1e9, 0.0]), np.array([1e-7, 1.0, 1e-300]))
    assert_array_equal(spread, [1, 1, 1e-300])


def test_the_start_inverts_the_output_activation():
    assert_allclose(Sigmoid()(start_of(Sigmoid(), np.array([0.3, 0.9]))), [0.3, 0.9])
    assert_allclose(start_of(ReLU(), np.array([2e4])), 2e4)
    assert_array_equal(start_of(Sigmoid(), np.array([1.5])), 0)  # it has no such output


def test_a_first_call_of_few_rows_is_refused():
    require_enough_rows(10)
    with pytest.raises(ValueError, match=r"takes 10 rows .* Got 9"):
        require_enough_rows(9)
