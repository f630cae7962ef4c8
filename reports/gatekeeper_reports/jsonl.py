"""`jsonl`: the record of a run as JSON Lines, written while gates finish.

A line `{"type": "run", …}`, one `{"type": "result", …}` for each gate with the fields that it has in the JSON
report, and a last `{"type": "verdict", …}` with everything else of that report. A file without the last line
is of a run that was cut off.
"""

from typing import Any

from gatekeeper import PlanSummary, Report, Result, Run, View, strict_json


class Lines:
    """Streams results in the order in which they finish."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def begin(self, plan: PlanSummary) -> str:
        run = {"id": plan.run, "phase": plan.phase, "profile": plan.profile, "config": plan.config}
        return _line("run", {"schema": "gatekeeper.report/1", "run": run, "gates": list(plan.gates)})

    def result(self, result: Result) -> str:
        self._seen.add(result.id)
        return _line("result", result)

    def end(self, run: Run) -> str:
        late = "".join(_line("result", result) for result in run.results if result.id not in self._seen)
        rest = {
            "run": run.header,
            "subject": run.subject,
            "verdict": run.verdict,
            "counts": run.counts,
            "environment": run.environment,
            "notes": run.notes,
        }
        return late + _line("verdict", rest)


def _line(kind: str, fields: Any) -> str:
    """One line: the fields, a JSON object, with their type in front."""
    return f'{{"type":"{kind}",{strict_json(fields).decode()[1:]}\n'


def _stream(view: View) -> Lines:
    return Lines()


def gatekeeper_reports() -> list[Report]:
    return [
        Report(
            name="jsonl", summary="the record as it grows, for programs", extension="jsonl", stream=_stream
        )
    ]
