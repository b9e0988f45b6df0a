"""The three estimators for data on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

import numpy as np
from distributed import Client, get_client
from sklearn.base import BaseEstimator
from sklearn.utils import Tags

from sklearn_gd._base import Estimator, available_if
from sklearn_gd._data.validation import require_numpy_rows
from sklearn_gd._feed_forward import FeedForwardRegressor
from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._perceptron import PerceptronClassifier, _is_sigmoid
from sklearn_gd._pieces import ArrayLike, DType, storable
from sklearn_gd._through_origin import ThroughOriginRegressor
from sklearn_gd._training.learners import Rosenblatt
from sklearn_gd.dask._chunks import Chunks, is_lazy, lazy_chunks, memory_chunks
from sklearn_gd.dask._distributed import DistributedLabelledRows, DistributedRows, MixedRosenblatt
from sklearn_gd.dask._partition import (
    Checks,
    Data,
    check_labelled_chunk,
    check_regression_chunk,
    one_axis_of,
)
from sklearn_gd.dask._predict import predict_chunks, score_chunks
from sklearn_gd.dask._reduction import StreamedRows
from sklearn_gd.dask._workers import Workers, connected

T = TypeVar("T")

_OF_THIS_PROCESS = {"_client", "_workers"}  # attributes that are not stored


class OnDask(Estimator):
    """Mixin for estimators on a Dask cluster: the client, and the conversion of data to datasets.

    A subclass defines ``_dataset``, which makes a dataset of chunks.
    """

    _local: type[BaseEstimator]
    _workers: Workers

    @property
    def client(self) -> Client:
        """The Dask client whose workers are used; by default the current one."""
        client = self.__dict__.get("_client")
        if client is not None:
            return client
        try:
            return get_client()
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__} needs a Dask client, and there is none: open one with "
                "distributed.Client(), or set the estimator's client."
            ) from error

    @client.setter
    def client(self, client: Client | None) -> None:
        if client is not None and not isinstance(client, Client):
            raise TypeError(
                f"client must be a distributed.Client or None. Got {type(client).__name__}."
            )
        self._client = client

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        return tags

    def __getstate__(self) -> dict[str, object]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in _OF_THIS_PROCESS}

    def to_local(self) -> Any:
        """Return the same model as the estimator that needs no Dask.

        Returns
        -------
        estimator : ThroughOriginRegressor, PerceptronClassifier or FeedForwardRegressor
            With the same parameters and fitted attributes.
        """
        local = self._local()
        vars(local).update({n: v for n, v in vars(self).items() if n not in _OF_THIS_PROCESS})
        return local

    def predict(self, X: ArrayLike) -> ArrayLike:
        """Return the predictions: lazy ones for a Dask array or data frame.

        Parameters
        ----------
        X : array-like, or Dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        y_pred : ndarray or Dask array; for a Dask data frame, a Dask series or data frame
            With the chunks of X.
        """
        return self._predict("predict", X)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R² of a regressor, the accuracy of a classifier.

        Parameters
        ----------
        X : array-like, or Dask array or data frame, of shape (n_samples, n_features)
        y : array-like, or Dask collection, of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like or Dask array of shape (n_samples,), optional

        Returns
        -------
        score : float
        """
        if not is_lazy(X, y, sample_weight):
            return float(super().score(X, y, sample_weight))
        with connected(self.client), self._as_current():
            return score_chunks(self.to_local(), self.client, X, y, sample_weight)

    def _predict(self, method: str, X: ArrayLike) -> ArrayLike:
        if not is_lazy(X):
            return getattr(self.to_local(), method)(X)
        with self._as_current():
            return predict_chunks(self.to_local(), method, X)

    def _as_current(self) -> AbstractContextManager[object]:
        """Return a context in which Dask computes, for example, chunk sizes with this client."""
        client = self.__dict__.get("_client")
        return nullcontext() if client is None else client.as_current()

    @contextmanager
    def _fitting(self, method: str, *data: object) -> Iterator[None]:
        if method == "partial_fit":
            if is_lazy(*data):
                raise TypeError(
                    f"{type(self).__name__}.partial_fit takes rows in memory. Give Dask "
                    "collections to fit, or one chunk after the other to partial_fit, computed."
                )
            yield
            return
        client = self.client
        with connected(client), self._as_current():
            self._workers = Workers(client)
            try:
                yield
            finally:
                self._workers.close()
                del self._workers

    def _check_train(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, **options: bool
    ) -> Any:
        check = partial(super()._check_train, **options)
        return self._dataset("train", self._chunks(check, X, y, sample_weight), **options)

    def _check_held_out(
        self,
        X_val: ArrayLike,
        y_val: ArrayLike,
        weights_val: ArrayLike | None,
        train: Any,
        *one_axis: bool,
    ) -> Any:
        in_memory = super()._check_held_out

        def check(*data: ArrayLike) -> Any:
            return in_memory(*data, train, *one_axis)

        chunks = self._chunks(check, X_val, y_val, weights_val, reset=False)
        return self._dataset("validate", chunks._replace(dtype=train.dtype), train, *one_axis)

    def _chunks(
        self,
        check: Callable[..., Any],
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        reset: bool = True,
    ) -> Chunks:
        """Return data in chunks; data in memory after the checks of the local estimator."""
        if is_lazy(X, y, sample_weight):
            return lazy_chunks(self, X, y, sample_weight, reset=reset)
        for name, given in (("X", X), ("y", y), ("sample_weight", sample_weight)):
            require_numpy_rows(self, given, name)
        checked = check(X, y, sample_weight)
        rows = checked if hasattr(checked, "X") else checked[0]
        if isinstance(rows, LabelledRows):
            y = self.classes_[rows.codes]
        else:
            y = rows.y[:, 0] if np.ndim(y) == 1 else rows.y
        return memory_chunks(self.client, rows.X, y, rows.weights)

    def _load(
        self,
        source: str,
        chunks: Chunks,
        check: Callable[[BaseEstimator, Data, DType], tuple[object, T]],
    ) -> list[T]:
        """Load chunks on the workers; return the information from the checks of each."""
        checks = Checks(check, self._local(), chunks.n_features, chunks.dtype)
        information = self._workers.load(source, chunks.chunks, checks)
        if not self._workers.has_rows(source):
            raise ValueError(
                f"{type(self).__name__} needs rows, with weight, to {source}. There are none."
            )
        return information

    def _load_regression(self, source: str, chunks: Chunks) -> tuple[DistributedRows, bool]:
        """Load chunks on the workers; return the dataset, and whether y has one axis."""
        one_axis = one_axis_of(set(self._load(source, chunks, check_regression_chunk)))
        rows = DistributedRows(self._workers, source, "all", chunks.n_features, chunks.dtype)
        return rows, one_axis


