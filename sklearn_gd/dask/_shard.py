"""Dask's actor of one fit on one worker: it has partitions there, and sums over them."""

from __future__ import annotations

import math
import mmap
import pickle
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import cloudpickle
import numpy as np
from distributed import get_worker
from scipy import sparse

from sklearn_gd._data.split import PickedRows
from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._pieces import Array, Matrix
from sklearn_gd.dask._chunks import Data
from sklearn_gd.dask._partition import Checks, LabelledPartition, Partition, RegressionPartition

Task = tuple[str, tuple[object, ...]]  # a method of a partition and its arguments
Sums = list[Any]  # numbers and arrays

# Share of a worker's memory limit up to which rows stay in memory; the others go to files. At 0.6
# Dask starts to spill results to disk, and at 0.8 the worker accepts no more tasks.
_IN_MEMORY = 0.5

# The shards of this process; with workers in threads there are several.
_SHARDS: weakref.WeakValueDictionary[tuple[str, str], Shard] = weakref.WeakValueDictionary()


class Shard:
    """The partitions of one fit, named `run`, on the worker of an address: an actor."""

    def __init__(self, run: str, address: str) -> None:
        self._partitions: dict[tuple[str, int], Partition[Any]] = {}
        self._models: dict[tuple[int, bytes], object] = {}
        self._lock = threading.Lock()
        worker = get_worker()
        self._threads = int(worker.state.nthreads)
        limit = worker.memory_manager.memory_limit
        self._free = math.inf
        if limit is not None:
            self._free = _IN_MEMORY * limit - worker.monitor.get_process_memory()
        self._folder = worker.local_directory
        _SHARDS[run, address] = self

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

    def call(self, *message: Array | bytes) -> tuple[Array | bytes, ...]:
        """Call one of the methods below, by a packed name and arguments.

        The packed answer is (True, result) or (False, error): if the call itself raises, the
        worker is lost.
        """
        answer: tuple[bool, object]
        try:
            method, *arguments = unpacked(message)
            with np.errstate(all="ignore"):
                answer = True, getattr(self, method)(*arguments)
        except Exception as error:
            answer = False, error
        return packed(answer)

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
            with np.errstate(all="ignore"):  # the descent finds overflows in the loss
                return summed(_call(part, method, first, arguments) for part in partitions)

        if n_threads == 1:
            return over(0)
        with ThreadPoolExecutor(n_threads) as pool:
            return summed(pool.map(over, range(n_threads)))

    def _model(self, thread: int, model: bytes) -> object:
        if (thread, model) not in self._models:
            self._models[thread, model] = cloudpickle.loads(model)()
        return self._models[thread, model]


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


def pickled_network(network: Network) -> bytes:
    """Return a pickled function that returns the network, without its penalty."""
    make = partial(Network, network.sizes, network.activations, network.loss, 0.0, network.dtype)
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


def packed(message: object) -> tuple[Array | bytes, ...]:
    """Return a message as Dask sends it fastest: arrays one by one, and the rest as bytes."""
    buffers: list[pickle.PickleBuffer] = []
    rest: bytes = cloudpickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    return *(np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers), rest


def unpacked(message: Sequence[Any]) -> Any:
    """Return the packed message. Arrays are copied, since received ones are not aligned."""
    *buffers, rest = message
    return pickle.loads(rest, buffers=[buffer.copy() for buffer in buffers])


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
