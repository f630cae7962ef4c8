"""Whatever is wrong with a PostgreSQL server is one sentence, in time, without a password; and no run is lost."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.quantities import Secret
from gatekeeper.store import NoStore, StoreError, open_store, path_of, spill
from gatekeeper.store.address import address_of, passwords, shown
from gatekeeper.store.history import History
from loopback import free_port
from postgres_server import PASSWORD, postgres
from runs import result, run

real = pytest.mark.real


@contextmanager
def admin(server):
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def psycopg():
    return pytest.importorskip("psycopg", reason="needs the extra: gatekeeper-gates[postgres]")


def schema_of(url):
    return address_of(url).schema


def elsewhere(url, server, **options):
    """The same store, by another user, or in another database."""
    return f"{server.url_of(**options)}?schema={schema_of(url)}"


@pytest.fixture
def recorded(postgresql_url):
    """A store with one run."""
    with open_store(postgresql_url, create=True) as store:
        store.write(run(1))
    return postgresql_url


# -- the URL -----------------------------------------------------------------------------------------------------


def test_a_url_is_taken_apart_as_libpq_does(psycopg):
    from psycopg.conninfo import conninfo_to_dict

    for text in (
        "postgresql://",
        "postgresql://db",
        "postgres://me@db/gates",
        "postgresql://me:p%40ss%2Fw%3Ard%25@db:5433/my%20gates?sslmode=require&application_name=ci",
        "postgresql://me:a:b@[::1]:5433/gates",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/gates",
        "postgresql:///gates?host=/var/run/postgresql&port=5433",
        "postgresql://me@one:5433,two/gates?target_session_attrs=read-write",
    ):
        given = {key: value for key, value in address_of(text).options.items() if value.strip(",")}
        assert given == {key: str(value) for key, value in conninfo_to_dict(text).items()}, text


def test_the_schema_is_gatekeepers_own_unless_the_url_says_otherwise():
    assert address_of("postgresql://db/gates").schema == "gatekeeper"
    assert address_of("postgresql://db/gates?schema=team_a&sslmode=require").schema == "team_a"


def test_each_host_is_tried_with_its_own_port(psycopg):
    from psycopg.conninfo import conninfo_to_dict

    from gatekeeper.store.libpq import _attempts

    def tried(url):
        address = address_of(url)
        found = [
            conninfo_to_dict(each.decode())
            for each in _attempts(address, address.options, time.monotonic() + 9)
        ]
        return [(each.get("host"), each.get("hostaddr"), each.get("port")) for each in found]

    assert tried("postgresql://127.0.0.1:5433,127.0.0.2/gates") == [
        ("127.0.0.1", "127.0.0.1", "5433"),
        ("127.0.0.2", "127.0.0.2", None),
    ]
    assert tried("postgresql:///gates?host=127.0.0.1,/run/pg&port=5433") == [
        ("127.0.0.1", "127.0.0.1", "5433"),
        ("/run/pg", None, "5433"),
    ]
    assert tried("postgresql:///gates") == [(None, None, None)]


def test_ports_that_do_not_match_their_hosts_are_said(psycopg):
    assert "could not match 2 port numbers to 3 hosts" in said("postgresql:///gates?host=/a,/b,/c&port=1,2")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:hunter2@2@db/gates", "write @"),
        ("postgresql://me:hun/ter2@db/gates", "write @"),
        ("postgresql://me:hun?ter2@db/gates", "write @"),
        ("postgresql://me:hunter2%@db/gates", "write % as %25"),
        ("postgresql://me:hunter2%zz@db/gates", "write % as %25"),
        ("postgresql://me:hunter2%ff@db/gates", "is not UTF-8"),
        ("postgresql://me:hunter2%00@db/gates", "%00"),
        ("postgresql://me:hunter2", "the host or its port"),
        ("postgresql://me:hunter2@db:x/gates", "the host or its port"),
        ("postgresql://me:hunter2@db:99999/gates", "the host or its port"),
        ("postgresql://me:hunter2@db:1:2/gates", "the host or its port"),
        ("postgresql://me:hunter2@db/gates?sslmode", "name=value"),
        ("postgresql://me:hunter2@db/gates?a=b=hunter2", "name=value"),
        ("postgresql://me:hunter2@db/gates?schema=x;drop", "schema: expected a name"),
        ("postgresql://me:hunter2@db/gates?schema=pg_toast", "schema: expected a name"),
        ("postgresql://me:hunter2@db/gates?schema=", "schema: expected a name"),
    ],
)  # fmt: skip
def test_a_wrong_url_is_refused_and_nothing_of_it_is_repeated(url, words):
    with pytest.raises(UsageError) as refused:
        path_of(url)
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "ter2" not in str(refused.value)
    assert "hunter2" not in shown(url)
    assert passwords(url) == ()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("history.db", "history.db"),
        ("sqlite:////var/a@b:c.db", "sqlite:////var/a@b:c.db"),
        ("postgresql://db/gates", "postgresql://db/gates"),
        ("postgresql://me@db/gates", "postgresql://me@db/gates"),
        ("postgres://me:hunter2@db:5433/gates?sslmode=require", "postgres://me:***@db:5433/gates?sslmode=require"),
        ("postgresql://db/gates?user=me&pass%77ord=hunter2", "postgresql://db/gates?user=me&pass%77ord=***"),
        ("mysql://me:hunter2@db/gates", "mysql://***"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url, text):
    assert shown(url) == text


def test_a_password_is_kept_out_of_a_run_in_each_form_it_has():
    found = passwords("postgresql://me:p%40ss%2Fword@db/gates?sslpassword=key-word")
    assert set(found) == {"p@ss/word", "p%40ss%2Fword", "key-word"}
    assert all(isinstance(each, Secret) for each in found)


def test_without_psycopg_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'gatekeeper-gates\[postgres\]'") as refused:
        open_store("postgresql://me:hunter2@db/gates", create=True)
    assert "hunter2" not in str(refused.value)


def test_a_psycopg_that_finds_no_libpq_is_said_with_the_extra(monkeypatch, psycopg):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "gatekeeper.store.postgres", None)
    with pytest.raises(UsageError, match=r"can't be loaded .*gatekeeper-gates\[postgres\]"):
        open_store("postgresql://me:hunter2@db/gates", create=True)


# -- no server ---------------------------------------------------------------------------------------------------


def said(url, **options):
    """What opening it says; never with the password."""
    with pytest.raises(GatekeeperError) as refused:
        open_store(url, create=True, **options)
    text = f"{refused.value!r} {refused.value.__cause__!r}"
    assert "\n" not in str(refused.value)
    for form in (PASSWORD, quote(PASSWORD, safe=""), "s3cret"):
        assert form not in text
    return str(refused.value)


def test_a_server_that_is_down_is_said(psycopg):
    url = f"postgresql://me:{quote(PASSWORD)}@127.0.0.1:{free_port()}/gates"
    text = said(url)
    assert "can't be reached" in text
    assert "refused" in text
    assert "postgresql://me@127.0.0.1" in text


def test_a_name_that_nobody_has_is_said(psycopg):
    assert "can't be resolved" in said(f"postgresql://me:{quote(PASSWORD)}@nowhere.invalid/gates")


def test_an_option_that_libpq_does_not_have_is_said(psycopg):
    assert 'invalid connection option "sslmod"' in said(
        f"postgresql://me:{quote(PASSWORD)}@127.0.0.1/gates?sslmod=x"
    )


def test_a_server_that_says_nothing_is_given_up_in_time(psycopg):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:{quote(PASSWORD)}@127.0.0.1:{silent.getsockname()[1]}/gates"
        assert "no answer within" in said(url, timeout=0.3)


def test_a_server_that_speaks_another_protocol_is_said(psycopg):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            peer, _ = other.accept()
            with peer:
                peer.recv(100)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"\x00\xff" * 50)

        answering = Thread(target=answer)
        answering.start()
        url = f"postgresql://me:{quote(PASSWORD)}@127.0.0.1:{other.getsockname()[1]}/gates"
        assert "can't be reached" in said(url, timeout=5)
        answering.join()


@real
def test_a_dead_address_leaves_time_for_the_next(postgresql_server, postgresql_url):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{postgresql_server.port}"
        url = postgresql_url.replace(f"localhost:{postgresql_server.port}", hosts)
        with open_store(url, create=True, timeout=2) as store:
            assert store.write(run(1)).recorded


# -- a server that refuses -----------------------------------------------------------------------------------------


@real
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "s3cret:wrong"}, "password authentication failed"),
        ({"user": "nobody"}, "password authentication failed"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
def test_a_server_that_refuses_is_quoted(postgresql_server, change, words):
    assert words in said(postgresql_server.url_of(**change))


@contextmanager
def somebody(server, *grants):
    """A user with few rights."""
    name = f"u{os.getpid()}_{time.monotonic_ns()}"
    with admin(server) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        for grant in grants:
            connection.execute(grant.format(name=name))
        try:
            yield name
        finally:
            connection.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


@real
def test_a_user_who_may_only_read_looks_back_and_is_told_why_not_more(postgresql_server, recorded):
    schema = schema_of(recorded)
    grants = (
        f"GRANT USAGE ON SCHEMA {schema} TO {{name}}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {{name}}",
    )
    with somebody(postgresql_server, *grants) as reader:
        url = elsewhere(recorded, postgresql_server, user=reader)
        assert History(url, "checkout", "r").statuses("pre.disk") == ["pass"]
        with open_store(url, create=True) as store:
            assert len(store.runs()) == 1
            with pytest.raises(
                StoreError, match="does not let this user do that: permission denied for table runs"
            ):
                store.write(run(2))
            assert len(store.runs()) == 1


@real
def test_a_user_who_may_not_make_a_schema_is_told_so(postgresql_server, postgresql_url):
    with somebody(postgresql_server) as user:
        assert "permission denied for database" in said(
            elsewhere(postgresql_url, postgresql_server, user=user)
        )


@real
def test_a_user_who_may_not_look_into_the_schema_is_told_so(postgresql_server, recorded):
    with somebody(postgresql_server) as user:
        assert "permission denied for schema" in said(elsewhere(recorded, postgresql_server, user=user))


@real
def test_a_schema_that_was_made_for_a_user_is_all_that_it_needs(postgresql_server, postgresql_url):
    schema = schema_of(postgresql_url)
    with somebody(postgresql_server, f"CREATE SCHEMA {schema} AUTHORIZATION {{name}}") as user:
        store = open_store(elsewhere(postgresql_url, postgresql_server, user=user), create=True)
        assert store.write(run(1)).recorded
        store.close()


@real
def test_another_programs_tables_are_left_alone(postgresql_server, postgresql_url):
    schema = schema_of(postgresql_url)
    with admin(postgresql_server) as connection:
        connection.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.runs (name text)")
        assert "holds another program's tables: choose one with ?schema=NAME" in said(postgresql_url)
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)
        ).fetchall()
    assert found == [("runs",)]


@real
def test_tables_of_other_schemas_do_not_disturb(postgresql_server, postgresql_url):
    with admin(postgresql_server) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS public.runs (name text)")
        with open_store(postgresql_url, create=True) as store:
            assert store.write(run(1)).recorded
        assert connection.execute("SELECT count(*) FROM public.runs").fetchall() == [(0,)]


@real
def test_a_database_that_can_not_hold_every_text_is_refused(postgresql_server):
    name = f"latin_{os.getpid()}"
    with admin(postgresql_server) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        try:
            assert "its encoding is LATIN1" in said(postgresql_server.url_of(database=name))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@real
def test_defaults_of_the_database_change_nothing(postgresql_server):
    name = f"odd_{os.getpid()}"
    with admin(postgresql_server) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        for setting in ("default_transaction_isolation = 'serializable'", "synchronous_commit = off", "bytea_output = escape",
                        "standard_conforming_strings = off", "extra_float_digits = 0", "DateStyle = 'German'"):  # fmt: skip
            connection.execute(f"ALTER DATABASE {name} SET {setting}")
        try:
            with open_store(postgresql_server.url_of(database=name), create=True) as store:
                written = run(1, result("pre.disk", free=0.1 + 0.2))
                store.write(written)
                assert store.run("latest") == written
                assert store.values("checkout", "pre.disk", "free") == [0.1 + 0.2]
                assert store._rows("SHOW synchronous_commit", ()) == [("on",)]
                assert store._rows("SHOW transaction_isolation", ()) == [("read committed",)]
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


# -- a server that goes away ---------------------------------------------------------------------------------------


def backend_of(store):
    return store._rows("SELECT pg_backend_pid()", ())[0][0]


@real
def test_a_connection_that_is_cut_in_the_middle_of_a_transaction_records_nothing(postgresql_server, recorded):
    def cut(store, runs):
        with admin(postgresql_server) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (backend_of(store),))

    with open_store(recorded, create=True) as store:
        with pytest.raises(StoreError, match="can't be reached any more"):
            store.write(run(2), None, cut)
        with pytest.raises(StoreError, match="can't be reached any more"):
            store.runs()
    with open_store(recorded, create=False) as store:
        assert [row.id for row in store.runs()] == [run(1).id]


@real
def test_a_run_that_could_not_be_recorded_is_pending_and_taken_in_once(postgresql_server, recorded, tmp_path):
    folder = tmp_path / ".gatekeeper"
    spill(folder, run(2))
    for _ in range(2):
        with open_store(recorded, create=True, folder=folder) as store:
            assert [row.id for row in store.runs()] == [run(2).id, run(1).id]
    assert list((folder / "pending").iterdir()) == []


@real
def test_a_server_that_freezes_is_given_up_in_time(recorded, postgresql_server):
    with open_store(recorded, create=True, timeout=0.5) as store:
        backend = backend_of(store)
        os.kill(backend, signal.SIGSTOP)
        try:
            with pytest.raises(StoreError, match=r"no answer within 0\.5 s"):
                store.write(run(2))
            with pytest.raises(StoreError, match="can't be reached any more"):
                store.runs()
        finally:
            os.kill(backend, signal.SIGCONT)


@real
def test_a_store_that_another_process_holds_is_given_up_in_time_and_can_be_read(recorded):
    hasty = open_store(recorded, create=True, timeout=0.3)
    with hasty, open_store(recorded, create=True) as holder, holder.changing():
        with pytest.raises(StoreError, match="is locked by another process"):
            hasty.write(run(2))
        assert len(hasty.runs()) == 1


@real
def test_stores_in_one_database_do_not_wait_for_each_other(postgresql_server, recorded):
    other = f"{postgresql_server.url}?schema={schema_of(recorded)}_b"
    try:
        with (
            open_store(recorded, create=True) as holder,
            holder.changing(),
            open_store(other, create=True) as store,
        ):
            assert store.write(run(1)).recorded
    finally:
        with admin(postgresql_server) as connection:
            connection.execute(f"DROP SCHEMA {schema_of(other)} CASCADE")


@real
def test_a_table_that_takes_too_long_is_given_up_in_time(postgresql_server, recorded):
    with admin(postgresql_server) as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {schema_of(recorded)}.runs")
        hasty = open_store(recorded, create=False, timeout=0.3)
        with hasty, pytest.raises(StoreError, match="is locked by another process"):
            hasty.runs()


@real
def test_a_store_that_was_dropped_while_open_is_said(postgresql_server, recorded):
    with open_store(recorded, create=True) as store:
        with admin(postgresql_server) as connection:
            connection.execute(f"DROP SCHEMA {schema_of(recorded)} CASCADE")
        with pytest.raises(StoreError, match="lacks a table, was it removed"):
            store.write(run(2))
    with open_store(recorded, create=True) as store:
        assert store.write(run(2)).recorded


@real
def test_a_writer_killed_in_the_middle_of_a_transaction_leaves_nothing_and_holds_up_nobody(recorded):
    code = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from runs import run
        from gatekeeper.store import open_store
        def wait(store, runs):
            print("in the middle", flush=True)
            time.sleep(60)
        with open_store(sys.argv[1], create=True) as store:
            store.write(run(2), None, wait)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), recorded], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "in the middle\n"
    process.kill()
    process.communicate()
    with open_store(recorded, create=True) as store:
        assert store.write(run(3)).recorded
        assert [row.id for row in store.runs()] == [run(3).id, run(1).id]


@real
def test_a_store_is_not_used_in_a_process_that_was_forked(recorded):
    code = """
        import os, sys
        from gatekeeper.store import StoreError, open_store
        with open_store(sys.argv[1], create=True) as store:
            if os.fork() == 0:
                try:
                    store.runs()
                except StoreError as error:
                    print(error, flush=True)
                store.close()
                os._exit(0)
            os.wait()
            print(len(store.runs()), "run")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), recorded], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[0].endswith("was opened by another process: open it again")
    assert done.stdout.splitlines()[1] == "1 run"


