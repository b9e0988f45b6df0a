"""What a crafted checkpoint can do with nothing trusted: nothing, of whatever kind it is."""

import copy
import hashlib
import importlib
import io
import json
import pkgutil
import sys
import zipfile
from functools import partial
from itertools import islice

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes
from sklearn.pipeline import Pipeline

import sklearn_gd
from sklearn_gd import (
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
    activations,
    losses,
    schedules,
    solvers,
)
from sklearn_gd._pieces import storable_classes
from sklearn_gd.activations import ELU, Activation
from sklearn_gd.schedules import Adaptive

pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
skops_io = pytest.importorskip("skops.io", reason="what checkpoints are written with")
callbacks = importlib.import_module("sklearn_gd.callbacks")
Checkpoint, CheckpointError, resume = (
    callbacks.Checkpoint,
    callbacks.CheckpointError,
    callbacks.resume,
)

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:60], Y[:60] / 100
LABELS = np.median(Y) < Y
NET = FeedForwardRegressor(
    hidden_layer_sizes=3, max_iter=4, tol=None, random_state=0, learning_rate=Adaptive(0.01)
)
REFUSED = r"not trusted|not read back|keys of a dict|no array|with attributes|the position"
HEADER = b"sklearn_gd checkpoint 1\n"


def written(payload, path):
    """Write a payload as a checkpoint, with the digest that it has to have."""
    path.touch()
    with open(path, "r+b") as file:  # to empty a file takes some systems milliseconds
        file.write(HEADER + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
        file.truncate()
    return path


def payload_of(path):
    return path.read_bytes()[len(HEADER) + 65 :]


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    """A checkpoint as a fit writes it, after two of four epochs."""
    path = tmp_path_factory.mktemp("genuine") / "fit"
    clone(NET).set_callbacks(Checkpoint(path, every=2)).set_params(max_iter=3).fit(X, Y)
    assert b"schema.json" in path.read_bytes()
    return path


class Crafted:
    """A checkpoint that can be changed, node by node."""

    def __init__(self, genuine):
        with zipfile.ZipFile(io.BytesIO(payload_of(genuine))) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}
        self.schema = json.loads(self.members.pop("schema.json"))
        self._number = 0

    @property
    def parts(self):
        return self.schema["content"]

    def node(self, loader, full_name, **rest):
        module, _, name = full_name.rpartition(".")
        self._number -= 1
        head = {"__loader__": loader, "__module__": module, "__class__": name}
        return {**head, "__id__": self._number, **rest}

    def json(self, value):
        return self.node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)

    def list(self, *values):
        return self.node("ListNode", "builtins.list", content=list(values))

    def tuple(self, *values):
        return self.node("TupleNode", "builtins.tuple", content=list(values))

    def dict(self, keys_made_by=None, **content):
        kinds = [keys_made_by or self.node("TypeNode", "builtins.str") for _ in content]
        return self.node("DictNode", "builtins.dict", content=content, key_types=self.list(*kinds))

    def write(self, path, compression=zipfile.ZIP_STORED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, content in self.members.items():
                archive.writestr(name, content)
            archive.writestr("schema.json", json.dumps(self.schema))
        return written(file.getvalue(), path)


@pytest.fixture
def crafted(genuine):
    return Crafted(genuine)


def modules():
    """Return every module of the package that can be imported here."""
    found = []
    for info in pkgutil.walk_packages(sklearn_gd.__path__, "sklearn_gd."):
        found.append(importlib.import_module(info.name))
    assert len(found) > 40
    return [sklearn_gd, *found]


def callables():
    """Return the full name of every callable that any module of the package exposes."""
    names = {
        f"{module.__name__}.{name}"
        for module in modules()
        for name, value in vars(module).items()
        if callable(value)
    }
    return sorted(names - storable_classes().keys())


def nodes_that_name(crafted, full_name):
    """Yield trees in which skops would import `full_name`, call it, or have it called."""
    name = full_name.rpartition(".")[2]
    nothing = crafted.tuple()
    yield crafted.node("FunctionNode", full_name)
    yield crafted.node("TypeNode", full_name)
    yield crafted.node("ObjectNode", full_name, content=crafted.dict(a=crafted.json(1)))
    yield crafted.node("ConstructorFromReduceNode", full_name, content=nothing)
    yield crafted.dict(crafted.node("FunctionNode", full_name), key=crafted.json(1))
    yield crafted.dict(crafted.node("TypeNode", full_name), key=crafted.json(1))
    yield crafted.node("ObjectNode", full_name)
    yield crafted.node("ListNode", full_name, content=[])
    yield crafted.node("TupleNode", full_name, content=[])
    yield crafted.node("SetNode", full_name, content=[])
    yield crafted.node("DictNode", full_name, content={}, key_types=crafted.list())
    yield crafted.node("NdArrayNode", full_name, type="numpy", file="numbers.npy")
    yield crafted.node("RandomStateNode", full_name, content=crafted.dict())
    yield crafted.node(
        "PartialNode",
        "functools.partial",
        content={
            "func": crafted.node("FunctionNode", full_name),
            "args": nothing,
            "kwds": crafted.dict(),
            "namespace": crafted.dict(),
        },
    )
    owner = crafted.node("ObjectNode", full_name)
    yield crafted.node("MethodNode", full_name, content={"func": "__call__", "obj": owner})
    yield crafted.node("OperatorFuncNode", f"operator.{name}", attrs=nothing)
    yield crafted.node("ReduceNode", full_name, content=nothing, __reduce__={"args": nothing})
    yield crafted.node("TreeNode", full_name, content=nothing, __reduce__={"args": nothing})
    yield crafted.node("LossNode", full_name, content=nothing, __reduce__={"args": nothing})
    yield crafted.node("SomeNodeOfAnotherVersion", full_name, content=nothing)


def test_nothing_but_storable_classes_is_ever_built(crafted, tmp_path, monkeypatch):
    tried = callables()
    exposed = {"_kernels.import_module", "callbacks.resume", "callbacks.clone"}
    assert {f"sklearn_gd.{name}" for name in exposed} <= set(tried)
    assert len(tried) > 500
    monkeypatch.setattr(skops_io, "loads", lambda *_, **__: pytest.fail("something was built"))
    crafted.schema = {**crafted.dict(state=None), "protocol": crafted.schema["protocol"]}
    crafted.members = {"numbers.npy": npy(np.zeros(3))}  # small, since there are thousands
    parts, path = crafted.parts, tmp_path / "fit"
    for i, full_name in enumerate(tried):
        # What skops imports by name, for all of them; every kind of node, for some.
        for node in islice(nodes_that_name(crafted, full_name), None if i % 10 == 0 else 6):
            parts["state"] = node
            with pytest.raises(CheckpointError, match=REFUSED):
                resume(crafted.write(path), X, Y)


def test_every_piece_and_estimator_is_storable():
    kinds = {ThroughOriginRegressor, PerceptronClassifier, FeedForwardRegressor}
    for module in (activations, losses, solvers, schedules):
        kinds |= set(module._BUILT_IN.values())
    assert {
        f"{kind.__module__}.{kind.__qualname__}" for kind in kinds
    } <= storable_classes().keys()
    for full_name in storable_classes():
        module, _, name = full_name.rpartition(".")
        kind = getattr(sys.modules[module], name)
        assert isinstance(kind, type)
        assert issubclass(kind, BaseEstimator)


def test_a_chain_that_ends_in_a_shell_command_is_refused(crafted, tmp_path):
    # import_module("os") as a "constructor", its attribute "system" as a "method", and a dict
    # that calls this with each of its keys.
    run = tmp_path / "it_ran"
    importer = "sklearn_gd._kernels.import_module"
    argument = crafted.tuple(crafted.json("os"))
    module = crafted.node("ConstructorFromReduceNode", importer, content=argument)
    system = crafted.node("MethodNode", importer, content={"func": "system", "obj": module})
    crafted.parts["state"] = crafted.dict(system, **{f"touch {run}": crafted.json(1)})
    path = crafted.write(tmp_path / "fit")
    with pytest.raises(CheckpointError):
        resume(path, X, Y)
    assert not run.exists()
    # It is the list that stops it: skops, told to trust what is there, would run the command.
    found = skops_io.get_untrusted_types(data=payload_of(path))
    skops_io.loads(payload_of(path), trusted=found)
    assert run.exists()


def test_one_object_cannot_be_passed_for_another(crafted, tmp_path):
    # skops builds the node that it met first under a number.
    first = crafted.node("FunctionNode", "mine.function")
    second = {**crafted.node("TypeNode", "builtins.str"), "__id__": first["__id__"]}
    crafted.parts["state"] = crafted.dict(a=first, b=crafted.dict(second, key=crafted.json(1)))
    with pytest.raises(CheckpointError, match="two objects under one number"):
        resume(crafted.write(tmp_path / "fit"), X, Y, trusted=["mine.function"])


def test_estimators_of_others_are_not_fitted(crafted, tmp_path):
    # A Pipeline with a memory loads pickles from there.
    content = crafted.dict(
        steps=crafted.list(),
        memory=crafted.json(str(tmp_path)),
        _sklearn_version=crafted.json(sklearn.__version__),
    )
    name = f"{Pipeline.__module__}.Pipeline"
    crafted.parts["estimator"] = crafted.node("ObjectNode", name, content=content)
    path = crafted.write(tmp_path / "fit")
    with pytest.raises(CheckpointError, match="not trusted"):
        resume(path, X, Y)
    with pytest.raises(CheckpointError, match="holds an invalid estimator"):
        resume(path, X, Y, trusted=[name])


def test_attributes_beside_the_parameters_are_not_taken_over(crafted, tmp_path):
    attributes = crafted.parts["estimator"]["content"]
    for name in ("_recorder", "_skl_callbacks", "coefs_", "fit", "__array_interface__"):
        attributes["content"][name] = crafted.json(["nonsense"])
        attributes["key_types"]["content"].append(crafted.node("TypeNode", "builtins.str"))
        with pytest.raises(CheckpointError, match="with attributes"):
            resume(crafted.write(tmp_path / "fit"), X, Y)
        del attributes["content"][name], attributes["key_types"]["content"][-1]
    assert resume(crafted.write(tmp_path / "fit"), X, Y).n_iter_ == 3


# --- files ------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_file_is_a_checkpoint_error(crafted, genuine, tmp_path):
    path = tmp_path / "fit"
    deep = b'{"a": ' * 100_000 + b"1" + b"}" * 100_000
    good = payload_of(genuine)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", deep)
    for payload in (b"", b"no zip", good[:-20], good[20:], file.getvalue()):
        with pytest.raises(CheckpointError):
            resume(written(payload, path), X, Y)
    for schema in ({}, [], 1, None, {"content": {}}):
        broken = copy.copy(crafted)
        broken.schema = schema
        with pytest.raises(CheckpointError):
            resume(broken.write(path), X, Y)
    for protocol in (0, 1, 99, True, "2", None):  # whose nodes have other parts
        broken.schema = {**crafted.schema, "protocol": protocol}
        with pytest.raises(CheckpointError, match="protocol"):
            resume(broken.write(path), X, Y)
    itself = crafted.list()
    itself["content"].append({**itself, "content": []})
    crafted.parts["state"] = itself
    with pytest.raises(CheckpointError):
        resume(crafted.write(path), X, Y)
    with pytest.raises(FileNotFoundError):
        resume(tmp_path / "none", X, Y)


def test_the_header_is_looked_at_before_the_rest(tmp_path, monkeypatch):
    path = tmp_path / "other"
    with open(path, "wb") as file:
        file.write(b"something else\n")
        file.truncate(1 << 40)  # sparse: a terabyte of nothing
    with pytest.raises(CheckpointError, match="no checkpoint"):
        resume(path, X, Y)


def test_larger_files_are_read_where_that_is_allowed(genuine, crafted, tmp_path):
    size = len(payload_of(genuine))
    for max_size in (1, size - 1):
        with pytest.raises(CheckpointError, match=f"larger than max_size={max_size} bytes"):
            resume(genuine, X, Y, max_size=max_size)
    copied = written(payload_of(genuine), tmp_path / "fit")
    assert resume(copied, X, Y, max_size=size).n_iter_ == 3
    for max_size in (0, -1, 1.5, True, None):
        with pytest.raises(ValueError, match="max_size must be a positive int"):
            resume(genuine, X, Y, max_size=max_size)


def test_little_that_stands_for_much_is_refused(crafted, tmp_path):
    path = crafted.write(tmp_path / "fit", zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="compressed"):
        resume(path, X, Y)
    # A thousand arrays that are all read from one member.
    crafted.members["a.npy"] = npy(np.zeros(1250))
    arrays = [
        crafted.node("NdArrayNode", "numpy.ndarray", type="numpy", file="a.npy")
        for _ in range(1000)
    ]
    crafted.parts["state"] = crafted.list(*arrays)
    path = crafted.write(tmp_path / "fit")
    with pytest.raises(CheckpointError, match="holds more than max_size"):
        resume(path, X, Y, max_size=1_000_000)


def test_flipped_bits_in_a_file_with_a_right_digest(genuine, tmp_path):
    good, rng = payload_of(genuine), np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        payload = bytearray(good)
        payload[int(rng.integers(len(good)))] ^= 1 << int(rng.integers(8))
        path = written(bytes(payload), tmp_path / "fit")
        try:
            again = resume(path, X, Y)
        except CheckpointError:
            refused += 1
        except ValueError as error:  # a parameter, or the digest of the rows
            assert "parameter" in str(error) or "diverged" in str(error)  # noqa: PT017
        else:
            assert np.isfinite(again.predict(X)).all()
    assert refused > 100


# --- nodes that are plain, and not what they seem ----------------------------------------------


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def refused(crafted, path, match, **options):
    with pytest.raises(CheckpointError, match=match):
        resume(crafted.write(path), X, Y, **options)


def test_no_attribute_leads_numpy_to_memory(crafted, tmp_path):
    interface = crafted.dict(
        shape=crafted.tuple(crafted.json(1000)),
        typestr=crafted.json("<f8"),
        data=crafted.tuple(crafted.json(0xDEAD0000), crafted.json(False)),
        version=crafted.json(3),
    )
    attributes = crafted.dict(__array_interface__=interface)
    for name in ("sklearn_gd.activations.Identity", "mine.Bump"):
        thing = crafted.node("ObjectNode", name, content=attributes)
        crafted.parts["state"] = thing
        refused(crafted, tmp_path / "fit", "with attributes", trusted=["mine.Bump"])
    shape = crafted.tuple(crafted.json(1), crafted.json(1))
    crafted.parts["state"] = crafted.node(
        "NdArrayNode", "numpy.ndarray", type="json", content=[crafted.json(1)], shape=shape
    )
    refused(crafted, tmp_path / "fit", "of objects")


@pytest.mark.parametrize("position", [-1, 625, 1_000_000, 2**31 - 1, 1.5, "1", None])
def test_a_random_state_reads_among_its_numbers(position, tmp_path):
    path = tmp_path / "fit"
    model = clone(NET).set_params(random_state=np.random.RandomState(0))
    model.set_callbacks(Checkpoint(path)).fit(X, Y)
    crafted = Crafted(path)
    generator = crafted.parts["estimator"]["content"]["content"]["random_state"]
    state = generator["content"]["content"]["state"]["content"]
    assert json.loads(state["pos"]["content"]) in range(625)
    resume(crafted.write(path), X, Y)
    state["pos"]["content"] = json.dumps(position)
    refused(crafted, path, "at the position")


def test_the_same_number_is_the_same_content(crafted, tmp_path):
    # skops would call an Identity with each key: it is what it met under the number of the list.
    called = crafted.node("ObjectNode", "sklearn_gd.activations.Identity")
    first = crafted.list(called)
    kinds = {**crafted.list(crafted.node("TypeNode", "builtins.str")), "__id__": first["__id__"]}
    after = crafted.node(
        "DictNode", "builtins.dict", content={"k": crafted.json(1)}, key_types=kinds
    )
    crafted.parts["state"] = crafted.list(first, after)
    refused(crafted, tmp_path / "fit", "two objects under one number")
    # And would look at what is named twice, again and again: twice as often at each level.
    level = crafted.list()
    for _ in range(40):
        stub = {**level, "content": []}
        level = crafted.list(level, stub)
    crafted.parts["state"] = level
    refused(crafted, tmp_path / "fit", "two objects under one number")


def test_arrays_are_as_large_as_they_say(crafted, tmp_path):
    file = io.BytesIO()
    np.savez_compressed(file, estimator=np.zeros(10**6))
    good = npy(np.zeros(4))
    for content in (
        file.getvalue(),
        good[:-8],
        good.replace(b"(4,)", b"(4000000000,)"),
        good.replace(b"<f8", b"|O8"),
        good.replace(b"<f8", b"|V8"),
        npy(np.zeros(2, [("a", float)])),
        b"",
    ):
        crafted.members["a.npy"] = content
        crafted.parts["state"] = crafted.node(
            "NdArrayNode", "numpy.ndarray", type="numpy", file="a.npy"
        )
        refused(crafted, tmp_path / "fit", "no array|does not fit|not a valid checkpoint")
    crafted.members["a.npy"] = npy(np.array(2**31 - 1))
    for name in ("numpy.void", "numpy.object_", "numpy.record", "numpy.frombuffer"):
        crafted.parts["state"] = crafted.node("NdArrayNode", name, type="numpy", file="a.npy")
        refused(crafted, tmp_path / "fit", "not trusted")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_layer_sizes", [10**9]),
        ("hidden_layer_sizes", [10**6, 10**6]),
        ("hidden_layer_sizes", "many"),
        ("alpha", -1.0),
        ("activation", "nonsense"),
        ("max_iter", 0),
        ("validation_fraction", 2.0),
    ],
)
def test_parameters_are_checked_before_there_is_room_for_weights(
    parameter, value, crafted, tmp_path
):
    crafted.parts["estimator"]["content"]["content"][parameter] = crafted.json(value)
    message = "not a valid checkpoint|does not hold what a checkpoint holds"
    refused(crafted, tmp_path / "fit", message)


