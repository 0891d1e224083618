"""B11. Backups taken while four processes write.

Each backup is one real moment, complete, with everything acknowledged before it began. One command restores it, also under a later
release. Then the mutant: a copy of the file. Its other contents and its refusals: `tests/engine/operations/test_backup.py`.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.operations import backup as safekeeping
from engine.operations.backup import CONTENTS, FILES, KEYS, STORE, back_up, bring_back
from engine.operations.store_factory import open_store
from engine.services.audit.integrity import fsck
from engine.services.core.stored_files import places
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.encryption import FileKeys
from engine.storage.results import Busy, Damaged
from engine.storage.schema.migration_list import NAMES
from engine.storage.sqlite.store import SqliteStore
from engine.storage.table_copy import NotWhole, contents
from engine.storage.unit_of_work import Store
from tests.effort import tries
from tests.engine.services.world import MONDAY, ROOT, World, keys
from tests.faults.test_migrations_faults import both, sqlite_of, whole_lives
from tests.postgres import an_empty_store, database
from tests.test_races import acknowledged

pytestmark = [pytest.mark.slow, pytest.mark.faults]
PAUSE = 0.02  # seconds: a store that grows as fast as the disk lets it takes ever longer to copy
BACKUPS = 5
DETERMINED = 40  # copies, before one that is no good must have been seen


@contextmanager
def written_to(address: str, log: Path, pause: float = 0) -> Iterator[None]:
    """Four threads of another process keep whole commands meanwhile, and note what was acknowledged."""
    store = open_store(address)
    store.migrate()
    store.close()
    log.touch()
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.race_runners", address, str(log), "w", str(pause)], cwd=ROOT
    )
    try:
        deadline = time.monotonic() + 30
        while len(acknowledged(log)) < 20:
            assert writer.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield
    finally:
        writer.kill()
        writer.wait()


def wrong_in(store: Store, told: list[str]) -> str:
    """What a copy lacks; nothing when it is a moment that was."""
    found = list(store.findings())
    if found:
        return found[0].code
    with store.unit() as unit:
        return "lost" if any(unit.head(one)[0] != 2 or len(unit.letters_of(one)) != 1 for one in told) else ""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_each_backup_is_a_moment_that_was(tmp_path: Path, kind: str) -> None:
    if kind == "sqlite":
        _backups(tmp_path, str(tmp_path / "guichet.db"))
    else:
        with database() as address:
            _backups(tmp_path, address)


def _backups(folder: Path, address: str) -> None:
    ring, log = folder / "keys.json", folder / "acknowledged"
    keys().save(ring)
    files = AttachmentStore(folder / "files", FileKeys.open(ring))
    before: list[list[str]] = []
    with written_to(address, log, PAUSE), closing(open_store(address)) as live:
        for number in range(tries(BACKUPS)):
            before.append(acknowledged(log))
            back_up(live, files, ring, folder / f"backup{number}", MONDAY + timedelta(days=number))
        assert len(acknowledged(log)) > len(before[-1]) > len(before[0]), "nobody wrote meanwhile"
    for number, told in enumerate(before):
        with closing(SqliteStore(folder / f"backup{number}" / STORE)) as copy:
            assert wrong_in(copy, told) == "", number
    for number, empty in ((0, SqliteStore(folder / "back.db")), (len(before) - 1, an_empty_store())):
        empty.migrate()
        with closing(empty):
            bring_back(folder / f"backup{number}", empty, folder / f"there{number}", folder / f"keys{number}.json")
            assert wrong_in(empty, before[number]) == ""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> World:
    return whole_lives(tmp_path_factory.mktemp("lived"))


def backup_of(number: int, folder: Path, world: World, ring: Path) -> Path:
    """As the release wrote it that had so many migrations."""
    made = folder / "backup"
    made.mkdir()
    sqlite_of(made / STORE, number, world)
    with closing(SqliteStore(made / STORE)) as store:
        tables = {one.table: (one.rows, one.digest) for one in contents(store)}
    files = AttachmentStore(made / FILES, FileKeys.open(ring))
    for dossier, digest in places(world.office.store):
        files.adopt(digest, world.office.attachments.read(digest, dossier), dossier)
    shutil.copyfile(ring, made / KEYS)
    said = {"at": MONDAY.isoformat(), "form": 1, "tables": tables, "files": 0, "keys": safekeeping._digest(ring)}
    (made / CONTENTS).write_text(json.dumps(said))
    return made


def every_byte(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
@pytest.mark.parametrize("number", range(1, len(NAMES)) if tries(1) > 1 else (1, 11, len(NAMES) - 1))
def test_a_backup_of_an_earlier_release_comes_back(tmp_path: Path, lived: World, kind: str, number: int) -> None:
    """Last night's, on the morning of a new release; it stays what it is."""
    ring = tmp_path / "keys.json"
    keys().save(ring)
    made = backup_of(number, tmp_path, lived, ring)
    before = every_byte(made)
    empty = SqliteStore(tmp_path / "back.db") if kind == "sqlite" else an_empty_store()
    with closing(empty):
        empty.migrate()
        bring_back(made, empty, tmp_path / "there", tmp_path / "back.json")
        back = AttachmentStore(tmp_path / "there", FileKeys.open(tmp_path / "back.json"))
        assert fsck(replace(lived.office, store=empty, attachments=back)) == ()
        assert list(empty.all_dossiers()) == list(lived.office.store.all_dossiers())
    assert every_byte(made) == before


