"""B19. A store of each earlier migration, with dossiers, is migrated to this release. On both stores.

Killed at any statement, it reaches the same rows when the migration runs again. Then the mutant.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any, Final
from unittest.mock import patch

import psycopg
import pytest
from click.testing import CliRunner
from sqlite_utils import Database

from engine.domain.documents.documents import prepare_document
from engine.operations.doctor_store import _of_release
from engine.records.dossier import IssuedDocument
from engine.services.audit.integrity import fsck, inspect
from engine.services.worker.worker import run_pass
from engine.storage.postgres import migrations as postgres_schema
from engine.storage.postgres.store import PostgresStore
from engine.storage.schema import migration_list as sqlite_schema
from engine.storage.sqlite import migrations as sqlite_migrations
from engine.storage.sqlite import store as sqlite
from engine.storage.sqlite.store import SqliteStore
from engine.storage.table_copy import TABLES
from engine.storage.unit_of_work import Store
from server import upgrade
from tests.effort import tries
from tests.engine.records.makers import a_dossier, journal
from tests.engine.services.world import PASSPORT, World, a_world
from tests.faults.next_release import LATER, parts_of_next_release
from tests.postgres import database

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.usefixtures("real_migrations")]
ROWS: Final = sqlite_schema.NAMES.index("0024 row journal") + 1
NUMBERS: Final = range(1, len(sqlite_schema.NAMES) + 1)
KEPT: Final = [
    one for one in TABLES if one not in ("tally", "tally_mark", "reply", "aside", "rate", "row_entry", "row_salt")
]  # the last two hold salts
EACH: Final = {"sqlite": max(1, 24 // tries(1)), "postgresql": max(1, 48 // tries(1))}  # how far apart it is killed


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> World:
    return whole_lives(tmp_path_factory.mktemp("lived"))


def without_paper(*given: Any) -> IssuedDocument:
    """A document as every release before papers issued it."""
    return replace(prepare_document(*given), content=(("Nom", "AMEGAN"),), paper=None)


@patch("engine.services.core.commit.prepare_document", without_paper)
def whole_lives(folder: Path) -> World:
    """Through money, a seat, a decision, a document."""
    world = a_world(folder, SqliteStore(folder / "guichet.db"))
    chief, checker = world.agent("chief", "sncja/greffier_en_chef"), world.agent("checker", "dgdn/controleur")
    for turn in range(4):
        one, other = world.applicant(f"+2289000{turn:04d}"), world.applicant(f"+2289100{turn:04d}")
        world.take(world.paid(world.sent(owner=one)), chief, "signer")
        world.booked(world.paid(world.take(world.sent(PASSPORT, other), checker, "conforme")), "depot", turn)
    run_pass(world.office)
    assert fsck(world.office) == ()
    return world


def rows_of(world: World, number: int) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    """Everything kept, by table: columns and rows."""
    with world.office.store.tables("read") as there:
        names = {table: [one for one in there.columns(table) if one != "rowid"] for table in TABLES}
        return {
            table: (
                names[table],
                [
                    tuple(row)
                    for row in there.read(table, names[table], there.key(table))
                    if number >= ROWS or not _of_rows(table, row)
                ],
            )
            for table in TABLES
        }


def _of_rows(table: str, row: Sequence[Any]) -> bool:
    """Whether it is owed for the journal of rows: a store of an earlier release had none, and its hashes hold new salts."""
    return table == "leaf_owed" and "/" in str(row[0])


# -- a store as it was --------------------------------------------------------------------------------------------------


def sqlite_of(path: Path, number: int, world: World) -> None:
    """As it was after so many migrations: today's rows, without what there was no place for."""
    with closing(sqlite._open(str(path))) as connection:
        sqlite_schema.prepare(connection, "wal")
        db = Database(connection, recursive_triggers=False, execute_plugins=False)
        for name in sqlite_schema.NAMES[:number]:
            sqlite_migrations._apply_one(db, name)
        connection.execute("BEGIN")
        for table, (names, rows) in rows_of(world, number).items():
            found = connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))
            there = {name for (name,) in found}
            _fill(lambda sql, row: connection.execute(sql, row), "?", table, names, rows, there)
        connection.execute("COMMIT")


def postgres_of(address: str, number: int, world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        names = sqlite_schema.NAMES[:number]
        patch.setattr(postgres_schema, "MIGRATIONS", {one: postgres_schema.MIGRATIONS[one] for one in names})
        if sqlite_schema.SINCE not in names:
            patch.setattr(postgres_schema, "_FINISHING", {})
        with closing(PostgresStore(address)) as store:
            store.migrate()
    with psycopg.connect(address) as connection:
        for table, (columns, rows) in rows_of(world, number).items():
            found = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
                (table,),
            )
            there = {name for (name,) in found.fetchall()}
            _fill(lambda sql, row: connection.execute(sql, row), "%s", table, columns, rows, there)


