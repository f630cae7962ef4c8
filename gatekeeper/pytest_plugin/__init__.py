"""The pytest plugin: gates around a session, gates as test items, and a fixture for tests of flows.

It is registered (entry point `pytest11`, name `gatekeeper`) by a distribution of its own, `pytest_gatekeeper/`.

Every session pays for what is here and in `marked`. The rest is imported by sessions that use it.
"""

from typing import Any

import pytest

from gatekeeper.pytest_plugin import marked
from gatekeeper.pytest_plugin.marked import gatekeeper, pytest_make_collect_report

__all__ = ["gatekeeper", "pytest_make_collect_report"]


def pytest_addoption(parser: pytest.Parser) -> None:
    add = parser.getgroup("gatekeeper", "gates around the session (gatekeeper)").addoption
    add(
        "--gatekeeper",
        metavar="PHASES",
        help="run gates around the session: pre (before it), post (after it), pre,post, or none",
    )
    add(
        "--gatekeeper-config",
        metavar="FILE",
        help="gatekeeper's configuration (default: the nearest upwards from the working directory)",
    )
    add("--gatekeeper-profile", metavar="NAME", help="profile to lay over gatekeeper's configuration")
    add(
        "--gatekeeper-on-hold",
        choices=("stop", "run"),
        default="stop",
        help="when the pre gates hold: stop (exit 6, the default), or run the session all the same",
    )
    add("--gatekeeper-report-dir", metavar="DIR", help="write junit.xml, report.json and report.html there")
    add(
        "--gatekeeper-format",
        metavar="FORMAT=PATH",
        action="append",
        default=[],
        help="a further report of the gates; repeatable",
    )
    parser.addini("gatekeeper", "gates to run around the session: pre, post, pre,post or none", default="")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> Any:
    """Before any code of the project, and before output is captured: are gates asked for around this session?"""
    asked = early_config.known_args_namespace.gatekeeper
    if asked is not None or early_config.getini("gatekeeper"):
        from gatekeeper.pytest_plugin.session import around

        around.enter(early_config, parser, args)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    marked.configure(config)
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        from gatekeeper.pytest_plugin.session import plugin

        plugin.configure_worker(config)
    if worker is not None or config.args_source is pytest.Config.ArgsSource.ARGS:
        from gatekeeper.pytest_plugin import asked

        asked.configure(config)
