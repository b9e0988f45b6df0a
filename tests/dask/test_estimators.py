"""The estimators on a Dask cluster of two worker processes, beside the same ones without."""

import asyncio
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd._models.network import Network
from sklearn_gd.activations import as_activation
from sklearn_gd.callbacks import Checkpoint, resume
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.losses import BinaryLogLoss, as_loss
from sklearn_gd.schedules import Adaptive, StepDecay
from sklearn_gd.solvers import Adam

da = pytest.importorskip("dask.array", reason="dask is not installed")
dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd.dask import (  # noqa: E402
    DaskFeedForwardClassifier,
    DaskFeedForwardRegressor,
    DaskPerceptronClassifier,
    DaskThroughOriginRegressor,
)

PAIRS = [
    (DaskThroughOriginRegressor, ThroughOriginRegressor),
    (DaskPerceptronClassifier, PerceptronClassifier),
    (DaskFeedForwardRegressor, FeedForwardRegressor),
    (DaskFeedForwardClassifier, FeedForwardClassifier),
]
N = 1003


def started(**options):
    return distributed.LocalCluster(dashboard_address=":0", silence_logs=50, **options)


# In a process of its own: there a warning is no error, which would end Dask's background tasks. A
# worker that dies is started again at once, which Dask's own nanny tries but once.
CLUSTER = """
import subprocess, sys, threading
from distributed import LocalCluster

def keep_a_worker(address, processes, over):
    worker = ["-m", "distributed.cli.dask_worker", address, "--nthreads=1", "--no-nanny"]
    while not over.is_set():
        process = subprocess.Popen([sys.executable, *worker, "--no-dashboard"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        processes.append(process)
        process.wait()

if __name__ == "__main__":
    with LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster:
        processes, over = [], threading.Event()
        for _ in range(int(sys.argv[1])):
            given = (cluster.scheduler_address, processes, over)
            threading.Thread(target=keep_a_worker, args=given, daemon=True).start()
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()  # until it is closed
        over.set()
        for process in processes:
            process.terminate()
"""


@contextmanager
def beside(n_workers, folder):
    """Have a cluster of worker processes; yield its address and a function that ends it."""
    program = folder / "cluster.py"
    program.write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, str(program), str(n_workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process.stdout.readline().strip(), process.stdin.close


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """A client of two worker processes on this machine."""
    with (
        beside(2, tmp_path_factory.mktemp("cluster")) as (address, _),
        distributed.Client(address) as client,
    ):
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(N, 4)) * [1, 10, 0.1, 2]
    y = X @ [1.0, -0.2, 30.0, 0.5] + np.sin(X[:, 0]) + generator.normal(size=N)
    weights = generator.integers(0, 3, size=N).astype(float)
    return X, y, weights


def cut(array, *sizes):
    """Return a Dask array with chunks of so many rows each."""
    sizes = sizes or (300,)
    return da.from_array(array, chunks=(sizes if len(sizes) > 1 else sizes[0], *array.shape[1:]))


def left_on(client):
    """Return how many fits and results the workers hold, once they had a moment."""

    def look(dask_worker):
        from sklearn_gd.dask._shard import _SHARDS

        return len(_SHARDS) + len(dask_worker.data)

    for _ in range(100):
        held = sum(client.run(look).values())
        if not held:
            break
        time.sleep(0.05)
    return held


def processes_of(client):
    """Return the process numbers of two workers, once there are two that answer."""
    client.wait_for_workers(2, timeout=60)
    for _ in range(600):
        found = client.run(os.getpid, on_error="ignore")
        if len(found) == 2:
            return sorted(found.values())
        time.sleep(0.1)
    raise AssertionError(f"One minute later there are {len(found)} workers.")


def weights_of(model):
    if hasattr(model, "coefs_"):
        return np.concatenate([w.ravel() for w in (*model.coefs_, *model.intercepts_)])
    return model.coef_


# Being an estimator.


@pytest.mark.parametrize(("remote", "local"), PAIRS)
def test_parameters_are_those_of_the_local_estimator(remote, local, client):
    assert remote().get_params() == local().get_params()
    other = remote(learning_rate=0.5, max_iter=7)
    other.client = client
    twin = clone(other)
    assert twin.get_params()["max_iter"] == 7
    assert "client" not in twin.get_params()
    assert "_client" not in vars(twin)
    assert twin.client is client  # the current one
    again = pickle.loads(pickle.dumps(other))
    assert again.get_params()["learning_rate"] == 0.5
    assert "_client" not in vars(again)
    assert other.client is client


def test_without_a_client_the_error_says_what_to_do():
    code = """
import numpy as np
from sklearn_gd.dask import DaskThroughOriginRegressor
try:
    DaskThroughOriginRegressor().fit(np.ones((3, 1)), np.ones(3))
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "DaskThroughOriginRegressor needs a Dask client, and there is none: open one with "
        "distributed.Client(), or set the estimator's client."
    )


def test_without_dask_the_error_says_what_to_install():
    code = """
import sys
sys.modules["distributed"] = None
try:
    import sklearn_gd.dask
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "sklearn_gd.dask needs Dask: pip install 'sklearn-gd[dask]'"


@pytest.mark.parametrize(("remote", "local"), PAIRS)
def test_the_local_estimator_is_the_same_model(remote, local, client, rows):
    X, y, _ = rows
    y = y > 0 if is_classifier(local()) else y
    model = remote(max_iter=3, tol=None).fit(cut(X), cut(y))
    here = model.to_local()
    assert type(here) is local
    assert {n for n in vars(here) if n.endswith("_")} == {
        n for n in vars(model) if n.endswith("_")
    }
    assert here.get_params() == model.get_params()
    assert np.array_equal(here.predict(X), model.predict(X))
    assert "_client" not in vars(here)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), here.predict(X))


@pytest.mark.parametrize(("remote", "local"), PAIRS)
def test_nothing_can_be_predicted_before_fit(remote, local, client, rows):
    with pytest.raises(NotFittedError):
        remote().predict(cut(rows[0]))


# The line.


def framed(X, y, weights):
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y, w=weights)
    lazy = dd.from_pandas(frame, npartitions=5)
    return lazy[list("abcd")], lazy["y"], lazy["w"]


WAYS = {
    "one chunk": lambda X, y, w: (cut(X, N), cut(y, N), cut(w, N)),
    "many": lambda X, y, w: (cut(X, 100), cut(y, 100), cut(w, 100)),
    "uneven, each cut otherwise": lambda X, y, w: (cut(X, 3, 900, 100), cut(y, 400), cut(w, 77)),
    "columns in chunks": lambda X, y, w: (da.from_array(X, chunks=(300, 3)), cut(y), cut(w)),
    "targets in memory": lambda X, y, w: (cut(X), y, w),
    "rows in memory": lambda X, y, w: (X, cut(y), w),
    "sparse": lambda X, y, w: (cut(X).map_blocks(sparse.csr_matrix), cut(y), cut(w)),
    "all in memory": lambda X, y, w: (X, y, w),
    "pandas": lambda X, y, w: (pd.DataFrame(X, columns=list("abcd")), pd.Series(y), w),
    "data frame": framed,
    "data frame, targets in memory": lambda X, y, w: (framed(X, y, w)[0], y, w),
    "data frame and array": lambda X, y, w: (framed(X, y, w)[0], cut(y), cut(w)),
    "unknown sizes": lambda X, y, w: (cut(X)[cut(y) < 1e9], cut(y)[cut(y) < 1e9], cut(w)),
    "unknown sizes, matching": lambda X, y, w: tuple(cut(v)[cut(y) < 1e9] for v in (X, y, w)),
    "an empty chunk": lambda X, y, w: (cut(X, 0, 1000, 3), cut(y, 0, 1000, 3), cut(w, 0, 1000, 3)),
}


