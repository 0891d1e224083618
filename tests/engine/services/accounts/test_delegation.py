"""Acting for somebody else: a company, a child, a person who agreed, one dossier; within bounds, ended by either side."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import group_number, national
from engine.records.dossier import SYSTEM_ACTOR, Actor
from engine.records.people import Mandate
from engine.services.accounts import agents as people
from engine.services.accounts import contact_change
from engine.services.accounts import delegation as representation
from engine.services.accounts.agents import Person
from engine.services.accounts.applicant_account import erase_own
from engine.services.accounts.mandates import principal_shown
from engine.services.accounts.personal_data_export import export_own
from engine.services.applications import drafts as intake
from engine.services.applications.attachments import Upload
from engine.services.context.app_context import NotFound
from engine.services.core.commit import keep
from engine.services.limits import file_counts
from engine.services.sign_in.applicant_sign_in import applicant_known_by
from engine.services.worker.worker import sweep
from engine.storage.results import Busy
from tests.engine.services.world import B3, PASSPORT, PHONE, World, pdf

OTHER = "+22891445566"
TODAY = date(2026, 11, 23)


def refused(act: Any, *given: Any, **more: Any) -> str:
    with pytest.raises(Refused) as closed:
        act(*given, **more)
    return closed.value.reason.code


def as_(world: World, actor: Actor, mandate: Mandate) -> Actor:
    """The same person, acting under a mandate."""
    found = representation.acting_for(world.office, actor, mandate.id)
    assert found is not None
    world.people[found.owns] = found
    return found


def company(world: World, actor: Actor) -> Mandate:
    return representation.declare_company(world.office, actor, "TG-LOM 2024 B 1", "SOTOGO", Upload("rccm.pdf", pdf()))


def administrator(world: World) -> Actor:
    person = Person("C. Chef", administers=("*",))
    return people.add_person(world.office, SYSTEM_ACTOR, "agent", "chef", person).account.actor()


def opened(world: World, actor: Actor, procedure: str = B3) -> Any:
    from_draft = world.draft(procedure, actor)
    return world.kept(from_draft)


class TestCompanies:
    def test_nobody_acts_for_one_before_an_agent_has_looked(self, world: World) -> None:
        afi, chef = world.applicant(), administrator(world)
        mandate = company(world, afi)
        assert representation.acting_for(world.office, afi, mandate.id) is None
        assert refused(company, world, afi) == "already_asked"
        assert representation.proof_of(world.office, chef, mandate.id)[0] == "rccm.pdf"
        with pytest.raises(NotFound):
            representation.proof_of(world.office, world.agent("x", "dgdn/guichet"), mandate.id)
        with pytest.raises(NotFound):
            representation.check(world.office, afi, mandate.id, True)
        assert [one.mandate.id for one in representation.to_check(world.office, chef)] == [mandate.id]
        representation.check(world.office, chef, mandate.id, True, name="SOTOGO")
        assert any("mandate_accepted" in said and "SOTOGO" not in said for said in world.letters(PHONE))
        acting = as_(world, afi, mandate)
        assert representation.can_give(world.office, acting, mandate.id)
        dossier = opened(world, acting)
        assert (dossier.owner, dossier.contact_phone) == (mandate.principal, PHONE)
        with pytest.raises(NotFound):
            intake.see(world.office, afi, dossier.id)  # it is the company's: whoever looks for it acts for the company
        entry = world.read(lambda unit: unit.entries(dossier.id))[0]
        assert entry.actor == afi.id, "the journal says whose hand it was"

    def test_an_administrator_accepts_no_document_of_their_own_number(self, world: World) -> None:
        chef, afi = administrator(world), world.applicant()
        mandate, asked = company(world, afi), Person("A. Afi", administers=("*",), phone=PHONE)
        own = people.add_person(world.office, SYSTEM_ACTOR, "agent", "own", asked).account.actor()
        assert refused(representation.check, world.office, own, mandate.id, True, name="SOTOGO") == "own_dossier"
        representation.check(world.office, chef, mandate.id, True, name="SOTOGO")

    def test_nor_once_they_have_left_that_number(self, world: World) -> None:
        afi = world.applicant()
        mandate, asked = company(world, afi), Person("A. Afi", administers=("*",), phone=PHONE)
        own = people.add_person(world.office, SYSTEM_ACTOR, "agent", "own", asked).account.actor()
        with world.office.store.unit(write=True) as unit:
            contact_change.change_phone(world.office, unit, unit.account(afi.id), "+22890667788", afi)
        assert refused(representation.check, world.office, own, mandate.id, True, name="SOTOGO") == "own_dossier"

    def test_a_refused_document_opens_nothing(self, world: World) -> None:
        afi, chef = world.applicant(), administrator(world)
        mandate = company(world, afi)
        assert refused(representation.check, world.office, chef, mandate.id, False, " \u2800") == "reason_missing"
        representation.check(world.office, chef, mandate.id, False, "Document\nillisible")
        (held,) = representation.held(world.office, afi)
        assert (held.mandate.status, held.mandate.reason) == ("refused", "Document illisible")
        assert representation.acting_for(world.office, afi, mandate.id) is None

    def test_a_manager_gives_mandates_within_bounds_and_others_do_not(self, world: World) -> None:
        afi, koffi, chef = world.applicant(), world.applicant(OTHER), administrator(world)
        mandate = company(world, afi)
        representation.check(world.office, chef, mandate.id, True, name="SOTOGO")
        manager = as_(world, afi, mandate)
        dossier = opened(world, manager)
        sub = representation.give(world.office, manager, mandate.id, OTHER, "agent", procedures=(B3,), until=TODAY)
        agent = as_(world, koffi, sub)
        assert not representation.can_give(world.office, agent, sub.id)
        assert intake.see(world.office, agent, dossier.id).id == dossier.id
        assert refused(intake.open_dossier, world.office, agent, PASSPORT, criteria={}) == "mandate_bounds"
        assert refused(representation.give, world.office, agent, sub.id, PHONE, "agent") == "mandate_bounds"
        world.wait(days=1)
        assert representation.acting_for(world.office, koffi, sub.id) is None, "its last day is over"

    @pytest.mark.parametrize(("asked", "given"), [(None, TODAY), (TODAY + timedelta(days=30), TODAY), (TODAY, TODAY)])
    def test_what_a_manager_gives_ends_with_their_own_mandate(
        self, world: World, asked: date | None, given: date
    ) -> None:
        afi, koffi, other = world.applicant(), world.applicant(OTHER), world.applicant("+22890998877")
        mandate = representation.give(world.office, afi, "", OTHER, "manager", until=TODAY)
        manager = as_(world, koffi, mandate)
        sub = representation.give(world.office, manager, mandate.id, "+22890998877", "manager", until=asked)
        assert sub.until == given
        assert representation.acting_for(world.office, other, sub.id) is not None
        world.wait(days=1)
        assert representation.acting_for(world.office, other, sub.id) is None

    def test_who_asks_too_often_leaves_nothing_on_the_disk(self, world: World, tmp_path: Path) -> None:
        afi, proof = world.applicant(), Upload("rccm.pdf", pdf())
        for number in range(representation.GIVEN_BY_ONE):
            representation.declare_company(world.office, afi, f"TG-LOM 2024 B {number}", "S", proof)
        lying = {one for one in tmp_path.rglob("*") if one.is_file()}
        assert refused(representation.declare_company, world.office, afi, "TG-LOM 9", "S", proof) == "too_many_tries"
        assert {one for one in tmp_path.rglob("*") if one.is_file()} == lying

    def test_an_administrator_has_few_documents_of_one_person_a_day_to_read(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each is read by a person, and stored until then: one address filled the list, and the disk."""
        monkeypatch.setattr(file_counts, "PAPERS_A_DAY", 2)
        monkeypatch.setattr(file_counts, "PAPERS_PER_ADDRESS", 3)
        afi, proof = world.applicant(), Upload("rccm.pdf", pdf())
        with world.office.store.unit(write=True) as unit:
            free = [applicant_known_by(unit, "email", f"x{n}@exemple.tg", world.office.now()).actor() for n in range(3)]
        numbers = iter(range(20))

        def declares(actor: Actor, client: str) -> str:
            try:
                number = f"TG-LOM 2024 B {next(numbers)}"
                representation.declare_company(world.office, actor, number, "S", proof, client=client)
            except Refused as closed:
                return closed.reason.code
            return ""

        assert [declares(one, "192.0.2.1") for one in (free[0], free[0], free[0])] == ["", "", "too_many_tries"]
        assert [declares(one, "192.0.2.1") for one in (free[1], free[2])] == ["", "too_many_tries"]
        assert declares(free[2], "2001:db8:0:1::/64") == "", "another address"
        assert [declares(afi, "192.0.2.1") for _ in range(3)] == ["", "", "too_many_tries"], "by the telephone alone"

    def test_an_employee_ends_their_own_mandate_and_nobody_elses(self, world: World) -> None:
        afi, koffi, chef = world.applicant(), world.applicant(OTHER), administrator(world)
        mandate = company(world, afi)
        representation.check(world.office, chef, mandate.id, True, name="SOTOGO")
        manager = as_(world, afi, mandate)
        sub = representation.give(world.office, manager, mandate.id, OTHER, "agent")
        other = representation.give(world.office, manager, mandate.id, "+22890998877", "reader")
        assert representation.give(world.office, manager, mandate.id, OTHER, "agent") == sub, "given twice, ended once"
        employee = as_(world, koffi, sub)
        for theirs in (mandate, other):
            with pytest.raises(NotFound):
                representation.end(world.office, employee, theirs.id)
        assert representation.acting_for(world.office, afi, mandate.id) is not None
        representation.end(world.office, manager, other.id)
        representation.end(world.office, employee, sub.id)
        assert representation.acting_for(world.office, koffi, sub.id) is None

    @pytest.mark.parametrize(
        ("number", "name", "proof", "why"),
        [
            ("", "SOTOGO", True, "company_number"),
            ("TG-LOM 1", " ", True, "company_name_missing"),
            ("TG-LOM 1", "SOTO\u202eOG", True, "company_name_signs"),
            ("TG-LOM 1", "SOTOGO", False, "proof_missing"),
        ],
    )
    def test_what_is_no_claim(self, world: World, number: str, name: str, proof: bool, why: str) -> None:
        upload = Upload("a.pdf", pdf()) if proof else None
        assert refused(representation.declare_company, world.office, world.applicant(), number, name, upload) == why

    def test_a_document_that_the_scanner_did_not_see_is_neither_judged_nor_counted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        afi, upload = world.applicant(), Upload("a.pdf", pdf())
        with monkeypatch.context() as down:
            down.setattr(world.office.attachments, "_inspect", lambda _: "file_unchecked")
            for _ in range(file_counts.PAPERS_A_DAY + 1):
                with pytest.raises(Busy):
                    representation.declare_company(world.office, afi, "TG-LOM 1", "S", upload)
                world.wait(minutes=15)
        assert company(world, afi).status == "to_check"

    def test_a_document_that_is_none_is_refused_and_one_that_serves_is_kept(self, world: World) -> None:
        afi = world.applicant()
        bad = Upload("a.pdf", b"not a pdf")
        assert refused(representation.declare_company, world.office, afi, "TG-LOM 1", "S", bad) == "proof_unfit"
        mandate = company(world, afi)
        world.wait(days=30)
        sweep(world.office)
        assert world.office.attachments.read(mandate.proof, mandate.id)

    @pytest.mark.parametrize("typed", ["tg-lom 2024 b 1", "TG LOM2024B1", "TG\u2011LOM/2024 B.1", "TG-LOM 2024 B 1 "])
    def test_a_number_is_the_same_however_it_is_typed(self, world: World, typed: str) -> None:
        """The account that an earlier release wrote with its spaces is found too."""
        afi, koffi = world.applicant(), world.applicant(OTHER)
        mandate = company(world, afi)
        proof = Upload("rccm.pdf", pdf())
        again = representation.declare_company(world.office, koffi, typed, "SOTOGO", proof)
        assert again.principal == mandate.principal
        other = representation.declare_company(world.office, koffi, "TG-LOM 2024 B 12", "SOTOGO", proof)
        assert other.principal != mandate.principal


