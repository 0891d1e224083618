"""Whoever outside takes everything and answers nothing holds up neither the others, nor time, nor those who only read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.clock import FixedClock
from engine.gateways.payments import ProviderDown, ProviderSilent, ProviderStatus
from engine.gateways.senders import NotSent
from engine.office import calls, cashier, patience, settlement, timers
from engine.office.calls import Calls, NoPlace
from engine.problems import Refused
from engine.records.dossier import Letter, Payment
from tests.engine.office.test_cashier import Told
from tests.engine.office.world import MONDAY, World, a_world

HANGS = timedelta(seconds=20)  # until a call is given up


class Hanging:
    """A sender whose gateway takes the call and says nothing, until it is given up."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.world: World | None = None
        self.lasts = HANGS
        self.fails: Exception | None = NotSent("ReadTimeoutError", silent=True)

    def send(self, letter: Letter) -> None:
        self.tried.append(letter.id)
        if self.world is not None:
            self.world.clock.instant += self.lasts
        if self.fails is not None:
            raise self.fails


class Kept:
    """A sender that keeps what left."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def send(self, letter: Letter) -> None:
        self.left.append(letter.id)


def owed(world: World, channel: str, count: int) -> None:
    now = world.office.now()
    with world.office.store.unit(write=True) as unit:
        for n in range(count):
            to = f"{n}@exemple.tg" if channel == "email" else f"+2289000{n:04d}"
            unit.add_letter(Letter(f"{channel}{n}", None, channel, to, "s", "b", now, f"{channel}{n}", now))


class TestLetters:
    def test_a_gateway_that_answers_nothing_is_left_alone_and_the_other_channel_goes_on(self, tmp_path: Path) -> None:
        silent, kept = Hanging(), Kept()
        world = a_world(tmp_path, senders={"sms": silent, "email": kept})
        owed(world, "sms", 120)
        owed(world, "email", 60)
        assert timers.deliver_letters(world.office) == 60
        assert len(silent.tried) == patience.SILENCES

    @pytest.mark.parametrize("said", [NotSent("TimeoutError", silent=True), NotSent("smtp_450"), None])
    def test_however_long_mail_takes_a_code_by_sms_leaves_with_the_same_tour(
        self, tmp_path: Path, said: Exception | None
    ) -> None:
        """A hundred mails were due before it."""
        slow, kept = Hanging(), Kept()
        slow.fails = said
        world = a_world(tmp_path, senders={"email": slow, "sms": kept})
        owed(world, "email", 100)
        world.wait(seconds=1)
        owed(world, "sms", 1)
        slow.world = world
        timers.deliver_letters(world.office)
        assert kept.left == ["sms0"]
        assert len(slow.tried) == 1

    def test_what_was_not_tried_waits_as_it_was_and_leaves_when_it_answers_again(self, tmp_path: Path) -> None:
        silent = Hanging()
        world = a_world(tmp_path, senders={"sms": silent})
        owed(world, "sms", 120)
        for _ in range(3):
            timers.deliver_letters(world.office)
        assert silent.tried == [f"sms{n}" for n in range(3 * patience.SILENCES)]
        silent.fails = None
        assert timers.deliver_letters(world.office) == 120 - len(set(silent.tried[: 3 * patience.SILENCES]))
        world.wait(minutes=1)
        assert timers.deliver_letters(world.office) == 3 * patience.SILENCES
        with world.office.store.unit() as unit:
            [last] = unit.letters_to("+22890000119")
        assert last.attempts == 1

    def test_a_slow_gateway_gets_its_share_of_the_tour_and_nobody_else_its_letters(self, tmp_path: Path) -> None:
        """What is lent goes back before its time is over, so that no other worker sends it too."""
        slow = Hanging()
        slow.fails, slow.lasts = None, timedelta(seconds=5)
        world = a_world(tmp_path, senders={"sms": slow})
        slow.world = world
        owed(world, "sms", 40)
        began = world.office.now()
        assert timers.deliver_letters(world.office) == patience.OF_ONE // slow.lasts
        assert world.office.now() - began <= patience.SHARE < timers.LEASE
        for _ in range(20):
            timers.deliver_letters(world.office)
        assert sorted(slow.tried) == sorted(f"sms{n}" for n in range(40)), "each once"

    @pytest.mark.parametrize(
        "said", [NotSent("no such number", for_good=True), NotSent("smtp_450"), KeyError("a bug of theirs")]
    )
    def test_whatever_is_said_of_one_letter_holds_up_no_other(self, tmp_path: Path, said: Exception) -> None:
        refusing = Hanging()
        refusing.fails = said
        world = a_world(tmp_path, senders={"sms": refusing})
        owed(world, "sms", 70)
        timers.deliver_letters(world.office)
        assert len(refusing.tried) == 70

    def test_whoever_kept_a_letter_too_long_says_no_more_about_it(self, tmp_path: Path) -> None:
        """One call lasts longer than the lease; meanwhile another worker sends the others, and what it noted stands."""
        slow, kept = Hanging(), Kept()
        slow.lasts = timers.LEASE + timedelta(minutes=1)
        world = a_world(tmp_path, senders={"sms": slow})
        owed(world, "sms", 5)
        other = replace(world.office, senders={"sms": kept})

        def send(letter: Letter) -> None:
            world.clock.instant += slow.lasts
            assert timers.deliver_letters(other) == 5
            raise NotSent("ReadTimeoutError", silent=True)

        slow.send = send  # type: ignore[method-assign]
        timers.deliver_letters(world.office)
        with world.office.store.unit() as unit:
            letters = [unit.letters_to(f"+2289000{n:04d}")[0] for n in range(5)]
        assert [one.sent_at is not None for one in letters] == [True] * 5
        assert [one.attempts for one in letters] == [2] * 5

    def test_what_left_did_whoever_holds_the_lease(self, tmp_path: Path) -> None:
        """One call lasts longer than the lease; meanwhile another worker tries in vain. It left all the same, once."""
        world = a_world(tmp_path, senders={"sms": Kept()})
        owed(world, "sms", 1)
        vain, kept = Hanging(), Kept()
        other = replace(world.office, senders={"sms": vain})

        def send(letter: Letter) -> None:
            world.clock.instant += timers.LEASE + timedelta(minutes=1)
            timers.deliver_letters(other)
            kept.send(letter)

        slow = Kept()
        slow.send = send  # type: ignore[method-assign]
        assert timers.deliver_letters(replace(world.office, senders={"sms": slow})) == 1
        world.wait(hours=1)
        assert timers.deliver_letters(world.office) == 0
        assert (len(kept.left), len(vain.tried)) == (1, 1)


class Mute(Told):
    """An operator that answers nothing once `down`, and lets whoever calls wait until `gate` is opened."""

    id = "mute"

    def __init__(self) -> None:
        super().__init__()
        self.gate: threading.Event | None = None
        self.inside = threading.Semaphore(0)

    def _hangs(self) -> None:
        self.inside.release()
        if self.gate is not None:
            assert self.gate.wait(30)
            raise ProviderSilent("ReadTimeoutError")

    def start(self, order: Any) -> Any:
        self._hangs()
        return super().start(order)

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        self._hangs()
        if self.down:
            self.asked += 1
            raise ProviderSilent("ReadTimeoutError")
        return super().status(reference, provider_ref)


class Some(Told):
    """An operator that `cannot` tell about some orders, `hangs` over others, and takes its time over each."""

    def __init__(self) -> None:
        super().__init__()
        self.cannot, self.hangs = set[str](), set[str]()
        self.lasts, self.clock = timedelta(), FixedClock(MONDAY)

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        self.clock.instant += self.lasts
        if reference in self.cannot:
            raise ProviderDown("status_500")
        if reference in self.hangs:
            raise ProviderSilent("ReadTimeoutError")
        return super().status(reference, provider_ref)


class Ticking(FixedClock):
    """A clock that goes on while one looks at it, as true ones do."""

    def now(self) -> datetime:
        self.instant += timedelta(milliseconds=1)
        return super().now()


def ticking(folder: Path) -> tuple[World, Some]:
    told = Some()
    world = a_world(folder, providers={"told": told})
    clock = Ticking(world.clock.instant)
    return replace(world, office=replace(world.office, clock=clock), clock=clock), told


def paying(world: World, provider: str, number: int) -> Payment:
    owner = world.applicant(f"+2289100{number:04d}")
    return cashier.start_payment(
        world.office, owner, world.sent(owner=owner).id, provider=provider, payer="+22890112233", token=None
    )


class TestPayments:
    def test_an_operator_that_answers_nothing_holds_up_no_other(self, tmp_path: Path) -> None:
        mute, told = Mute(), Told()
        world = a_world(tmp_path, providers={"mute": mute, "told": told})
        for n in range(6):
            paying(world, "mute", n)
        other = paying(world, "told", 9)
        mute.down, told.says = True, {"kind": "paid"}
        before = mute.asked
        world.wait(seconds=10)
        assert settlement.reconcile(world.office) == patience.SILENCES + 1
        assert mute.asked - before == patience.SILENCES
        assert world.read(lambda unit: unit.payment(other.id)).status == "paid"
        assert settlement.reconcile(world.office) == 0, "those left alone went behind the others"
        world.wait(seconds=10)
        assert settlement.reconcile(world.office) == patience.SILENCES

    def test_two_that_it_cannot_tell_about_keep_it_from_telling_about_no_other(self, tmp_path: Path) -> None:
        """An answer that is none, on a clock that goes on: those it can tell about are paid by the first tour."""
        world, told = ticking(tmp_path)
        payments = [paying(world, "told", n) for n in range(6)]
        told.says = {"kind": "paid"}
        told.cannot = {one.reference for one in payments[:2]}
        world.wait(seconds=10)
        settlement.reconcile(world.office)
        assert [world.read(lambda unit, one=one: unit.payment(one.id)).status for one in payments[2:]] == ["paid"] * 4

    def test_each_has_its_turn_with_an_operator_that_says_nothing_about_some(self, tmp_path: Path) -> None:
        world, told = ticking(tmp_path)
        payments = [paying(world, "told", n) for n in range(6)]
        told.says = {"kind": "paid"}
        told.hangs = {one.reference for one in payments[:2]}
        for _ in range(4):
            world.wait(seconds=15)
            settlement.reconcile(world.office)
        assert [world.read(lambda unit, one=one: unit.payment(one.id)).status for one in payments[2:]] == ["paid"] * 4

    def test_what_nobody_asked_about_is_no_less_known_than_before(self, tmp_path: Path) -> None:
        mute = Mute()
        world = a_world(tmp_path, providers={"mute": mute})
        payments = [paying(world, "mute", n) for n in range(6)]
        mute.down = True
        world.wait(minutes=11)  # their time is over
        settlement.reconcile(world.office)
        now = [world.read(lambda unit, one=one: unit.payment(one.id)).status for one in payments]
        assert sorted(now) == ["pending"] * 4 + ["unknown"] * 2

    def test_a_slow_operator_gets_its_share_of_the_tour(self, tmp_path: Path) -> None:
        world, told = ticking(tmp_path)
        payments = [paying(world, "told", n) for n in range(12)]
        told.says, told.lasts, told.clock = {"kind": "paid"}, timedelta(seconds=5), world.clock
        world.wait(seconds=10)
        began = world.clock.instant
        assert settlement.reconcile(world.office) == patience.OF_ONE // told.lasts
        assert world.clock.instant - began <= patience.OF_ONE + timedelta(seconds=6)
        for _ in range(5):
            world.wait(seconds=10)
            settlement.reconcile(world.office)
        assert {world.read(lambda unit, one=one: unit.payment(one.id)).status for one in payments} == {"paid"}

    def test_once_it_answers_again_all_are_asked_about(self, tmp_path: Path) -> None:
        mute = Mute()
        world = a_world(tmp_path, providers={"mute": mute})
        payments = [paying(world, "mute", n) for n in range(6)]
        mute.down = True
        world.wait(seconds=10)
        settlement.reconcile(world.office)
        mute.down, mute.says = False, {"kind": "paid"}
        world.wait(seconds=10)
        assert settlement.reconcile(world.office) == 6
        assert {world.read(lambda unit, one=one: unit.payment(one.id)).status for one in payments} == {"paid"}


@contextmanager
def waiting(mute: Mute, works: list[Callable[[], object]]) -> Iterator[None]:
    """While each of these waits for the operator."""
    mute.gate = threading.Event()
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            assert mute.inside.acquire(timeout=30)
        yield
    finally:
        mute.gate.set()
        for thread in threads:
            thread.join()


class TestPeopleWaiting:
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        self.mute = Mute()
        world = a_world(tmp_path, providers={"mute": self.mute})
        return replace(world, office=replace(world.office, calls=Calls(8)))

    def test_few_wait_for_what_is_only_looked_at_the_others_see_what_is_known(self, world: World) -> None:
        payments = [paying(world, "mute", n) for n in range(3)]
        while self.mute.inside.acquire(blocking=False):
            pass
        first, second, third = (lambda one=one: settlement.check_payment(world.office, one.id) for one in payments)
        with waiting(self.mute, [first, second]):
            assert third() == payments[2]
        assert not self.mute.inside.acquire(blocking=False), "the third asked nobody"

    def test_nobody_begins_to_pay_where_too_many_wait_and_nothing_is_kept_of_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(calls, "WAIT", 0.05)
        late = world.applicant("+22891009999")
        dossier = world.sent(owner=late)
        with waiting(self.mute, [lambda n=n: paying(world, "mute", n) for n in range(3)]):
            with pytest.raises(NoPlace):
                cashier.start_payment(world.office, late, dossier.id, provider="mute", payer="+22890112233", token="t1")
            assert world.read(lambda unit: unit.payments_of(dossier.id)) == ()
        self.mute.gate = None
        begun = cashier.start_payment(world.office, late, dossier.id, provider="mute", payer="+22890112233", token="t1")
        assert begun.status == "pending"

    def test_a_second_touch_finds_the_payment_that_the_first_began(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(calls, "WAIT", 0.05)
        owner = world.applicant("+22891009999")
        dossier = world.sent(owner=owner)

        def touches() -> Payment:
            return cashier.start_payment(
                world.office, owner, dossier.id, provider="mute", payer="+22890112233", token="t1"
            )

        with waiting(self.mute, [touches, *(lambda n=n: paying(world, "mute", n) for n in range(2))]):
            with pytest.raises(Refused) as told:
                touches()
            [begun] = world.read(lambda unit: unit.payments_of(dossier.id))
            assert (told.value.reason.code, told.value.reason.facts["payment"]) == ("payment_pending", begun.id)

    def test_one_waits_for_a_place_and_has_it_when_it_comes_free(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(calls, "WAIT", 20.0)
        late, begun = world.applicant("+22891009999"), list[Payment]()
        dossier = world.sent(owner=late)

        def begins() -> None:
            begun.append(
                cashier.start_payment(world.office, late, dossier.id, provider="mute", payer="+22890112233", token="t1")
            )

        next_one = threading.Thread(target=begins)
        with waiting(self.mute, [lambda n=n: paying(world, "mute", n) for n in range(3)]):
            next_one.start()
        next_one.join()
        assert len(begun) == 1

    def test_about_a_payment_that_ended_it_is_asked_whoever_waits(self, world: World) -> None:
        """The worker asks no more, and some operators call once: its word is all there is."""
        payment, *others = [paying(world, "mute", n) for n in range(50, 53)]
        self.mute.says = {"kind": "failed", "reason": "balance"}
        settlement.check_payment(world.office, payment.id)
        assert world.read(lambda unit: unit.payment(payment.id)).status == "failed"
        world.wait(hours=30)
        while self.mute.inside.acquire(blocking=False):
            pass
        body = f"{payment.reference} late".encode()
        looks: list[Callable[[], object]] = [
            lambda one=one: settlement.check_payment(world.office, one.id) for one in others
        ]  # type: ignore[misc]
        with waiting(self.mute, looks):
            told = threading.Thread(target=settlement.record_callback, args=(world.office, "mute", {}, body))
            told.start()
            assert self.mute.inside.acquire(timeout=30), "all three are at the operator's, which answers nothing"
        told.join()
        self.mute.gate, self.mute.says = None, {"kind": "paid"}
        world.wait(minutes=1)
        settlement.record_callback(world.office, "mute", {}, body)
        assert world.read(lambda unit: unit.payment(payment.id)).status == "paid"
        world.wait(minutes=1)
        before = self.mute.asked
        assert settlement.record_callback(world.office, "mute", {}, body).code == "repeated"
        assert self.mute.asked == before, "it was asked since"

    def test_an_operator_that_tells_us_where_too_many_wait_is_asked_to_come_back(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(calls, "WAIT", 0.05)
        payment, *others = [paying(world, "mute", n) for n in range(50, 53)]
        while self.mute.inside.acquire(blocking=False):
            pass
        body = f"{payment.reference} e1".encode()
        looks = [lambda one=one: settlement.check_payment(world.office, one.id) for one in others]
        with waiting(self.mute, looks):
            assert settlement.record_callback(world.office, "mute", {}, body).code == "later"
        self.mute.gate, self.mute.says = None, {"kind": "paid"}
        outcome = settlement.record_callback(world.office, "mute", {}, body)
        assert outcome.payment is not None
        assert outcome.payment.status == "paid"
