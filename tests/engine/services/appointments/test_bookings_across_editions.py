"""Appointments that a later edition changes: another name, another length, other hours, fewer desks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.language.catalogue.catalogue import Catalogue
from engine.operations.migration import migrate
from engine.records.dossier import Dossier
from engine.services.appointments import bookings, office_day
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
    (line,) = office_day.day(world.office, mayor, start.date())
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


def starts(world: World, dossier: Dossier) -> list[str]:
    """The free hours of the first day."""
    sheet = bookings.slots(world.office, world.owner(dossier), dossier.id, "remise", limit=100)
    return [f"{one.start:%H:%M}" for one in sheet.days[0].slots]


def book(world: World, dossier: Dossier, hour: str) -> Dossier:
    start = datetime(2026, 11, 24, *map(int, hour.split(":")), tzinfo=UTC)
    return bookings.book_slot(world.office, world.owner(dossier), dossier.id, "remise", "mairie_golfe_1", start)


ONE_DESK = ("desks: 2", "desks: 1")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("edits", "taken", "wanted", "free"),
    [
        ([("30 minutes", "1 hour")], "08:30", "08:00", ["09:00", "10:00", "11:00"]),  # ends within a longer one
        ([("08:00-12:00", "08:15-10:15")], "08:30", "08:45", ["09:15", "09:45"]),  # begins at other minutes
        ([("30 minutes", "15 minutes"), ("12:00", "09:00")], "08:30", "08:45", ["08:00", "08:15"]),  # shorter ones
    ],
    ids=["longer", "shifted", "shorter"],
)
def test_a_visit_of_a_former_edition_keeps_its_desk_for_its_whole_time(
    edits: list[tuple[str, str]], taken: str, wanted: str, free: list[str], kind: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(f"{__name__}.KIOSK", KIOSK.replace(*ONE_DESK))
    world = opened(tmp_path, monkeypatch, an_empty_store() if kind == "postgresql" else None)
    book(world, visitor(world, 0), taken)
    publish(world, later(*edits))
    dossier = visitor(world, 1)
    assert dossier.edition == 2
    assert starts(world, dossier) == free
    with pytest.raises(Refused, match="slot_full"):
        book(world, dossier, wanted)
    with pytest.raises(Refused, match="slot_full"):
        bookings.hold_slot(
            world.office, world.owner(dossier), dossier.id, "remise", "mairie_golfe_1",
            datetime(2026, 11, 24, *map(int, wanted.split(":")), tzinfo=UTC),
        )  # fmt: skip
    book(world, dossier, free[0])
    assert fsck(world.office) == ()


def test_a_longer_visit_of_a_later_edition_keeps_its_desk_from_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.KIOSK", KIOSK.replace(*ONE_DESK))
    world = opened(tmp_path, monkeypatch)
    earlier = visitor(world, 0)
    publish(world, later(("30 minutes", "1 hour")))
    book(world, visitor(world, 1), "08:00")
    assert starts(world, earlier)[:2] == ["09:00", "09:30"]
    with pytest.raises(Refused, match="slot_full"):
        book(world, earlier, "08:30")
    assert book(world, earlier, "09:00").bookings["remise"].status == "booked"


def test_fewer_desks_let_nobody_in_beside_those_who_have_booked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first desk is free again, the second one is booked, and the office has one desk left."""
    world = opened(tmp_path, monkeypatch)
    first, second = visitor(world, 0), visitor(world, 1)
    assert [book(world, one, "08:00").bookings["remise"].seat for one in (first, second)] == [1, 2]
    bookings.cancel_booking(world.office, world.owner(first), first.id, "remise")
    publish(world, later(ONE_DESK))
    dossier = visitor(world, 2)
    assert starts(world, dossier)[0] == "08:30"
    with pytest.raises(Refused, match="slot_full"):
        book(world, dossier, "08:00")
