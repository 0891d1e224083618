"""Sample answers: a scenario that leaves a question out gets its example, following the conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from engine.core.values import Plain
from engine.domain.fields.field_type import FieldContext
from engine.domain.fields.field_types import adopt, is_asked, kind_of
from engine.domain.fields.files import evidence_parts
from engine.domain.fields.scope import EvaluatedAnswers, Values, evaluate_answers, evaluated_before
from engine.domain.forms.posted_values import keys_of
from engine.model import Criterion, Field, Form, Procedure
from engine.model.directory import Directory
from engine.records.dossier import Dossier


def example_answers(
    procedure: Procedure, given: Mapping[str, Plain], day: date, directory: Directory, without: Iterable[str] = ()
) -> dict[str, Plain]:
    """Return the answers of a whole application: `given` ones first, then examples for the questions they make visible.

    Eligibility passes unless `given` says otherwise. A file is a placeholder id. Evidence in `without` is not
    provided.
    """
    answers: dict[str, Plain] = {}
    for criterion in procedure.eligibility:
        evaluated = evaluated_before(procedure, answers, day, directory)
        if criterion.id in given:
            answers.update(adopt(criterion.field, given, evaluated.asking()))
        elif evaluated.shows(criterion.field):
            answers[criterion.id] = _passing(procedure, criterion, answers, day, directory)
    missing = frozenset(without)
    for field in _in_order(procedure, procedure.form):
        evaluated = evaluated_before(procedure, answers, day, directory)
        if field.id in missing:
            answers[field.id] = evidence_parts(None) if field.type == "evidence" else None
        else:
            answers.update(_answers(field, given, evaluated))
    return answers


def example_filling(
    procedure: Procedure, form_id: str, dossier: Dossier, given: Mapping[str, Plain], day: date, directory: Directory
) -> dict[str, Plain]:
    """Return the answers of a later form: `given` ones, and examples for the others."""
    form, filling = procedure.tasks[form_id], dict[str, Plain]()
    for field in _in_order(procedure, form) if isinstance(form, Form) else ():
        evaluated = evaluate_answers(procedure, dossier, day, directory, {**dossier.answers, **filling})
        filling.update(_answers(field, given, evaluated))
    return filling


def adopt_answers(
    procedure: Procedure, dossier: Dossier, given: Mapping[str, Plain], day: date, directory: Directory
) -> dict[str, Plain]:
    """Return answers given as data (a scenario's correction, an interface) in stored form.

    Unknown and computed ones are left out.
    """
    evaluated = evaluate_answers(procedure, dossier, day, directory)
    adopted: dict[str, Plain] = {}
    for field in procedure.form.fields:
        if field.id in given and is_asked(field):
            adopted.update(_adopted(field, given, evaluated, evaluated.asking(field.id)))
    return adopted


def _in_order(procedure: Procedure, form: Form) -> list[Field]:
    """Return the questions of a form, each after those its conditions name."""
    fields = {field.id: field for field in form.fields if is_asked(field)}
    ordered = [name for name in procedure.order if name in fields]
    return [fields[name] for name in dict.fromkeys((*ordered, *fields))]


def _passing(
    procedure: Procedure, criterion: Criterion, answers: Mapping[str, Plain], day: date, directory: Directory
) -> Plain:
    """Return the first answer that does not exclude the applicant."""
    asking = evaluated_before(procedure, answers, day, directory).asking()
    candidates = list(_candidates(criterion.field, asking))
    for plain in candidates:
        evaluated = evaluated_before(procedure, {**answers, criterion.id: plain}, day, directory)
        if not criterion.stop_when.holds(evaluated.values.scope):
            return plain
    return candidates[0] if candidates else None


def _candidates(field: Field, asking: FieldContext) -> Iterator[Plain]:
    yield _example(field, asking)
    kind = kind_of(field)
    if field.type == "yes_no":
        yield from (True, False)
    yield from (option.code for option in kind.options(field, asking))
    yield kind.example(field, asking)


def _answers(field: Field, given: Mapping[str, Plain], evaluated: EvaluatedAnswers) -> dict[str, Plain]:
    """Return the answers of one question, none for a hidden one unless the scenario gives it."""
    if field.id in given:
        return _adopted(field, given, evaluated, evaluated.asking(field.id))
    if not evaluated.shows(field):
        return {}
    if field.type == "rows":
        wanted = min(max(1, field.bounds.min_items), field.bounds.max_items)
        return {field.id: _rows(field, [{} for _ in range(wanted)], evaluated, evaluated.values)}
    return {field.id: _example(field, evaluated.asking(field.id))}


def _adopted(
    field: Field, given: Mapping[str, Plain], evaluated: EvaluatedAnswers, asking: FieldContext
) -> dict[str, Plain]:
    if field.type != "rows":
        return adopt(field, given, asking)
    rows = given[field.id]
    return {field.id: _rows(field, rows if isinstance(rows, list) else [], evaluated, evaluated.values)}


def example_row(
    fields: Iterable[Field], given: Mapping[str, Plain], evaluated: EvaluatedAnswers, row: Values
) -> dict[str, Plain]:
    """Return the answers of one row: given ones, else examples of the columns visible with the earlier ones."""
    answers: dict[str, Plain] = {}
    for column in fields:
        if is_asked(column):
            inside = Values({one.id: one for one in fields}, {**row.answers, **given, **answers}, {})
            inside.scope = row.scope.inside(inside)
            answers.update(_column(column, given, evaluated, inside))
    return answers


def _rows(group: Field, given: list[Plain], evaluated: EvaluatedAnswers, values: Values) -> Plain:
    rows: list[Plain] = []
    columns = [column for column in group.rows if is_asked(column)]
    for one in given:
        said, row = one if isinstance(one, dict) else {}, dict[str, Plain]()
        for column in columns:
            inside = Values({column.id: column for column in group.rows}, row, {})
            inside.scope = values.scope_for(group.id).inside(inside)
            row.update(_column(column, said, evaluated, inside))
        rows.append(row)
    return rows


def _column(column: Field, said: Mapping[str, Plain], evaluated: EvaluatedAnswers, inside: Values) -> dict[str, Plain]:
    asking = evaluated.asking_in(inside.scope)
    if column.type == "rows" and (column.id in said or inside.shows(column.id)):
        given = said.get(column.id, [{}])
        return {column.id: _rows(column, given if isinstance(given, list) else [], evaluated, inside)}
    if column.id in said:
        return adopt(column, said, asking)
    return {key: _example(column, asking) for key in keys_of(column)[:1] if inside.shows(column.id)}


def _example(field: Field, asking: FieldContext) -> Plain:
    """Return the example of the definition if it is accepted here, else one of the field type."""
    kind = kind_of(field)
    written = field.example.value(asking.scope) if field.example else None
    plain = kind.plain(written) if written is not None and field.type not in ("evidence", "file", "photo") else None
    if plain is None or kind.faults(field, plain, asking):
        plain = kind.example(field, asking)
    return plain
