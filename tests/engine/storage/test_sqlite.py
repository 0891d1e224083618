"""What SQLite itself must do for us: settings, migrations, triggers, and finding what somebody broke behind our back."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.storage.results import Busy, Damaged, DossierQuery, IntegrityFinding
from engine.storage.schema import migration_list as sqlite_schema
from engine.storage.schema.migration_list import NAMES, SETTINGS, ForeignSchema, UnsafeSettings
from engine.storage.sql.accounts import BY_NUMBER
from engine.storage.sql.ledger import BY_PAPER
from engine.storage.sql.search import dossier_query, order_terms
from engine.storage.sqlite import store as sqlite
from engine.storage.sqlite.migrations import MIGRATIONS
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.records.makers import (
    NOON,
    a_booking,
    a_document,
    a_dossier,
    a_message,
    a_payment,
    a_timer,
    an_edition,
    an_event,
    journal,
    later,
    opened,
)  # fmt: skip
from tests.race_runners import together


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "guichet.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    one = SqliteStore(path)
    one.migrate()
    yield one
    one.close()


def by_hand(path: Path, *statements: str, foreign_keys: bool = False) -> None:
    """Somebody with the file and a shell: no setting of ours, no trigger left."""
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


# -- settings ----------------------------------------------------------------------------------------------------------


def test_it_runs_with_what_was_asked(store: SqliteStore) -> None:
    settings = store.settings()
    assert {name: settings[name] for name in SETTINGS} == SETTINGS
    assert settings["journal_mode"] == "wal"
    assert settings["synchronous"] == "2"
    assert settings["foreign_keys"] == "1"


@pytest.mark.parametrize("name", SETTINGS)
def test_it_does_not_start_with_anything_else(path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(SETTINGS, name, "12345")  # SQLite knows no such value of most, and answers its own
    if name == "busy_timeout":
        monkeypatch.setattr(sqlite_schema, "read_settings", lambda _: {"journal_mode": "wal", **SETTINGS, name: "0"})
    with pytest.raises(UnsafeSettings, match=name):
        SqliteStore(path)


def test_only_its_owner_reads_the_file(store: SqliteStore, path: Path) -> None:
    opened(store)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file.name


def test_a_store_in_memory_is_cheap_and_its_own() -> None:
    SqliteStore(":memory:")
    start = time.thread_time()
    stores = [SqliteStore(":memory:") for _ in range(20)]
    assert (time.thread_time() - start) / 20 < 0.01
    opened(stores[0])
    assert list(stores[1].all_dossiers()) == []


# -- migrations --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("real_migrations")
def test_every_migration_is_recorded_and_strict(store: SqliteStore, path: Path) -> None:
    connection = sqlite3.connect(path)
    assert [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")] == list(NAMES)
    loose = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND type = 'table'"
    )
    assert {name for (name,) in loose} == {"_sqlite_migrations", "sqlite_schema"}
    connection.close()


def test_a_file_of_a_newer_release_is_used_until_that_release_forbids_it(store: SqliteStore, path: Path) -> None:
    by_hand(
        path, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('guichet', '9999 later', 'x')"
    )
    store.migrate()
    state = store.migration_state()
    assert (state.strange, state.usable) == (("9999 later",), True)
    by_hand(path, "UPDATE compatibility SET least = '9999 later'")
    with pytest.raises(ForeignSchema, match="9999 later"):
        store.migrate()
    assert not store.migration_state().usable


@pytest.mark.usefixtures("real_migrations")
def test_a_migration_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(db: Any) -> None:
        db.executescript("CREATE TABLE half (x TEXT) STRICT; INSERT INTO half VALUES ('x');")
        raise ZeroDivisionError

    monkeypatch.setattr(MIGRATIONS._migrations[0], "fn", fails)
    store = SqliteStore(path)
    with pytest.raises(ZeroDivisionError):
        store.migrate()
    monkeypatch.undo()
    store.migrate()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    connection.close()
    store.close()


# -- refused for ever --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET actor = 'x'", "DELETE FROM entry", "REPLACE INTO entry SELECT * FROM entry",
        "UPDATE edition SET source = 'x'", "DELETE FROM edition", "REPLACE INTO edition SELECT * FROM edition",
        "UPDATE credit SET amount = 0", "DELETE FROM credit", "DELETE FROM document",
        "UPDATE document SET content = '[]'", "UPDATE document SET number = 'x'", "UPDATE document SET jws = 'x'",
    ],
)  # fmt: skip
def test_what_is_sealed_is_never_rewritten(store: SqliteStore, statement: str) -> None:
    a_whole_life(store)
    with store.unit(write=True) as unit, pytest.raises(sqlite3.IntegrityError):
        unit._connection.execute(statement)
    assert list(store.findings()) == []


@pytest.mark.parametrize(
    "add",
    [
        lambda unit: unit.add_payment(a_payment(dossier="nobody")),
        lambda unit: unit.take_seat("desk", "nobody", a_booking()),
        lambda unit: unit.add_document("nobody", a_document()),
        lambda unit: unit.set_timers("nobody", [a_timer(dossier="nobody")]),
        lambda unit: unit.add_letter(a_message(dossier="nobody")),
        lambda unit: unit.add_event(an_event(payment="nobody")),
        lambda unit: journal(unit, "nobody", "opened"),
    ],
)
def test_nothing_is_kept_of_a_dossier_that_is_not(store: SqliteStore, add: Any) -> None:
    with pytest.raises(sqlite3.IntegrityError), store.unit(write=True) as unit:
        add(unit)
    assert list(store.findings()) == []


def test_a_timer_belongs_to_the_dossier_it_is_set_for(store: SqliteStore) -> None:
    with pytest.raises(ValueError, match="another dossier"), store.unit(write=True) as unit:
        unit.set_timers("d2", [a_timer(dossier="d1")])


# -- busy --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    monkeypatch.setattr(sqlite, "WAIT_LIMIT", 0.05)
    monkeypatch.setitem(SETTINGS, "busy_timeout", "50")
    one = SqliteStore(path)
    one.migrate()
    yield one
    one.close()


def test_a_file_locked_by_another_process_is_busy_then_not(impatient: SqliteStore, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy), impatient.unit(write=True):
        pass
    with impatient.unit() as unit:  # readers wait for nobody
        assert unit.dossier("d1") is None
    other.execute("COMMIT")
    opened(impatient)
    other.close()


def test_a_turn_that_does_not_come_is_busy(impatient: SqliteStore) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with impatient.unit(write=True):
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(5)
    with pytest.raises(Busy), impatient.unit(write=True):
        pass
    leave.set()
    thread.join()
    opened(impatient)


def test_a_full_disk_is_busy_keeps_nothing_half_and_passes(store: SqliteStore) -> None:
    opened(store, a_dossier("d1"))
    with pytest.raises(Busy, match="SQLITE_FULL"):
        fill(store, pages=1)
    with store.unit() as unit:
        assert unit.dossier("d2") is None
        assert unit.head("d2") == (0, "")
    opened(store, a_dossier("d2"))  # the disk was cleaned
    assert list(store.findings()) == []


def fill(store: SqliteStore, pages: int) -> None:
    with store.unit(write=True) as unit:
        unit._connection.execute(f"PRAGMA max_page_count = {pages}")
        unit.add_dossier(a_dossier("d2", answers={"much": "x" * 100_000}))


def test_a_fault_of_ours_is_no_busy(store: SqliteStore) -> None:
    with pytest.raises(sqlite3.OperationalError), store.unit(write=True) as unit:
        unit._connection.execute("SELECT * FROM nowhere")
    opened(store)


def test_a_reader_keeps_its_snapshot_while_another_writes(store: SqliteStore) -> None:
    opened(store)
    with store.unit() as unit:
        assert unit.count_dossiers(DossierQuery()) == 1
        writer = threading.Thread(target=opened, args=(store, a_dossier("d2")))
        writer.start()
        writer.join()
        assert unit.count_dossiers(DossierQuery()) == 1
    with store.unit() as unit:
        assert unit.count_dossiers(DossierQuery()) == 2


def test_units_of_a_request_share_a_snapshot_until_it_writes(store: SqliteStore) -> None:
    opened(store)

    def count() -> int:
        with store.unit() as unit:
            return unit.count_dossiers(DossierQuery())

    def elsewhere(name: str) -> None:
        writer = threading.Thread(target=opened, args=(store, a_dossier(name)))
        writer.start()
        writer.join()

    with store.snapshots():
        assert count() == 1
        with pytest.raises(LookupError), store.unit():
            raise LookupError
        elsewhere("d2")
        assert count() == 1
        opened(store, a_dossier("d3"))
        assert count() == 3
        elsewhere("d4")
        assert count() == 3
    assert count() == 4
    for write in (False, True):
        with store.snapshots(), store.unit() as unit:
            with pytest.raises(RuntimeError), store.unit(write=write):
                pass
            assert unit.count_dossiers(DossierQuery()) == 4


def test_a_child_process_begins_with_its_own_connection(store: SqliteStore) -> None:
    opened(store)
    child = os.fork()
    if child == 0:
        try:
            opened(store, a_dossier("d2"))
        finally:
            os._exit(0 if store._connections() and sqlite._OF_A_PARENT else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert list(store.all_dossiers()) == ["d1", "d2"]
    opened(store, a_dossier("d3"))
    assert list(store.findings()) == []


# -- lists stay on their indexes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tray",
    [
        DossierQuery(),
        DossierQuery(open_only=False),
        DossierQuery(places=(("permit", "review"),)),
        DossierQuery(
            places=(("permit", "review"), ("permit", "printing"), ("other", "review")), offices=frozenset({"lome"})
        ),
        DossierQuery(places=(("permit", "review"),), unassigned=True, late_at=NOON),
        DossierQuery(places=(("permit", "review"),), unassigned=True, roles=("hall/roads", "land/keeper")),
        DossierQuery(places=(("permit", "review"), ("other", "review")), parts_done=True, roles=("hall/roads",)),
        DossierQuery(assigned="afi"),
        DossierQuery(assigned="afi", places=(("permit", "review"), ("other", "review"))),
        DossierQuery(places=(("permit", "review"), ("other", "review")), reverse=True),
        *(
            DossierQuery(
                places=(("permit", "review"), ("other", "review")), order=order, reverse=reverse, unassigned=True
            )
            for order in ("received", "entered")
            for reverse in (False, True)
        ),
        DossierQuery(places=tuple(("permit", f"s{n}") for n in range(480)), order="received"),
    ],
    ids=str,
)
@pytest.mark.parametrize("after", [None, ("2026", "d1")])
def test_no_list_is_sorted_or_walked_whole(
    store: SqliteStore, tray: DossierQuery, after: tuple[str, str] | None
) -> None:
    with store.unit() as unit:
        connection: sqlite3.Connection = unit._connection
        sql, cells = dossier_query(unit._row, tray, "id, due_order, submitted_at, entered_at", after)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql} ORDER BY {order_terms(tray)} LIMIT 50", cells).fetchall()
    steps = [step[-1] for step in plan]
    assert not [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step or step == "SCAN dossier"], steps
    assert [step for step in steps if "INDEX dossier_" in step]


def test_a_company_or_a_paper_is_found_by_its_number_without_reading_all(store: SqliteStore) -> None:
    with store.unit() as unit:
        connection: sqlite3.Connection = unit._connection
        plan = connection.execute(f"EXPLAIN QUERY PLAN {BY_NUMBER}", ("company:1", "company:1")).fetchall()
        papers = connection.execute(f"EXPLAIN QUERY PLAN {BY_PAPER}", ("N1", "N1") * 3).fetchall()
    assert plan[0][-1] == "SEARCH account USING INDEX account_company (<expr>=?)"
    assert "SEARCH payment USING INDEX payment_receipt (receipt=?)" in {step[-1] for step in papers}
    assert not [step for step in papers if step[-1].startswith("SCAN")]


# -- findings ----------------------------------------------------------------------------------------------------------


def a_whole_life(store: Store) -> None:
    """One dossier that has one of everything, in order."""
    with store.unit(write=True) as unit:
        unit.add_edition(an_edition())
        unit.add_dossier(a_dossier(label="Adjo Ama"))
        journal(unit, "d1", "opened")
        journal(unit, "d1", "saved", {"nom": "Adjo"})
        booking, document = a_booking(), a_document()
        unit.take_seat("desk", "d1", booking)
        unit.add_document("d1", document)
        unit.put_dossier(a_dossier(label="Adjo Ama", revision=1, bookings={"visit": booking}, documents=(document,)), 0)
        unit.add_payment(a_payment(status="paid"))
        unit.add_event(an_event())
        unit.add_credit("p1", "d1", 500, NOON)
        unit.add_letter(a_message(dossier="d1"))
        (lent,) = unit.claim_letters(NOON, later(minutes=1))
        unit.update_outbound_message(replace(lent, sent_at=NOON))
        unit.set_timers("d1", [a_timer("due"), a_timer("remind")])
        unit.fire_timer(a_timer("due"), later(minutes=1))


def found(store: SqliteStore) -> set[tuple[str, str | None]]:
    return {(one.code, one.dossier) for one in store.findings()}


@pytest.mark.parametrize(
    ("code", "statement"),
    [
        ("chain", "UPDATE entry SET actor = 'x' WHERE n = 1"),
        ("chain", "UPDATE entry SET at = replace(at, 'T', ' ') WHERE n = 1"),
        ("chain", "UPDATE entry SET body = ' ' || body WHERE n = 2"),
        ("chain", "UPDATE entry SET body = 'not json' WHERE n = 2"),
        ("chain", "UPDATE entry SET hash = upper(hash) WHERE n = 2"),
        ("chain", "UPDATE entry SET n = 5 WHERE n = 2"),
        ("chain", "DELETE FROM entry WHERE n = 1"),
        ("unjournaled", "DELETE FROM entry"),
        ("unjournaled", "UPDATE dossier SET revision = 9"),
        ("no_body", "DELETE FROM dossier_body"),
        ("body_unreadable", "UPDATE dossier_body SET body = '{}'"),
        ("row_differs", "UPDATE dossier SET state = 'granted'"),
        ("row_differs", "UPDATE dossier SET revision = 0"),
        ("row_differs", "UPDATE dossier_body SET body = json_set(body, '$.state', 'granted')"),
        ("words_differ", "DELETE FROM dossier_word WHERE word = 'ama'"),
        ("credit_unverified", "UPDATE pay_event SET verified = 0"),
        ("credit_unverified", "UPDATE pay_event SET amount = 499"),
        ("credit_unverified", "UPDATE pay_event SET kind = 'failed'"),
        ("credit_unverified", "DELETE FROM pay_event"),
        ("credit_amount", "UPDATE credit SET amount = 499"),
        ("credit_amount", "UPDATE credit SET amount = 501"),
        ("credit_unpaid", "UPDATE payment SET status = 'failed'"),
        ("paid_uncredited", "DELETE FROM credit"),
        ("event_uncredited", "DELETE FROM credit"),
        ("booking_differs", "UPDATE booking SET status = 'cancelled'"),
        ("booking_differs", "UPDATE booking SET seat = 4"),
        ("document_differs", "UPDATE document SET holder = 'KOFI'"),
        ("document_differs", "DELETE FROM document"),
        ("letter_fate", "UPDATE letter SET failed = 'x'"),
        ("letter_lent", "UPDATE letter SET claimed_until = 'x'"),
        ("timer_ahead", "UPDATE timer SET entry = 9 WHERE name = 'remind'"),
        ("timer_early", "UPDATE timer SET fired_at = '2020' WHERE name = 'due'"),
    ],
)
def test_what_somebody_broke_is_found(store: SqliteStore, path: Path, code: str, statement: str) -> None:
    a_whole_life(store)
    assert found(store) == set()
    by_hand(path, statement)
    assert (code, "d1") in found(store)


def test_seats_sold_twice_are_found(store: SqliteStore, path: Path) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    with store.unit(write=True) as unit:
        unit.take_seat("desk", "d1", a_booking("b1"))
    copied = "SELECT 'b2', dossier, resource, appointment, office, start, minutes, seat, status, moves, sequence, arrived_at, lost"
    drop = ("DROP INDEX one_person_a_seat", "DROP INDEX one_booking_at_once")
    by_hand(path, *drop, f"INSERT INTO booking {copied} FROM booking")
    assert {code for code, _ in found(store)} >= {"seat_sold_twice", "booked_twice"}


def test_orphans_are_found(store: SqliteStore, path: Path) -> None:
    a_whole_life(store)
    by_hand(path, "DELETE FROM dossier")
    orphans = [one for one in store.findings() if one.code == "orphan"]
    assert {one.facts["table"] for one in orphans} >= {"entry", "payment", "booking", "document", "timer", "letter"}


def test_a_damaged_file_is_found_and_is_no_traceback(store: SqliteStore, path: Path) -> None:
    opened(store, *(a_dossier(f"d{n}") for n in range(200)))
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(path.read_bytes())
    for page in range(len(data) // 4096 - 12, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(data)
    findings = list(SqliteStore(path).findings())
    assert findings
    assert findings[0].code == "damaged"


def test_a_file_that_is_no_store_is_damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 300)
    with pytest.raises(Damaged):
        SqliteStore(path)


def test_a_flip_in_each_byte_of_a_kept_entry_is_found(store: SqliteStore, path: Path) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        journal(unit, "d1", "saved", {"nom": "Adjo"}, page="p")
    by_hand(path)  # without the triggers
    connection = sqlite3.connect(path, isolation_level=None)
    columns = ("at", "actor_kind", "actor", "kind", "edition", "body", "previous", "hash")
    for column in columns:
        (text,) = connection.execute(f"SELECT {column} FROM entry WHERE n = 2").fetchone()
        for place in range(0, len(text), 1 if column == "at" else 7):
            flipped = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
            connection.execute(f"UPDATE entry SET {column} = ? WHERE n = 2", (flipped,))
            assert [one.code for one in store.findings()] == ["chain"], (column, place)
        connection.execute(f"UPDATE entry SET {column} = ? WHERE n = 2", (text,))
    assert list(store.findings()) == []
    connection.close()


def test_a_finding_says_what_it_is_about(store: SqliteStore, path: Path) -> None:
    a_whole_life(store)
    by_hand(path, "UPDATE entry SET actor = 'x' WHERE n = 2")
    assert list(store.findings()) == [IntegrityFinding("chain", "d1", {"n": 2, "reason": "changed"})]


def test_a_lock_of_another_process_for_less_than_a_second_refuses_no_thread(tmp_path: Path) -> None:
    """A checkpoint on a slow disk, or a closure of a full day, takes as long."""
    store = SqliteStore(tmp_path / "office.db")
    store.migrate()

    def writes(place: int) -> bool:
        with store.unit(write=True) as unit:
            return unit.count_below(f"key {place}", ["10:00"], 3)

    with closing(sqlite3.connect(tmp_path / "office.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = threading.Timer(0.75, other.execute, ["ROLLBACK"])
        opening.start()
        assert together(4, writes) == [True] * 4
        opening.join()
    store.close()
