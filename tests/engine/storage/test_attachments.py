"""Files handed in: what is kept of a good one, why a bad one is refused, and that nothing is lost on the way."""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    NameObject,
    NullObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

from engine.storage.files.attachments import LARGEST_PICTURE, AttachmentStore, Lost, StoredFile, Weigh, display_name
from engine.storage.files.encryption import FileKeys
from engine.storage.files.images import LONGEST_SIDE, MOST_SCANS
from engine.storage.files.inspection import Rejected
from engine.storage.results import Busy

ALL = ("pdf", "jpg", "png")
SIZE = 5_000_000


@pytest.fixture
def store(tmp_path: Path) -> AttachmentStore:
    return AttachmentStore(tmp_path / "files", FileKeys.generate())


def a_picture(form: str = "JPEG", size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    picture = Image.new(mode, size, options.pop("colour", 120))
    picture.save(out, form, **options)
    return out.getvalue()


def a_pdf(*, pages: int = 1, **catalogue: object) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(100, 100)
    for name, value in catalogue.items():
        writer.root_object[NameObject("/" + name)] = value
    return written(writer)


def written(writer: PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def an_action(kind: str, **more: object) -> DictionaryObject:
    table = {
        NameObject("/S"): NameObject("/" + kind),
        **{NameObject("/" + name): value for name, value in more.items()},
    }
    return DictionaryObject(table)


def kept_picture(store: AttachmentStore, kept: StoredFile) -> Image.Image:
    return Image.open(io.BytesIO(store.read(kept.sha256)))


def why_refused(
    store: AttachmentStore, data: bytes, name: str = "a.pdf", accept: tuple[str, ...] = ALL, weigh: Weigh | None = None
) -> str:
    with pytest.raises(Rejected) as refused:
        store.keep(data, name, accept, SIZE, weigh=weigh)
    assert not store.blobs.folder.exists() or not [path for path in store.blobs.folder.rglob("*") if path.is_file()]
    return refused.value.code


# -- pictures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "kind"), [("JPEG", "jpg"), ("PNG", "png")])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_is_kept_as_what_it_is(store: AttachmentStore, form: str, kind: str, mode: str) -> None:
    kept = store.keep(a_picture(form, mode=mode, colour="white"), "scan", ALL, SIZE)
    data = store.read(kept.sha256)
    assert kept == StoredFile(hashlib.sha256(data).hexdigest(), kind, len(data), 1, f"scan.{kind}")
    assert kept_picture(store, kept).size == (40, 20)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "I;16"])
def test_every_mode_of_png_is_seen_on_white(store: AttachmentStore, mode: str) -> None:
    kept = store.keep(a_picture("PNG", mode=mode, colour=0), "a.png", ALL, SIZE)
    clear = mode in ("LA", "RGBA")
    assert kept_picture(store, kept).convert("RGB").getpixel((3, 3)) == ((255,) * 3 if clear else (0, 0, 0))


def test_a_printers_picture_is_kept(store: AttachmentStore) -> None:
    kept = store.keep(a_picture(mode="CMYK", colour=(0, 0, 0, 0)), "a.jpg", ALL, SIZE)
    assert kept_picture(store, kept).mode == "RGB"


