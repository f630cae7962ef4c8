"""Many probes at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from gatekeeper.net.deadline import ProbeError

T = TypeVar("T")


def side_by_side(probes: Sequence[Callable[[], T]], *, at_once: int = 16) -> Iterator[T | ProbeError]:
    """Run the probes in at most `at_once` threads and yield what each gave, in their order.

    A `ProbeError` is yielded; whatever else a probe raises is raised when its turn comes. The threads have
    ended with the last probe.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(at_once, len(probes)) or 1, thread_name_prefix="probe") as pool:
        pending = [pool.submit(probe) for probe in probes]
        for future in pending:
            try:
                yield future.result()
            except ProbeError as error:
                yield error