@pytest.mark.parametrize("way", WAYS)
def test_line_is_the_local_one_in_any_chunks(way, client, rows):
    expected = ThroughOriginRegressor().fit(*rows)
    model = DaskThroughOriginRegressor().fit(*WAYS[way](*rows))
    assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    assert_allclose(model.loss_, expected.loss_, rtol=1e-10)
    assert_allclose(model.learning_rate_, expected.learning_rate_, rtol=1e-10)
    assert_allclose(model.max_learning_rate_, expected.max_learning_rate_, rtol=1e-10)
    assert model.n_iter_ == expected.n_iter_
    assert model.n_features_in_ == 4
    named = "frame" in way or way == "pandas"
    assert hasattr(model, "feature_names_in_") == named
    assert left_on(client) == 0


@pytest.mark.parametrize("way", ["uneven, each cut otherwise", "data frame", "sparse", "pandas"])
def test_network_and_neuron_are_placed_from_anything(way, client, rows):
    X, y, weights = rows
    options = {"batch_size": None, "max_iter": 4, "tol": None, "random_state": 0}
    X_here = sparse.csr_array(X) if way == "sparse" else X  # whose columns are not centred
    expected = FeedForwardRegressor(hidden_layer_sizes=5, **options).fit(X_here, y, weights)
    model = DaskFeedForwardRegressor(hidden_layer_sizes=5, **options).fit(*WAYS[way](*rows))
    # Rows without weight are left out, which changes the mean weight, and nothing else here.
    assert_allclose(weights_of(model), weights_of(expected), rtol=1e-8, atol=1e-10)
    options |= {"activation": "sigmoid", "batch_size": N}
    fires = (y > 0).astype(int)
    expected = PerceptronClassifier(**options).fit(X_here, fires, weights)
    model = DaskPerceptronClassifier(**options).fit(*WAYS[way](X, fires, weights))
    assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    assert_allclose(model.intercept_, expected.intercept_, rtol=1e-8)
    assert left_on(client) == 0


def test_line_of_several_outputs_and_single_precision(client, rows):
    X, y, _ = rows
    Y = np.column_stack([y, -2 * y])
    model = DaskThroughOriginRegressor(alpha=0.1).fit(cut(X), cut(Y, 17, 986))
    assert_allclose(model.coef_, ThroughOriginRegressor(alpha=0.1).fit(X, Y).coef_, rtol=1e-10)
    lasso = {"alpha": 2.0, "l1_ratio": 0.9}
    expected = ThroughOriginRegressor(**lasso).fit(X, Y).coef_
    model = DaskThroughOriginRegressor(**lasso).fit(cut(X), cut(Y, 17, 986))
    assert_allclose(model.coef_, expected, rtol=1e-10)
    assert 0 < np.count_nonzero(expected) < expected.size
    assert_array_equal(model.coef_ == 0, expected == 0)
    single = DaskThroughOriginRegressor().fit(cut(X.astype(np.float32)), cut(y))
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, ThroughOriginRegressor().fit(X, y).coef_, rtol=1e-4)


def test_loss_of_a_line_that_fits_is_looked_at_again(client, rows):
    X = rows[0]
    y = X @ [1.0, 2.0, 3.0, 4.0]
    model = DaskThroughOriginRegressor().fit(cut(X), cut(y))
    # The sums alone, whose rounding is 1e-16 of y², tell it to no digit.
    assert model.loss_ < 1e-15 * np.mean(y**2)
    assert model.loss_ == pytest.approx(np.mean((model.predict(X) - y) ** 2), rel=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "huber"},
        {"loss": "huber", "alpha": 0.1, "l1_ratio": 0.9},
        {"loss": "log_cosh"},
        {"activation": "tanh"},
        {"activation": "relu"},
    ],
    ids=str,
)
def test_other_lines_sum_their_gradient_over_chunks(options, client, rows):
    X, y, _ = rows
    X, y = X / [1, 10, 0.1, 2], np.tanh(y / 10)
    options = options | {"max_iter": 300, "tol": 1e-5}
    expected = ThroughOriginRegressor(**options).fit(X, y)
    model = DaskThroughOriginRegressor(**options).fit(cut(X), cut(y))
    assert model.n_iter_ == expected.n_iter_
    assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-9)


# The network.


