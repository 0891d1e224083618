"""The connections of one process to a PostgreSQL server, with a time limit for each wait.

Requests wait for a server that restarts. Once it gives no answer for longer than the limit, requests that
need it fail at once. The others are then served. Each later request tries the server again.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from select import POLLIN, poll
from time import monotonic
from typing import Any, Final
from weakref import WeakSet

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from engine.storage.postgres.connection_errors import answers, has_several, is_standby, line_settings, without_server
from engine.storage.results import Away, Busy

WAIT_LIMIT: Final = 10.0  # seconds to wait for a connection or a row
MOST: Final = 16  # connections of one process
TRIED_FOR: Final = 1.0  # seconds of the pool's own retries; the next request tries again
SLICE: Final = 0.5  # seconds of one wait; after each the server is tried again
GLANCE: Final = 0.1  # seconds to wait for a server that was silent for long
_ANSWERS: Final = 3.0  # seconds in which a connection must answer
_ANSWERS_A_GLANCE: Final = 0.3  # the same for a request that waits for the store no longer than this

OPTIONS: Final = "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
_SHORT: Final = """SELECT set_config(wanted.name, wanted.value, false)
    FROM (VALUES ('max_parallel_workers_per_gather', '0'), ('jit', 'off')) AS wanted (name, value)
    JOIN pg_settings USING (name)"""

log = logging.getLogger("guichet.store")
_EACH_TRY: Final = ("error connecting", "reconnection attempt", "closing returned connection")
logging.getLogger("psycopg.pool").addFilter(lambda record: not str(record.msg).startswith(_EACH_TRY))

Pool = ConnectionPool[psycopg.Connection[Any]]
_OF_A_PARENT: Final[list[Pool]] = []  # referenced so that a child never closes connections of its parent
_open: Final[WeakSet[Pool]] = WeakSet()  # of this process
_alone = threading.Lock()  # protects the state shared by threads; held briefly


def _born() -> None:
    global _alone
    _alone = threading.Lock()  # the parent's may be held by a thread that does not exist here
    _open.clear()


@atexit.register
def _close_all() -> None:
    """Close the pools of a command that ends: Python 3.13 would wait five seconds for each of their threads."""
    for pool in list(_open):
        pool.close(timeout=1)


os.register_at_fork(after_in_child=_born)


class StoreConnections:
    """Connections to one address. A child process opens its own, because none may cross a fork.

    A standby is refused unless the store `follows` it, that is, only reads.
    """

    def __init__(self, address: str, most: int, wait_limit: float, follows: bool = False) -> None:
        self._address, self._most, self._wait_limit, self._follows = address, most, wait_limit, follows
        self._of: tuple[int, Pool] | None = None  # the process, and its pool
        self._out = 0  # connections in use
        self._served_at = 0.0  # when a connection was last obtained, or returned in working order
        self._silent_since: float | None = None
        self._frozen: tuple[str, int] | None = None  # host and port whose connection stopped answering
        self._waits = threading.local()  # `limit`: how long the request of this thread waits
        self._away: bool | None = None  # last logged state; None until a connection was obtained

    @contextmanager
    def line(self, wait_limit: float = WAIT_LIMIT) -> Iterator[psycopg.Connection[Any]]:
        """Yield one connection, returned afterwards. Raises `Busy` if none is free in time, `Away` if the server is
        silent."""
        pool = self._of_this_process()
        connection = self._waited_for(pool, wait_limit)
        try:
            with connection:
                yield connection
        finally:
            self._given_back(not connection.closed)
            pool.putconn(connection)

    def close(self) -> None:
        """Close the pool of this process. That of a parent stays open."""
        if self._of is not None and self._of[0] == os.getpid():
            self._of[1].close(timeout=1)
        self._of = None

    def _waited_for(self, pool: Pool, wait_limit: float) -> psycopg.Connection[Any]:
        """Return a connection. The time limit counts from when the server fell silent, if that is earlier."""
        began, self._waits.limit = monotonic(), wait_limit
        while True:
            end = min(began, self._silent_since or began) + min(wait_limit, self._wait_limit)
            try:
                connection = pool.getconn(timeout=min(SLICE, max(GLANCE, end - monotonic())))
            except PoolTimeout as none:
                if monotonic() >= end:
                    # a short wait says nothing about the server
                    raise (Away if wait_limit >= self._wait_limit and self._left_waiting(began) else Busy)(
                        "line"
                    ) from none
            else:
                self._served()
                return connection

    def _left_waiting(self, began: float) -> bool:
        """Return whether the server is silent: no caller was served during this wait, and not all connections were in
        use."""
        with _alone:
            if self._out >= self._most or self._served_at > began:
                return False
            self._silent_since = min(began, self._silent_since or began)
            reported, self._away = self._away, True if self._away is not None else None
        if reported is False:
            log.warning("the database lets nobody in (guichet doctor says why)")
        return True

    def _served(self) -> None:
        with _alone:
            self._out += 1
            self._served_at, self._silent_since = monotonic(), None
            reported, self._away = self._away, False
        if reported:
            log.warning("the database lets in again")

    def _given_back(self, works: bool) -> None:
        with _alone:
            self._out -= 1
            if works:
                self._served_at = monotonic()

    def _of_this_process(self) -> Pool:
        known = self._of
        if known is not None and known[0] == os.getpid():
            return known[1]
        with _alone:
            if self._of is None or self._of[0] != os.getpid():
                if self._of is not None:
                    _OF_A_PARENT.append(self._of[1])
                self._out, self._silent_since = 0, None
                self._of = os.getpid(), self._pool()
                _open.add(self._of[1])
            return self._of[1]

    def _pool(self) -> Pool:
        return ConnectionPool(
            self._servers, min_size=1, max_size=self._most, open=True, max_idle=60.0, reconnect_timeout=TRIED_FOR,
            check=self._check, configure=self._configured,
            kwargs={"autocommit": True, "options": OPTIONS, **line_settings(self._address)},
        )  # fmt: skip

    def _servers(self) -> str:
        """Return the address for the next attempt, without the server that stopped answering and still does not.

        An attempt would wait two seconds for it before it tries the server that replaces it.
        """
        if (frozen := self._frozen) is None or not has_several(self._address):
            return self._address
        if answers(self._address, *frozen, within=_ANSWERS_A_GLANCE):
            self._frozen = None
            return self._address
        return without_server(self._address, *frozen)

    def _configured(self, connection: psycopg.Connection[Any]) -> None:
        """Turn off parallel workers and JIT: for short queries they cost more than the query.

        A server without these settings ignores the statement. An answer ends the silence of the server. Raises
        `OperationalError` for a standby, so that the pool tries again.
        """
        if not self._follows and is_standby(connection):
            connection.close()  # the pool leaves it open
            raise psycopg.OperationalError("the server is a standby")
        connection.execute(_SHORT)
        with _alone:
            self._served_at, self._silent_since = monotonic(), None

    def _check(self, connection: psycopg.Connection[Any]) -> None:
        """Check a connection before use. The check is short after a long silence, for a server that stopped answering,
        and for a request that waits briefly."""
        silent = self._silent_since is not None or (self._frozen is not None and self._frozen == _server_of(connection))
        limit = min(_ANSWERS, max(_ANSWERS_A_GLANCE, getattr(self._waits, "limit", _ANSWERS)))
        try:
            _asked(connection, GLANCE if silent else limit)
        except _NoAnswer:
            self._frozen = _server_of(connection)
            raise


def _server_of(connection: psycopg.Connection[Any]) -> tuple[str, int]:
    """Return the host and port of a connection that is open."""
    return connection.info.host, connection.info.port


class _NoAnswer(psycopg.OperationalError):
    """A connection is open, and its server answers nothing."""


def _asked(connection: psycopg.Connection[Any], within: float) -> None:
    """Check that the server answers. Raises `OperationalError`, `_NoAnswer` for a frozen server that accepts data."""
    line, end = connection.pgconn, monotonic() + within
    line.send_query(b"")
    comes = poll()
    comes.register(line.socket, POLLIN)
    while line.is_busy():
        if not comes.poll(max(0.0, end - monotonic()) * 1000):
            raise _NoAnswer("nothing comes back")
        line.consume_input()
    while line.get_result() is not None:
        pass
    if connection.closed:
        raise psycopg.OperationalError("cut")
