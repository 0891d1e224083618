"""The definition in words, what is asked and owed: eligibility, questions, rules, evidence, fees, visits, registers."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.expression_compiler import tree
from engine.definition.expression_nodes import Name, Not
from engine.definition.expressions import FALSE, TRUE, Constant, Expression
from engine.definition.model import (
    APPLICATION,
    Appointment,
    Check,
    Criterion,
    Fee,
    Field,
    Form,
    Line,
    Option,
    Page,
)
from engine.values import Text
from renderers.definition_parts import Clause, FeeText, PageText, PriceLine, Reader, capital

MOST_OPTIONS = 12  # a longer list is named, not written out


class FormReader(Reader):
    """Reads what people answer, hand in, pay and come for."""

    # -- questions -----------------------------------------------------------------------------------------------------

    def eligibility(self) -> Iterator[Clause]:
        for one in self.book.eligibility:
            lines = (self._stop(one), self.say("answer", because=self.t(one.because)))
            yield Clause(self.t(one.field.label), lines, self.basis(one))

    def _stop(self, one: Criterion) -> str:
        """The answer that stops; the question is not said twice."""
        match tree(one.stop_when):
            case Name(id=name) if name == one.id:
                return self.say("stops_yes")
            case Not(item=Name(id=name)) if name == one.id:
                return self.say("stops_no")
            case _:
                return self.say("stops_when", condition=self.expressions.condition(one.stop_when))

    def page(self, page: Page) -> PageText:
        questions = tuple(self._question(one) for one in page.fields if one.evidence is None)
        rules = tuple(self._rule(one) for one in page.checks)
        return PageText(self.t(page.title), self.when("page_when", page.when), questions, rules)

    def _question(self, one: Field) -> Clause:
        lines = filter(None, (
            self.when("asked_when", one.when), self._required(one), *self._source(one), self._values(one),
            *self._bounds(one), *self._rows(one),
        ))  # fmt: skip
        return Clause(self.t(one.label), tuple(lines), self.basis(one), self.say(f"type.{one.type}"))

    def _required(self, one: Field) -> str:
        if one.required == TRUE or one.value is not None:
            return ""
        return self.say("optional") if one.required == FALSE else self.when("required_when", one.required)

    def _source(self, one: Field) -> Iterator[str]:
        if one.value is not None:
            yield self.say("computed_as", value=self.expressions.value(one.value))
        if one.prefill:
            yield self.say("prefilled")

    def _values(self, one: Field) -> str:
        if not one.options:
            return ""
        listed = self.book.lists.get(one.list_id or "")
        if len(one.options) > MOST_OPTIONS:
            return self.say("values_many", count=len(one.options), list=self.t(listed.title) if listed else "")
        return self.say("values", options=", ".join(self._option(option) for option in one.options))

    def _option(self, option: Option) -> str:
        condition = self.expressions.condition(option.when)
        label = self.t(option.label)
        return self.say("option_when", label=label, condition=condition) if condition else label

    def _bounds(self, one: Field) -> Iterator[str]:
        bounds = one.bounds
        ends = "_date" if one.type in ("date", "partial_date") else ""
        if bounds.minimum is not None and bounds.minimum.text != "0":
            yield self.say(f"minimum{ends}", value=self._with_unit(one, bounds.minimum))
        if bounds.maximum is not None:
            yield self.say(f"maximum{ends}", value=self._with_unit(one, bounds.maximum))
        if one.type == "rows":
            yield self.say("rows_between", first=bounds.min_items, last=bounds.max_items)

    def _with_unit(self, one: Field, value: Expression) -> str:
        return f"{self.expressions.value(value)} {one.unit or ''}".strip()

    def _rows(self, one: Field) -> Iterator[str]:
        if one.rows:
            yield self.say("row_of", labels=", ".join(self.t(column.label) for column in one.rows))
        for check in one.checks:
            yield " ".join((*self._rule(check).lines, ""))

    def _rule(self, check: Check) -> Clause:
        holds = self.say("rule_holds", condition=self.expressions.condition(check.holds))
        when = self.when("rule_when", check.when)
        lines = (f"{holds}, {when}." if when else f"{holds}.", self.say("message_said", message=self.t(check.message)))
        return Clause(self.say("warns" if check.warns else "refuses"), lines, self.basis(check))

    def evidence(self, one: Field) -> Clause:
        terms = one.evidence
        assert terms is not None
        alternatives = ", ".join(self.t(option.label) for option in terms.any_of)
        how = [self.words.say(f"sheet.how_{way}", self.language, {}) for way in terms.how]
        if terms.copies > 1:
            how.insert(0, self.say("copies", count=terms.copies))
        if terms.max_age:
            how.append(self.say("max_age", span=self.span(terms.max_age)))
        lines = (
            self.when("asked_when", one.when) or self.say("always"), self._required(one),
            self.say("one_of", options=alternatives) if alternatives else "",
            capital(", ".join(how)), self.say("held_by") if terms.held_by else "",
        )  # fmt: skip
        return Clause(self.t(one.label), tuple(filter(None, lines)), self.basis(one))

    # -- money and visits ----------------------------------------------------------------------------------------------

    def fee(self, fee: Fee) -> FeeText:
        notes = [
            self.when("exempt_when", fee.exempt) if fee.exempt is not None else "",
            *(self._reduction(cut.when, cut.percent, cut.amount, cut.because) for cut in fee.reductions),
            self.say("at_least", value=self.expressions.value(fee.at_least)) if fee.at_least else "",
            self.say("at_most", value=self.expressions.value(fee.at_most)) if fee.at_most else "",
            self.say("instalments", count=fee.instalments.most) if fee.instalments else "",
            self.say("methods", methods=", ".join(self._method(one) for one in fee.methods)),
        ]
        lines = tuple(self._price(fee, line) for line in fee.lines)
        return FeeText(self.t(fee.label), self.when("asked_when", fee.when), lines, tuple(filter(None, notes)))

    def _method(self, method: str) -> str:
        key = f"definition.method_{method}"
        return self.words.say(key, self.language, {}) if self.words.has(key) else method

    def _reduction(self, when: Expression, percent: Expression | None, amount: Expression | None, because: Text) -> str:
        value = f"{self.expressions.value(percent)} %" if percent else self.expressions.value(amount) if amount else ""
        condition = self.expressions.condition(when) or self.words.say("expr.always", self.language, {})
        return self.say("reduction", value=value, condition=condition, because=self.t(because))

    def _price(self, fee: Fee, line: Line) -> PriceLine:
        amount = self._money(line.amount)
        if line.times is not None:
            amount = self.say("times", amount=amount, times=self.expressions.value(line.times))
        conditions = [self.expressions.condition(line.when)]
        if line.for_each:
            conditions.append(self.say("per_row", rows=self.label(line.for_each)))
        if line.from_ and line.until:
            first, last = (self.words.plain_day(day, self.language) for day in (line.from_, line.until))
            conditions.append(self.say("from_until", first=first, last=last))
        return PriceLine(
            self.t(line.label), amount, " ; ".join(filter(None, conditions)), self.basis(line, "amount") or self.basis(fee, "amount")
        )  # fmt: skip

    def _money(self, amount: Expression) -> str:
        node = amount.node
        if isinstance(node, Constant) and isinstance(node.value, int):
            return self.words.money(node.value, self.language)
        return self.expressions.value(amount)

    def visit(self, one: Appointment) -> Clause:
        days = [self.words.say(f"weekday.n{day}", self.language, {}) for day in one.weekdays]
        lines = [
            self.when("asked_when", one.when), self.say("visit_lasts", span=self.span(one.lasts)),
            self.say("visit_days", days=", ".join(days)) if days else "",
            self.say("visit_lead", lead=self.span(one.lead), horizon=self.span(one.horizon)),
            self.say("visit_moves", count=one.moves) if one.moves else "",
            self.say("visit_missed", count=one.no_show),
            self.say("reminded", spans=", ".join(self.span(span) for span in one.reminders)) if one.reminders else "",
            self.say("visit_by", roles=self.roles_text(one.by)) if one.by else "",
        ]  # fmt: skip
        return Clause(self.t(one.label), tuple(filter(None, lines)), self.basis(one, "place", "weekdays", "lasts"))

    def later(self) -> Iterator[PageText]:
        for task in self.book.tasks.values():
            if not isinstance(task, Form) or task.id == APPLICATION or task.register is not None:
                continue
            acts = dict.fromkeys(self.t(way.label) for way in self.book.transitions if way.fills == task.id)
            said = self.say("later_by", acts=", ".join(acts)) if acts else ""
            questions = tuple(self._question(one) for one in task.fields)
            rules = tuple(self._rule(check) for page in task.pages for check in page.checks)
            yield PageText(self.t(task.label), said, questions, rules)

    def look_ups(self) -> Iterator[Clause]:
        for task in self.book.tasks.values():
            if not isinstance(task, Form) or task.register is None:
                continue
            register = self.directory.registers.get(task.register)
            lines = [
                self.say("look_up", register=self.t(register.label) if register else task.register),
                self.say("look_up_sends", fields=", ".join(self.label(name) for name in task.sends)),
                self.say("look_up_due", span=self.span(task.due)) if task.due else "",
            ]
            yield Clause(self.t(task.label), tuple(filter(None, lines)), self.basis(task, "register", "due"))
