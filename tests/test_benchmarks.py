"""Whoever asks what is measured is told before anything is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import journey, paying
from benchmarks.__main__ import FAMILIES, main
from benchmarks.measure import Measure
from tests.faults.installation import patient


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_says_what_each_family_measures_and_what_is_made_before(
    asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", asked, "pages"])
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
    with pytest.raises(SystemExit, match=r"page\? There are pages, .*--help"):
        main()


@pytest.mark.slow
@pytest.mark.parametrize("takes", [0.0, paying.HANGS])
def test_who_pays_is_told_at_once_and_reaches_the_receipt(takes: float) -> None:
    """The matrix of `python -m benchmarks paying`, two of its cases, smaller."""
    found = paying.measured(paying.Cell("sqlite", 2, 4, takes), payers=6, seconds=1.0)
    assert found.wrong == 0
    assert found.seen < patient(paying.SEEN)


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
