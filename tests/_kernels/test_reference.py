"""The compiled loops against the same in plain Python and NumPy."""

import os
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_gd import _kernels
from sklearn_gd._kernels import reference


def test_the_compiled_loop_is_there_where_it_is_required():
    if os.environ.get("SKLEARN_GD_REQUIRE_KERNELS", "0") not in ("", "0"):
        assert _kernels.COMPILED
        assert _kernels.rosenblatt_dense is not reference.rosenblatt_dense
    if os.environ.get("SKLEARN_GD_PURE_PYTHON", "0") not in ("", "0"):
        assert not _kernels.COMPILED
        assert _kernels.rosenblatt_dense is reference.rosenblatt_dense


def epochs(kernel, rows, n_neurons, *, weights, decay, average, shuffled, fit_intercept, dtype):
    """Run three epochs; return all that they changed."""
    rng = np.random.default_rng(1)
    n_samples, n_features = rows["shape"]
    codes = rng.integers(0, max(2, n_neurons), n_samples).astype(np.int32)
    row_weights = rng.integers(0, 3, n_samples).astype(float) if weights else np.empty(0)
    class_weight = rng.uniform(0.5, 2, n_neurons) if weights else np.ones(n_neurons)
    coef = rng.normal(size=(n_features, n_neurons)).astype(dtype) / 10
    intercept = np.zeros(n_neurons, dtype)
    shape = coef.shape if average else (1, 1)
    coef_sum, intercept_sum, visits, counts = np.zeros(shape), np.zeros(shape[1]), 0, []
    for _ in range(3):
        order = (rng.permutation(n_samples) if shuffled else np.arange(n_samples)).astype(np.intp)
        *found, visits = kernel(
            *rows["arrays"], codes, row_weights, class_weight, order, coef, intercept,
            0.3, decay < 1, decay, fit_intercept, average, coef_sum, intercept_sum, visits,
        )  # fmt: skip
        counts.append((*found, visits))
    return coef, intercept, coef_sum, intercept_sum, np.array(counts)


def both(name, rows, n_neurons, **options):
    kernels = getattr(_kernels, name), getattr(reference, name)
    tolerance = {"rtol": 2e-4, "atol": 1e-4} if options["dtype"] == np.float32 else {"rtol": 1e-9}
    results = [epochs(kernel, rows, n_neurons, **options) for kernel in kernels]
    for compiled, plain in zip(*results, strict=True):
        assert_allclose(compiled, plain, **tolerance)
    coef, intercept = results[0][:2]
    assert options["fit_intercept"] or not intercept.any()
    assert np.isfinite(coef).all()


OPTIONS = [
    dict(zip(("weights", "decay", "average", "shuffled", "fit_intercept"), case, strict=True))
    for case in product([False, True], [1.0, 0.99], [False, True], [False, True], [False, True])
]


def dense(n_samples=37, n_features=21):
    X = np.random.default_rng(0).normal(size=(n_samples, n_features))
    X[X < -0.5] = 0
    return X


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("n_neurons", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dense(options, n_neurons, dtype):
    X = dense().astype(dtype)
    both("rosenblatt_dense", {"shape": X.shape, "arrays": (X,)}, n_neurons, dtype=dtype, **options)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("n_neurons", [1, 3])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse(options, n_neurons, index):
    X = sparse.csr_array(dense())
    X = sparse.vstack([X, sparse.csr_array((2, X.shape[1]))]).tocsr()  # with empty rows
    arrays = X.data, X.indices.astype(index), X.indptr.astype(index)
    rows = {"shape": X.shape, "arrays": arrays}
    both("rosenblatt_sparse", rows, n_neurons, dtype=np.float64, **options)


@pytest.mark.parametrize("n_features", [1, 2, 15, 16, 17, 33, 100])
def test_dots_of_every_length(n_features):
    X = dense(n_features=n_features)
    options = OPTIONS[3] | {"dtype": np.float64}
    both("rosenblatt_dense", {"shape": X.shape, "arrays": (X,)}, 1, **options)
    X = sparse.csr_array(X)
    rows = {"shape": X.shape, "arrays": (X.data, X.indices, X.indptr)}
    both("rosenblatt_sparse", rows, 1, **options)


@pytest.mark.parametrize(
    "view",
    [np.asfortranarray, lambda X: X[::-1], lambda X: X[:, ::-1], lambda X: X[::2, ::3]],
)
def test_rows_in_any_layout_of_memory(view):
    X = view(dense(80, 30))
    options = OPTIONS[7] | {"dtype": np.float64}
    both("rosenblatt_dense", {"shape": X.shape, "arrays": (X,)}, 2, **options)


def test_read_only_rows_are_taken():
    X = dense()
    X.flags.writeable = False
    options = OPTIONS[0] | {"dtype": np.float64}
    both("rosenblatt_dense", {"shape": X.shape, "arrays": (X,)}, 1, **options)


def layer(n_samples, width, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, width)).astype(dtype), rng.normal(size=width).astype(dtype)


