"""Fees that are given back, asked again or priced again before a grant: what the checker refuses, and what it leaves alone."""

from __future__ import annotations

import pytest

from engine.language.lint.linter import lint
from tests.makers import a_procedure, the_directory

FORM = """
form:
  tout:
    title: Tout
    fields:
      nom: {label: Nom, example: A}
      lots: {label: Lots, type: rows, maxItems: 3, row_label: Lot, fields: {usage: {label: Usage, example: A}}}
fees: {taxe: {label: Taxe, amount: %s}}
"""
REST = """
outputs:
  permis: {title: Permis, kind: decision, signed_by: maire, operative: Accordé.%s}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""
PAY = "    paiement: {label: P, pay: taxe, due: 9 days, late: fini, then: examen}\n"
END = "    fini: {label: Fini, end: expired}\n"


def found(body: str, amount: str = "1000", valid: str = "") -> list[str]:
    procedure = a_procedure(FORM % amount + body + REST % valid)
    problems = lint(procedure, the_directory())
    return [f"{one.code} {one.facts['name']}" for one in problems if one.code in ("C592", "C595", "C598")]


IN_FORCE = """
workflow:
  start: paiement
  states:
%s%s    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        accorder: {label: Accorder, to: en_vigueur, issues: permis}
        representer: {label: Représenter, to: complement, reopens: [taxe], returns: {taxe: 100}}
    complement: {label: C, by: urbaniste, due: 5 days, transitions: {completer: {label: C, to: %s}}}
    en_vigueur:
      label: V
      by: maire
      due: 1 year
      late: fini
      transitions:
        reprendre: {label: R, to: reprise, reopens: [taxe], returns: {taxe: 0}}
    reprise: {label: R, by: maire, due: 5 days, transitions: {finir: {label: F, to: en_vigueur, issues: permis}}}
"""


@pytest.mark.parametrize(("back", "valid", "told"), [
    ("examen", "", ["C595 representer"]),  # no end is granted: the permit is in force, then it ends
    ("paiement", "", []),  # the first permit is still valid, so no second one is issued
    ("paiement", ", valid: 1 year", ["C595 reprendre"]),
])  # fmt: skip
def test_a_document_is_a_grant_although_no_end_is(back: str, valid: str, told: list[str]) -> None:
    assert found(IN_FORCE % (PAY, END, back), valid=valid) == told


REFUSED = """
appeals: {gracieux: {label: Recours, within: 2 months, act: contester}}
workflow:
  start: paiement
  states:
%s%s    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        accorder: {label: Accorder, to: accorde, issues: permis%s}
        refuser: {label: Refuser, to: notification, asks: [reason]%s}
    notification: {label: Notification, wait: 5 days, then: refuse}
    accorde: {label: Accordé, end: granted}
    refuse: {label: R, end: refused, transitions: {contester: {label: C, by: applicant, within: 2 months, to: %s}}}
    repayer: {label: R, by: maire, due: 1 day, transitions: {redemander: {label: R, to: paiement, reopens: [taxe], returns: [taxe]}}}
"""


@pytest.mark.parametrize(("granted", "refused", "to", "told"), [
    ("", ", returns: [taxe]", "examen", ["C592 contester"]),  # given back before the end, not by it
    ("", ", returns: [taxe]", "repayer", []),
    (", returns: {taxe: 50}", "", "examen", []),  # a part is given back to those who have the permit
])  # fmt: skip
def test_a_fee_given_back_before_a_refused_end_is_asked_again(
    granted: str, refused: str, to: str, told: list[str]
) -> None:
    assert found(REFUSED % (PAY, END, granted, refused, to)) == told


PRICED = """
%sworkflow:
  start: mesure
  states:
    mesure: {label: M, %s, then: paiement}
%s%s    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        accorder: {label: Accorder, to: accorde, issues: permis}
        revoir: {label: Revoir, %s}
