"""Configurations of earlier monitoring scripts, as JSON, read into gatekeeper's terms.

Two styles, which may be mixed: `endpoints`, `alert_thresholds`, `check_intervals`, `alert_channels`; and thresholds
or rules of quality gates by name (`{"memory_mb": 400}`, `{"error_rate_high": {"threshold": 0.05, "window": 60}}`).
Their files often have `//` comments, which JSON has not: they are passed over. Whatever has no place in gatekeeper is
listed with a reason.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct, field

from gatekeeper.errors import UsageError
from gatekeeper.settings.reading import json_object

MAX_BYTES = 10_000_000
COMMENT = re.compile(r'("(?:\\.|[^"\\])*"?)|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)


class Setting(Struct, frozen=True):
    """One value for `gatekeeper.toml`: its table, its key, its value as TOML, and what it was in the imported file."""

    table: str
    key: str
    value: str
    source: str


class Endpoint(Struct, frozen=True):
    """A component that answers: the kind of its table (`http`, `tcp`), and the table's keys."""

    kind: str
    keys: dict[str, str]
    source: str


class Imported(Struct):
    """What a file came to. `dropped` are paths in it that are not imported, each with the reason."""

    file: str
    endpoints: list[Endpoint] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    within: str | None = None

    def drop(self, path: str, reason: str) -> None:
        self.dropped.append((path, reason))

    @property
    def thresholds(self) -> int:
        return len(self.settings) + (self.within is not None)


