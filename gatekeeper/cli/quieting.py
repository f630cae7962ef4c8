"""What `silence` and `maintenance` share: options, times, ids, and what is covered."""

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gatekeeper.alerts.configured import labels_of
from gatekeeper.alerts.matching import covers
from gatekeeper.alerts.stages.quiet import matches
from gatekeeper.cli.alertwords import SHORT, named, stamped
from gatekeeper.cli.project import complete_gates, load_project
from gatekeeper.errors import GatekeeperError, UsageError, nearest
from gatekeeper.project import Project
from gatekeeper.quantities import Duration, show
from gatekeeper.recurrence import zone
from gatekeeper.store import open_store
from gatekeeper.store.standing import Quiet, QuietKind, Standing
from gatekeeper.wording import one_line

if TYPE_CHECKING:
    from gatekeeper.store.alerting import AlertQueries

F = TypeVar("F", bound=Callable[..., Any])

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""What ids are made of: nothing that looks like something else."""

MOST_COVERED = 10
"""How many gates and alerts are named."""

EARLIEST, LATEST = 1971, 9000
"""Years that every system can count with."""

LONGEST = 3_660 * 86_400.0
"""Seconds; ten years."""


def complete_quiets(kind: QuietKind) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Ids of silences, or names of windows, for the shell; none where nothing can be read."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        try:
            project = load_project()
            with open_store(project.store_url, create=False, folder=project.state, read_only=True) as store:
                found = store.quiets(kind, ended_after=time.time())
        except GatekeeperError:
            return []
        return [one_line(quiet.id) for quiet in found if quiet.id.startswith(incomplete)]

    return complete


def scope_options(command: F) -> F:
    """`--subject`, `--label`, `--reason` and `--by`."""
    for option in (
        click.option("--by", metavar="NAME", help="Who says so; default: your user name."),
        click.option("--reason", metavar="TEXT", help="Why, for whoever wonders. Required."),
        click.option(
            "--label",
            "labels",
            multiple=True,
            metavar="NAME=VALUE",
            help="Only alerts with this label; repeatable.",
        ),
        click.option(
            "--subject", metavar="NAME", default="", help="Only alerts of this subject; or a pattern."
        ),
    ):
        command = option(command)
    return command


gate_option = click.option(
    "--gate",
    metavar="GATE",
    default="",
    shell_complete=complete_gates,
    help="Only this gate: an id, a name, a pattern.",
)


# -- what was given --------------------------------------------------------------------------------------


def user_name() -> str:
    """Who calls, as the system knows them."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user, as in some containers
        return "unknown"


def duration(given: str, option: str) -> float:
    """Raises UsageError: it is none, or no time at all."""
    try:
        found = float(Duration.parse(given))
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
    if not 0 < found <= LONGEST:
        raise UsageError(f"{option}: expected more than 0 s and at most {show(LONGEST, 's')}, got {given!r}")
    return found


def moment_of(given: str, option: str, timezone: str, now: float) -> float:
    """A time as it was given, in seconds since the epoch: ISO 8601, without an offset in `timezone`; or `now`.

    Raises:
        UsageError: it is none.
    """
    if given.strip().lower() == "now":
        return now
    try:
        found = datetime.fromisoformat(given.strip())
    except ValueError:
        raise UsageError(
            f'{option}: expected a time such as "2026-11-21 18:00", "2026-11-21T18:00+01:00" or "now", got {given!r}'
        ) from None
    if not EARLIEST <= found.year <= LATEST:
        raise UsageError(f"{option}: expected a year from {EARLIEST} to {LATEST}, got {given!r}")
    return (found if found.tzinfo else found.replace(tzinfo=zone_of(timezone))).timestamp()


def zone_of(name: str) -> Any:
    """Raises UsageError: there is no such time zone."""
    try:
        return zone(name)
    except ValueError as error:
        raise UsageError(f"--{error}") from None


def reason_of(given: str | None) -> str:
    """Raises UsageError: there is none."""
    if given is None or not given.strip():
        raise UsageError('--reason is missing: say why, as in --reason "known, ticket 17"')
    return given.strip()


def labels_from(given: Sequence[str], project: Project) -> dict[str, str]:
    """Raises UsageError: one is no `NAME=VALUE`, or no alert can have it."""
    known, found = labels_of(project.settings.alerts), {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--label: expected NAME=VALUE, got {text!r}")
        if name not in known:
            hint = nearest(name, known) or f" Known labels: {', '.join(sorted(known))}."
            raise UsageError(f"--label: no alert has a label {name!r}.{hint}")
        found[name] = value
    return found


def gates_covered(
    gate: str, project: Project, standings: Sequence[Standing], also: Sequence[str] = ()
) -> list[str]:
    """Ids of the gates that are meant, also such as only alerts know; of `also` the nearest name is told too.

    Raises:
        UsageError: none is.
    """
    gates = [*dict.fromkeys([*(gate.id for gate in project.gates), *(s.alert.gate for s in standings)])]
    found = [name for name in gates if not gate or covers(gate, name)]
    if not found:
        names = [*gates, *(name.partition(".")[2] for name in gates), *also]
        raise UsageError(
            one_line(f"no gate {gate!r}.{nearest(gate, names) or ' gatekeeper list shows all.'}")
        )
    return found


# -- the store -------------------------------------------------------------------------------------------


@contextmanager
def changing(project: Project, *, create: bool = False) -> "Iterator[AlertQueries]":
    """The store within one transaction.

    Raises:
        NoStore: there is none.
    """
    with open_store(project.store_url, create=create, folder=project.state) as store, store.changing():
        yield store


def new_id(taken: Collection[str]) -> str:
    """A short id that can be typed."""
    while (found := "".join(secrets.choice(LETTERS) for _ in range(4))) in taken:
        pass
    return found


# -- what it comes to ------------------------------------------------------------------------------------


def covers_now(quiet: Quiet, standings: Sequence[Standing]) -> list[Standing]:
    """The alerts that fire, or are about to, and are meant by it."""
    return [s for s in standings if s.alert.state != "resolved" and matches(quiet, s.alert)]


def covered_lines(quiet: Quiet, gates: Sequence[str], standings: Sequence[Standing]) -> Iterator[str]:
    """Which gates it is about, and which alerts it keeps quiet as they stand."""
    yield f"covers   {_listed(gates) if quiet.gate not in ('', '*') else f'all {len(gates)} gates'}"
    alerts = [s.alert for s in covers_now(quiet, standings)]
    shown = [f"{alert.fingerprint[:SHORT]} {named(alert)}" for alert in alerts]
    yield f"firing   {_listed(shown)}" if shown else "firing   nothing of it now"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_COVERED} more" if len(names) > MOST_COVERED else ""
    return f"{', '.join(names[:MOST_COVERED])}{more}"


def as_data(quiet: Quiet) -> Mapping[str, Any]:
    """A silence or window; its times as records have them."""
    return {
        "gate": quiet.gate,
        "subject": quiet.subject,
        "labels": quiet.labels,
        "starts": stamped(quiet.starts),
        "ends": stamped(quiet.ends),
        "reason": quiet.reason,
        "author": quiet.author,
    }


def ended(quiet: Quiet, now: float) -> Quiet:
    """Over for good."""
    from msgspec.structs import replace

    if quiet.repeat:
        return replace(quiet, until=now)
    return replace(quiet, starts=min(quiet.starts, now), ends=min(quiet.ends, now), until=now)
