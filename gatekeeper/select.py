"""Which gates a run takes: ids, gate files, tags, and `-k EXPR`."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from gatekeeper.errors import UsageError, nearest

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


def select(candidates: Sequence[Candidate], selection: Selection, failed: Sequence[str], cwd: Path) -> set[str]:
    """The ids of the candidates that the selection takes.

    Raises:
        UsageError: a target, tag or word of `-k` that matches nothing, with the nearest name; `-k` that isn't an expression.
    """
    chosen = {candidate.id for candidate in candidates}
    if selection.targets:
        chosen &= _targets(candidates, selection.targets, cwd)
    if selection.tags:
        chosen &= _tagged(candidates, selection.tags)
    if selection.keyword:
        chosen &= _keyword(candidates, selection.keyword)
    if selection.last_failed:
        chosen &= set(failed)
    return chosen


def _targets(candidates: Sequence[Candidate], targets: Sequence[str], cwd: Path) -> set[str]:
    chosen: set[str] = set()
    problems = []
    for target in targets:
        found = {c.id for c in candidates if _is_target(c, target, cwd)}
        if not found:
            known = sorted({name for c in candidates for name in (c.id, c.base)})
            problems.append(f"no gate or gate file {target!r} in this phase.{nearest(target, known)}")
        chosen |= found
    if problems:
        raise UsageError(*problems)
    return chosen


def _is_target(candidate: Candidate, target: str, cwd: Path) -> bool:
    if target in (candidate.id, candidate.base) or fnmatchcase(candidate.id, target):
        return True
    if candidate.base.partition(".")[2] == target:
        return True
    if not target.endswith(".py") and "/" not in target:
        return False
    path = (cwd / target).resolve()
    file = Path(candidate.file).resolve()
    return file == path or path in file.parents


def _tagged(candidates: Sequence[Candidate], tags: Sequence[str]) -> set[str]:
    known = sorted({tag for candidate in candidates for tag in candidate.tags})
    unknown = [tag for tag in tags if tag not in known]
    if unknown:
        raise UsageError(*(f"--tag {tag}: no gate of this phase has it.{nearest(tag, known)}" for tag in unknown))
    return {candidate.id for candidate in candidates if set(candidate.tags) & set(tags)}


# -- -k ----------------------------------------------------------------------------------------------------------------


def _keyword(candidates: Sequence[Candidate], expression: str) -> set[str]:
    tree = parse(expression)
    for word in _words(tree):
        if not any(_contains(candidate, word) for candidate in candidates):
            known = {part for c in candidates for part in (*c.tags, c.base.partition(".")[2])}
            raise UsageError(f"-k {expression!r}: no gate of this phase matches {word!r}.{nearest(word, known)}")
    return {candidate.id for candidate in candidates if _holds(tree, candidate)}


Tree = tuple[str, "Tree | str", "Tree | None"] | tuple[str, str]


def parse(expression: str) -> tuple:  # type: ignore[type-arg]
    """`-k`: words joined by `and`, `or`, `not` and parentheses, as in pytest.

    Raises:
        UsageError: it isn't one; says where.
    """
    tokens = [(match[1], match.start(1)) for match in _TOKEN.finditer(expression)]
    tree, rest = _or(tokens, expression)
    if rest:
        raise _wrong(expression, rest[0][1], f"unexpected {rest[0][0]!r}")
    return tree


def _or(tokens, expression):  # type: ignore[no-untyped-def]
    left, rest = _and(tokens, expression)
    while rest and rest[0][0] == "or":
        right, rest = _and(rest[1:], expression)
        left = ("or", left, right)
    return left, rest


def _and(tokens, expression):  # type: ignore[no-untyped-def]
    left, rest = _not(tokens, expression)
    while rest and rest[0][0] == "and":
        right, rest = _not(rest[1:], expression)
        left = ("and", left, right)
    return left, rest


def _not(tokens, expression):  # type: ignore[no-untyped-def]
    if not tokens:
        raise _wrong(expression, len(expression), "it ends where a word is expected")
    (token, place), *rest = tokens
    if token == "not":
        inner, rest = _not(rest, expression)
        return ("not", inner), rest
    if token == "(":
        inner, rest = _or(rest, expression)
        if not rest or rest[0][0] != ")":
            raise _wrong(expression, place, "this parenthesis is not closed")
        return inner, rest[1:]
    if token in (")", "and", "or"):
        raise _wrong(expression, place, f"unexpected {token!r}")
    return ("word", token), rest


def _wrong(expression: str, place: int, problem: str) -> UsageError:
    return UsageError(f"-k {expression!r}, column {place + 1}: {problem}")


def _words(tree: tuple) -> list[str]:  # type: ignore[type-arg]
    return [tree[1]] if tree[0] == "word" else [word for part in tree[1:] for word in _words(part)]


def _contains(candidate: Candidate, word: str) -> bool:
    return any(word.lower() in text.lower() for text in candidate.words)


def _holds(tree: tuple, candidate: Candidate) -> bool:  # type: ignore[type-arg]
    kind, *parts = tree
    if kind == "word":
        return _contains(candidate, parts[0])
    if kind == "not":
        return not _holds(parts[0], candidate)
    results = [_holds(part, candidate) for part in parts]
    return all(results) if kind == "and" else any(results)
