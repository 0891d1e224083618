"""Every column of every table, changed by SQL past all guards: `fsck` says so, or the list says why it need not."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from engine.core.values import group_number
from engine.services.audit.integrity import Inspected, _of_dossier, findings, fsck, inspect, number_of
from engine.services.audit.integrity_rows import what_is_read
from engine.services.payments.payments import start_payment
from engine.storage.results import IntegrityFinding
from engine.storage.sql.connection import Queries
from engine.storage.sql.integrity import QUESTIONS
from engine.storage.sqlite.store import SqliteStore
from renderers.i18n.translations import load_words
from renderers.reports.integrity import _REMEDIES, findings_report
from tests.engine.services.tampering import (
    DECISIONS,
    FIXED,
    PostgresTamperer,
    SqliteTamperer,
    Tamperer,
    another,
    everything,
)
from tests.engine.services.world import PASSPORT, ROOT, World, a_world
from tests.postgres import an_empty_store

CODE = tuple(ROOT.glob("engine/**/*.py"))
OF_EXPLORATION = {"crash", "form", "message", "nobody", "price", "refused", "stuck", "unreached"}
BESIDE = {
    "annotation",
    "booking",
    "credit",
    "letter",
    "message",
    "note",
    "pay_event",
    "payment",
    "refund",
    "salt",
    "share",
    "timer",
}
TRIED = sorted(table for table, said in DECISIONS.items() if not isinstance(said, str))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def owned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Tamperer]]:
    folder = tmp_path_factory.mktemp("office")
    if request.param == "sqlite":
        world = everything(folder, SqliteStore(folder / "guichet.db"))
        hand: SqliteTamperer | PostgresTamperer = SqliteTamperer(folder / "guichet.db")
    else:
        store = an_empty_store()
        world = everything(folder, store)
        hand = PostgresTamperer(store.address)
    yield world, hand
    hand.close()
    world.office.store.close()


def said(world: World, found: Inspected, language: str) -> str:
    return findings_report(found, 4, lambda one: number_of(world.office, one), load_words(), language)


def found_in(world: World, table: str) -> Generator[IntegrityFinding, None, None]:
    """All that `fsck` finds, dossiers first where the table is kept beside them: only the first finding is looked for."""
    for dossier in world.office.store.all_dossiers() if table in BESIDE else ():
        yield from what_is_read(partial(_of_dossier, world.office, dossier, [], {}, {}), dossier)
    yield from findings(world.office, {})


def assert_reported(world: World, table: str, where: object) -> None:
    with closing(found_in(world, table)) as found:
        assert next(found, None) is not None, (table, where)


def test_untampered_it_is_clean(owned: tuple[World, Tamperer]) -> None:
    world, hand = owned
    assert fsck(world.office) == ()
    assert inspect(world.office).before == {}
    assert [table for table in TRIED if not hand.rows(table)] == [], "every table has a row to tamper with"


def test_every_table_has_its_decision(owned: tuple[World, Tamperer]) -> None:
    _, hand = owned
    assert set(DECISIONS) == hand.tables()
    for table, said in DECISIONS.items():
        assert isinstance(said, str) or set(said) <= set(hand.columns(table)), table


@pytest.mark.parametrize("table", TRIED)
def test_every_column_that_is_changed_is_told(owned: tuple[World, Tamperer], table: str) -> None:
    world, hand = owned
    harmless = DECISIONS[table]
    assert not isinstance(harmless, str)
    names, rows = hand.columns(table), hand.rows(table)
    for at, name in enumerate(names):
        if name in harmless or (table, name) in FIXED:
            continue
        row = rows.index(min(told_of(table, names, rows), key=lambda one: (one[at] is None, one.count(None))))
        changed = [*rows[row][:at], another(table, name, rows[row][at]), *rows[row][at + 1 :]]
        assert changed != list(rows[row]), (table, name)
        with hand.altered(table, [*rows[:row], changed, *rows[row + 1 :]]):
            assert_reported(world, table, name)
    assert hand.rows(table) == rows


def told_of(table: str, names: list[str], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Of the answers of operators those that credit."""
    return [row for row in rows if not (table == "pay_event" and _is_untold(table, names, row))]


@pytest.mark.parametrize("cell", ["[", *(pytest.param(one, marks=pytest.mark.nightly("fuzz")) for one in ("[]", "1"))])
@pytest.mark.parametrize("table", TRIED)
def test_a_cell_that_cannot_be_read_hides_nothing_else(owned: tuple[World, Tamperer], table: str, cell: str) -> None:
    """All is inspected to the end, and what was changed elsewhere is told too."""
    world, hand = owned
    names, rows = hand.columns(table), hand.rows(table)
    spoilt = "salt" if table != "salt" else "timer"
    with hand.changed(f"DELETE FROM {spoilt}", spoilt):
        for at, name in enumerate(names):
            row = next((n for n, one in enumerate(rows) if isinstance(one[at], str)), None)
            if row is None or (table, name) in FIXED or name in {"id", "dossier"}:
                continue
            spoiled = [*rows[row][:at], cell, *rows[row][at + 1 :]]
            with suppress(psycopg.errors.CheckViolation), hand.altered(table, [*rows[:row], spoiled, *rows[row + 1 :]]):
                found = {one.code for one in fsck(world.office)}
                assert found & {"salts_missing", "timers_differ"}, (table, name)


