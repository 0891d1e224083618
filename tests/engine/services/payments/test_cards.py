"""Paying by card: the methods of a fee are held both ways, nothing of whoever holds the card stays, each ending is followed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refusal, Refused, refusal
from engine.integrations.payment_provider import Customer, PaymentOrder, Started
from engine.integrations.simulated_operator import CARD_ENDINGS, SandboxCard, SandboxOperator, SandboxProvider
from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Dossier, Payment
from engine.services.audit.integrity import fsck
from engine.services.payments import order_placement, settlement
from engine.services.payments import payments as cashier
from engine.services.payments.customers import read_customer
from engine.services.payments.order_placement import place_orders
from engine.services.payments.refunds import owed_back
from engine.services.sign_in.sessions import without_secrets
from engine.storage.results import Busy
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests import worker
from tests.engine.services import world as worlds
from tests.engine.services.payments.test_refunds import HALL, IN_PARTS
from tests.engine.services.world import World, a_world
from tests.makers import compiled, the_shared

ANNA = Customer("Anna Lee", "a.lee@example.org", "", "1 Main Street", "Paris", "FR")
TWO = ("mobile_money", "card")


def hall(
    folder: Path, patch: pytest.MonkeyPatch, *methods: str, store: Store | None = None, book: str = HALL
) -> tuple[World, Dossier]:  # fmt: skip
    """A hall whose two fees are paid so, and an operator of wallets and of cards."""
    if methods:
        said = f"methods: [{', '.join(methods)}]"
        book = book.replace("label: Caution, ", f"label: Caution, {said}, ")
        book = book.replace("    label: Occupation\n", f"    label: Occupation\n    {said}\n")
        assert book.count("methods") == 2
    patch.setattr(worlds, "shipped", lambda: Catalogue.of([compiled(book, "deposit.yaml")], the_shared()))
    world = a_world(folder, store)
    wallet = SandboxProvider(world.operator)
    card = SandboxCard(world.operator, "card", "Carte")
    world.office.providers.update({"sandbox": wallet, "card": card})  # type: ignore[attr-defined]
    return world, world.sent("deposit", surface=10, etat=False, etudiant=False)


def pay(world: World, dossier: Dossier, **more: Any) -> Payment:
    given = {"provider": "card", "customer": ANNA, **more}
    return worker.start_payment(world.office, world.owner(dossier), dossier.id, **given)


def why(world: World, dossier: Dossier, **more: Any) -> Refusal:
    with pytest.raises(Refused) as closed:
        pay(world, dossier, **more)
    return closed.value.reason


@pytest.mark.parametrize(
    ("methods", "by_card", "by_wallet"),
    [((), False, True), (("mobile_money",), False, True), (("card",), True, False), (TWO, True, True), (("cash",), False, False)],
)  # fmt: skip
def test_a_fee_is_paid_by_its_methods_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, methods: tuple[str, ...], by_card: bool, by_wallet: bool
) -> None:
    for provider, taken in (("card", by_card), ("sandbox", by_wallet)):
        world, dossier = hall(tmp_path, monkeypatch, *methods)
        if taken:
            payment = pay(world, dossier, provider=provider, payer="90112233")
            assert payment.method == {"card": "card", "sandbox": "mobile_money"}[provider]
            continue
        reason = why(world, dossier, provider=provider, payer="90112233")
        assert (reason.code, reason.facts["wanted"]) == ("method_refused", tuple(sorted(methods or ("mobile_money",))))
        assert "payment_started" not in world.kinds(dossier), "nothing was begun"
        assert world.read(lambda unit, of=dossier.id: unit.payments_of(of)) == ()


def test_an_edition_whose_methods_were_other_words_is_paid_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = hall(tmp_path, monkeypatch, "counter", "bank")
    assert pay(world, dossier, provider="sandbox", payer="90112233").status == "pending"


def test_a_store_that_is_busy_when_the_operator_answers_loses_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator names its page once: without it the payer could neither pay nor, for a day, begin again."""
    world, dossier = hall(tmp_path, monkeypatch, *TWO)
    monkeypatch.setattr(order_placement, "AGAIN", (0.0, 0.0))
    card, store, busy = world.office.providers["card"], type(world.office.store), ["turn", "turn"]
    start, unit = card.start, store.unit

    def answered(order: PaymentOrder) -> Started:
        monkeypatch.setattr(store, "unit", locked)
        return replace(start(order), page="https://pay.example/1")

    def locked(self: Store, *how: Any, **more: Any) -> Any:
        if busy:
            raise Busy(busy.pop())
        return unit(self, *how, **more)

    monkeypatch.setattr(card, "start", answered)
    payment = pay(world, dossier)
    assert (payment.page, payment.reason, payment.status) == ("https://pay.example/1", None, "pending")
    assert payment.provider_ref


