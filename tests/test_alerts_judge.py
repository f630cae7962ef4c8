"""From a finished run to alerts: what fires, what goes on, what is over, and which events there are of it."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gatekeeper.channels import Alert
from gatekeeper.store.standing import Standing
from judging import START, Story, bad, gate, iso, kinds, measured

DOWN = gate("pre.components", "fail", bad("backend", message="backend gave HTTP 503", hint="curl backend"))
UP = gate("pre.components", "pass", bad("backend", "pass"))


# -- without any rule ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "requirement", "said", "severity"),
    [
        ("fail", "required", None, "high"),
        ("error", "required", None, "high"),
        ("fail", "required", "critical", "critical"),
        ("error", "required", "low", "low"),
        ("warn", "required", None, "medium"),
        ("unknown", "required", None, "medium"),
        ("warn", "required", "critical", "medium"),
        ("unknown", "required", "low", "low"),
        ("fail", "advisory", "critical", "medium"),
        ("error", "advisory", None, "medium"),
        ("warn", "advisory", None, "medium"),
        ("unknown", "advisory", None, "medium"),
    ],
)
def test_without_a_rule_status_and_requirement_say_how_bad_it_is(status, requirement, said, severity):
    for findings in ((bad("a", status),), ()):
        story = Story(severities={"pre.x": said} if said else {})
        judged = story.run(gate("pre.x", status, *findings, requirement=requirement))
        assert kinds(judged) == [("firing", "a" if findings else "", severity)]


@pytest.mark.parametrize("status", ["warn", "fail", "error", "unknown"])
def test_a_gate_that_is_only_observed_is_never_told_of(status):
    story = Story('[[alerts.rules]]\nname = "all"\nstatus = ["warn", "fail", "error", "unknown"]')
    story.run(gate("pre.x", status, bad("a", status), requirement="observe"))
    assert story.events == []
    assert story.standings == {}


def test_defaults_can_be_turned_off():
    story = Story("[alerts]\ndefaults = false")
    story.run(DOWN)
    assert story.events == []


def test_what_passes_or_was_skipped_is_no_condition():
    story = Story()
    story.run(UP, gate("pre.y", "skip", reason="blocked"), gate("pre.z", "pass", bad("part", "skip")))
    assert story.standings == {}


def test_each_finding_is_told_of_and_of_one_name_the_worst():
    judged = Story().run(
        gate(
            "pre.x",
            "fail",
            bad("a", "warn"),
            bad("b", "fail"),
            bad("a", "fail", message="worse"),
            bad("c", "pass"),
        )
    )
    assert kinds(judged) == [("firing", "a", "high"), ("firing", "b", "high")]
    assert judged.events[0].alert.summary == "worse"


@pytest.mark.parametrize("status", ["error", "unknown", "fail", "warn"])
def test_a_status_that_no_finding_stands_for_is_the_gates_own_condition(status):
    judged = Story().run(gate("pre.x", status, bad("a", "pass"), reason="it broke"))
    (event,) = judged.events
    assert (event.alert.finding, event.alert.status, event.alert.summary) == ("", status, "it broke")


def test_a_gate_that_breaks_after_a_failure_has_both_told():
    judged = Story().run(gate("pre.x", "error", bad("a", "fail"), reason="KeyError"))
    assert kinds(judged) == [("firing", "a", "high"), ("firing", "", "high")]


def test_an_alert_says_what_was_observed_and_what_to_try():
    (event,) = (
        Story()
        .run(
            gate(
                "pre.x",
                "fail",
                bad(
                    "p95",
                    observed=0.7,
                    operator="<=",
                    limit=0.5,
                    unit="s",
                    n=12,
                    hint="look at it",
                    message="too slow",
                ),
            )
        )
        .events
    )
    alert = event.alert
    assert (alert.summary, alert.description) == ("too slow", "observed 700 ms (n = 12), expected <= 500 ms")
    assert (alert.value, alert.operator, alert.limit, alert.unit, alert.hint) == (
        0.7,
        "<=",
        0.5,
        "s",
        "look at it",
    )
    assert (alert.since, alert.run, alert.runs, alert.state) == (iso(START), "run-1", 1, "firing")
    assert (event.time, event.run, event.kind) == (iso(START), "run-1", "firing")


def test_without_a_hint_the_next_command_is_named():
    (event,) = Story().run(gate("pre.x", "error", reason="timed out after 30 s")).events
    assert event.alert.hint == "gatekeeper run pre pre.x -vv"


# -- going on, changing, ending ----------------------------------------------------------------------------------------


def test_what_goes_on_is_no_event_but_is_counted():
    story = Story()
    story.run(DOWN)
    story.run(DOWN, at=60)
    judged = story.run(gate("pre.components", "fail", bad("backend", message="now HTTP 500")), at=120)
    assert judged.events == ()
    (standing,) = judged.standings
    alert = standing.alert
    assert (alert.since, alert.run, alert.runs, alert.summary) == (iso(START), "run-3", 3, "now HTTP 500")
    assert standing.changed == standing.fired == START


def test_recovery_resolves_and_firing_again_is_a_new_one_of_the_same_name():
    story = Story()
    story.run(DOWN, at=0)
    story.run(UP, at=60)
    story.run(UP, at=120)
    story.run(DOWN, at=180)
    assert [event.kind for event in story.events] == ["firing", "resolved", "firing"]
    assert len({event.alert.fingerprint for event in story.events}) == 1
    assert len({event.id for event in story.events}) == 3
    first, over, second = (event.alert for event in story.events)
    assert (over.state, over.ended, over.since, over.run) == (
        "resolved",
        iso(START + 60),
        iso(START),
        "run-1",
    )
    assert (second.state, second.ended, second.since, second.runs) == ("firing", None, iso(START + 180), 1)
    assert first.since == iso(START)


def test_an_acknowledgement_lasts_until_it_is_over():
    story = Story()
    (standing,) = story.run(DOWN).standings
    story.standings[standing.alert.fingerprint] = replace(standing, acked=START + 1, acked_by="kim", level=2)
    (kept,) = story.run(DOWN, at=60).standings
    assert (kept.acked, kept.acked_by, kept.level) == (START + 1, "kim", 2)
    story.run(UP, at=120)
    (anew,) = story.run(DOWN, at=180).standings
    assert (anew.acked, anew.acked_by, anew.level) == (None, "", 0)


def test_another_severity_is_another_event():
    story = Story()
    story.run(gate("pre.x", "warn", bad("disk", "warn")))
    worse = story.run(gate("pre.x", "fail", bad("disk", "fail")), at=60)
    assert kinds(worse) == [("firing", "disk", "high")]
    assert worse.standings[0].changed == START + 60
    better = story.run(gate("pre.x", "warn", bad("disk", "warn")), at=120)
    assert kinds(better) == [("firing", "disk", "medium")]
    assert len({event.id for event in story.events}) == 3
    assert {event.alert.since for event in story.events} == {iso(START)}


def test_what_was_escalated_does_not_become_milder_by_itself():
    story = Story()
    (standing,) = story.run(gate("pre.x", "warn", bad("disk", "warn"))).standings
    raised = replace(standing, alert=replace(standing.alert, severity="critical"), level=1)
    story.standings[standing.alert.fingerprint] = raised
    judged = story.run(gate("pre.x", "warn", bad("disk", "warn")), at=60)
    assert judged.events == ()
    assert judged.standings[0].alert.severity == "critical"
    story.run(gate("pre.x", "pass", bad("disk", "pass")), at=120)
    assert kinds(story.run(gate("pre.x", "warn", bad("disk", "warn")), at=180)) == [
        ("firing", "disk", "medium")
    ]


@pytest.mark.parametrize("status", ["error", "unknown"])
def test_a_gate_that_did_not_run_to_its_end_resolves_nothing(status):
    story = Story()
    story.run(DOWN)
    judged = story.run(gate("pre.components", status, reason="timed out"), at=60)
    assert [(e.kind, e.alert.finding) for e in judged.events] == [("firing", "")]
    assert story.states == {"pre.components backend": "firing", "pre.components": "firing"}
    story.run(UP, at=120)
    assert set(story.states.values()) == {"resolved"}


@pytest.mark.parametrize(
    "results", [(), (gate("pre.other", "pass"),), (gate("pre.components", "skip", reason="blocked"),)]
)
@pytest.mark.parametrize("partial", [False, True])
def test_a_run_without_the_gate_says_nothing_of_it(results, partial):
    story = Story()
    story.run(DOWN)
    judged = story.run(*results, at=60, partial=partial)
    assert (judged.events, judged.standings, judged.dropped) == ((), (), ())


def test_a_finding_that_is_gone_is_over():
    story = Story()
    story.run(gate("pre.x", "fail", bad("a"), bad("b")))
    assert kinds(story.run(gate("pre.x", "fail", bad("b")), at=60)) == [("resolved", "a", "high")]


def test_a_gate_that_was_removed_leaves_no_alert_behind():
    story = Story(gates={"pre.other"})
    story.run(DOWN)
    story.run(gate("pre.other", "pass"), at=60, partial=True)
    story.run(gate("post.other", "pass"), at=60, phase="post")
    story.run(at=60, complete=False)
    assert story.states == {"pre.components backend": "firing"}
    assert kinds(story.run(gate("pre.other", "pass"), at=120)) == [("resolved", "backend", "high")]


def test_a_gate_that_was_only_not_selected_keeps_its_alert():
    story = Story(gates={"pre.components"})
    story.run(DOWN)
    story.run(gate("pre.other", "pass"), at=60)
    assert story.states == {"pre.components backend": "firing"}


def test_alerts_of_findings_with_hostile_names_are_kept_apart_and_whole():
    names = ["a", "a ", "A", 'a"b', "a\nb", "\x1b[31m", "{{ 7*7 }}", "日本", "a" * 500, ""]
    story = Story()
    story.run(gate("pre.x", "fail", *(bad(name, message=f"{name} is bad") for name in names)))
    assert [event.alert.finding for event in story.events] == names
    assert len({event.alert.fingerprint for event in story.events}) == len(names)
    assert "49" not in "".join(event.alert.summary for event in story.events)


# -- interrupted -----------------------------------------------------------------------------------------------------


def test_of_an_interrupted_run_what_has_a_result_counts_and_what_was_cut_off_does_not():
    story = Story()
    story.run(
        DOWN,
        gate("pre.broke", "error", reason="KeyError: 'x'"),
        gate("pre.running", "error", reason="interrupted"),
        gate("pre.waiting", "error", reason="interrupted", attempts=()),
        gate("pre.lost", "error", reason="the runner was lost", attempts=()),
        gate("pre.again", "error", bad("attempt", "fail"), reason="503 (attempt 1; then interrupted)"),
        complete=False,
    )
    assert [(e.alert.gate, e.alert.finding) for e in story.events] == [
        ("pre.components", "backend"),
        ("pre.broke", ""),
    ]


def test_an_interrupted_run_resolves_what_it_shows_to_be_well():
    story = Story()
    story.run(DOWN, gate("pre.slow", "fail", bad("x")))
    judged = story.run(UP, gate("pre.slow", "error", reason="interrupted"), at=60, complete=False)
    assert kinds(judged) == [("resolved", "backend", "high")]


def test_in_a_whole_run_a_gate_whose_reason_says_interrupted_still_counts():
    assert len(Story().run(gate("pre.x", "error", reason="interrupted")).events) == 1


# -- rules by status -------------------------------------------------------------------------------------------------

PAGER = """
[[alerts.rules]]
name = "pager"
gate = "pre.comp*"
status = ["fail", "error"]
severity = "critical"
labels = { team = "platform", of = "{{ gate }}/{{ finding }}" }
"""


def test_a_rule_takes_the_place_of_the_default_for_its_gates_and_statuses():
    story = Story(PAGER)
    story.run(DOWN, gate("pre.other", "fail", bad("x")))
    story.run(gate("pre.components", "warn", bad("backend", "warn")), at=60)
    assert story.told == [
        ("firing", "pre.components", "backend", "critical"),
        ("firing", "pre.other", "x", "high"),
        ("firing", "pre.components", "backend", "medium"),
        ("resolved", "pre.components", "backend", "critical"),
    ]
    alert = story.events[0].alert
    assert (alert.rule, alert.labels) == ("pager", {"team": "platform", "of": "pre.components/backend"})
    assert [alert.label(name) for name in ("gate", "rule", "severity", "team", "none")] == [
        "pre.components", "pager", "critical", "platform", "",
    ]  # fmt: skip


def test_two_rules_of_one_gate_are_two_alerts():
    story = Story(PAGER + '[[alerts.rules]]\nname = "log"\nstatus = ["fail"]\nseverity = "low"')
    story.run(DOWN)
    assert {(e.alert.rule, e.alert.severity) for e in story.events} == {("pager", "critical"), ("log", "low")}
    assert len({e.alert.fingerprint for e in story.events}) == 2


def test_an_alert_of_a_rule_that_was_removed_is_over():
    story = Story(PAGER)
    story.run(DOWN)
    story.configure("")
    story.run(DOWN, at=60)
    assert story.told[1:] == [
        ("firing", "pre.components", "backend", "high"),
        ("resolved", "pre.components", "backend", "critical"),
    ]


def test_a_rule_by_status_tells_of_an_advisory_gates_own_status():
    story = Story(PAGER)
    story.run(gate("pre.components", "fail", bad("backend"), requirement="advisory"))
    assert story.told == [("firing", "pre.components", "backend", "critical")]


# -- `for` -----------------------------------------------------------------------------------------------------------

PATIENT = '[[alerts.rules]]\nname = "patient"\nstatus = ["fail"]\nfor = "5m"\n'


def test_an_alert_is_pending_until_its_time_has_passed():
    story = Story(PATIENT)
    for at in (0, 120, 299):
        assert story.run(DOWN, at=at).events == ()
        assert story.states == {"pre.components backend": "pending"}
    judged = story.run(DOWN, at=300)
    assert kinds(judged) == [("firing", "backend", "high")]
    (standing,) = judged.standings
    assert (standing.began, standing.fired, standing.alert.since, standing.alert.runs) == (
        START,
        START + 300,
        iso(START),
        4,
    )
    assert kinds(story.run(UP, at=360)) == [("resolved", "backend", "high")]


def test_a_pending_alert_that_is_over_is_forgotten_and_counts_anew():
    story = Story(PATIENT)
    story.run(DOWN)
    judged = story.run(UP, at=240)
    assert (judged.events, len(judged.dropped), story.standings) == ((), 1, {})
    story.run(DOWN, at=250)
    assert story.run(DOWN, at=400).events == ()
    assert kinds(story.run(DOWN, at=550)) == [("firing", "backend", "high")]


def test_the_end_of_an_earlier_firing_is_not_lost_while_the_next_is_pending():
    story = Story(PATIENT)
    story.run(DOWN)
    story.run(DOWN, at=300)
    story.run(UP, at=360)
    (pending,) = story.run(DOWN, at=420).standings
    assert (pending.alert.state, pending.fired, pending.owed) == ("pending", None, True)
    assert pending.last is not None
    assert pending.last.kind == "resolved"
    judged = story.run(UP, at=480)
    assert (judged.events, judged.dropped) == ((), ())
    (over,) = judged.standings
    assert (over.alert.state, over.alert.ended, over.owed) == ("resolved", iso(START + 360), True)


def test_a_long_run_does_not_make_an_alert_fire_early():
    story = Story(PATIENT)
    assert story.run(DOWN, lasts=3600).events == ()
    assert story.run(DOWN, at=3700, lasts=100).events == ()
    assert len(story.run(DOWN, at=3850, lasts=50).events) == 1


def test_a_clock_that_was_put_back_neither_fires_early_nor_hangs():
    story = Story(PATIENT)
    story.run(DOWN, at=10**8)
    story.run(DOWN, at=0)
    assert story.run(DOWN, at=299).events == ()
    assert len(story.run(DOWN, at=300).events) == 1


@pytest.mark.parametrize(
    "started", ["", "yesterday", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999Z", "2026-13-01T00:00:00Z"]
)
def test_a_start_that_is_no_time_breaks_nothing(started):
    story = Story(
        PATIENT
        + '[[alerts.rules]]\nname = "q"\nfinding = "m"\nthreshold = "> 1"\nwindow = "60s"\naggregate = "max"'
    )
    story.run(DOWN)
    (standing,) = story.standings.values()
    from gatekeeper.model import Header, Run, Subject, Verdict

    run = Run(
        header=Header(id="odd", phase="pre", started=started),
        subject=Subject("checkout"),
        verdict=Verdict("none"),
        results=(DOWN, gate("pre.m", "pass", measured("m", 0.5))),
    )
    judged = story.judge(run, START + 400)
    assert [event.alert.fingerprint for event in judged.events] == [standing.alert.fingerprint]


# -- invariants ------------------------------------------------------------------------------------------------------

STATUSES = st.sampled_from(["pass", "warn", "fail", "error", "unknown", "skip", "absent"])
GATES = ("pre.a", "pre.b", "post.c")


@st.composite
def results(draw):
    made = []
    for name in GATES:
        status = draw(STATUSES)
        if status == "absent":
            continue
        requirement = draw(st.sampled_from(["required", "advisory", "observe"]))
        found = [
            bad(n, draw(st.sampled_from(["pass", "warn", status])))
            for n in draw(st.lists(st.sampled_from("xyz"), max_size=3))
        ]
        made.append(gate(name, status, *([] if status == "skip" else found), requirement=requirement))
    return made


RUNS = st.lists(
    st.tuples(results(), st.floats(-100, 400), st.booleans(), st.booleans()),
    max_size=12,
)
RULES = st.sampled_from(
    [
        "",
        PATIENT,
        '[[alerts.rules]]\nname = "r"\nstatus = ["fail", "unknown"]\nseverity = "low"',
        "[alerts]\ndefaults = false",
    ]
)


def told(toml, runs):
    story, at = Story(toml), 0.0
    for made, step, complete, partial in runs:
        at += step
        story.run(*made, at=at, complete=complete, partial=partial)
    return story


@given(RULES, RUNS)
def test_whatever_runs_come_the_events_of_an_alert_are_in_order(toml, runs):
    story = told(toml, runs)
    assert len({event.id for event in story.events}) == len(story.events)
    latest = {}
    for event in story.events:
        before = latest.get(event.alert.fingerprint)
        if event.kind == "resolved":
            assert before is not None
            assert before.kind == "firing"
            assert event.alert.since == before.alert.since
        elif before is not None and before.kind == "firing":
            assert event.alert.severity != before.alert.severity
        latest[event.alert.fingerprint] = event
    for fingerprint, event in latest.items():
        standing = story.standings[fingerprint]
        assert standing.last == event
        assert (standing.alert.state == "firing") == (event.kind == "firing")
    assert {s.alert.fingerprint for s in story.standings.values() if s.fired} <= set(latest)


@given(RULES, RUNS)
def test_the_same_runs_make_the_same_events(toml, runs):
    one, other = told(toml, runs), told(toml, runs)
    assert one.events == other.events
    assert one.standings == other.standings


@given(RUNS)
def test_an_alert_fires_in_the_first_run_that_shows_it(runs):
    story, at = Story(), 0.0
    for made, step, complete, partial in runs:
        at += step
        story.run(*made, at=at, complete=complete, partial=partial)
        states = {(s.alert.gate, s.alert.finding): s.alert.state for s in story.standings.values()}
        for result in made if complete else ():
            if result.requirement == "observe" or result.status in ("pass", "skip"):
                continue
            for finding in result.findings:
                if finding.status in ("warn", "fail", "error", "unknown"):
                    assert states[result.id, finding.name] == "firing"
            if result.decisive is None:
                assert states[result.id, ""] == "firing"


@given(RUNS, st.integers(0, 11))
def test_one_run_judged_twice_from_the_same_state_makes_the_same_ids(runs, index):
    """A crash between judging and recording: the evaluation is repeated."""
    story, at = Story(), 0.0
    for number, (made, step, complete, partial) in enumerate(runs):
        at += step
        before, count = dict(story.standings), story.number
        first = story.run(*made, at=at, complete=complete, partial=partial)
        if number == index:
            story.standings, story.number = before, count
            again = story.run(*made, at=at, complete=complete, partial=partial)
            assert [event.id for event in again.events] == [event.id for event in first.events]


# -- what it is made of --------------------------------------------------------------------------------------------


def test_a_label_is_found_by_name_and_the_fields_of_an_alert_are_labels_too():
    alert = Alert(
        fingerprint="f" * 32,
        gate="pre.x",
        subject="s",
        severity="high",
        since="",
        run="r",
        labels={"team": "db"},
    )
    assert [alert.label(n) for n in ("team", "gate", "finding", "subject", "rule", "severity", "since", "link")] == [
        "db", "pre.x", "", "s", "", "high", "", "",
    ]  # fmt: skip


def test_an_alert_and_its_standing_survive_the_store():
    import msgspec

    story = Story(PAGER)
    for standing in story.run(DOWN, gate("pre.y", "error", reason="x")).standings:
        assert msgspec.json.decode(msgspec.json.encode(standing), type=Standing) == standing


def test_judging_loads_no_template_engine_where_no_text_is_a_template():
    import subprocess

    code = (
        "import sys; from judging import *; s = Story('[alerts]\\nlink = \"https://ci/1\"'); s.run(gate('pre.x', 'fail', bad('a')));"
        "assert len(s.events) == 1; print('jinja2' in sys.modules, 'dateutil' in sys.modules)"
    )
    from pathlib import Path

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    assert done.stdout == "False False\n", done.stderr
