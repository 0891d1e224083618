"""Money owed back is paid back once, by an agency's own agent, under a reference; whoever paid is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.records.dossier import Account, Actor, Dossier
from engine.records.refunds import owed_so_far
from engine.services.accounts.personal_data_export import export_own
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from engine.services.context.edition_cache import EditionMissing
from engine.services.payments import refunds as repaying
from engine.services.payments.refunds import owed_back, pay_back, paying_agencies, refunds_to_pay
from engine.services.worker.worker import deliver_letters, sweep
from engine.storage.postgres.migrations import text_cell, whole_cell
from engine.storage.sqlite.migrations import json_cell
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.editions import publish
from tests.engine.services.payments.test_refunds import HALL, TWICE_DEBITED, paid
from tests.engine.services.world import MONDAY, PHONE, World
from tests.makers import compiled
from tests.postgres import an_empty_store

REFERENCE = "OM-2026-4471"


@pytest.fixture
def owing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[World, Dossier]:
    """A hall paid for twice: 30 000 francs too much."""
    return paid(tmp_path, monkeypatch, HALL, TWICE_DEBITED)


def clerk(world: World, *roles: str, **more: Any) -> Actor:
    return world.agent("clerk", *(roles or ("obac/instructeur",)), **more)


def why(world: World, actor: Actor, dossier: Dossier, entry: int, reference: str = REFERENCE) -> str:
    with pytest.raises(Refused) as closed:
        pay_back(world.office, actor, dossier.id, entry, reference)
    return closed.value.reason.code


def test_an_amount_paid_twice_is_seen_paid_back_once_and_told(owing: tuple[World, Dossier]) -> None:
    world, dossier = owing
    agent = clerk(world)
    (line,) = refunds_to_pay(world.office, agent).lines
    assert (line.number, line.refund.amount, line.refund.payer) == (dossier.number, 30_000, TWICE_DEBITED)
    assert (line.closed, line.due.date().isoformat()) == (None, "2026-11-30"), "five working days after Monday"
    done = pay_back(world.office, agent, dossier.id, line.refund.entry, f" {REFERENCE}\n", token="once")
    assert (done.paid_at, done.paid_by, done.reference) == (MONDAY, agent.id, REFERENCE)
    assert pay_back(world.office, agent, dossier.id, line.refund.entry, REFERENCE, token="once") == done
    assert refunds_to_pay(world.office, agent).lines == ()
    assert why(world, agent, dossier, line.refund.entry) == "refund_paid"
    (seen,) = owed_back(world.office, world.owner(dossier), dossier.id)
    assert seen.refund == done
    assert world.kinds(dossier).count("refunded") == 1
    with world.office.store.unit() as unit:
        letters = [one for one in unit.letters_of(dossier.id) if "repaid" in one.dedupe]
    assert sorted(one.to for one in letters) == sorted({TWICE_DEBITED, PHONE}), "who paid, and who asked"
    assert REFERENCE in json.dumps(export_own(world.office, world.owner(dossier)))
    assert fsck(world.office) == ()


def test_an_erased_request_keeps_no_number_of_its_payer(owing: tuple[World, Dossier]) -> None:
    world, dossier = owing
    (line,) = refunds_to_pay(world.office, clerk(world)).lines
    kept = world.kept(dossier)
    with world.office.store.unit(write=True) as unit:
        unit.erase_letters(dossier.id)
        unit.put_dossier(replace(kept, erased_at=world.office.now(), revision=kept.revision + 1), kept.revision)
    pay_back(world.office, clerk(world), dossier.id, line.refund.entry, REFERENCE)
    deliver_letters(world.office)
    assert any(REFERENCE in one for one in world.letters(TWICE_DEBITED))
    world.wait(days=60)
    sweep(world.office)
    assert world.letters(TWICE_DEBITED) == []


def test_a_role_of_another_edition_lists_no_refund(owing: tuple[World, Dossier]) -> None:
    world, _ = owing
    later = HALL.replace("edition: 1", "edition: 2").replace("by: instructeur", "by: directeur")
    publish(world, compiled(later, "deposit.yaml"))
    assert paying_agencies(world.office, world.agent("chief", "obac/directeur")) == ("obac",)
    assert refunds_to_pay(world.office, world.agent("chief", "obac/directeur")).lines == ()
    assert len(refunds_to_pay(world.office, clerk(world)).lines) == 1


def test_what_an_act_gives_back_goes_to_the_number_that_paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, dossier = paid(tmp_path, monkeypatch, HALL)
    agent = clerk(world)
    assert refunds_to_pay(world.office, agent).lines == ()
    world.take(dossier, agent, "rendre")
    (line,) = refunds_to_pay(world.office, agent).lines
    assert (line.refund.fee, line.refund.amount, line.refund.payer) == ("caution", 20_000, "+22890000001")
    pay_back(world.office, agent, dossier.id, line.refund.entry, REFERENCE)
    assert fsck(world.office) == ()


@pytest.mark.parametrize("reference", ["", "  a\n", "x" * 61])
def test_a_reference_is_asked_for(owing: tuple[World, Dossier], reference: str) -> None:
    world, dossier = owing
    (line,) = refunds_to_pay(world.office, clerk(world)).lines
    assert why(world, clerk(world), dossier, line.refund.entry, reference).startswith("reference_")
    with pytest.raises(NotFound):
        pay_back(world.office, clerk(world), dossier.id, 999, REFERENCE)


def test_nobody_else_pays_back(owing: tuple[World, Dossier]) -> None:
    world, dossier = owing
    (line,) = refunds_to_pay(world.office, clerk(world)).lines
    entry = line.refund.entry
    away = world.agent("away", "obac/instructeur", offices=("nowhere",))
    strangers = [world.agent("maire", "mairie/maire"), world.auditor(), world.owner(dossier)]
    helping = replace(clerk(world), principal=dossier.owner, dossiers=frozenset({dossier.id}))
    for actor in (*strangers, helping):
        assert refunds_to_pay(world.office, actor).lines == ()
        assert paying_agencies(world.office, actor) == ()
    for actor in (world.auditor(), world.owner(dossier), helping):
        assert why(world, actor, dossier, entry) == "refund_not_yours"
    with pytest.raises(NotFound):
        pay_back(world.office, world.agent("maire", "mairie/maire"), dossier.id, entry, REFERENCE)
    assert (refunds_to_pay(world.office, away).lines == ()) == (dossier.office is not None)
    assert world.kinds(dossier).count("refunded") == 0


def test_a_number_that_the_request_left_is_still_that_of_the_agent(owing: tuple[World, Dossier]) -> None:
    world, dossier = owing
    account = Account("own", "agent", "Own", "own", roles=("obac/instructeur",), profile={"phone": "+22890556677"})
    actor = world._person(account)
    (line,) = refunds_to_pay(world.office, actor).lines
    assert line.closed is None
    kept = world.kept(dossier)
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(kept, former_phones=("+22890556677",), revision=kept.revision + 1), kept.revision)
    assert why(world, actor, dossier, line.refund.entry) == "refund_own"


def test_who_would_have_the_money_does_not_say_that_it_went(owing: tuple[World, Dossier]) -> None:
    world, dossier = owing
    account = Account("own", "agent", "Own", "own", roles=("obac/instructeur",), profile={"phone": TWICE_DEBITED})
    actor = world._person(account)
    (line,) = refunds_to_pay(world.office, actor).lines
    assert line.closed
    assert line.closed.code == "refund_own"
    assert why(world, actor, dossier, line.refund.entry) == "refund_own"


def test_a_list_goes_on_where_it_stopped(owing: tuple[World, Dossier]) -> None:
    world, dossier = owing
    agent = clerk(world)
    world.take(dossier, agent, "rendre")
    first = refunds_to_pay(world.office, agent, agency="obac", limit=1)
    second = refunds_to_pay(world.office, agent, agency="obac", after=first.after, limit=1)
    assert [one.refund.amount for one in (*first.lines, *second.lines)] == [30_000, 20_000]
    assert second.after is None
    assert refunds_to_pay(world.office, agent, agency="mairie").lines == ()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_owed_before_lines_were_kept_is_found_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migration reads in the journal what the office keeps since, in both stores."""
    store: Any = SqliteStore(":memory:") if kind == "sqlite" else an_empty_store()
    world, dossier = paid(tmp_path, monkeypatch, HALL, TWICE_DEBITED, store)
    agent = clerk(world)
    world.take(dossier, agent, "rendre")
    cells = (json_cell, json_cell) if kind == "sqlite" else (text_cell, whole_cell)
    with store.unit(write=True) as unit:
        kept = unit.refunds_of(dossier.id)
        unit._change("DELETE FROM refund", ())
        for statement in owed_so_far(*cells):
            unit._change(statement, ()) if kind == "sqlite" else unit._postgres.execute(statement)
        assert unit.refunds_of(dossier.id) == kept
    assert [one.amount for one in kept] == [30_000, 20_000]
    first = refunds_to_pay(world.office, agent, limit=1)
    second = refunds_to_pay(world.office, agent, after=first.after, limit=1)
    assert [one.refund for one in (*first.lines, *second.lines)] == list(kept)
    pay_back(world.office, agent, dossier.id, kept[0].entry, REFERENCE)
    assert [one.refund for one in refunds_to_pay(world.office, agent).lines] == list(kept[1:])
    assert fsck(world.office) == ()