def test_place_author_and_appended_code_are_gone_and_the_picture_stands_upright(store: AttachmentStore) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x013B] = "Secret author"
    exif.get_ifd(0x8825)[2] = (6.0, 7.0, 8.0)  # latitude
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("evil.html", "<script>alert(1)</script>")
    data = a_picture(exif=exif, comment=b"<script>") + out.getvalue()
    kept = store.keep(data, "photo.jpg", ALL, SIZE)
    clean = store.read(kept.sha256)
    picture = kept_picture(store, kept)
    assert picture.size == (20, 40)
    assert not picture.getexif()
    assert not set(picture.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    for trace in (b"Secret", b"<script>", b"PK\x03\x04", b"Exif"):
        assert trace not in clean


def test_a_large_photo_is_made_smaller(store: AttachmentStore) -> None:
    kept = store.keep(a_picture(size=(5000, 3000)), "a.jpg", ALL, SIZE)
    assert kept_picture(store, kept).size == (LONGEST_SIDE, LONGEST_SIDE * 3 // 5)


def test_a_photo_heavier_than_the_limit_of_its_question_is_made_smaller_first(store: AttachmentStore) -> None:
    out = io.BytesIO()
    Image.effect_noise((3000, 2600), 90).convert("RGB").save(out, "JPEG", quality=95)
    assert SIZE < len(out.getvalue()) < LARGEST_PICTURE
    assert why_refused(store, out.getvalue() + bytes(LARGEST_PICTURE), "a.jpg") == "picture_size"
    kept = store.keep(out.getvalue(), "a.jpg", ALL, SIZE)
    assert kept.size <= SIZE
    with pytest.raises(Rejected) as still:
        store.keep(out.getvalue(), "a.jpg", ALL, 100_000)
    assert still.value.code == "picture_size", "what is stored keeps the limit"


@pytest.mark.parametrize(("accept", "kind"), [(ALL, "jpg"), (("png",), "png"), (("jpg", "png"), "jpg")])
def test_a_webp_becomes_what_is_accepted(store: AttachmentStore, accept: tuple[str, ...], kind: str) -> None:
    kept = store.keep(a_picture("WEBP"), "a.webp", accept, SIZE)
    assert kept.kind == kind
    assert kept.name == f"a.{kind}"
    assert kept_picture(store, kept).size == (40, 20)


def test_webps_that_are_refused(store: AttachmentStore) -> None:
    assert why_refused(store, a_picture("WEBP", size=(4200, 3001)), "a.webp") == "picture_size"
    assert why_refused(store, a_picture("WEBP")[:40], "a.webp") == "file_broken"
    with pytest.raises(Rejected) as refused:
        store.keep(a_picture("WEBP"), "a.webp", ("pdf",), SIZE)
    assert refused.value.code == "file_picture"


@pytest.mark.slow
@pytest.mark.parametrize("size", [(8000, 6000), (8160, 6120), (12000, 9000)])
def test_photos_of_telephones_of_48_50_and_108_million_pixels_are_kept(
    store: AttachmentStore, size: tuple[int, int]
) -> None:
    weighed: list[int] = []
    kept = store.keep(a_picture(size=size), "a.jpg", ALL, SIZE, weigh=weighed.append)
    assert max(kept_picture(store, kept).size) == LONGEST_SIDE
    assert weighed == [size[0] * size[1]]


def test_a_picture_weighs_no_more_than_its_bytes_may_hold(store: AttachmentStore) -> None:
    weighed: list[int] = []
    whole = a_picture(size=(4000, 3000))
    header = whole[: whole.index(b"\xff\xda") + 600]
    assert why_refused(store, header, "a.jpg", weigh=weighed.append) == "file_broken"
    assert weighed[0] <= 400 * len(header) < 1_000_000


@pytest.mark.parametrize(
    ("size", "more"),
    [
        ((12000, 9200), {}),
        ((20000, 3900), {}),  # its short side leaves nothing to spare: all is decoded
        ((8000, 6000), {"progressive": True}),
    ],
)
def test_what_would_hold_too_many_pixels_is_refused_by_its_header(
    store: AttachmentStore, size: tuple[int, int], more: dict[str, bool]
) -> None:
    assert why_refused(store, a_picture(size=size, **more), "a.jpg") == "picture_size"


def test_a_photo_is_gone_over_so_often_and_no_more(store: AttachmentStore) -> None:
    photo = a_picture(progressive=True)
    starts = [at for at in range(len(photo)) if photo[at] == 0xFF and photo[at + 1] in (0xDA, 0xC4, 0xD9)]
    second = [at for at in starts if photo[at + 1] == 0xDA][1]
    scan = photo[second : next(at for at in starts if at > second)]
    times = MOST_SCANS - photo.count(b"\xff\xda")
    assert why_refused(store, photo[:-2] + scan * (times + 1) + photo[-2:], "a.jpg") == "file_broken"
    assert store.keep(photo[:-2] + scan * times + photo[-2:], "a.jpg", ALL, SIZE).kind == "jpg"


def test_a_png_that_is_a_photo_becomes_a_jpeg_where_that_is_accepted(store: AttachmentStore) -> None:
    out = io.BytesIO()
    Image.effect_noise((1200, 1000), 90).convert("RGB").save(out, "PNG")
    assert store.keep(out.getvalue(), "a.png", ALL, SIZE).kind == "jpg"
    assert store.keep(out.getvalue(), "a.png", ("png",), SIZE).kind == "png"


def test_the_same_picture_twice_is_one_file(store: AttachmentStore) -> None:
    first, second = (store.keep(a_picture(), name, ALL, SIZE) for name in ("a.jpg", "b.jpg"))
    assert first.sha256 == second.sha256
    assert len([path for path in store.blobs.folder.rglob("*") if path.is_file()]) == 1


def a_png_chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def a_claimed_png(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture as large as said."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    pixels = zlib.compress(b"\0" * 1000)
    chunks = a_png_chunk(b"IHDR", header) + a_png_chunk(b"IDAT", pixels) + a_png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "file_empty", id="empty"),
        pytest.param(b"a" * (SIZE + 1), "file_size", id="too heavy"),
        pytest.param(a_claimed_png(8000, 8000), "picture_size", id="64 Mpx"),
        pytest.param(a_claimed_png(20000, 20000), "picture_size", id="400 Mpx"),
        pytest.param(a_claimed_png(2**31 - 1, 2**31 - 1), "picture_size", id="4 Epx"),
        pytest.param(a_claimed_png(20_001, 9), "picture_size", id="a ribbon"),
        pytest.param(a_claimed_png(100, 100), "file_broken", id="fewer pixels than said"),
        pytest.param(a_claimed_png(0, 100), "file_broken", id="no pixel"),
        pytest.param(a_picture()[:300], "file_broken", id="cut photo"),
        pytest.param(a_picture("PNG")[:60], "file_broken", id="cut png"),
        pytest.param(b"\xff\xd8\xff" + b"\0" * 50, "file_broken", id="photo in name only"),
        pytest.param(a_picture("GIF"), "file_type", id="gif"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "file_type", id="svg"),
        pytest.param(b"<html><script>alert(1)</script>", "file_type", id="html"),
        pytest.param(b"PK\x03\x04word/document.xml", "file_type", id="docx"),
        pytest.param(b"MZ\x90\x00", "file_type", id="exe"),
        pytest.param(b"GIF89a%PDF-1.4", "file_type", id="a PDF that begins as something else"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0", "file_type", id="heic"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_good_picture_is_refused(store: AttachmentStore, data: bytes, code: str) -> None:
    assert why_refused(store, data, "a.png") == code


def test_the_sentence_is_told_what_the_file_is(store: AttachmentStore) -> None:
    for data, name, found in [
        (b"PK\x03\x04", "lettre.DOCX", "docx"),
        (b"\0\0\0\x18ftypheic\0\0", "IMG_1", "heic"),
        (b"??", "no extension here", ""),
        (b"??", "a.<script>", ""),
        (a_picture(), "photo.jpg", "jpg"),
    ]:
        with pytest.raises(Rejected) as refused:
            store.keep(data, name, ("pdf",), SIZE)
        assert refused.value.facts["found"] == found


def test_a_sound_file_of_a_kind_not_wanted_here_is_told_as_such(store: AttachmentStore) -> None:
    assert why_refused(store, a_picture(), "statuts.jpg", ("pdf",)) == "file_picture"
    assert why_refused(store, a_pdf(), "photo.pdf", ("jpg", "png")) == "file_pdf"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")
def test_notes_that_cannot_be_read_do_not_spoil_a_picture(store: AttachmentStore) -> None:
    data = a_picture()
    broken = b"Exif\0\0MM\0*\0\0\0\x08\0\xff" + b"\x01\x12\0\x09" * 9
    marked = data[:2] + b"\xff\xe1" + (len(broken) + 2).to_bytes(2, "big") + broken + data[2:]
    assert store.keep(marked, "a.jpg", ALL, SIZE).kind == "jpg"


# -- PDF ---------------------------------------------------------------------------------------------------------------


def test_a_plain_pdf_is_kept_to_the_byte(store: AttachmentStore) -> None:
    data = a_pdf(pages=3)
    kept = store.keep(data, "acte.pdf", ALL, SIZE)
    assert store.read(kept.sha256) == data
    assert (kept.kind, kept.pages, kept.name) == ("pdf", 3, "acte.pdf")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"<" + b"41" * 500_000 + b">", id="one string"),
        pytest.param(b"[" + (b"<" + b"41" * 20_000 + b">") * 25 + b"]", id="many strings"),
        pytest.param(b"[" + b"(a)" * 1_500_000 + b"]", id="millions of signs"),
    ],
)
@pytest.mark.parametrize("place", ["an object", "the trailer"])
def test_a_pdf_that_is_slow_to_read_is_refused(store: AttachmentStore, value: bytes, place: str) -> None:
    data = a_written_pdf(value) if place == "an object" else a_written_pdf(b"null", value)
    assert why_refused(store, data, "a.pdf") == "file_unreadable"


