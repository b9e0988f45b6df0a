"""Data as they come on a cluster: files, arrays, pipelines before them, frames of any type."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier

dd = pytest.importorskip("dask.dataframe", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd.dask import (  # noqa: E402
    DaskFeedForwardClassifier,
    DaskFeedForwardRegressor,
    DaskPerceptronClassifier,
    DaskThroughOriginRegressor,
)

# Dask calls pandas in ways that pandas is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index")

SETTINGS = {"max_iter": 3, "tol": None}
MODELS = {
    "line": DaskThroughOriginRegressor(),
    "huber line": DaskThroughOriginRegressor(loss="huber", **SETTINGS),
    "step neuron": DaskPerceptronClassifier(random_state=0, **SETTINGS),
    "network": DaskFeedForwardRegressor(hidden_layer_sizes=(3,), random_state=0, **SETTINGS),
    "classes": DaskFeedForwardClassifier(hidden_layer_sizes=(3,), random_state=0, **SETTINGS),
}
each_model = pytest.mark.parametrize("name", MODELS)
N_PARTITIONS, RUNS = 4, []


@pytest.fixture(scope="module")
def client():
    """A client of two workers in this process, which append to RUNS."""
    with distributed.Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as client:
        yield client


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(400, 3)), columns=["a", "b", "c"])
    table["y"] = table.a + 2 * table.b - table.c + 0.1 * rng.normal(size=400)
    table["label"] = np.where(table.y > 0, "up", "down")
    table["weight"] = rng.integers(1, 4, 400).astype(float)
    for wide in "uvxz":
        table[wide] = rng.normal(size=400)
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("files")
    for i, part in enumerate(np.split(np.arange(400), N_PARTITIONS)):
        table.iloc[part].to_parquet(folder / f"{i}.parquet", index=False)
        table.iloc[part].to_csv(folder / f"{i}.csv", index=False)
    return folder


SOURCES = {
    "Parquet": lambda folder: dd.read_parquet(folder / "*.parquet"),
    "CSV": lambda folder: dd.read_csv(folder / "*.csv"),
}


def counted(part):
    RUNS.append(len(part))
    return part


def parts_of(frame, name, columns=("a", "b", "c")):
    """Return lazy X, y and weights of a frame for a model."""
    return frame[list(columns)], frame[target(name)], frame["weight"]


def target(name):
    return "label" if is_classifier(MODELS[name]) else "y"


def weights_of(model):
    arrays = model.coefs_ if hasattr(model, "coefs_") else [model.coef_]
    return np.concatenate([np.ravel(each) for each in arrays])


@pytest.mark.parametrize("source", SOURCES)
@each_model
def test_files_are_read_once_for_a_fit_and_once_for_a_score(client, folder, table, name, source):
    frame = SOURCES[source](folder).map_partitions(counted)
    X, y, weights = parts_of(frame, name)
    RUNS.clear()
    model = clone(MODELS[name]).fit(X, y, weights)
    assert RUNS == [100] * N_PARTITIONS
    RUNS.clear()
    score = model.score(X, y, weights)
    assert RUNS == [100] * N_PARTITIONS
    given = table[["a", "b", "c"]], table[target(name)]
    in_memory = clone(MODELS[name]).fit(*given, table["weight"])
    assert score == pytest.approx(in_memory.score(*given, table["weight"]), abs=0.05)
    if name == "line":
        assert_allclose(model.coef_, in_memory.coef_, rtol=1e-6)
    prediction = model.predict(X).compute()
    assert_array_equal(prediction, model.to_local().predict(given[0]))


@each_model
def test_parquet_files_that_dask_joins(client, folder, name):
    frame = dd.read_parquet(folder / "*.parquet")
    # Few columns of many: Dask reads several files as one partition, of y other ones than of X.
    assert len(frame["y"].to_delayed()) < len(frame[["a", "b", "c"]].to_delayed())
    X, y, weights = parts_of(frame, name)
    for given in ((X, y), (X, y, weights), (X, y, weights.to_frame())):
        model = clone(MODELS[name]).fit(*given)
        assert 0 < model.score(*given) <= 1
    # Beside an array, partitions are those of each collection.
    beside_array = clone(MODELS[name]).fit(X, y, weights.to_dask_array())
    assert beside_array.score(X, y, weights) == pytest.approx(model.score(X, y, weights), abs=0.1)
    in_memory = clone(MODELS[name]).fit(X, y.compute().to_numpy())
    assert 0 < in_memory.score(X, y.compute().to_numpy()) <= 1


@each_model
def test_arrays_are_worked_out_once(client, table, name):
    frame = dd.from_pandas(table, npartitions=N_PARTITIONS).map_partitions(counted)
    whole = frame[["a", "b", "c", "y", "weight"]].to_dask_array()
    X, y, weights = whole[:, :3], whole[:, 3], whole[:, 4]
    y = (y > 0).astype(int) if is_classifier(MODELS[name]) else y
    RUNS.clear()
    model = clone(MODELS[name]).fit(X, y, weights)
    assert RUNS == [100] * N_PARTITIONS
    RUNS.clear()
    model.score(X, y, weights)
    assert RUNS == [100] * N_PARTITIONS


@pytest.mark.parametrize("as_arrays", [False, True])
def test_random_rows_stay_together(client, folder, as_arrays):
    frame = dd.read_parquet(folder / "*.parquet")
    sampled = frame.map_partitions(partial(pd.DataFrame.sample, frac=0.5))
    if as_arrays:
        whole = sampled[["a", "b", "c", "y"]].to_dask_array()
        X, y = whole[:, :3], whole[:, 3]
    else:
        X, y = sampled[["a", "b", "c"]], sampled["y"]
    line = DaskThroughOriginRegressor().fit(X, y)
    assert_allclose(line.coef_, [1, 2, -1], atol=0.05)
    assert line.score(X, y) > 0.99


@each_model
def test_partitions_of_other_rows_are_refused(client, folder, name):
    frame = dd.read_parquet(folder / "*.parquet")
    X, y, _ = parts_of(frame, name)
    few = frame[frame["a"] > 0]
    for given in ((X, few[target(name)]), (X, y, few["weight"])):
        model = clone(MODELS[name])
        with pytest.raises(ValueError, match=r"rows|samples"):
            model.fit(*given)
        assert not hasattr(model, "n_features_in_")


TYPES = {
    "float32": {},
    "bool beside float32": {"b": "bool"},
    "int8 beside float32": {"b": "int8"},
    "int32 beside float32": {"b": "int32"},
    "float64": {"a": "float64"},
    "nullable": {"a": "Float64", "b": "Int8"},
    "nullable float32": {"a": "Float32"},
    "Arrow": {"a": "double[pyarrow]", "b": "int64[pyarrow]"},
    "categories": {"b": "category"},
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", ["line", "network"])
def test_frames_of_any_type_are_trained_on_in_the_precision_of_local_fits(client, name, kind):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"), dtype="float32")
    frame["b"] = rng.integers(0, 2, 60).astype("float32")
    y = frame["a"] + 2 * frame["b"]
    frame = frame.astype(TYPES[kind])
    frame.loc[:20, "c"] = 1
    whole = dd.from_pandas(frame.assign(y=y), npartitions=3)
    whole = whole[whole["c"] < 0]  # nothing of the first partition
    lazy, lazy_y = whole[list("abc")], whole["y"]
    model = clone(MODELS[name]).fit(lazy, lazy_y)
    local = model.to_local()
    kept = frame["c"].to_numpy(dtype=float) < 0
    assert weights_of(model).dtype == weights_of(clone(local).fit(frame, y)).dtype
    prediction = model.predict(lazy).compute()
    assert_allclose(prediction, local.predict(frame[kept]), rtol=1e-5)
    assert model.score(lazy, lazy_y) == pytest.approx(local.score(frame[kept], y[kept]), abs=1e-5)


@pytest.mark.parametrize("name", ["step neuron", "classes"])
def test_probabilities_have_the_labels_of_the_classes(client, table, name):
    X = dd.from_pandas(table[["a", "b"]], npartitions=2)
    y = table["a"].gt(0).astype(int).add(table["b"].gt(0)).map({0: "low", 1: "mid", 2: "top"})
    model = clone(MODELS[name]).fit(X, dd.from_pandas(y, npartitions=2))
    decisions = model.decision_function(X)
    assert list(decisions.columns) == list(decisions.compute().columns) == ["low", "mid", "top"]
    if name == "classes":
        found = model.predict_proba(X).compute()
        assert list(found.columns) == ["low", "mid", "top"]
        assert_array_equal(found.index, table.index)
        assert_allclose(found, model.to_local().predict_proba(table[["a", "b"]]))


@pytest.mark.parametrize("name", ["step neuron", "classes"])
def test_labels_of_another_type_have_no_score(client, table, name):
    X, y = dd.from_pandas(table[["a", "b"]], npartitions=2), table["y"].gt(0).astype(int)
    model = clone(MODELS[name]).fit(X, dd.from_pandas(y, npartitions=2))
    for other in (y.astype(str), y + 0.5):
        with pytest.raises(ValueError, match=r"Mix of|mix of"):
            model.score(X, dd.from_pandas(other, npartitions=2))
        with pytest.raises(ValueError, match=r"Mix of|mix of"):
            model.score(table[["a", "b"]], other)
