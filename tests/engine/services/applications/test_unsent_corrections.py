"""Corrected answers that are saved and not sent: agents, documents and prices keep those that were sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.values import new_id
from engine.domain.common.access import may_read_file
from engine.domain.common.decision import Act
from engine.domain.documents.retention import forgotten
from engine.domain.editions.migration import Crossing, Stays, cross
from engine.domain.editions.renaming import Translation
from engine.domain.forms.corrections import CONFIRMED
from engine.domain.reporting.journal_state import differences, fold, projection_of
from engine.domain.workflow.progress import correction_to_compare
from engine.domain.workflow.transition_context import Moment
from engine.language.catalogue.catalogue import Catalogue
from engine.operations.migration import migrate
from engine.records.codec import from_plain, to_plain
from engine.records.dossier import SYSTEM_ACTOR, CorrectionRequest, Dossier
from engine.services.accounts.personal_data_export import export_own
from engine.services.applications import drafts as intake
from engine.services.applications.casework import take_transition
from engine.services.applications.drafts import Upload
from engine.services.audit.integrity import fsck
from engine.services.payments.payments import owed
from engine.services.worker.worker import run_timers
from tests.engine.services.editions import publish
from tests.engine.services.world import World, a_world, pdf
from tests.makers import compiled, the_shared

KIOSK = """
procedure: kiosque
edition: 1
title: Ouvrir un kiosque
summary: Tenir un kiosque.
agency: mairie
delay: 5 working days
legal_basis:
  loi: {title: Une loi, status: sourced, source: JO, article: art. 1, checked: 2026-03-01}
form:
  demande:
    title: Votre kiosque
    fields:
      enseigne: {label: Enseigne, example: Chez Afi}
      etages: {label: Étages, type: integer, example: 1}
      plan: {label: Plan, type: file}
dossier_label: "{enseigne}"
fees:
  taxe: {label: Taxe, amount: 1000 * etages}
workflow:
  start: a_payer
  states:
    a_payer: {label: À payer, pay: taxe, due: 15 days, then: examen, late: abandonne}
    examen:
      label: Examen
      by: urbaniste
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde}
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: examen}
    accorde: {label: Accordé, end: granted, issues: [permis]}
    abandonne: {label: Sans suite, end: abandoned}
outputs:
  permis: {title: Permis, signed_by: urbaniste, shows: [enseigne, etages], operative: "Le kiosque est permis."}
personal_data: {purpose: Instruire la demande, keep: {granted: 5 years, abandoned: 2 years}}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path, catalogue=Catalogue.of([compiled(KIOSK)], the_shared()))


@pytest.fixture
def asked(world: World) -> Dossier:
    """A request that was paid, then sent back to its applicant."""
    dossier = world.paid(world.sent("kiosque", enseigne="Chez Afi", etages=1, plan=[]))
    fields = {"enseigne": "Illisible", "etages": "Combien ?", "plan": "Flou"}
    return world.take(dossier, world.agent("u", "mairie/urbaniste"), "corriger", correction=fields, reason="Flou")


def saved(world: World, dossier: Dossier, **raw: str) -> Dossier:
    posted = {name: [value] for name, value in raw.items()} | {CONFIRMED: [*raw]}
    intake.save_corrections(world.office, world.owner(dossier), dossier.id, posted, token=new_id())
    return world.kept(dossier)


def attached(world: World, dossier: Dossier) -> Dossier:
    intake.attach(world.office, world.owner(dossier), dossier.id, "plan", Upload("plan.pdf", pdf()), token=new_id())
    return world.kept(dossier)


def sent_back(world: World, dossier: Dossier) -> Dossier:
    return intake.send_corrections(world.office, world.owner(dossier), dossier.id, token=new_id())


def shown(world: World, dossier: Dossier, name: str) -> Any:
    form = intake.see_corrections(world.office, world.owner(dossier), dossier.id)
    return next(one for page in form.pages for one in page.fields if one.id == name)


def agrees(world: World, dossier: Dossier) -> bool:
    kept = world.kept(dossier)
    entries = world.read(lambda unit: unit.entries(kept.id))
    return not differences(fold(entries), projection_of(kept)) and fsck(world.office) == ()


