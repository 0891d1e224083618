"""Four operators over HTTP: orders, their endings, callbacks true and forged, lines cut, and the file that names them."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.clock import FixedClock
from engine.integrations.cinetpay import CinetPay
from engine.integrations.config import read_gateways
from engine.integrations.fedapay import FedaPay
from engine.integrations.gateways import WrongGateways
from engine.integrations.http_client import HttpClient, InsecureAddress, whole_francs
from engine.integrations.paydunya import PayDunya
from engine.integrations.paygate import PayGate
from engine.integrations.payment_provider import BadCallback, PaymentOrder, PaymentProvider, ProviderDown
from engine.records.dossier import Dossier, Payment
from engine.services.payments import order_placement as placing
from engine.services.payments import settlement
from engine.storage.results import Busy
from tests import worker
from tests.engine.integrations.local_operators import (
    LocalCinetPay,
    LocalFedaPay,
    LocalOperator,
    LocalPayDunya,
    LocalPayGate,
    serving,
)  # fmt: skip
from tests.engine.services.world import B3, World, a_world

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CLOCK = FixedClock(NOW)
ORDER = PaymentOrder("r" * 26, 5000, "+22890112233", "B3", NOW, NOW + timedelta(minutes=10))


def provider_of(operator: Any) -> PaymentProvider:
    wire = HttpClient(operator.address, seconds=2.0)
    match operator:
        case LocalPayGate():
            return PayGate("pg", "PayGate", wire, "jeton", "TMONEY", CLOCK)
        case LocalFedaPay():
            return FedaPay("fp", "FedaPay", wire, "sk", "whsec", "togocel", CLOCK)
        case LocalPayDunya():
            return PayDunya("pd", "PayDunya", wire, "master", "private", "token", "t-money-togo", "Guichet", CLOCK)
        case _:
            return CinetPay("cp", "CinetPay", wire, "key", "site", "secret", "https://x/r", "https://x/d", CLOCK)


ENDINGS = {
    LocalPayGate: {"0": "paid", "2": "pending", "4": "expired", "6": "failed", "9": "unknown"},
    LocalFedaPay: {
        "approved": "paid", "transferred": "paid", "pending": "pending", "declined": "failed", "canceled": "failed",
        "expired": "expired", "new": "unknown",
    },
    LocalPayDunya: {"completed": "paid", "pending": "pending", "cancelled": "failed", "odd": "unknown"},
    LocalCinetPay: {"ACCEPTED": "paid", "PENDING": "pending", "REFUSED": "failed", "ODD": "unknown"},
}  # fmt: skip


@pytest.fixture(params=list(ENDINGS), ids=lambda kind: kind.__name__)
def operator(request: pytest.FixtureRequest) -> Iterator[LocalOperator]:
    with serving(request.param()) as running:
        yield running


@pytest.fixture
def no_garbage_collected() -> Iterator[None]:
    """At the depth where the reader of an answer stops, finalizers of other tests would stop too."""
    gc.disable()
    yield
    gc.enable()


def test_an_order_and_each_of_its_endings(operator: LocalOperator) -> None:
    provider = provider_of(operator)
    started = provider.start(ORDER)
    assert started.pending
    assert started.provider_ref or started.page
    assert operator.orders[ORDER.reference]["amount"] == 5000
    for theirs, ours in ENDINGS[type(operator)].items():
        operator.end(ORDER.reference, theirs)
        status = provider.status(ORDER.reference, started.provider_ref)
        assert (status.kind, status.reference, status.currency) == (ours, ORDER.reference, "XOF")
        assert status.amount in (5000, None)


def test_an_order_nobody_knows(operator: LocalOperator) -> None:
    status = provider_of(operator).status("x" * 26, None)
    told = "not_named" if isinstance(operator, LocalPayDunya) else "no_such_order"
    assert (status.kind, status.reason) == ("unknown", told)


@pytest.mark.parametrize("says", [(500, b"{}"), (200, b"<html>"), (200, b"[]"), (429, b"{}"), (200, b"[" * 9999)])
@pytest.mark.usefixtures("no_garbage_collected")
def test_what_is_no_answer_teaches_nothing(operator: LocalOperator, says: tuple[int, bytes]) -> None:
    provider = provider_of(operator)
    started = provider.start(ORDER)
    operator.says = says
    with pytest.raises(ProviderDown):
        provider.status(ORDER.reference, started.provider_ref)
    with pytest.raises(ProviderDown):
        provider.start(ORDER)


def test_a_line_cut_after_the_order_was_taken(operator: LocalOperator) -> None:
    """The payer may have been asked: the same order is found again, and never made twice."""
    provider = provider_of(operator)
    operator.down = frozenset({"/softpay", "/v1/togocel", "/v1/transactions/1000/token"})
    kept = provider.start(ORDER)
    operator.down = frozenset()
    operator.end(ORDER.reference, next(iter(ENDINGS[type(operator)])))
    assert provider.status(ORDER.reference, kept.provider_ref).kind == "paid"


def test_a_reference_ordered_again_is_the_same_order() -> None:
    with serving(LocalPayGate()) as operator:
        provider = provider_of(operator)
        provider.start(ORDER)
        assert provider.start(ORDER).provider_ref is None
        assert len(operator.orders) == 1


def test_a_wrong_token_is_told_without_the_token() -> None:
    with serving(LocalPayGate()) as operator:
        provider = PayGate("pg", "PayGate", HttpClient(operator.address), "faux", "TMONEY", CLOCK)
        with pytest.raises(ProviderDown) as told:
            provider.start(ORDER)
        assert "faux" not in str(told.value)


# -- callbacks ---------------------------------------------------------------------------------------------------------


def test_an_unsigned_callback_is_read_as_a_hint() -> None:
    with serving(LocalPayGate()) as operator:
        provider = provider_of(operator)
        provider.start(ORDER)
        notice = provider.read_callback(*operator.callback(ORDER.reference))
        assert (notice.reference, notice.amount, notice.kind) == (ORDER.reference, 5000, "paid")


def test_signed_callbacks_and_their_forgeries() -> None:
    stamp = int(NOW.timestamp())
    with serving(LocalFedaPay()) as operator:
        provider = provider_of(operator)
        provider.start(ORDER)
        operator.end(ORDER.reference, "approved")
        notice = provider.read_callback(*operator.callback(ORDER.reference, "whsec", stamp))
        assert (notice.reference, notice.amount, notice.kind) == (ORDER.reference, 5000, "paid")
        for secret, at in (("autre", stamp), ("whsec", stamp - 301), ("whsec", stamp + 301)):
            with pytest.raises(BadCallback):
                provider.read_callback(*operator.callback(ORDER.reference, secret, at))
        headers, body = operator.callback(ORDER.reference, "whsec", stamp)
        for odd in (body.replace(b"5000", b"1"), body + b" ", b""):
            with pytest.raises(BadCallback, match="signature"):
                provider.read_callback(headers, odd)
        for header in ("", "t=,s=", "t=é,s=é", "s=" + "0" * 64, f"t={10**40},s=00"):
            with pytest.raises(BadCallback):
                provider.read_callback({"x-fedapay-signature": header}, body)


def test_the_sixteen_values_are_signed_together() -> None:
    with serving(LocalCinetPay()) as operator:
        provider = provider_of(operator)
        provider.start(ORDER)
        assert provider.read_callback(*operator.callback(ORDER.reference, "secret")).kind == "paid"
        failed = operator.callback(ORDER.reference, "autre")
        changed = operator.callback(ORDER.reference, "secret", cpm_amount="1")
        elsewhere = operator.callback(ORDER.reference, "secret", cpm_site_id="x")
        for forged in (failed, changed, elsewhere, ({}, b""), ({"X-Token": "é"}, b"cpm_trans_id=%ff")):
            with pytest.raises(BadCallback):
                provider.read_callback(*forged)


def test_a_digest_of_the_master_key_proves_only_that_it_was_seen() -> None:
    with serving(LocalPayDunya()) as operator:
        provider = provider_of(operator)
        provider.start(ORDER)
        operator.end(ORDER.reference, "completed")
        assert provider.read_callback(*operator.callback(ORDER.reference, "master")).kind == "paid"
        with pytest.raises(BadCallback, match="signature"):
            provider.read_callback(*operator.callback(ORDER.reference, "autre"))


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"identifier": 1}', b"&" * 999, b"[" * 9999])
def test_no_callback_breaks_anything(operator: LocalOperator, body: bytes) -> None:
    with pytest.raises(BadCallback):
        provider_of(operator).read_callback({"X-Token": "0", "X-FEDAPAY-SIGNATURE": "t=1,s=2"}, body)


def test_a_whole_story_with_an_operator_that_signs_nothing(tmp_path: Path) -> None:
    """Forged, early, contradictory and repeated callbacks: one credit, when the operator itself says so."""
    with serving(LocalPayGate()) as operator:
        provider = provider_of(operator)
        world = a_world(tmp_path, providers={"pg": provider})
        dossier = world.sent(B3)
        payment = worker.start_payment(
            world.office, world.applicant(), dossier.id, provider="pg", payer=ORDER.payer
        )  # fmt: skip
        hear = lambda **changes: worker.record_callback(  # noqa: E731
            world.office, "pg", *operator.callback(payment.reference, **changes)
        )
        assert hear().code == "noted"  # "paid", says the callback; the operator says: still waiting
        assert hear(tx_reference="autre", amount="1").code == "noted"
        assert worker.record_callback(world.office, "pg", {}, b'{"identifier": "x", "tx_reference": "y", "amount": 1}').code == "unmatched"  # fmt: skip
        see = lambda: world.read(lambda unit: unit.payment(payment.id))  # noqa: E731
        assert see().status == "pending"
        operator.end(payment.reference, "0")
        for _ in range(3):
            hear()
        assert see().status == "paid"
        operator.end(payment.reference, "6")  # and now it says that it was cancelled
        hear(tx_reference="late")
        assert see().status == "paid"
        assert world.kinds(dossier).count("credited") == 1


@pytest.mark.parametrize("told", [4999.5, "-5000", "5 000", [5000], True, 1, 4_000_000])
def test_another_amount_than_ordered_credits_nothing_readable_or_not(told: Any, tmp_path: Path) -> None:
    with serving(LocalPayGate()) as operator:
        world = a_world(tmp_path, providers={"pg": provider_of(operator)})
        dossier = world.sent(B3)
        payment = start(world, dossier, "pg")
        operator.orders[payment.reference]["told"] = told
        operator.end(payment.reference, "0")
        assert settlement.check_payment(world.office, payment.id).status == "unknown"
        assert "payment_mismatch" in world.kinds(dossier)
        operator.orders[payment.reference]["told"] = str(payment.amount)
        assert settlement.check_payment(world.office, payment.id).status == "paid"


@pytest.mark.parametrize("sign", ["\\u0000", "\\ud800"])
def test_an_answer_with_signs_that_no_store_accepts_is_settled(sign: str, tmp_path: Path) -> None:
    with serving(LocalPayGate()) as operator:
        world = a_world(tmp_path, providers={"pg": provider_of(operator)})
        operator.says = 200, f'{{"tx_reference": "x{sign}", "status": 0}}'.encode()
        payment = start(world, world.sent(B3), "pg")
        assert (payment.status, payment.provider_ref) == ("pending", "x\ufffd")
        answer = {"tx_reference": "SIGN", "identifier": payment.reference, "status": 0}
        operator.says = 200, json.dumps(answer).replace("SIGN", sign).encode()
        assert settlement.check_payment(world.office, payment.id).status == "paid"


def hear_paydunya(world: World, operator: LocalPayDunya, reference: str) -> str:
    return worker.record_callback(world.office, "pd", *operator.callback(reference, "master")).code


def start(world: World, dossier: Dossier, provider: str, token: str = "t") -> Payment:
    return worker.start_payment(
        world.office, world.applicant(), dossier.id, provider=provider, payer=ORDER.payer, token=token
    )  # fmt: skip


def test_a_second_touch_while_the_order_is_made_makes_no_other(operator: LocalOperator, tmp_path: Path) -> None:
    """Whichever of two orders its payer then confirmed, we would ask about the other."""
    provider = provider_of(operator)
    world = a_world(tmp_path, providers={provider.id: provider})
    dossier = world.sent(B3)
    touched: list[Payment] = []
    first_answer = operator.answer

    def touched_again(method: str, path: str, body: Any) -> tuple[int, Any]:
        if not touched:
            touched.append(start(world, dossier, provider.id))
        return first_answer(method, path, body)

    operator.answer = touched_again  # type: ignore[method-assign]
    payment = start(world, dossier, provider.id)
    assert touched[0].id == payment.id
    assert start(world, dossier, provider.id).id == payment.id, "nor a third touch, later"
    assert len(operator.orders) == 1
    assert operator.before == []
    operator.end(payment.reference, next(iter(ENDINGS[type(operator)])))
    assert settlement.check_payment(world.office, payment.id).status == "paid"


def test_an_order_whose_name_was_lost_is_asked_about_by_the_name_that_a_callback_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """The line to the store was cut just after the payer's telephone rang."""

    def cut(*_: object, **__: object) -> Payment:
        raise Busy("cut")

    with serving(LocalPayDunya()) as operator:
        world = a_world(tmp_path, providers={"pd": provider_of(operator)})
        dossier = world.sent(B3)
        with monkeypatch.context() as patch:
            patch.setattr(placing, "_change", cut)
            with pytest.raises(Busy):
                start(world, dossier, "pd")
        payment = start(world, dossier, "pd")
        assert (payment.status, payment.provider_ref) == ("pending", None)
        other = start(world, world.sent(B3), "pd", "other")
        world.wait(minutes=11)
        settlement.reconcile(world.office)
        assert settlement.check_payment(world.office, payment.id).status == "unknown", "nobody is told to pay again"

        operator.end(other.reference, "completed")
        theirs, ours = (operator.orders[one.reference]["number"] for one in (other, payment))
        headers, body = operator.callback(payment.reference, "master")
        strange = body.replace(f"={ours}&".encode(), f"={theirs}&".encode())
        assert strange != body
        worker.record_callback(world.office, "pd", headers, strange)  # it names the order of somebody else
        assert settlement.check_payment(world.office, payment.id).status == "unknown"

        operator.end(payment.reference, "completed")
        assert hear_paydunya(world, operator, payment.reference) in ("noted", "repeated")
        assert settlement.check_payment(world.office, payment.id).status == "paid"
        assert world.kinds(dossier).count("credited") == 1


