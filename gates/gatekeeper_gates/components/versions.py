"""Versions of Python packages, compared by PEP 440.

The library `packaging` is no dependency of gatekeeper, and whether it happens to be installed must not change
an answer. So the comparison is done here; tests hold it against `packaging`. Of PEP 440 it covers all but
local versions in specifiers and `===`; pre-releases count as what they are (installed is installed).
"""

import re
from typing import Any

from msgspec import Struct

# patterns as text: compiled where a version is compared, not in every run
_VERSION = (
    r"v?(?:(\d+)!)?(\d+(?:\.\d+)*)"
    r"(?:[-_.]?(alpha|beta|preview|pre|rc|a|b|c)[-_.]?(\d*))?"
    r"(?:(?:-(\d+))|(?:[-_.]?(post|rev|r)[-_.]?(\d*)))?"
    r"(?:[-_.]?(dev)[-_.]?(\d*))?"
    r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?"
)
_CLAUSE = r"\s*(~=|==|!=|<=|>=|<|>)\s*(\S+)\s*"
_STAGES = {"alpha": "a", "a": "a", "beta": "b", "b": "b", "c": "rc", "rc": "rc", "pre": "rc", "preview": "rc"}


class Version(Struct, frozen=True):
    """A version in its parts; a part that it lacks is None."""

    epoch: int
    release: tuple[int, ...]
    pre: tuple[str, int] | None = None
    post: int | None = None
    dev: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read a version.

        Raises:
            ValueError: it is none.
        """
        match = re.fullmatch(_VERSION, text.strip().lower())
        if match is None:
            raise ValueError(f"{text!r} is no version")
        epoch, release, stage, stage_number, dashed, post, post_number, dev, dev_number = match.groups()
        return cls(
            int(epoch or 0),
            tuple(map(int, release.split("."))),
            None if stage is None else (_STAGES[stage], int(stage_number or 0)),
            int(dashed or post_number or 0) if dashed is not None or post is not None else None,
            None if dev is None else int(dev_number or 0),
        )

    @property
    def key(self) -> tuple[Any, ...]:
        """What versions are ordered by: 1.0.dev1 < 1.0a1 < 1.0 < 1.0.post1, and 1.0 == 1.0.0."""
        if self.pre is not None:
            stage: tuple[Any, ...] = (1, *self.pre)
        else:
            stage = (0,) if self.dev is not None and self.post is None else (2,)
        post = -1 if self.post is None else self.post
        return (*self.base, stage, post, float("inf") if self.dev is None else self.dev)

    @property
    def base(self) -> tuple[int, tuple[int, ...]]:
        """Epoch and release, without zeroes at its end."""
        release = self.release
        while release and release[-1] == 0:
            release = release[:-1]
        return self.epoch, release


def clauses(specifier: str) -> list[tuple[str, str]]:
    """The clauses of a specifier such as `">=2,<3"`; a bare version means `==`.

    Raises:
        ValueError: it is none.
    """
    found = []
    for part in filter(str.strip, specifier.split(",")):
        match = re.fullmatch(_CLAUSE, part)
        operator, text = match.groups() if match else ("==", part.strip())
        wild = text.endswith(".*") and operator in ("==", "!=")
        version = _clause_version(text[:-2] if wild else text, specifier)
        if wild and (version.pre, version.post, version.dev) != (None, None, None):
            raise ValueError(f"version {specifier!r}: .* stands after numbers only")
        if operator == "~=" and len(version.release) < 2:
            raise ValueError(f"version {specifier!r}: ~= needs two numbers at least, such as ~=2.1")
        found.append((operator, text))
    return found


def _clause_version(text: str, specifier: str) -> Version:
    if "+" not in text:
        try:
            return Version.parse(text)
        except ValueError:
            pass
    raise ValueError(f'version {specifier!r}: expected one such as ">=2,<3", "~=2.1" or "==2.*"')


def satisfies(version: str, specifier: str) -> bool:
    """Whether a version meets every clause.

    Raises:
        ValueError: either can't be read.
    """
    installed = Version.parse(version)
    return all(_meets(installed, operator, text) for operator, text in clauses(specifier))


def _meets(installed: Version, operator: str, text: str) -> bool:
    if text.endswith(".*"):
        prefix = Version.parse(text[:-2])
        return _starts(installed, prefix.epoch, prefix.release) == (operator == "==")
    limit = Version.parse(text)
    if operator == "~=":
        return installed.key >= limit.key and _starts(installed, limit.epoch, limit.release[:-1])
    same_base = installed.base == limit.base
    if operator == "<":  # <2 does not admit 2rc1, which is on the way to it
        same_post = (installed.pre, installed.post) == (limit.pre, limit.post)
        towards = same_base and _unfinished(installed) and (limit.post is None or same_post)
        return installed.key < limit.key and not (towards and not _unfinished(limit))
    if operator == ">":  # >2 does not admit 2.post1, which is 2 mended
        mended = same_base and installed.pre == limit.pre and installed.post is not None
        return installed.key > limit.key and not (mended and limit.post is None and limit.dev is None)
    return {
        "==": installed.key == limit.key,
        "!=": installed.key != limit.key,
        "<=": installed.key <= limit.key,
        ">=": installed.key >= limit.key,
    }[operator]


def _unfinished(version: Version) -> bool:
    return version.pre is not None or version.dev is not None


def _starts(version: Version, epoch: int, prefix: tuple[int, ...]) -> bool:
    padded = version.release + (0,) * (len(prefix) - len(version.release))
    return version.epoch == epoch and padded[: len(prefix)] == prefix