class TestPeople:
    def test_who_acts_for_some_procedures_learns_of_no_mandate_for_others(self, world: World) -> None:
        afi, kofi = world.applicant(), world.applicant("+22890445566")
        held = representation.give(world.office, afi, "", "90445566", "agent", procedures=(PASSPORT,))
        dossiers = {name: world.draft(name, afi).id for name in (PASSPORT, B3)}
        for phone, more in {
            "90000011": {"procedures": (B3,)}, "90000012": {"procedures": (B3, PASSPORT)}, "90000013": {},
            "90000014": {"dossier_id": dossiers[B3]}, "90000015": {"dossier_id": dossiers[PASSPORT]},
        }.items():  # fmt: skip
            world.wait(minutes=20)
            representation.give(world.office, afi, "", phone, "reader", **more)
        world.wait(minutes=20)
        representation.ask_person(world.office, world.applicant("+22890000016"), PHONE, "KOSSI")
        seen = representation.given(world.office, as_(world, kofi, held))
        assert {one.mandate.invited[-2:]: one.mandate.procedures for one in seen} == {
            "66": (PASSPORT,), "12": (PASSPORT,), "13": (), "15": (),
        }  # fmt: skip
        assert len(representation.given(world.office, afi)) == 7

    def test_a_child_until_the_eve_of_their_majority(self, world: World) -> None:
        afi, child = world.applicant(), {"family_name": "AMEGAN", "given_names": "Kossi"}
        mandate = representation.declare_child(world.office, afi, child, date(2015, 3, 27))
        assert mandate.until == date(2033, 3, 26)
        assert representation.declare_child(world.office, afi, child, date(2015, 3, 27)) == mandate, "sent twice"
        acting = as_(world, afi, mandate)
        blank = intake.open_dossier(world.office, acting, B3, criteria={"etranger": False}, token="child")
        assert blank.answers["telephone"] == PHONE, "that of the parent"
        answers = world.draft(B3, acting).answers
        assert acting.owns == mandate.principal
        assert answers
        for born in (TODAY + timedelta(days=1), date(2008, 11, 23), date.max):
            assert refused(representation.declare_child, world.office, afi, child, born) == "not_a_child"

    def test_somebody_without_a_telephone_by_the_proxy_they_signed(self, world: World) -> None:
        afi, chef, old = world.applicant(), administrator(world), {"family_name": "AMEGAN", "given_names": "Yao"}
        assert refused(representation.declare_proxy, world.office, afi, old, None) == "proof_missing"
        mandate = representation.declare_proxy(world.office, afi, old, Upload("procuration.pdf", pdf()))
        assert representation.acting_for(world.office, afi, mandate.id) is None
        representation.check(world.office, chef, mandate.id, True)
        acting = as_(world, afi, mandate)
        assert representation.principal_name(world.office, acting) == "AMEGAN Yao"
        assert not representation.can_give(world.office, acting, mandate.id)
        assert opened(world, acting).owner == mandate.principal

    def test_somebody_else_only_once_they_agreed(self, world: World) -> None:
        afi, old = world.applicant(), world.applicant(OTHER)
        mandate = representation.ask_person(world.office, afi, OTHER, "AMEGAN Afi")
        [told] = world.letters(OTHER)
        assert "mandate_asked" in told
        assert "AMEGAN" not in told
        assert representation.acting_for(world.office, afi, mandate.id) is None
        with pytest.raises(NotFound):
            representation.answer(world.office, afi, mandate.id, True)
        representation.answer(world.office, old, mandate.id, True)
        dossier = opened(world, as_(world, afi, mandate))
        assert intake.see(world.office, old, dossier.id).owner == old.id, "the person sees what is done for them"
        representation.end(world.office, old, mandate.id)
        assert representation.acting_for(world.office, afi, mandate.id) is None

    def test_whoever_leaves_takes_their_mandates_along(self, world: World) -> None:
        afi, old = world.applicant(), world.applicant(OTHER)
        mandate = representation.ask_person(world.office, afi, OTHER, "Afi")
        representation.answer(world.office, old, mandate.id, True)
        plain: Any = export_own(world.office, old)
        assert [(one["role"], one["status"], one["for_me"]) for one in plain["mandates"]] == [("agent", "active", True)]
        erase_own(world.office, old)
        assert representation.acting_for(world.office, afi, mandate.id) is None

    def test_no_is_no_and_nobody_asks_themself(self, world: World) -> None:
        afi, old = world.applicant(), world.applicant(OTHER)
        mandate = representation.ask_person(world.office, afi, OTHER, "Afi")
        representation.answer(world.office, old, mandate.id, False)
        with pytest.raises(NotFound):
            representation.answer(world.office, old, mandate.id, True)
        assert refused(representation.ask_person, world.office, afi, PHONE, "Afi") == "own_mandate"