SHAPES = pytest.mark.parametrize("shape", [(1, 1), (3, 7), (5, 16), (33, 100), (0, 4)])
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@SHAPES
@DTYPES
def test_bias_relu(shape, dtype):
    z, b = layer(*shape, dtype)
    z[:1, :1] = np.nan
    plain = z.copy()
    _kernels.bias_relu(z, b)
    reference.bias_relu(plain, b)
    assert_array_equal(z, plain)
    assert_array_equal(np.isnan(z[:1, :1]), True)


@SHAPES
@DTYPES
def test_relu_backward(shape, dtype):
    delta, sums = layer(*shape, dtype)
    a = layer(*shape, dtype, seed=1)[0]
    plain, plain_sums = delta.copy(), sums.copy()
    if len(delta):
        _kernels.relu_backward(delta, a, sums)
        reference.relu_backward(plain, a, plain_sums)
    assert_array_equal(delta, plain)
    assert_allclose(sums, plain_sums, rtol=1e-4 if dtype is np.float32 else 1e-12, atol=1e-5)


@pytest.mark.parametrize("size", [1, 7, 16, 1000])
@DTYPES
def test_steps(size, dtype):
    rng = np.random.default_rng(0)
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype is np.float32 else {"rtol": 1e-12}
    start, gradient = rng.normal(size=(2, size)).astype(dtype)
    results = []
    for kernels in (_kernels, reference):
        w = start.copy()
        means, squares = np.zeros((2, size), dtype)
        for _ in range(3):
            kernels.sgd_step(w, gradient, 0.1)
            kernels.adam(w, gradient, means, squares, 0.01, 0.9, 0.999, 1e-8)
        results.append((w, means, squares))
    for compiled, plain in zip(*results, strict=True):
        assert_allclose(compiled, plain, **tolerance)
        assert plain.dtype == dtype


@pytest.mark.parametrize("index", [np.int32, np.int64])
@DTYPES
def test_gram_of_sparse_rows(index, dtype):
    X = sparse.csr_array(dense().astype(dtype))
    arrays = X.data, X.indices.astype(index), X.indptr.astype(index)
    for kernels in (_kernels, reference):
        total = np.ones((X.shape[1], X.shape[1]))
        kernels.gram(*arrays, total)
        expected = 1 + np.triu(dense().astype(dtype).T.astype(float) @ dense().astype(dtype))
        assert_allclose(total, expected, rtol=1e-6 if dtype is np.float32 else 1e-12)


@pytest.mark.parametrize("n_samples", [0, 1, 127, 128, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", [1, 2, -1])
def test_moments_of_few_columns(n_samples, dtype, step):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, 8)).astype(dtype)[:, ::step]
    y = rng.standard_normal((n_samples, 2)).astype(dtype)
    width = X.shape[1] + 2
    found, expected = np.ones((width, width)), np.ones((width, width))
    _kernels.moments(X, y, found)
    reference.moments(X, y, expected)
    assert_allclose(found, expected, rtol=1e-13, atol=1e-12)
