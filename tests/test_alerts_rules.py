"""Rules on recorded quantities: what fires, on which values, in which units; and which rules are refused."""

import math
import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import Context, Finding, post, pre
from gatekeeper.alerts.check import check_rules
from gatekeeper.alerts.judging.known import quantities
from gatekeeper.alerts.judging.rules import Threshold, in_unit
from gatekeeper.alerts.matching import covers
from gatekeeper.model import Gate
from gatekeeper.quantities import Quantity
from gatekeeper.settings.alerting import AlertSettings
from gatekeeper.settings.convert import convert
from gatekeeper.store.standing import Evidence
from gatekeeper.testing import run_gate
from gatekeeper_gates.resources import READ, resources
from judging import START, Story, bad, gate, kinds, measured, settings


def rule(**keys):
    """A rule on a quantity as `gatekeeper.toml` has it."""
    texts = {"name": "r", "finding": "m", **keys}
    return "[[alerts.rules]]\n" + "".join(
        f"{key} = {value if isinstance(value, int) else repr(value)}\n" for key, value in texts.items()
    )


def value(number, unit=None, *, name="m", of="post.x", status="pass"):
    return gate(of, "pass", measured(name, number, unit, status))


def history(toml, numbers, *, every=20.0, unit=None):
    """Runs with one value each, one every 20 s: the numbers of those whose run made it fire, or resolved it."""
    story = Story(toml)
    for index, number in enumerate(numbers):
        story.run(value(number, unit), at=index * every)
    return [(event.kind, int(event.run.removeprefix("run-"))) for event in story.events]


# -- the examples of the monitoring guides ---------------------------------------------------------------------------


def test_five_percent_over_sixty_seconds():
    toml = rule(finding="errors", threshold="> 5%", window="60s", aggregate="mean")
    story = Story(toml)
    for index, rate in enumerate([0.01, 0.04, 0.06, 0.07, 0.08, 0.01, 0.0, 0.0]):
        story.run(value(rate, "ratio", name="errors"), at=index * 20)
    assert [(e.kind, e.run) for e in story.events] == [("firing", "run-5"), ("resolved", "run-7")]
    alert = story.events[0].alert
    assert alert.value == pytest.approx(0.0625)
    assert (alert.operator, alert.limit, alert.unit, alert.status) == ("<=", 0.05, "ratio", "fail")
    assert alert.summary == "errors 6.25 % > 5 % (mean of 4 values in 60 s)"


def test_p95_over_half_a_second_over_sixty_seconds():
    toml = rule(finding="latency", threshold="> 500ms", window="60s", aggregate="p95")
    values = [measured("latency", n / 100, "s") for n in range(30, 50)]
    story = Story(toml)
    assert story.run(gate("post.x", "pass", *values)).events == ()
    slow = [measured("latency", 0.9, "s"), measured("latency", 0.8, "s")]
    (event,) = story.run(gate("post.x", "pass", *slow), at=30).events
    assert event.alert.value == pytest.approx(0.7845)  # definition 7 of Hyndman and Fan, as everywhere here
    assert "p95 of 22 values in 60 s" in event.alert.summary
    assert [e.kind for e in story.run(value(0.4, "s", name="latency"), at=95).events] == ["resolved"]


def test_five_answers_of_5xx_in_five_minutes_counted_one_by_one():
    toml = rule(finding="http status", threshold=">= 500", window="300s", times=5)
    story = Story(toml)
    for index, code in enumerate([500, 200, 503, 502, 404, 500, 500, 200]):
        story.run(value(code, name="http status"), at=index * 30)
    assert [(e.kind, e.run) for e in story.events] == [("firing", "run-7")]
    assert story.events[0].alert.summary == "http status >= 500 5 times in 5 min, last 500"
    story.run(value(200, name="http status"), at=700)
    assert story.events[-1].kind == "resolved"


def test_five_answers_of_5xx_in_five_minutes_counted_by_the_gate():
    toml = rule(finding="5xx", threshold=">= 5", window="300s", aggregate="sum")
    assert history(toml.replace("5xx", "m"), [1, 2, 1, 0, 1, 0], every=60) == [("firing", 5)]


