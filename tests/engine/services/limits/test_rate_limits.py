"""Wrong passwords and codes: strangers shut no account out, and guessing stays bounded, however many addresses they have."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from engine.core.problems import Refused
from engine.records.dossier import SYSTEM_ACTOR, Account
from engine.services.accounts import agents as people
from engine.services.keys.signing_keys import SigningKeys
from engine.services.limits.guesses import (
    DAY,
    GROWING,
    MOST_TAGS,
    browser_key,
    count_wrong,
    is_known,
    limits_of,
    shut,
    with_account,
)
from engine.services.sign_in import agent_sign_in as staff
from engine.services.sign_in import second_factor
from engine.services.sign_in.agent_sign_in import Halfway
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.services.world import World, a_world
from tests.postgres import an_empty_store

PASSWORD = "quatre mots sans suite"
ADMINISTRATOR = Account("a1", "agent", "A. Mensah", "mensah", PASSWORD, ("dgdn/controleur",))
FACTOR = pyotp.random_base32()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords kept as they are: what is counted here is not how slow a digest is."""
    monkeypatch.setattr(staff, "is_secret", lambda kept, password, **how: bool(kept) and kept == password)
    monkeypatch.setattr(staff, "hash_secret", lambda password: password)
    monkeypatch.setattr(people, "hash_secret", lambda password: password)


def with_factor(world: World, account: Account = ADMINISTRATOR) -> str:
    """Keeps an account that proved a second factor; its only recovery code."""
    with world.office.store.unit(write=True) as unit:
        unit.put_account(account)
        sealed, now = second_factor.sealed_key(world.office), world.office.now()
        code = pyotp.TOTP(second_factor.opened_key(world.office, sealed)).at(now)
        recovery = second_factor.prove(world.office, unit, account.id, sealed, code, now)
    assert recovery
    world.wait(minutes=2)
    return recovery[0]


def code(world: World, account: Account = ADMINISTRATOR) -> str:
    with world.office.store.unit() as unit:
        factor = unit.second_factor(account.id)
    assert factor
    return pyotp.TOTP(world.office.keys.open_text("second factor", factor.key)).at(world.office.now())


def wrong_code(world: World) -> str:
    return f"{(int(code(world)) + 500_000) % 10**6:06d}"


def told(act: Callable[..., object], *given: object, **more: object) -> str:
    """What somebody hears of a try: the code of a refusal, what is still asked, or "in"."""
    try:
        found = act(*given, **more)
    except Refused as closed:
        return closed.reason.code
    return found.wants if isinstance(found, Halfway) else "in"


def tried(world: World, password: str = "autre", login: str = "mensah", client: str = "", browser: str = "") -> str:
    return told(staff.sign_in, world.office, "agent", login, password, client, browser=browser)


def attacked(world: World, addresses: int = 40, each: int = 8, login: str = "mensah") -> Counter[str]:
    """What an attacker with so many addresses hears of wrong passwords."""
    return Counter(
        tried(world, f"guess {address} {n}", login, f"198.51.100.{address}")
        for address in range(addresses)
        for n in range(each)
    )


def one_factor(world: World) -> World:
    world.office = replace(world.office, settings=replace(world.office.settings, second_factor=False))
    return world


# -- counters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pause", "heard", "longest"),
    [
        (timedelta(), 5, timedelta(minutes=6)),
        (timedelta(minutes=2), 10, timedelta(minutes=64)),
        (timedelta(minutes=8), 30, timedelta(hours=26)),
    ],
)
@pytest.mark.parametrize("browser", ["", "usual"])
def test_the_wait_grows(world: World, browser: str, pause: timedelta, heard: int, longest: timedelta) -> None:
    """By somebody who tries again as soon as that is accepted, and pauses meanwhile: the wait after so many tries."""
    limits = limits_of("login:agent:mensah", 1000, client="192.0.2.7", browser=browser)
    waits = []
    with world.office.store.unit(write=True) as unit:
        now = world.office.now()
        for _ in range(heard):
            while (closed := shut(unit, now, limits)) is not None:
                now += timedelta(minutes=int(str(closed.facts["minutes"])))
            count_wrong(unit, now, limits)
            closed = shut(unit, now, limits)
            waits.append(timedelta(minutes=int(str(closed.facts["minutes"]))) if closed else timedelta())
            now += pause
    assert max(waits) == waits[-1] <= longest
    assert waits[-1] > longest / 2


