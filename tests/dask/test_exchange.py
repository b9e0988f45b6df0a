"""Sums over workers that send them to one another, here in one event loop."""

import asyncio
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd.dask._exchange import _PIECE, PARTIAL_SUM, Exchange, LostPeerError


class Peers:
    """So many workers, each with the exchange of an epoch."""

    def __init__(self, n_workers, loop):
        self.addresses = [f"worker {i}" for i in range(n_workers)]
        self.messages, self.lost = 0, set()
        self.exchanges = {}
        for address in self.addresses:
            worker = SimpleNamespace(address=address, rpc=self.rpc, loop=loop)
            self.exchanges[address] = Exchange(worker, "run", 1)

    def rpc(self, address):
        async def receive(run, number, part, **message):
            if address in self.lost:
                raise OSError("it is gone")
            self.messages += 1
            answer = await self.exchanges[address].receive(part=part.data, **message)
            return {name: getattr(value, "data", value) for name, value in answer.items()}

        return SimpleNamespace(**{PARTIAL_SUM: receive})

    def totals(self, losses, vectors):
        """Return what each worker gets, all of them in threads of their own."""
        found = [None] * len(vectors)

        def add(i):
            exchange = self.exchanges[self.addresses[i]]
            exchange.join(self.addresses)
            vector = vectors[i].copy()
            try:
                found[i] = exchange.total(losses[i], vector), vector
            except LostPeerError as error:
                found[i] = error

        threads = [threading.Thread(target=add, args=(i,)) for i in range(len(vectors))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield SimpleNamespace(asyncio_loop=loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def drawn(n_workers, size):
    rng = np.random.default_rng(n_workers)
    vectors = rng.normal(size=(n_workers, size)).astype(np.float32)
    return rng.normal(size=n_workers), vectors


@pytest.mark.parametrize("size", [0, 1, 50, 3 * _PIECE])
@pytest.mark.parametrize("n_workers", [1, 2, 3, 9, 10, 30])
def test_all_workers_get_the_same_totals(n_workers, size, loop):
    losses, vectors = drawn(n_workers, size)
    peers = Peers(n_workers, loop)
    for _ in range(2):  # two steps
        found = peers.totals(losses, vectors)
        for loss, vector in found:
            assert loss == found[0][0] == pytest.approx(losses.sum())
            assert_array_equal(vector, found[0][1])
            assert_allclose(vector, vectors.sum(axis=0, dtype=float), rtol=1e-4, atol=1e-5)
    # Each but the root sends one message per piece, however many there are.
    n_pieces = min(n_workers, 3) if size > 50 else 1
    assert peers.messages == 2 * n_pieces * (n_workers - 1)
    assert not any(exchange._sums for exchange in peers.exchanges.values())
    again = Peers(n_workers, loop).totals(losses, vectors)
    assert_array_equal(again[0][1], found[0][1])


def test_a_peer_that_is_gone_ends_the_epoch(loop):
    losses, vectors = drawn(4, 10)
    peers = Peers(4, loop)
    peers.lost.add("worker 0")  # the root, which waits until it is told
    root = peers.exchanges["worker 0"]
    loop.asyncio_loop.call_soon_threadsafe(
        loop.asyncio_loop.call_later, 0.1, root.end, "the client has ended the epoch"
    )
    first, *others = peers.totals(losses, vectors)
    assert "the client has ended" in str(first)
    for error in others:
        assert isinstance(error, LostPeerError)
        assert "worker 0 does not answer: OSError('it is gone')" in str(error)


def test_an_epoch_that_is_ended_leaves_nobody_waiting(loop):
    losses, vectors = drawn(3, 10)
    peers = Peers(3, loop)
    exchange = peers.exchanges["worker 0"]
    exchange.join(peers.addresses)
    loop.asyncio_loop.call_soon_threadsafe(
        loop.asyncio_loop.call_later, 0.05, exchange.end, "the client has ended the epoch"
    )
    with pytest.raises(LostPeerError, match="the client has ended"):
        exchange.total(losses[0], vectors[0])
    with pytest.raises(LostPeerError, match="the client has ended"):  # nor one that comes later
        exchange.total(losses[0], vectors[0])