def test_for_five_minutes():
    toml = rule(threshold="> 1%", **{"for": "5m"})
    assert history(toml, [0.02, 0.02, 0.005, 0.02, 0.02, 0.02, 0.02, 0.0], every=150, unit="ratio") == [
        ("firing", 6),
        ("resolved", 8),
    ]


def test_less_than_a_fifth_of_the_disk_free_for_ten_minutes():
    toml = rule(finding="free /", gate="pre.storage", threshold="< 20%", severity="medium", **{"for": "10m"})
    story = Story(toml)
    for minute, free in enumerate([0.3, 0.19, 0.15, 0.12]):
        story.run(value(free, "ratio", name="free /", of="pre.storage"), at=minute * 300)
    (event,) = story.events
    assert (event.alert.severity, event.alert.status, event.alert.operator) == ("medium", "warn", ">=")
    assert event.alert.summary == "free / 12 % < 20 %"


def test_up_is_zero_for_a_minute():
    toml = rule(finding="up", threshold="== 0", severity="critical", **{"for": "1m"})
    assert history(toml.replace("up", "m"), [1, 0, 1, 0, 0, 0, 0, 1]) == [("firing", 7), ("resolved", 8)]


def test_more_than_ten_gigabytes():
    toml = rule(threshold="> 10GB")
    assert history(toml, [9_999_999_999, 10_000_000_000, 10_000_000_001], unit="B") == [("firing", 3)]


# -- windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aggregate", "numbers", "threshold", "result"),
    [
        ("last", [1, 9, 2], "> 5", False),
        ("last", [9, 9, 6], "> 5", True),
        ("mean", [1, 2, 6], "> 2.9", True),
        ("mean", [1, 2, 6], "> 3", False),
        ("min", [4, 1, 9], "< 2", True),
        ("max", [4, 9, 1], "> 8", True),
        ("sum", [4, 9, 1], ">= 14", True),
        ("count", [4, 9, 1], ">= 3", True),
        ("count", [4, 9, 1], "> 3", False),
        ("p50", [4, 9, 1], "== 4", True),
        ("p90", [0, 10], "== 9", True),
        ("p99", [0, 100], ">= 99", True),
    ],
)
def test_what_of_the_window_is_held_against_the_threshold(aggregate, numbers, threshold, result):
    toml = rule(threshold=threshold, window="60s", aggregate=aggregate)
    story = Story(toml)
    for index, number in enumerate(numbers[:-1]):
        story.recorded.append(("post.x", "m", Evidence(START - 30 + index, number)))
    assert bool(story.run(value(numbers[-1])).events) is result


def test_values_from_before_the_window_do_not_count():
    toml = rule(threshold="> 5", window="60s", aggregate="max")
    assert history(toml, [9, 1, 1, 1, 1, 1]) == [("firing", 1), ("resolved", 5)]


def test_values_of_a_clock_that_was_ahead_do_not_count():
    story = Story(rule(threshold="> 5", window="60s", aggregate="max"))
    story.recorded.append(("post.x", "m", Evidence(START + 10**8, 99.0)))
    assert story.run(value(1)).events == ()


def test_a_run_that_takes_longer_than_the_window_still_sees_its_own_value():
    story = Story(rule(threshold="> 5", window="60s", aggregate="max"))
    assert len(story.run(value(9), lasts=600).events) == 1


def test_without_a_window_the_runs_own_value_counts_and_of_several_the_worst():
    story = Story(rule(threshold="> 5"))
    story.recorded.append(("post.x", "m", Evidence(START, 99.0)))
    assert story.run(value(1)).events == ()
    (event,) = story.run(
        gate("post.x", "pass", measured("m", 9), measured("m", 7), measured("m", 1)), at=1
    ).events
    assert event.alert.value == 9
    low = Story(rule(threshold="< 5"))
    assert (
        low.run(gate("post.x", "pass", measured("m", 4), measured("m", 2), measured("m", 7)))
        .events[0]
        .alert.value
        == 2
    )


