"""A fit that is cut at any moment goes on from its checkpoint to the very same weights."""

import os
import signal
import sys
import tempfile
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd._pieces import storable_classes
from sklearn_gd._training import checkpoint_file
from sklearn_gd.activations import ELU, Activation
from sklearn_gd.schedules import Adaptive

pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
callbacks = pytest.importorskip("sklearn_gd.callbacks")
Checkpoint, CheckpointError, resume = (
    callbacks.Checkpoint,
    callbacks.CheckpointError,
    callbacks.resume,
)

NET = FeedForwardRegressor(
    hidden_layer_sizes=(6, 4), activation=["tanh", ELU(0.5)], max_iter=12, random_state=0
)
MODELS = {
    "line": ThroughOriginRegressor(max_iter=12),
    "relu line": ThroughOriginRegressor(activation="relu", loss="huber", max_iter=12),
    "line by adam": ThroughOriginRegressor(solver="adam", learning_rate=0.1, max_iter=12),
    "line with zeros": ThroughOriginRegressor(alpha=5e-3, l1_ratio=0.9, max_iter=12),
    "step": PerceptronClassifier(max_iter=12, random_state=0),
    "average": PerceptronClassifier(max_iter=12, random_state=0, average=True, alpha=1e-4),
    "watched step": PerceptronClassifier(max_iter=12, random_state=0, early_stopping=True),
    "smooth": PerceptronClassifier(
        activation="tanh", solver="adam", max_iter=12, random_state=0, average=True
    ),
    "watched smooth": PerceptronClassifier(
        activation="sigmoid", solver="momentum", max_iter=12, random_state=0, early_stopping=True
    ),
    "smooth in data units": PerceptronClassifier(
        activation="sigmoid", standardize=False, max_iter=12, random_state=0
    ),
    "smooth with zeros": PerceptronClassifier(
        activation="tanh", solver="nesterov", alpha=0.05, l1_ratio=1.0, max_iter=12, random_state=0
    ),
    "net": NET,
    "net with dropout": clone(NET).set_params(dropout=[0.1, 0.2]),
    "watched net": clone(NET).set_params(early_stopping=True, solver="rmsprop"),
    "adaptive net": clone(NET).set_params(
        learning_rate=Adaptive(0.05, patience=1), tol=0.05, n_iter_no_change=8
    ),
    "robust net": clone(NET).set_params(standardize="robust", output_activation="softplus"),
    "standard net": clone(NET).set_params(
        standardize="standard",
        early_stopping=True,
        loss="huber",
        hidden_layer_sizes=(6,),
        activation="relu",
    ),
    "random state": clone(NET).set_params(random_state=np.random.RandomState(3)),
}


class HaltError(Exception):
    """What cuts a fit short here."""


class Cut:
    """Cuts the fit after so many epochs."""

    def __init__(self, after):
        self.after, self.epochs = after, 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.epochs += 1
        if self.epochs == self.after:
            raise HaltError

    def teardown(self, estimator, context):
        pass


def data(model):
    load = load_breast_cancer if isinstance(model, PerceptronClassifier) else load_diabetes
    X, y = load(return_X_y=True)
    return X[:200], (y[:200] if load is load_breast_cancer else y[:200] / 100)


def learned(model):
    return {
        name: value
        for name, value in vars(model).items()
        if name.endswith("_") and not name.startswith("_")
    }


def assert_equal_fits(one, other):
    one, other = learned(one), learned(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, list):
            for a, b in zip(value, other[name], strict=True):
                assert_array_equal(a, b)
        else:
            assert_array_equal(value, other[name])


