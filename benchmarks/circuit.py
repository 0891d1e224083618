"""What taking an act costs, everything it owes kept with it: beside SpiffWorkflow, a bare transaction, a bare append.

Ours goes through the public verb of the office: rights and conditions judged, the dossier, its sealed entry, its timers
kept in one transaction. The others keep what they need to go on, and nothing that could be proven later.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from benchmarks.counter_office import AGENT, STEPS, a_database, circuit, now_text, office_of, raw_sqlite, relax, sent
from benchmarks.measure import CPU, WALL, Measure, in_turns, median_of, median_ratio, percentile, spent
from benchmarks.peers import peers
from benchmarks.portal import ROOT
from engine.domain.common.decision import Act
from engine.services.applications.casework import take_transition
from engine.services.context.app_context import AppContext

FLOWS, CLIENTS = 4, 32
NORMAL, FULL = 1, 2


def measures() -> Iterator[Measure]:
    """Every line, as it is measured."""
    with tempfile.TemporaryDirectory() as folder, office_of(circuit(), Path(folder) / "ours") as office:
        with spiff(Path(folder) / "spiff.db") as walk:
            yield _beside_spiff(office, walk, FULL)
        yield _beside_raw(office, Path(folder) / "raw.db")
        yield from _crowd(office, Path(folder) / "floor.log")
        with spiff(Path(folder) / "spiff.db") as walk:  # last: the store is let loose
            relax(office)
            yield _beside_spiff(office, walk, NORMAL)
    with (
        tempfile.TemporaryDirectory() as folder,
        a_database() as address,
        office_of(circuit(), Path(folder), address) as office,
    ):
        yield _beside_psycopg(office, address)


def walked(ctx: AppContext, clock: Callable[[], float], flows: int = FLOWS) -> float:
    """Seconds an act, of dossiers taken from one end of the circuit to the other."""
    idents = [sent(ctx)[1].id for _ in range(flows)]
    return spent(lambda: [_walk(ctx, ident) for ident in idents], clock) / flows / STEPS


def _walk(ctx: AppContext, ident: str, each: Callable[[float], object] = lambda _: None) -> None:
    state = ""
    for n in range(STEPS):
        began = WALL()
        state = take_transition(ctx, AGENT, ident, Act(f"avancer{n}")).state
        each(WALL() - began)
    if state != "accorde":
        raise SystemExit(f"a dossier ended at {state}")


# -- T4 ----------------------------------------------------------------------------------------------------------------

Walk = Callable[[int, int], dict[str, float]]


@contextmanager
def spiff(path: Path) -> Iterator[Walk]:
    """SpiffWorkflow in a process of its own, asked round by round."""
    command = [str(peers()), str(ROOT / "benchmarks" / "spiff.py"), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("SpiffWorkflow did not start")

        def walk(synchronous: int, count: int) -> dict[str, float]:
            print(synchronous, count, file=process.stdin, flush=True)
            reported: dict[str, float] = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            return reported

        yield walk
        process.stdin.close()


def _beside_spiff(ctx: AppContext, walk: Walk, synchronous: int) -> Measure:
    clock, name = (CPU, "cpu") if synchronous == NORMAL else (WALL, "wall")

    def theirs() -> float:
        reported = walk(synchronous, FLOWS)
        return reported[name] / reported["steps"]

    rounds = in_turns(lambda: walked(ctx, clock), theirs)
    us, them = 1000 * median_of(rounds, 0), 1000 * median_of(rounds, 1)
    ident, floor, stretch = ("T4-normal", 10, 14) if synchronous == NORMAL else ("T4-full", 4, 5)
    what = f"an act kept in SQLite, {'NORMAL, processor' if name == 'cpu' else 'FULL, wall'}: SpiffWorkflow / ours"
    beside = f"{us:.2f} ms ours, {them:.2f} ms theirs"
    return Measure(ident, what, median_ratio(rounds, 1, 0), floor, stretch, False, beside)


# -- T5 ----------------------------------------------------------------------------------------------------------------


def _beside_raw(ctx: AppContext, path: Path) -> Measure:
    """A bare transaction (read, change if unchanged, note), and the very statements of ours without us."""
    said = _statements(ctx)
    with closing(raw_sqlite(path, FULL)) as db, closing(_twin(ctx)) as twin:
        db.execute("CREATE TABLE dossier (id INTEGER PRIMARY KEY, state TEXT, version INTEGER, body TEXT)")
        db.execute("CREATE TABLE event (dossier INTEGER, n INTEGER, at TEXT, PRIMARY KEY (dossier, n))")
        db.execute("INSERT INTO dossier VALUES (1, 'a', 0, ?)", ("x" * 1500,))

        def bare() -> float:
            return spent(lambda: [_bare_step(db) for _ in range(FLOWS * STEPS)], WALL) / FLOWS / STEPS

        rounds = in_turns(
            lambda: walked(ctx, WALL), bare, lambda: spent(lambda: [twin_step(twin, said) for _ in range(9)], WALL) / 9
        )
    us, them, same = (1000 * median_of(rounds, side) for side in range(3))
    beside = (
        f"{us:.2f} ms ours, {them:.2f} ms bare; our own statements without us {same:.2f} ms ({100 * same / us:.0f} %)"
    )
    value = 100 * median_ratio(rounds, 1, 0)
    return Measure(
        "T5", "an act, one client, FULL: share of a bare transaction's pace (%)", value, 70, 85, False, beside
    )


def _bare_step(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    state, version, body = db.execute("SELECT state, version, body FROM dossier WHERE id = 1").fetchone()
    sql = "UPDATE dossier SET state = ?, version = ?, body = ? WHERE id = 1 AND version = ?"
    db.execute(sql, ("b" if state == "a" else "a", version + 1, body, version))
    db.execute("INSERT INTO event VALUES (1, ?, ?)", (version + 1, now_text()))
    db.execute("COMMIT")


def _statements(ctx: AppContext) -> list[str]:
    """What one act says to SQLite, its values in the text."""
    ident, said = sent(ctx)[1].id, []
    (connection,) = ctx.store._idle  # type: ignore[attr-defined]
    connection.set_trace_callback(said.append)
    take_transition(ctx, AGENT, ident, Act("avancer0"))
    connection.set_trace_callback(None)
    return [one for one in said if not one.startswith(("BEGIN", "COMMIT", "ROLLBACK", "--"))]


def _twin(ctx: AppContext) -> sqlite3.Connection:
    return raw_sqlite(Path(ctx.store.path), FULL)  # type: ignore[attr-defined]


def twin_step(db: sqlite3.Connection, said: list[str]) -> None:
    """The same statements once more; what may not be twice is rolled back to just before it."""
    db.execute("BEGIN IMMEDIATE")
    for sql in said:
        try:
            db.execute(sql).fetchall()
        except sqlite3.IntegrityError:
            continue
    db.execute("COMMIT")


# -- T6 ----------------------------------------------------------------------------------------------------------------


def _crowd(ctx: AppContext, log: Path) -> Iterator[Measure]:
    """32 at once, each on a dossier of their own."""
    waits: list[float] = []
    handle = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def floor() -> float:
        return 64 / spent(lambda: [(os.write(handle, b"x" * 400), os.fdatasync(handle)) for _ in range(64)], WALL)

    rounds = in_turns(lambda: _together(ctx, waits), lambda: 1 / walked(ctx, WALL), floor, rounds=5)
    os.close(handle)
    many, one, disk = (median_of(rounds, side) for side in range(3))
    beside = f"{many:.0f} /s of {CLIENTS}, {one:.0f} /s of one, {disk:.0f} /s appended and flushed; none lost"
    yield Measure(
        "T6-one", f"{CLIENTS} clients, FULL: times one client", median_ratio(rounds, 0, 1), 3, 4.5, False, beside
    )
    yield Measure("T6-floor", "the same: times append + fdatasync", median_ratio(rounds, 0, 2), 3, 6, False)
    p50, p99 = (1000 * percentile(waits, share) for share in (0.5, 0.99))
    reported = f"median {p50:.0f} ms, 99 of 100 within {p99:.0f} ms"
    yield Measure("T6-wait", "the same: the longest wait (ms)", 1000 * max(waits), 100, 50, beside=reported)


def _together(ctx: AppContext, waits: list[float]) -> float:
    """Acts a second; none may be lost."""
    idents = [sent(ctx)[1].id for _ in range(CLIENTS)]
    people = [threading.Thread(target=_walk, args=(ctx, ident, waits.append)) for ident in idents]
    took = spent(lambda: ([one.start() for one in people], [one.join() for one in people]), WALL)
    with ctx.store.unit() as unit:
        states = {dossier.state for ident in idents if (dossier := unit.dossier(ident)) is not None}
        kept = [unit.head(ident)[0] for ident in idents]
    if states != {"accorde"} or len(set(kept)) != 1:
        raise SystemExit(f"acts were lost: {states}, {kept}")
    return CLIENTS * STEPS / took


# -- T7 ----------------------------------------------------------------------------------------------------------------


def _beside_psycopg(ctx: AppContext, address: str) -> Measure:
    with psycopg.connect(address, autocommit=True) as db:
        db.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, state TEXT, version INTEGER, body TEXT)")
        db.execute("CREATE TABLE bare_event (dossier INTEGER, n INTEGER, at TEXT, PRIMARY KEY (dossier, n))")
        db.execute("INSERT INTO bare VALUES (1, 'a', 0, %s)", ("x" * 1500,))

        def bare() -> float:
            return spent(lambda: [_bare_postgres(db) for _ in range(FLOWS * STEPS)], WALL) / FLOWS / STEPS

        rounds = in_turns(lambda: walked(ctx, WALL), bare)
    us, them = (1000 * median_of(rounds, side) for side in range(2))
    beside = f"{us:.2f} ms ours, {them:.2f} ms the three statements"
    what = "an act in PostgreSQL: times the pace of three statements in a transaction"
    return Measure("T7", what, median_ratio(rounds, 1, 0), 1.6, 2, False, beside)


def _bare_postgres(db: psycopg.Connection[tuple[object, ...]]) -> None:
    with db.transaction():
        row = db.execute("SELECT state, version, body FROM bare WHERE id = 1 FOR UPDATE").fetchone()
        assert row is not None
        version = int(str(row[1]))
        sql = "UPDATE bare SET state = %s, version = %s, body = %s WHERE id = 1 AND version = %s"
        db.execute(sql, ("b" if row[0] == "a" else "a", version + 1, row[2], version))
        db.execute("INSERT INTO bare_event VALUES (1, %s, %s)", (version + 1, now_text()))


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
