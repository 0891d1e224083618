"""Queries about people: accounts, identifiers, mandates, access log, sessions, editions and publications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from engine.core.values import Plain
from engine.journal.chain import JournalEntry
from engine.records.dossier import Account
from engine.records.people import Identifier, Mandate, PhoneMove, Reading, SecondFactor, Session, SignInCode
from engine.records.publications import Edition, FollowingState, Publication, PublishedEdition


class PeopleUnit(Protocol):
    """The queries of one transaction about people who sign in."""

    # accounts and sign-in
    def account(self, account_id: str) -> Account | None:
        """Return the account, or None, without a lock."""

    def account_held(self, account_id: str) -> Account | None:
        """Return the account, or None, and lock it: other units that would change it wait."""

    def account_of(self, kind: str, login: str) -> Account | None:
        """Return the account of this kind and login, or None."""

    def accounts(self, kind: str) -> tuple[Account, ...]:
        """Return all accounts of a kind, by name and login."""

    def put_account(self, account: Account) -> None:
        """Insert or update an account. The chain of the account records it."""

    def accounts_left(self, prefix: str, now: datetime, limit: int) -> tuple[Account, ...]:
        """Return applicants whose login has this prefix and who have no open session, by login."""

    def second_factor(self, account_id: str) -> SecondFactor | None:
        """Return the second factor of the account, or None. A writing unit locks it."""

    def put_second_factor(self, factor: SecondFactor) -> None:
        """Insert or update a second factor. The chain of the account records it."""

    def drop_second_factor(self, account_id: str) -> None:
        """Delete the second factor. The chain of the account records it."""

    def identifier(self, kind: str, value: str) -> Identifier | None:
        """Return the identifier of this kind and value, or None."""

    def identifiers_of(self, account_id: str) -> tuple[Identifier, ...]:
        """Return the identifiers of the account, by kind and value."""

    def add_identifier(self, identifier: Identifier) -> None:
        """Insert an identifier. Raises `AlreadyExists` if an account has it already."""

    def drop_identifier(self, kind: str, value: str) -> None:
        """Delete an identifier, if any. The chain of its account records it."""

    def phone_move(self, account_id: str) -> PhoneMove | None:
        """Return the pending phone change of the account, or None. A writing unit locks it."""

    def add_phone_move(self, move: PhoneMove) -> None:
        """Insert a phone change. Raises `AlreadyExists` if one is pending."""

    def drop_phone_move(self, account_id: str) -> None:
        """Delete the pending phone change. The chain of the account records it."""

    def due_phone_moves(self, now: datetime, limit: int) -> tuple[PhoneMove, ...]:
        """Return the due phone changes, the longest due first."""

    def mandate(self, mandate_id: str) -> Mandate | None:
        """Return the mandate, or None. A writing unit locks it."""

    def put_mandate(self, mandate: Mandate) -> None:
        """Insert or update a mandate. The chain of the mandate records it."""

    def mandates_given(self, principal: str) -> tuple[Mandate, ...]:
        """Return the mandates of this principal, whatever their status, the oldest first."""

    def mandates_held(self, holder: str) -> tuple[Mandate, ...]:
        """Return the mandates of this holder, whatever their status, the oldest first."""

    def mandates_awaiting(self, phone: str) -> tuple[Mandate, ...]:
        """Return the mandates for this phone number whose holder never signed in since."""

    def mandates_to_check(self, limit: int = 200) -> tuple[Mandate, ...]:
        """Return the mandates whose document an agent must check, the oldest first."""

    def mandates_with_papers(self) -> tuple[Mandate, ...]:
        """Return mandates with a stored document that are ended, refused, or limited by a last day."""

    def handled_under(self, mandate: Mandate, until: datetime) -> bool:
        """Return whether a stored dossier of the principal was handled under the mandate by `until`. Actors are its
        holder and all holders of mandates made by them in turn."""

    def mandate_proofs(self) -> tuple[tuple[str, str], ...]:
        """Return id and document digest of every mandate with a document."""

    def note_reading(self, reading: Reading) -> None:
        """Store one line of the access log for each dossier, account and day. The last reading replaces it."""

    def reading(self, dossier_id: str, account_id: str, day: str) -> Reading | None:
        """Return the access log line of this dossier, account and ISO day, or None."""

    def readings_of(self, dossier_id: str) -> tuple[Reading, ...]:
        """Return the access log of a dossier, the newest first."""

    def readings_by(self, account_id: str, limit: int = 200) -> tuple[Reading, ...]:
        """Return the access log of an account, the newest first."""

    def right_head(self) -> tuple[int, str]:
        """Return the number and hash of the last entry of the journal of rights, (0, "") before the first."""

    def add_right(self, entry: JournalEntry) -> None:
        """Append an entry to the journal of rights. Raises `Conflict` if it does not follow the head."""

    def rights(self, limit: int = 200) -> tuple[JournalEntry, ...]:
        """Return the last entries of the journal of rights, the newest first."""

    def sessions_of(self, account_id: str) -> tuple[Session, ...]:
        """Return the sessions of the account, the last seen first."""

    def session(self, token_sha256: str) -> Session | None:
        """Return the session with this token digest, expired or not, or None. A writing unit locks it."""

    def put_session(self, session: Session) -> None:
        """Insert or update a session."""

    def drop_sessions(self, account_id: str, token_sha256: str | None = None) -> None:
        """Delete one session of the account, or all without `token_sha256`."""

    def code(self, phone: str) -> SignInCode | None:
        """Return the one-time code sent to this phone, expired or not, or None. A writing unit locks it."""

    def put_code(self, code: SignInCode) -> None:
        """Insert or replace the one-time code of its phone."""

    def drop_code(self, phone: str) -> None:
        """Delete the one-time code of this phone."""

    def tries(self, key: str, windows: Sequence[str]) -> dict[str, int]:
        """Return the number of tries in each of these windows that has any. A writing unit locks the key, so no other
        unit counts meanwhile."""

    def count_try(self, key: str, window: str, weight: int = 1) -> int:
        """Add `weight` tries to this window. Returns the new total."""

    def keep_aside(self, key: str, body: Plain, at: datetime) -> None:
        """Save a row under a key: posted answers of a lost session, a reading to log, a pending call, a heartbeat.
        Replaces the former row."""

    def taken_aside(self, key: str) -> Plain:
        """Return the saved row of a key, or None. A writing unit deletes it."""

    def peeked_aside(self, key: str) -> Plain:
        """Return the saved row of a key, or None, without deleting it. A writing unit locks it."""

    def asides(self, prefix: str, limit: int = 100) -> tuple[tuple[str, Plain, datetime], ...]:
        """Return key, body and time of saved rows whose key has this prefix, by key, without deleting them."""


class PublicationUnit(Protocol):
    """The queries of one transaction about editions and publications."""

    # editions
    def add_edition(self, edition: Edition) -> bool:
        """Insert an edition. Returns False if the procedure has this fingerprint already."""

    def edition(self, procedure: str, fingerprint: str) -> Edition | None:
        """Return the edition with this fingerprint, or None."""

    def editions(self, procedure: str) -> tuple[Edition, ...]:
        """Return all editions of a procedure with their texts, by number and publication time."""

    def edition_heads(self, procedure: str | None = None) -> tuple[PublishedEdition, ...]:
        """Return all editions, or those of one procedure, without their texts. The order is by procedure, then as in
        `editions`."""

    # publications
    def last_publication(self) -> int:
        """Return the number of the last publication, 0 before the first. Processes poll it to see news."""

    def add_publication(self, publication: Publication) -> None:
        """Insert a publication. Raises `Conflict` if its number does not follow the last."""

    def publications(self, after: int = 0) -> tuple[Publication, ...]:
        """Return the publications numbered above `after`, in order."""

    def recent_publications(self, limit: int = 50, before: int | None = None) -> tuple[Publication, ...]:
        """Return publications, the newest first. `before` is the number where the last page ended."""

    def deed_head(self) -> tuple[int, str]:
        """Return the number and hash of the last entry of the publications' chain, (0, "") before the first."""

    def add_deed(self, entry: JournalEntry) -> None:
        """Append an entry to the publications' chain. Raises `Conflict` if it does not follow the head."""

    def deeds(self) -> tuple[JournalEntry, ...]:
        """Return the publications' chain, in order."""

    def watch(self, source: str) -> FollowingState | None:
        """Return the follower's state for this source, or None before its first look."""

    def put_watch(self, watch: FollowingState) -> None:
        """Insert or update the follower's state for its source."""
