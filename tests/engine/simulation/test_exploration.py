"""Exploring finds what stories do not show: seeded faults of the definition and of the engine, each with its story."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from engine.core.problems import Refused, refusal
from engine.domain.workflow import tasks
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.services.applications import casework
from engine.simulation.exploration import ExplorationFinding, Explored, Explorer, turns_of
from engine.simulation.player import Outcome, play
from renderers.reports.exploration import exploration_report, story_of
from tests.makers import a_procedure, the_shared, the_words

pytestmark = pytest.mark.slow  # every branch within reach is played

DAY = date(2026, 11, 24)
SOUND = """
form:
  vous:
    title: Vous
    fields:
      nom: {label: Nom, maxLength: 20, example: AMEGAN}
      surnom: {label: Surnom, required: false, maxLength: 20}
      adulte: {label: 'Êtes-vous adulte ?', type: yes_no, example: true}
      aides: {label: Aides, type: integer, minimum: 0, maximum: 5, example: 1}
fees:
  taxe: {label: Taxe, lines: {base: {label: Base, amount: 5000}}}
appointments:
  remise: {label: Remise, by: maire, lasts: 30 minutes, hours: [08:00-09:00], lead: 1 day, horizon: 20 days}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: [{to: a_payer, when: adulte}, {to: classe}]}
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
        refuser: {label: Refuser, to: refuse, asks: [reason]}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: classe}
    a_payer: {label: À payer, pay: taxe, due: 30 days, then: cle, late: classe}
    cle: {label: Remise, attend: remise, due: 60 days, then: accorde, late: classe, missed: classe}
    accorde: {label: Accordé, end: granted}
    refuse: {label: Refusé, end: refused}
    classe: {label: Classé, end: abandoned}
scenarios:
  simple: {story: Refusé, steps: [{take: refuser, reason: Non, then: refuse}]}
