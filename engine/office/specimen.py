"""The picture that stands for any paper where people are invented: in the author's preview and in a demonstration."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import Final

from engine.records.attachments import AttachmentStore, Kept

_SIDE: Final = 480  # dots
_LARGEST: Final = 5_000_000


def keep_specimen(attachments: AttachmentStore, place: str, dossier: str = "") -> Kept:
    """Hands it in, as the paper that a place wants."""
    return attachments.keep(_picture(), f"{place}.png", ("png",), _LARGEST, dossier)


@cache
def _picture() -> bytes:
    """A pale square with a line across (PNG, 8-bit grey)."""
    rows = b"".join(b"\x00" + bytes(200 if abs(x - y) < 3 else 240 for x in range(_SIDE)) for y in range(_SIDE))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
