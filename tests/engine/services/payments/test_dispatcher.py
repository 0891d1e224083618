"""The dispatcher of a worker: each partner has threads of its own, a call is made once, and a worker that dies loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.clock import FixedClock
from engine.core.problems import Refused
from engine.integrations.payment_provider import ProviderSilent, ProviderStatus
from engine.records.dossier import Dossier, OutboundMessage, Payment
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext
from engine.services.core import call_queue
from engine.services.core.call_queue import queued_calls
from engine.services.payments import payments as cashier
from engine.services.payments import settlement
from engine.services.payments.order_placement import place_orders
from engine.services.worker import dispatcher
from engine.services.worker.dispatcher import Dispatcher
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.services.payments.test_payments import Told
from tests.engine.services.world import World, a_world
from tests.postgres import an_empty_store
from tests.race_runners import together
from tests.worker import work_off

LONG = 20.0  # seconds that a test waits for what comes at once


class Stopped(BaseException):
    """The process is killed here."""


class Gate(Told):
    """An operator that counts who calls and, while it is shut, answers nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[str] = []
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()
        self.opened = threading.Event()
        self.opened.set()

    def _enter(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        opened = self.opened.wait(LONG)
        with self._lock:
            self.inside -= 1
        if not opened:
            raise ProviderSilent("ReadTimeoutError")

    def start(self, order: Any) -> Any:
        self.started.append(order.reference)
        self._enter()
        return super().start(order)

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        self._enter()
        return super().status(reference, provider_ref)


class Kept:
    def __init__(self) -> None:
        self.left: list[str] = []

    def send(self, letter: OutboundMessage) -> None:
        self.left.append(letter.id)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    one.migrate()
    yield one
    one.close()


def owing(world: World, number: int = 0) -> Dossier:
    return world.sent(owner=world.applicant(f"+2289100{number:04d}"))


def begin(world: World, provider: str, dossier: Dossier) -> Payment:
    """A payment whose order waits."""
    owner = world.owner(dossier)
    return cashier.start_payment(
        world.office, owner, dossier.id, provider=provider, payer=f"+22890{dossier.contact_phone[-6:]}", token="t"
    )


def now(world: World, payment: Payment) -> Payment:
    kept: Payment = world.read(lambda unit: unit.payment(payment.id))
    return kept


@contextmanager
def running(*offices: AppContext) -> Iterator[None]:
    """While each of these offices has a worker."""
    stop = threading.Event()
    threads = [threading.Thread(target=Dispatcher(lambda one=one: one).run, args=(stop,)) for one in offices]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for one in offices:
            one.wakeup.set()
        for thread in threads:
            thread.join()


def soon(true: Callable[[], object], seconds: float = LONG) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


class TestEachPartner:
    def test_one_that_hangs_delays_neither_another_operator_nor_messages_nor_registers(self, tmp_path: Path) -> None:
        hung, told, sms = Gate(), Told(), Kept()
        world = a_world(
            tmp_path, SqliteStore(tmp_path / "g.db"), providers={"hung": hung, "told": told}, senders={"sms": sms}
        )
        hung.opened.clear()
        dossiers, other = [owing(world, n) for n in range(dispatcher.ORDERS + 3)], owing(world, 90)
        stuck = [begin(world, "hung", one) for one in dossiers]
        with running(world.office):
            soon(lambda: hung.inside == dispatcher.ORDERS)
            told.says = {"kind": "paid"}
            paid = begin(world, "told", other)
            with world.office.store.unit(write=True) as unit:
                unit.add_letter(
                    OutboundMessage(
                        "code", None, "sms", "+22890112233", "", "code", world.office.now(), "code", world.office.now()
                    )
                )
            world.office.wakeup.set()
            soon(lambda: now(world, paid).provider_ref)
            soon(lambda: "code" in sms.left)
            world.wait(seconds=5)
            soon(lambda: now(world, paid).status == "paid")
            soon(lambda: world.read(lambda unit: unit.dossier(paid.dossier)).state == "piece")
            assert hung.most == dispatcher.ORDERS, "never more threads for one operator"
            assert [now(world, one).reason for one in stuck].count(None) == 3, "the others wait their turn"
            hung.opened.set()
            soon(lambda: all(now(world, one).provider_ref for one in stuck))
        assert len(hung.started) == len(set(hung.started)) == len(stuck)
        assert fsck(world.office) == ()

    def test_a_queue_longer_than_one_look_hides_no_other_operator(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatcher, "MOST", 2)
        monkeypatch.setattr(dispatcher, "ORDERS", 1)
        hung, told = Gate(), Told()
        world = a_world(tmp_path, SqliteStore(tmp_path / "g.db"), providers={"hung": hung, "told": told})
        hung.opened.clear()
        dossiers, last = [owing(world, n) for n in range(5)], owing(world, 90)
        for one in dossiers:
            begin(world, "hung", one)
        other = begin(world, "told", last)
        with running(world.office):
            soon(lambda: now(world, other).provider_ref)
            hung.opened.set()


class TestOnce:
    def test_two_workers_hand_each_order_over_once(self, tmp_path: Path, store: Store) -> None:
        gate = Gate()
        world = a_world(tmp_path, store, providers={"gate": gate})
        payments = [begin(world, "gate", one) for one in [owing(world, n) for n in range(20)]]
        with running(world.office, replace(world.office, wakeup=threading.Event())):
            soon(lambda: all(now(world, one).provider_ref for one in payments))
        assert sorted(gate.started) == sorted(one.reference for one in payments)

    def test_a_double_click_is_one_order(self, tmp_path: Path, store: Store) -> None:
        gate = Gate()
        world = a_world(tmp_path, store, providers={"gate": gate})
        owner = world.applicant()
        dossier = world.sent(owner=owner)
        begun: list[Payment] = []

        def click(_: int) -> None:
            begun.append(
                cashier.start_payment(world.office, owner, dossier.id, provider="gate", payer="90112233", token="t")
            )

        with running(world.office):
            assert together(4, click) == [None] * 4
            soon(lambda: now(world, begun[0]).provider_ref)
        assert len({one.id for one in begun}) == 1
        assert len(gate.started) == 1


class TestKilled:
    """A worker that dies at each point of handing an order over: what it began is never sent again, what it did not begin is."""

    def test_before_it_marked_the_order_the_next_worker_takes_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = Gate()
        world = a_world(tmp_path, providers={"gate": gate})
        payment = begin(world, "gate", owing(world))
        with monkeypatch.context() as patch:
            patch.setattr("engine.services.payments.order_placement.take_call", self.dies)
            with pytest.raises(Stopped):
                place_orders(world.office)
        work_off(world.office)
        assert gate.started == [payment.reference]
        assert now(world, payment).provider_ref

    @pytest.mark.parametrize(
        ("after_the_call", "answer", "ends"),
        [
            (False, {"kind": "unknown", "reason": "no_such_order"}, "unknown"),
            (False, None, "unknown"),
            (True, {"kind": "paid"}, "paid"),
            (True, {"kind": "pending"}, "pending"),
            (True, None, "unknown"),
        ],
    )
    def test_after_it_marked_the_order_it_is_asked_about_and_never_sent_again(
        self, tmp_path: Path, after_the_call: bool, answer: dict[str, Any] | None, ends: str
    ) -> None:
        gate = Gate()
        world = a_world(tmp_path, providers={"gate": gate})
        payment = begin(world, "gate", owing(world))
        start = Gate.start

        def killed(order: Any) -> Any:
            if after_the_call:
                start(gate, order)
            raise Stopped

        gate.start = killed  # type: ignore[method-assign]
        with pytest.raises(Stopped):
            place_orders(world.office)
        gate.start = lambda order: pytest.fail("sent again")  # type: ignore[method-assign]
        gate.down, gate.says = answer is None, answer or {}
        world.wait(seconds=30)
        work_off(world.office)
        assert now(world, payment).status == "pending", "another worker may still be handing it over"
        world.wait(seconds=31)
        work_off(world.office)
        assert now(world, payment).status == ends
        with pytest.raises(Refused, match=r"payment_pending|payment_unknown|nothing_owed"):
            cashier.start_payment(
                world.office, world.applicant("+22891000000"), payment.dossier, provider="gate", payer="90112233"
            )

    def dies(self, *_: object) -> bool:
        raise Stopped


class TestNotHandedOver:
    def test_what_no_worker_took_in_time_ends_without_a_call(self, tmp_path: Path) -> None:
        gate = Gate()
        world = a_world(tmp_path, providers={"gate": gate})
        payment = begin(world, "gate", owing(world))
        world.wait(minutes=9)
        assert settlement.reconcile(world.office) == 0, "nobody asks about an order that was not handed over"
        world.wait(minutes=2)
        work_off(world.office)
        ended = now(world, payment)
        assert (ended.status, ended.reason, gate.started, gate.asked) == ("failed", "not_sent", [], 0)
        assert world.read(queued_calls) == ()

    def test_without_a_worker_nobody_begins_to_pay(self, tmp_path: Path) -> None:
        world = a_world(tmp_path, providers={"gate": Gate()})
        world.office = replace(world.office, settings=replace(world.office.settings, expects_worker=True))
        first, second, third = (owing(world, n) for n in range(3))
        with pytest.raises(Refused, match="payments_closed"):
            begin(world, "gate", first)
        call_queue.beat(world.office)
        begun = begin(world, "gate", second)
        world.wait(seconds=call_queue.LOST.total_seconds())
        with pytest.raises(Refused, match="payments_closed"):
            begin(world, "gate", third)
        assert begin(world, "gate", second).id == begun.id, "the same click again is the payment that it began"
        assert len(world.read(queued_calls)) == 1, "nothing was begun by the others"

    def test_a_worker_says_that_it_is_alive(self, tmp_path: Path) -> None:
        world = a_world(tmp_path, SqliteStore(tmp_path / "g.db"))
        with running(world.office):
            soon(lambda: world.read(lambda unit: call_queue.last_beat(unit, world.clock.now())))

    @pytest.mark.parametrize("behind", [-timedelta(hours=2), -timedelta(minutes=2), timedelta(hours=2)])
    def test_machines_whose_clocks_differ_agree_that_a_worker_is_alive(self, tmp_path: Path, behind: timedelta) -> None:
        store = an_empty_store()
        try:
            portal = a_world(tmp_path, store, providers={"gate": Gate()})
            portal.office = replace(portal.office, settings=replace(portal.office.settings, expects_worker=True))
            worker = replace(portal.office, clock=FixedClock(portal.office.now() - behind))
            dossier = owing(portal)
            call_queue.beat(worker)
            assert begin(portal, "gate", dossier).status == "pending"
            with store.unit() as unit:
                found = call_queue.last_beat(unit, portal.office.now())
            assert found is not None
            assert found[1] < call_queue.LOST
            with store.unit(write=True) as unit:
                for key, host, at in unit.asides("worker/"):
                    unit.keep_aside(key, host, at - call_queue.LOST)
            with pytest.raises(Refused, match="payments_closed"):
                begin(portal, "gate", owing(portal, 1))
        finally:
            store.close()


class TestCallbackRows:
    def test_an_operator_that_does_not_sign_adds_so_many_rows_to_a_payment(self, tmp_path: Path) -> None:
        told = Told()
        world = a_world(tmp_path, providers={"told": told})
        payment = begin(world, "told", owing(world))
        work_off(world.office)
        for number in range(settlement.CALLBACKS_NOTED + 30):
            outcome = settlement.record_callback(world.office, "told", {}, f"{payment.reference} e{number}".encode())
            assert outcome.code in ("noted", "repeated")
        events = world.read(lambda unit: unit.events_of(payment.id))
        assert len([one for one in events if one.event_id.startswith("told:")]) == settlement.CALLBACKS_NOTED
        asked = told.asked
        told.says = {"kind": "paid"}
        work_off(world.office)
        assert told.asked == asked + 1, "asked once for all of them"
        assert now(world, payment).status == "paid"

    def test_nor_more_than_so_many_an_hour(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settlement, "CALLBACKS_HOURLY", 3)
        world = a_world(tmp_path, providers={"told": Told()})
        payments = [begin(world, "told", one) for one in [owing(world, n) for n in range(5)]]
        work_off(world.office)
        for payment in payments:
            settlement.record_callback(world.office, "told", {}, f"{payment.reference} {payment.id}".encode())
        noted = [
            one
            for each in payments
            for one in world.read(lambda unit, each=each: unit.events_of(each.id))
            if one.note == "told"
        ]
        assert len(noted) == 3
        assert len(world.read(queued_calls)) == 5, "all are asked about"
