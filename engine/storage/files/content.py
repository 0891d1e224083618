"""The result of inspecting a file: content to store, or a rejection with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from engine.core.problems import Fact

MakeWay: TypeAlias = Callable[[], None]  # called now and then by long work, which ends with what it raises


def never() -> None:
    """Do nothing: the default for an inspection that makes way for no other caller."""


class Rejected(Exception):
    """A file that is not stored, and the reason.

    Codes: file_empty, file_size, picture_size, file_type, file_pdf, file_picture, file_broken (a picture), file_unreadable (a PDF),
    file_locked, file_active. `facts` are parameters of the message: size and maximum in bytes, most pixels, kind
    found.
    """

    def __init__(self, code: str, **facts: Fact) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes to store. `kind` is pdf, jpg or png."""

    kind: str
    data: bytes
    pages: int = 1
