"""The names that answers use: questions, columns, options, as `migrate` calls them (`motif`, `enfants.age`, `motif.perte`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from engine.definition.model import Field, Form, Procedure
from engine.rules.answers import is_blank
from engine.values import Plain

_CHOSEN: Final = frozenset({"choice", "choices", "evidence"})


def names_in_use(book: Procedure, answers: Mapping[str, Plain]) -> Iterator[str]:
    """The questions, columns and options that a dossier's answers use, by the names that `migrate` gives them."""
    asked = {**{one.id: one.field for one in book.eligibility}, **book.fields}
    for name, answer in answers.items():
        form = book.tasks.get(name)
        if isinstance(form, Form) and form.each:
            yield name
            for one in answer if isinstance(answer, list) else []:
                filled = one.get("answers") if isinstance(one, dict) else None
                yield from _columns(form.fields, filled, form.each)
        elif isinstance(form, Form) and form.services:
            columns = form.asked.fields if form.asked is not None else ()
            for said in answer.values() if isinstance(answer, dict) else ():
                yield from _columns(columns, said, name)
        elif name in asked:
            yield from _of(asked[name], answer, name)


def _of(field: Field, answer: Plain, at: str) -> Iterator[str]:
    if is_blank(answer):
        return
    yield at
    if field.type == "rows":
        for row in answer if isinstance(answer, list) else []:
            yield from _columns(field.rows, row, at)
    elif field.type in _CHOSEN and field.list_id is None:
        chosen = answer.get("is") if isinstance(answer, dict) else answer
        codes = chosen if isinstance(chosen, list) else [chosen]
        yield from (f"{at}.{code}" for code in codes if isinstance(code, str) and _has(field, code))


def _has(field: Field, code: str) -> bool:
    """Whether a code is one of the question's own: what a person typed never becomes a name of the file."""
    own = field.evidence.any_of if field.evidence is not None else field.options
    return any(one.code == code for one in own)


def _columns(columns: tuple[Field, ...], row: Plain, at: str) -> Iterator[str]:
    if isinstance(row, dict):
        for column in columns:
            yield from _of(column, row.get(column.id), f"{at}.{column.id}")
