"""Over a socket, from several addresses: how many requests one person sends to agents, each with its SMS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.core.values import Plain, new_id
from engine.domain.appointments.appointments import Slot
from engine.records.dossier import Account, Actor, Dossier
from engine.services.accounts import delegation as representation
from engine.services.applications import draft_answers
from engine.services.applications import drafts as intake
from engine.services.appointments import bookings
from engine.services.sign_in.applicant_sign_in import applicant_known_by
from engine.services.sign_in.sessions import open_session
from engine.storage.sqlite.store import SqliteStore
from renderers.i18n.translations import load_words
from server import Settings, create_app
from tests.engine.services.accounts.test_delegation import administrator, company
from tests.engine.services.world import B3, PHONE, World, a_world
from tests.web.account.test_lockout import Browser
from tests.web.socket_server import fronting

HERE, THERE = "127.0.0.11", "127.0.0.12"


@dataclass
class Site:
    world: World
    port: int

    def account(self, kind: str, value: str) -> Account:
        with self.world.office.store.unit(write=True) as unit:
            found = applicant_known_by(unit, kind, value, self.world.office.now())  # type: ignore[arg-type]
        self.world.people[found.id] = found.actor()
        return found

    def sends(
        self, account: Account, address: str, owner: Actor | None = None, mandate: str = "", **given: Plain
    ) -> int:
        """The status of a request that is declared and sent: 303 once it is."""
        office = self.world.office
        dossier = self.world.filled(B3, owner or account.actor(), **given)
        with office.store.unit(write=True) as unit:
            token = open_session(office, unit, account, office.now()).token
        browser = Browser(self.port, address, {"guichet": token})
        if mandate:
            browser.send("/compte/agir", at="/compte/entreprises", mandate=mandate)
        status = browser.send(f"/dossiers/{dossier.number}/verification", declared="1").status
        sent = not self.world.kept(dossier).is_draft
        assert sent == (status == 303)
        return status


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(draft_answers, "SENT_A_DAY", 3)
    monkeypatch.setattr(draft_answers, "SENT_PER_ADDRESS", 4)
    world = a_world(tmp_path, SqliteStore(tmp_path / "guichet.db"))
    world.office = replace(world.office, wording=load_words())
    with fronting(create_app(Settings(data=tmp_path), world.office, world.operator)) as port:
        yield Site(world, port)


def test_one_person_sends_so_many_requests_a_day_from_wherever(site: Site) -> None:
    afi, koffi = site.account("phone", PHONE), site.account("phone", "+22891223344")
    assert [site.sends(afi, address) for address in (HERE, THERE, HERE, THERE)] == [303, 303, 303, 429]
    assert site.sends(koffi, HERE) == 303, "other people at the same address send theirs"
    site.world.wait(days=1, hours=2)
    assert site.sends(afi, HERE) == 303


def test_accounts_without_a_telephone_share_a_limit_at_one_address(site: Site) -> None:
    free = [site.account("email", f"x{number}@exemple.tg") for number in range(3)]
    assert [site.sends(free[turn % 2], HERE) for turn in range(5)] == [303, 303, 303, 303, 429]
    assert site.sends(free[2], HERE) == 429
    assert site.sends(free[2], THERE) == 303
    assert site.sends(site.account("phone", PHONE), HERE) == 303


@pytest.mark.parametrize("email", ["+22890112233@exemple.tg", "+22890112233/1@exemple.tg", "+afi@exemple.tg"])
def test_an_address_that_begins_as_a_telephone_number_opens_no_account(site: Site, email: str) -> None:
    """Such a login counted as a proven telephone: none of the limits of free accounts, and SMS that were never asked."""
    browser = Browser(site.port, HERE)
    assert browser.send("/connexion/courriel", email=email).status == 422
    assert not site.world.read(lambda unit: unit.letters_to(email))


def test_who_acts_for_an_accepted_company_sends_as_many_as_it_has(site: Site) -> None:
    afi, office = site.account("phone", PHONE), site.world.office
    asked = company(site.world, afi.actor())
    representation.check(office, administrator(site.world), asked.id, True, name="SOTOGO")
    owner = site.world.read(lambda unit: unit.account(asked.principal))
    site.world.people[owner.id] = owner.actor()
    assert [site.sends(afi, HERE, owner.actor(), asked.id) for _ in range(5)] == [303] * 5


def test_a_stranger_is_not_written_to_at_an_address_that_others_typed(site: Site) -> None:
    """An account of an e-mail address costs nothing: each of its requests wrote to whomever it named."""
    free = site.account("email", "x@exemple.tg")
    assert [site.sends(free, HERE, email="afi@exemple.tg") for _ in range(3)] == [303] * 3
    assert len(site.world.read(lambda unit: unit.letters_to("x@exemple.tg", 100))) == 3
    assert site.world.read(lambda unit: unit.letters_to("afi@exemple.tg", 100)) == ()


# -- appointments that nothing precedes --------------------------------------------------------------------------------

CARD, ENROLMENT = "carte-nationale-identite", "enrolement_sur_place"


def waits_for_visit(site: Site, account: Account, acting: Actor | None = None) -> tuple[Dossier, list[Slot]]:
    """A request whose first state waits for the visit, and the free hours of the first day."""
    office, owner = site.world.office, acting or account.actor()
    site.world.people[owner.owns] = owner
    dossier = site.world.filled(CARD, owner)
    dossier = intake.submit(office, owner, dossier.id, declared=True, token=new_id())
    [day, *_] = bookings.slots(office, owner, dossier.id, ENROLMENT, limit=100).days
    return dossier, list(day.slots)


def books(site: Site, account: Account, dossier: Dossier, slot: Slot, address: str, mandate: str = "") -> int:
    office = site.world.office
    with office.store.unit(write=True) as unit:
        token = open_session(office, unit, account, office.now()).token
    browser = Browser(site.port, address, {"guichet": token})
    if mandate:
        browser.send("/compte/agir", at="/compte/entreprises", mandate=mandate)
    page = f"/dossiers/{dossier.number}/rendez-vous"
    return browser.send(page, at="/deconnexion", bureau=slot.office, start=slot.start.isoformat()).status


def booked_on(site: Site, day: date) -> int:
    start = datetime.combine(day, time(), UTC)
    return len(site.world.read(lambda unit: unit.bookings_on(["cni_lome"], start, start + timedelta(days=1))))


def test_accounts_without_a_telephone_leave_most_of_a_day_to_others(site: Site) -> None:
    """Each at an address of its own: they booked an office of thirty-two seats out before lunch."""
    day = site.world.office.day() + timedelta(days=1)
    heard = []
    for number in range(10):
        free = site.account("email", f"y{number}@exemple.tg")
        dossier, slots = waits_for_visit(site, free)
        heard.append(books(site, free, dossier, slots[0], f"127.0.1.{number + 1}"))
    assert heard == [303] * 8 + [409] * 2
    assert booked_on(site, day) == 8
    afi = site.account("phone", PHONE)
    dossier, slots = waits_for_visit(site, afi)
    assert books(site, afi, dossier, slots[0], HERE) == 303, "who has a telephone"
    assert booked_on(site, day) == 9


def test_nor_does_a_telephone_book_for_those_who_gave_it_a_mandate(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One number took fifty seats for the five e-mail accounts of a day. For a child that it declared, it still does."""
    monkeypatch.setattr(draft_answers, "SENT_A_DAY", 40)
    afi, office, heard = site.account("phone", PHONE), site.world.office, []
    for number in range(5):
        free = site.account("email", f"w{number}@exemple.tg")
        given = representation.give(office, free.actor(), "", PHONE, "manager")
        acting = representation.acting_for(office, afi.actor(), given.id)
        for turn in range(2):
            dossier, slots = waits_for_visit(site, free, acting)
            assert site.world.kept(dossier).contact_phone == PHONE
            heard.append(books(site, afi, dossier, slots[0], f"127.0.{turn + 1}.{number + 1}", given.id))
    assert heard == [303] * 8 + [409] * 2
    names = {"family_name": "AMEGAN", "given_names": "Kossi"}
    child = representation.declare_child(office, afi.actor(), names, office.day() - timedelta(days=3000))
    acting = representation.acting_for(office, afi.actor(), child.id)
    dossier, slots = waits_for_visit(site, afi, acting)
    assert books(site, afi, dossier, slots[0], HERE, child.id) == 303


def test_nor_do_they_move_to_that_day_or_hold_its_seats(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookings, "SHARE_OF_DAY", 16)
    office, asked = site.world.office, []
    for number in range(3):
        free = site.account("email", f"z{number}@exemple.tg")
        asked.append((free, *waits_for_visit(site, free)))
    later = bookings.slots(office, asked[2][0].actor(), asked[2][1].id, ENROLMENT, limit=100).days[1].slots[0]
    for (free, dossier, _), slot in zip(asked, (asked[0][2][0], asked[1][2][1], later), strict=True):
        assert books(site, free, dossier, slot, HERE) == 303
    free, dossier, slots = asked[2]
    assert books(site, free, dossier, slots[2], HERE) == 409
    with pytest.raises(Refused, match="seats_shared"):
        bookings.hold_slot(office, free.actor(), dossier.id, ENROLMENT, slots[2].office, slots[2].start, client=HERE)
    first, mine, hours = asked[0]
    assert books(site, first, mine, hours[3], HERE) == 303, "within the day one moves"
