"""A subject's runs one after the other, judged as a store would have them, without one."""

import tomllib
from typing import Any

from msgspec.structs import replace

from gatekeeper.alerts.judging.judge import Judged, JudgePolicy, judge
from gatekeeper.channels import AlertEvent
from gatekeeper.model import Attempt, Finding, Header, Result, Run, Subject, Verdict
from gatekeeper.settings.alerting import AlertSettings
from gatekeeper.settings.convert import convert
from gatekeeper.store.rows import samples
from gatekeeper.store.standing import Evidence, Standing

START = 1_700_000_000.0
"""When the first run starts; nothing of a judgement knows the real time."""


def settings(text: str = "") -> AlertSettings:
    """`[alerts]` as a configuration has it."""
    problems: list[Any] = []
    made = convert(AlertSettings, tomllib.loads(text).get("alerts", {}), problems)
    assert made is not None, problems
    return made


def bad(name: str, status: str = "fail", **more: Any) -> Finding:
    return Finding(name, status, **more)  # type: ignore[arg-type]


def measured(name: str, value: float, unit: str | None = None, status: str = "pass") -> Finding:
    return Finding(name, status, observed=value, unit=unit)  # type: ignore[arg-type]


def gate(name: str, status: str = "fail", *findings: Finding, **more: Any) -> Result:
    phase = name.partition(".")[0]
    more.setdefault("attempts", (Attempt(1, status, more.get("reason", "")),))  # type: ignore[arg-type]
    return Result(id=name, phase=phase, status=status, findings=findings, **more)  # type: ignore[arg-type]


class Story:
    """Runs of one subject, and where its alerts stand after them."""

    def __init__(
        self, toml: str = "", *, severities: Any = None, gates: Any = None, subject: str = "checkout"
    ) -> None:
        self.policy = JudgePolicy(settings(toml), severities or {}, gates)
        self.subject = subject
        self.standings: dict[str, Standing] = {}
        self.events: list[AlertEvent] = []
        self.notes: list[str] = []
        self.recorded: list[tuple[str, str, Evidence]] = []
        self.number = 0

    def run(self, *results: Result, at: float = 0.0, lasts: float = 0.0, **header: Any) -> Judged:
        """A run that starts `at` seconds after the beginning, recorded and judged."""
        self.number += 1
        run = Run(
            header=Header(
                id=f"run-{self.number}",
                phase=header.pop("phase", "pre"),
                started=iso(START + at),
                duration_s=lasts,
                **header,
            ),
            subject=Subject(self.subject),
            verdict=Verdict("none"),
            results=results,
        )
        return self.judge(run, START + at + lasts)

    def judge(self, run: Run, now: float) -> Judged:
        at = now - run.header.duration_s
        self.recorded += [(s.gate, s.finding, Evidence(at, s.value, s.unit, run.id)) for s in samples(run)]
        judged = judge(run, dict(self.standings), self.policy, self.evidence, now)
        self.standings |= {s.alert.fingerprint: s for s in judged.standings}
        for fingerprint in judged.dropped:
            del self.standings[fingerprint]
        self.events += judged.events
        self.notes += judged.notes
        return judged

    def evidence(self, gate: str, finding: str, since: float) -> list[Evidence]:
        return [e for g, f, e in self.recorded if (g, f) == (gate, finding) and e.at >= since]

    def configure(self, toml: str) -> None:
        self.policy = replace(self.policy, settings=settings(toml))

    @property
    def told(self) -> list[tuple[str, str, str, str]]:
        """What happened so far: kind, gate, finding, severity."""
        return [(e.kind, e.alert.gate, e.alert.finding, e.alert.severity) for e in self.events]

    @property
    def states(self) -> dict[str, str]:
        return {f"{s.alert.gate} {s.alert.finding}".strip(): s.alert.state for s in self.standings.values()}


def iso(moment: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def kinds(judged: Judged) -> list[tuple[str, str, str]]:
    return [(event.kind, event.alert.finding, event.alert.severity) for event in judged.events]
