"""The interface of storage: one unit of work and its queries. `SqliteStore` and the PostgreSQL store implement it.

One command is one `unit(write=True)`. Dossier, journal, messages, timers, bookings, documents and reply are stored
together or not at all. Database constraints enforce the rules. Checks before them only give better messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from engine.records.statistics import MigrationState
from engine.storage.results import IntegrityFinding
from engine.storage.sql.accounts import SecurityLogQueries
from engine.storage.sql.administration import OpeningQueries, SnippetQueries
from engine.storage.sql.clock import ClockQueries
from engine.storage.sql.dossiers import DossierQueries
from engine.storage.sql.exchanges import ExchangeQueries
from engine.storage.sql.jobs import JobQueries
from engine.storage.sql.journal import EventQueries, LeafQueries
from engine.storage.sql.ledger import LedgerQueries, RefundQueries
from engine.storage.sql.outbox import OutboxQueries
from engine.storage.sql.people import PeopleQueries
from engine.storage.sql.publications import PublicationQueries
from engine.storage.sql.statistics import CounterQueries, MigrationStateQueries
from engine.storage.sql.unverified_files import UnprovenFileQueries
from engine.storage.table_copy import TableRows, Use


class Unit(
    DossierQueries, OutboxQueries, LedgerQueries, PublicationQueries, SecurityLogQueries, PeopleQueries, ExchangeQueries, CounterQueries,
    JobQueries, EventQueries, SnippetQueries, OpeningQueries, MigrationStateQueries, LeafQueries, RefundQueries, ClockQueries,
    UnprovenFileQueries,
):  # fmt: skip
    """One transaction. Reading queries return stored data, including writes of this unit."""


class Store(Protocol):
    """One database: units of work, migrations, integrity checks."""

    def unit(self, write: bool = False, wait_limit: float | None = None) -> AbstractContextManager[Unit]:
        """Open a unit of work. Writing units are serialised or retried, and an exception rolls back. `wait_limit`:
        seconds to wait for the lock of another process or for the server, then `Busy`."""

    def snapshots(self) -> AbstractContextManager[None]:
        """Let the reading units of this thread share one snapshot where that costs nothing, as during one request."""

    def migrate(self) -> None:
        """Apply the missing migrations."""

    def finish(self) -> tuple[str, ...]:
        """Apply the migrations that end the use of an earlier release. Return those applied now."""

    def settings(self) -> Mapping[str, str]:
        """Return the database settings in use (journal mode, synchronous…), for `doctor` and the check at start."""

    def migration_state(self) -> MigrationState:
        """Return the schema state compared with this release, without changing it."""

    def all_dossiers(self, procedure: str | None = None) -> Iterator[str]:
        """Yield every dossier id, read in pages, of one procedure or all."""

    def tables(self, use: Use) -> AbstractContextManager[TableRows]:
        """Open all tables in one transaction, to copy the whole database."""

    def not_journalled(self) -> Mapping[str, int]:
        """Return the number of rows of each kind that are older than their journal."""

    def findings(self) -> Iterator[IntegrityFinding]:
        """Yield inconsistencies of the tables (integrity, orphans): the part of `fsck` that needs no definition."""

    def close(self) -> None:
        """Close the connections of this process. A later use opens new ones."""
