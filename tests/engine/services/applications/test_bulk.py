"""Many dossiers decided at once: each as if alone, each once, whatever is tapped twice or cut in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.domain.common.decision import Act
from engine.journal.chain import JournalEntry
from engine.records.dossier import Actor, Dossier
from engine.records.jobs import Job
from engine.services.accounts import agents as people
from engine.services.applications import bulk_actions as bulk
from engine.services.audit import exports
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext, NotFound
from engine.services.core import idempotency as command
from engine.services.core import jobs as orders
from engine.services.worker import job_runner as carrying_orders
from engine.services.worker.job_runner import carry_at_once, carry_orders
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store, Unit
from tests.engine.services.bulk_runner import to_sign
from tests.engine.services.world import B3, ROOT, World, a_world
from tests.postgres import an_empty_store
from tests.race_runners import together

CLERK = "sncja/greffier_en_chef"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)


def entries(world: World, one: Dossier) -> list[JournalEntry]:
    return list(world.read(lambda unit: unit.entries(one.id)))


def ordered(world: World, who: Actor, dossiers: list[Dossier], token: str = "t1") -> Job:
    picked = [(one.number, one.revision) for one in dossiers]
    return bulk.order_bulk(world.office, who, B3, "signer", "", picked, token=token)


def outcomes(world: World, who: Actor, n: int) -> list[tuple[str, str]]:
    return [(line.outcome, line.why) for line, _ in orders.lines(world.office, who, n)]


def test_each_dossier_is_signed_as_part_of_the_order(world: World) -> None:
    who, some = world.agent("chef", CLERK), to_sign(world, 3)
    order = ordered(world, who, some)
    carry_at_once(world.office, order)
    assert outcomes(world, who, order.n) == [("done", "")] * 3
    assert orders.progress(world.office, who, order.n).ended
    assert fsck(world.office) == ()
    for one in some:
        assert world.kept(one).state == "a_retirer"
        last = [entry for entry in entries(world, one) if entry.kind == "transition"][-1]
        assert isinstance(last.body, dict)
        assert (last.body["bulk"], last.body["transition"]) == (order.n, "signer")


def test_what_may_be_picked_and_what_would_happen(world: World) -> None:
    who, (one, other) = world.agent("chef", CLERK), to_sign(world, 2)
    early = world.sent(B3, world.applicant("+22890000077"))
    numbers = [one.number, other.number, early.number]
    (found,) = bulk.bulk_acts(world.office, who, [*numbers, one.number, "26000000000"])
    assert (found.procedure, found.act, found.count, found.reason) == (B3, "signer", 2, False)
    shown = bulk.preview_bulk(world.office, who, numbers, B3, Act("signer"))
    assert [each.dossier.number for each in shown.can] == [one.number, other.number]
    assert [(each.dossier.number, each.closed and each.closed.code) for each in shown.cannot] == [
        (early.number, "state")
    ]
    assert shown.sms == 2
    assert world.kept(one) == one


@pytest.mark.parametrize(("act", "code"), [("rejeter", "state"), ("signer", "role")])
def test_what_one_may_not_do_alone_one_may_not_do_in_bulk(world: World, act: str, code: str) -> None:
    (one,), stranger = to_sign(world, 1), world.agent("agent", "sncja/agent_traitement")
    shown = bulk.preview_bulk(world.office, stranger, [one.number], B3, Act("signer"))
    assert [each.closed and each.closed.code for each in shown.cannot] == ["role"]
    order = bulk.order_bulk(world.office, stranger, B3, act, "x", [(one.number, one.revision)])
    carry_at_once(world.office, order)
    assert outcomes(world, stranger, order.n) == [("closed", code)]
    assert world.kept(one) == one


def test_an_act_that_the_definition_does_not_allow_in_bulk_is_refused(world: World) -> None:
    who, dossier = world.agent("chef", CLERK), world.paid(world.sent(B3))
    dossier = world.force(world.kept(dossier), state="controle")
    order = bulk.order_bulk(world.office, who, B3, "rejeter", "Homonyme", [(dossier.number, dossier.revision)])
    carry_at_once(world.office, order)
    assert outcomes(world, who, order.n) == [("closed", "not_in_bulk")]
    with pytest.raises(NotFound):
        bulk.preview_bulk(world.office, who, [dossier.number], B3, Act("rejeter", "Homonyme"))


@pytest.mark.parametrize(("procedure", "act"), [(B3, "AMEGAN Afi, 90 00 00 00"), ("duplicata-bac", "signer")])
def test_the_journal_of_rights_holds_no_free_text_of_an_order(world: World, procedure: str, act: str) -> None:
    who, (one,) = world.agent("chef", CLERK), to_sign(world, 1)
    with pytest.raises(NotFound):
        bulk.order_bulk(world.office, who, procedure, act, "", [(one.number, one.revision)])
    assert list(world.read(lambda unit: unit.rights())) == []


def test_four_eyes_hold_in_bulk(world: World) -> None:
    first, (one, other) = world.agent("chef", CLERK), to_sign(world, 2)
    taken = replace(one.taken[0], transition="verifier", by=first.id, by_kind="agent")
    one = world.force(one, taken=(*one.taken, taken))
    order = ordered(world, first, [one, other])
    carry_at_once(world.office, order)
    assert outcomes(world, first, order.n) == [("closed", "four_eyes"), ("done", "")]


def test_a_dossier_that_changed_since_it_was_seen_is_left(world: World) -> None:
    who, (one, other) = world.agent("chef", CLERK), to_sign(world, 2)
    order = ordered(world, who, [one, other])
    world.take(one, world.agent("autre", CLERK), "signer")
    carry_at_once(world.office, order)
    assert outcomes(world, who, order.n) == [("changed", "changed_meanwhile"), ("done", "")]


def test_an_account_closed_meanwhile_decides_nothing(world: World) -> None:
    who, (one,) = world.agent("chef", CLERK), to_sign(world, 1)
    order = ordered(world, who, [one])
    with world.office.store.unit(write=True) as unit:
        account = unit.account(who.id)
        assert account is not None
        unit.put_account(replace(account, disabled=True))
    carry_orders(world.office)
    assert [outcome for outcome, _ in outcomes(world, who, order.n)] == ["closed"]
    assert world.kept(one) == one


def test_an_order_that_fails_lets_the_others_pass_and_is_given_up_after_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, (one, other) = world.agent("chef", CLERK), to_sign(world, 2)
    bad = ordered(world, who, [one], "bad")
    world.clock.advance(timedelta(seconds=1))
    good = ordered(world, who, [other], "good")

    def failing(office: AppContext, order: Job, most: int) -> int:
        if order.id == bad.id:
            raise RuntimeError("a fault of ours")
        return bulk.carry_bulk(office, order, most)

    monkeypatch.setitem(carrying_orders._RUNNERS, "act", failing)  # type: ignore[arg-type]
    assert [carry_orders(world.office) for _ in range(2)] == [0, 1]
    assert orders.progress(world.office, who, good.n).ended
    assert not orders.progress(world.office, who, bad.n).ended
    world.clock.advance(carrying_orders.WAIT_LIMIT)
    carry_orders(world.office)
    assert orders.progress(world.office, who, bad.n).ended


def test_a_second_tap_and_a_second_worker_find_it_done(world: World) -> None:
    who, some = world.agent("chef", CLERK), to_sign(world, 2)
    order = ordered(world, who, some)
    assert ordered(world, who, some) == order
    carry_at_once(world.office, order)
    carry_at_once(world.office, order)
    assert carry_orders(world.office) == 0
    signed = [entry for one in some for entry in entries(world, one) if entry.kind == "transition"]
    assert len([1 for entry in signed if isinstance(entry.body, dict) and "bulk" in entry.body]) == 2


def test_an_order_is_its_givers_and_has_its_bounds(world: World) -> None:
    who, (one,) = world.agent("chef", CLERK), to_sign(world, 1)
    order = ordered(world, who, [one])
    with pytest.raises(NotFound):
        orders.progress(world.office, world.agent("autre", CLERK), order.n)
    for nowhere in (0, order.n + 1, 10**30):  # an address may say any number
        with pytest.raises(NotFound):
            orders.progress(world.office, who, nowhere)
    with pytest.raises(Refused, match="nothing_picked"):
        bulk.order_bulk(world.office, who, B3, "signer", "", [])
    told = list(world.read(lambda unit: unit.rights()))
    assert [(entry.kind, entry.body["order"], entry.actor) for entry in told] == [("act_ordered", order.n, who.id)]  # type: ignore[index, call-overload]
    boss = replace(world.agent("admin"), administers=frozenset({"sncja"}))
    assert [entry.kind for entry in people.journal_of_rights(world.office, boss)[0]] == ["act_ordered"]


# -- many hands, and none ----------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def shared_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store: Store = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield a_world(tmp_path, store)
    store.close()


@pytest.mark.slow
def test_two_confirmations_and_three_workers_decide_each_once(shared_world: World) -> None:
    world = shared_world
    who, some = world.agent("chef", CLERK), to_sign(world, 4)
    given = together(4, lambda n: ordered(world, who, some))
    assert len({order.id for order in given}) == 1
    together(3, lambda n: carry_at_once(world.office, given[0]))
    carry_orders(world.office)
    assert outcomes(world, who, given[0].n) == [("done", "")] * 4
    taken = Counter(one.id for one in some for way in world.kept(one).taken if way.transition == "signer")
    assert set(taken.values()) == {1}


def test_the_same_dossiers_picked_in_two_orders_are_two_orders(
    shared_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither waits for what the other holds: both are kept at the first try, their lines as they were picked."""
    world = shared_world
    some, people = to_sign(world, 2), [world.agent("chef", CLERK), world.agent("adjoint", CLERK)]
    picked, honest = [some, some[::-1]], bulk.seen

    def slow(unit: Unit, office: AppContext, actor: Actor, dossier_id: str, revision: int | None = None) -> Dossier:
        found = honest(unit, office, actor, dossier_id, revision)
        time.sleep(0.3)  # the other reads its own first one meanwhile
        return found

    monkeypatch.setattr(bulk, "seen", slow)
    monkeypatch.setattr(command, "TRIES", 1)
    given = together(2, lambda n: ordered(world, people[n], picked[n], f"t{n}"))
    for who, order, each in zip(people, given, picked, strict=True):
        assert isinstance(order, Job), order
        lines = orders.lines(world.office, who, order.n)
        assert [line.number for line, _ in lines] == [one.number for one in each]


