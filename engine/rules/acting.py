"""Acting for somebody else: who may, within which bounds, and as whom. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Final

from engine.records.dossier import Account, Actor
from engine.records.people import Mandate
from engine.rules.calendars import add_months, end_of_day
from engine.values import Span

ADULT: Final = 18
PAPERS_KEPT: Final = Span(12, "month")  # how long the paper of a mandate outlives it, where nobody says otherwise


def is_active(mandate: Mandate, day: date) -> bool:
    return mandate.status == "active" and (mandate.until is None or day <= mandate.until)


def over_since(mandate: Mandate, now: datetime) -> datetime | None:
    """When a mandate ended, was refused or ran out; none while it holds or waits for an answer."""
    if mandate.status in ("ended", "refused"):
        return mandate.changed_at or mandate.created_at
    if mandate.status == "active" and mandate.until is not None:
        last = end_of_day(mandate.until)
        return last if last <= now else None
    return None


def acting(actor: Actor, mandate: Mandate, principal: Account) -> Actor:
    """The same person, acting for another within a mandate."""
    return replace(
        actor, principal=principal.id, procedures=frozenset(mandate.procedures), dossiers=frozenset(mandate.dossiers),
        only_reads=mandate.role == "reader",
    )  # fmt: skip


def may_give(actor: Actor, held: Mandate | None, day: date) -> bool:
    """Whether somebody may let others act for whoever they stand for: themself, or a principal they manage without bounds."""
    if not actor.principal:
        return True
    return (
        held is not None
        and held.role == "manager"
        and is_active(held, day)
        and not held.dossiers
        and not held.procedures
    )


def childhood_end(born: date) -> date:
    """The last day on which a parent acts for a child: the eve of their majority."""
    return date.fromordinal(add_months(born, 12 * ADULT).toordinal() - 1)
