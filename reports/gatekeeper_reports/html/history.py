"""Earlier runs: a strip of their verdicts, and a grid of gates and runs, in one drawing and as a table."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from gatekeeper import Result, Run
from gatekeeper.model import STATUSES, WORST_FIRST
from gatekeeper.reporting import Past, PastRun
from gatekeeper.wording import held_against, moment
from gatekeeper_reports.html.text import cut

MOST_GATES = 30
PITCH, STRIP = 22, 48
"""Pixels from one cell to the next, and of the strip above them."""

HEIGHTS = {"block": 44, "hold": 32, "proceed": 20, "none": 44}


class Cell(Struct, frozen=True):
    """One gate in one run, at `x` and `y`; `status` is empty where the gate was not in the run."""

    x: int
    y: int
    status: str
    title: str


class Column(Struct, frozen=True, kw_only=True):
    """One run: where it stands, and what to say about it."""

    x: int
    height: int
    id: str
    name: str
    when: str
    decision: str
    mark: str
    current: bool = False

    @property
    def title(self) -> str:
        marks = f" ({self.mark})" if self.mark else ""
        return f"{'this run' if self.current else f'run {self.name}'}, {self.when}: {self.decision.upper()}{marks}"


class Line(Struct, frozen=True, kw_only=True):
    """One gate in all runs."""

    gate: str
    now: str
    cells: list[Cell]


class History(Struct, frozen=True, kw_only=True):
    """What is drawn; `empty` says why there is nothing to draw."""

    columns: Sequence[Column] = ()
    lines: Sequence[Line] = ()
    more: int = 0
    problem: str = ""
    empty: str = ""

    @property
    def width(self) -> int:
        return len(self.columns) * PITCH

    @property
    def height(self) -> int:
        return STRIP + len(self.lines) * PITCH

    @property
    def label(self) -> str:
        earlier = [column.decision for column in self.columns if not column.current]
        counts = [f"{earlier.count(word)} {word}" for word in HEIGHTS if word in earlier]
        return f"{len(earlier)} earlier runs, oldest first: {', '.join(counts)}; this run: {self.columns[-1].decision}"


def history(run: Run, past: Past | None) -> History:
    if past is None:
        return History(empty="This report was made without history.")
    earlier = past.runs
    statuses = past.statuses([result.id for result in run.results]) if earlier else {}
    if past.problem:
        return History(problem=past.problem, empty="History could not be read.")
    if not earlier:
        return History(
            empty=f"This is the first recorded {run.header.phase} run of {cut(run.subject.name, 200)}: "
            "from the next one on, earlier runs stand here."
        )
    columns = [*_columns(earlier, run)]
    chosen = sorted(run.results, key=lambda result: _importance(result, statuses))[:MOST_GATES]
    lines = [
        _line(place, result, columns, statuses.get(result.id, {})) for place, result in enumerate(chosen)
    ]
    return History(columns=columns, lines=lines, more=len(run.results) - len(lines))


def _columns(earlier: Sequence[PastRun], run: Run) -> Iterator[Column]:
    this = PastRun(
        id=run.id,
        started=run.header.started,
        decision=run.verdict.decision,
        complete=run.header.complete,
        partial=run.header.partial,
    )
    for place, each in enumerate([*earlier, this]):
        mark = "interrupted" if not each.complete else "partial" if each.partial else ""
        yield Column(
            x=place * PITCH,
            height=HEIGHTS[each.decision],
            id=each.id,
            name=cut(each.id, 60),
            when=cut(moment(each.started), 40),
            decision=each.decision,
            mark=mark,
            current=place == len(earlier),
        )


def _importance(result: Result, statuses: Mapping[str, Mapping[str, str]]) -> tuple[bool, int, int]:
    """What decides now, then by its status now, then by how often it did not pass."""
    troubles = sum(status not in ("pass", "skip") for status in statuses.get(result.id, {}).values())
    return not held_against(result), WORST_FIRST.index(result.status), -troubles


def _line(place: int, result: Result, columns: Sequence[Column], by_run: Mapping[str, str]) -> Line:
    y, gate, cells = STRIP + place * PITCH, cut(result.id, 60), []
    for column in columns:
        found = result.status if column.current else by_run.get(column.id, "")
        status = found if found in STATUSES else ""
        said = status.upper() or "not in this run"
        cells.append(Cell(column.x, y, status, f"{gate}, {column.when}: {said}"))
    return Line(gate=gate, now=result.status, cells=cells)