@pytest.mark.filterwarnings("ignore:.*reached max_iter:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("every", "cut"), [(1, 1), (1, 7), (5, 9), (4, 12)])
def test_resumed_is_uninterrupted_to_the_last_bit(name, weighted, every, cut, tmp_path):
    model = clone(MODELS[name])
    X, y = data(model)
    weights = np.linspace(0.5, 2, len(y)) if weighted else None
    whole = clone(model).fit(X, y, weights)
    path = tmp_path / "fit"
    with pytest.raises(HaltError):
        clone(model).set_callbacks(Checkpoint(path, every), Cut(min(cut, whole.n_iter_))).fit(
            X, y, weights
        )
    assert_equal_fits(resume(path, X, y, weights), whole)
    assert_equal_fits(resume(path, X, y, weights), whole)  # from the checkpoint near the end


def test_validation_sets_and_first_weights_are_given_again(tmp_path):
    X, y = data(NET)
    given = {"X_val": X[150:], "y_val": y[150:]}
    whole = clone(NET).set_params(tol=None).fit(X[:150], y[:150], **given)
    model = clone(NET).set_params(tol=None).set_callbacks(Checkpoint(tmp_path / "fit"), Cut(5))
    with pytest.raises(HaltError):
        model.fit(X[:150], y[:150], **given)
    assert_equal_fits(resume(tmp_path / "fit", X[:150], y[:150], **given), whole)


@pytest.mark.parametrize("kind", [FeedForwardRegressor, PerceptronClassifier])
@pytest.mark.parametrize(("before", "now"), [(True, False), (False, True), (True, "reversed")])
def test_another_validation_set_is_refused(kind, before, now, tmp_path):
    X, y = data(NET)
    if kind is PerceptronClassifier:
        y = y > np.median(y)
    ours = {"X_val": X[150:], "y_val": y[150:]}
    other = {"X_val": X[150:][::-1], "y_val": y[150:]}
    model = kind(tol=None, max_iter=20, random_state=0)
    model.set_callbacks(Checkpoint(tmp_path / "fit"), Cut(5))
    with pytest.raises(HaltError):
        model.fit(X[:150], y[:150], **(ours if before else {}))
    given = other if now == "reversed" else ours if now else {}
    with pytest.raises(ValueError, match="must be those of the fit that is resumed"):
        resume(tmp_path / "fit", X[:150], y[:150], **given)


def test_warm_starts_are_resumed_where_they_were(tmp_path):
    X, y = data(NET)
    model = clone(NET).set_params(warm_start=True, early_stopping=True, tol=None)
    model.set_params(standardize=False).fit(X, y)  # the weights that are set are all of the start
    start = [W.copy() for W in model.coefs_], [b.copy() for b in model.intercepts_]
    whole = model.fit(X, y)
    again = clone(model)
    again.coefs_, again.intercepts_ = start
    again.set_callbacks(Checkpoint(tmp_path / "fit"), Cut(5))
    with pytest.raises(HaltError):
        again.fit(X, y)
    assert_equal_fits(resume(tmp_path / "fit", X, y), whole)


@pytest.mark.parametrize("standardize", ["robust", "standard"])
@pytest.mark.filterwarnings("ignore:FeedForwardRegressor learned nothing")  # few epochs, new rows
def test_warm_starts_in_the_scale_of_other_rows_are_resumed(standardize, tmp_path):
    X, y = data(NET)
    model = clone(NET).set_params(standardize=standardize, warm_start=True, tol=None)
    model.fit(X, y)
    X, y = 3 * X + 1, 2 * y
    again = deepcopy(model)
    whole = model.fit(X, y)
    again.set_callbacks(Checkpoint(tmp_path / "fit"), Cut(5))
    with pytest.raises(HaltError):
        again.fit(X, y)
    resumed = resume(tmp_path / "fit", X, y)
    assert_equal_fits(resumed, whole)
    assert_array_equal(resumed.fit(X, y).predict(X), whole.fit(X, y).predict(X))


@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_warm_starts_of_neurons_are_resumed_in_their_scale(tmp_path):
    model = clone(MODELS["smooth"]).set_params(warm_start=True, tol=None)
    X, y = data(model)
    model.fit(X, y)
    again, X = deepcopy(model), 3 * X + 1
    whole = model.fit(X, y)
    again.set_callbacks(Checkpoint(tmp_path / "fit"), Cut(5))
    with pytest.raises(HaltError):
        again.fit(X, y)
    resumed = resume(tmp_path / "fit", X, y)
    assert_equal_fits(resumed, whole)
    assert_array_equal(resumed._scaling.packed(), whole._scaling.packed())


@pytest.mark.parametrize(
    "model",
    [
        clone(NET).set_params(standardize="robust"),
        clone(NET).set_params(standardize="standard"),
        MODELS["smooth"],
    ],
)
def test_a_scale_of_another_form_is_refused(model, tmp_path):
    model = clone(model).set_params(tol=None)
    X, y = data(model)
    model.set_callbacks(Checkpoint(tmp_path / "fit"), Cut(5))
    with pytest.raises(HaltError):
        model.fit(X, y)
    content = checkpoint_file.read(tmp_path / "fit", set(storable_classes()), 1 << 30)
    for scale in (np.zeros(0), np.full(23, np.nan), list(range(23)), None):
        content["state"]["learner"]["scale"] = scale
        checkpoint_file.write(tmp_path / "fit", checkpoint_file.dumps(content))
        with pytest.raises(CheckpointError, match="scale"):
            resume(tmp_path / "fit", X, y)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork and no SIGKILL there")
# Where the benchmarks' tests came first, JAX is loaded and warns of forks; no child runs it.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
def test_a_fit_killed_at_any_moment_is_resumed(tmp_path):
    X, y = data(NET)
    model = clone(NET).set_params(tol=None, max_iter=60)
    whole = clone(model).fit(X, y)
    rng = np.random.default_rng(0)
    path, killed = tmp_path / "fit", 0
    for _ in range(20):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:  # fits, and tells of every checkpoint, until it is killed
            os.close(read_end)
            replace = os.replace

            def tell_and_replace(*names, replace=replace, write_end=write_end):
                os.write(write_end, b".")
                replace(*names)
                os.write(write_end, b".")

            os.replace = tell_and_replace
            try:
                fresh = clone(model).set_callbacks(Checkpoint(path))
                resume(path, X, y) if path.exists() else fresh.fit(X, y)
            finally:
                os._exit(0)
        os.close(write_end)
        # Killed as soon as so many signs came: before, amid or after the work that follows.
        for _ in range(int(rng.integers(1, 12))):
            if not os.read(read_end, 1):
                break
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        os.close(read_end)
        if path.exists():
            callbacks._content(path, set(), 1 << 30)  # whole, whenever it came
    assert killed >= 15
    assert_equal_fits(resume(path, X, y), whole)


@pytest.fixture
def checkpoint(tmp_path):
    X, y = data(NET)
    path = tmp_path / "fit"
    clone(NET).set_params(tol=None).set_callbacks(Checkpoint(path, every=5)).fit(X, y)
    return path


def test_damaged_files_are_refused(checkpoint):
    X, y = data(NET)
    raw = checkpoint.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(20):
        checkpoint.write_bytes(raw[: int(rng.integers(0, len(raw)))])
        with pytest.raises(CheckpointError, match=r"truncated|no checkpoint"):
            resume(checkpoint, X, y)
        at = int(rng.integers(0, len(raw)))
        checkpoint.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        with pytest.raises(CheckpointError, match=r"altered|no checkpoint"):
            resume(checkpoint, X, y)
    with pytest.raises(FileNotFoundError):
        resume(checkpoint.with_name("none"), X, y)


def test_other_rows_are_refused(checkpoint):
    X, y = data(NET)
    for other in ((X + 1e-9, y, None), (X, y[::-1], None), (X, y, np.ones(200)), (X[1:], y[1:])):
        with pytest.raises(CheckpointError, match=r"other data: (X|y|sample_weight) "):
            resume(checkpoint, *other)


class Square(Activation):
    def __call__(self, z):
        return z * z

    def derivative(self, z, a):
        return 2 * z


def test_types_of_others_load_only_when_trusted(tmp_path):
    X, y = data(NET)
    model = clone(NET).set_params(activation=Square(), tol=None, learning_rate=1e-4)
    path = tmp_path / "fit"
    model.set_callbacks(Checkpoint(path, every=5)).fit(X, y)
    kind = f"{Square.__module__}.Square"
    with pytest.raises(CheckpointError, match=kind.replace(".", r"\.")):
        resume(path, X, y)
    if Square.__module__ in sys.modules:
        assert_equal_fits(resume(path, X, y, trusted=[kind]), model)


@pytest.mark.parametrize(
    ("every", "solver", "folder", "message"),
    [
        (0, "adam", ".", "every must be a positive int. Got 0"),
        (1.5, "adam", ".", "every must be a positive int. Got 1.5"),
        (1, "lbfgs", ".", "solver='lbfgs'"),
        (1, "adam", "nowhere", "must be in an existing directory"),
    ],
)
def test_what_cannot_be_kept_is_said_before_the_first_epoch(
    every, solver, folder, message, tmp_path
):
    X, y = data(NET)
    model = clone(NET).set_params(solver=solver)
    model.set_callbacks(Checkpoint(tmp_path / folder / "fit", every))
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")
    assert list(tmp_path.iterdir()) == []


def test_only_the_last_checkpoint_stays(checkpoint):
    assert [path.name for path in checkpoint.parent.iterdir()] == ["fit"]


# --- places -----------------------------------------------------------------------------------


RUN = clone(NET).set_params(tol=None)


class Watch:
    """Calls a function after so many epochs."""

    def __init__(self, after, do):
        self.after, self.do, self.epochs = after, do, 0

    def setup(self, estimator, context):
        self.epochs = 0

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.epochs += 1
        if self.epochs == self.after:
            self.do()

    def teardown(self, estimator, context):
        pass


def refused_at_once(path, message):
    """Check that a fit with its first checkpoint far away does not run an epoch."""
    X, y = data(NET)
    ran = Watch(1, lambda: pytest.fail("an epoch was run"))
    model = clone(RUN).set_callbacks(Checkpoint(path, every=100), ran)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


def test_a_folder_at_its_path_is_found_out_at_once(tmp_path):
    refused_at_once(tmp_path, "path must be that of a file. Got .*, which is a directory")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc takes no files")
def test_a_folder_that_takes_no_files_is_found_out_at_once():
    refused_at_once("/proc/fit", "path must be one that can be written. Got /proc/fit: ")


@pytest.mark.skipif(sys.platform == "win32", reason="no fork and no users there")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_folder_without_permission_is_found_out_at_once():
    folder = Path(tempfile.mkdtemp())  # not below a folder that is root's alone
    folder.chmod(0o555)
    child = os.fork()
    if child == 0:  # root may write everywhere, so be nobody
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            callbacks.checkpoint_file.require_writable(folder / "fit")
        except ValueError as error:
            code = 0 if "path must be one that can be written" in str(error) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    folder.rmdir()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_folder_that_vanishes_does_not_end_the_fit(tmp_path):
    X, y = data(NET)
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "fit"
    model = clone(RUN)
    whole = clone(model).fit(X, y)
    model.set_callbacks(Checkpoint(path), Watch(5, lambda: (path.unlink(), folder.rmdir())))
    with pytest.warns(UserWarning, match="could not be written in epoch 6") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert_equal_fits(model, whole)


def test_a_full_disk_does_not_end_the_fit_nor_the_last_checkpoint(tmp_path, monkeypatch):
    X, y = data(NET)
    path, model = tmp_path / "fit", clone(RUN)
    whole = clone(model).fit(X, y)
    written = os.fsync

    def fill():
        def full(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)

    model.set_callbacks(Checkpoint(path), Watch(5, fill))
    with pytest.warns(UserWarning, match="No space left on device") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["fit"]
    monkeypatch.setattr(os, "fsync", written)
    assert_equal_fits(resume(path, X, y), whole)  # from epoch 5


def test_what_killed_writes_left_is_removed(tmp_path):
    X, y = data(NET)
    for name in ("fit.abcd_123.part-of-checkpoint", "fit.zzzzzzzz.part-of-checkpoint"):
        (tmp_path / name).write_bytes(b"half")
    others = ["fit.download.part", "fit2.abcd_123.part-of-checkpoint", "fit.part-of-checkpoint"]
    for name in others:
        (tmp_path / name).write_bytes(b"not ours")
    clone(RUN).set_callbacks(Checkpoint(tmp_path / "fit")).fit(X, y)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "fit"])


