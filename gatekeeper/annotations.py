"""What a run has to say about the files of a repository, for formats that annotate them: github, gitlab, sarif.

There is an annotation for each gate that does not pass, at the gate's own file and line; a gate that comes from a
package is annotated where it is configured. A finding whose evidence names a `file` of the repository, and perhaps a
`line` in it, has an annotation of its own there. So has each reason of the verdict that no gate stands for: nobody
who reads annotations only may take a verdict for green that is not.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from gatekeeper.model import WORST_FIRST, Reason, Requirement, Result, Run, Status
from gatekeeper.places import Place, Places
from gatekeeper.wording import again, details, headline, one_line, summary, unexplained, unique, worst_first

Effect: TypeAlias = Literal["block", "hold", "warn", "note"]
EFFECTS: tuple[Effect, ...] = ("block", "hold", "warn", "note")
"""What an annotation does to the verdict, worst first. An advisory gate warns at most, an observed one is noted."""

MOST_DETAILS = 3
"""Findings of a gate whose numbers stand in its annotation."""

VERDICT = "verdict"
"""The rule of an annotation that is no gate's."""


class Annotation(Struct, frozen=True, kw_only=True):
    """One thing to say.

    `rule` is the gate's id; `text` one safe line; `details` are rows of label and text as gates wrote them.
    `fingerprint` is the same in every run for the same gate, finding and subject, whatever was observed, and no
    other annotation of the run has it.
    """

    rule: str
    effect: Effect
    status: str
    requirement: Requirement = "required"
    text: str
    place: Place | None
    fingerprint: str
    details: tuple[tuple[str, str], ...] = ()

    @property
    def is_verdict(self) -> bool:
        return self.rule == VERDICT

    @property
    def about(self) -> str:
        """The rule in one safe line, with the requirement where it is not the usual one: `pre.disk (advisory)`."""
        return one_line(self.rule) + (f" ({self.requirement})" if self.requirement != "required" else "")

    @property
    def lines(self) -> list[str]:
        """The text, and each row of details that adds to it, as lines that are not safe yet."""
        rows = ((label, text) for label, text in self.details if one_line(text) != self.text)
        return [self.text, *(f"{label}: {text}" for label, text in rows)]


def annotations(run: Run, root: Path | None = None) -> list[Annotation]:
    """What to say about a run, worst first; nothing where nothing is wrong. `root` is the project's folder."""
    places = Places(root, run.header.config)
    found = [_of_reason(reason, run, places) for reason in unexplained(run)]
    for result in worst_first(run.results):
        if result.status not in ("pass", "skip"):
            found += _of_result(result, run.subject.name, places)
    return sorted(_distinct(found), key=lambda annotation: EFFECTS.index(annotation.effect))


def effect_of(status: Status, requirement: Requirement) -> Effect:
    """What a gate of this requirement does to a verdict with a status that is neither pass nor skip."""
    if requirement == "required" and status in ("fail", "error"):
        return "block"
    if requirement == "required" and status == "unknown":
        return "hold"
    return "note" if requirement == "observe" else "warn"


def _of_reason(reason: Reason, run: Run, places: Places) -> Annotation:
    result = run.result(reason.gate) if reason.gate else None
    decision = run.verdict.decision
    return Annotation(
        rule=reason.gate or VERDICT,
        effect="block" if decision == "block" else "hold",
        status=reason.status,
        text=one_line(reason.text) or f"the verdict is {decision}",
        place=places.gate(result) if result else places.configuration(),
        fingerprint=_fingerprint(run.subject.name, reason.gate or VERDICT, reason.status),
        details=(("try", reason.hint),) if reason.hint else (),
    )


def _of_result(result: Result, subject: str, places: Places) -> Iterator[Annotation]:
    """The gate's own annotation, unless every finding against it has a place of its own; and those of the findings."""
    told = [finding for finding in result.findings if finding.status not in ("pass", "skip")]
    placed = [(finding, place) for finding in told if (place := places.finding(finding))]
    if not placed or len(placed) < len(told):
        rows = [row for row in details(result, MOST_DETAILS) if row[0] not in ("evidence", "attempt")]
        yield Annotation(
            rule=result.id,
            effect=effect_of(result.status, result.requirement),
            status=result.status,
            requirement=result.requirement,
            text=headline(result) or result.status,
            place=places.gate(result),
            fingerprint=_fingerprint(subject, result.id),
            details=(*rows, ("try", again(result))),
        )
    placed.sort(key=lambda pair: WORST_FIRST.index(pair[0].status))
    names = unique(finding.name for finding, _ in placed)
    for name, (finding, place) in zip(names, placed, strict=True):
        yield Annotation(
            rule=result.id,
            effect=effect_of(finding.status, result.requirement),
            status=finding.status,
            requirement=result.requirement,
            text=one_line(summary(finding)) or finding.status,
            place=place,
            fingerprint=_fingerprint(subject, result.id, name),
            details=(("try", finding.hint),) if finding.hint else (),
        )


def _fingerprint(*parts: str) -> str:
    import hashlib

    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:40]


def _distinct(found: list[Annotation]) -> Iterator[Annotation]:
    """Each fingerprint once: a verdict may have two reasons of a kind."""
    from msgspec.structs import replace

    for annotation, name in zip(found, unique(each.fingerprint for each in found), strict=True):
        yield annotation if name == annotation.fingerprint else replace(annotation, fingerprint=name)
