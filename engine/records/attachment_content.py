"""What the bytes handed in really are. A picture is decoded and saved anew, so that nothing but its pixels is kept; a
PDF is read through and refused when it is locked, broken, or would do something when opened. Names prove nothing.
"""

from __future__ import annotations

import io
import re
from typing import Any, Final

from PIL import Image, ImageOps

from engine.records.content import Content, Rejected

__all__ = ["Content", "Rejected", "judged", "kind_of"]

MOST_PIXELS: Final = 24_000_000
MOST_SIDE: Final = 20_000  # beyond, a picture of a few pixels across holds ten times its own memory
MOST_SCANS: Final = 100  # a photo has a dozen at most; each of them makes every pixel be gone through once more
LONGEST_SIDE: Final = 2000
JPEG_QUALITY: Final = 80
HEAVY_PNG: Final = 1_000_000  # a picture that PNG cannot make lighter is a photo: JPEG

Image.MAX_IMAGE_PIXELS = MOST_PIXELS


def judged(data: bytes, name: str, accept: tuple[str, ...]) -> Content:
    """The bytes to keep of a file handed in. Raises `Rejected`."""
    kind = kind_of(data)
    if kind is None:
        raise Rejected("file_type", found=_claimed_kind(data, name), accept=accept)
    if kind not in accept:
        raise Rejected(_NOT_HERE[kind], found=kind, accept=accept)
    return _pdf(data) if kind == "pdf" else _picture(data, kind, accept)


def _pdf(data: bytes) -> Content:
    from engine.records.pdf_content import read_through  # its reader is 6 MiB of memory: loaded by the first PDF

    return read_through(data)


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
