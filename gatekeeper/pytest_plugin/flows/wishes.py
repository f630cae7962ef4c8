"""What `@pytest.mark.gatekeeper(…)` and `gatekeeper.run(…)` ask for, as options of `gatekeeper.flow`."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from msgspec import Struct

from gatekeeper.errors import UsageError, nearest
from gatekeeper.flows.options import Options, flags
from gatekeeper.model import PHASES, Phase
from gatekeeper.quantities import Budget
from gatekeeper.settings.convert import Problem, convert

PERFORMANCE = "gates.performance"


class Wishes(TypedDict, total=False):
    """How a flow is to be judged in a test, all by keyword."""

    budget: Mapping[str, Any]
    """Limits by quantity: `{"duration": "2s"}` fails beyond; `{"warn": "1s", "fail": "2s"}` has both. They are those
    of `post.performance`, beside the project's own."""
    pre: Sequence[str]
    """Pre gates that run, by id or name; none by default."""
    post: Sequence[str]
    """Post gates that run, by id or name; all of the project by default. With a budget also `post.performance`."""
    config: str | os.PathLike[str]
    """A configuration to use instead of the nearest one above the test, relative to pytest's rootdir."""
    profile: str
    """The profile to lay over the configuration."""
    settings: Mapping[str, Any]
    """Settings, as `gatekeeper.flow` has them: `{"gates.outputs.files": […]}`."""


def merged(nearest_first: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Several as one: the nearest counts, of budgets and settings key by key."""
    result: dict[str, Any] = {}
    for wishes in reversed([*nearest_first]):
        for key, value in wishes.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            result[key] = {**result[key], **value} if both else value
    return result


def problems(wishes: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong with them, as far as it shows without the project."""
    known = [*Wishes.__annotations__]
    for name in wishes:
        if name not in known:
            hint = nearest(name, known) or f" Known: {', '.join(known)}."
            yield f"unexpected argument {name!r}.{hint}"
    for phase in PHASES:
        yield from _wrong_gates(phase, wishes.get(phase, ()))
    for name, kinds in (("config", (str, os.PathLike)), ("profile", (str,))):
        if not isinstance(wishes.get(name, ""), kinds):
            yield f"{name}: expected a text, got {wishes[name]!r}"
    yield from _wrong_budget(wishes.get("budget", {}))
    yield from _wrong_settings(wishes.get("settings", {}))
    if not (wishes.get("pre") or wishes.get("post", True) or wishes.get("budget")):
        yield "post=[] leaves no gate: give some in pre or post, or a budget"


def _wrong_gates(phase: Phase, given: Any) -> Iterator[str]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        shown = f'["{given}"]' if isinstance(given, str) else "a list of names of gates"
        yield f"{phase}: expected {shown}, got {given!r}"
        return
    for name in given:
        if not isinstance(name, str) or not name:
            yield f"{phase}: expected names of gates, got {name!r}"
        elif name.startswith(tuple(f"{other}." for other in PHASES if other != phase)):
            yield f"{phase}: {name!r} is a gate of the other phase"


class _Limits(Budget, frozen=True, forbid_unknown_fields=True):
    min_samples: int | None = None


class _Budgets(Struct, frozen=True):
    budget: dict[str, _Limits]


def _wrong_budget(given: Any) -> Iterator[str]:
    found: list[Problem] = []
    budgets = convert(_Budgets, {"budget": given}, found)
    for problem in found:
        yield f"{': '.join(str(part) for part in problem.path)}: {problem.message}"
    for name, limits in budgets.budget.items() if budgets else ():
        if limits.warn is None and limits.fail is None:
            yield f"budget: {name}: has no limit: give one, or warn, fail or both"


def _wrong_settings(given: Any) -> Iterator[str]:
    if not isinstance(given, Mapping):
        yield f"settings: expected a mapping, got {given!r}"
        return
    try:
        flags(given)
    except UsageError as error:
        yield from error.problems


def options(wishes: Mapping[str, Any], project: Path, rootdir: Path) -> Options:
    """The options of `gatekeeper.flow` for wishes without problems: whatever the verdict is, it returns."""
    budget, pre, post = wishes.get("budget", {}), wishes.get("pre", ()), wishes.get("post")
    settings = {**wishes.get("settings", {})}
    for name, limits in budget.items():
        settings[f"{PERFORMANCE}.budgets.{json.dumps(name)}"] = limits
    if budget:
        settings |= {f"{PERFORMANCE}.enabled": True, f"{PERFORMANCE}.requirement": "required"}
    before = [_full("pre", name) for name in pre]
    after = _post(post, budgets=bool(budget))
    result = Options(
        project=project,
        profile=wishes.get("profile"),
        settings=settings,
        phases=[phase for phase, gates in zip(PHASES, (before, after), strict=True) if gates],
        gates=[*before, *after],
        on_hold="proceed",
        on_block="return",
    )
    if "config" in wishes:
        result["config"] = rootdir / wishes["config"]
    return result


def _post(given: Sequence[str] | None, *, budgets: bool) -> list[str]:
    if given is None:
        return ["post.*"]
    return [*dict.fromkeys((*(_full("post", name) for name in given), *(["post.performance"] * budgets)))]


def _full(phase: Phase, name: str) -> str:
    return name if name.startswith(f"{phase}.") else f"{phase}.{name}"
