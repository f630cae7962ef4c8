"""Both kinds of stores for tests: what one promises, the other promises too."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from gatekeeper.store import open_store
from gatekeeper.store.sql import Store
from postgres_server import Cluster, postgres

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.real)]

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Cluster]:
    """One server for all tests of this process."""
    pytest.importorskip("psycopg", reason="needs the extra: gatekeeper-gates[postgres]")
    with postgres() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: Cluster) -> Iterator[str]:
    """A URL of a store that isn't there yet, in a schema of its own that is gone after the test."""
    import psycopg

    schema = f"t_{os.getpid()}_{next(_numbers)}_{uuid4().hex[:8]}"
    yield f"{postgresql_server.url}?schema={schema}"
    with psycopg.connect(postgresql_server.url, autocommit=True) as connection, suppress(psycopg.Error):
        connection.execute(f"SET lock_timeout = '5s'; DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Run the test for each kind of store."""
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL of a store that isn't there yet: in a state folder, or on a server."""
    if kind == "sqlite":
        return str(tmp_path / ".gatekeeper" / "history.db")
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def stored(url: str, tmp_path: Path) -> Callable[[], Store]:
    """Open the store, made where there is none; the state folder is the test's own."""
    return lambda: open_store(url, create=True, folder=tmp_path / ".gatekeeper")


@pytest.fixture
def store(stored: Callable[[], Store]) -> Iterator[Store]:
    """An open, empty store."""
    with stored() as opened:
        yield opened
