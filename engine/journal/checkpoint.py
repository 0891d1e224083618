"""A checkpoint: how long the journal was at a moment, and the root of its tree, in a signed note that stands outside the store.

The text is C2SP's tlog-checkpoint in a signed note (Ed25519), so that existing witnesses read it. Signing is the office's.
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
    """One signature of a note: who says to have signed, and the key by its first four bytes."""

    name: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says. `text` is what is signed, `signatures` what stands under it."""

    origin: str
    size: int
    root: bytes
    at: datetime
    text: str
    signatures: tuple[Signature, ...] = ()


def text_of(origin: str, size: int, root: bytes, at: datetime) -> str:
    """What is signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n{_TIME}{instant_text(at)}\n"


def key_id(name: str, public: bytes) -> bytes:
    """What names a key in a note."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def signed(text: str, name: str, public: bytes, signature: bytes) -> str:
    """The note."""
    value = base64.b64encode(key_id(name, public) + signature).decode()
    return f"{text}\n{_DASH}{name} {value}\n"


def read_note(note: str) -> Checkpoint:
    """Raises ValueError for what is no checkpoint of ours."""
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
    """Proves that the entry `n` of a dossier is in the journal of a checkpoint: its place there, and what stands beside its
    way to the root, in hexadecimal."""

    n: int
    leaf: int
    proof: tuple[str, ...]
    checkpoint: str


def includes(receipt: Receipt, entry_hash: str) -> bool:
    """Whether a receipt proves it. Who signed the checkpoint is another question."""
    try:
        checkpoint = read_note(receipt.checkpoint)
        leaf, path = leaf_hash(bytes.fromhex(entry_hash)), [bytes.fromhex(one) for one in receipt.proof]
    except ValueError:
        return False
    return root_from(receipt.leaf, checkpoint.size, leaf, path) == checkpoint.root
