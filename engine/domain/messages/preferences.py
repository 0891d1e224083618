"""Notification preferences: of agents (each morning, soon or never) and of applicants. Pure."""

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
    """How an agent is notified of waiting work. Without `email` nothing is sent. `soon` includes the daily message."""

    how: How = "daily"
    email: str = ""
    language: str = "fr"

    @property
    def each_morning(self) -> bool:
        """True when the agent gets the daily message."""
        return bool(self.email) and self.how != "never"

    @property
    def soon(self) -> bool:
        """True when the agent also gets a message soon after new work arrives."""
        return bool(self.email) and self.how == "soon"


def how_named(said: str) -> How:
    """Return the frequency of that name, `daily` for an unknown one."""
    for one in HOWS:
        if one == said:
            return one
    return "daily"


def notifications_of(account: Account) -> AgentNotifications:
    """Return the stored preferences of an agent, else daily to their login when it is an e-mail address."""
    said = account.profile.get(NOTIFICATIONS_KEY)
    if not isinstance(said, Mapping):
        return AgentNotifications(email=account.login if "@" in account.login else "")
    return AgentNotifications(
        how_named(str(said.get("how"))), str(said.get("email", "")), str(said.get("language", "fr"))
    )


def with_notifications(account: Account, notifications: AgentNotifications) -> Mapping[str, Plain]:
    """Return the account's profile with these preferences."""
    kept: Plain = {"how": notifications.how, "email": notifications.email, "language": notifications.language}
    return {**account.profile, NOTIFICATIONS_KEY: kept}


WISHES: Final = "wishes"  # their key in the profile
_REMINDERS: Final = ("reminder", "remind", "draft_reminder", "before")  # events whose messages are optional


@dataclass(frozen=True, slots=True)
class NotificationPreferences:
    """The preferences of an applicant.

    `email` asks for a copy where an address is known. `reminders` are those of appointments and due dates.
    """

    language: str = ""  # empty: the language of the web session
    email: bool = True
    reminders: bool = True


def wishes_of(account: Account | None) -> NotificationPreferences:
    """Return the stored preferences of an applicant, else the defaults."""
    kept = account.profile.get(WISHES) if account else None
    if not isinstance(kept, Mapping):
        return NotificationPreferences()
    return NotificationPreferences(
        str(kept.get("language", "")), kept.get("email") is not False, kept.get("reminders") is not False
    )


def is_wished(wishes: NotificationPreferences, letter: OutboundMessage, event: str, notified_by_sms: bool) -> bool:
    """Return True when a message about an event is sent.

    An e-mail is left out when copies are not wanted and an SMS already reports the event.
    """
    if not wishes.reminders and event.partition(":")[0] in _REMINDERS:
        return False
    return wishes.email or letter.channel != "email" or not notified_by_sms
