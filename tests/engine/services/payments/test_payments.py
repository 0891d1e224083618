"""Money comes in once, whatever operators say, repeat, forge or forget."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.integrations.payment_provider import (
    BadCallback,
    PaymentNotice,
    PaymentOrder,
    ProviderDown,
    ProviderStatus,
    Started,
    Wallet,
)
from engine.integrations.simulated_operator import SIGNATURE
from engine.records.dossier import Actor, Dossier, Payment
from engine.records.refunds import PaymentEvent
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.journalling import surplus
from engine.services.payments import payments as cashier
from engine.services.payments import settlement
from engine.services.sign_in.applicant_sign_in import applicant_known_by
from engine.services.worker.worker import run_pass, run_timers
from tests import worker
from tests.engine.services.world import PHONE, World, a_world
from tests.postgres import an_empty_store

WAITS = "+22890112233"  # confirmed by the person


class Told(Wallet):
    """A provider that answers what the test says."""

    id = "told"
    label = "Told"

    def __init__(self) -> None:
        self.orders: dict[str, PaymentOrder] = {}
        self.says: dict[str, Any] = {"kind": "pending"}
        self.asked = 0
        self.down = False

    def start(self, order: PaymentOrder) -> Started:
        if self.down:
            raise ProviderDown("down")
        self.orders[order.reference] = order
        return Started("T" + order.reference[:8])

    def read_callback(self, headers: Any, body: bytes) -> PaymentNotice:
        reference, _, event = body.decode().partition(" ")
        if not event:
            raise BadCallback("piece")
        order = self.orders[reference]
        return PaymentNotice(event, reference, None, "paid", order.amount, "XOF", order.placed_at)

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        self.asked += 1
        if self.down:
            raise ProviderDown("down")
        order = self.orders[reference]
        plain = ProviderStatus("pending", order.amount, "XOF", reference)
        return replace(plain, **self.says)


def pay(world: World, dossier: Dossier, payer: str = WAITS, **more: Any) -> Payment:
    given = {"provider": "sandbox", **more}
    return worker.start_payment(world.office, world.applicant(), dossier.id, payer=payer, **given)


def credits(world: World) -> list[tuple[str, int]]:
    store: Any = world.office.store
    with store._connection(alone=False) as connection:
        return connection.execute("SELECT payment, amount FROM credit").fetchall()  # type: ignore[no-any-return]


class TestEndings:
    @pytest.mark.parametrize(
        ("payer", "status", "reason", "state"),
        [
            ("90000001", "paid", None, "piece"),
            ("90000002", "failed", "balance", "a_payer"),
            ("90000003", "failed", "cancelled", "a_payer"),
            ("90000004", "expired", None, "a_payer"),
            ("90000005", "unknown", None, "a_payer"),
            ("90000006", "overpaid", None, "piece"),
            ("90000007", "failed", "limit", "a_payer"),
            ("90000008", "unknown", "operator_down", "a_payer"),
            ("90112233", "pending", None, "a_payer"),
        ],
    )
    def test_magic_numbers(self, world: World, payer: str, status: str, reason: str | None, state: str) -> None:
        dossier = world.sent()
        payment = pay(world, dossier, payer)
        if status == "unknown" and reason is None:
            payment = settlement.check_payment(world.office, payment.id)
        assert (payment.status, payment.reason) == (status, reason)
        assert world.kept(dossier).state == state
        assert fsck(world.office) == ()

    def test_paid_has_a_receipt_and_a_letter(self, world: World) -> None:
        payment = pay(world, world.sent(), "90000001")
        assert payment.receipt == "Q-2026-000001"
        assert any("notice.paid.sms" in body and "Q-2026-000001" in body for body in world.letters())
        assert cashier.owed(world.office, world.applicant(), payment.dossier) == ()

    def test_unknown_becomes_paid_by_the_tour(self, world: World) -> None:
        dossier = world.sent()
        pay(world, dossier, "90000005")
        world.wait(seconds=119)
        settlement.reconcile(world.office)
        assert world.kept(dossier).state == "a_payer"
        world.wait(seconds=11)
        assert settlement.reconcile(world.office) == 1
        assert world.worked_off(dossier).state == "piece"
        assert settlement.reconcile(world.office) == 0

    def test_twice_debited_is_all_credited_and_said(self, world: World) -> None:
        dossier = world.sent()
        payment = pay(world, dossier, "90000006")
        assert credits(world) == [(payment.id, 1000)]
        assert world.kept(dossier).owed["bulletin_b3"].paid == 1000
        entry = next(one for one in world.read(lambda unit: unit.entries(dossier.id)) if one.kind == "credited")
        assert entry.body["extra"] == 500
        assert surplus(world.read(lambda unit: unit.entries(dossier.id))) == {payment.id: 500}

    def test_an_operator_that_was_down_knows_no_order_in_the_end(self, world: World) -> None:
        dossier = world.sent()
        payment = pay(world, dossier, "90000008")
        world.wait(minutes=11)
        settlement.reconcile(world.office)
        after = cashier.see_payment(world.office, world.applicant(), dossier.id, payment.id)
        assert (after.status, after.reason) == ("failed", "operator_down")

    def test_the_person_confirms_or_refuses_on_the_operators_page(self, world: World) -> None:
        dossier = world.sent()
        first = pay(world, dossier)
        world.operator.refuse(first.reference)
        assert settlement.check_payment(world.office, first.id).reason == "cancelled"
        second = pay(world, dossier)
        world.operator.confirm(second.reference, "1234")
        assert settlement.check_payment(world.office, second.id).status == "paid"

    def test_nobody_confirms(self, world: World) -> None:
        payment = pay(world, world.sent())
        world.wait(minutes=10)
        assert settlement.check_payment(world.office, payment.id).status == "expired"


class TestStarting:
    def test_one_at_a_time(self, world: World) -> None:
        dossier = world.sent()
        payment = pay(world, dossier)
        with pytest.raises(Refused) as closed:
            pay(world, dossier)
        assert closed.value.reason.facts["payment"] == payment.id

    def test_nobody_pays_again_while_the_operator_is_silent(self, world: World) -> None:
        dossier = world.sent()
        first = pay(world, dossier, "90000005")
        settlement.check_payment(world.office, first.id)
        with pytest.raises(Refused, match="payment_unknown") as closed:
            pay(world, dossier)
        assert closed.value.reason.facts["payment"] == first.id
        awaited = cashier.awaited_payment(world.office, world.applicant(), dossier.id)
        assert awaited is not None
        assert awaited.id == first.id
        world.wait(minutes=3)
        worker.work_off(world.office)
        with pytest.raises(Refused, match="nothing_owed"):
            pay(world, dossier)
        assert world.worked_off(dossier).state == "piece"

    def test_who_comes_back_after_a_try_that_nobody_confirmed_pays_again(self, world: World) -> None:
        dossier = world.sent()
        first = pay(world, dossier)
        world.wait(minutes=11)
        worker.work_off(world.office)
        assert pay(world, dossier, "90000001").status == "paid"
        after = cashier.see_payment(world.office, world.applicant(), dossier.id, first.id)
        assert after.status == "expired"

    def test_nobodys_telephone_is_made_to_ring_without_end(self, world: World) -> None:
        """Whoever owes a price may ask any number to pay it."""
        dossier = world.sent()
        for _ in range(cashier.TRIES_PER_DOSSIER):
            assert pay(world, dossier, "90000003").status == "failed"
        with pytest.raises(Refused, match="too_many_tries"):
            pay(world, dossier, "90000003")
        world.wait(minutes=16)
        assert pay(world, dossier, "90000001").status == "paid"

    def test_a_stranger_is_not_rung_from_several_dossiers_and_accounts(self, tmp_path: Path) -> None:
        """The number is counted whoever names it; other numbers are rung as before."""
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        one = world.applicant()
        told.says = {"kind": "failed"}
        others = [world.applicant(f"+2289111220{number}") for number in range(4)]
        dossiers = {who.id: world.sent(owner=who) for who in (one, *others)}

        def order(who: Actor, payer: str) -> None:
            worker.start_payment(world.office, who, dossiers[who.id].id, provider="told", payer=payer)
            world.wait(seconds=7)
            settlement.reconcile(world.office)

        for who in others[:3]:
            for _ in range(cashier.TRIES_PER_FOREIGN_NUMBER):
                order(who, PHONE[4:])
            with pytest.raises(Refused, match="too_many_tries"):
                order(who, PHONE[4:])
        order(others[3], PHONE[4:])
        with pytest.raises(Refused, match="too_many_tries"):
            order(others[3], PHONE[4:])
        order(others[3], "90000004")
        for _ in range(2):  # the person whose number it is pays with it all the same
            order(one, PHONE[4:])

    def test_one_account_rings_the_telephone_of_another_so_often_a_day(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Three in a quarter of an hour were 288 a day, and the holder of the wallet may confirm one of them."""
        monkeypatch.setattr(cashier, "FOREIGN_A_DAY", 5)
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        told.says = {"kind": "failed"}
        dossier = world.sent()

        def order(payer: str) -> None:
            pay(world, dossier, payer, provider="told")
            world.wait(minutes=6)
            settlement.reconcile(world.office)

        for _ in range(5):
            order("91223344")
        with pytest.raises(Refused, match="too_many_tries"):
            order("91223344")
        order("91223345")

    def test_accounts_without_a_telephone_ring_another_so_often_a_day_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An e-mail address costs nothing: each had thirty a day."""
        monkeypatch.setattr(cashier, "FOREIGN_A_DAY", 3)
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        told.says = {"kind": "failed"}
        with world.office.store.unit(write=True) as unit:
            now = world.office.now()
            free = [applicant_known_by(unit, "email", f"x{n}@exemple.tg", now).actor() for n in range(2)]
        world.people |= {one.id: one for one in free}

        def order(who: Actor, payer: str) -> None:
            dossier = world.sent(owner=who)
            worker.start_payment(world.office, who, dossier.id, provider="told", payer=payer)
            world.wait(minutes=6)
            settlement.reconcile(world.office)

        for who in (free[0], free[1], free[0]):
            order(who, "91223344")
        with pytest.raises(Refused, match="too_many_tries"):
            order(free[1], "91223344")
        order(free[1], "91223345")
        order(world.applicant(), "91223344")

    def test_an_account_orders_so_often(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cashier, "TRIES_PER_ACCOUNT", 3)
        world = a_world(tmp_path, providers={"told": Told()})
        for number in range(3):
            pay(world, world.sent(), f"9{number:05d}03", provider="told")
        with pytest.raises(Refused, match="too_many_tries"):
            pay(world, world.sent(), "99999903", provider="told")

    def test_a_double_click_is_one_order(self, world: World) -> None:
        dossier = world.sent()
        first, again = pay(world, dossier, token="t"), pay(world, dossier, token="t")
        assert first.id == again.id
        assert len(world.operator.pending_orders()) == 1

    def test_nothing_to_pay(self, world: World) -> None:
        dossier = world.paid(world.sent())
        with pytest.raises(Refused, match="nothing_owed"):
            pay(world, dossier)

    @pytest.mark.parametrize(
        ("more", "code"), [({"payer": "12"}, "phone_format"), ({"provider": "nobody"}, "unknown_provider")]
    )
    def test_wrong_ways(self, world: World, more: dict[str, str], code: str) -> None:
        with pytest.raises(Refused, match=code):
            pay(world, world.sent(), **more)

    def test_the_amount_is_the_frozen_one(self, world: World) -> None:
        dossier = world.sent(mode_retrait="poste")
        payment = pay(world, dossier)
        assert (payment.amount, payment.fees) == (2000, ("bulletin_b3", "envoi"))

    def test_an_agent_pays_nobodys_fee(self, world: World) -> None:
        dossier = world.sent()
        agent = world.agent("t", "sncja/agent_traitement")
        with pytest.raises(Refused, match="role"):
            worker.start_payment(world.office, agent, dossier.id, provider="sandbox", payer=WAITS)

    def test_somebody_elses_payment_does_not_exist(self, world: World) -> None:
        payment = pay(world, world.sent())
        other = world.applicant("+22890445566")
        for dossier_id in (payment.dossier, world.draft(owner=other).id, "nowhere"):
            with pytest.raises(NotFound):
                cashier.see_payment(world.office, other, dossier_id, payment.id)


class TestSlowAnswers:
    def test_an_order_on_its_way_is_not_one_that_nobody_knows(self, tmp_path: Path) -> None:
        """Three calls of an operator may take half a minute; the tour asks after ten seconds."""
        world = a_world(tmp_path, providers={})
        told: list[Payment] = []

        class Slow(Told):
            def start(self, order: PaymentOrder) -> Started:
                world.wait(seconds=30)
                settlement.reconcile(world.office)
                told.extend(world.read(lambda unit: unit.payments_of(dossier.id)))
                return super().start(order)

            def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
                if reference in self.orders:
                    return super().status(reference, provider_ref)
                return ProviderStatus("unknown", 0, "XOF", reference, "no_such_order")

        slow = Slow()
        world.office.providers["told"] = slow  # type: ignore[index]
        dossier, before = world.sent(), len(world.letters())
        payment = pay(world, dossier, provider="told")
        assert [one.status for one in told] == ["pending"]
        assert payment.status == "pending"
        assert len(world.letters()) == before
        slow.says = {"kind": "paid"}
        world.wait(seconds=11)
        assert settlement.reconcile(world.office) == 1
        assert credits(world) == [(payment.id, 500)]

    def test_what_was_told_while_nobody_answered_is_asked_about_however_late(self, tmp_path: Path) -> None:
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        payment = pay(world, world.sent(), provider="told")
        call = lambda: worker.record_callback(world.office, "told", {}, f"{payment.reference} e".encode()).code  # noqa: E731
        told.says = {"kind": "failed", "reason": "balance"}
        world.wait(minutes=11)
        settlement.reconcile(world.office)
        world.wait(hours=23, minutes=10)
        told.down, told.says = True, {"kind": "paid"}
        assert call() == "noted"
        for _ in range(6):
            world.wait(minutes=11)
            worker.work_off(world.office)
        assert credits(world) == []
        told.down = False
        world.wait(minutes=1)
        settlement.reconcile(world.office)
        assert credits(world) == [], "nobody asks about it but for the callback"
        worker.work_off(world.office)
        assert credits(world) == [(payment.id, 500)]
        asked = told.asked
        assert [call(), call()] == ["repeated", "repeated"]
        assert told.asked == asked, "what was answered is not asked again"


class TestCallbacks:
    def call(self, world: World, payment: Payment) -> settlement.CallbackOutcome:
        headers, body = world.operator.callback(payment.reference) or ({}, b"")
        return worker.record_callback(world.office, "sandbox", headers, body)

    def test_it_wakes_us_and_we_ask(self, world: World) -> None:
        dossier = world.sent()
        payment = pay(world, dossier)
        world.operator.confirm(payment.reference, "1234")
        outcome = self.call(world, payment)
        assert outcome.code == "noted"
        assert outcome.payment
        assert outcome.payment.status == "paid"
        assert world.worked_off(dossier).state == "piece"

    def test_a_hundred_times_is_once(self, world: World) -> None:
        dossier = world.sent()
        payment = pay(world, dossier)
        world.operator.confirm(payment.reference, "1234")
        codes = [self.call(world, payment).code for _ in range(100)]
        assert codes == ["noted"] + ["repeated"] * 99
        assert credits(world) == [(payment.id, 500)]
        assert world.kinds(dossier).count("credited") == 1

    def test_any_order_of_events_ends_the_same(self, tmp_path: Path) -> None:
        """Told failed, unknown, expired, paid in any order: paid, once."""
        for seed in range(12):
            told = Told()
            world = a_world(tmp_path, providers={"told": told})
            dossier = world.sent()
            payment = pay(world, dossier, provider="told")
            kinds = ["failed", "unknown", "expired", "paid", "pending"]
            random.Random(seed).shuffle(kinds)
            for number, kind in enumerate(kinds):
                told.says = {"kind": kind}
                body = f"{payment.reference} event-{number}".encode()
                worker.record_callback(world.office, "told", {}, body)
            assert cashier.see_payment(world.office, world.applicant(), dossier.id, payment.id).status == "paid"
            assert credits(world) == [(payment.id, 500)]
            assert fsck(world.office) == ()

    def test_a_thousand_forgeries_credit_nothing(self, world: World) -> None:
        dossier = world.sent()
        payment = pay(world, dossier)
        for number in range(1000):
            body = b'{"event":"e%d","reference":"%s","status":"paid","amount":500,"currency":"XOF"}' % (
                number, payment.reference.encode(),
            )  # fmt: skip
            outcome = worker.record_callback(world.office, "sandbox", {SIGNATURE: "t=1,v1=00"}, body)
            assert (outcome.code, outcome.reason) == ("refused", "signature")
        assert credits(world) == []
        assert world.kept(dossier).state == "a_payer"
        store: Any = world.office.store
        with store._connection(alone=False) as connection:
            noted = connection.execute("SELECT count(*) FROM pay_event WHERE note = 'signature'").fetchone()[0]
        assert noted == settlement.FORGERIES_NOTED

    def test_a_true_signature_that_lies_is_not_believed(self, world: World) -> None:
        """The operator says paid, and answers our question with pending: what it answers counts."""
        dossier = world.sent()
        payment = pay(world, dossier)
        body = (
            b'{"event":"e","reference":"%s","status":"paid","amount":500,"currency":"XOF"}' % payment.reference.encode()
        )
        stamp = str(int(world.office.now().timestamp()))
        headers = {SIGNATURE: f"t={stamp},v1={world.operator.signature(stamp, body)}"}
        outcome = worker.record_callback(world.office, "sandbox", headers, body)
        assert outcome.payment
        assert outcome.payment.status == "pending"
        assert credits(world) == []

    def test_an_answer_written_into_the_store_credits_nothing(self, tmp_path: Path) -> None:
        """Only what the operator answers now counts; `fsck` tells of the row, before and after it says paid itself."""
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        dossier = world.sent()
        payment = pay(world, dossier, provider="told")
        written = PaymentEvent(
            "told",
            "asked:x",
            payment.id,
            "paid",
            payment.amount,
            "XOF",
            world.office.now(),
            verified=True,
            note="asked",
        )
        with world.office.store.unit(write=True) as unit:
            unit.add_event(written)
        assert {one.code for one in fsck(world.office)} == {"event_uncredited"}
        world.wait(minutes=1)
        settlement.reconcile(world.office)
        assert told.asked
        assert credits(world) == []
        assert world.kept(dossier).state == "a_payer"
        told.says = {"kind": "paid"}
        world.wait(minutes=1)
        settlement.reconcile(world.office)
        assert credits(world) == [(payment.id, 500)]

    def test_an_unknown_reference_or_provider(self, world: World) -> None:
        body = b'{"event":"e","reference":"nowhere","status":"paid","amount":500,"currency":"XOF"}'
        stamp = str(int(world.office.now().timestamp()))
        headers = {SIGNATURE: f"t={stamp},v1={world.operator.signature(stamp, body)}"}
        assert worker.record_callback(world.office, "sandbox", headers, body).code == "unmatched"
        assert worker.record_callback(world.office, "nobody", headers, body).code == "unknown_provider"

    @pytest.mark.parametrize("said", [("\ud800", "event"), ("a", "\udfff"), ("a\0b", "event"), ("a", "\0")])
    def test_words_that_no_store_can_keep_are_refused(self, tmp_path: Path, said: tuple[str, str]) -> None:
        """JSON can say them, and an operator that signs nothing is anybody."""

        class Strange(Told):
            def read_callback(self, headers: Any, body: bytes) -> PaymentNotice:
                return PaymentNotice(said[1], said[0], None, "paid", 500, "XOF", world.clock.now())

        world = a_world(tmp_path, providers={"told": Strange()})
        outcome = worker.record_callback(world.office, "told", {}, b"{}")
        assert (outcome.code, outcome.reason) == ("refused", "unreadable")

    def test_a_provider_that_calls_and_does_not_answer_is_asked_later(self, tmp_path: Path) -> None:
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        dossier = world.sent()
        payment = pay(world, dossier, provider="told")
        told.down = True
        body = f"{payment.reference} e".encode()
        assert worker.record_callback(world.office, "told", {}, body).code == "noted"
        told.down, told.says = False, {"kind": "paid"}
        assert worker.record_callback(world.office, "told", {}, body).code == "repeated"
        assert world.worked_off(dossier).state == "piece"


class TestOnlyToTheFranc:
    @pytest.mark.parametrize(
        ("says", "why"),
        [
            ({"kind": "paid", "amount": 499}, "amount"),
            ({"kind": "paid", "amount": 501}, "amount"),
            ({"kind": "overpaid", "amount": 500}, "amount"),
            ({"kind": "paid", "currency": "XAF"}, "currency"),
            ({"kind": "paid", "reference": "another"}, "reference"),
        ],
    )
    def test_another_sum_is_kept_for_the_auditor_and_never_credited(
        self, tmp_path: Path, says: dict[str, Any], why: str
    ) -> None:
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        dossier = world.sent()
        payment = pay(world, dossier, provider="told")
        told.says = says
        doubt = ("pending", None) if why == "reference" else ("unknown", "mismatch")
        for _ in range(2):
            asked = settlement.check_payment(world.office, payment.id)
            assert (asked.status, asked.reason) == doubt, "the page asks for no code where money may have moved"
        assert len([one for one in world.letters() if "notice.unknown.sms" in one]) == (why != "reference")
        notes = [one for one in world.read(lambda unit: unit.entries(dossier.id)) if one.kind == "payment_mismatch"]
        assert [one.body["why"] for one in notes] == [why]
        assert credits(world) == []
        world.wait(hours=1)
        assert settlement.check_payment(world.office, payment.id).status == "unknown", "its time is over"
        told.says = {"kind": "paid"}
        assert settlement.check_payment(world.office, payment.id).status == "paid"


class TestTooMuch:
    def test_two_payments_both_paid_are_both_credited_and_the_second_is_to_give_back(self, tmp_path: Path) -> None:
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        dossier = world.sent()
        first = pay(world, dossier, provider="told")
        told.says = {"kind": "unknown"}
        settlement.check_payment(world.office, first.id)
        world.wait(days=1)
        second = pay(world, dossier, provider="told")
        told.says = {"kind": "paid"}
        assert settlement.check_payment(world.office, second.id).status == "paid"
        assert settlement.check_payment(world.office, first.id).status == "overpaid"
        again = worker.record_callback(world.office, "told", {}, f"{first.reference} again".encode())
        assert again.payment
        assert again.payment.status == "overpaid"
        assert "overpaid" not in world.kinds(dossier)
        assert sorted(amount for _, amount in credits(world)) == [500, 500]
        assert surplus(world.read(lambda unit: unit.entries(dossier.id))) == {first.id: 500}
        told_of = [
            key for body in world.letters() for key in ("notice.paid.sms", "notice.paid_over.sms") if key in body
        ]
        assert sorted(told_of) == ["notice.paid.sms", "notice.paid_over.sms"]
        assert world.worked_off(dossier).state == "piece"
        assert fsck(world.office) == ()

    def test_a_success_after_the_operator_said_failed(self, tmp_path: Path) -> None:
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        dossier = world.sent()
        payment = pay(world, dossier, provider="told")
        told.says = {"kind": "failed", "reason": "cancelled"}
        assert settlement.check_payment(world.office, payment.id).status == "failed"
        told.says = {"kind": "paid"}
        outcome = worker.record_callback(world.office, "told", {}, f"{payment.reference} late".encode())
        assert outcome.payment
        assert outcome.payment.status == "paid"
        assert world.worked_off(dossier).state == "piece"

    def test_a_success_after_the_dossier_was_closed_is_to_give_back(self, tmp_path: Path) -> None:
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        dossier = world.sent()
        payment = pay(world, dossier, provider="told")
        world.wait(days=16)
        run_timers(world.office)
        assert world.kept(dossier).state == "abandonne"
        told.says = {"kind": "paid"}
        assert settlement.check_payment(world.office, payment.id).status == "overpaid"
        assert world.kept(dossier).state == "abandonne"
        assert surplus(world.read(lambda unit: unit.entries(dossier.id))) == {payment.id: 500}
        assert len([body for body in world.letters() if "notice.paid_closed.sms" in body and "500" in body]) == 1
        assert not [body for body in world.letters() if "notice.paid.sms" in body], (
            "« Payé » alone would say that all goes on"
        )
        assert fsck(world.office) == ()

    def test_a_second_debit_learnt_after_the_credit(self, tmp_path: Path) -> None:
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        dossier = world.sent()
        payment = pay(world, dossier, provider="told")
        told.says = {"kind": "paid"}
        settlement.check_payment(world.office, payment.id)
        told.says = {"kind": "overpaid", "amount": 1000}
        outcome = worker.record_callback(world.office, "told", {}, f"{payment.reference} again".encode())
        assert outcome.payment
        assert outcome.payment.status == "overpaid"
        assert credits(world) == [(payment.id, 500)]
        assert "overpaid" in world.kinds(dossier)
        assert len([body for body in world.letters() if "notice.paid_over.sms" in body and "500" in body]) == 1
        assert surplus(world.read(lambda unit: unit.entries(dossier.id))) == {payment.id: 500}
        assert fsck(world.office) == ()


def test_silent_payments_are_asked_less_and_less(tmp_path: Path) -> None:
    told = Told()
    world = a_world(tmp_path, providers={"told": told})
    pay(world, world.sent(), provider="told")
    asked = []
    for step in ({"seconds": 10}, {"minutes": 9}, {"seconds": 30}, {"minutes": 1}, {"hours": 2}, {"minutes": 5}, {"days": 3},
                 {"hours": 12}, {"days": 1}, {"days": 40}):  # fmt: skip
        world.wait(**step)
        asked.append(settlement.reconcile(world.office))
    assert asked == [1, 1, 1, 1, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("took", "asked"),
    [
        (0, [2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 66, 76, 86]),
        (7, [11, 15, 19, 23, 27, 31, 35, 39, 43, 47, 51, 55, 59, 69, 79, 89]),
    ],
    ids=["an operator that takes an order at once", "one that takes seven seconds"],
)
def test_an_operator_that_never_calls_is_asked_soon_and_a_slow_one_less_often(
    tmp_path: Path, took: int, asked: list[int]
) -> None:
    class Slow(Told):
        def start(self, order: PaymentOrder) -> Started:
            world.wait(seconds=took)
            return super().start(order)

    world = a_world(tmp_path, providers={"told": Slow()})
    begun = world.clock.now()
    pay(world, world.sent(), provider="told")
    found = []
    while (age := int((world.clock.now() - begun).total_seconds())) < 90:
        world.wait(seconds=1)
        if settlement.reconcile(world.office):
            found.append(age + 1)
    assert found == asked


def test_an_adapter_that_breaks_when_it_is_asked_to_collect_is_asked_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The payer reads that nobody knows yet, not an accident: the order may have been heard."""

    class Halting(Told):
        def start(self, order: PaymentOrder) -> Started:
            super().start(order)
            raise KeyError("an answer without its field")

    told = Halting()
    told.says = {"kind": "paid"}
    world = a_world(tmp_path, providers={"told": told})
    payment = pay(world, world.sent(), provider="told")
    assert (payment.status, payment.reason) == ("unknown", "operator_down")
    assert "the adapter of told failed" in caplog.text
    world.wait(minutes=10, seconds=1)
    settlement.reconcile(world.office)
    assert world.read(lambda unit: unit.payment(payment.id)).status == "paid"


