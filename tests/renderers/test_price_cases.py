"""What a price may be, case by case, as the public sheet says it."""

from __future__ import annotations

import pytest

from renderers.procedure.prices import price_cases
from tests.makers import a_procedure

BOOK = a_procedure("""
form:
  demande:
    title: Votre demande
    fields:
      profil: {label: Vous êtes, type: choice, options: {eleve: Élève, employeur: Employeur}}
      duree:
        label: Durée
        type: choice
        options: {un_an: 1 an, trois_ans: {label: 3 ans, when: profil == 'employeur', because: Pour un employeur}}
      surface: {label: Surface, type: integer, example: 10}
tables:
  tarif: {by: [profil, duree], rows: {eleve: {un_an: 1000, trois_ans: null}, employeur: {un_an: 5000, trois_ans: 12000}}}
  tranche: {by: [{from: integer}], rows: {0: 500, 100: 900}}
fees:
  fixe: {label: Fixe, amount: 2500}
  grille: {label: Grille, amount: 'tarif(profil, duree)'}
  par_tranche: {label: Par tranche, amount: tranche(surface)}
  calcul: {label: Calculé, amount: 100 * surface}
workflow:
  start: a_payer
  states:
    a_payer: {label: À payer, pay: [fixe, grille, par_tranche, calcul], due: 5 days, then: accorde, late: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
scenarios:
  simple: {story: Une demande, steps: [{wait: 6 days, then: classe}]}
""")


@pytest.mark.parametrize(
    ("fee", "cases"),
    [
        ("fixe", (("", 2500),)),
        ("grille", (("Élève, 1 an", 1000), ("Employeur, 1 an", 5000), ("Employeur, 3 ans", 12000))),
        ("par_tranche", ()),
        ("calcul", ()),
    ],
)
def test_each_case_of_a_price_is_said(fee: str, cases: tuple[tuple[str, int], ...]) -> None:
    line = next(line for one in BOOK.fees() if one.id == fee for line in one.lines)
    assert price_cases(line.amount, BOOK, "fr") == cases
