"""Sums over the workers of a fit, which send them to one another by Dask's own connections."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, NamedTuple, TypeVar

import numpy as np
from distributed import Worker
from distributed.protocol.serialize import to_serialize

from sklearn_gd._pieces import Array

T = TypeVar("T")

# Name of the message from worker to worker that has the sum of a part of them.
PARTIAL_SUM = "sklearn_gd_partial_sum"

# Number of workers that send their sums to the same one.
_FAN_OUT = 8
# Smallest length of a piece that is worth a message of its own.
_PIECE = 1 << 14


def in_loop(loop: Any, work: Coroutine[Any, Any, T]) -> Future[T]:
    """Have Tornado's loop of another thread do some work."""
    return asyncio.run_coroutine_threadsafe(work, loop.asyncio_loop)


class LostPeerError(Exception):
    """An epoch that cannot be completed, since another worker does not answer."""


class _Name(NamedTuple):
    """A piece of the vector of a step: its number is that of the worker with the total."""

    step: int
    piece: int


class _Sum:
    """The sums of other workers that have arrived, by their place in the tree, and the total."""

    def __init__(self) -> None:
        self.parts: dict[int, tuple[float, Array]] = {}
        self.total: tuple[float, Array] | None = None
        self.changed = asyncio.Event()


class Exchange:
    """The sums of one epoch over all its workers, on one of them.

    A vector is summed up a tree of the workers, and the total comes down it in the answers. A long
    one is cut into pieces, each of which has another worker at the root, so that all send and
    receive equally much: a reduce-scatter and an all-gather. A tree adds in a fixed order, so that
    totals have the same bits each time, and on each worker.

    Parameters
    ----------
    worker : distributed.Worker
    run, number
        Name of the fit, and number of the epoch in it, repetitions included.

    References
    ----------
    R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations in
    MPICH", International Journal of High Performance Computing Applications 19 (2005).
    """

    def __init__(self, worker: Worker, run: str, number: int) -> None:
        self._worker, self._run, self.number = worker, run, number
        self._addresses: Sequence[str] = ()
        self._rank = self._step = 0
        self._sums: dict[_Name, _Sum] = {}
        self._adding: asyncio.Task[Any] | None = None
        self._ended: str | None = None

    def join(self, addresses: Sequence[str]) -> None:
        """Set the addresses of all workers, in the order that all of them have."""
        self._addresses, self._rank = addresses, addresses.index(self._worker.address)

    @property
    def is_first(self) -> bool:
        return self._rank == 0

    def total(self, loss: float, vector: Array) -> float:
        """Return the total of a number; set the vector to its total. Not in the event loop.

        Raises
        ------
        LostPeerError
            If a worker does not answer, or the epoch was ended.
        """
        self._require_open()
        if len(self._addresses) == 1:
            return loss
        try:
            return in_loop(self._worker.loop, self._total(loss, vector)).result()
        except CancelledError:
            raise LostPeerError(self._ended) from None

    async def _total(self, loss: float, vector: Array) -> float:
        self._require_open()
        self._step, self._adding = self._step + 1, asyncio.current_task()
        n_pieces = min(len(self._addresses), max(1, len(vector) // _PIECE))
        pieces = np.array_split(vector, n_pieces)  # views
        sums = [self._sum(_Name(self._step, i), loss, piece) for i, piece in enumerate(pieces)]
        totals = await asyncio.gather(*sums)
        for piece, (_, total) in zip(pieces, totals, strict=True):
            piece[:] = total
        return totals[0][0]

    async def _sum(self, name: _Name, loss: float, piece: Array) -> tuple[float, Array]:
        """Return the totals of a number and of a piece, which this worker adds its own to."""
        n_workers = len(self._addresses)
        place = (self._rank - name.piece) % n_workers
        children = range(_FAN_OUT * place + 1, min(_FAN_OUT * (place + 1) + 1, n_workers))
        here = self._sums.setdefault(name, _Sum())
        while len(here.parts) < len(children):
            await self._change(here)
        if children:
            piece = piece.copy()
            for child in children:
                of_child, part = here.parts[child]
                loss += of_child
                piece += part
        if place:
            parent = ((place - 1) // _FAN_OUT + name.piece) % n_workers
            here.total = await self._send(self._addresses[parent], name, place, loss, piece)
        else:
            here.total = loss, piece
        here.changed.set()
        del self._sums[name]
        return here.total

    async def _send(
        self, address: str, name: _Name, place: int, loss: float, piece: Array
    ) -> tuple[float, Array]:
        """Send a sum to the next worker towards the root; return the total."""
        message = {"run": self._run, "number": self.number, "name": tuple(name), "place": place}
        try:
            send = getattr(self._worker.rpc(address), PARTIAL_SUM)
            answer = await send(loss=float(loss), part=to_serialize(piece), **message)
        except Exception as error:  # of any kind: the worker may be gone, or know of no fit
            self.end(f"{address} does not answer: {error!r}")
            raise LostPeerError(self._ended) from error
        return answer["loss"], answer["total"]

    async def receive(self, name: Sequence[int], place: int, loss: float, part: Array) -> object:
        """Take a sum of other workers; answer with the total, once it is known."""
        here = self._sums.setdefault(_Name(*name), _Sum())
        here.parts[place] = loss, part
        here.changed.set()
        while here.total is None:
            await self._change(here)
        loss, total = here.total
        return {"loss": float(loss), "total": to_serialize(total)}

    async def _change(self, here: _Sum) -> None:
        self._require_open()
        here.changed.clear()
        await here.changed.wait()
        self._require_open()

    def end(self, reason: str) -> None:
        """End the epoch: whoever waits for a sum gets an error. In the event loop."""
        self._ended = self._ended or reason
        if self._adding is not None:  # it may wait for an answer
            self._adding.cancel()
        for each in self._sums.values():
            each.changed.set()

    def _require_open(self) -> None:
        if self._ended is not None:
            raise LostPeerError(self._ended)
