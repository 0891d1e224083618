"""Erasure of one-time codes and sign-in links in messages, once the message was sent or expired.

An unsent message keeps its text, for it is tried again. A demonstration keeps all texts: its page
`/_boite` shows them as the phone of invented people.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.records.dossier import OutboundMessage
from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import Unit

OVER: Final = timedelta(hours=1)  # longer than any code or link is valid


def forgetful(ctx: AppContext, letter: OutboundMessage) -> OutboundMessage:
    """Return a message as it is stored after sending: without its secret, except in a demonstration."""
    return letter if ctx.settings.demo else letter.without_secret()


def erase_codes(ctx: AppContext, unit: Unit) -> int:
    """Erase the secrets in old messages of earlier releases or of a demonstration. Return how many."""
    return 0 if ctx.settings.demo else unit.erase_secrets(ctx.now() - OVER)
