"""Functions on a field of any type, which find its behaviour in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.core.values import Plain
from engine.domain.fields import choices, numbers
from engine.domain.fields import dates as days
from engine.domain.fields import files as papers
from engine.domain.fields import text as words
from engine.domain.fields.field_type import KINDS, FieldContext, FieldKind, Speech
from engine.domain.fields.raw_answers import OTHER, Raw, one, tidy
from engine.domain.fields.views import AnswerProblem
from engine.model import Field
from engine.model.types import Value

REGISTERED: Final = (words, numbers, days, choices, papers)
"""Modules imported so that they register their kinds. `rows` has no kind: it is a form inside the form."""


def kind_of(field: Field) -> FieldKind:
    """Return the behaviour of a field by its type. A computed value without field type is text."""
    return KINDS.get(field.type) or KINDS["text"]


def is_asked(field: Field) -> bool:
    """Return True when the field takes an answer: it is neither computed nor a note."""
    if field.value is not None:
        return False
    return field.type == "rows" or kind_of(field).asked


def typed(field: Field, plain: Plain) -> Value:
    """Return a stored answer as a value of expressions, None for a wrong one."""
    return kind_of(field).typed(field, plain)


def text(field: Field, plain: Plain, asking: FieldContext, speech: Speech, detail: Plain = None) -> str:
    """Return a stored answer as text for readers, with the detail of « Autre »."""
    said = kind_of(field).text(field, plain, asking, speech)
    if choices.other_chosen(field, plain) and isinstance(detail, str) and detail:
        if plain == OTHER:
            return detail
        return f"{said} ({detail})"
    return said


def read_field(
    field: Field, raw: Raw, path: str, before: Mapping[str, Plain], asking: FieldContext
) -> dict[str, Plain]:
    """Return the answers that a post gives to one question: its own, and the detail of « Autre »."""
    answers = {field.id: kind_of(field).read(field, raw, path, before.get(field.id), asking)}
    if field.other:
        detail = one(raw, f"{path}_{OTHER}")
        key = f"{field.id}_{OTHER}"
        answers[key] = before.get(key) if detail is None else tidy(detail) or None
    return answers


def adopt(field: Field, given: Mapping[str, Plain], asking: FieldContext) -> dict[str, Plain]:
    """Return the same answers from data instead of a post."""
    answers = {field.id: kind_of(field).adopt(field, given.get(field.id), asking)}
    key = f"{field.id}_{OTHER}"
    if field.other and isinstance(given.get(key), str):
        answers[key] = tidy(str(given[key]))
    return answers


def field_problems(field: Field, answers: Mapping[str, Plain], path: str, asking: FieldContext) -> list[AnswerProblem]:
    """Return what is wrong with the answer to one question, including the detail of « Autre »."""
    plain = answers.get(field.id)
    found = kind_of(field).problems(field, plain, path, asking)
    if field.other:
        found += choices.detail_problems(field, plain, answers.get(f"{field.id}_{OTHER}"), path)
    return found