@storable
class DaskThroughOriginRegressor(OnDask, ThroughOriginRegressor):
    """Regression through the origin over rows on a Dask cluster.

    With the identity and the squared error, each chunk is summed up where it lies, the sums are
    added up in a tree, and the descent on them is the local one: one pass over the rows, however
    many there are, and no more of them in memory than a chunk a thread. Other losses and
    activations need the rows once an iteration: they are kept on the workers, and the
    gradient is summed up over them.

    Parameters
    ----------
    activation, loss, solver, learning_rate, alpha, max_iter, tol, warm_start, verbose
        As for :class:`sklearn_gd.ThroughOriginRegressor`.

    Attributes
    ----------
    client : distributed.Client
        Whose workers are used; by default the current one. It is no parameter: clones and pickles
        go without.

    See Also
    --------
    sklearn_gd.ThroughOriginRegressor : The same here and now, and the fitted attributes.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn_gd.dask import DaskThroughOriginRegressor
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     X = da.random.default_rng(0).normal(size=(10_000, 3), chunks=(1_000, -1))
    ...     line = DaskThroughOriginRegressor().fit(X, X @ [1.0, 2.0, 3.0])
    >>> line.coef_.round(6)
    array([1., 2., 3.])
    """

    _local = ThroughOriginRegressor

    def _dataset(self, source: str, chunks: Chunks, *, look_at_all: bool) -> Any:
        if look_at_all:
            return self._load_regression(source, chunks)
        rows = StreamedRows(self.client, chunks, self._local())
        return rows, rows.one_axis


