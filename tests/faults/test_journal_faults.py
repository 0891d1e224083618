"""B10. An owner of the database, without its triggers, changes a bit, a cell, a row or the whole journal with valid hashes.

A signed checkpoint finds each change. Then the mutants: no checkpoint outside, no signature. Receipts and exports that verify
themselves: `tests/engine/services/audit/test_checkpoints.py`.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from engine.journal.chain import JournalEntry, seal, seal_of, verify
from engine.records.dossier import Actor
from engine.services.audit.integrity import fsck
from engine.services.core import checkpoints
from engine.services.core.checkpoints import sign_journal
from engine.services.keys.signing_keys import SigningKeys
from engine.storage.sql.dossiers import ENTRIES
from engine.storage.sql.integrity import _broken_chain, broken_promises
from engine.storage.sqlite.store import SqliteStore, _whatever_it_is
from tests.effort import tries
from tests.engine.services.world import MONDAY, World, a_world

pytestmark = [pytest.mark.slow, pytest.mark.faults]
JOURNEYS = 14
CELLS = ("at", "actor_kind", "actor", "kind", "edition", "body", "previous", "hash")


def an_office(folder: Path) -> World:
    world = a_world(folder, SqliteStore(folder / "guichet.db"))
    settings = replace(world.office.settings, checkpoints=folder / "notes", base_url="https://guichet.example")
    world.office = replace(world.office, settings=settings)
    return world


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole lives of dossiers, signed twice. Made once, copied for each test."""
    folder = tmp_path_factory.mktemp("lived") / "office"
    world = an_office(folder)
    chief = world.agent("chief", "sncja/greffier_en_chef")
    for turn in range(JOURNEYS):
        world.take(world.paid(world.sent(owner=world.applicant(f"+228900000{turn:02d}"))), chief, "signer")
        world.wait(minutes=2)
        if turn in (3, JOURNEYS - 1):
            assert sign_journal(world.office)
    assert fsck(world.office) == ()
    world.office.store.close()
    return folder


@dataclass
class Owned:
    """That office, and the hand that owns its database: no guard holds it."""

    world: World
    hand: sqlite3.Connection

    def asked(self) -> set[str]:
        """What the store finds in its own tables as the hand leaves them."""
        return {one.code for one in broken_promises(self.hand.execute)}

    def fsck(self) -> set[str]:
        self.hand.commit()
        return {one.code for one in fsck(self.world.office)}

    def rows(self) -> list[tuple[str, int]]:
        return self.hand.execute("SELECT dossier, n FROM entry ORDER BY dossier, n").fetchall()

    def chain(self, dossier: str) -> list[Any]:
        return self.hand.execute(f"{ENTRIES.select} WHERE dossier = ? ORDER BY n", (dossier,)).fetchall()


@pytest.fixture
def owned(lived: Path, tmp_path: Path) -> Iterator[Owned]:
    copytree(lived, tmp_path / "office")
    world = an_office(tmp_path / "office")
    world.clock.advance(MONDAY.replace(day=24) - MONDAY)
    hand = sqlite3.connect(tmp_path / "office" / "guichet.db")
    hand.text_factory = _whatever_it_is
    hand.execute("PRAGMA ignore_check_constraints=ON")
    for (name,) in hand.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        hand.execute(f'DROP TRIGGER "{name}"')
    hand.commit()
    yield Owned(world, hand)
    hand.close()
    world.office.store.close()


# -- one bit, one cell, one row ----------------------------------------------------------------------------------------