def test_what_was_not_recorded_at_all_can_be_counted():
    story = Story(rule(gate="post.x", threshold="< 1", window="60s", aggregate="count"))
    (event,) = story.run(gate("post.x", "pass", measured("other", 1))).events
    assert event.alert.summary == "m was recorded 0 times in 60 s: < 1"
    assert [e.kind for e in story.run(value(1), at=1).events] == ["resolved"]


def test_history_is_read_only_of_gates_that_have_something_to_do_with_it():
    story, asked = Story(rule(threshold="> 5", window="60s", aggregate="sum")), []
    read = story.evidence
    story.evidence = lambda gate, finding, since: (asked.append(gate), read(gate, finding, since))[1]
    story.run(value(9, of="post.x"), *(gate(f"post.g{n}", "pass", measured("other", 1)) for n in range(50)))
    assert asked == ["post.x"]
    story.run(gate("post.x", "pass", measured("other", 1)), at=30)
    assert asked == ["post.x", "post.x"]
    assert set(story.states.values()) == {"firing"}
    assert kinds(story.run(gate("post.x", "pass", measured("other", 1)), at=90)) == [
        ("resolved", "m", "high")
    ]
    story.run(gate("post.x", "pass", measured("other", 1)), at=120)
    assert asked == ["post.x"] * 3


def test_an_aggregate_that_is_no_number_is_said():
    story = Story(
        rule(threshold="> 5", aggregate="mean")
    )  # refused by the check; a run judges it all the same
    judged = story.run(
        gate("post.x", "pass", bad("m", "pass", observed="Infinity"), bad("m", "pass", observed="-Infinity"))
    )
    assert judged.events == ()
    assert judged.notes == ("alert rule 'r': post.x m: the mean of what was recorded is not a number",)


def test_each_gate_that_records_it_has_an_alert_of_its_own():
    story = Story(rule(gate="post.*", threshold="> 5"))
    story.run(value(9, of="post.x"), value(8, of="post.y"), value(9, of="pre.z"), value(1, of="post.w"))
    assert [event.alert.gate for event in story.events] == ["post.x", "post.y"]


def test_a_gate_that_is_only_observed_has_quantities_like_others():
    story = Story(rule(threshold="> 5"))
    assert len(story.run(gate("post.x", "pass", measured("m", 9), requirement="observe")).events) == 1


def test_the_default_event_stays_beside_a_rule_on_a_quantity():
    story = Story(rule(threshold="> 5"))
    story.run(gate("post.x", "fail", measured("m", 9, status="fail")))
    assert sorted(event.alert.rule for event in story.events) == ["", "r"]


# -- what a run can't tell -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["skip", "error", "unknown"])
def test_a_gate_without_an_end_resolves_no_quantity(status):
    story = Story("[alerts]\ndefaults = false\n" + rule(threshold="> 5"))
    story.run(value(9))
    assert story.run(gate("post.x", status, reason="x"), at=60).events == ()
    assert story.run(gate("post.x", status, measured("m", 1), reason="x"), at=90).events == ()
    assert kinds(story.run(value(1), at=120)) == [("resolved", "m", "high")]


def test_a_quantity_that_is_gone_is_over_and_said():
    story = Story(rule(gate="post.x", threshold="> 5"))
    story.run(value(9))
    judged = story.run(gate("post.x", "pass", measured("mm", 9)), at=60)
    assert kinds(judged) == [("resolved", "m", "high")]
    assert judged.notes == ("alert rule 'r' had nothing to judge: post.x recorded no 'm'; it recorded mm",)


def test_a_gate_that_does_not_take_part_is_no_note():
    story = Story(rule(gate="post.x", threshold="> 5"))
    story.run(gate("pre.y", "pass", bad("z", "pass")))
    assert story.notes == []