def _fill(
    run: Callable[[Any, Any], object], mark: str, table: str, columns: list[str], rows: list[tuple[Any, ...]],
    there: set[str],
) -> None:  # fmt: skip
    places = [at for at, one in enumerate(columns) if one in there]
    if not there:
        return
    cells = ", ".join(f'"{columns[at]}"' for at in places)
    sql = f"INSERT INTO {table} ({cells}) VALUES ({', '.join([mark] * len(places))})"
    for row in rows:
        run(sql, tuple(row[at] for at in places))


def kept_in(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store.tables("read") as there:
        return {
            table: [
                tuple(row)
                for row in there.read(table, [c for c in there.columns(table) if c != "rowid"], there.key(table))
                if not _of_rows(table, row)
            ]
            for table in KEPT
        }  # fmt: skip


@contextmanager
def both(kind: str, folder: Path, number: int, world: World) -> Iterator[Callable[[], Callable[[], Store]]]:
    """How to make a store of that age, as often as wanted; what it answers opens it."""
    if kind == "sqlite":
        old, count = folder / "old.db", iter(range(10_000))
        sqlite_of(old, number, world)

        def another() -> Callable[[], Store]:
            path = folder / f"{next(count)}.db"
            copyfile(old, path)
            return lambda: SqliteStore(path)

        yield another
        return
    with database() as address:
        postgres_of(address, number, world)
        base, _, name = address.rpartition("/")
        plain, _, options = name.partition("?")
        made: list[str] = []

        def fresh() -> Callable[[], Store]:
            with psycopg.connect(f"{base}/postgres{'?' + options if options else ''}", autocommit=True) as connection:
                for other in made:
                    connection.execute(f"DROP DATABASE IF EXISTS {other} WITH (FORCE)")
                made[:] = [f"{plain}_again"]
                connection.execute(f"CREATE DATABASE {made[0]} TEMPLATE {plain}")
            return lambda: PostgresStore(f"{base}/{made[0]}{'?' + options if options else ''}")

        try:
            yield fresh
        finally:
            with psycopg.connect(f"{base}/postgres{'?' + options if options else ''}", autocommit=True) as connection:
                for other in made:
                    connection.execute(f"DROP DATABASE IF EXISTS {other} WITH (FORCE)")


# -- the fault test ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "number"),
    [*(("sqlite", one) for one in NUMBERS), *(("postgresql", one) for one in NUMBERS[:: 5 if tries(1) == 1 else 1])],
)
def test_a_store_of_any_age_comes_here_whole(tmp_path: Path, lived: World, kind: str, number: int) -> None:
    with both(kind, tmp_path, number, lived) as another, closing(another()()) as store:
        store.migrate()
        assert fsck(replace(lived.office, store=store)) == ()
        dossiers = list(store.all_dossiers())
        assert dossiers == list(lived.office.store.all_dossiers())
        with store.unit() as unit:
            owed = len(unit.owed_leaves(10_000))
            entries = sum(len(unit.entries(one)) for one in dossiers)
        assert owed >= entries > 20


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_who_was_there_before_the_journal_of_rows_is_journalled_from_then_on(
    tmp_path: Path, lived: World, kind: str
) -> None:
    """As they are found: counted, and told if they are changed afterwards."""
    with both(kind, tmp_path, ROWS - 1, lived) as another, closing(another()()) as store:
        store.migrate()
        office = replace(lived.office, store=store)
        told = inspect(office)
        assert (told.findings, set(told.before)) == ((), {"account"})
        assert told.before["account"] == len(lived.people)
        with store.unit(write=True) as unit:
            unit._change("UPDATE account SET secret = 'x' WHERE login = 'chief'")
        assert [(one.code, one.facts["about"]) for one in fsck(office)] == [("account_differs", "chief")]


