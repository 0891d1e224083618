"""Defences taken away in a server process of the bars, by name: each must turn its bar red."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.records import sqlite
from engine.records.postgres import PostgresVerbs
from engine.records.sqlite_dossiers import DossierVerbs


def journal_in_another_unit() -> None:
    """What changes of a dossier is committed first; its journal, letters and timers follow in a transaction of their own."""
    honest = DossierVerbs.put_dossier

    def put(unit: Any, dossier: Any, expected_revision: int) -> None:
        honest(unit, dossier, expected_revision)
        unit._connection.execute("COMMIT")
        unit._connection.execute("BEGIN IMMEDIATE")

    DossierVerbs.put_dossier = put  # type: ignore


def no_turn_at_an_office() -> None:
    """People who take seats of one office at once do not wait for each other."""
    PostgresVerbs._turn = lambda *_: None  # type: ignore


def a_disk_never_fills() -> None:
    """What a disk refuses is no accident that passes."""
    sqlite._PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})  # type: ignore


TWINS: Final[Mapping[str, Callable[..., None]]] = {
    one.__name__: one for one in (journal_in_another_unit, no_turn_at_an_office, a_disk_never_fills)
}