@pytest.mark.parametrize(
    ("threshold", "number", "unit", "word"),
    [
        ("> 5s", 9, "B", "'B'"),
        ("> 5%", 9, None, "without a unit"),
        ("> 5MB", 9, "rows", "'rows'"),
        ("> 5s", 9, "%", "'%'"),
    ],
)
def test_a_unit_that_cannot_be_compared_is_said_and_resolves_nothing(threshold, number, unit, word):
    story = Story(rule(threshold=threshold))
    judged = story.run(value(number, unit))
    (note,) = judged.notes
    assert judged.events == ()
    assert note.startswith("alert rule 'r': post.x m: a value was recorded")
    assert word in note
    assert "can't be held against" in note


def test_a_unit_that_changes_resolves_nothing():
    story = Story(rule(threshold="> 5s"))
    story.run(value(9, "s"))
    judged = story.run(value(1, "rows"), at=60)
    assert (judged.events, len(judged.notes)) == ((), 1)
    assert set(story.states.values()) == {"firing"}


@pytest.mark.parametrize("observed", ["HTTP 503", None, True, "NaN", [1, 2]])
def test_what_is_no_number_is_said(observed):
    story = Story(rule(threshold="> 5"))
    judged = story.run(gate("post.x", "pass", bad("m", "pass", observed=observed)))
    assert judged.events == ()
    assert "no number" in judged.notes[0]


@pytest.mark.parametrize(
    "toml",
    [
        rule(threshold="> 5"),
        rule(threshold="> 5", window="60s", aggregate="sum"),
        rule(threshold="> 5", window="60s", aggregate="p95"),
    ],
)
def test_numbers_at_the_edge_break_nothing(toml):
    for number in (1e308, -1e308, 2**63 - 1, math.inf, "Infinity", "-Infinity", 5e-324):
        story = Story(toml)
        story.run(gate("post.x", "pass", *(bad("m", "pass", observed=n) for n in (number, number, 1e308))))
        assert all(isinstance(event.alert.value, float | int | str) for event in story.events)
        assert b"null" not in msgspec.json.encode([(e.alert.value, e.alert.limit) for e in story.events])


@pytest.mark.parametrize(
    ("threshold", "number", "unit"),
    [
        ("> 500ms", 501, "ms"), ("> 0.5s", 501, "ms"), ("> 500ms", 0.501, "s"), ("> 57%", 58, "%"), ("> 0.05", 0.06, "ratio"),
        ("> 1MB", 1.1, "MB"), ("> 1000", 1001, "rows"), ("> 2m", 121, "s"), ("!= 1", 0, None),
    ],
)  # fmt: skip
def test_limits_and_values_meet_in_one_unit(threshold, number, unit):
    assert len(Story(rule(threshold=threshold)).run(value(number, unit)).events) == 1


@given(st.integers(0, 10_000), st.sampled_from(["ms", "s", "%", "MB", "kB", "KiB", "h", "B"]))
def test_the_same_number_in_the_same_unit_is_never_beyond_itself(number, unit):
    limit = Quantity.parse(f"{number}{unit}")
    assert in_unit(number, unit, limit.unit) == limit


@given(
    st.sampled_from([">", ">=", "<", "<=", "==", "!="]),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False),
)
def test_what_holds_on_a_pass_is_what_does_not_fire(operator, value, limit):
    threshold = Threshold(operator, limit)
    assert Threshold(threshold.holds, limit).fires(value) is not threshold.fires(value)


@given(
    st.sampled_from([">", ">=", "<", "<=", "==", "!="]),
    st.lists(st.integers(-3, 3), min_size=1),
    st.integers(-3, 3),
)
def test_of_several_values_the_worst_one_fires_if_any_does(operator, values, limit):
    threshold = Threshold(operator, limit)
    assert threshold.fires(threshold.worst(values)) is any(map(threshold.fires, values))


# -- which gates are meant -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "gate_id", "meant"),
    [
        ("*", "pre.x", True), ("pre.x", "pre.x", True), ("x", "pre.x", True), ("x", "post.x", True), ("pre.*", "pre.x", True),
        ("pre.*", "post.x", False), ("pre.x", "pre.x[a]", True), ("x", "pre.x[a]", True), ("x[a]", "pre.x[a]", True),
        ("pre.x[a]", "pre.x[b]", False), ("pre", "pre.x", False), ("x*", "pre.xy", True), ("y", "pre.x", False),
    ],
)  # fmt: skip
def test_gates_are_meant_by_id_name_or_pattern(pattern, gate_id, meant):
    assert covers(pattern, gate_id) is meant


