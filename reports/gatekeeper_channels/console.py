"""`console`: notifications for whoever looks at the terminal or the log of a CI job."""

from msgspec import Struct

from gatekeeper.channels import (
    AlertEvent,
    ChannelContext,
    ChannelType,
    Delivered,
    Notification,
    Outcome,
    TryAgain,
)
from gatekeeper.channels.wording import details, headline, line, remainder, title, worst_first
from gatekeeper.wording import aligned

STYLES = {"low": "36", "medium": "33", "high": "1;31", "critical": "1;97;41"}
"""SGR parameters by severity; only the 16 colours that every terminal's own palette defines."""
OVER = "32"
FAINT = "2"


class ConsoleSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Notifications on the terminal."""

    details: bool = True
    """`false`: one line for each alert, without observed values, hints and links."""


class Console:
    """Writes each notification at once, so that lines of others do not come between."""

    def __init__(self, settings: ConsoleSettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context

    def send(self, notification: Notification) -> Outcome:
        stream = self._context.console
        encoding = getattr(stream, "encoding", None) or "utf-8"
        text = self._text(notification).encode(encoding, "backslashreplace").decode(encoding)
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError) as error:  # a ValueError: it is closed
            return TryAgain(f"the terminal can't be written to: {error}")
        return Delivered()

    def _text(self, notification: Notification) -> str:
        over = notification.resolved
        lines = [self._styled(headline(notification), OVER if over else STYLES[notification.severity])]
        for event in worst_first(notification.events):
            style = OVER if event.kind == "resolved" else STYLES[event.alert.severity]
            lines += [f"  {text}" for text in self._event(event, style)]
        lines += [f"  {self._styled(text, FAINT)}" for text in remainder(notification)]
        return "\n".join(lines) + "\n"

    def _event(self, event: AlertEvent, style: str) -> list[str]:
        if not self._settings.details:
            return [self._styled(line(event), style)]
        return [self._styled(title(event), style), *(f"  {row}" for row in aligned(details(event)))]

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._context.color else text


CHANNEL = ChannelType(
    name="console",
    summary="coloured text for whoever looks at the terminal",
    settings=ConsoleSettings,
    open=Console,
)
