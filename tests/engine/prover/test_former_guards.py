"""Conditions of a path that no longer hold, and corrections that ask for more: what P4 leaves alone."""

from __future__ import annotations

import pytest

pytest.importorskip("z3")

from engine.prover.checks.runner import prove
from engine.prover.solver.inputs import FORMER
from tests.makers import TODAY, a_procedure, the_directory

FILE = """
delay: 60 working days
form:
  demande:
    title: Demande
    fields:
      nom: {label: Nom, example: AMEGAN}
      surface: {label: Surface, type: integer, maximum: 1000, example: 50}
opinions: {avis: {label: Avis, due: 9 days, when: surface > 100, of: {feu: {label: Feu, by: urbaniste}}}}
workflow:
  start: consultation
  states:
    consultation: {label: Consultation, gather: [avis], then: examen}
    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        accorder: {label: Accorder, to: accorde}
        classer: {label: Classer, to: classe}
        corriger: {label: Corriger, to: a_corriger, asks: [correction, reason]}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: classe}
    accorde: {label: Accordé, end: granted, issues: permis}
    classe: {label: Classé, end: abandoned}
outputs:
  permis: {title: Permis, kind: decision, signed_by: maire, operative: Le permis est accordé.}
legal_basis:
  loi: {title: Une loi, status: sourced, source: JO, article: 1, checked: 2026-03-01}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""


@pytest.mark.parametrize(("before", "after", "codes"), [
    ("", "", ["P4"]),
    ("reason]}", "reason], correctable: [nom]}", []),
    ("then: examen, late", "then: consultation, late", []),
    ("accorder: {label: Accorder, to: accorde}", "accorder: {label: Accorder, when: done(avis) or surface <= 100, to: accorde}", []),
    ("accorder: {label: Accorder, to: accorde}", "accorder: {label: Accorder, when: done(avis) or nom == 'A', to: accorde}", ["P4"]),
    ("to: accorde}", "to: accorde, without: [avis]}", []),
])  # fmt: skip
def test_what_a_correction_makes_necessary_is_asked_again_or_excluded(
    before: str, after: str, codes: list[str]
) -> None:
    found = prove(a_procedure(FILE.replace(before, after, 1) if before else FILE), the_directory(), TODAY)
    assert [one.code for one in found] == codes
    assert not any(FORMER in str(one.facts) for one in found)
