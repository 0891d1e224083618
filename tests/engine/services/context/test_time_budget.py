"""Whoever outside takes everything and answers nothing holds up neither the others, nor time, nor those who only read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.integrations.gateways import NotSent
from engine.records.dossier import OutboundMessage
from engine.services.worker import worker as patience
from engine.services.worker import worker as timers
from tests.engine.services.world import World, a_world

HANGS = timedelta(seconds=20)  # until a call is given up


class Hanging:
    """A sender whose gateway takes the call and says nothing, until it is given up."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.world: World | None = None
        self.lasts = HANGS
        self.fails: Exception | None = NotSent("ReadTimeoutError", silent=True)

    def send(self, letter: OutboundMessage) -> None:
        self.tried.append(letter.id)
        if self.world is not None:
            self.world.clock.instant += self.lasts
        if self.fails is not None:
            raise self.fails


class Kept:
    """A sender that keeps what left."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def send(self, letter: OutboundMessage) -> None:
        self.left.append(letter.id)


def owed(world: World, channel: str, count: int) -> None:
    now = world.office.now()
    with world.office.store.unit(write=True) as unit:
        for n in range(count):
            to = f"{n}@exemple.tg" if channel == "email" else f"+2289000{n:04d}"
            unit.add_letter(OutboundMessage(f"{channel}{n}", None, channel, to, "s", "b", now, f"{channel}{n}", now))


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
        assert len(slow.tried) == 2

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
        assert timers.deliver_letters(world.office) == patience.SHARE // slow.lasts
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

        def send(letter: OutboundMessage) -> None:
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

        def send(letter: OutboundMessage) -> None:
            world.clock.instant += timers.LEASE + timedelta(minutes=1)
            timers.deliver_letters(other)
            kept.send(letter)

        slow = Kept()
        slow.send = send  # type: ignore[method-assign]
        assert timers.deliver_letters(replace(world.office, senders={"sms": slow})) == 1
        world.wait(hours=1)
        assert timers.deliver_letters(world.office) == 0
        assert (len(kept.left), len(vain.tried)) == (1, 1)
