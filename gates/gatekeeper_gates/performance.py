"""Budgets on measured performance: durations, percentiles, throughput, CPU time, memory, any named sample."""

import re
from collections.abc import Iterator

from msgspec import Struct

from gatekeeper import Budget, Context, Finding, Readings, Series, post, show, stats
from gatekeeper.samples import Selector, pooled

EXAMPLE = """no budgets are configured, e.g.
[gates.performance.budgets]
duration = { warn = "200s", fail = "300s" }
"http_req_duration.p95" = { warn = "200ms", fail = "500ms" }"""

ALIASES = {"avg": "mean", "med": "p50", "median": "p50"}
PLAIN = ("mean", "max", "min", "sum", "count", "rate", "stdev", "value")
STATISTIC = re.compile(rf"(.+?)(?:\.(p\d+(?:\.\d+)?|{'|'.join((*PLAIN, *ALIASES))}))?", re.DOTALL)


class Target(Struct, frozen=True):
    """What a budget is about: a series, and which statistic of it; None where the budget names none."""

    series: Selector
    statistic: str | None = None

    @classmethod
    def parse(cls, key: str) -> "Target":
        found = STATISTIC.fullmatch(key.strip())
        if found is None:
            raise ValueError("a budget needs the name of a series")
        statistic = ALIASES.get(found[2], found[2])
        if statistic and statistic.startswith("p"):
            stats.enough_for(float(statistic[1:]))
        return cls(Selector.parse(found[1]), statistic)
