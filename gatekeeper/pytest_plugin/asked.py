"""Which gate files a pytest session is asked for by name: `pytest gates/`, `pytest gates/gate_orders.py::pre.backlog`.

A plain `pytest`, or `pytest .` in a project's folder, runs no gate. Nothing heavy is imported here: every session whose
command line names folders comes by.
"""

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gatekeeper.pytest_plugin.items.nodes import GateItems

SHARED = "gateconf.py"
WORKER_INPUT = "gatekeeper_names"
"""What the controller of pytest-xdist tells its workers: whether its own command line named anything."""


def configure(config: pytest.Config) -> None:
    """Make ready for gates as items, where the command line names what could be some."""
    if names := _named(config):
        config.pluginmanager.register(AskedGates(config, names), "gatekeeper-asked")


def is_gate_file(path: Path) -> bool:
    """Whether a gate file would have this name."""
    return path.name == SHARED or (path.name.startswith("gate_") and path.suffix == ".py")


def _named(config: pytest.Config) -> list[Path]:
    """Folders and gate files that the command line names."""
    worker = getattr(config, "workerinput", None)
    by_name = config.args_source is pytest.Config.ArgsSource.ARGS
    if not (by_name if worker is None else worker.get(WORKER_INPUT)):
        return []
    base = config.invocation_params.dir
    paths = [Path(os.path.abspath(base / _path_of(arg))) for arg in config.args]
    return [path for path in paths if is_gate_file(path) or path.is_dir()]


def _path_of(arg: str) -> str:
    """The path in an argument such as `gates/gate_orders.py::pre.databases[countries]`."""
    return arg.partition("[")[0].partition("::")[0]


class AskedGates:
    """The plugin object of a session whose command line names folders or gate files."""

    def __init__(self, config: pytest.Config, names: Sequence[Path]) -> None:
        self._config = config
        self._names = names
        self._items: GateItems | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[WORKER_INPUT] = True

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> "Generator[None, list[pytest.Collector], list[pytest.Collector]]":
        found = yield
        if not is_gate_file(file_path):
            return found
        gates = self._all().file(file_path, parent, self._names)
        return found if gates is None else [gates]

    def _all(self) -> "GateItems":
        if self._items is None:
            from gatekeeper.pytest_plugin.items.nodes import GateItems

            self._items = GateItems(self._config)
            self._config.pluginmanager.register(self._items, "gatekeeper-items")
            self._config.add_cleanup(self._items.close)
        return self._items