def test_agents_see_the_answers_that_were_sent(world: World, asked: Dossier) -> None:
    kept = attached(world, saved(world, asked, enseigne="Chez Kofi"))
    assert (kept.answers, kept.label) == (asked.answers, asked.label)
    assert kept.typed.answers["enseigne"] == "Chez Kofi"
    assert shown(world, asked, "enseigne").value == "Chez Kofi", "the applicant goes on where they stopped"
    agent, procedure = world.agent("u", "mairie/urbaniste"), world.office.catalogue.procedures["kiosque"]
    new = kept.attachments[-1]
    assert not may_read_file(procedure, kept, new, agent)
    assert may_read_file(procedure, kept, new, world.owner(kept))
    assert may_read_file(procedure, kept, kept.attachments[0], agent)
    assert agrees(world, asked)


def test_what_is_sent_is_decided(world: World, asked: Dossier) -> None:
    saved(world, attached(world, asked), enseigne="Chez Kofi", etages="1")
    sent = sent_back(world, asked)
    assert (sent.state, sent.answers["enseigne"], sent.label != asked.label) == ("examen", "Chez Kofi", True)
    agent, procedure = world.agent("u", "mairie/urbaniste"), world.office.catalogue.procedures["kiosque"]
    assert may_read_file(procedure, sent, sent.attachments[-1], agent)
    assert agrees(world, asked)
    granted = world.take(sent, agent, "accorder")
    assert "Chez Kofi" in str(granted.documents[0].paper)


def test_a_sent_correction_keeps_the_former_answers_until_an_agent_acts(world: World, asked: Dossier) -> None:
    saved(world, attached(world, asked), enseigne="Chez Kofi", etages="1")
    sent = sent_back(world, asked)
    (kept,) = sent.corrected
    assert kept.before == {name: asked.answers[name] for name in ("enseigne", "plan")}, "the floors are the same"
    assert (kept.fields["enseigne"], kept.sent_at, kept.unsent) == ("Illisible", world.office.now(), None)
    assert correction_to_compare(sent) == kept
    exported = export_own(world.office, world.owner(sent))
    assert exported["dossiers"][0]["corrected"][0]["before"]["enseigne"] == "Chez Afi"  # type: ignore[index,call-overload]
    world.wait(hours=1)
    agent = world.agent("u", "mairie/urbaniste")
    again = world.take(sent, agent, "corriger", correction={"enseigne": "Encore"}, reason="Flou")
    assert correction_to_compare(again) is None, "an agent acted on it"
    saved(world, again, enseigne="Chez Kossi")
    assert [one.before.get("enseigne") for one in sent_back(world, again).corrected] == ["Chez Afi", "Chez Kofi"]
    assert agrees(world, asked)


def test_a_former_answer_that_differs_from_the_journal_is_found(world: World, asked: Dossier) -> None:
    saved(world, attached(world, asked), enseigne="Chez Kofi", etages="1")
    sent = sent_back(world, asked)
    (kept,) = sent.corrected
    forged = (replace(kept, before={**kept.before, "enseigne": "Chez Koffi"}),)
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(sent, corrected=forged, revision=sent.revision + 1), sent.revision)
    found = {finding.code: finding.facts for finding in fsck(world.office)}
    assert found["answers_differ"] == {"answers": ["answers.enseigne"]}


def test_former_answers_are_erased_and_renamed_with_the_others(world: World, asked: Dossier) -> None:
    saved(world, attached(world, asked), enseigne="Chez Kofi", etages="1")
    sent = sent_back(world, asked)
    procedure = world.office.catalogue.procedures["kiosque"]
    assert forgotten(procedure, sent, world.office.now(), world.office.day()).corrected == ()
    later = compiled(KIOSK.replace("edition: 1", "edition: 2").replace("enseigne", "nom"))
    moved = Translation(procedure, later, {"enseigne": "nom"}).dossier(sent)
    assert (moved.corrected[0].before["nom"], moved.corrected[0].fields["nom"]) == ("Chez Afi", "Illisible")


