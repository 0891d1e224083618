"""Circuits that look like one that never ends, or that nobody can leave, and do not."""

from __future__ import annotations

import pytest

pytest.importorskip("z3")

from engine.language.lint.linter import lint
from engine.prover.checks.runner import prove
from tests.makers import TODAY, a_procedure, the_directory

FORM = """
form:
  tout:
    title: Tout
    fields:
      motif: {label: Motif, type: choice, options: {perte: Perte, vol: Vol}}
      age_declare: {label: Âge, type: integer, maximum: 120, example: 30}
      naissance: {label: Naissance, type: date, maximum: today, example: 2009-01-01}
fees: {taxe: {label: Taxe, amount: 100}}
later_forms:
  controle: {title: Contrôle, by: maire, fields: {conforme: {label: Conforme, type: yes_no}}}
"""
ENDS = """
    fini: {label: Fini, end: granted}
    non: {label: Non, end: refused}
legal_basis:
  loi: {title: Une loi, status: sourced, source: JO}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""
A, B = (
    "    a: {label: A, pay: taxe, due: 5 days, late: non, then: [%s]}\n",
    "    b: {label: B, pay: taxe, due: 5 days, %s}\n",
)
ACT = """    a:
      label: A
      by: maire
      due: 5 days
      transitions:
        oui: {label: Oui, to: fini%s}
        refuser: {label: Non, to: non%s}
"""
ROUND = A % "{when: motif == 'perte', to: fini}, {to: b}"


def found(states: str) -> list[str]:
    procedure = a_procedure(f"{FORM}workflow:\n  start: a\n  states:\n{states}{ENDS}")
    told = [*lint(procedure, the_directory()), *prove(procedure, the_directory(), TODAY)]
    return [f"{one.code} {one.facts.get('fault')}" for one in told if one.code in ("P2", "P3", "P5", "P9")]


@pytest.mark.parametrize(("states", "told"), [
    (ROUND + B % "late: non, then: a", ["P2 round"]),
    (ROUND + "    b: {label: B, by: maire, due: 5 days, transitions: {revoir: {label: R, to: a}, clore: {label: N, to: non}}}\n", []),
    (ROUND + B % "late: non, then: [{when: motif == 'vol', to: non}, {to: a}]", []),
    ("    a: {label: A, wait: 1 day, then: [{when: age(naissance) >= 18, to: fini}, {when: motif == 'vol', to: non}, {to: a}]}\n", []),
    ("    a: {label: A, wait: 1 day, then: [{when: done(taxe), to: fini}, {when: motif == 'vol', to: non}, {to: a}]}\n", []),
    (ACT % (", within: 5 days", ", within: 5 days"), ["P3 shut_in_time"]),
    (ACT % (", within: 5 days", ""), []),
    (ACT % (", within: 5 days", ", within: 5 days") + "        retirer: {label: Retirer, by: applicant, to: non}\n",
     ["P3 shut_in_time"]),  # a withdrawal is no way out
    ((ACT % (", within: 5 days", ", within: 5 days")).replace("due: 5 days", "due: 5 days\n      late: non"), []),
    (ACT % (", within: 5 days", ", when: motif == 'vol'"), ["P5 closed"]),
    (ACT % (", fills: controle, when: conforme", ", fills: controle, when: not conforme"), []),
    (ACT % (", fills: controle, when: conforme and age_declare > 9", ", fills: controle, when: not conforme"), []),
    (ACT % (", fills: controle, when: conforme and age_declare > 9",
            ", fills: controle, when: not (conforme or age_declare <= 9)"), ["P5 closed"]),
])  # fmt: skip
def test_only_what_never_ends_or_cannot_be_left_is_told(states: str, told: list[str]) -> None:
    assert found(states) == told


AGAIN = """
form: {tout: {title: Tout, fields: {age_declare: {label: Âge, type: integer, maximum: 120, example: 30}}}}
opinions: {avis: {label: Avis, due: 5 days, of: {feu: {label: Feu, by: urbaniste}}}}
workflow:
  start: consultation
  states:
    consultation: {label: Consultation, gather: [avis], due: 9 days, then: examen}
    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        delivrer: {label: Délivrer, to: fini, issues: permis%s}
        consulter: {label: Consulter de nouveau, to: %s, reopens: [avis]}
    complement: {label: Complément, by: urbaniste, due: 5 days, transitions: {completer: {label: Compléter, to: examen}}}
    fini: {label: Fini, end: granted}
outputs:
  permis: {title: Permis, kind: decision, signed_by: maire, operative: Le permis est accordé.}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""


@pytest.mark.parametrize(("when", "to", "told"), [
    ("", "consultation", []),
    ("", "examen", ["examen"]),  # past the state that waits for the round
    ("", "complement", ["complement", "examen"]),
    (", when: done(avis)", "examen", []),
    (", when: not (age_declare > 9 or not done(avis))", "examen", []),
    (", when: not done(avis)", "examen", ["examen"]),
    (", when: done(avis) or age_declare > 9", "examen", ["examen"]),  # open to some without the step
])  # fmt: skip
def test_a_step_that_is_asked_again_is_awaited_again_before_a_grant(when: str, to: str, told: list[str]) -> None:
    procedure = a_procedure(AGAIN % (when, to))
    around = [one for one in prove(procedure, the_directory(), TODAY) if one.code == "P4"]
    assert [list(one.facts["path"])[2:-1] for one in around] == ([told] if told else [])


