"""Secrets used at sign-in: passwords hashed with argon2id, session tokens and one-time codes."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from engine.storage.gate import AdmissionGate

CODE_DIGITS: Final = 6

_hasher: Final = PasswordHasher()  # argon2id, RFC 9106's second choice: 64 MiB, 3 passes
AT_ONCE: Final = 2  # passwords hashed at the same time: each needs 64 MiB and a processor
WAITING: Final = 4  # callers that wait for a place, for a second at most. Further callers get `Busy`
FOR_KNOWN: Final = 1  # of both, reserved for browsers that the account signed in from before
_gate: Final = AdmissionGate(AT_ONCE, WAITING, kept=FOR_KNOWN)
# of a text that is no password, with today's costs of `_hasher`: to hash it at each start takes 0.2 s
_DUMMY_HASH: Final = "$argon2id$v=19$m=65536,t=3,p=4$RKmQ8Eg11oyUDISzr4F70g$Qt1gZqalHHScSNOB3ss6Au2axoA1s2NnWLWdekwgqrc"


def hash_secret(password: str) -> str:
    """Return the argon2id hash to store for a password. Raises `Busy`."""
    with _gate.turn():
        return _hasher.hash(password)


def is_secret(kept: str, password: str, *, known: bool = True, place: str = "") -> bool:
    """Return whether the password matches the stored hash.

    An empty `kept` takes the same time, which hides which accounts exist. Callers that are not `known` leave a place
    to those that are; `place` is the block of their address. Raises `Busy`.
    """
    with _gate.turn(known=known, place=place):
        try:
            return _hasher.verify(kept or _DUMMY_HASH, password) and bool(kept)
        except (VerificationError, InvalidHashError):
            return False


def new_token() -> str:
    """Return a session token of 256 random bits. Only its `token_digest` is stored."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """Return the SHA-256 of a token in hexadecimal, which is what the store holds."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_password() -> str:
    """Return a temporary password: four groups of four characters, without characters that look alike."""
    signs = "23456789abcdefghjkmnpqrstuvwxyz"
    return "-".join("".join(secrets.choice(signs) for _ in range(4)) for _ in range(4))


def new_code() -> str:
    """Return a one-time code of `CODE_DIGITS` digits."""
    return random_digits(CODE_DIGITS)


def random_digits(count: int) -> str:
    """Return a random number of exactly `count` digits, with leading zeros."""
    return f"{secrets.randbelow(10**count):0{count}d}"
