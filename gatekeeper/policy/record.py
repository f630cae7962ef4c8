"""What a run records of a policy that was taken from a trusted ref: which, its digest, and what was not used for it."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from gatekeeper.errors import UsageError
from gatekeeper.model import PolicyRecord, TrustedRef
from gatekeeper.plain import text
from gatekeeper.policy.copies import NOT_COPIED, within
from gatekeeper.policy.git import Repository, objects
from gatekeeper.policy.imports import judged_modules

MOST_NAMES = 100
"""Names that a record keeps of each kind; notes name the first few."""
MOST_LOOKED_AT = 10_000


def record(
    trusted: TrustedRef,
    *,
    folders: Sequence[Path],
    configuration: Path | None,
    instead: Sequence[Path],
    overridden: Sequence[str],
) -> PolicyRecord:
    """What there is to say about the policy that was copied so far.

    `folders` are those of gates, in the working tree's paths. `configuration` is the copy of the commit's, `instead`
    what the working tree has in its place; `overridden` names what set something beside it.
    """
    copied = {path.relative_to(trusted.folder).as_posix(): path for path in _files(Path(trusted.folder))}
    altered = {inner for path in instead if (inner := within(trusted, path)) is not None}
    compared = {name: copy for name, copy in copied.items() if copy != configuration}
    altered |= {name for name, copy in compared.items() if not _same(copy, Path(trusted.top, name))}
    altered |= {name for folder in folders for name in _added(trusted, folder) if name not in copied}
    return PolicyRecord(
        ref=trusted.ref,
        commit=trusted.commit,
        digest=_digest(copied),
        altered=_names(altered),
        overridden=_names(overridden),
        imported=_names(judged_modules(trusted)),
    )


def notes(policy: PolicyRecord) -> list[str]:
    """What readers of a run must know of it, in sentences."""
    found = []
    if policy.altered:
        found.append(f"{_listed(policy.altered)}: not as in {policy.ref}, whose version counts")
    if outside := [name for name in policy.overridden if not name.startswith("-")]:
        found.append(f"set beside the policy of {policy.ref}: {_listed(outside)}")
    if policy.imported:
        found.append(
            f"code of the working tree runs in the judge: {_listed(policy.imported)}; install gatekeeper in an "
            "environment that nothing of the working tree is installed in"
        )
    return found


def refuse_brought(trusted: TrustedRef, paths: Iterable[Path]) -> None:
    """Refuse history, or what a pre run saved, that the change itself brings: gates compare with it.

    Raises:
        UsageError: the commit that is checked out has one of these paths, and the trusted one doesn't have the same.
    """
    repository = Repository(Path(trusted.top), Path(trusted.git))
    inner = [name for path in paths if (name := within(trusted, path))]
    own, policy = (objects(repository, commit, inner) for commit in ("HEAD", trusted.commit))
    for name, brought, known in zip(inner, own, policy, strict=True):
        if brought is not None and (known is None or known.id != brought.id):
            raise UsageError(
                f"--policy-from {trusted.ref}: the change brings its own {name}, which gates compare with: "
                f"git rm -r --cached {name}"
            )


def _files(folder: Path) -> Iterator[Path]:
    """The files in a folder and below, links not followed; nothing of a folder that is a link itself."""
    if folder.is_symlink():
        return
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != NOT_COPIED]
        yield from (Path(place, name) for name in names)


def _added(trusted: TrustedRef, folder: Path) -> Iterator[str]:
    """Python files of the working tree in a folder of gates."""
    for path in islice(_files(folder), MOST_LOOKED_AT):
        if path.suffix == ".py" and (inner := within(trusted, path)) is not None:
            yield inner


def _same(copy: Path, own: Path) -> bool:
    """Whether a file of the working tree holds what was copied; line ends make no difference (core.autocrlf)."""
    try:
        info, content = os.stat(own), copy.read_bytes()
        if not stat.S_ISREG(info.st_mode) or info.st_size > 2 * len(content):
            return False
        return own.read_bytes().replace(b"\r\n", b"\n") == content.replace(b"\r\n", b"\n")
    except OSError:
        return False


def _digest(copied: dict[str, Path]) -> str:
    """`sha256:…` over one line for each file, by its path: the SHA-256 of the content, two spaces, the path."""
    lines = (f"{hashlib.sha256(copied[name].read_bytes()).hexdigest()}  {name}\n" for name in sorted(copied))
    return f"sha256:{hashlib.sha256(os.fsencode(''.join(lines))).hexdigest()}"


def _names(names: Iterable[str]) -> tuple[str, ...]:
    found = [text(name, 200) for name in sorted(names)]
    more = [f"and {len(found) - MOST_NAMES} more"] if len(found) > MOST_NAMES else []
    return (*found[:MOST_NAMES], *more)


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
