"""What runs know of each other: the pre run before a post run, what failed last, since when, and the record itself.

No trouble with the store changes a verdict, and none is silent: it comes back as notes of the run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.model import Result, Run, Since, Subject
from gatekeeper.project import Project
from gatekeeper.rundata import Saved
from gatekeeper.store import NoStore, open_store, spill

if TYPE_CHECKING:
    from gatekeeper.alerts.alerting import Alerting
    from gatekeeper.store.past import Past
    from gatekeeper.store.sql import Store


READ_PATIENCE = 2.0
"""Seconds to wait for a store that another program has locked, where only history is asked for."""


def last_failed(project: Project, subject: Subject) -> tuple[list[str], list[str]]:
    """Gates whose last result was not good, and notes; without any, all run, as in pytest."""
    try:
        with open_store(
            project.store_url, create=False, folder=project.state, timeout=READ_PATIENCE
        ) as store:
            failed = store.failing(subject.name)
    except NoStore:
        failed = []
    except GatekeeperError as error:
        return [], [f"--last-failed: {error}; all gates run"]
    return failed, [] if failed else ["--last-failed: no gate failed in its last run; all run"]


def saved_before(project: Project, subject: Subject, pre: str | None) -> tuple[Saved | None, list[str]]:
    """What the pre run saved: of `--pre FILE|RUN`, else of the subject's newest one; and notes.

    Raises:
        UsageError: the run or file that was asked for isn't there, or can't be read.
    """
    if pre is not None and (path := project.cwd / pre).is_file():
        return _of(subject, read_saved(path), pre), []
    try:
        with open_store(
            project.store_url, create=False, folder=project.state, timeout=READ_PATIENCE
        ) as store:
            if pre is None:
                return store.latest_pre(subject.name), []
            run = store.run(pre)
            saved = store.saved(run.id) or Saved(run.id, run.header.started, run.subject)
            return _of(subject, saved, ""), []
    except NoStore:
        if pre is not None:
            raise UsageError(f"--pre {pre}: no such file, and no run was recorded yet") from None
        return None, []
    except UsageError as error:
        raise UsageError(*(f"--pre {pre}: {problem}" for problem in error.problems)) from None
    except GatekeeperError as error:
        if pre is not None:
            raise
        return None, [f"the pre run could not be read: {error}"]


def _of(subject: Subject, saved: Saved, pre: str) -> Saved:
    """The saved state, if it is this subject's: another's says nothing about it."""
    if saved.subject.name != subject.name:
        asked = f"--pre {pre}: " if pre else ""
        raise UsageError(
            f"{asked}the pre run {saved.run} is of subject {saved.subject.name!r}, this post run of {subject.name!r}"
        )
    return saved


def read_saved(path: Path) -> Saved:
    """What `run pre --save FILE` wrote.

    Raises:
        UsageError: it can't be read, or isn't that.
    """
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=Saved)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        problem = f"not a file that `gatekeeper run pre --save` wrote: {error}"
        raise UsageError(f"--pre {path}: {problem}") from None
    if not saved.run:
        raise UsageError(f"--pre {path}: not a file that `gatekeeper run pre --save` wrote: it names no run")
    return saved


def since(
    project: Project, subject: Subject, results: Sequence[Result]
) -> tuple[dict[str, Since], list[str]]:
    """How long each gate that does not pass has not, and notes."""
    statuses = {r.id: r.status for r in results if r.status not in ("pass", "skip")}
    if not statuses:
        return {}, []
    try:
        with open_store(
            project.store_url, create=False, folder=project.state, timeout=READ_PATIENCE
        ) as store:
            return store.since(subject.name, statuses), []
    except NoStore:
        return {}, []
    except GatekeeperError as error:
        return {}, [f"history could not be read: {error}"]


def remember(
    project: Project, run: Run, saved: Saved | None, alerting: "Alerting | None" = None
) -> list[str]:
    """Record the run, and remove what is older than the retention, at most once a day. What went wrong, as notes.

    `alerting` makes alert events of it, durable together with the record.
    """
    try:
        with open_store(project.store_url, create=True, folder=project.state) as store:
            written = store.write(run, saved, alerting)
            notes = [
                f"an earlier run's record could not be read: {problem}" for problem in written.unreadable
            ]
            return notes + _retain(store, float(project.settings.store.retention))
    except GatekeeperError as error:
        problem = str(error)
    if alerting is not None:
        alerting.unrecorded(run)
    try:
        kept = spill(project.state, run, saved)
    except OSError as error:
        return [f"this run was NOT recorded: {problem}; nor kept for later: {error}"]
    return [f"this run is not in the history yet: {problem}; kept in {kept}, and taken in by the next run"]


def past(project: Project, run: Run) -> "Past":
    """The runs before this one, for reports that show them; read when they are asked for."""
    from gatekeeper.store.past import Past

    return Past(project.store_url, run)


def _retain(store: "Store", retention: float) -> list[str]:
    try:
        store.retain(retention)
    except GatekeeperError as error:
        return [f"old runs could not be removed from the history: {error}"]
    return []