def dealt(n_samples, chunks, batch_size, seed):
    """Return the batches of one epoch as lists of row numbers, as the documents tell it."""
    n_steps = -(-n_samples // batch_size)
    steps = [[] for _ in range(n_steps)]
    start = 0
    for number, size in enumerate(chunks):
        order = np.random.default_rng([seed, number]).permutation(size)
        for place, row in enumerate(order):
            steps[(start + place) % n_steps].append(start + row)
        start += size
    return steps


@pytest.mark.parametrize("weighted", [False, True])
def test_network_is_that_of_the_same_batches_here(weighted, client, rows):
    X, y, _ = rows
    weights = np.random.default_rng(1).uniform(0.5, 2, N) if weighted else None
    chunks = (400, 3, 350, 250)
    model = DaskFeedForwardRegressor(
        hidden_layer_sizes=(8, 5), activation=["tanh", "silu"], learning_rate=0.01, alpha=0.01,
        batch_size=64, max_iter=20, tol=None, random_state=3, standardize=False,
    )  # fmt: skip
    lazy_weights = None if weights is None else cut(weights, *chunks)
    model.fit(cut(X, *chunks), cut(y, *chunks), lazy_weights)

    activations = [as_activation(name) for name in ("tanh", "silu", "identity")]
    network = Network((4, 8, 5, 1), activations, as_loss("squared_error"), 0.01, np.float64)
    generator = np.random.default_rng(3)
    parameters = FeedForwardRegressor(random_state=3)._draw(network, generator)
    solver = Adam()
    solver.start(network.size, np.float64)
    for _ in range(20):
        seed = int(generator.integers(2**63))
        for batch in dealt(N, chunks, 64, seed):
            w = None if weights is None else weights[batch]
            share = len(batch) * (1.0 if weights is None else weights.mean())
            _, gradient = network(parameters, X[batch], y[batch, None], w, share)
            solver.step(parameters, gradient, 0.01)
    expected = [array for layer in network.layers(parameters) for array in layer]
    found = [a for pair in zip(model.coefs_, model.intercepts_, strict=True) for a in pair]
    for ours, here in zip(found, expected, strict=True):
        assert_allclose(ours, here, rtol=1e-6, atol=1e-9)
    assert model.loss_ == pytest.approx(network.mean_loss(parameters, X, y[:, None], weights))


@pytest.mark.filterwarnings("ignore:Sending large graph")
def test_number_of_workers_and_threads_does_not_matter(client, rows):
    X, y, _ = rows
    model = DaskFeedForwardRegressor(batch_size=100, max_iter=5, tol=None, random_state=0)
    expected = weights_of(model.fit(cut(X, 100), cut(y, 100)))
    with (
        started(n_workers=1, threads_per_worker=3, processes=False) as cluster,
        distributed.Client(cluster, set_as_default=False) as other,
    ):
        model.client = other
        assert_allclose(weights_of(model.fit(cut(X, 100), cut(y, 100))), expected, rtol=1e-9)
    model.client = None


@pytest.mark.parametrize(
    "options",
    [
        {"solver": "lbfgs"},
        {"loss": "absolute_error", "learning_rate": Adaptive(0.05), "n_iter_no_change": 3},
        {"solver": "momentum", "learning_rate": StepDecay(0.02, every=5), "tol": 1e-3},
        {"loss": "huber", "hidden_layer_sizes": (), "output_activation": "softplus"},
        {"loss": "poisson", "alpha": 0.01},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*reached max_iter:sklearn.exceptions.ConvergenceWarning")
def test_descent_is_controlled_as_locally(options, client, rows):
    X, y, weights = rows
    weights = weights + 1
    X, y = X / [1, 10, 0.1, 2], np.column_stack([y, y**2 / 10])
    y = np.abs(y) if options.get("loss") == "poisson" else y
    shared = {"hidden_layer_sizes": 6, "batch_size": None, "max_iter": 25, "random_state": 0}
    shared |= {"activation": "tanh", "tol": None} | options
    held = {"X_val": X[:200], "y_val": y[:200], "sample_weight_val": weights[:200]}
    lazy = {name: cut(value, 90) for name, value in held.items()}
    expected = FeedForwardRegressor(**shared).fit(X, y, weights, **held)
    for given in (held, lazy):
        model = DaskFeedForwardRegressor(**shared).fit(cut(X), cut(y), cut(weights), **given)
        assert model.n_iter_ == expected.n_iter_
        assert model.best_iter_ == expected.best_iter_
        assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-6)
        assert_allclose(model.validation_loss_curve_, expected.validation_loss_curve_, rtol=1e-6)
        assert_allclose(weights_of(model), weights_of(expected), rtol=1e-5, atol=1e-7)
    assert left_on(client) == 0


def assert_same_scale(model, expected):
    assert model._scaling.kind == expected._scaling.kind
    assert hasattr(model, "center_") == (model.standardize == "robust")
    found, wanted = (each._scaling.packed() for each in (model, expected))
    assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("standardize", ["robust", "standard"])
@pytest.mark.parametrize(
    "way", ["uneven, each cut otherwise", "an empty chunk", "sparse", "data frame", "pandas"]
)
def test_network_is_trained_in_the_same_scale(way, standardize, client, rows):
    X, y, weights = rows
    X, y = X * [1, 1e4, 1, 0] + [0, 1e6, 0, 3], 1e3 * y + 1e5
    if way == "sparse":
        X = np.where(np.abs(rows[0]) > 0.5, X - [0, 1e6, 0, 3], 0.0)
    options = {"batch_size": None, "max_iter": 40, "tol": None, "random_state": 0, "alpha": 1e-3}
    options |= {"hidden_layer_sizes": 5, "learning_rate": 0.02, "standardize": standardize}
    X_here = sparse.csr_array(X) if way == "sparse" else X
    if "frame" in way or way == "pandas":
        X_here = pd.DataFrame(X, columns=list("abcd"))
    expected = FeedForwardRegressor(**options).fit(X_here, y, weights)
    model = DaskFeedForwardRegressor(**options).fit(*WAYS[way](X, y, weights))
    assert_same_scale(model, expected)
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-9)
    assert model.loss_curve_[-1] < 0.8 * model.loss_curve_[0]
    assert_allclose(model.to_local().predict(X_here), expected.predict(X_here), rtol=1e-9)
    assert left_on(client) == 0


@pytest.mark.parametrize("standardize", ["robust", "standard"])
@pytest.mark.parametrize(
    "options",
    [
        {"solver": "lbfgs", "max_iter": 8},
        {"loss": "huber"},
        {"loss": "pinball", "output_activation": "softplus"},
        {"loss": "poisson"},
    ],
    ids=str,
)
def test_a_validation_set_in_the_same_scale(options, standardize, client, rows):
    X, y, weights = rows
    weights, Y = weights + 0.5, np.column_stack([np.abs(y), y**2]) + 1.0
    options = {"batch_size": None, "max_iter": 20, "tol": None, "random_state": 0} | options
    options |= {"hidden_layer_sizes": 5, "activation": "tanh", "standardize": standardize}
    held_out = {"X_val": X[:200], "y_val": Y[:200], "sample_weight_val": weights[:200]}
    expected = FeedForwardRegressor(**options).fit(X, Y, weights, **held_out)
    lazy = {name: cut(value, 90) for name, value in held_out.items()}
    model = DaskFeedForwardRegressor(**options).fit(cut(X), cut(Y), cut(weights), **lazy)
    assert_same_scale(model, expected)
    rtol = 1e-6 if "solver" in options else 1e-9
    assert_allclose(model.validation_loss_curve_, expected.validation_loss_curve_, rtol=rtol)
    assert_allclose(model.predict(X), expected.predict(X), rtol=rtol)


@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_a_scale_in_batches_single_precision_and_warm_starts(standardize, client, rows):
    X, y, _ = rows
    X, y = (X * [1, 1e4, 1, 0] + [0, 1e6, 0, 3]).astype(np.float32), 1e3 * y + 1e5
    model = DaskFeedForwardRegressor(
        hidden_layer_sizes=8, standardize=standardize, batch_size=50, activation="relu",
        learning_rate=0.02,
        max_iter=15, tol=None, early_stopping=True, warm_start=True, random_state=0,
    ).fit(cut(X), cut(y))  # fmt: skip
    assert model.coefs_[0].dtype == np.float32
    first = model.loss_
    assert first < 0.3 * np.var(y)
    scale = model._scaling.packed()
    assert model.fit(cut(X), cut(y)).loss_ < first
    assert np.array_equal(model._scaling.packed()[:-1], scale[:-1])
    # Rows in memory, in the scale of the first fit.
    model.set_params(early_stopping=False)
    assert model.partial_fit(X, y).loss_curve_[-1] < 1.5 * first


def test_rows_are_set_aside_in_every_chunk(client, rows):
    X, y, _ = rows
    model = DaskFeedForwardRegressor(
        early_stopping=True, validation_fraction=0.25, max_iter=40, batch_size=50,
        learning_rate=0.05, n_iter_no_change=4, random_state=0,
    ).fit(cut(X), cut(y))  # fmt: skip
    assert model.best_iter_ == int(np.argmin(model.validation_loss_curve_))
    assert model.best_loss_ == min(model.validation_loss_curve_)
    assert model.n_iter_ < 40
    # Of the best epoch are the weights: both losses together are that of all rows.
    held = int(np.ceil(0.25 * N))
    together = (held * model.best_loss_ + (N - held) * model.loss_) / N
    assert np.mean((model.predict(X) - y) ** 2) == pytest.approx(together, rel=1e-9)


def test_too_few_rows_to_set_aside(client):
    X = np.ones((3, 1))
    with pytest.raises(ValueError, match=r"cannot set aside validation_fraction=0\.9 of 3 rows"):
        DaskFeedForwardRegressor(early_stopping=True, validation_fraction=0.9).fit(
            cut(X, 1), cut(X[:, 0], 1)
        )


def test_divergence_is_that_of_a_local_fit(client, rows):
    X, y, _ = rows
    options = {"solver": "gd", "learning_rate": 10.0, "batch_size": None, "random_state": 0}
    options |= {"activation": "relu", "standardize": False}
    with pytest.raises(DivergenceError) as expected:
        FeedForwardRegressor(**options).fit(X, y)
    model = DaskFeedForwardRegressor(max_iter=2, tol=None, random_state=0, standardize=False)
    model.fit(cut(X), cut(y))
    before = weights_of(model)
    model.set_params(**options)
    with pytest.raises(DivergenceError) as found:
        model.fit(cut(X), cut(y))
    assert len(found.value.loss_curve) == len(expected.value.loss_curve)
    assert np.array_equal(weights_of(model), before)
    assert left_on(client) == 0


def test_warm_start_goes_on(client, rows):
    X, y, _ = rows
    options = {"batch_size": None, "solver": "gd", "learning_rate": 1e-4, "tol": None}
    whole = FeedForwardRegressor(max_iter=6, random_state=0, **options).fit(X, y)
    model = DaskFeedForwardRegressor(max_iter=3, random_state=0, warm_start=True, **options)
    model.fit(cut(X), cut(y)).fit(cut(X), cut(y))
    assert_allclose(weights_of(model), weights_of(whole), rtol=1e-9)


def test_a_callback_sees_the_epochs_and_ends_the_fit(client, rows):
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    X, y, _ = rows

    class EndsAtThree:
        seen = 0

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            if context.task_name == "epoch":
                self.seen += 1
                assert fitted_estimator.predict(X[:2]).shape == (2,)
            return self.seen >= 3

        def teardown(self, estimator, context):
            pass

    callback = EndsAtThree()
    model = DaskFeedForwardRegressor(max_iter=9, tol=None, batch_size=None)
    model.set_callbacks(callback).fit(cut(X), cut(y))
    assert (callback.seen, model.n_iter_) == (3, 3)


def test_a_checkpoint_is_resumed(client, rows, tmp_path):
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    pytest.importorskip("skops", reason="skops is not installed")
    X, y = cut(rows[0]), cut(rows[1])
    path = tmp_path / "net.checkpoint"
    net = DaskFeedForwardRegressor(
        hidden_layer_sizes=5, max_iter=7, tol=None, batch_size=200, early_stopping=True,
        random_state=0,
    )  # fmt: skip
    net.set_callbacks(Checkpoint(path, every=3)).fit(X, y)
    again = resume(path, X, y)
    assert type(again) is DaskFeedForwardRegressor
    assert again.n_iter_ == 7
    assert_allclose(weights_of(again), weights_of(net), rtol=1e-9)


def test_own_pieces_of_the_main_module_travel(client, rows, tmp_path):
    # Pickled by value: workers know nothing of a class that was written in a notebook.
    program = tmp_path / "own.py"
    program.write_text(
        """
import dask.array as da
import numpy as np
from distributed import Client
from sklearn_gd.activations import Activation
from sklearn_gd.dask import DaskFeedForwardRegressor

class Bent(Activation):
    def __call__(self, z):
        return z / (1 + np.abs(z))
    def derivative(self, z, a):
        return (1 - np.abs(a)) ** 2

if __name__ == "__main__":
    import sys
    with Client(sys.argv[1]) as client:
        X = da.random.default_rng(0).normal(size=(400, 2), chunks=(100, -1))
        net = DaskFeedForwardRegressor(activation=Bent(), max_iter=30, tol=None, random_state=0,
                                       learning_rate=0.05)
        print(net.fit(X, X[:, 0] * X[:, 1]).loss_ < 0.5)
"""
    )
    address = client.scheduler.address
    done = subprocess.run(
        [sys.executable, str(program), address], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "True", done.stderr


# The network for classes.


def species(y):
    """Return labels of three classes, of which one is rare."""
    return np.array(["bee", "ant", "cat"])[np.digitize(y, [-2.0, np.quantile(y, 0.97)])]


SMALL = {"hidden_layer_sizes": 6, "batch_size": None, "max_iter": 15, "tol": None}
SMALL |= {"random_state": 0}


@pytest.mark.parametrize("way", WAYS)
def test_classifying_network_is_the_local_one_in_any_chunks(way, client, rows):
    X, y, weights = rows
    codes = np.digitize(y, [-2.0, 1.0]).astype(float)  # numbers, for the frames
    X_here = sparse.csr_array(X) if way == "sparse" else X
    expected = FeedForwardClassifier(**SMALL).fit(X_here, codes, weights)
    model = DaskFeedForwardClassifier(**SMALL).fit(*WAYS[way](X, codes, weights))
    assert np.array_equal(model.classes_, [0.0, 1.0, 2.0])
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-9)
    assert_allclose(weights_of(model), weights_of(expected), rtol=1e-7, atol=1e-9)
    named = "frame" in way or way == "pandas"
    answers = model.predict(pd.DataFrame(X, columns=list("abcd")) if named else X)
    assert np.array_equal(answers, expected.predict(X))
    assert left_on(client) == 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_weight": "balanced"},
        {"class_weight": {"ant": 2.0, "bee": 0.5}, "standardize": "standard"},
        {"class_weight": {"bee": 0.0}, "alpha": 0.1},  # a class without weight
        {"standardize": False, "learning_rate": 0.01, "dropout": 0.3},
        {"solver": "lbfgs", "max_iter": 8},
        {"loss": "huber"},
        {"loss": "absolute_error"},
        {"loss": BinaryLogLoss()},
    ],
    ids=str,
)
@pytest.mark.parametrize(("n_classes", "weighted"), [(2, False), (3, True)])
@pytest.mark.filterwarnings("ignore:.*learned nothing")  # of few epochs
def test_classifying_network_is_the_local_one(options, n_classes, weighted, client, rows):
    X, y, weights = rows
    labels = species(y) if n_classes == 3 else np.where(y > 0, "ant", "bee")
    if n_classes == 2 and "bee" in (options.get("class_weight") or ()):
        options = options | {"class_weight": {"ant": 2.0, "bee": 0.5}}
    weights = weights + 0.5 if weighted else None  # rows without weight would move dropout
    held = {"X_val": X[:200], "y_val": labels[:200]}
    held |= {"sample_weight_val": weights[:200]} if weighted else {}
    options = SMALL | options
    expected = FeedForwardClassifier(**options).fit(X, labels, weights, **held)
    lazy = [None if each is None else cut(each) for each in (X, labels, weights)]
    for data, validation in (
        (lazy, {name: cut(value, 90) for name, value in held.items()}),
        ((X, labels, weights), held),
    ):
        model = DaskFeedForwardClassifier(**options).fit(*data, **validation)
        assert model.classes_.tolist() == np.unique(labels).tolist()
        assert model.n_outputs_ == expected.n_outputs_
        assert model.best_iter_ == expected.best_iter_
        assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-8)
        assert_allclose(model.validation_loss_curve_, expected.validation_loss_curve_, rtol=1e-8)
        assert_allclose(weights_of(model), weights_of(expected), rtol=1e-6, atol=1e-8)
        assert np.array_equal(model.predict(X), expected.predict(X))
    assert left_on(client) == 0


