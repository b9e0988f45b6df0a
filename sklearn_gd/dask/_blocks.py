"""Dask collections, or rows in memory, as blocks of rows that can be sent for one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask.base import is_dask_collection
from dask.delayed import delayed
from dask.utils import is_dataframe_like, is_series_like
from sklearn.utils.validation import validate_data

from sklearn_gd._data.validation import _X_CHECKS, validated
from sklearn_gd._pieces import Array
from sklearn_gd.dask._parts import Kind


class Block:
    """Some rows, by what stands for their X, y and weights in a graph of tasks."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def ask(self) -> tuple[Any, ...]:
        """Return what stands for X, y and weights, or None for the last."""
        return self.parts

    def let_go(self) -> None:
        """Hear that what was asked for has been used."""


class BlockFromMemory(Block):
    """Rows in memory, which are sent to some worker whenever they are asked for."""

    def __init__(self, client: Any, *parts: Any) -> None:
        super().__init__(*parts)
        self.client = client
        self._sent: Any = None

    def ask(self) -> tuple[Any, ...]:
        # As long as the future is held, here or in a graph that is under way, the rows are too.
        (self._sent,) = self.client.scatter([self.parts], hash=False)
        sent = delayed(self._sent)
        return sent[0], sent[1], sent[2]

    def let_go(self) -> None:
        self._sent = None


class Blocks(NamedTuple):
    """The rows of X, y and weights, cut alike, and what all of them are like."""

    blocks: list[Block]
    kind: Kind


def is_lazy(*collections: Any) -> bool:
    """Return whether any of them is a Dask collection."""
    return any(is_dask_collection(given) for given in collections)


def lazy_blocks(estimator: Any, X: Any, y: Any, weights: Any, *, reset: bool = True) -> Blocks:
    """Cut X, y and weights, some of them lazy, into the chunks of X; nothing is worked out yet.

    Sets what the estimator knows of its features, or, without `reset`, checks against it.

    Raises
    ------
    ValueError, TypeError
        For collections of the wrong kind or shape, or of different numbers of rows.
    """
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed. Got None.")
    if is_dask_collection(X):
        _check_kind("X", X, (2,))
        X = whole_rows(X)
        example: Any = X._meta if is_frame(X) else np.empty((1, X.shape[1]))
        validate_data(estimator, example, reset=reset, skip_check_array=True)
    else:
        example = validated(estimator, X, reset=reset, **_X_CHECKS)
        X = _in_chunks_of_the_lazy_one(example, y, weights)
    dtypes = set(example.dtypes) if is_frame(X) else {X.dtype}
    dtype = np.dtype(np.float32 if dtypes == {np.dtype(np.float32)} else np.float64)
    cut = _cut_alike(X, y, weights)
    return Blocks([Block(*block) for block in cut], Kind(int(example.shape[1]), dtype))


def blocks_of_memory(client: Any, X: Any, y: Array, weights: Array | None) -> Blocks:
    """Cut checked rows that are in memory into as many blocks as the workers have threads.

    Each is sent to a worker when it is asked for.
    """
    n_samples = X.shape[0]
    n_blocks = min(n_samples, max(1, sum(client.nthreads().values())))
    ends = np.linspace(0, n_samples, n_blocks + 1).astype(int).tolist()

    blocks: list[Block] = [
        BlockFromMemory(client, X[a:b], y[a:b], None if weights is None else weights[a:b])
        for a, b in pairwise(ends)
    ]
    return Blocks(blocks, Kind(int(X.shape[1]), X.dtype))


def is_frame(collection: Any) -> bool:
    """Return whether this is a Dask data frame or series."""
    return is_dask_collection(collection) and (
        is_dataframe_like(collection) or is_series_like(collection)
    )


