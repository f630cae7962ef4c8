"""What each framework's flow goes through between its gates: run by the framework's own Python, one JSON line each."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import gatekeeper


class NoTopicError(Exception):
    """What a flow raises that is asked for nothing."""


def write(topic: str) -> str:
    """The work of all these flows, with a step and a sample in it."""
    if not topic:
        raise NoTopicError("nothing to write about")
    with gatekeeper.current().step("write"):
        gatekeeper.current().record("words", len(topic.split()))
        return f"{topic}: a gate is a check that decides"


def tell(scenario: str, run: gatekeeper.Run, **more: Any) -> None:
    found = {result.id: result for result in run.results}
    seen = found["post.seen"].findings
    decision = run.verdict.decision
    evidence = seen[0].evidence if seen else {}
    print(json.dumps({"scenario": scenario, "decision": decision, "seen": evidence, **more}), flush=True)


def play(
    make: Callable[[], object], once: Callable[[Any, dict[str, str]], Awaitable[Any]] | None = None
) -> None:
    """`make` gives a flow that takes a topic; `once` awaits one, where it can be awaited."""
    good = gatekeeper.gate(make(), {"topic": "two gates"}, name="writing")
    tell("good", good.run)
    try:
        gatekeeper.gate(make(), {"topic": "a bad topic"}, name="writing")
    except gatekeeper.Blocked as blocked:
        tell("blocked", blocked.run, outputs=blocked.outputs)
    try:
        gatekeeper.gate(make(), {"topic": ""}, name="writing")
    except NoTopicError as error:
        tell("raised", gatekeeper.gate(lambda: None, name="after", gates="post.seen").run, error=str(error))
    if once is not None:
        asyncio.run(_awaited(make, once))


async def _awaited(make: Callable[[], object], once: Callable[[Any, dict[str, str]], Awaitable[Any]]) -> None:
    inputs = {"topic": "two gates"}
    async with gatekeeper.flow("writing", inputs=inputs) as run:
        run.outputs = await once(make(), inputs)
    tell("awaited", run.run)