@pytest.mark.parametrize("local", [FeedForwardClassifier, FeedForwardRegressor], ids=str)
def test_networks_at_default_settings_learn_as_locally(local, client, rows):
    remote = dict(map(reversed, PAIRS))[local]
    X, y, _ = rows
    y = species(y) if is_classifier(local()) else y
    expected = local(random_state=0).fit(X, y)
    model = remote(random_state=0).fit(cut(X), cut(y))
    assert model.n_iter_ == expected.n_iter_
    assert model.score(cut(X), cut(y)) == pytest.approx(expected.score(X, y), abs=0.02)
    assert_same_scale(model, expected)
    # The batches differ, and nothing else: with one batch, the fits are the same.
    expected = local(random_state=0, batch_size=None).fit(X, y)
    model = remote(random_state=0, batch_size=None).fit(cut(X), cut(y))
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-8)


@pytest.mark.filterwarnings("ignore:.*reached max_iter:sklearn.exceptions.ConvergenceWarning")
def test_counts_at_default_settings_are_the_local_ones(client, rows):
    X, _, weights = rows
    counts = np.random.default_rng(0).poisson(np.exp(X[:, 0]))
    options = {"loss": "poisson", "batch_size": None, "random_state": 0, "learning_rate": 0.003}
    expected = FeedForwardRegressor(**options).fit(X, counts, weights)
    model = DaskFeedForwardRegressor(**options).fit(cut(X), cut(counts), cut(weights))
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-8)
    assert_allclose(model.predict(X), expected.predict(X), rtol=1e-6)
    assert_same_scale(model, expected)
    for targets, given in (
        (counts - 1, {}),
        (counts, {"X_val": cut(X), "y_val": cut(counts - 1)}),
    ):
        with pytest.raises(ValueError, match=r"needs targets y\w* >= 0\. Got -1"):
            model.fit(cut(X), cut(targets), **given)


def test_logistic_regression_at_default_settings_is_the_local_one(client, rows):
    X, y, _ = rows
    options = {"activation": "sigmoid", "loss": "log_loss", "batch_size": N, "shuffle": False}
    labels = species(y)
    expected = PerceptronClassifier(**options).fit(X, labels)
    model = DaskPerceptronClassifier(**options).fit(cut(X), cut(labels))
    assert model.n_iter_ == expected.n_iter_
    assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    assert_allclose(model.predict_log_proba(X), expected.predict_log_proba(X), rtol=1e-8)


