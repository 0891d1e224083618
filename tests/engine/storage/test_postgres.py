"""What is PostgreSQL's own: its settings, its migrations, its guards, its crossings and its cuts."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from engine.operations.store_factory import WrongAddress, file_of, open_store
from engine.records.dossier import Account
from engine.storage.files.blob_store import WrongBlobStore
from engine.storage.files.encryption import NoKeyRing
from engine.storage.postgres import migrations as postgres_schema
from engine.storage.postgres import pool as postgres_lines
from engine.storage.postgres import store as postgres
from engine.storage.postgres.migrations import check_settings, migrate
from engine.storage.postgres.store import PostgresStore
from engine.storage.results import Busy, Damaged
from engine.storage.schema.migration_list import FINISHING, NAMES, SINCE, ForeignSchema, UnsafeSettings
from engine.storage.sql.accounts import BY_NUMBER
from engine.storage.sql.row_journal import ACCOUNTS
from engine.storage.table_copy import Use
from renderers.cli.admin.installation_commands import opening
from tests.engine.records.makers import NOON, a_document, a_dossier, a_payment, an_edition, journal, opened
from tests.postgres import an_empty_store, database


@pytest.fixture
def store() -> Iterator[PostgresStore]:
    one = an_empty_store()
    yield one
    one.close()


def said(store: PostgresStore, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(store.address, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_it_runs_with_what_was_asked(store: PostgresStore) -> None:
    settings = store.settings()
    assert settings["store"] == "postgresql"
    assert settings["fsync"] == settings["synchronous_commit"] == settings["full_page_writes"] == "on"


def test_no_process_is_called_to_help_with_what_is_short(store: PostgresStore) -> None:
    """A tray of a thousand is counted in a fifth of the time it takes to start one."""
    with store._connection() as connection:
        (helpers,), (compiled,) = (
            connection.execute(f"SHOW {name}").fetchone() or ("",)
            for name in ("max_parallel_workers_per_gather", "jit")
        )
    assert (helpers, compiled) == ("0", "off")


def test_a_command_that_ends_leaves_no_thread_of_its_connections() -> None:
    """Python 3.13 waits five seconds for each thread that runs at the end. Exit handlers run last in, first out."""
    program = """if True:
        import atexit, sys, threading
        atexit.register(lambda: print([one.name for one in threading.enumerate() if one.name.startswith("pool-")]))
        from engine.storage.postgres.store import PostgresStore
        store = PostgresStore(sys.argv[1])
        store.settings()
        assert any(one.name.startswith("pool-") for one in threading.enumerate())"""
    with database() as address:
        ended = subprocess.run([sys.executable, "-c", program, address], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "[]", "")


@pytest.mark.parametrize("name", ["synchronous_commit", "fsync", "full_page_writes"])
def test_a_server_that_may_lose_what_it_acknowledged_is_refused(store: PostgresStore, name: str) -> None:
    with pytest.raises(UnsafeSettings, match=name):
        check_settings({**store.settings(), name: "off"})


def test_every_migration_is_recorded_and_a_newer_release_may_refuse(store: PostgresStore) -> None:
    store.migrate()
    assert [name for (name,) in said(store, "SELECT name FROM migration ORDER BY name")] == [*NAMES, *FINISHING]
    said(store, "INSERT INTO migration VALUES ('9999 later', '')")
    try:
        store.migrate()
        said(store, "UPDATE compatibility SET least = '9999 later'")
        with pytest.raises(ForeignSchema):
            store.migrate()
    finally:
        said(store, "DELETE FROM migration WHERE name = '9999 later'")
        said(store, f"UPDATE compatibility SET least = '{SINCE}'")


def test_a_company_is_found_by_its_number_without_reading_all(store: PostgresStore) -> None:
    """In a store of 5,000 companies, each under one spelling."""
    rows = [ACCOUNTS.cells(Account(f"c{n}", "applicant", "", f"company:TG-LOM {n}")) for n in range(5_000)]
    with psycopg.connect(store.address) as connection:
        connection.cursor().executemany(postgres.in_postgres(ACCOUNTS.insert()), rows)
        connection.execute("ANALYZE account")
        sql = f"EXPLAIN {postgres.in_postgres(BY_NUMBER)}"
        plan = connection.execute(sql, ("company:TGLOM7", "company:TGLOM7")).fetchall()
        connection.rollback()
    assert any("Scan using account_company on account" in line or "on account_company" in line for (line,) in plan), (
        plan
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET kind = 'x'", "DELETE FROM entry", "UPDATE credit SET amount = 1", "DELETE FROM credit",
        "UPDATE edition SET source = 'x'", "DELETE FROM edition", "UPDATE document SET number = 'x'",
        "UPDATE document SET content = 'x'", "DELETE FROM document",
    ],
)  # fmt: skip
def test_what_is_sealed_is_never_rewritten(store: PostgresStore, statement: str) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.add_edition(an_edition())
        unit.add_document("d1", a_document())
        unit.add_payment(a_payment())
        unit.add_credit("p1", "d1", 500, NOON)
    with pytest.raises(psycopg.errors.RestrictViolation):
        said(store, statement)


def test_a_table_that_another_makes_meanwhile_is_taken_as_it_is() -> None:
    """IF NOT EXISTS looks before it makes: of two that start together, the second may find the name taken after all."""
    with database() as address, psycopg.connect(address) as first, psycopg.connect(address, autocommit=True) as second:
        first.execute('CREATE TABLE migration (name TEXT COLLATE "C" PRIMARY KEY, at TEXT NOT NULL)')
        late = threading.Thread(target=migrate, args=(second,))
        late.start()
        with psycopg.connect(address, autocommit=True) as watch:
            waits = f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {second.info.backend_pid}"
            while watch.execute(waits).fetchone() != ("Lock",):
                assert late.is_alive()
        first.commit()
        late.join(30)
        found = second.execute("SELECT name FROM migration").fetchall()
    assert {name for (name,) in found} == {*NAMES, *FINISHING}


def test_a_row_of_what_does_not_exist_is_told(store: PostgresStore) -> None:
    """The owner of the database turns foreign keys off. SQLite checks them itself."""
    with psycopg.connect(store.address, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("INSERT INTO identifier VALUES ('email', 'x@example.tg', 'zzz', '2026-01-01T00:00:00.000000Z')")
        try:
            found = [(one.code, dict(one.facts)) for one in store.findings()]
        finally:
            owner.execute("DELETE FROM identifier")
    assert found == [("orphan", {"table": "identifier", "row": "zzz", "parent": "account"})]


def test_processes_that_start_together_build_one_index_together() -> None:
    """The first waits for the snapshot of the second, and the second for the lock of the first: PostgreSQL ends one."""
    with database() as address, psycopg.connect(address, autocommit=True) as watch:
        stores = [PostgresStore(address), PostgresStore(address)]
        stores[0].migrate()
        watch.execute("DROP INDEX account_company")
        watch.execute("DELETE FROM migration WHERE name = '0027 company numbers'")
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX C%' AND wait_event_type = 'Lock'"
        )
        failed: list[BaseException] = []

        def start(one: PostgresStore) -> None:
            try:
                one.migrate()
            except Busy as busy:
                failed.append(busy)

        both = [threading.Thread(target=start, args=(one,)) for one in stores]
        with psycopg.connect(address) as writer:
            writer.execute("DELETE FROM account WHERE id = 'x'")
            writer.execute("SELECT pg_current_xact_id()")
            for n, one in enumerate(both, 1):
                one.start()
                while watch.execute(waiting).fetchone() != (n,):
                    assert one.is_alive()
        for one in both:
            one.join(60)
        valid = watch.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'account_company'::regclass"
        ).fetchone()
        for store in stores:
            store.close()
    assert (failed, valid) == ([], (True,))


HURRIED = "-c statement_timeout=200 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=200"
LONGER = 0.6  # seconds: than any of these lets pass


def test_a_migration_takes_the_time_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large tables take longer than any command may; a lock is waited for shortly."""

    def slow() -> Iterator[str]:
        yield f"SELECT pg_sleep({LONGER})"
        time.sleep(LONGER)
        yield "CREATE TABLE waited AS SELECT current_setting('lock_timeout') AS lock"

    monkeypatch.setattr(postgres_schema, "MIGRATIONS", {NAMES[0]: slow})
    monkeypatch.setattr(postgres_schema, "_FINISHING", {})
    with database() as address, psycopg.connect(address, autocommit=True, options=HURRIED) as connection:
        migrate(connection)
        assert connection.execute("SELECT lock FROM waited").fetchall() == [("250ms",)]
        assert connection.execute("SELECT name FROM migration").fetchall() == [(NAMES[0],)]
        with pytest.raises(psycopg.errors.QueryCanceled):  # what comes afterwards is as short as before
            connection.execute(f"SELECT pg_sleep({LONGER})")


