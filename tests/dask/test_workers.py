"""Which workers are used, and what is said of clients that cannot be."""

import pytest

pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd.dask import _workers
from sklearn_gd.dask._workers import (
    Health,
    connected,
    dealt,
    live_workers,
    require_open,
    workers_of,
)


class Client:
    """The parts of a client that are asked for workers."""

    asynchronous = False

    def __init__(self, workers, status="running"):
        self.workers, self.status, self.heard = workers, status, {}

    def scheduler_info(self, n_workers):
        assert n_workers == -1  # all of them
        if self.workers is None:
            raise OSError("the scheduler is gone")
        workers = {
            name: {"status": status, "nthreads": 2, "last_seen": self.heard.get(name, 0.0)}
            for name, status in self.workers.items()
        }
        return {"workers": workers}


def test_only_running_workers_are_used():
    client = Client({"b": "running", "c": "paused", "d": "closing", "a": "running"})
    assert list(live_workers(client).items()) == [("a", 2), ("b", 2)]
    assert list(Health(client).look()) == ["b", "c", "a"]
    with connected(client):
        pass


def test_a_silent_worker_is_taken_for_lost_until_it_is_heard_again(monkeypatch):
    now = 100.0
    monkeypatch.setattr(_workers.time, "monotonic", lambda: now)
    client = Client({"a": "running", "b": "running"})
    health = Health(client)
    assert list(health.running()) == ["a", "b"]
    now += 29.0
    client.heard["a"] = 1.0
    assert list(health.running()) == ["a", "b"]
    now += 2.0
    assert list(health.running()) == ["a"]
    client.heard["b"] = 1.0
    assert list(health.running()) == ["a", "b"]


def test_a_paused_worker_may_go_on_soon(monkeypatch):
    now = 100.0
    monkeypatch.setattr(_workers.time, "monotonic", lambda: now)
    client = Client({"a": "paused"})
    health = Health(client)
    assert health.can_take("a")
    now += 11.0
    client.heard["a"] = 1.0
    assert not health.can_take("a")
    client.workers["a"] = "running"
    assert health.can_take("a")


def test_what_workers_are_short_of_is_said(monkeypatch):
    monkeypatch.setattr(_workers, "_PATIENCE", 0.1)
    with pytest.raises(RuntimeError, match=r"No worker .* a is paused, b is closing\. .* memory"):
        live_workers(Client({"a": "paused", "b": "closing"}))
    with pytest.raises(RuntimeError, match="has had no worker"):
        live_workers(Client({}))


def test_chunks_are_dealt_by_threads_and_stay_where_they_are():
    keys = [("train", i) for i in range(10)]
    first = dealt(keys, {"a": 2, "b": 2, "c": 1}, {})
    assert list(first.values()) == [*"aaaabbbbcc"]
    assert list(dealt(keys, {"a": 1, "b": 1}, {}).values()) == [*"aaaaabbbbb"]
    # One is lost: the others have theirs, and what it had.
    left = {key: where for key, where in first.items() if where != "b"}
    again = dealt(keys, {"a": 2, "c": 2}, left)
    assert [again[key] for key in keys] == [*"aaaaacccc", "c"]
    # One joins, and has what is too much for the others, and no more is moved.
    joined = dealt(keys, {"a": 1, "b": 1, "c": 1, "d": 1}, first)
    counts = {where: list(joined.values()).count(where) for where in "abcd"}
    assert sorted(counts.values()) == [2, 2, 3, 3]
    assert sum(joined[key] != first[key] for key in keys) == counts["d"] + counts["c"] - 2
    # There may be fewer chunks than workers.
    assert len(dealt(keys[:1], {"a": 1, "b": 1}, {})) == 1


@pytest.mark.parametrize("function", [live_workers, workers_of, require_open])
def test_a_closed_client_is_named(function):
    with pytest.raises(RuntimeError, match=r"client was closed, or lost its scheduler.*'closed'"):
        function(Client({"a": "running"}, "closed"))


@pytest.mark.parametrize("function", [live_workers, workers_of])
def test_a_lost_scheduler_is_named(function):
    with pytest.raises(RuntimeError, match="lost its scheduler"):
        function(Client(None))


def test_errors_of_a_client_that_closes_meanwhile_are_translated():
    client = Client({"a": "running"})

    def fail(status):
        with connected(client):
            client.status = status
            raise AttributeError("of a closed client, or of something else")

    with pytest.raises(AttributeError):
        fail("running")
    with pytest.raises(RuntimeError, match="client was closed"):
        fail("closed")


def test_asynchronous_clients_are_refused():
    client = Client({"a": "running"})
    client.asynchronous = True
    with pytest.raises(TypeError, match="must not be an asynchronous one"), connected(client):
        pass
