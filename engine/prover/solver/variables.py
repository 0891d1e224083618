"""The variables of the solver, one for each answer: the world in which terms are evaluated.

Variables are made on demand. A trace records what each needed, so that a query includes only what concerns it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

import z3

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Name, Node
from engine.model import Bounds, Consulted, Field, Form, Link, Table
from engine.model.types import Expression, Type
from engine.prover.solver.encoding import NO, YES, Codes, SymbolicRow, Term, all_of, any_of
from engine.prover.solver.inputs import ProverInput
from engine.prover.solver.terms import Terms

Z: TypeAlias = Any

T = TypeVar("T")

MOST: Final = 10**15 - 1
_NOTHING: Final[Mapping[str, Term]] = MappingProxyType({})
THOUSANDTHS: Final = 1_000  # decimal answers are tried to three places
_NUMBERS: Final = ("integer", "money")


@dataclass(slots=True)
class Trace:
    """What the construction of a term needed: names of answers, and formulas that define new symbols."""

    names: set[str] = field(default_factory=set)
    formulas: list[Z] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Question:
    """One question at one place: in the form, or in a row (`row`, which exists if `present`)."""

    field: Field
    key: str
    term: Term
    guard: Expression | None = None
    row: SymbolicRow | None = None
    owner: str | None = None  # the later form, or look-up, it belongs to
    present: Z = YES


class Variables:
    """The answers of one procedure on one day, with rows unrolled to `depth`. It is the world of its terms."""

    def __init__(self, procedure: ProverInput, today: date, floor: date, depth: int, dated: bool = True) -> None:
        """`floor` is the first possible day of submission. `dated`: options count only within their dates."""
        self.definition, self.today, self.floor, self.depth, self.dated = procedure, today, floor, depth, dated
        self.codes = Codes()
        self.terms = Terms(self)
        self.truncated: set[str] = set()  # rows that may be more than those unrolled
        self.known: dict[str, Term] = {}
        self.questions: dict[str, Question] = {}
        self.columns: dict[str, Question] = {}  # by key `rows.0.column`
        self.rows_of: dict[str, tuple[Question, SymbolicRow]] = {}  # by key of the row `rows.0`
        self.needs: dict[str, Trace] = {}
        self._traces: list[Trace] = [Trace()]
        self.length = z3.Function("length", z3.IntSort(), z3.IntSort())
        self.measured = False  # whether the length of some text is read

    # -- the world of terms --------------------------------------------------------------------------------------------

    def given(self, formula: Z) -> None:
        """Add a defining formula to the present trace, unless it is true."""
        if not z3.is_true(formula):
            self._traces[-1].formulas.append(formula)

    def mark(self, kind: str) -> None:
        """Record in the present trace what makes its formulas hard."""
        self._traces[-1].names.add(f"!{kind}")

    def name(self, name: str, type_: Type) -> Term:
        """Return the term of an answer, made at first use, and record it in the present trace."""
        self._traces[-1].names.add(name)
        if name not in self.known:
            self._traces.append(Trace())
            self.known[name] = self._made(name, type_)
            self.needs[name] = self._traces.pop()
        return self.known[name]

    def submitted_on(self) -> Term:
        """Return the day of submission, between `floor` and the day of the proof."""
        self._traces[-1].names.add("submitted_on")
        return Term(z3.Int("submitted_on"))

    def channel(self) -> Term:
        """Return the channel, one of those of the procedure."""
        self._traces[-1].names.add("channel")
        return Term(z3.Int("channel"))

    def happened(self, function: str, name: str) -> Term:
        """Return a yes/no variable for `done`, a number for `missed` and `taken`."""
        self._traces[-1].names.add(f"{function}:{name}")
        return Term(z3.Bool(f"done:{name}") if function == "done" else z3.Int(f"{function}:{name}"))

    def filled(self, form: str) -> Z:
        """Return the formula that a later form was filled, or that a register answered."""
        self._traces[-1].names.add(f"filled:{form}")
        return z3.Bool(f"filled:{form}")

    def table(self, name: str) -> Table:
        """Return a table of the procedure. Raises `KeyError` when it is unknown."""
        return self.definition.procedure.tables[name]

    def listed(self, name: str) -> frozenset[str]:
        """Return the codes of a list, empty when it is unknown."""
        return self.definition.lists.get(name, frozenset())

    def office_serving(self, place: str) -> str | None:
        """Return the office of the procedure's agency that serves a place, None when none does."""
        return self.definition.directory.office_serving(place, self.definition.procedure.identity.agency)

    def places(self) -> frozenset[str]:
        """Return the codes of the options of all questions of type `place`."""
        return self.definition.places

    def working_days(self, day: date, count: int) -> date | None:
        """Return the day that many working days after a known one, on the calendar of the directory."""
        return self.definition.directory.calendar.add_working_days(day, count)

    def length_of(self, node: Node, value: Z) -> Z:
        """Return the length of a text: exact for texts of the file, else within the bounds of its question."""
        self.measured = True
        found = self.length(value)
        asked = self.definition.fields.get(node.id) if isinstance(node, Name) else None
        bounds = asked.bounds if asked is not None and asked.type == "text" else Bounds(max_length=MOST)
        self.given(z3.And(found >= max(1, bounds.min_length), found <= bounds.max_length))
        for text, number in self.codes.numbers.items():
            self.given(self.length(z3.IntVal(number)) == len(text))
        return found

    # -- terms of answers ----------------------------------------------------------------------------------------------

    def _made(self, name: str, type_: Type) -> Term:
        asked = self.definition.fields.get(name)
        if asked is not None:
            return self._question(asked, name, self.definition.guards.get(name), None, self.definition.owners.get(name))
        if isinstance(self.definition.procedure.tasks.get(name), Form):
            return Term(z3.Int(name), self.filled(name))  # a look-up: the outcome of the register
        return self._free(name, type_)

    def _question(
        self,
        asked: Field,
        key: str,
        guard: Expression | None,
        row: SymbolicRow | None,
        owner: str | None,
        present: Z = YES,
    ) -> Term:
        if asked.value is not None:
            shown = self._shown(asked, guard, row)
            term = self.terms.term(tree(asked.value), row)
            return Term(term.value, all_of(shown, term.answered))
        term = self._rows(asked, key, row) if asked.type == "rows" else self._free(key, asked.value_type)
        question = Question(asked, key, term, guard, row, owner, present)
        if isinstance(term.value, tuple):
            self.rows_of |= {f"{key}.{at}": (question, slot) for at, slot in enumerate(term.value)}
        if row is None:
            self.questions[key] = question
        else:
            self.columns[key] = question
        return term

    def _shown(self, asked: Field, guard: Expression | None, row: SymbolicRow | None) -> Z:
        page = self.terms.holds(tree(guard)) if guard is not None else YES
        return all_of(page, self.terms.holds(tree(asked.when), row))

    def _free(self, key: str, type_: Type) -> Term:
        """The variable of a type, and whether it is answered."""
        answered = z3.Bool(f"{key}?")
        match type_.kind:
            case "yes_no":
                return Term(z3.Bool(key), answered)
            case "decimal" | "percent":
                self.mark("real")
                return Term(z3.ToReal(z3.Int(key)) / THOUSANDTHS, answered)
            case "choices":
                ticks = {code: z3.Bool(f"{key}={code}") for code in sorted(type_.codes or ())}
                return Term(ticks, all_of(answered, any_of(*ticks.values())))
            case "rows":
                return self._free_rows(key, type_)
            case _:
                return Term(z3.Int(key), answered)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _rows(self, asked: Field, key: str, outer: SymbolicRow | None) -> Term:
        if asked.id in self.definition.rounds:
            return self._round_rows(asked, self.definition.rounds[asked.id])
        bounds = asked.bounds
        count = min(bounds.max_items, max(bounds.min_items, self.depth))
        if count < bounds.max_items:
            self.truncated.add(key)
        columns: dict[str, tuple[Field, str | None]] = {one.id: (one, None) for one in asked.rows}
        columns |= {one.id: (one, form) for one, form in self.definition.added.get(asked.id, ())}
        slots = []
        for at in range(count):
            slots.append(self._slot(f"{key}.{at}", columns, outer))
        return Term(tuple(slots), slots[0].present if slots else NO)

    def _round_rows(self, asked: Field, round_: Form) -> Term:
        """A round as rows: each consulted service, with its opinion once given."""
        slots = tuple(self._round_slot(asked, service) for service in round_.services)
        return Term(slots, any_of(*(slot.present for slot in slots)))

    def _round_slot(self, asked: Field, service: Consulted) -> SymbolicRow:
        present = self.awaited(service.id)
        opinion = self.name(service.id, self.definition.type_of(service.id))
        given = all_of(present, opinion.answered, opinion.value != self.codes.number("silent"))
        said = {
            "service": Term(z3.IntVal(self.codes.number(service.id))),
            "opinion": opinion,
            "weight": Term(z3.IntVal(service.weight)),
        }
        asked_besides = {column.id: (column, None) for column in asked.rows if column.id not in said}
        return self._slot(f"{asked.id}.{service.id}", asked_besides, None, said, present, given)

    def _slot(
        self, key: str, columns: Mapping[str, tuple[Field, str | None]], outer: SymbolicRow | None,
        said: Mapping[str, Term] = _NOTHING, present: Z = None, asked_when: Z = None,
    ) -> SymbolicRow:  # fmt: skip
        """One row. Its questions are made when they are read. `said` are columns known from elsewhere."""
        made: dict[str, tuple[Term | None, Trace]] = {}

        def column(name: str) -> Term | None:
            if name in said:
                return said[name]
            if name not in made:
                made[name] = self.traced(lambda: self._column(name, key, columns, slot, asked_when))
            term, trace = made[name]
            if term is not None:
                self._traces[-1].names |= trace.names | {f"{key}.{name}"}
                self._traces[-1].formulas += trace.formulas
            return term

        slot = SymbolicRow(z3.Bool(f"{key}!") if present is None else present, column, outer, key)
        return slot

    def _column(
        self, name: str, key: str, columns: Mapping[str, tuple[Field, str | None]], slot: SymbolicRow, asked_when: Z
    ) -> Term | None:  # fmt: skip
        main = name.removesuffix("_other")
        if name in columns:
            asked, owner = columns[name]
            present = slot.present if asked_when is None else asked_when
            return self._question(asked, f"{key}.{name}", None, slot, owner, present)
        if name != main and main in columns:
            return Term(z3.Int(f"{key}.{name}"), z3.Bool(f"{key}.{name}?"))
        return None

    def _free_rows(self, key: str, type_: Type) -> Term:
        """Rows of no question of this file: their columns may have any value."""
        self.truncated.add(key)
        slots = []
        for at in range(max(1, min(self.depth, 3))):
            slots.append(self._free_slot(f"{key}.{at}", type_))
        return Term(tuple(slots), slots[0].present)

    def _free_slot(self, key: str, type_: Type) -> SymbolicRow:
        columns = type_.row or {}

        def column(name: str) -> Term | None:
            if name not in columns:
                return None
            self._traces[-1].names.add(f"{key}.{name}")
            return self._free(f"{key}.{name}", columns[name])

        return SymbolicRow(z3.Bool(f"{key}!"), column, key=key)

    def traced(self, build: Callable[[], T]) -> tuple[T, Trace]:
        """Return what `build` makes, and the trace of what it needed."""
        self._traces.append(Trace())
        try:
            made = build()
        finally:
            trace = self._traces.pop()
        return made, trace

    def awaited(self, task: str) -> Z:
        """Return the formula that a task is waited for, or that a service is consulted: its `when` holds.

        An earlier dossier that is not required is perhaps not named, and then not waited for.
        """
        known = self.definition.procedure.tasks.get(task) or self.definition.services.get(task)
        needed = self.terms.holds(tree(known.required)) if isinstance(known, Link) else YES
        return YES if known is None else all_of(self.terms.holds(tree(known.when)), needed)
