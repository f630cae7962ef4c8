"""The page as a whole: the verdict and why, the gates, budgets, history, notes, environment."""

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup
from msgspec import Struct, to_builtins

from gatekeeper import Finding, Result, Run, View, show
from gatekeeper.model import Decision, Status, Verdict
from gatekeeper.reporting import Past
from gatekeeper.wording import counted, moment, policy_line, reason_line, tally
from gatekeeper_reports.html.budgets import MOST as MOST_BUDGETS
from gatekeeper_reports.html.budgets import Earlier, budgets, most_urgent
from gatekeeper_reports.html.folds import Room, data, embedded
from gatekeeper_reports.html.history import history
from gatekeeper_reports.html.parts import MOST_CARDS, parts, to_tell, written_out
from gatekeeper_reports.html.templates import asset, templates
from gatekeeper_reports.html.text import cut, evidence

SIZE = 4_900_000
"""Bytes that the page may have, but for its script: what is left is for the details of gates that are folded away."""
MOST_REASONS, MOST_NOTES, MOST_FACTS = 10, 20, 40

ORDER: tuple[Status, ...] = ("fail", "error", "unknown", "warn", "pass", "skip")

MEANINGS: dict[Decision, str] = {
    "proceed": "Nothing that is required stands in the way.",
    "hold": "Somebody has to look before this goes on.",
    "block": "This must not go on.",
    "none": "Nothing was decided, which is no permission to go on.",
}


class Why(Struct, frozen=True):
    """A reason of a verdict in words, and the number of its gate's card where there is one."""

    text: str
    card: int | None = None


def page(run: Run, view: View) -> str:
    """The whole document; at most 5 MB, whatever the run holds."""
    environment = templates()
    told, measured = to_tell(run), most_urgent(run)
    earlier = _earlier(view.past, told, measured)
    cards = written_out(told, earlier or {}, environment)
    numbers = {result.id: number for number, result in enumerate(told[: len(cards)])}
    gates = [*parts(run, told, cards)]
    past, script = history(run, view.past), asset("page.js")
    body = environment.get_template("page.html").render(
        run=run,
        decision=run.verdict.decision,
        subject=cut(run.subject.name, 200),
        meaning=_meaning(run.verdict),
        counted=counted(run.counts),
        counters=[(status, tally(run.counts)[status]) for status in ORDER],
        whys=_whys(run.verdict, numbers),
        original=run.verdict.original,
        own_whys=_whys(run.verdict.original, numbers),
        facts=[*_facts(run)],
        parts=gates,
        budgets=budgets(measured, earlier),
        history=past,
        environment=[*_environment(run)],
        notes=_notes(run, past.problem),
        again=cut(_again(run, view)),
        exit_code=cut(view.exit or str(run.verdict.exit_code)),
        style=asset("page.css"),
        script=script,
    )
    folds = [found for part in gates for found in part.folds]
    room = Room(SIZE - len(body.encode()) - sum(len(embedded(found.rows).encode()) for found in folds))
    return body + environment.get_template("tail.html").render(data=Markup(data(folds, room)), script=script)


def _earlier(
    past: Past | None, told: Sequence[Result], measured: Sequence[tuple[Result, Finding]]
) -> Earlier | None:
    """What the gates that are shown measured in earlier runs; None where there are no earlier runs."""
    if past is None or not past.runs:
        return None
    shown = {result.id for result in [*told[:MOST_CARDS], *(result for result, _ in measured[:MOST_BUDGETS])]}
    return past.values(sorted(shown))


def _whys(verdict: Verdict | None, numbers: Mapping[str, int]) -> list[Why]:
    """A verdict's reasons, each with the number of its gate's card; the last says how many there are no words for."""
    reasons = verdict.reasons if verdict else ()
    whys = [Why(cut(reason_line(reason), 500), numbers.get(reason.gate)) for reason in reasons[:MOST_REASONS]]
    if len(reasons) > MOST_REASONS:
        whys.append(Why(f"{len(reasons) - MOST_REASONS} more reasons"))
    return whys


def _meaning(verdict: Verdict) -> str:
    if verdict.original is not None and verdict.original.decision != verdict.decision:
        return "This is not gatekeeper's own verdict."
    return MEANINGS[verdict.decision]


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    """What a reader wants to know of the run at once."""
    header, subject = run.header, run.subject
    if subject.digest:
        yield "artifact", cut(f"{subject.digest[:19]}…")
    yield "phase", header.phase
    if header.profile:
        yield "profile", cut(header.profile, 200)
    yield "started", cut(moment(header.started), 40)
    yield "took", show(header.duration_s, "s")
    if header.policy:
        yield "policy", cut(policy_line(header.policy), 200)
    yield "run", cut(header.id, 200)


def _environment(run: Run) -> Iterator[tuple[str, str]]:
    """Where and with what the run took place: everything that the record has."""
    header = run.header
    told = (
        ("run", header.id),
        ("started", header.started),
        ("config", header.config),
        ("profile", header.profile),
        ("settings", header.settings_digest),
        ("pre run", header.pre_run),
        ("policy", to_builtins(header.policy)),
        ("artifact", run.subject.digest),
        *run.environment.items(),
    )
    found = [(cut(name, 200), evidence(value)) for name, value in told if value not in (None, "", {}, [])]
    yield from found[:MOST_FACTS]
    if len(found) > MOST_FACTS:
        yield "…", f"{len(found) - MOST_FACTS} more: see the JSON report"


def _notes(run: Run, problem: str) -> list[str]:
    notes = [*run.notes, *([f"history could not be read: {problem}"] if problem else [])]
    more = [f"{len(notes) - MOST_NOTES} more notes"] if len(notes) > MOST_NOTES else []
    return [*(cut(note) for note in notes[:MOST_NOTES]), *more]


def _again(run: Run, view: View) -> str:
    """The command that runs what did not pass once more; empty where there is none."""
    if all(result.status in ("pass", "skip") for result in run.results):
        return ""
    if run.header.phase == "exec":  # only whoever ran the command knows it
        return view.again
    return view.again or f"gatekeeper run {run.header.phase} --last-failed"
