"""The partitions of one fit on one worker, and sums over them."""

from __future__ import annotations

import asyncio
import math
import mmap
import pickle
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import cloudpickle
import numpy as np
from distributed import Worker, get_worker
from distributed.protocol.serialize import to_serialize
from scipy import sparse

from sklearn_gd._data.split import PickedRows
from sklearn_gd._models.interfaces import Batch
from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._pieces import Array, Matrix
from sklearn_gd._training.learner import State
from sklearn_gd._training.learners import GradientLearner
from sklearn_gd.dask._chunks import Data
from sklearn_gd.dask._exchange import PARTIAL_SUM, Exchange, LostPeerError, in_loop
from sklearn_gd.dask._partition import (
    Checks,
    Ends,
    LabelledPartition,
    Partition,
    RegressionPartition,
    strided,
)

Task = tuple[str, tuple[object, ...]]  # a method of a partition and its arguments
Sums = list[Any]  # numbers and arrays

# Share of a worker's memory limit up to which rows stay in memory; the others go to files. At 0.6
# Dask starts to spill results to disk, and at 0.8 the worker accepts no more tasks.
_IN_MEMORY = 0.5

# Names of the messages from the client: a call, and the end of an epoch or of the fit.
CALL, END = "sklearn_gd_call", "sklearn_gd_end"
# Seconds between two looks at whether the client still wants a fit.
_LOOK = 1.0

# The shards of this process; with workers in threads there are several.
_SHARDS: dict[tuple[str, str], Shard] = {}


