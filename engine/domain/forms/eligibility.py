"""Eligibility questions: asked one by one before the form, until an answer excludes the applicant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from engine.core.values import Plain
from engine.domain.fields.field_type import Speech
from engine.domain.fields.field_types import field_problems, kind_of, read_field
from engine.domain.fields.raw_answers import Raw
from engine.domain.fields.scope import evaluated_before
from engine.domain.fields.views import AnswerProblem, FieldView
from engine.domain.forms.views_of_fields import Showing, by_place, field_views
from engine.model import Criterion, Procedure
from engine.model.directory import Directory


def next_criterion(
    procedure: Procedure, given: Mapping[str, Plain], day: date, directory: Directory
) -> Criterion | None:  # fmt: skip
    """Return the first unanswered question, None when all are answered."""
    evaluated = evaluated_before(procedure, given, day, directory)
    for criterion in procedure.eligibility:
        if evaluated.shows(criterion.field) and evaluated.values[criterion.id] is None:
            return criterion
    return None


def stopped_by(
    procedure: Procedure, given: Mapping[str, Plain], day: date, directory: Directory
) -> Criterion | None:  # fmt: skip
    """Return the first question whose answer excludes the applicant, None if no answer does.

    An unanswered question excludes no applicant, whatever its condition says about an absent answer.
    """
    evaluated = evaluated_before(procedure, given, day, directory)
    for criterion in procedure.eligibility:
        answered = evaluated.shows(criterion.field) and evaluated.values[criterion.id] is not None
        if answered and criterion.stop_when.holds(evaluated.values.scope):
            return criterion
    return None


def read_criterion(
    procedure: Procedure, criterion: Criterion, raw: Raw, given: Mapping[str, Plain], day: date, directory: Directory
) -> tuple[dict[str, Plain], tuple[AnswerProblem, ...]]:
    """Return all the answers with the posted one, and what is wrong with it."""
    field = criterion.field
    asking = evaluated_before(procedure, given, day, directory).asking()
    answers = {**given, **read_field(field, raw, field.id, given, asking)}
    asking = evaluated_before(procedure, answers, day, directory).asking()
    return answers, tuple(field_problems(field, answers, field.id, asking))


def adopt_criteria(
    procedure: Procedure, given: Mapping[str, Plain], day: date, directory: Directory
) -> dict[str, Plain]:  # fmt: skip
    """Return the eligibility answers among `given` in stored form, without any others."""
    asking = evaluated_before(procedure, {}, day, directory).asking()
    fields = [criterion.field for criterion in procedure.eligibility]
    return {field.id: kind_of(field).adopt(field, given[field.id], asking) for field in fields if field.id in given}


def view_criterion(
    procedure: Procedure,
    criterion: Criterion,
    given: Mapping[str, Plain],
    day: date,
    directory: Directory,
    speech: Speech,
    problems: Iterable[AnswerProblem] = (),
) -> FieldView:
    """Return the question as a renderer draws it."""
    evaluated = evaluated_before(procedure, given, day, directory)
    showing = Showing(evaluated, speech, problems=by_place(problems))
    return next(field_views(showing, (criterion.field,)))
