"""The gate post.errors: rates with intervals, enough events, and never a pass without any."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper import UsageError
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.errors import PRESETS, errors

FIVE = {"rate": {"fail": "5%"}}


def judge(folder: Path, settings: dict[str, Any], *, ok: int = 0, junk: int = 0, **failed: int) -> GateResult:
    """The gate on a log with `ok` good records, so many failed ones of each type, and so many lines of
    junk.
    """
    lines = [json.dumps({"level": "info"})] * ok + ["no json"] * junk
    for kind, count in failed.items():
        record = {"status": int(kind[1:])} if kind[1:].isdigit() else {"level": "error", "error_type": kind}
        lines += [json.dumps(record)] * count
    file = folder / "app.log"
    file.write_text("\n".join(lines))
    return run_gate(errors, settings, root=folder, samples=[("log", file)])


# -- verdicts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failed", "status"), [(0, "pass"), (10, "pass"), (11, "warn"), (50, "warn"), (51, "fail")]
)
def test_the_rate_is_held_against_its_limits(tmp_path: Path, failed: int, status: str) -> None:
    result = judge(tmp_path, {"rate": {"warn": "1%", "fail": "5%"}}, ok=1000 - failed, KeyError=failed)
    finding = result.finding("log")
    assert (result.status, finding.observed, finding.n) == (status, failed / 1000, 1000)


def test_a_finding_has_the_interval_the_types_and_the_numbers(tmp_path: Path) -> None:
    finding = judge(tmp_path, FIVE, ok=90, s503=7, s404=3).finding("log")
    assert finding.message == "log: 10 of 100 failed, 10 %, over the limit of 5 % (5xx 7, 4xx 3)"
    interval = finding.evidence["interval"]
    assert (interval["low"], interval["high"]) == (
        pytest.approx(0.0552, abs=1e-4),
        pytest.approx(0.1744, abs=1e-4),
    )
    assert (interval["method"], interval["level"]) == ("Wilson", 0.95)


@pytest.mark.parametrize(
    ("total", "failed", "status"),
    [
        (20, 0, "pass"),  # no error at all never warns
        (100, 0, "pass"),
        (100, 1, "warn"),  # the interval reaches 5.4 %
        (100, 5, "warn"),
        (100, 6, "fail"),
        (1000, 36, "pass"),  # reaches 4.9 %
        (1000, 37, "warn"),  # reaches 5.1 %
        (1000, 50, "warn"),
        (1000, 51, "fail"),
    ],
)
def test_without_a_warn_limit_an_interval_over_the_fail_limit_warns(
    tmp_path: Path, total: int, failed: int, status: str
) -> None:
    assert judge(tmp_path, FIVE, ok=total - failed, KeyError=failed).status == status


def test_a_warn_limit_of_ones_own_rules_instead(tmp_path: Path) -> None:
    assert judge(tmp_path, {"rate": {"warn": "2%", "fail": "5%"}}, ok=98, KeyError=2).status == "pass"


@settings(deadline=None)
@given(total=st.integers(20, 60), data=st.data())
def test_more_errors_are_never_better(
    tmp_path_factory: pytest.TempPathFactory, total: int, data: st.DataObject
) -> None:
    few = data.draw(st.integers(0, total - 1))
    order = ["pass", "warn", "fail"]
    folder = tmp_path_factory.getbasetemp()
    found = [judge(folder, FIVE, ok=total - failed, E=failed).status for failed in (few, few + 1)]
    assert order.index(found[0]) <= order.index(found[1])


def test_by_type(tmp_path: Path) -> None:
    settings = {"by_type": {"5xx": {"fail": "1%"}, "timeout": {"fail": "1%"}, "4xx": {"fail": "5%"}}}
    result = judge(tmp_path, settings, ok=190, s503=3, ReadTimeout=1, s404=6)
    statuses = {finding.name: finding.status for finding in result.result.findings}
    assert statuses == {"log.5xx": "fail", "log.timeout": "warn", "log.4xx": "warn"}


def test_ignored_types_are_no_errors_but_stay_events(tmp_path: Path) -> None:
    result = judge(tmp_path, {**FIVE, "ignore": ["4xx"]}, ok=50, s404=50)
    assert (result.status, result.finding("log").n) == ("pass", 100)


def test_no_error_at_all_may_be_asked_of_any_number(tmp_path: Path) -> None:
    assert judge(tmp_path, {"rate": {"fail": 0}}, ok=3).status == "pass"
    assert judge(tmp_path, {"rate": {"fail": 0}}, ok=3, E=1).status == "fail"


# -- no data is never a pass -----------------------------------------------------------------------------


def test_too_few_events_are_unknown_and_say_how_many_are_missing(tmp_path: Path) -> None:
    result = judge(tmp_path, FIVE, ok=12)
    assert (result.status, result.reason) == ("unknown", "log: 12 events, 20 are needed: 8 missing")
    assert judge(tmp_path, {**FIVE, "min_events": 100}, ok=99).status == "unknown"
    assert judge(tmp_path, {"by_type": {"5xx": {"fail": "0.1%"}}}, ok=999).status == "unknown"


def test_too_few_events_are_unknown_even_when_all_failed(tmp_path: Path) -> None:
    assert judge(tmp_path, FIVE, E=12).status == "unknown"


def test_min_events_of_a_limit_takes_the_place_of_what_it_needs(tmp_path: Path) -> None:
    assert judge(tmp_path, {"rate": {"fail": "5%", "min_events": 5}}, ok=12).status == "pass"


def test_no_events_are_unknown(tmp_path: Path) -> None:
    assert run_gate(errors, FIVE, root=tmp_path).status == "unknown"
    assert judge(tmp_path, FIVE).status == "unknown"
    result = judge(tmp_path, FIVE, junk=30)
    assert (result.status, "30 lines could not be read" in result.reason) == ("unknown", True)


def test_unread_lines_that_could_hide_errors_warn(tmp_path: Path) -> None:
    assert judge(tmp_path, FIVE, ok=100, junk=2).status == "pass"
    result = judge(tmp_path, FIVE, ok=100, junk=20)
    assert result.status == "warn"
    assert "but 20 unread lines would be over it if they were errors" in result.reason
    assert "20 lines are not JSON objects" in result.finding("log").evidence["notes"][0]


def test_nothing_configured_is_a_skip_that_says_what_to_configure(tmp_path: Path) -> None:
    result = judge(tmp_path, {}, ok=3)
    assert result.status == "skip"
    assert "[gates.errors]" in result.reason
    assert "Counted: log" in result.reason


def test_events_that_are_named_and_not_counted_are_unknown(tmp_path: Path) -> None:
    result = judge(tmp_path, {**FIVE, "events": ["logs", "log"]}, ok=30)
    assert result.finding("logs").message == "no events 'logs' were counted. Did you mean 'log'?"
    assert (result.status, result.finding("log").status) == ("unknown", "pass")


def test_a_misspelt_type_is_unknown_and_a_type_that_did_not_occur_passes(tmp_path: Path) -> None:
    result = judge(
        tmp_path, {"by_type": {"timout": {"fail": "5%"}, "PaymentDeclined": {"fail": "5%"}}}, ok=30
    )
    assert result.finding("log.timout").message == "no error has the type 'timout'. Did you mean 'timeout'?"
    assert result.finding("log.PaymentDeclined").status == "pass"


def test_errors_without_a_type_are_not_taken_for_the_absence_of_one(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    settings = {"by_type": {"5xx": {"fail": "5%"}}}
    for failed, status in ((0, "pass"), (1, "pass"), (10, "unknown")):
        file.write_text(
            json.dumps({"metrics": {"http_req_failed": {"passes": failed, "fails": 100 - failed}}})
        )
        result = run_gate(errors, settings, root=tmp_path, samples=[("k6", file)])
        assert result.status == status


def test_junit_and_log_are_judged_each_by_itself(tmp_path: Path) -> None:
    (tmp_path / "j.xml").write_text(
        "<testsuite>" + "<testcase/>" * 19 + "<testcase><error/></testcase></testsuite>"
    )
    (tmp_path / "app.log").write_text('{"level": "info"}\n' * 20)
    samples = [("junit", tmp_path / "j.xml"), ("log", tmp_path / "app.log")]
    result = run_gate(errors, {"rate": {"fail": 0}}, root=tmp_path, samples=samples)
    assert {finding.name: finding.status for finding in result.result.findings} == {
        "tests": "fail",
        "log": "pass",
    }


def test_two_files_of_the_same_events_are_added(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text('{"level": "info"}\n' * 10)
    samples = [("log", tmp_path / "a.log"), ("log", tmp_path / "b.log")]
    assert run_gate(errors, FIVE, root=tmp_path, samples=samples).finding("log").n == 20


# -- settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": {}}, "rate has no limit"),
        ({"rate": {"fail": "5s"}}, "rate takes a percentage"),
        ({"rate": {"fail": 5}}, 'write "5%" or 0.05'),
        ({"rate": {"fail": "5%", "worse": "lower"}}, "makes no sense"),
        ({"rate": {"fail": "5%", "min_events": 0}}, "at least 1"),
        ({"by_type": {"5xx": {"warn": "5%", "fail": "1%"}}}, "impossible pair"),
        ({"by_type": {"5xx": {"fail": "1%"}}, "ignore": ["5xx"]}, "can't be ignored"),
        ({"min_events": 0}, "at least 1"),
        ({"rates": {}}, "rate"),
    ],
)
def test_an_impossible_setting_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_gate(errors, settings, root=tmp_path)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_asks_nothing_of_a_project_that_counts_nothing(tmp_path: Path, preset: str) -> None:
    assert run_gate(errors, PRESETS[preset], root=tmp_path).status == "skip"


def test_a_preset_judges_what_was_counted_unless_a_rate_is_set(tmp_path: Path) -> None:
    assert judge(tmp_path, PRESETS["service"], ok=90, E=10).status == "fail"
    assert judge(tmp_path, {**PRESETS["service"], "rate": {"fail": "12%"}}, ok=90, E=10).status == "warn"
    assert run_gate(errors, {**PRESETS["service"], **FIVE}, root=tmp_path).status == "unknown"
