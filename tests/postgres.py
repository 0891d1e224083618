"""A PostgreSQL server for the tests: the one `GUICHET_TEST_POSTGRESQL` names, else that of this machine, started or
installed when it is not there (Debian's package). Missing, it fails the tests; it never skips them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final
from uuid import uuid4

import psycopg

from engine.storage.postgres.store import PostgresStore
from engine.storage.table_copy import TABLES

SERVERS: Final = (
    os.environ.get("GUICHET_TEST_POSTGRESQL", ""),
    "postgresql://postgres@127.0.0.1:5432/postgres",
    "postgresql://postgres:postgres@127.0.0.1:5432/postgres",
    "postgresql:///postgres?host=/var/run/postgresql",
)  # fmt: skip


@cache
def server() -> str:
    """The address of a server that answers."""
    said = ""
    for address in filter(None, SERVERS):
        try:
            psycopg.connect(address, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            said = str(error)
        else:
            return address
    raise RuntimeError(f"no PostgreSQL server answers; run `make database`, or set GUICHET_TEST_POSTGRESQL. {said}")


def _run(address: str, statement: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def database() -> Iterator[str]:
    """The address of a database of one's own, gone afterwards."""
    name = f"guichet_test_{uuid4().hex[:12]}"
    _run(server(), f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    try:
        yield _beside(name)
    finally:
        _run(server(), f"DROP DATABASE {name} WITH (FORCE)")


def kept_database(name: str, anew: bool = False) -> str:
    """The address of the database of this name, which stays; `anew`: empty."""
    with psycopg.connect(server(), autocommit=True) as connection:
        if anew:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    return _beside(name)


def _beside(name: str) -> str:
    """The address of another database of the same server."""
    place, _, options = server().partition("?")
    return f"{place.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


_EMPTIED: Final = "".join(
    ("BEGIN;", "SET LOCAL session_replication_role = replica;", *(f"DELETE FROM {name};" for name in TABLES), "COMMIT")
)  # past the guards of the journal, as only the owner of a server may; ten times as fast as TRUNCATE on few rows

_kept: dict[str, tuple[Any, str]] = {}


def emptied_database(use: str) -> str:
    """The address of a database without a row, the one of this process for this use. Making one anew takes seconds."""
    if use not in _kept:
        keeper = database()
        _kept[use] = (keeper, keeper.__enter__())
        store = PostgresStore(_kept[use][1])
        store.migrate()
        store.close()
    address = _kept[use][1]
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(_EMPTIED)
    return address


def an_empty_store() -> PostgresStore:
    """A store without a row, in the one database of this process."""
    return PostgresStore(emptied_database("store"))


def drop_database() -> None:
    """At the end of the process."""
    while _kept:
        _kept.popitem()[1][0].__exit__(None, None, None)


def install() -> None:
    """What a fresh machine needs. Asks for root when a package is missing."""
    try:
        server()
    except RuntimeError:
        subprocess.run(["apt-get", "install", "-y", "postgresql"], check=True)
        subprocess.run(
            "pg_ctlcluster $(pg_lsclusters -h | head -1 | cut -d' ' -f1,2) start || true", shell=True, check=True
        )
        trust = "ALTER USER postgres PASSWORD 'postgres'"
        subprocess.run(["runuser", "-u", "postgres", "--", "psql", "-c", trust], check=True)
        server.cache_clear()
        server()


if __name__ == "__main__":
    if "--install" in sys.argv:
        install()
    print(server().rsplit("@", 1)[-1])
