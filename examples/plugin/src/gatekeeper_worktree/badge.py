"""A report: the verdict as a badge, in the format of the shields.io endpoint (https://shields.io/badges/endpoint-badge)."""

import json
from collections.abc import Iterable

from gatekeeper import Report, Run, View

COLORS = {"proceed": "brightgreen", "hold": "yellow", "block": "red"}


def gatekeeper_reports() -> Iterable[Report]:
    return [
        Report(
            name="badge",
            summary="a badge of the verdict (shields.io endpoint JSON)",
            extension="json",
            render=render,
        )
    ]


def render(run: Run, view: View) -> str:
    decision = run.verdict.decision
    badge = {
        "schemaVersion": 1,
        "label": f"gates {run.header.phase}",
        "message": decision,
        "color": COLORS.get(decision, "lightgrey"),
    }
    return json.dumps(badge) + "\n"
