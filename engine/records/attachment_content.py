"""What the bytes handed in really are. A picture is decoded and saved anew, so that nothing but its pixels is kept; a
PDF is read through and refused when it is locked, broken, or would do something when opened. Names prove nothing.
"""

from __future__ import annotations

import io
import logging
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image, ImageOps
from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from engine.problems import Fact

MOST_PIXELS: Final = 24_000_000
MOST_SIDE: Final = 20_000  # beyond, a picture of a few pixels across holds ten times its own memory
MOST_SCANS: Final = 100  # a photo has a dozen at most; each of them makes every pixel be gone through once more
LONGEST_SIDE: Final = 2000
JPEG_QUALITY: Final = 80
HEAVY_PNG: Final = 1_000_000  # a picture that PNG cannot make lighter is a photo: JPEG
MOST_OBJECTS: Final = 20_000
MOST_PAGES: Final = 300
MOST_INFLATED: Final = 128_000_000  # bytes that the streams of one PDF may unfold to

Image.MAX_IMAGE_PIXELS = MOST_PIXELS
logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it would tell the log about each oddity of each person's file


class Rejected(Exception):
    """A file that is not kept, and why: file_empty file_size file_type file_pdf file_picture file_broken (a picture)
    file_unreadable (a PDF) file_locked file_active. `facts` are what the sentence needs: size and maximum in bytes, or the most pixels; what was found."""

    def __init__(self, code: str, **facts: Fact) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes fit to be kept: `kind` is pdf, jpg or png."""

    kind: str
    data: bytes
    pages: int = 1


def judged(data: bytes, name: str, accept: tuple[str, ...]) -> Content:
    """The bytes to keep of a file handed in. Raises `Rejected`."""
    kind = kind_of(data)
    if kind is None:
        raise Rejected("file_type", found=_claimed_kind(data, name), accept=accept)
    if kind not in accept:
        raise Rejected(_NOT_HERE[kind], found=kind, accept=accept)
    return _pdf(data) if kind == "pdf" else _picture(data, kind, accept)


def kind_of(data: bytes) -> str | None:
    """By the first bytes only: a file that begins as something else is something else."""
    return next((kind for start, kind in _BEGINNINGS if data.startswith(start)), None)


_NOT_HERE: Final = {"pdf": "file_pdf", "jpg": "file_picture", "png": "file_picture"}  # sound, but not wanted here
_BEGINNINGS: Final = ((b"%PDF-", "pdf"), (b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"))
_HEIC: Final = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypmsf1")


def _claimed_kind(data: bytes, name: str) -> str:
    """For the sentence only: « ce fichier est un docx »."""
    if data[4:12] in _HEIC:
        return "heic"
    extension = name.rpartition(".")[2].lower()
    return extension if extension.isascii() and extension.isalnum() and len(extension) <= 5 else ""


# -- pictures ----------------------------------------------------------------------------------------------------------


_MARKER: Final = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd8])")
_SCAN, _END = b"\xda", b"\xd9"


def _picture(data: bytes, kind: str, accept: tuple[str, ...]) -> Content:
    if kind == "jpg" and _scans(data) > MOST_SCANS:
        raise Rejected("file_broken")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG" if kind == "png" else "JPEG"]) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
                raise Rejected("file_size", pixels=MOST_PIXELS)
            return _saved_anew(opened, kind, accept)
    except Rejected:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Rejected("file_size", pixels=MOST_PIXELS) from None
    except Exception:  # whatever a decoder says of hostile bytes, the file is broken
        raise Rejected("file_broken") from None


def _scans(data: bytes) -> int:
    """How often a JPEG goes over its pixels, up to its end: what is said inside its notes does not count."""
    at, found = 2, 0
    while (marker := _MARKER.search(data, at)) is not None and marker[1] != _END and found <= MOST_SCANS:
        found += marker[1] == _SCAN
        at = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2], "big"))
    return found


def _saved_anew(opened: Image.Image, kind: str, accept: tuple[str, ...]) -> Content:
    opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded no larger than needed
    opened.load()
    picture = _on_white(_upright(opened))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    bare = Image.frombytes(picture.mode, picture.size, picture.tobytes())  # pixels, and nothing that rode with them
    if kind == "png":
        saved = _encoded(bare, "PNG", optimize=False)
        if len(saved) <= HEAVY_PNG or "jpg" not in accept:
            return Content("png", saved)
    return Content("jpg", _encoded(bare, "JPEG", quality=JPEG_QUALITY))


def _upright(opened: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(opened)
    except Exception:  # notes that cannot be read do not spoil the picture
        return opened


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture as paper shows it."""
    if picture.mode.endswith(("A", "a")) or "transparency" in picture.info:
        above = picture.convert("RGBA")
        flat = Image.new("RGB", above.size, "white")
        flat.paste(above, mask=above.getchannel("A"))
        return flat
    return picture.convert("L" if picture.mode in ("1", "L", "I", "I;16") else "RGB")


