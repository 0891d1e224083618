"""Free space that uploads never use."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.operations.settings import MEGABYTE, Settings, WrongNumber
from engine.storage.files import reserve
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.blob_store import Bucket
from engine.storage.files.reserve import LEAST, NoSpace, Reserve
from tests.engine.services.world import pdf


class Disk:
    """A disk that is as full as a test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, total: int, free: int) -> None:
        self.total, self.free = total, free
        usage = type(shutil.disk_usage("/"))
        monkeypatch.setattr(reserve.shutil, "disk_usage", lambda folder: usage(self.total, 0, self.free))  # type: ignore[attr-defined]


def test_by_default_it_follows_the_size_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, 1_000 * MEGABYTE, LEAST + 10)
    kept = Reserve((tmp_path,))
    assert kept.free_bytes() == 10
    disk.total = 1_000_000 * MEGABYTE
    assert kept.free_bytes() == LEAST + 10 - disk.total // 50
    assert Reserve((tmp_path,), 0).free_bytes() == LEAST + 10, "as an installation sets it"


def test_who_is_unproven_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "guichet.reserve")
    disk, kept = Disk(monkeypatch, 1, 250), Reserve((tmp_path / "not" / "made" / "yet",), 100)
    kept.check(50, unproven=True)
    with pytest.raises(NoSpace):
        kept.check(51, unproven=True)
    kept.check(150)
    assert caplog.messages == []
    for _ in range(3):
        with pytest.raises(NoSpace):
            kept.check(151)
    assert len(caplog.messages) == 1, "told once"
    disk.free = 300
    kept.check(151)
    assert len(caplog.messages) == 2


def test_a_file_in_the_reserve_is_not_kept_and_one_that_is_kept_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, 1, 10_000)
    store = AttachmentStore(tmp_path / "files", reserve=Reserve((tmp_path,), 5_000))
    kept = store.keep(pdf(), "a.pdf", ("pdf",), 9_000)
    disk.free = 5_000
    with pytest.raises(NoSpace):
        store.keep(pdf() + b"\n", "a.pdf", ("pdf",), 9_000)
    assert store.read(kept.sha256) == pdf()


def test_an_installation_chooses() -> None:
    assert Settings.from_environment({}).reserve is None
    assert Settings.from_environment({"GUICHET_RESERVE": "0"}).reserve == 0
    assert Settings.from_environment({"GUICHET_RESERVE": "300"}).reserve == 300 * MEGABYTE
    with pytest.raises(WrongNumber):
        Settings.from_environment({"GUICHET_RESERVE": "a lot"})
    assert Settings(data=Path("var")).disks == (Path("var"), Path("var/files"))
    assert Settings(data=Path("var"), files_at="s3://b", service=Bucket("", "", "", "")).disks == (Path("var"),)
