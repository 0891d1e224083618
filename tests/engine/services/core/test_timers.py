"""The tour: what falls due happens once, whoever runs it; letters leave, and come back when they could not."""

from __future__ import annotations

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.core.values import new_id
from engine.integrations.gateways import NotSent
from engine.integrations.registers import RegisterAnswer
from engine.model import Procedure
from engine.records.dossier import SYSTEM_ACTOR, Dossier, OutboundMessage
from engine.services.applications import drafts as intake
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext
from engine.services.context.edition_cache import EditionMissing
from engine.services.core import register_lookups as lookups
from engine.services.core.call_queue import QueuedCall, queue_call
from engine.services.core.register_lookups import ask_now
from engine.services.payments import payments as cashier
from engine.services.payments import settlement
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.worker import worker as timers
from engine.storage.results import Busy, DossierQuery
from engine.storage.sqlite.store import SqliteStore
from tests import worker
from tests.engine.services.world import B3, PASSPORT, PHONE, World, a_world, left_salts

OTHER = "+22890445566"


class Post:
    """A sender that does as the test says and remembers what left."""

    def __init__(self) -> None:
        self.left: list[OutboundMessage] = []
        self.fails: Exception | None = None

    def send(self, letter: OutboundMessage) -> None:
        if self.fails:
            raise self.fails
        self.left.append(letter)


class Slow(Post):
    """A gateway that takes half a second for each message."""

    world: World

    def send(self, letter: OutboundMessage) -> None:
        self.world.wait(seconds=0.5)
        super().send(letter)


class Stopped(Post):
    """A gateway over whose fifth message the process ends: it has left, and no answer is noted."""

    def send(self, letter: OutboundMessage) -> None:
        super().send(letter)
        if len(self.left) == 5:
            raise KeyboardInterrupt


def letter_of(dedupe: str, at: datetime) -> OutboundMessage:
    return OutboundMessage(new_id(), None, "sms", OTHER, "", "b", at, dedupe, at)


