"""What a file may name: the package's own classes that are stored, and plain data.

skops writes an object as a tree of nodes, each with the name of a class, and builds it by
importing whatever has that name. So all names of a tree are looked at before anything is built.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np

__all__ = ["Names", "StoredTreeError", "names_in", "storable", "storable_names"]

K = TypeVar("K", bound=type)

_CLASSES: set[type] = set()

_NUMBERS = frozenset(f"numpy.{kind.__name__}" for kind in set(np.sctypeDict.values()))
_KEYS = _NUMBERS | {"builtins.str", "builtins.int", "builtins.float", "builtins.bool"}

# The nodes of skops that hold plain data, with the names that they have then.
_PLAIN: dict[str, frozenset[str]] = {
    "JsonNode": frozenset({"builtins.str"}),
    "DictNode": frozenset({"builtins.dict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "SetNode": frozenset({"builtins.set"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "BytesNode": frozenset({"builtins.bytes"}),
    "NdArrayNode": _NUMBERS | {"numpy.ndarray"},
    "DTypeNode": frozenset({"numpy.dtype"}),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "TypeNode": _KEYS,
}
# Those that import, and most of them call, what they name.
_IMPORTING = frozenset({"FunctionNode", "ConstructorFromReduceNode"})


class StoredTreeError(ValueError):
    """A tree of nodes that skops did not write, or that holds what is not read back."""


class Names(NamedTuple):
    """The names in a tree that are not those of plain data.

    Attributes
    ----------
    objects : set of str
        Classes of which an object is built without a call.
    others : set of str
        Everything else: functions, methods, classes that are called or handed around.
    files : list of str
        The members of the archive that hold the numbers of arrays, each as often as it is read.
    """

    objects: set[str]
    others: set[str]
    files: list[str]

    def refused(self, trusted: set[str]) -> set[str]:
        """Return the names that are neither trusted nor a storable class in a class's place."""
        return (self.objects - storable_names() - trusted) | (self.others - trusted)


def storable(kind: K) -> K:
    """Register a class of this package as one that files may hold; returns it."""
    _CLASSES.add(kind)
    return kind


def storable_names() -> frozenset[str]:
    """Return the full names of all classes registered so far."""
    return frozenset(f"{kind.__module__}.{kind.__qualname__}" for kind in _CLASSES)


def names_in(schema: Any) -> Names:
    """Return the names in a tree of nodes, as skops stores it in ``schema.json``.

    Parameters
    ----------
    schema : dict
        The tree, read as JSON and otherwise untouched.

    Raises
    ------
    StoredTreeError
        For a node of a kind that is not read back, or one that contradicts itself.
    """
    names, waiting = Names(set(), set(), []), [schema]
    kinds: dict[Any, tuple[str, str]] = {}
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            if isinstance(value.get("file"), str):
                names.files.append(value["file"])
            if not value.keys().isdisjoint({"__loader__", "__class__", "__module__"}):
                kind = _look_at(value, names)
                # Of two nodes with one number skops builds the first, in both places.
                if "__id__" in value and kinds.setdefault(value["__id__"], kind) != kind:
                    raise StoredTreeError(f"holds two objects under one number, a {kind[1]}.")
    return names


def _look_at(node: dict[str, Any], names: Names) -> tuple[str, str]:
    """Add a node's name to `names`, unless it is plain data; return its kind and its name."""
    loader, module, name = (node.get(f"__{key}__") for key in ("loader", "module", "class"))
    if not (isinstance(loader, str) and isinstance(module, str) and isinstance(name, str)):
        raise StoredTreeError("holds a node without a kind or a name.")
    full = f"{module}.{name}"
    if loader == "DictNode":
        _require_plain_keys(node["key_types"])
    if full in _PLAIN.get(loader, ()):
        pass
    elif loader == "ObjectNode":
        names.objects.add(full)
    elif loader == "PartialNode":  # whatever its name is, this is what skops builds
        names.others.add("functools.partial")
    elif loader in _PLAIN or loader in _IMPORTING:
        names.others.add(full)
    elif loader == "MethodNode":
        names.others.add(f"{full}.{node['content']['func']}")
    else:
        raise StoredTreeError(f"holds {full}, a {loader}, which is not read back.")
    return loader, full


def _require_plain_keys(key_types: Any) -> None:
    # skops calls whatever stands here, with each key.
    nodes = [key_types, *key_types["content"]]
    kinds = [(node["__loader__"], f"{node['__module__']}.{node['__class__']}") for node in nodes]
    if kinds[0] != ("ListNode", "builtins.list") or not all(
        loader == "TypeNode" and name in _KEYS for loader, name in kinds[1:]
    ):
        raise StoredTreeError(f"holds keys of a dict that are made by {sorted(set(kinds))}.")
