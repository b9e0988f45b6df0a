"""Datasets on workers against the same in memory, with workers that are plain objects."""

import cloudpickle
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd import losses
from sklearn_gd._models.class_rows import ClassRows, one_hot
from sklearn_gd._models.dropout import Dropout
from sklearn_gd._models.labelled_rows import LabelledRows
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd._models.scaling import ColumnScaling, column_scale, scaling_of
from sklearn_gd.activations import as_activation
from sklearn_gd.dask._distributed import DistributedLabelledRows, DistributedRows
from sklearn_gd.dask._partition import LabelledPartition, RegressionPartition
from sklearn_gd.dask._shard import summed
from sklearn_gd.losses import Loss, as_loss

RNG = np.random.default_rng(0)
X, Y, WEIGHTS = RNG.normal(size=(31, 3)), RNG.normal(size=(31, 2)), RNG.uniform(size=31)
PARTS = [slice(0, 4), slice(4, 20), slice(20, 31)]


class HereWorkers:
    """Partitions in this process, behind the methods of `Workers`."""

    def __init__(self, partitions):
        self.partitions = dict(enumerate(partitions))

    def run(self, source, method, *arguments):
        for partition in self.partitions.values():
            getattr(partition, method)(*arguments)

    def each(self, source, method, *arguments):
        return {n: getattr(p, method)(None, *arguments) for n, p in self.partitions.items()}

    def total(self, source, model, method, *arguments):
        model = None if model is None else cloudpickle.loads(model)()
        return summed(getattr(p, method)(model, *arguments) for p in self.partitions.values())


class Squared(Loss):
    """The squared error without its shortcuts."""

    def value(self, y_true, y_pred):
        return (y_pred - y_true) ** 2

    def gradient(self, y_true, y_pred):
        return 2 * (y_pred - y_true)


def rows_of(parts):
    workers = HereWorkers([RegressionPartition(n, each) for n, each in enumerate(parts)])
    return DistributedRows(workers, "rows", 3, X.dtype)


