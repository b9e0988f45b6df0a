"""Exported models compute what the originals do, in onnxruntime."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_gd.onnx
from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.activations import _BUILT_IN, ELU, Sigmoid
from sklearn_gd.losses import BinaryLogLoss, Pinball

PAGE = Path(__file__).parents[2] / "docs" / "deploying.md"
SMOOTH = sorted(name for name, kind in _BUILT_IN.items() if kind.differentiable)
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


@both_precisions
def test_several_quantiles_are_sorted(run, dtype):
    X = rows(dtype)
    net = network(X, targets(X), loss=Pinball((0.2, 0.4, 0.6, 0.8)), hidden_layer_sizes=20)
    far = 30 * rows(dtype)
    (output,) = run(net, far)
    assert_same(output, net.predict(far), dtype)
    assert (np.diff(output, axis=1) >= 0).all()


@both_precisions
@pytest.mark.parametrize("name", SMOOTH)
def test_networks(run, name, dtype):
    X = rows(dtype)
    activations = [name, ELU(alpha=0.5), name]
    net = network(
        X,
        targets(X),
        hidden_layer_sizes=(40, 30, 20),
        activation=activations,
        output_activation=name,
    )
    for scale in (1, 1000):
        here = X * dtype(scale)
        (y_pred,) = run(net, here)
        assert_same(y_pred[:, 0], net.predict(here), dtype)


@both_precisions
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
def test_outputs_keep_two_axes(run, n_outputs, dtype):
    X = rows(dtype)
    y = targets(X, n_outputs)
    line = ThroughOriginRegressor().fit(X, y)
    bent = ThroughOriginRegressor(activation="tanh", max_iter=20, tol=None).fit(X, y / 5)
    for model in (line, bent, network(X, y)):
        (y_pred,) = run(model, X)
        expected = model.predict(X).reshape(len(X), -1)
        assert y_pred.shape == (len(X), n_outputs or 1)
        assert_same(y_pred, expected, dtype)


@both_precisions
@pytest.mark.parametrize("fitted", [np.float32, np.float64])
@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_standardized_columns(run, standardize, fitted, dtype):
    X = rows(np.float64) * [1, 1e-3, 1e3, 1, 0, 1] + [0, 0, 5e3, 10, 3, -1]
    X, y = X.astype(fitted), (targets(rows(np.float64), 2) * 100 + 1000).astype(fitted)
    net = network(X, y, standardize=standardize, learning_rate=0.02)
    (y_pred,) = run(net, X.astype(dtype))
    precision = np.result_type(np.float32, min(fitted, dtype, key=lambda d: np.dtype(d).itemsize))
    assert_same(y_pred.astype(precision), net.predict(X).astype(precision), precision.type)
    outlier = X.astype(dtype)
    outlier[0] *= 1e6
    outlier[1] = -1e37
    outlier[2] = 1e37
    (y_pred,) = run(net, outlier)
    if standardize == "robust":
        assert_allclose(y_pred, net.predict(outlier), rtol=1e-4)
    else:
        assert_allclose(y_pred[:1], net.predict(outlier[:1]), rtol=1e-4)


def test_a_center_far_off_keeps_its_digits(run):
    X = rows(np.float64) + 1e6 + 1 / 3
    net = network(X, targets(X - 1e6), standardize="robust")
    X = X.astype(np.float32)
    (y_pred,) = run(net, X)
    assert_same(y_pred[:, 0], net.predict(X).astype(np.float32), np.float32)


@pytest.mark.parametrize("opset", [15, 17, 19, 21, "latest"])
def test_operator_sets(run, skl2onnx, opset):
    opset = skl2onnx.__max_supported_opset__ if opset == "latest" else opset
    for dtype in TOLERANCE:
        X = rows(dtype, 100)
        net = network(X, targets(X), hidden_layer_sizes=(9,) * len(SMOOTH), activation=SMOOTH)
        (y_pred,) = run(net, X, target_opset=opset)
        assert_same(y_pred[:, 0], net.predict(X), dtype)
        neurons = PerceptronClassifier(activation="sigmoid", max_iter=5, tol=None, random_state=0)
        neurons.fit(X, np.digitize(X[:, 0], [-0.5, 0.5]))
        labels, p = run(neurons, X, target_opset=opset, options={"zipmap": False})
        assert (labels == neurons.predict(X)).all()
        assert_same(p, neurons.predict_proba(X), dtype)


LABELS = {
    "ints": [-3, 4, 11],
    "small unsigned ints": np.array([0, 7, 200], dtype=np.uint8),
    "whole floats": [-1.0, 0.0, 2.0],
    "strings": ["no", "perhaps", "é"],
    "objects": np.array(["b", "a", "ccc"], dtype=object),
    "booleans": [False, True],
}


@both_precisions
@pytest.mark.parametrize("activation", ["step", "sigmoid", "tanh"])
@pytest.mark.parametrize("labels", LABELS)
def test_labels_and_what_stands_behind_them(run, labels, activation, dtype):
    X = rows(dtype)
    for classes in {2, len(LABELS[labels])}:
        codes = np.digitize(X[:, 0] + X[:, 1], [0.0] if classes == 2 else [-0.8, 0.8])
        y = np.array(LABELS[labels])[codes]
        neurons = PerceptronClassifier(
            activation=activation, max_iter=10, tol=None, random_state=0
        ).fit(X, y)
        for scale in (1, 1000):
            here = X * dtype(scale)
            got, second = run(neurons, here, options={"zipmap": False})
            assert got.dtype == (object if isinstance(y[0], str) else np.int64)
            assert (got == neurons.predict(here)).all()
            if activation == "sigmoid":
                # A z near 0 is the sum of large terms there, rounded in their size.
                expected = neurons.predict_proba(here)
                assert_same(second, expected, dtype, scale=1 if scale == 1 else 50)
            else:
                assert_same(second, scores(neurons, here), dtype)


@both_precisions
@pytest.mark.parametrize("loss", ["log_loss", "squared_error", BinaryLogLoss()])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_networks_that_classify(run, loss, n_classes, dtype):
    X = rows(dtype)
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0] * X[:, 1], [0.0, 0.8][: n_classes - 1])]
    net = FeedForwardClassifier(loss=loss, max_iter=5, tol=None, random_state=0).fit(X, y)
    for options in ({"zipmap": False}, {"zipmap": False, "raw_scores": True}):
        labels, second = run(net, X, options=options)
        assert (labels == net.predict(X)).mean() > 0.999  # but for ties in the last digit
        raw = "raw_scores" in options
        assert_same(second, scores(net, X) if raw else net.predict_proba(X), dtype)


@both_precisions
def test_a_classifier_of_linear_outputs(run, dtype):
    X = rows(dtype)
    net = FeedForwardClassifier(
        loss="huber", output_activation="identity", max_iter=5, tol=None, random_state=0
    ).fit(X, X[:, 0] > 0)
    labels, second = run(net, X, options={"zipmap": False})
    assert (labels == net.predict(X)).mean() > 0.999
    assert_same(second, scores(net, X), dtype)


def test_label_indicators_are_refused(run):
    X = rows(np.float32)
    net = FeedForwardClassifier(max_iter=2, tol=None).fit(X, (X[:, :3] > 0).astype(int))
    with pytest.raises(ValueError, match="label indicators has no ONNX form"):
        run(net, X)


@both_precisions
def test_counts(run, dtype):
    X = rows(dtype)
    y = np.random.default_rng(0).poisson(np.exp(X[:, 0]))
    net = network(X, y, loss="poisson")
    assert_same(run(net, X)[0][:, 0], net.predict(X), dtype)


def scores(neurons, X):
    z = neurons.decision_function(X)
    return np.column_stack([-z, z]) if z.ndim == 1 else z


@both_precisions
@pytest.mark.parametrize("fitted", [np.float32, np.float64])
def test_probabilities_where_no_neuron_fires(run, fitted, dtype):
    X = np.eye(3, dtype=fitted)
    neurons = PerceptronClassifier(activation="sigmoid", max_iter=1, tol=None, random_state=0)
    neurons.fit(X, [0, 1, 2])
    neurons.coef_[:], neurons.intercept_[:] = np.eye(3), 0
    levels = [-1e30, -1000, -720, -700, -100, -95, -80, -21, -20, -1, 0, 1, 30, 1000]
    z = np.array([[i, j, k] for i in levels for j in levels for k in levels], dtype)
    with np.errstate(over="ignore", under="ignore"):
        expected = neurons.predict_proba(z)
    labels, p = run(neurons, z, options={"zipmap": False})
    assert (labels == neurons.predict(z)).all()
    assert (p[0] == np.float32(1 / 3)).all() or np.allclose(p[0], 1 / 3)
    assert_same(p, expected, dtype)


def test_options_of_classifiers(run):
    X = rows(np.float32)
    y = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    neurons = PerceptronClassifier(activation="sigmoid", max_iter=5, tol=None, random_state=0)
    neurons.fit(X, y)
    expected = neurons.predict_proba(X)
    _, raw = run(neurons, X, options={"zipmap": False, "raw_scores": True})
    assert_same(raw, neurons.decision_function(X), np.float32)
    labels, dicts = run(neurons, X)
    assert (labels == neurons.predict(X)).all()
    assert list(dicts[0]) == ["high", "low", "middle"]
    np.testing.assert_allclose([list(row.values()) for row in dicts], expected, atol=1e-5)
    _, *columns = run(neurons, X, options={"zipmap": "columns"})
    np.testing.assert_allclose(np.column_stack(columns), expected, atol=1e-5)
    codes, _ = run(neurons, X, options={"zipmap": False, "nocl": True})
    assert (neurons.classes_[codes] == neurons.predict(X)).all()
    *_, classes = run(neurons, X, options={"zipmap": False, "output_class_labels": True})
    assert list(classes) == list(neurons.classes_)


@both_precisions
def test_pipelines(run, dtype):
    X = rows(dtype) * dtype(50) + dtype(7)
    model = make_pipeline(
        StandardScaler(),
        FeedForwardRegressor(activation="elu", max_iter=3, tol=None, random_state=0),
    ).fit(X, targets(X))
    (y_pred,) = run(model, X)
    assert_same(y_pred[:, 0], model.predict(X), dtype)
    neurons = PerceptronClassifier(max_iter=5, tol=None, random_state=0)
    model = make_pipeline(StandardScaler(), neurons).fit(X, X[:, 0] > 7)
    labels, z = run(model, X, options={"zipmap": False})
    assert (labels == model.predict(X)).all()
    assert_same(z, scores(model, X), dtype)


@both_precisions
def test_inside_other_estimators(run, dtype):
    X = rows(dtype, 300)
    y = np.digitize(X[:, 0] + X[:, 1], [-0.8, 0.8])
    neurons = PerceptronClassifier(activation="sigmoid", max_iter=9, tol=None, random_state=0)
    step = PerceptronClassifier(max_iter=5, tol=None, random_state=0)
    models = [
        OneVsRestClassifier(neurons).fit(X, y),
        CalibratedClassifierCV(step, cv=3).fit(X, y),
        CalibratedClassifierCV(neurons, cv=3).fit(X, y > 0),
        GridSearchCV(neurons, {"alpha": [0.0, 0.01]}, cv=3).fit(X, y),
    ]
    for model in models:
        labels, p = run(model, X, options={id(model): {"zipmap": False}})
        assert (labels == model.predict(X)).all()
        assert_same(p, model.predict_proba(X), dtype)


class Steep(Sigmoid):
    def __call__(self, z):
        return super().__call__(4 * z)

    def derivative(self, z, a):
        return 4 * a * (1 - a)


@both_precisions
@pytest.mark.parametrize("n_classes", [2, 3])
def test_custom_sigmoid(run, converters, n_classes, dtype):
    def to_onnx(steep, z, graph):
        e = graph.node("Exp", graph.node("Mul", z, -4.0))
        return graph.node("Reciprocal", graph.node("Add", e, 1.0))

    X = rows(dtype)
    y = np.digitize(X[:, 0], [-0.5, 0.5][: n_classes - 1])
    neurons = PerceptronClassifier(activation=Steep(), max_iter=3, tol=None, random_state=0)
    neurons.fit(X, y)
    labels, z = run(neurons, X, options={"zipmap": False, "raw_scores": True})
    assert_same(z, scores(neurons, X), dtype)
    with pytest.raises(ValueError, match=r"Steep\(\) has no converter"):
        run(neurons, X)
    sklearn_gd.onnx.register_activation(Steep, to_onnx)
    for scale in (1, -1000):
        here = X * dtype(scale)
        labels, p = run(neurons, here, options={"zipmap": False})
        assert (labels == neurons.predict(here)).all()
        assert_same(p, neurons.predict_proba(here), dtype, scale=1 if scale == 1 else 50)


def test_pairs_of_functions_are_refused_where_they_are_needed(run):
    X = rows(np.float32)
    pair = (np.sin, np.cos)
    line = ThroughOriginRegressor(activation=pair, max_iter=3, tol=None).fit(X, X[:, 0] / 9)
    for model in (line, network(X, X[:, 0], activation=pair)):
        with pytest.raises(ValueError, match=r"FunctionPair.* Python code.*\.register_activation"):
            run(model, X)
    # A perceptron's labels and scores come before its activation.
    neurons = PerceptronClassifier(activation=pair, max_iter=3, tol=None, random_state=0)
    neurons.fit(X, X[:, 0] > 0)
    labels, z = run(neurons, X, options={"zipmap": False})
    assert (labels == neurons.predict(X)).all()
    assert_same(z, scores(neurons, X), np.float32)


@pytest.mark.parametrize(
    "kind",
    [ThroughOriginRegressor, PerceptronClassifier, FeedForwardRegressor, FeedForwardClassifier],
)
def test_only_fitted_models_are_converted(run, kind):
    with pytest.raises(NotFittedError, match=f"{kind.__name__} instance is not fitted"):
        run(kind(), rows(np.float32))


def test_what_cannot_be_the_input(run, skl2onnx):
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    X = rows(np.float32)
    for model in (
        network(X, X[:, 0]),
        ThroughOriginRegressor().fit(X, X[:, 0]),
        PerceptronClassifier(random_state=0).fit(X, X[:, 0] > 0),
    ):
        with pytest.raises(ValueError, match=r"fitted on 6 features\. .* has 5"):
            skl2onnx.to_onnx(model, initial_types=[("X", FloatTensorType([None, 5]))])
        with pytest.raises(ValueError, match=r"takes numbers\. Got \[StringTensorType"):
            skl2onnx.to_onnx(model, initial_types=[("X", StringTensorType([None, 6]))])


def test_labels_that_onnx_does_not_have(run):
    X = rows(np.float32)
    neurons = PerceptronClassifier(random_state=0).fit(X, X[:, 0] > 0)
    for classes in ([0.5, 1.5], np.array([1, "a"], dtype=object)):
        neurons.classes_ = np.asarray(classes)
        with pytest.raises(ValueError, match="labels are strings or whole numbers"):
            run(neurons, X)


def test_without_skl2onnx_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-gd\[onnx\]'"):
        sklearn_gd.onnx.register()


def test_to_register_again_does_no_harm(run):
    sklearn_gd.onnx.register()
    X = rows(np.float32)
    net = network(X, targets(X))
    (y_pred,) = run(net, X)
    assert_same(y_pred[:, 0], net.predict(X), np.float32)


def test_the_page_does_what_it_says(run, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    namespace = {"__name__": "block"}
    for code in blocks:
        exec(compile(code, PAGE.name, "exec"), namespace)
        shown = re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == shown, code
    # The program that runs the model stands alone.
    (program,) = (code for code in blocks if "rows = np.zeros" in code)
    program += "import sys\nprint({'sklearn', 'sklearn_gd', 'skl2onnx'} & set(sys.modules))\n"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["(2, 1)", "set()"]
