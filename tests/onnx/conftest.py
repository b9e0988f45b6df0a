"""Fixtures that export models and run them in onnxruntime."""

import numpy as np
import pytest

import sklearn_gd.onnx


@pytest.fixture(scope="module")
def skl2onnx():
    package = pytest.importorskip("skl2onnx", reason="ONNX export needs skl2onnx")
    sklearn_gd.onnx.register()
    return package


@pytest.fixture(scope="module")
def run(skl2onnx):
    """Return a function that exports a model and runs it on rows."""
    runtime = pytest.importorskip("onnxruntime", reason="exported models run in onnxruntime")

    def convert_and_run(model, X, **settings):
        exported = skl2onnx.to_onnx(model, X[:1], **settings)
        session = runtime.InferenceSession(
            exported.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        columns = {name: X[[name]].to_numpy() for name in X} if hasattr(X, "columns") else None
        outputs = session.run(None, columns or {"X": X})
        for declared, output in zip(session.get_outputs(), outputs, strict=True):
            if isinstance(output, np.ndarray):
                assert declared.shape[1:] == list(output.shape[1:])
        return outputs

    return convert_and_run


@pytest.fixture
def converters(monkeypatch):
    """Undo, after the test, what it registers."""
    from sklearn_gd.onnx import _activations

    monkeypatch.setattr(_activations, "_CONVERTERS", dict(_activations._CONVERTERS))