@pytest.mark.parametrize("ending", CARD_ENDINGS)
def test_each_ending_of_the_page_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    world, dossier = hall(tmp_path, monkeypatch, *TWO)
    payment = pay(world, dossier)
    assert (payment.status, payment.payer, payment.method) == ("pending", "", "card")
    assert payment.expires_at - payment.started_at >= timedelta(minutes=30)
    assert world.operator.end_card(payment.reference, ending)
    assert not world.operator.end_card(payment.reference, "paid"), "it ends once"
    told = world.operator.callback(payment.reference)
    assert (told is None) is (ending == "silent")
    if told is not None:
        worker.record_callback(world.office, "card", *told)
    else:
        assert settlement.check_payment(world.office, payment.id).status == "unknown"
        world.wait(minutes=3)
        settlement.check_payment(world.office, payment.id)
    kept = world.read(lambda unit: unit.payment(payment.id))
    status, reason, _ = CARD_ENDINGS[ending]
    assert (kept.status, kept.reason) == (status, reason)
    assert (kept.receipt is not None) is (status == "paid")


def test_who_left_the_page_may_come_back_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, dossier = hall(tmp_path, monkeypatch, *TWO)
    payment = pay(world, dossier)
    world.wait(minutes=10)
    assert settlement.check_payment(world.office, payment.id).status == "pending"
    assert why(world, dossier, provider="sandbox", payer="90112233").code == "payment_pending", "nobody pays twice"
    assert world.operator.end_card(payment.reference, "paid")
    assert settlement.check_payment(world.office, payment.id).status == "paid"


def test_nothing_of_whoever_holds_the_card_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits sealed with its order, and is gone once the order was handed over, or was over."""
    seen: list[Customer] = []

    class Seeing(SandboxCard):
        def start(self, order: PaymentOrder) -> Any:
            seen.append(order.customer)
            return super().start(order)

    world, dossier = hall(tmp_path, monkeypatch, *TWO, store=SqliteStore(tmp_path / "guichet.db"))
    world.office.providers["card"] = Seeing(world.operator, "card", "Carte")  # type: ignore[index]
    for placed in (True, False):
        payment = cashier.start_payment(
            world.office, world.owner(dossier), dossier.id, provider="card", customer=ANNA, token=f"{placed}"
        )  # fmt: skip
        [(_, body, _)] = world.read(lambda unit: unit.asides("call/"))
        assert isinstance(body, str)
        assert body
        assert not said_anywhere(tmp_path), "sealed"
        if not placed:
            world.wait(minutes=40)  # no worker came
            settlement.ask_again(world.office, world.read(lambda unit, one=payment.id: unit.payment(one)))
        else:
            place_orders(world.office)
            world.operator.end_card(payment.reference, "declined")
            settlement.check_payment(world.office, payment.id)
        assert world.read(lambda unit: unit.asides("call/")) == ()
        assert not said_anywhere(tmp_path)
        world.wait(hours=25)
    assert seen == [ANNA]


def said_anywhere(folder: Path) -> bool:
    """Whether any file of the installation says it."""
    kept = b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file())
    assert b"payment_started" in kept
    return any(said.encode() in kept for said in (ANNA.name, ANNA.email, ANNA.address))


def test_a_sum_that_the_operator_would_refuse_begins_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Choosy(SandboxCard):
        def accepts(self, order: PaymentOrder) -> Refusal | None:
            return refusal("amount_refused", provider=self.label, step=7, least=100) if order.amount % 7 else None

    world, dossier = hall(tmp_path, monkeypatch, *TWO)
    world.office.providers["card"] = Choosy(world.operator, "card", "Carte")  # type: ignore[index]
    assert why(world, dossier).code == "amount_refused"
    assert "payment_started" not in world.kinds(dossier)
    assert world.read(lambda unit: unit.asides("call/")) == ()


def test_what_is_given_back_of_two_cards_goes_back_to_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number tells two cards apart: each payment is somebody's own."""
    world, dossier = hall(tmp_path, monkeypatch, *TWO, book=IN_PARTS)
    paid = []
    for token in ("first", "second"):
        paid.append(pay(world, dossier, part=True, token=token))
        world.operator.end_card(paid[-1].reference, "paid")
        settlement.check_payment(world.office, paid[-1].id)
    world.take(world.kept(dossier), world.agent("i", "obac/instructeur"), "rendre")
    owed = owed_back(world.office, world.owner(dossier), dossier.id)
    assert [line.payment and line.payment.id for line in owed] == [line.refund.payment for line in owed], (
        "each names its payment"
    )
    lines = [line.refund for line in owed]
    assert sorted((str(one.payment), one.amount, one.payer) for one in lines) == sorted(
        (one.id, 10_000, "") for one in paid
    )
    assert fsck(world.office) == ()


