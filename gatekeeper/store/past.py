"""Earlier runs, as a report sees them: `gatekeeper.reporting.Past`, read from the store."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from gatekeeper.errors import GatekeeperError
from gatekeeper.model import Run, Status
from gatekeeper.reporting import PastRun
from gatekeeper.store.errors import NoStore

if TYPE_CHECKING:
    from gatekeeper.store.rows import RunRow
    from gatekeeper.store.sql import Store

T = TypeVar("T")

MOST_RUNS = 30
"""How far reports look back."""
PATIENCE = 2.0
"""Seconds to wait for a store that another program has locked: a report is late already."""


class Past:
    """The last runs of a run's subject and phase that were recorded before it, or before now where it is not
    recorded. The store is opened for each question, and only read.
    """

    def __init__(self, url: str, run: Run) -> None:
        self._url = url
        self._run = run
        self.problem = ""
        """Why the store could not be read; the empty string where it could, or there is none."""

    @cached_property
    def runs(self) -> tuple[PastRun, ...]:
        """Oldest first."""
        subject, header = self._run.subject.name, self._run.header
        rows: list[RunRow] = self._ask(
            lambda store: store.runs(subject, header.phase, MOST_RUNS, before=header.id), []
        )
        return tuple(
            PastRun(
                id=row.id,
                started=row.started,
                decision=row.decision,
                complete=row.complete,
                partial=row.partial,
                counts=row.counts,
            )
            for row in reversed(rows)
        )

    def statuses(self, gates: Sequence[str]) -> dict[str, dict[str, Status]]:
        """By gate and run."""
        ids = [run.id for run in self.runs]
        return self._ask(lambda store: store.statuses(self._run.subject.name, gates, ids), {})

    def values(self, gates: Sequence[str]) -> dict[tuple[str, str, str | None], list[float]]:
        """By gate, finding and unit, oldest first."""
        ids = [run.id for run in self.runs]
        return self._ask(lambda store: store.measured(gates, ids), {})

    def _ask(self, question: "Callable[[Store], T]", otherwise: T) -> T:
        if self.problem:
            return otherwise
        from gatekeeper.store import open_store

        try:
            with open_store(self._url, create=False, read_only=True, timeout=PATIENCE) as store:
                return question(store)
        except NoStore:
            return otherwise
        except GatekeeperError as error:
            self.problem = str(error)
            return otherwise
