"""One file that is not there keeps no other from being kept safe: what was erased while a backup was made does not come back, what
is lost is told, all the rest goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.core.clock import SystemClock
from engine.core.progress import ProgressReporter, T
from engine.operations import backup as safekeeping
from engine.operations.backup import CONTENTS, FILES, back_up, bring_back
from engine.operations.store_factory import open_store
from engine.services.audit.integrity import fsck
from engine.services.core.stored_files import is_named, places
from engine.services.worker import worker as timers
from engine.storage.files.attachments import AttachmentStore, FileErased, Lost, Place
from engine.storage.files.encryption import FileKeys, add_key
from engine.storage.sqlite.store import SqliteStore
from renderers.cli.admin.backup import backup_command, copy_command, restore_command
from renderers.cli.admin.installation_commands import Installation
from renderers.cli.admin.keys import keys_command
from tests.engine.services.world import B3, PASSPORT, World, a_world, keys, pdf

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two sent dossiers and a draft, with their files."""
    keys().save(tmp_path / "keys.json")
    made = a_world(tmp_path, SqliteStore(tmp_path / "lived.db"))
    files = AttachmentStore(tmp_path / "files", FileKeys.open(tmp_path / "keys.json"))
    made.office = replace(made.office, attachments=files)
    made.sent(B3)
    made.sent(PASSPORT, made.applicant("+22890445566"))
    made.filled(B3, made.applicant("+22890445577"))
    return made


@pytest.fixture
def here(world: World, tmp_path: Path) -> Installation:
    return Installation(str(tmp_path / "lived.db"), tmp_path / "files", tmp_path / "keys.json")


@pytest.fixture
def there(tmp_path: Path) -> Installation:
    return Installation(str(tmp_path / "new.db"), tmp_path / "there", tmp_path / "new-keys.json")


def run(command: Callable[..., Any], place: Installation, *words: str) -> Result:
    return CliRunner().invoke(command(lambda: place), [*words, "--lang", "en"])


def lie(files: Path) -> list[Path]:
    return sorted(files.glob("??/??/*"))


def office_of(world: World, place: Installation) -> Any:
    kept = AttachmentStore(Path(str(place.files)), FileKeys.open(place.keys))
    return replace(world.office, store=open_store(place.store), attachments=kept)


def a_month_passes(world: World) -> ProgressReporter:
    """The draft is forgotten, and what it held is swept, once a backup has taken the moment of the store."""

    def told(items: Iterable[T], count: Callable[[], int], what: str) -> Iterable[T]:
        if what == "files":
            for path in lie(world.office.attachments.blobs.folder):  # type: ignore[attr-defined]
                os.utime(path, (0, 0))
            world.clock.advance(timedelta(days=31))
            timers.run_pass(world.office)
        return items

    return told


def erased_meanwhile(world: World, folder: Path) -> Place:
    """A backup made while a draft is forgotten; the file that it does not hold."""
    held = len(set(places(world.office.store)))
    done = back_up(
        world.office.store, world.office.attachments, folder.parent / "keys.json", folder, world.office.now(),
        a_month_passes(world),
    )  # fmt: skip
    (gone,) = done.erased
    assert (done.lost, done.files) == ((), held - 1)
    assert gone not in places(world.office.store)
    return gone


def test_what_is_erased_meanwhile_neither_gives_a_backup_up_nor_comes_back(
    world: World, there: Installation, tmp_path: Path
) -> None:
    gone = erased_meanwhile(world, tmp_path / "b")
    assert json.loads((tmp_path / "b" / CONTENTS).read_text())["erased"] == [list(gone)]
    said = run(restore_command, there, str(tmp_path / "b"))
    assert (said.exit_code, "1 file, erased while the backup was made" in said.output) == (0, True), said.output
    office = office_of(world, there)
    assert gone in places(office.store), "its moment was before"
    with pytest.raises(FileErased):
        office.attachments.read(gone[1], gone[0])
    assert fsck(office) == (), "nobody looks for it"
    assert run(keys_command, there, "rotate").exit_code == 0
    assert run(backup_command, there, str(tmp_path / "again")).exit_code == 0
    office.attachments.adopt(gone[1], pdf(), gone[0])
    assert office.attachments.read(gone[1], gone[0]) == pdf(), "handed in again it is there"


def test_what_was_erased_is_swept_once_nobody_names_it_and_said_by_nobody_else(
    world: World, there: Installation, tmp_path: Path
) -> None:
    gone = erased_meanwhile(world, tmp_path / "b")
    assert run(restore_command, there, str(tmp_path / "b")).exit_code == 0
    office = office_of(world, there)
    lying = lie(tmp_path / "there")
    (noted,) = (path for path in lying if path.name == f"{gone[1]}.{gone[0]}")
    assert b"erased" not in noted.read_bytes()
    noted.write_bytes(b"erased")
    assert [one.code for one in fsck(office)] == ["file_lost"], "who does not hold our keys cannot say so"
    office.attachments.sweep(set(places(office.store)) - {gone}, SystemClock().now() + timedelta(days=1))
    assert lie(tmp_path / "there") == [path for path in lying if path != noted]


