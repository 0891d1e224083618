"""What every test shares: nothing is read from, or left in, the cache of whoever runs them; passwords cost little."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from werkzeug.routing import Rule

from engine.services.keys import secrets
from tests.bucket import close_service
from tests.postgres import drop_database
from tests.tiers import COLLECTED, collected


@pytest.hookimpl(tryfirst=True)  # before `-m` leaves some out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[COLLECTED] = collected(items)


@pytest.fixture(autouse=True, scope="session")
def cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def servers_of_this_run() -> Iterator[None]:
    """The database and the bucket that a process made for its tests go away with it."""
    yield
    drop_database()
    close_service()


@pytest.fixture(autouse=True, scope="session")
def cheap_passwords() -> Iterator[None]:
    """Hundreds of people sign in here, and none of them is at risk."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_hasher", cheap)
        patch.setattr(secrets, "_NOBODY", cheap.hash("nobody has this password"))
        yield


@pytest.fixture(autouse=True, scope="session")
def routes_of_this_run() -> Iterator[None]:
    """Werkzeug compiles how to build each of 290 addresses, which takes longer than most tests; every application has the same."""
    known: dict[object, Any] = {}
    compiled = Rule._compile_builder

    def once(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, append_unknown, tuple(rule._trace), repr(rule.defaults))
        if key not in known:
            known[key] = compiled(rule, append_unknown)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", once)
        yield
