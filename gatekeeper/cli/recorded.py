"""What commands on recorded runs share: finding the run that is meant, and printing it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gatekeeper.cli.terminal import When, print_out, view_of
from gatekeeper.errors import GatekeeperError, UsageError, nearest
from gatekeeper.model import Run
from gatekeeper.outputs import write_atomic
from gatekeeper.project import Project
from gatekeeper.remembering import past
from gatekeeper.reporting import View, rendered

NO_RUNS = "No runs yet. gatekeeper run pre records the first."


def recorded(project: Project, references: Sequence[str]) -> list[Run]:
    """The runs that are meant: ids, beginnings of ids, `latest`, `latest~1`, or files with a JSON report.

    Raises:
        UsageError: one is not there, or could be several; names the nearest.
    """
    from gatekeeper.store import NoStore, open_store

    files = {reference: project.cwd / reference for reference in references}
    runs = {reference: _from_file(path) for reference, path in files.items() if path.is_file()}
    if len(runs) < len(files):
        try:
            with open_store(project.store_url, create=False, folder=project.state) as store:
                runs |= {reference: store.run(reference) for reference in files if reference not in runs}
        except NoStore:
            raise UsageError(NO_RUNS) from None
    return [runs[reference] for reference in references]


def previous(project: Project, run: Run) -> Run:
    """The run recorded before this one of the same subject and phase.

    Raises:
        UsageError: there is none.
    """
    from gatekeeper.store import open_store

    with open_store(project.store_url, create=False, folder=project.state) as store:
        rows = store.runs(run.subject.name, run.header.phase, limit=1, before=run.id)
        if rows:
            return store.run(rows[0].id)
    raise UsageError(
        f"no {run.header.phase} run of {run.subject.name!r} is recorded before {run.id} to compare it with: "
        "name two runs (gatekeeper history list)"
    )


def _from_file(path: Path) -> Run:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a JSON report of gatekeeper: {error}") from None


def render(
    project: Project,
    run: Run,
    name: str,
    path: Path | None = None,
    *,
    color: When = "auto",
    verbosity: int = 0,
    known: bool = True,
) -> None:
    """Print a run in a report format, or write it to a file. One that is not `known` here has no earlier runs here.

    Raises:
        UsageError: there is no such format.
        GatekeeperError: the file can't be written, or the report broke.
    """
    reports = project.plugins.reports()
    if name not in reports:
        hint = nearest(name, [*reports]) or f" Known: {', '.join(sorted(reports))}."
        raise UsageError(f"unknown format {name!r}.{hint}")
    view = view_of(sys.stdout, color, verbosity) if path is None else View(verbosity=verbosity)
    view.root, view.past = project.settings.root, past(project, run) if known else None
    view.closing += [("note", note) for note in run.notes]
    try:
        content = rendered(reports[name], run, view)
    except Exception as error:
        raise GatekeeperError(f"report {name} broke: {type(error).__name__}: {error}") from error
    if path is None:
        print_out(content)
        return
    try:
        write_atomic(path, content)
    except OSError as error:
        raise GatekeeperError(f"{path} could not be written: {error.strerror or error}") from None
