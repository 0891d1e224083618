"""Acting for somebody else: who may, within which bounds, and as whom. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from engine.records.dossier import Account, Actor
from engine.records.people import Mandate
from engine.rules.calendars import add_months

ADULT: Final = 18


def is_active(mandate: Mandate, day: date) -> bool:
    return mandate.status == "active" and (mandate.until is None or day <= mandate.until)


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
