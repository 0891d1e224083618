"""B15, B16. Random events on dossiers of seven shipped procedures, on a real store.

The service stops, dies at any statement, is restored from a backup, publishes and migrates; retention erases data. Nothing
acknowledged is lost, each dossier follows its own edition, and erased data is gone. Data derived from the journal is the same when
derived again. Then the mutants. `guichet test --explore` covers the branches of one procedure; this test covers events between them.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from engine.core.problems import Refused
from engine.journal.leaves import Leaf, Tree
from engine.journal.merkle import Growing, leaf_hash, root_of
from engine.services.audit.statistics import count_again, count_up
from engine.services.context.edition_cache import EditionCache
from engine.services.core.checkpoints import _note
from engine.services.worker import retention
from engine.simulation.player import ScenarioFailed
from engine.storage.sqlite.write_queue import Flush
from tests.effort import EFFORT, tries
from tests.faults.random_dossiers import Choose, Died, Lives, begun, wrong_in

pytestmark = [pytest.mark.slow, pytest.mark.faults]
RUNS, STEPS, PATHS = 8, 30, 4
USUAL = ("begins", "goes_on", "goes_on", "goes_on", "goes_on", "is_called", "waits")
UNUSUAL = ("stops", "dies", "dies", "is_kept_aside", "comes_back", "is_published", "comes_over")


class Living(RuleBasedStateMachine):
    """Each rule is one thing that may happen; hypothesis chooses which, to whom, and how."""

    lives: Lives

    @initialize()
    def opens(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lives"))
        self.lives = begun(self.folder)

    @rule(data=st.data())
    def begins(self, data: Any) -> None:
        self.lives.begins(_drawn(data))

    @rule(data=st.data(), times=st.integers(1, 4))
    def goes_on(self, data: Any, times: int) -> None:
        for _ in range(times):
            self.lives.goes_on(_drawn(data))

    @rule(data=st.data(), what=st.sampled_from(("is_called", "waits", *UNUSUAL)))
    def happens(self, data: Any, what: str) -> None:
        getattr(self.lives, what)(_drawn(data))

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "lives"):
            assert list(wrong_in(self.lives)) == []

    def teardown(self) -> None:
        if hasattr(self, "lives"):
            self.lives.store.close()
            shutil.rmtree(self.folder)


def _drawn(data: Any) -> Choose:
    return lambda things: data.draw(st.sampled_from(list(things)))


def test_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run_state_machine_as_test(
        Living,
        settings=settings(
            max_examples=tries(RUNS), stateful_step_count=STEPS, deadline=None, derandomize=EFFORT == 1, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@contextmanager
def walking(folder: Path, seed: int, steps: int, names: Sequence[str]) -> Iterator[Iterator[Lives]]:
    """The same by plain chance: the lives after each step."""
    chance, lives = random.Random(seed), begun(folder)

    def walk() -> Iterator[Lives]:
        for _ in range(steps):
            getattr(lives, chance.choice(names))(chance.choice)
            yield lives

    try:
        yield walk()
    finally:
        lives.store.close()


# -- B16: derived again -------------------------------------------------------------------------------------------------


def derived(lives: Lives) -> dict[str, Any]:
    """What is worked out from the journal and kept beside it, each row: counts, and the tree that signs it."""
    office = lives.office
    while count_up(office):
        pass
    with office.store.unit(write=True) as unit:
        tree = unit.tree()
        owed = unit.owed_leaves(100_000)
        unit.add_leaves(_size(unit), owed)
        size = _size(unit)
        unit.put_tree(Tree(size, office.now(), _note(office, unit, size)), first=tree is None)
        root = root_of(size, unit.tree_nodes)
    return {"tallies": _tallies(lives), "root": root, "size": size}


def _tallies(lives: Lives) -> list[tuple[Any, ...]]:
    """Each row that counts something."""
    with lives.office.store.tables("read") as rows:
        columns, key = rows.columns("tally"), rows.key("tally")
        return [tuple(row) for row in rows.read("tally", columns, key) if row[columns.index("n")]]


def _size(unit: Any) -> int:
    return len(unit.leaf_hashes(0, 1_000_000))


def derived_again(lives: Lives) -> dict[str, Any]:
    """The same from the journal alone."""
    count_again(lives.office)
    growing = Growing()
    with lives.office.store.unit() as unit:
        for leaf, _ in unit.leaves_sealed(0, 1_000_000):
            assert isinstance(leaf, Leaf)
            growing.add(leaf_hash(bytes.fromhex(leaf.hash)))
    return {"tallies": _tallies(lives), "root": growing.root(), "size": growing.size}


@pytest.mark.parametrize("seed", range(tries(PATHS)))
def test_after_each_step_what_is_derived_is_derived_again_the_same(tmp_path: Path, seed: int) -> None:
    """The journal folded to each dossier is `fsck`'s, asked at each step too."""
    with walking(tmp_path, seed, STEPS, (*USUAL, "stops", "dies")) as steps:
        for number, lives in enumerate(steps):
            kept = derived(lives)
            lives.stops(random.choice)
            assert kept == derived_again(lives), number
            assert list(wrong_in(lives)) == [], number
        assert kept["tallies"]
        assert kept["size"] > 4


