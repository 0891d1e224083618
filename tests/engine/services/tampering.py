"""An office with something in every table, a hand that writes to its database past every guard, and what `fsck` owes to know of each
column: whether a journal knows it, or why none needs to."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

from engine.records.people import Identifier, PhoneMove, SecondFactor
from engine.services.accounts import delegation as representation
from engine.services.applications import document_links as sharing
from engine.services.applications import messages, notes
from engine.services.core.checkpoints import sign_journal
from engine.services.core.jobs import give
from engine.services.payments.refunds import owed_back, pay_back
from engine.services.worker.worker import run_pass
from engine.storage.postgres.store import PostgresStore
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.accounts.test_delegation import administrator, company
from tests.engine.services.world import PASSPORT, PHONE, World, a_world

TWICE_DEBITED: Final = "+22890000006"

# Every table of the schema. A text: no column of it is compared, and why. Else the columns that are not, and why; all others are
# tampered with, one by one, and `fsck` must say so.
_FATE: Final = "what became of it; it changes at each try"
_WHOLE_JOURNAL: Final[Mapping[str, str]] = {}
DECISIONS: Final[Mapping[str, str | Mapping[str, str]]] = {
    "compatibility": "the newest migration that a release must know: another one stops releases, and no dossier names it",
    "dossier": _WHOLE_JOURNAL,
    "dossier_body": _WHOLE_JOURNAL,
    "dossier_word": _WHOLE_JOURNAL,
    "entry": _WHOLE_JOURNAL,
    "salt": _WHOLE_JOURNAL,
    "people_entry": _WHOLE_JOURNAL,
    "publication_entry": _WHOLE_JOURNAL,
    "row_entry": _WHOLE_JOURNAL,
    "row_salt": _WHOLE_JOURNAL,
    "leaf": _WHOLE_JOURNAL,
    "account": _WHOLE_JOURNAL,
    "identifier": _WHOLE_JOURNAL,
    "second_factor": {"last_step": "changes at each sign-in; guards one code for half a minute"},
    "phone_move": _WHOLE_JOURNAL,
    "mandate": _WHOLE_JOURNAL,
    "letter": {"due_at": _FATE, "attempts": _FATE, "sent_at": _FATE, "failed": _FATE, "claimed_until": _FATE},
    "payment": {
        "started_at": "corrected after a clock that was ahead; its entry says when",
        "ended_at": "brought back after a clock that was ahead; a later one than its credit is found",
        "provider_ref": "the operator's own; it is asked by our reference",
        "checked_at": "when it was last asked about",
        "page": "the operator's page, of use while the payment is pending",
        "reason": "of a payment that is open; of one that ended it is compared",
        "expires_at": "of a payment that is open; of one that ended it is compared",
    },
    "pay_event": _WHOLE_JOURNAL,
    "credit": _WHOLE_JOURNAL,
    "refund": _WHOLE_JOURNAL,
    "booking": _WHOLE_JOURNAL,
    "timer": _WHOLE_JOURNAL,
    "message": {"read_at": "when it was first read"},
    "note": _WHOLE_JOURNAL,
    "annotation": _WHOLE_JOURNAL,
    "follow": "which agents want a dossier in a list of theirs; nothing is decided by it",
    "share": {"opens": "counts its openings", "opened_at": "its last opening"},
    "serial": _WHOLE_JOURNAL,
    "document": _WHOLE_JOURNAL,
    "edition": {
        "published_at": "the publication that placed it says when",
        "published_by": "the publication that placed it says who",
        "commit": "the publication that placed it says which",
        "source": "what an author wrote; `expanded` is what is applied, and is fingerprinted",
    },
    "publication": _WHOLE_JOURNAL,
    "tree": {"at": "when it was last signed; the note says so"},
    "tree_node": "derived: the leaves are compared with the notes",
    "leaf_owed": "derived: an entry that is no leaf and is not owed is told",
    "tally": "derived: counted from the journal, and counted again with `worker --recount`",
    "tally_mark": "derived: counted from the journal, and counted again with `worker --recount`",
    "sms_count": "how many messages left and their cost, by month: a report, nothing of a person",
    "unproven_file": "files of drafts that nobody proved to be theirs, until they are taken away a day later",
    "seat_hold": "lasts some minutes: a seat held while it is confirmed",
    "waiting": "who is to be told of a free seat; nothing is decided by it",
    "reading": "who of the administration read what: one line a day, beside the journal",
    "session": "lasts some hours or weeks; what is done in it is journalled",
    "sign_in_code": "lasts some minutes",
    "rate": "counts tries for some minutes",
    "aside": "lasts some minutes",
    "reply": "lasts some days: the answer to a form sent twice",
    "watch": "how following a repository goes; what is in service is a publication",
    "work_order": {
        "asked": "an entry without salts tells nothing of what was looked for; what is done by it is journalled by dossier",
        "ended_at": "when; that lines are left of one that ended is told",
        "until": "when its file is thrown away",
        "claimed_until": "while it is carried out",
    },
    "order_line": dict.fromkeys(
        ("rank", "dossier", "number", "revision", "outcome", "why", "facts", "at"),
        "the journal of people tells of no dossier; what is done by a line is journalled with its dossier",
    ),
    "order_part": "a file to take away, made again from what it lists",
    "snippet": "sentences offered to agents; what they send is journalled",
    "opening_change": "compared with the journal of people: tests/engine/services/appointments/test_openings.py",
    "opening_head": "counts the changes of opening hours",
}
# Cells that a check of the schema allows no free text in.
_ANOTHER: Final[Mapping[tuple[str, str], Any]] = {
    ("account", "kind"): "auditor", ("identifier", "kind"): "provider", ("mandate", "kind"): "child",
    ("mandate", "role"): "reader", ("mandate", "status"): "ended", ("letter", "channel"): "inbox",
    ("payment", "status"): "unknown", ("pay_event", "kind"): "failed", ("booking", "status"): "attended",
    ("document", "status"): "revoked", ("publication", "outcome"): "refused",
    ("document", "row"): 7, ("work_order", "work"): "act",
}  # fmt: skip
FIXED: Final = frozenset(
    {("tree", "name"), ("people_entry", "dossier"), ("publication_entry", "dossier")}
)  # one value, says the schema
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def everything(folder: Path, store: SqliteStore | PostgresStore) -> World:
    """Whole lives, with money paid twice and seats, messages, mandates, second factors."""
    world = a_world(folder, store)
    settings = replace(world.office.settings, checkpoints=folder / "notes", base_url="https://guichet.example")
    world.office = replace(world.office, settings=settings)
    clerk, chief = world.agent("clerk", "sncja/greffier_en_chef"), world.agent("chief", "sncja/greffier_en_chef")
    afi = world.applicant()
    signed = world.take(world.paid(world.sent(owner=afi), TWICE_DEBITED), chief, "signer")
    (owed,) = owed_back(world.office, afi, signed.id)
    pay_back(world.office, clerk, signed.id, owed.refund.entry, "OM-2026-4471")
    sharing.lend(world.office, afi, signed.id, signed.documents[0].id)
    koffi = world.applicant("+22891112233")
    checker = world.agent("checker", "dgdn/controleur")
    passport = world.take(world.sent(PASSPORT, koffi), checker, "conforme")
    messages.write_message(world.office, koffi, passport.id, "Bonjour, où en est ma demande ?")
    messages.write_message(world.office, checker, passport.id, "Elle est prête.")
    notes.write_note(world.office, checker, passport.id, "Vu avec le service.")
    mark = notes.annotations_of(world.office, checker, passport.id).mark
    notes.annotate(world.office, checker, passport.id, {"annotation-etiquettes": ["urgent"]}, mark)
    world.booked(world.booked(world.paid(passport), "depot"), "depot", 3)
    world.draft(PASSPORT, world.applicant("+22892112233"))
    representation.check(world.office, administrator(world), company(world, afi).id, True, name="Sotogaz SARL")
    now = world.office.now()
    with world.office.store.unit(write=True) as unit:
        unit.put_second_factor(SecondFactor(clerk.id, "sealed", now, 5, ("one", "two")))
        unit.add_phone_move(
            PhoneMove(afi.id, PHONE, "+22891445566", signed.id, clerk.id, "x", now, now + timedelta(days=3))
        )
        unit.add_identifier(Identifier("email", "afi@example.tg", afi.id, now))
        passport = unit.dossier(passport.id)
        give(world.office, unit, checker, "handover", {"to": ""}, 1, [(passport.id, passport.number, 1)])
    run_pass(world.office)
    world.wait(minutes=2)
    assert sign_journal(world.office)
    return world


class Tamperer:
    """Whoever owns the database: no trigger and no foreign key holds it."""

    def run(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def tables(self) -> set[str]:
        """All of the schema, but the one that tells which migrations were applied."""
        raise NotImplementedError

    def columns(self, table: str) -> list[str]:
        raise NotImplementedError

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        names = ", ".join(f'"{one}"' for one in self.columns(table))
        return self.run(f"SELECT {names} FROM {table} ORDER BY {names}")

    def put(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """These rows and no others."""
        names = self.columns(table)
        marks = ", ".join("?" * len(names))
        self.run("BEGIN")
        try:
            self.run(f"DELETE FROM {table}")
            self.insert(f"INSERT INTO {table} ({', '.join(map(_quoted, names))}) VALUES ({marks})", rows)
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def of(self, number: str) -> str:
        return f"WHERE dossier = (SELECT id FROM dossier WHERE number = '{number}')"

    @contextmanager
    def changed(self, sql: str, table: str) -> Iterator[None]:
        """One statement, taken back afterwards."""
        before = self.rows(table)
        self.run(sql)
        try:
            yield
        finally:
            self.put(table, before)

    @contextmanager
    def altered(self, table: str, rows: Sequence[Sequence[Any]]) -> Iterator[None]:
        before = self.rows(table)
        self.put(table, rows)
        try:
            yield
        finally:
            self.put(table, before)


class SqliteTamperer(Tamperer):
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self.run("PRAGMA ignore_check_constraints = ON")
        for (name,) in self.run("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
            self.run(f'DROP TRIGGER "{name}"')

    def close(self) -> None:
        self._connection.close()

    def run(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(sql, cells).fetchall()

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)

    def tables(self) -> set[str]:
        named = self.run("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {name for (name,) in named if "sqlite_" not in name}

    def columns(self, table: str) -> list[str]:
        return [name for (name,) in self.run("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))]


class PostgresTamperer(Tamperer):
    def __init__(self, address: str) -> None:
        self._connection = psycopg.connect(address, autocommit=True)
        self.run("SET session_replication_role = replica")

    def close(self) -> None:
        self._connection.close()

    def run(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        done = self._connection.execute(sql.replace("?", "%s"), cells)
        return done.fetchall() if done.description else []

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.cursor().executemany(sql.replace("?", "%s"), rows)

    def tables(self) -> set[str]:
        named = self.run("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
        return {name for (name,) in named if name != "migration"}

    def columns(self, table: str) -> list[str]:
        sql = (
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND table_name = ? AND is_generated = 'NEVER' AND column_name <> 'rowid' ORDER BY ordinal_position"
        )
        return [name for (name,) in self.run(sql, (table,))]


def _quoted(name: str) -> str:
    return f'"{name}"'


def another(table: str, column: str, cell: Any) -> Any:
    """Another value that the schema allows and the code can read."""
    if (table, column) == ("message", "side"):
        return "agent" if cell == "applicant" else "applicant"
    if (table, column) == ("serial", "last"):  # a higher one gives no number twice
        return cell - 1
    if (table, column) in _ANOTHER:
        return _ANOTHER[table, column]
    if isinstance(cell, int):
        return 1 - cell if cell in (0, 1) and column not in ("n", "amount", "last", "revision", "seq") else cell + 1000
    if cell is None:
        return "2025-01-01T09:00:00.000000Z" if column.endswith("_at") else "2025-01-01" if "until" in column else "x"
    if _DAY.match(cell):
        return f"{int(cell[:4]) - 1}{cell[4:]}"
    try:
        plain = json.loads(cell)
    except ValueError:
        return f"{cell}x"
    if isinstance(plain, list):
        return json.dumps([*plain, "x"] if all(isinstance(one, str) for one in plain) else plain[1:])
    return json.dumps({**plain, "x": "2025-01-01"}) if isinstance(plain, dict) else f"{cell}x"
