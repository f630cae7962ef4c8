"""`prometheus`: read by Prometheus' own tools."""

import math
import shutil
import subprocess
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from prometheus_client.parser import text_string_to_metric_families
from report_samples import ANY_RUN, HOSTILE, empty_run, rich_run, run_of, runs, text_of

from gatekeeper import Finding, Result, Run, printable


def samples(run: Run) -> dict[str, list[Any]]:
    text = text_of("prometheus", run)
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type == "gauge" for family in families)
    found = [sample for family in families for sample in family.samples]
    keys = Counter((sample.name, *sorted(sample.labels.items())) for sample in found)
    assert max(keys.values()) == 1, "a series stands for one value"
    assert len(found) == sum(not line.startswith("#") for line in text.splitlines())
    return {family.name: family.samples for family in families}


@ANY_RUN
@given(runs())
def test_any_run_is_readable_and_its_states_are_one_hot(run: Run) -> None:
    found = samples(run)
    assert sum(sample.value for sample in found["gatekeeper_verdict"]) == 1
    statuses = found.get("gatekeeper_gate_status", [])
    assert sum(sample.value for sample in statuses) == len(run.results)
    assert len({sample.labels["gate"] for sample in statuses}) == len(run.results)
    assert {sample.labels["subject"] for each in found.values() for sample in each} == {
        printable(run.subject.name)
    }


def test_values_limits_and_samples_are_told_with_their_unit() -> None:
    found = samples(rich_run())
    (memory,) = (s for s in found["gatekeeper_finding_value"] if s.labels["finding"] == "memory")
    assert memory.labels == {
        "subject": "checkout", "phase": "pre", "gate": "pre.resources", "finding": "memory", "unit": "B"
    }  # fmt: skip
    assert memory.value == 212e6
    limits = {
        s.labels["level"]: s.value
        for s in found["gatekeeper_finding_limit"]
        if s.labels["finding"] == "memory"
    }
    assert limits == {"warn": 400e6, "fail": 500e6}


def test_a_value_that_is_not_a_number_is_nan_and_text_is_no_value() -> None:
    findings = (
        Finding("nan", "unknown", "NaN"),
        Finding("inf", "fail", "Infinity"),
        Finding("minus", "fail", "-Infinity"),
        Finding("text", "pass", "7"),
        Finding("flag", "pass", True),
    )
    found = samples(run_of((Result(id="pre.a", phase="pre", status="fail", findings=findings),)))
    values = {sample.labels["finding"]: sample.value for sample in found["gatekeeper_finding_value"]}
    assert math.isnan(values.pop("nan"))
    assert values == {"inf": math.inf, "minus": -math.inf}


def test_the_same_name_twice_makes_two_series() -> None:
    findings = (Finding("p95", "pass", 1), Finding("p95", "pass", 2), Finding(HOSTILE, "pass", 3))
    found = samples(run_of((Result(id="pre.a", phase="pre", status="pass", findings=findings),)))
    names = [sample.labels["finding"] for sample in found["gatekeeper_finding_value"]]
    assert names == ["p95", "p95#2", printable(HOSTILE)]


def test_help_is_the_same_whatever_ran() -> None:
    def helped(run: Run) -> set[str]:
        return {line for line in text_of("prometheus", run).splitlines() if line.startswith("#")}

    assert helped(empty_run()) <= helped(rich_run())


def test_the_start_is_unix_time() -> None:
    (started,) = samples(rich_run())["gatekeeper_run_start_timestamp_seconds"]
    assert started.value == 1795240800


@pytest.mark.real
@pytest.mark.parametrize("run", [rich_run(), empty_run()])
def test_promtool_finds_nothing_to_criticise(run: Run) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: Debian package prometheus")
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text_of("prometheus", run).encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
