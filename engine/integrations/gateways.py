"""The gateways of an installation, ready to use. `config.py` reads their file and is loaded only where one exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.integrations.clamav import ClamAV
from engine.integrations.identity_provider import IdentityProvider
from engine.integrations.message_sender import MessageSender
from engine.integrations.payment_provider import PaymentProvider

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
