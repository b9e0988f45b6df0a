"""The workers of a cluster: loading of chunks, calls to all workers, lost workers."""

from __future__ import annotations

import math
import pickle
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import cloudpickle
import numpy as np
from dask.delayed import Delayed
from distributed import Client, Future, get_worker, rejoin, secede
from distributed.protocol.serialize import to_serialize
from distributed.threadpoolexecutor import thread_state
from sklearn.base import BaseEstimator

from sklearn_gd._pieces import DType
from sklearn_gd._training.learner import State
from sklearn_gd.dask._chunks import Chunk, Chunks, Data
from sklearn_gd.dask._exchange import LostPeerError, in_loop
from sklearn_gd.dask._partition import Checks
from sklearn_gd.dask._shard import CALL, END, Sums, Task, load_chunk, start_shard, summed

Key = tuple[str, int]  # name of the source, number of the chunk
T = TypeVar("T")

_TICK = 1.0  # seconds between two checks of the client and the workers
_LOOK = 1.0  # seconds between two looks for workers that have joined
_PATIENCE = 60.0  # seconds to wait for a worker if there is none
_SILENCE = 30.0  # seconds without a heartbeat after which a worker is taken for lost
_PRINTED = 5.0  # seconds between two lines about loading
_PAUSE = 10.0  # seconds to wait for a paused worker that is to take rows
_CHANCES = 2  # to load a chunk whose inputs are lost, as they may be with another worker
ATTEMPTS = 20  # to complete a call before a worker is lost


class LostWorkerError(Exception):
    """A worker that does not answer."""


