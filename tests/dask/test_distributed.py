"""Datasets on workers against the same in memory, with workers that are plain objects."""

import cloudpickle
import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd.activations import as_activation
from sklearn_gd.dask._distributed import DistributedRows
from sklearn_gd.dask._partition import RegressionPartition
from sklearn_gd.dask._shard import summed
from sklearn_gd.losses import as_loss

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


def distributed_rows(weights):
    rows = [Rows(X[p], Y[p], None if weights is None else weights[p]) for p in PARTS]
    workers = HereWorkers([RegressionPartition(n, each) for n, each in enumerate(rows)])
    return DistributedRows(workers, "rows", "all", 3, X.dtype)


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
    assert_allclose(there.target_spread(), here.target_spread())
    assert_allclose(there.curvature(2.0, 0.1).diagonal(), here.curvature(2.0, 0.1).diagonal())


@pytest.mark.parametrize("shuffled", [False, True])
def test_an_epoch_of_batches_is_the_gradient_of_all_rows(shuffled):
    network = Network((3, 2), [as_activation("identity")], as_loss("squared_error"), 0.0, float)
    objective = distributed_rows(WEIGHTS).objective(network)
    at = RNG.normal(size=network.size)
    batches = objective.batches(8, np.random.default_rng(0) if shuffled else None)
    parts = [(batch.share, *objective.on_batch(at, batch)) for batch in batches]
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
