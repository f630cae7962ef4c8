"""What of `[alerts]` can't work: rules that can never fire, names of nothing, texts that are no templates.

Found when the configuration is checked, all at once: an alert that never comes is not missed until it is needed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from gatekeeper.alerts.configured import labels_of
from gatekeeper.alerts.judging.rules import Threshold
from gatekeeper.alerts.judging.templates import IDENTITY, NAMES, problem
from gatekeeper.alerts.matching import covers
from gatekeeper.channels.events import PSEUDO_LABELS
from gatekeeper.errors import nearest
from gatekeeper.quantities import show
from gatekeeper.settings.alerting import AlertRule, AlertSettings, QuietSettings

Path: TypeAlias = tuple[str | int, ...]
Mistake: TypeAlias = tuple[Path, str]
"""Where, from the root of the configuration, and what is wrong."""

Gates: TypeAlias = Mapping[str, Sequence[str] | None]
"""Ids of the gates that there are, each with the names of what it records; None where those aren't known."""

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WELL = ("pass", "skip")


def check_rules(
    settings: AlertSettings, gates: Gates, *, channels: Sequence[str] | None = None, retention: float
) -> list[Mistake]:
    """All that is wrong, in the order of the tables.

    Args:
        settings: the table `[alerts]`.
        gates: the gates that there are.
        channels: names of the channels that there are; None where somebody else looks at who names them.
        retention: how long recorded values are kept, in seconds.
    """
    return [
        *_general(settings),
        *_rules(settings, gates, retention),
        *_twice("rules", [rule.name for rule in settings.rules]),
        *_escalation(settings, channels),
        *_maintenance(settings, gates),
        *_twice("maintenance", [window.name for window in settings.maintenance]),
        *_inhibit(settings, gates),
    ]


# -- [alerts] ------------------------------------------------------------------------------------------------------


def _general(settings: AlertSettings) -> Iterator[Mistake]:
    yield from _names_of_labels(settings.labels, ("alerts", "labels"))
    yield from _templates(settings.labels, ("alerts", "labels"), IDENTITY, ())
    if wrong := problem(settings.link, NAMES, settings.labels):
        yield ("alerts", "link"), wrong
    yield from _known_labels(settings.group_by, ("alerts", "group_by"), settings)


def _names_of_labels(labels: Iterable[str], path: Path) -> Iterator[Mistake]:
    for name in labels:
        if name in PSEUDO_LABELS:
            yield (*path, name), f"every alert has a label {name!r} already: give this one another name"
        elif _LABEL.fullmatch(name) is None:
            yield (
                (*path, name),
                f"the name of a label has letters, digits and _, and begins with no digit: {name!r}",
            )


def _templates(
    texts: Mapping[str, str], path: Path, names: Sequence[str], labels: Iterable[str]
) -> Iterator[Mistake]:
    for name, text in texts.items():
        if wrong := problem(text, names, tuple(labels)):
            yield (*path, name), wrong


def _known_labels(names: Iterable[str], path: Path, settings: AlertSettings) -> Iterator[Mistake]:
    known = labels_of(settings)
    for index, name in enumerate(names):
        if name not in known:
            hint = nearest(name, known) or f" Known labels: {', '.join(sorted(known))}."
            yield (*path, index), f"no alert has a label {name!r}.{hint}"


def _twice(table: str, names: Sequence[str]) -> Iterator[Mistake]:
    for index, name in enumerate(names):
        if not name.strip():
            yield ("alerts", table, index, "name"), "expected a name"
        elif name in names[:index]:
            yield ("alerts", table, index, "name"), f"another one is named {name!r} too: names are unique"


def _gate(pattern: str, path: Path, gates: Gates) -> Iterator[Mistake]:
    """A gate's id, its name or a pattern: it has to mean at least one."""
    if pattern == "*" or any(covers(pattern, gate) for gate in gates):
        return
    known = sorted({*gates, *(gate.partition(".")[2] for gate in gates)})
    if any(character in pattern for character in "*?["):
        yield path, f'no gate matches "{pattern}".{nearest(pattern.strip("*?"), known)}'
    else:
        yield path, f'no gate "{pattern}".{nearest(pattern, known) or " List them with: gatekeeper list"}'


# -- [[alerts.rules]] ----------------------------------------------------------------------------------------------


def _rules(settings: AlertSettings, gates: Gates, retention: float) -> Iterator[Mistake]:
    for index, rule in enumerate(settings.rules):
        yield from _rule(settings, index, rule, gates, retention)


def _rule(
    settings: AlertSettings, index: int, rule: AlertRule, gates: Gates, retention: float
) -> Iterator[Mistake]:
    path: Path = ("alerts", "rules", index)
    yield from _gate(rule.gate, (*path, "gate"), gates)
    if bool(rule.status) == bool(rule.finding):
        yield path, "expected either `status`, or `finding` with a `threshold`"
    elif rule.status:
        yield from _on_status(rule, path)
    else:
        yield from _on_quantity(rule, path, gates, retention)
    labels = {**settings.labels, **rule.labels}
    yield from _names_of_labels(rule.labels, (*path, "labels"))
    yield from _templates(rule.labels, (*path, "labels"), IDENTITY, ())
    yield from _templates(rule.annotations, (*path, "annotations"), NAMES, labels)
    for name in rule.annotations:
        if _LABEL.fullmatch(name) is None:
            wrong = f"the name of an annotation has letters, digits and _, and begins with no digit: {name!r}"
            yield (*path, "annotations", name), wrong


