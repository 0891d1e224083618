"""Tables: functions written as data. A key is exact, or a bracket that runs from its row to the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from engine.definition.expressions import Value
from engine.definition.model import Table


def functions_of(tables: Mapping[str, Table]) -> Mapping[str, Callable[..., Value]]:
    """Each table as expressions call it."""
    return {name: _function(table) for name, table in tables.items()}


def _function(table: Table) -> Callable[..., Value]:
    return lambda *keys: value_of(table, keys)


def value_of(table: Table, keys: tuple[Value, ...]) -> Value:
    """What the table gives for these keys; `otherwise` outside every row, empty when a key is."""
    if len(keys) != len(table.keys) or any(key is None for key in keys):
        return None
    rows = list(table.rows.items())
    for place, (key, given) in enumerate(zip(table.keys, keys, strict=True)):
        if not key.from_:
            rows = [row for row in rows if row[0][place] == given]
            continue
        begun = [row[0][place] for row in rows if _begins(row[0][place], given)]
        if not begun:
            return table.otherwise
        last = max(begun, key=_rank)
        rows = [row for row in rows if row[0][place] == last]
    return rows[0][1] if rows else table.otherwise


def _begins(start: Value, given: Value) -> bool:
    """Does a bracket that runs from `start` hold the value?"""
    if isinstance(start, date) and isinstance(given, date):
        return start <= given
    if isinstance(start, int | Decimal) and isinstance(given, int | Decimal):
        return Decimal(start) <= Decimal(given)
    return False


def _rank(start: Value) -> Decimal:
    return (
        Decimal(start.toordinal())
        if isinstance(start, date)
        else Decimal(start if isinstance(start, int) else str(start))
    )
