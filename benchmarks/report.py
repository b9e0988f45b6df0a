"""Format results as tables for a terminal and for a Markdown page."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.footprint import Figure
from benchmarks.race import OURS, Result

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "jax")


def table(results: Iterable[Result]) -> list[list[str]]:
    """Return one line per contender: case, time, ratio to our time, spread, aim."""
    lines = [["case", "contender", "median", "times ours", "rounds", "aim", ""]]
    for result in results:
        ours = result.median(OURS)
        lines.append([result.case.name, OURS, duration(ours), "1", "", "", ""])
        for name in result.seconds:
            if name == OURS:
                continue
            low, high = result.spread(name)
            aim = result.case.aims.get(name)
            lines.append(
                [
                    "",
                    name,
                    duration(result.median(name)),
                    f"{result.ratio(name):.2f}",
                    f"{low:.2f} to {high:.2f}",
                    "" if aim is None else f"{aim:.2f}",
                    "" if aim is None else verdict(result.ratio(name) >= aim),
                ]
            )
    return lines


def figure_table(figures: Iterable[Figure]) -> list[list[str]]:
    lines = [["figure", "measured", "at most", ""]]
    for figure in figures:
        lines.append(
            [
                figure.name,
                f"{figure.value:.2f} {figure.unit}".strip(),
                f"{figure.limit:.2f} {figure.unit}".strip(),
                verdict(figure.value <= figure.limit),
            ]
        )
    return lines


def verdict(met: bool) -> str:
    return "met" if met else "missed"


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def plain(lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(lines: list[list[str]]) -> str:
    head, *rest = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest])


def machine() -> str:
    """Return a description of the machine and the software versions."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {', '.join(versions)}."
    )


def processor() -> str:
    try:
        found = re.search(
            r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
        )
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


def replace_section(page: Path, name: str, text: str) -> None:
    """Put `text` between the markers of section `name` of a page; create either if missing."""
    begin, end = f"<!-- {name}: measured -->", f"<!-- {name}: end -->"
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    new = f"{begin}\n\n{text}\n\n{end}"
    if begin in old:
        before, _, rest = old.partition(begin)
        new = before + new + rest.partition(end)[2]
    else:
        new = f"{old.rstrip()}\n\n{new}\n".lstrip()
    page.write_text(new, encoding="utf-8")
