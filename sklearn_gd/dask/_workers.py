"""The workers of a cluster, as one place that holds rows and sums up over them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from typing import Any

from dask.delayed import delayed
from distributed import Client, get_worker, rejoin, secede
from distributed.threadpoolexecutor import thread_state

from sklearn_gd.dask._blocks import Block, Blocks
from sklearn_gd.dask._parts import Shard, packed, put, summed, unpacked

Key = tuple[str, int]

_TICK = 1.0  # seconds between two looks at whether the client and the worker are still there
_PATIENCE = 60.0  # seconds to wait for a worker where there is none
ATTEMPTS = 20  # to have an answer of all workers before one of them is lost


class LostWorkerError(Exception):
    """A worker that does not answer."""


class Workers:
    """Rows that are spread over the workers of a cluster, and questions to all of them at once.

    A worker that is lost costs time: its parts are put together again from their blocks on the
    workers that are left, and the question is asked once more.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.run = uuid.uuid4().hex
        self._shards: dict[str, tuple[Any, Any]] = {}  # futures of actors, and the actors
        self._sources: dict[str, tuple[Any, Any, Any]] = {}
        self._tasks: dict[str, list[tuple[str, Any]]] = {}
        self._blocks: dict[Key, Block] = {}
        self._where: dict[Key, str | None] = {}  # None: a chunk without rows
        self._told: dict[Key, dict[str, Any]] = {}

    def place(
        self, source: str, blocks: Blocks, check: Any, estimator: Any
    ) -> dict[int, dict[str, Any]]:
        """Put the rows of all blocks on the workers; return what the checks tell, by block.

        Parameters
        ----------
        source : str
            A name for these rows.
        blocks : Blocks
        check : callable
            Checks a block, as `regression_rows` does.
        estimator : object
            The unfitted local estimator that checks as its own ``fit`` would.
        """
        self._sources[source] = (check, estimator, blocks.kind)
        self._tasks[source] = []
        self._blocks |= {(source, number): block for number, block in enumerate(blocks.blocks)}
        self._settle()
        return {n: told for (of, n), told in sorted(self._told.items()) if of == source and told}

    def holds(self, source: str) -> bool:
        """Return whether there is any row of a source."""
        return bool(self._holders(source))

    def do(self, source: str, method: str, *arguments: Any) -> None:
        """Do one task with every part of a source, and with those that are made again later."""
        task = (method, arguments)
        # First, so that the parts of a worker that is lost now are made again with it.
        self._tasks[source].append(task)
        pending = {a: self._ask(a, "do", source, *task) for a in self._holders(source)}
        for address, answer in pending.items():
            try:
                self._wait(address, answer)
            except LostWorkerError:
                self._lose(address)

    def each(self, source: str, method: str, *arguments: Any) -> dict[int, Any]:
        """Return what each part answers, by its number."""
        answers = self._asked(source, "each", method, arguments)
        return dict(sorted(item for answer in answers for item in answer.items()))

    def total(self, source: str, made: bytes | None, method: str, *arguments: Any) -> list[Any]:
        """Return the sum over all parts of what each answers; see `Shard.total`."""
        return summed(self._asked(source, "total", made, method, arguments))

    def close(self) -> None:
        """Leave nothing on the workers."""
        # An actor and its future hold one another; to let go of one is not enough.
        if self.client.status == "running":
            self.client.cancel([future for future, _ in self._shards.values()])
        self._shards.clear()

    def _asked(self, source: str, call: str, *question: Any) -> list[Any]:
        """Return every worker's answer to a question about its parts of a source."""
        for _ in range(ATTEMPTS):
            self._settle()
            holders = self._holders(source)
            pending = {a: self._ask(a, call, source, n, *question) for a, n in holders.items()}
            answers = []
            for address, answer in pending.items():
                try:
                    answers.append(self._wait(address, answer))
                except LostWorkerError:
                    self._lose(address)
            if len(answers) == len(holders):
                return answers
        raise RuntimeError(f"Workers are lost faster than they answer: {ATTEMPTS} times in a row.")

    def _holders(self, source: str) -> dict[str, list[int]]:
        """Return the numbers of the parts that each worker holds."""
        holders: dict[str, list[int]] = {}
        for (of, number), where in sorted(self._where.items()):
            if of == source and where is not None:
                holders.setdefault(where, []).append(number)
        return holders

    def _settle(self) -> None:
        """Put every part that lies nowhere on some worker: Dask chooses which."""
        for _ in range(ATTEMPTS):
            missing = [key for key in self._blocks if key not in self._where]
            if not missing:
                return
            self._man()
            futures = self.client.compute([self._placing(key) for key in missing])
            try:
                for key, future in zip(missing, futures, strict=True):
                    self._note(key, future)
            except BaseException:
                if self.client.status == "running":
                    self.client.cancel(futures)
                raise
        raise RuntimeError(
            f"Rows are lost faster than they are placed: {ATTEMPTS} times in a row."
        )

    def _placing(self, key: Key) -> Any:
        source, number = key
        check, estimator, kind = self._sources[source]
        tasks = self._tasks[source]
        task = partial(put, self.run, source, number, check, estimator, kind, tasks)
        return delayed(task, pure=False)(*self._blocks[key].ask())

    def _note(self, key: Key, future: Any) -> None:
        """Note down where a part went to; nowhere, where its worker was lost or has no shard."""
        try:
            placed = result_of(self.client, future)
        except LostWorkerError:
            return
        if placed is not None and placed[0] in self._shards:
            address, told, has_rows = placed
            self._blocks[key].let_go()
            self._where[key], self._told[key] = address if has_rows else None, told

    def _man(self) -> None:
        """Have a shard on every worker that takes tasks."""
        for address in set(self._shards) - set(threads_of(self.client)):
            self._lose(address)
        live = live_workers(self.client)
        futures = {
            address: self.client.submit(
                Shard, self.run, address, actor=True, pure=False, workers=[address]
            )
            for address in sorted(live - set(self._shards))
        }
        for address, future in futures.items():
            try:
                self._shards[address] = (future, result_of(self.client, future, address))
            except LostWorkerError:
                self.client.cancel([future])

    def _lose(self, address: str) -> None:
        """Forget a worker and all that it held."""
        future, _ = self._shards.pop(address)
        self.client.cancel([future])
        self._where = {key: where for key, where in self._where.items() if where != address}

    def _ask(self, address: str, call: str, *question: Any) -> Any:
        """Return what the answer will come as; None where the worker is known to be lost."""
        require_open(self.client)
        try:
            return self._shards[address][1].ask(*packed((call, *question)))
        except RuntimeError:
            return None

    def _wait(self, address: str, pending: Any) -> Any:
        """Return a shard's answer, or raise the error that it met."""
        while pending is not None:
            require_open(self.client)
            try:
                outcome, answer = unpacked(pending.result(timeout=_TICK))
            except TimeoutError:
                if not pending.done() and address in threads_of(self.client):
                    continue
                break
            except Exception:  # of the call, and not of what it called: see `Shard.ask`
                require_open(self.client)
                break
            if outcome == "failed":
                raise answer
            return answer
        raise LostWorkerError(address)


