"""Where plugins come from, and the manager that holds them.

One mechanism for all: a plugin is a module. Those that ship and those of installed packages are named by entry points
in the group `gatekeeper`; a project's are `gates/gateconf.py` and `gates/gate_*.py`. There is no global manager: a
`Plugins` is made for each run.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import pluggy
from msgspec import structs

from gatekeeper import hookspecs
from gatekeeper.entrypoints import GROUP, EntryPoint, entry_points
from gatekeeper.errors import UsageError, nearest
from gatekeeper.model import Gate, Source, TrustedRef
from gatekeeper.plain import text

if TYPE_CHECKING:
    from gatekeeper.channels import ChannelType
    from gatekeeper.reporting import Report
    from gatekeeper.samples import SampleSource
    from gatekeeper.settings import Settings

PREFIX = "gatekeeper_"
PROJECT = "gatekeeper_project."
"""How the modules of a project's gate files are named."""


class Manager(pluggy.PluginManager):
    """pluggy's manager, where a function's name is enough to make it a hook."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        if not name.startswith(PREFIX):
            return None  # spares pluggy the look at each attribute of each module
        function = getattr(plugin, name)
        if not inspect.isroutine(function):
            return None
        options = getattr(function, "gatekeeper_impl", None)
        return options if isinstance(options, dict) else dict.fromkeys(_OPTIONS, False) | {"specname": None}


_OPTIONS = ("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast")


class Plugins:
    """The plugins of one run: what they contribute, each with where it comes from."""

    def __init__(self, manager: Manager, origins: dict[str, str], trusted: TrustedRef | None = None) -> None:
        self.manager = manager
        self.origins = origins
        """Name of a plugin → where it comes from, in words."""
        self._trusted = trusted
        self._sources: dict[str, SampleSource] | None = None

    @classmethod
    def shipped(cls) -> "Plugins":
        """Only what installed distributions contribute; no project."""
        return load(None, ())

    @property
    def hook(self) -> Any:
        return self.manager.hook

    def gates(self, settings: "Settings | None" = None) -> list[Gate]:
        """All gates, in the order of their files; gates that hooks make come last.

        Raises:
            UsageError: two gates have one id (names both places), or a hook failed.
        """
        modules = [module for _, module in self.manager.list_name_plugin() if isinstance(module, ModuleType)]
        written = [value for module in modules for value in vars(module).values() if isinstance(value, Gate)]
        found = list(
            {id(gate): gate for gate in written}.values()
        )  # one that is imported elsewhere too counts once
        if settings is not None:
            found += self._contributed("gatekeeper_gates", Gate, settings=settings)
        _refuse_twice(found)
        if settings is not None:
            _refuse_overwritten(modules, found)
        return found if self._trusted is None else _in_work_tree(found, self._trusted)

    def reports(self) -> dict[str, "Report"]:
        from gatekeeper.reporting import Report

        return _by_name("report", self._contributed_from("gatekeeper_reports", Report))

    def sources(self) -> dict[str, "SampleSource"]:
        if self._sources is None:
            from gatekeeper.samples import SampleSource

            self._sources = _by_name("source", self._contributed_from("gatekeeper_sources", SampleSource))
        return self._sources

    def channels(self) -> dict[str, "ChannelType"]:
        from gatekeeper.channels import ChannelType

        return _by_name("channel", self._contributed_from("gatekeeper_channels", ChannelType))

    def facts(self) -> dict[str, Callable[[], Any]]:
        """Name → function of every fact that plugins contribute."""
        result: dict[str, Callable[[], Any]] = {}
        for plugin, facts in self._call_each("gatekeeper_facts"):
            if not isinstance(facts, Mapping):
                raise UsageError(
                    f"plugin {plugin}: gatekeeper_facts returned {type(facts).__name__}, expected a mapping"
                )
            for name, gather in facts.items():
                if name in result or name == "host":
                    raise UsageError(f"plugin {plugin}: a fact named {name!r} exists already")
                result[name] = gather
        return result

    def _contributed(self, hook: str, kind: type, **arguments: Any) -> Iterator[Any]:
        for _, item in self._contributed_from(hook, kind, **arguments):
            yield item

    def _contributed_from(self, hook: str, kind: type, **arguments: Any) -> Iterator[tuple[str, Any]]:
        for plugin, items in self._call_each(hook, **arguments):
            try:
                listed = list(items or ())
            except TypeError:
                raise UsageError(
                    f"plugin {plugin}: {hook} returned {type(items).__name__}, expected a list"
                ) from None
            for item in listed:
                if not isinstance(item, kind):
                    raise UsageError(
                        f"plugin {plugin}: {hook} contributed {type(item).__name__} {text(repr(item), 100)}, "
                        f"expected {kind.__name__}"
                    )
                yield plugin, item

    def _call_each(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Call a hook plugin by plugin, in the order of registration, so that a failure can name its plugin."""
        for implementation in getattr(self.hook, hook).get_hookimpls():
            given = {name: arguments[name] for name in implementation.argnames}
            try:
                with redirect_stdout(sys.stderr):  # stdout is the report's
                    contributed = implementation.function(**given)
                yield self._origin(implementation), contributed
            except UsageError:
                raise
            except (Exception, SystemExit) as error:
                raise UsageError(
                    f"plugin {self._origin(implementation)}: {hook} raised {type(error).__name__}: {text(error)}"
                ) from error

    def _origin(self, implementation: pluggy.HookImpl) -> str:
        name = implementation.plugin_name
        return f"{name} ({self.origins.get(name, 'unknown place')})"


