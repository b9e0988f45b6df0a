"""The workers of a cluster: loading of chunks, calls to all workers, lost workers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from dask.delayed import Delayed, delayed
from distributed import Actor, BaseActorFuture, Client, Future, get_worker, rejoin, secede
from distributed.threadpoolexecutor import thread_state
from sklearn.base import BaseEstimator

from sklearn_gd._pieces import DType
from sklearn_gd.dask._chunks import Chunk, Chunks, Data
from sklearn_gd.dask._partition import Checks
from sklearn_gd.dask._shard import Shard, Sums, Task, load_chunk, packed, summed, unpacked

Key = tuple[str, int]  # name of the source, number of the chunk
T = TypeVar("T")

_TICK = 1.0  # seconds between two checks of the client and the worker
_PATIENCE = 60.0  # seconds to wait for a worker if there is none
ATTEMPTS = 20  # to complete a call before a worker is lost


class LostWorkerError(Exception):
    """A worker that does not answer."""


class Workers:
    """Partitions on the workers of a cluster, and calls to all of them at once.

    The partitions of a lost worker are loaded again on other workers, and the call is repeated.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._run = uuid.uuid4().hex
        self._shards: dict[str, tuple[Future[Any], Actor]] = {}
        self._checks: dict[str, Checks[Any]] = {}
        self._tasks: dict[str, list[Task]] = {}
        self._chunks: dict[Key, Chunk] = {}
        self._addresses: dict[Key, str | None] = {}  # None: a chunk without rows
        self._information: dict[Key, Any] = {}

    def load(
        self,
        source: str,
        chunks: Chunks,
        check: Callable[[BaseEstimator, Data, DType], tuple[object, T]],
        estimator: BaseEstimator,
    ) -> list[T]:
        """Load chunks under a name; return the information about each that is not empty.

        `check` returns the rows of a chunk, by the checks of the unfitted local estimator, and
        information about them. A ValueError if no row has weight.
        """
        self._checks[source] = Checks(check, estimator, chunks.n_features, chunks.dtype)
        self._tasks[source] = []
        self._chunks |= {(source, number): chunk for number, chunk in enumerate(chunks.chunks)}
        self._load_missing()
        if not self._numbers(source):
            name = type(estimator).__name__
            raise ValueError(f"{name} needs rows, with weight, to {source}. There are none.")
        found = [self._information[source, number] for number in range(len(chunks.chunks))]
        return [each for each in found if each is not None]

    def run(self, source: str, method: str, *arguments: object) -> None:
        """Run a method on all partitions of a source, and on those that are loaded again later."""
        task = (method, arguments)
        # Before the calls, so that the partitions of a worker lost meanwhile are loaded with it.
        self._tasks[source].append(task)
        pending = {a: self._call(a, "run", source, *task) for a in self._numbers(source)}
        self._answers(pending)

    def each(self, source: str, method: str, *arguments: object) -> dict[int, Any]:
        """Return the result of a method of each partition, by its number."""
        answers = self._call_all(source, "each", method, arguments)
        return dict(sorted(item for answer in answers for item in answer.items()))

    def total(self, source: str, model: bytes | None, method: str, *arguments: object) -> Sums:
        """Return the sum of the results of a method over all partitions; see `Shard.total`."""
        return summed(self._call_all(source, "total", model, method, arguments))

    def close(self) -> None:
        """Leave nothing on the workers."""
        # An actor and its future hold one another; to delete one is not enough.
        if self.client.status == "running":
            self.client.cancel([future for future, _ in self._shards.values()])
        self._shards.clear()

    def _call_all(self, source: str, call: str, *arguments: object) -> list[Any]:
        """Return the answer of every worker with partitions of a source."""
        for _ in range(ATTEMPTS):
            self._load_missing()
            numbers = self._numbers(source)
            pending = {a: self._call(a, call, source, n, *arguments) for a, n in numbers.items()}
            answers = self._answers(pending)
            if len(answers) == len(numbers):
                return answers
        raise RuntimeError(f"Workers are lost faster than they answer: {ATTEMPTS} times in a row.")

    def _answers(self, pending: dict[str, BaseActorFuture[Any] | None]) -> list[Any]:
        """Return the answers of the workers that are not lost."""
        answers = []
        for address, answer in pending.items():
            try:
                answers.append(self._wait(address, answer))
            except LostWorkerError:
                self._remove(address)
        return answers

    def _numbers(self, source: str) -> dict[str, list[int]]:
        """Return the numbers of the partitions on each worker."""
        numbers: dict[str, list[int]] = {}
        for (of, number), address in sorted(self._addresses.items()):
            if of == source and address is not None:
                numbers.setdefault(address, []).append(number)
        return numbers

    def _load_missing(self) -> None:
        """Load every chunk that is on no worker; Dask chooses the workers."""
        for _ in range(ATTEMPTS):
            missing = [key for key in self._chunks if key not in self._addresses]
            if not missing:
                return
            self._start_shards()
            futures = self.client.compute([self._load_task(key) for key in missing])
            try:
                for key, future in zip(missing, futures, strict=True):
                    self._register(key, future)
            except BaseException:
                if self.client.status == "running":
                    self.client.cancel(futures)
                raise
        raise RuntimeError(
            f"Rows are lost faster than they are loaded: {ATTEMPTS} times in a row."
        )

    def _load_task(self, key: Key) -> Delayed:
        source, number = key
        checks, tasks = self._checks[source], self._tasks[source]
        task = partial(load_chunk, self._run, source, number, checks, tasks)
        return delayed(task, pure=False)(self._chunks[key].delayed())

    def _register(self, key: Key, future: Future[Any]) -> None:
        """Register the worker that a chunk was loaded on, unless it is lost or has no shard."""
        try:
            loaded = result_of(self.client, future)
        except LostWorkerError:
            return
        if loaded is not None and loaded[0] in self._shards:
            address, self._information[key], has_rows = loaded
            self._addresses[key] = address if has_rows else None
            self._chunks[key].free()

    def _start_shards(self) -> None:
        """Start a shard on every running worker without one."""
        for address in set(self._shards) - set(threads_of(self.client)):
            self._remove(address)
        live = live_workers(self.client)
        futures = {
            address: self.client.submit(
                Shard, self._run, address, actor=True, pure=False, workers=[address]
            )
            for address in sorted(live - set(self._shards))
        }
        for address, future in futures.items():
            try:
                self._shards[address] = (future, result_of(self.client, future, address))
            except LostWorkerError:
                self.client.cancel([future])

    def _remove(self, address: str) -> None:
        """Remove a worker and its partitions."""
        future, _ = self._shards.pop(address)
        self.client.cancel([future])
        self._addresses = {k: where for k, where in self._addresses.items() if where != address}

    def _call(self, address: str, method: str, *arguments: object) -> BaseActorFuture[Any] | None:
        """Return the future answer of a worker; None if the worker is known to be lost."""
        require_open(self.client)
        try:
            return self._shards[address][1].call(*packed((method, *arguments)))
        except RuntimeError:
            return None

    def _wait(self, address: str, pending: BaseActorFuture[Any] | None) -> object:
        """Return a shard's answer, or raise its error."""
        while pending is not None:
            require_open(self.client)
            try:
                succeeded, answer = unpacked(pending.result(timeout=_TICK))
            except TimeoutError:
                if not pending.done() and address in threads_of(self.client):
                    continue
                break
            except Exception:  # of the call itself: see `Shard.call`
                require_open(self.client)
                break
            if not succeeded:
                raise answer
            return answer
        raise LostWorkerError(address)


