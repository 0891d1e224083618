"""SMS gateway over HTTPS: one POST in JSON for each message, with its id as idempotency key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.integrations.gateways import NotSent
from engine.integrations.http_client import HttpClient
from engine.integrations.payment_provider import ProviderDown, ProviderSilent
from engine.records.dossier import OutboundMessage

_USELESS: Final = frozenset({400, 404, 410, 422})  # refused for this number or text: a retry cannot succeed


class SmsGateway:
    """A configured SMS gateway.

    `fields` maps `to` and `text` to the gateway's names. `fixed` is sent with each message (a sender's name).
    """

    def __init__(self, wire: HttpClient, token: str, fields: Mapping[str, str], fixed: Mapping[str, str]) -> None:
        self._wire, self._fields, self._fixed = wire, fields, fixed
        self._headers = {"Authorization": f"Bearer {token}"}

    def reach(self) -> None:
        """Check that the address answers. Raises `NotSent` without an answer."""
        try:
            self._wire.reach()
        except ProviderDown as down:
            raise NotSent(str(down)) from None

    def send(self, letter: OutboundMessage) -> None:
        """Send one SMS. Raises `NotSent`, `for_good` when the gateway refuses the number or the text."""
        body = {**self._fixed, self._fields["to"]: letter.to, self._fields["text"]: letter.body}
        try:
            answer = self._wire.post("", body, {**self._headers, "Idempotency-Key": letter.id}, bare=True)
        except ProviderDown as down:
            raise NotSent(str(down), silent=isinstance(down, ProviderSilent)) from None
        if answer.status >= 300:
            useless = answer.status in _USELESS
            raise NotSent(
                f"status_{answer.status}", for_good=useless, silent=not useless
            )  # otherwise our account is refused