def killed_at(statement: int, opening: Callable[[], Store], kind: str) -> bool:
    """Another process migrates and is killed before that statement. False when it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            _count_down(statement, kind)
            store = opening()
            store.migrate()
            store.close()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(3)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _count_down(statement: int, kind: str) -> None:
    left = statement

    def one_more(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if kind == "sqlite":
        real = sqlite.migrate

        def migrate(connection: sqlite3.Connection, without: Collection[str] = ()) -> None:
            connection.set_trace_callback(one_more)
            real(connection, without)

        vars(sqlite).update(migrate=migrate)
    else:
        run = postgres_schema.run

        def counted(connection: Any, text: str) -> Any:
            one_more()
            return run(connection, text)

        vars(postgres_schema).update(run=counted)


def left_behind(kind: str, folder: Path, world: World, each: int) -> tuple[int, list[str]]:
    """Killed at each statement from the first store there was: how many kills, and what was wrong once it was run again."""
    wrong: list[str] = []
    with both(kind, folder, 1, world) as another:
        with closing(another()()) as whole:
            whole.migrate()
            expected = kept_in(whole)
        kills = 0
        while True:
            opening = another()
            at = kills * each
            if not killed_at(at, opening, kind):
                return kills, wrong
            kills += 1
            try:
                with closing(opening()) as store:
                    store.migrate()
                    if list(store.findings()) or kept_in(store) != expected:
                        wrong.append(f"{at}: not whole")
            except (sqlite3.Error, psycopg.Error) as error:
                wrong.append(f"{at}: {error}")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_any_statement_it_comes_here_all_the_same(tmp_path: Path, lived: World, kind: str) -> None:
    kills, wrong = left_behind(kind, tmp_path, lived, EACH[kind])
    assert wrong == []
    assert kills > 100 // EACH[kind]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_dossiers_come_here_in_no_time(tmp_path: Path, lived: World, kind: str) -> None:
    """A thousand dossiers, eight thousand with more effort: less than a minute of waiting."""
    many = a_world(tmp_path, SqliteStore(tmp_path / "many.db"))
    for first in range(0, tries(1_000), 500):
        with many.office.store.unit(write=True) as unit:
            for n in range(first, first + 500):
                unit.add_dossier(a_dossier(f"d{n}"))
                journal(unit, f"d{n}", "opened")
    with both(kind, tmp_path, 1, many) as another, closing(another()()) as store:
        began = time.monotonic()
        store.migrate()
        assert time.monotonic() - began < 60
        assert list(store.findings()) == []
    many.office.store.close()


# -- mutant --------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly("mutant")
def test_migrations_that_are_not_whole_or_nothing_are_seen(
    tmp_path: Path, lived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def apply(db: Database, name: str) -> None:
        pending = [one.name for one in sqlite_migrations.MIGRATIONS.pending(db)]
        migration = next(one for one in sqlite_migrations.MIGRATIONS.pending(db) if one.name == name)
        migration.fn(db)  # each statement by itself, and only then its record
        sqlite_migrations.MIGRATIONS.ensure_migrations_table(db)
        db.table("_sqlite_migrations").insert({"migration_set": "guichet", "name": name, "applied_at": "now"})
        assert pending

    monkeypatch.setattr(sqlite_migrations, "_apply_one", apply)
    _, wrong = left_behind("sqlite", tmp_path, lived, 20)
    assert wrong


# -- the name of a company ---------------------------------------------------------------------------------------------

_ACCOUNT: Final = (
    "INSERT INTO account (id, kind, name, login, secret, roles, offices, disabled, profile)"
    " VALUES ('{id}', 'applicant', '{name}', '{login}', '', '[]', '[]', 0, '{{}}')"
)
_MANDATE: Final = (
    "INSERT INTO mandate (id, principal, holder, invited, kind, role, status, made_by, created_at, procedures, dossiers, proof, proof_name)"
    " VALUES ('{id}', '{principal}', '{holder}', '', 'company', 'manager', '{status}', '{by}', '{at}', '[]', '[]', '', '')"
)


def companies_of_before() -> Iterator[str]:
    """As the release before kept them: the name on the account, whoever gave it."""
    names = ("pending", "accepted", "refused", "lent", "handled")
    yield from (_ACCOUNT.format(id=one, name=one.upper(), login=f"company:TG {one}") for one in names)
    for number, (principal, holder, status, by) in enumerate(
        (
            ("pending", "afi", "to_check", "afi"), ("pending", "koffi", "to_check", "koffi"), ("accepted", "afi", "active", "afi"),
            ("refused", "afi", "refused", "afi"), ("lent", "koffi", "ended", "afi"), ("handled", "afi", "ended", "afi"),
        )
    ):  # fmt: skip
        at = f"2026-01-0{number + 1}T00:00:00.000000Z"
        yield _MANDATE.format(id=f"m{number}", principal=principal, holder=holder, status=status, by=by, at=at)
    yield "UPDATE dossier SET owner = 'handled' WHERE id = (SELECT min(id) FROM dossier)"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_company_keeps_its_name_where_an_agent_accepted_it(tmp_path: Path, lived: World, kind: str) -> None:
    before = next(at for at, name in enumerate(sqlite_schema.NAMES) if name.endswith("declared names"))
    with both(kind, tmp_path, before, lived) as another:
        opening = another()
        with closing(opening()) as store:
            with store.unit(write=True) as unit:
                for statement in companies_of_before():
                    unit._change(statement)
            store.migrate()
            with store.unit() as unit:
                names = {one: unit.account(one).name for one in ("pending", "accepted", "refused", "lent", "handled")}
                declared = {f"m{number}": unit.mandate(f"m{number}").declared for number in range(6)}
    assert names == {"pending": "", "accepted": "ACCEPTED", "refused": "", "lent": "LENT", "handled": "HANDLED"}
    assert declared == {"m0": "PENDING", "m1": "", "m2": "", "m3": "REFUSED", "m4": "", "m5": ""}


# -- two releases at once ----------------------------------------------------------------------------------------------


@contextmanager
def next_release(*removed: str) -> Iterator[None]:
    """The code of the next release, which finishes with these statements."""
    with ExitStack() as stack:
        for module, name, value in tuple(parts_of_next_release(removed)):
            stack.enter_context(patch.object(module, name, value))
        yield


def test_a_release_works_beside_the_next_one_until_that_one_finishes(tmp_path: Path, lived: World) -> None:
    with both("postgresql", tmp_path, len(NUMBERS), lived) as another, closing(another()()) as store:
        store.migrate()
        with next_release(), closing(another_of(store)) as later:
            later.migrate()
        state = store.migration_state()
        assert (state.strange, state.usable) == (LATER, True)
        store.migrate()  # a start of the former release, in the meantime or to go back
        world = replace(lived, office=replace(lived.office, store=store))
        world.sent(owner=world.applicant("+22899000000"))
        assert fsck(world.office) == ()
        with next_release("DROP TABLE snippet"), closing(another_of(store)) as later:
            assert later.finish() == ("f002 later",)
            assert later.finish() == ()
        assert not store.migration_state().usable
        with pytest.raises(sqlite_schema.ForeignSchema):
            store.migrate()


def another_of(store: Store) -> PostgresStore:
    assert isinstance(store, PostgresStore)
    return PostgresStore(store.address)


def test_an_index_that_was_interrupted_is_built_again(tmp_path: Path, lived: World) -> None:
    with both("postgresql", tmp_path, len(NUMBERS), lived) as another, closing(another()()) as store:
        store.migrate()
        address = another_of(store).address
        with psycopg.connect(address, autocommit=True) as connection, next_release():
            connection.execute("ALTER TABLE dossier ADD COLUMN remark TEXT NOT NULL DEFAULT ''")
            connection.execute("CREATE INDEX dossier_remark ON dossier (remark)")
            connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'dossier_remark'::regclass")
            connection.execute(f"INSERT INTO migration (name, at) VALUES ('{LATER[0]}', 'now')")
            with closing(another_of(store)) as later:
                later.migrate()
            valid = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'dossier_remark'::regclass")
            assert valid.fetchone() == (True,)


def test_a_migration_lets_those_at_work_go_first(tmp_path: Path, lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An act holds its row for longer than the migration waits for the table: the others go on meanwhile."""
    monkeypatch.setattr(postgres_schema, "_BETWEEN", 0.2)
    with both("postgresql", tmp_path, len(NUMBERS), lived) as another, closing(another()()) as store:
        store.migrate()
        address = another_of(store).address
        with psycopg.connect(address) as busy, ThreadPoolExecutor(1) as beside, next_release():
            busy.execute("UPDATE dossier SET state = state")
            with closing(another_of(store)) as later:
                migrated = beside.submit(later.migrate)
                longest = 0.0
                until = time.monotonic() + 3.0
                while time.monotonic() < until:
                    began = time.monotonic()
                    with store.unit() as unit:
                        unit.dossier(next(iter(store.all_dossiers())))
                    longest = max(longest, time.monotonic() - began)
                assert not migrated.done()
                busy.rollback()
                migrated.result(20)
        assert longest < 1.5