class Shard:
    """The partitions of one fit, named `run`, on one worker.

    It is no actor of Dask's, since a worker with actors cannot be retired.
    """

    def __init__(self, run: str, worker: Worker) -> None:
        self._run, self._worker = run, worker
        self._partitions: dict[tuple[str, int], Partition[Any]] = {}
        self._models: dict[tuple[int, bytes], object] = {}
        self._lock = threading.Lock()
        self._exchange = Exchange(worker, run, 0)
        self._threads = int(worker.state.nthreads)
        # Calls wait for other workers, so that those of two fits must not wait for one another.
        self._calls = ThreadPoolExecutor(1, thread_name_prefix="sklearn_gd-calls")
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="sklearn_gd-sums")
        limit = worker.memory_manager.memory_limit
        self._free = math.inf
        if limit is not None:
            self._free = _IN_MEMORY * limit - worker.monitor.get_process_memory()
        self._folder = worker.local_directory

    async def stay_for(self, key: object) -> None:
        """Stay until the client forgets the task of this key, or is gone."""
        while key in self._worker.state.tasks and (self._run, self._worker.address) in _SHARDS:
            await asyncio.sleep(_LOOK)
        self.close()

    def close(self) -> None:
        """Free the rows. In the event loop."""
        _SHARDS.pop((self._run, self._worker.address), None)
        self._exchange.end("the fit is over")
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._pool.shutdown(wait=False)
        self._partitions = {}

    def store(
        self, source: str, number: int, rows: Rows | LabelledRows, tasks: Sequence[Task]
    ) -> None:
        """Store the rows of a chunk, in memory or in a file, and run the given tasks on them."""
        arrays = _arrays_of(rows.X)
        size = sum(array.nbytes for array in arrays)
        with self._lock:
            # Targets, weights, row numbers and an order stay in memory in any case.
            self._free -= rows[1].nbytes + 24 * rows.X.shape[0]
            in_memory = size <= self._free
            if in_memory:
                self._free -= size
        arrays = [_owned(array) if in_memory else self._to_file(array) for array in arrays]
        X = type(rows.X)(tuple(arrays), shape=rows.X.shape) if len(arrays) > 1 else arrays[0]
        partition: Partition[Any]
        if isinstance(rows, LabelledRows):
            partition = LabelledPartition(number, rows._replace(X=X))
        else:
            partition = RegressionPartition(number, rows._replace(X=X))
        for method, arguments in tasks:
            getattr(partition, method)(*arguments)
        self._partitions[source, number] = partition

    def _to_file(self, array: Array) -> Array:
        """Return the array in a file that is removed with the last array that uses it."""
        if not array.size:  # there are no empty maps
            return array
        with tempfile.TemporaryFile(dir=self._folder) as file:
            array.tofile(file)
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, array.dtype).reshape(array.shape)

    async def answer(self, message: bytes) -> bytes:
        """Call one of the methods below, by a pickled name and arguments, in another thread."""
        call = asyncio.get_running_loop().run_in_executor
        answer: bytes = await call(self._calls, self._answer, message)
        return answer

    def _answer(self, message: bytes) -> bytes:
        """Return a pickled (True, result) or (False, error)."""
        answer: tuple[bool, object]
        try:
            method, *arguments = pickle.loads(message)
            with np.errstate(all="ignore"):  # the descent finds overflows in the loss
                answer = True, getattr(self, method)(*arguments)
        except Exception as error:
            answer = False, error
        return cloudpickle.dumps(answer, protocol=5)

    def exchange(self, number: int) -> Exchange:
        """Return the exchange of an epoch; in the event loop.

        Raises
        ------
        LostPeerError
            If a later one has begun.
        """
        if number > self._exchange.number:
            self._exchange.end("another epoch has begun")
            self._exchange = Exchange(self._worker, self._run, number)
        if number < self._exchange.number:
            raise LostPeerError("another epoch has begun")
        return self._exchange

    async def _joined(self, number: int, addresses: Sequence[str]) -> Exchange:
        exchange = self.exchange(number)
        exchange.join(addresses)
        return exchange

    def end_epoch(self, number: int) -> None:
        """End the epoch of a number, if it runs. In the event loop."""
        if number >= self._exchange.number:  # it may not have begun yet
            self.exchange(number).end("the client has ended the epoch")

    def forget(self, keys: Sequence[tuple[str, int]]) -> None:
        """Free partitions, which other workers load."""
        for key in keys:
            self._partitions.pop(key, None)

    def epoch(
        self,
        source: str,
        numbers: Sequence[int],
        number: int,
        addresses: Sequence[str],
        learner: GradientLearner,
        models: tuple[bytes, bytes],
        rows: tuple[str, Ends | None],
        batches: tuple[int, int, float, int | None],
        rate: float,
    ) -> tuple[float, State] | None:
        """Run an epoch together with the other workers, each of which has the same learner.

        `models` are pickled functions that return the network, without and with the penalty,
        `rows` are the group and the ends of targets, `batches` are the arguments of `strided`.
        The first of the workers returns the summed loss and the state of the learner.
        """
        exchange = in_loop(self._worker.loop, self._joined(number, addresses)).result()
        of_batch = partial(self.total, source, numbers, models[0], "gradient")
        whole: Any = self._model(0, models[1])
        objective = SharedObjective(whole, of_batch, exchange, rows)
        total = learner.descend(objective, strided(*batches), rate)
        return (total, learner.state()) if exchange.is_first else None

    def run(self, source: str, method: str, arguments: Sequence[object]) -> None:
        """Call a method of every partition of a source."""
        for (of, _), partition in self._partitions.items():
            if of == source:
                getattr(partition, method)(*arguments)

    def each(
        self, source: str, numbers: Sequence[int], method: str, arguments: Sequence[object]
    ) -> dict[int, object]:
        """Return the result of a method of each partition, by its number."""
        return {n: _call(self._partitions[source, n], method, None, arguments) for n in numbers}

    def total(
        self,
        source: str,
        numbers: Sequence[int],
        model: bytes | None,
        method: str,
        arguments: Sequence[object],
    ) -> Sums:
        """Return the sum over partitions of the results of a method.

        `model` is a pickled function that returns the first argument of the method, such as a
        network; it is called once per thread.
        """
        n_threads = min(self._threads, len(numbers))

        def over(thread: int) -> Sums:
            first = None if model is None else self._model(thread, model)
            partitions = [self._partitions[source, n] for n in numbers[thread::n_threads]]
            with np.errstate(all="ignore"):
                return summed(_call(part, method, first, arguments) for part in partitions)

        if n_threads <= 1:
            return over(0)
        return summed(self._pool.map(over, range(n_threads)))

    def _model(self, thread: int, model: bytes) -> object:
        if (thread, model) not in self._models:
            self._models[thread, model] = cloudpickle.loads(model)()
        return self._models[thread, model]


class SharedObjective:
    """The loss over the rows of all workers, by batches, as each of them computes it."""

    def __init__(
        self,
        network: Network,
        of_batch: Callable[[Sequence[object]], Sums],
        exchange: Exchange,
        rows: tuple[str, Ends | None],
    ) -> None:
        self.network = network
        self._of_batch, self._exchange, self._rows = of_batch, exchange, rows

    def on_batch(self, parameters: Array, batch: Batch, step: int | None) -> tuple[float, Array]:
        loss, gradient = self._of_batch((*self._rows, parameters, batch, step))
        loss = self._exchange.total(loss, gradient)
        self.network.add_penalty(parameters, gradient)
        return loss, gradient


