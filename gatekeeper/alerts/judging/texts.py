"""What an alert says: its own words, or a rule's."""

from collections.abc import Iterator, Mapping
from typing import Any

from gatekeeper.alerts.judging.conditions import Condition
from gatekeeper.alerts.judging.templates import MOST, fill, is_template
from gatekeeper.model import Severity
from gatekeeper.quantities import show
from gatekeeper.wording import number

WORDS = ("summary", "description", "hint", "link")
"""Annotations that are fields of an alert."""


class Texts:
    """The texts of a run's alerts, and the notes about those that could not be made."""

    def __init__(self, link: str, subject: str, run: str) -> None:
        self._link, self._subject, self._run = link, subject, run
        self.notes: list[str] = []

    def of(self, condition: Condition, severity: Severity, since: str) -> dict[str, Any]:
        """The fields `summary`, `description`, `hint`, `link` and `annotations` of an alert."""
        rule = condition.rule
        templates = {"link": self._link, **rule.annotations}
        values: Mapping[str, Any] = {}
        if any(map(is_template, templates.values())):
            values = self._values(condition, severity, since)
        filled = dict(self._filled(rule.name, templates, values))
        return {
            "summary": filled.pop("summary", "") or condition.summary[:MOST],
            "description": filled.pop("description", "") or condition.description[:MOST],
            "hint": filled.pop("hint", "") or condition.hint[:MOST],
            "link": filled.pop("link", ""),
            "annotations": filled,
        }

    def _filled(
        self, rule: str, templates: Mapping[str, str], values: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        for name, text in templates.items():
            filled = fill(text, values)
            if filled.problem:
                whose = f"alert rule {rule!r}" if rule else "alerts"
                self.notes.append(f"{whose}: the template of {name} failed: {filled.problem}")
            # half an address leads astray; half a sentence still says something
            yield name, "" if filled.problem and name == "link" else filled.text

    def _values(self, condition: Condition, severity: Severity, since: str) -> dict[str, Any]:
        value, unit = condition.value, condition.unit
        measured = number(value)
        return {
            "gate": condition.gate,
            "finding": condition.finding,
            "subject": self._subject,
            "rule": condition.rule.name,
            "severity": severity,
            "status": condition.status,
            "value": _shown(value, unit),
            "raw": _shown(value, None) if measured is None else measured,
            "limit": _shown(condition.limit, unit),
            "unit": unit or "",
            "labels": dict(condition.labels),
            "run": self._run,
            "since": since,
        }


def _shown(value: Any, unit: str | None) -> str:
    return "" if value is None else show(value, unit)[:MOST]
