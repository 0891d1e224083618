"""Coverage of scenarios: which conditions, fee lines and table rows they exercise.

A copy of a procedure records what it evaluates. The copy has its own fingerprint, so caches of the
procedure (such as its machine) never record. The procedure itself stays unchanged and evaluates at full
speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from engine.core.problems import NOWHERE, Position, Problem, problem
from engine.core.values import fingerprint, new_id
from engine.model import (
    Cut,
    FeeLine,
    Field,
    Instalments,
    NamedElement,
    Option,
    Page,
    Procedure,
    Table,
    Transition,
    is_part,
)
from engine.model.types import Constant, Expression, Scope, Value

CONDITIONS: Final = frozenset({"when", "required", "holds", "stop_when", "exempt"})
HOLDS: Final = "holds"
FAILS: Final = "fails"
USED: Final = "used"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """One thing to exercise: both sides of a condition, a line of a fee, a row of a table.

    `name` is what authors search for: `express.when`, `frais.base`, `tarif (a, b)`.
    """

    name: str
    where: Position
    sides: frozenset[str]


class Record:
    """The sides seen of each coverage point, over all scenarios played on the copy."""

    def __init__(self) -> None:
        self.seen: dict[CoveragePoint, set[str]] = {}

    def spot(self, name: str, where: Position, *sides: str) -> CoveragePoint:
        """Return the point with this name, place and sides, and register it as not seen."""
        found = CoveragePoint(name, where, frozenset(sides))
        self.seen.setdefault(found, set())
        return found

    def left(self) -> Iterator[tuple[CoveragePoint, str]]:
        """Yield the sides never seen, in the order of the definition."""
        for spot in sorted(self.seen, key=lambda one: (one.where, one.name)):
            yield from ((spot, side) for side in sorted(spot.sides - self.seen[spot]))

    @property
    def counts(self) -> tuple[int, int]:
        """The number of sides seen and the number of all sides."""
        every = sum(len(spot.sides) for spot in self.seen)
        return every - sum(1 for _ in self.left()), every

    def problems(self) -> Iterator[Problem]:
        """Yield a problem V740 for each side that no scenario exercises."""
        for spot, side in self.left():
            yield problem("V740", spot.where, name=spot.name, **({} if side == USED else {"side": side}))


def recorded(procedure: Procedure) -> tuple[Procedure, Record]:
    """Return a copy of the procedure that records what it evaluates, and the record."""
    record = Record()
    return _Copy(record).of_procedure(procedure), record


class _Copy:
    """Copies a procedure, each part once whatever the number of references."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._known: dict[int, object] = {}

    def of_procedure(self, procedure: Procedure) -> Procedure:
        parts = {
            one.name: self._of(getattr(procedure, one.name), "")
            for one in fields(procedure)
            if one.name not in ("identity", "laws", "scenarios", "personal_data", "lists", "definitions")
        }
        return replace(procedure, **{**parts, "fingerprint": fingerprint(new_id())})

    def _of(self, value: _T, owner: str) -> _T:
        if isinstance(value, tuple):
            return cast(_T, tuple(self._of(one, owner) for one in value))
        if isinstance(value, Mapping):
            return cast(_T, MappingProxyType({key: self._of(one, owner) for key, one in value.items()}))
        if not is_part(value):
            return value
        if id(value) not in self._known:
            self._known[id(value)] = self._thing(value, owner)
        return cast(_T, self._known[id(value)])

    def _thing(self, thing: Any, owner: str) -> object:
        name = _name_of(thing, owner)
        changes: dict[str, object] = {}
        for one in fields(thing):
            value = getattr(thing, one.name)
            made = self._part(thing, one.name, value, name)
            if made is not value:
                changes[one.name] = made
        return replace(thing, **changes) if changes else thing

    def _part(self, thing: object, key: str, value: object, name: str) -> object:
        if isinstance(value, Expression):
            return self._expression(thing, key, value, name)
        if isinstance(thing, Table) and key == "rows":
            return self._rows(thing, name)
        return self._of(value, "" if isinstance(thing, Page) else name)

    def _expression(self, thing: object, key: str, one: Expression, name: str) -> Expression:
        if isinstance(thing, FeeLine) and key == "amount":
            return self._noting(one, self.record.spot(name, thing.where, USED))
        if key not in CONDITIONS or isinstance(one.node, Constant):
            return one
        where = one.where if one.where != NOWHERE else thing.where if isinstance(thing, NamedElement) else NOWHERE
        # in an ordered list, what one entry refuses the next takes
        sides = (HOLDS,) if isinstance(thing, Transition) and thing.rank > 0 else (HOLDS, FAILS)
        return self._noting(one, self.record.spot(f"{name}.{_KEYS.get(key, key)}", where, *sides))

    def _noting(self, one: Expression, spot: CoveragePoint) -> Expression:
        run, seen, used = one.run, self.record.seen[spot], USED in spot.sides

        def noted(scope: Scope) -> Value:
            found = run(scope)
            seen.add(USED if used else HOLDS if found is True else FAILS)
            return found

        return replace(one, run=noted)

    def _rows(self, table: Table, name: str) -> Mapping[tuple[Value, ...], Value]:
        spots = {
            key: self.record.spot(f"{name} ({', '.join(map(str, key))})", table.where, USED) for key in table.rows
        }  # fmt: skip
        return _Rows(table.rows, {key: self.record.seen[spot] for key, spot in spots.items()})


_KEYS: Final = {"holds": "must", "exempt": "exempt_when", "Cut": "reductions", "Instalments": "instalments"}


def _name_of(thing: object, owner: str) -> str:
    if isinstance(thing, Transition):
        return f"{thing.source}.{thing.id.rpartition('.')[2]}"
    if isinstance(thing, (FeeLine, Field)) and owner not in ("", thing.id):
        return f"{owner}.{thing.id}"
    if isinstance(thing, Option):
        return f"{owner}.{thing.code}"
    if isinstance(thing, (Cut, Instalments)):
        return f"{owner}.{_KEYS[type(thing).__name__]}"
    return thing.id if isinstance(thing, NamedElement) else owner


class _Rows(Mapping[tuple[Value, ...], Value]):
    """The rows of a table, each recording that it was read."""

    def __init__(self, rows: Mapping[tuple[Value, ...], Value], seen: Mapping[tuple[Value, ...], set[str]]) -> None:
        self._rows, self._seen = rows, seen

    def __getitem__(self, key: tuple[Value, ...]) -> Value:
        self._seen[key].add(USED)
        return self._rows[key]

    def __iter__(self) -> Iterator[tuple[Value, ...]]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