def read_guide(path: Path, label: str) -> Imported:
    """Import one file.

    Raises:
        UsageError: it can't be read, or isn't a JSON object; with the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--from {label}: can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"--from {label}:{line}  is not UTF-8") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"--from {label}: is larger than {MAX_BYTES // 10**6} MB")
    imported = Imported(label)
    _sort_in(json_object(without_comments(text), f"--from {label}"), imported, "")
    if imported.within is not None:
        _apply_within(imported)
    return imported


def without_comments(text: str) -> str:
    """JSON text whose `//` and `/* */` comments are blanks; lines stay where they are."""
    return COMMENT.sub(lambda match: match[1] or re.sub(r"[^\n]", " ", match[0]), text)


# -- the parts of a file

CONTAINERS = {"alert_thresholds", "thresholds", "quality_gates", "gates", "rules", "alert_rules", "limits",
              "pre_execution", "post_execution", "pre", "post", "performance", "resources", "monitoring"}  # fmt: skip
NO_PLACE = {
    "alert_channels": "alerts come with a later version",
    "channels": "alerts come with a later version",
    "notifications": "alerts come with a later version",
    "check_intervals": "nothing polls: CI, a scheduler or you start each run",
    "intervals": "nothing polls: CI, a scheduler or you start each run",
}


def _sort_in(table: Mapping[str, Any], into: Imported, start: str) -> None:
    for key, value in table.items():
        path = f"{start}{key}"
        if key in NO_PLACE:
            _drop_leaves(value, path, NO_PLACE[key], into)
        elif key == "endpoints" and isinstance(value, Mapping):
            for name, target in value.items():
                _endpoint(name, target, f"{path}.{name}", into)
        elif isinstance(value, Mapping) and "threshold" in value:
            _rule(key, value, path, into)
        elif isinstance(value, Mapping) and key in CONTAINERS:
            _sort_in(value, into, f"{path}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            _threshold(key, value, path, into)
        else:
            _drop_leaves(value, path, "gatekeeper has nothing of this name", into)


def _drop_leaves(value: Any, path: str, reason: str, into: Imported) -> None:
    """One line for each part of a table, so that nothing is out of sight."""
    if isinstance(value, Mapping) and value:
        for key in value:
            into.drop(f"{path}.{key}", reason)
    else:
        into.drop(path, reason)


def _endpoint(name: str, target: Any, path: str, into: Imported) -> None:
    from gatekeeper.settings.writing import toml_text

    if isinstance(target, Mapping) and isinstance(target.get("url"), str):
        for key in target:
            if key != "url":
                into.drop(f"{path}.{key}", "set it at the component by hand: its unit isn't certain")
        target = target["url"]
    parts = _split(target)
    if parts is None:
        into.drop(path, f"expected a URL, got {_shown(target)}")
    elif parts.scheme in ("http", "https"):
        keys = {"name": toml_text(name), "url": toml_text(str(target))}
        into.endpoints.append(Endpoint("http", keys, path))
    elif parts.port and parts.hostname:
        keys = {"name": toml_text(name), "host": toml_text(parts.hostname), "port": str(parts.port)}
        into.endpoints.append(Endpoint("tcp", keys, path))
    else:
        into.drop(
            path, f"no gate asks {parts.scheme}:// without a port; see gates.components for what there is"
        )


def _split(target: Any) -> SplitResult | None:
    """The parts of a URL that names a host; None for anything else."""
    try:
        parts = urlsplit(target) if isinstance(target, str) else None
        if parts is None or not parts.scheme or not parts.hostname or parts.port == 0:
            return None
    except ValueError:  # also of a port that is no number
        return None
    return parts


def _rule(name: str, rule: Mapping[str, Any], path: str, into: Imported) -> None:
    """An alert rule: its threshold, for a run as a whole."""
    for key in rule:
        if key == "window":
            into.drop(
                f"{path}.window", "a gate judges all measurements of a run, not those of a moving window"
            )
        elif key != "threshold":
            into.drop(f"{path}.{key}", "gatekeeper has nothing of this name")
    value = rule["threshold"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        into.drop(f"{path}.threshold", f"expected a number, got {_shown(value)}")
    else:
        _threshold(name, value, f"{path}.threshold", into)


# -- thresholds

PERFORMANCE = "gates.performance.optional_budgets"
UNITS = {"ms": "ms", "millis": "ms", "seconds": "s", "secs": "s", "sec": "s", "s": "s", "minutes": "m",
         "percent": "%", "pct": "%", "mb": "MB", "gb": "GB", "kb": "kB", "bytes": "B"}  # fmt: skip
RULES = {"error_rate_high": "error_rate", "latency_high": "latency_p95_ms"}
"""Rules whose name hides what is measured: a rate as a ratio, and the 95th percentile in milliseconds."""


def _threshold(name: str, value: float, path: str, into: Imported) -> None:
    if not math.isfinite(value) or value < 0:
        into.drop(path, f"no limit can be {value}")
        return
    known = RULES.get(name, name)
    words, unit = _unit_of(known)
    if words.startswith("response_time") and unit in ("ms", "s"):
        into.within = f"{_number(value)}{unit}"
        for earlier in [setting for setting in into.settings if setting.key == "within"]:
            into.settings.remove(earlier)
            into.drop(earlier.source, f"{path} says the same")
        into.settings.append(Setting("", "within", f'"{into.within}"', path))
    elif (setting := _setting(words, unit, value, path)) is not None:
        into.settings.append(setting)
    else:
        into.drop(path, _why_not(words, unit))


def _unit_of(name: str) -> tuple[str, str]:
    """`cpu_usage_percent` → `cpu_usage`, `%`."""
    head, _, last = name.rpartition("_")
    return (head, UNITS[last]) if head and last in UNITS else (name, "")


def _setting(words: str, unit: str, value: float, path: str) -> Setting | None:
    share = _share(unit, value)
    if words.startswith("cpu") and share is not None:
        return Setting("gates.resources", "cpu", f'{{ warn = "{share}%" }}', path)
    if words.startswith("memory") and unit in ("MB", "GB", "kB", "B"):
        return Setting(PERFORMANCE, "peak_memory", f'{{ warn = "{_number(value)}{unit}" }}', path)
    if words.startswith("memory") and share is not None:
        fail = ', fail = "100%"' if float(share) > 90 else ""
        return Setting("gates.resources", "memory", f'{{ warn = "{share}%"{fail} }}', path)
    if words.startswith("disk") and share is not None:
        return Setting("gates.storage.paths", "free", f'{{ warn = "{_number(100 - float(share))}%" }}', path)
    if words.startswith(("error_rate", "failure_rate")) and share is not None:
        return Setting("gates.errors", "optional_rate", f'{{ fail = "{share}%" }}', path)
    if words.startswith("execution_time"):
        return Setting(PERFORMANCE, "duration", f'{{ fail = "{_number(value)}{unit or "s"}" }}', path)
    if unit in ("ms", "s", "m") and (found := re.fullmatch(r"(\w+?)_(p\d\d)", words)):
        key = f'"{found[1]}.{found[2]}"'
        return Setting(PERFORMANCE, key, f'{{ fail = "{_number(value)}{unit}" }}', path)
    if unit in ("ms", "s", "m") and re.fullmatch(r"\w+", words):
        return Setting(PERFORMANCE, words, f'{{ fail = "{_number(value)}{unit}" }}', path)
    return None


def _share(unit: str, value: float) -> str | None:
    """A share in percent: of a percentage, or of a ratio without a unit; None for anything beyond 100 %."""
    percent = value if unit == "%" or (unit == "" and value > 1) else value * 100 if unit == "" else None
    return _number(percent) if percent is not None and percent <= 100 else None


def _why_not(words: str, unit: str) -> str:
    if not unit:
        return "its unit isn't certain: name it, as in latency_ms or usage_percent"
    return f"no gate measures {words} in {unit}"


def _number(value: float) -> str:
    return f"{round(value, 6):f}".rstrip("0").rstrip(".") if "." in f"{round(value, 6):f}" else str(value)


def _apply_within(imported: Imported) -> None:
    """The response time is every HTTP endpoint's deadline."""
    limit = next(setting for setting in imported.settings if setting.key == "within")
    imported.settings.remove(limit)
    http = [endpoint for endpoint in imported.endpoints if endpoint.kind == "http"]
    if not http:
        imported.drop(limit.source, "there is no endpoint that it could be the limit of")
        imported.within = None
    for endpoint in http:
        endpoint.keys["within"] = limit.value


def settle(imports: Sequence[Imported]) -> None:
    """Keep the first of what says the same twice; the others are listed as not imported."""
    taken: dict[tuple[str, str], str] = {}
    for imported in imports:
        for endpoint in [*imported.endpoints]:
            at = (endpoint.kind, endpoint.keys["name"])
            if _again(taken, at, endpoint.source, imported):
                imported.endpoints.remove(endpoint)
        for setting in [*imported.settings]:
            if _again(taken, (setting.table, setting.key), setting.source, imported):
                imported.settings.remove(setting)


def _again(taken: dict[tuple[str, str], str], at: tuple[str, str], source: str, imported: Imported) -> bool:
    if at in taken:
        imported.drop(source, f"{taken[at]} says the same already")
        return True
    taken[at] = f"{source} of {imported.file}"
    return False


def leftovers(imported: Imported) -> Iterator[tuple[str, list[str]]]:
    """Why things were not imported, and which: one entry for each reason."""
    for reason in dict.fromkeys(reason for _, reason in imported.dropped):
        yield reason, [path for path, why in imported.dropped if why == reason]


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
