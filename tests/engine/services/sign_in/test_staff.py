"""The door of agents and controllers: a password, one's own password, a second factor; what is taken once is not taken twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from math import log2
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher

from engine.core.problems import Refusal, Refused
from engine.records.dossier import SYSTEM_ACTOR, Account
from engine.services.accounts import agents as people
from engine.services.accounts.agents import Person
from engine.services.sign_in import agent_sign_in as staff
from engine.services.sign_in import second_factor
from engine.services.sign_in.agent_sign_in import Halfway
from engine.services.sign_in.sessions import SignedIn, actor_of
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.services.world import World, a_world
from tests.postgres import an_empty_store

PASSWORD = "un mot de passe"
DIGEST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)  # cheap, as all in tests
ADMINISTRATOR = Account("a1", "agent", "A. Mensah", "mensah", DIGEST, ("dgdn/controleur",))
AUDITOR = replace(ADMINISTRATOR, id="c1", kind="auditor", login="cour", roles=())


def refused(act: object, *given: object, **more: object) -> Refusal:
    with pytest.raises(Refused) as closed:
        act(*given, **more)  # type: ignore[operator]
    return closed.value.reason


def known(world: World, account: Account) -> Account:
    with world.office.store.unit(write=True) as unit:
        unit.put_account(account)
    return account


def halfway(world: World, account: Account = ADMINISTRATOR, password: str = PASSWORD) -> Halfway:
    found = staff.sign_in(world.office, account.kind, account.login, password)  # type: ignore[arg-type]
    assert isinstance(found, Halfway)
    return found


def code(world: World, key: str, **later: float) -> str:
    return pyotp.TOTP(key).at(world.office.now() + timedelta(**later))


def enrolled(world: World, account: Account = ADMINISTRATOR) -> tuple[str, tuple[str, ...]]:
    """The key in somebody's telephone, and their recovery codes."""
    ticket = halfway(world, known(world, account)).ticket
    kind: staff.Kind = account.kind  # type: ignore[assignment]
    key = staff.enrolment(world.office, kind, ticket).key
    done = staff.enrol(world.office, kind, ticket, code(world, key))
    assert actor_of(world.office, done.signed.token) == done.signed.actor
    world.wait(seconds=60)
    return key, done.recovery


def one_factor(world: World) -> World:
    world.office = replace(world.office, settings=replace(world.office.settings, second_factor=False))
    return world


class TestPasswords:
    def test_the_right_one_lets_in_where_one_factor_is_enough(self, world: World) -> None:
        known(one_factor(world), ADMINISTRATOR)
        found = staff.sign_in(world.office, "agent", " mensah ", PASSWORD)
        assert isinstance(found, SignedIn)
        assert found.actor.roles == {"dgdn/controleur"}

    @pytest.mark.parametrize(
        ("kind", "login", "password"),
        [("agent", "mensah", "autre"), ("agent", "personne", "autre"), ("auditor", "mensah", PASSWORD)],
    )
    def test_every_wrong_one_hears_the_same(self, world: World, kind: staff.Kind, login: str, password: str) -> None:
        known(world, ADMINISTRATOR)
        closed = refused(staff.sign_in, world.office, kind, login, password)
        assert (closed.code, dict(closed.facts)) == ("sign_in_wrong", {})

    @pytest.mark.parametrize("change", [{"disabled": True}, {"until": "yesterday"}])
    def test_a_closed_account_is_out_at_its_next_request(self, world: World, change: dict[str, object]) -> None:
        known(one_factor(world), ADMINISTRATOR)
        found = staff.sign_in(world.office, "agent", "mensah", PASSWORD)
        assert isinstance(found, SignedIn)
        if "until" in change:
            change = {"until": world.office.day() - timedelta(days=1)}
        known(world, replace(ADMINISTRATOR, **change))  # by another server, as well
        assert actor_of(world.office, found.token) is None
        assert refused(staff.sign_in, world.office, "agent", "mensah", PASSWORD).code == "sign_in_wrong"

    def test_a_role_ends_with_its_day_and_nothing_else_changes(self, world: World) -> None:
        today = world.office.day()
        ending = replace(ADMINISTRATOR, roles=("dgdn/controleur", "dgdn/guichet"), ends={"dgdn/guichet": today})
        known(one_factor(world), ending)
        found = staff.sign_in(world.office, "agent", "mensah", PASSWORD)
        assert isinstance(found, SignedIn)
        assert found.actor.roles == {"dgdn/controleur", "dgdn/guichet"}
        world.wait(days=1)
        again = staff.sign_in(world.office, "agent", "mensah", PASSWORD)
        assert isinstance(again, SignedIn)
        assert again.actor.roles == {"dgdn/controleur"}


