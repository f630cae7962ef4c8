"""What holds of the stages, whatever happens: alerts, silences, intervals, caps, acknowledgements in any order."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from alertworld import DAY, HOUR, MINUTE, World, alerting, inhibit, step
from gatekeeper.alerts.stages import Recipient, active, matches, plan
from gatekeeper.model import SEVERITIES

GATES = ("pre.a", "pre.b", "pre.c", "post.d")
SUBJECTS = ("shop", "blog")

thorough = settings(max_examples=200)  # an example takes some milliseconds

severities = st.sampled_from(SEVERITIES)
spans = st.sampled_from([0.0, 30.0, MINUTE, 5 * MINUTE, 20 * MINUTE, HOUR, 5 * HOUR])
gates = st.sampled_from(GATES)

recipients = st.builds(
    lambda name, least, caps, resolved, match: Recipient(
        name=name, min_severity=least, max_per_hour=caps, resolved=resolved, match=match
    ),
    st.just(""),
    st.sampled_from(["low", "low", *SEVERITIES]),
    st.sampled_from([1, 1, 2, 5, 60]),
    st.booleans(),
    st.sampled_from([{}, {}, {"gate": "pre.*"}, {"subject": "shop"}]),
)

configurations = st.builds(
    alerting,
    group_by=st.sampled_from([("subject",), (), ("gate",), ("gate",), ("subject", "gate"), ("severity",)]),
    group_wait=spans,
    group_interval=st.just(0.0) | spans,
    repeat_interval=st.sampled_from([20 * MINUTE, HOUR, 4 * HOUR]),
    listed=st.sampled_from([1, 3, 20]),
    escalation=st.sampled_from(
        [(), (step(10 * MINUTE, "critical"),), (step(MINUTE, None, ["c0"]), step(HOUR, "critical", ["c1"]))]
    ),
    inhibit=st.sampled_from(
        [
            (),
            (inhibit("pre.a", "pre.*"),),
            (inhibit("*", "*"),),
            (inhibit("pre.a", "pre.b"), inhibit("pre.b", "pre.c", ()), inhibit("pre.c", "pre.a", ())),
        ]
    ),
)

quiet_options = st.fixed_dictionaries(
    {},
    optional={
        "gate": st.sampled_from(["pre.*", "pre.a", "post.d"]),
        "subject": st.sampled_from(SUBJECTS),
        "labels": st.sampled_from([{"severity": "high"}, {"gate": "pre.b"}]),
        "repeat": st.sampled_from(["FREQ=HOURLY", "FREQ=DAILY", "FREQ=MINUTELY;INTERVAL=30"]),
    },
)

happenings = st.one_of(
    *[st.tuples(st.just("fires"), gates, st.sampled_from(SUBJECTS), severities)] * 4,
    st.tuples(st.just("ends"), st.integers(0, 7)),
    st.tuples(st.just("ends"), st.integers(0, 7)),
    st.tuples(st.just("acks"), st.integers(0, 7)),
    st.tuples(st.just("silence"), spans.filter(bool), quiet_options),
    st.tuples(st.just("delivery"), st.booleans()),
)
histories = st.lists(st.tuples(st.lists(happenings, min_size=1, max_size=4), spans), min_size=4, max_size=12)


@st.composite
def worlds(draw, waits=None):
    """A world that nothing has happened in."""
    channels = draw(st.lists(recipients, min_size=1, max_size=3))
    named = [
        Recipient(
            name=f"c{i}", min_severity=c.min_severity, max_per_hour=c.max_per_hour, resolved=c.resolved, match=c.match
        )
        for i, c in enumerate(channels)
    ]  # fmt: skip
    if draw(st.booleans()):
        named.append(Recipient(name="am", resends=True))
    return World(
        *named,
        settings=draw(configurations),
        parents=draw(st.sampled_from([{}, {"post.d": ["pre.a"]}, {"pre.a": ["pre.b"], "pre.b": ["pre.c"]}])),
        waits=draw(st.booleans()) if waits is None else waits,
    )


def happen(world, what):
    kind, *rest = what
    if kind == "fires":
        gate, subject, severity = rest
        world.fires(gate, severity, subject=subject)
    elif kind == "silence":
        world.silence(rest[0], **rest[1])
    elif kind == "delivery":  # the outbox of every group is stuck, or empty
        world.queued = dict.fromkeys(world.told, 1) if rest[0] else {}
    elif world.standings:
        names = sorted(world.standings)
        getattr(world, kind)(names[rest[0] % len(names)])


def live(world, history):
    """Whatever is in a history, with an evaluation after each part; yields what each planned."""
    for happened, passes in history:
        for what in happened:
            happen(world, what)
        yield world.evaluate(after=passes)


@thorough
@given(worlds(), histories, gates, severities)
def test_an_alert_that_goes_on_firing_reaches_every_channel_it_is_for(world, history, gate, severity):
    for _ in live(world, history):
        pass
    name = world.fires(gate, severity, subject="shop")
    world.quiets.clear()
    for _ in range(12):
        world.evaluate(after=HOUR)
    alert = world.standings[name].alert
    for recipient in world.recipients:
        assert knows(world, recipient, alert) or not_for(world, recipient, world.standings[name])


def knows(world, recipient, alert):
    return any(
        alert.fingerprint in told.alerts
        for (channel, _), told in world.told.items()
        if channel == recipient.name
    )


def not_for(world, recipient, standing):
    """Whether a channel need not know of an alert: it is for others, or follows from one that the channel knows."""
    alert = standing.alert
    if SEVERITIES.index(alert.severity) < SEVERITIES.index(recipient.min_severity):
        return True
    if any(not alert.gate.startswith("pre.") for pattern in recipient.match.values() if pattern == "pre.*"):
        return True
    steps = [s for s in world.settings.escalation if recipient.name in s.channels]
    named = sorted(world.settings.escalation, key=lambda s: s.after)
    if steps and not any(named.index(s) < standing.level for s in steps):
        return True
    held = [held for held in plan(world.situation()).held if held.fingerprint == alert.fingerprint]
    causes = [held.why.removeprefix("inhibited by ") for held in held if held.channel == recipient.name]
    firing = [s.alert for s in world.standings.values() if s.alert.state == "firing"]
    told = [each for each in firing if knows(world, recipient, each)]
    return bool(causes and told)


@thorough
@given(worlds(), histories)
def test_nothing_is_told_of_an_alert_while_it_is_quiet(world, history):
    for planned in live(world, history):
        for notification, _ in planned.notifications:
            for event in notification.events:
                quiet = [q for q in world.quiets if active(q, world.now) and matches(q, event.alert)]
                assert not quiet, (quiet, event)


@thorough
@given(worlds(), histories)
def test_a_channel_gets_no_more_than_one_notification_of_a_group_within_the_interval(world, history):
    grouping = {recipient.name for recipient in world.recipients if not recipient.resends}
    last = {}
    for planned in live(world, history):
        for notification, group in planned.notifications:
            if notification.channel in grouping and group:
                pair = notification.channel, group
                assert world.now - last.get(pair, -DAY * 365) >= world.settings.group_interval
                last[pair] = world.now


@thorough
@given(worlds(), histories)
def test_an_end_is_told_once_and_only_where_the_beginning_was(world, history):
    world.settings = replace(world.settings, listed=1_000)
    firing = set()
    for planned in [*live(world, history), *ending(world)]:
        for notification, _ in planned.notifications:
            for event in notification.events:
                pair = notification.channel, event.alert.fingerprint
                if event.kind == "resolved":
                    assert pair in firing
                    firing.remove(pair)
                else:
                    firing.add(pair)
    deaf = {recipient.name for recipient in world.recipients if not recipient.resolved}
    assert {channel for channel, _ in firing} <= deaf


def ending(world):
    """Every alert ends, silences do, and time passes."""
    world.quiets.clear()
    for name in world.standings:
        world.ends(name)
    for _ in range(12):
        yield world.evaluate(after=6 * HOUR)


@thorough
@given(worlds(), histories, histories)
def test_whatever_happens_in_a_silence_of_everything_is_told_after_it_if_it_still_is_so(
    world, before, during
):
    for _ in live(world, before):
        pass
    world.silence(400 * DAY)
    assert not [planned.notifications for planned in live(world, during) if planned.notifications]
    world.quiets.clear()
    for _ in range(12):
        world.evaluate(after=6 * HOUR)
    firing = {name for name, standing in world.standings.items() if standing.alert.state == "firing"}
    for (channel, _), told in world.told.items():
        assert set(told.alerts) <= firing, channel


@thorough
@given(worlds(), histories)
def test_no_event_is_told_twice_but_as_a_repeat_after_the_interval(world, history):
    grouping = {recipient.name for recipient in world.recipients if not recipient.resends}
    told = {}
    for planned in live(world, history):
        for notification, _ in planned.notifications:
            if notification.channel not in grouping:
                continue
            for event in notification.events:
                pair = notification.channel, event.id
                if pair in told:
                    assert notification.repeat, event
                    assert world.now - told[pair] >= world.settings.repeat_interval
                told[pair] = world.now


@thorough
@given(worlds(), histories)
def test_an_id_stands_for_one_notification(world, history):
    by_id = {}
    for planned in live(world, history):
        for notification, group in planned.notifications:
            says = (group, [event.id for event in notification.events], notification.firing)
            assert by_id.setdefault(notification.id, says) == says


@thorough
@given(worlds(), histories)
def test_what_a_cap_lets_through_beyond_its_number_is_critical(world, history):
    caps = {recipient.name: recipient.max_per_hour for recipient in world.recipients if not recipient.resends}
    for _ in live(world, history):
        for channel, most in caps.items():
            lately = [n for at, n, _ in world.sent if n.channel == channel and at > world.now - HOUR]
            assert len([n for n in lately if not any(map(fires_critically, n.events))]) <= most


def fires_critically(event):
    return event.kind != "resolved" and event.alert.severity == "critical"


@thorough
@given(worlds(waits=False), histories)
def test_a_critical_alert_is_told_at_once_whatever_the_cap(world, history):
    for _ in live(world, history):
        pass
    world.quiets.clear()
    world.settings = alerting(group_by=("subject",))
    world.parents = {}
    world.evaluate()
    name = world.fires("pre.new", "critical", subject="another")
    world.evaluate()
    for recipient in world.recipients:
        if all(key != "subject" for key in recipient.match):
            assert knows(world, recipient, world.standings[name].alert)


@thorough
@given(worlds(), histories, st.sampled_from([-HOUR, -DAY, -400 * DAY, 400 * DAY]))
def test_a_clock_that_jumps_silences_nobody_for_good(world, history, jump):
    for _ in live(world, history):
        pass
    world.quiets.clear()
    world.queued.clear()
    world.settings = alerting(repeat_interval=4 * HOUR, group_interval=HOUR)
    world.parents = {}
    name = world.fires("pre.new", subject="another")
    world.evaluate()
    world.now += jump
    for _ in range(12):
        world.evaluate(after=HOUR)
    sent = len(world.sent)
    alert = world.standings[name].alert
    for _ in range(12):
        world.evaluate(after=HOUR)
    repeated = [n for _, n, _ in world.sent[sent:] for event in n.events if event.alert.gate == "pre.new"]
    channels = {n.channel for n in repeated}
    assert channels >= {r.name for r in world.recipients if knows(world, r, alert)}


@thorough
@given(worlds(), histories, st.randoms(use_true_random=False))
def test_the_order_of_alerts_does_not_matter(world, history, chance):
    for _ in live(world, history):
        pass
    world.now += MINUTE

    def shuffled(standings):
        return chance.sample(standings, len(standings))

    assert plan(world.situation(shuffled)) == plan(world.situation()) == plan(world.situation(shuffled))


@thorough
@given(worlds(), histories)
def test_what_is_over_and_known_to_be_is_owed_to_nobody(world, history):
    for _ in live(world, history):
        pass
    for _ in ending(world):
        pass
    assert not [standing for standing in world.standings.values() if standing.owed]
    assert not [told for told in world.told.values() if told.alerts]
    assert world.evaluate(after=DAY).notifications == ()


@thorough
@given(worlds(), histories)
def test_the_count_of_what_fires_is_what_the_channel_takes_to_be_firing(world, history):
    for planned in live(world, history):
        for notification, group in planned.notifications:
            told = world.told.get((notification.channel, group))
            if group:
                assert notification.firing == len(told.alerts)
            assert notification.resolved == (not notification.firing)
            assert notification.more + len(notification.events) > 0


def test_the_cost_is_linear_in_the_number_of_alerts():
    """Counted in calls, which no other work on the machine changes."""
    calls = [_calls(number) for number in (500, 1_000, 2_000)]
    assert calls[1] <= 2.2 * calls[0]
    assert calls[2] <= 2.2 * calls[1]


def _calls(number):
    import sys

    world = World(
        Recipient(name="ops"),
        Recipient(name="am", resends=True),
        settings=alerting(
            group_by=("gate",), escalation=(step(60, "critical"),), inhibit=(inhibit("*", "*", ("team",)),)
        ),
        parents={"pre.g1": ["pre.g2"]},
    )
    for each in range(number):
        world.fires(f"pre.g{each % 50}", finding=str(each), team=str(each % 7))
    counted = 0

    def count(frame, event, argument):
        nonlocal counted
        counted += event == "call"

    situation = world.situation()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        plan(situation)
    finally:
        sys.setprofile(before)
    return counted