def test_what_is_not_sent_ends_with_its_time(world: World, asked: Dossier) -> None:
    saved(world, attached(world, asked), enseigne="Chez Kofi", etages="4")
    assert sent_back(world, asked).state == "a_corriger"
    assert [one.left for one in owed(world.office, world.owner(asked), asked.id)] == [3_000]
    world.wait(days=31)
    run_timers(world.office)
    late = world.kept(asked)
    assert (late.state, late.answers, late.correction) == ("examen", asked.answers, None)
    assert late.attachments == asked.attachments
    assert late.owed["taxe"].left == 0, "the price of answers that were never sent"
    assert agrees(world, asked)
    granted = world.take(late, world.agent("u", "mairie/urbaniste"), "accorder")
    assert "Chez Afi" in str(granted.documents[0].paper)


def test_what_was_sent_and_paid_goes_on_at_the_end_of_its_time(world: World, asked: Dossier) -> None:
    """« Renvoyer » asked for the difference. Who paid it and did not come back keeps what was paid for."""
    saved(world, attached(world, asked), enseigne="Chez Kofi", etages="4")
    sent_back(world, asked)
    world.paid(asked)
    world.wait(days=31)
    run_timers(world.office)
    late = world.kept(asked)
    assert (late.state, late.answers["etages"], late.correction) == ("examen", 4, None)
    assert (late.owed["taxe"].amount, late.owed["taxe"].paid) == (4_000, 4_000)
    assert agrees(world, asked)


@pytest.mark.parametrize("etages", ["6", ""])
def test_what_changed_after_the_payment_is_not_sent_unpaid_or_faulty(world: World, asked: Dossier, etages: str) -> None:
    saved(world, attached(world, asked), enseigne="Chez Kofi", etages="4")
    sent_back(world, asked)
    world.paid(asked)
    saved(world, asked, etages=etages)
    world.wait(days=31)
    run_timers(world.office)
    late = world.kept(asked)
    assert (late.state, late.answers, late.correction) == ("examen", asked.answers, None)
    assert agrees(world, asked)


def test_the_applicant_takes_away_what_is_not_sent_too(world: World, asked: Dossier) -> None:
    saved(world, asked, enseigne="Chez Kofi")
    plain: Any = export_own(world.office, world.owner(asked))
    (mine,) = plain["dossiers"]
    assert (mine["answers"]["enseigne"], mine["unsent"]["enseigne"]) == ("Chez Afi", "Chez Kofi")


def test_a_file_is_taken_back_before_it_is_sent(world: World, asked: Dossier) -> None:
    kept = attached(world, asked)
    intake.detach(world.office, world.owner(asked), asked.id, kept.attachments[-1].id, token=new_id())
    again = world.kept(asked)
    assert again.answers == asked.answers
    assert again.correction is not None
    assert "plan" not in again.correction.made
    assert agrees(world, asked)


def test_a_file_taken_back_before_the_sending_is_not_sent(world: World, asked: Dossier) -> None:
    mine = attached(world, asked).attachments[-1].id
    intake.detach(world.office, world.owner(asked), asked.id, mine, token=new_id())
    kept = attached(world, saved(world, asked, enseigne="Chez Kofi", etages="1"))
    assert mine in {one.id for one in kept.attachments}
    sent = sent_back(world, asked)
    others = [one.id for one in kept.attachments if one.id != mine]
    assert [one.id for one in sent.attachments] == others, "an agent had the first file, and the new one is sent"
    assert agrees(world, asked)


def test_a_correction_begun_before_goes_on(world: World, asked: Dossier) -> None:
    """Until this release, saved answers replaced those that were sent."""
    kept, correction = world.kept(asked), asked.correction
    assert correction is not None
    plain = to_plain(replace(correction, made=frozenset({"enseigne"})))
    assert "unsent" not in plain, "written only when there are some"
    old = from_plain(CorrectionRequest, plain)
    with world.office.store.unit(write=True) as unit:
        before = replace(
            kept, answers={**kept.answers, "enseigne": "Chez Kofi"}, correction=old, revision=kept.revision + 1
        )
        unit.put_dossier(before, kept.revision)
    assert shown(world, asked, "enseigne").value == "Chez Kofi"
    attached(world, saved(world, asked, etages="1"))
    sent = sent_back(world, asked)
    assert (sent.state, sent.answers["enseigne"]) == ("examen", "Chez Kofi")


