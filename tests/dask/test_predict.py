"""Lazy predictions are those of the local model, in the chunks of X."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

da = pytest.importorskip("dask.array", reason="dask is not installed")
pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd import PerceptronClassifier, ThroughOriginRegressor  # noqa: E402
from sklearn_gd.dask._predict import predict_chunks  # noqa: E402

X = np.random.default_rng(0).normal(size=(10, 3))


@pytest.mark.parametrize("Y", [X[:, 0], X[:, :2]], ids=["one axis", "two columns"])
def test_predictions_keep_the_chunks(Y):
    model = ThroughOriginRegressor().fit(X, Y)
    lazy = predict_chunks(model, "predict", da.from_array(X, chunks=(4, 2)))
    assert lazy.chunks[0] == (4, 4, 2)
    assert (lazy.shape, lazy.dtype) == (Y.shape, np.float64)
    assert_array_equal(lazy.compute(scheduler="synchronous"), model.predict(X))


def test_labels_are_labels():
    labels = np.where(X[:, 0] > 0, "yes", "no")
    model = PerceptronClassifier(random_state=0).fit(X, labels)
    lazy = predict_chunks(model, "predict", da.from_array(X, chunks=4))
    assert_array_equal(lazy.compute(scheduler="synchronous"), model.predict(X))


@pytest.mark.parametrize("X", [da.zeros(4), da.zeros((4, 3, 2))])
def test_other_shapes_are_refused(X):
    model = ThroughOriginRegressor().fit(np.eye(3), np.ones(3))
    with pytest.raises(TypeError, match="predict takes an array or a Dask array of shape"):
        predict_chunks(model, "predict", X)


# Data frames of other types than NumPy's.

FRAME = pd.DataFrame({"a": np.sort(X[:, 0]), "b": X[:, 1], "c": np.arange(10) % 3})
AS = {
    "nullable": FRAME.convert_dtypes(),
    "Arrow": FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "categories": FRAME.astype({"c": "category"}),
    "boolean": FRAME.assign(c=FRAME["c"] > 0).convert_dtypes(),
    "float32": FRAME.astype(np.float32),
}


@pytest.mark.parametrize("frame", AS.values(), ids=AS)
def test_frames_are_predicted_as_the_local_model_does(frame):
    dd = pytest.importorskip("dask.dataframe")
    lazy = dd.from_pandas(frame, npartitions=3)
    if frame["c"].dtype == "category":
        lazy = lazy.assign(c=lazy["c"].cat.as_unknown())
    # The first partitions are empty after it.
    late, rows = lazy[lazy["a"] > 0.3], frame[frame["a"] > 0.3]
    assert 0 < len(rows) < 5
    line = ThroughOriginRegressor().fit(frame, X[:, 0])
    neuron = PerceptronClassifier(activation="sigmoid", random_state=0).fit(frame, X[:, 0] > 0)
    for model, method in [
        (line, "predict"),
        (neuron, "predict"),
        (neuron, "predict_proba"),
        (neuron, "decision_function"),
    ]:
        for given, expected in ((lazy, frame), (late, rows)):
            y_pred = predict_chunks(model, method, given)
            got = y_pred.compute(scheduler="synchronous")
            assert_array_equal(got.index, expected.index)
            assert_allclose(got, getattr(model, method)(expected), rtol=1e-6)
            types = [each.dtypes for each in (got, y_pred)]
            assert np.all(types[0] == types[1])


def test_a_series_is_refused():
    dd = pytest.importorskip("dask.dataframe")
    line = ThroughOriginRegressor().fit(FRAME[["a"]], X[:, 0])
    with pytest.raises(TypeError, match=r"or a data frame\. Got Series of 1 axes"):
        predict_chunks(line, "predict", dd.from_pandas(FRAME["a"], npartitions=2))
