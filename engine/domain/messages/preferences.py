"""How an agent wishes to be told what waits for them: once in the morning, soon after it comes, or not at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from engine.core.values import Plain
from engine.records.dossier import Account, OutboundMessage

NOTIFICATIONS_KEY: Final = "tidings"  # in an account's profile

How: TypeAlias = Literal["daily", "soon", "never"]
HOWS: Final[tuple[How, ...]] = ("daily", "soon", "never")


@dataclass(frozen=True, slots=True)
class AgentNotifications:
    """`email` empty: nowhere to write to. Whoever wants them soon has the morning's too."""

    how: How = "daily"
    email: str = ""
    language: str = "fr"

    @property
    def each_morning(self) -> bool:
        return bool(self.email) and self.how != "never"

    @property
    def soon(self) -> bool:
        return bool(self.email) and self.how == "soon"


def how_named(said: str) -> How:
    for one in HOWS:
        if one == said:
            return one
    return "daily"


def notifications_of(account: Account) -> AgentNotifications:
    """As they were said; else each morning, to the address they sign in with, where it is one."""
    said = account.profile.get(NOTIFICATIONS_KEY)
    if not isinstance(said, Mapping):
        return AgentNotifications(email=account.login if "@" in account.login else "")
    return AgentNotifications(
        how_named(str(said.get("how"))), str(said.get("email", "")), str(said.get("language", "fr"))
    )


def with_notifications(account: Account, notifications: AgentNotifications) -> Mapping[str, Plain]:
    """The profile of somebody who wishes so."""
    kept: Plain = {"how": notifications.how, "email": notifications.email, "language": notifications.language}
    return {**account.profile, NOTIFICATIONS_KEY: kept}


WISHES: Final = "wishes"  # where they lie in the profile
_REMINDERS: Final = ("reminder", "remind", "draft_reminder", "before")  # events whose news can be done without


@dataclass(frozen=True, slots=True)
class NotificationPreferences:
    """`email`: a copy where an address is known; `reminders`: of visits and days that come."""

    language: str = ""  # none said: whatever the visit is in
    email: bool = True
    reminders: bool = True


def wishes_of(account: Account | None) -> NotificationPreferences:
    """As they were said, else as they are for everybody."""
    kept = account.profile.get(WISHES) if account else None
    if not isinstance(kept, Mapping):
        return NotificationPreferences()
    return NotificationPreferences(
        str(kept.get("language", "")), kept.get("email") is not False, kept.get("reminders") is not False
    )


def is_wished(wishes: NotificationPreferences, letter: OutboundMessage, event: str, notified_by_sms: bool) -> bool:
    """Whether a letter about an event leaves: a copy by e-mail only where it is wished, or nothing else tells the news."""
    if not wishes.reminders and event.partition(":")[0] in _REMINDERS:
        return False
    return wishes.email or letter.channel != "email" or not notified_by_sms