def _in_work_tree(gates: Sequence[Gate], trusted: TrustedRef) -> list[Gate]:
    """Gates of a commit, each with the file that people know it by, rather than its copy."""
    from gatekeeper.policy import in_work_tree

    return [structs.replace(gate, file=in_work_tree(trusted, gate.file)) for gate in gates]


def _by_name(kind: str, contributed: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for plugin, item in contributed:
        if item.name in result:
            raise UsageError(
                f"{kind} {item.name!r} is contributed twice: by {owners[item.name]} and by {plugin}"
            )
        result[item.name], owners[item.name] = item, plugin
    return result


def _refuse_twice(gates: Sequence[Gate]) -> None:
    seen: dict[str, Gate] = {}
    problems = []
    for gate in gates:
        if (first := seen.setdefault(gate.id, gate)) is not gate:
            problems.append(
                f"gate {gate.id} is defined twice: {first.file}:{first.line} and {gate.file}:{gate.line}; rename one"
            )
    if problems:
        raise UsageError(*problems)


def _refuse_overwritten(modules: Sequence[ModuleType], found: Sequence[Gate]) -> None:
    """A gate whose name is taken by a later definition in its file would never run, and nobody would notice."""
    kept = {id(gate.function) for gate in found}
    problems = [
        f"gate {gate.id} ({gate.file}:{gate.line}) is lost: the name {gate.function.__name__!r} is defined again in "
        "that file; rename one, or use params"
        for module in modules
        for gate in vars(module).get(OVERWRITTEN, ())
        if id(gate.function) not in kept
    ]
    if problems:
        raise UsageError(*problems)


# -- loading -----------------------------------------------------------------------------------------------------------


def load(
    root: Path | None,
    folders: Sequence[Path],
    disable: Sequence[str] = (),
    trusted: TrustedRef | None = None,
) -> Plugins:
    """All plugins: of installed distributions, and of a project's gate folders, which may be copies of a commit's.

    Raises:
        UsageError: for every plugin that can't be imported, has an unknown hook or hook argument, or bears the name of
            another; with the names and where.
    """
    manager = Manager(GROUP)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager, {}, trusted)
    problems: list[str] = []
    installed = entry_points(sys.path if trusted is None else _trusted_path(trusted))
    _refuse_unknown_disabled(disable, installed, problems)
    for entry in installed:
        if entry.name not in disable:
            origin = f"entry point of {entry.distribution}"
            _register(plugins, entry.name, partial(import_module, entry.value), origin, problems)
    for folder in folders:
        for path in gate_files(folder):
            origin = _shown(path, root) if trusted is None else _shown_trusted(str(path), trusted)
            _register(plugins, path.stem, partial(load_file, path), origin, problems)
    if problems and trusted is not None:
        problems = [_shown_trusted(problem, trusted) for problem in problems]
    if problems:
        raise UsageError(*problems)
    return plugins


def _trusted_path(trusted: TrustedRef) -> list[str]:
    from gatekeeper.policy import import_path

    return import_path(trusted)


def _shown_trusted(text: str, trusted: TrustedRef) -> str:
    """Paths of copies as git names what the commit holds there: `origin/main:gates/gate_orders.py`."""
    return text.replace(f"{trusted.folder}{os.sep}", f"{trusted.ref}:")


def _refuse_unknown_disabled(
    disable: Sequence[str], installed: Sequence[EntryPoint], problems: list[str]
) -> None:
    names = [entry.name for entry in installed]
    problems += [
        f"[plugins] disable: no installed plugin is named {name!r}.{nearest(name, names)}"
        for name in disable
        if name not in names
    ]


