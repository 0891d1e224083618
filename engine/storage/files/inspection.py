"""Inspection of uploaded bytes. Images are decoded and encoded again, so that only pixels are stored. A PDF is read
through, and rejected if it is locked, broken, or acts when opened. File names prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from engine.storage.files.content import Content, MakeWay, Rejected, never

__all__ = ["Content", "Rejected", "is_picture", "judged", "kind_of"]


def judged(
    data: bytes, name: str, accept: tuple[str, ...], weigh: Callable[[int], None] | None = None,
    make_way: MakeWay = never,
) -> Content:  # fmt: skip
    """Return the content to store of an uploaded file. `weigh` receives the pixels of an image before decoding. Raises
    `Rejected`, what `weigh` raises, and what `make_way` raises while a PDF is read."""
    kind = kind_of(data)
    if kind is None:
        raise Rejected("file_type", found=_claimed_kind(data, name), accept=accept)
    if kind not in accept and not (kind == "webp" and is_photo(accept)):
        raise Rejected(_NOT_HERE[kind], found=kind, accept=accept)
    return _pdf(data, make_way) if kind == "pdf" else _picture(data, kind, accept, weigh)


def _pdf(data: bytes, make_way: MakeWay) -> Content:
    from engine.storage.files.pdfs import read_through  # its reader takes 6 MiB of memory: loaded for the first PDF

    return read_through(data, make_way)


def _picture(data: bytes, kind: str, accept: tuple[str, ...], weigh: Callable[[int], None] | None) -> Content:
    from engine.storage.files.images import drawn_anew, pixels_of  # its decoders take 2 MiB: loaded for the first image

    pixels = pixels_of(data, kind)
    if weigh is not None:
        weigh(pixels)
    return drawn_anew(data, kind, accept)


def kind_of(data: bytes) -> str | None:
    """Return pdf, jpg, png or webp by the first bytes only, or None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for start, kind in _BEGINNINGS if data.startswith(start)), None)


def is_picture(data: bytes) -> bool:
    """Return whether the first bytes are those of a picture."""
    return kind_of(data) not in (None, "pdf")


def is_photo(accept: Collection[str]) -> bool:
    """Return whether pictures are accepted."""
    return "jpg" in accept or "png" in accept


_NOT_HERE: Final = {
    "pdf": "file_pdf",
    "jpg": "file_picture",
    "png": "file_picture",
    "webp": "file_picture",
}  # valid, but not accepted here
_BEGINNINGS: Final = ((b"%PDF-", "pdf"), (b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"))
_HEIC: Final = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypmsf1")


def _claimed_kind(data: bytes, name: str) -> str:
    """Return the kind named in the message (“this file is a docx”): `heic`, or the extension."""
    if data[4:12] in _HEIC:
        return "heic"
    extension = name.rpartition(".")[2].lower()
    return extension if extension.isascii() and extension.isalnum() and len(extension) <= 5 else ""