@pytest.mark.parametrize(("named", "stored"), [("n" * 200, True), ("n" * 201, False)])
def test_an_operator_names_an_order_in_few_characters(tmp_path: Path, named: str, stored: bool) -> None:
    """The name is stored and sent with each question to the operator."""

    class Named(Told):
        def start(self, order: PaymentOrder) -> Started:
            return replace(super().start(order), provider_ref=named)

    world = a_world(tmp_path, providers={"told": Named()})
    payment = pay(world, world.sent(), provider="told")
    assert (payment.provider_ref == named, payment.status) == (stored, "pending")


@pytest.mark.parametrize(("named", "stored"), [("n" * 200, True), ("n" * 201, False)])
def test_so_does_its_answer_about_an_order(tmp_path: Path, named: str, stored: bool) -> None:
    class Named(Told):
        def start(self, order: PaymentOrder) -> Started:
            super().start(order)
            return Started()

        def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
            return replace(super().status(reference, provider_ref), provider_ref=named)

    told = Named()
    world = a_world(tmp_path, providers={"told": told})
    payment = pay(world, world.sent(), provider="told")
    told.says = {"kind": "paid"}
    settlement.check_payment(world.office, payment.id)
    known = world.read(lambda unit: unit.payment(payment.id))
    assert known is not None
    assert (known.provider_ref == named, known.status) == (stored, "paid")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("at_once", [True, False])
