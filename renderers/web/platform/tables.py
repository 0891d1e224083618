"""Tables to download: CSV that spreadsheets open directly, protected against formulas, and workbooks."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from tempfile import TemporaryFile
from typing import Final

from flask import Response

from engine.core.clock import ZONE
from renderers.web.platform.request_context import file_response

CSV: Final = "text/csv; charset=utf-8"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_IN_WORKBOOK: Final = 20_000  # rows: about 3 s of a processor
_WIDTH: Final = 18  # characters of a column
_LONGEST: Final = 32_767  # characters of a cell in Excel
_BLOCK: Final = 65_536  # bytes
_SIGNS: Final = "[=+\\-@＝＋－＠]"  # first characters of a formula in spreadsheets
_AT_HEAD: Final = re.compile(rf"[\t\r\n\0]|\s*{_SIGNS}")
# after a sign that separates cells or lines in another program
_INSIDE: Final = re.compile(rf"([;\t\r\n\v\f\x85\u2028\u2029][\s\"\0]*)(?={_SIGNS})")


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return the rows as text. An apostrophe precedes a formula sign at the start of a cell.

    This includes a sign after another separator, which other programs take for the start of a cell.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        return value
    text = _INSIDE.sub(r"\1'", value)
    return f"'{text}" if _AT_HEAD.match(text) else text


def csv_response(rows: Iterable[Sequence[object]], name: str) -> Response:
    """Return the rows as a file to download, in UTF-8 with a byte order mark."""
    return file_response(csv_text(rows).encode("utf-8-sig"), CSV, name)


def named_file(body: Iterable[bytes], kind: str, name: str) -> Response:
    """Return a file that is generated while it is sent. It is never cached."""
    response = file_response(b"", kind, name)
    response.response, response.headers["Cache-Control"] = body, "no-store"
    response.headers.pop("Content-Length", None)
    return response


def workbook(rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Write a workbook (ECMA-376) to a temporary file and yield its bytes.

    The first row is the heading. Instants become dates in local time. Everything else is text, so no cell is a formula
    and a number of a dossier keeps its zeros.
    """
    from xlsxwriter import Workbook

    file = TemporaryFile()  # noqa: SIM115 - it closes after the last block
    with Workbook(file, {"constant_memory": True}) as book:
        sheet, heading = book.add_worksheet(), book.add_format({"bold": True})
        moment = book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
        sheet.freeze_panes(1, 0)
        for n, row in enumerate(rows):
            if not n:
                sheet.set_column(0, len(row) - 1, _WIDTH)
            for column, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write_datetime(n, column, value.astimezone(ZONE).replace(tzinfo=None), moment)
                else:
                    sheet.write_string(n, column, str(value)[:_LONGEST], None if n else heading)
        sheet.autofilter(0, 0, n, len(row) - 1)
    file.seek(0)
    return iter(lambda: file.read(_BLOCK), b"")