@pytest.mark.parametrize("name", ["schedules.Adaptive", "activations.ELU", "losses.Huber"])
def test_pieces_without_their_parameters(name, crafted, tmp_path):
    piece = crafted.node("ObjectNode", f"sklearn_gd.{name}")
    for parameter in ("learning_rate", "activation", "loss"):
        crafted.parts["estimator"]["content"]["content"][parameter] = piece
        refused(crafted, tmp_path / "fit", "not a valid checkpoint")


# --- what is named in trusted -----------------------------------------------------------------


class Bump(Activation):
    """An activation of a user's own."""

    def __init__(self, noise=None):
        self.noise = noise

    def __call__(self, z):
        return np.exp(-z * z)

    def derivative(self, z, a):
        return -2 * z * a


@pytest.fixture
def mine(tmp_path, monkeypatch):
    source = """
import numpy as np
from sklearn_gd.activations import Activation
class Bump(Activation):
    def __call__(self, z):
        return np.exp(-z * z)
    def derivative(self, z, a):
        return -2 * z * a
def cube(z):
    return z**3 / 3
def square(z):
    return z * z
def power(z, n):
    return z**n / n
def power_slope(z, n):
    return z ** (n - 1)
"""
    (tmp_path / "mine_to_trust.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("mine_to_trust")
    del sys.modules["mine_to_trust"]


@pytest.mark.parametrize("what", ["class", "pair", "ufuncs", "partial"])
def test_what_is_trusted_loads_by_its_exact_name(what, mine, tmp_path):
    activation, trusted = {
        "class": (mine.Bump(), ["mine_to_trust.Bump"]),
        "pair": ((mine.cube, mine.square), ["mine_to_trust.cube", "mine_to_trust.square"]),
        "ufuncs": ((np.sin, np.cos), ["numpy.sin", "numpy.cos"]),
        "partial": (
            (partial(mine.power, n=3), partial(mine.power_slope, n=3)),
            ["functools.partial", "mine_to_trust.power", "mine_to_trust.power_slope"],
        ),
    }[what]
    path = tmp_path / "fit"
    model = clone(NET).set_params(activation=activation, learning_rate=1e-4)
    whole = clone(model).set_callbacks(Checkpoint(path, every=3)).fit(X, Y)
    for too_little in ([], trusted[1:], [name + "x" for name in trusted], ["mine_to_trust"]):
        with pytest.raises(CheckpointError, match=trusted[0].replace(".", r"\.")):
            resume(path, X, Y, trusted=too_little)
    assert_array_equal(resume(path, X, Y, trusted=trusted).predict(X), whole.predict(X))


def test_trusted_is_a_collection_of_names(genuine):
    with pytest.raises(TypeError, match="trusted must be a collection of full names"):
        resume(genuine, X, Y, trusted="mine.Bump")


@pytest.mark.parametrize(
    "activation", [(lambda z: z, np.ones_like), Bump(np.random.default_rng(0))]
)
def test_what_cannot_be_read_back_is_refused_before_the_first_epoch(activation, tmp_path):
    model = clone(NET).set_params(activation=activation)
    model.set_callbacks(Checkpoint(tmp_path / "fit"))
    with pytest.raises(ValueError, match="Checkpoint: the estimator's parameters cannot be read"):
        model.fit(X, Y)
    assert list(tmp_path.iterdir()) == []


# --- the state --------------------------------------------------------------------------------

MODELS = {
    "net": NET,
    "watched net": clone(NET).set_params(early_stopping=True, solver="rmsprop"),
    "line": ThroughOriginRegressor(max_iter=4, tol=None),
    "step": PerceptronClassifier(max_iter=4, tol=None, random_state=0, average=True),
    "smooth": PerceptronClassifier(
        activation="tanh", solver="momentum", max_iter=4, tol=None, random_state=0, average=True
    ),
    "watched": PerceptronClassifier(max_iter=4, tol=None, random_state=0, early_stopping=True),
    "elu": clone(NET).set_params(activation=ELU(0.5), solver="adagrad"),
}


def leaves(state, path=()):
    """Yield the path of every value in a nested state."""
    for key, value in state.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        yield (*path, key)


def changes(value):
    """Yield values that are not of the form of this one."""
    yield "something else"
    if isinstance(value, np.ndarray):
        yield np.concatenate([value.ravel(), value.ravel()])
        yield value.astype(np.float32 if value.dtype != np.float32 else np.float64)
        yield value[..., None]
        if value.size:
            broken = value.copy()
            broken.flat[0] = np.nan
            yield broken
            broken = value.copy()
            broken.flat[-1] = np.inf
            yield broken
    elif isinstance(value, dict):
        yield {}
        yield {**value, "rate": 1.0, "step": 1.0}  # methods of schedules and solvers
    elif isinstance(value, list):
        yield [float("nan")]
        yield [["x"]]
    elif isinstance(value, bool):
        yield 2
    elif isinstance(value, int | float):
        yield float("nan")
        yield [value]


@pytest.mark.parametrize("name", MODELS)
def test_a_state_of_another_form_never_reaches_a_loop(name, tmp_path):
    path, model = tmp_path / "fit", clone(MODELS[name])
    y = LABELS if isinstance(model, PerceptronClassifier) else Y
    whole = clone(model).fit(X, y)
    model.set_callbacks(Checkpoint(path, every=3)).fit(X, y)
    trusted = skops_io.get_untrusted_types(data=payload_of(path))
    content = skops_io.loads(payload_of(path), trusted=trusted)
    tried = 0
    for where in leaves(content["state"]):
        value = content["state"]
        for key in where:
            value = value[key]
        for change in changes(value):
            changed = copy.deepcopy(content)
            holder = changed["state"]
            for key in where[:-1]:
                holder = holder[key]
            holder[where[-1]] = change
            with pytest.raises(CheckpointError):
                resume(written(skops_io.dumps(changed), path), X, y)
            tried += 1
    assert tried > 40
    again = resume(written(skops_io.dumps(content), path), X, y)
    assert again.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("every", [0, 1.5, "1", True, None])
def test_the_content_beside_the_state_is_checked(every, genuine, tmp_path):
    path = tmp_path / "fit"
    trusted = skops_io.get_untrusted_types(data=payload_of(genuine))
    content = skops_io.loads(payload_of(genuine), trusted=trusted)
    for changed in (
        {**content, "every": every},
        {**content, "digest": None},
        {**content, "state": [1]},
        {**content, "estimator": ELU(0.5)},
        {name: value for name, value in content.items() if name != "digest"},
        [content],
    ):
        with pytest.raises(CheckpointError):
            resume(written(skops_io.dumps(changed), path), X, Y)
