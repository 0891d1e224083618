"""Who is away, and until when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.records.dossier import Account
from engine.values import Plain

ABSENT: Final = "absent"  # in an account's profile


@dataclass(frozen=True, slots=True)
class Absence:
    """From one day to another, both counted in."""

    first: date
    last: date

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


def absence_of(account: Account) -> Absence | None:
    """The absence said last, past or to come."""
    said = account.profile.get(ABSENT)
    if not isinstance(said, Mapping):
        return None
    try:
        return Absence(date.fromisoformat(str(said.get("first"))), date.fromisoformat(str(said.get("last"))))
    except ValueError:
        return None


def is_absent(account: Account, day: date) -> bool:
    found = absence_of(account)
    return found is not None and found.holds(day)


def with_absence(account: Account, absence: Absence | None) -> Mapping[str, Plain]:
    """The profile of somebody who is away then, or no more."""
    others = {name: value for name, value in account.profile.items() if name != ABSENT}
    if absence is None:
        return others
    return {**others, ABSENT: {"first": absence.first.isoformat(), "last": absence.last.isoformat()}}
