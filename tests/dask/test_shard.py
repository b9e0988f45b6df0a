"""Arrays that workers receive, networks that are sent to them, and sums."""

import cloudpickle
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

pytest.importorskip("distributed", reason="distributed is not installed")

from sklearn_gd._models.network import Network
from sklearn_gd.activations import as_activation
from sklearn_gd.dask._shard import aligned, pickled_network, summed
from sklearn_gd.losses import Huber


def test_received_arrays_are_aligned():
    askew = np.frombuffer(bytes(65), np.uint8)[1:].view(np.float64)
    assert not askew.flags.aligned
    assert aligned(askew).flags.aligned
    matrix = sparse.csr_array(np.eye(3))
    assert aligned(matrix) is matrix


def test_sums_are_elementwise():
    assert summed([]) == []
    total = summed([(1.0, np.ones(2)), (2.0, np.arange(2.0)), (3.0, np.zeros(2))])
    assert total[0] == 6.0
    assert_array_equal(total[1], [1.0, 2.0])


def test_a_network_is_pickled_without_its_buffers():
    network = Network((3, 2), [as_activation("tanh")], Huber(0.5), 0.3, np.float32, biases=False)
    network.mean_loss(np.zeros(6, np.float32), np.ones((4, 3)), np.ones((4, 2)), None)
    again = cloudpickle.loads(pickled_network(network))()
    assert (again.sizes, again.dtype, again.biases) == ((3, 2), np.float32, False)
    assert again.loss.delta == 0.5
    assert again.alpha == 0  # the penalty is added once, not by each worker
