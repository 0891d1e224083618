"""B9f. Generated hostile files, and mutants of valid ones.

Each is refused with a plain reason beside its question, or stored cleaned, within limits of memory and processor time. A refused file
leaves nothing. Then the mutants.
"""

from __future__ import annotations

import html
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.services.limits import file_counts
from engine.storage.files import attachments
from engine.storage.files import images as picture_content
from engine.storage.files import inspection as attachment_content
from engine.storage.files import pdfs as pdf_content
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.encryption import FileKeys
from engine.storage.files.inspection import Content
from tests.faults.hostile_files import KEPT, NAMES, Hostile, a_jpeg, corpus, faults_of, on_disk
from tests.web.client import ANSWERS, PortalClient, a_portal_client, seen_again

pytestmark = [
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.filterwarnings("ignore::UserWarning:PIL.*"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]
ROOT = Path(__file__).resolve().parents[2]
REASONS = {
    "file_empty": "Ce fichier est vide.", "file_type": "Ce format de fichier n’est pas accepté.",
    "file_size": "Ce fichier est trop lourd", "picture_size": "Cette photo est trop grande", "file_broken": "Ce fichier ne s’ouvre pas.",
    "file_unreadable": "Ce PDF ne s’ouvre pas.", "file_locked": "Ce PDF est protégé par un mot de passe.",
    "file_active": "Ce PDF contient un programme.",
}  # fmt: skip


def checked_apart(folder: Path, *how: str) -> tuple[int, list[dict[str, Any]]]:
    """The corpus handed to a store in a program of its own, with its limits; how it ended and what it said."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.hostile_files", str(folder), *how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_each_is_refused_or_made_clean_within_bounds(tmp_path: Path) -> None:
    ended, said = checked_apart(tmp_path / "files")
    assert ended == 0, said[-1:]
    assert said[-1]["faults"] == []
    assert said[-1]["files"] > 100


# -- through the page --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files() -> list[Hostile]:
    return corpus()


def at_the_papers(folder: Path) -> tuple[PortalClient, str]:
    visitor = a_portal_client(folder).sign_in()
    number = visitor.begin()
    visitor.send(f"/dossiers/{number}/demande/vous", **ANSWERS, go="next")
    visitor.send(f"/dossiers/{number}/demande/aides", go="next")
    return visitor, visitor.page.address


def post_raw(visitor: PortalClient, address: str, name: str, data: bytes) -> None:
    """The form as a browser that obeys nobody would post it: the name of the file as it is."""
    parts = [(name_, value) for name_, values in visitor.open(address).form().items() for value in values]
    body = b"".join(
        b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (key.encode(), value.encode())
        for key, value in [*((key, value) for key, value in parts if key != "end"), ("go", "next")]
    )
    head = b'--limit\r\nContent-Disposition: form-data; name="file:carte"; filename="%s"\r\nContent-Type: image/jpeg\r\n\r\n'
    body += head % name.replace('"', "%22").encode("utf-8", "surrogatepass") + data
    body += b'\r\n--limit\r\nContent-Disposition: form-data; name="end"\r\n\r\n1\r\n--limit--\r\n'
    answer = visitor.client.post(address, data=body, content_type="multipart/form-data; boundary=limit")
    visitor.page = seen_again(visitor.client, answer)


def test_a_refusal_is_told_beside_its_question_and_leaves_nothing(
    tmp_path: Path, files: list[Hostile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_counts, "FILES_AT_ONCE", len(files))
    visitor, address = at_the_papers(tmp_path)
    before = on_disk(tmp_path)
    seen = set()
    for file in files:
        if KEPT in file.must.split() or file.case.startswith("too heavy"):
            continue
        post_raw(visitor, address, file.name, file.data)
        page = visitor.page
        assert page.status == 422, file.case
        told = re.search(r'id="f-carte-e">.*?(?=<div)', page.html, re.S)
        assert told, file.case
        beside = html.unescape(re.sub(r"<[^>]+>", " ", told[0]))
        fitting = [code for code in file.must.split() if REASONS[code] in beside]
        assert fitting, (file.case, beside)
        seen.update(fitting)
        assert on_disk(tmp_path) == before, file.case
    assert len(seen) >= 6


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_that_deceives_is_only_a_name(tmp_path: Path, name: str) -> None:
    visitor, address = at_the_papers(tmp_path)
    before = on_disk(tmp_path)
    post_raw(visitor, address, name, a_jpeg())
    page = visitor.page
    assert page.status < 500
    assert "Set-Cookie: x" not in str(page.response.headers)
    new = on_disk(tmp_path) - before
    assert all(re.fullmatch(r"files/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}(\.[\w-]+)?", one) for one in new), new
    shown = visitor.open(address).html
    assert not re.search(r"<img[^>]+onerror", shown)
    assert not set("\u202e\u2066\u200b\0") & set(shown)
    for link in re.findall(r'href="(/dossiers/\d+/pieces/[^"]+)"', shown):
        answer = visitor.open(link).response
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert re.fullmatch(r'attachment; filename="[\w.-]+"', answer.headers["Content-Disposition"], re.ASCII)
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")


# -- mutants -------------------------------------------------------------------------------------------------------------


def pictures_as_they_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attachment_content, "_picture", lambda data, kind, accept, weigh: Content(kind, data))


def whatever_acts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pdf_content, "_refuse_acting", lambda item: None)


def only_what_is_written_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pdf_content, "_walk", lambda reader, make_way: None)


def any_beginning(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attachment_content, "kind_of", lambda data: "pdf" if b"%PDF-" in data else None)


def any_size(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(picture_content, "MOST_SIDE", 10**12)


def names_as_they_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attachments, "display_name", lambda name, kind: f"{name}.{kind}")


def on_the_disk_first(patch: pytest.MonkeyPatch) -> None:
    keep = AttachmentStore.keep

    def kept(store: AttachmentStore, data: bytes, *how: Any) -> Any:
        store._store(("", f"{hash(data):064x}"[-64:]), data)
        return keep(store, data, *how)

    patch.setattr(AttachmentStore, "keep", kept)


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "case", "seen"),
    [
        (pictures_as_they_came, "says where", "still holds"),
        (pictures_as_they_came, "a photo, then a page", "still holds b'<script'"),
        (whatever_acts, "opens a file of another machine", "kept instead of file_active"),
        (only_what_is_written_out, "runs a script when opened", ""),
        (only_what_is_written_out, "folded", "kept instead of file_active"),
        (any_beginning, "late PDF", "kept instead of file_type"),
        (any_size, "24 million wide", "kept instead of picture_size"),
        (names_as_they_came, "called", "is shown as"),
        (on_the_disk_first, "an archive", "refused, and on the disk"),
    ],
    ids=lambda one: one.__name__ if callable(one) else None,
)
def test_a_defence_taken_away_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[Hostile], mutant: Any, case: str, seen: str
) -> None:
    some = [file for file in files if case in file.case]
    assert some
    mutant(monkeypatch)
    found = faults_of(AttachmentStore(tmp_path / "files", FileKeys.generate()), some)
    assert any(seen in fault for fault in found) if seen else not found


@pytest.mark.nightly("mutant")
def test_a_file_that_eats_the_processor_is_seen(tmp_path: Path) -> None:
    ended, said = checked_apart(tmp_path / "files", "gone over", "MOST_SCANS")
    assert ended == -signal.SIGPROF
    assert said[-1] == {"at": "gone over thousands of times"}
