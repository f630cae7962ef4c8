"""Grouping, deduplication and intervals: once is enough, unless it goes on."""

import pytest
from msgspec.structs import replace

from alertworld import DAY, HOUR, MINUTE, World, alerting, step
from gatekeeper.alerts.stages import Recipient, plan
from gatekeeper.store.standing import Told

OPS = Recipient(name="ops")


def world(*recipients, waits=False, **options):
    return World(*(recipients or (OPS,)), settings=alerting(**options), waits=waits)


# -- once ------------------------------------------------------------------------------------------------------


def test_what_fires_is_told_once_and_resolved_once():
    w = world()
    name = w.fires("pre.network")
    assert w.told_now() == ["ops: firing pre.network (1 firing)"]
    w.fires("pre.network")
    assert w.told_now(after=MINUTE) == []
    w.ends(name)
    assert w.told_now(after=MINUTE) == ["ops: resolved pre.network (0 firing)"]
    assert not w.standings[name].owed
    assert w.told_now(after=MINUTE) == []


def test_nothing_is_told_of_what_is_pending():
    w = world()
    w.fires("pre.network", pending=True)
    planned = w.evaluate()
    assert (planned.notifications, planned.told, planned.standings, planned.held) == ((), (), (), ())


def test_an_end_that_was_held_back_is_told_though_it_is_pending_anew():
    w = world(group_interval=HOUR)
    name = w.fires("pre.network")
    w.told_now()
    w.ends(name)
    assert w.told_now(after=MINUTE) == []
    w.fires("pre.network", pending=True)
    assert w.told_now(after=HOUR) == ["ops: resolved pre.network (0 firing)"]
    assert w.standings[name].owed


@pytest.mark.parametrize("severity", ["low", "critical"])
def test_a_change_of_severity_is_news(severity):
    w = world()
    w.fires("pre.network", "high")
    w.told_now()
    name = w.fires("pre.network", severity)
    ((notification, _),) = w.evaluate().notifications
    assert [event.alert.severity for event in notification.events] == [severity]
    assert not notification.repeat
    assert w.standings[name].level == 0


def test_an_event_carries_what_is_known_by_now():
    w = world()
    w.silence(HOUR)
    name = w.fires("pre.network")
    w.told_now()
    w.fires("pre.network")
    ((notification, _),) = w.evaluate(after=HOUR).notifications
    assert notification.events[0].alert == w.standings[name].alert
    assert notification.events[0].alert.runs == 2
    assert notification.events[0].id == w.standings[name].last.id


def test_an_alert_without_an_event_is_told_all_the_same():
    w = world()
    name = w.fires("pre.network")
    w.standings[name] = replace(w.standings[name], last=None)
    assert w.told_now() == ["ops: firing pre.network (1 firing)"]
    w.ends(name)
    w.standings[name] = replace(w.standings[name], last=None)
    assert w.told_now() == ["ops: resolved pre.network (0 firing)"]


# -- groups ----------------------------------------------------------------------------------------------------


def test_a_group_is_told_as_one_and_names_what_its_alerts_share():
    w = world(group_by=("subject", "team"))
    w.fires("pre.network", team="db")
    w.fires("pre.storage", team="db")
    w.fires("pre.inputs", team="web")
    w.fires("pre.outputs")
    found = {tuple(n.group.items()): [e.alert.gate for e in n.events] for n, _ in w.evaluate().notifications}
    assert found == {
        (("subject", "shop"), ("team", "db")): ["pre.network", "pre.storage"],
        (("subject", "shop"), ("team", "web")): ["pre.inputs"],
        (("subject", "shop"),): ["pre.outputs"],
    }


def test_the_worst_are_listed_first_and_the_rest_is_counted():
    w = world(listed=2)
    for number, severity in enumerate(["low", "critical", "medium", "high"]):
        w.fires(f"pre.g{number}", severity)
    assert w.told_now() == ["ops: firing pre.g1, firing pre.g3, and 2 more (4 firing)"]
    w.fires("pre.new", "low")
    assert w.told_now() == ["ops: firing pre.new (5 firing)"]


def test_many_that_end_at_once_are_all_over():
    w = world(listed=2)
    names = [w.fires(f"pre.g{number}") for number in range(5)]
    w.told_now()
    for name in names:
        w.ends(name)
    ((notification, _),) = w.evaluate().notifications
    assert (notification.more, notification.firing, notification.resolved) == (3, 0, True)


