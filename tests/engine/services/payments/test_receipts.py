"""A payment's receipt is verified by a stranger like an issued document, and is not forged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.records.dossier import Dossier, Payment
from engine.services.keys.signing_keys import SigningKeys
from engine.services.limits.code_limits import Asker
from engine.services.payments import receipts
from engine.services.payments.receipts import (
    UNKNOWN,
    receipt_code,
    receipt_lines,
    verify_receipt,
    verify_receipt_number,
)
from engine.services.payments.refunds import pay_back, refunds_to_pay
from engine.services.payments.settlement import check_payment
from engine.services.worker.worker import run_timers
from tests.engine.services.payments.test_payments import Told, pay
from tests.engine.services.payments.test_refund_payments import REFERENCE, clerk
from tests.engine.services.payments.test_refunds import AGAIN, FREE_ONCE, HALL, TWICE_DEBITED
from tests.engine.services.payments.test_refunds import corrected as corrected_by
from tests.engine.services.payments.test_refunds import paid as paid_for
from tests.engine.services.world import World, a_world


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[World, Dossier, Payment]:
    world, dossier = paid_for(tmp_path, monkeypatch, HALL)
    with world.office.store.unit() as unit:
        [payment] = unit.payments_of(dossier.id)
    return world, dossier, payment


def test_the_square_and_the_two_numbers_tell_the_same(known: tuple[World, Dossier, Payment]) -> None:
    world, dossier, payment = known
    found = verify_receipt(world.office, receipt_code(world.office, payment))
    assert found == verify_receipt_number(world.office, str(payment.receipt).lower(), f" {dossier.number}")
    assert (found.kind, found.receipt, found.amount) == ("received", payment.receipt, payment.amount)
    assert (found.payer, found.dossier, found.repaid) == ("••• 01", f"••• {dossier.number[-4:]}", 0)
    assert found.paid_on is not None


def test_what_was_paid_back_proves_nothing_any_more(known: tuple[World, Dossier, Payment]) -> None:
    world, dossier, payment = known
    agent, code = clerk(world), receipt_code(world.office, payment)
    world.take(dossier, agent, "rendre")
    [line] = refunds_to_pay(world.office, agent).lines
    assert verify_receipt(world.office, code).repaid == 0, "owed back is not paid back"
    pay_back(world.office, agent, dossier.id, line.refund.entry, REFERENCE)
    part = verify_receipt(world.office, code)
    assert (part.kind, part.repaid) == ("received", line.refund.amount)
    with world.office.store.unit(write=True) as unit:
        unit.put_payment(replace(payment, amount=line.refund.amount))
    whole = receipt_code(world.office, replace(payment, amount=line.refund.amount))
    assert verify_receipt(world.office, whole).kind == "repaid"
    assert verify_receipt(world.office, code) == UNKNOWN, "a code says the amount that was printed"


def test_a_payment_of_a_closed_dossier_proves_nothing_once_it_went_back(tmp_path: Path) -> None:
    told = Told()
    world = a_world(tmp_path, providers={"told": told})
    dossier = world.sent()
    payment = pay(world, dossier, provider="told")
    world.wait(days=16)
    run_timers(world.office)
    told.says = {"kind": "paid"}
    receipt = str(check_payment(world.office, payment.id).receipt)
    agent = world.agent("g", "sncja/agent_traitement")
    [line] = refunds_to_pay(world.office, agent).lines
    assert verify_receipt_number(world.office, receipt, dossier.number).kind == "received"
    pay_back(world.office, agent, dossier.id, line.refund.entry, REFERENCE)
    found = verify_receipt_number(world.office, receipt, dossier.number)
    assert (found.kind, found.repaid) == ("repaid", payment.amount)


def test_what_was_collected_above_the_receipt_changes_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = paid_for(tmp_path, monkeypatch, HALL, TWICE_DEBITED)
    with world.office.store.unit() as unit:
        [payment] = unit.payments_of(dossier.id)
    agent = clerk(world)
    [line] = refunds_to_pay(world.office, agent).lines
    pay_back(world.office, agent, dossier.id, line.refund.entry, REFERENCE)
    found = verify_receipt(world.office, receipt_code(world.office, payment))
    assert (found.kind, found.repaid) == ("received", 0)


def test_nobody_makes_a_code(known: tuple[World, Dossier, Payment]) -> None:
    world, _, payment = known
    code = receipt_code(world.office, payment)
    stranger = replace(world.office, keys=SigningKeys.generate())
    forged = (
        payment.id + "A" * 86, new_id() + code[22:], code[:-2] + ("AA" if code[-2:] != "AA" else "BB"), "é" * 108,
        receipt_code(stranger, payment), receipt_code(world.office, replace(payment, receipt="Q-2026-999999")),
        receipt_code(world.office, replace(payment, amount=1)), "\0" * 108,
    )  # fmt: skip
    for one in forged:
        assert verify_receipt(world.office, one) == UNKNOWN, one


def test_a_payment_that_never_came_has_no_receipt(known: tuple[World, Dossier, Payment]) -> None:
    world, dossier, payment = known
    pending = replace(payment, id=new_id(), reference=new_id(), status="pending", receipt=None, provider_ref=None)
    with world.office.store.unit(write=True) as unit:
        unit.add_payment(pending)
    assert verify_receipt(world.office, receipt_code(world.office, pending)) == UNKNOWN
    assert verify_receipt_number(world.office, "", dossier.number) == UNKNOWN


def test_numbers_are_not_tried_one_after_the_other(
    known: tuple[World, Dossier, Payment], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier, payment = known
    monkeypatch.setattr(receipts, "CHECKS_PER_BROWSER", 3)
    monkeypatch.setattr(receipts, "WRONG_A_DAY", 5)

    def verdict(receipt: str, client: str) -> str:
        return verify_receipt_number(world.office, receipt, dossier.number, Asker(client, client)).kind

    assert {verdict(f"Q-2026-9{number:05}", "a") for number in range(3)} == {UNKNOWN.kind}
    with pytest.raises(Refused, match="too_many_tries"):  # too many by one browser
        verdict(str(payment.receipt), "a")
    assert verdict(str(payment.receipt), "b") == "received", "one client shuts out no other"
    assert {verdict(f"Q-2026-8{number:05}", "b") for number in range(2)} == {UNKNOWN.kind}
    with pytest.raises(Refused, match="too_many_tries"):  # too many wrong ones of one request
        verdict(str(payment.receipt), "c")
    assert verify_receipt(world.office, receipt_code(world.office, payment)).kind == "received", "the square still does"


def test_a_price_paid_back_and_asked_again_leaves_the_later_receipt_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = paid_for(tmp_path, monkeypatch, AGAIN)
    agent = clerk(world)
    world.take(dossier, agent, "agrandir")
    world.wait(minutes=5)
    dossier = world.paid(world.kept(dossier))
    for line in refunds_to_pay(world.office, agent).lines:
        pay_back(world.office, agent, dossier.id, line.refund.entry, REFERENCE)
    with world.office.store.unit() as unit:
        former, present = unit.payments_of(dossier.id)
    found = [verify_receipt(world.office, receipt_code(world.office, one)) for one in (former, present)]
    assert [(one.kind, one.repaid) for one in found] == [("repaid", 30_000), ("received", 0)]


def printed(world: World, dossier: Dossier) -> list[list[tuple[str, int]]]:
    """The lines of each receipt, in the order of the payments."""
    with world.office.store.unit() as unit:
        received = sorted(unit.payments_of(dossier.id), key=lambda one: str(one.receipt))
    found = [receipt_lines(world.office, world.owner(dossier), one) for one in received]
    return [[(line.label, line.amount) for line in lines] for lines in found]


def test_a_receipt_prints_what_was_paid_when_the_price_changes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = paid_for(tmp_path, monkeypatch, FREE_ONCE)
    first = [("Caution", 20_000), ("Occupation", 10_000)]
    assert printed(world, dossier) == [first]
    corrected_by(world, dossier, world.agent("i", "obac/instructeur"), surface="25")
    world.paid(world.kept(dossier))
    assert printed(world, dossier) == [first, [("Occupation", 25_000)]], "the second paid the rest of that price"


def test_a_receipt_prints_a_fee_that_is_asked_again_as_it_was_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = paid_for(tmp_path, monkeypatch, FREE_ONCE)
    agent = world.agent("i", "obac/instructeur")
    corrected_by(world, dossier, agent, etat="oui")
    world.take(world.kept(dossier), agent, "changer")
    assert printed(world, dossier) == [[("Caution", 20_000), ("Occupation", 10_000)]], "it is free by now"
