"""Which answers a procedure may hold: one variable an answer, and what its question, its page and its checks allow.

Everything is made on demand: a question asked of the solver brings in the names it needs, these bring in the conditions
that show them, their bounds and the checks that name them (`cone`). The rest, which does not touch them, stays out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import z3

from engine.definition.expression_compiler import tree
from engine.definition.expression_nodes import Name, Node, needed_names
from engine.definition.expressions import Expression, Type
from engine.definition.model import Bounds, Check, Field, Form, Option, Table
from engine.definition.prove_book import LOOK_UP, Book, Must, Stop
from engine.definition.prove_calendar import FIRST, LAST
from engine.definition.prove_terms import NO, YES, Codes, Slot, Term, Terms, all_of, any_of

Z: TypeAlias = Any

T = TypeVar("T")

MOST: Final = 10**15 - 1
THOUSANDTHS: Final = 1_000  # decimal answers are tried to three places
_NUMBERS: Final = ("integer", "money")


@dataclass(slots=True)
class Trace:
    """What building something needed: names, and formulas that define symbols made on the way."""

    names: set[str] = field(default_factory=set)
    formulas: list[Z] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Question:
    """One question at one place: the form, or a row (`row`, which may be there: `present`)."""

    field: Field
    key: str
    term: Term
    guard: Expression | None = None
    row: Slot | None = None
    owner: str | None = None  # the later form, or look-up, it belongs to
    present: Z = YES


class Domain:
    """The answers of one procedure on one day, rows unrolled to `depth`. The world of its terms."""

    def __init__(self, book: Book, today: date, floor: date, depth: int) -> None:
        self.book, self.today, self.floor, self.depth = book, today, floor, depth
        self.codes = Codes()
        self.terms = Terms(self)
        self.truncated: set[str] = set()  # rows that may be more than unrolled
        self.known: dict[str, Term] = {}
        self.questions: dict[str, Question] = {}
        self.columns: dict[str, Question] = {}  # by key `rows.0.column`
        self._needs: dict[str, Trace] = {}
        self._groups: dict[str, Trace] = {}
        self._traces: list[Trace] = [Trace()]
        self.length = z3.Function("length", z3.IntSort(), z3.IntSort())
        self.measured = False  # some text's length matters

    # -- the world of terms --------------------------------------------------------------------------------------------

    def given(self, formula: Z) -> None:
        if not z3.is_true(formula):
            self._traces[-1].formulas.append(formula)

    def name(self, name: str, type_: Type) -> Term:
        self._traces[-1].names.add(name)
        if name not in self.known:
            self._traces.append(Trace())
            self.known[name] = self._made(name, type_)
            self._needs[name] = self._traces.pop()
        return self.known[name]

    def submitted_on(self) -> Term:
        self._traces[-1].names.add("submitted_on")
        return Term(z3.Int("submitted_on"))

    def channel(self) -> Term:
        self._traces[-1].names.add("channel")
        return Term(z3.Int("channel"))

    def happened(self, function: str, name: str) -> Term:
        self._traces[-1].names.add(f"{function}:{name}")
        return Term(z3.Bool(f"done:{name}") if function == "done" else z3.Int(f"{function}:{name}"))

    def filled(self, form: str) -> Z:
        """The later form was filled, or the register answered: its answers are there."""
        self._traces[-1].names.add(f"filled:{form}")
        return z3.Bool(f"filled:{form}")

    def table(self, name: str) -> Table:
        return self.book.procedure.tables[name]

    def listed(self, name: str) -> frozenset[str]:
        return self.book.lists.get(name, frozenset())

    def office_serving(self, place: str) -> str | None:
        return self.book.directory.office_serving(place, self.book.procedure.identity.agency)

    def places(self) -> frozenset[str]:
        return self.book.places

    def working_days(self, day: date, count: int) -> date | None:
        return self.book.directory.calendar.add_working_days(day, count)

    def length_of(self, node: Node, value: Z) -> Z:
        """How long a text is: within the bounds of its question; exact for the texts that the file writes."""
        self.measured = True
        found = self.length(value)
        asked = self.book.fields.get(node.id) if isinstance(node, Name) else None
        bounds = asked.bounds if asked is not None and asked.type == "text" else Bounds(max_length=MOST)
        self.given(z3.And(found >= max(1, bounds.min_length), found <= bounds.max_length))
        for text, number in self.codes.numbers.items():
            self.given(self.length(z3.IntVal(number)) == len(text))
        return found

    # -- terms of answers ----------------------------------------------------------------------------------------------

    def _made(self, name: str, type_: Type) -> Term:
        asked = self.book.fields.get(name)
        if asked is not None:
            return self._question(asked, name, self.book.guards.get(name), None, self.book.owners.get(name))
        if isinstance(self.book.procedure.tasks.get(name), Form):
            return Term(z3.Int(name), self.filled(name))  # a look-up: what the register said
        return self._free(name, type_)

    def _question(
        self, asked: Field, key: str, guard: Expression | None, row: Slot | None, owner: str | None, present: Z = YES
    ) -> Term:
        if asked.value is not None:
            shown = self._shown(asked, guard, row)
            term = self.terms.term(tree(asked.value), row)
            return Term(term.value, all_of(shown, term.answered))
        term = self._rows(asked, key, row) if asked.type == "rows" else self._free(key, asked.value_type)
        question = Question(asked, key, term, guard, row, owner, present)
        if row is None:
            self.questions[key] = question
        else:
            self.columns[key] = question
        return term

    def _shown(self, asked: Field, guard: Expression | None, row: Slot | None) -> Z:
        page = self.terms.holds(tree(guard)) if guard is not None else YES
        return all_of(page, self.terms.holds(tree(asked.when), row))

    def _free(self, key: str, type_: Type) -> Term:
        """A variable of a type, and whether it is answered."""
        answered = z3.Bool(f"{key}?")
        match type_.kind:
            case "yes_no":
                return Term(z3.Bool(key), answered)
            case "decimal" | "percent":
                return Term(z3.ToReal(z3.Int(key)) / THOUSANDTHS, answered)
            case "choices":
                ticks = {code: z3.Bool(f"{key}={code}") for code in sorted(type_.codes or ())}
                return Term(ticks, all_of(answered, any_of(*ticks.values())))
            case "rows":
                return self._free_rows(key, type_)
            case _:
                return Term(z3.Int(key), answered)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _rows(self, asked: Field, key: str, outer: Slot | None) -> Term:
        bounds = asked.bounds
        count = min(bounds.max_items, max(bounds.min_items, self.depth))
        if count < bounds.max_items:
            self.truncated.add(asked.id)
        columns = {one.id: (one, None) for one in asked.rows}
        columns |= {one.id: (one, form) for one, form in self.book.added.get(asked.id, ())}
        slots = []
        for at in range(count):
            slots.append(self._slot(f"{key}.{at}", columns, outer))
        return Term(tuple(slots), slots[0].present if slots else NO)

    def _slot(self, key: str, columns: Mapping[str, tuple[Field, str | None]], outer: Slot | None) -> Slot:
        made: dict[str, tuple[Term | None, Trace]] = {}

        def column(name: str) -> Term | None:
            if name not in made:
                made[name] = self.traced(lambda: self._column(name, key, columns, slot))
            term, trace = made[name]
            self._traces[-1].names |= trace.names
            self._traces[-1].formulas += trace.formulas
            return term

        slot = Slot(z3.Bool(f"{key}!"), column, outer)
        return slot

    def _column(
        self, name: str, key: str, columns: Mapping[str, tuple[Field, str | None]], slot: Slot
    ) -> Term | None:  # fmt: skip
        main = name.removesuffix("_other")
        if name in columns:
            asked, owner = columns[name]
            return self._question(asked, f"{key}.{name}", None, slot, owner, slot.present)
        if name != main and main in columns:
            return Term(z3.Int(f"{key}.{name}"), z3.Bool(f"{key}.{name}?"))
        return None

    def _free_rows(self, key: str, type_: Type) -> Term:
        """Rows of no question of this file: their columns may be anything."""
        self.truncated.add(key)
        slots = []
        for at in range(max(1, min(self.depth, 3))):
            slots.append(self._free_slot(f"{key}.{at}", type_))
        return Term(tuple(slots), slots[0].present)

    def _free_slot(self, key: str, type_: Type) -> Slot:
        columns = type_.row or {}

        def column(name: str) -> Term | None:
            return self._free(f"{key}.{name}", columns[name]) if name in columns else None

        return Slot(z3.Bool(f"{key}!"), column)

    # -- what is allowed -----------------------------------------------------------------------------------------------

    def traced(self, build: Callable[[], T]) -> tuple[T, Trace]:
        """What `build` makes, and what making it needed."""
        self._traces.append(Trace())
        try:
            made = build()
        finally:
            trace = self._traces.pop()
        return made, trace

    def cone(self, trace: Trace, without: frozenset[str], sure: frozenset[str]) -> tuple[list[Z], frozenset[str]]:
        """Every formula that bears on these names, and all the names met. `without` leaves out checks and criteria by id,
        and the rules of one answer (`answer:<name>`);
        `sure` are tasks done by then."""
        formulas, seen = list(trace.formulas), set[str]()
        left = sorted(trace.names)
        while left:
            name = left.pop()
            if name in seen:
                continue
            seen.add(name)
            for group in self._around(name, without, sure):
                formulas += group.formulas
                left += sorted(group.names - seen)
        return formulas, frozenset(seen)

    def _around(self, name: str, without: frozenset[str], sure: frozenset[str]) -> Iterator[Trace]:
        if name in self._needs:
            yield self._needs[name]
        if f"answer:{name}" not in without:
            yield self._group(name, lambda: self._rules(name))
        for rule in self.book.rules_on.get(name, ()):
            if rule.id not in without:
                yield self._group(f"rule:{rule.key}", partial(self._ruled, rule))
        kind, _, task = name.partition(":")
        if kind in ("done", "filled") and task in sure:
            yield self._group(f"sure:{name}", lambda: [z3.Implies(self._awaited(task), z3.Bool(name))])

    def _group(self, key: str, build: Callable[[], Iterable[Z]]) -> Trace:
        if key not in self._groups:
            formulas, trace = self.traced(lambda: list(build()))
            trace.formulas += formulas
            self._groups[key] = trace
        return self._groups[key]

    def _awaited(self, task: str) -> Z:
        return self.terms.holds(tree(self.book.procedure.tasks[task].when))

    def _rules(self, name: str) -> Iterator[Z]:
        """What holds of one name by itself."""
        procedure, kind, task = self.book.procedure, *name.partition(":")[::2]
        if name in self.questions:
            yield from self._question_rules(self.questions[name])
        elif name == "submitted_on":
            day = z3.Int(name)
            yield z3.And(day >= self.floor.toordinal(), day <= self.today.toordinal())
        elif name == "channel":
            yield any_of(*(z3.Int(name) == self.codes.number(one) for one in procedure.identity.channels))
        elif kind in ("missed", "taken") and task:
            yield z3.Int(name) >= 0
        elif kind == "done" and task:
            form = procedure.tasks.get(task)
            if task == procedure.form.id:
                yield z3.Bool(name)
            elif isinstance(form, Form):
                yield z3.Implies(z3.Bool(name), z3.Or(z3.Not(self._awaited(task)), self.filled(task)))
        elif name in procedure.tasks and name not in self.book.fields:
            yield any_of(*(z3.Int(name) == self.codes.number(one) for one in LOOK_UP))
        elif name.endswith("_other") and name not in self.book.fields:
            yield from self._detail_rules(name)

    def _detail_rules(self, name: str) -> Iterator[Z]:
        """« Autre, précisez »: there when, and only when, that is the answer."""
        asked = self.book.fields.get(name.removesuffix("_other"))
        if asked is None or not asked.other:
            return
        parent = self.name(asked.id, asked.value_type)
        if isinstance(parent.value, Mapping):
            chosen = all_of(parent.answered, parent.value.get("other", NO))
        else:
            chosen = all_of(parent.answered, parent.value == self.codes.number("other"))
        yield z3.Bool(f"{name}?") == chosen

    def _ruled(self, rule: Must | Stop) -> list[Z]:
        return [self._rule(rule)]

    def _rule(self, rule: Must | Stop) -> Z:
        if isinstance(rule, Stop):
            shown = self.terms.holds(tree(rule.criterion.field.when))
            return z3.Not(all_of(shown, self.terms.holds(tree(rule.criterion.stop_when))))
        return self.check(rule.check, None)

    def check(self, check: Check, row: Slot | None) -> Z:
        """A rule across answers is read only when each answer it needs is there."""
        return z3.Implies(self.check_applies(check, row), self.terms.holds(tree(check.holds), row))

    def check_applies(self, check: Check, row: Slot | None) -> Z:
        there = [self._answer(name, row).answered for name in sorted(needed_names(tree(check.holds)))]
        return all_of(self.terms.holds(tree(check.when), row), *there)

    def _answer(self, name: str, row: Slot | None) -> Term:
        slot = row
        while slot is not None:
            found = slot.column(name)
            if found is not None:
                return found
            slot = slot.outer
        return self.name(name, self.book.type_of(name))

    # -- one question --------------------------------------------------------------------------------------------------

    def _question_rules(self, one: Question) -> Iterator[Z]:
        asked, term = one.field, one.term
        filled = self.filled(one.owner) if one.owner is not None else YES
        shown = all_of(one.present, filled, self._shown(asked, one.guard, one.row))
        required = self.terms.holds(tree(asked.required), one.row)
        if asked.type == "note":
            yield z3.Not(term.answered)
        elif asked.evidence is not None and not asked.evidence.any_of:
            yield term.answered == shown
            given = required if asked.evidence.uploaded else YES
            yield z3.Implies(all_of(shown, given), term.value)
        elif asked.type == "rows":
            yield from self._rows_rules(one, shown, required)
        elif one.owner is not None and self.book.is_look_up(one.owner):
            found = z3.Int(one.owner) == self.codes.number("found")
            yield z3.Implies(term.answered, all_of(self.filled(one.owner), found))
            self._traces[-1].names.add(one.owner)
        else:
            yield z3.Implies(term.answered, shown)
            yield z3.Implies(all_of(shown, required), term.answered)
            yield z3.Implies(term.answered, all_of(*self._allowed(one)))

    def _allowed(self, one: Question) -> Iterator[Z]:
        """The values a question takes."""
        asked, value = one.field, one.term.value
        match asked.value_type.kind:
            case "integer" | "money":
                yield from self._bounded(one, z3.IntVal(-MOST), z3.IntVal(MOST))
            case "decimal" | "percent":
                yield from self._bounded(one, z3.IntVal(-MOST), z3.IntVal(MOST))
            case "date":
                yield from self._bounded(one, z3.IntVal(FIRST), z3.IntVal(LAST))
            case "time":
                yield z3.And(value >= 0, value < 1440)
            case "partial_date":
                yield z3.And(value >= 1, value <= 9999)
            case "yes_no" if asked.type == "declaration":
                yield value
            case "choice":
                yield from self._chosen(one)
            case "choices":
                for option in asked.options:
                    ticked = value.get(option.code)
                    if ticked is not None:
                        yield z3.Implies(ticked, self.open_option(one, option))

    def _bounded(self, one: Question, least: Z, most: Z) -> Iterator[Z]:
        value = one.term.value
        yield z3.And(value >= least, value <= most)
        for bound, above in ((one.field.bounds.minimum, True), (one.field.bounds.maximum, False)):
            if bound is not None:
                limit = self.terms.term(tree(bound), one.row)
                yield z3.Implies(limit.answered, value >= limit.value if above else value <= limit.value)

    def _chosen(self, one: Question) -> Iterator[Z]:
        codes = self.book.codes_of(one.field)
        if codes is None:
            return
        numbers = sorted(self.codes.number(code) for code in codes)
        value = one.term.value
        if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
            yield z3.And(value >= numbers[0], value <= numbers[-1])
        else:
            yield any_of(*(value == number for number in numbers))
        for option in self.book.options_of(one.field):
            opened = self.open_option(one, option)
            if not z3.is_true(opened):
                yield z3.Implies(value == self.codes.number(option.code), opened)

    def open_option(self, one: Question, option: Option) -> Z:
        """The option may be chosen: within its dates, under its parent, its condition holds."""
        if (option.from_ and self.today < option.from_) or (option.until and self.today > option.until):
            return NO
        opened = self.terms.holds(tree(option.when), one.row)
        if one.field.under is not None and option.parent is not None:
            parent = self._answer(one.field.under, one.row)
            opened = all_of(opened, parent.answered, parent.value == self.codes.number(option.parent))
        return opened

    def _rows_rules(self, one: Question, shown: Z, required: Z) -> Iterator[Z]:
        asked, slots = one.field, one.term.value
        if not slots:
            return
        least = asked.bounds.min_items
        yield z3.Implies(slots[0].present, shown)
        yield z3.Implies(all_of(shown, required, z3.BoolVal(least > 0)), slots[0].present)
        for before, slot in zip(slots, slots[1:], strict=False):
            yield z3.Implies(slot.present, before.present)
        if least > 1:
            yield z3.Implies(slots[0].present, slots[least - 1].present)
        columns = [*asked.rows, *(column for column, _ in self.book.added.get(asked.id, ()))]
        for at, slot in enumerate(slots):
            for column in columns:
                slot.column(column.id)
                question = self.columns.get(f"{one.key}.{at}.{column.id}")
                if question is not None:
                    yield from self._question_rules(question)
            for check in asked.checks:
                yield z3.Implies(slot.present, self.check(check, slot))
        yield from self._twins(asked, slots)
        yield from self._total(one, slots)

    def _twins(self, asked: Field, slots: tuple[Slot, ...]) -> Iterator[Z]:
        """What is said once is not said again in another row."""
        for names in asked.unique:
            for at, slot in enumerate(slots):
                mine = [slot.column(name) for name in names]
                for other in slots[:at]:
                    pairs = zip(mine, [other.column(name) for name in names], strict=True)
                    same = [all_of(a.answered, b.answered, a.value == b.value) for a, b in pairs if a and b]
                    yield z3.Not(all_of(slot.present, other.present, *same))

    def _total(self, one: Question, slots: tuple[Slot, ...]) -> Iterator[Z]:
        total = one.field.total
        if total is None:
            return
        parts = [(slot.present, slot.column(total.of)) for slot in slots]
        equals = self.terms.term(tree(total.equals), one.row)
        known = [z3.Implies(present, term.answered) for present, term in parts if term]
        added = z3.Sum(*(z3.If(present, term.value, z3.IntVal(0)) for present, term in parts if term))
        yield z3.Implies(all_of(slots[0].present, equals.answered, *known), added == equals.value)
