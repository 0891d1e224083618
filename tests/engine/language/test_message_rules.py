"""Free text of an applicant in messages: what opens a message or reaches an address nobody proved is refused, the rest is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.language.catalogue.catalogue import check_definition
from engine.language.lint.message_rules import unit_written_twice
from engine.model.directory import Directory
from tests.engine.language.building import compiled
from tests.makers import the_shared

ROOT = Path(__file__).resolve().parents[3]
SHARED = the_shared()
BASE = (ROOT / "tests" / "bad" / "N311_answer_opens_an_sms.yaml").read_text("utf-8")
NOTICE = "accorde: {sms: '{nom} : votre attestation est prête, dossier {dossier}.'}"
TYPED = "nom: {label: Votre nom, example: AMEGAN}"
CHOSEN = "nom: {label: Motif, type: choice, options: {vol: Vol, perte: Perte}"

CASES = {
    "fixed words first": ([(NOTICE, "accorde: {sms: 'Attestation de {nom} : dossier {dossier}.'}")], set()),
    "signs are no words": ([("'{nom} :", "'« {nom} » :")], {"N311"}),
    "the subject of a mail": (
        [(NOTICE, "accorde: {email: {subject: '{nom} : prêt', body: 'Dossier {dossier} : prêt.'}}")], {"N311"},
    ),
    "the body of a mail to the applicant": (
        [(NOTICE, "accorde: {email: {subject: Prêt, body: '{nom}, votre attestation est prête.'}}")], set(),
    ),
    "an option is the book's": ([(TYPED, f"{CHOSEN}}}")], set()),
    "the detail of another option is not": ([(TYPED, f"{CHOSEN}, other: true}}")], {"N311"}),
    "what is computed of it": ([(TYPED, f"{TYPED}\n      affiche: {{label: Affiché, value: nom}}"), ("'{nom} :", "'{affiche} :")], {"N311"}),
    "a number computed of it": (
        [(TYPED, f"{TYPED}\n      signes: {{label: Signes, value: length(nom)}}"), ("'{nom} :", "'{signes} :")], set(),
    ),
    "a reason that the applicant is never asked": ([("'{nom} :", "'{reason} :")], set()),
    "to a role, which reads the answers": (
        [(NOTICE, "accorde: {to: instructeur, inbox: 'Attestation de {nom}.'}")], set(),
    ),
    "to an answer": ([(NOTICE, "accorde: {to: telephone, sms: 'Attestation de {nom}, prête.'}")], {"N312"}),
    "to an answer, without free text": ([(NOTICE, "accorde: {to: telephone, sms: 'Attestation {dossier} : prête.'}")], set()),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_free_text(case: str) -> None:
    changes, expected = CASES[case]
    text = BASE
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    found = check_definition(text.encode(), "exemple.yaml", SHARED)
    assert {one.code for one in found.report if one.code[0] in "YSNE"} == expected, found.report


def test_no_shipped_procedure_says_an_applicants_words_first() -> None:
    files = sorted((ROOT / "procedures").glob("*.yaml"))
    reports = [check_definition(path.read_bytes(), path.name, SHARED).report for path in files]
    assert len(reports) > 10
    assert not {one.code for report in reports for one in report} & {"N311", "N312"}


UNITS = """
form:
  p:
    title: P
    fields:
      surface: {label: Surface, type: integer, unit: m}
      part: {label: Part, type: percent}
      apport: {label: Apport, type: money}
      nombre: {label: Nombre, type: integer}
"""


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("{surface} m", "m"),
        ("{surface}m, puis", "m"),
        ("{part} %", "%"),
        ("{apport} FCFA", "FCFA"),
        ("{apport} F pour {nombre} m", "F"),
        ("{surface} mètres", None),
        ("{surface}, m", None),
        ("{nombre} m", None),
        ("{apport} par {part}", None),
    ],
)
def test_a_unit_is_written_once(text: str, unit: str | None) -> None:
    """Advice with the place of the passage, and the placeholder alone as what to write."""
    procedure = compiled(f"dossier_label: '{text}'\n{UNITS}")
    found = list(unit_written_twice(procedure, Directory()))
    assert [(one.facts["unit"], one.where.column, one.facts["put"]) for one in found] == (
        [(unit, 17, text[: text.index("}") + 1])] if unit else []
    )
