"""How commands that list things show them: columns for people, one document for programs."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from gatekeeper.plain import strict_json

FORMAT = click.option(
    "--format", "form", type=click.Choice(["term", "json"]), default="term", help="json: one document."
)
"""The option of commands that list or show things."""


LONGEST = 80
"""Characters of a cell that stands before others: one long text must not push them out of sight."""


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines, each column as wide as it has to be; long cells are cut, but for the last one."""
    cut = [[*map(_short, row[:-1]), row[-1]] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cut, strict=True)]
    for row in cut:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _short(cell: str) -> str:
    return cell if len(cell) <= LONGEST else f"{cell[: LONGEST - 1]}…"


def document(schema: str, **members: Any) -> str:
    """One JSON document of a schema, such as `gatekeeper.alerts/1`."""
    return msgspec.json.format(strict_json({"schema": schema, **members}), indent=2).decode()


def plural(count: int, word: str) -> str:
    """`1 alert`, `2 alerts`."""
    return f"{count} {word}{'s' * (count != 1)}"
