"""What `pytest --gatekeeper=pre,post` and the options beside it ask for."""

import os
from argparse import Namespace

import pytest
from msgspec import Struct

from gatekeeper.errors import nearest
from gatekeeper.execute.processes import MARK
from gatekeeper.model import PHASES, Phase
from gatekeeper.paths import expanded

NONE = "none"
WITHIN = "GATEKEEPER_WITHIN_SESSION"
"""The environment variable of a gated session, for what it starts: the pid of who runs its gates."""
NO_SESSION = (
    "help", "version", "collectonly", "showfixtures", "show_fixtures_per_test", "markers", "cacheshow",
    "setupplan", "setuponly",
)  # fmt: skip
"""Options that only show something: with them, no test runs."""


class Asked(Struct, frozen=True, kw_only=True):
    """Which gates are to run around a session."""

    cwd: str
    phases: tuple[Phase, ...]
    config: str | None = None
    profile: str | None = None
    runs_on_hold: bool = False
    report_dir: str | None = None
    formats: tuple[str, ...] = ()


def asked(config: pytest.Config, options: Namespace) -> Asked | None:
    """What a session's options ask for; None where that is no gate, or where no test runs.

    What the configuration of pytest says counts for the outermost session only, and never inside a gate.

    Raises:
        pytest.UsageError: no phases, or a report without a path.
    """
    text, where = options.gatekeeper, "--gatekeeper"
    if text is None:
        text, where = config.getini("gatekeeper"), "gatekeeper (in the configuration of pytest)"
    phases = _phases(text, where)
    inherited = not _is_on_command_line(config) and (WITHIN in os.environ or MARK in os.environ)
    if not phases or inherited or any(getattr(options, name, False) for name in NO_SESSION):
        return None
    cwd = str(config.invocation_params.dir)
    file, folder = options.gatekeeper_config, options.gatekeeper_report_dir
    return Asked(
        cwd=cwd,
        phases=phases,
        config=None if file is None else os.path.join(cwd, expanded(file)),
        profile=options.gatekeeper_profile,
        runs_on_hold=options.gatekeeper_on_hold == "run",
        report_dir=None if folder is None else str(expanded(folder)),
        formats=tuple(_with_path(form) for form in options.gatekeeper_format),
    )


def _phases(text: str, where: str) -> tuple[Phase, ...]:
    words = [word.strip() for word in text.split(",")]
    if words == [NONE]:
        return ()
    for word in words:
        if word not in PHASES:
            raise pytest.UsageError(
                f"{where}: {word!r} is no phase of gates.{nearest(word, [*PHASES, NONE])} "
                f"Valid are pre, post, pre,post and none."
            )
    return tuple(phase for phase in PHASES if phase in words)


def _is_on_command_line(config: pytest.Config) -> bool:
    given = (str(arg) for arg in config.invocation_params.args)
    return any(arg == "--gatekeeper" or arg.startswith("--gatekeeper=") for arg in given)


def _with_path(form: str) -> str:
    name, _, path = form.partition("=")
    if path in ("", "-"):
        raise pytest.UsageError(
            f"--gatekeeper-format {form}: a path is needed, since stdout is pytest's: {name}=PATH"
        )
    return form
