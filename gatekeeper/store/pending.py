"""Runs that the store could not take, kept as files beside it until it can."""

import os
from pathlib import Path

import msgspec

from gatekeeper.model import Run
from gatekeeper.plain import strict_json
from gatekeeper.rundata import Saved
from gatekeeper.store.rows import Record

FOLDER = "pending"


def spill(folder: Path, run: Run, saved: Saved | None = None) -> Path:
    """Keep a run's record in `pending/<run id>.json` of the state folder, whole or not at all.

    Raises:
        OSError: that can't be written either.
    """
    from gatekeeper.store import state_folder

    target = state_folder(folder) / FOLDER / f"{_file_name(run.id)}.json"
    target.parent.mkdir(exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(strict_json(Record(run, saved)))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return target


def _file_name(run: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "_" for char in run).lstrip(".") or "run"


def waiting(folder: Path) -> list[Path]:
    """The pending records of a state folder, oldest first; empty where there are none."""
    try:
        names = os.listdir(folder / FOLDER)
    except OSError:
        return []
    paths = [folder / FOLDER / name for name in names if name.endswith(".json") and not name.startswith(".")]
    return sorted(paths, key=_age) if len(paths) > 1 else paths


def _age(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except OSError:  # another process took it in just now
        return 0.0, path.name


def read(path: Path) -> Record | None:
    """A pending record; None where another process has taken it in meanwhile.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def put_aside(path: Path) -> Path:
    """Rename a record that can't be read, so that it is neither lost nor tried again; where it now is."""
    aside = path.with_suffix(".unreadable")
    try:
        path.replace(aside)
    except OSError:
        return path
    return aside
