"""Stored models: what comes back predicts the same, trusts little, and knows who stored it."""

import copy
import importlib
import inspect
import io
import pickle
import pkgutil
import subprocess
import sys
import warnings

import cloudpickle
import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_array_equal, assert_equal
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_gd
from sklearn_gd import (
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
    _base,
)
from sklearn_gd.activations import ELU
from sklearn_gd.exceptions import ModelVersionWarning
from sklearn_gd.losses import Huber
from sklearn_gd.schedules import Adaptive, Exponential
from sklearn_gd.solvers import Adam

skops = pytest.importorskip("skops.io", reason="what stores without running code")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.tanh(X @ [1.0, 2.0, 3.0]) + 0.01 * RNG.normal(size=60)
LABELS = np.array(["low", "middle", "high"])[np.digitize(Y, [-0.5, 0.5])]

NET = FeedForwardRegressor(hidden_layer_sizes=(4, 3), max_iter=5, tol=None, random_state=0)
MODELS = {
    "line": ThroughOriginRegressor(),
    "bent line": ThroughOriginRegressor(activation="tanh", loss=Huber(0.5)),
    "step": PerceptronClassifier(random_state=0, max_iter=5, tol=None),
    "average": PerceptronClassifier(average=True, random_state=0, max_iter=5, tol=None),
    "sigmoid": PerceptronClassifier(activation="sigmoid", early_stopping=True, random_state=0),
    "net": NET,
    "lbfgs": clone(NET).set_params(solver="lbfgs"),
    "layers": clone(NET).set_params(
        activation=["softplus", ELU(0.5)],
        learning_rate=Exponential(0.01),
        solver=Adam(beta_1=0.8),
        early_stopping=True,
    ),
    "adaptive": clone(NET).set_params(learning_rate=Adaptive(0.01, patience=1)),
    "robust": clone(NET).set_params(standardize="robust"),
    "standard": clone(NET).set_params(standardize="standard", loss="huber", early_stopping=True),
    "functions": clone(NET).set_params(activation=(np.sin, np.cos)),
}
EVERY = pytest.mark.parametrize("name", MODELS)
TEACHABLE = pytest.mark.parametrize("name", [name for name in MODELS if name != "lbfgs"])

LINE = "sklearn_gd._through_origin.ThroughOriginRegressor"
NEURON = "sklearn_gd._perceptron.PerceptronClassifier"
NETWORK = "sklearn_gd._feed_forward.FeedForwardRegressor"
# All that skops has to be told to trust: the estimator, and the pieces it holds.
TRUSTED = {
    "line": {LINE},
    "bent line": {LINE, "sklearn_gd.activations.Tanh", "sklearn_gd.losses.Huber"},
    "step": {NEURON},
    "average": {NEURON},
    "sigmoid": {NEURON},
    "net": {NETWORK, "sklearn_gd.activations.SiLU", "sklearn_gd.activations.Identity"},
    "lbfgs": {NETWORK, "sklearn_gd.activations.SiLU", "sklearn_gd.activations.Identity"},
    "layers": {
        NETWORK,
        "sklearn_gd.activations.Softplus",
        "sklearn_gd.activations.ELU",
        "sklearn_gd.activations.Identity",
        "sklearn_gd.schedules.Exponential",
        "sklearn_gd.solvers.Adam",
    },
    "adaptive": {
        NETWORK,
        "sklearn_gd.activations.SiLU",
        "sklearn_gd.activations.Identity",
        "sklearn_gd.schedules.Adaptive",
    },
    "robust": {NETWORK, "sklearn_gd.activations.SiLU", "sklearn_gd.activations.Identity"},
    "standard": {NETWORK, "sklearn_gd.activations.SiLU", "sklearn_gd.activations.Identity"},
    "functions": {
        NETWORK,
        "sklearn_gd.activations.FunctionPair",
        "sklearn_gd.activations.Identity",
    },
}

