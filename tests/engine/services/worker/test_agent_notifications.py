"""Agents told what waits for them: how many, never whom; as they wish, once each, on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.core.values import group_number, new_id
from engine.domain.messages.preferences import AgentNotifications
from engine.model.roles import role_key
from engine.records.dossier import Account, Actor, OutboundMessage
from engine.services.accounts.supervision import set_absence
from engine.services.applications import casework
from engine.services.applications.messages import write_message
from engine.services.context.app_context import NotFound
from engine.services.worker import agent_notifications as tidings
from engine.services.worker.agent_notifications import choose_notifications, notify_agents, own_notifications
from engine.services.worker.worker import run_pass
from renderers.i18n.translations import load_words
from tests.engine.services.world import PASSPORT, PHONE, World, a_world
from tests.postgres import an_empty_store

SEVEN = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)  # a Tuesday, on the country's clocks
MAIL = "controle@dgdn.example"
PERMIT = "permis-de-construire"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = an_empty_store() if request.param == "postgresql" else None
    world = a_world(tmp_path, store)
    world.office = replace(world.office, wording=load_words())
    yield world
    world.office.store.close()


def checker(world: World, how: str = "daily", login: str = "controleur") -> Actor:
    """Somebody who checks passports, and how they wish to be told; the letter that welcomes their address aside."""
    agent = world.agent(login, "dgdn/controleur")
    choose_notifications(world.office, agent, how, MAIL if login == "controleur" else f"{login}@dgdn.example", "fr")
    return agent


def told(world: World, to: str = MAIL) -> list[OutboundMessage]:
    """What came to an address, oldest first, its no-break spaces made plain."""
    letters = world.read(lambda unit: unit.letters_to(to, 100))
    return [
        replace(one, body=one.body.replace("\xa0", " ")) for one in reversed(letters) if "welcome" not in one.dedupe
    ]


class TestMornings:
    def test_at_seven_it_says_how_many_and_nothing_of_anybody(self, world: World) -> None:
        checker(world)
        dossier = world.sent(PASSPORT)
        world.sent(PASSPORT, world.applicant("+22890112234"))
        write_message(world.office, world.owner(dossier), dossier.id, "Mon acte arrive demain")
        world.clock.instant = SEVEN - timedelta(seconds=1)
        assert notify_agents(world.office) == 0
        world.clock.instant = SEVEN
        assert notify_agents(world.office) == 1
        (letter,) = told(world)
        assert (letter.channel, letter.dossier, letter.subject) == (
            "email",
            None,
            "Ce qui vous attend, 24\xa0novembre\xa02026",
        )
        assert "À prendre : 2" in letter.body
        assert "Messages sans réponse : 1" in letter.body
        assert "http://localhost:8000/agent\n" in letter.body
        for secret in (
            dossier.number,
            group_number(dossier.number),
            "AMEGAN",
            "Afi",
            PHONE,
            "acte arrive",
            "Passeport",
        ):
            assert secret not in letter.subject + letter.body

    def test_once_a_day_whoever_makes_the_tour(self, world: World) -> None:
        checker(world)
        world.sent(PASSPORT)
        world.clock.instant = SEVEN
        for _ in range(3):
            run_pass(world.office)
            world.wait(hours=1)
        assert len(told(world)) == 1
        world.clock.instant = SEVEN + timedelta(days=1)
        run_pass(world.office)
        assert len(told(world)) == 2

    def test_after_a_stop_it_is_told_as_soon_as_there_is_a_worker(self, world: World) -> None:
        checker(world)
        world.sent(PASSPORT)
        world.clock.instant = SEVEN + timedelta(hours=9)
        assert notify_agents(world.office) == 1

    def test_nothing_on_days_off_nor_when_nothing_waits_nor_when_away(self, world: World) -> None:
        away, idle = checker(world), world.agent("production", "dgdn/production")
        choose_notifications(world.office, idle, "daily", "livrets@dgdn.example", "fr")
        world.sent(PASSPORT)
        world.clock.instant = datetime(2026, 11, 28, 8, tzinfo=UTC)  # a Saturday
        assert notify_agents(world.office) == 0
        leader = Actor("agent", "chef", administers=frozenset({"dgdn"}))
        set_absence(world.office, leader, away.id, SEVEN.date(), SEVEN.date() + timedelta(days=9))
        world.clock.instant = datetime(2026, 11, 30, 8, tzinfo=UTC)
        assert notify_agents(world.office) == 0
        assert told(world) == told(world, "livrets@dgdn.example") == []

    def test_many_agents_are_told_turn_after_turn(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tidings, "AT_ONCE", 2)
        for n in range(5):
            checker(world, login=f"agent{n}")
        world.sent(PASSPORT)
        world.clock.instant = SEVEN
        assert [notify_agents(world.office) for _ in range(4)] == [2, 2, 1, 0]
        assert all(len(told(world, f"agent{n}@dgdn.example")) == 1 for n in range(5))

    def test_visits_of_the_day_are_counted(self, world: World) -> None:
        desk, agent = world.agent("guichet", "dgdn/guichet"), world.agent("c", "dgdn/controleur")
        choose_notifications(world.office, desk, "daily", "guichet@dgdn.example", "fr")
        dossier = world.take(world.sent(PASSPORT), agent, "conforme")
        dossier = world.booked(world.paid(dossier), "depot")
        (visit,) = dossier.bookings.values()
        world.clock.instant = visit.start.replace(hour=7, minute=5)
        assert notify_agents(world.office) == 1
        assert "Rendez-vous aujourd’hui : 1" in told(world, "guichet@dgdn.example")[0].body

    def test_a_closed_account_and_a_role_that_ended_are_told_nothing(self, world: World) -> None:
        gone, moved = checker(world), checker(world, login="parti")
        world.sent(PASSPORT)
        with world.office.store.unit(write=True) as unit:
            unit.put_account(replace(_account(unit.account(gone.id)), disabled=True))
            unit.put_account(replace(_account(unit.account(moved.id)), roles=("obac/service",)))
        world.clock.instant = SEVEN
        assert notify_agents(world.office) == 0


class TestSoon:
    def test_a_message_is_told_to_whose_hands_the_dossier_is_in(self, world: World) -> None:
        mine, other = checker(world, "soon"), checker(world, "soon", "autre")
        dossier = world.sent(PASSPORT)
        casework.assign(world.office, mine, dossier.id, mine.id, token=new_id())
        world.wait(minutes=10)
        notify_agents(world.office)  # the morning's; from now on, news
        world.wait(minutes=1)
        write_message(world.office, world.owner(dossier), dossier.id, "Un mot de plus")
        assert notify_agents(world.office) == 0  # a moment later, with what else comes
        world.wait(minutes=8)
        assert notify_agents(world.office) == 1
        *_, letter = told(world)
        assert letter.subject == "Du nouveau à traiter"
        assert "Messages sans réponse : 1" in letter.body
        assert dossier.number not in letter.body
        assert not [one for one in told(world, "autre@dgdn.example") if one.subject == letter.subject]
        assert other.id != mine.id
        world.wait(minutes=8)
        assert notify_agents(world.office) == 0

    def test_what_was_read_meanwhile_is_not_told(self, world: World) -> None:
        mine = checker(world, "soon")
        dossier = world.sent(PASSPORT)
        world.wait(minutes=10)
        notify_agents(world.office)
        world.wait(minutes=1)
        write_message(world.office, world.owner(dossier), dossier.id, "Un mot")
        write_message(world.office, mine, dossier.id, "Bien reçu")
        world.wait(minutes=8)
        assert notify_agents(world.office) == 0

    def test_a_request_and_its_correction_are_told_to_those_who_check(self, world: World) -> None:
        agent = checker(world, "soon")
        notify_agents(world.office)
        world.wait(minutes=1)
        dossier = world.sent(PASSPORT)
        world.wait(minutes=8)
        assert notify_agents(world.office) == 1
        assert "Nouveaux dossiers, corrections ou avis à traiter : 1" in told(world)[0].body
        act = casework.Act("faire_corriger", reason="Illisible", correction={"cni": "Illisible"})
        casework.take_transition(world.office, agent, dossier.id, act, token=new_id())
        world.wait(minutes=8)
        assert notify_agents(world.office) == 0  # it waits for somebody else

    def test_what_somebody_did_themself_is_no_news(self, world: World) -> None:
        """Who checks takes the dossier to a state that waits for the same role again: they know."""
        agent = checker(world, "soon")
        notify_agents(world.office)
        world.wait(minutes=1)
        dossier = world.sent(PASSPORT)
        world.take(dossier, agent, "refuser", reason="Non")
        world.take(dossier, world.owner(dossier), "contester", reason="Si")
        world.wait(minutes=8)
        notify_agents(world.office)
        assert len(told(world)) <= 1

    def test_an_opinion_wanted_is_told_to_its_service(self, world: World) -> None:
        book = world.office.catalogue.procedures[PERMIT]
        reader, other = world.agent("voirie", "mairie/voirie"), world.agent("feu", "sapeurs_pompiers/prevention")
        for agent in (reader, other):
            choose_notifications(world.office, agent, "soon", f"{agent.id.split()[1]}@mairie.example", "en")
        dossier = world.sent(PERMIT)
        (way,) = (one for one in book.leaving[dossier.state] if one.id == "recevoir")
        dossier = world.take(dossier, world.agent("greffe", role_key(book, way.by[0])), "recevoir")
        world.wait(minutes=10)
        assert notify_agents(world.office) == 0
        world.wait(minutes=1)
        assert reader.roles <= set(world.paid(dossier).awaits or ())
        world.wait(minutes=8)
        assert notify_agents(world.office) == 1
        assert "opinions to handle: 1" in told(world, "voirie@mairie.example")[0].body
        assert told(world, "feu@mairie.example") == []


class TestWishing:
    def test_without_a_word_an_address_that_signs_in_is_told_each_morning(self, world: World) -> None:
        agent = world.agent("a.koffi@dgdn.example", "dgdn/controleur")
        assert own_notifications(world.office, agent) == AgentNotifications("daily", "a.koffi@dgdn.example")
        assert own_notifications(world.office, world.agent("sans", "dgdn/controleur")) == AgentNotifications(
            "daily", ""
        )

    def test_a_new_address_is_written_to_at_once(self, world: World) -> None:
        agent = world.agent("controleur", "dgdn/controleur")
        choose_notifications(world.office, agent, "daily", f"  {MAIL.upper()} ", "en")
        (letter,) = world.read(lambda unit: unit.letters_to(MAIL, 10))
        assert letter.subject == "You will be told at this address"
        choose_notifications(world.office, agent, "soon", MAIL, "en")
        assert len(world.read(lambda unit: unit.letters_to(MAIL, 10))) == 1
        assert own_notifications(world.office, agent) == AgentNotifications("soon", MAIL, "en")

    @pytest.mark.parametrize(("typed", "code"), [("", "email_missing"), ("a.koffi", "email_format")])
    def test_an_address_is_asked_for(self, world: World, typed: str, code: str) -> None:
        agent = world.agent("controleur", "dgdn/controleur")
        with pytest.raises(Refused) as refused:
            choose_notifications(world.office, agent, "daily", typed, "fr")
        assert refused.value.reason.code == code
        assert choose_notifications(world.office, agent, "never", "", "fr") == AgentNotifications("never", "")

    def test_it_is_an_agents_own(self, world: World) -> None:
        for other in (world.applicant(), world.auditor()):
            with pytest.raises(NotFound):
                own_notifications(world.office, other)

    def test_an_absence_said_by_another_keeps_the_wish(self, world: World) -> None:
        agent = checker(world, "soon")
        leader = Actor("agent", "chef", administers=frozenset({"dgdn"}))
        set_absence(world.office, leader, agent.id, SEVEN.date(), SEVEN.date())
        set_absence(world.office, leader, agent.id, None, None)
        assert own_notifications(world.office, agent).soon


def _account(account: Account | None) -> Account:
    assert account is not None
    return account
