"""Reuse of an earlier request's answers in a new one, where questions are the same and answers still valid.

Some questions are asked again: those with `reuse: false`, declarations, and those filled from registers or
links. So are all questions that depend on one of them. Another procedure gives only answers to identical
questions on a page of the same title, as its present edition asks them: a title that changed since loses
no answer. It gives nothing sensitive, because those answers were given for another purpose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from engine.core.values import Plain
from engine.domain.editions.renaming import Translation
from engine.domain.fields.field_types import is_asked
from engine.domain.fields.files import FILE_TYPES, files_of, without_held
from engine.domain.fields.raw_answers import is_blank, is_wrong
from engine.domain.fields.scope import EvaluatedAnswers, evaluate_answers
from engine.domain.forms.posted_values import keys_of
from engine.domain.forms.validation import page_problems
from engine.model import Field, Page, Procedure
from engine.model.directory import Directory
from engine.records.dossier import Attachment, Dossier

_STILL_TRUE: Final = frozenset({"account.phone", "account.email"})  # how to contact the person today
_LACKING: Final = frozenset({"empty", "file", "issue_date", "rows_few"})  # of a row: there is no answer to remove


@dataclass(frozen=True, slots=True)
class Reusable:
    """The reusable answers by their names in the new request, and the files that they name.

    `said` counts the questions answered, without files.
    """

    answers: Mapping[str, Plain]
    files: tuple[Attachment, ...] = ()
    said: int = 0  # number of answered questions, without files

    def named(self, ids: Mapping[str, str]) -> dict[str, Plain]:
        """Return the answers with the file ids of the new request."""
        return {name: _renamed(plain, ids) for name, plain in self.answers.items()}


def reusable(
    procedure: Procedure, draft: Dossier, definition: Procedure, earlier: Dossier, day: date, directory: Directory,
    without: Collection[str] = (), present: Procedure | None = None,
) -> Reusable:  # fmt: skip
    """Return what a draft may reuse of an earlier request. `definition` is the edition of that request, and
    `present` the edition in force of the same procedure, if there is one.

    Answers given in the draft remain. Prefilled ones about the account holder are replaced. The earlier
    request may have been made for a child. `without` lists answers that are no longer stored and ids of
    missing files.
    """
    asked_now = procedure if procedure.id == definition.id else present or definition
    kept = Translation.between(definition, asked_now).answers(earlier.answers)
    left = earlier.correction.awaited if earlier.correction else ()
    files = {one.id: one for one in earlier.attachments if one.by is None and one.id not in without}
    found: dict[str, Plain] = {}
    for field in _same_questions(procedure, asked_now, definition):
        if field.id not in kept or field.id in without or field.id in left:
            continue
        if not is_blank(draft.answers.get(field.id)) and (is_blank(kept[field.id]) or _was_answered(field, draft)):
            continue
        found |= {key: kept[key] for key in keys_of(field) if key in kept}
        found[field.id] = _clean(field, kept[field.id], files)
    answers = _right(procedure, draft, found, day, directory)
    named = {text: path for name, plain in answers.items() for text, path in _texts(plain, name)}
    used = tuple(replace(one, field=named[one.id]) for one in files.values() if one.id in named)
    asked = (field for field in procedure.form.fields if field.type not in FILE_TYPES)
    return Reusable(answers, used, sum(not is_blank(answers.get(field.id)) for field in asked))


def _was_answered(field: Field, draft: Dossier) -> bool:
    """Return True when an answer of a draft is more than a prefilled one."""
    return draft.revision > 0 or field.prefill is None or field.prefill in _STILL_TRUE


# -- which questions ---------------------------------------------------------------------------------------------------


def _same_questions(procedure: Procedure, asked_now: Procedure, definition: Procedure) -> Iterator[Field]:
    """Yield the questions of the application that the earlier procedure had too and that are not asked again."""
    anew = asked_anew(procedure)
    theirs = {field.id: (page, field) for page in asked_now.form.pages for field in page.fields}
    editions = (procedure, asked_now, definition)
    sensitive = {name for one in editions for name in one.personal_data.sensitive}
    for page in procedure.form.pages:
        for field in page.fields:
            if field.id in anew or not is_asked(field):
                continue
            known = field.id in theirs and sensitive.isdisjoint(field.names_within)
            if procedure.id == definition.id or (known and _in_same_words((page, field), theirs[field.id])):
                yield field


def _in_same_words(mine: tuple[Page, Field], theirs: tuple[Page, Field]) -> bool:
    """Return True when two procedures have the same question about the same person, most often from a shared block."""
    (page, field), (their_page, their_field) = mine, theirs
    same = (field.type, field.list_id, field.scheme, field.level, field.under)
    return (
        same == (their_field.type, their_field.list_id, their_field.scheme, their_field.level, their_field.under)
        and field.label.in_("fr") == their_field.label.in_("fr")
        and page.title.in_("fr") == their_page.title.in_("fr")
        and tuple(column.id for column in field.rows) == tuple(column.id for column in their_field.rows)
    )


def asked_anew(procedure: Procedure) -> frozenset[str]:
    """Return the questions that each request asks again, and those that depend on one of them."""
    pages = {field.id: page for page in procedure.form.pages for field in page.fields}
    anew = {name for link in procedure.links() for name in link.copies}
    for name in procedure.order:
        field, page = procedure.fields[name], pages.get(name)
        hangs_on = set(field.when.names) | (set(page.when.names) if page else set())
        hangs_on |= set(field.value.names) if field.value else set()
        if field.under:
            hangs_on.add(field.under)
        own = not field.reuse or (page is not None and not page.reuse)
        if own or _of_the_moment(field) or hangs_on & anew:
            anew.add(name)
    return frozenset(anew)


def _of_the_moment(field: Field) -> bool:
    return field.type == "declaration" or (field.prefill or "").startswith("look_up.")


# -- what they are worth -----------------------------------------------------------------------------------------------


def _clean(field: Field, plain: Plain, files: Mapping[str, Attachment]) -> Plain:
    """Return an answer in reusable form: accepted values, existing columns, files that exist and fit."""
    if is_wrong(plain):
        return None
    if field.type == "rows":
        rows = plain if isinstance(plain, list) else []
        return [_clean_row(field.rows, row, files) for row in rows if isinstance(row, dict)]
    if field.type not in FILE_TYPES:
        return plain
    fit: list[Plain] = [one for one in files_of(plain) if one in files and is_fit(field, files[one])]
    if field.type != "evidence":
        return fit
    lost = bool(files_of(plain)) and not fit
    return {**without_held(None if lost else plain), "files": fit}


def _clean_row(columns: Iterable[Field], row: Mapping[str, Plain], files: Mapping[str, Attachment]) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for column in columns:
        if column.id in row and column.reuse and is_asked(column) and not _of_the_moment(column):
            found |= {key: row[key] for key in keys_of(column) if key in row}
            found[column.id] = _clean(column, row[column.id], files)
    return found


def is_fit(field: Field, file: Attachment) -> bool:
    """Return True when a question accepts a file of this type and size."""
    return file.kind in field.bounds.accept and file.size <= field.bounds.max_size


def _right(
    procedure: Procedure, draft: Dossier, found: dict[str, Plain], day: date, directory: Directory
) -> dict[str, Plain]:
    """Return the answers that the present rules accept. Refused ones are removed until none is left.

    An answer to a hidden question remains. It is checked when its question becomes visible.
    """
    for _ in range(2 * len(found) + 1):
        evaluated = evaluate_answers(procedure, draft, day, directory, {**draft.answers, **found})
        before = repr(found)
        _leave_out(evaluated, found)
        if repr(found) == before:
            return found
    return found


def _leave_out(evaluated: EvaluatedAnswers, found: dict[str, Plain]) -> None:
    form = evaluated.procedure.form
    fields = {field.id: field for field in form.fields}
    for page in form.pages:
        if not page.when.holds(evaluated.values.scope):
            continue
        for problem in page_problems(evaluated, page):
            name, *rest = problem.at.removesuffix("_issued").split(".")
            field = fields.get(name) or fields.get(name.removesuffix("_other"))
            if problem.warns or field is None or field.id not in found:
                continue
            if not rest and not (field.type == "rows" and problem.code in _LACKING):
                _drop(field, found)
            elif rest and problem.code not in _LACKING:
                found[name] = _without(found[name], rest)


def _drop(field: Field, found: dict[str, Plain]) -> None:
    for key in keys_of(field):
        found.pop(key, None)


def _without(plain: Plain, rest: list[str]) -> Plain:
    """Return rows without one of their answers, which the applicant fills in again."""
    if isinstance(plain, list) and rest[0].isdecimal() and int(rest[0]) < len(plain):
        at = int(rest[0])
        return [_without(row, rest[1:]) if number == at else row for number, row in enumerate(plain)]
    if not isinstance(plain, dict):
        return plain
    if len(rest) > 1:
        return {**plain, rest[0]: _without(plain.get(rest[0]), rest[1:])}
    return {name: said for name, said in plain.items() if name != rest[0]}


def _texts(plain: Plain, path: str) -> Iterator[tuple[str, str]]:
    """Yield each text of an answer with the path of its question. The ids of files are among them."""
    if isinstance(plain, str):
        yield plain, path
    elif isinstance(plain, dict):
        for name, inner in plain.items():
            yield from _texts(inner, path if name == "files" else f"{path}.{name}")
    elif isinstance(plain, list):
        for number, inner in enumerate(plain):
            yield from _texts(inner, f"{path}.{number}" if isinstance(inner, dict) else path)


def _renamed(plain: Plain, ids: Mapping[str, str]) -> Plain:
    if isinstance(plain, dict):
        return {name: _renamed(one, ids) for name, one in plain.items()}
    if isinstance(plain, list):
        return [_renamed(one, ids) for one in plain]
    return ids.get(plain, plain) if isinstance(plain, str) else plain
