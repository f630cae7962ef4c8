"""One run of a flow between its gates."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Token
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack

from msgspec import structs

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.flows.blocked import Blocked, Held
from gatekeeper.flows.options import Options, absolute, checked, flags, several
from gatekeeper.flows.recorder import CURRENT, Recorder
from gatekeeper.flows.values import told
from gatekeeper.model import INTERNAL_ERROR, PHASES, Phase, Reason, Run, Verdict
from gatekeeper.plain import text
from gatekeeper.rundata import FlowData
from gatekeeper.samples import Readings, Series

if TYPE_CHECKING:
    from gatekeeper.runner.client import Runner
    from gatekeeper.runner.messages import Begin, Whole


def flow(name: str, *, inputs: Any = None, **options: Unpack[Options]) -> "FlowRun":
    """Gates around a block of code: `with gatekeeper.flow("writing") as run:`, or `async with`.

    `inputs` are what the flow starts from, by name, for gates: JSON values, or a `pathlib.Path` for a file. The flow's
    own go into `run.outputs`. `options` are those of `gatekeeper.flows.Options`.

    Entering raises:
        Blocked: the pre gates don't let it start. `Held`, unless `on_hold="proceed"`, where a person must decide.
        UsageError: whatever is wrong with what was asked or configured.
        GatekeeperError: the gates could not be run.

    Leaving raises:
        Blocked: the post gates block (unless `on_block="return"`), or hold (`Held`, unless `on_hold="proceed"`). An
            exception of the flow itself goes on unchanged instead, after its post gates.
    """
    return FlowRun(name, inputs, options)


class FlowRun(Recorder):
    """A run of a flow: made by `flow`, entered once. What it records is judged by the post gates."""

    def __init__(self, name: str, inputs: Any, options: Options) -> None:
        super().__init__()
        if not isinstance(name, str) or not name.strip():
            raise UsageError(f"a flow has a name, such as 'writing', got {name!r}")
        if "@" in name and not options.get("subject"):
            raise UsageError(f"{name!r}: the name of a subject has no @; give another as subject=")
        self.name = name
        self.outputs: Any = None
        """What the flow came to, for its gates; set it. A mapping with text keys is several outputs by name."""
        self.problems: tuple[str, ...] = ()
        """What could not be done after the verdict: reports that could not be written."""
        self._inputs, self._options = inputs, checked(options)
        self._runner: Runner | None = None
        self._run: Run | None = None
        self._recorded = False
        self._began = self._clock = 0.0
        self._token: Token[Recorder] | None = None

    @property
    def run(self) -> Run:
        """The record: of the pre gates while the flow runs, of the whole run afterwards.

        Raises:
            GatekeeperError: no gate has run yet.
        """
        if self._run is None:
            raise GatekeeperError(
                f"{self.name}: no gate has run yet: they do with `with gatekeeper.flow(…) as run:`"
            )
        return self._run

    @property
    def verdict(self) -> Verdict:
        """The verdict: of the pre gates while the flow runs, over both phases afterwards."""
        return self.run.verdict

    def __str__(self) -> str:
        return f"{self.name}: {self._run.verdict if self._run else 'no gate has run yet'}"

    def __repr__(self) -> str:
        return f"<flow {self.name!r}: {self._run.verdict.decision if self._run else 'no gate has run yet'}>"

    # -- with ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._before()
        self._start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        ended = self._ended(error)
        self._after(ended)
        self._conclude(error)

    async def __aenter__(self) -> Self:
        try:
            await self._aside(self._before)
        except BaseException:
            self._give_up()
            raise
        self._start()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        ended = self._ended(error)
        if isinstance(error, GeneratorExit):  # a coroutine that is thrown away can't wait for anything
            self._after(ended)
        else:
            await self._aside(lambda: self._after(ended))
        self._conclude(error)

    async def _aside(self, work: Callable[[], None]) -> None:
        """Do it in a thread: the loop goes on. Cancelled, the gates end, and that is waited for."""
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1, "gatekeeper") as own:  # the loop's may be full of the flow's own work
            done = asyncio.get_running_loop().run_in_executor(own, work)
            try:
                await asyncio.shield(done)
            except (asyncio.CancelledError, GeneratorExit) as error:
                if self._runner is not None:
                    self._runner.interrupt()
                if isinstance(error, asyncio.CancelledError):
                    with suppress(Exception):
                        await done
                raise

    # -- the steps ----------------------------------------------------------------------------------------------------

    def _before(self) -> None:
        """Run the pre gates; raise where they don't let it start."""
        if self._runner is not None:
            raise GatekeeperError(
                f"{self.name}: a flow runs once between its gates; make another with gatekeeper.flow(…)"
            )
        begin = self._begin()
        from gatekeeper.runner.client import Runner

        self._runner = runner = Runner()
        try:
            self._run = runner.before(begin).run
            from gatekeeper.around import may_start

            held = self._run.verdict.decision == "hold" and self._options.get("on_hold") == "proceed"
            if not (held or may_start(self._run.verdict)):
                self._take(runner.stop("the flow did not start: the gates before it did not let it"))
                self._refuse(started=False)
        except BaseException:
            runner.close()
            raise

    def _begin(self) -> "Begin":
        from gatekeeper.app import RunRequest
        from gatekeeper.project import ProjectRequest
        from gatekeeper.runner.messages import Begin
        from gatekeeper.select import Selection

        asked = self._options
        config, report_dir = asked.get("config"), asked.get("report_dir")
        phases = set(several(asked.get("phases", PHASES)))
        ordered: tuple[Phase, ...] = tuple(phase for phase in PHASES if phase in phases)
        project = ProjectRequest(
            cwd=absolute(asked.get("project", ".")),
            config=None if config is None else absolute(config),
            profile=asked.get("profile"),
            flags=flags(asked.get("settings", {})),
        )
        return Begin(
            request=RunRequest(
                project=project,
                phase="exec",
                phases=ordered,
                selection=Selection(several(asked.get("gates", ()))),
                subject=asked.get("subject") or self.name,
                remember=asked.get("history", True),
            ),
            inputs=told(self._inputs, "input"),
            formats=tuple(_located(form) for form in several(asked.get("formats", ()))),
            report_dir=None if report_dir is None else absolute(report_dir),
            host=os.getpid(),
        )

    def _give_up(self) -> None:
        """The flow does not start, whatever its gates said."""
        if self._runner is not None and self._runner.is_open:
            with suppress(GatekeeperError):
                self._take(self._runner.stop("the flow was cancelled before it started"))
            self._runner.close()

    def _start(self) -> None:
        self._token = CURRENT.set(self)
        self._began, self._clock = time.time(), time.perf_counter()

    def _ended(self, error: BaseException | None) -> FlowData:
        """How the flow ended, just now."""
        took = time.perf_counter() - self._clock
        self.hide()
        return FlowData(
            kind="python",
            name=self.name,
            began=self._began,
            duration_s=took,
            error=None if error is None else type(error).__name__,
            message="" if error is None else text(error, 2_000),
        )

    def hide(self) -> None:
        """No longer be the `current` flow here."""
        if self._token is not None:
            with suppress(ValueError):  # left in another context than entered, as generators may be
                CURRENT.reset(self._token)
            self._token = None

    def _after(self, ended: FlowData) -> None:
        """Run the post gates."""
        runner = self._runner
        assert runner is not None  # it was entered
        if not runner.is_own or sys.is_finalizing():  # a copy that the flow forked; or nothing works any more
            runner.let_go()
            return
        try:
            duration = Series(name="duration", unit="s", values=(ended.duration_s,), source="gatekeeper.flow")
            measured = self.readings(f"flow {self.name}").over(Readings((duration,)))
            self._take(runner.after(ended, measured, told(self.outputs, "result")))
        except Exception as broken:  # whatever it is, it must not take the place of the flow's own exception
            known = isinstance(broken, GatekeeperError)
            self._unjudged(str(broken) if known else f"{type(broken).__name__}: {broken}")
        finally:
            runner.close()

    def _take(self, whole: "Whole") -> None:
        self._run, self.problems = whole.run, whole.problems
        self._recorded = self._options.get("history", True)
        if self.problems:
            _warn(self.name, *self.problems)

    def _unjudged(self, problem: str) -> None:
        """Nobody judged what the flow came to: that is never a pass."""
        assert self._run is not None  # the pre gates ran
        reason = Reason(status="incomplete", text=problem)
        self._run = structs.replace(self._run, verdict=Verdict("none", (reason,), INTERNAL_ERROR))
        _warn(self.name, problem)

    def _conclude(self, error: BaseException | None) -> None:
        """Raise what the verdict asks for, unless the flow's own exception is on its way."""
        if error is not None or self._runner is None or not self._runner.is_own:
            return
        decision = self.verdict.decision
        returns = {
            "proceed": True,
            "hold": self._options.get("on_hold") == "proceed",
        }
        if not returns.get(decision, self._options.get("on_block") == "return"):
            self._refuse(started=True)

    def _refuse(self, *, started: bool) -> NoReturn:
        kind = Held if self.verdict.decision == "hold" else Blocked
        raise kind(self.name, self.run, started=started, recorded=self._recorded, outputs=self.outputs)


def _located(form: str) -> str:
    name, _, path = form.partition("=")
    return f"{name}={absolute(path)}"


def _warn(name: str, *problems: str) -> None:
    import logging

    for problem in problems:
        logging.getLogger("gatekeeper").warning("%s: %s", name, problem)
