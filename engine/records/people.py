"""What is kept of the people at the door beside their account: sessions, codes, a second factor, ways of being known,
who read what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

IdentifierKind: TypeAlias = Literal["phone", "email", "provider"]
CHAIN: Final = "people"  # the name of the journal of people and their rights


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. Only the SHA-256 of its token is kept."""

    token_sha256: str
    account: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    kept: bool = False  # “this phone is mine”
    device: str = ""  # what it runs on, as its owner reads it


@dataclass(frozen=True, slots=True)
class SignInCode:
    """A one-time code sent to a phone; its hash, and the tries left."""

    phone: str
    code_sha256: str
    sent_at: datetime
    expires_at: datetime
    tries_left: int
    sends: int = 1


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


@dataclass(frozen=True, slots=True)
class PhoneMove:
    """Somebody who lost their telephone asked at a counter to be known by another number; it waits for its day, so that who
    holds the number before may say no. One at a time for an account."""

    account: str
    former: str  # E.164, as `phone`
    phone: str
    dossier: str  # the one they were asked about
    agent: str
    letter: str  # the SMS that tells the number before
    asked_at: datetime
    due_at: datetime


MandateKind: TypeAlias = Literal["company", "child", "person", "dossier"]
MandateRole: TypeAlias = Literal["manager", "agent", "reader"]
MandateStatus: TypeAlias = Literal["asked", "to_check", "active", "refused", "ended"]


@dataclass(frozen=True, slots=True)
class Mandate:
    """Somebody acts for somebody else: `principal` and `holder` are accounts; a holder who never signed in is awaited by
    phone. `invited` is the number that was typed to let a holder in, or to ask a principal. `procedures` and `dossiers` bound it, empty = all; `until` its last day. A reader changes nothing;
    a manager may give mandates in turn. `proof` is the digest of the document handed in, `proof_name` what it was called."""

    id: str
    principal: str
    holder: str
    invited: str
    kind: MandateKind
    role: MandateRole
    status: MandateStatus
    made_by: str
    created_at: datetime
    until: date | None = None
    procedures: tuple[str, ...] = ()
    dossiers: tuple[str, ...] = ()
    proof: str = ""
    proof_name: str = ""
    changed_at: datetime | None = None
    reason: str = ""  # why it was refused, for who asked
    declared: str = ""  # a name as who asked typed it: the company's, or their own for the person they ask