# Where each public class is defined. A stored model names its class by this path: whoever moves
# a class makes every model that was stored before unreadable.
HOMES = {
    "sklearn_gd": {
        "sklearn_gd._feed_forward": ["FeedForwardRegressor"],
        "sklearn_gd._feed_forward_classifier": ["FeedForwardClassifier"],
        "sklearn_gd._perceptron": ["PerceptronClassifier"],
        "sklearn_gd._through_origin": ["ThroughOriginRegressor"],
    },
    "sklearn_gd.activations": {
        "sklearn_gd.activations": [
            "Activation",
            "ELU",
            "Exp",
            "FunctionPair",
            "GELU",
            "Identity",
            "LeakyReLU",
            "ReLU",
            "SiLU",
            "Sigmoid",
            "Softmax",
            "Softplus",
            "Step",
            "Tanh",
        ],
    },
    "sklearn_gd.callbacks": {"sklearn_gd.callbacks": ["Checkpoint", "CheckpointError"]},
    "sklearn_gd.dask": {
        "sklearn_gd.dask._estimators": [
            "DaskFeedForwardClassifier",
            "DaskFeedForwardRegressor",
            "DaskPerceptronClassifier",
            "DaskThroughOriginRegressor",
        ],
    },
    "sklearn_gd.exceptions": {"sklearn_gd.exceptions": ["DivergenceError", "ModelVersionWarning"]},
    "sklearn_gd.inspection": {
        "sklearn_gd.inspection._activation": ["ActivationDisplay"],
        "sklearn_gd.inspection._descent": ["DescentDisplay"],
        "sklearn_gd.inspection._fit": ["FitDisplay"],
        "sklearn_gd.inspection._learning_rate": ["LearningRateDisplay"],
        "sklearn_gd.inspection._loss_curve": ["LossCurveDisplay"],
        "sklearn_gd.inspection._network": ["NetworkDisplay"],
    },
    "sklearn_gd.losses": {
        "sklearn_gd.losses": [
            "AbsoluteError",
            "BinaryLogLoss",
            "Huber",
            "LogCosh",
            "LogLoss",
            "Loss",
            "Pinball",
            "Poisson",
            "SquaredError",
        ],
    },
    "sklearn_gd.schedules": {
        "sklearn_gd.schedules": [
            "Adaptive",
            "Constant",
            "Cosine",
            "Exponential",
            "InverseScaling",
            "Schedule",
            "StepDecay",
        ],
    },
    "sklearn_gd.solvers": {
        "sklearn_gd.solvers": [
            "Adagrad",
            "Adam",
            "AdamW",
            "GradientDescent",
            "Momentum",
            "Nesterov",
            "RMSprop",
            "Solver",
        ],
    },
}


def joblib_dumps(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


def with_skops(model):
    stored = skops.dumps(model)
    return skops.loads(stored, trusted=skops.get_untrusted_types(data=stored))


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "oldest pickle": lambda model: pickle.loads(pickle.dumps(model, protocol=0)),
    "cloudpickle": lambda model: pickle.loads(cloudpickle.dumps(model)),
    "joblib": lambda model: joblib.load(io.BytesIO(joblib_dumps(model))),
    "skops": with_skops,
    "deepcopy": copy.deepcopy,
}
IN_EVERY_WAY = pytest.mark.parametrize("way", WAYS)


def target(model):
    return LABELS if "Perceptron" in repr(model) else Y


def taught(model):
    """Teach the model some rows more, and return it."""
    if hasattr(model, "early_stopping"):
        model.set_params(early_stopping=False)
    if isinstance(model, PerceptronClassifier):
        return model.partial_fit(X, LABELS, classes=np.unique(LABELS))
    return model.partial_fit(X, Y)


def answers(model):
    names = ["predict", "decision_function", "predict_proba"]
    return {name: getattr(model, name)(X) for name in names if hasattr(model, name)}


def assert_same_model(one, other):
    assert_equal(answers(one), answers(other))
    assert vars(one).keys() == vars(other).keys()
    assert repr(one) == repr(other)


# --- there and back ---------------------------------------------------------------------------


@IN_EVERY_WAY
@EVERY
def test_what_comes_back_predicts_the_same_bits(name, way):
    model = clone(MODELS[name]).fit(X, target(MODELS[name]))
    again = WAYS[way](model)
    assert_same_model(again, model)
    assert again.loss_curve_ == model.loss_curve_
    pipe = make_pipeline(StandardScaler(), clone(model)).fit(X, target(model))
    assert_same_model(WAYS[way](pipe), pipe)


