"""Making forks of a Python process cheaper. Nothing here changes what a gate sees or does.

A fork copies the page tables of the process, and each page that either side writes to afterwards. What these two save
is measured in docs/benchmarks.md. Where one isn't possible, nothing happens.
"""

import re
import sys
from contextlib import suppress

HUGE = 2 << 20
"""Bytes of a huge page on x86-64 and most of ARM64; elsewhere the calls fail, and that is ignored."""

MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25
"""madvise(2), asm-generic/mman-common.h; MADV_COLLAPSE since Linux 6.1."""

_ANONYMOUS = r"([0-9a-f]+)-([0-9a-f]+) rw-p [0-9a-f]+ 00:00 0 *(?:\[heap\])?"


def spare_threading_its_reset() -> None:
    """`threading` rebuilds its list of threads in each child: about 110 page faults, to find the one thread again.

    A child of a process with one thread has that same thread: what is registered stays true without a reset.
    """
    threading = sys.modules.get("threading")
    with suppress(Exception):
        if threading is not None and threading.active_count() == 1:
            threading._after_fork.__code__ = _nothing.__code__


def _nothing() -> None: ...


def use_huge_pages() -> None:
    """Memory in huge pages has a page table 512 times smaller; the kernel splits off what is written after a fork."""
    with suppress(Exception):
        _advise_huge_pages()


def _advise_huge_pages() -> None:
    import ctypes

    libc = ctypes.CDLL(None)
    with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
        areas = [found for line in maps if (found := re.fullmatch(_ANONYMOUS, line.rstrip()))]
    for area in areas:
        first = (int(area[1], 16) + HUGE - 1) // HUGE * HUGE
        last = int(area[2], 16) // HUGE * HUGE
        for advice in (MADV_HUGEPAGE, MADV_COLLAPSE):
            if first < last:
                libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), advice)
