"""What a process tree uses, measured from outside: processor time, memory, what is left of it."""

import os
from collections.abc import Collection
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from gatekeeper.samples import Readings, Series

if TYPE_CHECKING:
    import psutil


class Meter:
    """Measures a process and everything below it, `besides` apart, from its creation to `readings`.

    Call `sample` every `interval` seconds.
    """

    interval = 0.05

    def __init__(self, pid: int, besides: Collection[int] = ()) -> None:
        import psutil

        self._besides = set(besides)
        self._began = monotonic()
        self._peak = 0
        with suppress(psutil.Error):
            self._root = psutil.Process(pid)
        self._known = {process.pid for process in self._tree()}
        self._cpu = self._used()
        self.sample()

    def _tree(self) -> "list[psutil.Process]":
        import psutil

        with suppress(psutil.Error):
            found = [self._root, *self._root.children(recursive=True)]
            return [process for process in found if process.pid not in self._besides]
        return []

    def _used(self) -> float:
        import psutil

        total = 0.0
        for process in self._tree():
            with suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])
        return total

    def sample(self) -> None:
        """Look once: how much memory is in use now?"""
        import psutil

        total = 0
        for process in self._tree():
            with suppress(psutil.Error):
                total += process.memory_info().rss
        self._peak = max(self._peak, total)

    def left(self) -> tuple[tuple[int, float], ...] | None:
        """Processes below it that were not there before: `(pid, start)`."""
        return None

    def readings(self) -> Readings:
        """`cpu` (s) and `peak_memory` (B)."""
        values = (("cpu", "s", max(0.0, self._used() - self._cpu)), ("peak_memory", "B", float(self._peak)))
        source = f"gatekeeper (process {self._root.pid if hasattr(self, '_root') else os.getpid()})"
        return Readings(
            tuple(
                Series(name=name, unit=unit, values=(value,), source=source) for name, unit, value in values
            )
        )