def test_what_fires_is_listed_before_what_is_over():
    w = world()
    over = w.fires("pre.old", "critical")
    w.told_now()
    w.ends(over)
    w.fires("pre.new", "low")
    assert w.told_now() == ["ops: firing pre.new, resolved pre.old (1 firing)"]


def test_an_alert_stays_in_the_group_that_it_was_told_in_until_it_is_over():
    w = world(group_by=("severity",))
    name = w.fires("pre.network", "high")
    w.told_now()
    w.fires("pre.network", "critical")
    w.fires("pre.storage", "critical")
    found = [(n.group["severity"], e.alert.gate) for n, _ in w.evaluate().notifications for e in n.events]
    assert sorted(found) == [("critical", "pre.storage"), ("high", "pre.network")]
    w.ends(name)
    ((notification, _),) = w.evaluate().notifications
    assert (notification.group, notification.resolved) == ({"severity": "high"}, True)


def test_another_grouping_in_the_configuration_tells_nothing_anew():
    w = world()
    w.fires("pre.network")
    w.told_now()
    w.settings = alerting(group_by=("gate",))
    assert w.told_now(after=MINUTE) == []
    assert w.told_now(after=4 * HOUR) == ["ops: firing pre.network again (1 firing)"]


def test_a_label_may_hold_any_text():
    w = world(group_by=("team",))
    w.fires("pre.network", team='"}\ud800\n')
    ((notification, group),) = w.evaluate().notifications
    assert set(notification.group) == {"team"}
    group.encode()


# -- group_wait and group_interval -----------------------------------------------------------------------------


def test_a_service_waits_for_more_before_it_tells_of_a_new_group():
    w = world(group_wait=30, waits=True)
    w.fires("pre.network")
    planned = w.evaluate()
    assert planned.notifications == ()
    assert [(held.why, held.until) for held in planned.held] == [("its group waits for more", w.now + 30)]
    w.now += 20
    w.fires("pre.storage")
    assert w.told_now() == []
    assert w.told_now(after=10) == ["ops: firing pre.storage, firing pre.network (2 firing)"]


def test_a_run_tells_of_a_new_group_at_once():
    w = world(group_wait=HOUR)
    w.fires("pre.network")
    assert len(w.told_now()) == 1


def test_what_ends_while_its_group_waits_is_never_told():
    w = world(group_wait=30, waits=True)
    name = w.fires("pre.network")
    w.told_now()
    w.ends(name)
    assert w.told_now(after=60) == []
    assert w.told == {}
    assert not w.standings[name].owed


def test_news_of_a_group_wait_for_its_interval_and_come_as_one():
    w = world(group_interval=5 * MINUTE)
    first = w.fires("pre.network")
    w.told_now()
    w.fires("pre.storage")
    planned = w.evaluate(after=MINUTE)
    assert planned.notifications == ()
    assert [(held.why, held.until) for held in planned.held] == [
        ("its group was told of lately", w.now + 4 * MINUTE)
    ]
    w.ends(first)
    assert w.told_now(after=MINUTE) == []
    assert w.told_now(after=3 * MINUTE) == ["ops: firing pre.storage, resolved pre.network (1 firing)"]


def test_flapping_within_the_interval_is_one_notification_an_interval():
    w = world(group_interval=5 * MINUTE)
    told = []
    for _ in range(30):
        name = w.fires("pre.network")
        told += w.told_now(after=20)
        w.ends(name)
        told += w.told_now(after=20)
    assert 3 <= len(told) <= 5


def test_a_group_that_is_over_and_forgotten_is_a_new_one():
    w = world(group_interval=5 * MINUTE, group_wait=30, waits=True)
    name = w.fires("pre.network")
    w.evaluate()
    w.evaluate(after=30)
    w.ends(name)
    assert len(w.told_now(after=5 * MINUTE)) == 1
    ((pair, told),) = w.told.items()
    w.told[pair] = replace(told, thread="1700.1")
    w.fires("pre.network")
    assert w.told_now(after=5 * MINUTE) == []
    ((notification, _),) = w.evaluate(after=30).notifications
    assert notification.thread is None


