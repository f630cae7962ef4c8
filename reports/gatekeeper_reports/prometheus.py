"""`prometheus`: text exposition for the textfile collector of Prometheus' node exporter.

Format: github.com/prometheus/docs, "Exposition formats", version 0.0.4. Statuses and decisions are state
sets: one series for each possible state, 1 for the one that holds. Every series bears the subject, so that
several subjects can write files into one folder; HELP texts are constant, as the node exporter requires of
metrics in several files.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from gatekeeper import Finding, Report, Result, Run, View, printable
from gatekeeper.wording import limits, number, tally, unique

STATUSES = ("pass", "warn", "fail", "error", "unknown", "skip")
DECISIONS = ("proceed", "hold", "block", "none")

Sample = tuple[dict[str, str], float]


def render(run: Run, view: View) -> str:
    return "".join(_metric(*each) for each in (*_of_the_run(run), *_of_gates(run), *_of_findings(run)))


def _of_the_run(run: Run) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    header, verdict = run.header, run.verdict
    base = {"subject": run.subject.name, "phase": header.phase}
    yield (
        "verdict",
        "Decision over the last run; 1 for the one that was made.",
        [({**base, "decision": decision}, verdict.decision == decision) for decision in DECISIONS],
    )
    yield "exit_code", "Exit code of the last run.", [(base, verdict.exit_code)]
    yield (
        "gates",
        "Gates of the last run by status.",
        [({**base, "status": status}, count) for status, count in tally(run.counts).items()],
    )
    yield (
        "run_info",
        "Which run the values are of.",
        [({**base, "run": run.id, "profile": header.profile or "", "digest": run.subject.digest or ""}, 1)],
    )
    yield "run_complete", "Whether the last run finished (1) or was cut off (0).", [(base, header.complete)]
    yield "run_partial", "Whether only some of the gates were selected (1).", [(base, header.partial)]
    yield "run_duration_seconds", "Duration of the last run.", [(base, header.duration_s)]
    if (started := _timestamp(header.started)) is not None:
        yield "run_start_timestamp_seconds", "When the last run started, as Unix time.", [(base, started)]


def _of_gates(run: Run) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    gates = [(_labels(run, result, name), result) for name, result in _named(run)]
    yield (
        "gate_status",
        "Status of a gate in the last run; 1 for the one that it has.",
        [
            ({**labels, "status": status}, result.status == status)
            for labels, result in gates
            for status in STATUSES
        ],
    )
    yield (
        "gate_info",
        "Requirement of a gate.",
        [({**labels, "requirement": result.requirement}, 1) for labels, result in gates],
    )
    yield (
        "gate_duration_seconds",
        "Duration of a gate, all attempts.",
        [(labels, result.duration_s) for labels, result in gates],
    )
    yield (
        "gate_attempts",
        "How many attempts a gate took.",
        [(labels, len(result.attempts)) for labels, result in gates],
    )


def _of_findings(run: Run) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    measured = list(_measured(run))
    yield (
        "finding_value",
        "A measured value, in the base unit that the label unit names.",
        [(labels, value) for labels, _, value in measured],
    )
    yield (
        "finding_samples",
        "How many samples a measured value stands for.",
        [(labels, finding.n) for labels, finding, _ in measured if finding.n is not None],
    )
    yield (
        "finding_limit",
        "A limit of a measured value, in the value's unit.",
        [
            ({**labels, "level": level}, limit)
            for labels, finding, _ in measured
            for level in ("warn", "fail")
            if (limit := getattr(limits(finding), level)) is not None
        ],
    )


def _measured(run: Run) -> Iterator[tuple[dict[str, str], Finding, float]]:
    for gate, result in _named(run):
        found = [
            (finding, value) for finding in result.findings if (value := number(finding.observed)) is not None
        ]
        names = unique(printable(finding.name) for finding, _ in found)
        for name, (finding, value) in zip(names, found, strict=True):
            labels = {**_labels(run, result, gate), "finding": name, "unit": finding.unit or ""}
            yield labels, finding, value


def _named(run: Run) -> list[tuple[str, Result]]:
    """Results with ids that stay distinct when hostile characters in them are shown as escapes."""
    return list(zip(unique(printable(result.id) for result in run.results), run.results, strict=True))


def _labels(run: Run, result: Result, gate: str) -> dict[str, str]:
    return {"subject": run.subject.name, "phase": result.phase, "gate": gate}


def _metric(name: str, help_text: str, samples: Iterable[Sample]) -> str:
    lines = [f"gatekeeper_{name}{{{_joined(labels)}}} {_number(value)}\n" for labels, value in samples]
    if not lines:
        return ""
    return f"# HELP gatekeeper_{name} {help_text}\n# TYPE gatekeeper_{name} gauge\n{''.join(lines)}"


def _joined(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    if value != value:  # noqa: PLR0124 - NaN differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _timestamp(time: str) -> float | None:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None


def gatekeeper_reports() -> list[Report]:
    return [
        Report(
            name="prometheus",
            summary="text exposition, for the node exporter's textfile collector",
            extension="prom",
            render=render,
        )
    ]
