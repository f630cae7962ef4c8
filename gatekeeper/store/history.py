"""Earlier runs, as a gate sees them: `ctx.history`."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from gatekeeper.errors import GatekeeperError
from gatekeeper.model import Status
from gatekeeper.store.errors import NoStore, StoreError

if TYPE_CHECKING:
    from gatekeeper.store.sql import Store

T = TypeVar("T")


class History:
    """What earlier runs of a subject recorded; read from the store when first asked, without writing.

    With no store, everything is empty. So it is where the store can't be read; `problem` then says why.
    """

    def __init__(self, url: str | None, subject: str, before: str = "") -> None:
        self._url = url
        self._subject = subject
        self._before = before
        self.problem = ""
        """Why the store could not be read; the empty string where it could, or there is none."""

    def values(self, gate: str, finding: str, n: int = 20) -> list[float]:
        """The last `n` values of a gate's measured finding, newest last, all in the newest one's unit."""
        return self._ask(lambda store: store.values(self._subject, gate, finding, n, self._before), [])

    def statuses(self, gate: str, n: int = 20) -> list[Status]:
        """The last `n` statuses of a gate, newest last."""
        return self._ask(
            lambda store: [row.status for row in store.results(self._subject, gate, n, self._before)], []
        )

    def last_passed(self, gate: str) -> str | None:
        """When a gate last passed: the start of that run, UTC, ISO 8601; None where it never did."""
        return self._ask(lambda store: store.last_passed(self._subject, gate, self._before), None)

    @cached_property
    def _store(self) -> "Store | None":
        if self._url is None:
            return None
        from gatekeeper.store import open_store

        try:
            return open_store(self._url, create=False, read_only=True)
        except NoStore:
            return None
        except GatekeeperError as error:
            self.problem = str(error)
            return None

    def _ask(self, question: "Callable[[Store], T]", otherwise: T) -> T:
        store = self._store
        if store is None:
            return otherwise
        try:
            return question(store)
        except StoreError as error:
            self.problem = str(error)
            return otherwise