class Workers:
    """Partitions on the workers of a cluster, and calls to all of them at once.

    Each worker has its share of the chunks of a source, which depends on the number of workers and
    of their threads alone. The partitions of a lost worker are loaded again on other workers, and
    the call is repeated; a worker that joins has its share from the next call on.

    Parameters
    ----------
    client : distributed.Client
    verbose : bool, default=False
        Whether to print how many chunks are loaded, every few seconds.
    """

    def __init__(self, client: Client, *, verbose: bool = False) -> None:
        self.client, self._verbose = client, verbose
        self._run = uuid.uuid4().hex
        self._health = Health(client)
        self._looked = -math.inf  # when it was last looked for workers that have joined
        self._shards: dict[str, Future[None]] = {}
        self._epoch = 0
        self._reach_one_another = True
        self._checks: dict[str, Checks[Any]] = {}
        self._tasks: dict[str, list[Task]] = {}
        self._chunks: dict[Key, Chunk] = {}
        self._addresses: dict[Key, str | None] = {}  # None: a chunk without rows
        self._information: dict[Key, Any] = {}
        self._lost_inputs: dict[Key, int] = {}  # how often

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
        self._place()
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
        self._ask(dict.fromkeys(self._numbers(source), ("run", source, *task)))

    def each(self, source: str, method: str, *arguments: object) -> dict[int, Any]:
        """Return the result of a method of each partition, by its number."""
        answers = self._ask_all(source, "each", method, arguments)
        return dict(sorted(item for answer in answers for item in answer.items()))

    def total(self, source: str, model: bytes | None, method: str, *arguments: object) -> Sums:
        """Return the sum of the results of a method over all partitions; see `Shard.total`."""
        return summed(self._ask_all(source, "total", model, method, arguments))

    def epoch(self, source: str, *arguments: object) -> tuple[float, State] | None:
        """Return the summed loss and the state of the learner after an epoch on the workers.

        None if the workers do not reach one another. See `Shard.epoch` for the arguments.
        """
        if not self._reach_one_another:
            return None
        try:
            return self._ask_all(source, "epoch", *arguments)[0]
        except LostPeerError:
            self._reach_one_another = False
            return None

    def close(self) -> None:
        """Leave nothing on the workers."""
        if self.client.status == "running":
            self._end(self._shards, None)
            self.client.cancel(list(self._shards.values()))
        self._shards.clear()

    # Calls.

    def _ask_all(self, source: str, call: str, *arguments: object) -> list[Any]:
        """Return the answer of every worker with partitions of a source."""
        for _ in range(ATTEMPTS):
            self._place()
            numbers = self._numbers(source)
            self._epoch += 1
            peers = (self._epoch, list(numbers)) if call == "epoch" else ()
            calls = {a: (call, source, n, *peers, *arguments) for a, n in numbers.items()}
            answers = self._ask(calls)
            if len(answers) == len(numbers):
                return answers
        raise RuntimeError(f"Workers are lost faster than they answer: {ATTEMPTS} times in a row.")

    def _ask(self, calls: Mapping[str, tuple[object, ...]]) -> list[Any]:
        """Return the answers of the workers that are not lost.

        Raises
        ------
        LostPeerError
            If a worker does not reach another one, and none is lost.
        """
        require_open(self.client)
        pending = {address: self._send(address, call) for address, call in calls.items()}
        answers: dict[str, Any] = {}
        alone: LostPeerError | None = None
        try:
            while pending:
                futures.wait(pending.values(), _TICK, futures.FIRST_COMPLETED)
                require_open(self.client)
                done = {a: answer for a, answer in pending.items() if answer.done()}
                lost = set() if done else set(pending) - set(self._health.look())
                for address, answer in done.items():
                    del pending[address]
                    try:
                        answers[address] = _opened(answer)
                    except LostWorkerError:
                        lost.add(address)
                    except LostPeerError as error:
                        alone = alone or error
                for address in lost:
                    if address in pending:
                        pending.pop(address).cancel()
                    self._remove(address)
                if lost or alone:  # the others wait for them
                    self._end(pending, self._epoch)
        except BaseException:
            if self.client.status == "running":
                self._end(pending, self._epoch)
            raise
        if alone and len(answers) < len(calls) and set(calls) <= set(self._shards):
            raise alone
        return [answers[address] for address in calls if address in answers]

    def _send(self, address: str, call: tuple[object, ...]) -> futures.Future[Any]:
        message = cloudpickle.dumps(call, protocol=5)
        return self._message(address, op=CALL, run=self._run, message=to_serialize(message))

    def _end(self, addresses: Iterable[str], epoch: int | None) -> None:
        """End an epoch on some workers; None: the fit."""
        sent = [self._message(a, op=END, run=self._run, number=epoch) for a in addresses]
        futures.wait(sent, _TICK)

    def _message(self, address: str, **message: object) -> futures.Future[Any]:
        """Send a message to a worker, through the scheduler unless it can be reached directly."""
        client: Any = self.client
        try:
            if client.direct_to_workers:
                op = str(message.pop("op"))
                return in_loop(client.loop, getattr(client.rpc(address), op)(**message))
            return in_loop(client.loop, client.scheduler.proxy(worker=address, msg=message))
        except Exception as error:
            require_open(self.client, error)
            raise

    def _numbers(self, source: str) -> dict[str, list[int]]:
        """Return the numbers of the partitions on each worker, in the order of the workers."""
        numbers: dict[str, list[int]] = {}
        for (of, number), address in sorted(self._addresses.items()):
            if of == source and address is not None:
                numbers.setdefault(address, []).append(number)
        return numbers

    # Placing.

    def _place(self) -> None:
        """Load every chunk that is on no worker, and give workers that joined their share."""
        for attempt in range(ATTEMPTS):
            missing = [key for key in self._chunks if key not in self._addresses]
            if not missing and (attempt or time.monotonic() < self._looked + _LOOK):
                return
            self._looked = time.monotonic()
            if self._start_shards() or missing:
                self._load(self._dealt())
        raise RuntimeError(
            f"Rows are lost faster than they are loaded: {ATTEMPTS} times in a row."
        )

    def _start_shards(self) -> bool:
        """Start a shard on every running worker without one; return whether there was one.

        Workers that are gone, or about to be, are removed.
        """
        running = live_workers(self.client, self._health)
        for address in set(self._shards) - set(self._health.look()):
            self._remove(address)
        started = {
            address: self.client.submit(start_shard, self._run, pure=False, workers=[address])
            for address in running
            if address not in self._shards
        }
        for address, future in started.items():
            try:
                result_of(self.client, future, address, self._health)
                self._shards[address] = future
            except LostWorkerError:
                self.client.cancel([future])
        return bool(started)

    def _dealt(self) -> dict[Key, str]:
        """Return the worker of each chunk that has to be loaded; what has to move is freed."""
        running = self._health.running()
        threads = {a: n for a, n in running.items() if a in self._shards}
        if not threads:
            return {}
        moving: dict[Key, str] = {}
        for source in self._checks:
            # What is on a paused worker stays there.
            keys = [
                key
                for key in self._chunks
                if key[0] == source and self._addresses.get(key, "") in ("", *threads)
            ]
            moving |= {
                key: address
                for key, address in dealt(keys, threads, self._addresses).items()
                if self._addresses.get(key) != address
            }
        leaving: dict[str, list[Key]] = {}
        for key in moving:
            before = self._addresses.pop(key, None)
            if before is not None:
                leaving.setdefault(before, []).append(key)
        self._ask({address: ("forget", keys) for address, keys in leaving.items()})
        return moving

    def _load(self, places: Mapping[Key, str]) -> None:
        """Load chunks on the given workers, as far as these are not lost."""
        pending: dict[Key, Future[Any]] = {}
        for address in dict.fromkeys(places.values()):
            keys = [key for key, place in places.items() if place == address]
            tasks = [self._load_task(key, address) for key in keys]
            # What the rows are computed from is computed there, too, and is nowhere else.
            loads = self.client.compute(tasks, workers=[address])
            pending.update(zip(keys, loads, strict=True))
        printed = time.monotonic()
        try:
            for i, (key, address) in enumerate(places.items()):
                self._register(key, address, pending[key])
                if self._verbose and time.monotonic() > printed + _PRINTED:
                    printed = time.monotonic()
                    print(f"{i + 1} of {len(places)} chunks loaded")  # noqa: T201
        except BaseException:
            if self.client.status == "running":
                self.client.cancel(list(pending.values()))
            raise

    def _load_task(self, key: Key, address: str) -> Delayed:
        source, number = key
        checks, tasks = self._checks[source], self._tasks[source]
        task = partial(load_chunk, self._run, source, number, checks, tasks)
        return self._chunks[key].then(task, address)

    def _register(self, key: Key, address: str, future: Future[Any]) -> None:
        """Register the worker that a chunk was loaded on, unless it is lost or has no shard."""
        try:
            loaded = result_of(self.client, future, address, self._health)
        except LostWorkerError:
            inputs_lost = future.cancelled() and address in self._health.look()
            self.client.cancel([future])
            if inputs_lost:
                self._require_inputs(key)
            return
        if loaded is not None and address in self._shards:
            _, self._information[key], has_rows = loaded
            self._addresses[key] = address if has_rows else None
            self._chunks[key].free()

    def _require_inputs(self, key: Key) -> None:
        """Raise a RuntimeError if a chunk is lost time and again, though its worker is not."""
        self._lost_inputs[key] = self._lost_inputs.get(key, 0) + 1
        if self._lost_inputs[key] > _CHANCES:
            raise RuntimeError(
                f"Chunk {key[1]} of the rows to {key[0]} on needs data that the cluster has lost, "
                "as persisted collections are when it is restarted: compute or persist them again."
            )

    def _remove(self, address: str) -> None:
        """Remove a worker and its partitions."""
        if address in self._shards:
            self.client.cancel([self._shards.pop(address)])
        self._addresses = {k: where for k, where in self._addresses.items() if where != address}