def test_a_class_may_be_in_one_chunk_alone(client, rows):
    X, y, _ = rows
    labels = np.where(y > 0, "ant", "bee").astype("U9")
    labels[-3:] = "crocodile"
    expected = FeedForwardClassifier(**SMALL).fit(X, labels)
    model = DaskFeedForwardClassifier(**SMALL).fit(cut(X, 1000, 3), cut(labels, 1000, 3))
    assert model.classes_.tolist() == ["ant", "bee", "crocodile"]
    assert_allclose(weights_of(model), weights_of(expected), rtol=1e-7, atol=1e-9)


def test_classifying_network_sets_aside_rows_of_every_class(client, rows):
    X, y, weights = rows
    labels = species(y)
    model = DaskFeedForwardClassifier(
        **SMALL | {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 40}
    ).fit(cut(X), cut(labels), cut(weights + 0.5))
    assert model.best_loss_ == min(model.validation_loss_curve_)
    assert len(model.validation_loss_curve_) == model.n_iter_
    with pytest.raises(
        ValueError, match=r"cannot set aside validation_fraction=0\.2 of 1003 rows"
    ):
        model.fit(cut(X), cut(np.where(np.arange(N) == 7, "one", labels)))


def test_warm_starts_and_partial_fits_go_on_with_the_same_classes(client, rows):
    X, y, _ = rows
    labels = species(y)
    options = SMALL | {"solver": "gd", "learning_rate": 0.1, "warm_start": True}
    expected = FeedForwardClassifier(**options).fit(X, labels).fit(X, labels)
    model = DaskFeedForwardClassifier(**options)
    model.fit(cut(X), cut(labels)).fit(X, labels)
    assert_allclose(weights_of(model), weights_of(expected), rtol=1e-7, atol=1e-9)
    expected.partial_fit(X, labels)
    assert_allclose(weights_of(model.partial_fit(X, labels)), weights_of(expected), rtol=1e-7)
    for place in (cut, np.asarray):
        with pytest.raises(ValueError, match="warm_start needs the classes of the last fit"):
            model.fit(place(X), place(y > 0))
    with pytest.raises(TypeError, match=r"partial_fit takes rows in memory\. Give Dask"):
        model.partial_fit(cut(X), cut(labels))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weight": {"dog": 1.0}}, r"labels \['dog'\] that are none of the classes"),
        ({"class_weight": {"ant": 0, "bee": 0, "cat": 0}}, "leaves no row any weight"),
        ({"loss": "poisson"}, "is for numbers"),
    ],
)
@pytest.mark.parametrize("place", [np.asarray, cut])
def test_bad_parameters_for_classes_are_refused(options, message, place, client, rows):
    X, y, _ = rows
    model = DaskFeedForwardClassifier(**SMALL).fit(X, species(y))
    before = vars(model.set_params(**options)).copy()
    with pytest.raises(ValueError, match=message):
        model.fit(place(X), place(species(y)))
    assert vars(model) == before


def test_label_indicators_are_refused_on_dask(client, rows):
    X, y, _ = rows
    Y = np.column_stack([y > 0, y > 1]).astype(int)
    model = DaskFeedForwardClassifier()
    for fit in (model.fit, model.partial_fit):
        message = r"one label per row; label indicators are for FeedForwardClassifier.*\(1003, 2\)"
        with pytest.raises(ValueError, match=message):
            fit(X, Y)
    message = r"y must hold one label per row, no label indicators\. Got shape \(300, 2\)"
    for lazy in (Y, Y.astype(float)):
        with pytest.raises(ValueError, match=message):
            model.fit(cut(X), cut(lazy))
    with pytest.raises(ValueError, match="y_val must hold one label per row"):
        model.fit(X, y > 0, X_val=X, y_val=Y)
    assert not model.__sklearn_tags__().classifier_tags.multi_label


# The neuron.


def separable(n_samples=600, n_classes=2):
    generator = np.random.default_rng(5)
    centres = generator.normal(size=(n_classes, 5)) * 8
    labels = generator.integers(n_classes, size=n_samples)
    return centres[labels] + generator.uniform(-1, 1, (n_samples, 5)), labels


def test_one_chunk_is_rosenblatts_rule_itself(client, rows):
    X, y, _ = rows
    y = y > 0
    options = {"shuffle": False, "max_iter": 7, "tol": None, "alpha": 0.001}
    expected = PerceptronClassifier(**options).fit(X, y)
    model = DaskPerceptronClassifier(**options).fit(cut(X, N), cut(y, N))
    # Mixed alone, weights are multiplied with the mistakes and divided by them.
    assert_allclose(model.coef_, expected.coef_, rtol=1e-13)
    assert_allclose(model.intercept_, expected.intercept_, rtol=1e-13)
    assert (model.t_, model.n_iter_) == (expected.t_, expected.n_iter_)
    assert model.loss_curve_ == pytest.approx(expected.loss_curve_)
    assert model.loss_ == pytest.approx(expected.loss_)


@pytest.mark.parametrize("average", [False, True])
def test_chunks_are_mixed_by_their_mistakes(average, client, rows):
    X, y, _ = rows
    y = (y > 0).astype(int)
    options = {"shuffle": False, "tol": None}
    model = DaskPerceptronClassifier(max_iter=3, average=average, **options)
    model.fit(cut(X, 600, 403), cut(y, 600, 403))
    coef, intercept, total, visits, updates = np.zeros((1, 4)), np.zeros(1), 0, 0, 0
    for _ in range(3):
        learned = []
        for part in (slice(0, 600), slice(600, N)):
            for averaged in (False, True):
                one = PerceptronClassifier(max_iter=1, average=averaged, **options)
                one.fit(X[part], y[part], coef_init=coef, intercept_init=intercept)
                if averaged:
                    n_samples = len(y[part])
                    total, visits = total + n_samples * one.coef_, visits + n_samples
                else:
                    learned.append(one)
        mistakes = [one.t_ for one in learned]
        updates += sum(mistakes)
        coef = sum(k * one.coef_ for k, one in zip(mistakes, learned, strict=True))
        intercept = sum(k * one.intercept_ for k, one in zip(mistakes, learned, strict=True))
        coef, intercept = coef / sum(mistakes), intercept / sum(mistakes)
    assert_allclose(model.coef_, total / visits if average else coef, rtol=1e-10)
    assert model.t_ == updates


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("chunks", [(600,), (40,), (1, 500, 99)])
def test_separable_rows_are_learned_without_a_mistake(chunks, n_classes, client):
    X, codes = separable(n_classes=n_classes)
    labels = np.array(["ant", "bee", "cat", "dog"])[codes]
    model = DaskPerceptronClassifier(random_state=0).fit(cut(X, *chunks), cut(labels, *chunks))
    assert model.classes_.tolist() == ["ant", "bee", "cat", "dog"][:n_classes]
    assert model.loss_ == 0
    assert model.n_iter_ < 1000
    assert model.score(cut(X), cut(labels)) == 1.0
    assert np.array_equal(model.predict(cut(X)).compute(), labels)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "sigmoid"},
        {"activation": "relu", "loss": "huber", "class_weight": "balanced"},
        {"activation": "relu", "fit_intercept": False},
        {"activation": "sigmoid", "solver": "nesterov", "alpha": 0.05, "l1_ratio": 0.9},
        {"activation": "sigmoid", "standardize": False},
        {"activation": "tanh", "solver": "adam", "learning_rate": 0.05, "average": True},
        {"activation": "step", "solver": "momentum", "learning_rate": 0.1},
        {"activation": "sigmoid", "loss": "log_loss", "class_weight": "balanced"},
        {"activation": "sigmoid", "loss": "absolute_error", "learning_rate": 0.5},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
