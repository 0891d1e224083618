"""Issued documents as their readers get them: drawn as PDF, or zone by zone on a page. The only place that does either.

The page of a verification leaves out unchecked answers, the answers of a form and the particulars outside `verify.shows`.
The page before an act shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.text_provider import Wording
from engine.domain.documents.paper_words import literal
from engine.model import Appointment, Procedure
from engine.records.dossier import Dossier, IssuedDocument
from renderers.i18n.translations import REFERENCE, in_language
from renderers.pdf.documents import document_pdf
from renderers.web.platform.request_context import app_ctx

_SIGNATURE: Final = ("place_day", "quality", "name", "text")


@dataclass(frozen=True, slots=True)
class PaperZone:
    """One zone: paragraphs, then lines of cells. `head` and `total` make a table of them, else they are facts.

    Texts hold `**bold**` words and new lines. `large` is the word of an empty table, such as NÉANT.
    """

    title: str = ""
    texts: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    total: tuple[str, ...] = ()
    large: str = ""


@dataclass(frozen=True, slots=True)
class PaperView:
    """A paper or one of its translations on a page, in its own language. `note`: what a translation says of itself."""

    language: str
    title: str
    subtitle: str
    specimen: bool
    zones: tuple[PaperZone, ...]
    note: str = ""
    translations: tuple[PaperView, ...] = ()

    def first_in(self, language: str) -> tuple[PaperView, ...]:
        """Return the paper and its translations, first those in the language of a reader."""
        return tuple(sorted((self, *self.translations), key=lambda one: one.language != language))


def drawn_document(document: IssuedDocument, dossier: Dossier, procedure: Procedure) -> bytes:
    """Return a document in the language of its dossier, for any reader, marked with what it is worth today.

    A document that is revoked, suspended, replaced or expired says so across the page. A form to bring names the
    appointments that are booked today.
    """
    ctx, spoken = app_ctx(), dossier.language
    agency = ctx.directory.agencies.get(procedure.identity.agency)
    is_form = procedure.outputs[document.output].kind == "form"
    visits = [*_visits(dossier, procedure)] if is_form else list[Plain]()
    sections = [{"title": ctx.wording.say("booking.title", spoken, {}), "rows": visits}] if visits else []
    return document_pdf(
        document, procedure, dossier.number, in_language(agency.label, spoken) if agency else "",
        f"{ctx.settings.short_url}/v", ctx.wording, spoken, local_day(ctx.now()), sections,
    )  # fmt: skip


def _visits(dossier: Dossier, procedure: Procedure) -> Iterator[Plain]:
    """Yield the title, the day and the place of each booked appointment, in the language of the dossier."""
    ctx, spoken = app_ctx(), dossier.language
    for booking in sorted(dossier.bookings.values(), key=lambda one: one.start):
        task, office = procedure.tasks.get(booking.appointment), ctx.directory.offices.get(booking.office)
        if booking.status != "booked" or not isinstance(task, Appointment):
            continue
        place = (office.label, office.address) if office and task.place == "office" else ()
        where = [in_language(one, spoken) for one in place if one] or [ctx.wording.say("slot.at_yours", spoken, {})]
        yield [in_language(task.label, spoken), literal(", ".join([ctx.wording.moment(booking.start, spoken), *where]))]


def paper_view(paper: Mapping[str, Plain], wording: Wording, whole: bool = False) -> PaperView:
    """Return a paper as its page shows it. Any zone may be missing: an older paper has fewer.

    The words that the page adds are in the language of the paper. `whole` adds what a verification leaves out: who
    signs a paper reads all that it prints.
    """
    translations = (paper_view(_completed(_zone(one), paper), wording, whole) for one in _list(paper.get("courtesy")))
    return PaperView(
        _text(paper.get("lang")) or REFERENCE, _text(paper.get("title")), _text(paper.get("subtitle")),
        bool(paper.get("specimen")), tuple(one for one in _zones(paper, wording, whole) if one != PaperZone(one.title)),
        next(iter(_words(paper.get("prevails"))), ""), tuple(translations),
    )  # fmt: skip


def operative_of(paper: Mapping[str, Plain], language: str) -> tuple[str, tuple[str, ...]]:
    """Return what a paper decides or certifies, as it or its translation in `language` says it, after its language."""
    versions = [paper, *map(_zone, _list(paper.get("courtesy")))]
    one = next((one for one in versions if one.get("lang") == language), paper)
    return _text(one.get("lang")) or REFERENCE, _texts(_list(one.get("operative")))


def _completed(translation: Mapping[str, Plain], paper: Mapping[str, Plain]) -> Mapping[str, Plain]:
    """Return a translation with what it shares with its paper: number, issuer, and the particulars that a page shows."""
    rows, translated = (_list(_zone(one.get("particulars")).get("rows")) for one in (paper, translation))
    known = {_cells(row): other for row, other in zip(rows, translated, strict=False)}
    shows = _list(_zone(paper.get("verify")).get("shows"))
    shared = {name: paper.get(name) for name in ("number", "heading")}
    return {**shared, **translation, "verify": {"shows": [known.get(_cells(row), row) for row in shows]}}


def _zones(paper: Mapping[str, Plain], wording: Wording, whole: bool) -> Iterator[PaperZone]:
    spoken = _text(paper.get("lang")) or REFERENCE
    heading, verify = _zone(paper.get("heading")), _zone(paper.get("verify"))
    authorities = [*_words(heading.get("authorities")), _text(heading.get("service")), _text(heading.get("office"))]
    facts: list[Plain] = [
        [_text(paper.get("number_label")) or wording.say("verdict.number", spoken, {}), paper.get("number")],
        [wording.say("verdict.agency", spoken, {}), ", ".join(dict.fromkeys(filter(None, authorities)))],
        [wording.say("verdict.issued", spoken, {}), paper.get("day")],
        [wording.say("verdict.addressee", spoken, {}), ", ".join(_words(paper.get("addressee")))],
        paper.get("object"),
        *_list(_zone(paper.get("particulars")).get("rows") if whole else verify.get("shows")),
    ]
    yield PaperZone(rows=_facts(facts))
    yield _titled(paper.get("parties"))
    yield PaperZone(texts=_texts(
        [paper.get("issuer"), *_list(paper.get("basis")), *_list(paper.get("considering")), paper.get("decides")]
    ))  # fmt: skip
    yield PaperZone(texts=_texts(_list(paper.get("operative"))))
    table = _zone(paper.get("table"))
    rows = _rows(table.get("rows"))
    yield PaperZone(head=_cells(table.get("head")), rows=rows) if rows else PaperZone(large=_text(table.get("empty")))
    yield PaperZone(rows=_facts(paper.get("articles")))
    lines = _zone(paper.get("lines"))
    yield PaperZone(head=_cells(lines.get("head")), rows=_rows(lines.get("rows")), total=_cells(lines.get("total")))
    yield PaperZone(texts=_texts([lines.get("words"), *_list(paper.get("validity"))]))
    if whole:
        yield from map(_titled, [*_list(paper.get("sections")), paper.get("declared")])
    yield from _closing(paper, wording.say("verdict.signed", spoken, {}))


def _closing(paper: Mapping[str, Plain], signed_by: str) -> Iterator[PaperZone]:
    """Yield what follows the text: mentions, who signed, remedies."""
    mentions, remedies = _zone(paper.get("mentions")), _zone(paper.get("remedies"))
    yield PaperZone(texts=_texts([*_list(mentions.get("holder")), mentions.get("receiver")]))
    signed = [one for one in map(_zone, _list(paper.get("signatures"))) if not one.get("blank")]
    persons = (_texts([one.get(part) for part in _SIGNATURE]) for one in signed)
    yield PaperZone(signed_by, texts=tuple("\n".join(one) for one in persons if one))
    yield PaperZone(_text(remedies.get("title")), texts=_texts(_list(remedies.get("rows"))))


def _titled(zone: Plain) -> PaperZone:
    return PaperZone(_text(_zone(zone).get("title")), rows=_facts(_zone(zone).get("rows")))


def _facts(rows: Plain) -> tuple[tuple[str, ...], ...]:
    """Return labels with their words, without those that have none."""
    return tuple(row for row in _rows(rows) if any(row[1:]))


def _rows(rows: Plain) -> tuple[tuple[str, ...], ...]:
    return tuple(row for row in map(_cells, _list(rows)) if any(row))


def _cells(row: Plain) -> tuple[str, ...]:
    return tuple(_text(cell) for cell in _list(row))


def _texts(values: list[Plain]) -> tuple[str, ...]:
    return tuple(text for text in map(_text, values) if text)


def _words(value: Plain) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]


def _list(value: object) -> list[Plain]:
    return list(value) if isinstance(value, list | tuple) else []


def _zone(value: Plain) -> Mapping[str, Plain]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Plain) -> str:
    return value if isinstance(value, str) else ""
