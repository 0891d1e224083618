"""Answers and values as text for messages and documents."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from engine.core.values import Plain
from engine.domain.fields.field_type import Speech
from engine.domain.fields.field_types import kind_of, text
from engine.domain.fields.numbers import whole_words
from engine.domain.fields.raw_answers import OTHER, fill_template
from engine.domain.fields.scope import EvaluatedAnswers
from engine.model import Field
from engine.model.types import Value


def answer_words(evaluated: EvaluatedAnswers, name: str, speech: Speech) -> str:
    """Return the text of a name: an answer, a computed value or a definition. Empty for a hidden or unknown one."""
    defined = evaluated.procedure.definitions.get(name)
    if defined is not None:
        return value_words(defined.value(evaluated.scope), speech, defined.type.kind)
    field = evaluated.procedure.fields.get(name)
    value = evaluated.scope.get(name)
    if value is None:
        return ""
    if field is None:
        return value_words(value, speech)
    if field.type == "rows":
        return str(len(value)) if isinstance(value, tuple) else ""
    plain = kind_of(field).plain(value) if field.value is not None else evaluated.answers.get(name)
    return text(field, plain, evaluated.asking(name), speech, evaluated.answers.get(f"{name}_{OTHER}"))


def name_words(evaluated: EvaluatedAnswers, name: str, speech: Speech) -> str:
    """Return the text for the label of a dossier. Rows give the first one and the number of others: `LEE Anna (+2)`."""
    field = evaluated.procedure.fields.get(name)
    if field is None or field.row_label is None:
        return answer_words(evaluated, name, speech)
    rows = evaluated.values.rows(name)
    if not rows or evaluated.scope.get(name) is None:
        return ""
    first = row_words(evaluated, field, 0, speech)
    return f"{first} (+{len(rows) - 1})" if first and len(rows) > 1 else first


def row_words(evaluated: EvaluatedAnswers, rows: Field, number: int, speech: Speech) -> str:
    """Return the label of one row, empty without `row_label`."""
    if rows.row_label is None:
        return ""
    columns = {column.id: column for column in rows.rows if column.id in rows.row_label.names}
    said = {name: column_words(evaluated, rows.id, number, column, speech) for name, column in columns.items()}
    return " ".join(fill_template(rows.row_label.text.in_(speech.language), said).split())


def label_words(evaluated: EvaluatedAnswers, speech: Speech) -> str:
    """Return the name of a dossier in lists, from the procedure's template. Unanswered names are left out."""
    template = evaluated.procedure.identity.dossier_label
    said = {name: name_words(evaluated, name, speech) for name in template.names}
    return " ".join(fill_template(template.text.in_(speech.language), said).split())


def column_words(evaluated: EvaluatedAnswers, rows: str, number: int, column: Field, speech: Speech) -> str:
    """Return the text of one column of one row, empty when the row does not exist."""
    values = evaluated.values.rows(rows)
    if not number < len(values) or values[number].get(column.id) is None:
        return ""
    row, answers = values[number], values[number].answers
    plain: Plain = kind_of(column).plain(row[column.id]) if column.value is not None else answers.get(column.id)
    return text(column, plain, evaluated.asking(rows).inside(row), speech, answers.get(f"{column.id}_{OTHER}"))


def value_words(value: Value, speech: Speech, kind: str = "") -> str:
    """Return the text of a value without its question, by its type. `kind` is that of a definition, if known."""
    if isinstance(value, bool):
        return speech.wording.yes_no(value, speech.language)
    if isinstance(value, date):
        return speech.wording.day(value, speech.language)
    if kind == "integer" and isinstance(value, int):
        return whole_words(value, speech)
    if isinstance(value, int | Decimal):
        return speech.wording.amount(value, speech.language)
    return value if isinstance(value, str) else ""
