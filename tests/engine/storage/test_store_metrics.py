"""What waits in a store, and how it stands beside this release, on both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.records.statistics import OverdueCount
from engine.storage.schema.migration_list import NAMES
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.records.makers import NOON, a_dossier, a_message, a_payment, a_timer, an_edition, journal, later
from tests.test_store_contract import store

__all__ = ["store"]


def test_what_waits(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_dossier(a_dossier())
        journal(unit, "d1", "opened")
        unit.add_letter(a_message("l1", dossier="d1", due_at=NOON))
        unit.add_letter(a_message("l2", dossier="d1", due_at=later(days=2), dedupe="second"))
        unit.set_timers("d1", [a_timer(due_at=later(hours=1))])
        unit.add_payment(a_payment(dossier="d1"))
        unit.add_edition(an_edition())
    with store.unit() as unit:
        told = unit.queues(later(hours=2))
    kept, edition = a_dossier(), an_edition()
    assert told.dossiers == {(kept.procedure, kept.state): 1}
    assert told.letters == OverdueCount(1, NOON)
    assert told.timers == OverdueCount(1, later(hours=1))
    assert told.payments == {"pending": 1}
    assert told.editions == {(edition.procedure, edition.fingerprint): edition.published_at}


def test_what_is_done_does_not_wait(store: Store) -> None:
    with store.unit() as unit:
        told = unit.queues(NOON)
    assert (told.letters, told.timers) == (OverdueCount(0, None), OverdueCount(0, None))
    assert not told.dossiers
    assert not told.payments


def test_a_store_of_this_release_has_its_migrations_and_its_time(store: Store) -> None:
    told = store.migration_state()
    assert (told.pending, told.strange) == ((), ())
    assert abs(told.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_store_before_its_first_migration(tmp_path: Path) -> None:
    fresh = SqliteStore(tmp_path / "new.db")
    assert fresh.migration_state().pending == NAMES
    fresh.close()
