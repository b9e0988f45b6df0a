"""The house rules: imports go one way, the package needs little, and names are what they say."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_gd

PACKAGE = Path(sklearn_gd.__file__).parent

# The subpackages stand above all floors, beside each other; each has libraries of its own.
SUBPACKAGES = {
    "inspection": {"matplotlib"},
    "onnx": {"skl2onnx", "onnx"},
    "dask": {"dask", "distributed", "cloudpickle", "pandas"},
}

# From the ground up: a module or folder imports what stands in a line before its own, and modules
# of one folder each other.
FLOORS = [
    ["exceptions", "_kernels"],
    ["_pieces"],
    ["_proximal"],
    ["activations", "solvers", "schedules"],
    ["losses"],
    ["_data"],
    ["_models"],
    ["_training"],
    ["_base"],
    ["_show_versions", "_through_origin", "_perceptron", "_feed_forward"],
    ["_feed_forward_classifier"],
    ["testing", "callbacks"],
    ["__init__"],
]
LIGHT = {"sklearn", "scipy", "numpy", "joblib", "sklearn_gd"}
OPTIONAL = {"checkpoint_file": {"skops"}}


def imports_of(path):
    """Return the modules that a file imports."""
    return imports_in(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports_in(nodes):
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module
            found += [f"{base}.{a.name}" if base == "sklearn_gd" else base for a in node.names]
    return set(found)


def room_of(path):
    """Return the module or folder of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [path for path in PACKAGE.rglob("*.py") if room_of(path) not in SUBPACKAGES]


def test_every_module_has_its_floor():
    assert {room_of(path) for path in FILES} == {name for floor in FLOORS for name in floor}


def test_imports_go_down_only():
    height = {name: level for level, floor in enumerate(FLOORS) for name in floor}
    for path in FILES:
        room = room_of(path)
        for module in imports_of(path):
            if module.startswith("sklearn_gd."):
                name = module.split(".")[1]
                assert name == room or height[name] < height[room], f"{path} imports {name}"


def test_only_run_time_dependencies_are_imported():
    for path in FILES:
        roots = {module.split(".")[0] for module in imports_of(path)}
        allowed = LIGHT | OPTIONAL.get(path.stem, set())
        assert roots - set(sys.stdlib_module_names) <= allowed, path


def outside_functions(tree):
    """Return the nodes of a module that run when it is imported."""
    found, waiting = [], [tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                waiting += node.orelse
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                found.append(node)
                waiting.append(node)
    return found


@pytest.mark.parametrize("name", SUBPACKAGES)
def test_subpackages_stand_on_the_package_and_nothing_stands_on_them(name):
    for path in FILES:
        assert not any(f"sklearn_gd.{name}" in module for module in imports_of(path)), path.stem
    files = list((PACKAGE / name).glob("*.py"))
    assert files
    for path in files:
        for module in imports_of(path):
            if module.startswith("sklearn_gd."):
                used = module.split(".")[1]
                known = used == name or any(used in floor for floor in FLOORS[:-1])
                assert known, f"{path.stem} imports {module}"


def test_subpackages_need_nothing_but_what_is_theirs():
    for name, theirs in SUBPACKAGES.items():
        for path in (PACKAGE / name).glob("*.py"):
            roots = {module.split(".")[0] for module in imports_of(path)}
            assert roots - set(sys.stdlib_module_names) <= LIGHT | theirs, path.stem


@pytest.mark.parametrize("name", ["inspection", "onnx"])
def test_subpackages_need_what_is_theirs_only_when_they_are_used(name):
    theirs = SUBPACKAGES[name]
    for path in (PACKAGE / name).glob("*.py"):
        at_once = imports_in(outside_functions(ast.parse(path.read_text(encoding="utf-8"))))
        assert not theirs & {module.split(".")[0] for module in at_once}, path.stem


def test_the_import_loads_nothing_else():
    # scikit-learn's callbacks, from 1.9 on, bring rich along where it is installed.
    code = """
import sys, sklearn.base
try:
    import sklearn.callback
except ImportError:
    pass
before = set(sys.modules)
import sklearn_gd.inspection, sklearn_gd.onnx
print(*{name.split(".")[0] for name in set(sys.modules) - before})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Modules that some versions of Cython compiled share their types under such a name.
    loaded = {name for name in done.stdout.split() if not name.startswith("_cython_")}
    assert loaded - set(sys.stdlib_module_names) <= LIGHT


def test_every_module_has_its_test_file():
    protocols = {"interfaces.py", "learner.py"}  # without code; checked by mypy
    tests = Path(__file__).parent
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__init__.py" and path.name not in protocols:
            name = f"test_{path.name.removeprefix('_')}"
            mirrored = tests / path.relative_to(PACKAGE).with_name(name)
            assert mirrored.exists(), f"{path.relative_to(PACKAGE)} has no {mirrored.name}"
