"""Dossiers move and the figures follow: counted once each, whoever counts, and told to whom they concern."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.values import new_id
from engine.domain.common.decision import Act
from engine.domain.reporting.figures import figures_of
from engine.records.dossier import Account, Actor
from engine.records.statistics import CURRENT, ENTRIES, JOURNAL, Count, CounterQuery, JournalCursor
from engine.services.applications import casework
from engine.services.applications.drafts import drop_draft, save_page
from engine.services.audit import statistics
from engine.services.audit.integrity import fsck
from engine.services.worker.worker import run_pass
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.world import B3, MONDAY, PASSPORT, World, a_world
from tests.postgres import an_empty_store

NOW = "2026-11"
ALL = CounterQuery((NOW, "2026-12", CURRENT))
DESK, OTHER_DESK = "dgdn_lome", "dgdn_kara"


def counted(world: World) -> dict[tuple[str, str, str], int]:
    """By procedure, figure and detail, after a while."""
    world.wait(minutes=6)
    statistics.count_up(world.office)
    found = world.read(lambda unit: unit.tallies_together(ALL))
    return {(one.procedure, one.figure, one.detail): n for one, n in found.items()}


def a_checker(world: World) -> Actor:
    return world.agent("controleur", "dgdn/controleur")


class TestCounting:
    def test_a_story_of_the_passport(self, world: World) -> None:
        checker, ama, kofi = a_checker(world), world.applicant(), world.applicant("+22890112234")
        first, second = world.sent(PASSPORT, ama), world.sent(PASSPORT, kofi)
        found = counted(world)
        assert found[PASSPORT, "received", "web"] == found[PASSPORT, "standing", ""] == 2
        asked = {"acte_naissance": "Illisible"}
        world.wait(days=2)
        casework.take_transition(
            world.office, checker, first.id, Act("faire_corriger", reason="x", correction=asked), token=new_id()
        )
        world.wait(days=1)
        world.take(second, checker, "refuser", reason="Pas de ce pays")
        found = counted(world)
        assert found[PASSPORT, "answered", "refused"] == 1
        assert found[PASSPORT, "refusal", "refuser>refuse"] == 1
        assert found[PASSPORT, "delay", "working_day:3"] == 1
        assert found[PASSPORT, "standing", ""] == 1
        assert (PASSPORT, "corrected", "") not in found  # not answered yet
        world.take(first, ama, "retirer")
        found = counted(world)
        assert found[PASSPORT, "answered", "withdrawn"] == 1
        assert found[PASSPORT, "corrected_field", "acte_naissance"] == 1
        assert (PASSPORT, "standing", "") not in found
        assert (PASSPORT, "late", "") not in found

    def test_a_payment_and_the_extract_that_follows(self, world: World) -> None:
        dossier = world.paid(world.sent(B3))
        world.wait(minutes=1)
        run_pass(world.office)
        found = counted(world)
        assert found[B3, "payment", "sandbox:started"] == found[B3, "payment", "sandbox:paid"] == 1
        assert world.kept(dossier).state != "a_payer"

    def test_a_draft_that_goes_tells_how_far_it_came(self, world: World) -> None:
        dossier = world.draft(B3)
        page = world.office.catalogue.procedures[B3].form.pages[0].id
        save_page(world.office, world.applicant(), dossier.id, page, {}, revision=dossier.revision, token=new_id())
        drop_draft(world.office, world.applicant(), world.kept(dossier).id, token=new_id())
        found = counted(world)
        assert found[B3, "opened", "web"] == 1
        assert [key for key in found if key[1] == "dropped"] == [(B3, "dropped", "")]

    def test_counting_keeps_behind_and_counts_nothing_twice(self, world: World) -> None:
        world.sent(PASSPORT)
        assert statistics.count_up(world.office) == 0
        assert statistics.counted_until(world.office) == MONDAY
        world.wait(minutes=6)
        assert statistics.count_up(world.office) == 2
        assert statistics.counted_until(world.office) == world.office.now()
        assert statistics.count_up(world.office) == 0
        before = counted(world)
        assert statistics.count_again(world.office) == 2
        assert counted(world) == before

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    @pytest.mark.parametrize("earlier", [False, True])
    def test_what_was_sealed_while_the_clock_was_back_is_told_by_fsck(
        self, earlier: bool, kind: str, tmp_path: Path
    ) -> None:
        world = a_world(tmp_path, SqliteStore(tmp_path / "g.db") if kind == "sqlite" else an_empty_store())
        world.sent(PASSPORT)
        counted(world)
        if earlier:  # counted by a release that did not keep how many
            with world.office.store.unit(write=True) as unit:
                mark = unit.tally_mark()
                assert mark
                unit.add_tallies({ENTRIES: -unit.tallies(CounterQuery((JOURNAL,)))[ENTRIES]}, mark, mark)
            world.sent(PASSPORT, world.applicant("+22890112235"))
            counted(world)
        assert fsck(world.office) == ()
        world.wait(minutes=-20)
        world.sent(B3, world.applicant("+22890112234"))
        world.wait(hours=2)
        assert (B3, "received", "web") not in counted(world)
        assert [(one.code, one.facts) for one in fsck(world.office)] == [("counts_differ", {"about": 2})]
        statistics.count_again(world.office)
        assert counted(world)[B3, "received", "web"] == 1
        assert fsck(world.office) == ()
        world.office.store.close()

    def test_in_slices_or_at_once_it_comes_to_the_same(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        checker = a_checker(world)
        for number in range(4):
            dossier = world.sent(PASSPORT, world.applicant(f"+2289011223{number}"))
            world.take(dossier, checker, "refuser", reason="x")
        whole = counted(world)
        monkeypatch.setattr(statistics, "BATCH", 1)
        assert statistics.count_again(world.office) == 12
        assert counted(world) == whole

    def test_several_workers_count_each_entry_once(self, tmp_path: Path) -> None:
        world = a_world(tmp_path, SqliteStore(tmp_path / "guichet.db"))
        for number in range(6):
            world.sent(PASSPORT, world.applicant(f"+2289011223{number}"))
        world.wait(minutes=6)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: statistics.count_up(world.office), range(3)))
        assert counted(world)[PASSPORT, "received", "web"] == 6

    def test_a_dossier_that_cannot_be_counted_stops_no_other(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken, _ = world.sent(PASSPORT), world.sent(B3)
        real = statistics.counts_of

        def fails(case: statistics.CountedDossier, *rest: object) -> object:
            if case.dossier.id == broken.id:
                raise ArithmeticError
            return real(case, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(statistics, "counts_of", fails)
        found = counted(world)
        assert (B3, "received", "web") in found
        assert (PASSPORT, "received", "web") not in found

    def test_nothing_of_a_person_is_counted(self, world: World) -> None:
        dossier = world.sent(PASSPORT)
        world.take(dossier, a_checker(world), "refuser", reason="Nom : AMEGAN")
        counted(world)
        found = str(world.read(lambda unit: unit.tallies(ALL)))
        for said in (dossier.number, dossier.id, dossier.owner, "AMEGAN", "controleur"):
            assert said not in found


class TestWhoKnows:
    @pytest.fixture
    def known(self, world: World) -> World:
        """Three passports at two offices, five extracts of a criminal record."""

        def received(procedure: str, place: str) -> Count:
            return Count(procedure, NOW, "received", place, "web")

        counts = {received(PASSPORT, DESK): 1, received(PASSPORT, OTHER_DESK): 2, received(B3, "casier_lome"): 5}
        counts[received("", "")] = sum(counts.values())
        with world.office.store.unit(write=True) as unit:
            unit.add_tallies(counts, None, JournalCursor(MONDAY))
        return world

    def received(self, world: World, actor: Actor, procedure: str = "", place: str = "") -> int:
        if procedure:
            counts = statistics.counts_of_one(world.office, actor, NOW, procedure, place).counts
        else:
            counts = statistics.trend_of(world.office, statistics.reach(world.office, actor, place), NOW).counts
        return figures_of(counts, NOW, NOW).total("received")

    def test_an_agent_knows_their_procedures_in_their_offices(self, known: World) -> None:
        everywhere = a_checker(known)
        here = known.agent("ici", "dgdn/controleur", offices=(DESK,))
        assert self.received(known, everywhere) == 3
        assert self.received(known, everywhere, PASSPORT, OTHER_DESK) == 2
        assert self.received(known, everywhere, B3) == 0
        assert self.received(known, here) == self.received(known, here, PASSPORT) == 1
        assert self.received(known, here, PASSPORT, OTHER_DESK) == 0

    def test_who_leads_an_agency_knows_all_its_offices_and_no_other_agency(self, known: World) -> None:
        account = Account("chef", "agent", "Chef", "chef", offices=(DESK,), administers=("dgdn",))
        lead = account.actor()
        assert self.received(known, lead) == 3
        assert self.received(known, lead, B3) == 0

    def test_a_controller_knows_what_the_mandate_names(self, known: World) -> None:
        assert self.received(known, known.auditor()) == 8
        bound = Account("borne", "auditor", "Borné", "borne", procedures=(B3,)).actor()
        assert self.received(known, bound) == 5

    def test_applicants_and_strangers_know_nothing_here(self, known: World) -> None:
        assert self.received(known, known.applicant()) == 0

    def test_an_agent_sees_their_own_acts_only(self, world: World) -> None:
        mine, other = a_checker(world), world.agent("autre", "dgdn/controleur")
        world.take(world.sent(PASSPORT), mine, "conforme")
        first, end = MONDAY - timedelta(days=1), MONDAY + timedelta(days=1)
        assert statistics.own_acts(world.office, mine, first, end) == statistics.OwnActs(1, 1, 0)
        assert statistics.own_acts(world.office, other, first, end) == statistics.OwnActs(0, 0, 0)
        assert statistics.own_acts(world.office, mine, end, end) == statistics.OwnActs(0, 0, 0)
