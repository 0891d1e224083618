"""What the shipped procedures abbreviate, they spell out where an applicant first meets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.values import Text
from engine.model import Field, Procedure
from tests.makers import the_procedure

FOLDER = Path(__file__).resolve().parent.parent / "procedures"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ABBREVIATION = re.compile(r"\b(?:[A-Z]{2,}|TdE)\b")
SPELLED = {
    "CEDEAO": "Communauté économique", "CEET": "électricité", "CFE": "formalités des entreprises", "CNSS": "sécurité sociale",
    "DGDN": "documentation nationale", "NIF": "identification fiscale|numéro fiscal", "NIU": "identification unique",
    "ONAT": "ordre des architectes", "OTR": "Office togolais des recettes", "RCCM": "registre du commerce", "SA": "société anonyme",
    "SARL": "responsabilité limitée", "SAS": "actions simplifiée", "SNCJA": "casier judiciaire", "TdE": "Togolaise des Eaux",
}  # fmt: skip
KNOWN = {"BAC", "II", "BP", "ONG", "SMS", "PDF", "QR", "III", "VI"}  # said by everybody, or no abbreviation


def french(text: Text | None) -> str:
    return text.in_("fr") if text is not None else ""


def asked(field: Field) -> str:
    options = (f"{french(one.label)} {french(one.help)}" for one in field.options)
    return " ".join((french(field.label), french(field.help), *options))


def met(book: Procedure) -> Iterator[str]:
    """What an applicant reads, in order: the sheet's head, the questions before, the questions."""
    yield f"{french(book.identity.title)} {french(book.identity.summary)}"
    for one in book.eligibility:
        yield f"{asked(one.field)} {french(one.because)}"
    for page in book.form.pages:
        yield french(page.title)
        yield from (asked(field) for field in page.fields)


@pytest.mark.parametrize("name", NAMES)
def test_an_abbreviation_is_spelled_out_where_it_is_first_met(name: str) -> None:
    seen: set[str] = set(KNOWN)
    for text in met(the_procedure(name)):
        for short in dict.fromkeys(ABBREVIATION.findall(text)):
            if short not in seen:
                assert re.search(SPELLED.get(short, "(?!)"), text, re.IGNORECASE), f"{short} in: {text}"
                seen.add(short)
