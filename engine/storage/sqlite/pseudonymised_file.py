"""An SQLite file for SQL readers (Datasette, a spreadsheet), written whole or not at all. Only its owner can read it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

from sqlite_utils import Database

Cell: TypeAlias = str | int | None
Columns: TypeAlias = Mapping[str, type]


def write_masked(
    file: Path,
    tables: Mapping[str, Columns],
    indexes: Iterable[tuple[str, str]],
    rows: Iterable[tuple[str, Mapping[str, Cell]]],
) -> dict[str, int]:
    """Write each row into its table and return the number of rows by table. Raises `FileExistsError`, as no file is
    overwritten, and `OSError`."""
    if file.exists():
        raise FileExistsError(str(file))
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        counts = _filled(beside, tables, indexes, rows)
        os.link(beside, file)  # unlike a rename, this refuses an existing file
    finally:
        beside.unlink()
    return counts


def _filled(
    file: Path,
    tables: Mapping[str, Columns],
    indexes: Iterable[tuple[str, str]],
    rows: Iterable[tuple[str, Mapping[str, Cell]]],
) -> dict[str, int]:
    db = Database(file)
    try:
        for name, columns in tables.items():
            db.table(name).create(dict(columns), strict=True)
        with db.atomic():
            for name, run in groupby(rows, itemgetter(0)):
                db.table(name).insert_all(dict(row) for _, row in run)
        for name, column in indexes:
            db.table(name).create_index([column])
        db.analyze()
        return {name: db.table(name).count for name in tables}
    finally:
        db.close()
