"""The supervisor of a session: this process, the command itself, starts the same command once more as its child.

The child is the session: same arguments, environment, working directory, terminal. Its plugin tells a file what becomes
of each test (`feed`). Whatever its tests do to their process, the exit code of the command is decided here.
"""

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from msgspec import structs

from gatekeeper.command import Command, Ran
from gatekeeper.command import run as run_command
from gatekeeper.model import INTERNAL_ERROR, INTERRUPTED
from gatekeeper.pytest_plugin.session import feed
from gatekeeper.pytest_plugin.session.gates import SessionGates
from gatekeeper.pytest_plugin.session.options import WITHIN, Asked
from gatekeeper.pytest_plugin.session.results import Results
from gatekeeper.pytest_plugin.session.shown import Shown
from gatekeeper.rundata import FlowData

TESTS_FAILED = 1


def run(asked: Asked, shown: Shown) -> NoReturn:
    """Run the gates and, between them, the session; then end this process at once.

    Nothing that plugins left to be done at its exit changes the code, or spoils what the session wrote.

    Raises:
        pytest.UsageError: whatever is wrong with what was asked or configured.
    """
    folder = Path(tempfile.mkdtemp(prefix="gatekeeper-pytest-"))
    try:
        code = _run(asked, shown, folder / "session")
    except KeyboardInterrupt:
        shown.problem("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:  # nobody reads what is said; pytest's own code for that
        code = TESTS_FAILED
    except OSError as error:
        shown.problem(str(error))
        code = INTERNAL_ERROR
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run(asked: Asked, shown: Shown, told: Path) -> int:
    with SessionGates(asked, shown) as gates:
        refused = gates.before()
        if refused is not None:
            return refused
        told.touch(mode=0o600)
        ran = run_command(_same_command(told), besides=gates.processes)
        results = Results.of(feed.read(told))
        if results.code is None and results.started is not None:
            shown.cut_short()
        ended = flow_of(ran, results)
        return gates.after(
            ended, results.readings(ended.duration_s).over(ran.measured), own_code(ran, results)
        )


def _same_command(told: Path) -> Command:
    beside = {feed.VARIABLE: f"{os.getpid()}:{told}", WITHIN: str(os.getpid())}
    words = (sys.executable, *sys.orig_argv[1:])
    return Command(words, {**os.environb, **{os.fsencode(k): os.fsencode(v) for k, v in beside.items()}})


# -- its end -----------------------------------------------------------------------------------------------------------


def own_code(ran: Ran, results: Results) -> int:
    """The session's own exit code: red where its process or pytest says so, or where nobody saw the end."""
    if results.code is None:
        return ran.exit_code or TESTS_FAILED
    return ran.exit_code or results.code


def flow_of(ran: Ran, results: Results) -> FlowData:
    """How the session ended. One that was refused before it started, for wrong arguments, was seen to its end."""
    seen = results.code is not None or (results.started is None and ran.flow.exit_code not in (0, None))
    return structs.replace(
        ran.flow,
        kind="pytest",
        name="pytest",
        duration_s=results.duration_s or ran.flow.duration_s,
        exit_code=own_code(ran, results) if ran.flow.signal is None else None,
        complete=seen or ran.flow.signal is not None,
        message="" if results.code is not None else results.cut_short,
    )
