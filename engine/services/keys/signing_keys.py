"""The keys of the installation.

An Ed25519 key ring signs issued data; a secret protects one-time codes. They are stored in one file
that only its owner reads (0600). It is created at the first start where that is allowed. Old keys stay
in the ring, so that their signatures remain valid. `jwks` publishes the public halves. A new key is
announced first and signs later: offline verifiers have it before its first signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from engine.core.values import Plain, canonical_json
from engine.storage.files.encryption import FIRST_KEPT, NoKeyRing, change_ring, first_key, new_file_key

KNOWN_AFTER: Final = timedelta(days=7)  # offline verifiers have fetched an announced key by then
ALGORITHM: Final = "Ed25519"
KeyStatus: TypeAlias = Literal["announced", "signs", "verifies"]
_ANNOUNCED: Final = "announced"  # name in the key ring file
_ANNOUNCED_SECRET: Final = "announced_secret"
_ANNOUNCED_AT: Final = "announced_at"
_FORMER: Final = "former_secrets"
_SEALED: Final = "a1."  # AES-256-GCM
_NONCE: Final = 12


class NoKeys(Exception):
    """The key file is missing or unreadable, and the caller may not create one."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The key ring, newest key first.

    `_announced` holds keys that are published and sign nothing yet. `_others` holds secrets that only
    decrypt: former ones, and the announced one. `former` counts the former secrets among them. `repr`
    never shows a key.
    """

    _ring: tuple[OKPKey, ...] = field(repr=False)
    _secret: bytes = field(repr=False)
    _announced: tuple[OKPKey, ...] = field(default=(), repr=False)
    _others: tuple[bytes, ...] = field(default=(), repr=False)
    former: int = field(default=0, repr=False)

    @classmethod
    def generate(cls) -> SigningKeys:
        """Return a new ring that is not saved, for tests and scenarios."""
        return cls((_new_key(),), secrets.token_bytes(32))

    @classmethod
    def open(cls, file: Path, make: bool = False) -> SigningKeys:
        """Load the ring of a file. With `make`, a missing file is created. Raises `NoKeys`."""
        try:
            return cls._read(file.read_text("utf-8"))
        except FileNotFoundError as missing:
            if not make:
                raise NoKeys(str(file)) from missing
        except (OSError, ValueError, KeyError, TypeError, JoseError) as broken:
            raise NoKeys(str(file)) from broken
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process of the same installation created it first
            cls.generate().save(file)
        return cls.open(file)

    def save(self, file: Path) -> None:
        """Write the whole ring or nothing, readable by its owner alone.

        Raises `FileExistsError` rather than overwrite a ring.
        """
        written = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        body = {
            "keys": [dict(key.as_dict(private=True)) for key in self._ring],
            "secret": base64.urlsafe_b64encode(self._secret).decode(),
        }
        handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(body, out, indent=1)
                out.flush()
                os.fsync(out.fileno())
            os.link(written, file)  # unlike a rename, it refuses an existing file
        finally:
            written.unlink()

    @classmethod
    def _read(cls, text: str) -> SigningKeys:
        kept = json.loads(text)
        ring = tuple(OKPKey.import_key(one) for one in kept["keys"])
        if not ring:
            raise ValueError("empty ring")
        announced = tuple(OKPKey.import_key(one) for one in kept.get(_ANNOUNCED, ()))
        others = [kept[name] for name in (_ANNOUNCED_SECRET,) if name in kept] + kept.get(_FORMER, [])
        secret, *rest = (base64.urlsafe_b64decode(one) for one in (kept["secret"], *others))
        return cls(ring, secret, announced, tuple(rest), len(kept.get(_FORMER, ())))

    def sign(self, claims: Plain) -> str:
        """Return a compact JWS of the claims (canonical JSON), signed by the newest key."""
        key = self._ring[0]
        header = {"alg": ALGORITHM, "kid": key.kid or ""}
        return jws.serialize_compact(header, canonical_json(claims), key, algorithms=[ALGORITHM])

    def check(self, token: str) -> Mapping[str, Plain] | None:
        """Return the claims of a JWS signed by a key of the ring; None for any other text."""
        for key in (*self._ring, *self._announced):
            try:
                claims = json.loads(jws.deserialize_compact(token, key, algorithms=[ALGORITHM]).payload)
            except (JoseError, ValueError):
                continue
            return claims if isinstance(claims, dict) else None
        return None

    def sign_bytes(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the public half of the newest key and its bare signature over these bytes.

        A signed JWS can never pass for a signed text of lines, nor the reverse.
        """
        key = self._ring[0].private_key
        if not isinstance(key, Ed25519PrivateKey):
            raise NoKeys("the newest key cannot sign")
        return _raw(self._ring[0]), key.sign(data)

    def public_keys(self) -> tuple[bytes, ...]:
        """Return the bare public halves of the ring, the signing key first."""
        return tuple(_raw(key) for key in (*self._ring, *self._announced))

    def jwks(self) -> Mapping[str, Plain]:
        """Return the public keys as a JWK set (RFC 7517)."""
        return {"keys": [_public(key) for key in (*self._ring, *self._announced)]}

    def standing(self) -> tuple[tuple[str, KeyStatus], ...]:
        """Return the id and the status of each key, announced keys first."""
        held: list[tuple[OKPKey, KeyStatus]] = [(key, "verifies") for key in self._ring]
        held[0] = (self._ring[0], "signs")
        return tuple((key.kid or "", does) for key, does in (*((key, "announced") for key in self._announced), *held))

    def seal_code(self, *parts: str) -> str:
        """Return the keyed digest under which a short secret is stored. It cannot be computed without this key ring."""
        return self.seals_of(*parts)[0]

    def seals_of(self, *parts: str) -> tuple[str, ...]:
        """Return the possible digests of a short secret: of the secret in force, then of the others."""
        said = "\x1f".join(parts).encode()
        return tuple(hmac.new(one, said, hashlib.sha256).hexdigest() for one in (self._secret, *self._others))

    def seal_text(self, purpose: str, text: str) -> str:
        """Encrypt a short secret that must be read again. It is unreadable without this key ring."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._box(purpose).encrypt(nonce, text.encode(), None)
        return _SEALED + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open_text(self, purpose: str, sealed: str) -> str:
        """Decrypt a text of `seal_text`. Raises `NoKeys` if another key ring encrypted it."""
        if not sealed.startswith(_SEALED):  # format of earlier releases
            for secret in self.secrets_for(f"sealed {purpose}"):
                with suppress(InvalidToken):
                    return Fernet(base64.urlsafe_b64encode(secret)).decrypt(sealed.encode()).decode()
            raise NoKeys(purpose)
        for secret in self.secrets_for(f"sealed once more {purpose}"):
            with suppress(InvalidTag, ValueError):
                body = base64.urlsafe_b64decode(sealed.removeprefix(_SEALED))
                return AESGCM(secret).decrypt(body[:_NONCE], body[_NONCE:], None).decode()
        raise NoKeys(purpose)

    def _box(self, purpose: str) -> AESGCM:
        return AESGCM(self.secret_for(f"sealed once more {purpose}"))

    def secret_for(self, purpose: str) -> bytes:
        """Return the secret of one purpose (a session cookie, callbacks of an operator).

        It is the same at each start.
        """
        return self.secrets_for(purpose)[0]

    def secrets_for(self, purpose: str) -> tuple[bytes, ...]:
        """Return the secrets of one purpose: from the secret in force, then from the others."""
        said = b"purpose\x1f" + purpose.encode()
        return tuple(hmac.new(one, said, hashlib.sha256).digest() for one in (self._secret, *self._others))


def announce_key(file: Path, at: datetime | None = None) -> tuple[str, bool]:
    """Add a new signing key and a new secret to the ring of a file.

    Both take effect at the next start: the key is published and the secret decrypts. They sign and
    encrypt only after `sign_with_announced`. Return the key id, and whether it is new: an announced key
    that still waits is used again. `at` is stored beside it. Raises `NoKeyRing`.
    """
    reported: list[tuple[str, bool]] = []

    def announced(kept: dict[str, Any]) -> None:
        waiting = kept.get(_ANNOUNCED, [])
        new = [] if waiting else [dict(_new_key().as_dict(private=True))]
        kept[_ANNOUNCED] = waiting or new
        kept.setdefault(_ANNOUNCED_SECRET, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        if new and at is not None:
            kept[_ANNOUNCED_AT] = at.isoformat()
        reported.append((str(kept[_ANNOUNCED][0]["kid"]), bool(new)))

    change_ring(file, announced)
    return reported[0]


def announced_at(file: Path) -> datetime | None:
    """Return when the announced key was added.

    None if no key is announced, or if an earlier release announced it. Raises `NoKeyRing`.
    """
    try:
        at = json.loads(file.read_text("utf-8")).get(_ANNOUNCED_AT)
        return datetime.fromisoformat(at) if at is not None else None
    except (OSError, ValueError, TypeError, AttributeError) as broken:
        raise NoKeyRing(str(file)) from broken


def sign_with_announced(file: Path) -> str | None:
    """Make the announced key sign and its secret encrypt, from the next start on.

    Return the key id, None when no key is announced. Raises `NoKeyRing`.
    """
    reported: list[str] = []

    def put_in_front(kept: dict[str, Any]) -> None:
        waiting = kept.pop(_ANNOUNCED, [])
        kept.pop(_ANNOUNCED_AT, None)
        kept["keys"] = [*waiting, *kept["keys"]]
        if secret := kept.pop(_ANNOUNCED_SECRET, None):
            kept[FIRST_KEPT] = first_key(kept).hex()  # encrypted uploads refer to it as the first secret
            # a file key that a server of the previous release knows too
            kept["files"] = kept.get("files") or [new_file_key()]
            kept[_FORMER] = [kept["secret"], *kept.get(_FORMER, [])]
            kept["secret"] = secret
        reported.extend(str(one["kid"]) for one in waiting)

    change_ring(file, put_in_front)
    return reported[0] if reported else None


def forget_secrets(file: Path, now: SigningKeys) -> int | None:
    """Remove the former secrets from the ring: texts encrypted under them can no longer be read.

    Return their number. Lasting data was encrypted again under the secret of `now`. If another secret is in
    force, nothing is removed and the result is None. Raises `NoKeyRing`.
    """
    reported: list[int | None] = []

    def forgotten(kept: dict[str, Any]) -> None:
        same = base64.urlsafe_b64decode(kept["secret"]) == now._secret
        reported.append(len(kept.pop(_FORMER, [])) if same else None)

    change_ring(file, forgotten)
    return reported[0]


class Box:
    """Encryption with a key derived from one secret for one purpose. It detects any change.

    What a `former` secret encrypted is opened too.
    """

    def __init__(self, secret: bytes, purpose: str, *former: bytes) -> None:
        said = b"purpose\x1f" + purpose.encode()
        self._keys = [AESGCM(hmac.new(one, said, hashlib.sha256).digest()) for one in (secret, *former)]

    def seal(self, data: bytes) -> bytes:
        """Return the nonce followed by the ciphertext of these bytes."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, data, None)

    def open(self, sealed: bytes) -> bytes:
        """Return the decrypted bytes.

        Raises `ValueError` if another secret encrypted them or they were changed.
        """
        for key in self._keys:
            with suppress(InvalidTag):
                return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        raise ValueError("not sealed here")


def has_signed(public: bytes, signature: bytes, data: bytes) -> bool:
    """Return whether the key with this public half signed these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_keys(jwks: Any) -> tuple[bytes, ...]:
    """Return the bare Ed25519 keys of a JWK set. Raises `ValueError` for anything else."""
    try:
        return tuple(_raw(OKPKey.import_key(one)) for one in jwks["keys"] if one.get("crv") == "Ed25519")
    except (KeyError, TypeError, AttributeError, ValueError, JoseError) as wrong:
        raise ValueError("no set of keys") from wrong


def _raw(key: OKPKey) -> bytes:
    said = str(key.as_dict(private=False)["x"])
    return base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))


def _public(key: OKPKey) -> Plain:
    body = {name: str(value) for name, value in key.as_dict(private=False).items()}
    return {**body, "use": "sig", "alg": ALGORITHM}


def _new_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": secrets.token_hex(8)}, auto_kid=False)