@IN_EVERY_WAY
@TEACHABLE
def test_what_comes_back_learns_on_as_if_it_had_stayed(name, way):
    model = taught(taught(clone(MODELS[name])))
    again = WAYS[way](model)
    for _ in range(3):
        taught(model)
        taught(again)
    assert_same_model(again, model)
    assert again.loss_curve_ == model.loss_curve_


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module as a user has one, with an activation; also there for other processes."""
    source = """
from sklearn_gd.activations import Activation
import numpy as np
class Bump(Activation):
    def __init__(self, width=1.0):
        self.width = width
    def __call__(self, z):
        return np.exp(-((z / self.width) ** 2))
    def derivative(self, z, a):
        return -2 * z / self.width**2 * a
def cube(z):
    return z**3 / 3
def square(z):
    return z * z
"""
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield importlib.import_module("mine")
    del sys.modules["mine"]


def test_another_process_predicts_the_same_bits(tmp_path, mine):
    models = {
        **MODELS,
        "own": clone(NET).set_params(activation=[mine.Bump(2.0), (mine.cube, mine.square)]),
    }
    for name, model in models.items():
        model = make_pipeline(StandardScaler(), clone(model)).fit(X, target(model))
        joblib.dump(model, tmp_path / f"{name}.joblib")
        skops.dump(model, tmp_path / f"{name}.skops")
        np.save(tmp_path / f"{name}.npy", model.predict(X))
    np.save(tmp_path / "rows", X)
    code = """
import sys, pathlib
import joblib, numpy as np, skops.io
folder = pathlib.Path(sys.argv[1])
X = np.load(folder / "rows.npy")
for file in sorted(folder.glob("*.joblib")):
    stored = file.with_suffix(".skops")
    expected = np.load(file.with_suffix(".npy"))
    assert (joblib.load(file).predict(X) == expected).all(), file
    trusted = skops.io.get_untrusted_types(file=stored)
    assert (skops.io.load(stored, trusted=trusted).predict(X) == expected).all(), stored
    print(file.stem)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == sorted(models), done.stderr


# --- what a loader has to trust ---------------------------------------------------------------


@EVERY
def test_skops_trusts_the_estimator_and_its_pieces_only(name):
    model = clone(MODELS[name]).fit(X, target(MODELS[name]))
    pipe = make_pipeline(StandardScaler(), model).fit(X, target(model))
    for each in (model, pipe):
        found = skops.get_untrusted_types(data=skops.dumps(each))
        assert sorted(found) == sorted(TRUSTED[name])


@EVERY
def test_unless_trusted_nothing_is_loaded(name):
    stored = skops.dumps(clone(MODELS[name]).fit(X, target(MODELS[name])))
    kind = type(MODELS[name]).__name__
    with pytest.raises(TypeError, match=kind):
        skops.loads(stored)
    with pytest.raises(TypeError, match=kind):
        skops.loads(stored, trusted=[t for t in TRUSTED[name] if not t.endswith(kind)])


@TEACHABLE
def test_the_memory_of_partial_fit_is_of_this_package(name):
    found = skops.get_untrusted_types(data=skops.dumps(taught(clone(MODELS[name]))))
    assert TRUSTED[name] <= set(found)
    foreign = {kind for kind in found if not kind.startswith("sklearn_gd.")}
    assert foreign <= {"numpy.dtype"}


def test_pieces_of_your_own_are_trusted_by_their_names(mine):
    model = clone(NET).set_params(activation=[mine.Bump(2.0), (mine.cube, mine.square)])
    stored = skops.dumps(model.fit(X, Y))
    found = skops.get_untrusted_types(data=stored)
    assert {"mine.Bump", "mine.cube", "mine.square"} < set(found)
    with pytest.raises(TypeError, match=r"mine\.Bump"):
        skops.loads(stored, trusted=[t for t in found if not t.startswith("mine.")])
    assert_same_model(skops.loads(stored, trusted=found), model)


