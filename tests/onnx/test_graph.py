"""Inputs, constants and precision of exported graphs."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sklearn_gd.onnx
from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.activations import Activation

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def rows(dtype, n_samples=1000, n_features=6):
    return np.random.default_rng(0).normal(size=(n_samples, n_features)).astype(dtype)


def targets(X, n_outputs=None):
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] * X[:, 3], X[:, 4]])
    return Y[:, 0] if n_outputs is None else Y[:, :n_outputs]


def network(X, y, **settings):
    return FeedForwardRegressor(max_iter=3, tol=None, random_state=0, **settings).fit(X, y)


def assert_same(output, expected, dtype, scale=None):
    """Compare to the precision of the type, relative to the largest output."""
    assert output.dtype == dtype
    assert output.shape == expected.shape
    assert np.isfinite(output).all()
    scale = max(1.0, np.abs(expected).max()) if scale is None else scale
    np.testing.assert_allclose(output, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


def test_a_float64_model_runs_in_float32_and_the_other_way_round(run):
    X = rows(np.float64)
    net = network(X, targets(X))
    (y_pred,) = run(net, X.astype(np.float32))
    assert_same(y_pred[:, 0], net.predict(X), np.float32)
    net = network(X.astype(np.float32), targets(X))
    (y_pred,) = run(net, X)
    np.testing.assert_allclose(y_pred[:, 0], net.predict(X), atol=1e-5)


@both_precisions
def test_tables_of_several_columns(run, dtype):
    X = rows(dtype, n_features=3)
    table = pd.DataFrame(X, columns=["width", "height", "depth"])
    y = X @ np.array([1.0, -2.0, 0.5])
    line = ThroughOriginRegressor().fit(table, y)
    (y_pred,) = run(line, table)
    assert_same(y_pred[:, 0], line.predict(table), dtype)
    table["colour"] = np.array(["red", "green", "blue"], dtype=object)[np.arange(len(X)) % 3]
    mixed = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["width", "height", "depth"]),
            ("kinds", OneHotEncoder(sparse_output=False), ["colour"]),
        ]
    )
    net = FeedForwardRegressor(max_iter=3, tol=None, random_state=0)
    model = make_pipeline(mixed, net).fit(table, y)
    (y_pred,) = run(model, table)
    # OneHotEncoder makes floats of its columns in ONNX, and the model goes on in what it gets.
    np.testing.assert_allclose(y_pred[:, 0], model.predict(table), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.bool_])
def test_integers_and_booleans_become_floats(run, dtype):
    X = rows(np.float64) > 0 if dtype is np.bool_ else (rows(np.float64) * 3).astype(dtype)
    net = network(X, X[:, 0])
    (y_pred,) = run(net, X)
    assert_same(y_pred[:, 0], net.predict(X), np.float32)
    neurons = PerceptronClassifier(max_iter=5, tol=None, random_state=0).fit(X, X[:, 0] > 0)
    labels, _ = run(neurons, X, options={"zipmap": False})
    assert (labels == neurons.predict(X)).all()


class Ramp(Activation):
    def __init__(self, top=np.inf):
        self.top = top

    def __call__(self, z):
        return np.clip(z, 0, self.top)

    def derivative(self, z, a):
        return ((z > 0) & (z < self.top)).astype(z.dtype)


@both_precisions
def test_constants_may_be_infinite_and_last_inputs_left_out(run, converters, dtype):
    def to_onnx(ramp, z, graph):
        for nothing in (None, ""):
            with pytest.raises(TypeError, match="Inputs of 'Clip' cannot be left out"):
                graph.node("Clip", z, nothing, ramp.top)
        return graph.node("Clip", graph.node("Clip", z, -np.inf, ramp.top), 0.0)

    sklearn_gd.onnx.register_activation(Ramp, to_onnx)
    X = rows(dtype)
    for top in (np.inf, 0.5):
        net = network(X, targets(X), activation=Ramp(top))
        (y_pred,) = run(net, X)
        assert_same(y_pred[:, 0], net.predict(X), dtype)


def test_a_weight_too_large_for_the_precision_asked_for(run):
    X = rows(np.float64)
    line = ThroughOriginRegressor().fit(X, X[:, 0])
    line.coef_ = line.coef_ * 1e60
    with pytest.raises(ValueError, match=r"overflows float32.* DoubleTensorType"):
        run(line, X.astype(np.float32))
    (y_pred,) = run(line, X)
    assert_same(y_pred[:, 0], line.predict(X), np.float64)
