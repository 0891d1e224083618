"""Pages of a list: where one ends and the next begins. The same for every store, so that a link outlives a change of one."""

from __future__ import annotations

import base64
import json
from typing import Final

from engine.records.bodies import instant_text
from engine.records.store import DossierLine, Slice
from engine.values import canonical_json

LAST: Final = "~"  # sorts after every instant: what has no due date comes last


def due_order(line: DossierLine) -> str:
    return instant_text(line.due_at) if line.due_at else LAST


def next_page(lines: tuple[DossierLine, ...], limit: int) -> Slice:
    """A slice of `limit` lines out of up to one more, which says that there is a next page."""
    if len(lines) <= limit:
        return Slice(lines)
    last = lines[limit - 1]
    mark = base64.urlsafe_b64encode(canonical_json([due_order(last), last.id])).decode().rstrip("=")
    return Slice(lines[:limit], mark)


def page_start(after: str | None) -> tuple[str, str] | None:
    """(due order, id) of the last line already seen. A mark nobody made (it comes back in a URL) begins at the start."""
    try:
        order, last = json.loads(base64.urlsafe_b64decode((after or "") + "=" * (-len(after or "") % 4)))
    except (ValueError, TypeError, RecursionError):
        return None
    return (order, last) if _is_mark(order) and _is_mark(last) else None


def _is_mark(part: object) -> bool:
    """Instants and ids are plain letters; half a sign could not even be asked for."""
    return isinstance(part, str) and part.isascii()