class TestContact:
    """A message holds a link to an appointment, and its number proves the right to name a dossier."""

    def agreed(self, world: World, until: date | None = None) -> tuple[Actor, Actor, Mandate, Any]:
        afi, old = world.applicant(), world.applicant(OTHER)
        mandate = representation.ask_person(world.office, afi, OTHER, "AMEGAN Afi", until)
        representation.answer(world.office, old, mandate.id, True)
        dossier = opened(world, as_(world, afi, mandate))
        assert dossier.contact_phone == PHONE
        return afi, old, mandate, dossier

    @pytest.mark.parametrize("by_holder", [True, False])
    def test_once_it_is_over_dossiers_write_to_the_person(self, world: World, by_holder: bool) -> None:
        afi, old, mandate, dossier = self.agreed(world)
        own = opened(world, afi)
        representation.end(world.office, afi if by_holder else old, mandate.id)
        assert world.kept(dossier).contact_phone == OTHER
        assert world.kept(own).contact_phone == PHONE
        entry = world.read(lambda unit: unit.entries(dossier.id))[-1]
        assert (entry.kind, entry.actor) == ("contact_changed", afi.id if by_holder else old.id)
        assert list(world.office.store.findings()) == []

    def test_closed_dossiers_too(self, world: World) -> None:
        _, old, mandate, dossier = self.agreed(world)
        with world.office.store.unit(write=True) as unit:
            before = unit.dossier(dossier.id)
            assert before is not None
            closed = replace(before, submitted_at=world.office.now(), closed_at=world.office.now())
            keep(world.office, unit, before, closed, [], SYSTEM_ACTOR)
        representation.end(world.office, old, mandate.id)
        assert world.kept(dossier).contact_phone == OTHER

    @pytest.mark.parametrize("how", ["end", "change", "erase"])
    def test_of_a_company_with_more_dossiers_than_a_page_holds(
        self, world: World, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        monkeypatch.setattr(contact_change, "MOST_DOSSIERS", 1)
        afi, old, mandate, dossier = self.agreed(world)
        second = opened(world, as_(world, afi, mandate), PASSPORT)
        assert second.contact_phone == PHONE
        if how == "end":
            representation.end(world.office, old, mandate.id)
        elif how == "erase":
            erase_own(world.office, afi)
        else:
            with world.office.store.unit(write=True) as unit:
                account = unit.account_held(afi.id)
                assert account is not None
                contact_change.change_phone(world.office, unit, account, "+22890667788", afi)
        left = "+22890667788" if how == "change" else OTHER
        assert [world.kept(one).contact_phone for one in (dossier, second)] == [left, left]

    def test_once_its_last_day_is_over(self, world: World) -> None:
        *_, dossier = self.agreed(world, TODAY)
        sweep(world.office)
        assert world.kept(dossier).contact_phone == PHONE
        world.wait(days=1)
        sweep(world.office)
        assert world.kept(dossier).contact_phone == OTHER

    def test_a_parent_is_told_after_the_majority_since_no_other_is(self, world: World) -> None:
        afi, child = world.applicant(), {"family_name": "AMEGAN", "given_names": "Kossi"}
        mandate = representation.declare_child(world.office, afi, child, date(2008, 11, 24))
        dossier = opened(world, as_(world, afi, mandate))
        world.wait(days=1)
        sweep(world.office)
        assert world.kept(dossier).contact_phone == PHONE
        representation.end(world.office, afi, mandate.id)
        assert world.kept(dossier).contact_phone is None

    def test_of_a_company_to_another_who_acts_for_it(self, world: World) -> None:
        afi, koffi, chef = world.applicant(), world.applicant(OTHER), administrator(world)
        mandate = company(world, afi)
        representation.check(world.office, chef, mandate.id, True, name="SOTOGO")
        manager = as_(world, afi, mandate)
        other = representation.give(world.office, manager, mandate.id, OTHER, "agent", procedures=(B3,))
        first, second = opened(world, as_(world, koffi, other)), opened(world, as_(world, afi, mandate), PASSPORT)
        representation.end(world.office, koffi, other.id)
        assert world.kept(first).contact_phone == PHONE
        assert world.kept(second).contact_phone == PHONE

    def test_who_holds_another_mandate_on_it_is_still_told(self, world: World) -> None:
        _, old, mandate, dossier = self.agreed(world)
        representation.give(world.office, old, "", PHONE, "agent", dossier_id=dossier.id)
        representation.end(world.office, old, mandate.id)
        assert world.kept(dossier).contact_phone == PHONE

    def test_who_erases_their_account_is_told_nothing_more(self, world: World) -> None:
        afi, _, _, dossier = self.agreed(world)
        erase_own(world.office, afi)
        assert world.kept(dossier).contact_phone == OTHER


class TestInvitation:
    @pytest.mark.parametrize("days", [90, 91])
    def test_a_number_that_no_one_used_for_90_days_receives_nothing(self, world: World, days: int) -> None:
        """It may have another holder, who would read and change all that is the person's."""
        afi = world.applicant()
        representation.give(world.office, afi, "", OTHER, "agent")
        world.wait(days=days)
        with world.office.store.unit(write=True) as unit:
            holder = applicant_known_by(unit, "phone", OTHER, world.office.now()).actor()
        held = representation.held(world.office, holder)
        assert len(held) == (1 if days == 90 else 0)
        assert [one.active for one in representation.given(world.office, afi)] == [days == 90]

    def test_nor_does_it_once_its_holder_has_another(self, world: World) -> None:
        afi = world.applicant()
        representation.give(world.office, afi, "", OTHER, "agent")
        with world.office.store.unit(write=True) as unit:
            holder = applicant_known_by(unit, "phone", OTHER, world.office.now())
        world.wait(days=91)
        with world.office.store.unit(write=True) as unit:
            contact_change.change_phone(world.office, unit, holder, "+22890667788", holder.actor())
        assert representation.held(world.office, holder.actor()) == ()


class TestOneDossier:
    def test_a_reader_reads_that_one_and_changes_nothing(self, world: World) -> None:
        afi, koffi = world.applicant(), world.applicant(OTHER)
        shared, kept = world.filled(B3), world.draft(PASSPORT)
        mandate = representation.give(world.office, afi, "", OTHER, "reader", dossier_id=shared.id)
        reader = as_(world, koffi, mandate)
        assert intake.see(world.office, reader, shared.id).id == shared.id
        assert [line.id for line in intake.mine(world.office, reader)] == [shared.id]
        with pytest.raises(NotFound):
            intake.see(world.office, reader, kept.id)
        assert refused(intake.submit, world.office, reader, shared.id, declared=True) == "role"

    def test_who_is_let_in_is_told_to_which_one_and_reads_by_whom_once_signed_in(self, world: World) -> None:
        shared, owner = world.draft(B3), world.applicant()
        with world.office.store.unit(write=True) as unit:
            account = unit.account(owner.id)
            assert account
            unit.put_account(replace(account, name=""))
        representation.give(world.office, owner, "", OTHER, "reader", dossier_id=shared.id)
        [said] = world.letters(OTHER)
        assert "mandate_dossier" in said
        assert group_number(world.kept(shared).number) in said
        assert national(PHONE) not in said
        (standing,) = representation.held(world.office, world.applicant(OTHER))
        assert principal_shown(standing) == national(PHONE)

    def test_a_second_pair_of_hands_works_on_it(self, world: World) -> None:
        afi, koffi = world.applicant(), world.applicant(OTHER)
        shared = world.filled(B3)
        mandate = representation.give(world.office, afi, "", OTHER, "manager", dossier_id=shared.id)
        assert mandate.role == "agent", "nobody manages a dossier's owner"
        sent = intake.submit(world.office, as_(world, koffi, mandate), shared.id, declared=True)
        assert sent.owner == afi.id
        assert list(world.office.store.findings()) == []

    def test_somebody_not_known_yet_finds_it_at_their_first_visit(self, world: World) -> None:
        shared = world.draft(B3)
        mandate = representation.give(world.office, world.applicant(), "", OTHER, "reader", dossier_id=shared.id)
        assert mandate.holder == ""
        koffi = world.applicant(OTHER)
        assert [one.mandate.id for one in representation.held(world.office, koffi)] == [mandate.id]
        assert representation.acting_for(world.office, koffi, mandate.id) is not None
        representation.end(world.office, koffi, mandate.id)
        assert representation.held(world.office, koffi) == ()
