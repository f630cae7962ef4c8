"""`junit`: JUnit XML for CI systems, valid against the schema of Jenkins' xUnit plugin (junit-10.xsd).

The junit-xml library builds suites and cases. What it gets wrong is mended here:

- a failure without a message is written as a passed case: every one gets a text;
- it drops characters that XML can't hold: they are shown as escapes before it sees them;
- `disabled` attributes and times with more than three decimals are outside the schema;
- its pretty-printer parses the whole document again: 10,000 cases take seconds.
"""

import math
from typing import TYPE_CHECKING, Any

from gatekeeper import Report, Result, Run, View, printable
from gatekeeper.wording import (
    again,
    aligned,
    details,
    headline,
    held_against,
    one_line,
    reason_line,
    unexplained,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_FINDINGS = 100
"""Findings that are described in a case; the JSON report has all."""


def render(run: Run, view: View) -> str:
    from xml.etree.ElementTree import Element, indent, tostring

    from junit_xml import TestSuite

    name = f"gatekeeper.{run.header.phase}"
    cases = [_case(result) for result in run.results]
    if reasons := unexplained(run):
        cases.append(_verdict_case(name, [reason_line(reason) for reason in reasons]))
    started = run.header.started[:19]
    suite = TestSuite(name, cases, timestamp=one_line(started) or None, properties=_properties(run))
    element = suite.build_xml_doc()
    _mend(element, run)
    root = Element("testsuites", {"name": "gatekeeper", **_shared(element)})
    root.append(element)
    indent(root)
    document = tostring(root, encoding="unicode")
    # GitLab and Jenkins attach files that output names so; a gate's text must not choose them
    document = document.replace("[[ATTACHMENT|", "[[ATTACHMENT |")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'


def _case(result: Result) -> Any:
    """One gate as a case. Red is only what stands against the verdict; the rest is told in its output."""
    from junit_xml import TestCase

    case = TestCase(one_line(result.id), f"gatekeeper.{result.phase}", _seconds(result.duration_s))
    text = headline(result)
    told = _described(result)
    if result.status == "skip":
        case.add_skipped_info(text or "skipped")
    elif held_against(result) and result.status == "fail":
        case.add_failure_info(text or "failed", told, "fail")
    elif held_against(result):
        case.add_error_info(text or result.status, told, result.status)
    else:
        case.stdout = f"{told}\n" if result.findings or result.status != "pass" or result.flaky else ""
    if result.output:
        case.stdout = (case.stdout or "") + printable(result.output.stdout, newlines=True)
        case.stderr = printable(result.output.stderr, newlines=True)
    return case


def _verdict_case(name: str, reasons: list[str]) -> Any:
    """A verdict that no gate's case stands for: without this, a file would be green for a block or a hold."""
    from junit_xml import TestCase

    case = TestCase("verdict", name, 0.0)
    case.add_error_info(reasons[0] or "no reason was given", "\n".join(reasons), "verdict")
    return case


def _described(result: Result) -> str:
    """Status, findings and place, as text for whoever opens the case."""
    rows = [
        ("status", f"{result.status.upper()} ({result.requirement})"),
        *details(result, MOST_FINDINGS, passing=True),
    ]
    if result.source.file:
        rows.append(("source", str(result.source)))
    if result.status not in ("pass", "skip"):
        rows.append(("try", again(result)))
    return "\n".join(aligned(rows))


def _properties(run: Run) -> dict[str, str]:
    header, verdict = run.header, run.verdict
    properties = {
        "run": run.id,
        "phase": header.phase,
        "subject": run.subject.name,
        "digest": run.subject.digest or "",
        "verdict": verdict.decision,
        "exit_code": str(verdict.exit_code),
        "reasons": "; ".join(reason_line(reason) for reason in verdict.reasons),
        "complete": str(header.complete).lower(),
        "partial": str(header.partial).lower(),
        "profile": header.profile or "",
        "settings_digest": header.settings_digest,
    }
    return {name: one_line(value) for name, value in properties.items() if value}


def _mend(suite: "Element", run: Run) -> None:
    del suite.attrib["disabled"]
    suite.set("time", _decimal(run.header.duration_s))
    attempts = {one_line(result.id): result for result in run.results if len(result.attempts) > 1}
    for case in suite.iterfind("testcase"):
        case.set("time", _decimal(float(case.get("time", "0"))))
        if attempts and (result := attempts.get(case.get("name", ""))) is not None:
            _add_attempts(case, result)


def _add_attempts(case: "Element", result: Result) -> None:
    """Earlier attempts, in the words of Maven Surefire: reruns, or flaky where the last passed."""
    from xml.etree.ElementTree import SubElement

    kind = "flaky" if result.status in ("pass", "warn") else "rerun"
    for attempt in result.attempts[:-1]:
        if attempt.status in ("fail", "error", "unknown"):
            word = "Failure" if attempt.status == "fail" else "Error"
            message = one_line(f"attempt {attempt.number}: {attempt.reason}")
            SubElement(case, f"{kind}{word}", {"type": attempt.status, "message": message})


def _shared(suite: "Element") -> dict[str, str]:
    return {name: suite.attrib[name] for name in ("tests", "failures", "errors", "time")}


def _seconds(value: float) -> float:
    return value if math.isfinite(value) and value > 0 else 0.0


def _decimal(value: float) -> str:
    return f"{_seconds(value):.3f}"


def gatekeeper_reports() -> list[Report]:
    summary = "JUnit XML, for CI systems"
    return [Report(name="junit", summary=summary, extension="xml", render=render, imports=("junit_xml",))]