def test_a_file_handed_in_again_before_anybody_looked_is_held(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path, *_) = lie(tmp_path / "files")
    data = path.read_bytes()
    path.unlink()

    def looked(*given: Any) -> bool:
        path.write_bytes(data)
        return is_named(*given)

    monkeypatch.setattr(safekeeping, "is_named", looked)
    ring = tmp_path / "keys.json"
    done = back_up(world.office.store, world.office.attachments, ring, tmp_path / "b", world.office.now())
    assert (done.erased, done.lost, done.files) == ((), (), len(lie(tmp_path / "files")))


def test_a_file_that_is_lost_is_told_and_all_the_rest_is_kept(
    world: World, here: Installation, there: Installation, tmp_path: Path
) -> None:
    (path, *others) = lie(tmp_path / "files")
    path.unlink()
    digest, _, dossier = path.name.partition(".")
    said = run(backup_command, here, str(tmp_path / "b"))
    assert (said.exit_code, f"1 file that dossiers name is missing or damaged ({digest[:12]})" in said.stderr) == (
        1,
        True,
    )
    assert "Backup in" in said.stdout
    assert json.loads((tmp_path / "b" / CONTENTS).read_text())["lost"] == [[dossier, digest]]
    said = run(restore_command, there, str(tmp_path / "b"))
    assert (said.exit_code, "was missing already" in said.output) == (0, True), said.output
    assert [(one.code, one.dossier) for one in fsck(office_of(world, there))] == [("file_lost", dossier)]
    assert len(lie(tmp_path / "there")) == len(others)


def test_what_a_backup_says_to_hold_is_held_all_the_same(world: World, here: Installation, tmp_path: Path) -> None:
    (path, other, *_) = lie(tmp_path / "files")
    path.unlink()
    assert run(backup_command, here, str(tmp_path / "b")).exit_code == 1
    (tmp_path / "b" / FILES / other.relative_to(tmp_path / "files")).unlink()
    store = SqliteStore(tmp_path / "new.db")
    store.migrate()
    with pytest.raises(safekeeping.Refused, match="backup_differs"):
        bring_back(tmp_path / "b", store, tmp_path / "there", tmp_path / "new-keys.json")
    store.close()


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:60])])
def test_a_rotation_goes_on_with_the_others(
    world: World, here: Installation, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    (path, *others) = lie(tmp_path / "files")
    harm(path)
    said = run(keys_command, here, "rotate")
    told = f"({path.name[:12]}); all others were brought over" in said.stderr
    assert (said.exit_code, told, f"{len(others)} files were brought" in said.stdout) == (1, True, True), said.output
    assert run(keys_command, here, "list").exit_code == 0
    newest = FileKeys.open(here.keys).newest
    kept = AttachmentStore(tmp_path / "files", FileKeys.open(here.keys))
    for other in others:
        digest, _, dossier = other.name.partition(".")
        assert kept.sealed_under((dossier, digest)) == newest


def test_files_are_moved_without_those_that_are_lost(
    world: World, here: Installation, there: Installation, tmp_path: Path
) -> None:
    (path, *others) = lie(tmp_path / "files")
    path.unlink()
    said = run(copy_command, replace(here, files=tmp_path / "there"), "--files-from", str(tmp_path / "files"))
    assert (said.exit_code, path.name[:12] in said.stderr) == (1, True), said.output
    assert [one.name for one in lie(tmp_path / "there")] == [one.name for one in others]


def test_nothing_that_is_not_sealed_goes_while_somebody_lacks_it(tmp_path: Path) -> None:
    """Two dossiers handed in one paper before there were keys; what was sealed for one of them since is damaged."""
    kept = AttachmentStore(tmp_path / "files").keep(pdf(), "a.pdf", ("pdf",), 1_000_000)
    keys().save(tmp_path / "keys.json")
    store = AttachmentStore(tmp_path / "files", FileKeys.open(tmp_path / "keys.json"))
    store.adopt(kept.sha256, pdf(), "d1")
    (sealed,) = (tmp_path / "files").glob("??/??/*.d1")
    sealed.write_bytes(sealed.read_bytes()[:60])
    add_key(tmp_path / "keys.json")
    assert store.rewrap([("d1", kept.sha256), ("d2", kept.sha256)]) == (1, (("d1", kept.sha256),))
    assert store.read(kept.sha256, "d2") == pdf()
    with pytest.raises(Lost):
        store.read(kept.sha256, "d1")
    sealed.unlink()
    assert store.read(kept.sha256, "d1") == pdf()
