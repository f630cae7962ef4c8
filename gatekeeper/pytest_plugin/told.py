"""What gates found, as text: of a failed item, of a flow's verdict. The words are those of the terminal view."""

from collections.abc import Iterator

from gatekeeper.model import Result, Run
from gatekeeper.wording import aligned, counted, details, headline, one_line, reason_line, worst_first

MARGIN = 9
MOST_REASONS = 10


def line(result: Result) -> str:
    """A result in one safe line, its status first."""
    return f"{result.status}: {headline(result)}"


def block(result: Result, *further: tuple[str, str]) -> Iterator[str]:
    """The safe lines of a result with its findings: what was expected, observed, since when, what to try.

    `further` are rows of label and text that come last.
    """
    where = [result.requirement, *([one_line(str(result.source))] if result.source.file else [])]
    yield f"{result.status.upper()} {one_line(result.id)}  {', '.join(where)}"
    rows = [("gate", result.title)] if result.title else []
    yield from (f"   {row}" for row in aligned([*rows, *details(result), *further], MARGIN))


def reasons(run: Run, none: str = "") -> Iterator[str]:
    """The safe lines of a verdict: why it is what it is, and what to try. Where nothing is to be said, `none`."""
    found = run.verdict.reasons
    for reason in found[:MOST_REASONS]:
        yield reason_line(reason)
        if reason.hint:
            yield f"   try  {one_line(reason.hint)}"
    if len(found) > MOST_REASONS:
        yield f"and {len(found) - MOST_REASONS} more reasons"
    if not found:
        yield none


def refusal(whole: Run) -> Iterator[str]:
    """The safe lines of a verdict that stands against a test: why, in one line, then all that was found."""
    yield f"gatekeeper: {whole.verdict.decision}: {next(reasons(whole))}"
    yield from run(whole)


def run(run: Run) -> Iterator[str]:
    """The safe lines of a run: its verdict, then every gate that has something to say."""
    yield f"{run.verdict.decision.upper()}  {counted(run.counts)}"
    yield from (reason_line(reason) for reason in run.verdict.reasons if not reason.gate)
    for result in worst_first(run.results):
        if result.status not in ("pass", "skip") or result.blocked_by:
            yield from block(result, *_output(result))
    yield from (f"note {one_line(note)}" for note in run.notes)


def _output(result: Result) -> Iterator[tuple[str, str]]:
    for label, text in (("stdout", result.output.stdout), ("stderr", result.output.stderr)):
        if text.strip():
            yield label, text.rstrip()
