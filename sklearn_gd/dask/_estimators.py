"""The three estimators, with their rows on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Self

import numpy as np
from distributed import Client, get_client
from sklearn.utils.metaestimators import available_if

from sklearn_gd._data.validation import require_numpy_rows
from sklearn_gd._feed_forward import FeedForwardRegressor, _makes_steps
from sklearn_gd._models.interfaces import Dataset
from sklearn_gd._models.rows import Rows
from sklearn_gd._perceptron import PerceptronClassifier, _is_sigmoid
from sklearn_gd._pieces import Array, ArrayLike, storable
from sklearn_gd._through_origin import ThroughOriginRegressor
from sklearn_gd._training.learners import Rosenblatt
from sklearn_gd.dask._blocks import Blocks, blocks_of_memory, is_lazy, lazy_blocks
from sklearn_gd.dask._lazy import lazily, score_of
from sklearn_gd.dask._on_workers import MixedRosenblatt, OnWorkers
from sklearn_gd.dask._parts import labelled_rows, one_shape, regression_rows
from sklearn_gd.dask._tree import RowsInTree
from sklearn_gd.dask._workers import Workers, at_work


class OnDask:
    """What the three share: the client, the way to the local estimator, lazy answers."""

    _local: type

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.array_api_support = False
        return tags

    def __getstate__(self) -> Any:
        # A client and its workers are of one process.
        state: Any = super().__getstate__()
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

    def predict(self, X: ArrayLike) -> Any:
        """Return the predictions: lazy ones for a Dask array or data frame.

        Parameters
        ----------
        X : array-like, or Dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        y_pred : ndarray or Dask array; for a Dask data frame, a Dask series or data frame
            With the chunks of X.
        """
        return self._answered("predict", X)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R² of a regressor, the accuracy of a classifier; chunk by chunk for lazy rows.

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
            return float(super().score(X, y, sample_weight))  # type: ignore[misc]
        with at_work(self.client), self._as_current():
            return score_of(self.to_local(), self.client, X, y, sample_weight)

    @contextmanager
    def _with_workers(self) -> Iterator[None]:
        """Have workers for the time of one fit, and leave nothing on them."""
        client = self.client
        with at_work(client), self._as_current():
            self._workers = Workers(client)
            try:
                yield
            finally:
                self._workers.close()
                del self._workers

    def _require_memory(self, *given: Any) -> None:
        if is_lazy(*given):
            raise TypeError(
                f"{type(self).__name__}.partial_fit takes rows in memory. Give Dask collections "
                "to fit, or one chunk after the other to partial_fit, computed."
            )

    def _answered(self, method: str, X: Any) -> Any:
        with self._as_current():
            return lazily(self.to_local(), method, X)

    def _as_current(self) -> Any:
        """Have what Dask works out by itself, such as sizes of chunks, done by our own client."""
        client = self.__dict__.get("_client")
        return nullcontext() if client is None else client.as_current()

    def _blocks_of(
        self, check: Any, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> Blocks:
        """Cut rows into blocks; those in memory after the local estimator's own check.

        Parameters
        ----------
        check : callable
            Takes X, y and sample_weight; returns `Rows`, and whether y came with one axis.
        """
        if is_lazy(X, y, sample_weight):
            return lazy_blocks(self, X, y, sample_weight, reset=reset)
        for name, given in (("X", X), ("y", y), ("sample_weight", sample_weight)):
            require_numpy_rows(self, given, name)
        rows, one_axis = check(X, y, sample_weight)
        y = rows.y[:, 0] if one_axis else rows.y
        return blocks_of_memory(self.client, rows.X, y, rows.weights)

    def _placed(self, source: str, blocks: Blocks) -> tuple[OnWorkers, bool]:
        """Return rows with numbers as targets on the workers, and whether y has one axis."""
        told = self._on_workers(source, blocks, regression_rows)
        one_axis = one_shape({(each["one_axis"], each["n_outputs"]) for each in told.values()})
        rows = OnWorkers(self._workers, source, "all", *blocks.kind)
        return rows, one_axis

    def _on_workers(self, source: str, blocks: Blocks, check: Any) -> dict[int, dict[str, Any]]:
        """Place blocks on the workers; return what their checks tell."""
        told = self._workers.place(source, blocks, check, self._local())
        if not self._workers.holds(source):
            raise ValueError(
                f"{type(self).__name__} needs rows, with weight, to {source}. There are none."
            )
        return told


_OF_THIS_PROCESS = {"_client", "_workers"}


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

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        coef_init: ArrayLike | None = None,
    ) -> Self:
        """Descend to the weights of the least mean loss.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_samples, n_features)
        y : Dask array, series or data frame, or array-like, of shape (n_samples,) or \
                (n_samples, n_outputs)
        sample_weight : Dask array or series, or array-like, of shape (n_samples,), optional
            A row of weight 2 counts as two rows. Not negative, not all zero.
        coef_init : array-like of the shape of `coef_`, optional
            Where to start; by default at zero.

        Returns
        -------
        self : DaskThroughOriginRegressor

        Raises
        ------
        ValueError, TypeError
            For bad input, naming the parameter; the estimator stays as it was.
        RuntimeError
            Where the client is closed, or the workers are lost for good.
        DivergenceError
            Where the rate is too large.
        """
        with self._with_workers():
            return super().fit(X, y, sample_weight, coef_init=coef_init)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from rows in memory, here and not on the workers.

        See :meth:`sklearn_gd.ThroughOriginRegressor.partial_fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self : DaskThroughOriginRegressor

        Raises
        ------
        TypeError
            For Dask collections.
        """
        self._require_memory(X, y, sample_weight)
        return super().partial_fit(X, y, sample_weight)

    def _check_train(self, X: Any, y: Any, sample_weight: Any, *, look_at_all: bool) -> Any:
        in_memory = super()._check_train
        blocks = self._blocks_of(partial(in_memory, look_at_all=look_at_all), X, y, sample_weight)
        if look_at_all:
            return self._placed("train", blocks)
        rows = RowsInTree(self.client, blocks, self._local())
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

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_samples, n_features)
        y : Dask array, series or data frame, or array-like, of shape (n_samples,) or \
                (n_samples, n_outputs)
        sample_weight : Dask array or series, or array-like, of shape (n_samples,), optional
            Not negative, not all zero.
        X_val, y_val : Dask collections or array-like, optional
            A validation set; it goes before `early_stopping`.
        sample_weight_val : Dask array or series, or array-like, optional
            Weights of its rows.

        Returns
        -------
        self : DaskFeedForwardRegressor

        Raises
        ------
        ValueError, TypeError
            For bad input, naming the parameter; the estimator stays as it was.
        RuntimeError
            Where the client is closed, or the workers are lost for good.
        DivergenceError
            Where the loss grows without bound.
        """
        held_out = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        with self._with_workers():
            return super().fit(X, y, sample_weight, **held_out)

    @available_if(_makes_steps)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from rows in memory, here and not on the workers.

        See :meth:`sklearn_gd.FeedForwardRegressor.partial_fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self : DaskFeedForwardRegressor

        Raises
        ------
        TypeError
            For Dask collections.
        """
        self._require_memory(X, y, sample_weight)
        return super().partial_fit(X, y, sample_weight)

    def _check_train(self, X: Any, y: Any, sample_weight: Any) -> tuple[Dataset, bool]:
        return self._placed("train", self._blocks_of(super()._check_train, X, y, sample_weight))

    def _check_held_out(
        self, X_val: Any, y_val: Any, weights_val: Any, train: Dataset, one_axis: bool
    ) -> Dataset:
        check = super()._check_held_out

        def in_memory(X: Any, y: Any, weights: Any) -> tuple[Dataset, bool]:
            return check(X, y, weights, train, one_axis), one_axis

        blocks = self._blocks_of(in_memory, X_val, y_val, weights_val, reset=False)
        rows, val_one_axis = self._placed(
            "validate", blocks._replace(kind=blocks.kind._replace(dtype=train.dtype))
        )
        if (val_one_axis, rows.n_outputs) != (one_axis, train.n_outputs):
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

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the neurons.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_samples, n_features)
        y : Dask array or series, or array-like, of shape (n_samples,)
            Labels, of two classes or more.
        sample_weight : Dask array or series, or array-like, of shape (n_samples,), optional
            Not negative, not all zero.
        coef_init, intercept_init : array-like of the shapes of `coef_` and `intercept_`, optional
            Where to start; by default at zero.
        X_val, y_val : Dask collections or array-like, optional
            A validation set; it goes before `early_stopping`.
        sample_weight_val : Dask array or series, or array-like, optional
            Weights of its rows.

        Returns
        -------
        self : DaskPerceptronClassifier

        Raises
        ------
        ValueError, TypeError
            For bad input, naming the parameter; the estimator stays as it was.
        RuntimeError
            Where the client is closed, or the workers are lost for good.
        DivergenceError
            Where the loss grows without bound.
        """
        start = {"coef_init": coef_init, "intercept_init": intercept_init}
        held_out = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        with self._with_workers():
            return super().fit(X, y, sample_weight, **start, **held_out)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from rows in memory, here and not on the workers.

        See :meth:`sklearn_gd.PerceptronClassifier.partial_fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self : DaskPerceptronClassifier

        Raises
        ------
        TypeError
            For Dask collections.
        """
        self._require_memory(X, y, sample_weight)
        return super().partial_fit(X, y, classes, sample_weight)

    def decision_function(self, X: ArrayLike) -> Any:
        """Return the weighted inputs less the threshold; lazily for a Dask array or data frame.

        Parameters
        ----------
        X : array-like, or Dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        z : ndarray, Dask array, series or frame of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._answered("decision_function", X)

    @available_if(_is_sigmoid)
    def predict_proba(self, X: ArrayLike) -> Any:
        """Return the sigmoid's outputs, scaled to sum to one; lazily for a Dask collection.

        Parameters
        ----------
        X : array-like, or Dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        p : ndarray, Dask array or Dask data frame of shape (n_samples, n_classes)
        """
        return self._answered("predict_proba", X)

    def _check_train(self, X: Any, y: Any, sample_weight: Any) -> Any:
        blocks = self._blocks_of(self._labels_in_memory, X, y, sample_weight)
        self.classes_ = self._labels(self._on_workers("train", blocks, labelled_rows))
        self._require_two_classes()
        return self._encoded("train", blocks)

    def _labels_in_memory(self, X: Any, y: Any, sample_weight: Any) -> tuple[Rows, bool]:
        rows = super()._check_train(X, y, sample_weight)
        return Rows(rows.X, self.classes_[rows.codes][:, None], rows.weights), True

    def _check_held_out(self, X_val: Any, y_val: Any, weights_val: Any, train: Any) -> Any:
        check = super()._check_held_out

        def in_memory(X: Any, y: Any, weights: Any) -> tuple[Rows, bool]:
            rows = check(X, y, weights, train)
            return Rows(rows.X, self.classes_[rows.codes][:, None], rows.weights), True

        blocks = self._blocks_of(in_memory, X_val, y_val, weights_val, reset=False)
        blocks = blocks._replace(kind=blocks.kind._replace(dtype=train.dtype))
        labels = self._labels(self._on_workers("validate", blocks, labelled_rows))
        self._encode(labels, "y_val")  # says which are none of the classes
        return self._encoded("validate", blocks)

    def _labels(self, told: dict[int, dict[str, Any]]) -> Array:
        labels = [each["labels"] for each in told.values()]
        if len({each.dtype.kind in "biuf" for each in labels}) > 1:
            raise ValueError("The labels must be of one kind. Some chunks have numbers, some not.")
        return np.unique(np.concatenate(labels))

    def _encoded(self, source: str, blocks: Blocks) -> OnWorkers:
        self._workers.do(source, "encode", self.classes_)
        return OnWorkers(self._workers, source, "all", *blocks.kind)

    def _rosenblatt_over(self, train: Any) -> type[Rosenblatt]:
        # Rows of partial_fit are in memory.
        return MixedRosenblatt if isinstance(train, OnWorkers) else Rosenblatt