@pytest.mark.parametrize("pause", [timedelta(), timedelta(minutes=1), timedelta(minutes=20)])
def test_a_day_from_one_place_has_thirty_wrong_tries(world: World, pause: timedelta) -> None:
    limits, heard = limits_of("login:agent:mensah", 1000, client="192.0.2.7", browser=""), 0
    with world.office.store.unit(write=True) as unit:
        now = world.office.now()
        end = now + DAY
        while now < end:
            closed = shut(unit, now, limits)
            if closed is None:
                count_wrong(unit, now, limits)
                heard += 1
            now += timedelta(minutes=int(str(closed.facts["minutes"]))) if closed else pause
    assert heard == GROWING[-1][0] == 30


def test_places_are_apart(world: World) -> None:
    places = [("192.0.2.1", ""), ("192.0.2.2", ""), ("192.0.2.1", "usual"), ("192.0.2.1", "another")]
    each = [limits_of("login:agent:mensah", 10, client=client, browser=browser) for client, browser in places]
    with world.office.store.unit(write=True) as unit:

        def closed() -> list[bool]:
            return [shut(unit, world.office.now(), one) is not None for one in each]

        for _ in range(5):
            count_wrong(unit, world.office.now(), each[0])
        assert closed() == [True, False, False, False]
        for _ in range(5):
            count_wrong(unit, world.office.now(), each[1])
        other = limits_of("login:agent:mensah", 10, client="192.0.2.3", browser="")
        assert shut(unit, world.office.now(), other) is not None, "ten, from all addresses together"
        assert closed() == [True, True, False, False]


@pytest.mark.parametrize("login", ["mensah", "mensah@", "mensah@192.0.2.7", "~", "mensah:all", ""])
def test_no_login_falls_out_of_the_count(world: World, login: str) -> None:
    limits = limits_of(f"login:agent:{login}", 10, client="", browser="")
    with world.office.store.unit(write=True) as unit:
        for _ in range(10):
            assert shut(unit, world.office.now(), limits) is None
            count_wrong(unit, world.office.now(), limits)
        assert shut(unit, world.office.now(), limits) is not None


# -- browsers that are known ----------------------------------------------------------------------------------------------


def test_a_browser_is_known_to_the_accounts_that_signed_in_there(world: World) -> None:
    office, browser = world.office, ""
    for account in range(MOST_TAGS + 1):
        browser = with_account(office, f"a{account}", browser)
    assert [is_known(office, f"a{account}", browser) for account in range(MOST_TAGS + 2)] == [
        False, *[True] * MOST_TAGS, False
    ]  # fmt: skip
    again = with_account(office, "a3", browser)
    assert browser_key(again) == browser_key(browser)
    assert sorted(again.split(".")) == sorted(browser.split("."))


def test_what_this_installation_did_not_give_is_not_known(world: World) -> None:
    elsewhere = replace(world.office, keys=SigningKeys.generate())
    given = with_account(world.office, "a1", "")
    mark, tag = given.split(".")
    made_up = [
        "",
        "x",
        f"{mark}.",
        tag,
        f"{mark}.{'0' * 32}",
        f"{'x' * 22}.{tag}",
        f"{given}\n",
        f"{given}.é",
        given * 9,
    ]
    assert [is_known(world.office, "a1", one) for one in made_up] == [False] * len(made_up)
    assert not is_known(world.office, "a1", with_account(elsewhere, "a1", ""))
    assert not is_known(world.office, "", with_account(world.office, "", "")), "an account that does not exist"
    assert is_known(world.office, "a1", given)
    for one in made_up:
        assert is_known(world.office, "a1", with_account(world.office, "a1", one))


# -- passwords ---------------------------------------------------------------------------------------------------------


def test_strangers_do_not_shut_an_agent_out_of_the_usual_browser(world: World) -> None:
    with_factor(world)
    usual = with_account(world.office, ADMINISTRATOR.id, "")
    for _ in range(3):
        attacked(world)
        assert tried(world, PASSWORD, client="198.51.100.1", browser=usual) == "code"
        world.wait(hours=1)
    assert [tried(world, browser=usual) for _ in range(6)] == ["sign_in_wrong"] * 5 + ["both"], "one's own are counted"


