"""How an applicant wishes to be written to. What decides or asks for something is always told, by SMS where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.records.dossier import Account, Letter

WISHES: Final = "wishes"  # where they lie in the profile
_REMINDERS: Final = ("reminder", "remind", "draft_reminder", "before")  # events whose news can be done without


@dataclass(frozen=True, slots=True)
class Wishes:
    """`email`: a copy where an address is known; `reminders`: of visits and days that come."""

    language: str = ""  # none said: whatever the visit is in
    email: bool = True
    reminders: bool = True


def wishes_of(account: Account | None) -> Wishes:
    """As they were said, else as they are for everybody."""
    kept = account.profile.get(WISHES) if account else None
    if not isinstance(kept, Mapping):
        return Wishes()
    return Wishes(str(kept.get("language", "")), kept.get("email") is not False, kept.get("reminders") is not False)


def is_wished(wishes: Wishes, letter: Letter, event: str, told_by_sms: bool) -> bool:
    """Whether a letter about an event leaves: a copy by e-mail only where it is wished, or nothing else tells the news."""
    if not wishes.reminders and event.partition(":")[0] in _REMINDERS:
        return False
    return wishes.email or letter.channel != "email" or not told_by_sms
