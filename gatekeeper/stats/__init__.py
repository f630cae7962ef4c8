"""Statistics that gates need, in plain Python: percentiles, histograms, proportions.

Every function names its definition, because percentiles and intervals have many. Percentiles are given in
percent (`95` is p95), proportions as ratios 0..1.
"""

from gatekeeper.stats.percentiles import enough_for, histogram_percentile, overflows, percentile
from gatekeeper.stats.proportions import enough_to_resolve, wilson
from gatekeeper.stats.summary import mean, median, stdev

__all__ = [
    "enough_for",
    "enough_to_resolve",
    "histogram_percentile",
    "mean",
    "median",
    "overflows",
    "percentile",
    "stdev",
    "wilson",
]
