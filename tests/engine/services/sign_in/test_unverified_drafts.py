"""Drafts begun before a number is proven: who reaches them, whose they become, when they go. On both stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.domain.common.access import is_owner
from engine.records.dossier import Account, Actor, Dossier
from engine.services.accounts import applicant_account as own_account
from engine.services.accounts import delegation as representation
from engine.services.accounts.personal_data_export import export_own
from engine.services.applications import drafts as intake
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from engine.services.sign_in import sessions
from engine.services.sign_in import unverified_drafts as claims
from engine.services.sign_in.sessions import SignedIn
from engine.services.sign_in.unverified_drafts import adopt, forsake, go_on_unproven, waiting
from engine.services.worker.worker import run_timers, sweep
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.services.world import B3, PHONE, World, a_world
from tests.postgres import an_empty_store

OTHER = "+22891445566"


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store: Store = SqliteStore(":memory:") if request.param == "sqlite" else an_empty_store()
    store.migrate()
    yield a_world(tmp_path, store)
    store.close()


def begun(world: World, phone: str = PHONE) -> tuple[SignedIn, Dossier]:
    """Somebody who went on without a code, and their draft with everything in it."""
    signed = go_on_unproven(world.office, phone)
    world.people[signed.actor.id] = signed.actor
    return signed, world.filled(B3, signed.actor)


def account(world: World, account_id: str) -> Account:
    found: Account | None = world.read(lambda unit: unit.account(account_id))
    assert found is not None
    return found


def refusal_of(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.reason.code


# -- before ------------------------------------------------------------------------------------------------------------


def test_nothing_but_drafts_is_theirs(world: World) -> None:
    signed, draft = begun(world)
    who = signed.actor
    assert who.unproven
    assert is_owner(draft, who)
    assert not is_owner(replace(draft, submitted_at=world.office.now()), who)
    with pytest.raises(Refused) as refused:
        intake.submit(world.office, who, draft.id, declared=True)
    assert refusal_of(refused) == "unproven"
    with pytest.raises(Refused) as refused:
        representation.ask_person(world.office, who, OTHER, "Kossi")
    assert refusal_of(refused) == "unproven"
    for verb in (own_account.own, own_account.erase_own, export_own):
        with pytest.raises(NotFound):
            verb(world.office, who)
    assert world.letters() == [], "a number that is not proven is written nothing"
    assert draft.contact_phone is None


def test_the_owner_of_the_number_neither_sees_it_nor_is_seen(world: World) -> None:
    owner = world.applicant()
    theirs = world.sent(B3, owner)
    signed, draft = begun(world)
    with pytest.raises(NotFound):
        intake.see(world.office, signed.actor, theirs.id)
    with pytest.raises(NotFound):
        intake.see(world.office, owner, draft.id)
    assert [line.id for line in intake.mine(world.office, signed.actor)] == [draft.id]


def test_so_many_drafts_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOST_UNPROVEN", 1)
    signed, draft = begun(world)
    assert world.draft(B3, signed.actor).id == draft.id, "the same procedure has one draft"
    with pytest.raises(Refused) as refused:
        intake.open_dossier(world.office, signed.actor, "duplicata-bac", criteria={})
    assert refusal_of(refused) == "unproven"


# -- becoming their owner's --------------------------------------------------------------------------------------------


def test_the_number_once_proven_it_is_theirs_whole(world: World) -> None:
    signed, draft = begun(world)
    owner = world.applicant()
    assert adopt(world.office, owner, signed.token) == ()
    after = world.kept(draft)
    assert (after.owner, after.contact_phone, after.revision) == (owner.id, PHONE, draft.revision + 1)
    assert (after.answers, after.attachments) == (draft.answers, draft.attachments)
    assert world.kinds(after)[-1] == "adopted"
    assert world.kinds(after).count("opened") == 1, "statistics count it once"
    assert sessions.actor_of(world.office, signed.token) is None, "that browser is nobody any more"
    assert account(world, signed.actor.id).profile == {}
    assert draft.number in str(export_own(world.office, owner))
    assert fsck(world.office) == ()
    sent = intake.submit(world.office, owner, draft.id, declared=True)
    assert sent.submitted_at is not None


def test_twice_is_once(world: World) -> None:
    signed, draft = begun(world)
    owner = world.applicant()
    adopt(world.office, owner, signed.token)
    revision = world.kept(draft).revision
    assert adopt(world.office, owner, signed.token) == ()
    assert world.kept(draft).revision == revision


@pytest.mark.parametrize("choice", ["this", "other"])
def test_one_draft_a_procedure_and_person(world: World, choice: claims.Choice) -> None:
    owner = world.applicant()
    old = world.filled(B3, owner)
    signed, new = begun(world)
    (left,) = adopt(world.office, owner, signed.token)
    assert (left.draft.id, left.rival and left.rival.id) == (new.id, old.id)
    assert [one.draft.id for one in waiting(world.office, owner, signed.token)] == [new.id]
    assert {world.kept(one).closed_at for one in (old, new)} == {None}, "nothing goes before a choice"
    assert adopt(world.office, owner, signed.token, {new.number: choice}) == ()
    kept, gone = (new, old) if choice == "this" else (old, new)
    assert (world.kept(kept).owner, world.kept(kept).closed_at) == (owner.id, None)
    assert (dict(world.kept(gone).answers), world.kept(gone).closed_at is None) == ({}, False)
    assert fsck(world.office) == ()


def test_another_number_is_asked_about(world: World) -> None:
    signed, draft = begun(world, OTHER)
    owner = world.applicant()
    (left,) = adopt(world.office, owner, signed.token)
    assert (left.phone, left.rival) == (OTHER, None)
    claims.claim_other(world.office, signed.actor, PHONE)
    assert adopt(world.office, owner, signed.token) == ()
    assert world.kept(draft).owner == owner.id


@pytest.mark.parametrize("who", ["unproven", "acting", "agent"])
def test_nobody_else_takes_it(world: World, who: str) -> None:
    signed, draft = begun(world)
    people: dict[str, Actor] = {
        "unproven": go_on_unproven(world.office, PHONE).actor,
        "acting": replace(world.applicant(), principal="somebody"),
        "agent": world.agent("greffe"),
    }
    assert adopt(world.office, people[who], signed.token, {draft.number: "this"}) == ()
    assert world.kept(draft).owner == signed.actor.id


# -- going -------------------------------------------------------------------------------------------------------------


def test_leaving_forgets_it(world: World) -> None:
    signed, draft = begun(world)
    forsake(world.office, signed.token)
    after = world.kept(draft)
    assert (dict(after.answers), after.attachments, after.closed_at is None) == ({}, (), False)
    assert sessions.actor_of(world.office, signed.token) is None
    assert fsck(world.office) == ()


def test_it_lives_as_long_as_any_draft_and_then_goes_with_its_number(world: World) -> None:
    signed, draft = begun(world)
    world.wait(days=29)
    sweep(world.office)
    assert sessions.actor_of(world.office, signed.token) is not None
    world.wait(days=2)
    run_timers(world.office)
    sweep(world.office)
    after, left = world.kept(draft), account(world, signed.actor.id)
    assert (dict(after.answers), after.closed_at is None) == ({}, False)
    assert (left.profile, left.disabled, left.is_claimed) == ({}, True, False)
    assert world.letters() == [], "no reminder went to a number that is not proven"
    assert fsck(world.office) == ()


def test_a_session_that_is_over_takes_its_drafts_along(world: World) -> None:
    """Even where the time of a draft and that of a browser are not set alike."""
    world.office = replace(world.office, settings=replace(world.office.settings, kept_lasts=timedelta(days=3)))
    signed, draft = begun(world)
    world.wait(days=4)
    sweep(world.office)
    assert world.kept(draft).closed_at is not None
    assert account(world, signed.actor.id).disabled


def test_many_that_are_over_on_one_day_all_go_on_that_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One address begins thousands a day: their numbers do not wait for a place among five hundred."""
    monkeypatch.setattr(claims, "CLOSED_AT_ONCE", 2)
    begun_today = [go_on_unproven(world.office, PHONE).actor.id for _ in range(5)]
    world.wait(days=31)
    sweep(world.office)
    assert [account(world, one).profile for one in begun_today] == [{}] * 5
