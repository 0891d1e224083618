"""What stories exercise, and what they leave: both sides of conditions, lines and cuts of fees, rows of tables."""

from __future__ import annotations

import json

import pytest

from engine.domain.workflow.state_machine import circuit_of
from engine.model import Procedure
from engine.simulation.coverage import recorded
from renderers.reports.scenarios import Played, play_all, stories_json, story_report
from tests.makers import a_procedure, the_shared

PRICED = """
form:
  vous:
    title: Vous
    fields:
      zone: {label: Zone, type: choice, options: {a: A, b: B}, example: a}
      express: {label: Express, type: yes_no, example: false}
      pourquoi: {label: Pourquoi, when: express, maxLength: 20}
    checks:
      lente: {must: not express or zone != 'b', message: Pas d'express en zone B.}
tables:
  tarif: {by: [zone], gives: money, rows: {a: 1000, b: 2000}}
fees:
  frais:
    label: Frais
    lines:
      base: {label: Base, amount: tarif(zone)}
      vite: {label: Express, when: express, amount: 500}
    reductions: [{when: zone == 'b', percent: 50, because: Zone B}]
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: a_payer}
        refuser: {label: Refuser, to: classe, asks: [reason]}
    a_payer: {label: À payer, pay: frais, due: 30 days, then: accorde, late: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
scenarios:
  simple: {story: Simple, steps: [{take: accorder, then: a_payer}, {pay: 1000, then: accorde}]}
"""
MORE = """
  vite: {story: Vite, given: {express: true}, steps: [{take: accorder}, {pay: 1500}]}
  trop: {story: Trop, given: {express: true, zone: b}, refuses: [lente]}
  loin: {story: Loin, given: {zone: b}, steps: [{take: accorder}, {pay: 1000, then: accorde}]}
  refus: {story: Refus, steps: [{take: refuser, reason: Non, then: classe}]}
  tard: {story: Tard, steps: [{take: accorder}, {wait: 31 days, then: classe}]}
"""


def played(procedure: Procedure, coverage: bool = True) -> Played:
    found = play_all(procedure, the_shared(), coverage)
    assert found.succeeded, story_report(found, {}, "fr")
    return found


def told(one: Played) -> set[str]:
    return {f"{found.facts['name']} {found.facts.get('side', '')}".strip() for found in one.never_played()}


def test_one_story_leaves_the_other_sides() -> None:
    assert told(played(a_procedure(PRICED))) == {
        "classe", "examen.refuser", "a_payer.late", "pourquoi.when holds", "lente.must fails",
        "frais.vite", "frais.vite.when holds", "frais.reductions.when holds", "tarif (b)",
    }  # fmt: skip


def test_enough_stories_leave_nothing() -> None:
    assert told(played(a_procedure(PRICED + MORE.strip("\n")))) == set()


def test_what_notes_is_a_copy_of_its_own() -> None:
    """The procedure itself, and the machine kept of it, note nothing; two copies do not share theirs."""
    procedure = a_procedure(PRICED)
    copy, record = recorded(procedure)
    other, _ = recorded(procedure)
    assert len({procedure.fingerprint, copy.fingerprint, other.fingerprint}) == 3
    assert circuit_of(procedure) is not circuit_of(copy)
    played(procedure, coverage=False)
    assert not any(record.seen.values())


def test_the_report_says_where_and_machines_read_it() -> None:
    found = played(a_procedure(PRICED))
    text = story_report(found, {}, "fr", coverage=True)
    assert "la condition « pourquoi.when » n'est vraie dans aucune histoire" in text
    assert "essai.yaml:" in text
    [plain] = json.loads(stories_json([("essai.yaml", found, None)], "en"))["procedures"]
    assert plain["stories"][0]["failure"] is None
    assert {"code": "V740", "facts": {"name": "frais.vite"}}.items() <= {
        key: one[key]
        for one in plain["coverage"]["never_played"]
        if one["facts"]["name"] == "frais.vite"
        for key in one
    }.items()
    assert plain["coverage"]["sides"]["played"] < plain["coverage"]["sides"]["all"]


def test_a_file_with_errors_has_no_stories() -> None:
    assert json.loads(stories_json([("x.yaml", None, None)], "fr")) == {
        "procedures": [{"file": "x.yaml", "stories": None}]
    }


VISITED = """
appointments:
  visite: {label: Visite, by: maire, lasts: 1 hour}
workflow:
  start: venue
  states:
    venue: {label: Venue, attend: visite, due: 30 days, then: examen, late: classe, missed: classe}
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
form:
  vous:
    title: Vous
    fields:
      zone: {label: Zone, type: choice, options: {a: A, b: B}}
scenarios:
"""


@pytest.mark.parametrize(
    ("story", "wanted"),
    [
        ("given: {zone: c}, steps: [{wait: 1 day}]", "« zone » (« c ») n'est pas une de ses réponses possibles"),
        ("given: {zone: c}, steps: [{wait: 1 day}]", "ses réponses : a ou b ; corrigez « given »"),
        ("steps: [{book: {visite: 2026-11-29 09:00}}]", "premiers créneaux libres : 2026-11-30 0"),
        ("steps: [{take: accorder}]", "possible à cet état : « visite »"),
        ("steps: [{book: {visite: 2026-11-30 07:30}}, {visit: attended}, {take: accorder, as: etat_civil}]",
         "c'est à maire de le faire"),
    ],
)  # fmt: skip
def test_an_author_is_told_what_would_do(story: str, wanted: str) -> None:
    procedure = a_procedure(VISITED + f"  une: {{story: Une, {story}}}\n")
    assert wanted in story_report(play_all(procedure, the_shared()), {}, "fr")
