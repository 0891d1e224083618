"""What every test shares: nothing is read from, or left in, the cache of whoever runs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import drop_database


@pytest.fixture(autouse=True, scope="session")
def cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def database_of_this_run() -> Iterator[None]:
    """The database that a process made for its tests goes away with it."""
    yield
    drop_database()