class TestTime:
    def test_unpaid_it_is_closed_on_its_day_and_not_before(self, world: World) -> None:
        dossier = world.sent()
        assert dossier.due_at
        world.clock.instant = dossier.due_at - timedelta(seconds=1)
        timers.run_timers(world.office)
        assert world.kept(dossier).state == "a_payer"
        world.clock.instant = dossier.due_at
        assert timers.run_timers(world.office) == 1
        assert world.kept(dossier).state == "abandonne"
        assert timers.run_timers(world.office) == 0
        assert fsck(world.office) == ()

    @pytest.mark.parametrize(
        ("payer", "ends", "state"), [("90000005", "paid", "piece"), ("91223344", "expired", "abandonne")]
    )
    def test_time_closes_nothing_while_money_may_be_on_its_way(
        self, world: World, payer: str, ends: str, state: str
    ) -> None:
        """The payment begins a minute before the last moment; its end is told after."""
        dossier, owner = world.sent(), world.applicant()
        assert dossier.due_at
        world.clock.instant = dossier.due_at - timedelta(minutes=1)
        started = worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=payer, token=new_id())
        world.clock.instant = dossier.due_at
        for _ in range(2):
            timers.run_timers(world.office)
            assert world.kept(dossier).state == "a_payer"
        world.wait(minutes=30)
        timers.run_pass(world.office)
        assert cashier.see_payment(world.office, owner, dossier.id, started.id).status == ends
        assert world.kept(dossier).state == state
        assert fsck(world.office) == ()

    def test_an_operator_that_stays_silent_holds_a_dossier_no_longer_than_a_payment_is_awaited(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dossier, owner = world.sent(), world.applicant()
        assert dossier.due_at
        world.clock.instant = dossier.due_at - timedelta(minutes=1)
        monkeypatch.setattr(settlement, "_ask", lambda office, payment: payment)
        worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer="90000005", token=new_id())
        world.clock.instant += settlement.SECOND_THOUGHTS - timedelta(seconds=1)
        assert timers.run_timers(world.office) == 0
        world.clock.instant += timedelta(seconds=1)
        assert timers.run_timers(world.office) == 1
        assert world.kept(dossier).state == "abandonne"

    def test_a_draft_goes_after_thirty_days_with_two_reminders(self, world: World) -> None:
        dossier, told = world.draft(), set[str]()
        for _ in range(32):
            world.wait(days=1)
            timers.run_pass(world.office)
            letters = world.read(lambda unit: unit.letters_to(PHONE, 100))
            told.update(one.id for one in letters if one.body.startswith("notice.draft.sms"))
        kept = world.kept(dossier)
        assert kept.closed_at
        assert (dict(kept.answers), kept.attachments, kept.label) == ({}, (), "")
        assert left_salts(world, dossier) <= {"rows.dossier", "rows.timers"}, "of the emptied body and its times"
        assert world.kinds(dossier)[-2:] == ["abandoned", "dropped"]
        assert fsck(world.office) == ()
        assert len(told) == 2
        assert intake.mine(world.office, world.applicant()) == ()
        assert world.draft().id != dossier.id

    def test_an_agents_state_only_escalates_once(self, world: World) -> None:
        dossier = world.sent(PASSPORT)
        world.wait(days=5)
        timers.run_timers(world.office)
        timers.run_timers(world.office)
        assert world.kept(dossier).state == "conformite"
        assert world.kinds(dossier).count("due") == 1

    def test_eight_workers_do_each_timer_once(self, tmp_path: Path) -> None:
        world = a_world(tmp_path, SqliteStore(tmp_path / "office.db"))
        dossiers = [world.sent(owner=world.applicant(f"+228901{number:05d}")) for number in range(20)]
        world.wait(days=16)
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda _: timers.run_timers(world.office), range(8)))
        assert sum(done) == 20
        for dossier in dossiers:
            assert world.kept(dossier).state == "abandonne"
            assert [taken.transition for taken in world.kept(dossier).taken] == ["a_payer.late"]
        assert fsck(world.office) == ()

    def test_eight_workers_remind_once(self, tmp_path: Path) -> None:
        world = a_world(tmp_path, SqliteStore(tmp_path / "office.db"))
        drafts = [world.draft(owner=world.applicant(f"+228901{number:05d}")) for number in range(10)]
        world.wait(days=24)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: timers.run_timers(world.office), range(8)))
        assert [world.kinds(draft).count("reminded") for draft in drafts] == [1] * 10

    def test_a_clock_that_goes_back_fires_nothing_twice(self, world: World) -> None:
        dossier = world.sent()
        world.wait(days=16)
        timers.run_timers(world.office)
        world.wait(days=-2)
        timers.run_timers(world.office)
        world.wait(days=3)
        timers.run_timers(world.office)
        assert len(world.kept(dossier).taken) == 1

    def test_one_that_fails_leaves_the_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = world.sent(), world.sent(owner=world.applicant("+22890445566"))
        world.wait(days=16)
        real = timers.time_over

        def faulty(procedure: Any, dossier: Any, *more: Any) -> Any:
            if dossier.id == first.id:
                raise ZeroDivisionError
            return real(procedure, dossier, *more)

        monkeypatch.setattr(timers, "time_over", faulty)
        assert timers.run_timers(world.office) == 1
        assert world.kept(second).state == "abandonne"
        assert "timer due" in caplog.text
        monkeypatch.undo()
        assert timers.run_timers(world.office) == 1
        assert world.kept(first).state == "abandonne"


PARTS = (
    "reconcile",
    "ask_registers",
    "run_timers",
    "follow_links",
    "carry_orders",
    "notify_agents",
    "sweep",
    "sign_journal",
)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_tour_that_fails_leaves_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """One edition that is nowhere any more would else keep every letter from leaving."""

    def faulty(office: Any) -> int:
        raise EditionMissing("casier-judiciaire-b3")

    world.sent()
    monkeypatch.setattr(timers, part, faulty)
    assert timers.run_pass(world.office).letters
    assert "a part of the tour" in caplog.text


