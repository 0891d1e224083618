"""How names reach answers: only what is of its type passes. An answer typed wrong, not refused yet, is empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from engine.definition.expression_functions import bounded
from engine.definition.expression_nodes import Name
from engine.definition.expressions import Evaluator, Scope, Value
from engine.values import Span

_WRITTEN: Final = frozenset({"choice", "text", "time", "partial_date"})


def _whole(value: Value) -> Value:
    return bounded(value) if type(value) is int else None


def _number(value: Value) -> Value:
    return bounded(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else None


def _day(value: Value) -> Value:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _length_of_time(value: Value) -> Value:
    return value if isinstance(value, Span) else None


def _codes(value: Value) -> Value:
    return value if isinstance(value, tuple) and value and all(type(code) is str for code in value) else None


def _rows(value: Value) -> Value:
    return value if isinstance(value, tuple) and value and all(isinstance(row, Mapping) for row in value) else None


def _anything(value: Value) -> Value:
    return None if value is None or value == "" or value == () else value


_SIEVES: Final[Mapping[str, Callable[[Value], Value]]] = {
    "integer": _whole, "money": _whole, "decimal": _number, "percent": _number, "date": _day, "span": _length_of_time,
    "choices": _codes, "rows": _rows,
}  # fmt: skip


def read_name(node: Name) -> Evaluator:
    """The answer of that name when it is of its type; else empty."""
    name = node.id
    if node.type.kind in _WRITTEN:
        return lambda scope: value if type(value := find(scope, name)) is str and value else None
    if node.type.kind == "yes_no":
        return lambda scope: value if type(value := find(scope, name)) is bool else None
    sieve = _SIEVES.get(node.type.kind, _anything)
    return lambda scope: sieve(find(scope, name))


def find(scope: Scope, name: str) -> Value:
    """`scope.get`, quick where most names are: at hand."""
    value = scope.values.get(name)
    return value if value is not None or scope.outer is None else scope.get(name)
