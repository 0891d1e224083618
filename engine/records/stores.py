"""Which store an address names: `postgresql://…`, or a file (`sqlite:///path`, or the path alone)."""

from __future__ import annotations

from pathlib import Path

from engine.records.postgres import PostgresStore
from engine.records.sqlite import SqliteStore
from engine.records.store import Store

_POSTGRES = ("postgresql://", "postgres://")
_SQLITE = "sqlite:///"


def file_of(address: str | Path) -> Path | None:
    """The file of a SQLite store; None for a server."""
    text = str(address)
    return None if text.startswith(_POSTGRES) else Path(text.removeprefix(_SQLITE))


def open_store(address: str | Path) -> Store:
    """The store at an address, not migrated. Raises `UnsafeSettings`, `Busy`, `Damaged`."""
    file = file_of(address)
    return PostgresStore(str(address)) if file is None else SqliteStore(file)
