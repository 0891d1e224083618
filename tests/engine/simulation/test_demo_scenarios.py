"""The dossiers that a demonstration begins with: the stories of the procedures, told by invented people up to this moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import server
from engine.core.clock import FixedClock, local_day
from engine.core.problems import NOWHERE, problem
from engine.integrations.gateways import InboxSender
from engine.integrations.simulated_operator import SandboxOperator, SandboxProvider
from engine.records.dossier import Actor, Dossier
from engine.services.applications import casework
from engine.services.appointments import office_day
from engine.services.audit.integrity import fsck
from engine.services.audit.statistics import public_counts
from engine.services.context.app_context import AppContext, publish_editions
from engine.services.core import outbound_messages
from engine.services.keys.signing_keys import SigningKeys
from engine.services.sign_in.demo_accounts import is_invented, open_demo
from engine.services.worker.worker import run_pass
from engine.simulation.demo_data import DAYS, before_stories, planned, play_scenarios
from engine.simulation.environment import ScenarioRegister
from engine.simulation.player import ScenarioFailed, ScenarioRun
from engine.storage.files.attachments import AttachmentStore
from engine.storage.sqlite.store import SqliteStore
from renderers.i18n.translations import load_words
from tests.engine.services.world import shipped

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demonstration")]  # all its scenarios, played once

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)  # a Wednesday, while doors are open
PASSPORT = "passeport-ordinaire"


@dataclass
class Demo:
    """A demonstration of the shipped procedures, and what was told there."""

    office: AppContext
    clock: FixedClock
    failed: list[ScenarioFailed]

    def tell(self) -> list[str]:
        return list(play_scenarios(self.office, lambda clock: SandboxOperator(None, clock, b"demo")))

    def dossiers(self) -> list[Dossier]:
        names = list(self.office.store.all_dossiers())
        with self.office.store.unit() as unit:
            return [one for name in names if (one := unit.dossier(name))]

    def agent(self, login: str) -> Actor:
        with self.office.store.unit() as unit:
            account = unit.account_of("agent", login)
        assert account is not None
        return self.office.person(account)


def a_demo(folder: Path) -> Demo:
    clock, letters, store = FixedClock(NOW), InboxSender(), SqliteStore(":memory:")
    store.migrate()
    office = AppContext(
        shipped(), store, AttachmentStore(folder / "files"),
        {"mixx": SandboxProvider(SandboxOperator(None, clock, b"demo"), "mixx")},
        {"sms": letters, "email": letters, "inbox": letters}, {"*": ScenarioRegister()}, clock, load_words(),
        SigningKeys.generate(),
    )  # fmt: skip
    office = replace(publish_editions(before_stories(office)), clock=clock)
    open_demo(office)
    return Demo(office, clock, [])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Told once, for those who only look."""
    demo, failed = a_demo(tmp_path_factory.mktemp("demo")), list[ScenarioFailed]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScenarioRun, "_fail", _noting(failed))
        demo.tell()
    demo.failed = failed
    yield demo
    demo.office.store.close()


def _noting(failed: list[ScenarioFailed]):  # type: ignore[no-untyped-def]
    def fail(told: ScenarioRun, code: str, **facts: object) -> None:
        failed.append(ScenarioFailed(problem(code, NOWHERE, at=f"{told.procedure.id} {told.scenario.id}", **facts)))  # type: ignore[arg-type]
        raise failed[-1]

    return fail


def test_nearly_every_story_goes_as_told_on_another_day(demo: Demo) -> None:
    """What waits so many hours over a weekend may not have come to pass yet: it then stays where it is."""
    assert len(demo.failed) <= 3, [str(one.found) for one in demo.failed]
    assert all(one.found.facts.get("why") == "state" for one in demo.failed)
    assert len(demo.dossiers()) == len(planned(demo.office, NOW)) > 100


def test_each_procedure_has_dossiers_and_most_desks_have_something_to_do(demo: Demo) -> None:
    waiting, seen = set(), set()
    for one in demo.dossiers():
        book = demo.office.catalogue.procedures[one.procedure]
        seen.add(one.procedure)
        if not one.is_draft and book.states[one.state].mode == "by":
            waiting.add(one.procedure)
    assert seen == set(demo.office.catalogue.procedures)
    assert len(waiting) >= 10
    with demo.office.store.unit() as unit:
        desks = [demo.office.person(one) for one in unit.accounts("agent")]
    trays = [casework.inbox_counts(demo.office, one) for one in desks]
    assert sum(one["to_take"] > 0 for one in trays) >= 15
    assert sum(one["late"] > 0 for one in trays) >= 2


def test_all_of_it_is_past_and_nobody_waits_for_time(demo: Demo) -> None:
    """A tour after the last story finds nothing it should have done."""
    for one in demo.dossiers():
        assert NOW - timedelta(days=DAYS + 2) < one.created_at < NOW
        assert one.entered_at <= NOW
        assert one.is_draft or one.submitted_at <= NOW  # type: ignore[operator]
    made = demo.dossiers()
    with demo.office.store.unit() as unit:
        assert unit.due_timers(NOW, 1) == ()
        letters = [letter for one in made for letter in unit.letters_of(one.id)]
    assert len(letters) > 100
    assert all(letter.sent_at is not None and letter.sent_at <= NOW for letter in letters if letter.due_at <= NOW)


