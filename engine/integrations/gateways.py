"""What leaves the house, opened. Its file is read by `settings.py`, loaded where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.integrations.clamav import ClamAV
from engine.integrations.identity_provider import IdentityProvider
from engine.integrations.message_sender import MessageSender
from engine.integrations.payment_provider import PaymentProvider

OTHER_COUNTRY: Final = "other"  # in the prices of messages: every country that has none of its own


class WrongGateways(ValueError):
    """The file of gateways cannot be used; `str()` says which table, which key, and why, never a secret."""


class UnreadGateways(WrongGateways):
    """The file is not there, or this account may not read it; `str()` says which."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """Operators by id, in the order in which citizens see them; senders by channel; who else knows citizens."""

    operators: Mapping[str, PaymentProvider]
    senders: Mapping[str, MessageSender]
    scanner: ClamAV | None = None
    identity: IdentityProvider | None = None
    sms_prices: Mapping[str, int] = field(default_factory=dict)  # of a segment, in hundredths of a franc, by country
