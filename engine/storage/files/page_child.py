"""The child process that draws one page of a file: `page_pictures.py` runs this file alone.

PDFium is native code that reads hostile bytes. So the process limits itself before it reads the first of them, and imports
nothing of the engine. The file is its standard input, the picture its standard output.
"""

from __future__ import annotations

import io
import math
import resource
import sys
from typing import Final

import pypdfium2
from PIL import Image, ImageDraw, ImageFont, ImageOps

MEMORY: Final = 768 * 1024 * 1024  # bytes of addresses
PROCESSOR: Final = 5  # seconds
MOST_PIXELS: Final = 8_000_000
MOST_SIDE: Final = 8_000  # pixels; WebP ends at 16,383
QUALITIES: Final = (70, 45, 20)  # the first that fits is taken
WEIGHT: Final = 200_000  # bytes at `WEIGHED`; in proportion to the pixels beyond
WEIGHED: Final = 900  # pixels wide
_TURNED: Final = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
_BAND: Final = "#8a5300"


def limit_process() -> None:
    """Limit memory and time. Nothing is opened any more: no file, no socket, no process of a normal user."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, PROCESSOR), (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0), (resource.RLIMIT_NOFILE, 0),
    ):  # fmt: skip
        resource.setrlimit(limit, (most, most))


def draw(data: bytes, kind: str, page: int, width: int, turn: int, mark: str) -> Image.Image:
    """Return a page as a picture of that width, turned clockwise. `mark` is written above it, unless it is empty."""
    drawn = _pdf(data, page, width, turn) if kind == "pdf" else _picture(data, width, turn)
    drawn = drawn if drawn.mode in ("L", "RGB") else drawn.convert("RGB")
    return _marked(drawn, mark) if mark else drawn


def encode(picture: Image.Image, form: str) -> bytes:
    """Return the bytes of a picture as `WEBP` or `JPEG`."""
    most = WEIGHT * max(1.0, (picture.width / WEIGHED) ** 2)
    for quality in QUALITIES:
        out = io.BytesIO()
        picture.save(out, form, quality=quality, method=1)  # of WebP: a third of the time, 5 % more bytes
        if out.tell() <= most:
            break
    return out.getvalue()


def _scale(wide: float, high: float, width: int) -> float:
    """Return the scale to that width, within `MOST_PIXELS` and `MOST_SIDE`."""
    return min(width / wide, MOST_SIDE / max(wide, high), math.sqrt(MOST_PIXELS / (wide * high)))


def _pdf(data: bytes, page: int, width: int, turn: int) -> Image.Image:
    document = pypdfium2.PdfDocument(data)
    document.init_forms()  # else what was typed into a form is not drawn
    sheet = document[page - 1]
    wide, high = sheet.get_size() if turn % 180 == 0 else reversed(sheet.get_size())
    drawn: Image.Image = sheet.render(scale=_scale(wide, high, width), rotation=turn).to_pil()
    return drawn


def _picture(data: bytes, width: int, turn: int) -> Image.Image:
    """Return a picture, which is never enlarged."""
    opened: Image.Image = Image.open(io.BytesIO(data), formats=["JPEG", "PNG"])
    picture = opened.transpose(_TURNED[turn]) if turn else opened
    scale = _scale(picture.width, picture.height, width)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC) if scale < 1 else picture


def _marked(picture: Image.Image, mark: str) -> Image.Image:
    """Return the picture below a band with these words, of ASCII: Pillow's own font has no other letter."""
    size = max(14, picture.width // 30)
    marked = ImageOps.expand(picture.convert("RGB"), (0, 2 * size, 0, 0), _BAND)
    ImageDraw.Draw(marked).text((size, size // 3), mark, "white", ImageFont.load_default(size))
    return marked


def main() -> None:
    """Draw the page that the arguments name: kind, page, width, turn, form, mark."""
    kind, page, width, turn, form, mark = sys.argv[1:]
    Image.init()  # its decoders are modules, which cannot be opened later
    ImageFont.load_default(14)
    limit_process()
    picture = draw(sys.stdin.buffer.read(), kind, int(page), int(width), int(turn), mark)
    sys.stdout.buffer.write(encode(picture, form))


if __name__ == "__main__":
    main()
