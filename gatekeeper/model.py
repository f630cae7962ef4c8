"""The words of gatekeeper as immutable records.

Everything that leaves a run (the JSON report, history, `run pre --save`) is these records, encoded as they
stand: `Run` *is* the document of schema `gatekeeper.report/1`. They are msgspec structs rather than
dataclasses, so that what comes back from a gate's process or another machine is checked against its types
while it is decoded, and start-up doesn't pay for generated `__init__` sources.

Units: durations are seconds, sizes bytes, ratios 0..1; wall-clock times are UTC, ISO 8601.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from gatekeeper.plain import printable

SCHEMA = "gatekeeper.report/1"

Phase: TypeAlias = Literal["pre", "post"]
RunPhase: TypeAlias = Literal["pre", "post", "all", "exec"]
Status: TypeAlias = Literal["pass", "warn", "fail", "error", "unknown", "skip"]
Requirement: TypeAlias = Literal["required", "advisory", "observe"]
Decision: TypeAlias = Literal["proceed", "hold", "block", "none"]
Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
JSON: TypeAlias = Any
"""A value that JSON can hold; `gatekeeper.plain.plain` makes one of anything."""

PHASES: tuple[Phase, ...] = ("pre", "post")
REQUIREMENTS: tuple[Requirement, ...] = ("required", "advisory", "observe")
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
"""How bad it is, the mildest first."""
STATUSES: tuple[Status, ...] = ("pass", "warn", "fail", "error", "unknown", "skip")

WORST_FIRST: tuple[Status, ...] = ("error", "fail", "unknown", "warn", "pass", "skip")
"""How findings make a gate's status: the first of these that occurs. A skip never hides anything else."""


def worst(statuses: "list[Status] | tuple[Status, ...]") -> Status:
    """The status of a gate with findings of these statuses; `unknown` when there are none.

    No evidence is never a pass.
    """
    for status in WORST_FIRST:
        if status in statuses:
            return status
    return "unknown"


class Finding(Struct, frozen=True):
    """One checked fact: what was observed, held against a limit.

    `operator` is the condition that holds on a pass: `observed <operator> limit`, e.g. `0.231 <= 0.5`.
    `n` is how many samples `observed` stands for. `evidence` is a JSON object with whatever supports it.
    """

    name: str
    status: Status
    observed: JSON = None
    operator: str | None = None
    limit: JSON = None
    unit: str | None = None
    n: int | None = None
    message: str = ""
    hint: str = ""
    evidence: dict[str, JSON] = field(default_factory=dict)


class Source(Struct, frozen=True):
    """Where a gate is defined: `file` relative to the project where it lies inside, 1-based `line`."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Attempt(Struct, frozen=True):
    """One try of a gate. All attempts are kept; a gate's status is its last attempt's."""

    number: int
    status: Status
    reason: str = ""
    duration_s: float = 0.0


class Output(Struct, frozen=True):
    """What the last attempt printed, UTF-8 with backslashreplace; `dropped` bytes were cut from the middle."""

    stdout: str = ""
    stderr: str = ""
    dropped: int = 0

    def __bool__(self) -> bool:
        return bool(self.stdout or self.stderr)


class Since(Struct, frozen=True):
    """How long a gate has not been passing: in how many runs in a row (this one too), and when it last did."""

    runs: int
    last_passed: str | None = None
    last_passed_run: str | None = None


class Result(Struct, frozen=True, kw_only=True):
    """One gate's outcome in a run.

    `reason` says, for anything but a pass, what decided the status; `blocked_by` names the gate for whose sake
    this one was not run; `flaky` means that it passed after an attempt that did not; `flow` that it takes part only
    where gatekeeper runs the flow itself.
    """

    id: str
    phase: Phase
    title: str = ""
    status: Status
    requirement: Requirement = "required"
    duration_s: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    source: Source = Source("", 0)
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    output: Output = Output()
    tags: tuple[str, ...] = ()
    blocked_by: str | None = None
    flaky: bool = False
    flow: bool = False
    since: Since | None = None

    @property
    def decisive(self) -> Finding | None:
        """The first finding of the gate's own status: the one that a reader wants to see first."""
        return next((finding for finding in self.findings if finding.status == self.status), None)


class Reason(Struct, frozen=True, kw_only=True):
    """Why a verdict is what it is: the gate (empty for a reason of the run itself), in words and as data."""

    gate: str = ""
    status: Status | Literal["warnings", "freeze", "incomplete", "empty", "plugin"] = "fail"
    text: str = ""
    finding: str | None = None
    observed: JSON = None
    operator: str | None = None
    limit: JSON = None
    unit: str | None = None
    since: Since | None = None
    hint: str = ""