%s    accorde: {label: Accordé, end: granted}
"""
REGISTER = "look_ups: {etat: {label: Registre, register: noms_commerciaux, with: [nom]}}\n"
ROUND = "opinions: {avis: {label: Avis, due: 5 days, of: {feu: {label: Feu, by: urbaniste}}}}\n"
ROWS = "later_forms: {metre: {title: M, by: urbaniste, each: lots, due: 5 days, fields: {surface: {label: S, type: integer}}}}\n"
SECOND = "later_forms: {devis: {title: D, by: urbaniste, due: 5 days, fields: {cout: {label: C, type: money}}}}\n"
CORRECT = "    a_corriger: {label: C, correct: requested, due: 9 days, late: fini, then: mesure}\n"


@pytest.mark.parametrize(("tasks", "waits", "act", "more", "amount", "told"), [
    (REGISTER, "look_up: etat", "to: mesure", "", "1000 if etat == 'found' else 9000", ["C598 revoir"]),
    (REGISTER, "look_up: etat", "to: examen", "", "1000 if etat == 'found' else 9000", []),
    (ROUND, "gather: [avis]", "to: mesure, reopens: [feu]", "", "1000 if feu == 'favourable' else 9000", ["C598 revoir"]),
    (ROUND, "gather: [avis]", "to: mesure, reopens: [feu]", "", "1000", []),
    (ROWS, "gather: [metre]", "to: a_corriger, asks: [correction, reason]", CORRECT, "1000 * sum(lots, surface)",
     ["C598 revoir"]),
    (ROWS, "gather: [metre]", "to: a_corriger, asks: [correction, reason], correctable: [nom]", CORRECT,
     "1000 * sum(lots, surface)", []),
    (SECOND, "wait: 1 day", "to: estimation", "    estimation: {label: E, gather: [devis], due: 9 days, then: examen}\n",
     "1000 + otherwise(cout, 0)", ["C598 estimation.then"]),  # first given once the price was paid
])  # fmt: skip
def test_a_price_is_not_decided_again_once_it_was_paid(
    tasks: str, waits: str, act: str, more: str, amount: str, told: list[str]
) -> None:
    assert found(PRICED % (tasks, waits, PAY, END, act, more), f'"{amount}"') == told


SEVERAL = """
fees:
  taxe: {label: Taxe, amount: "%s", methods: [%s]%s}
  timbre: {label: Timbre, amount: 500, methods: [cash, card]}
  sceau: {label: Sceau, amount: "otherwise(age, 1) * 9", methods: [cash, mobile_money]}
form: {tout: {title: Tout, fields: {nom: {label: Nom, example: A}, age: {label: Âge, type: integer, example: 9}}}}
workflow:
  start: paiement
  states:
    paiement: {label: P, pay: [%s], due: 9 days, late: fini, then: suite}
    suite: {label: S, pay: [%s], due: 9 days, late: fini, then: examen}
    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        accorder: {label: Accorder, to: accorde, issues: permis}
        revoir: {label: Revoir, to: a_corriger, asks: [correction, reason], correctable: [%s]}
    a_corriger: {label: C, correct: requested, due: 9 days, late: fini, then: examen}
    accorde: {label: Accordé, end: granted}
    fini: {label: Fini, end: expired}
"""
PARTS = ", instalments: {most: 3, every: 1 month, opens: %s}"


@pytest.mark.parametrize(("amount", "methods", "more", "first", "then", "corrected", "told"), [
    ("900", "mobile_money", "", "taxe, timbre", "sceau", "nom", ["paiement taxe, timbre"]),
    ("900", "mobile_money, card", "", "taxe, timbre", "sceau", "nom", []),
    ("900", "mobile_money, card", "", "taxe, timbre, sceau", "", "nom", ["paiement taxe, timbre, sceau"]),
    ("900", "mobile_money", "", "taxe, sceau", "timbre", "nom", []),  # the first two are paid whole before the third
    ("900", "mobile_money", PARTS % "last", "taxe, sceau", "timbre", "nom", []),
    ("900", "mobile_money", PARTS % "first", "taxe, sceau", "timbre", "nom", ["suite timbre, taxe"]),
    ("900", "card", "", "taxe", "sceau", "age", []),
    ("age * 9", "card", "", "taxe", "sceau", "nom", []),
    ("age * 9", "card", "", "taxe", "sceau", "age", ["a_corriger taxe, sceau"]),  # one correction raises both
])  # fmt: skip
def test_fees_that_are_due_together_have_a_method_in_common(
    amount: str, methods: str, more: str, first: str, then: str, corrected: str, told: list[str]
) -> None:
    text = SEVERAL % (amount, methods, more, first, then, corrected)
    problems = lint(a_procedure(text + REST % ""), the_directory())
    assert [f"{one.facts['state']} {one.facts['fees']}" for one in problems if one.code == "C599"] == told
