"""The same data give the same answer, or the same refusal, wherever and however they come in.

Every estimator is walked through its doors with rows and targets of many kinds.
"""

import inspect
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone, is_classifier

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.callbacks import Checkpoint, resume

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning"),
    # Rows of a frame, predicted on by a model of an array, and the other way round.
    pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names"),
    pytest.mark.filterwarnings("ignore:A column-vector y was passed"),
]

# Small whole numbers, which every type has.
RNG = np.random.default_rng(0)
ROWS = RNG.integers(0, 5, (40, 3)).astype(float)
ROWS[:4] = 0.0
NAMES = ["a", "b", "c"]
NUMBERS = (ROWS @ [1.0, 2.0, -1.0] + RNG.integers(0, 3, 40)).astype(float)
LABELS = (NUMBERS > 3).astype(int) + (NUMBERS > 7)

SETTINGS = {"max_iter": 3, "tol": None, "random_state": 0}
MODELS = {
    "line": ThroughOriginRegressor(solver="momentum", max_iter=3, tol=None),
    "huber line": ThroughOriginRegressor(loss="huber", max_iter=3, tol=None),
    "step neuron": PerceptronClassifier(**SETTINGS),
    "sigmoid neuron": PerceptronClassifier(activation="sigmoid", **SETTINGS),
    "network": FeedForwardRegressor(hidden_layer_sizes=(4,), **SETTINGS),
    "classifying network": FeedForwardClassifier(hidden_layer_sizes=(4,), **SETTINGS),
}
each_model = pytest.mark.parametrize("name", MODELS)


def frame(dtype):
    return pd.DataFrame(ROWS, columns=NAMES).astype(dtype)


def as_memmap(rows, tmp_path):
    stored = np.memmap(tmp_path / "rows", dtype=rows.dtype, mode="w+", shape=rows.shape)
    stored[:] = rows
    return stored


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def in_blocks():
    """Return a frame whose columns are stored apart."""
    rows = pd.DataFrame(index=range(len(ROWS)))
    for column, name in zip(ROWS.T, NAMES, strict=True):
        rows[name] = column
    return rows


def with_zeros_stored(rows):
    """Return rows in CSR, with zeros stored, indices out of order and one number in two parts."""
    n, width = rows.shape
    indices = np.tile([2, 0, 1, 2], n)
    data = np.stack([rows[:, 2] - 1, rows[:, 0], rows[:, 1], np.ones(n)], axis=1).ravel()
    return sparse.csr_array((data, indices, np.arange(0, 4 * n + 1, 4)), shape=(n, width))


def with_wide_indices(rows):
    wide = sparse.csr_array(rows)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    return wide