# -- what is refused -------------------------------------------------------------------------------------------------

GATES = {
    "pre.components": None,
    "pre.storage": ["free /", "free /data"],
    "post.x": ["m", "p95"],
    "post.y": [],
    "pre.db[a]": None,
}
DAY = 86_400.0


def wrong(toml, *, gates=GATES, channels=("console", "ops"), retention=30 * DAY):
    found = check_rules(settings(toml), gates, channels=channels, retention=retention)
    return [(".".join(map(str, path[1:])), message) for path, message in found]


@pytest.mark.parametrize(
    ("toml", "path", "message"),
    [
        (
            rule(gate="pre.component", finding="", status="S").replace("'S'", "['fail']"),
            "rules.0.gate",
            "no gate \"pre.component\". Did you mean 'pre.components'?",
        ),
        (rule(gate="storge", finding="free /", threshold="< 1"), "rules.0.gate", "Did you mean 'storage'?"),
        (rule(gate="nothing-like-it", threshold="> 1"), "rules.0.gate", "gatekeeper list"),
        (rule(gate="post.z*", threshold="> 1"), "rules.0.gate", 'no gate matches "post.z*".'),
        (
            rule(gate="post.x", finding="p96", threshold="> 1"),
            "rules.0.finding",
            "post.x records no 'p96': this would never fire. Did you mean 'p95'?",
        ),
        (rule(gate="post.y", threshold="> 1"), "rules.0.finding", "It records no quantity."),
        (
            rule(gate="post.*", finding="zzz", threshold="> 1"),
            "rules.0.finding",
            "no gate of \"post.*\" records 'zzz'",
        ),
        ("[[alerts.rules]]\nname = 'r'", "rules.0", "expected either `status`, or `finding`"),
        (
            "[[alerts.rules]]\nname = 'r'\nstatus = ['fail']\nfinding = 'm'\nthreshold = '> 1'",
            "rules.0",
            "expected either",
        ),
        ("[[alerts.rules]]\nname = 'r'\nstatus = ['fail', 'pass']", "rules.0.status.1", '"pass" never fires'),
        ("[[alerts.rules]]\nname = 'r'\nstatus = ['skip']", "rules.0.status.0", '"skip" never fires'),
        (
            "[[alerts.rules]]\nname = 'r'\nstatus = ['fail']\nthreshold = '> 1'",
            "rules.0.threshold",
            "goes with `finding`",
        ),
        (
            "[[alerts.rules]]\nname = 'r'\nstatus = ['fail']\nwindow = '1m'",
            "rules.0.window",
            "goes with `finding`",
        ),
        (
            "[[alerts.rules]]\nname = 'r'\nstatus = ['fail']\naggregate = 'p95'",
            "rules.0.aggregate",
            "goes with `finding`",
        ),
        (
            "[[alerts.rules]]\nname = 'r'\nstatus = ['fail']\ntimes = 2",
            "rules.0.times",
            "goes with `finding`",
        ),
        (rule(), "rules.0.threshold", 'missing key "threshold"'),
        (rule(threshold="5%"), "rules.0.threshold", "expected an operator and a limit"),
        (rule(threshold="> many"), "rules.0.threshold", "expected a number"),
        (rule(threshold="> 5 parsecs"), "rules.0.threshold", "unknown unit 'parsecs'"),
        (rule(threshold=">> 5"), "rules.0.threshold", "expected a number"),
        (rule(threshold="> nan"), "rules.0.threshold", "expected a number"),
        (rule(threshold="> 5", window="0s"), "rules.0.window", "would never fire"),
        (rule(threshold="> 5", window="31d"), "rules.0.window", "values are kept for 30 d"),
        (rule(threshold="> 5", aggregate="p95"), "rules.0.aggregate", "needs a `window`"),
        (rule(threshold="> 5", times=3), "rules.0.times", "needs a `window`"),
        (
            rule(threshold="> 5", times=3, window="1m", aggregate="mean"),
            "rules.0.times",
            "use one of the two",
        ),
        (rule(threshold="> 5s", window="1m", aggregate="count"), "rules.0.threshold", "bare number"),
        (rule(threshold="< 0", window="1m", aggregate="count"), "rules.0.threshold", "this would never fire"),
        (
            rule(threshold="== 1.5", window="1m", aggregate="count"),
            "rules.0.threshold",
            "this would never fire",
        ),
        (rule(threshold="> 1") * 2, "rules.1.name", "names are unique"),
        (rule(name="", threshold="> 1"), "rules.0.name", "expected a name"),
        (
            rule(threshold="> 1") + "labels = { gate = 'x' }",
            "rules.0.labels.gate",
            "every alert has a label 'gate' already",
        ),
        (
            rule(threshold="> 1") + "labels = { 'my-team' = 'x' }",
            "rules.0.labels.my-team",
            "letters, digits and _",
        ),
        (
            rule(threshold="> 1") + "labels = { t = '{{ value }}' }",
            "rules.0.labels.t",
            "unknown name 'value'",
        ),
        (
            rule(threshold="> 1") + "annotations = { summary = '{{ valeu }}' }",
            "rules.0.annotations.summary",
            "Did you mean 'value'?",
        ),
        (
            rule(threshold="> 1") + "annotations = { summary = '{{ labels.team }}' }",
            "rules.0.annotations.summary",
            "unknown label 'team'",
        ),
        (
            rule(threshold="> 1") + "annotations = { summary = '{{ value' }",
            "rules.0.annotations.summary",
            "can't be read as a template",
        ),
        (
            rule(threshold="> 1") + "annotations = { 'a b' = 'x' }",
            "rules.0.annotations.a b",
            "letters, digits and _",
        ),
        ("[alerts]\nlink = 'https://ci/{{ rum }}'", "link", "Did you mean 'run'?"),
        ("[alerts]\nlabels = { severity = 'x' }", "labels.severity", "already"),
        (
            "[alerts]\ngroup_by = ['subject', 'teem']\nlabels = { team = 'x' }",
            "group_by.1",
            "no alert has a label 'teem'. Did you mean 'team'?",
        ),
        ("[[alerts.inhibit]]\nwhile = 'pre.nope'\nquiet = 'post.*'", "inhibit.0.while", "no gate"),
        ("[[alerts.inhibit]]\nwhile = 'pre.*'\nquiet = 'p0st.*'", "inhibit.0.quiet", "no gate matches"),
        (
            "[[alerts.inhibit]]\nwhile = 'pre.*'\nquiet = 'post.*'\nsame = ['cluster']",
            "inhibit.0.same.0",
            "no alert has a label 'cluster'",
        ),
        (
            "[[alerts.escalation]]\nafter = '5m'\nchannels = ['pos']",
            "escalation.0.channels.0",
            "no channel 'pos'. Did you mean 'ops'?",
        ),
        ("[[alerts.escalation]]\nafter = '5m'", "escalation.0", "does neither"),
        (
            "[[alerts.escalation]]\nafter = '5m'\nseverity = 'critical'\n[[alerts.escalation]]\nafter = '5m'\nchannels = ['ops']",
            "escalation.1.after",
            "in the order of their time",
        ),
        (
            "[[alerts.maintenance]]\nname = 'w'\nstarts = 2026-01-01T00:00:00\nlasts = '0s'",
            "maintenance.0.lasts",
            "more than 0 s",
        ),
        (
            "[[alerts.maintenance]]\nname = 'w'\nstarts = 2026-01-01T00:00:00\nlasts = '1h'\nrepeat = 'WEEKLY'",
            "maintenance.0.repeat",
            "recurrence rule",
        ),
        (
            "[[alerts.maintenance]]\nname = 'w'\nstarts = 2026-01-01T00:00:00\nlasts = '1h'\nrepeat = 'FREQ=WEEKLY;BYDAY=XX'",
            "maintenance.0.repeat",
            "BYDAY",
        ),
        (
            "[[alerts.maintenance]]\nname = 'w'\nstarts = 2026-01-01T00:00:00\nlasts = '1h'\ntimezone = 'Europe/Warsav'",
            "maintenance.0.timezone",
            "Europe/Warsaw",
        ),
        (
            "[[alerts.maintenance]]\nname = 'w'\nstarts = 2026-01-01T00:00:00\nlasts = '1h'\ngate = 'pre.nope'",
            "maintenance.0.gate",
            "no gate",
        ),
        (
            "[[alerts.maintenance]]\nname = 'w'\nstarts = 2026-01-01T00:00:00\nlasts = '1h'\nlabels = { teem = 'x' }",
            "maintenance.0.labels.teem",
            "no alert has a label",
        ),
        (
            "[[alerts.maintenance]]\nname = 'w'\nstarts = 2026-01-01T00:00:00\nlasts = '1h'\n" * 2,
            "maintenance.1.name",
            "names are unique",
        ),
    ],
)
def test_what_can_never_work_is_refused(toml, path, message):
    found = wrong(toml)
    assert [place for place, _ in found] == [path]
    assert message in found[0][1]


