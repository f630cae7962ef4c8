"""What alerts cost: `python benchmarks/alerts.py [--alerts 10000]`.

All that fires goes through all stages to three channels. The peer is Prometheus' Alertmanager, which gets the same
alerts over its API v2 in ten requests and groups them. It is a server with threads of its own, so CPU time is what is
compared: all of the stages', and all that Alertmanager takes from the first request until it is at rest.
"""

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace
from pairing import Against, Candidate, Comparison, Figure, Sample, parser, publish, take_turns

from gatekeeper.alerts.judging.fingerprint import event_id, fingerprint
from gatekeeper.alerts.stages import Planned, Recipient, Situation, plan
from gatekeeper.channels import Alert, AlertEvent
from gatekeeper.quantities import Duration
from gatekeeper.settings.alerting import AlertSettings, EscalationStep, Inhibition
from gatekeeper.store.standing import Quiet, Standing

PROGRAM = "prometheus-alertmanager"
NOW = 1_790_000_000.0
SINCE = "2026-09-21T14:13:20.000Z"
GATES, TEAMS, REQUESTS = 100, 10, 10
GOAL_S = 1.0

OURS = "gatekeeper"
EVERYTHING = "gatekeeper, escalating all"
MANY = "gatekeeper, a group each"
AGAIN = "gatekeeper, nothing new"


# -- the alerts ------------------------------------------------------------------------------------------------


def standings(number: int) -> list[Standing]:
    """Alerts that have just begun to fire."""
    return [_standing(each) for each in range(number)]


def _standing(number: int) -> Standing:
    gate, finding, labels = (
        f"pre.gate_{number % GATES}",
        f"finding_{number}",
        {"team": f"team_{number % TEAMS}"},
    )
    alert = Alert(
        fingerprint=fingerprint(gate, finding, "shop", "", labels),
        gate=gate,
        finding=finding,
        subject="shop",
        labels=labels,
        severity="high",
        since=SINCE,
        run="20260921-141320-00000000",
        value=0.31,
        operator="<=",
        limit=0.2,
        unit="s",
        summary=f"{gate}: {finding} is 310 ms, more than 200 ms",
    )
    event = AlertEvent(
        id=event_id(alert, "firing", run=alert.run), kind="firing", time=SINCE, run=alert.run, alert=alert
    )
    return Standing(alert=alert, began=NOW, fired=NOW, changed=NOW, last=event)


def situation(firing: Sequence[Standing], *group_by: str, later: float = 0.0) -> Situation:
    """Three channels, a silence, two windows, inhibition by needs and by rule, escalation."""
    return Situation(
        subject="shop",
        standings=firing,
        quiets=[
            Quiet(id="s", gate="pre.gate_7", starts=NOW, ends=NOW + 3_600),
            Quiet(id="w", gate="pre.gate_8", starts=0, ends=3_600, repeat="FREQ=HOURLY"),
            Quiet(id="v", subject="blog", starts=0, ends=3_600, repeat="FREQ=WEEKLY", timezone="Europe/Warsaw"),
        ],
        recipients=[
            Recipient(name="ops"),
            Recipient(name="db", min_severity="high", match={"team": "team_1"}),
            Recipient(name="alertmanager", resends=True),
        ],
        settings=AlertSettings(
            group_by=group_by,
            escalation=(EscalationStep(after=Duration(600), severity="critical"),),
            inhibit=(Inhibition(while_="pre.gate_1", quiet="pre.gate_2"),),
        ),
        parents={"pre.gate_3": ["pre.gate_4"], "pre.gate_4": ["pre.gate_5"]},
        now=NOW + later,
        run="20260921-141320-00000000",
    )  # fmt: skip


def after(before: Situation) -> Situation:
    """The next evaluation, a minute later."""
    planned = plan(before)
    return replace(before, told=planned.told, now=before.now + 60)


def staged(given: Situation, expected: Callable[[Planned], bool]) -> Callable[[], Sample]:
    """All stages; what they planned is looked at."""

    def run() -> Sample:
        began = time.process_time()
        planned = plan(given)
        took = time.process_time() - began
        if not expected(planned):
            raise AssertionError(f"not planned as expected: {len(planned.notifications)} notifications")
        return Sample(took, took)

    return run


# -- Alertmanager ----------------------------------------------------------------------------------------------

CONFIGURATION = """
route: {receiver: nobody, group_by: [subject], group_wait: 100ms, group_interval: 1h, repeat_interval: 4h}
receivers: [{name: nobody}]
"""


