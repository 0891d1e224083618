"""The connections of one process to a PostgreSQL server, and how long anybody waits for one.

A server that restarts is waited for. One that has been silent for that long is not: whoever needs it is told at once to come
back, so that those who need nothing of it are served. The next who asks tries it again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from engine.records.store import Busy

PATIENCE: Final = 10.0  # seconds to wait for a connection or a row
MOST: Final = 16  # connections of one process
TRIED_FOR: Final = 1.0  # seconds before a server that lets nobody in is called silent
SLICE: Final = 0.5  # seconds of one wait: after each the server is tried again
GLANCE: Final = 0.1  # seconds to wait for one that has long been silent

OPTIONS: Final = "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
# What the address does not say: a machine that is unplugged says nothing, and would be waited for a quarter of an hour.
_LINE: Final = {
    "connect_timeout": "3", "tcp_user_timeout": "10000",
    "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3",
}  # fmt: skip
_SHORT: Final = """SELECT set_config(wanted.name, wanted.value, false)
    FROM (VALUES ('max_parallel_workers_per_gather', '0'), ('jit', 'off')) AS wanted (name, value)
    JOIN pg_settings USING (name)"""

_OF_A_PARENT: Final[list[Any]] = []  # held so that a child never closes what its parent uses

log = logging.getLogger("guichet.store")
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it tells each try of an outage

Pool = ConnectionPool[psycopg.Connection[Any]]


class Lines:
    """Connections to one address. A child process makes its own: none ever crosses a fork."""

    def __init__(self, address: str, most: int, patience: float) -> None:
        self._address, self._most, self._patience = address, most, patience
        self._process = 0
        self._pool: Pool | None = None
        self._silent_since: float | None = None
        self._away: bool | None = None  # as it was told last; None until somebody was served

    @contextmanager
    def line(self) -> Iterator[psycopg.Connection[Any]]:
        """One connection, given back afterwards. Raises `Busy` where none came in time."""
        pool = self._of_this_process()
        connection = self._waited_for(pool)
        try:
            with connection:
                yield connection
        finally:
            pool.putconn(connection)

    def close(self) -> None:
        if self._pool is not None and self._process == os.getpid():
            self._pool.close(timeout=1)
        self._pool = None

    def _waited_for(self, pool: Pool) -> psycopg.Connection[Any]:
        """Patience counts from when the server fell silent, where that is earlier."""
        began = monotonic()
        end = min(began, self._silent_since or began) + self._patience
        while True:
            try:
                connection = pool.getconn(timeout=min(SLICE, max(GLANCE, end - monotonic())))
            except PoolTimeout as none:
                if monotonic() >= end:
                    self._tell(True)
                    raise Busy("line") from none
            else:
                self._silent_since = None
                self._tell(False)
                return connection

    def _tell(self, away: bool) -> None:
        """Once when somebody is sent away, once when somebody is served again."""
        if self._away is None and away:
            return  # nobody was served yet: whoever opens the store is told why
        if self._away is not None and away is not self._away:
            log.warning(
                "the database lets nobody in (guichet doctor says why)" if away else "the database lets in again"
            )
        self._away = away

    def _of_this_process(self) -> Pool:
        if self._pool is None or self._process != os.getpid():
            if self._pool is not None:
                _OF_A_PARENT.append(self._pool)
            self._process, self._silent_since = os.getpid(), None
            said = conninfo_to_dict(self._address)
            self._pool = ConnectionPool(
                self._address, min_size=1, max_size=self._most, open=True, max_idle=60.0, reconnect_timeout=TRIED_FOR,
                check=ConnectionPool.check_connection, configure=_configured, reconnect_failed=self._fell_silent,
                kwargs={"autocommit": True, "options": OPTIONS}
                | {name: value for name, value in _LINE.items() if said.get(name) is None},
            )  # fmt: skip
        return self._pool

    def _fell_silent(self, pool: Pool) -> None:
        if self._silent_since is None:
            self._silent_since = monotonic() - TRIED_FOR


def _configured(connection: psycopg.Connection[Any]) -> None:
    """What is asked is short: a process that helps to count a tray, or code compiled for it, costs more than the counting.
    A server that knows no such settings has none set."""
    connection.execute(_SHORT)