def test_a_thread_goes_on_as_long_as_something_of_the_group_fires():
    w = world()
    first = w.fires("pre.network")
    w.told_now()
    ((pair, told),) = w.told.items()
    w.told[pair] = replace(told, thread="1700.1")
    w.fires("pre.storage")
    ((notification, _),) = w.evaluate().notifications
    assert notification.thread == "1700.1"
    w.ends(first)
    ((notification, _),) = w.evaluate().notifications
    assert notification.thread == "1700.1"


# -- repeat_interval -------------------------------------------------------------------------------------------


def test_what_goes_on_is_told_again_after_the_interval_with_the_same_event_and_another_id():
    w = world(repeat_interval=HOUR)
    w.fires("pre.network")
    ((first, _),) = w.evaluate().notifications
    assert w.told_now(after=HOUR - 1) == []
    ((second, _),) = w.evaluate(after=1).notifications
    ((third, _),) = w.evaluate(after=HOUR).notifications
    assert [n.repeat for n in (first, second, third)] == [False, True, True]
    assert len({n.id for n in (first, second, third)}) == 3
    assert len({n.events[0].id for n in (first, second, third)}) == 1


def test_what_was_acknowledged_is_not_repeated_but_resolved():
    w = world(repeat_interval=HOUR)
    name = w.fires("pre.network")
    w.told_now()
    w.acks(name)
    w.fires("pre.storage")
    w.told_now()
    assert w.told_now(after=HOUR) == ["ops: firing pre.storage again (2 firing)"]
    w.ends(name)
    assert w.told_now() == ["ops: resolved pre.network (1 firing)"]


def test_nothing_is_repeated_while_the_last_notification_is_in_the_outbox_but_news_are_told():
    w = world(repeat_interval=HOUR)
    w.fires("pre.network")
    ((_, group),) = w.evaluate().notifications
    w.queued["ops", group] = 1
    assert w.told_now(after=5 * HOUR) == []
    w.fires("pre.storage")
    assert w.told_now() == ["ops: firing pre.storage (2 firing)"]
    w.queued.clear()
    assert len(w.told_now(after=HOUR)) == 1


def test_a_repeat_never_comes_sooner_than_the_interval_of_the_group():
    w = world(repeat_interval=MINUTE, group_interval=HOUR)
    w.fires("pre.network")
    w.told_now()
    assert w.told_now(after=30 * MINUTE) == []
    assert len(w.told_now(after=30 * MINUTE)) == 1


# -- who is told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipient", "is_told"),
    [
        (Recipient(name="ops", min_severity="high"), True),
        (Recipient(name="ops", min_severity="critical"), False),
        (Recipient(name="ops", match={"team": "d*"}), True),
        (Recipient(name="ops", match={"team": "web"}), False),
        (Recipient(name="ops", match={"gate": "network"}), True),
        (Recipient(name="ops", match={"gate": "post.*"}), False),
        (Recipient(name="ops", match={"subject": "shop", "severity": "high"}), True),
        (Recipient(name="ops", match={"nothing": "?*"}), False),
        (Recipient(name="ops", match={"nothing": "*"}), True),
    ],
)
def test_a_channel_gets_what_it_wants(recipient, is_told):
    w = world(recipient)
    name = w.fires("pre.network", "high", team="db")
    assert bool(w.told_now()) is is_told
    w.ends(name)
    assert bool(w.told_now()) is is_told


def test_a_channel_that_wants_no_ends_gets_none_and_is_owed_none():
    w = world(Recipient(name="ops", resolved=False))
    name = w.fires("pre.network")
    w.told_now()
    w.ends(name)
    assert w.told_now() == []
    assert not w.standings[name].owed
    w.fires("pre.network")
    assert len(w.told_now()) == 1


def test_what_became_milder_than_a_channel_wants_is_still_resolved_there():
    w = world(Recipient(name="ops", min_severity="high"))
    name = w.fires("pre.network", "critical")
    w.told_now()
    w.fires("pre.network", "low")
    assert w.told_now(after=DAY) == []
    w.ends(name)
    assert w.told_now() == ["ops: resolved pre.network (0 firing)"]