def test_a_bit_of_any_byte_of_the_journal(owned: Owned) -> None:
    """Every byte of a whole life, and each sixty-fourth of the others; with eight times the effort, each eighth."""
    chance, unseen, flips = random.Random(tries(1)), [], 0
    whole = {dossier for dossier, _ in owned.rows()[:8]}
    for dossier, n in owned.rows():
        step = 1 if dossier in whole else max(1, 128 // tries(1))
        for cell in CELLS:
            where = (dossier, n)
            (text,) = owned.hand.execute(f"SELECT {cell} FROM entry WHERE dossier = ? AND n = ?", where).fetchone()
            data = text.encode()
            for place in range(n % step, len(data), step):
                changed = bytearray(data)
                changed[place] ^= 1 << chance.randrange(8)
                sql = f"UPDATE entry SET {cell} = CAST(? AS TEXT) WHERE dossier = ? AND n = ?"
                owned.hand.execute(sql, (bytes(changed), *where))
                found = [one.facts["n"] for one in _broken_chain(dossier, owned.chain(dossier))]
                flips += 1
                if found != [n]:
                    unseen.append((dossier, n, cell, place, found))
            owned.hand.execute(f"UPDATE entry SET {cell} = ? WHERE dossier = ? AND n = ?", (text, *where))
    assert unseen == []
    assert flips > 10_000
    assert len(owned.rows()) >= 100
    assert owned.asked() == set()


def _removed(owned: Owned, dossier: str, n: int) -> None:
    owned.hand.execute("DELETE FROM entry WHERE dossier = ? AND n = ?", (dossier, n))


def _doubled(owned: Owned, dossier: str, n: int) -> None:
    """Its content stands twice, the second under the next number; those after make room."""
    for later in reversed([other for one, other in owned.rows() if one == dossier and other > n]):
        owned.hand.execute("UPDATE entry SET n = n + 1 WHERE dossier = ? AND n = ?", (dossier, later))
    owned.hand.execute(
        "INSERT INTO entry SELECT dossier, n + 1, at, actor_kind, actor, kind, edition, body, previous, hash || '0'"
        " FROM entry WHERE dossier = ? AND n = ?", (dossier, n),
    )  # fmt: skip


def _swapped(owned: Owned, dossier: str, n: int) -> None:
    """With the one before it; the first with the last."""
    last = max(other for one, other in owned.rows() if one == dossier)
    other = n - 1 or last
    for old, new in ((n, 99), (other, n), (99, other)):
        owned.hand.execute("UPDATE entry SET n = ? WHERE dossier = ? AND n = ?", (new, dossier, old))


def _resealed(owned: Owned, dossier: str, n: int) -> None:
    """Somebody else did it, with the right hash for it."""
    (row,) = owned.hand.execute(f"{ENTRIES.select} WHERE dossier = ? AND n = ?", (dossier, n)).fetchall()
    entry = replace(ENTRIES.read(row), actor="agent somebody else")
    owned.hand.execute(
        "UPDATE entry SET actor = ?, hash = ? WHERE dossier = ? AND n = ?", (entry.actor, seal_of(entry), dossier, n)
    )


def _given_away(owned: Owned, dossier: str, n: int) -> None:
    """The last words of one chain go to another."""
    other, last = next((one, most) for one, most in owned.hand.execute(
        "SELECT dossier, max(n) FROM entry WHERE dossier <> ? GROUP BY dossier", (dossier,)))  # fmt: skip
    owned.hand.execute("UPDATE entry SET dossier = ?, n = ? WHERE dossier = ? AND n = ?", (other, last + 1, dossier, n))


@pytest.mark.parametrize("done", [_removed, _doubled, _swapped, _resealed, _given_away], ids=lambda one: one.__name__)
def test_any_row(owned: Owned, done: Callable[[Owned, str, int], None]) -> None:
    for dossier, n in owned.rows()[:: max(1, 5 // tries(1))]:
        owned.hand.execute("SAVEPOINT before")
        done(owned, dossier, n)
        assert owned.asked() & {"chain", "leaf_differs"}, (dossier, n)
        owned.hand.execute("ROLLBACK TO before")
    assert owned.asked() == set()


def test_what_cannot_be_read_is_told_and_stops_nobody(owned: Owned) -> None:
    """A byte that no text has, wherever it is: `fsck` goes on to the end and says so. (The salt of an answer that was changed
    since opens nothing any more: nobody can tell a salt from another.)"""
    texts = {"entry": (*CELLS, "dossier"), "dossier": ("number", "state", "owner", "created_at"), "dossier_body": ("body",),
             "leaf": ("hash", "chain"), "publication_entry": ("body", "at"), "salt": ("salt",), "tree": ("note",)}  # fmt: skip
    for table, cells in texts.items():
        for cell in cells:
            (kept,) = owned.hand.execute(f"SELECT {cell} FROM {table} LIMIT 1").fetchone()
            for harm in (b"\xff", b"not what it was"):
                owned.hand.execute(
                    f"UPDATE {table} SET {cell} = CAST(? AS TEXT) WHERE {cell} = CAST(? AS TEXT)", (harm, kept)
                )
                found = owned.fsck()
                assert found or (table == "salt" and harm != b"\xff"), (table, cell, harm)
                owned.hand.execute(f"UPDATE {table} SET {cell} = ? WHERE {cell} = CAST(? AS TEXT)", (kept, harm))
    assert owned.fsck() == set()


# -- all of it, with right hashes --------------------------------------------------------------------------------------


def rewrite(owned: Owned, dossiers: set[str], also_tree: bool = True) -> None:
    """Whole chains again, who opened each is somebody else: every hash, every leaf, every node of the tree is right."""
    for dossier in dossiers:
        before = ""
        for row in owned.chain(dossier):
            one = ENTRIES.read(row)
            new = replace(one, actor="somebody-else" if one.n == 1 else one.actor, previous=before, hash="")
            before = seal_of(new)
            owned.hand.execute(
                "UPDATE entry SET actor = ?, previous = ?, hash = ? WHERE dossier = ? AND n = ?",
                (new.actor, new.previous, before, dossier, one.n),
            )
            if also_tree:
                owned.hand.execute("UPDATE leaf SET hash = ? WHERE chain = ? AND n = ?", (before, dossier, one.n))
    if also_tree:
        owned.hand.execute("DELETE FROM tree_node")


def test_a_whole_chain_or_the_whole_journal_with_right_hashes(owned: Owned) -> None:
    dossiers = sorted({dossier for dossier, _ in owned.rows()})
    rewrite(owned, set(dossiers[:1]))
    assert owned.fsck() == {"checkpoint_differs"}
    rewrite(owned, set(dossiers[1:]))
    assert owned.fsck() == {"checkpoint_differs"}


def test_a_tail_that_is_cut_with_all_that_told_of_it(owned: Owned) -> None:
    """A dossier that never was, leaves and all: the tree ends before the note."""
    (dossier,) = owned.hand.execute("SELECT chain FROM leaf ORDER BY seq DESC LIMIT 1").fetchone()
    for sql in ("DELETE FROM leaf WHERE seq >= (SELECT min(seq) FROM leaf WHERE chain = ?)",
                "DELETE FROM entry WHERE dossier = ?"):  # fmt: skip
        owned.hand.execute(sql, (dossier,))
    assert "checkpoint_ahead" in owned.fsck()


def test_a_note_of_another_journal_or_another_hand(owned: Owned, lived: Path) -> None:
    folder = owned.world.office.settings.checkpoints
    assert folder is not None
    other = an_office(lived.parent / "another")
    other.sent()
    forged = replace(other.office, keys=SigningKeys.generate())
    assert sign_journal(other.office)
    (folder / "ours.note").write_text((lived.parent / "another" / "notes" / "latest.note").read_text())
    other.wait(minutes=1)
    assert sign_journal(forged)
    (folder / "theirs.note").write_text((lived.parent / "another" / "notes" / "latest.note").read_text())
    other.office.store.close()
    assert owned.fsck() == {"checkpoint_differs", "checkpoint_not_ours"}


def test_a_clock_set_back(owned: Owned) -> None:
    """What is done at a clock set back is told, in an old chain or a new one, signed meanwhile or once the clock is right again."""
    world = owned.world
    world.clock.advance(MONDAY - world.office.now())
    world.sent(owner=world.applicant("+22890000099"))
    assert sign_journal(world.office), "a clock set back does not stop the signing"
    assert "journal_backdated" in owned.fsck()


def test_a_long_journal_is_read_fast() -> None:
    """Less than a tenth of a millisecond an entry, of the machine's own time."""
    who, chain = Actor("applicant", "u", "Ama"), list[JournalEntry]()
    for n in range(tries(10_000)):
        chain.append(seal(chain[-1] if chain else None, "d1", MONDAY, who, "saved", "f" * 64, {"revision": n}))
    began = time.process_time()
    assert verify(chain) is None
    assert time.process_time() - began < 1e-4 * len(chain)


# -- mutants -------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly("mutant")
def test_with_notes_that_are_not_compared_a_journal_written_again_is_not_seen(
    owned: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(owned, {dossier for dossier, _ in owned.rows()})
    world = owned.world
    world.office = replace(world.office, settings=replace(world.office.settings, checkpoints=None))
    assert owned.fsck() == {"checkpoint_differs"}, "the store has the last note too"
    monkeypatch.setattr(checkpoints, "_differing", lambda notes, growing: iter(()))
    assert owned.fsck() == set()


@pytest.mark.nightly("mutant")
def test_with_notes_that_nobody_signs_it_is_not_seen(owned: Owned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes in the folder too, without the keys, writes other notes: only the signature tells."""
    rewrite(owned, {dossier for dossier, _ in owned.rows()})
    folder = owned.world.office.settings.checkpoints
    assert folder is not None
    for note in folder.rglob("*.note"):
        note.unlink()
    forger = replace(owned.world.office, keys=SigningKeys.generate())
    owned.hand.commit()
    assert sign_journal(forger)
    assert owned.fsck() == {"checkpoint_not_ours"}
    monkeypatch.setattr(checkpoints, "is_signed", lambda one, keys: True)
    assert owned.fsck() == set()


@pytest.mark.nightly("mutant")
def test_with_chains_and_no_tree_a_chain_written_again_is_not_seen(owned: Owned) -> None:
    rewrite(owned, {owned.rows()[0][0]}, also_tree=False)
    assert owned.asked() == {"leaf_differs"}
    owned.hand.execute("DELETE FROM leaf")
    owned.hand.execute(
        "INSERT INTO leaf (seq, chain, n, hash) SELECT row_number() OVER () - 1, dossier, n, hash FROM entry"
    )
    assert "leaf_differs" not in owned.asked()
