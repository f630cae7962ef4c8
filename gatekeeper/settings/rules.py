"""What of a project's rules lies in files: the files that gates' settings name, and the configuration itself."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from gatekeeper.errors import UsageError
from gatekeeper.paths import POLICY, expanded
from gatekeeper.policy import in_work_tree
from gatekeeper.settings.convert import unwrapped
from gatekeeper.settings.reading import discover, read
from gatekeeper.settings.resolve import Resolved
from gatekeeper.settings.tables import Settings


def rule_files(settings: Settings, resolved: Mapping[str, Resolved]) -> Iterator[Path]:
    """The files and folders that enabled gates' settings name as rules (`PolicyPath`), in the working tree's paths."""
    for gate in resolved.values():
        if gate.options.enabled and gate.values is not None:
            for path in _policy_paths(type(gate.values), gate.values):
                yield settings.root / expanded(path)


def _policy_paths(kind: Any, value: Any) -> Iterator[str]:
    kind = unwrapped(kind)
    if isinstance(value, Struct):
        for field in msgspec.structs.fields(value):
            yield from _policy_paths(field.type, getattr(value, field.name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _policy_paths(_inner(kind, 1), item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _policy_paths(_inner(kind, 0), item)
    elif isinstance(value, str) and value and _is_policy(kind):
        yield value


def _inner(kind: Any, index: int) -> Any:
    arguments = get_args(kind)
    return arguments[index] if index < len(arguments) else Any


def _is_policy(kind: Any) -> bool:
    metas = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return any(isinstance(meta, Meta) and (meta.extra or {}).get(POLICY) for meta in metas)


def altered_configuration(settings: Settings, cwd: Path, *, asked: bool) -> list[Path]:
    """The configuration that the working tree has instead of the trusted commit's; nothing where both say the same.

    What a `pyproject.toml` says to others makes no difference. `asked`: it was named, not found.
    """
    trusted, copy = settings.trusted, settings.config
    own = Path(in_work_tree(trusted, str(copy))) if trusted and copy else None
    found = [own] if copy and own and not _say_the_same(copy, own) else []
    if not asked:
        try:
            nearest = discover(cwd)
        except UsageError:  # it is broken; if it is not the trusted one's counterpart, it says nothing
            nearest = None
        if nearest is not None and nearest.path not in (own, *found):
            found.append(nearest.path)
    return found


def _say_the_same(one: Path, other: Path) -> bool:
    try:
        files = [read(path, path.parent, path.name) for path in (one, other) if path.is_file()]
    except UsageError:
        return False
    return len(files) == 2 and None not in files and files[0].layer.data == files[1].layer.data  # type: ignore[union-attr]
