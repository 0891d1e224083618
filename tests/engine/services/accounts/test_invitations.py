"""What a stranger's telephone may be sent in the name of the administration, how often, and what who asks learns of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.problems import Refused
from engine.core.values import national
from engine.domain.common.names import LONGEST
from engine.domain.common.sms_policy import SmsPolicy
from engine.records.dossier import Actor
from engine.records.people import CHAIN, Mandate
from engine.services.accounts import delegation as representation
from engine.services.accounts.applicant_account import erase_own, save_profile
from engine.services.accounts.delegation import GIVEN_BY_ONE
from engine.services.accounts.invitations import RECEIVED_BY_ONE, SENT_BY_ONE, TO_THE_SAME
from engine.services.accounts.mandates import called, holder_shown, principal_shown
from engine.services.applications.attachments import Upload
from engine.services.context.app_context import AppContext
from engine.services.context.rate_limit import tried
from engine.services.limits.code_limits import Asker, limits_of, new_numbers
from engine.services.sign_in.applicant_sign_in import applicant_known_by, send_code
from tests.engine.services.accounts.test_delegation import OTHER, administrator, company, refused
from tests.engine.services.world import B3, PHONE, World, pdf

HOSTILE = ("Gagnez 5000 F", "www.gain.tg", "gain.tg/x", "A\u202eB", "A\u200bB", "A\0B", "A" * (LONGEST + 1))


def phone(number: int) -> str:
    return f"+2289{number:07d}"


def shown(world: World, actor: Actor, mandate: Mandate) -> str:
    (one,) = [one for one in representation.held(world.office, actor) if one.mandate.id == mandate.id]
    return principal_shown(one)


def chain(world: World) -> list[tuple[str, dict[str, object]]]:
    return [(one.kind, dict(one.body)) for one in world.read(lambda unit: unit.rights()) if one.dossier == CHAIN]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_sign_of_an_address_in_the_name_of_a_person(world: World, name: str) -> None:
    afi, names = world.applicant(), {"family_name": "AMEGAN", "given_names": name}
    codes = {"name_signs", "name_long"}
    assert refused(representation.ask_person, world.office, afi, OTHER, name) in codes
    assert refused(representation.declare_child, world.office, afi, names, world.office.day()) in codes
    assert refused(representation.declare_proxy, world.office, afi, names, Upload("a.pdf", pdf())) in codes
    assert refused(save_profile, world.office, afi, names) in codes
    assert world.letters(OTHER) == []


def test_a_message_to_another_number_holds_nothing_that_its_sender_typed(world: World) -> None:
    afi = world.applicant()
    shared = world.draft(B3)
    save_profile(world.office, afi, {"family_name": "AMEGAN", "given_names": "Afi"})
    representation.ask_person(world.office, afi, OTHER, "Zinzin Zozo")
    representation.give(world.office, afi, "", phone(0), "reader")
    representation.give(world.office, afi, "", phone(1), "reader", dossier_id=shared.id)
    told = [*world.letters(OTHER), *world.letters(phone(0)), *world.letters(phone(1))]
    assert len(told) == 3
    for said in told:
        assert "name" not in said, "no template has a name to fill in"
        assert not any(word in said for word in ("AMEGAN", "Afi", "Zinzin", "Zozo"))


def test_a_number_is_sent_few_of_them_a_day_whoever_asks(world: World) -> None:
    for turn in range(RECEIVED_BY_ONE):
        representation.ask_person(world.office, world.applicant(phone(turn)), OTHER, "Afi")
    late, shared = world.applicant(phone(99)), world.draft(B3, world.applicant(phone(98)))
    assert refused(representation.ask_person, world.office, late, OTHER, "Afi") == "invitations_many"
    owner = world.applicant(phone(98))
    giving = refused(representation.give, world.office, owner, "", OTHER, "reader", dossier_id=shared.id)
    assert giving == "invitations_many"
    assert len(world.letters(OTHER)) == RECEIVED_BY_ONE
    representation.ask_person(world.office, late, phone(50), "Afi")
    world.wait(days=1, hours=2)
    representation.ask_person(world.office, late, OTHER, "Afi")


def test_who_erases_their_account_and_signs_in_again_is_counted_on(world: World) -> None:
    """Each sign-in began anew: one telephone had hundreds of SMS sent to others in a day."""
    for turn in range(GIVEN_BY_ONE):
        representation.ask_person(world.office, world.applicant(), phone(turn), "Afi")
    erase_own(world.office, world.applicant())
    with world.office.store.unit(write=True) as unit:
        again = applicant_known_by(unit, "phone", PHONE, world.office.now()).actor()
    assert refused(representation.ask_person, world.office, again, phone(50), "Afi") == "too_many_tries"
    world.wait(minutes=20)
    for turn in range(GIVEN_BY_ONE, SENT_BY_ONE):
        representation.ask_person(world.office, again, phone(turn), "Afi")
    world.wait(minutes=20)
    assert refused(representation.ask_person, world.office, again, phone(50), "Afi") == "invitations_many"


def test_one_person_sends_few_of_them_a_day_and_fewer_to_the_same(world: World) -> None:
    afi = world.applicant()
    for _ in range(TO_THE_SAME):
        asked = representation.ask_person(world.office, afi, OTHER, "Afi")
        assert refused(representation.ask_person, world.office, afi, OTHER, "Afi") == "already_asked"
        representation.end(world.office, afi, asked.id)
    assert refused(representation.ask_person, world.office, afi, OTHER, "Afi") == "invitations_many"
    for turn in range(SENT_BY_ONE - TO_THE_SAME):
        world.wait(minutes=2)
        representation.ask_person(world.office, afi, phone(turn), "Afi")
    assert refused(representation.ask_person, world.office, afi, phone(77), "Afi") == "invitations_many"


# -- what an e-mail address, which costs nothing, may cause ------------------------------------------------------------


def by_mail(world: World, number: int) -> Actor:
    """Somebody who proved an e-mail address and no telephone."""
    with world.office.store.unit(write=True) as unit:
        return applicant_known_by(unit, "email", f"x{number}@exemple.tg", world.office.now()).actor()


def new_sms(world: World, office: AppContext) -> int:
    """How many SMS to numbers that never signed in are counted now."""
    return world.read(lambda unit: new_numbers(office.settings.sms, unit, office.now()))["all"][0]


def bounded(world: World, an_hour: int) -> AppContext:
    return replace(world.office, settings=replace(world.office.settings, sms=SmsPolicy(new_an_hour=an_hour)))


@pytest.mark.parametrize("known", [True, False])
def test_who_proved_no_telephone_causes_no_sms_and_what_they_ask_waits_on_the_site(world: World, known: bool) -> None:
    if known:
        world.sent(owner=world.applicant(OTHER))
    before, stranger = len(world.letters(OTHER)), by_mail(world, 1)
    asked = representation.ask_person(world.office, stranger, OTHER, "Kofi Mensah")
    representation.give(world.office, stranger, "", OTHER, "reader")
    assert len(world.letters(OTHER)) == before
    invited = world.read(lambda unit: unit.account_of("applicant", OTHER)).actor()
    assert asked.id in [one.mandate.id for one in representation.given(world.office, invited)]
    representation.answer(world.office, invited, asked.id, True)


def test_they_use_up_nothing_of_what_a_number_receives_from_others(world: World) -> None:
    for turn in range(RECEIVED_BY_ONE):
        representation.ask_person(world.office, by_mail(world, turn), OTHER, "Kofi")
    late = by_mail(world, 99)
    assert refused(representation.ask_person, world.office, late, OTHER, "Kofi") == "invitations_many"
    representation.ask_person(world.office, world.applicant(), OTHER, "Afi")
    assert len(world.letters(OTHER)) == 1


def test_an_invitation_to_a_number_that_never_signed_in_is_counted_as_a_code_to_it(world: World) -> None:
    office, afi = bounded(world, 3), world.applicant()
    world.sent(owner=world.applicant(OTHER))
    for turn in range(3):
        representation.ask_person(office, afi, phone(turn), "Afi")
    assert new_sms(world, office) == 3
    assert refused(representation.ask_person, office, afi, phone(3), "Afi") == "invitations_paused"
    with pytest.raises(Refused, match="codes_paused"):
        send_code(office, phone(4))
    representation.ask_person(office, afi, OTHER, "Afi")
    assert new_sms(world, office) == 3, "a number that signed in before is served, and not counted"
    assert world.letters(phone(3)) == []


def test_invitations_are_counted_by_who_asks_and_by_address(world: World) -> None:
    afi = world.applicant()
    asker = Asker("192.0.2.7", "browser", account=afi.id)
    representation.ask_person(world.office, afi, OTHER, "Afi", asker=asker)
    limits = limits_of(asker, "invite")
    assert [world.read(lambda unit, one=one: tried(unit, world.office.now(), one)) for one in limits] == [1, 1]


@pytest.mark.parametrize("known", [True, False])
def test_who_asks_learns_nothing_of_the_number(world: World, known: bool) -> None:
    afi = world.applicant()
    if known:
        world.applicant(OTHER)
    asked = representation.ask_person(world.office, afi, OTHER, "AMEGAN Afi")
    given = representation.give(world.office, afi, "", OTHER, "reader")
    assert shown(world, afi, asked) == national(OTHER)
    lent = [one for one in representation.given(world.office, afi) if one.mandate.id == given.id]
    assert [holder_shown(one) for one in lent] == [national(OTHER)]
    old = world.read(lambda unit: unit.account_of("applicant", OTHER)).actor()
    (seen,) = [one for one in representation.given(world.office, old) if one.mandate.id == asked.id]
    assert holder_shown(seen) == f"AMEGAN Afi, {national(PHONE)}", "the name beside the number, which is proven"
    representation.answer(world.office, old, asked.id, False)
    assert shown(world, afi, asked) == national(OTHER)


def test_a_number_whose_account_is_known_otherwise_is_shown_as_it_was_typed(world: World) -> None:
    afi, other = world.applicant(), world.applicant(OTHER)
    with world.office.store.unit(write=True) as unit:
        account = unit.account(other.id)
        assert account
        asked = Mandate("m", other.id, afi.id, OTHER, "person", "agent", "asked", afi.id, world.office.now())
        unit.put_account(replace(account, login="afi@exemple.tg"))
        unit.put_mandate(asked)
    assert shown(world, afi, asked) == national(OTHER)


class TestCompanies:
    def test_the_name_given_is_read_by_who_gave_it_and_by_agents_alone(self, world: World) -> None:
        liar, afi, chef = world.applicant(OTHER), world.applicant(), administrator(world)
        paper = Upload("rccm.pdf", pdf())
        lie = representation.declare_company(world.office, liar, "TG-LOM 2024 B 1", "TRESOR PUBLIC", paper)
        assert shown(world, liar, lie) == "TRESOR PUBLIC"
        representation.check(world.office, chef, lie.id, False, "Ce document est d'une autre entreprise")
        true = company(world, afi)
        assert shown(world, afi, true) == "SOTOGO", "as they typed it"
        assert [principal_shown(one) for one in representation.to_check(world.office, chef)] == ["SOTOGO"]
        assert world.read(lambda unit: unit.account(true.principal)).name == ""
        representation.check(world.office, chef, true.id, True, name="SOTOGO SARL")
        assert shown(world, afi, true) == "SOTOGO SARL", "as the agent read it"
        koffi = world.applicant(phone(5))
        acting = representation.acting_for(world.office, afi, true.id)
        assert acting
        lent = representation.give(world.office, acting, true.id, phone(5), "reader")
        assert shown(world, koffi, lent) == "SOTOGO SARL"

    def test_until_then_it_is_its_number(self, world: World) -> None:
        afi = world.applicant()
        mandate = company(world, afi)
        account = world.read(lambda unit: unit.account(mandate.principal))
        assert called(account) == "TG-LOM 2024 B 1"

    def test_nobody_learns_whether_it_is_known(self, world: World) -> None:
        afi, other, chef = world.applicant(), world.applicant(OTHER), administrator(world)
        representation.check(world.office, chef, company(world, afi).id, True, name="SOTOGO SARL")
        second = representation.declare_company(
            world.office, other, "TG-LOM 2024 B 1", "AUTRE NOM", Upload("rccm.pdf", pdf())
        )
        assert shown(world, other, second) == "AUTRE NOM"

    def test_the_name_is_wanted_and_the_journal_says_who_read_it(self, world: World) -> None:
        afi, chef = world.applicant(), administrator(world)
        mandate = company(world, afi)
        for name, code in (("", "company_name_missing"), ("A\u202eB", "company_name_signs")):
            assert refused(representation.check, world.office, chef, mandate.id, True, name=name) == code
        assert world.read(lambda unit: unit.mandate(mandate.id)).status == "to_check", "nothing was decided"
        representation.check(world.office, chef, mandate.id, True, name="SOTOGO SARL")
        kind, told = chain(world)[0]
        assert (kind, told["account"], told["mandate"]) == ("mandate_accepted", chef.id, mandate.id)
        assert told["principal"] == mandate.principal
        assert "SOTOGO" not in str(told), "a seal of the name, not the name"
        other = representation.declare_company(world.office, afi, "TG-LOM 9", "AUTRE", Upload("rccm.pdf", pdf()))
        representation.check(world.office, chef, other.id, False, "Illisible")
        assert chain(world)[0][0] == "mandate_refused"


def test_a_reason_is_read_by_another_on_one_line_without_hidden_signs(world: World) -> None:
    afi, other = world.applicant(), world.applicant(OTHER)
    mandate = representation.ask_person(world.office, afi, OTHER, "Afi")
    representation.answer(world.office, other, mandate.id, False, "Non\n\u202emerci\0 \u200bbien")
    assert world.read(lambda unit: unit.mandate(mandate.id)).reason == "Non merci bien"
