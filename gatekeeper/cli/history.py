"""`gatekeeper history`: the runs that were recorded."""

from collections.abc import Iterator, Sequence

import click
import msgspec

from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.recorded import NO_RUNS, recorded, render
from gatekeeper.cli.terminal import When, print_out
from gatekeeper.errors import UsageError, nearest
from gatekeeper.model import RunPhase
from gatekeeper.project import Project
from gatekeeper.quantities import Duration, show
from gatekeeper.store import NoStore, Pruned, RunRow, open_store
from gatekeeper.wording import counted, moment, one_line


@click.group("history")
def history_command() -> None:
    """List, show and prune recorded runs.

    \b
    gatekeeper history list
    gatekeeper history show latest
    gatekeeper history prune --older-than 90d
    """


# -- list ------------------------------------------------------------------------------------------------


@history_command.command("list")
@click.option("--subject", metavar="NAME", help="Only runs of this subject.")
@click.option("--phase", type=click.Choice(["pre", "post", "all", "exec"]), help="Only runs of this phase.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many runs.")
@click.option("--before", metavar="RUN", help="Go on from this run to older ones.")
@click.option(
    "--format", "form", type=click.Choice(["term", "json"]), default="term", help="json: one document."
)
@project_options
def list_runs(
    *,
    subject: str | None,
    phase: RunPhase | None,
    limit: int,
    before: str | None,
    form: str,
    config: str | None,
    profile: str | None,
) -> None:
    """List recorded runs, newest first.

    \b
    gatekeeper history list
    gatekeeper history list --subject checkout --phase post --limit 50
    gatekeeper history list --format json
    """
    project = load_project(config, profile)
    rows, empty = _listed(project, subject, phase, limit + 1, before)
    shown, more = rows[:limit], len(rows) > limit
    if form == "json":
        document = {"schema": "gatekeeper.history/1", "runs": shown, "more": more}
        _print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    lines = [*_table(shown)] if shown else [empty]
    if more:
        lines.append(f"older: gatekeeper history list --before {shown[-1].id}")
    _print("\n".join(lines))


def _listed(
    project: Project, subject: str | None, phase: RunPhase | None, limit: int, before: str | None
) -> tuple[list[RunRow], str]:
    """The runs, and what to say where there are none."""
    try:
        with open_store(project.store_url, create=False, folder=project.state) as store:
            start = store.run(before).id if before else None
            rows = store.runs(subject, phase, limit, start)
            subjects = [] if rows else store.subjects()
    except NoStore:
        if before:
            raise UsageError(f"--before {before}: {NO_RUNS}") from None
        return [], NO_RUNS
    return rows, _nothing(subjects, subject, phase, before)


def _nothing(subjects: Sequence[str], subject: str | None, phase: RunPhase | None, before: str | None) -> str:
    if not subjects:
        return NO_RUNS
    if subject is not None and subject not in subjects:
        known = nearest(subject, [*subjects]) or f" Recorded: {', '.join(subjects[:10])}."
        return one_line(f"No runs of subject {subject!r}.{known}")
    wanted = [f"subject {subject!r}"] if subject else []
    wanted += [f"phase {phase}"] if phase else []
    return one_line(f"No {'older ' if before else ''}runs{' of ' if wanted else ''}{', '.join(wanted)}.")


def _table(rows: Sequence[RunRow]) -> Iterator[str]:
    head = ("RUN", "STARTED", "PHASE", "SUBJECT", "VERDICT", "GATES")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(row: RunRow) -> tuple[str, ...]:
    marks = [word for word, holds in (("interrupted", not row.complete), ("partial", row.partial)) if holds]
    gates = f"{counted(row.counts)} in {show(row.duration_s, 's')}"
    return (
        one_line(row.id),
        moment(row.started),
        row.phase,
        one_line(row.subject),
        row.decision.upper(),
        f"{gates} ({', '.join(marks)})" if marks else gates,
    )


# -- show ------------------------------------------------------------------------------------------------


@history_command.command("show")
@click.argument("run", default="latest")
@click.option(
    "--format", "form", metavar="FORMAT", default="term", show_default=True, help="Any report format."
)
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="NO_COLOR is honoured."
)
@click.option("-v", "--verbose", count=True, help="More; -vv shows all findings and output.")
@project_options
def show_run(
    *, run: str, form: str, color: When, verbose: int, config: str | None, profile: str | None
) -> None:
    """Show a recorded RUN: an id, the beginning of one, latest (the default), latest~1.

    \b
    gatekeeper history show
    gatekeeper history show 3f2a9c -vv
    gatekeeper history show latest~1 --format json
    """
    project = load_project(config, profile)
    (found,) = recorded(project, [run])
    render(project, found, form, color=color, verbosity=verbose)


# -- prune -----------------------------------------------------------------------------------------------


@history_command.command("prune")
@click.option("--older-than", metavar="TIME", help='Such as "30d" or "12h"; default: [store] retention.')
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How many runs of each subject and phase to keep, however old.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@project_options
def prune_runs(
    *, older_than: str | None, keep: int, dry_run: bool, config: str | None, profile: str | None
) -> None:
    """Remove old runs from the history, and give their space back.

    \b
    gatekeeper history prune --dry-run
    gatekeeper history prune --older-than 90d --keep 5
    """
    project = load_project(config, profile)
    age = _age(older_than) if older_than is not None else float(project.settings.store.retention)
    try:
        with open_store(project.store_url, create=False, folder=project.state) as store:
            pruned = store.prune(age, keep, dry_run=dry_run)
    except NoStore:
        _print(NO_RUNS)
        return
    _print(_said(pruned, age, dry_run))


def _age(given: str) -> float:
    try:
        return float(Duration.parse(given))
    except ValueError as error:
        raise UsageError(f"--older-than: {error}") from None


def _said(pruned: Pruned, age: float, dry_run: bool) -> str:
    if not pruned.runs and not pruned.alerts:
        return f"Nothing to remove: no run is older than {show(age, 's')}, but for those that are kept."
    counts = [("run", pruned.runs), ("result", pruned.results), ("sample", pruned.samples)]
    counts += [("record", pruned.alerts)] if pruned.alerts else []
    what = ", ".join(f"{count} {word}{'s' * (count != 1)}" for word, count in counts)
    what += " of alerts" if pruned.alerts else ""
    if dry_run:
        return f"Would remove {what}."
    return f"Removed {what}; {show(pruned.freed, 'B')} freed."


def _print(text: str) -> None:
    print_out(f"{text}\n")
