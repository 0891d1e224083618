"""Tables as CSV that spreadsheets open directly, protected against formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from flask import Response

from renderers.web.platform.request_context import file_response

CSV: Final = "text/csv; charset=utf-8"
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
