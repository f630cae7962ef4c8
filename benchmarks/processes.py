"""Candidates that are processes: started alike, in an environment that is alike, measured to their end."""

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pairing import Sample

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "LD_LIBRARY_PATH")


def plain_environment() -> dict[str, str]:
    """What a process needs, and nothing that changes how Python, pytest or gatekeeper start.

    In particular bytecode is cached as it is on a user's machine, and pytest's plugins are loaded.
    """
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def process(command: Sequence[str | Path], cwd: Path, expected: Sequence[int] = (0,)) -> Callable[[], Sample]:
    """A candidate that is a command. What it prints is thrown away, unless it ends in an unexpected way.

    Wall time is from before it is started until it has been waited for; CPU time is its own and that of
    all the processes that it waited for; the peak is the largest resident set of any one of them, where it
    is above this process's own (which Linux counts as a child's, up to its exec).
    """
    arguments = [str(argument) for argument in command]
    environment = plain_environment()

    def run() -> Sample:
        with tempfile.TemporaryFile() as printed:
            sample, code = run_once(arguments, cwd, environment, printed.fileno())
            if code not in expected:
                printed.seek(0)
                shown = printed.read()[-4000:].decode("utf-8", "backslashreplace")
                raise SystemExit(f"{' '.join(arguments)} ended with {code}:\n{shown}")
        return sample

    return run


def run_once(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], output: int
) -> tuple[Sample, int]:
    """Start a command, wait for it; what it took, and its exit code."""
    began = time.perf_counter()
    started = subprocess.Popen(
        arguments, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    )
    _, status, used = os.wait4(started.pid, 0)
    wall = time.perf_counter() - began
    started.returncode = os.waitstatus_to_exitcode(status)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = used.ru_maxrss * 1024 if used.ru_maxrss > own else None
    return Sample(wall, used.ru_utime + used.ru_stime, peak), started.returncode


def found(*commands: str, folders: Sequence[str] = ()) -> dict[str, str]:
    """Where commands are, by name; those that are not installed are left out."""
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    places = {name: shutil.which(name, path=path) for name in commands}
    return {name: place for name, place in places.items() if place is not None}
