"""Tests of flows: the fixture `gatekeeper`, and tests marked `@pytest.mark.gatekeeper(…)`."""

from gatekeeper.pytest_plugin.flows.fixture import FlowResult, FlowTests

__all__ = ["FlowResult", "FlowTests"]
