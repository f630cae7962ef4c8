"""Runs for the tests of reports: a rich one, and a strategy for arbitrary ones with hostile text."""

from importlib import import_module
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gatekeeper import Finding, Reason, Report, Result, Run, Subject, Verdict, View, rendered
from gatekeeper.decide import Policy, count, decide
from gatekeeper.model import EXIT_CODES, PHASES, STATUSES, Attempt, Decision, Header, Output, Since, Source
from gatekeeper.plain import plain

HOSTILE = (
    "a|b <b>&amp; ]]> `x` @team ##vso[task.complete] \x1b[31mred\x1b[0m \r\x00 \u202egnp.exe \ud800 "
    "\"q\" 'q' \\ # $(x)"
    "\n  ::error::x\n1..9\nok"
)


def rich_run(**header: Any) -> Run:
    """Every status, requirement and kind of evidence that a report has to show."""
    results = (
        Result(
            id="pre.resources",
            phase="pre",
            title="This host has what the flow needs.",
            status="pass",
            duration_s=0.1134,
            attempts=(Attempt(1, "pass", "", 0.1134),),
            source=Source("gatekeeper_gates/resources.py", 31),
            findings=(
                Finding("cpu", "pass", 0.23, "<=", 0.8, "ratio", 5),
                Finding(
                    "memory", "pass", 212_000_000, "<=", 500_000_000, "B",
                    evidence={"limits": {"warn": 400e6, "fail": 500e6}, "source": "cgroup v2"},
                ),
                Finding("processes", "pass", 318),
            ),
            tags=("host",),
        ),
        Result(
            id="pre.inputs",
            phase="pre",
            status="pass",
            duration_s=0.02,
            attempts=(
                Attempt(1, "fail", "orders.jsonl does not exist", 0.01),
                Attempt(2, "error", "OSError: stale file handle", 0.01),
                Attempt(3, "pass", "", 0.02),
            ),
            source=Source("gatekeeper_gates/inputs.py", 12),
            findings=(Finding("orders.jsonl", "pass", message="3 files match schemas/order.json"),),
            flaky=True,
        ),
        Result(
            id="pre.storage",
            phase="pre",
            status="warn",
            requirement="advisory",
            duration_s=0.0098,
            attempts=(Attempt(1, "warn", "", 0.0098),),
            source=Source("gatekeeper_gates/storage.py", 22),
            reason="/var used 83 % > 80 %",
            findings=(
                Finding(
                    "/var used", "warn", 0.83, "<=", 0.8, "ratio",
                    hint="du -xh --max-depth=2 /var | sort -h | tail",
                    evidence={"limits": {"warn": 0.8, "fail": 0.9}, "size": "40 GB"},
                ),
                Finding("/var free", "pass", 6.8e9, ">=", 2e9, "B"),
            ),
        ),
        Result(
            id="pre.components",
            phase="pre",
            title="What this needs answers.",
            status="fail",
            duration_s=2.0,
            attempts=(Attempt(1, "fail", "HTTP 503", 0.9), Attempt(2, "fail", "HTTP 503", 1.1)),
            source=Source("gates/gate_components.py", 14),
            reason="backend http://localhost:8000/health gave 503, want 200",
            findings=(
                Finding(
                    "backend.status", "fail", 503, "==", 200,
                    message="backend http://localhost:8000/health gave 503, want 200",
                    hint="curl -i http://localhost:8000/health",
                    evidence={"body": '{"db":"down"}', "headers": {"retry-after": "30"}},
                ),
                Finding("backend.latency", "pass", 0.041, "<=", 2.0, "s", 1),
            ),
            output=Output("connecting …\nstate: ✗\n", "warning: slow\n", 120),
            since=Since(3, "2026-11-19T21:04:31Z", "3f2a9c"),
        ),
        Result(
            id="pre.crash[käse & wein]",
            phase="pre",
            status="error",
            duration_s=10.0,
            attempts=(Attempt(1, "error", "timed out after 10 s", 10.0),),
            source=Source("gates/gate_crash.py", 3),
            reason="timed out after 10 s",
            output=Output("", '  File "gates/gate_crash.py", line 9, in crash\n    wait()\n'),
            since=Since(1),
        ),
        Result(
            id="pre.latency",
            phase="pre",
            status="unknown",
            duration_s=0.0,
            reason="no baseline yet, 3 of 20 runs recorded",
            findings=(
                Finding("p95", "unknown", "NaN", "<=", 0.5, "s", 3, "no baseline yet, 3 of 20 runs recorded"),
            ),
        ),
        Result(id="pre.gpu", phase="pre", status="skip", reason="no GPU on this machine"),
        Result(
            id="post.after",
            phase="post",
            status="skip",
            reason="blocked by pre.components",
            blocked_by="pre.components",
        ),
        Result(
            id="post.hostile",
            phase="post",
            title=HOSTILE,
            status="fail",
            requirement="observe",
            duration_s=0.5,
            reason=HOSTILE,
            source=Source("gates/gate_hostile.py", 1),
            findings=(
                Finding(
                    HOSTILE, "fail", HOSTILE, "==", HOSTILE, "|;=' ", 1, HOSTILE, HOSTILE, {HOSTILE: HOSTILE}
                ),
            ),
            output=Output(HOSTILE, HOSTILE),
        ),
        Result(
            id="post.rows",
            phase="post",
            status="fail",
            requirement="advisory",
            duration_s=0.25,
            reason="row 1 has no country",
            findings=tuple(
                Finding(f"row {n}", "fail", message=f"row {n} has no country") for n in range(1, 13)
            ),
        ),
    )  # fmt: skip
    return run_of(results, **header)