UNWRITABLE = {"half": '"\\ud800"', "float": "1.5", "infinite": "1e999", "deep": '{"a":' * 700 + "1" + "}" * 700}
OF_PLAIN = [(one, "body") for one in ("dossier_body", "entry", "people_entry", "publication_entry", "row_entry")]


@pytest.mark.parametrize(("table", "column"), [*OF_PLAIN, ("document", "paper"), ("account", "profile")])
@pytest.mark.parametrize("what", UNWRITABLE)
def test_a_value_that_is_read_and_could_not_be_written_hides_nothing_else(
    owned: tuple[World, Tamperer], table: str, column: str, what: str
) -> None:
    world, hand = owned
    rows, at = hand.rows(table), hand.columns(table).index(column)
    n = next(n for n, row in enumerate(rows) if row[at].startswith("{"))
    spoilt = json.dumps({**json.loads(rows[n][at]), "x": "?"}).replace('"?"', UNWRITABLE[what])
    changed = [*rows[:n], (*rows[n][:at], spoilt, *rows[n][at + 1 :]), *rows[n + 1 :]]
    with hand.changed("DELETE FROM timer", "timer"), hand.altered(table, changed):
        found = inspect(world.office)
    assert "timers_differ" in {one.code for one in found.findings}
    assert said(world, found, "fr")


def test_a_name_that_is_no_text_hides_nothing_else(owned: tuple[World, Tamperer]) -> None:
    world, hand = owned
    if not isinstance(hand, SqliteTamperer):
        return  # PostgreSQL stores no such text
    for column in ("id", "number"):
        with (
            hand.changed("UPDATE note SET by = 'x'", "note"),
            hand.changed(f"UPDATE dossier SET {column} = CAST(x'41ff42' AS TEXT) {FIRST}", "dossier"),
        ):
            found = inspect(world.office)
            assert {one.code for one in found.findings} & {"unread", "row_differs", "damaged", "orphan"}
            assert said(world, found, "fr")


FIRST = "WHERE id = (SELECT min(id) FROM dossier)"


