"""`tap`: Test Anything Protocol, version 14 (testanything.org/tap-version-14-specification.html).

One test point for each gate, with a YAML block of diagnostics wherever there is something to say. `not ok` is
what stands against the verdict, as in JUnit: an advisory or observed gate's fail is `ok` and told in its
diagnostics, since a harness knows no third state (TODO would say that somebody is working on it).

The diagnostics keep to block mappings, block sequences and double-quoted text, which the small YAML readers
of harnesses know too.
"""

from collections.abc import Iterator
from typing import Any

from gatekeeper import Report, Result, Run, View, printable
from gatekeeper.wording import again, headline, held_against, one_line, reason_line, unexplained


def render(run: Run, view: View) -> str:
    reasons = [reason_line(reason) for reason in unexplained(run)]
    lines = ["TAP version 14", f"1..{len(run.results) + bool(reasons)}"]
    for number, result in enumerate(run.results, 1):
        lines += _point(number, result)
    if reasons:
        # without this point a run that was held, interrupted or empty would count as passed
        lines.append(f"not ok {len(run.results) + 1} - verdict")
        lines += _diagnostics({"message": reasons[0], "severity": "fail", "reasons": reasons})
    verdict = run.verdict
    lines.append(f"# verdict {verdict.decision}, exit code {verdict.exit_code}")
    return "\n".join(lines) + "\n"


def _point(number: int, result: Result) -> Iterator[str]:
    word = "not ok" if held_against(result) else "ok"
    name = _described(result.id)
    if result.status == "skip":
        yield f"{word} {number} - {name} # SKIP {_described(result.reason)}".rstrip()
        return
    yield f"{word} {number} - {name}"
    yield from _diagnostics(_told(result))


def _told(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = {
        "message": headline(result),
        "severity": "fail" if held_against(result) else "comment",
        "status": result.status,
        "requirement": result.requirement,
        "duration_ms": round(result.duration_s * 1000, 3),
    }
    if result.source.file:
        told["at"] = {"file": result.source.file, "line": result.source.line}
    if result.status == "pass" and not result.flaky:
        return told
    told["findings"] = [
        {key: value for key in _SHOWN if (value := getattr(finding, key)) not in (None, "", {})}
        for finding in result.findings
        if finding.status != "pass"
    ]
    if result.output:
        told |= {"stdout": result.output.stdout, "stderr": result.output.stderr}
    if result.status != "pass":
        told["try"] = again(result)
    return {key: value for key, value in told.items() if value not in ("", [])}


_SHOWN = ("name", "status", "observed", "operator", "limit", "unit", "n", "message", "hint", "evidence")
_KNOWN = {
    *_SHOWN, "severity", "requirement", "duration_ms", "at", "file", "line", "findings",
    "stdout", "stderr", "try", "reasons",
} - {"n"}  # fmt: skip


def _diagnostics(values: dict[str, Any]) -> Iterator[str]:
    yield "  ---"
    yield from _mapping(values, "  ")
    yield "  ..."


def _mapping(values: dict[str, Any], margin: str) -> Iterator[str]:
    for key, value in values.items():
        if value and isinstance(value, dict):
            yield f"{margin}{_key(key)}:"
            yield from _mapping(value, f"{margin}  ")
        elif value and isinstance(value, list):
            yield f"{margin}{_key(key)}:"
            yield from _sequence(value, f"{margin}  ")
        else:
            yield f"{margin}{_key(key)}: {_scalar(value)}"


def _sequence(values: list[Any], margin: str) -> Iterator[str]:
    for value in values:
        if value and isinstance(value, dict | list):
            inner = f"{margin}  "
            lines = _mapping(value, inner) if isinstance(value, dict) else _sequence(value, inner)
            first = next(lines)
            yield f"{margin}- {first.removeprefix(inner)}"
            yield from lines
        else:
            yield f"{margin}- {_scalar(value)}"


def _key(key: str) -> str:
    """YAML refuses keys of more than 1,024 characters, escapes counted."""
    return key if key in _KNOWN else _scalar(printable(key)[:200])


def _scalar(value: Any) -> str:
    """A scalar as JSON has it; what JSON leaves raw (bidi overrides, surrogates) in YAML's escapes."""
    import json

    return printable(json.dumps(value, ensure_ascii=False))


def _described(text: str) -> str:
    """A description: one line, with the two characters escaped that would start a directive."""
    return one_line(text).replace("\\", "\\\\").replace("#", "\\#")


def gatekeeper_reports() -> list[Report]:
    return [Report(name="tap", summary="Test Anything Protocol 14", extension="tap", render=render)]
