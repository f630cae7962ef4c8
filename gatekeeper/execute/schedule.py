"""What runs when: needs, retries, deadlines and stopping, without knowing how an attempt is carried out.

A `Schedule` is told what started and ended and answers what may start next. Every planned gate leaves it with exactly
one `Result`.
"""

from collections import deque
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from gatekeeper.execute.evaluate import Evaluation
from gatekeeper.model import JSON, Attempt, Finding, Output, Result
from gatekeeper.plan import Plan, PlannedGate

FACT_TIMEOUT = 30.0

_SATISFIED = ("pass", "warn")


class Task(Struct, frozen=True):
    """One thing to run in a process of its own: a gate, a post gate's `before`, or a shared fact."""

    kind: Literal["gate", "before", "fact"]
    name: str
    timeout: float
    planned: PlannedGate | None = None

    @property
    def key(self) -> str:
        return self.name if self.kind == "gate" else f"{self.kind}:{self.name}"


def tasks_of(plan: Plan) -> list[Task]:
    """Everything that a plan runs: the facts that its gates declare, the gates, and the snapshots."""
    facts = sorted({fact for planned in plan.gates for fact in planned.gate.facts})
    return [
        *(Task("fact", fact, FACT_TIMEOUT) for fact in facts),
        *(Task("gate", planned.id, planned.timeout, planned) for planned in plan.gates),
        *(Task("before", planned.id, planned.timeout, planned) for planned in plan.snapshots),
    ]


class Outcome(Struct, frozen=True):
    """What an attempt came to, whichever way it ran."""

    evaluation: Evaluation
    output: Output = Output()
    value: JSON = None


class Options(Struct, frozen=True, kw_only=True):
    """How a plan is carried out. `deadline` is in seconds from the start of the run."""

    jobs: int = 8
    deadline: float | None = None
    stop_first: bool = False
    output_total: int = 4_000_000


class Gathered(Struct):
    """What a run collects besides its results."""

    facts: dict[str, JSON] = field(default_factory=dict)
    facts_failed: dict[str, str] = field(default_factory=dict)
    saved: dict[str, JSON] = field(default_factory=dict)
    saved_failed: dict[str, str] = field(default_factory=dict)


class _State(Struct):
    """A gate on its way: what it waits for, and its attempts so far."""

    task: Task
    waits: set[str]
    attempts: list[Attempt] = field(default_factory=list)
    first_start: float | None = None
    held_until: float = 0.0


