"""One-time codes and sign-in links in messages: erased once the message left or is over.

A message that was not sent yet keeps its text, for it is tried again. A demonstration keeps all texts: its page `/_boite` is the
telephone of invented people, and shows them what they were sent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.records.dossier import OutboundMessage
from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import Unit

OVER: Final = timedelta(hours=1)  # no code and no link lasts so long


def forgetful(ctx: AppContext, letter: OutboundMessage) -> OutboundMessage:
    """A letter as it is kept once its sender answered."""
    return letter if ctx.settings.demo else letter.without_secret()


def erase_codes(ctx: AppContext, unit: Unit) -> int:
    """The same for what an earlier release, or a demonstration, left."""
    return 0 if ctx.settings.demo else unit.erase_secrets(ctx.now() - OVER)