def test_an_interrupt_while_it_is_written_is_one(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        try:
            raise KeyboardInterrupt
        finally:
            raise ValueError("Can't close the ZIP file while there is an open writing handle")

    X, y = data(NET)

    def from_now_on():
        monkeypatch.setattr(callbacks.checkpoint_file.skops_io(), "dumps", interrupted)

    model = clone(RUN).set_callbacks(Checkpoint(tmp_path / "fit", every=2), Watch(4, from_now_on))
    with pytest.warns(ConvergenceWarning, match="training was interrupted in epoch 6"):
        model.fit(X, y)
    assert model.n_iter_ == 6


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes with names there")
def test_a_pipe_is_no_place_and_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused_at_once(tmp_path / "pipe", "which is no regular file")
    with pytest.raises(CheckpointError, match="is no regular file"):
        resume(tmp_path / "pipe", *data(NET))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("is_there", [False, True])
def test_a_symbolic_link_keeps_pointing_to_what_is_written(is_there, tmp_path):
    X, y = data(NET)
    (tmp_path / "store").mkdir()
    (tmp_path / "links").mkdir()
    target, link = tmp_path / "store" / "of_today", tmp_path / "links" / "latest"
    link.symlink_to(target)
    if is_there:
        target.write_bytes(b"")
    whole = clone(RUN).set_callbacks(Checkpoint(link)).fit(X, y)
    assert link.is_symlink()
    assert [path.name for path in (tmp_path / "links").iterdir()] == ["latest"]
    assert_equal_fits(resume(target, X, y), whole)
    assert_equal_fits(resume(link, X, y), whole)
    assert link.is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of Unix")
def test_a_file_that_is_there_keeps_its_mode(tmp_path):
    X, y = data(NET)
    path = tmp_path / "fit"
    clone(RUN).set_callbacks(Checkpoint(path)).fit(X, y)
    assert path.stat().st_mode & 0o777 == 0o600  # nobody else's, unless it is said
    path.chmod(0o640)
    clone(RUN).set_callbacks(Checkpoint(path)).fit(X, y)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_relative_path_is_that_of_where_the_fit_began(tmp_path, monkeypatch):
    X, y = data(NET)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    move = Watch(2, lambda: monkeypatch.chdir(tmp_path / "b"))
    clone(RUN).set_callbacks(Checkpoint("fit"), move).fit(X, y)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["fit"]
    assert list((tmp_path / "b").iterdir()) == []


# Where no checkpoint would be written, or several fits would share one.


def test_an_estimator_that_does_not_pass_it_on_is_refused(tmp_path):
    X, y = data(NET)
    pipe = make_pipeline(StandardScaler(), clone(NET))
    with pytest.raises(ValueError, match=r"Got Pipeline, which does not pass it on: .*pipeline\["):
        clone(pipe).set_callbacks(Checkpoint(tmp_path / "fit")).fit(X, y)
    search = GridSearchCV(clone(NET), {"alpha": [0.0, 1.0]}, cv=2)
    with pytest.raises(ValueError, match="Got GridSearchCV, which does not pass it on"):
        search.set_callbacks(Checkpoint(tmp_path / "fit")).fit(X, y)
    assert not list(tmp_path.iterdir())
    pipe[-1].set_callbacks(Checkpoint(tmp_path / "fit", every=5))
    pipe.fit(X, y)
    again = resume(tmp_path / "fit", pipe[0].transform(X), y)
    assert_array_equal(again.predict(pipe[0].transform(X)), pipe.predict(X))


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("Search", [GridSearchCV, HalvingGridSearchCV])
def test_a_search_is_refused(Search, piped, tmp_path):
    X, y = data(NET)
    model = clone(NET).set_callbacks(Checkpoint(tmp_path / "fit"))
    grid = {"feedforwardregressor__alpha" if piped else "alpha": [0.0, 1.0]}
    model = make_pipeline(StandardScaler(), model) if piped else model
    message = f"the fits of {Search.__name__} would share one file"
    with pytest.raises(ValueError, match=message):
        Search(model, grid, cv=2, error_score="raise").fit(X, y)
    with pytest.raises(ValueError, match=message):
        Search(model, grid, cv=2).fit(X, y)
    assert not list(tmp_path.iterdir())


def test_fits_on_other_data_that_share_a_path_give_a_warning(tmp_path):
    X, y = data(NET)
    model = clone(NET).set_callbacks(Checkpoint(tmp_path / "fit"))
    model.fit(X, y).fit(X.copy(), y)
    with pytest.warns(UserWarning, match="is used for another fit, on other data"):
        cross_val_score(model, X, y, cv=2)
    model.set_callbacks(Checkpoint(tmp_path / "fit")).fit(X, y)


@pytest.mark.parametrize("name", MODELS)
def test_partial_fit_is_refused(name, tmp_path):
    model = clone(MODELS[name]).set_callbacks(Checkpoint(tmp_path / "fit"))
    if model.get_params().get("early_stopping"):
        model.set_params(early_stopping=False)
    X, y = data(model)
    classes = {"classes": np.unique(y)} if hasattr(model, "class_weight") else {}
    before = dict(vars(model))
    with pytest.raises(ValueError, match=r"Checkpoint keeps calls of fit, .*set_callbacks\(\)"):
        model.partial_fit(X, y, **classes)
    assert vars(model) == before
    model.set_callbacks().partial_fit(X, y, **classes)
