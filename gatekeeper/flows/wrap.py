"""Gates around functions, and around objects that are flows."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, Unpack

from gatekeeper.errors import UsageError
from gatekeeper.flows.options import Options, checked
from gatekeeper.flows.recorder import CURRENT
from gatekeeper.flows.run import FlowRun, flow

P = ParamSpec("P")
T = TypeVar("T")
Function = Callable[..., Any]

METHODS = ("kickoff", "invoke", "run")
"""What starts a flow object, in this order: of CrewAI's flows and crews, of LangGraph's graphs, of others."""


def gated(name: str, /, **options: Unpack[Options]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Gates around each call of a function: `@gatekeeper.gated("writing")`.

    For functions, methods, `async def`, generators and asynchronous ones; their signature stays. Gates see the
    arguments by name as inputs (without `self`), and what it returns as outputs: a mapping with text keys is several,
    anything else is `result`; of a generator it is the number of `items`. Inside, `gatekeeper.current()` is the run.

    Raises:
        Blocked, GatekeeperError: at each call, as `flow` does. The function's outputs are the exception's.
        UsageError: now, for what can't be gated.
    """
    if not isinstance(name, str):
        raise UsageError('a gated function needs the name of its flow: @gatekeeper.gated("writing")')
    checked(options)

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        return _Gated(name, function, options).wrapper()

    return decorate


def gate(
    flow_object: object, inputs: Any = None, *, name: str | None = None, **options: Unpack[Options]
) -> FlowRun:
    """Run a flow object between its gates.

    Its `kickoff`, `invoke` or `run` is called with `inputs`, or else the object itself: with a mapping's items as
    keyword arguments, with anything else as its only argument. Without `inputs` (None) it is called without.

    Args:
        flow_object: what to run; asynchronous ones are for `async with gatekeeper.flow(…)`.
        inputs: as for `gatekeeper.flow`.
        name: the flow's name; by default that of the function, or of the object's class.
        options: those of `gatekeeper.flows.Options`.

    Returns: the run, with `outputs`, `verdict` and `run`.

    Raises:
        Blocked, GatekeeperError: as `flow` does. The flow's outputs are the exception's.
        UsageError: nothing to call is there.
    """
    call = starter(flow_object)
    with flow(name or name_of(flow_object), inputs=inputs, **options) as run:
        run.outputs = refuse_lazy(call(inputs), flow_object)
    return run


def starter(
    flow_object: object, methods: Sequence[str] = METHODS, *, awaited: bool = False
) -> Callable[[Any], Any]:
    """What runs it, as a function of its inputs: the first of `methods` that it has, else itself.

    What it returns may be `awaited`; else it may be neither asynchronous nor a generator.

    Raises:
        UsageError: there is nothing to call, or calling it would not yet run it.
    """
    if isinstance(flow_object, type):
        raise UsageError(
            f"gate: {flow_object.__name__} is a class; give an instance: {flow_object.__name__}(…)"
        )
    for name in methods:
        method = getattr(flow_object, name, None)
        if callable(method):
            return functools.partial(_started, method if awaited else _not_lazy(method, flow_object))
    if not callable(flow_object):
        raise UsageError(
            f"gate: {type(flow_object).__name__} has no {', '.join(methods)} and can't be called"
        )
    return functools.partial(_called, flow_object if awaited else _not_lazy(flow_object, flow_object))


def _started(method: Function, inputs: Any) -> Any:
    __tracebackhide__ = True  # pytest shows the flow's own code
    return method() if inputs is None else method(inputs)


def _called(function: Function, inputs: Any) -> Any:
    __tracebackhide__ = True
    if inputs is None:
        return function()
    return function(**inputs) if isinstance(inputs, Mapping) else function(inputs)


def name_of(flow_object: object) -> str:
    inner = flow_object
    while isinstance(inner, functools.partial):
        inner = inner.func
    return str(getattr(inner, "__name__", type(inner).__name__))


_LATER = (
    "which has not run yet: run it in a block `with gatekeeper.flow(…)` or `async with gatekeeper.flow(…)`, "
    "or decorate the generator or asynchronous function itself"
)


def _not_lazy(function: Function, what: object) -> Function:
    """The function, unless what it returns surely is yet to run.

    Raises:
        UsageError: it is asynchronous, or a generator.
    """
    lazy = inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction
    if any(is_lazy(code) for is_lazy in lazy for code in (function, getattr(function, "__call__", None))):  # noqa: B004
        raise UsageError(f"gate: {name_of(what)} returns a coroutine or a generator, {_LATER}")
    return function


