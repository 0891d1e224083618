"""A picture handed in is decoded and saved anew, so that nothing but its pixels is kept."""

from __future__ import annotations

import io
import re
from typing import Any, Final

from PIL import Image, ImageOps

from engine.storage.files.content import Content, Rejected

MOST_PIXELS: Final = 24_000_000
MOST_PHOTO_PIXELS: Final = (
    110_000_000  # of a JPEG of one scan, which is decoded no larger than needed: telephones take 48, 50, 108 million
)
MOST_SIDE: Final = 20_000  # beyond, a picture of a few pixels across holds ten times its own memory
MOST_PIXELS_OF_A_BYTE: Final = 400  # of one colour; a header alone says any size, and costs nothing to decode
MOST_SCANS: Final = 20  # a photo has a dozen at most; each of them makes every pixel be gone through once more
LONGEST_SIDE: Final = 2000
JPEG_QUALITY: Final = 80
HEAVY_PNG: Final = 1_000_000  # a picture that PNG cannot make lighter is a photo: JPEG

Image.MAX_IMAGE_PIXELS = MOST_PHOTO_PIXELS

_MARKER: Final = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd8])")
_SCAN, _END = b"\xda", b"\xd9"


def pixels_of(data: bytes, kind: str) -> int:
    """How many pixels a picture has, by its header, and its bytes may hold. Raises `Rejected`: too many, too many to decode, or gone over too often."""
    scans = _scans(data) if kind == "jpg" else 0
    if scans > MOST_SCANS:
        raise Rejected("file_broken")
    most = MOST_PHOTO_PIXELS if scans == 1 else MOST_PIXELS
    try:
        with _opened(data, kind) as opened:
            width, height = opened.size
            _drafted(opened)
            decoded = opened.width * opened.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Rejected("file_size", pixels=most) from None
    except Exception:  # whatever a decoder says of hostile bytes, the file is broken
        raise Rejected("file_broken") from None
    if width * height > most or decoded > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise Rejected("file_size", pixels=most)
    return min(width * height, MOST_PIXELS_OF_A_BYTE * len(data))


def drawn_anew(data: bytes, kind: str, accept: tuple[str, ...]) -> Content:
    """The bytes to keep of a picture whose pixels were counted. Raises `Rejected`."""
    try:
        with _opened(data, kind) as opened:
            return _saved_anew(opened, kind, accept)
    except Exception:
        raise Rejected("file_broken") from None


def _opened(data: bytes, kind: str) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["PNG" if kind == "png" else "JPEG"])


def _scans(data: bytes) -> int:
    """How often a JPEG goes over its pixels, up to its end: what is said inside its notes does not count."""
    at, found = 2, 0
    while (marker := _MARKER.search(data, at)) is not None and marker[1] != _END and found <= MOST_SCANS:
        found += marker[1] == _SCAN
        at = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2], "big"))
    return found


def _drafted(opened: Image.Image) -> None:
    """A JPEG is decoded no larger than needed."""
    opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))


def _saved_anew(opened: Image.Image, kind: str, accept: tuple[str, ...]) -> Content:
    _drafted(opened)
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