def test_a_number_is_forgotten_once_it_was_paid_back(owing: tuple[World, Dossier]) -> None:
    world, dossier = owing
    (line,) = refunds_to_pay(world.office, clerk(world)).lines
    with world.office.store.unit(write=True) as unit:
        unit.forget_payers(dossier.id)
        assert unit.refunds_of(dossier.id)[0].payer == TWICE_DEBITED, "it waits for its money"
    pay_back(world.office, clerk(world), dossier.id, line.refund.entry, REFERENCE)
    with world.office.store.unit(write=True) as unit:
        unit.forget_payers(dossier.id)
        assert unit.refunds_of(dossier.id)[0].payer == ""


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ("UPDATE refund SET amount = 1", "refund_differs"),
        ("DELETE FROM refund", "refund_differs"),
        ("UPDATE refund SET paid_at = NULL, paid_by = NULL, reference = NULL", "refund_unjournaled"),
        ("UPDATE refund SET reference = 'AUTRE'", "refund_reference"),
    ],
)
def test_fsck_sees_what_was_changed(owing: tuple[World, Dossier], spoilt: str, code: str) -> None:
    world, dossier = owing
    (line,) = refunds_to_pay(world.office, clerk(world)).lines
    pay_back(world.office, clerk(world), dossier.id, line.refund.entry, REFERENCE)
    assert fsck(world.office) == ()
    with world.office.store.unit(write=True) as unit:
        unit._change(spoilt, ())
    assert code in {one.code for one in fsck(world.office)}


def test_a_dossier_whose_edition_is_lost_hides_no_debt(
    owing: tuple[World, Dossier], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = owing

    def lost(*_: object) -> None:
        raise EditionMissing(dossier.procedure)

    monkeypatch.setattr(repaying, "pinned", lost)
    (line,) = refunds_to_pay(world.office, clerk(world)).lines
    assert (line.refund.amount, line.number) == (30_000, dossier.number)
    assert line.closed
    assert line.closed.code == "refund_edition_lost"