def gate_files(folder: Path) -> list[Path]:
    """A project's plugins: `gateconf.py` first, then `gate_*.py` in the order of their names, sub-folders too."""
    if not folder.is_dir():
        return []
    conf = folder / "gateconf.py"
    return [*([conf] if conf.is_file() else []), *sorted(p for p in folder.rglob("gate_*.py") if p.is_file())]


def _register(
    plugins: Plugins, name: str, importer: Callable[[], ModuleType], origin: str, problems: list[str]
) -> None:
    if name in plugins.origins:
        problems.append(f"two plugins are named {name!r}: {plugins.origins[name]} and {origin}")
        return
    plugins.origins[name] = origin
    try:
        with redirect_stdout(sys.stderr), no_exit():  # stdout is the report's
            module = importer()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # SystemExit too: an import must not end the run as if all were well
        problems.append(f"plugin {name} ({origin}) can't be loaded: {_import_error(error)}")
        return
    try:
        plugins.manager.register(module, name)
    except ValueError as error:
        problems.append(f"plugin {name} ({origin}): {error}")
    except pluggy.PluginValidationError as error:
        first = str(error).replace("\n", " ")
        problems.append(f"plugin {name} ({origin}): {first}")
    problems += _unknown_hooks(name, module, origin)
    if name.startswith("gate_") and module.__name__.startswith(PROJECT) and not _contributes(module):
        problems.append(
            f"plugin {name} ({origin}) holds no gate and no hook: is @pre or @post missing? "
            "A module that only helps others has a name that doesn't begin with gate_"
        )


def _contributes(module: ModuleType) -> bool:
    return any(isinstance(value, Gate) or name.startswith(PREFIX) for name, value in vars(module).items())


@contextmanager
def no_exit() -> Iterator[None]:
    """`os._exit` while a plugin is loaded would end the run as if all were well: it is an error like others."""
    exit_now = os._exit

    def refuse(status: int) -> NoReturn:
        raise SystemExit(f"os._exit({status})")

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = exit_now


def _unknown_hooks(name: str, module: ModuleType, origin: str) -> list[str]:
    known = [hook for hook in vars(hookspecs) if hook.startswith(PREFIX)]
    return [
        f"plugin {name} ({origin}): unknown hook {attribute!r}.{nearest(attribute, known)}"
        for attribute, value in vars(module).items()
        if attribute.startswith(PREFIX) and attribute not in known and inspect.isroutine(value)
    ]


def _import_error(error: BaseException) -> str:
    import traceback

    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = os.path.dirname(__file__)
    users = [frame for frame in frames if not frame.filename.startswith((own, "<frozen"))]
    place = f" ({users[-1].filename}:{users[-1].lineno})" if users else ""
    return f"{type(error).__name__}: {text(error)}{place}"


def load_file(path: Path) -> ModuleType:
    """A gate file as a module. Its folder is importable, so that helpers beside it can be imported."""
    from gatekeeper.asserts import HELPER, asserting, compile_gate_file

    name = f"{PROJECT}{path.stem}"
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = ModuleType(name)
    module.__file__ = str(path)
    module.__dict__[HELPER] = asserting
    sys.modules[name] = module
    try:
        exec(compile_gate_file(path), module.__dict__, _Names(module.__dict__))
    except BaseException:
        del sys.modules[name]
        raise
    return module


OVERWRITTEN = "@gatekeeper_overwritten"
"""Where a gate file's module keeps the gates whose names were given to something else."""


class _Names(MutableMapping[str, Any]):
    """The names of a gate file while it is executed; notes gates that are overwritten."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def __setitem__(self, name: str, value: Any) -> None:
        before = self._names.get(name)
        if isinstance(before, Gate) and value is not before:
            self._names.setdefault(OVERWRITTEN, []).append(before)
        self._names[name] = value

    def __getitem__(self, name: str) -> Any:
        return self._names[name]

    def __delitem__(self, name: str) -> None:
        del self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _shown(path: Path, root: Path | None) -> str:
    return str(path.relative_to(root)) if root is not None and path.is_relative_to(root) else str(path)


def source_of(gate: Gate, root: Path) -> Source:
    """Where a gate is defined: relative to the project, or to where its package is installed."""
    return Source(_file_shown(gate.file, root) if gate.file else "", gate.line)


@cache  # thousands of gates may be in one file
def _file_shown(file: str, root: Path) -> str:
    path = Path(file)
    if not path.is_relative_to(root):
        installed = [folder for folder in sys.path if folder and path.is_relative_to(folder)]
        root = Path(max(installed, key=len, default=root))
    return _shown(path, root)
