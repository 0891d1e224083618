"""Append-only hash chain, one for each dossier: append an entry, verify a chain, report the first break.

Entries hold codes, field names and salted commitments, never the values (`docs/decisions/0004-journal.md`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, canonical_json, fingerprint
from engine.journal.checkpoint import Receipt, includes
from engine.records.codec import Unreadable, from_plain, to_plain
from engine.records.dossier import Actor

EXPORT_FORMAT: Final = "guichet-journal/1"
_SALT: Final = re.compile(r"(?:[0-9a-f]{2}){16,}")
COMMITS: Final = "commits"  # key of an entry's body: name of a value → its commitment


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One recorded act. `hash` is the SHA-256 of the canonical JSON of all other fields. `previous` is the
    hash of the entry before, empty for the first."""

    dossier: str
    n: int
    at: datetime
    actor_kind: str
    actor: str
    kind: str  # opened saved attached submitted transition paid booked issued …
    edition: str  # fingerprint
    body: Plain
    previous: str
    hash: str


Reason: TypeAlias = Literal[
    "changed", "unlinked", "missing", "duplicated", "reordered", "foreign", "cut", "opening", "receipt"
]


@dataclass(frozen=True, slots=True)
class Break:
    """The first invalid entry: its number, the reason, the expected and the found value.

    `changed`: its content does not match its hash. `unlinked`: its `previous` is not the hash of the entry
    before. `missing`: number n is absent. `duplicated` and `reordered`: the numbers are not in order.
    `foreign`: it belongs to another dossier. `cut`: the chain ends before its stated head. `opening`: a
    revealed value does not match its commitment. `receipt`: the checkpoint does not include the entry.
    """

    n: int
    reason: Reason
    expected: str
    found: str


# -- commitments -------------------------------------------------------------------------------------------------------


def new_salt() -> str:
    """Return 128 random bits in hexadecimal, one salt for each value. It hides even a yes or no."""
    return secrets.token_hex(16)


def commit_value(salt: str | bytes, value: Plain) -> str:
    """Return HMAC-SHA256 of the value's canonical JSON under its salt, in hexadecimal. Without the salt the
    value is unknowable. Raises `Unreadable` for a malformed text salt."""
    if isinstance(salt, str) and not _SALT.fullmatch(salt):
        raise Unreadable("salt", "128 bits in lower-case hexadecimal")
    key = bytes.fromhex(salt) if isinstance(salt, str) else salt
    if len(key) < 16:
        raise ValueError("a salt has 128 bits")
    return hmac.new(key, canonical_json(value), hashlib.sha256).hexdigest()


def with_commitments(body: Mapping[str, Plain], values: Mapping[str, Plain]) -> tuple[Plain, Mapping[str, str]]:
    """Return the body with a commitment to each value under `commits`, and the salts, which are stored apart."""
    if not values:
        return dict(body), {}
    salts = {name: new_salt() for name in values}
    commits: Plain = {name: commit_value(salts[name], value) for name, value in values.items()}
    return {**body, COMMITS: commits}, salts


# -- the chain ---------------------------------------------------------------------------------------------------------


def seal(
    previous: tuple[int, str] | JournalEntry | None,
    dossier_id: str,
    at: datetime,
    actor: Actor,
    kind: str,
    edition: str,
    body: Plain,
) -> JournalEntry:
    """Return the entry that follows `previous`: an entry, the (n, hash) of `Unit.head`, or None for the first."""
    if isinstance(previous, JournalEntry):
        previous = (previous.n, previous.hash)
    n, before = previous or (0, "")
    unsealed = JournalEntry(dossier_id, n + 1, at, actor.kind, actor.id, kind, edition, body, before, "")
    return JournalEntry(dossier_id, n + 1, at, actor.kind, actor.id, kind, edition, body, before, seal_of(unsealed))


def seal_of(entry: JournalEntry) -> str:
    """Return the hash that this entry must have."""
    return fingerprint({name: value for name, value in to_plain(entry).items() if name != "hash"})


def verify(entries: Iterable[JournalEntry]) -> Break | None:
    """Return the first break of one dossier's chain, or None if all entries are valid."""
    chain = tuple(entries)
    before = ""
    for position, entry in enumerate(chain):
        found = _broken_place(chain, position) or _broken_seal(entry, before)
        if found:
            return found
        before = entry.hash
    return None


def _broken_place(chain: Sequence[JournalEntry], position: int) -> Break | None:
    entry, expected = chain[position], position + 1
    if entry.dossier != chain[0].dossier:
        return Break(expected, "foreign", chain[0].dossier, entry.dossier)
    if entry.n == expected:
        return None
    if entry.n < expected:
        return Break(max(entry.n, 1), "duplicated", str(expected), str(entry.n))
    comes_later = any(later.n == expected for later in chain[position + 1 :])
    return Break(expected, "reordered" if comes_later else "missing", str(expected), str(entry.n))


