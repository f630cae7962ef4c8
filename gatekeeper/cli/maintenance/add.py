"""`gatekeeper maintenance add`: plan a window."""

import time
from collections.abc import Sequence

import click

from gatekeeper.cli.alertwords import at, length, matched
from gatekeeper.cli.columns import FORMAT
from gatekeeper.cli.maintenance.windows import Time, Window, as_document, configured
from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.quieting import (
    changing,
    covered_lines,
    duration,
    gate_option,
    gates_covered,
    labels_from,
    moment_of,
    reason_of,
    scope_options,
    user_name,
)
from gatekeeper.cli.terminal import print_out
from gatekeeper.errors import UsageError
from gatekeeper.plain import printable
from gatekeeper.project import Project
from gatekeeper.store.standing import Quiet
from gatekeeper.wording import one_line


@click.command("add")
@click.argument("name")
@click.option(
    "--from", "starts", metavar="TIME", default="now", show_default=True,
    help='First moment: "2026-11-21 02:00", with an offset or in --timezone; or now.',
)  # fmt: skip
@click.option("--for", "lasts", metavar="TIME", required=True, help='How long: "2h", "90m".')
@click.option(
    "--repeat", metavar="RULE", default="",
    help='When it recurs: a rule of RFC 5545, "FREQ=WEEKLY;BYDAY=SU", "FREQ=DAILY".',
)  # fmt: skip
@click.option(
    "--timezone",
    metavar="ZONE",
    default="UTC",
    show_default=True,
    help="Of --from and --repeat, by its IANA name.",
)
@gate_option
@scope_options
@FORMAT
@project_options
def add_window(
    *,
    name: str,
    starts: str,
    lasts: str,
    repeat: str,
    timezone: str,
    gate: str,
    subject: str,
    labels: tuple[str, ...],
    reason: str | None,
    by: str | None,
    form: str,
    config: str | None,
    profile: str | None,
) -> None:
    """Plan a window of this NAME, for all alerts or those of some gates.

    \b
    gatekeeper maintenance add move --from now --for 2h --reason "the database moves"
    gatekeeper maintenance add patches --from "2026-11-22 02:00" --for 3h --repeat "FREQ=WEEKLY;BYDAY=SU" \\
        --timezone Europe/Warsaw --gate "pre.*" --reason "updates are installed"
    """
    project, now = load_project(config, profile), time.time()
    begins = moment_of(starts, "--from", timezone, now)
    quiet = Quiet(
        id=_checked_name(name, project),
        kind="maintenance",
        gate=gate,
        subject=subject,
        labels=labels_from(labels, project),
        starts=begins,
        ends=begins + duration(lasts, "--for"),
        repeat=repeat,
        timezone=timezone,
        reason=reason_of(reason),
        author=by or user_name(),
    )
    times = _checked_times(Window(quiet), now)
    with changing(project, create=True) as store:
        standings = store.standings()
        gates = gates_covered(gate, project, standings)
        _refuse_taken(name, store.quiets(ended_after=now), now)
        store.put_quiet(quiet)
    if form == "json":
        print_out(f"{as_document([Window(quiet)], now)}\n")
        return
    lines = [
        f"planned  {name}: {matched(quiet)}",
        *(_opens(each, now) for each in times),
        *covered_lines(quiet, gates, standings),
        f"end it   gatekeeper maintenance end {name}",
    ]
    print_out("".join(f"{one_line(line)}\n" for line in lines))


def _opens(times: Time, now: float) -> str:
    start, end = times
    if start <= now:
        return f"open     until {at(end)} ({length(now, end)})"
    return f"opens    {at(start)}, for {length(start, end)}"


def _checked_name(name: str, project: Project) -> str:
    """Raises UsageError: it can't be shown or typed, or the configuration has one of that name."""
    if not name.strip() or name != printable(name).strip() or len(name) > 100:
        raise UsageError(
            f"NAME: expected 1 to 100 characters, none of them a control character, got {name!r}"
        )
    for window in configured(project):
        if window.quiet.id == name:
            raise UsageError(f"{name!r} is a window of the configuration: {window.place}")
    return name


def _checked_times(window: Window, now: float) -> list[Time]:
    """When it opens next, or is open.

    Raises:
        UsageError: never, or its rule or time zone is wrong.
    """
    from gatekeeper.recurrence import Recurrence, zone

    quiet = window.quiet
    options = {"repeat": "--repeat", "timezone": "--timezone", "lasts": "--for", "starts": "--from"}
    try:
        zone(quiet.timezone)
        if quiet.repeat:
            Recurrence(quiet.repeat, quiet.starts, quiet.ends - quiet.starts, quiet.timezone)
    except ValueError as error:
        key, _, text = str(error).partition(":")
        raise UsageError(f"{options[key]}:{text}" if key in options else f"--repeat: {error}") from None
    if times := window.times(now):
        return times
    if quiet.repeat:
        raise UsageError(f"--repeat: {quiet.repeat} never opens from {at(quiet.starts)} on")
    raise UsageError(f"--for: it would be over at {at(quiet.ends)} already; it is {at(now)}")


def _refuse_taken(name: str, quiets: Sequence[Quiet], now: float) -> None:
    taken = next((quiet for quiet in quiets if quiet.id == name and Window(quiet).times(now)), None)
    if taken is not None and taken.kind == "silence":
        raise UsageError(f"a silence has the id {name!r}: choose another name")
    if taken is not None:
        raise UsageError(
            f"there is a window {name!r} already: gatekeeper maintenance end {name}, or another name"
        )
