"""Fixtures of the fault tests: SQLite in `make test`, PostgreSQL at night."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.effort import EFFORT
from tests.postgres import database

# B14 needs a long time: `make faults-long` runs it, with its mutants
collect_ignore = [] if EFFORT > 1 else ["test_soak_faults.py"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the store that the servers use. Empty: a file in their own folder."""
    if request.param == "sqlite":
        yield ""
        return
    with database() as made:
        yield made
