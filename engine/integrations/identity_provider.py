"""What an identity provider says of somebody. Who speaks to one is `openid.py`, loaded where one is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class NotProven(Exception):
    """The provider's answer does not hold, or the person gave up there. `str()` is a word for the log, never a token."""


@dataclass(frozen=True, slots=True)
class SignInStart:
    """Where to send somebody, and what this browser must bring back."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """Somebody as a provider knows them. `profile` by our own names; `level` how sure the provider is, in our words."""

    subject: str  # issuer and its name for the person
    profile: Mapping[str, str]
    level: str = ""
    phone: str = ""  # proven ones only
    email: str = ""


class IdentityProvider(Protocol):
    """Speaks to the network: never inside a unit of work."""

    label: str

    def begin(self, back: str) -> SignInStart:
        """Raises `ProviderDown`."""
        ...

    def finish(self, back: str, code: str, nonce: str, verifier: str) -> VerifiedIdentity:
        """Raises `ProviderDown`, `NotProven`."""
        ...
