"""gatekeeper: may this run, may this ship?

The public names. Further public modules: `gatekeeper.data` (reading and validating data files), `gatekeeper.net`
(probing hosts with a total deadline), `gatekeeper.stats`, `gatekeeper.facts`, `gatekeeper.wording` (what reports
say alike), `gatekeeper.channels` (alert channels) and `gatekeeper.testing`.

PYTEST_DONT_REWRITE: pytest need not warn a program that uses both that this is imported before its own start.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatekeeper.authoring import post, pre
    from gatekeeper.context import Context
    from gatekeeper.errors import DataError, GatekeeperError, UsageError
    from gatekeeper.flows import Blocked, FlowRun, Held, Recorder, current, flow, gate, gated
    from gatekeeper.hookspecs import hookimpl
    from gatekeeper.model import Finding, Gate, Reason, Result, Run, Subject, Verdict
    from gatekeeper.paths import PolicyPath
    from gatekeeper.plain import printable, strict_json
    from gatekeeper.quantities import Budget, Duration, Floor, Percent, Quantity, Secret, Size, show
    from gatekeeper.reporting import PlanSummary, Report, Stream, View, rendered
    from gatekeeper.rundata import FlowData
    from gatekeeper.samples import Events, Readings, SampleSource, Series
    from gatekeeper.wording import summary

__version__ = "0.1.0"

__all__ = [
    "Blocked",
    "Budget",
    "Context",
    "DataError",
    "Duration",
    "Events",
    "Finding",
    "Floor",
    "FlowData",
    "FlowRun",
    "Gate",
    "GatekeeperError",
    "Held",
    "Percent",
    "PlanSummary",
    "PolicyPath",
    "Quantity",
    "Readings",
    "Reason",
    "Recorder",
    "Report",
    "Result",
    "Run",
    "SampleSource",
    "Secret",
    "Series",
    "Size",
    "Stream",
    "Subject",
    "UsageError",
    "Verdict",
    "View",
    "__version__",
    "current",
    "flow",
    "gate",
    "gated",
    "hookimpl",
    "post",
    "pre",
    "printable",
    "rendered",
    "show",
    "strict_json",
    "summary",
]

_HOMES = {
    "authoring": "post pre",
    "context": "Context",
    "errors": "DataError GatekeeperError UsageError",
    "flows": "Blocked FlowRun Held Recorder current flow gate gated",
    "hookspecs": "hookimpl",
    "model": "Finding Gate Reason Result Run Subject Verdict",
    "paths": "PolicyPath",
    "plain": "printable strict_json",
    "quantities": "Budget Duration Floor Percent Quantity Secret Size show",
    "reporting": "PlanSummary Report Stream View rendered",
    "rundata": "FlowData",
    "samples": "Events Readings SampleSource Series",
    "wording": "summary",
}
"""Where each public name lives. They are loaded when they are first used: `import gatekeeper` itself costs nothing."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names.split():
            value = globals()[name] = getattr(import_module(f"gatekeeper.{module}"), name)
            return value
    raise AttributeError(f"module 'gatekeeper' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *globals()]
