"""Issued documents: number, content, signed claims, and validity on a day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

from engine.core.clock import local_day
from engine.core.values import Plain, Span, fingerprint
from engine.domain.common.decision import IssueOrder
from engine.domain.common.text_provider import Wording
from engine.domain.common.working_time import add_days, counts_days
from engine.domain.documents.content import content_of
from engine.domain.documents.paper_words import NameOf, as_stated
from engine.domain.documents.papers import NO_SITE, PaperOrder, PaperSite, languages_of, paper_of
from engine.domain.fields.display import label_words, row_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.raw_answers import fill_template
from engine.domain.fields.scope import EvaluatedAnswers, evaluate_answers
from engine.model import Output, Procedure
from engine.model.directory import Directory
from engine.model.roles import role_key
from engine.model.types import Scope
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier, IssuedDocument

Worth: TypeAlias = Literal["valid", "expired", "suspended", "revoked", "replaced"]
_SERIAL_DIGITS: Final = 5


def status_of(document: IssuedDocument, day: date) -> Worth:
    """Return the validity of a document on a day. A revoked or replaced one stays so, whatever its date."""
    if document.status != "valid":
        return document.status
    if document.valid_until is not None and day > document.valid_until:
        return "expired"
    return "valid"


def is_issued(dossier: Dossier, output: str, row: int | None, day: date) -> bool:
    """Return True when the dossier already has this document, valid or suspended, so it is not issued again."""
    mine = (one for one in dossier.documents if one.output == output and one.row == row)
    return any(status_of(one, day) in ("valid", "suspended") for one in mine)


def with_issued_rows(
    procedure: Procedure, dossier: Dossier, answers: Mapping[str, Plain], day: date
) -> dict[str, Plain]:
    """Return changed answers, with the rows that documents in force name by their number as they are in the dossier.

    A row with a granting document stays as it is. One with a refusal may change, at its place. A removed or moved one
    restores all rows.
    """
    found = dict(answers)
    for name, rows in _issued_rows(procedure, dossier, day).items():
        old, new = dossier.answers.get(name), answers.get(name)
        if old == new or not isinstance(old, list) or not isinstance(new, list):
            continue
        known = {at: granted for at, granted in rows.items() if at < len(old)}
        fewer = len(new) < len(old)  # a removed row moves those after it
        if any(at >= len(new) or (new[at] != old[at] and (fewer or old[at] in new)) for at in known):
            found[name] = old
        else:
            found[name] = [old[at] if known.get(at) else row for at, row in enumerate(new)]
    return found


def _issued_rows(procedure: Procedure, dossier: Dossier, day: date) -> dict[str, dict[int, bool]]:
    """Return by question the rows with a document in force, each with True when one of them grants."""
    found: dict[str, dict[int, bool]] = {}
    for one in dossier.documents:
        output = procedure.outputs.get(one.output)
        if output is not None and output.per and one.row is not None and status_of(one, day) in ("valid", "suspended"):
            rows = found.setdefault(output.per, {})
            rows[one.row] = rows.get(one.row, False) or output.grants
    return found


def granted_rows(procedure: Procedure, dossier: Dossier, rows: str, day: date) -> frozenset[int]:
    """Return the numbers of the rows that a granting document in force names."""
    return frozenset(at for at, granted in _issued_rows(procedure, dossier, day).get(rows, {}).items() if granted)


def is_erased(document: IssuedDocument) -> bool:
    """Return True when the content was erased: number, dates and signature remain."""
    return not document.content and not document.holder and document.paper is None


def series_of(output: Output, procedure: Procedure, dossier: Dossier, now: datetime) -> str:
    """Return the series of a document's number: `dgdn/2026`.

    Outputs may share a series. The printed number does not name the output, so it must be unique in the
    series.
    """
    parts = _number_parts(procedure, dossier, now)
    return "/".join(parts.get(name, name) for name in output.serial_per)


def document_number(output: Output, procedure: Procedure, dossier: Dossier, now: datetime, serial: int) -> str:
    """Return the printed number, from the pattern of its output.

    A pattern published without `{serial}` gets one at its end: without it only one document could be issued.
    """
    parts = _number_parts(procedure, dossier, now)
    printed = {name: text.upper().replace("_", "-") for name, text in parts.items()}
    pattern = output.number if "{serial}" in output.number else f"{output.number}-{{serial}}"
    return fill_template(pattern, {**printed, "serial": f"{serial:0{_SERIAL_DIGITS}d}"})


def _number_parts(procedure: Procedure, dossier: Dossier, now: datetime) -> dict[str, str]:
    return {
        "agency": procedure.identity.agency,
        "office": dossier.office or procedure.identity.agency,
        "procedure": procedure.id,
        "year": str(local_day(now).year),
    }


def prepare_document(
    procedure: Procedure, dossier: Dossier, order: IssueOrder, scope: Scope, number: str, code: str, token: str,
    now: datetime, directory: Directory, wording: Wording, actor: Actor = SYSTEM_ACTOR,
    name_of: NameOf = str, site: PaperSite = NO_SITE,
) -> IssuedDocument:  # fmt: skip
    """Return the ordered document with its content fixed, not yet signed (`jws` empty). `code` is also its id.

    `actor` takes the act that issues it. `name_of` returns the name of an account by its id.
    """
    output = procedure.outputs[order.output]
    dossier, evaluated = _stated(procedure, dossier, now, directory, wording)
    if output.paper is not None:
        until = _valid_until(output, _inside(scope, output, order.row), now, directory)
        spoken = languages_of(procedure, output, dossier)
        reader = dossier.language if dossier.language in spoken else spoken[0]
        holder = _holder(evaluated, dossier, output, order.row, Speech(wording, reader))
        ordered = PaperOrder(output, order.row, number, code, token, now, until, actor, name_of, site, holder)
        signed = actor.kind == "agent" and not output.paper.sealed
        return IssuedDocument(
            id=code, output=output.id, title=output.title.in_(reader), number=number, issued_at=now,
            valid_until=until, code=code, token=token, content=(), holder=holder,
            signed_by=actor.name if signed else None, jws="", row=order.row,
            paper=paper_of(evaluated, dossier, output.paper, ordered, wording),
        )  # fmt: skip
    return IssuedDocument(
        id=code, output=output.id, title=output.title.in_(dossier.language), number=number, issued_at=now,
        valid_until=_valid_until(output, _inside(scope, output, order.row), now, directory), code=code, token=token,
        content=content_of(evaluated, dossier, output, order.row, Speech(wording, dossier.language)), holder=dossier.label,
        signed_by=_signatory(procedure, output, directory, dossier.language), jws="", row=order.row,
    )  # fmt: skip


def _holder(evaluated: EvaluatedAnswers, dossier: Dossier, output: Output, row: int | None, speech: Speech) -> str:
    """Return the holder of a document, to whom a letter is addressed: the label of its row, else of the dossier."""
    rows = evaluated.procedure.fields.get(output.per or "")
    own = row_words(evaluated, rows, row, speech) if rows is not None and row is not None else ""
    return own or dossier.label


def _stated(
    procedure: Procedure, dossier: Dossier, now: datetime, directory: Directory, wording: Wording
) -> tuple[Dossier, EvaluatedAnswers]:
    """Return the dossier as its documents state it, with its label: what a piece says replaces a different answer."""
    stated = as_stated(dossier)
    evaluated = evaluate_answers(procedure, stated, local_day(now), directory)
    if stated is dossier:
        return dossier, evaluated
    return replace(stated, label=label_words(evaluated, Speech(wording, dossier.language))), evaluated


def _signatory(procedure: Procedure, output: Output, directory: Directory, language: str) -> str | None:
    """Return the titles of the signing role and its agency, None when the directory contains neither."""
    if output.signed_by is None:
        return None
    key = role_key(procedure, output.signed_by)
    role, agency = directory.role(key), directory.agencies.get(key.partition("/")[0])
    return ", ".join(one.label.in_(language) for one in (role, agency) if one is not None) or None


def _inside(scope: Scope, output: Output, row: int | None) -> Scope:
    rows = scope.get(output.per) if output.per else None
    if row is None or not isinstance(rows, tuple) or row >= len(rows):
        return scope
    one = rows[row]
    return scope.inside(one) if isinstance(one, Mapping) else scope


def _valid_until(output: Output, scope: Scope, now: datetime, directory: Directory) -> date | None:
    """Return the last day of validity, None without a limit. A span counts from the day of issue."""
    value = output.valid.value(scope) if output.valid is not None else None
    if isinstance(value, Span):
        return add_days(local_day(now), value, directory.calendar) if counts_days(value) else local_day(now)
    return value if isinstance(value, date) else None


# -- what is signed ----------------------------------------------------------------------------------------------------


def document_claims(document: IssuedDocument, procedure: Procedure, agency: str) -> dict[str, Plain]:
    """Return the claims that the signature covers: no name and no answer, only a digest of the content."""
    return {
        "iss": agency,
        "procedure": procedure.id,
        "edition": procedure.edition,
        "output": document.output,
        "number": document.number,
        "code": document.code,
        "issued": local_day(document.issued_at).isoformat(),
        "until": document.valid_until.isoformat() if document.valid_until else None,
        "digest": content_digest(document),
    }


def content_digest(document: IssuedDocument) -> str:
    """Return the SHA-256 of title, holder and paper, or lines without paper. Any change gives another digest."""
    if document.paper is not None:
        return fingerprint({"title": document.title, "holder": document.holder, "paper": dict(document.paper)})
    lines: list[Plain] = [[label, words] for label, words in document.content]
    return fingerprint({"title": document.title, "holder": document.holder, "content": lines})


def check_claims(
    document: IssuedDocument, claims: Mapping[str, Plain], procedure: Procedure, agency: str
) -> tuple[str, ...]:
    """Return the names of the signed claims that differ from the stored document, none when it is intact."""
    expected = document_claims(document, procedure, agency)
    return tuple(sorted(name for name in expected.keys() | claims.keys() if expected.get(name) != claims.get(name)))


_NAME_PART: Final = re.compile(r"[^\W_][^\s]*")


def masked(name: str, sign: str = "•") -> str:
    """Return a name as a stranger may read it: `A••• A•••` for `AMEGAN Afi`, whatever its length.

    A label may hold a telephone, a day or an identifier: no digit of it is shown.
    """
    return _NAME_PART.sub(lambda part: ("" if part.group()[0].isdigit() else part.group()[0]) + sign * 3, name)
