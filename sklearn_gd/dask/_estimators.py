"""The estimators for data on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from distributed import Client, get_client
from sklearn.base import BaseEstimator
from sklearn.utils import Tags

from sklearn_gd._base import Estimator, available_if
from sklearn_gd._data.labels import (
    class_weights,
    encode,
    require_classes_of_last_fit,
    require_two,
    require_weight_left,
)
from sklearn_gd._data.validation import check_weights, require_numpy_rows
from sklearn_gd._feed_forward import FeedForwardRegressor
from sklearn_gd._feed_forward_classifier import FeedForwardClassifier
from sklearn_gd._models.class_rows import ClassRows
from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._perceptron import PerceptronClassifier
from sklearn_gd._pieces import Array, ArrayLike, Matrix, storable
from sklearn_gd._through_origin import ThroughOriginRegressor
from sklearn_gd._training.learners import Rosenblatt
from sklearn_gd.dask._chunks import Chunks, is_lazy, lazy_chunks, memory_chunks
from sklearn_gd.dask._distributed import DistributedLabelledRows, DistributedRows, MixedRosenblatt
from sklearn_gd.dask._partition import check_labelled_chunk, check_regression_chunk, one_axis_of
from sklearn_gd.dask._predict import predict_chunks, score_chunks
from sklearn_gd.dask._reduction import StreamedRows
from sklearn_gd.dask._workers import Workers, connected

_OF_THIS_PROCESS = {"_client", "_workers"}  # attributes that are not stored


def _gives_probabilities(self: OnDask) -> bool:
    return callable(self.to_local().predict_proba)  # or the AttributeError of the local estimator


class OnDask(Estimator):
    """Mixin for estimators on a Dask cluster: the client, and the conversion of data to datasets.

    A subclass defines ``_dataset``, which makes a dataset of chunks.
    """

    _local: type[BaseEstimator]
    _workers: Workers

    @property
    def client(self) -> Client:
        """The Dask client, by default the current one. It is not kept by clones and pickles."""
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
        estimator : object
            The estimator without ``Dask`` in its name, with the same parameters and fitted
            attributes.
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
        if not is_lazy(X, y, sample_weight):
            return float(super().score(X, y, sample_weight))
        if getattr(self, "_levels", ()):
            raise ValueError(
                "The score of several quantiles takes data in memory: compute X, y and "
                "sample_weight, or score chunks of them."
            )
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
            with super()._fitting(method, *data):
                yield
            return
        client = self.client
        with connected(client), self._as_current():
            self._workers = Workers(client, verbose=bool(self.verbose))
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
        weights = rows.weights
        if isinstance(rows, LabelledRows):
            y = self.classes_[rows.codes]
        elif isinstance(rows, ClassRows):
            # Without the class weights, which are applied on the workers.
            y, weights = self.classes_[rows.y.codes], check_weights(sample_weight, rows.X)
        else:
            y = rows.y[:, 0] if np.ndim(y) == 1 else rows.y
        return memory_chunks(self.client, rows.X, y, weights)

    def _load_regression(self, source: str, chunks: Chunks) -> tuple[DistributedRows, bool]:
        """Load chunks on the workers; return the dataset, and whether y has one axis."""
        shapes = self._workers.load(source, chunks, check_regression_chunk, self._local())
        rows = DistributedRows(self._workers, source, chunks.n_features, chunks.dtype)
        return rows, one_axis_of(set(shapes))


class ClassifierOnDask(OnDask):
    """Mixin for classifiers on a Dask cluster: labels, scores and probabilities."""

    classes_: Array

    def decision_function(self, X: ArrayLike) -> ArrayLike:
        return self._predict("decision_function", X)

    @available_if(_gives_probabilities)
    def predict_proba(self, X: ArrayLike) -> ArrayLike:
        return self._predict("predict_proba", X)

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: ArrayLike) -> ArrayLike:
        return self._predict("predict_log_proba", X)

    def _load_labels(
        self, source: str, chunks: Chunks, *, new_classes: bool
    ) -> DistributedLabelledRows:
        """Load chunks on the workers, and set `classes_` or check the labels against them."""
        found = self._workers.load(source, chunks, check_labelled_chunk, self._local())
        if len({labels.dtype.kind in "biuf" for labels in found}) > 1:
            raise ValueError("The labels must be of one kind. Some chunks have numbers, some not.")
        classes = np.unique(np.concatenate(found))
        if new_classes:
            self.classes_ = classes
            require_two(classes, type(self).__name__)
        else:
            # Only to refuse labels that are none of the classes.
            encode(classes, self.classes_, "y_val")
        self._workers.run(source, "encode", self.classes_)
        return DistributedLabelledRows(
            self._workers, source, chunks.n_features, chunks.dtype, self.classes_
        )


@storable
class DaskThroughOriginRegressor(OnDask, ThroughOriginRegressor):
    """Regression through the origin on a Dask cluster.

    ``fit`` takes Dask arrays and data frames, or data in memory; ``partial_fit`` the latter alone.
    With the identity and the squared error, the moments of the rows are computed in one pass by a
    tree reduction, with one chunk per thread in memory, and the descent on them is local. Other
    losses and activations need the rows in each iteration: they stay on the workers, which sum up
    the gradient.

    Parameters
    ----------
    activation, loss, solver, learning_rate, alpha, l1_ratio, max_iter, tol, warm_start, verbose
        As for :class:`sklearn_gd.ThroughOriginRegressor`.

    See Also
    --------
    sklearn_gd.ThroughOriginRegressor : The estimator without Dask, and the fitted attributes.

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
    """A multi-layer perceptron for regression, trained on a Dask cluster.

    ``fit`` takes Dask arrays and data frames, or data in memory; ``partial_fit`` the latter alone.
    The training is synchronous and data-parallel: the rows stay on the workers, which send one
    another the gradients over their rows of a batch, and all make the same step. The result is
    that of the same batches on one machine. Each batch has rows of every chunk: in each epoch, the
    shuffled rows of a chunk are distributed over the batches in turn.

    A step costs a message between workers and its answer, one to some milliseconds, so that
    batches should be as large as learning allows; see the page on scaling.

    Parameters
    ----------
    hidden_layer_sizes, activation, output_activation, loss, standardize, solver, learning_rate, \
    alpha, dropout, batch_size, max_iter, tol, n_iter_no_change, shuffle, early_stopping, \
    validation_fraction, init, warm_start, random_state, verbose
        As for :class:`sklearn_gd.FeedForwardRegressor`.

    See Also
    --------
    sklearn_gd.FeedForwardRegressor : The estimator without Dask, and the fitted attributes.

    Notes
    -----
    The result does not depend on the number of workers, except for rounding; with as many it has
    the same bits. It depends on the chunks, since rows are shuffled within each.

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
        if rows.n_outputs != train.n_outputs:
            raise ValueError(
                f"y_val must have the columns of y. Got {rows.n_outputs} columns for "
                f"{train.n_outputs}."
            )
        return rows


@storable
class DaskFeedForwardClassifier(ClassifierOnDask, FeedForwardClassifier):
    """A multi-layer perceptron for classification, trained on a Dask cluster.

    ``fit`` takes Dask arrays and data frames, or data in memory; ``partial_fit`` the latter alone.
    The training is synchronous and data-parallel, as for :class:`DaskFeedForwardRegressor`. The
    classes are those of all chunks. y holds one label per row; label indicators are refused.

    Parameters
    ----------
    hidden_layer_sizes, activation, output_activation, loss, standardize, solver, learning_rate, \
    alpha, dropout, batch_size, max_iter, tol, n_iter_no_change, shuffle, early_stopping, \
    validation_fraction, class_weight, init, warm_start, random_state, verbose
        As for :class:`sklearn_gd.FeedForwardClassifier`.

    See Also
    --------
    sklearn_gd.FeedForwardClassifier : The estimator without Dask, and the fitted attributes.

    Notes
    -----
    The result does not depend on the number of workers, except for rounding; with as many it has
    the same bits. It depends on the chunks, since rows are shuffled within each.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn_gd.dask import DaskFeedForwardClassifier
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     X = da.random.default_rng(0).uniform(-1, 1, size=(2_000, 2), chunks=(500, -1))
    ...     net = DaskFeedForwardClassifier(hidden_layer_sizes=20, random_state=0)
    ...     accuracy = net.fit(X, X[:, 0] * X[:, 1] > 0).score(X, X[:, 0] * X[:, 1] > 0)
    >>> accuracy > 0.95
    True
    """

    _local = FeedForwardClassifier

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags

    def _checked(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        reset: bool,
        known: bool = False,
    ) -> tuple[Matrix, Array, Array | None]:
        X, y, weights = super()._checked(X, y, sample_weight, reset=reset, known=known)
        if not self._one_axis:
            raise ValueError(
                f"{type(self).__name__} takes one label per row; label indicators are for "
                f"{self._local.__name__}. Got y of shape {y.shape}."
            )
        return X, y, weights

    def _dataset(
        self,
        source: str,
        chunks: Chunks,
        train: DistributedLabelledRows | None = None,
        one_axis: bool = True,
    ) -> Any:
        before = getattr(self, "classes_", None)
        rows = self._load_labels(source, chunks, new_classes=train is None)
        if train is not None:
            return self._weigh(
                rows, train.class_weights, "no row of X_val any weight", "validate on"
            )
        if self.warm_start and before is not None:
            require_classes_of_last_fit(self.classes_, before)
        self._one_axis = True
        each = class_weights(self.class_weight, self.classes_, rows.class_totals())
        return self._weigh(rows, each, "no row any weight", "fit"), True

    def _weigh(
        self, rows: DistributedLabelledRows, class_weights: Array | None, what: str, to_do: str
    ) -> DistributedLabelledRows:
        """Apply the class weights; a ValueError if no weight is left."""
        rows = rows.weighed(class_weights, by_neuron=False)
        require_weight_left(rows.total_weight, self.class_weight, what, to_do)
        return rows


@storable
class DaskPerceptronClassifier(ClassifierOnDask, PerceptronClassifier):
    """One neuron per class, trained on a Dask cluster.

    ``fit`` takes Dask arrays and data frames, or data in memory; ``partial_fit`` the latter alone.
    With a differentiable activation the training is data-parallel, as for
    :class:`DaskFeedForwardRegressor`. With the step it is iterative parameter mixing [1]_: in each
    epoch, Rosenblatt's rule visits the rows of every chunk once, from the same weights, and the
    resulting weights are averaged by the numbers of mistakes. On separable rows it ends without a
    mistake, as Rosenblatt's rule does, though at other weights; with one chunk both are the same.

    Parameters
    ----------
    activation, loss, standardize, solver, learning_rate, alpha, l1_ratio, fit_intercept, \
    average, batch_size, max_iter, tol, n_iter_no_change, shuffle, early_stopping, \
    validation_fraction, class_weight, warm_start, random_state, verbose
        As for :class:`sklearn_gd.PerceptronClassifier`. With the step, `average` is the mean of
        the weights after every row of every chunk.

    See Also
    --------
    sklearn_gd.PerceptronClassifier : The estimator without Dask, and the fitted attributes.

    Notes
    -----
    For more than two classes, the number of mistakes is that of all neurons.

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

    def _dataset(
        self, source: str, chunks: Chunks, train: DistributedRows | None = None
    ) -> DistributedLabelledRows:
        return self._load_labels(source, chunks, new_classes=train is None)

    def _rosenblatt_over(self, train: object) -> type[Rosenblatt]:
        # Rows of partial_fit are in memory.
        return MixedRosenblatt if isinstance(train, DistributedRows) else Rosenblatt
