"""Warnings on several pages: a dossier that differs from its journal, a pending change of phone number."""

from __future__ import annotations

from engine.records.dossier import Dossier
from engine.services.accounts.lost_phones import move_waiting
from engine.services.audit.integrity_rows import departures
from renderers.web.platform.request_context import actor, app_ctx, moment_of, myself, say


def departs_from_journal(one: Dossier) -> str:
    """Return one sentence that names the differences, empty if there are none."""
    found = departures(app_ctx(), actor(), one.id)
    return say("audit.departs_text", names=", ".join(say(f"audit.part_{name}") for name in found)) if found else ""


def move_notice() -> str:
    """Return the sentence about a pending new number of the person signed in, empty if there is none."""
    move = move_waiting(app_ctx(), myself())
    return say("own.move_text", moment=moment_of(move.due_at), end=move.phone[-2:]) if move else ""
