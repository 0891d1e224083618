"""Secrets of people at the door: passwords under argon2id, session tokens and one-time codes."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from engine.storage.gate import AdmissionGate

CODE_DIGITS: Final = 6

_hasher: Final = PasswordHasher()  # argon2id, RFC 9106's second choice: 64 MiB, 3 passes
AT_ONCE: Final = 2  # passwords judged at the same time: each takes 64 MiB and a processor
WAITING: Final = 2  # more wait for it, a second at most; who else comes is told that the service is busy
_gate: Final = AdmissionGate(AT_ONCE, WAITING)
_DUMMY_HASH: Final = _hasher.hash("nobody has this password")


def hash_secret(password: str) -> str:
    """What is kept of a password. Raises `Busy`."""
    with _gate.turn():
        return _hasher.hash(password)


def is_secret(kept: str, password: str) -> bool:
    """Whether this is the password kept. Takes as long when nothing is kept, so that nobody learns who exists.
    Raises `Busy`."""
    with _gate.turn():
        try:
            return _hasher.verify(kept or _DUMMY_HASH, password) and bool(kept)
        except (VerificationError, InvalidHashError):
            return False


def new_token() -> str:
    """256 unguessable bits for a session; only `token_digest` of it is kept."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def new_password() -> str:
    """One to be told once and replaced: four groups of four signs, none taken for another."""
    signs = "23456789abcdefghjkmnpqrstuvwxyz"
    return "-".join("".join(secrets.choice(signs) for _ in range(4)) for _ in range(4))


def new_code() -> str:
    return random_digits(CODE_DIGITS)


def random_digits(count: int) -> str:
    return f"{secrets.randbelow(10**count):0{count}d}"
