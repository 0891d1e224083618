"""What the store finds broken in its own tables: the store's part of `fsck`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from engine.records.store import Finding


def broken_promises(connection: sqlite3.Connection) -> Iterator[Finding]:
    for (said,) in connection.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield Finding("integrity", None, {"said": said})
