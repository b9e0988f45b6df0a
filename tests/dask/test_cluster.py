"""Fits on clusters whose workers come, go, stop, or do not reach one another."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

da = pytest.importorskip("dask.array", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd.dask import (  # noqa: E402
    DaskFeedForwardRegressor,
    DaskPerceptronClassifier,
    DaskThroughOriginRegressor,
    _distributed,
    _workers,
)

# Each starts a cluster of its own.
pytestmark = pytest.mark.slow

# A scheduler, in a process of its own: in this one, where warnings are errors, they would end
# background tasks of Dask's.
SCHEDULER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()  # until it is closed
"""
NET = DaskFeedForwardRegressor(
    hidden_layer_sizes=4, batch_size=20, max_iter=5, tol=None, random_state=0
)


class Cluster:
    """A cluster on this machine, whose workers are processes without a nanny."""

    def __init__(self, address, client):
        self.address, self.client, self.processes = address, client, []

    def start(self, n_workers):
        """Start workers; return their processes."""
        options = ["--nthreads=1", "--no-nanny", "--no-dashboard"]
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, *options]
        before = len(self.client.scheduler_info(n_workers=-1)["workers"])
        started = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(n_workers)
        ]
        self.processes += started
        self.client.wait_for_workers(before + n_workers, timeout=60)
        return started

    def process_of(self, address):
        (number,) = self.client.run(os.getpid, workers=[address]).values()
        return number


@pytest.fixture
def cluster(tmp_path):
    program = tmp_path / "scheduler.py"
    program.write_text(SCHEDULER)
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        address = process.stdout.readline().strip()
        with distributed.Client(address) as client:
            cluster = Cluster(address, client)
            yield cluster
        for worker in cluster.processes:
            worker.kill()
            worker.wait()
        process.stdin.close()


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1003, 4)).astype(np.float32)
    return X, (X @ [1.0, -0.2, 3.0, 0.5] + np.sin(X[:, 0])).astype(np.float32)


def cut(array, size=100):
    return da.from_array(array, chunks=(size, *array.shape[1:]))


def weights_of(model):
    if not hasattr(model, "coefs_"):
        return model.coef_
    return np.concatenate([w.ravel() for w in (*model.coefs_, *model.intercepts_)])


def partitions(client):
    """Return how many chunks each worker has, without those that have none."""

    def count(dask_worker):
        from sklearn_gd.dask._shard import _SHARDS

        return sum(len(shard._partitions) for shard in _SHARDS.values())

    return {address: n for address, n in client.run(count).items() if n}


@contextmanager
def at_epoch(monkeypatch, epoch, function):
    """Call a function before an epoch of the fits in this context."""
    run, count = _workers.Workers.epoch, []

    def counted(self, *arguments):
        count.append(1)
        if len(count) == epoch:
            function()
        return run(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_workers.Workers, "epoch", counted)
        yield
    assert len(count) >= epoch


def test_a_seed_gives_the_same_bits_on_a_cluster_of_as_many_workers(cluster, rows):
    X, y = rows
    models = [
        (DaskFeedForwardRegressor(hidden_layer_sizes=8, random_state=0), y),
        (DaskPerceptronClassifier(activation="sigmoid", random_state=0), y > 0),
        (DaskThroughOriginRegressor(loss="huber"), y),
    ]
    found = []
    for _ in range(2):
        for worker in cluster.start(3):
            assert worker.poll() is None
        for _ in range(2):
            fits = [
                model.set_params(max_iter=5, tol=None).fit(cut(X), cut(target))
                for model, target in models
            ]
            found.append([weights_of(model) for model in fits])
        for worker in cluster.processes:
            worker.kill()
            worker.wait()
        while cluster.client.scheduler_info(n_workers=-1)["workers"]:
            time.sleep(0.05)
    for again in found[1:]:
        for weights, expected in zip(again, found[0], strict=True):
            assert weights.dtype == np.float32
            assert_array_equal(weights, expected)


def test_workers_that_do_not_reach_one_another_are_asked_by_the_client(cluster, rows):
    X, y = rows
    cluster.start(2)
    expected = NET.fit(cut(X), cut(y))
    curve, weights = expected.loss_curve_, weights_of(expected)

    def unreachable():
        from sklearn_gd.dask import _exchange

        async def send(self, address, *_):
            self.end(f"{address} does not answer")
            raise _exchange.LostPeerError("there is a wall")

        _exchange.Exchange._send = send

    cluster.client.run(unreachable)
    found = NET.fit(cut(X), cut(y))
    assert_allclose(found.loss_curve_, curve, rtol=1e-4)
    assert_allclose(weights_of(found), weights, rtol=1e-3, atol=1e-5)


