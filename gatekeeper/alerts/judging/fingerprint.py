"""Names that stay: of an alert as long as there is one like it, of an event however often it is made."""

from collections.abc import Mapping
from hashlib import sha256

from gatekeeper.channels.events import Alert, Kind
from gatekeeper.plain import strict_json


def fingerprint(gate: str, finding: str, subject: str, rule: str, labels: Mapping[str, str]) -> str:
    """What names an alert for good, in 32 hexadecimal digits: gate, finding, subject, rule and labels."""
    return _digest([gate, finding, subject, rule, sorted(labels.items())])


def event_id(alert: Alert, kind: Kind, *, run: str, level: int = 0) -> str:
    """The id of what happened to an alert, in 32 hexadecimal digits.

    Evaluating the same run again, after a crash, makes the same id; firing anew at another time makes another. `run` is
    empty and `level` counts for an escalation between runs.
    """
    return _digest([alert.fingerprint, alert.since, kind, alert.severity, run, level])


def _digest(parts: list[object]) -> str:
    return sha256(strict_json(parts)).hexdigest()[:32]
