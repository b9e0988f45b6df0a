"""Backpropagation in array API code against that in NumPy, in array_api_strict.

More of it, through the estimators, is in `tests/_data/array_api_checks.py`.
"""

import os
import subprocess
import sys
import textwrap

import pytest
from sklearn.utils.fixes import parse_version, sp_base_version

pytest.importorskip("array_api_strict")

CHECK = """
import array_api_strict as xp
import numpy as np
import sklearn
from sklearn_gd._data.array_api import Space
from sklearn_gd._models.array_rows import ArrayClassRows, ArrayRows
from sklearn_gd._models.class_rows import ClassRows
from sklearn_gd._models.dropout import Dropout
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import Rows
from sklearn_gd.activations import as_activation
from sklearn_gd.losses import as_loss

sklearn.set_config(array_api_dispatch=True)
rng = np.random.default_rng(0)
X, y, weights = rng.normal(size=(30, 4)), rng.normal(size=(30, 2)), rng.uniform(size=30)
space = Space(xp, xp.asarray(0.0).device)
for names in (["identity"], ["tanh", "identity"], ["gelu", "relu", "sigmoid"]):
    for loss in ("squared_error", "huber", "pinball", "log_loss", "poisson"):
        sizes = (4, *[5] * (len(names) - 1), 2)
        network = Network(sizes, [as_activation(f) for f in names], as_loss(loss), 0.1, float)
        at = rng.normal(size=network.size)
        for w in (None, weights):
            here = Rows(X, np.abs(y), w).objective(network)
            there = ArrayRows(space, xp.asarray(X), xp.asarray(np.abs(y)), w).objective(network)
            expected, gradient = here(at)
            found, slope = there(xp.asarray(at))
            np.testing.assert_allclose(found, expected, rtol=1e-12)
            np.testing.assert_allclose(np.asarray(slope), gradient, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(there.mean_loss(xp.asarray(at)), here.mean_loss(at))
            assert there.baseline_loss() == here.baseline_loss()
        network.dropout = Dropout([0.4] * (len(names) - 1), 5) if len(names) > 1 else None
        here = Rows(X, y, weights).objective(network)
        there = ArrayRows(space, xp.asarray(X), xp.asarray(y), weights).objective(network)
        (batch,), (its,) = there.batches(30, None), here.batches(30, None)
        loss, slope = there.on_batch(xp.asarray(at), batch, 3)
        expected, gradient = here.on_batch(at, its, 3)
        np.testing.assert_allclose(float(loss), expected, rtol=1e-12)
        np.testing.assert_allclose(np.asarray(slope), gradient, rtol=1e-9, atol=1e-12)
codes = np.arange(30, dtype=np.int32) % 3
for k, found in ((3, codes), (1, codes % 2)):
    for loss in ("log_loss", "huber"):
        network = Network((4, k), [as_activation("identity")], as_loss(loss), 0.1, float)
        at = rng.normal(size=network.size)
        for w, each in ((None, None), (weights, np.array([0.5, 2.0, 0.0]))):
            here = ClassRows.of(X, found, k, w, each)
            there = ArrayClassRows.of(space, xp.asarray(X), found, k, w, each)
            assert there.y.shape == (30, 1)  # codes: targets are made for the rows of a batch
            _, targets, _ = there.batch(slice(4, 9))
            np.testing.assert_array_equal(np.asarray(targets), here.y[4:9])
            assert there.target_ends() == here.target_ends()
            np.testing.assert_allclose(there.target_moments(), here.target_moments())
            parts = [r.set_aside(0.3, np.random.default_rng(0)) for r in (there, here)]
            np.testing.assert_array_equal(*[part[2] for part in parts])
            for there, here in ((there, here), *zip(*[part[:2] for part in parts])):
                there, here = there.objective(network), here.objective(network)
                assert there.baseline_loss() == here.baseline_loss()
                np.testing.assert_array_equal(there.best_constant(), here.best_constant())
                np.testing.assert_allclose(there.mean_loss(xp.asarray(at)), here.mean_loss(at))
                for a, b in zip(there(xp.asarray(at)), here(at), strict=True):
                    np.testing.assert_allclose(np.asarray(a), b, rtol=1e-9, atol=1e-12)
print("equal")
"""


@pytest.mark.skipif(
    sp_base_version < parse_version("1.14"), reason="SciPy has the array API from 1.14 on"
)
def test_loss_and_gradient_are_those_of_numpy():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHECK)],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "equal", done.stderr
