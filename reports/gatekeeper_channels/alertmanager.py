"""`alertmanager`: alerts to Prometheus' Alertmanager, which groups, silences and repeats by itself.

API v2, `POST /api/v2/alerts` (github.com/prometheus/alertmanager, api/v2/openapi.yaml). An alert is named by its
labels, `severity` among them; `endsAt` says how long it fires if nobody tells of it again, since runs are further apart
than Alertmanager's `resolve_timeout` of 5 minutes.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from msgspec import Struct, field

from gatekeeper import Duration, Secret, printable, show, strict_json
from gatekeeper.channels import (
    Alert,
    AlertEvent,
    ChannelContext,
    ChannelType,
    Delivered,
    Notification,
    Outcome,
    TryAgain,
)
from gatekeeper.channels.http import check_headers, check_url, outcome, post
from gatekeeper.wording import one_line

AT_ONCE = 500
"""Alerts in one request."""

MAX_VALUE = 1_000
"""Characters of a label."""

TEST_LASTS = 300.0
"""Seconds that a test fires."""

LONGEST = 366 * 86_400.0


class AlertmanagerSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Alerts to Prometheus' Alertmanager, which groups, silences and repeats by itself."""

    url: Secret | None = None
    """Where it is, `http://alertmanager:9093`, with the prefix of its `--web.route-prefix` if it has one."""
    urls: tuple[Secret, ...] = ()
    """The members of a cluster: all are told, as Alertmanager wants it; one that took it is enough."""
    username: str = ""
    """For basic authentication."""
    password: Secret | None = None
    """For basic authentication."""
    token: Secret | None = None
    """For bearer authentication."""
    headers: dict[str, Secret] = field(default_factory=dict)
    """Further headers, such as `X-Scope-OrgID`."""
    labels: dict[str, str] = field(default_factory=dict)
    """Further labels of every alert, such as `cluster = "eu-1"`."""
    ca_file: str = ""
    """A PEM file with the authorities to trust instead of the system's; relative to the project's folder."""
    resolve_after: Duration = Duration(25 * 3600)
    """How long an alert fires if no run tells of it again: longer than the time between two runs, nightly ones too."""

    def __post_init__(self) -> None:
        if (self.url is None) == (not self.urls):
            raise ValueError('give "url", or "urls" for the members of a cluster')
        for number, url in enumerate(self.addresses):
            check_url(url, "url" if self.url is not None else f"urls: number {number + 1}")
        taken = ("content-type", "authorization") if self.token or self.username else ("content-type",)
        check_headers(self.headers, own=taken)
        check_headers({"Authorization": f"Bearer {self.token or ''}"}, "token")
        if bool(self.username) != (self.password is not None):
            raise ValueError('"username" and "password" go together')
        if self.token is not None and self.username:
            raise ValueError('token: takes the place of "username" and "password"; give one of the two')
        if not TEST_LASTS <= self.resolve_after <= LONGEST:
            raise ValueError(
                "resolve_after: expected 5 min to 366 d; a shorter one ends before anybody sees it"
            )
        for name in self.labels:
            if label_name(name) != name or name in OWN_LABELS:
                raise ValueError(
                    f"labels: {printable(name)!r} can't be used; names are letters, digits and _ and none of "
                    f"{', '.join(OWN_LABELS)}"
                )

    @property
    def addresses(self) -> tuple[Secret, ...]:
        return self.urls if self.url is None else (self.url,)