@pytest.mark.parametrize("table", TRIED)
def test_every_row_that_is_deleted_is_told(owned: tuple[World, Tamperer], table: str) -> None:
    world, hand = owned
    rows = hand.rows(table)
    for n in {0, len(rows) // 2, len(rows) - 1}:
        if (table, "deleted") in UNTOLD and _is_untold(table, hand.columns(table), rows[n]):
            continue
        with hand.altered(table, [*rows[:n], *rows[n + 1 :]]):
            assert_reported(world, table, rows[n])


UNTOLD = {("letter", "deleted"), ("pay_event", "deleted"), ("edition", "deleted")}


def _is_untold(table: str, names: list[str], row: tuple[Any, ...]) -> bool:
    """Codes of the door are of no dossier and swept after a day; an answer that credits nothing; an edition out of service."""
    cells = dict(zip(names, row, strict=True))
    if table == "letter":
        return cells["dossier"] is None
    if table == "pay_event":
        return not cells["verified"] or cells["kind"] not in ("paid", "overpaid")
    return True


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_an_earlier_release_wrote_is_counted_and_no_fault(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entries commit to no row. From the next act on they do, and an inserted letter is told."""
    store = an_empty_store() if kind == "postgresql" else SqliteStore(tmp_path / "guichet.db")
    with monkeypatch.context() as earlier:
        earlier.setattr(Queries, "_commit_to", lambda *_: None)
        world = a_world(tmp_path, store)
        checker = world.agent("checker", "dgdn/controleur")
        passport = world.paid(world.take(world.sent(PASSPORT), checker, "conforme"))
    told = inspect(world.office)
    letters = len(world.read(lambda unit: unit.letters_of(passport.id)))
    assert (told.findings, told.before) == (
        (),
        {"dossier": 1, "timers": 1, "letter": letters, "payment": 1, "event": 1},
    )
    assert "Written before they were journalled: 1 dossier" in said(world, told, "en")
    world.wait(minutes=1)
    world.booked(passport, "depot")
    told = inspect(world.office)
    assert (told.findings, told.before) == ((), {"letter": letters, "payment": 1, "event": 1})
    with world.office.store.unit(write=True) as unit:
        unit._change("DELETE FROM letter WHERE created_at = (SELECT max(created_at) FROM letter)")
    assert {one.code for one in fsck(world.office)} == {"letter_deleted"}
    store.close()


INSERTED = {
    "account": {"id": "mallory", "login": "mallory"}, "identifier": {"value": "mallory@example.tg"}, "mandate": {"id": "mandate x"},
    "letter": {"id": "letter x", "dedupe": "x"}, "message": {"id": "message x"}, "note": {"id": "note x"}, "annotation": {"name": "x"},
    "payment": {"id": "payment x", "reference": "x", "provider_ref": None}, "pay_event": {"event_id": "x"}, "share": {"token_sha256": "x"},
    "booking": {"id": "booking x", "seat": 9, "appointment": "retrait"}, "refund": {"entry": 1}, "document": {"id": "x", "number": "x", "code": "x", "token": "x"},
    "second_factor": {"account": "agent checker"}, "phone_move": {"account": "agent checker"},
    "timer": {"name": "x"}, "work_order": {"id": "x", "n": 99}, "order_line": {"rank": 9},
}  # fmt: skip


@pytest.mark.parametrize("table", sorted(INSERTED))
def test_a_row_that_is_inserted_is_told(owned: tuple[World, Tamperer], table: str) -> None:
    """A copy of one that is there, under another key."""
    world, hand = owned
    names, rows = hand.columns(table), hand.rows(table)
    like = min(told_of(table, names, rows), key=lambda row: row.count(None))
    copied = [INSERTED[table].get(name, cell) for name, cell in zip(names, like, strict=True)]
    with hand.altered(table, [*rows, copied]):
        assert_reported(world, table, copied)


def test_a_password_is_not_replaced_nor_an_owner(owned: tuple[World, Tamperer]) -> None:
    """By name, as an administrator reads it: the login, the dossier's number, and what to do."""
    world, hand = owned
    ((number,), *_) = hand.run("SELECT number FROM dossier WHERE id IN (SELECT dossier FROM document)")
    with hand.changed("UPDATE account SET secret = 'x' WHERE login = 'checker'", "account"):
        found = inspect(world.office)
        assert [(one.code, one.facts["about"]) for one in found.findings] == [("account_differs", "checker")]
        assert "un compte a été modifié hors du journal" in said(world, found, "fr")
        assert "about=checker" in said(world, found, "en")
    swap = (
        f'UPDATE dossier_body SET body = replace(body, \'"owner":"applicant\', \'"owner":"mallory\') {hand.of(number)}'
    )
    with hand.changed(swap, "dossier_body"):
        found = inspect(world.office)
        assert "body_differs" in {one.code for one in found.findings}
        for language in ("fr", "en"):
            assert group_number(number) in said(world, found, language)


def test_answers_are_not_changed_with_their_salts_deleted(owned: tuple[World, Tamperer]) -> None:
    world, hand = owned
    with (
        hand.changed("DELETE FROM salt", "salt"),
        hand.changed("UPDATE dossier_body SET body = replace(body, 'AMEGAN', 'KOSSI')", "dossier_body"),
    ):
        assert {"salts_missing", "body_differs", "answers_differ"} <= {one.code for one in fsck(world.office)}


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_a_payment_in_progress_is_not_ended(tmp_path: Path, status: str) -> None:
    """Its operator would be asked no more, and what it collects would never be credited."""
    world = a_world(tmp_path, SqliteStore(tmp_path / "guichet.db"))
    start_payment(
        world.office, afi := world.applicant(), world.sent(owner=afi).id, provider="sandbox", payer="90112233"
    )
    assert fsck(world.office) == ()
    with closing(SqliteTamperer(tmp_path / "guichet.db")) as hand:
        hand.run(f"UPDATE payment SET status = '{status}'")
        assert [one.code for one in fsck(world.office)] == ["payment_differs"]


def test_a_payment_ends_no_later_than_its_credit(owned: tuple[World, Tamperer]) -> None:
    """Else its receipt is called received after the money went back."""
    world, hand = owned
    with hand.changed("UPDATE payment SET ended_at = replace(ended_at, '2026-', '2027-')", "payment"):
        assert "payment_differs" in {one.code for one in fsck(world.office)}


def test_many_of_one_kind_are_one_sentence(owned: tuple[World, Tamperer]) -> None:
    world, _ = owned
    found = Inspected(tuple(IntegrityFinding("edition_lost", f"d{n}", {"edition": "b3"}) for n in range(59)), {})
    told = said(world, found, "fr").splitlines()
    assert told[0].startswith(
        "59 dossiers (d0, d1, d2, d3, d4, …)\N{NO-BREAK SPACE}: l’édition de la procédure ne se lit plus. Remettez"
    )
    assert told[1:] == ["59 constats."]


def test_every_code_has_its_sentence_in_both_languages() -> None:
    """Those that the engine writes out, and those of the questions in SQL."""
    written = set(re.findall(r'IntegrityFinding\(\s*"([a-z_]+)"', "".join(one.read_text("utf-8") for one in CODE)))
    for language in ("fr", "en"):
        texts = yaml.safe_load((ROOT / f"renderers/i18n/catalogues/words_fsck.{language}.yaml").read_text("utf-8"))[
            "fsck"
        ]
        assert (written | set(QUESTIONS)) - OF_EXPLORATION <= set(texts["found"])
        assert set(_REMEDIES.values()) | {"compare"} == set(texts["do"])
    assert set(_REMEDIES) <= set(texts["found"])
