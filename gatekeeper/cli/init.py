"""`gatekeeper init`: write a configuration to start from."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from gatekeeper.scaffold.actions import Action, carry_out, planned
from gatekeeper.scaffold.guides import Imported, leftovers, read_guide, settle
from gatekeeper.scaffold.surroundings import look_around


@click.command("init")
@click.option(
    "--from",
    "sources",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Import thresholds and endpoints of a JSON configuration; repeatable.",
)
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab", "jenkins", "azure", "none"]),
    help="Write a CI file for it; by default for what is found here.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be written, and show gatekeeper.toml.")
def init_command(sources: tuple[Path, ...], ci: str | None, *, dry_run: bool) -> None:
    """Write a working gatekeeper.toml, an example gate and a CI file. Nothing that exists is overwritten.

    \b
    gatekeeper init
    gatekeeper init --ci gitlab
    gatekeeper init --from monitoring-config.json --from quality_gates.json
    gatekeeper init --dry-run
    """
    folder = Path.cwd()
    around = look_around(folder)
    imports = [read_guide(source, str(source)) for source in sources]
    settle(imports)
    named = [str(source) for source in sources]
    found = [note for note in around.notes if note.partition(" ")[0] not in named] + named
    click.echo(f"Found: {', '.join(found) or 'nothing to go by'}")
    actions = list(planned(folder, around, imports, ci or around.host))
    written = actions[0].verb == "create"
    for action in actions:
        if action.verb != "skip" and not dry_run:
            carry_out(folder, action)
        click.echo(_line(action))
        if action.path == "gatekeeper.toml":
            _echo_all(
                line for imported in imports for line in _imported(imported, written=written or dry_run)
            )
    if dry_run:
        click.echo(f"\n{actions[0].path} would be:\n\n{actions[0].text}\nNothing was written (--dry-run).")
    else:
        click.echo("Next:  gatekeeper run pre")


def _line(action: Action) -> str:
    return f"  {action.verb:<7} {action.path:<28} {action.why}"


def _echo_all(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(line)


def _imported(imported: Imported, *, written: bool) -> Iterator[str]:
    """What became of an imported file."""
    if written:
        what = [_counted(len(imported.endpoints), "endpoint"), _counted(imported.thresholds, "threshold")]
        yield f"  import  {imported.file}  -> {', '.join(what)}"
    for reason, paths in leftovers(imported):
        yield f"          not imported: {_short(paths)}: {reason}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _short(paths: Sequence[str]) -> str:
    """`check_intervals.a`, `check_intervals.b` → `check_intervals (a, b)`."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        table, _, key = path.rpartition(".")
        groups.setdefault(table, []).append(key)
    return ", ".join(
        f"{table} ({', '.join(keys)})"
        if table and len(keys) > 1
        else f"{table}{'.' if table else ''}{', '.join(keys)}"
        for table, keys in groups.items()
    )
