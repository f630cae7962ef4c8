"""A run as it is recorded: its id, its subject, its environment, and the history behind each failure."""

import hashlib
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import structs

from gatekeeper.errors import UsageError
from gatekeeper.model import JSON, Result, Since, Subject
from gatekeeper.paths import expanded

_DIGEST = "sha256:"


def new_run_id(now: datetime) -> str:
    """An id that sorts by time and that two runs at once don't share: `20261121-064512-3f2a9c1b`."""
    return f"{now:%Y%m%d-%H%M%S}-{os.urandom(4).hex()}"


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """UTC, ISO 8601, in milliseconds: `2026-11-21T06:45:12.345Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def subject_of(asked: str | None, name: str, artifact: str | None, root: Path, cwd: Path) -> Subject:
    """The subject of a run: `--subject NAME[@FILE|@sha256:…]` before the configuration's.

    Raises:
        UsageError: a file that can't be read, a digest that isn't one, an artifact glob that means several files.
    """
    if asked is not None:
        name, at, what = asked.partition("@")
        if not name:
            raise UsageError(
                f"--subject {asked!r}: a name is missing; expected NAME, NAME@FILE or NAME@sha256:…"
            )
        if not at:
            return Subject(name)
        if what.startswith(_DIGEST):
            return Subject(name, _checked(what, asked))
        return Subject(name, digest_of(cwd / expanded(what)))
    if artifact is None:
        return Subject(name)
    try:
        found = sorted(path for path in root.glob(artifact) if path.is_file())
    except (ValueError, NotImplementedError) as error:
        raise UsageError(
            f"[subject] artifact = {artifact!r}: expected a pattern within the project, such as dist/*.whl: {error}"
        ) from None
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(root)) for path in found[:5])
        raise UsageError(f"[subject] artifact = {artifact!r} means {len(found)} files, expected one: {names}")
    return Subject(name, digest_of(found[0]) if found else None)


def _checked(digest: str, asked: str) -> str:
    value = digest.removeprefix(_DIGEST)
    if len(value) != 64 or any(character not in "0123456789abcdef" for character in value):
        raise UsageError(f"--subject {asked!r}: expected sha256: and 64 hexadecimal digits in lower case")
    return digest


def digest_of(path: Path) -> str:
    """`sha256:…` of a file.

    Raises:
        UsageError: it can't be read.
    """
    try:
        with open(path, "rb") as file:
            return _DIGEST + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"subject's artifact {path}: {error.strerror}") from None


_CI = {
    "GITHUB_ACTIONS": ("github", "GITHUB_SHA"),
    "GITLAB_CI": ("gitlab", "CI_COMMIT_SHA"),
    "JENKINS_URL": ("jenkins", "GIT_COMMIT"),
    "TF_BUILD": ("azure", "BUILD_SOURCEVERSION"),
}


def environment(version: str, plugins: Mapping[str, str]) -> dict[str, JSON]:
    """Where the run took place, for the record: nothing that identifies a person, no values of the environment."""
    system = os.uname() if hasattr(os, "uname") else None
    found: dict[str, JSON] = {
        "gatekeeper": version,
        "python": ".".join(map(str, sys.version_info[:3])),
        "system": f"{system.sysname} {system.release} {system.machine}" if system else sys.platform,
        "host": system.nodename if system else os.environ.get("COMPUTERNAME", ""),
        "plugins": {
            name: origin for name, origin in plugins.items() if origin != "entry point of gatekeeper-gates"
        },
    }
    for variable, (provider, commit) in _CI.items():
        if os.environ.get(variable):
            found["ci"] = provider
            if os.environ.get(commit):
                found["commit"] = os.environ[commit]
    return found


def with_since(results: tuple[Result, ...], since: Mapping[str, Since]) -> tuple[Result, ...]:
    """The results, with how long those that are not passing have not been."""
    return tuple(structs.replace(r, since=since[r.id]) if r.id in since else r for r in results)
