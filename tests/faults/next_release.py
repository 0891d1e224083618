"""A release after this one, as far as its migrations go: a column, an index, and statements that finish it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from engine.storage.postgres import migrations as postgres_schema
from engine.storage.postgres import store as postgres_store
from engine.storage.schema import migration_list
from engine.storage.sql import statistics

LATER: Final = ("9901 remark", "9902 remark index")


def _remark() -> Iterator[str]:
    yield """ALTER TABLE dossier ADD COLUMN remark TEXT COLLATE "C" NOT NULL DEFAULT ''"""


def parts_of_next_release(removed: Sequence[str] = ()) -> Iterator[tuple[Any, str, Any]]:
    """Yield what to set: module, name, value. `removed`: the statements of its finishing migration."""
    later = {LATER[0]: _remark, LATER[1]: postgres_schema.ConcurrentIndex("dossier_remark", "dossier (remark)")}
    finishing = {"f002 later": lambda: iter(removed)} if removed else {}
    least = {**migration_list.FINISHING, **dict.fromkeys(finishing, LATER[1])}
    yield postgres_schema, "MIGRATIONS", {**postgres_schema.MIGRATIONS, **later}
    yield postgres_schema, "_FINISHING", {**postgres_schema._FINISHING, **finishing}
    for module in (migration_list, statistics):
        yield module, "NAMES", (*migration_list.NAMES, *LATER)
    for module in (migration_list, postgres_schema, postgres_store):
        yield module, "FINISHING", least


def next_release() -> None:
    """Make this process one of the next release."""
    for module, name, value in tuple(parts_of_next_release()):
        setattr(module, name, value)