def test_an_operator_that_names_two_orders_alike_is_paid_for_both(tmp_path: Path, at_once: bool, kind: str) -> None:
    """A new account of an operator numbers again from one; another names all orders of a channel "0"."""

    class Alike(Told):
        def start(self, order: PaymentOrder) -> Started:
            super().start(order)
            return Started("0" if at_once else None)

        def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
            return replace(super().status(reference, provider_ref), provider_ref="0")

    told = Alike()
    world = a_world(tmp_path, an_empty_store() if kind == "postgresql" else None, providers={"told": told})
    paid = [pay(world, world.sent(), provider="told") for _ in range(2)]
    told.says = {"kind": "paid"}
    for payment in paid:
        settlement.check_payment(world.office, payment.id)
    known = [world.read(lambda unit, one=one: unit.payment(one.id)) for one in paid]
    assert [(one.status, one.provider_ref) for one in known] == [("paid", "0"), ("paid", None)]
    assert len({one.receipt for one in known}) == 2
    assert fsck(world.office) == ()


def test_a_currency_of_an_operator_is_stored_in_few_characters(tmp_path: Path) -> None:
    """A long one is more than an index of PostgreSQL stores."""
    told = Told()
    world = a_world(tmp_path, an_empty_store(), providers={"told": told})
    payment = pay(world, world.sent(), provider="told")
    told.says = {"kind": "paid", "currency": "".join(chr(0x4E00 + one) for one in range(20_000))}
    asked = settlement.check_payment(world.office, payment.id)
    assert (asked.status, asked.reason) == ("unknown", "mismatch")


