"""Definitions that were proved although a file that is played breaks the promise: refusals, appeals, time limits, documents made again."""

from __future__ import annotations

import pytest

pytest.importorskip("z3")

from engine.language.lint.linter import lint
from engine.prover.checks.runner import prove
from tests.makers import TODAY, a_procedure, the_directory

FORM = """
form: {tout: {title: Tout, fields: {nom: {label: Nom, example: A}, vif: {label: Vif, type: yes_no, example: true}}}}
"""
REST = """
outputs:
  permis: {title: Permis, kind: decision, signed_by: maire, operative: %s}
  lettre: {title: Lettre, kind: letter, operative: La demande est refusée., %s}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""
CODES = ("C565", "C571", "C564", "P3", "P4", "P5", "P8", "P9", "P10")


def found(body: str, permit: str = "Accordé.", letter: str = "signed_by: maire", delay: str = "90 days") -> list[str]:
    procedure = a_procedure(f"delay: {delay}\n{FORM}{body}{REST % (permit, letter)}")
    problems = [*lint(procedure, the_directory()), *prove(procedure, the_directory(), TODAY)]
    return [
        " ".join(filter(None, (one.code, str(one.facts.get("fault") or "")))) for one in problems if one.code in CODES
    ]


REFUSED = """
appeals: {gracieux: {label: Recours, within: 2 months, act: contester}}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        accorder: {label: Accorder, to: accorde, issues: permis}
        refuser: {label: Refuser, to: notification%s}
    notification: {label: Notification, wait: 5 days, then: refuse}
    accorde: {label: Accordé, end: granted}
    refuse: {label: Refusé, end: refused%s%s}
"""
OPEN = ", transitions: {contester: {label: C, by: %s, within: %s, to: examen%s}}"
CONTEST = OPEN % ("applicant", "2 months", "")


@pytest.mark.parametrize(("act", "end", "contest", "letter", "told"), [
    (", issues: lettre", "", CONTEST, "signed_by: maire", ["C565"]),  # the letter goes before the end
    (", issues: lettre, asks: [reason]", "", CONTEST, "signed_by: maire", ["C565 unprinted"]),
    (", issues: lettre, asks: [reason]", "", CONTEST, "signed_by: maire, reason_of: refuser", []),
    ("", ", issues: lettre", CONTEST, "sealed_by: agency", ["C565 unprinted"]),  # the time of the notice issues it
    (", asks: [reason]", ", issues: lettre", CONTEST, "sealed_by: agency", ["C565 unprinted"]),
    (", asks: [reason]", ", issues: lettre", CONTEST, "sealed_by: agency, reason_of: refuser", []),
    (", issues: lettre, asks: [reason]", "", OPEN % ("maire", "2 months", ""), "signed_by: maire, reason_of: refuser",
     ["C571 another"]),
    (", issues: lettre, asks: [reason]", "", OPEN % ("applicant", "1 month", ""), "signed_by: maire, reason_of: refuser",
     ["C571 short"]),
    (", issues: lettre, asks: [reason]", "", OPEN % ("applicant", "2 months", ", when: vif"),
     "signed_by: maire, reason_of: refuser", ["P5 appeal"]),
    (", issues: lettre, asks: [reason], when: vif", "", OPEN % ("applicant", "2 months", ", when: vif"),
     "signed_by: maire, reason_of: refuser", ["P5 appeal"]),  # the wait between knows no condition
])  # fmt: skip
def test_a_refusal_that_is_notified_before_its_end_has_its_reason_and_its_appeal(
    act: str, end: str, contest: str, letter: str, told: list[str]
) -> None:
    assert found(REFUSED % (act, end, contest), letter=letter) == told


IN_FORCE = """
workflow:
  start: depot
  states:
    depot: {label: D, by: urbaniste, due: 5 days, transitions: {recevoir: {label: R, to: examen%s}}}
    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        accorder: {label: Accorder, to: en_vigueur, issues: permis}
        refuser: {label: Refuser, to: refuse, asks: [reason]%s}
    en_vigueur: {label: V, by: maire, due: 1 year, late: fini, transitions: {finir: {label: F, to: fini}}}
    fini: {label: Fini, end: expired}
    refuse: {label: Refusé, end: refused}