def distributed_rows(weights, make=np.asarray, X=X):
    return rows_of(
        [Rows(make(X[p]), Y[p], None if weights is None else weights[p]) for p in PARTS]
    )


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_objectives_are_those_of_the_rows_in_memory(weights, loss):
    activations = [as_activation("tanh"), as_activation("identity")]
    network = Network((3, 4, 2), activations, as_loss(loss), 0.1, float)
    there = distributed_rows(weights).objective(network)
    here = Rows(X, Y, weights).objective(network)
    at = RNG.normal(size=network.size)
    for found, expected in zip(there(at), here(at), strict=True):
        assert_allclose(found, expected)
    assert_allclose(there.mean_loss(at), here.mean_loss(at))
    assert_allclose(there.baseline_loss(), here.baseline_loss(), rtol=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_statistics_are_those_of_the_rows_in_memory(weights):
    there, here = distributed_rows(weights), Rows(X, Y, weights)
    assert (there.n_samples, there.n_features, there.n_outputs) == (31, 3, 2)
    assert there.target_ends() == here.target_ends()
    for found, expected in zip(there.target_moments(), here.target_moments(), strict=True):
        assert_allclose(found, expected)
    assert_allclose(there.curvature(2.0, 0.1).diagonal(), here.curvature(2.0, 0.1).diagonal())
    columns = ColumnScaling(np.ones(3), np.full(3, 2.0), squash=True)
    assert_allclose(
        there.curvature(2.0, 0.1, columns=columns).diagonal(),
        Rows(columns(X), Y, weights).curvature(2.0, 0.1).diagonal(),
    )


def rows_with_classes(labels, weights):
    parts = [
        LabelledPartition(
            n, LabelledRows(X[p], labels[p], None if weights is None else weights[p])
        )
        for n, p in enumerate(PARTS)
    ]
    classes = np.unique(labels)
    for part in parts:
        part.encode(classes)
    return DistributedLabelledRows(HereWorkers(parts), "rows", 3, X.dtype, classes)


class Summed(losses.SquaredError):
    sums_outputs = True


LABELS = np.array(["b", "a", "c"])[np.digitize(Y[:, 0], [-0.5, 0.8])]


@pytest.mark.parametrize("weights", [None, WEIGHTS, np.where(LABELS == "b", 0.0, WEIGHTS)])
@pytest.mark.parametrize("labels", [LABELS, LABELS == "a"], ids=["three classes", "two classes"])
@pytest.mark.parametrize(
    "loss",
    [*sorted(set(losses._BUILT_IN) - {"poisson"}), Squared(), losses.BinaryLogLoss()],
    ids=str,
)
@pytest.mark.parametrize("class_weight", [None, [0.5, 2.0, 1.5]])
def test_rows_with_classes_are_those_in_memory(loss, labels, weights, class_weight):
    classes, codes = np.unique(labels, return_inverse=True)
    k = 1 if len(classes) == 2 else 3
    each = None if class_weight is None else np.array(class_weight[: len(classes)])
    there = rows_with_classes(labels, weights).weighed(each, by_neuron=False)
    here = ClassRows.of(X, codes.astype(np.int32), k, weights, each)
    assert there.n_outputs == here.n_outputs
    assert there.target_ends() == here.target_ends()
    assert_allclose(there.target_moments(), here.target_moments())
    network = Network(
        (3, 4, k), [as_activation(f) for f in ("tanh", "identity")], as_loss(loss), 0.1, float,
        class_targets=True,
    )  # fmt: skip
    there, here = there.objective(network), here.objective(network)
    assert_allclose(there.best_constant(), here.best_constant())
    assert_allclose(there.baseline_loss(), here.baseline_loss())
    at = RNG.normal(size=network.size)
    assert_allclose(there.mean_loss(at), here.mean_loss(at))
    for found, expected in zip(there(at), here(at), strict=True):
        assert_allclose(found, expected)


def test_targets_of_classes_are_made_for_the_rows_of_a_batch(monkeypatch):
    rows = rows_with_classes(LABELS, WEIGHTS)
    network = Network((3, 3), [as_activation("identity")], losses.LogLoss(), 0.0, float)
    at, made = RNG.normal(size=network.size), []

    def watched(codes, *ends):
        made.append(len(codes))
        return one_hot(codes, *ends)

    monkeypatch.setattr("sklearn_gd._models.class_rows.one_hot", watched)
    objective = rows.objective(network)
    for batch in objective.batches(8, np.random.default_rng(0)):
        objective.on_batch(at, batch, 0)
    assert sum(made) == 31
    assert max(made) < 8


def test_groups_of_rows_keep_the_weights_of_their_classes():
    each = np.array([1.0, 0.0, 2.0])
    rows = rows_with_classes(LABELS, None).weighed(each, by_neuron=False)
    assert rows.n_samples == (LABELS != "b").sum()
    parts = rows.set_aside(0.3, np.random.default_rng(0))[:2]
    for part in parts:
        assert part.class_weights is each
        assert part.n_outputs == 3
    assert_allclose(sum(part.class_totals() for part in parts), rows.class_totals())
    assert_allclose(rows.class_totals(), each * [(label == LABELS).sum() for label in "abc"])


def test_the_best_constant_of_many_counts_is_no_estimate(monkeypatch):
    monkeypatch.setattr("sklearn_gd._models.scaling.SAMPLE", 10)
    counts = np.abs(Y)
    there = rows_of([Rows(X[p], counts[p], WEIGHTS[p]) for p in PARTS])
    for loss in (losses.Poisson(), losses.SquaredError()):
        network = Network((3, 2), [as_activation("identity")], loss, 0.0, float)
        objective, here = there.objective(network), Rows(X, counts, WEIGHTS).objective(network)
        assert_allclose(objective.best_constant(), here.best_constant())
        assert_allclose(objective.baseline_loss(), here.baseline_loss())


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(
    "loss",
    [*sorted(set(losses._BUILT_IN) - {"log_loss"}), Squared(), Summed()],
    ids=str,
)
def test_best_constants_are_those_of_the_rows_in_memory(weights, loss):
    network = Network((3, 2), [as_activation("identity")], as_loss(loss), 0.0, float)
    y = np.abs(Y) if loss == "poisson" else Y
    parts = [Rows(X[p], y[p], None if weights is None else weights[p]) for p in PARTS]
    there = rows_of(parts).objective(network)
    here = Rows(X, y, weights).objective(network)
    assert_allclose(there.best_constant(), here.best_constant())
    assert_allclose(there.baseline_loss(), here.baseline_loss())


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("kind", ["robust", "standard"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_scale_is_that_of_the_rows_in_memory(make, kind, weights, monkeypatch):
    monkeypatch.setattr("sklearn_gd.dask._distributed._BLOCK", 64)  # two columns at once
    X_scaled = X * [1.0, 1e3, 0.0] + [0.0, 1e6, 5.0]
    found = distributed_rows(weights, make, X_scaled).column_scale(kind)
    assert_allclose(found, column_scale(kind, make(X_scaled), weights), rtol=1e-12)


@pytest.mark.parametrize("kind", ["robust", "standard"])
def test_a_single_sparse_partition_is_enough_to_not_centre(kind):
    X_parts = [sparse.csr_array(X[PARTS[0]]), X[PARTS[1]], X[PARTS[2]]]
    rows = rows_of([Rows(x, Y[p], None) for x, p in zip(X_parts, PARTS, strict=True)])
    center, scale = rows.column_scale(kind)
    assert not center.any()
    assert_allclose(scale, column_scale(kind, sparse.csr_array(X), None)[1])


def test_the_scale_of_many_rows_is_that_of_a_sample(monkeypatch):
    monkeypatch.setattr("sklearn_gd._models.scaling.SAMPLE", 10)
    expected = column_scale("robust", X, WEIGHTS)
    assert_allclose(distributed_rows(WEIGHTS).column_scale("robust"), expected)
    train, _, _ = distributed_rows(None).set_aside(0.2, np.random.default_rng(0))
    assert np.isfinite(train.column_scale("robust")).all()


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_squares_neither_overflow_nor_underflow(unit):
    found = distributed_rows(None, X=X * unit).column_scale("standard")
    assert_allclose(found, unit * np.array(distributed_rows(None).column_scale("standard")))


def test_a_network_in_a_scale_is_the_same_on_workers():
    network = Network(
        (3, 4, 2), [as_activation(f) for f in ("tanh", "identity")], as_loss("huber"), 0.1, float
    )
    here = Rows(X, Y, WEIGHTS)
    network = network.scaled(scaling_of("robust", here, here.objective(network)))
    there = distributed_rows(WEIGHTS).objective(network)
    at = RNG.normal(size=network.size)
    for found, expected in zip(there(at), here.objective(network)(at), strict=True):
        assert_allclose(found, expected)


def test_dropout_has_the_same_masks_on_workers():
    activations = [as_activation(f) for f in ("tanh", "identity")]
    network = Network((3, 4, 2), activations, as_loss("huber"), 0.1, float)
    network.dropout = Dropout([0.5], key=3)
    there, at = distributed_rows(WEIGHTS).objective(network), RNG.normal(size=network.size)
    for size, n_steps in ((31, 1), (8, 4)):
        for step, batch in enumerate(there.batches(size, None)):
            rows = slice(step, None, n_steps)
            here = X[rows], Y[rows], WEIGHTS[rows], batch.share
            loss, gradient = network(at, *here, 7 + step)
            found = there.on_batch(at, batch, 7 + step)
            assert_allclose(found[0], loss)
            assert_allclose(found[1], gradient)


@pytest.mark.parametrize("shuffled", [False, True])
def test_an_epoch_of_batches_is_the_gradient_of_all_rows(shuffled):
    network = Network((3, 2), [as_activation("identity")], as_loss("squared_error"), 0.0, float)
    objective = distributed_rows(WEIGHTS).objective(network)
    at = RNG.normal(size=network.size)
    batches = objective.batches(8, np.random.default_rng(0) if shuffled else None)
    parts = [(batch.share, *objective.on_batch(at, batch, 0)) for batch in batches]
    assert len(parts) == 4
    whole, gradient = objective(at)
    assert_allclose(sum(loss for _, loss, _ in parts) / batches.total_weight, whole)
    mean = sum(share * part for share, _, part in parts) / batches.total_weight
    assert_allclose(mean, gradient)


def test_a_share_of_the_rows_of_all_partitions_is_set_aside():
    train, held_out, numbers = distributed_rows(None).set_aside(0.2, np.random.default_rng(0))
    assert (train.n_samples, held_out.n_samples, numbers) == (24, 7, None)
    with pytest.raises(ValueError, match=r"cannot set aside validation_fraction=0.99 of 31 rows"):
        distributed_rows(None).set_aside(0.99, np.random.default_rng(0))
