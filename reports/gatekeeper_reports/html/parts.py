"""The gates, phase by phase: what does not pass is written out, the rest is folded away."""

from collections.abc import Iterator, Sequence
from itertools import takewhile

from jinja2 import Environment
from markupsafe import Markup
from msgspec import Struct

from gatekeeper import Result, Run
from gatekeeper.model import PHASES, STATUSES, Counts
from gatekeeper.wording import counted, worst_first
from gatekeeper_reports.html.budgets import Earlier
from gatekeeper_reports.html.cards import card
from gatekeeper_reports.html.folds import Fold, Room, fold

MOST_CARDS, CARDS_SIZE = 100, 1_200_000
"""Gates that are written out, and bytes of their part of the page."""
ROWS_SIZE = 1_500_000
"""Bytes of the rows of those that are folded away."""
OUTPUT_EACH, OUTPUT_ALL = 65_536, 1_000_000
"""Characters of one captured output, and of all of them."""

TITLES = {"pre": "Before the flow (pre)", "post": "After the flow (post)"}


class Part(Struct, frozen=True, kw_only=True):
    """The gates of one phase: those that are written out, and those that are folded away."""

    phase: str
    title: str
    counted: str
    calm: str
    cards: list[Markup]
    folds: list[Fold]


def to_tell(run: Run) -> list[Result]:
    """What does not pass; what decides the verdict comes first."""
    return [result for result in worst_first(run.results) if result.status not in ("pass", "skip")]


def written_out(told: Sequence[Result], earlier: Earlier, templates: Environment) -> list[Markup]:
    """The first of these results as cards, as many as there is room for."""
    template = templates.get_template("card.html")
    room = max(2_000, min(OUTPUT_EACH, OUTPUT_ALL // (2 * len(told) or 1)))
    size = Room(CARDS_SIZE)
    texts = (
        template.render(card=card(number, result, room, earlier))
        for number, result in enumerate(told[:MOST_CARDS])
    )
    return [Markup(text) for text in takewhile(size.take, texts)]


def parts(run: Run, told: Sequence[Result], cards: Sequence[Markup]) -> Iterator[Part]:
    """The gates of each phase: `told` are those that do not pass, and the first of them have `cards`."""
    room = Room(ROWS_SIZE)
    phases = [phase for phase in PHASES if any(result.phase == phase for result in run.results)]
    for phase in phases:
        own = [result for result in run.results if result.phase == phase]
        rest = [result for result in told[len(cards) :] if result.phase == phase]
        written = zip(told, cards, strict=False)
        yield Part(
            phase=phase,
            title=TITLES[phase] if len(phases) > 1 else "Gates",
            counted=counted(_count(own)),
            calm=_calm(own),
            cards=[made for result, made in written if result.phase == phase],
            folds=[*_folds(own, rest, room)],
        )


def _calm(own: Sequence[Result]) -> str:
    """What to say where nothing has to be looked at; empty where something has."""
    statuses = {result.status for result in own}
    if statuses == {"skip"}:
        return "No gate ran here: all were skipped."
    return "" if statuses - {"pass", "skip"} else "Nothing to look at: every gate that ran passed."


def _folds(own: Sequence[Result], rest: Sequence[Result], room: Room) -> Iterator[Fold]:
    passed = [result for result in own if result.status == "pass"]
    skipped = [result for result in own if result.status == "skip"]
    if rest:
        yield fold(f"{len(rest):,} more that do not pass", "more", rest, room)
    if passed:
        yield fold(f"{len(passed):,} passed", "pass", passed, room)
    if skipped:
        yield fold(f"{len(skipped):,} skipped", "skip", skipped, room)


def _count(results: Sequence[Result]) -> Counts:
    found = [result.status for result in results]
    return Counts(*(found.count(status) for status in STATUSES))
