"""From the tables `[[alerts.channels]]` to channels that can be opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from gatekeeper.alerts.stages.situation import Recipient
from gatekeeper.channels import ChannelType
from gatekeeper.channels.events import PSEUDO_LABELS
from gatekeeper.errors import UsageError, nearest
from gatekeeper.model import Severity
from gatekeeper.plain import printable
from gatekeeper.plugins import Plugins
from gatekeeper.redact import secrets_in
from gatekeeper.settings import Settings
from gatekeeper.settings.alerting import AlertSettings, ChannelSettings
from gatekeeper.settings.convert import Problem, convert
from gatekeeper.settings.layers import Part
from gatekeeper.settings.problems import line

COMMON = ChannelSettings.__struct_fields__

TABLE = ("alerts", "channels")


class Configured(Struct, frozen=True, kw_only=True):
    """One channel as it is configured.

    `values` are its type's own settings, None where a secret that they need can't be read; `missing` says which then.
    `secrets` (UTF-8) are hidden in everything that is said of it. `root` is the project's folder.
    """

    name: str
    settings: ChannelSettings
    type: ChannelType
    values: Struct | None
    secrets: tuple[bytes, ...] = ()
    missing: str = ""
    root: Path = field(default_factory=Path)

    @property
    def min_severity(self) -> Severity:
        return self.settings.min_severity or self.type.min_severity


def recipient(channel: Configured) -> Recipient:
    """The channel as the stages see it."""
    return Recipient(
        name=channel.name,
        min_severity=channel.min_severity,
        match=channel.settings.match,
        resolved=channel.settings.resolved,
        max_per_hour=channel.settings.max_per_hour,
        resends=channel.type.resends,
    )


def channels(settings: Settings, plugins: Plugins, root: Path) -> list[Configured]:
    """The channels that are configured and enabled, in their order. Loads every channel plugin, if there is one.

    A secret that can't be read (`env:…`, `file:…`; a relative file starts at `root`) is no mistake here: its channel
    says so as `missing`.

    Raises:
        UsageError: all that is wrong with them, each with its place.
    """
    tables = settings.alerts.channels
    if not tables:
        return []
    reader = _Reader(settings, plugins.channels(), root)
    found = [reader.channel(index, table) for index, table in enumerate(tables)]
    reader.refuse_twice(found)
    reader.refuse_unknown_steps(found)
    if reader.problems:
        raise UsageError(*dict.fromkeys(reader.lines()))
    return [each for each in found if each is not None and each.settings.enabled]


class _Reader:
    """What reading the tables shares: the types that there are, and what is wrong so far."""

    def __init__(self, settings: Settings, types: Mapping[str, ChannelType], root: Path) -> None:
        self.alerts, self.types, self.root = settings.alerts, types, root
        self.parts = [Part(layer, (), layer.data) for layer in settings.layers]
        self.problems: list[Problem] = []

    def lines(self) -> list[str]:
        return [line(p.path, p.message, self.parts, len(TABLE)) for p in self.problems]

    def wrong(self, message: str, *path: str | int) -> None:
        self.problems.append(Problem(path, message))

    def channel(self, index: int, table: Mapping[str, Any]) -> Configured | None:
        type_ = self._type(index, table)
        if type_ is None:
            return None
        before = len(self.problems)
        path = (*TABLE, index)
        own = {key: value for key, value in table.items() if key not in COMMON}
        common = convert(
            ChannelSettings, {key: table[key] for key in table if key in COMMON}, self.problems, path
        )
        values, missing = self._values(type_, own, path)
        if common is None or len(self.problems) > before:
            return None
        name = common.name or common.type
        if name != printable(name).strip():
            self.wrong(f"expected a name without control characters, got {name!r}", *path, "name")
        self._check_labels(common, path)
        return Configured(
            name=name,
            settings=common,
            type=type_,
            values=None if missing else values,
            secrets=secrets_in([values]),
            missing=missing,
            root=self.root,
        )

    def _type(self, index: int, table: Mapping[str, Any]) -> ChannelType | None:
        name = table.get("type")
        if name is None:
            self.wrong('missing key "type"', *TABLE, index, "type")
            return None
        if isinstance(name, str) and (found := self.types.get(name)) is not None:
            return found
        listed = f" Known types: {', '.join(sorted(self.types))}."
        hint = nearest(str(name), [*self.types]) or listed
        self.wrong(f"no type of channel {name!r}.{hint}", *TABLE, index, "type")
        return None

    def _values(
        self, type_: ChannelType, own: Mapping[str, Any], path: tuple[str | int, ...]
    ) -> tuple[Struct | None, str]:
        """The type's own settings, and which secret of them can't be read."""
        if taken := sorted(set(COMMON) & set(type_.settings.__struct_fields__)):
            raise UsageError(
                f"channel type {type_.name!r}: its setting {taken[0]!r} is one that every channel has: rename it"
            )
        problems: list[Problem] = []
        try:
            values = convert(type_.settings, own, problems, path, root=self.root, also=COMMON)
        except (NotImplementedError, TypeError) as error:
            raise UsageError(
                f"channel type {type_.name!r}: its settings class can't be read: {error}"
            ) from None
        self.problems += [problem for problem in problems if not problem.secret]
        return values, "; ".join(problem.message for problem in problems if problem.secret)

    def _check_labels(self, common: ChannelSettings, path: tuple[str | int, ...]) -> None:
        known = labels_of(self.alerts)
        for label in common.match:
            if label not in known:
                hint = nearest(label, known) or f" Known labels: {', '.join(sorted(known))}."
                self.wrong(f"no alert has a label {label!r}.{hint}", *path, "match", label)

    def refuse_twice(self, found: Sequence[Configured | None]) -> None:
        seen: set[str] = set()
        for index, each in enumerate(found):
            if each is not None and each.name in seen:
                key = "name" if each.settings.name else "type"
                self.wrong(
                    f"two channels are named {each.name!r}: give one another `name`", *TABLE, index, key
                )
            seen |= {each.name} if each is not None else set()

    def refuse_unknown_steps(self, found: Sequence[Configured | None]) -> None:
        """Steps of the escalation that lead to no channel; not said while channels are wrong themselves."""
        if None in found:
            return
        names = {each.name for each in found if each is not None}
        for index, step in enumerate(self.alerts.escalation):
            for place, name in enumerate(step.channels):
                if name not in names:
                    hint = nearest(name, names) or f" Channels: {', '.join(sorted(names))}."
                    self.wrong(
                        f"no channel {name!r}.{hint}", "alerts", "escalation", index, "channels", place
                    )


def labels_of(alerts: AlertSettings) -> set[str]:
    """The labels that alerts can have."""
    return {*PSEUDO_LABELS, *alerts.labels, *(label for rule in alerts.rules for label in rule.labels)}
