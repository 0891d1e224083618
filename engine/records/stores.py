"""Which store an address names: `postgresql://…`, or a file (`sqlite:///path`, or the path alone)."""

from __future__ import annotations

from pathlib import Path

from engine.records.postgres import PostgresStore
from engine.records.sqlite import SqliteStore
from engine.records.store import Store

_POSTGRES = ("postgresql://", "postgres://")
_SQLITE = "sqlite:///"


def open_store(address: str | Path) -> Store:
    """The store at an address, not migrated. Raises `UnsafeSettings`, `Busy`, `Damaged`."""
    text = str(address)
    if text.startswith(_POSTGRES):
        return PostgresStore(text)
    return SqliteStore(text.removeprefix(_SQLITE))