def test_the_browser_of_another_account_is_a_strangers(world: World) -> None:
    with_factor(world)
    another = with_account(world.office, "a2", "")
    assert [tried(world, client="192.0.2.1", browser=another) for _ in range(6)] == ["sign_in_wrong"] * 5 + ["both"]


def test_beyond_the_limits_the_password_is_judged_with_the_code(world: World) -> None:
    with_factor(world)
    attacked(world)
    found = staff.sign_in(world.office, "agent", "mensah", PASSWORD, "203.0.113.9")
    assert isinstance(found, Halfway)
    assert (found.wants, staff.wanted_of(world.office, "agent", found.ticket)) == ("both", "both")
    assert staff.wanted_of(world.office, "auditor", found.ticket) is None
    for other in (staff.enrolment, lambda *given: staff.choose_password(*given, "un autre mot de passe")):
        assert told(other, world.office, "agent", found.ticket) == "ticket_over"
    assert told(staff.pass_factor, world.office, "agent", found.ticket, code(world)) == "ticket_over"
    assert told(staff.pass_both, world.office, "agent", found.ticket, code(world)) == "in"
    assert told(staff.pass_both, world.office, "agent", found.ticket, code(world)) == "ticket_over", "once"


@pytest.mark.parametrize(
    ("login", "password", "right"),
    [
        ("mensah", "autre", True),
        ("mensah", PASSWORD, False),
        ("mensah", "autre", False),
        ("personne", PASSWORD, True),
        ("personne", PASSWORD, False),
    ],
)
def test_which_of_the_two_is_wrong_is_not_told(world: World, login: str, password: str, right: bool) -> None:
    with_factor(world)
    attacked(world, login=login)
    found = staff.sign_in(world.office, "agent", login, password, "203.0.113.9")
    assert isinstance(found, Halfway)
    typed = code(world) if right else wrong_code(world)
    with pytest.raises(Refused) as closed:
        staff.pass_both(world.office, "agent", found.ticket, typed, client="203.0.113.9")
    assert (closed.value.reason.code, dict(closed.value.reason.facts)) == ("sign_in_wrong", {"why": "both"})
    assert told(staff.pass_both, world.office, "agent", found.ticket, code(world)) == "ticket_over", "one code a ticket"


def test_a_recovery_code_goes_with_the_password_too(world: World) -> None:
    recovery = with_factor(world)
    attacked(world)
    found = staff.sign_in(world.office, "agent", "mensah", PASSWORD)
    assert isinstance(found, Halfway)
    assert told(staff.pass_both, world.office, "agent", found.ticket, recovery) == "in"


def rows(file: Path) -> Counter[str]:
    """What is kept of tries, without the login."""
    with closing(sqlite3.connect(file)) as store:
        found = store.execute("SELECT key, n FROM rate").fetchall()
    kept: Counter[str] = Counter()
    for key, n in found:
        kept[re.sub(r"mensah|personne|parti", "LOGIN", key)] += n
    return kept


@pytest.mark.parametrize("login", ["personne", "parti"])
@pytest.mark.parametrize("factors", [1, 2])
def test_an_unknown_login_and_a_closed_one_hear_the_same_and_leave_the_same(
    tmp_path: Path, login: str, factors: int
) -> None:
    heard, kept = [], []
    for name in ("mensah", login):
        world = a_world(tmp_path, SqliteStore(tmp_path / f"{name}.db"))
        with_factor(world if factors == 2 else one_factor(world))
        with world.office.store.unit(write=True) as unit:
            unit.put_account(replace(ADMINISTRATOR, id="a2", login="parti", disabled=True))
        said = []
        for n in range(200):
            world.wait(seconds=9)
            said.append(tried(world, PASSWORD if name == "parti" else "autre", name, f"192.0.2.{n % 30}"))
        heard.append(said)
        kept.append(rows(tmp_path / f"{name}.db"))
    assert heard[0] == heard[1]
    assert kept[0] == kept[1]
    assert sum(kept[0].values()) > 100