def start_shard(run: str) -> None:
    """Start the shard of a fit on the worker of this task; it stays while the task is wanted."""
    worker = get_worker()
    shard = _SHARDS[run, worker.address] = Shard(run, worker)
    for name, function in ((CALL, _call_shard), (END, _end), (PARTIAL_SUM, _receive)):
        worker.handlers.setdefault(name, _handler(function, worker))
    worker.loop.add_callback(shard.stay_for, worker.get_current_task())


def _handler(function: Callable[..., object], worker: Worker) -> Callable[..., object]:
    def handler(**message: Any) -> object:  # Dask wants its name
        return function(worker, **message)

    return handler


async def _call_shard(worker: Worker, run: str, message: bytes) -> object:
    """Answer the client; None if there is no shard."""
    shard = _SHARDS.get((run, worker.address))
    return None if shard is None else {"answer": to_serialize(await shard.answer(message))}


def _end(worker: Worker, run: str, number: int | None) -> None:
    """End an epoch; None: the fit."""
    shard = _SHARDS.get((run, worker.address))
    if shard is None:
        return
    if number is None:
        shard.close()
    else:
        shard.end_epoch(number)


async def _receive(worker: Worker, run: str, number: int, **message: Any) -> object:
    """Answer another worker."""
    shard = _SHARDS.get((run, worker.address))
    if shard is None:
        raise LostPeerError("the fit is over")
    return await shard.exchange(number).receive(**message)


def load_chunk(
    run: str,
    source: str,
    number: int,
    checks: Checks[tuple[Any, object]],
    tasks: Sequence[Task],
    data: Data,
) -> tuple[str, object, bool] | None:
    """Check a chunk, and store its rows in the shard of the worker that this runs on.

    Returns the worker's address, the information from the checks, and whether there are rows; None
    without a shard.
    """
    address = get_worker().address
    shard = _SHARDS.get((run, address))
    if shard is None:
        return None
    if not data[0].shape[0]:
        return address, None, False
    rows, information = checks(number, data)
    has_rows = rows.X.shape[0] > 0
    if has_rows:
        shard.store(source, number, rows, tasks)
    return address, information, has_rows


def pickled_network(network: Network, alpha: float = 0.0) -> bytes:
    """Return a pickled function that returns the network, by default without its penalty."""
    make = partial(Network, network.sizes, network.activations, network.loss, alpha, network.dtype)
    make = partial(make, biases=network.biases)
    made = {name: getattr(network, name) for name in ("columns", "baseline_loss", "dropout")}
    return cloudpickle.dumps(partial(_with_attributes, make, made))


def _with_attributes(make: Callable[[], Network], attributes: dict[str, object]) -> Network:
    network = make()
    vars(network).update(attributes)
    return network


def summed(results: Iterable[Sequence[Any]]) -> Sums:
    """Return the elementwise sum of sequences of numbers and arrays.

    Arrays are added in place, to those of the first sequence.
    """
    total: Sums = []
    for result in results:  # one at a time, since each may be as large as a network
        if not total:
            total = list(result)
            continue
        for i, value in enumerate(result):
            total[i] += value
    return total


def _call(
    partition: Partition[Any], method: str, model: object, arguments: Sequence[object]
) -> Any:
    result = getattr(partition, method)(model, *arguments)
    for rows in partition.groups.values():
        _free_pages(rows.X)
    return result


def aligned(X: Matrix) -> Matrix:
    """Return an array as BLAS needs it, since received ones are not aligned."""
    return np.require(X, requirements=["C", "A"]) if isinstance(X, np.ndarray) else X


def _owned(array: Array) -> Array:
    """Return an aligned array that is no view."""
    return np.require(array, requirements=["C", "A", "O"])


def _arrays_of(X: Matrix) -> list[Array]:
    X = X.X if isinstance(X, PickedRows) else X
    return [X.data, X.indices, X.indptr] if sparse.issparse(X) else [X]


def _free_pages(X: Matrix) -> None:
    """Free the pages of rows in a file, which otherwise count as memory of the worker."""
    for array in _arrays_of(X):
        base: object = array
        while isinstance(base, np.ndarray):
            base = base.base
        mapped = getattr(base, "obj", None)
        if isinstance(mapped, mmap.mmap) and hasattr(mapped, "madvise"):
            mapped.madvise(mmap.MADV_DONTNEED)
