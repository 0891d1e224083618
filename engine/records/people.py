"""Records of people beside their account: sessions, codes, second factors, identifiers, access log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

IdentifierKind: TypeAlias = Literal["phone", "email", "provider"]
CHAIN: Final = "people"  # the name of the journal of rights
COMPANY: Final = "company:"  # prefix of the login of a company, before its number
WITHOUT_PHONE: Final = "person:"  # prefix of the login of a person without a phone, whose document an agent saw


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser.

    Only the SHA-256 of its token is stored. `kept`: the person said that the device is theirs.
    """

    token_sha256: str
    account: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    kept: bool = False  # “this phone is mine”
    device: str = ""  # name of the device, shown to its owner


@dataclass(frozen=True, slots=True)
class SignInCode:
    """The hash of a one-time code sent to a phone, and the attempts left."""

    phone: str
    code_sha256: str
    sent_at: datetime
    expires_at: datetime
    tries_left: int
    sends: int = 1


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The key of an authenticator application, encrypted with the installation's secret.

    `since`: when it was first confirmed, None until then. `last_step`: the time step of the last accepted
    code, so that no code serves twice. `recovery`: keyed digests of the recovery codes, each valid once.
    """

    account: str
    key: str
    since: datetime | None = None
    last_step: int = 0
    recovery: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identifier:
    """One verified identifier: a phone (E.164), a mail address, or an identity of a provider."""

    kind: IdentifierKind
    value: str
    account: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """One line of the access log: an account opened a dossier on a day. `at` is the last time."""

    dossier: str
    account: str
    day: date
    at: datetime
    role: str = ""  # `agency/role` of the agent; empty for an auditor


@dataclass(frozen=True, slots=True)
class PhoneMove:
    """A request at a counter to change the phone number of an account. It takes effect at `due_at`, so that
    the holder of the former number may object. An account has at most one."""

    account: str
    former: str  # E.164, as `phone`
    phone: str
    dossier: str  # the dossier asked about
    agent: str
    letter: str  # id of the SMS to the former number
    asked_at: datetime
    due_at: datetime


MandateKind: TypeAlias = Literal["company", "child", "person", "dossier"]
MandateRole: TypeAlias = Literal["manager", "agent", "reader"]
MandateStatus: TypeAlias = Literal["asked", "to_check", "active", "refused", "ended"]


@dataclass(frozen=True, slots=True)
class Mandate:
    """The right of one account (`holder`) to act for another (`principal`).

    A holder who never signed in is identified by phone. `invited` is the number typed to invite a holder or
    to ask a principal, or that of the person who sent a document to check. `procedures` and `dossiers` limit
    the mandate, and empty means all. `until` is its last day. A reader changes nothing, and a manager may give
    mandates in turn. `proof` is the digest of the uploaded document, `proof_name` its file name.
    """

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
    reason: str = ""  # reason of the refusal, shown to the requester
    declared: str = ""  # name typed by the requester: of the company, or their own
