"""`markdown`: a GitHub job summary, or a comment on a pull request (GitHub Flavored Markdown).

Everything from a gate is written as entities or in code, where Markdown, HTML, links and mentions mean
nothing. What matters most comes first, and what doesn't fit is counted: GitHub refuses a summary of more than 1 MiB
for a step (docs.github.com, "Workflow commands", "Step isolation and limits") and a comment of more than 65,536
characters; for one of those, be quiet: verbosity below 0.
"""

import re
from collections.abc import Iterable, Iterator

from gatekeeper import Report, Result, Run, View
from gatekeeper.model import PHASES, STATUSES, Counts, Since
from gatekeeper.wording import (
    DECISION_GLYPHS,
    GLYPHS,
    again,
    aligned,
    counted,
    details,
    expected,
    headline,
    lasting,
    moment,
    observed,
    one_line,
    policy_line,
    reason_line,
    worst_first,
)

MAX_SUMMARY, MAX_COMMENT = 900_000, 60_000
"""Bytes, with room for what else goes into the same summary or comment."""
MAX_CELL, MAX_OUTPUT = 300, 3_000

_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "&<>\"'\\`*_{}[]#|~!@$^"}
_MENTION = re.compile("&#(64|35);(?=[A-Za-z0-9])")


def render(run: Run, view: View) -> str:
    limit = MAX_SUMMARY if view.verbosity >= 0 else MAX_COMMENT
    told = [result for result in worst_first(run.results) if result.status not in ("pass", "skip")]
    quiet = [result for result in run.results if result.status in ("pass", "skip")]
    parts = [_head(run)]
    room = limit - len(parts[0].encode()) - 1_000
    rows = _fitting(map(_row, told), room // 2)
    if rows:
        parts.append("\n| | Gate | Observed | Limit | Why | Change |\n|-|-|-|-|-|-|\n" + "".join(rows))
    parts.append(_more(len(told) - len(rows), "gates that do not pass", run.id))
    room -= sum(len(row.encode()) for row in rows)
    blocks = _fitting(map(_block, told), room * 3 // 4)
    parts += [*blocks, _more(len(rows) - len(blocks), "gates without their details", run.id)]
    room -= sum(len(block.encode()) for block in blocks)
    parts.append(_quiet(quiet, room, run.id))
    return "".join(parts)


def _head(run: Run) -> str:
    decision = run.verdict.decision
    reasons = [reason_line(reason) for reason in run.verdict.reasons]
    title = f"{DECISION_GLYPHS[decision]} {decision.upper()}"
    if reasons and decision != "proceed":
        title = f"{title}: {prose(reasons[0])}"
    header, subject = run.header, run.subject
    facts = [f"{counted(run.counts)} in {header.duration_s:.2f} s", f"phase {header.phase}{_phases(run)}"]
    facts += [f"subject {code(subject.name)}"] if subject.name else []
    facts += [code(subject.digest[:19])] if subject.digest else []
    commit = run.environment.get("commit")
    facts += [f"commit {code(commit[:7])}"] if isinstance(commit, str) and commit else []
    facts += [f"profile {code(header.profile)}"] if header.profile else []
    facts += [f"policy {code(policy_line(header.policy))}"] if header.policy else []
    facts += [f"run {code(run.id)}"]
    lines = [f"## {title}", "", ", ".join(facts)]
    if decision != "proceed" and len(reasons) > 1:
        lines += ["", *(f"- {prose(reason)}" for reason in reasons[1:10])]
        lines += [f"- {len(reasons) - 10} more reasons"] if len(reasons) > 10 else []
    lines += [line for remark in _remarks(run) for line in ("", remark)]
    lines += ["", *(f"- note: {prose(note)}" for note in run.notes[:10])] if run.notes else []
    return "\n".join(lines) + "\n"


def _phases(run: Run) -> str:
    """Where both phases ran, what came of each: ` (pre: 3 passed; post: 1 failed)`."""
    told = []
    for phase in PHASES:
        statuses = [result.status for result in run.results if result.phase == phase]
        told += [f"{phase}: {counted(Counts(*map(statuses.count, STATUSES)))}"] if statuses else []
    return f" ({'; '.join(told)})" if len(told) > 1 else ""


def _remarks(run: Run) -> Iterator[str]:
    """What else a reader of the verdict must know."""
    if (original := run.verdict.original) is not None:
        yield f"Decided by {code(run.verdict.decided_by)}; gatekeeper's own verdict was {original.decision.upper()}."
    if run.header.partial:
        yield "A part of the gates was selected: this does not clear the subject."
    if not run.header.complete:
        yield "The run did not finish."


def _row(result: Result) -> str:
    finding = result.decisive
    cells = (
        _status(result) + (f" ({result.requirement})" if result.requirement != "required" else ""),
        code(result.id),
        code(observed(finding)) if finding else "",
        code(expected(finding)) if finding else "",
        prose(headline(result)),
        prose(_change(result.since)) if result.since else "",
    )
    return "| " + " | ".join(cells) + " |\n"


def _change(since: Since) -> str:
    """What is different from the last run."""
    if since.runs > 1:
        return lasting(since)
    return "new" if since.last_passed is None else f"was PASS, {moment(since.last_passed)}"


def _status(result: Result) -> str:
    return f"{GLYPHS[result.status]} {result.status.upper()}"


def _block(result: Result) -> str:
    about = ", ".join([result.requirement, *([str(result.source)] if result.source.file else [])])
    rows = [*details(result), *_output(result), ("try", again(result))]
    title = f"{_status(result)} {code(result.id)}: evidence and what to try ({prose(about)})"
    return f"\n<details><summary>{title}</summary>\n\n{preformatted(aligned(rows))}\n\n</details>\n"


def _output(result: Result) -> list[tuple[str, str]]:
    """The last of what was printed: the end of a log says most."""
    streams = (("stdout", result.output.stdout), ("stderr", result.output.stderr))
    return [(label, text[-MAX_OUTPUT:].rstrip()) for label, text in streams if text.strip()]


def _quiet(results: list[Result], room: int, run: str) -> str:
    if not results:
        return ""
    passed = sum(result.status == "pass" for result in results)
    title = f"{passed} passed, {len(results) - passed} skipped"
    lines = (f"| {_status(r)} | {code(r.id)} | {prose(headline(r))} |\n" for r in results)
    rows = _fitting(lines, room)
    table = "".join(["| | Gate | Evidence |\n|-|-|-|\n", *rows])
    more = _more(len(results) - len(rows), "gates", run)
    return f"\n<details><summary>{title}</summary>\n\n{table}{more}\n</details>\n"


def _more(count: int, what: str, run: str) -> str:
    """How much had no room, and where the whole is."""
    command = code(f"gatekeeper report term {run}")
    return f"\n{count} more {what}: see the JSON or HTML report, or {command}.\n" if count > 0 else ""


def _fitting(parts: Iterable[str], room: int) -> list[str]:
    """The first parts that fit into so many bytes together; no more of them are made."""
    taken: list[str] = []
    for part in parts:
        room -= len(part.encode())
        if room < 0:
            break
        taken.append(part)
    return taken


def prose(text: str) -> str:
    """Text without markup, links and mentions: a zero-width space keeps @ and # from their names."""
    return _MENTION.sub(r"&#\1;&#8203;", _entities(text))


def code(text: str) -> str:
    """Text in a code face, where GitHub looks for neither mentions nor references."""
    return f"<code>{_entities(text)}</code>" if text else ""


def _entities(text: str) -> str:
    line = one_line(text)
    if len(line) > MAX_CELL:
        line = f"{line[: MAX_CELL - 1]}…"
    # with an entity in it, no address is linked: what links is the literal text
    return line.translate(_ENTITIES).replace("://", "&#58;//").replace("www.", "www&#46;")


def preformatted(lines: Iterable[str]) -> str:
    """Lines as they are. Nothing inside is Markdown, and only the tag itself could end it."""
    text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<pre>{text}</pre>"


def gatekeeper_reports() -> list[Report]:
    return [Report(name="markdown", summary="a job summary or comment", extension="md", render=render)]