"""


@pytest.mark.parametrize(
    ("receipt", "letter", "told"), [(", issues: lettre", "", ["C564"]), ("", ", issues: lettre", [])]
)
def test_a_receipt_is_no_letter_of_refusal_where_a_permit_in_force_follows(
    receipt: str, letter: str, told: list[str]
) -> None:
    signs = "signed_by: urbaniste" if receipt else "signed_by: maire"
    assert found(IN_FORCE % (receipt, letter), letter=signs) == told


AGAIN = """
opinions: {avis: {label: Avis, due: 5 days, of: {feu: {label: Feu, by: urbaniste}}}}
workflow:
  start: consultation
  states:
    consultation: {label: K, gather: [avis], then: examen}
    examen: {label: E, by: maire, due: 5 days, transitions: {accorder: {label: A, to: en_vigueur, issues: permis}}}
    en_vigueur:
      label: V
      by: maire
      due: 3 years
      late: fini
      transitions: {renouveler: {label: R, to: %s, reopens: [avis]}}
    nouvel_avis: {label: K, gather: [avis], then: renouvellement}
    renouvellement: {label: R, by: maire, due: 5 days, transitions: {prolonger: {label: P, to: fini, issues: permis}}}
    fini: {label: F, end: granted}
"""


@pytest.mark.parametrize(("to", "permit", "told"), [
    ("renouvellement", "Accordé., valid: 1 year", ["P4"]),
    ("renouvellement", "Accordé.", []),  # it is still valid: no second one is made
    ("nouvel_avis", "Accordé., valid: 1 year", []),
])  # fmt: skip
def test_a_permit_that_expired_is_made_again_with_the_steps_asked_again(to: str, permit: str, told: list[str]) -> None:
    assert [one for one in found(AGAIN % to, permit) if one == "P4"] == told


SILENCE = """
workflow:
  start: examen
  clocks: {silence: {label: S, lasts: 5 days, runs_in: [examen]%s}}
  states:
    examen: {label: E, by: maire, %stransitions: {accorder: {label: A, to: accorde, issues: permis%s}}}
    accorde: {label: F, end: granted}
    fini: {label: F, end: expired}
  transitions:
    autre: {from: examen, event: %s, %sto: fini}
"""


@pytest.mark.parametrize(("holes", "delay", "told"), [
    (("", "", ", when: vif", "silence", "when: vif, "), "90 days", ["P5 closed"]),
    (("", "", ", when: vif", "silence", ""), "90 days", []),
    (("", "due: 100 days, ", "", "silence", "when: vif, "), "8 working days", ["P10"]),
    (("", "due: 100 days, ", "", "silence", ""), "8 working days", []),
])  # fmt: skip
def test_a_time_limit_that_leads_on_for_some_answers_only_is_none(
    holes: tuple[str, ...], delay: str, told: list[str]
) -> None:
    assert found(SILENCE % holes, delay=delay) == told


PAID = """
fees: {taxe: {label: Taxe, amount: 1000}}
workflow:
  start: paiement
  states:
    paiement: {label: P, pay: taxe, due: 9 days, late: fini, then: examen}
    examen: {label: E, by: maire, due: 5 days, transitions: {accorder: {label: A, to: accorde, issues: permis%s}}}
    accorde: {label: F, end: granted}
    fini: {label: F, end: expired}
  transitions: {paye: {from: examen, event: taxe, to: accorde}}
