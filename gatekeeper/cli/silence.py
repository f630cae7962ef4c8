"""`gatekeeper silence`: nothing is told of a gate for a while."""

import time
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from gatekeeper.cli.alertwords import at, length, matched
from gatekeeper.cli.columns import FORMAT, columns, document, plural
from gatekeeper.cli.project import complete_gates, load_project, project_options
from gatekeeper.cli.quieting import (
    as_data,
    changing,
    complete_quiets,
    covered_lines,
    covers_now,
    duration,
    ended,
    gates_covered,
    labels_from,
    moment_of,
    new_id,
    reason_of,
    scope_options,
    user_name,
)
from gatekeeper.cli.terminal import print_out
from gatekeeper.errors import UsageError, nearest
from gatekeeper.store import NoStore, open_store
from gatekeeper.store.standing import Quiet
from gatekeeper.wording import one_line

NONE = "Nothing is silenced."


class SilenceCommands(click.Group):
    """`silence GATE …` stands for `silence add GATE …`: what is no command is a gate."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["add", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        gates = complete_gates(ctx, self.commands["add"].params[0], incomplete)
        return [*super().shell_complete(ctx, incomplete), *map(CompletionItem, gates)]


@click.group("silence", cls=SilenceCommands)
def silence_command() -> None:
    """Tell nobody of a gate's alerts for a while; verdicts stay what they are.

    `gatekeeper silence GATE …` is short for `gatekeeper silence add GATE …`. What still fires when a silence ends is
    told then; what came and went meanwhile never is.

    \b
    gatekeeper silence pre.components --for 2h --reason "the database moves"
    gatekeeper silence list
    gatekeeper silence end k7m2
    """


# -- add -------------------------------------------------------------------------------------------------


@silence_command.command("add")
@click.argument("gate", shell_complete=complete_gates)
@click.option("--for", "lasts", metavar="TIME", help='For how long: "2h", "90m", "1d".')
@click.option(
    "--until", metavar="TIME", help='Until when: "2026-11-21 18:00", with an offset or in --timezone.'
)
@click.option(
    "--timezone", metavar="ZONE", default="UTC", show_default=True, help="Of --until, by its IANA name."
)
@scope_options
@FORMAT
@project_options
def add_silence(
    *,
    gate: str,
    lasts: str | None,
    until: str | None,
    timezone: str,
    subject: str,
    labels: tuple[str, ...],
    reason: str | None,
    by: str | None,
    form: str,
    config: str | None,
    profile: str | None,
) -> None:
    """Silence a GATE: an id, a name, or a pattern; "*" is every gate. It begins at once.

    \b
    gatekeeper silence pre.components --for 2h --reason "the database moves"
    gatekeeper silence "post.*" --until "2026-11-21 18:00" --timezone Europe/Warsaw --reason "known, ticket 17"
    gatekeeper silence latency --for 1d --label team=db --reason "new hardware"
    """
    project, now = load_project(config, profile), time.time()
    with changing(project, create=True) as store:
        standings = store.standings()
        gates = gates_covered(gate, project, standings, also=("list", "end"))
        quiet = Quiet(
            id=new_id({each.id for each in store.quiets()}),
            gate=gate,
            subject=subject,
            labels=labels_from(labels, project),
            starts=now,
            ends=_end(lasts, until, timezone, now),
            reason=reason_of(reason),
            author=by or user_name(),
        )
        store.put_quiet(quiet)
    if form == "json":
        print_out(f"{_document([quiet])}\n")
        return
    lines = [
        f"silence  {quiet.id}: {matched(quiet)} until {at(quiet.ends)} ({length(now, quiet.ends)})",
        *covered_lines(quiet, gates, standings),
        f"end it   gatekeeper silence end {quiet.id}",
    ]
    print_out("".join(f"{one_line(line)}\n" for line in lines))


def _end(lasts: str | None, until: str | None, timezone: str, now: float) -> float:
    if (lasts is None) == (until is None):
        raise UsageError("for how long: --for 2h, or --until TIME")
    if lasts is not None:
        return now + duration(lasts, "--for")
    end = moment_of(str(until), "--until", timezone, now)
    if end <= now:
        raise UsageError(f"--until: {at(end)} is over already; it is {at(now)}")
    return end


def _document(quiets: Sequence[Quiet]) -> str:
    return document(
        "gatekeeper.silences/1", silences=[{"id": quiet.id, **as_data(quiet)} for quiet in quiets]
    )


# -- list ------------------------------------------------------------------------------------------------


@silence_command.command("list")
@click.option("--all", "over", is_flag=True, help="Those that are over too, as long as they are kept.")
@FORMAT
@project_options
def list_silences(*, over: bool, form: str, config: str | None, profile: str | None) -> None:
    """List silences, those that end first on top.

    \b
    gatekeeper silence list
    gatekeeper silence list --format json
    """
    project, now = load_project(config, profile), time.time()
    try:
        with open_store(project.store_url, create=False, folder=project.state) as store:
            found = store.quiets("silence", ended_after=0.0 if over else now)
            standings = store.standings()
    except NoStore:
        found, standings = [], []
    found.sort(key=lambda quiet: (quiet.ends, quiet.id))
    if form == "json":
        print_out(f"{_document(found)}\n")
        return
    rows = [("ID", "ALERTS OF", "ENDS", "FIRING", "BY", "REASON")]
    for quiet in found:
        ends = f"{at(quiet.ends)} ({f'in {length(now, quiet.ends)}' if quiet.ends > now else 'over'})"
        count = str(len(covers_now(quiet, standings)))
        cells = (quiet.id, matched(quiet), ends, count, quiet.author, quiet.reason)
        rows.append(tuple(map(one_line, cells)))  # type: ignore[arg-type]
    print_out("\n".join(columns(rows) if found else [NONE]) + "\n")


# -- end -------------------------------------------------------------------------------------------------


@silence_command.command("end")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=complete_quiets("silence"))
@project_options
def end_silences(*, ids: tuple[str, ...], config: str | None, profile: str | None) -> None:
    """End silences before their time. What still fires is told with the next run, or `gatekeeper alerts flush`.

    \b
    gatekeeper silence end k7m2
    gatekeeper silence end k7m2 p3xw
    """
    project, now = load_project(config, profile), time.time()
    try:
        with changing(project) as store:
            quiets, standings = store.quiets(), store.standings()
            found = _meant(ids, quiets, now)
            for quiet in found:
                store.put_quiet(ended(quiet, now))
    except NoStore:
        raise UsageError(f"no silence {ids[0]!r}. {NONE}") from None
    for quiet in found:
        firing = len(covers_now(quiet, standings))
        what = f"; {plural(firing, 'alert')} of it: told with the next run, or gatekeeper alerts flush"
        print_out(one_line(f"ended {quiet.id}: {matched(quiet)}{what if firing else ''}") + "\n")


def _meant(ids: Sequence[str], quiets: Sequence[Quiet], now: float) -> list[Quiet]:
    """Raises UsageError: one is none, or is over."""
    known = {quiet.id: quiet for quiet in quiets}
    problems = [problem for name in dict.fromkeys(ids) if (problem := _problem(name, known, now))]
    if problems:
        raise UsageError(*map(one_line, problems))
    return [known[name] for name in dict.fromkeys(ids)]


def _problem(name: str, known: dict[str, Quiet], now: float) -> str:
    quiet = known.get(name)
    if quiet is not None and quiet.kind == "maintenance":
        return f"{name} is a maintenance window: gatekeeper maintenance end {name}"
    open_ = [each for each in known.values() if each.kind == "silence" and each.ends > now]
    if quiet is None:
        of_gate = [each.id for each in open_ if each.gate == name]
        if of_gate:
            return f"{name} is silenced by {', '.join(of_gate)}: gatekeeper silence end {' '.join(of_gate)}"
        hint = nearest(name, [each.id for each in open_]) or (
            " gatekeeper silence list" if open_ else f" {NONE}"
        )
        return f"no silence {name!r}.{hint}"
    return "" if quiet in open_ else f"{name} ended {at(quiet.ends)}"
