"""Measure, print the tables, and write them to a page: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

from benchmarks import accuracy, everyday, footprint, line, network, neuron, report
from benchmarks.race import race

RACES = {"line": line, "neuron": neuron, "network": network, "everyday": everyday}
SECTIONS = (*RACES, "footprint", *accuracy.KINDS, "plots")


def main() -> None:
    chosen = arguments()
    if chosen.quick and chosen.out:
        raise SystemExit("--quick measures nothing worth writing down: leave out --out.")
    warnings.simplefilter("ignore")  # fits that do not converge on purpose warn about it
    os.environ["PYTHONWARNINGS"] = "ignore"
    for name in chosen.only or SECTIONS:
        print(f"\n{name}\n", flush=True)
        if name == "plots":
            draw(chosen)
            continue
        if name == "footprint":
            lines = report.figure_table(footprint.figures(chosen.quick))
        elif name in accuracy.KINDS:
            kind = accuracy.KINDS[name]
            lines = accuracy.lines(kind, accuracy.measure(kind, chosen.quick))
        else:
            lines = report.table(run(name, chosen))
        print(report.plain(lines), flush=True)
        if chosen.out:
            text = f"{report.machine()}\n\n{report.markdown(lines)}"
            report.replace_section(chosen.out, name, text)


def run(name: str, chosen: argparse.Namespace) -> list:
    results = []
    for case in RACES[name].cases(chosen.quick):
        if chosen.match in case.name:
            results.append(race(case, 2 if chosen.quick else chosen.rounds))
    return results


def draw(chosen: argparse.Namespace) -> None:
    if not chosen.out:
        print("drawn with --out")
        return
    from benchmarks import plots

    picture = chosen.out.parent / "images" / "cost.png"
    plots.draw(picture)
    print(picture)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="sections to run")
    parser.add_argument("--match", default="", help="run only cases whose name contains this")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to check that it runs")
    parser.add_argument("--rounds", type=int, default=5, help="number of runs of each contender")
    parser.add_argument("--out", type=Path, help="Markdown page to write the tables to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