def test_what_is_missing_is_counted_of_one_gate_only():
    missing = {"threshold": "< 1", "window": "1h", "aggregate": "count"}
    for pattern in ("*", "post.*", "x"):
        ((path, message),) = wrong(rule(gate=pattern, **missing))
        assert path == "rules.0.gate"
        assert "give one gate's id" in message
    assert wrong(rule(gate="post.x", **missing)) == []
    assert wrong(rule(gate="post.*", **{**missing, "threshold": "> 5"})) == []


def test_all_mistakes_are_found_at_once():
    toml = rule(gate="pre.nope", threshold="5", window="0s") + "labels = { gate = 'x' }"
    assert [path for path, _ in wrong(toml)] == [
        "rules.0.gate",
        "rules.0.threshold",
        "rules.0.window",
        "rules.0.labels.gate",
    ]


GOOD = """
[alerts]
group_by = ["subject", "gate", "finding", "rule", "severity", "team", "environment"]
link = "https://ci.example/{{ run }}?gate={{ gate|urlencode }}&team={{ labels.team|default('none') }}"
labels = { environment = "production", of = "{{ subject }}" }
[[alerts.rules]]
name = "errors"
gate = "post.x"
finding = "m"
threshold = "> 5%"
window = "60s"
aggregate = "p95"
for = "5m"
labels = { team = "db" }
annotations = { summary = "{{ value }} over {{ limit }} for {{ labels.team }}", runbook = "https://wiki/{{ rule }}" }
[[alerts.rules]]
name = "5xx"
finding = "status of anything"
threshold = ">= 500"
window = "300s"
times = 5
[[alerts.rules]]
name = "down"
gate = "pre.db"
status = ["fail", "error", "unknown", "warn"]
[[alerts.rules]]
name = "silent"
gate = "pre.storage"
finding = "free /"
threshold = "< 1"
window = "30d"
aggregate = "count"
[[alerts.escalation]]
after = "5m"
severity = "critical"
[[alerts.escalation]]
after = "15m"
channels = ["ops"]
[[alerts.maintenance]]
name = "sundays"
starts = 2026-01-04T02:00:00
lasts = "2h"
repeat = "FREQ=WEEKLY;BYDAY=SU"
timezone = "Europe/Warsaw"
gate = "pre.*"
labels = { team = "db" }
[[alerts.inhibit]]
while = "pre.components"
quiet = "post.*"
same = ["subject", "environment"]
"""


