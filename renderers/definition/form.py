"""Chapters of questions of the definition in sentences: eligibility, pages, rules, evidence, lists, number schemes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from engine.core.values import Text
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Name, Not
from engine.model import Bounds, Criterion, Field, FormCheck, Option, Page
from engine.model.types import FALSE, TRUE, Constant, Expression
from renderers.definition.parts import Clause, ListText, PageText, capital
from renderers.definition.patterns import pattern_text
from renderers.definition.reader import ProcedureReader
from renderers.i18n.translations import quoted

_FILES = ("file", "photo", "evidence")
_SAME_IN_ONE: Final = frozenset({"mois", "fois", "colis"})
_ENDLESS = re.compile(r"[*+]|,\}")
_OWN_WORDS = (
    "type", "value_type", "label", "help", "unit", "when", "required", "value", "default", "prefill", "reuse", "example", "bounds",
    "options", "under", "other", "list_id", "scheme", "level", "evidence", "rows", "checks", "row_label", "unique", "total",
    "noun",
)  # fmt: skip


def _says_length(bounds: Bounds) -> bool:
    """Return whether the pattern limits the length and no other maximum is set."""
    return bool(bounds.pattern and not _ENDLESS.search(bounds.pattern)) and bounds.max_length == Bounds().max_length


class FormReader(ProcedureReader):
    """Reads the questions and the evidence of the form."""

    # -- questions -----------------------------------------------------------------------------------------------------

    def eligibility(self) -> Iterator[Clause]:
        """Yield the eligibility questions with the answer that stops, its reason and the procedure to use instead."""
        for one in self.definition.eligibility:
            asked = self.question(one.field)
            lines = [*asked.lines, self._stop(one), self.say("answer", because=self.t(one.because))]
            if one.instead:
                lines.append(self.say("instead", procedure=self.t(one.instead_title) or self.title_of(one.instead)))
            lines += self.rest(one, "eligibility", "field", "stop_when", "because", "instead", "instead_title")
            yield Clause(asked.title, tuple(lines), self.basis(one, "eligibility"), asked.kind, asked.parts)

    def _stop(self, one: Criterion) -> str:
        """Return the answer that stops, without repeating the question."""
        match tree(one.stop_when):
            case Name(id=name) if name == one.id:
                return self.say("stops_yes")
            case Not(item=Name(id=name)) if name == one.id:
                return self.say("stops_no")
            case _:
                return self.say("stops_when", condition=self.expressions.condition(one.stop_when))

    def page(self, page: Page) -> PageText:
        """Return a page: its notes, its questions without evidence, and its rules."""
        notes = [self.when("page_when", page.when), self.help(page.help), self.basis(page, "pages")]
        notes += [] if page.reuse else [self.say("asked_anew")]
        notes += self.rest(page, "pages", "title", "help", "when", "reuse", "fields", "checks")
        questions = tuple(self.question(one) for one in page.fields if one.evidence is None)
        rules = tuple(self.rule(one) for one in page.checks)
        return PageText(self.t(page.title), tuple(filter(None, notes)), questions, rules)

    def help(self, text: Text | None) -> str:
        """Return the help text as a sentence, empty if there is none."""
        return self.say("help", help=self.t(text)) if text else ""

    def question(self, one: Field) -> Clause:
        """Return all properties of a question, with its columns and their rules inside."""
        lines = filter(None, (
            self.when("asked_when", one.when), self._required(one), *self._source(one), self.help(one.help),
            self.say("noun", noun=self.t(one.noun)) if one.noun else "", *self._values(one), *self._bounds(one), *self._rows(one), *self._kind(one),
            *self.rest(one, "questions", *_OWN_WORDS),
        ))  # fmt: skip
        parts = (*map(self.question, one.rows), *map(self.rule, one.checks))
        return Clause(self.t(one.label), tuple(lines), self.basis(one, "questions"), self._type(one), parts)

    def _type(self, one: Field) -> str:
        said = self.say(f"type.{one.type}")
        return f"{said}, {self.say('in_unit', unit=one.unit)}" if one.unit else said

    def _required(self, one: Field) -> str:
        if one.required == TRUE or one.value is not None:
            return ""
        return self.say("optional") if one.required == FALSE else self.when("required_when", one.required)

    def _source(self, one: Field) -> Iterator[str]:
        if one.value is not None:
            yield self.say("computed_as", value=self.expressions.value(one.value))
        if one.default is not None:
            yield self.say("proposed", value=self.expressions.value_for(one, one.default))
        if one.prefill:
            yield self._prefilled(one.prefill)
        if not one.reuse:
            yield self.say("asked_anew")

    def _prefilled(self, source: str) -> str:
        """Return the source of a prefilled answer: `account.phone` or `look_up.<id>.<answer>`."""
        kind, _, name = source.partition(".")
        if kind == "account":
            known = self.words.has(f"definition.prefilled_{name}")
            return self.say(f"prefilled_{name}" if known else "prefilled_other")
        look_up, _, answer = name.partition(".")
        label = self.label(answer)
        return self.say("prefilled_look_up", register=self.label(look_up), answer=label)

    # -- what may be answered ------------------------------------------------------------------------------------------

    def _values(self, one: Field) -> Iterator[str]:
        listed = self.definition.lists.get(one.list_id or "")
        if one.under:
            yield self.say("under", question=self.label(one.under))
        if listed is not None:
            yield self.say("values_many", count=len(one.options), list=self.t(listed.title))
        else:
            yield from self.options(one.options)
        if one.other:
            yield self.say("other_allowed")

    def options(self, options: Iterable[Option]) -> Iterator[str]:
        """Yield the options. Those with a name only share one line."""
        every = [(option, self.option(option)) for option in options]
        plain = [said for option, said in every if said == self.t(option.label)]
        if plain:
            yield self.say("values", options=", ".join(plain))
        for option, said in every:
            if said != self.t(option.label):
                yield self.say("value_one", option=said)

    def option(self, one: Option, items: Iterable[Option] = ()) -> str:
        """Return one option:

        `Série D (à partir du 1er janvier 2027 ; sinon : « … »)`. `items` may hold its parent.
        """
        parents = {item.code: item.label for item in items}
        days = {
            name: self.words.plain_day(day, self.language)
            for name, day in (("first", one.from_), ("last", one.until))
            if day
        }
        parent = parents.get(one.parent or "") or self._choice(one.parent)
        law = self.law_title(one.basis) if one.basis else ""
        details = (
            self.when("when", one.when), self.say("option_dates_" + "_".join(days), **days) if days else "",
            self.say("option_because", because=self.t(one.because)) if one.because else "",
            self.say("option_parent", option=self.t(parent)) if parent else "",
            self.help(one.help), law,
        )  # fmt: skip
        said = " ; ".join(filter(None, details))
        return f"{self.t(one.label)} ({said})" if said else self.t(one.label)

    def _choice(self, code: str | None) -> Text | None:
        """Return the label of a code of any question or list, None for no code, the code itself if unknown."""
        if code is None:
            return None
        every = (
            *self.definition.fields.values(),
            *(column for one in self.definition.fields.values() for column in one.rows),
        )
        own = (option for field in every for option in field.options)
        listed = (item for code_list in self.definition.lists.values() for item in code_list.items)
        return next((one.label for one in (*own, *listed) if one.code == code), Text.of(code))

    def _bounds(self, one: Field) -> Iterator[str]:
        bounds = one.bounds
        ends = "_date" if one.type in ("date", "partial_date") else ""
        if bounds.minimum is not None and bounds.minimum.text != "0":
            yield self.say(f"minimum{ends}", value=self._with_unit(one, bounds.minimum))
        elif bounds.minimum is not None:
            yield self.say("not_negative")
        if bounds.maximum is not None:
            yield self.say(f"maximum{ends}", value=self._with_unit(one, bounds.maximum))
        if one.type == "rows":
            yield self.say("rows_between", first=bounds.min_items, last=bounds.max_items)
        elif one.type in _FILES:
            yield from self._files(bounds, evidence=one.evidence)
        elif one.type == "text" and one.value is None and not _says_length(bounds):
            yield self.say("length", first=bounds.min_length, last=bounds.max_length)
        if bounds.pattern:
            yield from self.pattern(bounds.pattern, _example(one))
        if bounds.message:
            yield self.say("message_said", message=self.t(bounds.message))

    def pattern(self, pattern: str, example: str) -> Iterator[str]:
        """Yield the pattern in words and its example, or the example alone if the pattern has no simple words."""
        said = pattern_text(pattern, self.words, self.language)
        if example and not said:
            yield self.say("pattern_like", example=example)
            return
        yield self.say("form", form=said) if said else self.say("pattern", pattern=pattern)
        if example:
            yield self.say("example", example=example)

    def _files(self, bounds: Bounds, evidence: object) -> Iterator[str]:
        kinds = ", ".join(one.upper() for one in bounds.accept)
        if evidence is None or getattr(evidence, "uploaded", False):
            yield self.say(
                "files", count=bounds.max_items, kinds=kinds, size=self.words.size(bounds.max_size, self.language)
            )

    def _with_unit(self, one: Field, value: Expression) -> str:
        return f"{self.expressions.value(value)} {_unit_of(one.unit or '', value.text)}".strip()

    def _kind(self, one: Field) -> Iterator[str]:
        """Yield what only some types of questions have: number scheme, level of a place."""
        scheme = self.definition.schemes.get(one.scheme or "")
        if scheme is not None:
            yield self.say("scheme", scheme=self.t(scheme.label))
        if one.type == "place":
            yield self.say("level", level=self.words.say(f"definition.levels.{one.level}", self.language, {}))

    def _rows(self, one: Field) -> Iterator[str]:
        if one.row_label is not None:
            yield self.say("row_named", name=self.template(one.row_label))
        labels = {column.id: self.t(column.label) for column in one.rows}
        for names in one.unique:
            yield self.say("unique", columns=", ".join(quoted(labels.get(name, name), self.language) for name in names))
        if one.total is not None:
            column = labels.get(one.total.of, one.total.of)
            yield self.say("total", column=column, value=self.expressions.value(one.total.equals))

    # -- rules ---------------------------------------------------------------------------------------------------------

    def rule(self, check: FormCheck) -> Clause:
        """Return a check between answers: its condition, its message, and whether it refuses or warns."""
        holds = self.say("rule_holds", condition=self.expressions.condition(check.holds))
        when = self.when("rule_when", check.when)
        lines = [f"{holds}, {when}." if when else f"{holds}.", self.say("message_said", message=self.t(check.message))]
        if check.at:
            lines.append(self.say("rule_at", question=self.label(check.at)))
        lines += self.rest(check, "checks", "holds", "when", "warns", "message", "at")
        return Clause(self.say("warns" if check.warns else "refuses"), tuple(lines), self.basis(check, "checks"))

    # -- evidence ------------------------------------------------------------------------------------------------------

    def evidence(self, one: Field) -> Clause:
        """Return a piece of evidence: when it is asked for, alternatives, forms of delivery, limits of files."""
        terms = one.evidence
        assert terms is not None
        how = [self.words.say(f"sheet.how_{form}", self.language, {}) for form in terms.how]
        if terms.copies > 1:
            how.insert(0, self.say("copies", count=terms.copies))
        if terms.max_age:
            how.append(self.say("max_age", span=self.span(terms.max_age)))
        lines = (
            self.when("asked_when", one.when) or self.say("always"), self._required(one), *self._source(one),
            *self._alternatives(one), capital(", ".join(how)), *self._bounds(one), self._held(one), self.help(one.help),
            *self.rest(terms, "evidence", "any_of", "how", "copies", "max_age", "held_by", "held_of"),
            *self.rest(one, "questions", *_OWN_WORDS),
        )  # fmt: skip
        return Clause(self.t(one.label), tuple(filter(None, lines)), self.basis(one, "evidence"))

    def _alternatives(self, one: Field) -> Iterator[str]:
        if one.evidence is not None and one.evidence.any_of:
            yield self.say("one_of", options=", ".join(self.option(option) for option in one.evidence.any_of))

    def _held(self, one: Field) -> str:
        terms = one.evidence
        if terms is None or not terms.held_by:
            return ""
        title = self.title_of(terms.held_by)
        if terms.held_of:
            return self.say("held_of", procedure=title, person=self.label(terms.held_of))
        return self.say("held", procedure=title)

    # -- what questions share ------------------------------------------------------------------------------------------

    def lists(self) -> Iterator[ListText]:
        """Yield the lists that questions of this procedure offer, each written out once."""
        for one in self.definition.lists.values():
            notes = (self.say("source", source=one.source) if one.source else "",)
            parents = (item for other in self.definition.lists.values() for item in other.items)
            known = tuple(parents)
            items = tuple(self.option(item, known) for item in one.items)
            yield ListText(self.t(one.title), tuple(filter(None, notes)), items)

    def numbers(self) -> Iterator[Clause]:
        """Yield the number schemes that questions use, with their pattern and checksum."""
        for one in self.definition.schemes.values():
            lines = (
                *self.pattern(one.pattern, one.example or ""),
                self.say("checksum", name=one.checksum) if one.checksum else "",
            )
            yield Clause(self.t(one.label), tuple(filter(None, lines)))


def _example(one: Field) -> str:
    """Return the example of the definition if it is one text, else empty."""
    node = one.example.node if one.example is not None else None
    return node.value if isinstance(node, Constant) and isinstance(node.value, str) else ""


def _unit_of(unit: str, number: str) -> str:
    """Return the unit for that number. Units are written in the plural: `1 an`, `2 ans`."""
    if number not in ("0", "1") or not unit.endswith("s") or len(unit) < 3 or unit in _SAME_IN_ONE:
        return unit
    return unit[:-1]