def test_texts_are_ordered_byte_by_byte(store: PostgresStore) -> None:
    opened(store, *(a_dossier(f"d-{sign}", created_at=NOON) for sign in ("É", "a", "Z", "é", "_")))
    assert list(store.all_dossiers()) == sorted(f"d-{sign}" for sign in ("É", "a", "Z", "é", "_"))


def test_two_units_that_change_one_dossier_take_turns(store: PostgresStore) -> None:
    opened(store)
    inside, go_on, seen = threading.Event(), threading.Event(), []

    def first() -> None:
        with store.unit(write=True) as unit:
            dossier = unit.dossier("d1")
            assert dossier is not None
            inside.set()
            go_on.wait(5)
            unit.put_dossier(replace(dossier, revision=1, state="first"), 0)

    def second() -> None:
        inside.wait(5)
        with store.unit(write=True) as unit:
            dossier = unit.dossier("d1")
            assert dossier is not None
            seen.append(dossier.state)

    threads = [threading.Thread(target=one) for one in (first, second)]
    for thread in threads:
        thread.start()
    inside.wait(5)
    go_on.set()
    for thread in threads:
        thread.join()
    assert seen == ["first"]


def trips(patch: pytest.MonkeyPatch) -> list[str]:
    """What this thread waits for from here on: a statement, or several in one trip. The pool opens others meanwhile."""
    found: list[str] = []
    mine = threading.current_thread()
    execute, pipeline = psycopg.Connection.execute, psycopg.Connection.pipeline

    def alone(self: psycopg.Connection[object], *given: object, **more: object) -> object:
        asks = self._pipeline is None and given[0]  # an empty one asks whether the line holds
        if asks and threading.current_thread() is mine:
            found.append(str(given[0]))
        return execute(self, *given, **more)  # type: ignore[arg-type]

    def several(self: psycopg.Connection[object]) -> object:
        if threading.current_thread() is mine:
            found.append("several")
        return pipeline(self)

    patch.setattr(psycopg.Connection, "execute", alone)
    patch.setattr(psycopg.Connection, "pipeline", several)
    return found