def dealt(
    keys: Sequence[Key], threads: Mapping[str, int], places: Mapping[Key, str | None]
) -> dict[Key, str]:
    """Return a worker for each chunk: each has its share, by threads, first of those it has."""
    ends = np.rint(np.cumsum([0, *threads.values()]) / sum(threads.values()) * len(keys))
    shares = dict(zip(threads, np.diff(ends).astype(int).tolist(), strict=True))
    result, others = {}, []
    for key in keys:
        place = places.get(key)
        if place is not None and shares[place]:
            result[key] = place
            shares[place] -= 1
        else:
            others.append(key)
    free = [address for address, share in shares.items() for _ in range(share)]
    return result | dict(zip(others, free, strict=True))


def _opened(answer: futures.Future[Any]) -> Any:
    """Return a worker's answer, or raise its error; a LostWorkerError if there is none."""
    try:
        packed = answer.result()["answer"]  # it is None without rows of this fit
    except Exception as error:  # of the message itself, of any kind
        raise LostWorkerError from error
    succeeded, result = pickle.loads(packed)
    if not succeeded:
        raise result
    return result


class Health:
    """The workers that answer, by what the scheduler says of them.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        # The last heartbeat of a worker, by the scheduler's clock, and when the client saw it.
        self._heartbeats: dict[str, tuple[float, float]] = {}
        self._paused: dict[str, float] = {}  # since when

    def look(self) -> dict[str, dict[str, Any]]:
        """Return what is known of the workers that are neither silent nor about to close."""
        workers, now = workers_of(self._client), time.monotonic()
        for address, worker in workers.items():
            if self._heartbeats.get(address, (None, now))[0] != worker["last_seen"]:
                self._heartbeats[address] = worker["last_seen"], now
        answering = {
            address: worker
            for address, worker in workers.items()
            if worker["status"] in ("running", "paused")
            and now - self._heartbeats[address][1] < _SILENCE
        }
        paused = {a for a, worker in answering.items() if worker["status"] == "paused"}
        self._paused = {address: self._paused.get(address, now) for address in paused}
        return answering

    def running(self) -> dict[str, int]:
        """Return the threads of each worker that can take rows; always in the same order."""
        answering = self.look()
        threads = {a: int(w["nthreads"]) for a, w in answering.items() if a not in self._paused}
        return dict(sorted(threads.items(), key=lambda item: (-item[1], item[0])))

    def can_take(self, address: str) -> bool:
        """Return whether a worker answers, and has not been paused for long."""
        if address not in self.look():
            return False
        return time.monotonic() - self._paused.get(address, math.inf) < _PAUSE


def result_of(
    client: Client,
    future: Future[Any],
    address: str | None = None,
    health: Health | None = None,
) -> Any:
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
            live_workers(client, health)
            if address is not None and health is not None and not health.can_take(address):
                raise LostWorkerError(address) from None
        except CancelledError:
            require_open(client)
            if future.status == "error":  # the task itself raised it
                raise
            raise LostWorkerError(str(address)) from None


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


def live_workers(client: Client, health: Health | None = None) -> dict[str, int]:
    """Return the threads of each running worker, neither paused nor closing; wait for one.

    Raises
    ------
    RuntimeError
        If there is none for a minute.
    """
    health = health or Health(client)
    deadline = time.monotonic() + _PATIENCE
    while not (running := health.running()):
        if time.monotonic() > deadline:
            raise RuntimeError(_no_worker(workers_of(client)))
        time.sleep(0.05)
    return running


def _no_worker(workers: Mapping[str, dict[str, Any]]) -> str:
    if not workers:
        return f"The cluster has had no worker for {_PATIENCE:.0f} seconds."
    each = ", ".join(f"{a} is {worker['status']}" for a, worker in sorted(workers.items())[:5])
    return (
        f"No worker of the cluster has accepted tasks for {_PATIENCE:.0f} seconds: {each}. "
        "Workers are paused while they are short of memory: give them more, or smaller chunks."
    )


def workers_of(client: Client) -> dict[str, dict[str, Any]]:
    """Return what the scheduler knows of each worker, by its address."""
    require_open(client)
    try:
        return dict(client.scheduler_info(n_workers=-1)["workers"])
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