def _broken_seal(entry: JournalEntry, before: str) -> Break | None:
    try:
        expected = seal_of(entry)
    except (TypeError, ValueError, RecursionError):  # the body is no longer plain
        return Break(entry.n, "changed", "", entry.hash)
    if entry.hash != expected:
        return Break(entry.n, "changed", expected, entry.hash)
    if entry.previous != before:
        return Break(entry.n, "unlinked", before, entry.previous)
    return None


# -- export -------------------------------------------------------------------------------------------------------------


def export_plain(
    entries: Sequence[JournalEntry],
    salts: Mapping[int, Mapping[str, str]] | None = None,
    values: Mapping[int, Mapping[str, Plain]] | None = None,
    receipt: Receipt | None = None,
) -> Plain:
    """Return a dossier's journal as a file that verifies offline. A value given with its salt is revealed. So
    the owner of the file can prove which answer was recorded at that moment."""
    openings: list[Plain] = [
        {"n": n, "name": name, "salt": (salts or {})[n][name], "value": value}
        for n, named in sorted((values or {}).items())
        for name, value in sorted(named.items())
    ]
    last = entries[-1] if entries else None
    return {
        "format": EXPORT_FORMAT,
        "dossier": last.dossier if last else "",
        "head": {"n": last.n if last else 0, "hash": last.hash if last else ""},
        "entries": [to_plain(entry) for entry in entries],
        "openings": openings,
        **({"receipt": to_plain(receipt)} if receipt else {}),
    }


def read_export(data: bytes) -> Plain:
    """Return the plain form of an export file. Raises `Refused` if it is not JSON, or repeats a key."""
    try:
        plain: Plain = json.loads(data.decode("utf-8"), object_pairs_hook=_said_once, parse_float=_no_float)
    except (ValueError, RecursionError):
        raise _malformed("json") from None
    return plain


def verify_export(export: Plain) -> Break | None:
    """Return the first break of an export, or None. Raises `Refused` if it is malformed."""
    parts = _parts(export)
    entries, head = parts.entries, (parts.head.n, parts.head.hash)
    if entries and entries[0].dossier != parts.dossier:
        return Break(1, "foreign", parts.dossier, entries[0].dossier)
    found = verify(entries)
    if found:
        return found
    reached = (entries[-1].n, entries[-1].hash) if entries else (0, "")
    if reached != head:
        return Break(max(head[0], 1), "cut", f"{head[0]} {head[1]}".strip(), f"{reached[0]} {reached[1]}".strip())
    bodies = {entry.n: entry.body for entry in entries}
    opened = next((broken for one in parts.openings if (broken := _broken_opening(bodies, one))), None)
    return opened or (_broken_receipt(entries, parts.receipt) if parts.receipt else None)


def receipt_in(export: Plain) -> Receipt | None:
    """Return the receipt of an export, or None. Raises `Refused` as `verify_export`."""
    return _parts(export).receipt


def entries_in(export: Plain) -> int:
    """Return the number of entries of an export. Raises `Refused` as `verify_export`."""
    return len(_parts(export).entries)


def _broken_receipt(entries: Sequence[JournalEntry], receipt: Receipt) -> Break | None:
    sealed = entries[receipt.n - 1].hash if 0 < receipt.n <= len(entries) else ""
    return None if sealed and includes(receipt, sealed) else Break(max(receipt.n, 1), "receipt", "", sealed)


def erased_at(export: Plain) -> datetime | None:
    """Return when the data of an exported dossier was erased, or None. Raises `Refused` as `verify_export`."""
    return next((one.at for one in _parts(export).entries if one.kind == "erased" and _says_how(one.body)), None)


def _says_how(body: Plain) -> bool:
    return isinstance(body, dict) and "how" in body


@dataclass(frozen=True, slots=True)
class _Head:
    n: int
    hash: str


@dataclass(frozen=True, slots=True)
class _Opening:
    n: int
    name: str
    salt: str
    value: Plain


@dataclass(frozen=True, slots=True)
class _Export:
    format: str
    dossier: str
    head: _Head
    entries: tuple[JournalEntry, ...]
    openings: tuple[_Opening, ...]
    receipt: Receipt | None = None


def _parts(export: Plain) -> _Export:
    try:
        read = from_plain(_Export, export)
    except (Unreadable, RecursionError) as error:
        raise _malformed(str(error)) from None
    if read.format != EXPORT_FORMAT:
        raise _malformed("format")
    return read


def _broken_opening(bodies: Mapping[int, Plain], opening: _Opening) -> Break | None:
    body = bodies.get(opening.n)
    commits = body.get(COMMITS) if isinstance(body, dict) else None
    expected = commits.get(opening.name) if isinstance(commits, dict) else None
    try:
        found = commit_value(opening.salt, opening.value)
    except (TypeError, ValueError):
        found = ""
    if expected == found != "":
        return None
    return Break(opening.n, "opening", str(expected or ""), found)


def _malformed(what: str) -> Refused:
    return Refused(refusal("export_malformed", what=what))


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key is said twice")
    return table


def _no_float(text: str) -> Any:
    raise ValueError("no floats in a journal")
