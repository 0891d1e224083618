"""Which migrations make the tables of the SQLite store, and the settings a connection must really run with.

The migrations themselves (`sqlite_migrations.py`) are loaded where one is pending.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

READ_ONLY: Final = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")  # to this account, or to all
WAIT_LIMIT: Final = 10.0  # seconds to wait for another process, as `busy_timeout` says in milliseconds

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
)

SETTINGS: Final = {
    "synchronous": "2",  # FULL: a commit that was acknowledged survives a power cut
    "foreign_keys": "1",
    "recursive_triggers": "1",  # else INSERT OR REPLACE deletes past the triggers
    "secure_delete": "1",
    "trusted_schema": "0",
    "cell_size_check": "1",
    "busy_timeout": "10000",
}
HAD: Final = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'guichet'"
RECORDED: Final = "SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'"
SPEED: Final = ("PRAGMA cache_size=-16000", "PRAGMA temp_store=MEMORY", "PRAGMA journal_size_limit=67108864")


class UnsafeSettings(RuntimeError):
    """SQLite does not run as asked: nothing it acknowledges could be trusted, so the program does not start."""


class ForeignSchema(RuntimeError):
    """The file was written by a newer release than this one."""


def prepare(connection: sqlite3.Connection, journal_mode: str) -> None:
    """Sets the connection up and reads back what it really runs with. Raises `UnsafeSettings`."""
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
    """SQLite lets nobody wait for this switch, so of several processes that begin on one new file the others ask again."""
    deadline = time.monotonic() + WAIT_LIMIT
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != journal_mode:
        try:
            connection.execute(f"PRAGMA journal_mode={journal_mode}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return  # what it became is read back with all the rest


def read_settings(connection: sqlite3.Connection) -> dict[str, str]:
    """What the connection really runs with, by pragma."""
    return {name: str(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("journal_mode", *SETTINGS)}


def applied(connection: sqlite3.Connection) -> frozenset[str]:
    """The names of the migrations that a file had."""
    if connection.execute(RECORDED).fetchone() is None:
        return frozenset()
    return frozenset(name for (name,) in connection.execute(HAD))