class TestOnesOwnPassword:
    def given(self, world: World) -> people.Given:
        return people.add_person(
            world.office, SYSTEM_ACTOR, "agent", "mensah", Person("A. Mensah", {"dgdn/controleur": None})
        )

    def test_a_password_chosen_by_another_is_replaced_before_anything_else(self, world: World) -> None:
        given = self.given(one_factor(world))
        first = halfway(world, given.account, given.password)
        assert first.wants == "password"
        found = staff.choose_password(world.office, "agent", first.ticket, "quatre mots sans suite")
        assert isinstance(found, SignedIn)
        assert staff.sign_in(world.office, "agent", "mensah", "quatre mots sans suite")
        assert refused(staff.sign_in, world.office, "agent", "mensah", given.password).code == "sign_in_wrong"
        assert staff.wanted_of(world.office, "agent", first.ticket) is None, "a ticket serves once"

    def test_then_the_second_factor(self, world: World) -> None:
        given = self.given(world)
        first = halfway(world, given.account, given.password)
        then = staff.choose_password(world.office, "agent", first.ticket, "quatre mots sans suite")
        assert isinstance(then, Halfway)
        assert then.wants == "enrolment"

    @pytest.mark.parametrize(
        ("chosen", "why"),
        [
            ("court", "password_short"),
            ("aaaaaaaaaaaa", "password_plain"),
            ("je suis mensah ici", "password_plain"),
            ("1q2w3e4r5t", "password_plain"),  # broken sites let it out
            ("Basketball", "password_plain"),
            ("Guichet-Togo-2026", "password_plain"),
            ("localhost2026", "password_plain"),  # the name of the site
        ],
    )
    def test_what_is_no_password(self, world: World, chosen: str, why: str) -> None:
        given = self.given(world)
        ticket = halfway(world, given.account, given.password).ticket
        assert refused(staff.choose_password, world.office, "agent", ticket, chosen).code == why
        assert refused(staff.choose_password, world.office, "agent", ticket, given.password).code == "password_plain"

    @pytest.mark.parametrize(
        "chosen",
        [
            "¡¿«»§¶…†‡•",
            "QUATRE MOTS SANS SUITE",
            "un guichet bleu, en mars",
            " deux espaces autour ",
            "ɖeka kple eve " * 250,
        ],
    )
    def test_any_signs_and_as_many_as_one_likes(self, world: World, chosen: str) -> None:
        """As typed to the last sign, and as long as its owner keeps it: no day ends a password."""
        known(one_factor(world), ADMINISTRATOR)
        found = staff.sign_in(world.office, "agent", "mensah", PASSWORD)
        assert isinstance(found, SignedIn)
        staff.change_password(world.office, found.actor, PASSWORD, chosen)
        world.wait(days=5 * 365)
        assert isinstance(staff.sign_in(world.office, "agent", "mensah", chosen), SignedIn)
        for almost in (chosen[:-1], chosen.swapcase(), f"{chosen} "):
            if almost != chosen:
                assert refused(staff.sign_in, world.office, "agent", "mensah", almost).code == "sign_in_wrong"

    def test_changing_ones_own_ends_every_session(self, world: World) -> None:
        known(one_factor(world), ADMINISTRATOR)
        found = staff.sign_in(world.office, "agent", "mensah", PASSWORD)
        assert isinstance(found, SignedIn)
        wrong = refused(staff.change_password, world.office, found.actor, "autre", "quatre mots sans suite")
        assert wrong.code == "sign_in_wrong"
        staff.change_password(world.office, found.actor, PASSWORD, "quatre mots sans suite")
        assert actor_of(world.office, found.token) is None
        assert staff.sign_in(world.office, "agent", "mensah", "quatre mots sans suite")


