"""The gate post.performance: budgets on what was measured, and never a pass without samples."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper import UsageError
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.performance import PRESETS, performance


def judge(folder: Path, budgets: dict[str, Any], *lines: dict[str, Any], **settings: Any) -> GateResult:
    file = folder / "samples.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return run_gate(performance, {"budgets": budgets, **settings}, root=folder, samples=[("jsonl", file)])


def values(name: str, *given: float, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "value": value, **more} for value in given]


def k6(folder: Path, metrics: dict[str, Any], settings: dict[str, Any]) -> GateResult:
    file = folder / "summary.json"
    file.write_text(json.dumps({"metrics": metrics}))
    return run_gate(performance, settings, root=folder, samples=[("k6", file)])


def openmetrics(folder: Path, text: str, budgets: dict[str, Any]) -> GateResult:
    file = folder / "m.prom"
    file.write_text(text)
    return run_gate(performance, {"budgets": budgets}, root=folder, samples=[("openmetrics", file)])


# -- verdicts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "status"), [(150, "pass"), (200, "pass"), (250, "warn"), (300, "warn"), (301, "fail")]
)
def test_one_value_is_held_against_its_budget(tmp_path: Path, value: float, status: str) -> None:
    result = judge(
        tmp_path, {"duration": {"warn": "200s", "fail": "300s"}}, *values("duration", value, unit="s")
    )
    finding = result.finding("duration")
    assert (result.status, finding.observed, finding.unit, finding.n) == (status, value, "s", 1)
    assert finding.limit == (300 if status in ("pass", "fail") else 200)


def test_throughput_is_worse_when_lower(tmp_path: Path) -> None:
    budget = {"throughput": {"worse": "lower", "fail": 50}}
    assert judge(tmp_path, budget, *values("throughput", 50, unit="requests/s")).status == "pass"
    result = judge(tmp_path, budget, *values("throughput", 49, unit="requests/s"))
    assert (result.status, result.finding("throughput").operator) == ("fail", ">=")


def test_a_bare_limit_fails(tmp_path: Path) -> None:
    assert judge(tmp_path, {"peak_memory": "400MB"}, *values("peak_memory", 401, unit="MB")).status == "fail"


def test_several_values_without_a_statistic_are_judged_by_their_median_and_it_is_said(tmp_path: Path) -> None:
    result = judge(tmp_path, {"t": {"warn": "1s", "fail": "5s"}}, *values("t", 1, 2, 9, unit="s"))
    finding = result.finding("t")
    assert (finding.status, finding.observed) == ("warn", 2)
    assert finding.message == "the median of 3 samples is 2 s (warn above 1 s, fail above 5 s)"


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("p50", 50.5), ("p95", 95.05), ("p99", 99.01), ("mean", 50.5), ("max", 100), ("min", 1), ("sum", 5050),
     ("count", 100), ("avg", 50.5), ("med", 50.5)],
)  # fmt: skip
def test_each_statistic(tmp_path: Path, statistic: str, expected: float) -> None:
    result = judge(tmp_path, {f"t.{statistic}": {"fail": 1e9}}, *values("t", *range(1, 101)))
    assert result.finding(f"t.{statistic}").observed == pytest.approx(expected)


def test_labels_select(tmp_path: Path) -> None:
    lines = [
        *values("t", 1, unit="s", labels={"endpoint": "/x"}),
        *values("t", 9, unit="s", labels={"endpoint": "/y"}),
    ]
    key = 't{endpoint="/x"}'
    assert judge(tmp_path, {key: {"fail": "2s"}}, *lines).status == "pass"
    whole = judge(tmp_path, {"t.max": {"fail": "2s"}}, *lines)
    assert whole.status == "fail"
    assert whole.finding("t.max").hint == 'the highest value is 9 s, of t{endpoint="/y"}'


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=20, max_size=40), st.floats(0, 1e6))
def test_the_verdict_is_the_comparison(
    tmp_path_factory: pytest.TempPathFactory, given: list[float], limit: float
) -> None:
    folder = tmp_path_factory.getbasetemp()
    finding = judge(folder, {"t.p95": {"fail": limit}}, *values("t", *given)).finding("t.p95")
    assert finding.status == ("fail" if finding.observed > limit else "pass")


# -- no data is never a pass -----------------------------------------------------------------------------


def test_too_few_samples_are_unknown_and_say_how_many_are_missing(tmp_path: Path) -> None:
    result = judge(tmp_path, {"t.p95": {"fail": "2s"}}, *values("t", *[0.1] * 12, unit="s"))
    assert (result.status, result.reason) == ("unknown", "p95 needs 20 samples, t has 12: 8 missing")


def test_min_samples_of_a_budget_takes_the_place_of_what_the_statistic_needs(tmp_path: Path) -> None:
    lines = values("t", *[0.1] * 12, unit="s")
    assert judge(tmp_path, {"t.p95": {"fail": "2s", "min_samples": 12}}, *lines).status == "pass"
    assert judge(tmp_path, {"t.p95": {"fail": "2s", "min_samples": 13}}, *lines).status == "unknown"


def test_min_samples_of_the_gate_only_raises(tmp_path: Path) -> None:
    lines = values("t", *[0.1] * 12, unit="s")
    assert judge(tmp_path, {"t.p95": {"fail": "2s"}}, *lines, min_samples=5).status == "unknown"
    assert judge(tmp_path, {"t.mean": {"fail": "2s"}}, *lines, min_samples=13).status == "unknown"


def test_a_series_that_nobody_measured_is_unknown_with_the_nearest_name(tmp_path: Path) -> None:
    result = judge(tmp_path, {"duraton": {"fail": "2s"}}, *values("duration", 1, unit="s"))
    assert result.status == "unknown"
    assert "no series 'duraton' was measured. Did you mean 'duration'?" in result.reason
    assert result.finding("duraton").hint == "measured: duration"


def test_a_name_with_its_unit_is_told_the_name_without(tmp_path: Path) -> None:
    assert (
        "Did you mean 'duration'?" in judge(tmp_path, {"duration_ms": {"fail": 2}}, {"duration_ms": 1}).reason
    )


def test_a_misspelt_statistic_is_named(tmp_path: Path) -> None:
    result = judge(tmp_path, {"t.p9x": {"fail": "2s"}}, *values("t", 1, unit="s"))
    assert (result.status, result.reason) == ("unknown", "'p9x' is no statistic")


def test_labels_that_nothing_has_are_shown_with_those_that_there_are(tmp_path: Path) -> None:
    result = judge(tmp_path, {'t{a="2"}': {"fail": 2}}, *values("t", 1, labels={"a": "1"}))
    assert (result.status, result.finding('t{a="2"}').hint) == ("unknown", 'measured: t{a="1"}')


def test_no_samples_at_all_are_unknown(tmp_path: Path) -> None:
    without = run_gate(performance, {"budgets": {"t": {"fail": 1}}}, root=tmp_path)
    empty = judge(tmp_path, {"t": {"fail": 1}})
    assert (without.status, empty.status) == ("unknown", "unknown")
    assert without.reason == "no samples were given"


def test_nothing_configured_is_a_skip_that_says_what_to_configure(tmp_path: Path) -> None:
    result = run_gate(performance, {}, root=tmp_path)
    assert result.status == "skip"
    assert "[gates.performance.budgets]" in result.reason
    assert "Measured: t" in judge(tmp_path, {}, *values("t", 1)).reason


def test_a_broken_file_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"name": "t", "value": 1}\n{"na')
    samples = [("jsonl", tmp_path / "x.jsonl")]
    result = run_gate(performance, {"budgets": {"t": {"fail": 1}}}, root=tmp_path, samples=samples)
    assert result.status == "error"
    assert "x.jsonl:2" in result.reason


# -- units -----------------------------------------------------------------------------------------------


def test_a_size_limit_on_a_duration_is_an_error_that_names_both(tmp_path: Path) -> None:
    result = judge(
        tmp_path, {"t": {"fail": "400MB"}, "u": {"fail": 2}}, *values("t", 1, unit="s"), *values("u", 1)
    )
    assert (result.status, result.reason) == ("error", "t is a time, but its limit 400 MB is a size")
    assert result.finding("u").status == "pass", "the others are judged all the same"


@pytest.mark.parametrize(
    ("unit", "statistic", "limit", "status"),
    [
        ("s", "max", "2s", "pass"),
        ("s", "max", 2, "pass"),
        ("", "max", 2, "pass"),
        ("", "max", "2s", "error"),
        ("s", "count", "2s", "error"),
        ("s", "count", 2, "pass"),
        ("%", "max", "2%", "pass"),
        ("requests/s", "max", "2s", "error"),
    ],
)
def test_the_limit_has_the_unit_of_what_is_measured(
    tmp_path: Path, unit: str, statistic: str, limit: Any, status: str
) -> None:
    assert judge(tmp_path, {f"t.{statistic}": {"fail": limit}}, *values("t", 1, unit=unit)).status == status


# -- k6 and histograms -----------------------------------------------------------------------------------

TREND = {"avg": 140.0, "min": 119.0, "med": 140.9, "max": 154.6, "p(90)": 146.8, "p(95)": 148.2}


def test_a_k6_summary_is_judged_by_its_percentiles(tmp_path: Path) -> None:
    metrics = {"http_reqs": {"count": 100, "rate": 10.0}, "http_req_duration": TREND}
    budgets = {
        "http_req_duration.p95": {"warn": "100ms", "fail": "200ms"},
        "http_reqs.rate": {"fail": 50, "worse": "lower"},
        "http_req_duration.p99": {"fail": "1s"},
    }
    result = k6(tmp_path, metrics, {"budgets": budgets})
    p95, rate, p99 = (result.finding(key) for key in budgets)
    assert (p95.status, p95.observed, p95.n) == ("warn", pytest.approx(0.1482), 100)
    assert (rate.status, rate.unit) == ("fail", "1/s")
    assert (p99.status, p99.message) == ("unknown", "http_req_duration has no p99")
    assert "p95" in p99.hint


def test_k6_without_a_single_request_is_unknown(tmp_path: Path) -> None:
    metrics = {"http_reqs": {"count": 0, "rate": 0}, "http_req_duration": dict.fromkeys(TREND, 0.0)}
    result = k6(tmp_path, metrics, {"budgets": {"http_req_duration.p95": {"fail": "200ms"}}})
    assert (result.status, result.reason) == (
        "unknown",
        "p95 needs 20 samples, http_req_duration has 0: 20 missing",
    )


def test_a_trend_that_does_not_say_its_count_is_unknown_unless_that_is_accepted(tmp_path: Path) -> None:
    metrics = {"queue": TREND}
    assert "how many samples" in k6(tmp_path, metrics, {"budgets": {"queue.p95": {"fail": 200}}}).reason
    accepted = k6(tmp_path, metrics, {"budgets": {"queue.p95": {"fail": 200, "min_samples": 0}}})
    assert accepted.status == "pass"


HISTOGRAM = """# TYPE h_seconds histogram
h_seconds_bucket{le="0.1"} 50
h_seconds_bucket{le="0.5"} 90
h_seconds_bucket{le="+Inf"} 100
h_seconds_sum 30
h_seconds_count 100
"""


def test_a_histogram_gives_any_percentile(tmp_path: Path) -> None:
    result = openmetrics(tmp_path, HISTOGRAM, {"h_seconds.p70": {"fail": "250ms"}})
    assert (result.status, result.finding("h_seconds.p70").observed) == ("fail", pytest.approx(0.3))


@pytest.mark.parametrize(("limit", "status"), [("400ms", "fail"), ("500ms", "unknown"), ("2s", "unknown")])
def test_a_percentile_beyond_the_last_bucket_never_passes(tmp_path: Path, limit: str, status: str) -> None:
    result = openmetrics(tmp_path, HISTOGRAM, {"h_seconds.p95": {"fail": limit}})
    assert result.status == status


# -- settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budgets": {"t.p0": {"fail": 1}}}, "min and max"),
        ({"budgets": {"t.p101": {"fail": 1}}}, "between 0 and 100"),
        ({"budgets": {"t": {}}}, "has no limit"),
        ({"budgets": {"t": {"warn": 2, "fail": 1}}}, "impossible pair"),
        ({"budgets": {"t{x}": {"fail": 1}}}, "expected labels"),
        ({"budgets": {"": {"fail": 1}}}, "needs the name of a series"),
        ({"budgets": {"t": {"fail": 1, "min_samples": -1}}}, "negative"),
        ({"min_samples": 0}, "at least 1"),
        ({"budgets": {"t": {"fial": 1}}}, "fail"),
        ({"budget": {}}, "budgets"),
    ],
)
def test_an_impossible_setting_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_gate(performance, settings, root=tmp_path)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_asks_nothing_of_a_project_without_its_series(tmp_path: Path, preset: str) -> None:
    assert run_gate(performance, PRESETS[preset], root=tmp_path).status == "skip"
    assert judge(tmp_path, {}, *values("other", 1), **PRESETS[preset]).status == "skip"


def test_a_preset_judges_what_was_measured_unless_a_budget_of_its_name_is_set(tmp_path: Path) -> None:
    metrics = {"http_reqs": {"count": 100, "rate": 10.0}, "http_req_duration": {**TREND, "p(95)": 600.0}}
    assert k6(tmp_path, metrics, PRESETS["service"]).status == "fail"
    own = {**PRESETS["service"], "budgets": {"http_req_duration.p95": {"fail": "1s"}}}
    assert k6(tmp_path, metrics, own).status == "pass"
