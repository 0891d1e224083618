"""What every test shares: nothing is read from, or left in, the cache of whoever runs them; passwords cost little."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from typing import Any, Final

import pytest
from argon2 import PasswordHasher
from werkzeug.routing import Rule

from engine.services.keys import secrets
from engine.storage.files import inspection
from engine.storage.files.content import Content, MakeWay
from engine.storage.sqlite import store as sqlite_store
from tests.bucket import close_service
from tests.faults.stand import close_stand
from tests.pgbouncer import close_pooler
from tests.postgres import drop_database
from tests.tiers import COLLECTED, collected

MIGRATE: Final = sqlite_store.migrate
SHORT: Final = 4096  # bytes of a PDF
# their tests wait for limits in seconds: one worker runs them all, beside those that compute
WAITING: Final = frozenset(
    f"tests/{file}.py"
    for file in (
        "engine/storage/test_postgres_pool", "faults/test_full_disk_faults", "faults/test_locked_store_faults",
        "faults/test_operator_faults", "faults/test_slow_client_faults", "faults/test_standby_faults",
        "faults/test_store_outage_faults", "test_deploy", "web/platform/test_large_bodies", "web/platform/test_slow_work",
        "web/platform/test_stopping", "web/platform/test_web_processes",
    )
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # before `-m` leaves some out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[COLLECTED] = collected(items)
    for one in items:
        if one.nodeid.partition("::")[0] in WAITING:
            one.add_marker(pytest.mark.xdist_group("waiting"))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, bool]:
    """Those that wait first, then the slow ones: at the end no worker waits for a long one."""
    return item.nodeid.partition("::")[0] not in WAITING, item.get_closest_marker("slow") is None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The modules and the eleven thousand tests are no garbage: the collector does not go over them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    """At its end pytest collects five times what no test holds: all that the modules cached would be searched."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def servers_of_this_run() -> Iterator[None]:
    """The database, its pooler, the bucket and the servers that a process made for its tests go away with it."""
    yield
    close_pooler()
    drop_database()
    close_service()
    close_stand()


@pytest.fixture(autouse=True, scope="session")
def cheap_passwords() -> Iterator[None]:
    """Hundreds of people sign in here, and none of them is at risk."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_hasher", cheap)
        patch.setattr(secrets, "_DUMMY_HASH", cheap.hash("nobody has this password"))
        yield


@pytest.fixture(autouse=True, scope="session")
def tables_of_this_run() -> Iterator[None]:
    """A new file of SQLite is a copy of a migrated one. `real_migrations` is for tests of the migrations themselves."""
    image = sqlite_store._empty_store()

    def copied(connection: sqlite3.Connection, without: Collection[str] = ()) -> None:
        if without or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            MIGRATE(connection, without)
            return
        with closing(sqlite3.connect(":memory:")) as empty:
            empty.deserialize(image)
            empty.backup(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_store, "migrate", copied)
        yield


@pytest.fixture
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "migrate", MIGRATE)


@pytest.fixture(autouse=True, scope="session")
def pages_of_this_run() -> Iterator[None]:
    """The few short PDFs that most tests attach are read through once."""
    read_through = inspection._pdf
    known: dict[bytes, Content] = {}

    def once(data: bytes, make_way: MakeWay) -> Content:
        if len(data) > SHORT:
            return read_through(data, make_way)
        if data not in known:
            known[data] = read_through(data, make_way)
        return known[data]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection, "_pdf", once)
        yield


@pytest.fixture(autouse=True, scope="session")
def routes_of_this_run() -> Iterator[None]:
    """Werkzeug reads 290 addresses and compiles how to build each, which takes longer than most tests; every application has the same."""
    known: dict[object, tuple[Any, ...]] = {}
    compiled = Rule.compile

    def once(rule: Rule) -> None:
        assert rule.map is not None
        domain = rule.host if rule.map.host_matching else rule.subdomain
        key = (rule.rule, domain, rule.merge_slashes, repr(rule.defaults), repr(sorted(rule.map.converters)))
        if key not in known:
            compiled(rule)
            known[key] = (
                rule._parts, rule._trace, rule._converters, frozenset(rule.arguments),
                rule._build.__func__, rule._build_unknown.__func__,  # type: ignore[attr-defined]
            )  # fmt: skip
            return
        rule._parts, rule._trace, rule._converters, arguments, build, unknown = known[key]
        rule.arguments |= arguments
        rule._build, rule._build_unknown = build.__get__(rule), unknown.__get__(rule)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", once)
        yield
