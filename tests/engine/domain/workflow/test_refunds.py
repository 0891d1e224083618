"""Whose money goes back: read in a journal, payment by payment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.domain.workflow.fee_refunds import Brought, brought_for, shared_back, without
from engine.journal.chain import JournalEntry
from engine.records.dossier import Payment

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def payment(name: str, payer: str) -> Payment:
    return Payment(name, f"R-{name}", "d", ("taxe",), 100, "sandbox", "momo", payer, "paid", NOW, NOW)


KNOWN = [payment("one", "ama"), payment("two", "kofi"), payment("three", "ama")]


def journal(*said: tuple[str, dict[str, Any]]) -> list[JournalEntry]:
    return [
        JournalEntry("d", n, NOW, "system", "system", kind, "", body, "", "") for n, (kind, body) in enumerate(said, 1)
    ]  # fmt: skip


def came(name: str, francs: int) -> list[tuple[str, dict[str, Any]]]:
    return [("paid", {"fees": {"taxe": francs}, "amount": francs}), ("credited", {"payment": name, "amount": francs})]


THREE = [*came("one", 50), *came("two", 30), *came("three", 20)]

CASES: dict[str, tuple[list[tuple[str, dict[str, Any]]], int, dict[str, int], list[tuple[str, int]]]] = {
    "each in turn": (THREE, 100, {}, [("one", 50), ("two", 30), ("three", 20)]),
    "over the price is no part of it": (THREE, 90, {}, [("one", 50), ("two", 30), ("three", 10)]),
    "what went back to a payer": (
        [*THREE, ("refund_owed", {"fee": "taxe", "amount": 40, "payment": "three"})], 100, {}, [("one", 30), ("two", 30)]),
    "what went back before payers were told apart": (
        [*THREE, ("refund_owed", {"fee": "taxe", "amount": 40})], 100, {}, [("one", 50), ("two", 10)]),
    "of another price": (
        [*THREE, ("refund_owed", {"fee": "caution", "amount": 40})], 20, {}, [("one", 20)]),
    "asked anew": ([*came("one", 50), ("transition", {"reopened": ["taxe"]}), *came("two", 30)], 100, {}, [("two", 30)]),
    "credited in this very unit": ([*came("one", 50), *came("two", 30)], 100, {"taxe": 20},
                                   [("one", 50), ("two", 30), ("three", 20)]),
    "nothing came": ([], 100, {}, []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_payments_brought(case: Any) -> None:
    said, price, now_paid, expected = case
    found = brought_for("taxe", price, journal(*said), KNOWN, now_paid)
    assert [(one.payment, one.francs) for one in found] == expected


@pytest.mark.parametrize(
    ("francs", "shares"),
    [
        (0, []),
        (15, [("ama", "three", 15)]),
        (40, [("ama", "three", 20), ("kofi", "two", 20)]),
        (100, [("ama", "three", 70), ("kofi", "two", 30)]),
        (120, [("ama", "three", 70), ("kofi", "two", 30)]),
    ],
)
def test_the_last_payment_goes_back_first_and_a_payer_is_owed_one_sum(
    francs: int, shares: list[tuple[str, str, int]]
) -> None:
    brought = [Brought("one", "ama", 50), Brought("two", "kofi", 30), Brought("three", "ama", 20)]
    found = shared_back(brought, francs)
    assert [(one.payer, one.payment, one.francs) for one in found] == shares
    assert sum(one.francs for one in without(brought, found)) == 100 - sum(one.francs for one in found)
