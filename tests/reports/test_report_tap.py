"""`tap`: exactly as many points as planned, readable by YAML and by Perl's harness."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from report_samples import ANY_RUN, empty_run, interrupted_run, passing_run, rich_run, run_of, runs, text_of

from gatekeeper import Result, Run

POINT = re.compile(r"(?P<not>not )?ok (?P<number>\d+) - (?P<name>.*?)(?P<skip>(?<!\\) # SKIP.*)?")


def read(text: str) -> tuple[int, list[tuple[re.Match[str], Any]]]:
    """A strict reading: the plan, and each point with its diagnostics. Any other line is an error."""
    lines = text.splitlines()
    assert lines.pop(0) == "TAP version 14"
    plan = int(lines.pop(0).removeprefix("1.."))
    points: list[tuple[re.Match[str], Any]] = []
    while lines:
        line = lines.pop(0)
        if line.startswith("# "):
            continue
        if line == "  ---":
            end = lines.index("  ...")
            points[-1] = (points[-1][0], yaml.safe_load("\n".join(lines[:end])))
            del lines[: end + 1]
            continue
        match = POINT.fullmatch(line)
        assert match, line
        points.append((match, None))
    return plan, points


@ANY_RUN
@given(runs())
def test_any_run_has_as_many_points_as_planned_and_is_red_unless_it_proceeds(run: Run) -> None:
    plan, points = read(text_of("tap", run))
    assert [int(match["number"]) for match, _ in points] == list(range(1, plan + 1))
    assert plan - len(run.results) in (0, 1)
    if run.verdict.decision != "proceed":
        assert any(match["not"] for match, _ in points)
    for (match, told), result in zip(points, run.results, strict=False):
        assert bool(match["skip"]) is (result.status == "skip")
        assert result.status == "skip" or told["status"] == result.status


@pytest.mark.parametrize("run", [empty_run(), interrupted_run()])
def test_nothing_and_an_interruption_are_not_ok(run: Run) -> None:
    _, points = read(text_of("tap", run))
    assert points[-1][0]["name"] == "verdict"
    assert points[-1][0]["not"]


def test_an_advisory_fail_is_ok_and_told() -> None:
    _, points = read(text_of("tap", rich_run()))
    match, told = next(point for point in points if point[0]["name"] == "post.rows")
    assert not match["not"]
    assert (told["status"], told["requirement"], len(told["findings"])) == ("fail", "advisory", 12)


def test_a_name_starts_no_directive() -> None:
    run = run_of((Result(id="pre.a # SKIP \\", phase="pre", status="pass"),))
    assert "\nok 1 - pre.a \\# SKIP \\\\\n" in text_of("tap", run)


@pytest.mark.real
@pytest.mark.parametrize(("run", "green"), [(rich_run(), False), (passing_run(), True), (empty_run(), False)])
def test_perls_harness_reads_it(run: Run, green: bool, tmp_path: Path) -> None:
    if shutil.which("prove") is None:
        pytest.skip("prove is not installed: Debian package perl")
    # Debian 12's harness knows version 13, whose syntax is the same
    path = tmp_path / "run.tap"
    path.write_text(text_of("tap", run).replace("TAP version 14", "TAP version 13"), encoding="utf-8")
    done = subprocess.run(["prove", "-e", "cat", str(path)], capture_output=True, text=True, check=False)
    assert "Parse errors" not in done.stdout
    assert (done.returncode == 0) is green, done.stdout