class TestLetters:
    def test_each_leaves_once(self, tmp_path: Path) -> None:
        post = Post()
        world = a_world(tmp_path, senders={"sms": post})
        world.sent()
        assert timers.deliver_letters(world.office) == 1
        assert timers.deliver_letters(world.office) == 0
        assert len(post.left) == 1

    @pytest.mark.parametrize(
        ("fault", "kept"), [(NotSent("network"), "network"), (ZeroDivisionError("a bug of theirs"), "sender_fault")]
    )
    def test_tried_again_later_and_later_then_given_up(self, tmp_path: Path, fault: Exception, kept: str) -> None:
        post = Post()
        world = a_world(tmp_path, senders={"sms": post})
        world.sent()
        post.fails = fault
        tries = 0
        for _ in range(8):
            with world.office.store.unit() as unit:
                (letter,) = unit.letters_to("+22890112233")
            if letter.failed:
                break
            world.clock.instant = max(world.clock.instant, letter.due_at)
            timers.deliver_letters(world.office)
            tries += 1
        assert (letter.failed, tries) == (kept, 7)

    def test_a_flood_of_codes_and_reminders_delays_no_new_code(self, tmp_path: Path) -> None:
        """One address asks for six hundred codes in ten minutes, and a gateway takes half a second for each message."""
        post = Slow()
        world = post.world = a_world(tmp_path, senders={"sms": post})
        now = world.office.now()
        with world.office.store.unit(write=True) as unit:
            for number in range(300):
                for kind in ("code", "reminder"):
                    unit.add_letter(letter_of(f"{kind}/{number}", now))
        assert timers.deliver_letters(world.office)
        accounts.send_code(world.office, "+22890112233")
        before = len(post.left)
        timers.deliver_letters(world.office)
        mine = next(at for at, one in enumerate(post.left) if one.to == "+22890112233")
        assert mine - before < timers.BATCH
        first = [one.dedupe.partition("/")[0] for one in post.left[: timers.BATCH]]
        assert first.count("reminder") == timers.BATCH // 5, "and the others go on"

    def test_a_code_that_expired_in_an_outage_is_given_up(self, tmp_path: Path) -> None:
        post = Post()
        world = a_world(tmp_path, senders={"sms": post})
        accounts.send_code(world.office, "+22890112233")
        post.fails = NotSent("network")
        timers.deliver_letters(world.office)
        post.fails = None
        world.wait(minutes=10)
        assert timers.deliver_letters(world.office) == 0
        [letter] = world.read(lambda unit: unit.letters_to("+22890112233"))
        assert (letter.failed, letter.body, post.left) == ("over", "", [])

    def test_after_a_cut_it_leaves_in_the_end(self, tmp_path: Path) -> None:
        post = Post()
        world = a_world(tmp_path, senders={"sms": post})
        world.sent()
        post.fails = ZeroDivisionError("a bug of theirs")
        assert timers.deliver_letters(world.office) == 0
        post.fails = None
        assert timers.deliver_letters(world.office) == 0
        world.wait(minutes=1)
        assert timers.deliver_letters(world.office) == 1

    def test_a_worker_killed_before_noting_it_sends_again(self, tmp_path: Path) -> None:
        post = Post()
        world = a_world(tmp_path, senders={"sms": post})
        world.sent()
        with world.office.store.unit(write=True) as unit:
            unit.claim_letters(world.office.now(), world.office.now() + timers.LEASE)
        assert timers.deliver_letters(world.office) == 0
        world.wait(minutes=2)
        assert timers.deliver_letters(world.office) == 1

    def test_a_worker_that_stops_over_many_sends_one_again(self, tmp_path: Path) -> None:
        """A restart cut the worker of a gateway that took 0.7 s for each: 41 of 41 messages left twice."""
        post = Stopped()
        world = a_world(tmp_path, senders={"sms": post})
        with world.office.store.unit(write=True) as unit:
            for number in range(10):
                unit.add_letter(letter_of(f"reminder/{number}", world.office.now()))
        with pytest.raises(KeyboardInterrupt):
            timers.deliver_letters(world.office)
        world.wait(minutes=2)
        timers.deliver_letters(world.office)
        times = Counter(one.id for one in post.left)
        assert sorted(times.values()) == [1] * 9 + [2]

    def test_useless_addresses_and_channels_are_given_up_at_once(self, tmp_path: Path) -> None:
        post = Post()
        world = a_world(tmp_path, senders={"sms": post})
        world.sent()
        post.fails = NotSent("no such number", for_good=True)
        with world.office.store.unit(write=True) as unit:
            now = world.office.now()
            unit.add_letter(OutboundMessage("l", None, "email", "a@b.tg", "s", "b", now, "d", now))
        timers.deliver_letters(world.office)
        with world.office.store.unit() as unit:
            assert [one.failed for one in unit.letters_to("+22890112233")] == ["no such number"]
            assert [one.failed for one in unit.letters_to("a@b.tg")] == ["no_sender"]


class Silent:
    """A register that answers when it wants to."""

    def __init__(self) -> None:
        self.answer = RegisterAnswer("unavailable")
        self.asked: list[dict[str, Any]] = []

    def ask(self, register_id: str, sent: Any) -> RegisterAnswer:
        self.asked.append(dict(sent))
        return self.answer


