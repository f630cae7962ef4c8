"""Log files of JSON lines: how many records, how many errors, of which type.

A record is an event when it has a level or says something about success; the rules are those of
`gatekeeper.collect.error_type`. Lines that are no JSON objects are counted as unread, and objects that say neither
are counted in a note: nothing is dropped silently.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gatekeeper import Readings, SampleSource
from gatekeeper.collect import Collector, error_type, lines, parse_json

NAME = "log"


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [SampleSource("log", "logs of JSON lines: records and errors by level, status and type", read)]


def read(path: Path) -> Readings:
    """Read the file line by line."""
    collector = Collector(path)
    silent, first_unread, unread = 0, 0, 0
    for line in lines(path, collector):
        record = _object(line)
        if record is None:
            collector.unread(NAME)
            unread, first_unread = unread + 1, first_unread or collector.line
        elif (error := error_type(record)) is None:
            silent += 1
        else:
            collector.event(NAME, error)
    if unread:
        collector.note(f"{unread} of {collector.line} lines are not JSON objects, the first is line {first_unread}")
    if silent:
        collector.note(f"{silent} JSON lines have neither a level nor a status and are not counted")
    return collector.readings()


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        record = parse_json(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
