"""Chapters of fees, tables and appointments of the definition in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Lookup, walk
from engine.model import Appointment, Cut, Fee, FeeLine, Field, Instalments, Table, Task
from engine.model.types import TRUE, Constant, Expression, Value
from renderers.definition.parts import Clause, FeeText, PriceText, TableText
from renderers.definition.reader import ProcedureReader
from renderers.i18n.formats import listed, weekday


class MoneyReader(ProcedureReader):
    """Reads fees, tables of values and appointments."""

    # -- fees ----------------------------------------------------------------------------------------------------------

    def fee(self, fee: Fee) -> FeeText:
        """Return a fee: its lines, then conditions, reductions, limits, instalments and methods of payment."""
        notes = [
            *self.task(fee), self.when("exempt_when", fee.exempt) if fee.exempt is not None else "",
            *map(self._reduction, fee.reductions),
            self.say("at_least", value=self.expressions.value(fee.at_least)) if fee.at_least else "",
            self.say("at_most", value=self.expressions.value(fee.at_most)) if fee.at_most else "",
            self.say("valid_for", span=self.span(fee.valid_for)) if fee.valid_for else "",
            *(self._instalments(fee.instalments) if fee.instalments else ()),
            self.say("deposit") if fee.deposit else "",
            self.say("methods", methods=", ".join(self.say(f"method_{one}") for one in fee.methods)),
            *self.rest(fee, "fees", *_OF_TASKS, "lines", "exempt", "reductions", "at_least", "at_most", "valid_for", "instalments",
                       "methods", "deposit"),
        ]  # fmt: skip
        lines = tuple(self._price(fee, line) for line in fee.lines)
        return FeeText(self.t(fee.label), lines, tuple(filter(None, notes)), self.basis(fee, "fees"))

    def task(self, task: Task) -> Iterator[str]:
        """Yield what applies to any task: its condition, the roles that do it, the tasks before it."""
        yield self.when("asked_when", task.when)
        if task.by:
            yield self.say("done_by", roles=self.roles_text(task.by))
        if task.after:
            yield self.say("after", tasks=self.names(task.after))

    def _reduction(self, cut: Cut) -> str:
        value = f"{self.expressions.value(cut.percent)} %" if cut.percent else ""
        value = value or (self.money(cut.amount) if cut.amount else "")
        condition = self.expressions.condition(cut.when) or self.words.say("expr.always", self.language, {})
        said = self.say("reduction", value=value, condition=condition, because=self.t(cut.because))
        law = self.law_title(cut.basis) if cut.basis else ""
        return f"{said}. {self.say('basis', law=law)}" if law else said

    def _instalments(self, terms: Instalments) -> Iterator[str]:
        said = self.say("instalments", count=terms.most)
        when = self.when("when", terms.when)
        yield f"{said}, {self.say('instalments_every', span=self.span(terms.every))}" + (f", {when}" if when else "")
        yield self.say(f"instalments_{terms.opens}")

    def _price(self, fee: Fee, line: FeeLine) -> PriceText:
        amount = self.money(line.amount)
        if line.per is not None:
            amount = self.say("per", amount=amount, unit=self.t(line.per))
        if line.times is not None:
            amount = self.say("times", amount=amount, times=self.expressions.factor(line.times))
        conditions = [self.expressions.condition(line.when)]
        if line.for_each:
            conditions.append(self.say("per_row", rows=self.label(line.for_each)))
        days = {
            name: self.words.plain_day(day, self.language)
            for name, day in (("first", line.from_), ("last", line.until))
            if day
        }
        if days:
            conditions.append(self.say("option_dates_" + "_".join(days), **days))
        conditions += self.rest(line, "lines", "label", "amount", "per", "times", "when", "for_each", "from", "until")
        law = self.basis(line, "lines") or (self.basis(fee, "fees") if fee.law_of("amount") else "")
        return PriceText(
            self.t(line.label) or self.t(fee.label), amount, tuple(filter(None, conditions)),
            law or self.say("basis", law=self.say("no_law")),
        )  # fmt: skip

    def money(self, amount: Expression) -> str:
        """Return a fixed amount in francs, or a computed one in words."""
        node = amount.node
        if isinstance(node, Constant) and isinstance(node.value, int):
            return self.words.money(node.value, self.language)
        return self.expressions.value(amount)

    # -- tables --------------------------------------------------------------------------------------------------------

    def tables(self) -> Iterator[TableText]:
        """Yield all tables of values. Their columns are named after the arguments of the first lookup."""
        uses: dict[str, Lookup] = {}
        for expression in _expressions(self.definition, set()):
            for node in walk(tree(expression)):
                if isinstance(node, Lookup):
                    uses.setdefault(node.table, node)
        for one in self.definition.tables.values():
            yield self._table(one, uses.get(one.id))

    def _table(self, table: Table, used: Lookup | None) -> TableText:
        called = used.arguments if used else ()
        heads = [self.expressions.node(one) for one in called] or [
            self.say(f"type.{key.type.kind}") for key in table.keys
        ]
        starts = [
            self.say("table_from", of=head) if key.from_ else head for head, key in zip(heads, table.keys, strict=False)
        ]
        codes = [self._codes(key.type.codes) for key in table.keys]
        rows = tuple(
            (
                *(said.get(str(one), self._value(one)) for one, said in zip(keys, codes, strict=True)),
                self._given(table, value),
            )
            for keys, value in table.rows.items()
        )
        otherwise = self._given(table, table.otherwise) if table.otherwise is not None else self.say("nothing")
        notes = (
            self.say("table_otherwise", value=otherwise),
            *self.rest(table, "tables", "keys", "gives", "rows", "otherwise"),
        )
        gives = self.say(f"type.{table.gives.kind}")
        keys = listed(heads, self.language)
        title = self.say("table", number=self.expressions.table(table.id), gives=gives, keys=keys)
        return TableText(title, (*starts, gives), rows, notes, self.basis(table, "tables"))

    def _codes(self, codes: frozenset[str] | None) -> Mapping[str, str]:
        """Return the labels of the question whose codes are exactly these, by code."""
        every = (column for field in self.definition.fields.values() for column in (field, *field.rows))
        asked = next((one for one in every if codes is not None and one.value_type.codes == codes), None)
        return {option.code: self.t(option.label) for option in _choices(asked)} if asked else {}

    def _given(self, table: Table, value: Value) -> str:
        if table.gives.kind == "money" and isinstance(value, int):
            return self.words.money(value, self.language)
        return self._codes(table.gives.codes).get(str(value), self._value(value))

    def _value(self, value: Value) -> str:
        return self.say("nothing") if value is None else self.values.of("value", value)

    # -- visits --------------------------------------------------------------------------------------------------------

    def visit(self, one: Appointment) -> Clause:
        """Return an appointment: place, length, opening hours, capacity, moves, missed visits and reminders."""
        days = [weekday(day, self.language) for day in one.weekdays]
        lines = [
            self.when("asked_when", one.when), self._place(one), self.say("visit_lasts", span=self.span(one.lasts)),
            self.say("visit_days", days=", ".join(days) or self.values.say("changes.every_day")),
            self.say("visit_hours", hours=self.values.of("hours", one.hours)),
            self.say("visit_desks", count=one.desks or 1),
            self.say("visit_quota", count=one.quota) if one.quota else "",
            self.say("visit_proposed", role=self.role(one.proposed_by)) if one.proposed_by else "",
            self.say("visit_lead", lead=self.span(one.lead), horizon=self.span(one.horizon)),
            self.say("visit_hold", span=self.span(one.hold)),
            self.say("visit_moved", count=one.moves, span=self.span(one.moves_until)) if one.moves else self.say("visit_fixed"),
            self.say("visit_missed", count=one.no_show) if one.no_show else self.say("visit_not_missed"),
            self.say("reminded", spans=", ".join(self.span(span) for span in one.reminders)) if one.reminders else "",
            self.say("visit_by", roles=self.roles_text(one.by)) if one.by else "",
            self.say("after", tasks=self.names(one.after)) if one.after else "",
            *self.rest(one, "appointments", *_OF_TASKS, "office", "place", "lasts", "weekdays", "hours", "desks", "quota",
                       "proposed_by", "lead", "horizon", "hold", "moves", "moves_until", "no_show", "reminders"),
        ]  # fmt: skip
        return Clause(self.t(one.label), tuple(filter(None, lines)), self.basis(one, "appointments", needs="lasts"))

    def _place(self, one: Appointment) -> str:
        if one.place == "applicant":
            return self.say("visit_at_applicant")
        return (
            self.say("visit_at", office=self.expressions.value(one.office))
            if one.office
            else self.say("visit_at_office")
        )


_OF_TASKS = ("label", "by", "when", "after")


def _choices(asked: Field | None) -> tuple[Any, ...]:
    if asked is None:
        return ()
    return asked.evidence.any_of if asked.evidence else asked.options


def _expressions(value: Any, seen: set[int]) -> Iterator[Expression]:
    """Yield all expressions of a procedure except TRUE, in the order of its parts."""
    if isinstance(value, Expression):
        if value != TRUE:
            yield value
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        inside: Iterable[Any] = value.values()
    elif isinstance(value, tuple):
        inside = value
    else:
        inside = (getattr(value, one.name) for one in fields(value)) if is_dataclass(value) else ()
    for one in inside:
        yield from _expressions(one, seen)
