"""What a store keeps of alerts: together with the run or not at all, once, and for one owner at a time."""

from zlib import crc32

import pytest
from msgspec.structs import replace

from gatekeeper.channels.events import Alert, AlertEvent
from gatekeeper.store import StoreError, open_store, spill
from gatekeeper.store.alerting import NotJudged, Work
from gatekeeper.store.standing import Delivery, Quiet, Standing, Told
from runs import result, run

DAY = 86_400.0


def alert(gate="pre.disk", subject="checkout", **options):
    fingerprint = options.pop("fingerprint", f"{crc32((gate + subject).encode()):032x}")
    return Alert(
        fingerprint=fingerprint, gate=gate, subject=subject, severity="high", since="2026-11-21T00:00:00Z", run="r", **options
    )  # fmt: skip


def standing(gate="pre.disk", changed=1.0, owed=True, **options):
    return Standing(alert=alert(gate, **options), began=1.0, fired=1.0, changed=changed, owed=owed)


def event(number, **options):
    return AlertEvent(
        id=f"e{number}", kind="firing", time="2026-11-21T00:00:00Z", run="r", alert=alert(**options)
    )


def delivery(name="n1", **options):
    given = {"channel": "ops", "group": name, "created": 1.0, "due": 1.0, "document": b'{"a":"\\u0000"}'}
    return Delivery(id=name, **(given | options))


def put_and_raise(within, store, error):
    with within:
        store.put_standings([standing()])
        raise error


def queued(store, *deliveries):
    with store.changing():
        store.queue(deliveries)


def states(store):
    return {each.id: each.state for each in store.deliveries()}


# -- what is kept ----------------------------------------------------------------------------------------------


def test_nothing_to_do_is_known_of_an_empty_store(store):
    assert store.work() == Work(standing=False, unjudged=False, queued=False)
    assert not store.work()


def test_what_there_is_to_do_is_told_apart(store):
    store.write(run(1))
    assert store.work() == Work(standing=False, unjudged=True, queued=False)
    with store.changing():
        store.judged(number for number, _ in store.unjudged())
        store.put_standings([standing()])
    assert store.work() == Work(standing=True, unjudged=False, queued=False)
    with store.changing():
        store.put_standings([standing(owed=False)])
        store.queue([delivery()])
    assert store.work() == Work(standing=False, unjudged=False, queued=True)


def test_alerts_are_kept_by_fingerprint_and_the_newest_state_counts(store):
    kept = standing(labels={"team": "ä\0\u2028"}, value=1e300, summary="x" * 5000)
    with store.changing():
        store.put_standings([kept, standing("pre.cpu", changed=2.0), standing(subject="other")])
        store.put_standings([replace(kept, changed=3.0, level=2)])
    assert store.standings("checkout") == [
        replace(kept, changed=3.0, level=2),
        standing("pre.cpu", changed=2.0),
    ]
    assert len(store.standings()) == 3
    with store.changing():
        store.put_standings([replace(kept, owed=False)])
        store.drop_standings([standing(subject="other").alert.fingerprint])
    assert store.standings() == [standing("pre.cpu", changed=2.0)]
    assert len(store.standings(owed=False)) == 2


def test_an_alert_is_found_by_the_beginning_of_its_fingerprint(store):
    with store.changing():
        store.put_standings([standing(fingerprint="ab" * 16), standing(fingerprint="ac" * 16)])
    assert [s.alert.fingerprint for s in store.standing("ab")] == ["ab" * 16]
    assert len(store.standing("a")) == 2
    assert store.standing("abc") == []


def test_events_are_kept_once_and_listed_newest_first(store):
    with store.changing():
        store.add_events([event(1), event(2, gate="pre.cpu"), event(3, subject="other")], 5.0)
        store.add_events([replace(event(1), kind="resolved"), event(4)], 6.0)
    assert [e.id for e in store.events()] == ["e4", "e3", "e2", "e1"]
    assert store.events(gate="pre.disk", subject="checkout") == [event(4), event(1)]
    assert [e.id for e in store.events(fingerprint=event(2, gate="pre.cpu").alert.fingerprint)] == ["e2"]
    assert [e.id for e in store.events(limit=1)] == ["e4"]


def test_what_channels_were_told_is_kept_by_channel_and_group(store):
    told = Told(channel="ops", group="subject=checkout", first=1.0, at=2.0, alerts={"ab": "firing:high:0"})
    with store.changing():
        store.put_told([told, replace(told, group="other")])
        store.put_told([replace(told, at=3.0)])
        store.drop_told([("ops", "other"), ("ops", "never was")])
    assert store.told() == [replace(told, at=3.0)]