class Schedule:
    """The order of one run. Times are `time.monotonic()` seconds, given by the caller."""

    def __init__(
        self, tasks: Sequence[Task], options: Options, now: float, earlier: Sequence[Result] = ()
    ) -> None:
        self._options = options
        self._end = None if options.deadline is None else now + options.deadline
        self.gathered = Gathered()
        self.results: dict[str, Result] = {result.id: result for result in earlier}
        self._fresh: list[Result] = []
        self._ready: deque[_State] = deque()
        self._waiting: dict[str, _State] = {}
        self._dependents: dict[str, list[str]] = {}
        self._held: list[_State] = []
        self._running: dict[str, _State] = {}
        self._stopped: str | None = None
        self._output_left = options.output_total
        for task in tasks:
            self._enter(task)
        for result in earlier:  # gates that need these wait no longer
            self._release(result.id)

    def _enter(self, task: Task) -> None:
        waits: set[str] = set()
        if task.kind == "gate" and task.planned is not None:
            waits = {*task.planned.needs, *(f"fact:{fact}" for fact in task.planned.gate.facts)}
        state = _State(task, waits)
        if not waits:
            self._ready.append(state)
            return
        self._waiting[task.key] = state
        for key in waits:
            self._dependents.setdefault(key, []).append(task.key)

    # -- what may start ----------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        return not (self._ready or self._waiting or self._held or self._running)

    @property
    def running(self) -> list[str]:
        return list(self._running)

    def next(self, now: float) -> Task | None:
        """A task that may start now, or None."""
        if self._end is not None and now >= self._end:
            self.stop("not run: the run's deadline had passed")
        if self._held:
            due = [state for state in self._held if state.held_until <= now]
            for state in due:
                self._held.remove(state)
                self._ready.append(state)
        if len(self._running) >= self._options.jobs or not self._ready:
            return None
        state = self._ready.popleft()
        if state.first_start is None:
            state.first_start = now
        self._running[state.task.key] = state
        return state.task

    def attempt(self, task: Task) -> int:
        return len(self._running[task.key].attempts) + 1

    def deadline(self, task: Task, now: float) -> float:
        """When an attempt that starts now must have ended."""
        own = now + task.timeout
        return own if self._end is None else min(own, self._end)

    def wake_at(self) -> float | None:
        """When the next held task is due, or None."""
        return min((state.held_until for state in self._held), default=None)

    # -- what has ended ----------------------------------------------------------------------------------------------

    def ended(self, task: Task, outcome: Outcome, now: float) -> None:
        """Take in an attempt's outcome: a final result, or another attempt later."""
        state = self._running.pop(task.key)
        if task.kind == "gate":
            self._gate_ended(state, outcome, now)
        elif outcome.evaluation.status == "pass":
            keep = self.gathered.facts if task.kind == "fact" else self.gathered.saved
            keep[task.name] = outcome.value
            self._release(task.key)
        else:
            failed = self.gathered.facts_failed if task.kind == "fact" else self.gathered.saved_failed
            failed[task.name] = outcome.evaluation.reason
            self._release(task.key)

    def _gate_ended(self, state: _State, outcome: Outcome, now: float) -> None:
        planned, found = state.task.planned, outcome.evaluation
        assert planned is not None  # a gate's task has its plan
        state.attempts.append(
            Attempt(len(state.attempts) + 1, found.status, found.reason, round(found.duration_s, 6))
        )
        if self._may_retry(planned, state, now):
            state.held_until = now + planned.retry_delay
            self._held.append(state)
            return
        self.gathered.saved.update(found.saved)
        self._finish(_result(planned, state.attempts, outcome, self._bounded(outcome.output)))

    def _may_retry(self, planned: PlannedGate, state: _State, now: float) -> bool:
        last = state.attempts[-1].status
        if last not in ("fail", "error", "unknown") or self._stopped is not None:
            return False
        again = now + planned.retry_delay
        if self._end is not None and again >= self._end:
            return False
        first = now if state.first_start is None else state.first_start
        within = again - first <= planned.retry_for
        return len(state.attempts) <= planned.retries or within

    def _bounded(self, output: Output) -> Output:
        """The output of a result, within what is left of the run's total."""
        size = len(output.stdout) + len(output.stderr)
        if size <= self._output_left:
            self._output_left -= size
            return output
        left, self._output_left = self._output_left, 0
        stdout, stderr = output.stdout[:left], output.stderr[: max(0, left - len(output.stdout))]
        return Output(stdout, stderr, output.dropped + size - len(stdout) - len(stderr))

    def _finish(self, result: Result) -> None:
        self.results[result.id] = result
        self._fresh.append(result)
        self._release(result.id)
        if (
            self._options.stop_first
            and result.requirement == "required"
            and result.status in ("fail", "error")
        ):
            self.stop(f"not run: stopped after {result.id} (-x)")

    def _release(self, key: str) -> None:
        """Let go what waited for `key`: to run, or to end because it can't."""
        for name in self._dependents.pop(key, ()):
            state = self._waiting.get(name)
            if state is None:
                continue
            state.waits.discard(key)
            parent = self.results.get(key)
            if parent is not None and parent.status not in _SATISFIED:
                del self._waiting[name]
                self._finish(_blocked(state, parent))
            elif key.startswith("fact:") and key[5:] in self.gathered.facts_failed:
                del self._waiting[name]
                why = f"fact {key[5:]!r} could not be gathered: {self.gathered.facts_failed[key[5:]]}"
                self._finish(_unrun(state, "error", why))
            elif not state.waits:
                del self._waiting[name]
                self._ready.append(state)

    def stop(self, reason: str, status: Literal["skip", "error"] = "error") -> None:
        """Nothing more starts. What has not started ends with this reason; what runs is the caller's to end.

        After `-x` that is a skip (the verdict blocks already); after the deadline it is an error.
        """
        if self._stopped is not None:
            return
        self._stopped = reason
        if reason.endswith("(-x)"):
            status = "skip"
        left = [*self._ready, *self._waiting.values(), *self._held]
        self._ready.clear()
        self._waiting.clear()
        self._held.clear()
        for state in left:
            if state.task.kind == "gate":
                self._finish(_unrun(state, status, reason))
            elif state.task.kind == "before":
                self.gathered.saved_failed[state.task.name] = reason

    def take(self) -> list[Result]:
        """Results that became final since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh


def _common(planned: PlannedGate) -> dict[str, object]:
    return {
        "id": planned.id,
        "phase": planned.phase,
        "title": planned.gate.title,
        "requirement": planned.requirement,
        "source": planned.source,
        "tags": planned.gate.tags,
        "flow": planned.gate.flow,
    }


def _result(planned: PlannedGate, attempts: Sequence[Attempt], outcome: Outcome, output: Output) -> Result:
    found = outcome.evaluation
    if found.trace:
        output = Output(output.stdout, f"{output.stderr}{found.trace}", output.dropped)
    earlier = any(attempt.status not in ("pass", "warn", "skip") for attempt in attempts[:-1])
    return Result(
        **_common(planned),  # type: ignore[arg-type]
        status=found.status,
        duration_s=round(sum(attempt.duration_s for attempt in attempts), 6),
        attempts=tuple(attempts),
        findings=found.findings,
        reason=found.reason,
        output=output,
        flaky=earlier and found.status in ("pass", "warn"),
    )


def _blocked(state: _State, parent: Result) -> Result:
    planned = state.task.planned
    assert planned is not None
    word = {"fail": "failed", "error": "broke", "unknown": "is unknown", "skip": "was skipped"}[parent.status]
    reason = f"blocked by {parent.id}, which {word}"
    return Result(**_common(planned), status="skip", reason=reason, blocked_by=parent.id)  # type: ignore[arg-type]


def _unrun(state: _State, status: Literal["skip", "error"], reason: str) -> Result:
    planned = state.task.planned
    assert planned is not None
    if state.attempts:
        last = state.attempts[-1]
        reason = f"{last.reason} (attempt {last.number}; then {reason})"
        return Result(
            **_common(planned),  # type: ignore[arg-type]
            status="error" if status == "error" else last.status,
            reason=reason,
            attempts=tuple(state.attempts),
            findings=(Finding("attempt", last.status, message=last.reason),),
        )
    return Result(**_common(planned), status=status, reason=reason)  # type: ignore[arg-type]


def unneeded(planned: PlannedGate, reason: str) -> Result:
    """The result of a gate that had nothing to look at, since what it comes after did not take place."""
    return Result(**_common(planned), status="skip", reason=reason)  # type: ignore[arg-type]


def lost(planned: PlannedGate, reason: str) -> Result:
    """The result of a gate whose process or runner was lost: an error, never a gap."""
    return Result(**_common(planned), status="error", reason=reason)  # type: ignore[arg-type]