def test_a_password_of_a_login_is_guessed_a_hundred_times_a_day(world: World) -> None:
    """From as many addresses as one likes; then nothing is told of a password alone."""
    with_factor(world)
    heard: Counter[str] = Counter()
    for _ in range(24):
        heard += attacked(world, addresses=30, each=6)
        world.wait(hours=1)
    assert heard["sign_in_wrong"] == staff.PASSWORDS_A_DAY == 100
    assert set(heard) == {"sign_in_wrong", "both"}


def test_a_code_of_an_application_is_guessed_with_less_than_one_in_a_thousand_a_day() -> None:
    at_once = 2 * second_factor.DRIFT + 1
    assert staff.CODES_A_DAY * at_once / 10**6 <= 1e-3


@pytest.mark.parametrize(
    "kept",
    [lambda folder: SqliteStore(folder / "kept.db"), lambda folder: an_empty_store()],
    ids=["sqlite", "postgresql"],
)
def test_tries_at_the_same_moment_go_around_no_limit(tmp_path: Path, kept: Callable[[Path], Store]) -> None:
    world = a_world(tmp_path, kept(tmp_path))
    with_factor(world)
    with ThreadPoolExecutor(8) as several:
        heard = Counter(several.map(lambda n: tried(world, f"guess {n}", client="192.0.2.1"), range(24)))
    assert heard == {"sign_in_wrong": 5, "both": 19}


def test_where_one_factor_is_enough_a_new_browser_waits_and_is_told_until_when(world: World) -> None:
    with world.office.store.unit(write=True) as unit:
        unit.put_account(ADMINISTRATOR)
    one_factor(world)
    usual = with_account(world.office, ADMINISTRATOR.id, "")
    assert [tried(world, client="192.0.2.1") for _ in range(5)] == ["sign_in_wrong"] * 5
    with pytest.raises(Refused) as closed:
        staff.sign_in(world.office, "agent", "mensah", PASSWORD, "192.0.2.1")
    assert closed.value.reason.code == "too_many_tries"
    assert tried(world, PASSWORD, client="192.0.2.2") == "in", "who knocks elsewhere is no matter here"
    assert tried(world, PASSWORD, client="192.0.2.1", browser=usual) == "in"
    world.wait(minutes=int(str(closed.value.reason.facts["minutes"])))
    assert tried(world, PASSWORD, client="192.0.2.1") == "in"


def test_a_password_that_the_machine_drew_is_always_heard(world: World) -> None:
    """The way back for who has no code and no usual browser: an administrator gives a new password."""
    with world.office.store.unit(write=True) as unit:
        unit.put_account(ADMINISTRATOR)
    for several in (world, one_factor(world)):
        attacked(several)
        given = people.give_password(several.office, SYSTEM_ACTOR, ADMINISTRATOR.id).password
        assert tried(several, PASSWORD, client="203.0.113.9") in ("both", "too_many_tries")
        assert tried(several, given, client="203.0.113.9") == "password"


def test_right_passwords_are_not_counted(world: World) -> None:
    with world.office.store.unit(write=True) as unit:
        unit.put_account(ADMINISTRATOR)
    one_factor(world)
    assert {tried(world, PASSWORD, client="192.0.2.1") for _ in range(150)} == {"in"}


def test_one_address_sends_so_many_passwords_and_usual_browsers_are_not_among_them(world: World) -> None:
    with_factor(world)
    usual = with_account(world.office, ADMINISTRATOR.id, "")
    for n in range(staff.POSTS_PER_CLIENT):
        tried(world, login=f"l{n}", client="192.0.2.1")
    assert tried(world, PASSWORD, client="192.0.2.1") == "too_many_tries"
    assert tried(world, PASSWORD, client="192.0.2.1", browser=usual) == "code"
    assert tried(world, PASSWORD, client="192.0.2.2") == "code"


def test_a_usual_browser_sends_as_many_and_takes_none_of_others(world: World) -> None:
    """A holder of it would hold the place that checks keep for such browsers."""
    with_factor(world)
    usual, other = (with_account(world.office, ADMINISTRATOR.id, "") for _ in range(2))
    said = [tried(world, client="192.0.2.1", browser=usual) for _ in range(staff.POSTS_PER_CLIENT + 1)]
    assert said[-2:] == ["both", "too_many_tries"]
    assert tried(world, PASSWORD, client="192.0.2.1", browser=other) == "code"
    assert tried(world, PASSWORD, client="192.0.2.1") == "code"