@pytest.mark.slow
def test_a_worker_killed_midway_is_followed_by_another(shared_world: World, tmp_path: Path) -> None:
    world = shared_world
    who, some = world.agent("chef", CLERK), to_sign(world, 5)
    order = ordered(world, who, some)
    address = world.office.store.address if hasattr(world.office.store, "address") else str(tmp_path / "guichet.db")
    code = "import sys; from tests.engine.services.bulk_runner import carry_and_die; carry_and_die(*sys.argv[1:])"
    dead = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(address), "3"], cwd=ROOT, env=os.environ)
    assert dead.returncode == -signal.SIGKILL
    before = Counter(outcome for outcome, _ in outcomes(world, who, order.n))
    assert before == {"done": 2, "": 3}  # the third was decided and cut before it was kept: it was not
    assert carry_orders(world.office) == 0  # lent to the dead one for a while
    world.clock.advance(orders.LEASE * 2)
    assert carry_orders(world.office) == 3
    assert Counter(outcomes(world, who, order.n)) == {("done", ""): 5}
    for one in some:
        assert [way.transition for way in world.kept(one).taken].count("signer") == 1
        assert len(world.kept(one).documents) == 1


def lists_asked(world: World, who: Actor, count: int) -> list[Job]:
    wanted = exports.InboxExport("mine")
    return [exports.order_export(world.office, who, wanted, token=f"{who.id} {n}") for n in range(count)]


