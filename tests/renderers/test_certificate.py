"""The papers people hold, read back from their PDF."""

from __future__ import annotations

from io import BytesIO

import pytest
from pypdf import PdfReader

from engine.values import group_number
from renderers.certificate import document_pdf, receipt_pdf
from renderers.words import load_words
from tests.engine.records.makers import a_document, a_payment
from tests.engine.rules.small_book import draft, passport

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


def test_a_receipt_says_the_payer_and_the_amount_as_people_do() -> None:
    payment = a_payment(payer="+22890000001", amount=30_000, status="paid")
    text = read(receipt_pdf(payment, draft(passport()), passport(), load_words(), "fr", "https://exemple.tg/d"))
    assert "90 00 00 01" in text
    assert "+228" not in text
    assert "Trente mille francs CFA" in text
