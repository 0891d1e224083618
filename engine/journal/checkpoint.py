"""Checkpoints: the length and the root of the journal at a moment, in a signed note stored outside the
database.

The text is C2SP's tlog-checkpoint in a signed note (Ed25519), which existing witnesses can read. Signing
itself is in `engine/services/core/checkpoints.py`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from engine.journal.merkle import leaf_hash, root_from
from engine.records.codec import Unreadable, instant_text, read_instant

_DASH: Final = "— "
_TIME: Final = "time "
_ED25519: Final = b"\x01"
_LARGEST: Final = 4000


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a note: the signer's name, the first four bytes of the key hash, the signature."""

    name: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a note. `text` is the signed part, `signatures` those below it."""

    origin: str
    size: int
    root: bytes
    at: datetime
    text: str
    signatures: tuple[Signature, ...] = ()


def text_of(origin: str, size: int, root: bytes, at: datetime) -> str:
    """Return the text to sign: origin, size, root in base64, time."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n{_TIME}{instant_text(at)}\n"


def key_id(name: str, public: bytes) -> bytes:
    """Return the four bytes that identify a key in a note."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def signed(text: str, name: str, public: bytes, signature: bytes) -> str:
    """Return the note: the text and one signature line."""
    value = base64.b64encode(key_id(name, public) + signature).decode()
    return f"{text}\n{_DASH}{name} {value}\n"


def read_note(note: str) -> Checkpoint:
    """Return the checkpoint of a note, without checking its signatures. Raises `ValueError` if malformed."""
    text, _, below = note.partition("\n\n")
    lines = text.split("\n")
    if len(note) > _LARGEST or len(lines) != 4 or not lines[3].startswith(_TIME) or not lines[1].isascii():
        raise ValueError("no checkpoint")
    try:
        root, at = base64.b64decode(lines[2], validate=True), read_instant(lines[3].removeprefix(_TIME))
        size = int(lines[1])
    except (binascii.Error, Unreadable) as wrong:
        raise ValueError("no checkpoint") from wrong
    if str(size) != lines[1] or size < 0 or len(root) != 32 or not lines[0]:
        raise ValueError("no checkpoint")
    return Checkpoint(lines[0], size, root, at, text + "\n", tuple(_signature(one) for one in below.split("\n") if one))


def _signature(line: str) -> Signature:
    name, _, value = line.removeprefix(_DASH).partition(" ")
    raw = base64.b64decode(value, validate=True)
    if not line.startswith(_DASH) or not name or len(raw) < 5:
        raise ValueError("no signature")
    return Signature(name, raw[:4], raw[4:])


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the entry `n` of a dossier is in the journal of a checkpoint. `leaf` is its index. `proof`
    lists the sibling hashes up to the root, in hexadecimal."""

    n: int
    leaf: int
    proof: tuple[str, ...]
    checkpoint: str


def includes(receipt: Receipt, entry_hash: str) -> bool:
    """Return whether a receipt proves this entry. The signature of the checkpoint is not checked."""
    try:
        checkpoint = read_note(receipt.checkpoint)
        leaf, path = leaf_hash(bytes.fromhex(entry_hash)), [bytes.fromhex(one) for one in receipt.proof]
    except ValueError:
        return False
    return root_from(receipt.leaf, checkpoint.size, leaf, path) == checkpoint.root
