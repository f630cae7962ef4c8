"""What a gate is given: `ctx`."""

import inspect
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from msgspec import Struct, field

from gatekeeper.model import JSON, Finding, Phase, RunPhase, Status, Subject, worst
from gatekeeper.paths import expanded
from gatekeeper.plain import plain, text

if TYPE_CHECKING:
    from gatekeeper.facts import Host
    from gatekeeper.plugins import Plugins
    from gatekeeper.samples import Readings
    from gatekeeper.store.history import History

MAX_FINDINGS = 1_000


class Skip(Exception):
    """Ends a gate: it does not apply here."""


class Unknown(Exception):
    """Ends a gate: there is no data, or not enough to tell."""


def always_true(value: Any) -> str | None:
    """Why the truth of this value says nothing, or None where it does."""
    if value is True or value is False:
        return None
    if inspect.isawaitable(value):
        return f"the {type(value).__name__} is always true; await it"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return f"the {type(value).__name__} is always true; use all(…) or any(…)"
    return None


class Saved(Struct, frozen=True, forbid_unknown_fields=True):
    """What a pre run left for its post run: `values` by key, and `failed`: why a key is missing."""

    run: str = ""
    started: str = ""
    subject: Subject = Subject("")
    values: dict[str, JSON] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class RunData(Struct, frozen=True, kw_only=True):
    """The data of a run that its gates share. Plain data, so that a spawned worker can be given it."""

    root: str
    phase: RunPhase = "pre"
    run: str = ""
    subject: Subject = Subject("")
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    samples: tuple[tuple[str, str], ...] = ()
    before: Saved | None = None
    store: str | None = None
    started: float = 0.0


class Before(Mapping[str, Any]):
    """What the pre run saved. A key that it did not save ends the gate as `unknown`, with what to do about it."""

    def __init__(self, saved: Saved | None) -> None:
        self._saved = saved

    @property
    def run(self) -> str | None:
        """The id of the pre run, or None where there is none."""
        return self._saved.run if self._saved else None

    @property
    def started(self) -> str | None:
        """When the pre run started, UTC, ISO 8601."""
        return self._saved.started if self._saved else None

    def __getitem__(self, key: str) -> Any:
        if self._saved is None:
            raise Unknown("no pre run of this subject was found: run `gatekeeper run pre` before the flow")
        if key in self._saved.values:
            return self._saved.values[key]
        if key in self._saved.failed:
            raise Unknown(
                f"the pre run {self._saved.run} could not record {key!r}: {self._saved.failed[key]}"
            )
        raise Unknown(f"the pre run {self._saved.run} saved nothing as {key!r}: was the gate added after it?")

    def __contains__(self, key: object) -> bool:
        return self._saved is not None and key in self._saved.values

    def __iter__(self) -> Iterator[str]:
        return iter(self._saved.values if self._saved else ())

    def __len__(self) -> int:
        return len(self._saved.values) if self._saved else 0


class Given(Mapping[str, Any]):
    """Named inputs or outputs, loaded when they are first used.

    What starts as JSON is that value. A file ending in `.json`, `.toml` or `.yaml` is its content, `.jsonl` and `.csv`
    are the list of their records; any other is its `Path`. `path(name)` is the file itself.
    """

    def __init__(self, kind: str, given: Mapping[str, str]) -> None:
        self._kind, self._given = kind, given
        self._loaded: dict[str, Any] = {}

    def path(self, name: str) -> Path:
        """The file given for `name`."""
        value = self._given[name]
        if not value.startswith("@"):
            raise Unknown(f"{self._kind} {name!r} was given as a value, not as a file")
        return Path(value[1:])

    def __getitem__(self, name: str) -> Any:
        if name not in self._given:
            from gatekeeper.errors import nearest

            raise Unknown(
                f"no {self._kind} {name!r} was given: --{self._kind} {name}=FILE{nearest(name, [*self._given])}"
            )
        if name not in self._loaded:
            from gatekeeper.data import load_given

            self._loaded[name] = load_given(self._given[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._given

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


class Facts(Mapping[str, Any]):
    """Shared facts by name. One that no gate declared is gathered by the gate that asks."""

    def __init__(self, gathered: Mapping[str, JSON], gather: Mapping[str, Callable[[], Any]]) -> None:
        self._gathered, self._gather = dict(gathered), gather

    def __getitem__(self, name: str) -> Any:
        if name not in self._gathered:
            if name not in self._gather:
                from gatekeeper.errors import nearest

                raise KeyError(f"no plugin contributes the fact {name!r}.{nearest(name, [*self._gather])}")
            self._gathered[name] = plain(self._gather[name]())
        return self._gathered[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._gather, **self._gathered})

    def __len__(self) -> int:
        return len({**self._gather, **self._gathered})


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
        """What the measurements given by `--samples` and `[[samples]]` say, all files together."""
        from gatekeeper.samples import Readings

        sources = self._plugins.sources() if self._plugins else {}
        result = Readings()
        for source, path in self.data.samples:
            result += sources[source].read(Path(path))
        return result

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
