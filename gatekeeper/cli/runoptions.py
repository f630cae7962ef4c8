"""The options that `run` and `exec` share, and the request that they become."""

import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from gatekeeper.app import RunRequest
from gatekeeper.cli.project import complete_formats, project_request
from gatekeeper.errors import UsageError
from gatekeeper.model import RunPhase
from gatekeeper.select import Selection

F = TypeVar("F", bound=Callable[..., Any])
Options = dict[str, Any]


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


gate_options = _all(
    click.option(
        "-k", "keyword", metavar="EXPR", default="", help="Only gates that match: words, and, or, not, ()."
    ),
    click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only gates with this tag; repeatable."),
    click.option("--last-failed", "--lf", is_flag=True, help="Only gates whose last result was not good."),
    click.option("-x", "--exit-first", is_flag=True, help="Stop after the first failure that blocks."),
    click.option("-j", "--jobs", type=click.IntRange(min=1), help="How many gates run side by side."),
    click.option("--deadline", metavar="TIME", help='Longest time for all gates together, such as "2m".'),
    click.option(
        "--timeout", metavar="TIME", help="Longest time for one attempt of a gate that says nothing else."
    ),
    click.option(
        "--max-warnings", type=click.IntRange(min=0), help="More warnings than this hold the verdict."
    ),
    click.option(
        "--isolation",
        type=click.Choice(["fork", "spawn", "none"]),
        help="none: in this process, for debuggers.",
    ),
)
"""Which gates, and how they run."""

flow_options = _all(
    click.option(
        "--input", "inputs", multiple=True, metavar="NAME=FILE|JSON", help="An input of the flow; repeatable."
    ),
    click.option(
        "--output",
        "outputs",
        multiple=True,
        metavar="NAME=FILE|JSON",
        help="An output of the flow; repeatable.",
    ),
    click.option(
        "--samples",
        multiple=True,
        metavar="SOURCE:FILE",
        help="Measurements, such as k6:summary.json; repeatable.",
    ),
    click.option(
        "--subject", metavar="NAME[@FILE|@sha256:…]", help="What the verdict is about, and its artifact."
    ),
)
"""What is gated."""


def report_options(formats: str) -> Callable[[F], F]:
    """What is told, and where; `formats` is the metavar of `--format`."""
    return _all(
        click.option(
            "--format",
            "formats",
            multiple=True,
            metavar=formats,
            shell_complete=complete_formats,
            help="Report format; repeatable.",
        ),
        click.option(
            "--report-dir",
            type=click.Path(file_okay=False),
            help="Write junit.xml, report.json and report.html there.",
        ),
        click.option("--no-history", is_flag=True, help="Neither read nor record history."),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            help="NO_COLOR is honoured.",
        ),
        click.option("-v", "--verbose", count=True, help="More; -vv shows all findings and output."),
        click.option("-q", "--quiet", is_flag=True, help="Only what is not a pass, and the verdict."),
    )


def verbosity(options: Options) -> int:
    return -1 if options["quiet"] else int(options["verbose"])


def request_of(options: Options, phase: RunPhase, gates: Sequence[str] = (), **more: Any) -> RunRequest:
    """What was asked for; `more` are fields that only one command has.

    Raises:
        UsageError: an option that can't be read.
    """
    return RunRequest(
        project=project_request(
            options["config"],
            options["profile"],
            deadline=(("run", "deadline"), "--deadline", options["deadline"]),
            timeout=(("run", "timeout"), "--timeout", options["timeout"]),
            jobs=(("run", "jobs"), "--jobs", options["jobs"]),
            warnings=(("run", "max_warnings"), "--max-warnings", options["max_warnings"]),
        ),
        phase=phase,
        selection=Selection(tuple(gates), options["keyword"], options["tags"], options["last_failed"]),
        inputs=_named("--input", options["inputs"]),
        outputs=_named("--output", options["outputs"]),
        samples=tuple(_sample(sample) for sample in options["samples"]),
        subject=options["subject"],
        stop_first=options["exit_first"],
        remember=not options["no_history"],
        **more,
    )


def _named(flag: str, given: Sequence[str]) -> dict[str, str]:
    result: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not name or not equals or not value:
            raise UsageError(f"{flag} {item!r}: expected NAME=FILE or NAME=JSON")
        if name in result:
            raise UsageError(f"{flag} {item!r}: {name!r} is given twice")
        result[name] = value
    return result


def _sample(given: str) -> tuple[str, str]:
    source, colon, path = given.partition(":")
    if not source or not colon or not path:
        raise UsageError(f"--samples {given!r}: expected SOURCE:FILE, such as k6:summary.json")
    return source, path


def again(command: Sequence[str], request: RunRequest) -> str:
    """The command line that does it once more, with the same data: the words of `command`, then options."""
    project = request.project
    words = ["gatekeeper", *command]
    named = (
        ("--config", project.config),
        ("--profile", project.profile),
        ("--policy-from", project.trusted.ref if project.trusted else None),
        ("--pre", request.pre),
    )
    for flag, value in named:
        words += [flag, value] if value is not None else []
    for flag, given in (("--input", request.inputs), ("--output", request.outputs)):
        words += [word for name, value in given.items() for word in (flag, f"{name}={value}")]
    words += [word for source, path in request.samples for word in ("--samples", f"{source}:{path}")]
    words += ["--subject", request.subject] if request.subject is not None else []
    return shlex.join(words)
