"""T36 to T39. Two agents at once, a withdrawal during a decision, many persons and several workers at the same time.

Each act is checked in the transaction that stores it, one of two wins, there is no deadlock, and what is due happens once. Then the
mutants.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.domain.common.decision import Act
from engine.records.dossier import Actor, Dossier
from engine.services.applications import casework
from engine.services.applications import drafts as intake
from engine.services.context.app_context import NotFound
from engine.services.payments import settlement
from engine.services.worker import worker as timers
from engine.storage.postgres import store as postgres
from engine.storage.postgres import store as postgres_tables
from engine.storage.postgres.store import PostgresQueries, PostgresStore
from engine.storage.results import Busy, Conflict
from engine.storage.sql.dossiers import DossierQueries
from engine.storage.sqlite.store import SqliteStore
from engine.storage.table_copy import TABLES
from engine.storage.unit_of_work import Store
from tests import worker
from tests.effort import tries
from tests.engine.services.world import World
from tests.faults.concurrency import MARKET, Together, a_market, faults_of, mayor, sent
from tests.postgres import an_empty_store
from tests.race_runners import together

pytestmark = [pytest.mark.slow, pytest.mark.faults]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield one
    one.close()


@pytest.fixture
def on_postgres() -> Iterator[PostgresStore]:
    one = an_empty_store()
    yield one
    one.close()


# -- T36, two agents ---------------------------------------------------------------------------------------------------


def decided_by_two(world: World, rounds: int) -> tuple[Counter[str], list[str]]:
    """What two agents who see the same dossier are told when both agree to it at once."""
    agents, told = (mayor(world), mayor(world, "adjoint")), Counter[str]()
    dossiers = sent(world, rounds)
    for dossier in dossiers:

        def decides(place: int, dossier: Dossier = dossier) -> str:
            try:
                casework.take_transition(
                    world.office, agents[place], dossier.id, Act("accorder"), revision=dossier.revision, token=new_id()
                )
            except (Conflict, Refused) as closed:
                return type(closed).__name__
            return "done"

        told.update(map(str, together(2, decides)))
    return told, list(faults_of(world, dossiers))


def test_of_two_agents_one_decides_and_the_other_is_told(tmp_path: Path, store: Store) -> None:
    rounds = tries(20)
    assert decided_by_two(a_market(tmp_path, store), rounds) == (Counter(done=rounds, Conflict=rounds), [])


def whoever_writes_last(patch: pytest.MonkeyPatch) -> None:
    """Nothing is locked, and a dossier is written whatever its revision and the head of its journal were."""

    def put(unit: Any, dossier: Dossier, expected: int) -> None:
        (now,) = unit._row("SELECT revision FROM dossier WHERE id = ?", (dossier.id,))
        for read in (unit._seen, unit._heads, unit._timers):
            read.pop(dossier.id, None)
        honest(unit, replace(dossier, revision=now + 1), now)

    def opened(unit: Any, connection: Any, writes: bool) -> None:
        begun(unit, connection, writes)
        unit.lock = ""

    honest, begun = DossierQueries.put_dossier, PostgresQueries.__init__
    patch.setattr(DossierQueries, "put_dossier", put)
    patch.setattr(PostgresQueries, "__init__", opened)
    patch.setattr(PostgresQueries, "_hold", lambda *_: None)


def meeting_before_it_is_kept(patch: pytest.MonkeyPatch) -> Together:
    """Two acts that are judged at once, if anything lets them."""

    def carry_out(*about: Any) -> Any:
        place.meet()
        return honest(*about)

    place, honest = Together(), casework.carry_out
    patch.setattr(casework, "carry_out", carry_out)
    return place


@pytest.mark.nightly("mutant")
def test_whoever_writes_last_is_seen(tmp_path: Path, on_postgres: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_market(tmp_path, on_postgres)
    meeting_before_it_is_kept(monkeypatch)
    whoever_writes_last(monkeypatch)
    told, found = decided_by_two(world, 1)
    assert told != Counter(done=1, Conflict=1)
    assert any("went" in fault or "fsck" in fault for fault in found) or told["done"] == 2


# -- T37, what is judged is what is kept -------------------------------------------------------------------------------


def withdrawn_while_agreed_to(world: World, rounds: int, place: Together) -> tuple[Counter[str], list[str]]:
    """What is told to an agent who agrees and to an applicant who withdraws at the same moment."""
    agent, told = mayor(world), Counter[str]()
    dossiers = sent(world, rounds)
    for dossier in dossiers:
        place.again()
        acts: tuple[tuple[Actor, Act], ...] = (
            (agent, Act("accorder")),
            (world.owner(dossier), Act("retirer", reason="Trop tard")),
        )

        def takes(number: int, dossier: Dossier = dossier, acts: Any = acts) -> str:
            who, act = acts[number]
            try:
                casework.take_transition(world.office, who, dossier.id, act, token=new_id())
            except (Refused, NotFound) as closed:
                return type(closed).__name__
            return "done"

        told.update(map(str, together(2, takes)))
    return told, list(faults_of(world, dossiers))


def test_a_way_is_judged_where_it_is_taken(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is agreed to may still be withdrawn; one that is withdrawn is never agreed to."""
    world = a_market(tmp_path, store)
    place = meeting_before_it_is_kept(monkeypatch)
    told, found = withdrawn_while_agreed_to(world, tries(3), place)
    assert found == []
    assert told["done"] >= tries(3)
    assert set(told) <= {"done", "Refused"}


