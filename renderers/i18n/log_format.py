"""What a server says of itself, one line at a time: JSON where a machine reads, words where a person does.

Nothing personal is written. Of a record of this house its sentence is told, of another library's only the sentence it was
made from, without what filled its holes, and where it stands; of a failure where it happened and of which kind, never the words it carried.
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
REQUEST_FIELDS: Final = ("method", "route", "status", "ms", "role")  # of a request, and nothing else of it
_OWN: Final = "guichet"
_ROOT: Final = Path(__file__).resolve().parents[2]
_REQUEST: ContextVar[str] = ContextVar("request", default="")
_LONGEST: Final = 2000
_COUNT: Final = 10_000


@contextmanager
def during(request: str) -> Iterator[None]:
    """Everything logged meanwhile belongs to this request."""
    before = _REQUEST.set(request)
    try:
        yield
    finally:
        _REQUEST.reset(before)


def request_id() -> str:
    """The request under way in this thread; empty outside one."""
    return _REQUEST.get()


class JsonLines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
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
    """One line a record for whoever looks at a terminal. `whole`: with complete traces, where people are invented."""

    def __init__(self, whole: bool = False) -> None:
        super().__init__()
        self._whole = whole

    def format(self, record: logging.LogRecord) -> str:
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
    """The figures of a request; nothing of other records, whatever they carry."""
    return {name: getattr(record, name) for name in REQUEST_FIELDS} if record.name == ACCESS else {}


def sentence(record: logging.LogRecord) -> str:
    """What a record says, on one line. Of others, what it was made from and where; of one that was made beforehand, only where:
    an address or a name may stand in it."""
    if record.name == _OWN or record.name.startswith(f"{_OWN}."):
        text = record.getMessage()
    else:
        place = f"{_shown(record.pathname)}:{record.lineno} {record.funcName}"
        said = record.getMessage() if _is_small(record.args) else record.msg
        text = f"{said} ({place})" if record.args else place
    return "".join(sign if sign.isprintable() else " " for sign in " ".join(text.split())[:_LONGEST])


def _is_small(reported: object) -> bool:
    """Whether these are counts, as of who waits in a queue, too small to be anybody's number."""
    return isinstance(reported, tuple) and all(type(one) is int and abs(one) < _COUNT for one in reported)


def failure(error: BaseException | None) -> list[str]:
    """Which kinds of failure led to one another, and through which lines; no word of what they said."""
    reported: list[str] = []
    while error is not None:
        reported.append(type(error).__qualname__)
        frames = traceback.extract_tb(error.__traceback__)
        reported += [f"{_shown(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return reported


def _shown(name: str) -> str:
    """A file of ours from the root of the project, another by its last two names."""
    path = Path(name)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else "/".join(path.parts[-2:])


def speak(log: logging.Logger, form: str, terminal: bool, whole: bool) -> None:
    """Makes a process say what it does: `form` is `json`, `text`, or empty to choose by where it is read."""
    handler = logging.StreamHandler()
    as_json = form == "json" or (form != "text" and not terminal)
    handler.setFormatter(JsonLines() if as_json else TerminalLines(whole))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
