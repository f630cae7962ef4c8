"""Proportions: how many of how many, and how sure that is."""

import math

Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution: an interval that covers 95 %."""


def wilson(hits: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of the proportion `hits / total`: `(low, high)`, ratios 0..1; 95 % by default.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927).
    Unlike the textbook p ± z·s it is right for few events and for proportions near 0 or 1, which is where
    error rates live: 0 of 100 gives 0..3.7 %, not 0..0.

    Raises:
        ValueError: `total` is not positive, or `hits` lies outside 0..total.
    """
    if total <= 0 or not 0 <= hits <= total:
        raise ValueError(f"a proportion needs 0 <= hits <= total and some total, got {hits} of {total}")
    share, weight = hits / total, z * z / total
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    low = 0.0 if hits == 0 else max(0.0, min(centre - half, share))
    high = 1.0 if hits == total else min(1.0, max(centre + half, share))
    return low, high


def enough_to_resolve(limit: float) -> int:
    """The fewest events by which a proportion can be held against `limit`: `1 / limit`, so 20 for 5 %,
    1,000 for 0.1 %.

    With fewer, one single hit is already beyond the limit, and none at all says little. A limit of 0 (or 1
    and more) needs one event.
    """
    from fractions import Fraction

    if not 0 < limit < 1:
        return 1
    return math.ceil(1 / Fraction(repr(float(limit))))