def test_a_channel_that_is_new_hears_of_what_fires_but_of_no_ends():
    w = world()
    w.fires("pre.network")
    over = w.fires("pre.storage")
    w.told_now()
    w.ends(over)
    w.recipients.append(Recipient(name="new"))
    assert w.told_now() == ["ops: resolved pre.storage (1 firing)", "new: firing pre.network (1 firing)"]


def test_what_a_channel_knew_is_kept_while_it_is_not_configured_until_it_is_over():
    w = world()
    name = w.fires("pre.network")
    w.told_now()
    w.recipients = []
    assert w.told_now() == []
    w.recipients = [OPS]
    assert w.told_now() == []
    w.recipients = []
    w.ends(name)
    w.told_now()
    assert w.told == {}
    assert not w.standings[name].owed


def test_without_a_channel_nothing_is_owed():
    w = World()
    name = w.fires("pre.network")
    w.ends(name)
    assert w.told_now() == []
    assert not w.standings[name].owed


# -- channels that resend --------------------------------------------------------------------------------------


def test_a_channel_that_resends_gets_all_that_fires_every_time_without_limit_or_cap():
    w = world(Recipient(name="am", resends=True, max_per_hour=1), group_interval=HOUR, listed=1)
    names = [w.fires(f"pre.g{number}", subject=f"s{number}") for number in range(3)]
    assert w.told_now() == ["am: firing pre.g0, firing pre.g1, firing pre.g2 (3 firing)"]
    assert w.told_now(after=1) == ["am: firing pre.g0, firing pre.g1, firing pre.g2 again (3 firing)"]
    w.ends(names[0])
    assert w.told_now(after=1) == ["am: firing pre.g1, firing pre.g2, resolved pre.g0 (2 firing)"]
    assert w.told_now(after=1) == ["am: firing pre.g1, firing pre.g2 again (2 firing)"]
    w.ends(names[1])
    w.ends(names[2])
    assert w.told_now(after=1) == ["am: resolved pre.g1, resolved pre.g2 (0 firing)"]
    assert w.told_now(after=1) == []
    assert len({n.id for _, n, _ in w.sent}) == 5


def test_a_channel_that_resends_and_is_down_gets_only_news_into_its_outbox():
    w = world(Recipient(name="am", resends=True))
    w.fires("pre.network")
    ((_, group),) = w.evaluate().notifications
    w.queued["am", group] = 1
    assert w.told_now(after=HOUR) == []
    w.fires("pre.storage")
    assert len(w.told_now(after=HOUR)) == 1


def test_a_channel_that_has_become_one_that_resends_gets_all_that_fires_and_goes_back():
    w = world()
    name = w.fires("pre.network")
    w.told_now()
    w.recipients = [Recipient(name="ops", resends=True)]
    assert w.told_now() == ["ops: firing pre.network (1 firing)"]
    assert len(w.told) == 1
    w.recipients = [OPS]
    assert w.told_now() == []
    w.ends(name)
    assert w.told_now() == ["ops: resolved pre.network (0 firing)"]


# -- clocks and order ------------------------------------------------------------------------------------------


def test_times_in_the_future_count_from_now():
    w = world(group_interval=HOUR, repeat_interval=2 * HOUR)
    w.fires("pre.network")
    w.told_now()
    w.now -= 400 * DAY
    w.fires("pre.storage")
    assert w.told_now() == []
    assert w.told_now(after=HOUR) == ["ops: firing pre.storage (2 firing)"]
    assert len(w.told_now(after=2 * HOUR)) == 1


def test_a_group_that_waits_since_the_future_waits_from_now():
    w = world(group_wait=30, waits=True)
    w.fires("pre.network")
    w.told_now()
    w.now -= DAY
    assert w.told_now() == []
    assert len(w.told_now(after=30)) == 1


def test_the_same_situation_makes_the_same_plan():
    w = world(group_by=("gate",), escalation=(step(MINUTE, "critical"),))
    for number in range(10):
        w.fires(f"pre.g{number}")
    w.now += HOUR
    assert plan(w.situation()) == plan(w.situation(lambda standings: standings[::-1]))


def test_a_key_that_is_no_group_and_what_nobody_knows_of_are_forgotten():
    w = world()
    w.told["ops", "not JSON"] = Told(
        channel="ops", group="not JSON", first=0, at=0, alerts={"gone": "firing:high:0"}
    )
    assert w.told_now() == []
    w.evaluate()
    assert w.told == {}
