"""How a gate is written: `@pre` and `@post`."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar, overload

from msgspec import Struct

from gatekeeper.context import Context
from gatekeeper.model import SEVERITIES, Finding, Gate, Phase, Requirement, Severity
from gatekeeper.quantities import Duration

S = TypeVar("S", bound=Struct)
S_contra = TypeVar("S_contra", bound=Struct, contravariant=True)

Returned: TypeAlias = (
    Finding
    | Iterable[Finding]
    | Awaitable[Finding | Iterable[Finding] | None]
    | AsyncIterable[Finding]
    | None
)
"""What a gate function may return; None only after at least one check."""


class _Plain(Protocol):
    @property
    def __name__(self) -> str: ...
    def __call__(self, ctx: Context, /) -> Returned: ...


class _Configured(Protocol[S_contra]):
    @property
    def __name__(self) -> str: ...
    def __call__(self, ctx: Context, settings: S_contra, /) -> Returned: ...


class GateDecorator:
    """The decorator of one phase. Use it bare, or with options.

    Args (all by keyword):
        settings: a `msgspec.Struct` class, every field with a default; an instance of it, filled from the table
            `[gates.<name>]`, is the function's second argument.
        presets: named sets of settings, chosen by `preset = "…"` in the configuration.
        before: for a post gate, a function with the same arguments that runs in the pre phase; what it returns
            (JSON) is `ctx.before[<id>]` in the post phase.
        params: one gate for each item, with its value as `ctx.param`; ids are `phase.name[key]`. A mapping gives the
            keys; of an iterable, each value's text is its key.
        needs: ids (or names within the same phase) of gates that must pass or warn first.
        tags: words for `--tag` and `-k`.
        facts: facts that the gate reads, gathered once and before it: `"host"`, or a plugin's.
        requirement: `"required"` (default), `"advisory"` or `"observe"`.
        severity: how bad an alert is that tells of its fail or error: `"low"`, `"medium"`, `"high"` (default) or
            `"critical"`.
        records: names of everything that it measures, where helpers measure or names are computed: an alert rule on
            another name is then refused as one that never fires.
        timeout, retry_for: seconds or a text such as `"5s"`; `retries`: how many further attempts.
        flow: for a post gate, take part only where gatekeeper ran the flow itself, so that there is a `ctx.flow`.
        name: the gate's name where it differs from the function's.

    Raises:
        TypeError: where the declaration itself is wrong.
        ValueError: for a duration that can't be read.
    """

    def __init__(self, phase: Phase) -> None:
        self._phase = phase

    @overload
    def __call__(self, function: _Plain, /) -> Gate: ...

    @overload
    def __call__(
        self,
        *,
        settings: type[S],
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        before: Callable[[Context, S], Any] | None = None,
        params: Mapping[str, Any] | Iterable[Any] | None = None,
        needs: Iterable[str] = (),
        tags: Iterable[str] = (),
        facts: Iterable[str] = (),
        requirement: Requirement | None = None,
        severity: Severity | None = None,
        records: Iterable[str] | None = None,
        timeout: str | float | None = None,
        retries: int | None = None,
        retry_for: str | float | None = None,
        flow: bool = False,
        name: str | None = None,
    ) -> Callable[[_Configured[S]], Gate]: ...

    @overload
    def __call__(
        self,
        *,
        before: Callable[[Context], Any] | None = None,
        params: Mapping[str, Any] | Iterable[Any] | None = None,
        needs: Iterable[str] = (),
        tags: Iterable[str] = (),
        facts: Iterable[str] = (),
        requirement: Requirement | None = None,
        severity: Severity | None = None,
        records: Iterable[str] | None = None,
        timeout: str | float | None = None,
        retries: int | None = None,
        retry_for: str | float | None = None,
        flow: bool = False,
        name: str | None = None,
    ) -> Callable[[_Plain], Gate]: ...

    def __call__(self, function: Any = None, /, **options: Any) -> Any:  # type: ignore[misc]  # options are checked above
        if function is not None:
            return self._gate(function, {})
        return lambda decorated: self._gate(decorated, options)

    def _gate(self, function: Any, options: dict[str, Any]) -> Gate:
        if not callable(function) or not hasattr(function, "__code__"):
            raise TypeError(f"@{self._phase} decorates a function, not {function!r}")
        name = options.pop("name", None) or function.__name__
        before = options.get("before")
        if before is not None and self._phase == "pre":
            raise TypeError(f"pre.{name}: only a post gate has something before it (before=…)")
        if options.get("flow") and self._phase == "pre":
            raise TypeError(f"pre.{name}: only a post gate comes after the flow (flow=…)")
        for words, default in (("needs", ()), ("tags", ()), ("facts", ()), ("records", None)):
            value: Any = options.get(words, default)
            if isinstance(value, str):
                raise TypeError(f'{self._phase}.{name}: {words} takes a list, write {words}=["{value}"]')
            options[words] = default if value is default else tuple(value)
        if (severity := options.get("severity")) not in (None, *SEVERITIES):
            raise TypeError(
                f"{self._phase}.{name}: severity is one of {', '.join(SEVERITIES)}, not {severity!r}"
            )
        for limit in ("timeout", "retry_for"):
            if options.get(limit) is not None:
                options[limit] = Duration.parse(options[limit])
        if (params := options.get("params")) is not None and not isinstance(params, Mapping):
            values = list(params)
            options["params"] = {str(value): value for value in values}
            if len(options["params"]) != len(values):
                raise TypeError(
                    f"{self._phase}.{name}: two params have the same text; give a mapping with keys"
                )
        options["presets"] = options.get("presets") or {}
        doc = (function.__doc__ or "").strip()
        return Gate(
            function=function,
            name=name,
            phase=self._phase,
            title=doc.partition("\n")[0],
            doc=doc,
            file=function.__code__.co_filename,
            line=function.__code__.co_firstlineno,
            **options,
        )


pre = GateDecorator("pre")
"""A gate that runs before: may it start?"""

post = GateDecorator("post")
"""A gate that runs after: was the result good?"""
