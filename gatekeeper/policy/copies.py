"""Copies of what a commit holds, in a temporary folder, and how their paths go with those of the working tree."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gatekeeper.errors import UsageError
from gatekeeper.model import TrustedRef
from gatekeeper.policy.git import (
    Object,
    Repository,
    commit_of,
    contents,
    listed,
    objects,
    repository_of,
    submodule_at,
)

MOST_FILES = 10_000
MOST_BYTES = 200 * 10**6
"""A policy beyond these is no policy: most likely a folder of gates is the whole repository."""

NOT_COPIED = "__pycache__"
"""Compiled files say nothing that the sources don't say."""


@contextmanager
def taken(ref: str, cwd: Path) -> Iterator[TrustedRef]:
    """The commit that `ref` means in the repository of `cwd`, now; its copies are removed at the end.

    Raises:
        UsageError: no repository, no such commit, no git.
    """
    with _about(ref):
        repository = repository_of(Path(os.path.realpath(cwd)))
        commit = commit_of(repository, ref)
    folder, owner = tempfile.mkdtemp(prefix="gatekeeper-policy-"), os.getpid()
    try:
        yield TrustedRef(
            ref=ref,
            commit=commit,
            top=str(repository.top),
            git=str(repository.folder),
            folder=os.path.realpath(folder),
        )
    finally:
        if os.getpid() == owner:  # not in a copy of the process that a gate forked
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _about(ref: str) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise UsageError(*(f"--policy-from {ref}: {problem}" for problem in error.problems)) from None


# -- paths -------------------------------------------------------------------------------------------------------------


def within(trusted: TrustedRef, path: Path) -> str | None:
    """The path from the repository's top, as git writes it; None for one outside. Links are not followed."""
    absolute = Path(os.path.normpath(path))
    if not absolute.is_relative_to(trusted.top) or absolute.is_relative_to(trusted.folder):
        return None
    inner = absolute.relative_to(trusted.top).as_posix()
    return "" if inner == "." else inner


def in_work_tree(trusted: TrustedRef, path: str) -> str:
    """Where what was copied to `path` lies in the working tree; other paths as they are."""
    if not Path(path).is_relative_to(trusted.folder):
        return path
    return str(Path(trusted.top) / Path(path).relative_to(trusted.folder))


def named(trusted: TrustedRef, path: Path) -> str:
    """A path of the working tree as git names what the commit holds there: `origin/main:gates`."""
    inner = within(trusted, path)
    return str(path) if inner is None else f"{trusted.ref}:{inner}"


# -- what the commit holds ---------------------------------------------------------------------------------------------


def held(trusted: TrustedRef, paths: Sequence[Path]) -> list[Object | None]:
    """What the commit holds at paths of the working tree; None: nothing, or a path outside of the repository.

    Raises:
        UsageError: a link that leads out of the repository, objects that aren't here.
    """
    inner = [within(trusted, path) for path in paths]
    with _about(trusted.ref):
        asked = [path for path in inner if path is not None]
        found = dict(zip(asked, objects(_repository(trusted), trusted.commit, asked), strict=True))
    return [None if path is None else found[path] for path in inner]


def content(trusted: TrustedRef, file: Object) -> bytes:
    """The content of a file that the commit holds.

    Raises:
        UsageError: it isn't here.
    """
    with _about(trusted.ref):
        return next(contents(_repository(trusted), [file]))


def located(trusted: TrustedRef, path: Path) -> Path:
    """Where the policy has what would lie at `path` in the working tree; copied when it is first asked for.

    A path outside of the repository is returned as it is: no change of the repository alters what lies there.

    Raises:
        UsageError: it can't be copied: too much, out of the repository, a submodule, objects that aren't here.
    """
    inner = within(trusted, path)
    if inner is None:
        return path
    target = Path(trusted.folder, inner)
    if not target.is_file():
        with _about(trusted.ref):
            _copy(trusted, inner)
    return target


def _copy(trusted: TrustedRef, path: str) -> None:
    repository = _repository(trusted)
    (found,) = objects(repository, trusted.commit, [path])
    if found is None:
        if path and submodule_at(repository, trusted.commit, path):
            raise UsageError(f"{path} is, or is in, a submodule there: its files aren't in this repository")
        return
    files = [
        file for file in _files(trusted, found, frozenset()) if not Path(trusted.folder, file.path).exists()
    ]
    size = sum(file.size for file in files)
    if len(files) > MOST_FILES or size > MOST_BYTES:
        raise UsageError(
            f"{path or 'the whole repository'} has {len(files):,} files with {size / 1e6:,.0f} MB there, which is "
            f"more than a policy may have ({MOST_FILES:,} files, {MOST_BYTES / 1e6:.0f} MB)"
        )
    for file, content in zip(files, contents(repository, files), strict=True):
        _write(trusted, file, content)


def _files(trusted: TrustedRef, found: Object, above: frozenset[str]) -> Iterator[Object]:
    """The files of a file or folder, links followed; `above` are the folders that links led through."""
    if found.kind == "file":
        yield found
    if found.kind != "folder" or found.id in above:
        return
    links = []
    for entry in listed(_repository(trusted), found):
        parts = entry.path.split("/")
        if {"", ".", ".."} & set(parts):
            raise UsageError(f"{entry.path!r} is no path that a file may have")
        if entry.kind == "submodule":
            raise UsageError(f"{entry.path} is a submodule there: its files aren't in this repository")
        if entry.kind == "link":
            links.append(entry.path)
        elif NOT_COPIED not in parts:
            yield entry
    for target in objects(_repository(trusted), trusted.commit, links) if links else ():
        if target is not None:
            yield from _files(trusted, target, above | {found.id})


def _write(trusted: TrustedRef, file: Object, content: bytes) -> None:
    """Whole or not at all: several processes may copy the same file at once."""
    target = Path(trusted.folder, file.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    number, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o700 if file.executable else 0o600)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _repository(trusted: TrustedRef) -> Repository:
    return Repository(Path(trusted.top), Path(trusted.git))
