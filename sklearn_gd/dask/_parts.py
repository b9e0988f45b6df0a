"""What a worker does with the chunks of rows that lie there.

A `Shard` is Dask's actor of one fit on one worker. It is asked for sums over its parts; what a
part is asked for depends on nothing but the question, so that a part that was lost with its
worker can be put together again elsewhere, and the question asked once more.
"""

from __future__ import annotations

import math
import mmap
import pickle
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
from distributed import get_worker
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets

from sklearn_gd._data.split import PickedRows
from sklearn_gd._data.validation import (
    _X_CHECKS,
    canonical,
    check_regression,
    check_weights,
    in_precision,
    validated,
)
from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._pieces import Array
from sklearn_gd._training.learners import Rosenblatt

# Up to this share of a worker's memory rows are kept in it, and further ones in files: at 0.6 Dask
# begins to move results to the disk, and at 0.8 the worker takes no more tasks.
_IN_MEMORY = 0.5

# The shards of this process; of workers in threads there are several.
_SHARDS: weakref.WeakValueDictionary[tuple[str, str], Shard] = weakref.WeakValueDictionary()


def regression_rows(
    estimator: Any, block: tuple[Any, Any, Any], dtype: Any
) -> tuple[Rows, dict[str, Any]]:
    """Check a block with the checks of an estimator; return its rows and what their shape is."""
    X, y, one_axis = check_regression(estimator, block[0], block[1], reset=True)
    told = {"one_axis": one_axis, "n_outputs": y.shape[1]}
    X, y, weights = _with_weight(in_precision(X, dtype), y, block[2])
    return Rows(X, in_precision(y, dtype, "y"), weights), told


def labelled_rows(
    estimator: Any, block: tuple[Any, Any, Any], dtype: Any
) -> tuple[LabelledRows, dict[str, Any]]:
    """Check a block with the checks of an estimator; return its rows and their labels."""
    X, y = validated(estimator, block[0], block[1], reset=True, **_X_CHECKS)
    check_classification_targets(y)
    told = {"labels": np.unique(y)}
    X, y, weights = _with_weight(in_precision(canonical(X), dtype), y, block[2])
    return LabelledRows(X, y, weights), told


def _with_weight(X: Any, y: Array, sample_weight: Any) -> tuple[Any, Array, Array | None]:
    """Leave out the rows without weight, of which nothing is learned."""
    weights = check_weights(sample_weight, X)
    if weights is not None and not weights.all():
        kept = weights > 0
        X, y, weights = X[kept], y[kept], weights[kept]
    return X, y, weights


class Kind(NamedTuple):
    """What all blocks of some rows are like; `dtype` is what their X is trained in."""

    n_features: int
    dtype: np.dtype[Any]


