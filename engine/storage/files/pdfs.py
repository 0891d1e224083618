"""A PDF handed in is read through, object by object, and refused when it is locked, broken, or would do something when opened."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from typing import Final

from pypdf import PdfReader, apply_configuration, get_configuration
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from engine.storage.files.content import Content, Rejected
from engine.storage.files.pdf_streams import Budget, decoded

MOST_OBJECTS: Final = 20_000
MOST_PAGES: Final = 300
MOST_DECODED: Final = 128_000_000  # bytes that the streams of one PDF may decode to, each filter of each counted
MOST_FOLDED: Final = (
    16_000_000  # bytes of objects that lie folded in streams: these are held, with what is read of them
)
MOST_READS: Final = 2_000_000  # of what lies outside streams: the reader takes a sign or sixteen at a time
MOST_DIGITS: Final = 600_000  # of hexadecimal strings, the slowest to read: a signature is some 60,000
# What the reader itself decodes: indexes, and streams of folded objects once they were counted.
_LIMITS: Final = get_configuration().with_overwrites(
    zlib_maximum_output_length=MOST_FOLDED, lzw_maximum_output_length=MOST_FOLDED, run_length_maximum_output_length=MOST_FOLDED,
    stream_decoding_work_maximum_length=2 * MOST_FOLDED, zlib_maximum_recovery_input_length=100_000,
)  # fmt: skip

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it would tell the log about each oddity of each person's file

_ACTIVE_KEYS: Final = frozenset(
    {"/JS", "/JavaScript", "/AA", "/EmbeddedFiles", "/EF", "/RF", "/XFA", "/RichMediaContent", "/RichMediaSettings"}
)
_ACTIVE_KINDS: Final = frozenset(
    {
        "/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToE", "/GoToR", "/Rendition", "/Movie", "/Sound", "/EmbeddedFile",
        "/RichMedia", "/RichMediaExecute", "/FileAttachment", "/Screen", "/3D", "/SetOCGState", "/Trans3D",
    }
)  # fmt: skip
_EXTERNAL: Final = frozenset({"/F", "/FFilter", "/FDecodeParms"})  # of a stream whose bytes lie in another file
# Written out anywhere, even where no table of the file leads: another reader might find it.
_ACTIVE_BYTES: Final = (b"/JavaScript", b"/EmbeddedFile", b"/RichMedia", b"/Launch", b"/SubmitForm")


_DIGITS: Final = re.compile(rb"<[0-9A-Fa-f\0\s]+")
_LONG_DIGITS: Final = re.compile(rb"<[0-9A-Fa-f\0\s]{16,}")  # chance makes shorter ones in the bytes of a picture
_ESCAPE: Final = re.compile(rb"#([0-9A-Fa-f]{2})")


def read_through(data: bytes) -> Content:
    """The PDF as it came, when nothing in it acts. Raises `Rejected`."""
    try:
        with apply_configuration(_LIMITS):
            pages = _pages(data)
    except Rejected:
        raise
    except Exception:  # whatever the reader says of hostile bytes, the file is broken
        raise Rejected("file_unreadable") from None
    if not 0 < pages <= MOST_PAGES:
        raise Rejected("file_unreadable")
    return Content("pdf", data, pages)


def _pages(data: bytes) -> int:
    """How many there are in a file that was read through."""
    Budget(MOST_DIGITS).count(_LONG_DIGITS.findall(data))
    reader = PdfReader(_Counted(data))
    if reader.is_encrypted:
        raise Rejected("file_locked")
    _refuse_written(data)
    _walk(reader)
    return len(reader.pages)


class _Counted(io.BytesIO):
    """The file, read so many times at most; a stream is one."""

    left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise Rejected("file_unreadable")
        return super().read(size)


def _refuse_written(data: bytes) -> None:
    """Names that act, written plainly or with escapes (`/J#61vaScript`)."""
    for reported in (data, _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), data)):
        if any(name in reported for name in _ACTIVE_BYTES):
            raise Rejected("file_active")


def _walk(reader: PdfReader) -> None:
    """Every object of the file, led to or not. Raises `Rejected` at the first that acts, or when they decode without end. Streams
    come first, among them those that hold other objects: none of these is read before all of them were counted."""
    written = sorted({(number, generation) for generation, table in reader.xref.items() for number in table})
    folded = sorted({(number, 0) for number in reader.xref_objStm} - set(written))
    if len(written) + len(folded) > MOST_OBJECTS:
        raise Rejected("file_unreadable")
    budget, held, digits = Budget(MOST_DECODED), Budget(MOST_FOLDED), Budget(MOST_DIGITS)
    _refuse_acting(reader.trailer)
    for number, generation in written:
        item = reader.get_object(IndirectObject(number, generation, reader))
        if isinstance(item, StreamObject):
            _measure(item, budget, held, digits)
    for number, generation in (*written, *folded):
        _refuse_acting(reader.get_object(IndirectObject(number, generation, reader)))


def _measure(stream: StreamObject, budget: Budget, held: Budget, digits: Budget) -> None:
    """Counts what a stream decodes to; what holds other objects is looked through too."""
    if not _EXTERNAL.isdisjoint(stream):
        raise Rejected("file_active")
    pieces = decoded(stream, budget)
    if _named(stream, "/Type") == "/ObjStm":
        folded = b"".join(held.spend(pieces))
        _refuse_written(folded)
        digits.count(_DIGITS.findall(folded))
    else:
        for _ in pieces:
            pass


def _refuse_acting(item: object) -> None:
    for table in _tables(item):
        if not _ACTIVE_KEYS.isdisjoint(table) or ("/OpenAction" in table and _acts_on_opening(table["/OpenAction"])):
            raise Rejected("file_active")
        if any(_named(table, key) in _ACTIVE_KINDS for key in ("/S", "/Subtype", "/Type")):
            raise Rejected("file_active")


def _named(table: DictionaryObject, key: str) -> str:
    """The name that a key has, wherever it is written."""
    return str(table[key]) if key in table else ""


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