class TestSecondFactor:
    def test_who_needs_one(self, world: World) -> None:
        invented = replace(ADMINISTRATOR, id="demo-mensah")
        assert second_factor.is_wanted(world.office, ADMINISTRATOR)
        assert second_factor.is_wanted(world.office, AUDITOR)
        assert not second_factor.is_wanted(world.office, invented)
        one_factor(world)
        assert not second_factor.is_wanted(world.office, ADMINISTRATOR)
        assert second_factor.is_wanted(world.office, AUDITOR), "a controller always"

    @pytest.mark.parametrize("account", [ADMINISTRATOR, AUDITOR], ids=["agent", "auditor"])
    def test_enrolled_at_the_first_sign_in_asked_at_the_next(self, world: World, account: Account) -> None:
        key, _ = enrolled(world, account)
        kind: staff.Kind = account.kind  # type: ignore[assignment]
        again = halfway(world, account)
        assert again.wants == "code"
        assert actor_of(world.office, again.ticket) is None, "a ticket is no session"
        found = staff.pass_factor(world.office, kind, again.ticket, f" {code(world, key)} ")
        assert actor_of(world.office, found.token) == found.actor

    def test_who_knows_only_the_password_never_sees_the_key_that_is_enrolled(self, world: World) -> None:
        known(world, ADMINISTRATOR)
        thief, owner = halfway(world).ticket, halfway(world).ticket
        seen, key = (staff.enrolment(world.office, "agent", ticket).key for ticket in (thief, owner))
        assert key == staff.enrolment(world.office, "agent", owner).key, "shown again, it is the same"
        assert refused(staff.enrol, world.office, "agent", owner, code(world, seen)).code == "factor_wrong"
        assert staff.enrol(world.office, "agent", owner, code(world, key))
        world.wait(seconds=60)
        assert refused(staff.pass_factor, world.office, "agent", thief, code(world, seen)).code == "factor_wrong"
        assert refused(staff.enrol, world.office, "agent", thief, code(world, seen)).code == "ticket_over"

    def test_a_code_serves_once(self, world: World) -> None:
        key, _ = enrolled(world)
        once = code(world, key)
        staff.pass_factor(world.office, "agent", halfway(world).ticket, once)
        ticket = halfway(world).ticket
        assert refused(staff.pass_factor, world.office, "agent", ticket, once).code == "factor_wrong"
        world.wait(seconds=30)
        assert refused(staff.pass_factor, world.office, "agent", ticket, once).code == "factor_wrong", (
            "in its drift too"
        )
        assert staff.pass_factor(world.office, "agent", ticket, code(world, key))

    def test_a_clock_half_a_minute_wrong_is_taken_and_no_more(self, world: World) -> None:
        key, _ = enrolled(world)
        ticket = halfway(world).ticket
        assert (
            refused(staff.pass_factor, world.office, "agent", ticket, code(world, key, seconds=90)).code
            == "factor_wrong"
        )
        assert staff.pass_factor(world.office, "agent", ticket, code(world, key, seconds=30))

    def test_a_recovery_code_replaces_the_telephone_once(self, world: World) -> None:
        _, recovery = enrolled(world)
        assert len(set(recovery)) == 10
        assert all(len(one.replace("-", "")) * log2(len(second_factor._SIGNS)) > 112 for one in recovery)
        assert staff.pass_factor(world.office, "agent", halfway(world).ticket, recovery[3].upper().replace("-", " "))
        ticket = halfway(world).ticket
        assert refused(staff.pass_factor, world.office, "agent", ticket, recovery[3]).code == "factor_wrong"
        assert staff.pass_factor(world.office, "agent", ticket, recovery[4])

    def test_new_recovery_codes_void_those_before(self, world: World) -> None:
        key, before = enrolled(world)
        actor = world.office.person(ADMINISTRATOR)
        assert refused(staff.renew_recovery, world.office, actor, "000000").code == "factor_wrong"
        after = staff.renew_recovery(world.office, actor, code(world, key))
        ticket = halfway(world).ticket
        assert refused(staff.pass_factor, world.office, "agent", ticket, before[0]).code == "factor_wrong"
        assert staff.pass_factor(world.office, "agent", ticket, after[0])

    def test_nothing_kept_shows_the_key_or_the_codes(self, world: World) -> None:
        key, recovery = enrolled(world)
        kept = world.read(lambda unit: unit.second_factor(ADMINISTRATOR.id))
        assert key not in kept.key
        assert not set(recovery) & set(kept.recovery)

    def test_a_ticket_is_over_after_a_quarter_of_an_hour_and_is_of_one_door(self, world: World) -> None:
        key, _ = enrolled(world)
        ticket = halfway(world).ticket
        assert staff.wanted_of(world.office, "agent", ticket) == "code"
        assert staff.wanted_of(world.office, "auditor", ticket) is None
        assert staff.wanted_of(world.office, "agent", "made up") is None
        world.wait(minutes=15)
        assert refused(staff.pass_factor, world.office, "agent", ticket, code(world, key)).code == "ticket_over"

    def test_an_enrolment_cannot_be_begun_again_by_who_has_the_password_alone(self, world: World) -> None:
        enrolled(world)
        ticket = halfway(world).ticket
        assert refused(staff.enrolment, world.office, "agent", ticket).code == "ticket_over"

    def test_a_password_that_was_lost_leaves_the_second_factor(self, world: World) -> None:
        key, _ = enrolled(world)
        given = people.give_password(world.office, SYSTEM_ACTOR, ADMINISTRATOR.id)
        first = halfway(world, ADMINISTRATOR, given.password)
        then = staff.choose_password(world.office, "agent", first.ticket, "quatre mots sans suite")
        assert isinstance(then, Halfway)
        assert then.wants == "code"
        assert staff.pass_factor(world.office, "agent", then.ticket, code(world, key))

    def test_another_telephone_after_a_reset(self, world: World) -> None:
        before, _ = enrolled(world)
        people.reset_factor(world.office, SYSTEM_ACTOR, ADMINISTRATOR.id)
        ticket = halfway(world).ticket
        assert staff.wanted_of(world.office, "agent", ticket) == "enrolment"
        after = staff.enrolment(world.office, "agent", ticket).key
        assert after != before


@pytest.mark.parametrize(
    "kept",
    [lambda folder: SqliteStore(folder / "kept.db"), lambda folder: an_empty_store()],
    ids=["sqlite", "postgresql"],
)
def test_of_two_who_type_the_same_code_at_once_one_enters(tmp_path: Path, kept: Callable[[Path], Store]) -> None:
    """Somebody looked over a shoulder and is as fast: the store decides, whatever it is."""
    store = kept(tmp_path)
    world = a_world(tmp_path, store)
    key, _ = enrolled(world)
    once, tickets = code(world, key), [halfway(world).ticket for _ in range(4)]

    def enter(ticket: str) -> str:
        try:
            staff.pass_factor(world.office, "agent", ticket, once)
        except Refused as closed:
            return closed.reason.code
        return "entered"

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(enter, tickets))
    store.close()
    assert said == ["entered", "factor_wrong", "factor_wrong", "factor_wrong"]
