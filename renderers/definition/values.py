"""Values of a definition in words: labels of roles, states and options, lengths of time, francs, conditions.

Each edition uses its own labels, so a changed label appears beside its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from engine.core.values import Span, Text
from engine.language.diff.elements import TransitionTarget
from engine.model import Contact, Cut, Delay, Hours, Instalments, Procedure, Template, Total
from engine.model.directory import Directory
from engine.model.paper import OutputPaper
from engine.model.types import FALSE, TRUE, Constant, Expression
from renderers.definition.parts import DefinitionReader
from renderers.i18n.formats import weekday
from renderers.i18n.translations import Translations, quoted

_CONDITIONS: Final = frozenset({"when", "exempt", "stop_when", "holds"})
_ROLES: Final = frozenset({"by", "seen_by", "escalate", "proposed_by", "signed_by", "to"})


class ChangeValues:
    """Writes the values of one edition, in one language."""

    def __init__(self, procedure: Procedure, directory: Directory, words: Translations, language: str) -> None:
        self.reader = DefinitionReader(procedure, directory, words, language)
        self.words, self.language = words, language
        self._pages = {page.id: page.title for page in procedure.form.pages}
        self._by_facet: Mapping[str, Callable[[Any], str]] = {
            "required": self._required, "weekdays": self._weekdays, "hours": self._hours, "delay": self._delay,
            "max_size": lambda value: words.size(value, language),
            "agency": self._agency, "page": self._page, "at_least": self._worth, "at_most": self._worth,
        }  # fmt: skip

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a full key, with its facts filled in."""
        return self.words.say(key, self.language, {name: str(value) for name, value in facts.items()})

    def of(self, facet: str, value: object) -> str:
        """Return the value of a facet in words. For an empty value, what empty means."""
        if facet in self._by_facet and value is not None:
            return self._by_facet[facet](value)
        if not value and value is not False and value != 0:
            return self._empty(facet)
        if facet in _CONDITIONS and isinstance(value, Expression):
            return self.reader.expressions.condition(value) or self.say("changes.always")
        if facet in _ROLES:
            return self._roles(value)
        return self._any(value)

    def condition(self, value: object) -> str:
        """Return a condition in words, empty for any other value and for a condition always true."""
        return self.reader.expressions.condition(value) if isinstance(value, Expression) else ""

    def names(self, facet: str, value: object) -> dict[str, str]:
        """Return the words of each name in a set or tuple, by name."""
        every: Iterable[Any] = value if isinstance(value, (tuple, frozenset)) else ()
        one: Callable[[Any], str] = self.reader.role if facet in _ROLES else self._any
        if facet == "weekdays":
            one = self._weekday
        return {str(name): one(name) for name in (every if isinstance(every, tuple) else sorted(every))}

    # -- kinds of values -----------------------------------------------------------------------------------------------

    def _page(self, value: str) -> str:
        title = self._pages.get(value)
        return quoted(self.reader.t(title), self.language) if title else self._word(value)

    def _empty(self, facet: str) -> str:
        key = {
            "weekdays": "every_day", "hours": "all_hours", "desks": "one_at_a_time", "by": "whoever", "seen_by": "everyone",
            "states": "all_states", "when": "always", "required": "required",
        }.get(facet, "none")  # fmt: skip
        return self.say(f"changes.{key}")

    def _any(self, value: Any) -> str:
        match value:
            case bool():
                return self.words.yes_no(value, self.language)
            case Expression():
                return self._worth(value)
            case Span():
                return self.span(value)
            case date():
                return self.words.plain_day(value, self.language)
            case int() | Decimal():
                return self.words.amount(value, self.language)
            case str():
                return self._word(value)
            case Text():
                return quoted(self.reader.t(value), self.language)
            case Template():
                return quoted(self.reader.t(value.text), self.language)
            case OutputPaper():
                texts = (quoted(self.reader.t(one.text), self.language) for one in value.texts())
                return "; ".join((*texts, *self.reader.courtesy(value)))
            case TransitionTarget():
                return self._transition(value)
            case Cut():
                return self._cut(value)
            case Instalments():
                return f"{self.say('changes.instalments', count=value.most)}, {self.span(value.every)}"
            case Total():
                return f"{self.reader.label(value.of)} = {self._worth(value.equals)}"
            case Contact():
                parts = (value.phone, value.email, self.reader.t(value.address))
                return ", ".join(part for part in parts if part)
            case Mapping():
                return ", ".join(self._pair(name, one) for name, one in value.items())
            case tuple():
                return self._several(value)
            case frozenset():
                return ", ".join(self._any(one) for one in sorted(value))
            case _:
                return str(getattr(value, "kind", None) or getattr(getattr(value, "type", None), "kind", value))

    def _several(self, values: tuple[Any, ...]) -> str:
        return (" ; " if any(isinstance(one, (TransitionTarget, Cut)) for one in values) else ", ").join(
            map(self._any, values)
        )

    def _pair(self, name: str, one: object) -> str:
        if isinstance(one, str):  # a law that covers some of the values
            law = self.reader.definition.laws.get(one)
            said = self.reader.t(law.title) if law else one
            return said if name == "*" else self.say("frame.pair", label=self.facet("", name), value=said)
        return self.say("frame.pair", label=self._word(name), value=self._any(one))

    def _word(self, name: str) -> str:
        """Return a role, a label of the procedure or a word of the language, else the name itself."""
        if "/" in name:
            return self.reader.role(name)
        key = f"changes.word.{name}"
        procedure = self.reader.definition
        if name not in procedure.things and name not in procedure.tasks:
            for group in (f"definition.type.{name}", key):
                if self.words.has(group):
                    return self.words.say(group, self.language, {})
            law = procedure.laws.get(name)
            return self.reader.t(law.title) if law else name
        label = self.reader.label(name)
        return label if label == name else quoted(label, self.language)

    def _roles(self, value: Any) -> str:
        if isinstance(value, tuple) and value and isinstance(value[0], TransitionTarget):
            return self._any(value)
        names = value if isinstance(value, tuple) else (value,)
        return self.reader.roles_text(names)

    def _worth(self, value: Any) -> str:
        if isinstance(value, Expression):
            return self.reader.expressions.value(value)
        return self._any(value)

    def _required(self, value: Any) -> str:
        if value == TRUE:
            return self.say("changes.required")
        if value == FALSE:
            return self.say("changes.optional")
        return self.say("changes.required_if", condition=self.condition(value))

    def _agency(self, value: str) -> str:
        agency = self.reader.directory.agencies.get(value)
        return self.reader.t(agency.label) if agency else value

    def _weekday(self, day: int) -> str:
        return weekday(day, self.language)

    def _weekdays(self, days: tuple[int, ...]) -> str:
        return ", ".join(map(self._weekday, days)) or self.say("changes.every_day")

    def _hours(self, hours: tuple[Hours, ...]) -> str:
        spans = (
            f"{self.words.hour(one.start, self.language)}–{self.words.hour(one.end, self.language)}" for one in hours
        )
        return ", ".join(spans) or self.say("changes.all_hours")

    def _delay(self, delay: Delay) -> str:
        cases = ((self.condition(when), self.span(span)) for when, span in delay.entries)
        return " ; ".join(
            self.say("changes.per_case", value=span, condition=when) if when else span for when, span in cases
        )

    def _transition(self, transition: TransitionTarget) -> str:
        state = self.reader.definition.states.get(transition.to)
        name = self.reader.t(state.label) if state else transition.to
        condition = self.condition(transition.when)
        said = (
            self.say("changes.then_if", state=name, condition=condition)
            if condition
            else self.say("changes.then", state=name)
        )
        for key, tasks in (("then_again", transition.reopens), ("then_without", transition.without)):
            if tasks:
                said = self.say(f"changes.{key}", way=said, tasks=", ".join(map(self.reader.label, tasks)))
        return said

    def _cut(self, cut: Cut) -> str:
        value = f"{self._worth(cut.percent)} %" if cut.percent is not None else self._worth(cut.amount)
        return self.say(
            "changes.cut_of", value=value, condition=self.condition(cut.when), because=self.reader.t(cut.because)
        )

    # -- spans, facets -------------------------------------------------------------------------------------------------

    def span(self, span: Span) -> str:
        """Return a length of time with its count grouped."""
        return f"{self.words.amount(span.count, self.language)} {self.unit(span)}"

    def unit(self, span: Span) -> str:
        """Return the unit of a length of time, singular or plural by its count."""
        return self.say(f"changes.unit.{'working_' if span.working else ''}{span.unit}", count=span.count)

    def facet(self, noun: str, facet: str) -> str:
        """Return the name of a facet for that kind of element, or its key between quotation marks."""
        keys = (f"changes.facet_of.{noun}.{facet}", f"changes.facet.{facet}")
        known = next((key for key in keys if self.words.has(key)), None)
        return self.words.say(known, self.language, {}) if known else quoted(facet, self.language)


def span_of(value: object) -> Span | None:
    """Return the length of time of a facet, None if it is computed.

    It is a plain value, a constant expression, or the only case of a delay.
    """
    if isinstance(value, Expression) and isinstance(value.node, Constant):
        value = value.node.value
    if isinstance(value, Delay) and len(value.entries) == 1:
        value = value.entries[0][1]
    return value if isinstance(value, Span) else None
