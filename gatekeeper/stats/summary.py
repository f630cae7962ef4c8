"""Centre and spread, without the import cost of `statistics`."""

import math
from collections.abc import Sequence

from gatekeeper.stats.percentiles import percentile


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean, summed without loss of digits.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values, so no mean")
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # the sum is beyond a float, the mean is not
        return math.fsum(value / len(values) for value in values)


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle. Raises ValueError where there is none."""
    return percentile(values, 50)


def stdev(values: Sequence[float]) -> float:
    """The sample standard deviation (divisor n − 1).

    Raises:
        ValueError: there are fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("a standard deviation needs two values")
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))
