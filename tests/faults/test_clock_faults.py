"""The clock of the machine is set forward, back and right again, under a worker. On both stores.

A wrong clock erases and decides nothing. What was written under it locks no one out and keeps no session open. Then the mutants.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.operations import doctor_store as checkup
from engine.records.dossier import Dossier
from engine.records.people import SecondFactor
from engine.services.audit.integrity import fsck
from engine.services.payments import payments as cashier
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in import second_factor
from engine.services.sign_in.mail_links import refusal_for_link, send_link
from engine.services.sign_in.sessions import actor_of, open_session
from engine.services.worker import clock_watch
from engine.services.worker.clock_watch import PROOF, guarded_pass
from engine.services.worker.worker import LEASE, run_pass
from engine.storage.sql.clock import ClockQueries
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests import worker
from tests.engine.services.world import PHONE, World
from tests.faults.concurrency import MARKET, a_market, mayor, sent
from tests.postgres import an_empty_store

pytestmark = [pytest.mark.slow, pytest.mark.faults]
TEN_YEARS = timedelta(days=3650)
ASKS = "+22890000009"  # who pays from it confirms on the operator's own page


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield one
    one.close()


def proven(world: World) -> None:
    """The worker is there as long as it takes: its clock is trusted."""
    for hours in range(0, int(PROOF / timedelta(hours=1)) + 6, 6):
        world.wait(hours=6 if hours else 0)
        guarded_pass(world.office)
    assert clock_watch.watch_clock(world.office).erases


def people_of(world: World) -> tuple[Dossier, Dossier, Dossier]:
    """A request that is closed and kept for two years, one that waits for its payment, a draft."""
    closed, waiting = sent(world, 2)
    agent = mayor(world)
    closed = world.take(closed, agent, "accorder")
    world.wait(days=31)
    run_pass(world.office)
    assert world.kept(closed).closed_at is not None
    return closed, world.take(waiting, agent, "accorder"), world.draft(MARKET, world.applicant("+22890999999"))


def lost(world: World, *dossiers: Dossier) -> list[str]:
    """What a clock that was wrong decided or erased."""
    before = {one.id: (one.state, one.closed_at is not None, len(one.answers)) for one in dossiers}
    now = {one.id: world.kept(one) for one in dossiers}
    return [
        f"{one.state}: {before[one.id]} became {found}"
        for one in dossiers
        if (found := (now[one.id].state, now[one.id].closed_at is not None, len(now[one.id].answers))) != before[one.id]
    ]


def leap(world: World, by: timedelta = TEN_YEARS) -> None:
    """The clock goes ahead for two days, the worker being there, then is set right."""
    world.clock.advance(by)
    for _ in range(8):
        guarded_pass(world.office)
        world.wait(hours=6)
    world.clock.advance(-by)
    guarded_pass(world.office)


def test_ten_years_ahead_for_two_days_erase_and_decide_nothing(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    closed, waiting, draft = people_of(world)
    closed = world.kept(closed)
    proven(world)
    leap(world)
    assert lost(world, closed, waiting, draft) == []
    assert list(fsck(world.office)) == []


def test_two_weeks_ahead_erase_nothing(tmp_path: Path, store: Store) -> None:
    """Less than an outage may last: due dates fall, as after one, but nothing is erased."""
    world = a_market(tmp_path, store)
    draft = world.draft(MARKET)
    proven(world)
    world.wait(days=20)
    guarded_pass(world.office)
    proven(world)
    leap(world, timedelta(days=14))
    assert lost(world, draft) == []


def test_steps_that_follow_one_another_are_one_step(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    closed, waiting, draft = people_of(world)
    closed = world.kept(closed)
    proven(world)
    for step in (TEN_YEARS, timedelta(days=2), timedelta(days=-1), timedelta(days=3)):
        world.clock.advance(step)
        guarded_pass(world.office)
    assert lost(world, closed, waiting, draft) == []


def test_what_waited_is_done_once_the_clock_is_proven(tmp_path: Path, store: Store) -> None:
    """After a real outage of years too: it is only later."""
    world = a_market(tmp_path, store)
    closed, waiting, draft = people_of(world)
    proven(world)
    world.clock.advance(TEN_YEARS)
    proven(world)
    assert world.kept(closed).erased_at
    assert world.kept(waiting).closed_at
    assert world.kept(draft).closed_at


def test_weeks_off_only_delay_what_erases(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    (waiting,) = sent(world, 1)
    waiting = world.take(waiting, mayor(world), "accorder")
    proven(world)
    world.wait(days=27.9)
    guarded_pass(world.office)
    assert world.kept(waiting).closed_at


@pytest.mark.parametrize("days", [28, 30, 31])
def test_a_month_set_one_too_far_decides_nothing(tmp_path: Path, store: Store, days: int) -> None:
    world = a_market(tmp_path, store)
    (waiting,) = sent(world, 1)
    waiting = world.take(waiting, mayor(world), "accorder")
    proven(world)
    leap(world, timedelta(days=days))
    assert lost(world, waiting) == []


def test_the_log_tells_which_way_the_clock_went(tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    world = a_market(tmp_path, store)
    for step in (timedelta(), timedelta(hours=-1), timedelta(days=2)):
        world.clock.advance(step)
        clock_watch.watch_clock(world.office)
    told = [one.getMessage() for one in caplog.records if "since the last tour" in one.getMessage()]
    assert [one.partition(" since")[0] for one in told] == [
        "the clock went back by 1:00:00", "the clock went forward by 2 days, 0:00:00"
    ]  # fmt: skip


def test_the_doctor_tells_a_step(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    codes = []
    for step in (timedelta(), PROOF - PROOF / 2, TEN_YEARS, -TEN_YEARS):
        world.clock.advance(step)
        watched = clock_watch.watch_clock(world.office)
        codes.append([one.code for one in checkup._steps(watched)])
    assert codes == [[], ["clock_stepped"], ["clock_stepped_far"], ["clock_stepped"]]


# -- written under a wrong clock ---------------------------------------------------------------------------------------


def go_ahead(world: World, by: timedelta) -> None:
    guarded_pass(world.office)
    world.clock.advance(by)
    guarded_pass(world.office)


def set_back(world: World, by: timedelta) -> None:
    world.clock.advance(-by)
    guarded_pass(world.office)


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(days=1), TEN_YEARS], ids=str)
def test_nobody_is_kept_out_by_a_code_asked_under_a_wrong_clock(tmp_path: Path, store: Store, by: timedelta) -> None:
    world = a_market(tmp_path, store)
    go_ahead(world, by)
    accounts.send_code(world.office, PHONE)
    set_back(world, by)
    accounts.send_code(world.office, PHONE)


def test_a_session_and_a_link_of_a_wrong_clock_are_over_with_it(tmp_path: Path, store: Store) -> None:
    """They would open for as long as the clock was wrong."""
    world = a_market(tmp_path, store)
    person = world.applicant()
    go_ahead(world, TEN_YEARS)
    with store.unit(write=True) as unit:
        account = unit.account(person.id)
        assert account is not None
        signed = open_session(world.office, unit, account, world.office.now())
    link = send_link(world.office, "ama@example.tg")
    letter = world.read(lambda unit: unit.letters_to(link.email, 1))[0]
    token = letter.body.rpartition("/")[2].split()[0] if "/" in letter.body else ""
    set_back(world, TEN_YEARS)
    assert actor_of(world.office, signed.token) is None
    assert refusal_for_link(world.office, token, link.mark) == "link_over"


def test_a_session_of_before_goes_on_and_ends_in_its_time(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    person = world.applicant()
    guarded_pass(world.office)
    with store.unit(write=True) as unit:
        account = unit.account(person.id)
        assert account is not None
        signed = open_session(world.office, unit, account, world.office.now())
    go_ahead(world, timedelta(minutes=20))
    assert actor_of(world.office, signed.token)
    set_back(world, timedelta(minutes=20))
    assert actor_of(world.office, signed.token)
    world.wait(minutes=31)
    assert actor_of(world.office, signed.token) is None, "left idle"


def test_an_agent_signs_in_with_the_application_once_the_clock_is_right(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    agent, key = mayor(world), pyotp.random_base32()
    guarded_pass(world.office)

    def signs_in() -> bool:
        with store.unit(write=True) as unit:
            factor = unit.second_factor(agent.id)
            assert factor is not None
            code = pyotp.TOTP(key).at(world.office.now())
            return second_factor.takes(world.office, unit, factor, code, world.office.now())

    with store.unit(write=True) as unit:
        sealed = world.office.keys.seal_text("second factor", key)
        unit.put_second_factor(SecondFactor(agent.id, sealed, since=world.office.now()))
    go_ahead(world, TEN_YEARS)
    assert signs_in()
    set_back(world, TEN_YEARS)
    world.wait(seconds=31)
    assert signs_in()
    assert not signs_in(), "a code serves once"


@pytest.mark.parametrize("by", [timedelta(hours=1), TEN_YEARS], ids=str)
def test_a_letter_lent_under_a_wrong_clock_leaves(tmp_path: Path, store: Store, by: timedelta) -> None:
    world = a_market(tmp_path, store)
    go_ahead(world, by)
    accounts.send_code(world.office, PHONE)
    with store.unit(write=True) as unit:
        assert unit.claim_letters(world.office.now(), world.office.now() + LEASE)  # by a worker that then died
    set_back(world, by)
    assert world.read(lambda unit: unit.letters_to(PHONE, 1))[0].sent_at is not None


def test_a_letter_lent_to_a_worker_whose_clock_differs_by_minutes_stays_theirs(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    accounts.send_code(world.office, PHONE)
    with store.unit(write=True) as unit:
        ahead = world.office.now() + timedelta(minutes=4)
        assert unit.claim_letters(ahead, ahead + LEASE)
        assert unit.bring_back(world.office.now(), timedelta(minutes=5)) == 0
    run_pass(world.office)
    assert world.read(lambda unit: unit.letters_to(PHONE, 1))[0].sent_at is None


def test_a_payment_begun_under_a_wrong_clock_is_asked_about_and_holds_nobody_up(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    (dossier,) = sent(world, 1)
    dossier = world.take(dossier, mayor(world), "accorder")
    owner = world.owner(dossier)
    go_ahead(world, TEN_YEARS)
    payment = cashier.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=ASKS, token=new_id())
    set_back(world, TEN_YEARS)
    for _ in range(3):
        world.wait(minutes=15)
        guarded_pass(world.office)
    asked = world.read(lambda unit: unit.payment(payment.id))
    assert asked.checked_at is not None
    assert asked.checked_at <= world.office.now()
    world.wait(hours=25)
    worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer="+22890000001", token=new_id())
    kept = world.read(lambda unit: unit.payments_of(dossier.id))
    assert [one.status for one in kept][-1] == "paid"


# -- mutants -------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly("mutant")
def test_a_worker_that_trusts_any_clock_is_seen(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_market(tmp_path, store)
    closed, waiting, draft = people_of(world)
    closed = world.kept(closed)
    proven(world)
    monkeypatch.setattr(clock_watch, "run_pass", lambda office, **_: run_pass(office))
    leap(world)
    assert len(lost(world, closed, waiting, draft)) == 3


@pytest.mark.nightly("mutant")
def test_moments_left_ahead_are_seen(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClockQueries, "bring_back", lambda *about: 0)
    with pytest.raises(Refused, match="code_too_soon"):
        test_nobody_is_kept_out_by_a_code_asked_under_a_wrong_clock(tmp_path, store, TEN_YEARS)
