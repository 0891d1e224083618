"""A PDF handed in is read through, object by object, and refused when it is locked, broken, or would do something when opened."""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Iterator
from typing import Final

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from engine.records.content import Content, Rejected

MOST_OBJECTS: Final = 20_000
MOST_PAGES: Final = 300
MOST_INFLATED: Final = 128_000_000  # bytes that the streams of one PDF may unfold to

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
# Written out anywhere, even where no table of the file leads: another reader might find it.
_ACTIVE_BYTES: Final = (b"/JavaScript", b"/EmbeddedFile", b"/RichMedia", b"/Launch", b"/SubmitForm")


def read_through(data: bytes) -> Content:
    """The PDF as it came, when nothing in it acts. Raises `Rejected`."""
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
