"""What is handed in is sealed for its dossier: unreadable on the disk, bound to its place, opened by any ring that holds
its key, and brought under a new key without being opened."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.storage.files.attachments import AttachmentStore, Lost
from engine.storage.files.encryption import FIRST, FileKeys, NoFileKey, NoKeyRing, add_key
from tests.engine.services.world import keys, pdf

ALL = ("pdf",)
SIZE = 1_000_000


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    keys().save(tmp_path / "keys.json")
    return tmp_path / "keys.json"


def on_disk(store: AttachmentStore) -> list[Path]:
    return sorted(path for path in store.blobs.folder.rglob("*") if path.is_file())


def test_nothing_of_a_file_is_readable_on_the_disk(tmp_path: Path, ring: Path) -> None:
    store = AttachmentStore(tmp_path / "files", FileKeys.open(ring))
    kept = store.keep(pdf(), "a.pdf", ALL, SIZE, "d1")
    (path,) = on_disk(store)
    assert b"PDF" not in path.read_bytes()
    assert store.read(kept.sha256, "d1") == pdf()
    assert AttachmentStore(tmp_path / "files", FileKeys.open(ring)).read(kept.sha256, "d1") == pdf()


def test_a_file_does_not_open_in_another_place(tmp_path: Path) -> None:
    store = AttachmentStore(tmp_path / "files", FileKeys.generate())
    kept = store.keep(pdf(), "a.pdf", ALL, SIZE, "d1")
    with pytest.raises(Lost):
        store.read(kept.sha256, "d2")
    (path,) = on_disk(store)
    shutil.copy(path, path.with_name(f"{kept.sha256}.d2"))
    with pytest.raises(Lost):
        store.read(kept.sha256, "d2")
    assert [one.code for one in store.findings([("d2", kept.sha256), ("d1", kept.sha256)])] == ["file_lost"]


@pytest.mark.parametrize("at", [0, 4, 12, 24, 72, 84, -1])
def test_one_changed_byte_is_seen(tmp_path: Path, at: int) -> None:
    store = AttachmentStore(tmp_path / "files", FileKeys.generate())
    kept = store.keep(pdf(), "a.pdf", ALL, SIZE, "d1")
    (path,) = on_disk(store)
    sealed = bytearray(path.read_bytes())
    sealed[at] ^= 1
    path.write_bytes(sealed)
    with pytest.raises((Lost, NoFileKey)):  # a changed name of a key is a key nobody holds
        store.read(kept.sha256, "d1")


def test_a_new_key_seals_what_comes_and_old_files_come_under_it_unopened(tmp_path: Path, ring: Path) -> None:
    store = AttachmentStore(tmp_path / "files", FileKeys.open(ring))
    kept = store.keep(pdf(), "a.pdf", ALL, SIZE, "d1")
    place = ("d1", kept.sha256)
    before = on_disk(store)[0].read_bytes()
    new = add_key(ring)
    fresh = AttachmentStore(tmp_path / "files", FileKeys.open(ring))
    assert (store.sealed_under(place), fresh.keys and fresh.keys.newest) == (FIRST, new)
    assert fresh.rewrap([place]) == (1, ())
    assert fresh.rewrap([place]) == (0, ()), "begun again, nothing is left to do"
    assert fresh.sealed_under(place) == new
    assert on_disk(store)[0].read_bytes()[72:] == before[72:], "the content stays as it was sealed"
    assert store.read(kept.sha256, "d1") == pdf(), "a process that was running learns of the new key"
    assert ring.stat().st_mode & 0o077 == 0
    assert json.loads(ring.read_text())["keys"], "what signs is still there"


def test_a_ring_that_lacks_the_key_says_so_and_loses_nothing(tmp_path: Path, ring: Path) -> None:
    old = ring.read_text()
    new = add_key(ring)
    held = ring.read_text()
    store = AttachmentStore(tmp_path / "files", FileKeys.open(ring))
    kept = store.keep(pdf(), "a.pdf", ALL, SIZE, "d1")
    ring.write_text(old)
    poor = AttachmentStore(tmp_path / "files", FileKeys.open(ring))
    with pytest.raises(NoFileKey, match=new):
        poor.read(kept.sha256, "d1")
    (found,) = poor.findings([("d1", kept.sha256)])
    assert (found.code, found.facts["key"]) == ("file_key_missing", new)
    ring.write_text(held)
    assert poor.read(kept.sha256, "d1") == pdf()


def test_files_from_before_the_keys_are_read_then_sealed(tmp_path: Path) -> None:
    kept = AttachmentStore(tmp_path / "files").keep(pdf(), "a.pdf", ALL, SIZE)
    store = AttachmentStore(tmp_path / "files", FileKeys.generate())
    assert store.read(kept.sha256, "d1") == pdf()
    assert store.rewrap([("d1", kept.sha256), ("d2", kept.sha256)]) == (2, ())
    assert all(b"PDF" not in path.read_bytes() for path in on_disk(store))
    assert [store.read(kept.sha256, one) for one in ("d1", "d2")] == [pdf(), pdf()]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"secret": "x", "files": [{"id": "a", "key": "zz"}]}', None])
def test_a_ring_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "keys.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(NoKeyRing):
        FileKeys.open(file)


def test_keys_made_at_once_are_all_kept(ring: Path) -> None:
    with ThreadPoolExecutor(8) as hands:
        made = set(hands.map(lambda _: add_key(ring), range(16)))
    assert len(made) == 16
    assert set(FileKeys.open(ring).ids) == made | {FIRST}
