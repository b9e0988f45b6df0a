"""Which workers are used, and what is said of clients that cannot be."""

import pytest

pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd.dask._workers import connected, live_workers, require_open, threads_of


class Client:
    """The parts of a client that are asked for workers."""

    asynchronous = False

    def __init__(self, workers, status="running"):
        self.workers, self.status = workers, status

    def scheduler_info(self, n_workers):
        assert n_workers == -1  # all of them
        if self.workers is None:
            raise OSError("the scheduler is gone")
        return {"workers": {name: {"status": status} for name, status in self.workers.items()}}

    def nthreads(self):
        return dict.fromkeys(self.scheduler_info(-1)["workers"], 2)


def test_only_running_workers_are_used():
    client = Client({"a": "running", "b": "paused", "c": "closing", "d": "running"})
    assert live_workers(client) == {"a", "d"}
    assert threads_of(client) == {"a": 2, "b": 2, "c": 2, "d": 2}
    with connected(client):
        pass


@pytest.mark.parametrize("function", [live_workers, threads_of, require_open])
def test_a_closed_client_is_named(function):
    with pytest.raises(RuntimeError, match=r"client was closed, or lost its scheduler.*'closed'"):
        function(Client({"a": "running"}, "closed"))


@pytest.mark.parametrize("function", [live_workers, threads_of])
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