def test_a_ticket_of_before_a_new_password_is_over(world: World) -> None:
    with_factor(world)
    before = staff.sign_in(world.office, "agent", "mensah", PASSWORD)
    attacked(world)
    unjudged = staff.sign_in(world.office, "agent", "mensah", PASSWORD, "203.0.113.9")
    assert isinstance(before, Halfway)
    assert isinstance(unjudged, Halfway)
    people.give_password(world.office, SYSTEM_ACTOR, ADMINISTRATOR.id)
    assert staff.wanted_of(world.office, "agent", before.ticket) is None
    assert told(staff.pass_both, world.office, "agent", unjudged.ticket, code(world)) == "sign_in_wrong"


# -- second factors, one's own keys ---------------------------------------------------------------------------------------


def coded(world: World, typed: str, client: str = "", browser: str = "") -> str:
    ticket = staff.sign_in(world.office, "agent", "mensah", PASSWORD, client, browser=browser)
    assert isinstance(ticket, Halfway)
    act = staff.pass_both if ticket.wants == "both" else staff.pass_factor
    return told(act, world.office, "agent", ticket.ticket, typed, client=client, browser=browser)


def test_who_knows_the_password_does_not_shut_its_owner_out(world: World) -> None:
    recovery = with_factor(world)
    usual = with_account(world.office, ADMINISTRATOR.id, "")
    heard = Counter(coded(world, wrong_code(world), f"198.51.100.{address}") for address in range(30) for _ in range(6))
    assert heard["factor_wrong"] == staff.CODES_A_DAY
    assert coded(world, code(world), "203.0.113.9") == "too_many_tries"
    assert coded(world, recovery.upper(), "203.0.113.9") == "in"
    assert coded(world, code(world), "203.0.113.9", usual) == "in"


def test_who_knows_the_password_guesses_no_more_codes_when_both_are_judged(world: World) -> None:
    """Beyond `CODES_A_DAY` a code of the application is heard no more, and the answer stays the same."""
    recovery = with_factor(world)
    attacked(world)
    for address in range(30):
        for _ in range(6):
            assert coded(world, wrong_code(world), f"198.51.100.{address}") == "sign_in_wrong"
    assert coded(world, code(world), "203.0.113.9") == "sign_in_wrong"
    assert coded(world, recovery, "203.0.113.9") == "in"


def test_wrong_passwords_use_up_none_of_the_codes(world: World) -> None:
    with_factor(world)
    attacked(world)
    for n in range(150):
        ticket = staff.sign_in(world.office, "agent", "mensah", "autre", f"198.51.100.{n % 50}")
        assert isinstance(ticket, Halfway)
        told(staff.pass_both, world.office, "agent", ticket.ticket, "000000", client="192.0.2.1")
    assert coded(world, code(world), "192.0.2.1") == "in"


def test_ones_own_password_is_tried_apart_in_ones_own_browser(world: World) -> None:
    """A session that was stolen and carried elsewhere uses up nothing of what its owner may try."""
    with_factor(world)
    actor, usual = world.office.person(ADMINISTRATOR), with_account(world.office, ADMINISTRATOR.id, "")

    def changed(before: str, browser: str = "") -> str:
        return told(staff.change_password, world.office, actor, before, "un autre mot de passe", "192.0.2.1", browser)

    assert [changed("autre") for _ in range(6)] == ["sign_in_wrong"] * 5 + ["too_many_tries"]
    assert changed(PASSWORD) == "too_many_tries"
    assert changed(PASSWORD, usual) == "in"


def test_new_recovery_codes_are_asked_for_apart_in_ones_own_browser(world: World) -> None:
    with_factor(world)
    actor, usual = world.office.person(ADMINISTRATOR), with_account(world.office, ADMINISTRATOR.id, "")

    def renewed(typed: str, browser: str = "") -> str:
        return told(staff.renew_recovery, world.office, actor, typed, "192.0.2.1", browser)

    assert [renewed(wrong_code(world)) for _ in range(6)] == ["factor_wrong"] * 5 + ["too_many_tries"]
    assert renewed(code(world), usual) == "in"
    assert coded(world, wrong_code(world), "192.0.2.1") == "factor_wrong", "signing in is counted apart"
