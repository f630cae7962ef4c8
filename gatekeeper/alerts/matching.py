"""Which gates a rule, a window or an inhibition means."""

from fnmatch import fnmatchcase
from functools import lru_cache


@lru_cache(maxsize=65_536)
def covers(pattern: str, gate: str) -> bool:
    """Whether a gate's id is meant by an id or a name, with parameters or without, or by a pattern as of the shell."""
    name = gate.partition(".")[2]
    base = gate.partition("[")[0]
    if pattern in (gate, name, base, base.partition(".")[2]):
        return True
    return fnmatchcase(gate, pattern) or fnmatchcase(name, pattern)
