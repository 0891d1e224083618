"""The paper by which somebody acted for another goes some time after; that they did, by whose hand and until when, stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.values import Span
from engine.operations.settings import Settings, WrongSetting, unknown_settings
from engine.records.dossier import Actor
from engine.records.people import Mandate
from engine.services.accounts import delegation as representation
from engine.services.accounts.applicant_account import erase_own
from engine.services.accounts.personal_data_export import export_own
from engine.services.audit.integrity import fsck
from engine.services.worker.worker import run_pass, sweep
from engine.storage.files.attachments import Lost
from tests.engine.services.accounts.test_delegation import OTHER, administrator, as_, company
from tests.engine.services.world import B3, PASSPORT, World, a_world
from tests.postgres import an_empty_store

YEAR = 366  # days, with the one that is counted to its end


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return a_world(tmp_path, an_empty_store() if request.param == "postgresql" else None)


def accepted(world: World) -> tuple[Actor, Mandate]:
    afi = world.applicant()
    mandate = company(world, afi)
    representation.check(world.office, administrator(world), mandate.id, True, name="SOTOGO")
    return afi, mandate


def has_paper(world: World, mandate: Mandate) -> bool:
    """As the store says; the file is there exactly as long."""
    kept = world.read(lambda unit: unit.mandate(mandate.id))
    try:
        world.office.attachments.read(mandate.proof, mandate.id)
    except Lost:
        assert not kept.proof
        assert not kept.proof_name
        return False
    assert (kept.proof, kept.proof_name) == (mandate.proof, "rccm.pdf")
    return True


def told(world: World, actor: Actor) -> Any:
    export: Any = export_own(world.office, actor)
    (one,) = export["mandates"]
    return one["status"], one["paper"], one["paper_name"]


def end_it(world: World, afi: Actor, mandate: Mandate) -> None:
    representation.end(world.office, afi, mandate.id)


def refuse_it(world: World, afi: Actor, mandate: Mandate) -> None:
    with world.office.store.unit(write=True) as unit:  # as if nobody had looked yet
        unit.put_mandate(replace(mandate, status="to_check"))
    chef = (
        world.people["chef"] if "chef" in world.people else Actor("agent", "chef", "Chef", administers=frozenset("*"))
    )
    representation.check(world.office, chef, mandate.id, False, "Illisible")


@pytest.mark.parametrize(("over", "status"), [(end_it, "ended"), (refuse_it, "refused")], ids=["ended", "refused"])
def test_twelve_months_after_it_is_over_the_paper_goes_and_the_mandate_stays(
    world: World, over: Callable[[World, Actor, Mandate], None], status: str
) -> None:
    afi, mandate = accepted(world)
    over(world, afi, mandate)
    world.wait(days=YEAR - 3)
    sweep(world.office)
    assert has_paper(world, mandate)
    assert told(world, afi) == (status, "kept", "rccm.pdf")
    world.wait(days=3)
    assert run_pass(world.office).swept
    assert not has_paper(world, mandate)
    assert told(world, afi) == (status, "erased", "")
    kept = world.read(lambda unit: unit.mandate(mandate.id))
    assert (kept.principal, kept.holder, kept.status) == (mandate.principal, afi.id, status)
    assert fsck(world.office) == ()
    world.wait(days=1)
    assert sweep(world.office) == 0, "once"


@pytest.mark.parametrize("waits", [False, True], ids=["in force", "not looked at yet"])
def test_a_mandate_that_is_not_over_keeps_its_paper(world: World, waits: bool) -> None:
    afi = world.applicant()
    mandate = company(world, afi) if waits else accepted(world)[1]
    world.wait(days=3 * YEAR)
    sweep(world.office)
    assert has_paper(world, mandate)


@pytest.mark.parametrize("let_in", [False, True], ids=["the holder", "somebody they let in"])
def test_as_long_as_a_dossier_handled_under_it(world: World, let_in: bool) -> None:
    afi, mandate = accepted(world)
    acting = as_(world, afi, mandate)
    if let_in:
        koffi = world.applicant(OTHER)
        sub = representation.give(world.office, acting, mandate.id, OTHER, "agent")
        acting = as_(world, koffi, sub)
    dossier = world.sent(B3, acting)
    end_it(world, afi, mandate)
    world.wait(days=YEAR)
    run_pass(world.office)  # never paid: given up meanwhile, and kept two years
    assert world.kept(dossier).closed_at
    assert has_paper(world, mandate)
    world.wait(days=2 * YEAR)
    run_pass(world.office)
    assert world.kept(dossier).erased_at
    world.wait(days=1)
    run_pass(world.office)
    assert not has_paper(world, mandate)
    assert fsck(world.office) == ()


def test_a_draft_given_up_or_what_others_did_keeps_no_paper(world: World) -> None:
    afi, mandate = accepted(world)
    world.draft(PASSPORT, as_(world, afi, mandate))
    koffi = world.applicant(OTHER)
    second = company(world, koffi)
    representation.check(world.office, administrator_again(world), second.id, True, name="SOTOGO")
    end_it(world, afi, mandate)
    world.wait(days=1)
    world.sent(B3, as_(world, koffi, second))
    world.wait(days=YEAR)
    run_pass(world.office)
    assert not has_paper(world, mandate)
    assert has_paper(world, second)


def administrator_again(world: World) -> Actor:
    account = world.read(lambda unit: unit.account_of("agent", "chef"))
    return account.actor()


def test_the_delay_is_a_setting(world: World) -> None:
    settings = replace(world.office.settings, mandate_papers=Span(90, "day"))
    world = replace(world, office=replace(world.office, settings=settings))
    afi, mandate = accepted(world)
    end_it(world, afi, mandate)
    world.wait(days=91)
    sweep(world.office)
    assert not has_paper(world, mandate)


def test_erasing_an_account_does_not_begin_the_delay_again(world: World) -> None:
    afi, mandate = accepted(world)
    end_it(world, afi, mandate)
    before = world.read(lambda unit: unit.mandate(mandate.id))
    world.wait(days=30)
    erase_own(world.office, afi)
    assert world.read(lambda unit: unit.mandate(mandate.id)) == replace(before, invited="")


def test_the_setting_is_read_and_a_wrong_one_is_named() -> None:
    assert Settings.from_environment({}).mandate_papers == Span(12, "month")
    assert Settings.from_environment({"GUICHET_KEEP_MANDATES": "90 days"}).mandate_papers == Span(90, "day")
    assert unknown_settings({"GUICHET_KEEP_MANDATES": "90 days"}) == ()
    with pytest.raises(WrongSetting, match="GUICHET_KEEP_MANDATES=a year"):
        Settings.from_environment({"GUICHET_KEEP_MANDATES": "a year"})


def test_a_last_day_counts_from_its_evening(world: World) -> None:
    _, mandate = accepted(world)
    with world.office.store.unit(write=True) as unit:
        unit.put_mandate(replace(mandate, status="active", until=world.office.day()))
    world.wait(days=YEAR - 2)
    sweep(world.office)
    assert has_paper(world, mandate)
    world.clock.advance(timedelta(days=3))
    sweep(world.office)
    assert not has_paper(world, mandate)
