"""Warnings that several pages show: a dossier that differs from its journal, a phone number that is about to change."""

from __future__ import annotations

from engine.records.dossier import Dossier
from engine.services.accounts.lost_phones import move_waiting
from engine.services.audit.departures import departures
from renderers.web.platform.request_context import actor, app_ctx, moment_of, myself, say


def departs_from_journal(one: Dossier) -> str:
    """One sentence that names what differs; empty where they agree."""
    found = departures(app_ctx(), actor(), one.id)
    return say("audit.departs_text", names=", ".join(say(f"audit.part_{name}") for name in found)) if found else ""


def move_notice() -> str:
    """The sentence about a new number that was asked for in the name of the person signed in; empty where none waits."""
    move = move_waiting(app_ctx(), myself())
    return say("own.move_text", moment=moment_of(move.due_at), end=move.phone[-2:]) if move else ""
