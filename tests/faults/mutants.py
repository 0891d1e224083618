"""Defences to remove in a server process, by name. Each removal must make its fault test fail."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIServer, make_server

import server
from engine.integrations.payment_provider import ProviderSilent
from engine.integrations.simulated_operator import SandboxProvider
from engine.services.applications import draft_answers as answering
from engine.services.payments.order_placement import place_orders
from engine.storage.fair_lock import FairLock
from engine.storage.files.attachments import AttachmentStore
from engine.storage.gate import ThreadLimit
from engine.storage.postgres import pool as postgres_lines
from engine.storage.postgres import store as postgres
from engine.storage.postgres.pool import StoreConnections
from engine.storage.postgres.store import PostgresQueries
from engine.storage.sql.dossiers import DossierQueries
from engine.storage.sqlite import store as sqlite
from renderers.cli.admin import http_server as console_serving
from renderers.web.citizen import payments
from renderers.web.platform import request_log as watch
from tests.faults.next_release import next_release


def journal_in_another_unit() -> None:
    """What changes of a dossier is committed first; its journal, letters and timers follow in a transaction of their own."""
    honest = DossierQueries.put_dossier

    def put(unit: Any, dossier: Any, expected_revision: int) -> None:
        honest(unit, dossier, expected_revision)
        unit._connection.execute("COMMIT")
        unit._connection.execute("BEGIN IMMEDIATE")

    DossierQueries.put_dossier = put  # type: ignore


def whatever_was_seen() -> None:
    """A form is kept whatever the dossier was when it was shown."""
    honest = answering.seen

    def seen(unit: Any, office: Any, actor: Any, dossier_id: str, revision: int | None = None) -> Any:
        return honest(unit, office, actor, dossier_id)

    answering.seen = seen  # type: ignore


def no_turn_at_an_office() -> None:
    """People who take seats of one office at once do not wait for each other."""
    PostgresQueries._turn = lambda *_: None  # type: ignore


def a_disk_never_fills() -> None:
    """What a disk refuses is no accident that passes."""
    sqlite._PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})  # type: ignore


def a_line_is_never_cut() -> None:
    """What a server of the database says when it goes is no accident that passes."""

    @contextmanager
    def nothing() -> Iterator[None]:
        yield

    postgres._passing = nothing


def a_standby_is_taken_for_the_primary() -> None:
    """A server that only copies another one gets the work, and what it answers is no accident that passes."""

    postgres_lines.is_standby = lambda _: False  # type: ignore
    postgres._beginning = lambda _: nullcontext()  # type: ignore


def a_server_is_always_waited_for() -> None:
    """Whoever needs the database waits for it, however long it has been away, and tries are ever further apart."""

    def waits(lines: Any, pool: Any, _: float) -> Any:
        return pool.getconn(timeout=postgres_lines.WAIT_LIMIT)

    StoreConnections._waited_for = waits  # type: ignore
    postgres_lines.TRIED_FOR = 300.0  # type: ignore


def all_threads_may_wait() -> None:
    """No thread of a process is kept for pages that need no database."""
    ThreadLimit.place = lambda *_: nullcontext()  # type: ignore


def an_operator_answers_nothing() -> None:
    """No defence: the subject of a fault test. A caller of one of the operators is kept a minute, then knows nothing."""
    start, status = SandboxProvider.start, SandboxProvider.status

    def hangs(honest: Any) -> Any:
        def called(provider: Any, *rest: Any) -> Any:
            if provider.id != "mixx":
                return honest(provider, *rest)
            time.sleep(60.0)
            raise ProviderSilent("ReadTimeoutError")

        return called

    SandboxProvider.start, SandboxProvider.status = hangs(start), hangs(status)  # type: ignore


def a_request_makes_the_call() -> None:
    """Whoever begins to pay waits for the operator."""
    honest = payments.start_payment

    def start(office: Any, *rest: Any, **how: Any) -> Any:
        payment = honest(office, *rest, **how)
        place_orders(office)
        return payment

    payments.start_payment = start


def whoever_writes_takes_their_time() -> None:
    """A writer keeps its turn a second longer than it needs it."""
    give = FairLock.give

    def gives(turns: Any) -> None:
        time.sleep(1.0)
        give(turns)

    FairLock.give = gives  # type: ignore


class _Pool:
    """A server that reads each request in the thread that will answer it."""

    def __init__(self, app: Any, listening: Any, threads: int, largest: int, proxies: int = 0) -> None:
        class Server(ThreadingMixIn, WSGIServer):
            def process_request(self, request: Any, address: Any) -> None:
                pool.submit(self.process_request_thread, request, address)

        pool = ThreadPoolExecutor(threads)
        (host, port), _ = listening.getsockname(), listening.close()
        self._server = make_server(host, port, app, Server)

    def run(self, stopping: Any, leave_after: float = 0.0) -> None:
        self._server.serve_forever()


def a_thread_a_connection() -> None:
    """A request is read in one of eight threads, however slowly it comes."""
    server.Front = _Pool  # type: ignore


def a_hundred_connections() -> None:
    """As many at once as waitress takes where nothing else is said, and nobody is shown out."""
    console_serving._AT_ONCE, console_serving._GRACE = 100, 3600.0  # type: ignore


def the_name_of_each_request_is_kept() -> None:
    """Thirty-two letters for each request, and nobody ever drops them."""
    honest, kept = watch.RequestLog._named, list[str]()

    def named(one: Any, environ: Any) -> str:
        kept.append(honest(one, environ))
        return kept[-1]

    watch.RequestLog._named = named  # type: ignore


def each_page_is_kept() -> None:
    """Twice, as a cache would in two languages. They are large, and no count of Python's own shows them."""
    honest, kept = watch.RequestLog.__call__, list[bytes]()

    def answers(one: Any, environ: Any, start: Any) -> Any:
        told = honest(one, environ, start)
        page = b"".join(told)
        if hasattr(told, "close"):
            told.close()
        if len(page) > 1_000:
            kept.extend((page, bytes(bytearray(page))))
        return [page]

    watch.RequestLog.__call__ = answers  # type: ignore


