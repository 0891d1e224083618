"""T57, T58. Encrypted files reveal nothing and open only for their dossier.

A new key re-encrypts all of them while persons upload and read, and the process dies at any write. Then the mutants.
"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.storage.files import attachments
from engine.storage.files import encryption as file_keys
from engine.storage.files.attachments import AttachmentStore, Lost, Place
from engine.storage.files.blob_store import FolderBlobStore
from engine.storage.files.encryption import FileKeys, NoFileKey, Undecryptable, add_key
from tests.effort import tries
from tests.engine.services.world import keys, pdf
from tests.faults.key_rotation import opened

pytestmark = [pytest.mark.slow, pytest.mark.faults]

ROOT = Path(__file__).resolve().parents[2]
CANARY = b"CANARI-SUR-LE-DISQUE"
DOSSIERS = ("d1", "d2", "d3")


class Died(BaseException):
    """Whoever rotated is gone."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys().save(tmp_path / "keys.json")
    return tmp_path


def handed_in(store: AttachmentStore, count: int, first: int = 0) -> list[Place]:
    """Files that are told apart, in turn of each dossier."""
    found = []
    for number in range(first, first + count):
        dossier = DOSSIERS[number % len(DOSSIERS)]
        kept = store.keep(pdf() + b"\n%% %s %d" % (CANARY, number), "a.pdf", ("pdf",), 10**6, dossier)
        found.append((dossier, kept.sha256))
    return found


# -- T57 ---------------------------------------------------------------------------------------------------------------


def opened_elsewhere(folder: Path) -> list[str]:
    """Every sealed file put in the place of every other, and of the same file of another dossier; those that open, and what
    the disk says."""
    store = opened(folder)
    places = handed_in(store, 6)
    shelf, found = store.blobs, []
    own = {place: shelf.read(store._name(place)) for place in places}
    found += [f"{place} is readable" for place, sealed in own.items() if sealed is None or CANARY in sealed]
    for place, (dossier, digest) in itertools.product(places, places):
        for other in ((dossier, digest), *((one, place[1]) for one in DOSSIERS if one != place[0])):
            if other == place:
                continue
            name = store._name(other)
            before = shelf.read(name)
            shelf.write(name, own[place] or b"")
            with suppress(Lost, NoFileKey):
                store.read(other[1], other[0])
                found.append(f"{place} opens as {other}")
            if before is None:
                shelf.remove(name)
            else:
                shelf.write(name, before)
    return found


def test_a_file_says_nothing_and_opens_in_its_place_alone(folder: Path) -> None:
    assert opened_elsewhere(folder) == []


@pytest.mark.nightly("mutant")
def test_seals_that_are_of_no_place_are_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "_bound", lambda place: b"file 1")
    assert any("opens as" in fault for fault in opened_elsewhere(folder))


@pytest.mark.nightly("mutant")
def test_files_that_nothing_seals_are_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileKeys, "seal", lambda ring, bound, data: data)
    assert any("is readable" in fault for fault in opened_elsewhere(folder))


def test_a_nonce_is_never_used_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[tuple[bytes, bytes]] = []

    class Watched:
        generate_key = staticmethod(AESGCM.generate_key)

        def __init__(self, key: bytes) -> None:
            self.key, self.decrypt = key, AESGCM(key).decrypt

        def encrypt(self, nonce: bytes, data: bytes, bound: bytes) -> bytes:
            used.append((self.key, nonce))
            return AESGCM(self.key).encrypt(nonce, data, bound)

    monkeypatch.setattr("engine.storage.files.encryption.AESGCM", Watched)
    store = opened(folder)
    places = handed_in(store, 20)
    add_key(folder / "keys.json")
    store.rewrap(places)
    assert len(used) == len(set(used)) == 60


# -- T58 ---------------------------------------------------------------------------------------------------------------


def dying(patch: pytest.MonkeyPatch, after: int) -> None:
    """Who writes files dies at one of them."""
    left = itertools.count(after, -1)

    def write(shelf: Any, name: str, data: bytes, lasting: bool = True) -> None:
        if next(left) <= 0:
            raise Died
        honest(shelf, name, data, lasting)

    honest = FolderBlobStore.write
    patch.setattr(FolderBlobStore, "write", write)


