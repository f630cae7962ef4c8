"""Gates around a flow: the pre gates, then the flow, whoever runs it, then the post gates, and one record of both.

`gatekeeper exec`, `gatekeeper.flow` and `pytest --gatekeeper` differ in what runs in the middle, and in nothing else.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import structs

from gatekeeper.app import Finished, Prepared, RunRequest, conclude, prepare, run_plan
from gatekeeper.execute.run import Executed, Isolation, Observer
from gatekeeper.execute.schedule import Gathered, lost, unneeded
from gatekeeper.model import Phase, Result, Run, Verdict
from gatekeeper.project import Project
from gatekeeper.rundata import FlowData, Saved
from gatekeeper.samples import Readings


class Around:
    """One run of phase `exec`: call `before`, then `after` with what became of the flow, or `stop` if it did not start.

    `inputs` are as in `RunData`.

    Raises:
        UsageError: whatever is wrong with what was asked or configured; nothing has run.
    """

    def __init__(
        self, project: Project, request: RunRequest, inputs: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.project = project
        prepared = prepare(project, structs.replace(request, phase="exec"))
        data = structs.replace(prepared.data, inputs={**prepared.data.inputs, **inputs})
        self.prepared: Prepared = structs.replace(prepared, data=data)
        self._early = Executed((), Gathered())

    def before(self, observer: Observer, isolation: Isolation | None = None) -> Run:
        """Run the pre gates and take the snapshots. The verdict of this run is theirs alone: may the flow start?"""
        part = self._part("pre")
        self._early = run_plan(self.project, part, observer, isolation)
        return conclude(self.project, part, self._early).run

    def after(
        self,
        flow: FlowData,
        measured: Readings,
        outputs: Mapping[str, str],
        observer: Observer,
        isolation: Isolation | None = None,
    ) -> Finished:
        """Run the post gates on what the flow left, and decide over both phases. `outputs` are as in `RunData`."""
        given = self.prepared.data
        early, header = self._early.gathered, self.prepared.header
        data = structs.replace(
            given,
            flow=flow,
            measured=measured,
            outputs={**given.outputs, **outputs},
            before=Saved(header.id, header.started, given.subject, early.saved, early.saved_failed),
        )
        part = structs.replace(self._part("post", self._early.results), data=data)
        late = run_plan(self.project, part, observer, isolation)
        return self._whole(late.results, interrupted=late.interrupted)

    def stop(self, reason: str, observer: Observer, *, interrupted: bool = False) -> Finished:
        """The flow did not start: the post gates have nothing to look at, and their results say why."""
        planned = self.prepared.plan.part("post").gates
        interrupted = interrupted or self._early.interrupted
        end = lost if interrupted else unneeded
        results = tuple(end(gate, "interrupted" if interrupted else reason) for gate in planned)
        for result in results:
            observer.result(result)
        return self._whole(results, interrupted=interrupted)

    def _part(self, phase: Phase, earlier: tuple[Result, ...] = ()) -> Prepared:
        return structs.replace(self.prepared, plan=self.prepared.plan.part(phase, earlier))

    def _whole(self, late: tuple[Result, ...], *, interrupted: bool) -> Finished:
        results = {result.id: result for result in (*self._early.results, *late)}
        ordered = tuple(results[gate] for gate in self.prepared.plan.ids)
        return conclude(self.project, self.prepared, Executed(ordered, self._early.gathered, interrupted))


def may_start(verdict: Verdict) -> bool:
    """Whether the pre gates let the flow start. Where none ran, none stands against it: the post gates decide."""
    nothing = verdict.decision == "none" and all(reason.status == "empty" for reason in verdict.reasons)
    return verdict.decision == "proceed" or nothing