class TestRegisters:
    def test_found_at_once_when_it_is_reached(self, world: World) -> None:
        given = {"nom": "TCHALLA", "prenoms": "Essowè", "date_naissance": "1991-08-05"}
        dossier = world.paid(world.sent(**given))
        assert (dossier.state, dossier.answers["recherche"]) == ("controle", "found")

    def test_what_is_sent_is_what_the_book_says(self, tmp_path: Path) -> None:
        register = Silent()
        world = a_world(tmp_path, registers={"casier_national": register})
        world.paid(world.sent())
        assert register.asked[0] == {
            "nom": "AMEGAN", "prenoms": "Afi", "date_naissance": "1994-03-12", "pere": "AMEGAN Kodjo",
            "mere": "LAWSON Akouvi", "raison_sociale": None,
        }  # fmt: skip

    def test_silent_it_is_asked_again_once_a_minute(self, tmp_path: Path) -> None:
        register = Silent()
        world = a_world(tmp_path, registers={"casier_national": register})
        dossier = world.paid(world.sent())
        assert dossier.state == "interrogation"
        assert [timers.ask_registers(world.office) for _ in range(2)] == [0, 0]
        world.wait(minutes=1)
        assert [timers.ask_registers(world.office) for _ in range(3)] == [1, 0, 0]
        register.answer = RegisterAnswer("not_found")
        world.wait(minutes=1)
        assert timers.run_pass(world.office).registers == 1
        assert world.kept(dossier).state == "piece"

    def test_those_that_stay_silent_keep_nobody_waiting(self, tmp_path: Path) -> None:
        register = Silent()
        world = a_world(tmp_path, registers={"casier_national": register})
        for number in range(5):
            world.paid(world.sent(owner=world.applicant(f"+2289000010{number}")))
        register.asked.clear()
        world.wait(minutes=1)
        assert [timers.ask_registers(world.office, limit=2) for _ in range(4)] == [2, 2, 1, 0]
        assert len(register.asked) == 5

    def test_a_dossier_whose_edition_is_lost_keeps_no_other_waiting(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        register, lost = Silent(), set[str]()
        world = a_world(tmp_path, registers={"casier_national": register})
        dossiers = [world.paid(world.sent(owner=world.applicant(f"+2289000010{number}"))) for number in range(3)]
        with world.office.store.unit() as unit:
            first = next(line.id for line in unit.find_dossiers(DossierQuery(), None, 9).lines)
        lost.add(first)
        book_of = lookups._procedure_of

        def reading(office: AppContext, dossier: Dossier) -> Procedure:
            if dossier.id in lost:
                raise EditionMissing(dossier.procedure)
            return book_of(office, dossier)

        monkeypatch.setattr(lookups, "_procedure_of", reading)
        world.wait(minutes=1)
        register.asked.clear()
        assert lookups.queue_registers(world.office) == 2
        world.wait(minutes=1)
        with world.office.store.unit(write=True) as unit:
            queue_call(unit, QueuedCall("register", "casier_national", first), world.office.now())
        register.answer = RegisterAnswer("not_found")
        timers.ask_registers(world.office)
        assert {world.kept(one).state for one in dossiers if one.id != first} == {"piece"}

    def test_silent_for_too_long_a_person_looks(self, tmp_path: Path) -> None:
        world = a_world(tmp_path, registers={})
        dossier = world.paid(world.sent())
        world.wait(hours=13)
        timers.run_pass(world.office)
        after = world.kept(dossier)
        assert (after.state, after.answers["recherche"]) == ("controle", "unavailable")
        assert fsck(world.office) == ()

    def test_an_answer_that_comes_too_late_changes_nothing(self, tmp_path: Path) -> None:
        """The dossier moved while the register was thinking."""
        register = Silent()
        world = a_world(tmp_path, registers={"casier_national": register})
        dossier = world.paid(world.sent())

        class Slow(Silent):
            def ask(self, register_id: str, sent: Any) -> RegisterAnswer:
                world.wait(hours=13)
                timers.run_timers(world.office)
                return RegisterAnswer("not_found")

        slow = replace(world.office, registers={"casier_national": Slow()})
        world.wait(minutes=1)
        timers.ask_registers(slow)
        assert world.kept(dossier).answers["recherche"] == "unavailable"

    def test_an_answer_that_the_store_is_too_busy_to_keep_takes_nothing_back(self, tmp_path: Path) -> None:
        """The act that led to the question is kept: whoever took it is not told otherwise, and the next tour asks again."""
        register = Silent()
        register.answer = RegisterAnswer("not_found")
        world = a_world(tmp_path, SqliteStore(tmp_path / "facts.db"), registers={})
        dossier = world.paid(world.sent())

        class Held(SqliteStore):
            def unit(self, write: bool = False, wait_limit: float | None = None) -> Any:
                if write:
                    raise Busy("SQLITE_BUSY")
                return super().unit(write)

        answering = replace(world.office, registers={"*": register})
        busy = replace(answering, store=Held(tmp_path / "facts.db"))
        assert ask_now(busy, world.kept(dossier)) == world.kept(dossier)
        assert (len(register.asked), world.kept(dossier).state) == (1, "interrogation")
        world.wait(minutes=1)
        assert timers.ask_registers(answering) == 1
        assert world.kept(dossier).state == "piece"

    def test_an_answer_about_what_the_dossier_was_is_asked_again(self, tmp_path: Path) -> None:
        """Something changed meanwhile: perhaps the very answers that were sent."""
        register = Silent()
        world = a_world(tmp_path, registers={"casier_national": register})
        dossier = world.paid(world.sent())

        class Slow(Silent):
            def ask(self, register_id: str, sent: Any) -> RegisterAnswer:
                kept = world.kept(dossier)
                world.force(kept, label=f"{kept.label} bis", language="en")
                return RegisterAnswer("not_found")

        world.wait(minutes=1)
        timers.ask_registers(replace(world.office, registers={"casier_national": Slow()}))
        assert world.kept(dossier).state == "interrogation"


class TestSweeping:
    def test_files_nobody_names_go_after_a_day(self, world: World) -> None:
        owner, dossier = world.applicant(), world.filled()
        folder = world.office.attachments.blobs.folder
        kept = lambda: sorted(path.name for path in folder.glob("??/??/*"))  # noqa: E731
        orphan = world.office.attachments.keep(_png(), "a.png", ("png",), 10_000)
        assert len(kept()) == 2
        world.clock.instant = world.clock.instant.replace(year=2120)
        timers.sweep(world.office)
        assert kept() == [f"{dossier.attachments[0].sha256}.{dossier.id}"]
        assert not [name for name in kept() if name.startswith(orphan.sha256)]
        assert intake.read_attachment(world.office, owner, dossier.id, dossier.attachments[0].id)

    def test_codes_that_were_sent_and_letters_of_a_draft_that_is_gone_go_after_a_week(self, world: World) -> None:
        accounts.send_code(world.office, OTHER)
        owner, kept = world.applicant(), world.sent()
        draft = world.draft(PASSPORT, owner)
        now = world.office.now()
        with world.office.store.unit(write=True) as unit:
            unit.add_letter(OutboundMessage("reminder", draft.id, "sms", PHONE, "", "?", now, "reminder", now))
        timers.deliver_letters(world.office)
        accounts.send_code(world.office, "+22890445577")  # waits for a sender: it is still owed
        intake.drop_draft(world.office, owner, draft.id)
        timers.sweep(world.office)
        assert world.letters(OTHER)
        world.wait(days=8)
        timers.sweep(world.office)
        assert world.letters(OTHER) == []
        assert world.letters("+22890445577")
        assert world.read(lambda unit: unit.letters_of(draft.id)) == ()
        assert world.read(lambda unit: unit.letters_of(kept.id))
        assert fsck(world.office) == ()

    def test_once_a_day_whoever_tours(self, world: World) -> None:
        opened = intake.open_dossier(world.office, world.applicant(), B3, criteria={"etranger": False}, token="t")
        token = ("open_dossier", "t")
        world.wait(days=6)
        timers.sweep(world.office)
        assert world.read(lambda unit: unit.reply(opened.owner, *token))
        world.wait(days=1, hours=1)
        assert timers.sweep(world.office) > 0
        assert timers.sweep(world.office) == 0
        assert world.read(lambda unit: unit.reply(opened.owner, *token)) is None


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "PNG")
    return out.getvalue()


def test_the_system_is_who_time_acts_as(world: World) -> None:
    dossier = world.sent()
    world.wait(days=16)
    timers.run_timers(world.office)
    last = world.read(lambda unit: unit.entries(dossier.id))[-1]
    assert (last.actor_kind, last.actor) == (SYSTEM_ACTOR.kind, SYSTEM_ACTOR.id)
