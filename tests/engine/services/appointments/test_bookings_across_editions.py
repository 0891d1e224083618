"""Appointments under another name in a later edition: past visits and waiting lists follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.language.catalogue.catalogue import Catalogue
from engine.operations.migration import migrate
from engine.records.dossier import Dossier
from engine.services.appointments import bookings
from engine.services.audit.integrity import fsck
from engine.services.core.waiting_list import wait_for_seat, waits_at
from engine.storage.unit_of_work import Store
from tests.engine.services import world as worlds
from tests.engine.services.editions import publish
from tests.engine.services.world import World, a_world
from tests.makers import compiled, the_shared, whole
from tests.postgres import an_empty_store

KIOSK = whole(
    """
    title: Visite
    basis: {delay: loi}
    legal_basis: {loi: {title: Une loi, status: to_confirm, source: Essai}}
    form:
      vous:
        title: Vous
        fields:
          nom: {label: Nom, maxLength: 60, example: AMEGAN}
    appointments:
      remise:
        label: Visite
        by: maire
        lasts: 30 minutes
        hours: [08:00-12:00]
        desks: 2
        lead: 1 day
        horizon: 40 days
        no_show: 2
        moves: {times: 20, until: 1 hour}
    workflow:
      start: cle
      states:
        cle: {label: Visite, attend: remise, due: 60 days, then: accorde, late: classe, missed: classe}
        accorde: {label: Accordé, end: granted}
        classe: {label: Classé, end: abandoned}
    scenarios:
      venu: {story: Une visite, steps: [{book: {remise: 2026-12-01 08:30}}, {visit: attended, then: accorde}]}
    """,
    "visite",
)


def later(*edits: tuple[str, str]) -> Any:
    text = KIOSK.replace("edition: 1", "edition: 2")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return compiled(text, "visite.yaml")


def opened(folder: Path, patch: pytest.MonkeyPatch, store: Store | None = None) -> World:
    patch.setattr(worlds, "shipped", lambda: Catalogue.of([compiled(KIOSK, "visite.yaml")], the_shared()))
    return a_world(folder, store)


def visitor(world: World, number: int) -> Dossier:
    return world.sent("visite", world.applicant(f"+2289000001{number}"))


def renamed_and_moved(world: World) -> None:
    publish(world, later(("remise", "rdv"), ("scenarios:", "migrate:\n  1: {remise: rdv}\nscenarios:")))
    assert len(migrate(world.office, "visite", 2).moved) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_past_visit_follows_its_dossier_to_the_new_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = opened(tmp_path, monkeypatch, an_empty_store() if kind == "postgresql" else None)
    dossier = world.booked(visitor(world, 0), "remise")
    start = dossier.bookings["remise"].start
    world.wait(days=2)
    mayor = world.agent("maire", "mairie/maire")
    bookings.mark(world.office, mayor, dossier.id, "remise", "missed")
    renamed_and_moved(world)
    assert fsck(world.office) == ()
    (line,) = bookings.day(world.office, mayor, start.date())
    assert (line.dossier.id, line.booking.appointment, line.booking.status) == (dossier.id, "rdv", "missed")


def test_who_waits_for_a_seat_still_waits_under_the_new_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = opened(tmp_path, monkeypatch)
    dossier = visitor(world, 0)
    owner = world.owner(dossier)
    wait_for_seat(world.office, owner, dossier.id, "remise", "mairie_golfe_1")
    renamed_and_moved(world)
    assert waits_at(world.office, owner, dossier.id, "rdv") == "mairie_golfe_1"
    other = world.booked(visitor(world, 1), "rdv")
    bookings.cancel_booking(world.office, world.owner(other), other.id, "rdv")
    assert len([body for body in world.letters("+22890000010") if "visit.freed" in body]) == 1, "told of a free seat"