def test_strings_folded_in_a_stream_are_counted_too(store: AttachmentStore) -> None:
    for digits, refused in ((1_000_000, True), (2_000, False)):
        writer = PdfWriter()
        writer.add_blank_page(200, 200)
        folded = StreamObject()
        folded.update({NameObject("/Type"): NameObject("/ObjStm"), NameObject("/N"): NumberObject(1)})
        folded[NameObject("/First")] = NumberObject(5)
        folded._data = b"90 0 <" + b"41" * (digits // 2) + b">"
        writer._add_object(folded.flate_encode())
        out = io.BytesIO()
        writer.write(out)
        assert len(out.getvalue()) < 10_000
        if refused:
            assert why_refused(store, out.getvalue(), "a.pdf") == "file_unreadable"
        else:
            assert store.keep(out.getvalue(), "a.pdf", ALL, SIZE)


def test_a_signed_pdf_is_kept(store: AttachmentStore) -> None:
    signature = b"<</Type/Sig/Filter/Adobe.PPKLite/Contents<" + b"30" * 100_000 + b">>>"
    assert store.keep(a_written_pdf(signature), "signed.pdf", ALL, SIZE).pages == 1


def a_written_pdf(fourth: bytes, told: bytes = b"null") -> bytes:
    """One page, its fourth object and an entry of its trailer as said."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"
    data, places = b"%PDF-1.4\n", list[int]()
    for number, one in enumerate(
        (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, fourth), 1
    ):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size 5/Root 1 0 R/More %b>>\nstartxref\n%d\n%%%%EOF" % (told, len(data))
    return data + b"xref\n0 5\n" + table + end


def test_a_pdf_may_open_at_a_page_and_hold_links(store: AttachmentStore) -> None:
    opens = ArrayObject([NumberObject(0), NameObject("/Fit"), NullObject()])
    assert store.keep(a_pdf(OpenAction=opens), "a.pdf", ALL, SIZE)
    assert store.keep(a_pdf(OpenAction=an_action("GoTo", D=opens)), "b.pdf", ALL, SIZE)
    assert store.keep(a_pdf(A=an_action("URI", URI=TextStringObject("https://example.org"))), "c.pdf", ALL, SIZE)


def with_script() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.root_object[NameObject("/OpenAction")] = writer._add_object(
        an_action("JavaScript", JS=TextStringObject("x"))
    )
    return written(writer)


def with_attachment() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.add_attachment("evil.exe", b"MZ")
    return written(writer)


def locked() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret", algorithm="RC4-128")
    return written(writer)


def with_stream(**entries: object) -> bytes:
    """A file with one object more, that nothing leads to."""
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    stream = StreamObject()
    for name, value in entries.items():
        if name == "data":
            stream._data = value
        else:
            stream[NameObject("/" + name)] = value
    writer._add_object(stream)
    return written(writer)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(with_script(), "file_active", id="script"),
        pytest.param(with_attachment(), "file_active", id="attached file"),
        pytest.param(a_pdf(OpenAction=an_action("Launch")), "file_active", id="launches"),
        pytest.param(a_pdf(OpenAction=an_action("URI", URI=TextStringObject("http://x"))), "file_active", id="calls home"),
        pytest.param(a_pdf(X=an_action("GoToR")), "file_active", id="opens a file of another machine"),
        pytest.param(a_pdf(AA=DictionaryObject()), "file_active", id="acts on events"),
        pytest.param(a_pdf(X=ArrayObject([an_action("SubmitForm")])), "file_active", id="sends a form"),
        pytest.param(a_pdf(AcroForm=an_action("x", XFA=ArrayObject())), "file_active", id="XFA"),
        pytest.param(a_pdf(X=an_action("J_61vaScript")).replace(b"J_61", b"J#61"), "file_active", id="script under an escaped name"),
        pytest.param(with_stream(Subtype=NameObject("/RichMedia"), data=b""), "file_active", id="rich media"),
        pytest.param(a_pdf() + b"\n9 0 obj <</S/JavaScript>> endobj", "file_active", id="script where no table leads"),
        pytest.param(locked(), "file_locked", id="password"),
        pytest.param(a_pdf()[:200], "file_unreadable", id="cut"),
        pytest.param(b"%PDF-1.7\n" + b"\0" * 500, "file_unreadable", id="in name only"),
        pytest.param(a_pdf(pages=0), "file_unreadable", id="no page"),
    ],
)  # fmt: skip
def test_what_is_no_good_pdf_is_refused(store: AttachmentStore, data: bytes, code: str) -> None:
    assert why_refused(store, data) == code


def test_a_bomb_is_refused(store: AttachmentStore) -> None:
    bomb = with_stream(Filter=NameObject("/FlateDecode"), data=zlib.compress(b"\0" * 200_000_000))
    assert why_refused(store, bomb) == "file_unreadable"


@pytest.mark.slow
def test_no_mutant_of_a_pdf_or_a_picture_raises_anything_else(store: AttachmentStore) -> None:
    for original in (a_pdf(pages=2), a_picture(), a_picture("PNG"), with_script()):
        for place in range(0, len(original), max(1, len(original) // 120)):
            mutant = bytearray(original)
            mutant[place] ^= 0x5A
            with suppress(Rejected):
                store.keep(bytes(mutant), "a", ALL, SIZE)


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("acte de naissance.PDF", "acte de naissance.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\Ama\\scan.pdf", "scan.pdf"),
        ("a\r\nSet-Cookie: x\0.pdf", "a Set-Cookie: x.pdf"),
        ("facture\u202efdp.exe", "facturefdp.exe.pdf"),
        ("", "document.pdf"),
        ("...", "document.pdf"),
        ("photo.jpeg", "photo.pdf"),
        ("\ud800x", "x.pdf"),
        ("e\u0301tat civil", "état civil.pdf"),
        ("x" * 300 + ".pdf", "x" * 96 + ".pdf"),
        (
            '"><img src=x onerror=alert(1)>.pdf',
            '"><img src=x onerror=alert(1)>.pdf',
        ),  # data: whoever shows it escapes it
    ],
)
def test_a_name_is_made_fit_to_be_shown(given: str, shown: str) -> None:
    assert display_name(given, "pdf") == shown
    assert len(display_name(given, "pdf")) <= 100


# -- on the disk -------------------------------------------------------------------------------------------------------


def test_only_the_owner_reads(store: AttachmentStore) -> None:
    kept = store.keep(a_pdf(), "a.pdf", ALL, SIZE)
    (path,) = (path for path in store.blobs.folder.rglob("*") if path.is_file())
    assert path.relative_to(store.blobs.folder).parts == (kept.sha256[:2], kept.sha256[2:4], f"{kept.sha256}.-")
    assert path.stat().st_mode & 0o077 == 0
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in path.parents[:2])


def test_what_is_not_there_or_damaged_is_lost(store: AttachmentStore) -> None:
    kept = store.keep(a_pdf(), "a.pdf", ALL, SIZE)
    for digest in ("0" * 64, "../../../etc/passwd", kept.sha256.upper(), ""):
        with pytest.raises(Lost):
            store.read(digest)
    assert list(store.findings([("", kept.sha256)])) == []
    (path,) = (path for path in store.blobs.folder.rglob("*") if path.is_file())
    path.write_bytes(b"other")
    with pytest.raises(Lost):
        store.read(kept.sha256)
    assert [(one.code, one.dossier) for one in store.findings([("", kept.sha256)])] == [("file_lost", "")]
    assert store.keep(a_pdf(), "a.pdf", ALL, SIZE).sha256 == kept.sha256  # handed in again: whole again
    assert store.read(kept.sha256) == a_pdf()


@pytest.mark.parametrize("step", ["fsync", "open", "mkdir"])
def test_a_full_disk_keeps_nothing_half_and_passes(store: AttachmentStore, step: str) -> None:
    with mock.patch.object(os, step, side_effect=OSError(28, "No space left on device")), pytest.raises(Busy):
        store.keep(a_pdf(), "a.pdf", ALL, SIZE)
    assert not store.blobs.folder.exists() or not [path for path in store.blobs.folder.rglob("*") if path.is_file()]
    assert store.keep(a_pdf(), "a.pdf", ALL, SIZE)


def test_the_file_is_on_the_disk_before_its_folder_names_it(store: AttachmentStore) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        steps.append("fsync folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "fsync file")
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    store.keep(a_picture(), "a", ALL, SIZE)
    with mock.patch.object(os, "fsync", synced), mock.patch.object(Path, "rename", renamed):
        store.keep(a_pdf(), "a.pdf", ALL, SIZE)
    assert steps[-3:] == ["fsync file", "rename", "fsync folder"]
    assert steps[:-3] == ["fsync folder"] * 2  # both new levels of folders


def test_sweeping_takes_old_orphans_and_halves_only(store: AttachmentStore) -> None:
    named, orphan = (store.keep(a_pdf(pages=pages), "a.pdf", ALL, SIZE).sha256 for pages in (1, 2))
    half = store.blobs.folder / ".half"
    half.write_bytes(b"half")
    now = datetime.now(UTC)
    assert store.sweep({("", named)}, now - timedelta(hours=1)) == ()
    assert half.exists()
    assert store.sweep({("", named)}, now + timedelta(hours=1)) == (f"{orphan}.-",)
    assert not half.exists()
    assert store.read(named)
    with pytest.raises(Lost):
        store.read(orphan)


def test_a_file_handed_in_again_is_young_again(store: AttachmentStore) -> None:
    kept = store.keep(a_pdf(), "a.pdf", ALL, SIZE)
    (path,) = (path for path in store.blobs.folder.rglob("*") if path.is_file())
    os.utime(path, (0, 0))
    store.keep(a_pdf(), "b.pdf", ALL, SIZE)
    assert path.stat().st_mtime > time.time() - 60
    assert store.sweep(set(), datetime.now(UTC) - timedelta(hours=1)) == ()
    assert store.read(kept.sha256)
