"""The program: load the project, plan, carry out, decide, record, report. Each step is a function of the one before."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct, field, structs

from gatekeeper.decide import Policy, count, decide
from gatekeeper.errors import UsageError, nearest
from gatekeeper.execute.run import Executed, Isolation, Observer, execute
from gatekeeper.execute.schedule import Options
from gatekeeper.model import PHASES, Header, Phase, Result, Run, RunPhase, Subject, Verdict
from gatekeeper.paths import expanded
from gatekeeper.plan import Plan, make_plan, phases_of
from gatekeeper.plugins import Plugins
from gatekeeper.project import Project, ProjectRequest
from gatekeeper.record import environment, new_run_id, stamp, subject_of, utc_now, with_since
from gatekeeper.redact import redact, secrets_in
from gatekeeper.remembering import last_failed, saved_before, since
from gatekeeper.rundata import RunData, Saved
from gatekeeper.select import Selection
from gatekeeper.settings import Settings, digest
from gatekeeper.store.address import passwords


class RunRequest(Struct, frozen=True, kw_only=True):
    """What was asked for: `gatekeeper run …`, as data."""

    project: ProjectRequest
    phase: RunPhase
    phases: tuple[Phase, ...] = PHASES
    """Of a run around a flow (`exec`), only the gates of these."""
    selection: Selection = Selection()
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    samples: tuple[tuple[str, str], ...] = ()
    subject: str | None = None
    pre: str | None = None
    save: str | None = None
    stop_first: bool = False
    remember: bool = True


class Prepared(Struct, frozen=True, kw_only=True):
    """Everything that a run needs, before anything runs."""

    request: RunRequest
    plan: Plan
    data: RunData
    options: Options
    header: Header
    subject: Subject
    policy: Policy
    secrets: tuple[bytes, ...] = ()
    notes: tuple[str, ...] = ()
    began: float = 0.0


class Finished(Struct, frozen=True):
    """A finished run: its record, and what its pre phase saved."""

    run: Run
    saved: Saved | None = None


# -- before ------------------------------------------------------------------------------------------------------------


def prepare(project: Project, request: RunRequest) -> Prepared:
    """Fix the plan and gather the run's data.

    Raises:
        UsageError: whatever is wrong with what was asked or configured; nothing has run.
    """
    began = monotonic()
    settings, now = project.settings, utc_now()
    resolved = project.resolved(phases_of(request.phase))
    subject = subject_of(
        request.subject, settings.subject_name, settings.subject.artifact, settings.root, project.cwd
    )
    store = project.store_url  # a store that can't be is said now, not after the run
    failed, notes = last_failed(project, subject) if request.selection.last_failed else ([], [])
    selection = structs.replace(request.selection, last_failed=bool(failed))
    plan = make_plan(
        request.phase, project.gates, resolved, settings, project.plugins,
        phases=request.phases, selection=selection, failed=failed, cwd=project.cwd,
    )  # fmt: skip
    before, more = _before(project, subject, request)
    policy, said = project.policy_used(resolved)
    run = new_run_id(now)
    data = RunData(
        root=str(settings.root),
        phase=request.phase,
        run=run,
        subject=subject,
        inputs=_given(settings.inputs, request.inputs, settings.root, project.cwd),
        outputs=_given(settings.outputs, request.outputs, settings.root, project.cwd),
        samples=_samples(project, request),
        before=before,
        store=store,
        started=began,
        trusted=project.trusted,
    )
    header = Header(
        id=run,
        phase=request.phase,
        started=stamp(now),
        partial=plan.partial,
        settings_digest=digest(settings, resolved),
        profile=settings.profile,
        config=settings.config_name,
        pre_run=before.run if before else None,
        policy=policy,
    )
    deadline = settings.run.deadline
    return Prepared(
        request=request,
        plan=plan,
        data=data,
        options=Options(
            jobs=settings.run.jobs or default_jobs(),
            deadline=float(deadline) if deadline is not None else None,
            stop_first=request.stop_first,
            output_total=int(settings.run.output_total),
        ),
        header=header,
        subject=subject,
        policy=Policy(settings.run.max_warnings, tuple(_frozen(settings, now))),
        secrets=secrets_in([*(item.values for item in resolved.values()), passwords(store)]),
        notes=(*notes, *more, *plan.notes, *said),
        began=began,
    )


def default_jobs() -> int:
    """How many gates run side by side: sized for gates that wait on I/O, not for ones that compute."""
    import os

    return min(32, 4 + 2 * (os.cpu_count() or 1))


def _frozen(settings: Settings, now: Any) -> list[str]:
    return [
        f"{freeze.reason or 'no reason given'} (until {stamp(freeze.until)})"
        for freeze in settings.freeze
        if freeze.covers(now)
    ]


def _given(configured: Mapping[str, str], asked: Mapping[str, str], root: Path, cwd: Path) -> dict[str, str]:
    """Inputs or outputs by name: JSON text as it is, a file as `@` and its absolute path."""
    located = {name: _value_or_file(value, root) for name, value in configured.items()}
    return located | {name: _value_or_file(value, cwd) for name, value in asked.items()}


def _value_or_file(value: str, base: Path) -> str:
    path = base / expanded(value)
    if not value.startswith(("{", "[", '"')) and (_exists(path) or not _is_json(value)):
        return f"@{path}"
    return value


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a value too long for a name
        return False


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return value.startswith(("{", "[", '"'))
    return True


def _samples(project: Project, request: RunRequest) -> tuple[tuple[str, str], ...]:
    root = project.settings.root
    found = [(sample.source, str(root / sample.path), "[[samples]]") for sample in project.settings.samples]
    found += [
        (source, str(project.cwd / path), f"--samples {source}:{path}") for source, path in request.samples
    ]
    if not found:
        return ()
    known = project.plugins.sources()
    problems = [
        f"{place}: unknown source {source!r}.{nearest(source, [*known]) or f' Known: {chr(44).join(sorted(known))}.'}"
        for source, _, place in found
        if source not in known
    ]
    if problems:
        raise UsageError(*problems)
    return tuple((source, path) for source, path, _ in found)


def _before(project: Project, subject: Subject, request: RunRequest) -> tuple[Saved | None, list[str]]:
    if request.phase in ("pre", "exec") or (request.pre is None and not request.remember):
        return None, []
    return saved_before(project, subject, request.pre)


# -- the run -----------------------------------------------------------------------------------------------------------


def carry_out(
    project: Project, prepared: Prepared, observer: Observer, isolation: Isolation | None = None
) -> Finished:
    """Run the plan and decide.

    Raises:
        GatekeeperError: the runner itself broke.
    """
    return conclude(project, prepared, run_plan(project, prepared, observer, isolation))


def run_plan(
    project: Project, prepared: Prepared, observer: Observer, isolation: Isolation | None = None
) -> Executed:
    """Run the plan: one result for each of its gates.

    Raises:
        GatekeeperError: the runner itself broke.
    """
    return execute(
        prepared.plan,
        prepared.data,
        project.plugins,
        prepared.options,
        observer,
        isolation=isolation or project.settings.run.isolation,
        project=msgspec.json.encode((prepared.request, prepared.data)),
        clean=partial(redact, secrets=prepared.secrets) if prepared.secrets else None,
    )


def load_for_worker(line: bytes) -> tuple[Plan, RunData, Plugins]:
    """What a spawned worker needs, from the data that it was sent: every gate that may be asked for."""
    request, data = msgspec.json.decode(line, type=tuple[RunRequest, RunData])
    project = Project(request.project)
    resolved = project.resolved(phases_of(request.phase))
    plan = make_plan(
        request.phase, project.gates, resolved, project.settings, project.plugins, phases=request.phases
    )
    return plan, data, project.plugins


def conclude(project: Project, prepared: Prepared, executed: Executed) -> Finished:
    """Decide over the results, and make their record."""
    import gatekeeper

    gathered = executed.gathered
    lasting, problems = (
        since(project, prepared.subject, executed.results) if prepared.request.remember else ({}, [])
    )
    results = with_since(executed.results, lasting)
    own = decide(results, prepared.plan.ids, prepared.policy, interrupted=executed.interrupted)
    failed = [
        f"the state before could not be recorded for {g}: {why}" for g, why in gathered.saved_failed.items()
    ]
    run = Run(
        header=structs.replace(
            prepared.header,
            duration_s=round(monotonic() - prepared.began, 6),
            complete=not executed.interrupted,
        ),
        subject=prepared.subject,
        verdict=own,
        counts=count(results),
        results=results,
        environment=environment(gatekeeper.__version__, project.plugins.origins),
        notes=(*prepared.notes, *problems, *failed),
    )
    if not executed.interrupted:
        run = structs.replace(run, verdict=_decided(project.plugins, run))
    saved = None
    if prepared.request.phase == "pre" or (gathered.saved and prepared.request.phase == "all"):
        saved = Saved(run.id, run.header.started, run.subject, gathered.saved, gathered.saved_failed)
    return Finished(run, saved)


def _decided(plugins: Plugins, run: Run) -> Verdict:
    """The verdict of the first plugin that has one, gatekeeper's own beside it; else gatekeeper's own."""
    hook = plugins.hook.gatekeeper_decide
    if not hook.get_hookimpls():
        return run.verdict
    from gatekeeper.decide import overruled

    try:
        found = hook(run=run)
    except Exception as error:
        return overruled(run.verdict, error)
    return run.verdict if found is None else overruled(run.verdict, found)


# -- after -------------------------------------------------------------------------------------------------------------


def notify(plugins: Plugins, result: Result, complain: Callable[[str], None]) -> None:
    """Tell plugins of a result; one that raises is complained about, and changes nothing."""
    for implementation in plugins.hook.gatekeeper_result.get_hookimpls():
        try:
            implementation.function(**({"result": result} if "result" in implementation.argnames else {}))
        except Exception as error:
            complain(
                f"plugin {implementation.plugin_name}: gatekeeper_result raised {type(error).__name__}: {error}"
            )
