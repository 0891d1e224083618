"""Answers that are corrected after the payment: what they add to the price is paid before the request goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from engine.core.values import Plain, new_id
from engine.domain.forms.corrections import CONFIRMED
from engine.domain.reporting.journal_state import differences, fold, projection_of
from engine.records.dossier import Dossier
from engine.services.applications import drafts as intake
from engine.services.applications.drafts import Upload
from engine.services.audit.integrity import fsck
from engine.services.core.fee_accounts import fee_accounts
from engine.services.payments.payments import owed
from engine.services.payments.refunds import owed_back
from tests.engine.services.world import B3, World, pdf, shipped

VISA = "e-visa"
TOO_MUCH = "+22890000006"  # the simulated operator collects more than the order
SECOND: dict[str, Plain] = {
    "nom": "LEE", "prenoms": "Tom", "date_naissance": "1988-07-14", "nationalite": "fra", "profession": "Peintre",
    "passeport": "EB100002", "expiration": "2029-01-01",
}  # fmt: skip


@pytest.fixture
def visa(world: World) -> Dossier:
    """A request of one traveller, paid, whose photograph is asked again: a correction opens all rows."""
    world.office = replace(world.office, catalogue=shipped())
    dossier = world.paid(world.sent(VISA))
    assert dossier.owed["visa_paye"].amount == 45_000
    officer = world.agent("officer", "dgdn/immigration")
    return world.take(dossier, officer, "completer", correction={"voyageurs": "Photo floue"}, reason="Floue")


def corrected(world: World, dossier: Dossier, **raw: Any) -> Dossier:
    """The dossier after these answers and the files that they ask for."""
    owner = world.owner(dossier)
    posted = {name: [str(value)] for name, value in raw.items()} | {CONFIRMED: [*dossier.answers]}
    saved = intake.save_corrections(world.office, owner, dossier.id, posted, token=new_id())
    for problem in saved.errors:
        intake.attach(world.office, owner, dossier.id, problem.at, Upload("piece.pdf", pdf()))
    return world.kept(dossier)


def sent_back(world: World, dossier: Dossier) -> Dossier:
    return intake.send_corrections(world.office, world.owner(dossier), dossier.id, token=new_id())


def second_traveller() -> Iterator[tuple[str, Plain]]:
    return ((f"voyageurs.1.{name}", value) for name, value in SECOND.items())


def left(world: World, dossier: Dossier) -> list[tuple[str, int]]:
    return [(one.fee, one.left) for one in owed(world.office, world.owner(dossier), dossier.id)]


def test_a_traveller_added_in_a_correction_is_paid(world: World, visa: Dossier) -> None:
    corrected(world, visa, **dict(second_traveller()))
    waiting = sent_back(world, visa)
    assert (waiting.state, waiting.correction is None) == ("a_corriger", False), "two visas for the price of one"
    assert left(world, visa) == [("visa_paye", 45_000)]
    assert sent_back(world, visa).revision == waiting.revision, "asked again, nothing more is written"
    world.paid(visa)
    sent = sent_back(world, visa)
    assert (sent.state, sent.owed["visa_paye"].amount, sent.owed["visa_paye"].paid) == ("instruction", 90_000, 90_000)
    entries = world.read(lambda unit: unit.entries(visa.id))
    assert not differences(fold(entries), projection_of(world.kept(visa)))
    assert fsck(world.office) == ()


def test_money_that_is_owed_back_pays_for_no_correction(world: World) -> None:
    """What an operator collected above the price is given back. It paid for a part of the second visa too."""
    world.office = replace(world.office, catalogue=shipped())
    dossier = world.paid(world.sent(VISA), TOO_MUCH)
    owner = world.owner(dossier)
    (back,) = [one.refund.amount for one in owed_back(world.office, owner, dossier.id)]
    asked = {"voyageurs": "Photo floue"}
    world.take(dossier, world.agent("officer", "dgdn/immigration"), "completer", correction=asked, reason="Floue")
    corrected(world, dossier, **dict(second_traveller()))
    assert sent_back(world, dossier).state == "a_corriger"
    assert left(world, dossier) == [("visa_paye", 45_000)]
    assert sum(one.left for one in fee_accounts(world.office, owner, dossier.id)) == 45_000
    world.paid(dossier)
    sent = sent_back(world, dossier)
    assert (sent.state, left(world, dossier)) == ("instruction", [])
    assert [one.refund.amount for one in owed_back(world.office, owner, dossier.id)] == [back]
    entries = world.read(lambda unit: unit.entries(dossier.id))
    assert not differences(fold(entries), projection_of(world.kept(dossier)))
    assert fsck(world.office) == ()


def test_the_price_falls_again_with_the_answers(world: World, visa: Dossier) -> None:
    corrected(world, visa, **dict(second_traveller()))
    sent_back(world, visa)
    corrected(world, visa, remove_row="voyageurs.1")
    sent = sent_back(world, visa)
    assert (sent.state, sent.owed["visa_paye"].amount) == ("instruction", 45_000)
    assert left(world, visa) == []
    assert fsck(world.office) == ()


def test_answers_of_the_same_price_are_sent_at_once(world: World, visa: Dossier) -> None:
    corrected(world, visa, **{"voyageurs.0.profession": "Photographe de presse"})
    sent = sent_back(world, visa)
    assert (sent.state, sent.owed["visa_paye"].amount) == ("instruction", 45_000)


def test_a_lower_price_gives_nothing_back(world: World, visa: Dossier) -> None:
    corrected(world, visa, **{"voyageurs.0.nationalite": "ben"})
    sent = sent_back(world, visa)
    assert (sent.state, sent.owed["visa_paye"].amount) == ("instruction", 45_000)


def test_who_goes_back_to_the_price_that_was_paid_pays_nothing_more(world: World, visa: Dossier) -> None:
    corrected(world, visa, **{"voyageurs.0.nationalite": "ben"})
    sent_back(world, visa)
    officer = world.agent("officer", "dgdn/immigration")
    world.take(world.kept(visa), officer, "completer", correction={"voyageurs": "La nationalité"}, reason="Laquelle ?")
    corrected(world, visa, **{"voyageurs.0.nationalite": "fra"})
    sent = sent_back(world, visa)
    assert (sent.state, sent.owed["visa_paye"].amount) == ("instruction", 45_000)


@pytest.mark.parametrize("dearer", [True, False])
def test_a_price_that_is_promised_is_kept(world: World, visa: Dossier, dearer: bool) -> None:
    """As after a rise of the tariff: the traveller who was paid is not priced again, one who is added is."""
    kept = world.kept(visa)
    assert kept.correction is not None
    fixed = replace(kept.owed["visa_paye"], amount=40_000, paid=40_000)  # 45,000 today
    asked = replace(kept.correction, offsets={"visa_paye": 5_000})
    world.force(kept, owed={"visa_paye": fixed}, correction=asked)
    corrected(world, visa, **(dict(second_traveller()) if dearer else {"voyageurs.0.profession": "Peintre"}))
    sent = sent_back(world, visa)
    assert (sent.state, sent.owed["visa_paye"].amount) == (
        ("a_corriger", 85_000) if dearer else ("instruction", 40_000)
    )


def test_a_fee_that_did_not_apply_is_asked_once_it_does(world: World) -> None:
    dossier = world.paid(world.sent(B3, mode_retrait="centre"))
    assert "envoi" not in dossier.owed
    agent = world.agent("compare", "sncja/agent_traitement")
    asked = {"mode_retrait": "La poste ou le centre ?"}
    dossier = world.take(dossier, agent, "faire_corriger_piece", correction=asked, reason="À préciser")
    corrected(world, dossier, mode_retrait="poste", adresse_postale="BP 12 Lomé")
    assert sent_back(world, dossier).state == "a_corriger"
    assert left(world, dossier) == [("envoi", 1_500)]
    corrected(world, dossier, mode_retrait="centre")
    sent = sent_back(world, dossier)
    assert (sent.state, set(sent.owed)) == ("interrogation", {"bulletin_b3"})
    assert fsck(world.office) == ()
