"""The store in PostgreSQL: the same tables, in a schema of their own."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from gatekeeper.store import schema
from gatekeeper.store.address import address_of
from gatekeeper.store.errors import NoStore, StoreError, explain_server
from gatekeeper.store.libpq import connect
from gatekeeper.store.sql import Store

IDLE = "60s"
"""How long a process that is frozen within a transaction keeps all others waiting."""

LOCKED, CANCELED = "55P03", "57014"


class PostgresStore(Store):
    """A store of runs in a schema of a database. Every method raises `StoreError` where it can't be used.

    Whoever changes something holds a lock of the whole store until the end of the transaction, as in SQLite: numbers
    are given in the order in which runs become visible, and what was read is still so when something is written.
    """

    def __init__(
        self,
        url: str,
        *,
        create: bool = False,
        read_only: bool = False,
        folder: Path | None = None,
        timeout: float = 10.0,
    ) -> None:
        address = address_of(url)
        self.place, self.folder, self._schema = address.name, folder, address.schema
        self._process = os.getpid()
        self._lock = int.from_bytes(sha256(f"gatekeeper {self._schema}".encode()).digest()[:8], signed=True)
        self._connection = connect(address, timeout)
        try:
            self._use(timeout, read_only)
            self._prepare(create, read_only)
        except BaseException:
            self._connection.close()
            raise
        if not read_only:
            self._take_in()

    def _use(self, timeout: float, read_only: bool) -> None:
        """Say what holds for the session, whatever the server's, the database's or the user's defaults are."""
        milliseconds = max(
            10, int(timeout * 1000)
        )  # the server is to say what is late before the client gives up
        settings = {
            "search_path": f'"{self._schema}"',
            "lock_timeout": milliseconds * 8 // 10,
            "statement_timeout": milliseconds * 9 // 10,
            "idle_in_transaction_session_timeout": f"'{IDLE}'",
            "default_transaction_isolation": "'read committed'",  # each statement sees what others have committed
            "extra_float_digits": 1,  # numbers to the last bit
        }
        if read_only:
            settings["default_transaction_read_only"] = "on"
        lines = [f"SET {name} = {value}" for name, value in settings.items()]
        weak = "current_setting('synchronous_commit') = 'off'"
        durable = f"SELECT set_config('synchronous_commit', 'on', false) WHERE {weak}"
        with self._explained():
            self._connection.execute(_query("; ".join([*lines, durable])))

    # -- the schema ---------------------------------------------------------------------------------------

    def _prepare(self, create: bool, read_only: bool) -> None:
        """Make the store, or bring it to this version, where that is needed and asked for."""
        version = self._version()
        if version is None and (read_only or not create):
            raise NoStore(f"there is no store {self.place}: nothing was recorded yet")
        schema.check(version or 0, self.place)
        if version == len(schema.STEPS):
            return
        if read_only:
            raise NoStore(schema.older(self.place))
        self._migrate()

    def _version(self) -> int | None:
        """How many steps of the schema were done; None where there is no store."""
        if "gatekeeper_version" not in self._tables():
            return None
        rows = self._rows(f'SELECT version FROM "{self._schema}".gatekeeper_version', ())
        return int(rows[0][0]) if rows else 0

    def _tables(self) -> list[str | None]:
        """What the schema holds; None for nothing, of a schema that is there. Not by `to_regclass`, which may be out of
        date: it answers from a cache that is brought up to date where a transaction begins, before it waits for others.
        """
        rows = self._rows(
            "SELECT c.relname FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid "
            "WHERE n.nspname = ?",
            (self._schema,),
        )
        return [name for (name,) in rows]

    def _migrate(self) -> None:
        """In one transaction; whoever is first among many processes does it."""
        with self.changing():
            version = self._version()
            schema.check(version or 0, self.place)
            if version is None:
                self._found()
            for step in schema.STEPS[version or 0 :]:
                for statement in step:
                    self._change(schema.postgresql(statement))
            self._change("UPDATE gatekeeper_version SET version = ?", (len(schema.STEPS),))

    def _found(self) -> None:
        encoding = self._rows("SHOW server_encoding", ())[0][0]
        if encoding != "UTF8":
            raise StoreError(
                f"the store {self.place} can't hold every text, its encoding is {encoding}: "
                "make a database WITH ENCODING 'UTF8' TEMPLATE template0"
            )
        tables = self._tables()
        if not tables:
            self._change(f'CREATE SCHEMA "{self._schema}"')
        elif any(tables):
            raise StoreError(
                f"the store {self.place}: its schema {self._schema} holds another program's tables: "
                "choose one with ?schema=NAME at the end of the URL"
            )
        self._change("CREATE TABLE gatekeeper_version (version BIGINT NOT NULL)")
        self._change("INSERT INTO gatekeeper_version VALUES (0)")

    # -- SQL ----------------------------------------------------------------------------------------------

    def _rows(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        with self._explained():
            return self._connection.execute(_query(sql), arguments).fetchall()

    def _change(self, sql: str, arguments: tuple[Any, ...] = ()) -> int:
        with self._explained():
            return self._connection.execute(_query(sql), arguments).rowcount

    def _change_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._explained(), self._connection.cursor() as cursor:
            cursor.executemany(_query(sql), [*rows])

    def _begin(self) -> None:
        if not self._connection.closed and self._connection.info.transaction_status != TransactionStatus.IDLE:
            raise AssertionError("one transaction at a time")
        try:
            with self._explained(waiting=True):
                self._connection.execute(_query(f"BEGIN; SELECT pg_advisory_xact_lock({self._lock})"))
        except BaseException:
            self._undo()
            raise

    def _commit(self) -> None:
        with self._explained():
            done = self._connection.execute("COMMIT").statusmessage
        if done != "COMMIT":  # an error within was passed over
            raise StoreError(f"the store {self.place} did not take a transaction: {done}")

    def _undo(self) -> None:
        if os.getpid() == self._process and not self._connection.closed:
            with suppress(psycopg.Error, TimeoutError):
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _explained(self, waiting: bool = False) -> Iterator[None]:
        """Turn what PostgreSQL says into a StoreError; where `waiting` for other processes, being late is theirs."""
        if os.getpid() != self._process:
            raise StoreError(f"the store {self.place} was opened by another process: open it again")
        try:
            yield
        except TimeoutError as error:
            self._connection.close()
            raise explain_server(None, str(error), self.place) from None
        except psycopg.Error as error:
            state = LOCKED if waiting and error.sqlstate == CANCELED else error.sqlstate
            raise explain_server(state, error.diag.message_primary or str(error), self.place) from None

    @property
    def size(self) -> int:
        sql = (
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
            "WHERE relnamespace = to_regnamespace(?) AND relkind = 'r'"
        )
        return int(self._rows(sql, (self._schema,))[0][0])

    def close(self) -> None:
        if os.getpid() == self._process:
            self._connection.close()


def _query(sql: str) -> Any:
    """Shared SQL with psycopg's marks for arguments; it has no `?` and no `%` of its own."""
    return sql.replace("?", "%s")