@pytest.mark.filterwarnings("ignore:DaskPerceptronClassifier learned nothing")
def test_smooth_neurons_are_the_local_ones(options, client, rows):
    X, y, weights = rows
    X = X * [1, 1e4, 1, 0] + [0, 1e6, 0, 3] if options["activation"] == "tanh" else X
    codes = np.digitize(y, [-2.0, 1.0])
    options = options | {"batch_size": N, "max_iter": 12, "tol": None}
    weights = weights + 0.5
    expected = PerceptronClassifier(**options).fit(X, codes, weights)
    model = DaskPerceptronClassifier(**options).fit(cut(X), cut(codes), cut(weights))
    assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    assert_allclose(model.intercept_, expected.intercept_, rtol=1e-8)
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-8)
    assert model.loss_ == pytest.approx(expected.loss_)
    assert model.learning_rate_ == pytest.approx(expected.learning_rate_)


def test_neurons_set_aside_rows_of_every_class(client, rows):
    X, y, _ = rows
    labels = np.where(y > np.quantile(y, 0.98), "rare", "common")
    model = DaskPerceptronClassifier(
        early_stopping=True, validation_fraction=0.2, max_iter=30, random_state=0,
        class_weight={"common": 1.0, "rare": 10.0, "absent": 5.0},
    ).fit(cut(X), cut(labels))  # fmt: skip
    assert model.best_loss_ == min(model.validation_loss_curve_)
    assert len(model.validation_loss_curve_) == model.n_iter_
    X, codes = separable()
    given = DaskPerceptronClassifier(random_state=0).fit(
        cut(X), cut(codes), X_val=cut(X[:90], 30), y_val=codes[:90]
    )
    assert given.best_loss_ == 0


# Answers.


def test_answers_are_lazy_for_lazy_rows(client, rows):
    X, y, weights = rows
    frame, targets, _ = framed(*rows)
    line = DaskThroughOriginRegressor().fit(X, y, weights)
    lazy = line.predict(cut(X, 0, 1000, 3))
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype, lazy.chunks) == ((N,), np.float64, ((0, 1000, 3),))
    here = line.to_local()
    assert np.array_equal(lazy.compute(), here.predict(X))
    assert isinstance(line.predict(X), np.ndarray)

    named = DaskThroughOriginRegressor().fit(frame, targets)
    answer = named.predict(frame)
    assert type(answer).__name__ == "Series"
    assert answer.compute().index.equals(frame.compute().index)
    expected = named.to_local().predict(frame.compute())
    assert_allclose(answer.compute(), expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict(frame[list("badc")])

    Y = np.column_stack([y, y])
    both = DaskFeedForwardRegressor(max_iter=2, tol=None).fit(X, Y).predict(cut(X))
    assert both.shape == (N, 2)
    assert both.compute().shape == (N, 2)

    neuron = DaskPerceptronClassifier(activation="sigmoid")
    for model in (neuron, DaskFeedForwardClassifier(**SMALL)):
        model.fit(X, species(y))
        for method in ("decision_function", "predict_proba", "predict_log_proba", "predict"):
            lazy = getattr(model, method)(cut(X))
            assert isinstance(lazy, da.Array)
            here = getattr(model.to_local(), method)(X)
            assert lazy.dtype == here.dtype
            assert np.array_equal(lazy.compute(), here)
            assert lazy.shape == lazy.compute().shape
        assert model.predict_proba(framed(*rows)[0].to_dask_array()).compute().shape == (N, 3)
    assert not hasattr(DaskPerceptronClassifier(), "predict_proba")
    line = DaskFeedForwardClassifier(loss="huber", output_activation="identity")
    assert not hasattr(line, "predict_log_proba")


def test_rows_of_another_width_are_refused_at_once(client, rows):
    X, y, _ = rows
    model = DaskThroughOriginRegressor().fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but ThroughOriginRegressor"):
        model.predict(cut(X[:, :3]))


def test_scores_are_the_local_ones(client, rows):
    X, y, weights = rows
    Y = np.column_stack([y, np.ones(N), y**2])
    line = DaskThroughOriginRegressor().fit(X, Y)
    here = line.to_local()
    for given in (None, weights):
        lazy = None if given is None else cut(given, 17, 986)
        expected = here.score(X, Y, given)
        assert line.score(cut(X), cut(Y), lazy) == pytest.approx(expected, rel=1e-10)
        assert line.score(X, Y, given) == expected
    for model in (DaskPerceptronClassifier(), DaskFeedForwardClassifier(**SMALL)):
        model.fit(X, species(y))
        expected = model.to_local().score(X, species(y), weights)
        found = model.score(cut(X), cut(species(y)), weights)
        assert found == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="no row, with weight, to score"):
        line.score(cut(X), cut(Y), cut(0 * weights))


SCORED = {
    "not a number": (lambda X, y: (X, np.where(y == y[700], np.nan, y)), "contains NaN"),
    "negative weight": (lambda X, y: (X, y, y), "sample_weight must not be negative"),
    "other columns": (lambda X, y: (X, np.column_stack([y, y])), "y has 2 columns, and the model"),
}


@pytest.mark.parametrize("bad", SCORED)
def test_rows_to_score_are_looked_at(bad, client, rows):
    X, y, _ = rows
    make, message = SCORED[bad]
    line = DaskThroughOriginRegressor().fit(X, y)
    with pytest.raises(ValueError, match=rf"In chunk \d of the rows: .*{message}"):
        line.score(*map(cut, make(X, y)))


@pytest.mark.parametrize("kind", ["numpy_nullable", "pyarrow"])
def test_frames_of_extension_types_are_scored_as_the_local_model_does(kind, client):
    dd = pytest.importorskip("dask.dataframe")
    plain = pd.DataFrame({"a": np.linspace(-1, 1, 60), "b": np.arange(60) % 7})
    frame = plain.convert_dtypes(dtype_backend=kind)
    y = plain["a"] - plain["b"]
    targets = y.convert_dtypes(dtype_backend=kind)
    line = DaskThroughOriginRegressor().fit(plain, y + 0.1)
    expected = line.to_local().score(plain, y)
    lazy, lazy_y = (dd.from_pandas(each, npartitions=3) for each in (frame, targets))
    late = lazy["a"] > 0.4
    for X, Y in [(lazy, lazy_y), (lazy, y.to_numpy()), (lazy, targets), (frame, lazy_y)]:
        assert line.score(X, Y) == pytest.approx(expected, rel=1e-10)
    rows = plain["a"] > 0.4
    expected = line.to_local().score(plain[rows], y[rows])
    assert line.score(lazy[late], lazy_y[late]) == pytest.approx(expected, rel=1e-10)


def test_labels_may_be_a_column_to_score(client, rows):
    X, y, _ = rows
    neuron = DaskPerceptronClassifier().fit(X, y > 0)
    expected = neuron.score(X, (y > 0)[:, None])
    assert neuron.score(cut(X), cut((y > 0)[:, None])) == pytest.approx(expected)


def test_partial_fit_is_for_rows_in_memory(client, rows):
    X, y, _ = rows
    model = DaskThroughOriginRegressor().partial_fit(X, y)
    assert_allclose(model.coef_, ThroughOriginRegressor().fit(X, y).coef_, rtol=1e-10)
    step = DaskPerceptronClassifier(shuffle=False).partial_fit(X, y > 0, classes=[False, True])
    expected = PerceptronClassifier(shuffle=False).partial_fit(X, y > 0, classes=[False, True])
    assert np.array_equal(step.coef_, expected.coef_)
    with pytest.raises(TypeError, match=r"partial_fit takes rows in memory\. Give Dask"):
        model.partial_fit(cut(X), cut(y))
    assert not hasattr(DaskFeedForwardRegressor(solver="lbfgs"), "partial_fit")
    with config_context(enable_metadata_routing=True):
        DaskFeedForwardRegressor().set_partial_fit_request(sample_weight=True)


# Bad input.


