"""Identity providers: what they state about a person. `openid.py` implements one and is loaded only where one is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class NotProven(Exception):
    """The provider's answer is invalid, or the person cancelled there. `str()` is a code for the log, never a token."""


@dataclass(frozen=True, slots=True)
class SignInStart:
    """The address of the provider's page, and the values that this browser must bring back."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """A person as a provider knows them.

    `profile` uses our field names. `level` is the provider's level of assurance in our terms.
    """

    subject: str  # issuer and its id of the person
    profile: Mapping[str, str]
    level: str = ""
    phone: str = ""  # only if the provider verified it
    email: str = ""


class IdentityProvider(Protocol):
    """An identity provider. Its methods use the network, so they must not run inside a unit of work."""

    label: str

    def begin(self, back: str) -> SignInStart:
        """Return where to send the browser. `back` is the address it returns to. Raises `ProviderDown`."""
        ...

    def finish(self, back: str, code: str, nonce: str, verifier: str) -> VerifiedIdentity:
        """Exchange the returned `code` for the verified identity. Raises `ProviderDown`, `NotProven`."""
        ...
