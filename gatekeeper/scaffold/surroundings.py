"""What is already in a folder: version control and its host, CI, configuration, other tools."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from gatekeeper.settings.reading import NAMES, folders

Host = Literal["github", "gitlab", "jenkins", "azure", "none"]

REMOTES: dict[str, Host] = {
    "github.": "github",
    "gitlab.": "gitlab",
    "dev.azure.com": "azure",
    "visualstudio.com": "azure",
}
FILES: dict[str, Host] = {
    ".github": "github",
    ".gitlab-ci.yml": "gitlab",
    "Jenkinsfile": "jenkins",
    "azure-pipelines.yml": "azure",
}
GUIDES = ("monitoring-config.json", "production_monitoring.json", "quality_gates.json")


class Surroundings(Struct, frozen=True, kw_only=True):
    """What `init` found. `notes` are what to tell; `configuration` is the file that configures gatekeeper already."""

    notes: tuple[str, ...] = ()
    host: Host = "none"
    configuration: str | None = None
    repository: Path | None = None


def look_around(folder: Path) -> Surroundings:
    """What there is in and above `folder`."""
    repository = next((place for place in folders(folder) if (place / ".git").exists()), None)
    remote = _remote(repository) if repository else None
    by_file = next((host for name, host in FILES.items() if (folder / name).exists()), None)
    notes = []
    if remote:
        notes.append(f"{remote} remote")
    if by_file and by_file != remote:
        notes.append(f"{by_file} CI files")
    if _mentions(folder / "pyproject.toml", "pytest"):
        notes.append("pytest in pyproject.toml")
    notes += [f"{name} (import it with --from {name})" for name in GUIDES if (folder / name).is_file()]
    # in a part of a repository, a CI file would be in a place where no CI looks for it
    host = by_file or (remote if repository in (None, folder) else None) or "none"
    return Surroundings(
        notes=tuple(notes), host=host, configuration=_configuration(folder), repository=repository
    )


def _configuration(folder: Path) -> str | None:
    for name in NAMES:
        path = folder / name
        if path.is_file() and (path.name != "pyproject.toml" or _mentions(path, "[tool.gatekeeper")):
            return name
    return None


def _remote(repository: Path) -> Host | None:
    text = _text(repository / ".git" / "config")
    urls = [line.partition("=")[2] for line in text.splitlines() if line.strip().startswith("url")]
    return next((host for url in urls for part, host in REMOTES.items() if part in url), None)


def _mentions(path: Path, word: str) -> bool:
    return word in _text(path)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