def test_a_new_edition_renames_what_is_not_sent(world: World, asked: Dossier) -> None:
    kept = saved(world, asked, enseigne="Chez Kofi")
    later = KIOSK.replace("enseigne:", "nom:").replace("{enseigne}", "{nom}").replace("[enseigne,", "[nom,")
    renamed = later.replace("edition: 1", "edition: 2\nmigrate: {1: {enseigne: nom}}")
    there = Translation.between(compiled(KIOSK), compiled(renamed)).dossier(kept)
    assert (there.answers["nom"], there.typed.answers["nom"]) == ("Chez Afi", "Chez Kofi")


@pytest.mark.parametrize("price", [1000, 2000])
def test_a_new_edition_gives_nothing_for_free(world: World, asked: Dossier, price: int) -> None:
    """What was paid stays paid, whatever the later edition costs; what a correction adds to it is paid."""
    later = KIOSK.replace("enseigne:", "nom:").replace("{enseigne}", "{nom}").replace("[enseigne,", "[nom,")
    renamed = later.replace("edition: 1", "edition: 2\nmigrate: {1: {enseigne: nom}}").replace("1000 *", f"{price} *")
    publish(world, compiled(renamed))
    assert len(migrate(world.office, "kiosque", 2).moved) == 1
    saved(world, attached(world, asked), nom="Chez Kofi", etages="4")
    assert sent_back(world, asked).state == "a_corriger"
    assert [one.left for one in owed(world.office, world.owner(asked), asked.id)] == [3 * price]
    saved(world, asked, etages="1")
    assert sent_back(world, asked).state == "examen"
    assert agrees(world, asked)


GUARANTEED = KIOSK.replace(
    "amount: 1000 * etages}",
    """valid_for: 30 days, lines: {
    avant: {label: Avant, amount: 1000 * etages, until: 2026-11-30}, depuis: {label: Depuis, amount: 5000 * etages, from: 2026-12-01}}}""",
)
GUARANTEED = GUARANTEED.replace("""then: examen, late: abandonne}""", """then: examen, late: abandonne,
        transitions: {modifier: {label: Modifier, by: applicant, to: modification}}}
    modification: {label: Modification, correct: everything, due: 10 days, then: a_payer, late: abandonne}""")  # fmt: skip


@pytest.mark.parametrize(("etages", "price"), [("1", 1_000), ("9", 9_000)])
def test_a_guaranteed_price_is_of_its_day_and_of_the_present_answers(tmp_path: Path, etages: str, price: int) -> None:
    world = a_world(tmp_path, catalogue=Catalogue.of([compiled(GUARANTEED)], the_shared()))
    dossier = world.sent("kiosque", enseigne="Chez Afi", etages=1, plan=[])
    take_transition(world.office, world.owner(dossier), dossier.id, Act("modifier"), token=new_id())
    saved(world, attached(world, dossier), enseigne="Chez Kofi", etages=etages)
    world.wait(days=9)
    sent = sent_back(world, dossier)
    assert (sent.state, sent.owed["taxe"].amount) == ("a_payer", price)
    assert sent.owed["taxe"].at == dossier.owed["taxe"].at, "the guarantee does not begin again"
    assert agrees(world, dossier)


@pytest.mark.parametrize("pays", [False, True])
def test_a_price_raised_by_what_is_not_sent_stays_in_its_edition(world: World, asked: Dossier, pays: bool) -> None:
    """The later edition does not know what the answers cost before, so it would ask for, or keep, the difference."""
    later = compiled(KIOSK.replace("edition: 1", "edition: 2\nmigrate: {1: {}}"))
    translation, office = Translation.between(compiled(KIOSK), later), world.office
    moment = Moment(later, SYSTEM_ACTOR, office.now(), office.directory, office.wording)
    kept = saved(world, attached(world, asked), etages="4")
    assert isinstance(cross(translation, kept, (), moment), Crossing)
    sent_back(world, asked)
    kept = world.paid(asked) if pays else world.kept(asked)
    assert cross(translation, kept, (), moment) == Stays("correction_priced", {})
