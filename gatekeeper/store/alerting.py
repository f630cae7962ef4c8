"""What a store keeps of alerts: where each stands, events, what channels were told, the outbox, silences.

In SQL that both SQLite and PostgreSQL speak. Everything that changes something is called within `changing()`, one
transaction, but for what says otherwise. Documents are JSON.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from gatekeeper.channels.events import AlertEvent
from gatekeeper.model import Run
from gatekeeper.plain import strict_json
from gatekeeper.store.errors import StoreError
from gatekeeper.store.rows import decoded
from gatekeeper.store.standing import Delivery, Evidence, Quiet, Standing, Told

T = TypeVar("T", bound=Struct)

LONGEST_WAIT = 3_600.0
"""Seconds after which anything in the outbox is tried again, whatever it waits for."""

Judge = Callable[["AlertQueries", Sequence[Run]], None]
"""Makes events of newly recorded runs, oldest first, in the transaction that records them."""


class NotJudged(Exception):
    """Raised by a `Judge`: these runs are recorded, and wait for the next to judge them."""


class Work(Struct, frozen=True):
    """What there is to do for alerts, found by one look-up: alerts somebody may have to be told of, runs that nobody
    judged, notifications in the outbox.
    """

    standing: bool
    unjudged: bool
    queued: bool

    def __bool__(self) -> bool:
        return self.standing or self.unjudged or self.queued


class Backlog(Struct, frozen=True):
    """What is queued for a channel: how many, of these leased (somebody is sending them), when the first is due
    (seconds since the epoch), and why the one that failed most often did.
    """

    count: int
    leased: int
    due: float
    why: str


class AlertQueries:
    """The alerts' part of a store. Every method may raise `StoreError`."""

    def _rows(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        raise NotImplementedError

    def _change(self, sql: str, arguments: tuple[Any, ...] = ()) -> int:
        """Execute a statement that changes rows; how many."""
        raise NotImplementedError

    def _change_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        raise NotImplementedError

    def changing(self) -> AbstractContextManager[None]:
        """One transaction, in which nobody else changes what is read here; durable at its end.

        `write` is one already: what `Judge` does is part of it.
        """
        raise NotImplementedError

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A part of a transaction that is undone by itself where it raises."""
        self._change("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self._change("ROLLBACK TO SAVEPOINT attempt")
            self._change("RELEASE SAVEPOINT attempt")
            raise
        self._change("RELEASE SAVEPOINT attempt")

    def work(self) -> Work:
        """What there is to do; reads three partial indexes that are empty where all is well."""
        row = self._rows(
            "SELECT EXISTS (SELECT 1 FROM alerts WHERE owed = 1), EXISTS (SELECT 1 FROM unjudged), "
            "EXISTS (SELECT 1 FROM deliveries WHERE state = 'queued')",
            (),
        )[0]
        return Work(*map(bool, row))

    # -- runs that nobody judged ------------------------------------------------------------------------------

    def unjudged(self, limit: int = 1_000) -> list[tuple[int, Run]]:
        """Recorded runs whose alerts nobody has looked at yet, by number, oldest first."""
        rows = self._rows(
            "SELECT u.run, runs.id, runs.document FROM unjudged u JOIN runs ON runs.number = u.run "
            "ORDER BY u.run LIMIT ?",
            (limit,),
        )
        return [(number, decoded(document, Run, identity)) for number, identity, document in rows]

    def judged(self, numbers: Iterable[int]) -> None:
        self._change_many("DELETE FROM unjudged WHERE run = ?", [(number,) for number in numbers])

    # -- alerts -----------------------------------------------------------------------------------------------

    def standings(self, subject: str | None = None, *, owed: bool = True) -> list[Standing]:
        """Alerts of a subject or of all that somebody may have to be told of; with `owed=False` those that are over
        too.
        """
        where = " AND ".join(
            (["owed = 1"] if owed else []) + (["subject = ?"] if subject is not None else []) or ["1 = 1"]
        )
        rows = self._rows(
            f"SELECT document FROM alerts WHERE {where} ORDER BY changed DESC, fingerprint",
            () if subject is None else (subject,),
        )
        return [_decoded(document, Standing) for (document,) in rows]

    def standing(self, beginning: str) -> list[Standing]:
        """Alerts whose fingerprint begins so."""
        rows = self._rows(
            "SELECT document FROM alerts WHERE fingerprint >= ? AND fingerprint < ? ORDER BY fingerprint LIMIT 20",
            (beginning, f"{beginning}g"),
        )
        return [_decoded(document, Standing) for (document,) in rows]

    def put_standings(self, standings: Iterable[Standing]) -> None:
        """Keep them, in place of those of the same fingerprints."""
        self._change_many(
            "INSERT INTO alerts (fingerprint, subject, gate, state, owed, changed, document) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET state = excluded.state, "
            "owed = excluded.owed, changed = excluded.changed, document = excluded.document",
            [
                (
                    s.alert.fingerprint,
                    s.alert.subject,
                    s.alert.gate,
                    s.alert.state,
                    int(s.owed),
                    s.changed,
                    strict_json(s),
                )
                for s in standings
            ],
        )

    def drop_standings(self, fingerprints: Iterable[str]) -> None:
        """Forget alerts: ones that were pending and never fired."""
        self._change_many("DELETE FROM alerts WHERE fingerprint = ?", [(f,) for f in fingerprints])

    # -- events -----------------------------------------------------------------------------------------------

    def add_events(self, events: Iterable[AlertEvent], at: float) -> None:
        """Keep events, each id once; `at` in seconds since the epoch."""
        self._change_many(
            "INSERT INTO events (id, fingerprint, subject, gate, kind, at, document) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO NOTHING",
            [
                (e.id, e.alert.fingerprint, e.alert.subject, e.alert.gate, e.kind, at, strict_json(e))
                for e in events
            ],
        )

    def events(
        self,
        *,
        subject: str | None = None,
        gate: str | None = None,
        fingerprint: str | None = None,
        limit: int = 20,
    ) -> list[AlertEvent]:
        """Events, newest first."""
        wanted = {"subject": subject, "gate": gate, "fingerprint": fingerprint}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(f"{column} = ?" for column in given) or "1 = 1"
        rows = self._rows(
            f"SELECT document FROM events WHERE {where} ORDER BY number DESC LIMIT ?",
            (*given.values(), limit),
        )
        return [_decoded(document, AlertEvent) for (document,) in rows]

    def evidence(
        self, subject: str, gate: str, finding: str, since: float, limit: int = 100_000
    ) -> list[Evidence]:
        """A gate's measured finding in runs that started at `since` or later (seconds since the epoch), oldest
        first.
        """
        from datetime import UTC, datetime

        start = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        rows = self._rows(
            "SELECT runs.started, s.value, s.unit, runs.id FROM results r JOIN runs ON runs.number = r.run "
            "JOIN samples s ON s.run = r.run AND s.gate = r.gate "
            "WHERE r.subject = ? AND r.gate = ? AND s.finding = ? AND runs.started >= ? "
            "ORDER BY r.run DESC, s.position DESC LIMIT ?",
            (subject, gate, finding, start, limit),
        )
        found = [
            Evidence(datetime.fromisoformat(started).timestamp(), value, unit, run)
            for started, value, unit, run in reversed(rows)
        ]
        return [each for each in found if each.at >= since]

    def findings_of(self, gate: str, limit: int = 500) -> list[str]:
        """Names of measured findings that a gate has recorded in its last results."""
        rows = self._rows(
            "SELECT DISTINCT s.finding FROM (SELECT run, gate FROM results WHERE gate = ? ORDER BY run DESC LIMIT ?) r "
            "JOIN samples s ON s.run = r.run AND s.gate = r.gate ORDER BY s.finding",
            (gate, limit),
        )
        return [name for (name,) in rows]

    # -- what channels were told ------------------------------------------------------------------------------

    def told(self) -> list[Told]:
        return [_decoded(document, Told) for (document,) in self._rows("SELECT document FROM told", ())]

    def told_of(self, channel: str, group: str) -> Told | None:
        rows = self._rows("SELECT document FROM told WHERE channel = ? AND grp = ?", (channel, group))
        return _decoded(rows[0][0], Told) if rows else None

    def put_told(self, told: Iterable[Told]) -> None:
        self._change_many(
            "INSERT INTO told (channel, grp, document) VALUES (?, ?, ?) "
            "ON CONFLICT (channel, grp) DO UPDATE SET document = excluded.document",
            [(t.channel, t.group, strict_json(t)) for t in told],
        )

    def drop_told(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Forget what a channel was told of a group: all of it is over, and it knows. Pairs of channel and group."""
        self._change_many("DELETE FROM told WHERE channel = ? AND grp = ?", [*pairs])

    # -- the outbox -------------------------------------------------------------------------------------------

    def queue(self, deliveries: Iterable[Delivery]) -> None:
        """Put notifications into the outbox; one that is there already stays as it is."""
        self._change_many(
            f"INSERT INTO deliveries ({_DELIVERY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO NOTHING",
            [
                (
                    d.id,
                    d.channel,
                    d.group,
                    d.created,
                    d.document,
                    d.state,
                    d.attempts,
                    d.due,
                    d.done,
                    d.why,
                    d.ref,
                )
                for d in deliveries
            ],
        )

    def deliveries(
        self, *, state: str | None = None, channel: str | None = None, since: float = 0.0, limit: int = 100
    ) -> list[Delivery]:
        """Of the outbox, what was queued at `since` (seconds since the epoch) or later; newest first."""
        wanted = {"state": state, "channel": channel}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " ".join(f"{column} = ? AND" for column in given)
        rows = self._rows(
            f"SELECT {_DELIVERY} FROM deliveries WHERE {where} created >= ? ORDER BY created DESC, id LIMIT ?",
            (*given.values(), since, limit),
        )
        return [_delivery(row) for row in rows]

    def undelivered(self) -> dict[tuple[str, str], int]:
        """How many notifications are queued, by channel and group."""
        rows = self._rows(
            "SELECT channel, grp, count(*) FROM deliveries WHERE state = 'queued' GROUP BY channel, grp", ()
        )
        return {(channel, group): count for channel, group, count in rows}

    def queued_since(self, since: float) -> dict[str, list[float]]:
        """When each channel's notifications were queued, from `since` on; seconds since the epoch."""
        found: dict[str, list[float]] = {}
        for channel, created in self._rows(
            "SELECT channel, created FROM deliveries WHERE created >= ? ORDER BY created", (since,)
        ):
            found.setdefault(channel, []).append(created)
        return found

    def backlog(self, now: float) -> dict[str, Backlog]:
        """What is queued, by channel."""
        rows = self._rows(
            "SELECT channel, count(*), sum(CASE WHEN lease > ? THEN 1 ELSE 0 END), min(due), "
            "(SELECT w.why FROM deliveries w WHERE w.state = 'queued' AND w.channel = d.channel "
            "ORDER BY w.attempts DESC, w.number LIMIT 1) "
            "FROM deliveries d WHERE state = 'queued' GROUP BY channel ORDER BY channel",
            (now,),
        )
        return {channel: Backlog(*rest) for channel, *rest in rows}

    def owners(self, now: float) -> list[str]:
        """Who has leased something."""
        rows = self._rows(
            "SELECT DISTINCT owner FROM deliveries WHERE state = 'queued' AND lease > ? ORDER BY owner",
            (now,),
        )
        return [owner for (owner,) in rows]

    def release(self, owner: str) -> None:
        """End the leases of somebody who died. A transaction of its own."""
        with self.changing():
            self._change(
                "UPDATE deliveries SET lease = 0, owner = NULL WHERE state = 'queued' AND owner = ?", (owner,)
            )

    def claim(
        self,
        owner: str,
        now: float,
        lease: float,
        *,
        channel: str,
        limit: int = 1,
        due: bool = True,
        but: Sequence[str] = (),
    ) -> list[Delivery]:
        """Lease queued notifications of a channel that nobody else has, for `lease` seconds, and none of the ids `but`;
        a transaction of its own. With `due=False` also those whose time has not come.

        Of a group the oldest alone, so that its notifications stay in order; of groups, those first that have failed
        least, so that one that never succeeds keeps no others waiting.

        A lease that ends without a `settle` (its owner died) leaves the notification to the next. A lease or a time
        to wait that ends later than any does was set by a clock that has been set back since: it is over.
        """
        excluded = f"AND id NOT IN ({', '.join('?' * len(but))}) " if but else ""
        with self.changing():
            rows = self._rows(
                f"SELECT {_DELIVERY} FROM deliveries d WHERE state = 'queued' AND channel = ? "
                "AND (lease <= ? OR lease > ?) AND (due <= ? OR due > ?) "
                f"{excluded}AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.state = 'queued' "
                "AND o.channel = d.channel AND o.grp = d.grp AND o.number < d.number) "
                "ORDER BY attempts, number LIMIT ?",
                (
                    channel,
                    now,
                    now + lease + LONGEST_WAIT,
                    now if due else 1e18,
                    now + LONGEST_WAIT,
                    *but,
                    limit,
                ),
            )
            claimed = [_delivery(row) for row in rows]
            self._change_many(
                "UPDATE deliveries SET lease = ?, owner = ? WHERE id = ?",
                [(now + lease, owner, d.id) for d in claimed],
            )
        return claimed

    def settle(self, delivery: Delivery, owner: str) -> bool:
        """Keep what became of an attempt, and end its lease; False where nothing was kept. A transaction of its own.

        What was delivered is delivered, whoever has the lease by then; anything else counts only from its owner. The
        first `ref` of a group becomes the `thread` of what its channel was told.
        """
        with self.changing():
            kept = self._change(
                "UPDATE deliveries SET state = ?, attempts = ?, due = ?, done = ?, why = ?, ref = ?, lease = 0, "
                "owner = NULL WHERE id = ? AND state = 'queued' AND (owner = ? OR ? = 'delivered')",
                (
                    delivery.state, delivery.attempts, delivery.due, delivery.done, delivery.why, delivery.ref,
                    delivery.id, owner, delivery.state,
                ),
            )  # fmt: skip
            if kept and delivery.state == "delivered" and delivery.ref is not None:
                told = self.told_of(delivery.channel, delivery.group)
                if told is not None and told.thread is None:
                    self.put_told([msgspec.structs.replace(told, thread=delivery.ref)])
        return kept == 1

    def disabled(self) -> dict[str, str]:
        """Channels that the other side ended (HTTP 410), and why."""
        return dict(self._rows("SELECT name, why FROM channels WHERE disabled IS NOT NULL", ()))

    def disable(self, channel: str, why: str | None, now: float) -> None:
        """End a channel, or with None bring it back. A transaction of its own."""
        with self.changing():
            self._change(
                "INSERT INTO channels (name, disabled, why) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "disabled = excluded.disabled, why = excluded.why",
                (channel, None if why is None else now, why or ""),
            )

    # -- silences and maintenance -----------------------------------------------------------------------------

    def quiets(self, kind: str | None = None, *, ended_after: float = 0.0) -> list[Quiet]:
        """Silences and maintenance windows made at the command line that end (for good) after that time."""
        rows = self._rows("SELECT document FROM quiets WHERE until > ? ORDER BY starts, id", (ended_after,))
        found = [_decoded(document, Quiet) for (document,) in rows]
        return [quiet for quiet in found if kind is None or quiet.kind == kind]

    def put_quiet(self, quiet: Quiet) -> None:
        until = 1e18 if quiet.repeat and quiet.until is None else quiet.until or quiet.ends
        self._change(
            "INSERT INTO quiets (id, kind, starts, until, document) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET starts = excluded.starts, until = excluded.until, "
            "document = excluded.document",
            (quiet.id, quiet.kind, quiet.starts, until, strict_json(quiet)),
        )

    # -- housekeeping -----------------------------------------------------------------------------------------

    def prune_alerts(self, before: float) -> int:
        """Remove what is over and done with since before that time: events, deliveries, alerts, silences."""
        return sum(self._change(f"DELETE FROM {what}", (before,)) for what in _OVER)

    def old_alerts(self, before: float) -> int:
        """How much `prune_alerts` would remove."""
        return sum(self._rows(f"SELECT count(*) FROM {what}", (before,))[0][0] for what in _OVER)


_OVER = (
    "events WHERE at < ?",
    "deliveries WHERE state <> 'queued' AND done < ?",
    "alerts WHERE owed = 0 AND changed < ?",
    "quiets WHERE until < ?",
)

_DELIVERY = "id, channel, grp, created, document, state, attempts, due, done, why, ref"


def _delivery(row: Sequence[Any]) -> Delivery:
    identity, channel, group, created, document, state, attempts, due, done, why, ref = row
    return Delivery(
        id=identity, channel=channel, group=group, created=created, document=bytes(document), state=state,
        attempts=attempts, due=due, done=done, why=why, ref=ref,
    )  # fmt: skip


def _decoded(document: bytes, kind: type[T]) -> T:
    """The record of a document.

    Raises:
        StoreError: it is damaged.
    """
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"a record of alerts ({kind.__name__}) is damaged: {error}") from None
