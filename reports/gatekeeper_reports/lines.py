"""`lines`: one plain line for each gate, for screen readers, grep and cut.

Fields are separated by a tab: word, id, seconds, text. The last line is the verdict:
`VERDICT`, decision, seconds, text. No field contains a tab or a line break.
"""

from gatekeeper import PlanSummary, Report, Result, Run, View
from gatekeeper.wording import counted, headline, one_line, reason_line


class Lines:
    """Streams results in the order in which they finish."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def begin(self, plan: PlanSummary) -> str:
        return ""

    def result(self, result: Result) -> str:
        self._seen.add(result.id)
        return _line(result)

    def end(self, run: Run) -> str:
        late = "".join(_line(result) for result in run.results if result.id not in self._seen)
        verdict = run.verdict
        texts = [reason_line(reason) for reason in verdict.reasons] if verdict.decision != "proceed" else []
        texts += [counted(run.counts)]
        if run.header.partial:
            texts.append("partial run")
        texts.append(f"exit code {verdict.exit_code}")
        seconds = f"{run.header.duration_s:.3f}s"
        return late + "\t".join(("VERDICT", verdict.decision.upper(), seconds, "; ".join(texts))) + "\n"


def _line(result: Result) -> str:
    text = headline(result)
    if result.status not in ("pass", "skip") and result.requirement != "required":
        text = f"{text} ({result.requirement})"
    return "\t".join((result.status.upper(), one_line(result.id), f"{result.duration_s:.3f}s", text)) + "\n"


def _stream(view: View) -> Lines:
    return Lines()


def gatekeeper_reports() -> list[Report]:
    return [Report(name="lines", summary="one plain line for each gate", extension="txt", stream=_stream)]