"""


def a_fault(before: str, after: str) -> str:
    assert before in SOUND
    return SOUND.replace(before, after)


def explored(text: str, seed: int = 0) -> Explored:
    procedure = a_procedure(text)
    return explorer(procedure, seed).explore(30)


def explorer(procedure: Procedure, seed: int = 0) -> Explorer:
    return Explorer(procedure, Catalogue.of([procedure], the_shared()), the_words(), DAY, "Motif", seed)


def only(found: Explored, kind: str) -> ExplorationFinding:
    assert [one.kind for one in found.findings] == [kind], exploration_report(found, "fr")
    return found.findings[0]


def played_again(text: str, finding: ExplorationFinding) -> Outcome:
    """The story of a finding, pasted into the file and played."""
    pasted = a_procedure(text.rstrip("\n") + "\n" + story_of(finding, 1, the_words(), "fr"))
    story = next(one for one in pasted.scenarios if one.id == "exploration_1")
    return play(pasted, Catalogue.of([pasted], the_shared()), the_words(), story)


def test_a_sound_procedure_is_played_whole() -> None:
    found = explored(SOUND)
    assert (found.findings, found.whole, found.states_left, found.transitions_left) == ((), True, (), ())


def test_the_same_seed_explores_the_same() -> None:
    first, again = explored(SOUND, 3), explored(SOUND, 3)
    assert (first.paths, first.steps) == (again.paths, again.steps)


def test_every_state_can_be_gone_to() -> None:
    procedure = a_procedure(SOUND)
    for state in procedure.states:
        story = explorer(procedure).lead_to(state, 10)
        assert story is not None, state
        outcome = play(procedure, Catalogue.of([procedure], the_shared()), the_words(), story)
        assert outcome.failure is None
        assert state in outcome.states


def test_a_price_that_changes_on_the_way() -> None:
    text = a_fault(
        "base: {label: Base, amount: 5000}",
        "base: {label: Base, amount: 5000}, hausse: {label: Hausse, amount: 500, from: 2026-11-27}",
    )
    finding = only(explored(text), "price")
    assert (finding.at, dict(finding.facts)) == ("taxe", {"shown": 5000, "asked": 5500})
    assert played_again(text, finding).failure is None


def test_a_visit_without_a_slot() -> None:
    text = a_fault("hours: [08:00-09:00]", "weekdays: [sunday]")
    found = explored(text)
    assert {(one.kind, one.at) for one in found.findings} == {("nobody", "remise"), ("unreached", "accorde")}
    assert played_again(text, found.findings[0]).failure is None


def test_a_state_that_nothing_leaves() -> None:
    text = a_fault("    a_corriger: {", "    oubli: {label: Oubli, by: maire}\n    a_corriger: {")
    text = text.replace("{to: classe}]", "{to: oubli}]")
    finding = only(explored(text), "stuck")
    assert finding.at == "oubli"
    assert played_again(text, finding).failure is None


def test_an_end_that_no_answers_reach() -> None:
    text = a_fault("{to: a_payer, when: adulte}", "{to: jamais, when: aides > 7}, {to: a_payer, when: adulte}")
    text = text.replace("    refuse: {", "    jamais: {label: Jamais, end: granted}\n    refuse: {")
    assert only(explored(text), "unreached").at == "jamais"


def test_a_message_with_a_blank() -> None:
    """A question left empty, named in a message."""
    text = SOUND.replace("scenarios:", "notices:\n  refuse: {sms: 'Refus pour {surnom}.'}\nscenarios:")
    text = text.replace("maxLength: 20}\n      adulte", "maxLength: 20, when: not adulte}\n      adulte")
    finding = only(explored(text), "message")
    assert (finding.at, finding.facts["name"]) == ("refuse", "surnom")
    assert played_again(text, finding).failure is None


def test_examples_that_the_form_refuses() -> None:
    text = a_fault("example: AMEGAN}", "pattern: '[0-9]{9}', example: AMEGAN}")
    found = explored(text)
    assert found.findings[0].kind == "form"
    assert found.findings[0].facts["found"] == ("nom",)


def test_a_fault_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError("quote")

    monkeypatch.setattr(tasks, "quote", broken)
    found = explored(SOUND)
    crash = next(one for one in found.findings if one.kind == "crash")
    assert (crash.at, crash.facts["error"]) == ("accorder", "ZeroDivisionError")
    assert "accorder" in story_of(crash, 1, the_words(), "fr")


def test_an_act_offered_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = casework.take_offered

    def fickle(moment: Any, dossier: Any, act: Any, offers: Any) -> Any:
        if act.transition == "refuser":
            raise Refused(refusal("closed"))
        return honest(moment, dossier, act, offers)

    monkeypatch.setattr(casework, "take_offered", fickle)
    found = explored(SOUND)
    refused = next(one for one in found.findings if one.kind == "refused")
    assert (refused.at, refused.facts["why"]) == ("refuser", "closed")
    outcome = played_again(SOUND, refused)
    assert outcome.failure is not None
    assert outcome.failure.facts["why"] == "closed"


@pytest.mark.slow
def test_another_answer_than_those_listed_comes_with_its_detail() -> None:
    trade = "options: {couture: Couture}, other: true}\n      adulte:"
    text = a_fault("      adulte:", "      metier: {label: Métier, " + trade)
    text = text.replace("{to: a_payer, when: adulte}", "{to: a_payer, when: adulte and metier == 'other'}")
    found = explored(text)
    assert not found.findings
    assert "a_payer" in found.states


IN_PHASES = """
form: {vous: {title: Vous, fields: {nom: {label: Nom, maxLength: 20, example: AMEGAN}}}}
later_forms:
  declaration:
    title: Déclaration
    fields: {phase: {label: Phase, type: choice, options: {debut: Début, fin: Fin}}}
  constat:
    title: Constat
    fields:
      note: {label: Note, type: integer, minimum: 0, maximum: 20, example: 5}
      bon: {label: Bon, value: note >= 15}
workflow:
  start: chantier
  states:
    chantier:
      label: Chantier
      by: applicant
      due: 1 year
      late: clos
      transitions: {declarer: {label: Déclarer, to: visite, fills: declaration}}
    visite:
      label: Visite
      by: maire
      due: 5 working days
      transitions:
        rendre: {label: Rendre, fills: constat, to: [{when: bon and phase == 'fin', to: conforme}, {to: chantier}]}
    conforme: {label: Conforme, end: granted}
    clos: {label: Clos, end: abandoned}
scenarios: {fin: {story: Rien, steps: [{wait: 2 years, then: clos}]}}
"""


def test_conditions_are_told_apart_by_their_parts() -> None:
    """A phase declared is another situation, even where what it opens does not hold yet."""
    assert {tuple(sorted(one.names)) for one in turns_of(a_procedure(IN_PHASES))} == {("bon",), ("phase",)}


def test_an_answer_that_a_computed_one_turns_on_is_tried_at_both_ends() -> None:
    story = explorer(a_procedure(IN_PHASES)).lead_to("conforme", 20)
    assert story is not None
    assert story.steps[-1].options["with"]["note"] >= 15