def test_people_are_coherent(demo: Demo) -> None:
    """A child is at school, and nobody sent a request under an edition that was not published yet."""
    children = 0
    published = {one.id: demo.office.now() for one in demo.office.catalogue.all()}
    with demo.office.store.unit() as unit:
        for name in published:
            published[name] = min(kept.published_at for kept in unit.editions(name))
    for one in demo.dossiers():
        assert published[one.procedure] < one.created_at, one.number
        born, work = one.answers.get("date_naissance"), one.answers.get("profession")
        if isinstance(born, str) and isinstance(work, str) and local_day(one.created_at).year - int(born[:4]) < 15:
            children += 1
            assert work.startswith("Écoli"), (one.procedure, born, work)
    assert children


def test_somebody_comes_today_and_in_the_coming_days(demo: Demo) -> None:
    held = Counter(
        local_day(one.start) for each in demo.dossiers() for one in each.bookings.values() if one.status == "booked"
    )
    assert held[local_day(NOW)] >= 2
    assert sum(count for at, count in held.items() if at > local_day(NOW)) >= 5
    with demo.office.store.unit() as unit:
        desks = [demo.office.person(one) for one in unit.accounts("agent")]
    assert any(office_day.day(demo.office, one, local_day(NOW)) for one in desks)


def test_people_wrote_and_wait_for_an_answer(demo: Demo) -> None:
    made = [one.id for one in demo.dossiers()]
    with demo.office.store.unit() as unit:
        unread = unit.unread_messages(made, "applicant")
    assert len(unread) >= 5


def test_the_public_figures_have_whole_months_to_tell(demo: Demo) -> None:
    counts = public_counts(demo.office, "2026-09", PASSPORT).counts
    received = Counter[str]()
    for one, n in counts.items():
        if one.figure == "received":
            received[one.month] += n
    assert received["2026-09"] >= 10
    assert received["2026-10"] >= 10


def test_everything_holds_together(demo: Demo) -> None:
    """Journals, money, seats, documents, files: as after any work of the office."""
    assert fsck(demo.office) == ()


def test_every_file_can_be_opened(demo: Demo) -> None:
    files = [(one.id, kept) for one in demo.dossiers() for kept in one.attachments]
    assert len(files) > 200
    for dossier, kept in files[::20]:
        assert len(demo.office.attachments.read(kept.sha256, dossier)) == kept.size


def test_the_people_are_invented(demo: Demo) -> None:
    made = demo.dossiers()
    with demo.office.store.unit() as unit:
        people = {one.owner: unit.account(one.owner) for one in made}
    assert len(people) == len(made)
    assert all(account is not None and is_invented(account) for account in people.values())
    agents = {taken.by for one in made for taken in one.taken if taken.by_kind == "agent"}
    assert agents
    assert all(one.startswith("demo-") for one in agents)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Demo]:
    """The same with one procedure."""
    demo = a_demo(tmp_path)
    catalogue = demo.office.catalogue
    demo.office = replace(
        demo.office, catalogue=replace(catalogue, procedures={PASSPORT: catalogue.procedures[PASSPORT]})
    )
    yield demo
    demo.office.store.close()


def test_none_is_told_twice(small: Demo) -> None:
    made = small.tell()
    assert len(made) == len(set(made)) == len(small.dossiers())
    small.clock.instant += timedelta(days=10)
    assert small.tell() == []
    assert len(small.dossiers()) == len(made)


def test_its_past_is_signed_once_it_is_told(small: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No dossier seems to be dated back, though each was lived before what was told already."""
    small.office = replace(small.office, settings=replace(small.office.settings, checkpoints=tmp_path / "notes"))
    monkeypatch.setattr(server, "PASS_EVERY", -1.0)
    monkeypatch.setattr("engine.simulation.demo_data.planned", lambda *given: planned(*given)[:3])
    telling = play_scenarios(small.office, lambda clock: SandboxOperator(None, clock, b"demo"))
    server._begin(lambda: small.office, threading.Event(), telling, threading.Lock())
    assert not list((tmp_path / "notes").rglob("*.note"))
    run_pass(small.office)
    assert list((tmp_path / "notes").rglob("*.note"))
    assert len(small.dossiers()) == 3
    assert fsck(small.office) == ()


def test_what_was_cut_goes_on_at_the_next_start(small: Demo) -> None:
    telling = play_scenarios(small.office, lambda clock: SandboxOperator(None, clock, b"demo"))
    first = [next(telling), next(telling)]
    telling.close()
    run_pass(small.office)  # between two stories everything is up to date: a tour does no harm
    later = small.tell()
    assert not set(first) & set(later)
    assert len(first) + len(later) == len(small.dossiers()) == len(planned(small.office, NOW))


def test_one_that_goes_wrong_keeps_none_of_the_others(small: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, prepare = [0], ScenarioRun.prepare

    def third_fails(told: ScenarioRun) -> bool:
        wrong[0] += 1
        if wrong[0] == 3:
            raise RuntimeError("not foreseen")
        return prepare(told)

    monkeypatch.setattr(ScenarioRun, "prepare", third_fails)
    assert len(small.tell()) == len(planned(small.office, NOW)) == len(small.dossiers()) + 1


def test_the_questions_are_real_messages(demo: Demo) -> None:
    made = demo.dossiers()
    with demo.office.store.unit() as unit:
        bodies = {one.body for each in made for one in unit.messages_of(each.id)}
    known = set(demo.office.wording.say("demo.questions", "fr", {}).split("\n"))
    assert bodies
    assert bodies <= known
    assert all(len(one) <= outbound_messages.LONGEST for one in known)
