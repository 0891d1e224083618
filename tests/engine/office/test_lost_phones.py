"""A telephone that was lost: an agent checks who somebody is, the number before may say no, and the account follows."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from engine.office import accounts, lost_phones, own_account, timers
from engine.office.office import NotFound
from engine.problems import Refused
from engine.records.bodies import to_plain
from engine.records.dossier import Actor, Dossier
from engine.records.people import PhoneMove
from tests.engine.office.world import PASSPORT, PHONE, World

COUNTER, NEW = "dgdn/guichet", "+22891445566"


def code_in(world: World, to: str) -> str:
    found = re.search(r"code=([0-9]{6})", world.letters(to)[-1])
    assert found, world.letters(to)
    return found[1]


def asked(world: World, dossier: Dossier, agent: Actor, phone: str = NEW, former: str = PHONE) -> PhoneMove:
    accounts.send_move_code(world.office, phone)
    return lost_phones.ask_move(
        world.office, agent, dossier.number, former, phone, "passport", code_in(world, phone)
    )  # fmt: skip


def refused(act: Any, *given: Any) -> str:
    with pytest.raises(Refused) as closed:
        act(*given)
    return closed.value.reason.code


def signed_in(world: World, phone: str) -> Actor:
    world.wait(minutes=5)
    accounts.send_code(world.office, phone)
    return accounts.check_code(world.office, phone, code_in(world, phone)).actor


def test_after_three_days_everything_follows_the_new_number_and_the_old_one_lets_nobody_in(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    afi = signed_in(world, PHONE)
    move = asked(world, dossier, agent)
    assert world.kinds(dossier)[-1] == "number_asked"
    assert "move_asked" in world.letters(PHONE)[-1]
    world.wait(days=2, hours=23)
    timers.tour(world.office)
    assert own_account.own(world.office, afi).phone == PHONE, "nothing moves before its day"
    world.wait(hours=2)
    timers.tour(world.office)
    kept = world.kept(dossier)
    assert kept.contact_phone == NEW
    last = world.read(lambda unit: unit.entries(dossier.id))[-1]
    assert (last.kind, last.actor) == ("contact_changed", agent.id)
    assert not world.read(lambda unit: unit.sessions_of(afi.id)), "whoever found the telephone is out"
    assert world.read(lambda unit: unit.phone_move(move.account)) is None
    assert any("move_made" in said for said in world.letters(NEW))
    assert signed_in(world, NEW).id == afi.id
    assert signed_in(world, PHONE).id != afi.id
    assert NEW not in json.dumps([to_plain(one) for one in world.read(lambda unit: unit.entries(kept.id))])
    assert list(world.office.store.findings()) == []


def test_whoever_holds_the_number_before_may_say_no(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    asked(world, dossier, agent)
    koffi = world.applicant("+22890000010")
    assert lost_phones.move_waiting(world.office, koffi) is None
    with pytest.raises(NotFound):
        lost_phones.refuse_move(world.office, koffi)
    afi = signed_in(world, PHONE)
    assert lost_phones.move_waiting(world.office, afi) is not None
    lost_phones.refuse_move(world.office, afi)
    assert world.kinds(dossier)[-1] == "number_refused"
    assert "move_refused" in world.letters(NEW)[-1]
    world.wait(days=4)
    timers.tour(world.office)
    assert own_account.own(world.office, afi).phone == PHONE
    with pytest.raises(NotFound):
        lost_phones.refuse_move(world.office, afi)


def test_every_wrong_pair_gets_one_answer_and_tries_are_counted(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    look = lost_phones.holder_of
    assert look(world.office, agent, dossier.number, PHONE).label == dossier.label
    elsewhere = world.sent("casier-judiciaire-b3")
    for number, former in ((dossier.number, NEW), ("12345678901", PHONE), (elsewhere.number, PHONE), ("", PHONE)):
        assert refused(look, world.office, agent, number, former) == "lost_unknown"
    for _ in range(8):
        refused(look, world.office, agent, dossier.number, NEW)
    assert refused(look, world.office, agent, dossier.number, PHONE) == "too_many_tries"
    assert look(world.office, agent, dossier.number, PHONE, again=True).number == dossier.number


@pytest.mark.parametrize("role", ["dgdn/production", "sncja/greffier_en_chef", "mairie/maire"])
def test_only_who_receives_people_for_that_procedure_may_ask(world: World, role: str) -> None:
    dossier, agent = world.sent(PASSPORT), world.agent(role, role)
    with pytest.raises((NotFound, Refused)) as closed:
        asked(world, dossier, agent)
    assert isinstance(closed.value, NotFound) or closed.value.reason.code == "lost_unknown"
    assert world.read(lambda unit: unit.phone_move(dossier.owner)) is None


def test_the_code_is_read_from_the_new_telephone_and_serves_for_nothing_else(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    accounts.send_move_code(world.office, NEW)
    code = code_in(world, NEW)
    assert refused(accounts.check_code, world.office, NEW, code) == "code_expired", "nobody signs in with it"
    wrong = "000000" if code != "000000" else "111111"
    ask = lost_phones.ask_move
    for paper, phone, typed, why in (
        ("passport", NEW, wrong, "code_wrong"), ("", NEW, code, "paper_missing"), ("badge", NEW, code, "paper_missing"),
        ("passport", PHONE, code, "same_phone"),
    ):  # fmt: skip
        assert refused(ask, world.office, agent, dossier.number, PHONE, phone, paper, typed) == why
    ask(world.office, agent, dossier.number, PHONE, NEW, "passport", code)
    world.wait(minutes=5)
    assert refused(asked, world, dossier, agent, "+22891445577") == "move_waiting"


def test_a_number_with_requests_of_its_own_is_not_taken_over(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    world.draft(owner=world.applicant(NEW))
    assert refused(asked, world, dossier, agent) == "phone_taken"


def test_nor_when_its_requests_began_while_it_waited(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    asked(world, dossier, agent)
    world.draft(owner=world.applicant(NEW))
    world.wait(days=4)
    timers.tour(world.office)
    assert world.kept(dossier).contact_phone == PHONE
    assert "move_taken" in world.letters(NEW)[-1]
    assert world.read(lambda unit: unit.phone_move(dossier.owner)) is None


def test_its_owner_changes_the_number_first_or_leaves(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    asked(world, dossier, agent)
    afi = signed_in(world, PHONE)
    own_account.send_proof(world.office, "phone", "+22891445577")
    own_account.add_way(world.office, afi, "phone", "+22891445577", code_in(world, "+22891445577"))
    world.wait(days=4)
    timers.tour(world.office)
    assert own_account.own(world.office, afi).phone == "+22891445577"
    assert world.read(lambda unit: unit.phone_move(afi.id)) is None


def test_the_address_is_told_too(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    own_account.send_proof(world.office, "email", "afi@exemple.tg")
    afi = world.applicant()
    own_account.add_way(world.office, afi, "email", "afi@exemple.tg", code_in(world, "afi@exemple.tg"))
    world.wait(minutes=5)
    asked(world, dossier, agent)
    assert "move_asked" in world.letters("afi@exemple.tg")[-1]
