"""Who reads which letters of a dossier: what services are told is not its owner's, and a visit's link is only its holder's."""

from __future__ import annotations

import json
from dataclasses import replace

from engine.core.values import new_id
from engine.records.dossier import Dossier, OutboundMessage
from engine.services.accounts.personal_data_export import export_own
from engine.services.core.appointment_links import held_visit, visit_token
from engine.services.core.outbound_messages import letters_of
from tests.engine.services.world import B3, PASSPORT, PHONE, World

CLERK = "sncja/greffier_en_chef"
TOLD = "À revoir : le casier ne concorde pas"


def tell_the_service(world: World, dossier: Dossier) -> None:
    now = world.office.now()
    letter = OutboundMessage(
        new_id(), dossier.id, "inbox", f"role:{CLERK}", "À revoir", TOLD, now, f"{dossier.id}:told", now
    )
    with world.office.store.unit(write=True) as unit:
        unit.add_letter(letter)


def test_what_services_are_told_is_theirs(world: World) -> None:
    afi, clerk = world.applicant(), world.agent("greffier", CLERK)
    dossier = world.sent(B3)
    tell_the_service(world, dossier)
    assert TOLD in [one.body for one in letters_of(world.office, clerk, dossier.id)]
    mine = letters_of(world.office, afi, dossier.id)
    assert mine, "what was written to its owner is theirs"
    assert TOLD not in [one.body for one in mine]
    taken_away = json.dumps(export_own(world.office, afi), ensure_ascii=False)
    assert TOLD not in taken_away
    assert letters_of(world.office, world.auditor(), dossier.id) == ()
    own = replace(clerk, contacts=frozenset({PHONE}))
    assert [one.body for one in letters_of(world.office, own, dossier.id)] == [one.body for one in mine], "their own"


def test_all_but_the_owner_read_a_letter_about_a_visit_without_the_link_that_moves_it(world: World) -> None:
    afi = world.applicant()
    checked = world.take(world.sent(PASSPORT), world.agent("checker", "dgdn/controleur"), "conforme")
    dossier = world.booked(world.paid(checked), "depot")
    token = visit_token(world.office, dossier, "depot")
    assert any(token in one.body for one in letters_of(world.office, afi, dossier.id))
    assert held_visit(world.office, token).dossier.id == dossier.id
    acting = replace(world.applicant("+22891223344"), principal=afi.id)
    for reader in (world.agent("clerk", "dgdn/guichet"), acting, replace(acting, only_reads=True)):
        read = [one.body for one in letters_of(world.office, reader, dossier.id)]
        assert any("/r/…" in body for body in read), "the words stay"
        assert not any(token in body for body in read)