DENSE = {
    "C order": lambda _: ROWS.copy(),
    "Fortran order": lambda _: np.asfortranarray(ROWS),
    "every other column": lambda _: np.repeat(ROWS, 2, axis=1)[:, ::2],
    "reversed twice": lambda _: ROWS[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": lambda _: read_only(ROWS),
    "unaligned": lambda _: (
        np.frombuffer(b" " + ROWS.tobytes(), np.uint8)[1:].view(float).reshape(ROWS.shape)
    ),
    "memory map": lambda path: as_memmap(ROWS, path),
    "other byte order": lambda _: ROWS.astype(ROWS.dtype.newbyteorder()),
    "lists": lambda _: ROWS.tolist(),
    "tuples": lambda _: tuple(map(tuple, ROWS.tolist())),
    "int64": lambda _: ROWS.astype(np.int64),
    "int8": lambda _: ROWS.astype(np.int8),
    "uint16": lambda _: ROWS.astype(np.uint16),
    "longdouble": lambda _: ROWS.astype(np.longdouble),
    "objects": lambda _: ROWS.astype(object),
    "frame": lambda _: frame(float),
    "frame of int": lambda _: frame(int),
    "frame of several types": lambda _: frame({"a": "int8", "b": "float32", "c": "float64"}),
    "frame in blocks": lambda _: in_blocks(),
    "frame, nullable": lambda _: frame("Float64"),
    "frame, nullable int": lambda _: frame("Int8"),
    "frame, Arrow": lambda _: frame("double[pyarrow]"),
    "frame of objects": lambda _: frame(object),
    "frame of categories": lambda _: frame("category"),
    "frame with an index": lambda _: frame(float).set_index(np.arange(40)[::-1]),
    "polars": lambda _: pl.DataFrame(ROWS, schema=NAMES),
    "Arrow": lambda _: pa.table(dict(zip(NAMES, ROWS.T, strict=True))),
    "polars, int": lambda _: pl.DataFrame(ROWS.astype(int), schema=NAMES),
}
SINGLE = {
    "float32": lambda _: ROWS.astype(np.float32),
    "float32, Fortran order": lambda _: np.asfortranarray(ROWS.astype(np.float32)),
    "float32 memory map": lambda path: as_memmap(ROWS.astype(np.float32), path),
    "frame of float32": lambda _: frame("float32"),
    "polars, float32": lambda _: pl.DataFrame(ROWS.astype(np.float32), schema=NAMES),
    "Arrow, float32": lambda _: pa.table(dict(zip(NAMES, ROWS.T.astype(np.float32), strict=True))),
}
SPARSE = {
    "csr": lambda _: sparse.csr_array(ROWS),
    "csr matrix": lambda _: sparse.csr_matrix(ROWS),
    "csr, zeros stored": lambda _: with_zeros_stored(ROWS),
    "csr, wide indices": lambda _: with_wide_indices(ROWS),
    "csr of int": lambda _: sparse.csr_array(ROWS.astype(np.int64)),
    "csc": lambda _: sparse.csc_array(ROWS),
    "coo": lambda _: sparse.coo_array(ROWS),
    "bsr": lambda _: sparse.bsr_array(ROWS),
    "dia": lambda _: sparse.dia_array(ROWS),
    "lil": lambda _: sparse.lil_array(ROWS),
    "dok": lambda _: sparse.dok_array(ROWS),
}
GROUPS = {"dense": DENSE, "single": SINGLE, "sparse": SPARSE}
# Products of other memory orders add in other orders.
ROUNDING = {"dense": 1e-12, "single": 3e-6, "sparse": 1e-12}
KINDS = [(group, kind) for group, kinds in GROUPS.items() for kind in kinds]


def spoilt(value):
    rows = ROWS.copy()
    rows[7, 1] = value
    return rows


REFUSED = {
    "missing": lambda: spoilt(np.nan),
    "infinite": lambda: spoilt(np.inf),
    "missing in float32": lambda: spoilt(np.nan).astype(np.float32),
    "too large": lambda: [[10**400, 1, 1]] * 40,
    "None": lambda: np.where(ROWS == 3, None, ROWS),
    "NA": lambda: frame("Int64").mask(ROWS == 3),
    "NA of Arrow": lambda: frame("double[pyarrow]").mask(ROWS == 3),
    "null of polars": lambda: pl.DataFrame(ROWS, schema=NAMES).with_columns(
        pl.lit(None).alias("c")
    ),
    "complex": lambda: ROWS + 1j,
    "words": lambda: np.where(ROWS == 3, "three", "other"),
    "dates": lambda: ROWS.astype("M8[D]"),
    "frame with dates": lambda: frame(float).assign(c=pd.Timestamp("2020-01-01")),
    "durations": lambda: ROWS.astype("m8[D]"),
    "matrix": lambda: ROWS.view(np.matrix),
    "one axis": lambda: ROWS[:, 0],
    "three axes": lambda: ROWS[:, :, None],
    "no rows": lambda: ROWS[:0],
    "no columns": lambda: ROWS[:, :0],
    "ragged": lambda: [[1.0, 2.0, 3.0]] * 39 + [[1.0]],
    "a number": lambda: 3.0,
    "None alone": lambda: None,
    "sparse, missing": lambda: sparse.csr_array(spoilt(np.nan)),
    "sparse, complex": lambda: sparse.csr_array(ROWS + 1j),
    "sparse, broken": lambda: broken(sparse.csr_array(ROWS)),
}


def broken(rows):
    rows.indices[0] = 99
    return rows


def targets(model):
    return LABELS if is_classifier(model) else NUMBERS


def answers(model):
    """Return the numbers that a fitted model answers with on the rows, and its weights."""
    method = model.decision_function if is_classifier(model) else model.predict
    found = [np.ravel(method(ROWS))]
    weights = model.coefs_ if hasattr(model, "coefs_") else [model.coef_]
    return np.concatenate([*found, *map(np.ravel, weights)])


def outputs(model, rows):
    """Return what all methods that predict say of rows."""
    found = [model.predict(rows)]
    for method in ("decision_function", "predict_proba", "predict_log_proba"):
        if hasattr(model, method):
            found.append(getattr(model, method)(rows))
    found = [np.asarray(each, float).ravel() for each in found]
    return np.concatenate([*found, [model.score(rows, targets(model))]])


def doors(model, known=None):
    """Yield the doors by name: functions of X and y that return what a model answers then.

    What comes in before, at some of them, are the rows and `known` targets.
    """
    known = targets(model) if known is None else known
    classes = {"classes": np.unique(known)} if is_classifier(model) else {}

    def in_parts(X, y):
        return answers(clone(model).partial_fit(X, y, **classes).partial_fit(X, y))

    def go_on(X, y):
        return answers(clone(model).fit(ROWS, known).partial_fit(X, y))

    def warmly(X, y):
        return answers(clone(model).set_params(warm_start=True).fit(ROWS, known).fit(X, y))

    def resumed(X, y):
        with tempfile.TemporaryDirectory() as folder:
            started = clone(model).set_params(max_iter=2)
            started.set_callbacks(Checkpoint(Path(folder, "it"), 1)).fit(X, y)
            return answers(resume(Path(folder, "it"), X, y))

    def beside(X, y):
        fitted = clone(model).fit(ROWS, known, X_val=X, y_val=y)
        return np.array(fitted.validation_loss_curve_)

    yield "fit", lambda X, y: answers(clone(model).fit(X, y))
    yield "partial_fit", in_parts
    yield "partial_fit after fit", go_on
    yield "warm start", warmly
    if hasattr(model, "set_callbacks"):
        yield "resume", resumed
    if "X_val" in inspect.signature(model.fit).parameters:
        yield "validation set", beside


def canonical(group, rows=ROWS):
    """Return rows as the others of a group are stored in the end."""
    return {
        "dense": rows,
        "single": rows.astype(np.float32),
        "sparse": sparse.csr_array(rows),
    }[group]


@cache
def expected_at_doors(name, group):
    """Return what a model answers at each door, and what it predicts, for canonical rows."""
    model, rows = MODELS[name], canonical(group)
    y = targets(model)
    fitted = clone(model).fit(rows, y)
    return {door: of(rows, y) for door, of in doors(model)}, fitted, outputs(fitted, rows)


@each_model
@pytest.mark.parametrize(("group", "kind"), KINDS)
def test_rows_of_any_kind_give_the_same_answer_at_every_door(name, group, kind, tmp_path):
    model, rows = MODELS[name], GROUPS[group][kind](tmp_path)
    expected, fitted, predicted = expected_at_doors(name, group)
    near = {"rtol": ROUNDING[group], "atol": ROUNDING[group]}
    for door, of in doors(model):
        assert_allclose(of(rows, targets(model)), expected[door], err_msg=door, **near)
    assert_allclose(outputs(fitted, rows), predicted, **near)


@each_model
@pytest.mark.parametrize("kind", REFUSED)
def test_rows_that_are_refused_are_refused_at_every_door(name, kind):
    model, rows = MODELS[name], REFUSED[kind]()
    for door, of in doors(model):
        refuses(door, of, rows, targets(model))
    refuses("predictions", outputs, expected_at_doors(name, "dense")[1], rows)


def refuses(door, of, *given):
    try:
        of(*given)
    except (OverflowError, TypeError, ValueError):
        return
    pytest.fail(f"{door} accepts what fit refuses.")


# Targets.

NUMBER_KINDS = {
    "list": lambda y: y.tolist(),
    "tuple": lambda y: tuple(y),
    "int64": lambda y: y.astype(np.int64),
    "int8": lambda y: y.astype(np.int8),
    "float16": lambda y: y.astype(np.float16),
    "float32": lambda y: y.astype(np.float32),
    "longdouble": lambda y: y.astype(np.longdouble),
    "other byte order": lambda y: y.astype(">f8"),
    "objects": lambda y: y.astype(object),
    "read-only": read_only,
    "every other": lambda y: np.repeat(y, 2)[::2],
    "reversed twice": lambda y: y[::-1].copy()[::-1],
    "column": lambda y: y[:, None],
    "column in Fortran order": lambda y: np.asfortranarray(y[:, None]),
    "list of lists": lambda y: y[:, None].tolist(),
    "Series": lambda y: pd.Series(y),
    "Series with a name and an index": lambda y: pd.Series(y, y[::-1], name="y"),
    "Series of int": lambda y: pd.Series(y.astype(int)),
    "Series of objects": lambda y: pd.Series(y.astype(object)),
    "nullable Series": lambda y: pd.Series(y).convert_dtypes(),
    "Arrow Series": lambda y: pd.Series(y, dtype="double[pyarrow]"),
    "categories": lambda y: pd.Series(y).astype("category"),
    "frame": lambda y: pd.DataFrame({"y": y}),
    "nullable frame": lambda y: pd.DataFrame({"y": y}).convert_dtypes(),
    "polars Series": lambda y: pl.Series("y", y),
    "polars Series of int": lambda y: pl.Series("y", y.astype(int)),
    "polars frame": lambda y: pl.DataFrame({"y": y}),
    "Arrow array": lambda y: pa.array(y),
    "Arrow chunks": lambda y: pa.chunked_array([y[:9], y[9:]]),
}
REFUSED_NUMBERS = {
    "missing": lambda y: np.where(y == 2, np.nan, y),
    "infinite": lambda y: np.where(y == 2, np.inf, y),
    "None": lambda y: np.where(y == 2, None, y),
    "NA": lambda y: pd.Series(y, dtype="Int64").mask(y == 2),
    "NA of Arrow": lambda y: pd.Series(y, dtype="double[pyarrow]").mask(y == 2),
    "null of polars": lambda y: pl.Series([None, *y[1:]]),
    "strings of numbers": lambda y: y.astype(int).astype(str),
    "words": lambda y: np.where(y > 1, "many", "few"),
    "dates": lambda y: y.astype(int).astype("M8[D]"),
    "Series of dates": lambda y: pd.Series(y.astype(int).astype("M8[s]")),
    "durations": lambda y: y.astype(int).astype("m8[D]"),
    "complex": lambda y: y + 1j,
    "too few": lambda y: y[:-1],
    "too many": lambda y: np.r_[y, y],
    "three axes": lambda y: y[:, None, None],
    "sparse": lambda y: sparse.csr_array(y[:, None]),
    "none at all": lambda y: [],
    "a number": lambda y: 3.0,
    "None alone": lambda y: None,
}
# Labels, but of other types than numbers.
OTHER_LABELS = ("strings of numbers", "words", "dates", "Series of dates", "durations")
REFUSED_LABELS = {
    **{kind: REFUSED_NUMBERS[kind] for kind in REFUSED_NUMBERS if kind not in OTHER_LABELS},
    "objects": lambda y: y.astype(object),
    "Series of objects": lambda y: pd.Series(y.astype(object)),
    "days": lambda y: pd.Series(pd.to_datetime(y, unit="D").date),
}
LABEL_KINDS = {kind: NUMBER_KINDS[kind] for kind in NUMBER_KINDS if kind not in REFUSED_LABELS}
WORDS = np.array(["few", "more", "many"])
WORD_KINDS = {
    "strings": lambda y: WORDS[y],
    "objects": lambda y: WORDS.astype(object)[y],
    "list": lambda y: WORDS[y].tolist(),
    "Series": lambda y: pd.Series(WORDS[y]),
    "Series of objects": lambda y: pd.Series(WORDS[y], dtype=object),
    "categories": lambda y: pd.Series(WORDS[y], dtype="category"),
    "Arrow Series": lambda y: pd.Series(WORDS[y], dtype="string[pyarrow]"),
    "polars Series": lambda y: pl.Series(WORDS[y]),
    "column": lambda y: WORDS[y][:, None],
    "frame": lambda y: pd.DataFrame({"y": WORDS[y]}),
}
NUMBER_MODELS = [name for name in MODELS if not is_classifier(MODELS[name])]
LABEL_MODELS = [name for name in MODELS if is_classifier(MODELS[name])]
COLUMNS = ("column", "column in Fortran order", "list of lists", "frame", "nullable frame",
           "polars frame")  # fmt: skip


def check_targets(name, y, canonical):
    """Check that targets of one kind give the answers of canonical ones at every door."""
    model = MODELS[name]
    for door, of in doors(model, canonical):
        assert_allclose(of(ROWS, y), of(ROWS, canonical), rtol=1e-12, err_msg=door)
    fitted = clone(model).fit(ROWS, canonical)
    assert fitted.score(ROWS, y) == pytest.approx(fitted.score(ROWS, canonical), rel=1e-12)


@pytest.mark.parametrize("name", NUMBER_MODELS)
@pytest.mark.parametrize("kind", NUMBER_KINDS)
def test_numbers_of_any_kind_give_the_same_answer_at_every_door(name, kind):
    canonical = NUMBERS[:, None] if kind in COLUMNS else NUMBERS
    check_targets(name, NUMBER_KINDS[kind](NUMBERS), canonical)


@pytest.mark.parametrize("name", NUMBER_MODELS)
@pytest.mark.parametrize("kind", REFUSED_NUMBERS)
def test_numbers_that_are_refused_are_refused_at_every_door(name, kind):
    for door, of in doors(MODELS[name]):
        refuses(door, of, ROWS, REFUSED_NUMBERS[kind](NUMBERS))


@pytest.mark.parametrize("name", LABEL_MODELS)
@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_labels_of_any_kind_give_the_same_answer_at_every_door(name, kind):
    check_targets(name, LABEL_KINDS[kind](LABELS.astype(float)), LABELS)


@pytest.mark.parametrize("name", LABEL_MODELS)
@pytest.mark.parametrize("kind", WORD_KINDS)
def test_words_of_any_kind_give_the_same_answer_at_every_door(name, kind):
    check_targets(name, WORD_KINDS[kind](LABELS), WORDS[LABELS])


@pytest.mark.parametrize("name", LABEL_MODELS)
@pytest.mark.parametrize("kind", REFUSED_LABELS)
def test_labels_that_are_refused_are_refused_at_every_door(name, kind):
    for door, of in doors(MODELS[name]):
        refuses(door, of, ROWS, REFUSED_LABELS[kind](LABELS.astype(float)))


@pytest.mark.parametrize("name", LABEL_MODELS)
@pytest.mark.parametrize("kind", OTHER_LABELS)
def test_labels_of_another_type_are_refused_beside_those_of_before(name, kind):
    of_kind = REFUSED_NUMBERS[kind](LABELS.astype(float))
    for y, known in ((of_kind, LABELS), (LABELS, np.asarray(of_kind))):
        alone = ("fit", "resume")
        for door, of in doors(MODELS[name], known):
            if door in alone:
                assert np.isfinite(of(ROWS, y)).all()
            else:
                refuses(door, of, ROWS, y)