def test_what_nobody_waits_for_goes_with_what_follows(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(store)
    told = trips(monkeypatch)
    with store.unit(write=True) as unit:
        before = unit.dossier("d1")
        assert before
        unit.put_dossier(replace(before, revision=before.revision + 1, label="KOSSI"), before.revision)
        for kind in ("saved", "submitted", "transition"):
            journal(unit, "d1", kind)
        unit.set_timers("d1", ())
        assert told == ["several"], "the transaction begins with what the dossier is asked for"
        assert [one.kind for one in unit.entries("d1")][1:] == ["saved", "submitted", "transition"]
        unit.set_timers("d1", ())
        assert len(told) == 2, "what waits goes before what is asked"
    assert len(told) == 3, "and what is left with the end of the unit"
    with store.unit() as unit:
        assert unit.head("d1")[0] == 4
        assert unit.dossier("d1") == replace(before, revision=before.revision + 1, label="KOSSI")
    assert list(store.findings()) == []


def test_what_was_not_sent_when_a_unit_fails_is_not_kept(store: PostgresStore) -> None:
    opened(store)
    with suppress(ZeroDivisionError), store.unit(write=True) as unit:
        journal(unit, "d1", "saved")
        raise ZeroDivisionError
    with store.unit() as unit:
        assert unit.head("d1")[0] == 1
    assert list(store.findings()) == []


def test_two_units_that_cross_are_one_busy_and_nothing_half(store: PostgresStore) -> None:
    opened(store, a_dossier("d1"), a_dossier("d2"))
    start, answers = threading.Barrier(2), []

    def crosses(one: str, other: str) -> None:
        try:
            with store.unit(write=True) as unit:
                journal(unit, one, "noted")
                start.wait(5)
                journal(unit, other, "noted")
        except Busy as busy:
            answers.append(str(busy))
        else:
            answers.append("kept")

    threads = [threading.Thread(target=crosses, args=pair) for pair in (("d1", "d2"), ("d2", "d1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["DeadlockDetected", "kept"]
    with store.unit() as unit:
        assert unit.head("d1")[0] == unit.head("d2")[0] == 2


def test_a_line_that_is_cut_is_busy_then_not(store: PostgresStore) -> None:
    opened(store)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"  # fmt: skip

    def is_cut() -> None:
        with store.unit(write=True) as unit:
            said(store, cut)
            unit.dossier("d1")

    with pytest.raises(Busy):
        is_cut()
    with store.unit() as unit:
        assert unit.dossier("d1") is not None


def test_a_request_that_waits_briefly_asks_its_connection_briefly(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request after a server froze notices it: a public page read it for 3 s, an act may."""
    limits: list[float] = []
    monkeypatch.setattr(postgres_lines, "_asked", lambda _, within: limits.append(within))
    for limit in (10.0, 0.1, 1.0):
        with store.unit(wait_limit=limit):
            pass
    assert limits == [3.0, 0.3, 1.0]


def test_no_server_is_busy() -> None:
    with pytest.raises(Busy):
        PostgresStore("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1", wait_limit=1.0)


def test_a_child_process_begins_with_its_own_connections() -> None:
    with database() as address:
        store = open_store(address)
        store.migrate()
        opened(store)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with store.unit() as unit:
                    code = 0 if unit.dossier("d1") is not None else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with store.unit() as unit:
            assert unit.dossier("d1") is not None
        store.close()


@pytest.mark.parametrize("use", ["read", "hold", "fill"])
def test_whole_tables_are_waited_for_while_the_other_side_works(monkeypatch: pytest.MonkeyPatch, use: Use) -> None:
    """A copy says nothing to this side while the other one writes or digests a large table."""
    monkeypatch.setattr(postgres_lines, "OPTIONS", HURRIED)
    monkeypatch.setattr(postgres, "check_settings", lambda found: None)
    store = an_empty_store()
    try:
        with store.tables(use) as rows:
            time.sleep(LONGER)
            assert rows.count("dossier") == 0
    finally:
        store.close()


def test_what_somebody_broke_is_found(store: PostgresStore) -> None:
    opened(store)
    said(store, "ALTER TABLE entry DISABLE TRIGGER USER")
    try:
        said(store, "UPDATE entry SET kind = 'x'")
        said(store, "UPDATE dossier SET state = 'elsewhere'")
    finally:
        said(store, "ALTER TABLE entry ENABLE TRIGGER USER")
    assert {one.code for one in store.findings()} == {"chain", "row_differs"}


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("var/guichet.db", "var/guichet.db"),
        ("sqlite:///var/guichet.db", "var/guichet.db"),
        ("sqlite:////srv/guichet.db", "/srv/guichet.db"),
        ("sqlite:/srv/guichet.db", "/srv/guichet.db"),
        ("sqlite:var/guichet.db", "var/guichet.db"),
        ("postgresql:guichet", None),
        ("postgresql://guichet@10.0.0.2/guichet", None),
        ("postgres://guichet@10.0.0.2/guichet", None),
        ("host=10.0.0.2 dbname=guichet", None),
        ("dbname = guichet", None),
    ],
)
def test_what_an_address_names(address: str, file: str | None) -> None:
    """A server's address must never become a file of that name."""
    assert file_of(address) == (Path(file) if file else None)


@pytest.mark.parametrize("address", ["postgresql:guichet", "postgres:/guichet", "mysql://root:secret@there/guichet"])
def test_what_is_no_address_is_told_without_its_secret(address: str) -> None:
    with pytest.raises(WrongAddress) as told:
        open_store(address)
    assert "secret" not in str(told.value)
    assert not Path(address).exists()


@pytest.mark.parametrize(
    "refusal", [UnsafeSettings, ForeignSchema, Damaged, WrongAddress, WrongBlobStore, NoKeyRing, Busy]
)
def test_why_it_does_not_open_is_one_sentence(refusal: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, opening():
        raise refusal("fsync=off")
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n"), "fsync=off" in said, "Traceback" in said) == (1, 1, True, False)