@pytest.mark.nightly("mutant")
def test_what_is_judged_beforehand_is_seen(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world, place = a_market(tmp_path, store), Together(5.0)

    def take(office: Any, actor: Actor, dossier_id: str, act: Act, **_: Any) -> Dossier:
        with office.store.unit() as unit:
            dossier = casework.seen(unit, office, actor, dossier_id)
            decision = casework.decide_in(office, unit, dossier, act, actor)
        place.meet()
        with office.store.unit(write=True) as unit:
            now = unit.dossier(dossier_id)
            after = replace(
                decision.dossier,
                revision=now.revision,
                taken=(*now.taken, *decision.dossier.taken[len(dossier.taken) :]),
            )
            return casework.carry_out(office, unit, now, replace(decision, dossier=after), actor)

    monkeypatch.setattr(casework, "take_transition", take)
    _, found = withdrawn_while_agreed_to(world, 1, place)
    assert any("went from" in fault for fault in found)


# -- T38, everybody crossing everybody ---------------------------------------------------------------------------------


@contextmanager
def watched(patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the server of the database undid, each time."""
    undone: list[str] = []
    honest = postgres._passing

    @contextmanager
    def passing() -> Iterator[None]:
        with honest():
            try:
                yield
            except (errors.DeadlockDetected, errors.SerializationFailure) as error:
                undone.append(type(error).__name__)
                raise

    patch.setattr(postgres, "_passing", passing)
    yield undone


def an_act(world: World, agent: Actor, dossier: Dossier, draft: Dossier, chance: random.Random) -> object:
    """One thing that somebody does with one of these."""
    office, owner, token = world.office, world.owner(dossier), new_id()
    match chance.randrange(6):
        case 0:
            act = Act(chance.choice(("accorder", "refuser")), reason="Non")
            return casework.take_transition(office, agent, dossier.id, act, token=token)
        case 1:
            return worker.start_payment(
                office, owner, dossier.id, provider="sandbox", payer="+22890000001", token=token
            )
        case 2:
            payments = world.read(lambda unit: unit.payments_of(dossier.id))
            return [settlement.check_payment(office, one.id) for one in payments]
        case 3:
            return casework.assign(office, agent, dossier.id, agent.id)
        case 4:
            raw = {"nom": [f"AMEGAN {chance.random()}"]}
            return intake.save_page(office, world.owner(draft), draft.id, "vous", raw, token=token)
        case _:
            return timers.run_pass(office)


def storm(world: World, acts: int) -> list[str]:
    """Eight threads that pay, ask the operator, decide, save and make the tour on five dossiers; what nobody caught."""
    agent, dossiers = mayor(world), sent(world, 5)
    drafts = [world.filled(MARKET, world.applicant(f"+2289111{number:04d}")) for number in range(2)]
    broken: list[str] = []

    def works(place: int) -> None:
        chance = random.Random(place)
        for _ in range(acts):
            try:
                with suppress(Refused, NotFound, Conflict):
                    an_act(world, agent, chance.choice(dossiers), chance.choice(drafts), chance)
            except Exception as error:
                broken.append(f"{type(error).__name__}: {error}")

    together(8, works)
    return [*broken, *faults_of(world, dossiers)]


def test_nobody_waits_for_who_waits_for_them(
    tmp_path: Path, on_postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_market(tmp_path, on_postgres)
    with watched(monkeypatch) as undone:
        assert storm(world, tries(12)) == []
    assert undone == [], "the order in which rows are held is not everybody's"


@pytest.mark.nightly("mutant")
def test_payments_held_before_their_dossier_are_seen(
    tmp_path: Path, on_postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other thread holds them the other way round."""
    world = a_market(tmp_path, on_postgres)
    (dossier,), owner = sent(world, 1), world.applicant("+22890000000")
    world.take(dossier, mayor(world), "accorder")
    worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer="+22890000008", token=new_id())
    (payment,) = world.read(lambda unit: unit.payments_of(dossier.id))
    place = Together(5.0)

    def holds(number: int) -> str:
        ways = (lambda unit: unit.dossier(dossier.id), lambda unit: unit.payment(payment.id))
        try:
            with world.office.store.unit(write=True) as unit:
                ways[number](unit)
                place.meet()
                ways[1 - number](unit)
        except Busy:
            return "undone"
        return "done"

    with watched(monkeypatch) as undone:
        assert sorted(together(2, holds)) == ["done", "undone"]
    assert undone == ["DeadlockDetected"]


def held_while_somebody_writes(store: PostgresStore) -> str:
    """Somebody who wrote in the last table writes in the first, once another who wants to hold them all has the first."""
    first, last = TABLES[0], TABLES[-1]
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"  # fmt: skip

    def holds() -> str:
        try:
            with store.tables("hold") as rows:
                return f"held {rows.count(first)}"
        except Busy as undone:
            return str(undone)

    with ThreadPoolExecutor(1) as other, psycopg.connect(store.address) as connection:
        connection.execute(f"DELETE FROM {last} WHERE false")
        told = other.submit(holds)
        while connection.execute(waiting).fetchone() == (0,):
            time.sleep(0.01)
        connection.execute(f"DELETE FROM {first} WHERE false")
        connection.commit()
        return told.result(60)


def test_who_holds_every_table_gives_way_to_who_writes(on_postgres: PostgresStore) -> None:
    """The server looks once, a second after a wait began: on a slow machine it finds the other one. Then again."""
    on_postgres.migrate()
    for _ in range(3):
        with suppress(psycopg.errors.DeadlockDetected):
            assert held_while_somebody_writes(on_postgres) == "held 0"
            return
    pytest.fail("the writer is undone each time")


@pytest.mark.nightly("mutant")
def test_who_holds_every_table_and_gives_up_is_seen(
    on_postgres: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_postgres.migrate()
    monkeypatch.setattr(postgres_tables, "_TRIES", 1)
    assert held_while_somebody_writes(on_postgres) == "DeadlockDetected"


# -- T39, time ---------------------------------------------------------------------------------------------------------


class Died(BaseException):
    """The worker is gone."""


def due(world: World, count: int) -> list[Dossier]:
    """Requests agreed to, that are closed unless they are paid within thirty days: it is the day after."""
    agent = mayor(world)
    dossiers = [world.take(one, agent, "accorder") for one in sent(world, count)]
    world.wait(days=31)
    return dossiers


def late(world: World, dossiers: list[Dossier]) -> Counter[int]:
    """How many dossiers were closed so many times."""
    return Counter(sum(one.target == "classe" for one in world.kept(dossier).taken) for dossier in dossiers)


def test_eight_workers_do_what_is_due_once(tmp_path: Path, store: Store) -> None:
    world, many = a_market(tmp_path, store), tries(40)
    dossiers = due(world, many)
    done = together(8, lambda _: timers.run_timers(world.office))
    assert sum(done) == many
    assert late(world, dossiers) == Counter({1: many})
    assert list(faults_of(world, dossiers)) == []


def test_a_clock_that_jumps_does_nothing_twice_and_loses_nothing(tmp_path: Path, store: Store) -> None:
    world = a_market(tmp_path, store)
    agent = mayor(world)
    dossiers = [world.take(one, agent, "accorder") for one in sent(world, 4)]
    for days in (29, -28, 1, 29, -3, 1, -30, 40, -1, 1):
        world.wait(days=days)
        timers.run_timers(world.office)
    assert late(world, dossiers) == Counter({1: 4})
    assert list(faults_of(world, dossiers)) == []


def killed(world: World, patch: pytest.MonkeyPatch, times: int) -> None:
    """Workers that die after they claimed what is due and before it is done, then one that does not."""

    def carry_out(*about: Any) -> Any:
        if next(deaths) < times:
            raise Died
        return honest(*about)

    deaths, honest = itertools.count(), timers.carry_out
    patch.setattr(timers, "carry_out", carry_out)
    for _ in range(times + 1):
        with suppress(Died):
            timers.run_timers(world.office)


def test_a_worker_that_dies_over_it_leaves_it_to_be_done(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_market(tmp_path, store)
    dossiers = due(world, 3)
    killed(world, monkeypatch, tries(12))
    assert late(world, dossiers) == Counter({1: 3})
    assert list(faults_of(world, dossiers)) == []


def claimed_apart(patch: pytest.MonkeyPatch) -> None:
    """What is due is claimed in a transaction of its own, and done in another."""

    def fire(office: Any, timer: Any) -> Any:
        with office.store.unit(write=True) as unit:
            if not unit.fire_timer(timer, office.now()):
                return None
        with office.store.unit(write=True) as unit:
            dossier = unit.dossier(timer.dossier)
            procedure = timers.pinned(office, unit, dossier)
            decision = timers.time_over(procedure, dossier, timer.name, office.now(), office.directory, office.wording)
            return timers.carry_out(office, unit, dossier, decision, timers.SYSTEM_ACTOR)

    patch.setattr(timers, "_fire", fire)


def never_claimed(patch: pytest.MonkeyPatch) -> None:
    """Whoever sees that something is due does it."""

    def fire(office: Any, timer: Any) -> Any:
        with office.store.unit() as unit:
            dossier = unit.dossier(timer.dossier)
            procedure = timers.pinned(office, unit, dossier)
            decision = timers.time_over(procedure, dossier, timer.name, office.now(), office.directory, office.wording)
        place.meet()
        with office.store.unit(write=True) as unit:
            now = unit.dossier(timer.dossier)
            after = replace(
                decision.dossier,
                revision=now.revision,
                taken=(*now.taken, *decision.dossier.taken[len(dossier.taken) :]),
            )
            return timers.carry_out(office, unit, now, replace(decision, dossier=after), timers.SYSTEM_ACTOR)

    place = Together(5.0)
    patch.setattr(timers, "_fire", fire)


@pytest.mark.nightly("mutant")
def test_what_is_claimed_apart_is_lost_and_seen(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_market(tmp_path, store)
    dossiers = due(world, 2)
    claimed_apart(monkeypatch)
    killed(world, monkeypatch, 1)
    assert late(world, dossiers)[0] == 1


@pytest.mark.nightly("mutant")
def test_what_is_never_claimed_is_done_twice_and_seen(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_market(tmp_path, store)
    dossiers = due(world, 1)
    never_claimed(monkeypatch)
    together(2, lambda _: timers.run_timers(world.office))
    assert any("times" in fault or "went from" in fault for fault in faults_of(world, dossiers))
