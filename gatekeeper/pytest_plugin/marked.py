"""The fixture `gatekeeper`, and tests that `@pytest.mark.gatekeeper(…)` marks: what every session has of them.

Nothing heavy is imported here, unless a test asks for it.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gatekeeper.pytest_plugin.flows.fixture import FlowTests

NAME = "gatekeeper"
MARKER = (
    f"{NAME}(budget, pre, post, config, profile, settings): how gates judge the flow that the test runs with the "
    f"fixture `{NAME}`, or, without the fixture, the test itself"
)


def configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def gatekeeper(request: pytest.FixtureRequest) -> "FlowTests":
    """Runs a flow between its gates: `result = gatekeeper.run(flow, inputs=…)`; `await gatekeeper.run_async(…)`."""
    from gatekeeper.pytest_plugin.flows.plugin import tests_of

    return tests_of(request.node)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    """Markers are checked while tests are collected: one that is wrong is an error of its file."""
    report: pytest.CollectReport = yield
    if report.passed and (marked := [*_marked(report.result)]):
        from gatekeeper.pytest_plugin.flows import plugin

        plugin.check(report, marked, collector.config)
    return report


def _marked(nodes: Sequence[pytest.Item | pytest.Collector]) -> Iterator[pytest.Item]:
    above: bool | None = None  # of the collector, looked up once for all that it has
    for node in nodes:
        if isinstance(node, pytest.Item):
            if above is None:
                above = node.parent is not None and node.parent.get_closest_marker(NAME) is not None
            if above or any(mark.name == NAME for mark in node.own_markers):
                yield node
