"""The benchmarks run, and both sides do the same work. How long they take is not tested."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import accuracy, everyday, footprint, line, network, neuron, report
from benchmarks.race import OURS, losses, race

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"),
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
]
CASES = [case for module in (line, neuron, network, everyday) for case in module.cases(True)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_runs_and_its_contenders_reach_the_same_loss(case):
    result = race(case, rounds=1)
    assert all(seconds[0] > 0 for seconds in result.seconds.values())
    assert set(case.aims) - {"torch", "JAX"} <= set(result.seconds)
    found = losses(case)
    for name, loss in found.items():
        assert loss == pytest.approx(found[OURS], rel=case.alike) or (
            name in case.worse and loss > found[OURS]
        ), (name, found)


def test_the_tables_say_what_was_measured():
    result = race(CASES[0], rounds=3)
    result.seconds = {OURS: [1.0, 2.0, 4.0], "LinearRegression": [8.0, 8.0, 8.0]}
    head, ours, theirs = report.table([result])
    assert ours[1:4] == [OURS, "2 s", "1"]
    assert theirs[1:] == ["LinearRegression", "8 s", "4.00", "2.00 to 8.00", "4.00", "met"]
    assert report.markdown([head, theirs]).splitlines()[1] == "|---|---|---|---|---|---|---|"


@pytest.mark.slow
def test_figures_are_held_against_their_limits():
    figures = [footprint.Figure("a", 1.0, 2.0, "MB"), footprint.Figure("b", 3.0, 2.0, "")]
    assert [row[1:] for row in report.figure_table(figures)[1:]] == [
        ["1.00 MB", "2.00 MB", "met"],
        ["3.00", "2.00", "missed"],
    ]
    assert len(list(footprint.figures(quick=True))) > 10


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("accuracy", {"MLPRegressor", "HistGradientBoosting"}),
        ("probabilities", {"MLPClassifier", "LogisticRegression, standardised"}),
    ],
)
def test_the_accuracy_of_all_contenders_is_relative_to_the_reference(name, others):
    kind = accuracy.KINDS[name]._replace(seeds=(0,))
    scores = accuracy.measure(kind, quick=True)
    head, *tables, mean, _largest, _warned, times = accuracy.lines(kind, scores)
    reference = head.index(kind.reference, 2)
    assert set(head[2:]) >= {"sklearn_gd", *others}
    assert all(row[reference] == "1.00" for row in [*tables, times])
    assert mean[reference] == "1.000"
    ratios = [of["sklearn_gd"].error / of[kind.reference].error for of in scores.values()]
    assert mean[2] == f"{accuracy.geometric_mean(ratios):.3f}"


def test_a_section_of_a_page_is_replaced_and_the_rest_is_left(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nWords.\n")
    report.replace_section(page, "line", "first")
    report.replace_section(page, "neuron", "other")
    report.replace_section(page, "line", "second")
    assert "Words." in page.read_text()
    assert "first" not in page.read_text()
    assert page.read_text().index("second") < page.read_text().index("other")