@real
def test_a_server_that_crashes_while_many_write_has_what_was_said_to_be_recorded(psycopg, tmp_path):
    """A server of its own: the others share theirs."""
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from runs import run
        from gatekeeper.store import StoreError, open_store
        with open_store(sys.argv[1], create=True) as store:
            try:
                for number in range(int(sys.argv[2]), 10**6, 4):
                    store.write(run(number))
                    print(number, flush=True)
            except StoreError as error:
                print("refused", error, flush=True)
    """
    with postgres() as server:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(code), server.url, str(number)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(4)
        ]
        first = [writer.stdout.readline() for writer in writers]
        server.control("stop", "-m", "immediate")
        said = [line + writer.stdout.read() for line, writer in zip(first, writers, strict=True)]
        for writer in writers:
            writer.communicate(timeout=60)
        assert all("refused the store" in text for text in said)
        server.control("start")
        announced = {run(int(word)).id for text in said for word in text.partition("refused")[0].split()}
        with open_store(server.url, create=True) as store:
            recorded = {row.id for row in store.runs(limit=10**6)}
            assert announced <= recorded
            assert len(recorded - announced) <= 4
            assert store.write(run(10**6)).recorded


# -- texts ---------------------------------------------------------------------------------------------------------


@real
@pytest.mark.parametrize(
    "name", ["a\0b", "a\udc80b", "n" * 5000, "ä" * 900, "\U0010ffff", "'; DROP TABLE runs; --%s?"]
)
def test_any_text_is_recorded_and_found_by_itself(postgresql_url, name):
    written = run(1, result(f"pre.{name}", **{f"free {name}": 7}), subject=name)
    with open_store(postgresql_url, create=True) as store:
        store.write(written)
        store.write(run(2, result(f"pre.{name}x", "fail"), subject=f"{name}x"))
        assert len(store.runs(subject=name)) == 1
        assert store.values(name, f"pre.{name}", f"free {name}") == [7]
        assert [row.status for row in store.results(name, f"pre.{name}")] == ["pass"]
        assert len(store.failing(f"{name}x")) == 1


@real
def test_numbers_are_kept_to_the_last_bit(postgresql_url):
    odd = [5e-324, 1.7976931348623157e308, -0.0, 0.1, 2**53 + 1, 10**400, float("nan"), float("inf")]
    with open_store(postgresql_url, create=True) as store:
        for number, value in enumerate(odd):
            store.write(run(number, result("pre.disk", free=value)))
        assert store.values("checkout", "pre.disk", "free") == [
            5e-324,
            1.7976931348623157e308,
            -0.0,
            0.1,
            2.0**53,
        ]


@real
def test_the_password_is_nowhere_in_what_a_store_says(postgresql_server, recorded):
    with open_store(recorded, create=True) as store:
        assert PASSWORD not in store.place
        assert quote(PASSWORD, safe="") not in store.place
        assert store.place.startswith(
            f"postgresql://postgres@localhost:{postgresql_server.port}/postgres?schema="
        )


@real
def test_looking_makes_no_schema(postgresql_server, postgresql_url):
    with pytest.raises(NoStore):
        open_store(postgresql_url, create=False)
    with admin(postgresql_server) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema_of(postgresql_url),)
        ).fetchall()
    assert found == []
