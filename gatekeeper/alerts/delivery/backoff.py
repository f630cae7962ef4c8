"""How long to wait before the next attempt."""

import math
import random

from gatekeeper.store.alerting import LONGEST_WAIT

BASE = 1.0
"""Seconds; the longest wait after the first failure."""

CAP = 300.0
"""Seconds; the longest wait that nobody asked for."""


def wait(failures: int, asked: float | None = None) -> float:
    """Seconds to wait after so many failed attempts (1 or more).

    Exponential with full jitter, so that clients that failed together don't come back together: M. Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. What the other side `asked` for (`Retry-After`,
    RFC 9110 section 10.2.3) is waited at least, but for an hour at most.
    """
    own = random.uniform(0, min(CAP, BASE * 2 ** min(failures - 1, 30)))
    if asked is None or math.isnan(asked):
        return own
    return max(own, min(asked, LONGEST_WAIT))
