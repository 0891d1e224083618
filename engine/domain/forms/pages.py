"""Pages of a form: the path, the effect of a post, the remaining problems, and the views of it all.

Answers are checked against the procedure and nothing is stored. Visibility is computed again for each post.
Hidden, computed, locked and unknown questions can thus not be written to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from engine.core.values import Plain, Text
from engine.domain.common.text_provider import Wording
from engine.domain.fields.display import label_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.field_types import adopt, is_asked
from engine.domain.fields.raw_answers import Raw, is_blank, is_wrong
from engine.domain.fields.scope import EvaluatedAnswers, Values, evaluate_answers
from engine.domain.fields.views import AnswerProblem, FieldView, FormView, PageView
from engine.domain.forms.posted_values import change_rows, keys_of, read_answers, restore_hidden
from engine.domain.forms.validation import page_problems
from engine.domain.forms.views_of_fields import Showing, by_place, field_views, speech_for
from engine.model import Field, Form, Page, Procedure
from engine.model.directory import Directory
from engine.model.types import Scope
from engine.records.dossier import Actor, Dossier

_NOT_ANSWERED: Final = frozenset({"empty", "file", "declaration", "rows_few"})
_VERIFIED: Final = ("account.phone", "account.email")  # prefills that a verified number or address answers


@dataclass(frozen=True, slots=True)
class PageRead:
    """The effect of a post.

    `answers` are all those to store, wrong ones as typed. `opened` are the questions that this post makes
    visible on its own page, which is then shown again. `closed` are the answered questions that are now
    hidden. `before` and `after` are the evaluated answers without and with the post.
    """

    answers: Mapping[str, Plain]
    before: EvaluatedAnswers
    after: EvaluatedAnswers
    problems: tuple[AnswerProblem, ...] = ()
    changed: frozenset[str] = frozenset()
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    rows_changed: bool = False

    @property
    def errors(self) -> tuple[AnswerProblem, ...]:
        """The problems that refuse the page, without warnings."""
        return tuple(one for one in self.problems if not one.warns)

    @property
    def stays(self) -> bool:
        """True when the same page is shown again: an error, an opened question, or a row added or removed."""
        return bool(self.errors or self.opened or self.rows_changed)


# -- the path ----------------------------------------------------------------------------------------------------------


def path(procedure: Procedure, scope: Scope) -> tuple[Page, ...]:
    """Return the pages with at least one visible question, and those of notes only with a visible note, in order."""
    return tuple(page for page in procedure.form.pages if any(_appears(field, scope) for field in page.once(_put_on)))


def _put_on(page: Page) -> tuple[Field, ...]:
    """Return what a page puts to the applicant: its questions, or its notes when it has no question.

    A note is read once its page was left by a button. It then has the answer `true` in the draft, which no
    submitted dossier keeps.
    """
    asked = tuple(field for field in page.fields if is_asked(field))
    return asked or tuple(field for field in page.fields if field.type == "note")


def _put_names(page: Page) -> frozenset[str]:
    return frozenset(field.id for field in _put_on(page))


def _appears(field: Field, scope: Scope) -> bool:
    return scope.values.shows(field.id) if isinstance(scope.values, Values) else field.when.holds(scope)


def is_known(page: Page, scope: Scope, dossier: Dossier) -> bool:
    """Return whether a page of a draft need not be opened: the verified number or address answers it.

    Each visible question holds what was verified, or is optional and was never shown. A note, a question with
    `reuse: false` or any other answer keeps the page on the way.
    """
    if not (dossier.is_draft and dossier.contact_phone is not None and page.reuse and page.once(_asks_account)):
        return False
    shown = [field for field in page.fields if _appears(field, scope) and (is_asked(field) or field.type == "note")]
    proven = [field for field in shown if _is_proven(field, dossier)]
    rest = [field for field in shown if field not in proven]
    optional = all(one.id not in dossier.answers and not one.required.holds(scope) for one in rest)
    return bool(proven) and optional and all(one.reuse and one.type != "note" for one in shown)


def _asks_account(page: Page) -> bool:
    return any(field.prefill in _VERIFIED for field in page.fields)


def _is_proven(field: Field, dossier: Dossier) -> bool:
    verified = dict(zip(_VERIFIED, (dossier.contact_phone, dossier.contact_email), strict=True))
    value = verified.get(field.prefill or "")
    return value is not None and dossier.answers.get(field.id) == value


def way(procedure: Procedure, scope: Scope, dossier: Dossier, opened: str = "") -> tuple[Page, ...]:
    """Return the pages that a draft leads through: the path without known pages, except the one that is open."""
    return tuple(
        page for page in path(procedure, scope) if page.id == opened or not is_known(page, scope, dossier)
    )  # fmt: skip


def next_page(procedure: Procedure, scope: Scope, dossier: Dossier, page_id: str) -> Page | None:
    """Return the first page of the way after this one, None after the last. This page may be off the path."""
    order = [page.id for page in procedure.form.pages]
    place = order.index(page_id) if page_id in order else -1
    return next((page for page in way(procedure, scope, dossier) if order.index(page.id) > place), None)


def open_fields(procedure: Procedure, dossier: Dossier) -> frozenset[str]:
    """Return the questions of the application that may be answered now.

    In a draft these are all questions. In a correction they are the requested and the new ones, else none.
    """
    asked = procedure.once(_asked)
    if dossier.is_draft:
        return asked
    state = procedure.states.get(dossier.state)
    if state is None or state.mode != "correct":
        return frozenset()
    if state.correct == "everything":
        return asked
    wanted = dossier.correction.fields if dossier.correction else {}
    return frozenset(one for one in asked if one in wanted or one not in dossier.answers)


def _asked(procedure: Procedure) -> frozenset[str]:
    return frozenset(field.id for field in procedure.form.fields if is_asked(field))


# -- reading -----------------------------------------------------------------------------------------------------------


def read_page(
    procedure: Procedure,
    dossier: Dossier,
    page_id: str,
    raw: Raw,
    day: date,
    directory: Directory,
    only: frozenset[str] | None = None,
) -> PageRead:
    """Return the effect of a post of one page. A page that does not exist, or is not open, changes nothing."""
    pages = [page for page in procedure.form.pages if page.id == page_id]
    found = _read(procedure, dossier, pages, raw, day, directory, open_fields(procedure, dossier), only)
    notes = [one for page in pages for one in page.once(_put_on) if one.type == "note" and found.after.shows(one)]
    if not notes or not dossier.is_draft:
        return found
    read = {one.id: True for one in notes}
    return replace(
        found, answers={**found.answers, **read}, changed=found.changed | (read.keys() - dossier.answers.keys())
    )


def read_corrections(
    procedure: Procedure, dossier: Dossier, raw: Raw, day: date, directory: Directory
) -> PageRead:  # fmt: skip
    """Return the effect of a post of all corrections that an agent requested, on any page."""
    return _read(procedure, dossier, procedure.form.pages, raw, day, directory, open_fields(procedure, dossier), None)


def read_filling(
    procedure: Procedure, form_id: str, dossier: Dossier, raw: Raw, day: date, directory: Directory
) -> PageRead:
    """Return the effect of a post of a later form. `answers` are those of that form only."""
    form = procedure.tasks.get(form_id)
    pages = form.pages if isinstance(form, Form) else ()
    fields = frozenset(field.id for page in pages for field in page.fields)
    found = _read(procedure, dossier, pages, raw, day, directory, fields, None)
    return replace(found, answers=_filling(pages, found.answers, procedure, dossier, day, directory))


def _filling(
    pages: Iterable[Page], answers: Mapping[str, Plain], procedure: Procedure, dossier: Dossier, day: date,
    directory: Directory,
) -> dict[str, Plain]:  # fmt: skip
    evaluated = evaluate_answers(procedure, dossier, day, directory, answers)
    asked = (field for page in pages for field in page.fields if is_asked(field) and evaluated.shows(field))
    return {key: answers[key] for field in asked for key in keys_of(field) if key in answers}


def _read(
    procedure: Procedure,
    dossier: Dossier,
    pages: Iterable[Page],
    raw: Raw,
    day: date,
    directory: Directory,
    open_: frozenset[str],
    only: frozenset[str] | None,
) -> PageRead:
    posted = {str(name): tuple(values) for name, values in raw.items()}
    pages = tuple(pages)
    fields = tuple(
        field
        for page in pages
        for field in page.fields
        if field.id in open_ and (only is None or field.id in only)
    )  # fmt: skip
    kept = dossier.answers
    before = evaluate_answers(procedure, dossier, day, directory)
    answers = dict(kept)
    answers.update(read_answers(fields, kept, before.values, posted, "", before.asking()))
    after = evaluate_answers(procedure, dossier, day, directory, answers)
    if restore_hidden(fields, answers, kept, after.values, _unread(fields, after)):
        after = evaluate_answers(procedure, dossier, day, directory, answers)
    with_rows = change_rows(fields, answers, after.values, posted)
    if with_rows is not None:
        answers = with_rows
        after = evaluate_answers(procedure, dossier, day, directory, answers)
    opened = tuple(_opened(fields, before.values, after.values, ""))
    names = frozenset(field.id for field in fields)
    problems = [
        one
        for page in pages
        for one in page_problems(after, page, names)
        if not (one.at in opened and one.code in _NOT_ANSWERED)
    ]
    return PageRead(
        answers,
        before,
        after,
        tuple(problems),
        frozenset(name for name, plain in answers.items() if plain != kept.get(name)),
        opened,
        tuple(field.id for field in procedure.form.fields if _is_closed(field, before, after)),
        with_rows is not None,
    )


def _unread(posted: Iterable[Field], evaluated: EvaluatedAnswers) -> frozenset[str]:
    """Return the visible answers of a post that cannot be read, with the values computed from them."""
    found = {one.id for one in posted if is_wrong(evaluated.answers.get(one.id)) and evaluated.shows(one)}
    for field in (
        evaluated.procedure.fields.values() if found else ()
    ):  # in the order of the file: a value reads those before it
        if field.value is not None and field.value.names & found:
            found.add(field.id)
    return frozenset(found)


def _opened(fields: Iterable[Field], before: Values, after: Values, prefix: str) -> Iterator[str]:
    """Yield the paths of the questions that were not visible before, in rows only for rows that existed."""
    for field in (one for one in fields if is_asked(one) and after.shows(one.id)):
        if not before.shows(field.id):
            if field.id not in after.answers or (prefix and is_blank(after.answers[field.id])):
                yield prefix + field.id
        elif field.type == "rows":
            for number, rows in enumerate(zip(before.rows(field.id), after.rows(field.id), strict=False)):
                yield from _opened(field.rows, *rows, f"{prefix}{field.id}.{number}.")


def _is_closed(field: Field, before: EvaluatedAnswers, after: EvaluatedAnswers) -> bool:
    hidden = before.shows(field) and not after.shows(field)
    return hidden and is_asked(field) and not is_blank(before.answers.get(field.id))


# -- checking ----------------------------------------------------------------------------------------------------------


def check_answers(
    procedure: Procedure, dossier: Dossier, day: date, directory: Directory
) -> tuple[AnswerProblem, ...]:  # fmt: skip
    """Return all problems of the application in the order of its pages. Those with `warns` do not refuse it."""
    evaluated = evaluate_answers(procedure, dossier, day, directory)
    return tuple(one for page in _shown_pages(evaluated, procedure.form) for one in page_problems(evaluated, page))


def check_filling(
    procedure: Procedure, form_id: str, dossier: Dossier, filling: Mapping[str, Plain], day: date, directory: Directory
) -> tuple[AnswerProblem, ...]:
    """Return all problems of a later form with these answers."""
    form = procedure.tasks.get(form_id)
    evaluated = evaluate_answers(procedure, dossier, day, directory, {**dossier.answers, **filling})
    pages = form.pages if isinstance(form, Form) else ()
    return tuple(one for page in pages for one in page_problems(evaluated, page))


def _shown_pages(evaluated: EvaluatedAnswers, form: Form) -> list[Page]:
    return [page for page in form.pages if page.when.holds(evaluated.values.scope)]


def live_answers(
    procedure: Procedure, dossier: Dossier, day: date, directory: Directory
) -> dict[str, Plain]:  # fmt: skip
    """Return the answers to submit, without those of hidden questions, in rows too, and without computed ones.

    A visible blank question has a key, which records that it was shown.
    """
    evaluated = evaluate_answers(procedure, dossier, day, directory)
    own = {key for field in procedure.form.fields for key in keys_of(field)}
    others = {name: plain for name, plain in dossier.answers.items() if name not in own}
    return {**others, **_live(procedure.form.fields, evaluated.values)}


def _live(fields: Iterable[Field], values: Values) -> dict[str, Plain]:
    live: dict[str, Plain] = {}
    for field in fields:
        if not is_asked(field) or not values.shows(field.id):
            continue
        if field.type == "rows":
            rows: list[Plain] = [_live(field.rows, row) for row in values.rows(field.id)]
            live[field.id] = rows
            continue
        live[field.id] = values.answers.get(field.id)
        for key in keys_of(field)[1:]:
            if values[key] is not None:
                live[key] = values.answers.get(key)
    return live


# -- showing -----------------------------------------------------------------------------------------------------------


def view_form(
    procedure: Procedure,
    dossier: Dossier,
    day: date,
    directory: Directory,
    wording: Wording,
    problems: Iterable[AnswerProblem] = (),
    only: frozenset[str] | None = None,
    reader: Actor | None = None,
    whole: bool = False,
) -> FormView:
    """Return the application on its path, or every page of it (`whole`), as on paper.

    Each page has all its problems. Its questions show them once the page was visited, or those in `problems`.
    `only` limits the questions, as in a correction.
    """
    evaluated = evaluate_answers(procedure, dossier, day, directory)
    given = tuple(problems)
    pages = procedure.form.pages if whole else path(procedure, evaluated.values.scope)
    showing = Showing(
        evaluated, speech_for(reader, dossier, wording), dossier, open_fields(procedure, dossier), reader, whole=whole
    )  # fmt: skip
    views = [_page_view(showing, pages, number, given, only) for number in range(1, len(pages) + 1)]
    return FormView(procedure.identity.title, tuple(view for view in views if view.fields or only is None))


def view_page(
    evaluated: EvaluatedAnswers,
    page_id: str,
    dossier: Dossier,
    wording: Wording,
    problems: Iterable[AnswerProblem] = (),
    reader: Actor | None = None,
    judged: bool = True,
) -> PageView | None:
    """Return one page of the form, placed on its way, None when it is not on the path. The others are not computed.

    Its questions show only `problems`. With `judged=True`, or when it contains rows, the page has all its
    problems. With `judged=False` it is only to fill in: an answer has no text for readers where it has a control.
    """
    procedure = evaluated.procedure
    pages = way(procedure, evaluated.values.scope, dossier, opened=page_id)
    number = next((number for number, page in enumerate(pages, 1) if page.id == page_id), None)
    if number is None:
        return None
    showing = Showing(
        evaluated, speech_for(reader, dossier, wording), dossier, open_fields(procedure, dossier), reader, fills=not judged
    )  # fmt: skip
    judged = judged or any(field.type == "rows" for field in pages[number - 1].fields)
    return _page_view(showing, pages, number, tuple(problems), None, reports=False, judged=judged)


def view_filling(
    procedure: Procedure,
    form_id: str,
    dossier: Dossier,
    day: date,
    directory: Directory,
    wording: Wording,
    problems: Iterable[AnswerProblem] = (),
    filling: Mapping[str, Plain] | None = None,
    reader: Actor | None = None,
) -> FormView:
    """Return a later form, with the stored answers or with `filling` (just posted)."""
    form = procedure.tasks.get(form_id)
    pages = form.pages if isinstance(form, Form) else ()
    evaluated = evaluate_answers(procedure, dossier, day, directory, {**dossier.answers, **(filling or {})})
    showing = Showing(evaluated, speech_for(reader, dossier, wording), dossier, None, reader)
    views = [_page_view(showing, pages, number, tuple(problems), None) for number in range(1, len(pages) + 1)]
    return FormView(form.label if form else Text(()), tuple(views))


def _page_view(
    showing: Showing,
    pages: tuple[Page, ...],
    position: int,
    given: tuple[AnswerProblem, ...],
    only: frozenset[str] | None,
    reports: bool = True,
    judged: bool = True,
) -> PageView:
    """Return the page at a position of the path, from 1. `reports`: its own problems are shown without `given`."""
    evaluated, page = showing.evaluated, pages[position - 1]
    before = pages[position - 2].id if position > 1 else ""
    fields = page.fields if only is None else tuple(field for field in page.fields if field.id in only)
    found = tuple(page_problems(evaluated, page, only)) if judged else ()
    known = showing.dossier is not None and is_known(page, evaluated.values.scope, showing.dossier)
    put = page.once(_put_on)
    visited = known or page.once(_put_names) <= evaluated.answers.keys() or all(_was_put(one, evaluated) for one in put)
    said = given or (found if visited and reports else ())
    views: tuple[FieldView, ...] = tuple(field_views(replace(showing, problems=by_place(said)), fields))
    complete = judged and not any(not one.warns for one in found)
    return PageView(
        page.id, page.title, page.help, views, position, len(pages), complete, visited, found, before, known,
        page.agents_title,
    )  # fmt: skip


def _was_put(field: Field, evaluated: EvaluatedAnswers) -> bool:
    return not evaluated.shows(field) or field.id in evaluated.answers


# -- around the form ---------------------------------------------------------------------------------------------------


def prefilled(
    procedure: Procedure, facts: Mapping[str, Plain], dossier: Dossier, day: date, directory: Directory
) -> dict[str, Plain]:
    """Return the first answers of a new draft, from known facts (`account.phone`, `look_up.<id>.<answer>`)."""
    asking = evaluate_answers(procedure, dossier, day, directory).asking()
    found: dict[str, Plain] = {}
    for field in procedure.form.fields:
        known = facts.get(field.prefill or "")
        if known is not None and is_asked(field) and field.type != "rows":
            found.update(adopt(field, {field.id: known}, asking))
    return found


def dossier_label(procedure: Procedure, dossier: Dossier, day: date, directory: Directory, wording: Wording) -> str:
    """Return the name of the dossier in lists, from the procedure's template. Unanswered names are left out."""
    if not procedure.identity.dossier_label.text:
        return ""
    evaluated = evaluate_answers(procedure, dossier, day, directory)
    return label_words(evaluated, Speech(wording, dossier.language))
