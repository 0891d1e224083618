"""A draft sent, given up or handed over in one tab while another does something with it, on both stores: what was sent stays whole,
what was given up stays empty, what was begun anew is what is written in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.records.dossier import Actor, Dossier
from engine.services.accounts import applicant_account as own_account
from engine.services.applications import drafts as intake
from engine.services.applications.draft_answers import keep_answers
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from engine.services.core.commit import forget_draft, forget_expired
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in import unverified_drafts as claims
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.concurrent_units import Beside, beside
from tests.engine.services.accounts.test_own_account import NEW, code_in
from tests.engine.services.world import B3, PHONE, World, a_world
from tests.postgres import an_empty_store

COPY = "copie-acte-etat-civil"


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store: Store = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield a_world(tmp_path, store)
    store.close()


def refusal(answer: object) -> str:
    assert isinstance(answer, Refused), repr(answer)
    return answer.reason.code


def sent_while(world: World, patch: pytest.MonkeyPatch, draft: Dossier, act: Callable[[], Any]) -> tuple[Dossier, Any]:
    """The draft is sent in one tab; before that is kept for good, the other tab acts. Both answers."""
    other = Beside(world.office.store, act)
    beside(patch, intake, "carry_out", other)
    sent = intake.submit(world.office, world.owner(draft), draft.id, declared=True, token=new_id())
    return sent, other.end()


def given_up_while(world: World, patch: pytest.MonkeyPatch, draft: Dossier, act: Callable[[], Any]) -> Any:
    other = Beside(world.office.store, act)
    beside(patch, intake, "forget_draft", other)
    intake.drop_draft(world.office, world.owner(draft), draft.id, token=new_id())
    return other.end()


def is_whole(world: World, sent: Dossier, draft: Dossier) -> bool:
    kept = world.kept(sent)
    told = world.read(lambda unit: unit.salts(sent.id))
    return kept == sent and kept.attachments == draft.attachments and len(told) > 0 and kept.closed_at is None


def begun_here(world: World) -> tuple[str, Actor, Dossier]:
    """Somebody who went on without a code: their token, and their draft."""
    signed = claims.go_on_unproven(world.office, PHONE)
    world.people[signed.actor.id] = signed.actor
    return signed.token, signed.actor, world.filled(B3, signed.actor)


# -- sent meanwhile ----------------------------------------------------------------------------------------------------


def test_the_other_draft_sent_meanwhile_is_not_forgotten_for_this_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    me = world.applicant()
    old = world.filled(B3, me)
    token, _, new = begun_here(world)
    sent, left = sent_while(
        world, monkeypatch, old, lambda: claims.adopt(world.office, me, token, {new.number: "this"})
    )  # fmt: skip
    assert left == ()
    assert is_whole(world, sent, old)
    assert (world.kept(new).owner, world.kept(new).closed_at) == (me.id, None)
    assert fsck(world.office) == ()


def test_an_account_is_not_erased_over_what_is_being_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    me = world.applicant()
    draft = world.filled(B3, me)
    sent, answer = sent_while(world, monkeypatch, draft, lambda: own_account.erase_own(world.office, me))
    assert refusal(answer) == "erase_running"
    assert is_whole(world, sent, draft)
    assert not own_account.own(world.office, me).account.disabled
    assert fsck(world.office) == ()


def test_what_is_being_sent_is_not_answered_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    me = world.applicant()
    draft = world.filled(COPY, me, mairie="golfe_1")
    sent, begun = sent_while(
        world, monkeypatch, draft,
        lambda: intake.open_dossier(world.office, me, COPY, criteria={"mairie": "agoe_nyive_1"}, token=new_id()),
    )  # fmt: skip
    assert is_whole(world, sent, draft)
    assert (sent.answers["mairie"], world.kinds(sent)[-1]) == ("golfe_1", "submitted")
    assert (begun.is_open_draft, begun.answers["mairie"]) == (True, "agoe_nyive_1")
    assert begun.id != draft.id
    assert fsck(world.office) == ()


# -- given up meanwhile ------------------------------------------------------------------------------------------------


def test_what_is_begun_again_is_not_written_in_what_was_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    me = world.applicant()
    draft = world.draft(COPY, me, mairie="golfe_1")
    begun = given_up_while(
        world, monkeypatch, draft,
        lambda: intake.open_dossier(world.office, me, COPY, criteria={"mairie": "agoe_nyive_1"}, token=new_id()),
    )  # fmt: skip
    assert [line.id for line in intake.mine(world.office, me)] == [begun.id]
    assert begun.answers["mairie"] == "agoe_nyive_1"
    assert dict(world.kept(draft).answers) == {}
    assert fsck(world.office) == ()


@pytest.mark.parametrize("act", ["adopt", "forsake"])
def test_what_was_given_up_is_neither_handed_over_nor_given_up_again(
    act: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = world.applicant()
    token, _, draft = begun_here(world)
    acts: dict[str, Callable[[], Any]] = {
        "adopt": lambda: claims.adopt(world.office, me, token),
        "forsake": lambda: claims.forsake(world.office, token),
    }
    assert given_up_while(world, monkeypatch, draft, acts[act]) in ((), None)
    assert (world.kept(draft).owner, world.kinds(draft).count("dropped")) == (draft.owner, 1)
    assert world.kinds(draft)[-1] == "dropped"
    assert fsck(world.office) == ()


def test_an_account_is_erased_with_what_was_given_up_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    me = world.applicant()
    draft = world.draft(B3, me)
    erased = given_up_while(world, monkeypatch, draft, lambda: own_account.erase_own(world.office, me))
    assert erased == own_account.ErasureResult(drafts=0, kept=0)
    assert world.kinds(draft).count("dropped") == 1
    assert fsck(world.office) == ()


# -- begun meanwhile ---------------------------------------------------------------------------------------------------


def test_nothing_is_begun_in_an_account_that_is_being_erased(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    me = world.applicant()
    world.draft(B3, me)
    other = Beside(
        world.office.store,
        lambda: intake.open_dossier(world.office, me, COPY, criteria={"mairie": "golfe_1"}, token=new_id()),
    )
    beside(monkeypatch, own_account, "forget_draft", other)
    own_account.erase_own(world.office, me)
    assert isinstance(other.end(), NotFound)
    assert not any(line.closed is False for line in world.read(lambda unit: unit.dossiers_of(me.id)))


def test_what_is_begun_while_the_others_are_handed_over_comes_along(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    me = world.applicant()
    token, unproven, _ = begun_here(world)
    other = Beside(world.office.store, lambda: claims.adopt(world.office, me, token))
    beside(monkeypatch, intake, "journalise", other)
    begun = intake.open_dossier(world.office, unproven, COPY, criteria={"mairie": "golfe_1"}, token=new_id())
    assert other.end() == ()
    assert world.kept(begun).owner == me.id


def test_a_number_whose_holder_begins_something_is_theirs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    me, holder = world.applicant(), world.applicant(NEW)
    accounts.send_code(world.office, NEW)
    code = code_in(world, NEW)
    other = Beside(world.office.store, lambda: own_account.add_identifier(world.office, me, "phone", NEW, code))
    beside(monkeypatch, intake, "journalise", other)
    begun = intake.open_dossier(world.office, holder, COPY, criteria={"mairie": "golfe_1"}, token=new_id())
    assert refusal(other.end()) == "address_taken"
    assert world.read(lambda unit: unit.account(holder.id)).login == NEW
    assert world.kept(begun).is_open_draft


# -- whoever asks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["saved", "linked", "reused"])
def test_what_only_a_draft_may_have_befalls_nothing_else(kind: str, world: World) -> None:
    me = world.applicant()
    sent, dropped = world.sent(B3, me), world.draft(B3, me)
    intake.drop_draft(world.office, me, dropped.id)
    for dossier, code in ((sent, "already_submitted"), (world.kept(dropped), "closed")):
        before = world.kept(dossier)
        with pytest.raises(Refused) as refused, world.office.store.unit(write=True) as unit:
            keep_answers(world.office, unit, before, replace(before, answers={"mairie": "x"}), kind, me)
        assert refusal(refused.value) == code
        with pytest.raises(Refused) as refused, world.office.store.unit(write=True) as unit:
            forget_draft(world.office, unit, before, me)
        assert refusal(refused.value) == code
        assert world.kept(dossier) == before
    with pytest.raises(Refused), world.office.store.unit(write=True) as unit:
        forget_expired(world.office, unit, replace(sent, closed_at=sent.submitted_at))
    assert fsck(world.office) == ()
