"""`github`: workflow commands that GitHub Actions shows as annotations, in the log, the run and the pull request.

Escapes as in `toolkit/packages/core/src/command.ts`, which the runner undoes (`Runner.Common/ActionCommand.cs`).
GitHub keeps ten annotations of a kind from a step and says nothing of the others, hence the count in the tenth;
it cuts a message at 4,096 characters.
"""

from typing import TYPE_CHECKING

from gatekeeper import Report, Run, View, printable

if TYPE_CHECKING:
    from gatekeeper.annotations import Annotation

MOST = 10
"""Annotations of a kind that GitHub takes from one step."""
MAX_MESSAGE, MAX_TITLE = 2_000, 200

COMMANDS = {"block": "error", "hold": "error", "warn": "warning", "note": "notice"}


def render(run: Run, view: View) -> str:
    from gatekeeper.annotations import annotations

    found = annotations(run, view.root)
    lines: list[str] = []
    for command in dict.fromkeys(COMMANDS.values()):
        of_kind = [each for each in found if COMMANDS[each.effect] == command]
        shown = of_kind if len(of_kind) <= MOST else of_kind[: MOST - 1]
        lines += [_line(command, each, run) for each in shown]
        if more := len(of_kind) - len(shown):
            lines.append(f"::{command} title=gatekeeper::{more} more in the summary")
    return "".join(f"{line}\n" for line in lines)


def _line(command: str, annotation: "Annotation", run: Run) -> str:
    title = f"{annotation.status.upper()} {annotation.about}"
    if annotation.is_verdict:
        title = f"gatekeeper {run.verdict.decision.upper()}"
    properties = {"title": _cut(title, MAX_TITLE)}
    if annotation.place is not None:
        place = annotation.place
        properties = {"file": printable(place.file), "line": str(place.line), **properties}
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    message = _cut(printable("\n".join(annotation.lines), newlines=True), MAX_MESSAGE)
    return f"::{command} {given}::{_data(message)}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def gatekeeper_reports() -> list[Report]:
    summary = "annotations for GitHub Actions"
    imports = ("gatekeeper.annotations",)
    return [Report(name="github", summary=summary, extension="txt", render=render, imports=imports)]