def result_of(client: Client, future: Any, address: str | None = None) -> Any:
    """Return the result of a task, or raise its error.

    Parameters
    ----------
    client : distributed.Client
    future : distributed.Future
    address : str, optional
        The only worker that the task can run on.

    Raises
    ------
    LostWorkerError
        Where the worker is lost, or rows in memory that were sent to one that is.
    RuntimeError
        Where the client is closed, or the cluster has no worker for a minute.
    """
    while True:
        require_open(client)
        try:
            return future.result(timeout=_TICK)
        except TimeoutError:
            if future.status == "error":
                raise
            live = live_workers(client)
            if address is not None and address not in live:
                raise LostWorkerError(address) from None
        except CancelledError:
            require_open(client)
            if future.status == "error":  # that of a task
                raise
            raise LostWorkerError(str(address)) from None
        except RuntimeError:
            if address is None:
                raise
            raise LostWorkerError(address) from None  # an actor, with its worker


@contextmanager
def at_work(client: Client) -> Iterator[None]:
    """Wait for workers, and use them.

    A task of a cluster that does so leaves its thread to the tasks that it waits for.

    Raises
    ------
    TypeError
        For an asynchronous client.
    RuntimeError
        Where the client is closed, now or later, or there is no worker for a minute.
    """
    if client.asynchronous:
        raise TypeError("The Dask client must not be an asynchronous one: fit would not wait.")
    leaves = _in_a_task()
    if leaves:
        secede()
    try:
        live_workers(client)
        yield
    except RuntimeError:
        raise
    except Exception as error:
        # What a closed client does with a question depends on the question.
        require_open(client, error)
        raise
    finally:
        if leaves:
            rejoin()


def _in_a_task() -> bool:
    """Return whether this thread is a worker's, and counted as one that works."""
    try:
        get_worker()
    except ValueError:
        return False
    return bool(getattr(thread_state, "proceed", False))


def live_workers(client: Client) -> set[str]:
    """Return the addresses of the workers that take tasks; wait for one where there is none."""
    deadline = time.monotonic() + _PATIENCE
    while not (live := _running(client)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The cluster has had no worker for {_PATIENCE:.0f} seconds.")
        time.sleep(0.05)
    return live


def _running(client: Client) -> set[str]:
    """Return the addresses of the workers that are neither paused nor on their way out."""
    require_open(client)
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
    except Exception as error:  # whatever is met where the scheduler was
        raise _closed(client) from error
    return {address for address, worker in workers.items() if worker["status"] == "running"}


def threads_of(client: Client) -> dict[str, int]:
    """Return the number of threads of each worker, by its address; there may be no worker."""
    require_open(client)
    try:
        return dict(client.nthreads())
    except Exception as error:  # whatever is met where the scheduler was
        raise _closed(client) from error


def require_open(client: Client, met: Exception | None = None) -> None:
    """Raise a RuntimeError where the client is closed, from the error that was met then."""
    if client.status != "running":
        raise _closed(client) from met


def _closed(client: Client) -> RuntimeError:
    return RuntimeError(
        f"The Dask client was closed, or lost its scheduler, before the fit was over: it is "
        f"{client.status!r}. The estimator is as it was; fit again with an open one."
    )
