"""Empty the outbox: every channel at once, none waits for another, and all end within the grace time."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from msgspec.structs import replace

from gatekeeper.alerts.configured import Configured
from gatekeeper.alerts.delivery.lane import Effort, Lane
from gatekeeper.alerts.delivery.outbox import Outbox
from gatekeeper.alerts.delivery.sender import TERMINAL, Answer, Terminal, try_once
from gatekeeper.alerts.delivery.sent import Sent, resting, sentence, switched_off
from gatekeeper.store.alerting import AlertQueries, Backlog
from gatekeeper.store.errors import StoreError

__all__ = ["Sent", "Terminal", "deliver", "sentence", "try_once"]

Lanes = Mapping[str, Lane]

LONGEST = 60.0
"""Seconds to wait for an answer before looking again: the system's calls take no time without end."""


def deliver(
    store: AlertQueries,
    configured: Sequence[Configured],
    *,
    grace: float,
    force: bool = False,
    terminal: Terminal = TERMINAL,
    now: Callable[[], float] = time.time,
) -> list[Sent]:
    """Send what is queued, as far as it gets; what each channel came to that had something queued.

    Each channel works in a thread of its own; `store` is used by the calling thread alone. Nobody is kept longer than
    `grace`, whatever a channel does, as long as it lets other threads run (code in C that holds the interpreter can't
    be interrupted). Every notification is delivered at least once over all runs: a crash, or an answer that came too
    late to be recorded, repeats it, with the same id and content.

    Args:
        store: where the outbox is.
        configured: the channels that there are.
        grace: seconds, for all channels together; 0: nothing is tried.
        force: try at once, whatever the backoff, and each notification once; channels too that the other side has
            ended (HTTP 410), which are back once they deliver.
        terminal: where channels for people at the terminal write.
        now: seconds since the epoch.

    Raises:
        StoreError: the outbox can't be read.
    """
    backlog = store.backlog(now())
    if not backlog:
        return []
    disabled = store.disabled()
    outbox = Outbox(store, now)
    if grace > 0 and any(each.leased for each in backlog.values()):
        outbox.release_dead()
    effort = Effort(time.monotonic() + grace, force)
    answers: SimpleQueue[Answer] = SimpleQueue()
    lanes = {
        each.name: Lane(each, outbox, effort, terminal, answers, disabled=each.name in disabled)
        for each in configured
        if each.name in backlog and grace > 0 and not each.missing and (force or each.name not in disabled)
    }
    _run(lanes, answers)
    lost = {settled.delivery.channel for settled in outbox.close()}
    left, ended = _left(store, backlog, disabled, outbox, now())
    reasons = _Reasons(left, ended, outbox, lost, now())
    known = [each for each in configured if each.name in backlog]
    gone = [name for name in backlog if name not in {each.name for each in known}]
    return [reasons.sent(each, lanes.get(each.name)) for each in known] + [
        Sent(
            channel=name, queued=backlog[name].count, why="no channel of this name is configured and enabled"
        )
        for name in gone
    ]


def _left(
    store: AlertQueries,
    before: Mapping[str, Backlog],
    disabled: Mapping[str, str],
    outbox: Outbox,
    now: float,
) -> tuple[Mapping[str, Backlog], Mapping[str, str]]:
    """What is still queued and which channels are switched off; by our own count where the store can't be asked."""
    if outbox.broken is None:
        with suppress(StoreError):
            return store.backlog(now), store.disabled()
    done = outbox.delivered + outbox.refused
    counted = {name: replace(each, count=each.count - done[name]) for name, each in before.items()}
    return {name: each for name, each in counted.items() if each.count > 0}, disabled


def _run(lanes: Lanes, answers: "SimpleQueue[Answer]") -> None:
    """Until all lanes are over."""
    while True:
        moment = time.monotonic()
        for lane in lanes.values():
            lane.step(moment)
        active = [lane.next for lane in lanes.values() if not lane.over]
        wait = min(max(0.0, min(active) - time.monotonic()), LONGEST) if active else None
        with suppress(Empty):
            answer = answers.get_nowait() if wait is None else answers.get(timeout=wait)
            lanes[answer.channel].answered(answer)
            continue
        if wait is None:
            return


class _Reasons:
    """What is known at the end, to say what became of each channel's notifications."""

    def __init__(
        self,
        left: Mapping[str, Backlog],
        disabled: Mapping[str, str],
        outbox: Outbox,
        lost: Collection[str],
        now: float,
    ) -> None:
        self._left, self._disabled, self._outbox, self._lost, self._now = left, disabled, outbox, lost, now

    def sent(self, each: Configured, lane: Lane | None) -> Sent:
        left = self._left.get(each.name)
        refused = self._outbox.refused[each.name]
        return Sent(
            channel=each.name,
            delivered=self._outbox.delivered[each.name],
            queued=left.count if left else 0,
            refused=refused,
            why=self._why(each, lane, left) if left or refused else "",
            took_s=lane.ended - lane.started if lane is not None else 0.0,
        )

    def _why(self, each: Configured, lane: Lane | None, left: Backlog | None) -> str:
        broken = self._outbox.broken
        if each.missing:
            return each.missing
        if each.name in self._lost:
            return f"what became of it could not be recorded, so it may be repeated: {broken}"
        if each.name in self._disabled:
            return switched_off(self._disabled[each.name])
        if lane is not None and lane.why:
            return lane.why
        if broken is not None:
            return str(broken)
        return resting(left, self._now) if left else ""
