"""The simulated operator ends each way it promises, remembers across processes, and its callbacks cannot be forged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.core.clock import FixedClock
from engine.integrations import simulated_operator as sandbox
from engine.integrations.payment_provider import BadCallback, PaymentOrder, ProviderDown
from engine.integrations.simulated_operator import SIGNATURE, SandboxOperator, SandboxProvider

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def an_order(payer: str = "+22890112233", reference: str = "R1") -> PaymentOrder:
    return PaymentOrder(reference, 500, payer, "Bulletin", NOON, NOON + timedelta(minutes=10))


def an_operator(clock: FixedClock | None = None, ledger: Path | None = None) -> SandboxOperator:
    return SandboxOperator(ledger, clock or FixedClock(NOON), b"shared secret")


@pytest.mark.parametrize(
    ("payer", "kind", "reason", "amount"),
    [
        ("+22890000001", "paid", None, 500),
        ("+22890000002", "failed", "balance", 500),
        ("+22890000003", "failed", "cancelled", 500),
        ("+22890000004", "expired", None, 500),
        ("+22890000005", "unknown", None, 500),
        ("+22890000006", "overpaid", None, 1000),
        ("+22890000007", "failed", "limit", 500),
        ("+22891234567", "pending", None, 500),
    ],
)
def test_magic_numbers(payer: str, kind: str, reason: str | None, amount: int) -> None:
    provider = SandboxProvider(an_operator())
    provider.start(an_order(payer))
    status = provider.status("R1", None)
    assert (status.kind, status.reason, status.amount, status.currency) == (kind, reason, amount, "XOF")


def test_the_operator_that_is_down_takes_no_order() -> None:
    provider = SandboxProvider(an_operator())
    with pytest.raises(ProviderDown):
        provider.start(an_order("+22890000008"))
    assert provider.status("R1", None).kind == "unknown"


def test_unknown_becomes_paid_after_two_minutes() -> None:
    clock = FixedClock(NOON)
    provider = SandboxProvider(an_operator(clock))
    provider.start(an_order("+22890000005"))
    clock.advance(timedelta(seconds=119))
    assert provider.status("R1", None).kind == "unknown"
    clock.advance(timedelta(seconds=1))
    assert provider.status("R1", None).kind == "paid"


def test_the_person_confirms_once_on_the_operators_page() -> None:
    operator = an_operator()
    SandboxProvider(operator).start(an_order())
    assert [order.reference for order in operator.pending_orders()] == ["R1"]
    assert not operator.confirm("R1", "12")
    assert operator.confirm("R1", "1234")
    assert not operator.refuse("R1")
    assert operator.pending_orders() == ()
    assert SandboxProvider(operator).status("R1", None).kind == "paid"


def test_nobody_confirms_in_time() -> None:
    clock = FixedClock(NOON)
    operator = an_operator(clock)
    SandboxProvider(operator).start(an_order())
    clock.advance(timedelta(minutes=10))
    assert not operator.confirm("R1", "1234")
    assert SandboxProvider(operator).status("R1", None).kind == "expired"


def test_the_same_reference_is_the_same_order() -> None:
    operator = an_operator()
    provider = SandboxProvider(operator)
    provider.start(an_order())
    operator.confirm("R1", "1234")
    provider.start(an_order())
    assert provider.status("R1", None).kind == "paid"


def test_a_ledger_in_memory_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever place in memory the next operator takes: somebody may still hold the ledger of one that is gone."""
    monkeypatch.setattr(sandbox, "id", lambda _: 7, raising=False)
    held = an_operator()
    SandboxProvider(held).start(an_order())
    assert an_operator().order("R1") is None


def test_the_ledger_outlives_the_process(tmp_path: Path) -> None:
    SandboxProvider(an_operator(ledger=tmp_path / "data" / "operator.db")).start(an_order())
    other_process = an_operator(ledger=tmp_path / "data" / "operator.db")
    order = other_process.order("R1")
    assert order is not None
    assert order.expires_at == NOON + timedelta(minutes=10)


class TestCallbacks:
    def test_a_true_one_is_read(self) -> None:
        operator = an_operator()
        provider = SandboxProvider(operator)
        provider.start(an_order("+22890000001"))
        headers, body = operator.callback("R1") or ({}, b"")
        notice = provider.read_callback(headers, body)
        assert (notice.reference, notice.kind, notice.amount, notice.event_id) == ("R1", "paid", 500, "R1:paid")

    def test_nothing_to_tell_while_pending(self) -> None:
        operator = an_operator()
        SandboxProvider(operator).start(an_order())
        assert operator.callback("R1") is None

    @pytest.mark.parametrize("header", ["", "t=1,v1=", "t=,v1=00", "v1", "t=x,v1=é"])
    def test_a_forged_header_is_refused(self, header: str) -> None:
        with pytest.raises(BadCallback, match="signature"):
            SandboxProvider(an_operator()).read_callback({SIGNATURE: header}, b"{}")

    def test_one_changed_sign_is_refused(self) -> None:
        operator = an_operator()
        provider = SandboxProvider(operator)
        provider.start(an_order("+22890000002"))
        headers, body = operator.callback("R1") or ({}, b"")
        with pytest.raises(BadCallback, match="signature"):
            provider.read_callback(headers, body.replace(b"failed", b"paid"))

    def test_an_old_one_is_refused(self) -> None:
        clock = FixedClock(NOON)
        operator = an_operator(clock)
        provider = SandboxProvider(operator)
        provider.start(an_order("+22890000001"))
        headers, body = operator.callback("R1") or ({}, b"")
        clock.advance(timedelta(seconds=301))
        with pytest.raises(BadCallback, match="too_old"):
            provider.read_callback(headers, body)

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"reference":"R1","event":"e","status":"rich"}', b"\xff"])
    def test_signed_nonsense_is_refused(self, body: bytes) -> None:
        operator = an_operator()
        stamp = str(int(NOON.timestamp()))
        headers = {SIGNATURE: f"t={stamp},v1={operator.signature(stamp, body)}"}
        with pytest.raises(BadCallback, match="unreadable"):
            SandboxProvider(operator).read_callback(headers, body)
