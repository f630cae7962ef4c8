"""Labels and texts of alerts that are templates: filled in without ever losing the alert.

What is filled in may be hostile text: it is data, never a template. A template has values, conditions and filters, and
neither loops nor calls, so that its cost is bounded by its length; its text is cut at `MOST` characters.
"""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

MOST = 2_000
"""Characters that a filled in text has at most."""

IDENTITY = ("gate", "finding", "subject", "rule")
"""What a label may use: the rest differs from run to run, and would make another alert of it each time."""

NAMES = (*IDENTITY, "severity", "status", "value", "raw", "limit", "unit", "labels", "run", "since")
"""What a text may use. `value` and `limit` are shown with their unit, `raw` is the number."""


class Filled(Struct, frozen=True):
    """A text, and what went wrong in making it; then the text says so in its place."""

    text: str
    problem: str = ""


def is_template(text: str) -> bool:
    return "{{" in text or "{%" in text or "{#" in text


def fill(text: str, values: Mapping[str, Any]) -> Filled:
    """The text with its values. Never raises: what fails leaves what there was up to there, and a note."""
    if not is_template(text):
        return Filled(text[:MOST])
    from gatekeeper.alerts.judging.sandbox import render

    return Filled(*render(text, values, MOST))


def problem(text: str, names: Collection[str] = NAMES, labels: Collection[str] = ()) -> str:
    """Why a text can't be used as a template; empty where it can, or is none.

    Args:
        text: what was configured.
        names: what it may use.
        labels: names of the labels that are certain to be there, for `labels.NAME`.
    """
    if not is_template(text):
        return ""
    from gatekeeper.alerts.judging.sandbox import unusable

    found = unusable(text, names, labels)
    return found or _with_usual_values(text, names, labels)


def _with_usual_values(text: str, names: Collection[str], labels: Collection[str]) -> str:
    """What goes wrong with values as they usually are."""
    usual = _USUAL | {"labels": dict.fromkeys(labels, "text")}
    return fill(text, {name: usual[name] for name in names}).problem


_USUAL: dict[str, Any] = {
    **dict.fromkeys(NAMES, "text"),
    "value": "7 %",
    "raw": 0.07,
    "limit": "5 %",
    "unit": "ratio",
}