def test_what_can_work_is_not_refused():
    assert wrong(GOOD) == []
    assert wrong("") == []
    assert wrong("[[alerts.escalation]]\nafter = '5m'\nchannels = ['any']", channels=None) == []


@given(
    st.dictionaries(st.sampled_from(["gate", "finding", "threshold", "name"]), st.text(max_size=20)),
    st.sampled_from(["last", "count", "p95"]),
    st.integers(1, 3),
)
def test_whatever_is_written_a_rule_is_judged_or_refused_and_nothing_raises(texts, aggregate, times):
    problems = []
    table = {"name": "r", "finding": "m", "aggregate": aggregate, "times": times, **texts}
    made = convert(AlertSettings, {"rules": [table]}, problems)
    assert made is not None
    check_rules(made, GATES, channels=(), retention=DAY)
    story = Story()
    story.policy = type(story.policy)(made, {})
    story.run(value(9), DOWN_DB)


DOWN_DB = gate("pre.db[a]", "fail", bad("m", message="down"))


def test_a_threshold_in_toml_means_what_it_says():
    text = tomllib.loads(rule(threshold=">= 500ms"))["alerts"]["rules"][0]["threshold"]
    assert Threshold.parse(text) == Threshold(">=", 0.5, "s")
    assert str(Threshold.parse(" <  20 % ")) == "< 20 %"


