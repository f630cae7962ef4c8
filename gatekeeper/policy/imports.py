"""The import path of a process that judges a working tree: nothing of that tree may come before Python itself."""

import os
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

from gatekeeper.errors import UsageError
from gatekeeper.model import TrustedRef


def refuse_shadowing(trusted: TrustedRef) -> None:
    """Refuse to go on where a file of the working tree could stand in for any module.

    Raises:
        UsageError: a folder of the working tree comes before the standard library on `sys.path`.
    """
    own, judged = os.path.realpath(os.path.dirname(os.__file__)), _judge(trusted)
    before = takewhile(lambda entry: os.path.realpath(entry) != own, sys.path)
    if shadowing := [entry or "." for entry in before if judged(entry)]:
        raise UsageError(
            f"--policy-from {trusted.ref}: Python imports from the working tree before its own library "
            f"({', '.join(shadowing)}), so a change could replace any module of the judge: start it as "
            "`gatekeeper` or `python -P -m gatekeeper`, without PYTHONPATH"
        )


def import_path(trusted: TrustedRef) -> list[str]:
    """`sys.path` without the working tree: where distributions may name plugins."""
    judged = _judge(trusted)
    return [entry for entry in sys.path if not judged(entry)]


def judged_modules(trusted: TrustedRef) -> list[str]:
    """Files of the working tree that this process has imported modules from, relative to its top."""
    judged = _judge(trusted)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    found = {os.path.realpath(file) for file in files if isinstance(file, str) and judged(file)}
    return sorted(str(Path(file).relative_to(trusted.top)) for file in found)


def _judge(trusted: TrustedRef) -> Callable[[str], bool]:
    """Tells whether a folder or file is the working tree's; an environment that lies inside of it is not."""
    top = Path(trusted.top)
    others = [Path(os.path.realpath(other)) for other in (trusted.folder, sys.prefix, sys.base_prefix)]
    inside = [other for other in others if top in other.parents]

    def judged(entry: str) -> bool:
        path = Path(os.path.realpath(entry or "."))
        return path.is_relative_to(top) and not any(path.is_relative_to(other) for other in inside)

    return judged
