"""Alerts in a project's store, and a channel that does what a project's configuration tells it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gatekeeper.alerts.judging.fingerprint import fingerprint
from gatekeeper.channels import Alert, AlertEvent, Notification
from gatekeeper.plain import strict_json
from gatekeeper.store.standing import Delivery, Standing
from gatekeeper.testing import Project
from runs import store_in

BASE = "subject = { name = 'checkout' }\n"

SCRIPTED = """
    import json
    import time

    from msgspec import Struct

    from gatekeeper import pre
    from gatekeeper.channels import ChannelType, Delivered, Refused, TryAgain


    class Scripted(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        answer: str = "delivered"


    class Channel:
        def __init__(self, settings, context):
            self.answer, self.context = settings.answer, context

        def send(self, notification):
            with (self.context.root / f"{self.context.name}.jsonl").open("a") as file:
                file.write(json.dumps([notification.test, [e.alert.gate for e in notification.events]]) + "\\n")
            if self.answer == "hang":
                time.sleep(20)
            if self.answer == "raise":
                raise OSError("broken \\x1b[31m wire")
            answers = {
                "delivered": Delivered("ref-1"), "later": TryAgain("503 Service Unavailable"),
                "refused": Refused("no such room"), "gone": Refused("410 Gone", disable=True),
            }
            return answers[self.answer]


    def gatekeeper_channels():
        return [ChannelType(name="scripted", summary="", settings=Scripted, open=Channel, min_severity="medium")]


    @pre
    def lag(ctx):
        '''The replica is close behind.'''
        ctx.measure("lag", float((ctx.root / "lag.txt").read_text()), unit="s", warn=2, fail=5)


    @pre
    def disk(ctx):
        '''There is room.'''
        ctx.check(True)
"""
"""A gate file with a type of channel and two gates."""


def channels(*given: str) -> str:
    """Tables of scripted channels: `name=answer`."""
    tables = []
    for each in given:
        name, _, answer = each.partition("=")
        tables.append(
            f'[[alerts.channels]]\ntype = "scripted"\nname = "{name}"\nanswer = "{answer or "delivered"}"\n'
        )
    return "\n".join(tables)


def standing(
    gate: str = "pre.lag", finding: str = "", *, subject: str = "checkout", ago: float = 600, **fields: Any
) -> Standing:
    """An alert that began `ago` seconds ago and fires, unless it is told otherwise (fields of Alert and Standing)."""
    now = time.time()
    began = now - ago
    of_standing = {name: fields.pop(name) for name in [*fields] if name in Standing.__struct_fields__}
    alert = Alert(
        **{
            "fingerprint": fingerprint(gate, finding, subject, "", {}),
            "gate": gate,
            "finding": finding,
            "subject": subject,
            "severity": "high",
            "since": stamp(began),
            "run": "20261121-000001-00000001",
            **fields,
        }
    )
    made = Standing(
        alert=alert, began=began, fired=began if alert.state != "pending" else None, changed=began
    )
    return replace(made, **of_standing)


def stamp(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def event(of: Standing, number: int = 1, kind: str = "firing", **fields: Any) -> AlertEvent:
    """What happened to an alert."""
    identity = f"{number:02x}{of.alert.fingerprint[:30]}"
    return AlertEvent(
        id=identity, kind=kind, time=stamp(of.began + number), run=of.alert.run, alert=of.alert, **fields
    )  # type: ignore[arg-type]


def keep(root: Path, *standings: Standing, events: tuple[AlertEvent, ...] = ()) -> None:
    """Put alerts, and events in their order, into a project's store."""
    with store_in(root) as store, store.changing():
        store.put_standings(standings)
        for each in events:
            store.add_events([each], time.time())


def deliver(root: Path, channel: str, *events: AlertEvent, **fields: Any) -> None:
    """Put a notification of these events into the outbox, in the state that `fields` say."""
    now = time.time()
    identity = f"{channel}-{events[0].id}"
    notification = Notification(
        id=identity, channel=channel, subject="checkout", created=stamp(now), events=events, firing=1
    )
    delivery = Delivery(
        id=identity,
        channel=channel,
        group="{}",
        created=now,
        document=strict_json(notification),
        due=now,
        **fields,
    )
    with store_in(root) as store, store.changing():
        store.queue([delivery])


def completed(project: Project, words: str) -> set[str]:
    """What bash is offered for the last word."""
    given = words.split(" ")
    environment = os.environ | {
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(given) - 1),
        "_GATEKEEPER_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper"],
        env=environment,
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return {line.partition(",")[2] for line in done.stdout.splitlines() if "," in line}
