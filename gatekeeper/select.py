"""Which gates a run takes: ids, gate files, tags, and `-k EXPR`."""

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from gatekeeper.errors import UsageError, nearest

DEEPEST = 100
"""How often `-k` may nest: beyond, it is no expression that a person wrote."""

_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")


class Selection(Struct, frozen=True):
    """What was asked for on the command line; empty means everything of the phase."""

    targets: tuple[str, ...] = ()
    keyword: str = ""
    tags: tuple[str, ...] = ()
    last_failed: bool = False

    @property
    def is_partial(self) -> bool:
        return bool(self.targets or self.keyword or self.tags or self.last_failed)


class Candidate(Struct, frozen=True):
    """What selection sees of a gate. `base` is the id without parameters, `words` what `-k` matches in."""

    id: str
    base: str
    file: str
    tags: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return (self.id, Path(self.file).name, *self.tags)


def select(
    candidates: Sequence[Candidate],
    selection: Selection,
    failed: Sequence[str],
    cwd: Path,
    absent: Mapping[str, str] = MappingProxyType({}),
) -> set[str]:
    """The ids of the candidates that the selection takes.

    `absent` are ids of gates that exist but can't be taken, and why.

    Raises:
        UsageError: a target, tag or word of `-k` that matches nothing, with the nearest name; a wrong `-k`.
    """
    chosen = {candidate.id for candidate in candidates}
    if selection.targets:
        chosen &= _targets(candidates, selection.targets, cwd, absent)
    if selection.tags:
        chosen &= _tagged(candidates, selection.tags)
    if selection.keyword:
        chosen &= _keyword(candidates, selection.keyword)
    if selection.last_failed:
        chosen &= set(failed)
    return chosen


def _targets(
    candidates: Sequence[Candidate], targets: Sequence[str], cwd: Path, absent: Mapping[str, str]
) -> set[str]:
    chosen: set[str] = set()
    problems = []
    for target in targets:
        found = {c.id for c in candidates if _is_target(c, target, cwd)}
        if not found and (why := _why_absent(target, absent)):
            problems.append(why)
        elif not found:
            known = sorted({name for c in candidates for name in (c.id, c.base)})
            problems.append(f"no gate or gate file {target!r} in this phase.{nearest(target, known)}")
        chosen |= found
    if problems:
        raise UsageError(*problems)
    return chosen


def _why_absent(target: str, absent: Mapping[str, str]) -> str:
    named = [gate for gate in absent if target in (gate, gate.partition(".")[2])]
    return f"{named[0]} {absent[named[0]]}" if named else ""


def _is_target(candidate: Candidate, target: str, cwd: Path) -> bool:
    name = candidate.id.partition(".")[2]
    if target in (candidate.id, candidate.base, name, candidate.base.partition(".")[2]):
        return True
    if fnmatchcase(candidate.id, target) or fnmatchcase(name, target):
        return True
    if not target.endswith(".py") and "/" not in target:
        return False
    path, file = _resolved(str(cwd / target)), _resolved(candidate.file)
    return file == path or path in file.parents


@cache  # thousands of gates may be in one file
def _resolved(path: str) -> Path:
    return Path(path).resolve()


def _tagged(candidates: Sequence[Candidate], tags: Sequence[str]) -> set[str]:
    known = sorted({tag for candidate in candidates for tag in candidate.tags})
    unknown = [tag for tag in tags if tag not in known]
    if unknown:
        raise UsageError(
            *(f"--tag {tag}: no gate of this phase has it.{nearest(tag, known)}" for tag in unknown)
        )
    return {candidate.id for candidate in candidates if set(candidate.tags) & set(tags)}


# -- -k ----------------------------------------------------------------------------------------------------------------


def _keyword(candidates: Sequence[Candidate], expression: str) -> set[str]:
    holds, words = parse(expression)
    for word in words:
        if not any(_contains(candidate, word) for candidate in candidates):
            known = {part for c in candidates for part in (*c.tags, c.base.partition(".")[2])}
            raise UsageError(
                f"-k {_shown(expression)}: no gate of this phase matches {_shown(word)}.{nearest(word, known)}"
            )
    return {candidate.id for candidate in candidates if holds(candidate)}


def _contains(candidate: Candidate, word: str) -> bool:
    return any(word.lower() in text.lower() for text in candidate.words)


Condition = Callable[[Candidate], bool]


def parse(expression: str) -> tuple[Condition, list[str]]:
    """`-k` as a condition, and the words in it: words joined by `and`, `or`, `not` and parentheses, as in pytest.

    Raises:
        UsageError: it isn't one; says where.
    """
    parser = _Parser(expression)
    parser.refuse_depth()
    condition = parser.any_of()
    parser.expect_end()
    return condition, parser.words


class _Parser:
    """Recursive descent: `or` binds loosest, then `and`, then `not`."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = [(match[1], match.start(1)) for match in _TOKEN.finditer(expression)]
        self.words: list[str] = []

    @property
    def _next(self) -> str:
        return self._tokens[0][0] if self._tokens else ""

    def refuse_depth(self) -> None:
        if sum(token in ("(", "not") for token, _ in self._tokens) > DEEPEST:
            raise UsageError(f"-k {_shown(self._expression)}: more than {DEEPEST} parentheses and nots")

    def any_of(self) -> Condition:
        options = [self._all_of()]
        while self._next == "or":
            self._tokens.pop(0)
            options.append(self._all_of())
        return lambda candidate: any(option(candidate) for option in options)

    def _all_of(self) -> Condition:
        parts = [self._one()]
        while self._next == "and":
            self._tokens.pop(0)
            parts.append(self._one())
        return lambda candidate: all(part(candidate) for part in parts)

    def _one(self) -> Condition:
        if not self._tokens:
            raise self._wrong(len(self._expression), "it ends where a word is expected")
        token, place = self._tokens.pop(0)
        if token == "not":
            negated = self._one()
            return lambda candidate: not negated(candidate)
        if token == "(":
            inner = self.any_of()
            if self._next != ")":
                raise self._wrong(place, "this parenthesis is not closed")
            self._tokens.pop(0)
            return inner
        if token in (")", "and", "or"):
            raise self._wrong(place, f"unexpected {token!r}")
        self.words.append(token)
        return lambda candidate: _contains(candidate, token)

    def expect_end(self) -> None:
        if self._tokens:
            token, place = self._tokens[0]
            raise self._wrong(place, f"unexpected {token!r}")

    def _wrong(self, place: int, problem: str) -> UsageError:
        return UsageError(f"-k {_shown(self._expression)}, column {place + 1}: {problem}")


def _shown(expression: str) -> str:
    return repr(expression if len(expression) <= 200 else f"{expression[:199]}…")
