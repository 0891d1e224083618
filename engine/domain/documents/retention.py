"""Retention: how long a closed dossier is stored, and what remains afterwards. Pure: services erase files and rows.

Timers:

- `keep`: the dossier, and once more what an act added after its erasure
- `keep:<answer>`: a sensitive answer that is erased earlier
- `keep_document:<id>`: the content of a document of an erased dossier that may be shown no more
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from engine.core.values import Plain
from engine.domain.common.task_parts import is_in_parts
from engine.domain.common.working_time import add_span, end_of_day
from engine.domain.documents.documents import is_erased, status_of
from engine.domain.fields.raw_answers import OTHER
from engine.model import APPLICANT, Form, Procedure
from engine.model.directory import Calendar
from engine.records.dossier import Dossier, IssuedDocument

KEEP: Final = "keep"
KEEP_DOCUMENT: Final = "keep_document"
_ANONYMOUS: Final = frozenset({"yes_no", "choice", "choices"})  # answers with few possible codes identify no person


def keep_moments(procedure: Procedure, dossier: Dossier, calendar: Calendar) -> Iterator[tuple[str, datetime]]:
    """Yield what is to be erased of a closed dossier, and when. Nothing for an open one."""
    if dossier.closed_at is None or dossier.is_draft:
        return
    end, last = kept_until(procedure, dossier, calendar), _last_act(procedure, dossier, calendar)
    if dossier.erased_at is not None:
        again = max(end, last) if end is not None and _was_added(procedure, dossier, dossier.erased_at) else None
        yield from _document_moments(procedure, dossier, dossier.erased_at, again)
        if again is not None:
            yield KEEP, again
        return
    if end is not None:
        end = max(end, last)
        yield KEEP, end
    for name, terms in procedure.personal_data.sensitive.items():
        given = (dossier.answers, *(one.before for one in dossier.corrected))
        if terms.keep is None or not any(_holds(answers, name) for answers in given):
            continue
        sooner = max(add_span(dossier.closed_at, terms.keep, calendar), last)
        if end is None or sooner < end:
            yield f"{KEEP}:{name}", sooner


def _last_act(procedure: Procedure, dossier: Dossier, calendar: Calendar) -> datetime:
    """Return until when the applicant may act on a closed dossier, such as by an appeal: its decision needs the answers."""
    acts = (one.within for one in procedure.leaving.get(dossier.state, ()) if APPLICANT in one.by and one.within)
    return max((add_span(dossier.entered_at, span, calendar) for span in acts), default=dossier.entered_at)


def kept_until(procedure: Procedure, dossier: Dossier, calendar: Calendar) -> datetime | None:
    """Return when a closed dossier is erased, by its outcome. None without a retention period."""
    state = procedure.states.get(dossier.state)
    span = procedure.personal_data.keep.get(state.outcome) if state is not None and state.outcome else None
    return add_span(dossier.closed_at, span, calendar) if span is not None and dossier.closed_at is not None else None


def _was_added(procedure: Procedure, dossier: Dossier, erased: datetime) -> bool:
    """Return whether an act added something of a person after the erasure: a reason, a file, an answer, a letter.

    An agent revokes a permit that outlives its dossier.
    """
    left = forgotten(procedure, dossier, erased, erased.date())
    letters = any(_is_later_letter(procedure, one, erased) for one in dossier.documents)
    return letters or replace(left, documents=dossier.documents) != dossier


def _is_later_letter(procedure: Procedure, document: IssuedDocument, erased: datetime) -> bool:
    return document.issued_at >= erased and not is_erased(document) and not _grants(procedure, document)


def _document_moments(
    procedure: Procedure, dossier: Dossier, erased: datetime, again: datetime | None
) -> Iterator[tuple[str, datetime]]:
    for one in dossier.documents:
        ended = one.changed_at if one.status in ("revoked", "replaced") else None
        if is_erased(one) or (again is not None and _is_later_letter(procedure, one, erased)):
            continue
        if ended is not None or not _grants(procedure, one):
            yield f"{KEEP_DOCUMENT}:{one.id}", max(ended or erased, erased)
        elif one.valid_until is not None:
            yield f"{KEEP_DOCUMENT}:{one.id}", end_of_day(one.valid_until)


def _grants(procedure: Procedure, document: IssuedDocument) -> bool:
    """Return whether its holder may still show a document: a letter, form, receipt or quote is erased with its dossier.

    One of an output that its edition no longer has is kept.
    """
    output = procedure.outputs.get(document.output)
    return output is None or output.grants


# -- what remains ------------------------------------------------------------------------------------------------------


def forgotten(procedure: Procedure, dossier: Dossier, now: datetime, day: date) -> Dossier:
    """Return a dossier without any personal data: no name, address, file, reason or confirmed answer, and no document
    but those that grant something and are in force.

    `anonymise` leaves the answers that are codes of short lists, for counting. `delete` leaves none.
    """
    answers = anonymous_answers(procedure, dossier.answers) if procedure.personal_data.afterwards == "anonymise" else {}
    return replace(
        dossier,
        erased_at=now,
        owner="",
        label="",
        contact_phone=None,
        contact_email=None,
        former_phones=(),
        other_phones=(),
        answers=answers,
        attachments=(),
        correction=None,
        corrected=(),
        sought=(),
        confirmed={},
        links={},
        reused=None,
        taken=tuple(replace(one, reason=None) for one in dossier.taken),
        documents=tuple(_kept_if_worth(procedure, one, day) for one in dossier.documents),
    )


def anonymous_answers(procedure: Procedure, answers: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return the non-sensitive answers, outside rows, that are codes of their question's own options."""
    asked = {**{one.id: one.field for one in procedure.eligibility}, **procedure.fields}
    secret = procedure.personal_data.sensitive
    return {
        name: answer
        for name, answer in answers.items()
        if name not in secret and name in asked and asked[name].type in _ANONYMOUS and asked[name].list_id is None
    }


def _kept_if_worth(procedure: Procedure, document: IssuedDocument, day: date) -> IssuedDocument:
    worth = status_of(document, day) in ("valid", "suspended") and _grants(procedure, document)
    return document if worth else without_content(document)


def without_content(document: IssuedDocument) -> IssuedDocument:
    """Return the document without its content and holder."""
    return replace(document, content=(), holder="", paper=None)


def without_answer(procedure: Procedure, answers: Mapping[str, Plain], name: str) -> dict[str, Plain]:
    """Return the answers without one, wherever it was given: in the form, in rows and in fillings."""
    found: dict[str, Plain] = {}
    for key, answer in answers.items():
        if key in (name, f"{name}_{OTHER}"):
            continue
        form = procedure.tasks.get(key)
        in_parts = isinstance(form, Form) and is_in_parts(form)
        rows = key in procedure.fields and procedure.fields[key].type == "rows"
        found[key] = _without(answer, name) if in_parts or rows else answer
    return found


def _without(answer: Plain, name: str) -> Plain:
    if isinstance(answer, dict):
        gone = (name, f"{name}_{OTHER}")
        return {key: _without(one, name) for key, one in answer.items() if key not in gone}
    return [_without(one, name) for one in answer] if isinstance(answer, list) else answer


def _holds(answers: Mapping[str, Plain], name: str) -> bool:
    def holds(answer: Plain) -> bool:
        if isinstance(answer, dict):
            return name in answer or any(map(holds, answer.values()))
        return isinstance(answer, list) and any(map(holds, answer))

    return name in answers or any(map(holds, answers.values()))