def brought_over(store: AttachmentStore, places: list[Place]) -> Iterator[str]:
    try:
        store.rewrap(places)
    except Exception as error:
        yield f"who brings files over is stopped by {type(error).__name__}"


def rotated(folder: Path, deaths: int) -> Iterator[str]:
    """What goes wrong while each rotation dies one write later than the last, and people go on."""
    people = opened(folder)  # as they found the ring when they began
    places = handed_in(people, 6)
    for death in range(deaths):
        add_key(folder / "keys.json")
        with pytest.MonkeyPatch.context() as patch, suppress(Died):
            dying(patch, death % 7)
            yield from brought_over(opened(folder), places)
        places += handed_in(people, 1, first=len(places))
        newest = opened(folder).keys
        assert newest is not None
        if people.sealed_under(places[-1]) != newest.newest:
            yield f"after death {death}: what comes is sealed under an older key"
        yield from (f"after death {death}: {one.code}" for one in people.findings(places))
        yield from (f"after death {death}, to a new process: {one.code}" for one in opened(folder).findings(places))
    last = opened(folder)
    yield from brought_over(last, places)
    assert last.keys is not None
    yield from (f"{place} is under an older key" for place in places if last.sealed_under(place) != last.keys.newest)
    yield from (f"in the end: {one.code}" for one in last.findings(places))


def test_a_new_key_comes_over_all_whoever_dies(folder: Path) -> None:
    assert list(rotated(folder, tries(8))) == []


def test_a_new_key_comes_over_all_while_processes_are_killed(folder: Path) -> None:
    store, chance = opened(folder), random.Random(58)
    places = handed_in(store, 40)
    told = [f"{dossier}:{digest}" for dossier, digest in places]
    for _ in range(tries(3)):
        add_key(folder / "keys.json")
        command = [sys.executable, "-m", "tests.faults.key_rotation", str(folder), *told]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(chance.randrange(30)):
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.002))
        process.kill()
        process.communicate()
        assert list(store.findings(places)) == []
    last = opened(folder)
    last.rewrap(places)
    assert last.keys is not None
    assert {last.sealed_under(place) for place in places} == {last.keys.newest}
    assert list(last.findings(places)) == []


# -- mutants -------------------------------------------------------------------------------------------------------------


def old_keys_are_thrown_away(patch: pytest.MonkeyPatch) -> None:
    def read(file: Path) -> dict[str, bytes]:
        whole = honest(file)
        return dict(list(whole.items())[:1])

    honest = file_keys._read
    patch.setattr(file_keys, "_read", read)


def files_are_emptied_first(patch: pytest.MonkeyPatch) -> None:
    def rewrap(store: AttachmentStore, known: Any) -> tuple[int, tuple[()]]:
        for place in known:
            fresh = store.keys.rewrapped(attachments._bound(place), store._raw(place))  # type: ignore[union-attr]
            if fresh is not None:
                (store.blobs.folder / store._name(place)).write_bytes(b"")  # type: ignore[attr-defined]
                store.blobs.write(store._name(place), fresh)
        return 0, ()

    patch.setattr(AttachmentStore, "rewrap", rewrap)


def the_ring_is_read_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FileKeys, "_newest", lambda ring: next(iter(ring._ring.items())))


def only_what_comes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AttachmentStore, "rewrap", lambda store, known: (0, ()))


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "seen"),
    [
        (old_keys_are_thrown_away, "file_key_missing"),
        (files_are_emptied_first, "file_lost"),
        (the_ring_is_read_once, "what comes is sealed under an older key"),
        (only_what_comes, "is under an older key"),
    ],
    ids=lambda one: one.__name__ if callable(one) else None,
)
def test_a_defence_taken_away_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch, mutant: Any, seen: str) -> None:
    mutant(monkeypatch)
    found = []
    with suppress(Undecryptable):  # from a file that is not one any more
        for fault in rotated(folder, 3):
            found.append(fault)
    assert any(seen in fault for fault in found), found