def test_a_lambda_is_stored_by_cloudpickle_alone():
    model = clone(NET).set_params(activation=(lambda z: z**3 / 3, lambda z: z * z)).fit(X, Y)
    assert_array_equal(WAYS["cloudpickle"](model).predict(X), model.predict(X))
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(model)


def test_without_its_callbacks_a_model_is_as_if_it_never_had_any():
    callback = pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
    model = clone(NET).set_callbacks(callback.ScoringMonitor(scoring="r2")).fit(X, Y)
    with_them = skops.get_untrusted_types(data=skops.dumps(model))
    assert any("ScoringMonitor" in kind for kind in with_them)
    stored = skops.dumps(model.set_callbacks())
    assert sorted(skops.get_untrusted_types(data=stored)) == sorted(TRUSTED["net"])
    again = skops.loads(stored, trusted=sorted(TRUSTED["net"]))
    assert_same_model(again, clone(NET).fit(X, Y))


def public_modules():
    """Return every public module that can be imported here, by name."""
    names = [module.name for module in pkgutil.iter_modules(sklearn_gd.__path__)]
    found = {"sklearn_gd": sklearn_gd}
    for name in sorted(f"sklearn_gd.{name}" for name in names if not name.startswith("_")):
        try:
            found[name] = importlib.import_module(name)
        except ImportError:  # what it needs is not installed
            continue
    return found


def is_stored(kind):
    """Return whether a stored model may be of this class, or hold one."""
    return issubclass(kind, BaseEstimator)


def test_every_public_class_stays_where_it_is():
    homes, modules = {}, public_modules()
    assert HOMES.keys() - modules.keys() <= {"sklearn_gd.dask"}  # where dask is not installed
    for name, module in modules.items():
        classes = [c for c in map(vars(module).get, module.__all__) if inspect.isclass(c)]
        for kind in classes if name in HOMES else filter(is_stored, classes):
            assert getattr(importlib.import_module(kind.__module__), kind.__qualname__) is kind
            homes.setdefault(name, {}).setdefault(kind.__module__, []).append(kind.__qualname__)
    for name in HOMES.keys() & modules.keys():
        found = {home: sorted(classes) for home, classes in homes.pop(name).items()}
        assert found == {home: sorted(classes) for home, classes in HOMES[name].items()}
    assert not homes, "pin the homes of these too"


# --- who stored it ----------------------------------------------------------------------------


@pytest.fixture
def from_elsewhere(monkeypatch):
    """Store models as another version of the package would."""

    def store(dump, model):
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(_base, "__version__", "99.1.0")
            return dump(model)

    return store


SAID = (
    r"A {} stored by sklearn_gd 99\.1\.0 was loaded by sklearn_gd \d.*: it may fail or .* "
    r"where sklearn-gd==99\.1\.0 is installed\."
)


@EVERY
def test_a_model_of_another_version_is_loaded_with_one_warning(name, from_elsewhere):
    model = clone(MODELS[name]).fit(X, target(MODELS[name]))
    pipe = make_pipeline(StandardScaler(), model).fit(X, target(model))
    stored = from_elsewhere(pickle.dumps, pipe)
    kind = type(model).__name__
    with pytest.warns(ModelVersionWarning, match=SAID.format(kind)) as caught:
        again = pickle.loads(stored)
    assert [w.filename for w in caught] == [__file__]  # it points at whoever loads
    warning = caught[0].message
    assert warning.estimator_name == kind
    assert (warning.original_version, warning.current_version) == (
        "99.1.0",
        sklearn_gd.__version__,
    )
    assert_equal(answers(again[-1]), answers(model))
    assert "_sklearn_gd_version" not in vars(again[-1])
    assert_same_model(pickle.loads(pickle.dumps(again)), again)  # now it is of this version


FILES = {
    "cloudpickle": (cloudpickle.dumps, pickle.loads),
    "joblib": (joblib_dumps, lambda stored: joblib.load(io.BytesIO(stored))),
    "skops": (skops.dumps, lambda stored: skops.loads(stored, trusted=sorted(TRUSTED["net"]))),
}


