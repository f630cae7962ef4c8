"""`term`: what a person reads while gates run, on a terminal or in a CI log."""

from collections.abc import Iterator

from gatekeeper import PlanSummary, Report, Result, Run, View, __version__
from gatekeeper.wording import (
    ASCII_GLYPHS,
    GLYPHS,
    MOST_FINDINGS,
    again,
    aligned,
    counted,
    details,
    headline,
    one_line,
    policy_line,
    reason_line,
    worst_first,
)

STYLES = {
    "pass": "32", "warn": "33", "fail": "1;31", "error": "1;31", "unknown": "35", "skip": "2",
    "proceed": "1;32", "hold": "1;33", "block": "1;31", "none": "1;35",
}  # fmt: skip
"""SGR parameters; only the 16 colours that every terminal's own palette defines."""

MARGIN = 9
"""Columns for labels in front of text: `VERDICT  `."""
TAIL = 10
"""Lines of captured output that are shown of each stream, unless everything is asked for."""
MOST_REASONS = 10
QUIET, MORE, ALL = -1, 1, 2


class Terminal:
    """The view of one run: a line for each gate as it finishes, details and verdict at the end."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._seen: set[str] = set()
        self._id_width = 0

    def begin(self, plan: PlanSummary) -> str:
        self._id_width = min(max((len(one_line(gate)) for gate in plan.gates), default=0), 48)
        if self.view.verbosity <= QUIET:
            return ""
        parts = [f"gatekeeper {__version__}", f"phase {plan.phase}"]
        parts += [f"profile {one_line(plan.profile)}"] if plan.profile else []
        parts += [f"config {one_line(plan.config)}"] if plan.config else []
        lines = ["  ".join(parts)]
        if plan.gates:
            origin = f" from {_listed([one_line(source) for source in plan.sources])}" if plan.sources else ""
            lines.append(f"{len(plan.gates)} gate{'s' * (len(plan.gates) != 1)} collected{origin}")
        return self._text([*lines, ""])

    def result(self, result: Result) -> str:
        self._seen.add(result.id)
        if self.view.verbosity <= QUIET and result.status in ("pass", "skip"):
            return ""
        return self._text([self._line(result)])

    def end(self, run: Run) -> str:
        lines = [self._line(result) for result in run.results if result.id not in self._seen]
        if self.view.verbosity <= QUIET:
            told = [f"exit code {self.view.exit}"] if self.view.exit else []
            return self._text([*lines, self._verdict_in_one_line(run), *told])
        if not run.results:
            lines.append(f'No gates ran in phase "{run.header.phase}".')
        for result in worst_first(run.results):
            if result.status not in ("pass", "skip") or self._tells_passes(result):
                lines += ["", *self._block(result)]
        return self._text([*lines, "", *self._verdict(run), *self._closing(run)])

    def _tells_passes(self, result: Result) -> bool:
        return self.view.verbosity >= MORE and bool(result.findings or result.output)

    # -- one gate ---------------------------------------------------------------------------------------

    def _line(self, result: Result) -> str:
        glyph = (GLYPHS if self.view.unicode else ASCII_GLYPHS)[result.status]
        word = f"{glyph} {result.status.upper():<7}"
        seconds = f"{result.duration_s:.2f}s" if result.status != "skip" else "-"
        rest = f" {one_line(result.id):<{self._id_width}}  {seconds:>7}  {headline(result)}".rstrip()
        if self.view.width is not None:
            rest = _cut(rest, self.view.width - len(word), "…" if self.view.unicode else "~")
        return self._styled(word, result.status) + rest

    def _block(self, result: Result) -> Iterator[str]:
        yield self._heading(result)
        everything = self.view.verbosity >= MORE
        most = len(result.findings) if everything else MOST_FINDINGS
        rows = details(result, most, passing=everything)
        if result.title and result.status != "pass":
            rows.insert(0, ("gate", result.title))
        rows += self._output(result)
        if result.status != "pass":
            rows.append(("try", again(result)))
        yield from (f"   {line}" for line in aligned(rows, MARGIN))

    def _heading(self, result: Result) -> str:
        title = f"{result.status.upper()} {one_line(result.id)}"
        about = ", ".join(
            [result.requirement, *([one_line(str(result.source))] if result.source.file else [])]
        )
        styled = self._styled(title, result.status)
        if self.view.width is None:
            return f"{styled}  {about}"
        rule = "─" if self.view.unicode else "-"
        fill = rule * max(2, 48 - len(title))
        return f"{rule * 2} {styled} {fill} {about}"

    def _output(self, result: Result) -> list[tuple[str, str]]:
        if result.status == "pass" and self.view.verbosity < ALL:
            return []
        rows = []
        for label, text in (("stdout", result.output.stdout), ("stderr", result.output.stderr)):
            lines = text.rstrip().split("\n") if text.strip() else []
            hidden = 0 if self.view.verbosity >= ALL else max(0, len(lines) - TAIL)
            if hidden:
                rows.append((label, f"({hidden} earlier lines: -vv)"))
            if lines:
                rows.append((label, "\n".join(f"| {line}" for line in lines[hidden:])))
        if result.output.dropped:
            rows.append(("output", f"({result.output.dropped} bytes were cut from the middle)"))
        return rows

    # -- the run ----------------------------------------------------------------------------------------

    def _verdict(self, run: Run) -> Iterator[str]:
        decision = run.verdict.decision
        head = f"VERDICT  {self._styled(f'{decision.upper():<7}', decision)} "
        total = f"{counted(run.counts)} in {run.header.duration_s:.2f}s"
        reasons = [reason_line(reason) for reason in run.verdict.reasons]
        if decision == "proceed" or not reasons:
            yield head + total
        else:
            yield head + reasons[0]
            yield from (f"{'':<{MARGIN + 8}}{reason}" for reason in reasons[1:MOST_REASONS])
            if len(reasons) > MOST_REASONS:
                yield f"{'':<{MARGIN + 8}}{len(reasons) - MOST_REASONS} more reasons"
            yield _labelled("", total)
        hints = (r.hint for r in run.verdict.reasons[:MOST_REASONS] if r.hint and not r.gate)
        yield from (_labelled("try", one_line(hint)) for hint in hints)
        if (original := run.verdict.original) is not None:
            by = one_line(run.verdict.decided_by)
            yield _labelled("decided", f"by {by}; gatekeeper's own verdict was {original.decision.upper()}")
        if run.header.partial:
            yield _labelled("partial", "only a part of the gates was selected: no clearance of the subject")
        if not run.header.complete:
            yield _labelled("partial", "the run did not finish")

    def _closing(self, run: Run) -> Iterator[str]:
        if run.header.policy is not None:
            yield _labelled("policy", policy_line(run.header.policy))
        yield from (_labelled("note", one_line(note)) for note in run.notes)
        yield from (_labelled(one_line(label), one_line(text)) for label, text in self.view.closing)
        command = self.view.again
        if not command and run.header.phase != "exec":
            command = f"gatekeeper run {run.header.phase} --last-failed"
        if command and any(result.status not in ("pass", "skip") for result in run.results):
            yield _labelled("again", one_line(command))
        yield f"exit code {self.view.exit or run.verdict.exit_code}"

    def _verdict_in_one_line(self, run: Run) -> str:
        verdict = run.verdict
        why = (
            f"{reason_line(verdict.reasons[0])}; "
            if verdict.reasons and verdict.decision != "proceed"
            else ""
        )
        word = self._styled(f"{verdict.decision.upper():<7}", verdict.decision)
        return f"VERDICT  {word} {why}{counted(run.counts)} in {run.header.duration_s:.2f}s"

    # -- the terminal -----------------------------------------------------------------------------------

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.view.color else text

    def _text(self, lines: list[str]) -> str:
        text = "".join(f"{line}\n" for line in lines)
        if self.view.unicode or text.isascii():
            return text
        return text.encode("ascii", "backslashreplace").decode("ascii")


def _labelled(label: str, text: str) -> str:
    return f"{label:<{MARGIN - 1}} {text}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _cut(text: str, width: int, mark: str) -> str:
    """The text in at most `width` columns; East Asian wide characters take two, combining ones none."""
    if text.isascii():
        return text if len(text) <= width else f"{text[: max(0, width - 1)]}{mark}"
    import unicodedata

    used, end = 0, 0
    for index, character in enumerate(text):
        wide = unicodedata.east_asian_width(character) in ("W", "F")
        used += 0 if unicodedata.combining(character) else 2 if wide else 1
        if used > width:
            return f"{text[:end]}{mark}"
        if used < width:
            end = index + 1
    return text


def gatekeeper_reports() -> list[Report]:
    return [Report(name="term", summary="for people, as gates finish", extension="txt", stream=Terminal)]
