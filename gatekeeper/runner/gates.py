"""Single gates for a host that says one by one what is to run: a pytest session whose items are gates.

They run as in `gatekeeper run`: with the project's settings, isolated, with their retries. Nothing is recorded.
"""

import os
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from msgspec import structs

from gatekeeper.app import Prepared, RunRequest, prepare, run_plan
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.execute.run import Observer
from gatekeeper.model import INTERNAL_ERROR, USAGE_ERROR, Gate, RunPhase
from gatekeeper.plan import Plan, PlannedGate, make_plan
from gatekeeper.plugins import PROJECT
from gatekeeper.project import Project
from gatekeeper.record import with_since
from gatekeeper.remembering import since
from gatekeeper.runner.messages import Catalog, Listed, Open, Refused, Single
from gatekeeper.runner.talk import Talk, complain

SWITCHED_OFF = "it is switched off by the configuration (enabled = false)"
NEEDS_A_FLOW = "it takes part only where gatekeeper runs the flow: gatekeeper exec, gatekeeper.flow"


def serve(opened: Open, talk: Talk) -> None:
    """Answer with the catalog, then run what is asked for until nobody asks any more.

    Raises:
        UsageError: all that is wrong with the project, as `gatekeeper config check` says it.
    """
    project = talk.project = Project(opened.project)
    talk.say(Catalog(tuple(_listed(project))))
    gates = _Gates(project, talk)
    while isinstance(order := talk.next(), Single):
        try:
            gates.run(order)
        except UsageError as error:
            talk.say(Refused(tuple(error.problems), USAGE_ERROR))
        except GatekeeperError as error:
            talk.say(Refused((str(error),), INTERNAL_ERROR))


class _Gates:
    """The project's gates, prepared once for each phase that is asked for."""

    def __init__(self, project: Project, talk: Talk) -> None:
        self._project, self._talk = project, talk
        self._prepared: dict[RunPhase, Prepared] = {}

    def run(self, order: Single) -> None:
        """Run one gate; its result goes to the host.

        Raises:
            UsageError: what only shows when gates run, such as a secret that isn't there.
        """
        prepared = self._of(order.phase)
        planned = next((planned for planned in prepared.plan.gates if planned.id == order.gate), None)
        if planned is None:
            raise UsageError(f"{order.gate}: a plugin's gatekeeper_modify_plan took it out of the plan")
        there = {result.id for result in order.earlier}
        planned = structs.replace(planned, needs=tuple(need for need in planned.needs if need in there))
        plan = Plan(phase=order.phase, gates=(planned,), earlier=order.earlier)
        executed = run_plan(self._project, structs.replace(prepared, plan=plan), Observer())
        lasting, _ = since(self._project, prepared.subject, executed.results)
        for result in with_since(executed.results, lasting):
            self._talk.result(result)

    def _of(self, phase: RunPhase) -> Prepared:
        if phase not in self._prepared:
            prepared = prepare(self._project, RunRequest(project=self._project.request, phase=phase))
            unlimited = structs.replace(prepared.options, deadline=None)  # that is of a run, not of a session
            self._prepared[phase] = structs.replace(prepared, options=unlimited)
            for note in prepared.notes:
                complain(note)
        return self._prepared[phase]


def _listed(project: Project) -> Iterator[Listed]:
    """What the project's own files hold: gates of the plan, then those that no run takes."""
    resolved = project.resolved(())
    homes = dict(_homes(project))
    plan = make_plan("all", project.gates, resolved, project.settings, project.plugins)
    for planned in plan.gates:
        if planned.gate.id in homes:
            yield _entry(planned.gate, homes, planned)
    for gate in project.gates:
        if gate.id in homes and (reason := _left_out(gate, enabled=resolved[gate.id].options.enabled)):
            yield structs.replace(_entry(gate, homes), left_out=reason)


def _left_out(gate: Gate, *, enabled: bool) -> str:
    if not enabled:
        return SWITCHED_OFF
    return NEEDS_A_FLOW if gate.flow else ""


def _entry(gate: Gate, homes: dict[str, str], planned: PlannedGate | None = None) -> Listed:
    return Listed(
        id=planned.id if planned else gate.id,
        phase=gate.phase,
        home=homes[gate.id],
        file=gate.file,
        line=gate.line,
        title=gate.title,
        tags=gate.tags,
        needs=planned.needs if planned else (),
    )


def _homes(project: Project) -> Iterator[tuple[str, str]]:
    """Which of the project's gate files (as a real path) brings a gate, by the gate's id."""
    files = {
        module: os.path.realpath(str(module.__file__))
        for _, module in project.plugins.manager.list_name_plugin()
        if isinstance(module, ModuleType) and module.__name__.startswith(PROJECT)
    }
    yield from _contributed(project, files)
    for module, file in files.items():
        yield from ((gate.id, file) for gate in vars(module).values() if isinstance(gate, Gate))
    own = {module.__file__: file for module, file in files.items()}
    for gate in project.gates:  # where it was written counts more than where it is imported too
        if gate.file in own:
            yield gate.id, own[gate.file]


def _contributed(project: Project, files: Mapping[Any, str]) -> Iterator[tuple[str, str]]:
    """Gates that hooks of the project's files make."""
    for implementation in project.plugins.hook.gatekeeper_gates.get_hookimpls():
        if isinstance(implementation.plugin, ModuleType) and implementation.plugin in files:
            given = {"settings": project.settings} if "settings" in implementation.argnames else {}
            for gate in implementation.function(**given) or ():
                yield gate.id, files[implementation.plugin]
