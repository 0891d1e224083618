"""The outside systems of an installation: what each offers, and the configured ones, ready to use."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TextIO

from engine.integrations.clamav import ClamAV
from engine.integrations.payment_provider import PaymentProvider
from engine.records.dossier import OutboundMessage


class NotSent(Exception):
    """The message was not sent.

    `for_good` means that a retry is useless (no such address). `silent` means that the channel gave no answer
    or limits requests, so the next message would fail too.
    """

    def __init__(self, reason: str, for_good: bool = False, silent: bool = False) -> None:
        super().__init__(reason)
        self.for_good, self.silent = for_good, silent


class MessageSender(Protocol):
    """One channel of outbound messages. It uses the network, so it must not run inside a unit of work."""

    def send(self, letter: OutboundMessage) -> None:
        """Send one message. Raises `NotSent`."""
        ...


class InboxSender:
    """The development inbox: nothing is sent, and the inbox page reads the stored messages."""

    def send(self, letter: OutboundMessage) -> None:
        """Do nothing: the inbox page shows the message once it is marked as sent."""


class ConsoleSender:
    """Write messages to a terminal, for a server without any channel yet.

    Without a terminal the text would end in a log, so the message waits for a channel.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, letter: OutboundMessage) -> None:
        """Write the message. Raises `NotSent` (`no_gateway`) when stderr is no terminal."""
        stream = self._stream or sys.stderr
        if self._stream is None and not stream.isatty():
            raise NotSent("no_gateway")
        head = f"[{letter.channel}] {letter.to}"
        print(head, letter.subject, letter.body, sep="\n  ", file=stream, flush=True)


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
    proven_at: datetime | None = None  # when the person last proved there who they are


class IdentityProvider(Protocol):
    """An identity provider. Its methods use the network, so they must not run inside a unit of work."""

    label: str

    def begin(self, back: str, anew: bool = False) -> SignInStart:
        """Return where to send the browser. `back` is the address it returns to. Raises `ProviderDown`.

        `anew`: the person proves there who they are, also if the provider knows this browser.
        """
        ...

    def finish(self, back: str, code: str, nonce: str, verifier: str) -> VerifiedIdentity:
        """Exchange the returned `code` for the verified identity. Raises `ProviderDown`, `NotProven`."""
        ...


OTHER_COUNTRY: Final = "other"  # in the prices of messages: every country without its own price


class WrongGateways(ValueError):
    """The file of gateways cannot be used. `str()` names the table, the key and the reason, never a secret."""


class UnreadGateways(WrongGateways):
    """The file of gateways is missing or unreadable for this account. `str()` is its path."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """The configured external systems.

    Operators are by id, in the order that citizens see. Senders are by channel.
    """

    operators: Mapping[str, PaymentProvider]
    senders: Mapping[str, MessageSender]
    scanner: ClamAV | None = None
    identity: IdentityProvider | None = None
    sms_prices: Mapping[str, int] = field(default_factory=dict)  # of a segment, in hundredths of a franc, by country
