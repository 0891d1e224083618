"""Witnesses: answers that the solver found, evaluated again with the real expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from engine.core.values import Plain
from engine.language.compiler.tables import table_function
from engine.language.expressions.compiler import expression_of
from engine.language.expressions.nodes import Node
from engine.model import Field
from engine.model.types import Expression, History, Row, Scope, Value
from engine.prover.solver.inputs import FORMER, ProverInput

_NO_ROW: Final[tuple[str, ...]] = ()
_NOTHING_YET: Final = History()


class Answers(Mapping[str, Value]):
    """Given answers with computed ones. A hidden question is empty."""

    __slots__ = ("_busy", "_fields", "_given", "_guards", "_known", "scope")

    scope: Scope

    def __init__(
        self, fields: Mapping[str, Field], guards: Mapping[str, Expression], given: Mapping[str, Value]
    ) -> None:
        self._fields, self._guards, self._given = fields, guards, given
        self._known: dict[str, Value] = {}
        self._busy: set[str] = set()

    def shows(self, name: str) -> bool:
        """Return whether a question is shown with these answers: its page and its own condition hold."""
        asked, guard = self._fields[name], self._guards.get(name)
        return (guard is None or guard.holds(self.scope)) and asked.when.holds(self.scope)

    def __getitem__(self, name: str) -> Value:
        if name not in self._known:
            if name in self._busy:
                return None
            self._busy.add(name)
            self._known[name] = self._worth(name)
            self._busy.discard(name)
        return self._known[name]

    def _worth(self, name: str) -> Value:
        asked = self._fields.get(name)
        if asked is None:
            return self._given[name]
        if not self.shows(name):
            return None
        if asked.value is not None:
            return asked.value.value(self.scope)
        given = self._given.get(name)
        if isinstance(given, tuple) and any(isinstance(row, Mapping) for row in given):
            columns = {column.id: column for column in asked.rows}
            return tuple(self._row(columns, row) for row in given if isinstance(row, Mapping))
        return given

    def _row(self, columns: Mapping[str, Field], given: Row) -> Row:
        row = Answers(columns, {}, given)
        row.scope = self.scope.inside(row)
        return row

    def __contains__(self, name: object) -> bool:
        return name in self._fields or name in self._given

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._fields, *self._given)))

    def __len__(self) -> int:
        return len({*self._fields, *self._given})


@dataclass(frozen=True, slots=True)
class Witness:
    """One possible case of a procedure: its relevant answers, the day, and what happened before.

    `path` are the ids of the transitions from the first state, when the witness is about a state.
    """

    answers: Mapping[str, Value]
    today: date
    submitted_on: date
    channel: str = "web"
    history: History = _NOTHING_YET
    path: tuple[str, ...] = ()
    names: frozenset[str] = field(default=frozenset(), compare=False)

    def along(self, path: tuple[str, ...]) -> Witness:
        """Return this witness with the ids of its transitions."""
        return replace(self, path=path)

    def given(self) -> dict[str, Plain]:
        """Return the answers as a scenario writes them. Files are left out: a scenario takes examples."""
        found = {
            name: _plain(value) for name, value in self.answers.items() if value is not None and FORMER not in name
        }
        return {name: plain for name, plain in found.items() if plain != ["example"]}

    def scope(self, definition: ProverInput) -> Scope:
        """Return the scope of these answers, computed ones included."""
        procedure, directory = definition.procedure, definition.directory
        answers = Answers(definition.fields, definition.guards, self.answers)
        answers.scope = Scope(
            values=answers,
            today=self.today,
            history=self.history,
            lists=definition.lists,
            submitted_on=self.submitted_on,
            channel=self.channel,
            add_working_days=directory.calendar.add_working_days,
            office_serving=lambda place: directory.office_serving(place, procedure.identity.agency),
            tables={name: table_function(table) for name, table in procedure.tables.items()},
        )
        return answers.scope

    def holds(self, procedure: ProverInput, node: Node, rows: tuple[str, ...] = _NO_ROW) -> bool:
        """Return whether a condition holds with these answers, in the first row of `rows`."""
        scope = self.scope(procedure)
        for name in rows:
            found = scope.get(name)
            first = found[0] if isinstance(found, tuple) and found else None
            if not isinstance(first, Mapping):
                return False
            scope = first.scope if isinstance(first, Answers) else scope.inside(first)
        return expression_of(node, "").holds(scope)


def _plain(value: Value) -> Plain:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, tuple):
        return [_plain_row(one) if isinstance(one, Mapping) else str(one) for one in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def _plain_row(row: Row) -> Plain:
    cells = {name: _plain(value) for name, value in row.items()}
    return {name: plain for name, plain in cells.items() if plain not in (None, ["example"])}
