"""What is built and released is what the package says of itself: settings that must agree."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

import pytest

import sklearn_gd

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
WORKFLOWS = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
SCRIPTS = {
    name: (ROOT / ".ci" / name).read_text(encoding="utf-8")
    for name in ("run", "extras", "distributions", "common.sh")
}


def bounds(requirements):
    """Return the lower bound of each requirement, but for the package's own extras."""
    others = [each for each in requirements if not each.startswith("sklearn-gd[")]
    found = [re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", each) for each in others]
    return {each[1].lower(): each[2] for each in found}


def handed_to_setup(**environment):
    """Return what setup.py says of each extension, and its other options."""
    code = """
import json, runpy, setuptools
ATTRIBUTES = ["name", "optional", "py_limited_api", "define_macros", "depends"]
def setup(ext_modules, options, **others):
    extensions = [{name: getattr(each, name) for name in ATTRIBUTES} for each in ext_modules]
    print(json.dumps([extensions, options]))
setuptools.setup = setup
runpy.run_path("setup.py")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "SKLEARN_GD_PURE_PYTHON": "0", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def oldest_python():
    return re.fullmatch(r">=(\d+\.\d+)", PROJECT["requires-python"])[1]


def supported_pythons():
    named = [re.search(r":: (3\.\d+)$", each) for each in PROJECT["classifiers"]]
    return [each[1] for each in named if each]


def test_the_version_stands_in_one_place():
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    try:
        assert sklearn_gd.__version__ == version("sklearn-gd") == PROJECT["version"]
    except PackageNotFoundError:
        pytest.skip("the package was never installed")
    files = [*ROOT.glob("sklearn_gd/**/*.py"), ROOT / "setup.py", ROOT / "docs" / "conf.py"]
    assigned = [
        path
        for path in files
        if re.search(r"^__version__ = \"\d+\.\d", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert assigned == []


def test_the_changelog_begins_with_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(r"^## (\d+\.\d+\.\d+) \((unreleased|\d{4}-\d\d-\d\d)\)$", changelog, re.M)
    assert section[1] == PROJECT["version"]


def test_the_citation_says_what_the_package_says_of_itself():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^([\w-]+): (.*)$", citation, re.MULTILINE))
    assert fields["cff-version"] == "1.2.0"
    assert fields["type"] == "software"
    assert fields["version"] == PROJECT["version"]
    assert fields["license"] == PROJECT["license"]
    lists = dict(re.findall(r"^(\w+):\n((?:  .*\n)+)", citation, re.MULTILINE))
    assert re.findall(r"- name: (.*)", lists["authors"]) == [
        author["name"] for author in PROJECT["authors"]
    ]
    assert re.findall(r"- (.*)", lists["keywords"]) == PROJECT["keywords"]


def test_types_and_sources_of_the_loops_are_in_the_package():
    data = SETTINGS["tool"]["setuptools"]["package-data"]["sklearn_gd"]
    assert {"py.typed", "_kernels/*.pyx", "_kernels/*.h"} <= set(data)
    package = Path(sklearn_gd.__file__).parent
    for name in ("py.typed", "_kernels/loops.pyx", "_kernels/vectors.h", "_kernels/targets.h"):
        assert (package / name).is_file(), name


def test_every_subpackage_is_packed():
    setuptools = pytest.importorskip("setuptools", reason="setuptools finds the packages")
    finds = SETTINGS["tool"]["setuptools"]["packages"]["find"]
    packed = setuptools.find_packages(str(ROOT), include=finds["include"])
    folders = {path.parent for path in ROOT.glob("sklearn_gd/**/*.py")}
    assert sorted(packed) == sorted(".".join(each.relative_to(ROOT).parts) for each in folders)


def test_one_wheel_for_every_python_from_the_oldest_on():
    pytest.importorskip("setuptools", reason="setup.py needs it")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("free-threaded Pythons have no stable ABI")
    (kernels,), options = handed_to_setup()
    major, minor = map(int, oldest_python().split("."))
    assert kernels["name"] == "sklearn_gd._kernels.loops"
    assert kernels["optional"]
    assert kernels["py_limited_api"]
    assert kernels["define_macros"] == [["Py_LIMITED_API", f"0x{major:02X}{minor:02X}0000"]]
    headers = sorted(
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("sklearn_gd/_kernels/*.h")
    )
    assert kernels["depends"] == headers
    assert options == {"bdist_wheel": {"py_limited_api": f"cp{major}{minor}"}}
    assert f"sklearn_gd-*-cp{major}{minor}-abi3-*.whl" in SCRIPTS["distributions"]
    assert SETTINGS["tool"]["cibuildwheel"]["build"].split()[0] == f"cp{major}{minor}-*"


def test_a_wheel_for_any_machine_compiles_nothing():
    pytest.importorskip("setuptools", reason="setup.py needs it")
    assert handed_to_setup(SKLEARN_GD_PURE_PYTHON="1") == [[], {}]


def test_every_place_names_the_same_pythons():
    supported = supported_pythons()
    assert supported[0] == oldest_python()
    assert re.search(r'^supported="(.*)"$', SCRIPTS["common.sh"], re.M)[1].split() == supported
    newest = SETTINGS["tool"]["cibuildwheel"]["build"].split()[-1]
    assert newest == f"cp{supported[-1].replace('.', '')}-*"
    target = f"py{oldest_python().replace('.', '')}"
    assert SETTINGS["tool"]["ruff"]["target-version"] == target
    for name, text in WORKFLOWS.items():
        for block in re.findall(r"python-version: \|\n((?: +3\.\d+\n)+)", text):
            assert sorted(block.split()) == supported, name
        quoted = set(re.findall(r'"(3\.\d+)"', text))
        assert quoted <= set(supported), name
    versions = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    assert f"| Python | {supported[0]} | {supported[0]} to {supported[-1]} |" in versions


def test_lower_bounds_are_what_is_tested():
    text = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==([\d.]+)$", text, re.MULTILINE))
    extras = PROJECT["optional-dependencies"]
    own_extras = [
        extras[name] for name in ("test", "plot", "checkpoint", "progress", "dask", "onnx")
    ]
    required = [PROJECT["dependencies"], SETTINGS["build-system"]["requires"], *own_extras]
    for name, bound in bounds(chain.from_iterable(required)).items():
        pinned = [int(part) for part in pins[name].split(".")]
        wanted = [int(part) for part in bound.split(".")]
        assert pinned == wanted + [0] * (len(pinned) - len(wanted)), name
    versions = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    for name, shown in (("numpy", "NumPy"), ("scipy", "SciPy"), ("scikit-learn", "scikit-learn")):
        assert f"| {shown} | {pins[name]} |" in versions


def test_every_extra_is_tried_in_an_environment_of_its_own():
    alone = re.findall(r"^(?:check|with_extra) (\w+)", SCRIPTS["extras"], re.MULTILINE)
    by_commands = ["test", "docs", "dev"]
    assert sorted(alone + by_commands) == sorted(PROJECT["optional-dependencies"])
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    commands = "".join(page.read_text(encoding="utf-8") for page in pages)
    for name in by_commands:
        assert f'pip install -e ".[{name}]"' in commands, name
    assert '\n"$root/.ci/extras" ' in SCRIPTS["run"]


def test_only_the_job_that_publishes_may_identify_itself():
    release = WORKFLOWS["release.yml"]
    jobs = re.split(r"^  (\w[\w-]*):\n", release.partition("\njobs:\n")[2], flags=re.MULTILINE)[1:]
    jobs = dict(zip(jobs[::2], jobs[1::2], strict=True))
    assert [name for name, job in jobs.items() if "id-token: write" in job] == ["publish"]
    assert "pypa/gh-action-pypi-publish@" in jobs["publish"]
    assert re.search(r"environment:\n +name: pypi\n", jobs["publish"])
    needs = re.search(r"needs: \[(.*)\]", jobs["publish"])[1].split(", ")
    assert sorted(needs) == sorted(set(jobs) - {"publish"})
    assert "password" not in jobs["publish"].replace("there is no password", "")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_run_everything(name):
    assert "run: .ci/run\n" in WORKFLOWS[name]


def test_the_source_distribution_has_all_of_the_repository():
    lines = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    grafted = {line.split()[1] for line in lines if line.startswith("graft ")}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a checkout")
    names = tracked.stdout.splitlines()
    assert {name.split("/")[0] for name in names if "/" in name} <= grafted
    patterns = [word for line in lines if line.startswith("include ") for word in line.split()[1:]]
    patterns += ["LICENSE", "pyproject.toml", "setup.py", "MANIFEST.in"]  # which setuptools adds
    files = [name for name in names if "/" not in name]
    assert [name for name in files if not any(map(Path(name).match, patterns))] == []
    assert not any(name.endswith((".so", ".pyd", "loops.c")) for name in tracked.stdout.split())
