"""Maintenance windows as these commands see them: those of the command line, and those of the configuration."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from gatekeeper.alerts.stages.quiet import active, next_times, quiets_of
from gatekeeper.cli.alertwords import stamped
from gatekeeper.cli.columns import document
from gatekeeper.cli.quieting import as_data
from gatekeeper.errors import UsageError
from gatekeeper.project import Project
from gatekeeper.settings.layers import Part, decisive
from gatekeeper.store.standing import Quiet

NONE = "No maintenance is planned."

UPCOMING = 3
"""How many times of a recurring window are shown."""

Time = tuple[float, float]
"""When it begins and ends, in seconds since the epoch."""


class Window(Struct, frozen=True):
    """A window; `place` is where it is configured, empty of one that the command line made."""

    quiet: Quiet
    place: str = ""

    def times(self, now: float) -> list[Time]:
        """The next times that it is open, the present one included; none of one that was ended."""
        ended = self.quiet.until is not None and self.quiet.until <= now
        return [] if ended else next_times(self.quiet, now, UPCOMING)

    def is_open(self, now: float) -> bool:
        return active(self.quiet, now) and bool(self.times(now))


def configured(project: Project) -> list[Window]:
    """The windows of the configuration.

    Raises:
        UsageError: one of them can't be understood.
    """
    settings = project.settings
    parts = [Part(layer, (), layer.data) for layer in settings.layers]
    found = []
    try:
        quiets = quiets_of(settings.alerts)
    except ValueError as error:
        raise UsageError(f"[[alerts.maintenance]] {error}") from None
    for index, quiet in enumerate(quiets):
        decided = decisive(parts, ("alerts", "maintenance", index, "name"))
        found.append(Window(quiet, decided[0].place(decided[1]) if decided else "the configuration"))
    return found


def as_document(windows: Sequence[Window], now: float) -> str:
    """The windows as one JSON document."""
    return document("gatekeeper.maintenance/1", windows=[_as_data(window, now) for window in windows])


def _as_data(window: Window, now: float) -> dict[str, Any]:
    quiet = window.quiet
    return {
        "name": quiet.id,
        **as_data(quiet),
        "repeat": quiet.repeat or None,
        "timezone": quiet.timezone,
        "configured": window.place or None,
        "open": window.is_open(now),
        "next": [{"starts": stamped(start), "ends": stamped(end)} for start, end in window.times(now)],
    }
