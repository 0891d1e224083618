"""Evidence that the person already holds: a document that this installation issued to them is not asked again.

The document must be valid today, grant something, be young enough, and name the same person as the request. Nothing
else ever sets `held`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.working_time import add_days
from engine.domain.documents.documents import status_of
from engine.domain.documents.paper_words import as_stated
from engine.domain.fields.files import evidence_parts, terms_of, with_held, without_held
from engine.domain.fields.raw_answers import is_blank, is_wrong
from engine.domain.fields.scope import EvaluatedAnswers
from engine.model import Field, Procedure
from engine.model.directory import Calendar
from engine.records.dossier import Dossier, IssuedDocument

_SAME_PERSON: Final = ("account.family_name", "account.given_names", "account.birth_date")


def evidence_held_by(evaluated: EvaluatedAnswers) -> Iterator[Field]:
    """Yield the visible evidence that a document of another procedure replaces."""
    for field in evaluated.procedure.form.fields:
        if field.type == "evidence" and terms_of(field).held_by and evaluated.shows(field):
            yield field


def held_document(
    field: Field, evaluated: EvaluatedAnswers, definition: Procedure, earlier: Dossier, calendar: Calendar
) -> IssuedDocument | None:
    """Return the newest document of an earlier request that replaces this evidence, None without one.

    `evaluated` are the answers of the present request. The caller has checked that both have the same owner.
    """
    terms, today = terms_of(field), evaluated.scope.today
    if definition.id != terms.held_by or not _of_same_person(terms.held_of, evaluated, definition, as_stated(earlier)):
        return None
    found: list[IssuedDocument] = []
    for one in earlier.documents:
        output = definition.outputs.get(one.output)
        fresh = terms.max_age is None or add_days(local_day(one.issued_at), terms.max_age, calendar) >= today
        if output is not None and output.grants and one.row is None and fresh and status_of(one, today) == "valid":
            found.append(one)
    return max(found, key=lambda one: one.issued_at, default=None)


def names_same_person(
    field: Field, evaluated: EvaluatedAnswers, definition: Procedure, earlier: Dossier
) -> bool:  # fmt: skip
    """Return True when the documents of an earlier request name the person of these answers."""
    return _of_same_person(terms_of(field).held_of, evaluated, definition, as_stated(earlier))


def _of_same_person(held_of: str | None, evaluated: EvaluatedAnswers, definition: Procedure, earlier: Dossier) -> bool:
    """Return True when both requests are about one person.

    With `of`, the identifier is the same. Otherwise, surname, given names and day of birth are. The documents of the
    earlier request state what pieces say (`as_stated`), not what was typed.
    """
    if held_of is not None:
        mine = evaluated.procedure.fields[held_of]
        theirs = [
            one for one in definition.form.fields if one.id == held_of or (mine.scheme and one.scheme == mine.scheme)
        ]
        wanted = _said(mine, evaluated.values.answers) if evaluated.shows(mine) else ""
        return bool(wanted) and any(_said(one, earlier.answers) == wanted for one in theirs)
    shown = [one for one in evaluated.procedure.form.fields if evaluated.shows(one)]
    mine_said = _person(shown, evaluated.values.answers)
    return all(mine_said) and mine_said == _person(definition.form.fields, earlier.answers)


def _person(fields: Iterable[Field], answers: Mapping[str, Plain]) -> tuple[str, ...]:
    """Return what names the person: the first question of each kind. Those of a guardian come later."""
    first: dict[str, Field] = {}
    for one in fields:
        if one.prefill in _SAME_PERSON and not is_blank(answers.get(one.id)):
            first.setdefault(one.prefill, one)
    return tuple(_said(first[name], answers) if name in first else "" for name in _SAME_PERSON)


def _said(field: Field, answers: Mapping[str, Plain]) -> str:
    plain = answers.get(field.id)
    return " ".join(str(plain).split()).casefold() if isinstance(plain, str) and not is_wrong(plain) else ""


def with_documents(
    dossier: Dossier, fields: Iterable[Field], found: Mapping[str, tuple[Dossier, IssuedDocument]]
) -> dict[str, Plain]:
    """Return the answers in which exactly this evidence is held. A file that was handed in is used instead."""
    answers = dict(dossier.answers)
    for field in fields:
        before, one = answers.get(field.id), found.get(field.id)
        if one is not None:
            answers[field.id] = with_held(field, before, _held_as(*one), one[1].output)
        elif evidence_parts(before)["held"]:
            answers[field.id] = without_held(before)
    return answers


def _held_as(earlier: Dossier, document: IssuedDocument) -> dict[str, Plain]:
    """Return what a request stores of a document that its owner holds."""
    day = local_day(document.issued_at).isoformat()
    return {"dossier": earlier.id, "document": document.id, "number": document.number, "issued": day}


def held_in(dossier: Dossier) -> dict[str, tuple[str, str]]:
    """Return the held evidence of a request: by field, the ids of the earlier request and of its document."""
    found = {}
    for name, plain in dossier.answers.items():
        document = evidence_parts(plain).get("held_as")
        if isinstance(document, dict):
            found[name] = (str(document.get("dossier")), str(document.get("document")))
    return found
