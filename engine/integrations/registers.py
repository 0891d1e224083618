"""Registers of other administrations, queried by look-ups. `FileRegister` reads local files, for demonstrations."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

from engine.core.values import Plain

Found: TypeAlias = Literal["found", "not_found", "unavailable"]


@dataclass(frozen=True, slots=True)
class RegisterAnswer:
    """The result of a query, and the values of the record if one was found."""

    result: Found
    answers: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))


class RegisterConnector(Protocol):
    """A register behind a network. It must not be queried inside a unit of work."""

    def ask(self, register_id: str, sent: Mapping[str, Plain]) -> RegisterAnswer:
        """Return the answer for the values `sent`, `unavailable` instead of an exception. The caller retries later."""
        ...


class FileRegister:
    """Registers stored as files `<folder>/<id>.json`.

    Each file is a list of `{"who": {answer: value}, "answers": {name: value}}`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, register_id: str, sent: Mapping[str, Plain]) -> RegisterAnswer:
        """Return the first record that matches, `unavailable` when the file is missing or invalid."""
        records = self._records(register_id)
        if records is None:
            return RegisterAnswer("unavailable")
        for who, answers in records:
            if _matches(who, sent):
                return RegisterAnswer("found", MappingProxyType(dict(answers)))
        return RegisterAnswer("not_found")

    def is_readable(self, register_id: str) -> bool:
        """Return whether the register has a valid file."""
        return self._records(register_id) is not None

    def _records(self, register_id: str) -> list[tuple[dict[str, Plain], dict[str, Plain]]] | None:
        if not register_id.isidentifier():
            return None
        try:
            kept = json.loads((self._folder / f"{register_id}.json").read_text("utf-8"))
            return [(dict(one["who"]), dict(one.get("answers", {}))) for one in kept]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


def _matches(who: Mapping[str, Plain], sent: Mapping[str, Plain]) -> bool:
    """Return True when each sent value that the record has is equal, and there is at least one. A blank never matches."""
    common = [name for name in sent if who.get(name) is not None]
    return bool(common) and all(_flat(who[name]) == _flat(sent[name]) for name in common)


def _flat(value: Plain) -> str:
    """Return a value for comparison, without accents, case, hyphens or double spaces."""
    letters = unicodedata.normalize("NFKD", str(value if value is not None else ""))
    plain = "".join(sign if sign.isalnum() else " " for sign in letters if not unicodedata.combining(sign))
    return " ".join(plain.casefold().split())
