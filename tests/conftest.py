"""What every test shares: nothing is read from, or left in, the cache of whoever runs them; passwords cost little."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from werkzeug.routing import Rule

from engine.services.keys import secrets
from tests.bucket import close_service
from tests.faults.stand import close_stand
from tests.pgbouncer import close_pooler
from tests.postgres import drop_database
from tests.tiers import COLLECTED, collected


@pytest.hookimpl(tryfirst=True)  # before `-m` leaves some out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[COLLECTED] = collected(items)
    items.sort(key=lambda one: one.get_closest_marker("slow") is None)  # at the end no worker waits for a long one


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
