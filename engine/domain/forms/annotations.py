"""What agents note about a dossier, read and drawn as questions of its own: none is in the form or in an expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from engine.core.values import Plain, Text
from engine.domain.fields.field_type import Speech
from engine.domain.fields.field_types import field_problems, kind_of
from engine.domain.fields.raw_answers import Raw, is_blank
from engine.domain.fields.scope import evaluated_before
from engine.domain.fields.views import AnswerProblem, FieldView, OptionView
from engine.domain.forms.views_of_fields import Showing, by_place, compared_views
from engine.model import Annotation, Bounds, Field, Option, Procedure
from engine.model.directory import Directory
from engine.model.types import FALSE, TEXT

PREFIX: Final = "annotation-"  # of the names of the controls
LONGEST_TEXT: Final = 500
_LINES: Final = 3
_NO_ANSWER: Final = Text((("fr", "Sans réponse"), ("en", "No answer")))
_YES_NO: Final = (
    ("true", Text((("fr", "Oui"), ("en", "Yes"))), True),
    ("false", Text((("fr", "Non"), ("en", "No"))), False),
)


def read_annotations(
    procedure: Procedure, raw: Raw, day: date, directory: Directory
) -> tuple[Mapping[str, Plain], tuple[AnswerProblem, ...]]:
    """Return the values of a post by annotation, None for a blank one, and what is wrong with them."""
    asking = evaluated_before(procedure, {}, day, directory).asking()
    values: dict[str, Plain] = {}
    problems: list[AnswerProblem] = []
    for field in procedure.once(_fields):
        path = f"{PREFIX}{field.id}"
        value = kind_of(field).read(field, raw, path, None, asking)
        values[field.id] = None if is_blank(value) else value
        problems += field_problems(field, values, path, asking)
    return values, tuple(problems)


def view_annotations(
    procedure: Procedure, values: Mapping[str, Plain], day: date, directory: Directory, speech: Speech,
    problems: Iterable[AnswerProblem] = (),
) -> tuple[FieldView, ...]:  # fmt: skip
    """Return the annotations of a procedure as a renderer draws them, with these values."""
    showing = Showing(evaluated_before(procedure, {}, day, directory), speech, problems=by_place(problems))
    return tuple(map(_clearable, compared_views(showing, procedure.once(_fields), values, PREFIX)))


def _clearable(view: FieldView) -> FieldView:
    """Return a question of one choice with the choice of no answer: what was noted may be taken back."""
    if view.type == "yes_no":
        said = tuple(OptionView(code, text, chosen=view.value is value) for code, text, value in _YES_NO)
    elif view.type == "choice":
        said = view.options
    else:
        return view
    return view.with_answer(type="choice", options=(*said, OptionView("", _NO_ANSWER, chosen=view.value is None)))


def _fields(procedure: Procedure) -> tuple[Field, ...]:
    return tuple(map(_field, procedure.noted().values()))


def _field(one: Annotation) -> Field:
    return Field(
        id=one.id,
        where=one.where,
        type=one.type,
        value_type=TEXT,
        label=one.label,
        required=FALSE,
        reuse=False,
        bounds=Bounds(max_length=LONGEST_TEXT),
        options=tuple(Option(code, label) for code, label in one.options.items()),
        lines=_LINES if one.type == "text" else 1,
    )
