"""Grouping: alerts with the same values of `group_by` are told together, and each channel is told of each group."""

from collections.abc import Sequence

import msgspec

from gatekeeper.channels.events import Alert
from gatekeeper.plain import strict_json

Labels = dict[str, str]


def group_of(group_by: Sequence[str], made: dict[tuple[str, ...], str], alert: Alert) -> str:
    """The key of an alert's group: JSON of the labels that its alerts share, without those that it does not have.

    `made` keeps the keys of earlier calls.
    """
    values = tuple(map(alert.label, group_by))
    if values not in made:
        labels = {name: value for name, value in zip(group_by, values, strict=True) if value}
        made[values] = strict_json(dict(sorted(labels.items()))).decode()
    return made[values]


def labels_of(group: str) -> Labels:
    """The labels that the alerts of a group share; none for a key that is no group's."""
    try:
        return msgspec.json.decode(group, type=Labels)
    except msgspec.DecodeError:
        return {}
