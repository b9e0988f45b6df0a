"""Sparse matrices that are malformed, and numbers too large, end in an error, never in a crash.

Sparse matrices run in other processes, which report how each ended: a crash
shows as a missing line.
"""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_gd import (
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd._data.validation import by_rows

ROWS = np.random.default_rng(0).normal(size=(30, 4))
LABELS = np.arange(30) % 3
NET = FeedForwardRegressor(hidden_layer_sizes=400, max_iter=2, tol=None, random_state=0)
NEURONS = PerceptronClassifier(average=True, max_iter=2, tol=None, random_state=0)


# --- CSR that is none -------------------------------------------------------------------------

# Each statement makes `X`, of shape (30, 6), with 90 values, something that is no matrix.
MALFORMED = {
    "column beyond": "X.indices[5] = 6",
    "column far beyond": "X.indices[5] = 2**30",
    "column negative": "X.indices[5] = -1",
    "column far negative": "X.indices[5] = -2**30",
    "last column beyond": "X.indices[-1] = 10**6",
    "starts fall": "X.indptr[3] = 80",
    "starts far beyond": "X.indptr[3] = 2**30",
    "a start negative": "X.indptr[3] = -5",
    "first start negative": "X.indptr[0] = -2**20",
    "first start not zero": "X.indptr[0] = 1",
    "end beyond": "X.indptr[-1] = 91",
    "end far beyond": "X.indptr[-1] = 2**30",
    "end negative": "X.indptr[-1] = -1",
    "values too few": "X.data = X.data[:40]",
    "columns too few": "X.indices = X.indices[:40]",
    "no values": "X.data = X.data[:0]",
    "no columns": "X.indices = X.indices[:0]",
    "starts too few": "X.indptr = X.indptr[:20]",
    "starts too many": "X.indptr = np.append(X.indptr, 10**6).astype(X.indptr.dtype)",
    "columns are no integers": "X.indices = X.indices + 0.5",
    "columns of two axes": "X.indices = X.indices.reshape(2, -1)",
    "values of two axes": "X.data = X.data.reshape(2, -1)",
    "columns are a list": "X.indices = list(X.indices)",
    "another shape": "X._shape = (30, 2)",
    "more rows": "X._shape = (10**6, 6)",
}

PRELUDE = """
import sys
import numpy as np
from scipy import sparse
from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.inspection._recording import Recording

dense = np.tile([1.0, 0.0, 2.0, 0.0, 0.0, 3.0], (30, 1)) * np.arange(1, 31)[:, None]
y = np.arange(30) % 3
line, net = ThroughOriginRegressor(max_iter=3, tol=None), FeedForwardRegressor(
    hidden_layer_sizes=2, max_iter=2, tol=None, random_state=0)
neurons = PerceptronClassifier(max_iter=2, tol=None, random_state=0)
bent = PerceptronClassifier(activation="tanh", max_iter=2, tol=None, random_state=0)
for model in (line, net, neurons, bent):
    model.fit(dense, y)
calls = {
    "line": lambda X: line.fit(X, y),
    "line, partial": lambda X: line.partial_fit(X, y),
    "line, predict": lambda X: line.predict(X),
    "tanh line": lambda X: ThroughOriginRegressor(activation="tanh").fit(X, y),
    "net": lambda X: net.fit(X, y),
    "net, partial": lambda X: net.partial_fit(X, y),
    "net, predict": lambda X: net.predict(X),
    "net, score": lambda X: net.score(X, y),
    "net, validated": lambda X: net.fit(dense, y, X_val=X, y_val=y),
    "neurons": lambda X: neurons.fit(X, y),
    "neurons, partial": lambda X: neurons.partial_fit(X, y),
    "neurons, predict": lambda X: neurons.predict(X),
    "neurons, validated": lambda X: neurons.fit(dense, y, X_val=X, y_val=y),
    "bent": lambda X: bent.fit(X, y),
    "recorded": lambda X: Recording.of_fitted(line, X, y),
}
def tell(case, name, X):
    try:
        calls[name](X)
    except ValueError as error:
        told = f"ValueError {error}".splitlines()[0]
    except BaseException as error:
        told = f"{type(error).__name__} {error}".splitlines()[0]
    else:
        told = "accepted"
    print(case, name, told, sep=" | ", flush=True)
"""


def told_by_a_process(code):
    """Run code after the prelude in another process; return how each case ended."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
    )
    lines = [line.split(" | ") for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"crashed after {lines[-1:]}: {done.stderr[-2000:]}"
    return {(case, name): told for case, name, told in lines}


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix"])
def test_csr_that_is_none_is_refused_everywhere(kind, index):
    told = told_by_a_process(
        f"""
        for case, change in {MALFORMED!r}.items():
            for name in calls:
                X = sparse.{kind}(dense)
                X.indices, X.indptr = X.indices.astype("{index}"), X.indptr.astype("{index}")
                exec(change)
                tell(case, name, X)
        for name in calls:
            tell("whole", name, sparse.{kind}(dense))
        """
    )
    assert {case for case, _ in told} == {*MALFORMED, "whole"}
    for (case, name), outcome in told.items():
        if case == "whole":
            assert outcome == "accepted", name
        else:
            what = "X_val" if "validated" in name else "X"
            said = (
                f"ValueError {what} is a malformed {kind} of shape",
                "ValueError X_val and y_val must be",
            )
            assert outcome.startswith(said), (case, name, outcome)


def test_other_formats_that_are_none_are_refused():
    changes = {
        "csc row beyond": ("csc", "X.indices[5] = 30"),
        "csc row negative": ("csc", "X.indices[5] = -1"),
        "csc starts fall": ("csc", "X.indptr[2] = 90"),
        "csc end beyond": ("csc", "X.indptr[-1] = 2**30"),
        "coo row beyond": ("coo", "X.row[5] = 30"),
        "coo column beyond": ("coo", "X.col[5] = 10**6"),
        "coo column negative": ("coo", "X.col[5] = -1"),
        "bsr column beyond": ("bsr", "X.indices[1] = 10**6"),
        "bsr starts fall": ("bsr", "X.indptr[1] = 2**20"),
        "lil column beyond": ("lil", "X.rows[3][0] = 10**6"),
        "lil column far beyond": ("lil", "X.rows[3][0] = 2**40"),
        "lil column is none": ("lil", "X.rows[3][0] = None"),
        "dok column far beyond": ("dok", "X._dict[0, 2**40] = 1.0"),
        "dia offsets too few": ("dia", "X.offsets = X.offsets[:1]"),
        "dia offset far beyond": ("dia", "X.offsets[0] = 2**30"),
        "dia values of one axis": ("dia", "X.data = X.data[0]"),
    }
    told = told_by_a_process(
        f"""
        for case, (format, change) in {changes!r}.items():
            for name in calls:
                X = sparse.csr_array(dense).asformat(format)
                exec(change)
                tell(case, name, X)
        """
    )
    assert len(told) == len(changes) * 15
    for (case, name), outcome in told.items():
        assert outcome.startswith("ValueError X"), (case, name, outcome)


@pytest.mark.parametrize("model", [ThroughOriginRegressor(), NEURONS, NET], ids=type)
def test_sound_matrices_of_any_index_type_and_layout(model):
    rows = sparse.csr_array(np.where(ROWS > 0, ROWS, 0))
    expected = clone(model).fit(rows, LABELS).predict(rows)
    for changes in (
        {"indices": "i2", "indptr": "i2"},
        {"indices": "u2", "indptr": "i4"},
        {"indices": "i4", "indptr": "i8"},
        {"indices": ">i4", "indptr": ">i4"},
    ):
        odd = rows.copy()
        odd.indices, odd.indptr = (getattr(rows, n).astype(t) for n, t in changes.items())
        assert_array_equal(clone(model).fit(odd, LABELS).predict(odd), expected)
    strided = rows.copy()
    strided.data = np.repeat(rows.data, 2)[::2]
    strided.indices = np.repeat(rows.indices, 2)[::2]
    assert_array_equal(clone(model).fit(strided, LABELS).predict(strided), expected)
    for name in ("csc", "coo", "lil", "dok", "dia", "bsr"):
        other = rows.asformat(name)
        assert_array_equal(clone(model).fit(other, LABELS).predict(other), expected)


def test_the_message_says_what_is_wrong():
    X = sparse.csr_array(np.eye(3))
    X.indices[1] = 7
    with pytest.raises(
        ValueError,
        match=r"X is a malformed csr_array of shape \(3, 3\): column "
        r"indices must lie in 0 to 2. Got 0 to 7.",
    ):
        ThroughOriginRegressor().fit(X, [1.0, 2, 3])
    assert_array_equal(X.indices, [0, 7, 2])  # as it came


def test_values_behind_the_end_are_no_fault():
    X = sparse.csr_array(ROWS)
    expected = ThroughOriginRegressor().fit(X, LABELS).coef_
    longer = X.copy()
    longer.indices = np.append(X.indices, [77, -1]).astype(X.indices.dtype)
    longer.data = np.append(X.data, [1.0, 2.0])
    assert_array_equal(ThroughOriginRegressor().fit(longer, LABELS).coef_, expected)


# --- numbers too large ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_rows_that_overflow_the_models_precision(make):
    rows = ROWS.astype(np.float32)
    net, neurons = clone(NET).fit(make(rows), LABELS), clone(NEURONS).fit(make(rows), LABELS)
    large = make(ROWS * 1e300)
    for call in (
        lambda: net.predict(large),
        lambda: net.partial_fit(large, LABELS),
        lambda: neurons.partial_fit(large, LABELS),
    ):
        with pytest.raises(ValueError, match=r"^X overflows float32, the model's precision"):
            call()
    for model in (net, neurons):
        with pytest.raises(ValueError, match=r"X_val overflows float32"):
            model.fit(make(rows), LABELS, X_val=large, y_val=LABELS)
    with pytest.raises(ValueError, match=r"^y overflows float32"):
        net.partial_fit(ROWS, LABELS * 1e300)
    assert net.predict(make(ROWS)).dtype == np.float32


@pytest.mark.parametrize("sizes", [2**70, [3, 2**62], (2**31, 2**31), np.array([2**62])])
def test_layers_without_room_in_memory(sizes):
    net = FeedForwardRegressor(hidden_layer_sizes=sizes)
    with pytest.raises((ValueError, MemoryError), match="'hidden_layer_sizes' parameter must"):
        net.fit(ROWS, LABELS)
    assert not hasattr(net, "coefs_")


@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_other_counts_may_be_as_large_as_they_like():
    huge = 2**70
    net = clone(NET).set_params(batch_size=huge, n_iter_no_change=huge).fit(ROWS, LABELS)
    assert_array_equal(
        net.coefs_[0], clone(NET).set_params(batch_size=30).fit(ROWS, LABELS).coefs_[0]
    )
    assert clone(NEURONS).set_params(batch_size=huge, max_iter=huge, tol=1e-3).fit(ROWS, LABELS)


def test_columns_in_memory_are_copied_into_rows_and_those_of_a_file_are_not(tmp_path):
    columns = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    rows = by_rows(columns)
    assert rows.flags.c_contiguous
    assert_array_equal(rows, columns)
    for same in (rows, rows[::2], rows[:, 1:]):
        assert by_rows(same) is same
    np.save(tmp_path / "X", columns)
    for mode in ("r", "c"):
        mapped = np.load(tmp_path / "X.npy", mmap_mode=mode)
        assert mapped.flags.f_contiguous
        assert by_rows(mapped) is mapped
        assert np.shares_memory(by_rows(np.asarray(mapped)[1:]), mapped)
