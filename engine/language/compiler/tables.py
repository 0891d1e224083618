"""Tables: functions written as data.

They are read from the file, checked against the options of their keys, and called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from engine.core.problems import Fact, problem
from engine.language.compiler.build_context import plain_number
from engine.language.compiler.symbols import SymbolContext
from engine.language.expressions.typing import read_literal
from engine.language.source.loader import Path, Tree
from engine.language.source.notation import likely_number, read_date
from engine.model import Key, Table
from engine.model.types import Type, Value

# -- calling -----------------------------------------------------------------------------------------------------------


def table_function(table: Table) -> Callable[..., Value]:
    """Return the table as a function of its keys in order.

    Its result is the value of the row, `otherwise`, or None when a key is empty.
    """

    def answer(*values: Value) -> Value:
        if any(value is None for value in values):
            return None
        rows = list(table.rows)
        for at, (key, value) in enumerate(zip(table.keys, values, strict=True)):
            wanted = _start(rows, at, value) if key.from_ else value
            rows = [row for row in rows if row[at] == wanted]
        return table.rows[rows[0]] if rows else table.otherwise

    return answer


def _start(rows: list[tuple[Value, ...]], at: int, value: Value) -> Value:
    """The start of the row that holds a value: the last start not after it."""
    reached = _rank(value)
    return max((row[at] for row in rows if _rank(row[at]) <= reached), default=None, key=_rank)


def _rank(value: Value) -> Decimal:
    if isinstance(value, date):
        return Decimal(value.toordinal())
    return Decimal(value) if isinstance(value, int | Decimal) else Decimal(0)


# -- reading -----------------------------------------------------------------------------------------------------------


def build_tables(symbols: SymbolContext) -> Iterator[Table]:
    """Yield the tables, in the order of the file. A table whose name is taken is left out."""
    for name, path in symbols.build.each(("tables",)):
        if name in symbols.words.everywhere.tables:  # else its name is taken, and was reported (N302)
            yield _table(symbols, name, path)


def _table(symbols: SymbolContext, name: str, path: Path) -> Table:
    build = symbols.build
    signature = symbols.words.everywhere.tables[name]
    keys = tuple(Key(type_, isinstance(build.at((*path, "by", at)), dict)) for at, type_ in enumerate(signature.keys))
    for at, written in enumerate(build.items((*path, "by"))):
        if isinstance(written, str):
            _check_key(symbols, written, (*path, "by", at), signature.keys[at])
    rows: dict[tuple[Value, ...], Value] = {}
    _read_rows(symbols, (*path, "rows"), keys, signature.gives, (), rows)
    otherwise = build.at((*path, "otherwise"))
    return Table(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        keys=keys,
        gives=signature.gives,
        rows=MappingProxyType(rows),
        otherwise=None if otherwise is None else _value(symbols, (*path, "otherwise"), otherwise, signature.gives),
    )


def _check_key(symbols: SymbolContext, name: str, path: Path, type_: Type) -> None:
    """Report a key that is no question with options, of the form or of a row."""
    if name not in symbols.names.column_ids() and not symbols.names.check(
        symbols.build, name, path, "question", "evidence"
    ):
        return
    if type_.kind != "choice":
        computed = name in symbols.names.ids and symbols.build.at((*symbols.names.ids[name].path, "value")) is not None
        what = "computed" if computed else "other"
        symbols.build.say("N305", path, name=name, found=type_.kind, wanted=("choice",), what=what)


def _read_rows(
    symbols: SymbolContext, path: Path, keys: tuple[Key, ...], gives: Type, before: tuple[Value, ...],
    rows: dict[tuple[Value, ...], Value],
) -> None:  # fmt: skip
    """One level of the rows, then those inside each of them."""
    if not keys:
        return
    first, *others = keys
    entries = symbols.build.entries(path)
    for written, value in entries.items():
        here = (*path, written)
        key = _key(symbols, here, written, first)
        if key is None or (value is None and before):  # `null`: no such case; P7 proves that no answer needs it
            continue
        if others:
            if isinstance(value, dict):
                _read_rows(symbols, here, tuple(others), gives, (*before, key), rows)
            else:
                symbols.build.say("S203", here, expected="map", found="value", name=written)
        else:
            rows[(*before, key)] = _value(symbols, here, value, gives)
    missing = tuple(sorted((first.type.codes or frozenset()) - entries.keys())) if not first.from_ else ()
    if missing and symbols.build.at((*path[: path.index("rows")], "otherwise")) is None:
        symbols.build.say("S230", path, key=True, name=missing[0], missing=missing)


def _key(symbols: SymbolContext, path: Path, written: str, key: Key) -> Value:
    """The key of a row: a code, or where the row begins."""
    if not key.from_:
        if key.type.codes is not None and written not in key.type.codes:
            known = tuple(sorted(key.type.codes))
            symbols.build.say("S231", path, key=True, name=written, options=known[:12])
            return None
        return written
    found: Value = read_date(written) if key.type.kind == "date" else _number(written)
    if found is None:
        symbols.build.say("S203", path, key=True, expected=key.type.kind, found="text", value=written)
    return found


def _number(written: str) -> int | Decimal | None:
    text = written.removeprefix("-").replace(".", "", 1)
    if not text.isascii() or not text.isdigit():
        return None
    return Decimal(written) if "." in written else int(written)


def _value(symbols: SymbolContext, path: Path, written: Tree, gives: Type) -> Value:
    found = read_literal(plain_number(written), gives)
    if found is None:
        number = likely_number(str(written)) if gives.kind in ("money", "integer", "decimal") else None
        near = {"instead": number, "put": number} if number is not None else {}
        facts: dict[str, Fact] = {
            "given": type(written).__name__,
            "wanted": (gives.kind,),
            "value": str(written),
            **near,
        }
        symbols.build.problems.append(problem("E413", symbols.build.where(path), **facts))
        return None
    return found.value
