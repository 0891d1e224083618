"""What the bytes handed in really are. A picture is decoded and saved anew, so that nothing but its pixels is kept; a
PDF is read through and refused when it is locked, broken, or would do something when opened. Names prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.storage.files.content import Content, Rejected

__all__ = ["Content", "Rejected", "judged", "kind_of"]


def judged(
    data: bytes, name: str, accept: tuple[str, ...], weigh: Callable[[int], None] | None = None
) -> Content:  # fmt: skip
    """The bytes to keep of a file handed in. `weigh` is told the pixels of a picture before they are decoded. Raises `Rejected`, and
    what `weigh` raises."""
    kind = kind_of(data)
    if kind is None:
        raise Rejected("file_type", found=_claimed_kind(data, name), accept=accept)
    if kind not in accept:
        raise Rejected(_NOT_HERE[kind], found=kind, accept=accept)
    return _pdf(data) if kind == "pdf" else _picture(data, kind, accept, weigh)


def _pdf(data: bytes) -> Content:
    from engine.storage.files.pdfs import read_through  # its reader is 6 MiB of memory: loaded by the first PDF

    return read_through(data)


def _picture(data: bytes, kind: str, accept: tuple[str, ...], weigh: Callable[[int], None] | None) -> Content:
    from engine.storage.files.images import (
        drawn_anew,
        pixels_of,
    )  # its decoders are 2 MiB: loaded by the first picture

    pixels = pixels_of(data, kind)
    if weigh is not None:
        weigh(pixels)
    return drawn_anew(data, kind, accept)


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
