"""What a kept dossier and its journal disagree on, in words: for agents and controllers."""

from __future__ import annotations

from engine.office.departures import departures
from engine.records.dossier import Dossier
from renderers.web.base import actor, office, say


def departs_from_journal(one: Dossier) -> str:
    """One sentence that names what differs; empty where they agree."""
    found = departures(office(), actor(), one.id)
    return say("audit.departs_text", names=", ".join(say(f"audit.part_{name}") for name in found)) if found else ""
