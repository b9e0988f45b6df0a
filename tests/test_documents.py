"""What the documents say is so: their code runs and prints what they show, their links lead on."""

import re
import warnings
from pathlib import Path

import pytest

from sklearn_gd import activations, losses, schedules, solvers

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START_PAGE = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def shown_output(code):
    """Return the comments behind calls of print: what the reader is told to expect."""
    return re.findall(r"^\s*print\(.*\)  # (.*)$", code, flags=re.MULTILINE)


@pytest.mark.parametrize("text", [README, START_PAGE], ids=["README.md", "docs/index.md"])
def test_python_blocks_run_in_order_and_print_what_they_show(text, capsys):
    codes = blocks(text, "python")
    assert codes
    namespace = {"__name__": "block"}
    for code in codes:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile(code, "block", "exec"), namespace)
        assert capsys.readouterr().out.splitlines() == shown_output(code)


def test_every_python_block_of_the_readme_is_found():
    assert README.count("```python") == len(blocks(README, "python")) >= 4


def test_the_two_set_up_commands_stand_alone():
    assert blocks(README, "bash") == [
        "pip install . && python examples/quickstart.py\n",
        'pip install -e ".[test]" && pytest\n',
    ]


@pytest.mark.parametrize(
    "text", [README, START_PAGE, PROMISES], ids=["README.md", "index.md", "promises.md"]
)
def test_linked_files_exist(text):
    folder = ROOT if text is README else ROOT / "docs"
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("module", [activations, losses, solvers, schedules])
def test_the_start_page_lists_every_piece_by_name(module):
    missing = [name for name in module._BUILT_IN if f"`{name}`" not in START_PAGE]
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