class Alertmanager:
    """Tells all members of a cluster, each within the same deadline."""

    def __init__(self, settings: AlertmanagerSettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context

    def send(self, notification: Notification) -> Outcome:
        from gatekeeper.net import side_by_side

        alerts = list(posted(notification, self._settings, datetime.now(UTC)))
        bodies = [strict_json(alerts[at : at + AT_ONCE]) for at in range(0, len(alerts), AT_ONCE)]
        members = self._settings.addresses
        # one that hangs must not use up the time in which another one's answer still counts
        within = self._context.within * (1.0 if len(members) == 1 else 0.8)
        told = side_by_side([partial(self._tell, url, bodies, within) for url in members])
        return _best([TryAgain(found.message) if isinstance(found, Exception) else found for found in told])

    def _tell(self, url: str, bodies: Sequence[bytes], within: float) -> Outcome:
        from gatekeeper.net import Deadline

        secret, deadline = self._secret_headers(), Deadline(within, "telling Alertmanager")
        headers = {"Content-Type": "application/json", **secret}
        place = f"{url.rstrip('/')}/api/v2/alerts"
        for body in bodies:
            response = post(
                place,
                body,
                headers=headers,
                context=self._context,
                deadline=deadline,
                ca_file=self._settings.ca_file,
            )
            found = response if isinstance(response, TryAgain) else outcome(response, secret.values())
            if not isinstance(found, Delivered):
                return found
        return Delivered()

    def _secret_headers(self) -> dict[str, str]:
        from base64 import b64encode

        settings = self._settings
        headers: dict[str, str] = {**settings.headers}
        if settings.token is not None:
            headers["Authorization"] = f"Bearer {settings.token}"
        elif settings.username:
            pair = f"{settings.username}:{settings.password or ''}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return headers


def _best(outcomes: Sequence[Outcome]) -> Outcome:
    """One member that took it is enough: notifications go out from there. Else whatever may still come to something."""
    for wanted in (Delivered, TryAgain):
        for found in outcomes:
            if isinstance(found, wanted):
                return found
    return outcomes[0]


def posted(
    notification: Notification, settings: AlertmanagerSettings, now: datetime
) -> Iterator[dict[str, Any]]:
    """What is posted: each alert as it stands, and the end of what it was where its severity changed."""
    for event in notification.events:
        alert = event.alert
        over = event.kind == "resolved"
        lasts = TEST_LASTS if notification.test else float(settings.resolve_after)
        ends = _past(alert.ended or event.time, now) if over else now + timedelta(seconds=lasts)
        yield _posted(event, labels(alert, notification, settings), ends)
        if event.before is not None and event.before != alert.severity:
            then = labels(alert, notification, settings) | {"severity": event.before}
            yield _posted(event, then, _past(event.time, now))


def _posted(event: AlertEvent, labels: dict[str, str], ends: datetime) -> dict[str, Any]:
    starts = min(_time(event.alert.since) or ends, ends)  # clocks jump; what ends before it starts is refused
    found = {
        "labels": labels,
        "annotations": dict(annotations(event.alert)),
        "startsAt": _text(starts),
        "endsAt": _text(ends),
        "generatorURL": _link(event.alert.link),
    }
    return {name: value for name, value in found.items() if value}


OWN_LABELS = ("alertname", "gate", "finding", "subject", "rule", "severity", "test")
"""Labels that every alert has where they say something, and that no other takes the place of."""


def labels(alert: Alert, notification: Notification, settings: AlertmanagerSettings) -> dict[str, str]:
    """What names an alert: the same as long as it fires, whatever it says."""
    own = {
        "alertname": alert.rule or alert.gate,
        "gate": alert.gate,
        "finding": alert.finding,
        "subject": alert.subject,
        "rule": alert.rule,
        "severity": alert.severity,
        "test": "true" if notification.test else "",
    }
    free: dict[str, str] = {}
    for name in sorted(alert.labels, key=lambda name: (label_name(name) != name, name)):
        free.setdefault(
            label_name(name), alert.labels[name]
        )  # one that fits goes before one that was made to
    given = settings.labels | free | own
    return {name: text for name, value in given.items() if (text := one_line(value)[:MAX_VALUE])}


def label_name(name: str) -> str:
    """A name as Prometheus takes it, `[a-zA-Z_][a-zA-Z0-9_]*`, and not `__…`, which is reserved."""
    found = re.sub(r"[^a-zA-Z0-9_]", "_", name) or "_"
    found = re.sub(r"^__+", "_", found)
    return f"_{found}" if found[0].isdigit() else found


def annotations(alert: Alert) -> Iterator[tuple[str, str]]:
    """What an alert says; empty ones are left out."""
    unit = alert.unit
    own = {
        "summary": alert.summary,
        "description": alert.description,
        "hint": alert.hint,
        "value": "" if alert.value is None else show(alert.value, unit),
        "limit": "" if alert.limit is None else f"{alert.operator or ''} {show(alert.limit, unit)}".strip(),
        "link": alert.link,
        "status": alert.status,
        "run": alert.run,
        "fingerprint": alert.fingerprint,
    }
    given = {label_name(name): text for name, text in sorted(alert.annotations.items())}
    for name, text in (given | {name: text for name, text in own.items() if text}).items():
        if text:
            yield name, printable(text, newlines=True)


_ADDRESS = re.compile(
    r"(https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)((?:[/?#].*)?)", re.DOTALL
)


def _link(link: str) -> str:
    """An address that Alertmanager takes; empty where it is none, since that would have it refuse every alert."""
    from urllib.parse import quote

    if (match := _ADDRESS.fullmatch(link)) is None:
        return ""
    rest = re.sub(r"%(?![0-9a-fA-F]{2})", "%25", match[2])
    return match[1] + quote(rest, safe="/%:@!$&'()*+,;=~-._?#", errors="replace")


def _time(time: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(time)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _past(time: str, now: datetime) -> datetime:
    """When something ended; now, if clocks say that it will."""
    return min(_time(time) or now, now)


def _text(time: datetime) -> str:
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


CHANNEL = ChannelType(
    name="alertmanager",
    summary="alerts to Prometheus' Alertmanager, which groups, silences and repeats by itself",
    settings=AlertmanagerSettings,
    open=Alertmanager,
    min_severity="low",
    resends=True,
)
