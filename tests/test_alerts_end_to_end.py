"""Alerts as a team lives with them: a component fails, recovers, is under maintenance, and nobody acknowledges."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from channels.alertmanager_server import alertmanager, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Hook:
    """A webhook's server on a port that stays the same: it can be down, and up again."""

    def __init__(self):
        self.received = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.received.append((dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

            def do_GET(self):
                self.send_response(200 if hook.healthy else 503)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.healthy = False
        self._handler = Handler
        self._server = None
        self.port = 0
        self.up()

    def up(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def events(self):
        return [json.loads(body) for _, body in self.received]

    @property
    def kinds(self):
        return [event["type"].rpartition(".")[2] for event in self.events]

    @property
    def ids(self):
        return [headers["webhook-id"] for headers, _ in self.received]


@pytest.fixture
def hook():
    server = Hook()
    yield server
    server.down()


@pytest.fixture
def component():
    server = Hook()
    yield server
    server.down()


@pytest.fixture
def project(gatekeeper_project, hook, component):
    return gatekeeper_project.write(
        {
            "gatekeeper.toml": f"""
                subject = {{ name = "checkout" }}
                [gates.resources]
                enabled = false
                [gates.storage]
                enabled = false
                [[gates.components.http]]
                name = "backend"
                url = "http://127.0.0.1:{component.port}/health"
                within = "2s"
                [[alerts.channels]]
                type = "console"
                [[alerts.channels]]
                type = "file"
                path = "alerts.jsonl"
                [[alerts.channels]]
                type = "webhook"
                name = "ops"
                url = "http://127.0.0.1:{hook.port}/hook"
                secret = "{SECRET}"
                allow_private = true
                attempts = 1
            """
        }
    )


def told(project):
    """The events in the file channel: kind and gate."""
    path = project.root / "alerts.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(json.loads(line)["type"].rpartition(".")[2], json.loads(line)["data"]) for line in lines]


def test_a_failure_is_delivered_once_each_and_resolved_when_it_recovers(project, hook, component):
    first = project.run("pre")
    assert first.exit_code == 1
    assert "FIRING" in first.stderr
    again = project.run("pre")
    assert "FIRING" not in again.stderr
    component.healthy = True
    recovered = project.run("pre")
    assert recovered.exit_code == 0
    assert "RESOLVED" in recovered.stderr
    assert hook.kinds == ["firing", "resolved"]
    assert [kind for kind, _ in told(project)] == ["firing", "resolved"]
    assert len(set(hook.ids)) == 2
    quiet = project.run("pre")
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert hook.kinds == ["firing", "resolved"]


def test_a_webhook_that_is_down_for_a_run_loses_nothing(project, hook):
    hook.down()
    first = project.run("pre")
    assert first.exit_code == 1
    assert "ops NOT sent" in first.stderr
    assert "queued" in first.stderr
    hook.up()
    flushed = project.command("alerts", "flush")
    assert flushed.exit_code == 0, flushed.stderr
    assert hook.kinds == ["firing"]
    second = project.run("pre")
    assert "NOT sent" not in second.stderr
    assert hook.kinds == ["firing"]
    assert [kind for kind, _ in told(project)] == ["firing"]


def test_what_was_queued_goes_out_with_the_next_run_under_its_first_id(project, hook):
    hook.down()
    project.run("pre")
    listed = project.command("alerts", "list", "--format", "json").stdout
    assert "backend" in listed
    hook.up()
    deadline = time.monotonic() + 60
    while not hook.received and time.monotonic() < deadline:  # its backoff has to pass
        project.run("pre")
    assert hook.kinds == ["firing"]
    assert hook.ids[0] == hook.events[0]["id"]


def test_nothing_is_told_in_a_maintenance_window_and_all_of_it_afterwards(project, hook):
    added = project.command(
        "maintenance", "add", "move", "--from", "now", "--for", "1h", "--reason", "the database moves"
    )
    assert added.exit_code == 0, added.stderr
    during = project.run("pre")
    assert during.exit_code == 1  # the verdict stays what it is
    assert hook.received == []
    assert told(project) == []
    assert "FIRING" not in during.stderr
    assert "maintenance" in during.stderr
    assert project.command("maintenance", "end", "move").exit_code == 0
    project.run("pre")
    assert hook.kinds == ["firing"]


def test_a_silenced_gate_that_recovers_is_never_told(project, hook, component):
    silenced = project.command("silence", "pre.components", "--for", "2h", "--reason", "known, ticket 17")
    assert silenced.exit_code == 0, silenced.stderr
    project.run("pre")
    component.healthy = True
    project.run("pre")
    assert hook.received == []
    assert told(project) == []


def test_what_nobody_acknowledges_escalates_and_what_somebody_took_over_does_not(project, hook):
    path = project.root / "gatekeeper.toml"
    path.write_text(path.read_text() + '\n[[alerts.escalation]]\nafter = "1s"\nseverity = "critical"\n')
    project.run("pre")
    time.sleep(1.1)
    project.run("pre")
    assert hook.kinds == ["firing", "escalated"]
    assert hook.events[-1]["severity"] == "critical"
    acked = project.command("alerts", "ack", "pre.components", "--by", "kim")
    assert acked.exit_code == 0, acked.stderr
    assert "kim" in project.command("alerts", "list").stdout


def test_a_run_that_is_not_recorded_tells_nobody(project, hook):
    assert project.run("pre", "--no-history").exit_code == 1
    assert hook.received == []


def test_around_a_command_and_around_a_flow_the_same_is_told(project, hook):
    project.command("exec", "--", "true")
    assert hook.kinds == ["firing"]
    script = """
        import gatekeeper
        try:
            with gatekeeper.flow("orders"):
                pass
        except gatekeeper.Blocked as blocked:
            print(blocked.run.verdict.decision)
    """
    (project.root / "script.py").write_text("\n".join(line[8:] for line in script.splitlines()))
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "block\n", done.stderr
    deadline = time.monotonic() + 20
    while len(hook.received) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert hook.kinds == ["firing", "firing"]
    assert hook.events[1]["source"].endswith(":orders")


def test_a_channel_that_hangs_delays_neither_the_verdict_nor_the_others(project, hook):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = project.root / "gatekeeper.toml"
        path.write_text(
            path.read_text().replace("[[alerts.channels]]", '[alerts]\ngrace = "2s"\n[[alerts.channels]]', 1)
            + "\n[[alerts.channels]]\n"
            f'type = "webhook"\nname = "dead"\nurl = "http://127.0.0.1:{silent.getsockname()[1]}/"\n'
            'allow_private = true\ntimeout = "1s"\nattempts = 1\n'
        )
        done = project.run("pre")
    assert done.exit_code == 1
    assert "dead NOT sent" in done.stderr
    assert hook.kinds == ["firing"]


@pytest.mark.real
def test_alertmanager_is_told_what_fires_and_what_is_over(project, hook, component, tmp_path_factory):
    with alertmanager(tmp_path_factory.mktemp("am"), f"http://127.0.0.1:{hook.port}/am") as server:
        path = project.root / "gatekeeper.toml"
        path.write_text(
            path.read_text()
            + f'\n[[alerts.channels]]\ntype = "alertmanager"\nurl = "{server.url}"\nallow_private = true\n'
        )
        assert "alertmanager" in project.run("pre").stderr
        (fires,) = until(server.alerts, "the alert is there")
        labels = fires["labels"]
        assert (labels["gate"], labels["subject"], labels["severity"]) == (
            "pre.components",
            "checkout",
            "high",
        )
        project.run("pre")
        assert len(server.alerts()) == 1  # told again, and still one
        component.healthy = True
        project.run("pre")
        until(lambda: not server.alerts(), "it is over")


@pytest.mark.real
def test_two_replicas_on_one_postgresql_store_deliver_once(
    gatekeeper_project, project, hook, postgresql_url, tmp_path_factory
):
    """Both have the gate that fails and the same channels; each run finds what the other one recorded."""
    from gatekeeper.testing import Project

    configuration = (project.root / "gatekeeper.toml").read_text() + f'\n[store]\nurl = "{postgresql_url}"\n'
    replicas = [Project(tmp_path_factory.mktemp(f"replica{number}")) for number in range(2)]
    for replica in replicas:
        (replica.root / "gatekeeper.toml").write_text(configuration)
    for _ in range(3):
        threads = [threading.Thread(target=replica.run, args=("pre",)) for replica in replicas]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert hook.kinds == ["firing"]
    listed = json.loads(replicas[0].command("alerts", "list", "--format", "json").stdout)
    assert len(listed["alerts"]) == 1


def test_while_history_can_not_be_used_a_failure_is_told_all_the_same_and_again_with_its_events_id(
    project, hook
):
    history = project.root / ".gatekeeper" / "history.db"
    history.mkdir(parents=True)
    first = project.run("pre")
    assert first.exit_code == 1
    assert "not in the history yet" in first.stdout
    assert hook.kinds == ["firing"]
    history.rmdir()
    project.run("pre")  # takes the first run in, and remembers from then on
    project.run("pre")
    assert hook.kinds == ["firing", "firing"]
    events = [event["data"]["alerts"][0]["id"] for event in hook.events]
    assert len(set(events)) == 1