CHAIN = """
delay: 22 working days
opinions: {avis: {label: Avis, due: 20 working days, of: {feu: {label: Feu, by: urbaniste%s}}}}
later_forms: {visite: {title: V, by: urbaniste, due: 20 working days, %sfields: {vu: {label: Vu, type: yes_no}}}}
workflow:
  start: a
  states:
    a: {label: A, gather: [avis, visite], then: b}
    b: {label: B, by: maire, due: 1 working day, transitions: {oui: {label: Oui, to: fini, issues: permis}}}
    fini: {label: Fini, end: granted}
outputs: {permis: {title: Permis, kind: decision, signed_by: maire, operative: Accordé.}}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""


@pytest.mark.parametrize(("own", "after", "days"), [
    ("", "", []), ("", "after: avis, ", [41]), (", due: 30 working days", "", [31]), (", due: 5 working days", "", []),
])  # fmt: skip
def test_a_task_takes_its_time_after_another_and_a_service_its_own(own: str, after: str, days: list[int]) -> None:
    every = prove(a_procedure(CHAIN % (own, after)), the_directory(), TODAY)
    assert [one.facts["days"] for one in every if one.code == "P10"] == days


@pytest.mark.parametrize("when", ["today < date(9999, 12, 31)", "today > date(1, 1, 1)"])
def test_the_first_and_last_day_of_the_calendar_are_days_like_others(when: str) -> None:
    """Such a day is written for « never »."""
    text = AGAIN % (f', when: "{when}"', "consultation")
    assert not [one for one in prove(a_procedure(text), the_directory(), TODAY) if one.code == "P4"]


EYES = """
workflow:
  start: a
  states:
    a: {label: A, by: inspecteur, due: 5 days, transitions: {lire: {label: Lire, to: b}}}
    b: {label: B, by: inspecteur, due: 5 days, transitions: {relire: {label: Relire, to: c, not_same_as: %s}}}
    c: {label: C, by: inspecteur, due: 5 days, transitions: {signer: {label: Signer, to: fini, not_same_as: [lire, relire]}}}
    fini: {label: Fini, end: granted}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""


@pytest.mark.parametrize("also", ["", ", retirer: {label: Retirer, by: applicant, to: fini}"])
@pytest.mark.parametrize(("other", "told"), [("lire", ["c"]), ("signer", [])])
def test_two_persons_are_too_few_for_three_acts_of_different_hands(other: str, told: list[str], also: str) -> None:
    """Two inspectors. With `signer` the first two acts may be of one person. A withdrawal is no way out."""
    assert the_directory().role("mairie/inspecteur").seats == 2
    procedure = a_procedure((EYES % other).replace("[lire, relire]}", f"[lire, relire]}}{also}"))
    eyes = [one for one in prove(procedure, the_directory(), TODAY) if one.code == "P9"]
    assert [one.facts["state"] for one in eyes] == told


@pytest.mark.parametrize(("also", "told"), [("", ["c"]), (", not_same_as: lire", [])])
def test_the_one_person_who_may_sign_took_no_act_that_excludes_them(also: str, told: list[str]) -> None:
    """Who read signs, but not who read again: without four eyes before, that may be one person."""
    once = (EYES % "lire").replace(", not_same_as: lire}", f"{also}}}")
    text = once.replace("not_same_as: [lire, relire]", "same_as: lire, not_same_as: relire")
    eyes = [one for one in prove(a_procedure(text), the_directory(), TODAY) if one.code == "P9"]
    assert [one.facts["state"] for one in eyes] == told


SILENCE = """
workflow:
  start: a
  clocks: {silence: {label: Silence, lasts: 20 days, runs_in: [a], then: non}}
  states:
    a: {label: A, by: %s, %stransitions: {accorder: {label: Oui, to: fini%s}}}
    fini: {label: Fini, end: granted}
    non: {label: Non, end: refused%s}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""
APPEAL = ", transitions: {contester: {label: C, by: applicant, within: 2 months, to: a}}"
GUARD = ", when: motif == 'vol'"


@pytest.mark.parametrize(("holes", "told"), [
    (("maire", "", GUARD, ""), []),
    (("maire", "", GUARD, APPEAL), ["P5 closed"]),  # the second stay has no limit
    (("maire", "due: 5 days, late: non, ", GUARD, APPEAL), []),
    (("applicant", "", "", ""), []),
    (("applicant", "", "", APPEAL), ["P3 no_due"]),
])  # fmt: skip
def test_a_time_limit_that_is_over_ends_no_second_stay(holes: tuple[str, ...], told: list[str]) -> None:
    asked = (
        "form:\n  tout:\n    title: T\n    fields:\n      motif: {label: M, type: choice, options: {perte: P, vol: V}}"
    )
    procedure = a_procedure(asked + SILENCE % holes)
    found = [*lint(procedure, the_directory()), *prove(procedure, the_directory(), TODAY)]
    assert [f"{one.code} {one.facts.get('fault')}" for one in found if one.code in ("P3", "P5", "P9")] == told


def test_more_rows_than_allowed_is_no_crash_where_they_are_counted() -> None:
    procedure = a_procedure("""
form:
  tout:
    title: Tout
    fields:
      lignes: {label: L, type: rows, minItems: 5, maxItems: 2, fields: {nom: {label: Nom}}}
      suite: {label: Suite, when: count(lignes) > 1, example: oui}
legal_basis:
  loi: {title: Une loi, status: sourced, source: JO}
""")
    assert {one.facts["at"] for one in prove(procedure, the_directory(), TODAY)} == {"lignes", "suite"}
