"""Deliveries: each at least once, in order, within the grace time, and no channel in another's way."""

import _thread
import math
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.alerts.delivery import backoff
from gatekeeper.alerts.delivery.deliver import Sent, Terminal, deliver, sentence, try_once
from gatekeeper.channels import ChannelContext, Delivered, Notification, Refused, TryAgain
from gatekeeper.errors import GatekeeperError
from gatekeeper.net import ProbeError, http
from gatekeeper.store.alerting import LONGEST_WAIT
from gatekeeper.store.memory import MemoryStore
from gatekeeper.store.sqlite import SqliteStore
from gatekeeper.store.standing import Delivery, Told
from loopback import Server, answering, flooding, hanging, resetting, response, trickling
from outboxes import channel, delivery, notification, queue, store

GRACE = 20.0
"""Seconds; no test takes as long."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "BASE", 0.001)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SqliteStore]:
    with store(tmp_path) as opened:
        yield opened


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What channels hang on; set at the end, so that their threads end."""
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name.startswith("channel "):
            thread.join(5)


def only(outbox: SqliteStore, *configured: Any, grace: float = GRACE, **more: Any) -> Sent:
    (sent,) = deliver(outbox, configured, grace=grace, **more)
    return sent


def record(outbox: SqliteStore, identity: str = "n1") -> Delivery:
    return next(found for found in outbox.deliveries() if found.id == identity)


def ids(seen: list[Notification]) -> list[str]:
    return [each.id for each in seen]


# -- what is delivered -------------------------------------------------------------------------------------------------


def test_an_empty_outbox_is_nothing_to_do(outbox: SqliteStore) -> None:
    assert deliver(outbox, [channel()], grace=GRACE) == []


