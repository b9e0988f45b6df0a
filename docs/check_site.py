"""Check the pages that were built: that every link inside the site leads somewhere.

Run it after the build::

    python docs/check_site.py docs/_build/html

It prints what is wrong, one line each, and then exits with status 1. It looks for links and
anchors that lead nowhere, images and other files that are missing, images without a text for those
who do not see them, and pages that cannot be reached from the start page. Other sites are not
asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

START = "index.html"
# Pieces of pages that a theme keeps among its files, and no pages.
NOT_PAGES = ("_static/", "_downloads/")

# Which attributes of which elements name what a page needs, or leads to.
NEEDED = {
    ("img", "src"),
    ("img", "srcset"),
    ("source", "src"),
    ("source", "srcset"),
    ("video", "src"),
    ("video", "poster"),
    ("audio", "src"),
    ("script", "src"),
    ("link", "href"),
    ("iframe", "src"),
    ("object", "data"),
}
LEADING = {("a", "href"), ("area", "href"), ("form", "action")}


class Target(NamedTuple):
    """A file of the site, by its path from the root, and an anchor in it ("" for none)."""

    path: str
    anchor: str


class Page(HTMLParser):
    """What one page has, needs and leads to.

    Parameters
    ----------
    path : str
        The page's path from the root of the site, with forward slashes.
    text : str
        Its HTML.

    Attributes
    ----------
    anchors : set of str
        The ids in it.
    links, needs : list of Target
        Where its links lead, and the files that it shows or loads.
    silent_images : list of str
        The addresses of images without a text.
    """

    def __init__(self, path: str, text: str) -> None:
        super().__init__()
        self.path = path
        self.anchors: set[str] = set()
        self.links: list[Target] = []
        self.needs: list[Target] = []
        self.silent_images: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        values = {name: value or "" for name, value in attrs}
        own_names = ["id", "name"] if tag == "a" else ["id"]
        self.anchors.update(values[name] for name in own_names if values.get(name))
        for name, value in values.items():
            if (tag, name) in LEADING:
                self.links += self._targets([value])
            elif (tag, name) in NEEDED:
                self.needs += self._targets(_addresses(value) if name == "srcset" else [value])
        if tag == "img" and not values.get("alt", "").strip():
            self.silent_images.append(values.get("src", "?"))

    def _targets(self, addresses: Iterable[str]) -> list[Target]:
        """Return those of the addresses that lie within the site, from its root on."""
        found = []
        for address in addresses:
            parts = urlsplit(address.strip())
            if parts.scheme or parts.netloc:
                continue
            place = PurePosixPath(self.path).parent / unquote(parts.path)
            path = _normalised(place) if parts.path else self.path
            if parts.path.endswith("/") or path == "":
                path = _normalised(PurePosixPath(path) / START)
            # A fragment that begins with :~: is a text to look for, and no anchor.
            found.append(Target(path, unquote(parts.fragment.partition(":~:")[0])))
        return found


def _addresses(srcset: str) -> list[str]:
    return [candidate.split()[0] for candidate in srcset.split(",") if candidate.strip()]


def _normalised(path: PurePosixPath) -> str:
    """Return a path without its "." and ".." parts; those that leave the site stay."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def read_site(root: Path) -> tuple[dict[str, Page], set[str]]:
    """Return the pages of the site by their paths, and the paths of all its files."""
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    pages = {
        path: Page(path, (root / path).read_text(encoding="utf-8"))
        for path in sorted(files)
        if path.endswith(".html") and not path.startswith(NOT_PAGES)
    }
    return pages, files


def faults_of(page: Page, pages: dict[str, Page], files: set[str]) -> list[str]:
    """Return what is wrong with one page, in words."""
    faults = []
    for path, anchor in page.links:
        if path not in files:
            faults.append(f"link to {path}, which is not there")
        elif anchor and path in pages and anchor not in pages[path].anchors:
            faults.append(f"link to {path}#{anchor}: no such anchor there")
    faults += [f"needs {path}, which is missing" for path, _ in page.needs if path not in files]
    faults += [f"image {address} has no alt text" for address in page.silent_images]
    return [f"{page.path}: {fault}" for fault in dict.fromkeys(faults)]


def unreachable(pages: dict[str, Page]) -> list[str]:
    """Return the pages that no way of links from the start page leads to."""
    seen, waiting = {START}, [START]
    while waiting:
        page = pages.get(waiting.pop())
        for path in {target.path for target in page.links} - seen if page else ():
            seen.add(path)
            waiting.append(path)
    return [path for path in pages if path not in seen]


def check(root: Path) -> list[str]:
    """Return all that is wrong with the site in the folder `root`, in words."""
    pages, files = read_site(root)
    if START not in pages:
        return [f"{START} is missing"]
    faults = [fault for page in pages.values() for fault in faults_of(page, pages, files)]
    return faults + [f"{path}: no links lead here from {START}" for path in unreachable(pages)]


def main(arguments: list[str]) -> int:
    """Check the site in the one folder given; return the exit status."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("Usage: python docs/check_site.py FOLDER (of the HTML that was built)")
        return 2
    root = Path(arguments[0])
    faults = check(root)
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"Pages: {len(read_site(root)[0])}. Faults: {len(faults)}.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