@pytest.mark.parametrize(
    ("typed", "faults"),
    [
        ({"name": " Anna  Lee ", "email": "A.Lee@Example.org", "country": "FR"}, {}),
        ({}, {"name": "missing", "email": "missing", "country": "missing"}),
        ({"name": "A" * 81, "email": "a@", "country": "XX"}, {"name": "too_long", "email": "email_format", "country": "missing"}),
        ({"name": "Anna\x1bLee", "email": "a@example.org", "country": "fra"}, {"name": "too_long", "country": "missing"}),
    ],
)  # fmt: skip
def test_what_is_typed_of_whoever_holds_the_card(typed: dict[str, str], faults: dict[str, str]) -> None:
    customer, wrong = read_customer(("name", "email", "country"), typed)
    assert wrong == faults
    assert customer == (Customer() if faults else Customer("Anna Lee", "a.lee@example.org", country="FR"))


def test_what_a_lost_session_finds_again_says_nothing_of_a_card() -> None:
    posted = [("holder-name", "Anna Lee"), ("provider", "card"), ("holder_name", "a question's answer")]
    assert without_secrets("/dossiers/26482911374/paiement", posted) == posted[1:]


@pytest.mark.parametrize(
    ("page", "demo", "shown"),
    [
        ("https://pay.example/c/1", False, True), ("http://pay.example/c/1", True, False), ("/_operateur/carte/r1", True, True),
        ("/_operateur/carte/r1", False, False), ("//evil.example", True, False), ("/deconnexion", True, False),
    ],
)  # fmt: skip
def test_only_the_operators_own_page_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, demo: bool, shown: bool
) -> None:
    class There(SandboxCard):
        def start(self, order: PaymentOrder) -> Started:
            return replace(super().start(order), page=page)

    world, dossier = hall(tmp_path, monkeypatch, *TWO)
    world.office.providers["card"] = There(world.operator, "card", "Carte")  # type: ignore[index]
    world = replace(world, office=replace(world.office, settings=replace(world.office.settings, demo=demo)))
    assert (pay(world, dossier).page == page) is shown


def test_the_ledger_reads_what_an_earlier_release_wrote(tmp_path: Path) -> None:
    world = a_world(tmp_path, ledger=tmp_path / "operator.db")
    order = PaymentOrder("R1", 500, "+22890112233", "l", world.clock.now(), world.clock.now() + timedelta(minutes=9))
    world.operator.place(order)
    with world.operator._ledger() as rows:
        [body] = rows.execute("SELECT body FROM orders").fetchone()
        old = {name: value for name, value in json.loads(body).items() if name != "method"}
        rows.execute("UPDATE orders SET body = ?", (json.dumps(old),))
    found = SandboxOperator(tmp_path / "operator.db", world.clock, b"x").order("R1")
    assert found is not None
    assert found.method == "mobile_money"