@storable
class DaskFeedForwardRegressor(OnDask, FeedForwardRegressor):
    """A multi-layer perceptron, trained by all workers of a Dask cluster in step.

    The rows stay on the workers. In each step they are sent the weights, each works out the
    gradient over its piece of the batch, and the sum of these moves the weights here: synchronous
    data-parallel descent, which gives what the same batches give on one machine. A batch has rows
    of every chunk: in each epoch a chunk's rows, shuffled, are dealt to the steps like cards.

    A step costs a message to every worker and back, some milliseconds, so that batches should be
    as large as learning allows; see the page on scaling.

    Parameters
    ----------
    hidden_layer_sizes, activation, output_activation, loss, solver, learning_rate, alpha, \
    batch_size, max_iter, tol, n_iter_no_change, shuffle, early_stopping, validation_fraction, \
    init, warm_start, random_state, verbose
        As for :class:`sklearn_gd.FeedForwardRegressor`.

    Attributes
    ----------
    client : distributed.Client
        Whose workers are used; by default the current one. It is no parameter: clones and pickles
        go without.

    See Also
    --------
    sklearn_gd.FeedForwardRegressor : The same here and now, and the fitted attributes.

    Notes
    -----
    What comes out does not depend on the number of workers, but for rounding: sums over a
    worker's chunks are added up in another order. It does depend on the chunks, each of which
    shuffles its own rows.

    References
    ----------
    J. Chen, X. Pan, R. Monga, S. Bengio, R. Jozefowicz, "Revisiting distributed synchronous SGD",
    ICLR workshop 2016.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn_gd.dask import DaskFeedForwardRegressor
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     X = da.random.default_rng(0).uniform(-1, 1, size=(2_000, 2), chunks=(500, -1))
    ...     net = DaskFeedForwardRegressor(
    ...         hidden_layer_sizes=20, learning_rate=0.01, max_iter=20, tol=None, random_state=0
    ...     ).fit(X, X[:, 0] * X[:, 1])
    >>> net.loss_ < 0.02
    True
    """

    _local = FeedForwardRegressor

    def _dataset(
        self,
        source: str,
        chunks: Chunks,
        train: DistributedRows | None = None,
        one_axis: bool | None = None,
    ) -> Any:
        rows, one = self._load_regression(source, chunks)
        if train is None:
            return rows, one
        if (one, rows.n_outputs) != (one_axis, train.n_outputs):
            raise ValueError(
                f"y_val must have the columns of y. Got {rows.n_outputs} columns for "
                f"{train.n_outputs}, or other axes."
            )
        return rows


@storable
class DaskPerceptronClassifier(OnDask, PerceptronClassifier):
    """Neurons trained by all workers of a Dask cluster.

    With a differentiable activation the workers descend in step, as for
    :class:`DaskFeedForwardRegressor`. With the step they learn by iterative parameter mixing
    [1]_: each chunk meets its rows once by Rosenblatt's rule, beginning at the same weights, and
    the weights of all chunks are averaged, each by its share of the mistakes; this is one epoch.
    On separable rows it ends without a mistake, as Rosenblatt's rule does, though not at the same
    weights; one chunk is Rosenblatt's rule itself.

    Parameters
    ----------
    activation, loss, solver, learning_rate, alpha, fit_intercept, average, batch_size, \
    max_iter, tol, n_iter_no_change, shuffle, early_stopping, validation_fraction, \
    class_weight, warm_start, random_state, verbose
        As for :class:`sklearn_gd.PerceptronClassifier`. With the step, `average` is the mean of
        the weights after every row of every chunk.

    Attributes
    ----------
    client : distributed.Client
        Whose workers are used; by default the current one. It is no parameter: clones and pickles
        go without.

    See Also
    --------
    sklearn_gd.PerceptronClassifier : The same here and now, and the fitted attributes.

    Notes
    -----
    For more than two classes the share of the mistakes is that of all neurons together.

    References
    ----------
    .. [1] R. McDonald, K. Hall, G. Mann, "Distributed training strategies for the structured
       perceptron", NAACL 2010.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn_gd.dask import DaskPerceptronClassifier
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     X = da.random.default_rng(0).normal(size=(2_000, 2), chunks=(500, -1))
    ...     X = X[abs(X[:, 0] - X[:, 1]) > 0.2]
    ...     neuron = DaskPerceptronClassifier(random_state=0).fit(X, X[:, 0] > X[:, 1])
    >>> neuron.loss_
    0.0
    """

    _local = PerceptronClassifier

    def decision_function(self, X: ArrayLike) -> ArrayLike:
        return self._predict("decision_function", X)

    @available_if(_is_sigmoid)
    def predict_proba(self, X: ArrayLike) -> ArrayLike:
        return self._predict("predict_proba", X)

    def _dataset(
        self, source: str, chunks: Chunks, train: DistributedRows | None = None
    ) -> DistributedLabelledRows:
        found = self._load(source, chunks, check_labelled_chunk)
        if len({labels.dtype.kind in "biuf" for labels in found}) > 1:
            raise ValueError("The labels must be of one kind. Some chunks have numbers, some not.")
        classes = np.unique(np.concatenate(found))
        if train is None:
            self.classes_ = classes
            self._require_two_classes()
        else:
            self._encode(classes, "y_val")  # raises for labels that are none of the classes
        self._workers.run(source, "encode", self.classes_)
        return DistributedLabelledRows(
            self._workers, source, "all", chunks.n_features, chunks.dtype
        )

    def _rosenblatt_over(self, train: object) -> type[Rosenblatt]:
        # Rows of partial_fit are in memory.
        return MixedRosenblatt if isinstance(train, DistributedRows) else Rosenblatt