# -- mutants -------------------------------------------------------------------------------------------------------------


def the_edition_of_today(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        EditionCache, "pinned", lambda shelf, catalogue, unit, dossier: catalogue.procedures[dossier.procedure]
    )


def half_a_command_is_kept(patch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def kept(flush: Flush) -> Iterator[None]:
        flush.connection.execute("SAVEPOINT unit")
        try:
            yield
        finally:
            flush.connection.execute("RELEASE unit")

    patch.setattr(Flush, "part", kept)


def erasing_forgets_the_answers(patch: pytest.MonkeyPatch) -> None:
    real = vars(retention)["forgotten"]
    patch.setattr(retention, "forgotten", lambda book, before, *more: _still(real(book, before, *more), before))


def _still(after: Any, before: Any) -> Any:
    return replace(after, answers=before.answers)


def a_reply_before_its_commit(patch: pytest.MonkeyPatch) -> None:
    """Told, then kept: whoever dies between has lied."""
    real = Lives.dies

    def dies(lives: Lives, choose: Choose) -> None:
        before = dict(lives.known)
        real(lives, choose)
        lives.known = {one: _after(dossier) for one, dossier in before.items()}

    patch.setattr(Lives, "dies", dies)


def _after(dossier: Any) -> Any:
    return replace(dossier, revision=dossier.revision + 1)


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "names", "seen"),
    [
        (the_edition_of_today, ("goes_on", "is_published"), "is judged by another edition"),
        (erasing_forgets_the_answers, ("begins", "goes_on", "waits"), "is erased but for its answers"),
        (a_reply_before_its_commit, ("goes_on", "dies"), "went back to"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_defence_taken_away_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None],
    names: Sequence[str], seen: str,
) -> None:  # fmt: skip
    mutant(monkeypatch)
    for seed in range(6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with walking(folder, seed, STEPS, names) as steps, suppress(Refused, ScenarioFailed):
            for lives in steps:
                if any(seen in fault for fault in wrong_in(lives)):
                    return
    raise AssertionError("nothing was seen")


@pytest.mark.nightly("mutant")
def test_half_a_command_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead at each statement in turn of a request that is begun, filled and sent."""
    half_a_command_is_kept(monkeypatch)
    lives = begun(tmp_path)
    found: list[str] = []
    for at in range(60):
        lives.store.dies_at = at
        with suppress(Died):
            lives.begins(lambda things: things[0])
        lives.stops(random.choice)
        found = [one for one in wrong_in(lives) if one.startswith("fsck: ")]
        if found:
            break
    lives.store.close()
    assert found
