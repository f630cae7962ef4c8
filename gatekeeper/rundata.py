"""The data that the gates of a run share: plain records, and what a gate sees of them: `ctx.inputs`, `ctx.before` …"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from gatekeeper.model import JSON, RunPhase, Subject, TrustedRef
from gatekeeper.plain import plain
from gatekeeper.samples import Readings

MISSING = "!"
"""Begins, in place of a JSON text, why an input or output can't be given."""


class Skip(Exception):
    """Ends a gate: it does not apply here."""


class Unknown(Exception):
    """Ends a gate: there is no data, or not enough to tell."""


class Saved(Struct, frozen=True, forbid_unknown_fields=True):
    """What a pre run left for its post run: `values` by key, and `failed`: why a key is missing."""

    run: str = ""
    started: str = ""
    subject: Subject = Subject("")
    values: dict[str, JSON] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class FlowData(Struct, frozen=True, kw_only=True):
    """What gatekeeper saw of the flow that it ran itself, as `ctx.flow`: a command, Python code, a pytest session.

    `began` and `ended` are its start and end in seconds since the epoch, the latter 0 where nobody saw it. `exit_code`
    is a command's or session's, `signal` the name of what ended it (`SIGKILL`); `error` and `message` are type and
    text of the exception that Python code ended with, or why a command could not start (`NotFound`, `NotExecutable`)
    or go on (`TimeLimit`); of a session that was cut short, `message` says which tests were running. Not `complete` is
    a flow whose end nobody saw. `left` are the processes that it started and that still ran, as `(pid, start)` with
    the start as `post.cleanup` tells it; None where gatekeeper can't tell whose a process is. `keeper` is the process
    that becomes the parent of all that the flow leaves, where there is one. `temp` is the folder for temporary files
    that was its own.
    """

    kind: Literal["command", "python", "pytest"]
    name: str = ""
    began: float = 0.0
    ended: float = 0.0
    duration_s: float = 0.0
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    message: str = ""
    complete: bool = True
    left: tuple[tuple[int, float], ...] | None = None
    keeper: int | None = None
    temp: str | None = None


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
    trusted: TrustedRef | None = None
    """The commit that rules are read from; None: the project's folder."""
    flow: FlowData | None = None
    measured: Readings = Readings()
    """What gatekeeper measured of the flow, and what the flow recorded with it."""


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
        value = self._given.get(name, "")
        if not value or value.startswith(MISSING):
            self[name]  # says why
        if not value.startswith("@"):
            raise Unknown(f"{self._kind} {name!r} was given as a value, not as a file")
        return Path(value[1:])

    def __getitem__(self, name: str) -> Any:
        if name not in self._given:
            from gatekeeper.errors import nearest

            raise Unknown(
                f"no {self._kind} {name!r} was given: --{self._kind} {name}=FILE{nearest(name, [*self._given])}"
            )
        if self._given[name].startswith(MISSING):
            raise Unknown(f"the {self._kind} {name!r} is not there: {self._given[name][1:]}")
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