def test_orders_that_are_cancelled_cost_few_messages(tmp_path: Path) -> None:
    """Each makes an SMS to the applicant, who may order again at once. One about money always leaves."""
    world = a_world(tmp_path)
    dossiers = [world.sent() for _ in range(2)]
    for turn in range(12):
        assert pay(world, dossiers[turn % 2], "90000003").status == "failed"
        world.wait(minutes=5)
    assert pay(world, dossiers[0], "90000001").status == "paid"
    letters = [one for one in world.read(lambda unit: unit.letters_to(PHONE, 100)) if "notice." in one.body]
    kept = [one.failed for one in letters if "notice.failed.sms" in one.body]
    assert (kept.count(None), kept.count("too_many_tries")) == (10, 2)
    assert [one.failed for one in letters if "notice.paid.sms" in one.body] == [None]
    world.wait(days=1, hours=2)
    assert pay(world, dossiers[1], "90000003").status == "failed"
    newest = max(world.read(lambda unit: unit.letters_to(PHONE, 100)), key=lambda one: one.created_at)
    assert newest.failed is None


def test_an_adapter_that_breaks_stops_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Told):
        id = "broken"

        def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
            raise KeyError("status")

    told, broken = Told(), Broken()
    world = a_world(tmp_path, providers={"told": told, "broken": broken})
    first = pay(world, world.sent(), provider="broken")
    other = world.applicant("+22890000102")
    dossier = world.sent(owner=other)
    worker.start_payment(world.office, other, dossier.id, payer=WAITS, provider="told")
    told.says = {"kind": "paid"}
    world.wait(seconds=10)
    assert settlement.reconcile(world.office) == 2
    assert world.worked_off(dossier).state == "piece"
    with world.office.store.unit() as unit:
        [kept] = unit.payments_of(first.dossier)
    assert kept.status == "pending"
    assert "the adapter of broken failed" in caplog.text