class Part:
    """The rows of one chunk, in groups: at first all of them, later those to train and validate.

    Parameters
    ----------
    number : int
        Which chunk it is.
    rows : Rows or LabelledRows
    """

    def __init__(self, number: int, rows: Any) -> None:
        self.number = number
        self.groups: dict[Any, Any] = {"all": rows}
        self.starts: dict[str, int] = {}
        self._order: tuple[Any, Any] = (None, None)

    def encode(self, classes: Array) -> None:
        """Put the number of its class in the place of each label."""
        rows = self.groups["all"]
        codes = np.searchsorted(classes, rows.codes).astype(np.int32)
        self.groups["all"] = rows._replace(codes=codes)

    def weigh(self, class_weights: Array, by_neuron: bool) -> None:
        """Take the weights of classes into account."""
        rows = self.groups["all"].weighed(class_weights, by_neuron)
        if rows.weights is not None and not rows.weights.all():
            rows = _set_apart(rows, np.flatnonzero(rows.weights))
        self.groups["all"] = rows

    def set_aside(self, fraction: float, seed: int, before: Mapping[int, Array]) -> None:
        """Divide the rows in those to train and to validate on, each class alike.

        Parameters
        ----------
        fraction : float
            Of all rows of all parts, the share to validate on.
        seed : int
        before : dict of ndarray of shape (n_classes,)
            For each part by its number, how many rows of each class are in the parts before it.
        """
        rows = self.groups.pop("all")
        order = np.random.default_rng([seed, self.number]).permutation(rows.X.shape[0])
        first = before[self.number]
        classes = _classes_of(rows)[order]
        held = np.zeros(len(order), bool)
        for k, count in enumerate(np.bincount(classes, minlength=len(first))):
            n_held = math.ceil(fraction * (first[k] + count)) - math.ceil(fraction * first[k])
            held[order[np.flatnonzero(classes == k)[:n_held]]] = True
        self.groups["held"] = _set_apart(rows, np.flatnonzero(held))
        self.groups["train"] = _set_apart(rows, np.flatnonzero(~held))

    def start_at(self, group: str, starts: Mapping[int, int]) -> None:
        """Hear how many rows of a group are in the parts before this one, by their numbers."""
        self.starts[group] = starts[self.number]

    def summary(self, _: None, group: str) -> dict[str, Any]:
        """Return what is to be known of a group's rows before anything is learned from them."""
        rows = self.groups[group]
        n_samples = rows.X.shape[0]
        weights = np.ones(n_samples) if rows.weights is None else rows.weights
        told = {"n_samples": n_samples, "weight": float(weights.sum())}
        if isinstance(rows, LabelledRows):
            return told | {"counts": np.bincount(rows.codes)}
        if not n_samples:
            return told | {"counts": np.zeros(1, int)}
        y = rows.y.astype(np.float64, copy=False)
        mean = np.average(y, axis=0, weights=weights)
        return told | {
            "counts": np.array([n_samples]),
            "low": y.min(axis=0),
            "high": y.max(axis=0),
            "mean": mean,
            "squares": weights @ (y - mean) ** 2,
        }

    def moments_with_ones(self, _: None, group: str) -> tuple[Any, ...]:
        """Return the moments of X and a column of ones."""
        rows = self.groups[group]
        ones = np.ones((rows.X.shape[0], 1))
        moments = Moments(rows.X.shape[1], 1).added(rows.X, ones, rows.weights)
        return moments.xx, moments.xy, moments.yy, moments.weight

    def target_sums(self, network: Network, group: str) -> tuple[Array]:
        """Return the sums (n_outputs,) of the targets."""
        rows = self._targets(network, group)
        y = rows.y.astype(np.float64, copy=False)
        return (y.sum(axis=0) if rows.weights is None else rows.weights @ y,)

    def constants(self, network: Network, group: str, constants: Array) -> tuple[Array]:
        """Return the summed losses (n_outputs,) of constant predictions."""
        rows = self._targets(network, group)
        y_pred = np.broadcast_to(constants, rows.y.shape).astype(rows.y.dtype)
        values = network.loss.value(rows.y, y_pred).astype(np.float64, copy=False)
        return (values.sum(axis=0) if rows.weights is None else rows.weights @ values,)

    def loss(self, network: Network, group: str, parameters: Array) -> tuple[float]:
        """Return the loss summed over a group's rows."""
        rows = self._targets(network, group)
        if not rows.n_samples:
            return (0.0,)
        weight = rows.n_samples if rows.weights is None else rows.weights.sum()
        return (network.mean_loss(parameters, *rows) * float(weight),)

    def gradient(
        self,
        network: Network,
        group: str,
        parameters: Array,
        share: float,
        deal: tuple[int, int, int | None],
    ) -> tuple[Any, ...]:
        """Return the summed loss of this part's piece of a batch, and its share of the gradient.

        Parameters
        ----------
        network : Network
        group : str
        parameters : ndarray of shape (size,)
        share : float
            What the summed gradient is divided by.
        deal : tuple of (step, n_steps, seed)
            The rows, in an order that `seed` gives, are dealt to the steps of the epoch in turn,
            as cards are, and each part goes on where the one before it ended.
        """
        step, n_steps, seed = deal
        rows = self._targets(network, group)
        if n_steps > 1:
            first = (step - self.starts[group]) % n_steps
            order = self._in_order(group, rows.n_samples, seed)
            picked = slice(first, None, n_steps) if order is None else order[first::n_steps]
            rows = _picked(rows, picked)
        if not rows.n_samples:
            return 0.0, np.zeros(network.size, network.dtype)
        loss, gradient = network(parameters, *rows, share)
        return loss, gradient.copy()

    def rosenblatt(
        self, learner: Rosenblatt, group: str, start: Array, rate: float, seed: int | None
    ) -> tuple[Any, ...]:
        """Let neurons meet a group's rows once; return their weights times their mistakes.

        Returns
        -------
        mistakes, parameters, loss, visits, total
            The last is the average weights times the visits, where an average is kept.
        """
        rows = self.groups[group]
        learner.begin(start)
        if seed is not None:
            learner.generator = np.random.default_rng([seed, self.number])
        learner.learn_from(rows, shuffle=seed is not None)
        loss = 0.0
        if len(rows.codes):
            loss = learner.run_epoch(rate) * rows.total(learner.n_neurons)
        k, visits = learner.updates, learner.visits
        parameters = (learner.parameters if k else start).astype(np.float64)
        return k, k * parameters, loss, visits, np.float64(visits) * learner.averaged()

    def rosenblatt_loss(self, learner: Rosenblatt, group: str, weights: Array) -> tuple[float]:
        """Return the summed loss of step neurons."""
        rows = self.groups[group]
        if not len(rows.codes):
            return (0.0,)
        return (learner.mean_loss_over(rows, weights) * rows.total(learner.n_neurons),)

    def total(self, _: None, group: str, n_neurons: int) -> tuple[float]:
        """Return the sum of all weights, over rows and neurons."""
        return (self.groups[group].total(n_neurons),)

    def constant_losses(self, learner: Rosenblatt, group: str) -> tuple[Array]:
        """Return the summed losses (2, n_neurons) of neurons that never, or always, fire."""
        return (learner.constant_losses(self.groups[group]),)

    def _targets(self, network: Any, group: str) -> Rows:
        """Return a group's rows with numbers as targets, which labels are turned into."""
        rows = self.groups[group]
        if isinstance(rows, Rows):
            return rows
        low, high = network.ends
        key = ("targets", group, low, high)
        if key not in self.groups:
            self.groups[key] = rows.objective(network, low, high).rows
        targets: Rows = self.groups[key]
        return targets

    def _in_order(self, group: str, n_samples: int, seed: int | None) -> Array | None:
        """Return the order in which an epoch meets the rows; None: as they come."""
        if seed is None:
            return None
        if self._order[0] != (group, seed):
            generator = np.random.default_rng([seed, self.number])
            self._order = ((group, seed), generator.permutation(n_samples))
        order: Array = self._order[1]
        return order


