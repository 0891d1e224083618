"""What is kept of the people at the door beside their account: a second factor, ways of being known, who read what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

IdentifierKind: TypeAlias = Literal["phone", "email", "provider"]
CHAIN: Final = "people"  # the name of the journal of people and their rights


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The key of an authenticator application, sealed under the office's secret. `since` when it was first proven, none
    until then; `last_step` the last moment a code was taken for, so that none serves twice; `recovery` keyed digests of
    the codes that replace a lost telephone once each."""

    account: str
    key: str
    since: datetime | None = None
    last_step: int = 0
    recovery: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identifier:
    """One proven way of being known: a phone (E.164), an e-mail address, a person at an identity provider."""

    kind: IdentifierKind
    value: str
    account: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody of the administration looked into a dossier on a day; `at` the last time."""

    dossier: str
    account: str
    day: date
    at: datetime
    role: str = ""  # `agency/role` under which an agent read; empty for a controller
