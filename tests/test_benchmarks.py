"""Whoever asks what is measured is told before anything is."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks import journey, paying
from benchmarks.__main__ import FAMILIES, main
from benchmarks.circuit import walk
from benchmarks.counter_office import circuit, office_of, sent
from benchmarks.measure import Measure
from benchmarks.own_statements import OwnStatements
from benchmarks.peers.in_process import filled
from tests.faults.installation import patient


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_says_what_each_family_measures_and_what_is_made_before(
    asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", asked, "forms"])
    main()
    said = capsys.readouterr().out
    plain = " ".join(said.split())
    for name, family in FAMILIES.items():
        assert f"\n{name} " in said
        assert len(family.about) > 40
        assert family.about in plain
        assert f"Before: {family.before}." in plain
    assert "a quarter of an hour, once: a million dossiers" in plain


def test_a_family_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "page"])
    with pytest.raises(SystemExit, match=r"page\? There are forms, .*--help"):
        main()


@pytest.mark.slow
def test_the_journey_comes_to_its_receipt_in_each_store(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make bench-smoke`: any answer that is not the expected one ends it with an error."""
    monkeypatch.setattr("sys.argv", ["benchmarks", "smoke"])
    main()
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["SQLite", "PostgreSQL"]


@pytest.mark.parametrize("answered", [["pay: 503 to , Le service est très demandé"], ["no answer: TimeoutError()"]])
def test_a_journey_without_its_receipt_is_red(answered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "smoke"])
    monkeypatch.setattr(journey, "played", lambda address: answered)
    with pytest.raises(SystemExit, match=r"SQLite: (pay|no answer)"):
        main()


@pytest.mark.slow
def test_who_pays_is_told_at_once_while_an_operator_hangs() -> None:
    """The matrix of `python -m benchmarks paying`, one of its cases, smaller."""
    found = paying.measured(paying.Cell("sqlite", 2, 4, paying.HANGS), payers=6, seconds=1.0)
    assert found.wrong == 0
    assert found.seen < patient(paying.SEEN)


def test_a_line_is_kept_with_its_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "paying"])
    lines = [Measure("X", "times", 2.0, 1.5, 3.0, most=False)]
    monkeypatch.setitem(FAMILIES, "paying", replace(FAMILIES["paying"], measures=lambda: iter(lines)))
    monkeypatch.setattr("benchmarks.__main__.OUT", tmp_path / "out.json")
    main()
    (kept,) = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert {key: kept[key] for key in ("id", "value", "floor", "stretch", "met")} == {
        "id": "X", "value": 2.0, "floor": 1.5, "stretch": 3.0, "met": True
    }  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{40}\+?", kept["commit"])


@pytest.mark.parametrize(
    ("page", "posted"),
    [
        ('<input name="q{n}" maxlength="80" value="x">', "réponse"),
        ('<input name="q{n}" inputmode="numeric">', "12"),
        ('<input type="number" name="q{n}">', "12"),
        ('<input type="date" name="q{n}">', "1990-05-01"),
        ('<input type="radio" name="q{n}" value="a"><input type="radio" name="q{n}" value="b">', "b"),
    ],
)
def test_a_page_is_filled_in_by_the_kind_of_its_questions(page: str, posted: str) -> None:
    """Ours and those of the peers alike."""
    hidden = '<input type="hidden" name="csrf_token" value="a&amp;b"><input type="hidden" name="revision" value="3">'
    whole = hidden + "".join(page.format(n=n) for n in range(30)) + '<button name="go" value="later">'
    assert filled(whole) == {"csrf_token": "a&b", **{f"q{n}": posted for n in range(30)}, "go": "later"}


def test_own_statements_are_said_again_and_leave_the_same_rows(tmp_path: Path) -> None:
    """P5 and P8 hold our work against exactly what it says to the store."""
    with office_of(circuit(2), tmp_path / "office") as office:
        works = [partial(walk, office, sent(office)[1].id, 2) for _ in range(2)]
        with closing(OwnStatements(office, works, tmp_path / "twin.db")) as own:
            assert own.again() > 0
            assert own.again() > 0
            assert _rows(tmp_path / "twin.db") == _rows(Path(office.store.path))  # type: ignore[attr-defined]


def _rows(path: Path) -> dict[str, list[object]]:
    with closing(sqlite3.connect(path)) as db:
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in ("dossier", "entry", "timer")}


def test_an_answer_that_is_no_receipt_is_wrong_and_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = [Measure("X-errors", "wrong answers", 2, 0, 0)]
    monkeypatch.setattr("sys.argv", ["benchmarks", "paying"])
    monkeypatch.setitem(FAMILIES, "paying", replace(FAMILIES["paying"], measures=lambda: iter(lines)))
    monkeypatch.setattr("benchmarks.__main__.OUT", tmp_path / "out.json")
    with pytest.raises(SystemExit, match="2 wrong answers"):
        main()


@pytest.mark.parametrize(
    ("status", "place", "page"),
    [
        (503, "", "<h1>Le service est très demandé</h1>"),
        (200, "", "<h1>Nous vérifions votre paiement</h1>"),
        (303, "/connexion", ""),
    ],
)
def test_whatever_is_no_receipt_is_counted(
    status: int, place: str, page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = journey.Journey(1, "", 0.0)
    monkeypatch.setattr(one, "asks_to_pay", lambda number, payer: "/dossiers/1/paiement/p")
    monkeypatch.setattr(one, "_ask", lambda kind, method, path: (status, place, page))
    with pytest.raises(journey.Stopped):
        one.pays("1", journey.PAYER)
    assert one.wrong == 1
    assert "wrong: following" in capsys.readouterr().out