@pytest.mark.parametrize("comes_back", [True, False])
def test_an_order_that_nobody_handed_over_is_no_order(
    comes_back: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opened the payment was stopped before: the same touch again hands it over; left alone it ends, and nobody waits a
    day for it."""

    def stopped(*_: object) -> Payment:
        raise KeyboardInterrupt

    with serving(LocalPayDunya()) as operator:
        world = a_world(tmp_path, providers={"pd": provider_of(operator)})
        dossier = world.sent(B3)
        with monkeypatch.context() as patch:
            patch.setattr(placing, "take_call", stopped)
            with pytest.raises(KeyboardInterrupt):
                start(world, dossier, "pd")
        if comes_back:
            assert start(world, dossier, "pd").provider_ref
            assert len(operator.orders) == 1
            return
        world.wait(minutes=11)
        assert settlement.reconcile(world.office) == 1
        [payment] = world.read(lambda unit: unit.payments_of(dossier.id))
        assert (payment.status, payment.reason) == ("failed", "not_sent")
        assert start(world, dossier, "pd", "again").status == "pending"


def test_an_order_that_could_not_be_placed_ends_and_may_be_tried_again(tmp_path: Path) -> None:
    with serving(LocalPayDunya()) as operator:
        world = a_world(tmp_path, providers={"pd": provider_of(operator)})
        dossier = world.sent(B3)
        operator.says = (500, b"{}")
        assert start(world, dossier, "pd").status == "unknown"
        operator.says = None
        world.wait(minutes=11)
        worker.work_off(world.office)
        assert start(world, dossier, "pd", "again").status == "pending"


def test_a_flood_of_callbacks_about_nothing_does_not_fill_the_store(tmp_path: Path) -> None:
    with serving(LocalPayGate()) as operator:
        world = a_world(tmp_path, providers={"pg": provider_of(operator)})
        for number in range(settlement.FORGERIES_NOTED + 50):
            told = f'{{"identifier": "x{number}", "tx_reference": "y{number}", "amount": 1}}'.encode()
            assert worker.record_callback(world.office, "pg", {}, told).code == "unmatched"
        store: Any = world.office.store
        with store._connection(alone=False) as connection:
            assert connection.execute("SELECT count(*) FROM pay_event").fetchone()[0] <= settlement.FORGERIES_NOTED
        assert not operator.asked


# -- the file of operators ---------------------------------------------------------------------------------------------

GOOD = """
[operators.mixx]
kind = "paygate"
label = "Mixx by Yas"
network = "TMONEY"
token_file = "jeton"

[operators.flooz]
kind = "fedapay"
label = "Flooz"
mode = "moov_tg"
secret = "sk"
signing = "whsec"

[operators.dunya]
kind = "paydunya"
label = "PayDunya"
wallet = "moov-togo"
master = "m"
private = "p"
token = "t"

[operators.carte]
kind = "cinetpay"
label = "CinetPay"
key = "k"
site = "s"
secret = "x"
"""


def test_the_file_of_operators(tmp_path: Path) -> None:
    (tmp_path / "jeton").write_text("secret\n")
    file = tmp_path / "gateways.toml"
    file.write_text(GOOD)
    found = read_gateways(file, CLOCK, "https://guichet.example").operators
    assert [(name, one.id, one.label) for name, one in found.items()] == [
        ("mixx", "mixx", "Mixx by Yas"), ("flooz", "flooz", "Flooz"), ("dunya", "dunya", "PayDunya"),
        ("carte", "carte", "CinetPay"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "paygate"', 'kind = "autre"', "[operators.mixx] kind"),
        ('network = "TMONEY"', 'network = "X"', "[operators.mixx] network"),
        ('token_file = "jeton"', 'token_file = "absent"', "[operators.mixx] token_file"),
        ('token_file = "jeton"', "", "[operators.mixx] token"),
        ('label = "Flooz"', 'label = ""', "[operators.flooz] label"),
        ('site = "s"', 'site = "s"\nstie = "t"', "[operators.carte] stie"),
        ("[operators.carte]", '[operators.carte]\naddress = "http://ailleurs.example"', "[operators.carte] address"),
        ("[operators.carte]", "[operators.Carte-1]", "[operators.Carte-1] name"),
        ("[operators.mixx]", "autre = 1\n[operators.mixx]", "autre"),
        ("[operators.mixx]", "[operators]\nautre = 1\n[operators.mixx]", "operators.autre"),
        ("[operators.mixx]", "[operators.mixx", "Expected"),
    ],
)
def test_a_wrong_file_of_operators_says_where(tmp_path: Path, old: str, new: str, told: str) -> None:
    (tmp_path / "jeton").write_text("s3cr3t")
    file = tmp_path / "gateways.toml"
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(WrongGateways) as wrong:
        read_gateways(file, CLOCK, "https://guichet.example")
    assert str(wrong.value).startswith(told)
    assert "s3cr3t" not in str(wrong.value)


def test_secrets_never_travel_in_clear() -> None:
    HttpClient("http://127.0.0.1:1")
    with pytest.raises(InsecureAddress):
        HttpClient("http://operateur.example")


@pytest.mark.parametrize(
    ("found", "francs"),
    [(5000, 5000), ("5000", 5000), (5000.0, 5000), ("5000.00", 5000), (True, None), ("5000.5", None), ("-1", None), ("٥", None), (None, None), (1e300, None)],
)  # fmt: skip
def test_amounts_as_operators_write_them(found: Any, francs: int | None) -> None:
    assert whole_francs(found) == francs