@pytest.mark.parametrize("way", FILES)
def test_the_note_is_read_however_a_model_is_stored(way, from_elsewhere):
    dump, load = FILES[way]
    model = clone(NET).fit(X, Y)
    stored = from_elsewhere(dump, model)
    with pytest.warns(ModelVersionWarning, match=r"99\.1\.0") as caught:
        again = load(stored)
    assert len(caught) == 1
    assert_same_model(again, model)


@EVERY
def test_the_note_is_in_the_stored_state_only(name):
    model = clone(MODELS[name]).fit(X, target(MODELS[name]))
    before = dict(vars(model))
    state = model.__getstate__()
    assert state.pop("_sklearn_gd_version") == sklearn_gd.__version__
    if before.get("_scaling") is not None:  # without its class
        assert state["_scaling"] == vars(before["_scaling"])
        state["_scaling"] = before["_scaling"]
    assert state == before == vars(model)
    first = pickle.dumps(model)
    again = pickle.loads(first)
    assert pickle.dumps(model) == first
    assert vars(again).keys() == before.keys()
    assert "version" not in repr(again) + str(again.get_params())
    assert vars(clone(again)).keys() == model.get_params(deep=False).keys()
    assert joblib.hash(copy.deepcopy(again)) == joblib.hash(again)


def test_a_state_is_taken_as_it_is_given():
    model = clone(NET).fit(X, Y)
    state = model.__getstate__()
    kept = dict(state)
    FeedForwardRegressor().__setstate__(state)
    assert state == kept
    by_hand = FeedForwardRegressor()
    by_hand.__setstate__(dict(vars(model)))  # without a note there is nothing to warn of
    assert_same_model(by_hand, model)


class Named(FeedForwardRegressor):
    """A subclass with a state of its own."""

    def __getstate__(self):
        return {**super().__getstate__(), "opened": None}

    def __setstate__(self, state):
        super().__setstate__(state)
        self.opened = "again"


def test_subclasses_may_have_a_state_of_their_own(from_elsewhere):
    model = Named(max_iter=5, tol=None, random_state=0).fit(X, Y)
    assert copy.deepcopy(model).opened == "again"
    model.__setstate__(model.__getstate__())
    state = from_elsewhere(Named.__getstate__, model)
    with pytest.warns(ModelVersionWarning, match=r"A Named stored by sklearn_gd 99\.1\.0"):
        Named().__setstate__(state)


def test_the_warning_crosses_processes():
    warning = ModelVersionWarning("FeedForwardRegressor", "0.2.0", "0.1.0")
    again = pickle.loads(pickle.dumps(warning))
    assert str(again) == str(warning)
    assert (again.current_version, again.original_version) == ("0.2.0", "0.1.0")


def fitted_and_warned(model):
    """Fit elsewhere a model that came from here; return it with what was said of it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        copy.deepcopy(model).fit(X, target(model))
        pickle.loads(pickle.dumps(model))
        model.fit(X, target(model))
    return model, [str(warning.message) for warning in said]


def test_workers_of_joblib_hear_no_warning(capfd):
    names = ["line", "step", "net"]
    with parallel_config("loky", n_jobs=2):
        done = Parallel()(delayed(fitted_and_warned)(clone(MODELS[name])) for name in names)
    for name, (model, said) in zip(names, done, strict=True):
        assert said == []
        assert_same_model(model, clone(MODELS[name]).fit(X, target(model)))
    assert "ModelVersionWarning" not in capfd.readouterr().err


def test_checkpoints_tell_of_another_version_too(tmp_path, from_elsewhere):
    pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
    from sklearn_gd.callbacks import Checkpoint, resume

    model = clone(NET).set_callbacks(Checkpoint(tmp_path / "here", every=2))
    whole = model.fit(X, Y)
    again = resume(tmp_path / "here", X, Y)  # silently, as warnings are errors
    assert_array_equal(again.predict(X), whole.predict(X))
    other = clone(NET).set_callbacks(Checkpoint(tmp_path / "elsewhere", every=2))
    from_elsewhere(lambda model: model.fit(X, Y), other)
    with pytest.warns(ModelVersionWarning, match=r"99\.1\.0"):
        resume(tmp_path / "elsewhere", X, Y)
