"""A real Alertmanager of Debian's package, on a free loopback port, for as long as tests need it."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest

from gatekeeper.net import ProbeError, http
from loopback import free_port

PROGRAM = "prometheus-alertmanager"
T = TypeVar("T")

CONFIGURATION = """\
global: { resolve_timeout: 5m }
route:
  receiver: hook
  group_by: [alertname, subject]
  group_wait: 10ms
  group_interval: 100ms
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - { url: "URL", send_resolved: true }
"""


class Server:
    """A running Alertmanager; it tells its own receiver of what it would tell people."""

    def __init__(self, port: int, prefix: str) -> None:
        self.url = f"http://127.0.0.1:{port}{prefix}"

    def get(self, path: str) -> Any:
        return json.loads(http(f"{self.url}/api/v2/{path}", max_bytes=50_000_000, within=10).body)

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """What fires now, of those labels."""
        query = "&".join(f"filter={quote(f'{name}={json.dumps(value)}')}" for name, value in labels.items())
        found: list[dict[str, Any]] = self.get(f"alerts?{query}")
        return found

    def groups(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("alerts/groups")
        return found

    def silence(self, **labels: str) -> str:
        """Silence alerts of those labels for an hour; the silence's id."""
        now = time.time()
        matchers = [{"name": n, "value": v, "isRegex": False} for n, v in labels.items()]
        body = {
            "matchers": matchers,
            "startsAt": _time(now - 60),
            "endsAt": _time(now + 3_600),
            "createdBy": "test",
            "comment": "test",
        }
        answer = http(
            f"{self.url}/api/v2/silences",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body),
        )
        return str(json.loads(answer.body)["silenceID"])


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def until(found: Callable[[], T], what: str, within: float = 20.0) -> T:
    """What `found` gives once that is something."""
    ends = time.monotonic() + within
    while not (result := found()):
        assert time.monotonic() < ends, f"never came about: {what}"
        time.sleep(0.05)
    return result


@contextmanager
def alertmanager(folder: Path, receiver: str, prefix: str = "") -> Iterator[Server]:
    """Start one that tells `receiver` (a URL), with its data in `folder`, below the path `prefix`."""
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.skip(f"Alertmanager is not installed: Debian package {PROGRAM}")
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "am.yml"
    configuration.write_text(CONFIGURATION.replace("URL", receiver))
    port = free_port()
    command = [
        program,
        f"--config.file={configuration}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        f"--web.route-prefix={prefix}/",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        server = Server(port, prefix)
        until(lambda: _ready(server, process, folder), "Alertmanager answers", within=60)
        yield server
    finally:
        process.kill()
        process.wait(30)


def _ready(server: Server, process: "subprocess.Popen[bytes]", folder: Path) -> bool:
    assert process.poll() is None, (folder / "log").read_text()
    try:
        return http(f"{server.url}/-/ready", within=1).status == 200
    except ProbeError:
        return False
