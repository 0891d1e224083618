"""What every shelf promises, a folder and a bucket of a real S3-compatible service alike, and what is kept on it."""

from __future__ import annotations

import inspect
import io
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from engine.operations.settings import Settings
from engine.operations.store_factory import open_blob_store
from engine.storage.files import s3
from engine.storage.files.attachments import AttachmentStore, Lost
from engine.storage.files.blob_store import BlobStore, Bucket, FolderBlobStore, WrongBlobStore
from engine.storage.files.encryption import FileKeys, add_key
from engine.storage.files.resumable_uploads import AT_ONCE
from engine.storage.files.s3 import SWEPT, S3BlobStore
from engine.storage.results import Busy
from renderers.cli.admin.installation import open_office
from tests.bucket import Service, service
from tests.engine.services.world import keys, pdf

pytestmark = pytest.mark.xdist_group("bucket")  # one service for all of them

NAME = "ab/cd/abcdef.d1"
DAY = timedelta(days=1)


@pytest.fixture
def bucket() -> S3BlobStore:
    return S3BlobStore(service().a_bucket())


@pytest.fixture(params=["folder", "bucket"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return open_blob_store(tmp_path / "files" if request.param == "folder" else service().a_bucket("office/files"))


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    keys().save(tmp_path / "keys.json")
    return tmp_path / "keys.json"


@pytest.fixture
def store(shelf: BlobStore, ring: Path) -> AttachmentStore:
    return AttachmentStore(shelf, FileKeys.open(ring))


def names(shelf: BlobStore, under: str = "") -> list[str]:
    return [one.name for one in shelf.lies(under)]


def soon() -> float:
    return time.time() + 60


# -- the shelf ---------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_and_written_over_whole(shelf: BlobStore) -> None:
    assert shelf.read(NAME) is None
    assert names(shelf) == []
    for data in (b"first", b"", b"x" * 3_000_000, b"last"):
        shelf.write(NAME, data)
        assert shelf.read(NAME) == data
    (one,) = shelf.lies()
    assert (one.name, one.size) == (NAME, 4)
    assert abs(one.at - time.time()) < 60
    shelf.remove(NAME)
    shelf.remove(NAME)
    assert shelf.read(NAME) is None


def test_a_folder_of_names_is_not_another_that_begins_alike(shelf: BlobStore) -> None:
    for name in ("a/b/2", "a/b/1", "a/bc/3", "d/4"):
        shelf.write(name, b"", lasting=False)
    assert names(shelf, "a/b") == ["a/b/1", "a/b/2"]
    assert names(shelf) == ["a/b/1", "a/b/2", "a/bc/3", "d/4"]
    assert names(shelf, "none") == []


def test_only_what_is_old_is_taken_away(shelf: BlobStore) -> None:
    shelf.write(NAME, b"x")
    assert not shelf.take_away(NAME, time.time() - 60)
    assert shelf.read(NAME) == b"x"
    assert shelf.take_away(NAME, soon())
    assert names(shelf) == []
    assert not shelf.take_away(NAME, soon())
    shelf.tidy((), soon())
    assert shelf.read(NAME) is None


def test_many_write_one_name_and_one_of_them_is_there_whole(shelf: BlobStore) -> None:
    said = [bytes([65 + n]) * 200_000 for n in range(8)]
    with ThreadPoolExecutor(8) as hands:
        list(hands.map(lambda data: shelf.write(NAME, data), said))
    assert shelf.read(NAME) in said
    assert names(shelf) == [NAME]


def test_what_goes_while_it_is_tidied_up_was_put_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes meanwhile: half a file that was there a moment ago has its name now."""
    shelf, is_file = FolderBlobStore(tmp_path), Path.is_file

    def put_in_its_place(path: Path) -> bool:
        found = is_file(path)
        path.rename(tmp_path / "whole")
        return found

    (tmp_path / ".whole.1234").write_bytes(b"x")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", put_in_its_place)
        shelf.tidy((), soon())
    assert shelf.read("whole") == b"x"


class Killed(BaseException):
    """A process that ends between two lines."""


def killed_while_sweeping(shelf: FolderBlobStore, patch: pytest.MonkeyPatch, limit: float) -> None:
    """Between the two names that it gives to what was made young again."""
    rename = Path.rename

    def once(path: Path, other: Path) -> Path:
        if path.name.startswith("."):
            raise Killed
        return rename(path, other)

    with patch.context() as inside:
        inside.setattr(Path, "rename", once)
        with pytest.raises(Killed):
            shelf.take_away(NAME, limit)


@pytest.mark.parametrize("days", [0, 2])
def test_what_a_sweep_that_was_killed_left_aside_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    shelf = FolderBlobStore(tmp_path / "files")
    shelf.write(NAME, b"x")
    killed_while_sweeping(shelf, monkeypatch, time.time() - 60)
    assert shelf.read(NAME) == b"x", "until then it is read where it lies"
    shelf.tidy({"ab/ce/other.d1", NAME}, time.time() + days * 86_400 - 3_600)
    assert names(shelf) == [NAME]
    assert shelf.read(NAME) == b"x"
    assert [one.name for one in shelf.folder.glob(".*")] == []


def test_what_was_written_again_since_stays_and_what_nobody_names_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = FolderBlobStore(tmp_path / "files")
    shelf.write(NAME, b"x")
    killed_while_sweeping(shelf, monkeypatch, time.time() - 60)
    shelf.write(NAME, b"again")
    shelf.tidy({NAME}, soon())
    assert shelf.read(NAME) == b"again"
    killed_while_sweeping(shelf, monkeypatch, time.time() - 60)
    shelf.tidy((), soon())
    assert shelf.read(NAME) is None


def test_the_place_is_tried(shelf: BlobStore) -> None:
    shelf.check()
    assert names(shelf) == []


# -- what is kept on it ------------------------------------------------------------------------------------------------


def test_a_file_is_kept_sealed_read_lost_and_swept(store: AttachmentStore) -> None:
    first, second = (store.keep(pdf(), "a.pdf", ("pdf",), 1_000_000, one).sha256 for one in ("d1", "d2"))
    assert first == second
    assert store.read(first, "d1") == store.read(first, "d2") == pdf()
    assert len(names(store.blobs)) == 2
    assert all(b"PDF" not in (store.blobs.read(name) or b"PDF") for name in names(store.blobs))
    with pytest.raises(Lost):
        store.read(first, "d3")
    store.keep(a_png(), "b.png", ("png",), 1_000_000, "d2")
    now, known = datetime.now(UTC), {("d1", first)}
    assert store.sweep(known, now - DAY) == ()
    assert len(store.sweep(known, now + DAY)) == 2
    assert store.sweep(known, now + DAY) == ()
    assert store.read(first, "d1") == pdf()
    assert [one.code for one in store.findings([("d1", first), ("d2", first)])] == ["file_lost"]


def test_what_is_changed_there_is_seen(store: AttachmentStore) -> None:
    kept = store.keep(pdf(), "a.pdf", ("pdf",), 1_000_000, "d1").sha256
    (name,) = names(store.blobs)
    sealed = store.blobs.read(name) or b""
    store.blobs.write(name, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(Lost):
        store.read(kept, "d1")
    store.keep(pdf(), "a.pdf", ("pdf",), 1_000_000, "d1")  # handed in again: whole again
    assert store.read(kept, "d1") == pdf()


def test_a_new_key_comes_without_the_content(store: AttachmentStore, ring: Path) -> None:
    kept = store.keep(pdf(), "a.pdf", ("pdf",), 1_000_000, "d1").sha256
    (name,) = names(store.blobs)
    before, new = store.blobs.read(name) or b"", add_key(ring)
    fresh = AttachmentStore(store.blobs, FileKeys.open(ring))
    assert fresh.rewrap([("d1", kept)]) == (1, ())
    assert fresh.rewrap([("d1", kept)]) == (0, ())
    assert fresh.sealed_under(("d1", kept)) == new
    assert (store.blobs.read(name) or b"")[72:] == before[72:]
    assert store.read(kept, "d1") == pdf()


def test_pieces_of_a_file_come_together(store: AttachmentStore) -> None:
    arriving, data = store.arriving, bytes(range(200))
    import hashlib

    key = hashlib.sha256(data).hexdigest()
    assert arriving.add("d1", key, 50, data[50:90]) == 0, "a piece beyond a gap"
    assert arriving.add("d1", key, 0, data[:90]) == 90
    assert arriving.add("d1", key, 40, data[40:]) == 200
    assert arriving.whole("d1", key) == data
    for n in range(AT_ONCE):
        arriving.add("d1", f"{n:064x}", 0, b"x")
    assert arriving.received("d1", key) == 0, "the oldest made room"
    arriving.sweep(datetime.now(UTC) + DAY)
    assert names(store.blobs) == []


# -- a bucket's own ----------------------------------------------------------------------------------------------------


def test_what_is_handed_in_again_while_it_is_swept_is_not_lost(bucket: S3BlobStore) -> None:
    bucket.write(NAME, b"x")
    assert bucket.take_away(NAME, soon())
    assert bucket.read(NAME) == b"x", "what fell under the sweep is read where it lies aside"
    bucket.tidy({NAME}, soon())
    assert names(bucket) == [NAME], "and comes back once a dossier names it"
    assert names(bucket, SWEPT) == []
    bucket.take_away(NAME, soon())
    bucket.write(NAME, b"x")
    bucket.tidy((), soon())
    assert bucket.read(NAME) == b"x"


def test_a_service_that_gives_no_answer_holds_half_of_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_ANSWER", timedelta(seconds=4))
    monkeypatch.setattr(s3, "_RETRIES", {"max_retries": 0})
    with socket.create_server(("127.0.0.1", 0), backlog=32) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        held = S3BlobStore(Bucket("s3://silent/files", address, "key", "secret", "us-east-1"))

        def asks(turn: int) -> float:
            began = time.monotonic()
            with pytest.raises(Busy):
                held.read(NAME) if turn % 2 else names(held)
            return time.monotonic() - began

        with ThreadPoolExecutor(2 * s3.AT_ONCE) as hands:
            waits = sorted(hands.map(asks, range(2 * s3.AT_ONCE)))
    assert waits[s3.AT_ONCE - 1] < 2 < waits[s3.AT_ONCE], "the others are answered at once"


def test_two_prefixes_of_a_bucket_are_two_places(bucket: S3BlobStore) -> None:
    other = S3BlobStore(replace(bucket.bucket, address=bucket.bucket.address.replace("/files", "/files-2")))
    bucket.write(NAME, b"x")
    assert other.read(NAME) is None
    assert names(other) == []


def test_a_listing_of_several_pages_is_whole(bucket: S3BlobStore) -> None:
    many = [f"ab/{n:04}" for n in range(1_001)]  # a page has 1,000
    with ThreadPoolExecutor(8) as hands:
        list(hands.map(lambda name: bucket.write(name, b""), many))
    assert names(bucket) == many


def none_of_this_name(one: Bucket) -> Bucket:
    return replace(one, address="s3://nobody-made-this-one/files")


def another_secret(one: Bucket) -> Bucket:
    return replace(one, secret="wrong")


def another_key(one: Bucket) -> Bucket:
    return replace(one, key="wrong")


@pytest.mark.parametrize("wrong", [none_of_this_name, another_secret, another_key])
def test_a_place_that_does_not_let_us_in_is_told_and_no_file_is_called_lost(bucket: S3BlobStore, wrong) -> None:  # type: ignore[no-untyped-def]
    bucket.write(NAME, b"x")
    poor = S3BlobStore(wrong(bucket.bucket))
    with pytest.raises(WrongBlobStore):
        poor.check()
    for act in (lambda: poor.read(NAME), lambda: poor.write(NAME, b"y"), lambda: names(poor)):
        with pytest.raises(Busy):
            act()
    assert bucket.read(NAME) == b"x"


@pytest.mark.parametrize(
    "change",
    [
        {"address": "s3://"}, {"address": "s3:/papers"}, {"endpoint": ""}, {"endpoint": "files.example"}, {"key": ""},
        {"secret": ""}, {"authority": Path("/nowhere/ca.pem")},
    ],
)  # fmt: skip
def test_what_is_said_badly_is_told_before_anything_is_asked(change: dict[str, object]) -> None:
    sound = Bucket("s3://papers/files", "https://files.example", "key", "secret")
    with pytest.raises(WrongBlobStore, match="GUICHET_FILES") as told:
        open_blob_store(replace(sound, **change))  # type: ignore[arg-type]
    assert "secret" not in str(told.value).lower().replace("guichet_files_secret", "")


def test_only_operations_of_every_service_are_asked_for() -> None:
    """Some services lack the others, or answer 200 to a copy that they do not make."""
    source = Path(inspect.getfile(S3BlobStore)).read_text()
    assert set(re.findall(r"obstore\.(\w+)\(", source)) == {"put", "get", "head", "list", "delete"}
    assert source.count("obstore.put(") == source.count("use_multipart=False)")


@pytest.fixture
def own_service() -> Iterator[Service]:
    one = Service()
    yield one
    one.close()


@pytest.mark.slow
def test_a_service_that_is_cut_is_busy_and_then_all_is_there(own_service: Service, ring: Path) -> None:
    store = AttachmentStore(S3BlobStore(own_service.a_bucket()), FileKeys.open(ring))
    kept = store.keep(pdf(), "a.pdf", ("pdf",), 1_000_000, "d1").sha256
    own_service.stop()
    with pytest.raises(Busy):
        store.read(kept, "d1")
    with pytest.raises(Busy):
        store.keep(a_png(), "b.png", ("png",), 1_000_000, "d1")
    with pytest.raises(Busy):
        store.blobs.check()
    own_service.start()
    assert store.read(kept, "d1") == pdf()
    assert len(names(store.blobs)) == 1


@pytest.mark.slow
def test_the_site_starts_without_a_service_that_is_away_and_not_with_a_wrong_one(
    own_service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart while the bucket was away ended the whole site, which needs it for files only."""
    bucket = own_service.a_bucket()
    settings = Settings(data=tmp_path, files_at=bucket.address, service=bucket, demo=True)
    with pytest.raises(SystemExit):
        open_office(replace(settings, service=another_secret(bucket)))
    own_service.stop()
    office, _ = open_office(settings)
    assert "the service of files does not answer" in caplog.text
    with pytest.raises(Busy):
        office.attachments.keep(pdf(), "a.pdf", ("pdf",), 1_000_000, "d1")
    own_service.start()
    assert office.attachments.keep(pdf(), "a.pdf", ("pdf",), 1_000_000, "d1")
    office.store.close()


def test_a_folder_may_be_named_too(tmp_path: Path) -> None:
    assert isinstance(open_blob_store(tmp_path), FolderBlobStore)
    assert str(open_blob_store(tmp_path)) == str(tmp_path)


def a_png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "PNG")
    return out.getvalue()
