"""The fixture `gatekeeper`: a test runs a flow between its gates, and asserts on what they say."""

import inspect
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Unpack
from uuid import uuid4

import pytest
from msgspec import structs

from gatekeeper.errors import GatekeeperError, UsageError, nearest
from gatekeeper.flows import Blocked, FlowRun, flow, wrap
from gatekeeper.model import Result, Run, Verdict
from gatekeeper.plain import printable
from gatekeeper.pytest_plugin import told
from gatekeeper.pytest_plugin.flows.wishes import Wishes, merged, options, problems
from gatekeeper.pytest_plugin.projects import project_of
from gatekeeper.wording import reason_line

NEVER_RUN = (
    "@pytest.mark.gatekeeper: the test has the fixture `gatekeeper` and never called gatekeeper.run(…), so that "
    "nothing was judged. Without the fixture, the test itself is the flow"
)

ASYNC_METHODS = ("kickoff_async", "ainvoke", *wrap.METHODS)

Raised = type[BaseException] | tuple[type[BaseException], ...]


class Decided(str):
    """A decision that knows why: what a failed assertion about it shows."""

    __slots__ = ("result",)

    result: "FlowResult"


class FlowResult:
    """What came of a flow and its gates. True where they let it through.

    `run` is the record, `verdict` its verdict; `outputs` what the flow returned, None where it did not start; `error`
    the exception that it was expected to raise.
    """

    def __init__(self, flow: FlowRun, run: Run, error: BaseException | None = None) -> None:
        decision = Decided(run.verdict.decision)
        decision.result = self
        self.verdict: Verdict = structs.replace(run.verdict, decision=decision)
        self.run = run
        self.name = flow.name
        self.outputs: Any = flow.outputs
        self.error = error

    @property
    def ok(self) -> bool:
        """Whether the decision is `proceed`."""
        return self.verdict.decision == "proceed"

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, gate: str) -> Result:
        """A gate's result, by its id, or by its name where one phase has it.

        Raises:
            LookupError: it did not take part.
        """
        found = [r for r in self.run.results if gate in (r.id, r.id.partition(".")[2])]
        if len(found) == 1:
            return found[0]
        known = [result.id for result in self.run.results]
        if found:
            raise LookupError(f"{gate!r} is of both phases: {' and '.join(result.id for result in found)}")
        raise LookupError(
            f"no result of {gate!r}.{nearest(gate, known)} These took part: {', '.join(known) or 'none'}"
        )

    def __repr__(self) -> str:
        why = "" if self.ok else "; ".join(reason_line(reason) for reason in self.verdict.reasons)
        return f"<flow {self.name!r}: {self.verdict.decision}{why and ': '}{why}>"


