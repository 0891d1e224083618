"""Two people at the same thing at the same moment, on both stores: what ended stays ended, what was taken away stays away.

Each test stops one of them between reading and writing, lets the other go as far as it can, and lets the first go on."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.domain.messages.preferences import NotificationPreferences, wishes_of
from engine.records.dossier import SYSTEM_ACTOR, Account, Actor
from engine.services.accounts import agents as people
from engine.services.accounts import applicant_account as own_account
from engine.services.accounts import assistance
from engine.services.accounts import delegation as representation
from engine.services.accounts.agents import Person
from engine.services.applications.attachments import Upload
from engine.services.context.app_context import NotFound
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in import sessions
from engine.services.sign_in import unverified_drafts as claims
from engine.services.worker import agent_notifications as tidings
from engine.storage.results import Conflict
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.services.world import World, a_world, pdf
from tests.postgres import an_empty_store

pytestmark = pytest.mark.slow  # a database for each

A_MOMENT = 0.5  # seconds that the second is given; held up, it goes on when the first is done


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store: Store = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield a_world(tmp_path, store)
    store.close()


def crossing(patch: pytest.MonkeyPatch, module: Any, name: str, other: Callable[[], object]) -> threading.Thread:
    """While the first calls this function, the other does all it can."""
    thread, real = threading.Thread(target=other), getattr(module, name)

    def between(*given: Any, **more: Any) -> Any:
        if thread.ident is None:
            thread.start()
            thread.join(A_MOMENT)
        return real(*given, **more)

    patch.setattr(module, name, between)
    return thread


def agent_account(world: World) -> Account:
    given = people.add_person(world.office, SYSTEM_ACTOR, "agent", "ama", Person("A. Mensah", {"dgdn/guichet": None}))
    return given.account


def test_whose_door_is_shut_does_not_open_it_by_a_wish(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = agent_account(world)
    closing = crossing(
        monkeypatch, tidings, "with_notifications", lambda: people.close_person(world.office, SYSTEM_ACTOR, account.id)
    )
    tidings.choose_notifications(world.office, account.actor(), "morning", "a@exemple.tg", "fr")
    closing.join()
    assert world.read(lambda unit: unit.account(account.id)).disabled


def test_rights_given_and_a_wish_are_both_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account, more = agent_account(world), Person("A. Mensah", {"dgdn/guichet": None, "dgdn/controleur": None})
    crossed = crossing(
        monkeypatch, people, "_with",
        lambda: tidings.choose_notifications(world.office, account.actor(), "morning", "a@exemple.tg", "fr"),
    )  # fmt: skip
    people.change_person(world.office, SYSTEM_ACTOR, account.id, more)
    crossed.join()
    assert set(world.read(lambda unit: unit.account(account.id)).roles) == set(more.roles)
    assert tidings.own_notifications(world.office, account.actor()).email == "a@exemple.tg"


DIRECTOR = "obac/directeur"  # one seat


@pytest.mark.parametrize("first", ["added", "changed"])
def test_two_at_once_do_not_take_the_last_seat_of_a_role(
    first: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, director = agent_account(world), Person("A. Mensah", {DIRECTOR: None})

    def other() -> None:
        with suppress(Refused):
            people.add_person(world.office, SYSTEM_ACTOR, "agent", "koffi", director)

    crossed = crossing(monkeypatch, people, "hash_secret" if first == "added" else "note_about", other)
    with suppress(Refused, Conflict):
        if first == "added":
            people.add_person(world.office, SYSTEM_ACTOR, "agent", "chef", director)
        else:
            people.change_person(world.office, SYSTEM_ACTOR, account.id, director)
    crossed.join()
    held = [one.login for one in world.read(lambda unit: unit.accounts("agent")) if DIRECTOR in one.roles]
    assert len(held) == 1


KOFFI = {"family_name": "KOFFI", "given_names": "Afi"}
ENGLISH = NotificationPreferences("en", email=False, reminders=True)


@pytest.mark.parametrize("first", ["profile", "wishes"])
def test_a_profile_and_wishes_kept_in_two_tabs_are_both_kept(
    first: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    afi = world.applicant()
    acts = {
        "profile": lambda: own_account.save_profile(world.office, afi, KOFFI),
        "wishes": lambda: own_account.save_wishes(world.office, afi, ENGLISH),
    }
    second = next(name for name in acts if name != first)
    crossed = crossing(monkeypatch, own_account, "replace", acts[second])
    acts[first]()
    crossed.join()
    account = world.read(lambda unit: unit.account(afi.id))
    assert account.profile["family_name"] == "KOFFI"
    assert wishes_of(account).language == "en"


def test_an_account_erased_in_another_tab_is_not_written_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    afi = world.applicant()
    own_account.save_profile(world.office, afi, KOFFI)
    crossed = crossing(monkeypatch, own_account, "vouched", lambda: own_account.erase_own(world.office, afi))
    own_account.save_profile(world.office, afi, KOFFI)
    crossed.join()
    account = world.read(lambda unit: unit.account(afi.id))
    assert (account.disabled, account.name, dict(account.profile)) == (True, "", {})


def test_what_was_begun_and_forgotten_does_not_come_back_with_another_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    signed = claims.go_on_unproven(world.office, "90112299")
    actor = sessions.actor_of(world.office, signed.token)
    assert actor is not None
    crossed = crossing(monkeypatch, claims, "replace", lambda: claims.forsake(world.office, signed.token))
    claims.claim_other(world.office, actor, "90112298")
    crossed.join()
    account = world.read(lambda unit: unit.account(actor.id))
    assert account.disabled
    assert not account.is_claimed


def test_a_mandate_taken_back_while_its_holder_signs_in_stays_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    afi, phone = world.applicant(), "+22891445566"
    mandate = representation.give(world.office, afi, "", phone, "agent")
    koffi = world.applicant(phone)
    with world.office.store.unit(write=True) as unit:
        unit.put_mandate(replace(mandate, holder=""))
    crossed = crossing(
        monkeypatch, representation, "replace", lambda: representation.end(world.office, afi, mandate.id)
    )  # fmt: skip
    representation.held(world.office, koffi)
    crossed.join()
    assert world.read(lambda unit: unit.mandate(mandate.id)).status == "ended"


def test_who_signed_out_stays_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = agent_account(world)
    with world.office.store.unit(write=True) as unit:
        token = sessions.open_session(world.office, unit, account, world.office.now()).token
    world.wait(minutes=2)
    leaving = crossing(monkeypatch, sessions, "replace", lambda: sessions.sign_out(world.office, token))
    sessions.actor_of(world.office, token)  # notes that the session was seen
    leaving.join()
    monkeypatch.undo()
    assert sessions.actor_of(world.office, token) is None


def test_help_that_ended_stays_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = world.agent("clerk", "sncja/greffier_en_chef", "dgdn/guichet")
    assistance.help_on_paper(world.office, agent, "LEE", "Ama", signed=True)
    world.wait(minutes=2)
    ending = crossing(monkeypatch, assistance, "_keep", lambda: assistance.end_assistance(world.office, agent))
    assistance.assistance_of(world.office, agent)  # notes that it goes on
    ending.join()
    assert assistance.assistance_of(world.office, agent) is None


def test_a_request_of_who_left_the_counter_is_not_the_next_ones(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent begins a request in one tab, and helps somebody else in another."""
    agent = world.agent("clerk", "dgdn/guichet")
    assistance.help_on_paper(world.office, agent, "LEE", "Ama", signed=True)
    slug = next(iter(assistance.received_by(world.office, agent)))
    real = assistance.open_dossier

    def opened(*given: Any, **more: Any) -> Any:
        found = real(*given, **more)
        assistance.help_on_paper(world.office, agent, "KOFFI", "Yao", signed=True)
        return found

    monkeypatch.setattr(assistance, "open_dossier", opened)
    monkeypatch.setattr("engine.services.applications.drafts._eligible", lambda *given: {})
    with pytest.raises(NotFound):
        assistance.begin_request(world.office, agent, slug, {}, "fr", None)
    now = assistance.assistance_of(world.office, agent)
    assert now is not None
    assert now.dossiers == ()


