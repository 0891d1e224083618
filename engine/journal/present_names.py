"""Fees in past entries of a dossier under the names of its present edition.

A migration may rename a fee. The entries before it keep the former name, because they are never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from engine.core.values import Plain
from engine.journal.chain import JournalEntry

MIGRATED: Final = "migrated"  # kind of the entry whose `names` says what was renamed
_NAMING: Final = ("fee", "fees", "reopened")  # parts of a body that name fees


def in_present_names(
    entries: Iterable[JournalEntry], moves: Iterable[Mapping[str, Plain]] = ()
) -> tuple[JournalEntry, ...]:  # fmt: skip
    """Return the entries with the present names of the fees in their bodies.

    `moves` are the bodies of migrations that follow and are not journalled yet. The hashes are those of the
    stored entries: the result is for reading amounts, not for verification.
    """
    now: dict[str, str] = {}
    for body in reversed(tuple(moves)):
        now = _before(body, now)
    found = list[JournalEntry]()
    for entry in reversed(tuple(entries)):
        found.append(_renamed(entry, now) if now else entry)
        if entry.kind == MIGRATED and isinstance(entry.body, Mapping):
            now = _before(entry.body, now)
    return tuple(reversed(found))


def _before(body: Mapping[str, Plain], now: Mapping[str, str]) -> dict[str, str]:
    """Return the present name of each name that was valid before a migration."""
    names = body.get("names")
    moved = {str(old): new for old, new in names.items() if isinstance(new, str)} if isinstance(names, Mapping) else {}
    return {**now, **{old: now.get(new, new) for old, new in moved.items()}}


def _renamed(entry: JournalEntry, now: Mapping[str, str]) -> JournalEntry:
    if not isinstance(entry.body, Mapping) or entry.body.keys().isdisjoint(_NAMING):
        return entry
    named = {part: _under(said, now) for part, said in entry.body.items() if part in _NAMING}
    return replace(entry, body={**entry.body, **named})


def _under(said: Plain, now: Mapping[str, str]) -> Plain:
    if isinstance(said, str):
        return now.get(said, said)
    if isinstance(said, list):
        return [now.get(one, one) if isinstance(one, str) else one for one in said]
    return {now.get(name, name): one for name, one in said.items()} if isinstance(said, Mapping) else said
