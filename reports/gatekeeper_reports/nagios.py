"""`nagios`: one status line with performance data, for Nagios, Icinga, Naemon and NRPE.

By the Monitoring Plugins Development Guidelines (monitoring-plugins.org/doc/guidelines.html): a first line
`GATEKEEPER <STATE> - text|perfdata`, then further text; exit codes 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
"""

from collections.abc import Iterator

from gatekeeper import Finding, Report, Run, View
from gatekeeper.wording import (
    counted,
    headline,
    held_against,
    limits,
    number,
    one_line,
    reason_line,
    unique,
    worst_first,
)

STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

MAX_TEXT = 240
"""Characters of the first line's text: it ends up in pagers and short messages."""
MAX_PERFDATA = 4_096
MAX_BYTES = 8_000
"""Nagios reads 8 KiB of a plugin's output."""

UNITS = {"s": ("s", 1), "B": ("B", 1), "ratio": ("%", 100), "%": ("%", 1), "c": ("c", 1)}
"""Unit of a finding → the guidelines' unit and what to multiply by; any other is a plain number."""


def exit_code(run: Run) -> int:
    """0 proceed; 1 with warnings, or a hold; 2 block; 3 where evidence is missing or nothing was decided."""
    decision = run.verdict.decision
    if decision == "proceed":
        return 1 if run.verdict.reasons else 0
    if decision == "hold":
        return 3 if any(held_against(result) for result in run.results) else 1
    return 2 if decision == "block" else 3


def render(run: Run, view: View) -> str:
    head = _text(f"GATEKEEPER {STATES[exit_code(run)]} - {_why(run)}")
    perfdata = _fitting(_perfdata(run), MAX_PERFDATA)
    first = f"{head}|{perfdata}" if perfdata else head
    lines = [first]
    room = MAX_BYTES - len(first.encode())
    told = [result for result in worst_first(run.results) if result.status not in ("pass", "skip")]
    for index, result in enumerate(told):
        line = _text(
            f"{result.status.upper()} {one_line(result.id)} ({result.requirement}): {headline(result)}"
        )
        room -= len(line.encode()) + 1
        if room < 100:
            lines.append(f"{len(told) - index} more gates")
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def _why(run: Run) -> str:
    verdict = run.verdict
    counts = f"{counted(run.counts)} in {run.header.duration_s:.2f}s"
    if not verdict.reasons:
        return counts
    more = f" (+{len(verdict.reasons) - 1} more)" if len(verdict.reasons) > 1 else ""
    return f"{_shortened(reason_line(verdict.reasons[0]))}{more}; {counts}"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."


def _text(text: str) -> str:
    """Text that can't be taken for the start of performance data."""
    return text.replace("|", "/")


def _perfdata(run: Run) -> list[str]:
    named = [(f"{result.id}.{f.name}", f) for result in run.results for f in result.findings]
    measured = [(name, finding) for name, finding in named if _is_measured(finding)]
    labels = unique(_label(name) for name, _ in measured)
    return [f"time={run.header.duration_s:.3f}s;;;0"] + [
        f"'{label}'={_measured(finding)}" for label, (_, finding) in zip(labels, measured, strict=True)
    ]


def _label(name: str) -> str:
    """A label without what ends one; Icinga refuses even a doubled quote."""
    return one_line(name).translate({ord("="): ":", ord("'"): "", ord("|"): "/"})


def _is_measured(finding: Finding) -> bool:
    return bool(_digits(number(finding.observed), 1))


def _measured(finding: Finding) -> str:
    """`value[UOM];warn;crit;min;max`, trailing semicolons left out."""
    unit, factor = UNITS.get(finding.unit or "", ("", 1))
    value = _digits(number(finding.observed), factor)
    held = limits(finding)
    natural = not value.startswith("-")
    warn, crit = (_range(limit, held.operator, factor, natural) for limit in (held.warn, held.fail))
    least = "0" if natural and unit in ("s", "B", "%") else ""
    most = "100" if unit == "%" and least and float(value) <= 100 else ""
    return ";".join((f"{value}{unit}", warn, crit, least, most)).rstrip(";")


def _range(limit: float | None, operator: str | None, factor: int, natural: bool) -> str:
    """The range outside of which there is an alert; with `@`, inside of which there is one."""
    digits = _digits(limit, factor)
    if not digits:
        return ""
    upward = digits if natural and not digits.startswith("-") else f"~:{digits}"
    ranges = {
        "<=": upward,
        ">=": f"{digits}:",
        "<": f"@{digits}:",
        ">": f"@~:{digits}",
        "==": f"{digits}:{digits}",
        "!=": f"@{digits}:{digits}",
    }
    return ranges.get(operator or "", "")


def _digits(value: float | None, factor: int) -> str:
    """A number in the guidelines' characters, [-0-9.]; empty for one that would be absurdly long."""
    if value is None or not -1e18 < value < 1e18:
        return ""
    from decimal import Decimal

    text = f"{Decimal(repr(value)) * factor:.9f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _fitting(items: list[str], room: int) -> str:
    """As many whole items as there is room for."""

    def taken() -> Iterator[str]:
        left = room
        for item in items:
            left -= len(item.encode()) + 1
            if left < 0:
                return
            yield item

    return " ".join(taken())


def gatekeeper_reports() -> list[Report]:
    return [
        Report(
            name="nagios",
            summary="one status line with perfdata, for Nagios and Icinga",
            extension="txt",
            render=render,
            exit_code=exit_code,
        )
    ]
