"""What an English speaker receives of the shipped procedures: one page, the French text, and its translation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pytest
from pypdf import PdfReader

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.decision import IssueOrder
from engine.domain.documents.documents import prepare_document
from engine.domain.documents.papers import PaperSite
from engine.domain.fields.scope import scope_of
from engine.records.dossier import Actor, IssuedDocument
from renderers.pdf.documents import document_pdf
from tests.engine.domain.documents.story_papers import StoryPaper, papers_of, shipped
from tests.makers import the_words

SITE = PaperSite("guichet.tg/v", "https://guichet.tg", True)


def in_english(one: StoryPaper) -> IssuedDocument:
    """The document of a story, had its applicant used English."""
    dossier, document, at = replace(one.dossier, language="en"), one.document, one.document.issued_at
    output = one.procedure.outputs[document.output]
    actor = Actor("agent", "1", document.signed_by or "", roles=frozenset({output.signed_by or ""}))
    return prepare_document(
        one.procedure, dossier, IssueOrder(output.id, document.row),
        scope_of(one.procedure, dossier, local_day(at), shipped().directory), document.number, document.code,
        document.token, at, shipped().directory, the_words(), actor, site=SITE,
    )  # fmt: skip


def received(procedure: str) -> Iterator[tuple[StoryPaper, IssuedDocument]]:
    """One document of each kind that the stories of a procedure issue, forms left out."""
    seen = set[str]()
    for one in papers_of(shipped().procedures[procedure], shipped(), the_words()):
        if one.document.output not in seen and one.procedure.outputs[one.document.output].kind != "form":
            seen.add(one.document.output)
            yield one, in_english(one)


def words(zone: Plain) -> Iterator[str]:
    if isinstance(zone, str):
        yield "".join(zone.replace("**", "").split())
    for inner in zone.values() if isinstance(zone, dict) else zone if isinstance(zone, list) else ():
        yield from words(inner)


@pytest.mark.parametrize(("procedure", "count"), [("e-visa", 3), ("carte-de-sejour", 4), ("passeport-ordinaire", 3)])
def test_it_says_the_same_in_french_and_in_english_on_one_page(procedure: str, count: int) -> None:
    found = list(received(procedure))
    assert len(found) == count
    for one, document in found:
        pdf = document_pdf(document, one.procedure, one.dossier.number, "", "https://guichet.tg/v", the_words(), "en")
        paper = dict(document.paper or {})
        [courtesy] = paper["courtesy"]  # type: ignore[misc]
        assert (paper["lang"], courtesy["lang"]) == ("fr", "en")  # type: ignore[index, call-overload]
        assert document.title == courtesy["title"]  # type: ignore[index, call-overload]
        pages = [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]
        assert len(pages) == 1, one.name
        assert b"<pdfuaid:part>1<" in pdf, one.name
        read = "".join(pages[0].split()).casefold()
        # the heading is on paper in the first language; pages show the other
        for said in words([paper["operative"], {**courtesy, "lang": "", "heading": ""}]):  # type: ignore[dict-item]
            assert said.casefold() in read, (one.name, said)


def test_a_french_speaker_receives_a_bilingual_visa_and_a_letter_in_french() -> None:
    made = {one.document.output: one.document.paper or {} for one, _ in received("e-visa")}
    assert "authorises" in str(made["visa"]["courtesy"])
    assert "courtesy" not in made["lettre_refus"]
    assert "courtesy" not in made["lettre_maintien"]
