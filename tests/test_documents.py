"""What the documents say is so: their code runs and prints what they show, their links lead on."""

import importlib
import pkgutil
import re
import runpy
import sys
import warnings
from pathlib import Path

import pytest

import sklearn_gd
from sklearn_gd import activations, losses, schedules, solvers

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE_BY_THE_BUILD = {"_build", "auto_examples", "generated"}
README = (ROOT / "README.md").read_text(encoding="utf-8")
PIECES = (DOCS / "getting_started.md").read_text(encoding="utf-8")
PROMISES = (DOCS / "promises.md").read_text(encoding="utf-8")
API = (DOCS / "api.rst").read_text(encoding="utf-8")

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
        *sorted(DOCS.rglob("*.md")),
    ]
    if not MADE_BY_THE_BUILD & set(path.relative_to(DOCS.parent).parts)
}
WITH_CODE = [name for name, text in PAGES.items() if "```python" in text]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def shown_output(code):
    """Return the comments behind calls of print: what the reader is told to expect."""
    return re.findall(r"^\s*print\(.*\)  # (.*)$", code, flags=re.MULTILINE)


@pytest.fixture
def headless(monkeypatch):
    """Draw without a window, run from the checkout, and leave no figure open."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(ROOT)
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize("page", WITH_CODE)
def test_python_blocks_run_in_order_and_print_what_they_show(page, capsys, headless):
    namespace = {"__name__": "block"}
    for code in blocks(PAGES[page], "python"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile(code, page, "exec"), namespace)
        assert capsys.readouterr().out.splitlines() == shown_output(code), code


def test_every_python_block_is_found():
    assert {"README.md", "docs/index.md", "docs/getting_started.md"} <= set(WITH_CODE)
    for page in WITH_CODE:
        assert PAGES[page].count("```python") == len(blocks(PAGES[page], "python")), page
    assert len(blocks(README, "python")) >= 4


def test_the_two_set_up_commands_stand_alone():
    assert blocks(README, "bash") == [
        "pip install . && python examples/quickstart.py\n",
        'pip install -e ".[test]" && pytest\n',
    ]


@pytest.mark.parametrize("page", PAGES)
def test_linked_files_exist(page):
    folder = (ROOT / page).parent
    links = [link for link in re.findall(r"\]\(([^)#\s]+)\)", PAGES[page]) if ":" not in link]
    links = [link for link in links if not MADE_BY_THE_BUILD & set(Path(link).parts)]
    assert links or page not in ("README.md", "docs/getting_started.md", "docs/promises.md")
    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("module", [activations, losses, solvers, schedules])
def test_every_piece_is_listed_by_name(module):
    missing = [name for name in module._BUILT_IN if f"`{name}`" not in PIECES]
    assert missing == []


def test_every_promise_is_kept_by_a_test():
    promises = re.split(r"^\d+\. ", PROMISES.partition("## What is not")[0], flags=re.MULTILINE)[
        1:
    ]
    assert len(promises) >= 20
    for promise in promises:
        kept_by = re.findall(r"\[(test_\w+)\]\(\.\./(tests/\w+\.py)\)", promise)
        assert kept_by, promise
        for test, file in kept_by:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test


def test_each_wish_is_shown_by_a_test():
    rows = [line for line in PAGES["docs/wishes.md"].splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 20
    for row in rows:
        (shown,) = re.findall(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\) \|$", row)
        assert f"def {shown[0]}(" in (ROOT / shown[1]).read_text(encoding="utf-8"), shown


def public_modules():
    """Return the names of the package and of those of its modules that have no underscore."""
    found = [module.name for module in pkgutil.iter_modules(sklearn_gd.__path__)]
    return ["sklearn_gd", *(f"sklearn_gd.{name}" for name in found if not name.startswith("_"))]


def listed_names(module):
    """Return what the API page lists under ``currentmodule:: module``, in its order."""
    names = []
    for part in API.split(".. currentmodule:: ")[1:]:
        if part.partition("\n")[0] == module:
            for table in part.split(".. autosummary::\n")[1:]:
                names += re.findall(r"^   (\w+)$", table, flags=re.MULTILINE)
    return names


@pytest.mark.parametrize("module", public_modules())
def test_the_api_page_lists_every_public_name_once(module):
    assert sorted(listed_names(module)) == sorted(importlib.import_module(module).__all__)


def test_the_api_page_lists_every_public_module():
    listed = re.findall(r"^   (sklearn_gd\.\w+)$", API, flags=re.MULTILINE)
    assert sorted(listed) == sorted(set(public_modules()) - {"sklearn_gd"})


def test_every_example_has_its_place_in_the_gallery():
    order = runpy.run_path(str(DOCS / "_extensions" / "gallery_order.py"))["ORDER"]
    assert sorted(order) == sorted(path.name for path in (ROOT / "examples").glob("plot_*.py"))
