"""Reading commits, folders and files out of a git repository, without a work tree and without running anything that
the repository names.

Only `rev-parse`, `ls-tree` and `cat-file` are used (git's own manual pages): they read the object database, know no
hooks, no filters of `.gitattributes`, no `export-subst`. The git folder is found here and given to git, so that a
folder of the work tree that looks like a repository is never taken for one.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from gatekeeper.errors import UsageError, nearest

Kind = Literal["file", "folder", "link", "submodule"]

_KINDS: dict[str, Kind] = {"blob": "file", "tree": "folder", "commit": "submodule"}
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Repository(Struct, frozen=True):
    """The top folder of a work tree, and its git folder."""

    top: Path
    folder: Path


class Object(Struct, frozen=True):
    """What lies at a path of a commit; `size` is 0 for anything but a file."""

    path: str
    kind: Kind
    id: str
    size: int = 0
    executable: bool = False


def repository_of(cwd: Path) -> Repository:
    """The repository that `cwd` is in.

    Raises:
        UsageError: there is none, or it can't be told which: the folder was reached through a link of the work tree.
    """
    for top in (cwd, *cwd.parents):
        marker = top / ".git"
        if marker.exists():
            _refuse_link(cwd, top)
            folder = marker if marker.is_dir() else _linked(marker)
            if not folder.is_dir():
                raise UsageError(f"{marker} names a folder that isn't there: {folder}")
            return Repository(top, folder)
    raise UsageError(f"{cwd} is in no git work tree")


def _linked(marker: Path) -> Path:
    """The git folder that a `.git` file names (gitrepository-layout(5)): of a linked work tree, or a submodule."""
    try:
        text = marker.read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"{marker} can't be read: {error.strerror}") from None
    return Path(os.path.abspath(marker.parent / text.removeprefix("gitdir:").strip()))


def _refuse_link(cwd: Path, top: Path) -> None:
    """A link in the work tree could lead to a folder with another, weaker configuration, or out of the repository."""
    said = Path(os.path.abspath(os.environ.get("PWD", cwd)))
    if said == cwd or not said.exists() or not said.samefile(cwd):
        return
    shown = next((folder for folder in (said, *said.parents) if (folder / ".git").exists()), None)
    if shown is None:
        return
    if not shown.samefile(top) or said.relative_to(shown) != cwd.relative_to(top):
        raise UsageError(
            f"the working directory is reached through a symbolic link in the work tree: {said} is {cwd}"
        )


def commit_of(repository: Repository, name: str) -> str:
    """The id of the commit that `name` means.

    Raises:
        UsageError: it is none, or means two things; says what to do.
    """
    if not name.strip():
        raise UsageError("it is empty; expected a branch, a tag or a commit, such as origin/main")
    _refuse_submodule(repository, name)
    done = _git(repository, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    if b"is ambiguous" in done.stderr:
        raise UsageError(f"the name means several things here; write it in full, such as refs/remotes/{name}")
    if done.returncode:
        raise UsageError(_absent(repository, name, done.stderr))
    commit = done.stdout.decode().strip()
    if not _FULL_ID.fullmatch(commit):  # git takes ^main for a commit that is left out
        raise UsageError("it names no commit")
    return commit


def _refuse_submodule(repository: Repository, name: str) -> None:
    """Whoever changes the outer repository says which submodule there is, and with it what its branches are."""
    folder = repository.folder
    outer = next((part for part in folder.parents if part.name.endswith(".git")), folder)
    inside = "modules" in folder.relative_to(outer).parts and not (folder / "commondir").exists()
    if inside and (repository.top / ".git").is_file() and not _FULL_ID.fullmatch(name):
        raise UsageError(
            f"{repository.top} is a submodule, and the outer repository chooses what a branch of it is; "
            "run from the outer repository, or name the commit by its full id"
        )


def _absent(repository: Repository, name: str, said: bytes) -> str:
    if b"Needed a single revision" not in said:
        return _last_line(said)
    known = _git(repository, "for-each-ref", "--format=%(refname:short)", "--count=1000")
    similar = nearest(name, known.stdout.decode("utf-8", "replace").split())
    remote, slash, branch = name.partition("/")
    fetch = f"git fetch --depth=1 {remote} +refs/heads/{branch}:refs/remotes/{name}" if slash else "git fetch"
    shallow = "; this clone is shallow" if (repository.folder / "shallow").exists() else ""
    return f"no such commit here{shallow}.{similar} Fetch it first: {fetch}"


def objects(repository: Repository, commit: str, paths: Sequence[str]) -> list[Object | None]:
    """What lies at each path (from the top; empty: the top itself), links within the commit followed; None: nothing.

    Raises:
        UsageError: a link leads out of the repository, a path can't be asked for, the objects aren't all here.
    """
    if odd := next((path for path in paths if "\n" in path), None):
        raise UsageError(f"a path with a line break can't be read from a commit: {odd!r}")
    asked = "".join(f"{commit}:{path}\n" for path in paths)
    done = _git(repository, "cat-file", "--batch-check", "--follow-symlinks", given=os.fsencode(asked))
    _refuse_failure(done)
    answers = iter(os.fsdecode(done.stdout).split("\n"))
    return [_answer(path, answers) for path in paths]


def _answer(path: str, answers: Iterator[str]) -> Object | None:
    """One answer: `<id> <type> <size>`, `… missing`, or, of a link that leads nowhere, a word and a further line."""
    first = next(answers)
    words = first.split(" ")
    if first.endswith(" missing"):
        return None
    if words[0] in ("dangling", "loop", "notdir", "symlink"):
        target = next(answers)
        if words[0] == "symlink":
            raise UsageError(f"{path} is a symbolic link out of the repository: {target}")
        return None
    kind = _KINDS[words[1]]
    return Object(path, kind, words[0], int(words[2]) if kind == "file" else 0)


def listed(repository: Repository, folder: Object) -> list[Object]:
    """All that is in a folder and below it, without the folders themselves; links not followed."""
    done = _git(repository, "ls-tree", "-r", "-l", "-z", folder.id)
    _refuse_failure(done)
    return [_entry(folder.path, line) for line in os.fsdecode(done.stdout).split("\0") if line]


def submodule_at(repository: Repository, commit: str, path: str) -> bool:
    """Whether a path, or a folder on the way to it, is a submodule at this commit."""
    parts = path.split("/")
    ways = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
    done = _git(repository, "ls-tree", "-z", commit, "--", *ways)
    return any(line.startswith("160000 ") for line in os.fsdecode(done.stdout).split("\0"))


def _entry(folder: str, line: str) -> Object:
    """A line of `ls-tree -l`: mode, type, id, size (`-` where there is none), a tab, the path."""
    about, _, name = line.partition("\t")
    mode, kind, number, size = about.split()
    return Object(
        f"{folder}/{name}" if folder else name,
        "link" if mode == "120000" else _KINDS[kind],
        number,
        int(size) if size.isdigit() else 0,
        mode == "100755",
    )


def contents(repository: Repository, files: Sequence[Object]) -> Iterator[bytes]:
    """The content of each file, as it was committed.

    Raises:
        UsageError: one isn't here: a partial clone, a damaged repository.
    """
    asked = "".join(f"{file.id}\n" for file in files).encode()
    done = _git(repository, "cat-file", "--batch", given=asked)
    _refuse_failure(done)
    answer, at = done.stdout, 0
    for file in files:
        end = answer.index(b"\n", at)
        if answer[at:end].endswith(b" missing"):
            raise UsageError(_incomplete(file.path))
        size = int(answer[at:end].rpartition(b" ")[2])
        yield answer[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def _incomplete(what: str) -> str:
    return f"{what} isn't in this clone: it is a partial one; clone without --filter, or fetch with --refetch"


def _refuse_failure(done: "subprocess.CompletedProcess[bytes]") -> None:
    if done.returncode:
        promised = b"promisor" in done.stderr or b"not allowed" in done.stderr
        raise UsageError(_incomplete("a file") if promised else _last_line(done.stderr))


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return f"git says: {lines[-1] if lines else 'nothing'}"


def _git(repository: Repository, *words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-c", "core.warnAmbiguousRefs=true", *words],
            cwd=repository.folder,
            env=_environment(repository),
            input=given,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("it takes git, which isn't installed here") from None
    except OSError as error:
        raise UsageError(f"git can't be started: {error.strerror}") from None


def _environment(repository: Repository) -> dict[str, str]:
    """No configuration but the repository's own, nothing fetched, nothing replaced, messages as we know them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name == "GIT_EXEC_PATH"
    }
    return kept | {
        "GIT_DIR": str(repository.folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "LANGUAGE": "C",
    }