def test_silences_are_found_until_they_end_and_recurring_ones_for_good(store):
    once = Quiet(id="q1", starts=0.0, ends=10.0, gate="pre.*", reason="swap\0disks")
    weekly = Quiet(id="q2", kind="maintenance", starts=5.0, ends=6.0, repeat="FREQ=WEEKLY")
    until = Quiet(id="q3", kind="maintenance", starts=7.0, ends=8.0, repeat="FREQ=DAILY", until=100.0)
    with store.changing():
        for quiet in (once, weekly, until):
            store.put_quiet(quiet)
    assert store.quiets(ended_after=9.0) == [once, weekly, until]
    assert store.quiets(ended_after=10.0) == [weekly, until]
    assert store.quiets("maintenance", ended_after=100.0) == [weekly]
    with store.changing():
        store.put_quiet(replace(weekly, repeat="", ends=50.0))
    assert store.quiets(ended_after=50.0) == [until]


def test_evidence_is_what_was_measured_since_a_moment_oldest_first(store):
    for number, started in enumerate(
        ["2026-11-21T10:00:00Z", "2026-11-21T10:00:30Z", "2026-11-21T10:01:00Z"]
    ):
        store.write(run(number, result("pre.disk", free=number), started=started))
    store.write(run(9, result("pre.disk", free=9), started="2026-11-21T10:00:45Z", subject="other"))
    found = store.evidence("checkout", "pre.disk", "free", 1_795_255_230.0)
    assert [(e.value, e.unit, e.run) for e in found] == [(1.0, "s", run(1).id), (2.0, "s", run(2).id)]
    assert store.findings_of("pre.disk") == ["free"]


# -- judged with the run, or not at all ------------------------------------------------------------------------


def test_a_judge_is_given_each_run_once_with_those_that_nobody_judged(store, tmp_path):
    seen = []
    store.write(run(1))
    spill(tmp_path / ".gatekeeper", run(2))
    store.write(run(3), None, lambda store, runs: seen.append([each.id for each in runs]))
    store.write(run(3), None, lambda store, runs: seen.append("again"))
    assert seen == [[run(1).id, run(2).id, run(3).id]]
    assert store.unjudged() == []


def test_what_a_judge_changes_is_recorded_together_with_the_run(store, stored):
    store.write(run(1), None, lambda store, runs: store.put_standings([standing()]))
    with stored() as other:
        assert [row.id for row in other.runs()] == [run(1).id]
        assert other.standings() == [standing()]


def test_a_judge_that_raises_undoes_the_run_too(store, stored):
    def broken(store, runs):
        store.put_standings([standing()])
        raise FileNotFoundError("a template is missing")

    with pytest.raises(FileNotFoundError, match="a template is missing"):
        store.write(run(1), None, broken)
    with stored() as other:
        assert (other.runs(), other.standings(), other.unjudged()) == ([], [], [])
    assert store.write(run(1)).recorded


def test_runs_that_could_not_be_judged_are_recorded_and_wait(store):
    def later(store, runs):
        raise NotJudged

    assert store.write(run(1), None, later).recorded
    seen = []
    store.write(run(2), None, lambda store, runs: seen.extend(each.id for each in runs))
    assert seen == [run(1).id, run(2).id]


def test_an_attempt_that_raises_is_undone_alone(store):
    def judge(store, runs):
        store.put_standings([standing("pre.cpu")])
        with pytest.raises(ZeroDivisionError):
            put_and_raise(store.attempt(), store, ZeroDivisionError)
        with pytest.raises(StoreError), store.attempt():
            store._change("UPDATE nowhere SET x = 1")

    store.write(run(1), None, judge)
    assert store.standings() == [standing("pre.cpu")]
    assert store.unjudged() == []


def test_a_transaction_that_raises_changes_nothing(store):
    with pytest.raises(KeyboardInterrupt):
        put_and_raise(store.changing(), store, KeyboardInterrupt)
    assert store.standings() == []


def test_two_transactions_do_not_mix(stored):
    with stored() as store, stored() as other, store.changing():
        store.put_standings([standing()])
        assert other.standings() == []


# -- the outbox ------------------------------------------------------------------------------------------------


def test_a_notification_is_queued_once_and_kept_byte_for_byte(store):
    queued(store, delivery())
    queued(store, delivery(document=b"another"))
    assert store.deliveries() == [delivery()]


def test_what_one_owner_has_claimed_no_other_gets(store, stored):
    queued(store, delivery("n1"), delivery("n2"))
    with stored() as other:
        assert [d.id for d in store.claim("a", 10.0, 60.0, channel="ops")] == ["n1"]
        assert [d.id for d in other.claim("b", 10.0, 60.0, channel="ops", limit=9)] == ["n2"]
        assert other.claim("b", 10.0, 60.0, channel="ops", limit=9) == []
        assert other.claim("b", 10.0, 60.0, channel="mail") == []


