"""The tables of SQLite as PostgreSQL has them, so that both stores stay equal. Triggers are written for PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from engine.storage.table_copy import ORDERED

_INSERTED: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
INSTANT: Final = """to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_COLUMN: Final = re.compile(r"^(\s*(?:\"?\w+\"?)) (TEXT|INTEGER)\b", re.MULTILINE)
TYPES: Final = {"TEXT": 'TEXT COLLATE "C"', "INTEGER": "BIGINT"}


def translated(text: str) -> Iterator[str]:
    """Yield the statements of one part of the schema, without its triggers."""
    for statement in _statements(text):
        head = statement.lstrip().split(None, 3)
        if head[:2] == ["CREATE", "TABLE"]:
            yield _table(statement, head[2])
        elif head[1] != "TRIGGER":
            yield statement


def _statements(text: str) -> Iterator[str]:
    """Yield the statements one by one. A trigger ends with its END."""
    left = text
    while left.strip():
        end = re.search(r"\bEND;|;", left) if left.lstrip().startswith("CREATE TRIGGER") else re.search(";", left)
        if left.lstrip().startswith("CREATE TRIGGER"):
            end = re.search(r"\bEND;", left)
        if end is None:
            raise ValueError(f"a statement without end: {left.strip()[:60]}")
        yield left[: end.start()].strip()
        left = left[end.end() :]


def _table(statement: str, name: str) -> str:
    whole = re.sub(r"\)\s*STRICT(, WITHOUT ROWID)?\s*$", ")", statement)
    whole = _one_line(whole)
    whole = _COLUMN.sub(lambda found: f"{found.group(1)} {TYPES[found.group(2)]}", whole)
    whole = whole.replace(" CHECK (json_valid(body))", "").replace("VIRTUAL", "STORED")
    whole = re.sub(r"DEFAULT \(strftime\([^)]*\)\)", f"DEFAULT {INSTANT}", whole)
    if name in ORDERED:
        whole = whole[: whole.rindex(")")].rstrip() + f",\n  rowid BIGINT NOT NULL DEFAULT {_INSERTED}\n)"
    return whole


def _one_line(statement: str) -> str:
    """Put each column on a line of its own, even in short tables."""
    if "\n" in statement:
        return statement
    head, _, columns = statement.partition("(")
    return f"{head}(\n" + ",\n".join(f"  {one.strip()}" for one in columns[:-1].split(", ")) + "\n)"


def guards(table: str, said: str, kept: str) -> Iterator[str]:
    """Yield the triggers of a table whose rows never change. `said`, `kept`: what an update and a deletion are answered."""
    for event, message in (("UPDATE", said), ("DELETE", kept)):
        yield (
            f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION guichet_stays('{message}')"
        )


def document_guards(*columns: str, also: str = "") -> Iterator[str]:
    """Yield the triggers of issued documents: no deletion, and only columns other than these may change."""
    changed = " OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in columns)
    yield (
        f"CREATE TRIGGER document_update BEFORE UPDATE ON document FOR EACH ROW WHEN ({changed}{also})"
        " EXECUTE FUNCTION guichet_stays('an issued document changes its status only')"
    )