EXIT_CODES: dict[str, int] = {"proceed": 0, "block": 1, "hold": 6}
INTERRUPTED, INTERNAL_ERROR, USAGE_ERROR, NO_GATES = 2, 3, 4, 5


class Verdict(Struct, frozen=True):
    """The decision over a run. `original` is gatekeeper's own where a plugin's `decide` said something else."""

    decision: Decision
    reasons: tuple[Reason, ...] = ()
    exit_code: int = 0
    decided_by: str = "gatekeeper"
    original: "Verdict | None" = None

    def __str__(self) -> str:
        """The decision, and a line for each reason: `BLOCK   post.outputs fail: orders.jsonl is missing`."""
        reasons = [f"{r.gate} {r.status}: {r.text}" if r.gate else r.text for r in self.reasons]
        lines = [printable(" ".join(reason.split())) for reason in reasons] or [""]
        beneath = "\n" + 8 * " "
        return f"{self.decision.upper():<8}{beneath.join(lines)}".rstrip()


class Subject(Struct, frozen=True):
    """What a verdict is about; `digest` is `sha256:…` of the artifact where there is one."""

    name: str
    digest: str | None = None


class TrustedRef(Struct, frozen=True, kw_only=True):
    """A commit that a project's policy (configuration, gates, rules) is taken from, instead of its working tree.

    It was asked for as `ref`. `top` is the top folder of the working tree, `git` the repository's git folder; `folder`
    holds copies of what is needed of the commit.
    """

    ref: str
    commit: str
    top: str
    git: str
    folder: str


class PolicyRecord(Struct, frozen=True, kw_only=True):
    """Which policy a run used that was not the working tree's own.

    `digest` is `sha256:…` over the paths and contents of all files that were taken from `commit`; `altered` are those
    that the working tree has otherwise (or has added or removed), which were not used; `overridden` names the flags and
    environment variables that set something beside the configuration; `imported` are files of the working tree that the
    judging process itself had loaded, of packages that are installed from there.
    """

    ref: str
    commit: str
    digest: str
    altered: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()


class Header(Struct, frozen=True, kw_only=True):
    """A run's own data. `settings_digest` names the effective configuration; `pre_run` the run that a post run is
    compared with; `policy` is None where the policy was the working tree's own.
    """

    id: str
    phase: RunPhase
    started: str
    duration_s: float = 0.0
    complete: bool = True
    partial: bool = False
    settings_digest: str = ""
    profile: str | None = None
    config: str | None = None
    pre_run: str | None = None
    policy: PolicyRecord | None = None


class Counts(Struct, frozen=True):
    """How many gates have each plain status, whatever their requirement."""

    passed: int = field(default=0, name="pass")
    warn: int = 0
    fail: int = 0
    error: int = 0
    unknown: int = 0
    skip: int = 0

    def of(self, status: Status) -> int:
        return int(getattr(self, "passed" if status == "pass" else status))


class Run(Struct, frozen=True, kw_only=True):
    """One execution of a plan, as it is reported and recorded: the document `gatekeeper.report/1`."""

    schema: Literal["gatekeeper.report/1"] = "gatekeeper.report/1"
    header: Header = field(name="run")
    subject: Subject
    verdict: Verdict
    counts: Counts = Counts()
    results: tuple[Result, ...] = field(default=(), name="gates")
    environment: dict[str, JSON] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.header.id

    def result(self, gate: str) -> Result | None:
        return next((result for result in self.results if result.id == gate), None)


class Gate(Struct, frozen=True, kw_only=True):
    """One named check of one concern, in a phase, as its author declared it.

    `function(ctx)` or `function(ctx, settings)`; `before(ctx)` or `before(ctx, settings)`, for a post gate, runs
    with the pre phase, and what it returns is `ctx.before[<this gate's id>]` in the post phase. `facts` names the
    facts that it uses, so that they are gathered once and before it (undeclared ones work, gathered by the gate
    itself). `needs` are ids; None for a limit means the run's default. `severity` is that of an alert that it
    fails; `records` names what it measures, all of it, for alert rules (None: what its function shows). `flow`: it
    takes part only in runs in which gatekeeper runs the flow itself (phase `exec`).
    """

    function: Callable[..., Any]
    name: str
    phase: Phase
    title: str = ""
    doc: str = ""
    settings: type[Struct] | None = None
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    before: Callable[..., Any] | None = None
    params: Mapping[str, Any] | None = None
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    requirement: Requirement | None = None
    severity: Severity | None = None
    records: tuple[str, ...] | None = None
    timeout: float | None = None
    retries: int | None = None
    retry_for: float | None = None
    flow: bool = False
    file: str = ""
    line: int = 0

    @property
    def id(self) -> str:
        return f"{self.phase}.{self.name}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself, so that a gate can be tried by hand and tested directly."""
        return self.function(*args, **kwargs)