def test_a_lease_that_ended_leaves_the_notification_to_the_next(store, stored):
    queued(store, delivery())
    [first] = store.claim("a", 10.0, 60.0, channel="ops")
    with stored() as other:
        assert other.claim("b", 69.0, 60.0, channel="ops") == []
        [second] = other.claim("b", 70.0, 60.0, channel="ops")
        assert second == first
        assert not store.settle(replace(first, attempts=1, due=99.0, why="late"), "a")
        assert other.settle(replace(second, attempts=1, due=80.0, why="no answer"), "b")
    assert store.deliveries() == [delivery(attempts=1, due=80.0, why="no answer")]


def test_what_was_delivered_is_never_tried_again(store):
    queued(store, delivery())
    [claimed] = store.claim("a", 10.0, 60.0, channel="ops")
    assert store.settle(replace(claimed, state="delivered", attempts=1, done=11.0, ref="t1"), "a")
    assert not store.settle(replace(claimed, state="queued"), "a")
    assert store.claim("b", 1000.0, 60.0, channel="ops", due=False) == []
    assert states(store) == {"n1": "delivered"}


def test_a_notification_is_not_claimed_before_its_time_unless_asked(store):
    queued(store, delivery(due=100.0))
    assert store.claim("a", 10.0, 60.0, channel="ops") == []
    assert len(store.claim("a", 10.0, 60.0, channel="ops", due=False)) == 1


def test_the_outbox_is_listed_by_state_channel_and_time(store):
    queued(store, delivery("n1"), delivery("n2", created=2.0, channel="mail"), delivery("n3", created=3.0))
    assert [d.id for d in store.deliveries()] == ["n3", "n2", "n1"]
    assert [d.id for d in store.deliveries(channel="ops", since=2.0)] == ["n3"]
    assert store.deliveries(state="delivered") == []


def test_a_channel_is_ended_and_brought_back(store):
    store.disable("ops", "410 Gone", 5.0)
    assert store.disabled() == {"ops": "410 Gone"}
    store.disable("ops", None, 6.0)
    assert store.disabled() == {}


# -- for how long ----------------------------------------------------------------------------------------------


def test_what_is_over_goes_with_the_old_runs_and_what_is_not_stays(store):
    now = 1_795_000_000.0
    old, young = now - 40 * DAY, now - DAY
    with store.changing():
        store.add_events([event(1)], old)
        store.add_events([event(2)], young)
        store.put_standings(
            [standing("pre.a", old, owed=False), standing("pre.b", old), standing("pre.c", young, owed=False)]
        )
        store.queue(
            [delivery("old", created=old), delivery("waits", created=old), delivery("young", created=young)]
        )
        store.put_quiet(Quiet(id="q1", starts=0.0, ends=old))
        store.put_quiet(Quiet(id="q2", starts=0.0, ends=now + 1))
    for name, done in (("old", old), ("young", young)):
        [claimed] = [d for d in store.claim("a", now, 1.0, channel="ops", limit=9) if d.id == name]
        store.settle(replace(claimed, state="delivered", done=done), "a")
        with store.changing():
            store._change("UPDATE deliveries SET lease = 0")
    assert store.prune(30 * DAY, now=now, dry_run=True).alerts == 4
    assert len(store.events()) == 2
    assert store.prune(30 * DAY, now=now).alerts == 4
    assert [e.id for e in store.events()] == ["e2"]
    assert sorted(s.alert.gate for s in store.standings(owed=False)) == ["pre.b", "pre.c"]
    assert states(store) == {"waits": "queued", "young": "delivered"}
    assert [quiet.id for quiet in store.quiets()] == ["q2"]


def test_removed_runs_wait_for_no_judge(store):
    store.write(run(1, started="2020-01-01T00:00:00Z"))
    store.write(run(2, started="2020-01-02T00:00:00Z"))
    store.prune(DAY, keep_last=1)
    assert [number_and_run[1].id for number_and_run in store.unjudged()] == [run(2).id]
    assert store._rows("SELECT count(*) FROM unjudged", ())[0][0] == 1


def test_a_record_of_alerts_that_is_damaged_is_said(store):
    with store.changing():
        store.put_standings([standing()])
        store._change("UPDATE alerts SET document = ?", (b'{"alert": ',))
    with pytest.raises(StoreError, match=r"a record of alerts \(Standing\) is damaged"):
        store.standings()


def test_a_reader_changes_nothing(url, store):
    with open_store(url, create=False, read_only=True) as reader:
        with pytest.raises(StoreError, match="read-only"):
            reader.write(run(1))
        assert reader.runs() == []


def test_the_outbox_is_counted_by_group_and_by_time(store):
    queued(
        store,
        delivery("n1", group="g"),
        delivery("n2", group="g", created=3.0),
        delivery("n3", group="h", created=2.0, state="delivered"),
        delivery("n4", channel="other", created=5.0),
    )
    assert store.undelivered() == {("ops", "g"): 2, ("other", "n4"): 1}
    assert store.queued_since(2.0) == {"ops": [2.0, 3.0], "other": [5.0]}
