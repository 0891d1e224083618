"""What taking an act costs, with all that is kept with it: beside SpiffWorkflow, its own statements, and three in PostgreSQL.

Ours goes through the public verb of an agent: rights and conditions judged; dossier, sealed entry, timers and messages kept in
one transaction. SpiffWorkflow (`benchmarks/peers/spiff.py`) keeps a workflow, a sealed entry, a timer and a row. SQLite keeps FULL.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from benchmarks.counter_office import AGENT, STEPS, circuit, office_of, sent
from benchmarks.environment import peers
from benchmarks.forms import said_by
from benchmarks.measure import CPU, WALL, Clock, Measure, in_turns, median_of, median_ratio, percentile, spent
from benchmarks.own_statements import OwnStatements
from benchmarks.portal import process_in
from engine.domain.common.decision import Act
from engine.services.applications.casework import take_transition
from engine.services.context.app_context import AppContext
from tests.postgres import database

FLOWS, CLIENTS, PROCESSES = 4, 32, 2
TASKS = {8: 1.5, 13: 2.0, 30: 3.0}  # of a circuit, with what is aimed at


def measures() -> Iterator[Measure]:
    """Every line, as it is measured."""
    for tasks, aim in TASKS.items():
        yield _beside_spiff(tasks, aim)
    with tempfile.TemporaryDirectory() as name, office_of(circuit(), Path(name)) as office:
        yield _beside_own_statements(office, Path(name) / "twin.db")
        yield from _crowd(office, Path(name))
    with (
        tempfile.TemporaryDirectory() as name,
        database() as address,
        office_of(circuit(), Path(name), address) as office,
    ):
        yield _beside_three_statements(office, address)


def walked(ctx: AppContext, clock: Clock, flows: int = FLOWS, steps: int = STEPS) -> float:
    """Seconds an act, of dossiers taken from one end of the circuit to the other."""
    idents = [sent(ctx)[1].id for _ in range(flows)]
    return spent(lambda: [walk(ctx, ident, steps) for ident in idents], clock) / flows / steps


def walk(ctx: AppContext, ident: str, steps: int = STEPS) -> None:
    """Takes every act of one dossier."""
    states = [take_transition(ctx, AGENT, ident, Act(f"avancer{n}")).state for n in range(steps)]
    if states[-1] != "accorde":
        raise SystemExit(f"a dossier ended at {states[-1]}")


def _beside_spiff(tasks: int, aim: float) -> Measure:
    with tempfile.TemporaryDirectory() as name, ExitStack() as kept:
        folder = Path(name)
        office = kept.enter_context(office_of(circuit(tasks), folder / "ours"))
        command = [str(peers()), "-m", "benchmarks.peers.spiff", str(folder / "spiff.db"), str(tasks)]
        spiff = kept.enter_context(process_in(command))
        rounds = in_turns(
            lambda: walked(office, CPU, steps=tasks), lambda: float(said_by(spiff, str(FLOWS))) / 1_000_000
        )
    us, them = 1000 * median_of(rounds, 0), 1000 * median_of(rounds, 1)
    what, beside = (
        f"an act of {tasks}, FULL, processor: SpiffWorkflow / ours",
        f"{us:.2f} ms ours, {them:.2f} ms theirs",
    )
    return Measure(f"P4-{tasks}", what, median_ratio(rounds, 1, 0), aim, aim, False, beside)


def _beside_own_statements(ctx: AppContext, twin: Path) -> Measure:
    idents = [sent(ctx)[1].id for _ in range(FLOWS + 1)]
    works = [lambda ident=ident: walk(ctx, ident) for ident in idents]  # type: ignore[misc]
    with closing(OwnStatements(ctx, works, twin)) as own:
        rounds = in_turns(lambda: walked(ctx, WALL), lambda: own.again() / STEPS)
        us, alone = 1000 * median_of(rounds, 0), 1000 * median_of(rounds, 1)
        beside = f"{us:.2f} ms ours, {alone:.2f} ms its {own.each / STEPS:.0f} statements alone"
    what = "an act, one client, FULL: its own statements alone / ours"
    return Measure("P5", what, median_ratio(rounds, 1, 0), 0.55, 0.65, False, beside)


# -- many at once ------------------------------------------------------------------------------------------------------


def _crowd(ctx: AppContext, folder: Path) -> Iterator[Measure]:
    """32 at once in two processes, each on a dossier of their own."""
    waits, refused = list[float](), list[int]()
    with ExitStack() as kept:
        sides = [kept.enter_context(_crowd_process(folder)) for _ in range(PROCESSES)]
        rounds = in_turns(
            lambda: _together(ctx, sides, CLIENTS, waits, refused),
            lambda: _together(ctx, sides[:1], 1, [], refused),
            rounds=5,
        )
    many, one = (median_of(rounds, side) for side in range(2))
    beside = f"{many:.0f} /s of {CLIENTS} in {PROCESSES} processes, {one:.0f} /s of one; none lost"
    yield Measure("P6", f"{CLIENTS} clients, FULL: times one client", median_ratio(rounds, 0, 1), 2, 2, False, beside)
    p50, p99 = (1000 * percentile(waits, share) for share in (0.5, 0.99))
    reported = f"half within {p50:.0f} ms, 99 of 100 within {p99:.0f} ms"
    yield Measure("P6-wait", "the same: the longest wait (ms)", 1000 * max(waits), 100, 100, beside=reported)
    what = "the same: acts refused because the store was busy, and asked again"
    yield Measure("P6-refused", what, sum(refused), 0, 0, beside=f"of {len(waits)}")


@contextmanager
def _crowd_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with process_in([sys.executable, "-m", "benchmarks.crowd", str(folder)]) as process:
        said_by(process, "")
        yield process


def _together(
    ctx: AppContext, sides: Sequence[subprocess.Popen[str]], clients: int, waits: list[float], refused: list[int]
) -> float:
    """Acts a second; none may be lost."""
    idents = [sent(ctx)[1].id for _ in range(clients)]
    parts = [json.dumps(idents[n :: len(sides)]) for n in range(len(sides))]
    began = WALL()
    for side, part in zip(sides, parts, strict=True):
        print(part, file=side.stdin, flush=True)
    for side in sides:
        answered = json.loads(said_by(side, ""))
        waits += answered["waits"]
        refused.append(answered["refused"])
    took = WALL() - began
    with ctx.store.unit() as unit:
        states = {dossier.state for ident in idents if (dossier := unit.dossier(ident)) is not None}
        kept = {unit.head(ident)[0] for ident in idents}
    if states != {"accorde"} or len(kept) != 1:
        raise SystemExit(f"acts were lost: {states}, {kept}")
    return clients * STEPS / took


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def _beside_three_statements(ctx: AppContext, address: str) -> Measure:
    with psycopg.connect(address, autocommit=True) as db:
        db.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, state TEXT, version INTEGER, body TEXT)")
        db.execute("CREATE TABLE bare_event (dossier INTEGER, n INTEGER, at TEXT, PRIMARY KEY (dossier, n))")
        db.execute("INSERT INTO bare VALUES (1, 'a', 0, %s)", ("x" * 1500,))

        def bare() -> float:
            return spent(lambda: [_three_statements(db) for _ in range(FLOWS * STEPS)], WALL) / FLOWS / STEPS

        rounds = in_turns(lambda: walked(ctx, WALL), bare)
    us, them = (1000 * median_of(rounds, side) for side in range(2))
    beside = f"{us:.2f} ms ours, {them:.2f} ms the three statements"
    what = "an act in PostgreSQL: three statements in a transaction / ours"
    return Measure("P7", what, median_ratio(rounds, 1, 0), 0.55, 0.7, False, beside)


def _three_statements(db: psycopg.Connection[tuple[object, ...]]) -> None:
    with db.transaction():
        row = db.execute("SELECT state, version, body FROM bare WHERE id = 1 FOR UPDATE").fetchone()
        assert row is not None
        version = int(str(row[1]))
        sql = "UPDATE bare SET state = %s, version = %s, body = %s WHERE id = 1 AND version = %s"
        db.execute(sql, ("b" if row[0] == "a" else "a", version + 1, row[2], version))
        db.execute("INSERT INTO bare_event VALUES (1, %s, %s)", (version + 1, datetime.now(UTC).isoformat()))


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
