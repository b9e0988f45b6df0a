"""Dask collections and data in memory, in chunks of rows that can be sent one by one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask._task_spec import DataNode, convert_legacy_graph
from dask.base import is_dask_collection
from dask.delayed import Delayed, delayed
from dask.highlevelgraph import HighLevelGraph
from dask.local import get_sync
from dask.sizeof import sizeof
from dask.utils import is_dataframe_like, is_series_like
from distributed import Client, Future
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearn_gd._data.validation import _X_CHECKS, sets_features, validated
from sklearn_gd._pieces import Array, ArrayLike, DType, Matrix

# Bytes of data in a graph, such as a handle of a file, up to which each chunk has a copy.
_SMALL = 1 << 16

Data = tuple[ArrayLike, ArrayLike, ArrayLike | None]  # X, y and weights of a chunk


class OneTask(NamedTuple):
    """The tasks that a chunk is computed by, to be run by whoever needs it, in one task."""

    graph: dict[Any, Any]
    key: Any


def _computed(task: OneTask, function: Callable[[Data], object]) -> object:
    return function(get_sync(task.graph, task.key))


class Chunk:
    """Rows of X, y and weights: delayed, or in memory.

    Those in memory have a client, which sends them to a worker each time that they are needed.
    """

    def __init__(self, data: Delayed | OneTask | Data, client: Client | None = None) -> None:
        self._data, self._client = data, client
        self._sent: Future[object] | None = None

    def then(self, function: Callable[[Data], object], address: str | None = None) -> Delayed:
        """Return a task that calls a function with X, y and weights.

        If they are in memory, they are sent to the worker of the address.
        """
        if isinstance(self._data, OneTask):
            return delayed(partial(_computed, self._data, function), pure=False)()
        if self._client is None:
            return delayed(function, pure=False)(self._data)
        workers = None if address is None else [address]
        # The data stays on the worker until `free`.
        (self._sent,) = self._client.scatter([self._data], hash=False, workers=workers)
        return delayed(function, pure=False)(self._sent)

    def free(self) -> None:
        """Free the copy of data in memory that was sent to a worker."""
        self._sent = None


class Chunks(NamedTuple):
    """The chunks of a dataset, and the number of features and the precision of its X."""

    chunks: list[Chunk]
    n_features: int
    dtype: DType


def is_lazy(*collections: object) -> bool:
    """Return whether any of them is a Dask collection."""
    return any(is_dask_collection(each) for each in collections)


def is_frame(collection: ArrayLike) -> bool:
    """Return whether this is a Dask data frame or series."""
    return is_dask_collection(collection) and (
        is_dataframe_like(collection) or is_series_like(collection)
    )


def lazy_chunks(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    weights: ArrayLike | None,
    *,
    reset: bool = True,
) -> Chunks:
    """Divide X, y and weights, some of them Dask collections, into the chunks of X.

    Sets the estimator's attributes of features, or checks against them without `reset`.

    Raises
    ------
    ValueError, TypeError
        For collections of the wrong kind or shape, or of different numbers of rows.
    """
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed. Got None.")
    if is_dask_collection(X):
        _check_collection("X", X, (2,))
        X = with_whole_rows(X)
        example: Matrix = X._meta if is_frame(X) else np.empty((1, X.shape[1]))
        reset = sets_features(estimator, reset=reset)
        validate_data(estimator, example, reset=reset, skip_check_array=True)
    else:
        example = validated(estimator, X, reset=reset, **_X_CHECKS)
        name, other = ("y", y) if is_lazy(y) else ("sample_weight", weights)
        X = _chunked_like(example, name, other)
    dtype = precision_of(X)
    return Chunks(_matching_chunks(X, y, weights), int(example.shape[1]), dtype)


def precision_of(X: ArrayLike) -> DType:
    """Return the precision of local fits: float32 if no type needs more, and float64 else."""
    dtypes = list(X.dtypes) if is_frame(X) else [X.dtype]
    is_plain = all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in dtypes)
    is_single = is_plain and np.result_type(*dtypes) == np.float32
    return np.dtype(np.float32 if is_single else np.float64)


def memory_chunks(client: Client, X: Matrix, y: Array, weights: Array | None) -> Chunks:
    """Divide checked rows in memory into as many chunks as the workers have threads."""
    n_samples = X.shape[0]
    n_chunks = min(n_samples, max(1, sum(client.nthreads().values())))
    ends = np.linspace(0, n_samples, n_chunks + 1).astype(int).tolist()
    chunks = [
        Chunk((X[a:b], y[a:b], None if weights is None else weights[a:b]), client)
        for a, b in pairwise(ends)
    ]
    return Chunks(chunks, int(X.shape[1]), X.dtype)


def with_whole_rows(collection: ArrayLike) -> ArrayLike:
    """Return a collection with a single chunk along the columns, of known width."""
    if is_frame(collection):
        return collection
    if np.isnan(collection.shape[1]):
        collection = collection.compute_chunk_sizes()
    if len(collection.chunks[1]) == 1:
        return collection
    return _with_known_sizes(collection).rechunk({1: -1})


def _check_collection(name: str, collection: ArrayLike, ndims: tuple[int, ...]) -> None:
    if not (isinstance(collection, da.Array) or is_frame(collection)):
        raise TypeError(
            f"{name} must be a Dask array or data frame, or be in memory. "
            f"Got {type(collection).__name__}."
        )
    if collection.ndim not in ndims:
        expected = " or ".join(("one axis", "two axes")[ndim - 1] for ndim in ndims)
        raise ValueError(f"{name} must have {expected}. Got {collection.ndim}.")


def _chunked_like(X: Matrix, name: str, collection: ArrayLike) -> da.Array:
    """Return X, which is in memory, as a Dask array in the chunks of y or of the weights."""
    _check_collection(name, collection, (1, 2))
    collection = _with_known_sizes(collection)
    _require_same_length(X.shape[0], collection.shape[0], name)
    return da.from_array(X, chunks=(collection.chunks[0], -1), asarray=False)


def _with_known_sizes(collection: ArrayLike) -> da.Array:
    """Return a Dask array with known chunk sizes, which are computed if necessary."""
    if is_frame(collection):
        dtypes = collection.dtypes if collection.ndim == 2 else [collection.dtype]
        if not all(isinstance(dtype, np.dtype) for dtype in dtypes):
            collection = collection.astype(object)  # as Dask does, after a warning
        # Not with `lengths=True`, which counts partitions that Dask then joins.
        return collection.to_dask_array().compute_chunk_sizes()
    if any(np.isnan(size) for size in collection.chunks[0]):
        return collection.compute_chunk_sizes()
    return collection


def _chunk_sizes(collection: ArrayLike) -> tuple[float, ...]:
    """Return the number of rows of each chunk; NaN if unknown."""
    if is_frame(collection):
        return (np.nan,) * collection.npartitions
    return tuple(collection.chunks[0])


def _matching_chunks(X: ArrayLike, y: ArrayLike, weights: ArrayLike | None) -> list[Chunk]:
    """Return chunks of X, y and weights with the chunk sizes of X.

    Unknown chunk sizes are taken to match if there are as many chunks, which the workers check;
    otherwise they are computed first.
    """
    given = {"y": y}
    if weights is not None:
        given["sample_weight"] = _only_column(weights)
    for name, each in given.items():
        if is_dask_collection(each):
            _check_collection(name, each, (1, 2) if name == "y" else (1,))
            given[name] = with_whole_rows(each) if each.ndim == 2 else each
    sizes = [_chunk_sizes(each) for each in (X, *given.values()) if is_dask_collection(each)]
    unknown = any(np.isnan(size) for each in sizes for size in each)
    match = len(sizes) == 1 + len(given) and len({len(each) for each in sizes}) == 1
    if not (unknown and match):
        X = _with_known_sizes(X)
        given = {name: _rechunked(each, X.chunks[0], name) for name, each in given.items()}
    parts = _joined(X, *given.values())
    return [Chunk(data) for data in _alone(parts) or parts]


def _alone(parts: list[Delayed]) -> list[OneTask] | None:
    """Return each chunk as one task; None if chunks share some, or need data of the cluster.

    What tasks of Dask's leave in memory until the next one begins may be more than there is.
    """
    graph = convert_legacy_graph(
        dict(HighLevelGraph.merge(*(part.__dask_graph__() for part in parts)))
    )
    found, seen = [], set()
    for part in parts:
        own: dict[Any, Any] = {}
        ahead = [part.key]
        while ahead:
            key = ahead.pop()
            if key in own:
                continue
            task = graph.get(key)
            if task is None or isinstance(getattr(task, "value", None), Future):
                return None  # it is on the cluster
            if not (isinstance(task, DataNode) and sizeof(task.value) < _SMALL):
                if key in seen:
                    return None
                seen.add(key)
            own[key] = task
            ahead += task.dependencies
        found.append(OneTask(own, part.key))
    return found


def _only_column(weights: ArrayLike) -> ArrayLike:
    """Return the series in a frame of one column; anything else as it is."""
    is_one_column = is_frame(weights) and weights.ndim == 2 and len(weights.columns) == 1
    return weights[weights.columns[0]] if is_one_column else weights


def _joined(*collections: ArrayLike) -> list[Delayed]:
    """Return tuples of X, y and, with weights, these: a delayed one for each chunk of rows.

    All go into one graph before Dask optimises it. Apart, they would work out twice what they
    share, with other rows if it is random, and may be divided in different ways: Dask joins files
    by the columns that are read.
    """
    if all(map(is_frame, collections)):
        first, *others = collections
        joined = first.map_partitions(
            _as_data,
            *others,
            meta=first._meta.iloc[:, 0],
            enforce_metadata=False,
            align_dataframes=False,
        )
        return list(joined.to_delayed())
    if not any(map(is_frame, collections)):
        axes = [index for each in collections for index in (each, "ij"[: each.ndim])]
        joined = da.blockwise(
            _as_data, "i", *axes, align_arrays=False, dtype=object, meta=np.empty(0, object)
        )
        return list(joined.to_delayed())
    parts = [list(np.ravel(each.to_delayed())) for each in collections]
    if len({len(each) for each in parts}) > 1:
        return _joined(*map(_with_known_sizes, collections))
    return [delayed(_as_data, pure=False)(*each) for each in zip(*parts, strict=True)]


def _as_data(*parts: ArrayLike) -> Data:
    # With several axes, a block of an array comes in a list, of one since rows are whole.
    X, y, *weights = (each[0] if isinstance(each, list) else each for each in parts)
    return X, y, weights[0] if weights else None


def _rechunked(collection: ArrayLike, sizes: tuple[int, ...], name: str) -> da.Array:
    """Return y or weights, in memory or not, in chunks of the given sizes."""
    if not is_dask_collection(collection):
        collection = np.asarray(collection)
        if not collection.ndim:
            raise ValueError(f"{name} must be an array, of a number per row. Got {collection}.")
        collection = da.from_array(collection, chunks=(len(collection), *collection.shape[1:]))
    collection = _with_known_sizes(collection)
    _require_same_length(sum(sizes), collection.shape[0], name)
    return collection if collection.chunks[0] == sizes else collection.rechunk({0: sizes})


def _require_same_length(n_samples: int, given: int, name: str) -> None:
    if given != n_samples:
        raise ValueError(f"X and {name} must have as many rows. Got {n_samples} and {given}.")
