"""One command, one unit, one reply: a double click is the same act; nothing is half kept; a busy store is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import Span
from engine.records.dossier import Dossier
from engine.services.applications import drafts as intake
from engine.services.core import idempotency as command
from engine.services.core.idempotency import DOSSIER, digest_of, once
from engine.storage.gate import Crowded
from engine.storage.results import Away, Busy, Conflict, Reply
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store, Unit
from tests.concurrent_units import Beside, beside
from tests.engine.services.world import B3, World, a_world
from tests.postgres import an_empty_store


class Failing:
    """A store that fails at chosen moments of its writing units, as a cut or a lock would make it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.before: list[Exception] = []
        self.at: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @contextmanager
    def unit(self, write: bool = False, wait_limit: float | None = None) -> Iterator[Unit]:
        if write and self.before:
            raise self.before.pop(0)
        with self.store.unit(write) as unit:
            yield _Cut(unit, self) if write and self.at else unit  # type: ignore[misc]


class _Cut:
    def __init__(self, unit: Unit, plan: Failing) -> None:
        self._unit, self._plan = unit, plan

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._unit, name)

        def call(*given: Any, **more: Any) -> Any:
            answer = verb(*given, **more)
            if name == self._plan.at:
                raise Killed
            return answer

        return call


class Killed(BaseException):
    """The process ends here."""


def test_a_second_click_is_the_same_act(world: World) -> None:
    owner = world.applicant()
    criteria = {"etranger": False}
    first = intake.open_dossier(world.office, owner, B3, criteria=criteria, token="t")
    again = intake.open_dossier(world.office, owner, B3, criteria=criteria, token="t")
    assert again == first
    assert world.kinds(first) == ["opened"]


