"""Escalation: what nobody acknowledges becomes worse and reaches further."""

import pytest

from alertworld import HOUR, MINUTE, World, alerting, step
from gatekeeper.alerts.stages import Recipient

OPS, BOSS = Recipient(name="ops"), Recipient(name="boss")


def world(*steps, recipients=(OPS,), **options):
    return World(*recipients, settings=alerting(escalation=steps, **options))


def test_what_nobody_acknowledges_becomes_worse_and_is_told():
    w = world(step(10 * MINUTE, "critical"))
    name = w.fires("pre.network", "medium")
    w.told_now()
    assert w.told_now(after=10 * MINUTE - 1) == []
    planned = w.evaluate(after=1)
    ((notification, _),) = planned.notifications
    (event,) = notification.events
    assert (event.kind, event.before, event.alert.severity) == ("escalated", "medium", "critical")
    assert planned.events == (event,)
    assert event.run == w.situation().run
    assert (w.standings[name].level, w.standings[name].alert.severity) == (1, "critical")
    assert w.told_now(after=HOUR) == []


def test_what_was_acknowledged_does_not_escalate():
    w = world(step(10 * MINUTE, "critical"))
    w.acks(w.fires("pre.network"))
    w.told_now()
    assert w.told_now(after=HOUR) == []


def test_steps_that_are_overdue_are_taken_at_once_with_one_event():
    w = world(step(HOUR, "critical", ["boss"]), step(10 * MINUTE, "high"), recipients=(OPS, BOSS))
    name = w.fires("pre.network", "low")
    w.told_now()
    assert w.told_now(after=2 * HOUR) == [
        "ops: escalated pre.network (1 firing)",
        "boss: escalated pre.network (1 firing)",
    ]
    assert w.standings[name].level == 2
    assert len(w.events) == 1


def test_a_channel_of_a_step_gets_only_what_reached_it():
    w = world(step(10 * MINUTE, None, ["boss"]), recipients=(OPS, BOSS))
    name = w.fires("pre.network")
    assert w.told_now() == ["ops: firing pre.network (1 firing)"]
    assert w.told_now(after=10 * MINUTE) == [
        "ops: escalated pre.network (1 firing)",
        "boss: escalated pre.network (1 firing)",
    ]
    w.fires("pre.storage")
    assert w.told_now() == ["ops: firing pre.storage (2 firing)"]
    w.ends(name)
    assert w.told_now() == ["ops: resolved pre.network (1 firing)", "boss: resolved pre.network (0 firing)"]


def test_an_end_before_the_step_is_no_news_to_its_channel():
    w = world(step(10 * MINUTE, None, ["boss"]), recipients=(BOSS,))
    name = w.fires("pre.network")
    w.told_now()
    w.ends(name)
    assert w.told_now(after=HOUR) == []


def test_a_step_is_for_alerts_of_its_severity_and_up():
    w = world(step(10 * MINUTE, None, ["boss"], min_severity="high"), recipients=(BOSS,))
    w.fires("pre.network", "medium")
    assert w.told_now(after=HOUR) == []
    w.fires("pre.network", "high")
    assert w.told_now() == ["boss: escalated pre.network (1 firing)"]


def test_a_step_never_makes_an_alert_milder():
    w = world(step(10 * MINUTE, "medium"))
    name = w.fires("pre.network", "critical")
    w.told_now(after=HOUR)
    assert w.standings[name].alert.severity == "critical"


def test_a_silenced_alert_escalates_when_the_silence_ends():
    w = world(step(10 * MINUTE, "critical"))
    name = w.fires("pre.network")
    w.silence(HOUR)
    w.evaluate(after=30 * MINUTE)
    assert w.standings[name].level == 0
    assert w.told_now(after=30 * MINUTE) == ["ops: escalated pre.network (1 firing)"]


def test_what_a_silence_is_about_only_after_escalating_is_not_told():
    w = world(step(10 * MINUTE, "critical"))
    w.fires("pre.network")
    w.told_now()
    w.silence(HOUR, labels={"severity": "critical"})
    assert w.told_now(after=10 * MINUTE) == []


def test_it_starts_anew_when_an_alert_fires_again():
    w = world(step(10 * MINUTE, "critical"))
    name = w.fires("pre.network")
    w.evaluate(after=HOUR)
    w.ends(name)
    w.evaluate()
    w.fires("pre.network")
    assert w.told_now() == ["ops: firing pre.network (1 firing)"]
    first, ids = w.events[0].id, len(w.events)
    w.evaluate(after=10 * MINUTE)
    assert len(w.events) == ids + 1
    assert w.events[-1].id != first


def test_what_has_no_severity_to_gain_still_is_told_as_escalated():
    w = world(step(10 * MINUTE, "critical"))
    w.fires("pre.network", "critical")
    w.told_now()
    planned = w.evaluate(after=HOUR)
    assert [event.before for event in planned.events] == [None]
    assert len(planned.notifications) == 1


def test_a_time_of_firing_in_the_future_counts_from_now():
    w = world(step(10 * MINUTE, "critical"))
    name = w.fires("pre.network")
    w.told_now()
    w.now -= 400 * 24 * HOUR
    w.evaluate()
    assert w.standings[name].fired == w.now
    assert w.told_now(after=10 * MINUTE) == ["ops: escalated pre.network (1 firing)"]


@pytest.mark.parametrize("state", ["pending", "resolved"])
def test_only_what_fires_escalates(state):
    w = world(step(MINUTE, "critical"))
    name = w.fires("pre.network", pending=state == "pending")
    if state == "resolved":
        w.told_now()
        w.ends(name)
    planned = w.evaluate(after=HOUR)
    assert planned.events == ()
    assert w.standings[name].level == 0


def test_between_runs_an_event_belongs_to_none():
    from msgspec.structs import replace

    from gatekeeper.alerts.stages import plan

    w = world(step(MINUTE, "critical"))
    w.fires("pre.network")
    w.now += HOUR
    (event,) = plan(replace(w.situation(), run="")).events
    assert event.run == ""
