"""`github`: each line is an annotation, whatever gates wrote, as GitHub's runner reads it."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from report_samples import (
    ANY_RUN,
    HOSTILE,
    empty_run,
    interrupted_run,
    passing_run,
    rich_run,
    run_of,
    runs,
    text_of,
)

from gatekeeper import Finding, Result, Run
from gatekeeper.decide import Policy, decide
from gatekeeper.model import Source
from gatekeeper.testing import Project


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    message: str


def unescaped(text: str, *, is_property: bool) -> str:
    """As ActionCommand.cs of actions/runner does it, percent signs last."""
    others = ((":", "%3A"), (",", "%2C")) if is_property else ()
    for character, escape in (("\r", "%0D"), ("\n", "%0A"), *others, ("%", "%25")):
        text = text.replace(escape, character)
    return text


def read(line: str) -> Command | None:
    """A line of a step's output as ActionCommand.TryParseV2 reads it, or else TryParse; None is a line of the log."""
    trimmed = line.lstrip()
    if trimmed.startswith("::") and "::" in trimmed[2:]:
        info, _, data = trimmed[2:].partition("::")
        name, _, given = info.partition(" ")
        pairs = [part.partition("=") for part in given.strip().split(",") if part]
        properties = {key: unescaped(value, is_property=True) for key, _, value in pairs}
        return Command(name, properties, unescaped(data, is_property=False))
    if "##[" in line and "]" in line.partition("##[")[2]:
        return Command(line.partition("##[")[2].partition("]")[0], {}, "")
    return None


def commands(text: str) -> list[Command]:
    """All lines are commands, or it is an error."""
    found = [read(line) for line in text.split("\n")[:-1]]
    assert all(found)
    return [command for command in found if command is not None]


def a_gate(**fields: object) -> Result:
    return Result(**{"id": "pre.a", "phase": "pre", "status": "fail", "reason": "why", **fields})  # type: ignore[arg-type]


@ANY_RUN
@given(runs())
def test_any_run_is_annotations_and_nothing_that_a_runner_would_obey(run: Run) -> None:
    found = commands(text_of("github", run))
    for command in found:
        assert command.name in ("error", "warning", "notice")
        assert set(command.properties) <= {"file", "line", "title"}
        assert command.properties["title"]
        assert command.message.strip()
        for line in command.message.split("\n"):  # what the runner writes to the log
            assert read(line) is None
            assert "\r" not in line
            assert "\x1b" not in line
    if run.verdict.decision != "proceed":
        assert any(command.name == "error" for command in found)


@ANY_RUN
@given(runs())
def test_any_run_is_as_many_lines_as_it_has_annotations(run: Run) -> None:
    text = text_of("github", run)
    assert len(text.splitlines()) == text.count("\n")


@pytest.mark.parametrize(
    "attack",
    [
        "::set-output name=x::y",
        "a\n::stop-commands::x",
        "a\r\n::add-mask::e",
        "##[set-env name=A]b",
        "%0A::error::x",
        "x,file=/etc/passwd::y",
    ],
)
def test_a_gate_gives_no_commands(attack: str) -> None:
    finding = Finding(attack, "fail", attack, "==", attack, message=attack, hint=attack)
    run = run_of((a_gate(id=f"pre.{attack}", reason=attack, findings=(finding,), source=Source(attack, 1)),))
    (command,) = commands(text_of("github", run))
    assert command.name == "error"
    assert set(command.properties) == {"file", "line", "title"}
    assert not any(read(line) for line in command.message.split("\n"))


def test_percent_signs_arrive_as_they_were_written() -> None:
    (command,) = commands(text_of("github", run_of((a_gate(reason="83 % > 80 %, see a%0Ab and 100%25"),))))
    assert command.message.startswith("83 % > 80 %, see a%0Ab and 100%25\n")


