"""A project's gates in a pytest session whose items they are: what there is, and the result of each."""

from collections.abc import Iterable

from msgspec import structs

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.model import Output, Result, RunPhase, Source
from gatekeeper.project import ProjectRequest
from gatekeeper.runner.client import Runner
from gatekeeper.runner.messages import Catalog, Ended, Listed, Open, Single
from gatekeeper.wording import held_against


class GateRunner(Runner):
    """The process that has a project's gates loaded, and runs them one by one."""

    def open(self, project: ProjectRequest) -> Catalog:
        """Load the project.

        Raises:
            UsageError: all that is wrong with it.
            GatekeeperError: the runner broke.
        """
        return self._ask(Open(project), Catalog)

    def run(self, single: Single) -> Result:
        """Run a gate.

        Raises:
            UsageError: what only shows when gates run, such as a secret that isn't there.
            GatekeeperError: the runner broke.
        """
        return self._ask(single, Ended).result


class ProjectGates:
    """The gates of one project. Their runner is started once, and stays for the session."""

    def __init__(self, project: ProjectRequest) -> None:
        self._request = project
        self._runner: GateRunner | None = None
        self._listed: tuple[Listed, ...] = ()
        self._problem: GatekeeperError | None = None
        self._selected: dict[str, Listed] = {}
        self._phase: RunPhase = "all"
        """Of the run that the session stands for."""
        self._results: dict[str, Result] = {}
        self._ahead: set[str] = set()
        """Gates that ran before their turn, since others need them."""
        self.asked_first = ""
        """The gate file that says what is wrong with the project."""

    def listed(self) -> tuple[Listed, ...]:
        """What the project's own files hold.

        Raises:
            UsageError: all that is wrong with the project.
            GatekeeperError: the runner broke.
        """
        if self._problem is not None:
            raise self._problem
        try:
            self._started()
        except GatekeeperError as error:
            self._problem = error
            raise
        return self._listed

    def select(self, gates: Iterable[Listed]) -> None:
        """These take part in the session: what others of them need runs first, what is not among them is not needed."""
        self._selected = {gate.id: gate for gate in gates}
        phases = {gate.phase for gate in self._selected.values()}
        self._phase = "all" if len(phases) != 1 else phases.pop()

    def result(self, gate: str) -> Result:
        """The result of a selected gate. Asked for again, it runs again."""
        if gate in self._ahead:
            self._ahead.remove(gate)
        else:
            self._run_with_needs(gate)
        return self._results[gate]

    def is_explained(self, result: Result) -> bool:
        """Whether a gate was not run because of one that stands against the session itself."""
        while result.blocked_by is not None:
            result = self._results[result.blocked_by]
        return held_against(result)

    def close(self) -> None:
        """End the runner."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _run_with_needs(self, gate: str) -> None:
        pending = [gate]
        while pending:
            needs = [need for need in self._selected[pending[-1]].needs if need in self._selected]
            if missing := [need for need in needs if need not in self._results]:
                pending.append(missing[0])
                continue
            name = pending.pop()
            self._results[name] = self._run(self._selected[name], needs)
            if name != gate:
                self._ahead.add(name)

    def _run(self, gate: Listed, needs: Iterable[str]) -> Result:
        earlier = tuple(
            structs.replace(self._results[need], findings=(), output=Output(), attempts=()) for need in needs
        )
        try:
            return self._started().run(Single(gate=gate.id, phase=self._phase, earlier=earlier))
        except UsageError as error:
            return _in_error(gate, "\n".join(error.problems))
        except GatekeeperError as error:
            self.close()
            return _in_error(gate, str(error))
        except BaseException:  # torn out of waiting, as by Ctrl-C: what it says now is not for the next gate
            self.close()
            raise

    def _started(self) -> GateRunner:
        if self._runner is None:
            runner = GateRunner()
            try:
                self._listed = runner.open(self._request).gates
            except BaseException:
                runner.close()
                raise
            self._runner = runner
        return self._runner


def _in_error(gate: Listed, reason: str) -> Result:
    """The result of a gate that could not be run."""
    return Result(
        id=gate.id,
        phase=gate.phase,
        title=gate.title,
        status="error",
        reason=reason,
        source=Source(gate.file, gate.line),
        tags=gate.tags,
    )
