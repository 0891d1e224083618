"""Decoded size of a PDF stream, through all its filters. Data passes in pieces and is never held as a whole.

The output of every filter counts, because a chain with a small result may pass through gigabytes. Image formats (DCT,
JPX, CCITT, JBIG2) are not decoded here, and no filter may follow them.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from pypdf.generic import ArrayObject, IndirectObject, NullObject, StreamObject

from engine.storage.files.content import MakeWay, Rejected, never

PIECE: Final = 65_536  # bytes passed from filter to filter
MOST_SECONDS: Final = 2.0  # of processor time for one PDF; a stream may decode to nothing and take long
MOST_FILTERS: Final = 4
_PICTURES: Final = frozenset({"/DCTDecode", "/DCT", "/JPXDecode", "/CCITTFaxDecode", "/CCF", "/JBIG2Decode"})
_BLANKS: Final = re.compile(rb"[\0\t\n\f\r ]+")

Pieces: TypeAlias = Iterable[bytes]


class Budget:
    """Bytes that the streams of one PDF may still decode to, and the processor time that remains.

    Beyond either, `Rejected` is raised. The time is that of this thread. `make_way` is called at each check.
    """

    def __init__(self, most: int, make_way: MakeWay = never) -> None:
        self.left, self._make_way, self._until = most, make_way, time.thread_time() + MOST_SECONDS

    def spend(self, pieces: Pieces) -> Iterator[bytes]:
        """Yield the same pieces, and subtract each from the budget. Raises `Rejected`."""
        for piece in self.in_time(pieces):
            self.left -= len(piece)
            if self.left < 0:
                raise Rejected("file_unreadable")
            yield piece

    def in_time(self, pieces: Pieces) -> Iterator[bytes]:
        """Yield the same pieces while time remains. Raises `Rejected`."""
        for piece in pieces:
            self.check_time()
            yield piece

    def check_time(self) -> None:
        """Check the time that remains. Raises `Rejected` when there is none, and what `make_way` raises."""
        self._make_way()
        if time.thread_time() > self._until:
            raise Rejected("file_unreadable")

    def count(self, pieces: Pieces) -> None:
        """Subtract all pieces from the budget. Raises `Rejected`."""
        for _ in self.spend(pieces):
            pass


def decoded(stream: StreamObject, budget: Budget) -> Iterator[bytes]:
    """Yield the decoded pieces of a stream. An image is left in its own format. Raises `Rejected`."""
    names = filters_of(stream)
    if len(names) > MOST_FILTERS:
        raise Rejected("file_unreadable")
    data: bytes = stream._data
    pieces: Pieces = budget.in_time(data[at : at + PIECE] for at in range(0, len(data), PIECE))
    for place, name in enumerate(names, 1):
        if name in _PICTURES and place == len(names):
            break
        if name not in _FILTERS:
            raise Rejected("file_unreadable")
        pieces = budget.spend(_FILTERS[name](pieces))
    yield from pieces


def filters_of(stream: StreamObject) -> tuple[str, ...]:
    """Return the names of the filters of a stream, resolving references."""
    said = _resolved(stream.raw_get("/Filter")) if "/Filter" in stream else None
    if said is None or isinstance(said, NullObject):
        return ()
    return tuple(str(_resolved(one)) for one in said) if isinstance(said, ArrayObject) else (str(said),)


def _resolved(item: object) -> object:
    return item.get_object() if isinstance(item, IndirectObject) else item


# -- filters: an error ends their output, as readers show what they can ----------------------------------------------


def _flate(pieces: Pieces) -> Iterator[bytes]:
    unfolding = zlib.decompressobj()
    try:
        for piece in pieces:
            waiting = piece
            while waiting and not unfolding.eof:
                yield unfolding.decompress(waiting, PIECE)
                waiting = unfolding.unconsumed_tail
            if unfolding.eof:
                return
        yield unfolding.flush()
    except zlib.error:
        return


def _hexadecimal(pieces: Pieces) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        digits, end, _ = _BLANKS.sub(b"", left + piece).partition(b">")
        whole = digits if not end else digits + b"0" * (len(digits) % 2)
        left = whole[len(whole) - len(whole) % 2 :]
        try:
            yield binascii.unhexlify(whole[: len(whole) - len(left)])
        except binascii.Error:
            return
        if end:
            return


def _base_85(pieces: Pieces) -> Iterator[bytes]:
    """Decode groups of five characters. `z` stands for four zero bytes."""
    left = start = b""
    for piece in pieces:
        reported = _BLANKS.sub(b"", left + piece)
        if not start:
            if len(reported) < 2:
                left = reported
                continue
            start, reported = reported, reported.removeprefix(b"<~")
        digits, end, _ = reported.partition(b"~")
        whole = digits.replace(b"z", b"!!!!!")
        cut = len(whole) if end else len(whole) - len(whole) % 5
        left = whole[cut:]
        try:
            yield base64.a85decode(whole[:cut])
        except ValueError:
            return
        if end:
            return


def _run_length(pieces: Pieces) -> Iterator[bytes]:
    left, out = b"", bytearray()
    for piece in pieces:
        data, at = left + piece, 0
        while at < len(data) and data[at] != 128:
            count = data[at]
            taken = count + 2 if count < 128 else 2
            if at + taken > len(data):
                break
            out += data[at + 1 : at + taken] if count < 128 else data[at + 1 : at + 2] * (257 - count)
            at += taken
            if len(out) >= PIECE:
                yield bytes(out)
                out.clear()
        if at < len(data) and data[at] == 128:
            break
        left = data[at:]
    yield bytes(out)


def _lzw(pieces: Pieces) -> Iterator[bytes]:
    """Decode codes of 9 to 12 bits, with the default of PDF (`EarlyChange` 1)."""
    table, width, before = _lzw_table(), 9, b""
    bits = held = 0
    out = bytearray()
    for piece in pieces:
        for byte in piece:
            held, bits = held << 8 | byte, bits + 8
            if bits < width:
                continue
            bits -= width
            code = held >> bits
            held &= (1 << bits) - 1
            if code == 256:
                table, width, before = _lzw_table(), 9, b""
                continue
            if code == 257 or (code >= len(table) and not (before and code == len(table))):
                yield bytes(out)
                return
            said = table[code] if code < len(table) else before + before[:1]
            out += said
            if before and len(table) < 4096:
                table.append(before + said[:1])
                width = 12 if len(table) >= 2047 else 11 if len(table) >= 1023 else 10 if len(table) >= 511 else 9
            before = said
            if len(out) >= PIECE:
                yield bytes(out)
                out.clear()
    yield bytes(out)


def _lzw_table() -> list[bytes]:
    return [*_LZW_FIRST]  # a copy: a stream can reset the table at each code


_LZW_FIRST: Final = (*(bytes((one,)) for one in range(256)), b"", b"")


_FILTERS: Final[dict[str, Callable[[Pieces], Iterator[bytes]]]] = {
    "/FlateDecode": _flate, "/Fl": _flate, "/LZWDecode": _lzw, "/LZW": _lzw, "/RunLengthDecode": _run_length, "/RL": _run_length,
    "/ASCII85Decode": _base_85, "/A85": _base_85, "/ASCIIHexDecode": _hexadecimal, "/AHx": _hexadecimal,
}  # fmt: skip
