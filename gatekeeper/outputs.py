"""Where reports go: stdout, or files that are written whole or not at all."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from gatekeeper.errors import UsageError, nearest
from gatekeeper.model import Run
from gatekeeper.paths import expanded
from gatekeeper.reporting import Report, View, rendered

REPORT_DIR_FILES = {"junit": "junit.xml", "json": "report.json", "html": "report.html"}
"""What `--report-dir` writes, of the formats that there are."""


class Target(Struct, frozen=True):
    """One report that was asked for; `path` None is stdout."""

    report: Report
    path: Path | None = None


def targets(
    formats: Sequence[str], report_dir: Path | None, reports: "dict[str, Report]", cwd: Path
) -> list[Target]:
    """The reports of `--format FORMAT[=PATH]` and `--report-dir`; `term` on stdout where nothing else is.

    Raises:
        UsageError: an unknown format, two on stdout, or two in one file.
    """
    found: list[Target] = []
    problems: list[str] = []
    for asked in formats:
        name, equals, place = asked.partition("=")
        if name not in reports:
            known = ", ".join(sorted(reports))
            problems.append(
                f"--format {asked}: unknown format {name!r}.{nearest(name, [*reports]) or f' Known: {known}.'}"
            )
        elif equals and not place:
            problems.append(f"--format {asked}: a path is missing after '='")
        else:
            found.append(Target(reports[name], None if place in ("", "-") else cwd / expanded(place)))
    if report_dir is not None:
        found += [
            Target(reports[n], cwd / report_dir / file)
            for n, file in REPORT_DIR_FILES.items()
            if n in reports
        ]
    problems += _conflicts(found)
    if problems:
        raise UsageError(*problems)
    if all(target.path is not None for target in found):
        found.insert(0, Target(reports["term"]))
    return found


def _conflicts(found: Sequence[Target]) -> list[str]:
    on_stdout = [target.report.name for target in found if target.path is None]
    problems = []
    if len(on_stdout) > 1:
        problems.append(
            f"--format: only one format can go to stdout, not {' and '.join(on_stdout)}; give FORMAT=PATH"
        )
    paths = [target.path for target in found if target.path is not None]
    problems += [f"--format: two reports go to {path}" for path in {p for p in paths if paths.count(p) > 1}]
    return problems


def write_reports(asked: Sequence[Target], run: Run, view: View) -> list[str]:
    """Write the reports that go to files; what went wrong, one sentence for each that could not be written."""
    return [
        problem for target in asked if target.path and (problem := _written(target, target.path, run, view))
    ]


def _written(target: Target, path: Path, run: Run, view: View) -> str | None:
    try:
        write_atomic(path, rendered(target.report, run, view))
    except OSError as error:
        return f"report {target.report.name} could not be written to {path}: {error.strerror or error}"
    except Exception as error:
        return f"report {target.report.name} broke: {type(error).__name__}: {error}"
    return None


def _write_through(path: Path, data: bytes) -> None:
    """A device or a pipe is written to, never replaced; nor is the summary of a GitHub step, which others write too."""
    with open(path, "ab" if path.is_file() else "wb") as file:
        file.write(data)


def _is_shared(path: Path) -> bool:
    return str(path) == os.environ.get("GITHUB_STEP_SUMMARY")


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all: a temporary one in the same folder, fsync, rename. Links are followed.

    What can't be replaced is written to instead: a device, a pipe, GitHub's summary of a step (which is appended to).

    Raises:
        OSError: it can't be written; nothing is left behind.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    if _is_shared(path) or (path.exists() and not path.is_file()):
        _write_through(path, data)
        return
    path = Path(os.path.realpath(path))  # a link stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