def test_what_is_queued_is_delivered_once_and_recorded(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"), delivery("n2", group="other"))
    seen: list[Notification] = []
    sent = only(outbox, channel(seen=seen))
    assert (sent.delivered, sent.queued, sent.refused, sent.why) == (2, 0, 0, "")
    assert seen == [notification("n1"), notification("n2")]
    assert deliver(outbox, [channel(seen=seen)], grace=GRACE) == []
    found = record(outbox)
    assert (found.state, found.attempts, found.why) == ("delivered", 1, "")
    assert found.done is not None


def test_each_channel_gets_its_own(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"), delivery("n2", "chat"))
    ops: list[Notification] = []
    chat: list[Notification] = []
    sent = deliver(outbox, [channel(seen=ops), channel("chat", seen=chat)], grace=GRACE)
    assert [(each.channel, each.delivered) for each in sent] == [("ops", 1), ("chat", 1)]
    assert (ids(ops), ids(chat)) == (["n1"], ["n2"])


def test_a_group_stays_in_order_also_when_its_first_fails(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n2"), delivery("n1"), delivery("n0"))
    seen: list[Notification] = []
    only(outbox, channel("ops", TryAgain("busy"), Delivered(), seen=seen, attempts=3))
    assert ids(seen) == ["n2", "n2", "n1", "n0"]


def test_a_group_whose_first_waits_is_not_overtaken_by_its_second(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    only(outbox, channel("ops", TryAgain("busy", after=600)))
    queue(outbox, delivery("n2"))
    seen: list[Notification] = []
    assert only(outbox, channel(seen=seen)).queued == 2
    assert seen == []


def test_a_notification_that_never_succeeds_keeps_other_groups_from_nothing(outbox: SqliteStore) -> None:
    def picky(given: Notification) -> Any:
        return TryAgain("HTTP 500") if given.id == "poison" else Delivered()

    queue(outbox, delivery("poison", group="p"), *(delivery(f"n{i}", group=f"g{i}") for i in range(5)))
    for _ in range(2):
        only(outbox, channel("ops", picky, attempts=1), force=True)
    assert [found.id for found in outbox.deliveries(state="queued")] == ["poison"]


def test_the_thread_that_a_channel_gave_goes_with_the_groups_next(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"), delivery("n2"), delivery("n3"), delivery("x", group="other"))
    with outbox.changing():
        outbox.put_told(
            [Told(channel="ops", group="g", first=0.0), Told(channel="ops", group="other", first=0.0)]
        )
    seen: list[Notification] = []
    refs = iter(["first", "second", "third", "of another"])
    only(outbox, channel("ops", lambda given: Delivered(ref=next(refs)), seen=seen))
    assert {each.id: each.thread for each in seen} == {"n1": None, "n2": "first", "n3": "first", "x": None}


def test_a_ref_of_a_group_that_is_forgotten_is_kept_with_the_delivery(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    only(outbox, channel("ops", Delivered(ref="1700000000.1")))
    assert record(outbox).ref == "1700000000.1"


# -- what fails --------------------------------------------------------------------------------------------------------


def test_after_the_runs_attempts_it_stays_queued_and_is_said(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    seen: list[Notification] = []
    sent = only(outbox, channel("ops", TryAgain("HTTP 503"), seen=seen, attempts=3))
    assert sentence(sent) == "ops NOT sent: HTTP 503, queued"
    assert seen == [notification("n1")] * 3
    found = record(outbox)
    assert (found.state, found.attempts, found.why, found.done) == ("queued", 3, "HTTP 503", None)
    assert found.due > found.created


def test_what_a_later_run_delivers_has_the_same_id_and_content(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    seen: list[Notification] = []
    only(outbox, channel("ops", TryAgain("HTTP 503"), seen=seen, attempts=2))
    sent = only(outbox, channel(seen=seen), now=lambda: time.time() + 60)
    assert sentence(sent) == "ops: 1 sent"
    assert seen == [notification("n1")] * 3


def test_a_wait_that_was_asked_for_is_kept_by_later_runs_and_said(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    seen: list[Notification] = []
    only(outbox, channel("ops", TryAgain("HTTP 429", after=600), seen=seen))
    assert len(seen) == 1
    assert 590 < record(outbox).due - time.time() <= 600
    again = only(outbox, channel(seen=seen))
    assert (len(seen), again.queued) == (1, 1)
    assert again.why == "HTTP 429, next attempt in 10 min"
    assert only(outbox, channel(seen=seen), now=lambda: time.time() + 601).delivered == 1


@pytest.mark.parametrize("after", [10**9, math.inf])
def test_nobody_can_ask_for_more_than_an_hour(outbox: SqliteStore, after: float) -> None:
    queue(outbox, delivery("n1"))
    only(outbox, channel("ops", TryAgain("HTTP 429", after=after)))
    assert record(outbox).due <= time.time() + LONGEST_WAIT


@pytest.mark.parametrize("after", [math.nan, -math.inf, -5, "soon", True, object()])
def test_a_wait_that_makes_no_sense_is_none(outbox: SqliteStore, after: Any) -> None:
    queue(outbox, delivery("n1"))
    assert only(outbox, channel("ops", TryAgain("HTTP 429", after=after), Delivered())).delivered == 1


def test_a_flush_tries_at_once_and_each_once(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"), delivery("n2", group="h"))
    only(outbox, channel("ops", TryAgain("HTTP 429", after=600)))
    seen: list[Notification] = []
    only(outbox, channel("ops", TryAgain("HTTP 503", after=600), seen=seen), force=True)
    assert sorted(ids(seen)) == ["n1", "n2"]
    assert only(outbox, channel(seen=seen), force=True).delivered == 2


def test_a_refused_notification_is_kept_said_and_not_tried_again(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"), delivery("n2"))
    sent = only(outbox, channel("ops", Refused("HTTP 400: no such room"), Delivered()))
    assert sentence(sent) == "ops: 1 sent, NOT sent: HTTP 400: no such room, 1 refused"
    assert (record(outbox).state, record(outbox).why) == ("refused", "HTTP 400: no such room")
    assert deliver(outbox, [channel()], grace=GRACE) == []


def test_a_channel_that_the_other_side_ended_gets_nothing_more_and_that_is_said_each_run(
    outbox: SqliteStore,
) -> None:
    queue(outbox, delivery("n1"), delivery("n2", group="h"))
    seen: list[Notification] = []
    ended = channel("ops", Refused("HTTP 410: gone", disable=True), seen=seen)
    for _ in range(3):
        sent = only(outbox, ended)
        assert (sent.queued, sent.refused) == (2, 0)
        assert "HTTP 410: gone" in sentence(sent)
        assert "gatekeeper alerts flush" in sentence(sent)
    assert ids(seen) == ["n1"]


def test_a_flush_brings_an_ended_channel_back_once_it_delivers(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"), delivery("n2"))
    only(outbox, channel("ops", Refused("HTTP 410", disable=True)))
    assert only(outbox, channel("ops", Refused("HTTP 410", disable=True)), force=True).queued == 2
    assert "ops" in outbox.disabled()
    assert only(outbox, channel(), force=True).delivered == 2
    assert outbox.disabled() == {}


def test_a_channel_that_is_no_longer_configured_keeps_its_notifications(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1", "gone"))
    assert (
        sentence(only(outbox)) == "gone NOT sent: no channel of this name is configured and enabled, queued"
    )
    assert only(outbox, channel("gone")).delivered == 1


def test_a_channel_whose_secret_is_missing_keeps_its_notifications(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    seen: list[Notification] = []
    sent = only(outbox, channel(seen=seen, missing="environment variable OPS_HOOK is not set"))
    assert sentence(sent) == "ops NOT sent: environment variable OPS_HOOK is not set, queued"
    assert seen == []


def test_without_grace_nothing_is_tried_and_that_is_said(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"), delivery("n2"))
    seen: list[Notification] = []
    sent = only(outbox, channel(seen=seen), grace=0.0)
    assert sentence(sent) == "ops NOT sent: no time was left, 2 queued"
    assert seen == []


def test_a_record_that_cannot_be_read_is_refused_and_keeps_nothing_back(outbox: SqliteStore) -> None:
    broken = delivery("n1")
    queue(outbox, Delivery(id="n1", channel="ops", group="g", created=broken.created, due=0.0, document=b"{"))
    queue(outbox, delivery("n2"))
    sent = only(outbox, channel())
    assert (sent.delivered, sent.refused) == (1, 1)
    assert "record can't be read" in sent.why


# -- channels that misbehave -------------------------------------------------------------------------------------------


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (SystemExit(0), "SystemExit: 0"),
        (KeyboardInterrupt(), "KeyboardInterrupt: no reason given"),
        (GeneratorExit(), "GeneratorExit"),
        (MemoryError("no memory"), "MemoryError: no memory"),
        (ValueError("two\nlines\x1b[31m"), r"ValueError: two lines\x1b[31m"),
        (GatekeeperError("in our words."), "in our words"),
        (ProbeError("timeout", "no end within 5 s"), "no end within 5 s"),
        (Unspeakable(), "raised Unspeakable"),
        (ExceptionGroup("several", [OSError(1, "x")]), "ExceptionGroup: several (1 sub-exception)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_a_channel_raises_is_an_attempt_that_failed(
    outbox: SqliteStore, error: BaseException, why: str
) -> None:
    queue(outbox, delivery("n1"))
    sent = only(outbox, channel("ops", error, attempts=2))
    assert sent.queued == 1
    assert sent.why.startswith(why.removesuffix(": no reason given"))
    assert only(outbox, channel(), force=True).delivered == 1


@pytest.mark.parametrize("answer", [None, True, "ok", 200, Delivered, [Delivered()]], ids=repr)
def test_an_answer_that_makes_no_sense_is_an_attempt_that_failed(outbox: SqliteStore, answer: Any) -> None:
    queue(outbox, delivery("n1"))
    sent = only(outbox, channel("ops", lambda given: answer, attempts=1))
    assert (sent.delivered, sent.queued) == (0, 1)
    assert "expected Delivered, TryAgain or Refused" in sent.why


def test_a_channel_that_ends_its_thread_is_an_attempt_that_failed(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    assert only(outbox, channel("ops", lambda given: _thread.exit(), Delivered())).delivered == 1


def test_a_channel_that_cannot_be_opened_is_opened_anew(outbox: SqliteStore) -> None:
    tries: list[str] = []

    def open_(values: object, context: ChannelContext) -> Any:
        tries.append(context.name)
        if len(tries) == 1:
            raise RuntimeError("no such device")
        return channel().type.open(values, context)

    queue(outbox, delivery("n1"))
    assert only(outbox, channel(open_=open_)).delivered == 1
    assert tries == ["ops", "ops"]


def test_a_channel_that_hangs_when_opened_is_given_up(outbox: SqliteStore, release: threading.Event) -> None:
    queue(outbox, delivery("n1"))
    hanging_ = channel(open_=lambda values, context: release.wait(60), timeout=0.05, attempts=1)
    assert sentence(only(outbox, hanging_)) == "ops NOT sent: timed out after 50 ms, queued"


def blocked(release: threading.Event) -> Any:
    return lambda given: release.wait(60) and Delivered()


def stubborn(release: threading.Event) -> Any:
    """Waits again whatever interrupts it."""

    def send(given: Notification) -> Delivered:
        while not release.is_set():
            try:
                time.sleep(0.01)
            except BaseException:
                continue
        return Delivered()

    return send


def in_the_system(release: threading.Event) -> Any:
    """Hangs in a call of the system, which nothing in Python interrupts."""

    def send(given: Notification) -> Delivered:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            threading.Thread(target=lambda: (release.wait(60), theirs.close()), daemon=True).start()
            ours.recv(1)
        return Delivered()

    return send


def test_a_system_without_a_thread_to_give_is_an_attempt_that_failed(
    outbox: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    queue(outbox, delivery("n1"))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert sentence(only(outbox, channel(attempts=2))) == "ops NOT sent: can't start new thread, queued"
    assert only(outbox, channel(), force=True).delivered == 1


def test_a_grace_without_end_ends_with_the_work(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    assert only(outbox, channel(timeout=1e18), grace=1e18).delivered == 1


@pytest.mark.parametrize("hang", [blocked, stubborn, in_the_system])
def test_a_channel_that_never_returns_is_given_up_after_its_timeout(
    outbox: SqliteStore, release: threading.Event, hang: Any
) -> None:
    queue(outbox, delivery("n1"))
    sent = only(outbox, channel("ops", hang(release), timeout=0.05, attempts=2))
    assert sentence(sent) == "ops NOT sent: timed out after 50 ms, queued"
    assert record(outbox).attempts == 2


def test_what_is_left_of_the_grace_bounds_an_attempt(outbox: SqliteStore, release: threading.Event) -> None:
    queue(outbox, delivery("n1"))
    sent = only(outbox, channel("ops", blocked(release), timeout=60), grace=0.2)
    assert sentence(sent) == "ops NOT sent: timed out after 200 ms, queued"


def test_a_dead_channel_never_delays_a_live_one(outbox: SqliteStore, release: threading.Event) -> None:
    """The dead ones come back only once the live one has delivered all of its own: else nobody would."""
    queue(outbox, *(delivery(f"d{i}", f"dead{i}") for i in range(20)))
    queue(outbox, *(delivery(f"n{i}", group=f"g{i}") for i in range(5)))
    left = [5]

    def count(given: Notification) -> Delivered:
        left[0] -= 1
        if not left[0]:
            release.set()
        return Delivered()

    dead = [channel(f"dead{i}", blocked(release), timeout=60) for i in range(20)]
    sent = deliver(outbox, [*dead, channel("ops", count)], grace=60)
    assert sum(each.delivered for each in sent) == 25


def test_what_a_given_up_attempt_delivers_nevertheless_is_recorded(outbox: SqliteStore) -> None:
    """The first attempt delivers after it was given up, while another channel is still at work."""
    given_up, recorded = threading.Event(), threading.Event()

    def late(given: Notification) -> Delivered:
        given_up.wait(10)
        return Delivered(ref="late")

    def patient(given: Notification) -> Delivered:
        while not outbox_reader("n1", "queued", attempts=1):
            time.sleep(0.005)
        given_up.set()
        while not outbox_reader("n1", "delivered", attempts=1):
            time.sleep(0.005)
        recorded.set()
        return Delivered()

    def outbox_reader(identity: str, state: str, attempts: int) -> bool:
        with sqlite3.connect(outbox.path) as reader:
            row = reader.execute(
                "SELECT state, attempts FROM deliveries WHERE id = ?", (identity,)
            ).fetchone()
        return bool(row == (state, attempts))

    queue(outbox, delivery("n1", "slow"), delivery("n2", "patient"))
    slow = channel("slow", late, timeout=0.05, attempts=1)
    sent = deliver(outbox, [slow, channel("patient", patient, timeout=15)], grace=GRACE)
    assert [sentence(each) for each in sent] == ["slow: 1 sent", "patient: 1 sent"]
    assert recorded.is_set()
    assert record(outbox).ref == "late"


# -- secrets and words -------------------------------------------------------------------------------------------------

SECRET = "s3cr3t/t0ken+=ü"


@pytest.mark.parametrize(
    "answer",
    [
        TryAgain(f"POST https://hook/{SECRET} gave HTTP 500"),
        TryAgain(f"POST https://hook/{quote(SECRET)} gave HTTP 500"),
        TryAgain(f"POST https://hook/?key={quote(SECRET, safe='')} gave HTTP 500"),
        Refused(f"no room {SECRET}"),
        Refused(f"gone: {SECRET}", disable=True),
        ValueError(f"bad token {SECRET!r}"),
        GatekeeperError(SECRET),
        KeyError(SECRET),
    ],
    ids=repr,
)
def test_a_channels_secrets_are_in_nothing_that_is_said_or_kept(outbox: SqliteStore, answer: Any) -> None:
    queue(outbox, delivery("n1"))
    sent = only(outbox, channel("ops", answer, secrets=(SECRET.encode(),), attempts=1))
    said = f"{sentence(sent)} {record(outbox).why} {outbox.disabled()}"
    assert "***" in said
    for form in (SECRET, quote(SECRET), quote(SECRET, safe="")):
        assert form not in said


def test_a_reason_is_one_short_line_that_no_terminal_obeys(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    sent = only(outbox, channel("ops", TryAgain("\x1b]0;owned\x07\r\n" + "x" * 100_000), attempts=1))
    assert sentence(sent).isprintable()
    assert len(sentence(sent)) < 1_000


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (Sent(channel="a", delivered=1), "a: 1 sent"),
        (Sent(channel="a", queued=1, why="timed out after 5 s"), "a NOT sent: timed out after 5 s, queued"),
        (Sent(channel="a", queued=2, why="HTTP 500"), "a NOT sent: HTTP 500, 2 queued"),
        (Sent(channel="a", refused=1, why="HTTP 400"), "a NOT sent: HTTP 400, refused"),
        (
            Sent(channel="a", delivered=3, queued=2, refused=1, why="HTTP 500"),
            "a: 3 sent, NOT sent: HTTP 500, 2 queued and 1 refused",
        ),
    ],
)
def test_what_is_said(sent: Sent, line: str) -> None:
    assert sentence(sent) == line


@given(st.integers(1, 10_000), st.none() | st.floats())
def test_a_wait_grows_with_failures_and_keeps_what_was_asked_for(failures: int, asked: float | None) -> None:
    pause = backoff.wait(failures, asked)
    longest = min(backoff.CAP, backoff.BASE * 2 ** min(failures - 1, 30))
    wanted = asked if asked is not None and not math.isnan(asked) else 0.0
    assert 0 <= pause <= max(longest, min(wanted, LONGEST_WAIT))
    assert pause >= min(wanted, LONGEST_WAIT)


ANSWERS = st.sampled_from(["delivered", "again", "later", "raises", "refused", "nonsense"])


@settings(deadline=None, max_examples=60)
@given(
    groups=st.lists(st.sampled_from("abc"), min_size=1, max_size=8),
    answers=st.lists(st.lists(ANSWERS, max_size=10), max_size=4),
    force=st.booleans(),
)
def test_whatever_a_channel_answers_nothing_is_lost_and_groups_stay_in_order(
    groups: list[str], answers: list[list[str]], force: bool
) -> None:
    """Some runs with any answers, then one in which all is well."""
    accepted: list[str] = []
    refused: list[str] = []
    script: list[str] = []
    default = ["again"]

    def send(given: Notification) -> Any:
        answer = script.pop(0) if script else default[-1]
        if answer in ("delivered", "refused"):
            (accepted if answer == "delivered" else refused).append(given.id)
        if answer == "raises":
            raise OSError("no route")
        outcomes = {
            "delivered": Delivered(), "again": TryAgain("busy"), "later": TryAgain("busy", 600),
            "refused": Refused("no"), "nonsense": None,
        }  # fmt: skip
        return outcomes[answer]

    with MemoryStore() as outbox:
        with outbox.changing():
            outbox.queue(delivery(f"{index}{group}", group=group) for index, group in enumerate(groups))
        for run in answers:
            script[:] = run
            deliver(outbox, [channel("ops", send, attempts=2)], grace=GRACE, force=force)
        default.append("delivered")
        script.clear()
        deliver(outbox, [channel("ops", send)], grace=GRACE, force=True)
        assert not outbox.backlog(time.time())
    assert sorted(accepted + refused) == sorted(f"{index}{group}" for index, group in enumerate(groups))
    for group in "abc":
        of_group = [int(each[:-1]) for each in accepted if each.endswith(group)]
        assert of_group == sorted(of_group)


# -- a single attempt --------------------------------------------------------------------------------------------------


def test_a_single_attempt_takes_the_same_path(release: threading.Event) -> None:
    seen: list[Notification] = []
    assert try_once(channel("ops", Delivered("1"), seen=seen), notification("t", test=True)) == Delivered("1")
    assert seen[0].test
    assert try_once(channel("ops", SystemExit(1)), notification("t")) == TryAgain("SystemExit: 1")
    assert try_once(channel(missing="no secret"), notification("t")) == TryAgain("no secret")
    assert try_once(channel("ops", blocked(release)), notification("t"), within=0.05) == TryAgain(
        "timed out after 50 ms"
    )


def test_a_channel_is_told_where_it_may_write_and_how_long_it_has(
    outbox: SqliteStore, tmp_path: Path
) -> None:
    contexts: list[ChannelContext] = []

    def open_(values: object, context: ChannelContext) -> Any:
        contexts.append(context)
        return channel().type.open(values, context)

    queue(outbox, delivery("n1"))
    with (tmp_path / "terminal").open("w") as console:
        terminal = Terminal(console, color=True)
        only(outbox, channel(open_=open_, timeout=3, allow_private=True), terminal=terminal)
        (context,) = contexts
        assert context.console is console
    assert (context.name, context.within, context.allow_private, context.color) == ("ops", 3.0, True, True)


# -- clocks and the store ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [86_400.0, 3.2e7])
def test_a_clock_that_was_ahead_for_a_while_keeps_nothing_queued_for_good(
    outbox: SqliteStore, ahead: float
) -> None:
    queue(outbox, delivery("n1"), delivery("n2", group="h"))
    only(outbox, channel("ops", TryAgain("busy", after=60)), now=lambda: time.time() + ahead)
    outbox.claim("somebody that died", time.time() + ahead, 15, channel="ops", due=False)
    assert only(outbox, channel()).delivered == 2


def test_a_clock_that_jumps_in_the_middle_of_a_run_does_no_harm(outbox: SqliteStore) -> None:
    jumps = iter([0.0, 1e9, -1e9, 5e8, 3.0, -7.0, 1e5] * 20)
    queue(outbox, *(delivery(f"n{i}", group=f"g{i}") for i in range(5)))
    seen: list[Notification] = []
    sent = only(outbox, channel(seen=seen), now=lambda: max(0.0, time.time() + next(jumps)))
    for _ in range(5):
        if outbox.deliveries(state="queued"):
            sent = only(outbox, channel(seen=seen))
    assert sorted(set(ids(seen))) == [f"n{i}" for i in range(5)]
    assert sent.queued == 0


def test_what_another_process_is_sending_is_left_to_it(outbox: SqliteStore) -> None:
    queue(outbox, delivery("n1"))
    outbox.claim("another", time.time(), 30, channel="ops")
    seen: list[Notification] = []
    assert (
        sentence(only(outbox, channel(seen=seen), force=True))
        == "ops NOT sent: another process is sending, queued"
    )
    assert seen == []
    assert only(outbox, channel(seen=seen), now=lambda: time.time() + 31).delivered == 1


def test_a_delivery_that_could_not_be_recorded_is_said_and_repeated_with_the_same_id(tmp_path: Path) -> None:
    """The store is locked from the moment the notification is accepted."""
    seen: list[Notification] = []
    with store(tmp_path) as first:
        queue(first, delivery("n1"))
    other = sqlite3.connect(tmp_path / "history.db", isolation_level=None, check_same_thread=False)

    def accept(given: Notification) -> Delivered:
        other.execute("BEGIN IMMEDIATE")
        return Delivered()

    with SqliteStore(tmp_path / "history.db", timeout=0.05) as impatient:
        sent = only(impatient, channel("ops", accept, seen=seen))
    assert sent.queued == 1
    assert "could not be recorded, so it may be repeated" in sentence(sent)
    assert "locked by another process" in sentence(sent)
    other.execute("ROLLBACK")
    other.close()
    with store(tmp_path) as again:
        assert only(again, channel(seen=seen), now=lambda: time.time() + 60).delivered == 1
    assert seen == [notification("n1")] * 2


def test_a_store_that_is_removed_while_a_notification_is_sent_stops_no_delivery(tmp_path: Path) -> None:
    def accept(given: Notification) -> Delivered:
        for file in tmp_path.glob("history.db*"):
            file.unlink()
        return Delivered()

    seen: list[Notification] = []
    with store(tmp_path) as first:
        queue(first, delivery("n1"), delivery("n2"))
        assert only(first, channel("ops", accept, Delivered(), seen=seen)).channel == "ops"
    assert ids(seen) == ["n1", "n2"]


def test_a_store_that_is_locked_for_a_moment_loses_no_record(tmp_path: Path) -> None:
    with store(tmp_path) as first:
        queue(first, delivery("n1"), delivery("n2", "chat"))
    other = sqlite3.connect(tmp_path / "history.db", isolation_level=None, check_same_thread=False)

    both_sent = threading.Event()

    def accept(given: Notification) -> Delivered:
        both_sent.wait(10)
        other.execute("BEGIN IMMEDIATE")
        return Delivered()

    def unlock(given: Notification) -> Delivered:
        both_sent.set()
        while not other.in_transaction:
            time.sleep(0.005)
        time.sleep(0.3)
        other.execute("ROLLBACK")
        return Delivered()

    with SqliteStore(tmp_path / "history.db", timeout=0.05) as impatient:
        sent = deliver(impatient, [channel("ops", accept), channel("chat", unlock)], grace=GRACE)
    other.close()
    assert [each.delivered for each in sent] == [1, 1]


# -- real servers ------------------------------------------------------------------------------------------------------


def posting(port: int, within: float = 10.0) -> Any:
    """A channel as a third party would write it: no more than a request."""

    def send(given: Notification) -> Any:
        answer = http(f"http://127.0.0.1:{port}/", method="POST", body=given.id, within=within)
        return Delivered() if answer.status == 200 else TryAgain(f"HTTP {answer.status}")

    return send


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (answering(response(status="500 Internal Server Error")), "HTTP 500"),
        (hanging(), "no end within 200 ms"),
        (hanging(b"HTTP/1.1 200 OK\r\n"), "no end within 200 ms"),
        (trickling(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"), "no end within 200 ms"),
        (flooding(b"HTTP/1.1 500 No\r\n\r\n"), "HTTP 500"),
        (resetting(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), "broke the connection off"),
    ],
    ids=["500", "hangs", "hangs in the headers", "trickles", "floods", "resets"],
)
def test_whatever_a_server_does_the_notification_stays_queued(
    outbox: SqliteStore, handler: Any, why: str
) -> None:
    queue(outbox, delivery("n1"))
    with Server(handler) as server:
        sent = only(outbox, channel("ops", posting(server.port, 0.2), attempts=2))
    assert (sent.queued, record(outbox).attempts) == (1, 2)
    assert why in sent.why


def test_a_server_that_recovers_within_the_run_gets_it_in_that_run(outbox: SqliteStore) -> None:
    seen: list[bytes] = []
    failing = response(status="503 Service Unavailable")
    queue(outbox, delivery("n1"))
    with Server(answering(failing, failing, response(), seen=seen)) as server:
        assert sentence(only(outbox, channel("ops", posting(server.port)))) == "ops: 1 sent"
    assert [request.rpartition(b"\r\n\r\n")[2] for request in seen] == [b"n1"] * 3