def each_file_has_its_guard() -> None:
    """A thread with a handle of its own for each file handed in, neither of which ever ends."""
    honest = AttachmentStore.keep

    def keep(*which: Any, **how: Any) -> Any:
        def guards() -> None:
            with open(os.devnull, "rb"):
                threading.Event().wait()

        threading.Thread(target=guards, daemon=True).start()
        return honest(*which, **how)

    AttachmentStore.keep = keep  # type: ignore


def a_reader_that_never_ends() -> None:
    """Somebody sees the store as it was, for as long as they may: what was written since cannot be brought into the file."""
    honest = server.start_worker

    def starts(app: Any, *how: Any) -> Any:
        def reads() -> None:
            while True:
                with server.serving(app).store.unit() as unit:
                    unit.last_publication()
                    time.sleep(40.0)  # before PostgreSQL ends it

        threading.Thread(target=reads, daemon=True).start()
        return honest(app, *how)

    server.start_worker = starts


MUTANTS: Final[Mapping[str, Callable[..., None]]] = {
    one.__name__: one
    for one in (
        journal_in_another_unit, no_turn_at_an_office, a_disk_never_fills, a_thread_a_connection, a_hundred_connections,
        a_line_is_never_cut, a_server_is_always_waited_for, an_operator_answers_nothing, a_request_makes_the_call,
        whoever_writes_takes_their_time, whatever_was_seen, the_name_of_each_request_is_kept, each_page_is_kept,
        each_file_has_its_guard, a_reader_that_never_ends, a_standby_is_taken_for_the_primary, all_threads_may_wait,
        next_release,
    )
}  # fmt: skip
