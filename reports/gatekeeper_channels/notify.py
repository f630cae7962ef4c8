"""`notify`: any of the services that apprise knows, by its URLs (the extra `notify`).

Services that keep incidents and know a key for them (PagerDuty, Opsgenie, Splunk On-Call and others) are given one of
the group, so that what is told again is no new incident and what is over closes it.

What apprise connects to can't be pinned to checked addresses: `allow_private` has no say here, and redirects are not
followed only where its services leave that to it.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgspec import Struct

from gatekeeper import Secret, strict_json
from gatekeeper.channels import ChannelContext, ChannelType, Delivered, Notification, Outcome, TryAgain
from gatekeeper.channels.wording import headline, plain
from gatekeeper.wording import one_line

if TYPE_CHECKING:
    from logging import LogRecord

    from apprise import AppriseAsset

KINDS = {"low": "info", "medium": "warning", "high": "failure", "critical": "failure"}
"""What apprise calls a notification of a severity; one whose alerts are all over is a `success`."""
LOGGERS = ("apprise", "requests", "urllib3", "urllib3.connectionpool", "urllib3.util.retry")
"""Who logs what is sent, with addresses."""
KEYS = ("dedup", "entity_id", "alias")
"""What services call the key of an incident, in their URLs."""
SHORTEST_SECRET = 4
MOST_SAID = 200

_MENTION = re.compile(r"@(?=all|channel|everyone|here|room|team)|<(?=[@!#&])", re.IGNORECASE)

MISSING = "apprise is not installed; it comes with: pip install 'gatekeeper-gates[notify]'"


class NotifySettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Any of the services that apprise knows, by its URLs."""

    urls: tuple[Secret, ...]
    """Apprise's URLs, such as `"env:PAGERDUTY_URL"`; all of them are told."""
    storage: str = ".gatekeeper/notify"
    """A folder for what some services need to close what they have opened; relative to the project's folder."""

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("urls: expected one URL or more")
        for number, url in enumerate(self.urls, 1):
            missing = not url and url.reference
            if not missing and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", url):
                raise ValueError(f'urls: number {number} is no URL of apprise, such as "discord://id/token"')


class Notify:
    """Tells one service after the other."""

    def __init__(self, settings: NotifySettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context
        self._told: set[tuple[str, int]] = set()
        """Which services have which notification already, of those that not all have."""

    def send(self, notification: Notification) -> Outcome:
        try:
            import apprise  # noqa: F401
        except ImportError:
            return TryAgain(MISSING)
        failed = []
        for number, url in enumerate(self._settings.urls):
            if (notification.id, number) in self._told:
                continue
            why = self._tell(url, notification)
            if why:
                failed.append(f"URL {number + 1} ({_schema(url)}): {why}")
            else:
                self._told.add((notification.id, number))
        return TryAgain("; ".join(failed)) if failed else Delivered()

    def _tell(self, url: Secret, notification: Notification) -> str:
        """Tell one service; why it has it not, empty where it has."""
        from apprise import Apprise, NotifyFormat, NotifyType

        keys = _keys(url)
        with _listening(parts_of(url)) as said:
            service = Apprise.instantiate(_with(url, keys, notification), asset=self._asset())
            if service is None:
                return said.last or "apprise knows no such service, or the URL lacks something"
            for limit in ("socket_connect_timeout", "socket_read_timeout"):
                setattr(service, limit, min(getattr(service, limit), self._context.within))
            kind = NotifyType(kind_of(notification, incident=bool(keys)))
            told = Apprise(asset=service.asset)
            told.add(service)
            body, title = unmentioning(plain(notification)), unmentioning(headline(notification))
            done = told.notify(body, title, kind, NotifyFormat.TEXT)
            return "" if done else said.last or "it was not accepted"

    def _asset(self) -> "AppriseAsset":
        """Settings of apprise: one service at a time in this thread, without redirects, secrets hidden in its log."""
        from apprise import AppriseAsset

        return AppriseAsset(
            app_id="gatekeeper",
            app_desc="gatekeeper",
            async_mode=False,
            service_timeout=0,  # else in a thread that the interpreter waits for when it ends
            http_redirects=False,
            secure_logging=True,
            storage_path=str(self._context.root / self._settings.storage),
            storage_mode="flush",
        )


def unmentioning(text: str) -> str:
    """Text that calls nobody (`@everyone`, `<!channel>`): an invisible space stands after the mark."""
    return _MENTION.sub("\\g<0>\u200b", text)


def kind_of(notification: Notification, incident: bool = False) -> str:
    """What apprise calls it. Some services open no incident for an `info`, so there is none of those then."""
    if notification.resolved:
        return "success"
    kind = KINDS[notification.severity]
    return "warning" if incident and kind == "info" else kind


def group_key(notification: Notification) -> str:
    """The same for all notifications of a group to a channel."""
    from hashlib import sha256

    group = sorted(notification.group.items())
    return sha256(strict_json([notification.channel, notification.subject, group])).hexdigest()[:32]


def _keys(url: str) -> tuple[str, ...]:
    """What the service calls the key of an incident, where it keeps incidents and can close them."""
    from apprise.manager_plugins import NotificationManager

    services: Any = NotificationManager()  # type: ignore[no-untyped-call]
    schema = _schema(url)
    arguments = services[schema].template_args if schema in services else {}
    if "map" not in (arguments.get("action", {}).get("values") or ()):
        return ()
    return tuple(key for key in KEYS if key in arguments)[:1]


def _with(url: str, keys: tuple[str, ...], notification: Notification) -> str:
    """The URL with the group's key, unless it has one of its own."""
    from urllib.parse import parse_qsl

    given = {name.lower() for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)}
    added = [f"{key}={group_key(notification)}" for key in keys if key not in given]
    if keys and "action" not in given:
        added.append("action=map")
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(added)}" if added else url


def _schema(url: str) -> str:
    return url.partition("://")[0].lower()


def parts_of(url: str) -> list[str]:
    """Whatever in a URL may be a secret, the longest first: all but its scheme."""
    rest = url.partition("://")[2]
    parts = {rest, *re.split(r"[/?&=@:,]", rest)}
    forms = {form for part in parts for form in (part, unquote(part)) if len(form) >= SHORTEST_SECRET}
    return sorted(forms, key=len, reverse=True)


class Said:
    """The last thing that apprise found worth a warning."""

    def __init__(self, hidden: list[str]) -> None:
        self._hidden = hidden
        self.last = ""

    def add(self, text: str) -> None:
        for part in self._hidden:
            text = text.replace(part, "***")
        shown = one_line(text.strip())
        self.last = shown if len(shown) <= MOST_SAID else f"{shown[: MOST_SAID - 1]}…"


@contextmanager
def _listening(hidden: list[str]) -> Iterator[Said]:
    """What apprise logs in this thread is kept from the program's log, in which its URLs could show."""
    import logging

    said, thread = Said(hidden), threading.get_ident()

    def ours(record: "LogRecord") -> bool:
        if record.thread != thread:
            return True
        if record.name == "apprise" and record.levelno >= logging.WARNING:
            said.add(record.getMessage())
        return False

    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addFilter(ours)
    try:
        yield said
    finally:
        for logger in loggers:
            logger.removeFilter(ours)


CHANNEL = ChannelType(
    name="notify",
    summary="PagerDuty, Teams, Discord, Opsgenie and what else apprise knows",
    settings=NotifySettings,
    open=Notify,
)