def test_a_store_of_before_is_finished_by_a_command_alone(
    tmp_path: Path, lived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its foreign keys are checked at the end of an act until then, as the former release needs."""
    deferred = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND condeferrable"
    before = sqlite_schema.NAMES.index(sqlite_schema.SINCE)
    with both("postgresql", tmp_path, before, lived) as another, closing(another()()) as store:
        address = another_of(store).address
        with psycopg.connect(address, autocommit=True) as connection:
            monkeypatch.setenv("DATABASE_URL", address)
            monkeypatch.setenv("GUICHET_DATA", str(tmp_path))
            first = CliRunner().invoke(upgrade, ["--lang", "en"])
            assert (
                first.exit_code,
                f"{len(sqlite_schema.NAMES) - before} migrations made" in first.output,
                "--finish" in first.output,
            ) == (0, True, True)
            assert connection.execute(deferred).fetchone() > (20,)  # type: ignore[operator]
            assert [one.code for one in _of_release(store.migration_state(), store.settings())] == [
                "store_well", "migrations_unfinished",
            ]  # fmt: skip
            last = CliRunner().invoke(upgrade, ["--finish", "--lang", "en"])
            assert (last.exit_code, "f001" in last.output, "--finish" in last.output) == (0, True, False)
            assert connection.execute(deferred).fetchone() == (0,)
        assert store.migration_state().unfinished == ()
        assert fsck(replace(lived.office, store=store)) == ()