def test_a_worker_that_joins_is_used_from_the_next_epoch_on(cluster, rows, monkeypatch):
    X, y = rows
    monkeypatch.setattr(_workers, "_LOOK", 0.0)  # look for workers before each epoch
    cluster.start(1)
    expected = weights_of(NET.fit(cut(X), cut(y)))
    held = []

    def join():
        held.append(partitions(cluster.client))
        cluster.start(1)

    with (
        at_epoch(monkeypatch, 2, join),
        at_epoch(monkeypatch, 4, lambda: held.append(partitions(cluster.client))),
    ):
        found = weights_of(NET.fit(cut(X), cut(y)))
    assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert [sorted(each.values()) for each in held] == [[11], [5, 6]]
    assert partitions(cluster.client) == {}


def test_a_worker_can_be_retired(cluster, rows, monkeypatch):
    X, y = rows
    cluster.start(2)
    expected = weights_of(NET.fit(cut(X), cut(y)))
    one, other = cluster.client.scheduler_info(n_workers=-1)["workers"]
    retired, began = [], time.monotonic()
    with at_epoch(monkeypatch, 3, lambda: retired.append(cluster.client.retire_workers([one]))):
        found = weights_of(NET.fit(cut(X), cut(y)))
    assert list(retired[0]) == [one]
    assert time.monotonic() - began < 20
    assert list(cluster.client.scheduler_info(n_workers=-1)["workers"]) == [other]
    assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_a_stopped_worker_is_noticed(cluster, rows, monkeypatch):
    X, y = rows
    monkeypatch.setattr(_workers, "_SILENCE", 4.0)
    cluster.start(2)
    expected = weights_of(NET.fit(cut(X), cut(y)))
    one = min(cluster.client.scheduler_info(n_workers=-1)["workers"])
    number = cluster.process_of(one)
    began = time.monotonic()
    with at_epoch(monkeypatch, 3, lambda: os.kill(number, signal.SIGSTOP)):
        found = weights_of(NET.fit(cut(X), cut(y)))
    assert time.monotonic() - began < 60
    assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    os.kill(number, signal.SIGCONT)


def test_kills_at_random_moments_cost_time_and_not_the_result(cluster, rows):
    X, y = (each.astype(float) for each in rows)
    net = DaskFeedForwardRegressor(**NET.get_params() | {"max_iter": 20})
    cluster.start(3)
    began = time.monotonic()
    expected = weights_of(net.fit(cut(X), cut(y)))
    usual = time.monotonic() - began
    for moment in np.random.default_rng(0).uniform(0, usual, 5):
        victim = cluster.processes[-1]
        killer = threading.Timer(moment, victim.kill)
        killer.start()
        assert_allclose(weights_of(net.fit(cut(X), cut(y))), expected, rtol=1e-9)
        killer.join()
        victim.wait()
        cluster.start(1)


def test_inputs_that_the_cluster_has_lost_are_named(cluster, rows):
    X, y = rows
    (worker,) = cluster.start(1)
    there = cut(X).persist()
    distributed.wait(there)
    worker.kill()
    worker.wait()
    cluster.start(1)
    cluster.client.cancel(distributed.futures_of(there))
    for model in (NET, DaskThroughOriginRegressor()):
        with pytest.raises(RuntimeError, match="persisted collections are when it is restarted"):
            model.fit(there, cut(y))


def test_very_many_steps_are_worth_a_warning(cluster, rows, monkeypatch):
    X, y = rows
    cluster.start(1)
    monkeypatch.setattr(_distributed, "_MANY_STEPS", 15)
    net = DaskFeedForwardRegressor(max_iter=1, tol=None, random_state=0)
    message = r"An epoch has 16 steps, of 64 samples each.*Set batch_size, for example to 11\."
    with pytest.warns(UserWarning, match=message):
        net.fit(cut(X), cut(y))
    net.set_params(batch_size=100).fit(cut(X), cut(y))


def test_progress_of_loading_is_printed(cluster, rows, monkeypatch, capsys):
    X, y = rows
    cluster.start(1)
    monkeypatch.setattr(_workers, "_PRINTED", 0.0)
    DaskFeedForwardRegressor(max_iter=1, tol=None, verbose=True).fit(cut(X), cut(y))
    assert "5 of 11 chunks loaded\n" in capsys.readouterr().out