def test_money_of_a_dossier_that_cannot_be_read_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its edition is nowhere any more: a person must look. The tour goes on, and asks again later."""
    told = Told()
    world = a_world(tmp_path, providers={"told": told})
    first, other = pay(world, world.sent(), provider="told"), world.applicant("+22890000102")
    dossier = world.sent(owner=other)
    worker.start_payment(world.office, other, dossier.id, payer=WAITS, provider="told")
    told.says = {"kind": "paid"}
    real = settlement.credit

    def lost(office: Any, unit: Any, payment: Payment, *more: Any) -> Any:
        if payment.id == first.id:
            raise EditionMissing("casier-judiciaire-b3")
        return real(office, unit, payment, *more)

    monkeypatch.setattr(settlement, "credit", lost)
    world.wait(seconds=10)
    run_pass(world.office)
    assert world.worked_off(dossier).state == "piece"
    assert f"payment {first.id}" in caplog.text
    assert settlement.reconcile(world.office) == 0, "asked a moment ago"
    monkeypatch.undo()
    world.wait(minutes=1)
    settlement.reconcile(world.office)
    assert world.read(lambda unit: unit.payment(first.id)).status == "paid"


def test_many_old_silent_payments_starve_no_new_one(tmp_path: Path) -> None:
    told = Told()
    world = a_world(tmp_path, providers={"told": told})
    dossier = world.sent()
    first = pay(world, dossier, provider="told")
    with world.office.store.unit(write=True) as unit:
        for number in range(600):
            old = first.started_at - timedelta(days=31 + number % 40 if number % 2 else 3)
            unit.add_payment(
                replace(first, id=f"old{number}", reference=f"old{number}", provider_ref=None, started_at=old,
                        expires_at=old, status="unknown", checked_at=first.started_at - timedelta(minutes=1))
            )  # fmt: skip
    told.says = {"kind": "paid"}
    world.wait(seconds=10)
    assert settlement.reconcile(world.office) == 1, "those asked about this minute wait, those of over 30 days are left"
    assert world.worked_off(dossier).state == "piece"


def test_the_old_that_are_due_share_the_tour_with_the_new(tmp_path: Path) -> None:
    told = Told()
    world = a_world(tmp_path, providers={"told": told})
    dossier = world.sent()
    first = pay(world, dossier, provider="told")
    old = first.started_at - timedelta(days=3)
    with world.office.store.unit(write=True) as unit:
        for number in range(600):
            told.orders[f"old{number}"] = told.orders[first.reference]
            unit.add_payment(
                replace(first, id=f"old{number}", reference=f"old{number}", provider_ref=None, started_at=old,
                        expires_at=old, status="unknown", checked_at=old)
            )  # fmt: skip
    world.wait(seconds=10)
    assert settlement.reconcile(world.office, limit=10) == 10
    assert cashier.see_payment(world.office, world.applicant(), dossier.id, first.id).checked_at == world.office.now()


@pytest.mark.parametrize("kind", ["failed", "expired"])
def test_money_that_comes_after_the_operator_said_no_is_credited_without_a_call(tmp_path: Path, kind: str) -> None:
    told = Told()
    world = a_world(tmp_path, providers={"told": told})
    dossier = world.sent()
    payment = pay(world, dossier, provider="told")
    told.says = {"kind": kind}
    assert settlement.check_payment(world.office, payment.id).status == kind
    assert settlement.reconcile(world.office) == 0, "not at once"
    told.down = True
    world.wait(minutes=10)
    assert [settlement.reconcile(world.office) for _ in range(2)] == [1, 0]
    told.down, told.says = False, {"kind": "paid"}
    world.wait(minutes=10)
    assert settlement.reconcile(world.office) == 1
    assert world.worked_off(dossier).state == "piece"
    assert credits(world) == [(payment.id, 500)]
    assert fsck(world.office) == ()


def test_an_end_is_believed_after_a_day(tmp_path: Path) -> None:
    told = Told()
    world = a_world(tmp_path, providers={"told": told})
    payment = pay(world, world.sent(), provider="told")
    told.says = {"kind": "failed"}
    settlement.check_payment(world.office, payment.id)
    world.wait(days=1, seconds=1)
    assert settlement.reconcile(world.office) == 0
