"""Candidates take turns in one process of measurement, so that what else the machine does meets all of them.

Each round runs every candidate once, in an order that rotates and turns round. A ratio is the median of the
rounds' ratios, with their quartiles: two runs of one round have more in common than two medians.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sample:
    """What one run of a candidate took: seconds, seconds of CPU, and bytes at its peak where they are known."""

    wall: float
    cpu: float | None = None
    peak: int | None = None


@dataclass(frozen=True)
class Candidate:
    """Something that is measured, under the name that the table shows."""

    name: str
    run: Callable[[], Sample]


@dataclass(frozen=True)
class Against:
    """A ratio that the table shows: how much of the peer's time ours takes, and what it should be at most."""

    ours: str
    peer: str
    goal: float | None = None


@dataclass(frozen=True)
class Figure:
    """A number that the rounds lead to, such as milliseconds a gate: one value of each round."""

    what: str
    values: Sequence[float]
    unit: str
    goal: str = ""


Taken = dict[str, list[Sample]]


@dataclass
class Comparison:
    """Candidates that took turns, and what is made of it. `notes` say what a reader must know of it."""

    title: str
    taken: Taken
    ratios: Sequence[Against] = ()
    figures: list[Figure] = field(default_factory=list)
    notes: Sequence[str] = ()


def take_turns(candidates: Sequence[Candidate], rounds: int, warm_up: int = 1) -> Taken:
    """Run each candidate once a round. Rounds of warming up (caches, bytecode) are not kept."""
    taken: Taken = {candidate.name: [] for candidate in candidates}
    for turn in range(-warm_up, rounds):
        shift = turn // 2 % len(candidates)
        order = [*candidates[shift:], *candidates[:shift]]
        for candidate in order if turn % 2 == 0 else reversed(order):
            sample = candidate.run()
            if turn >= 0:
                taken[candidate.name].append(sample)
    return taken


def timed(function: Callable[[], object], times: float = 1) -> Callable[[], Sample]:
    """A candidate in this process. `times`: how many times as much the whole work is as this sample of it."""

    def run() -> Sample:
        cpu, began = time.process_time(), time.perf_counter()
        function()
        return Sample((time.perf_counter() - began) * times, (time.process_time() - cpu) * times)

    return run


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratios_of(taken: Taken, pair: Against) -> list[float]:
    """The ratio of each round."""
    both = zip(taken[pair.ours], taken[pair.peer], strict=True)
    return [ours.wall / peer.wall for ours, peer in both]


# -- command lines -----------------------------------------------------------------------------------------


def parser(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    first = (description or "").partition("\n")[0]
    options = argparse.ArgumentParser(description=first)
    options.add_argument("--rounds", type=_positive, default=rounds, help=f"How many rounds ({rounds}).")
    options.add_argument("--quick", action="store_true", help="Small and short: does it work, not how fast.")
    options.add_argument("--json", type=Path, metavar="FILE", help="Write all that was measured there too.")
    return options


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(f"{text} is not positive")
    return number


def publish(asked: argparse.Namespace, comparisons: Sequence[Comparison]) -> None:
    """Print the tables; write the JSON that was asked for."""
    print(heading(asked))
    for comparison in comparisons:
        print(f"\n## {comparison.title}\n")
        print("\n\n".join(_tables(comparison)))
        for note in comparison.notes:
            print(f"\n{note}")
    if asked.json is not None:
        asked.json.write_text(json.dumps(_document(asked, comparisons), indent=1) + "\n", encoding="utf-8")


def heading(asked: argparse.Namespace) -> str:
    """When, where, with what, how often."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    quick = ", --quick: the numbers mean nothing" if asked.quick else ""
    date = datetime.now(UTC).date()
    return f"{date}, {machine}, Python {platform.python_version()}, {asked.rounds} rounds{quick}"


# -- tables ------------------------------------------------------------------------------------------------


def _tables(comparison: Comparison) -> list[str]:
    found = [_times(comparison.taken)]
    if comparison.ratios:
        found.append(_ratios(comparison.taken, comparison.ratios))
    if comparison.figures:
        found.append(_figures(comparison.figures))
    return found


def _times(taken: Taken) -> str:
    rows = []
    for name, samples in taken.items():
        low, middle, high = spread([sample.wall for sample in samples])
        cpu = [sample.cpu for sample in samples if sample.cpu is not None]
        peak = [sample.peak for sample in samples if sample.peak is not None]
        rows.append(
            [
                name,
                seconds(middle),
                f"{seconds(low)} to {seconds(high)}",
                seconds(statistics.median(cpu)) if cpu else "",
                f"{statistics.median(peak) / 1e6:.0f} MB" if peak else "",
            ]
        )
    return table(["candidate", "median", "quartiles", "CPU", "peak memory"], rows)


def _ratios(taken: Taken, ratios: Sequence[Against]) -> str:
    rows = []
    for pair in ratios:
        low, middle, high = spread(ratios_of(taken, pair))
        goal = "" if pair.goal is None else f"≤ {pair.goal:g}"
        rows.append([pair.ours, pair.peer, f"{middle:.3f}", f"{low:.3f} to {high:.3f}", goal])
    return table(["gatekeeper", "against", "ratio", "quartiles", "goal"], rows)


def _figures(figures: Sequence[Figure]) -> str:
    rows = []
    for figure in figures:
        low, middle, high = spread(figure.values)
        rows.append([figure.what, f"{middle:.3g} {figure.unit}", f"{low:.3g} to {high:.3g}", figure.goal])
    return table(["figure", "median", "quartiles", "goal"], rows)


def seconds(value: float) -> str:
    """A duration as people read it: `1.23 s`, `45.6 ms`, `7.89 µs`."""
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned; all but the first are numbers or short."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)])


# -- JSON --------------------------------------------------------------------------------------------------


def _document(asked: argparse.Namespace, comparisons: Sequence[Comparison]) -> Mapping[str, Any]:
    return {
        "measured": heading(asked),
        "quick": asked.quick,
        "comparisons": [
            {
                "title": comparison.title,
                "samples": {name: [*map(asdict, samples)] for name, samples in comparison.taken.items()},
                "ratios": [
                    {**asdict(pair), "median": spread(ratios_of(comparison.taken, pair))[1]}
                    for pair in comparison.ratios
                ],
                "figures": [asdict(figure) for figure in comparison.figures],
                "notes": list(comparison.notes),
            }
            for comparison in comparisons
        ],
    }
