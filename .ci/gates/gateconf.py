"""What the gates of this repository share: where it is, and a source that reads what its benchmarks wrote."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gatekeeper import DataError, Readings, SampleSource
from gatekeeper.collect import Collector, read_json


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [SampleSource("benchmark", "what --json of benchmarks/ wrote: ratios of each round", read)]


def read(path: Path) -> Readings:
    """One series `time`, in the labels `of` and `against`: how much of the peer's time ours took, round by round.

    A run with --quick measured nothing, so it says nothing here either.
    """
    document: dict[str, Any] = read_json(path)
    collector = Collector(path)
    try:
        if document["quick"]:
            collector.note("measured with --quick: its numbers mean nothing")
            return collector.readings()
        for comparison in document["comparisons"]:
            for pair in comparison["ratios"]:
                _add(collector, pair["ours"], pair["peer"], comparison["samples"])
    except (KeyError, TypeError) as error:
        raise DataError(path, f"is not what a benchmark writes: {error!r}") from None
    return collector.readings()


def _add(collector: Collector, ours: str, peer: str, samples: dict[str, Any]) -> None:
    for one, other in zip(samples[ours], samples[peer], strict=True):
        collector.add("time", one["wall"] / other["wall"], "×", {"of": ours, "against": peer})
