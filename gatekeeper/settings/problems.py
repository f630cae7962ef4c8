"""Mistakes in a configuration as the lines that people read."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gatekeeper.settings.layers import Part, Path, decisive

if TYPE_CHECKING:
    from gatekeeper.settings.convert import Problem

BARE = re.compile(r"[A-Za-z0-9_-]+")


def lines(problems: "Iterable[Problem]", parts: Sequence[Part]) -> list[str]:
    """One line for each problem, with its place: `gatekeeper.toml:12  [gates.resources] unknown key "cpu"`.

    A problem's path starts where the parts' data do.
    """
    return [line(problem.path, problem.message, parts) for problem in problems]


def line(path: Path, message: str, parts: Sequence[Part], table_length: int | None = None) -> str:
    """One problem as a line. The first `table_length` keys (by default one) name the table that it shows."""
    found = decisive(parts, path)
    if found is None:
        return f"{dotted(path)}: {message}" if path else message
    part, known = found
    place = part.place(known)
    if part.layer.kind in ("environment", "flag"):
        return f"{place}: {message}"
    start = part.layer.prefix
    full = (*start, *part.at, *path)
    inside = min(1, len(path) - 1) if table_length is None else table_length
    split = len(start) + len(part.at) + inside
    while split < len(full) and isinstance(full[split], int):
        split += 1
    table, key = full[:split], full[split:]
    if message.startswith(("unknown key", "missing key")):
        table, key = (*table, *key[:-1]), ()
    elif key and message.startswith(f"{key[-1]} "):
        key = key[:-1]  # the message itself says which
    shown = [f"[{dotted(table)}]"] if table else []
    if key:
        shown.append(f"{dotted(key)}:")
    return f"{place}  {' '.join([*shown, message])}"


def dotted(path: Path) -> str:
    """A path as TOML writes it: `components.http[0].url`, `gates."pre.resources"`."""
    result = ""
    for key in path:
        if isinstance(key, int):
            result += f"[{key}]"
        else:
            shown = key if BARE.fullmatch(key) else _quoted(key)
            result += f".{shown}" if result else shown
    return result


def _quoted(key: str) -> str:
    import json

    return json.dumps(key, ensure_ascii=False)