def _encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


# -- PDF ---------------------------------------------------------------------------------------------------------------

_ACTIVE_KEYS: Final = frozenset(
    {"/JS", "/JavaScript", "/AA", "/EmbeddedFiles", "/EF", "/RF", "/XFA", "/RichMediaContent", "/RichMediaSettings"}
)
_ACTIVE_KINDS: Final = frozenset(
    {
        "/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToE", "/GoToR", "/Rendition", "/Movie", "/Sound", "/EmbeddedFile",
        "/RichMedia", "/RichMediaExecute", "/FileAttachment", "/Screen", "/3D", "/SetOCGState", "/Trans3D",
    }
)  # fmt: skip
# Written out anywhere, even where no table of the file leads: another reader might find it.
_ACTIVE_BYTES: Final = (b"/JavaScript", b"/EmbeddedFile", b"/RichMedia", b"/Launch", b"/SubmitForm")


def _pdf(data: bytes) -> Content:
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            raise Rejected("file_locked")
        if any(name in data for name in _ACTIVE_BYTES):
            raise Rejected("file_active")
        _walk(reader)
        pages = len(reader.pages)
    except Rejected:
        raise
    except Exception:  # whatever the reader says of hostile bytes, the file is broken
        raise Rejected("file_unreadable") from None
    if not 0 < pages <= MOST_PAGES:
        raise Rejected("file_unreadable")
    return Content("pdf", data, pages)


def _walk(reader: PdfReader) -> None:
    """Every object of the file, led to or not. Raises `Rejected` at the first that acts, or when they unfold without end."""
    numbers = {(number, generation) for generation, table in reader.xref.items() for number in table}
    numbers |= {(number, 0) for number in reader.xref_objStm}
    if len(numbers) > MOST_OBJECTS:
        raise Rejected("file_unreadable")
    inflated = 0
    _refuse_acting(reader.trailer)
    for number, generation in sorted(numbers):
        item = reader.get_object(IndirectObject(number, generation, reader))
        _refuse_acting(item)
        if isinstance(item, StreamObject):
            inflated += _inflated(item, MOST_INFLATED - inflated)


def _refuse_acting(item: object) -> None:
    for table in _tables(item):
        if not _ACTIVE_KEYS.isdisjoint(table) or _acts_on_opening(table.get("/OpenAction")):
            raise Rejected("file_active")
        if any(str(table.raw_get(key)) in _ACTIVE_KINDS for key in ("/S", "/Subtype", "/Type") if key in table):
            raise Rejected("file_active")


def _acts_on_opening(action: object) -> bool:
    """To open at a page, as office software writes it, is no act."""
    if action is None or isinstance(action, ArrayObject):
        return False
    return not (isinstance(action, DictionaryObject) and action.get("/S") == "/GoTo" and "/Next" not in action)


def _tables(item: object) -> Iterator[DictionaryObject]:
    """The dictionaries written inside one object; what it refers to is walked on its own."""
    waiting = [item]
    while waiting:
        one = waiting.pop()
        if isinstance(one, DictionaryObject):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, ArrayObject):
            waiting.extend(one)


def _inflated(stream: StreamObject, most: int) -> int:
    """How many bytes the stream unfolds to. Raises `Rejected` beyond `most`, having held none of them for long."""
    filters = stream.get("/Filter")
    first = filters[0] if isinstance(filters, ArrayObject) and filters else filters
    if first not in ("/FlateDecode", "/Fl"):
        return 0
    unfolding, waiting, size = zlib.decompressobj(), stream._data, 0
    try:
        while waiting and not unfolding.eof:
            size += len(unfolding.decompress(waiting, 1_000_000))
            waiting = unfolding.unconsumed_tail
            if size > most:
                raise Rejected("file_unreadable")
    except zlib.error:
        return size  # a reader shows what there is
    return size
