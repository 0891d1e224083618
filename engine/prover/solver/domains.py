"""Which answers a procedure may hold: what each question, its page and its checks allow of its variable.

A question asked of the solver brings in the names it needs; these bring in the conditions that show them, their bounds
and the checks that name them (`cone`). The rest, which does not touch them, stays out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from itertools import pairwise
from typing import Any, Final, TypeAlias

import z3

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import needed_names
from engine.model import Form, FormCheck, Option
from engine.prover.solver.encoding import NO, YES, SymbolicRow, Term, all_of, any_of, implies
from engine.prover.solver.inputs import LOOK_UP, Must, ProverInput, Stop, is_in_force
from engine.prover.solver.variables import MOST, Question, Trace, Variables

Z: TypeAlias = Any

EARLIEST: Final = date(1800, 1, 1).toordinal()  # no answer is a day before, nor after
LATEST: Final = date(2399, 12, 31).toordinal()


class Domain(Variables):
    """The answers of one procedure on one day: its variables, and what holds of them."""

    def __init__(self, procedure: ProverInput, today: date, floor: date, depth: int, dated: bool = True) -> None:
        super().__init__(procedure, today, floor, depth, dated)
        self._groups: dict[str, Trace] = {}

    # -- what bears on what --------------------------------------------------------------------------------------------

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
        if name in self.needs:
            yield self.needs[name]
        if f"answer:{name}" not in without:
            yield self._group(name, lambda: self._rules(name))
        for rule in self.definition.rules_on.get(name, ()):
            if rule.id not in without:
                yield self._group(f"rule:{rule.key}", partial(self._ruled, rule))
        yield from self._around_column(name)
        kind, _, task = name.partition(":")
        if kind in ("done", "filled") and task in sure:
            yield self._group(f"sure:{name}", lambda: [implies(self.awaited(task), z3.Bool(name))])

    def _around_column(self, key: str) -> Iterator[Trace]:
        """The checks of its row, what must differ from row to row, the total its rows make."""
        row, _, column = key.rpartition(".")
        if row not in self.rows_of:
            return
        rows, slot = self.rows_of[row]
        for check in rows.field.checks:
            if column in check.holds.names | check.when.names and not check.warns:
                yield self._group(f"rule:{row}:{check.id}", partial(self._row_check, check, slot))
        slots = rows.term.value
        for names in rows.field.unique:
            if column in names:
                yield self._group(f"unique:{rows.key}:{names}", partial(self._twins, names, slots))
        if rows.field.total is not None and rows.field.total.of == column:
            yield self._group(f"total:{rows.key}", partial(self._total, rows, slots))

    def _row_check(self, check: FormCheck, slot: SymbolicRow) -> list[Z]:
        return [implies(slot.present, self.check(check, slot))]

    def _group(self, key: str, build: Callable[[], Iterable[Z]]) -> Trace:
        if key not in self._groups:
            formulas, trace = self.traced(lambda: list(build()))
            trace.formulas += formulas
            self._groups[key] = trace
        return self._groups[key]

    # -- what holds of a name --------------------------------------------------------------------------------------------

    def _rules(self, name: str) -> Iterator[Z]:
        """What holds of one name by itself."""
        procedure, kind, task = self.definition.procedure, *name.partition(":")[::2]
        if name in self.definition.services:
            yield from self._opinion_rules(name)
        elif name in self.questions or name in self.columns:
            yield from self._question_rules(self.questions.get(name) or self.columns[name])
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
                yield implies(z3.Bool(name), z3.Or(z3.Not(self.awaited(task)), self.filled(task)))
        elif name in procedure.tasks and name not in self.definition.fields:
            yield any_of(*(z3.Int(name) == self.codes.number(one) for one in LOOK_UP))
        elif name.endswith("_other") and name not in self.definition.fields:
            yield from self._detail_rules(name)

    def _opinion_rules(self, name: str) -> Iterator[Z]:
        """One service's opinion: asked of the consulted only; all are there once a round without quorum is done."""
        one, round_ = self.questions[name], self.definition.rounds[self.definition.owners[name]]
        yield implies(one.term.answered, self.awaited(name))
        yield implies(one.term.answered, all_of(*self._allowed(one)))
        if round_.quorum is None:
            yield implies(all_of(self.filled(round_.id), self.awaited(name)), one.term.answered)

    def _detail_rules(self, name: str) -> Iterator[Z]:
        """« Autre, précisez »: there when, and only when, that is the answer."""
        asked = self.definition.fields.get(name.removesuffix("_other"))
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

    def check(self, check: FormCheck, row: SymbolicRow | None) -> Z:
        """A rule across answers is read only when each answer it needs is there."""
        return implies(self.check_applies(check, row), self.terms.holds(tree(check.holds), row))

    def check_applies(self, check: FormCheck, row: SymbolicRow | None) -> Z:
        there = [self._answer(name, row).answered for name in sorted(needed_names(tree(check.holds)))]
        return all_of(self.terms.holds(tree(check.when), row), *there)

    def _answer(self, name: str, row: SymbolicRow | None) -> Term:
        slot = row
        while slot is not None:
            found = slot.column(name)
            if found is not None:
                return found
            slot = slot.outer
        return self.name(name, self.definition.type_of(name))

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
            yield implies(all_of(shown, given), term.value)
        elif asked.type == "rows":
            yield from self._rows_rules(one, shown, required)
        elif one.owner is not None and self.definition.is_look_up(one.owner):
            found = z3.Int(one.owner) == self.codes.number("found")
            yield implies(term.answered, all_of(self.filled(one.owner), found))
            self.name(one.owner, self.definition.type_of(one.owner))
        else:
            yield implies(term.answered, shown)
            yield implies(all_of(shown, required), term.answered)
            yield implies(term.answered, all_of(*self._allowed(one)))

    def _allowed(self, one: Question) -> Iterator[Z]:
        """The values a question takes."""
        asked, value = one.field, one.term.value
        match asked.value_type.kind:
            case "integer" | "money":
                yield from self._bounded(one, z3.IntVal(-MOST), z3.IntVal(MOST))
            case "decimal" | "percent":
                yield from self._bounded(one, z3.IntVal(-MOST), z3.IntVal(MOST))
            case "date":
                yield from self._bounded(one, z3.IntVal(EARLIEST), z3.IntVal(LATEST))
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
                        yield implies(ticked, self.open_option(one, option))

    def _bounded(self, one: Question, least: Z, most: Z) -> Iterator[Z]:
        value = one.term.value
        yield z3.And(value >= least, value <= most)
        for bound, above in ((one.field.bounds.minimum, True), (one.field.bounds.maximum, False)):
            if bound is not None:
                limit = self.terms.term(tree(bound), one.row)
                yield implies(limit.answered, value >= limit.value if above else value <= limit.value)

    def _chosen(self, one: Question) -> Iterator[Z]:
        codes = self.definition.codes_of(one.field)
        if codes is None:
            return
        numbers = sorted(self.codes.number(code) for code in codes)
        value = one.term.value
        if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
            yield z3.And(value >= numbers[0], value <= numbers[-1])
        else:
            yield any_of(*(value == number for number in numbers))
        for option in self.definition.options_of(one.field):
            opened = self.open_option(one, option)
            if not z3.is_true(opened):
                yield implies(value == self.codes.number(option.code), opened)

    def open_option(self, one: Question, option: Option) -> Z:
        """The option may be chosen: within its dates, under its parent, its condition holds."""
        if self.dated and not is_in_force(option, self.today):
            return NO
        opened = self.terms.holds(tree(option.when), one.row)
        if one.field.under is not None and option.parent is not None:
            parent = self._answer(one.field.under, one.row)
            opened = all_of(opened, parent.answered, parent.value == self.codes.number(option.parent))
        return opened

    def _rows_rules(self, one: Question, shown: Z, required: Z) -> Iterator[Z]:
        asked, slots = one.field, one.term.value
        if not slots or asked.id in self.definition.rounds:
            return
        least = asked.bounds.min_items
        yield implies(slots[0].present, shown if least <= asked.bounds.max_items else NO)
        yield implies(all_of(shown, required, z3.BoolVal(least > 0)), slots[0].present)
        for before, slot in pairwise(slots):
            yield implies(slot.present, before.present)
        if 1 < least <= len(slots):
            yield implies(slots[0].present, slots[least - 1].present)

    def _twins(self, names: tuple[str, ...], slots: tuple[SymbolicRow, ...]) -> Iterator[Z]:
        """What is said once is not said again in another row."""
        for at, slot in enumerate(slots):
            mine = [slot.column(name) for name in names]
            for other in slots[:at]:
                pairs = zip(mine, [other.column(name) for name in names], strict=True)
                same = [all_of(a.answered, b.answered, a.value == b.value) for a, b in pairs if a and b]
                yield z3.Not(all_of(slot.present, other.present, *same))

    def _total(self, one: Question, slots: tuple[SymbolicRow, ...]) -> Iterator[Z]:
        total = one.field.total
        if total is None:
            return
        parts = [(slot.present, slot.column(total.of)) for slot in slots]
        equals = self.terms.term(tree(total.equals), one.row)
        known = [implies(present, term.answered) for present, term in parts if term]
        added = z3.Sum(*(z3.If(present, term.value, z3.IntVal(0)) for present, term in parts if term))
        yield implies(all_of(slots[0].present, equals.answered, *known), added == equals.value)