# -- which quantities a gate records ---------------------------------------------------------------------------------


@post
def plain_gate(ctx: Context) -> None:
    """All names are there to be read."""
    ctx.measure("p95", 0.2, unit="s")
    if ctx.remaining() > 1:
        ctx.measure(name="max", value=1.0)
    ctx.check(True and ctx.phase == "post", "no", observed=3)
    ctx.check(ctx.phase == "post", "no", name="phase")


@pre
async def asynchronous_gate(ctx: Context) -> Finding:
    """What it returns was recorded by its context."""
    return ctx.measure("depth", 3)


@pre
def silent_gate() -> None:
    """It has no context."""


@pre
def helping_gate(ctx: Context) -> None:
    """A helper records."""
    record(ctx)


@pre
def computing_gate(ctx: Context) -> None:
    """A name is computed."""
    for name in ("a", "b"):
        ctx.measure(name, 1)


@pre
def passing_gate(ctx: Context) -> None:
    """The method is passed on."""
    keep = ctx.measure
    keep("a", 1)


@pre
def making_gate(ctx: Context) -> Finding:
    """It makes a finding itself."""
    ctx.check(ctx.phase == "pre", "no")
    return Finding("made", "pass", observed=1)


@pre
def adding_gate(ctx: Context) -> None:
    """It adds a finding."""
    ctx.add(Finding("made", "pass", observed=1))


def record(ctx):
    ctx.measure("hidden", 1)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (plain_gate, ["p95", "max", "check", "phase", "earlier"]), (asynchronous_gate, ["depth", "earlier"]), (silent_gate, ["earlier"]),
        (helping_gate, None), (computing_gate, None), (passing_gate, None), (making_gate, None), (adding_gate, None),
    ],
)  # fmt: skip
def test_what_a_gate_records_is_known_where_its_function_shows_it(function, names):
    assert isinstance(function, Gate)
    found = quantities(function, ["earlier"])
    assert found == names if names is None else sorted(found) == sorted(names)


def test_a_gate_without_a_source_could_record_anything():
    made = Gate(function=eval("lambda ctx: ctx.measure('x', 1)"), name="x", phase="pre")
    assert quantities(Gate(function=lambda ctx: ctx.measure("x", 1), name="x", phase="pre"), ["y"]) is None
    assert quantities(made, ["y"]) is None
    assert quantities(Gate(function=len, name="x", phase="pre"), []) is None


def test_a_gate_may_declare_what_it_records():
    @pre(records=["hidden"])
    def declaring(ctx: Context) -> None:
        record(ctx)

    assert quantities(declaring, ["earlier"]) == ["hidden", "earlier"]
    assert quantities(pre(records=[])(silent_gate.function), []) == []
    with pytest.raises(TypeError, match=r'records takes a list, write records=\["p95"\]'):
        pre(records="p95")(silent_gate.function)


def test_the_resources_gate_declares_all_that_it_measures():
    limits = {name: {"warn": 0} for name in ("load", "cpus")} | {"memory": {"warn": "1%"}}
    found = run_gate(resources, limits).result.findings
    assert set(READ) | {finding.name for finding in found} <= set(resources.records or ())
