"""Log files of JSON lines: how many records, how many errors, of which type.

A record is an event when it has a level or says something about success; the rules are those of
`gatekeeper.collect.error_type`. Lines that are no JSON objects are counted as unread, and objects that say
neither are counted in a note: nothing is dropped silently.
"""

from collections.abc import Iterable
from pathlib import Path

from gatekeeper import DataError, Readings, SampleSource
from gatekeeper.collect import Collector, error_type, records

NAME = "log"


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [SampleSource("log", "logs of JSON lines: records and errors by level, status and type", read)]


def read(path: Path) -> Readings:
    """Read the file line by line."""
    collector = Collector(path)
    silent = 0
    first: list[DataError] = []

    def refuse(error: DataError) -> None:
        collector.unread(NAME)
        first.extend([] if first else [error])

    for record in records(path, "jsonl", collector, refuse):
        if (error := error_type(record)) is None:
            silent += 1
        else:
            collector.event(NAME, error)
    if first:
        collector.note(f"{collector.unread_of(NAME)} lines are not JSON objects, the first: {first[0]}")
    if silent:
        collector.note(f"{silent} JSON lines have neither a level nor a status and are not counted")
    return collector.readings()
