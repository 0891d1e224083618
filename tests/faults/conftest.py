"""What the bars share: each of both stores in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import database


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of the store that the servers of a bar keep in: a file of their own folder when empty."""
    if request.param == "sqlite":
        yield ""
        return
    with database() as made:
        yield made
