"""Answers picked among some: yes or no, declaration, choice, choices, country, place, office."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from engine.core.countries import COUNTRIES
from engine.core.values import Plain, Text
from engine.domain.fields.field_type import FieldContext, FieldKind, Speech, field_kind
from engine.domain.fields.raw_answers import OTHER, Fault, Raw, fault, has_control, is_wrong, tidy, typed_text
from engine.domain.fields.views import AnswerProblem
from engine.model import Field, Option
from engine.model.types import Scope, Value

_YES: Final = frozenset({"true", "on", "1", "oui", "yes", "o", "y"})
_NO: Final = frozenset({"false", "off", "0", "non", "no", "n"})
_LONGEST_DETAIL: Final = 100
OTHER_OPTION: Final = Option(OTHER, Text((("fr", "Autre, précisez"), ("en", "Other, say which"))))


@field_kind("yes_no")
class YesNoKind(FieldKind):
    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        word = typed.casefold()
        return True if word in _YES else False if word in _NO else fault("choice")

    def typed(self, field: Field, plain: Plain) -> Value:
        return plain if isinstance(plain, bool) else None

    def plain(self, value: Value) -> Plain:
        return value if isinstance(value, bool) else None

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        return speech.wording.yes_no(plain, speech.language) if isinstance(plain, bool) else typed_text(plain)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        return True


@field_kind("declaration")
class DeclarationKind(YesNoKind):
    """A box to tick: what a person declares. Not ticked is not answered."""

    ticked: ClassVar[bool] = True

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        return True if typed.casefold() in _YES else None

    def typed(self, field: Field, plain: Plain) -> Value:
        return True if plain is True else None

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        if plain is True or not field.required.holds(asking.scope):
            return []
        return [fault("declaration").at(path, field)]


def is_open(option: Option, scope: Scope) -> bool:
    """May the option be chosen now: within its dates, and its `when` holds?"""
    if (option.from_ and scope.today < option.from_) or (option.until and scope.today > option.until):
        return False
    return option.when.holds(scope)


@field_kind("choice")
class ChoiceKind(FieldKind):
    def options(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        options = self.all_options(field, asking)
        if field.under is None:
            return options
        parent = asking.scope.get(field.under)
        return tuple(option for option in options if option.parent == parent or option.code == OTHER)

    def all_options(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """The choices under any parent."""
        options = field.options or self.listed(field, asking)
        return (*options, OTHER_OPTION) if field.other and not _has_other(options) else options

    def listed(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """The choices when the file does not write them itself."""
        found = asking.lists.get(field.list_id or "")
        return found.items if found else ()

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        known = any(option.code == typed for option in self.all_options(field, asking))
        return typed if known else fault("choice")

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        return list(self.code_faults(field, str(plain), asking))

    def code_faults(self, field: Field, code: str, asking: FieldContext) -> Iterator[Fault]:
        option = next((one for one in self.options(field, asking) if one.code == code), None)
        if option is None:
            yield fault("choice")
        elif not is_open(option, asking.scope):
            yield fault("shut", option.because)

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        typed = typed_text(plain)
        options = self.all_options(field, asking)
        return next((option.label.in_(speech.language) for option in options if option.code == typed), typed)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        found = (option.code for option in self.options(field, asking) if is_open(option, asking.scope))
        return next(found, None)


def _has_other(options: tuple[Option, ...]) -> bool:
    return any(option.code == OTHER for option in options)


@field_kind("choices")
class ChoicesKind(ChoiceKind):
    """Several of a list, kept in the order of the list. Wrong codes are kept as the only wrong text."""

    ticked: ClassVar[bool] = True

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        if path not in raw:
            return before
        return self._kept(field, [tidy(str(text)) for text in raw[path]], asking)

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        if plain is None or is_wrong(plain):
            return plain
        return self._kept(field, [str(code) for code in (plain if isinstance(plain, list) else [plain])], asking)

    def _kept(self, field: Field, codes: list[str], asking: FieldContext) -> Plain:
        codes = [code for code in codes if code]
        known = [option.code for option in self.all_options(field, asking)]
        unknown = [code for code in codes if code not in known]
        if unknown:
            return {"?": unknown[0]}
        kept: list[Plain] = [code for code in known if code in codes]
        return kept

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        return fault("choice")

    def typed(self, field: Field, plain: Plain) -> Value:
        if not isinstance(plain, list) or not plain:
            return None
        codes = tuple(code for code in plain if isinstance(code, str))
        return codes if len(codes) == len(plain) else None

    def plain(self, value: Value) -> Plain:
        return [str(code) for code in value] if isinstance(value, tuple) else None

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        codes = plain if isinstance(plain, list) else []
        return [one for code in codes for one in self.code_faults(field, str(code), asking)][:1]

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        if not isinstance(plain, list):
            return typed_text(plain)
        return ", ".join(super(ChoicesKind, self).text(field, code, asking, speech) for code in plain)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        first = super().example(field, asking)
        return None if first is None else [first]


_COUNTRIES: Final = tuple(Option(code, name) for code, name in COUNTRIES.items())


@field_kind("country")
class CountryKind(ChoiceKind):
    """A country by its ISO 3166-1 alpha-3 code in small letters; its French or English name is understood too."""

    def listed(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        found = asking.lists.get(field.list_id or "")
        return found.items if found else _COUNTRIES

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        word = typed.casefold().replace("'", "’")
        for option in self.all_options(field, asking):
            if option.code == word or any(word == name.casefold() for _, name in option.label.versions):
                return option.code
        return fault("choice")

    def example(self, field: Field, asking: FieldContext) -> Plain:
        codes = [option.code for option in self.options(field, asking) if is_open(option, asking.scope)]
        return "tgo" if "tgo" in codes else next(iter(codes), None)


@field_kind("place")
class PlaceKind(ChoiceKind):
    """A place of the country, of the list of its level (`commune` → `communes`)."""

    def listed(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        for name in (field.list_id, f"{field.level}s", field.level):
            if name and name in asking.lists:
                return asking.lists[name].items
        return ()


@field_kind("office")
class OfficeKind(ChoiceKind):
    """An office of the procedure's agency, open doors or not: live data of the directory."""

    def listed(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        return tuple(Option(office.id, office.label, help=office.address) for office in asking.offices)


def other_chosen(field: Field, plain: Plain) -> bool:
    """Is « Autre, précisez » the answer, or one of them?"""
    return field.other and (plain == OTHER or (isinstance(plain, list) and OTHER in plain))


def detail_problems(field: Field, plain: Plain, detail: Plain, path: str) -> list[AnswerProblem]:
    """What is wrong with the detail of « Autre », answered in `<path>_other`."""
    if not other_chosen(field, plain):
        return []
    text = detail if isinstance(detail, str) else ""
    if not text:
        return [fault("other_detail").at(f"{path}_{OTHER}", field)]
    if has_control(text):
        return [fault("control").at(f"{path}_{OTHER}", field)]
    if len(text) > _LONGEST_DETAIL:
        facts = {"maximum": _LONGEST_DETAIL, "over": len(text) - _LONGEST_DETAIL}
        return [fault("length", None, **facts).at(f"{path}_{OTHER}", field)]
    return []
