"""One line that says what is running, on a terminal; erased when there is something else to say."""

import sys
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live

PATIENCE = 0.3
"""Seconds before it appears: a run that is over by then shows none."""


class Progress:
    """`4/7 pre.components 1.2s` on stderr. Drawn by whoever calls `draw`: there is no thread."""

    def __init__(self, total: int, timeouts: dict[str, float]) -> None:
        self._total, self._timeouts = total, timeouts
        self._done = 0
        self._running: dict[str, float] = {}
        self._began = monotonic()
        self._live: Live | None = None

    def started(self, gate: str) -> None:
        self._running[gate] = monotonic()

    def ended(self, gate: str) -> None:
        self._running.pop(gate, None)
        self._done += 1

    def draw(self) -> None:
        if self._live is None:
            if monotonic() - self._began < PATIENCE:
                return
            from rich.console import Console
            from rich.live import Live

            console = Console(file=sys.stderr, highlight=False)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._line(), refresh=True)

    def _line(self) -> str:
        if not self._running:
            return f"{self._done}/{self._total}"
        gate, since = min(self._running.items(), key=lambda item: item[1])
        limit = self._timeouts.get(gate)
        of = f" of {limit:g}s" if limit is not None else ""
        more = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
        name = gate.replace("[", "(").replace("]", ")")  # brackets are rich's markup
        return f"{self._done}/{self._total} {name} {monotonic() - since:.1f}s{of}{more}"

    def clear(self) -> None:
        """Make room for other output."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._began = monotonic()
