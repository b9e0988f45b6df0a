"""The checker of the built documentation finds what is broken, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKER = Path(__file__).parents[1] / "docs" / "check_site.py"

WHOLE = {
    "index.html": """
        <link rel="stylesheet" href="_static/site.css">
        <a href="guide/loss.html#error">Loss</a> <a href="#top">up</a> <a href="">here</a>
        <a href="https://example.org/no.html">elsewhere</a> <a href="mailto:a@example.org">.</a>
        <form action="search.html"></form>
        <div id="top"></div>
        <img src="bowl.png" alt="a bowl" srcset="bowl.png 1x, big%20bowl.png 2x">
    """,
    "guide/loss.html": """
        <h2 id="error">Error</h2> <a name="old">.</a> <a href="../#top">home</a>
        <a href="../index.html?plain=1#:~:text=Loss">Loss</a> <a href="loss.html#old">.</a>
        <a href="../_downloads/1/page.html">a page to download</a>
        <img src="data:image/png;base64,AAAA" alt="inside">
    """,
    "search.html": "<a href='index.html'>home</a>",
    "_static/macros.html": "<a href='not/a/page.html'>.</a>",
    "_static/site.css": "",
    "_downloads/1/page.html": "<img src='gone.png'>",
    "bowl.png": "",
    "big bowl.png": "",
}


def check(folder, changes=None):
    """Write the site, with these pages changed (None: left out), and return what is said of it."""
    for path, text in (WHOLE | (changes or {})).items():
        if text is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", str(CHECKER), str(folder)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_a_whole_site_passes(tmp_path):
    done = check(tmp_path)
    assert (done.returncode, done.stdout) == (0, "Pages: 3. Faults: 0.\n"), done.stderr


@pytest.mark.parametrize(
    ("path", "added", "fault"),
    [
        ("index.html", "<a href='gone.html'>.</a>", "link to gone.html, which is not there"),
        ("guide/loss.html", "<a href='gone.html'>.</a>", "link to guide/gone.html, which is"),
        ("guide/loss.html", "<a href='../../index.html'>.</a>", "link to ../index.html, which is"),
        ("index.html", "<a href='guide/'>.</a>", "link to guide/index.html, which is not there"),
        ("index.html", "<a href='Bowl.png'>.</a>", "link to Bowl.png, which is not there"),
        ("index.html", "<a href='#bottom'>.</a>", "link to index.html#bottom: no such anchor"),
        ("search.html", "<a href='guide/loss.html#er'>.</a>", "link to guide/loss.html#er: no"),
        ("guide/loss.html", "<img src='bowl.png' alt='.'>", "needs guide/bowl.png, which is"),
        ("index.html", "<img srcset='a.png 1x' alt='.'>", "needs a.png, which is missing"),
        ("index.html", "<script src='_static/a.js'></script>", "needs _static/a.js, which is"),
        ("index.html", "<link rel='next' href='a.html'>", "needs a.html, which is missing"),
        ("index.html", "<img src='bowl.png'>", "image bowl.png has no alt text"),
        ("index.html", "<img src='bowl.png' alt=' '>", "image bowl.png has no alt text"),
    ],
)
def test_each_fault_is_found(tmp_path, path, added, fault):
    done = check(tmp_path, {path: WHOLE[path] + added})
    first, last = done.stdout.splitlines()
    assert done.returncode == 1
    assert first.startswith(f"{path}: {fault}")
    assert last == "Pages: 3. Faults: 1."


def test_a_page_that_nothing_leads_to_is_found(tmp_path):
    done = check(tmp_path, {"island.html": "<a href='index.html'>home</a>"})
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "island.html: no links lead here from index.html"


def test_a_site_without_a_start_page_is_no_site(tmp_path):
    done = check(tmp_path, {"index.html": None})
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "index.html is missing")


def test_it_says_how_it_is_used(tmp_path):
    done = subprocess.run(
        [sys.executable, str(CHECKER), str(tmp_path / "none")],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout.startswith("Usage: python docs/check_site.py FOLDER")
