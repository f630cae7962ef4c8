"""From recorded runs to the outbox: judge, then the stages; all within one transaction of the store."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from gatekeeper.alerts.configured import Configured, channels, recipient
from gatekeeper.alerts.delivery.deliver import Sent, deliver
from gatekeeper.alerts.judging.judge import JudgePolicy, judge
from gatekeeper.alerts.stages import Held, Planned, Situation, plan, quiets_of
from gatekeeper.model import Gate, Run, Severity
from gatekeeper.plain import strict_json
from gatekeeper.project import Project
from gatekeeper.store.alerting import AlertQueries
from gatekeeper.store.standing import Delivery

HOUR = 3_600.0


class Evaluation(Struct, frozen=True):
    """What an evaluation came to: what is held back, and for how many notifications the outbox has grown."""

    held: tuple[Held, ...] = ()
    queued: int = 0
    notes: tuple[str, ...] = ()


class Flushed(Struct, frozen=True):
    """What `flush` came to: by channel what was sent, what is held back, and notes."""

    sent: tuple[Sent, ...]
    held: tuple[Held, ...]
    notes: tuple[str, ...]


def evaluate(
    store: AlertQueries,
    project: Project,
    configured: Sequence[Configured],
    runs: Sequence[Run],
    *,
    now: float,
    waits: bool = False,
) -> Evaluation:
    """Judge runs, oldest first, and put what is to be told into the outbox; within a transaction of `store`.

    `now` is in seconds since the epoch. `waits`: a new group waits for `group_wait`; only where somebody comes back
    for it, as a service does.
    """
    policy = JudgePolicy(project.settings.alerts, severities(project), {gate.id for gate in project.gates})
    notes: list[str] = []
    for run in runs:
        notes += _judge(store, policy, run, now)
    planned = plan(_situation(store, project, configured, runs, now=now, waits=waits))
    _keep(store, planned, now)
    return Evaluation(planned.held, len(planned.notifications), tuple(dict.fromkeys(notes)))


def _judge(store: AlertQueries, policy: JudgePolicy, run: Run, now: float) -> tuple[str, ...]:
    subject = run.subject.name
    standings = {s.alert.fingerprint: s for s in store.standings(subject, owed=False)}
    judged = judge(run, standings, policy, partial(store.evidence, subject), ended(run, now))
    store.put_standings(judged.standings)
    store.drop_standings(judged.dropped)
    store.add_events(judged.events, now)
    return judged.notes


def ended(run: Run, now: float) -> float:
    """When a run ended, in seconds since the epoch; `now` where its clock was ahead of ours."""
    try:
        started = datetime.fromisoformat(run.header.started).timestamp()
    except ValueError:
        return now
    return min(now, started + run.header.duration_s)


def _situation(
    store: AlertQueries,
    project: Project,
    configured: Sequence[Configured],
    runs: Sequence[Run],
    *,
    now: float,
    waits: bool,
) -> Situation:
    return Situation(
        subject=runs[-1].subject.name if runs else project.settings.subject_name,
        standings=store.standings(),
        quiets=[*store.quiets(ended_after=now), *quiets_of(project.settings.alerts)],
        told=store.told(),
        recipients=[recipient(each) for each in configured],
        settings=project.settings.alerts,
        parents=parents(project.gates),
        sent_lately=store.queued_since(now - HOUR),
        undelivered=store.undelivered(),
        now=now,
        run=runs[-1].id if runs else "",
        waits=waits,
    )


def _keep(store: AlertQueries, planned: Planned, now: float) -> None:
    store.add_events(planned.events, now)
    store.put_standings(planned.standings)
    store.put_told(planned.told)
    store.drop_told(planned.forgotten)
    store.queue(
        Delivery(
            id=notification.id,
            channel=notification.channel,
            group=group,
            created=now,
            document=strict_json(notification),
            due=now,
        )
        for notification, group in planned.notifications
    )


def severities(project: Project) -> dict[str, Severity]:
    """By gate, how bad it is that it fails, where the configuration or the gate says so."""
    resolved = project.resolved(())
    found = {gate.id: resolved[gate.id].options.severity or gate.severity for gate in project.gates}
    return {gate: severity for gate, severity in found.items() if severity is not None}


def parents(gates: Sequence[Gate]) -> Mapping[str, Sequence[str]]:
    """By gate, the ids of the gates that it needs; needs are ids, or names within the same phase."""
    return {
        gate.id: [need if "." in need else f"{gate.phase}.{need}" for need in gate.needs]
        for gate in gates
        if gate.needs
    }


def configured_channels(project: Project) -> list[Configured]:
    """The channels of a project.

    Raises:
        UsageError: all that is wrong with them.
    """
    return channels(project.settings, project.plugins, project.settings.root)


def flush(project: Project, *, grace: float = 60.0) -> Flushed:
    """Evaluate what stands and try everything in the outbox at once, each once, whatever the backoff.

    `grace` is how many seconds all channels together may take.

    Raises:
        NoStore: nothing was recorded yet.
        StoreError: the outbox can't be read.
        UsageError: the configuration of alerts is wrong.
    """
    from gatekeeper.store import open_store

    configured = configured_channels(project)
    with open_store(project.store_url, create=False, folder=project.state) as store:
        with store.changing():
            waiting = store.unjudged()
            done = evaluate(store, project, configured, [run for _, run in waiting], now=time.time())
            store.judged(number for number, _ in waiting)
        sent = deliver(store, configured, grace=grace, force=True)
    return Flushed(tuple(sent), done.held, done.notes)
