"""The rate cap: a channel is not flooded, and nothing that matters is hidden by it."""

from alertworld import HOUR, MINUTE, World, alerting
from gatekeeper.alerts.stages import ALL, Recipient


def world(most, **options):
    return World(
        Recipient(name="ops", max_per_hour=most), settings=alerting(**{"group_by": ("gate",)} | options)
    )


def test_the_last_notification_of_an_hour_tells_of_all_that_is_left():
    w = world(3, listed=2)
    for number in range(10):
        w.fires(f"pre.g{number}", "critical" if number == 7 else "high")
    planned = w.evaluate()
    assert [len(n.events) + n.more for n, _ in planned.notifications] == [1, 1, 8]
    assert planned.notifications[0][0].events[0].alert.gate == "pre.g7"
    last, group = planned.notifications[-1]
    assert (group, last.group, last.more, last.firing, last.thread) == (ALL, {}, 6, 8, None)
    assert planned.held == ()
    assert {group for _, group in w.told} == {group for _, group in planned.notifications}
    assert w.told_now(after=MINUTE) == []


def test_what_comes_when_none_is_left_waits_until_one_is():
    w = world(1)
    w.fires("pre.first")
    w.told_now()
    name = w.fires("pre.second")
    w.fires("pre.third")
    planned = w.evaluate(after=MINUTE)
    assert planned.notifications == ()
    assert [held.until for held in planned.held] == [w.now + HOUR - MINUTE] * 2
    assert {held.why for held in planned.held} == {"ops got 1 notification in an hour"}
    assert w.told_now(after=HOUR - MINUTE) == ["ops: firing pre.second, firing pre.third (2 firing)"]
    w.ends(name)
    assert w.told_now(after=HOUR) == ["ops: resolved pre.second (1 firing)"]


def test_what_ends_while_it_waits_is_never_told():
    w = world(1)
    w.fires("pre.first")
    w.told_now()
    name = w.fires("pre.second")
    w.told_now()
    w.ends(name)
    assert w.told_now() == []
    assert w.told_now(after=HOUR) == []


def test_critical_alerts_are_told_at_once_as_one_beyond_the_cap():
    w = world(1)
    w.fires("pre.first")
    w.told_now()
    w.fires("pre.high", "high")
    for number in range(5):
        w.fires(f"pre.g{number}", "critical")
    ((notification, _),) = w.evaluate().notifications
    assert len(notification.events) == 5
    assert {event.alert.severity for event in notification.events} == {"critical"}


def test_repeats_wait_for_news():
    w = world(2, repeat_interval=2 * HOUR)
    for number in range(2):
        w.fires(f"pre.g{number}", "critical")
    w.told_now()
    w.now += 2 * HOUR
    w.fires("pre.new", "low")
    w.fires("pre.other", "low")
    assert w.told_now() == ["ops: firing pre.new (1 firing)", "ops: firing pre.other (1 firing)"]


def test_an_end_is_told_before_a_repeat():
    w = world(1, repeat_interval=HOUR)
    name = w.fires("pre.first", "critical")
    w.told_now()
    w.fires("pre.second", "critical")
    w.told_now(after=HOUR)
    w.ends(name)
    assert w.told_now(after=HOUR) == ["ops: resolved pre.first (0 firing)"]


def test_only_repeats_are_not_made_one():
    w = world(2, repeat_interval=6 * HOUR)
    for number in range(4):
        w.fires(f"pre.g{number}")
        w.told_now(after=HOUR)
    assert len(w.told_now(after=12 * HOUR)) == 2
    assert len(w.told_now(after=HOUR)) == 2


def test_what_was_made_one_is_one_group_until_it_is_over():
    w = world(2)
    names = [w.fires(f"pre.g{number}") for number in range(4)]
    w.told_now()
    w.fires("pre.g3", "critical")
    w.ends(names[1])
    ((notification, group),) = w.evaluate(after=HOUR).notifications
    assert (group, notification.group, notification.firing, notification.resolved) == (ALL, {}, 2, False)
    assert [(e.kind, e.alert.gate) for e in notification.events] == [
        ("firing", "pre.g3"),
        ("resolved", "pre.g1"),
    ]
    w.ends(names[2])
    w.ends(names[3])
    ((notification, group),) = w.evaluate(after=HOUR).notifications
    assert (group, notification.resolved) == (ALL, True)
    w.fires("pre.g3")
    ((notification, group),) = w.evaluate(after=HOUR).notifications
    assert notification.group == {"gate": "pre.g3"}


def test_what_is_told_of_a_group_that_the_channel_knows_is_not_made_one_with_others():
    w = world(2)
    names = [w.fires(f"pre.g{number}") for number in range(2)]
    w.told_now()
    w.now += HOUR
    for name in names:
        w.ends(name)
    w.fires("pre.new")
    w.fires("pre.other")
    told = w.told_now()
    assert told == ["ops: firing pre.new (1 firing)", "ops: firing pre.other (1 firing)"]
    assert w.told_now(after=HOUR) == ["ops: resolved pre.g0 (0 firing)", "ops: resolved pre.g1 (0 firing)"]


def test_what_becomes_critical_is_told_at_once_in_its_group():
    w = world(2)
    for number in range(2):
        w.fires(f"pre.g{number}", "high")
    w.told_now()
    for number in range(2):
        w.fires(f"pre.g{number}", "critical")
    assert [n.group["gate"] for n, _ in w.evaluate().notifications] == ["pre.g0", "pre.g1"]


def test_one_notification_for_many_groups_is_not_repeated_while_it_is_in_the_outbox():
    w = world(1, repeat_interval=2 * HOUR)
    w.fires("pre.a")
    w.fires("pre.b")
    ((_, group),) = w.evaluate().notifications
    w.queued["ops", group] = 1
    assert w.told_now(after=2 * HOUR) == []
    w.queued.clear()
    assert len(w.told_now()) == 1


def test_notifications_from_a_future_that_the_clock_left_do_not_count_for_ever():
    w = world(1)
    w.fires("pre.first")
    w.told_now()
    w.now -= 24 * HOUR
    w.fires("pre.second")
    assert len(w.told_now()) == 1


def test_a_storm_is_a_handful_of_notifications():
    w = world(60)
    for number in range(2_000):
        w.fires(f"pre.g{number}")
    assert len(w.evaluate().notifications) == 60
    assert sum(len(n.events) + n.more for _, n, _ in w.sent) == 2_000
