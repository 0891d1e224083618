"""Documents for applicants: issued document, receipt, summary of a request. Returned as PDF bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain, Text, canonical_json, group_number
from engine.domain.common.text_provider import Wording
from engine.domain.documents.documents import status_of
from engine.domain.documents.paper_words import literal
from engine.domain.fields.views import FieldView, FormView
from engine.model import Output, Procedure
from engine.records.dossier import Dossier, IssuedDocument, OwedLine, Payment
from renderers.pdf.papers import CONTENT, VALID, paper_pdf
from renderers.pdf.qr import qr_svg
from renderers.pdf.typst import render_pdf

_ELSEWHERE: Final = frozenset({"note", "evidence", "file", "photo"})  # not among the answers of a summary


def document_pdf(
    document: IssuedDocument,
    procedure: Procedure,
    dossier_number: str,
    agency_label: str,
    verify_url: str,
    wording: Wording,
    language: str,
    day: date | None = None,
    beside: Sequence[Plain] = (),
) -> bytes:
    """Return an issued document: its paper, or for the first form of the language its content.

    `verify_url` is the page of the printed code. The QR code holds `verify_url/<token>`. `day` decides what the paper
    is worth: one that expired or was withdrawn says so across each page. `beside` are sections drawn before its own,
    which are no part of what is signed.
    """
    if document.paper is not None:
        return _issued(document, document.paper, day or local_day(document.issued_at), wording, beside)
    output = procedure.outputs[document.output]
    terms = [[_say(wording, "pdf.issued_on", language), wording.day(local_day(document.issued_at), language)]]
    if document.valid_until is not None:
        terms.append([_say(wording, "pdf.valid_until", language), wording.day(document.valid_until, language)])
    title = output.title.in_(language)
    data: dict[str, Plain] = {
        **_frame(agency_label, wording, language, title=title, number=document.number),
        "intro": _intro(output, wording, language),
        "rows": [
            *_about(procedure, output, wording, language),
            *_holder(document, output, dossier_number, wording, language),
        ],
        "sections": _sections(document.content),
        "body": [words for label, words in document.content if not label],
        "terms": [list(term) for term in terms],
        "signed_intro": _say(wording, "pdf.signed", language),
        "signed_by": document.signed_by or "",
        **_verification(document.code, verify_url, wording, language),
        "stamp": stamp_of(document, day or local_day(document.issued_at), wording, language),
    }
    return render_pdf("certificate", data, {"qr": qr_svg(f"{verify_url}/{document.token}").encode()})


def _issued(
    document: IssuedDocument, paper: Mapping[str, Plain], day: date, wording: Wording, beside: Sequence[Plain]
) -> bytes:
    """Return the frozen paper with its signature. Its attachment is what was frozen, without what is drawn beside."""
    own = paper.get("sections")
    sections: list[Plain] = [*beside, *(own if isinstance(own, list) else ())]
    return paper_pdf(
        {"holder": document.holder, "issued": document.issued_at.isoformat(), **paper, "sections": sections},
        worth=status_of(document, day),
        stamp=stamp_of(document, day, wording, str(paper.get("lang", "fr"))),
        attachments={CONTENT: canonical_json(dict(paper)), "acte.jws": document.jws.encode()},
    )


def stamp_of(document: IssuedDocument, day: date, wording: Wording, language: str) -> str:
    """Return what is drawn across a document that is not valid on a day, such as RETIRÉ LE 3 MAI 2026. Else empty."""
    worth = status_of(document, day)
    if worth == VALID:
        return ""
    since = document.valid_until if worth == "expired" else document.changed_at and local_day(document.changed_at)
    facts = {"day": wording.plain_day(since or day, language)}
    return wording.say(f"paper.stamp.{worth}", language, facts).upper()


def receipt_pdf(
    payment: Payment,
    dossier: Dossier,
    procedure: Procedure,
    wording: Wording,
    language: str,
    verify_url: str,
    code: str,
    agency_label: str = "",
    specimen: bool = False,
    lines: tuple[OwedLine, ...] = (),
) -> bytes:
    """Return the receipt of a payment: amount, `lines` of what it paid, phone of the payer and reference.

    `verify_url` is the page where its two numbers are typed. The QR code holds `verify_url/<code>`.
    """
    reference = payment.receipt or payment.reference
    whole = sum(line.amount for line in lines)
    if lines and whole != payment.amount:  # a part payment or its remainder; without a line the price is asked again
        lines = (*lines, OwedLine("whole", _say(wording, "pdf.whole_price", language), whole))
    total = "pdf.total" if whole == payment.amount else "pdf.paid_here"
    ended = payment.ended_at or payment.started_at
    particulars = [
        (_say(wording, "pdf.procedure", language), procedure.identity.title.in_(language)),
        (_say(wording, "pdf.applicant", language), dossier.label),
        (_say(wording, "pdf.paid_on", language), wording.moment(ended, language)),
        (_say(wording, "pdf.paid_by", language), _phone(payment.payer) if payment.payer else ""),
        (_say(wording, "pdf.operator_reference", language), payment.provider_ref or payment.reference),
    ]
    return paper_pdf({
        **_head("receipt", reference, ended, agency_label, wording, language, specimen),
        "title": _say(wording, "pdf.receipt", language),
        "holder": dossier.label,
        "dossier": [_say(wording, "pdf.dossier", language), group_number(dossier.number)],
        "particulars": {"rows": [[name, literal(value)] for name, value in particulars if value]},
        "lines": {
            "head": [_say(wording, f"paper.lines.{part}", language) for part in ("label", "amount")],
            "rows": [[line.label, wording.money(line.amount, language)] for line in lines],
            "total": [_say(wording, total, language), wording.money(payment.amount, language)],
            "words": f"{_capital(wording.numeral(payment.amount, language))} {_say(wording, 'pdf.francs_long', language)}",
        },
        "verify": _check(reference, verify_url, f"{verify_url}/{code}", wording, language, "pdf.verify_payment"),
    })  # fmt: skip


def counter_pdf(
    number: str,
    happened: tuple[str, str],
    rows: Sequence[tuple[str, str]],
    lists: Sequence[tuple[str, Sequence[str]]],
    follow: str,
    address: str,
    agency_label: str,
    wording: Wording,
    language: str,
    sent_at: datetime | None = None,
    specimen: bool = False,
) -> bytes:
    """Return the receipt of what was done at a counter: `happened` is its title and its sentence.

    `follow` explains how to follow it, `address` is the content of the QR code.
    """
    grouped = group_number(number)
    following: dict[str, Plain] = {"title": _say(wording, "frame.follow", language), "steps": follow}
    return paper_pdf({
        **_head("form", grouped, sent_at, agency_label, wording, language, specimen),
        "title": happened[0],
        "operative": [literal(happened[1])],
        "particulars": {"rows": [[name, literal(value)] for name, value in rows]},
        "sections": [
            {"title": heading, "rows": [[item] for item in items], "dots": True} for heading, items in lists if items
        ],
        "verify": {**_check(grouped, address, address, wording, language), **following},
    })  # fmt: skip


def consent_pdf(
    number: str,
    name: str,
    asked: Sequence[str],
    rows: Sequence[tuple[str, str]],
    agency_label: str,
    wording: Wording,
    language: str,
    now: datetime,
    specimen: bool = False,
) -> bytes:
    """Return the consent sheet of a counter: what is `asked` of the person, its `rows`, and two places to sign."""
    day = _say(wording, "agreement.place_day", language)
    signs = [("agreement.person", name), ("agreement.agent", "")]
    return paper_pdf({
        **_head("form", number, now, agency_label, wording, language, specimen),
        "number_label": _say(wording, "agreement.sheet", language),
        "title": _say(wording, "agreement.title", language),
        "subtitle": wording.moment(now, language),
        "operative": [_say(wording, "agreement.text", language)],
        "particulars": {"rows": [[label, literal(value)] for label, value in rows if value]},
        "sections": [{"title": _say(wording, "agreement.asked", language), "rows": [[one] for one in asked]}],
        "signatures": [
            {"place_day": day, "quality": _say(wording, who, language), "blank": True, "name": literal(signer)}
            for who, signer in signs
        ],
    })  # fmt: skip


def summary_pdf(
    view: FormView,
    dossier: Dossier,
    procedure: Procedure,
    facts: Sequence[tuple[str, Sequence[tuple[str, str]]]],
    address: str,
    agency_label: str,
    wording: Wording,
    language: str,
    specimen: bool = False,
) -> bytes:
    """Return the summary of a request for its applicant.

    It holds the date of submission, the answers page by page, then `facts` under their headings (attachments,
    prices). `address` is the page where the request is followed.
    """
    grouped = group_number(dossier.number)
    fields = procedure.fields.values()
    nouns = {one.id: one.noun for field in fields for one in (field, *field.rows) if one.noun is not None}
    sections: list[Plain] = [
        section
        for page in view.pages
        for section in _answered(page.title.in_(language), page.fields, nouns, wording, language)
    ]
    sent = dossier.submitted_at
    day = f"{_say(wording, 'counter.sent_on', language)} {wording.moment(sent, language)}" if sent else ""
    return paper_pdf({
        **_head("form", grouped, sent, agency_label, wording, language, specimen),
        "day": day,
        "title": _say(wording, "pdf.summary_title", language),
        "subtitle": procedure.identity.title.in_(language),
        "holder": dossier.label,
        "operative": [_say(wording, "pdf.summary", language)],
        "sections": [*sections, *_facts(facts)],
        "verify": {
            **_check(grouped, address, address, wording, language, "pdf.verify_receipt"),
            "title": _say(wording, "frame.follow", language),
        },
    })  # fmt: skip


def _facts(facts: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> list[Plain]:
    return [{"title": name, "rows": [[label, literal(text)] for label, text in rows]} for name, rows in facts if rows]


def _answered(
    title: str, fields: Sequence[FieldView], nouns: Mapping[str, Text], wording: Wording, language: str
) -> Iterator[dict[str, Plain]]:
    """Yield a page as a section, then one section for each row and inner row. Papers have their own section.

    `nouns` are printed instead of questions.
    """
    shown = [field for field in fields if field.shown and field.type not in _ELSEWHERE]
    lines: list[Plain] = [
        [nouns.get(field.id, field.label).in_(language), _answer(field, wording, language)]
        for field in shown
        if field.type != "rows" or not field.rows
    ]
    if lines:
        yield {"title": title, "rows": lines}
    for group in (field for field in shown if field.type == "rows"):
        for row in group.rows:
            name = f"{nouns.get(group.id, group.label).in_(language)} – {row.label or row.number}"
            yield from _answered(name, row.fields, nouns, wording, language)


def _answer(field: FieldView, wording: Wording, language: str) -> str:
    """Return an answer as the page before submission shows it."""
    if field.masked:
        return "•••"
    return literal(field.text) or _say(wording, "pdf.unanswered", language)


def _head(
    kind: str, number: str, issued: datetime | None, agency: str, wording: Wording, language: str, specimen: bool
) -> dict[str, Plain]:
    """Return what heads a paper that is drawn from the dossier and not frozen: a receipt, a summary."""
    return {
        "template": "money" if kind == "receipt" else kind,
        "version": 1,
        "lang": language,
        "kind": kind,
        "specimen": specimen,
        "heading": {"service": agency},
        "state": [_say(wording, f"paper.{part}", language) for part in ("state", "motto")],
        "number": number,
        "number_label": _say(wording, "paper.number" if kind == "receipt" else "pdf.dossier", language),
        "issued": issued.isoformat() if issued else "",
        "labels": {"page": _say(wording, "paper.page", language), "of": "/"},
    }


def _check(
    code: str, url: str, address: str, wording: Wording, language: str, steps: str = "pdf.verify_text"
) -> dict[str, Plain]:
    """Return how such a paper is verified: `url` is typed with its code, `address` is the content of the square."""
    return {
        "title": _say(wording, "pdf.verify_title", language),
        "steps": _say(wording, steps, language),
        "code": code,
        "url": url,
        "address": address,
        "alt": _say(wording, "pdf.qr_alt", language),
    }


def _frame(agency: str, wording: Wording, language: str, *, title: str, number: str) -> dict[str, Plain]:
    return {
        "lang": language if language in {"fr", "en"} else "fr",
        "title": title,
        "agency": agency,
        "country": _say(wording, "pdf.country", language),
        "number": number,
        "number_label": _say(wording, "pdf.number", language),
        "footer": title,
    }


def _intro(output: Output, wording: Wording, language: str) -> str:
    """Return the first sentence of the document, by the kind of output."""
    own = f"pdf.intro.{output.kind}"
    return _say(wording, own if wording.has(own) else "pdf.intro", language)


def _about(procedure: Procedure, output: Output, wording: Wording, language: str) -> list[Plain]:
    """Return the procedure line of an output of the kind `letter`, whose title alone does not name the request."""
    if output.kind != "letter":
        return []
    return [[_say(wording, "pdf.procedure", language), procedure.identity.title.in_(language)]]


def _holder(
    document: IssuedDocument, output: Output, dossier_number: str, wording: Wording, language: str
) -> list[Plain]:
    """Return the holder and the dossier number. A document of one row may concern another person than the dossier."""
    holds = output.grants and document.row is None
    rows: list[Plain] = []
    if document.holder:
        rows.append([_say(wording, "pdf.holder" if holds else "pdf.applicant", language), document.holder])
    return [*rows, [_say(wording, "pdf.dossier", language), group_number(dossier_number)]]


def _sections(content: Sequence[tuple[str, str]]) -> list[Plain]:
    """Return the lines under their headings (`""` before the first one)."""
    sections: list[tuple[str, list[Plain]]] = [("", [])]
    for label, words in content:
        if label and words:
            sections[-1][1].append([label, words])
        elif label:
            sections.append((label, []))
    return [{"title": title, "rows": rows} for title, rows in sections if rows]


def _verification(code: str, url: str, wording: Wording, language: str) -> dict[str, Plain]:
    return {
        "verify_title": _say(wording, "pdf.verify_title", language),
        "verify_text": _say(wording, "pdf.verify_text", language),
        "verify_url": url,
        "code": " ".join(code[start : start + 4] for start in range(0, len(code), 4)) if code.isdigit() else code,
        "qr_alt": _say(wording, "pdf.qr_alt", language),
    }


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _phone(number: str) -> str:
    """Format a Togolese number as `90 00 00 01`, any other unchanged."""
    local = number.removeprefix("+228")
    if not (local.isdigit() and len(local) == 8):
        return number
    return " ".join(local[start : start + 2] for start in range(0, 8, 2))


def _say(wording: Wording, key: str, language: str) -> str:
    return wording.say(key, language, {})
