"""The papers people hold, read back from their PDF."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from engine.core.values import group_number
from engine.domain.forms.pages import view_form
from renderers.i18n.translations import load_words
from renderers.pdf.documents import document_pdf, receipt_pdf, summary_pdf
from tests.engine.domain.documents.story_papers import shipped, told
from tests.engine.domain.small_procedure import draft, passport
from tests.engine.records.makers import NOON, a_document, a_payment

NUMBER = "26482911374"


def read(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


@pytest.mark.parametrize(
    ("output", "said", "unsaid"),
    [
        ("passeport", "Titulaire", "certifie"),
        ("lettre", "Demandeur", "certifie"),
        ("formulaire", "imprimez ce formulaire", "certifie"),
    ],
)
def test_a_paper_that_shows_nothing_still_names_its_holder_and_dossier(output: str, said: str, unsaid: str) -> None:
    document = a_document(output=output, content=(), code="123456789012", holder="AMEGAN Afi")
    text = read(document_pdf(document, passport(), NUMBER, "La Ville", "https://exemple.tg/v", load_words(), "fr"))
    assert "AMEGAN Afi" in text
    assert group_number(NUMBER) in text
    assert said in text
    assert unsaid not in text


LETTERS = "ɖ ɛ ɣ ɩ ŋ ɔ ʋ ʊ ƒ Ɖ Ɛ Ɣ Ɩ Ŋ Ɔ Ʋ Ʊ Ƒ ɛ́ ɔ̀ ŋ́ ʊ̂ ɩ́ ẽ ɔ̃"


@pytest.mark.parametrize(("holder", "whole"), [(LETTERS, True), ("Kabɩyɛ tɔm, Eʋegbe", True), ("王 Anna", False)])
def test_a_name_is_written_with_its_letters_or_the_paper_still_comes(holder: str, whole: bool) -> None:
    """The standard refuses a sign that no font of ours has: a tagged paper says that each letter is drawn."""
    document = a_document(output="passeport", content=(), code="123456789012", holder=holder)
    pdf = document_pdf(document, passport(), NUMBER, "La Ville", "https://exemple.tg/v", load_words(), "fr")
    assert (b"pdfuaid:part" in pdf) is whole
    assert group_number(NUMBER) in read(pdf)


def test_a_receipt_says_the_payer_and_the_amount_as_people_do() -> None:
    payment = a_payment(payer="+22890000001", amount=30_000, status="paid")
    text = read(receipt_pdf(payment, draft(passport()), passport(), load_words(), "fr", "https://exemple.tg/v", "abc"))
    assert "90 00 00 01" in text
    assert "+228" not in text
    assert "Trente mille francs CFA" in text
    assert "Prix en tout" not in text, "the price was asked again since: it is not zero"


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"status": "revoked"}, "RETIRÉ LE 3 MAI 2027"),
        ({"status": "suspended"}, "SUSPENDU LE 3 MAI 2027"),
        ({"status": "replaced"}, "REMPLACÉ LE 3 MAI 2027"),
        ({"valid_until": date(2027, 5, 3)}, "EXPIRÉ LE 3 MAI 2027"),
    ],
    ids=["revoked", "suspended", "replaced", "expired"],
)
def test_a_paper_that_is_worth_nothing_says_so_across_the_page(changes: dict[str, Any], mark: str) -> None:
    given = {"output": "passeport", "content": (), "code": "123456789012", "holder": "AMEGAN Afi", **changes}
    document = a_document(**given, changed_at=datetime(2027, 5, 3, 9, tzinfo=UTC))
    words = (passport(), NUMBER, "La Ville", "https://exemple.tg/v", load_words(), "fr")
    pdf = document_pdf(document, *words, date(2027, 5, 4))
    assert mark in " ".join(read(pdf).replace("\u00a0", " ").split())
    assert b"pdfuaid:part" in pdf
    sound = document_pdf(replace(document, status="valid", valid_until=None), *words, date(2027, 5, 4))
    assert mark not in " ".join(read(sound).replace("\u00a0", " ").split())


@pytest.mark.parametrize(
    "syllables",
    ["\u0915\u094d" * 450, "\u0915" + "\u093f" * 900, "\u0915\u094d\u200d" * 450],
    ids=["joined", "vowels", "joiners"],
)
def test_a_syllable_without_end_is_cut_and_the_paper_still_comes(syllables: str) -> None:
    """typst panics at it, and a panic is no exception: the request would end without an answer."""
    document = a_document(output="passeport", content=(("nom", syllables),), code="123456789012", holder=syllables)
    pdf = document_pdf(document, passport(), NUMBER, "La Ville", "https://exemple.tg/v", load_words(), "fr")
    assert group_number(NUMBER) in read(pdf)


def test_a_summary_prints_the_noun_of_a_question() -> None:
    """« De quel acte s'agit-il ? » stood beside « Un acte de décès »."""
    procedure = shipped().procedures["copie-acte-etat-civil"]
    dossier = next(one for story, one in told(procedure.id) if story == "deces")
    view = view_form(procedure, dossier, NOON.date(), shipped().directory, load_words())
    text = read(summary_pdf(view, dossier, procedure, [], "https://exemple.tg", "La Ville", load_words(), "fr"))
    assert "?" not in text
    assert "Lien avec la personne" in text
