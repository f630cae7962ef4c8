"""`load`: from files, environment and flags to `Settings`."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper.errors import UsageError, nearest
from gatekeeper.model import TrustedRef
from gatekeeper.settings.convert import EnvironmentText, Problem, convert
from gatekeeper.settings.environment import assigned, variables
from gatekeeper.settings.layers import Layer, Part, Path, lookup, merge, set_at
from gatekeeper.settings.problems import lines
from gatekeeper.settings.reading import Found, discover, discover_trusted, named, named_trusted
from gatekeeper.settings.tables import Settings, Tables


class Flag(Struct, frozen=True):
    """A value from the command line, and the flag that gave it: `Flag("--deadline", "2m")`."""

    name: str
    value: Any


def load(
    cwd: FilePath,
    *,
    config: FilePath | None = None,
    profile: str | None = None,
    overrides: Mapping[tuple[str, ...], Any] | None = None,
    environ: Mapping[str, str] | None = None,
    problems: list[str] | None = None,
    trusted: TrustedRef | None = None,
) -> Settings:
    """The settings that count in `cwd`: flag > environment > profile > file; presets and defaults come below.

    `config` is a file to use in place of the nearest one upwards; `profile` is a table `[profiles.<name>]`
    of it to lay over the rest. Without them, `GATEKEEPER_CONFIG` and `GATEKEEPER_PROFILE` count.
    `overrides` are values by path, `{("run", "deadline"): Flag("--deadline", "2m")}`; the flag of a bare
    value is named after the last key. `environ` defaults to the process's.

    With `trusted`, the file is that commit's; the folder that it configures is the working tree's.

    With a list for `problems`, mistakes in values are added to it, and defaults stand in their place: to be
    reported together with those of the gates. What can't be read at all is raised nevertheless.

    Raises:
        UsageError: all that is wrong outside of `[gates]`, each with its place.
    """
    environ = os.environ if environ is None else environ
    cwd = FilePath(os.path.abspath(cwd))
    if config is None and environ.get("GATEKEEPER_CONFIG"):
        config = FilePath(environ["GATEKEEPER_CONFIG"])
    found = _found(cwd, config, trusted)
    chosen = profile or environ.get("GATEKEEPER_PROFILE") or None
    named_by = "--profile" if profile else "environment variable GATEKEEPER_PROFILE"

    layers = _file_layers(found, chosen, named_by)
    named_variables = variables(environ)
    general = [variable for variable in named_variables if variable.keys[0].casefold() != "gates"]
    if general:
        known = merge(layer.data for layer in layers)
        layers.append(assigned(general, Tables, known))
    if overrides:
        layers.append(_flags(overrides))

    tree = merge(layer.data for layer in layers)
    tree.pop("$schema", None)
    root = found.root if found else cwd
    tables = _effective(tree, layers, problems, root)
    return Settings(
        root=root,
        config=found.path if found else None,
        profile=chosen,
        trusted=trusted,
        layers=tuple(layers),
        variables=tuple(variable for variable in named_variables if variable not in general),
        **{key: getattr(tables, key) for key in tables.__struct_fields__},
    )


def _found(cwd: FilePath, config: FilePath | None, trusted: TrustedRef | None) -> Found | None:
    if trusted is not None:
        return discover_trusted(trusted, cwd) if config is None else named_trusted(trusted, config, cwd)
    return discover(cwd) if config is None else named(config, cwd)


def _effective(
    tree: Mapping[str, Any], layers: Iterable[Layer], collected: list[str] | None, root: FilePath
) -> Tables:
    """The merged tree as typed tables; its `gates` stay raw. A secret that isn't there is empty until it is used."""
    problems: list[Problem] = []
    tables = convert(Tables, tree, problems, root=root)
    if tables is not None:
        return tables
    problems = [problem for problem in problems if not problem.secret] or problems
    found = lines(problems, [Part(layer, (), layer.data) for layer in layers])
    if collected is None:
        raise UsageError(*found)
    collected += found
    single = (convert(Tables, {key: value}, [], root=root) for key, value in tree.items())
    good = {key: getattr(t, key) for key, t in zip(tree, single, strict=True) if t is not None}
    return Tables(**good)


def _file_layers(found: Found | None, profile: str | None, named_by: str) -> list[Layer]:
    if found is None:
        if profile is not None:
            raise UsageError(f"{named_by}: no profile {profile!r}: no configuration file was found")
        return []
    data = dict(found.layer.data)
    profiles = data.pop("profiles", {})
    layers = [msgspec.structs.replace(found.layer, data=data)]
    if not isinstance(profiles, Mapping):
        raise UsageError(
            f"{found.layer.place(('profiles',))}  profiles: expected tables such as [profiles.ci]"
        )
    if profile is not None:
        layers.append(_profile(found, profiles, profile, named_by))
    return layers


def _profile(found: Found, profiles: Mapping[str, Any], profile: str, named_by: str) -> Layer:
    if profile not in profiles:
        known = (
            f" Known profiles: {', '.join(sorted(profiles))}."
            if profiles
            else f" {found.layer.label} has none."
        )
        raise UsageError(f"{named_by}: no profile {profile!r}.{nearest(profile, [*profiles]) or known}")
    data = profiles[profile]
    if not isinstance(data, Mapping):
        raise UsageError(f"{found.layer.place(('profiles', profile))}  profiles.{profile}: expected a table")
    prefix: Path = (*found.layer.prefix, "profiles", profile)
    return msgspec.structs.replace(found.layer, kind="profile", profile=profile, data=data, prefix=prefix)


def _flags(overrides: Mapping[tuple[str, ...], Any]) -> Layer:
    data: dict[str, Any] = {}
    names: dict[Path, str] = {}
    for path, given in overrides.items():
        flag = given if isinstance(given, Flag) else Flag("--" + path[-1].replace("_", "-"), given)
        value = EnvironmentText(flag.value) if type(flag.value) is str else flag.value
        set_at(data, path, value)
        names[path] = flag.name
    return Layer(kind="flag", data=data, names=names)


def profiles(settings: Settings) -> tuple[str, ...]:
    """The names of the profiles that the configuration's file has."""
    if settings.config is None:
        return ()
    found = named(settings.config, settings.root)
    tables = lookup(found.layer.data, ("profiles",))
    return tuple(tables) if isinstance(tables, Mapping) else ()