def test_one_person_has_a_few_lists_in_preparation(world: World) -> None:
    many, other = world.agent("many", CLERK), world.agent("other", CLERK)
    lists_asked(world, many, orders.FILES_AHEAD)
    with pytest.raises(Refused) as refused:
        exports.order_export(world.office, many, exports.InboxExport("mine"), token="one more")
    assert refused.value.reason.code == "files_ahead"
    assert len(lists_asked(world, other, 1)) == 1, "the limit is each person's own"
    carry_orders(world.office)
    assert exports.order_export(world.office, many, exports.InboxExport("mine"), token="one more").n


def test_one_person_orders_so_much_a_day(world: World) -> None:
    """Each list is stored for a week: without a limit, one agent fills the disk of the store."""
    many, other = world.agent("many", CLERK), world.agent("other", CLERK)

    def ordered_list(who: Actor, n: int) -> None:
        carry_at_once(world.office, exports.order_export(world.office, who, exports.InboxExport("mine"), token=f"{n}"))

    for n in range(orders.FILES_A_DAY):
        ordered_list(many, n)
    with pytest.raises(Refused) as refused:
        ordered_list(many, orders.FILES_A_DAY)
    assert refused.value.reason.code == "too_many_tries"
    ordered_list(many, 0)  # the same form again is the same list
    ordered_list(other, 0)
    some = to_sign(world, 1)
    for n in range(orders.JOBS_A_DAY):
        ordered(world, many, some, token=f"job {n}")
    with pytest.raises(Refused):
        ordered(world, many, some, token="one more")
    world.clock.advance(timedelta(days=2))
    ordered_list(many, orders.FILES_A_DAY)


@pytest.mark.parametrize("on", ["sqlite", "postgres"])
def test_each_person_has_a_turn(tmp_path: Path, on: str) -> None:
    """Who asked for five lists first lets the one list of another person pass before the second."""
    store = an_empty_store() if on == "postgres" else None
    world = a_world(tmp_path, store)
    many, other = world.agent("many", CLERK), world.agent("other", CLERK)
    first, second, *_ = lists_asked(world, many, orders.FILES_AHEAD)
    (theirs,) = lists_asked(world, other, 1)

    def ended(job: Job) -> bool:
        return orders.progress(world.office, many if job.account == many.id else other, job.n).ended

    carry_orders(world.office)
    carry_orders(world.office)
    assert (ended(first), ended(theirs), ended(second)) == (True, True, False)


def test_a_long_job_lets_the_others_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    who, some = world.agent("chef", CLERK), to_sign(world, 3)
    long = ordered(world, who, some)
    (theirs,) = lists_asked(world, world.agent("other", CLERK), 1)
    monkeypatch.setattr(carrying_orders, "TURN", 1)
    carry_orders(world.office)
    carry_orders(world.office)
    assert orders.progress(world.office, world.agent("other", CLERK), theirs.n).ended
    assert orders.progress(world.office, who, long.n).done == 1
