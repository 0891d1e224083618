"""An applicant's own account: a number lost and changed, an address joined, wishes heard, one's data taken away and erased."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.domain.forms.sample_answers import example_answers
from engine.domain.messages.preferences import NotificationPreferences
from engine.records.codec import to_plain
from engine.records.dossier import Actor
from engine.services.accounts import applicant_account as own_account
from engine.services.accounts import delegation as representation
from engine.services.accounts.access_log import note_visit
from engine.services.accounts.personal_data_export import export_own
from engine.services.applications import draft_answers as answering
from engine.services.applications import drafts as intake
from engine.services.applications.attachments import Upload
from engine.services.applications.messages import write_message
from engine.services.applications.notes import write_note
from engine.services.context.app_context import NotFound
from engine.services.payments.payments import start_payment
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in import mail_links
from tests.engine.services.world import B3, PASSPORT, PHONE, World, pdf

NEW, EMAIL = "+22891445566", "afi@exemple.tg"


def code_in(world: World, to: str) -> str:
    found = re.search(r"code=([0-9]{6})", world.letters(to)[-1])
    assert found, world.letters(to)
    return found[1]


def joined(world: World, actor: Actor, kind: str, to: str) -> None:
    own_account.send_proof(world.office, kind, to)
    own_account.add_identifier(world.office, actor, kind, to, code_in(world, to))


def by_phone(world: World, phone: str) -> Actor:
    accounts.send_code(world.office, phone)
    return accounts.check_code(world.office, phone, code_in(world, phone)).actor


def by_mail(world: World, address: str = EMAIL) -> Actor:
    sent = mail_links.send_link(world.office, address)
    found = re.search(r"/connexion/lien/([\w-]+)", world.letters(address)[-1])
    assert found
    return mail_links.follow_link(world.office, found[1], sent.mark).actor


def refused(act: Any, *given: Any) -> str:
    with pytest.raises(Refused) as closed:
        act(*given)
    return closed.value.reason.code


class TestBeingKnown:
    def test_a_lost_number_is_replaced_by_who_comes_by_mail_and_dossiers_follow(self, world: World) -> None:
        afi = world.applicant()
        joined(world, afi, "email", EMAIL)
        dossier = world.sent(B3, email=EMAIL)
        back = by_mail(world)
        assert back.id == afi.id
        joined(world, back, "phone", NEW)
        world.wait(minutes=5)
        assert by_phone(world, NEW).id == afi.id
        assert by_phone(world, PHONE).id != afi.id, "the old number lets nobody in"
        kept = world.kept(dossier)
        assert (kept.contact_phone, kept.contact_email) == (NEW, EMAIL)
        assert world.kinds(kept)[-1] == "contact_changed"
        assert NEW not in json.dumps([to_plain(one) for one in world.read(lambda unit: unit.entries(kept.id))])
        assert any("phone_changed" in said for said in world.letters(PHONE))
        assert list(world.office.store.findings()) == []

    def test_a_number_that_only_ever_signed_in_is_taken_over(self, world: World) -> None:
        other = by_phone(world, NEW)
        afi = world.applicant()
        world.wait(minutes=5)
        joined(world, afi, "phone", NEW)
        assert world.read(lambda unit: unit.account(other.id)).disabled

    def test_a_number_that_was_only_invited_is_taken_over_with_its_invitations(self, world: World) -> None:
        """Anybody may invite any number: a stranger would keep its holder from using it."""
        afi, asker, giver = world.applicant(), world.applicant("+22890000010"), world.applicant("+22890000011")
        asked = representation.ask_person(world.office, asker, NEW, "Kofi Mensah")
        given = representation.give(world.office, giver, "", NEW, "agent")
        mine = representation.give(world.office, afi, "", NEW, "agent")
        invited = world.read(lambda unit: unit.account_of("applicant", NEW))
        assert given.holder == mine.holder == asked.principal == invited.id
        joined(world, afi, "phone", NEW)
        assert [one.mandate.id for one in representation.given(world.office, afi)] == [asked.id]
        (held,) = representation.held(world.office, afi)
        assert (held.principal.id, held.active) == (giver.id, True)
        assert representation.given(world.office, giver)[0].mandate.id == held.mandate.id
        before = world.read(lambda unit: [unit.mandate(one.id) for one in (given, mine)])
        assert [(one.holder, one.status) for one in before] == [(invited.id, "ended")] * 2, "who could act when"
        assert world.read(lambda unit: unit.account(invited.id)).disabled
        representation.answer(world.office, afi, asked.id, True)
        assert list(world.office.store.findings()) == []

    def test_a_number_whose_holder_answered_an_invitation_is_not(self, world: World) -> None:
        afi, koffi = world.applicant(), world.applicant(NEW)
        asked = representation.ask_person(world.office, world.applicant("+22890000010"), NEW, "Kofi Mensah")
        representation.answer(world.office, koffi, asked.id, True)
        own_account.send_proof(world.office, "phone", NEW)
        code = code_in(world, NEW)
        assert refused(own_account.add_identifier, world.office, afi, "phone", NEW, code) == "address_taken"

    def test_a_number_or_address_with_dossiers_is_not(self, world: World) -> None:
        afi, koffi = world.applicant(), world.applicant(NEW)
        world.draft(owner=koffi)
        own_account.send_proof(world.office, "phone", NEW)
        assert (
            refused(own_account.add_identifier, world.office, afi, "phone", NEW, code_in(world, NEW)) == "address_taken"
        )
        joined(world, koffi, "email", EMAIL)
        world.wait(minutes=5)
        own_account.send_proof(world.office, "email", EMAIL)
        assert (
            refused(own_account.add_identifier, world.office, afi, "email", EMAIL, code_in(world, EMAIL))
            == "address_taken"
        )

    def test_without_the_code_nothing_changes(self, world: World) -> None:
        afi = world.applicant()
        own_account.send_proof(world.office, "phone", NEW)
        wrong = "000000" if code_in(world, NEW) != "000000" else "111111"
        assert refused(own_account.add_identifier, world.office, afi, "phone", NEW, wrong) == "code_wrong"
        assert own_account.own(world.office, afi).phone == PHONE

    def test_the_only_way_in_is_not_dropped(self, world: World) -> None:
        afi = by_mail(world)
        assert refused(own_account.drop_email, world.office, afi, EMAIL) == "only_way"
        joined(world, afi, "phone", NEW)
        own_account.drop_email(world.office, afi, EMAIL)
        assert own_account.own(world.office, afi).emails == ()

    def test_an_address_that_is_removed_or_replaced_receives_nothing_more(self, world: World) -> None:
        afi, child = world.applicant(), world.applicant("+22890000031")
        representation.give(world.office, child, "", PHONE, "agent")
        joined(world, afi, "email", EMAIL)
        own, other = world.draft(owner=afi), world.force(world.draft(owner=child), contact_email=EMAIL)
        assert world.kept(own).contact_email == EMAIL
        world.wait(minutes=5)
        joined(world, afi, "email", "afi@nouveau.tg")
        assert [world.kept(one).contact_email for one in (own, other)] == ["afi@nouveau.tg"] * 2
        own_account.drop_email(world.office, afi, "afi@nouveau.tg")
        assert [world.kept(one).contact_email for one in (own, other)] == [None, None]
        assert world.kept(own).contact_phone == PHONE
        assert "letter.email_changed.email" in world.letters("afi@nouveau.tg")[-1], "a thief may have removed it"

    def test_the_address_is_told_of_a_changed_number(self, world: World) -> None:
        afi = world.applicant()
        joined(world, afi, "email", EMAIL)
        joined(world, afi, "phone", NEW)
        assert "letter.phone_changed.email" in world.letters(EMAIL)[-1], "a thief may hold the telephone"
        assert "letter.phone_changed.sms" in world.letters(PHONE)[-1]

    def test_the_number_is_told_of_an_added_address(self, world: World) -> None:
        joined(world, world.applicant(), "email", EMAIL)
        assert "letter.email_added.sms" in world.letters(PHONE)[-1]

    def test_an_account_left_or_erased_meanwhile_takes_no_number_and_no_address(self, world: World) -> None:
        afi, koffi = world.applicant(), world.applicant(NEW)
        world.draft(owner=afi)
        own_account.send_proof(world.office, "phone", PHONE)
        code = code_in(world, PHONE)
        joined(world, afi, "phone", NEW)
        with pytest.raises(NotFound):  # both swapped at once: this one waited for the other
            own_account.add_identifier(world.office, koffi, "phone", PHONE, code)
        world.wait(minutes=5)
        assert by_phone(world, PHONE).id not in (afi.id, koffi.id)
        own_account.send_proof(world.office, "email", EMAIL)
        with pytest.raises(NotFound):
            own_account.add_identifier(world.office, koffi, "email", EMAIL, code_in(world, EMAIL))
        assert by_mail(world).id != koffi.id

    def test_an_address_that_was_left_does_not_sign_in_any_more(self, world: World) -> None:
        afi = by_mail(world)
        joined(world, afi, "email", "afi@nouveau.tg")
        assert "letter.email_changed.email" in world.letters(EMAIL)[-1]
        stranger = by_mail(world)
        assert stranger.id != afi.id
        assert own_account.own(world.office, stranger).emails == (EMAIL,)
        assert by_mail(world, "afi@nouveau.tg").id == afi.id
        account = world.read(lambda unit: unit.account(afi.id))
        assert account.login == "afi@nouveau.tg"

    def test_nor_one_that_an_earlier_release_left_as_login(self, world: World) -> None:
        afi = by_mail(world)
        joined(world, afi, "email", "afi@nouveau.tg")
        with world.office.store.unit(write=True) as unit:
            account = unit.account(afi.id)
            assert account
            unit.put_account(replace(account, login=EMAIL))
        assert by_mail(world).id not in (afi.id, by_mail(world, "afi@nouveau.tg").id)
        assert by_mail(world).id != afi.id


class TestWhatIsKnown:
    def test_an_identity_is_kept_and_checked(self, world: World) -> None:
        afi = world.applicant()
        given = {
            "family_name": " AMEGAN ",
            "given_names": "Afi",
            "sex": "f",
            "birth_date": "1990-03-27",
            "residence": "",
        }
        own_account.save_profile(world.office, afi, given)
        account = own_account.own(world.office, afi).account
        assert account.name == "AMEGAN Afi"
        assert dict(account.profile) == {
            "family_name": "AMEGAN", "given_names": "Afi", "sex": "f", "birth_date": "1990-03-27",
        }  # fmt: skip
        for wrong in ("hier", "2030-01-01", "1850-01-01"):
            assert refused(own_account.save_profile, world.office, afi, {"birth_date": wrong}) == "birth_date_wrong"

    def test_a_copy_by_mail_and_reminders_are_ones_own_choice(self, world: World) -> None:
        afi = world.applicant()
        joined(world, afi, "email", EMAIL)
        before = len(world.letters(EMAIL))
        own_account.save_wishes(world.office, afi, NotificationPreferences("en", email=False, reminders=False))
        assert own_account.own(world.office, afi).wishes == NotificationPreferences("en", False, False)
        dossier = world.sent(B3, email=EMAIL)
        assert world.letters(PHONE), "what matters is told by SMS all the same"
        assert len(world.letters(EMAIL)) == before
        assert dossier.contact_email == EMAIL


class TestOnesData:
    def test_the_journal_of_an_account_grows_by_what_changed_and_so_often(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(answering, "SAVED", 4)
        afi = world.applicant()
        for number in range(4):
            for _ in range(2):
                own_account.save_wishes(world.office, afi, NotificationPreferences("fr", bool(number % 2), True))
        own_account.save_wishes(world.office, afi, NotificationPreferences("fr", True, True))
        with pytest.raises(Refused, match="too_many_tries"):
            own_account.save_wishes(world.office, afi, NotificationPreferences("en", True, True))
        with pytest.raises(Refused, match="too_many_tries"):
            own_account.save_profile(world.office, afi, {"family_name": "Mensah"})
        world.wait(minutes=16)
        own_account.save_profile(world.office, afi, {"family_name": "Mensah"})

    def test_everything_is_taken_away_and_nothing_of_others(self, world: World) -> None:
        afi = world.applicant()
        dossier = world.paid(world.sent(B3))
        world.sent(B3, world.applicant(NEW))
        clerk = world.agent("greffier", "sncja/greffier_en_chef")
        note_visit(world.office, clerk, dossier)
        write_message(world.office, afi, dossier.id, "Bonjour, où en est ma demande ?")
        write_note(world.office, clerk, dossier.id, "ENTRE NOUS")
        plain: Any = export_own(world.office, afi)
        assert [one["number"] for one in plain["dossiers"]] == [dossier.number]
        mine = plain["dossiers"][0]
        given = {name: said for name, said in dossier.answers.items() if name != "recherche"}
        assert mine["answers"] == given, "a register's answer is theirs once the request is decided"
        assert mine["payments"][0]["status"] == "paid"
        assert mine["messages"]
        assert [(one["from"], one["body"]) for one in mine["thread"]] == [
            ("applicant", "Bonjour, où en est ma demande ?")
        ]
        assert "ENTRE NOUS" not in json.dumps(plain)
        assert mine["read_by"] == [{"day": "2026-11-23", "role": "sncja/greffier_en_chef"}]
        assert "greffier" not in json.dumps(mine["read_by"]).replace("greffier_en_chef", ""), "no name of an agent"

    def test_a_running_request_keeps_the_account(self, world: World) -> None:
        afi = world.applicant()
        world.sent(B3)
        assert refused(own_account.erase_own, world.office, afi) == "erase_running"

    def test_a_payment_that_may_still_come_keeps_the_account(self, world: World) -> None:
        afi = world.applicant()
        dossier = world.sent(B3)
        start_payment(world.office, afi, dossier.id, provider="sandbox", payer="+22890000004", token=new_id())
        kept = world.kept(dossier)
        with world.office.store.unit(write=True) as unit:  # closed by another way meanwhile
            ended = replace(kept, closed_at=world.office.now(), revision=kept.revision + 1, other_phones=(NEW, PHONE))
            unit.put_dossier(replace(ended, contact_phone=NEW), kept.revision)
        assert refused(own_account.erase_own, world.office, afi) == "erase_paying"
        world.wait(days=32)
        assert own_account.erase_own(world.office, afi).kept == 1
        assert world.kept(dossier).other_phones == (NEW,), "that of a proxy stays until the request is erased"

    def test_a_request_of_a_child_keeps_the_account_of_the_one_parent(self, world: World) -> None:
        afi = world.applicant()
        child = {"family_name": "AMEGAN", "given_names": "Edem", "birth_place": "Lomé"}
        mandate = representation.declare_child(world.office, afi, child, date(2020, 1, 1))
        acting = representation.acting_for(world.office, afi, mandate.id)
        assert acting is not None
        world.people["child"] = acting
        dossier, draft = world.sent(PASSPORT, acting), world.draft(PASSPORT, acting)
        assert refused(own_account.erase_own, world.office, afi) == "erase_running"
        with world.office.store.unit(write=True) as unit:
            kept = unit.dossier(dossier.id)
            ended = replace(kept, closed_at=world.office.now(), revision=kept.revision + 1)
            unit.put_dossier(ended, kept.revision)
        assert own_account.erase_own(world.office, afi) == own_account.ErasureResult(1, 0)
        assert world.kept(draft).answers == {}
        gone = world.read(lambda unit: unit.account(dossier.owner))
        assert (gone.name, dict(gone.profile), gone.disabled) == ("", {}, True), "no person reaches it any more"
        assert list(world.office.store.findings()) == []

    def test_a_child_for_whom_another_person_acts_keeps_their_name(self, world: World) -> None:
        afi = world.applicant()
        child = {"family_name": "AMEGAN", "given_names": "Edem"}
        mandate = representation.declare_child(world.office, afi, child, date(2020, 1, 1))
        acting = representation.acting_for(world.office, afi, mandate.id)
        assert acting is not None
        world.people["child"] = acting
        dossier = world.draft(PASSPORT, acting)
        representation.give(world.office, acting, mandate.id, "90445566", "reader", dossier_id=dossier.id)
        own_account.erase_own(world.office, afi)
        assert world.read(lambda unit: unit.account(mandate.principal)).name == "AMEGAN Edem"

    @pytest.mark.parametrize("sent", [False, True])
    def test_a_person_without_a_phone_stays_only_with_a_receipt(self, world: World, sent: bool) -> None:
        afi = world.applicant()
        person = {"family_name": "AMEGAN", "given_names": "Dédé"}
        mandate = representation.declare_proxy(world.office, afi, person, Upload("m.pdf", pdf()))
        with world.office.store.unit(write=True) as unit:
            unit.put_mandate(replace(mandate, status="active"))
        acting = representation.acting_for(world.office, afi, mandate.id)
        assert acting is not None
        world.people["person"] = acting
        draft = world.draft(PASSPORT, acting)
        if sent:
            world.sent(B3, acting)
        own_account.erase_own(world.office, afi)
        kept = world.read(lambda unit: unit.account(mandate.principal))
        assert (kept.name, kept.disabled) == (("AMEGAN Dédé", False) if sent else ("", True))
        assert bool(world.kept(draft).answers) == sent
        assert list(world.office.store.findings()) == []

    def test_an_erased_account_leaves_nobody(self, world: World) -> None:
        afi = by_phone(world, PHONE)
        world.people[afi.id] = afi
        joined(world, afi, "email", EMAIL)
        own_account.save_profile(world.office, afi, {"family_name": "AMEGAN"})
        draft = world.draft(owner=afi)
        assert own_account.erase_own(world.office, afi) == own_account.ErasureResult(1, 0)
        account = world.read(lambda unit: unit.account(afi.id))
        assert (account.name, dict(account.profile), account.login) == ("", {}, f"erased:{afi.id}")
        assert world.kept(draft).answers == {}
        assert world.read(lambda unit: unit.identifiers_of(afi.id)) == ()
        world.wait(minutes=5)
        assert by_phone(world, PHONE).id != afi.id
        assert list(world.office.store.findings()) == []


def test_only_the_owner_has_an_account_of_their_own(world: World) -> None:
    with pytest.raises(own_account.NotFound):
        own_account.own(world.office, world.auditor())


def test_a_request_begins_with_what_is_known(world: World) -> None:
    afi = world.applicant()
    joined(world, afi, "email", EMAIL)
    given = {
        "family_name": "Mensah",
        "given_names": "Kossi",
        "sex": "m",
        "birth_date": "1988-02-01",
        "birth_place": "Kara",
    }
    own_account.save_profile(world.office, afi, given)
    answers = example_answers(world.office.catalogue.procedures[B3], {}, world.office.day(), world.office.directory)
    draft = intake.open_dossier(world.office, afi, B3, criteria=answers, token=new_id())
    known = {
        name: draft.answers.get(name)
        for name in ("nom", "prenoms", "sexe", "date_naissance", "lieu_naissance", "email")
    }
    assert known == {
        "nom": "MENSAH", "prenoms": "Kossi", "sexe": "m", "date_naissance": "1988-02-01", "lieu_naissance": "Kara",
        "email": EMAIL,
    }  # fmt: skip
