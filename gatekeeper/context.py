"""What a gate is given: `ctx`."""

import inspect
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from gatekeeper.model import JSON, Finding, Phase, Status, worst
from gatekeeper.paths import expanded
from gatekeeper.plain import plain, text
from gatekeeper.rundata import Before, Facts, FlowData, Given, RunData, Skip, Unknown

if TYPE_CHECKING:
    from gatekeeper.facts import Host
    from gatekeeper.plugins import Plugins
    from gatekeeper.samples import Readings
    from gatekeeper.store.history import History

MAX_FINDINGS = 1_000

CLOCK_STEP = 2.0
"""Seconds by which the times of files may lag behind the clock (FAT has steps of 2 s)."""


def always_true(value: Any) -> str | None:
    """Why the truth of this value says nothing, or None where it does."""
    if value is True or value is False:
        return None
    if inspect.isawaitable(value):
        return f"the {type(value).__name__} is always true; await it"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return f"the {type(value).__name__} is always true; use all(…) or any(…)"
    return None


class Context:
    """What a gate is given: the data of the run, and the ways to record what was found.

    A gate that records nothing and executes no `assert` is `unknown`: evidence, or it did not happen.
    """

    def __init__(
        self,
        data: RunData,
        *,
        gate: str = "",
        phase: Phase = "pre",
        param: Any = None,
        attempt: int = 1,
        deadline: float | None = None,
        facts: Mapping[str, JSON] | None = None,
        plugins: "Plugins | None" = None,
    ) -> None:
        self.gate = gate
        """This gate's id."""
        self.phase = phase
        self.param = param
        """The value of this parametrized gate."""
        self.attempt = attempt
        """1 for the first try."""
        self.root = Path(data.root)
        """The project: where its configuration lies. Gates run with it as working directory."""
        self.subject = data.subject
        self.run = data.run
        """The run's id."""
        self.data = data
        self._deadline = deadline
        self._given_facts = facts if facts is not None else {}
        self._plugins = plugins
        self._findings: list[Finding] = []
        self._own: set[int] = set()
        self._suppressed: dict[Status, int] = {}
        self._asserts = 0
        self.saved: dict[str, JSON] = {}
        """What `save` recorded so far."""

    # -- recording ---------------------------------------------------------------------------------------------------

    def measure(
        self,
        name: str,
        value: float,
        *,
        unit: str = "",
        warn: float | None = None,
        fail: float | None = None,
        worse: Literal["higher", "lower"] = "higher",
        n: int | None = None,
        message: str = "",
        hint: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> Finding:
        """Record a measured value and, together with it, the limits it is held against.

        `unit` is `"s"`, `"B"`, `"ratio"` or any word. A value equal to a limit is within it; a value that is not a
        number is `unknown`. Without limits the value is recorded as a pass that nothing was asked of.
        """
        for which, at in (("warn", warn), ("fail", fail)):
            if at is not None and at != at:  # noqa: PLR0124 - NaN is the one value that differs from itself
                raise ValueError(f"ctx.measure({name!r}, …): the limit {which} is not a number")

        def beyond(limit: float) -> bool:
            return value > limit if worse == "higher" else value < limit

        status: Status = "pass"
        limit = fail if fail is not None else warn
        if value != value:  # noqa: PLR0124 - NaN is the one value that differs from itself
            status, message = "unknown", message or "the measured value is not a number"
        elif fail is not None and beyond(fail):
            status = "fail"
        elif warn is not None and beyond(warn):
            status, limit = "warn", warn
        elif isinf(value) and limit is not None:
            status, message = "unknown", message or "the measured value is infinite"
        details = dict(evidence or {})
        if limits := {name: float(at) for name, at in (("warn", warn), ("fail", fail)) if at is not None}:
            details.setdefault("limits", limits)  # a finding holds the one that decided; readers want both
        return self.add(
            Finding(
                name=name,
                status=status,
                observed=value,
                operator=None if limit is None else ("<=" if worse == "higher" else ">="),
                limit=limit,
                unit=unit or None,
                n=n,
                message=message,
                hint=hint,
                evidence=details,
            )
        )

    def check(
        self,
        condition: object,
        message: str = "",
        *,
        name: str = "check",
        otherwise: Literal["fail", "warn"] = "fail",
        observed: Any = None,
        operator: str | None = None,
        limit: Any = None,
        unit: str | None = None,
        n: int | None = None,
        hint: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record whether `condition` holds; `message` says what is wrong where it doesn't. The gate goes on."""
        if (why := always_true(condition)) is not None:
            raise TypeError(f"ctx.check: {why}")
        holds = bool(condition)
        self.add(
            Finding(
                name=name,
                status="pass" if holds else otherwise,
                observed=observed,
                operator=operator,
                limit=limit,
                unit=unit,
                n=n,
                message="" if holds else message or f"{name} does not hold",
                hint="" if holds else hint,
                evidence=dict(evidence or {}),
            )
        )
        return holds

    def add(self, finding: Finding) -> Finding:
        """Record a finding that was made elsewhere; returned as it is kept: strict JSON, bounded."""
        if not isinstance(finding, Finding):
            raise TypeError(f"expected a Finding, got {type(finding).__name__}: {finding!r}")
        if id(finding) in self._own:  # a gate may return what `measure` gave it
            return finding
        if not isinstance(finding.evidence, Mapping):
            raise TypeError(
                f"finding {finding.name!r}: evidence is a mapping, not {type(finding.evidence).__name__}"
            )
        if finding.status not in ("pass", "warn", "fail", "error", "unknown", "skip"):
            raise ValueError(f"finding {finding.name!r} has status {finding.status!r}")
        kept = Finding(
            text(finding.name, 500),
            finding.status,
            plain(finding.observed),
            None if finding.operator is None else text(finding.operator, 100),
            plain(finding.limit),
            None if finding.unit is None else text(finding.unit, 100),
            None if finding.n is None else int(finding.n),
            text(finding.message),
            text(finding.hint),
            plain(finding.evidence) if finding.evidence else {},
        )
        if len(self._findings) >= MAX_FINDINGS:
            self._make_room(kept)
        else:
            self._findings.append(kept)
            self._own.add(id(kept))
        return kept

    def _make_room(self, finding: Finding) -> None:
        """Beyond the maximum, what is worse displaces a pass: a fail is never the one that is dropped."""
        dropped = finding
        if finding.status != "pass":
            index = next((i for i, kept in enumerate(self._findings) if kept.status == "pass"), None)
            if index is None and finding.status in ("fail", "error"):
                index = next(
                    (i for i, kept in enumerate(self._findings) if kept.status not in ("fail", "error")), None
                )
            if index is not None:
                dropped = self._findings.pop(index)
                self._own.discard(id(dropped))
                self._findings.append(finding)
        self._suppressed[dropped.status] = self._suppressed.get(dropped.status, 0) + 1

    def skip(self, reason: str) -> NoReturn:
        """End the gate: it does not apply here. Never hides a failure that was recorded before."""
        raise Skip(reason)

    def unknown(self, reason: str) -> NoReturn:
        """End the gate: there is no data, or not enough to tell. A required gate that is unknown holds the verdict."""
        raise Unknown(reason)

    def save(self, key: str, value: Any) -> None:
        """Keep a JSON value for the post phase, where it is `ctx.before[key]`.

        Raises:
            TypeError: `value` is no JSON value.
        """
        import msgspec

        try:
            self.saved[key] = msgspec.json.decode(msgspec.json.encode(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"ctx.save({key!r}, …): {error}") from None

    # -- data --------------------------------------------------------------------------------------------------------

    def remaining(self) -> float:
        """Seconds until this attempt's deadline; infinity where none is enforced."""
        return float("inf") if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def path(self, path: str | os.PathLike[str]) -> Path:
        """A path of the configuration: relative ones start at the project, `~` is the home folder."""
        return self.root / expanded(path)

    def policy_path(self, path: str | os.PathLike[str]) -> Path:
        """The same for a file or folder with rules (a schema, a golden file): with `--policy-from`, the trusted ref's.

        Raises:
            UsageError: it can't be read from there.
        """
        if self.data.trusted is None:
            return self.path(path)
        from gatekeeper.policy import located

        return located(self.data.trusted, self.path(path))

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables."""
        return os.environ

    @cached_property
    def inputs(self) -> Given:
        """Inputs of the flow by name, loaded when they are used."""
        return Given("input", self.data.inputs)

    @cached_property
    def outputs(self) -> Given:
        """Outputs of the flow by name, loaded when they are used."""
        return Given("output", self.data.outputs)

    @cached_property
    def before(self) -> Before:
        """What the pre run saved."""
        return Before(self.data.before)

    @cached_property
    def host(self) -> "Host":
        """What is true of this host and its container: CPU, memory, disks, limits, each with its source."""
        import msgspec

        from gatekeeper import facts

        given = self._given_facts.get("host")
        return msgspec.convert(given, facts.Host) if given is not None else facts.gather(self.data.started)

    @cached_property
    def facts(self) -> Facts:
        """Facts that plugins contribute, by name."""
        return Facts(self._given_facts, self._plugins.facts() if self._plugins else {})

    @cached_property
    def samples(self) -> "Readings":
        """What was measured: by gatekeeper of a flow that it ran, and in the files of `--samples` and `[[samples]]`.

        Of a quantity that both measured, the flow's own files are believed; a note says so. A file that the flow did
        not write is unknown: it tells of another time.
        """
        from gatekeeper.samples import Readings

        sources = self._plugins.sources() if self._plugins else {}
        told = Readings()
        for source, path in self.data.samples:
            self._refuse_stale(path)
            told += sources[source].read(Path(path))
        return told.over(self.data.measured)

    def _refuse_stale(self, path: str) -> None:
        flow = self.data.flow
        with suppress(OSError):
            if flow is not None and (written := os.stat(path).st_mtime) < flow.began - CLOCK_STEP:
                ago = flow.began - written
                raise Unknown(
                    f"{path} was written {ago:.0f} s before the flow began: it says nothing about this flow"
                )

    @property
    def flow(self) -> FlowData:
        """What gatekeeper saw of the flow that it ran; unknown in a run that ran none.

        A gate declared with `@post(flow=True)` takes part only where there is one.
        """
        if self.data.flow is None:
            raise Unknown("gatekeeper did not run the flow itself: see gatekeeper exec, gatekeeper.flow")
        return self.data.flow

    @cached_property
    def history(self) -> "History":
        """Earlier runs of this subject."""
        from gatekeeper.store.history import History

        return History(self.data.store, self.subject.name, before=self.run)

    # -- for the framework -------------------------------------------------------------------------------------------

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was recorded so far; with a last one that says how many did not fit."""
        if not self._suppressed:
            return tuple(self._findings)
        status = worst(list(self._suppressed))
        counted = ", ".join(f"{count} {status}" for status, count in self._suppressed.items())
        more = Finding(
            "more", status, sum(self._suppressed.values()), message=f"further findings not listed: {counted}"
        )
        return (*self._findings, more)

    @property
    def asserts(self) -> int:
        """How many `assert` statements of a gate file were executed."""
        return self._asserts

    def count_assert(self) -> None:
        self._asserts += 1
