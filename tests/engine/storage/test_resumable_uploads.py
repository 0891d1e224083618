"""Pieces of files over a network that cuts: in any order, twice, never past their gaps, and swept when nobody goes on."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.storage.files.blob_store import FolderBlobStore
from engine.storage.files.encryption import FileKeys
from engine.storage.files.resumable_uploads import AT_ONCE, LARGEST, LARGEST_PIECE, MOST_PIECES, Arrivals

DATA = random.Random(7).randbytes(1_000)
KEY = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["sealed", "bare"])
def arrivals(request: pytest.FixtureRequest, tmp_path: Path) -> Arrivals:
    return Arrivals(FolderBlobStore(tmp_path / "files"), FileKeys.generate() if request.param == "sealed" else None)


@pytest.mark.parametrize("seed", range(20))
def test_however_pieces_come_the_file_is_whole(arrivals: Arrivals, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        at = chance.randrange(len(DATA))
        before = arrivals.received("d", KEY)
        now = arrivals.add("d", KEY, at, DATA[at : at + chance.randrange(1, 300)])
        assert now == before or at <= before < now, "a piece beyond a gap is not kept"
    while (at := arrivals.received("d", KEY)) < len(DATA):
        arrivals.add("d", KEY, at, DATA[at : at + 100])
    assert arrivals.whole("d", KEY) == DATA
    assert arrivals.whole("d", KEY) == DATA, "an answer that got lost is asked for again"
    assert arrivals.received("other", KEY) == 0


def test_what_is_not_what_its_sender_said_is_begun_again(arrivals: Arrivals) -> None:
    assert arrivals.add("d", KEY, 0, b"other") == 5
    assert arrivals.whole("d", KEY) is None
    assert arrivals.received("d", KEY) == 0
    assert arrivals.whole("d", "0" * 64) is None


def test_too_much_is_not_kept(arrivals: Arrivals) -> None:
    assert arrivals.add("d", KEY, 0, b"x" * (LARGEST_PIECE + 1)) == 0
    at = 0
    while (now := arrivals.add("d", KEY, at, b"x" * LARGEST_PIECE)) > at:
        at = now
    assert LARGEST - LARGEST_PIECE < at <= LARGEST


def test_a_file_has_so_many_pieces(arrivals: Arrivals) -> None:
    for at in range(MOST_PIECES):
        assert arrivals.add("d", KEY, at, b"x") == at + 1
    assert arrivals.add("d", KEY, MOST_PIECES, b"x") == MOST_PIECES


def test_few_at_once_for_one_dossier(arrivals: Arrivals) -> None:
    names = [f"{number:064x}" for number in range(AT_ONCE + 4)]
    for name in names:
        arrivals.add("d", name, 0, b"x")
    assert sum(arrivals.received("d", name) for name in names) == AT_ONCE
    assert arrivals.received("d", names[-1]) == 1


@pytest.mark.parametrize("key", ["", "../../x", "a" * 31, "a" * 65, "A" * 64, "a" * 63 + "\n"])
def test_a_key_is_never_a_path(arrivals: Arrivals, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        arrivals.add("d", key, 0, b"x")


def test_nothing_stays_when_nobody_goes_on(arrivals: Arrivals) -> None:
    arrivals.add("d", KEY, 0, DATA)
    now = datetime.now(UTC)
    arrivals.sweep(now - timedelta(hours=1))
    assert arrivals.received("d", KEY) == len(DATA)
    arrivals.sweep(now + timedelta(hours=1))
    assert not list(arrivals.blobs.lies())
    arrivals.blobs.tidy((), (now + timedelta(hours=1)).timestamp())
    assert not list(arrivals.blobs.folder.rglob("*"))
