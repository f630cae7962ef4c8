"""Gates around a session: who runs them? The command line supervises the session in a child; `pytest.main()` called
from code does it in its own process.
"""

import os
import signal
import sys
from collections.abc import Sequence
from copy import copy
from types import FrameType

import pytest

from gatekeeper.pytest_plugin.session import feed
from gatekeeper.pytest_plugin.session.plugin import PLUGIN, Told


def enter(config: pytest.Config, parser: pytest.Parser, args: Sequence[str]) -> None:
    """Have the gates that are asked for run around the session of this configuration.

    The command line's own process does not return from here: it becomes the supervisor of a child that starts over.

    Raises:
        pytest.UsageError: whatever is wrong with what was asked or configured.
    """
    supervised = feed.taken()
    if supervised is not None:
        config.pluginmanager.register(Told(supervised), PLUGIN)
        return
    main = _main()
    if main is None and "PYTEST_XDIST_WORKER" in os.environ:
        return  # its controller runs the gates; it is known as a worker when it is configured
    from gatekeeper.pytest_plugin.session.options import asked
    from gatekeeper.pytest_plugin.session.shown import Shown

    # parsed afresh: what repeats or adds up is doubled in what pytest 8.0 has parsed so far
    options = parser.parse_known_args(args, copy(config.option))
    wanted = asked(config, options)
    if wanted is None:
        return
    shown = Shown(config, options)
    if main is not None and _is_command(main) and _can_start_over(config):
        from gatekeeper.pytest_plugin.session import supervise

        supervise.run(wanted, shown)
    from gatekeeper.pytest_plugin.session.inprocess import InProcess

    config.pluginmanager.register(InProcess(config, wanted, shown), PLUGIN)


def _main() -> FrameType | None:
    """The call of pytest's `main` that starts this session: the innermost one, since sessions may start sessions."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and not _is_pytests(frame, "main", "_main"):
        frame = frame.f_back
    return frame


def _is_command(main: FrameType) -> bool:
    """Whether pytest's own command called `main`: `pytest …`, `python -m pytest …`, `coverage run -m pytest …`."""
    return main.f_back is not None and _is_pytests(main.f_back, "console_main", "_console_main")


def _can_start_over(config: pytest.Config) -> bool:
    """Whether this process can be started once more, with the arguments of this session, and be watched then."""
    given = [str(arg) for arg in config.invocation_params.args]
    same = given == sys.argv[1:] and (not given or sys.orig_argv[-len(given) :] == given)
    return same and bool(sys.executable) and hasattr(signal, "sigtimedwait")


def _is_pytests(frame: FrameType, *names: str) -> bool:
    return frame.f_globals.get("__name__") == "_pytest.config" and frame.f_code.co_name in names