def result_of(client: Client, future: Future[Any], address: str | None = None) -> Any:
    """Return the result of a task, which may be bound to the worker of an address.

    Raises
    ------
    LostWorkerError
        If the worker is lost, or data that was sent to a lost one.
    RuntimeError
        If the client is closed, or the cluster has no worker for a minute.
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
            if future.status == "error":  # the task itself raised it
                raise
            raise LostWorkerError(str(address)) from None
        except RuntimeError:
            if address is None:
                raise
            raise LostWorkerError(address) from None  # an actor, with its worker


@contextmanager
def connected(client: Client) -> Iterator[None]:
    """Wait for workers, and translate the errors of a client that is closed meanwhile.

    Inside a task of a cluster, its thread is left to the tasks that it waits for.

    Raises
    ------
    TypeError
        For an asynchronous client.
    RuntimeError
        If the client is closed, now or later, or there is no worker for a minute.
    """
    if client.asynchronous:
        raise TypeError("The Dask client must not be an asynchronous one: fit would not wait.")
    in_task = _in_task()
    if in_task:
        secede()
    try:
        live_workers(client)
        yield
    except RuntimeError:
        raise
    except Exception as error:
        # The methods of a closed client raise various errors.
        require_open(client, error)
        raise
    finally:
        if in_task:
            rejoin()


def _in_task() -> bool:
    """Return whether this thread runs a task of a worker, and has not seceded."""
    try:
        get_worker()
    except ValueError:
        return False
    return bool(getattr(thread_state, "proceed", False))


def live_workers(client: Client) -> set[str]:
    """Return the addresses of the running workers, neither paused nor closing; wait for one."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        require_open(client)
        try:
            workers = client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:  # of any kind, if the scheduler is gone
            raise _closed(client) from error
        live = {a for a, worker in workers.items() if worker["status"] == "running"}
        if live:
            return live
        if time.monotonic() > deadline:
            raise RuntimeError(f"The cluster has had no worker for {_PATIENCE:.0f} seconds.")
        time.sleep(0.05)


def threads_of(client: Client) -> dict[str, int]:
    """Return the number of threads of each worker, by its address; there may be no worker."""
    require_open(client)
    try:
        return dict(client.nthreads())
    except Exception as error:  # of any kind, if the scheduler is gone
        raise _closed(client) from error


def require_open(client: Client, error: Exception | None = None) -> None:
    """Raise a RuntimeError if the client is closed, from the error that showed it."""
    if client.status != "running":
        raise _closed(client) from error


def _closed(client: Client) -> RuntimeError:
    return RuntimeError(
        f"The Dask client was closed, or lost its scheduler, before the fit was over: it is "
        f"{client.status!r}. The estimator is as it was; fit again with an open one."
    )
