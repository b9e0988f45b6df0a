"""What the workflows run is pinned, may do little, and is kept up to date."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


WORKFLOWS = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
}
every_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def jobs_of(workflow):
    """Return the lines of each job by its name."""
    found = re.split(r"^  ([\w-]+):.*\n", workflow.partition("\njobs:\n")[2], flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def steps_of(workflow):
    """Return the lines of each step; one begins with a dash, six spaces in."""
    jobs = jobs_of(workflow).values()
    return [step for job in jobs for step in re.split(r"^ {6}- ", job, flags=re.MULTILINE)[1:]]


def requirements(text):
    """Return the lines of a requirements file that are no comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def updates():
    """Return what dependabot.yml says of each ecosystem and folder."""
    entries = re.split(r"^  - (?=package-ecosystem:)", read(".github/dependabot.yml"), flags=re.M)
    names = [
        re.match(r"package-ecosystem: (\S+)\n +directory: (\S+)", each) for each in entries[1:]
    ]
    return {name.groups(): each for name, each in zip(names, entries[1:], strict=True)}


@every_workflow
def test_actions_are_pinned_by_hash_with_the_version_behind_it(name):
    # A tag can be moved to another commit; a hash cannot.
    lines = [line for line in WORKFLOWS[name].splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        pattern = r" +(- )?uses: [\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
        assert re.fullmatch(pattern, line), line


def test_an_action_is_the_same_commit_everywhere():
    used = re.findall(r"uses: (\S+)@(\S+ # \S+)", "".join(WORKFLOWS.values()))
    assert len(set(used)) == len(dict(used))


@every_workflow
def test_checkouts_leave_no_credentials_behind(name):
    # Else the token lies in .git/config, where every later step can read it.
    checkouts = [step for step in steps_of(WORKFLOWS[name]) if "actions/checkout@" in step]
    assert len(checkouts) == WORKFLOWS[name].count("actions/checkout@")
    for step in checkouts:
        assert re.search(r"^ {8}with:\n(?: {10}.*\n)* {10}persist-credentials: false$", step, re.M)


@every_workflow
def test_jobs_may_read_and_only_the_one_that_publishes_may_write(name):
    workflow = WORKFLOWS[name]
    jobs = jobs_of(workflow)
    for job, lines in jobs.items():
        assert "\npermissions:\n" in workflow or "\n    permissions:\n" in lines, job
    granted = re.findall(r"[\w-]+: write", workflow)
    assert granted == (["id-token: write"] if "publish" in jobs else [])


@every_workflow
def test_scripts_that_are_run_are_there(name):
    for script in re.findall(r"run: (\.ci/\S+)", WORKFLOWS[name]):
        assert (ROOT / script).is_file(), script


def test_sanitizers_run_weekly_and_by_hand():
    workflow = WORKFLOWS["test.yml"]
    events = workflow.partition("\njobs:\n")[0]
    assert re.search(r"^  schedule:$", events, re.MULTILINE)
    assert re.search(r"^  workflow_dispatch:", events, re.MULTILINE)
    job = jobs_of(workflow)["sanitize"]
    assert re.search(r"^ +- run: \.ci/sanitize$", job, re.MULTILINE)
    condition = re.search(r"^    if: (.*)$", job, re.MULTILINE)[1]
    assert set(re.findall(r"'(\w+)'", condition)) == {"schedule", "workflow_dispatch"}


def test_release_tools_are_of_an_exact_version():
    tools = requirements(read(".github/release-tools.txt"))
    for tool in tools:
        assert re.fullmatch(r"[\w-]+==\d+(\.\d+)+", tool), tool
    assert {tool.partition("==")[0] for tool in tools} == {"build", "twine"}
    installs = re.findall(r"pip install (.*)$", WORKFLOWS["release.yml"], re.MULTILINE)
    assert installs == ["-r .github/release-tools.txt"]


def test_pins_are_updated_weekly_but_not_to_what_just_came_out():
    assert set(updates()) == {("github-actions", "/"), ("pip", "/.github"), ("pip", "/")}
    for text in updates().values():
        assert re.search(r"^      interval: weekly$", text, re.MULTILINE)
        assert int(re.search(r"^    cooldown:\n +default-days: (\d+)$", text, re.M)[1]) >= 7


def test_updates_leave_the_oldest_dependencies_alone():
    allowed = re.findall(r"- dependency-name: (\S+)", updates()["pip", "/"])
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    pinned = [
        each.partition("==")[0] for extra in extras.values() for each in extra if "==" in each
    ]
    assert sorted(allowed) == sorted(pinned)
    oldest = {re.match(r"[\w-]+", line)[0] for line in requirements(read(".ci/oldest.txt"))}
    assert oldest.isdisjoint(allowed)


def test_the_security_policy_says_what_is_safe_and_how_to_report():
    policy = read("SECURITY.md")
    for word in ("resume", "pickle", "joblib", "cloudpickle", "skops", "`trusted`", "ONNX"):
        assert word in policy, word
    assert '"Report a vulnerability"' in policy
    for link in re.findall(r"\]\(([^)]+)\)", policy):
        assert (ROOT / link).is_file(), link
