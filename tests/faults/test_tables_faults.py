"""T18. A spreadsheet opens every exported table as text: every CSV of a site full of hostile texts, and each text alone.

Then the mutant: tables with unchanged cells.
"""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from renderers.web.platform import tables
from tests.faults.hostile_texts import FORMULA, MARK, TEXTS
from tests.faults.spreadsheet import Cell, opened
from tests.faults.test_hostile_text_faults import a_hostile_world, formulas_as_they_are, readers
from tests.web.access import ask, table, values_of
from tests.web.access_world import AccessWorld

pytestmark = [pytest.mark.slow, pytest.mark.faults]
TABLES = {"exports.take", "auditor_events.take", "auditor_procedures.procedures_csv", "jobs.report"}  # that say a text
INSIDE = (
    "zz;=7*7191;zz", "zz; =7*7191;zz", "zz\t=7*7191\tzz", "zz\r=7*7191", "zz\n=7*7191\nzz", "zz\r\n=7*7191", 'zz;"=7*7191;zz', "zz;;=7*7191",
    "zz;+7*7191;zz", "zz;-7*7191;zz", "zz;＝7*7191", "zz\f=7*7191", "zz\u2028=7*7191",
)  # fmt: skip
FORMULAS = ("=7*7191", "=SUM(A1:A9)", '=HYPERLINK("http://zzxss.example/","zz")', "=A1")


def taken(site: AccessWorld) -> Iterator[tuple[str, bytes]]:
    """Every table that anybody may take away."""
    for row in (one for one in table() if one.method == "GET"):
        for persona in readers(row):
            for answer in ask(site, persona, row, values_of(site, row, site.owner)):
                if answer.mimetype == "text/csv":
                    yield row.endpoint, answer.get_data()


def test_a_spreadsheet_reckons_nothing_that_anybody_said(tmp_path: Path) -> None:
    said = set()
    with a_hostile_world(tmp_path, TEXTS.index("=7*7191+zzxss")) as site:
        for endpoint, content in taken(site):
            cells = list(opened(content, tmp_path))
            assert not [one for one in cells if one.is_formula], endpoint
            said |= {endpoint} if any(MARK in one.text.lower() for one in cells) else set()
    assert said >= TABLES


def test_each_text_is_opened_as_a_text(tmp_path: Path) -> None:
    for text in (*TEXTS, *FORMULAS):
        cells = list(opened(tables.csv_text([["zz", text]]).encode("utf-8-sig"), tmp_path))
        assert cells[0] == Cell("zz", False)
        assert not [one for one in cells if one.is_formula], text


def test_a_workbook_keeps_texts_instants_and_the_longest_cell(tmp_path: Path) -> None:
    texts = [*TEXTS, *FORMULAS, "x" * 40_000]
    rows = [["number", "at"], *([text, datetime(2026, 11, 26, 8, tzinfo=UTC)] for text in texts)]
    cells = list(opened(b"".join(tables.workbook(rows)), tmp_path, "xlsx"))
    assert not [one for one in cells if one.is_formula]
    assert [cells[0].text, cells[1].text] == ["number", "at"]
    filled = [one for one in texts if one]
    assert [one.text for one in cells if one.text in {*FORMULAS, filled[-1][:32_767]}] == [*FORMULAS, "x" * 32_767]
    days = [float(one.text) for one in cells[2:] if one.text.startswith("46352.")]
    assert days == [pytest.approx(46352 + 8 / 24)] * len(texts)  # 26 November 2026, 8 h


def test_a_long_workbook_is_written_in_constant_memory() -> None:
    rows = ([f"{n:011}", "Adjoa Mensah", *["12 rue des Cocotiers"] * 18] for n in range(2_000))
    tracemalloc.start()
    try:
        size = sum(len(one) for one in tables.workbook(rows))
        assert size < tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def split_otherwise(table: str) -> Iterator[str]:
    """The cells of a program that separates by `;` or tab, and may or may not read quotes."""
    for separator in ";\t":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for row in csv.reader(table.splitlines(keepends=True), delimiter=separator, quoting=quoting):
                yield from row


@pytest.mark.parametrize("text", INSIDE)
def test_another_separator_begins_no_formula(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = list(split_otherwise(tables.csv_text([["zz", text, "zz"]])))
    assert not [one for one in cells if FORMULA.match(one)]
    out = io.StringIO()
    csv.writer(out).writerows([[cell] for cell in cells])
    assert not [one for one in opened(out.getvalue().encode("utf-8-sig"), tmp_path) if one.is_formula]
    formulas_as_they_are(monkeypatch)
    assert any(FORMULA.match(one) for one in split_otherwise(tables.csv_text([["zz", text, "zz"]])))


@pytest.mark.nightly("mutant")
def test_a_cell_written_as_it_is_is_reckoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    formulas_as_they_are(monkeypatch)
    for text in FORMULAS:
        assert opened_as_formula(tmp_path, text), text


def opened_as_formula(folder: Path, text: str) -> bool:
    return any(one.is_formula for one in opened(tables.csv_text([["zz", text]]).encode("utf-8-sig"), folder))