@pytest.mark.parametrize(
    ("kind", "number"), [("sqlite", 0), ("sqlite", 1), ("sqlite", len(NAMES) - 1), ("postgresql", len(NAMES) - 1)]
)
def test_a_store_of_an_earlier_release_is_saved_before_it_is_migrated(
    tmp_path: Path, lived: World, kind: str, number: int
) -> None:
    """`guichet doctor` of the new release asks for it. It is a backup of the earlier release, which that one restores."""
    ring, made = tmp_path / "keys.json", tmp_path / "backup"
    keys().save(ring)
    with both(kind, tmp_path, number, lived) as another, closing(another()()) as store:
        before = store.migration_state()
        if before.untouched:
            with pytest.raises(NotWhole):
                back_up(store, lived.office.attachments, ring, made, MONDAY)
            return
        back_up(store, lived.office.attachments, ring, made, MONDAY)
        assert store.migration_state().pending == before.pending == NAMES[number:]
    with closing(SqliteStore(made / STORE)) as copy:
        assert copy.migration_state().pending == NAMES[number:]
    with closing(SqliteStore(tmp_path / "back.db")) as empty:
        empty.migrate()
        bring_back(made, empty, tmp_path / "there", tmp_path / "back.json")
        back = AttachmentStore(tmp_path / "there", FileKeys.open(tmp_path / "back.json"))
        assert fsck(replace(lived.office, store=empty, attachments=back)) == ()
        assert list(empty.all_dossiers()) == list(lived.office.store.all_dossiers())


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize("beside", [(), ("-wal",)], ids=["the file", "the file and what it waits for"])
def test_a_copy_of_the_file_is_seen(tmp_path: Path, beside: tuple[str, ...]) -> None:
    """The mutant: `cp`, of the file alone or of its companion too."""
    path, log, seen = tmp_path / "guichet.db", tmp_path / "acknowledged", ""
    with written_to(str(path), log):
        for number in range(DETERMINED):
            told, copied = acknowledged(log), tmp_path / f"copy{number}.db"
            for end in ("", *beside):
                shutil.copyfile(f"{path}{end}", f"{copied}{end}")
            seen = seen or _wrong_in_copy(copied, told)
            if seen:
                break
            time.sleep(0.05)
    assert seen, "a copy was as good as a backup, each time"


def _wrong_in_copy(path: Path, told: list[str]) -> str:
    try:
        with closing(SqliteStore(path)) as copy:
            return wrong_in(copy, told)
    except (Damaged, Busy, sqlite3.DatabaseError) as broken:
        return type(broken).__name__
