"""Which of the requested corrections are made: an answer that did not change counts only once it is confirmed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from engine.core.values import Plain
from engine.domain.fields.files import FILE_TYPES, files_of
from engine.domain.fields.raw_answers import OTHER
from engine.domain.fields.views import AnswerProblem, FieldView, FormView
from engine.domain.forms.pages import PageRead
from engine.domain.forms.posted_values import keys_of
from engine.model import Field, Procedure
from engine.records.dossier import Dossier

CONFIRMED: Final = "declared"  # the box that confirms unchanged answers; its values are their questions
UNCHANGED: Final = frozenset({"unchanged", "files_kept"})


def made_corrections(
    procedure: Procedure, stored: Dossier, read: PageRead, after: Dossier, confirmed: Collection[str], wrong: Collection[str]
) -> frozenset[str]:  # fmt: skip
    """Return the requested questions that count as corrected with these answers, `wrong` ones excepted.

    An unchanged answer counts once it is confirmed, until it changes again; so does one that is no longer asked,
    and evidence that is only brought, which former releases let an agent ask for.
    """
    asked = stored.correction
    made = set[str]()
    for name in asked.fields if asked else ():
        field, before = procedure.fields[name], stored.typed.answers
        brought = field.evidence is not None and not field.evidence.uploaded
        hidden = brought or not read.after.shows(field)
        same = read.before.shows(field) and not any(before.get(key) != after.answers.get(key) for key in keys_of(field))
        confirms = name in confirmed and _may_confirm(field.type, name, stored.answers, after.answers)
        remains = asked is not None and name in asked.made and same
        if name not in wrong and (hidden or confirms or remains or is_corrected(field, stored.answers, after.answers)):
            made.add(name)
    return frozenset(made)


def is_corrected(field: Field, sent: Mapping[str, Plain], now: Mapping[str, Plain]) -> bool:
    """Return whether an answer differs from the sent one. Where files were added, a sent one must be taken out."""
    before, after = (files_of(one.get(field.id)) if field.type in FILE_TYPES else [] for one in (sent, now))
    added = before != after and set(before) <= set(after)
    return any(sent.get(key) != now.get(key) for key in keys_of(field)) and not (before and added)


def _may_confirm(kind: str, name: str, sent: Mapping[str, Plain], now: Mapping[str, Plain]) -> bool:
    """Return whether an answer may be confirmed: files only beside a new one."""
    return kind not in FILE_TYPES or files_of(sent.get(name)) != files_of(now.get(name))


def with_unchanged(form: FormView, stored: Dossier) -> FormView:
    """Return the form in which each requested answer left as it was sent has a problem, unless it has another."""
    asked = stored.correction
    if asked is None:
        return form
    pages, typed = [], stored.typed.answers
    for page in form.pages:
        wrong = {name for problem in page.errors for name in questions_of(problem.at)}
        left = (view for view in page.fields if view.id in asked.left and view.shown and view.id not in wrong)
        found = [_unchanged(view) for view in left if _may_confirm(view.type, view.id, stored.answers, typed)]
        pages.append(replace(page, problems=(*page.problems, *found)))
    return replace(form, pages=tuple(pages))


def _unchanged(view: FieldView) -> AnswerProblem:
    code = "files_kept" if view.type in FILE_TYPES else "unchanged"
    return AnswerProblem(view.path, code, {"type": view.type, "id": view.id}, label=view.label)


def questions_of(at: str) -> frozenset[str]:
    """Return the names that a problem may be of: `casier_issued` and `motif_other` are controls of a question."""
    name = at.partition(".")[0]
    return frozenset({name, name.removesuffix("_issued"), name.removesuffix(f"_{OTHER}")})
