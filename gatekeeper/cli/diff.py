"""`gatekeeper diff`: what differs between two runs."""

import sys
from collections.abc import Iterator, Sequence

import click
import msgspec

from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.recorded import previous, recorded
from gatekeeper.cli.terminal import can_show, print_out
from gatekeeper.compare import Difference, GateChange, Side, ValueChange, compare
from gatekeeper.quantities import show
from gatekeeper.wording import moment, one_line


@click.command("diff")
@click.argument("before", metavar="[RUN", required=False)
@click.argument("after", metavar="[RUN]]", default="latest")
@click.option(
    "--format", "form", type=click.Choice(["term", "json"]), default="term", help="json: one document."
)
@project_options
def diff_command(before: str | None, after: str, form: str, config: str | None, profile: str | None) -> None:
    """Compare two recorded runs: gates whose status changed, that came or went, and values of findings.

    A RUN is an id, the beginning of one, latest, latest~1, or a file with a JSON report. The second is latest
    where it is not given; without any, latest is compared with the one before it of its subject and phase.
    The exit code is 0 whether they differ or not.

    \b
    gatekeeper diff
    gatekeeper diff latest~5
    gatekeeper diff main.json latest --format json
    """
    project = load_project(config, profile)
    if before is None:
        (later,) = recorded(project, [after])
        found = compare(previous(project, later), later)
    else:
        found = compare(*recorded(project, [before, after]))
    if form == "json":
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    else:
        text = "\n".join(_lines(found, "→" if can_show(sys.stdout, "→") else "->"))
    print_out(f"{text}\n")


def _lines(found: Difference, arrow: str) -> Iterator[str]:
    yield f"before  {_side(found.before)}"
    yield f"after   {_side(found.after)}"
    yield from (f"note    {note}" for note in _notes(found))
    yield ""
    if found.empty:
        yield "No differences."
        return
    if found.before.decision != found.after.decision:
        yield f"verdict  {found.before.decision.upper()} {arrow} {found.after.decision.upper()}"
    yield from _block("gates", [_gate(change, arrow) for change in found.gates])
    yield from _block("values", [_value(change, arrow) for change in found.values])


def _side(side: Side) -> str:
    parts = (side.id, moment(side.started), side.phase, side.subject, side.decision.upper())
    return "  ".join(one_line(part) for part in parts)


def _notes(found: Difference) -> Iterator[str]:
    if found.before.id == found.after.id:
        yield "this is one and the same run"
    if found.before.subject != found.after.subject:
        yield "the runs are of different subjects"
    if found.before.phase != found.after.phase:
        yield "the runs are of different phases"
    if found.same_settings is False:
        yield "the configuration changed between them"


def _block(title: str, rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns under a title; nothing where there are none."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    yield title
    for row in rows:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _gate(change: GateChange, arrow: str) -> tuple[str, ...]:
    if change.before is None:
        moved = f"added, {str(change.after).upper()}"
    elif change.after is None:
        moved = f"removed, was {change.before.upper()}"
    else:
        moved = f"{change.before.upper()} {arrow} {change.after.upper()}"
    return one_line(change.gate), moved, one_line(change.reason)


def _value(change: ValueChange, arrow: str) -> tuple[str, ...]:
    before, after = (one_line(show(value, change.unit)) for value in (change.before, change.after))
    return one_line(change.gate), one_line(change.finding), f"{before} {arrow} {after}", _by(change)


def _by(change: ValueChange) -> str:
    """How much more or less: `+2 s (+5 %)`; of a ratio, in points."""
    if change.change is None:
        return ""
    sign = "+" if change.change > 0 else "-"
    size = abs(change.change)
    if change.unit == "ratio":
        return f"{sign}{show(size * 100)} points"
    relative = "" if change.relative is None else f" ({sign}{show(abs(change.relative), 'ratio')})"
    return f"{sign}{show(size, change.unit)}{relative}"
