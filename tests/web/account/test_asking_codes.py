"""Who gets a code, and who is slowed: people and scripts behind one trusted proxy of the server that ships, over sockets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.domain.common.sms_policy import SmsPolicy
from engine.services.limits import code_limits
from engine.services.limits.code_limits import AGAIN_PER_ADDRESS, FIRST_PER_ADDRESS, PER_BROWSER
from server import Settings, create_app
from tests.engine.services.world import PHONE, World, a_world
from tests.faults.people import _CSRF, Answer, Browser
from tests.race_runners import together
from tests.web.socket_server import fronting

pytestmark = pytest.mark.slow  # a whole site, and hundreds of people

OPERATOR = "196.170.0.1"  # an address behind which a mobile operator puts thousands of people


@dataclass
class Door:
    """A served site, and the clock of its office."""

    world: World
    port: int

    def person(self, address: str = OPERATOR, **cookies: str) -> Browser:
        return Browser([self.port], dict(cookies), headers={"X-Forwarded-For": address, "Accept": "*/*"})

    def codes(self, phone: str) -> list[str]:
        with self.world.office.store.unit() as unit:
            bodies = [letter.body for letter in unit.letters_to(phone)]
        return [code for body in bodies for code in re.findall(r"\b\d{6}\b", body)]

    def asked(self, browser: Browser, phone: str) -> Answer:
        """The number typed on the page, as a browser does."""
        token = _CSRF.search(browser.open("/connexion").text)
        assert token is not None
        form = f"phone={phone.replace('+', '%2B')}&csrf_token={token[1]}"
        return browser.once("POST", "/connexion", form.encode(), "application/x-www-form-urlencoded")

    def signed_in(self, browser: Browser, phone: str) -> Browser:
        assert self.asked(browser, phone).address == "/connexion/code"
        token = _CSRF.search(browser.open("/connexion/code").text)
        assert token is not None
        form = f"code={self.codes(phone)[0]}&csrf_token={token[1]}"
        answer = browser.once("POST", "/connexion/code", form.encode(), "application/x-www-form-urlencoded")
        assert (answer.status, answer.address) == (303, "/dossiers")
        return browser


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)


@pytest.fixture
def door(world: World, tmp_path: Path) -> Iterator[Door]:
    settings = Settings(data=tmp_path, proxies=1)
    with fronting(create_app(settings, world.office, world.operator)) as port:
        yield Door(world, port)


def number(n: int) -> str:
    return f"+228901{n:05d}"


def test_45_people_at_45_addresses_get_45_codes_at_once(door: Door) -> None:
    answers = together(45, lambda n: door.asked(door.person(f"196.170.1.{n}"), number(n)).address)
    assert answers == ["/connexion/code"] * 45
    assert [len(door.codes(number(n))) for n in range(45)] == [1] * 45


def test_300_people_behind_one_address_each_get_a_code_within_ten_minutes(door: Door) -> None:
    for n in range(300):
        answer = door.asked(door.person(), number(n))
        assert (answer.status, answer.address) == (303, "/connexion/code"), n
        door.world.wait(seconds=2)
    assert all(len(door.codes(number(n))) == 1 for n in range(300))


def test_300_people_behind_one_address_at_the_same_moment(door: Door) -> None:
    def crowd(group: int) -> list[str]:
        return [door.asked(door.person(), number(n)).address for n in range(group, 300, 6)]

    assert [one for group in together(6, crowd) for one in group] == ["/connexion/code"] * 300
    assert all(len(door.codes(number(n))) == 1 for n in range(300))


def test_a_browser_that_hammers_is_slowed_and_nobody_else(door: Door) -> None:
    script = door.person()
    statuses = [door.asked(script, number(n)).status for n in range(40)]
    assert statuses == [303] * (1 + PER_BROWSER) + [429] * (39 - PER_BROWSER)
    answer = door.asked(script, number(50))
    assert 60 <= int(answer.headers["retry-after"]) <= 16 * 60
    assert door.asked(door.person(), number(60)).status == 303
    door.world.wait(seconds=int(answer.headers["retry-after"]))
    assert door.asked(script, number(61)).status == 303


def test_a_number_is_not_flooded_by_one_browser(door: Door) -> None:
    script = door.person()
    for _ in range(60):
        assert door.asked(script, PHONE).address == "/connexion/code"  # the page says how long to wait
        door.world.wait(seconds=10)
    assert len(door.codes(PHONE)) <= 4


def test_a_script_that_drops_its_cookies_is_bounded_and_shuts_out_nobody_who_was_there(door: Door) -> None:
    owner, visitor, replayed = door.signed_in(door.person(), PHONE), door.person(), door.person()
    assert door.asked(visitor, number(1)).status == 303
    door.world.wait(minutes=1)
    token = _CSRF.search(replayed.open("/connexion").text)
    assert token is not None
    cookies = dict(replayed.cookies)
    most, _ = FIRST_PER_ADDRESS[0]
    statuses: Counter[int] = Counter()
    for n in range(most + 40):
        replayed.cookies = dict(cookies)  # as it was before it was served
        form = f"phone=%2B228902{n:05d}&csrf_token={token[1]}"
        kind = "application/x-www-form-urlencoded"
        statuses[replayed.once("POST", "/connexion", form.encode(), kind).status] += 1
    assert statuses == {303: most - 2, 429: 42}
    assert door.asked(owner, PHONE).status == 303, "who signed in before"
    assert door.asked(visitor, number(2)).status == 303, "who was served before"
    assert door.asked(door.person("196.170.9.9"), number(3)).status == 303, "who comes from elsewhere"
    door.world.wait(minutes=11)
    assert door.asked(door.person(), number(4)).status == 303


def test_an_ipv6_client_is_one_whatever_address_of_its_line_it_uses(door: Door) -> None:
    statuses = Counter(door.asked(door.person(f"2001:db8:1:2::{n:x}"), PHONE).status for n in range(12))
    assert statuses == {303: 4, 429: 8}, "half of what a number gets, from one line"
    assert door.asked(door.person("2001:db8:1:3::1"), PHONE).status == 429, "one customer may have a whole /48"
    assert door.asked(door.person("2001:db8:1:3::1"), number(9)).status == 303, "of another number"
    assert door.asked(door.person("2001:db8:2:3::1"), PHONE).status == 303


def test_who_asks_for_the_codes_of_a_number_keeps_its_owner_from_nothing(door: Door) -> None:
    owner = door.signed_in(door.person(), PHONE)
    door.world.wait(minutes=20)
    statuses = [door.asked(door.person(f"198.51.100.{n}"), PHONE).status for n in range(12)]
    assert statuses == [303] * 8 + [429] * 4
    before = len(door.codes(PHONE))
    assert door.asked(owner, PHONE).address == "/connexion/code"
    assert len(door.codes(PHONE)) == before + 1
    day = sum(
        door.asked(door.person(f"203.0.113.{n}"), PHONE).status == 303
        for n in range(100)
        if door.world.wait(minutes=15) is None
    )
    assert day < 60, "a telephone does not ring all day"


def test_signing_out_does_not_make_a_browser_a_new_one(door: Door) -> None:
    script = door.signed_in(door.person(), PHONE)
    for n in range(PER_BROWSER):
        door.asked(script, number(n))
    token = _CSRF.search(script.open("/deconnexion").text)
    assert token is not None
    kind = "application/x-www-form-urlencoded"
    script.once("POST", "/deconnexion", f"csrf_token={token[1]}".encode(), kind)
    assert door.asked(script, number(70)).status == 303
    statuses = [door.asked(script, number(80 + n)).status for n in range(PER_BROWSER)]
    assert statuses[-1] == 429


# -- toll fraud --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "said"),
    [
        ("+33612345678", "vers le pays de ce numéro"),  # France
        ("+37128912345", "vers le pays de ce numéro"),  # Latvia
        ("+881612345678", "ne reçoit pas de SMS"),  # satellites
        ("+8823421234", "ne reçoit pas de SMS"),
        ("+979123456789", "ne reçoit pas de SMS"),  # premium rate of no country
        ("+878101234567890", "ne reçoit pas de SMS"),  # a personal number of no country
        ("+447012345678", "ne reçoit pas de SMS"),  # personal, United Kingdom
        ("+33891123456", "ne reçoit pas de SMS"),  # premium rate, France
        ("+22708123456", "ne reçoit pas de SMS"),  # toll-free, Niger
        ("+22709123456", "ne reçoit pas de SMS"),  # premium rate, Niger
        ("+2347001234567", "ne reçoit pas de SMS"),  # a company, Nigeria
    ],
)
def test_where_no_sms_goes_is_said_with_what_to_do(door: Door, phone: str, said: str) -> None:
    answer = door.asked(door.person(), phone)
    assert answer.status == 422
    assert said in answer.text
    assert 'href="/connexion/courriel"' in answer.text
    assert door.codes(phone) == []


@pytest.mark.parametrize("phone", ["+22890112233", "+2290195123456", "+233231234567", "+22670123456", "+22793123456",
                                   "+2348021234567", "+2250123456789"])  # fmt: skip
def test_the_country_and_its_neighbours_get_codes(door: Door, phone: str) -> None:
    assert door.asked(door.person(), phone).status == 303
    assert len(door.codes(phone)) == 1


def test_the_bound_slows_new_numbers_only_and_is_told(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy = SmsPolicy(new_an_hour=20)
    office = replace(world.office, settings=replace(world.office.settings, sms=policy))
    settings = Settings(data=tmp_path, proxies=1, metrics_from=("127.0.0.1",))
    with fronting(create_app(settings, office, world.operator)) as port:
        door = Door(world, port)
        known = door.signed_in(door.person(), PHONE)
        world.sent(owner=world.applicant(number(99)))
        world.wait(minutes=20)
        abroad = [door.asked(door.person(f"198.51.100.{n}"), f"+229019512{n:04d}").status for n in range(4)]
        assert abroad == [303, 303, 429, 429], "a tenth for a country abroad"
        home = [door.asked(door.person(f"192.0.2.{n}"), number(n)).status for n in range(30)]
        assert home == [303] * 17 + [429] * 13, "with the two abroad and the one of before"
        shut = door.asked(door.person(), number(40))
        assert (shut.status, "Beaucoup de codes partent" in shut.text) == (429, True)
        assert int(shut.headers["retry-after"]) > 0
        assert door.asked(known, PHONE).status == 303, "in the browser of before"
        assert door.asked(door.person("203.0.113.1"), PHONE).status == 303, "in another"
        assert door.asked(door.person("203.0.113.2"), number(99)).status == 303, "who has a dossier"
        told = [one.getMessage() for one in caplog.records if one.name == "guichet.sms"]
        assert told == [f"the bound on codes to new numbers is reached: {place}" for place in ("BJ", "all")]
        figures = Browser([port], {}).open("/metrics").text
        assert 'guichet_sms_new_numbers{country="all"} 20.0' in figures
        assert 'guichet_sms_new_numbers{country="BJ"} 2.0' in figures
        assert 'guichet_sms_new_numbers_most{country="BJ"} 2.0' in figures
        world.wait(hours=1, minutes=5)
        assert door.asked(door.person(), number(41)).status == 303


def test_an_invitation_makes_no_number_known(door: Door) -> None:
    """It makes an account: the number is a new one until somebody signs in with it."""
    door.world.applicant(number(7))
    for n in range(6, 8):
        assert door.asked(door.person(), number(n)).status == 303
    policy = SmsPolicy()
    with door.world.office.store.unit() as unit:
        assert code_limits.new_numbers(policy, unit, door.world.office.now())["TG"] == (2, policy.most("TG"))


def test_one_address_alone_never_reaches_the_bound_of_all() -> None:
    (first, hour), (again, same) = FIRST_PER_ADDRESS[-1], AGAIN_PER_ADDRESS
    assert hour == same == timedelta(hours=1)
    assert first + again < SmsPolicy().new_an_hour