def test_two_people_who_name_one_new_company_at_once_both_ask(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw no such company: the second to save one had an error and lost its mandate."""
    afi, ama = world.applicant(), world.applicant("+22890112299")

    def ask(who: Actor) -> representation.Mandate:
        return representation.declare_company(world.office, who, "TG-LOM 2024 B 7", "SOTOGO", Upload("rccm.pdf", pdf()))

    asked: list[representation.Mandate] = []
    other = crossing(monkeypatch, representation, "replace", lambda: asked.append(ask(ama)))
    asked.append(ask(afi))
    other.join()
    assert len({one.principal for one in asked}) == 1
    assert {one.status for one in asked} == {"to_check"}


def test_a_person_is_asked_once_by_a_double_click(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    afi, phone = world.applicant(), "+22891445566"

    def again() -> None:
        with suppress(Refused):
            representation.ask_person(world.office, afi, phone, "Afi")

    second = crossing(monkeypatch, representation, "too_many_invitations", again)
    representation.ask_person(world.office, afi, phone, "Afi")
    second.join()
    assert len(world.read(lambda unit: unit.mandates_held(afi.id))) == 1


def test_the_first_sign_in_of_a_number_in_two_browsers_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both looked for an account, both made one, and the second to save had an error."""
    phone, signed = "+22891445566", []

    def enter(mark: str) -> None:
        code = re.search(r"\d{6}", codes[mark])
        assert code
        signed.append(accounts.check_code(world.office, phone, code[0], mark=mark))

    codes = {}
    for mark in ("one", "other"):
        accounts.send_code(world.office, phone, mark=mark)
        codes[mark] = world.letters(phone)[-1]
        world.wait(minutes=1)
    second = crossing(monkeypatch, accounts, "new_id", lambda: enter("other"))
    enter("one")
    second.join()
    assert len({one.actor.id for one in signed}) == 1
    assert len(signed) == 2
