"""Conditions on a value that a component answered with: `"up"`, or `{ min = 1, max = 100 }`."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper import Context

MISSING: Any = msgspec.UNSET


class Condition(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of one value; all that is given must hold."""

    equals: Any = MISSING
    not_equals: Any = MISSING
    min: float | None = None
    max: float | None = None
    one_of: list[Any] | None = None
    contains: Any = MISSING
    like: str | None = None
    exists: bool | None = None


def condition(name: str, wanted: Any) -> Condition:
    """A condition as it stands in a configuration: a table of conditions, or the value itself.

    Raises:
        ValueError: an unknown or impossible condition.
    """
    if not isinstance(wanted, dict):
        return Condition(equals=wanted)
    known = Condition.__struct_fields__
    if not wanted or any(key not in known for key in wanted):
        unknown = next((key for key in wanted if key not in known), "")
        raise ValueError(
            f'{name}: unknown condition "{unknown}"; known are {", ".join(known)} '
            f'(a path with dots stands in quotes: "{name}.{unknown or "key"}")'
        )
    try:
        made = msgspec.convert(wanted, Condition)
    except msgspec.ValidationError as error:
        raise ValueError(f"{name}: {error}") from None
    if made.min is not None and made.max is not None and made.min > made.max:
        raise ValueError(f"{name}: impossible: min {made.min:g} is above max {made.max:g}")
    if made.exists is False and len(wanted) > 1:
        raise ValueError(f"{name}: exists = false can't be combined with other conditions")
    return made


def holds(
    ctx: Context, name: str, value: Any, wanted: Condition, *, message: str, hint: str, absent: str = ""
) -> None:
    """Record one finding for each condition.

    `value` is MISSING where there is none; `absent` then says what there is.
    """
    if wanted.exists is not None:
        found = value is not MISSING
        words = {True: "there", False: "not there"}
        ctx.check(
            found == wanted.exists,
            f"{message} is {words[found]}{absent if not found else ''}",
            name=name,
            observed=words[found],
            operator="is",
            limit=words[wanted.exists],
            hint=hint,
        )
        if not found:
            return
    for operator, limit, test in _tests(wanted):
        if value is MISSING:
            ctx.check(
                False, f"{message} is not there{absent}", name=name, operator=operator, limit=limit, hint=hint
            )
        else:
            said = f"{message} is {_shown(value)}, expected {operator} {_shown(limit)}"
            ctx.check(test(value), said, name=name, observed=value, operator=operator, limit=limit, hint=hint)


def _tests(wanted: Condition) -> list[tuple[str, Any, Callable[[Any], bool]]]:
    given: list[tuple[str, Any, Callable[[Any], bool]]] = []
    if wanted.equals is not MISSING:
        given.append(("==", wanted.equals, lambda value: same(value, wanted.equals)))
    if wanted.not_equals is not MISSING:
        given.append(("!=", wanted.not_equals, lambda value: not same(value, wanted.not_equals)))
    if (low := wanted.min) is not None:
        given.append((">=", low, lambda value: _number(value) and value >= low))
    if (high := wanted.max) is not None:
        given.append(("<=", high, lambda value: _number(value) and value <= high))
    if (options := wanted.one_of) is not None:
        given.append(("in", options, lambda value: any(same(value, option) for option in options)))
    if wanted.contains is not MISSING:
        given.append(("contains", wanted.contains, lambda value: _contains(value, wanted.contains)))
    if (pattern := wanted.like) is not None:
        given.append(("like", pattern, lambda value: isinstance(value, str) and fnmatchcase(value, pattern)))
    return given


def same(value: Any, other: Any) -> bool:
    """Equality as JSON has it: `true` is not 1."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(value: Any, part: Any) -> bool:
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    return isinstance(value, list | dict) and any(same(item, part) for item in value)


def _shown(value: Any) -> str:
    from gatekeeper import show

    return f'"{show(value)}"' if isinstance(value, str) else show(value)


def at(value: Any, path: str) -> Any:
    """What a dotted path names in a JSON value (`"items.0.id"`); a key that holds dots itself comes first."""
    if isinstance(value, dict) and path in value:
        return value[path]
    head, dot, rest = path.partition(".")
    if isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        inner = value[int(head)]
    elif isinstance(value, dict) and dot and head in value:
        inner = value[head]
    else:
        return MISSING
    return at(inner, rest) if dot else inner
