"""Percentiles of samples and of histograms, and how many samples one needs."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise


def percentile(values: Iterable[float], q: float) -> float:
    """The `q`-th percentile, `q` in percent, by linear interpolation between the two nearest order
    statistics.

    Definition 7 of Hyndman & Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50
    (1996): the default of R, NumPy, Excel's PERCENTILE.INC, and what k6 computes. `q` 0 is the minimum, 100
    the maximum.

    Raises:
        ValueError: there are no values, one is NaN, or `q` lies outside 0..100.
    """
    _check(q)
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values, so no percentile")
    if any(map(math.isnan, ordered)):
        raise ValueError("a value is NaN")
    position = (len(ordered) - 1) * q / 100
    index = math.floor(position)
    lower, upper = ordered[index], ordered[min(index + 1, len(ordered) - 1)]
    return _between(lower, upper, position - index)


def enough_for(q: float) -> int:
    """The fewest samples that say anything about the `q`-th percentile: 2 for p50, 20 for p95, 100 for p99.

    With n samples, n × (1 − q) of them are expected beyond the percentile. Below one, the estimate is made
    of the largest value or two, whatever lies in the tail: a p99 of 30 samples is their maximum under
    another name. So this asks for at least one, `n >= 1 / (1 − q)`, and the same on the other side for
    percentiles under 50. It is a floor, not comfort: even then a tail beyond p95 is missed by 36 % of all
    samples of 20 (0.95²⁰).

    Raises: ValueError: `q` is not between 0 and 100, both excluded: the minimum and the maximum are no
    percentiles.
    """
    from fractions import Fraction

    _check(q)
    exact = Fraction(str(q))  # 1 / (1 - 0.95) is 20.000000000000018 as a float
    beyond = min(exact, 100 - exact)
    if beyond == 0:
        raise ValueError("p0 and p100 are min and max, not percentiles")
    return math.ceil(100 / beyond)


def histogram_percentile(buckets: Sequence[tuple[float, float]], q: float) -> float:
    """The `q`-th percentile, `q` in percent, estimated from cumulative buckets `(upper bound, count up to
    it)`.

    As Prometheus' `histogram_quantile` does it: linear interpolation inside the bucket that holds the rank;
    the lowest bucket starts at 0 where its bound is positive, and else answers with its bound; a rank in
    the `+Inf` bucket answers with the highest finite bound. That last answer is a lower bound of the truth,
    which `overflows` tells.

    Raises: ValueError: buckets are out of order, not cumulative, without `+Inf` as the last bound, fewer
    than two, or without an observation; or `q` lies outside 0..100.
    """
    _check(q)
    _check_buckets(buckets)
    rank = buckets[-1][1] * q / 100
    index = _bucket_of(buckets, rank)
    if index == len(buckets) - 1:
        return buckets[-2][0]
    bound, count = buckets[index]
    if index == 0 and bound <= 0:
        return bound
    start, before = buckets[index - 1] if index else (0.0, 0.0)
    return _between(start, bound, (rank - before) / (count - before))


def overflows(buckets: Sequence[tuple[float, float]], q: float) -> bool:
    """Whether the percentile lies in the `+Inf` bucket, so that only a lower bound of it is known."""
    _check_buckets(buckets)
    return _bucket_of(buckets, buckets[-1][1] * q / 100) == len(buckets) - 1


def _bucket_of(buckets: Sequence[tuple[float, float]], rank: float) -> int:
    return next(i for i, (_, count) in enumerate(buckets) if count >= rank and count > 0)


def _check(q: float) -> None:
    if not 0 <= q <= 100:
        raise ValueError(f"a percentile lies between 0 and 100, got {q}")


def _check_buckets(buckets: Sequence[tuple[float, float]]) -> None:
    if len(buckets) < 2 or buckets[-1][0] != math.inf:
        raise ValueError("a histogram has at least two buckets, the last with the bound +Inf")
    for (bound, count), (next_bound, next_count) in pairwise(buckets):
        if not bound < next_bound:
            raise ValueError(f"bucket bounds must rise: {bound} is followed by {next_bound}")
        if not 0 <= count <= next_count:
            raise ValueError(
                f"bucket counts are cumulative: {count} up to {bound} is followed by {next_count}"
            )
    if buckets[-1][1] <= 0:
        raise ValueError("no observations, so no percentile")


def _between(lower: float, upper: float, share: float) -> float:
    """`lower` at share 0, `upper` at 1; never outside them, and never falling while `share` rises."""
    if lower == upper or share <= 0:
        return lower
    width = upper - lower
    if math.isinf(width):  # the two are finite and huge
        return lower * (1 - share) + upper * share
    return min(lower + width * share, upper)