def _on_status(rule: AlertRule, path: Path) -> Iterator[Mistake]:
    for place, status in enumerate(rule.status):
        if status in _WELL:
            told = (
                "what is over is told by itself"
                if status == "pass"
                else "a gate that was not run shows nothing"
            )
            yield (*path, "status", place), f'"{status}" never fires: {told}'
    for key, given in (
        ("threshold", bool(rule.threshold)),
        ("window", rule.window is not None),
        ("aggregate", rule.aggregate != "last"),
        ("times", rule.times > 1),
    ):
        if given:
            yield (*path, key), f"{key} goes with `finding`, not with `status`"


def _on_quantity(rule: AlertRule, path: Path, gates: Gates, retention: float) -> Iterator[Mistake]:
    yield from _quantity(rule, (*path, "finding"), gates)
    yield from _threshold(rule, path, gates)
    if rule.window is not None and rule.window <= 0:
        yield (*path, "window"), "a window of 0 s has no values: it would never fire"
    elif rule.window is not None and rule.window > retention:
        kept = show(retention, "s")
        yield (*path, "window"), f"values are kept for {kept} ([store] retention), and this window is longer"
    if rule.window is None and rule.aggregate != "last":
        yield (*path, "aggregate"), f'aggregate = "{rule.aggregate}" needs a `window`: of which time'
    if rule.window is None and rule.times > 1:
        yield (*path, "times"), "times needs a `window`: within which time"
    if rule.times > 1 and rule.aggregate != "last":
        wrong = f'times counts single values, and aggregate = "{rule.aggregate}" makes one of them: use one of the two'
        yield (*path, "times"), wrong


def _quantity(rule: AlertRule, path: Path, gates: Gates) -> Iterator[Mistake]:
    """Refused only where every gate that is meant is known not to record it."""
    meant = {gate: names for gate, names in gates.items() if covers(rule.gate, gate)}
    known = {name for names in meant.values() for name in names or ()}
    if not meant or None in meant.values() or rule.finding in known:
        return
    who = next(iter(meant)) if len(meant) == 1 else f'no gate of "{rule.gate}"'
    records = f"{who} records no {rule.finding!r}" if len(meant) == 1 else f"{who} records {rule.finding!r}"
    listed = f" It records {', '.join(sorted(known)[:12])}." if known else " It records no quantity."
    yield path, f"{records}: this would never fire.{nearest(rule.finding, known) or listed}"


def _threshold(rule: AlertRule, path: Path, gates: Gates) -> Iterator[Mistake]:
    key = (*path, "threshold")
    if not rule.threshold:
        yield key, 'missing key "threshold"'
        return
    try:
        threshold = Threshold.parse(rule.threshold)
    except ValueError as error:
        yield key, str(error)
        return
    if rule.aggregate != "count":
        return
    if threshold.unit:
        yield key, f"count is a bare number, and the limit has a unit: {rule.threshold!r}"
    elif not _counts(threshold):
        yield key, f"no count of values is ever {rule.threshold}: this would never fire"
    elif threshold.fires(0) and rule.gate not in gates:
        wrong = (
            f"every gate that never records {rule.finding!r} has a count {rule.threshold}: give one gate's id"
        )
        yield (*path, "gate"), wrong


def _counts(threshold: Threshold) -> bool:
    """Whether some whole number from 0 on is beyond."""
    near = int(min(abs(threshold.limit), 1e15))
    return any(threshold.fires(number) for number in (0, near, near + 1))


# -- the other tables ----------------------------------------------------------------------------------------------


def _escalation(settings: AlertSettings, channels: Sequence[str] | None) -> Iterator[Mistake]:
    path: Path = ("alerts", "escalation")
    before = -1.0
    for index, step in enumerate(settings.escalation):
        if step.after <= before:
            wrong = f"steps come in the order of their time, and the one before is after {show(before, 's')}"
            yield (*path, index, "after"), wrong
        before = max(before, float(step.after))
        if step.severity is None and not step.channels:
            yield (
                (*path, index),
                "a step raises the severity or tells further channels: this one does neither",
            )
        for place, name in enumerate(step.channels):
            if channels is not None and name not in channels:
                hint = nearest(name, [*channels]) or f" Channels: {', '.join(sorted(channels)) or 'none'}."
                yield (*path, index, "channels", place), f"no channel {name!r}.{hint}"


def _maintenance(settings: AlertSettings, gates: Gates) -> Iterator[Mistake]:
    for index, window in enumerate(settings.maintenance):
        path: Path = ("alerts", "maintenance", index)
        if window.gate:
            yield from _gate(window.gate, (*path, "gate"), gates)
        known = labels_of(settings)
        for name in window.labels:
            if name not in known:
                hint = nearest(name, known) or f" Known labels: {', '.join(sorted(known))}."
                yield (*path, "labels", name), f"no alert has a label {name!r}.{hint}"
        if window.lasts <= 0:
            yield (*path, "lasts"), "expected more than 0 s"
        else:
            yield from _recurrence(window, path)


def _recurrence(window: QuietSettings, path: Path) -> Iterator[Mistake]:
    from gatekeeper.recurrence import Recurrence, zone

    try:
        starts = window.starts
        if starts.tzinfo is None:
            starts = starts.replace(tzinfo=zone(window.timezone))
        if window.repeat:
            Recurrence(window.repeat, starts.timestamp(), float(window.lasts), window.timezone)
    except (ValueError, OverflowError) as error:
        key, colon, text = str(error).partition(": ")
        known = colon and key in QuietSettings.__struct_fields__
        yield ((*path, key), text) if known else (path, str(error))


def _inhibit(settings: AlertSettings, gates: Gates) -> Iterator[Mistake]:
    for index, inhibition in enumerate(settings.inhibit):
        path: Path = ("alerts", "inhibit", index)
        yield from _gate(inhibition.while_, (*path, "while"), gates)
        yield from _gate(inhibition.quiet, (*path, "quiet"), gates)
        yield from _known_labels(inhibition.same, (*path, "same"), settings)
