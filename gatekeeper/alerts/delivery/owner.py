"""Who has leased a notification: a process, named so that others on its machine can tell whether it still lives."""

import os
import platform
from functools import cache
from uuid import getnode, uuid4


def owner() -> str:
    """A name for one run of deliveries of this process."""
    return f"{_machine()}/{os.getpid()}/{uuid4().hex[:8]}"


def gone(name: str) -> bool:
    """Whether that process is known to be dead; one on another machine, or in another container, never is."""
    machine, _, number = name.rpartition("/")[0].rpartition("/")
    if machine != _machine() or not number.isdecimal():
        return False
    import psutil

    return not psutil.pid_exists(int(number))


@cache
def _machine() -> str:
    """What process ids mean something in: this start of this machine, and the namespace of pids."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # no Linux: there are no such namespaces, and the network card tells machines apart
        return f"{platform.node()}:{getnode():x}"
