"""What a kind of field must answer, the place it is asked in, and the registry of kinds by the word of the file."""

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
    """Where a question is asked: the names its conditions see, the lists, schemes and offices it may point at."""

    scope: Scope
    lists: Mapping[str, CodeList] = field(default_factory=lambda: MappingProxyType({}))
    schemes: Mapping[str, Scheme] = field(default_factory=lambda: MappingProxyType({}))
    offices: tuple[Office, ...] = ()
    calendar: Calendar = field(default_factory=Calendar)

    def inside(self, row: Row) -> FieldContext:
        """The same place seen from one row."""
        return replace(self, scope=self.scope.inside(row))


@dataclass(frozen=True, slots=True)
class Speech:
    """In which words and language values are said."""

    wording: Wording
    language: str = "fr"


class FieldKind:
    """The common behaviour: one text control, whose tidied text `parse` turns into an answer or a fault."""

    asked: ClassVar[bool] = True  # False: a note, nothing is answered
    ticked: ClassVar[bool] = False  # True: a control browsers leave out of a form when nothing is ticked

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        """The answer to keep after a post. `before` is the one kept until now, also when nothing was posted."""
        typed = self.posted(field, raw, path)
        return before if typed is None else self.from_text(field, typed, asking)

    def controls(self, field: Field, path: str) -> tuple[str, ...]:
        """The names of its controls in a form."""
        return (path,)

    def posted(self, field: Field, raw: Raw, path: str) -> str | None:
        """The tidied text that was posted; none when the control was not there."""
        typed = one(raw, path)
        return None if typed is None else tidy(typed, lines=field.lines > 1)

    def from_text(self, field: Field, typed: str, asking: FieldContext) -> Plain:
        """The answer of a text, kept as wrong when it is none."""
        if not typed:
            return None
        parsed = self.parse(field, typed, asking)
        return {"?": typed} if isinstance(parsed, Fault) else parsed

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        """An answer given as data (a story, an interface) in the form answers are kept."""
        if plain is None or is_wrong(plain):
            return plain
        if isinstance(plain, bool):
            plain = "true" if plain else "false"
        return self.from_text(field, tidy(str(plain), lines=field.lines > 1), asking)

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """The answer a tidied, not empty text means, or why it means none."""
        return typed

    def faults(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """What is wrong with an answer that is not blank."""
        if is_wrong(plain):
            parsed = self.parse(field, typed_text(plain), asking)
            return [parsed if isinstance(parsed, Fault) else fault("format", example=self.shape(field, asking))]
        if self.typed(field, plain) is None:
            return [fault("format", example=self.shape(field, asking))]
        return self.limits(field, plain, asking)

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """The bounds of a well-formed answer."""
        return []

    def typed(self, field: Field, plain: Plain) -> Value:
        """What the answer is worth in an expression; empty for a wrong one."""
        return plain if isinstance(plain, str) and plain else None

    def plain(self, value: Value) -> Plain:
        """The other way: a computed value in the form answers are kept."""
        return None if value is None else str(value)

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """What a reader sees; for a wrong answer what was typed."""
        return typed_text(plain)

    def boxes(self, plain: Plain) -> tuple[str, ...]:
        return ()

    def options(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """The choices, open or shut."""
        return ()

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """An answer that would do, when the file gives none."""
        return "Exemple"[: field.bounds.max_length]

    def shape(self, field: Field, asking: FieldContext) -> str:
        """What an answer looks like, for the sentence of a fault."""
        written = field.example.value(asking.scope) if field.example else None
        plain = self.plain(written) if written is not None else self.example(field, asking)
        return str(plain) if isinstance(plain, str | int) and not isinstance(plain, bool) else ""

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        """What is wrong with the answer where it stands, blank ones included."""
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
    """Registers a kind under the words of the file it answers to; a word has one kind."""

    def register(made: Made) -> Made:
        for name in names:
            if name in KINDS:
                raise ValueError(f"the kind of field {name!r} is registered twice")
            KINDS[name] = made()
        return made

    return register


def bound(expression: Expression | None, asking: FieldContext) -> Value:
    """A bound's value now; none when there is none or it hangs on an answer that is empty."""
    return None if expression is None else expression.value(asking.scope)
