"""How a flow is to be gated, and the checks of that."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

from gatekeeper.errors import UsageError, nearest
from gatekeeper.model import PHASES, Phase

OnHold = Literal["raise", "proceed"]
OnBlock = Literal["raise", "return"]


class Options(TypedDict, total=False):
    """Options of `gatekeeper.flow`, `gatekeeper.gated` and `gatekeeper.gate`, all by keyword."""

    subject: str | None
    """What the verdict is about, `NAME`, `NAME@FILE` or `NAME@sha256:…`; by default the flow's name."""
    project: str | os.PathLike[str]
    """The folder of the project, or one below it; by default the working directory."""
    config: str | os.PathLike[str] | None
    """A configuration to use instead of the nearest one upwards."""
    profile: str | None
    """The profile to lay over the configuration."""
    settings: Mapping[str, Any]
    """Settings of this flow alone, by their keys: `{"gates.performance.budgets.duration": "2s"}`."""
    phases: Sequence[Phase]
    """The phases that take part, of `"pre"` and `"post"`; both by default."""
    gates: Sequence[str]
    """Only these gates, by id, gate file or pattern. The run is then no clearance of the subject (`partial`)."""
    on_hold: OnHold
    """What to do on a hold, before or after the flow: `"raise"` `Held` (the default), or `"proceed"`."""
    on_block: OnBlock
    """What to do when the post gates block: `"raise"` `Blocked` (the default), or `"return"` as usual."""
    report_dir: str | os.PathLike[str] | None
    """Write junit.xml, report.json and report.html there."""
    formats: Sequence[str]
    """Further reports, each `FORMAT=PATH`."""
    history: bool
    """Whether history is read and the run recorded; True by default."""


def checked(options: Options) -> Options:
    """The options, once they are known to make sense.

    Raises:
        TypeError: a keyword that isn't one.
        UsageError: a value that isn't one of those that there are.
    """
    known = [*Options.__annotations__]
    for name in options:
        if name not in known:
            raise TypeError(f"gatekeeper: unexpected keyword argument {name!r}.{nearest(name, known)}")
    problems = [
        *_choice("on_hold", options.get("on_hold", "raise"), get_args(OnHold)),
        *_choice("on_block", options.get("on_block", "raise"), get_args(OnBlock)),
        *(problem for phase in several(options.get("phases", ())) for problem in _choice("phases", phase, PHASES)),
        *(
            f"formats: {asked!r} needs a path, since stdout is the flow's: {asked.partition('=')[0]}=PATH"
            for asked in several(options.get("formats", ()))
            if asked.partition("=")[2] in ("", "-")
        ),
    ]  # fmt: skip
    if problems:
        raise UsageError(*problems)
    flags(options.get("settings", {}))
    return options


def _choice(name: str, value: object, choices: Sequence[str]) -> list[str]:
    if value in choices:
        return []
    near = nearest(value, [*choices]) if isinstance(value, str) else ""
    return [f"{name}: expected {' or '.join(map(repr, choices))}, got {value!r}.{near}"]


def several(value: Sequence[str]) -> tuple[str, ...]:
    """The texts; of one text, that."""
    return (value,) if isinstance(value, str) else tuple(value)


def absolute(path: str | os.PathLike[str]) -> str:
    """The path as seen from the working directory of now, which the flow may change; `~` is the home folder."""
    from gatekeeper.paths import expanded

    return str(Path(os.path.abspath(expanded(os.fspath(path)))))


def flags(settings: Mapping[str, Any]) -> tuple[tuple[tuple[str, ...], str, Any], ...]:
    """Settings as `ProjectRequest.flags` has them.

    Raises:
        UsageError: a key that TOML could not have, or a value that JSON could not.
    """
    import msgspec

    problems, found = [], []
    for key, value in settings.items():
        name = f"settings[{key!r}]"
        try:
            plain = msgspec.to_builtins(value, builtin_types=())
            found.append((_path(key), name, plain))
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise UsageError(*problems)
    return tuple(found)


def _path(key: str) -> tuple[str, ...]:
    """`gates.performance.budgets."latency.p95"` as its parts."""
    if not isinstance(key, str):
        raise TypeError(f"expected a key such as 'gates.performance.budgets', got {type(key).__name__}")
    if '"' not in key and "'" not in key:
        parts = tuple(key.split("."))
    else:
        import tomllib

        table, parts = tomllib.loads(f"{key} = 0"), ()
        while isinstance(table, dict):
            ((part, table),) = table.items()
            parts = (*parts, part)
    if not all(parts):
        raise ValueError("a part of the key is empty")
    return parts
