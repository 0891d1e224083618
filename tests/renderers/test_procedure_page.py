"""The public sheet: what is said of prices and of how long a document holds."""

from __future__ import annotations

from engine.definition.model import Procedure
from renderers.procedure_page import ProcedureSheet, SheetWriter
from tests.makers import TODAY, a_procedure, the_directory, the_words

TWO = """
form:
  demande:
    title: Demande
    fields:
      qui: {label: Le permis est pour, type: choice, options: {moi: Moi, etat: L'État}}
fees:
  taxe: {label: Taxe, amount: 5000, exempt_when: qui == 'etat'}
outputs:
  provisoire: {title: Permis provisoire, kind: permit, valid: 4 months}
  permis: {title: Permis, kind: permit, valid: LONG}
"""


def sheet(text: str) -> ProcedureSheet:
    procedure: Procedure = a_procedure(text)
    return SheetWriter(procedure, the_directory(), the_words(), "fr", TODAY).sheet()


def validity(text: str) -> list[tuple[str, ...]]:
    return [fact.lines for fact in sheet(text).facts if fact.label == "Validité"]


def test_documents_that_hold_as_long_are_said_once_else_each_by_its_name() -> None:
    assert validity(TWO.replace("LONG", "4 months")) == [("4 mois",)]
    assert validity(TWO.replace("LONG", "5 years")) == [("Permis provisoire\u00a0: 4 mois", "Permis\u00a0: 5 ans")]


def test_who_does_not_pay_is_said_beside_the_price() -> None:
    [line] = sheet(TWO.replace("LONG", "5 years")).fees
    assert "gratuit si" in line.when
    assert line.when.endswith("L'État)")