def _classes_of(rows: Any) -> Array:
    if isinstance(rows, LabelledRows):
        return rows.codes
    return np.zeros(rows.X.shape[0], int)


def _picked(rows: Any, picked: Any) -> Any:
    weights = None if rows.weights is None else rows.weights[picked]
    return type(rows)(rows.X[picked], rows[1][picked], weights, *rows[3:])


def _set_apart(rows: Any, numbers: Array) -> Any:
    """Return some rows, with no copy of X, which may be in a file, where it is dense."""
    X = rows.X
    if sparse.issparse(X):
        return _picked(rows, numbers)
    X = PickedRows(X.X, X.rows[numbers]) if isinstance(X, PickedRows) else PickedRows(X, numbers)
    return _picked(rows._replace(X=np.empty((rows.X.shape[0], 0))), numbers)._replace(X=X)


class Shard:
    """The parts of one fit that lie on one worker: an actor.

    Parameters
    ----------
    run : str
        The name of the fit.
    address : str
        The worker's.
    """

    def __init__(self, run: str, address: str) -> None:
        self.parts: dict[tuple[str, int], Part] = {}
        self._made: dict[tuple[int, bytes | None], Any] = {}
        self._room = threading.Lock()
        worker = get_worker()
        self._threads = int(worker.state.nthreads)
        limit = worker.memory_manager.memory_limit
        self._left = math.inf
        if limit is not None:
            self._left = _IN_MEMORY * limit - worker.monitor.get_process_memory()
        self._folder = worker.local_directory
        _SHARDS[run, address] = self

    def keep(self, source: str, number: int, rows: Any, tasks: Sequence[tuple[str, Any]]) -> None:
        """Keep the rows of a part, in memory or beside it, after the given tasks."""
        arrays = _arrays_of(rows.X)
        size = sum(array.nbytes for array in arrays)
        with self._room:
            # What stays in memory in any case: targets, weights, numbers of rows, and an order.
            self._left -= rows[1].nbytes + 24 * rows.X.shape[0]
            in_memory = size <= self._left
            if in_memory:
                self._left -= size
        store = _settled if in_memory else self._filed
        rows = rows._replace(X=_made_of([store(array) for array in arrays], rows.X))
        part = Part(number, rows)
        for method, arguments in tasks:
            getattr(part, method)(*arguments)
        self.parts[source, number] = part

    def _filed(self, array: Array) -> Array:
        """Return the array as it lies in a file, which goes with the last one that uses it."""
        if not array.size:  # there are no empty maps
            return array
        with tempfile.TemporaryFile(dir=self._folder) as file:
            array.tofile(file)
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, array.dtype).reshape(array.shape)

    def ask(self, *message: Any) -> tuple[Any, ...]:
        """Answer a packed question: a method's name and its arguments.

        The answer is "done" and what the method gives, or "failed" and its error: where the call
        itself fails, it is the worker that has.
        """
        answer: tuple[str, Any]
        try:
            method, *question = unpacked(message)
            with _quietly():
                answer = "done", getattr(self, method)(*question)
        except Exception as error:
            answer = "failed", error
        return packed(answer)

    def do(self, source: str, method: str, arguments: Any) -> None:
        """Do one task with every part of a source."""
        for (of, _), part in self.parts.items():
            if of == source:
                getattr(part, method)(*arguments)

    def each(
        self, source: str, numbers: Sequence[int], method: str, arguments: Any
    ) -> dict[int, Any]:
        """Return what each of the parts answers, by its number."""
        return {n: getattr(self.parts[source, n], method)(None, *arguments) for n in numbers}

    def total(
        self, source: str, numbers: Sequence[int], made: bytes | None, method: str, arguments: Any
    ) -> list[Any]:
        """Return the sum over the parts of what each of them answers.

        Parameters
        ----------
        source : str
        numbers : sequence of int
            The parts.
        made : bytes or None
            A pickled function that makes what answers need, such as a network; made once.
        method : str
            The question: a method of `Part`.
        arguments : tuple
        """
        n_threads = min(self._threads, len(numbers))

        def over(thread: int) -> list[Any]:
            model = self._model(thread, made)
            parts = [self.parts[source, number] for number in numbers[thread::n_threads]]
            with _quietly():
                return summed(_asked(part, method, model, arguments) for part in parts)

        if n_threads == 1:
            return over(0)
        with ThreadPoolExecutor(n_threads) as pool:
            return summed(pool.map(over, range(n_threads)))

    def _model(self, thread: int, made: bytes | None) -> Any:
        if made is None:
            return None
        key = (thread, made)
        if key not in self._made:
            self._made[key] = cloudpickle.loads(made)()
        return self._made[key]


