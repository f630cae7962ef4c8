"""Every hook, with its contract.

A plugin is a module: one in a project's `gates/` folder, or one that an installed distribution names in its entry
point group `gatekeeper`. Functions in it whose names start with `gatekeeper_` are its hooks; each takes whichever of
the documented arguments it needs. `gatekeeper.hookimpl` is for options (`wrapper=True`, `tryfirst=True`,
`trylast=True`); without it the name is enough. Gates written with `@pre` and `@post` need no hook: the module that
holds them is the plugin.
"""

# Hooks are declared by signature; their parameters are theirs to name.
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from gatekeeper.channels import ChannelType
    from gatekeeper.context import Context
    from gatekeeper.model import Gate, Result, Run, Verdict
    from gatekeeper.plan import DraftPlan, PlannedGate
    from gatekeeper.reporting import Report
    from gatekeeper.samples import SampleSource
    from gatekeeper.settings import Settings

hookspec = pluggy.HookspecMarker("gatekeeper")
hookimpl = pluggy.HookimplMarker("gatekeeper")


@hookspec
def gatekeeper_gates(settings: "Settings") -> "Iterable[Gate]":  # type: ignore[empty-body]
    """Contribute gates that are made rather than written, e.g. one for each entry of a catalogue.

    Called once, before the plan. Return gates made with `pre(…)` or `post(…)`. An exception is a usage error (exit 4).
    """


@hookspec
def gatekeeper_facts() -> Mapping[str, Callable[[], Any]]:  # type: ignore[empty-body]
    """Contribute facts that gates share: name → function that gathers a JSON value.

    A fact that a gate declares (`facts=["gpu"]`) is gathered once a run, in a process of its own with the default
    timeout, before the first gate that declares it; `ctx.facts["gpu"]` is its value. A fact that could not be
    gathered makes the gates that declare it errors.
    """


@hookspec
def gatekeeper_sources() -> "Iterable[SampleSource]":  # type: ignore[empty-body]
    """Contribute readers of measurements, for `--samples NAME:FILE` and `[[samples]]`."""


@hookspec
def gatekeeper_modify_plan(plan: "DraftPlan") -> None:
    """Change the plan in place before it is fixed: reorder or remove `plan.gates`, or change their options.

    Called after selection. Removing gates marks the run `partial`. An exception is a usage error (exit 4).
    """


@hookspec(firstresult=True)
def gatekeeper_run_gate(gate: "PlannedGate", ctx: "Context") -> bool | None:
    """Run one gate, in the gate's own process.

    The default calls its function. A wrapper (`@hookimpl(wrapper=True)`) surrounds it; a plain implementation that
    returns True has run the gate itself and recorded its findings on `ctx`; None leaves it to the next.
    """


@hookspec
def gatekeeper_result(result: "Result") -> None:
    """Observe a gate's final result as soon as it is there, in the order in which gates finish.

    An exception is reported on stderr and changes nothing else.
    """


@hookspec(firstresult=True)
def gatekeeper_decide(run: "Run") -> "Verdict | None":
    """Decide over a finished run; None leaves it to the next, at last to gatekeeper's own rule.

    `run.verdict` is gatekeeper's own decision. Whatever is returned, the original stays in the record beside it and the
    exit code is derived from the decision. An exception leaves gatekeeper's own verdict, or block where that was
    proceed.
    """


@hookspec
def gatekeeper_reports() -> "Iterable[Report]":  # type: ignore[empty-body]
    """Contribute report formats, for `--format NAME[=PATH]` and `gatekeeper report NAME RUN`."""


@hookspec
def gatekeeper_channels() -> "Iterable[ChannelType]":  # type: ignore[empty-body]
    """Contribute kinds of alert channels, for `type = "<name>"` in `[[alerts.channels]]`."""


@hookspec
def gatekeeper_commands(cli: "click.Group") -> None:
    """Add commands to the command line: `cli.add_command(…)`. A name that exists is a usage error."""
