"""The names of the migrations, and the required settings of an SQLite connection.

The migrations (`engine/storage/sqlite/migrations.py`) are loaded only if one is pending.

Two releases may use one store while they replace each other. A start applies expanding migrations only: new tables,
indexes, columns that may stay empty. The store names the newest migration that a release must know to use it
(`compatibility.least`), and an expanding migration leaves that name as it is. What the former release still needs is
removed one release later, by `guichet upgrade --finish`, which raises the name.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

READ_ONLY: Final = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")  # for this account, or for all
WAIT_LIMIT: Final = 10.0  # seconds to wait for another process, as `busy_timeout` in milliseconds

NAMES: Final = (
    "0001 facts",
    "0002 ended payments",
    "0003 parts awaited",
    "0004 publications",
    "0005 forgotten",
    "0006 payment page",
    "0007 people",
    "0008 exchanges",
    "0009 mandates",
    "0010 edition heads",
    "0011 tallies",
    "0012 orders",
    "0013 events",
    "0014 leaves",
    "0015 snippets",
    "0016 openings",
    "0017 notes",
    "0018 refunds",
    "0019 refused mandates",
    "0020 phone moves",
    "0021 declared names",
    "0022 sms counts",
    "0023 unproven files",
    "0024 row journal",
    "0025 papers",
    "0026 compatibility",
    "0027 company numbers",
    "0028 received order",
    "0029 entered order",
    "0030 work order",
    "0031 former order",
    "0032 follows",
    "0033 annotations",
    "0034 receipt numbers",
)
# The migrations that remove or forbid what a former release needs, with the newest migration that a release must know
# afterwards. `guichet upgrade --finish` applies them, and every new store has them. PostgreSQL only.
FINISHING: Final[Mapping[str, str]] = MappingProxyType({"f001 immediate keys": "0026 compatibility"})
SINCE: Final = "0026 compatibility"
COMPATIBILITY: Final = """
CREATE TABLE compatibility (
  least TEXT NOT NULL
) STRICT;
INSERT INTO compatibility (least) VALUES ('0026 compatibility');
"""
LEAST: Final = "SELECT least FROM compatibility"

SETTINGS: Final = {
    "synchronous": "2",  # FULL: an acknowledged commit survives a power cut
    "foreign_keys": "1",
    "recursive_triggers": "1",  # otherwise INSERT OR REPLACE deletes without triggers
    "secure_delete": "1",
    "trusted_schema": "0",
    "cell_size_check": "1",
    "busy_timeout": "10000",
}
HAD: Final = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'guichet'"
RECORDED: Final = "SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'"
SPEED: Final = ("PRAGMA cache_size=-16000", "PRAGMA temp_store=MEMORY", "PRAGMA journal_size_limit=67108864")


class UnsafeSettings(RuntimeError):
    """The database does not run with the required settings. Its commits are not safe, so the program does not start."""


class WrongEncoding(UnsafeSettings):
    """The database does not store text as UTF-8. `str()` is its encoding, which never changes after its creation."""


class NotOwner(RuntimeError):
    """The account may not create or change tables. `str()` is what the database said."""


class ForeignSchema(RuntimeError):
    """A newer release changed the database so that this one may not use it. `str()` is a migration unknown here."""


def check_compatible(applied: Iterable[str], least: str) -> None:
    """Check that this release may use a store, from its migrations and the newest that must be known.

    Raises `ForeignSchema`.
    """
    if (unknown := strange(applied)) and least not in NAMES:
        raise ForeignSchema(least or unknown[0])


def strange(applied: Iterable[str]) -> tuple[str, ...]:
    """Return the applied migrations that are unknown to this release, sorted."""
    return tuple(sorted(set(applied) - set(NAMES) - FINISHING.keys()))


def prepare(connection: sqlite3.Connection, journal_mode: str) -> None:
    """Set up the connection and check the settings in use. Raises `UnsafeSettings`."""
    connection.execute(f"PRAGMA busy_timeout={SETTINGS['busy_timeout']}")
    _switch_journal(connection, journal_mode)
    for name, value in SETTINGS.items():
        connection.execute(f"PRAGMA {name}={value}")
    for pragma in SPEED:
        connection.execute(pragma)
    found = read_settings(connection)
    asked = {"journal_mode": journal_mode, **SETTINGS}
    if wrong := [f"{name}={found[name]}" for name, value in asked.items() if found[name] != value]:
        raise UnsafeSettings(", ".join(wrong))


def _switch_journal(connection: sqlite3.Connection, journal_mode: str) -> None:
    """Switch the journal mode, with retries: SQLite does not wait here for other processes that open a new file."""
    deadline = time.monotonic() + WAIT_LIMIT
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != journal_mode:
        try:
            connection.execute(f"PRAGMA journal_mode={journal_mode}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return  # `prepare` checks the result with the other settings


def read_settings(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the settings in use, by pragma."""
    return {name: str(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("journal_mode", *SETTINGS)}


def applied(connection: sqlite3.Connection) -> tuple[frozenset[str], str]:
    """Return the names of the migrations applied to a file, and the newest that a release must know to use it."""
    if connection.execute(RECORDED).fetchone() is None:
        return frozenset(), ""
    had = frozenset(name for (name,) in connection.execute(HAD))
    return had, connection.execute(LEAST).fetchone()[0] if SINCE in had else ""