def test_submitting_twice_sends_once(world: World) -> None:
    owner, dossier = world.applicant(), world.filled()
    first = intake.submit(world.office, owner, dossier.id, declared=True, revision=dossier.revision, token="t")
    again = intake.submit(world.office, owner, dossier.id, declared=True, revision=dossier.revision, token="t")
    assert again == first
    assert world.kinds(first).count("submitted") == 1
    with pytest.raises(Refused, match="already_submitted"):
        intake.submit(world.office, owner, dossier.id, declared=True, token="other")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_second_click_during_the_first_is_answered_like_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for what the first holds, and finds it sent: by itself."""
    store: Store = SqliteStore(tmp_path / "guichet.db") if kind == "sqlite" else an_empty_store()
    world = a_world(tmp_path, store)
    draft = world.filled(B3)
    send = lambda: intake.submit(world.office, world.owner(draft), draft.id, declared=True, token="t")  # noqa: E731
    second = Beside(store, send)
    with monkeypatch.context() as patch:
        beside(patch, intake, "carry_out", second)
        first = send()
    assert second.end() == first
    assert world.kinds(draft).count("submitted") == 1

    stranger = Beside(store, lambda: intake.drop_draft(world.office, world.owner(draft), draft.id, token="other"))
    stranger.begin()
    assert isinstance(stranger.end(), Refused), "another command is refused as ever"
    store.close()


def test_a_token_serves_one_act_only(world: World) -> None:
    owner, dossier = world.applicant(), world.draft()
    intake.save_page(world.office, owner, dossier.id, "identite", {"nom": ["DOSSEH"]}, token="t")
    with pytest.raises(Refused, match="token_reused"):
        intake.save_page(world.office, owner, dossier.id, "identite", {"nom": ["AMEGAN"]}, token="t")
    assert world.kept(dossier).answers["nom"] == "DOSSEH"


def test_two_people_may_use_the_same_token(world: World) -> None:
    criteria = {"etranger": False}
    first = intake.open_dossier(world.office, world.applicant(), B3, criteria=criteria, token="t")
    other = intake.open_dossier(world.office, world.applicant("+22890445566"), B3, criteria=criteria, token="t")
    assert first.id != other.id


def test_a_refused_act_may_be_tried_again_with_its_token(world: World) -> None:
    owner, dossier = world.applicant(), world.filled()
    with pytest.raises(Refused, match="undeclared"):
        intake.submit(world.office, owner, dossier.id, declared=False, token="t")
    assert intake.submit(world.office, owner, dossier.id, declared=True, token="t").submitted_at


def test_a_stale_revision_is_a_conflict(world: World) -> None:
    owner, dossier = world.applicant(), world.draft()
    intake.save_page(world.office, owner, dossier.id, "identite", {"nom": ["DOSSEH"]}, revision=dossier.revision)
    with pytest.raises(Conflict):
        intake.save_page(world.office, owner, dossier.id, "identite", {"nom": ["KOFFI"]}, revision=dossier.revision)
    assert world.kept(dossier).answers["nom"] == "DOSSEH"


def test_a_busy_store_is_tried_again_for_a_command_with_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.time, "sleep", lambda seconds: None)
    store = Failing(SqliteStore(":memory:"))
    world = a_world(tmp_path, store)  # type: ignore[arg-type]
    owner = world.applicant()
    store.before = [Busy("locked")] * 4
    assert intake.open_dossier(world.office, owner, B3, criteria={"etranger": False}, token="t")
    store.before = [Busy("locked")] * 5
    with pytest.raises(Busy):
        intake.open_dossier(world.office, owner, B3, criteria={"etranger": False}, token="u")
    store.before = [Busy("locked")]
    with pytest.raises(Busy):
        intake.open_dossier(world.office, owner, B3, criteria={"etranger": False})


@pytest.mark.parametrize(("error", "tries"), [(Busy, 5), (Away, 2), (Crowded, 1)])
def test_how_often_each_is_tried_and_what_it_is_told_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Busy], tries: int
) -> None:
    """A server that is away is reported as such. Without a place no thread is held by another try."""
    monkeypatch.setattr(command.time, "sleep", lambda seconds: None)
    store = Failing(SqliteStore(":memory:"))
    world = a_world(tmp_path, store)  # type: ignore[arg-type]
    owner = world.applicant()
    store.before = [error("line")] * 9
    with pytest.raises(Busy) as told:
        intake.open_dossier(world.office, owner, B3, criteria={"etranger": False}, token="t")
    assert type(told.value) is error
    assert len(store.before) == 9 - tries


@pytest.mark.parametrize("moment", ["put_dossier", "add_entries", "add_letter", "set_timers", "add_reply"])
def test_killed_anywhere_nothing_is_half_kept(tmp_path: Path, moment: str) -> None:
    store = Failing(SqliteStore(":memory:"))
    world = a_world(tmp_path, store)  # type: ignore[arg-type]
    owner, dossier = world.applicant(), world.filled()
    before, kinds, letters = world.kept(dossier), world.kinds(dossier), world.letters()
    store.at = moment
    with pytest.raises(Killed):
        intake.submit(world.office, owner, dossier.id, declared=True, token="t")
    store.at = None
    assert (world.kept(dossier), world.kinds(dossier), world.letters()) == (before, kinds, letters)
    assert intake.submit(world.office, owner, dossier.id, declared=True, token="t").state == "a_payer"


def test_a_twin_that_keeps_coming_first_makes_us_busy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.time, "sleep", lambda seconds: None)
    owner, dossier = world.applicant(), world.draft()
    tries: list[int] = []

    def work(unit: Unit) -> Dossier:
        """Its twin's reply comes between our look-up and ours, and is undone with our unit."""
        tries.append(1)
        unit.add_reply(Reply(owner.id, "verb", "t", "other", dossier.id, world.office.now()))
        return dossier

    with pytest.raises(Busy):
        once(world.office, owner, "verb", "t", "x", work, DOSSIER)
    assert len(tries) == command.TRIES


def test_equal_arguments_have_one_digest() -> None:
    assert digest_of({"a": (1, b"x"), "b": date(2026, 1, 1)}) == digest_of({"b": date(2026, 1, 1), "a": [1, b"x"]})
    assert digest_of(frozenset({"b", "a"})) == digest_of(["a", "b"])
    with pytest.raises(TypeError):
        digest_of(object())


def test_a_digest_is_that_of_earlier_releases() -> None:
    posted = MappingProxyType({"nom": ["É", 'x"\n'], "fichier": (b"octets",)})
    moments = {"b": date(2026, 1, 1), "a": datetime(2026, 1, 1, tzinfo=UTC)}
    arguments = ("d1", "page", posted, moments, Span(3, "day", True), frozenset({"b", "a"}), None, True, 7)
    assert digest_of(arguments) == "ea6965ed1472b0fde135d90457ea0b4f8cddf25d222538e00b5d1f5e6ca6f2e1"  # stored replies