def put(
    run: str,
    source: str,
    number: int,
    check: Callable[..., tuple[Any, dict[str, Any]]],
    estimator: Any,
    kind: Kind,
    tasks: Sequence[tuple[str, Any]],
    *block: Any,
) -> tuple[str, dict[str, Any], bool] | None:
    """Check a block, and keep its rows in the shard of the worker that this runs on.

    Returns the worker's address, what the check tells, and whether there are rows to keep; None
    where there is no such shard.
    """
    address = get_worker().address
    shard = _SHARDS.get((run, address))
    if shard is None:
        return None
    if not block[0].shape[0]:
        return address, {}, False
    rows, told = checked(check, estimator, block, kind, number)
    has_rows = rows.X.shape[0] > 0
    if has_rows:
        shard.keep(source, number, rows, tasks)
    return address, told, has_rows


def checked(check: Callable[..., Any], estimator: Any, block: Any, kind: Kind, number: int) -> Any:
    """Check a block; an error says which one it is."""
    try:
        width = block[0].shape[1]
        if width != kind.n_features:
            raise ValueError(f"X has {width} columns here, and {kind.n_features} as a whole.")
        return check(estimator, block, kind.dtype)
    except (TypeError, ValueError) as error:
        of = TypeError if isinstance(error, TypeError) else ValueError
        raise of(f"In chunk {number} of the rows: {error}") from error


