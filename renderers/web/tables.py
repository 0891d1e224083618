"""Tables that people take away: CSV that a spreadsheet opens as it is."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from flask import Response

from renderers.web.base import file_response

CSV: Final = "text/csv; charset=utf-8"
_DANGEROUS: Final = re.compile(r"[\t\r\n\0]|\s*[=+\-@＝＋－＠]")  # as programs read them, spaces passed over


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as text; what begins like a formula is quoted, so that it opens as the text it is."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _DANGEROUS.match(value) else value


def csv_response(rows: Iterable[Sequence[object]], name: str) -> Response:
    return file_response(csv_text(rows).encode("utf-8-sig"), CSV, name)


def named_file(body: Iterable[bytes], kind: str, name: str) -> Response:
    """A file handed over as it is made."""
    response = file_response(b"", kind, name)
    response.response, response.headers["Cache-Control"] = body, "no-store"
    response.headers.pop("Content-Length", None)
    return response
