"""An uploaded PDF is read object by object, and rejected if it is locked, broken, or acts when opened."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from typing import Final

from pypdf import PdfReader, apply_configuration, get_configuration
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from engine.storage.files.content import Content, MakeWay, Rejected, never
from engine.storage.files.pdf_streams import Budget, decoded
from engine.storage.results import Busy

MOST_OBJECTS: Final = 20_000
MOST_PAGES: Final = 300
MOST_DECODED: Final = 128_000_000  # bytes that the streams of one PDF may decode to, counting each filter
MOST_FOLDED: Final = 16_000_000  # bytes of object streams, which are held in memory with their objects
MOST_READS: Final = 2_000_000  # reads outside streams: the reader takes one or sixteen bytes at a time
MOST_DIGITS: Final = 600_000  # of hexadecimal strings, escapes, comments, the slowest to read: a signature has 60,000
# Limits of what the reader itself decodes: indexes, and object streams once they were counted.
_LIMITS: Final = get_configuration().with_overwrites(
    zlib_maximum_output_length=MOST_FOLDED, lzw_maximum_output_length=MOST_FOLDED, run_length_maximum_output_length=MOST_FOLDED,
    stream_decoding_work_maximum_length=2 * MOST_FOLDED, zlib_maximum_recovery_input_length=100_000,
)  # fmt: skip
# The limits while the reader loads the indexes. Those of a file of MOST_OBJECTS hold some 200,000 bytes.
MOST_INDEXED: Final = 1_000_000
_OPENING: Final = _LIMITS.with_overwrites(
    zlib_maximum_output_length=MOST_INDEXED, lzw_maximum_output_length=MOST_INDEXED, run_length_maximum_output_length=MOST_INDEXED,
    stream_decoding_work_maximum_length=2 * MOST_INDEXED,
)  # fmt: skip

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it would log each oddity of each uploaded file

_ACTIVE_KEYS: Final = frozenset(
    {"/JS", "/JavaScript", "/AA", "/EmbeddedFiles", "/EF", "/RF", "/XFA", "/RichMediaContent", "/RichMediaSettings"}
)
_ACTIVE_KINDS: Final = frozenset(
    {
        "/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToE", "/GoToR", "/Rendition", "/Movie", "/Sound", "/EmbeddedFile",
        "/RichMedia", "/RichMediaExecute", "/FileAttachment", "/Screen", "/3D", "/SetOCGState", "/Trans3D",
    }
)  # fmt: skip
_EXTERNAL: Final = frozenset({"/F", "/FFilter", "/FDecodeParms"})  # of a stream whose bytes are in another file
# Searched in all bytes, even those that no index reaches: another reader might find them.
_ACTIVE_BYTES: Final = (b"/JavaScript", b"/EmbeddedFile", b"/RichMedia", b"/Launch", b"/SubmitForm")


_DIGITS: Final = re.compile(rb"<[0-9A-Fa-f\0\s]+|[\\%]")  # escapes of other strings and comments are as slow
_LONG_DIGITS: Final = re.compile(rb"<[0-9A-Fa-f\0\s]{16,}")  # shorter ones occur by chance in the bytes of an image
_ESCAPE: Final = re.compile(rb"#([0-9A-Fa-f]{2})")


def read_through(data: bytes, make_way: MakeWay = never) -> Content:
    """Return the PDF unchanged if nothing in it acts. Raises `Rejected`, and what `make_way` raises."""
    try:
        with apply_configuration(_LIMITS):
            pages = _pages(data, make_way)
    except (Rejected, Busy):
        raise
    except Exception:  # any error of the reader on hostile bytes means a broken file
        raise Rejected("file_unreadable") from None
    if not 0 < pages <= MOST_PAGES:
        raise Rejected("file_unreadable")
    return Content("pdf", data, pages)


def _pages(data: bytes, make_way: MakeWay) -> int:
    """Return the number of pages of a file that was read through."""
    Budget(MOST_DIGITS, make_way).count(_LONG_DIGITS.findall(data))
    with apply_configuration(_OPENING):
        reader = PdfReader(_Counted(data, make_way))
    if reader.is_encrypted:
        raise Rejected("file_locked")
    _refuse_written(data)
    _walk(reader, make_way)
    return len(reader.pages)


class _Counted(io.BytesIO):
    """The file, with a limit on the number of reads and on time. A stream is one read."""

    def __init__(self, data: bytes, make_way: MakeWay) -> None:
        super().__init__(data)
        self.left, self._time = MOST_READS, Budget(0, make_way)

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise Rejected("file_unreadable")
        if not self.left % 64:  # not at each read: most are of one or two bytes
            self._time.check_time()
        return super().read(size)


def _refuse_written(data: bytes) -> None:
    """Reject names of actions, written plainly or with escapes (`/J#61vaScript`)."""
    for reported in (data, _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), data)):
        if any(name in reported for name in _ACTIVE_BYTES):
            raise Rejected("file_active")


def _walk(reader: PdfReader, make_way: MakeWay) -> None:
    """Read every object of the file, referenced or not. Raises `Rejected` at the first that acts, or beyond a budget.

    Streams come first, including object streams. Their objects are read only after all of them were counted.
    """
    written = sorted({(number, generation) for generation, table in reader.xref.items() for number in table})
    folded = sorted({(number, 0) for number in reader.xref_objStm} - set(written))
    if len(written) + len(folded) > MOST_OBJECTS:
        raise Rejected("file_unreadable")
    budget, held, digits = (Budget(most, make_way) for most in (MOST_DECODED, MOST_FOLDED, MOST_DIGITS))
    _refuse_acting(reader.trailer)
    for number, generation in written:
        item = reader.get_object(IndirectObject(number, generation, reader))
        if isinstance(item, StreamObject):
            _measure(item, budget, held, digits)
    for number, generation in (*written, *folded):
        budget.check_time()
        _refuse_acting(reader.get_object(IndirectObject(number, generation, reader)))


def _measure(stream: StreamObject, budget: Budget, held: Budget, digits: Budget) -> None:
    """Count what a stream decodes to. The content of an object stream is searched too."""
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
    """Return the name under a key, resolving references."""
    return str(table[key]) if key in table else ""


def _acts_on_opening(action: object) -> bool:
    """Return whether the opening action acts. Going to a page, as office software writes it, does not."""
    if action is None or isinstance(action, ArrayObject):
        return False
    return not (isinstance(action, DictionaryObject) and action.get("/S") == "/GoTo" and "/Next" not in action)


def _tables(item: object) -> Iterator[DictionaryObject]:
    """Yield the dictionaries written inside one object. Objects that it refers to are checked on their own."""
    waiting = [item]
    while waiting:
        one = waiting.pop()
        if isinstance(one, DictionaryObject):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, ArrayObject):
            waiting.extend(one)