class FlowTests:
    """Runs flows between their gates, for one test: the fixture `gatekeeper`.

    Nothing is recorded, and no history is read, unless it is asked for. `results` are those of this test so far.
    """

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self.results: list[FlowResult] = []
        self.is_refused = False
        """Whether it is gatekeeper that failed the test, and no assertion of its own."""

    def run(
        self,
        flow_object: object,
        inputs: Any = None,
        *,
        name: str | None = None,
        raises: Raised = (),
        history: bool = False,
        **wishes: Unpack[Wishes],
    ) -> FlowResult:
        """Run a flow between its gates. Where they don't let it through, that is what the result says.

        Args:
            flow_object: a function, or an object that has `kickoff`, `invoke` or `run`, as for `gatekeeper.gate`.
            inputs: what it is called with; of a mapping, a function gets the items by keyword.
            name: the flow's name; by default that of the function, or of the object's class.
            raises: exceptions that the flow is expected to raise; what it raised is `result.error`.
            history: whether the project's history is read, and the run recorded there.
            wishes: `budget`, `pre`, `post`, `config`, `profile`, `settings`; those of the marker come second.

        Raises:
            UsageError: whatever is wrong with what was asked or configured.
            Exception: what the flow raises and was not expected; its post gates have run.
        """
        __tracebackhide__ = True
        inner = _inner(flow_object)
        if inspect.iscoroutinefunction(inner):
            raise UsageError(f"{wrap.name_of(inner)} is asynchronous: await gatekeeper.run_async(…)")
        call = wrap.starter(inner)
        run = self._flow(name or wrap.name_of(inner), inputs, wishes, history=history)
        try:
            with run:
                run.outputs = wrap.refuse_lazy(call(inputs), inner)
        except BaseException as raised:
            if not self._is_settled(run, raised, raises):
                raise
        else:
            self._refuse_silence(run, raises)
        return self.results[-1]

    async def run_async(
        self,
        flow_object: object,
        inputs: Any = None,
        *,
        name: str | None = None,
        raises: Raised = (),
        history: bool = False,
        **wishes: Unpack[Wishes],
    ) -> FlowResult:
        """`run` for a flow that is awaited, on asyncio: `await gatekeeper.run_async(flow, inputs=…)`.

        Of an object, `kickoff_async` or `ainvoke` come before the methods that `run` knows.
        """
        __tracebackhide__ = True
        inner = _inner(flow_object)
        call = wrap.starter(inner, ASYNC_METHODS, awaited=True)
        run = self._flow(name or wrap.name_of(inner), inputs, wishes, history=history)
        try:
            async with run:
                answer = call(inputs)
                run.outputs = await answer if inspect.isawaitable(answer) else answer
        except BaseException as raised:
            if not self._is_settled(run, raised, raises):
                raise
        else:
            self._refuse_silence(run, raises)
        return self.results[-1]

    def __repr__(self) -> str:
        return "<gatekeeper's flow tests>"

    @contextmanager
    def around(self) -> Iterator[None]:
        """The test itself as the flow. What it raises goes on; where the gates don't let it through, it fails."""
        run = self._flow(getattr(self._node, "originalname", None) or self._node.name, None, {})
        problem = ""
        try:
            with run:
                yield
        except BaseException as raised:
            if (
                isinstance(raised, GatekeeperError) and _record(run) is None
            ):  # not even the pre gates could be run
                problem = f"gatekeeper: {printable(str(raised), newlines=True)}"
            elif not self._is_settled(run, raised):
                raise
        else:
            self._is_settled(run)
        if not problem and not self.results[-1]:
            problem = "\n".join(told.refusal(self.results[-1].run))
        if problem:
            self._refuse(problem)

    def refuse_unused(self) -> None:
        """Fail a marked test that never ran a flow: evidence, or it did not happen."""
        if not self.results:
            self._refuse(NEVER_RUN)

    def _refuse(self, problem: str) -> NoReturn:
        self.is_refused = True
        pytest.fail(problem, pytrace=False)

    def _flow(self, name: str, inputs: Any, given: Wishes, *, history: bool = False) -> FlowRun:
        __tracebackhide__ = True
        if wrong := [*problems(given)]:
            raise UsageError(*(f"gatekeeper.run: {problem}" for problem in wrong))
        marked = [marker.kwargs for marker in self._node.iter_markers("gatekeeper")]
        config = self._node.config
        wishes = merged([given, *marked, _asked(config)])
        chosen = options(wishes, project_of(self._node.path, config), config.rootpath)
        if not history:
            nowhere = Path(tempfile.gettempdir(), f"gatekeeper-{uuid4().hex}", "history.db")
            chosen["settings"] = {**chosen["settings"], "store.url": str(nowhere)}
        chosen["subject"], chosen["history"] = name.replace("@", " at "), history
        return flow(name, inputs=inputs, **chosen)

    def _is_settled(self, run: FlowRun, raised: BaseException | None = None, expected: Raised = ()) -> bool:
        """Keep the result. Whether `raised` need not go on: the gates' own refusal, or what was expected.

        Raises:
            GatekeeperError: not even the pre gates could be run; without the places in gatekeeper that it went through.
        """
        __tracebackhide__ = True
        record = _record(run)
        if record is None:
            if isinstance(raised, GatekeeperError):
                problems = raised.problems if isinstance(raised, UsageError) else raised.args
                raise type(raised)(*problems) from None
            return False
        refused = isinstance(raised, Blocked) and raised.run is record  # not of a flow within this one
        as_expected = not refused and isinstance(raised, expected)
        self.results.append(FlowResult(run, record, raised if as_expected else None))
        return refused or as_expected

    def _refuse_silence(self, run: FlowRun, expected: Raised) -> None:
        """The flow came to its end, without an exception."""
        __tracebackhide__ = True
        self._is_settled(run)
        if expected:
            pytest.fail(f"the flow {run.name} did not raise {expected}", pytrace=False)


def _asked(config: pytest.Config) -> Wishes:
    """What the command line asks for of all flows."""
    path, profile = config.getoption("gatekeeper_config"), config.getoption("gatekeeper_profile")
    result = Wishes()
    if path:
        result["config"] = config.invocation_params.dir / path
    if profile:
        result["profile"] = profile
    return result


def _record(run: FlowRun) -> Run | None:
    """The record of a flow; None where not even its pre gates ran."""
    try:
        return run.run
    except GatekeeperError:
        return None


def _inner(flow_object: object) -> object:
    """The function itself, where `@gatekeeper.gated` decorates it: here a test says how it is gated."""
    while getattr(getattr(flow_object, "__code__", None), "co_filename", None) == wrap.__file__:
        flow_object = flow_object.__wrapped__  # type: ignore[attr-defined]  # functools.wraps has set it
    return flow_object
