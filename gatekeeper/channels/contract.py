"""What a channel is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeAlias

from msgspec import Struct

from gatekeeper.channels.events import Notification
from gatekeeper.model import Severity


class Delivered(Struct, frozen=True):
    """The other side has it. `ref` is kept and given as `thread` to later notifications of the same group."""

    ref: str | None = None


class TryAgain(Struct, frozen=True):
    """Not delivered, and worth another attempt; `after` is how many seconds the other side asked to wait."""

    why: str
    after: float | None = None


class Refused(Struct, frozen=True):
    """Not delivered, and never will be as it is. `disable`: nor will anything else, until somebody mends the channel
    (HTTP 410).
    """

    why: str
    disable: bool = False


Outcome: TypeAlias = Delivered | TryAgain | Refused


class Channel(Protocol):
    """One configured channel, open for one attempt or several in a row, in a thread of its own."""

    def send(self, notification: Notification) -> Outcome:
        """Send it, within `ChannelContext.within` seconds. What it raises counts as `TryAgain`."""


class ChannelContext(Struct, frozen=True, kw_only=True):
    """What a channel is opened with, beside its own settings.

    `within` is how many seconds an attempt may take, everything included; one that takes longer is given up and counts
    as `TryAgain`. `allow_private` says whether loopback, private, link-local and metadata addresses may be asked.
    `root` is the project's folder. `console` is where a channel for people at the terminal writes; `color` whether
    that shows colours.
    """

    name: str
    within: float = 10.0
    allow_private: bool = False
    root: Path
    console: TextIO
    color: bool = False


class ChannelType(Struct, frozen=True, kw_only=True):
    """One kind of channel: `type = "<name>"` in `[[alerts.channels]]`.

    `settings` is the class of its own settings (strict; `Secret` fields are redacted everywhere), `open` makes a
    channel of them. `resends`: it wants everything that fires with every evaluation, in one notification, and groups
    and repeats by itself (Alertmanager).
    """

    name: str
    summary: str
    settings: type[Struct]
    open: Callable[[Any, ChannelContext], Channel]
    min_severity: Severity = "medium"
    resends: bool = False