def one_shape(shapes: set[tuple[bool, int]]) -> bool:
    """Return whether y has one axis, from (one axis, columns) of its chunks, which must be alike.

    Raises
    ------
    ValueError
        Where they are not.
    """
    if len(shapes) != 1:
        raise ValueError(f"The chunks of y must have the same columns. Got {sorted(shapes)}.")
    ((one_axis, _),) = shapes
    return one_axis


def summed(results: Iterable[Any]) -> list[Any]:
    """Return the sum of several answers, each a sequence of numbers and arrays.

    Arrays are added in place, to the first one.
    """
    total: list[Any] = []
    for result in results:  # one at a time: each may be as large as a network
        if not total:
            total = list(result)
            continue
        for i, value in enumerate(result):
            total[i] += value
    return total


def _asked(part: Part, method: str, model: Any, arguments: Any) -> Any:
    answer = getattr(part, method)(model, *arguments)
    for rows in part.groups.values():
        _let_go(rows.X)
    return answer


def packed(message: Any) -> tuple[Any, ...]:
    """Return a message as Dask sends it fastest: its arrays one by one, and the rest as bytes."""
    buffers: list[Any] = []
    rest = cloudpickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    return *(np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers), rest


def unpacked(message: tuple[Any, ...]) -> Any:
    """Return what was packed, with arrays of its own: they come off the wire askew."""
    *buffers, rest = message
    return pickle.loads(rest, buffers=[buffer.copy() for buffer in buffers])


def _quietly() -> Any:
    """Say nothing of overflows in this thread: a descent looks at the loss instead."""
    return np.errstate(all="ignore")


def aligned(X: Any) -> Any:
    """Return an array as BLAS wants it, for it comes off the wire askew; all else as it is."""
    return np.require(X, requirements=["C", "A"]) if isinstance(X, np.ndarray) else X


def _arrays_of(X: Any) -> list[Array]:
    X = X.X if isinstance(X, PickedRows) else X
    return [X.data, X.indices, X.indptr] if sparse.issparse(X) else [X]


def _made_of(arrays: list[Array], like: Any) -> Any:
    if not sparse.issparse(like):
        return arrays[0]
    return type(like)(tuple(arrays), shape=like.shape)


def _settled(array: Array) -> Array:
    """Return an array of whole rows that is aligned, and none's but ours."""
    return np.require(array, requirements=["C", "A", "O"])


def _let_go(X: Any) -> None:
    """Give pages of rows that lie in a file back, which count as this worker's memory else."""
    for array in _arrays_of(X):
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        mapped = getattr(base, "obj", None)
        if isinstance(mapped, mmap.mmap) and hasattr(mapped, "madvise"):
            mapped.madvise(mmap.MADV_DONTNEED)
