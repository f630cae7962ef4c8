"""What is not written out: rows of gates as data in the page, which become elements when somebody opens them.

A row is a list, to be small: status, id, headline, duration, requirement, and the details as pairs of label and text.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from gatekeeper import Result, show, strict_json
from gatekeeper.wording import details, headline
from gatekeeper_reports.html.text import cut, tail

Row = tuple[str, str, str, str, str]

MOST_OUTPUT, MOST_DETAILS, FULL = 3_000, 20_000, 500
WITHOUT_SCRIPTS = 200
"""Rows of a fold that are listed where no script may run."""


class Fold(Struct, frozen=True, kw_only=True):
    """Gates that are folded away together. `more` had no room, not even for a row."""

    title: str
    status: str
    results: Sequence[Result]
    rows: Sequence[Row]

    @property
    def listed(self) -> Sequence[Row]:
        return self.rows[:WITHOUT_SCRIPTS]

    @property
    def more(self) -> int:
        return len(self.results) - len(self.rows)


class Room:
    """Bytes that there still is room for."""

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def full(self) -> bool:
        """Whether it isn't worth while to try any more."""
        return self._left < FULL

    def take(self, text: str) -> bool:
        """Whether there was room for this too."""
        size = len(text.encode())
        if size > self._left:
            return False
        self._left -= size
        return True


def fold(title: str, status: str, results: Sequence[Result], room: Room) -> Fold:
    return Fold(title=title, status=status, results=results, rows=[*_fitting(results, room)])


def _fitting(results: Sequence[Result], room: Room) -> Iterator[Row]:
    for result in results:
        row = _row(result)
        if not room.take(embedded(row)):
            return
        yield row


def _row(result: Result) -> Row:
    seconds = show(result.duration_s, "s") if result.status != "skip" else ""
    requirement = result.requirement if result.requirement != "required" else ""
    return result.status, cut(result.id, 300), cut(headline(result), 300), seconds, requirement


def data(folds: Iterable[Fold], room: Room) -> str:
    """The rows of all folds, in the order of the page; with details, as far as there is room for them."""
    return f"[{','.join(_rows(found, room) for found in folds)}]"


def _rows(found: Fold, room: Room) -> str:
    rows = []
    for row, result in zip(found.rows, found.results, strict=False):
        told = "[]" if room.full else embedded([*_bounded(_told(result))])
        rows.append(f"{embedded(row)[:-1]},{told if room.take(told) else '[]'}]")
    return f"[{','.join(rows)}]"


def _told(result: Result) -> Iterator[tuple[str, str]]:
    if result.title:
        yield "gate", cut(result.title)
    for label, text in details(result, passing=True):
        yield label, cut(text)
    if result.source.file:
        yield "source", cut(str(result.source))
    for label, text in (("stdout", result.output.stdout), ("stderr", result.output.stderr)):
        if text.strip():
            yield label, tail(text, MOST_OUTPUT)


def _bounded(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    room = Room(MOST_DETAILS)
    for label, text in rows:
        if not room.take(text):
            yield "more", "see the JSON report"
            return
        yield label, text


def embedded(value: object) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or begins a comment.

    By the restrictions of the HTML standard on the contents of script elements (section 4.12.1.3).
    """
    text = strict_json(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
