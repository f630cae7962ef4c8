"""What `init` is going to do, and doing it. Nothing that exists is ever overwritten."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from gatekeeper.errors import GatekeeperError
from gatekeeper.scaffold import texts
from gatekeeper.scaffold.guides import Imported
from gatekeeper.scaffold.surroundings import Surroundings


class Action(Struct, frozen=True):
    """`create` a file, `add` a line to one, or `skip` it; `why` is for the reader."""

    verb: str
    path: str
    why: str
    text: str = ""


def planned(folder: Path, around: Surroundings, imports: Sequence[Imported], host: str) -> Iterator[Action]:
    """Everything that `init` will do in `folder`, in order."""
    yield _configuration(folder, around, imports)
    yield _example(folder)
    if host != "none":
        yield _ci(folder, host)
    yield _ignore(folder)


def _configuration(folder: Path, around: Surroundings, imports: Sequence[Imported]) -> Action:
    text = texts.configuration(folder.name or "project", imports)
    if around.configuration is not None:
        why = f"{around.configuration} configures gatekeeper already"
        if imports:
            why += "; nothing was imported. What would be: --dry-run"
        return Action("skip", "gatekeeper.toml", why, text)
    return Action("create", "gatekeeper.toml", "settings of the gates that ship", text)


def _example(folder: Path) -> Action:
    path = "gates/gate_example.py"
    if any((folder / "gates").glob("gate_*.py")):
        return Action("skip", path, "gates/ has gates already")
    return Action("create", path, "one example gate", texts.GATE)


def _ci(folder: Path, host: str) -> Action:
    (first, *others), text = texts.PLACES[host], texts.ci(host)
    if not (folder / first).exists():
        return Action("create", first, f"runs the gates on {_NAMES[host]}", text)
    if not others or _about_gatekeeper(folder / first):
        return Action("skip", first, "is there already")
    if (folder / others[0]).exists():
        return Action("skip", others[0], "is there already")
    return Action("create", others[0], f"to include in {first}, which is left as it is", text)


_NAMES = {"github": "GitHub", "gitlab": "GitLab", "jenkins": "Jenkins", "azure": "Azure Pipelines"}


def _about_gatekeeper(path: Path) -> bool:
    try:
        return b"gatekeeper run" in path.read_bytes()
    except OSError:
        return True


def _ignore(folder: Path) -> Action:
    path = folder / ".gitignore"
    if not path.exists():
        return Action("create", ".gitignore", "keeps history out of version control", f"{texts.IGNORED}\n")
    try:
        content = path.read_bytes()
    except OSError as error:
        return Action("skip", ".gitignore", f"can't be read: {error.strerror}")
    if any(line.strip().rstrip(b"/").lstrip(b"/") == b".gatekeeper" for line in content.splitlines()):
        return Action("skip", ".gitignore", "already ignores .gatekeeper/")
    newline = "" if not content or content.endswith(b"\n") else "\n"
    return Action("add", ".gitignore", "the line .gatekeeper/", f"{newline}{texts.IGNORED}\n")


def carry_out(folder: Path, action: Action) -> None:
    """Do it.

    Raises:
        GatekeeperError: the file can't be written, or appeared meanwhile.
    """
    path = folder / action.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if action.verb == "add" else "x", encoding="utf-8", newline="\n") as file:
            file.write(action.text)
    except OSError as error:
        raise GatekeeperError(f"{action.path} can't be written: {error.strerror or error}") from None
