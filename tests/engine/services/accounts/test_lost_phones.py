"""A telephone that was lost: an agent checks who somebody is, the number before may say no, and the account follows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.records.codec import to_plain
from engine.records.dossier import Account, Actor, Dossier, OutboundMessage
from engine.records.people import Identifier, Mandate, PhoneMove
from engine.services.accounts import applicant_account as own_account
from engine.services.accounts import delegation, lost_phones
from engine.services.applications import drafts as intake
from engine.services.context.app_context import NotFound
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in import mail_links
from engine.services.sign_in.identity_provider import ASSURANCE, vouched
from engine.services.worker import worker as timers
from tests.engine.services.world import PASSPORT, PHONE, World

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
    timers.run_pass(world.office)
    world.wait(days=2, hours=23)
    timers.run_pass(world.office)
    assert own_account.own(world.office, afi).phone == PHONE, "nothing moves before its day"
    world.wait(hours=2)
    timers.run_pass(world.office)
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


def test_an_address_that_the_holder_of_the_stolen_telephone_added_does_not_sign_in_any_more(world: World) -> None:
    agent, dossier, thief = world.agent("g", COUNTER), world.sent(PASSPORT), "voleur@exemple.tg"
    afi = signed_in(world, PHONE)
    own_account.send_proof(world.office, "email", thief)
    own_account.add_identifier(world.office, afi, "email", thief, code_in(world, thief))
    asked(world, dossier, agent)
    timers.run_pass(world.office)
    world.wait(days=3, hours=1)
    timers.run_pass(world.office)
    assert (world.kept(dossier).contact_phone, world.kept(dossier).contact_email) == (NEW, None)
    assert "letter.email_changed.email" in world.letters(thief)[-1]
    mail = mail_links.send_link(world.office, thief)
    token = world.letters(thief)[-1].rpartition("/connexion/lien/")[2].split()[0].split(",")[0]
    assert mail_links.follow_link(world.office, token, mail.mark).actor.id != afi.id
    assert list(world.office.store.findings()) == []


def test_nor_does_an_identity_that_they_joined_and_its_name_may_be_changed(world: World) -> None:
    agent, dossier, afi = world.agent("g", COUNTER), world.sent(PASSPORT), signed_in(world, PHONE)
    with world.office.store.unit(write=True) as unit:
        account = unit.account_held(afi.id)
        assert account is not None
        unit.add_identifier(Identifier("provider", "voleur", afi.id, world.office.now()))
        confirmed = {"family_name": "VOLEUR", ASSURANCE: {"level": "high", "names": ["family_name"]}}
        unit.put_account(replace(account, profile=confirmed))
    asked(world, dossier, agent)
    timers.run_pass(world.office)
    world.wait(days=3, hours=1)
    timers.run_pass(world.office)
    kept = own_account.own(world.office, afi)
    assert (kept.phone, kept.providers, vouched(kept.account.profile)) == (NEW, (), (frozenset(), ""))
    assert list(world.office.store.findings()) == []


@pytest.mark.parametrize("phone", [NEW, PHONE], ids=["another number", "the same number on another card"])
def test_a_finder_who_changed_the_number_first_does_not_keep_the_account(world: World, phone: str) -> None:
    agent, dossier, finders = world.agent("g", COUNTER), world.sent(PASSPORT), "+22891445577"
    afi = signed_in(world, PHONE)
    own_account.send_proof(world.office, "phone", finders)
    own_account.add_identifier(world.office, afi, "phone", finders, code_in(world, finders))
    assert lost_phones.holder_of(world.office, agent, dossier.number, PHONE).changed
    assert refused(asked, world, dossier, agent, finders) == "same_phone"
    world.wait(minutes=5)
    move = asked(world, dossier, agent, phone)
    assert move.former == finders
    assert "move_asked" in world.letters(finders)[-1], "who has the number now may refuse"
    told_and_due(world)
    assert own_account.own(world.office, afi).phone == phone
    assert world.kept(dossier).contact_phone == phone
    assert not world.read(lambda unit: unit.sessions_of(afi.id))
    assert list(world.office.store.findings()) == []


def test_a_number_that_no_holder_changed_is_not_given_again(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    assert not lost_phones.holder_of(world.office, agent, dossier.number, PHONE).changed
    assert refused(lost_phones.check_new, PHONE, PHONE) == "same_phone"
    assert lost_phones.check_new(PHONE, PHONE, changed=True) == PHONE


def test_a_flood_of_messages_to_the_number_before_delays_nothing(world: World) -> None:
    """A stranger who knows the number may ask for sixty codes a day."""
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    afi = signed_in(world, PHONE)
    asked(world, dossier, agent)
    timers.run_pass(world.office)
    for number in range(150):
        world.wait(minutes=28)
        now = world.office.now()
        with world.office.store.unit(write=True) as unit:
            unit.add_letter(OutboundMessage(f"l{number}", None, "sms", PHONE, "", "", now, f"code/{number}", now))
    timers.run_pass(world.office)
    world.wait(hours=4)
    timers.run_pass(world.office)
    assert own_account.own(world.office, afi).phone == NEW


def test_a_stranger_who_invites_the_new_number_stops_nothing(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    afi, stranger = signed_in(world, PHONE), world.applicant("+22890000010")
    delegation.ask_person(world.office, stranger, NEW, "Kofi Mensah")
    asked(world, dossier, agent)
    delegation.give(world.office, stranger, "", NEW, "reader")
    timers.run_pass(world.office)
    world.wait(days=3, hours=1)
    timers.run_pass(world.office)
    assert own_account.own(world.office, afi).phone == NEW
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
    timers.run_pass(world.office)
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
    colleague = world.agent("colleague", COUNTER)
    assert look(world.office, colleague, dossier.number, PHONE).number == dossier.number, "counted by agent"


@pytest.mark.parametrize("role", ["dgdn/production", "sncja/greffier_en_chef", "mairie/maire"])
def test_only_who_receives_people_for_that_procedure_may_ask(world: World, role: str) -> None:
    dossier, agent = world.sent(PASSPORT), world.agent(role, role)
    with pytest.raises((NotFound, Refused)) as closed:
        asked(world, dossier, agent)
    assert isinstance(closed.value, NotFound) or closed.value.reason.code == "lost_unknown"
    assert world.read(lambda unit: unit.phone_move(dossier.owner)) is None


@pytest.mark.parametrize("own", [PHONE, NEW])
def test_no_agent_moves_an_account_from_or_to_their_own_number(world: World, own: str) -> None:
    dossier, agent = world.sent(PASSPORT), replace(world.agent("g", COUNTER), contacts=frozenset({own}))
    assert refused(asked, world, dossier, agent) == "own_dossier"
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
    again = ask(world.office, agent, dossier.number, PHONE, NEW, "passport", code)
    assert again == world.read(lambda unit: unit.phone_move(dossier.owner)), "pressed twice, it is one"
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
    told_and_due(world)
    assert world.kept(dossier).contact_phone == PHONE
    assert "move_stopped" in world.letters(NEW)[-1]
    assert world.read(lambda unit: unit.phone_move(dossier.owner)) is None


def test_no_number_is_changed_beside_while_another_waits(world: World) -> None:
    """Whoever found the telephone must refuse first, which is told."""
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    asked(world, dossier, agent)
    afi, other = signed_in(world, PHONE), "+22891445577"
    own_account.send_proof(world.office, "phone", other)
    add = own_account.add_identifier
    assert refused(add, world.office, afi, "phone", other, code_in(world, other)) == "move_waits"
    lost_phones.refuse_move(world.office, afi)
    world.wait(minutes=5)
    own_account.send_proof(world.office, "phone", other)
    add(world.office, afi, "phone", other, code_in(world, other))
    assert own_account.own(world.office, afi).phone == other


def test_an_account_is_not_erased_while_its_number_waits(world: World) -> None:
    agent, afi = world.agent("g", COUNTER), world.applicant()
    dossier = world.draft(PASSPORT, owner=afi)
    asked(world, dossier, agent)
    assert refused(own_account.erase_own, world.office, afi) == "move_waits"
    lost_phones.refuse_move(world.office, afi)
    assert "move_refused" in world.letters(NEW)[-1]
    assert own_account.erase_own(world.office, afi).drafts == 1


def told_and_due(world: World) -> None:
    """What is owed leaves, and three days go by."""
    timers.run_pass(world.office)
    world.wait(days=3, hours=2)
    timers.run_pass(world.office)


class TestTheDaysOfTheNumberBefore:
    """They run once it was told."""

    def test_a_worker_that_was_away_tells_first(self, world: World) -> None:
        agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
        asked(world, dossier, agent)
        world.wait(days=4)
        timers.run_pass(world.office)
        assert world.kept(dossier).contact_phone == PHONE, "told this minute"
        told_and_due(world)
        assert world.kept(dossier).contact_phone == NEW

    @pytest.mark.parametrize(("attempts", "moves"), [(1, True), (7, False)], ids=["no such number", "given up"])
    def test_what_was_never_told_is_told_again(self, world: World, attempts: int, moves: bool) -> None:
        agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
        move = asked(world, dossier, agent)
        with world.office.store.unit(write=True) as unit:
            now = world.office.now()
            for _ in range(attempts):
                claimed = unit.claim_letters(now, now)
            [letter] = [one for one in claimed if one.id == move.letter]
            unit.update_outbound_message(replace(letter, failed="unreachable"))
        world.wait(days=4)
        timers.run_pass(world.office)
        assert (world.kept(dossier).contact_phone == NEW) is moves
        if not moves:
            told_and_due(world)
            assert world.kept(dossier).contact_phone == NEW


def test_who_vouched_must_still_be_of_the_house_and_the_office_may_take_it_back(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    asked(world, dossier, agent)
    with world.office.store.unit(write=True) as unit:
        account = unit.account(agent.id)
        assert account
        unit.put_account(replace(account, disabled=True))
    told_and_due(world)
    assert (world.kept(dossier).contact_phone, world.kinds(dossier)[-1]) == (PHONE, "number_refused")
    colleague = world.agent("h", COUNTER)
    asked(world, dossier, colleague)
    assert lost_phones.holder_of(world.office, colleague, dossier.number, PHONE).waiting is not None
    lost_phones.stop_move(world.office, colleague, dossier.number, PHONE)
    told_and_due(world)
    assert world.kept(dossier).contact_phone == PHONE
    with pytest.raises(NotFound):
        lost_phones.stop_move(world.office, colleague, dossier.number, PHONE)


def test_one_that_fails_does_not_keep_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    first = world.sent(PASSPORT, world.applicant("+22890000010"))
    asked(world, first, agent, "+22891445588", "+22890000010")
    world.wait(minutes=1)
    asked(world, dossier, agent)
    change = lost_phones.change_phone

    def breaks(office: Any, unit: Any, account: Any, *given: Any) -> None:
        if account.login == "+22890000010":
            raise RuntimeError("a fault of ours")
        change(office, unit, account, *given)

    monkeypatch.setattr(lost_phones, "change_phone", breaks)
    before = world.kept(first).contact_phone
    told_and_due(world)
    assert (world.kept(first).contact_phone, world.kept(dossier).contact_phone) == (before, NEW)


class TestWhatTheAccountCarries:
    def test_dossiers_filled_for_others_and_mandates_that_waited_for_the_number(self, world: World) -> None:
        agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
        afi, now = world.applicant(), world.office.now()
        firm = Account("firm", "applicant", "SOCIETE", "company:TG-LOM-1")
        with world.office.store.unit(write=True) as unit:
            unit.put_account(firm)
            unit.put_mandate(Mandate("m1", firm.id, afi.id, "", "company", "manager", "active", afi.id, now))
            unit.put_mandate(Mandate("m2", firm.id, "", PHONE, "company", "manager", "active", afi.id, now))
        theirs = world.force(world.draft(), owner="firm", contact_phone=PHONE)
        asked(world, dossier, agent)
        told_and_due(world)
        assert world.kept(theirs).contact_phone == NEW
        assert {one.id for one in world.read(lambda unit: unit.mandates_held(afi.id))} == {"m1", "m2"}

    def test_a_number_with_an_address_is_somebodys_and_a_draft_given_up_is_nobodys(self, world: World) -> None:
        agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
        other = world.applicant(NEW)
        intake.drop_draft(world.office, other, world.draft(owner=other).id)
        with world.office.store.unit(write=True) as unit:
            unit.add_identifier(Identifier("email", "koffi@exemple.tg", other.id, world.office.now()))
        assert refused(asked, world, dossier, agent) == "phone_taken"
        with world.office.store.unit(write=True) as unit:
            unit.drop_identifier("email", "koffi@exemple.tg")
        world.wait(minutes=5)
        asked(world, dossier, agent)


def test_the_address_is_told_too(world: World) -> None:
    agent, dossier = world.agent("g", COUNTER), world.sent(PASSPORT)
    own_account.send_proof(world.office, "email", "afi@exemple.tg")
    afi = world.applicant()
    own_account.add_identifier(world.office, afi, "email", "afi@exemple.tg", code_in(world, "afi@exemple.tg"))
    world.wait(minutes=5)
    asked(world, dossier, agent)
    assert "move_asked" in world.letters("afi@exemple.tg")[-1]
