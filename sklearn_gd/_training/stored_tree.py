"""What a file may hold, checked before anything is built from it.

skops writes an object as a tree of nodes, each with the name of a class, and builds it by
importing whatever has that name. It trusts the rest of a node: which attributes an object gets,
what an array's bytes say of its size. So the whole tree is compared here with what the state of a
fit consists of, and everything else is refused.
"""

from __future__ import annotations

import ast
import json
import math
from contextlib import suppress
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np

from sklearn_gd._pieces import VERSION_NOTE, storable_classes

Node = dict[str, Any]  # of the tree that skops writes as JSON

__all__ = ["Names", "StoredTreeError", "names_in"]

_NUMBERS = frozenset(
    f"numpy.{kind.__name__}"
    for kind in set(np.sctypeDict.values())
    if issubclass(kind, (np.bool_, np.integer, np.floating, np.str_))
)
_KEYS = _NUMBERS | {"builtins.str", "builtins.int", "builtins.float", "builtins.bool"}

# The nodes of skops that hold plain data, with the names that they have then.
_PLAIN: dict[str, frozenset[str]] = {
    "JsonNode": frozenset({"builtins.str"}),
    "DictNode": frozenset({"builtins.dict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "NdArrayNode": _NUMBERS | {"numpy.ndarray"},
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "TypeNode": _KEYS,
}
# Those that import, and most of them call, what they name.
_IMPORTING = frozenset({"FunctionNode", "ConstructorFromReduceNode"})
# What scikit-learn and this package add to the state of an object: the versions that stored it.
_NOTES = frozenset({"_sklearn_version", VERSION_NOTE})


class StoredTreeError(ValueError):
    """A tree of nodes that skops did not write, or with content that is not accepted."""


class Names(NamedTuple):
    """The names in a tree that are not those of plain data.

    Attributes
    ----------
    objects : set of str
        Classes whose objects are built without a call.
    others : set of str
        Everything else: functions, methods, classes that are called or passed as values.
    """

    objects: set[str]
    others: set[str]

    def refused(self, trusted: set[str]) -> set[str]:
        """Return the names that are neither trusted nor a storable class in a class's place."""
        return (self.objects - storable_classes().keys() - trusted) | (self.others - trusted)


class _Reader:
    """Looks through one archive.

    Parameters
    ----------
    archive : ZipFile
    max_size : int
        How many bytes its arrays may take, each as often as it is named.
    """

    def __init__(self, archive: ZipFile, max_size: int) -> None:
        self.archive, self.left = archive, max_size
        self.max_size = max_size
        self.names = Names(set(), set())
        self._seen: dict[object, object] = {}
        self._sizes: dict[str, int] = {}

    def look_through(self, value: object) -> None:
        """Look at every node below `value`, as deep as the interpreter allows."""
        if isinstance(value, list):
            for each in value:
                self.look_through(each)
        elif isinstance(value, dict):
            if not value.keys().isdisjoint({"__loader__", "__class__", "__module__"}):
                self._look_at(value)
            for each in value.values():
                self.look_through(each)

    def _look_at(self, node: Node) -> None:
        loader, module, name = (node.get(f"__{key}__") for key in ("loader", "module", "class"))
        if not (isinstance(loader, str) and isinstance(module, str) and isinstance(name, str)):
            raise StoredTreeError("holds a node without a kind or a name.")
        # Of two nodes with one number skops builds the first, in both places.
        if "__id__" in node and self._seen.setdefault(node["__id__"], node) != node:
            raise StoredTreeError(f"holds two objects under one number, a {module}.{name}.")
        full = f"{module}.{name}"
        look_inside = getattr(self, f"_{loader}", None)
        if look_inside is not None:
            look_inside(node, full)
        if full in _PLAIN.get(loader, ()):
            return
        if loader == "ObjectNode":
            self.names.objects.add(full)
        elif loader == "PartialNode":  # whatever its name is, this is what skops builds
            self.names.others.add("functools.partial")
        elif loader in _PLAIN or loader in _IMPORTING:
            self.names.others.add(full)
        elif loader == "MethodNode":
            self.names.others.add(f"{full}.{node['content']['func']}")
        else:
            raise StoredTreeError(f"holds {full}, a {loader}, which is not read back.")

    def _DictNode(self, node: Node, _: str) -> None:  # noqa: N802
        # skops calls whatever stands here, with each key.
        kinds = [(n["__loader__"], _full_name(n)) for n in node["key_types"]["content"]]
        holder = node["key_types"]["__loader__"], _full_name(node["key_types"])
        if holder != ("ListNode", "builtins.list") or not all(
            loader == "TypeNode" and name in _KEYS for loader, name in kinds
        ):
            raise StoredTreeError(f"holds keys of a dict that are made by {sorted(set(kinds))}.")
        if len(kinds) != len(node["content"]):
            raise StoredTreeError("holds a dict with more keys than values, or fewer.")

    def _ObjectNode(self, node: Node, full: str) -> None:  # noqa: N802
        # Python and NumPy look for some attributes, such as __array_interface__, by themselves.
        state = node.get("content") or {}
        attributes = set(state.get("content") or ())
        kind: Any = storable_classes().get(full)
        allowed = None if kind is None else {*kind._get_param_names(), *_NOTES}
        odd = {a for a in attributes if a.startswith("__")}
        if allowed is not None:
            odd = attributes - allowed
        if odd or state.get("__loader__", "DictNode") != "DictNode":
            raise StoredTreeError(f"holds a {full} with attributes {sorted(odd)}.")

    def _NdArrayNode(self, node: Node, full: str) -> None:  # noqa: N802
        if node["type"] != "numpy":
            raise StoredTreeError(f"holds {full} of objects.")
        self.left -= self._size_of_array(node["file"])
        if self.left < 0:
            raise StoredTreeError(f"holds more than max_size={self.max_size} bytes.")

    def _RandomStateNode(self, node: Node, full: str) -> None:  # noqa: N802
        # NumPy takes any position in its 624 numbers, and reads there.
        position = None
        with suppress(LookupError, TypeError, ValueError):
            state = node["content"]["content"]["state"]["content"]
            position = json.loads(state["pos"]["content"])
        if type(position) is not int or not 0 <= position <= 624:
            raise StoredTreeError(f"holds {full} at the position {position!r} of 624 numbers.")

    def _size_of_array(self, name: str) -> int:
        """Return the number of bytes of a stored array; its header must state just that many."""
        if name not in self._sizes:
            with self.archive.open(name) as file:
                magic, major = file.read(6), file.read(2)[:1]
                if magic != b"\x93NUMPY" or major not in (b"\1", b"\2", b"\3"):
                    raise StoredTreeError(f"holds {name}, which is no array.")
                width = 2 if major == b"\1" else 4
                n = int.from_bytes(file.read(width), "little")
                header = ast.literal_eval(file.read(min(n, 10_000)).decode("latin1"))
            dtype, shape = np.dtype(header["descr"]), header["shape"]
            stored = self.archive.getinfo(name).file_size - 8 - width - n
            if dtype.kind not in "biufU" or stored != math.prod(shape) * dtype.itemsize:
                raise StoredTreeError(f"holds {name}, an array that its header does not fit.")
            self._sizes[name] = stored
        return self._sizes[name]


def names_in(schema: Any, archive: ZipFile, max_size: int) -> Names:
    """Return the names in a tree of nodes, as skops stores it in an archive.

    Parameters
    ----------
    schema : dict
        The tree, the member ``schema.json`` of the archive read as JSON.
    archive : ZipFile
    max_size : int
        How many bytes the arrays may take.

    Raises
    ------
    StoredTreeError
        For content that is not accepted, or contradicts itself.
    """
    reader = _Reader(archive, max_size)
    reader.look_through(schema)
    return reader.names


def _full_name(node: Node) -> str:
    return f"{node['__module__']}.{node['__class__']}"