"""


@pytest.mark.parametrize(("when", "told"), [(", when: vif", ["P5 closed"]), ("", [])])
def test_a_payment_that_was_made_before_does_not_lead_on(when: str, told: list[str]) -> None:
    assert found(PAID % when, letter="sealed_by: agency") == told


LINKED = """
links: {urba: {label: U, relation: needs, procedure: essai%s}}
workflow:
  start: attente
  states:
    attente: {label: A, await: urba, due: 9 days, late: fini, then: examen}
    examen:
      label: E
      by: maire
      transitions:
        accorder: {label: A, to: accorde, issues: permis, when: urba == 'granted'}
        clore: {label: C, to: fini, when: urba != 'granted'}
    accorde: {label: F, end: granted}
    fini: {label: F, end: abandoned}
"""


@pytest.mark.parametrize(("required", "permit", "told"), [
    (", required: false", "Accordé.", ["P5 closed"]),
    (", required: vif", "Accordé.", ["P5 closed"]),
    ("", "Accordé.", []),
    ("", "'Accordé : {urba}.'", []),
])  # fmt: skip
def test_an_earlier_request_that_was_not_named_has_no_outcome(required: str, permit: str, told: list[str]) -> None:
    assert [one for one in found(LINKED % required, permit) if one != "C508"] == told


def test_the_outcome_of_an_earlier_request_that_was_not_named_is_not_printed() -> None:
    body = (
        (LINKED % ", required: false").replace(", when: urba == 'granted'", "").replace(", when: urba != 'granted'", "")
    )
    assert "P8 hole" in found(body, "'Accordé : {urba}.'")


PENALTY = """
fees: {taxe: {label: Taxe, amount: 1000}, penalite: {label: Pénalité, amount: 500, when: taken(demeure) > 0}}
workflow:
  start: paiement
  states:
    paiement: {label: P, pay: [taxe, penalite], due: 9 days, late: fini, then: examen}
    examen:
      label: E
      by: maire
      due: 5 days
      transitions:
        accorder: {label: A, to: accorde, issues: permis}
        demeure: {label: D, to: %s}
    accorde: {label: F, end: granted}
    fini: {label: F, end: expired}
"""


@pytest.mark.parametrize(("to", "told"), [("examen", ["P4"]), ("paiement", [])])
def test_a_fee_that_an_act_makes_due_is_asked_after_it(to: str, told: list[str]) -> None:
    assert found(PENALTY % to, letter="sealed_by: agency") == told


@pytest.mark.parametrize(("late", "told"), [
    ("due: 9 days, late: fini, ", []), ("", ["P3 endless"]), ("due: 9 days, ", ["P3 no_late"]),
])  # fmt: skip
def test_the_end_of_an_earlier_request_is_not_awaited_for_ever(late: str, told: list[str]) -> None:
    """That request may be a permit in force, which nothing ends."""
    body = LINKED.replace("due: 9 days, late: fini, ", late).replace(", when: urba == 'granted'", "")
    body = body.replace(", when: urba != 'granted'", "")
    assert found(body % "", letter="sealed_by: agency") == told


ASKED = """
look_ups: {nom_libre: {label: R, register: noms_commerciaux, with: [nom]%s}}
workflow:
  start: examen
  states:
    examen: {label: E, by: maire, due: 5 working days, transitions: {lire: {label: L, to: registre}}}
    registre: {label: R, look_up: nom_libre, then: decision}
    decision: {label: D, by: maire, due: 1 working day, transitions: {accorder: {label: A, to: accorde, issues: permis}}}
    accorde: {label: F, end: granted}
"""


@pytest.mark.parametrize(("due", "told"), [("", ["P10"]), (", due: 1 minute", ["P10"])])
def test_a_register_without_a_time_takes_one_day(due: str, told: list[str]) -> None:
    """The announced delay is that of the two states of agents."""
    assert [one for one in found(ASKED % due, delay="6 working days") if one == "P10"] == told
    assert [one for one in found(ASKED % due, delay="7 working days") if one == "P10"] == []


TYPED = """
workflow:
  start: %s
  states:
    attente: {label: A, wait: %s, then: decision}
    decision: {label: D, by: maire, due: %s, transitions: {accorder: {label: A, to: accorde, issues: permis}}}
    accorde: {label: F, wait: jour, then: fini}
    fini: {label: Fini, end: granted}