@pytest.mark.parametrize(
    ("status", "requirement", "name"),
    [
        ("fail", "required", "error"), ("error", "required", "error"), ("unknown", "required", "error"), ("warn", "required", "warning"),
        ("fail", "advisory", "warning"), ("error", "advisory", "warning"), ("unknown", "advisory", "warning"),
        ("fail", "observe", "notice"), ("error", "observe", "notice"), ("warn", "observe", "notice"),
    ],
)  # fmt: skip
def test_each_status_and_requirement_has_its_kind(status: str, requirement: str, name: str) -> None:
    (command,) = commands(
        text_of(
            "github",
            run_of((*passing_run().results, a_gate(id="pre.b", status=status, requirement=requirement))),
        )
    )
    assert command.name == name
    assert command.properties["title"].endswith(
        "pre.b" if requirement == "required" else f"pre.b ({requirement})"
    )


def test_a_failure_says_where_what_and_what_to_try() -> None:
    command = next(
        each for each in commands(text_of("github", rich_run())) if "components" in each.properties["title"]
    )
    assert command.properties == {
        "file": "gates/gate_components.py",
        "line": "14",
        "title": "FAIL pre.components",
    }
    assert command.message.split("\n")[0] == "backend http://localhost:8000/health gave 503, want 200"
    assert {"expected: == 200", "observed: 503", "try: curl -i http://localhost:8000/health"} <= set(
        command.message.split("\n")
    )


@pytest.mark.parametrize(("count", "shown", "more"), [(10, 10, 0), (11, 9, 2), (5_000, 9, 4_991)])
def test_github_takes_ten_of_a_kind_so_the_tenth_counts_the_others(count: int, shown: int, more: int) -> None:
    warnings = tuple(a_gate(id=f"pre.w{n}", status="warn") for n in range(12))
    failures = tuple(a_gate(id=f"pre.f{n}") for n in range(count))
    found = commands(text_of("github", run_of((*warnings, *failures))))
    errors = [command for command in found if command.name == "error"]
    assert [command.properties["title"] for command in errors[:shown]] == [
        f"FAIL pre.f{n}" for n in range(shown)
    ]
    assert [command.message for command in errors[shown:]] == (
        [f"{more} more in the summary"] if more else []
    )
    assert [command.message for command in found if command.name == "warning"][9:] == [
        "3 more in the summary"
    ]


def test_what_is_long_is_cut_to_what_github_takes() -> None:
    finding = Finding("名" * 5000, "fail", message=HOSTILE * 2000)
    (command,) = commands(
        text_of("github", run_of((a_gate(id=f"pre.{'x' * 5000}", reason="名" * 9_000, findings=(finding,)),)))
    )
    assert len(command.message) <= 4_096
    assert len(command.properties["title"]) <= 255


def test_nothing_is_printed_where_nothing_is_wrong() -> None:
    assert text_of("github", passing_run()) == ""


@pytest.mark.parametrize("run", [empty_run(), interrupted_run()])
def test_nothing_run_and_an_interruption_are_errors(run: Run) -> None:
    (command,) = commands(text_of("github", run))
    assert (command.name, command.properties) == ("error", {"title": "gatekeeper NONE"})


def test_a_hold_that_is_no_gates_fault_is_an_error() -> None:
    passing = passing_run()
    verdict = decide(passing.results, ["pre.a"], Policy(freezes=("release week",)))
    (command,) = commands(
        text_of(
            "github",
            Run(header=passing.header, subject=passing.subject, verdict=verdict, results=passing.results),
        )
    )
    assert (command.name, command.properties["title"]) == ("error", "gatekeeper HOLD")
    assert "release week" in command.message


def test_a_project_within_a_repository_is_annotated_from_its_root(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "services").mkdir()
    project = Project(tmp_path / "services").write(
        {"gates/gate_a.py": "from gatekeeper import pre\n\n\n@pre\ndef broken(ctx):\n    assert 1 == 2\n"}
    )
    done = project.command("run", "pre", "pre.broken", "--format", "github")
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error file=services/gates/gate_a.py,line=4,title=FAIL pre.broken::")
    assert done.exit_code == 1
    project.environment["GITHUB_ACTIONS"] = "true"
    assert project.command("report", "github").stdout == done.stdout
