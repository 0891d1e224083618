"""Pages of stored files as pictures, each drawn by a child process with limits of memory, time and output.

Nothing is written to a disk: the picture comes back in a file of memory.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from engine.core.child_process import run_child
from engine.storage.files.inspection import kind_of

WIDTHS: Final = (600, 900, 1400, 2000)  # pixels
TURNS: Final = (0, 90, 180, 270)  # degrees clockwise
SECONDS: Final = 8.0  # of a child process, however busy the machine is
LARGEST: Final = 4_000_000  # bytes of a picture

_CHILD: Final = str(Path(__file__).with_name("page_child.py"))
_FORMS: Final = {"webp": "WEBP", "jpg": "JPEG"}
log = logging.getLogger("guichet.pages")


class PageNotDrawn(Exception):
    """The page cannot be drawn: a limit, a broken file, or a missing library."""


def draw_page(
    data: bytes, kind: str, page: int, width: int, turn: int = 0, *, form: str = "webp", mark: str = ""
) -> bytes:  # fmt: skip
    """Return a page of a PDF, or a picture, as `webp` or `jpg`. `mark` is written above it.

    Raises `PageNotDrawn`. It holds the thread for `SECONDS` at most.
    """
    drawing = (_CHILD, kind, str(page), str(width), str(turn), _FORMS[form], mark)
    try:
        with open(os.memfd_create("page"), "rb") as out:
            done = run_child(
                (sys.executable, "-I", "-B", *drawing), given=data, seconds=SECONDS, env={}, most_bytes=LARGEST,
                out=out.fileno(), errors=subprocess.DEVNULL,
            )  # fmt: skip
            out.seek(0)
            drawn = out.read()
    except (OSError, subprocess.SubprocessError) as error:
        raise _not_drawn(type(error).__name__) from error
    if done.returncode or kind_of(drawn) != form:
        raise _not_drawn(f"exit {done.returncode}")
    return drawn


def _not_drawn(reason: str) -> PageNotDrawn:
    log.warning("page not drawn: %s", reason)
    return PageNotDrawn(reason)
