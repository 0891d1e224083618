"""What the bytes of a file handed in came to: fit to be kept, or refused and why."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.problems import Fact


class Rejected(Exception):
    """A file that is not kept, and why: file_empty file_size file_type file_pdf file_picture file_broken (a picture)
    file_unreadable (a PDF) file_locked file_active. `facts` are what the sentence needs: size and maximum in bytes, or the most pixels; what was found."""

    def __init__(self, code: str, **facts: Fact) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes fit to be kept: `kind` is pdf, jpg or png."""

    kind: str
    data: bytes
    pages: int = 1