BAD = {
    "rows that differ": (lambda X, y, w: (cut(X), cut(y[:-1]), None), "as many rows. Got 1003"),
    "rows that differ in secret": (
        lambda X, y, w: (cut(X)[cut(y) > 0], cut(y)[cut(y) < 0], None),
        r"In chunk \d of the rows: Found input variables with inconsistent numbers of samples",
    ),
    "not a number": (
        lambda X, y, w: (cut(np.where(X[700, 0] == X, np.nan, X)), cut(y), None),
        r"In chunk \d of the rows: Input X contains NaN",
    ),
    "one axis": (lambda X, y, w: (cut(X[:, 0]), cut(y), None), "X must have two axes. Got 1"),
    "three axes": (
        lambda X, y, w: (cut(X), cut(y[:, None, None]), None),
        "y must have one axis or two axes. Got 3",
    ),
    "negative weight": (
        lambda X, y, w: (cut(X), cut(y), cut(w - 1)),
        r"In chunk \d of the rows: sample_weight must not be negative",
    ),
    "no weight": (
        lambda X, y, w: (cut(X), cut(y), cut(0 * w)),
        "needs rows, with weight, to train",
    ),
    "columns of weights": (
        lambda X, y, w: (cut(X), cut(y), cut(X)),
        "sample_weight must have one axis. Got 2",
    ),
    "columns that differ in secret": (
        lambda X, y, w: (
            cut(X).map_blocks(lambda block: block[:, : 4 - (len(block) == 103)], dtype=float),
            cut(y),
            None,
        ),
        "In chunk 3 of the rows: X has 3 columns here, and 4 as a whole",
    ),
    "no targets": (lambda X, y, w: (cut(X), None, None), "requires y to be passed"),
    "one target": (lambda X, y, w: (cut(X), 3.0, None), "y must be an array, of a number per row"),
    "a word as weights": (
        lambda X, y, w: (cut(X), cut(y), "balanced"),
        "sample_weight must be an array, of a number per row. Got balanced",
    ),
    "fewer rows in memory": (
        lambda X, y, w: (X[:-1], cut(y), None),
        "X and y must have as many rows. Got 1002 and 1003",
    ),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(("remote", "local"), PAIRS)
def test_bad_rows_are_refused_and_leave_the_estimator_as_it_was(bad, remote, local, client, rows):
    X, y, weights = rows
    if is_classifier(local()):
        y = np.where(y > 0, 1, -1)
    model = remote(max_iter=2, tol=None)
    if bad == next(iter(BAD)):
        model.fit(X, y)
    before = vars(model).copy()
    make, message = BAD[bad]
    with pytest.raises(ValueError, match=message):
        model.fit(*make(X, y, weights))
    assert vars(model) == before
    assert left_on(client) == 0


def test_other_collections_are_refused(client, rows):
    bag = pytest.importorskip("dask.bag")
    for other in (bag.from_sequence([1, 2]), dask.delayed(rows[0])):
        with pytest.raises(TypeError, match="X must be a Dask array or data frame, or be in mem"):
            DaskThroughOriginRegressor().fit(other, rows[1])


def test_labels_of_two_kinds_are_refused(client, rows):
    X = rows[0]
    words_last = cut((X[:, 0] > 0) * 1, 1000).map_blocks(
        lambda block: block if len(block) > 3 else block.astype(str), dtype=int
    )
    for remote in (DaskPerceptronClassifier, DaskFeedForwardClassifier):
        with pytest.raises(ValueError, match="labels must be of one kind"):
            remote().fit(cut(X, 1000), words_last)


def test_validation_rows_must_be_such_as_the_others(client, rows):
    X, y, _ = rows
    model = DaskFeedForwardRegressor(max_iter=2)
    with pytest.raises(ValueError, match="X has 3 features, but DaskFeedForwardRegressor"):
        model.fit(cut(X), cut(y), X_val=cut(X[:, :3]), y_val=cut(y))
    with pytest.raises(ValueError, match="y_val must have the columns of y"):
        model.fit(cut(X), cut(y), X_val=cut(X), y_val=cut(X))
    with pytest.raises(ValueError, match="must be given together"):
        model.fit(cut(X), cut(y), X_val=cut(X))
    for remote in (DaskPerceptronClassifier, DaskFeedForwardClassifier):
        message = r"y_val has labels \[3\] that are none of the classes"
        for held in ((cut(X), cut((y > 0) * 3)), (X, (y > 0) * 3)):
            with pytest.raises(ValueError, match=message):
                remote().fit(cut(X), cut((y > 0) * 1), X_val=held[0], y_val=held[1])
        with pytest.raises(ValueError, match=r"at least two classes\. Got one class: 0"):
            remote().fit(cut(X), cut(np.zeros(N, int)))


# Faults.


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_time_and_not_the_result(client, rows):
    X, y, _ = rows
    X, y = cut(X, 100).persist(), cut(y, 100)
    options = {"max_iter": 6, "batch_size": 20, "tol": None, "random_state": 0}
    model = DaskFeedForwardRegressor(hidden_layer_sizes=4, **options)
    began = time.monotonic()
    expected = weights_of(model.fit(X, y))
    usual = time.monotonic() - began
    moments = np.random.default_rng(0).uniform(0, usual, 3)
    for turn, moment in enumerate(moments):
        victim = processes_of(client)[turn % 2]
        killer = threading.Timer(moment, os.kill, (victim, signal.SIGKILL))
        killer.start()
        assert_allclose(weights_of(model.fit(X, y)), expected, rtol=1e-9)
        killer.join()
        assert victim not in processes_of(client)
    client.cancel(X)
    assert left_on(client) == 0


@pytest.mark.slow
def test_rows_in_memory_are_sent_again_to_another_worker(client, rows):
    X, y, _ = rows
    neuron = DaskPerceptronClassifier(max_iter=300, tol=None, random_state=0)
    net = DaskFeedForwardClassifier(
        **SMALL | {"max_iter": 150, "batch_size": 300, "class_weight": "balanced"}
    )
    for model in (neuron, net):
        expected = weights_of(model.fit(X, species(y)))
        victim = processes_of(client)[0]
        killer = threading.Timer(0.5, os.kill, (victim, signal.SIGKILL))
        killer.start()
        assert_allclose(weights_of(model.fit(X, species(y))), expected, rtol=1e-9)
        killer.join()
        assert victim not in processes_of(client)


@pytest.mark.parametrize(("remote", "local"), PAIRS)
def test_a_chunk_that_raises_gives_its_error(remote, local, client, rows):
    X, y, _ = rows
    y = y > 0 if is_classifier(local()) else y

    def fails_in_one(block, block_info=None):  # in here, so that it travels by value
        if block_info and block_info[0]["chunk-location"][0] == 2:
            raise KeyError("this chunk cannot be read")
        return block

    broken = cut(X).map_blocks(fails_in_one, dtype=float)
    with pytest.raises(KeyError, match="this chunk cannot be read"):
        remote().fit(broken, cut(y))
    assert left_on(client) == 0


@pytest.mark.parametrize(("remote", "local"), PAIRS)
@pytest.mark.parametrize("place", [np.asarray, cut])
def test_a_client_that_was_closed_is_told(remote, local, place, client, rows):
    X, y, _ = rows
    model = remote()
    model.client = distributed.Client(client.scheduler.address, set_as_default=False)
    model.client.close()
    with pytest.raises(RuntimeError, match="The Dask client was closed"):
        model.fit(place(X), place(y > 0))


def test_other_clients_are_refused(client, rows):
    model = DaskThroughOriginRegressor()
    with pytest.raises(TypeError, match=r"client must be a distributed\.Client or None. Got str"):
        model.client = "tcp://there:8786"

    async def fitted():
        async with distributed.Client(
            client.scheduler.address, asynchronous=True, set_as_default=False
        ) as model.client:
            model.fit(*rows)

    with pytest.raises(TypeError, match="must not be an asynchronous one"):
        asyncio.run(fitted())


def test_sizes_are_worked_out_by_the_estimators_own_client(client, rows):
    X, y, _ = rows
    other = distributed.Client(client.scheduler.address, set_as_default=False)
    with other:
        model = DaskThroughOriginRegressor()
        model.client = other
        there = other.persist(cut(X))
        model.fit(there[cut(y) > 0], cut(y[y > 0], 77))
        assert_allclose(model.coef_, ThroughOriginRegressor().fit(X[y > 0], y[y > 0]).coef_)
        all_columns = there[:, da.from_array(np.ones(4, bool))]
        assert model.predict(all_columns).shape == (N,)
        del there, all_columns


@pytest.mark.parametrize(("remote", "local"), PAIRS)
def test_fits_inside_tasks_leave_their_place_to_the_tasks_they_wait_for(
    remote, local, client, rows
):
    X, y, _ = rows
    y = (y > 0) * 1.0

    def fitted(rate):
        model = remote(learning_rate=rate, max_iter=3, tol=None)
        seeds = {name: 0 for name in model.get_params() if name == "random_state"}
        return model.set_params(**seeds).fit(X, y)

    # More of them than there are threads; one of them alone would take the thread it waits for.
    found = client.gather(client.map(fitted, [0.01, 0.02, 0.03, 0.01], pure=False))
    first, *_, last = map(weights_of, found)
    assert_allclose(first, last, rtol=1e-9)
    assert left_on(client) == 0


def test_a_search_over_fits_on_the_cluster_runs_on_the_cluster(client, rows):
    X, y, _ = rows
    rates = {"learning_rate": [1e-4, 1e-3]}
    net = DaskFeedForwardRegressor(max_iter=3, tol=None, random_state=0)
    with joblib.parallel_config("dask"):
        search = GridSearchCV(net, rates, cv=2).fit(X / [1, 10, 0.1, 2], y)
    assert search.best_params_ == {"learning_rate": 1e-3}


def test_a_paused_worker_is_gone_without(client, rows):
    X, y, _ = rows

    def turn(status, dask_worker):
        dask_worker.memory_manager.memory_pause_fraction = False
        dask_worker.status = distributed.core.Status[status]

    def statuses():
        workers = client.scheduler_info(n_workers=-1)["workers"]
        return sorted(worker["status"] for worker in workers.values())

    def wait_for(expected):
        for _ in range(200):
            if statuses() == expected:
                return
            time.sleep(0.05)
        raise AssertionError(statuses())

    client.wait_for_workers(2, timeout=60)
    one = min(client.nthreads())
    options = {"max_iter": 3, "tol": None, "random_state": 0}
    expected = DaskFeedForwardRegressor(**options).fit(cut(X), cut(y))
    client.run(turn, "paused", workers=[one])
    try:
        wait_for(["paused", "running"])
        found = DaskFeedForwardRegressor(**options).fit(cut(X), cut(y))
        line = DaskThroughOriginRegressor().fit(X, y)
    finally:
        client.run(turn, "running", workers=[one])
        wait_for(["running", "running"])
    assert_allclose(weights_of(found), weights_of(expected), rtol=1e-9)
    assert_allclose(line.coef_, ThroughOriginRegressor().fit(X, y).coef_, rtol=1e-9)


@pytest.mark.parametrize(
    "remote", [DaskFeedForwardRegressor, DaskFeedForwardClassifier, DaskPerceptronClassifier]
)
def test_a_client_that_is_closed_ends_the_fit(remote, client, rows):
    X, y, _ = rows
    other = distributed.Client(client.scheduler.address, set_as_default=False)
    model = remote(max_iter=100_000, tol=None)
    model.client = other
    closer = threading.Timer(1.0, other.close)
    closer.start()
    with pytest.raises(RuntimeError, match="The Dask client was closed"):
        model.fit(cut(X), cut(y > 0))
    closer.join()
    assert "coef_" not in vars(model)
    assert left_on(client) == 0  # Dask lets go of what a client had


def test_a_cluster_that_is_closed_ends_the_fit(client, rows, tmp_path):
    X, y, _ = rows
    model = DaskFeedForwardRegressor(max_iter=100_000, tol=None)
    with (
        beside(1, tmp_path) as (address, close),
        distributed.Client(address, set_as_default=False, timeout=5) as model.client,
    ):
        closer = threading.Timer(1.0, close)
        closer.start()
        with pytest.raises(RuntimeError, match="or lost its scheduler, before the fit was over"):
            model.fit(cut(X), cut(y))
        closer.join()


# Beside and beyond.


def test_a_search_over_learning_rates_runs_on_the_cluster(client, rows):
    X, y, _ = rows
    X = X / [1, 10, 0.1, 2]
    rates = {"learning_rate": [1e-4, 0.01, 0.1]}
    net = FeedForwardRegressor(hidden_layer_sizes=5, max_iter=10, tol=None, random_state=0)
    search = GridSearchCV(net, rates, cv=3)
    here = clone(search).fit(X, y)
    with joblib.parallel_config("dask"):
        search.fit(X, y)
    assert search.best_params_ == here.best_params_ == {"learning_rate": 0.1}
    assert np.array_equal(
        search.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )


BEYOND_MEMORY = """
import os, threading
import dask.array as da
import psutil
from distributed import Client, LocalCluster
from sklearn_gd.dask import DaskFeedForwardRegressor, DaskThroughOriginRegressor

LIMIT = 400_000_000
if __name__ == "__main__":
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT,
                     dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
        peak, done = [0, 0], threading.Event()

        def watch():
            while not done.wait(0.02):
                for i, worker in enumerate(workers):
                    peak[i] = max(peak[i], worker.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        X = da.random.default_rng(0).uniform(-1, 1, size=(7_500_000, 40), chunks=(50_000, -1))
        y = X[:, 0] - 2 * X[:, 1]
        line = DaskThroughOriginRegressor().fit(X, y)
        net = DaskFeedForwardRegressor(
            hidden_layer_sizes=(), max_iter=1, tol=None, batch_size=150_000, learning_rate=0.02,
            early_stopping=True, random_state=0,
        ).fit(X, y)
        done.set()
        watcher.join()
        assert sorted(w.pid for w in workers) == sorted(client.run(os.getpid).values())
    error = abs(line.coef_[:3] - [1, -2, 0]).max()
    print(X.nbytes / (2 * LIMIT), max(peak) / LIMIT, error, net.loss_)
"""


@pytest.mark.slow
def test_rows_that_are_three_times_the_memory(tmp_path):
    program = tmp_path / "beyond.py"
    program.write_text(BEYOND_MEMORY)
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    times, peak, error, loss = map(float, done.stdout.split())
    assert times >= 3
    assert peak < 0.95  # at which a worker would be killed
    assert error < 1e-8
    assert loss < 1.0  # from 5 / 3


def test_the_page_on_scaling_prints_what_it_shows(capsys):
    page = Path(__file__).parents[2] / "docs" / "scaling.md"
    if not page.exists():
        pytest.skip("the documents are not here")
    text = page.read_text(encoding="utf-8")
    namespace = {}
    for code in re.findall(r"^```py\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        exec(compile(code, "scaling.md", "exec"), namespace)
        shown = re.findall(r"^print\(.*?\)  # (.*)$", code, flags=re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == shown


def test_simulated_steps_are_those_of_the_formula():
    sys.path.insert(0, str(Path(__file__).parents[2]))
    scaling = pytest.importorskip("benchmarks.scaling", reason="the benchmarks are not here")
    # Workers that are alike, and need no time: the client alone, there and back.
    assert scaling.through_one(np.zeros(50), 0.01) == pytest.approx(2 * 50 * 0.01)
    # Work that outlasts the sending is taken in one by one when the first is there.
    assert scaling.through_one(np.full(50, 9.0), 0.01) == pytest.approx(9.01 + 50 * 0.01)
    assert scaling.through_one(np.array([9.0]), 0.01) == pytest.approx(9.02)
    # Up to nine workers are one level, and 73 are two.
    assert scaling.in_trees(np.arange(9.0), 0.01, 0.1) == pytest.approx(8 + 8 * 0.01 + 0.2)
    assert scaling.in_trees(np.full(73, 1.0), 0.01, 0.0) == pytest.approx(1 + 2 * 8 * 0.01)
    assert scaling.in_trees(np.array([9.0]), 0.01, 0.0) == 9.0
