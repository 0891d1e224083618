"""How explorations begin: answers that open one branch after another, found by the solver, made fit for a real form.

The solver answers what its question turns on, and what else must be there; a name that no condition reads is left to
the examples of the file, which are real ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from typing import Final

from engine.core.values import Plain, canonical_json
from engine.domain.fields.choices import other_chosen
from engine.language.expressions.compiler import negate, tree
from engine.language.expressions.nodes import Name, reads_a_row, walk
from engine.model import Field, Procedure, is_part
from engine.model.directory import Directory
from engine.model.types import Constant, Expression
from engine.prover.checks.runner import Witness, witness_of_condition, witness_of_line, witness_of_state

SECONDS: Final = 2.0  # for one witness
_MADE_UP: Final = frozenset({"text", "file"})  # kinds of answers that the solver makes up out of nothing


@dataclass(frozen=True, slots=True)
class StartAnswers:
    """How a dossier is opened. `goal` is what it should lead to, empty for the examples alone; `path` the ways there."""

    day: date
    given: Mapping[str, Plain] = field(default_factory=dict)
    channel: str = "web"
    goal: str = ""
    path: tuple[str, ...] = ()
    said: Mapping[str, Plain] = field(default_factory=dict)  # by services and registers, once asked

    @property
    def wishes(self) -> dict[str, Plain]:
        """What is wanted of everybody, the applicant's answers included."""
        return {**self.given, **self.said}


def beginnings(procedure: Procedure, directory: Directory, day: date, chance: random.Random) -> Iterator[StartAnswers]:
    """The examples first, then answers that lead to each state, owe each line, turn each condition; each once."""
    known: set[bytes] = set()
    for one in _all(procedure, directory, day, chance):
        mark = canonical_json([one.day.isoformat(), one.channel, dict(one.given)])
        if mark not in known:
            known.add(mark)
            yield one


def leading_to(procedure: Procedure, directory: Directory, day: date, state: str) -> Iterator[StartAnswers]:
    """Answers that should lead to a state, the likeliest first."""
    witness = witness_of_state(procedure, directory, day, state, SECONDS)
    if witness is not None:
        yield from begun(procedure, witness, state, day)
    yield StartAnswers(day)


def _all(procedure: Procedure, directory: Directory, day: date, chance: random.Random) -> Iterator[StartAnswers]:
    yield StartAnswers(day)
    for state in chance.sample(list(procedure.states), len(procedure.states)):
        witness = witness_of_state(procedure, directory, day, state, SECONDS)
        yield from begun(procedure, witness, state, day)
    lines = [(fee.id, line.id) for fee in procedure.fees() for line in fee.lines]
    for fee, line in chance.sample(lines, len(lines)):
        yield from begun(procedure, witness_of_line(procedure, directory, day, fee, line, SECONDS), line, day)
    conditions = list(_conditions(procedure))
    for condition in chance.sample(conditions, len(conditions)):
        for side in (condition, negate(condition)):
            witness = witness_of_condition(procedure, directory, day, side, SECONDS)
            yield from begun(procedure, witness, side.text, day)


def begun(procedure: Procedure, witness: Witness | None, goal: str, day: date) -> Iterator[StartAnswers]:
    """A witness as a dossier is opened: with what the conditions read of it, then with all it says."""
    if witness is None:
        return
    read = _names_read(procedure)
    asked = {field.id: field for field in procedure.fields.values()}
    asked |= {one.id: one.field for one in procedure.eligibility}
    said = {name: value for name, value in witness.given().items() if name in asked and asked[name].value is None}
    fit = {name: _fit(asked[name], value, read) for name, value in said.items() if name in read}
    fit = {name: value for name, value in fit.items() if value is not None}
    others = {name: value for name, value in witness.given().items() if name not in asked}
    for given in (fit, said):
        whole = {**given, **_details(asked, given)}
        yield StartAnswers(witness.today, whole, witness.channel, goal, witness.path, others)


def _details(asked: Mapping[str, Field], given: Mapping[str, Plain]) -> dict[str, Plain]:
    """« Autre » asks which one; what its question is called will do."""
    chosen = (asked[name] for name, value in given.items() if other_chosen(asked[name], value))
    return {f"{one.id}_other": str(one.label) for one in chosen}


def _fit(asked: Field, value: Plain, read: frozenset[str]) -> Plain:
    """The part of an answer that is no invention; none when all of it is."""
    if isinstance(value, list) and asked.type == "rows":
        columns = {column.id: column for column in asked.rows}
        return [_fit_row(row, columns, read) for row in value if isinstance(row, dict)]
    return None if asked.value_type.kind in _MADE_UP else value


def _fit_row(row: Mapping[str, Plain], columns: Mapping[str, Field], read: frozenset[str]) -> dict[str, Plain]:
    kept = {
        name: _fit(columns[name], value, read)
        for name, value in row.items()
        if name in columns and name in read and columns[name].value is None
    }
    return {name: value for name, value in kept.items() if value is not None}


# -- what the book reads -----------------------------------------------------------------------------------------------


def _names_read(procedure: Procedure) -> frozenset[str]:
    """The answers that some expression reads."""
    nodes = (node for expression in _expressions(procedure) for node in walk(tree(expression)))
    return frozenset(node.id for node in nodes if isinstance(node, Name))


def _conditions(procedure: Procedure) -> Iterator[Expression]:
    """Every condition that answers of a whole form can turn, once each."""
    found = {one.text: one for one in _expressions(procedure) if one.type.kind == "yes_no"}
    for one in found.values():
        if not isinstance(one.node, Constant) and not reads_a_row(tree(one)):
            yield one


def _expressions(procedure: Procedure) -> Iterator[Expression]:
    parts = (
        procedure.form, procedure.eligibility, tuple(procedure.tasks.values()), procedure.transitions,
        tuple(procedure.outputs.values()), procedure.notices,
    )  # fmt: skip
    yield from _inside(parts)


def _inside(value: object) -> Iterator[Expression]:
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _inside(one)
    elif is_dataclass(value) and is_part(value):
        for part in fields(value):
            yield from _inside(getattr(value, part.name))
