"""Defences taken away in a server process of the bars, by name: each must turn its bar red."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIServer, make_server

import server
from engine.office import answering
from engine.records import postgres, sqlite
from engine.records.postgres import PostgresVerbs
from engine.records.sqlite_dossiers import DossierVerbs
from engine.records.turns import Turns
from renderers import console_serving


def journal_in_another_unit() -> None:
    """What changes of a dossier is committed first; its journal, letters and timers follow in a transaction of their own."""
    honest = DossierVerbs.put_dossier

    def put(unit: Any, dossier: Any, expected_revision: int) -> None:
        honest(unit, dossier, expected_revision)
        unit._connection.execute("COMMIT")
        unit._connection.execute("BEGIN IMMEDIATE")

    DossierVerbs.put_dossier = put  # type: ignore


def whatever_was_seen() -> None:
    """A form is kept whatever the dossier was when it was shown."""
    honest = answering.seen

    def seen(unit: Any, office: Any, actor: Any, dossier_id: str, revision: int | None = None) -> Any:
        return honest(unit, office, actor, dossier_id)

    answering.seen = seen  # type: ignore


def no_turn_at_an_office() -> None:
    """People who take seats of one office at once do not wait for each other."""
    PostgresVerbs._turn = lambda *_: None  # type: ignore


def a_disk_never_fills() -> None:
    """What a disk refuses is no accident that passes."""
    sqlite._PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})  # type: ignore


def a_line_is_never_cut() -> None:
    """What a server of the database says when it goes is no accident that passes."""

    @contextmanager
    def nothing() -> Iterator[None]:
        yield

    postgres._passing = nothing


def whoever_writes_takes_their_time() -> None:
    """A writer keeps its turn a second longer than it needs it."""
    give = Turns.give

    def gives(turns: Any) -> None:
        time.sleep(1.0)
        give(turns)

    Turns.give = gives  # type: ignore


class _Pool:
    """A server that reads each request in the thread that will answer it."""

    def __init__(self, app: Any, host: str, port: int, threads: int, largest: int) -> None:
        class Server(ThreadingMixIn, WSGIServer):
            def process_request(self, request: Any, address: Any) -> None:
                pool.submit(self.process_request_thread, request, address)

        pool = ThreadPoolExecutor(threads)
        self._server = make_server(host, port, app, Server)

    def run(self, stopping: Any) -> None:
        self._server.serve_forever()


def a_thread_a_connection() -> None:
    """A request is read in one of eight threads, however slowly it comes."""
    server.Front = _Pool  # type: ignore


def a_hundred_connections() -> None:
    """As many at once as waitress takes where nothing else is said, and nobody is shown out."""
    console_serving._AT_ONCE, console_serving._GRACE = 100, 3600.0  # type: ignore


TWINS: Final[Mapping[str, Callable[..., None]]] = {
    one.__name__: one
    for one in (
        journal_in_another_unit, no_turn_at_an_office, a_disk_never_fills, a_thread_a_connection, a_hundred_connections,
        a_line_is_never_cut,
        whoever_writes_takes_their_time, whatever_was_seen,
    )
}  # fmt: skip
