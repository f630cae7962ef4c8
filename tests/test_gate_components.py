"""`pre.components`: each kind of component, well, ill, late, lying and gone."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version as Reference

from certificates import Authority
from gatekeeper import UsageError
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.components import components
from gatekeeper_gates.components.versions import Version, satisfies
from loopback import Server, answering, ends, flooding, free_port, hanging, response, trickling
from postgres_server import PASSWORD, Cluster, postgres

WITHIN = "400ms"
HEAD = b"HTTP/1.1 200 OK\r\n"


def check(kind: str, *entries: dict[str, Any], **options: Any) -> GateResult:
    return run_gate(components, {kind: list(entries)}, **options)


def text_of(result: GateResult) -> str:
    """Everything that the result says."""
    return f"{result.result!r}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def json_server() -> Iterator[Server]:
    body = json.dumps(
        {"db": {"status": "up"}, "queue": {"depth": 12, "ok": True}, "v": ["1.2", "2.0"], "a.b": None}
    )
    with Server(answering(response(body.encode(), Content_Type="application/json; charset=utf-8"))) as server:
        yield server


def at(server: Server, path: str = "/health") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


class TestConfiguration:
    def test_without_any_it_skips_and_says_what_to_write(self) -> None:
        result = run_gate(components)
        assert result.status == "skip"
        assert "[[gates.components.http]]" in result.reason

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"http": [{}]}, 'missing key "url"'),
            ({"http": [{"url": "localhost"}]}, "http://localhost:8000/health"),
            ({"http": [{"url": "http://u:geheim@/"}]}, "expected one such as"),
            ({"http": [{"url": "http://h", "statsu": 1}]}, "Did you mean 'status'"),
            ({"http": [{"url": "http://h", "status": "20x"}]}, "2xx"),
            ({"http": [{"url": "http://h", "status": 99}]}, "100 to 599"),
            ({"http": [{"url": "http://h", "status": []}]}, "at least one"),
            ({"http": [{"url": "http://h", "latency": "80%"}]}, "duration"),
            ({"http": [{"url": "http://h", "within": "0s"}]}, "more than 0"),
            ({"http": [{"url": "http://h", "json": {"db": {"status": "up"}}}]}, '"db.status"'),
            ({"http": [{"url": "http://h", "json": {"n": {"min": 3, "max": 1}}}]}, "impossible"),
            ({"http": [{"url": "http://h", "json": {"n": {"max": "much"}}}]}, "n: "),
            ({"http": [{"url": "http://h", "headers": {"X": "a\nb"}}]}, "can't be sent"),
            ({"http": [{"url": "http://h"}, {"url": "http://h"}]}, "a name of its own"),
            ({"tcp": [{"host": "h", "port": 70_000}]}, "1 to 65535"),
            ({"tcp": [{"host": " ", "port": 1}]}, "host"),
            ({"command": [{"argv": "ls -l"}]}, "expected a list"),
            ({"command": [{"argv": []}]}, "argv"),
            ({"command": [{"argv": ["x"], "warn_exit": 0}]}, "warn_exit"),
            ({"process": [{}]}, "pidfile"),
            ({"process": [{"cmdline": "("}]}, "no regular expression"),
            ({"process": [{"process": "x", "count": {"min": 3, "max": 2}}]}, "impossible"),
            ({"process": [{"process": "x", "memory": "5s"}]}, "size"),
            ({"tls": [{"host": "h", "expires": {"warn": "1d", "fail": "7d"}}]}, "never warn"),
            ({"package": [{"name": "x", "version": "two"}]}, ">=2,<3"),
            ({"package": [{"name": "x", "version": "~=2"}]}, "~=2.1"),
            ({"sqlite": [{"path": "x", "expect": 1}]}, "expect needs a query"),
            ({"sqlite": [{"path": "x", "size": "1s"}]}, "size"),
            ({"at_once": 0}, "1 to 256"),
        ],
    )
    def test_what_is_wrong_is_told_before_anything_runs(self, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError) as caught:
            run_gate(components, settings)
        assert words in str(caught.value)
        assert "geheim" not in str(caught.value)

    def test_all_are_asked_side_by_side(self) -> None:
        with Server(answering(response(), after=0.3)) as server, ends(0.9, server, slack=0):
            entries = [{"name": str(number), "url": at(server)} for number in range(8)]
            assert check("http", *entries).status == "pass"

    def test_one_that_fails_hides_no_other(self) -> None:
        with Server(answering(response())) as server:
            result = run_gate(
                components,
                {
                    "http": [{"name": "up", "url": at(server)}],
                    "tcp": [{"name": "down", "host": "127.0.0.1", "port": free_port()}],
                },
            )
        assert result.status == "fail"
        assert result.finding("http up").status == "pass"
        assert result.finding("tcp down").status == "fail"


class TestHttp:
    def test_a_good_answer_passes_with_its_numbers(self) -> None:
        with Server(answering(response())) as server, ends(2, server):
            result = check("http", {"name": "backend", "url": at(server), "within": "2s"})
        assert result.status == "pass"
        found = result.finding("http backend latency")
        assert (found.operator, found.limit, found.unit, found.n) == ("<=", 2.0, "s", 1)
        assert 0 < found.observed < 2

    def test_a_wrong_status_says_what_was_expected_and_what_came(self) -> None:
        with Server(answering(response(b'{"db":"down"}', "503 Service Unavailable"))) as server:
            result = check("http", {"name": "backend", "url": at(server), "within": "2s"})
        found = result.finding("http backend")
        assert found.status == "fail"
        assert found.limit == "HTTP 200 within 2 s"
        assert found.observed.startswith("HTTP 503 after ")
        assert found.evidence["body"] == '{"db":"down"}'
        assert found.evidence["status"] == 503
        assert found.hint == f"curl -i {at(server)}"
        assert result.reason.startswith(f"backend {at(server)} gave HTTP 503 after")

    @pytest.mark.parametrize(
        ("status", "wanted", "passes"),
        [(204, [200, 204], True), (204, "2xx", True), (302, "2xx", False), (302, ["2xx", "3xx"], True)],
    )
    def test_statuses_and_classes(self, status: int, wanted: Any, passes: bool) -> None:
        with Server(answering(response(b"", f"{status} X", Location="/"))) as server:
            result = check("http", {"url": at(server), "status": wanted})
        assert (result.status == "pass") == passes

    @pytest.mark.parametrize(
        "handler",
        [
            hanging(),
            hanging(HEAD),
            trickling(HEAD, b"X: 1\r\n"),
            trickling(HEAD + b"Content-Length: 99999\r\n\r\n"),
        ],
        ids=["hangs", "hangs in the headers", "trickles headers", "trickles the body"],
    )
    def test_one_that_never_ends_ends(self, handler: Any) -> None:
        with Server(handler) as server, ends(0.4, server):
            result = check("http", {"name": "slow", "url": at(server), "within": WITHIN})
        found = result.finding("http slow")
        assert (found.status, found.observed) == ("fail", "timeout")
        assert found.limit == "HTTP 200 within 400 ms"
        assert "slow" in found.message

    def test_a_body_without_end_is_no_failure_where_nothing_is_asked_of_it(self) -> None:
        with Server(flooding(HEAD + b"\r\n")) as server, ends(2, server):
            assert check("http", {"url": at(server), "max_body": "10kB"}).status == "pass"

    def test_a_body_that_was_not_read_to_its_end_is_unknown_where_something_is_asked(self) -> None:
        with Server(flooding(HEAD + b"\r\n")) as server, ends(2, server):
            result = check("http", {"name": "b", "url": at(server), "max_body": "10kB", "json": {"a": 1}})
        assert result.status == "unknown"
        assert "max_body" in result.reason

    def test_a_closed_port_says_that_nothing_listens(self) -> None:
        result = check("http", {"url": f"http://127.0.0.1:{free_port()}/"})
        assert "nothing listens there" in result.reason

    def test_latency_warns(self) -> None:
        with Server(answering(response(), after=0.1)) as server:
            result = check(
                "http", {"name": "b", "url": at(server), "latency": {"warn": "50ms", "fail": "5s"}}
            )
        assert result.status == "warn"
        assert result.finding("http b latency").limit == 0.05

    def test_secrets_are_sent_and_never_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOKEN_FOR_TEST", "tok-12345")
        seen: list[bytes] = []
        echo = response(b"you sent tok-12345", "401 Unauthorized")
        with Server(answering(echo, seen=seen)) as server:
            result = check(
                "http",
                {
                    "url": f"http://me:pa55word@127.0.0.1:{server.port}/",
                    "method": "POST",
                    "headers": {"X-Token": "env:TOKEN_FOR_TEST"},
                    "body": "env:TOKEN_FOR_TEST",
                    "contains": "tok",
                },
            )
        assert b"X-Token: tok-12345" in seen[0]
        assert result.status == "fail"
        assert "tok-12345" not in text_of(result)
        assert "pa55word" not in text_of(result)
        assert "-H 'X-Token: ***'" in result.result.findings[0].hint

    def test_headers_and_text(self, json_server: Server) -> None:
        entry = {
            "name": "j",
            "url": at(json_server),
            "contains": '"depth": 13',
            "expect_headers": {"content-type": "application/json*", "X-Version": "2.*"},
        }
        result = check("http", entry)
        assert result.finding("http j header content-type").status == "pass"
        assert result.finding("http j header X-Version").status == "fail"
        assert "is missing" in result.finding("http j header X-Version").message
        assert result.finding("http j contains").status == "fail"

    @pytest.mark.parametrize(
        ("path", "wanted", "passes"),
        [
            ("db.status", "up", True),
            ("db.status", "down", False),
            ("queue.depth", {"max": 100}, True),
            ("queue.depth", {"min": 1, "max": 5}, False),
            ("queue.ok", True, True),
            ("queue.ok", 1, False),
            ("queue.ok", {"min": 0}, False),
            ("v.0", {"like": "1.*"}, True),
            ("v.7", {"exists": False}, True),
            ("v", {"contains": "2.0"}, True),
            ("v", {"contains": 2.0}, False),
            ("a.b", {"exists": True}, True),
            ("db.status", {"one_of": ["up", "idle"]}, True),
            ("db.status", {"not_equals": "up"}, False),
            ("db.missing", {"not_equals": "up"}, False),
            ("missing", {"exists": True}, False),
            ("db", {"like": "*"}, False),
        ],
    )
    def test_json_conditions(self, json_server: Server, path: str, wanted: Any, passes: bool) -> None:
        result = check("http", {"name": "j", "url": at(json_server), "json": {path: wanted}})
        assert (result.status == "pass") == passes, text_of(result)

    def test_a_missing_key_names_those_that_there_are(self, json_server: Server) -> None:
        result = check("http", {"name": "j", "url": at(json_server), "json": {"dbb.status": "up"}})
        assert "there is db, queue, v, a.b" in result.reason

    @pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'])
    def test_what_is_no_json_fails_with_an_excerpt(self, body: bytes) -> None:
        with Server(answering(response(body))) as server:
            result = check("http", {"name": "j", "url": at(server), "json": {"a": 1}})
        assert result.finding("http j json").status == "fail"
        assert "no JSON" in result.reason

    def test_a_schema(self, json_server: Server, tmp_path: Path) -> None:
        for name, kind in (("good", "number"), ("bad", "string")):
            schema = {"properties": {"queue": {"properties": {"depth": {"type": kind}}}}}
            (tmp_path / f"{name}.json").write_text(json.dumps(schema))
        good = check("http", {"url": at(json_server), "schema": "good.json"}, root=tmp_path)
        assert good.status == "pass"
        bad = check("http", {"name": "j", "url": at(json_server), "schema": "bad.json"}, root=tmp_path)
        assert bad.status == "fail"
        assert "queue.depth" in bad.reason
        gone = check("http", {"url": at(json_server), "schema": "gone.json"}, root=tmp_path)
        assert gone.status == "error"
        assert "gone.json" in gone.reason

    def test_tls_is_verified(self, authority: Authority) -> None:
        with Server(answering(response()), tls=authority.server("127.0.0.1")) as server:
            url = at(server).replace("http:", "https:")
            assert "not accepted" in check("http", {"url": url}).reason
            assert check("http", {"url": url, "ca_file": str(authority.file)}).status == "pass"


class TestTcp:
    def test_one_that_listens_passes(self) -> None:
        with Server(hanging()) as server, ends(1, server):
            result = check("tcp", {"name": "db", "host": "localhost", "port": server.port})
        found = result.finding("tcp db")
        assert (found.status, found.operator, found.limit, found.unit) == ("pass", "<=", 5.0, "s")
        assert found.evidence["address"] in ("127.0.0.1", "::1")

    def test_one_that_does_not_fails_and_says_what_to_try(self) -> None:
        port = free_port()
        found = check("tcp", {"name": "db", "host": "127.0.0.1", "port": port}).finding("tcp db")
        assert (found.status, found.observed) == ("fail", "refused")
        assert found.hint == f"nc -vz -w 5 127.0.0.1 {port}"


class TestTls:
    def test_a_good_certificate_passes_with_its_days(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.server("localhost")) as server, ends(2, server):
            entry = {"name": "api", "host": "localhost", "port": server.port, "ca_file": str(authority.file)}
            result = check("tls", entry)
        assert result.status == "pass"
        found = result.finding("tls api expires")
        assert (found.operator, found.unit) == (">=", "s")
        assert found.observed == pytest.approx(90 * 86_400, rel=0.01)

    @pytest.mark.parametrize(("days", "status"), [(20, "warn"), (3, "fail"), (-1, "fail")])
    def test_expiry(self, authority: Authority, days: float, status: str) -> None:
        with Server(hanging(), tls=authority.server("localhost", days=days)) as server:
            entry = {"name": "api", "host": "localhost", "port": server.port, "ca_file": str(authority.file)}
            result = check("tls", entry)
        found = result.finding("tls api expires")
        assert found.status == status
        assert ("expired" in found.message) == (days < 0)
        assert result.finding("tls api").status == ("fail" if days < 0 else "pass")

    def test_a_wrong_host_is_named_with_the_right_ones(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.server("elsewhere.test")) as server:
            entry = {"name": "api", "host": "localhost", "port": server.port, "ca_file": str(authority.file)}
            found = check("tls", entry).finding("tls api")
        assert found.status == "fail"
        assert "localhost" in found.message
        assert found.evidence["names"] == ["elsewhere.test"]

    def test_a_self_signed_one_can_be_judged_by_its_expiry_alone(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.self_signed("localhost")) as server:
            entry = {"name": "api", "host": "localhost", "port": server.port}
            assert "self-signed" in check("tls", entry).reason
            assert check("tls", {**entry, "verify": False}).status == "warn"  # 20 days are left

    def test_a_handshake_without_end_ends(self) -> None:
        with Server(hanging()) as server, ends(0.4, server):
            entry = {"name": "api", "host": "127.0.0.1", "port": server.port, "within": WITHIN}
            assert check("tls", entry).finding("tls api").observed == "timeout"


class TestCommand:
    def test_a_good_one_passes(self) -> None:
        result = check("command", {"argv": ["sh", "-c", "echo ready"], "expect_stdout": "ready"})
        assert result.status == "pass"

    def test_a_bad_one_fails_with_its_last_words(self) -> None:
        result = check("command", {"name": "db", "argv": ["sh", "-c", "echo one; echo no route >&2; exit 3"]})
        found = result.finding("command db")
        assert result.reason == "db ended with exit 3, expected exit 0: no route"
        assert found.evidence["stdout"] == "one"
        assert found.evidence["exit"] == 3
        assert found.limit == "exit 0 within 5 s"

    def test_exit_codes_can_warn(self) -> None:
        assert check("command", {"argv": ["sh", "-c", "exit 1"], "warn_exit": [1]}).status == "warn"
        assert check("command", {"argv": ["sh", "-c", "exit 2"], "expect_exit": [0, 2]}).status == "pass"

    def test_a_signal_is_named(self) -> None:
        assert "killed by signal 15" in check("command", {"argv": ["sh", "-c", "kill $$"]}).reason

    @pytest.mark.parametrize(
        "script",
        ["sleep 30", "trap '' TERM; sleep 30", "sleep 30 & sleep 30", "yes", "while :; do :; done"],
        ids=["waits", "ignores SIGTERM", "has children", "floods", "spins"],
    )
    def test_one_that_never_ends_is_killed_with_all_it_started(self, script: str) -> None:
        with ends(0.4):
            result = check("command", {"name": "c", "argv": ["sh", "-c", script], "within": WITHIN})
        assert result.finding("command c").observed == "timeout"

    def test_what_it_leaves_in_the_background_is_killed_and_not_waited_for(self, tmp_path: Path) -> None:
        script = f"sleep 30 & echo $! > {tmp_path}/pid; echo done"
        with ends(1):
            result = check("command", {"argv": ["sh", "-c", script], "expect_stdout": "done"})
        assert result.status == "pass"
        pid = int((tmp_path / "pid").read_text())
        deadline = time.monotonic() + 2
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
            assert time.monotonic() < deadline, "the background process lives"
            time.sleep(0.01)

    def test_a_flood_is_kept_bounded(self) -> None:
        script = "import sys; sys.stdout.write('x' * 5_000_000); sys.exit(1)"
        result = check("command", {"name": "c", "argv": [sys.executable, "-c", script]})
        assert len(result.finding("command c").evidence["stdout"]) < 1000

    def test_a_program_that_is_not_there_is_named(self) -> None:
        assert "no-such-program" in check("command", {"argv": ["no-such-program"]}).reason

    def test_a_folder_that_is_not_there_is_named(self) -> None:
        assert "is no folder" in check("command", {"argv": ["true"], "cwd": "/no/such"}).reason

    def test_nothing_goes_through_a_shell(self, tmp_path: Path) -> None:
        check("command", {"argv": ["echo", f"; touch {tmp_path}/made", "$(id)"]})
        assert not (tmp_path / "made").exists()

    def test_secrets_reach_it_and_are_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOKEN_FOR_TEST", "tok-12345")
        entry = {"argv": ["sh", "-c", 'echo "$KEY"; exit 1'], "env": {"KEY": "env:TOKEN_FOR_TEST"}}
        result = check("command", entry)
        assert result.result.findings[0].evidence["stdout"] == "***"
        assert "tok-12345" not in text_of(result)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", mark]) as process:
        yield process
        process.kill()


class TestProcess:
    def test_one_is_found_by_its_command_line(self, sleeper: subprocess.Popen[bytes]) -> None:
        mark = str(sleeper.args[-1])  # type: ignore[index]
        entry = {"name": "worker", "cmdline": mark, "count": {"max": 1}, "memory": {"warn": "1B"}}
        result = check("process", entry)
        assert result.finding("process worker").evidence["pids"] == [sleeper.pid]
        assert result.finding("process worker memory").status == "warn"
        assert result.finding("process worker memory").observed > 1_000_000

    def test_too_many_fail(self, sleeper: subprocess.Popen[bytes]) -> None:
        mark = str(sleeper.args[-1])  # type: ignore[index]
        found = check("process", {"name": "w", "cmdline": mark, "count": {"min": 0, "max": 0}}).finding(
            "process w"
        )
        assert (found.status, found.observed, found.operator, found.limit) == ("fail", 1, "<=", 0)

    def test_none_fail_and_their_memory_is_unknown(self) -> None:
        result = check("process", {"name": "w", "process": "no-such-process", "memory": "1GB"})
        assert result.finding("process w").status == "fail"
        assert result.finding("process w memory").status == "unknown"

    def test_a_zombie_does_not_count(self, sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
        (tmp_path / "w.pid").write_text(f"{sleeper.pid}\n")
        assert check("process", {"pidfile": "w.pid"}, root=tmp_path).status == "pass"
        sleeper.send_signal(signal.SIGKILL)
        while psutil.Process(sleeper.pid).status() != "zombie":
            time.sleep(0.01)
        assert check("process", {"pidfile": "w.pid"}, root=tmp_path).status == "fail"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "is not there"),
            ("", "no process id"),
            ("abc", "no process id"),
            ("999999999", "does not run"),
        ],
    )
    def test_a_stale_pidfile_is_told(self, tmp_path: Path, content: str | None, words: str) -> None:
        if content is not None:
            (tmp_path / "w.pid").write_text(content)
        result = check("process", {"pidfile": "w.pid"}, root=tmp_path)
        assert result.status == "fail"
        assert words in result.reason


class TestPackage:
    def test_installed_versions(self) -> None:
        assert check("package", {"name": "msgspec", "version": ">=0.1,<99"}).status == "pass"
        assert check("package", {"name": "msgspec"}).status == "pass"
        assert "expected >=99" in check("package", {"name": "msgspec", "version": ">=99"}).reason
        assert "is not installed" in check("package", {"name": "no-such-package-x"}).reason

    versions = st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["", "1!"]),
            st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts))),
            st.sampled_from(["", "a1", "b2", "rc1", "-alpha", ".pre3"]),
            st.sampled_from(["", ".post1", "-2", "rev3"]),
            st.sampled_from(["", ".dev1", "dev"]),
        ),
    )

    @given(versions, versions)
    def test_versions_are_ordered_as_packaging_orders_them(self, one: str, other: str) -> None:
        mine, theirs = (Version.parse(one).key, Version.parse(other).key), (Reference(one), Reference(other))
        assert (mine[0] < mine[1]) == (theirs[0] < theirs[1])
        assert (mine[0] == mine[1]) == (theirs[0] == theirs[1])

    @given(versions, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), versions)
    def test_specifiers_mean_what_packaging_says(self, installed: str, operator: str, limit: str) -> None:
        expected = SpecifierSet(operator + limit).contains(installed, prereleases=True)
        assert satisfies(installed, operator + limit) == expected

    @given(
        versions,
        st.lists(st.integers(0, 3), min_size=2, max_size=3),
        st.sampled_from(["~={}", "=={}.*", "!={}.*"]),
    )
    def test_prefixes_too(self, installed: str, release: list[int], form: str) -> None:
        specifier = form.format(".".join(map(str, release)))
        assert satisfies(installed, specifier) == SpecifierSet(specifier).contains(
            installed, prereleases=True
        )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)")
        connection.executemany("INSERT INTO orders (note) VALUES (?)", [("x" * 100,)] * 1000)
    connection.close()
    return path


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class TestSqlite:
    def test_a_good_one_passes(self, database: Path) -> None:
        query = "SELECT count(*) FROM orders"
        entry = {
            "name": "orders", "path": database.name, "query": query, "expect": {"min": 1000},
            "integrity": True, "size": "1MB", "latency": {"warn": "1s"},
        }  # fmt: skip
        result = check("sqlite", entry, root=database.parent)
        assert result.status == "pass"
        assert result.finding("sqlite orders answer").observed == 1000
        assert result.finding("sqlite orders size").observed == database.stat().st_size

    def test_one_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        result = check("sqlite", {"path": "gone.db"}, root=tmp_path)
        assert result.status == "fail"
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_is_none_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "x.db").write_text("no database, but long enough to look like one " * 100)
        assert "is no SQLite database" in check("sqlite", {"path": "x.db"}, root=tmp_path).reason

    def test_a_folder_is_told(self, tmp_path: Path) -> None:
        assert "is no file" in check("sqlite", {"path": "."}, root=tmp_path).reason

    @pytest.mark.parametrize(
        "query",
        [
            "DELETE FROM orders",
            "CREATE TABLE t (x)",
            "VACUUM",
            "ATTACH 'new.db' AS n",
            "VACUUM INTO 'new.db'",
        ],
    )
    def test_a_query_never_writes(self, database: Path, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(database.parent)
        before = database.read_bytes()
        check("sqlite", {"path": database.name, "query": query}, root=database.parent)
        assert database.read_bytes() == before
        assert [path.name for path in database.parent.iterdir()] == [database.name]

    def test_a_query_without_end_ends(self, database: Path) -> None:
        with ends(0.4):
            entry = {"name": "o", "path": database.name, "query": ENDLESS, "within": WITHIN}
            result = check("sqlite", entry, root=database.parent)
        assert result.finding("sqlite o").observed == "timeout"

    def test_one_that_is_locked_is_told_in_time(self, database: Path) -> None:
        holder = sqlite3.connect(database, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with ends(0.4):
            result = check("sqlite", {"path": database.name, "within": WITHIN}, root=database.parent)
        holder.close()
        assert result.status == "fail"

    def test_damage_is_found(self, database: Path) -> None:
        content = bytearray(database.read_bytes())
        content[8192 : 8192 + 2048] = b"\xff" * 2048
        database.write_bytes(content)
        result = check(
            "sqlite", {"name": "o", "path": database.name, "integrity": True}, root=database.parent
        )
        assert result.status == "fail"

    def test_no_row_is_no_answer(self, database: Path) -> None:
        entry = {"path": database.name, "query": "SELECT id FROM orders WHERE id < 0", "expect": {"min": 0}}
        result = check("sqlite", entry, root=database.parent)
        assert result.status == "fail"
        assert "gave no row" in result.reason


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("psycopg", reason="needs the extra: gatekeeper-gates[postgres]")
    with postgres() as started:
        yield started


@pytest.mark.real
class TestPostgres:
    def test_a_good_one_passes(self, cluster: Cluster) -> None:
        with ends(2):
            result = check("postgres", {"name": "db", "url": cluster.url, "query": "SELECT 42", "expect": 42})
        assert result.status == "pass", result.reason
        assert result.finding("postgres db").unit == "s"
        assert PASSWORD not in text_of(result)

    @pytest.mark.parametrize(
        ("query", "value"),
        [
            ("SELECT 1.5", 1.5),
            ("SELECT true", True),
            ("SELECT 'ü'", "ü"),
            ("SELECT NULL::int", None),
            ("SELECT 1; SELECT 2", 2),
        ],
    )
    def test_values_have_their_types(self, cluster: Cluster, query: str, value: Any) -> None:
        entry = {"name": "db", "url": cluster.url, "query": query, "expect": {"equals": value}}
        assert check("postgres", entry).status == "pass"

    def test_a_query_without_end_ends_and_is_not_left_running(self, cluster: Cluster) -> None:
        with ends(0.4):
            entry = {"name": "db", "url": cluster.url, "query": "SELECT pg_sleep(30)", "within": WITHIN}
            assert check("postgres", entry).finding("postgres db").observed == "timeout"
        running = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()"
        )
        deadline = time.monotonic() + 3
        while check("postgres", {"url": cluster.url, "query": running, "expect": 0}).status != "pass":
            assert time.monotonic() < deadline

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"password": "wrong-password"}, "password authentication failed"),
            ({"database": "nowhere"}, '"nowhere" does not exist'),
        ],
    )
    def test_a_refusal_is_told_without_the_password(
        self, cluster: Cluster, change: dict[str, str], words: str
    ) -> None:
        result = check("postgres", {"url": cluster.url_of(**change)})
        assert words in result.reason
        assert PASSWORD not in text_of(result)
        assert "wrong-password" not in text_of(result)

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("SELEC 1", "syntax error"),
            ("CREATE TABLE t (x int)", "read-only"),
            ("COPY (SELECT 1) TO STDOUT", "COPY"),
            ("SELECT * FROM nothing", "does not exist"),
        ],
    )
    def test_a_query_that_cannot_be_asked_is_told(self, cluster: Cluster, query: str, words: str) -> None:
        with ends(2):
            result = check("postgres", {"url": cluster.url, "query": query})
        assert result.status == "fail"
        assert words in result.reason


class TestPostgresElsewhere:
    @pytest.fixture(autouse=True)
    def _psycopg(self) -> None:
        pytest.importorskip("psycopg", reason="needs the extra: gatekeeper-gates[postgres]")

    def url(self, server: Server) -> str:
        return f"postgresql://me:{PASSWORD.replace(':', '%3A')}@127.0.0.1:{server.port}/db?sslmode=disable"

    @pytest.mark.parametrize(
        "handler",
        [
            hanging(),
            trickling(b"", b"R\x00\x00\x00\x08\x00\x00\x00\x00N\x00\x00\x00\x05\x00"),
            flooding(b""),
        ],
        ids=["hangs", "trickles", "floods"],
    )
    def test_a_server_that_never_answers_is_given_up(self, handler: Any) -> None:
        with Server(handler) as server, ends(0.4, server):
            result = check("postgres", {"name": "db", "url": self.url(server), "within": WITHIN})
        assert result.finding("postgres db").status == "fail"
        assert PASSWORD not in text_of(result)

    def test_a_closed_port_is_refused(self) -> None:
        result = check(
            "postgres", {"name": "db", "url": f"postgresql://u:{PASSWORD}@localhost:{free_port()}/x"}
        )
        assert result.finding("postgres db").observed == "refused"
        assert PASSWORD not in text_of(result)

    @pytest.mark.parametrize(
        "url", ["postgresql://u:geheim@h:port/x", "nonsense geheim", "mysql://u:geheim@h/x"]
    )
    def test_a_url_that_is_none_is_told_without_repeating_it(self, url: str) -> None:
        result = check("postgres", {"url": url})
        assert result.status == "fail"
        assert "geheim" not in text_of(result)


def test_without_psycopg_it_is_an_error_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    result = check("postgres", {"url": "postgresql://u:geheim@127.0.0.1/x"})
    assert result.status == "error"
    assert "pip install 'gatekeeper-gates[postgres]'" in result.reason
    assert "geheim" not in text_of(result)


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = [
        "urllib3",
        "ssl",
        "socket",
        "subprocess",
        "sqlite3",
        "psycopg",
        "psutil",
        "asyncio",
        "jsonschema_rs",
    ]
    code = f"import sys, gatekeeper_gates.components; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_threads_are_gone_after_many_components() -> None:
    with Server(answering(response())) as server, ends(3, server):
        check("http", *({"name": str(number), "url": at(server)} for number in range(40)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("probe")]