def refuse_lazy(result: T, what: object) -> T:
    """What has not run yet can't be judged.

    Raises:
        UsageError: it is a coroutine, or a generator.
    """
    if not (inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result)):
        return result
    if inspect.iscoroutine(result):
        result.close()
    raise UsageError(f"{name_of(what)} returned a {type(result).__name__}, {_LATER}")


class _Gated:
    """A function, and how its calls are gated."""

    def __init__(self, name: str, function: Function, options: Options) -> None:
        if isinstance(function, classmethod | staticmethod):
            kind = type(function).__name__
            raise UsageError(f"@gatekeeper.gated({name!r}) belongs below @{kind}, next to the function")
        if not callable(function) or isinstance(function, type):
            raise UsageError(f"@gatekeeper.gated({name!r}) is for functions, got {function!r}")
        self._name, self._function, self._options = name, function, options
        try:
            self._signature = inspect.signature(function)
        except ValueError as error:
            raise UsageError(f"@gatekeeper.gated({name!r}): {error}") from None
        first = next(iter(self._signature.parameters), "")
        self._self = first if first in ("self", "cls") else ""

    def wrapper(self) -> Function:
        """The function that takes its place: of the same kind, so that frameworks see what they look for."""
        function = self._function
        if inspect.isasyncgenfunction(function):
            wrapped: Function = self._async_generator()
        elif inspect.isgeneratorfunction(function):
            wrapped = self._generator()
        elif inspect.iscoroutinefunction(function):
            wrapped = self._coroutine()
        else:
            wrapped = self._plain()
        return functools.wraps(function)(wrapped)

    def _flow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> FlowRun:
        """The flow of one call.

        Raises:
            TypeError: the arguments don't fit, as Python says it.
        """
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name_of(self._function)}(): {error}") from None
        bound.apply_defaults()
        bound.arguments.pop(self._self, None)
        return flow(self._name, inputs=bound.arguments, **self._options)

    def _plain(self) -> Function:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._flow(args, kwargs) as run:
                run.outputs = refuse_lazy(self._function(*args, **kwargs), self._function)
            return run.outputs

        return call

    def _coroutine(self) -> Function:
        async def call(*args: Any, **kwargs: Any) -> Any:
            async with self._flow(args, kwargs) as run:
                run.outputs = await self._function(*args, **kwargs)
            return run.outputs

        return call

    def _generator(self) -> Function:
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with self._flow(args, kwargs) as run:
                items = _Items(run, self._function(*args, **kwargs))
                try:
                    result = yield from items
                finally:
                    run.outputs = {"items": items.number}
            return result

        return call

    def _async_generator(self) -> Function:
        async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            async with self._flow(args, kwargs) as run:
                run.hide()
                number = 0
                generator = self._function(*args, **kwargs)
                step = generator.asend(None)
                try:
                    while True:
                        token = CURRENT.set(run)
                        try:
                            item = await step
                        except StopAsyncIteration:
                            return
                        finally:
                            CURRENT.reset(token)
                        number += 1
                        try:
                            sent = yield item
                        except GeneratorExit:
                            await generator.aclose()
                            raise
                        except BaseException as error:
                            step = generator.athrow(error)
                        else:
                            step = generator.asend(sent)
                finally:
                    run.outputs = {"items": number}

        return call


class _Items:
    """A generator whose items are counted, and which is in its flow only while it works: not while it waits."""

    def __init__(self, run: FlowRun, generator: Generator[Any, Any, Any]) -> None:
        run.hide()
        self.number = 0
        self._run, self._generator = run, generator

    def __iter__(self) -> "_Items":
        return self

    def __next__(self) -> Any:
        return self._item(self._generator.send, None)

    def send(self, value: Any) -> Any:
        return self._item(self._generator.send, value)

    def throw(self, *error: Any) -> Any:
        return self._item(self._generator.throw, *error)

    def close(self) -> None:
        token = CURRENT.set(self._run)
        try:
            self._generator.close()
        finally:
            CURRENT.reset(token)

    def _item(self, step: Function, *given: Any) -> Any:
        token = CURRENT.set(self._run)
        try:
            item = step(*given)
        finally:
            CURRENT.reset(token)
        self.number += 1
        return item
