"""A country's dossiers, made in bulk: a few true ones, told again under other numbers, names, dates and owners, row by row
into the tables of the store. Nine in ten are closed. Only to be measured: their journals are short, and no true chains."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.counter_office import AGENT, STEPS, sent
from engine.core.clock import FixedClock
from engine.core.values import check_digit
from engine.domain.common.decision import Act
from engine.records.codec import instant_text
from engine.services.applications.casework import take_transition
from engine.services.appointments.bookings import book_slot, mark, slots
from engine.services.context.app_context import AppContext
from engine.storage.sql.search import label_words
from engine.storage.table_copy import TableRows

SLICE = 20_000
ENTRIES = 3  # of each journal; a true one of this circuit has fourteen, and takes 9 KB
NAME = "ZZMODELE PERSONNE"
_FAMILIES = (
    "mensah",
    "agbeko",
    "lawson",
    "kpodar",
    "amouzou",
    "tchalla",
    "koffi",
    "ayite",
    "bawa",
    "djobo",
    "gbeho",
    "sossou",
)
_TABLES = ("dossier", "dossier_body", "entry", "timer")


@dataclass(frozen=True)
class Model:
    """The rows of one true dossier, by table."""

    columns: dict[str, tuple[str, ...]]
    rows: dict[str, list[tuple[Any, ...]]]
    known: dict[str, Any]  # its row in the table of lists, by column


def fill(ctx: AppContext, count: int) -> None:
    """Puts that many dossiers beside those there are."""
    models = _models(ctx)
    for first in range(0, count, SLICE):
        with ctx.store.tables("fill") as rows:
            _slice(rows, models, range(first, min(count, first + SLICE)))


def owner_of(number: int) -> str:
    """Three dossiers a person."""
    return f"owner{number // 3}"


def number_of(number: int) -> str:
    body = f"27{number:08d}"
    return body + check_digit(body)


def name_of(number: int) -> str:
    """The first name of the list is the commonest by far: every fifth person bears it; surnames tell people apart."""
    chance = random.Random(number)
    family = _FAMILIES[min(chance.randrange(16), chance.randrange(16)) % len(_FAMILIES)]
    return f"{family.upper()} {''.join(chance.choice('aeiouklmnst') for _ in range(7)).capitalize()}"


def _models(ctx: AppContext) -> list[Model]:
    """One in each state of the circuit, then a closed one, so often that nine in ten are."""
    idents = [_walked(ctx, steps) for steps in range(STEPS + 1)]
    with ctx.store.tables("read") as rows:
        every = [_model(rows, ident) for ident in idents]
    return [*every[:STEPS], *every[STEPS:] * (9 * STEPS)]


def _walked(ctx: AppContext, steps: int) -> str:
    owner, dossier = sent(ctx, NAME)
    free = slots(ctx, owner, dossier.id, "depot").first_free
    if free is None:
        raise SystemExit("no free slot for a model")
    book_slot(ctx, owner, dossier.id, "depot", free.office, free.start)
    ctx = replace(ctx, clock=FixedClock(free.start + timedelta(hours=1)))
    mark(ctx, AGENT, dossier.id, "depot", "attended")
    for n in range(steps):
        take_transition(ctx, AGENT, dossier.id, Act(f"avancer{n}"))
    return dossier.id


def _model(rows: TableRows, ident: str) -> Model:
    columns = {table: rows.columns(table) for table in _TABLES}
    key = {"dossier": "id"}
    found = {
        table: [
            tuple(row)
            for row in rows.read(table, columns[table], rows.key(table))
            if row[columns[table].index(key.get(table, "dossier"))] == ident
        ]
        for table in _TABLES
    }
    return Model(columns, found, dict(zip(columns["dossier"], found["dossier"][0], strict=True)))


def _slice(rows: TableRows, models: list[Model], numbers: range) -> None:
    columns = models[0].columns
    reported = [_reported(models[n % len(models)], n) for n in numbers]
    for table in _TABLES:
        rows.write(table, columns[table], (row for one in reported for row in one[table]))
    words = ((word, _id(n)) for n in numbers for word in sorted({number_of(n), *label_words(name_of(n))}))
    rows.write("dossier_word", ("word", "dossier"), words)
    rows.write("booking", _BOOKING, (_booking(n) for n in numbers))


def _reported(model: Model, number: int) -> dict[str, list[tuple[Any, ...]]]:
    """The same dossier of somebody else, at another time."""
    known, swaps = model.known, _swaps(model.known, number)

    def other(cell: Any) -> Any:
        if not isinstance(cell, str):
            return cell
        if cell in swaps:
            return swaps[cell]
        if cell.startswith("{") and known["number"] in cell:
            for was, becomes in swaps.items():
                cell = cell.replace(was, becomes)
        return cell

    reported = {
        table: [tuple(map(other, row)) for row in model.rows[table]] for table in ("dossier", "dossier_body", "timer")
    }
    at = {name: model.columns["entry"].index(name) for name in ("dossier", "n", "hash", "previous")}
    reported["entry"] = [_entry(row, at, number) for row in model.rows["entry"][:ENTRIES]]
    return reported


def _swaps(known: dict[str, Any], number: int) -> dict[str, str]:
    moved = timedelta(minutes=-(number * 7919 % 5_000_000))
    dates = {
        known[name]: instant_text(datetime.fromisoformat(known[name]) + moved)
        for name in ("created_at", "entered_at", "submitted_at", "due_at")
        if known[name]
    }
    return {
        known["id"]: _id(number), known["number"]: number_of(number), known["owner"]: owner_of(number),
        known["label"]: name_of(number), **dates,
    }  # fmt: skip


def _entry(row: tuple[Any, ...], at: dict[str, int], number: int) -> tuple[Any, ...]:
    cells = list(row)
    cells[at["dossier"]] = _id(number)
    cells[at["hash"]] = hashlib.sha256(f"{number}.{row[at['n']]}".encode()).hexdigest()
    return tuple(cells)


def _id(number: int) -> str:
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


_BOOKING = (
    "id",
    "dossier",
    "resource",
    "appointment",
    "office",
    "start",
    "minutes",
    "seat",
    "status",
    "moves",
    "sequence",
)


def _booking(number: int) -> tuple[Any, ...]:
    """A visit that took place: eighteen a day, every day, back in time."""
    start = datetime(2026, 10, 1, 7, tzinfo=UTC) - timedelta(days=number // 18 % 3_000, minutes=-30 * (number % 18))
    seat = number // (18 * 3_000)
    return (
        f"b{_id(number)}",
        _id(number),
        "obac/instructeur",
        "depot",
        "obac_lome",
        instant_text(start),
        30,
        seat,
        "attended",
        0,
        0,
    )


def people_of(count: int, tries: int) -> Iterator[int]:
    """Numbers of dossiers to ask for, the same at each run."""
    chance = random.Random(count)
    yield from (chance.randrange(count) for _ in range(tries))
