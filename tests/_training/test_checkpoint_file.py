"""Checkpoint files: what is written comes back, and files that are not whole are refused."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_gd._training.stored_tree import StoredTreeError
from sklearn_gd.solvers import Adam

pytest.importorskip("skops.io", reason="what checkpoints are written with")

from sklearn_gd._training import checkpoint_file

CONTENT = {"weights": np.arange(5.0), "count": 3, "solver": Adam(beta_1=0.5), "curve": [1.0, 0.5]}
SIZE = 1 << 20


def test_content_comes_back(tmp_path):
    path = tmp_path / "fit.checkpoint"
    checkpoint_file.write(path, checkpoint_file.dumps(CONTENT))
    found = checkpoint_file.read(path, set(), SIZE)
    assert found.keys() == CONTENT.keys()
    assert_array_equal(found["weights"], CONTENT["weights"])
    assert found["solver"].get_params() == CONTENT["solver"].get_params()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("keep", [0, 10, 100, -1])
def test_truncated_files_are_refused(keep, tmp_path):
    path = tmp_path / "fit.checkpoint"
    checkpoint_file.write(path, checkpoint_file.dumps(CONTENT))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoredTreeError, match=r"is truncated|is no checkpoint"):
        checkpoint_file.read(path, set(), SIZE)


def test_large_files_are_refused_unread(tmp_path):
    path = tmp_path / "fit.checkpoint"
    checkpoint_file.write(path, checkpoint_file.dumps(CONTENT))
    with pytest.raises(StoredTreeError, match="max_size"):
        checkpoint_file.read(path, set(), 100)


def test_a_place_that_takes_no_file_is_named(tmp_path):
    checkpoint_file.require_writable(tmp_path / "new")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"^path must be in an existing directory"):
        checkpoint_file.require_writable(tmp_path / "missing" / "new")
