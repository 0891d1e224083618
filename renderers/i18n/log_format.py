"""Log lines of a server: JSON for machines, text for terminals.

No personal data is written. A record of this project logs its whole sentence. A record of another library logs only
its template and its place, without values. A failure logs its types and its lines, never its message.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ACCESS: Final = "guichet.access"
REQUEST_FIELDS: Final = ("method", "route", "status", "ms", "role")  # the only data of a request that is logged
_OWN: Final = "guichet"
_ROOT: Final = Path(__file__).resolve().parents[2]
_REQUEST: ContextVar[str] = ContextVar("request", default="")
_LONGEST: Final = 2000
_COUNT: Final = 10_000


@contextmanager
def during(request: str) -> Iterator[None]:
    """Attach the request identifier to all lines that this context logs."""
    before = _REQUEST.set(request)
    try:
        yield
    finally:
        _REQUEST.reset(before)


def request_id() -> str:
    """Return the identifier of the current request, empty outside a request."""
    return _REQUEST.get()


class JsonLines(logging.Formatter):
    """Formats each log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, with the figures of a request or the sentence of another record."""
        line = {
            "time": _instant(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            **({"request": request_id()} if request_id() else {}),
            **_reported(record),
        }
        if record.name != ACCESS:
            line["message"] = sentence(record)
        if record.exc_info and record.exc_info[0] is not None:
            line["failure"] = failure(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


class TerminalLines(logging.Formatter):
    """Formats each log record as one line of text.

    `whole` adds complete traces, for installations with invented people only.
    """

    def __init__(self, whole: bool = False) -> None:
        super().__init__()
        self._whole = whole

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, followed by the lines of its failure."""
        reported = _reported(record)
        if record.name == ACCESS:
            text = (
                f"{reported['method']} {reported['route']} {reported['status']} {reported['ms']} ms {reported['role']}"
            )
        else:
            text = sentence(record)
        line = f"{_instant(record):%H:%M:%S} {record.levelname.lower():7} {record.name} {text}"
        if request_id():
            line += f" [{request_id()[:8]}]"
        if record.exc_info and record.exc_info[0] is not None:
            if self._whole:
                return f"{line}\n{self.formatException(record.exc_info)}"
            line += "".join(f"\n    {one}" for one in failure(record.exc_info[1]))
        return line


def _instant(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _reported(record: logging.LogRecord) -> dict[str, object]:
    """Return the figures of a request, and nothing for other records."""
    return {name: getattr(record, name) for name in REQUEST_FIELDS} if record.name == ACCESS else {}


def sentence(record: logging.LogRecord) -> str:
    """Return the message of a record on one line.

    For a record of another library it is the template and the line of code. A message formatted in advance
    may hold an address or a name, so only the line of code is returned.
    """
    if record.name == _OWN or record.name.startswith(f"{_OWN}."):
        text = record.getMessage()
    else:
        place = f"{_shown(record.pathname)}:{record.lineno} {record.funcName}"
        said = record.getMessage() if _is_small(record.args) else record.msg
        text = f"{said} ({place})" if record.args else place
    return "".join(sign if sign.isprintable() else " " for sign in " ".join(text.split())[:_LONGEST])


def _is_small(reported: object) -> bool:
    """Return whether all values are counts too small to be a personal number."""
    return isinstance(reported, tuple) and all(type(one) is int and abs(one) < _COUNT for one in reported)


def failure(error: BaseException | None) -> list[str]:
    """Return the chain of error types with the lines they passed. Messages are left out."""
    reported: list[str] = []
    while error is not None:
        reported.append(type(error).__qualname__)
        frames = traceback.extract_tb(error.__traceback__)
        reported += [f"{_shown(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return reported


def _shown(name: str) -> str:
    """Return a path relative to the project, or the last two names of another path."""
    path = Path(name)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else "/".join(path.parts[-2:])


def speak(log: logging.Logger, form: str, terminal: bool, whole: bool) -> None:
    """Set the handler and format of a logger.

    `form` is `json` or `text`. If empty, a terminal gets text and anything else JSON.
    """
    handler = logging.StreamHandler()
    as_json = form == "json" or (form != "text" and not terminal)
    handler.setFormatter(JsonLines() if as_json else TerminalLines(whole))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