"""
DATES = FORM.replace("vif:", "jour: {label: J, type: date, example: 2027-03-01}, vif:")


@pytest.mark.parametrize(("start", "wait", "due", "told"), [
    ("attente", "jour", "1 day", ["attente"]),
    ("attente", "3 days", "jour - days(2)", ["decision"]),
    ("attente", "submitted_on + days(9) if vif else jour", "1 day", ["attente"]),
    ("attente", "submitted_on + days(9)", "today + days(3)", []),
    ("decision", "jour", "1 day", []),  # before no grant
])  # fmt: skip
def test_a_time_that_ends_at_a_typed_date_is_named(start: str, wait: str, due: str, told: list[str]) -> None:
    """The announced delay does not count it: the permit that ends at such a date is issued before."""
    body = TYPED % (start, wait, due)
    procedure = a_procedure(f"delay: 90 days\n{DATES}{body}{REST % ('Accordé.', 'signed_by: maire')}")
    problems = prove(procedure, the_directory(), TODAY)
    assert [one.facts["at"] for one in problems if one.code == "V790"] == told


VISITED = """
appointments: {visite: {label: Visite, by: urbaniste, lasts: 30 minutes, lead: %s, horizon: 90 days%s}}
workflow:
  start: a_venir
  states:
    a_venir: {label: V, attend: visite, due: 20 days, then: examen, late: fini, missed: fini}
    examen: {label: E, by: maire, due: 3 working days, transitions: {accorder: {label: A, to: accorde, issues: permis}, refuser: {label: R, asks: [reason], to: refuse}}}
    accorde: {label: Accordé, end: granted}
    refuse: {label: Refusé, end: refused, issues: lettre}
    fini: {label: Fini, end: abandoned}
"""


@pytest.mark.parametrize(("lead", "when", "told"), [
    ("15 days", "", ["P10"]),
    ("2 weeks", "", []),
    ("15 days", ", when: vif", []),  # not asked of all: left out
])  # fmt: skip
def test_no_grant_comes_before_the_first_slot(lead: str, when: str, told: list[str]) -> None:
    assert [one for one in found(VISITED % (lead, when), delay="10 working days") if one == "P10"] == told


PRICED = """
fees:
  taxe:
    label: Taxe%s
    lines: {petit: {label: P, amount: 500, when: %s}, grand: {label: G, amount: 900, when: %s}}
workflow:
  start: a_payer
  states:
    a_payer: {label: P, pay: taxe, due: 5 days, then: examen, late: fini}
    examen: {label: E, by: maire, due: 3 days, transitions: {accorder: {label: A, to: accorde, issues: permis}, refuser: {label: R, asks: [reason], to: refuse}}}
    accorde: {label: Accordé, end: granted}
    refuse: {label: Refusé, end: refused, issues: lettre}
    fini: {label: Fini, end: abandoned}
"""


@pytest.mark.parametrize(("extra", "small", "large", "told"), [
    ("", "nombre < 18", "nombre > 18", ["P7 case"]),
    ("", "nombre < 18", "nombre >= 18", []),
    ("", "nombre > 3", "nombre > 18", []),  # two that may be owed together are no cases of one price
    (", exempt_when: nombre == 18", "nombre < 18", "nombre > 18", []),
    (", when: nombre != 18", "nombre < 18", "nombre > 18", []),
    (", at_least: 500", "nombre < 18", "nombre > 18", []),
])  # fmt: skip
def test_each_case_of_a_price_has_its_line(extra: str, small: str, large: str, told: list[str]) -> None:
    body = PRICED % (extra.replace(", ", "\n    ", 1), small, large)
    text = f"delay: 90 days\n{FORM.replace('vif: {', 'nombre: {label: N, type: integer, example: 3}, vif: {')}{body}"
    procedure = a_procedure(text + REST % ("Accordé.", "signed_by: maire"))
    problems = prove(procedure, the_directory(), TODAY)
    assert [f"{one.code} {one.facts.get('fault')}" for one in problems if one.code == "P7"] == told