def _check_kind(name: str, collection: Any, ndims: tuple[int, ...]) -> None:
    if not (isinstance(collection, da.Array) or is_frame(collection)):
        raise TypeError(
            f"{name} must be a Dask array or data frame, or be in memory. "
            f"Got {type(collection).__name__}."
        )
    if collection.ndim not in ndims:
        expected = " or ".join(("one axis", "two axes")[ndim - 1] for ndim in ndims)
        raise ValueError(f"{name} must have {expected}. Got {collection.ndim}.")


def _in_chunks_of_the_lazy_one(X: Any, y: Any, weights: Any) -> Any:
    """Return X, which is in memory, as an array in the chunks of y or of the weights."""
    name, leader = ("y", y) if is_lazy(y) else ("sample_weight", weights)
    _check_kind(name, leader, (1, 2))
    leader = _known(leader)
    _require_as_many(X.shape[0], leader.shape[0], name)
    return da.from_array(X, chunks=(leader.chunks[0], -1), asarray=False)


def whole_rows(collection: Any) -> Any:
    """Return an array whose rows are whole, and whose width is known."""
    if is_frame(collection):
        return collection
    if np.isnan(collection.shape[1]):
        collection = collection.compute_chunk_sizes()
    if len(collection.chunks[1]) == 1:
        return collection
    return _known(collection).rechunk({1: -1})


def _known(collection: Any) -> Any:
    """Return an array whose chunk sizes are known, worked out where they were not."""
    if is_frame(collection):
        return collection.to_dask_array(lengths=True)
    if any(np.isnan(size) for size in collection.chunks[0]):
        return collection.compute_chunk_sizes()
    return collection


def _n_blocks(collection: Any) -> int:
    if is_frame(collection):
        return int(collection.npartitions)
    return len(collection.chunks[0])


def _sizes(collection: Any) -> tuple[Any, ...]:
    """Return the rows of each block; NaN where they are unknown."""
    if is_frame(collection):
        return (np.nan,) * collection.npartitions
    return tuple(collection.chunks[0])


def _cut_alike(X: Any, y: Any, weights: Any) -> list[tuple[Any, Any, Any]]:
    """Return blocks (X, y, weights) in the chunks of X.

    Chunks of unknown sizes are taken to match where there are as many of them, which is found out
    when they are worked out; else the sizes are worked out first.
    """
    given = {"y": y} | ({} if weights is None else {"sample_weight": weights})
    for name, each in given.items():
        if is_dask_collection(each):
            _check_kind(name, each, (1, 2) if name == "y" else (1,))
            given[name] = whole_rows(each) if each.ndim == 2 else each
    lazy = [each for each in given.values() if is_dask_collection(each)]
    unknown = any(np.isnan(size) for each in (X, *lazy) for size in _sizes(each))
    matches = len(lazy) == len(given) and all(_n_blocks(each) == _n_blocks(X) for each in lazy)
    if not (unknown and matches):
        X = _known(X)
        given = {name: _in_chunks_of(X, each, name) for name, each in given.items()}
    columns = [_delayed(X), *(_delayed(each) for each in given.values())]
    if weights is None:
        columns.append([None] * len(columns[0]))
    return list(zip(*columns, strict=True))


def _in_chunks_of(X: Any, each: Any, name: str) -> Any:
    rows = X.chunks[0]
    if not is_dask_collection(each):
        each = np.asarray(each)
        if not each.ndim:
            raise ValueError(f"{name} must be an array, of a number per row. Got {each}.")
        each = da.from_array(each, chunks=(len(each), *each.shape[1:]))
    each = _known(each)
    _require_as_many(sum(rows), each.shape[0], name)
    return each if each.chunks[0] == rows else each.rechunk({0: rows})


def _require_as_many(n_samples: int, given: int, name: str) -> None:
    if given != n_samples:
        raise ValueError(f"X and {name} must have as many rows. Got {n_samples} and {given}.")


def _delayed(collection: Any) -> list[Any]:
    blocks = collection.to_delayed()
    return list(np.ravel(blocks)) if isinstance(blocks, np.ndarray) else list(blocks)
