"""Base class of field types, the context of a question, and the registry of types by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import ClassVar, Final, TypeVar

from engine.core.values import Plain
from engine.domain.common.text_provider import Wording
from engine.domain.fields.raw_answers import Fault, Raw, fault, is_blank, is_wrong, one, tidy, typed_text
from engine.domain.fields.views import AnswerProblem
from engine.model import CodeList, Field, Option, Scheme
from engine.model.directory import Calendar, Office
from engine.model.types import Expression, Row, Scope, Value


@dataclass(frozen=True, slots=True)
class FieldContext:
    """The context of a question: the scope of its conditions, and the lists, schemes and offices it may use."""

    scope: Scope
    lists: Mapping[str, CodeList] = field(default_factory=lambda: MappingProxyType({}))
    schemes: Mapping[str, Scheme] = field(default_factory=lambda: MappingProxyType({}))
    offices: tuple[Office, ...] = ()
    calendar: Calendar = field(default_factory=Calendar)

    def inside(self, row: Row) -> FieldContext:
        """Return the context within one row."""
        return replace(self, scope=self.scope.inside(row))


@dataclass(frozen=True, slots=True)
class Speech:
    """The texts and the language in which values are written."""

    wording: Wording
    language: str = "fr"


class FieldKind:
    """The common behaviour of field types: one text control, whose tidied text `parse` converts to an answer or
    a fault."""

    asked: ClassVar[bool] = True  # False: a note without answer
    ticked: ClassVar[bool] = False  # True: a control that browsers do not post when nothing is ticked

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        """Return the answer to store after a post. `before` is the stored one, used when nothing was posted."""
        typed = self.posted(field, raw, path)
        return before if typed is None else self.from_text(field, typed, asking)

    def controls(self, field: Field, path: str) -> tuple[str, ...]:
        """Return the names of its controls in a form."""
        return (path,)

    def posted(self, field: Field, raw: Raw, path: str) -> str | None:
        """Return the tidied text that was posted, None when the control was absent."""
        typed = one(raw, path)
        return None if typed is None else tidy(typed, lines=field.lines > 1)

    def from_text(self, field: Field, typed: str, asking: FieldContext) -> Plain:
        """Return the answer of a text, marked as wrong when it does not parse, None when empty."""
        if not typed:
            return None
        parsed = self.parse(field, typed, asking)
        return {"?": typed} if isinstance(parsed, Fault) else parsed

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        """Return an answer given as data (a scenario, an interface) in stored form."""
        if plain is None or is_wrong(plain):
            return plain
        if isinstance(plain, bool):
            plain = "true" if plain else "false"
        return self.from_text(field, tidy(str(plain), lines=field.lines > 1), asking)

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the answer of a tidied, non-empty text, or its fault."""
        return typed

    def faults(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return what is wrong with an answer that is not blank."""
        if is_wrong(plain):
            parsed = self.parse(field, typed_text(plain), asking)
            return [parsed if isinstance(parsed, Fault) else fault("format", example=self.shape(field, asking))]
        if self.typed(field, plain) is None:
            return [fault("format", example=self.shape(field, asking))]
        return self.limits(field, plain, asking)

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return the violated bounds of a well-formed answer."""
        return []

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the answer as a value of expressions, None for a wrong or blank one."""
        return plain if isinstance(plain, str) and plain else None

    def plain(self, value: Value) -> Plain:
        """Return a computed value in stored form, the inverse of `typed`."""
        return None if value is None else str(value)

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return the text for readers, the typed text for a wrong answer."""
        return typed_text(plain)

    def boxes(self, plain: Plain) -> tuple[str, ...]:
        """Return the contents of separate boxes, empty for a type with one control."""
        return ()

    def options(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """Return the options of the question, open or closed. Empty for a type without options."""
        return ()

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return a valid answer for a question without an example in the file."""
        return "Exemple"[: field.bounds.max_length]

    def shape(self, field: Field, asking: FieldContext) -> str:
        """Return an example answer as text, to print in an error message."""
        written = field.example.value(asking.scope) if field.example else None
        plain = self.plain(written) if written is not None else self.example(field, asking)
        return str(plain) if isinstance(plain, str | int) and not isinstance(plain, bool) else ""

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        """Return what is wrong with the answer at its path, including a missing required one."""
        if is_blank(plain):
            if not field.required.holds(asking.scope):
                return []
            return [field.once(_left_empty) if path == field.id else fault("empty").at(path, field)]
        return [one.at(path, field) for one in self.faults(field, plain, asking)]


def _left_empty(field: Field) -> AnswerProblem:
    return fault("empty").at(field.id, field)


KINDS: Final[dict[str, FieldKind]] = {}
Made = TypeVar("Made", bound=type[FieldKind])


def field_kind(*names: str) -> Callable[[Made], Made]:
    """Return a decorator that registers a field type under these names. Raises ValueError for a registered name."""

    def register(made: Made) -> Made:
        for name in names:
            if name in KINDS:
                raise ValueError(f"the kind of field {name!r} is registered twice")
            KINDS[name] = made()
        return made

    return register


def bound(expression: Expression | None, asking: FieldContext) -> Value:
    """Return the present value of a bound, None without one or when it depends on an empty answer."""
    return None if expression is None else expression.value(asking.scope)
