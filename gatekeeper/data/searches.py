"""Looking for text in a stream of lines, in linear time."""

from collections.abc import Callable, Sequence
from typing import Any

from gatekeeper.data.opening import MAX_LINE
from gatekeeper.plain import text

EXAMPLES = 10


def linear_pattern(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a regular expression is found in a text, in time linear in its length.

    The engine is that of JSON Schema's `pattern` (jsonschema-rs): the syntax of most languages without
    look-around and back-references. Python's `re` can take exponential time on a hostile text.

    Raises:
        ValueError: it is no such expression.
    """
    import jsonschema_rs as rs

    try:
        validator = rs.validator_for({"pattern": pattern}, pattern_options=rs.RegexOptions(), offline=True)
    except ValueError:
        message = f"{pattern!r} is no regular expression (without look-around and back-references)"
        raise ValueError(message) from None
    return validator.is_valid


class Search:
    """One text or pattern, and where it was found: `lines` are the first places, `count` how many lines
    have it.
    """

    def __init__(self, wanted: str, pattern: bool = False) -> None:
        self.wanted, self.pattern = wanted, pattern
        self.count = 0
        self.places: list[dict[str, str]] = []
        self._found: Callable[[str], bool] = (
            linear_pattern(wanted) if pattern else lambda line: wanted in line
        )

    def line(self, line: str, label: str, number: int) -> None:
        if self._found(line):
            self.count += 1
            if len(self.places) < EXAMPLES:
                self.places.append({"place": f"{label}:{number}", "text": text(line.strip(), 160)})


class Lines:
    """Cuts the pieces of a file into lines, counts both lines and words, and shows each line to the
    searches.
    """

    def __init__(self, searches: Sequence[Search]) -> None:
        self.searches = searches
        self.words = self.count = 0
        self._label = ""
        self._number = 0
        self._parts: list[bytes] = []
        self._held = 0

    def begin(self, label: str) -> Callable[[bytes], Any]:
        """Start with a file; the function takes its pieces. End each file with `end`."""
        self._label, self._number = label, 0
        return self._piece

    def _piece(self, piece: bytes) -> None:
        if b"\n" not in piece and self._held + len(piece) < MAX_LINE:
            self._parts.append(piece)
            self._held += len(piece)
            return
        *lines, rest = b"".join([*self._parts, piece]).split(b"\n")
        self._parts, self._held = [rest], len(rest)
        for line in lines:
            self._line(line)

    def end(self) -> None:
        rest = b"".join(self._parts)
        if rest:
            self._line(rest)
        self._parts, self._held = [], 0

    def _line(self, line: bytes) -> None:
        self._number += 1
        self.count += 1
        decoded = line.decode("utf-8", "replace")
        self.words += len(decoded.split())
        for search in self.searches:
            search.line(decoded, self._label, self._number)
