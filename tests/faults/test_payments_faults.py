"""B2. Callbacks of five operators: valid, forged, late, of another payment, repeated, in any order and at once. On both stores.

Each payment is credited once, to the franc, and only when the operator confirms it on request. Then the mutants.
"""

from __future__ import annotations

import hmac
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.integrations.payment_provider import CURRENCY, ProviderStatus
from engine.services.payments import settlement
from engine.storage.sql.ledger import LedgerQueries
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.effort import tries
from tests.faults.payments import ROUNDS, a_payment_site, faults_of, play, settle, speak
from tests.postgres import an_empty_store
from tests.worker import work_off

pytestmark = [pytest.mark.slow, pytest.mark.faults]
TIMES = 3  # each true call, in each round


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    one.migrate()
    yield one
    one.close()


def test_whatever_is_called_money_comes_in_once_and_to_the_franc(tmp_path: Path, store: Store) -> None:
    with a_payment_site(tmp_path, store) as site:
        play(site, tries(TIMES))
        assert faults_of(site) == []
        assert {status for _, worth, status in site.answers if worth == "true"} == {200}


def test_when_no_call_ever_comes_asking_reaches_the_same_end(tmp_path: Path, store: Store) -> None:
    with a_payment_site(tmp_path, store) as site:
        for turn in range(ROUNDS):
            speak(site, turn)
            settle(site)
        site.paying = [
            one for one in site.paying if one[2] != "twice"
        ]  # once paid, only a call tells of a second debit
        assert faults_of(site) == []
        assert site.answers == []


def test_five_answers_in_any_order_come_to_the_same_end(tmp_path: Path) -> None:
    """What is paid stays paid; what was once taken twice is to give back; whatever came before or after."""
    orders = list(itertools.permutations(["pending", "expired", "failed", "paid", "overpaid"]))
    with a_payment_site(tmp_path, SqliteStore(":memory:"), "sandbox") as site:
        payments = [payment for payment, _, ending in site.paying if ending in ("paid", "late", "twice")]
        (line,) = site.lines
        for payment, words in zip(payments, random.Random(tries(1)).sample(orders, len(payments)), strict=True):
            for number, word in enumerate(words):
                line.says(payment.reference, {"is": word, "amount": 1000 if word == "overpaid" else 500})
                headers, body = line.calls(payment.reference, int(site.world.clock.now().timestamp()))
                sent = site.app.test_client().post("/retours/sandbox", data=body, headers=headers)
                assert sent.status_code == 200, (number, words)
                work_off(site.world.office)
            kept = site.world.read(lambda unit, one=payment: unit.payment(one.id))
            entries = site.world.read(lambda unit, one=payment: unit.entries(one.dossier))
            assert kept.status == "overpaid", words
            assert [one.kind for one in entries].count("credited") == 1, words


# -- mutants ----------------------------------------------------------------------------------------------------------


def the_last_word_wins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settlement, "RANK", dict.fromkeys(settlement.RANK, 0))


def a_call_is_believed(patch: pytest.MonkeyPatch) -> None:
    def believe(office: Any, payment: Any, theirs: Any = None) -> Any:
        told = ProviderStatus("paid", payment.amount, CURRENCY, payment.reference)
        with office.store.unit(write=True) as unit:
            return settlement._settle(office, unit, payment.id, told)

    patch.setattr(settlement, "_ask", believe)


def any_sum_will_do(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settlement, "_mismatch", lambda payment, status, amount: None)


def a_credit_is_no_row_of_its_own(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LedgerQueries, "add_credit", lambda unit, payment, dossier, amount, at: True)


def any_signature_will_do(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(hmac, "compare_digest", lambda one, other: True)


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "seen"),
    [
        (the_last_word_wins, "sandbox, paid: "),
        (a_call_is_believed, "paygate, never: credited [500] instead of 0"),
        (any_sum_will_do, "sandbox, less: credited [499] instead of 0"),
        (a_credit_is_no_row_of_its_own, "sandbox, twice: credited [500, 1000] instead of 500"),
        (any_signature_will_do, "sandbox was answered 200 to a forged letter"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_defence_taken_away_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Any, seen: str) -> None:
    with a_payment_site(tmp_path, SqliteStore(":memory:"), "sandbox", "paygate") as site:
        mutant(monkeypatch)
        play(site, times=2)
        monkeypatch.undo()
        assert any(one.startswith(seen) for one in faults_of(site))


@pytest.mark.nightly("mutant")
def test_an_office_that_never_asks_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_payment_site(tmp_path, SqliteStore(":memory:"), "paygate") as site:
        monkeypatch.setattr(settlement, "_to_ask", lambda unit, now, limit, without=(): [])
        for turn in range(ROUNDS):
            speak(site, turn)
            settle(site)
        assert "paygate, paid: pending instead of paid" in faults_of(site)