def run_of(results: tuple[Result, ...], *, interrupted: bool = False, **header: Any) -> Run:
    """A run of these results with the verdict that they deserve."""
    given = {
        "id": "7d1f0c",
        "phase": "all",
        "started": "2026-11-21T06:00:00Z",
        "duration_s": 12.6512,
        **header,
    }
    return Run(
        header=Header(**given),
        subject=Subject("checkout", "sha256:" + "0a" * 32),
        verdict=decide(results, [result.id for result in results], Policy(), interrupted=interrupted),
        counts=count(results),
        results=results,
        environment={"python": "3.11.7", "host": "ci-1"},
        notes=("history was not written: disk is full",),
    )


ANY_RUN = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Generated runs are large: fewer of them, as slow as they are."""

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.sampled_from(
        [HOSTILE, "", "\n", "]]>", "|", "ok 1", "1..0", "'", "=", "%", "</code>", "`" * 5, "\ud83d"]
    ),
)
NUMBER = st.one_of(st.floats(), st.integers(), st.booleans())
VALUE = st.recursive(
    st.one_of(st.none(), NUMBER, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
).map(plain)
STATUS = st.sampled_from(STATUSES)
OPERATOR = st.one_of(st.none(), st.sampled_from(["<=", ">=", "<", ">", "==", "!=", "in"]), TEXT)
LIMITS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.none())


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    evidence = draw(st.dictionaries(TEXT, VALUE, max_size=2))
    if draw(st.booleans()):
        evidence["limits"] = draw(st.one_of(st.fixed_dictionaries({"warn": LIMITS, "fail": LIMITS}), VALUE))
    return Finding(
        draw(TEXT), draw(STATUS), draw(VALUE), draw(OPERATOR), draw(VALUE),
        draw(st.one_of(st.none(), st.sampled_from(["s", "B", "ratio", "c", "rows"]), TEXT)),
        draw(st.one_of(st.none(), st.integers(0, 10**6))), draw(TEXT), draw(TEXT), evidence,
    )  # fmt: skip


SECONDS = st.floats(0, 1e9)
SINCE = st.one_of(
    st.none(),
    st.builds(Since, st.integers(1, 99), st.one_of(st.none(), st.just("2026-11-19T21:04:31Z")), TEXT),
)
ATTEMPTS = st.lists(st.tuples(STATUS, TEXT, SECONDS), max_size=3).map(
    lambda tries: tuple(Attempt(number, *each) for number, each in enumerate(tries, 1))
)


@st.composite
def results(draw: st.DrawFn) -> Result:
    phase = draw(st.sampled_from(PHASES))
    return Result(
        id=f"{phase}.{draw(TEXT) or 'gate'}",
        phase=phase,
        title=draw(TEXT),
        status=draw(STATUS),
        requirement=draw(st.sampled_from(["required", "advisory", "observe"])),
        duration_s=draw(SECONDS),
        attempts=draw(ATTEMPTS),
        source=Source(draw(TEXT), draw(st.integers(0, 9999))),
        findings=tuple(draw(st.lists(findings(), max_size=3))),
        reason=draw(TEXT),
        output=Output(draw(TEXT), draw(TEXT), draw(st.integers(0, 99))),
        tags=tuple(draw(st.lists(TEXT, max_size=2))),
        blocked_by=draw(st.one_of(st.none(), TEXT)),
        flaky=draw(st.booleans()),
        since=draw(SINCE),
    )


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Any run: the verdict follows from the results, or is a plugin's."""
    found = tuple(draw(st.lists(results(), max_size=4, unique_by=lambda result: result.id)))
    run = run_of(
        found, interrupted=draw(st.booleans()), id=draw(TEXT), profile=draw(st.one_of(st.none(), TEXT))
    )
    if draw(st.booleans()):
        decision: Decision = draw(st.sampled_from(["proceed", "hold", "block"]))
        reasons = tuple(Reason(status="plugin", text=text) for text in draw(st.lists(TEXT, max_size=2)))
        verdict = Verdict(decision, reasons, EXIT_CODES[decision], draw(TEXT), run.verdict)
        run = msgspec.structs.replace(run, verdict=verdict)
    return msgspec.structs.replace(
        run, subject=Subject(draw(TEXT)), notes=tuple(draw(st.lists(TEXT, max_size=2)))
    )


def shipped(module: str) -> Report:
    """The report that a module of `gatekeeper_reports` contributes."""
    reports: list[Report] = import_module(f"gatekeeper_reports.{module}").gatekeeper_reports()
    (report,) = reports
    return report


def text_of(module: str, run: Run, **options: Any) -> str:
    """A run rendered by a shipped report; `options` are the view's."""
    return rendered(shipped(module), run, View(**options))


def passing_run() -> Run:
    return run_of((Result(id="pre.a", phase="pre", status="pass", duration_s=0.31),))


def empty_run() -> Run:
    return run_of(())


def interrupted_run() -> Run:
    return run_of(passing_run().results, interrupted=True, complete=False)
