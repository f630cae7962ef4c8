"""The line that a key stands in. Readers of TOML and JSON don't tell; this looks again once it matters.

Only for texts that their own reader accepted (or, in JSON, read up to the mistake): nothing is checked here.
"""

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]

_TOML_SKIP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_TOML_BLANK = re.compile(r"[ \t]*")
_TOML_STRING = re.compile(
    r'''
    """(?:\\.|[^\\])*?"{3,5} | \'\'\'.*?\'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*'
    ''',
    re.DOTALL | re.VERBOSE,
)
_TOML_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TOML_PLAIN = re.compile(r"[^,\]}#\n]+")
_JSON_STRING = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_JSON_PLAIN = re.compile(r"[^\s,\]}:]+")


def line_of(text: str, path: Path, *, json: bool = False) -> int | None:
    """The 1-based line of the key at `path`, or of what is around it; None where nothing of it is there."""
    places = dict(reversed([*(_json(text) if json else _toml(text))]))
    for length in range(len(path), 0, -1):
        if (position := places.get(path[:length])) is not None:
            return _line(text, position)
    return None


def duplicate_line(text: str, key: str) -> tuple[int, int]:
    """The lines of the first two places of a JSON object that has `key` twice."""
    seen: dict[Path, int] = {}
    for path, position in _json(text):
        if path in seen and path[-1] == key:
            return _line(text, seen[path]), _line(text, position)
        seen.setdefault(path, position)
    return 1, 1


def constant_line(text: str, name: str) -> int:
    """The line of the first `NaN` or `Infinity` outside of strings in a JSON text."""
    blanked = _JSON_STRING.sub(lambda match: " " * len(match[0]), text)
    return _line(text, max(0, blanked.find(name)))


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


# -- TOML -------------------------------------------------------


def _toml(text: str) -> Iterator[tuple[Path, int]]:
    """Every path of a TOML text and where it first stands, in order. A path may come more than once."""
    scanner = _Toml(text)
    return scanner.document()


class _Toml:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lengths: dict[Path, int] = {}  # of arrays of tables, so far

    def document(self) -> Iterator[tuple[Path, int]]:
        table: Path = ()
        while self.skip():
            start = self.at
            if self.text.startswith("[", start):
                double = self.text.startswith("[[", start)
                self.at += 2 if double else 1
                table = self.indexed(self.key(), array=double)
                self.past("]]" if double else "]")
                yield from _prefixes(table, start)
            else:
                yield from self.pair(table)

    def skip(self) -> bool:
        """Go past blanks, line ends and comments; False at the end."""
        match = _TOML_SKIP.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at < len(self.text)

    def past(self, mark: str) -> None:
        """Go past the next `mark`; to the end where there is none."""
        found = self.text.find(mark, self.at)
        self.at = found + len(mark) if found >= 0 else len(self.text)

    def blanks(self) -> None:
        match = _TOML_BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def key(self) -> tuple[str, ...]:
        """A dotted key, each part bare or quoted."""
        keys = []
        while True:
            self.blanks()
            if match := _TOML_STRING.match(self.text, self.at):
                keys.append(_unquoted(match[0]))
            elif match := _TOML_BARE.match(self.text, self.at):
                keys.append(match[0])
            else:
                return tuple(keys)
            self.at = match.end()
            self.blanks()
            if not self.text.startswith(".", self.at):
                return tuple(keys)
            self.at += 1

    def indexed(self, keys: tuple[str, ...], *, array: bool) -> Path:
        """A header's keys, with the index of the current element after each array of tables on the way."""
        path: Path = ()
        for number, key in enumerate(keys):
            path = (*path, key)
            last = number == len(keys) - 1
            if last and array:
                self.lengths[path] = self.lengths.get(path, 0) + 1
            if path in self.lengths and (array or not last or path in self.lengths):
                path = (*path, self.lengths[path] - 1)
        return path

    def pair(self, table: Path) -> Iterator[tuple[Path, int]]:
        start = self.at
        path = (*table, *self.key())
        if self.at == start:  # nothing that is TOML: don't stay
            self.at += 1
            return
        yield from _prefixes(path, start, beyond=len(table))
        self.past("=")
        self.blanks()
        yield from self.value(path)

    def value(self, path: Path) -> Iterator[tuple[Path, int]]:
        opened = self.text[self.at : self.at + 1]
        if opened == "[":
            yield from self.items(path)
        elif opened == "{":
            yield from self.inline(path)
        else:
            match = _TOML_STRING.match(self.text, self.at) or _TOML_PLAIN.match(self.text, self.at)
            self.at = match.end() if match else self.at + 1

    def items(self, path: Path) -> Iterator[tuple[Path, int]]:
        self.at += 1
        index = 0
        while self.skip() and not self.text.startswith("]", self.at):
            if self.text.startswith(",", self.at):
                self.at, index = self.at + 1, index + 1
                continue
            yield (*path, index), self.at
            yield from self.value((*path, index))
        self.at += 1

    def inline(self, path: Path) -> Iterator[tuple[Path, int]]:
        self.at += 1
        while self.skip() and not self.text.startswith("}", self.at):
            if self.text.startswith(",", self.at):
                self.at += 1
                continue
            yield from self.pair(path)
        self.at += 1


def _prefixes(path: Path, position: int, beyond: int = 0) -> Iterator[tuple[Path, int]]:
    """The path and the tables that it implies, longest last."""
    for length in range(beyond + 1, len(path) + 1):
        yield path[:length], position


def _unquoted(quoted: str) -> str:
    if quoted.startswith("'"):
        return quoted.strip("'")
    import tomllib

    key: str = tomllib.loads(f"key = {quoted}")["key"]
    return key


# -- JSON -------------------------------------------------------


def _json(text: str) -> Iterator[tuple[Path, int]]:
    """Every path of a JSON text and where its key (or, in a list, its value) stands, in order."""
    import json

    open_paths: list[tuple[Path, bool]] = []  # path, and whether it is an object
    keys: list[str | int] = []
    expect_key, at = False, 0
    while at < len(text):
        letter = text[at]
        if letter in " \t\r\n:":
            at += 1
        elif letter in "}]":
            if open_paths:
                open_paths.pop()
                keys.pop()
            at += 1
        elif letter == ",":
            if open_paths and not open_paths[-1][1]:
                keys[-1] = int(keys[-1]) + 1
            expect_key = bool(open_paths) and open_paths[-1][1]
            at += 1
        elif expect_key:
            match = _JSON_STRING.match(text, at)
            if match is None:
                return
            keys[-1] = json.loads(match[0])
            yield tuple(keys), at
            expect_key, at = False, match.end()
        else:
            if open_paths and not open_paths[-1][1]:
                yield tuple(keys), at
            if letter in "{[":
                expect_key = letter == "{"
                open_paths.append((tuple(keys), expect_key))
                keys.append("" if expect_key else 0)
                at += 1
            else:
                match = _JSON_STRING.match(text, at) or _JSON_PLAIN.match(text, at)
                at = match.end() if match else at + 1
