"""OpenMetrics and Prometheus' text format, as a `/metrics` page or a textfile has it.

Counters and gauges are series of one value; histograms keep their buckets, so that any percentile can be
asked of them; summaries have the quantiles that they were configured with. Units come from the name
(`…_seconds`, `…_bytes`, `…_ratio`) or from `# UNIT`. A counter with a label such as `code="503"` makes
events too.

Formats: OpenMetrics 1.0 (RFC draft-richih-opsawg-openmetrics-00) and Prometheus text format 0.0.4.
"""

import re
from collections.abc import Iterable, Mapping
from math import inf, isfinite, isnan
from pathlib import Path

from msgspec import Struct, field

from gatekeeper import Readings, SampleSource, Series
from gatekeeper.collect import Collector, base_unit, lines, split_unit, status_class
from gatekeeper.samples import read_labels

STATUS_LABELS = (
    "code",
    "status",
    "status_code",
    "http_status",
    "http_status_code",
    "http_response_status_code",
)
PARTS = {
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "summary": ("_sum", "_count", "_created"),
    "counter": ("_total", "_created"),
    "info": ("_info",),
}
NAME = re.compile(r"[A-Za-z_:][\w:.]*")
Labels = tuple[tuple[str, str], ...]


class Distribution(Struct):
    """A histogram or summary with one set of labels, as far as it was read. `at` is its first line."""

    at: int
    buckets: dict[float, float] = field(default_factory=dict)
    quantiles: dict[float, float] = field(default_factory=dict)
    sum: float | None = None
    count: float | None = None


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [
        SampleSource(
            "openmetrics", "OpenMetrics or Prometheus text: counters, gauges, histograms, summaries", read
        )
    ]


def read(path: Path) -> Readings:
    """Read the file line by line."""
    collector = Collector(path)
    page = _Page(collector)
    for line in lines(path, collector):
        page.line(line)
    page.finish()
    return collector.readings()


class _Page:
    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.types: dict[str, str] = {}
        self.units: dict[str, str] = {}
        self.parts: dict[tuple[str, Labels], Distribution] = {}
        self.ended = False

    def line(self, raw: bytes) -> None:
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            self.collector.wrong(f"is not UTF-8: {error.reason}")
        if self.ended:
            self.collector.wrong("there is something after # EOF")
        if text.startswith("#"):
            self._comment(text)
        else:
            self._sample(text)

    def _comment(self, text: str) -> None:
        words = text.split(None, 3)
        if words == ["#", "EOF"]:
            self.ended = True
        elif len(words) >= 4 and words[1] == "TYPE":
            self.types[words[2].strip('"')] = words[3].strip().lower()
        elif len(words) >= 4 and words[1] == "UNIT":
            self.units[words[2].strip('"')] = words[3].strip()

    def _sample(self, text: str) -> None:
        name, labels, rest = self._head(text)
        words = rest.partition(" # ")[0].split()  # after a # comes an exemplar
        if not 1 <= len(words) <= 2:
            self.collector.wrong(f"expected a value and perhaps a time after {name}, got {rest.strip()!r}")
        value = self._number(words[0])
        family, kind, part = self._family(name)
        if kind in ("histogram", "gaugehistogram", "summary"):
            self._part(family, part, labels, value)
        elif kind not in ("info", "stateset") and part != "_created":
            self._value(name, family, kind, labels, value)

    def _head(self, text: str) -> tuple[str, dict[str, str], str]:
        found = NAME.match(text)
        name, start = (found[0], found.end()) if found else ("", 0)
        rest = text[start:].lstrip()
        if not rest.startswith("{"):
            if not name:
                self.collector.wrong(f"expected a metric, got {text[:60]!r}")
            return name, {}, rest
        try:
            labels, quoted, end = read_labels(rest, 1)
        except ValueError as error:
            self.collector.wrong(f"{error} after {name or 'nothing'}")
        if not (name or quoted):
            self.collector.wrong(f"expected a metric's name, got {text[:60]!r}")
        return name or str(quoted), labels, rest[end:]

    def _number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            self.collector.wrong(f"expected a number, got {text!r}")

    def _family(self, name: str) -> tuple[str, str, str]:
        """The family that a sample belongs to, the family's type, and which part of it the sample is."""
        if name in self.types:
            return name, self.types[name], ""
        for kind, suffixes in PARTS.items():
            for suffix in suffixes:
                family = name.removesuffix(suffix)
                if family != name and self.types.get(family) == kind:
                    return family, kind, suffix
        return name, "unknown", ""

    def _value(self, name: str, family: str, kind: str, labels: dict[str, str], value: float) -> None:
        if not isfinite(value):
            self.collector.note(f"{name} in line {self.collector.line} is {value}: left out")
            return
        self.collector.add(name, value, self._unit(family), labels)
        status = next((labels[key] for key in STATUS_LABELS if key in labels), None)
        if kind == "counter" and (error := status_class(status)) is not None:
            self.collector.event(name, error, round(value))

    def _unit(self, family: str) -> str:
        return self.units.get(family) or split_unit(family.removesuffix("_total"))[1]

    def _part(self, family: str, part: str, labels: dict[str, str], value: float) -> None:
        bound = labels.pop("le" if part == "_bucket" else "quantile", None)
        if bound is None and part in ("_bucket", ""):
            self.collector.wrong(f"{family}{part} has no label {'le' if part else 'quantile'}")
        key = (family, tuple(sorted(labels.items())))
        found = self.parts.setdefault(key, Distribution(self.collector.line))
        if part == "_bucket":
            found.buckets[self._number(str(bound))] = value
        elif part == "":
            found.quantiles[self._number(str(bound))] = value
        elif part in ("_sum", "_gsum"):
            found.sum = value
        elif part in ("_count", "_gcount"):
            found.count = value

    def finish(self) -> None:
        for (family, labels), found in self.parts.items():
            self.collector.line = found.at
            self.collector.add_series(self._distribution(family, dict(labels), found))

    def _distribution(self, family: str, labels: Mapping[str, str], found: Distribution) -> Series:
        unit, factor = base_unit(self._unit(family))
        buckets = tuple((bound * factor, count) for bound, count in sorted(found.buckets.items()))
        self._check_buckets(family, buckets)
        count = found.count if found.count is not None else buckets[-1][1] if buckets else None
        stats = {
            f"p{100 * q:.10g}": value * factor for q, value in found.quantiles.items() if not isnan(value)
        }
        if found.sum is not None and isfinite(found.sum):
            stats["sum"] = found.sum * factor
            if count:
                stats["mean"] = stats["sum"] / count
        n = int(count) if count is not None and isfinite(count) else None
        return Series(
            name=family,
            unit=unit,
            buckets=buckets,
            stats=stats,
            n=n,
            labels=dict(labels),
            source=str(self.collector.path),
        )

    def _check_buckets(self, family: str, buckets: tuple[tuple[float, float], ...]) -> None:
        if buckets and buckets[-1][0] != inf:
            self.collector.wrong(f'histogram {family} has no bucket le="+Inf": is the file complete?')
        counts = [count for _, count in buckets]
        if counts != sorted(counts) or any(isnan(count) or count < 0 for count in counts):
            self.collector.wrong(f"histogram {family} has buckets that are not cumulative: {counts}")
