"""The public's door: codes by phone, sessions; nothing tells who is known, and tries are counted for all servers."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from engine.core.problems import Refused
from engine.services.limits.guesses import with_account
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in import sessions
from engine.services.sign_in.sessions import SignedIn
from tests.engine.services.world import PHONE, World


def code_in(world: World, phone: str = PHONE) -> str:
    """The code that the last letter to a phone carries."""
    found = re.search(r"code=([0-9]{6})", world.letters(phone)[-1])
    assert found
    return found.group(1)


def signed_in(world: World, keep: bool = False) -> SignedIn:
    accounts.send_code(world.office, "90 11 22 33")
    return accounts.check_code(world.office, "90 11 22 33", code_in(world), keep=keep)


def refused(act: object, *given: object, **more: object) -> Refused:
    with pytest.raises(Refused) as closed:
        act(*given, **more)  # type: ignore[operator]
    return closed.value


def guess_all_day(world: World, during: timedelta) -> int:
    """Guesses that were heard, of an attacker who asks for the codes of a number from ever new browsers and addresses as
    often as that is accepted: no address is counted."""
    end, n, heard = world.office.now() + during, 0, 0
    while world.office.now() < end:
        n += 1
        try:
            accounts.send_code(world.office, PHONE, mark=f"attacker {n}")
        except Refused:
            world.wait(minutes=1)
            continue
        right = code_in(world)
        for guess in range(accounts.GUESSES_A_DAY):
            wrong = f"{(int(right) + 1 + guess) % 10**6:06d}"
            heard += 1
            if (
                refused(accounts.check_code, world.office, PHONE, wrong, mark=f"attacker {n}").reason.code
                != "code_wrong"
            ):
                break
    return heard


def codes_to(world: World, number: str) -> list[str]:
    letters = world.read(lambda unit: unit.letters_to(number))
    return [re.findall(r"\d{6}", one.body)[0] for one in sorted(letters, key=lambda one: one.created_at)][::-1]


class TestCodes:
    def test_a_code_signs_in_once(self, world: World) -> None:
        sent = accounts.send_code(world.office, "90 11 22 33")
        assert (sent.phone, sent.wait_seconds, sent.valid_minutes) == (PHONE, 30, 10)
        code = code_in(world)
        found = accounts.check_code(world.office, PHONE, f" {code[:3]} {code[3:]} ")
        assert found.actor.kind == "applicant"
        assert sessions.actor_of(world.office, found.token) == found.actor
        assert refused(accounts.check_code, world.office, PHONE, code).reason.code == "code_expired"

    def test_who_guesses_at_many_numbers_has_one_try_of_each_code(self, world: World) -> None:
        """One wrong code of many numbers is a chance like many of one: they count for the network together."""
        most, _ = accounts.GUESSES_OF_NETWORK
        tries = []
        for n in range(most // 5 + 3):
            number, client = f"+228901{n:05}", f"2001:db8:7:{n:x}::/64"  # one customer has a whole /48
            accounts.send_code(world.office, number, mark="m")
            right = int(next(iter(codes_to(world, number))))
            heard = 1
            while refused(
                accounts.check_code, world.office, number, f"{(right + heard) % 10**6:06d}", mark="m", client=client
            ).reason.code == "code_wrong":  # fmt: skip
                heard += 1
            tries.append(heard)
        assert (tries[0], tries[-1]) == (5, 1)
        accounts.send_code(world.office, PHONE, mark="m")
        elsewhere = "2001:db8:8::/64"
        wrong = refused(accounts.check_code, world.office, PHONE, "000000", mark="m", client=elsewhere)
        assert wrong.reason.facts["left"] == 4, "another network is not concerned"

    def test_the_same_person_comes_back(self, world: World) -> None:
        first = signed_in(world)
        world.wait(minutes=2)
        assert signed_in(world).actor.id == first.actor.id

    def test_nothing_kept_shows_the_code_or_the_token(self, world: World) -> None:
        accounts.send_code(world.office, PHONE)
        code = code_in(world)
        kept = world.read(lambda unit: unit.code(PHONE))
        assert code not in kept.code_sha256
        found = accounts.check_code(world.office, PHONE, code)
        assert world.read(lambda unit: unit.session(found.token)) is None

    def test_five_tries_and_the_code_is_void(self, world: World) -> None:
        accounts.send_code(world.office, PHONE)
        wrong = "000000" if code_in(world) != "000000" else "111111"
        said = [refused(accounts.check_code, world.office, PHONE, wrong).reason for _ in range(5)]
        assert [(one.code, one.facts.get("left")) for one in said] == [
            ("code_wrong", 4),
            ("code_wrong", 3),
            ("code_wrong", 2),
            ("code_wrong", 1),
            ("code_expired", None),
        ]
        assert refused(accounts.check_code, world.office, PHONE, code_in(world)).reason.code == "code_expired"

    def test_a_code_is_for_the_browser_that_asked(self, world: World) -> None:
        accounts.send_code(world.office, PHONE, mark="here")
        code = code_in(world)
        for elsewhere in ("", "there"):
            said = refused(accounts.check_code, world.office, PHONE, code, mark=elsewhere).reason
            assert said.code == "code_expired", "a browser that asked for nothing has no code to try"
        assert accounts.check_code(world.office, PHONE, code, mark="here")

    def test_other_browsers_neither_use_up_a_code_nor_replace_it(self, world: World) -> None:
        accounts.send_code(world.office, PHONE, mark="here")
        code, wrong = code_in(world), "000000"
        for n in range(4):
            accounts.send_code(world.office, PHONE, mark=f"stranger {n}")
            assert [
                refused(accounts.check_code, world.office, PHONE, wrong, mark=f"stranger {n}").reason.code
                for _ in range(6)
            ] == ["code_wrong"] * 4 + ["code_expired"] * 2
        for _ in range(200):
            refused(accounts.check_code, world.office, PHONE, wrong)
        assert accounts.check_code(world.office, PHONE, code, mark="here")

    def test_beyond_the_guesses_of_a_day_a_code_has_one_try(self, world: World) -> None:
        """A number under attack. Its owner still signs in from any browser; one known to them keeps five tries a code."""
        owner = signed_in(world)
        browser = with_account(world.office, owner.actor.id, "")
        world.wait(minutes=30)
        guess_all_day(world, timedelta(minutes=40))

        def tries(mark: str, **more: str) -> list[str]:
            accounts.send_code(world.office, PHONE, mark=mark)
            wrong = "000000" if code_in(world) != "000000" else "111111"
            return [
                refused(accounts.check_code, world.office, PHONE, wrong, mark=mark, **more).reason.code
                for _ in range(5)
            ]

        world.wait(minutes=20)
        assert tries("a new one") == ["code_expired"] * 5
        assert tries("usual", browser=browser) == ["code_wrong"] * 4 + ["code_expired"]
        stranger = with_account(world.office, "somebody else", "")
        assert tries("a stranger's", browser=stranger) == ["code_expired"] * 5
        accounts.send_code(world.office, PHONE, mark="the owner's new one")
        assert accounts.check_code(world.office, PHONE, code_in(world), mark="the owner's new one")
        world.wait(days=1, hours=2)
        assert tries("the day after") == ["code_wrong"] * 4 + ["code_expired"]

    def test_a_code_is_guessed_with_less_than_one_in_a_thousand_a_day(self, world: World) -> None:
        """As many browsers and addresses as one likes: what bounds them is the number."""
        heard = guess_all_day(world, timedelta(days=1))
        assert 100 < heard < 1000
        assert heard / 10**6 < 1e-3

    def test_ten_minutes(self, world: World) -> None:
        accounts.send_code(world.office, PHONE)
        world.wait(minutes=10)
        assert refused(accounts.check_code, world.office, PHONE, code_in(world)).reason.code == "code_expired"

    def test_another_code_waits_longer_each_time_and_voids_the_one_before(self, world: World) -> None:
        accounts.send_code(world.office, PHONE)
        first = code_in(world)
        world.wait(seconds=29)
        assert refused(accounts.send_code, world.office, PHONE).reason.facts["wait"] == 2
        world.wait(seconds=1)
        assert accounts.send_code(world.office, PHONE).wait_seconds == 60
        second = code_in(world)
        assert first == second or refused(accounts.check_code, world.office, PHONE, first).reason.code == "code_wrong"
        world.wait(seconds=60)
        assert accounts.send_code(world.office, PHONE).wait_seconds == 300

    def test_an_unknown_number_hears_the_same_as_a_known_one(self, world: World) -> None:
        signed_in(world)
        stranger = "+22890998877"
        world.wait(hours=2)
        assert (
            accounts.send_code(world.office, PHONE).wait_seconds
            == accounts.send_code(world.office, stranger).wait_seconds
        )
        unsent = refused(accounts.check_code, world.office, "+22890555555", "123456").reason
        assert unsent.code == "code_expired"

    @pytest.mark.parametrize("raw", ["", "12", "abc", "9" * 60, "+22890"])
    def test_what_is_no_number(self, world: World, raw: str) -> None:
        assert refused(accounts.send_code, world.office, raw).reason.code == "phone_format"

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"])
    def test_what_is_no_code(self, world: World, code: str) -> None:
        assert refused(accounts.check_code, world.office, PHONE, code).reason.code == "code_format"


class TestSessions:
    def test_half_an_hour_idle_and_it_is_over(self, world: World) -> None:
        token = signed_in(world).token
        world.wait(minutes=29)
        assert sessions.actor_of(world.office, token)
        world.wait(minutes=29)
        assert sessions.actor_of(world.office, token)
        world.wait(minutes=30)
        assert sessions.actor_of(world.office, token) is None

    def test_twelve_hours_whatever_happens(self, world: World) -> None:
        token = signed_in(world).token
        for _ in range(35):
            world.wait(minutes=20)
            assert sessions.actor_of(world.office, token)
        world.wait(minutes=20)
        assert sessions.actor_of(world.office, token) is None

    def test_a_phone_of_ones_own_stays_thirty_days(self, world: World) -> None:
        token = signed_in(world, keep=True).token
        world.wait(days=29)
        assert sessions.actor_of(world.office, token)
        world.wait(days=1)
        assert sessions.actor_of(world.office, token) is None

    def test_out_is_out(self, world: World) -> None:
        token = signed_in(world).token
        sessions.sign_out(world.office, token)
        assert sessions.actor_of(world.office, token) is None

    def test_one_may_end_any_of_ones_own_and_only_these(self, world: World) -> None:
        here = signed_in(world)
        world.wait(minutes=2)
        there = signed_in(world)
        assert len(sessions.sessions_of(world.office, here.actor)) == 2
        stranger = world.applicant("+22890998877")
        sessions.sign_out_of(world.office, stranger, sessions.sessions_of(world.office, here.actor)[0].token_sha256)
        assert sessions.actor_of(world.office, there.token)
        assert sessions.sign_out_elsewhere(world.office, here.actor, here.token) == 1
        assert sessions.actor_of(world.office, there.token) is None
        assert sessions.actor_of(world.office, here.token)

    @pytest.mark.parametrize("token", ["", "x", "é" * 400])
    def test_a_made_up_token_is_nobody(self, world: World, token: str) -> None:
        assert sessions.actor_of(world.office, token) is None
