"""`gitlab`: a code quality report, which GitLab shows in merge requests and pipelines.

The subset of Code Climate's format that GitLab reads (docs.gitlab.com/ci/testing/code_quality, "Code Quality report
format"): a JSON array, empty where nothing is wrong. GitLab tells new from known entries by their fingerprints.
"""

from typing import TYPE_CHECKING

from gatekeeper import Report, Run, View, printable, strict_json
from gatekeeper.wording import one_line

if TYPE_CHECKING:
    from gatekeeper.annotations import Annotation

SEVERITIES = {"block": "blocker", "hold": "critical", "warn": "minor", "note": "info"}
MAX_DESCRIPTION = 500


def render(run: Run, view: View) -> str:
    import msgspec

    from gatekeeper.annotations import annotations

    entries = [_entry(annotation) for annotation in annotations(run, view.root)]
    return msgspec.json.format(strict_json(entries), indent=2).decode() + "\n"


def _entry(annotation: "Annotation") -> dict[str, object]:
    from gatekeeper.places import NOWHERE

    place = annotation.place or NOWHERE
    return {
        "description": _described(annotation),
        "check_name": one_line(annotation.rule),
        "fingerprint": annotation.fingerprint,
        "severity": SEVERITIES[annotation.effect],
        "location": {"path": printable(place.file), "lines": {"begin": place.line}},
    }


def _described(annotation: "Annotation") -> str:
    text = f"{annotation.about}: {annotation.text}"
    return text if len(text) <= MAX_DESCRIPTION else f"{text[: MAX_DESCRIPTION - 1]}…"


def gatekeeper_reports() -> list[Report]:
    summary = "code quality, for GitLab"
    imports = ("gatekeeper.annotations",)
    return [Report(name="gitlab", summary=summary, extension="json", render=render, imports=imports)]
