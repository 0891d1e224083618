"""An uploaded image is decoded and encoded again, so that only its pixels are stored."""

from __future__ import annotations

import io
import re
from typing import Any, Final

from PIL import Image, ImageOps

from engine.storage.files.content import Content, Rejected

MOST_PIXELS: Final = 24_000_000
MOST_WEBP_PIXELS: Final = 12_600_000  # decoded whole, beside two frames of its decoder; phones write 12 million
MOST_PHOTO_PIXELS: Final = 110_000_000  # of a JPEG with one scan, decoded at the size needed; phones take 108 million
MOST_SIDE: Final = 20_000  # beyond, a narrow image needs ten times its own memory
MOST_PIXELS_OF_A_BYTE: Final = 400  # as in an image of one colour; a header can claim any size
MOST_SCANS: Final = 20  # a photo has a dozen at most; each decodes every pixel again
MOST_PARTS: Final = (
    50_000  # chunks of a PNG, or markers and fill bytes of a JPEG; the decoder reads each one separately
)
MOST_NOTES: Final = 8  # EXIF parts of a JPEG, of 64 KiB each; a photo has one, and one for each picture inside it
LONGEST_NOTES: Final = 128 * 1024  # bytes of EXIF data that are read; each number of them becomes an object
LONGEST_SIDE: Final = 2000
JPEG_QUALITY: Final = 80
HEAVY_PNG: Final = 1_000_000  # bytes; a larger PNG is a photo and becomes a JPEG

Image.MAX_IMAGE_PIXELS = MOST_PHOTO_PIXELS

_FORMATS: Final = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
_EXIF: Final = "exif", "Raw profile type exif"
_MARKER: Final = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd8])")
_SCAN, _END = b"\xda", b"\xd9"


def pixels_of(data: bytes, kind: str) -> int:
    """Return how many pixels an image holds, by its header and its bytes.

    Raises `Rejected`: `picture_size` for too many pixels, `file_broken` for too many scans or an unreadable header.
    The EXIF data of a JPEG are read with its header, so their parts are counted before.
    """
    scans = _scans(data) if kind == "jpg" else 0
    if scans > MOST_SCANS or (kind == "png" and _chunks(data) > MOST_PARTS):
        raise Rejected("file_broken")
    if kind == "jpg" and data.count(b"Exif\0\0") > MOST_NOTES:
        raise Rejected("file_broken")
    most = MOST_PHOTO_PIXELS if scans == 1 else MOST_WEBP_PIXELS if kind == "webp" else MOST_PIXELS
    try:
        with _opened(data, kind) as opened:
            width, height = opened.size
            _drafted(opened)
            decoded = opened.width * opened.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Rejected("picture_size", pixels=most) from None
    except Exception:  # any error of a decoder on hostile bytes means a broken file
        raise Rejected("file_broken") from None
    if width * height > most or decoded > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise Rejected("picture_size", pixels=most)
    return min(width * height, MOST_PIXELS_OF_A_BYTE * len(data))


def drawn_anew(data: bytes, kind: str, accept: tuple[str, ...]) -> Content:
    """Return the content to store of an image whose pixels were counted. Raises `Rejected`."""
    try:
        with _opened(data, kind) as opened:
            return _saved_anew(opened, kind, accept)
    except Exception:
        raise Rejected("file_broken") from None


def _opened(data: bytes, kind: str) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=[_FORMATS[kind]])


def _scans(data: bytes) -> int:
    """Return the number of scans of a JPEG, up to its end marker. Markers inside comments do not count.

    Raises `Rejected`: too many parts.
    """
    at, found, parts = 2, 0, 0
    while (marker := _MARKER.search(data, at)) is not None and marker[1] != _END and found <= MOST_SCANS:
        parts += marker.end() - (marker.start() if found else at) - 1  # only markers precede the first scan
        if parts > MOST_PARTS:
            raise Rejected("file_broken")
        found += marker[1] == _SCAN
        at = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2], "big"))
    return found


def _chunks(data: bytes) -> int:
    """Return the number of chunks of a PNG. The count stops above `MOST_PARTS`."""
    at, found = 8, 0
    while at < len(data) and found <= MOST_PARTS:
        at, found = at + 12 + int.from_bytes(data[at : at + 4], "big"), found + 1
    return found


def _drafted(opened: Image.Image) -> None:
    """Let the decoder of a JPEG reduce it to the size needed."""
    opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))


def _saved_anew(opened: Image.Image, kind: str, accept: tuple[str, ...]) -> Content:
    _drafted(opened)
    opened.load()
    picture = _on_white(_upright(opened))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    bare = Image.frombytes(picture.mode, picture.size, picture.tobytes())  # pixels without metadata
    if kind == "png" or "jpg" not in accept:
        saved = _encoded(bare, "PNG", optimize=False)
        if len(saved) <= HEAVY_PNG or "jpg" not in accept:
            return Content("png", saved)
    return Content("jpg", _encoded(bare, "JPEG", quality=JPEG_QUALITY))


def _upright(opened: Image.Image) -> Image.Image:
    if any(len(opened.info.get(name, "")) > LONGEST_NOTES for name in _EXIF):
        return opened
    try:
        return ImageOps.exif_transpose(opened)
    except Exception:  # unreadable EXIF data does not spoil the image
        return opened


def _on_white(picture: Image.Image) -> Image.Image:
    """Return the image without transparency, on white."""
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
