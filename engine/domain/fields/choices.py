"""Field types answered by choosing: yes or no, declaration, choice, choices, country, place, office."""

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
    """A yes or no, stored as a boolean."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the boolean of a French or English word, `choice` for any other."""
        word = typed.casefold()
        return True if word in _YES else False if word in _NO else fault("choice")

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the stored boolean, None for anything else."""
        return plain if isinstance(plain, bool) else None

    def plain(self, value: Value) -> Plain:
        """Return the boolean, None for a value of another type."""
        return value if isinstance(value, bool) else None

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return the word for yes or no, the typed text for a wrong answer."""
        return speech.wording.yes_no(plain, speech.language) if isinstance(plain, bool) else typed_text(plain)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return yes."""
        return True


@field_kind("declaration")
class DeclarationKind(YesNoKind):
    """A box by which the applicant declares something. An unticked box is no answer."""

    ticked: ClassVar[bool] = True

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return True for a ticked box, None for any other text."""
        return True if typed.casefold() in _YES else None

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return True for a ticked box, else None."""
        return True if plain is True else None

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        """Return `declaration` when a required box is not ticked."""
        if plain is True or not field.required.holds(asking.scope):
            return []
        return [fault("declaration").at(path, field)]


def is_open(option: Option, scope: Scope) -> bool:
    """Return True when the option may be chosen now: within its dates, and its condition holds."""
    if (option.from_ and scope.today < option.from_) or (option.until and scope.today > option.until):
        return False
    return option.when.holds(scope)


@field_kind("choice")
class ChoiceKind(FieldKind):
    """One option of a list, stored as its code."""

    def options(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """Return the options, only those of the chosen parent when the list depends on another question."""
        options = self.all_options(field, asking)
        if field.under is None:
            return options
        parent = asking.scope.get(field.under)
        return tuple(option for option in options if option.parent == parent or option.code == OTHER)

    def all_options(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """Return the options of all parents, with « Autre » where the question has it."""
        options = field.options or self.listed(field, asking)
        return (*options, OTHER_OPTION) if field.other and not _has_other(options) else options

    def listed(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """Return the options of the shared list, for a question without options of its own."""
        found = asking.lists.get(field.list_id or "")
        return found.items if found else ()

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the code when it belongs to any parent, else `choice`."""
        known = any(option.code == typed for option in self.all_options(field, asking))
        return typed if known else fault("choice")

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return the fault of a code that is not offered or not open now."""
        return list(self.code_faults(field, str(plain), asking))

    def code_faults(self, field: Field, code: str, asking: FieldContext) -> Iterator[Fault]:
        """Yield `choice` for a code that is not offered, `shut` for a closed option."""
        option = next((one for one in self.options(field, asking) if one.code == code), None)
        if option is None:
            yield fault("choice")
        elif not is_open(option, asking.scope):
            yield fault("shut", option.because)

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return the label of the code, the typed text for an unknown one."""
        typed = typed_text(plain)
        options = self.all_options(field, asking)
        return next((option.label.in_(speech.language) for option in options if option.code == typed), typed)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return the first open option, None without one."""
        found = (option.code for option in self.options(field, asking) if is_open(option, asking.scope))
        return next(found, None)


def _has_other(options: tuple[Option, ...]) -> bool:
    return any(option.code == OTHER for option in options)


@field_kind("choices")
class ChoicesKind(ChoiceKind):
    """Several options of a list, stored in the order of the list. The first unknown code makes the answer wrong."""

    ticked: ClassVar[bool] = True

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        """Return the posted codes in the order of the list, the stored answer when nothing was posted."""
        if path not in raw:
            return before
        return self._kept(field, [tidy(str(text)) for text in raw[path]], asking)

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        """Return a code or a list of codes given as data in stored form."""
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
        """Return `choice`: a single text is never an answer of this type."""
        return fault("choice")

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the codes as a tuple, None for none or for a wrong answer."""
        if not isinstance(plain, list) or not plain:
            return None
        codes = tuple(code for code in plain if isinstance(code, str))
        return codes if len(codes) == len(plain) else None

    def plain(self, value: Value) -> Plain:
        """Return the codes of a tuple as a list, None for another value."""
        return [str(code) for code in value] if isinstance(value, tuple) else None

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return the first fault among the codes."""
        codes = plain if isinstance(plain, list) else []
        return [one for code in codes for one in self.code_faults(field, str(code), asking)][:1]

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return the labels with commas between them."""
        if not isinstance(plain, list):
            return typed_text(plain)
        return ", ".join(super(ChoicesKind, self).text(field, code, asking, speech) for code in plain)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return the first open option as a list, None without one."""
        first = super().example(field, asking)
        return None if first is None else [first]


_COUNTRIES: Final = tuple(Option(code, name) for code, name in COUNTRIES.items())


@field_kind("country")
class CountryKind(ChoiceKind):
    """A country by its ISO 3166-1 alpha-3 code in lower case. Its French or English name is accepted too."""

    def listed(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """Return the countries of the named list, all countries without one."""
        found = asking.lists.get(field.list_id or "")
        return found.items if found else _COUNTRIES

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the code of a typed code or name, else `choice`."""
        word = typed.casefold().replace("'", "’")
        for option in self.all_options(field, asking):
            if option.code == word or any(word == name.casefold() for _, name in option.label.versions):
                return option.code
        return fault("choice")

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return Togo when it is open, else the first open country."""
        codes = [option.code for option in self.options(field, asking) if is_open(option, asking.scope)]
        return "tgo" if "tgo" in codes else next(iter(codes), None)


@field_kind("place")
class PlaceKind(ChoiceKind):
    """A place of the country, from the list of its level (`commune` → `communes`)."""

    def listed(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """Return the places of the named list, else of the list of the level."""
        for name in (field.list_id, f"{field.level}s", field.level):
            if name and name in asking.lists:
                return asking.lists[name].items
        return ()


@field_kind("office")
class OfficeKind(ChoiceKind):
    """An office of the procedure's agency, open or closed, from the directory."""

    def listed(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """Return the offices with their addresses as help."""
        return tuple(Option(office.id, office.label, help=office.address) for office in asking.offices)


def other_chosen(field: Field, plain: Plain) -> bool:
    """Return True when « Autre, précisez » is the answer or one of the answers."""
    return field.other and (plain == OTHER or (isinstance(plain, list) and OTHER in plain))


def detail_problems(field: Field, plain: Plain, detail: Plain, path: str) -> list[AnswerProblem]:
    """Return what is wrong with the detail of « Autre », which is answered in `<path>_other`."""
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
