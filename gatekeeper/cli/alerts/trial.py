"""`gatekeeper alerts test`: a marked event through a channel, to see whether it works."""

import sys
import time
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

import click
from msgspec import Struct

from gatekeeper.channels import Alert, AlertEvent, Delivered, Notification, Outcome, Refused
from gatekeeper.cli import complain
from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.terminal import Printer, wants_color
from gatekeeper.errors import GatekeeperError, UsageError, nearest
from gatekeeper.model import SEVERITIES, Severity
from gatekeeper.plain import strict_json
from gatekeeper.project import Project
from gatekeeper.quantities import show
from gatekeeper.record import stamp, utc_now
from gatekeeper.store import open_store
from gatekeeper.store.standing import Delivery
from gatekeeper.wording import one_line

if TYPE_CHECKING:
    from gatekeeper.alerts.configured import Configured

NO_CHANNELS = (
    'no channel is configured. In gatekeeper.toml, for a start:\n[[alerts.channels]]\ntype = "console"'
)


class Tried(Struct, frozen=True):
    """One channel, tried: what became of it, how long it took in seconds, and when that was (since the epoch)."""

    channel: "Configured"
    notification: Notification
    outcome: Outcome
    took_s: float
    at: float


def complete_channels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of channels for the shell; none where the project can't be loaded."""
    from gatekeeper.alerts.configured import channels

    try:
        project = load_project()
        names = [each.name for each in channels(project.settings, project.plugins, project.settings.root)]
    except GatekeeperError:
        return []
    return [name for name in names if name.startswith(incomplete)]


@click.command("test")
@click.argument("names", nargs=-1, metavar="[CHANNEL]...", shell_complete=complete_channels)
@click.option("--all", "everyone", is_flag=True, help="Every channel that is configured.")
@click.option(
    "--severity", type=click.Choice(SEVERITIES), default="high", show_default=True, help="Of the event."
)
@project_options
def try_channels(
    *,
    names: tuple[str, ...],
    everyone: bool,
    severity: Severity,
    config: str | None,
    profile: str | None,
) -> int:
    """Send an event that is marked as a test through a CHANNEL, and say what happened.

    It goes the way of every other one (the channel's own settings, deadline and signature), but whatever is silenced
    and whatever the channel's `min_severity` and `match` say. It is tried once and recorded in `alerts history`. A
    channel that the other side had switched off (HTTP 410) is used again once this works. Exit code 0 when all
    was delivered, else 1.

    \b
    gatekeeper alerts test slack
    gatekeeper alerts test --all --severity critical
    """
    project = load_project(config, profile)
    chosen = _chosen(project, names, everyone=everyone)
    printer = Printer()
    tried = []
    for each in _all_tried(chosen, project, severity):
        printer.write(f"{one_line(_said(each))}\n")
        tried.append(each)
    _record(project, tried)
    return 0 if all(isinstance(each.outcome, Delivered) for each in tried) else 1


def _chosen(project: Project, names: Sequence[str], *, everyone: bool) -> "list[Configured]":
    from gatekeeper.alerts.configured import channels

    found = {each.name: each for each in channels(project.settings, project.plugins, project.settings.root)}
    tables = project.settings.alerts.channels
    if not found:
        raise UsageError("every channel has enabled = false" if tables else NO_CHANNELS)
    if everyone == bool(names):
        raise UsageError(f"which channel: one of {', '.join(found)}, or --all")
    off = {str(table.get("name") or table["type"]) for table in tables} - found.keys()
    unknown = [_unknown(name, [*found], off) for name in names if name not in found]
    if unknown:
        raise UsageError(*map(one_line, unknown))
    return [found[name] for name in dict.fromkeys(names)] if names else [*found.values()]


def _unknown(name: str, known: list[str], off: Collection[str]) -> str:
    if name in off:
        return f"channel {name!r} is switched off: its table has enabled = false"
    listed = f" Configured: {', '.join(known)}."
    return f"no channel {name!r}.{nearest(name, known) or listed}"


def _all_tried(chosen: "Sequence[Configured]", project: Project, severity: Severity) -> Iterator[Tried]:
    """Every channel at once, each as soon as it is done: a dead one keeps no other waiting."""
    import threading
    from queue import SimpleQueue

    done: SimpleQueue[Tried] = SimpleQueue()

    def work(channel: "Configured") -> None:
        done.put(_tried(channel, project, severity))

    for channel in chosen:
        threading.Thread(target=work, args=(channel,), daemon=True).start()
    for _ in chosen:
        yield done.get()


def _tried(channel: "Configured", project: Project, severity: Severity) -> Tried:
    from gatekeeper.alerts.delivery.deliver import Terminal, try_once

    notification = _notification(channel, project.settings.subject_name, severity)
    began = time.monotonic()
    outcome = try_once(channel, notification, Terminal(color=wants_color(sys.stderr, "auto")))
    return Tried(channel, notification, outcome, time.monotonic() - began, time.time())


def _notification(channel: "Configured", subject: str, severity: Severity) -> Notification:
    """What a channel gets as a test: one alert that begins, of a gate that is none."""
    now, identity = stamp(utc_now()), uuid4().hex
    alert = Alert(
        fingerprint=identity,
        gate="alerts.test",
        finding=channel.name,
        subject=subject,
        severity=severity,
        since=now,
        run="",
        summary=f"a test of the channel {channel.name}: nothing has happened",
        hint="nothing to do: somebody called `gatekeeper alerts test`",
    )
    event = AlertEvent(id=identity, kind="firing", time=now, alert=alert)
    return Notification(
        id=uuid4().hex,
        channel=channel.name,
        subject=subject,
        created=now,
        events=(event,),
        firing=1,
        test=True,
    )


def _said(tried: Tried) -> str:
    name, took, outcome = tried.channel.name, show(round(tried.took_s, 3), "s"), tried.outcome
    if isinstance(outcome, Delivered):
        low = tried.channel.min_severity
        least = (
            ""
            if low == SEVERITIES[0]
            else f"; otherwise it is told of {low}{' and up' * (low != SEVERITIES[-1])}"
        )
        return f"{name}: delivered in {took}{least}"
    if isinstance(outcome, Refused):
        return f"{name} NOT delivered: refused after {took}: {outcome.why}"
    return f"{name} NOT delivered: {outcome.why}"


def _record(project: Project, tried: Sequence[Tried]) -> None:
    """Keep what was tried, and bring back or end channels by it; a store that can't is complained about."""
    try:
        with open_store(project.store_url, create=True, folder=project.state) as store:
            with store.changing():
                store.add_events([e for each in tried for e in each.notification.events], time.time())
                store.queue([_delivery(each) for each in tried])
            disabled = store.disabled()
            for each in tried:
                name, outcome = each.channel.name, each.outcome
                if isinstance(outcome, Delivered) and name in disabled:
                    store.disable(name, None, each.at)
                elif isinstance(outcome, Refused) and outcome.disable:
                    store.disable(name, outcome.why, each.at)
    except GatekeeperError as error:
        complain(f"the test is not recorded: {error}")


def _delivery(tried: Tried) -> Delivery:
    delivered = isinstance(tried.outcome, Delivered)
    return Delivery(
        id=tried.notification.id,
        channel=tried.channel.name,
        group="test",
        created=tried.at,
        document=strict_json(tried.notification),
        state="delivered" if delivered else "refused",
        attempts=1,
        due=tried.at,
        done=tried.at,
        why="" if isinstance(tried.outcome, Delivered) else tried.outcome.why,
        ref=tried.outcome.ref if isinstance(tried.outcome, Delivered) else None,
    )
