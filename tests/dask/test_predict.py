"""Lazy predictions are those of the local model, in the chunks of X."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

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
