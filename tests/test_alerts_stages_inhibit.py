"""Inhibition: one alert for a root cause, and never none."""

from itertools import pairwise

import pytest

from alertworld import HOUR, World, alerting, inhibit, step
from gatekeeper.alerts.stages import Recipient

NEEDS = {"post.outputs": ["pre.network"], "pre.network": ["pre.resources"]}


def world(*recipients, **options):
    parents = options.pop("parents", {})
    return World(*(recipients or (Recipient(name="ops"),)), settings=alerting(**options), parents=parents)


def test_what_needs_a_gate_that_fails_is_quiet_until_that_is_over():
    w = world(parents=NEEDS)
    root = w.fires("pre.resources")
    w.fires("post.outputs")
    w.fires("pre.network")
    w.fires("pre.storage")
    assert w.told_now() == ["ops: firing pre.resources, firing pre.storage (2 firing)"]
    w.ends(root)
    assert w.told_now() == ["ops: firing pre.network, resolved pre.resources (2 firing)"]


def test_a_need_of_another_subject_keeps_nothing_quiet():
    w = world(parents=NEEDS)
    w.fires("pre.network", subject="blog")
    w.fires("post.outputs", subject="shop")
    assert len(w.told_now()) == 2


def test_a_parametrized_gate_keeps_quiet_what_needs_it():
    w = world(parents={"post.outputs": ["pre.network"]})
    w.fires("pre.network[db]")
    w.fires("post.outputs[orders]")
    assert w.told_now() == ["ops: firing pre.network[db] (1 firing)"]


def test_needs_in_a_circle_end():
    w = world(parents={"pre.a": ["pre.b"], "pre.b": ["pre.a"]})
    w.fires("pre.a")
    w.fires("pre.b", "critical")
    assert w.told_now() == ["ops: firing pre.b (1 firing)"]


@pytest.mark.parametrize(
    ("same", "cause", "effect", "is_told"),
    [
        ((), {}, {}, False),
        (("subject",), {"subject": "shop"}, {"subject": "shop"}, False),
        (("subject",), {"subject": "shop"}, {"subject": "blog"}, True),
        (("zone",), {"zone": "eu"}, {"zone": "eu"}, False),
        (("zone",), {"zone": "eu"}, {"zone": "us"}, True),
        (("zone",), {"zone": "eu"}, {}, True),
        (("zone",), {}, {}, False),
        (("zone", "subject"), {"zone": "eu"}, {"zone": "eu", "subject": "blog"}, True),
    ],
)
def test_a_rule_is_about_alerts_that_have_labels_in_common(same, cause, effect, is_told):
    w = world(inhibit=(inhibit("pre.network", "post.*", same),), group_by=())
    w.fires("pre.network", **cause)
    w.fires("post.outputs", **effect)
    both = "ops: firing post.outputs, firing pre.network (2 firing)"
    assert w.told_now() == [both if is_told else "ops: firing pre.network (1 firing)"]


def test_of_a_circle_the_one_that_fired_first_is_told():
    rules = (inhibit("pre.a", "pre.b"), inhibit("pre.b", "pre.c"), inhibit("pre.c", "pre.a"))
    w = world(inhibit=rules)
    first = w.fires("pre.b")
    w.told_now()
    w.now += 60
    w.fires("pre.a", "critical")
    w.fires("pre.c", "critical")
    assert w.told_now() == []
    w.ends(first)
    told = w.told_now()
    assert len(told) == 1
    assert told[0].count("firing pre.") == 1


def test_everything_that_keeps_everything_quiet_leaves_one():
    w = world(inhibit=(inhibit("*", "*"),))
    for number in range(20):
        w.fires(f"pre.g{number}")
    w.fires("pre.worst", "critical")
    assert w.told_now() == ["ops: firing pre.worst (1 firing)"]
    assert len(w.evaluate().held) == 20


def test_an_alert_does_not_keep_itself_quiet():
    w = world(inhibit=(inhibit("pre.*", "pre.network", ()),))
    w.fires("pre.network")
    assert w.told_now() == ["ops: firing pre.network (1 firing)"]


def test_what_is_inhibited_keeps_others_quiet_and_a_long_chain_is_no_trouble():
    gates = [f"pre.g{number:04}" for number in range(400)]
    w = world(inhibit=tuple(inhibit(a, b) for a, b in pairwise(gates[:51])),
              parents={b: [a] for a, b in pairwise(gates[50:])})  # fmt: skip
    for gate in gates:
        w.fires(gate)
    assert w.told_now() == [f"ops: firing {gates[0]} (1 firing)"]


def test_a_silenced_cause_keeps_its_consequences_quiet():
    w = world(parents=NEEDS)
    w.silence(HOUR, gate="pre.network")
    w.fires("pre.network")
    w.fires("post.outputs")
    assert w.told_now() == []


def test_a_channel_that_does_not_hear_of_the_cause_hears_of_the_consequence():
    pager = Recipient(name="pager", min_severity="critical")
    w = world(Recipient(name="ops"), pager, parents=NEEDS)
    w.fires("pre.network", "medium")
    w.fires("post.outputs", "critical")
    assert w.told_now() == ["ops: firing pre.network (1 firing)", "pager: firing post.outputs (1 firing)"]


def test_the_end_of_what_was_told_is_told_though_its_cause_fires_by_now():
    w = world(parents=NEEDS)
    child = w.fires("post.outputs")
    w.told_now()
    w.fires("pre.network")
    w.told_now()
    w.ends(child)
    assert w.told_now() == ["ops: resolved post.outputs (1 firing)"]


def test_what_is_inhibited_is_not_repeated_and_does_not_escalate():
    w = world(parents=NEEDS, escalation=(step(60, "critical"),), repeat_interval=HOUR)
    child = w.fires("post.outputs")
    w.told_now()
    w.acks(w.fires("pre.network"))
    w.told_now()
    assert w.told_now(after=2 * HOUR) == []
    assert w.standings[child].level == 0


def test_why_an_alert_is_held_back_names_the_cause():
    w = world(parents=NEEDS)
    w.fires("pre.network")
    child = w.fires("post.outputs")
    (held,) = w.evaluate().held
    assert (held.fingerprint, held.channel, held.why) == (child, "ops", "inhibited by pre.network")
