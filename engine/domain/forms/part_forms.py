"""The questions of one part of a task: what a service is asked in a round, a later form for one row. Read, judged, drawn.

A part is named by its task and `part`: the id of a service, or the number of a row (from 0) as text. Controls are named
as questions are (`opinion`, `accorde`), for one part is answered at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from engine.core.values import Plain
from engine.domain.common.task_parts import filling_at, with_filling
from engine.domain.common.text_provider import Wording
from engine.domain.fields.raw_answers import Raw
from engine.domain.fields.scope import EvaluatedAnswers, Values, evaluate_answers
from engine.domain.fields.views import AnswerProblem, PageView
from engine.domain.forms.posted_values import read_answers
from engine.domain.forms.sample_answers import example_row
from engine.domain.forms.validation import row_page_problems
from engine.domain.forms.views_of_fields import Showing, by_place, row_views, speech_for
from engine.domain.workflow.opinions import OPINION
from engine.model import Form, Page, Procedure
from engine.model.directory import Directory
from engine.records.dossier import Actor, Dossier


def part_page(form: Form, part: str) -> Page | None:
    """What is asked of one part; none when the form has no such part."""
    if form.services:
        return form.asked if form.service(part) is not None else None
    return form.pages[0] if form.each is not None and is_row(part) and form.pages else None


def is_row(part: str) -> bool:
    """Whether a part is the number of a row."""
    return part.isascii() and part.isdecimal() and len(part) < 5


def kept_part(form: Form, part: str, dossier: Dossier) -> dict[str, Plain]:
    """What was answered so far."""
    if not form.services:
        return filling_at(form.id, dossier.answers, int(part)) or {}
    besides = dossier.answers.get(form.id)
    said = besides.get(part) if isinstance(besides, dict) else None
    return {**(said if isinstance(said, dict) else {}), OPINION: dossier.answers.get(part)}


def check_part(
    procedure: Procedure, form: Form, part: str, dossier: Dossier, answers: Mapping[str, Plain], day: date,
    directory: Directory,
) -> tuple[AnswerProblem, ...]:  # fmt: skip
    """Everything wrong with one part answered so."""
    page = part_page(form, part)
    evaluated, values = _evaluated(procedure, form, part, dossier, answers, day, directory)
    return tuple(row_page_problems(evaluated, page, values)) if page is not None and values is not None else ()


def read_part(
    procedure: Procedure, form: Form, part: str, dossier: Dossier, raw: Raw, day: date, directory: Directory
) -> dict[str, Plain]:
    """The answers that a post gives to one part; those of questions it hides are left out."""
    page, before = part_page(form, part), kept_part(form, part, dossier)
    evaluated, values = _evaluated(procedure, form, part, dossier, before, day, directory)
    if page is None or values is None:
        return {}
    read = read_answers(page.fields, before, values, raw, "", evaluated.asking_in(values.scope))
    return shown_answers(procedure, form, part, dossier, read, day, directory)


def shown_answers(
    procedure: Procedure, form: Form, part: str, dossier: Dossier, answers: Mapping[str, Plain], day: date,
    directory: Directory,
) -> dict[str, Plain]:  # fmt: skip
    """The answers whose questions are shown with them."""
    _, values = _evaluated(procedure, form, part, dossier, answers, day, directory)
    page = part_page(form, part)
    fields = [field.id for field in page.fields if values is not None and values.shows(field.id)] if page else []
    return {name: plain for name, plain in answers.items() if name in fields or name.removesuffix("_other") in fields}


def example_part(
    procedure: Procedure, form: Form, part: str, dossier: Dossier, given: Mapping[str, Plain], day: date,
    directory: Directory,
) -> dict[str, Plain]:  # fmt: skip
    """A part answered as a story says, with examples for what it leaves out."""
    page = part_page(form, part)
    evaluated, values = _evaluated(procedure, form, part, dossier, given, day, directory)
    if page is None or values is None:
        return dict(given)
    return example_row(page.fields, given, evaluated, values)


def view_part(
    procedure: Procedure, form: Form, part: str, dossier: Dossier, day: date, directory: Directory, wording: Wording,
    problems: Iterable[AnswerProblem] = (), answers: Mapping[str, Plain] | None = None, reader: Actor | None = None,
) -> PageView | None:  # fmt: skip
    """One part as a page, with what the dossier holds of it or with `answers` (what was just posted)."""
    page = part_page(form, part)
    said = kept_part(form, part, dossier) if answers is None else answers
    evaluated, values = _evaluated(procedure, form, part, dossier, said, day, directory)
    if page is None or values is None:
        return None
    found = tuple(problems)
    showing = Showing(evaluated, speech_for(reader, dossier, wording), dossier, None, reader, by_place(found))
    views = tuple(row_views(showing, page.fields, values))
    return PageView(page.id, page.title, page.help, views, 1, 1, not found, bool(said), found)


def _evaluated(
    procedure: Procedure, form: Form, part: str, dossier: Dossier, answers: Mapping[str, Plain], day: date,
    directory: Directory,
) -> tuple[EvaluatedAnswers, Values | None]:  # fmt: skip
    """The dossier as if this part were answered so, and the row it is."""
    kept = dossier.answers
    if form.services:
        besides = kept.get(form.id)
        said: dict[str, Plain] = {**(besides if isinstance(besides, dict) else {}), part: dict(answers)}
        overlaid: dict[str, Plain] = {**kept, part: answers.get(OPINION), form.id: said}
        evaluated = evaluate_answers(procedure, dossier, day, directory, overlaid)
        rows = evaluated.values.rows(form.id)
        return evaluated, next((row for row in rows if row["service"] == part), None)
    number = int(part)
    count = len(evaluate_answers(procedure, dossier, day, directory).values.rows(form.each or ""))
    overlaid = with_filling(form, kept, number, answers, "") if number < count else dict(kept)
    evaluated = evaluate_answers(procedure, dossier, day, directory, overlaid)
    rows = evaluated.values.rows(form.each or "")
    return evaluated, rows[number] if number < len(rows) else None