@contextmanager
def alertmanager(folder: Path) -> Iterator[tuple[int, str]]:
    """A server with nothing in it: its process id and the address of its API."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration, api = folder / "am.yml", f"http://127.0.0.1:{port}/api/v2"
    configuration.write_text(CONFIGURATION)
    server = subprocess.Popen(
        [
            PROGRAM, f"--config.file={configuration}", f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until_ready(f"{api}/status")
        yield server.pid, api
    finally:
        server.terminate()
        server.wait(10)


def _until_ready(address: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"{PROGRAM} does not answer")


def received(firing: Sequence[Standing], folder: Path) -> Callable[[], Sample]:
    """What Alertmanager takes to receive and group alerts that it has not seen."""
    size = -(-len(firing) // REQUESTS)
    parts = [firing[start : start + size] for start in range(0, len(firing), size)]
    bodies = [json.dumps([_posted(standing.alert) for standing in part]).encode() for part in parts]

    def run() -> Sample:
        with (
            tempfile.TemporaryDirectory(dir=folder) as temporary,
            alertmanager(Path(temporary)) as (pid, api),
        ):
            before = _at_rest(pid)
            for body in bodies:
                request = urllib.request.Request(
                    f"{api}/alerts", data=body, headers={"Content-Type": "application/json"}
                )
                urllib.request.urlopen(request, timeout=30).close()
            took = _at_rest(pid) - before
            with urllib.request.urlopen(f"{api}/alerts/groups", timeout=30) as answer:
                grouped = sum(len(group["alerts"]) for group in json.load(answer))
        if grouped != len(firing):
            raise AssertionError(f"Alertmanager has {grouped} of {len(firing)} alerts")
        return Sample(took, took)

    return run


def _posted(alert: Alert) -> dict[str, object]:
    labels = {
        "alertname": alert.gate, "finding": alert.finding, "subject": alert.subject, "severity": alert.severity,
        "fingerprint": alert.fingerprint,
    }  # fmt: skip
    return {"labels": {**labels, **alert.labels}, "annotations": {"summary": alert.summary}}


def _at_rest(pid: int) -> float:
    """Seconds of CPU that a process has used, once it uses hardly any more."""
    used = _cpu(pid)
    while True:
        time.sleep(0.5)
        now = _cpu(pid)
        if now - used < 0.005:
            return now
        used = now


def _cpu(pid: int) -> float:
    """Seconds on a CPU, of all threads, to the nanosecond: the kernel's Documentation/scheduler/sched-stats.rst."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in files) / 1e9


# -- the benchmark ---------------------------------------------------------------------------------------------


def stages(number: int, rounds: int, folder: Path) -> Comparison:
    """All stages, in four situations, against Alertmanager."""
    firing = standings(number)
    first = situation(firing, "subject")
    candidates = {
        OURS: staged(first, lambda planned: len(planned.notifications) == 3),
        AGAIN: staged(after(first), lambda planned: len(planned.notifications) == 1),
        EVERYTHING: staged(
            situation(firing, "subject", later=600), lambda planned: len(planned.events) > number // 2
        ),
        MANY: staged(situation(firing, "finding"), lambda planned: len(planned.notifications) > 3),
    }
    notes = []
    peer = shutil.which(PROGRAM)
    if peer is None:
        notes.append(f"Without Alertmanager, which is not installed: apt-get install {PROGRAM}.")
    else:
        candidates["Alertmanager"] = received(firing, folder)
    taken = take_turns([Candidate(name, run) for name, run in candidates.items()], rounds)
    figures = [
        Figure(name, [sample.wall for sample in taken[name]], "s of CPU", f"< {GOAL_S:g} s")
        for name in (OURS, AGAIN, EVERYTHING, MANY)
    ]
    ratios = [Against(name, "Alertmanager") for name in (OURS, EVERYTHING, MANY) if peer is not None]
    title = f"CPU time of {number:,} alerts through all stages"
    return Comparison(title, taken, ratios, figures, [*notes, "All times here are CPU time."])


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__, rounds=15)
    options.add_argument("--alerts", type=int, default=10_000, help="How many alerts fire.")
    asked = options.parse_args(arguments)
    if asked.quick:
        asked.rounds, asked.alerts = 1, 500
    with tempfile.TemporaryDirectory() as temporary:
        found = stages(asked.alerts, asked.rounds, Path(temporary))
    publish(asked, [found])


if __name__ == "__main__":
    main()
